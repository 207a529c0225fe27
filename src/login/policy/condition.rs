//! Conditions, three-valued: an unknown fact never helps anybody (rules A4).

use std::net::IpAddr;

use ipnet::IpNet;

use crate::moment::Wall;
use crate::mutant::{self, Mutant};
use crate::name::realm::{Realms, has_realm};
use crate::name::{ClientName, GroupName, NameKind, fold};

/// True, false, or not to be known yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Truth {
    /// The facts say yes.
    True,
    /// The facts say no.
    False,
    /// A fact is missing.
    Undecided,
}

/// What a rule's `when` asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Condition {
    /// The appliance is one of these.
    Client(Vec<ClientName>),
    /// The name matches one of these globs; people only.
    User(Vec<Glob>),
    /// The user is in one of these groups.
    Group(Vec<GroupName>),
    /// The station's address is in one of these networks.
    UserAddress(Vec<IpNet>),
    /// All of them; none is true.
    All(Vec<Self>),
    /// Any of them; none is false.
    Any(Vec<Self>),
    /// The opposite; undecided stays undecided.
    Not(Box<Self>),
}

/// The facts that one look knows.
#[derive(Clone, Debug)]
pub struct Facts<'a> {
    /// Through which appliance.
    pub client: &'a ClientName,
    /// The name, case-folded: claimed at the first look, resolved at the second.
    pub user: &'a str,
    /// Whether the name is a person's.
    pub kind: NameKind,
    /// The station's address, if the station is one.
    pub address: Option<IpAddr>,
    /// The groups; `None` is not known (yet, or because the directory is away).
    pub groups: Option<&'a [GroupName]>,
    /// Store or directory have seen this user. Of one whom they never saw it can't be said in which groups it is *not* (A2).
    pub known: bool,
    /// The time, for `until`.
    pub now: Wall,
}

impl Condition {
    /// What the facts say of it.
    #[must_use]
    pub fn holds(&self, facts: &Facts<'_>) -> Truth {
        self.holds_under(facts, false)
    }

    /// `negated`: it stands under an odd number of `not`.
    fn holds_under(&self, facts: &Facts<'_>, negated: bool) -> Truth {
        let unknown = if mutant::is(Mutant::UnknownIsFalse) { Truth::False } else { Truth::Undecided };
        match self {
            Self::Client(clients) => Truth::of(clients.contains(facts.client)),
            Self::User(globs) => Truth::of(globs.iter().any(|glob| glob.matches(facts.user))),
            // Rules A2: a name that nobody knows may be another spelling of somebody who is in that group.
            Self::Group(_) if negated && !facts.known && !mutant::is(Mutant::StrangerOutsideOfGroups) => {
                Truth::Undecided
            }
            Self::Group(groups) => {
                facts.groups.map_or(unknown, |mine| Truth::of(groups.iter().any(|group| mine.contains(group))))
            }
            Self::UserAddress(nets) => {
                facts.address.map_or(unknown, |ip| Truth::of(nets.iter().any(|net| net.contains(&ip))))
            }
            Self::All(all) => Truth::all(all.iter().map(|each| each.holds_under(facts, negated))),
            Self::Any(any) => Truth::any(any.iter().map(|each| each.holds_under(facts, negated))),
            Self::Not(inner) => inner.holds_under(facts, !negated).not(),
        }
    }

    /// Whether it can be true of a name that nobody knows, made up at will: such a name is in no group, and comes from wherever
    /// it likes. `check` warns of excuses of which this can be said (A2).
    #[must_use]
    pub fn holds_for_made_up_names(&self) -> bool {
        match self {
            Self::Client(_) | Self::UserAddress(_) => true,
            Self::User(globs) => globs.iter().any(|glob| !glob.is_literal()),
            Self::Group(_) => false,
            Self::All(parts) => parts.iter().all(Self::holds_for_made_up_names),
            Self::Any(parts) => parts.iter().any(Self::holds_for_made_up_names),
            Self::Not(inner) => inner.fails_for_made_up_names(),
        }
    }

    fn fails_for_made_up_names(&self) -> bool {
        match self {
            Self::Client(_) | Self::UserAddress(_) | Self::User(_) => true,
            // It is undecided.
            Self::Group(_) => false,
            Self::All(parts) => parts.iter().any(Self::fails_for_made_up_names),
            Self::Any(parts) => parts.iter().all(Self::fails_for_made_up_names),
            Self::Not(inner) => inner.holds_for_made_up_names(),
        }
    }

    /// Whether it spells this account out, without a wildcard.
    #[must_use]
    pub fn spells_out(&self, name: &str) -> bool {
        match self {
            Self::User(globs) => globs.iter().any(|glob| glob.is_literal() && glob.matches(name)),
            Self::Client(_) | Self::Group(_) | Self::UserAddress(_) => false,
            Self::All(parts) | Self::Any(parts) => parts.iter().any(|part| part.spells_out(name)),
            Self::Not(inner) => inner.spells_out(name),
        }
    }

    /// Why it does not hold: the first part that is not true, in the policy's own words.
    #[must_use]
    pub fn blame(&self, facts: &Facts<'_>) -> Option<&'static str> {
        if self.holds(facts) == Truth::True {
            return None;
        }
        match self {
            Self::Client(_) => Some("client"),
            Self::User(_) => Some("user"),
            Self::Group(_) => Some("group"),
            Self::UserAddress(_) => Some("user_address"),
            Self::All(parts) => blamed(parts, facts),
            Self::Any(parts) => parts.first().and_then(|part| part.blame(facts)).or(Some("any")),
            Self::Not(_) => Some("not"),
        }
    }

    /// Whether it asks for a group anywhere: then somebody must be able to answer (A4).
    #[must_use]
    pub fn asks_group(&self) -> bool {
        match self {
            Self::Group(_) => true,
            Self::Client(_) | Self::User(_) | Self::UserAddress(_) => false,
            Self::All(parts) | Self::Any(parts) => parts.iter().any(Self::asks_group),
            Self::Not(inner) => inner.asks_group(),
        }
    }
}

/// A false part explains more than an undecided one, as `all` itself weighs them.
fn blamed(parts: &[Condition], facts: &Facts<'_>) -> Option<&'static str> {
    let of = |truth| parts.iter().find(|part| part.holds(facts) == truth);
    of(Truth::False).or_else(|| of(Truth::Undecided)).and_then(|part| part.blame(facts))
}

impl Truth {
    fn of(fact: bool) -> Self {
        if fact { Self::True } else { Self::False }
    }

    /// False beats undecided beats true.
    fn all(parts: impl Iterator<Item = Self>) -> Self {
        parts.fold(Self::True, |sum, part| match (sum, part) {
            (Self::False, _) | (_, Self::False) => Self::False,
            (Self::Undecided, _) | (_, Self::Undecided) => Self::Undecided,
            (Self::True, Self::True) => Self::True,
        })
    }

    /// True beats undecided beats false.
    fn any(parts: impl Iterator<Item = Self>) -> Self {
        parts.fold(Self::False, |sum, part| match (sum, part) {
            (Self::True, _) | (_, Self::True) => Self::True,
            (Self::Undecided, _) | (_, Self::Undecided) => Self::Undecided,
            (Self::False, Self::False) => Self::False,
        })
    }

    fn not(self) -> Self {
        match self {
            Self::True => Self::False,
            Self::False => Self::True,
            Self::Undecided => Self::Undecided,
        }
    }
}

/// A pattern over a folded name: `*` is any run of characters, `?` is one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Glob {
    pattern: Box<[char]>,
    /// The realm of names that bring none, where the pattern brings none either: `alice` is then `alice@example.com`.
    realm: Option<Box<str>>,
}

impl Glob {
    /// Takes any text; it is folded as names are.
    #[must_use]
    pub fn new(pattern: &str) -> Self {
        Self { pattern: fold::casefold(pattern).chars().collect(), realm: None }
    }

    /// A pattern of names under `[realms]`, read as names are: `EXAMPLE\\adm-*` is `adm-*@example.com`, and what brings no realm means
    /// also names of the default one. `None`: its realm is not listed, so no name can match.
    #[must_use]
    pub fn of_names(pattern: &str, realms: &Realms) -> Option<Self> {
        let settled = realms.settle_pattern(pattern)?;
        let realm = realms.default_realm().filter(|_| !has_realm(&settled)).map(|realm| format!("@{realm}").into());
        Some(Self { realm, ..Self::new(&settled) })
    }

    /// It has no wildcard.
    #[must_use]
    pub fn is_literal(&self) -> bool {
        !self.pattern.iter().any(|c| matches!(c, '*' | '?'))
    }

    /// Whether the whole name matches.
    #[must_use]
    pub fn matches(&self, name: &str) -> bool {
        let bare = self.realm.as_deref().and_then(|realm| name.strip_suffix(realm));
        self.matches_text(name) || bare.is_some_and(|bare| self.matches_text(bare))
    }

    /// Linear in name and pattern: at a mismatch only the last star moves on.
    fn matches_text(&self, name: &str) -> bool {
        let name: Vec<char> = name.chars().collect();
        let (mut n, mut p) = (0, 0);
        let mut retry: Option<(usize, usize)> = None;
        while n < name.len() {
            match self.pattern.get(p) {
                Some('*') => {
                    retry = Some((p, n));
                    p += 1;
                }
                Some(c) if *c == '?' || Some(c) == name.get(n) => {
                    n += 1;
                    p += 1;
                }
                _ => match retry {
                    Some((star, from)) => {
                        retry = Some((star, from + 1));
                        (p, n) = (star + 1, from + 1);
                    }
                    None => return false,
                },
            }
        }
        self.pattern.get(p..).unwrap_or_default().iter().all(|c| *c == '*')
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn in_all_false_beats_undecided_and_in_any_true_does() {
        use Truth::{False, True, Undecided};
        assert_eq!(Truth::all([True, Undecided, False].into_iter()), False);
        assert_eq!(Truth::all([True, Undecided].into_iter()), Undecided);
        assert_eq!(Truth::any([False, Undecided, True].into_iter()), True);
        assert_eq!(Truth::any([False, Undecided].into_iter()), Undecided);
        assert_eq!(Undecided.not(), Undecided);
    }

    #[test]
    fn of_a_user_whom_nobody_knows_a_negated_group_is_undecided() {
        let client = ClientName::new("vpn");
        let facts = |known| Facts {
            client: &client,
            user: "alice",
            kind: NameKind::Person,
            address: None,
            groups: Some(&[]),
            known,
            now: Wall(0),
        };
        let staff = || Condition::Group(vec![GroupName::folded("staff")]);
        let not = |inner| Condition::Not(Box::new(inner));
        for (condition, unknown, known) in [
            (staff(), Truth::False, Truth::False),
            (not(staff()), Truth::Undecided, Truth::True),
            (not(not(staff())), Truth::False, Truth::False),
            (not(Condition::Any(vec![staff(), Condition::Client(vec![])])), Truth::Undecided, Truth::True),
            (not(Condition::All(vec![staff(), Condition::Client(vec![])])), Truth::True, Truth::True),
        ] {
            assert_eq!(
                (condition.holds(&facts(false)), condition.holds(&facts(true))),
                (unknown, known),
                "{condition:?}"
            );
            assert!(condition.holds_for_made_up_names() || unknown != Truth::True, "{condition:?}");
        }
    }

    #[test]
    fn made_up_names_match_what_names_neither_group_nor_account() {
        let user = |glob| Condition::User(vec![Glob::new(glob)]);
        let group = || Condition::Group(vec![GroupName::folded("staff")]);
        let not = |inner| Condition::Not(Box::new(inner));
        for (condition, holds) in [
            (Condition::All(vec![]), true),
            (user("svc-backup"), false),
            (user("svc-*"), true),
            (group(), false),
            (not(group()), false),
            (not(user("alice")), true),
            (Condition::Any(vec![group(), user("svc-*")]), true),
            (Condition::All(vec![group(), user("svc-*")]), false),
            (not(Condition::Any(vec![group(), user("alice")])), false),
        ] {
            assert_eq!(condition.holds_for_made_up_names(), holds, "{condition:?}");
        }
    }

    #[test]
    fn a_pattern_without_a_realm_means_names_of_the_default_one() {
        let realms = Realms::listed([("EXAMPLE".to_owned(), "example.com".to_owned())], Some("example.com"));
        let glob = |pattern| Glob::of_names(pattern, &realms).unwrap();
        assert!(glob("*-adm").matches("bob-adm@example.com"));
        assert!(glob("bob").matches("bob@example.com") && !glob("bob").matches("bob@branch.example"));
        assert!(glob("EXAMPLE\\adm-*").matches("adm-bob@example.com"));
        assert_eq!(Glob::of_names("OTHER\\bob", &realms), None);
        assert_eq!(Glob::of_names("*@other.org", &realms), None);
        assert!(glob("*@*").matches("bob@example.com"));
    }

    #[test]
    fn globs_match_whole_names() {
        for (pattern, name, matches) in [
            ("svc-*", "svc-backup", true),
            ("svc-*", "asvc-backup", false),
            ("*@example.com", "alice@example.com", true),
            ("*@example.com", "alice@example.com.evil", false),
            ("a?ice", "alice", true),
            ("a?ice", "aice", false),
            ("*", "", true),
            ("ALICE", "alice", true),
            ("*a*b*c", "xxaxxbxxc", true),
            ("*a*b*c", "xxaxxcxxb", false),
        ] {
            assert_eq!(Glob::new(pattern).matches(name), matches, "{pattern} {name}");
        }
    }
}
