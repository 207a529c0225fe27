//! Passwords and PINs are kept as argon2id hashes in PHC form; this is where they are made and compared.
//!
//! Either takes tens of milliseconds of a core and 19 MiB on purpose. So it runs on a fixed number of threads, each of which has its
//! 19 MiB once and uses them again, behind lines that are bounded and fair (`line`): whoever would wait longer is refused at once
//! (rules G1). Nothing here keeps, logs or prints what was typed, knows whose it is, or decides what a wrong one costs.

mod line;
mod spelling;

use std::hash::{DefaultHasher, Hash, Hasher as _};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use argon2::password_hash::phc::{Output, ParamsString, PasswordHash, Salt};
use argon2::{Algorithm, Argon2, Block, Params, Version};
use subtle::ConstantTimeEq;
use tokio::sync::oneshot;
use wire::Secret;

use line::{Lines, Waits};

pub(crate) use spelling::is_read_as_windows_1252;

/// How many may wait at one door, for each thread: more would wait longer than an appliance does.
const WAITING_PER_THREAD_MAX: usize = 64;

/// The longest secret that is hashed, in octets: what a User-Password can carry (RFC 2865 §5.2).
const OCTETS_MAX: usize = 128;

/// Octets of a salt: 128 bits, as RFC 9106 §3.1 recommends.
const SALT_OCTETS: usize = 16;

/// Which door somebody waits at: each has a line of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Door {
    /// A login by RADIUS.
    Vpn,
    /// A phone that has proved its key, and asks with a PIN.
    Phones,
    /// A browser.
    Pages,
}

/// Whose turn it is: at which door, and among whom it is shared there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Turn {
    door: Door,
    asker: u64,
}

impl Turn {
    /// Of this asker at that door; two askers that are equal have one turn together.
    #[must_use]
    pub fn at(door: Door, asker: impl Hash) -> Self {
        let mut hasher = DefaultHasher::new();
        asker.hash(&mut hasher);
        Self { door, asker: hasher.finish() }
    }
}

/// The threads that hash, and the lines before them. Clones are one; the threads end with the last.
#[derive(Clone, Debug)]
pub struct Hasher {
    work: Arc<Work>,
    _owners: Arc<Owners>,
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
    /// Too many wait already.
    #[error("overload: too many passwords are being checked at once; try again")]
    Overload,
}

impl Hasher {
    /// So many hashes at once, and at least one.
    #[must_use]
    pub fn new(threads: usize) -> Self {
        let threads = threads.max(1);
        let lines = Lines::new(threads.saturating_mul(WAITING_PER_THREAD_MAX));
        let stands = Stands { lines, ended: false, pauses: 0 };
        let work = Arc::new(Work { stands: Mutex::new(stands), changed: Condvar::new() });
        for number in 0..threads {
            let work = Arc::clone(&work);
            let started = std::thread::Builder::new().name(format!("hashing-{number}")).spawn(move || work.run());
            // Without any all that waits is answered with an overload; with some the rest is slower.
            if let Err(error) = started {
                tracing::error!(%error, "a thread for hashing could not be started");
            }
        }
        Self { _owners: Arc::new(Owners(Arc::clone(&work))), work }
    }

    /// Whether this asker would find a place now: asked before anything is read for it.
    #[must_use]
    pub fn has_room(&self, turn: Turn) -> bool {
        self.work.lock().lines.has_room(turn)
    }

    /// The hash of a password or PIN, made beside the threads that serve.
    ///
    /// # Errors
    /// [`HashingFailed`].
    pub async fn hash(&self, turn: Turn, secret: Secret) -> Result<Secret, HashingFailed> {
        let hashed = self.ask(turn, move |memory| hash_with(&secret, memory)).await;
        let hashed = hashed.map_err(|why| match why {
            NotCompared::Overload => HashingFailed::Overload,
            NotCompared::Unreadable | NotCompared::Stopped => HashingFailed::System,
        })?;
        hashed.map(Secret::new)
    }

    /// Whether this was typed where that hash is of it.
    ///
    /// # Errors
    /// [`NotCompared`]; then it is neither.
    pub async fn is_right(&self, turn: Turn, typed: Secret, phc: Secret) -> Result<bool, NotCompared> {
        self.ask(turn, move |memory| compare(&typed, &phc, memory)).await?
    }

    async fn ask<T: Send + 'static>(
        &self,
        turn: Turn,
        work: impl FnOnce(&mut Memory) -> T + Send + 'static,
    ) -> Result<T, NotCompared> {
        let (reply, answer) = oneshot::channel();
        let no_place = self.work.lock().lines.push(turn, Box::new(Asked { work, reply }));
        if let Some(gives_way) = no_place {
            gives_way.refuse();
        }
        self.work.changed.notify_one();
        answer.await.unwrap_or(Err(NotCompared::Stopped))
    }

    /// No thread takes anything up until this is dropped.
    #[cfg(test)]
    pub(crate) fn is_busy(&self) -> Busy {
        self.work.lock().pauses += 1;
        Busy(self.clone())
    }

    /// All places are taken, by as many askers, until this is dropped; no thread takes anything up.
    #[cfg(test)]
    pub(crate) fn is_full(&self) -> (Busy, Vec<oneshot::Receiver<Result<(), NotCompared>>>) {
        let (busy, mut waiting) = (self.is_busy(), Vec::new());
        for door in [Door::Vpn, Door::Phones, Door::Pages] {
            for asker in 0_u64.. {
                let (reply, answer) = oneshot::channel();
                let job = Asked { work: |_: &mut Memory| (), reply };
                let no_place = self.work.lock().lines.push(Turn::at(door, ("nobody", asker)), Box::new(job));
                if no_place.is_some() {
                    break;
                }
                waiting.push(answer);
            }
        }
        (busy, waiting)
    }
}

/// While it lives nothing is hashed.
#[cfg(test)]
#[derive(Debug)]
pub(crate) struct Busy(Hasher);

#[cfg(test)]
impl Drop for Busy {
    fn drop(&mut self) {
        self.0.work.lock().pauses -= 1;
        self.0.work.changed.notify_all();
    }
}

/// What the threads share.
struct Work {
    stands: Mutex<Stands>,
    changed: Condvar,
}

struct Stands {
    lines: Lines<Box<dyn Job>>,
    ended: bool,
    /// Tests that hold the threads up.
    pauses: usize,
}

impl std::fmt::Debug for Work {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Work")
    }
}

/// The threads end when nobody is left who could ask.
#[derive(Debug)]
struct Owners(Arc<Work>);

impl Drop for Owners {
    fn drop(&mut self) {
        self.0.lock().ended = true;
        self.0.changed.notify_all();
    }
}

impl Work {
    fn lock(&self) -> MutexGuard<'_, Stands> {
        self.stands.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One thread: the next in turn, with the memory that it had before.
    fn run(&self) {
        let mut memory = Memory::default();
        while let Some(job) = self.next() {
            job.work(&mut memory);
        }
    }

    fn next(&self) -> Option<Box<dyn Job>> {
        let mut stands = self.lock();
        loop {
            if stands.ended {
                return None;
            }
            if stands.pauses == 0
                && let Some(job) = stands.lines.pop()
            {
                return Some(job);
            }
            stands = self.changed.wait(stands).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

/// Something to be hashed, and who is told.
trait Job: Send {
    fn work(self: Box<Self>, memory: &mut Memory);
    fn refuse(self: Box<Self>);
    fn is_given_up(&self) -> bool;
}

struct Asked<T, W> {
    work: W,
    reply: oneshot::Sender<Result<T, NotCompared>>,
}

impl<T: Send, W: FnOnce(&mut Memory) -> T + Send> Job for Asked<T, W> {
    fn work(self: Box<Self>, memory: &mut Memory) {
        let Self { work, reply } = *self;
        // A panic ends that one, not the thread.
        let done = catch_unwind(AssertUnwindSafe(|| work(memory))).map_err(|_| NotCompared::Stopped);
        // Whoever gave up meanwhile hears nothing.
        drop(reply.send(done));
    }

    fn refuse(self: Box<Self>) {
        drop(self.reply.send(Err(NotCompared::Overload)));
    }

    fn is_given_up(&self) -> bool {
        self.reply.is_closed()
    }
}

impl Waits for Box<dyn Job> {
    fn is_given_up(&self) -> bool {
        (**self).is_given_up()
    }
}

/// One thread's memory: taken with its first hash, and used again for each further one.
#[derive(Default)]
struct Memory(Vec<Block>);

impl Memory {
    /// What these parameters need of it. More than our own hashes do is given back afterwards.
    fn fill(
        &mut self,
        argon2: &Argon2<'_>,
        secret: &[u8],
        salt: &[u8],
        output: &mut [u8],
    ) -> Result<(), HashingFailed> {
        let (need, ours) = (argon2.params().block_count(), Params::DEFAULT.block_count());
        if self.0.len() < need {
            let more = need - self.0.len();
            self.0.try_reserve_exact(more).map_err(|_| HashingFailed::System)?;
            self.0.resize_with(need, Block::default);
        }
        let blocks = self.0.get_mut(..need).ok_or(HashingFailed::System)?;
        let done = argon2.hash_password_into_with_memory(secret, salt, output, blocks);
        if need > ours {
            self.0.truncate(ours);
            self.0.shrink_to_fit();
        }
        done.map_err(|_| HashingFailed::System)
    }
}

/// The argon2id hash of a password in PHC form, with the parameters of this release and a fresh salt: what the store keeps.
/// Takes tens of milliseconds and 19 MiB; call it off the async threads.
///
/// # Errors
/// An empty or overlong password, or no randomness.
pub fn hash_password(password: &Secret) -> Result<String, HashingFailed> {
    hash_with(password, &mut Memory::default())
}

fn hash_with(password: &Secret, memory: &mut Memory) -> Result<String, HashingFailed> {
    if password.is_empty() {
        return Err(HashingFailed::Empty);
    }
    if password.len() > OCTETS_MAX {
        return Err(HashingFailed::TooLong);
    }
    let mut salt = [0; SALT_OCTETS];
    rand::TryRng::try_fill_bytes(&mut rand::rngs::SysRng, &mut salt).map_err(|_| HashingFailed::System)?;
    let (argon2, mut output) = (Argon2::default(), [0; Params::DEFAULT_OUTPUT_LEN]);
    memory.fill(&argon2, spelling::one_spelling(password).expose(), &salt, &mut output)?;
    let system = |_| HashingFailed::System;
    let hash = PasswordHash {
        algorithm: Algorithm::default().ident(),
        version: Some(Version::default().into()),
        params: ParamsString::try_from(argon2.params()).map_err(system)?,
        salt: Some(Salt::new(&salt).map_err(|_| HashingFailed::System)?),
        hash: Some(Output::new(&output).map_err(|_| HashingFailed::System)?),
    };
    Ok(hash.to_string())
}

fn compare(typed: &Secret, phc: &Secret, memory: &mut Memory) -> Result<bool, NotCompared> {
    let text = std::str::from_utf8(phc.expose()).map_err(|_| NotCompared::Unreadable)?;
    let hash = PasswordHash::new(text).map_err(|_| NotCompared::Unreadable)?;
    let spelled = spelling::one_spelling(typed);
    // A hash of before spellings were one is of the octets as they were sent.
    Ok(is_of(&spelled, &hash, memory)? || (spelled != *typed && is_of(typed, &hash, memory)?))
}

fn is_of(octets: &Secret, hash: &PasswordHash, memory: &mut Memory) -> Result<bool, NotCompared> {
    let unreadable = NotCompared::Unreadable;
    let (Some(salt), Some(expected)) = (&hash.salt, &hash.hash) else { return Err(unreadable) };
    let algorithm = Algorithm::try_from(hash.algorithm.as_str()).map_err(|_| unreadable)?;
    let version = hash.version.map_or(Ok(Version::default()), Version::try_from).map_err(|_| unreadable)?;
    let argon2 = Argon2::new(algorithm, version, Params::try_from(hash).map_err(|_| unreadable)?);
    let mut output = [0; Output::MAX_LENGTH];
    let output = output.get_mut(..expected.len()).ok_or(unreadable)?;
    memory.fill(&argon2, octets.expose(), salt.as_ref(), output).map_err(|_| unreadable)?;
    Ok(output.ct_eq(expected.as_bytes()).into())
}

#[cfg(test)]
mod tests {
    use argon2::password_hash::PasswordHasher;

    use super::*;

    fn turn(asker: &str) -> Turn {
        Turn::at(Door::Pages, asker)
    }

    #[tokio::test]
    async fn what_was_hashed_is_right_and_nothing_else_is() {
        let hasher = Hasher::new(1);
        let phc = hasher.hash(turn("a"), Secret::new("482915")).await.unwrap();
        let is_right = |typed: &'static str, phc: Secret| hasher.is_right(turn("a"), Secret::new(typed), phc);
        assert_eq!(is_right("482915", phc.clone()).await, Ok(true));
        assert_eq!(is_right("482916", phc).await, Ok(false));
        assert_eq!(is_right("482915", Secret::new("$argon2id$nonsense")).await, Err(NotCompared::Unreadable));
    }

    /// As an import may bring them one day, or an older release of ours left them.
    #[tokio::test]
    async fn hashes_of_other_parameters_are_read_and_their_memory_is_given_back() {
        let hasher = Hasher::new(1);
        for parameters in ["m=64,t=1,p=1", "m=32768,t=1,p=1", "m=19456,t=2,p=1"] {
            let [m, t, p] = [0, 1, 2].map(|at| {
                let (_, value) = parameters.split(',').nth(at).unwrap().split_once('=').unwrap();
                value.parse().unwrap()
            });
            let mut output = [0; 32];
            let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, Params::new(m, t, p, None).unwrap());
            argon2.hash_password_into(b"password", b"somesaltsomesalt", &mut output).unwrap();
            let base64 = |octets: &[u8]| data_encoding::BASE64_NOPAD.encode(octets);
            let phc = format!("$argon2id$v=19${parameters}${}${}", base64(b"somesaltsomesalt"), base64(&output));
            assert_eq!(hasher.is_right(turn("a"), Secret::new("password"), Secret::new(phc.clone())).await, Ok(true));
            assert_eq!(hasher.is_right(turn("a"), Secret::new("Password"), Secret::new(phc)).await, Ok(false));
        }
        let mut memory = Memory::default();
        let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, Params::new(32_768, 1, 1, None).unwrap());
        memory.fill(&argon2, b"password", b"somesalt", &mut [0; 32]).unwrap();
        assert_eq!(memory.0.capacity(), Params::DEFAULT.block_count());
    }

    #[tokio::test]
    async fn accents_are_one_password_however_they_are_sent_also_against_a_hash_of_before() {
        let hasher = Hasher::new(1);
        let phc = hasher.hash(turn("a"), Secret::new("Grüße an café")).await.unwrap();
        let is_right = |typed: &[u8], phc: &Secret| hasher.is_right(turn("a"), Secret::new(typed), phc.clone());
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
        assert!(!hasher.has_room(turn("x")));
        assert_eq!(hasher.hash(turn("x"), Secret::new("x")).await, Err(HashingFailed::Overload));
        drop(full);
        assert!(hasher.hash(turn("x"), Secret::new("x")).await.is_ok());
    }

    #[tokio::test]
    async fn a_flood_at_the_pages_refuses_nobody_at_the_vpn_and_only_whoever_asks_for_most_at_the_pages() {
        let hasher = Hasher::new(1);
        let phc = Secret::new(hash_password(&Secret::new("right")).unwrap());
        let busy = hasher.is_busy();
        let ask = |turn: Turn| {
            let (hasher, phc) = (hasher.clone(), phc.clone());
            tokio::spawn(async move { hasher.is_right(turn, Secret::new("right"), phc).await })
        };
        let flood: Vec<_> = (0..200).map(|_| ask(turn("flood"))).collect();
        let refused = async |flood: &[tokio::task::JoinHandle<_>]| {
            while flood.iter().filter(|one| one.is_finished()).count() < flood.len() - WAITING_PER_THREAD_MAX {
                tokio::task::yield_now().await;
            }
        };
        refused(&flood).await;
        let (vpn, page) = (ask(Turn::at(Door::Vpn, "alice")), ask(turn("carol")));
        // Both have a place: of the flood one more gave way.
        while flood.iter().filter(|one| one.is_finished()).count() < 200 - WAITING_PER_THREAD_MAX + 1 {
            tokio::task::yield_now().await;
        }
        drop(busy);
        assert_eq!((vpn.await.unwrap(), page.await.unwrap()), (Ok(true), Ok(true)));
    }

    #[tokio::test]
    async fn the_threads_end_with_the_last_who_could_ask() {
        let hasher = Hasher::new(2);
        let work = Arc::downgrade(&hasher.work);
        let _ = hasher.hash(turn("x"), Secret::new("x")).await;
        drop(hasher);
        while work.strong_count() > 0 {
            tokio::task::yield_now().await;
        }
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
