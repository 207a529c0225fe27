//! Who is not heard: packets without Message-Authenticator, under a wrong secret, from strangers, or not RADIUS at all.

use crate::harness::appliance::Appliance;
use crate::harness::oath::{seed, totp};
use crate::harness::radius::{ACCEPT, Answer, Ask, CHALLENGE, PROXY_STATE, REJECT};
use crate::harness::stub::Stub;
use crate::harness::vestibule;

const EXEMPT: &str = "[[rule]]\nname = \"all\"\nsecond_factor = \"exempt\"\nuntil = 2099-01-01\n";

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_signed_or_signed_with_another_secret_gets_silence_and_the_log_says_what_to_mend() {
    let nps = Stub::accepting("hello").await;
    let mut house = vestibule::guarding(&nps).rules(EXEMPT).start_program().await;
    let vpn = house.appliance().await;
    vpn.send(&Ask::login("alice", "hello").bare()).await;
    vpn.hears_nothing().await;
    let drops = |reason: &str| format!("reason=\"{reason}\"");
    house.site.counts("vestibule_drops_total", &["client=\"vpn\"", &drops("missing_message_authenticator")], 1.0).await;
    let line = house.child.says("Message-Authenticator").await;
    assert!(line.contains("vpn") && line.contains("What to do"), "{line}");

    let other = Appliance::at([127, 0, 0, 1].into(), house.site.radius, "not the secret of this client").await;
    other.send(&Ask::login("alice", "hello")).await;
    house.site.counts("vestibule_drops_total", &["client=\"vpn\"", &drops("bad_message_authenticator")], 1.0).await;
    let line = house.child.says("secrets/client.vpn").await;
    assert!(line.contains("shared secret"), "{line}");

    let stranger = Appliance::at([127, 0, 0, 9].into(), house.site.radius, "whatever").await;
    stranger.send(&Ask::login("alice", "hello")).await;
    house.site.counts("vestibule_drops_total", &[&drops("unknown_client")], 1.0).await;
    assert_eq!(nps.heard().len(), 0, "nothing of it reached the primary");
}

#[tokio::test(flavor = "multi_thread")]
async fn clients_that_need_not_sign_are_served_unless_they_carry_proxy_state() {
    for stance in ["auto", "no"] {
        let nps = Stub::accepting("hello").await;
        let stance = format!("require_message_authenticator = \"{stance}\"");
        let house = vestibule::guarding(&nps).client(&stance).rules(EXEMPT).start().await;
        let vpn = house.appliance().await;
        assert_eq!(vpn.ask(&Ask::login("alice", "hello").bare()).await.code, ACCEPT);
        assert_eq!(vpn.ask(&Ask::login("alice", "hello")).await.code, ACCEPT);
        vpn.send(&Ask::login("alice", "hello").bare().with(PROXY_STATE, b"1")).await;
        vpn.hears_nothing().await;
        house.site.counts("vestibule_drops_total", &["client=\"vpn\"", "reason=\"proxy_state\""], 1.0).await;
    }
}

/// Rules E1: the hole is no larger than it has to be, and it closes by itself.
#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_drops_what_is_signed_gets_bare_answers_to_bare_requests_until_its_day() {
    let nps = Stub::accepting("hello").await;
    let lines = |until: &str| {
        format!(
            "require_message_authenticator = \"no\"\nmessage_authenticator = \"never\"\nuntil = {until}\nchallenge = true"
        )
    };
    let house = vestibule::guarding(&nps).client(&lines("2099-01-01")).totp("alice").start().await;
    let vpn = house.appliance().await;
    let kinds = |answer: &Answer| answer.attributes.iter().map(|(kind, _)| *kind).collect::<Vec<u8>>();
    let asked = vpn.ask(&Ask::login("alice", "hello").answered_bare()).await;
    assert_eq!((asked.code, kinds(&asked)), (CHALLENGE, vec![18, 24, 76]), "Reply-Message, State, Prompt, and no more");
    let code = totp(&seed("alice"));
    assert_eq!(vpn.ask(&Ask::login("alice", &code).answering(&asked).answered_bare()).await.code, ACCEPT);
    let signed = vpn.ask(&Ask::login("alice", "wrong")).await;
    assert_eq!(kinds(&signed).first(), Some(&80), "whoever signs is answered so");
    let over = vestibule::guarding(&nps).client(&lines("2020-01-01")).totp("alice").start().await;
    let refused = over.appliance().await.ask(&Ask::login("alice", "hello").bare()).await;
    assert_eq!((refused.code, kinds(&refused).first()), (REJECT, Some(&80)), "past its day: rejected, and signed");
    let told = over.site.run(&["check"]).await;
    let told = String::from_utf8_lossy(&told.stderr).into_owned();
    assert!(told.contains("a hole") && told.contains("CVE-2024-3596"), "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bare_packet_under_a_signed_ones_identifier_is_answered_and_takes_nothing_from_it() {
    let nps = Stub::accepting("hello").await;
    let house = vestibule::guarding(&nps).client("require_message_authenticator = \"no\"").rules(EXEMPT).start().await;
    let vpn = house.appliance().await;
    let signed = Ask::login("alice", "hello").numbered(1);
    let answer = vpn.ask(&signed).await;
    let bare = Ask::login("mallory", "guess").bare().numbered(1);
    assert_eq!(vpn.ask(&bare).await.code, REJECT);
    assert_eq!(vpn.ask(&signed).await.octets, answer.octets, "rules B1: the same octets");
    assert_eq!(nps.heard().len(), 2, "the retransmit began nothing");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_radius_gets_silence_and_is_counted() {
    let nps = Stub::accepting("hello").await;
    let house = vestibule::guarding(&nps).rules(EXEMPT).start().await;
    let vpn = house.appliance().await;
    let ask = Ask::login("alice", "hello");
    let good = ask.octets(crate::harness::APPLIANCE_SECRET);
    let changed = |at: usize, octet: u8| {
        let mut octets = good.clone();
        octets[at] = octet;
        octets
    };
    let rows = [
        good[..19].to_vec(),
        good[..good.len() - 1].to_vec(),
        changed(2, 0x20),
        changed(3, 19),
        changed(21, 0),
        changed(21, 1),
        changed(21, 255),
        changed(39, 1),
    ];
    for row in &rows {
        vpn.send_octets(row).await;
    }
    vpn.send_octets(&[]).await;
    vpn.hears_nothing().await;
    let malformed = ["client=\"vpn\"", "reason=\"malformed\""];
    house.site.counts("vestibule_drops_total", &malformed, rows.len() as f64).await;
    assert_eq!(nps.heard().len(), 0);
    // Padding after the length is no fault (RFC 2865 §3).
    vpn.send_octets(&[&good[..], &[0; 7]].concat()).await;
    assert_eq!(vpn.next(&[ask]).await.code, ACCEPT);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bare_password_under_a_wrong_secret_is_not_sent_on() {
    let nps = Stub::accepting("hello").await;
    let house =
        vestibule::guarding(&nps).client("require_message_authenticator = \"no\"").rules(EXEMPT).start_program().await;
    let other = Appliance::at([127, 0, 0, 1].into(), house.site.radius, "not the secret of this client").await;
    // What a wrong secret reveals is noise: of 16 octets at least one is a control octet in nearly every packet.
    for _ in 0..20 {
        other.send(&Ask::login("alice", "hello").bare()).await;
    }
    house.site.counts("vestibule_suspect_secret_total", &["client=\"vpn\""], 10.0).await;
    assert!(nps.heard().len() <= 10, "rules D5: what is noise reaches no primary");
    assert!(nps.heard().iter().all(|(_, password)| !password.bytes().any(|octet| octet.is_ascii_control())));
}
