//! Sign-ins that are looked at in one moment: a bounded number, and of it a bounded share for each network (rules G1).
//!
//! A place is held only while somebody is looked at: while the store and the primary are asked, never while a refusal waits
//! for its time. So whoever is refused, however often, costs nobody else a place.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use login::{Network, Origin};

/// Sign-ins at once. Each costs little but time of the primary.
const ALL_MAX: usize = 1024;
/// Of those, of one address or /56, and of one /48. Whole companies sit behind one address, but they are looked at in milliseconds.
const HOUSE_MAX: usize = 16;
const SITE_MAX: usize = 64;

/// The places.
#[derive(Debug, Default)]
pub(super) struct Places(Mutex<Taken>);

#[derive(Debug, Default)]
struct Taken {
    all: usize,
    /// Never more entries than places.
    by_network: HashMap<Network, usize>,
}

/// One of them; given back when it is dropped.
#[derive(Debug)]
#[must_use = "dropped at once, it bounds nothing"]
pub(super) struct Place<'a> {
    places: &'a Places,
    origin: Origin,
}

impl Places {
    /// A place for somebody from there; `None`: all are taken, or all of that network's.
    pub(super) fn enter(&self, origin: Origin) -> Option<Place<'_>> {
        let mut taken = self.lock();
        let full = |network| taken.by_network.get(&network).is_some_and(|count| *count >= share(network));
        if taken.all >= ALL_MAX || origin.networks().any(full) {
            return None;
        }
        taken.all += 1;
        origin.networks().for_each(|network| *taken.by_network.entry(network).or_insert(0) += 1);
        Some(Place { places: self, origin })
    }

    fn lock(&self) -> MutexGuard<'_, Taken> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn share(network: Network) -> usize {
    if network.is_site() { SITE_MAX } else { HOUSE_MAX }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let mut taken = self.places.lock();
        taken.all -= 1;
        for network in self.origin.networks() {
            if let Some(count) = taken.by_network.get_mut(&network) {
                *count -= 1;
                if *count == 0 {
                    taken.by_network.remove(&network);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn from(text: &str) -> Origin {
        Origin::of(text.parse().unwrap())
    }

    fn fill(places: &Places, origin: Origin) -> Vec<Place<'_>> {
        std::iter::from_fn(|| places.enter(origin)).collect()
    }

    #[test]
    fn an_address_takes_its_share_and_leaves_the_rest_to_others() {
        let places = Places::default();
        let held = fill(&places, from("192.0.2.1"));
        assert_eq!(held.len(), HOUSE_MAX);
        assert!(places.enter(from("192.0.2.2")).is_some());
        drop(held);
        assert!(places.enter(from("192.0.2.1")).is_some());
        assert!(places.lock().by_network.is_empty(), "nothing is kept of who is gone");
    }

    #[test]
    fn a_site_of_many_houses_has_a_share_too() {
        let places = Places::default();
        let held: Vec<_> =
            (0..256).flat_map(|house| fill(&places, from(&format!("2001:db8:1:{house:02x}00::1")))).collect();
        assert_eq!(held.len(), SITE_MAX);
        assert!(places.enter(from("2001:db8:2::1")).is_some());
    }
}
