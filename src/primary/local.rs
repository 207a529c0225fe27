//! Users of our own store: the primary that is built in.
//!
//! Passwords are kept as argon2id hashes in PHC form, and compared where hashing is bounded ([`crate::hashing`]).
//!
//! A name that the store doesn't know costs the same work and gets the same answer as a wrong password, so that
//! neither time nor text tells who has an account. This file never logs or keeps a password.

use std::sync::Arc;

use login::{PrimaryAnswer, PrimaryName, ResolvedUser, Unavailable};
use wire::{Code, HeldAttributes, Secret};

pub use crate::hashing::{HashingFailed, hash_password};

use super::{BoxFuture, Clock, Primary, PrimaryObserver, PrimaryRequest, result_of};
use crate::hashing::{Hasher, is_read_as_windows_1252};
use crate::store::Users;

/// What the hash for unknown names is made of; knowing it opens nothing.
const DUMMY_PASSWORD: &str = "nobody has this password";

/// What the record says of a password that opens nothing.
const WRONG: &str = "wrong password, or no such user";
/// The same, where an appliance may have sent another encoding than the two that are understood.
const WRONG_AND_NO_UTF8: &str =
    "wrong password, or no such user (it came as no UTF-8 and was read as Windows-1252; let the appliance send UTF-8)";

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
    hasher: Hasher,
    /// A hash of nobody's password, for names that the store doesn't know.
    dummy: Secret,
}

impl Local {
    /// The built-in primary over a store's passwords.
    ///
    /// # Errors
    /// The operating system gives no randomness for the dummy's salt.
    pub fn new(
        passwords: Arc<dyn Passwords>,
        clock: Arc<dyn Clock>,
        observer: Arc<dyn PrimaryObserver>,
        hasher: Hasher,
    ) -> Result<Self, HashingFailed> {
        Ok(Self {
            name: PrimaryName::new("local"),
            passwords,
            clock,
            observer,
            hasher,
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
        let Some(place) = self.hasher.place() else {
            return unavailable("overload: too many passwords of local users are being checked at once; try again");
        };
        let stored = match self.passwords.password_hash(&request.claimed).await {
            Ok(stored) => stored,
            Err(why) => return PrimaryAnswer::StoreUnavailable(why),
        };
        // An unknown name costs the same work, on a hash that no password opens: `is_known` is asked afterwards.
        let is_known = stored.is_some();
        let phc = stored.unwrap_or_else(|| self.dummy.clone());
        let wrong = if is_read_as_windows_1252(&request.password) { WRONG_AND_NO_UTF8 } else { WRONG };
        match place.is_right(request.password, phc).await {
            Ok(true) if is_known => PrimaryAnswer::Accept {
                user: request.claimed,
                attributes: Arc::new(HeldAttributes::none(Code::AccessAccept)),
            },
            Ok(_) => refused(wrong),
            Err(not_compared) => unavailable(&format!("local: {not_compared}")),
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
        Local::new(Arc::new(Table(table)), Arc::new(TestClock::new()), Arc::new(NoObserver), Hasher::new(2)).unwrap()
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
            PrimaryAnswer::Unavailable(unavailable) | PrimaryAnswer::StoreUnavailable(unavailable) => {
                unavailable.why.to_string()
            }
            PrimaryAnswer::Reject { why, .. } => why.to_string(),
            PrimaryAnswer::Accept { .. } | PrimaryAnswer::Challenge { .. } | PrimaryAnswer::HeldBack(_) => {
                panic!("a yes")
            }
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
    async fn an_empty_password_reaches_no_hash() {
        assert_eq!(why(local().ask(request("alice", "")).await), "empty password");
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
        let taken = local.hasher.is_full();
        assert!(why(local.ask(request("alice", "correct horse")).await).contains("overload"));
        drop(taken);
        assert!(matches!(local.ask(request("alice", "correct horse")).await, PrimaryAnswer::Accept { .. }));
    }

    #[tokio::test]
    async fn a_login_that_waits_for_a_thread_ends_at_its_deadline() {
        let clock = Arc::new(TestClock::new());
        let local = Local { clock: Arc::clone(&clock) as Arc<dyn Clock>, ..local() };
        let taken = local.hasher.is_busy();
        let mut asking = local.ask(request("alice", "correct horse"));
        let waits = tokio::select! { biased; _ = &mut asking => false, () = tokio::task::yield_now() => true };
        assert!(waits);
        clock.advance(30_000);
        assert!(why(asking.await).contains("within the client's time"));
        drop(taken);
    }
}
