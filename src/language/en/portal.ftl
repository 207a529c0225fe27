# The user's portal.
