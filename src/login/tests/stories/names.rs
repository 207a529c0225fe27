//! One account, many spellings: whose name a login's is (rules A2).

use std::sync::Arc;

use login::Method::Totp;
use login::name::Realms;
use login::policy::{Condition, Glob, Policy, PrimaryPolicy, Rule, Verdict};
use login::{GroupName, PrimaryName, Reason, ResolvedUser, UserFacts};

use crate::house::{Ask, House, Told, carol, house, right_code};

/// A house whose primary `nps` is a server that is not ours, and under these realms.
fn outside(names: PrimaryPolicy, realms: Realms) -> House {
    let mut house = house(&[Totp]);
    let primaries = [(PrimaryName::new("nps"), names)].into();
    house.policy = Arc::new(Policy {
        rules: house.policy.rules.clone(),
        clients: house.policy.clients.clone(),
        primaries,
        realms,
        ..Policy::default()
    });
    house
}

fn with_rule_first(house: &mut House, when: Condition, verdict: Verdict) {
    let all = house.policy.rules.last().unwrap();
    let first = Rule {
        name: login::RuleName::new("first"),
        when,
        until: None,
        verdict,
        reply: all.reply.clone(),
        unenrolled: all.unenrolled,
        if_unavailable: all.if_unavailable.clone(),
        number_required: false,
    };
    let rules = [Arc::new(first)].into_iter().chain(house.policy.rules.clone()).collect();
    house.policy = Arc::new(Policy {
        rules,
        clients: house.policy.clients.clone(),
        primaries: house.policy.primaries.clone(),
        realms: house.policy.realms.clone(),
        ..Policy::default()
    });
}

fn named(user: &'static str) -> Ask {
    Ask { user, ..carol() }
}

fn told(house: &mut House, user: &'static str) -> Told {
    let asks = house.ask(&named(user));
    house.pass(2);
    house.told(asks)
}

#[test]
fn letters_that_a_primary_may_not_tell_apart_reach_it_only_where_staff_added_just_that_name() {
    for user in ["álice", "ALİCE", "alıce", "straße", "jane  doe"] {
        let mut house = outside(PrimaryPolicy::default(), Realms::Unsaid);
        let asks = house.ask(&named(user));
        house.user_is(&UserFacts { known: true, ..UserFacts::default() });
        house.pass(2);
        assert_eq!((house.told(asks), house.asked_primary()), (Told::Reject(Reason::Letters), 0), "{user}");
    }
    for (user, spelled, asked) in [("Straße", "straße", 1), ("Straße", "strasse", 0)] {
        let mut house = outside(PrimaryPolicy::default(), Realms::Unsaid);
        house.ask(&named(user));
        house.user_is(&UserFacts { known: true, spelled: Some(spelled.into()), ..UserFacts::default() });
        assert_eq!(house.asked_primary(), asked, "{user} where {spelled} was added");
    }
}

#[test]
fn a_primary_that_tells_letters_apart_or_says_who_it_is_is_asked_about_any() {
    let distinct = PrimaryPolicy { letters_distinct: true, ..PrimaryPolicy::default() };
    let tells = PrimaryPolicy { tells_user: true, ..PrimaryPolicy::default() };
    for names in [distinct, tells] {
        let mut house = outside(names, Realms::Unsaid);
        house.ask(&named("álice"));
        assert_eq!(house.asked_primary(), 1);
    }
}

#[test]
fn a_realm_reaches_no_outside_primary_before_somebody_says_what_realms_mean() {
    let mut unsaid = outside(PrimaryPolicy { letters_distinct: true, tells_user: true }, Realms::Unsaid);
    for user in ["CORP\\carol", "carol@corp.example"] {
        assert_eq!(told(&mut unsaid, user), Told::Reject(Reason::Realm), "{user}");
    }
    assert_eq!(unsaid.asked_primary(), 0);
    let mut part_of_name = outside(PrimaryPolicy::default(), Realms::PartOfName);
    part_of_name.ask(&named("carol@corp.example"));
    assert_eq!(part_of_name.asked_primary(), 1);
    let mut ours = house(&[Totp]);
    ours.ask(&named("carol@corp.example"));
    assert_eq!(ours.asked_primary(), 1, "our own primary reads names as we do");
}

#[test]
fn a_bare_name_is_its_default_realms_person_and_refused_where_there_is_none() {
    let realms = |default| Realms::listed([("EXAMPLE".to_owned(), "example.com".to_owned())], default);
    let mut none = outside(PrimaryPolicy::default(), realms(None));
    assert_eq!(told(&mut none, "carol"), Told::Reject(Reason::Realm));
    let mut house = outside(PrimaryPolicy::default(), realms(Some("example.com")));
    let when = Condition::User(vec![Glob::new("carol@example.com")]);
    with_rule_first(&mut house, when, Verdict::Deny("Not you.".into()));
    for user in ["carol", "EXAMPLE\\Carol", "carol@example.com"] {
        assert_eq!(told(&mut house, user), Told::Reject(Reason::Rule), "{user}");
    }
}

#[test]
fn a_look_alike_of_a_user_never_gets_in_nor_is_prompted() {
    let mut house = house(&[Totp]);
    let asks = house.ask(&named("alíce"));
    house.primary_says(true);
    let alice = Some(ResolvedUser::new("alice"));
    house.user_is(&UserFacts { looks_like: alice, methods: vec![Totp], known: true, ..UserFacts::default() });
    house.pass(2);
    assert_eq!(house.told(asks), Told::Reject(Reason::LookAlike));
    assert_eq!(house.guesses(), 0);
}

#[test]
fn nobody_is_exempt_for_not_being_in_a_group_whom_nobody_knows() {
    let outside_of_staff = || Condition::Not(Box::new(Condition::Group(vec![GroupName::folded("Staff")])));
    for (known, told) in [(false, Told::Reject(Reason::Undecided)), (true, Told::Accept)] {
        let mut house = house(&[Totp]);
        with_rule_first(&mut house, outside_of_staff(), Verdict::Exempt);
        let asks = house.ask(&carol());
        house.primary_says(true);
        house.user_is(&UserFacts { known, ..UserFacts::default() });
        if known {
            house.granted();
        }
        house.pass(2);
        assert_eq!(house.told(asks), told, "known: {known}");
    }
}

#[test]
fn twelve_digits_are_a_person_and_a_dollar_is_one_where_a_rule_spells_it_out() {
    let mut house = house(&[Totp]);
    house.ask(&named("202400001234"));
    assert_eq!(house.asked_primary(), 1);
    assert_eq!(told(&mut house, "$enab15$"), Told::Reject(Reason::NoRule));
    let spelled = Condition::User(vec![Glob::new("$enab15$")]);
    with_rule_first(&mut house, spelled, Verdict::Require(vec![Totp]));
    house.pass(11);
    house.ask(&named("$enab15$"));
    assert_eq!(house.asked_primary(), 2);
    assert_eq!(told(&mut house, "pc1$"), Told::Reject(Reason::NoRule), "it is still a machine");
    assert_eq!(told(&mut house, "host/pc1.example.com"), Told::Reject(Reason::NoRule));
}

#[test]
fn a_state_is_its_persons_in_whatever_letters() {
    let mut house = house(&[Totp]);
    let (_, state) = house.carol_is_asked_for_a_code(&carol());
    let answers = house.ask(&Ask { user: "CAROL", ..carol().to(state).typing("123456") });
    house.code_is(&right_code());
    house.granted();
    assert_eq!(house.told(answers), Told::Accept);
}
