# Words that several rooms say: methods, languages, buttons.

common-method-app = Authenticator app
common-method-hardware-token = Hardware token
common-method-phone = Phone
