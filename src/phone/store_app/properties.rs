//! No input makes the parsers panic, and nothing that was changed on its way verifies.

use proptest::prelude::*;
use serde_json::Value;

use super::*;
use crate::enrolment::activation::{PushUrl, Serial};

const VECTORS: &str = include_str!("../../../tests/vectors/push/vectors.json");

fn accept() -> (String, PhoneKey) {
    let vectors: Value = serde_json::from_str(VECTORS).unwrap();
    let form = vectors["answer_accept"]["form_body"].as_str().unwrap().to_owned();
    (form, PhoneKey::of_field(vectors["phone_public_spki_b64"].as_str().unwrap()).unwrap())
}

proptest! {
    #[test]
    fn no_octets_make_the_parsers_panic(octets in prop::collection::vec(any::<u8>(), 0..2048)) {
        let _ = Post::parse(None, &octets);
        let _ = Post::parse(Some("application/json"), &octets);
        let _ = PhoneKey::of_spki(&octets);
        let text = String::from_utf8_lossy(&octets);
        let _ = Poll::parse(&text);
        let _ = Signature::parse(&text);
        let _ = PhoneKey::of_field(&text);
        let _ = AppVersion::of_user_agent(&text);
        let _ = AppVersion::of_user_agent(&format!("privacyIDEA-App{text}"));
        let _ = PushUrl::parse(&text);
    }

    #[test]
    fn no_field_makes_the_parsers_panic(
        name in "(serial|nonce|signature|timestamp|fbtoken|pubkey|new_fb_token|decline|decline_reason|presence_answer)",
        value in "\\PC{0,80}",
    ) {
        let form = format!(
            "serial=A&nonce=B&signature=MFRGG&{name}2=1&{name}={}",
            value.replace(['&', '%'], "")
        );
        let _ = Post::parse(None, form.as_bytes());
        let _ = Poll::parse(&form);
    }

    #[test]
    fn a_changed_answer_never_approves(place in 0_usize..900, octet in any::<u8>()) {
        let (form, key) = accept();
        let mut octets = form.into_bytes();
        let place = place % octets.len();
        prop_assume!(octets[place] != octet);
        octets[place] = octet;
        let asked = Asked {
            nonce: "MFRGGZDFMZTWQ2LKNNWG23TPOBYXE43U",
            serial: "PIPU0001A2B3",
            number: None,
            shows_code: false,
            code_was_shown: false,
        };
        if let Ok(Post::Answer(answer)) = Post::parse(None, &octets) {
            // Padding that came as `=` or as `%3D` or not at all is the same signature.
            let (original, _) = accept();
            let same = Post::parse(None, original.as_bytes()).ok() == Some(Post::Answer(answer.clone()));
            prop_assert!(same || judge(&asked, &answer, &key) != Ok(Verdict::Approve));
        }
    }

    #[test]
    fn whatever_radius_brings_ends_no_field_and_leaves_none_empty(question in "\\PC{0,300}", title in any::<String>()) {
        let challenge = Challenge::new(
            "N".repeat(32),
            PushUrl::parse("https://mfa.example.org/push").unwrap(),
            Serial::parse("S").unwrap(),
            &question,
            &title,
            None,
        );
        let text = challenge.signed_text();
        let fields: Vec<&str> = text.split('|').collect();
        prop_assert_eq!(fields.len(), 6);
        prop_assert!(fields.iter().all(|field| !field.is_empty() && !field.contains(char::is_control)));
    }
}
