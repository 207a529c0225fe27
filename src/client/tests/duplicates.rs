//! Rules B1, row by row, and against a model.

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};

use proptest::prelude::*;

use super::*;
use crate::telemetry::DropReason;

const SECONDS: fn(u64) -> Duration = Duration::from_secs;

#[test]
fn a_retransmit_in_flight_is_absorbed_however_long_that_takes() {
    let house = house(Stance::Yes);
    let datagram = signed(1, 1, &[]);
    let _admitted = house.admits(&datagram);
    for _ in 0..20 {
        house.pass(SECONDS(6));
        assert_eq!(house.settles(&datagram), Settled::Absorbed);
    }
    assert!(house.sent().is_empty());
    assert_eq!(house.metric("vestibule_retransmits_total{client=\"asa\"}"), 20);
}

#[test]
fn a_retransmit_after_the_answer_gets_the_same_octets_for_thirty_seconds() {
    let house = house(Stance::Yes);
    let datagram = signed(1, 1, &[]);
    let answer = reject(house.admits(&datagram), house.now());
    assert_eq!(answer[20], 80, "Message-Authenticator first");
    house.pass(Duration::from_millis(29_999));
    assert_eq!(house.settles(&datagram), Settled::Repeated);
    assert_eq!(house.sent(), [answer.clone(), answer]);
    house.pass(Duration::from_millis(1));
    assert_eq!(house.gate.kept(), Kept::default());
    drop(house.admits(&datagram));
}

#[test]
fn thirty_seconds_count_from_the_answer_however_long_the_gate_saw_nothing_before() {
    let house = house(Stance::Yes);
    let datagram = signed(1, 1, &[]);
    let admitted = house.admits(&datagram);
    // No packet came and nobody swept for a while: the gate learns the time with the answer alone.
    house.now.set(house.now().tick.0 + 20_000);
    let answer = reject(admitted, house.now());
    house.pass(Duration::from_millis(29_999));
    assert_eq!(house.settles(&datagram), Settled::Repeated);
    assert_eq!(house.sent(), [answer.clone(), answer]);
    house.pass(Duration::from_millis(1));
    assert_eq!(house.gate.kept(), Kept::default());
}

#[test]
fn padding_does_not_make_another_request() {
    let house = house(Stance::Yes);
    let datagram = signed(1, 1, &[]);
    let _admitted = house.admits(&datagram);
    assert_eq!(house.settles(&[&datagram[..], &[0; 7]].concat()), Settled::Absorbed);
}

#[test]
fn another_port_address_or_identifier_is_another_request() {
    let house = house(Stance::Yes);
    let (first, other) = (signed(1, 1, &[]), signed(2, 1, &[]));
    let there = Way { local: "198.51.100.2:1812".parse().unwrap(), ..way(1645) };
    let ways = [(&first, way(1645)), (&first, way(1646)), (&first, there), (&other, way(1645))];
    let admitted: Vec<Admitted<'_>> =
        ways.into_iter().map(|(datagram, way)| begun(house.takes_along(datagram, way))).collect();
    assert_eq!(house.gate.kept().entries, 4);
    admitted.into_iter().for_each(|one| drop(reject(one, house.now())));
    let ways: Vec<Way> = house.sent.lock().unwrap().iter().map(|(_, way)| *way).collect();
    assert_eq!(ways, [way(1645), way(1646), there, way(1645)], "each answer goes back along its own way");
}

#[test]
fn the_same_identifier_with_another_authenticator_begins_anew_and_the_late_answer_is_not_sent() {
    let house = house(Stance::Yes);
    let (old, new) = (signed(1, 1, &[]), signed(1, 2, &[]));
    let late = house.admits(&old);
    let admitted = house.admits(&new);
    assert!(!late.ticket.is_awaited() && admitted.ticket.is_awaited());
    drop(reject(late, house.now()));
    assert!(house.sent().is_empty());
    assert_eq!(house.dropped("asa", "superseded"), 1);
    let answer = reject(admitted, house.now());
    assert_eq!(house.sent(), [answer]);
    assert_eq!(house.settles(&new), Settled::Repeated);
    assert_eq!(house.gate.kept().entries, 1);
}

#[test]
fn a_late_ticket_that_is_dropped_leaves_the_new_request_alone() {
    let house = house(Stance::Yes);
    let (old, new) = (signed(1, 1, &[]), signed(1, 2, &[]));
    let late = house.admits(&old);
    let _admitted = house.admits(&new);
    drop(late);
    assert_eq!(house.settles(&new), Settled::Absorbed);
}

#[test]
fn the_same_authenticator_over_other_octets_is_no_retransmit() {
    let house = house(Stance::No);
    reject(house.admits(&bare(1, 1, &attribute(31, b"one"))), house.now());
    drop(house.admits(&bare(1, 1, &attribute(31, b"two"))));
    assert_eq!(house.sent().len(), 1, "nobody gets the answer of another's request");
}

#[test]
fn what_the_stance_does_not_admit_never_touches_what_is_kept() {
    for stance in [Stance::Yes, Stance::Auto, Stance::No] {
        let house = house(stance);
        let datagram = signed(1, 1, &[]);
        let admitted = house.admits(&datagram);
        let forged =
            [sign(&bare(1, 2, &[]), b"guessed"), bare(1, 2, PROXY_STATE), bare(1, 2, &attribute(79, b"")), vec![1, 1]];
        forged.iter().for_each(|forged| assert!(matches!(house.settles(forged), Settled::Dropped(_))));
        assert!(admitted.ticket.is_awaited());
        let answer = reject(admitted, house.now());
        forged.iter().for_each(|forged| assert!(matches!(house.settles(forged), Settled::Dropped(_))));
        assert_eq!(house.settles(&datagram), Settled::Repeated);
        assert_eq!(house.sent(), [answer.clone(), answer]);
    }
}

#[test]
fn a_bare_packet_displaces_no_signed_one_in_flight_or_answered_and_both_are_answered() {
    for stance in [Stance::Auto, Stance::No] {
        let house = house(stance);
        let datagram = signed(1, 1, &[]);
        let admitted = house.admits(&datagram);
        let beside = bare(1, 2, &[]);
        let begun = house.admits(&beside);
        assert!(!begun.authentic && begun.ticket.is_awaited() && admitted.ticket.is_awaited());
        assert_eq!((house.settles(&datagram), house.settles(&beside)), (Settled::Absorbed, Settled::Absorbed));
        let (answer, other) = (reject(admitted, house.now()), reject(begun, house.now()));
        assert_eq!((house.settles(&datagram), house.settles(&beside)), (Settled::Repeated, Settled::Repeated));
        house.pass(Duration::from_millis(29_999));
        let third = bare(1, 3, &[]);
        let last = reject(house.admits(&third), house.now());
        assert_eq!(house.settles(&datagram), Settled::Repeated, "rules D5: what is bare ends nothing");
        assert_eq!(house.sent(), [answer.clone(), other.clone(), answer.clone(), other, last, answer]);
        assert_eq!(house.gate.kept().entries, 3, "the bare ones stand side by side");
        house.pass(SECONDS(30));
        assert_eq!(house.gate.kept(), Kept::default());
    }
}

#[test]
fn a_forged_bare_packet_ends_no_bare_one_that_waits_under_the_same_key() {
    let house = house(Stance::No);
    let (asked, forged) = (bare(1, 1, &[]), bare(1, 2, &[]));
    let (waits, beside) = (house.admits(&asked), house.admits(&forged));
    assert!(waits.ticket.is_awaited() && beside.ticket.is_awaited());
    assert_eq!((house.settles(&asked), house.settles(&forged)), (Settled::Absorbed, Settled::Absorbed));
    let answers = [reject(beside, house.now()), reject(waits, house.now())];
    assert_eq!(house.sent(), answers, "each gets its own answer");
    assert_eq!((house.settles(&asked), house.settles(&forged)), (Settled::Repeated, Settled::Repeated));
}

#[test]
fn of_bare_packets_under_one_key_four_wait_and_a_fifth_is_the_one_too_many() {
    let house = house(Stance::No);
    let packets: Vec<Vec<u8>> = (1..=6).map(|seed| bare(1, seed, &[])).collect();
    let mut waiting: Vec<Admitted<'_>> = packets.iter().take(4).map(|packet| house.admits(packet)).collect();
    assert_eq!(house.settles(&packets[4]), Settled::Dropped(DropReason::Overload));
    assert!(waiting.iter().all(|one| one.ticket.is_awaited()), "and it ended nobody's");
    // An Identifier is taken again once it was answered: the answer that is oldest makes room.
    reject(waiting.remove(1), house.now());
    reject(waiting.remove(0), house.now());
    waiting.push(house.admits(&packets[4]));
    assert_eq!(house.settles(&packets[1]), Settled::Repeated);
    waiting.push(house.admits(&packets[5]));
    assert_eq!(house.settles(&packets[0]), Settled::Dropped(DropReason::Overload));
    assert!(waiting.iter().all(|one| one.ticket.is_awaited()));
    assert_eq!(house.gate.kept().entries, 4);
    drop(waiting);
    house.pass(SECONDS(30));
    assert_eq!(house.gate.kept(), Kept::default());
}

#[test]
fn a_signed_packet_ends_what_stood_bare_under_its_key() {
    let house = house(Stance::No);
    let (spoofed, datagram) = (bare(1, 2, &[]), signed(1, 1, &[]));
    let bare = house.admits(&spoofed);
    let admitted = house.admits(&datagram);
    assert!(!bare.ticket.is_awaited() && admitted.ticket.is_awaited());
    drop(reject(bare, house.now()));
    let answer = reject(admitted, house.now());
    assert_eq!((house.sent(), house.dropped("asa", "superseded")), (vec![answer], 1));
    assert_eq!(house.gate.kept().entries, 1);
}

#[test]
fn a_panic_leaves_no_key_behind_and_is_counted() {
    let house = house(Stance::Yes);
    let datagram = signed(1, 1, &[]);
    let fall = catch_unwind(AssertUnwindSafe(|| {
        let _admitted = house.admits(&datagram);
        panic!("the engine fell");
    }));
    assert!(fall.is_err());
    assert_eq!(house.gate.kept(), Kept::default());
    assert_eq!(house.dropped("asa", "unanswerable"), 1);
    drop(house.admits(&datagram));
}

#[test]
fn a_superseded_request_gets_silence_and_its_retransmits_begin_nothing() {
    let house = house(Stance::Yes);
    let datagram = signed(1, 1, &[]);
    house.admits(&datagram).ticket.supersede(house.now().tick);
    assert_eq!(house.settles(&datagram), Settled::Absorbed);
    assert_eq!((house.sent().len(), house.dropped("asa", "superseded")), (0, 1));
    house.pass(SECONDS(30));
    assert_eq!(house.gate.kept(), Kept::default());
}

#[test]
fn of_many_copies_at_once_one_begins() {
    let house = house(Stance::Yes);
    let (gate, outlet, at) = (&house.gate, &house.outlet, house.now());
    for seed in 0..50 {
        let datagram = signed(1, seed, &[]);
        let admissions: Vec<Admission<'_>> = std::thread::scope(|scope| {
            let copies: Vec<_> = (0..4).map(|_| scope.spawn(|| gate.admit(&datagram, way(1645), outlet, at))).collect();
            copies.into_iter().map(|copy| copy.join().unwrap()).collect()
        });
        assert_eq!(admissions.iter().filter(|admission| matches!(admission, Admission::Login(_))).count(), 1);
    }
}

/// What a client, its network and the engine may do.
#[derive(Clone, Debug)]
enum Step {
    Send { identifier: u8, seed: u8, signed: bool },
    Answer(usize),
    Drop(usize),
    Wait(u64),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (0_u8..3, 0_u8..3, prop::bool::weighted(0.8)).prop_map(|(identifier, seed, signed)| Step::Send { identifier, seed, signed }),
        3 => any::<prop::sample::Index>().prop_map(|at| Step::Answer(at.index(8))),
        1 => any::<prop::sample::Index>().prop_map(|at| Step::Drop(at.index(8))),
        2 => (0_u64..20_000).prop_map(Step::Wait),
    ]
}

/// What the rule says is known of an Identifier.
#[derive(Clone, Copy)]
struct Known {
    seed: u8,
    answered_at: Option<u64>,
}

proptest! {
    #[test]
    fn any_run_of_packets_answers_and_time_follows_the_rule(steps in prop::collection::vec(step(), 1..120)) {
        let house = house(Stance::Yes);
        let packets: Vec<Vec<u8>> = (0..18).map(|n| {
            let (identifier, seed) = (n / 6, n / 2 % 3);
            if n % 2 == 0 { signed(identifier, seed, &[]) } else { sign(&bare(identifier, seed, &[]), b"guessed") }
        }).collect();
        let mut model: HashMap<u8, Known> = HashMap::new();
        let mut held: Vec<(Admitted<'_>, u8, u8)> = Vec::new();
        let mut sent = 0;
        for step in steps {
            let now = house.now().tick.0;
            match step {
                Step::Send { identifier, seed, signed: right } => {
                    let datagram = &packets[usize::from(identifier) * 6 + usize::from(seed) * 2 + usize::from(!right)];
                    let known = model.get(&identifier).copied().filter(|known| known.seed == seed);
                    match (house.takes(datagram), right, known) {
                        (Admission::Settled(Settled::Dropped(DropReason::BadMessageAuthenticator)), false, _) => (),
                        (Admission::Settled(Settled::Absorbed), true, Some(Known { answered_at: None, .. })) => (),
                        (Admission::Settled(Settled::Repeated), true, Some(Known { answered_at: Some(at), .. })) if now - at < 30_000 => sent += 1,
                        (Admission::Login(admitted), true, known) => {
                            prop_assert!(known.is_none_or(|known| known.answered_at.is_some_and(|at| now - at >= 30_000)));
                            model.insert(identifier, Known { seed, answered_at: None });
                            held.push((admitted, identifier, seed));
                        }
                        (admission, ..) => prop_assert!(false, "{admission:?}"),
                    }
                }
                Step::Answer(at) if at < held.len() => {
                    let (admitted, identifier, seed) = held.remove(at);
                    let awaited = admitted.ticket.is_awaited();
                    drop(reject(admitted, house.now()));
                    if awaited {
                        sent += 1;
                        model.insert(identifier, Known { seed, answered_at: Some(now) });
                    }
                }
                Step::Drop(at) if at < held.len() => {
                    let (admitted, identifier, _) = held.remove(at);
                    if admitted.ticket.is_awaited() {
                        model.remove(&identifier);
                    }
                }
                Step::Answer(_) | Step::Drop(_) => (),
                Step::Wait(ms) => house.pass(Duration::from_millis(ms)),
            }
            let current = held.iter().filter(|(admitted, ..)| admitted.ticket.is_awaited()).count();
            prop_assert_eq!(current, model.values().filter(|known| known.answered_at.is_none()).count());
            prop_assert_eq!(house.sent().len(), sent);
        }
        drop(held);
        house.pass(SECONDS(31));
        prop_assert_eq!(house.gate.kept(), Kept::default(), "nothing stays behind");
    }
}

#[test]
fn what_nobody_could_check_is_forgotten_so_that_the_very_same_packet_begins_anew() {
    let house = house(Stance::Yes);
    let request = signed(7, 1, b"");
    house.admits(&request).ticket.unchecked();
    assert_eq!((house.sent().len(), house.dropped("asa", "unavailable")), (0, 1));
    reject(house.admits(&request), house.now());
    assert_eq!(house.sent().len(), 1);
}

/// What stands bare under the one key: the seed, and since when it is answered; the oldest first.
type Bare = Vec<(u8, Option<u64>)>;

fn room_for_bare(model: &mut Bare, now: u64) -> bool {
    let live = |(_, answered): &(u8, Option<u64>)| answered.is_none_or(|at| now - at < 30_000);
    model.retain(live);
    if model.len() < 4 {
        return true;
    }
    let answered = model.iter().position(|(_, answered)| answered.is_some());
    answered.map(|oldest| model.remove(oldest)).is_some()
}

proptest! {
    /// Rules B1, D5 for those who don't sign: nothing that a bare packet does ends another's, and four is the bound.
    #[test]
    fn any_run_of_bare_packets_under_one_key_follows_the_rule(
        steps in prop::collection::vec((0_u8..7, any::<prop::sample::Index>(), 0_u64..12_000), 1..150)
    ) {
        let house = house(Stance::No);
        let packets: Vec<Vec<u8>> = (0..7).map(|seed| bare(1, seed, &[])).collect();
        let (mut model, mut held): (Bare, Vec<(Admitted<'_>, u8)>) = (Vec::new(), Vec::new());
        for (step, (seed, at, ms)) in steps.into_iter().enumerate() {
            let now = house.now().tick.0;
            match step % 3 {
                0 | 1 => {
                    let known = model.iter().find(|(of, answered)| *of == seed && answered.is_none_or(|at| now - at < 30_000));
                    match (house.takes(&packets[usize::from(seed)]), known.copied()) {
                        (Admission::Settled(Settled::Absorbed), Some((_, None))) => (),
                        (Admission::Settled(Settled::Repeated), Some((_, Some(_)))) => (),
                        (Admission::Login(admitted), None) => {
                            prop_assert!(room_for_bare(&mut model, now));
                            model.push((seed, None));
                            held.push((admitted, seed));
                        }
                        (Admission::Settled(Settled::Dropped(DropReason::Overload)), None) => {
                            prop_assert_eq!(model.iter().filter(|(_, answered)| answered.is_none()).count(), 4);
                        }
                        (admission, known) => prop_assert!(false, "{admission:?} {known:?}"),
                    }
                }
                _ if !held.is_empty() => {
                    let (admitted, seed) = held.remove(at.index(held.len()));
                    prop_assert!(admitted.ticket.is_awaited(), "nobody ends another's");
                    let place = model.iter().position(|(of, answered)| *of == seed && answered.is_none()).unwrap();
                    if ms % 4 == 0 {
                        drop(admitted);
                        model.remove(place);
                    } else {
                        drop(reject(admitted, house.now()));
                        model[place].1 = Some(now);
                    }
                }
                _ => house.pass(Duration::from_millis(ms)),
            }
        }
        drop(held);
        house.pass(SECONDS(31));
        prop_assert_eq!(house.gate.kept(), Kept::default(), "nothing stays behind");
    }
}
