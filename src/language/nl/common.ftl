# Machine-made, not yet read by a native speaker.

common-method-app = Authenticator-app
common-method-hardware-token = Hardwaretoken
common-method-phone = Telefoon
