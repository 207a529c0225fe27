//! The one clock of the house: reads both faces of time and waits. Everything else is given a [`Moment`].

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use login::{Moment, Tick, Wall};

use crate::primary::{self, BoxFuture};

/// Reads the monotonic and the wall clock. Copies tell the same time.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    began: tokio::time::Instant,
}

impl Clock {
    /// Ticks count from now.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "this is the clock that the others are told to ask")]
    pub fn begin() -> Self {
        Self { began: tokio::time::Instant::now() }
    }

    /// Now, on both clocks.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "this is the clock that the others are told to ask")]
    pub fn moment(&self) -> Moment {
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
        Moment { tick: self.tick(), wall: Wall(u64::try_from(wall.as_millis()).unwrap_or(u64::MAX)) }
    }

    /// Now, for deadlines.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "this is the clock that the others are told to ask")]
    pub fn tick(&self) -> Tick {
        Tick::default().plus(tokio::time::Instant::now().saturating_duration_since(self.began))
    }

    /// Is ready at `tick`, at once if that has passed.
    pub async fn wait_until(&self, tick: Tick) {
        tokio::time::sleep_until(self.began + tick.since(Tick::default())).await;
    }

    /// Is ready after `duration`.
    pub async fn wait(&self, duration: Duration) {
        self.wait_until(self.tick().plus(duration)).await;
    }
}

impl primary::Clock for Clock {
    fn now(&self) -> Tick {
        self.tick()
    }

    fn wait_until(&self, tick: Tick) -> BoxFuture<'_, ()> {
        let clock = *self;
        Box::pin(async move { clock.wait_until(tick).await })
    }
}
