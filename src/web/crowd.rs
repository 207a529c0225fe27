//! Who is connected to one listener, and who must go when somebody comes and there is no room (rules G1).
//!
//! There are two shares. *Pages* is everybody's: each network (an IPv4 address or /56, a /48) has a part of it, and who waits for
//! nothing of ours, because it shakes hands, sends slowly or says nothing, gives way to a newcomer: first of the network that has
//! most, there whoever rested longest. *Held* is for those who proved who they are and wait for something on purpose: phones with
//! a poll, staff with a board. No stranger comes into it, and nobody is sent away from it; nor is anybody whose request has
//! arrived whole and is being answered.
//!
//! Only numbers and times of rest are kept, never more entries than there are connections.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use login::{Network, Origin};
use tokio::sync::Notify;

/// A /48 holds many houses: it has so many times the share of one.
const HOUSES_OF_A_SITE: usize = 4;

/// How many may be there.
#[derive(Clone, Copy, Debug)]
pub(super) struct Room {
    pub(super) pages: usize,
    pub(super) of_a_house: usize,
    pub(super) held: usize,
}

/// The connections of one listener.
#[derive(Debug)]
pub(super) struct Crowd {
    room: Room,
    inside: Mutex<Inside>,
    /// Somebody left, came to rest, or moved to the held ones.
    changed: Notify,
}

#[derive(Debug, Default)]
struct Inside {
    /// Grows: of two who rest, the one with the smaller number rested first.
    last: u64,
    entries: HashMap<u64, Entry>,
    /// Those that are not held.
    pages: usize,
    held: usize,
    networks: HashMap<Network, Here>,
    /// The houses of which somebody rests: by how many connections each has, then by who rested longest.
    restful: BTreeSet<(usize, Reverse<u64>, Network)>,
    /// Who rests and has no network that counts: a named proxy, or somebody who was held before. They go last.
    known: BTreeMap<u64, u64>,
}

/// What one network has.
#[derive(Debug, Default)]
struct Here {
    count: usize,
    /// Who rests, by since when.
    resting: BTreeMap<u64, u64>,
}

impl Here {
    /// How soon somebody of it goes; `None`: nobody of it rests.
    fn rank(&self, network: Network) -> Option<(usize, Reverse<u64>, Network)> {
        let (since, _) = self.resting.first_key_value()?;
        Some((self.count, Reverse(*since), network))
    }
}

#[derive(Debug)]
struct Entry {
    /// `None`: a named proxy's, or somebody's who was held before.
    origin: Option<Origin>,
    rests_since: Option<u64>,
    works: bool,
    holds: bool,
    leaves: bool,
    told: Arc<Notify>,
}

/// Why somebody can't come in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum NoRoom {
    /// Its network has all that it may have, and nobody of it rests.
    Crowded,
    /// Somebody goes, or all work: look again when something changed.
    Wait,
}

/// A connection's place; it leaves when this is dropped.
#[derive(Debug)]
pub(super) struct Place(Connection);

/// A connection, as its requests know it. Clones are one.
#[derive(Clone, Debug)]
pub struct Connection {
    crowd: Arc<Crowd>,
    id: u64,
}

/// A request that has arrived whole and is being answered: nobody sends its connection away.
#[derive(Debug)]
pub(super) struct Working(Connection);

/// A connection that waits on purpose, for somebody who proved who they are: it is no stranger's to send away, and takes no
/// place of strangers.
#[derive(Debug)]
#[must_use = "dropped at once, it holds nothing"]
pub struct Held(Connection);

impl Crowd {
    pub(super) fn new(room: Room) -> Arc<Self> {
        Arc::new(Self { room, inside: Mutex::default(), changed: Notify::new() })
    }

    /// A place for a newcomer from there (`None`: through a named proxy), as soon as there is one; `None`: its network has all
    /// that it may have.
    pub(super) async fn enter(self: &Arc<Self>, origin: Option<Origin>) -> Option<Place> {
        loop {
            let mut changed = std::pin::pin!(self.changed.notified());
            // Before the look, so that nothing changes unheard between that and the wait.
            changed.as_mut().enable();
            let looked = self.lock().enter(origin, self.room);
            match looked {
                Ok(id) => return Some(Place(Connection { crowd: Arc::clone(self), id })),
                Err(NoRoom::Crowded) => return None,
                Err(NoRoom::Wait) => changed.await,
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inside> {
        self.inside.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change(&self, change: impl FnOnce(&mut Inside)) {
        change(&mut self.lock());
        self.changed.notify_waiters();
    }
}

impl Inside {
    fn enter(&mut self, origin: Option<Origin>, room: Room) -> Result<u64, NoRoom> {
        let full = |network: &Network| {
            let most = if network.is_site() { room.of_a_house * HOUSES_OF_A_SITE } else { room.of_a_house };
            self.networks.get(network).is_some_and(|here| here.count >= most)
        };
        if let Some(network) = origin.into_iter().flat_map(Origin::networks).find(full) {
            let eldest = self.networks.get(&network).and_then(|here| here.resting.values().next().copied());
            let somebody_goes = eldest.is_some_and(|eldest| self.send_away(eldest)) || self.somebody_leaves(network);
            return Err(if somebody_goes { NoRoom::Wait } else { NoRoom::Crowded });
        }
        if self.pages >= room.pages {
            if !self.entries.values().any(|entry| entry.leaves)
                && let Some(eldest) = self.eldest()
            {
                self.send_away(eldest);
            }
            return Err(NoRoom::Wait);
        }
        self.last += 1;
        let id = self.last;
        let entry =
            Entry { origin, rests_since: None, works: false, holds: false, leaves: false, told: Arc::default() };
        self.entries.insert(id, entry);
        self.pages += 1;
        self.count(origin, |here| here.count += 1);
        self.settle(id);
        Ok(id)
    }

    /// Who goes first: of the house that has most, whoever rested longest.
    fn eldest(&self) -> Option<u64> {
        let greediest = self.restful.last().and_then(|(_, _, house)| self.networks.get(house));
        greediest.map_or(&self.known, |here| &here.resting).values().next().copied()
    }

    fn somebody_leaves(&self, network: Network) -> bool {
        let of = |entry: &Entry| entry.origin.is_some_and(|origin| origin.networks().any(|one| one == network));
        self.entries.values().any(|entry| entry.leaves && of(entry))
    }

    fn send_away(&mut self, id: u64) -> bool {
        let Some(entry) = self.entries.get_mut(&id) else { return false };
        entry.leaves = true;
        entry.told.notify_one();
        self.settle(id);
        true
    }

    /// Changes what is known of a connection's networks.
    fn count(&mut self, origin: Option<Origin>, change: impl Fn(&mut Here)) {
        for network in origin.into_iter().flat_map(Origin::networks) {
            let here = self.networks.entry(network).or_default();
            if let Some(before) = here.rank(network) {
                self.restful.remove(&before);
            }
            change(here);
            if let Some(after) = here.rank(network).filter(|_| !network.is_site()) {
                self.restful.insert(after);
            }
            if here.count == 0 {
                self.networks.remove(&network);
            }
        }
    }

    /// Puts a connection where it belongs now: among those that rest, or not.
    fn settle(&mut self, id: u64) {
        let Some(entry) = self.entries.get_mut(&id) else { return };
        let (origin, was) = (entry.origin, entry.rests_since);
        let rests = !(entry.works || entry.holds || entry.leaves);
        if rests == was.is_some() {
            return;
        }
        self.last += 1;
        entry.rests_since = rests.then_some(self.last);
        let now = entry.rests_since;
        let put = |resting: &mut BTreeMap<u64, u64>| {
            was.and_then(|was| resting.remove(&was));
            now.and_then(|now| resting.insert(now, id));
        };
        match origin {
            Some(_) => self.count(origin, |here| put(&mut here.resting)),
            None => put(&mut self.known),
        }
    }

    fn with(&mut self, id: u64, change: impl FnOnce(&mut Entry)) {
        if let Some(entry) = self.entries.get_mut(&id) {
            change(entry);
            self.settle(id);
        }
    }

    fn leave(&mut self, id: u64) {
        // It rests no more, and then it is gone.
        self.with(id, |entry| entry.leaves = true);
        let Some(entry) = self.entries.remove(&id) else { return };
        if entry.holds {
            self.held -= 1
        } else {
            self.pages -= 1
        }
        self.count(entry.origin, |here| here.count -= 1);
    }

    /// Into the share of those who are held, if there is room; from now on it counts for no network.
    fn hold(&mut self, id: u64, room: Room) -> bool {
        let fits = self.held < room.held && self.entries.get(&id).is_some_and(|entry| !entry.holds);
        if fits {
            self.with(id, |entry| (entry.holds, entry.leaves) = (true, false));
            let origin = self.entries.get_mut(&id).and_then(|entry| entry.origin.take());
            self.count(origin, |here| here.count -= 1);
            self.held += 1;
            self.pages -= 1;
        }
        fits
    }

    fn release(&mut self, id: u64) {
        if self.entries.get(&id).is_some_and(|entry| entry.holds) {
            self.held -= 1;
            self.pages += 1;
            self.with(id, |entry| entry.holds = false);
        }
    }
}

impl Place {
    pub(super) fn connection(&self) -> Connection {
        self.0.clone()
    }

    /// Ready when this connection has to give way.
    pub(super) async fn gives_way(&self) {
        let Connection { crowd, id } = &self.0;
        loop {
            let told = crowd.lock().entries.get(id).map(|entry| (entry.leaves, Arc::clone(&entry.told)));
            match told {
                Some((false, told)) => told.notified().await,
                Some((true, _)) | None => return,
            }
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.crowd.change(|inside| inside.leave(self.0.id));
    }
}

impl Connection {
    /// Its request is being answered. One that was just told to go stays: somebody else may.
    pub(super) fn works(&self) -> Working {
        self.crowd.change(|inside| {
            inside.with(self.id, |entry| {
                entry.works = true;
                entry.leaves = false;
            });
        });
        Working(self.clone())
    }

    /// Whoever asks proved who they are, and waits on purpose. `None`: too many do; then it is answered as a page is.
    #[must_use]
    pub fn hold(&self) -> Option<Held> {
        let held = self.crowd.lock().hold(self.id, self.crowd.room);
        self.crowd.changed.notify_waiters();
        held.then(|| Held(self.clone()))
    }
}

impl Drop for Working {
    fn drop(&mut self) {
        self.0.crowd.change(|inside| inside.with(self.0.id, |entry| entry.works = false));
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.0.crowd.change(|inside| inside.release(self.0.id));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROOM: Room = Room { pages: 6, of_a_house: 3, held: 2 };

    fn from(text: &str) -> Option<Origin> {
        Some(Origin::of(text.parse().unwrap()))
    }

    async fn enters(crowd: &Arc<Crowd>, address: &str) -> Place {
        crowd.enter(from(address)).await.unwrap()
    }

    fn must_go(place: &Place) -> bool {
        place.0.crowd.lock().entries[&place.0.id].leaves
    }

    /// Nobody's place is free now; who comes is let in once somebody has gone.
    fn full(crowd: &Arc<Crowd>, address: &str) -> NoRoom {
        crowd.lock().enter(from(address), crowd.room).unwrap_err()
    }

    #[tokio::test]
    async fn of_the_network_that_has_most_whoever_rested_longest_gives_way() {
        let crowd = Crowd::new(ROOM);
        let lone = enters(&crowd, "192.0.2.9").await;
        let greedy =
            [enters(&crowd, "192.0.2.1").await, enters(&crowd, "192.0.2.1").await, enters(&crowd, "192.0.2.1").await];
        let pair = [enters(&crowd, "192.0.2.2").await, enters(&crowd, "192.0.2.2").await];
        drop(greedy[0].connection().works()); // It rested anew.
        assert_eq!(full(&crowd, "192.0.2.3"), NoRoom::Wait);
        assert_eq!(greedy.each_ref().map(must_go), [false, true, false]);
        assert!(!must_go(&lone) && !pair.iter().any(must_go));
        greedy[1].gives_way().await;
        let [_first, second, _third] = greedy;
        drop(second);
        let _newcomer = enters(&crowd, "192.0.2.3").await;
    }

    #[tokio::test]
    async fn past_its_share_a_network_gives_way_to_itself_and_where_all_of_it_work_it_is_refused() {
        let crowd = Crowd::new(Room { pages: 100, ..ROOM });
        let three =
            [enters(&crowd, "192.0.2.1").await, enters(&crowd, "192.0.2.1").await, enters(&crowd, "192.0.2.1").await];
        let working = three.each_ref().map(|place| place.connection().works());
        assert!(crowd.enter(from("192.0.2.1")).await.is_none(), "nobody of it rests");
        assert!(crowd.enter(from("192.0.2.2")).await.is_some());
        drop(working);
        assert_eq!(full(&crowd, "192.0.2.1"), NoRoom::Wait);
        assert!(must_go(&three[0]));
        let site: Vec<Place> = {
            let mut all = Vec::new();
            for house in 0..12 {
                let working = enters(&crowd, &format!("2001:db8:1:{house:02x}00::1")).await;
                std::mem::forget(working.connection().works());
                all.push(working);
            }
            all
        };
        assert_eq!(site.len(), ROOM.of_a_house * HOUSES_OF_A_SITE);
        assert!(crowd.enter(from("2001:db8:1:ff00::1")).await.is_none(), "a /48 has a share, too");
    }

    #[tokio::test]
    async fn who_is_held_takes_no_place_of_strangers_and_is_sent_away_by_none_and_goes_last_when_it_rests() {
        let crowd = Crowd::new(ROOM);
        let phone = enters(&crowd, "192.0.2.1").await;
        let working = phone.connection().works();
        let held = phone.connection().hold().unwrap();
        drop(working);
        let mut others = Vec::new();
        for last in 1..=6 {
            others.push(enters(&crowd, &format!("198.51.100.{last}")).await);
        }
        assert_eq!(full(&crowd, "192.0.2.1"), NoRoom::Wait);
        assert!(!must_go(&phone) && must_go(&others[0]));
        others.remove(0);
        drop(held);
        // It is one too many now, and rests longer than nobody.
        others.iter().skip(1).for_each(|place| std::mem::forget(place.connection().works()));
        assert_eq!(full(&crowd, "192.0.2.1"), NoRoom::Wait);
        assert!(!must_go(&phone) && must_go(&others[0]));
        others.remove(0);
        let counts = {
            let inside = crowd.lock();
            (inside.pages, inside.held)
        };
        assert_eq!(counts, (5, 0));
    }

    #[tokio::test]
    async fn the_held_share_is_bounded_and_whoever_was_told_to_go_and_begins_to_work_stays() {
        let crowd = Crowd::new(Room { pages: 3, ..ROOM });
        let places =
            [enters(&crowd, "192.0.2.1").await, enters(&crowd, "192.0.2.2").await, enters(&crowd, "192.0.2.3").await];
        let held: Vec<Held> = places.iter().filter_map(|place| place.connection().hold()).collect();
        assert_eq!(held.len(), 2);
        drop(held);
        let _late = places[2].connection();
        assert_eq!(full(&crowd, "192.0.2.4"), NoRoom::Wait);
        let told = places.iter().find(|place| must_go(place)).unwrap();
        let _working = told.connection().works();
        assert!(!must_go(told));
        assert_eq!(full(&crowd, "192.0.2.4"), NoRoom::Wait);
        assert_eq!(places.iter().filter(|place| must_go(place)).count(), 1, "somebody else goes");
    }

    #[tokio::test]
    async fn nothing_is_kept_of_who_is_gone() {
        let crowd = Crowd::new(ROOM);
        let place = enters(&crowd, "2001:db8::1").await;
        drop(place.connection().hold());
        drop(place);
        drop(enters(&crowd, "2001:db8::1").await);
        drop(crowd.enter(None).await);
        let inside = crowd.lock();
        assert!(inside.entries.is_empty() && inside.networks.is_empty() && inside.restful.is_empty());
        assert!(inside.known.is_empty() && (inside.pages, inside.held) == (0, 0));
    }
}
