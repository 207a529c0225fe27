//! Names that are held back (D7), and how long a no takes (D6).

use std::time::Duration;

use login::Method::{Push, Totp};
use login::answer::{Answer, Text};
use login::event::Effect;
use login::{AskerId, HeldBack, PrimaryAnswer, Reason, UserFacts};

use crate::house::{House, Told, carol, house};

fn held(is_address: bool) -> PrimaryAnswer {
    PrimaryAnswer::HeldBack(HeldBack { is_address, why: "held back until later".into(), password: None })
}

fn words(house: &House, asker: AskerId) -> &'static str {
    let answer = house.effects().rev().find_map(|effect| match effect {
        Effect::Reply { asker: to, answer } if *to == asker => Some(answer),
        _ => None,
    });
    match answer {
        Some(Answer::Reject(reject)) => match reject.text {
            Some(Text::Ours(reason)) => login::words::refusal(reason),
            _ => "other words",
        },
        _ => "no refusal",
    }
}

#[test]
fn a_name_or_an_address_that_is_held_back_has_a_wrong_passwords_words_and_a_reason_of_its_own() {
    let mut told = Vec::new();
    for (answer, reason) in
        [(None, Reason::Primary), (Some(false), Reason::NameHeld), (Some(true), Reason::AddressHeld)]
    {
        let mut house = house(&[Push, Totp]);
        let asks = house.ask(&carol());
        match answer {
            None => house.primary_says(false),
            Some(is_address) => house.primary_answers(|_| held(is_address)),
        }
        assert_eq!(house.told(asks), Told::Nothing);
        house.pass(2);
        assert_eq!(house.told(asks), Told::Reject(reason));
        assert_eq!((house.record().reason, house.pushes(), house.guesses()), (reason, 0, 0));
        told.push(words(&house, asks));
    }
    assert_eq!(told, ["Access denied."; 3]);
}

/// Whether it is answered after so many seconds.
fn answered_after(house: &mut House, asks: AskerId, seconds: u64) -> bool {
    house.pass(seconds);
    house.told(asks) != Told::Nothing
}

#[test]
fn a_refusal_after_the_primarys_yes_or_without_asking_it_takes_as_long_as_its_no() {
    let blocked = |house: &mut House| {
        house.primary_says(true);
        house.user_is(&UserFacts { known: true, blocked: Some("left".into()), ..UserFacts::default() });
    };
    let held_back = |house: &mut House| house.primary_answers(|_| held(false));
    let refusals: [&dyn Fn(&mut House); 2] = [&blocked, &held_back];
    for refused in refusals {
        let mut house = house(&[Push, Totp]);
        house.rejection = Duration::from_secs(3);
        let asks = house.ask(&carol());
        refused(&mut house);
        assert!(!answered_after(&mut house, asks, 2));
        assert!(answered_after(&mut house, asks, 1));
    }
}

#[test]
fn a_no_that_came_late_waits_no_more_and_none_waits_longer_than_five_seconds() {
    let mut house = house(&[Push, Totp]);
    house.rejection = Duration::from_secs(20);
    let wrong = house.ask(&carol().typing("wrong"));
    house.pass(4);
    house.primary_says(false);
    assert!(answered_after(&mut house, wrong, 0), "four seconds were more than the delay");
    let soon = house.ask(&carol().typing("wrong, too"));
    house.primary_says(false);
    assert!(!answered_after(&mut house, soon, 0));
    assert!(answered_after(&mut house, soon, 2), "its own no is no measure for itself");
    let held_back = house.ask(&carol());
    house.primary_answers(|_| held(false));
    assert!(!answered_after(&mut house, held_back, 4));
    assert!(answered_after(&mut house, held_back, 1));
}
