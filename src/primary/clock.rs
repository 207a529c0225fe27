//! The clock that this room is given: the one that `engine` keeps, seen through a narrow trait.
//!
//! Retransmission is time itself, yet nothing here reads a clock or sleeps: a primary asks this trait, and a test with
//! a paused runtime plays thirty seconds of silence in no time. The schedules themselves are pure functions elsewhere.

use login::Tick;

use super::BoxFuture;

/// Reads ticks and waits for them.
pub trait Clock: Send + Sync {
    /// The tick now, counted as the engine counts.
    fn now(&self) -> Tick;

    /// Is ready at `tick`, at once if that has passed.
    fn wait_until(&self, tick: Tick) -> BoxFuture<'_, ()>;
}

#[cfg(test)]
pub(crate) mod tests {
    use std::collections::BTreeMap;
    use std::sync::Mutex;
    use std::sync::atomic::{AtomicU64, Ordering};

    use tokio::sync::watch;

    use super::*;

    /// A clock that stands still until a test lets the next alarm ring.
    pub(crate) struct TestClock {
        now: watch::Sender<Tick>,
        alarms: Mutex<BTreeMap<u64, Tick>>,
        last_id: AtomicU64,
    }

    impl TestClock {
        pub(crate) fn new() -> Self {
            let last_id = AtomicU64::new(0);
            Self { now: watch::Sender::new(Tick(0)), alarms: Mutex::default(), last_id }
        }

        pub(crate) fn advance(&self, millis: u64) {
            self.now.send_modify(|now| now.0 += millis);
        }

        /// Moves on to the next alarm that somebody waits for, and says when that was.
        pub(crate) fn ring(&self) -> Tick {
            let now = self.now();
            let next = self.alarms.lock().unwrap().values().copied().filter(|at| *at > now).min();
            let next = next.expect("somebody waits for an alarm");
            self.now.send_replace(next);
            next
        }
    }

    struct Alarm<'a>(&'a TestClock, u64);

    impl Drop for Alarm<'_> {
        fn drop(&mut self) {
            self.0.alarms.lock().unwrap().remove(&self.1);
        }
    }

    impl Clock for TestClock {
        fn now(&self) -> Tick {
            *self.now.borrow()
        }

        fn wait_until(&self, tick: Tick) -> BoxFuture<'_, ()> {
            Box::pin(async move {
                let id = self.last_id.fetch_add(1, Ordering::Relaxed);
                self.alarms.lock().unwrap().insert(id, tick);
                let _registered = Alarm(self, id);
                let mut now = self.now.subscribe();
                now.wait_for(|now| *now >= tick).await.expect("the clock outlives its alarms");
            })
        }
    }
}
