# The phone's page: prompts, activation, PIN.
