//! What a name names: a person, a machine or a MAC address (rules A2).
//!
//! The shape alone says nothing for certain: a number of staff may have twelve digits, and Cisco's `$enab15$` ends as a machine does.
//! So a MAC address also needs the request's word for it, and a machine needs that no rule spells the account out.

use super::realm::user_part;

/// What kind of thing the name names; the globs of a policy match people only.
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
    /// For log and record: for what a name was taken, where no rule is for such names.
    #[must_use]
    pub const fn sentence(self) -> Option<&'static str> {
        match self {
            Self::Person => None,
            Self::Machine => Some(
                "the name was taken for a machine's account (host/… or …$), which no rule for people matches; if it is a person's, a rule \
                 must spell it out: when = { user = \"NAME$\" }",
            ),
            Self::Mab => Some(
                "the name was taken for a MAC address (Service-Type 10, or the same digits as password), which no rule for people matches",
            ),
        }
    }
}

/// The shape of a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    Plain,
    /// `host/…`.
    Host,
    /// `…$`.
    Dollar,
    Mac,
}

impl Shape {
    pub(crate) fn of(name: &str) -> Self {
        if name.get(..5).is_some_and(|head| head.eq_ignore_ascii_case("host/")) {
            Self::Host
        } else if user_part(name).ends_with('$') {
            Self::Dollar
        } else if mac_digits(name.as_bytes()).is_some() {
            Self::Mac
        } else {
            Self::Plain
        }
    }
}

/// Whether the request itself says that its name is a MAC address: by Service-Type Call-Check (10), or by a password of the same
/// digits, as appliances send both.
#[must_use]
pub fn names_a_mac(name: &[u8], password: Option<&[u8]>, call_check: bool) -> bool {
    let Some(digits) = mac_digits(name) else { return false };
    call_check || password.and_then(mac_digits).is_some_and(|same| same == digits)
}

/// The twelve digits of a MAC address in any of its notations.
fn mac_digits(text: &[u8]) -> Option<[u8; 12]> {
    let others = text.iter().all(|octet| octet.is_ascii_hexdigit() || b":-.".contains(octet));
    if !others || (text.len() != 12 && text.len() < 14) {
        return None;
    }
    let digits: Vec<u8> = text.iter().filter(|octet| octet.is_ascii_hexdigit()).map(u8::to_ascii_lowercase).collect();
    digits.try_into().ok()
}
