# Machine-made, not yet read by a native speaker.
app-asks = { $user } meldt zich aan bij { $client }, vanaf { $place } om { $time } UTC. Bent u dit?
app-asks-number = { $user } meldt zich aan bij { $client }, vanaf { $place } om { $time } UTC. Tik op het getal dat uw aanmelding toont.
app-asks-code = { $user } meldt zich aan bij { $client }, vanaf { $place } om { $time } UTC. Bent u dit? Dan volgt een code.
app-tests = Dit is een test voor { $user }. Niemand meldt zich aan.
app-nowhere = een onbekende plaats
app-type-code = Typ dit waar u zich aanmeldt.
