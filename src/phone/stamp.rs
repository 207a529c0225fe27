//! Times that a phone writes: UTC, ISO 8601, one exact shape, and how far they are from ours.
//!
//! A phone signs the text, so the text is kept as it came beside the time that it means. Nothing here reads a clock.

use std::fmt;
use std::time::Duration;

use jiff::Timestamp;
use login::Wall;

/// A time in a phone's own words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stamp {
    /// As it came: what was signed.
    pub text: String,
    /// What it means.
    pub at: Wall,
}

/// How many digits of a second's fraction a protocol writes; 0 is none, and no point.
pub type Digits = &'static [usize];

/// The text is no such time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the timestamp is no time like 2026-11-24T11:05:07.123Z, in UTC")]
pub struct NotATime;

/// A phone's clock is further off than we can allow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Skew {
    /// How far.
    pub by: Duration,
    /// It runs ahead of ours.
    pub ahead: bool,
}

impl fmt::Display for Skew {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (minutes, side) = (self.by.as_secs() / 60, if self.ahead { "ahead" } else { "behind" });
        match minutes {
            0..60 => write!(f, "The phone's clock is {minutes} min {side}: set it by the network."),
            60..2880 => write!(f, "The phone's clock is {} h {side}: set it by the network.", minutes / 60),
            2880.. => write!(f, "The phone's clock is {} days {side}: set it by the network.", minutes / 1440),
        }
    }
}

impl Stamp {
    /// Reads a time of exactly this shape: `YYYY-MM-DDThh:mm:ss`, one of the fractions, `Z`.
    ///
    /// # Errors
    /// [`NotATime`]: another shape, no such date, or before 1970.
    pub fn parse(text: &str, fractions: Digits) -> Result<Self, NotATime> {
        if !has_shape(text.as_bytes(), fractions) {
            return Err(NotATime);
        }
        let time: Timestamp = text.parse().map_err(|_| NotATime)?;
        let at = u64::try_from(time.as_millisecond()).map_err(|_| NotATime)?;
        Ok(Self { text: text.to_owned(), at: Wall(at) })
    }

    /// Whether it is near enough to our own time.
    ///
    /// # Errors
    /// [`Skew`] says how far it is off.
    pub fn near(&self, now: Wall, window: Duration) -> Result<(), Skew> {
        let by = self.at.since(now).max(now.since(self.at));
        if by <= window { Ok(()) } else { Err(Skew { by, ahead: self.at > now }) }
    }
}

fn has_shape(text: &[u8], fractions: Digits) -> bool {
    const WHOLE: &[u8] = b"dddd-dd-ddTdd:dd:dd";
    let Some((whole, rest)) = text.split_at_checked(WHOLE.len()) else { return false };
    let fits = |(have, want): (&u8, &u8)| if *want == b'd' { have.is_ascii_digit() } else { have == want };
    if !whole.iter().zip(WHOLE).all(fits) {
        return false;
    }
    match rest {
        [b'Z'] => fractions.contains(&0),
        [b'.', digits @ .., b'Z'] => fractions.contains(&digits.len()) && digits.iter().all(u8::is_ascii_digit),
        [..] => false,
    }
}

/// A time as we write it to a phone: UTC, whole seconds.
#[must_use]
pub fn utc_seconds(at: Wall) -> String {
    let seconds = i64::try_from(at.unix_seconds()).ok().and_then(|seconds| Timestamp::from_second(seconds).ok());
    seconds.unwrap_or(Timestamp::MAX).strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn only_the_exact_shape_is_a_time() {
        let parse = |text: &str| Stamp::parse(text, &[3, 6]);
        assert_eq!(parse("2026-11-24T11:05:07.123456Z").unwrap().at, Wall(1_795_518_307_123));
        assert_eq!(parse("2026-11-24T11:05:07.123Z").unwrap().at, Wall(1_795_518_307_123));
        for wrong in [
            "",
            "2026-11-24T11:05:07Z",
            "2026-11-24T11:05:07.1234Z",
            "2026-11-24T11:05:07.123",
            "2026-11-24T11:05:07.123+00:00",
            "2026-11-24 11:05:07.123Z",
            "2026-11-24t11:05:07.123z",
            "2026-13-24T11:05:07.123Z",
            "2026-02-30T11:05:07.123Z",
            "1969-12-31T23:59:59.999Z",
            "2026-11-24T11:05:07.123Z ",
            "2026-11-24T11:05:07.12\u{e9}Z",
        ] {
            assert_eq!(parse(wrong), Err(NotATime), "{wrong}");
        }
        assert!(Stamp::parse("2026-11-24T11:05:07Z", &[0]).is_ok());
    }

    #[test]
    fn a_clock_that_is_off_is_told_by_how_much() {
        let stamp = Stamp::parse("2026-11-24T11:05:07.000Z", &[3]).unwrap();
        let window = Duration::from_secs(120);
        assert_eq!(stamp.near(stamp.at.plus(window), window), Ok(()));
        let behind = stamp.near(stamp.at.plus(Duration::from_secs(7 * 60 + 3)), window).unwrap_err();
        assert_eq!(behind.to_string(), "The phone's clock is 7 min behind: set it by the network.");
        let ahead = stamp.near(Wall(stamp.at.0 - 7_200_000), window).unwrap_err();
        assert_eq!(ahead.to_string(), "The phone's clock is 2 h ahead: set it by the network.");
    }

    #[test]
    fn our_own_times_are_read_back() {
        assert_eq!(utc_seconds(Wall(1_795_518_307_123)), "2026-11-24T11:05:07Z");
        assert_eq!(Stamp::parse(&utc_seconds(Wall(0)), &[0]).unwrap().at, Wall(0));
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "\\PC{0,40}", shaped in "[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:]{8}\\.[0-9]{0,9}Z") {
            let _ = Stamp::parse(&text, &[0, 3, 6]);
            let _ = Stamp::parse(&shaped, &[0, 3, 6]);
        }
    }
}
