//! Who is let in at all: addresses, structure, codes, Status-Server.

use super::*;
use crate::telemetry::DropReason;

#[test]
fn every_malformed_packet_is_dropped_without_a_reply_and_counted() {
    let house = house(Stance::No);
    let head = |code: u8, length: u16| [&[code, 0], &length.to_be_bytes()[..], &[7; 16]].concat();
    let with = |length: u16, attributes: &[u8]| [head(1, length), attributes.to_vec()].concat();
    let rows = [
        Vec::new(),
        head(1, 19)[..19].to_vec(),
        head(1, 19),
        head(1, 100),
        head(1, 10),
        head(1, 4097),
        with(21, &[0xff]),
        with(22, &[0, 2]),
        with(22, &[1, 0]),
        with(22, &[1, 1]),
        with(24, &[1, 0xc8, 0, 0]),
        head(0, 20),
        head(53, 20),
        head(255, 20),
        with(28, &[80, 8, 1, 2, 3, 4, 5, 6]),
        with(20 + 402, &[25, 2].repeat(201)),
        with(20 + 36, &[&[2, 18], &[9; 16][..], &[3, 18], &[9; 16]].concat()),
        sign(&bare(1, 1, &[]), SECRET).into_iter().chain([0; 4097]).collect(),
    ];
    for (count, row) in (1..).zip(&rows) {
        assert_eq!(house.settles(row), Settled::Dropped(DropReason::Malformed), "row {count}");
        assert_eq!(house.dropped("asa", "malformed"), count, "row {count}");
    }
    assert!(house.sent().is_empty() && house.gate.kept() == Kept::default());
}

#[test]
fn what_may_stand_once_and_stands_twice_is_counted_apart() {
    let house = house(Stance::No);
    let twice = |kind: u8| attribute(kind, &[5; 16]).repeat(2);
    for (count, kind) in (1..).zip([80, 24, 2, 3]) {
        assert_eq!(
            house.settles(&bare(1, 1, &twice(kind))),
            Settled::Dropped(DropReason::DuplicateAttribute),
            "{kind}"
        );
        assert_eq!(house.dropped("asa", "duplicate_attribute"), count);
    }
    assert!(house.sent().is_empty());
}

#[test]
fn other_codes_are_dropped_and_counted() {
    let house = house(Stance::No);
    for (count, code) in (1..).zip([2, 3, 4, 5, 11, 13, 40, 43]) {
        assert_eq!(
            house.settles(&packet(code, 1, [1; 16], ALICE)),
            Settled::Dropped(DropReason::WrongCode),
            "code {code}"
        );
        assert_eq!(house.dropped("asa", "wrong_code"), count);
    }
    assert!(house.sent().is_empty());
}

#[test]
fn a_stranger_is_looked_up_and_nothing_else() {
    let house = house(Stance::No);
    let stranger = Way { peer: "203.0.113.5:1645".parse().unwrap(), ..way(1) };
    for (count, datagram) in (1..).zip([signed(1, 1, &[]), Vec::new(), vec![0; 5000]]) {
        assert_eq!(settled(&house.takes_along(&datagram, stranger)), Settled::Dropped(DropReason::UnknownClient));
        assert_eq!(house.dropped("(unknown)", "unknown_client"), count);
    }
    assert!(house.sent().is_empty() && house.gate.kept() == Kept::default());
}

#[test]
fn inner_nonsense_of_a_vendor_attribute_does_not_kill_the_packet() {
    let house = house(Stance::Yes);
    for (identifier, inside) in (1..).zip([&[0][..], &[0, 0, 0, 9, 1, 1], &[0, 0, 0, 9, 1, 9]]) {
        drop(house.admits(&signed(identifier, 1, &attribute(26, inside))));
    }
}

#[test]
fn the_longest_prefix_chooses_the_client_and_its_secret() {
    let far = ClientConfig {
        secret: SharedSecret::new(Secret::new(&b"another secret"[..])),
        ..client("far", &["192.0.0.0/16"], Stance::Yes)
    };
    let house = House::of(&[far, client("asa", &["192.0.2.0/24"], Stance::Yes)], Bounds::default());
    assert_eq!(house.admits(&signed(1, 1, &[])).client.name().as_str(), "asa");
    let elsewhere = Way { peer: "192.0.3.1:1645".parse().unwrap(), ..way(1) };
    let outcome = settled(&house.takes_along(&signed(1, 1, &[]), elsewhere));
    assert_eq!(outcome, Settled::Dropped(DropReason::BadMessageAuthenticator), "the other client's secret is another");
    let datagram = sign(&bare(1, 1, &[]), b"another secret");
    assert_eq!(begun(house.takes_along(&datagram, elsewhere)).client.name().as_str(), "far");
}

#[test]
fn an_ipv4_address_in_ipv6_form_is_the_same_client_and_the_same_request() {
    let house = house(Stance::Yes);
    let datagram = signed(1, 1, &[]);
    let admitted = house.admits(&datagram);
    let mapped =
        Way { peer: "[::ffff:192.0.2.10]:1645".parse().unwrap(), local: "[::ffff:198.51.100.1]:1812".parse().unwrap() };
    assert_eq!(settled(&house.takes_along(&datagram, mapped)), Settled::Absorbed);
    assert_eq!(admitted.client.name().as_str(), "asa");
}

#[test]
fn a_status_server_is_answered_here_as_rfc_5997_prints_it() {
    let house = house(Stance::Yes);
    let request = hex("0cda00268a54f4686fb394c52866e302185d062350125a665e2e1e8411f3e243822097c84fa3");
    assert_eq!(house.settles(&request), Settled::Status);
    let [answer] = &house.sent()[..] else { panic!("one answer") };
    // Access-Accept, the same Identifier, Message-Authenticator first; RFC 5997 §6.1's own answer has none.
    assert_eq!((answer[0], answer[1], answer[20], answer.len()), (2, 0xda, 80, 38));
    assert_eq!(house.metric("vestibule_answers_total{client=\"asa\",code=\"status\"}"), 1);
}

#[test]
fn a_status_server_without_or_with_a_wrong_message_authenticator_is_dropped_whatever_the_stance() {
    for stance in [Stance::Yes, Stance::Auto, Stance::No] {
        let house = house(stance);
        let request = packet(12, 1, [1; 16], &[]);
        assert_eq!(house.settles(&request), Settled::Dropped(DropReason::MissingMessageAuthenticator));
        assert_eq!(house.settles(&sign(&request, b"wrong")), Settled::Dropped(DropReason::BadMessageAuthenticator));
        assert!(house.sent().is_empty());
    }
}

#[test]
fn status_server_answers_are_rationed() {
    let house = house(Stance::Yes);
    let outcomes: Vec<Settled> =
        (0..100).map(|identifier| house.settles(&sign(&packet(12, identifier, [1; 16], &[]), SECRET))).collect();
    assert_eq!(outcomes.iter().filter(|outcome| **outcome == Settled::Status).count(), 20);
    assert_eq!(house.dropped("asa", "overload"), 80);
    house.pass(Duration::from_secs(1));
    assert_eq!(house.settles(&sign(&packet(12, 200, [1; 16], &[]), SECRET)), Settled::Status);
}

#[test]
fn a_reload_is_taken_at_once_and_keeps_what_is_in_flight() {
    let house = house(Stance::Yes);
    let datagram = signed(1, 1, &[]);
    let admitted = house.admits(&datagram);
    house.gate.reload(&[client("asa", &["192.0.2.10/32"], Stance::No)], 60, house.now().tick);
    assert_eq!(house.settles(&datagram), Settled::Absorbed);
    drop(house.admits(&bare(2, 1, &[])));
    house.gate.reload(&[], 60, house.now().tick);
    assert_eq!(house.settles(&datagram), Settled::Dropped(DropReason::UnknownClient));
    let answer = reject(admitted, house.now());
    assert_eq!(house.sent(), [answer], "who was let in gets an answer, which the engine makes a Reject");
}

fn hex(text: &str) -> Vec<u8> {
    data_encoding::HEXLOWER.decode(text.as_bytes()).unwrap()
}

#[test]
fn no_status_server_is_answered_while_nobody_could_check_a_login_and_that_is_counted() {
    let house = house(Stance::Yes);
    let status = sign(&packet(12, 1, [7; 16], &[]), SECRET);
    house.checks.store(false, Ordering::Relaxed);
    assert_eq!(house.settles(&status), Settled::Dropped(DropReason::Unavailable));
    assert_eq!((house.sent().len(), house.dropped("asa", "unavailable")), (0, 1));
    house.checks.store(true, Ordering::Relaxed);
    assert_eq!(house.settles(&status), Settled::Status);
}
