//! Codes, States and the end of a login (rules C).

use login::Method::{Push, Totp};
use login::PhoneAnswer::Approve;
use login::{Claim, CodeOutcome, Reason, UserFacts, Wall};

use crate::house::{Ask, Told, carol, house, right_code};

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
    assert!(house.refuses_state_of(second));
    assert_eq!(house.guesses(), 1);
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
    house.user_has(&[Totp]);
    assert_eq!([one, twin, late_twin].map(|asker| house.told(asker)), [Told::Accept, Told::Accept, Told::Accept]);
    assert_eq!((house.guesses(), house.releases()), (1, 1));
}

#[test]
fn an_answer_in_other_letters_wins_its_own_twin_and_no_other() {
    let mut house = house(&[Totp]);
    let (_, state) = house.carol_is_asked_for_a_code(&carol());
    let loud = Ask { user: "CAROL", ..carol().to(state).typing("123456") };
    let one = house.ask(&loud);
    let twin = house.ask(&loud);
    let as_it_began = house.ask(&carol().to(state).typing("123456"));
    house.code_is(&right_code());
    house.granted();
    house.pass(2);
    assert_eq!([one, twin].map(|asker| house.told(asker)), [Told::Accept, Told::Accept]);
    assert_eq!(house.told(as_it_began), Told::Reject(Reason::StateSpent), "its letters are of another L");
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
fn the_twin_of_an_answer_that_nobody_waits_for_any_more_is_refused_at_once() {
    let mut house = house(&[Push]);
    let asks = house.carols_phone_rings(&carol(), &[Push]);
    house.pass(28);
    let state = house.state_of(asks);
    let enter = house.ask(&carol().to(state).typing(""));
    house.pass(20);
    house.ask(&carol());
    house.pass(8);
    house.ask(&carol());
    assert_eq!(house.told(enter), Told::Nothing, "it was superseded, and its own deadline has passed");
    let twin = house.ask(&carol().to(state).typing(""));
    assert!(house.refuses_state_of(twin));
}

#[test]
fn a_state_of_another_client_or_name_is_refused_and_reaches_nobody() {
    let mut house = house(&[Totp]);
    let (_, state) = house.carol_is_asked_for_a_code(&carol());
    let elsewhere = house.ask(&carol().at("desk").to(state).typing("123456"));
    let another = house.ask(&Ask { user: "dave", ..carol().to(state).typing("123456") });
    house.pass(2);
    assert_eq!(house.told(elsewhere), Told::Reject(Reason::StateOther));
    assert_eq!(house.told(another), Told::Reject(Reason::StateOther));
    assert_eq!((house.asked_primary(), house.guesses()), (1, 0));
}

#[test]
fn a_state_dies_after_two_minutes() {
    let mut house = house(&[Totp]);
    let (_, state) = house.carol_is_asked_for_a_code(&carol());
    house.pass(121);
    let late = house.ask(&carol().to(state).typing("123456"));
    house.pass(2);
    assert!(house.refuses_state_of(late));
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

#[test]
fn an_unknown_state_is_refused_and_what_came_with_it_is_never_a_password() {
    let mut house = house(&[Totp]);
    let asks = house.ask(&carol().to([b'x'; login::STATE_OCTETS]));
    house.pass(2);
    assert!(house.refuses_state_of(asks));
    assert_eq!(house.asked_primary(), 0);
}

#[test]
fn an_appended_word_chooses_the_method() {
    let mut house = house(&[Totp, Push]);
    house.ask(&carol().typing("right,push"));
    assert_eq!(house.primary_saw(), "right");
    house.primary_says(true);
    house.user_has(&[Totp, Push]);
    house.claim_is(&Claim::Claimed { displaced: None });
    assert_eq!(house.pushes(), 1);
}

#[test]
fn where_pushes_are_quiet_a_code_still_works() {
    let mut house = house(&[Push, Totp]);
    let asks = house.ask(&carol());
    house.primary_says(true);
    house.user_is(&UserFacts {
        known: true,
        ever_enrolled: true,
        methods: vec![Push, Totp],
        pushes_quiet_until: Some(Wall::NEVER),
        ..UserFacts::default()
    });
    assert!(matches!(house.told(asks), Told::Challenge(_)));
}
