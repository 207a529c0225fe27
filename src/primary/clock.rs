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
    use tokio::time::Instant;

    use super::*;

    /// tokio's clock, which a test may pause.
    #[derive(Clone, Copy)]
    pub(crate) struct TokioClock(Instant);

    impl TokioClock {
        #[expect(clippy::disallowed_methods, reason = "the tests' own clock")]
        pub(crate) fn begin() -> Self {
            Self(Instant::now())
        }
    }

    impl Clock for TokioClock {
        #[expect(clippy::disallowed_methods, reason = "the tests' own clock")]
        fn now(&self) -> Tick {
            Tick::default().plus(Instant::now().saturating_duration_since(self.0))
        }

        fn wait_until(&self, tick: Tick) -> BoxFuture<'_, ()> {
            Box::pin(tokio::time::sleep_until(self.0 + tick.since(Tick::default())))
        }
    }
}
