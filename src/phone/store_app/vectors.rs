//! The vectors of `tests/vectors/push`, both directions: what the app sends is read and verified, what we send equals it.
//! They come from another implementation than ours; their keys are test keys that are published.

use serde_json::{Value, json};
use wire::Secret;

use super::envelope;
use super::proof::poll_text;
use super::*;
use crate::enrolment::activation::{Activation, App, ForceUnlock, PushUrl, Serial, ServerKey};
use crate::phone::canonical::canonical;

const VECTORS: &str = include_str!("../../../tests/vectors/push/vectors.json");
const SERVER: &str = include_str!("../../../tests/vectors/push/server_rsa3072.pem");

const URL: &str = "https://mfa.example.org/ttype/push";
const CREDENTIAL: &str = "9311ee50678983c0f29d3d843f86e39405e2b427";

fn vectors() -> Value {
    serde_json::from_str(VECTORS).unwrap()
}

fn text<'a>(value: &'a Value, path: &str) -> &'a str {
    value.pointer(path).and_then(Value::as_str).unwrap_or_else(|| panic!("{path}"))
}

fn json_at(vectors: &Value, path: &str) -> Value {
    serde_json::from_str(text(vectors, path)).unwrap()
}

fn serial() -> Serial {
    Serial::parse("PIPU0001A2B3").unwrap()
}

fn phone(vectors: &Value) -> PhoneKey {
    PhoneKey::of_field(text(vectors, "/phone_public_spki_b64")).unwrap()
}

fn server() -> ServerKey {
    let pem: String = SERVER.lines().filter(|line| !line.starts_with("-----")).collect();
    ServerKey::of_pkcs8(&Secret::new(data_encoding::BASE64.decode(pem.as_bytes()).unwrap())).unwrap()
}

fn post(fields: &Value) -> Post {
    Post::parse(Some("application/json"), fields.to_string().as_bytes()).unwrap()
}

fn answer(form: &str) -> Answer {
    match Post::parse(Some("application/x-www-form-urlencoded"), form.as_bytes()).unwrap() {
        Post::Answer(answer) => answer,
        other @ (Post::Enrol(_) | Post::TokenUpdate(_)) => panic!("{other:?}"),
    }
}

#[test]
fn the_activation_is_written_as_the_apps_read_it() {
    let vectors = vectors();
    let activation = Activation {
        url: PushUrl::parse(URL).unwrap(),
        serial: serial(),
        credential: Secret::new(CREDENTIAL),
        account: "alice@example.org".to_owned(),
        issuer: "Example VPN".to_owned(),
        minutes: 10,
        locked: true,
        force_unlock: Some(ForceUnlock::Any),
    };
    // The order of an address's parameters has no meaning.
    let parts = |address: &str| {
        let mut parts: Vec<String> = address.split(['?', '&']).map(str::to_owned).collect();
        parts[1..].sort();
        parts
    };
    for (app, path) in [
        (App::PrivacyIdea, "/enrol_url_privacyidea"),
        (App::PrivacyIdeaOnly, "/enrol_url_pia_scheme"),
        (App::EduMfa, "/enrol_url_edumfa"),
    ] {
        let ours = activation.address(app);
        assert_eq!(parts(&String::from_utf8_lossy(ours.expose())), parts(text(&vectors, path)));
    }
}

#[test]
fn an_enrolment_is_read_in_every_form_and_answered() {
    let vectors = vectors();
    let key = phone(&vectors);
    let form = text(&vectors, "/enrol_request_form_body");
    let as_form = Post::parse(Some("application/x-www-form-urlencoded; charset=utf-8"), form.as_bytes()).unwrap();
    let as_json = text(&vectors, "/enrol_request_edumfa_json").as_bytes();
    let as_json = Post::parse(Some("application/json"), as_json).unwrap();
    for (posted, reasons) in [(as_form, true), (as_json, false), (post(&vectors["enrol_request_form_fields"]), true)] {
        let Post::Enrol(enrol) = posted else { panic!("{posted:?}") };
        assert_eq!((&enrol.serial, &enrol.key), (&serial(), &key));
        assert_eq!(enrol.credential.expose(), CREDENTIAL.as_bytes());
        assert_eq!(enrol.declines_with_reason, reasons);
    }
    let told = envelope::enrolled(&serial(), &server().public_field());
    assert_eq!(told, json_at(&vectors, "/enrol_response_json"));
}

#[test]
fn keys_are_read_in_the_older_writings_too() {
    let vectors = vectors();
    let plain = text(&vectors, "/phone_public_spki_b64");
    let key = phone(&vectors);
    let url_safe = plain.replace('+', "-").replace('/', "_");
    let lost_plus = plain.replace('+', " ");
    let unpadded = plain.trim_end_matches('=');
    let pem =
        format!("-----BEGIN PUBLIC KEY-----\r\n{}\r\n{}\r\n-----END PUBLIC KEY-----\n", &plain[..64], &plain[64..]);
    for written in [plain, &url_safe, &lost_plus, unpadded, &pem] {
        assert_eq!(PhoneKey::of_field(written).as_ref(), Ok(&key), "{written}");
    }
    assert_eq!(PhoneKey::of_spki(key.as_spki()).unwrap().fingerprint().len(), 64);
    assert_eq!(server().public_field(), text(&vectors, "/server_public_pkcs1_b64"));
    assert_eq!(ServerKey::of_pkcs8(&server().to_pkcs8().unwrap()).unwrap().public_field(), server().public_field());
}

#[test]
fn keys_that_are_none_or_of_another_size_are_refused() {
    let vectors = vectors();
    // An RSAPublicKey without its SubjectPublicKeyInfo, a curve's key, half a key, one octet more.
    assert_eq!(PhoneKey::of_field(text(&vectors, "/server_public_pkcs1_b64")), Err(KeyRefused::Form));
    assert_eq!(PhoneKey::of_field(text(&vectors, "/web_public_spki_b64u")), Err(KeyRefused::Form));
    let spki = phone(&vectors).as_spki().to_vec();
    assert_eq!(PhoneKey::of_spki(&spki[..200]), Err(KeyRefused::Form));
    assert_eq!(PhoneKey::of_spki(&[&spki[..], &[0]].concat()), Err(KeyRefused::Form));
    assert_eq!(PhoneKey::of_field("!"), Err(KeyRefused::Encoding));
    assert_eq!(PhoneKey::of_field(&"A".repeat(5000)), Err(KeyRefused::Size));
    let short = aws_lc_rs::rsa::PublicKeyComponents { n: &[0xa5_u8; 128][..], e: &[1_u8, 0, 1][..] };
    let short: Result<aws_lc_rs::encoding::PublicKeyX509Der<'_>, _> = aws_lc_rs::encoding::AsDer::as_der(&short);
    if let Ok(short) = short {
        assert!(PhoneKey::of_spki(short.as_ref()).is_err());
    }
}

#[test]
fn nobodys_key_verifies_nothing_and_is_one_that_is_checked() {
    let vectors = vectors();
    let nobody = PhoneKey::nobody().unwrap();
    let poll = Poll::parse(text(&vectors, "/poll/0/query")).unwrap();
    assert!(!nobody.signed(&poll.signed_text(), &poll.signature));
    assert_eq!(PhoneKey::of_spki(nobody.as_spki()).as_ref(), Ok(&nobody));
}

#[test]
fn polls_are_read_and_verified_in_both_forms_of_their_time() {
    let vectors = vectors();
    for vector in vectors["poll"].as_array().unwrap() {
        let poll = Poll::parse(text(vector, "/query")).unwrap();
        assert_eq!(poll.signed_text(), text(vector, "/signed_text"));
        assert!(phone(&vectors).signed(&poll.signed_text(), &poll.signature));
        assert!(poll.declines_with_reason);
        assert_eq!(poll.signature.encode(), text(vector, "/params/signature"));
    }
    // One poll's signature under the other's time.
    let one = Poll::parse(text(&vectors, "/poll/0/query")).unwrap();
    let other = Poll::parse(text(&vectors, "/poll/1/query")).unwrap();
    assert!(!phone(&vectors).signed(&poll_text(other.serial.as_str(), &other.stamp.text), &one.signature));
}

#[test]
fn a_token_update_is_read_and_verified() {
    let vectors = vectors();
    let Post::TokenUpdate(update) = post(&vectors["token_update"]["fields"]) else { panic!("no token update") };
    assert_eq!(update.signed_text(), text(&vectors, "/token_update/signed_text"));
    assert!(phone(&vectors).signed(&update.signed_text(), &update.signature));
}

fn challenge(vector: &Value) -> Challenge {
    let of = |name: &str| vector["challenge"][name].as_str().unwrap_or_default();
    let choices = vector["challenge"]["require_presence"].as_str();
    let choices = choices.map(|list| list.split(',').map(str::to_owned).collect());
    Challenge::new(
        of("nonce").to_owned(),
        PushUrl::parse(of("url")).unwrap(),
        Serial::parse(of("serial")).unwrap(),
        of("question"),
        of("title"),
        choices.map(|choices| Presence::new(choices).unwrap()),
    )
}

#[test]
fn challenges_equal_those_of_the_vectors_octet_for_octet() {
    let vectors = vectors();
    let key = server();
    for name in ["challenge_default", "challenge_utf8", "challenge_presence"] {
        let vector = &vectors[name];
        let ours = challenge(vector);
        assert_eq!(ours.signed_text(), text(vector, "/signed_text"));
        assert_eq!(ours.capabilities_text(), text(vector, "/capabilities_signed_text"));
        assert_eq!(ours.signed(&key).unwrap(), vector["challenge"], "{name}");
    }
    let both = ["challenge_default", "challenge_presence"].map(|name| challenge(&vectors[name]).signed(&key).unwrap());
    assert_eq!(envelope::polled(both.to_vec()), json_at(&vectors, "/poll_response_json"));
}

/// We never send a code at once, since it bypasses the app's lock; what the vectors sign for it we would sign alike.
#[test]
fn our_key_signs_the_direct_code_as_the_vectors_do() {
    let vectors = vectors();
    let vector = &vectors["challenge_display_code_direct"];
    let signature = Signature::new(server().sign(text(vector, "/signed_text")).unwrap());
    assert_eq!(signature.encode(), text(vector, "/challenge/signature"));
    let capabilities =
        json!({ "capabilities": vector["challenge"]["capabilities"], "nonce": vector["challenge"]["nonce"] });
    assert_eq!(canonical(&capabilities).unwrap(), text(vector, "/capabilities_signed_text"));
}

fn asked<'a>(nonce: &'a str) -> Asked<'a> {
    Asked { nonce, serial: "PIPU0001A2B3", number: None, shows_code: false, code_was_shown: false }
}

const NONCE: &str = "MFRGGZDFMZTWQ2LKNNWG23TPOBYXE43U";
const PRESENCE_NONCE: &str = "ONSWG4TFOQQHG5DSNFXGOIDGN5ZCA5DF";

#[test]
fn answers_mean_what_they_say() {
    let vectors = vectors();
    let key = phone(&vectors);
    let judged = |asked: &Asked<'_>, name: &str| judge(asked, &answer(text(&vectors[name], "/form_body")), &key);
    for (name, verdict) in [
        ("answer_accept", Verdict::Approve),
        ("answer_decline", Verdict::Deny),
        ("answer_decline_cancelled", Verdict::Deny),
        ("answer_decline_unknown_trigger", Verdict::Fraud),
    ] {
        let read = answer(text(&vectors[name], "/form_body"));
        assert_eq!(read.signed_text(), text(&vectors[name], "/signed_text"));
        assert_eq!(post(&vectors[name]["fields"]), Post::Answer(read));
        assert_eq!(judged(&asked(NONCE), name), Ok(verdict), "{name}");
        assert_eq!(judged(&asked(PRESENCE_NONCE), name), Err(BadAnswer::Foreign), "{name}");
        let other_device = Asked { serial: "PIPU0001A2B4", ..asked(NONCE) };
        assert_eq!(judged(&other_device, name), Err(BadAnswer::Foreign), "{name}");
        assert_eq!(
            judge(&asked(NONCE), &answer(text(&vectors[name], "/form_body")), &PhoneKey::nobody().unwrap()),
            Err(BadAnswer::Signature),
            "{name}"
        );
    }
}

#[test]
fn the_right_number_approves_and_a_wrong_one_denies() {
    let vectors = vectors();
    let key = phone(&vectors);
    let offered = Presence::new(["17", "42", "83"].map(str::to_owned).to_vec()).unwrap();
    let others = Presence::new(["11", "12"].map(str::to_owned).to_vec()).unwrap();
    let judged = |number, name: &str| {
        judge(&Asked { number, ..asked(PRESENCE_NONCE) }, &answer(text(&vectors[name], "/form_body")), &key)
    };
    assert_eq!(judged(Some((&offered, "42")), "answer_presence_42"), Ok(Verdict::Approve));
    assert_eq!(judged(Some((&offered, "42")), "answer_presence_wrong_17"), Ok(Verdict::Deny));
    // Correctly signed, and yet no answer: none was asked, or others were offered.
    assert_eq!(judged(None, "answer_presence_42"), Err(BadAnswer::Number));
    assert_eq!(judged(Some((&others, "11")), "answer_presence_42"), Err(BadAnswer::Number));
    // An accept without the number that was asked.
    let plain = Asked { number: Some((&offered, "42")), ..asked(NONCE) };
    assert_eq!(judge(&plain, &answer(text(&vectors, "/answer_accept/form_body")), &key), Err(BadAnswer::Number));
    // A decline needs none.
    assert_eq!(judge(&plain, &answer(text(&vectors, "/answer_decline/form_body")), &key), Ok(Verdict::Deny));
}

#[test]
fn done_below_a_shown_code_means_nothing_and_a_reason_still_denies() {
    let vectors = vectors();
    let key = phone(&vectors);
    let before = Asked { shows_code: true, ..asked(NONCE) };
    let after = Asked { code_was_shown: true, ..before.clone() };
    let judged = |asked: &Asked<'_>, name: &str| judge(asked, &answer(text(&vectors[name], "/form_body")), &key);
    assert_eq!(judged(&before, "answer_accept"), Ok(Verdict::ShowCode));
    assert_eq!(judged(&after, "answer_accept"), Ok(Verdict::ShowCode));
    assert_eq!(judged(&before, "answer_decline"), Ok(Verdict::Deny));
    assert_eq!(judged(&after, "answer_decline"), Ok(Verdict::Nothing));
    assert_eq!(judged(&after, "answer_decline_cancelled"), Ok(Verdict::Deny));
    assert_eq!(judged(&after, "answer_decline_unknown_trigger"), Ok(Verdict::Fraud));
    assert_eq!(
        envelope::show_code("48", "Type this code into the VPN window"),
        json_at(&vectors, "/answer_response_code_to_phone_json")
    );
    assert_eq!(envelope::answered(true), json_at(&vectors, "/answer_response_json"));
}

#[test]
fn the_other_apps_json_answers_are_read() {
    let vectors = vectors();
    let key = phone(&vectors);
    for (path, verdict) in
        [("/answer_edumfa_accept_json", Verdict::Approve), ("/answer_edumfa_decline_json", Verdict::Deny)]
    {
        let posted = Post::parse(Some("application/json"), text(&vectors, path).as_bytes()).unwrap();
        let Post::Answer(answer) = posted else { panic!("{posted:?}") };
        assert_eq!(judge(&asked(NONCE), &answer, &key), Ok(verdict));
    }
}

#[test]
fn what_must_fail_fails() {
    let vectors = vectors();
    let cases = vectors["must_fail"].as_array().unwrap();
    assert_eq!(cases.len(), 7);
    for case in cases {
        let signature = Signature::parse(text(case, "/signature")).unwrap();
        assert!(!phone(&vectors).signed(text(case, "/text"), &signature), "{}", text(case, "/why"));
    }
}

#[test]
fn the_empty_first_post_of_ios_is_told_at_once() {
    for content_type in [None, Some("application/x-www-form-urlencoded; charset=utf-8")] {
        assert_eq!(Post::parse(content_type, b""), Err(Malformed::Kind));
    }
    assert_eq!(Post::parse(None, b"serial=A&nonce=B"), Err(Malformed::Kind));
}
