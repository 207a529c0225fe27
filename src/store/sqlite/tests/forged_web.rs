//! Rows of portal, phones and help desk that were copied or forged in the file (rules F1): each is refused, or is nobody's.

use std::time::Duration;

use login::{Asks, ClientName, Means, Number, NumberMatch, PhoneAnswer, PromptClaim, ResolvedUser};
use wire::Secret;

use super::super::super::conformance::{
    NOW, Site, accepted, activation, after, alice, check, claim, limits, phone_key, phones, prompt_id, user,
};
use super::super::super::error::{Refusal, StoreError};
use super::super::super::verbs::{Devices, Prompts, Releases, Users};
use super::super::super::web::{
    Bypasses, CodePurpose, CodeSpent, KeyBrought, Letters, NewActivation, NewBypass, NewWebSession, PeopleCodes,
    Phones, Pins, SessionTurn, WebRealm, WebSessions, WebStep,
};
use super::super::Sqlite;
use super::Place;

const LONG: Duration = Duration::from_secs(24 * 60 * 60);

fn mallory() -> ResolvedUser {
    ResolvedUser::new("mallory")
}

fn assert_tampered<T: std::fmt::Debug>(result: Result<T, StoreError>, table: &str) {
    match result {
        Err(StoreError::Tampered { table: found, .. }) if found == table => {}
        other => panic!("not refused: {other:?}"),
    }
}

async fn two_users(place: &Place) -> Sqlite {
    let store = place.sqlite();
    for name in ["alice", "mallory"] {
        store.add_user(user(name), NOW).await.unwrap();
    }
    store
}

/// Alice and mallory, each with an active page; tells alice's.
async fn with_pages(place: &Place) -> (Sqlite, login::DeviceId) {
    let store = two_users(place).await;
    let mut pages = Vec::new();
    for (n, name) in [(1, alice()), (2, mallory())] {
        let new = NewActivation { user: name, needs_test: false, ..activation("code") };
        let device = store.begin_activation(new, NOW).await.unwrap();
        store.bring_key(&device, &Secret::new("code"), phone_key(n), NOW).await.unwrap();
        pages.push(device);
    }
    (store, pages.remove(0))
}

const HERS: &str = "(SELECT id FROM users WHERE name = 'alice')";
const HIS: &str = "(SELECT id FROM users WHERE name = 'mallory')";

#[tokio::test]
async fn a_phone_whose_key_channel_or_user_was_changed_is_refused() {
    for forgery in [
        format!("UPDATE devices SET spki = (SELECT spki FROM devices WHERE user = {HIS}) WHERE user = {HERS}"),
        "UPDATE devices SET spki = NULL".into(),
        "UPDATE devices SET spki = NULL, code = NULL, waits_until = NULL".into(),
        "UPDATE devices SET channel = 'privacyidea'".into(),
        format!("UPDATE devices SET user = {HERS}"),
        format!("UPDATE devices SET mac = (SELECT mac FROM devices WHERE user = {HIS}) WHERE user = {HERS}"),
        format!(
            "UPDATE devices SET subscription = (SELECT subscription FROM devices WHERE user = {HIS}) WHERE user = {HERS}"
        ),
    ] {
        let place = Place::fresh();
        let (store, page) = with_pages(&place).await;
        store.claim_prompt(claim(1, 1, NOW), NOW, &limits()).await.unwrap();
        place.forge(&forgery);
        assert_tampered(store.list_devices(&alice()).await, "devices");
        if !forgery.contains("user = (SELECT id FROM users WHERE name = 'alice')") || forgery.contains("WHERE user =") {
            assert_tampered(store.phone(&page).await, "devices");
            let yes = PhoneAnswer::Approve;
            assert_tampered(store.answer_prompt(prompt_id(1), &page, yes, None, NOW, &limits()).await, "devices");
        }
        assert_tampered(store.user_facts(&alice(), None, NOW, &limits()).await, "devices");
    }
}

#[tokio::test]
async fn an_activation_is_not_forged_into_a_phone() {
    for forgery in [
        "UPDATE devices SET state = 'active'",
        "UPDATE devices SET state = 'keyed'",
        "UPDATE devices SET state = 'active', code = NULL, waits_until = NULL",
        "UPDATE devices SET needs_test = 0",
        "UPDATE devices SET waits_until = 9000000000000",
        "UPDATE devices SET tries = 0",
        "UPDATE devices SET spki = x'0102'",
    ] {
        let place = Place::fresh();
        let store = two_users(&place).await;
        let device = store.begin_activation(activation("code"), NOW).await.unwrap();
        store.bring_key(&device, &Secret::new("wrong"), phone_key(1), NOW).await.unwrap();
        place.forge(forgery);
        let brought = store.bring_key(&device, &Secret::new("code"), phone_key(1), NOW).await;
        assert_tampered(brought, "devices");
        assert_tampered(store.user_facts(&alice(), None, NOW, &limits()).await, "devices");
    }
}

#[tokio::test]
async fn a_phone_that_waits_for_its_test_is_not_forged_active() {
    let place = Place::fresh();
    let store = two_users(&place).await;
    let device = store.begin_activation(activation("code"), NOW).await.unwrap();
    store.bring_key(&device, &Secret::new("code"), phone_key(1), NOW).await.unwrap();
    store.claim_prompt(phones::test_of(&device, 1, NOW), NOW, &limits()).await.unwrap();
    store.answer_prompt(prompt_id(1), &device, PhoneAnswer::Approve, None, NOW, &limits()).await.unwrap();
    place.forge("UPDATE devices SET state = 'active'");
    let means = Means::Prompt { prompt: prompt_id(1), device: device.clone(), number: None };
    assert_tampered(store.release(check(means), accepted(1), NOW).await, "devices");
    let turn = SessionTurn { old: [1; 32], new: [2; 32], factored_at: None };
    assert_tampered(store.confirm_device(&device, prompt_id(1), turn, NOW).await, "devices");
}

#[tokio::test]
async fn our_own_key_for_a_phone_opens_for_that_phone_alone() {
    let place = Place::fresh();
    let store = two_users(&place).await;
    for name in [alice(), mallory()] {
        let server_key = Some(Secret::new(format!("PKCS#8 of {name}")));
        store.begin_activation(NewActivation { user: name, server_key, ..activation("code") }, NOW).await.unwrap();
    }
    place.forge(&format!(
        "UPDATE devices SET server_key = (SELECT server_key FROM devices WHERE user = {HIS}) WHERE user = {HERS}"
    ));
    let device = store.list_devices(&alice()).await.unwrap().remove(0).id;
    assert_tampered(store.phone(&device).await, "devices");
}

#[tokio::test]
async fn a_prompt_is_not_made_to_ask_for_less() {
    let number = |number| PromptClaim { asks: Asks { number, pin: true }, ..claim(1, 1, NOW) };
    let hers = number(NumberMatch::Shown(Number(42)));
    let his = PromptClaim { user: mallory(), prompt: prompt_id(2), asks: Asks::default(), ..claim(2, 2, NOW) };
    for forgery in [
        format!("UPDATE prompts SET asks = (SELECT asks FROM prompts WHERE user = {HIS}) WHERE user = {HERS}"),
        "UPDATE prompts SET asks = NULL".into(),
        "UPDATE prompts SET asks = x''".into(),
        "UPDATE prompts SET login = x'00000000000000000000000000000000'".into(),
    ] {
        let place = Place::fresh();
        let (store, page) = with_pages(&place).await;
        store.claim_prompt(hers.clone(), NOW, &limits()).await.unwrap();
        store.claim_prompt(his.clone(), NOW, &limits()).await.unwrap();
        place.forge(&forgery);
        let yes = PhoneAnswer::Approve;
        assert_tampered(store.answer_prompt(prompt_id(1), &page, yes, None, NOW, &limits()).await, "prompts");
        assert_tampered(store.prompt_of(&alice(), NOW).await, "prompts");
        assert_tampered(store.reveal_number(prompt_id(1), &page, NOW).await, "prompts");
    }
}

#[tokio::test]
async fn a_pin_is_not_copied_unlocked_or_its_guesses_forgotten() {
    for forgery in [
        format!("UPDATE pins SET hash = (SELECT hash FROM pins WHERE user = {HIS}) WHERE user = {HERS}"),
        "UPDATE pins SET locked = 0".into(),
        "UPDATE pins SET failures = 0".into(),
        "UPDATE pins SET version = version - 1".into(),
        "UPDATE pins SET must_change = 1".into(),
    ] {
        let place = Place::fresh();
        let store = two_users(&place).await;
        for name in [alice(), mallory()] {
            store.set_pin(&name, Secret::new(format!("$argon2id$of {name}")), false, NOW).await.unwrap();
        }
        let version = store.pin(&alice(), NOW).await.unwrap().unwrap().version;
        assert!(store.commit_pin_guess(&alice(), [1; 16], version, false, 1, NOW).await.unwrap());
        place.forge(&forgery);
        assert_tampered(store.pin(&alice(), NOW).await, "pins");
        assert_tampered(store.commit_pin_guess(&alice(), [2; 16], version, true, 1, NOW).await, "pins");
    }
}

#[tokio::test]
async fn an_activation_code_is_not_copied_or_prolonged() {
    for forgery in [
        format!("UPDATE people_codes SET user = {HERS}"),
        "UPDATE people_codes SET ends_at = 9000000000000".into(),
        "UPDATE people_codes SET tries = 0".into(),
        "UPDATE people_codes SET purpose = 'mailed_enrol'".into(),
    ] {
        let place = Place::fresh();
        let store = two_users(&place).await;
        store.issue_code(&mallory(), CodePurpose::Enrol, &Secret::new("his"), LONG, NOW).await.unwrap();
        store.spend_code(&mallory(), CodePurpose::Enrol, &Secret::new("wrong"), [1; 16], NOW).await.unwrap();
        place.forge(&forgery);
        let whose = if forgery.contains("user =") { alice() } else { mallory() };
        let purpose = if forgery.contains("purpose") { CodePurpose::MailedEnrol } else { CodePurpose::Enrol };
        assert_tampered(store.spend_code(&whose, purpose, &Secret::new("his"), [2; 16], NOW).await, "people_codes");
    }
}

#[tokio::test]
async fn a_recovery_code_of_another_user_is_nobodys() {
    let place = Place::fresh();
    let store = two_users(&place).await;
    store.set_recovery_codes(&mallory(), vec![Secret::new("his")], NOW).await.unwrap();
    place.forge(&format!("UPDATE recovery_codes SET user = {HERS}"));
    assert!(!store.spend_recovery_code(&alice(), &Secret::new("his"), [1; 16], NOW).await.unwrap());
    assert!(!store.spend_recovery_code(&mallory(), &Secret::new("his"), [2; 16], NOW).await.unwrap());
}

#[tokio::test]
async fn a_bypass_is_not_copied_widened_or_prolonged() {
    for forgery in [
        format!("UPDATE bypasses SET user = {HERS}"),
        format!(
            "INSERT INTO bypasses SELECT 'b-forged', {HERS}, client, granted_by, reason, granted_at, ends_at, mac FROM bypasses"
        ),
        format!("UPDATE bypasses SET user = {HERS}, client = NULL"),
    ] {
        let place = Place::fresh();
        let store = two_users(&place).await;
        let his = NewBypass {
            user: mallory(),
            client: Some(ClientName::new("asa")),
            by: "helen".into(),
            reason: "phone at home".into(),
            ends_at: after(600),
        };
        let bypass = store.grant_bypass(his, NOW).await.unwrap();
        place.forge(&forgery);
        assert_tampered(store.open_bypass(&alice(), &ClientName::new("asa"), NOW).await, "bypasses");
        assert_tampered(store.release(check(Means::Bypass(bypass)), accepted(1), NOW).await, "bypasses");
    }
    for widened in ["client = NULL", "ends_at = 9000000000000", "reason = 'other'", "granted_by = 'alice'"] {
        let place = Place::fresh();
        let store = two_users(&place).await;
        let hers = NewBypass {
            user: alice(),
            client: Some(ClientName::new("netscaler")),
            by: "helen".into(),
            reason: "phone at home".into(),
            ends_at: after(600),
        };
        let bypass = store.grant_bypass(hers, NOW).await.unwrap();
        place.forge(&format!("UPDATE bypasses SET {widened}"));
        assert_tampered(store.release(check(Means::Bypass(bypass)), accepted(1), NOW).await, "bypasses");
    }
}

#[tokio::test]
async fn a_web_session_is_not_made_moved_or_stepped_up_in_the_file() {
    let id = [7; 32];
    for forgery in [
        "step = 'full'",
        "realm = 'admin'",
        "ends_at = 9000000000000",
        "seen_at = 9000000000000",
        "factored_at = 1",
        "user = (SELECT id FROM users WHERE name = 'mallory')",
        "id = x'0808080808080808080808080808080808080808080808080808080808080808'",
    ] {
        let place = Place::fresh();
        let store = two_users(&place).await;
        let session = NewWebSession {
            id,
            user: alice(),
            realm: WebRealm::Portal,
            step: WebStep::Password,
            address: [203, 0, 113, 9].into(),
            agent: None,
            ends_at: after(600),
        };
        store.open_web_session(session, NOW).await.unwrap();
        place.forge(&format!("UPDATE web_sessions SET {forgery}"));
        let sought = if forgery.starts_with("id") { [8; 32] } else { id };
        let found = store.web_session(&sought, WebRealm::Portal, LONG, NOW).await;
        assert_tampered(found, "web_sessions");
        let rotated = store.rotate_web_session(&sought, [9; 32], WebStep::Full, Some(NOW), NOW).await;
        assert_tampered(rotated, "web_sessions");
        if !forgery.starts_with("user") {
            assert_tampered(store.list_web_sessions(&alice(), NOW).await, "web_sessions");
        }
    }
}

#[tokio::test]
async fn a_forged_letter_is_not_sent_and_holds_up_no_other() {
    let place = Place::fresh();
    let store = place.sqlite();
    store.post(Secret::new("first"), NOW).await.unwrap();
    store.post(Secret::new("second"), NOW).await.unwrap();
    place.forge("UPDATE letters SET text = (SELECT text FROM letters WHERE id = 2) WHERE id = 1");
    let due = store.due_letters(NOW, 10).await.unwrap();
    assert_eq!(due.into_iter().map(|letter| letter.text).collect::<Vec<_>>(), [Secret::new("second")]);
}

/// Rules G1: past the bound a letter is refused, and the same one that waits already is not.
#[tokio::test]
async fn letters_are_bounded_over_all() {
    let place = Place::fresh();
    let store = place.sqlite();
    let first = store.post(Secret::new("first"), NOW).await.unwrap();
    place.forge(
        "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 9999) \
         INSERT INTO letters (digest, text, posted_at, due_at) SELECT i, x'', 0, 9000000000000 FROM n",
    );
    let error = store.post(Secret::new("second"), NOW).await.unwrap_err();
    assert_eq!(error, StoreError::Refused(Refusal::Full { what: "letters", most: 10_000 }));
    assert_eq!(store.post(Secret::new("first"), NOW).await.unwrap(), first);
    store.letter_done(first).await.unwrap();
    assert!(store.post(Secret::new("second"), NOW).await.is_ok());
}

/// All of it is sealed or hashed: nothing of it lies open in the database or its log.
#[tokio::test]
async fn no_code_number_key_or_letter_lies_open_in_the_files() {
    const CANARY: &str = "canary-5fD9";
    let place = Place::fresh();
    let (store, page) = with_pages(&place).await;
    let secret = |what: &str| Secret::new(format!("{CANARY} {what}"));
    let server_key = Some(secret("key"));
    let code = secret("activation");
    let waiting = NewActivation { code: code.clone(), server_key, ..activation("") };
    let waiting = store.begin_activation(waiting, NOW).await.unwrap();
    let mut key = phone_key(3);
    key.subscription.as_mut().unwrap().endpoint = format!("https://push.example/{CANARY}").into();
    store.bring_key(&waiting, &secret("wrong"), key.clone(), NOW).await.unwrap();
    assert!(matches!(store.bring_key(&waiting, &code, key, NOW).await.unwrap(), KeyBrought::Taken(_)));
    store.issue_code(&alice(), CodePurpose::Enrol, &secret("enrol"), LONG, NOW).await.unwrap();
    let spent = store.spend_code(&alice(), CodePurpose::Enrol, &secret("not it"), [1; 16], NOW).await.unwrap();
    assert_eq!(spent, CodeSpent::Wrong);
    store.set_recovery_codes(&alice(), vec![secret("recovery")], NOW).await.unwrap();
    store.set_pin(&alice(), secret("pin"), false, NOW).await.unwrap();
    store.post(secret("letter"), NOW).await.unwrap();
    let asks = Asks { number: NumberMatch::Typed(Number(918_273)), pin: false };
    store.claim_prompt(PromptClaim { asks, ..claim(1, 1, NOW) }, NOW, &limits()).await.unwrap();
    store.reveal_number(prompt_id(1), &page, NOW).await.unwrap();
    store.type_number(prompt_id(1), Number(192_837), [2; 16], NOW, &limits()).await.unwrap();
    for file in std::fs::read_dir(place.directory.path()).unwrap() {
        let path = file.unwrap().path();
        let octets = std::fs::read(&path).unwrap();
        for open in [CANARY.as_bytes(), b"918273", &918_273_u32.to_be_bytes(), b"192837", &192_837_u32.to_be_bytes()] {
            assert!(!octets.windows(open.len()).any(|window| window == open), "{open:?} in {}", path.display());
        }
    }
}
