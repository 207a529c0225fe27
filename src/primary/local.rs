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

use super::{BoxFuture, Clock, Primary, PrimaryRequest};

/// How many logins may wait for a hashing thread, for each thread: more would wait longer than an appliance does.
const WAITING_PER_THREAD_MAX: usize = 64;

/// The longest password that is hashed, in octets: what a User-Password can carry (RFC 2865 §5.2).
const PASSWORD_OCTETS_MAX: usize = 128;

/// Where the hashes are: the store, as narrow as this room needs it.
pub trait Passwords: Send + Sync {
    /// The user's name as the store writes it and the password's hash in PHC form; `None` if there is no such
    /// user or the user has no password here.
    ///
    /// # Errors
    /// The store can't be read; nobody gets in meanwhile.
    fn password_hash<'a>(&'a self, user: &'a ResolvedUser) -> BoxFuture<'a, Result<Option<StoredPassword>, Unavailable>>;
}

/// One user's password, as the store keeps it.
#[derive(Clone, PartialEq, Eq)]
pub struct StoredPassword {
    /// The name as the store has it.
    pub canonical: ResolvedUser,
    /// `$argon2id$v=19$…`
    pub phc: Box<str>,
}

/// The primary `local`.
pub struct Local {
    name: PrimaryName,
    passwords: Arc<dyn Passwords>,
    clock: Arc<dyn Clock>,
    /// As many hashes at once as there are cores to compute them.
    threads: Arc<Semaphore>,
    /// Those that compute and those that wait.
    places: Arc<Semaphore>,
    /// A hash of nobody's password, for names that the store doesn't know.
    dummy: Arc<str>,
}

impl Local {
    /// The built-in primary over a store's passwords, hashing on at most `threads` blocking threads at once.
    ///
    /// # Errors
    /// The operating system gives no randomness for the dummy's salt.
    pub fn new(passwords: Arc<dyn Passwords>, clock: Arc<dyn Clock>, threads: usize) -> Result<Self, HashingFailed> {
        let threads = threads.max(1);
        Ok(Self {
            name: PrimaryName::new("local"),
            passwords,
            clock,
            threads: Arc::new(Semaphore::new(threads)),
            places: Arc::new(Semaphore::new(threads.saturating_mul(1 + WAITING_PER_THREAD_MAX))),
            dummy: hash_password(&Secret::new("nobody has this password"))?.into(),
        })
    }

    async fn answer(&self, request: PrimaryRequest) -> PrimaryAnswer {
        if request.password.is_empty() {
            return refused("empty password");
        }
        let deadline = request.deadline;
        tokio::select! {
            biased;
            answer = self.verify(request) => answer,
            () = self.clock.wait_until(deadline) => unavailable("local: no answer within the client's time; the server is short of processor time"),
        }
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
        let (user, phc) = match stored {
            Some(stored) => (Some(stored.canonical), Arc::from(stored.phc)),
            None => (None, Arc::clone(&self.dummy)),
        };
        let checked = tokio::task::spawn_blocking(move || {
            // The permits live as long as the work: a caller that gave up doesn't let another hash start beside it.
            let _held = (place, thread);
            is_right(&request.password, &phc)
        });
        match (checked.await, user) {
            (Ok(Ok(true)), Some(user)) => PrimaryAnswer::Accept { user, attributes: Arc::new(HeldAttributes::none(Code::AccessAccept)) },
            (Ok(Ok(_)), _) => refused("wrong password, or no such user"),
            (Ok(Err(unreadable)), _) => unavailable(&format!("local: {unreadable}")),
            (Err(_), _) => unavailable("local: checking the password failed; see the log"),
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

fn is_right(password: &Secret, phc: &str) -> Result<bool, Unreadable> {
    let hash = PasswordHash::new(phc).map_err(|_| Unreadable)?;
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
