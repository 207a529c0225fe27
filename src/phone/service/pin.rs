//! The PIN beside Verify: checked here against its hash, and counted in the store before anybody learns whether it was right.

use std::sync::Arc;

use argon2::Argon2;
use argon2::password_hash::{PasswordVerifier, phc::PasswordHash};
use login::{ResolvedUser, Wall};
use tokio::sync::Semaphore;
use wire::Secret;

use super::{PhoneStore, PinRule};
use crate::store::StoreError;

/// Hashes under way at once: each takes tens of milliseconds of a core and 19 MiB on purpose.
const AT_ONCE: usize = 4;

/// Guesses that meet one another read again, so often at most.
const ROUNDS_MAX: usize = 8;

/// What a PIN came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PinCheck {
    /// It is the user's own.
    Right,
    /// It is the initial one that was given: to be changed before it approves anything.
    MustChange,
    /// It is not; so many tries are left.
    Wrong {
        /// Tries.
        left: u32,
    },
    /// Wrong too often, now or before: only the help desk's reset helps.
    Locked,
    /// The user has none.
    None,
}

/// Checks PINs, a few at once.
#[derive(Debug)]
pub(super) struct Pins {
    rule: PinRule,
    threads: Arc<Semaphore>,
}

impl Pins {
    pub(super) fn new(rule: PinRule) -> Self {
        Self { rule, threads: Arc::new(Semaphore::new(AT_ONCE)) }
    }

    /// One guess, committed before it is told.
    ///
    /// # Errors
    /// The store could not be read or written; nothing is right then (rules A5).
    pub(super) async fn check(
        &self,
        store: &dyn PhoneStore,
        user: &ResolvedUser,
        typed: &Secret,
        at: Wall,
    ) -> Result<PinCheck, StoreError> {
        for _ in 0..ROUNDS_MAX {
            let Some(pin) = store.pin(user, at).await? else { return Ok(PinCheck::None) };
            if pin.locked {
                return Ok(PinCheck::Locked);
            }
            let right = self.is_right(typed.clone(), pin.hash).await?;
            if self.commit(store, user, (pin.version, right), at).await? {
                let left = self.rule.tries.saturating_sub(pin.failures).saturating_sub(1);
                return Ok(match (right, pin.must_change, left) {
                    (true, true, _) => PinCheck::MustChange,
                    (true, false, _) => PinCheck::Right,
                    (false, _, 0) => PinCheck::Locked,
                    (false, _, left) => PinCheck::Wrong { left },
                });
            }
        }
        Err(StoreError::Ours("guesses at a PIN kept meeting one another".into()))
    }

    /// A commit of which nobody knows whether it holds is settled by repeating it (rules C1).
    async fn commit(
        &self,
        store: &dyn PhoneStore,
        user: &ResolvedUser,
        (version, right): (u64, bool),
        at: Wall,
    ) -> Result<bool, StoreError> {
        let guess_id = rand::random();
        let mut rounds = 0;
        loop {
            match store.commit_pin_guess(user, guess_id, version, right, self.rule.tries, at).await {
                Err(StoreError::Unknown(_)) if rounds < ROUNDS_MAX => rounds += 1,
                said => return said,
            }
        }
    }

    async fn is_right(&self, typed: Secret, hash: Secret) -> Result<bool, StoreError> {
        let ours = |why: &str| StoreError::Ours(why.into());
        let thread = Arc::clone(&self.threads).acquire_owned().await.map_err(|_| ours("the server stops"))?;
        let checked = tokio::task::spawn_blocking(move || {
            let _held = thread;
            let text = std::str::from_utf8(hash.expose()).ok()?;
            let hash = PasswordHash::new(text).ok()?;
            match Argon2::default().verify_password(typed.expose(), &hash) {
                Ok(()) => Some(true),
                Err(argon2::password_hash::Error::PasswordInvalid) => Some(false),
                Err(_) => None,
            }
        });
        checked.await.ok().flatten().ok_or_else(|| ours("the stored hash of a PIN can't be read; reset the user's PIN"))
    }
}
