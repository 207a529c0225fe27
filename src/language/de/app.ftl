# Machine-made, not yet read by a native speaker.
app-asks = { $user } meldet sich bei { $client } an, von { $place } um { $time } UTC. Sind Sie das?
app-asks-number = { $user } meldet sich bei { $client } an, von { $place } um { $time } UTC. Tippen Sie auf die Zahl, die Ihre Anmeldung zeigt.
app-asks-code = { $user } meldet sich bei { $client } an, von { $place } um { $time } UTC. Sind Sie das? Dann folgt ein Code.
app-tests = Das ist ein Test für { $user }. Niemand meldet sich an.
app-nowhere = einem unbekannten Ort
app-type-code = Tippen Sie das dort ein, wo Sie sich anmelden.
