//! What a run came to, for its summary.

use login::answer::Answer;

use crate::engine::KINDS;

/// Counts over one or many worlds.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tally {
    pub(crate) logins: u64,
    pub(crate) requests: u64,
    pub(crate) absorbed: u64,
    pub(crate) repeated: u64,
    pub(crate) joins: u64,
    pub(crate) prompts: u64,
    pub(crate) crashes: u64,
    pub(crate) superseded: u64,
    pub(crate) unchecked: u64,
    pub(crate) accepts: u64,
    rejects: u64,
    challenges: u64,
    reasons: std::collections::BTreeMap<&'static str, u64>,
    pub(crate) crash_points: [u64; 30],
}

impl Tally {
    pub(crate) fn answered(&mut self, answer: &Answer) {
        match answer {
            Answer::Accept(_) => self.accepts += 1,
            Answer::Challenge(_) => self.challenges += 1,
            Answer::Reject(reject) => {
                self.rejects += 1;
                *self.reasons.entry(reject.reason.as_str()).or_default() += 1;
            }
        }
    }

    pub(crate) fn add(&mut self, other: &Self) {
        self.logins += other.logins;
        self.requests += other.requests;
        self.absorbed += other.absorbed;
        self.repeated += other.repeated;
        self.joins += other.joins;
        self.prompts += other.prompts;
        self.crashes += other.crashes;
        self.superseded += other.superseded;
        self.unchecked += other.unchecked;
        self.accepts += other.accepts;
        self.rejects += other.rejects;
        self.challenges += other.challenges;
        other.reasons.iter().for_each(|(reason, count)| *self.reasons.entry(reason).or_default() += count);
        self.crash_points.iter_mut().zip(other.crash_points).for_each(|(sum, more)| *sum += more);
    }

    pub(crate) fn crash_points_reached(&self) -> usize {
        self.crash_points.iter().filter(|count| **count > 0).count()
    }

    pub(crate) fn crash_points_missed(&self) -> Vec<String> {
        let name = |at: usize| format!("{} {}", if at % 2 == 1 { "after" } else { "before" }, KINDS[at / 2]);
        self.crash_points.iter().enumerate().filter(|(_, count)| **count == 0).map(|(at, _)| name(at)).collect()
    }
}

impl std::fmt::Display for Tally {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        writeln!(
            f,
            "{} logins in {} requests, {} retransmits absorbed or repeated",
            self.logins,
            self.requests,
            self.absorbed + self.repeated
        )?;
        writeln!(
            f,
            "answers: {} accepts, {} rejects, {} challenges; {} superseded; {} unchecked; {} joins; {} prompts",
            self.accepts, self.rejects, self.challenges, self.superseded, self.unchecked, self.joins, self.prompts
        )?;
        writeln!(f, "refusals: {:?}", self.reasons)?;
        let missed = self.crash_points_missed();
        write!(
            f,
            "{} crashes; crash points reached: {} of {} {missed:?}",
            self.crashes,
            self.crash_points_reached(),
            self.crash_points.len()
        )
    }
}
