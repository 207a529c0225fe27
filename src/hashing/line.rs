//! The lines before the hashing threads: one for each door, each fair among those who wait in it (rules G1).
//!
//! Of the doors the VPN has every second turn at least, so that no flood at the pages keeps a login waiting for more than as long
//! again; phones and pages share the others. Within a line each asker (an appliance's station, a browser's network, a user) has one
//! turn after the other. Where a line is full, whoever has most in it gives way: its last is refused. So one who asks for much
//! waits behind itself.

use std::collections::{HashMap, VecDeque};

use super::{Door, Turn};

/// What waits.
pub(super) trait Waits {
    /// Nobody wants it any more.
    fn is_given_up(&self) -> bool;
}

/// All lines.
#[derive(Debug)]
pub(super) struct Lines<J> {
    vpn: Line<J>,
    phones: Line<J>,
    pages: Line<J>,
    /// The VPN had the last turn.
    vpn_went: bool,
    /// And of the others the phones.
    phones_went: bool,
}

#[derive(Debug)]
struct Line<J> {
    most: usize,
    waiting: usize,
    by_asker: HashMap<u64, VecDeque<J>>,
    /// Who has something waiting, in the order of their turns.
    round: VecDeque<u64>,
}

impl<J: Waits> Lines<J> {
    /// So many may wait at each door.
    pub(super) fn new(most: usize) -> Self {
        let line = || Line { most, waiting: 0, by_asker: HashMap::new(), round: VecDeque::new() };
        Self { vpn: line(), phones: line(), pages: line(), vpn_went: false, phones_went: false }
    }

    /// Whether this asker would find a place now.
    pub(super) fn has_room(&mut self, turn: Turn) -> bool {
        self.line(turn.door).has_room(turn.asker)
    }

    /// Puts it at the end of its asker's turns. Back comes what has no place: somebody else's last, or itself.
    pub(super) fn push(&mut self, turn: Turn, job: J) -> Option<J> {
        self.line(turn.door).push(turn.asker, job)
    }

    /// Whose turn it is.
    pub(super) fn pop(&mut self) -> Option<J> {
        if (!self.vpn_went || self.phones.waiting + self.pages.waiting == 0)
            && let Some(job) = self.vpn.pop()
        {
            self.vpn_went = true;
            return Some(job);
        }
        self.vpn_went = false;
        let phones_first = !self.phones_went;
        for phones in [phones_first, !phones_first] {
            let line = if phones { &mut self.phones } else { &mut self.pages };
            if let Some(job) = line.pop() {
                self.phones_went = phones;
                return Some(job);
            }
        }
        self.vpn.pop()
    }

    fn line(&mut self, door: Door) -> &mut Line<J> {
        match door {
            Door::Vpn => &mut self.vpn,
            Door::Phones => &mut self.phones,
            Door::Pages => &mut self.pages,
        }
    }
}

impl<J: Waits> Line<J> {
    fn has_room(&mut self, asker: u64) -> bool {
        if self.waiting >= self.most {
            self.forget_given_up();
        }
        self.waiting < self.most || self.greediest(asker).is_some()
    }

    fn push(&mut self, asker: u64, job: J) -> Option<J> {
        let gives_way = if self.waiting >= self.most {
            self.forget_given_up();
            if self.waiting >= self.most {
                let Some(greediest) = self.greediest(asker) else { return Some(job) };
                self.by_asker.get_mut(&greediest).and_then(VecDeque::pop_back)
            } else {
                None
            }
        } else {
            None
        };
        self.waiting -= usize::from(gives_way.is_some());
        let own = self.by_asker.entry(asker).or_default();
        if own.is_empty() {
            self.round.push_back(asker);
        }
        own.push_back(job);
        self.waiting += 1;
        gives_way
    }

    /// Who has so much more waiting than this asker that it would have no less after it gave way.
    fn greediest(&self, asker: u64) -> Option<u64> {
        let own = self.by_asker.get(&asker).map_or(0, VecDeque::len);
        let (greediest, theirs) = self.by_asker.iter().max_by_key(|(asker, theirs)| (theirs.len(), **asker))?;
        (theirs.len() > own + 1).then_some(*greediest)
    }

    fn pop(&mut self) -> Option<J> {
        loop {
            let asker = self.round.pop_front()?;
            let Some(theirs) = self.by_asker.get_mut(&asker) else { continue };
            let job = theirs.pop_front();
            self.waiting -= usize::from(job.is_some());
            if theirs.is_empty() {
                self.by_asker.remove(&asker);
            } else {
                self.round.push_back(asker);
            }
            if let Some(job) = job.filter(|job| !job.is_given_up()) {
                return Some(job);
            }
        }
    }

    fn forget_given_up(&mut self) {
        for theirs in self.by_asker.values_mut() {
            theirs.retain(|job| !job.is_given_up());
        }
        self.by_asker.retain(|_, theirs| !theirs.is_empty());
        let by_asker = &self.by_asker;
        self.round.retain(|asker| by_asker.contains_key(asker));
        self.waiting = self.by_asker.values().map(VecDeque::len).sum();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A job's name; an empty one is given up.
    impl Waits for &'static str {
        fn is_given_up(&self) -> bool {
            self.is_empty()
        }
    }

    fn turn(door: Door, asker: u64) -> Turn {
        Turn { door, asker }
    }

    fn all(lines: &mut Lines<&'static str>) -> String {
        std::iter::from_fn(|| lines.pop()).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn the_vpn_has_every_second_turn_whatever_waits_elsewhere_and_nobody_starves() {
        let mut lines = Lines::new(10);
        for _ in 0..4 {
            for (door, job) in [(Door::Pages, "page"), (Door::Phones, "phone"), (Door::Vpn, "vpn")] {
                assert_eq!(lines.push(turn(door, 1), job), None);
            }
        }
        assert_eq!(all(&mut lines), "vpn phone vpn page vpn phone vpn page phone page phone page");
    }

    #[test]
    fn askers_take_turns_and_whoever_has_most_gives_way_where_a_line_is_full() {
        let mut lines = Lines::new(4);
        let (greedy, modest, third) = (turn(Door::Pages, 1), turn(Door::Pages, 2), turn(Door::Pages, 3));
        for job in ["a1", "a2", "a3", "a4"] {
            assert_eq!(lines.push(greedy, job), None);
        }
        assert_eq!(lines.push(greedy, "a5"), Some("a5"), "it has all of them itself");
        assert!(lines.has_room(modest) && !lines.has_room(greedy));
        assert_eq!(lines.push(modest, "b1"), Some("a4"));
        assert_eq!(lines.push(third, "c1"), Some("a3"));
        assert_eq!(lines.push(modest, "b2"), Some("b2"), "that would only turn it round");
        assert_eq!(lines.push(turn(Door::Vpn, 1), "vpn"), None, "another door has a line of its own");
        assert_eq!(all(&mut lines), "vpn a1 b1 c1 a2");
    }

    #[test]
    fn what_nobody_wants_any_more_has_no_turn_and_no_place() {
        let mut lines = Lines::new(2);
        assert_eq!(lines.push(turn(Door::Pages, 1), ""), None);
        assert_eq!(lines.push(turn(Door::Pages, 1), "a"), None);
        assert_eq!(lines.push(turn(Door::Pages, 2), "b"), None, "the first made room");
        assert_eq!(all(&mut lines), "a b");
        assert!(lines.pages.by_asker.is_empty() && lines.pages.round.is_empty() && lines.pages.waiting == 0);
    }
}
