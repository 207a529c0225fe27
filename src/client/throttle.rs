//! One line a minute: what is counted always is logged seldom, with the number of those that stayed silent.

use std::time::Duration;

use login::Tick;

/// Between two lines of one kind.
const LINE_EVERY: Duration = Duration::from_secs(60);

/// When a kind of line was last written, and how often it was not since then.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Throttle {
    last: Option<Tick>,
    silent: u64,
}

impl Throttle {
    /// Notes one happening. `Some`: write the line, for so many happenings since the last one.
    pub(super) fn note(&mut self, at: Tick) -> Option<u64> {
        self.silent = self.silent.saturating_add(1);
        if self.last.is_some_and(|last| at.since(last) < LINE_EVERY) {
            return None;
        }
        self.last = Some(at);
        Some(std::mem::take(&mut self.silent))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_line_is_written_at_once_and_the_next_after_a_minute_with_the_count() {
        let mut throttle = Throttle::default();
        assert_eq!(throttle.note(Tick(5)), Some(1));
        assert_eq!(throttle.note(Tick(6)), None);
        assert_eq!(throttle.note(Tick(60_004)), None);
        assert_eq!(throttle.note(Tick(60_005)), Some(3));
    }
}
