//! The page's vectors of `tests/vectors/push`, both directions, and what must not verify. Their keys are published test keys.

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};
use data_encoding::{BASE64, BASE64URL_NOPAD};
use login::Wall;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::shown::print_of;
use super::*;

const VECTORS: &str = include_str!("../../../tests/vectors/push/vectors.json");
const PAGE: &str = include_str!("../../../tests/vectors/push/web_p256.pem");

const ORIGIN: &str = "https://mfa.example.org";
const DEVICE: &str = "dev-7f3a";
const CHALLENGE: &str = "ch-01J9ZK";
const NONCE: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8";
const SHOWN: &str = "JqKsDjk7w-UfaY4qZ0xByt1nwuFBy7_Vs1w_DoSkZI0";

fn vectors() -> Value {
    serde_json::from_str(VECTORS).unwrap()
}

fn key(vectors: &Value) -> PageKey {
    let spki = vectors["web_public_spki_b64u"].as_str().unwrap();
    PageKey::of_spki(&BASE64URL_NOPAD.decode(spki.as_bytes()).unwrap()).unwrap()
}

fn sign(text: &str) -> String {
    let pem: String = PAGE.lines().filter(|line| !line.starts_with("-----")).collect();
    let pkcs8 = BASE64.decode(pem.as_bytes()).unwrap();
    let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &pkcs8).unwrap();
    BASE64URL_NOPAD.encode(pair.sign(&SystemRandom::new(), text.as_bytes()).unwrap().as_ref())
}

fn asked() -> Asked<'static> {
    Asked {
        origin: ORIGIN,
        device: DEVICE,
        challenge: CHALLENGE,
        nonce: NONCE,
        shown: SHOWN,
        wants_number: false,
        shows_code: false,
    }
}

fn body(vector: &Value) -> Value {
    let lines: Vec<&str> = vector["signed_text"].as_str().unwrap().split('\n').collect();
    json!({
        "device": lines[2], "challenge": lines[3], "nonce": lines[4], "said": lines[5], "number": lines[6],
        "shown": lines[7], "time": lines[8], "signature": vector["signature_p1363_b64u"],
    })
}

fn answer(body: &Value) -> Answer {
    Answer::parse(body.to_string().as_bytes()).unwrap()
}

#[test]
fn answers_are_read_verified_and_mean_what_they_say() {
    let vectors = vectors();
    let key = key(&vectors);
    let number = Asked { wants_number: true, ..asked() };
    for (name, asked, verdict) in [
        ("web_answer_approve", number, Verdict::Approve { number: Some("42".to_owned()) }),
        ("web_answer_deny", asked(), Verdict::Deny),
        ("web_answer_report", asked(), Verdict::Fraud),
        ("web_answer_deny", number, Verdict::Deny),
    ] {
        let read = answer(&body(&vectors[name]));
        assert_eq!(read.signed_text(ORIGIN), vectors[name]["signed_text"].as_str().unwrap());
        assert_eq!(judge(&asked, &read, &key), Ok(verdict), "{name}");
    }
    assert_eq!(judge(&asked(), &answer(&body(&vectors["web_answer_approve"])), &key), Err(BadAnswer::Number));
}

#[test]
fn an_answer_for_anything_else_verifies_as_nothing() {
    let vectors = vectors();
    let key = key(&vectors);
    let approve = body(&vectors["web_answer_approve"]);
    let with = Asked { wants_number: true, ..asked() };
    for (other, why) in [
        (Asked { origin: "https://mfa.example.com", ..with }, BadAnswer::Signature),
        (Asked { device: "dev-7f3b", ..with }, BadAnswer::Foreign),
        (Asked { challenge: "ch-2", ..with }, BadAnswer::Foreign),
        (Asked { nonce: "BBBB", ..with }, BadAnswer::Foreign),
        (Asked { shown: "x", ..with }, BadAnswer::Shown),
    ] {
        assert_eq!(judge(&other, &answer(&approve), &key), Err(why));
    }
    for (member, value) in [
        ("said", json!("deny")),
        ("said", json!("report")),
        ("number", json!("43")),
        ("number", json!("")),
        ("time", json!("2026-11-24T11:05:22Z")),
        ("signature", vectors["web_answer_deny"]["signature_p1363_b64u"].clone()),
    ] {
        let mut changed = approve.clone();
        changed[member] = value;
        assert_eq!(judge(&with, &answer(&changed), &key), Err(BadAnswer::Signature), "{member}");
    }
    let denied = body(&vectors["web_answer_deny"]);
    let mut revived = denied.clone();
    revived["said"] = json!("approve");
    assert_eq!(judge(&asked(), &answer(&revived), &key), Err(BadAnswer::Signature));
    assert_eq!(judge(&asked(), &answer(&denied), &PageKey::nobody().unwrap()), Err(BadAnswer::Signature));
}

#[test]
fn an_enrolment_proves_its_key_for_one_code_at_one_origin() {
    let vectors = vectors();
    let lines: Vec<&str> = vectors["web_enrol"]["signed_text"].as_str().unwrap().split('\n').collect();
    let body = json!({
        "code": lines[2], "name": "Alice's phone\u{202e}", "key": vectors["web_public_spki_b64u"], "time": lines[4],
        "signature": vectors["web_enrol"]["signature_p1363_b64u"],
        "subscription": {
            "endpoint": "https://push.example.net/x", "p256dh": vectors["rfc8291"]["ua_public"],
            "auth": vectors["rfc8291"]["auth_secret"],
        },
    });
    let read = |body: &Value| Enrol::parse(body.to_string().as_bytes());
    let enrol = read(&body).unwrap();
    assert!(enrol.is_proven(ORIGIN));
    assert!(!enrol.is_proven("https://mfa.example.com"));
    assert_eq!((enrol.name.as_str(), enrol.key.print().as_str()), ("Alice's phone", lines[3]));
    assert_eq!(enrol.subscription.unwrap().endpoint, "https://push.example.net/x");
    let changed = |member: &str, value: Value| {
        let mut body = body.clone();
        body[member] = value;
        read(&body)
    };
    assert!(!changed("code", json!("K7QM-2XWE")).unwrap().is_proven(ORIGIN));
    assert!(!changed("time", json!("2026-11-24T11:01:01Z")).unwrap().is_proven(ORIGIN));
    assert!(changed("code", json!("a\nb")).is_err() && changed("key", json!("AAAA")).is_err());
    assert!(changed("extra", json!(1)).is_err());
    for (member, value) in [
        ("endpoint", "http://push.example.net/x"),
        ("endpoint", "https://push.example.net/\n"),
        ("auth", "AAAA"),
        ("p256dh", "AAAA"),
    ] {
        let mut subscription = body["subscription"].clone();
        subscription[member] = json!(value);
        assert!(changed("subscription", subscription).is_err(), "{member}");
    }
}

#[test]
fn what_was_shown_has_one_hash() {
    let vectors = vectors();
    let canonical = vectors["web_answer_shown_jcs"].as_str().unwrap();
    assert_eq!(print_of(&serde_json::from_str(canonical).unwrap()).as_deref(), Ok(SHOWN));
    let shown = |user: &str| Shown::new("Example VPN", "hq-asa", Some("203.0.113.7"), Wall(1_795_518_307_123), user);
    assert_eq!(shown("alice").to_json()["time"], "2026-11-24T11:05:07Z");
    assert_eq!(shown("alice").print(), shown("alice\u{202e}").print());
    assert_ne!(shown("alice").print(), shown("bob").print());
}

#[test]
fn a_poll_a_new_address_and_a_farewell_are_the_devices_own_and_no_other() {
    let vectors = vectors();
    let key = key(&vectors);
    let time = "2026-11-24T11:05:07.123Z";
    let of = |text: String, extra: Value| {
        let mut body = json!({ "device": DEVICE, "time": time, "signature": sign(&text) });
        body.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
        body.to_string().into_bytes()
    };
    let poll_text = signed::poll(ORIGIN, DEVICE, time);
    let poll = Poll::parse(&of(poll_text.clone(), json!({ "wait": true }))).unwrap();
    assert!(poll.is_signed(ORIGIN, &key) && poll.wait);
    assert!(!poll.is_signed("https://mfa.example.com", &key) && !poll.is_signed(ORIGIN, &PageKey::nobody().unwrap()));
    let leave = Leave::parse(&of(signed::leave(ORIGIN, DEVICE, time), json!({}))).unwrap();
    assert!(leave.is_signed(ORIGIN, &key));
    // A poll's signature does not remove the phone.
    assert!(!Leave::parse(&of(poll_text, json!({}))).unwrap().is_signed(ORIGIN, &key));
    let none = Subscribe::parse(&of(signed::subscribe(ORIGIN, DEVICE, "", time), json!({ "subscription": null })));
    assert!(none.unwrap().is_signed(ORIGIN, &key));
    let subscription = Subscription {
        endpoint: "https://push.example.net/x".to_owned(),
        p256dh: vectors["rfc8291"]["ua_public"].as_str().unwrap().to_owned(),
        auth: vectors["rfc8291"]["auth_secret"].as_str().unwrap().to_owned(),
    };
    let text = signed::subscribe(ORIGIN, DEVICE, &subscription.print(), time);
    let mut other = subscription.clone();
    other.endpoint.push('y');
    for (sent, good) in [(subscription, true), (other, false)] {
        let read = Subscribe::parse(&of(text.clone(), json!({ "subscription": sent }))).unwrap();
        assert_eq!(read.is_signed(ORIGIN, &key), good);
    }
    assert!(Poll::parse(br#"{"device":"a","time":"2026-11-24T11:05:07Z","signature":""}"#).is_err());
}

#[test]
fn a_giant_body_is_refused_before_it_is_read() {
    let giant = vec![b'{'; BODY_OCTETS_MAX + 1];
    assert_eq!(Answer::parse(&giant).err(), Some(Malformed::TooLarge));
    assert_eq!(Answer::parse("[".repeat(BODY_OCTETS_MAX).as_bytes()).err(), Some(Malformed::Json));
}

#[test]
fn only_a_key_of_this_curve_in_its_one_form_is_a_key() {
    let vectors = vectors();
    let spki = key(&vectors).as_spki().to_vec();
    let point = BASE64URL_NOPAD.decode(vectors["web_public_uncompressed_b64u"].as_str().unwrap().as_bytes()).unwrap();
    assert!(spki.ends_with(&point));
    for wrong in [&point[..], &spki[..90], &[&spki[..], &[0]].concat(), &[]] {
        assert_eq!(PageKey::of_spki(wrong), Err(NotAKey));
    }
    let mut off_the_curve = spki.clone();
    off_the_curve[90] ^= 1;
    assert_eq!(PageKey::of_spki(&off_the_curve), Err(NotAKey));
    let phone = BASE64.decode(vectors["phone_public_spki_b64"].as_str().unwrap().as_bytes()).unwrap();
    assert_eq!(PageKey::of_spki(&phone), Err(NotAKey));
}

proptest! {
    #[test]
    fn no_octets_make_the_parsers_panic(octets in prop::collection::vec(any::<u8>(), 0..512), text in "\\PC{0,60}") {
        for body in [octets.clone(), json!({ "device": text, "time": text, "signature": text }).to_string().into_bytes()] {
            let _ = Enrol::parse(&body);
            let _ = Poll::parse(&body);
            let _ = Answer::parse(&body);
            let _ = Subscribe::parse(&body);
            let _ = Leave::parse(&body);
        }
        let _ = PageKey::of_spki(&octets);
    }

    #[test]
    fn a_line_end_never_gets_into_what_is_signed(text in "\\PC{0,10}\n\\PC{0,10}") {
        let mut body = body(&vectors()["web_answer_deny"]);
        for member in ["device", "challenge", "nonce", "number", "shown", "time", "said"] {
            let before = body[member].take();
            body[member] = json!(text);
            prop_assert!(Answer::parse(body.to_string().as_bytes()).is_err(), "{}", member);
            body[member] = before;
        }
    }
}
