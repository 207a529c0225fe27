//! What is written down of a login and said to its person: in words, with the method that it was about, and the times it took.

use std::time::Duration;

use login::Method::{Hotp, Push, Totp};
use login::answer::{Answer, Text};
use login::event::{Effect, PushFailure};
use login::{AskerId, CodeOutcome, Reason, RecordedAnswer, RecordedFactor, Unavailable, UserFacts, Wall};

use crate::house::{Ask, House, Told, carol, house};

/// The words of the refusal that this asker got.
fn refusal(house: &House, asker: AskerId) -> Option<&Text> {
    house.effects().rev().find_map(|effect| match effect {
        Effect::Reply { asker: to, answer: Answer::Reject(reject) } if *to == asker => reject.text.as_ref(),
        _ => None,
    })
}

#[test]
fn a_name_that_is_none_is_refused_in_words() {
    let named = |user: &'static str| {
        let mut house = house(&[Totp]);
        house.ask(&Ask { user, ..carol() });
        house.detail().to_owned()
    };
    for user in ["car\u{7}ol", "", " carol", "EXAMPLE\\carol@example.com"] {
        let why = named(user);
        assert!(why.contains("user name") && !why.contains("Some("), "{user:?}: {why}");
    }
    assert!(named("car\u{7}ol").contains("control characters"));
}

#[test]
fn a_pause_of_codes_is_written_down_as_a_date() {
    let mut house = house(&[Totp]);
    let (_, state) = house.carol_is_asked_for_a_code(&carol());
    house.ask(&carol().to(state).typing("123456"));
    house.code_is(&CodeOutcome::Locked { until: Wall(1_795_560_717_000) });
    assert_eq!(house.detail(), "codes are off until 2026-11-24T22:51:57Z");
}

#[test]
fn a_wrong_code_of_somebody_with_an_hotp_token_only_is_one_of_that_kind() {
    let mut house = house(&[Totp, Hotp]);
    house.ask(&carol().typing("right,000000"));
    house.primary_says(true);
    house.user_has(&[Hotp]);
    house.code_is(&CodeOutcome::Wrong);
    assert_eq!(house.record().factor, RecordedFactor::Method(Hotp));
    let listed = house.effects().find_map(|effect| match effect {
        Effect::CheckCode { methods, .. } => Some(methods.clone()),
        _ => None,
    });
    assert_eq!(listed.unwrap(), [Hotp, Totp], "rules C4: it is tried on all listed kinds, the user's own first");
}

#[test]
fn a_challenge_for_a_code_that_runs_out_is_written_down_as_one_for_a_code() {
    let mut house = house(&[Push, Totp]);
    house.carol_is_asked_for_a_code(&carol());
    house.pass(121);
    let record = house.record();
    assert_eq!((record.reason, record.answer), (Reason::Expired, RecordedAnswer::None));
    assert_eq!(record.factor, RecordedFactor::Method(Totp));
}

#[test]
fn a_login_whose_push_rang_nowhere_is_one_by_code_and_says_why() {
    let mut house = house(&[Push, Totp]);
    house.carols_phone_rings(&carol(), &[Push, Totp]);
    let why = "the notifier can't be reached";
    house.push_fails(&PushFailure::Unavailable(Unavailable { why: why.into(), confirmed: true }));
    house.pass(121);
    assert_eq!(house.record().factor, RecordedFactor::Method(Totp), "no phone was told, so none left it unanswered");
    assert!(house.detail().contains(why), "{}", house.detail());
}

#[test]
fn the_wait_for_a_primary_that_never_answers_is_written_down() {
    let mut house = house(&[Totp]);
    house.ask(&carol());
    house.pass(30);
    let record = house.record();
    assert_eq!(record.reason, Reason::PrimaryUnavailable);
    assert_eq!(record.waited_primary, record.waited);
    assert!(record.waited_primary > Duration::from_secs(20), "{:?}", record.waited_primary);
}

#[test]
fn where_a_code_is_taken_behind_the_password_only_the_refusal_says_so() {
    let mut house = house(&[Push, Totp]);
    let asks = house.ask(&carol().at("desk"));
    house.primary_says(true);
    house.user_has(&[Totp]);
    house.pass(2);
    assert_eq!(house.told(asks), Told::Reject(Reason::CodeBehind));
    assert_eq!(refusal(&house, asks), Some(&Text::AppendCode(",".into())));
}

#[test]
fn who_has_no_code_either_is_not_told_to_append_one() {
    let mut house = house(&[Totp]);
    let asks = house.ask(&carol().at("desk"));
    house.primary_says(true);
    house.user_has(&[Push]);
    house.pass(2);
    assert_eq!(refusal(&house, asks), Some(&Text::Ours(Reason::NoMethod)));
}

#[test]
fn a_quiet_user_who_can_append_a_code_is_told_so() {
    let mut house = house(&[Push, Totp]);
    let asks = house.ask(&carol().at("desk"));
    house.primary_says(true);
    house.user_is(&UserFacts {
        known: true,
        ever_enrolled: true,
        methods: vec![Push, Totp],
        pushes_quiet_until: Some(Wall::NEVER),
        ..UserFacts::default()
    });
    house.pass(2);
    assert_eq!(refusal(&house, asks), Some(&Text::AppendCode(",".into())));
}
