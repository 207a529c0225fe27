//! A name that is held back: its owner is asked on the phone first, and then the primary (D7). At the VPN nothing of it shows.

use login::Method::{Push, Totp};
use login::event::Effect;
use login::facts::{Means, ReleaseOutcome};
use login::{Claim, HeldBack, PhoneAnswer, PrimaryAnswer, Reason, UserFacts};
use wire::Secret;

use crate::house::{Ask, House, Told, carol, house};

fn held(house: &mut House) {
    house.primary_answers(|_| {
        let password = Some(Secret::new("hello"));
        PrimaryAnswer::HeldBack(HeldBack { is_address: false, why: "held back".into(), password })
    });
}

fn with_a_phone() -> UserFacts {
    UserFacts { known: true, ever_enrolled: true, methods: vec![Push, Totp], ..UserFacts::default() }
}

/// Asks, is held back, and the phone rings.
fn rings(house: &mut House, ask: &Ask) -> login::AskerId {
    let asks = house.ask(ask);
    held(house);
    house.user_is(&with_a_phone());
    house.claim_is(&Claim::Claimed { displaced: None });
    asks
}

fn asked_by_owner(house: &House) -> usize {
    house.count(|effect| matches!(effect, Effect::AskPrimary { by_owner: true, .. }))
}

#[test]
fn the_owners_yes_lets_the_primary_be_asked_and_is_the_second_factor_as_well() {
    let mut house = house(&[Push, Totp]);
    let asks = rings(&mut house, &carol());
    assert_eq!((house.pushes(), asked_by_owner(&house)), (1, 0), "the phone first");
    house.phone_says(PhoneAnswer::Approve);
    assert_eq!(asked_by_owner(&house), 1);
    house.primary_says(true);
    house.user_is(&with_a_phone());
    let by_phone = house.release_checks().all(|check| matches!(check.means, Means::Prompt { .. }));
    assert!(by_phone && house.pushes() == 1, "one login, one prompt");
    house.release_is(&ReleaseOutcome::Granted);
    assert_eq!(house.told(asks), Told::Accept);
}

#[test]
fn a_wrong_password_is_one_whatever_its_owner_says() {
    let mut house = house(&[Push, Totp]);
    let asks = rings(&mut house, &carol());
    house.phone_says(PhoneAnswer::Approve);
    house.primary_says(false);
    house.pass(2);
    assert_eq!(house.told(asks), Told::Reject(Reason::Primary));
}

#[test]
fn where_nobody_says_yes_the_primary_is_not_asked_and_the_words_are_a_wrong_passwords() {
    let rung = |house: &mut House| {
        house.user_is(&with_a_phone());
        house.claim_is(&Claim::Claimed { displaced: None });
    };
    let nobody = |house: &mut House| house.user_is(&UserFacts::default());
    let no_phone = |house: &mut House| house.user_is(&UserFacts { methods: vec![Totp], ..with_a_phone() });
    let denied = |house: &mut House| {
        rung(house);
        house.phone_says(PhoneAnswer::Deny);
    };
    let reported = |house: &mut House| {
        rung(house);
        house.phone_says(PhoneAnswer::Fraud);
    };
    type Goes<'a> = &'a dyn Fn(&mut House);
    let ways: [(Goes, u64); 5] = [(&nobody, 2), (&no_phone, 2), (&denied, 2), (&reported, 2), (&rung, 27)];
    for (goes, refused_after) in ways {
        let mut house = house(&[Push, Totp]);
        let asks = house.ask(&carol());
        held(&mut house);
        goes(&mut house);
        assert_eq!(house.told(asks), Told::Nothing);
        house.pass(refused_after);
        assert_eq!(house.told(asks), Told::Reject(Reason::NameHeld));
        assert_eq!(asked_by_owner(&house), 0);
        house.pass(150);
        assert_eq!((house.sessions(), house.bytes()), (0, 0));
    }
}

#[test]
fn where_a_number_is_wished_for_the_owners_yes_opens_the_way_to_the_primary_alone() {
    let mut house = house(&[Push, Totp]);
    let asks = rings(&mut house, &carol().at("web"));
    house.phone_says(PhoneAnswer::Approve);
    house.primary_says(true);
    house.user_is(&UserFacts { chooses_number: true, ..with_a_phone() });
    assert_eq!(house.releases(), 0, "rules F8: nothing is downgraded");
    house.claim_is(&Claim::Claimed { displaced: None });
    assert_eq!(house.pushes(), 2);
    assert!(house.reads(asks).number().is_some());
}

#[test]
fn an_owner_is_not_asked_for_a_bare_packet_a_code_behind_the_password_or_an_answer() {
    let may_ring =
        |house: &House| house.effects().any(|effect| matches!(effect, Effect::AskPrimary { may_ring: true, .. }));
    for (ask, rings) in [
        (carol(), true),
        (Ask { authentic: false, ..carol() }, false),
        (carol().typing("hello,123456"), false),
        (carol().typing("hello,push"), false),
    ] {
        let mut house = house(&[Push, Totp]);
        house.ask(&ask);
        assert_eq!(may_ring(&house), rings);
    }
}
