//! Passwords and PINs are kept as argon2id hashes in PHC form; this is where they are made and compared.
//!
//! Either takes tens of milliseconds of a core and 19 MiB on purpose. So it runs on a bounded number of blocking threads, and no
//! more than a bounded number of askers ever queue for one: whoever would wait longer is refused at once (rules G1). Nothing
//! here keeps, logs or prints what was typed, knows whose it is, or decides what a wrong one costs.

mod spelling;

use std::sync::Arc;

use argon2::Argon2;
use argon2::password_hash::{PasswordHasher, PasswordVerifier, phc::PasswordHash};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use wire::Secret;

pub(crate) use spelling::is_read_as_windows_1252;

/// How many may wait for a hashing thread, for each thread: more would wait longer than an appliance does.
const WAITING_PER_THREAD_MAX: usize = 64;

/// The longest secret that is hashed, in octets: what a User-Password can carry (RFC 2865 §5.2).
const OCTETS_MAX: usize = 128;

/// The threads that hash, and the queue before them. Clones are one.
#[derive(Clone, Debug)]
pub struct Hasher {
    threads: Arc<Semaphore>,
    /// Those that compute and those that wait.
    places: Arc<Semaphore>,
}

/// A place in the queue; given back when it is dropped.
#[derive(Debug)]
pub struct Place {
    threads: Arc<Semaphore>,
    held: OwnedSemaphorePermit,
}

/// Why something can't be hashed.
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
    /// Too many wait already.
    #[error("too many passwords are being checked at once; try again")]
    Overload,
}

/// Why a comparison came to nothing: neither right nor wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotCompared {
    /// The database was changed by hand or is damaged.
    #[error("the stored hash is unreadable; set a new one")]
    Unreadable,
    /// The process ends, or the thread did.
    #[error("the server is stopping, or hashing failed; see the log")]
    Stopped,
}

impl Hasher {
    /// At most so many hashes at once, and at least one.
    #[must_use]
    pub fn new(threads: usize) -> Self {
        let threads = threads.max(1);
        let places = threads.saturating_mul(1 + WAITING_PER_THREAD_MAX);
        Self { threads: Arc::new(Semaphore::new(threads)), places: Arc::new(Semaphore::new(places)) }
    }

    /// A place in the queue, before anything is read for it; `None` if too many wait.
    #[must_use]
    pub fn place(&self) -> Option<Place> {
        let held = Arc::clone(&self.places).try_acquire_owned().ok()?;
        Some(Place { threads: Arc::clone(&self.threads), held })
    }

    /// The hash of a password or PIN, made beside the threads that serve.
    ///
    /// # Errors
    /// [`HashingFailed`].
    pub async fn hash(&self, secret: Secret) -> Result<Secret, HashingFailed> {
        let place = self.place().ok_or(HashingFailed::Overload)?;
        let hashed = place.work(move || hash_password(&secret)).await.ok_or(HashingFailed::System)?;
        hashed.map(Secret::new)
    }

    /// All places and threads are taken until this is dropped.
    #[cfg(test)]
    pub(crate) fn is_full(&self) -> (Vec<Place>, Vec<OwnedSemaphorePermit>) {
        let places = std::iter::from_fn(|| self.place()).collect();
        (places, self.is_busy())
    }

    /// All threads are taken until this is dropped.
    #[cfg(test)]
    pub(crate) fn is_busy(&self) -> Vec<OwnedSemaphorePermit> {
        std::iter::from_fn(|| Arc::clone(&self.threads).try_acquire_owned().ok()).collect()
    }
}

impl Place {
    /// Whether this was typed where that hash is of it.
    ///
    /// # Errors
    /// [`NotCompared`]; then it is neither.
    pub async fn is_right(self, typed: Secret, phc: Secret) -> Result<bool, NotCompared> {
        self.work(move || is_right(&typed, &phc)).await.ok_or(NotCompared::Stopped)?
    }

    async fn work<T: Send + 'static>(self, work: impl FnOnce() -> T + Send + 'static) -> Option<T> {
        let thread = self.threads.acquire_owned().await.ok()?;
        let held = self.held;
        let done = tokio::task::spawn_blocking(move || {
            // The permits live as long as the work: a caller that gave up doesn't let another hash start beside it.
            let _held = (held, thread);
            work()
        });
        done.await.ok()
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
    if password.len() > OCTETS_MAX {
        return Err(HashingFailed::TooLong);
    }
    let hash = Argon2::default()
        .hash_password(spelling::one_spelling(password).expose())
        .map_err(|_| HashingFailed::System)?;
    Ok(hash.to_string())
}

fn is_right(typed: &Secret, phc: &Secret) -> Result<bool, NotCompared> {
    let text = std::str::from_utf8(phc.expose()).map_err(|_| NotCompared::Unreadable)?;
    let hash = PasswordHash::new(text).map_err(|_| NotCompared::Unreadable)?;
    let spelled = spelling::one_spelling(typed);
    // A hash of before spellings were one is of the octets as they were sent.
    Ok(is_of(&spelled, &hash)? || (spelled != *typed && is_of(typed, &hash)?))
}

fn is_of(octets: &Secret, hash: &PasswordHash) -> Result<bool, NotCompared> {
    match Argon2::default().verify_password(octets.expose(), hash) {
        Ok(()) => Ok(true),
        Err(argon2::password_hash::Error::PasswordInvalid) => Ok(false),
        Err(_) => Err(NotCompared::Unreadable),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_was_hashed_is_right_and_nothing_else_is() {
        let hasher = Hasher::new(1);
        let phc = hasher.hash(Secret::new("482915")).await.unwrap();
        let is_right = |typed: &'static str, phc: Secret| hasher.place().unwrap().is_right(Secret::new(typed), phc);
        assert_eq!(is_right("482915", phc.clone()).await, Ok(true));
        assert_eq!(is_right("482916", phc).await, Ok(false));
        assert_eq!(is_right("482915", Secret::new("$argon2id$nonsense")).await, Err(NotCompared::Unreadable));
    }

    #[tokio::test]
    async fn accents_are_one_password_however_they_are_sent_also_against_a_hash_of_before() {
        let hasher = Hasher::new(1);
        let phc = hasher.hash(Secret::new("Grüße an café")).await.unwrap();
        let is_right = |typed: &[u8], phc: &Secret| hasher.place().unwrap().is_right(Secret::new(typed), phc.clone());
        for typed in ["Grüße an café".as_bytes(), "Gru\u{308}ße an cafe\u{301}".as_bytes(), b"Gr\xfc\xdfe an caf\xe9"]
        {
            assert_eq!(is_right(typed, &phc).await, Ok(true), "{}", typed.escape_ascii());
        }
        assert_eq!(is_right("Grüsse an café".as_bytes(), &phc).await, Ok(false));
        let before = Argon2::default().hash_password(b"caf\xe9 au lait").unwrap().to_string();
        assert_eq!(is_right(b"caf\xe9 au lait", &Secret::new(before)).await, Ok(true), "as it was sent then");
    }

    #[tokio::test]
    async fn whoever_would_wait_too_long_is_refused_at_once() {
        let hasher = Hasher::new(1);
        let full = hasher.is_full();
        assert_eq!(hasher.hash(Secret::new("x")).await, Err(HashingFailed::Overload));
        drop(full);
        assert!(hasher.hash(Secret::new("x")).await.is_ok());
    }

    #[test]
    fn an_empty_secret_and_one_that_fits_no_packet_are_not_hashed() {
        assert_eq!(hash_password(&Secret::new("")), Err(HashingFailed::Empty));
        assert_eq!(hash_password(&Secret::new(vec![b'x'; 129])), Err(HashingFailed::TooLong));
    }

    #[test]
    fn a_hash_is_argon2id_with_a_salt_of_its_own() {
        let [one, two] = [(); 2].map(|()| hash_password(&Secret::new("same")).unwrap());
        assert!(one.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{one}");
        assert_ne!(one, two);
    }
}
