//! The last look (rules A6), and the one record of each login (F2).

use std::sync::Arc;

use login::{
    LoginId, Means, PhoneAnswer, Reason, Record, RecordedFactor, ReleaseCheck, ReleaseOutcome, ResolvedUser, TokenId,
};

use super::super::{Answered, ChainState, Channel, Store};
use super::{
    NOW, Site, accepted, after, alice, alice_with_totp, check, claim, limits, login_key, prompt_id, rejected, user,
};

async fn releases(store: &Arc<dyn Store>, means: Means, login: u64) -> ReleaseOutcome {
    store.release(check(means), accepted(login), after(1)).await.unwrap()
}

fn refused(why: &str) -> ReleaseOutcome {
    ReleaseOutcome::Refused(why.into())
}

/// Alice with an approved prompt.
async fn approved(site: &impl Site) -> (Arc<dyn Store>, Means) {
    let store = site.open();
    store.add_user(user("alice"), NOW).await.unwrap();
    let device = store.add_device(&alice(), Channel::Loopback, None, NOW).await.unwrap();
    store.claim_prompt(claim(1, 1, NOW), NOW, &limits()).await.unwrap();
    store.answer_prompt(prompt_id(1), &device, PhoneAnswer::Approve, None, NOW, &limits()).await.unwrap();
    (store, Means::Prompt { prompt: prompt_id(1), device, number: None })
}

pub(crate) async fn a_release_grants_once_and_is_written_down(site: &impl Site) {
    let (store, token) = alice_with_totp(site).await;
    assert_eq!(releases(&store, Means::Token(token), 7).await, ReleaseOutcome::Granted);
    let record = site.open().record_of(LoginId(7)).await.unwrap().unwrap();
    assert_eq!((record.seq, record.login), (1, LoginId(7)));
    assert!(record.json.contains(r#""answer":"accept""#), "{}", record.json);
}

pub(crate) async fn a_release_that_is_repeated_grants_again(site: &impl Site) {
    let (store, means) = approved(site).await;
    assert_eq!(releases(&store, means.clone(), 7).await, ReleaseOutcome::Granted);
    assert_eq!(releases(&site.open(), means, 7).await, ReleaseOutcome::Granted);
    assert_eq!(store.records_after(0, 10).await.unwrap().len(), 1);
}

pub(crate) async fn a_prompt_is_released_once(site: &impl Site) {
    let (store, means) = approved(site).await;
    assert_eq!(releases(&store, means.clone(), 7).await, ReleaseOutcome::Granted);
    assert_eq!(releases(&store, means, 8).await, refused("prompt ended"));
    assert_eq!(store.record_of(LoginId(8)).await.unwrap(), None);
}

/// Rules B2: under `join = "connection"` each live asker of the one L is let in by the one approval, and nobody else.
pub(crate) async fn one_approval_lets_in_together_only_its_own_login(site: &impl Site) {
    let (store, means) = approved(site).await;
    let Means::Prompt { device, .. } = means.clone() else { unreachable!("approved gives a prompt") };
    let other = store.add_device(&alice(), Channel::Loopback, None, NOW).await.unwrap();
    let release = async |login, together, device: &login::DeviceId| {
        let means = Means::Prompt { prompt: prompt_id(1), device: device.clone(), number: None };
        let check = ReleaseCheck { together, ..check(means) };
        store.release(check, accepted(login), after(1)).await.unwrap()
    };
    let ours = Some(login_key(1));
    assert_eq!(release(1, ours, &other).await, refused("prompt ended"), "another device has said nothing");
    assert_eq!(release(2, ours, &device).await, ReleaseOutcome::Granted);
    assert_eq!(release(3, ours, &device).await, ReleaseOutcome::Granted);
    assert_eq!(release(4, None, &device).await, refused("prompt ended"));
    assert_eq!(release(5, Some(login_key(2)), &device).await, refused("prompt ended"));
    assert_eq!(release(6, ours, &other).await, refused("prompt ended"));
    // What ended otherwise lets in nobody, together or not.
    store.claim_prompt(claim(9, 1, after(1)), after(1), &limits()).await.unwrap();
    store.answer_prompt(prompt_id(9), &device, PhoneAnswer::Deny, None, after(1), &limits()).await.unwrap();
    let denied = Means::Prompt { prompt: prompt_id(9), device, number: None };
    let check = ReleaseCheck { together: ours, ..check(denied) };
    assert_eq!(store.release(check, accepted(7), after(1)).await.unwrap(), refused("prompt ended"));
}

pub(crate) async fn a_blocked_user_is_not_released(site: &impl Site) {
    let (store, token) = alice_with_totp(site).await;
    store.block_user(&alice(), "left".into()).await.unwrap();
    assert_eq!(releases(&store, Means::Token(token), 7).await, refused("blocked"));
    assert_eq!(releases(&store, Means::Excuse, 8).await, refused("blocked"));
    assert!(store.records_after(0, 10).await.unwrap().is_empty());
}

pub(crate) async fn a_reported_user_is_not_released(site: &impl Site) {
    let (store, means) = approved(site).await;
    let Means::Prompt { device, .. } = means.clone() else { unreachable!("approved gives a prompt") };
    // A8: the report wins over the approval until the release.
    store.answer_prompt(prompt_id(1), &device, PhoneAnswer::Fraud, None, after(1), &limits()).await.unwrap();
    assert_eq!(releases(&store, means, 7).await, refused("fraud reported"));
    assert_eq!(releases(&store, Means::Excuse, 8).await, refused("fraud reported"));
}

pub(crate) async fn a_removed_method_is_not_released(site: &impl Site) {
    let (store, token) = alice_with_totp(site).await;
    store.remove_token(&token, NOW).await.unwrap();
    assert_eq!(releases(&store, Means::Token(token), 7).await, refused("method removed"));
    assert_eq!(releases(&store, Means::Token(TokenId("t-none".into())), 7).await, refused("method removed"));
    let device = store.add_device(&alice(), Channel::Loopback, None, NOW).await.unwrap();
    store.claim_prompt(claim(1, 1, NOW), NOW, &limits()).await.unwrap();
    let means = Means::Prompt { prompt: prompt_id(1), device: device.clone(), number: None };
    assert_eq!(releases(&store, means.clone(), 8).await, refused("prompt ended"), "pending is not approved");
    store.answer_prompt(prompt_id(1), &device, PhoneAnswer::Approve, None, NOW, &limits()).await.unwrap();
    store.remove_device(&device, NOW).await.unwrap();
    assert_eq!(releases(&store, means, 9).await, refused("method removed"));
    store.add_user(user("mallory"), NOW).await.unwrap();
    let foreign = store.add_token(&ResolvedUser::new("mallory"), super::totp(), NOW).await.unwrap();
    assert_eq!(releases(&store, Means::Token(foreign), 10).await, refused("method removed"));
}

pub(crate) async fn a_removed_user_is_not_released(site: &impl Site) {
    let (store, _) = alice_with_totp(site).await;
    store.remove_user(&alice(), after(1)).await.unwrap();
    assert_eq!(releases(&store, Means::Excuse, 7).await, refused("user removed"));
    store.add_user(user("alice"), after(2)).await.unwrap();
    assert_eq!(
        releases(&store, Means::Excuse, 7).await,
        refused("user removed"),
        "the login is older than the new user"
    );
    let later = Record { time: after(3), ..accepted(8) };
    assert_eq!(store.release(check(Means::Excuse), later, after(3)).await.unwrap(), ReleaseOutcome::Granted);
}

pub(crate) async fn a_denial_of_what_is_out_wins_over_a_code(site: &impl Site) {
    let (store, token) = alice_with_totp(site).await;
    let device = store.add_device(&alice(), Channel::Loopback, None, NOW).await.unwrap();
    store.claim_prompt(claim(1, 1, NOW), NOW, &limits()).await.unwrap();
    store.answer_prompt(prompt_id(1), &device, PhoneAnswer::Deny, None, NOW, &limits()).await.unwrap();
    let check = ReleaseCheck { open_prompt: Some(prompt_id(1)), ..check(Means::Token(token)) };
    assert_eq!(store.release(check, accepted(7), NOW).await.unwrap(), refused("denied"));
}

pub(crate) async fn what_is_out_is_withdrawn_by_the_release(site: &impl Site) {
    let (store, token) = alice_with_totp(site).await;
    let device = store.add_device(&alice(), Channel::Loopback, None, NOW).await.unwrap();
    store.claim_prompt(claim(1, 1, NOW), NOW, &limits()).await.unwrap();
    let check = ReleaseCheck { open_prompt: Some(prompt_id(1)), ..check(Means::Token(token)) };
    assert_eq!(store.release(check, accepted(7), NOW).await.unwrap(), ReleaseOutcome::Granted);
    let late = store.answer_prompt(prompt_id(1), &device, PhoneAnswer::Approve, None, NOW, &limits()).await.unwrap();
    assert_eq!(late, Answered::TooLate);
    assert_eq!(store.show_user(&alice()).await.unwrap().unwrap().pushes.unanswered, 0);
}

pub(crate) async fn an_excuse_needs_no_store(site: &impl Site) {
    // Somebody whom only the primary knows, let in by an exempt rule.
    assert_eq!(releases(&site.open(), Means::Excuse, 7).await, ReleaseOutcome::Granted);
}

pub(crate) async fn a_record_is_written_once_per_login(site: &impl Site) {
    let (store, token) = alice_with_totp(site).await;
    assert_eq!(store.record(rejected(7)).await.unwrap(), 1);
    assert_eq!(store.record(rejected(8)).await.unwrap(), 2);
    assert_eq!(site.open().record(rejected(7)).await.unwrap(), 1);
    // A login that was refused is not released afterwards.
    assert_eq!(releases(&store, Means::Token(token), 7).await, refused("answered already"));
    let recent = store.recent_records(&alice(), 10).await.unwrap();
    assert_eq!(recent.iter().map(|record| record.login.0).collect::<Vec<_>>(), [8, 7]);
}

pub(crate) async fn names_unknown_to_us_are_hashed(site: &impl Site) {
    let store = site.open();
    store.add_user(user("alice"), NOW).await.unwrap();
    let typed =
        |login, name: &str| Record { user: name.into(), vouched: false, reason: Reason::Primary, ..rejected(login) };
    store.record(typed(1, "hunter2")).await.unwrap();
    store.record(typed(2, "hunter2")).await.unwrap();
    store.record(typed(3, "alice")).await.unwrap();
    store.record(Record { vouched: true, ..typed(4, "only-in-nps") }).await.unwrap();
    let lines: Vec<String> = store.records_after(0, 10).await.unwrap().into_iter().map(|record| record.json).collect();
    assert!(!lines.iter().any(|line| line.contains("hunter2")), "{lines:?}");
    let hashed = format!(r#""user":"{}""#, store.unknown_name("hunter2"));
    assert!(lines[0].contains(&hashed) && lines[1].contains(&hashed), "one name, one hash: {lines:?}");
    assert!(lines[2].contains(r#""user":"alice""#) && lines[3].contains(r#""user":"only-in-nps""#), "{lines:?}");
}

pub(crate) async fn sinks_are_fed_from_their_cursor(site: &impl Site) {
    let store = site.open();
    for login in 1..=5 {
        store.record(rejected(login)).await.unwrap();
    }
    assert_eq!(store.sink_cursor("file").await.unwrap(), 0);
    let batch = store.records_after(0, 3).await.unwrap();
    assert_eq!(batch.iter().map(|record| record.seq).collect::<Vec<_>>(), [1, 2, 3]);
    store.advance_sink("file", 3).await.unwrap();
    store.advance_sink("file", 2).await.unwrap();
    let store = site.open();
    assert_eq!(store.sink_cursor("file").await.unwrap(), 3);
    assert_eq!(store.records_after(3, 10).await.unwrap().len(), 2);
    assert_eq!(store.sink_cursor("syslog").await.unwrap(), 0);
}

pub(crate) async fn the_chain_is_whole(site: &impl Site) {
    let store = site.open();
    assert_eq!(store.verify_chain().await.unwrap(), ChainState::Whole { first: 1, last: 0 });
    let stores = [store, site.open()];
    for login in 1..=60 {
        stores[usize::from(login % 2 == 0)].record(rejected(login)).await.unwrap();
    }
    assert_eq!(stores[0].verify_chain().await.unwrap(), ChainState::Whole { first: 1, last: 60 });
}

pub(crate) async fn a_record_is_one_json_object(site: &impl Site) {
    let store = site.open();
    let record = Record { factor: RecordedFactor::Exempt, detail: Some("a \"quoted\"\nline".into()), ..accepted(0x1f) };
    store.release(check(Means::Excuse), record, NOW).await.unwrap();
    let json = store.record_of(LoginId(0x1f)).await.unwrap().unwrap().json;
    assert!(!json.contains('\n'));
    let value: serde_json::Value = serde_json::from_str(&json).unwrap();
    let expected = serde_json::json!({
        "login": "000000000000001f", "time": "2027-01-15T08:00:00.000Z", "client": "asa", "user": "alice",
        "station": "203.0.113.9", "rule": null, "primary": null, "factor": "exempt", "answer": "accept",
        "reason": "accepted", "detail": "a \"quoted\"\nline", "askers": 1,
        "waited_ms": { "total": 1500, "primary": 40, "factor": 1400 }, "tried": [],
    });
    assert_eq!(value, expected);
}

/// A wrong password of alice.
fn wrong_password(login: u64, second: u64) -> Record {
    let (factor, reason) = (RecordedFactor::None, Reason::Primary);
    Record { time: after(second), vouched: false, factor, reason, ..rejected(login) }
}

pub(crate) async fn equal_refusals_of_a_minute_are_one_record_with_a_count(site: &impl Site) {
    let store = site.open();
    store.add_user(user("alice"), NOW).await.unwrap();
    for (login, second) in [(1, 0), (2, 10), (2, 10), (3, 59)] {
        assert_eq!(site.open().record(wrong_password(login, second)).await.unwrap(), 1, "login {login}");
    }
    // Another station, reason, client or name is another record; and after the primary's Accept each is its own.
    let elsewhere = Record { station: None, ..wrong_password(4, 1) };
    let otherwise = Record { reason: Reason::Rule, ..wrong_password(5, 1) };
    let client = Record { client: login::ClientName::new("f5"), ..wrong_password(6, 1) };
    let name = Record { user: "somebody".into(), ..wrong_password(7, 1) };
    for (seq, record) in
        [elsewhere, otherwise, client, name].into_iter().zip(2_u64..).map(|(record, seq)| (seq, record))
    {
        assert_eq!(store.record(record).await.unwrap(), seq);
    }
    for (seq, login) in [(6, 8), (7, 9)] {
        assert_eq!(store.record(Record { vouched: true, ..wrong_password(login, 1) }).await.unwrap(), seq);
    }
    let told = store.record_of(LoginId(1)).await.unwrap().unwrap().json;
    let told: serde_json::Value = serde_json::from_str(&told).unwrap();
    let (first, last) = ("2027-01-15T08:00:00.000Z", "2027-01-15T08:00:59.000Z");
    assert_eq!((told["times"].as_u64(), &told["first"], &told["last"]), (Some(3), &first.into(), &last.into()));
    let recent = store.recent_records(&alice(), 10).await.unwrap();
    assert_eq!(recent.last().unwrap().json, store.record_of(LoginId(1)).await.unwrap().unwrap().json);
    let written = store.records_after(0, 10).await.unwrap();
    assert!(written.len() == 7 && !written[0].json.contains("times"), "what the chain covers stays: {written:?}");
    assert_eq!(store.verify_chain().await.unwrap(), ChainState::Whole { first: 1, last: 7 });
}

pub(crate) async fn a_count_ends_with_its_minute(site: &impl Site) {
    let store = site.open();
    store.add_user(user("alice"), NOW).await.unwrap();
    for (login, second) in [(1, 0), (2, 30), (3, 40)] {
        store.record(wrong_password(login, second)).await.unwrap();
    }
    assert_eq!(store.settle_repeats(after(59)).await.unwrap(), 0);
    assert_eq!(store.settle_repeats(after(60)).await.unwrap(), 1);
    assert_eq!(store.settle_repeats(after(600)).await.unwrap(), 0);
    let told = store.recent_records(&alice(), 10).await.unwrap();
    let json: serde_json::Value = serde_json::from_str(&told[0].json).unwrap();
    assert_eq!((told.len(), json["amends"].as_u64(), json["times"].as_u64()), (1, Some(1), Some(3)), "{told:?}");
    // The next one begins anew, also where nobody has looked after the last minute.
    assert_eq!(store.record(wrong_password(4, 61)).await.unwrap(), 3);
    assert_eq!(store.record(wrong_password(5, 62)).await.unwrap(), 3);
    assert_eq!(store.record(wrong_password(6, 200)).await.unwrap(), 5, "4 amends 3");
    assert_eq!(store.recent_records(&alice(), 10).await.unwrap().len(), 3);
    assert_eq!(store.verify_chain().await.unwrap(), ChainState::Whole { first: 1, last: 5 });
}
