//! Rules B2: which facts name a login, and which logins stand alone.

use super::*;

const STATION: &[u8] = b"\x1f\x0b198.0.2.9";

fn asa(join: Join, session_attribute: Option<&str>) -> House {
    let config = client("asa", &["192.0.2.10/32"], Stance::No);
    let config = ClientConfig { session_attribute: session_attribute.map(Into::into), policy: policy(join), ..config };
    House::of(&[config], Bounds::default())
}

/// The facts of a signed request, owned.
fn facts(house: &House, attributes: &[&[u8]]) -> Option<Vec<Option<Vec<u8>>>> {
    facts_of(house, &signed(1, 1, &attributes.concat()))
}

fn facts_of(house: &House, datagram: &[u8]) -> Option<Vec<Option<Vec<u8>>>> {
    let admitted = house.admits(datagram);
    let facts = login_facts(&admitted.request, &admitted.client)?;
    Some(facts.as_slice().iter().map(|fact| fact.map(<[u8]>::to_vec)).collect())
}

fn some(value: &[u8]) -> Option<Vec<u8>> {
    Some(value.to_vec())
}

#[test]
fn under_station_three_facts_count_and_the_station_must_be_there() {
    let house = asa(Join::Station, None);
    assert_eq!(facts(&house, &[STATION]), Some(vec![some(b"198.0.2.9"), None, None]));
    let all =
        facts(&house, &[&attribute(66, b"10.0.0.1"), &attribute(6, &[0, 0, 0, 2]), STATION, &attribute(44, b"s1")]);
    assert_eq!(all, Some(vec![some(b"198.0.2.9"), some(b"10.0.0.1"), some(&[0, 0, 0, 2])]), "in the order of the rule");
    assert_eq!(facts(&house, &[&attribute(66, b"10.0.0.1"), &attribute(44, b"s1")]), None);
    assert_eq!(facts(&house, &[&attribute(31, b"")]), None, "an empty station names nobody");
}

#[test]
fn under_connection_the_session_must_be_there_and_the_nas_counts() {
    let house = asa(Join::Connection, None);
    let session = attribute(44, b"s1");
    assert_eq!(facts(&house, &[&session]), Some(vec![None, None, None, None, None, None, some(b"s1"), None]));
    let nas = [attribute(32, b"hq"), attribute(4, &[10, 0, 0, 1]), attribute(95, &[1; 16])].concat();
    let all = facts(&house, &[STATION, &session, &nas]);
    let expected =
        vec![some(b"198.0.2.9"), None, None, some(b"hq"), some(&[10, 0, 0, 1]), some(&[1; 16]), some(b"s1"), None];
    assert_eq!(all, Some(expected));
    assert_eq!(
        facts(&house, &[STATION, &nas, &attribute(5, &[0, 0, 0, 1])]),
        None,
        "a port that no profile lists is not enough"
    );
}

#[test]
fn under_connection_the_session_attribute_is_enough_whoever_defined_it() {
    let house = asa(Join::Connection, Some("NAS-Port-Id"));
    assert_eq!(
        facts(&house, &[&attribute(87, b"t1")]),
        Some(vec![None, None, None, None, None, None, None, some(b"t1")])
    );
    let house = asa(Join::Connection, Some("Cisco-AVPair"));
    let pair = attribute(26, b"\x00\x00\x00\x09\x01\x06id=7");
    assert_eq!(facts(&house, &[&pair]), Some(vec![None, None, None, None, None, None, None, some(b"id=7")]));
    assert_eq!(facts(&house, &[]), None);
}

#[test]
fn under_weak_nothing_must_be_there() {
    assert_eq!(facts(&asa(Join::Weak, None), &[]), Some(vec![None, None, None]));
}

#[test]
fn a_bare_request_has_the_facts_of_a_signed_one_for_it_waits_by_them() {
    for join in [Join::Station, Join::Connection, Join::Weak] {
        let (house, said) = (asa(join, None), [STATION, &attribute(44, b"s1")]);
        let signed = facts(&house, &said);
        assert!(signed.is_some());
        assert_eq!(facts_of(&house, &bare(2, 2, &said.concat())), signed);
    }
}

#[test]
fn a_port_beside_the_address_is_no_part_of_the_station() {
    let house = asa(Join::Station, None);
    assert_eq!(facts(&house, &[&attribute(31, b"192.0.2.2[4500]")]), facts(&house, &[&attribute(31, b"192.0.2.2")]));
}

#[test]
fn a_fact_that_stands_twice_names_nothing() {
    for join in [Join::Station, Join::Weak] {
        assert_eq!(facts(&asa(join, None), &[STATION, STATION]), None);
    }
    let twice = attribute(44, b"s1").repeat(2);
    assert_eq!(facts(&asa(Join::Connection, None), &[&twice]), None);
}
