//! Names, each a type of its own, so that a rule's name is never taken for a user's.
//!
//! [`UserName`] is what somebody typed; [`ResolvedUser`] is who the primary says it is, and only
//! that one counts for groups, factors, limits and audit (rules A2). Names compare case-folded.
//! Nothing here repairs a name: what normalisation would change is refused, so that two spellings
//! never stand for one person in one place and for two in another.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use unicode_normalization::UnicodeNormalization;

macro_rules! names {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Arc<str>);

        impl $name {
            /// Takes the name as it stands; `config` has checked its characters.
            pub fn new(name: impl Into<Arc<str>>) -> Self {
                Self(name.into())
            }

            /// The name as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{:?}", &*self.0)
            }
        }
    )*};
}

names! {
    /// The appliance: `[client.NAME]`.
    ClientName;
    /// The first-factor server: `[primary.NAME]`, or the built-in `local`.
    PrimaryName;
    /// A rule of the policy, by the name its author gave it.
    RuleName;
    /// A group of users, compared case-folded: made by [`GroupName::folded`].
    GroupName;
    /// Who the primary's Accept says this is (rules A2): case-folded, realm included.
    ResolvedUser;
}

impl GroupName {
    /// A group's name, case-folded as groups compare.
    #[must_use]
    pub fn folded(name: &str) -> Self {
        Self::new(name.to_lowercase())
    }
}

/// Why a User-Name is refused before any primary sees it (rules A2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NameRefused {
    /// No User-Name, or one of no octets.
    Empty,
    /// Control octets, which a log or a directory would read differently.
    Control,
    /// Leading or trailing blanks, or characters that NFKC changes: two spellings of one name.
    Denormal,
    /// Both `DOMAIN\user` and `user@realm`, or either twice.
    TwoRealms,
    /// A realm that `[realms]` does not list.
    UnknownRealm,
}

impl NameRefused {
    /// For log and audit: what is wrong with the name that was typed.
    #[must_use]
    pub const fn sentence(self) -> &'static str {
        match self {
            Self::Empty => "the request brings no user name",
            Self::Control => "the user name holds control characters",
            Self::Denormal => {
                "the user name begins or ends with a blank, or has characters that have a plainer form (NFKC)"
            }
            Self::TwoRealms => "the user name has two realms, where one of DOMAIN\\user and user@realm is enough",
            Self::UnknownRealm => "the user name's realm is not in [realms]",
        }
    }
}

/// What kind of thing the name names; the globs of a policy match people only (rules A2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NameKind {
    /// A person's account.
    Person,
    /// `host/…` or `…$`: a computer's own account.
    Machine,
    /// A MAC address, as appliances send for devices that can't log in.
    Mab,
}

impl NameKind {
    /// The kind of a name, by its shape.
    #[must_use]
    pub fn of(name: &str) -> Self {
        if name.starts_with("host/") || name.ends_with('$') {
            Self::Machine
        } else if is_mac(name) {
            Self::Mab
        } else {
            Self::Person
        }
    }
}

/// The realms of `[realms]`: NetBIOS domain to DNS realm. Empty: a realm is part of the name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Realms(Vec<(String, String)>);

impl Realms {
    /// A table of (NetBIOS domain, DNS realm) pairs; both are compared case-folded.
    #[must_use]
    pub fn new(pairs: impl IntoIterator<Item = (String, String)>) -> Self {
        Self(pairs.into_iter().map(|(domain, realm)| (domain.to_lowercase(), realm.to_lowercase())).collect())
    }

    fn realm_of_domain(&self, domain: &str) -> Option<&str> {
        self.0.iter().find(|(known, _)| known == domain).map(|(_, realm)| realm.as_str())
    }

    fn knows_realm(&self, realm: &str) -> bool {
        self.0.iter().any(|(_, known)| known == realm)
    }
}

/// A User-Name as it was typed, checked once: safe to fold, to compare and to show.
#[derive(Clone, PartialEq, Eq)]
pub struct UserName {
    folded: Arc<str>,
    kind: NameKind,
}

impl UserName {
    /// Reads the octets of a User-Name (RFC 2865 §5.1), or says why they are refused.
    pub fn parse(octets: &[u8], realms: &Realms) -> Result<Self, NameRefused> {
        if octets.is_empty() {
            return Err(NameRefused::Empty);
        }
        let text = text_of(octets)?;
        let kind = NameKind::of(&text);
        let folded = fold(&text, kind, realms)?;
        Ok(Self { folded: folded.into(), kind })
    }

    /// The name case-folded, with its realm in the one form `user@realm` where `[realms]` says so.
    #[must_use]
    pub fn folded(&self) -> &str {
        &self.folded
    }

    /// Person, machine or MAC address.
    #[must_use]
    pub fn kind(&self) -> NameKind {
        self.kind
    }

    /// This very name as the resolved user: right only once a primary has accepted it.
    #[must_use]
    pub fn claimed(&self) -> ResolvedUser {
        ResolvedUser(Arc::clone(&self.folded))
    }
}

impl fmt::Debug for UserName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", &*self.folded)
    }
}

/// Octets that are no UTF-8 keep an identity of their own in a private plane, so that no two
/// different names ever become one; names that use that plane themselves are refused.
fn text_of(octets: &[u8]) -> Result<String, NameRefused> {
    let mut text = String::with_capacity(octets.len());
    for chunk in octets.utf8_chunks() {
        if chunk.valid().chars().any(|c| c.is_control() || u32::from(c) >= PRIVATE_OCTETS) {
            return Err(NameRefused::Control);
        }
        text.push_str(chunk.valid());
        text.extend(chunk.invalid().iter().filter_map(|octet| char::from_u32(PRIVATE_OCTETS + u32::from(*octet))));
    }
    let normal = text.trim() == text && text.nfkc().eq(text.chars());
    if normal { Ok(text) } else { Err(NameRefused::Denormal) }
}

/// The last 256 code points of plane 16.
const PRIVATE_OCTETS: u32 = 0x0010_FF00;

fn is_mac(text: &str) -> bool {
    let digits = text.chars().filter(char::is_ascii_hexdigit).count();
    let others = text.chars().all(|c| c.is_ascii_hexdigit() || matches!(c, ':' | '-' | '.'));
    digits == 12 && others && (text.len() == 12 || text.len() >= 14)
}

fn fold(text: &str, kind: NameKind, realms: &Realms) -> Result<String, NameRefused> {
    let folded = text.to_lowercase();
    if kind == NameKind::Mab {
        return Ok(folded);
    }
    let marks = folded.chars().filter(|c| matches!(c, '\\' | '@')).count();
    match marks {
        0 => Ok(folded),
        1 => with_realm(folded, realms),
        _ => Err(NameRefused::TwoRealms),
    }
}

fn with_realm(folded: String, realms: &Realms) -> Result<String, NameRefused> {
    if realms.0.is_empty() {
        return Ok(folded);
    }
    if let Some((domain, user)) = folded.split_once('\\') {
        let realm = realms.realm_of_domain(domain).ok_or(NameRefused::UnknownRealm)?;
        return Ok(format!("{user}@{realm}"));
    }
    match folded.split_once('@') {
        Some((_, realm)) if realms.knows_realm(realm) => Ok(folded),
        _ => Err(NameRefused::UnknownRealm),
    }
}

/// Calling-Station-Id: where the person sits, as the appliance says (RFC 2865 §5.31).
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Station(Box<[u8]>);

impl Station {
    /// Keeps the octets as they came, but for a port beside an address: strongSwan sends `192.0.2.2[4500]`, and the port
    /// is another at each connection.
    #[must_use]
    pub fn new(octets: &[u8]) -> Self {
        Self(Self::without_port(octets).into())
    }

    /// The address alone, where the octets are one with a port: `192.0.2.2[500]`, `2001:db8::2[500]`, `192.0.2.2:500`,
    /// `[2001:db8::2]:500`, `[2001:db8::2]`. All else as it came: of `2001:db8::2:500` nobody knows that it has a port.
    #[must_use]
    pub fn without_port(octets: &[u8]) -> &[u8] {
        std::str::from_utf8(octets).ok().and_then(address_of).map_or(octets, str::as_bytes)
    }

    /// The octets as they are compared.
    #[must_use]
    pub fn octets(&self) -> &[u8] {
        &self.0
    }

    /// The address, if the station is one; `None` is an unknown fact, never the appliance's own (rules A4).
    #[must_use]
    pub fn address(&self) -> Option<IpAddr> {
        std::str::from_utf8(&self.0).ok()?.trim().parse().ok()
    }
}

/// The address beside a port.
fn address_of(text: &str) -> Option<&str> {
    let is_port = |port: &str| port.parse::<u16>().is_ok() && port.bytes().all(|octet| octet.is_ascii_digit());
    let (address, known) = if let Some(inside) = text.strip_prefix('[') {
        let (address, rest) = inside.split_once(']')?;
        (address, rest.is_empty() || rest.strip_prefix(':').is_some_and(is_port))
    } else if let Some(inside) = text.strip_suffix(']') {
        let (address, port) = inside.split_once('[')?;
        (address, is_port(port))
    } else {
        let (address, port) = text.split_once(':')?;
        return address.parse::<Ipv4Addr>().ok().filter(|_| is_port(port)).map(|_| address);
    };
    address.parse::<IpAddr>().ok().filter(|_| known).map(|_| address)
}

impl fmt::Display for Station {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&wire::log_safe(&self.0))
    }
}

impl fmt::Debug for Station {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(octets: &[u8]) -> Result<String, NameRefused> {
        UserName::parse(octets, &Realms::default()).map(|name| name.folded().to_owned())
    }

    #[test]
    fn names_compare_case_folded() {
        assert_eq!(parse(b"Alice"), Ok("alice".into()));
    }

    #[test]
    fn what_normalisation_would_change_is_refused() {
        assert_eq!(parse(b" alice"), Err(NameRefused::Denormal));
        assert_eq!(parse("\u{FF41}lice".as_bytes()), Err(NameRefused::Denormal));
        assert_eq!(parse(b"alice\n"), Err(NameRefused::Control));
        assert_eq!(parse(b"alice\0"), Err(NameRefused::Control));
        assert_eq!(parse(b""), Err(NameRefused::Empty));
    }

    #[test]
    fn octets_that_are_no_text_stay_a_name_of_their_own() {
        let strange = parse(b"caf\xe9").unwrap();
        assert_ne!(strange, parse(b"caf\xe8").unwrap());
        assert_eq!(parse(strange.as_bytes()), Err(NameRefused::Control));
    }

    #[test]
    fn two_realm_marks_are_refused() {
        assert_eq!(parse(b"EXAMPLE\\alice@example.com"), Err(NameRefused::TwoRealms));
    }

    #[test]
    fn a_listed_domain_becomes_its_realm_and_an_unlisted_one_is_refused() {
        let realms = Realms::new([("EXAMPLE".to_owned(), "example.com".to_owned())]);
        let name = |octets: &[u8]| UserName::parse(octets, &realms).map(|n| n.folded().to_owned());
        assert_eq!(name(b"EXAMPLE\\Alice"), Ok("alice@example.com".into()));
        assert_eq!(name(b"alice@EXAMPLE.com"), Ok("alice@example.com".into()));
        assert_eq!(name(b"OTHER\\alice"), Err(NameRefused::UnknownRealm));
        assert_eq!(name(b"alice@other.org"), Err(NameRefused::UnknownRealm));
        assert_eq!(name(b"alice"), Ok("alice".into()));
    }

    #[test]
    fn machines_and_mac_addresses_are_no_people() {
        let kind = |octets: &[u8]| UserName::parse(octets, &Realms::default()).unwrap().kind();
        assert_eq!(kind(b"host/pc1.example.com"), NameKind::Machine);
        assert_eq!(kind(b"PC1$"), NameKind::Machine);
        assert_eq!(kind(b"00-11-22-33-44-55"), NameKind::Mab);
        assert_eq!(kind(b"0011.2233.4455"), NameKind::Mab);
        assert_eq!(kind(b"001122334455"), NameKind::Mab);
        assert_eq!(kind(b"alice"), NameKind::Person);
    }

    #[test]
    fn a_station_is_an_address_only_when_it_is_one() {
        assert_eq!(Station::new(b"203.0.113.9").address(), "203.0.113.9".parse().ok());
        assert_eq!(Station::new(b"00-11-22-33-44-55").address(), None);
    }

    #[test]
    fn an_address_with_a_port_is_that_address_whatever_the_port() {
        for (sent, address) in [
            ("192.0.2.2[500]", "192.0.2.2"),
            ("192.0.2.2[4500]", "192.0.2.2"),
            ("192.0.2.2:61234", "192.0.2.2"),
            ("2001:db8::2[500]", "2001:db8::2"),
            ("[2001:db8::2]:500", "2001:db8::2"),
            ("[2001:db8::2]", "2001:db8::2"),
        ] {
            let station = Station::new(sent.as_bytes());
            assert_eq!((station.address(), station.to_string().as_str()), (address.parse().ok(), address), "{sent}");
            assert_eq!(station, Station::new(address.as_bytes()), "{sent}");
        }
    }

    #[test]
    fn what_only_looks_like_an_address_with_a_port_stays_as_it_came() {
        for sent in [
            "192.0.2.2[]",
            "192.0.2.2[500",
            "192.0.2.2[65536]",
            "192.0.2.2[+500]",
            "192.0.2.2[500]x",
            "192.0.2.2:",
            "192.0.2.2:500:1",
            "192.0.2[500]",
            "[2001:db8::2]500",
            "[2001:db8::2]:",
            "00:11:22:33:44:55",
            "example[500]",
            "[]",
            "2001:db8::2:500",
        ] {
            assert_eq!(Station::without_port(sent.as_bytes()), sent.as_bytes());
        }
    }
}
