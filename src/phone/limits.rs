//! How often a stranger may try, and a phone may ask: buckets of tokens, bounded in number (rules D3, G1).
//!
//! A bucket that has filled up again is forgotten. When even that leaves no room, the fullest go: they are the least of a worry.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use login::Tick;

/// Buckets by key.
#[derive(Debug)]
pub struct Buckets<K> {
    rate: Rate,
    max: usize,
    buckets: Mutex<HashMap<K, Bucket>>,
}

/// So many at once, and one more after each pause.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// At once.
    pub burst: u32,
    /// Until the next.
    pub every: Duration,
}

/// When the bucket is full again: all there is to know of it.
#[derive(Clone, Copy, Debug)]
struct Bucket {
    full_at: Tick,
}

impl<K: Hash + Eq + Clone> Buckets<K> {
    /// Buckets of one rate; `max` of them at once.
    #[must_use]
    pub fn new(rate: Rate, max: usize) -> Self {
        Self { rate, max, buckets: Mutex::new(HashMap::new()) }
    }

    /// Whether there is a token, without taking it: for what counts only once it has failed.
    #[must_use]
    pub fn has_one(&self, key: &K, now: Tick) -> bool {
        let buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        buckets.get(key).is_none_or(|bucket| self.wait(*bucket, now) <= self.room())
    }

    /// Takes a token; false: there is none.
    pub fn take(&self, key: &K, now: Tick) -> bool {
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        if buckets.len() >= self.max && !buckets.contains_key(key) {
            self.make_room(&mut buckets, now);
        }
        let bucket = buckets.entry(key.clone()).or_insert(Bucket { full_at: now });
        if self.wait(*bucket, now) > self.room() {
            return false;
        }
        bucket.full_at = bucket.full_at.max(now).plus(self.rate.every);
        true
    }

    fn wait(&self, bucket: Bucket, now: Tick) -> Duration {
        bucket.full_at.since(now)
    }

    /// With that long until it is full there is one token left.
    fn room(&self) -> Duration {
        self.rate.every.saturating_mul(self.rate.burst.saturating_sub(1))
    }

    fn make_room(&self, buckets: &mut HashMap<K, Bucket>, now: Tick) {
        buckets.retain(|_, bucket| bucket.full_at > now);
        if buckets.len() < self.max {
            return;
        }
        let mut full: Vec<Tick> = buckets.values().map(|bucket| bucket.full_at).collect();
        let at = full.len() / 8;
        let (_, last, _) = full.select_nth_unstable(at);
        let last = *last;
        buckets.retain(|_, bucket| bucket.full_at > last);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: u64) -> Tick {
        Tick(ms)
    }

    #[test]
    fn a_burst_is_allowed_and_then_one_after_each_pause() {
        let buckets = Buckets::new(Rate { burst: 5, every: Duration::from_secs(1) }, 10);
        assert!((0..5).all(|_| buckets.take(&"a", at(0))));
        assert!(!buckets.has_one(&"a", at(0)) && !buckets.take(&"a", at(999)));
        assert!(buckets.has_one(&"a", at(1000)) && buckets.take(&"a", at(1000)) && !buckets.take(&"a", at(1000)));
        assert!(buckets.take(&"b", at(0)), "one key's bucket is nobody else's");
        assert!((0..5).all(|_| buckets.take(&"a", at(60_000))), "a full bucket is no fuller for the wait");
        assert!(!buckets.take(&"a", at(60_000)));
    }

    #[test]
    fn memory_is_bounded_and_the_busiest_stay_limited() {
        let buckets = Buckets::new(Rate { burst: 2, every: Duration::from_secs(60) }, 64);
        assert!(buckets.take(&0, at(0)) && buckets.take(&0, at(0)));
        for key in 1..10_000_u32 {
            assert!(buckets.take(&key, at(1)));
            assert!(buckets.buckets.lock().unwrap().len() <= 64);
        }
        assert!(!buckets.take(&0, at(2)));
    }
}
