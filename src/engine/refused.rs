//! Refusals that are written down already (rules F2): five hundred who bring one spent State are one record and one line.
//!
//! Each of them is answered all the same, and counted. What is new for a client, a name, a station or a State is always written down; past
//! the bound everything is.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use login::{LoginKey, Tick};

/// As long as a State can be answered at most (C3): afterwards the next refusal is written down anew.
const KEPT: Duration = Duration::from_secs(120);

/// So many are remembered: 24 octets each (G1).
const KEPT_MAX: usize = 20_000;

/// What was refused lately, by a keyed hash of its client, its name, its station and its State.
#[derive(Default)]
pub(super) struct Refused(Mutex<Kept>);

#[derive(Default)]
struct Kept {
    since: HashMap<LoginKey, Tick>,
    swept: Tick,
}

impl Refused {
    /// Whether the same was refused and written down before; from now on it was.
    pub(super) fn again(&self, what: LoginKey, now: Tick) -> bool {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.since.get(&what).is_some_and(|since| now.since(*since) < KEPT) {
            return true;
        }
        kept.sweep(now);
        if kept.since.len() < KEPT_MAX {
            kept.since.insert(what, now);
        }
        false
    }
}

impl Kept {
    /// At most once a second, and only where there is no room.
    fn sweep(&mut self, now: Tick) {
        if self.since.len() >= KEPT_MAX && now.since(self.swept) >= Duration::from_secs(1) {
            self.swept = now;
            self.since.retain(|_, since| now.since(*since) < KEPT);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(number: u64) -> LoginKey {
        LoginKey([number.to_be_bytes(), number.to_be_bytes()].concat().try_into().unwrap())
    }

    fn at(seconds: u64) -> Tick {
        Tick(seconds * 1000)
    }

    #[test]
    fn the_same_refusal_is_written_down_once_in_two_minutes_and_another_one_at_once() {
        let refused = Refused::default();
        assert!(!refused.again(key(1), at(0)));
        assert!(refused.again(key(1), at(119)));
        assert!(!refused.again(key(2), at(119)));
        assert!(!refused.again(key(1), at(120)));
    }

    #[test]
    fn past_the_bound_everything_is_written_down_until_there_is_room_again() {
        let refused = Refused::default();
        (0..30_000).for_each(|number| assert!(!refused.again(key(number), at(0))));
        assert!(!refused.again(key(29_999), at(1)), "there was no room for it");
        assert!(refused.again(key(0), at(1)));
        assert!(!refused.again(key(40_000), at(121)));
        assert!(refused.again(key(40_000), at(122)), "the old ones made room");
    }
}
