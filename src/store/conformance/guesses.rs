//! A code works once (rules C1), and failures count where they should (D1).

use std::sync::Arc;
use std::time::Duration;

use login::limits::Bucket;
use login::{Method, PhoneAnswer, ResolvedUser, Station, TokenId, Wall};
use wire::Secret;

use super::super::{
    Algorithm, Answered, Channel, CommittedGuess, GuessCommit, GuessOutcome, Mark, NewToken, Refusal, Store,
    StoreError, TokenKind, TokenUse,
};
use super::{
    NOW, Site, accepted, after, alice, alice_with_totp, check, claim, elsewhere, guess, home, hotp, limits, prompt_id,
    totp, used, user, version, wrong,
};

const COMMITTED: CommittedGuess = CommittedGuess::Committed;
const STALE: CommittedGuess = CommittedGuess::Stale;

async fn bucket(store: &Arc<dyn Store>, station: &Station, at: Wall) -> (Bucket, bool) {
    let facts = store.user_facts(&alice(), Some(station), at, &limits()).await.unwrap();
    (facts.codes, facts.station_known)
}

/// Wrong guesses, each at the time that the lock before it allows.
async fn fail(store: &Arc<dyn Store>, times: u32, station: &Station, from: Wall) -> Wall {
    let mut at = from;
    for _ in 0..times {
        let (now, _) = bucket(store, station, at).await;
        at = now.lock(at).unwrap_or(at);
        let version = version(store).await;
        let failure = guess(1_000_000 + version, version, Some(station.clone()), wrong(store, version).await, at);
        assert_eq!(store.commit_guess(failure, &limits()).await.unwrap(), COMMITTED);
    }
    at
}

pub(crate) async fn a_code_works_once(site: &impl Site) {
    let (store, token) = alice_with_totp(site).await;
    let first = guess(1, version(&store).await, None, used(&token, 100), NOW);
    assert_eq!(store.commit_guess(first, &limits()).await.unwrap(), COMMITTED);
    let again = guess(2, version(&store).await, None, used(&token, 100), NOW);
    assert_eq!(store.commit_guess(again, &limits()).await.unwrap(), STALE);
    let open = store.read_guess(&alice(), None, &[Method::Totp], NOW, &limits()).await.unwrap();
    assert_eq!(open.tokens[0].last_step, Some(100));
    assert!(store.read_guess(&alice(), None, &[Method::Hotp], NOW, &limits()).await.unwrap().tokens.is_empty());
}

pub(crate) async fn a_step_never_goes_back_whatever_the_clock_does(site: &impl Site) {
    let (store, token) = alice_with_totp(site).await;
    for (id, step, expected) in [(1, 100, COMMITTED), (2, 99, STALE), (3, 0, STALE), (4, 101, COMMITTED)] {
        // An hour back each time.
        let at = Wall(NOW.0 - 3_600_000 * id);
        let stepped = guess(id, version(&store).await, Some(home()), used(&token, step), at);
        assert_eq!(store.commit_guess(stepped, &limits()).await.unwrap(), expected, "step {step}");
    }
    let open = store.read_guess(&alice(), None, &Method::ALL, NOW, &limits()).await.unwrap();
    assert_eq!(open.tokens[0].last_step, Some(101));
}

pub(crate) async fn a_counter_never_goes_back(site: &impl Site) {
    let store = site.open();
    store.add_user(user("alice"), NOW).await.unwrap();
    let token = store.add_token(&alice(), hotp(), NOW).await.unwrap();
    for (id, counter, expected) in
        [(1, 0, COMMITTED), (2, 0, STALE), (3, 7, COMMITTED), (4, 7, STALE), (5, 3, STALE), (6, 8, COMMITTED)]
    {
        let mark = Mark::Hotp { counter };
        let outcome = GuessOutcome::Used(vec![TokenUse { token: token.clone(), mark }]);
        let guess = guess(id, version(&store).await, None, outcome, NOW);
        assert_eq!(store.commit_guess(guess, &limits()).await.unwrap(), expected, "counter {counter}");
    }
    assert_eq!(store.read_guess(&alice(), None, &Method::ALL, NOW, &limits()).await.unwrap().tokens[0].counter, 9);
}

pub(crate) async fn a_user_has_no_seed_twice(site: &impl Site) {
    let (store, token) = alice_with_totp(site).await;
    let same = [
        totp(),
        NewToken { digits: 8, ..totp() },
        NewToken { algorithm: Algorithm::Sha256, ..totp() },
        NewToken { kind: TokenKind::Totp { period_s: 60 }, ..totp() },
        NewToken { seed: totp().seed, ..hotp() },
        // HMAC fills a key up with zeros: these are the same codes (RFC 2104 §2).
        NewToken { seed: Secret::new(*b"12345678901234567890\0\0\0"), ..totp() },
    ];
    for again in same {
        let refused = site.open().add_token(&alice(), again, NOW).await.unwrap_err();
        assert_eq!(refused, StoreError::Refused(Refusal::SameSeed(token.0.clone())));
    }
    assert_eq!(store.list_tokens(&alice()).await.unwrap().len(), 1);
    store.add_user(user("bob"), NOW).await.unwrap();
    store.add_token(&ResolvedUser::new("bob"), totp(), NOW).await.unwrap();
}

pub(crate) async fn of_fifty_who_add_one_seed_at_once_one_does(site: &impl Site) {
    let store = site.open();
    store.add_user(user("alice"), NOW).await.unwrap();
    let stores = [Arc::clone(&store), site.open()];
    let mut adding = tokio::task::JoinSet::new();
    for n in 0..50_usize {
        let store = Arc::clone(&stores[n % 2]);
        adding.spawn(async move { store.add_token(&alice(), totp(), NOW).await.is_ok() });
    }
    assert_eq!(adding.join_all().await.into_iter().filter(|added| *added).count(), 1);
    assert_eq!(store.list_tokens(&alice()).await.unwrap().len(), 1);
}

pub(crate) async fn a_token_that_is_added_again_makes_no_code_new(site: &impl Site) {
    let (store, token) = alice_with_totp(site).await;
    let button = store.add_token(&alice(), hotp(), NOW).await.unwrap();
    store.commit_guess(guess(1, version(&store).await, None, used(&token, 100), NOW), &limits()).await.unwrap();
    let counted = GuessOutcome::Used(vec![TokenUse { token: button.clone(), mark: Mark::Hotp { counter: 6 } }]);
    store.commit_guess(guess(2, version(&store).await, None, counted, NOW), &limits()).await.unwrap();
    for token in [&token, &button] {
        store.remove_token(token, NOW).await.unwrap();
    }
    let token = store.add_token(&alice(), totp(), NOW).await.unwrap();
    // A counter that somebody says is no lower than what was used, either.
    let low = NewToken { used: Some(Mark::Hotp { counter: 2 }), ..hotp() };
    store.add_token(&alice(), low, NOW).await.unwrap();
    let open = site.open().read_guess(&alice(), None, &Method::ALL, NOW, &limits()).await.unwrap().tokens;
    assert_eq!((open[0].last_step, open[1].counter), (Some(100), 7));
    let again = guess(3, version(&store).await, None, used(&token, 100), NOW);
    assert_eq!(store.commit_guess(again, &limits()).await.unwrap(), STALE);
}

pub(crate) async fn a_token_begins_where_it_is_said_to_stand(site: &impl Site) {
    let store = site.open();
    store.add_user(user("alice"), NOW).await.unwrap();
    let confirmed = NewToken { used: Some(Mark::Totp { step: 70, drift_steps: -1 }), ..totp() };
    store.add_token(&alice(), confirmed, NOW).await.unwrap();
    let counted = NewToken { used: Some(Mark::Hotp { counter: 499 }), ..hotp() };
    store.add_token(&alice(), counted, NOW).await.unwrap();
    let open = store.read_guess(&alice(), None, &Method::ALL, NOW, &limits()).await.unwrap().tokens;
    assert_eq!((open[0].last_step, open[0].drift_steps, open[1].counter), (Some(70), -1, 500));
}

pub(crate) async fn a_code_is_used_on_all_its_tokens_or_on_none(site: &impl Site) {
    let (store, token) = alice_with_totp(site).await;
    let other =
        store.add_token(&alice(), NewToken { seed: Secret::new(*b"another 20 octet one"), ..totp() }, NOW).await;
    let other = other.unwrap();
    let both = |step| {
        let mark = Mark::Totp { step, drift_steps: 0 };
        GuessOutcome::Used([&token, &other].map(|token| TokenUse { token: token.clone(), mark }).into())
    };
    store.commit_guess(guess(1, version(&store).await, None, both(100), NOW), &limits()).await.unwrap();
    store.commit_guess(guess(2, version(&store).await, None, used(&other, 102), NOW), &limits()).await.unwrap();
    let stale = guess(3, version(&store).await, None, both(101), NOW);
    assert_eq!(store.commit_guess(stale, &limits()).await.unwrap(), STALE);
    let open = store.read_guess(&alice(), None, &Method::ALL, NOW, &limits()).await.unwrap().tokens;
    assert_eq!((open[0].last_step, open[1].last_step), (Some(100), Some(102)), "the first one has not moved alone");
}

pub(crate) async fn of_two_guesses_on_one_version_one_commits(site: &impl Site) {
    let (store, token) = alice_with_totp(site).await;
    let version = version(&store).await;
    assert_eq!(
        store.commit_guess(guess(1, version, None, wrong(&store, 1).await, NOW), &limits()).await.unwrap(),
        COMMITTED
    );
    assert_eq!(store.commit_guess(guess(2, version, None, used(&token, 9), NOW), &limits()).await.unwrap(), STALE);
}

pub(crate) async fn five_hundred_guesses_on_one_version_reveal_one(site: &impl Site) {
    let (store, token) = alice_with_totp(site).await;
    // Two openings of one site, as two processes would have.
    let stores = [Arc::clone(&store), site.open()];
    let version = version(&store).await;
    let mut guesses = tokio::task::JoinSet::new();
    for n in 0..500_u64 {
        let (store, outcome) = (Arc::clone(&stores[usize::from(n % 2 == 0)]), used(&token, n));
        guesses
            .spawn(async move { store.commit_guess(guess(n, version, None, outcome, NOW), &limits()).await.unwrap() });
    }
    let revealed = guesses.join_all().await.into_iter().filter(|outcome| *outcome == COMMITTED).count();
    assert_eq!(revealed, 1);
}

pub(crate) async fn a_repeated_commit_has_no_second_effect(site: &impl Site) {
    let (store, token) = alice_with_totp(site).await;
    let failure = guess(1, version(&store).await, None, wrong(&store, 1).await, NOW);
    for _ in 0..7 {
        assert_eq!(store.commit_guess(failure.clone(), &limits()).await.unwrap(), COMMITTED);
    }
    assert_eq!(bucket(&store, &home(), NOW).await.0.failures, 1);
    let right = guess(2, version(&store).await, None, used(&token, 5), NOW);
    assert_eq!(store.commit_guess(right.clone(), &limits()).await.unwrap(), COMMITTED);
    // Repeated after a restart, too.
    assert_eq!(site.open().commit_guess(right, &limits()).await.unwrap(), COMMITTED);
}

/// The wrong code number `n` is committed on the newest version, under an id of its own; says how many failures count then.
async fn fail_with(store: &Arc<dyn Store>, n: u64, station: &Station, at: Wall) -> u32 {
    let version = version(store).await;
    let failure = guess(2_000_000 + version, version, Some(station.clone()), wrong(store, n).await, at);
    assert_eq!(store.commit_guess(failure, &limits()).await.unwrap(), COMMITTED);
    bucket(store, station, at).await.0.failures
}

pub(crate) async fn a_wrong_code_that_is_repeated_counts_once(site: &impl Site) {
    let (store, _) = alice_with_totp(site).await;
    assert_eq!(fail_with(&store, 1, &home(), NOW).await, 1);
    assert_eq!(fail_with(&store, 1, &home(), after(1)).await, 1);
    // In a second process, after a restart, and days later.
    let second = site.open();
    assert_eq!(fail_with(&second, 1, &home(), after(2)).await, 1);
    drop((store, second));
    let risen = site.open();
    assert_eq!(fail_with(&risen, 1, &home(), after(300_000)).await, 1);
    let read = risen.read_guess(&alice(), Some(&home()), &Method::ALL, NOW, &limits()).await.unwrap();
    assert_eq!(read.wrong.map(|wrong| wrong.since), Some(NOW), "repetitions don't lengthen anything");
    // A clock that was set back finds a failure that has not happened yet.
    assert_eq!(fail_with(&risen, 1, &home(), Wall(NOW.0 - 1)).await, 2);
}

pub(crate) async fn alternating_wrong_codes_all_count(site: &impl Site) {
    let (store, _) = alice_with_totp(site).await;
    for n in 1..=4_u64 {
        assert_eq!(u64::from(fail_with(&store, n % 2, &home(), NOW).await), n);
    }
}

pub(crate) async fn a_wrong_code_counts_again_once_it_could_say_something_new(site: &impl Site) {
    let (store, token) = alice_with_totp(site).await;
    assert_eq!(fail_with(&store, 1, &elsewhere(), NOW).await, 1);
    let hotp = store.add_token(&alice(), hotp(), NOW).await.unwrap();
    assert_eq!(fail_with(&store, 1, &elsewhere(), NOW).await, 2, "a token that was not there");
    let right = guess(1, version(&store).await, Some(home()), used(&token, 1), NOW);
    store.commit_guess(right, &limits()).await.unwrap();
    let known = store.read_guess(&alice(), Some(&home()), &Method::ALL, NOW, &limits()).await.unwrap();
    assert!(known.station_known);
    store.commit_guess(moved(&store, &hotp).await, &limits()).await.unwrap();
    // Home counts apart now, and its success forgave nothing that a stranger did.
    let version = version(&store).await;
    let again = guess(3, version, Some(elsewhere()), wrong(&store, 1).await, NOW);
    let before = bucket(&store, &elsewhere(), NOW).await.0.failures;
    store.commit_guess(again, &limits()).await.unwrap();
    assert_eq!(bucket(&store, &elsewhere(), NOW).await.0.failures, before + 1, "another counter");
}

/// A use of the counter's first code, from home.
async fn moved(store: &Arc<dyn Store>, hotp: &TokenId) -> GuessCommit {
    let outcome = GuessOutcome::Used(vec![TokenUse { token: hotp.clone(), mark: Mark::Hotp { counter: 0 } }]);
    guess(2, version(store).await, Some(home()), outcome, NOW)
}

pub(crate) async fn a_wrong_code_is_remembered_where_it_counted(site: &impl Site) {
    let (store, token) = alice_with_totp(site).await;
    let right = guess(1, version(&store).await, Some(home()), used(&token, 1), NOW);
    store.commit_guess(right, &limits()).await.unwrap();
    assert_eq!(fail_with(&store, 1, &home(), NOW).await, 1);
    assert_eq!(fail_with(&store, 1, &elsewhere(), NOW).await, 1, "strangers count apart (D1)");
    let right = guess(2, version(&store).await, Some(home()), used(&token, 2), NOW);
    store.commit_guess(right, &limits()).await.unwrap();
    assert_eq!(fail_with(&store, 1, &home(), NOW).await, 1, "a success forgot it with the failures");
    store.unblock_user(&alice()).await.unwrap();
    assert_eq!(fail_with(&store, 1, &elsewhere(), NOW).await, 1, "so did the admin");
}

pub(crate) async fn parallel_repetitions_of_a_wrong_code_count_once(site: &impl Site) {
    let (store, _) = alice_with_totp(site).await;
    let stores = [Arc::clone(&store), site.open()];
    let outcome = wrong(&store, 1).await;
    let mut guesses = tokio::task::JoinSet::new();
    for n in 0..40_u64 {
        let (store, outcome) = (Arc::clone(&stores[usize::from(n % 2 == 0)]), outcome.clone());
        guesses.spawn(async move {
            loop {
                let failure = guess(n, version(&store).await, None, outcome.clone(), NOW);
                if store.commit_guess(failure, &limits()).await.unwrap() == COMMITTED {
                    return;
                }
            }
        });
    }
    guesses.join_all().await;
    assert_eq!(bucket(&store, &home(), NOW).await.0.failures, 1);
}

pub(crate) async fn a_guess_is_stale_once_tokens_changed(site: &impl Site) {
    let (store, token) = alice_with_totp(site).await;
    let before = version(&store).await;
    store.add_token(&alice(), hotp(), NOW).await.unwrap();
    assert_eq!(store.commit_guess(guess(1, before, None, used(&token, 1), NOW), &limits()).await.unwrap(), STALE);
    let before = version(&store).await;
    store.remove_token(&token, NOW).await.unwrap();
    assert_eq!(store.commit_guess(guess(2, before, None, used(&token, 1), NOW), &limits()).await.unwrap(), STALE);
    // Even on the right version a removed token has no use.
    let now = guess(3, version(&store).await, None, used(&token, 1), NOW);
    assert!(store.commit_guess(now, &limits()).await.is_err());
}

pub(crate) async fn failures_lock_and_a_success_forgives(site: &impl Site) {
    let (store, token) = alice_with_totp(site).await;
    fail(&store, 5, &home(), NOW).await;
    let (locked, _) = bucket(&store, &home(), NOW).await;
    assert_eq!((locked.failures, locked.lock(NOW)), (5, Some(after(60))));
    let right = guess(1, version(&store).await, Some(home()), used(&token, 1), after(60));
    assert_eq!(store.commit_guess(right, &limits()).await.unwrap(), COMMITTED);
    assert_eq!(bucket(&store, &home(), after(60)).await, (Bucket::default(), true));
}

pub(crate) async fn a_stranger_does_not_lock_a_known_station(site: &impl Site) {
    let (store, token) = alice_with_totp(site).await;
    let right = guess(1, version(&store).await, Some(home()), used(&token, 1), NOW);
    store.commit_guess(right, &limits()).await.unwrap();
    fail(&store, 5, &elsewhere(), NOW).await;
    let other_stranger = Station::new(b"192.0.2.77");
    assert!(bucket(&store, &other_stranger, NOW).await.0.lock(NOW).is_some(), "all unknown stations count together");
    assert_eq!(bucket(&store, &home(), NOW).await, (Bucket::default(), true));
    fail(&store, 2, &home(), NOW).await;
    assert_eq!(bucket(&store, &home(), NOW).await.0.failures, 2);
    assert_eq!(bucket(&store, &elsewhere(), NOW).await.0.failures, 5);
}

pub(crate) async fn a_station_is_known_for_thirty_days(site: &impl Site) {
    let (store, token) = alice_with_totp(site).await;
    let right = guess(1, version(&store).await, Some(home()), used(&token, 1), NOW);
    store.commit_guess(right, &limits()).await.unwrap();
    let days = |n: u64| NOW.plus(Duration::from_secs(n * 86_400));
    assert!(bucket(&store, &home(), days(30)).await.1);
    assert!(!bucket(&store, &home(), days(31)).await.1);
    assert!(!bucket(&store, &elsewhere(), NOW).await.1);
}

pub(crate) async fn a_locked_station_commits_nothing(site: &impl Site) {
    let (store, token) = alice_with_totp(site).await;
    fail(&store, 5, &home(), NOW).await;
    let right = guess(1, version(&store).await, Some(home()), used(&token, 1), after(59));
    assert_eq!(store.commit_guess(right, &limits()).await.unwrap(), STALE);
    let failure = guess(2, version(&store).await, Some(home()), wrong(&store, 1).await, after(59));
    assert_eq!(store.commit_guess(failure, &limits()).await.unwrap(), STALE);
    assert_eq!(bucket(&store, &home(), NOW).await.0.failures, 5);
}

pub(crate) async fn an_approved_push_unlocks_codes(site: &impl Site) {
    let (store, _) = alice_with_totp(site).await;
    let at = fail(&store, 30, &home(), NOW).await;
    assert_eq!(bucket(&store, &home(), at).await.0.lock(at), Some(Wall::NEVER));
    let device = store.add_device(&alice(), Channel::Loopback, None, at).await.unwrap();
    store.claim_prompt(claim(1, 1, at), at, &limits()).await.unwrap();
    let answered = store.answer_prompt(prompt_id(1), &device, PhoneAnswer::Approve, None, at, &limits()).await.unwrap();
    assert_eq!(answered, Answered::Taken);
    assert_eq!(bucket(&store, &home(), at).await.0, Bucket::default());
}

pub(crate) async fn an_admin_unlocks_codes(site: &impl Site) {
    let (store, _) = alice_with_totp(site).await;
    let at = fail(&store, 30, &home(), NOW).await;
    store.unblock_user(&alice()).await.unwrap();
    assert_eq!(bucket(&store, &home(), at).await.0, Bucket::default());
}

pub(crate) async fn lifted_limits_end_no_block(site: &impl Site) {
    let (store, _) = alice_with_totp(site).await;
    let at = fail(&store, 30, &home(), NOW).await;
    store.block_user(&alice(), "left".into()).await.unwrap();
    store.lift_limits(&alice()).await.unwrap();
    assert_eq!(bucket(&store, &home(), at).await.0, Bucket::default());
    let facts = store.user_facts(&alice(), None, at, &limits()).await.unwrap();
    assert_eq!(facts.blocked.as_deref(), Some("left"));
}

pub(crate) async fn used_codes_outlive_a_restart(site: &impl Site) {
    let (store, token) = alice_with_totp(site).await;
    store.commit_guess(guess(1, version(&store).await, Some(home()), used(&token, 50), NOW), &limits()).await.unwrap();
    drop(store);
    let store = site.open();
    let read = store.read_guess(&alice(), Some(&home()), &Method::ALL, NOW, &limits()).await.unwrap();
    assert_eq!((read.tokens[0].last_step, read.station_known), (Some(50), true));
    let again = guess(2, read.version, Some(home()), used(&token, 50), NOW);
    assert_eq!(store.commit_guess(again, &limits()).await.unwrap(), STALE);
}

pub(crate) async fn stations_are_bounded(site: &impl Site) {
    let (store, token) = alice_with_totp(site).await;
    for n in 0..40_u64 {
        let station = Station::new(format!("station {n}").as_bytes());
        let right = guess(n, version(&store).await, Some(station), used(&token, n), after(n));
        assert_eq!(store.commit_guess(right, &limits()).await.unwrap(), COMMITTED);
    }
    let known = store.show_user(&alice()).await.unwrap().unwrap().stations;
    assert!(known <= 32, "{known}");
    assert!(bucket(&store, &Station::new(b"station 39"), after(40)).await.1);
    assert!(!bucket(&store, &Station::new(b"station 0"), after(40)).await.1);
}

/// Where somebody was let in lately, by whatever opened the second door, strangers' failures keep nobody out (rules D7).
pub(crate) async fn where_somebody_was_let_in_is_known_and_so_is_its_network(site: &impl Site) {
    let (store, _) = alice_with_totp(site).await;
    let at = |address: &str| Station::new(address.as_bytes());
    let let_in = async |login, means, address: &str| {
        let record = login::Record { station: Some(at(address)), ..accepted(login) };
        assert_eq!(store.release(check(means), record, NOW).await.unwrap(), login::ReleaseOutcome::Granted);
    };
    let_in(1, login::Means::Excuse, "2001:db8:0:100::1").await;
    let facts = store.user_facts(&alice(), Some(&at("2001:db8:0:100::1")), NOW, &limits()).await.unwrap();
    assert_eq!((facts.station_known, facts.station_let_in), (false, true), "an excuse proves nothing of codes (D1)");
    for (address, since, known) in [
        ("2001:db8:0:100::1", NOW, true),
        ("2001:db8:0:1ff::9", NOW, true),
        ("2001:db8:0:200::1", NOW, false),
        ("2001:db8:0:100::1", after(1), false),
        ("192.0.2.1", NOW, false),
    ] {
        assert_eq!(store.station_known(&at(address), since).await.unwrap(), known, "{address}");
    }
    store.remember_station(&alice(), &at("192.0.2.1"), NOW).await.unwrap();
    assert!(store.station_known(&at("192.0.2.1"), NOW).await.unwrap());
    assert!(!store.station_known(&at("192.0.2.2"), NOW).await.unwrap());
    let facts = store.user_facts(&alice(), Some(&at("192.0.2.1")), NOW, &limits()).await.unwrap();
    assert!(facts.station_known && facts.station_let_in);
    let month = after(limits().station_known_for.as_secs() + 1);
    let facts = store.user_facts(&alice(), Some(&at("192.0.2.1")), month, &limits()).await.unwrap();
    assert!(!facts.station_known && !facts.station_let_in);
}
