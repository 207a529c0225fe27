//! What makes a code fresh (rules C1): a step or counter is taken once, and only upwards, whatever the clock does.
//!
//! The comparison stands here, in the pure room, so that the simulation plays clock steps against the very
//! line that the product uses.

use crate::mutant::{self, Mutant};

/// Whether this TOTP step may still be used, given the last one that was.
#[must_use]
pub fn fresh_step(last: Option<u64>, step: u64) -> bool {
    if mutant::is(Mutant::StepUsedTwice) {
        return last != Some(step.saturating_add(1));
    }
    last.is_none_or(|last| step > last)
}

/// Whether this HOTP counter may still be used, given the next one expected (RFC 4226 §7.2).
#[must_use]
pub fn fresh_counter(next: u64, counter: u64) -> bool {
    counter >= next
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_counts_only_above_the_last_one() {
        assert!(fresh_step(None, 7));
        assert!(fresh_step(Some(6), 7));
        assert!(!fresh_step(Some(7), 7));
        assert!(!fresh_step(Some(9), 7));
    }

    #[test]
    fn a_counter_never_looks_back() {
        assert!(fresh_counter(5, 5));
        assert!(!fresh_counter(5, 4));
    }
}
