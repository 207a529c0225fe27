//! Rules G1 and D3: floods meet bounds, and what is held goes on.

use super::*;
use crate::telemetry::DropReason;

fn bounds(entries_max: usize, client_entries_max: usize) -> Bounds {
    Bounds { entries_max, client_entries_max, ..Bounds::default() }
}

fn two_clients(bounds: Bounds) -> House {
    House::of(
        &[client("asa", &["192.0.2.10/32"], Stance::No), client("fortigate", &["192.0.2.20/32"], Stance::Yes)],
        bounds,
    )
}

/// Fills the table with requests that are held.
fn flood<'a>(house: &House, datagram: &'a [u8], ports: impl Iterator<Item = u16>) -> Vec<Admitted<'a>> {
    let admissions = ports.map(|port| house.takes_along(datagram, way(port)));
    admissions
        .filter_map(|admission| if let Admission::Login(admitted) = admission { Some(admitted) } else { None })
        .collect()
}

#[test]
fn a_million_spoofed_requests_meet_a_bound() {
    let house = two_clients(bounds(4000, 2000));
    let (mut held, mut dropped) = (Vec::new(), 0);
    let datagrams: Vec<Vec<u8>> = (0..16).map(|identifier| bare(identifier, 1, &[])).collect();
    for datagram in &datagrams {
        for port in 0..62_500 {
            match house.takes_along(datagram, way(port)) {
                Admission::Login(admitted) => held.push(admitted),
                Admission::Settled(outcome) => dropped += u64::from(outcome == Settled::Dropped(DropReason::Overload)),
            }
        }
    }
    assert_eq!(held.len(), 1750, "an eighth of the client's share is kept for those who answer a challenge");
    assert_eq!((house.gate.kept().entries, dropped), (1750, 998_250));
    assert_eq!(house.dropped("asa", "overload"), 998_250);
    drop(held);
    assert_eq!(house.gate.kept(), Kept::default());
}

#[test]
fn a_full_client_lets_challenges_be_answered_and_does_not_starve_another() {
    let house = two_clients(bounds(4000, 2000));
    let datagram = bare(1, 1, &[]);
    let held = flood(&house, &datagram, 1..3000);
    assert_eq!(house.settles(&bare(9, 1, &[])), Settled::Dropped(DropReason::Overload));
    drop(house.admits(&bare(9, 1, STATE)));
    assert_eq!(house.settles(&datagram.clone()), Settled::Absorbed, "what is held is known");
    let other = Way { peer: "192.0.2.20:1645".parse().unwrap(), ..way(1) };
    drop(begun(house.takes_along(&signed(1, 1, &[]), other)));
    drop(held);
}

#[test]
fn octets_are_bounded_as_well_as_entries() {
    let house = two_clients(Bounds { octets_max: 100_000, client_octets_max: 50_000, ..Bounds::default() });
    let datagram = bare(1, 1, &[]);
    let held = flood(&house, &datagram, 1..3000);
    assert!(!held.is_empty() && house.gate.kept().octets <= 50_000);
    drop(held);
}

#[test]
fn a_request_that_is_refused_for_want_of_room_leaves_the_one_in_its_place_alone() {
    let house = two_clients(bounds(8, 8));
    let datagrams: Vec<Vec<u8>> = (0..8).map(|identifier| bare(identifier, 1, STATE)).collect();
    let held: Vec<Admitted<'_>> = datagrams.iter().map(|datagram| house.admits(datagram)).collect();
    let newer = bare(0, 2, &[]);
    assert_eq!(
        house.settles(&newer),
        Settled::Dropped(DropReason::Overload),
        "only one with State may take the last places"
    );
    assert!(held[0].ticket.is_awaited());
    let share = || house.gate.client(&ClientName::new("asa")).unwrap().kept();
    assert_eq!((house.gate.kept().entries, share()), (8, house.gate.kept()));
    drop(held);
    assert_eq!((house.gate.kept(), share()), (Kept::default(), Kept::default()));
}

#[test]
fn answers_are_counted_in_octets_and_given_back() {
    let house = house(Stance::Yes);
    let datagram = signed(1, 1, &[]);
    let admitted = house.admits(&datagram);
    let before = house.gate.kept().octets;
    let answer = reject(admitted, house.now());
    assert_eq!(house.gate.kept().octets, before + answer.len());
    let kept = house.gate.client(&ClientName::new("asa")).unwrap().kept();
    assert_eq!(kept, house.gate.kept(), "one client has it all");
    house.pass(Duration::from_secs(30));
    assert_eq!(house.gate.kept(), Kept::default());
}

#[test]
fn a_bare_senders_budget_is_spent_by_failures_and_outlives_a_reload() {
    let house = house(Stance::No);
    let datagram = bare(1, 1, &[]);
    let admitted = house.admits(&datagram);
    assert!(!admitted.authentic);
    let at = house.now().tick;
    (0..60).for_each(|_| admitted.client.charge_failure(at));
    house.gate.reload(&[client("asa", &["192.0.2.10/32"], Stance::No)], 60, house.now().tick);
    let after = house.admits(&bare(2, 1, &[])).client;
    assert!(!after.may_try(at));
    house.pass(Duration::from_secs(1));
    assert!(after.may_try(house.now().tick));
}

#[test]
fn a_reload_gives_a_client_that_is_there_its_new_budget_and_forgives_no_failure() {
    let house = house(Stance::No);
    let asa = || house.gate.client(&ClientName::new("asa")).unwrap();
    let at = house.now().tick;
    let tries = || std::iter::from_fn(|| asa().budget().begin_try(at)).collect::<Vec<Trial>>().len();
    (0..10).for_each(|_| asa().charge_failure(at));
    house.gate.reload(&[client("asa", &["192.0.2.10/32"], Stance::No)], 12, at);
    assert_eq!(tries(), 2);
    house.gate.reload(&[client("asa", &["192.0.2.10/32"], Stance::No)], 600, at);
    assert_eq!(tries(), 590);
}

#[test]
fn every_bare_request_is_tried_on_the_budget_and_no_signed_one() {
    let house = house(Stance::No);
    let at = house.now().tick;
    let spent = |datagram: &[u8]| house.admits(datagram).trial(at).map(|trial| trial.is_some());
    assert_eq!(spent(&bare(1, 1, &[])), Some(true));
    assert_eq!(spent(&bare(1, 1, STATE)), Some(true), "the challenge may be the primary's own");
    assert_eq!(spent(&signed(1, 1, &[])), Some(false));
    let datagrams: Vec<Vec<u8>> = (0..61).map(|identifier| bare(identifier, 1, &[])).collect();
    for (count, datagram) in (0..).zip(&datagrams) {
        let admitted = house.admits(datagram);
        let trial = admitted.trial(at);
        assert_eq!(trial.is_some(), count < 60);
        trial.into_iter().flatten().for_each(Trial::fail);
        admitted.ticket.over_budget();
    }
    assert_eq!((house.dropped("asa", "bare_budget"), house.dropped("asa", "overload")), (61, 0));
    assert_eq!(house.gate.kept(), Kept::default());
    assert_eq!(spent(&signed(1, 1, &[])), Some(false), "signed requests go on");
}
