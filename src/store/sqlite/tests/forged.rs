//! Rows that were copied or forged in the file are refused (rules F1), and the chain of records tells (F2).

use login::{Means, PhoneAnswer, ResolvedUser};

use super::super::super::conformance::{
    NOW, Site, accepted, after, alice, check, claim, limits, login_key, prompt_id, rejected, totp, user,
};
use super::super::super::error::StoreError;
use super::super::super::rows::{ChainState, Channel, Keep};
use super::super::super::verbs::{Codes, Devices, Prompts, Records, Releases, Retention, Tokens, Users};
use super::super::Sqlite;
use super::Place;

fn mallory() -> ResolvedUser {
    ResolvedUser::new("mallory")
}

/// Alice and mallory, each with a token, a phone and a password.
async fn two_users(place: &Place) -> Sqlite {
    let store = place.sqlite();
    for name in [alice(), mallory()] {
        store.add_user(user(name.as_str()), NOW).await.unwrap();
        store.set_password(&name, Some(wire::Secret::new(format!("$argon2id$of {name}")))).await.unwrap();
        store.add_token(&name, totp(), NOW).await.unwrap();
        store.add_device(&name, Channel::Loopback, None, NOW).await.unwrap();
    }
    store
}

fn assert_tampered<T: std::fmt::Debug>(result: Result<T, StoreError>, table: &str) {
    match result {
        Err(StoreError::Tampered { table: found, .. }) if found == table => {}
        other => panic!("not refused: {other:?}"),
    }
}

#[tokio::test]
async fn a_seed_copied_to_another_user_is_refused() {
    let place = Place::fresh();
    let store = two_users(&place).await;
    place.forge(
        "UPDATE tokens SET seed = (SELECT seed FROM tokens JOIN users ON users.id = tokens.user WHERE name = 'mallory') \
         WHERE user = (SELECT id FROM users WHERE name = 'alice')",
    );
    assert_tampered(store.read_guess(&alice(), None, &login::Method::ALL, NOW, &limits()).await, "tokens");
    assert!(store.read_guess(&mallory(), None, &login::Method::ALL, NOW, &limits()).await.is_ok());
}

#[tokio::test]
async fn a_token_moved_to_another_user_or_made_another_kind_is_refused() {
    for forgery in [
        "UPDATE tokens SET user = (SELECT id FROM users WHERE name = 'alice')",
        "UPDATE tokens SET kind = 'hotp', period_s = 0",
        "UPDATE tokens SET algorithm = 'sha256'",
        "UPDATE tokens SET digits = 8",
        "UPDATE tokens SET id = 't-forged' WHERE user = (SELECT id FROM users WHERE name = 'alice')",
    ] {
        let place = Place::fresh();
        let store = two_users(&place).await;
        place.forge(forgery);
        assert_tampered(store.read_guess(&alice(), None, &login::Method::ALL, NOW, &limits()).await, "tokens");
    }
}

#[tokio::test]
async fn a_forged_token_is_not_released() {
    let place = Place::fresh();
    let store = two_users(&place).await;
    let hers = store.list_tokens(&mallory()).await.unwrap().remove(0).id;
    place.forge("UPDATE tokens SET user = (SELECT id FROM users WHERE name = 'alice')");
    assert_tampered(store.release(check(Means::Token(hers)), accepted(1), NOW).await, "tokens");
}

#[tokio::test]
async fn a_password_copied_to_another_user_is_refused() {
    let place = Place::fresh();
    let store = two_users(&place).await;
    place.forge("UPDATE users SET password = (SELECT password FROM users WHERE name = 'mallory') WHERE name = 'alice'");
    assert_tampered(store.password_hash(&alice()).await, "users");
}

#[tokio::test]
async fn groups_blocks_reports_and_mail_changed_in_the_file_are_refused() {
    for forgery in [
        r#"UPDATE users SET groups = '["admins"]'"#,
        "UPDATE users SET groups = 'not json'",
        "UPDATE users SET blocked = NULL",
        "UPDATE users SET mail = 'mallory@example.com'",
        "UPDATE users SET ever_enrolled = 0",
        "UPDATE users SET fraud_at = 1",
        "UPDATE users SET name = 'alice' WHERE name = 'mallory'",
    ] {
        let place = Place::fresh();
        let store = two_users(&place).await;
        store.block_user(&alice(), "left".into()).await.unwrap();
        if forgery.contains("name = 'alice'") {
            store.remove_user(&alice(), NOW).await.unwrap();
        }
        place.forge(forgery);
        assert_tampered(store.user_facts(&alice(), None, NOW, &limits()).await, "users");
        assert_tampered(
            store
                .release(
                    check(Means::Excuse),
                    login::Record { time: NOW.plus(std::time::Duration::from_secs(9)), ..accepted(1) },
                    NOW.plus(std::time::Duration::from_secs(9)),
                )
                .await,
            "users",
        );
    }
}

#[tokio::test]
async fn a_device_copied_to_another_user_or_channel_is_refused() {
    for forgery in [
        "UPDATE devices SET user = (SELECT id FROM users WHERE name = 'alice')",
        "UPDATE devices SET channel = 'webhook'",
    ] {
        let place = Place::fresh();
        let store = two_users(&place).await;
        place.forge(forgery);
        assert_tampered(store.list_devices(&alice()).await, "devices");
        assert_tampered(store.claim_prompt(claim(1, 1, NOW), NOW, &limits()).await, "devices");
    }
}

#[tokio::test]
async fn an_approval_written_into_the_file_opens_nothing() {
    let place = Place::fresh();
    let store = two_users(&place).await;
    let device = store.list_devices(&alice()).await.unwrap().remove(0).id;
    store.claim_prompt(claim(1, 1, NOW), NOW, &limits()).await.unwrap();
    place.forge(&format!(
        "UPDATE prompts SET state = 'approved', device = '{}', answered_at = 1, mac = x'00'",
        device.0
    ));
    let means = Means::Prompt { prompt: prompt_id(1), device, number: None };
    assert_tampered(store.release(check(means), accepted(1), NOW).await, "prompts");
    assert_tampered(store.prompt_status(prompt_id(1), NOW).await, "prompts");
}

#[tokio::test]
async fn an_approval_of_another_prompt_opens_nothing() {
    let place = Place::fresh();
    let store = two_users(&place).await;
    let device = store.list_devices(&alice()).await.unwrap().remove(0).id;
    store.claim_prompt(claim(1, 1, NOW), NOW, &limits()).await.unwrap();
    store.answer_prompt(prompt_id(1), &device, PhoneAnswer::Approve, None, NOW, &limits()).await.unwrap();
    let other = rusqlite::types::Value::Blob(login_key(2).0.to_vec());
    rusqlite::Connection::open(place.path()).unwrap().execute("UPDATE prompts SET login = ?1", [other]).unwrap();
    let means = Means::Prompt { prompt: prompt_id(1), device, number: None };
    assert_tampered(store.release(check(means), accepted(1), NOW).await, "prompts");
}

#[tokio::test]
async fn the_chain_says_where_it_was_touched() {
    for (forgery, broken) in [
        ("UPDATE records SET json = replace(json, 'reject', 'accept') WHERE seq = 3", 3),
        ("UPDATE records SET user = 'bob' WHERE seq = 4", 4),
        ("DELETE FROM records WHERE seq = 2", 2),
        ("DELETE FROM records WHERE seq = 1", 1),
        ("DELETE FROM records WHERE seq = 5", 5),
        ("DELETE FROM records", 1),
        ("DELETE FROM records WHERE seq = 5; UPDATE meta SET value = zeroblob(72) WHERE name = 'chain_head'", 5),
        ("INSERT INTO records SELECT 6, 99, user, accepted, json, mac FROM records WHERE seq = 5", 6),
    ] {
        let place = Place::fresh();
        let store = place.sqlite();
        for login in 1..=5 {
            store.record(rejected(login)).await.unwrap();
        }
        place.forge(forgery);
        assert_eq!(store.verify_chain().await.unwrap(), ChainState::Broken { seq: broken }, "{forgery}");
    }
}

#[tokio::test]
async fn a_chain_that_retention_cut_at_an_anchor_is_whole_and_elsewhere_it_is_not() {
    let place = Place::fresh();
    let store = place.sqlite();
    let mut all = tokio::task::JoinSet::new();
    for login in 1..=1100 {
        let store = store.clone();
        all.spawn(async move { store.record(rejected(login)).await.unwrap() });
    }
    all.join_all().await;
    assert_eq!(store.verify_chain().await.unwrap(), ChainState::Whole { first: 1, last: 1100 });
    // All of them began at one moment; before it nothing is old.
    let keep = |since| Keep { since, at_most: None, fed: None };
    assert_eq!(store.prune_records(keep(NOW)).await.unwrap().records, 0);
    assert_eq!(store.prune_records(keep(after(1))).await.unwrap().records, 1024);
    assert_eq!(store.verify_chain().await.unwrap(), ChainState::Whole { first: 1025, last: 1100 });
    assert_eq!(store.prune_records(keep(after(1))).await.unwrap().records, 0, "what follows no anchor stays");
    assert_eq!(store.records_after(0, 1).await.unwrap()[0].seq, 1025);
    place.forge("DELETE FROM records WHERE seq <= 1030");
    assert!(matches!(store.verify_chain().await.unwrap(), ChainState::Broken { .. }));
}

#[tokio::test]
async fn a_chain_that_somebody_else_cut_at_an_anchor_is_broken() {
    let place = Place::fresh();
    let store = place.sqlite();
    let mut all = tokio::task::JoinSet::new();
    for login in 1..=1100 {
        let store = store.clone();
        all.spawn(async move { store.record(rejected(login)).await.unwrap() });
    }
    all.join_all().await;
    place.forge("DELETE FROM records WHERE seq <= 1024");
    assert!(matches!(store.verify_chain().await.unwrap(), ChainState::Broken { .. }), "only retention cuts");
}

#[tokio::test]
async fn past_its_size_the_oldest_stretch_goes_and_what_the_file_has_not_taken_stays() {
    let place = Place::fresh();
    let store = place.sqlite();
    let mut all = tokio::task::JoinSet::new();
    for login in 1..=2100 {
        let store = store.clone();
        all.spawn(async move { store.record(rejected(login)).await.unwrap() });
    }
    all.join_all().await;
    let keep = |at_most, fed: Option<&str>| Keep { since: NOW, at_most: Some(at_most), fed: fed.map(str::to_owned) };
    let used = store.prune_records(keep(u64::MAX, None)).await.unwrap().used;
    assert!(used > 2100 * 200, "{used}");
    store.advance_sink("file", 1000).await.unwrap();
    let held = store.prune_records(keep(1, Some("file"))).await.unwrap();
    assert_eq!((held.records, held.waits_for_sink), (0, true));
    store.advance_sink("file", 1024).await.unwrap();
    assert_eq!(store.prune_records(keep(1, Some("file"))).await.unwrap().records, 1024);
    // The last anchor's stretch stays, however small the size: there is always something to read.
    assert_eq!(store.prune_records(keep(1, None)).await.unwrap().records, 0);
    assert!(store.prune_records(keep(u64::MAX, None)).await.unwrap().used < used);
    assert_eq!(store.verify_chain().await.unwrap(), ChainState::Whole { first: 1025, last: 2100 });
}
