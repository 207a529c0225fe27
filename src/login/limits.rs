//! How often: failed codes (rules D1), pushes (D2), the delay of refusals (D6). Pure functions of counts and time.
//!
//! The store keeps the counts and commits them; these functions say what the next count is, so that one
//! place knows how a lock doubles. Nothing here decides who is asked: keys are the store's and the engine's.

use std::time::Duration;

use crate::moment::Wall;
use crate::mutant::{self, Mutant};

/// The numbers of part D; `[limits]` sets them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Failures in a row before codes are off for a while.
    pub code_failures: u32,
    /// How long the first such pause is; it doubles with each failure after it.
    pub code_pause: Duration,
    /// The longest pause.
    pub code_pause_max: Duration,
    /// Failures without any success before codes are off until a push, a passkey or an admin.
    pub code_failures_max: u32,
    /// How long a success makes a station known.
    pub station_known_for: Duration,
    /// Codes ahead of the counter that an HOTP code may be.
    pub hotp_look_ahead: u32,
    /// Unanswered pushes before a quiet time.
    pub pushes_unanswered: u32,
    /// The first quiet time; it doubles.
    pub push_quiet: Duration,
    /// The longest quiet time.
    pub push_quiet_max: Duration,
    /// Wrong codes that one challenge takes (C3).
    pub challenge_tries: u32,
    /// How long a prompt stays open, at most 120 s (B5).
    pub prompt_lasts: Duration,
    /// How long a State can be answered (C3).
    pub state_lasts: Duration,
    /// How long a refusal waits before it leaves (D6).
    pub reject_delay: Duration,
    /// Wrong passwords of a name that the primary hears from unknown stations within half an hour (D7).
    pub shield: u32,
    /// They are counted and told, and nobody is held back.
    pub shield_watches: bool,
    /// Primary failures a minute that a client may cause without Message-Authenticator (D5).
    pub bare_failures_per_minute: u32,
    /// Primary failures a minute under names that the store doesn't know, for each client (D3).
    pub unknown_names_per_minute: u32,
    /// Held sessions at most, over all clients (G1).
    pub held_sessions: usize,
    /// Octets that all held sessions may take (G1).
    pub held_bytes: usize,
    /// How long held logins have to finish when the server stops (G3).
    pub drain_within: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        const MINUTE: Duration = Duration::from_secs(60);
        Self {
            code_failures: 5,
            code_pause: MINUTE,
            code_pause_max: MINUTE * 60,
            code_failures_max: 30,
            station_known_for: MINUTE * 60 * 24 * 30,
            hotp_look_ahead: 10,
            pushes_unanswered: 3,
            push_quiet: MINUTE * 10,
            push_quiet_max: MINUTE * 60 * 4,
            challenge_tries: 3,
            prompt_lasts: MINUTE * 2,
            state_lasts: MINUTE * 2,
            reject_delay: Duration::from_secs(1),
            shield: 4,
            shield_watches: false,
            bare_failures_per_minute: 60,
            unknown_names_per_minute: 300,
            held_sessions: 200_000,
            held_bytes: 512 * 1024 * 1024,
            drain_within: Duration::from_secs(10),
        }
    }
}

/// Code failures of one user from one known station, or from all unknown ones together (D1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Bucket {
    /// Failures since the last success.
    pub failures: u32,
    /// Codes are off until then.
    pub locked_until: Option<Wall>,
}

impl Bucket {
    /// The lock in force at `now`, if any.
    #[must_use]
    pub fn lock(&self, now: Wall) -> Option<Wall> {
        self.locked_until.filter(|until| *until > now)
    }

    /// The bucket after one more wrong code.
    #[must_use]
    pub fn after_failure(self, limits: &Limits, now: Wall) -> Self {
        let failures = self.failures.saturating_add(1);
        let locked_until = if failures >= limits.code_failures_max {
            Some(Wall::NEVER)
        } else if failures >= limits.code_failures {
            let pause = doubled(limits.code_pause, failures - limits.code_failures, limits.code_pause_max);
            Some(now.plus(pause))
        } else {
            self.locked_until
        };
        Self { failures, locked_until }
    }
}

/// Pushes of one user that nobody answered, or that were denied (D2).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PushCounts {
    /// Unanswered in a row.
    pub unanswered: u32,
    /// Quiet times so far, for the doubling.
    pub quiets: u32,
    /// No pushes before then.
    pub quiet_until: Option<Wall>,
    /// When a wrong number was last typed on the phone, unless it was a denial already (F8).
    pub wrong_number_at: Option<Wall>,
}

/// A second wrong number within this time is no slip any more (rules F8, D2).
pub const SLIP_WITHIN: Duration = Duration::from_secs(600);

impl PushCounts {
    /// The quiet time in force at `now`, if any.
    #[must_use]
    pub fn quiet(&self, now: Wall) -> Option<Wall> {
        self.quiet_until.filter(|until| *until > now)
    }

    /// The counts after a prompt that nobody answered.
    #[must_use]
    pub fn after_unanswered(self, limits: &Limits, now: Wall) -> Self {
        let unanswered = self.unanswered.saturating_add(1);
        if unanswered < limits.pushes_unanswered {
            return Self { unanswered, ..self };
        }
        self.silenced(limits, now)
    }

    /// The counts after a denial: quiet at once.
    #[must_use]
    pub fn after_denial(self, limits: &Limits, now: Wall) -> Self {
        self.silenced(limits, now)
    }

    /// The counts after a wrong number that was typed on the phone: a slip at first, the second within ten minutes a denial
    /// (F8). An approval in between forgives none: whoever wants a stranger's number typed waits for such a slip.
    #[must_use]
    pub fn after_wrong_number(self, limits: &Limits, now: Wall) -> Self {
        // A clock that was stepped back makes nobody's second slip a first one.
        let slipped = self.wrong_number_at.is_some_and(|before| now.since(before) < SLIP_WITHIN);
        if slipped && !mutant::is(Mutant::SlipsUncounted) {
            return Self { wrong_number_at: None, ..self.silenced(limits, now) };
        }
        Self { wrong_number_at: Some(now), ..self }
    }

    /// The counts after an approval: silence and denials are forgotten.
    #[must_use]
    pub fn after_approval(self) -> Self {
        Self { wrong_number_at: self.wrong_number_at, ..Self::default() }
    }

    fn silenced(self, limits: &Limits, now: Wall) -> Self {
        let quiet = doubled(limits.push_quiet, self.quiets, limits.push_quiet_max);
        Self { unanswered: 0, quiets: self.quiets.saturating_add(1), quiet_until: Some(now.plus(quiet)), ..self }
    }
}

pub(crate) fn doubled(first: Duration, times: u32, most: Duration) -> Duration {
    first.saturating_mul(1_u32.checked_shl(times).unwrap_or(u32::MAX)).min(most)
}

/// The asker's own deadline from `gives_up_after`: less a tenth, at least 1 s and at most 5 s (B5).
#[must_use]
pub fn patience(gives_up_after: Duration) -> Duration {
    let margin = (gives_up_after / 10).clamp(Duration::from_secs(1), Duration::from_secs(5));
    gives_up_after.saturating_sub(margin)
}

/// No refusal waits longer (D6).
pub const REJECT_DELAY_MAX: Duration = Duration::from_secs(5);

/// How long this refusal waits: `reject_delay`, jittered by a fifth either way, 5 s at most (D6).
/// `dice` is a random octet.
#[must_use]
pub fn reject_delay(limits: &Limits, dice: u8) -> Duration {
    let millis = u64::try_from(limits.reject_delay.as_millis()).unwrap_or(u64::MAX);
    let spread = millis.saturating_mul(u64::from(dice)).saturating_mul(2) / (5 * 255);
    Duration::from_millis(millis.saturating_sub(millis / 5).saturating_add(spread)).min(REJECT_DELAY_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Wall = Wall(1_000_000);

    fn after(failures: u32) -> Bucket {
        (0..failures).fold(Bucket::default(), |bucket, _| bucket.after_failure(&Limits::default(), NOW))
    }

    #[test]
    fn the_fifth_wrong_code_pauses_for_a_minute_and_each_further_one_doubles_it() {
        assert_eq!(after(4).lock(NOW), None);
        assert_eq!(after(5).lock(NOW), Some(NOW.plus(Duration::from_secs(60))));
        assert_eq!(after(6).lock(NOW), Some(NOW.plus(Duration::from_secs(120))));
        assert_eq!(after(20).lock(NOW), Some(NOW.plus(Duration::from_secs(3600))));
    }

    #[test]
    fn thirty_failures_turn_codes_off_for_good() {
        assert_eq!(after(30).lock(NOW), Some(Wall::NEVER));
    }

    #[test]
    fn three_unanswered_pushes_or_one_denial_are_followed_by_quiet_that_doubles() {
        let limits = Limits::default();
        let two = PushCounts::default().after_unanswered(&limits, NOW).after_unanswered(&limits, NOW);
        assert_eq!(two.quiet(NOW), None);
        assert_eq!(two.after_unanswered(&limits, NOW).quiet(NOW), Some(NOW.plus(Duration::from_secs(600))));
        let denied = PushCounts::default().after_denial(&limits, NOW);
        assert_eq!(denied.quiet(NOW), Some(NOW.plus(Duration::from_secs(600))));
        assert_eq!(denied.after_denial(&limits, NOW).quiet(NOW), Some(NOW.plus(Duration::from_secs(1200))));
        let many = (0..40).fold(PushCounts::default(), |counts, _| counts.after_denial(&limits, NOW));
        assert_eq!(many.quiet(NOW), Some(NOW.plus(Duration::from_secs(4 * 3600))));
    }

    #[test]
    fn a_wrong_number_is_a_slip_and_the_second_within_ten_minutes_a_denial() {
        let limits = Limits::default();
        let slip = PushCounts::default().after_wrong_number(&limits, NOW);
        assert_eq!(slip.quiet(NOW), None);
        let after = |ms| Wall(NOW.0 + ms);
        assert_eq!(slip.after_wrong_number(&limits, after(600_000)).quiet(after(600_000)), None, "ten minutes later");
        let second = slip.after_wrong_number(&limits, after(599_999));
        assert_eq!(second.quiet(after(599_999)), Some(after(1_199_999)));
        assert_eq!(second.after_wrong_number(&limits, after(600_000)).quiets, 1, "and then it is counted anew");
        let approved = slip.after_approval().after_wrong_number(&limits, after(1000));
        assert_eq!(approved.quiets, 1, "an approval in between forgives no slip");
    }

    #[test]
    fn the_margin_is_a_tenth_between_one_and_five_seconds() {
        let secs = Duration::from_secs;
        assert_eq!(patience(secs(30)), secs(27));
        assert_eq!(patience(secs(5)), secs(4));
        assert_eq!(patience(secs(90)), secs(85));
    }

    #[test]
    fn the_reject_delay_stays_within_a_fifth() {
        let limits = Limits::default();
        assert_eq!(reject_delay(&limits, 0), Duration::from_millis(800));
        assert_eq!(reject_delay(&limits, 255), Duration::from_millis(1200));
        let long = Limits { reject_delay: Duration::from_secs(60), ..Limits::default() };
        assert_eq!(reject_delay(&long, 128), Duration::from_secs(5));
    }
}
