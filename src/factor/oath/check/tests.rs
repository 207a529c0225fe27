//! Guesses against a store in memory that can lose, delay and overtake commits.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use login::limits::Bucket;
use login::{Tick, TokenId, Wall};

use super::*;
use crate::factor::oath::testing::{SEED, hotp_token, totp_token};
use crate::factor::oath::{Tries, code_at, hotp};
use crate::store::{
    Algorithm, Mark, NewToken, NewUser, Sqlite, SqliteOptions, StoreError, StoreFuture, StoreKey, TokenUse, Tokens,
    Trouble, Users, WrongBefore,
};

const NOW: Wall = Wall(1_700_000_010_000);

/// What a store keeps of one user, and the mischief it does next.
#[derive(Default)]
struct Fake {
    kept: Mutex<Kept>,
    /// So many commits answer *unknown*; `true`: and are written nevertheless.
    unknown: Mutex<Vec<bool>>,
    /// So many commits are overtaken by another node's.
    overtaken: AtomicU32,
    down: Mutex<Option<StoreError>>,
    reads: AtomicU32,
    commits: AtomicU32,
}

#[derive(Default)]
struct Kept {
    version: u64,
    tokens: Vec<OpenToken>,
    bucket: Bucket,
    wrong: Option<WrongBefore>,
    settled: HashMap<[u8; 16], u64>,
}

impl Fake {
    fn holding(tokens: Vec<OpenToken>) -> Self {
        let kept = Mutex::new(Kept { tokens, ..Kept::default() });
        Self { kept, ..Self::default() }
    }

    fn write(&self, commit: &GuessCommit, limits: &Limits) -> CommittedGuess {
        let mut kept = self.kept.lock().unwrap();
        if kept.settled.contains_key(&commit.guess_id) {
            return CommittedGuess::Committed;
        }
        if kept.version != commit.version {
            return CommittedGuess::Stale;
        }
        kept.version += 1;
        let version = kept.version;
        kept.settled.insert(commit.guess_id, version);
        match &commit.outcome {
            GuessOutcome::Wrong(code) if kept.wrong.is_some_and(|wrong| wrong.is_repeated_by(code, commit.at)) => {}
            GuessOutcome::Wrong(code) => {
                kept.bucket = kept.bucket.after_failure(limits, commit.at);
                kept.wrong = Some(WrongBefore { code: *code, since: commit.at });
            }
            GuessOutcome::Used(uses) => {
                (kept.bucket, kept.wrong) = (Bucket::default(), None);
                for TokenUse { token, mark } in uses {
                    let open = kept.tokens.iter_mut().find(|open| open.token.id == *token).unwrap();
                    match *mark {
                        Mark::Totp { step, drift_steps } => {
                            assert!(open.last_step.is_none_or(|last| step > last), "a step was used twice");
                            (open.last_step, open.drift_steps) = (Some(step), drift_steps);
                        }
                        Mark::Hotp { counter } => {
                            assert!(counter >= open.counter, "a counter was used twice");
                            open.counter = counter + 1;
                        }
                    }
                }
            }
        }
        CommittedGuess::Committed
    }

    fn failures(&self) -> u32 {
        self.kept.lock().unwrap().bucket.failures
    }

    fn token(&self, at: usize) -> OpenToken {
        self.kept.lock().unwrap().tokens[at].clone()
    }
}

impl Codes for Fake {
    fn read_guess(
        &self,
        _: &ResolvedUser,
        _: Option<&Station>,
        methods: &[Method],
        _: Wall,
        _: &Limits,
    ) -> StoreFuture<'_, Guess> {
        self.reads.fetch_add(1, Ordering::Relaxed);
        let methods = methods.to_vec();
        Box::pin(async move {
            if let Some(error) = self.down.lock().unwrap().clone() {
                return Err(error);
            }
            let kept = self.kept.lock().unwrap();
            let tokens =
                kept.tokens.iter().filter(|open| methods.contains(&open.token.kind.method())).cloned().collect();
            Ok(Guess { version: kept.version, tokens, bucket: kept.bucket, wrong: kept.wrong, ..Guess::default() })
        })
    }

    fn wrong_code(&self, user: &ResolvedUser, code: &Secret, tried_on: &[OpenToken]) -> WrongCode {
        WrongCode::of(&[7; 32], user, code, tried_on)
    }

    fn commit_guess(&self, commit: GuessCommit, limits: &Limits) -> StoreFuture<'_, CommittedGuess> {
        self.commits.fetch_add(1, Ordering::Relaxed);
        let limits = limits.clone();
        Box::pin(async move {
            // Everybody has read before anybody writes: the worst race there is.
            tokio::task::yield_now().await;
            if self.overtaken.load(Ordering::Relaxed) > 0 {
                self.overtaken.fetch_sub(1, Ordering::Relaxed);
                self.kept.lock().unwrap().version += 1;
            }
            let unknown = self.unknown.lock().unwrap().pop();
            match unknown {
                Some(written) => {
                    if written {
                        self.write(&commit, &limits);
                    }
                    Err(StoreError::Unknown("the disk is silent".into()))
                }
                None => Ok(self.write(&commit, &limits)),
            }
        })
    }
}

struct Login {
    user: ResolvedUser,
    ids: AtomicU32,
}

impl Login {
    fn new() -> Self {
        Self { user: ResolvedUser::new("alice"), ids: AtomicU32::new(0) }
    }

    async fn types(&self, store: &Fake, code: &Secret, at: Wall) -> Result<CodeOutcome, Unavailable> {
        self.types_as(store, code, at, &[Method::Push, Method::Totp, Method::Hotp]).await
    }

    async fn types_as(
        &self,
        store: &Fake,
        code: &Secret,
        at: Wall,
        methods: &[Method],
    ) -> Result<CodeOutcome, Unavailable> {
        let mut guess_id = [0; 16];
        guess_id[..4].copy_from_slice(&self.ids.fetch_add(1, Ordering::Relaxed).to_be_bytes());
        let at = Moment { tick: Tick(0), wall: at };
        let typed = TypedCode { guess_id, user: &self.user, station: None, code, methods, at };
        check(store, &typed, &Limits::default(), &Tries(3)).await
    }
}

fn right(method: Method, token: &str) -> Result<CodeOutcome, Unavailable> {
    Ok(CodeOutcome::Right { method, token: TokenId(token.into()) })
}

fn shown(store: &Fake, at: Wall) -> Secret {
    code_at(&store.token(0), at).unwrap()
}

fn wrong_code(store: &Fake) -> Secret {
    wrong_codes(store).remove(0)
}

/// Codes that are no step's around now.
fn wrong_codes(store: &Fake) -> Vec<Secret> {
    let right: Vec<Secret> = (0..9).map(|step| shown(store, Wall(NOW.0 - 120_000 + step * 30_000))).collect();
    let codes = (0..220).map(|n| Secret::new(format!("{n:06}")));
    codes.filter(|code| !right.contains(code)).collect()
}

#[tokio::test]
async fn a_code_works_once() {
    let (store, login) = (Fake::holding(vec![totp_token("t")]), Login::new());
    let code = shown(&store, NOW);
    assert_eq!(login.types(&store, &code, NOW).await, right(Method::Totp, "t"));
    assert_eq!(login.types(&store, &code, NOW).await, Ok(CodeOutcome::Spent));
    assert_eq!(store.failures(), 0, "a spent code is no guess");
}

#[tokio::test]
async fn a_clock_that_steps_back_does_not_make_it_work_again() {
    let (store, login) = (Fake::holding(vec![totp_token("t")]), Login::new());
    let code = shown(&store, NOW);
    assert_eq!(login.types(&store, &code, NOW).await, right(Method::Totp, "t"));
    assert_eq!(login.types(&store, &code, Wall(NOW.0 - 30_000)).await, Ok(CodeOutcome::Spent));
    assert_eq!(login.types(&store, &code, Wall(NOW.0 - 3_600_000)).await, Ok(CodeOutcome::Wrong));
}

#[tokio::test]
async fn of_five_hundred_parallel_guesses_with_one_code_one_is_right() {
    let (store, login) = (Arc::new(Fake::holding(vec![totp_token("t")])), Arc::new(Login::new()));
    let code = shown(&store, NOW);
    let mut all = tokio::task::JoinSet::new();
    for _ in 0..500 {
        let (store, login, code) = (Arc::clone(&store), Arc::clone(&login), code.clone());
        all.spawn(async move { login.types(&store, &code, NOW).await });
    }
    let outcomes = all.join_all().await;
    assert_eq!(outcomes.iter().filter(|outcome| **outcome == right(Method::Totp, "t")).count(), 1);
    assert_eq!(outcomes.iter().filter(|outcome| **outcome == Ok(CodeOutcome::Spent)).count(), 499);
}

#[tokio::test]
async fn parallel_wrong_guesses_serialise_until_the_lock() {
    let (store, login) = (Arc::new(Fake::holding(vec![totp_token("t")])), Arc::new(Login::new()));
    let mut all = tokio::task::JoinSet::new();
    for code in wrong_codes(&store).into_iter().take(200) {
        let (store, login) = (Arc::clone(&store), Arc::clone(&login));
        all.spawn(async move { login.types(&store, &code, NOW).await });
    }
    let outcomes = all.join_all().await;
    assert_eq!(outcomes.iter().filter(|outcome| **outcome == Ok(CodeOutcome::Wrong)).count(), 5);
    assert_eq!(outcomes.iter().filter(|outcome| matches!(outcome, Ok(CodeOutcome::Locked { .. }))).count(), 195);
    assert_eq!(store.failures(), 5);
}

#[tokio::test]
async fn while_locked_the_right_code_is_not_looked_at() {
    let (store, login) = (Fake::holding(vec![totp_token("t")]), Login::new());
    for code in wrong_codes(&store).iter().take(5) {
        assert_eq!(login.types(&store, code, NOW).await, Ok(CodeOutcome::Wrong));
    }
    let until = Wall(NOW.0 + 60_000);
    let code = shown(&store, NOW);
    assert_eq!(login.types(&store, &code, NOW).await, Ok(CodeOutcome::Locked { until }));
    assert_eq!(store.token(0).last_step, None);
    assert_eq!(login.types(&store, &shown(&store, until), until).await, right(Method::Totp, "t"));
    assert_eq!(store.failures(), 0);
}

#[tokio::test]
async fn a_stale_guess_reads_and_guesses_again() {
    let (store, login) = (Fake::holding(vec![totp_token("t")]), Login::new());
    store.overtaken.store(2, Ordering::Relaxed);
    assert_eq!(login.types(&store, &shown(&store, NOW), NOW).await, right(Method::Totp, "t"));
    assert_eq!(store.reads.load(Ordering::Relaxed), 3);
}

#[tokio::test]
async fn a_guess_that_is_always_overtaken_ends() {
    let (store, login) = (Fake::holding(vec![totp_token("t")]), Login::new());
    store.overtaken.store(1_000, Ordering::Relaxed);
    assert!(login.types(&store, &shown(&store, NOW), NOW).await.is_err());
    assert_eq!(store.reads.load(Ordering::Relaxed), STALE_TRIES_MAX);
}

#[tokio::test]
async fn an_unknown_commit_is_settled_by_repeating_it() {
    for written in [true, false] {
        let (store, login) = (Fake::holding(vec![totp_token("t")]), Login::new());
        *store.unknown.lock().unwrap() = vec![written; 3];
        let code = shown(&store, NOW);
        assert_eq!(login.types(&store, &code, NOW).await, right(Method::Totp, "t"));
        assert_eq!(store.commits.load(Ordering::Relaxed), 4);
        assert_eq!(login.types(&store, &code, NOW).await, Ok(CodeOutcome::Spent));
    }
}

#[tokio::test]
async fn an_unknown_failure_counts_once() {
    let (store, login) = (Fake::holding(vec![totp_token("t")]), Login::new());
    *store.unknown.lock().unwrap() = vec![true; 2];
    assert_eq!(login.types(&store, &wrong_code(&store), NOW).await, Ok(CodeOutcome::Wrong));
    assert_eq!(store.failures(), 1);
}

#[tokio::test]
async fn a_failure_that_was_never_settled_counts_once_when_the_code_is_typed_again() {
    for written in [true, false] {
        let (store, login) = (Fake::holding(vec![totp_token("t")]), Login::new());
        *store.unknown.lock().unwrap() = vec![written; 4];
        let code = wrong_code(&store);
        assert!(login.types(&store, &code, NOW).await.is_err());
        assert_eq!(login.types(&store, &code, NOW).await, Ok(CodeOutcome::Wrong));
        assert_eq!(store.failures(), 1, "written: {written}");
    }
}

#[tokio::test]
async fn a_wrong_code_that_is_repeated_counts_once_and_alternating_ones_all_count() {
    let (store, login) = (Fake::holding(vec![totp_token("t")]), Login::new());
    let codes = wrong_codes(&store);
    for later in [0, 1, 29_999, 30_000, 86_400_000] {
        assert_eq!(login.types(&store, &codes[0], Wall(NOW.0 + later)).await, Ok(CodeOutcome::Wrong));
    }
    assert_eq!((store.failures(), store.commits.load(Ordering::Relaxed)), (1, 1));
    for n in [1, 0, 1] {
        assert_eq!(login.types(&store, &codes[n], NOW).await, Ok(CodeOutcome::Wrong));
    }
    assert_eq!(store.failures(), 4);
}

#[tokio::test]
async fn parallel_repetitions_of_a_wrong_code_count_once() {
    let (store, login) = (Arc::new(Fake::holding(vec![totp_token("t")])), Arc::new(Login::new()));
    let code = wrong_code(&store);
    let mut all = tokio::task::JoinSet::new();
    for _ in 0..500 {
        let (store, login, code) = (Arc::clone(&store), Arc::clone(&login), code.clone());
        all.spawn(async move { login.types(&store, &code, NOW).await });
    }
    assert!(all.join_all().await.into_iter().all(|outcome| outcome == Ok(CodeOutcome::Wrong)));
    assert_eq!(store.failures(), 1);
}

#[tokio::test]
async fn a_code_that_was_typed_a_step_too_early_is_right_at_the_next_one() {
    let (store, login) = (Fake::holding(vec![totp_token("t")]), Login::new());
    let early = shown(&store, Wall(NOW.0 + 60_000));
    assert_eq!(login.types(&store, &early, NOW).await, Ok(CodeOutcome::Wrong));
    assert_eq!(login.types(&store, &early, Wall(NOW.0 + 29_999)).await, Ok(CodeOutcome::Wrong));
    assert_eq!(login.types(&store, &early, Wall(NOW.0 + 59_999)).await, right(Method::Totp, "t"));
}

/// Of one counted failure the next step is tried too, and never another: repeating one code for ever is no way around D1.
#[tokio::test]
async fn a_code_that_is_repeated_for_ever_is_tried_on_no_later_step() {
    let (store, login) = (Fake::holding(vec![totp_token("t")]), Login::new());
    let lucky = shown(&store, Wall(NOW.0 + 300_000));
    for seconds in (0..600).step_by(10) {
        let at = Wall(NOW.0 + seconds * 1000);
        assert_eq!(login.types(&store, &lucky, at).await, Ok(CodeOutcome::Wrong), "after {seconds} s");
    }
    assert_eq!((store.failures(), store.token(0).last_step), (1, None));
    let next = shown(&store, Wall(NOW.0 + 600_000));
    assert_eq!(login.types(&store, &next, Wall(NOW.0 + 600_000)).await, right(Method::Totp, "t"));
}

#[tokio::test]
async fn a_repeated_code_is_looked_at_anew_once_its_token_is_there() {
    let (store, login) = (Fake::holding(vec![totp_token("t")]), Login::new());
    let code = hotp(Algorithm::Sha1, SEED, 0, 6);
    assert_eq!(login.types(&store, &code, NOW).await, Ok(CodeOutcome::Wrong));
    store.kept.lock().unwrap().tokens.push(hotp_token("h"));
    assert_eq!(login.types(&store, &code, Wall(NOW.0 + 600_000)).await, right(Method::Hotp, "h"));
}

/// Two processes on one file, and a third after both are gone.
#[tokio::test(flavor = "multi_thread")]
async fn over_processes_and_restarts_a_repeated_wrong_code_counts_once() {
    let directory = tempfile::tempdir().unwrap();
    let key = StoreKey::generate(&directory.path().join("store.key")).unwrap();
    let url = format!("sqlite:{}", directory.path().join("vestibule.db").display());
    let open = || Sqlite::open(&url, &key, SqliteOptions::default()).unwrap();
    let (one, two) = (open(), open());
    let alice = ResolvedUser::new("alice");
    let user = NewUser { name: alice.clone(), groups: Vec::new(), mail: None, password_hash: None, by_staff: None };
    one.add_user(user, NOW).await.unwrap();
    let token = NewToken {
        kind: totp_token("t").token.kind,
        seed: Secret::new(SEED),
        digits: 6,
        algorithm: Algorithm::Sha1,
        label: None,
        used: None,
    };
    one.add_token(&alice, token, NOW).await.unwrap();
    let code = wrong_code(&Fake::holding(vec![totp_token("t")]));
    let typed = |store: Sqlite, n: u8| {
        let (user, code) = (alice.clone(), code.clone());
        async move {
            let at = Moment { tick: Tick(0), wall: NOW };
            let methods = &[Method::Totp];
            let typed = TypedCode { guess_id: [n; 16], user: &user, station: None, code: &code, methods, at };
            check(&store, &typed, &Limits::default(), &Tries(3)).await
        }
    };
    let mut all = tokio::task::JoinSet::new();
    for n in 0..100 {
        all.spawn(typed(if n % 2 == 0 { one.clone() } else { two.clone() }, n));
    }
    assert!(all.join_all().await.into_iter().all(|outcome| outcome == Ok(CodeOutcome::Wrong)));
    drop((one, two));
    let risen = open();
    assert_eq!(typed(risen.clone(), 200).await, Ok(CodeOutcome::Wrong));
    assert_eq!(risen.show_user(&alice).await.unwrap().unwrap().codes.failures, 1);
}

#[tokio::test]
async fn an_unsettled_commit_is_no_answer_and_never_a_confirmed_outage() {
    let (store, login) = (Fake::holding(vec![totp_token("t")]), Login::new());
    *store.unknown.lock().unwrap() = vec![false; 100];
    let outcome = login.types(&store, &shown(&store, NOW), NOW).await;
    assert!(matches!(outcome, Err(Unavailable { confirmed: false, .. })), "{outcome:?}");
    assert_eq!(store.commits.load(Ordering::Relaxed), 4);
}

#[tokio::test]
async fn a_store_that_is_away_is_no_answer() {
    let (store, login) = (Fake::holding(vec![totp_token("t")]), Login::new());
    *store.down.lock().unwrap() = Some(StoreError::Unavailable(Trouble::Locked));
    assert!(matches!(login.types(&store, &shown(&store, NOW), NOW).await, Err(Unavailable { confirmed: false, .. })));
}

#[tokio::test]
async fn drift_is_remembered_from_one_login_to_the_next() {
    let (store, login) = (Fake::holding(vec![totp_token("t")]), Login::new());
    // A phone whose clock runs ahead by one more step at each login, until four.
    for (login_at, ahead) in [(0, 1), (600_000, 2), (1_200_000, 3), (1_800_000, 4)] {
        let now = Wall(NOW.0 + login_at);
        let code = shown(&store, Wall(now.0 + ahead * 30_000));
        assert_eq!(login.types(&store, &code, now).await, right(Method::Totp, "t"), "{ahead} steps ahead");
    }
    assert_eq!(store.token(0).drift_steps, 4);
}

#[tokio::test]
async fn hotp_never_looks_back_and_skips_what_was_passed_over() {
    let (store, login) = (Fake::holding(vec![hotp_token("h")]), Login::new());
    let code = |counter| hotp(Algorithm::Sha1, SEED, counter, 6);
    assert_eq!(login.types(&store, &code(4), NOW).await, right(Method::Hotp, "h"));
    for passed in 0..=4 {
        store.kept.lock().unwrap().bucket = Bucket::default();
        assert_eq!(login.types(&store, &code(passed), NOW).await, Ok(CodeOutcome::Wrong), "counter {passed}");
    }
    assert_eq!(login.types(&store, &code(5), NOW).await, right(Method::Hotp, "h"));
}

#[tokio::test]
async fn only_tokens_of_the_listed_kinds_are_tried() {
    let (store, login) = (Fake::holding(vec![totp_token("t")]), Login::new());
    let code = shown(&store, NOW);
    assert_eq!(login.types_as(&store, &code, NOW, &[Method::Hotp, Method::Push]).await, Ok(CodeOutcome::NoToken));
    assert_eq!(store.commits.load(Ordering::Relaxed), 0);
}
