//! Whether this process had its share of the processor: a beat that comes late tells that everything else came late, too.
//!
//! `serve` beats ten times a second. Whoever has waited in vain for somebody else asks afterwards whether the beat was steady:
//! if not, the silence may have been our own, and is no outage of anybody (rules A5). Reads no clock: each beat brings its tick.

use std::time::Duration;

use login::Tick;
use tokio::sync::watch;

/// Between two beats.
pub const BEAT_EVERY: Duration = Duration::from_millis(100);

/// A beat that comes so long after the one before was kept from coming: no service is judged by what we did not do meanwhile.
const GAP_MAX: Duration = Duration::from_secs(1);

/// How long the next beat is waited for.
const NEXT_WITHIN: Duration = Duration::from_secs(2);

/// The beat. Clones are one; without anybody who beats it is taken for steady.
#[derive(Clone, Debug)]
pub struct Pulse(watch::Sender<Beat>);

#[derive(Clone, Copy, Debug, Default)]
struct Beat {
    at: Option<Tick>,
    gaps: u64,
}

/// Where the beat stood when somebody began to wait.
#[derive(Clone, Copy, Debug)]
pub struct Mark {
    gaps: u64,
    beats: bool,
}

impl Mark {
    /// Nobody beats.
    #[must_use]
    pub fn is_unwatched(self) -> bool {
        !self.beats
    }
}

impl Default for Pulse {
    fn default() -> Self {
        Self(watch::Sender::new(Beat::default()))
    }
}

impl Pulse {
    /// One beat, now.
    pub fn beat(&self, now: Tick) {
        self.0.send_modify(|beat| {
            let late = beat.at.is_some_and(|before| now.since(before) >= GAP_MAX);
            *beat = Beat { at: Some(now), gaps: beat.gaps + u64::from(late) };
        });
    }

    /// Somebody begins to wait.
    #[must_use]
    pub fn mark(&self) -> Mark {
        let beat = *self.0.borrow();
        Mark { gaps: beat.gaps, beats: beat.at.is_some() }
    }

    /// Whether the beat was steady since. The next one is waited for: a gap that lasts shows only with it.
    pub async fn was_steady(&self, since: Mark) -> bool {
        if !since.beats {
            return true;
        }
        let mut beats = self.0.subscribe();
        let next = tokio::time::timeout(NEXT_WITHIN, beats.changed()).await;
        matches!(next, Ok(Ok(()))) && self.0.borrow().gaps == since.gaps
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn steady_after(beats: &[u64]) -> bool {
        let pulse = Pulse::default();
        pulse.beat(Tick(1000));
        let mark = pulse.mark();
        let asked = {
            let pulse = pulse.clone();
            tokio::spawn(async move { pulse.was_steady(mark).await })
        };
        tokio::task::yield_now().await;
        beats.iter().for_each(|beat| pulse.beat(Tick(*beat)));
        asked.await.unwrap()
    }

    #[tokio::test]
    async fn a_beat_that_comes_late_tells_of_a_process_that_was_kept_waiting() {
        assert!(steady_after(&[1100, 1200, 2100]).await);
        assert!(!steady_after(&[1100, 2100]).await);
        assert!(!steady_after(&[2000]).await, "the gap shows with the beat that ends it");
    }

    #[tokio::test]
    async fn without_a_beat_nothing_is_said_of_anybody() {
        let pulse = Pulse::default();
        assert!(pulse.was_steady(pulse.mark()).await);
    }

    #[tokio::test]
    async fn a_beat_that_has_stopped_is_not_steady() {
        let pulse = Pulse::default();
        pulse.beat(Tick(1));
        assert!(!pulse.was_steady(pulse.mark()).await);
    }
}
