//! A deterministic simulation of the machine, its sessions and a model of the store: virtual time, a network that loses,
//! doubles and reorders, people who mistype and change their mind, a primary that is late, a store that forgets what was
//! not synced, a clock that is stepped, and a power failure before or after any effect.
//!
//! Every answer is judged against a reference model that keeps its own books. A broken rule prints its number and the
//! seed; `VESTIBULE_SEED=n cargo test -p vestibule-login --test simulation` replays that very life, with its trace.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::wildcard_enum_match_arm,
    reason = "a test that can't go on should stop"
)]

mod appliance;
mod dice;
mod engine;
mod invariants;
mod network;
mod perform;
mod phone;
mod reference;
mod routing;
mod rows;
mod scene;
mod shield;
mod store;
mod tally;
mod world;

use std::collections::BTreeMap;
use std::sync::Arc;

use login::Policy;
use tally::Tally;
use world::World;

/// Logins of one life.
const LOGINS_OF_A_LIFE: usize = 25;

fn policies() -> [Arc<Policy>; 6] {
    scene::Law::ALL.map(scene::policy)
}

fn live(seed: u64, policies: &[Arc<Policy>; 6], trace: bool) -> World {
    World::new(seed, policies, trace).live(LOGINS_OF_A_LIFE)
}

#[expect(clippy::disallowed_macros, reason = "a test tells what it saw")]
fn say(what: &str) {
    println!("{what}");
}

#[expect(clippy::disallowed_methods, reason = "a test's own switch: which seed to replay, how many logins")]
fn number_of(variable: &str) -> Option<u64> {
    std::env::var(variable).ok()?.parse().ok()
}

/// Debug builds are slow; the promise is kept in release.
fn logins_wanted() -> u64 {
    number_of("VESTIBULE_LOGINS").unwrap_or(if cfg!(debug_assertions) { 5_000 } else { 100_000 })
}

#[test]
fn no_rule_is_broken_in_a_hundred_thousand_random_logins() {
    let policies = policies();
    if let Some(seed) = number_of("VESTIBULE_SEED") {
        let world = live(seed, &policies, true);
        world.trace.iter().flatten().for_each(|line| say(line));
        assert_eq!(world.violation, None, "seed {seed}");
        return;
    }
    let lives = logins_wanted().div_ceil(LOGINS_OF_A_LIFE as u64);
    let (mut tally, mut broken) = (Tally::default(), BTreeMap::new());
    for seed in 0..lives {
        let world = live(seed, &policies, false);
        tally.add(&world.tally);
        if let Some((rule, what)) = world.violation {
            broken.entry(rule).or_insert((0_u64, seed, what)).0 += 1;
        }
    }
    say(&tally.to_string());
    let told: String = broken.iter().map(|(rule, (lives, seed, what))| told(rule, *lives, *seed, what)).collect();
    assert!(told.is_empty(), "{told}");
    if logins_wanted() >= 100_000 {
        assert_eq!(tally.crash_points_missed(), Vec::<String>::new(), "crash points that nothing reached");
    }
}

/// Seeds of lives that found a fault of the product or of the reference, in the order in which they did.
const FOUND_A_FAULT: [u64; 5] = [875, 2548, 11224, 19075, 34580];

#[test]
fn lives_that_once_found_a_fault_find_none() {
    let policies = policies();
    for seed in FOUND_A_FAULT {
        assert_eq!(live(seed, &policies, false).violation, None, "seed {seed}");
    }
}

#[test]
fn the_same_seed_lives_the_same_life() {
    let policies = policies();
    for seed in [1, 77, 4711] {
        let (one, other) = (live(seed, &policies, true), live(seed, &policies, true));
        assert!(one.trace.as_ref().is_some_and(|trace| trace.len() > 100));
        assert_eq!(one.trace, other.trace, "seed {seed}");
    }
}

#[test]
fn people_who_do_all_right_get_in() {
    let policies = policies();
    let mut tally = Tally::default();
    (0..100).for_each(|seed| tally.add(&live(seed, &policies, false).tally));
    // A machine that refuses everybody breaks no other rule.
    assert!(tally.accepts * 4 > tally.logins, "{tally}");
}

fn told(rule: &str, lives: u64, seed: u64, what: &str) -> String {
    format!(
        "\nrule {rule} is broken in {lives} lives, first: {what}\n  \
         replay: VESTIBULE_SEED={seed} cargo test -p vestibule-login --test simulation -- --nocapture\n"
    )
}

/// The saboteurs of `login::mutant`: each breaks one rule at the line that holds it.
#[cfg(feature = "mutants")]
mod saboteurs {
    use login::mutant::{self, Mutant};

    use super::{LOGINS_OF_A_LIFE, live, policies, say};

    /// Lives that a saboteur may stay unseen.
    const LIVES_MAX: u64 = 2_000;

    /// Which rule tells of it, and after how many logins.
    fn caught(sabotage: Mutant) -> Option<(&'static str, String, usize)> {
        let policies = policies();
        mutant::set(Some(sabotage));
        let found = (0..LIVES_MAX).find_map(|seed| {
            let (rule, what) = live(seed, &policies, false).violation?;
            let lives = usize::try_from(seed).unwrap() + 1;
            Some((rule, what, lives * LOGINS_OF_A_LIFE))
        });
        mutant::set(None);
        found
    }

    #[test]
    fn every_saboteur_is_caught() {
        let mut missed = Vec::new();
        for sabotage in Mutant::ALL {
            match caught(sabotage) {
                Some((rule, what, logins)) => {
                    say(&format!("{sabotage:?} is caught by {rule} within {logins} logins: {what}"))
                }
                None => missed.push(sabotage),
            }
        }
        assert!(missed.is_empty(), "nobody notices {missed:?}");
    }
}
