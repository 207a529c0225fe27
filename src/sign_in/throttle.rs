//! How often something may fail: a leaky bucket for each key, in a table that never grows (rules D3: every map is bounded).
//!
//! Keys fall into slots by a hash that only this process knows, so nobody can aim at another's slot. A place is taken before
//! the try and given back if it was right; so tries side by side never are more than one after the other would be.

use std::hash::{BuildHasher, Hash, RandomState};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use login::Tick;

/// Eight octets each: half a megabyte.
const SLOTS: usize = 1 << 16;

/// So many failures at once, and then one in each interval.
pub(super) struct Throttle {
    at_once: u64,
    every_ms: u64,
    hasher: RandomState,
    /// When the bucket will be empty, in the clock's milliseconds.
    slots: Mutex<Box<[u64]>>,
}

impl Throttle {
    pub(super) fn new(at_once: u32, every: Duration) -> Self {
        let every_ms = u64::try_from(every.as_millis()).unwrap_or(u64::MAX);
        let slots = Mutex::new(vec![0; SLOTS].into_boxed_slice());
        Self { at_once: u64::from(at_once), every_ms, hasher: RandomState::new(), slots }
    }

    /// Takes a place; false: there is none now.
    pub(super) fn take(&self, key: impl Hash, now: Tick) -> bool {
        self.change(key, |empty_at| {
            let after = (*empty_at).max(now.0).saturating_add(self.every_ms);
            let fits = after <= now.0.saturating_add(self.every_ms.saturating_mul(self.at_once));
            if fits {
                *empty_at = after;
            }
            fits
        })
    }

    /// It was right: as if nothing had been taken.
    pub(super) fn give_back(&self, key: impl Hash) {
        self.change(key, |empty_at| *empty_at = empty_at.saturating_sub(self.every_ms));
    }

    fn change<T>(&self, key: impl Hash, change: impl FnOnce(&mut u64) -> T) -> T {
        let slot = usize::try_from(self.hasher.hash_one(key)).unwrap_or_default() % SLOTS;
        let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        // The remainder is always a slot; where it were not, the change goes to nobody.
        change(slots.get_mut(slot).unwrap_or(&mut 0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn five_a_minute() -> Throttle {
        Throttle::new(5, Duration::from_secs(60))
    }

    #[test]
    fn so_many_at_once_and_then_one_in_each_interval() {
        let (throttle, minute) = (five_a_minute(), Tick(60_000));
        assert_eq!((0..7).filter(|_| throttle.take("a", Tick(0))).count(), 5);
        assert!(!throttle.take("a", Tick(59_999)));
        assert!(throttle.take("a", minute) && !throttle.take("a", minute));
    }

    #[test]
    fn what_was_right_costs_nothing() {
        let throttle = five_a_minute();
        for _ in 0..100 {
            assert!(throttle.take("a", Tick(0)));
            throttle.give_back("a");
        }
    }

    #[test]
    fn others_are_not_held_up() {
        let throttle = five_a_minute();
        while throttle.take("a", Tick(0)) {}
        assert!(throttle.take("b", Tick(0)));
    }
}
