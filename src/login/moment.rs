//! Time as a parameter, with two faces: deadlines live on [`Tick`], codes and dates on [`Wall`].
//!
//! A tick never goes back; the wall clock may be stepped by an operator or by NTP. Nothing here
//! reads either: `engine` does, and hands a [`Moment`] in with every event.

use std::time::Duration;

/// A point on the monotonic clock: milliseconds since the process began (or the simulation did).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tick(pub u64);

/// A point on the wall clock: milliseconds since 1970-01-01T00:00:00Z.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Wall(pub u64);

/// One moment, seen on both clocks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Moment {
    /// For deadlines.
    pub tick: Tick,
    /// For codes, dates and what is written down.
    pub wall: Wall,
}

impl Tick {
    /// The tick `later` after this one, held at the end of time instead of overflowing.
    #[must_use]
    pub fn plus(self, later: Duration) -> Self {
        Self(self.0.saturating_add(millis(later)))
    }

    /// How long ago `earlier` was; nothing if it lies ahead.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }
}

impl Wall {
    /// No date at all: a lock that only a person or another factor ends.
    pub const NEVER: Self = Self(u64::MAX);

    /// The time `later` after this one, held at the end of time instead of overflowing.
    #[must_use]
    pub fn plus(self, later: Duration) -> Self {
        Self(self.0.saturating_add(millis(later)))
    }

    /// Whole seconds since 1970, as OATH counts them (RFC 6238 §4).
    #[must_use]
    pub fn unix_seconds(self) -> u64 {
        self.0 / 1000
    }

    /// How long ago `earlier` was; nothing if it lies ahead.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
