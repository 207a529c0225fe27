//! What was answered survives a crash (rules C1, C2), and nothing secret lies open in the files (F1).

use std::path::Path;

use login::{Claim, Method};
use proptest::prelude::*;
use wire::Secret;

use super::super::super::conformance::{
    NOW, Site, accepted, after, alice, check, claim, guess, limits, totp, used, user, version,
};
use super::super::super::rows::{Channel, CommittedGuess, GuessOutcome, NewToken, NewUser};
use super::super::super::verbs::{Codes, Prompts, Records, Releases, Tokens, Users};
use super::super::{Sqlite, SqliteOptions};
use super::Place;

/// The files as a crash at this very moment leaves them, opened again.
fn crash(place: &Place, n: u64) -> Sqlite {
    let image = place.directory.path().join(format!("crash-{n}.db"));
    for suffix in ["", "-wal"] {
        let with = |path: &Path| format!("{}{suffix}", path.display());
        std::fs::copy(with(&place.path()), with(&image)).unwrap();
    }
    Sqlite::open(
        &format!("sqlite:{}", image.display()),
        &place.key,
        SqliteOptions { readers: 1, ..SqliteOptions::default() },
    )
    .unwrap()
}

#[tokio::test]
async fn what_was_answered_survives_a_crash_at_any_moment() {
    let place = Place::fresh();
    let store = place.open();
    store.add_user(user("alice"), NOW).await.unwrap();
    let token = store.add_token(&alice(), totp(), NOW).await.unwrap();
    store.add_device(&alice(), Channel::Webhook, None, NOW).await.unwrap();
    for step in 1..=20_u64 {
        let right = guess(step, version(&store).await, None, used(&token, step), NOW);
        assert_eq!(store.commit_guess(right.clone(), &limits()).await.unwrap(), CommittedGuess::Committed);
        let check = check(login::Means::Token(token.clone()));
        store.release(check, accepted(step), NOW).await.unwrap();
        let risen = crash(&place, step);
        let read = risen.read_guess(&alice(), None, &[Method::Totp], NOW, &limits()).await.unwrap();
        assert_eq!(read.tokens[0].last_step, Some(step));
        assert!(risen.record_of(login::LoginId(step)).await.unwrap().is_some());
        assert_eq!(
            risen.commit_guess(right, &limits()).await.unwrap(),
            CommittedGuess::Committed,
            "the same statement"
        );
        let replay = guess(1000 + step, read.version, None, used(&token, step), NOW);
        assert_eq!(risen.commit_guess(replay, &limits()).await.unwrap(), CommittedGuess::Stale, "the same code");
    }
    store.claim_prompt(claim(1, 1, NOW), NOW, &limits()).await.unwrap();
    let risen = crash(&place, 99);
    assert!(matches!(
        risen.claim_prompt(claim(2, 1, after(1)), after(1), &limits()).await.unwrap(),
        Claim::Joined { .. }
    ));
}

#[tokio::test]
async fn what_was_not_answered_is_wholly_there_or_not_at_all() {
    let place = Place::fresh();
    let store = place.sqlite();
    store.add_user(user("alice"), NOW).await.unwrap();
    let writes: Vec<_> = (1..200_u64)
        .map(|login| {
            let store = store.clone();
            tokio::spawn(async move { store.release(check(login::Means::Excuse), accepted(login), NOW).await })
        })
        .collect();
    tokio::task::yield_now().await;
    // Dropped in the middle: no answer was waited for.
    writes.iter().for_each(tokio::task::JoinHandle::abort);
    drop(store);
    let risen = place.sqlite();
    let whole = risen.verify_chain().await.unwrap();
    assert!(matches!(whole, super::super::super::rows::ChainState::Whole { .. }), "{whole:?}");
}

#[tokio::test]
async fn no_seed_no_code_and_no_password_hash_lies_open_in_the_files() {
    let place = Place::fresh();
    let store = place.sqlite();
    let (seed, hash) = (*b"CANARY-SEED-0123456789ABCDEF", "$argon2id$CANARY-HASH$0123456789");
    let new = NewUser { password_hash: Some(Secret::new(hash)), ..user("alice") };
    store.add_user(new, NOW).await.unwrap();
    let token = store.add_token(&alice(), NewToken { seed: Secret::new(seed), ..totp() }, NOW).await.unwrap();
    let typed = login::Record { user: "CANARY-TYPED".into(), vouched: false, ..accepted(1) };
    store.record(login::Record { answer: login::RecordedAnswer::Reject, ..typed }).await.unwrap();
    let read = store.read_guess(&alice(), None, &[Method::Totp], NOW, &limits()).await.unwrap();
    let wrong = GuessOutcome::Wrong(store.wrong_code(&alice(), &Secret::new("CANARY-CODE"), &read.tokens));
    store.commit_guess(guess(1, read.version, None, wrong, NOW), &limits()).await.unwrap();
    store.set_password(&alice(), None).await.unwrap();
    store.remove_token(&token, NOW).await.unwrap();
    let mut scanned = 0;
    for file in std::fs::read_dir(place.directory.path()).unwrap().map(Result::unwrap) {
        let octets = std::fs::read(file.path()).unwrap();
        scanned += octets.len();
        assert!(!octets.windows(6).any(|window| window == b"CANARY"), "{:?}", file.path());
    }
    assert!(scanned > 10_000, "the database and its WAL were there to be scanned");
    // The scan would find what lies open.
    let wal = std::fs::read(format!("{}-wal", place.path().display())).unwrap();
    assert!(wal.windows(5).any(|window| window == b"alice"));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, ..ProptestConfig::default() })]

    /// Whatever steps come in whatever order, under whatever clock: each commits once and only upwards.
    #[test]
    fn last_step_is_the_greatest_that_was_ever_used(guesses in prop::collection::vec((0_u64..20, 0_u64..4_000_000_000_000), 1..30)) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let place = Place::fresh();
            let store = place.open();
            store.add_user(user("alice"), NOW).await.unwrap();
            let token = store.add_token(&alice(), totp(), NOW).await.unwrap();
            let mut last = None;
            for (id, (step, at)) in (0_u64..).zip(guesses) {
                let right = guess(id, version(&store).await, None, used(&token, step), login::Wall(at));
                let committed = store.commit_guess(right, &limits()).await.unwrap();
                let fresh = last.is_none_or(|last| step > last);
                assert_eq!(committed == CommittedGuess::Committed, fresh);
                last = last.max(Some(step));
            }
            let read = store.read_guess(&alice(), None, &Method::ALL, NOW, &limits()).await.unwrap();
            assert_eq!(read.tokens[0].last_step, last);
        });
    }
}
