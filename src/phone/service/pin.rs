//! The PIN beside Verify: checked by [`crate::factor::pin`], which counts a guess in the store before anybody learns of it.

use login::{ResolvedUser, Wall};
use wire::Secret;

use super::{PhoneStore, PinRule};
use crate::factor::oath::Tries;
use crate::factor::pin::{PinOutcome, TypedPin, check};
use crate::hashing::{Door, Hasher};
use crate::store::StoreError;

/// So often an unknown commit is repeated: the phone's own time is short.
const SETTLING_TRIES: u32 = 8;

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

/// Checks PINs, in the phones' turns at the threads that hash.
#[derive(Debug)]
pub(super) struct Pins {
    rule: PinRule,
    hasher: Hasher,
}

impl Pins {
    pub(super) fn new(rule: PinRule, hasher: Hasher) -> Self {
        Self { rule, hasher }
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
        let typed = TypedPin { guess_id: rand::random(), user, pin: typed, tries: self.rule.tries, at };
        match check(store, (&self.hasher, Door::Phones), &typed, &Tries(SETTLING_TRIES)).await {
            Ok(PinOutcome::Right { must_change: false }) => Ok(PinCheck::Right),
            Ok(PinOutcome::Right { must_change: true }) => Ok(PinCheck::MustChange),
            Ok(PinOutcome::Wrong { left }) => Ok(PinCheck::Wrong { left }),
            Ok(PinOutcome::Locked) => Ok(PinCheck::Locked),
            Ok(PinOutcome::NoPin) => Ok(PinCheck::None),
            Err(away) => Err(StoreError::Ours(away.why.as_ref().into())),
        }
    }
}
