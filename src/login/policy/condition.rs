//! Conditions, three-valued: an unknown fact never helps anybody (rules A4).

use std::net::IpAddr;

use ipnet::IpNet;

use crate::moment::Wall;
use crate::mutant::{self, Mutant};
use crate::name::{ClientName, GroupName, NameKind};

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
    /// The time, for `until`.
    pub now: Wall,
}

impl Condition {
    /// What the facts say of it.
    #[must_use]
    pub fn holds(&self, facts: &Facts<'_>) -> Truth {
        let unknown = if mutant::is(Mutant::UnknownIsFalse) { Truth::False } else { Truth::Undecided };
        match self {
            Self::Client(clients) => Truth::of(clients.contains(facts.client)),
            Self::User(globs) => Truth::of(globs.iter().any(|glob| glob.matches(facts.user))),
            Self::Group(groups) => {
                facts.groups.map_or(unknown, |mine| Truth::of(groups.iter().any(|group| mine.contains(group))))
            }
            Self::UserAddress(nets) => {
                facts.address.map_or(unknown, |ip| Truth::of(nets.iter().any(|net| net.contains(&ip))))
            }
            Self::All(all) => Truth::all(all.iter().map(|each| each.holds(facts))),
            Self::Any(any) => Truth::any(any.iter().map(|each| each.holds(facts))),
            Self::Not(inner) => inner.holds(facts).not(),
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

/// A pattern over a case-folded name: `*` is any run of characters, `?` is one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Glob(Box<[char]>);

impl Glob {
    /// Takes any text; it is case-folded as names are.
    #[must_use]
    pub fn new(pattern: &str) -> Self {
        Self(pattern.to_lowercase().chars().collect())
    }

    /// Whether the whole name matches. Linear in name and pattern: at a mismatch only the last star moves on.
    #[must_use]
    pub fn matches(&self, name: &str) -> bool {
        let name: Vec<char> = name.chars().collect();
        let (mut n, mut p) = (0, 0);
        let mut retry: Option<(usize, usize)> = None;
        while n < name.len() {
            match self.0.get(p) {
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
        self.0.get(p..).unwrap_or_default().iter().all(|c| *c == '*')
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
