# What the app from the stores shows: it has texts of its own for everything else.
app-asks = { $user } logs in at { $client } from { $place } at { $time } UTC. Is this you?
app-asks-number = { $user } logs in at { $client } from { $place } at { $time } UTC. Tap the number that your login shows.
app-asks-code = { $user } logs in at { $client } from { $place } at { $time } UTC. Is this you? Then a code follows.
app-tests = This is a test for { $user }. Nobody logs in.
app-nowhere = an unknown place
app-type-code = Type this where you log in.
