//! What a held login says it takes (rules G1): at least what it keeps of others' making, at every stage, and nothing when it
//! is forgotten.

use std::sync::Arc;

use login::{Method, PrimaryAnswer};
use wire::{
    Attribute, Code, Datagram, Demand, HeldAttributes, PacketView, ReplyCode, RequestWriter, Secret, SharedSecret,
};

use crate::house::{House, Told, carol, house, right_code};

/// Octets that the primary's answers carry.
const CARRIED: usize = 15 * 255;

/// An answer of the primary that is as large as it can be.
fn large(code: ReplyCode, kind: u8) -> Arc<HeldAttributes> {
    let secret = SharedSecret::new(Secret::new("between us"));
    let (mut asked, mut answered) = (Datagram::new(), Datagram::new());
    let sent = RequestWriter::new(Code::AccessRequest, 1, [1; 16], &mut asked).sign(&secret);
    let context = PacketView::parse(sent.as_bytes()).unwrap().verify(&secret, Demand::Required).unwrap().context();
    let mut reply = context.reply(code, &mut answered);
    (0..15).for_each(|_| reply.push(Attribute::new(kind, &[b'x'; 253])).unwrap());
    let reply = reply.sign(&secret).unwrap();
    let reply = PacketView::parse(reply.as_bytes()).unwrap().verify_reply(&secret, &sent, Demand::Required).unwrap();
    Arc::new(HeldAttributes::decode(&reply, &secret).unwrap())
}

/// How much more the house takes after something happened to it.
fn grown(house: &mut House, happens: impl FnOnce(&mut House)) -> usize {
    let before = house.bytes();
    happens(house);
    house.bytes().saturating_sub(before)
}

fn accepts(house: &mut House) {
    let attributes = large(ReplyCode::Accept, 25);
    house.primary_answers(|user| PrimaryAnswer::Accept { user, attributes: Arc::clone(&attributes) });
}

#[test]
fn a_refusal_counts_while_it_waits_and_while_it_repeats_and_no_longer() {
    let mut house = house(&[Method::Totp]);
    house.ask(&carol());
    let attributes = large(ReplyCode::Reject, 18);
    let rejected = |_| PrimaryAnswer::Reject { attributes: Arc::clone(&attributes), why: "wrong".into() };
    let asking = house.bytes();
    house.primary_answers(rejected);
    let waiting = house.bytes();
    assert!(waiting > 0 && waiting < asking + CARRIED, "what the primary says with its no is not kept (D6)");
    house.pass(2);
    assert!(house.bytes() > 0 && house.bytes() <= waiting, "it repeats now");
    house.pass(20);
    assert_eq!((house.sessions(), house.bytes()), (0, 0));
}

#[test]
fn a_challenge_of_the_primary_counts_with_its_state_while_it_is_open_and_no_longer() {
    let mut house = house(&[Method::Totp]);
    house.ask(&carol());
    let (attributes, state) = (large(ReplyCode::Challenge, 18), Arc::from([7; 200]));
    let challenged = |_| PrimaryAnswer::Challenge {
        attributes: Arc::clone(&attributes),
        state: Some(Arc::clone(&state)),
        server: 0,
    };
    assert!(grown(&mut house, |house| house.primary_answers(challenged)) >= CARRIED + 200);
    house.pass(130);
    assert_eq!((house.sessions(), house.bytes()), (0, 0));
}

#[test]
fn an_accept_counts_when_it_has_left_and_once_more_as_the_result_of_its_state_and_no_longer() {
    let mut house = house(&[Method::Totp]);
    let asker = house.ask(&carol());
    assert!(grown(&mut house, accepts) >= CARRIED);
    house.user_has(&[Method::Totp]);
    let state = house.state_of(asker);
    house.ask(&carol().typing("123456").to(state));
    house.code_is(&right_code());
    house.granted();
    assert!(house.bytes() >= 2 * CARRIED, "the answer and the spent State's result");
    house.pass(20);
    assert_eq!((house.sessions(), house.bytes()), (0, 0));
}

/// An answer of the primary with as many attributes as a packet may have.
fn crowded() -> Arc<HeldAttributes> {
    let secret = SharedSecret::new(Secret::new("between us"));
    let (mut asked, mut answered) = (Datagram::new(), Datagram::new());
    let sent = RequestWriter::new(Code::AccessRequest, 1, [1; 16], &mut asked).sign(&secret);
    let context = PacketView::parse(sent.as_bytes()).unwrap().verify(&secret, Demand::Required).unwrap().context();
    let mut reply = context.reply(ReplyCode::Accept, &mut answered);
    (0..199).for_each(|_| reply.push(Attribute::new(25, b"x")).unwrap());
    let reply = reply.sign(&secret).unwrap();
    let reply = PacketView::parse(reply.as_bytes()).unwrap().verify_reply(&secret, &sent, Demand::Required).unwrap();
    Arc::new(HeldAttributes::decode(&reply, &secret).unwrap())
}

#[test]
fn an_answer_of_too_many_attributes_is_refused_before_anybody_is_prompted() {
    for (own, rings) in [(1, true), (2, false)] {
        let mut house = house(&[Method::Push]);
        let asker = house.ask_with(&carol(), own);
        let attributes = crowded();
        house.primary_answers(|user| PrimaryAnswer::Accept { user, attributes: Arc::clone(&attributes) });
        house.user_has(&[Method::Push]);
        house.pass(2);
        assert_eq!(house.told(asker) == Told::Reject(login::Reason::TooLarge), !rings, "{own} attributes of its own");
    }
}
