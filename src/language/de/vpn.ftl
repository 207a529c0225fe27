# Machine-made, not yet read by a native speaker.

vpn-approve = Bestätigen Sie die Anfrage auf Ihrem Telefon und drücken Sie dann hier die Eingabetaste:
vpn-approve-or-code = Bestätigen Sie die Anfrage auf Ihrem Telefon und drücken Sie dann hier die Eingabetaste. Oder geben Sie einen Code ein:
vpn-busy-enter-code = Eine andere Anmeldung wartet auf Ihr Telefon. Geben Sie für diese hier einen Code ein:
vpn-enter-code = Geben Sie den Code aus Ihrer Authenticator-App oder von Ihrem Token ein:
vpn-open-app = Öffnen Sie die App auf Ihrem Telefon, ziehen Sie sie zum Aktualisieren nach unten, bestätigen Sie dort und drücken Sie dann hier die Eingabetaste:
vpn-open-app-choose = Öffnen Sie die App auf Ihrem Telefon, ziehen Sie sie zum Aktualisieren nach unten, wählen Sie { $number } und drücken Sie dann hier die Eingabetaste:
vpn-open-app-choose-or-code = Öffnen Sie die App auf Ihrem Telefon, ziehen Sie sie zum Aktualisieren nach unten, wählen Sie { $number } und drücken Sie dann hier die Eingabetaste. Oder geben Sie einen Code ein:
vpn-open-app-or-code = Öffnen Sie die App auf Ihrem Telefon, ziehen Sie sie zum Aktualisieren nach unten, bestätigen Sie dort und drücken Sie dann hier die Eingabetaste. Oder geben Sie einen Code ein:
vpn-open-app-type-digits = Öffnen Sie die App auf Ihrem Telefon, ziehen Sie sie zum Aktualisieren nach unten, bestätigen Sie dort und geben Sie hier die { $digits } Ziffern ein, die sie anzeigt:
vpn-open-page = Öffnen Sie die Anmeldeseite auf Ihrem Telefon, bestätigen Sie dort und drücken Sie dann hier die Eingabetaste:
vpn-open-page-or-code = Öffnen Sie die Anmeldeseite auf Ihrem Telefon, bestätigen Sie dort und drücken Sie dann hier die Eingabetaste. Oder geben Sie einen Code ein:
vpn-open-page-type-digits = Öffnen Sie die Anmeldeseite auf Ihrem Telefon, bestätigen Sie dort und geben Sie hier die { $digits } Ziffern ein, die sie anzeigt:
vpn-open-page-type-number = Öffnen Sie die Anmeldeseite auf Ihrem Telefon, geben Sie dort { $number } ein und drücken Sie dann hier die Eingabetaste:
vpn-open-page-type-number-or-code = Öffnen Sie die Anmeldeseite auf Ihrem Telefon, geben Sie dort { $number } ein und drücken Sie dann hier die Eingabetaste. Oder geben Sie einen Code ein:
vpn-quiet-enter-code = Ihr Telefon wird noch { $minutes } Min. nicht gefragt. Geben Sie einen Code ein:
vpn-type-digits = Bestätigen Sie auf Ihrem Telefon und geben Sie hier die { $digits } Ziffern ein, die es anzeigt:
vpn-type-number = Geben Sie { $number } auf Ihrem Telefon ein und drücken Sie dann hier die Eingabetaste:
vpn-type-number-or-code = Geben Sie { $number } auf Ihrem Telefon ein und drücken Sie dann hier die Eingabetaste. Oder geben Sie einen Code ein:
vpn-wrong-code = Dieser Code war nicht richtig. Warten Sie auf einen neuen Code und geben Sie ihn ein:
vpn-wrong-digits = Das waren nicht die Ziffern auf Ihrem Telefon. Geben Sie die { $digits } Ziffern ein, die es anzeigt:

vpn-refused = Zugriff verweigert.
vpn-refused-append-code = Geben Sie Ihr Passwort und einen Code zusammen ein, so: Passwort{ $delimiter }123456
vpn-refused-busy = Eine andere Anmeldung wartet auf Ihr Telefon. Beantworten Sie zuerst diese und versuchen Sie es dann erneut.
vpn-refused-codes-locked = Zu viele falsche Codes. Warten Sie eine Weile und versuchen Sie es erneut, oder fragen Sie Ihren Helpdesk.
vpn-refused-credential = Diese Art der Anmeldung wird hier nicht unterstützt. Verwenden Sie PAP.
vpn-refused-denied = Die Anfrage wurde auf Ihrem Telefon abgelehnt.
vpn-refused-enrol-at = Dieses Konto hat noch keinen zweiten Faktor. Richten Sie einen ein: { $portal }
vpn-refused-later = Die Anmeldung kann im Moment nicht geprüft werden. Versuchen Sie es in einer Minute erneut.
vpn-refused-no-method = Keiner der zweiten Faktoren dieses Kontos kann hier jetzt verwendet werden. Fragen Sie Ihren Helpdesk.
vpn-refused-quiet = Ihr Telefon wird noch { $minutes } Min. nicht gefragt. Versuchen Sie es danach wieder oder fragen Sie Ihren Service Desk.
vpn-refused-superseded = Eine neuere Anfrage für diese Anmeldung hat diese hier ersetzt.
vpn-refused-unanswered = Niemand hat die Anfrage auf Ihrem Telefon rechtzeitig beantwortet.
vpn-refused-undeliverable = Die Anmeldung wurde geprüft, aber die Antwort kann nicht zugestellt werden. Fragen Sie Ihren Helpdesk.
vpn-refused-unenrolled = Dieses Konto hat noch keinen zweiten Faktor. Bitten Sie Ihren Helpdesk, einen einzurichten.
vpn-refused-wrong-number = Das war nicht die hier angezeigte Zahl. Melden Sie sich erneut an und geben Sie die neue Zahl an.
