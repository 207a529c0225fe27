//! The same wrong code again is the same failure (rules C1): a VPN client that reconnects with what it remembers
//! must not lock its user out.
//!
//! One wrong code a user is remembered, as a keyed hash, for ten minutes; who repeats it is told that it is wrong without
//! anything being looked at. So the repetition is no guess: nobody learns whether the code would be right by now.

use std::time::Duration;

use dashmap::DashMap;
use login::{Proof, ProofKey, ResolvedUser, Tick};
use wire::Secret;

/// How long a wrong code is remembered.
const REMEMBERED_FOR: Duration = Duration::from_secs(600);
/// Users of whom one is remembered (G1); past that the oldest memories go, and a repetition counts again.
const USERS_MAX: usize = 50_000;

/// The last wrong code of each user.
pub(super) struct Repeats {
    key: ProofKey,
    wrong: DashMap<ResolvedUser, (Proof, Tick)>,
}

impl Repeats {
    pub(super) fn new(key: ProofKey) -> Self {
        Self { key, wrong: DashMap::new() }
    }

    /// Whether this very code of this user was wrong a moment ago.
    pub(super) fn knows(&self, user: &ResolvedUser, code: &Secret, now: Tick) -> bool {
        let proof = self.proof(code);
        self.wrong.get(user).is_some_and(|known| known.0 == proof && now.since(known.1) < REMEMBERED_FOR)
    }

    /// It was wrong.
    pub(super) fn wrong(&self, user: &ResolvedUser, code: &Secret, now: Tick) {
        if self.wrong.len() >= USERS_MAX {
            self.wrong.retain(|_, (_, since)| now.since(*since) < REMEMBERED_FOR);
        }
        if self.wrong.len() < USERS_MAX {
            self.wrong.insert(user.clone(), (self.proof(code), now));
        }
    }

    /// A code of this user was right.
    pub(super) fn right(&self, user: &ResolvedUser) {
        self.wrong.remove(user);
    }

    fn proof(&self, code: &Secret) -> Proof {
        Proof::of(&self.key, "wrong code", &[code.expose()])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn repeats() -> (Repeats, ResolvedUser, Secret) {
        (Repeats::new(ProofKey::new([3; 32])), ResolvedUser::new("alice"), Secret::new(b"123456".to_vec()))
    }

    #[test]
    fn the_same_wrong_code_is_known_for_ten_minutes() {
        let (repeats, alice, code) = repeats();
        repeats.wrong(&alice, &code, Tick(0));
        assert!(repeats.knows(&alice, &code, Tick(599_999)));
        assert!(!repeats.knows(&alice, &code, Tick(600_000)));
    }

    #[test]
    fn another_code_and_another_user_are_not_known() {
        let (repeats, alice, code) = repeats();
        repeats.wrong(&alice, &code, Tick(0));
        assert!(!repeats.knows(&alice, &Secret::new(b"123457".to_vec()), Tick(1)));
        assert!(!repeats.knows(&ResolvedUser::new("bob"), &code, Tick(1)));
    }

    #[test]
    fn a_right_code_forgets_the_wrong_one() {
        let (repeats, alice, code) = repeats();
        repeats.wrong(&alice, &code, Tick(0));
        repeats.right(&alice);
        assert!(!repeats.knows(&alice, &code, Tick(1)));
    }
}
