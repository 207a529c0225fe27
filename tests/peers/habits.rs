//! Habits of real RADIUS clients, each seen on the wire: which octets of a State they give back, what they send for Enter,
//! and what they make of no input at all. They sign nothing, as half of the clients that exist.

use login::PhoneAnswer;

use crate::harness::oath::{seed, totp};
use crate::harness::phone::Phone;
use crate::harness::radius::{ACCEPT, Answer, Ask, CHALLENGE, REJECT, STATE, USER_PASSWORD};
use crate::harness::stub::Stub;
use crate::harness::vestibule;

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
async fn the_noise_that_pam_radius_sends_at_the_end_of_its_input_is_a_wrong_code_and_no_wrong_secret() {
    let nps = Stub::accepting("hello").await;
    let house = vestibule::guarding(&nps).client(BARE).totp("erin").start().await;
    let vpn = house.appliance().await;
    let mut asked = vpn.ask(&Ask::login("erin", "hello").stationed(STATION).bare()).await;
    for (tries, code) in [(1, CHALLENGE), (2, CHALLENGE), (3, REJECT)] {
        let noise = Ask::without_password("erin").with(USER_PASSWORD, &[0x5a ^ tries; 16]);
        asked = vpn.ask(&answering(noise, &asked, <[u8]>::to_vec)).await;
        assert_eq!(asked.code, code);
    }
    assert_eq!(house.records(1).await[0]["reason"], "wrong_code");
    assert_eq!(house.site.metric("vestibule_suspect_secret_total", &[]).await, 0.0);
    assert_eq!(nps.heard().len(), 1, "nothing of it reached the primary");
}
