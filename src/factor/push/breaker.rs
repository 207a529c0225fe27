//! Whether a push service is away, so that one person's failed push never counts as an outage (rules A5). Pure: time is a parameter.
//!
//! The breaker opens when pushes of several different users failed with nothing good in between, or when a probe of our
//! own failed after a push did. While it is open nobody waits for a dead service; after a while one push goes through
//! to see. What a service refuses (4xx) and what we refuse ourselves never reaches it.

use std::time::Duration;

use login::{ResolvedUser, Tick};

/// Different users whose pushes must have failed before the outage is confirmed.
const USERS_TO_OPEN: usize = 3;

/// Failures further apart than this are not one outage.
const FAILURES_KEPT: Duration = Duration::from_secs(60);

/// How long nobody is sent to a service that is away.
const OPEN_FOR: Duration = Duration::from_secs(15);

/// How long the one that was sent to see may take, before another is sent.
const TRIAL_WITHIN: Duration = Duration::from_secs(10);

/// Probes no closer than this, so that failing pushes don't become a second flood.
const PROBE_EVERY: Duration = Duration::from_secs(5);

/// The state of one service, as its pushes saw it.
#[derive(Debug, Default)]
pub struct Breaker {
    state: State,
    last_probe: Option<Tick>,
}

#[derive(Debug)]
enum State {
    /// The service works, but for these: at most one failure a user, the newest.
    Closed { failed: Vec<(ResolvedUser, Tick)> },
    /// It is away. `since` the last failure; `trial` is out to see since then.
    Open { since: Tick, trial: Option<Tick> },
}

impl Default for State {
    fn default() -> Self {
        Self::Closed { failed: Vec::new() }
    }
}

/// Whether a push may go out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admission {
    /// Yes.
    Go,
    /// No: the service is away, confirmed.
    Away,
}

impl Breaker {
    /// Whether a push may go out now. While open, one at a time goes to see.
    pub fn admit(&mut self, now: Tick) -> Admission {
        match &mut self.state {
            State::Closed { .. } => Admission::Go,
            State::Open { since, trial } => {
                let trial_is_out = trial.is_some_and(|out| now.since(out) < TRIAL_WITHIN);
                if trial_is_out || now.since(*since) < OPEN_FOR {
                    return Admission::Away;
                }
                *trial = Some(now);
                Admission::Go
            }
        }
    }

    /// The service answered something sensible, be it a refusal: it is there.
    pub fn worked(&mut self) {
        self.state = State::default();
    }

    /// A push of this user met an outage. Answers whether that is confirmed now.
    pub fn failed(&mut self, user: &ResolvedUser, now: Tick) -> bool {
        let State::Closed { failed } = &mut self.state else {
            self.open(now);
            return true;
        };
        failed.retain(|(other, at)| other != user && now.since(*at) < FAILURES_KEPT);
        failed.push((user.clone(), now));
        if failed.len() < USERS_TO_OPEN {
            return false;
        }
        self.open(now);
        true
    }

    /// Whether a probe of our own should go now, after a failure that is not confirmed yet.
    pub fn may_probe(&mut self, now: Tick) -> bool {
        let recent = self.last_probe.is_some_and(|last| now.since(last) < PROBE_EVERY);
        if !recent {
            self.last_probe = Some(now);
        }
        !recent
    }

    /// The probe met an outage too: confirmed.
    pub fn probe_failed(&mut self, now: Tick) {
        self.open(now);
    }

    /// Whether the service is known to be away.
    #[must_use]
    pub fn is_open(&self) -> bool {
        matches!(self.state, State::Open { .. })
    }

    /// Only the newest failure counts for when to see again; an older one that is told late never shortens it.
    fn open(&mut self, now: Tick) {
        let since = match &self.state {
            State::Open { since, .. } => now.max(*since),
            State::Closed { .. } => now,
        };
        self.state = State::Open { since, trial: None };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn user(name: &str) -> ResolvedUser {
        ResolvedUser::new(name)
    }

    fn tick(seconds: u64) -> Tick {
        Tick(seconds * 1000)
    }

    fn opened() -> Breaker {
        let mut breaker = Breaker::default();
        for name in ["a", "b", "c"] {
            breaker.failed(&user(name), tick(0));
        }
        breaker
    }

    #[test]
    fn one_user_alone_never_confirms_an_outage() {
        let mut breaker = Breaker::default();
        for second in 0..100 {
            assert!(!breaker.failed(&user("alice"), tick(second)));
            assert_eq!(breaker.admit(tick(second)), Admission::Go);
        }
    }

    #[test]
    fn three_users_within_a_minute_confirm_it() {
        let mut breaker = Breaker::default();
        assert!(!breaker.failed(&user("a"), tick(0)));
        assert!(!breaker.failed(&user("b"), tick(30)));
        assert!(breaker.failed(&user("c"), tick(59)));
        assert_eq!(breaker.admit(tick(60)), Admission::Away);
    }

    #[test]
    fn failures_far_apart_or_with_a_success_between_are_no_outage() {
        let mut breaker = Breaker::default();
        breaker.failed(&user("a"), tick(0));
        breaker.failed(&user("b"), tick(30));
        assert!(!breaker.failed(&user("c"), tick(61)));
        breaker.worked();
        assert!(!breaker.failed(&user("d"), tick(62)));
    }

    #[test]
    fn a_failed_probe_confirms_it_and_probes_keep_their_distance() {
        let mut breaker = Breaker::default();
        breaker.failed(&user("alice"), tick(10));
        assert!(breaker.may_probe(tick(10)));
        assert!(!breaker.may_probe(tick(14)));
        breaker.probe_failed(tick(10));
        assert!(breaker.is_open());
        assert!(breaker.may_probe(tick(15)));
    }

    #[test]
    fn one_push_at_a_time_goes_to_see_and_its_success_closes() {
        let mut breaker = opened();
        assert_eq!(breaker.admit(tick(14)), Admission::Away);
        assert_eq!(breaker.admit(tick(15)), Admission::Go);
        assert_eq!(breaker.admit(tick(16)), Admission::Away);
        breaker.worked();
        assert_eq!(breaker.admit(tick(16)), Admission::Go);
    }

    #[test]
    fn a_failed_trial_opens_it_again() {
        let mut breaker = opened();
        assert_eq!(breaker.admit(tick(15)), Admission::Go);
        assert!(breaker.failed(&user("a"), tick(15)));
        assert_eq!(breaker.admit(tick(29)), Admission::Away);
        assert_eq!(breaker.admit(tick(30)), Admission::Go);
    }

    #[test]
    fn a_trial_that_never_ends_does_not_keep_it_open_for_ever() {
        let mut breaker = opened();
        assert_eq!(breaker.admit(tick(15)), Admission::Go);
        assert_eq!(breaker.admit(tick(24)), Admission::Away);
        assert_eq!(breaker.admit(tick(25)), Admission::Go);
    }

    #[test]
    fn a_late_told_failure_does_not_shorten_the_wait() {
        let mut breaker = opened();
        breaker.failed(&user("d"), tick(10));
        breaker.failed(&user("e"), tick(4));
        assert_eq!(breaker.admit(tick(24)), Admission::Away);
    }
}
