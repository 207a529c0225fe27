//! The requests that wait for one login: who is the newest, who asked the same in the same breath, who is too late.
//!
//! A *group* is one asking: usually one request; several where the same answer to the same State came under
//! several Identifiers (rules C3), which get the same result. Bounded: the oldest makes room.

use crate::attempt::Asker;
use crate::event::{Context, Effect};
use crate::moment::Tick;

/// How many requests may wait for one login.
const ASKERS_MAX: usize = 16;

#[derive(Debug, Default)]
pub(super) struct Askers {
    waiting: Vec<Waiting>,
    /// How many requests ever asked, for the record (F2).
    asked: u32,
    groups: u32,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Waiting {
    pub(super) asker: Asker,
    pub(super) group: u32,
}

impl Askers {
    /// A request joins as the newest; its group's number.
    pub(super) fn join(&mut self, asker: Asker, now: Tick, cx: &mut Context<'_>) -> u32 {
        self.groups = self.groups.wrapping_add(1);
        self.drop_late(now, cx);
        self.join_group(asker, self.groups, cx);
        self.groups
    }

    /// A request joins others that asked the same.
    pub(super) fn join_group(&mut self, asker: Asker, group: u32, cx: &mut Context<'_>) {
        if self.waiting.len() >= ASKERS_MAX {
            cx.emit(Effect::Supersede(self.waiting.remove(0).asker.id));
        }
        self.asked = self.asked.saturating_add(1);
        self.waiting.push(Waiting { asker, group });
    }

    /// Somebody of this asking still waits.
    pub(super) fn waits(&self, group: u32) -> bool {
        self.waiting.iter().any(|waiting| waiting.group == group)
    }

    /// One more request that was answered at once.
    pub(super) fn count(&mut self) {
        self.asked = self.asked.saturating_add(1);
    }

    /// A new record begins to count.
    pub(super) fn restart_count(&mut self) {
        self.asked = 0;
    }

    /// The newest asker: its deadline is the login's.
    pub(super) fn newest(&self) -> Option<&Asker> {
        let newest = self.newest_group()?;
        self.waiting
            .iter()
            .filter(|waiting| waiting.group == newest)
            .map(|waiting| &waiting.asker)
            .max_by_key(|asker| asker.until)
    }

    /// The newest asking, if it still waits. Where it was answered already (with a challenge), all who are left are
    /// superseded: they get the final answer until their own deadline, then nothing (B2).
    pub(super) fn newest_group(&self) -> Option<u32> {
        self.waiting.iter().map(|waiting| waiting.group).max().filter(|group| *group == self.groups)
    }

    /// Everybody who waits, once: they are answered now.
    pub(super) fn take_all(&mut self) -> Vec<Waiting> {
        std::mem::take(&mut self.waiting)
    }

    /// The newest group alone; older ones go on waiting for the final answer (B2).
    pub(super) fn take_newest(&mut self) -> Vec<Waiting> {
        let Some(newest) = self.newest_group() else { return Vec::new() };
        let (newest, older) = self.waiting.iter().copied().partition(|waiting| waiting.group == newest);
        self.waiting = older;
        newest
    }

    pub(super) fn asked(&self) -> u32 {
        self.asked
    }

    pub(super) fn bytes(&self) -> usize {
        self.waiting.capacity() * size_of::<Waiting>()
    }

    /// Superseded askers past their own deadline get nothing, ever (B2).
    fn drop_late(&mut self, now: Tick, cx: &mut Context<'_>) {
        self.waiting.retain(|waiting| {
            let late = waiting.asker.until <= now;
            if late {
                cx.emit(Effect::Supersede(waiting.asker.id));
            }
            !late
        });
    }
}
