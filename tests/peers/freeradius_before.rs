//! radclient as the appliance.

use crate::harness::oath::{hotp, seed};
use crate::harness::radclient::radclient;
use crate::harness::radius::MESSAGE_AUTHENTICATOR;
use crate::harness::relay::Relay;
use crate::harness::stub::Stub;
use crate::harness::vestibule;

const RULES: &str = r#"
[[rule]]
name = "backup job"
when = { user = "svc-*" }
second_factor = "exempt"
until = 2099-01-01
[[rule]]
name = "people"
second_factor = "hotp"
"#;

#[tokio::test(flavor = "multi_thread")]
async fn radclient_logs_in_is_refused_answers_a_challenge_and_asks_for_the_status() {
    let nps = Stub::accepting("hello").await;
    let house = vestibule::guarding(&nps).rules(RULES).hotp("alice").start().await;
    let wire = Relay::to(house.radius()).await;
    let ask = |user: &str, password: &str| format!("User-Name={user}, User-Password={password}");

    let accept = radclient(wire.at, "auth", &ask("svc-backup", "hello")).await;
    assert!(accept.received("Access-Accept"), "{accept:?}");
    let reject = radclient(wire.at, "auth", &ask("alice", "goodbye")).await;
    assert!(reject.received("Access-Reject"), "{reject:?}");
    let challenge = radclient(wire.at, "auth", &ask("alice", "hello")).await;
    assert!(challenge.received("Access-Challenge"), "{challenge:?}");
    let code = hotp(&seed("alice"), 0);
    let answer = format!("{}, State={}", ask("alice", &code), challenge.value("State"));
    let opened = radclient(wire.at, "auth", &answer).await;
    assert!(opened.received("Access-Accept"), "{opened:?}");
    let status = radclient(wire.at, "status", "NAS-Identifier=vpn").await;
    assert!(status.received("Access-Accept"), "{status:?}");

    let answers = wire.answers();
    assert_eq!(answers.len(), 5);
    for octets in answers {
        assert_eq!(octets[20], MESSAGE_AUTHENTICATOR, "rules E1: it stands first in every answer: {octets:?}");
    }
    for (code, count) in [("accept", 2.0), ("reject", 1.0), ("challenge", 1.0), ("status", 1.0)] {
        let counted = house.site.counted("vestibule_answers_total", &[&format!("code=\"{code}\"")], count).await;
        assert_eq!(counted, count, "{code}");
    }
    let users = house.records(3).await;
    let mut told: Vec<_> = users.iter().map(|record| (record["answer"].as_str(), record["reason"].as_str())).collect();
    // A refusal's record may come after what let somebody in later.
    told.sort_unstable();
    let expected = [("accept", "accepted"), ("accept", "accepted"), ("reject", "primary")];
    assert_eq!(told, expected.map(|(answer, reason)| (Some(answer), Some(reason))));
}
