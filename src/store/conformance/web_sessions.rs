//! Sessions of a browser: idle and absolute ends, rotation, revocation, and a bound for each user.

use std::sync::Arc;
use std::time::Duration;

use login::{PhoneAnswer, ResolvedUser, Wall};
use wire::Secret;

use super::super::{
    Channel, CodePurpose, CodeSpent, KeyBrought, NewActivation, NewToken, NewWebSession, SessionTurn, Store, WebRealm,
    WebSession, WebStep,
};
use super::{NOW, Site, activation, after, alice, claim, hotp, limits, phone_key, prompt_id, totp, user};

const IDLE: Duration = Duration::from_secs(600);

fn id(n: u8) -> [u8; 32] {
    [n; 32]
}

fn session(n: u8, step: WebStep) -> NewWebSession {
    NewWebSession {
        id: id(n),
        user: alice(),
        realm: WebRealm::Portal,
        step,
        address: [203, 0, 113, 9].into(),
        agent: Some("Mozilla/5.0".into()),
        ends_at: after(3600),
    }
}

async fn with_alice(site: &impl Site) -> Arc<dyn Store> {
    let store = site.open();
    store.add_user(user("alice"), NOW).await.unwrap();
    store
}

async fn living(store: &Arc<dyn Store>, n: u8, at: Wall) -> Option<WebSession> {
    store.web_session(&id(n), WebRealm::Portal, IDLE, at).await.unwrap()
}

pub(crate) async fn a_session_is_found_by_its_id_in_its_realm(site: &impl Site) {
    let store = with_alice(site).await;
    store.open_web_session(session(1, WebStep::Password), NOW).await.unwrap();
    store.open_web_session(session(1, WebStep::Password), NOW).await.unwrap();
    let found = living(&site.open(), 1, after(1)).await.unwrap();
    assert_eq!((found.user, found.step, found.began_at), (alice(), WebStep::Password, NOW));
    assert_eq!((found.factored_at, found.ends_at), (None, after(3600)));
    assert_eq!(living(&store, 2, after(1)).await, None);
    assert_eq!(store.web_session(&id(1), WebRealm::Admin, IDLE, after(1)).await.unwrap(), None);
    let nobody = NewWebSession { user: ResolvedUser::new("nobody"), ..session(3, WebStep::Full) };
    assert!(store.open_web_session(nobody, NOW).await.is_err());
    assert!(store.open_web_session(session(1, WebStep::Full), after(1)).await.is_err(), "an id is used once");
}

pub(crate) async fn a_session_ends_when_idle_and_at_its_end(site: &impl Site) {
    let store = with_alice(site).await;
    store.open_web_session(session(1, WebStep::Full), NOW).await.unwrap();
    store.open_web_session(session(2, WebStep::Full), NOW).await.unwrap();
    for minute in (5..=55).step_by(5) {
        assert!(living(&store, 1, after(minute * 60)).await.is_some(), "at {minute} minutes");
    }
    assert_eq!(living(&store, 2, after(600)).await, None, "idle for as long as is allowed");
    assert_eq!(living(&store, 1, after(3600)).await, None, "the absolute end");
    assert!(!store.rotate_web_session(&id(1), id(9), WebStep::Full, Some(after(3600)), after(3600)).await.unwrap());
}

pub(crate) async fn a_step_up_is_a_new_id(site: &impl Site) {
    let store = with_alice(site).await;
    store.open_web_session(session(1, WebStep::Password), NOW).await.unwrap();
    for _ in 0..2 {
        assert!(site.open().rotate_web_session(&id(1), id(2), WebStep::Full, Some(after(5)), after(5)).await.unwrap());
    }
    assert_eq!(living(&store, 1, after(6)).await, None);
    let found = living(&store, 2, after(6)).await.unwrap();
    assert_eq!((found.step, found.factored_at, found.began_at), (WebStep::Full, Some(after(5)), NOW));
    assert_eq!(found.ends_at, after(3600), "the absolute end does not move");
    assert!(!store.rotate_web_session(&id(1), id(3), WebStep::Full, Some(after(7)), after(7)).await.unwrap());
}

pub(crate) async fn a_new_id_alone_makes_no_factor_fresh_again(site: &impl Site) {
    let store = with_alice(site).await;
    store.open_web_session(session(1, WebStep::Full), NOW).await.unwrap();
    assert!(store.rotate_web_session(&id(1), id(2), WebStep::Full, None, after(500)).await.unwrap());
    assert_eq!(living(&store, 2, after(501)).await.unwrap().factored_at, Some(NOW));
}

pub(crate) async fn of_a_form_that_is_sent_four_times_one_makes_a_token(site: &impl Site) {
    let store = with_alice(site).await;
    store.open_web_session(session(1, WebStep::Enrolling), NOW).await.unwrap();
    store.open_web_session(session(2, WebStep::Enrolling), NOW).await.unwrap();
    let stores = [Arc::clone(&store), site.open()];
    let mut forms = tokio::task::JoinSet::new();
    for n in 0..40_u8 {
        let store = Arc::clone(&stores[usize::from(n % 2)]);
        // Each with a seed of its own, so that nothing but the session keeps a second one out.
        let token = NewToken { seed: Secret::new([n + 1, 7].repeat(10)), ..totp() };
        let turn = SessionTurn { old: id(1), new: id(100 + n), factored_at: Some(after(5)) };
        forms.spawn(async move { (n, turn, store.enrol_token(turn, &alice(), token, after(5)).await.unwrap()) });
    }
    let made: Vec<_> = forms.join_all().await.into_iter().filter_map(|(n, turn, id)| Some((n, turn, id?))).collect();
    let [(n, turn, token)] = &made[..] else { panic!("{made:?}") };
    assert_eq!(store.list_tokens(&alice()).await.unwrap().len(), 1);
    let found = living(&store, 100 + n, after(6)).await.unwrap();
    assert_eq!((found.step, found.factored_at), (WebStep::Full, Some(after(5))));
    assert_eq!(living(&store, 1, after(6)).await, None);
    // Repeated after an unknown commit it is the same token.
    let again = NewToken { seed: Secret::new([n + 1, 7].repeat(10)), ..totp() };
    let repeated = site.open().enrol_token(*turn, &alice(), again, after(5)).await.unwrap();
    assert_eq!(repeated.as_ref(), Some(token));
    assert_eq!(store.list_tokens(&alice()).await.unwrap().len(), 1);
}

pub(crate) async fn a_session_that_owes_a_factor_makes_nothing(site: &impl Site) {
    let store = with_alice(site).await;
    store.add_user(user("bob"), NOW).await.unwrap();
    for (n, step) in [(1, WebStep::Password), (2, WebStep::Pin)] {
        store.open_web_session(session(n, step), NOW).await.unwrap();
        let turn = SessionTurn { old: id(n), new: id(50 + n), factored_at: None };
        assert_eq!(store.enrol_token(turn, &alice(), totp(), after(1)).await.unwrap(), None, "{step:?}");
        assert!(living(&store, n, after(2)).await.is_some(), "it goes on as it was");
    }
    store.open_web_session(session(3, WebStep::Full), NOW).await.unwrap();
    let turn = SessionTurn { old: id(3), new: id(53), factored_at: None };
    assert_eq!(store.enrol_token(turn, &ResolvedUser::new("bob"), totp(), after(1)).await.unwrap(), None);
    // What is refused changes nothing of the session, either.
    let short = NewToken { seed: Secret::new("short"), ..totp() };
    assert!(store.enrol_token(turn, &alice(), short, after(1)).await.is_err());
    assert!(living(&store, 3, after(2)).await.is_some());
}

/// Alice, who has no method yet: an enrolling session, a code of each purpose, and a phone that was begun in the portal.
async fn waits_to_enrol(site: &impl Site) -> (Arc<dyn Store>, login::DeviceId) {
    let store = with_alice(site).await;
    store.open_web_session(session(1, WebStep::Enrolling), NOW).await.unwrap();
    store.open_web_session(session(2, WebStep::Password), NOW).await.unwrap();
    for purpose in [CodePurpose::Enrol, CodePurpose::MailedEnrol] {
        store.issue_code(&alice(), purpose, &Secret::new("a code"), IDLE, NOW).await.unwrap();
    }
    let begun = store.begin_activation(activation("of another's phone"), NOW).await.unwrap();
    (store, begun)
}

async fn opens(store: &Arc<dyn Store>, purpose: CodePurpose, n: u8) -> bool {
    let spent = store.spend_code(&alice(), purpose, &Secret::new("a code"), [n; 16], after(9)).await.unwrap();
    spent == CodeSpent::Right
}

pub(crate) async fn a_first_method_ends_all_else_that_waits_to_make_one(site: &impl Site) {
    // In the portal, on the phone, by a command on the host: a token, and a device.
    for way in 0..4 {
        let site = site.another();
        let (store, begun) = waits_to_enrol(&site).await;
        let hosts =
            NewActivation { needs_test: false, channel: Channel::PrivacyIdea, ..activation("of the host's making") };
        let hosts = store.begin_activation(hosts, NOW).await.unwrap();
        match way {
            0 => drop(store.add_token(&alice(), totp(), after(5)).await.unwrap()),
            1 => drop(store.add_device(&alice(), Channel::Webhook, None, after(5)).await.unwrap()),
            2 => {
                let code = Secret::new("of the host's making");
                let taken = store.bring_key(&hosts, &code, phone_key(9), after(5)).await.unwrap();
                assert!(matches!(taken, KeyBrought::Taken(_)));
            }
            _ => {
                store.open_web_session(session(3, WebStep::Enrolling), NOW).await.unwrap();
                let turn = SessionTurn { old: id(3), new: id(4), factored_at: Some(after(5)) };
                assert!(store.enrol_token(turn, &alice(), totp(), after(5)).await.unwrap().is_some());
                assert_eq!(living(&store, 4, after(6)).await.map(|session| session.step), Some(WebStep::Full));
            }
        }
        for n in [1, 2] {
            assert_eq!(living(&store, n, after(6)).await, None, "way {way}, session {n}");
        }
        assert!(!opens(&store, CodePurpose::Enrol, 1).await, "way {way}");
        assert!(!opens(&store, CodePurpose::MailedEnrol, 2).await, "way {way}");
        assert_eq!(store.phone(&begun).await.unwrap(), None, "way {way}");
        assert!(store.phone(&hosts).await.unwrap().is_some(), "what an admin began goes on");
    }
}

pub(crate) async fn a_later_method_ends_no_code(site: &impl Site) {
    let store = with_alice(site).await;
    let first = store.add_token(&alice(), totp(), NOW).await.unwrap();
    store.issue_code(&alice(), CodePurpose::Enrol, &Secret::new("a code"), IDLE, NOW).await.unwrap();
    store.open_web_session(session(1, WebStep::Full), NOW).await.unwrap();
    let second = store.add_token(&alice(), hotp(), after(1)).await.unwrap();
    assert!(living(&store, 1, after(2)).await.is_some());
    // The first again after all were removed is as the first of all.
    for token in [first, second] {
        store.remove_token(&token, after(3)).await.unwrap();
    }
    store.add_device(&alice(), Channel::Webhook, None, after(4)).await.unwrap();
    assert_eq!(living(&store, 1, after(5)).await, None);
    assert!(!opens(&store, CodePurpose::Enrol, 1).await);
}

pub(crate) async fn a_users_sessions_are_listed_the_last_used_first(site: &impl Site) {
    let store = with_alice(site).await;
    store.add_user(user("bob"), NOW).await.unwrap();
    store.open_web_session(session(1, WebStep::Full), NOW).await.unwrap();
    store.open_web_session(session(2, WebStep::Password), after(5)).await.unwrap();
    let staff = NewWebSession { realm: WebRealm::Admin, agent: None, ..session(3, WebStep::Full) };
    store.open_web_session(staff, after(9)).await.unwrap();
    let bobs = NewWebSession { user: ResolvedUser::new("bob"), ..session(4, WebStep::Full) };
    store.open_web_session(bobs, after(9)).await.unwrap();
    assert!(living(&store, 1, after(100)).await.is_some());
    let listed = site.open().list_web_sessions(&alice(), after(101)).await.unwrap();
    let ids: Vec<_> = listed.iter().map(|one| (one.id[0], one.realm, one.seen_at)).collect();
    let expected = [(1, WebRealm::Portal, after(100)), (3, WebRealm::Admin, after(9)), (2, WebRealm::Portal, after(5))];
    assert_eq!(ids, expected);
    assert_eq!((listed[0].agent.as_deref(), listed[1].agent.as_deref()), (Some("Mozilla/5.0"), None));
    assert_eq!((listed[0].session.began_at, listed[2].session.step), (NOW, WebStep::Password));
    assert_eq!(store.list_web_sessions(&alice(), after(3600)).await.unwrap(), []);
    assert_eq!(store.list_web_sessions(&ResolvedUser::new("nobody"), NOW).await.unwrap(), []);
}

pub(crate) async fn sessions_are_closed_one_or_all_but_one(site: &impl Site) {
    let store = with_alice(site).await;
    for n in 1..=4 {
        store.open_web_session(session(n, WebStep::Full), NOW).await.unwrap();
    }
    store.close_web_session(&id(1)).await.unwrap();
    store.close_web_session(&id(1)).await.unwrap();
    assert_eq!(living(&store, 1, after(1)).await, None);
    assert_eq!(store.close_web_sessions(&alice(), Some(id(2))).await.unwrap(), 2);
    assert!(living(&store, 2, after(1)).await.is_some() && living(&store, 3, after(1)).await.is_none());
    assert_eq!(store.close_web_sessions(&alice(), None).await.unwrap(), 1);
    assert_eq!(store.close_web_sessions(&ResolvedUser::new("nobody"), None).await.unwrap(), 0);
}

pub(crate) async fn a_block_a_report_or_a_new_password_closes_sessions(site: &impl Site) {
    let store = with_alice(site).await;
    let phone = store.add_device(&alice(), Channel::Loopback, None, NOW).await.unwrap();
    store.open_web_session(session(1, WebStep::Full), NOW).await.unwrap();
    store.block_user(&alice(), "left".into()).await.unwrap();
    assert_eq!(living(&store, 1, after(1)).await, None);
    store.unblock_user(&alice()).await.unwrap();
    assert_eq!(living(&store, 1, after(1)).await, None);
    store.open_web_session(session(2, WebStep::Full), NOW).await.unwrap();
    store.claim_prompt(claim(1, 1, NOW), NOW, &limits()).await.unwrap();
    store.answer_prompt(prompt_id(1), &phone, PhoneAnswer::Fraud, None, NOW, &limits()).await.unwrap();
    assert_eq!(living(&store, 2, after(1)).await, None);
    store.open_web_session(session(3, WebStep::Full), NOW).await.unwrap();
    store.set_password(&alice(), Some(Secret::new("$argon2id$"))).await.unwrap();
    assert_eq!(living(&store, 3, after(1)).await, None);
}

pub(crate) async fn sessions_are_bounded_and_a_password_pushes_no_factor_out(site: &impl Site) {
    let store = with_alice(site).await;
    store.open_web_session(session(0, WebStep::Full), NOW).await.unwrap();
    for n in 1..=60 {
        store.open_web_session(session(n, WebStep::Password), after(u64::from(n))).await.unwrap();
    }
    assert!(living(&store, 0, after(100)).await.is_some());
    assert!(living(&store, 60, after(100)).await.is_some(), "the newest is let in");
    assert_eq!(store.close_web_sessions(&alice(), None).await.unwrap(), 20);
}
