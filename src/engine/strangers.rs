//! Names that nobody knows (rules D3): one bucket a client, because such names have no user whose limits could hold.
//!
//! A primary that rejects a name which the store doesn't know takes one from its client's bucket; the bucket fills again
//! over a minute. While it is empty, unknown names of that client reach no primary; users whom the store knows never
//! notice. So a spray of names costs neither the primary nor the hashing threads more than the bucket holds.

use dashmap::DashMap;
use login::Tick;

/// What is left of each client's bucket. Clients are configured, so there are few.
#[derive(Default)]
pub(super) struct Strangers(DashMap<Box<str>, Bucket>);

#[derive(Clone, Copy)]
struct Bucket {
    /// Thousandths of a failure that are left, so that filling by the millisecond loses nothing.
    left_milli: u64,
    since: Tick,
}

impl Strangers {
    /// Whether this client's bucket is empty.
    pub(super) fn exhausted(&self, client: &str, per_minute: u32, now: Tick) -> bool {
        self.0.get(client).is_some_and(|bucket| bucket.filled(per_minute, now).left_milli < 1000)
    }

    /// A name that nobody knows was rejected.
    pub(super) fn rejected(&self, client: &str, per_minute: u32, now: Tick) {
        let full = Bucket { left_milli: u64::from(per_minute) * 1000, since: now };
        let mut bucket = self.0.entry(client.into()).or_insert(full);
        let filled = bucket.filled(per_minute, now);
        *bucket = Bucket { left_milli: filled.left_milli.saturating_sub(1000), since: now };
    }
}

impl Bucket {
    fn filled(self, per_minute: u32, now: Tick) -> Self {
        let passed_ms = u64::try_from(now.since(self.since).as_millis()).unwrap_or(u64::MAX);
        let more = passed_ms.saturating_mul(u64::from(per_minute)) / 60;
        let most = u64::from(per_minute) * 1000;
        Self { left_milli: self.left_milli.saturating_add(more).min(most), since: now }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spray_of_names_empties_the_bucket_of_its_client_and_of_no_other() {
        let strangers = Strangers::default();
        for _ in 0..10 {
            assert!(!strangers.exhausted("vpn", 10, Tick(0)));
            strangers.rejected("vpn", 10, Tick(0));
        }
        assert!(strangers.exhausted("vpn", 10, Tick(0)));
        assert!(!strangers.exhausted("wifi", 10, Tick(0)));
    }

    #[test]
    fn the_bucket_fills_over_a_minute_and_never_beyond() {
        let strangers = Strangers::default();
        (0..10).for_each(|_| strangers.rejected("vpn", 10, Tick(0)));
        assert!(strangers.exhausted("vpn", 10, Tick(5_999)));
        assert!(!strangers.exhausted("vpn", 10, Tick(6_000)));
        (0..10).for_each(|_| strangers.rejected("vpn", 10, Tick(600_000)));
        assert!(strangers.exhausted("vpn", 10, Tick(600_000)));
    }
}
