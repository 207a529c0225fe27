//! A number ties a phone to one screen (rules F8); bypasses, and what comes first (F4).

use login::Method::{Push, Totp};
use login::PhoneAnswer::Approve;
use login::event::Effect;
use login::policy::Rule;
use login::words::Say;
use login::{
    AskerId, BypassId, Claim, CodeOutcome, DeviceId, GroupName, Means, Method, Number, NumberMatch, NumberOutcome,
    Opens, PromptStatus, Reason, ReleaseOutcome, UserFacts, Wall,
};
use std::sync::Arc;

use crate::house::{House, Told, carol, house, right_code};

fn phone() -> DeviceId {
    DeviceId("phone".into())
}

fn facts(methods: &[Method]) -> UserFacts {
    UserFacts { known: true, ever_enrolled: true, methods: methods.to_vec(), ..UserFacts::default() }
}

/// Carol asked at that client with her right password, and the store tells this of her.
fn asked(house: &mut House, client: &'static str, facts: &UserFacts) -> AskerId {
    let asker = house.ask(&carol().at(client));
    house.primary_says(true);
    house.user_is(facts);
    asker
}

fn require_a_number(house: &mut House) {
    house.amend(|law| {
        let rule = law.rules.pop().and_then(Arc::into_inner).unwrap();
        law.rules.push(Arc::new(Rule { number_required: true, ..rule }));
    });
}

#[test]
fn the_challenge_shows_a_number_enter_is_held_and_a_yes_with_it_lets_in() {
    let mut house = house(&[Push]);
    let asks = house.carols_phone_rings(&carol().at("web"), &[Push]);
    let number = house.number_of(asks);
    assert_eq!(house.rang_for().number, NumberMatch::Shown(number));
    let enter = house.ask(&carol().at("web").to(house.state_of(asks)).typing(""));
    assert_eq!(house.told(enter), Told::Nothing);
    house.phone_chooses(Approve, Some(number));
    house.granted();
    assert_eq!(house.told(enter), Told::Accept);
}

#[test]
fn a_yes_before_enter_lets_in_with_enter() {
    let mut house = house(&[Push]);
    let asks = house.carols_phone_rings(&carol().at("web"), &[Push]);
    house.phone_chooses(Approve, Some(house.number_of(asks)));
    let enter = house.ask(&carol().at("web").to(house.state_of(asks)).typing(""));
    house.granted();
    assert_eq!(house.told(enter), Told::Accept);
}

/// Rules F8: who typed another number reads it at the VPN too, however late Enter comes, and one login is one record.
#[test]
fn enter_after_a_wrong_number_tells_of_it_and_is_no_login_of_its_own() {
    for waits in [0, 8, 60] {
        let mut house = house(&[Push]);
        let asks = house.carols_phone_rings(&carol().at("web"), &[Push]);
        let state = house.state_of(asks);
        house.wrong_number();
        let records = house.count(|effect| matches!(effect, Effect::Record(_)));
        house.pass(waits);
        let enter = house.ask(&carol().at("web").to(state).typing(""));
        house.pass(2);
        assert_eq!(house.told(enter), Told::Reject(Reason::WrongNumber), "after {waits} s");
        assert_eq!(house.count(|effect| matches!(effect, Effect::Record(_))), records, "no record of its own");
        house.pass(130);
        assert_eq!((house.sessions(), house.bytes()), (0, 0));
    }
}

#[test]
fn a_yes_without_its_number_is_nobodys() {
    let mut house = house(&[Push]);
    let asks = house.carols_phone_rings(&carol().at("web"), &[Push]);
    house.ask(&carol().at("web").to(house.state_of(asks)).typing(""));
    house.phone_says(Approve);
    assert_eq!(house.releases(), 0);
}

#[test]
fn a_reask_gets_its_own_state_and_number_and_rings_no_second_time() {
    let mut house = house(&[Push]);
    let first = house.carols_phone_rings(&carol().at("web"), &[Push]);
    let second = house.carol_joins_her_prompt(&carol().at("web"), PromptStatus::Pending);
    assert_ne!(house.state_of(first), house.state_of(second));
    assert_ne!(house.number_of(first), house.number_of(second));
    assert_eq!(house.pushes(), 1);
}

#[test]
fn no_two_screens_of_one_login_show_the_same_number() {
    let mut house = house(&[Push]);
    let askers = eight_screens(&mut house);
    let numbers: std::collections::BTreeSet<_> = askers.iter().map(|asker| house.number_of(*asker)).collect();
    assert_eq!(numbers.len(), 8);
}

/// Carol asked so often that no ninth screen is left, within a minute; the askers that were shown one.
fn eight_screens(house: &mut House) -> Vec<AskerId> {
    let mut screens = vec![house.carols_phone_rings(&carol().at("web"), &[Push])];
    screens.extend((0..7).map(|_| house.carol_joins_her_prompt(&carol().at("web"), PromptStatus::Pending)));
    screens
}

#[test]
fn a_ninth_screen_takes_the_place_of_the_oldest_and_the_newest_asker_wins() {
    let mut house = house(&[Push]);
    let screens = eight_screens(&mut house);
    let held = house.ask(&carol().at("web").to(house.state_of(screens[0])).typing(""));
    let ninth = house.carol_joins_her_prompt(&carol().at("web"), PromptStatus::Pending);
    house.pass(2);
    assert_eq!(house.told(held), Told::Reject(Reason::Superseded));
    let tenth = house.carol_joins_her_prompt(&carol().at("web"), PromptStatus::Pending);
    house.pass(2);
    let second = house.ask(&carol().at("web").to(house.state_of(screens[1])).typing(""));
    house.pass(2);
    assert_eq!(house.told(second), Told::Reject(Reason::Superseded), "the oldest that was left gave way");
    let enter = house.ask(&carol().at("web").to(house.state_of(tenth)).typing(""));
    house.phone_chooses(Approve, Some(house.number_of(tenth)));
    house.granted();
    assert_eq!((house.told(enter), house.pushes()), (Told::Accept, 1));
    assert_ne!(house.number_of(ninth), house.number_of(tenth));
}

#[test]
fn who_asks_just_after_an_older_screen_gave_way_is_not_refused_with_it() {
    let mut house = house(&[Push]);
    eight_screens(&mut house);
    house.carol_joins_her_prompt(&carol().at("web"), PromptStatus::Pending);
    let tenth = house.carol_joins_her_prompt(&carol().at("web"), PromptStatus::Pending);
    assert!(matches!(house.told(tenth), Told::Challenge(_)), "{:?}", house.told(tenth));
}

#[test]
fn a_wrong_password_takes_the_place_of_no_screen() {
    let mut house = house(&[Push]);
    let screens = eight_screens(&mut house);
    let guess = house.ask(&carol().at("web").typing("wrong"));
    house.pass(2);
    assert_eq!(house.told(guess), Told::Reject(Reason::Overload));
    let enter = house.ask(&carol().at("web").to(house.state_of(screens[0])).typing(""));
    house.phone_chooses(Approve, Some(house.number_of(screens[0])));
    house.granted();
    assert_eq!(house.told(enter), Told::Accept);
}

#[test]
fn a_screen_that_is_let_in_gives_way_to_nobody() {
    let mut house = house(&[Push]);
    let screens = eight_screens(&mut house);
    let enter = house.ask(&carol().at("web").to(house.state_of(screens[0])).typing(""));
    house.phone_chooses(Approve, Some(house.number_of(screens[0])));
    house.ask(&carol().at("web"));
    house.granted();
    assert_eq!(house.told(enter), Told::Accept);
}

#[test]
fn a_reask_joins_the_one_that_is_on_its_way_beside_a_screen_with_a_number() {
    let mut house = house(&[Push]);
    house.carols_phone_rings(&carol().at("web"), &[Push]);
    house.ask(&carol().at("web"));
    house.ask(&carol().at("web"));
    assert_eq!(house.asked_primary(), 2, "the first screen's, and one for both");
}

#[test]
fn the_number_chooses_the_asker_be_it_the_older_one() {
    let mut house = house(&[Push]);
    let first = house.carols_phone_rings(&carol().at("web"), &[Push]);
    let second = house.carol_joins_her_prompt(&carol().at("web"), PromptStatus::Pending);
    let older = house.ask(&carol().at("web").to(house.state_of(first)).typing(""));
    let newer = house.ask(&carol().at("web").to(house.state_of(second)).typing(""));
    house.phone_chooses(Approve, Some(house.number_of(first)));
    house.granted();
    house.pass(2);
    assert_eq!((house.told(older), house.told(newer)), (Told::Accept, Told::Reject(Reason::Superseded)));
}

#[test]
fn who_asks_while_a_chosen_screen_is_let_in_does_not_take_its_place() {
    let mut house = house(&[Push]);
    let asks = house.carols_phone_rings(&carol().at("web"), &[Push]);
    let enter = house.ask(&carol().at("web").to(house.state_of(asks)).typing(""));
    house.phone_chooses(Approve, Some(house.number_of(asks)));
    let quick = house.ask(&carol().at("web"));
    house.granted();
    assert_eq!((house.told(enter), house.told(quick)), (Told::Accept, Told::Nothing));
}

#[test]
fn a_prompt_that_is_claimed_beside_a_release_outlives_it_and_its_no_is_heard() {
    let mut house = house(&[Push]);
    let first = house.carols_phone_rings(&carol().at("web"), &[Push]);
    house.ask(&carol().at("web").to(house.state_of(first)).typing(""));
    house.phone_chooses(Approve, Some(house.number_of(first)));
    let second = house.carols_phone_rings(&carol().at("web"), &[Push]);
    let enter = house.ask(&carol().at("web").to(house.state_of(second)).typing(""));
    house.granted();
    house.phone_says(login::PhoneAnswer::Deny);
    house.pass(2);
    assert_eq!(house.told(enter), Told::Reject(Reason::Denied));
}

#[test]
fn a_screen_that_comes_after_the_yes_asks_for_no_number() {
    let mut house = house(&[Push]);
    let first = house.carols_phone_rings(&carol().at("web"), &[Push]);
    house.phone_chooses(Approve, Some(house.number_of(first)));
    let status = PromptStatus::Approved { device: phone(), at: Wall(1_800_000_000_000) };
    let late = house.carol_joins_her_prompt(&carol().at("web"), status);
    house.pass(2);
    assert_eq!(house.told(late), Told::Reject(Reason::Busy));
}

#[test]
fn a_yes_to_a_screen_that_is_gone_is_waited_for_ten_seconds_whoever_goes_on_asking() {
    let mut house = house(&[Push]);
    let asks = house.carols_phone_rings(&carol().at("web"), &[Push]);
    house.ask(&carol().at("web").to(house.state_of(asks)).typing(""));
    house.phone_chooses(Approve, Some(Number(7)));
    house.pass(11);
    assert_eq!(house.count(|effect| matches!(effect, Effect::ClosePrompt { .. })), 1);
}

#[test]
fn where_the_phone_is_taken_the_screen_shows_no_number_and_a_reask_gets_the_same_challenge() {
    let mut house = house(&[Push, Totp]);
    let asks =
        asked(&mut house, "web", &UserFacts { chooses_number: true, types_number: true, ..facts(&[Push, Totp]) });
    house.claim_is(&Claim::Busy);
    let again = house.ask(&carol().at("web"));
    assert_eq!((house.reads(asks), house.told(again)), (Say::BusyEnterCode, house.told(asks)));
}

#[test]
fn a_code_still_helps_beside_a_number() {
    let mut house = house(&[Push, Totp]);
    let asks = house.carols_phone_rings(&carol().at("web"), &[Push, Totp]);
    let code = house.ask(&carol().at("web").to(house.state_of(asks)).typing("123456"));
    house.code_is(&right_code());
    house.granted();
    assert_eq!(house.told(code), Told::Accept);
}

#[test]
fn typed_digits_that_are_the_phones_let_in() {
    let mut house = house(&[Push]);
    let asks = house.carols_phone_rings(&carol().at("term"), &[Push]);
    assert_eq!(house.reads(asks), Say::TypeDigits);
    let types = house.ask(&carol().at("term").to(house.state_of(asks)).typing("042042"));
    house.digits_are(&NumberOutcome::Right { device: phone() });
    house.granted();
    assert_eq!(house.told(types), Told::Accept);
    let (prompt, _) = house.newest_prompt();
    let means = Means::Prompt { prompt, device: phone(), number: None };
    assert!(house.release_checks().all(|check| check.means == means), "the store looks at the phone that showed them");
}

#[test]
fn wrong_digits_get_a_new_state_and_the_third_ones_end_the_session() {
    let mut house = house(&[Push]);
    let asks = house.carols_phone_rings(&carol().at("term"), &[Push]);
    let beside = house.carol_joins_her_prompt(&carol().at("term").typing("right,push"), PromptStatus::Pending);
    let (mut state, mut types) = (house.state_of(asks), asks);
    for (digits, outcome) in
        [("111111", NumberOutcome::Wrong), ("222222", NumberOutcome::Wrong), ("333333", NumberOutcome::Denied)]
    {
        types = house.ask(&carol().at("term").to(state).typing(digits));
        house.digits_are(&outcome);
        if outcome == NumberOutcome::Wrong {
            assert_eq!(house.reads(types), Say::WrongDigits);
            assert_ne!(house.state_of(types), state);
            state = house.state_of(types);
        }
    }
    house.pass(2);
    assert_eq!(house.told(types), Told::Reject(Reason::Denied));
    let answers = house.ask(&carol().at("term").to(house.state_of(beside)).typing("042042"));
    house.pass(2);
    assert_eq!(house.told(answers), Told::Reject(Reason::Denied), "the other screen of this login is over, too");
}

#[test]
fn a_code_is_taken_where_digits_are_asked_for() {
    let mut house = house(&[Push, Totp]);
    let asks = house.carols_phone_rings(&carol().at("term"), &[Push, Totp]);
    let types = house.ask(&carol().at("term").to(house.state_of(asks)).typing("123456"));
    house.digits_are(&NumberOutcome::Wrong);
    house.code_is(&right_code());
    house.granted();
    assert_eq!(house.told(types), Told::Accept);
}

#[test]
fn the_same_wrong_digits_are_looked_at_once_even_while_codes_are_off() {
    let mut house = house(&[Push, Totp]);
    let asks = house.carols_phone_rings(&carol().at("term"), &[Push, Totp]);
    let types = house.ask(&carol().at("term").to(house.state_of(asks)).typing("111111"));
    house.digits_are(&NumberOutcome::Wrong);
    house.code_is(&CodeOutcome::Locked { until: Wall::NEVER });
    house.ask(&carol().at("term").to(house.state_of(types)).typing("111111"));
    assert_eq!(house.count(|effect| matches!(effect, Effect::TypeNumber { .. })), 1);
}

#[test]
fn digits_of_a_prompt_that_made_room_open_no_other_one() {
    let mut house = house(&[Push, Totp]);
    let asks = house.carols_phone_rings(&carol().at("term"), &[Push, Totp]);
    let types = house.ask(&carol().at("term").to(house.state_of(asks)).typing("042042"));
    house.displaced();
    house.digits_are(&NumberOutcome::Right { device: phone() });
    house.pass(2);
    assert_eq!((house.told(types), house.releases()), (Told::Reject(Reason::Changed), 0));
}

#[test]
fn a_required_number_that_no_phone_can_show_goes_to_the_next_method_and_never_to_a_plain_push() {
    let mut house = house(&[Push, Totp]);
    require_a_number(&mut house);
    let asks = asked(&mut house, "vpn", &facts(&[Push, Totp]));
    assert_eq!((house.reads(asks), house.pushes()), (Say::EnterCode, 0));
}

#[test]
fn a_phone_that_lets_choose_and_shows_no_digits_is_asked_where_the_number_is_shown_only() {
    let chooses = UserFacts { chooses_number: true, ..facts(&[Push, Totp]) };
    let mut shown = house(&[Push, Totp]);
    asked(&mut shown, "web", &chooses);
    shown.claim_is(&Claim::Claimed { displaced: None });
    assert!(matches!(shown.rang_for().number, NumberMatch::Shown(_)));
    let mut typed = house(&[Push, Totp]);
    let asks = asked(&mut typed, "term", &chooses);
    assert_eq!((typed.reads(asks), typed.pushes()), (Say::EnterCode, 0));
}

#[test]
fn who_must_open_the_app_or_the_page_is_told_so_beside_a_number_too() {
    let silent = |methods: &[Method], opens: Opens| UserFacts {
        must_open: Some(opens),
        chooses_number: true,
        types_number: true,
        ..facts(methods)
    };
    let reads = |client: &'static str, methods: &[Method], opens: Opens| {
        let mut house = house(methods);
        let asks = asked(&mut house, client, &silent(methods, opens));
        house.claim_is(&Claim::Claimed { displaced: None });
        house.reads(asks)
    };
    assert!(matches!(reads("web", &[Push], Opens::App), Say::OpenAppChoose(_)));
    assert!(matches!(reads("web", &[Push, Totp], Opens::App), Say::OpenAppChooseOrCode(_)));
    assert_eq!(reads("term", &[Push], Opens::App), Say::OpenAppTypeDigits);
    // On our own page a number is typed, and never chosen (F8).
    assert!(matches!(reads("web", &[Push], Opens::Page), Say::OpenPageTypeNumber(_)));
    assert!(matches!(reads("web", &[Push, Totp], Opens::Page), Say::OpenPageTypeNumberOrCode(_)));
    assert_eq!(reads("term", &[Push], Opens::Page), Say::OpenPageTypeDigits);
}

#[test]
fn a_required_number_where_no_challenge_can_be_shown_rings_nowhere() {
    let mut house = house(&[Push, Totp]);
    require_a_number(&mut house);
    let asks =
        asked(&mut house, "desk", &UserFacts { chooses_number: true, types_number: true, ..facts(&[Push, Totp]) });
    house.pass(2);
    assert_eq!((house.told(asks), house.pushes()), (Told::Reject(Reason::PhoneCannot), 0));
}

#[test]
fn a_required_number_is_shown_also_where_the_client_wishes_for_none() {
    let mut house = house(&[Push]);
    require_a_number(&mut house);
    let asks = house.carols_phone_rings(&carol(), &[Push]);
    assert_eq!(house.rang_for().number, NumberMatch::Shown(house.number_of(asks)));
}

#[test]
fn a_push_without_number_opens_nothing_once_the_law_requires_one() {
    let mut house = house(&[Push]);
    let asks = house.carols_phone_rings(&carol(), &[Push]);
    require_a_number(&mut house);
    house.phone_says(Approve);
    house.pass(2);
    assert_eq!((house.told(asks), house.releases()), (Told::Reject(Reason::PolicyChanged), 0));
}

#[test]
fn where_pushes_ask_for_a_pin_a_phone_that_cant_is_passed_over() {
    let mut house = house(&[Push, Totp]);
    house.amend(|law| law.push_pin = true);
    let without = asked(&mut house, "vpn", &facts(&[Push, Totp]));
    assert_eq!((house.reads(without), house.pushes()), (Say::EnterCode, 0));
    let (has, elsewhere) = (UserFacts { pin_phones: true, ..facts(&[Push, Totp]) }, "wifi");
    asked(&mut house, elsewhere, &has);
    house.claim_is(&Claim::Claimed { displaced: None });
    assert!(house.rang_for().pin);
}

#[test]
fn a_bypass_lets_in_and_its_release_spends_it() {
    let mut house = house(&[Push]);
    let bypass = BypassId("b1".into());
    let asks = asked(&mut house, "vpn", &UserFacts { bypass: Some(bypass.clone()), ..facts(&[Push]) });
    assert!(house.release_checks().all(|check| check.means == Means::Bypass(bypass.clone())));
    house.granted();
    assert_eq!((house.told(asks), house.pushes()), (Told::Accept, 0));
}

#[test]
fn a_bypass_that_was_spent_meanwhile_lets_nobody_in() {
    let mut house = house(&[Push]);
    let asks = asked(&mut house, "vpn", &UserFacts { bypass: Some(BypassId("b1".into())), ..facts(&[Push]) });
    house.release_is(&ReleaseOutcome::Refused("bypass spent".into()));
    house.pass(2);
    assert_eq!(house.told(asks), Told::Reject(Reason::Changed));
}

#[test]
fn a_bypass_is_not_for_staff() {
    let mut house = house(&[Push]);
    house.amend(|law| law.staff = vec![GroupName::folded("admins")]);
    let groups = [GroupName::folded("admins")].into();
    let bypass = Some(BypassId("b1".into()));
    asked(&mut house, "vpn", &UserFacts { bypass, groups, ..facts(&[Push]) });
    house.claim_is(&Claim::Claimed { displaced: None });
    assert_eq!((house.releases(), house.pushes()), (0, 1));
}

#[test]
fn a_bypass_is_not_for_whom_the_law_makes_staff_before_the_release() {
    let mut house = house(&[Push]);
    let asks = house.ask(&carol());
    house.amend(|law| law.staff = vec![GroupName::folded("admins")]);
    house.primary_says(true);
    let groups = [GroupName::folded("admins")].into();
    house.user_is(&UserFacts { bypass: Some(BypassId("b1".into())), groups, ..facts(&[Push]) });
    house.pass(2);
    assert_eq!((house.told(asks), house.releases()), (Told::Reject(Reason::PolicyChanged), 0));
}

#[test]
fn a_bypass_does_not_excuse_a_wrong_appended_code() {
    let mut house = house(&[Totp]);
    let asks = house.ask(&carol().typing("right,000000"));
    house.primary_says(true);
    house.user_is(&UserFacts { bypass: Some(BypassId("b1".into())), ..facts(&[Totp]) });
    house.code_is(&CodeOutcome::Wrong);
    house.pass(2);
    assert_eq!(house.told(asks), Told::Reject(Reason::WrongCode));
}

#[test]
fn what_the_user_prefers_comes_first_where_the_rule_lists_it() {
    let mut prefers = house(&[Push, Totp]);
    let asks = asked(&mut prefers, "vpn", &UserFacts { prefers: Some(Totp), ..facts(&[Push, Totp]) });
    assert_eq!((prefers.reads(asks), prefers.pushes()), (Say::EnterCode, 0));
    let mut unlisted = house(&[Push]);
    asked(&mut unlisted, "vpn", &UserFacts { prefers: Some(Totp), ..facts(&[Push, Totp]) });
    unlisted.claim_is(&Claim::Claimed { displaced: None });
    assert_eq!(unlisted.pushes(), 1);
}
