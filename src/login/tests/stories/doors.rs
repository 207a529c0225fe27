//! Who gets in, and that no is final (rules A).

use std::sync::Arc;

use login::Method::{Push, Totp};
use login::PhoneAnswer::{Approve, Deny, Fraud};
use login::event::{Effect, Event, LoginEvent, Question};
use login::policy::{Policy, Verdict};
use login::{PrimaryAnswer, Reason, ReleaseOutcome};

use crate::house::{Told, carol, house, mallory, right_code};

#[test]
fn a_right_password_and_a_right_code_open_the_door() {
    let mut house = house(&[Totp]);
    let (_, state) = house.carol_is_asked_for_a_code(&carol());
    let answers = house.ask(&carol().to(state).typing("123456"));
    house.code_is(&right_code());
    assert_eq!(house.told(answers), Told::Nothing, "the store looks once more, and writes it down");
    house.granted();
    assert_eq!(house.told(answers), Told::Accept);
}

#[test]
fn a_wrong_password_is_refused_after_a_delay_and_nobody_is_prompted() {
    let mut house = house(&[Push, Totp]);
    let asks = house.ask(&carol().typing("wrong"));
    house.primary_says(false);
    assert_eq!(house.told(asks), Told::Nothing);
    house.pass(2);
    assert_eq!(house.told(asks), Told::Reject(Reason::Primary));
    assert_eq!(house.pushes() + house.guesses(), 0);
}

#[test]
fn an_empty_password_reaches_no_primary() {
    let mut house = house(&[Totp]);
    let asks = house.ask(&carol().typing(""));
    let with_a_code = house.ask(&carol().typing(",123456").from("192.0.2.1"));
    house.pass(2);
    assert_eq!(house.told(asks), Told::Reject(Reason::EmptyPassword));
    assert_eq!(house.told(with_a_code), Told::Reject(Reason::EmptyPassword));
    assert_eq!(house.asked_primary(), 0);
}

#[test]
fn an_answer_of_the_primary_to_another_question_counts_for_nothing() {
    let mut house = house(&[Totp]);
    let asks = house.ask(&carol());
    house.answer_newest(|effect| {
        let Effect::AskPrimary { login, question, .. } = effect else { return None };
        let attributes = Arc::new(wire::HeldAttributes::none(wire::Code::AccessAccept));
        let accept = PrimaryAnswer::Accept { user: mallory(), attributes };
        Some(Event::Login(*login, LoginEvent::Primary(Question(question.0 + 1), accept)))
    });
    assert_eq!(house.count(|effect| matches!(effect, Effect::ReadUser { .. })), 0);
    house.primary_says(true);
    house.user_has(&[Totp]);
    assert!(matches!(house.told(asks), Told::Challenge(_)));
}

#[test]
fn a_station_that_is_no_address_is_never_taken_for_one_outside_the_hotel() {
    let mut house = house(&[Totp]);
    let asks = house.ask(&carol().from("aa-bb-cc-dd-ee-ff"));
    house.primary_says(true);
    house.user_has(&[Totp]);
    house.pass(2);
    assert_eq!(house.told(asks), Told::Reject(Reason::Undecided));
}

#[test]
fn who_was_blocked_while_the_phone_rang_stays_outside() {
    let mut house = house(&[Push]);
    let asks = house.carols_phone_rings(&carol(), &[Push]);
    house.phone_says(Approve);
    house.release_is(&ReleaseOutcome::Refused("blocked".into()));
    house.pass(2);
    assert_eq!(house.told(asks), Told::Reject(Reason::Changed));
}

#[test]
fn the_stricter_of_two_laws_decides_at_the_release() {
    let mut house = house(&[Push]);
    let asks = house.carols_phone_rings(&carol(), &[Push]);
    let before = house.policy.rules[1].clone();
    let codes_only = login::policy::Rule {
        name: before.name.clone(),
        when: before.when.clone(),
        until: None,
        verdict: Verdict::Require(vec![Totp]),
        reply: before.reply.clone(),
        unenrolled: before.unenrolled,
        if_unavailable: before.if_unavailable.clone(),
        number_required: false,
    };
    let clients = house.policy.clients.clone();
    house.policy = Arc::new(Policy { rules: vec![Arc::new(codes_only)], clients, ..Policy::default() });
    house.phone_says(Approve);
    house.pass(2);
    assert_eq!(house.told(asks), Told::Reject(Reason::PolicyChanged));
    assert_eq!(house.releases(), 0);
}

#[test]
fn who_never_had_a_method_is_told_to_enrol() {
    let mut house = house(&[Push, Totp]);
    let asks = house.ask(&carol());
    house.primary_says(true);
    house.user_has(&[]);
    house.pass(2);
    assert_eq!(house.told(asks), Told::Reject(Reason::Unenrolled));
}

#[test]
fn a_denial_ends_the_login_and_a_later_approval_changes_nothing() {
    let mut house = house(&[Push, Totp]);
    let asks = house.carols_phone_rings(&carol(), &[Push, Totp]);
    house.phone_says(Deny);
    house.phone_says(Approve);
    house.pass(2);
    assert_eq!(house.told(asks), Told::Reject(Reason::Denied));
    assert_eq!(house.releases(), 0);
}

#[test]
fn a_fraud_report_ends_the_login_even_where_a_code_is_awaited() {
    let mut house = house(&[Push, Totp]);
    let asks = house.carols_phone_rings(&carol(), &[Push, Totp]);
    house.pass(28);
    let state = house.state_of(asks);
    house.phone_says(Fraud);
    let answers = house.ask(&carol().to(state).typing("123456"));
    house.pass(2);
    assert_eq!(house.told(answers), Told::Reject(Reason::Fraud));
    assert_eq!(house.guesses(), 0);
}

#[test]
fn silence_never_approves() {
    let mut house = house(&[Push]);
    let asks = house.carols_phone_rings(&carol().at("desk"), &[Push]);
    house.pass(300);
    assert_eq!(house.told(asks), Told::Reject(Reason::Unanswered));
    assert_eq!((house.releases(), house.sessions()), (0, 0));
}

#[test]
fn an_approval_without_anybody_waiting_lasts_ten_seconds() {
    let mut house = house(&[Push]);
    house.carols_phone_rings(&carol().at("desk"), &[Push]);
    house.pass(30);
    house.phone_says(Approve);
    house.pass(5);
    let again = house.ask(&carol().at("desk"));
    house.granted();
    assert_eq!(house.told(again), Told::Accept);
}

#[test]
fn an_approval_that_nobody_comes_back_for_is_too_late() {
    let mut house = house(&[Push]);
    house.carols_phone_rings(&carol().at("desk"), &[Push]);
    house.pass(30);
    house.phone_says(Approve);
    house.pass(11);
    let again = house.ask(&carol().at("desk"));
    assert_eq!(house.asked_primary(), 2, "a login of its own");
    assert_eq!((house.told(again), house.releases()), (Told::Nothing, 0));
}

#[test]
fn who_has_no_method_is_invited_and_told_where_to_enrol_only_where_the_rule_says_so() {
    let mut house = house(&[Push]);
    house.invites("https://mfa.example.com");
    let asker = house.ask(&carol());
    house.primary_says(true);
    house.user_has(&[]);
    house.pass(2);
    assert_eq!(house.told(asker), Told::Reject(Reason::Unenrolled));
    assert!(house.invited("carol"));
}
