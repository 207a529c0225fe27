# Machine-made, not yet read by a native speaker.

common-method-app = Authenticator-App
common-method-hardware-token = Hardware-Token
common-method-phone = Telefon
