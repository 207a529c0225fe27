//! A bucket of tokens that fills with time, and what is paid from it: primary failures of clients that may send bare
//! packets (rules D5), answers to Status-Server.
//!
//! Pure but for the lock around it. A client's budget is charged for failures, not for logins: a busy morning costs
//! nothing.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use login::Tick;

use super::lock;

/// Tokens in thousandths, so that a slow bucket fills evenly.
const TOKEN: u64 = 1000;

/// A bucket of tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Bucket {
    most: u64,
    per_minute: u64,
    filled: u64,
    at: Tick,
}

impl Bucket {
    /// A full bucket that holds `most` tokens and gains `per_minute`.
    pub(super) fn full(most: u32, per_minute: u32) -> Self {
        let most = u64::from(most).saturating_mul(TOKEN);
        Self { most, per_minute: u64::from(per_minute), filled: most, at: Tick(0) }
    }

    /// Another size and pace from now on. What is missing stays missing: a reload forgives nothing.
    fn resize(&mut self, most: u32, per_minute: u32, at: Tick) {
        self.fill(at);
        let missing = self.most.saturating_sub(self.filled);
        self.most = u64::from(most).saturating_mul(TOKEN);
        self.per_minute = u64::from(per_minute);
        self.filled = self.most.saturating_sub(missing);
    }

    /// Whether a token is there.
    pub(super) fn has_one(&mut self, at: Tick) -> bool {
        self.fill(at);
        self.filled >= TOKEN
    }

    /// Takes a token if there is one.
    pub(super) fn take(&mut self, at: Tick) -> bool {
        let there = self.has_one(at);
        if there {
            self.filled = self.filled.saturating_sub(TOKEN);
        }
        there
    }

    /// Takes a token, or what is left of one.
    fn charge(&mut self, at: Tick) {
        self.fill(at);
        self.filled = self.filled.saturating_sub(TOKEN);
    }

    fn give_back(&mut self) {
        self.filled = self.filled.saturating_add(TOKEN).min(self.most);
    }

    fn fill(&mut self, at: Tick) {
        const MINUTE_MS: u64 = 60_000;
        let ms = u64::try_from(at.since(self.at).as_millis()).unwrap_or(u64::MAX);
        let gained = ms.saturating_mul(self.per_minute).saturating_mul(TOKEN) / MINUTE_MS;
        // Below a thousandth of a token time is left to gather.
        if gained > 0 {
            self.filled = self.filled.saturating_add(gained).min(self.most);
            let used = gained.saturating_mul(MINUTE_MS) / self.per_minute.saturating_mul(TOKEN).max(1);
            self.at = self.at.plus(Duration::from_millis(used));
        }
    }
}

/// A client's budget of primary failures (rules D5); a clone is the same budget.
#[derive(Clone, Debug)]
pub struct Budget(Arc<Mutex<Bucket>>);

impl Budget {
    /// A budget of so many failures a minute, all of them there at the start.
    #[must_use]
    pub fn per_minute(failures: u32) -> Self {
        Self(Arc::new(Mutex::new(Bucket::full(failures, failures))))
    }

    /// Takes another number from a reload; failures that were charged stay charged.
    pub fn set_per_minute(&self, failures: u32, at: Tick) {
        lock(&self.0).resize(failures, failures, at);
    }

    /// Whether another bare packet may reach the primary.
    #[must_use]
    pub fn may_try(&self, at: Tick) -> bool {
        lock(&self.0).has_one(at)
    }

    /// The primary rejected a bare packet.
    pub fn charge_failure(&self, at: Tick) {
        lock(&self.0).charge(at);
    }

    /// Takes a place for one try, so that a burst can't overdraw: `None` when the budget is spent.
    #[must_use]
    pub fn begin_try(&self, at: Tick) -> Option<Trial> {
        lock(&self.0).take(at).then(|| Trial { budget: self.clone(), failed: false })
    }
}

/// One try at the primary; dropped, its place is given back: the primary accepted, or could not be reached.
#[derive(Debug)]
#[must_use = "dropped at once, it costs nothing"]
pub struct Trial {
    budget: Budget,
    failed: bool,
}

impl Trial {
    /// The primary rejected: the place stays taken until time fills it.
    pub fn fail(mut self) {
        self.failed = true;
    }
}

impl Drop for Trial {
    fn drop(&mut self) {
        if !self.failed {
            lock(&self.budget.0).give_back();
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn sixty_failures_are_allowed_and_the_next_only_a_second_later() {
        let budget = Budget::per_minute(60);
        for _ in 0..60 {
            assert!(budget.may_try(Tick(0)));
            budget.charge_failure(Tick(0));
        }
        assert!(!budget.may_try(Tick(999)));
        assert!(budget.may_try(Tick(1000)));
    }

    #[test]
    fn a_burst_cannot_overdraw_and_successes_cost_nothing() {
        let budget = Budget::per_minute(60);
        let trials: Vec<Trial> = std::iter::from_fn(|| budget.begin_try(Tick(0))).collect();
        assert_eq!(trials.len(), 60);
        drop(trials);
        let trials: Vec<Trial> = std::iter::from_fn(|| budget.begin_try(Tick(0))).collect();
        assert_eq!(trials.len(), 60);
        trials.into_iter().for_each(Trial::fail);
        assert!(budget.begin_try(Tick(999)).is_none() && budget.begin_try(Tick(1000)).is_some());
    }

    #[test]
    fn a_new_number_counts_at_once_and_forgives_nothing() {
        let budget = Budget::per_minute(60);
        (0..10).for_each(|_| budget.charge_failure(Tick(0)));
        let left = |at| std::iter::from_fn(|| budget.begin_try(at)).collect::<Vec<Trial>>().len();
        budget.set_per_minute(60, Tick(0));
        assert_eq!(left(Tick(0)), 50);
        budget.set_per_minute(12, Tick(0));
        assert_eq!((left(Tick(0)), left(Tick(4999)), left(Tick(5000))), (2, 2, 3), "a token in five seconds now");
        budget.set_per_minute(5, Tick(5000));
        assert_eq!(left(Tick(5000)), 0);
        budget.set_per_minute(600, Tick(5000));
        assert_eq!(
            (left(Tick(5000)), left(Tick(60_000))),
            (595, 600),
            "never more is missing than the number that was"
        );
    }

    proptest! {
        #[test]
        fn no_more_are_taken_than_the_start_and_the_time_allow(steps in prop::collection::vec(0_u64..5000, 1..500)) {
            let mut bucket = Bucket::full(5, 30);
            let (mut now, mut taken) = (0, 0_u64);
            for step in steps {
                now += step;
                taken += u64::from(bucket.take(Tick(now)));
                prop_assert!(taken <= 5 + now * 30 / 60_000);
            }
        }
    }
}
