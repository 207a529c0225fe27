//! The rules as short stories: the fastest way to learn what a login is owed. Each one is a sentence; the house in which
//! they happen is in `house.rs`.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::wildcard_enum_match_arm,
    reason = "a test that can't go on should stop"
)]

mod house;

use std::sync::Arc;

use house::{Told, carol, house, mallory, old_prompt, right_code};
use login::Method::{Push, Totp};
use login::PhoneAnswer::{Approve, Deny, Fraud};
use login::event::{Effect, Event, LoginEvent, PushFailure, Question};
use login::policy::{Policy, Verdict};
use login::{Claim, CodeOutcome, PrimaryAnswer, PromptStatus, Reason, ReleaseOutcome, Unavailable, Wall};

// --- both doors (A) ------------------------------------------------------------------------------------------------

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
    };
    let clients = house.policy.clients.clone();
    house.policy = Arc::new(Policy { rules: vec![Arc::new(codes_only)], clients, ..Policy::default() });
    house.phone_says(Approve);
    house.pass(2);
    assert_eq!(house.told(asks), Told::Reject(Reason::Changed));
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

// --- no is final (A8) ----------------------------------------------------------------------------------------------

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
    assert_eq!(house.told(answers), Told::Reject(Reason::State));
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

// --- one login, one prompt (B) -------------------------------------------------------------------------------------

#[test]
fn a_reask_with_the_same_password_joins_and_the_newest_gets_the_accept() {
    let mut house = house(&[Push]);
    let first = house.carols_phone_rings(&carol(), &[Push]);
    house.pass(10);
    let second = house.ask(&carol());
    assert_eq!((house.asked_primary(), house.pushes()), (1, 1));
    house.phone_says(Approve);
    house.granted();
    assert_eq!(house.told(second), Told::Accept);
    assert_eq!(house.told(first), Told::Reject(Reason::Superseded));
}

#[test]
fn under_connection_every_live_asker_gets_the_accept() {
    let mut house = house(&[Push]);
    let first = house.carols_phone_rings(&carol().at("wifi"), &[Push]);
    let second = house.ask(&carol().at("wifi"));
    house.phone_says(Approve);
    house.granted();
    assert_eq!((house.told(first), house.told(second)), (Told::Accept, Told::Accept));
    let third = house.ask(&carol().at("wifi"));
    assert_eq!(house.told(third), Told::Accept, "and it is repeated for ten seconds");
}

#[test]
fn an_accept_under_station_is_not_repeated() {
    let mut house = house(&[Push]);
    house.carols_phone_rings(&carol(), &[Push]);
    house.phone_says(Approve);
    house.granted();
    let again = house.ask(&carol());
    assert_eq!((house.told(again), house.asked_primary()), (Told::Nothing, 2));
}

#[test]
fn a_superseded_asker_gets_nothing_after_its_own_deadline() {
    let mut house = house(&[Push]);
    let first = house.carols_phone_rings(&carol(), &[Push]);
    house.pass(20);
    house.ask(&carol());
    house.pass(10);
    house.phone_says(Deny);
    house.pass(2);
    assert_eq!(house.told(first), Told::Nothing);
    assert_eq!(house.count(|effect| matches!(effect, Effect::Supersede(_))), 1);
}

#[test]
fn a_superseded_asker_gets_no_late_answer_though_the_newer_one_was_challenged() {
    let mut house = house(&[Push]);
    let first = house.carols_phone_rings(&carol(), &[Push]);
    house.pass(1);
    let second = house.ask(&carol());
    house.pass(28);
    assert!(matches!(house.told(second), Told::Challenge(_)));
    house.phone_says(Deny);
    house.pass(2);
    assert_eq!(house.told(first), Told::Nothing);
}

#[test]
fn a_wrong_password_beside_a_held_login_neither_joins_nor_disturbs_it() {
    let mut house = house(&[Push]);
    let held = house.carols_phone_rings(&carol(), &[Push]);
    let guess = house.ask(&carol().typing("wrong"));
    house.primary_says(false);
    house.pass(2);
    assert_eq!(house.told(guess), Told::Reject(Reason::Primary));
    house.phone_says(Approve);
    house.granted();
    assert_eq!(house.told(held), Told::Accept);
}

#[test]
fn a_corrected_typo_works_at_once() {
    let mut house = house(&[Totp]);
    house.ask(&carol().typing("rihgt"));
    house.primary_says(false);
    let corrected = house.ask(&carol());
    house.primary_says(true);
    house.user_has(&[Totp]);
    assert!(matches!(house.told(corrected), Told::Challenge(_)));
}

#[test]
fn a_reject_is_repeated_for_ten_seconds_to_the_same_password_only() {
    let mut house = house(&[Totp]);
    house.ask(&carol().typing("wrong"));
    house.primary_says(false);
    house.pass(2);
    let same = house.ask(&carol().typing("wrong"));
    house.pass(2);
    assert_eq!((house.told(same), house.asked_primary()), (Told::Reject(Reason::Primary), 1));
    house.ask(&carol());
    assert_eq!(house.asked_primary(), 2);
}

#[test]
fn the_same_challenge_is_shown_to_a_reask() {
    let mut house = house(&[Totp]);
    let (first, state) = house.carol_is_asked_for_a_code(&carol());
    let second = house.ask(&carol());
    assert_eq!(house.told(second), Told::Challenge(state));
    assert_eq!(house.told(first), Told::Challenge(state));
    assert_eq!(house.asked_primary(), 1);
}

#[test]
fn a_bare_sender_begins_a_login_of_its_own_and_joins_nothing() {
    let mut house = house(&[Push]);
    house.carols_phone_rings(&carol(), &[Push]);
    let bare = house.ask(&house::Ask { authentic: false, ..carol() });
    assert_eq!((house.asked_primary(), house.told(bare)), (2, Told::Nothing));
}

#[test]
fn another_login_of_a_user_whose_phone_is_ringing_is_asked_for_a_code() {
    let mut house = house(&[Push, Totp]);
    let asks = house.ask(&carol().from("192.0.2.99"));
    house.primary_says(true);
    house.user_has(&[Push, Totp]);
    house.claim_is(&Claim::Busy);
    assert!(matches!(house.told(asks), Told::Challenge(_)));
    assert_eq!(house.pushes(), 0);
}

#[test]
fn after_a_crash_the_same_login_joins_its_prompt_and_no_phone_rings_again() {
    let mut house = house(&[Push]);
    let asks = house.ask(&carol());
    house.primary_says(true);
    house.user_has(&[Push]);
    let status = PromptStatus::Approved { device: login::DeviceId("phone".into()), at: Wall(1_800_000_000_000) };
    let ends_at = Wall(1_800_000_060_000);
    house.claim_is(&Claim::Joined { prompt: old_prompt(), ends_at, status });
    house.granted();
    assert_eq!((house.told(asks), house.pushes()), (Told::Accept, 0));
}

#[test]
fn a_push_that_rings_nowhere_yields_to_a_code() {
    let mut house = house(&[Push, Totp]);
    let asks = house.carols_phone_rings(&carol(), &[Push, Totp]);
    house.push_fails(&PushFailure::Unavailable(Unavailable::seen("away")));
    assert!(matches!(house.told(asks), Told::Challenge(_)));
}

#[test]
fn at_the_askers_deadline_a_challenge_is_shown_and_the_push_stays_open() {
    let mut house = house(&[Push]);
    let asks = house.carols_phone_rings(&carol(), &[Push]);
    house.pass(28);
    let state = house.state_of(asks);
    house.phone_says(Approve);
    let any_answer = house.ask(&carol().to(state).typing("done"));
    house.granted();
    assert_eq!(house.told(any_answer), Told::Accept);
}

// --- codes and State (C) -------------------------------------------------------------------------------------------

#[test]
fn an_empty_answer_is_held_while_the_prompt_is_open() {
    let mut house = house(&[Push, Totp]);
    let asks = house.carols_phone_rings(&carol(), &[Push, Totp]);
    house.pass(28);
    let held = house.ask(&carol().to(house.state_of(asks)).typing(""));
    assert_eq!((house.told(held), house.guesses()), (Told::Nothing, 0));
    house.phone_says(Approve);
    house.granted();
    assert_eq!(house.told(held), Told::Accept);
}

#[test]
fn a_wrong_code_gets_a_new_state_and_the_third_one_is_refused() {
    let mut house = house(&[Totp]);
    let (_, first) = house.carol_is_asked_for_a_code(&carol());
    let mut state = first;
    for code in ["111111", "222222"] {
        let tries = house.ask(&carol().to(state).typing(code));
        house.code_is(&CodeOutcome::Wrong);
        assert_ne!(house.state_of(tries), state);
        state = house.state_of(tries);
    }
    let third = house.ask(&carol().to(state).typing("333333"));
    house.code_is(&CodeOutcome::Wrong);
    house.pass(2);
    assert_eq!(house.told(third), Told::Reject(Reason::WrongCode));
}

#[test]
fn a_wrong_code_that_is_repeated_counts_once() {
    let mut house = house(&[Totp]);
    let (_, state) = house.carol_is_asked_for_a_code(&carol());
    let once = house.ask(&carol().to(state).typing("111111"));
    house.code_is(&CodeOutcome::Wrong);
    house.ask(&carol().to(house.state_of(once)).typing("111111"));
    assert_eq!(house.guesses(), 1);
}

#[test]
fn a_state_is_spent_by_its_first_answer() {
    let mut house = house(&[Totp]);
    let (_, state) = house.carol_is_asked_for_a_code(&carol());
    house.ask(&carol().to(state).typing("111111"));
    let second = house.ask(&carol().to(state).typing("222222"));
    house.pass(2);
    assert_eq!((house.told(second), house.guesses()), (Told::Reject(Reason::State), 1));
}

#[test]
fn the_same_answer_under_two_identifiers_is_one_use_and_two_accepts() {
    let mut house = house(&[Totp]);
    let (_, state) = house.carol_is_asked_for_a_code(&carol());
    let one = house.ask(&carol().to(state).typing("123456"));
    let twin = house.ask(&carol().to(state).typing("123456"));
    house.code_is(&right_code());
    house.granted();
    let late_twin = house.ask(&carol().to(state).typing("123456"));
    assert_eq!([one, twin, late_twin].map(|asker| house.told(asker)), [Told::Accept, Told::Accept, Told::Accept]);
    assert_eq!((house.guesses(), house.releases()), (1, 1));
}

#[test]
fn the_twin_of_a_superseded_answer_is_refused_too() {
    let mut house = house(&[Totp]);
    let (_, state) = house.carol_is_asked_for_a_code(&carol());
    let answers = house.ask(&carol().to(state).typing("123456"));
    let newer = house.ask(&carol());
    house.code_is(&right_code());
    house.granted();
    let twin = house.ask(&carol().to(state).typing("123456"));
    assert_eq!(house.told(newer), Told::Accept);
    assert_eq!(house.told(answers), Told::Reject(Reason::Superseded));
    assert_eq!(house.told(twin), Told::Reject(Reason::Superseded));
}

#[test]
fn a_state_of_another_client_or_name_is_refused_and_reaches_nobody() {
    let mut house = house(&[Totp]);
    let (_, state) = house.carol_is_asked_for_a_code(&carol());
    let elsewhere = house.ask(&carol().at("desk").to(state).typing("123456"));
    let another = house.ask(&house::Ask { user: "dave", ..carol().to(state).typing("123456") });
    house.pass(2);
    assert_eq!(house.told(elsewhere), Told::Reject(Reason::State));
    assert_eq!(house.told(another), Told::Reject(Reason::State));
    assert_eq!((house.asked_primary(), house.guesses()), (1, 0));
}

#[test]
fn a_state_dies_after_two_minutes() {
    let mut house = house(&[Totp]);
    let (_, state) = house.carol_is_asked_for_a_code(&carol());
    house.pass(121);
    let late = house.ask(&carol().to(state).typing("123456"));
    house.pass(2);
    assert_eq!(house.told(late), Told::Reject(Reason::State));
}

#[test]
fn a_code_is_split_off_before_the_primary_sees_the_password() {
    let mut house = house(&[Totp]);
    let asks = house.ask(&carol().typing("ri,ght,123456"));
    assert_eq!(house.primary_saw(), "ri,ght");
    house.primary_says(true);
    house.user_has(&[Totp]);
    house.code_is(&right_code());
    house.granted();
    assert_eq!(house.told(asks), Told::Accept);
}

#[test]
fn a_wrong_appended_code_is_rejected_and_never_prompts() {
    let mut house = house(&[Push, Totp]);
    let asks = house.ask(&carol().typing("right,000000"));
    house.primary_says(true);
    house.user_has(&[Push, Totp]);
    house.code_is(&CodeOutcome::Wrong);
    house.pass(2);
    assert_eq!((house.told(asks), house.pushes()), (Told::Reject(Reason::WrongCode), 0));
}

#[test]
fn a_password_that_was_split_is_never_tried_whole() {
    let mut house = house(&[Totp]);
    house.ask(&carol().typing("right,123456"));
    house.primary_says(false);
    house.pass(2);
    assert_eq!((house.asked_primary(), house.primary_saw()), (1, "right".to_owned()));
}

#[test]
fn a_code_in_the_answer_to_a_challenge_is_never_split() {
    let mut house = house(&[Totp]);
    let (_, state) = house.carol_is_asked_for_a_code(&carol());
    let answers = house.ask(&carol().to(state).typing("right,123456"));
    assert_eq!(house.guesses(), 0);
    assert!(matches!(house.told(answers), Told::Challenge(_)), "no token has such a code");
}

// --- the end -------------------------------------------------------------------------------------------------------

#[test]
fn nothing_is_left_of_a_login_ten_seconds_after_its_end() {
    let mut house = house(&[Totp]);
    let (_, state) = house.carol_is_asked_for_a_code(&carol());
    house.ask(&carol().to(state).typing("123456"));
    house.code_is(&right_code());
    house.granted();
    house.pass(11);
    assert_eq!(house.sessions(), 0);
}
