//! The PIN beside Verify: one guess, from the typed digits to what became of it, committed before anybody learns it (rules C1).
//!
//! A PIN has its own lock, which only the help desk's reset opens. While it is locked the typed PIN is not looked at, so that a
//! lock tells nothing about it. Guesses at one PIN serialise by its version. A store that can't be read or written is no yes
//! (rules A5). Nothing here keeps or prints a PIN.

use login::{ResolvedUser, Unavailable, Wall};
use wire::Secret;

use super::settling::{Patience, away, settled};
use crate::config::PIN_DIGITS_MAX;
use crate::hashing::{Door, Hasher, HashingFailed, Turn};
use crate::store::web::{Pin, Pins};

/// How often a guess that others overtook begins anew: the lock ends a race of wrong ones long before.
const STALE_TRIES_MAX: u32 = 32;

/// One typed PIN.
#[derive(Clone, Copy, Debug)]
pub struct TypedPin<'a> {
    /// Names this guess in the store, so that repeating its commit is the same commit: 16 random octets, new for each guess.
    pub guess_id: [u8; 16],
    /// Whose.
    pub user: &'a ResolvedUser,
    /// What was typed.
    pub pin: &'a Secret,
    /// Wrong ones in a row that lock it: `[method.push] pin`.
    pub tries: u32,
    /// When.
    pub at: Wall,
}

/// What it came to, durable before it is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PinOutcome {
    /// It is the user's own.
    Right {
        /// It is the initial one that was given: to be changed before it approves anything.
        must_change: bool,
    },
    /// It is not; so many tries are left.
    Wrong {
        /// Tries.
        left: u32,
    },
    /// Wrong too often, now or before: only the help desk's reset helps.
    Locked,
    /// The user has none.
    NoPin,
}

/// Tries a PIN and says what became of it, once that is durable.
///
/// # Errors
/// [`Unavailable`] if the store can't be read or written, if too many are hashed at once, or if the commit stays unknown: then
/// nothing is right.
pub async fn check(
    store: &dyn Pins,
    (hasher, door): (&Hasher, Door),
    typed: &TypedPin<'_>,
    patience: &dyn Patience,
) -> Result<PinOutcome, Unavailable> {
    for _ in 0..STALE_TRIES_MAX {
        let Some(pin) = store.pin(typed.user, typed.at).await.map_err(away)? else { return Ok(PinOutcome::NoPin) };
        if pin.locked {
            return Ok(PinOutcome::Locked);
        }
        let right = is_right(hasher, Turn::at(door, typed.user), typed.pin, &pin).await?;
        // Whether it counts on that version.
        let commit = || store.commit_pin_guess(typed.user, typed.guess_id, pin.version, right, typed.tries, typed.at);
        if settled("the guess at the PIN", patience, commit).await? {
            return Ok(outcome(&pin, right, typed.tries));
        }
    }
    Err(Unavailable::seen("too many PINs of this user are being checked at once"))
}

/// What the store keeps of a PIN. Whether it may be one is asked before (`enrolment::pin_allowed`).
///
/// # Errors
/// [`HashingFailed`].
pub async fn hash(hasher: &Hasher, turn: Turn, pin: &Secret) -> Result<Secret, HashingFailed> {
    hasher.hash(turn, pin.clone()).await
}

fn outcome(pin: &Pin, right: bool, tries: u32) -> PinOutcome {
    let left = tries.saturating_sub(pin.failures).saturating_sub(1);
    match (right, left) {
        (true, _) => PinOutcome::Right { must_change: pin.must_change },
        (false, 0) => PinOutcome::Locked,
        (false, left) => PinOutcome::Wrong { left },
    }
}

async fn is_right(hasher: &Hasher, turn: Turn, typed: &Secret, pin: &Pin) -> Result<bool, Unavailable> {
    let octets = typed.expose();
    // A longer text is wrong, and is not hashed.
    if octets.is_empty() || octets.len() > PIN_DIGITS_MAX || !octets.iter().all(u8::is_ascii_digit) {
        return Ok(false);
    }
    let compared = hasher.is_right(turn, typed.clone(), pin.hash.clone()).await;
    compared.map_err(|why| Unavailable::seen(format!("the PIN: {why}")))
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;
    use crate::factor::oath::Tries;
    use crate::store::{StoreError, StoreFuture};

    struct Row {
        pin: Option<Pin>,
        /// So many commits are overtaken.
        overtaken: u32,
        /// So many commits stay unknown, though they are done.
        unknown: u32,
        guesses: Vec<[u8; 16]>,
    }

    struct Fake(Mutex<Row>);

    impl Pins for Fake {
        fn pin(&self, _: &ResolvedUser, _: Wall) -> StoreFuture<'_, Option<Pin>> {
            Box::pin(std::future::ready(Ok(self.0.lock().unwrap().pin.clone())))
        }

        fn commit_pin_guess(
            &self,
            _: &ResolvedUser,
            guess_id: [u8; 16],
            version: u64,
            right: bool,
            tries: u32,
            _: Wall,
        ) -> StoreFuture<'_, bool> {
            let mut row = self.0.lock().unwrap();
            if row.guesses.contains(&guess_id) {
                return Box::pin(std::future::ready(Ok(true)));
            }
            if row.overtaken > 0 {
                row.overtaken -= 1;
                row.pin.as_mut().unwrap().version += 1;
                return Box::pin(std::future::ready(Ok(false)));
            }
            let pin = row.pin.as_mut().unwrap();
            assert_eq!(pin.version, version);
            pin.version += 1;
            pin.failures = if right { 0 } else { pin.failures + 1 };
            pin.locked = pin.failures >= tries;
            row.guesses.push(guess_id);
            if row.unknown > 0 {
                row.unknown -= 1;
                let unknown = StoreError::Unknown("the disk is slow".into());
                return Box::pin(std::future::ready(Err(unknown)));
            }
            Box::pin(std::future::ready(Ok(true)))
        }

        fn set_pin(&self, _: &ResolvedUser, _: Secret, _: bool, _: Wall) -> StoreFuture<'_, ()> {
            Box::pin(std::future::ready(Ok(())))
        }

        fn reset_pin(&self, _: &ResolvedUser) -> StoreFuture<'_, ()> {
            Box::pin(std::future::ready(Ok(())))
        }
    }

    async fn with(pin: Option<&str>) -> (Fake, Hasher) {
        let hasher = Hasher::new(2);
        let pin = match pin {
            Some(pin) => {
                let hash = hash(&hasher, Turn::at(Door::Phones, pin), &Secret::new(pin)).await.unwrap();
                Some(Pin { hash, version: 1, failures: 0, locked: false, must_change: false, set_at: Wall(0) })
            }
            None => None,
        };
        (Fake(Mutex::new(Row { pin, overtaken: 0, unknown: 0, guesses: Vec::new() })), hasher)
    }

    async fn typed((store, hasher): &(Fake, Hasher), pin: &str, guess: u8) -> Result<PinOutcome, Unavailable> {
        let (user, pin) = (ResolvedUser::new("alice"), Secret::new(pin));
        let typed = TypedPin { guess_id: [guess; 16], user: &user, pin: &pin, tries: 3, at: Wall(0) };
        check(store, (hasher, Door::Phones), &typed, &Tries(2)).await
    }

    #[tokio::test]
    async fn the_third_wrong_one_locks_it_and_then_the_right_one_says_no_more() {
        let desk = with(Some("482915")).await;
        assert_eq!(typed(&desk, "482915", 0).await.unwrap(), PinOutcome::Right { must_change: false });
        assert_eq!(typed(&desk, "482916", 1).await.unwrap(), PinOutcome::Wrong { left: 2 });
        assert_eq!(typed(&desk, "not digits", 2).await.unwrap(), PinOutcome::Wrong { left: 1 });
        assert_eq!(typed(&desk, "", 3).await.unwrap(), PinOutcome::Locked);
        assert_eq!(typed(&desk, "482915", 4).await.unwrap(), PinOutcome::Locked);
        assert_eq!(desk.0.0.lock().unwrap().guesses.len(), 4, "a locked one is not guessed at");
    }

    #[tokio::test]
    async fn an_initial_one_is_right_and_says_that_it_must_be_changed() {
        let desk = with(Some("482915")).await;
        desk.0.0.lock().unwrap().pin.as_mut().unwrap().must_change = true;
        assert_eq!(typed(&desk, "482915", 0).await.unwrap(), PinOutcome::Right { must_change: true });
    }

    #[tokio::test]
    async fn who_has_none_is_told_so_without_a_guess() {
        let desk = with(None).await;
        assert_eq!(typed(&desk, "482915", 0).await.unwrap(), PinOutcome::NoPin);
    }

    #[tokio::test]
    async fn a_guess_that_was_overtaken_reads_again_and_one_that_always_is_ends() {
        let desk = with(Some("482915")).await;
        desk.0.0.lock().unwrap().overtaken = 3;
        assert_eq!(typed(&desk, "482915", 0).await.unwrap(), PinOutcome::Right { must_change: false });
        desk.0.0.lock().unwrap().overtaken = u32::MAX;
        assert!(typed(&desk, "1", 1).await.is_err());
    }

    #[tokio::test]
    async fn an_unknown_commit_is_settled_by_repeating_it_and_counts_once() {
        let desk = with(Some("482915")).await;
        desk.0.0.lock().unwrap().unknown = 1;
        assert_eq!(typed(&desk, "111111", 0).await.unwrap(), PinOutcome::Wrong { left: 2 });
        assert_eq!(desk.0.0.lock().unwrap().pin.as_ref().unwrap().failures, 1);
    }

    #[tokio::test]
    async fn too_many_at_once_are_no_answer_and_no_guess() {
        let desk = with(Some("482915")).await;
        let full = desk.1.is_full();
        assert!(typed(&desk, "482915", 0).await.is_err());
        drop(full);
        assert!(desk.0.0.lock().unwrap().guesses.is_empty());
    }
}
