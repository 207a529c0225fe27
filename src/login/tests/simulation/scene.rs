//! The people, the appliances and the laws of the simulation, and the plain truth about them: which password is right,
//! which code belongs to which step. The law stands here twice: as a policy for the machine, and in plain words
//! ([`law_says`]) for the reference model, which knows no conditions.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use login::policy::{
    ClientPolicy, Condition, Glob, IfUnavailable, Join, NumberWish, Outage, Policy, PrimaryPolicy, Rule, Unenrolled,
    Verdict, WhenUnavailable,
};
use login::{ClientName, GroupName, Method, Opens, PrimaryName, RuleName, Wall};

use crate::dice::mix;

/// When the simulation begins, in true time.
pub(crate) const WALL_0: u64 = 1_800_000_000_000;
/// How long a TOTP step is.
pub(crate) const STEP_MS: u64 = 30_000;

/// Somebody who logs in.
#[derive(Debug)]
pub(crate) struct Person {
    pub(crate) name: &'static str,
    pub(crate) password: &'static str,
    pub(crate) groups: &'static [&'static str],
    pub(crate) totp: Option<&'static str>,
    pub(crate) hotp: Option<&'static str>,
    /// The phones that ring, all of one kind.
    pub(crate) phones: &'static [&'static str],
    /// A number can be chosen on them (B4).
    pub(crate) chooses_number: bool,
    /// They can show digits to be typed (B4).
    pub(crate) types_number: bool,
    /// They can ask for a PIN, and one is set (B4).
    pub(crate) pin_phones: bool,
    /// None of them rings by itself.
    pub(crate) must_open: Option<Opens>,
    /// What this person chose to be asked for first.
    pub(crate) prefers: Option<Method>,
    /// The primary asks this person something of its own.
    pub(crate) asked_by_primary: bool,
    /// The store has such a user; the primary takes the name all the same.
    pub(crate) known: bool,
    /// Whose look-alike this name is, for a primary that does not tell their letters apart (A2).
    pub(crate) looks_like: Option<&'static str>,
}

const fn person(name: &'static str, password: &'static str, groups: &'static [&'static str]) -> Person {
    Person {
        name,
        password,
        groups,
        totp: None,
        hotp: None,
        phones: &[],
        chooses_number: true,
        types_number: true,
        pin_phones: true,
        prefers: None,
        must_open: None,
        asked_by_primary: false,
        known: true,
        looks_like: None,
    }
}

/// One phone, or two of them.
const PHONE: &[&str] = &["phone"];
const PHONES: &[&str] = &["phone", "tablet"];

pub(crate) static PEOPLE: [Person; 17] = [
    Person { totp: Some("t-alice"), phones: PHONES, ..person("alice", "pw-alice", &["staff"]) },
    Person { hotp: Some("h-bob"), phones: PHONE, ..person("bob", "pw-bob", &["staff"]) },
    Person { totp: Some("t-carol"), phones: PHONES, ..person("carol", "pw-carol", &["contractors"]) },
    Person { totp: Some("t-dave"), hotp: Some("h-dave"), ..person("dave", "pw-dave", &["ops"]) },
    // Whose logins always need a number; the second one's phone can't show any.
    Person { totp: Some("t-nora"), phones: PHONES, ..person("nora", "pw-nora", &["vault"]) },
    Person {
        phones: PHONE,
        chooses_number: false,
        types_number: false,
        totp: Some("t-otto"),
        ..person("otto", "pw-otto", &["vault"])
    },
    // Who always needs a factor, and likes codes better.
    Person {
        prefers: Some(Method::Totp),
        totp: Some("t-root"),
        phones: PHONE,
        ..person("root", "pw-root", &["admins"])
    },
    // A password that looks like one with a code behind it.
    Person { phones: PHONES, pin_phones: false, ..person("frank", "frank,654321", &["staff"]) },
    Person { totp: Some("t-gina"), asked_by_primary: true, ..person("gina", "pw-gina", &["staff"]) },
    Person { phones: PHONE, ..person("pia", "pw-pia", &["pilots"]) },
    // An app of a store, of a version that lets choose and can't show digits.
    Person {
        phones: PHONES,
        must_open: Some(Opens::App),
        types_number: false,
        ..person("vera", "pw-vera", &["staff"])
    },
    person("erin", "pw-erin", &[]),
    person("svc-backup", "pw-svc", &[]),
    // Staff added this very name.
    Person { totp: Some("t-joerg"), ..person("jörg", "pw-joerg", &["staff"]) },
    // Names that the primary takes and nobody added: a stranger's, another spelling of alice's, a robot's look-alike.
    Person { known: false, ..person("guest", "pw-guest", &[]) },
    Person { known: false, looks_like: Some("alice"), ..person("álice", "pw-alice", &[]) },
    Person { known: false, looks_like: Some("svc-backup"), ..person("svc-back up", "pw-svc", &[]) },
];

/// What the primary asks of those whom it asks, and the right answer.
pub(crate) const PRIMARY_ANSWER: &str = "blue";

/// An appliance.
#[derive(Debug)]
pub(crate) struct Appliance {
    pub(crate) name: &'static str,
    pub(crate) join: Join,
    pub(crate) challenge: bool,
    pub(crate) append: bool,
    pub(crate) gives_up_s: u64,
    pub(crate) number: NumberWish,
}

pub(crate) static APPLIANCES: [Appliance; 6] = [
    Appliance { challenge: true, append: true, ..appliance("vpn", Join::Station, 30) },
    Appliance { challenge: true, ..appliance("gate", Join::Connection, 20) },
    Appliance { append: true, ..appliance("desk", Join::Station, 30) },
    appliance("old", Join::Weak, 12),
    Appliance { challenge: true, append: true, number: NumberWish::Shown, ..appliance("web", Join::Station, 40) },
    Appliance { challenge: true, number: NumberWish::Typed, ..appliance("term", Join::Connection, 30) },
];

const fn appliance(name: &'static str, join: Join, gives_up_s: u64) -> Appliance {
    Appliance { name, join, challenge: false, append: false, gives_up_s, number: NumberWish::Off }
}

/// Where people sit: addresses of home, office and hotel, a MAC address, or nothing that the appliance tells.
pub(crate) const STATIONS: [Option<&str>; 6] = [
    Some("198.51.100.7"),
    Some("10.1.2.3"),
    Some("203.0.113.9"),
    Some("aa-bb-cc-dd-ee-ff"),
    Some("198.51.100.8"),
    None,
];

/// What the primary's rejections took lately (D6).
pub(crate) const REJECTION: Duration = Duration::from_millis(2500);

/// Where a stranger sits who has a list of names.
pub(crate) const SPRAYER: &str = "203.0.113.66";

/// Everybody whom the store knows is in it.
pub(crate) const KNOWN: &str = "known";

/// The person of a name.
pub(crate) fn person_of(name: &str) -> Option<&'static Person> {
    PEOPLE.iter().find(|person| person.name == name)
}

/// The appliance of a name.
pub(crate) fn appliance_of(name: &str) -> &'static Appliance {
    APPLIANCES.iter().find(|appliance| appliance.name == name).unwrap()
}

/// The code of a token at a step or counter: eight digits, so that two never meet by chance; six where it may be taken
/// for the digits of a phone (F8).
pub(crate) fn code_of(token: &str, moving: u64) -> String {
    let seed = token.bytes().fold(7_u64, |sum, octet| mix(sum ^ u64::from(octet)));
    let code = mix(seed ^ moving.wrapping_mul(31));
    let six = ["t-alice", "h-bob", "t-carol"].contains(&token);
    if six { format!("{:06}", code % 1_000_000) } else { format!("{:08}", code % 100_000_000) }
}

/// Which law is in force.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Law {
    /// As usual.
    Usual,
    /// Staff may not enter.
    Closed,
    /// Codes only, where it was a push or a code.
    CodesOnly,
    /// The gate is no client any more.
    NoGate,
    /// Each push needs a number and a PIN, the gate shows one too, and contractors are as staff as admins are (F4, F8).
    Strict,
    /// `vpn` and `gate` show a number; no rule requires one.
    Numbered,
}

impl Law {
    pub(crate) const ALL: [Self; 6] =
        [Self::Usual, Self::Closed, Self::CodesOnly, Self::NoGate, Self::Strict, Self::Numbered];
}

/// What the law says of somebody's second door.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Says {
    No,
    Excused,
    Factor(&'static [Method]),
    /// A push; fails open in a confirmed outage.
    FactorOrOutage,
}

/// The law in plain words, for the reference model.
pub(crate) fn law_says(law: Law, who: &Person, client: &str, station: Option<&str>) -> Says {
    let address: Option<IpAddr> = station.and_then(|station| station.parse().ok());
    let within = |prefix: &str| address.is_some_and(|address| address.to_string().starts_with(prefix));
    let is = |group: &str| who.groups.contains(&group);
    // Rules A2: nobody is let in whom nobody knows: no group, no method, and no word on which groups they are not in.
    if !who.known || who.looks_like.is_some() {
        return Says::No;
    }
    if (law == Law::NoGate && client == "gate") || (law == Law::Closed && is("staff")) {
        return Says::No;
    }
    // Rules A4: whoever may sit in the hotel is not let in, be it that nobody knows where.
    if is("contractors") && (address.is_none() || within("203.0.113.")) {
        return Says::No;
    }
    if who.name.starts_with("svc-") && address.is_none() {
        return Says::No;
    }
    if who.name.starts_with("svc-") && within("10.") {
        return Says::Excused;
    }
    if is("ops") || law == Law::CodesOnly {
        return Says::Factor(&[Method::Totp, Method::Hotp]);
    }
    if is("pilots") { Says::FactorOrOutage } else { Says::Factor(&[Method::Push, Method::Totp, Method::Hotp]) }
}

/// Whether the law lets a push of this person open a door only with a number (F8).
pub(crate) fn needs_number(law: Law, who: &Person) -> bool {
    who.groups.contains(&"vault") || law == Law::Strict
}

/// What a client wishes for under this law (F8).
pub(crate) fn wishes(law: Law, appliance: &Appliance) -> NumberWish {
    let shows = match law {
        Law::Strict => appliance.name == "gate",
        Law::Numbered => ["vpn", "gate"].contains(&appliance.name),
        Law::Usual | Law::Closed | Law::CodesOnly | Law::NoGate => false,
    };
    if shows { NumberWish::Shown } else { appliance.number }
}

/// Whether the law asks for a PIN with each push.
pub(crate) fn needs_pin(law: Law) -> bool {
    law == Law::Strict
}

/// Who always needs a factor: no bypass, no failing open (F4).
pub(crate) fn is_staff(law: Law, who: &Person) -> bool {
    let is = |group: &str| who.groups.contains(&group);
    is("admins") || (law == Law::Strict && is("contractors"))
}

/// The same law for the machine.
pub(crate) fn policy(law: Law) -> Arc<Policy> {
    let group = |name: &str| Condition::Group(vec![GroupName::folded(name)]);
    let net = |prefix: &str| Condition::UserAddress(vec![prefix.parse().unwrap()]);
    let everybody = Condition::All(Vec::new());
    let codes = || Verdict::Require(vec![Method::Totp, Method::Hotp]);
    let mut rules = Vec::new();
    if law == Law::Closed {
        rules.push(rule("closed", group("staff"), Verdict::Deny("Closed.".into())));
    }
    let hotel = Condition::All(vec![group("contractors"), net("203.0.113.0/24")]);
    rules.push(rule("hotel", hotel, Verdict::Deny("Not from there.".into())));
    let robots = Condition::All(vec![Condition::User(vec![Glob::new("svc-*")]), net("10.0.0.0/8")]);
    rules.push(rule("robots", robots, Verdict::Exempt));
    let strangers = Condition::All(vec![Condition::Not(Box::new(group(KNOWN))), net("198.51.100.0/24")]);
    rules.push(rule("strangers", strangers, Verdict::Exempt));
    rules.push(rule("ops", group("ops"), codes()));
    if law == Law::CodesOnly {
        rules.push(rule("codes", everybody, codes()));
    } else {
        rules.push(Rule {
            until: Some(Wall(WALL_0 * 2)),
            if_unavailable: IfUnavailable { push: Outage::Accept, ..IfUnavailable::default() },
            ..rule("pilots", group("pilots"), Verdict::Require(vec![Method::Push]))
        });
        let all = || Verdict::Require(vec![Method::Push, Method::Totp, Method::Hotp]);
        rules.push(Rule { number_required: true, ..rule("vault", group("vault"), all()) });
        rules.push(rule("all", everybody, all()));
    }
    rules.iter_mut().for_each(|rule| rule.number_required |= law == Law::Strict);
    let staff = if law == Law::Strict { &["admins", "contractors"][..] } else { &["admins"][..] };
    Arc::new(Policy {
        rules: rules.into_iter().map(Arc::new).collect(),
        clients: clients(law),
        push_pin: law == Law::Strict,
        primaries: [(PrimaryName::new("nps"), PrimaryPolicy::default())].into(),
        staff: staff.iter().map(|name| GroupName::folded(name)).collect(),
        ..Policy::default()
    })
}

fn clients(law: Law) -> BTreeMap<ClientName, ClientPolicy> {
    let here = |appliance: &&Appliance| law != Law::NoGate || appliance.name != "gate";
    APPLIANCES.iter().filter(here).map(|appliance| (ClientName::new(appliance.name), client(law, appliance))).collect()
}

fn client(law: Law, appliance: &Appliance) -> ClientPolicy {
    ClientPolicy {
        primary: PrimaryName::new("nps"),
        gives_up_after: Duration::from_secs(appliance.gives_up_s),
        challenge: appliance.challenge,
        append: appliance.append.then(|| ",".into()),
        join: appliance.join,
        allow_admin: false,
        number: wishes(law, appliance),
        when_unavailable: when_unavailable(appliance.name),
    }
}

/// What an appliance hears of a login that nobody could check (A10).
pub(crate) fn when_unavailable(appliance: &str) -> WhenUnavailable {
    if matches!(appliance, "gate" | "old") { WhenUnavailable::Reject } else { WhenUnavailable::Silent }
}

fn rule(name: &str, when: Condition, verdict: Verdict) -> Rule {
    Rule {
        name: RuleName::new(name),
        when,
        until: None,
        verdict,
        reply: wire::ReplyAttributes::default(),
        unenrolled: Unenrolled::Deny,
        if_unavailable: IfUnavailable::default(),
        number_required: false,
    }
}
