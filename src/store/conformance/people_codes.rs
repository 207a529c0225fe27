//! Activation and recovery codes: spent once, whoever asks how often (rules C1, F3); invitations once a day (F7).

use std::sync::Arc;
use std::time::Duration;

use login::ResolvedUser;
use wire::Secret;

use super::super::{CodePurpose, CodeSpent, Refusal, Store, StoreError};
use super::{NOW, Site, after, alice, user};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

fn code(word: &str) -> Secret {
    Secret::new(word)
}

async fn alice_with_code(site: &impl Site) -> Arc<dyn Store> {
    let store = site.open();
    store.add_user(user("alice"), NOW).await.unwrap();
    store.add_user(user("mallory"), NOW).await.unwrap();
    store.issue_code(&alice(), CodePurpose::Enrol, &code("right"), DAY, NOW).await.unwrap();
    store
}

async fn spends(store: &Arc<dyn Store>, word: &str, id: u8) -> CodeSpent {
    store.spend_code(&alice(), CodePurpose::Enrol, &code(word), [id; 16], after(1)).await.unwrap()
}

pub(crate) async fn an_activation_code_works_once(site: &impl Site) {
    let store = alice_with_code(site).await;
    let mallory = ResolvedUser::new("mallory");
    let foreign = store.spend_code(&mallory, CodePurpose::Enrol, &code("right"), [1; 16], after(1)).await.unwrap();
    assert_eq!(foreign, CodeSpent::Wrong);
    let other = store.spend_code(&alice(), CodePurpose::MailedEnrol, &code("right"), [2; 16], after(1)).await.unwrap();
    assert_eq!(other, CodeSpent::Wrong);
    let unknown = ResolvedUser::new("nobody");
    let unknown = store.spend_code(&unknown, CodePurpose::Enrol, &code("right"), [3; 16], after(1)).await.unwrap();
    assert_eq!(unknown, CodeSpent::Wrong);
    assert_eq!(spends(&store, "right", 4).await, CodeSpent::Right);
    assert_eq!(spends(&site.open(), "right", 4).await, CodeSpent::Right, "repeated it says what it said");
    assert_eq!(spends(&site.open(), "right", 5).await, CodeSpent::Wrong);
}

pub(crate) async fn another_mailbox_voids_what_was_mailed_to_the_old_one(site: &impl Site) {
    let store = alice_with_code(site).await;
    let mailed = code("mailed");
    for (id, address, spent) in [(1, "a@example.com", CodeSpent::Right), (2, "b@example.com", CodeSpent::Wrong)] {
        store.set_mail(&alice(), Some("a@example.com".into())).await.unwrap();
        store.issue_code(&alice(), CodePurpose::MailedEnrol, &mailed, DAY, NOW).await.unwrap();
        store.set_mail(&alice(), Some(address.into())).await.unwrap();
        let spends = store.spend_code(&alice(), CodePurpose::MailedEnrol, &mailed, [id; 16], after(1));
        assert_eq!(spends.await.unwrap(), spent, "{address}");
    }
    assert_eq!(spends(&store, "right", 9).await, CodeSpent::Right, "an admin's code lies in no mailbox");
}

pub(crate) async fn of_fifty_who_bring_one_code_one_gets_in(site: &impl Site) {
    let stores = [alice_with_code(site).await, site.open()];
    let mut all = tokio::task::JoinSet::new();
    for id in 0..50 {
        let store = Arc::clone(&stores[usize::from(id % 2)]);
        all.spawn(async move { spends(&store, "right", id).await });
    }
    assert_eq!(all.join_all().await.into_iter().filter(|spent| *spent == CodeSpent::Right).count(), 1);
}

pub(crate) async fn five_wrong_ones_void_a_code(site: &impl Site) {
    let store = alice_with_code(site).await;
    for id in 0..20 {
        assert_eq!(spends(&store, "the same wrong one", id).await, CodeSpent::Wrong);
    }
    for (id, word) in (20..).zip(["2", "3", "4"]) {
        assert_eq!(spends(&store, word, id).await, CodeSpent::Wrong);
    }
    assert_eq!(spends(&store, "right", 30).await, CodeSpent::Right, "four were wrong");
    let another = site.another();
    let store = alice_with_code(&another).await;
    for id in 0..5 {
        assert_eq!(spends(&store, &id.to_string(), id).await, CodeSpent::Wrong);
    }
    assert_eq!(spends(&store, "right", 30).await, CodeSpent::Wrong);
}

pub(crate) async fn a_newer_code_voids_the_older_and_time_voids_both(site: &impl Site) {
    let store = alice_with_code(site).await;
    store.issue_code(&alice(), CodePurpose::Enrol, &code("newer"), DAY, NOW).await.unwrap();
    assert_eq!(spends(&store, "right", 1).await, CodeSpent::Wrong);
    let end = NOW.plus(DAY);
    let late = store.spend_code(&alice(), CodePurpose::Enrol, &code("newer"), [2; 16], end).await.unwrap();
    assert_eq!(late, CodeSpent::Wrong);
    let nobody = ResolvedUser::new("nobody");
    assert!(store.issue_code(&nobody, CodePurpose::Enrol, &code("x"), DAY, NOW).await.is_err());
}

pub(crate) async fn a_recovery_code_works_once(site: &impl Site) {
    let store = alice_with_code(site).await;
    let spend = async |user: ResolvedUser, word: &str, id: u8| {
        site.open().spend_recovery_code(&user, &code(word), [id; 16], NOW).await.unwrap()
    };
    store.set_recovery_codes(&alice(), vec![code("a"), code("b"), code("c")], NOW).await.unwrap();
    assert_eq!(store.recovery_codes_left(&alice()).await.unwrap(), 3);
    assert!(!spend(ResolvedUser::new("mallory"), "a", 1).await && !spend(ResolvedUser::new("nobody"), "a", 2).await);
    assert!(spend(alice(), "a", 3).await);
    assert!(spend(alice(), "a", 3).await, "repeated it says what it said");
    assert!(!spend(alice(), "a", 4).await && !spend(alice(), "x", 5).await);
    assert_eq!(store.recovery_codes_left(&alice()).await.unwrap(), 2);
    store.set_recovery_codes(&alice(), vec![code("d")], NOW).await.unwrap();
    assert!(!spend(alice(), "b", 6).await && spend(alice(), "d", 7).await);
    let many = (0..33).map(|n| code(&n.to_string())).collect();
    let error = store.set_recovery_codes(&alice(), many, NOW).await.unwrap_err();
    assert!(matches!(error, StoreError::Refused(Refusal::TooMany { .. })), "{error}");
    assert_eq!(store.recovery_codes_left(&ResolvedUser::new("nobody")).await.unwrap(), 0);
}

pub(crate) async fn of_fifty_who_bring_one_recovery_code_one_gets_in(site: &impl Site) {
    let store = alice_with_code(site).await;
    store.set_recovery_codes(&alice(), vec![code("a"), code("b")], NOW).await.unwrap();
    let stores = [Arc::clone(&store), site.open()];
    let mut all = tokio::task::JoinSet::new();
    for id in 0..50 {
        let store = Arc::clone(&stores[usize::from(id % 2)]);
        all.spawn(async move { store.spend_recovery_code(&alice(), &code("a"), [id; 16], NOW).await.unwrap() });
    }
    assert_eq!(all.join_all().await.into_iter().filter(|spent| *spent).count(), 1);
    assert_eq!(store.recovery_codes_left(&alice()).await.unwrap(), 1);
}

pub(crate) async fn an_invitation_goes_out_once_a_day(site: &impl Site) {
    let store = alice_with_code(site).await;
    assert!(store.invite(&alice(), after(100)).await.unwrap());
    for at in [after(100), after(3600), NOW] {
        assert!(!site.open().invite(&alice(), at).await.unwrap(), "whatever the clock did");
    }
    assert!(store.invite(&alice(), after(100).plus(DAY)).await.unwrap());
    assert!(store.invite(&ResolvedUser::new("nobody"), NOW).await.is_err());
}
