//! The store app's phone, spoken by hand, against the phones' service over HTTP: enrolment, polls, answers, and what must not work.

use std::pin::pin;

use ::vestibule::store::Answered::{self, Taken};
use login::{DeviceId, Number, NumberMatch, PhoneAnswer};

use crate::harness::phone_house::PhoneHouse;
use crate::harness::store_phone::StorePhone;
use crate::harness::until;

const UNVERIFIED: &str = "Could not verify signature!";

async fn enrolled(house: &PhoneHouse) -> StorePhone {
    let mut phone = StorePhone::scans(&house.scanned_by_alice().await, reqwest::Client::new());
    let reply = phone.enrols().await;
    assert_eq!((reply.status, &reply.json["detail"]["rollout_state"]), (200, &"enrolled".into()));
    phone
}

#[tokio::test(flavor = "multi_thread")]
async fn a_phone_enrols_sees_who_asks_and_lets_them_in() {
    let house = PhoneHouse::opens().await;
    let mut phone = enrolled(&house).await;
    assert_eq!(phone.updates_its_token().await.value(), true);
    house.asks_alice(NumberMatch::Off).await;
    let [shown] = phone.looks().await.try_into().unwrap();
    for part in ["alice", "hq-asa", "203.0.113.7", "UTC"] {
        assert!(shown.question.contains(part), "{}", shown.question);
    }
    assert_eq!(shown.title, "Example VPN");
    assert!(phone.looks().await.is_empty(), "the app shows a prompt once");
    let first = phone.accepts(&shown).await;
    assert_eq!((first.status, first.value() == true), (200, true));
    let again = phone.accepts(&shown).await;
    assert_eq!((again.status, &again.json), (200, &first.json), "the app repeats what it got no answer to");
    assert_eq!(house.said(), [(PhoneAnswer::Approve, None, Taken)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_enrolment_repeats_with_its_own_key_and_ends_with_another() {
    let house = PhoneHouse::opens().await;
    let mut phone = enrolled(&house).await;
    let first = phone.enrols().await;
    let again = phone.enrols().await;
    assert_eq!((again.status, &again.json), (200, &first.json));
    let nobody = ::vestibule::phone::store_app::PhoneKey::nobody().unwrap();
    let theirs = data_encoding::BASE64.encode(nobody.as_spki());
    assert_eq!(phone.enrols_with(&theirs).await.status, 403);
    assert_eq!(phone.enrols().await.status, 403, "both are void");
    assert_eq!(phone.polls().await.error(), UNVERIFIED);
    let empty = phone.posts_nothing().await;
    assert_eq!(empty.status, 400, "as the app on iOS begins");
    assert!(!empty.error().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_poll_is_held_until_somebody_asks_and_a_newer_one_releases_it() {
    let house = PhoneHouse::opens().await;
    let phone = enrolled(&house).await;
    let mut older = pin!(phone.polls());
    tokio::select! {
        _ = &mut older => panic!("nobody asked"),
        () = until("a poll that waits", async || (house.waiting.len() == 1).then_some(())) => {}
    }
    let mut newer = pin!(phone.polls());
    let released = tokio::select! {
        reply = &mut older => reply,
        _ = &mut newer => panic!("the newer keeps its place"),
    };
    assert_eq!((released.status, released.value().as_array().map(Vec::len)), (200, Some(0)));
    house.asks_alice(NumberMatch::Off).await;
    assert_eq!(newer.await.value().as_array().map(Vec::len), Some(1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_number_is_tapped_and_a_wrong_one_denies() {
    let house = PhoneHouse::opens().await;
    let mut phone = enrolled(&house).await;
    let first = house.asks_alice(NumberMatch::Shown(Number(42))).await;
    let [shown] = phone.looks().await.try_into().unwrap();
    assert_eq!(shown.choices.len(), 6);
    assert!(shown.choices.contains(&"42".to_owned()) && shown.choices.iter().all(|choice| choice.len() == 2));
    // Signed as it should be, and yet no answer: no number, and one that was not offered.
    assert_eq!(phone.accepts(&shown).await.error(), UNVERIFIED);
    let absent = (10..100).map(|number| number.to_string()).find(|number| !shown.choices.contains(number)).unwrap();
    assert_eq!(phone.taps(&shown, &absent).await.error(), UNVERIFIED);
    assert_eq!(house.said(), []);
    assert_eq!(phone.taps(&shown, "42").await.value(), true);
    house.takes_back(first).await;
    house.asks_alice(NumberMatch::Shown(Number(7))).await;
    let [shown] = phone.looks().await.try_into().unwrap();
    let wrong = shown.choices.iter().find(|choice| *choice != "07").unwrap();
    assert_eq!(phone.taps(&shown, wrong).await.value(), false);
    assert_eq!(phone.taps(&shown, "07").await.value(), false, "one attempt");
    // Quiet times have no length in this house.
    assert_eq!(house.said()[1].2, Answered::WrongNumber { quiet_until: None });
    assert_eq!(house.said()[2].2, Answered::Stands(PhoneAnswer::Deny));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_code_is_shown_after_a_yes_and_done_means_nothing() {
    let house = PhoneHouse::opens().await;
    let mut phone = enrolled(&house).await;
    house.asks_alice(NumberMatch::Typed(Number(4831))).await;
    let [shown] = phone.looks().await.try_into().unwrap();
    assert_eq!(phone.accepts(&shown).await.code(), Some("004831"));
    assert_eq!(phone.accepts(&shown).await.code(), Some("004831"));
    assert_eq!(phone.done(&shown).await.value(), false);
    assert_eq!(house.said(), [], "a yes approves nothing, and Done denies nothing (rules F5)");
    assert_eq!(phone.reports(&shown).await.value(), true);
    assert_eq!(house.said(), [(PhoneAnswer::Fraud, None, Taken)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn declines_deny_and_i_did_not_start_this_is_a_report() {
    let house = PhoneHouse::opens().await;
    let mut phone = enrolled(&house).await;
    for (version, number) in [((4, 8, 0), 0), ((4, 3, 0), 1)] {
        phone = phone.of_version(version);
        house.asks_alice(NumberMatch::Off).await;
        let [shown] = phone.looks().await.try_into().unwrap();
        assert_eq!(phone.cancels(&shown).await.value(), true);
        assert_eq!(house.said()[number], (PhoneAnswer::Deny, None, Taken));
    }
    phone = phone.of_version((4, 8, 0));
    house.asks_alice(NumberMatch::Off).await;
    let [shown] = phone.looks().await.try_into().unwrap();
    assert_eq!(phone.reports(&shown).await.value(), true);
    assert_eq!(house.said()[2], (PhoneAnswer::Fraud, None, Taken));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_app_is_asked_only_what_it_can_show() {
    for (number, oldest, too_old) in
        [(NumberMatch::Shown(Number(42)), (4, 4, 0), (4, 3, 9)), (NumberMatch::Typed(Number(42)), (4, 7, 0), (4, 6, 9))]
    {
        let house = PhoneHouse::opens_without_waiting().await;
        let mut phone = enrolled(&house).await.of_version(too_old);
        house.asks_alice(number).await;
        assert!(phone.looks().await.is_empty(), "{too_old:?}");
        phone = phone.of_version(oldest);
        assert_eq!(phone.looks().await.len(), 1, "{oldest:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_but_the_phones_own_signature_over_this_very_thing_counts() {
    let house = PhoneHouse::opens().await;
    let mut phone = enrolled(&house).await;
    house.asks_alice(NumberMatch::Off).await;
    let [shown] = phone.looks().await.try_into().unwrap();
    let serial = phone.serial().to_owned();
    let nonce = &shown.nonce;
    let declined = [("decline", "1")];
    for (fields, signed) in [
        (&[][..], format!("{nonce}|{serial}|decline")),
        (&declined[..], format!("{nonce}|{serial}")),
        (&[][..], format!("{nonce}|OTHER")),
        (&[][..], format!("{serial}|{}", phone.time())),
        (&[("presence_answer", "42")][..], format!("{nonce}|{serial}|42")),
    ] {
        let reply = phone.answers(&shown, fields, &signed).await;
        assert_eq!((reply.status, reply.error()), (400, UNVERIFIED), "{signed}");
    }
    // Another prompt's nonce, and an unknown device: the very same answer.
    let mut other = shown.clone();
    other.nonce = "MFRGGZDFMZTWQ2LKNNWG23TPOBYXE43U".to_owned();
    assert_eq!(phone.accepts(&other).await.error(), UNVERIFIED);
    let time = phone.time();
    let unknown = phone.polls_as("VESTUNKNOWN", &time, &phone.sign(&format!("VESTUNKNOWN|{time}"))).await;
    assert_eq!((unknown.status, unknown.error()), (400, UNVERIFIED));
    assert_eq!(house.said(), []);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_poll_is_taken_once_and_within_two_minutes() {
    let house = PhoneHouse::opens_without_waiting().await;
    let phone = enrolled(&house).await;
    house.asks_alice(NumberMatch::Off).await;
    let (time, serial) = (phone.time(), phone.serial().to_owned());
    let signature = phone.sign(&format!("{serial}|{time}"));
    assert_eq!(phone.polls_as(&serial, &time, &signature).await.status, 200);
    assert_eq!(phone.polls_as(&serial, &time, &signature).await.error(), UNVERIFIED);
    let late = phone.with_clock_off(-7 * 60);
    let reply = late.polls().await;
    assert_eq!((reply.status, reply.error()), (403, "The phone's clock is 7 min behind: set it by the network."));
    let early = late.with_clock_off(60);
    assert_eq!(early.polls().await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn guesses_are_bounded_and_lock_nobody_out_but_who_guesses() {
    let house = PhoneHouse::opens().await;
    let mut phone = enrolled(&house).await;
    let (time, serial) = (phone.time(), phone.serial().to_owned());
    let wrong = phone.sign("something else");
    let mut refused = Vec::new();
    for _ in 0..12 {
        refused.push(phone.polls_as(&serial, &time, &wrong).await.status);
    }
    assert_eq!(refused, [[400; 10].as_slice(), &[429; 2]].concat());
    let unknown = phone.polls_as("VESTOTHER", &time, &wrong).await;
    assert_eq!(unknown.status, 400, "another device is another matter");
    house.asks_alice(NumberMatch::Off).await;
    assert_eq!(phone.polls().await.status, 429, "from the guesser's own address");
    assert!(phone.shows(&unknown).is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_poll_too_many_waits_and_a_flood_of_polls_writes_nothing() {
    let house = PhoneHouse::opens().await;
    let phone = enrolled(&house).await;
    house.asks_alice(NumberMatch::Off).await;
    let mut seen = vec![phone.polls().await.status];
    let before = house.commits();
    for _ in 0..11 {
        seen.push(phone.polls().await.status);
    }
    assert_eq!(seen[..5], [200; 5]);
    assert!(seen.contains(&429), "{seen:?}");
    assert_eq!(house.commits(), before, "that it lives is written down now and then only");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_giant_body_a_long_query_and_a_broken_store_get_a_plain_no() {
    let house = PhoneHouse::opens().await;
    let mut phone = enrolled(&house).await;
    let giant = "A".repeat(64 * 1024);
    let url = phone.url().to_owned();
    let reply = phone.post(&url, &[("signature", &giant), ("serial", "A"), ("nonce", "B")]).await;
    assert!([400, 413].contains(&reply.status), "{}", reply.status);
    let long = "A".repeat(6000);
    assert_eq!(phone.polls_as(phone.serial(), &phone.time(), &long).await.status, 400);
    house.asks_alice(NumberMatch::Off).await;
    let [shown] = phone.looks().await.try_into().unwrap();
    house.breaks();
    let reply = phone.accepts(&shown).await;
    // No envelope: the app would take one for a success and close the request.
    assert_eq!((reply.status, reply.json.is_null()), (503, true));
    assert!((1..=200).contains(&reply.text.len()) && !reply.text.starts_with('{'));
    assert_eq!(house.said(), []);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_removed_phone_and_an_ended_prompt_change_nothing() {
    let house = PhoneHouse::opens().await;
    let mut phone = enrolled(&house).await;
    let prompt = house.asks_alice(NumberMatch::Off).await;
    let [shown] = phone.looks().await.try_into().unwrap();
    house.takes_back(prompt).await;
    let late = phone.accepts(&shown).await;
    assert_eq!((late.status, late.value() == false), (200, true));
    house.asks_alice(NumberMatch::Off).await;
    let [shown] = phone.looks().await.try_into().unwrap();
    house.forgets(&DeviceId(phone.serial().into())).await;
    assert_eq!(phone.accepts(&shown).await.error(), UNVERIFIED);
    assert_eq!(house.said(), [(PhoneAnswer::Approve, None, Answered::TooLate)]);
}
