//! The last look before an Accept, and the look before it leaves once more (rules A6, G2, C1).

use login::Method::{Push, Totp};
use login::PhoneAnswer::Approve;
use login::policy::{NumberWish, Policy};
use login::{AskerId, Claim, ClientName, Means, Reason, ReleaseCheck, ReleaseOutcome};

use crate::house::{House, Told, carol, house, right_code};

/// Carol got in through `wifi`, and the same connection asks once more.
fn carol_is_in_and_asks_again() -> (House, AskerId) {
    let mut house = house(&[Push]);
    house.carols_phone_rings(&carol().at("wifi"), &[Push]);
    house.phone_says(Approve);
    house.granted();
    let again = house.ask(&carol().at("wifi"));
    (house, again)
}

#[test]
fn an_accept_is_not_repeated_to_who_lost_the_method_that_opened_the_door() {
    let (mut house, again) = carol_is_in_and_asks_again();
    house.user_has(&[Totp]);
    assert_eq!((house.told(again), house.asked_primary()), (Told::Reject(Reason::Changed), 1));
}

#[test]
fn an_accept_is_not_repeated_under_another_law() {
    let (mut house, again) = carol_is_in_and_asks_again();
    house.amend(|_| {});
    house.user_has(&[Push]);
    assert_eq!(house.told(again), Told::Reject(Reason::PolicyChanged));
}

/// Carol's phone rings for no number and no PIN; then the law changes, and she says yes.
fn carol_says_yes_under_another_law(change: impl FnOnce(&mut Policy)) -> (House, AskerId) {
    let mut house = house(&[Push]);
    let asks = house.carols_phone_rings(&carol(), &[Push]);
    house.amend(change);
    house.phone_says(Approve);
    house.pass(2);
    (house, asks)
}

#[test]
fn a_push_without_number_opens_nothing_once_its_client_asks_for_one() {
    let (house, asks) = carol_says_yes_under_another_law(|law| {
        law.clients.get_mut(&ClientName::new("vpn")).unwrap().number = NumberWish::Shown;
    });
    assert_eq!((house.told(asks), house.releases()), (Told::Reject(Reason::PolicyChanged), 0));
}

#[test]
fn a_push_without_a_pin_opens_nothing_once_the_law_asks_for_one() {
    let (house, asks) = carol_says_yes_under_another_law(|law| law.push_pin = true);
    assert_eq!((house.told(asks), house.releases()), (Told::Reject(Reason::PolicyChanged), 0));
}

#[test]
fn a_client_that_can_show_no_number_asks_for_none_at_the_release() {
    let mut house = house(&[Push]);
    let asks = house.carols_phone_rings(&carol().at("desk"), &[Push]);
    house.amend(|law| law.clients.get_mut(&ClientName::new("desk")).unwrap().number = NumberWish::Shown);
    house.phone_says(Approve);
    house.granted();
    assert_eq!(house.told(asks), Told::Accept);
}

#[test]
fn a_release_by_a_screen_with_a_number_says_which() {
    let mut house = house(&[Push]);
    let asks = house.carols_phone_rings(&carol().at("web"), &[Push]);
    let number = Some(house.number_of(asks));
    house.ask(&carol().at("web").to(house.state_of(asks)).typing(""));
    house.phone_chooses(Approve, number);
    let said = |check: &ReleaseCheck| matches!(check.means, Means::Prompt { number: said, .. } if said == number);
    assert!(house.releases() == 1 && house.release_checks().all(said));
}

#[test]
fn a_grant_that_is_told_after_the_deadline_is_no_accept_though_nobody_woke() {
    let mut house = house(&[Push]);
    let asks = house.carols_phone_rings(&carol(), &[Push]);
    house.phone_says(Approve);
    // The engine is busy: time passes, and the session has not been woken yet.
    house.now += 27_000;
    house.release_is(&ReleaseOutcome::Granted);
    house.pass(2);
    assert_eq!(house.told(asks), Told::Reject(Reason::StoreUnavailable));
}

#[test]
fn an_accept_is_not_repeated_past_its_ten_seconds_though_nobody_woke() {
    let mut house = house(&[Push]);
    house.carols_phone_rings(&carol().at("wifi"), &[Push]);
    house.phone_says(Approve);
    house.granted();
    house.now += 10_000;
    house.ask(&carol().at("wifi"));
    assert_eq!(house.asked_primary(), 2, "it is another login");
}

#[test]
fn an_accept_is_repeated_as_it_stands_for_its_own_login_not_for_one_that_was_let_in_since() {
    let mut house = house(&[Push, Totp]);
    let first = house.carols_phone_rings(&carol().at("web"), &[Push, Totp]);
    house.phone_chooses(Approve, Some(house.number_of(first)));
    let enter = carol().at("web").to(house.state_of(first)).typing("done");
    house.ask(&enter);
    house.granted();
    let second = house.ask(&carol().at("web"));
    house.primary_says(true);
    house.user_has(&[Push, Totp]);
    house.claim_is(&Claim::Busy);
    house.ask(&carol().at("web").to(house.state_of(second)).typing("123456"));
    house.code_is(&right_code());
    house.granted();
    let twin = house.ask(&enter);
    house.user_has(&[Totp]);
    assert_eq!(house.told(twin), Told::Reject(Reason::Changed), "it was let in by a phone that is gone");
}
