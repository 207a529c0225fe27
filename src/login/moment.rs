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

    /// So long before.
    #[must_use]
    pub fn minus(self, earlier: Duration) -> Self {
        Self(self.0.saturating_sub(millis(earlier)))
    }

    /// Whole seconds since 1970, as OATH counts them (RFC 6238 §4).
    #[must_use]
    pub fn unix_seconds(self) -> u64 {
        self.0 / 1000
    }

    /// The same for people and machines: `2027-01-15T08:00:00Z`, in UTC and whole seconds (RFC 3339 §5.6).
    #[must_use]
    pub fn rfc3339(self) -> String {
        let (days, seconds) = (self.unix_seconds() / 86_400, self.unix_seconds() % 86_400);
        let (year, month, day) = date_of(days);
        let (hour, minute, second) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
        format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
    }

    /// How long ago `earlier` was; nothing if it lies ahead.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }
}

/// Year, month and day of so many days after 1970-01-01, in the Gregorian calendar. Years are counted from March on, so that
/// a leap day is the last of its year; 400 of them are 146,097 days.
fn date_of(days: u64) -> (u64, u64, u64) {
    const FROM_MARCH_OF_0_TO_1970: u64 = 719_468;
    let days = days + FROM_MARCH_OF_0_TO_1970;
    let (era, day) = (days / 146_097, days % 146_097);
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day_of_year = day - (365 * year + year / 4 - year / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day_of_month = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    (era * 400 + year + u64::from(month <= 2), month, day_of_month)
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_written_as_the_calendar_has_it() {
        let written = |seconds: u64| Wall(seconds * 1000 + 999).rfc3339();
        assert_eq!(written(0), "1970-01-01T00:00:00Z");
        assert_eq!(written(951_782_400), "2000-02-29T00:00:00Z");
        assert_eq!(written(951_868_799), "2000-02-29T23:59:59Z");
        assert_eq!(written(951_868_800), "2000-03-01T00:00:00Z");
        assert_eq!(written(1_795_560_717), "2026-11-24T22:51:57Z");
        assert_eq!(written(4_107_542_399), "2100-02-28T23:59:59Z");
        assert_eq!(written(4_107_542_400), "2100-03-01T00:00:00Z", "2100 is no leap year");
    }
}
