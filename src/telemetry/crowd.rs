//! What strangers cause is one line a while (rules G1): the first of each kind and subject, a bounded number of them a minute, and
//! the rest as a number in the next one.
//!
//! A [`super::gate::Gate`] belongs to a subject that the configuration names. Strangers have as many subjects as they like: addresses,
//! names, stations. So their subjects are hashes in a bounded table, and each happening of each group (an appliance, some pages) has
//! a budget of lines that no number of subjects exceeds. Pure: the tick is a parameter.

use std::collections::{BTreeMap, HashMap};
use std::hash::{BuildHasher, Hash, RandomState};
use std::sync::Mutex;
use std::time::Duration;

use login::Tick;

/// How long a line keeps further ones of its subject back, and how long a budget lasts.
const QUIET: Duration = Duration::from_secs(60);
/// Lines of one happening and group in that time.
pub(super) const LINES_MAX: u32 = 60;
/// Subjects that are remembered, sixteen octets each; past them the budget alone holds.
const SUBJECTS_MAX: usize = 16_384;
/// Groups are names of the configuration, so this is not reached in practice; past it they share one.
const GROUPS_MAX: usize = 1024;

/// What was told of strangers lately.
#[derive(Debug, Default)]
pub(super) struct Crowd {
    hasher: RandomState,
    told: Mutex<Told>,
}

#[derive(Debug, Default)]
struct Told {
    /// Until when a subject is kept back.
    subjects: HashMap<u64, Tick>,
    /// By happening and group.
    budgets: BTreeMap<(&'static str, Box<str>), Budget>,
}

#[derive(Debug, Default)]
struct Budget {
    until: Tick,
    lines: u32,
    kept_back: u64,
}

impl Crowd {
    /// Whether a line may be written now; the number is how many of this happening and group were kept back before it.
    pub(super) fn admit(&self, what: &'static str, group: &str, subject: impl Hash, now: Tick) -> Option<u64> {
        let subject = self.hasher.hash_one((what, group, subject));
        let mut told = super::lock(&self.told);
        let is_quiet = told.subjects.get(&subject).is_some_and(|until| now < *until);
        let budget = told.budget(what, group);
        budget.renew(now);
        if is_quiet || budget.lines >= LINES_MAX {
            budget.kept_back += 1;
            return None;
        }
        budget.lines += 1;
        let more = std::mem::take(&mut budget.kept_back);
        told.keep(subject, now);
        Some(more)
    }

    /// Writes "n more" for each budget whose minute is over and that kept something back.
    pub(super) fn settle(&self, now: Tick) {
        let mut told = super::lock(&self.told);
        told.subjects.retain(|_, until| now < *until);
        for ((what, group), budget) in &mut told.budgets {
            if now >= budget.until && budget.kept_back > 0 {
                let more = std::mem::take(&mut budget.kept_back);
                budget.renew(now);
                tracing::warn!(subject = %group, more, "{what}: {more} more in the last minute");
            }
        }
    }
}

impl Told {
    fn budget(&mut self, what: &'static str, group: &str) -> &mut Budget {
        let group = if self.budgets.len() < GROUPS_MAX { group } else { "others" };
        self.budgets.entry((what, group.into())).or_default()
    }

    fn keep(&mut self, subject: u64, now: Tick) {
        if self.subjects.len() >= SUBJECTS_MAX {
            self.subjects.retain(|_, until| now < *until);
        }
        if self.subjects.len() < SUBJECTS_MAX {
            self.subjects.insert(subject, now.plus(QUIET));
        }
    }
}

impl Budget {
    fn renew(&mut self, now: Tick) {
        if now >= self.until {
            (self.until, self.lines) = (now.plus(QUIET), 0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Tick {
        Tick(seconds * 1000)
    }

    #[test]
    fn the_first_of_a_subject_is_told_and_the_rest_is_a_number_in_the_next_line() {
        let crowd = Crowd::default();
        let told = |subject: &str, second| crowd.admit("sign-in", "portal", subject, at(second));
        assert_eq!(told("192.0.2.1", 0), Some(0));
        assert_eq!((told("192.0.2.1", 1), told("192.0.2.1", 59)), (None, None));
        assert_eq!(told("192.0.2.2", 59), Some(2), "another subject's line says it");
        assert_eq!(told("192.0.2.1", 60), Some(0));
        assert_eq!(crowd.admit("sign-in", "admin", "192.0.2.2", at(60)), Some(0), "another group");
    }

    #[test]
    fn however_many_subjects_there_are_the_lines_of_a_minute_are_bounded_and_so_is_what_is_remembered() {
        let crowd = Crowd::default();
        let lines =
            |second| (0..100_000_u32).filter_map(|subject| crowd.admit("login", "vpn", subject, at(second))).count();
        assert_eq!(lines(0), usize::try_from(LINES_MAX).unwrap());
        assert_eq!(lines(30), 0);
        assert_eq!(lines(60), usize::try_from(LINES_MAX).unwrap());
        assert!(super::super::lock(&crowd.told).subjects.len() <= SUBJECTS_MAX);
        crowd.settle(at(200));
        let told = super::super::lock(&crowd.told);
        assert!(told.subjects.is_empty() && told.budgets.values().all(|budget| budget.kept_back == 0));
    }
}
