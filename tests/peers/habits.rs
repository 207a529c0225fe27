//! Habits of real RADIUS clients, each seen on the wire: which octets of a State they give back, what they send for Enter,
//! and what they make of no input at all. They sign nothing, as half of the clients that exist.

use login::PhoneAnswer;

use crate::harness::oath::{seed, totp};
use crate::harness::pam::Pam;
use crate::harness::phone::Phone;
use crate::harness::radius::{ACCEPT, Answer, Ask, CHALLENGE, REJECT, STATE, USER_PASSWORD};
use crate::harness::stub::Stub;
use crate::harness::{pam, vestibule};

const STATION: &str = "198.51.100.7";
const BARE: &str = "require_message_authenticator = \"auto\"\nchallenge = true";

/// radcli, so ocserv, keeps a State as a C string.
fn cut_at_zero(state: &[u8]) -> Vec<u8> {
    state.iter().copied().take_while(|octet| *octet != 0).collect()
}

/// `mod_auth_radius` keeps a State in a cookie and changes each octet from outside A to DEL.
fn as_a_cookie(state: &[u8]) -> Vec<u8> {
    state.iter().map(|octet| if (b'A'..=0x7f).contains(octet) { *octet } else { octet | 0x40 }).collect()
}

fn answering(ask: Ask, challenge: &Answer, keeps: impl Fn(&[u8]) -> Vec<u8>) -> Ask {
    ask.with(STATE, &keeps(&challenge.one(STATE))).bare()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_code_gets_in_whatever_a_client_does_to_octets_that_are_no_letters() {
    for keeps in [cut_at_zero, as_a_cookie] {
        let nps = Stub::accepting("hello").await;
        let house = vestibule::guarding(&nps).client(BARE).totp("erin").start().await;
        let vpn = house.appliance().await;
        let challenge = vpn.ask(&Ask::login("erin", "hello").stationed(STATION).bare()).await;
        assert_eq!(challenge.code, CHALLENGE);
        assert!(challenge.one(STATE).iter().all(u8::is_ascii_alphabetic), "{challenge:?}");
        assert_eq!(challenge.all(18).len(), 1, "one Reply-Message: some clients show no second one");
        let code = totp(&seed("erin"));
        assert_eq!(vpn.ask(&answering(Ask::login("erin", &code), &challenge, keeps)).await.code, ACCEPT);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn enter_is_enter_as_a_password_of_no_octets_and_as_no_password_at_all() {
    let empty = Ask::without_password("carol").with(USER_PASSWORD, &[]);
    for enter in [Ask::login("carol", ""), empty, Ask::without_password("carol")] {
        let (nps, phone) = (Stub::accepting("hello").await, Phone::new());
        let client = format!("gives_up_after = \"3s\"\n{BARE}");
        let house = vestibule::guarding(&nps).client(&client).calling("carol", &phone).start().await;
        let vpn = house.appliance().await;
        let first = Ask::login("carol", "hello").stationed(STATION).bare();
        vpn.send(&first).await;
        let hint = phone.rings().await;
        let challenge = vpn.next(&[first]).await;
        assert_eq!(challenge.code, CHALLENGE, "{challenge:?}");
        let enter = answering(enter, &challenge, <[u8]>::to_vec);
        vpn.send(&enter).await;
        house.presses(&hint, PhoneAnswer::Approve).await;
        assert_eq!(vpn.next(&[enter]).await.code, ACCEPT);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_noise_that_pam_radius_sends_at_the_end_of_its_input_is_no_code_and_no_wrong_secret() {
    let nps = Stub::accepting("hello").await;
    let house = vestibule::guarding(&nps).client(BARE).totp("erin").start().await;
    let vpn = house.appliance().await;
    let mut asked = vpn.ask(&Ask::login("erin", "hello").stationed(STATION).bare()).await;
    for (tries, code) in [(1, CHALLENGE), (2, CHALLENGE), (3, REJECT)] {
        let noise = Ask::without_password("erin").with(USER_PASSWORD, &[0x5a ^ tries; 16]);
        asked = vpn.ask(&answering(noise, &asked, <[u8]>::to_vec)).await;
        assert_eq!(asked.code, code);
    }
    assert_eq!(house.records(1).await[0]["reason"], "not_a_code");
    assert_eq!(house.site.metric("vestibule_suspect_secret_total", &[]).await, 0.0);
    assert_eq!(nps.heard().len(), 1, "nothing of it reached the primary");
}

/// How long pam_radius waits here; a person types again afterwards.
const PAM_WAITS_S: u32 = 3;

#[tokio::test(flavor = "multi_thread")]
async fn a_password_that_is_typed_again_at_pam_radius_after_three_seconds_waits_for_the_same_phone() {
    let (nps, phone) = (Stub::accepting("hello").await, Phone::new());
    let client = "require_message_authenticator = \"auto\"\nchallenge = false";
    let house = vestibule::guarding(&nps).client(client).calling("carol", &phone).start().await;
    let sshd = Pam::before(&house.site, house.radius(), PAM_WAITS_S);
    let first = sshd.types("carol", "hello", STATION);
    let hint = phone.rings().await;
    let first = pam::ended(first).await;
    assert!(!first.contains("successfully authenticated"), "its three seconds are over: {first}");
    // Its patience was the matter of the first; what follows takes what it takes here.
    sshd.waits(60);
    let second = sshd.types("carol", "hello", STATION);
    house.site.counts("vestibule_joins_total", &["client=\"vpn\""], 1.0).await;
    house.presses(&hint, PhoneAnswer::Approve).await;
    let second = pam::ended(second).await;
    assert!(second.contains("successfully authenticated"), "{second}");
    assert_eq!((phone.rang(), nps.heard().len()), (1, 1), "no phone and no primary once more");
    assert_eq!(house.records(1).await[0]["answer"], "accept");
}

/// The plugin sends each try from a new port, under the same Identifier and a new authenticator.
#[tokio::test(flavor = "multi_thread")]
async fn of_the_tries_of_openvpns_plugin_the_newest_gets_the_one_accept_and_none_a_reject() {
    const TRIES: usize = 4;
    let (nps, phone) = (Stub::accepting("hello").await, Phone::new());
    let house = vestibule::guarding(&nps).client(BARE).calling("carol", &phone).start().await;
    let login = || Ask::login("carol", "hello").stationed(STATION).bare().numbered(1);
    let mut tries = Vec::new();
    for _ in 0..TRIES {
        let (port, ask) = (house.appliance().await, login());
        port.send(&ask).await;
        port.hears_nothing().await;
        tries.push((port, ask));
    }
    let hint = phone.rings().await;
    house.site.counts("vestibule_joins_total", &["client=\"vpn\""], 3.0).await;
    // Another password is another login, which gets its own answer at once.
    let port = house.appliance().await;
    assert_eq!(port.ask(&Ask::login("carol", "hallo").stationed(STATION).bare()).await.code, REJECT);
    house.presses(&hint, PhoneAnswer::Approve).await;
    let (newest, ask) = tries.pop().unwrap();
    assert_eq!(newest.next(&[ask]).await.code, ACCEPT);
    for (port, _) in &tries {
        port.hears_nothing().await;
    }
    assert_eq!((phone.rang(), nps.heard().len()), (1, 2));
    house.site.counts("vestibule_drops_total", &["reason=\"superseded\""], 3.0).await;
}

/// Two of them in the same instant, on two sockets: one begins, the other waits, whichever is first.
#[tokio::test(flavor = "multi_thread")]
async fn equal_bare_requests_that_come_at_once_are_one_login() {
    let (nps, phone) = (Stub::accepting("hello").await, Phone::new());
    let house = vestibule::guarding(&nps).client(BARE).calling("carol", &phone).start().await;
    let (one, other) = (house.appliance().await, house.appliance().await);
    let ask = || Ask::login("carol", "hello").stationed(STATION).bare();
    let (first, second) = (ask(), ask());
    tokio::join!(one.send(&first), other.send(&second));
    let hint = phone.rings().await;
    house.site.counts("vestibule_joins_total", &["client=\"vpn\""], 1.0).await;
    house.presses(&hint, PhoneAnswer::Approve).await;
    let code = tokio::select! {
        answer = one.next(std::slice::from_ref(&first)) => answer.code,
        answer = other.next(std::slice::from_ref(&second)) => answer.code,
    };
    assert_eq!((code, phone.rang(), nps.heard().len()), (ACCEPT, 1, 1));
}
