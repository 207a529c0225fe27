//! A login that nobody could check (rules A10): the appliance hears nothing and asks its next server, or hears no, as its
//! section says.

use login::Method::Totp;
use login::event::Effect;
use login::{AskerId, PrimaryAnswer, Reason, RecordedAnswer, Unavailable};

use crate::house::{House, Told, carol, house};

fn away(house: &mut House) {
    house.primary_answers(|_| PrimaryAnswer::Unavailable(Unavailable::seen("nobody answers at 10.0.0.5")));
}

fn left_alone(house: &House, asker: AskerId) -> bool {
    house.count(|effect| matches!(effect, Effect::Unchecked(of) if *of == asker)) == 1
}

#[test]
fn where_the_primary_is_away_everybody_who_asked_is_left_to_ask_elsewhere_and_it_is_written_down() {
    let mut house = house(&[Totp]);
    let (first, again) = (house.ask(&carol()), house.ask(&carol()));
    away(&mut house);
    assert!(left_alone(&house, first) && left_alone(&house, again));
    let record = house.record();
    assert_eq!((record.answer, record.reason), (RecordedAnswer::None, Reason::PrimaryUnavailable));
    assert_eq!(house.detail(), "nobody answers at 10.0.0.5");
    house.pass(60);
    assert_eq!((house.told(first), house.told(again)), (Told::Nothing, Told::Nothing));
    assert_eq!(house.sessions(), 0);
}

#[test]
fn the_next_packet_asks_the_primary_again_at_once() {
    let mut house = house(&[Totp]);
    house.ask(&carol());
    away(&mut house);
    let next = house.ask(&carol());
    assert_eq!(house.asked_primary(), 2);
    house.primary_says(true);
    house.user_has(&[Totp]);
    assert!(matches!(house.told(next), Told::Challenge(_)));
}

#[test]
fn a_primary_that_says_nothing_within_the_clients_patience_is_away() {
    let mut house = house(&[Totp]);
    let asks = house.ask(&carol());
    house.pass(40);
    assert!(left_alone(&house, asks));
    assert_eq!((house.told(asks), house.record().reason), (Told::Nothing, Reason::PrimaryUnavailable));
}

#[test]
fn a_store_that_is_away_before_anybody_was_asked_is_silence_too_under_a_reason_of_its_own() {
    let mut house = house(&[Totp]);
    let asks = house.ask(&carol());
    house.primary_answers(|_| PrimaryAnswer::StoreUnavailable(Unavailable::seen("the disk is full")));
    assert!(left_alone(&house, asks));
    assert_eq!(house.record().reason, Reason::StoreUnavailable);
}

#[test]
fn a_client_that_wants_an_answer_gets_a_reject_after_the_delay() {
    let mut house = house(&[Totp]);
    let asks = house.ask(&carol().at("desk"));
    away(&mut house);
    house.pass(3);
    assert_eq!(house.told(asks), Told::Reject(Reason::PrimaryUnavailable));
    assert_eq!(house.record().answer, RecordedAnswer::Reject);
}

#[test]
fn once_the_primary_said_yes_a_store_that_is_away_is_a_reject() {
    use login::event::{Event, LoginEvent};
    let mut house = house(&[Totp]);
    let asks = house.ask(&carol());
    house.primary_says(true);
    house.answer_newest(|effect| match effect {
        Effect::ReadUser { login, question, .. } => {
            Some(Event::Login(*login, LoginEvent::User(*question, Err(Unavailable::seen("locked")))))
        }
        _ => None,
    });
    house.pass(3);
    assert_eq!(house.told(asks), Told::Reject(Reason::StoreUnavailable));
}

#[test]
fn once_the_primary_asked_its_own_question_no_other_server_knows_its_state_so_it_is_a_reject() {
    use std::sync::Arc;
    let mut house = house(&[Totp]);
    house.ask(&carol());
    let attributes = Arc::new(wire::HeldAttributes::none(wire::Code::AccessChallenge));
    let state: Arc<[u8]> = Arc::new([5; login::key::STATE_OCTETS]);
    house.primary_answers(|_| PrimaryAnswer::Challenge {
        attributes: Arc::clone(&attributes),
        state: Some(Arc::clone(&state)),
        server: 0,
    });
    let answers = house.ask(&carol().to([5; login::key::STATE_OCTETS]).typing("blue"));
    away(&mut house);
    house.pass(3);
    assert_eq!(house.told(answers), Told::Reject(Reason::PrimaryUnavailable));
}
