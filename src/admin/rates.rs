//! How many were let in and refused lately: read off the metrics, which count them anyway.
//!
//! Samples are taken when somebody looks, at most one in five seconds, and kept for a minute; so the board costs nothing while
//! nobody looks, and says over which time it counted.

use std::collections::VecDeque;
use std::time::Duration;

use login::Tick;

/// The metrics' page is long: it is not made for each look.
const SAMPLE_EVERY: Duration = Duration::from_secs(5);
/// Over which time is counted, at most.
const OVER: Duration = Duration::from_secs(60);
/// Of the metrics' names.
const ANSWERS: &str = "vestibule_answers_total{";

/// Answers so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Sample {
    at: Tick,
    accepted: u64,
    rejected: u64,
}

/// What was answered lately.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Rates {
    pub(super) accepted: u64,
    pub(super) rejected: u64,
    /// In so many seconds.
    pub(super) over_s: u64,
}

/// The samples of the last minute, oldest first.
#[derive(Default)]
pub(super) struct Samples(VecDeque<Sample>);

impl Samples {
    /// The rates now. `metrics` is read only where a sample is due.
    pub(super) fn look(&mut self, now: Tick, metrics: impl FnOnce() -> String) -> Rates {
        if self.0.back().is_none_or(|last| now.since(last.at) >= SAMPLE_EVERY) {
            self.take(sample(&metrics(), now));
        }
        let (Some(oldest), Some(newest)) = (self.0.front(), self.0.back()) else { return Rates::default() };
        Rates {
            accepted: newest.accepted.saturating_sub(oldest.accepted),
            rejected: newest.rejected.saturating_sub(oldest.rejected),
            over_s: newest.at.since(oldest.at).as_secs(),
        }
    }

    fn take(&mut self, sample: Sample) {
        self.0.push_back(sample);
        while self.0.front().is_some_and(|oldest| sample.at.since(oldest.at) > OVER + SAMPLE_EVERY) {
            self.0.pop_front();
        }
    }
}

/// The sums over all clients.
fn sample(metrics: &str, at: Tick) -> Sample {
    let sum = |code: &str| {
        let ours = metrics.lines().filter(|line| line.starts_with(ANSWERS) && line.contains(code));
        ours.filter_map(|line| line.rsplit(' ').next()?.parse::<u64>().ok()).sum()
    };
    Sample { at, accepted: sum("code=\"accept\""), rejected: sum("code=\"reject\"") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(accepted: u64, rejected: u64) -> String {
        format!(
            "# HELP x\nvestibule_answers_total{{client=\"a\",code=\"accept\"}} {accepted}\n\
             vestibule_answers_total{{client=\"b\",code=\"accept\"}} 1\n\
             vestibule_answers_total{{client=\"b\",code=\"reject\"}} {rejected}\nvestibule_held_sessions 7\n"
        )
    }

    #[test]
    fn what_was_answered_in_the_last_minute_is_counted_over_all_clients() {
        let mut samples = Samples::default();
        assert_eq!(samples.look(Tick(0), || page(10, 5)), Rates::default());
        assert_eq!(samples.look(Tick(4_999), || panic!("no sample is due")), Rates::default());
        let rates = samples.look(Tick(5_000), || page(12, 6));
        assert_eq!(rates, Rates { accepted: 2, rejected: 1, over_s: 5 });
        for second in (10..=200).step_by(5) {
            samples.look(Tick(second * 1000), || page(12 + second, 6));
        }
        let rates = samples.look(Tick(200_000), || panic!("just taken"));
        assert_eq!((rates.accepted, rates.rejected, rates.over_s), (65, 0, 65));
    }
}
