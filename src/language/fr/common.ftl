# Machine-made, not yet read by a native speaker.

common-method-app = Application d'authentification
common-method-hardware-token = Jeton matériel
common-method-phone = Téléphone
