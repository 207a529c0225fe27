//! Rules E1 and E2 at the gate: which packets each stance admits, and how `auto` learns.

use std::collections::BTreeSet;

use super::*;
use crate::telemetry::DropReason;

const MINUTE: Duration = Duration::from_secs(60);

#[test]
fn each_stance_admits_what_it_says() {
    use DropReason::{BadMessageAuthenticator as Bad, MissingMessageAuthenticator as Missing, ProxyState};
    let eap = attribute(79, b"\x02\x01\x00\x05\x01");
    let rows = [
        ("signed", signed(1, 1, &[]), [Ok(true), Ok(true), Ok(true)]),
        ("signed, with Proxy-State", signed(1, 1, PROXY_STATE), [Ok(true), Ok(true), Ok(true)]),
        ("signed EAP", signed(1, 1, &eap), [Ok(true), Ok(true), Ok(true)]),
        ("bare", bare(1, 1, &[]), [Err(Missing), Ok(false), Ok(false)]),
        ("bare, with Proxy-State", bare(1, 1, PROXY_STATE), [Err(Missing), Err(ProxyState), Err(ProxyState)]),
        ("bare EAP", bare(1, 1, &eap), [Err(Missing), Err(Missing), Err(Missing)]),
        ("signed with another secret", sign(&bare(1, 1, &[]), b"other"), [Err(Bad), Err(Bad), Err(Bad)]),
    ];
    for (what, datagram, expected) in &rows {
        for (stance, expected) in [Stance::Yes, Stance::Auto, Stance::No].into_iter().zip(expected) {
            let house = house(stance);
            let outcome = match house.takes(datagram) {
                Admission::Login(admitted) => Ok(admitted.authentic),
                Admission::Settled(Settled::Dropped(reason)) => Err(reason),
                Admission::Settled(other) => panic!("{other:?}"),
            };
            assert_eq!(outcome, *expected, "{what} under {stance:?}");
        }
    }
}

#[test]
fn any_flipped_bit_of_a_signed_packet_is_refused() {
    let house = house(Stance::Yes);
    let datagram = signed(1, 1, STATE);
    for bit in 0..datagram.len() * 8 {
        let mut flipped = datagram.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        assert!(matches!(house.settles(&flipped), Settled::Dropped(_)), "bit {bit}");
    }
}

/// So many signed requests over so much time; each is answered.
fn watch(house: &House, packets: u8, time: Duration) {
    for n in 0..packets {
        reject(house.admits(&signed(n, n, &[])), house.now());
        if n + 1 < packets {
            house.pass(time / u32::from(packets - 1));
        }
    }
}

#[test]
fn auto_learns_from_twenty_signed_packets_over_ten_minutes_and_tells_the_store_once() {
    let house = house(Stance::Auto);
    reject(house.admits(&bare(0, 0, &[])), house.now());
    watch(&house, 20, MINUTE * 10 + Duration::from_millis(19));
    assert_eq!(*house.learned.lock().unwrap(), ["asa"]);
    assert_eq!(house.settles(&bare(50, 1, &[])), Settled::Dropped(DropReason::MissingMessageAuthenticator));
    reject(house.admits(&signed(51, 1, &[])), house.now());
    assert_eq!(house.learned.lock().unwrap().len(), 1);
}

#[test]
fn auto_does_not_learn_from_fewer_faster_bare_or_repeated_packets_nor_from_status_server() {
    let house = house(Stance::Auto);
    let datagram = signed(200, 200, &[]);
    let _held = house.admits(&datagram);
    for n in 0..100 {
        house.pass(MINUTE);
        assert_eq!(house.settles(&datagram), Settled::Absorbed);
        assert_eq!(house.settles(&sign(&packet(12, n, [n; 16], &[]), SECRET)), Settled::Status);
    }
    reject(house.admits(&bare(1, 1, &[])), house.now());
    watch(&house, 19, MINUTE * 60);
    reject(house.admits(&bare(1, 2, &[])), house.now());
    watch(&house, 100, MINUTE * 9);
    assert!(house.learned.lock().unwrap().is_empty());
}

#[test]
fn a_forged_packet_neither_teaches_nor_disturbs() {
    let house = house(Stance::Auto);
    for n in 0..19 {
        reject(house.admits(&signed(n, n, &[])), house.now());
        assert_eq!(
            house.settles(&sign(&bare(n, 99, &[]), b"guessed")),
            Settled::Dropped(DropReason::BadMessageAuthenticator)
        );
        house.pass(MINUTE);
    }
    assert!(house.learned.lock().unwrap().is_empty());
    reject(house.admits(&signed(19, 19, &[])), house.now());
    assert_eq!(house.learned.lock().unwrap().len(), 1);
}

#[test]
fn what_was_learned_lasts_through_reloads_restarts_and_nodes_until_it_is_forgotten() {
    let (house, asa) = (house(Stance::Auto), BTreeSet::from([ClientName::new("asa")]));
    watch(&house, 20, MINUTE * 11);
    house.gate.reload(&[client("asa", &["192.0.2.10/32"], Stance::Auto)], 60, house.now().tick);
    house.gate.take_learned(&BTreeSet::new());
    assert_eq!(house.learned.lock().unwrap().len(), 2, "the store has not taken it: it is told again");
    house.gate.take_learned(&asa);
    assert_eq!(house.settles(&bare(50, 1, &[])), Settled::Dropped(DropReason::MissingMessageAuthenticator));
    house.gate.take_learned(&BTreeSet::new());
    assert!(!house.admits(&bare(50, 1, &[])).authentic, "`vestibule client forget asa`");

    let restarted = super::house(Stance::Auto);
    restarted.gate.take_learned(&asa);
    assert_eq!(restarted.settles(&bare(50, 1, &[])), Settled::Dropped(DropReason::MissingMessageAuthenticator));
    assert!(restarted.learned.lock().unwrap().is_empty());
}

#[test]
fn a_stance_that_is_said_does_not_learn() {
    for stance in [Stance::Yes, Stance::No] {
        let house = house(stance);
        watch(&house, 40, MINUTE * 20);
        house.gate.take_learned(&BTreeSet::new());
        assert!(house.learned.lock().unwrap().is_empty());
    }
    let house = house(Stance::No);
    house.gate.take_learned(&BTreeSet::from([ClientName::new("asa")]));
    drop(house.admits(&bare(1, 1, &[])));
}
