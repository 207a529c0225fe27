//! Spraying stops here, not in the directory (rules D7): how many wrong passwords a name and an address may cost the primary.
//!
//! A window of half an hour for each name, known or not, and for each of its known stations one of its own, so that a stranger's
//! failures hold none of those back. A place in it is taken before the primary is asked and given back when it says yes, or
//! could not be asked: so tries side by side cost the primary no more than tries one after the other. And for each network the
//! names that failed from there within ten minutes.
//!
//! Pure, in memory alone and bounded: what failed longest ago is forgotten first. It decides nothing about who gets in; whose
//! station is known, and whether staff released a name since, others say. A name stands here as a keyed hash: people type
//! passwords where names belong.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use crate::key::{LoginKey, LoginKeyParts, ProofKey};
use crate::limits::{Limits, doubled};
use crate::moment::Tick;
use crate::mutant::{self, Mutant};
use crate::name::{ResolvedUser, Station, fold, realm};
use crate::network::Network;

/// How long a failure counts.
pub const WINDOW: Duration = Duration::from_secs(30 * 60);
/// How long a name counts against the network that it failed from.
pub const SPREAD: Duration = Duration::from_secs(10 * 60);
/// Names that may fail from one network within that time.
pub const SPREAD_NAMES: usize = 20;

/// Failures that are remembered, of all names together: about ten megabytes (G1).
const FAILURES_MAX: usize = 100_000;
/// Names whose owners' phones were rung: as many are remembered.
const RINGS_MAX: usize = 20_000;
/// The same of all networks.
const SPREAD_MAX: usize = 100_000;

/// Whose window: a name's, or that of one known station of the name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Counted(LoginKey);

impl Counted {
    /// A name as it is counted, whoever types it: its loose fold without a realm, so that no spelling of one account is another
    /// window.
    #[must_use]
    pub fn name(key: &ProofKey, claimed: &ResolvedUser) -> Self {
        Self(hashed(key, claimed, &[]))
    }

    /// The window of a known station of that name.
    #[must_use]
    pub fn at_station(key: &ProofKey, claimed: &ResolvedUser, station: &Station) -> Self {
        if mutant::is(Mutant::ShieldHoldsEverybody) {
            return Self::name(key, claimed);
        }
        Self(hashed(key, claimed, &[Some(station.octets())]))
    }
}

fn hashed(key: &ProofKey, claimed: &ResolvedUser, facts: &[Option<&[u8]>]) -> LoginKey {
    let loose = fold::loose(realm::user_part(claimed.as_str()));
    LoginKey::of(key, &LoginKeyParts { client: "shield", user: loose.as_bytes(), facts })
}

/// What became of the wish for a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Taken {
    /// The primary may be asked; the place is given back, or fails.
    Place,
    /// As many tries are under way as may fail: one of them ends soon.
    Wait,
    /// The name is held back until then.
    Held(Tick),
}

/// The windows.
#[derive(Debug, Default)]
pub struct Shield {
    names: BTreeMap<Counted, Window>,
    failures: VecDeque<(Tick, Counted)>,
    networks: BTreeMap<Network, Vec<(Tick, Counted)>>,
    spread: VecDeque<(Tick, Network)>,
    /// Names that are held back, whose owners were asked on their phones: how often in vain, and until when no more.
    rings: BTreeMap<Counted, Rings>,
}

#[derive(Debug, Default)]
struct Rings {
    in_vain: u32,
    quiet_until: Tick,
}

#[derive(Debug, Default)]
struct Window {
    /// Tries that are under way.
    asked: usize,
    /// The oldest first; each with how often staff had released the name by then.
    failures: VecDeque<(Tick, u64)>,
}

impl Window {
    /// Those that count still: within the time, and not before staff released the name.
    fn counting(&self, lifts: u64, now: Tick) -> impl Iterator<Item = Tick> + '_ {
        let counts = move |(at, before): &&(Tick, u64)| now.since(*at) < WINDOW && *before >= lifts;
        self.failures.iter().filter(counts).map(|(at, _)| *at)
    }
}

impl Shield {
    /// Nothing is counted there: no failure, no try under way.
    #[must_use]
    pub fn is_clean(&self, who: Counted) -> bool {
        !self.names.contains_key(&who)
    }

    /// Takes a place, if fewer than `most` failures count and are under way. `lifts`: how often staff released the name so far.
    pub fn take(&mut self, who: Counted, lifts: u64, most: u32, now: Tick) -> Taken {
        self.forget(now);
        let most = usize::try_from(most).unwrap_or(usize::MAX);
        if let Some(until) = self.held(who, lifts, most, now) {
            return Taken::Held(until);
        }
        let late = mutant::is(Mutant::ShieldCountsLate) || mutant::is(Mutant::ShieldDown);
        let window = self.names.entry(who).or_default();
        if window.counting(lifts, now).count() + window.asked >= most && !late {
            return Taken::Wait;
        }
        window.asked += 1;
        Taken::Place
    }

    fn held(&self, who: Counted, lifts: u64, most: usize, now: Tick) -> Option<Tick> {
        let window = self.names.get(&who).filter(|_| !mutant::is(Mutant::ShieldDown))?;
        let counting: Vec<Tick> = window.counting(lifts, now).collect();
        // With the oldest of the last `most` the next place comes free.
        let frees = counting.len().checked_sub(most)?;
        counting.get(frees).map(|at| at.plus(WINDOW))
    }

    /// It was right, or nobody could be asked: as if nothing had been taken.
    pub fn give_back(&mut self, who: Counted) {
        let Some(window) = self.names.get_mut(&who) else { return };
        window.asked = window.asked.saturating_sub(1);
        if window.asked == 0 && window.failures.is_empty() {
            self.names.remove(&who);
        }
    }

    /// The primary said no. Until when the name is held back now, where this failure was the one that does it.
    pub fn failed(&mut self, who: Counted, lifts: u64, most: u32, now: Tick) -> Option<Tick> {
        let most = usize::try_from(most).unwrap_or(usize::MAX);
        if self.failures.len() >= FAILURES_MAX {
            self.forget_one();
        }
        let was = self.held(who, lifts, most, now);
        let window = self.names.entry(who).or_default();
        window.failures.push_back((now, lifts));
        self.failures.push_back((now, who));
        self.held(who, lifts, most, now).filter(|_| was.is_none())
    }

    /// A name failed from this network. Until when the network is held back now, where this was the name that does it.
    pub fn failed_from(&mut self, network: Network, who: Counted, now: Tick) -> Option<Tick> {
        if self.spread.len() >= SPREAD_MAX {
            self.forget_one_network();
        }
        let was = self.network_held(network, now);
        let names = self.networks.entry(network).or_default();
        names.retain(|(_, name)| *name != who);
        names.push((now, who));
        if names.len() > SPREAD_NAMES {
            names.remove(0);
        }
        self.spread.push_back((now, network));
        self.network_held(network, now).filter(|_| was.is_none())
    }

    /// Until when a network is held back: so many names failed from there.
    #[must_use]
    pub fn network_held(&self, network: Network, now: Tick) -> Option<Tick> {
        let names = self.networks.get(&network)?;
        let oldest = names.len().checked_sub(SPREAD_NAMES).and_then(|at| names.get(at)).map(|(at, _)| *at)?;
        let until = oldest.plus(SPREAD);
        (until > now).then_some(until)
    }

    /// Whether the owner of a held name may be asked on a phone now, though nobody knows whether the password is right. Counted
    /// apart from the owner's own prompts (D2), and more strictly, since it takes a name and nothing else to cause one: each
    /// that was not answered with a yes is followed by a quiet time, which doubles.
    pub fn may_ring(&mut self, who: Counted, limits: &Limits, now: Tick) -> bool {
        if self.rings.len() >= RINGS_MAX {
            self.rings.retain(|_, rings| rings.quiet_until > now);
        }
        let full = self.rings.len() >= RINGS_MAX;
        match self.rings.get(&who) {
            Some(rings) if rings.quiet_until > now => return false,
            None if full => return false,
            Some(_) | None => {}
        }
        let rings = self.rings.entry(who).or_default();
        let quiet = doubled(limits.push_quiet, rings.in_vain, limits.push_quiet_max);
        (rings.in_vain, rings.quiet_until) = (rings.in_vain.saturating_add(1), now.plus(quiet));
        true
    }

    /// The owner said yes: the next time the phone rings at once.
    pub fn said_yes(&mut self, who: Counted) {
        self.rings.remove(&who);
    }

    /// What counts no more, at the front of each row.
    fn forget(&mut self, now: Tick) {
        while self.failures.front().is_some_and(|(at, _)| now.since(*at) >= WINDOW) {
            self.forget_one();
        }
        while self.spread.front().is_some_and(|(at, _)| now.since(*at) >= SPREAD) {
            self.forget_one_network();
        }
    }

    fn forget_one(&mut self) {
        let Some((_, who)) = self.failures.pop_front() else { return };
        let Some(window) = self.names.get_mut(&who) else { return };
        window.failures.pop_front();
        if window.asked == 0 && window.failures.is_empty() {
            self.names.remove(&who);
        }
    }

    fn forget_one_network(&mut self) {
        let Some((at, network)) = self.spread.pop_front() else { return };
        let Some(names) = self.networks.get_mut(&network) else { return };
        // A name that failed again since stands there with its later time.
        names.retain(|(since, _)| *since > at);
        if names.is_empty() {
            self.networks.remove(&network);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::network::Origin;

    const MOST: u32 = 4;

    fn key() -> ProofKey {
        ProofKey::new([7; 32])
    }

    fn name(text: &str) -> Counted {
        Counted::name(&key(), &ResolvedUser::new(text))
    }

    fn network(address: &str) -> Network {
        Origin::of(address.parse().unwrap()).house
    }

    fn at(seconds: u64) -> Tick {
        Tick(seconds * 1000)
    }

    impl Shield {
        fn fails(&mut self, who: Counted, now: Tick) -> Option<Tick> {
            assert_eq!(self.take(who, 0, MOST, now), Taken::Place);
            self.give_back(who);
            self.failed(who, 0, MOST, now)
        }
    }

    #[test]
    fn the_fourth_failure_holds_the_name_until_half_an_hour_after_the_first() {
        let (mut shield, alice) = (Shield::default(), name("alice"));
        assert!((0..3).all(|second| shield.fails(alice, at(second)).is_none()));
        assert_eq!(shield.fails(alice, at(100)), Some(at(1800)));
        assert_eq!(shield.take(alice, 0, MOST, at(1799)), Taken::Held(at(1800)));
        assert_eq!(shield.take(name("bob"), 0, MOST, at(1799)), Taken::Place);
        assert_eq!(shield.fails(alice, at(1800)), Some(at(1801)), "the window slides");
        assert_eq!(shield.take(alice, 0, MOST, at(1800)), Taken::Held(at(1801)));
    }

    #[test]
    fn tries_side_by_side_are_no_more_than_one_after_the_other() {
        let (mut shield, alice) = (Shield::default(), name("alice"));
        shield.fails(alice, at(0));
        let taken: Vec<Taken> = (0..5).map(|_| shield.take(alice, 0, MOST, at(1))).collect();
        assert_eq!(taken, [Taken::Place, Taken::Place, Taken::Place, Taken::Wait, Taken::Wait]);
        shield.give_back(alice);
        assert_eq!(shield.take(alice, 0, MOST, at(2)), Taken::Place, "one was right");
    }

    #[test]
    fn what_was_right_costs_nothing_and_leaves_nothing() {
        let (mut shield, alice) = (Shield::default(), name("alice"));
        for second in 0..100 {
            assert_eq!(shield.take(alice, 0, MOST, at(second)), Taken::Place);
            shield.give_back(alice);
        }
        assert!(shield.is_clean(alice));
    }

    #[test]
    fn a_release_by_staff_forgets_what_was_before_it() {
        let (mut shield, alice) = (Shield::default(), name("alice"));
        assert!((0..4).all(|second| shield.fails(alice, at(second)).is_none() == (second < 3)));
        assert_eq!(shield.take(alice, 1, MOST, at(5)), Taken::Place, "released once");
        shield.give_back(alice);
        assert_eq!(shield.failed(alice, 1, MOST, at(6)), None);
        assert!(matches!(shield.take(alice, 0, MOST, at(7)), Taken::Held(_)), "as it stood before the release");
    }

    #[test]
    fn all_spellings_of_an_account_have_one_window() {
        for spelling in ["ALICE", "álice", "alice@corp.example", "CORP\\alice", "al\u{131}ce"] {
            assert_eq!(name(spelling), name("alice"), "{spelling}");
        }
        assert_ne!(name("alicia"), name("alice"));
        assert_ne!(
            Counted::at_station(&key(), &ResolvedUser::new("alice"), &Station::new(b"192.0.2.1")),
            name("alice")
        );
    }

    #[test]
    fn the_twentieth_name_holds_a_network_and_one_name_twenty_times_does_not() {
        let (mut shield, here) = (Shield::default(), network("2001:db8:0:1::1"));
        assert!((0..30).all(|second| shield.failed_from(here, name("alice"), at(second)).is_none()));
        let names: Vec<Counted> = (0..19).map(|number| name(&format!("user{number}"))).collect();
        assert!(names[..18].iter().all(|who| shield.failed_from(here, *who, at(30)).is_none()));
        assert_eq!(shield.failed_from(here, names[18], at(31)), Some(at(629)), "alice failed last at 29 s");
        assert_eq!(shield.network_held(network("2001:db8:0:ff::2"), at(628)), Some(at(629)));
        assert_eq!(shield.network_held(network("2001:db8:0:100::2"), at(40)), None);
        assert_eq!(shield.network_held(here, at(629)), None);
    }

    #[test]
    fn nothing_is_left_when_its_time_is_over() {
        let mut shield = Shield::default();
        let here = network("192.0.2.1");
        for number in 0..1000 {
            let who = name(&format!("user{number}"));
            shield.fails(who, at(number));
            shield.failed_from(here, who, at(number));
        }
        assert_eq!(shield.networks.get(&here).map(Vec::len), Some(SPREAD_NAMES));
        assert_eq!(shield.take(name("zoe"), 0, MOST, at(5000)), Taken::Place);
        shield.give_back(name("zoe"));
        assert_eq!((shield.names.len(), shield.failures.len()), (0, 0));
        assert_eq!((shield.networks.len(), shield.spread.len()), (0, 0));
    }

    #[test]
    fn an_owner_is_asked_once_in_a_quiet_time_that_doubles_until_there_is_a_yes() {
        let (mut shield, alice, limits) = (Shield::default(), name("alice"), Limits::default());
        let mut asked = |seconds| shield.may_ring(alice, &limits, at(seconds));
        assert!(asked(0) && !asked(599) && asked(600));
        assert!(!asked(1799) && asked(1800), "twenty minutes after the second");
        shield.said_yes(alice);
        assert!(shield.may_ring(alice, &limits, at(1801)));
        assert!(shield.may_ring(name("bob"), &limits, at(1801)));
    }

    #[test]
    fn past_the_bound_the_oldest_failure_makes_room() {
        let mut shield = Shield::default();
        let mut who = |number: usize| {
            let who = Counted(LoginKey((number as u128).to_be_bytes()));
            shield.failed(who, 0, MOST, at(1));
            (shield.names.len(), shield.is_clean(Counted(LoginKey(0_u128.to_be_bytes()))))
        };
        assert!((0..FAILURES_MAX).all(|number| !who(number).1));
        assert_eq!(who(FAILURES_MAX), (FAILURES_MAX, true));
    }
}
