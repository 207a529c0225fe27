//! `[realms]`: which realms there are, and what a name without one means (rules A2).
//!
//! `DOM\user` and `user@dom` are one name by this table. Where there is none, nobody has said whether a realm is part of a name,
//! and a primary outside of us may well take both for one account: there a realm is refused.

use super::NameRefused;
use super::fold::casefold;

/// What `[realms]` says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Realms {
    /// There is no `[realms]`: a name is taken as it stands, and a realm is refused before a primary that is not ours.
    #[default]
    Unsaid,
    /// `none = true`: a realm is part of the name, and nobody has two spellings.
    PartOfName,
    /// These realms and no others.
    Listed(RealmTable),
}

/// The realms of a site.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RealmTable {
    /// NetBIOS domain to DNS realm, both folded.
    domains: Vec<(String, String)>,
    /// The realm of a name that brings none.
    default: Option<String>,
}

/// A name's realm in the form in which it was typed.
enum Mark<'a> {
    /// `DOMAIN\user`.
    Domain(&'a str),
    /// `user@realm`.
    Realm(&'a str),
}

impl Realms {
    /// A table of (NetBIOS domain, DNS realm) pairs and the realm of bare names; all compare folded.
    #[must_use]
    pub fn listed(pairs: impl IntoIterator<Item = (String, String)>, default: Option<&str>) -> Self {
        let domains = pairs.into_iter().map(|(domain, realm)| (casefold(&domain), casefold(&realm))).collect();
        Self::Listed(RealmTable { domains, default: default.map(casefold) })
    }

    /// Whether nobody has said what a realm means.
    #[must_use]
    pub fn is_unsaid(&self) -> bool {
        *self == Self::Unsaid
    }

    /// The realm of names that bring none, where there is one.
    #[must_use]
    pub fn default_realm(&self) -> Option<&str> {
        match self {
            Self::Listed(table) => table.default.as_deref(),
            Self::Unsaid | Self::PartOfName => None,
        }
    }

    /// A person's name with its realm in the one form `user@realm`, where the table says so.
    pub(super) fn settle(&self, text: &str) -> Result<String, NameRefused> {
        let (user, mark) = match split(text)? {
            (_, None) => return self.bare(text),
            (user, Some(mark)) => (user, mark),
        };
        if user.is_empty() {
            return Err(NameRefused::Empty);
        }
        if user.trim() != user || mark.text().trim() != mark.text() {
            // Whoever takes the realm off would trim what is left.
            return Err(NameRefused::Denormal);
        }
        let Self::Listed(table) = self else { return Ok(text.to_owned()) };
        let known = match mark {
            Mark::Domain(domain) => table.realm_of_domain(&casefold(domain)),
            Mark::Realm(realm) => table.known_realm(&casefold(realm)),
        };
        match known {
            Some(realm) => Ok(format!("{user}@{realm}")),
            None => Err(NameRefused::UnknownRealm(self.line_for(&mark).into())),
        }
    }

    /// A machine's name keeps the realm that it brings, and gets none.
    pub(super) fn settle_machine(&self, text: &str) -> Result<String, NameRefused> {
        match split(text)? {
            (_, None) => Ok(text.to_owned()),
            (_, Some(_)) => self.settle(text),
        }
    }

    fn bare(&self, text: &str) -> Result<String, NameRefused> {
        match self {
            Self::Unsaid | Self::PartOfName => Ok(text.to_owned()),
            Self::Listed(table) => match &table.default {
                Some(realm) => Ok(format!("{text}@{realm}")),
                None => Err(NameRefused::NoRealm(table.line_for_bare().into())),
            },
        }
    }

    /// A pattern of a rule under this table: `EXAMPLE\adm-*` is `adm-*@example.com`. `None`: no name can ever match it.
    pub(crate) fn settle_pattern(&self, pattern: &str) -> Option<String> {
        let Self::Listed(table) = self else { return Some(pattern.to_owned()) };
        let any = |text: &str| text.contains(['*', '?']);
        match split(pattern) {
            Ok((_, None)) => Some(pattern.to_owned()),
            Ok((user, Some(Mark::Domain(domain)))) => {
                Some(format!("{user}@{}", table.realm_of_domain(&casefold(domain))?))
            }
            Ok((_, Some(Mark::Realm(realm)))) => {
                (any(realm) || table.known_realm(&casefold(realm)).is_some()).then(|| pattern.to_owned())
            }
            Err(_) => None,
        }
    }

    /// What to add to the configuration, so that the realm of this name is known; for where there is no `[realms]` at all.
    #[must_use]
    pub fn lines_for(&self, text: &str) -> Option<String> {
        match split(text) {
            Ok((_, Some(mark))) => Some(self.line_for(&mark)),
            Ok((_, None)) | Err(_) => None,
        }
    }

    /// The lines that would make this realm known. What has not the shape of a realm is not shown: people type passwords where
    /// names belong (rules F2).
    fn line_for(&self, mark: &Mark<'_>) -> String {
        let place = if let Self::Listed(_) = self { "add under [realms]: " } else { "add [realms] with " };
        match mark {
            Mark::Domain(domain) if is_domain(domain) => {
                let domain = domain.to_ascii_uppercase();
                let realm = match self {
                    Self::Listed(table) => table.only().map(str::to_owned),
                    Self::Unsaid | Self::PartOfName => None,
                };
                let realm = realm.unwrap_or_else(|| format!("{}.example.com", domain.to_ascii_lowercase()));
                let more =
                    if self.default_realm().is_some() { String::new() } else { format!(" and default = \"{realm}\"") };
                format!("{place}{domain} = \"{realm}\"{more} (the DNS name of that domain), if it is one of yours")
            }
            Mark::Realm(realm) if is_dns(realm) => {
                let realm = realm.to_ascii_lowercase();
                let domain = realm.split('.').next().unwrap_or_default().to_ascii_uppercase();
                let more =
                    if self.default_realm().is_some() { String::new() } else { format!(" and default = \"{realm}\"") };
                format!("{place}{domain} = \"{realm}\"{more}, if it is one of yours")
            }
            Mark::Domain(_) | Mark::Realm(_) => {
                "what was typed there has not the shape of a realm and is not shown".to_owned()
            }
        }
    }
}

impl RealmTable {
    fn realm_of_domain(&self, domain: &str) -> Option<&str> {
        self.domains.iter().find(|(known, _)| known == domain).map(|(_, realm)| realm.as_str())
    }

    fn known_realm(&self, realm: &str) -> Option<&str> {
        self.realms().find(|known| *known == realm)
    }

    fn realms(&self) -> impl Iterator<Item = &str> {
        self.domains.iter().map(|(_, realm)| realm.as_str()).chain(self.default.as_deref())
    }

    /// The one realm that can be meant, if there is one.
    fn only(&self) -> Option<&str> {
        let first = self.default.as_deref().or_else(|| self.realms().next())?;
        (self.default.is_some() || self.realms().all(|realm| realm == first)).then_some(first)
    }

    fn line_for_bare(&self) -> String {
        let realm = self.only().unwrap_or("example.com");
        format!("add under [realms]: default = \"{realm}\"")
    }
}

impl Mark<'_> {
    fn text(&self) -> &str {
        match self {
            Self::Domain(text) | Self::Realm(text) => text,
        }
    }
}

/// The user's part and the realm. Two marks could be read in two ways.
fn split(text: &str) -> Result<(&str, Option<Mark<'_>>), NameRefused> {
    match text.matches(['\\', '@']).count() {
        0 => Ok((text, None)),
        1 => Ok(match text.split_once('\\') {
            Some((domain, user)) => (user, Some(Mark::Domain(domain))),
            None => text.split_once('@').map_or((text, None), |(user, realm)| (user, Some(Mark::Realm(realm)))),
        }),
        _ => Err(NameRefused::TwoRealms),
    }
}

/// The user's part of a name, whatever its realm.
#[must_use]
pub fn user_part(name: &str) -> &str {
    split(name).map_or(name, |(user, _)| user)
}

/// Whether a name brings a realm.
#[must_use]
pub fn has_realm(name: &str) -> bool {
    name.contains(['\\', '@'])
}

/// A NetBIOS name: 15 characters at most.
fn is_domain(text: &str) -> bool {
    (1..=15).contains(&text.len()) && text.bytes().all(|octet| octet.is_ascii_alphanumeric() || b"-_".contains(&octet))
}

fn is_dns(text: &str) -> bool {
    let label =
        |label: &str| !label.is_empty() && label.bytes().all(|octet| octet.is_ascii_alphanumeric() || octet == b'-');
    let last = text.rsplit('.').next().unwrap_or_default();
    text.len() <= 253
        && text.contains('.')
        && text.split('.').all(label)
        && last.len() >= 2
        && last.bytes().all(|octet| octet.is_ascii_alphabetic())
}
