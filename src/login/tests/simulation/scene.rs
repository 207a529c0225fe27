//! The people, the appliances and the laws of the simulation, and the plain truth about them: which password is right,
//! which code belongs to which step. The law stands here twice: as a policy for the machine, and in plain words
//! ([`law_says`]) for the reference model, which knows no conditions.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use login::policy::{
    ClientPolicy, Condition, Glob, IfUnavailable, Join, NumberWish, Outage, Policy, Rule, Unenrolled, Verdict,
};
use login::{ClientName, GroupName, Method, PrimaryName, RuleName, Wall};

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
    pub(crate) phone: bool,
    /// The primary asks this person something of its own.
    pub(crate) asked_by_primary: bool,
}

const fn person(name: &'static str, password: &'static str, groups: &'static [&'static str]) -> Person {
    Person { name, password, groups, totp: None, hotp: None, phone: false, asked_by_primary: false }
}

pub(crate) static PEOPLE: [Person; 9] = [
    Person { totp: Some("t-alice"), phone: true, ..person("alice", "pw-alice", &["staff"]) },
    Person { hotp: Some("h-bob"), phone: true, ..person("bob", "pw-bob", &["staff"]) },
    Person { totp: Some("t-carol"), phone: true, ..person("carol", "pw-carol", &["contractors"]) },
    Person { totp: Some("t-dave"), hotp: Some("h-dave"), ..person("dave", "pw-dave", &["ops"]) },
    // A password that looks like one with a code behind it.
    Person { phone: true, ..person("frank", "frank,654321", &["staff"]) },
    Person { totp: Some("t-gina"), asked_by_primary: true, ..person("gina", "pw-gina", &["staff"]) },
    Person { phone: true, ..person("pia", "pw-pia", &["pilots"]) },
    person("erin", "pw-erin", &[]),
    person("svc-backup", "pw-svc", &[]),
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
}

pub(crate) static APPLIANCES: [Appliance; 4] = [
    Appliance { name: "vpn", join: Join::Station, challenge: true, append: true, gives_up_s: 30 },
    Appliance { name: "gate", join: Join::Connection, challenge: true, append: false, gives_up_s: 20 },
    Appliance { name: "desk", join: Join::Station, challenge: false, append: true, gives_up_s: 30 },
    Appliance { name: "old", join: Join::Weak, challenge: false, append: false, gives_up_s: 12 },
];

/// Where people sit: addresses of home, office and hotel, a MAC address, or nothing that the appliance tells.
pub(crate) const STATIONS: [Option<&str>; 6] = [
    Some("198.51.100.7"),
    Some("10.1.2.3"),
    Some("203.0.113.9"),
    Some("aa-bb-cc-dd-ee-ff"),
    Some("198.51.100.8"),
    None,
];

/// The person of a name.
pub(crate) fn person_of(name: &str) -> Option<&'static Person> {
    PEOPLE.iter().find(|person| person.name == name)
}

/// The appliance of a name.
pub(crate) fn appliance_of(name: &str) -> &'static Appliance {
    APPLIANCES.iter().find(|appliance| appliance.name == name).unwrap()
}

/// The code of a token at a step or counter: eight digits, so that two never meet by chance.
pub(crate) fn code_of(token: &str, moving: u64) -> String {
    let seed = token.bytes().fold(7_u64, |sum, octet| mix(sum ^ u64::from(octet)));
    format!("{:08}", mix(seed ^ moving.wrapping_mul(31)) % 100_000_000)
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
}

impl Law {
    pub(crate) const ALL: [Self; 4] = [Self::Usual, Self::Closed, Self::CodesOnly, Self::NoGate];
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
    rules.push(rule("ops", group("ops"), codes()));
    if law == Law::CodesOnly {
        rules.push(rule("codes", everybody, codes()));
    } else {
        rules.push(Rule {
            until: Some(Wall(WALL_0 * 2)),
            if_unavailable: IfUnavailable { push: Outage::Accept, ..IfUnavailable::default() },
            ..rule("pilots", group("pilots"), Verdict::Require(vec![Method::Push]))
        });
        rules.push(rule("all", everybody, Verdict::Require(vec![Method::Push, Method::Totp, Method::Hotp])));
    }
    Arc::new(Policy { rules: rules.into_iter().map(Arc::new).collect(), clients: clients(law), ..Policy::default() })
}

fn clients(law: Law) -> BTreeMap<ClientName, ClientPolicy> {
    let here = |appliance: &&Appliance| law != Law::NoGate || appliance.name != "gate";
    APPLIANCES.iter().filter(here).map(|appliance| (ClientName::new(appliance.name), client(appliance))).collect()
}

fn client(appliance: &Appliance) -> ClientPolicy {
    ClientPolicy {
        primary: PrimaryName::new("nps"),
        gives_up_after: Duration::from_secs(appliance.gives_up_s),
        challenge: appliance.challenge,
        append: appliance.append.then(|| ",".into()),
        join: appliance.join,
        allow_admin: false,
        number: NumberWish::Off,
    }
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
