//! What ends a held login from outside: a block or a removal, which takes its prompt back (F5), and a server that stops (G3).

use login::Method::{Push, Totp};
use login::event::{Effect, Event};
use login::{PhoneAnswer, PrimaryAnswer, Reason};

use crate::house::{House, Told, carol, house};

// --- taken back -------------------------------------------------------------------------------------------------

fn taken_back(house: &mut House, blocked: Option<&str>) {
    house.answer_newest(|effect| match effect {
        Effect::Push { claim, .. } => Some(Event::Withdrawn { prompt: claim.prompt, blocked: blocked.map(Into::into) }),
        _ => None,
    });
}

#[test]
fn a_block_ends_whoever_waits_for_the_phone_at_once_whatever_codes_there_are() {
    let mut house = house(&[Push, Totp]);
    let held = house.carols_phone_rings(&carol(), &[Push, Totp]);
    taken_back(&mut house, Some("lost laptop"));
    house.pass(2);
    assert_eq!(house.told(held), Told::Reject(Reason::Blocked));
    assert_eq!(house.detail(), "lost laptop");
}

#[test]
fn a_block_ends_a_login_that_was_challenged_beside_its_push() {
    let mut house = house(&[Push, Totp]);
    let held = house.carols_phone_rings(&carol(), &[Push, Totp]);
    house.pass(28);
    let state = house.state_of(held);
    taken_back(&mut house, Some("lost laptop"));
    assert_eq!(house.record().reason, Reason::Blocked);
    let answers = house.ask(&carol().to(state).typing(""));
    house.pass(2);
    assert_eq!(house.told(answers), Told::Reject(Reason::Blocked));
}

#[test]
fn a_removed_device_ends_the_hold_and_a_code_still_works_where_there_is_one() {
    let mut house = house(&[Push, Totp]);
    let held = house.carols_phone_rings(&carol(), &[Push, Totp]);
    taken_back(&mut house, None);
    assert!(matches!(house.told(held), Told::Challenge(_)), "{:?}", house.told(held));
    house.phone_says(PhoneAnswer::Approve);
    assert_eq!(house.releases(), 0, "the phone is out of the game");
}

#[test]
fn a_removed_device_ends_the_hold_of_whoever_has_nothing_else() {
    let mut house = house(&[Push]);
    let held = house.carols_phone_rings(&carol(), &[Push]);
    taken_back(&mut house, None);
    house.pass(2);
    assert_eq!(house.told(held), Told::Reject(Reason::Changed));
    assert!(house.detail().contains("device"), "{}", house.detail());
}

#[test]
fn what_is_taken_back_while_its_release_is_under_way_is_the_releases_to_judge() {
    let mut house = house(&[Push]);
    let held = house.carols_phone_rings(&carol(), &[Push]);
    house.phone_says(PhoneAnswer::Approve);
    taken_back(&mut house, None);
    house.granted();
    assert_eq!(house.told(held), Told::Accept);
}

// --- a server that stops ----------------------------------------------------------------------------------------

#[test]
fn a_stopping_server_poses_no_challenge_whose_state_would_end_with_it() {
    let mut held_by_phone = house(&[Push, Totp]);
    let asks = held_by_phone.carols_phone_rings(&carol(), &[Push, Totp]);
    held_by_phone.stopping = true;
    held_by_phone.pass(29);
    assert_eq!(held_by_phone.told(asks), Told::Reject(Reason::Draining), "at its deadline (B5)");

    let mut on_its_way = house(&[Totp]);
    let asks = on_its_way.ask(&carol());
    on_its_way.stopping = true;
    on_its_way.primary_says(true);
    on_its_way.user_has(&[Totp]);
    on_its_way.pass(2);
    assert_eq!(on_its_way.told(asks), Told::Reject(Reason::Draining));
}

#[test]
fn a_stopping_server_passes_no_question_of_the_primary_on() {
    let mut house = house(&[Totp]);
    let asks = house.ask(&carol());
    house.stopping = true;
    house.primary_answers(|_| PrimaryAnswer::Challenge {
        attributes: std::sync::Arc::new(wire::HeldAttributes::none(wire::Code::AccessChallenge)),
        state: Some([4; 16].as_slice().into()),
        server: 0,
    });
    house.pass(2);
    assert_eq!(house.told(asks), Told::Reject(Reason::Draining));
}

#[test]
fn a_stopping_server_shows_an_open_challenge_to_nobody_else_but_takes_its_answer() {
    let mut house = house(&[Totp]);
    let (_, state) = house.carol_is_asked_for_a_code(&carol());
    house.stopping = true;
    let again = house.ask(&carol());
    assert_eq!(house.told(again), Told::Reject(Reason::Draining));
    let answers = house.ask(&carol().to(state).typing("123456"));
    house.code_is(&crate::house::right_code());
    house.granted();
    assert_eq!(house.told(answers), Told::Accept);
}
