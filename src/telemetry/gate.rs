//! One line a minute per subject: what a flood repeats is told once and then as a number.
//!
//! Pure: the tick is a parameter. A [`Gate`] belongs to one happening and one subject (a client, a primary, a service); it is
//! two atomics, so asking it costs no lock. [`Gates`] keeps them all, bounded, and settles the ones whose minute is over.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use login::Tick;

/// How long a line keeps further ones of its kind back.
const QUIET: Duration = Duration::from_secs(60);

/// Gates at most. Subjects are names of the configuration, so this is not reached in practice; past it they share one.
const GATES_MAX: usize = 4096;

/// Lets one line through, then counts for a minute.
#[derive(Debug, Default)]
pub(super) struct Gate {
    /// Milliseconds of the tick at which the next line may pass; 0 is at once.
    opens_at: AtomicU64,
    kept_back: AtomicU64,
}

impl Gate {
    /// Whether a line may be written now; the number is how many were kept back before it and not yet told.
    pub(super) fn admit(&self, now: Tick) -> Option<u64> {
        let opens_at = self.opens_at.load(Ordering::Relaxed);
        if now.0 >= opens_at && self.close_until(opens_at, now.plus(QUIET)) {
            return Some(self.kept_back.swap(0, Ordering::Relaxed));
        }
        self.kept_back.fetch_add(1, Ordering::Relaxed);
        None
    }

    /// How many were kept back in the minute that is over; `None` while it lasts or if there were none. The gate stays shut
    /// for a further minute, so that a long flood is one line a minute.
    pub(super) fn settle(&self, now: Tick) -> Option<u64> {
        let opens_at = self.opens_at.load(Ordering::Relaxed);
        if now.0 < opens_at || self.kept_back.load(Ordering::Relaxed) == 0 || !self.close_until(opens_at, now.plus(QUIET)) {
            return None;
        }
        Some(self.kept_back.swap(0, Ordering::Relaxed)).filter(|kept_back| *kept_back > 0)
    }

    /// Of several that see the gate open, one closes it.
    fn close_until(&self, seen: u64, until: Tick) -> bool {
        self.opens_at.compare_exchange(seen, until.0, Ordering::Relaxed, Ordering::Relaxed).is_ok()
    }
}

/// Every gate, by happening and subject.
#[derive(Debug, Default)]
pub(super) struct Gates(Mutex<BTreeMap<(&'static str, Arc<str>), Arc<Gate>>>);

impl Gates {
    /// The gate of a happening (`packet dropped: malformed`) and its subject (`asa`); always the same one for the same two.
    pub(super) fn gate(&self, what: &'static str, subject: &str) -> Arc<Gate> {
        let mut gates = super::lock(&self.0);
        let subject = if gates.len() < GATES_MAX { subject } else { "others" };
        Arc::clone(gates.entry((what, subject.into())).or_default())
    }

    /// Writes "n more" for each gate whose minute is over and that kept something back.
    pub(super) fn settle(&self, now: Tick) {
        for ((what, subject), gate) in super::lock(&self.0).iter() {
            if let Some(more) = gate.settle(now) {
                tracing::warn!(subject = %subject, more, "{what}: {more} more in the last minute");
            }
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
    fn one_line_a_minute_passes_and_the_rest_becomes_a_number() {
        let gate = Gate::default();
        // second, admitted with how many kept back
        let table: [(u64, Option<u64>); 7] = [(0, Some(0)), (1, None), (2, None), (59, None), (60, Some(3)), (61, None), (120, Some(1))];
        for (second, expected) in table {
            assert_eq!(gate.admit(at(second)), expected, "at second {second}");
        }
    }

    #[test]
    fn after_the_flood_the_rest_is_told_once() {
        let gate = Gate::default();
        let _ = (gate.admit(at(0)), gate.admit(at(1)), gate.admit(at(2)));
        assert_eq!(gate.settle(at(30)), None, "the minute is not over");
        assert_eq!(gate.settle(at(60)), Some(2));
        assert_eq!(gate.settle(at(61)), None, "told already");
        assert_eq!(gate.admit(at(62)), None, "the number was this minute's line");
        assert_eq!(gate.admit(at(120)), Some(1));
    }

    #[test]
    fn a_quiet_subject_is_told_at_once() {
        let gate = Gate::default();
        assert_eq!(gate.admit(at(1000)), Some(0));
        assert_eq!(gate.settle(at(2000)), None);
        assert_eq!(gate.admit(at(2000)), Some(0));
    }

    #[test]
    fn the_same_happening_and_subject_share_a_gate_and_others_do_not() {
        let gates = Gates::default();
        assert!(Arc::ptr_eq(&gates.gate("dropped", "asa"), &gates.gate("dropped", "asa")));
        assert!(!Arc::ptr_eq(&gates.gate("dropped", "asa"), &gates.gate("dropped", "f5")));
        assert!(!Arc::ptr_eq(&gates.gate("dropped", "asa"), &gates.gate("refused", "asa")));
    }

    #[test]
    fn the_gates_are_bounded() {
        let gates = Gates::default();
        for subject in 0..GATES_MAX + 10 {
            let _ = gates.gate("dropped", &subject.to_string());
        }
        assert!(super::super::lock(&gates.0).len() <= GATES_MAX + 1);
    }
}
