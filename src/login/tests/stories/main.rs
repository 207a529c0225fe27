//! What a login does, told in short stories over the pure machine: each is one sentence of the rules, played by hand.
//!
//! The simulation beside this plays everything at once and at random; here a reader sees one thing at a time.

#![allow(clippy::wildcard_enum_match_arm, reason = "a story picks the one effect it tells of")]

mod desk;

use desk::{Desk, accept, ask, inside_the_house, law, law_of};
use login::event::{Effect, Event, LoginEvent, PushFailure, Question};
use login::policy::{Condition, Verdict};
use login::prompt::{Claim, PromptStatus};
use login::session::Admission;
use login::{CodeOutcome, Method, PhoneAnswer, Reason, ReleaseOutcome, Unavailable, UserFacts, Wall};

const PUSH: &[Method] = &[Method::Push];
const CODES: &[Method] = &[Method::Totp];
const BOTH: &[Method] = &[Method::Push, Method::Totp];

// --- A: who gets in --------------------------------------------------------------------------------------------

#[test]
fn a_right_password_and_a_right_code_get_in() {
    let (mut desk, first) = Desk::begun(CODES, &ask("alice", "secret"));
    assert_eq!(desk.answer_to(first), "challenge");
    let second = desk.receive(&ask("alice", "123456").answering(desk.state_for(first)));
    desk.code_is_right();
    assert_eq!(desk.answer_to(second), "nothing", "nothing leaves before the release is durable");
    desk.release(ReleaseOutcome::Granted);
    assert_eq!(desk.answer_to(second), "accept");
    assert_eq!(desk.records().len(), 1);
}

#[test]
fn a_wrong_password_is_rejected_after_a_delay_and_nobody_is_prompted() {
    let mut desk = Desk::under(law(BOTH));
    let asker = desk.receive(&ask("alice", "wrong"));
    desk.primary_rejects();
    assert_eq!(desk.answer_to(asker), "nothing");
    desk.wait(2);
    assert_eq!(desk.answer_to(asker), "reject");
    assert_eq!((desk.pushes(), desk.guesses()), (0, 0));
}

#[test]
fn an_empty_password_reaches_no_primary() {
    for password in ["", ",123456", ",push"] {
        let mut desk = Desk::under(law(BOTH));
        let asker = desk.receive(&ask("alice", password));
        desk.wait(2);
        assert_eq!(desk.reason_for(asker), Some(Reason::EmptyPassword), "{password:?}");
        assert_eq!(desk.primary_questions(), 0);
    }
}

#[test]
fn an_answer_of_the_primary_to_another_question_changes_nothing() {
    let mut desk = Desk::under(law(CODES));
    desk.receive(&ask("alice", "secret"));
    let (login, Question(number)) = desk.primary_question();
    desk.primary_says(login, Question(number + 1), accept("alice"));
    assert_eq!(desk.count(|effect| matches!(effect, Effect::ReadUser { .. })), 0);
}

#[test]
fn the_primary_and_not_the_typed_name_says_whose_factors_count() {
    let mut desk = Desk::under(law(PUSH));
    desk.receive(&ask("Alice", "secret"));
    desk.primary_accepts_as("alice@example.com");
    desk.store_knows(PUSH);
    let user = desk.last(|effect| match effect {
        Effect::ClaimPrompt { claim, .. } => Some(claim.user.clone()),
        _ => None,
    });
    assert_eq!(user.expect("a claim").as_str(), "alice@example.com");
}

#[test]
fn a_user_who_never_had_a_method_is_turned_away() {
    let mut desk = Desk::under(law(BOTH));
    let asker = desk.receive(&ask("alice", "secret"));
    desk.primary_accepts();
    desk.store_says(UserFacts { known: true, ..UserFacts::default() });
    desk.wait(2);
    assert_eq!(desk.reason_for(asker), Some(Reason::Unenrolled));
}

#[test]
fn an_exempted_login_needs_no_factor_but_is_released_and_written_down() {
    let mut desk = Desk::under(law_of(Verdict::Exempt, Condition::All(Vec::new())));
    let asker = desk.receive(&ask("alice", "secret"));
    desk.primary_accepts();
    desk.store_knows(&[]);
    assert_eq!(desk.answer_to(asker), "nothing");
    desk.release(ReleaseOutcome::Granted);
    assert_eq!(desk.answer_to(asker), "accept");
    assert_eq!(desk.accepts_written(), 1);
}

#[test]
fn a_rule_that_needs_an_unknown_address_denies() {
    let outside = Condition::Not(Box::new(inside_the_house()));
    let mut desk = Desk::under(law_of(Verdict::Exempt, outside));
    let asker = desk.receive(&ask("alice", "secret").from("00-11-22-33-44-55"));
    desk.primary_accepts();
    desk.store_knows(BOTH);
    desk.wait(2);
    assert_eq!(desk.reason_for(asker), Some(Reason::Undecided));
}

#[test]
fn a_user_who_is_blocked_while_the_phone_rings_does_not_get_in() {
    let (mut desk, asker) = Desk::begun(PUSH, &ask("alice", "secret"));
    desk.phone(PhoneAnswer::Approve);
    desk.release(ReleaseOutcome::Refused("blocked".into()));
    desk.wait(2);
    assert_eq!(desk.reason_for(asker), Some(Reason::Changed));
}

#[test]
fn a_stricter_policy_decides_at_the_release() {
    let (mut desk, asker) = Desk::begun(PUSH, &ask("alice", "secret"));
    desk.law = law(CODES).into();
    desk.phone(PhoneAnswer::Approve);
    desk.wait(2);
    assert_eq!(desk.reason_for(asker), Some(Reason::Changed));
}

#[test]
fn a_denial_ends_the_login_and_a_later_approval_changes_nothing() {
    let (mut desk, asker) = Desk::begun(BOTH, &ask("alice", "secret"));
    desk.phone(PhoneAnswer::Deny);
    desk.phone(PhoneAnswer::Approve);
    desk.wait(2);
    assert_eq!(desk.reason_for(asker), Some(Reason::Denied));
    assert_eq!(desk.accepts_written(), 0);
}

#[test]
fn a_denial_after_the_challenge_ends_the_login_too() {
    let (mut desk, first) = Desk::begun(BOTH, &ask("alice", "secret"));
    desk.wait(28);
    assert_eq!(desk.answer_to(first), "challenge");
    desk.phone(PhoneAnswer::Deny);
    let second = desk.receive(&ask("alice", "123456").answering(desk.state_for(first)));
    desk.wait(2);
    assert_eq!(desk.answer_to(second), "reject");
    assert_eq!(desk.guesses(), 0);
}

#[test]
fn approved_when_nobody_waits_any_more_lets_the_same_login_in_for_ten_seconds() {
    let (mut desk, first) = Desk::begun(PUSH, &ask("alice", "secret").through("mute"));
    desk.wait(28);
    assert_eq!(desk.answer_to(first), "reject");
    desk.phone(PhoneAnswer::Approve);
    desk.wait(5);
    let second = desk.receive(&ask("alice", "secret").through("mute"));
    desk.release(ReleaseOutcome::Granted);
    assert_eq!(desk.answer_to(second), "accept");
    assert_eq!(desk.pushes(), 1);
}

#[test]
fn approved_too_late_is_the_end_after_ten_seconds() {
    let (mut desk, _) = Desk::begun(PUSH, &ask("alice", "secret").through("mute"));
    desk.wait(28);
    desk.phone(PhoneAnswer::Approve);
    desk.wait(11);
    assert!(desk.records().iter().any(|record| record.reason == Reason::ApprovedTooLate));
    let admission = desk.admit(&ask("alice", "secret").through("mute"));
    assert!(matches!(admission, Admission::Begin), "{admission:?}");
}

// --- B: one login, one prompt ----------------------------------------------------------------------------------

#[test]
fn a_reask_with_the_same_password_joins_and_the_newest_gets_the_accept() {
    let (mut desk, old) = Desk::begun(PUSH, &ask("alice", "secret"));
    desk.wait(5);
    let new = desk.receive(&ask("alice", "secret"));
    desk.phone(PhoneAnswer::Approve);
    desk.release(ReleaseOutcome::Granted);
    assert_eq!((desk.answer_to(old), desk.answer_to(new)), ("reject", "accept"));
    assert_eq!((desk.pushes(), desk.primary_questions()), (1, 1));
}

#[test]
fn where_many_share_an_address_each_live_asker_of_one_connection_gets_the_accept() {
    let one = ask("alice", "secret").through("citrix").on("session 1");
    let (mut desk, old) = Desk::begun(PUSH, &one);
    desk.wait(5);
    let new = desk.receive(&one);
    desk.phone(PhoneAnswer::Approve);
    desk.release(ReleaseOutcome::Granted);
    assert_eq!((desk.answer_to(old), desk.answer_to(new)), ("accept", "accept"));
    assert_eq!(desk.accepts_written(), 1);
}

#[test]
fn a_reask_with_another_password_goes_its_own_way_to_the_primary() {
    let (mut desk, held) = Desk::begun(PUSH, &ask("alice", "secret"));
    let stranger = desk.receive(&ask("alice", "guess"));
    assert_eq!(desk.primary_questions(), 2);
    desk.primary_rejects();
    desk.wait(2);
    assert_eq!((desk.answer_to(held), desk.answer_to(stranger)), ("nothing", "reject"));
    desk.phone(PhoneAnswer::Approve);
    desk.release(ReleaseOutcome::Granted);
    assert_eq!(desk.answer_to(held), "accept");
}

#[test]
fn a_corrected_typo_works_at_once_and_rings_no_second_time() {
    let (mut desk, _) = Desk::begun(PUSH, &ask("alice", "secret,push"));
    let second = desk.receive(&ask("alice", "secret"));
    desk.primary_accepts();
    desk.store_knows(PUSH);
    let (prompt, ends_at) = (desk.prompt_of_first_claim(), Wall(1_700_000_120_000));
    desk.claim(Claim::Joined { prompt, ends_at, status: PromptStatus::Pending });
    assert_eq!(desk.pushes(), 1);
    desk.phone_on(prompt, PhoneAnswer::Approve);
    desk.release(ReleaseOutcome::Granted);
    assert_eq!(desk.answer_to(second), "accept");
}

#[test]
fn another_login_of_the_user_is_asked_for_a_code_while_the_phone_is_taken() {
    let mut desk = Desk::under(law(BOTH));
    let asker = desk.receive(&ask("alice", "secret").from("198.51.100.7"));
    desk.primary_accepts();
    desk.store_knows(BOTH);
    desk.claim(Claim::Busy);
    assert_eq!((desk.answer_to(asker), desk.pushes()), ("challenge", 0));
}

#[test]
fn another_login_without_any_code_is_told_that_the_phone_is_taken() {
    let mut desk = Desk::under(law(PUSH));
    let asker = desk.receive(&ask("alice", "secret").from("198.51.100.7"));
    desk.primary_accepts();
    desk.store_knows(PUSH);
    desk.claim(Claim::Busy);
    desk.wait(2);
    assert_eq!(desk.reason_for(asker), Some(Reason::Busy));
}

#[test]
fn a_displaced_prompt_leaves_its_login_the_code() {
    let (mut desk, asker) = Desk::begun(BOTH, &ask("alice", "secret"));
    let prompt = desk.prompt();
    desk.tell(Event::Displaced(prompt));
    assert_eq!(desk.answer_to(asker), "challenge");
}

#[test]
fn the_same_challenge_is_shown_to_a_reask() {
    let (mut desk, first) = Desk::begun(CODES, &ask("alice", "secret"));
    let again = desk.receive(&ask("alice", "secret"));
    assert_eq!(desk.state_for(first), desk.state_for(again));
    assert_eq!(desk.primary_questions(), 1);
}

#[test]
fn a_reject_repeats_for_ten_seconds_to_the_same_password_only() {
    let mut desk = Desk::under(law(PUSH));
    desk.receive(&ask("alice", "wrong"));
    desk.primary_rejects();
    desk.wait(5);
    assert!(matches!(desk.admit(&ask("alice", "wrong")), Admission::Join(_)));
    assert!(matches!(desk.admit(&ask("alice", "secret")), Admission::Begin));
    desk.primary_accepts();
    assert_eq!(desk.primary_questions(), 2);
}

#[test]
fn an_accept_is_never_repeated_where_the_station_makes_the_login() {
    let (mut desk, _) = Desk::begun(PUSH, &ask("alice", "secret"));
    desk.phone(PhoneAnswer::Approve);
    desk.release(ReleaseOutcome::Granted);
    assert!(matches!(desk.admit(&ask("alice", "secret")), Admission::Begin));
}

#[test]
fn an_accept_repeats_to_the_same_connection() {
    let one = ask("alice", "secret").through("citrix").on("session 1");
    let (mut desk, _) = Desk::begun(PUSH, &one);
    desk.phone(PhoneAnswer::Approve);
    desk.release(ReleaseOutcome::Granted);
    let again = desk.receive(&one);
    assert_eq!((desk.answer_to(again), desk.accepts_written()), ("accept", 1));
}

#[test]
fn the_push_leaves_only_when_its_prompt_is_claimed() {
    let mut desk = Desk::under(law(PUSH));
    desk.receive(&ask("alice", "secret"));
    desk.primary_accepts();
    desk.store_knows(PUSH);
    assert_eq!(desk.pushes(), 0);
    desk.claim(Claim::Claimed { displaced: None });
    assert_eq!(desk.pushes(), 1);
}

#[test]
fn after_a_crash_the_same_login_joins_its_prompt_and_no_phone_rings_again() {
    let mut desk = Desk::under(law(PUSH));
    let asker = desk.receive(&ask("alice", "secret"));
    desk.primary_accepts();
    desk.store_knows(PUSH);
    let ends_at = Wall(1_700_000_060_000);
    desk.claim(Claim::Joined { prompt: desk.prompt(), ends_at, status: PromptStatus::Pending });
    desk.phone(PhoneAnswer::Approve);
    desk.release(ReleaseOutcome::Granted);
    assert_eq!((desk.answer_to(asker), desk.pushes()), ("accept", 0));
}

#[test]
fn a_phone_that_cannot_be_reached_yields_to_a_code() {
    let (mut desk, asker) = Desk::begun(BOTH, &ask("alice", "secret"));
    let (login, _) = desk.primary_question();
    let away = PushFailure::Unavailable(Unavailable::seen("no network"));
    desk.tell(Event::Login(login, LoginEvent::Pushed(desk.prompt(), Err(away))));
    assert_eq!(desk.answer_to(asker), "challenge");
}

#[test]
fn nobody_waits_longer_than_its_own_patience_for_a_primary_that_is_silent() {
    let mut desk = Desk::under(law(PUSH));
    let asker = desk.receive(&ask("alice", "secret"));
    desk.wait(28);
    assert_eq!(desk.reason_for(asker), Some(Reason::PrimaryUnavailable));
}

#[test]
fn a_stopping_server_leaves_nobody_without_an_answer() {
    let (mut desk, asker) = Desk::begun(PUSH, &ask("alice", "secret"));
    desk.tell(Event::Drained);
    assert_eq!(desk.reason_for(asker), Some(Reason::Draining));
}

// --- C: codes and State ----------------------------------------------------------------------------------------

#[test]
fn an_empty_answer_is_held_while_the_prompt_is_open() {
    let (mut desk, first) = Desk::begun(BOTH, &ask("alice", "secret"));
    desk.wait(28);
    let second = desk.receive(&ask("alice", "").answering(desk.state_for(first)));
    desk.wait(5);
    assert_eq!((desk.answer_to(second), desk.guesses()), ("nothing", 0));
    desk.phone(PhoneAnswer::Approve);
    desk.release(ReleaseOutcome::Granted);
    assert_eq!(desk.answer_to(second), "accept");
}

#[test]
fn once_the_phone_approved_any_answer_to_the_challenge_passes() {
    let (mut desk, first) = Desk::begun(BOTH, &ask("alice", "secret"));
    desk.wait(28);
    desk.phone(PhoneAnswer::Approve);
    let second = desk.receive(&ask("alice", "whatever").answering(desk.state_for(first)));
    desk.release(ReleaseOutcome::Granted);
    assert_eq!((desk.answer_to(second), desk.guesses()), ("accept", 0));
}

#[test]
fn an_appended_code_is_split_off_before_the_primary_sees_the_password() {
    let mut desk = Desk::under(law(BOTH));
    let asker = desk.receive(&ask("alice", "secret,123456"));
    let password = desk.last(|effect| match effect {
        Effect::AskPrimary { password, .. } => Some(password.expose().to_vec()),
        _ => None,
    });
    assert_eq!(password.as_deref(), Some(b"secret".as_slice()));
    desk.primary_accepts();
    desk.store_knows(BOTH);
    desk.code_is_right();
    desk.release(ReleaseOutcome::Granted);
    assert_eq!((desk.answer_to(asker), desk.pushes()), ("accept", 0));
}

#[test]
fn a_wrong_appended_code_is_rejected_and_never_prompts() {
    let mut desk = Desk::under(law(BOTH));
    let asker = desk.receive(&ask("alice", "secret,123456"));
    desk.primary_accepts();
    desk.store_knows(BOTH);
    desk.code_is(CodeOutcome::Wrong);
    desk.wait(2);
    assert_eq!(desk.reason_for(asker), Some(Reason::WrongCode));
    assert_eq!(desk.pushes(), 0);
}

#[test]
fn an_appended_method_word_chooses_the_method() {
    let mut desk = Desk::under(law(BOTH));
    let asker = desk.receive(&ask("alice", "secret,totp"));
    desk.primary_accepts();
    desk.store_knows(BOTH);
    assert_eq!((desk.answer_to(asker), desk.pushes()), ("challenge", 0));
}

#[test]
fn a_wrong_code_gets_a_new_state_and_the_third_is_the_end() {
    let (mut desk, mut asked) = Desk::begun(CODES, &ask("alice", "secret"));
    let mut states = Vec::new();
    for code in ["111111", "222222"] {
        let state = desk.state_for(asked);
        assert!(!states.contains(&state));
        states.push(state);
        asked = desk.receive(&ask("alice", code).answering(state));
        desk.code_is(CodeOutcome::Wrong);
        assert_eq!(desk.answer_to(asked), "challenge");
    }
    let last = desk.receive(&ask("alice", "333333").answering(desk.state_for(asked)));
    desk.code_is(CodeOutcome::Wrong);
    desk.wait(2);
    assert_eq!(desk.reason_for(last), Some(Reason::WrongCode));
}

#[test]
fn the_same_wrong_code_again_is_looked_at_once() {
    let (mut desk, first) = Desk::begun(CODES, &ask("alice", "secret"));
    let second = desk.receive(&ask("alice", "111111").answering(desk.state_for(first)));
    desk.code_is(CodeOutcome::Wrong);
    desk.receive(&ask("alice", "111111").answering(desk.state_for(second)));
    assert_eq!(desk.guesses(), 1);
}

#[test]
fn one_state_and_the_same_code_under_two_identifiers_is_one_use_and_two_answers() {
    let (mut desk, first) = Desk::begun(CODES, &ask("alice", "secret"));
    let answer = ask("alice", "123456").answering(desk.state_for(first));
    let (one, two) = (desk.receive(&answer), desk.receive(&answer));
    desk.code_is_right();
    desk.release(ReleaseOutcome::Granted);
    assert_eq!((desk.answer_to(one), desk.answer_to(two)), ("accept", "accept"));
    let late = desk.receive(&answer);
    assert_eq!(desk.answer_to(late), "accept");
    assert_eq!((desk.guesses(), desk.accepts_written()), (1, 1));
}

#[test]
fn one_state_and_another_code_is_rejected_without_effect() {
    let (mut desk, first) = Desk::begun(CODES, &ask("alice", "secret"));
    let state = desk.state_for(first);
    desk.receive(&ask("alice", "123456").answering(state));
    let loser = desk.receive(&ask("alice", "654321").answering(state));
    desk.wait(2);
    assert_eq!((desk.reason_for(loser), desk.guesses()), (Some(Reason::State), 1));
}

#[test]
fn a_state_from_another_client_or_another_name_is_rejected_and_reaches_no_primary() {
    let (mut desk, first) = Desk::begun(CODES, &ask("alice", "secret"));
    let state = desk.state_for(first);
    for foreign in [ask("alice", "123456").through("mute"), ask("Alice", "123456")] {
        let asker = desk.receive(&foreign.answering(state));
        desk.wait(2);
        assert_eq!(desk.reason_for(asker), None, "the refusal stands in a session of its own");
    }
    assert_eq!((desk.primary_questions(), desk.guesses()), (1, 0));
    let asker = desk.receive(&ask("alice", "123456").answering(state));
    desk.code_is_right();
    desk.release(ReleaseOutcome::Granted);
    assert_eq!(desk.answer_to(asker), "accept", "and the State is still good for its owner");
}

#[test]
fn an_unknown_state_is_rejected_and_what_came_with_it_reaches_no_primary() {
    let mut desk = Desk::under(law(BOTH));
    let admission = desk.admit(&ask("alice", "secret").answering([1; 16]));
    assert!(matches!(admission, Admission::Refuse(Reason::State)), "{admission:?}");
    assert_eq!(desk.primary_questions(), 0);
}

#[test]
fn a_state_works_for_two_minutes() {
    let (mut desk, first) = Desk::begun(CODES, &ask("alice", "secret"));
    let state = desk.state_for(first);
    desk.wait(121);
    let admission = desk.admit(&ask("alice", "123456").answering(state));
    assert!(matches!(admission, Admission::Refuse(Reason::State)), "{admission:?}");
    assert!(desk.is_over());
}

// --- D: limits; bare senders -----------------------------------------------------------------------------------

#[test]
fn where_pushes_are_quiet_a_code_still_works() {
    let mut desk = Desk::under(law(BOTH));
    let asker = desk.receive(&ask("alice", "secret"));
    desk.primary_accepts();
    let quiet = Some(Wall(1_700_000_600_000));
    desk.store_says(UserFacts {
        known: true,
        ever_enrolled: true,
        methods: BOTH.to_vec(),
        pushes_quiet_until: quiet,
        ..UserFacts::default()
    });
    assert_eq!((desk.answer_to(asker), desk.pushes()), ("challenge", 0));
}

#[test]
fn a_bare_sender_joins_nothing() {
    let (mut desk, held) = Desk::begun(PUSH, &ask("alice", "secret"));
    let admission = desk.admit(&ask("alice", "secret").bare());
    assert!(matches!(admission, Admission::Begin), "{admission:?}");
    assert_eq!(desk.answer_to(held), "nothing");
}
