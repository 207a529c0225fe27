# Machine-made, not yet read by a native speaker.

vpn-approve = Keur het verzoek goed op uw telefoon en druk daarna hier op Enter:
vpn-approve-or-code = Keur het verzoek goed op uw telefoon en druk daarna hier op Enter. Of voer een code in:
vpn-busy-enter-code = Een andere aanmelding wacht op uw telefoon. Voer voor deze aanmelding een code in:
vpn-enter-code = Voer de code van uw authenticator-app of token in:
vpn-open-app = Open de app op uw telefoon, trek omlaag om te vernieuwen, bevestig daar en druk daarna hier op Enter:
vpn-open-app-choose = Open de app op uw telefoon, trek omlaag om te vernieuwen, kies { $number } en druk daarna hier op Enter:
vpn-open-app-choose-or-code = Open de app op uw telefoon, trek omlaag om te vernieuwen, kies { $number } en druk daarna hier op Enter. Of voer een code in:
vpn-open-app-or-code = Open de app op uw telefoon, trek omlaag om te vernieuwen, bevestig daar en druk daarna hier op Enter. Of voer een code in:
vpn-open-app-type-digits = Open de app op uw telefoon, trek omlaag om te vernieuwen, bevestig daar en typ hier de { $digits } cijfers die u ziet:
vpn-open-page = Open de inlogpagina op uw telefoon, bevestig daar en druk daarna hier op Enter:
vpn-open-page-or-code = Open de inlogpagina op uw telefoon, bevestig daar en druk daarna hier op Enter. Of voer een code in:
vpn-open-page-type-digits = Open de inlogpagina op uw telefoon, bevestig daar en typ hier de { $digits } cijfers die u ziet:
vpn-open-page-type-number = Open de inlogpagina op uw telefoon, typ daar { $number } en druk daarna hier op Enter:
vpn-open-page-type-number-or-code = Open de inlogpagina op uw telefoon, typ daar { $number } en druk daarna hier op Enter. Of voer een code in:
vpn-quiet-enter-code = Uw telefoon wordt nog { $minutes } min. niet gevraagd. Voer een code in:
vpn-type-digits = Bevestig op uw telefoon en typ hier de { $digits } cijfers die u ziet:
vpn-type-number = Typ { $number } op uw telefoon en druk daarna hier op Enter:
vpn-type-number-or-code = Typ { $number } op uw telefoon en druk daarna hier op Enter. Of voer een code in:
vpn-wrong-code = Die code werkte niet. Wacht op een nieuwe code en voer die in:
vpn-wrong-digits = Dat waren niet de cijfers op uw telefoon. Typ de { $digits } cijfers die u ziet:

vpn-refused = Toegang geweigerd.
vpn-refused-append-code = Voer uw wachtwoord en een code samen in, zo: wachtwoord{ $delimiter }123456
vpn-refused-busy = Een andere aanmelding wacht op uw telefoon. Beantwoord die eerst en probeer het dan opnieuw.
vpn-refused-codes-locked = Te veel verkeerde codes. Wacht even en probeer het opnieuw, of vraag het uw helpdesk.
vpn-refused-credential = Deze manier van aanmelden wordt hier niet ondersteund. Gebruik PAP.
vpn-refused-denied = Het verzoek is op uw telefoon geweigerd.
vpn-refused-enrol-at = Dit account heeft nog geen tweede factor. Stel er een in op { $portal }
vpn-refused-later = De aanmelding kan op dit moment niet worden gecontroleerd. Probeer het over een minuut opnieuw.
vpn-refused-no-method = Geen van de tweede factoren van dit account kan hier nu worden gebruikt. Vraag het uw helpdesk.
vpn-refused-quiet = Uw telefoon wordt nog { $minutes } min. niet gevraagd. Probeer het daarna opnieuw, of vraag uw servicedesk.
vpn-refused-superseded = Een nieuwer verzoek voor deze aanmelding heeft dit verzoek vervangen.
vpn-refused-unanswered = Niemand heeft het verzoek op uw telefoon op tijd beantwoord.
vpn-refused-undeliverable = De aanmelding is gecontroleerd, maar het antwoord kan niet worden afgeleverd. Vraag het uw helpdesk.
vpn-refused-unenrolled = Dit account heeft nog geen tweede factor. Vraag uw helpdesk om er een in te stellen.
vpn-refused-wrong-number = Dat was niet het getal dat hier stond. Meld u opnieuw aan en geef het nieuwe getal op.
