//! When a request is sent again and when it is given up: RFC 5080 §2.2.1, as a pure function of ticks and a random draw.
//!
//! It sends nothing and reads no clock, so the whole schedule is tested in no time.

use std::time::Duration;

use login::Tick;

/// The variables of RFC 5080 §2.2.1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Schedule {
    /// IRT: how long the first transmission may stay unanswered.
    pub first_timeout: Duration,
    /// MRT: no timeout is longer, but for the jitter.
    pub timeout_max: Duration,
    /// MRC: how often the request is transmitted in all.
    pub transmissions_max: u32,
    /// MRD: when the exchange has failed, counted from the first transmission.
    pub duration_max: Duration,
}

impl Default for Schedule {
    fn default() -> Self {
        Self {
            first_timeout: Duration::from_secs(2),
            timeout_max: Duration::from_secs(16),
            transmissions_max: 5,
            duration_max: Duration::from_secs(30),
        }
    }
}

/// RAND of RFC 5080 §2.2.1: between -0.1 and +0.1, in thousandths. It need not be secret, only different each time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Jitter(i16);

impl Jitter {
    /// A draw from any octets of randomness.
    #[must_use]
    pub fn draw(random: u32) -> Self {
        Self(i16::try_from(random % 201).map_or(0, |draw| draw - 100))
    }

    /// This fraction of a duration, added to `base`.
    fn of(self, fraction: Duration, base: Duration) -> Duration {
        let part = fraction.mul_f64(f64::from(self.0.unsigned_abs()) / 1000.0);
        if self.0 < 0 { base.saturating_sub(part) } else { base.saturating_add(part) }
    }
}

/// One request's transmissions so far.
#[derive(Clone, Debug)]
pub struct Transmissions {
    schedule: Schedule,
    first: Tick,
    last: Tick,
    timeout: Duration,
    count: u32,
}

/// What to do when a timeout has expired.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expired {
    /// Send the same octets again.
    Resend,
    /// The exchange has failed.
    Failed,
}

impl Transmissions {
    /// The first transmission, now.
    #[must_use]
    pub fn begin(schedule: Schedule, now: Tick, jitter: Jitter) -> Self {
        // "RT for the first message transmission is based on IRT: RT = IRT + RAND*IRT"
        let timeout = jitter.of(schedule.first_timeout, schedule.first_timeout);
        Self { schedule, first: now, last: now, timeout, count: 1 }
    }

    /// When the last transmission's time is up, or the whole exchange's.
    #[must_use]
    pub fn due(&self) -> Tick {
        self.last.plus(self.timeout).min(self.first.plus(self.schedule.duration_max))
    }

    /// A timeout has expired: counts the next transmission, or says that there is none.
    pub fn expire(&mut self, now: Tick, jitter: Jitter) -> Expired {
        // "the message exchange fails when either the sender has transmitted the message MRC times, or when MRD
        // seconds have elapsed since the client first transmitted the message"
        if self.count >= self.schedule.transmissions_max || now.since(self.first) >= self.schedule.duration_max {
            return Expired::Failed;
        }
        // "RT = 2*RTprev + RAND*RTprev", and "if (RT > MRT) RT = MRT + RAND*MRT"
        let doubled = jitter.of(self.timeout, self.timeout.saturating_mul(2));
        let max = self.schedule.timeout_max;
        self.timeout = if doubled > max { jitter.of(max, max) } else { doubled };
        self.last = now;
        self.count += 1;
        Expired::Resend
    }

    /// How often it went out.
    #[must_use]
    pub fn count(&self) -> u32 {
        self.count
    }

    /// When it first went out.
    #[must_use]
    pub fn first(&self) -> Tick {
        self.first
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The ticks at which it is sent, and the tick at which it fails.
    fn play(schedule: Schedule, jitter: impl Fn(u32) -> Jitter) -> (Vec<u64>, u64) {
        let mut sent = vec![0];
        let mut transmissions = Transmissions::begin(schedule, Tick(0), jitter(0));
        loop {
            let now = transmissions.due();
            match transmissions.expire(now, jitter(transmissions.count())) {
                Expired::Resend => sent.push(now.0),
                Expired::Failed => return (sent, now.0),
            }
        }
    }

    #[test]
    fn without_jitter_it_doubles_from_two_seconds_and_fails_at_thirty() {
        assert_eq!(play(Schedule::default(), |_| Jitter(0)), (vec![0, 2_000, 6_000, 14_000], 30_000));
    }

    #[test]
    fn no_jitter_moves_a_timeout_by_more_than_a_tenth() {
        for draw in 0..=u32::from(u8::MAX) {
            let (sent, failed) = play(Schedule::default(), |_| Jitter::draw(draw));
            assert!((1_800..=2_200).contains(&sent[1]), "{sent:?}");
            let second = sent[2] - sent[1];
            assert!(second >= sent[1] * 19 / 10 && second <= sent[1] * 21 / 10 + 1, "{sent:?}");
            assert!(sent.len() <= 5 && failed <= 30_000, "{sent:?} {failed}");
        }
    }

    #[test]
    fn the_longest_timeout_is_bounded_and_the_count_too() {
        let schedule =
            Schedule { duration_max: Duration::from_secs(3600), transmissions_max: 7, ..Schedule::default() };
        let (sent, failed) = play(schedule, |_| Jitter(0));
        assert_eq!(sent, [0, 2_000, 6_000, 14_000, 30_000, 46_000, 62_000]);
        assert_eq!(failed, 78_000);
    }

    #[test]
    fn the_draw_reaches_both_ends_and_nothing_beyond() {
        let draws: Vec<i16> = (0..1_000).map(|random| Jitter::draw(random).0).collect();
        assert_eq!(draws.iter().min(), Some(&-100));
        assert_eq!(draws.iter().max(), Some(&100));
    }
}
