//! FreeRADIUS as the primary: what it sends arrives as it was sent, after a code as after a push.

use login::PhoneAnswer;

use crate::harness::freeradius::FreeRadius;
use crate::harness::oath::{hotp, seed};
use crate::harness::phone::Phone;
use crate::harness::radius::{ACCEPT, Answer, Ask, CHALLENGE, CLASS, REJECT, STATE, TUNNEL_PASSWORD, reveal_salted};
use crate::harness::{APPLIANCE_SECRET, vestibule};

const MICROSOFT: u32 = 311;
const CISCO: u32 = 9;
const FRAMED_IP_ADDRESS: u8 = 8;
const TUNNEL_TYPE: u8 = 64;
const TUNNEL_PRIVATE_GROUP_ID: u8 = 81;
const SEND_KEY: [u8; 32] = *b"0123456789abcdef0123456789abcdef";

const USERS: &str = r#"
DEFAULT Cleartext-Password := "hello"
    Class = 0x6f753d76706e,
    Framed-IP-Address = 192.0.2.77,
    Cisco-AVPair = "ip:inacl#1=permit ip any any",
    Cisco-AVPair += "ip:inacl#2=deny ip any any",
    Cisco-AVPair += "shell:priv-lvl=1",
    Tunnel-Type:1 = VLAN,
    Tunnel-Private-Group-Id:1 = "42",
    Tunnel-Private-Group-Id:2 += "43",
    Tunnel-Password:1 = "a tunnel's password",
    MS-MPPE-Send-Key = 0x3031323334353637383961626364656630313233343536373839616263646566,
    MS-MPPE-Recv-Key = 0x6665646362613938373635343332313066656463626139383736353433323130
"#;

/// Everything that the users file says, hidden anew for the appliance.
fn has_all_attributes(answer: &Answer, ask: &Ask) {
    assert_eq!(answer.code, ACCEPT, "{answer:?}");
    assert_eq!(answer.one(CLASS), b"ou=vpn");
    assert_eq!(answer.one(FRAMED_IP_ADDRESS), [192, 0, 2, 77]);
    let pairs = ["ip:inacl#1=permit ip any any", "ip:inacl#2=deny ip any any", "shell:priv-lvl=1"];
    assert_eq!(answer.vendor(CISCO, 1), pairs.map(|pair| pair.as_bytes().to_vec()));
    assert_eq!(answer.one(TUNNEL_TYPE), [1, 0, 0, 13]);
    assert_eq!(answer.all(TUNNEL_PRIVATE_GROUP_ID), [b"\x0142".to_vec(), b"\x0243".to_vec()]);
    let password = answer.one(TUNNEL_PASSWORD);
    assert_eq!(password[0], 1, "the tag");
    assert_eq!(reveal_salted(&password[1..], APPLIANCE_SECRET, &ask.authenticator), b"a tunnel's password");
    let key = |kind: u8| {
        let hidden = answer.vendor(MICROSOFT, kind);
        assert_eq!(hidden.len(), 1);
        reveal_salted(&hidden[0], APPLIANCE_SECRET, &ask.authenticator)
    };
    let reversed: Vec<u8> = SEND_KEY.iter().rev().copied().collect();
    assert_eq!(key(16), SEND_KEY);
    assert_eq!(key(17), reversed);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_attribute_of_the_primary_arrives_unchanged_after_a_code_as_after_a_push() {
    let (nps, phone) = (FreeRadius::with_users(USERS).await, Phone::new());
    let house = vestibule::guarding(&nps).client("append = \",\"").hotp("alice").calling("bob", &phone).start().await;
    let vpn = house.appliance().await;

    let first = Ask::login("alice", "hello");
    let challenge = vpn.ask(&first).await;
    assert_eq!(challenge.code, CHALLENGE);
    assert!(challenge.all(CLASS).is_empty(), "nothing of the Accept is told before the second door");
    let second = Ask::login("alice", &hotp(&seed("alice"), 0)).answering(&challenge);
    has_all_attributes(&vpn.ask(&second).await, &second);

    let appended = Ask::login("alice", &format!("hello,{}", hotp(&seed("alice"), 1)));
    has_all_attributes(&vpn.ask(&appended).await, &appended);

    let held = Ask::login("bob", "hello");
    vpn.send(&held).await;
    house.presses(&phone.rings().await, PhoneAnswer::Approve).await;
    has_all_attributes(&vpn.next(std::slice::from_ref(&held)).await, &held);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_appended_code_never_reaches_the_primary() {
    let nps = FreeRadius::with_users(USERS).await;
    let house = vestibule::guarding(&nps).client("append = \",\"").hotp("alice").start().await;
    let vpn = house.appliance().await;
    let (right, wrong) = (hotp(&seed("alice"), 0), hotp(&seed("nobody"), 7));
    assert_eq!(vpn.ask(&Ask::login("alice", &format!("hello,{wrong}"))).await.code, REJECT);
    assert_eq!(vpn.ask(&Ask::login("alice", &format!("hello,{right}"))).await.code, ACCEPT);
    let asked = |saw: &str| saw.matches("User-Password = \"hello\"").count();
    let saw = nps.saw_at_last(|saw| asked(saw) >= 2).await;
    assert_eq!(asked(&saw), 2, "{saw}");
    assert!(!saw.contains(&right) && !saw.contains(&wrong), "{saw}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_challenge_of_the_primary_passes_through_with_its_own_state_and_its_answer_goes_back() {
    let nps = FreeRadius::with_users("carl Cleartext-Password := \"hello\"\n").await;
    let rules = "[[rule]]\nname = \"all\"\nsecond_factor = \"exempt\"\nuntil = 2099-01-01\n";
    let house = vestibule::guarding(&nps).rules(rules).start().await;
    let vpn = house.appliance().await;
    let challenge = vpn.ask(&Ask::login("carl", "hello")).await;
    assert_eq!(challenge.code, CHALLENGE, "{challenge:?}\n{}", nps.saw());
    assert_eq!((challenge.one(STATE), challenge.text()), (b"upstrea".to_vec(), "The other word, please".to_owned()));
    let opened = vpn.ask(&Ask::login("carl", "2718").answering(&challenge)).await;
    assert_eq!(opened.code, ACCEPT, "{}", nps.saw());
    nps.saw_at_last(|saw| saw.contains("State = 0x75707374726561")).await;
}
