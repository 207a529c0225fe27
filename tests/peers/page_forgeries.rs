//! What a browser with our page would never send: other origins, other prompts, repeats, other screens, giant bodies.

use ::vestibule::store::Answered::{Late, Taken, WrongNumber};
use login::{DeviceId, Number, NumberMatch, PhoneAnswer};
use serde_json::{Value, json};

use crate::harness::page_phone::{PagePhone, now};
use crate::harness::phone_house::PhoneHouse;
use crate::harness::until;

async fn activated(house: &PhoneHouse) -> PagePhone {
    let (code, _) = house.code_of_alice().await;
    let mut phone = PagePhone::at(house.page(), house.origin());
    let (status, told) = phone.enrols(&code).await;
    assert_eq!((status, &told["state"]), (200, &json!("active")));
    phone
}

async fn shown(phone: &PagePhone) -> Value {
    let (status, told) = phone.polls().await;
    assert_eq!(status, 200, "{told}");
    told["prompts"][0].clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_is_taken_once_and_its_repeat_gets_the_same_reply() {
    let house = PhoneHouse::opens().await;
    let phone = activated(&house).await;
    house.asks_alice(NumberMatch::Off).await;
    let prompt = shown(&phone).await;
    let answer = phone.answer(&prompt, "approve", "");
    let first = phone.post("answer", &answer).await;
    assert_eq!(first, (200, json!({ "state": "approved" })));
    assert_eq!(phone.post("answer", &answer).await, first);
    // No is final until the release, and a yes after it revives nothing (rules A8).
    let deny = phone.post("answer", &phone.answer(&prompt, "deny", "")).await;
    assert_eq!(deny, (200, json!({ "state": "denied" })));
    let late = phone.post("answer", &phone.answer(&prompt, "approve", "")).await;
    assert_eq!(late, (200, json!({ "state": "denied" })));
    let said: Vec<_> = house.said().into_iter().map(|(said, _, taken)| (said, taken)).collect();
    assert_eq!(said[..2], [(PhoneAnswer::Approve, Taken), (PhoneAnswer::Deny, Taken)]);
    assert_eq!(said.len(), 3, "the repeat reached nobody");
}

/// Rules A8: nobody is told that a login goes on which is over.
#[tokio::test(flavor = "multi_thread")]
async fn a_yes_after_the_appliance_gave_up_is_told_as_too_late_and_the_prompt_leaves_the_phone() {
    let house = PhoneHouse::opens_without_waiting().await;
    let phone = activated(&house).await;
    let gives_up = house.asks_alice_impatiently().await;
    let prompt = shown(&phone).await;
    assert!(prompt["left_ms"].as_u64().unwrap() <= 500 && prompt["age_ms"].is_u64(), "{prompt}");
    until("the appliance gave up", async || (house.now() >= gives_up).then_some(())).await;
    let late = phone.post("answer", &phone.answer(&prompt, "approve", "")).await;
    assert_eq!(late, (200, json!({ "state": "late", "left": 10 })));
    assert_eq!(house.said()[0].2, Late, "it counts, for who asks again at once");
    // One that nobody answered goes by itself.
    let house = PhoneHouse::opens_without_waiting().await;
    let phone = activated(&house).await;
    house.asks_alice_impatiently().await;
    assert!(shown(&phone).await.is_object());
    until("the prompt left", async || (phone.polls().await.1["prompts"] == json!([])).then_some(())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_became_of_a_prompt_is_told_to_the_phone_that_was_asked_and_to_no_other() {
    let house = PhoneHouse::opens().await;
    let (phone, other) = (activated(&house).await, activated(&house).await);
    let prompt = house.asks_alice(NumberMatch::Off).await;
    let told = shown(&phone).await;
    phone.post("answer", &phone.answer(&told, "approve", "")).await;
    house.lets_in(prompt).await;
    let about = async |phone: &PagePhone, challenge: &Value, nonce: &Value| {
        let (status, told) = phone.polls_about(challenge, nonce).await;
        (status, told["about"].clone())
    };
    let (challenge, nonce) = (&told["challenge"], &told["nonce"]);
    assert_eq!(about(&phone, challenge, nonce).await, (200, json!("let_in")));
    assert_eq!(about(&other, challenge, nonce).await, (200, json!(null)), "another's nonce is nobody's");
    assert_eq!(about(&phone, &json!("00"), nonce).await, (200, json!(null)));
    assert_eq!(about(&phone, challenge, &json!("a b")).await.0, 400);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_signed_for_something_else_changes_nothing() {
    let house = PhoneHouse::opens().await;
    let phone = activated(&house).await;
    let first = house.asks_alice(NumberMatch::Off).await;
    let earlier = shown(&phone).await;
    house.takes_back(first).await;
    house.asks_alice(NumberMatch::Shown(Number(42))).await;
    let prompt = shown(&phone).await;
    assert_ne!(prompt["nonce"], earlier["nonce"]);
    let right = phone.answer(&prompt, "approve", "42");
    let with = |member: &str, value: &Value| {
        let mut changed = right.clone();
        changed[member] = value.clone();
        changed
    };
    let mut other_screen = prompt.clone();
    other_screen["shown"]["user"] = json!("bob");
    let other_site = phone.of_origin("https://elsewhere.example");
    for (what, forged) in [
        ("said", with("said", &json!("deny"))),
        ("number", with("number", &json!("43"))),
        ("no number", phone.answer(&prompt, "approve", "")),
        ("challenge", with("challenge", &earlier["challenge"])),
        ("screen", phone.answer(&other_screen, "approve", "42")),
        ("site", other_site.answer(&prompt, "approve", "42")),
        ("device", with("device", &json!("d-00000000"))),
    ] {
        let (status, told) = phone.post("answer", &forged).await;
        assert_eq!((status, told), (403, json!({ "reason": "unknown" })), "{what}");
    }
    assert_eq!(house.said(), []);
    // The earlier prompt's own answer comes too late, and says nothing to the later prompt.
    let (status, told) = phone.post("answer", &phone.answer(&earlier, "approve", "")).await;
    assert_eq!((status, told), (200, json!({ "state": "ended" })));
    assert_eq!(phone.post("answer", &right).await.1, json!({ "state": "approved" }));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_number_ends_the_login_and_is_a_slip() {
    let house = PhoneHouse::opens().await;
    let phone = activated(&house).await;
    house.asks_alice(NumberMatch::Shown(Number(42))).await;
    let prompt = shown(&phone).await;
    assert_eq!(prompt["number"], json!({ "length": 2 }), "the number itself stays where the login shows it");
    let (_, told) = phone.post("answer", &phone.answer(&prompt, "approve", "41")).await;
    assert_eq!(told, json!({ "state": "wrong_number" }));
    let (_, told) = phone.post("answer", &phone.answer(&prompt, "approve", "42")).await;
    assert_eq!(told, json!({ "state": "denied" }));
    assert_eq!(house.said()[0].2, WrongNumber { quiet_until: None }, "it was typed (F8)");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_poll_is_taken_once_from_its_own_site_and_in_time() {
    let house = PhoneHouse::opens_without_waiting().await;
    let phone = activated(&house).await;
    let poll = phone.poll_at(&now());
    assert_eq!(phone.post("poll", &poll).await.0, 200);
    assert_eq!(phone.post("poll", &poll).await, (409, json!({ "reason": "repeated" })));
    assert_eq!(phone.of_origin("https://elsewhere.example").polls().await.0, 403);
    let (status, told) = phone.post("poll", &phone.poll_at("2026-01-01T00:00:00.000Z")).await;
    assert_eq!((status, &told["reason"]), (403, &json!("clock")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_code_opens_one_phone_and_another_key_voids_it() {
    let house = PhoneHouse::opens().await;
    let (code, device) = house.code_of_alice().await;
    let mut phone = PagePhone::at(house.page(), house.origin());
    let mut elsewhere = phone.of_origin("https://elsewhere.example");
    assert_eq!(elsewhere.enrols(&code).await, (403, json!({ "reason": "unknown" })));
    // Another letter than the last one, whichever that is.
    let other = if code.ends_with('7') { '8' } else { '7' };
    assert_eq!(phone.enrols(&format!("{}{other}", &code[..code.len() - 1])).await.0, 403);
    assert_eq!(phone.enrols("nonsense").await.0, 400);
    assert_eq!(phone.enrols(&code).await.0, 200);
    assert_eq!(phone.enrols(&code).await.0, 200, "the same key and code in time get the same reply");
    assert_eq!(house.phone(&device).await.unwrap().device.label.as_deref(), Some("By hand"));
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_go_to_push_services_and_nowhere_else() {
    let house = PhoneHouse::opens().await;
    let phone = activated(&house).await;
    let device = DeviceId(phone.device.as_str().into());
    for wrong in [
        "http://push.example.net/x",
        "https://127.0.0.1/x",
        "https://localhost/x",
        "https://elsewhere.example/x",
        "https://push.example.net:8443/x",
        "https://push.example.net@elsewhere.example/x",
    ] {
        let (status, told) = phone.subscribes(wrong).await;
        assert_eq!((status, &told["reason"]), (400, &json!("malformed")), "{wrong}");
    }
    assert_eq!(house.phone(&device).await.unwrap().device.subscription, None);
    assert_eq!(phone.subscribes("https://push.example.net/x").await.0, 200);
    let kept = house.phone(&device).await.unwrap().device.subscription.unwrap();
    assert_eq!(&*kept.endpoint, "https://push.example.net/x");
}

#[tokio::test(flavor = "multi_thread")]
async fn giant_and_senseless_bodies_get_a_plain_no_and_are_counted() {
    let house = PhoneHouse::opens_without_waiting().await;
    let phone = activated(&house).await;
    for what in ["enrol", "poll", "answer", "subscription", "leave"] {
        assert_eq!(phone.post_text(what, "A".repeat(64 * 1024)).await.0, 413, "{what}");
        for body in ["", "{", "[]", "{\"device\":1}", "\u{0}"] {
            assert_eq!(phone.post_text(what, body.to_owned()).await.0, 400, "{what} {body:?}");
        }
    }
    let mut last = 0;
    for _ in 0..80 {
        last = phone.post_text("poll", "{".to_owned()).await.0;
    }
    assert_eq!(last, 429, "whoever sends nothing but nonsense is not told why any more");
    assert_eq!(phone.polls().await.0, 200, "a phone that shares the address is heard all the same");
}
