//! What was asked before (rules B1; RFC 5080 §2.2.2): in flight, or answered within the last 30 seconds.
//!
//! Keyed by source, listening address and Identifier; equal are two requests with the same Request Authenticator and octets.
//! A signed request takes the place of what stood under its key. Bare ones, which anybody could have sent, end nothing: up to
//! four stand side by side (rules B1, D5). Bounded in entries and octets, over all clients and for each, and new logins are
//! refused before those that answer a challenge (rules G1). An in-flight entry lives as long as its ticket. The map is sharded
//! and never locked across a wait.

use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use dashmap::DashMap;
use dashmap::mapref::entry::{Entry as MapEntry, OccupiedEntry};
use login::Tick;
use wire::VerifiedRequest;

use super::Way;

/// How long an answer is repeated (rules B1).
const REPEAT_FOR: Duration = Duration::from_secs(30);

/// Bare requests that stand side by side under one key (rules B1).
const BESIDE_MAX: usize = 4;

/// What an entry takes in the map, beside its answer: twice its size, for the map's free places.
const ENTRY_OCTETS: usize = 2 * size_of::<(Key, Slot)>();

/// How much is kept at most (rules G1, D3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Requests, over all clients.
    pub entries_max: usize,
    /// Octets, over all clients.
    pub octets_max: usize,
    /// Requests of one client.
    pub client_entries_max: usize,
    /// Octets of one client.
    pub client_octets_max: usize,
}

impl Default for Bounds {
    fn default() -> Self {
        const MIB: usize = 1024 * 1024;
        Self { entries_max: 500_000, octets_max: 512 * MIB, client_entries_max: 250_000, client_octets_max: 256 * MIB }
    }
}

/// How much is kept now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Kept {
    /// Requests in flight or lately answered.
    pub entries: usize,
    /// Octets that they take.
    pub octets: usize,
}

/// Where a request came from, under which number, and whether anybody could have sent it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Key {
    pub(super) way: Way,
    pub(super) identifier: u8,
    /// It came without Message-Authenticator. Such a one never "supersedes or ends another's" (rules D5): it stands aside.
    bare: bool,
}

/// What makes a second packet the same request. The Request Authenticator alone would do (B1), but an appliance with
/// poor random numbers must not get one user's answer for another's request: so the octets count too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Sameness {
    authenticator: [u8; 16],
    octets: u64,
}

/// What a client or all of them keep.
#[derive(Debug, Default)]
pub(super) struct Share {
    entries: AtomicUsize,
    octets: AtomicUsize,
}

/// What a verified request meets.
#[derive(Debug)]
pub(super) enum Met {
    /// Nothing: it begins, as this entry.
    New(u64),
    /// Itself, still in flight.
    InFlight,
    /// Itself, answered: these octets go out again; none where silence was the answer.
    Answered(Arc<[u8]>),
    /// No room.
    Full,
}

#[derive(Debug)]
struct Entry {
    id: u64,
    sameness: Sameness,
    share: Arc<Share>,
    stage: Stage,
}

/// What stands under one key: one signed request, or some bare ones.
#[derive(Debug)]
struct Slot {
    newest: Entry,
    /// Older bare ones, in the order in which they came. A signed one has nothing beside it.
    beside: Vec<Entry>,
}

#[derive(Debug)]
enum Stage {
    InFlight,
    Answered { octets: Arc<[u8]>, until: Tick },
}

/// The requests in flight and lately answered.
#[derive(Debug)]
pub(super) struct Duplicates {
    entries: DashMap<Key, Slot>,
    all: Share,
    bounds: Bounds,
    next: AtomicU64,
    hasher: RandomState,
}

impl Duplicates {
    pub(super) fn new(bounds: Bounds) -> Self {
        let (all, next) = (Share::default(), AtomicU64::new(0));
        Self { entries: DashMap::new(), all, bounds, next, hasher: RandomState::new() }
    }

    pub(super) fn sameness(&self, request: &VerifiedRequest<'_>) -> Sameness {
        Sameness { authenticator: *request.authenticator(), octets: self.hasher.hash_one(request.as_bytes()) }
    }

    /// What this request meets; it is kept as in flight if it is new. `resumes`: it answers a challenge, and is let in
    /// last.
    pub(super) fn meet(&self, key: Key, sameness: Sameness, share: &Arc<Share>, resumes: bool, at: Tick) -> Met {
        let met = match self.entries.entry(key) {
            MapEntry::Occupied(mut held) => match held.get().repeats(sameness, at) {
                Some(met) => met,
                None if key.bare => self.stand_beside(held.get_mut(), sameness, share, resumes, at),
                // "Same key with another authenticator, admitted and signed: the old entry goes, a new request begins" (B1).
                None => self.replace(held, sameness, share, resumes),
            },
            MapEntry::Vacant(place) => match self.begin(sameness, share, resumes) {
                Some(entry) => Met::New(place.insert(Slot::of(entry)).newest.id),
                None => Met::Full,
            },
        };
        if matches!(met, Met::New(_)) {
            self.end_bare_beside(&key);
        }
        met
    }

    /// Whether this entry still stands for its key: no other request took its place.
    pub(super) fn stands(&self, key: &Key, id: u64) -> bool {
        self.entries.get(key).is_some_and(|slot| slot.entries().any(|entry| entry.id == id))
    }

    /// Keeps the answer that is given at `at` for retransmits; no octets for silence. False: another request took the
    /// key, so this answer must not leave.
    pub(super) fn answered(&self, key: &Key, id: u64, octets: &[u8], at: Tick) -> bool {
        let until = at.plus(REPEAT_FOR);
        let Some(mut slot) = self.entries.get_mut(key) else { return false };
        let Some(entry) = slot.entries_mut().find(|entry| entry.id == id) else { return false };
        entry.stage = Stage::Answered { octets: octets.into(), until };
        // An answer is kept whatever the bounds say: it is small, and forgetting it would begin the login again.
        entry.share.add(0, octets.len());
        self.all.add(0, octets.len());
        true
    }

    /// Frees the place of a ticket that went without an answer (checklist E9).
    pub(super) fn free(&self, key: &Key, id: u64) {
        if let MapEntry::Occupied(held) = self.entries.entry(*key) {
            self.keep(held, |entry| entry.id != id);
        }
    }

    /// Forgets what was answered long enough ago.
    pub(super) fn sweep(&self, at: Tick) {
        self.entries.retain(|_, slot| {
            let over = |entry: &Entry| entry.is_over(at);
            slot.entries().filter(|entry| over(entry)).for_each(|entry| self.release(entry));
            slot.retain(|entry| !over(entry))
        });
    }

    pub(super) fn kept(&self) -> Kept {
        self.all.kept()
    }

    /// Admitted under the same key, a signed request ends what stood there bare (B1); its sender waits no longer.
    fn end_bare_beside(&self, key: &Key) {
        if !key.bare
            && let Some((_, slot)) = self.entries.remove(&Key { bare: true, ..*key })
        {
            slot.entries().for_each(|entry| self.release(entry));
        }
    }

    /// Who sent a bare request is not known, so it ends nobody else's: it stands beside the others, four at most (B1, D5). One
    /// that was answered makes room, the oldest first, as an appliance takes an Identifier again once it was answered
    /// (RFC 2865 §5); where all four wait still, the newcomer is the one too many.
    fn stand_beside(&self, slot: &mut Slot, sameness: Sameness, share: &Arc<Share>, resumes: bool, at: Tick) -> Met {
        let over = |entry: &Entry| entry.is_over(at);
        let full = slot.entries().filter(|entry| !over(entry)).count() >= BESIDE_MAX;
        let oldest = slot.in_order().find(|entry| entry.is_answered()).filter(|_| full).map(|entry| entry.id);
        if full && oldest.is_none() {
            return Met::Full;
        }
        let Some(entry) = self.begin(sameness, share, resumes) else { return Met::Full };
        let id = entry.id;
        slot.beside.push(std::mem::replace(&mut slot.newest, entry));
        slot.beside.retain(|old| {
            let goes = over(old) || Some(old.id) == oldest;
            if goes {
                self.release(old);
            }
            !goes
        });
        Met::New(id)
    }

    fn keep(&self, mut held: OccupiedEntry<'_, Key, Slot>, stays: impl Fn(&Entry) -> bool) {
        held.get().entries().filter(|entry| !stays(entry)).for_each(|entry| self.release(entry));
        if !held.get_mut().retain(stays) {
            held.remove();
        }
    }

    fn replace(
        &self,
        mut held: OccupiedEntry<'_, Key, Slot>,
        sameness: Sameness,
        share: &Arc<Share>,
        resumes: bool,
    ) -> Met {
        let old = &held.get().newest;
        self.release(old);
        if let Some(entry) = self.begin(sameness, share, resumes) {
            let id = entry.id;
            held.insert(Slot::of(entry));
            return Met::New(id);
        }
        self.all.add(1, old.octets());
        old.share.add(1, old.octets());
        Met::Full
    }

    fn begin(&self, sameness: Sameness, share: &Arc<Share>, resumes: bool) -> Option<Entry> {
        let Bounds { entries_max, octets_max, client_entries_max, client_octets_max } = self.bounds;
        if !self.all.claim(entries_max, octets_max, resumes) {
            return None;
        }
        if !share.claim(client_entries_max, client_octets_max, resumes) {
            self.all.give_back(1, ENTRY_OCTETS);
            return None;
        }
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        Some(Entry { id, sameness, share: Arc::clone(share), stage: Stage::InFlight })
    }

    fn release(&self, entry: &Entry) {
        entry.share.give_back(1, entry.octets());
        self.all.give_back(1, entry.octets());
    }
}

impl Slot {
    fn of(newest: Entry) -> Self {
        Self { newest, beside: Vec::new() }
    }

    fn entries(&self) -> impl Iterator<Item = &Entry> {
        std::iter::once(&self.newest).chain(&self.beside)
    }

    fn entries_mut(&mut self) -> impl Iterator<Item = &mut Entry> {
        std::iter::once(&mut self.newest).chain(&mut self.beside)
    }

    /// The oldest first.
    fn in_order(&self) -> impl Iterator<Item = &Entry> {
        self.beside.iter().chain(std::iter::once(&self.newest))
    }

    fn repeats(&self, sameness: Sameness, at: Tick) -> Option<Met> {
        self.entries().find_map(|entry| entry.repeats(sameness, at))
    }

    /// False: nothing is left of it.
    fn retain(&mut self, stays: impl Fn(&Entry) -> bool) -> bool {
        self.beside.retain(&stays);
        if stays(&self.newest) {
            return true;
        }
        let next = self.beside.pop();
        let left = next.is_some();
        if let Some(next) = next {
            self.newest = next;
        }
        left
    }
}

impl Entry {
    fn is_answered(&self) -> bool {
        match self.stage {
            Stage::InFlight => false,
            Stage::Answered { .. } => true,
        }
    }

    fn repeats(&self, sameness: Sameness, at: Tick) -> Option<Met> {
        if self.sameness != sameness || self.is_over(at) {
            return None;
        }
        Some(match &self.stage {
            Stage::InFlight => Met::InFlight,
            Stage::Answered { octets, .. } => Met::Answered(Arc::clone(octets)),
        })
    }

    fn is_over(&self, at: Tick) -> bool {
        match &self.stage {
            // As long as the second factor takes, which its ticket knows (checklist E5).
            Stage::InFlight => false,
            Stage::Answered { until, .. } => *until <= at,
        }
    }

    fn octets(&self) -> usize {
        let answer = match &self.stage {
            Stage::InFlight => 0,
            Stage::Answered { octets, .. } => octets.len(),
        };
        ENTRY_OCTETS.saturating_add(answer)
    }
}

impl Share {
    pub(super) fn kept(&self) -> Kept {
        Kept { entries: self.entries.load(Ordering::Relaxed), octets: self.octets.load(Ordering::Relaxed) }
    }

    /// Takes room for an entry. An eighth is kept for requests that answer a challenge: held logins still finish (rules
    /// G1).
    fn claim(&self, entries_max: usize, octets_max: usize, resumes: bool) -> bool {
        let within = |max: usize| if resumes { max } else { max.saturating_sub(max / 8) };
        self.add(1, ENTRY_OCTETS);
        let Kept { entries, octets } = self.kept();
        let fits = entries <= within(entries_max) && octets <= within(octets_max);
        if !fits {
            self.give_back(1, ENTRY_OCTETS);
        }
        fits
    }

    fn add(&self, entries: usize, octets: usize) {
        self.entries.fetch_add(entries, Ordering::Relaxed);
        self.octets.fetch_add(octets, Ordering::Relaxed);
    }

    fn give_back(&self, entries: usize, octets: usize) {
        self.entries.fetch_sub(entries, Ordering::Relaxed);
        self.octets.fetch_sub(octets, Ordering::Relaxed);
    }
}

impl Key {
    pub(super) fn of(way: Way, request: &VerifiedRequest<'_>) -> Self {
        Self { way, identifier: request.identifier(), bare: !request.had_message_authenticator() }
    }
}
