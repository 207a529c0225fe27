//! The requests that wait for one login: who is the newest, who asked the same in the same breath, who is too late.
//!
//! A *group* is one asking: usually one request; several where the same answer to the same State came under
//! several Identifiers (rules C3), which get the same result. Bounded: the oldest makes room.

use crate::attempt::Asker;
use crate::event::{Context, Effect};
use crate::moment::Tick;
use crate::mutant::{self, Mutant};

/// How many requests may wait for one login.
const ASKERS_MAX: usize = 16;
/// How many that came without Message-Authenticator may wait beside the first (rules D5).
const BARE_MAX: usize = 8;
/// The group of those that wait beside a signed login: it is nobody's newest asking.
const ASIDE: u32 = 0;

#[derive(Debug)]
pub(super) struct Askers {
    waiting: Vec<Waiting>,
    /// They came without Message-Authenticator: the newest is answered, the others never are (D5).
    bare: bool,
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
    /// Nobody yet, of a login that began with a Message-Authenticator or without.
    pub(super) fn of(authentic: bool) -> Self {
        Self { waiting: Vec::new(), bare: !authentic, asked: 0, groups: 0 }
    }

    /// A bare request waits beside signed ones (D5).
    pub(super) fn wait_aside(&mut self, asker: Asker, now: Tick, cx: &mut Context<'_>) {
        self.drop_late(now, cx);
        self.join_group(asker, ASIDE, cx);
    }

    /// Its answer is silence, unless it is of the newest asking: one approval, one Accept (D5).
    pub(super) fn is_silent(&self, waiting: &Waiting) -> bool {
        (self.bare || waiting.group == ASIDE) && !mutant::is(Mutant::BareAllAnswered)
    }

    /// A request joins as the newest; its group's number.
    pub(super) fn join(&mut self, asker: Asker, now: Tick, cx: &mut Context<'_>) -> u32 {
        self.groups = self.groups.wrapping_add(1);
        self.drop_late(now, cx);
        self.join_group(asker, self.groups, cx);
        self.groups
    }

    /// A request joins others that asked the same.
    pub(super) fn join_group(&mut self, asker: Asker, group: u32, cx: &mut Context<'_>) {
        let aside = |waiting: &Waiting| waiting.group == ASIDE;
        let most = match (aside(&Waiting { asker, group }), self.bare) {
            (true, _) => BARE_MAX,
            (false, true) => BARE_MAX + 1,
            (false, false) => ASKERS_MAX,
        };
        // Who waits aside takes nobody's place but its own kind's.
        let mut alike = self.waiting.iter().enumerate().filter(|(_, other)| aside(other) == (group == ASIDE));
        if let (Some((oldest, _)), true) = (alike.next(), alike.count() + 1 >= most) {
            cx.emit(Effect::Supersede(self.waiting.remove(oldest).asker.id));
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

    /// Superseded askers past their own deadline get nothing, ever (B2). The newest asking is answered at its deadline, and
    /// whoever comes in that very moment takes nothing from it (D5).
    fn drop_late(&mut self, now: Tick, cx: &mut Context<'_>) {
        let newest = self.groups;
        self.waiting.retain(|waiting| {
            let late = waiting.asker.until <= now && waiting.group != newest;
            if late {
                cx.emit(Effect::Supersede(waiting.asker.id));
            }
            !late
        });
    }
}
