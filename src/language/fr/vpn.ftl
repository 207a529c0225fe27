# Machine-made, not yet read by a native speaker.

vpn-approve = Approuvez la demande sur votre téléphone, puis appuyez ici sur Entrée :
vpn-approve-or-code = Approuvez la demande sur votre téléphone, puis appuyez ici sur Entrée. Ou saisissez un code :
vpn-busy-enter-code = Une autre connexion attend votre téléphone. Saisissez un code pour celle-ci :
vpn-enter-code = Saisissez le code de votre application d'authentification ou de votre jeton :
vpn-open-app = Ouvrez l'application sur votre téléphone, tirez vers le bas pour actualiser, confirmez, puis appuyez ici sur Entrée :
vpn-open-app-choose = Ouvrez l'application sur votre téléphone, tirez vers le bas pour actualiser, choisissez { $number }, puis appuyez ici sur Entrée :
vpn-open-app-choose-or-code = Ouvrez l'application sur votre téléphone, tirez vers le bas pour actualiser, choisissez { $number }, puis appuyez ici sur Entrée. Ou saisissez un code :
vpn-open-app-or-code = Ouvrez l'application sur votre téléphone, tirez vers le bas pour actualiser, confirmez, puis appuyez ici sur Entrée. Ou saisissez un code :
vpn-open-app-type-digits = Ouvrez l'application sur votre téléphone, tirez vers le bas pour actualiser, confirmez, puis saisissez ici les { $digits } chiffres qu'elle affiche :
vpn-open-page = Ouvrez la page de connexion sur votre téléphone, confirmez, puis appuyez ici sur Entrée :
vpn-open-page-or-code = Ouvrez la page de connexion sur votre téléphone, confirmez, puis appuyez ici sur Entrée. Ou saisissez un code :
vpn-open-page-type-digits = Ouvrez la page de connexion sur votre téléphone, confirmez, puis saisissez ici les { $digits } chiffres qu'elle affiche :
vpn-open-page-type-number = Ouvrez la page de connexion sur votre téléphone, saisissez-y { $number }, puis appuyez ici sur Entrée :
vpn-open-page-type-number-or-code = Ouvrez la page de connexion sur votre téléphone, saisissez-y { $number }, puis appuyez ici sur Entrée. Ou saisissez un code :
vpn-quiet-enter-code = Votre téléphone n'est pas sollicité pendant encore { $minutes } min. Saisissez un code :
vpn-type-digits = Confirmez sur votre téléphone, puis saisissez ici les { $digits } chiffres qu'il affiche :
vpn-type-number = Saisissez { $number } sur votre téléphone, puis appuyez ici sur Entrée :
vpn-type-number-or-code = Saisissez { $number } sur votre téléphone, puis appuyez ici sur Entrée. Ou saisissez un code :
vpn-wrong-code = Ce code n'a pas fonctionné. Attendez un nouveau code et saisissez-le :
vpn-wrong-digits = Ce ne sont pas les chiffres de votre téléphone. Saisissez les { $digits } chiffres qu'il affiche :

vpn-refused = Accès refusé.
vpn-refused-append-code = Saisissez ensemble votre mot de passe et un code, ainsi : motdepasse{ $delimiter }123456
vpn-refused-busy = Une autre connexion attend votre téléphone. Répondez d'abord à celle-là, puis réessayez.
vpn-refused-codes-locked = Trop de codes erronés. Attendez un moment puis réessayez, ou demandez à votre centre d'assistance.
vpn-refused-credential = Ce mode de connexion n'est pas pris en charge ici. Utilisez PAP.
vpn-refused-denied = La demande a été refusée sur votre téléphone.
vpn-refused-enrol-at = Ce compte n'a pas encore de second facteur. Configurez-en un : { $portal }
vpn-refused-later = La connexion ne peut pas être vérifiée pour le moment. Réessayez dans une minute.
vpn-refused-no-method = Aucun second facteur de ce compte n'est utilisable ici en ce moment. Demandez à votre centre d'assistance.
vpn-refused-quiet = Votre téléphone n'est pas sollicité pendant encore { $minutes } min. Réessayez ensuite, ou demandez au support.
vpn-refused-superseded = Une demande plus récente pour cette connexion a remplacé celle-ci.
vpn-refused-unanswered = Personne n'a répondu à temps à la demande sur votre téléphone.
vpn-refused-undeliverable = La connexion a été vérifiée, mais la réponse ne peut pas être transmise. Demandez à votre centre d'assistance.
vpn-refused-unenrolled = Ce compte n'a pas encore de second facteur. Demandez à votre centre d'assistance d'en ajouter un.
vpn-refused-wrong-number = Ce n'était pas le nombre affiché ici. Reconnectez-vous et indiquez le nouveau nombre.
