//! The 256 Identifiers of one socket: which is free, and which still belongs to somebody's late answer.
//!
//! The one that has been free the longest goes first. One that was answered is free at once; one that was given up
//! rests, so that an answer that comes late never meets another request (RFC 5080 §2.2.2, checklist D6).

use std::collections::VecDeque;
use std::time::Duration;

use login::Tick;

/// How long an Identifier rests that was given up: as long as a server may remember the request (RFC 5080 §2.2.2).
pub(super) const REST: Duration = Duration::from_secs(30);

/// How many Identifiers a socket has: the field is one octet (RFC 2865 §3).
pub(super) const IDENTIFIERS: usize = 256;

/// The free Identifiers of one socket.
#[derive(Debug)]
pub(super) struct Identifiers {
    free: VecDeque<u8>,
    /// In the order in which their rest ends, which is the order in which they came.
    resting: VecDeque<(Tick, u8)>,
}

impl Identifiers {
    /// All of them free.
    pub(super) fn new() -> Self {
        Self { free: (0..=u8::MAX).collect(), resting: VecDeque::new() }
    }

    /// Takes the one that has been free the longest.
    pub(super) fn take(&mut self, now: Tick) -> Option<u8> {
        self.wake(now);
        self.free.pop_front()
    }

    /// How many could be taken now.
    pub(super) fn available(&mut self, now: Tick) -> usize {
        self.wake(now);
        self.free.len()
    }

    /// Gives one back whose answer came.
    pub(super) fn answered(&mut self, id: u8) {
        self.free.push_back(id);
    }

    /// Gives one back whose answer may still come.
    pub(super) fn given_up(&mut self, id: u8, now: Tick) {
        self.resting.push_back((now.plus(REST), id));
    }

    fn wake(&mut self, now: Tick) {
        while let Some((_, id)) = self.resting.pop_front_if(|(until, _)| *until <= now) {
            self.free.push_back(id);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_identifier_is_reused_as_late_as_can_be() {
        let mut ids = Identifiers::new();
        let first = ids.take(Tick(0)).unwrap();
        ids.answered(first);
        let others: Vec<u8> = (1..IDENTIFIERS).map(|_| ids.take(Tick(0)).unwrap()).collect();
        assert!(!others.contains(&first));
        assert_eq!(ids.take(Tick(0)), Some(first));
        assert_eq!(ids.take(Tick(0)), None);
    }

    #[test]
    fn one_that_was_given_up_rests() {
        let mut ids = Identifiers::new();
        let taken: Vec<u8> = (0..IDENTIFIERS).map(|_| ids.take(Tick(0)).unwrap()).collect();
        for id in &taken {
            ids.given_up(*id, Tick(1_000));
        }
        assert_eq!(ids.take(Tick(30_999)), None);
        assert_eq!(ids.available(Tick(31_000)), IDENTIFIERS);
    }

    #[test]
    fn over_a_hundred_thousand_timeouts_none_is_given_out_before_its_rest_is_over() {
        let mut ids = Identifiers::new();
        let mut given_up_at = [None::<Tick>; IDENTIFIERS];
        let mut now = Tick(0);
        for round in 0..100_000_u64 {
            now = now.plus(Duration::from_millis(round % 300));
            let Some(id) = ids.take(now) else { continue };
            let before = given_up_at[usize::from(id)].replace(now);
            assert!(before.is_none_or(|before| now.since(before) >= REST));
            ids.given_up(id, now);
        }
    }
}
