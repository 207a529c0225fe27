# The VPN prompt: one line of a few words, 253 octets at most. English is what src/login/words.rs says.

vpn-approve = Approve the request on your phone, then press Enter here:
vpn-approve-or-code = Approve the request on your phone, then press Enter here. Or enter a code:
vpn-busy-enter-code = Another login is waiting for your phone. Enter a code for this one:
vpn-enter-code = Enter the code from your authenticator app or token:
vpn-open-app = Open the app on your phone, pull down to refresh and confirm there, then press Enter here:
vpn-open-app-choose = Open the app on your phone, pull down to refresh and choose { $number }, then press Enter here:
vpn-open-app-choose-or-code = Open the app on your phone, pull down to refresh and choose { $number }, then press Enter here. Or enter a code:
vpn-open-app-or-code = Open the app on your phone, pull down to refresh and confirm there, then press Enter here. Or enter a code:
vpn-open-app-type-digits = Open the app on your phone, pull down to refresh, confirm there, and type the { $digits } digits it shows:
vpn-open-page = Open the login page on your phone and confirm there, then press Enter here:
vpn-open-page-or-code = Open the login page on your phone and confirm there, then press Enter here. Or enter a code:
vpn-open-page-type-digits = Open the login page on your phone, confirm there, and type the { $digits } digits it shows:
vpn-open-page-type-number = Open the login page on your phone and type { $number } there, then press Enter here:
vpn-open-page-type-number-or-code = Open the login page on your phone and type { $number } there, then press Enter here. Or enter a code:
vpn-quiet-enter-code = Your phone is not asked for another { $minutes } min. Enter a code:
vpn-type-digits = Confirm on your phone, and type the { $digits } digits it shows:
vpn-type-number = Type { $number } on your phone, then press Enter here:
vpn-type-number-or-code = Type { $number } on your phone, then press Enter here. Or enter a code:
vpn-wrong-code = That code did not work. Wait for a new code and enter it:
vpn-wrong-digits = Those were not the digits on your phone. Type the { $digits } digits it shows:

vpn-refused = Access denied.
vpn-refused-append-code = Enter your password and a code together, like this: password{ $delimiter }123456
vpn-refused-busy = Another login is waiting for your phone. Answer that one first, then try again.
vpn-refused-codes-locked = Too many wrong codes. Wait a while, then try again, or ask your service desk.
vpn-refused-credential = This login method is not supported here. Use PAP.
vpn-refused-denied = The request was denied on your phone.
vpn-refused-enrol-at = This account has no second factor yet. Set one up at { $portal }
vpn-refused-later = The login can't be checked at the moment. Try again in a minute.
vpn-refused-no-method = None of this account's second factors can be used here now. Ask your service desk.
vpn-refused-quiet = Your phone is not asked for another { $minutes } min. Try again then, or ask your service desk.
vpn-refused-superseded = A newer request for this login took the place of this one.
vpn-refused-unanswered = Nobody answered the request on your phone in time.
vpn-refused-undeliverable = The login was checked, but its answer can't be delivered. Ask your service desk.
vpn-refused-unenrolled = This account has no second factor yet. Ask your service desk to enrol it.
vpn-refused-wrong-number = That was not the number shown here. Log in again and give the new number.
