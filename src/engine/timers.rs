//! When which session must be woken: an ordered set under one short lock, and one task that waits for its head.
//!
//! A session has at most one entry. Nothing here knows what a login is; a held login costs 24 octets, not a task.

use std::collections::BTreeSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

use login::{LoginKey, Tick};
use tokio::sync::Notify;

/// Deadlines of all sessions.
#[derive(Debug, Default)]
pub(super) struct Timers {
    due: Mutex<BTreeSet<(Tick, LoginKey)>>,
    earlier: Notify,
}

impl Timers {
    /// Moves a session's deadline from `before` to `now`; either may be none.
    pub(super) fn moved(&self, key: LoginKey, before: Option<Tick>, now: Option<Tick>) {
        // A deadline that came was taken out; the same moment may be the next one, so it is put in whatever it was.
        let mut due = self.lock();
        let head = due.first().map(|(tick, _)| *tick);
        if let Some(before) = before {
            due.remove(&(before, key));
        }
        if let Some(now) = now {
            due.insert((now, key));
        }
        drop(due);
        if now.is_some_and(|now| head.is_none_or(|head| now < head)) {
            self.earlier.notify_one();
        }
    }

    /// Takes out up to `most` sessions whose time has come.
    pub(super) fn take_due(&self, now: Tick, most: usize) -> Vec<LoginKey> {
        let mut due = self.lock();
        let mut taken = Vec::new();
        while taken.len() < most {
            match due.first().copied() {
                Some((tick, key)) if tick <= now => {
                    due.pop_first();
                    taken.push(key);
                }
                Some(_) | None => break,
            }
        }
        taken
    }

    /// The next deadline, if there is one.
    pub(super) fn next(&self) -> Option<Tick> {
        self.lock().first().map(|(tick, _)| *tick)
    }

    /// Is ready when a deadline came in that is earlier than the head was.
    pub(super) async fn earlier(&self) {
        self.earlier.notified().await;
    }

    /// A set of deadlines is whole after every statement, also when a panic elsewhere poisoned the lock.
    fn lock(&self) -> MutexGuard<'_, BTreeSet<(Tick, LoginKey)>> {
        self.due.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(n: u8) -> LoginKey {
        LoginKey([n; 16])
    }

    #[test]
    fn a_session_has_one_deadline_and_the_earliest_comes_first() {
        let timers = Timers::default();
        timers.moved(key(1), None, Some(Tick(50)));
        timers.moved(key(2), None, Some(Tick(20)));
        timers.moved(key(1), Some(Tick(50)), Some(Tick(10)));
        assert_eq!(timers.next(), Some(Tick(10)));
        assert_eq!(timers.take_due(Tick(30), 9), vec![key(1), key(2)]);
        assert_eq!(timers.next(), None);
    }

    #[test]
    fn a_burst_is_taken_in_bites() {
        let timers = Timers::default();
        (0..9).for_each(|n| timers.moved(key(n), None, Some(Tick(1))));
        assert_eq!(timers.take_due(Tick(1), 4).len(), 4);
        assert_eq!(timers.take_due(Tick(1), 9).len(), 5);
    }
}
