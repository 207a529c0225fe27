//! Names, each a type of its own, so that a rule's name is never taken for a user's.
//!
//! [`UserName`] is what somebody typed; [`ResolvedUser`] is who the primary says it is, and only
//! that one counts for groups, factors, limits and audit (rules A2). Names compare by NFKC_Casefold ([`fold`]), with
//! their realm in one form ([`realm`]). Nothing here repairs a name: what normalisation would change is refused, so that
//! two spellings never stand for one person in one place and for two in another. Wherever a name enters (the wire, the
//! sign-in, the staff's pages, the command line), it enters by [`UserName`].

use std::fmt;
use std::sync::Arc;

pub mod fold;
mod kind;
pub mod realm;
mod station;

pub(crate) use kind::Shape;
pub use kind::{NameKind, names_a_mac};
pub use realm::Realms;
pub use station::Station;

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
        Self::new(fold::casefold(name))
    }
}

/// Why a User-Name is refused before any primary sees it (rules A2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NameRefused {
    /// No User-Name, or one of no octets; or nothing but a realm.
    Empty,
    /// Control octets, which a log or a directory would read differently.
    Control,
    /// Format characters and others that nobody sees.
    Invisible,
    /// Leading or trailing blanks, or characters that NFKC changes: two spellings of one name.
    Denormal,
    /// Both `DOMAIN\user` and `user@realm`, or either twice.
    TwoRealms,
    /// A realm that `[realms]` does not list; with what to add there.
    UnknownRealm(Arc<str>),
    /// No realm, where `[realms]` has no default; with what to add there.
    NoRealm(Arc<str>),
    /// A realm before a primary that is not ours, and no `[realms]` that says what realms mean; with what to add.
    RealmUnsaid(Arc<str>),
}

impl NameRefused {
    /// It is about the realm: `[realms]` mends it.
    #[must_use]
    pub fn is_about_realm(&self) -> bool {
        match self {
            Self::UnknownRealm(_) | Self::NoRealm(_) | Self::RealmUnsaid(_) => true,
            Self::Empty | Self::Control | Self::Invisible | Self::Denormal | Self::TwoRealms => false,
        }
    }

    /// For log, audit and commands: what is wrong with the name that was typed, and what to do.
    #[must_use]
    pub fn sentence(&self) -> String {
        match self {
            Self::Empty => "there is no user name".to_owned(),
            Self::Control => "the user name holds control characters".to_owned(),
            Self::Invisible => {
                "the user name holds characters that nobody sees (format characters, a soft hyphen or the like)".to_owned()
            }
            Self::Denormal => {
                "the user name or its realm begins or ends with a blank, or has characters that have a plainer form (NFKC)".to_owned()
            }
            Self::TwoRealms => {
                "the user name has two realms, where one of DOMAIN\\user and user@realm is enough".to_owned()
            }
            Self::UnknownRealm(add) => format!("the user name's realm is not in [realms]: {add}"),
            Self::NoRealm(add) => format!("the user name has no realm, and [realms] has no default: {add}"),
            Self::RealmUnsaid(add) => format!(
                "the user name has a realm, and no [realms] says what realms mean here: {add}; or none = true, where a realm is part of \
                 the name"
            ),
        }
    }
}

/// A User-Name as it was typed, checked once: safe to fold, to compare and to show.
#[derive(Clone, PartialEq, Eq)]
pub struct UserName {
    folded: Arc<str>,
    /// In small letters, but not folded: what staff must have written down exactly so. `None`: the same as folded.
    spelled: Option<Arc<str>>,
    kind: NameKind,
    /// Nothing but printable ASCII and single blanks was typed.
    plain: bool,
    /// What to add to `[realms]`, where a realm was typed and nothing says what realms mean.
    unsaid: Option<Arc<str>>,
}

impl UserName {
    /// Reads a person's name, or says why it is refused.
    pub fn parse(octets: &[u8], realms: &Realms) -> Result<Self, NameRefused> {
        Self::of_kind(octets, realms, NameKind::Person)
    }

    /// Reads the octets of a User-Name (RFC 2865 §5.1) as a name of that kind; [`crate::Policy::user_name`] knows which.
    pub(crate) fn of_kind(octets: &[u8], realms: &Realms, kind: NameKind) -> Result<Self, NameRefused> {
        if octets.is_empty() {
            return Err(NameRefused::Empty);
        }
        let text = text_of(octets)?;
        let settled = match kind {
            NameKind::Person => realms.settle(&text)?,
            NameKind::Machine => realms.settle_machine(&text)?,
            NameKind::Mab => text.clone(),
        };
        let folded: Arc<str> = fold::casefold(&settled).into();
        let spelled = Some(settled.to_lowercase()).filter(|spelled| **spelled != *folded).map(Into::into);
        let is_marked = kind != NameKind::Mab && realm::has_realm(&text);
        let unsaid = if is_marked && realms.is_unsaid() { realms.lines_for(&text).map(Into::into) } else { None };
        Ok(Self { folded, spelled, kind, plain: fold::is_plain(&text), unsaid })
    }

    /// The name folded, with its realm in the one form `user@realm` where `[realms]` says so.
    #[must_use]
    pub fn folded(&self) -> &str {
        &self.folded
    }

    /// The name in small letters as it was spelled: `straße`, where it folds to `strasse`. Staff add a name in just one spelling.
    #[must_use]
    pub fn spelled(&self) -> &str {
        self.spelled.as_deref().unwrap_or(&self.folded)
    }

    /// What it looks like ([`fold::loose`]), realm included.
    #[must_use]
    pub fn loose(&self) -> String {
        fold::loose(&self.folded)
    }

    /// Only printable ASCII and single blanks: each directory and each collation tells such names apart.
    #[must_use]
    pub fn is_plain(&self) -> bool {
        self.plain
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

    /// Why a primary that is not ours may not be asked about it: its realm could mean anything (rules A2).
    #[must_use]
    pub fn realm_unsaid(&self) -> Option<NameRefused> {
        self.unsaid.clone().map(NameRefused::RealmUnsaid)
    }

    /// Octets that it keeps (rules G1).
    pub(crate) fn bytes(&self) -> usize {
        [self.spelled.as_ref(), self.unsaid.as_ref()].into_iter().flatten().map(|kept| kept.len()).sum::<usize>()
            + self.folded.len()
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
        if chunk.valid().chars().any(|c| u32::from(c) >= PRIVATE_OCTETS) {
            return Err(NameRefused::Control);
        }
        text.push_str(chunk.valid());
        text.extend(chunk.invalid().iter().filter_map(|octet| char::from_u32(PRIVATE_OCTETS + u32::from(*octet))));
    }
    fold::sound(&text).map(|()| text)
}

/// The last 256 code points of plane 16.
const PRIVATE_OCTETS: u32 = 0x0010_FF00;

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

    fn listed(default: Option<&str>) -> Realms {
        Realms::listed([("EXAMPLE".to_owned(), "example.com".to_owned())], default)
    }

    #[test]
    fn what_nobody_sees_is_refused_wherever_it_stands() {
        for hidden in
            ['\u{ad}', '\u{200b}', '\u{202e}', '\u{2066}', '\u{feff}', '\u{34f}', '\u{fe0f}', '\u{3164}', '\u{e0061}']
        {
            for name in [format!("{hidden}alice"), format!("al{hidden}ice"), format!("alice{hidden}")] {
                // U+3164 has a plainer form, too; whichever is found first, it is refused.
                assert!(parse(name.as_bytes()).is_err(), "U+{:04X}", u32::from(hidden));
            }
        }
        assert_eq!(parse("a\u{2028}b".as_bytes()), Err(NameRefused::Control));
    }

    #[test]
    fn a_bare_name_is_its_default_realms_or_nobodys() {
        let name = |octets: &[u8], realms: &Realms| UserName::parse(octets, realms).map(|n| n.folded().to_owned());
        assert_eq!(name(b"Alice", &listed(Some("Example.com"))), Ok("alice@example.com".into()));
        assert!(
            matches!(name(b"alice", &listed(None)), Err(NameRefused::NoRealm(add)) if add.contains("default = \"example.com\""))
        );
        assert_eq!(name(b"alice", &Realms::PartOfName), Ok("alice".into()));
        assert_eq!(name(b"CORP\\alice", &Realms::PartOfName), Ok("corp\\alice".into()));
        let default_alone = Realms::listed([], Some("example.com"));
        assert_eq!(name(b"alice@example.com", &default_alone), Ok("alice@example.com".into()));
    }

    #[test]
    fn a_realm_without_a_user_and_blanks_beside_the_mark_are_refused() {
        for realms in [Realms::Unsaid, Realms::PartOfName, listed(Some("example.com"))] {
            for name in ["@example.com", "EXAMPLE\\", "alice @example.com", "EXAMPLE\\ alice", "alice@ example.com"] {
                assert!(UserName::parse(name.as_bytes(), &realms).is_err(), "{name} {realms:?}");
            }
        }
    }

    #[test]
    fn a_refused_realm_is_told_with_the_line_that_makes_it_known() {
        let told = |name: &str, realms: &Realms| UserName::parse(name.as_bytes(), realms).unwrap_err().sentence();
        assert!(told("CORP\\alice", &listed(Some("example.com"))).contains("CORP = \"example.com\""));
        assert!(told("alice@corp.example", &listed(Some("example.com"))).contains("CORP = \"corp.example\""));
        let unsaid = UserName::parse(b"CORP\\alice", &Realms::Unsaid).unwrap().realm_unsaid().unwrap().sentence();
        assert!(unsaid.contains("CORP = ") && unsaid.contains("none = true"), "{unsaid}");
        let password = told("P@ssw0rd!", &listed(None));
        assert!(!password.contains("ssw0rd"), "people type passwords there: {password}");
        assert_eq!(UserName::parse(b"alice", &Realms::Unsaid).unwrap().realm_unsaid(), None);
    }

    #[test]
    fn a_spelling_is_kept_where_folding_loses_it() {
        let name = |text: &str| UserName::parse(text.as_bytes(), &Realms::Unsaid).unwrap();
        assert_eq!((name("Straße").folded(), name("Straße").spelled()), ("strasse", "straße"));
        assert_eq!((name("STRASSE").folded(), name("STRASSE").spelled()), ("strasse", "strasse"));
        assert!(name("jane doe").is_plain() && !name("jane  doe").is_plain() && !name("Straße").is_plain());
    }

    #[test]
    fn a_listed_domain_becomes_its_realm_and_an_unlisted_one_is_refused() {
        let realms = listed(None);
        let name = |octets: &[u8]| UserName::parse(octets, &realms).map(|n| n.folded().to_owned());
        assert_eq!(name(b"EXAMPLE\\Alice"), Ok("alice@example.com".into()));
        assert_eq!(name(b"alice@EXAMPLE.com"), Ok("alice@example.com".into()));
        assert!(matches!(name(b"OTHER\\alice"), Err(NameRefused::UnknownRealm(_))));
        assert!(matches!(name(b"alice@other.org"), Err(NameRefused::UnknownRealm(_))));
    }

    #[test]
    fn a_mac_address_is_one_only_by_the_requests_own_word() {
        assert!(names_a_mac(b"00-11-22-33-44-55", None, true));
        assert!(names_a_mac(b"0011.2233.4455", Some(b"00:11:22:33:44:55"), false));
        assert!(names_a_mac(b"00112233445A", Some(b"00112233445a"), false));
        assert!(!names_a_mac(b"202400001234", Some(b"long enough pw"), false));
        assert!(!names_a_mac(b"202400001234", Some(b"202400001235"), false));
        assert!(!names_a_mac(b"alice", Some(b"alice"), true));
    }
}
