//! What was asked before (rules B1; RFC 5080 §2.2.2): in flight, or answered within the last 30 seconds.
//!
//! Keyed by source, listening address and Identifier, bare requests aside from signed ones, so that a bare one ends
//! nothing (rules D5); equal are two requests with the same Request Authenticator and octets. Bounded in entries and octets, over all clients and for each, and new logins are refused before those that
//! answer a challenge (rules G1). An in-flight entry lives as long as its ticket. The map is sharded and never locked
//! across a wait.

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

/// What an entry takes in the map, beside its answer: twice its size, for the map's free places.
const ENTRY_OCTETS: usize = 2 * size_of::<(Key, Entry)>();

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

#[derive(Debug)]
enum Stage {
    InFlight,
    Answered { octets: Arc<[u8]>, until: Tick },
}

/// The requests in flight and lately answered.
#[derive(Debug)]
pub(super) struct Duplicates {
    entries: DashMap<Key, Entry>,
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
            MapEntry::Occupied(held) => match held.get().repeats(sameness, at) {
                Some(met) => met,
                // "Same key with another authenticator, admitted: the old entry goes, a new request begins" (B1).
                None => self.replace(held, sameness, share, resumes),
            },
            MapEntry::Vacant(place) => match self.begin(sameness, share, resumes) {
                Some(entry) => Met::New(place.insert(entry).id),
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
        self.entries.get(key).is_some_and(|entry| entry.id == id)
    }

    /// Keeps the answer that is given at `at` for retransmits; no octets for silence. False: another request took the
    /// key, so this answer must not leave.
    pub(super) fn answered(&self, key: &Key, id: u64, octets: &[u8], at: Tick) -> bool {
        let until = at.plus(REPEAT_FOR);
        let Some(mut entry) = self.entries.get_mut(key).filter(|entry| entry.id == id) else { return false };
        entry.stage = Stage::Answered { octets: octets.into(), until };
        // An answer is kept whatever the bounds say: it is small, and forgetting it would begin the login again.
        entry.share.add(0, octets.len());
        self.all.add(0, octets.len());
        true
    }

    /// Frees the key of a ticket that went without an answer (checklist E9).
    pub(super) fn free(&self, key: &Key, id: u64) {
        if let Some((_, entry)) = self.entries.remove_if(key, |_, entry| entry.id == id) {
            self.release(&entry);
        }
    }

    /// Forgets what was answered long enough ago.
    pub(super) fn sweep(&self, at: Tick) {
        self.entries.retain(|_, entry| {
            let stays = !entry.is_over(at);
            if !stays {
                self.release(entry);
            }
            stays
        });
    }

    pub(super) fn kept(&self) -> Kept {
        self.all.kept()
    }

    /// Admitted under the same key, a signed request ends what stood there bare (B1); its sender waits no longer.
    fn end_bare_beside(&self, key: &Key) {
        if !key.bare
            && let Some((_, entry)) = self.entries.remove(&Key { bare: true, ..*key })
        {
            self.release(&entry);
        }
    }

    fn replace(
        &self,
        mut held: OccupiedEntry<'_, Key, Entry>,
        sameness: Sameness,
        share: &Arc<Share>,
        resumes: bool,
    ) -> Met {
        self.release(held.get());
        if let Some(entry) = self.begin(sameness, share, resumes) {
            let id = entry.id;
            held.insert(entry);
            return Met::New(id);
        }
        let old = held.get();
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

impl Entry {
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
