//! PINs: each guess is a compare-and-set on a version that only grows (rules C1), and a lock holds until the help desk resets it.

use std::sync::Arc;

use login::ResolvedUser;
use wire::Secret;

use super::super::{Pin, Store};
use super::{NOW, Site, after, alice, user};

const TRIES: u32 = 3;

fn hash(n: u8) -> Secret {
    Secret::new(format!("$argon2id$v=19$of {n}"))
}

async fn alice_with_pin(site: &impl Site) -> Arc<dyn Store> {
    let store = site.open();
    store.add_user(user("alice"), NOW).await.unwrap();
    store.set_pin(&alice(), hash(1), true, NOW).await.unwrap();
    store
}

async fn pin(store: &Arc<dyn Store>) -> Pin {
    store.pin(&alice(), NOW).await.unwrap().unwrap()
}

async fn guesses(store: &Arc<dyn Store>, id: u8, version: u64, right: bool) -> bool {
    store.commit_pin_guess(&alice(), [id; 16], version, right, TRIES, NOW).await.unwrap()
}

pub(crate) async fn a_pin_comes_back_as_it_was_set(site: &impl Site) {
    let store = alice_with_pin(site).await;
    let first = pin(&site.open()).await;
    assert_eq!((&first.hash, first.failures, first.locked, first.must_change), (&hash(1), 0, false, true));
    store.set_pin(&alice(), hash(2), false, after(5)).await.unwrap();
    let second = pin(&store).await;
    assert_eq!((&second.hash, second.must_change, second.set_at), (&hash(2), false, after(5)));
    assert!(second.version > first.version);
    assert_eq!(store.pin(&ResolvedUser::new("nobody"), NOW).await.unwrap(), None);
    assert!(store.set_pin(&ResolvedUser::new("nobody"), hash(1), false, NOW).await.is_err());
}

pub(crate) async fn a_guess_commits_on_its_version_alone(site: &impl Site) {
    let store = alice_with_pin(site).await;
    let version = pin(&store).await.version;
    assert!(guesses(&store, 1, version, false).await);
    assert!(!guesses(&store, 2, version, true).await, "another guess came first");
    assert_eq!(pin(&store).await.failures, 1);
    assert!(guesses(&store, 3, pin(&store).await.version, true).await);
    assert_eq!(pin(&store).await.failures, 0);
}

pub(crate) async fn a_repeated_guess_has_no_second_effect(site: &impl Site) {
    let store = alice_with_pin(site).await;
    let version = pin(&store).await.version;
    for _ in 0..3 {
        assert!(guesses(&site.open(), 1, version, false).await);
    }
    assert_eq!(pin(&store).await.failures, 1);
}

pub(crate) async fn of_fifty_guesses_on_one_version_one_commits(site: &impl Site) {
    let store = alice_with_pin(site).await;
    let version = pin(&store).await.version;
    let mut all = tokio::task::JoinSet::new();
    for id in 0..50 {
        let store = Arc::clone(&store);
        all.spawn(async move { guesses(&store, id, version, id == 7).await });
    }
    assert_eq!(all.join_all().await.into_iter().filter(|committed| *committed).count(), 1);
}

pub(crate) async fn a_lock_holds_until_it_is_reset(site: &impl Site) {
    let store = alice_with_pin(site).await;
    for id in 0..3 {
        assert!(guesses(&store, id, pin(&store).await.version, false).await);
    }
    let locked = pin(&site.open()).await;
    assert_eq!((locked.failures, locked.locked), (3, true));
    assert!(!guesses(&store, 9, locked.version, true).await, "a locked one takes no guess");
    store.set_pin(&alice(), hash(2), false, after(1)).await.unwrap();
    assert!(pin(&store).await.locked, "a new PIN takes no lock away");
    store.set_pin(&alice(), hash(4), true, after(1)).await.unwrap();
    let initial = pin(&store).await;
    assert_eq!((initial.failures, initial.locked, initial.must_change), (0, false, true), "an initial one is a reset");
    store.reset_pin(&alice()).await.unwrap();
    store.reset_pin(&alice()).await.unwrap();
    assert_eq!(store.pin(&alice(), NOW).await.unwrap(), None);
    assert!(!guesses(&store, 10, locked.version, true).await);
    store.set_pin(&alice(), hash(3), false, after(2)).await.unwrap();
    let fresh = pin(&store).await;
    assert_eq!((fresh.failures, fresh.locked), (0, false));
    assert!(fresh.version > locked.version, "a guess at the old one never counts for the new one");
}
