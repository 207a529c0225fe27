//! One login, one prompt, one answer in time (rules B).

use login::Method::{Push, Totp};
use login::PhoneAnswer::{Approve, Deny};
use login::event::{Effect, Event, PushFailure};
use login::words::Say;
use login::{AskerId, Claim, DeviceId, PromptStatus, Reason, Unavailable, UserFacts, Wall};

use crate::house::{Ask, House, Told, carol, house, old_prompt, right_code};

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
    house.user_has(&[Push]);
    assert_eq!(house.told(third), Told::Accept, "and it is repeated for ten seconds");
}

#[test]
fn under_connection_one_yes_lets_in_each_login_at_the_prompt_whatever_its_credential() {
    let mut house = house(&[Push]);
    let first = house.carols_phone_rings(&carol().at("wifi"), &[Push]);
    let second = house.ask(&carol().at("wifi").typing("right, too"));
    house.primary_says(true);
    house.user_has(&[Push]);
    let (prompt, ends_at) = house.newest_prompt();
    house.claim_is(&Claim::Joined { prompt, ends_at, status: PromptStatus::Pending });
    house.phone_says(Approve);
    house.releases_are(&login::ReleaseOutcome::Granted);
    assert_eq!((house.told(first), house.told(second)), (Told::Accept, Told::Accept));
    let together = house.release_checks().all(|check| check.together.is_some());
    assert!(together, "the store is told that one approval lets in several");
}

#[test]
fn under_station_a_second_credential_at_the_prompt_supersedes_the_first() {
    let mut house = house(&[Push]);
    let first = house.carols_phone_rings(&carol(), &[Push]);
    house.pass(1);
    let second = house.ask(&carol().typing("right, too"));
    house.primary_says(true);
    house.user_has(&[Push]);
    let (prompt, ends_at) = house.newest_prompt();
    house.claim_is(&Claim::Joined { prompt, ends_at, status: PromptStatus::Pending });
    house.phone_says(Approve);
    house.releases_are(&login::ReleaseOutcome::Granted);
    house.pass(2);
    assert_eq!((house.told(first), house.told(second)), (Told::Reject(Reason::Superseded), Told::Accept));
    assert!(house.release_checks().all(|check| check.together.is_none()), "an approval is released once");
}

#[test]
fn a_denial_ends_whatever_else_of_that_login_is_under_way() {
    let mut house = house(&[Push]);
    house.carols_phone_rings(&carol(), &[Push]);
    let corrected = house.ask(&carol().typing("right, too"));
    house.phone_says(Deny);
    house.primary_says(true);
    house.pass(2);
    assert_eq!(house.told(corrected), Told::Reject(Reason::Denied));
}

#[test]
fn a_push_that_rings_nowhere_asks_each_login_at_its_prompt_for_a_code() {
    let mut house = house(&[Push, Totp]);
    let first = house.carols_phone_rings(&carol(), &[Push, Totp]);
    let second = house.ask(&carol().typing("right, too"));
    house.primary_says(true);
    house.user_has(&[Push, Totp]);
    let (prompt, ends_at) = house.newest_prompt();
    house.claim_is(&Claim::Joined { prompt, ends_at, status: PromptStatus::Pending });
    house.push_fails(&PushFailure::Refused("410".into()));
    for asker in [first, second] {
        assert!(matches!(house.told(asker), Told::Challenge(_)), "{:?}", house.told(asker));
    }
}

#[test]
fn a_release_that_is_not_known_to_be_durable_in_time_is_no_accept() {
    let mut house = house(&[Push]);
    let asker = house.carols_phone_rings(&carol(), &[Push]);
    house.phone_says(Approve);
    house.pass(29);
    assert_eq!(house.told(asker), Told::Reject(Reason::StoreUnavailable));
    house.release_is(&login::ReleaseOutcome::Granted);
    assert_eq!(house.told(asker), Told::Reject(Reason::StoreUnavailable));
}

#[test]
fn an_accept_is_not_repeated_to_who_was_blocked_meanwhile() {
    let mut house = house(&[Push]);
    house.carols_phone_rings(&carol().at("wifi"), &[Push]);
    house.phone_says(Approve);
    house.granted();
    let again = house.ask(&carol().at("wifi"));
    let blocked = UserFacts { known: true, blocked: Some("stolen".into()), ..UserFacts::default() };
    house.user_is(&blocked);
    assert_eq!(house.told(again), Told::Reject(Reason::Blocked));
    assert_eq!(house.asked_primary(), 1);
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

/// Carol through an appliance that signs nothing.
fn bare_carol() -> Ask {
    Ask { authentic: false, ..carol() }
}

#[test]
fn a_bare_sender_with_another_password_or_from_elsewhere_begins_a_login_of_its_own() {
    let mut house = house(&[Push]);
    house.carols_phone_rings(&carol(), &[Push]);
    let others = [bare_carol().typing("other"), bare_carol().from("192.0.2.99")].map(|other| house.ask(&other));
    assert_eq!(house.asked_primary(), 3);
    assert_eq!(others.map(|other| house.told(other)), [Told::Nothing, Told::Nothing]);
}

#[test]
fn a_bare_reask_waits_in_silence_and_the_newest_gets_the_one_accept() {
    let mut house = house(&[Push]);
    let first = house.carols_phone_rings(&bare_carol(), &[Push]);
    house.pass(3);
    let second = house.ask(&bare_carol());
    house.pass(3);
    let third = house.ask(&bare_carol());
    assert_eq!([first, second, third].map(|asker| house.told(asker)), [const { Told::Nothing }; 3]);
    assert_eq!((house.asked_primary(), house.pushes()), (1, 1), "no primary and no phone once more");
    house.phone_says(Approve);
    house.granted();
    assert_eq!(house.told(third), Told::Accept);
    assert_eq!([first, second].map(|asker| house.told(asker)), [const { Told::Nothing }; 2]);
    assert_eq!([first, second].map(|asker| house.superseded(asker)), [true; 2]);
}

#[test]
fn a_denial_is_told_to_the_newest_bare_asker_alone() {
    let mut house = house(&[Push]);
    let first = house.carols_phone_rings(&bare_carol(), &[Push]);
    let second = house.ask(&bare_carol());
    house.phone_says(Deny);
    house.pass(2);
    assert_eq!((house.told(first), house.told(second)), (Told::Nothing, Told::Reject(Reason::Denied)));
}

#[test]
fn of_nine_bare_reasks_eight_wait_beside_nobody_older() {
    let mut house = house(&[Push]);
    let first = house.carols_phone_rings(&bare_carol(), &[Push]);
    let more: Vec<_> = (0..9).map(|_| house.ask(&bare_carol())).collect();
    assert!(house.superseded(first), "the oldest gave way without a word");
    assert!(more.iter().all(|asker| !house.superseded(*asker)));
    house.phone_says(Approve);
    house.granted();
    let accepts = more.iter().filter(|asker| house.told(**asker) == Told::Accept).count();
    assert_eq!((house.told(more[8]), accepts), (Told::Accept, 1));
}

#[test]
fn a_bare_reask_takes_nothing_from_a_signed_login() {
    let mut house = house(&[Push]);
    let signed = house.carols_phone_rings(&carol(), &[Push]);
    let bare = house.ask(&bare_carol());
    house.pass(28);
    assert_eq!(house.told(bare), Told::Nothing);
    assert!(matches!(house.told(signed), Told::Challenge(_)), "its own deadline, whoever else waits");
    let answers = house.ask(&carol().to(house.state_of(signed)).typing(""));
    house.phone_says(Approve);
    house.granted();
    assert_eq!((house.told(answers), house.told(bare)), (Told::Accept, Told::Nothing));
}

#[test]
fn a_signed_reask_never_joins_a_bare_one() {
    let mut house = house(&[Push]);
    house.carols_phone_rings(&bare_carol(), &[Push]);
    house.ask(&carol());
    assert_eq!(house.asked_primary(), 2);
}

#[test]
fn a_bare_reask_after_the_patience_comes_back_to_the_phone_that_still_rings() {
    let mut house = house(&[Push]);
    let desk = bare_carol().at("desk");
    let first = house.carols_phone_rings(&desk, &[Push]);
    house.pass(28);
    assert_eq!(house.told(first), Told::Reject(Reason::Unanswered));
    let second = house.ask(&desk);
    house.phone_says(Approve);
    house.granted();
    assert_eq!((house.told(second), house.pushes(), house.asked_primary()), (Told::Accept, 1, 1));
}

#[test]
fn beside_a_number_on_a_screen_a_bare_reask_is_shown_none() {
    let mut house = house(&[Push]);
    let web = bare_carol().at("web");
    house.carols_phone_rings(&web, &[Push]);
    let second = house.ask(&web);
    assert_eq!((house.told(second), house.asked_primary()), (Told::Nothing, 1));
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
    let status = PromptStatus::Approved { device: DeviceId("phone".into()), at: Wall(1_800_000_000_000) };
    let ends_at = Wall(1_800_000_060_000);
    house.claim_is(&Claim::Joined { prompt: old_prompt(), ends_at, status });
    house.granted();
    assert_eq!((house.told(asks), house.pushes()), (Told::Accept, 0));
}

/// After a crash carol joins her prompt of before, while her phone says something.
fn carol_joins_after_a_crash(house: &mut House, ask: &Ask, crosses: PromptStatus) -> AskerId {
    let asks = house.ask(ask);
    house.primary_says(true);
    house.user_has(&[Push, Totp]);
    let ends_at = Wall(1_800_000_060_000);
    house.claim_is(&Claim::Joined { prompt: old_prompt(), ends_at, status: PromptStatus::Pending });
    house.hears(&Event::Crossed { prompt: old_prompt(), status: crosses });
    asks
}

#[test]
fn a_no_that_crosses_a_join_ends_the_joiner_whatever_codes_it_has() {
    for (status, reason) in [(PromptStatus::Denied, Reason::Denied), (PromptStatus::Reported, Reason::Fraud)] {
        let mut house = house(&[Push, Totp]);
        let asks = carol_joins_after_a_crash(&mut house, &carol(), status);
        house.pass(2);
        assert_eq!(house.told(asks), Told::Reject(reason));
    }
}

#[test]
fn a_prompt_that_ended_in_silence_while_it_was_joined_leaves_the_code() {
    let mut house = house(&[Push, Totp]);
    let asks = carol_joins_after_a_crash(&mut house, &carol(), PromptStatus::Ended);
    assert_eq!(house.reads(asks), Say::EnterCode);
}

#[test]
fn a_yes_that_crosses_a_join_lets_in_where_no_number_is_asked_for() {
    let approved = || PromptStatus::Approved { device: DeviceId("phone".into()), at: Wall(1_800_000_000_000) };
    let mut plain = house(&[Push, Totp]);
    let asks = carol_joins_after_a_crash(&mut plain, &carol(), approved());
    plain.granted();
    assert_eq!(plain.told(asks), Told::Accept);
    let mut numbered = house(&[Push, Totp]);
    let asks = carol_joins_after_a_crash(&mut numbered, &carol().at("web"), approved());
    let enter = numbered.ask(&carol().at("web").to(numbered.state_of(asks)).typing(""));
    assert_eq!(
        (numbered.told(enter), numbered.releases()),
        (Told::Nothing, 0),
        "which number it brought is on its way"
    );
    let (prompt, device, number) = (old_prompt(), DeviceId("phone".into()), Some(numbered.number_of(asks)));
    numbered.hears(&Event::Phone { prompt, device, answer: Approve, number });
    numbered.granted();
    assert_eq!(numbered.told(enter), Told::Accept);
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

#[test]
fn the_push_leaves_only_when_its_prompt_is_claimed() {
    let mut house = house(&[Push]);
    house.ask(&carol());
    house.primary_says(true);
    house.user_has(&[Push]);
    assert_eq!(house.pushes(), 0);
    house.claim_is(&Claim::Claimed { displaced: None });
    assert_eq!(house.pushes(), 1);
}

#[test]
fn a_displaced_prompt_leaves_its_login_the_code() {
    let mut house = house(&[Push, Totp]);
    let asks = house.carols_phone_rings(&carol(), &[Push, Totp]);
    house.displaced();
    let answers = house.ask(&carol().to(house.state_of(asks)).typing("123456"));
    house.code_is(&right_code());
    house.granted();
    assert_eq!(house.told(answers), Told::Accept);
}

#[test]
fn another_login_that_has_no_codes_is_told_that_the_phone_is_taken() {
    let mut house = house(&[Push]);
    let asks = house.ask(&carol().from("192.0.2.99"));
    house.primary_says(true);
    house.user_has(&[Push]);
    house.claim_is(&Claim::Busy);
    house.pass(2);
    assert_eq!(house.told(asks), Told::Reject(Reason::Busy));
}

#[test]
fn nobody_waits_for_a_silent_primary_longer_than_its_client_does() {
    let mut house = house(&[Push]);
    let asks = house.ask(&carol());
    house.pass(27);
    let left_alone = |effect: &Effect| matches!(effect, Effect::Unchecked(asker) if *asker == asks);
    assert_eq!(house.count(left_alone), 1, "rules A10: so that it may ask another server");
}

#[test]
fn a_stopping_server_leaves_nobody_without_an_answer() {
    let mut house = house(&[Push]);
    let held = house.carols_phone_rings(&carol(), &[Push]);
    let at_the_primary = house.ask(&carol().from("192.0.2.99"));
    house.drain();
    assert_eq!(house.told(held), Told::Reject(Reason::Draining));
    assert_eq!(house.told(at_the_primary), Told::Reject(Reason::Draining));
    assert_eq!(house.sessions(), 2, "both remember their Reject for ten seconds");
}

#[test]
fn an_answer_that_would_not_fit_is_refused_before_anybody_is_prompted() {
    let mut house = house(&[Push]);
    let asker = house.ask(&Ask { overhead: 4097, ..carol() });
    house.primary_says(true);
    house.user_has(&[Push]);
    assert_eq!(house.pushes(), 0);
    house.pass(2);
    assert_eq!(house.told(asker), Told::Reject(Reason::TooLarge));
}

#[test]
fn a_later_asker_for_whom_the_answer_would_not_fit_is_refused_alone() {
    let mut house = house(&[Push]);
    let first = house.carols_phone_rings(&carol(), &[Push]);
    let second = house.ask(&Ask { overhead: 4097, ..carol() });
    assert_eq!(house.told(second), Told::Reject(Reason::TooLarge));
    house.phone_says(Approve);
    house.granted();
    assert_eq!(house.told(first), Told::Accept, "the login that is held goes on");
}
