# Machine-made, not yet read by a native speaker.
app-asks = { $user } se connecte à { $client } depuis { $place } à { $time } UTC. Est-ce vous ?
app-asks-number = { $user } se connecte à { $client } depuis { $place } à { $time } UTC. Touchez le nombre que votre connexion affiche.
app-asks-code = { $user } se connecte à { $client } depuis { $place } à { $time } UTC. Est-ce vous ? Un code suivra.
app-tests = Ceci est un test pour { $user }. Personne ne se connecte.
app-nowhere = un lieu inconnu
app-type-code = Tapez ceci là où vous vous connectez.
