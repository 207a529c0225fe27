//! Users of our own store: the primary that is built in.
//!
//! Passwords are kept as argon2id hashes in PHC form. Verifying takes tens of milliseconds of one core on purpose, so it
//! runs on a bounded number of blocking threads, and more than a bounded number of logins never queue for them.
//!
//! A name that the store doesn't know costs the same work and gets the same answer as a wrong password, so that
//! neither time nor text tells who has an account. This file never logs or keeps a password.

use std::sync::Arc;

use argon2::Argon2;
use argon2::password_hash::{PasswordHasher, PasswordVerifier, phc::PasswordHash};
use login::{PrimaryAnswer, PrimaryName, ResolvedUser, Unavailable};
use tokio::sync::Semaphore;
use wire::{Code, HeldAttributes, Secret};

use super::{BoxFuture, Clock, Primary, PrimaryObserver, PrimaryRequest, result_of};
use crate::store::Users;

/// How many logins may wait for a hashing thread, for each thread: more would wait longer than an appliance does.
const WAITING_PER_THREAD_MAX: usize = 64;

/// The longest password that is hashed, in octets: what a User-Password can carry (RFC 2865 §5.2).
const PASSWORD_OCTETS_MAX: usize = 128;

/// What the hash for unknown names is made of; knowing it opens nothing.
const DUMMY_PASSWORD: &str = "nobody has this password";

/// Where the hashes are: the store, as narrow as this room needs it.
pub trait Passwords: Send + Sync {
    /// The hash of the user's password in PHC form; `None` if there is no such user or the user has no password here.
    ///
    /// # Errors
    /// The store can't be read; nobody gets in meanwhile.
    fn password_hash<'a>(&'a self, user: &'a ResolvedUser) -> BoxFuture<'a, Result<Option<Secret>, Unavailable>>;
}

/// The passwords that a store keeps.
pub struct StorePasswords<S: ?Sized>(pub Arc<S>);

impl<S: Users + ?Sized> Passwords for StorePasswords<S> {
    fn password_hash<'a>(&'a self, user: &'a ResolvedUser) -> BoxFuture<'a, Result<Option<Secret>, Unavailable>> {
        Box::pin(async move { self.0.password_hash(user).await.map_err(|error| Unavailable::seen(error.to_string())) })
    }
}

/// The primary `local`.
pub struct Local {
    name: PrimaryName,
    passwords: Arc<dyn Passwords>,
    clock: Arc<dyn Clock>,
    observer: Arc<dyn PrimaryObserver>,
    /// As many hashes at once as there are cores to compute them.
    threads: Arc<Semaphore>,
    /// Those that compute and those that wait.
    places: Arc<Semaphore>,
    /// A hash of nobody's password, for names that the store doesn't know.
    dummy: Secret,
}

impl Local {
    /// The built-in primary over a store's passwords, hashing on at most `threads` blocking threads at once.
    ///
    /// # Errors
    /// The operating system gives no randomness for the dummy's salt.
    pub fn new(
        passwords: Arc<dyn Passwords>,
        clock: Arc<dyn Clock>,
        observer: Arc<dyn PrimaryObserver>,
        threads: usize,
    ) -> Result<Self, HashingFailed> {
        let threads = threads.max(1);
        Ok(Self {
            name: PrimaryName::new("local"),
            passwords,
            clock,
            observer,
            threads: Arc::new(Semaphore::new(threads)),
            places: Arc::new(Semaphore::new(threads.saturating_mul(1 + WAITING_PER_THREAD_MAX))),
            dummy: Secret::new(hash_password(&Secret::new(DUMMY_PASSWORD))?),
        })
    }

    async fn answer(&self, request: PrimaryRequest) -> PrimaryAnswer {
        if request.password.is_empty() {
            return refused("empty password");
        }
        let began = self.clock.now();
        let deadline = request.deadline;
        let answer = tokio::select! {
            biased;
            answer = self.verify(request) => answer,
            () = self.clock.wait_until(deadline) => unavailable("local: no answer within the client's time; the server is short of processor time"),
        };
        self.observer.answered(result_of(&answer), self.clock.now().since(began));
        answer
    }

    async fn verify(&self, request: PrimaryRequest) -> PrimaryAnswer {
        // Bounded waiting (rules G1): a login that would wait longer than its appliance is refused at once.
        let Ok(place) = Arc::clone(&self.places).try_acquire_owned() else {
            return unavailable("overload: too many passwords of local users are being checked at once; try again");
        };
        let stored = match self.passwords.password_hash(&request.claimed).await {
            Ok(stored) => stored,
            Err(why) => return PrimaryAnswer::Unavailable(why),
        };
        let Ok(thread) = Arc::clone(&self.threads).acquire_owned().await else {
            return unavailable("local: the server is stopping");
        };
        // An unknown name costs the same work, on a hash that no password opens: `is_known` is asked afterwards.
        let is_known = stored.is_some();
        let phc = stored.unwrap_or_else(|| self.dummy.clone());
        let user = request.claimed.clone();
        let checked = tokio::task::spawn_blocking(move || {
            // The permits live as long as the work: a caller that gave up doesn't let another hash start beside it.
            let _held = (place, thread);
            is_right(&request.password, &phc)
        });
        match checked.await {
            Ok(Ok(true)) if is_known => {
                PrimaryAnswer::Accept { user, attributes: Arc::new(HeldAttributes::none(Code::AccessAccept)) }
            }
            Ok(Ok(_)) => refused("wrong password, or no such user"),
            Ok(Err(unreadable)) => unavailable(&format!("local: {unreadable}")),
            Err(_) => unavailable("local: checking the password failed; see the log"),
        }
    }
}

impl Primary for Local {
    fn name(&self) -> &PrimaryName {
        &self.name
    }

    fn ask(&self, request: PrimaryRequest) -> BoxFuture<'_, PrimaryAnswer> {
        Box::pin(self.answer(request))
    }
}

/// The argon2id hash of a password in PHC form, with the parameters of this release and a fresh salt: what the store keeps.
/// Takes tens of milliseconds and 19 MiB; call it off the async threads.
///
/// # Errors
/// An empty or overlong password, or no randomness.
pub fn hash_password(password: &Secret) -> Result<String, HashingFailed> {
    if password.is_empty() {
        return Err(HashingFailed::Empty);
    }
    if password.len() > PASSWORD_OCTETS_MAX {
        return Err(HashingFailed::TooLong);
    }
    let hash = Argon2::default().hash_password(password.expose()).map_err(|_| HashingFailed::System)?;
    Ok(hash.to_string())
}

/// Why a password can't be hashed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HashingFailed {
    /// An empty password is not a password (rules A3).
    #[error("the password is empty; give one of 1 to 128 octets")]
    Empty,
    /// It would not fit into a User-Password.
    #[error("the password is longer than the 128 octets that a RADIUS User-Password can carry (RFC 2865 section 5.2)")]
    TooLong,
    /// No randomness or memory.
    #[error("the operating system gave no randomness or memory to hash a password")]
    System,
}

/// A stored hash that can't be read: the database was changed by hand or is damaged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the stored password hash is unreadable; set the user's password anew")]
struct Unreadable;

fn is_right(password: &Secret, phc: &Secret) -> Result<bool, Unreadable> {
    let text = std::str::from_utf8(phc.expose()).map_err(|_| Unreadable)?;
    let hash = PasswordHash::new(text).map_err(|_| Unreadable)?;
    match Argon2::default().verify_password(password.expose(), &hash) {
        Ok(()) => Ok(true),
        Err(argon2::password_hash::Error::PasswordInvalid) => Ok(false),
        Err(_) => Err(Unreadable),
    }
}

fn refused(why: &str) -> PrimaryAnswer {
    PrimaryAnswer::Reject { attributes: Arc::new(HeldAttributes::none(Code::AccessReject)), why: why.into() }
}

fn unavailable(why: &str) -> PrimaryAnswer {
    PrimaryAnswer::Unavailable(Unavailable::seen(why))
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use login::Tick;

    use super::*;
    use crate::primary::clock::tests::TestClock;
    use crate::primary::{Forwarded, NoObserver};

    struct Table(HashMap<ResolvedUser, Secret>);

    impl Passwords for Table {
        fn password_hash<'a>(&'a self, user: &'a ResolvedUser) -> BoxFuture<'a, Result<Option<Secret>, Unavailable>> {
            let found = self.0.get(user).cloned();
            Box::pin(async move {
                if user.as_str() == "broken" { Err(Unavailable::seen("the store is locked")) } else { Ok(found) }
            })
        }
    }

    fn local() -> Local {
        let alice = Secret::new(hash_password(&Secret::new("correct horse")).unwrap());
        let table = HashMap::from([
            (ResolvedUser::new("alice"), alice),
            (ResolvedUser::new("damaged"), Secret::new("$argon2id$nonsense")),
        ]);
        Local::new(Arc::new(Table(table)), Arc::new(TestClock::new()), Arc::new(NoObserver), 2).unwrap()
    }

    fn request(user: &str, password: &str) -> PrimaryRequest {
        PrimaryRequest {
            user_octets: user.as_bytes().into(),
            claimed: ResolvedUser::new(user),
            password: Secret::new(password),
            forwarded: Forwarded::default(),
            upstream: None,
            deadline: Tick(30_000),
        }
    }

    fn why(answer: PrimaryAnswer) -> String {
        match answer {
            PrimaryAnswer::Unavailable(unavailable) => unavailable.why.to_string(),
            PrimaryAnswer::Reject { why, .. } => why.to_string(),
            PrimaryAnswer::Accept { .. } | PrimaryAnswer::Challenge { .. } => panic!("a yes"),
        }
    }

    #[tokio::test]
    async fn the_right_password_opens_and_no_other_does() {
        let local = local();
        let answer = local.ask(request("alice", "correct horse")).await;
        assert!(matches!(answer, PrimaryAnswer::Accept { user, .. } if user.as_str() == "alice"));
        for wrong in ["correct hors", "correct horse ", "Correct horse"] {
            assert!(why(local.ask(request("alice", wrong)).await).contains("wrong password"));
        }
    }

    #[tokio::test]
    async fn an_unknown_name_gets_the_answer_of_a_wrong_password_even_with_the_dummys() {
        let local = local();
        let wrong = why(local.ask(request("alice", "wrong")).await);
        assert_eq!(why(local.ask(request("nobody", "wrong")).await), wrong);
        assert_eq!(why(local.ask(request("nobody", DUMMY_PASSWORD)).await), wrong);
    }

    #[tokio::test]
    async fn an_empty_password_reaches_no_hash_and_no_user_can_have_one() {
        assert_eq!(why(local().ask(request("alice", "")).await), "empty password");
        assert_eq!(hash_password(&Secret::new("")), Err(HashingFailed::Empty));
        assert_eq!(hash_password(&Secret::new(vec![b'x'; 129])), Err(HashingFailed::TooLong));
    }

    #[tokio::test]
    async fn a_store_that_fails_or_lies_opens_nothing() {
        let local = local();
        assert_eq!(why(local.ask(request("broken", "x")).await), "the store is locked");
        assert!(why(local.ask(request("damaged", "x")).await).contains("unreadable"));
    }

    #[tokio::test]
    async fn more_logins_than_may_wait_are_refused_at_once() {
        let local = local();
        let every = u32::try_from(2 * (1 + WAITING_PER_THREAD_MAX)).unwrap();
        let taken = local.places.try_acquire_many(every).unwrap();
        assert!(why(local.ask(request("alice", "correct horse")).await).contains("overload"));
        drop(taken);
        assert!(matches!(local.ask(request("alice", "correct horse")).await, PrimaryAnswer::Accept { .. }));
    }

    #[tokio::test]
    async fn a_login_that_waits_for_a_thread_ends_at_its_deadline() {
        let clock = Arc::new(TestClock::new());
        let local = Local { clock: Arc::clone(&clock) as Arc<dyn Clock>, ..local() };
        let taken = local.threads.try_acquire_many(2).unwrap();
        let mut asking = local.ask(request("alice", "correct horse"));
        let waits = tokio::select! { biased; _ = &mut asking => false, () = tokio::task::yield_now() => true };
        assert!(waits);
        clock.advance(30_000);
        assert!(why(asking.await).contains("within the client's time"));
        drop(taken);
    }

    #[test]
    fn a_hash_is_argon2id_with_a_salt_of_its_own() {
        let [one, two] = [(); 2].map(|()| hash_password(&Secret::new("same")).unwrap());
        assert!(one.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{one}");
        assert_ne!(one, two);
    }
}
