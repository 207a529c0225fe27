//! The facts of one Access-Request, after the wire and before any decision.
//!
//! The credential is split here, before the primary sees a password (rules C4): once, at the last
//! delimiter, and never tried unsplit afterwards.

use std::net::IpAddr;

use std::fmt;

use wire::Secret;

use crate::facts::Method;
use crate::key::{LoginKey, Proof, StateHash};
use crate::moment::Tick;
use crate::name::{ClientName, NameRefused, Station, UserName};
use crate::record::Reason;

/// One Access-Request that waits for its one answer; the engine knows its socket and Identifier.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AskerId(pub u64);

/// A request that waits, and until when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Asker {
    /// Which request.
    pub id: AskerId,
    /// When it came.
    pub since: Tick,
    /// Its own deadline: `gives_up_after` less the margin (B5).
    pub until: Tick,
    /// Octets of an answer that are not ours to choose: header, Message-Authenticator, Proxy-State (E3).
    pub overhead: usize,
    /// Attributes that an answer to it has for its own sake: the same, counted.
    pub attributes: usize,
}

/// What was typed beside the password.
#[derive(Clone, PartialEq, Eq)]
pub enum Appended {
    /// Six to eight digits.
    Code(Secret),
    /// A listed method's word: `password,push`.
    Method(Method),
}

impl fmt::Debug for Appended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Code(_) => f.write_str("Code(..)"),
            Self::Method(method) => write!(f, "Method({})", method.as_str()),
        }
    }
}

/// How the first factor is proved.
#[derive(Clone, Debug)]
pub enum Credential {
    /// User-Password, decoded and split.
    Pap {
        /// What the primary gets; with State, the whole answer to the challenge.
        password: Secret,
        /// What was split off, on a client with `append`.
        appended: Option<Appended>,
    },
    /// A kind that this release refuses with reason `credential`.
    Unsupported {
        /// `chap`, `mschap`, `mschapv2`, `eap`, `none`.
        kind: &'static str,
    },
}

/// One Access-Request's facts.
#[derive(Clone, Debug)]
pub struct Attempt {
    /// Who waits for the answer.
    pub asker: Asker,
    /// Through which appliance.
    pub client: ClientName,
    /// What was typed as a name, or why it can't be one (A2).
    pub user: Result<UserName, NameRefused>,
    /// The User-Name's octets: for the primary, which has a dialect of its own.
    pub user_octets: Box<[u8]>,
    /// The request says that its name is a MAC address ([`crate::name::names_a_mac`]).
    pub names_a_mac: bool,
    /// How the first factor is proved.
    pub credential: Credential,
    /// From where, as the appliance says.
    pub station: Option<Station>,
    /// The station's address, where it is one and not the appliance's own: a network's wrong passwords are counted by it (D7).
    pub address: Option<IpAddr>,
    /// L: which login this is (B2); a key of its own where it lacks what its `join` needs.
    pub login: LoginKey,
    /// L and P in one, of this process's own: by it a packet without Message-Authenticator finds the login that it waits
    /// for (D5). `None` where L lacks what its `join` needs, or where no such packet is let in.
    pub same: Option<LoginKey>,
    /// L whatever `join` needs: two answers to one State are compared by it (C3).
    pub twin: LoginKey,
    /// P: which credential this is (B2).
    pub proof: Proof,
    /// What a State is that nobody here knows: never given out, too late, or from before a restart ([`crate::ProofKey::why_unknown`]).
    pub unknown_state: Reason,
    /// The State it answers, if any.
    pub state: Option<StateHash>,
    /// It carried a verified Message-Authenticator; without, it joins and ends nothing (D5).
    pub authentic: bool,
}

/// Splits `password<delimiter>tail` at the last delimiter, if the tail is 6 to 8 digits or a listed
/// method's word (C4). Anything else is the whole password.
#[must_use]
pub fn split_appended(whole: &Secret, delimiter: &str) -> (Secret, Option<Appended>) {
    let octets = whole.expose();
    let unsplit = || (whole.clone(), None);
    let Some(at) = last_position(octets, delimiter.as_bytes()) else { return unsplit() };
    let (head, rest) = octets.split_at(at);
    let tail = rest.get(delimiter.len()..).unwrap_or_default();
    match appended(tail) {
        Some(appended) => (Secret::new(head.to_vec()), Some(appended)),
        None => unsplit(),
    }
}

/// Whether octets have the shape of a code: 6 to 8 digits.
#[must_use]
pub fn is_code(octets: &[u8]) -> bool {
    (6..=8).contains(&octets.len()) && octets.iter().all(u8::is_ascii_digit)
}

fn appended(tail: &[u8]) -> Option<Appended> {
    if is_code(tail) {
        return Some(Appended::Code(Secret::new(tail.to_vec())));
    }
    std::str::from_utf8(tail).ok().and_then(Method::of_word).map(Appended::Method)
}

fn last_position(octets: &[u8], delimiter: &[u8]) -> Option<usize> {
    if delimiter.is_empty() {
        return None;
    }
    (0..octets.len()).rev().find(|at| octets.get(*at..).is_some_and(|rest| rest.starts_with(delimiter)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(whole: &str) -> (String, Option<Appended>) {
        let (password, appended) = split_appended(&Secret::new(whole.as_bytes().to_vec()), ",");
        (String::from_utf8(password.expose().to_vec()).unwrap(), appended)
    }

    fn code(digits: &str) -> Option<Appended> {
        Some(Appended::Code(Secret::new(digits.as_bytes().to_vec())))
    }

    #[test]
    fn a_code_is_split_off_at_the_last_delimiter() {
        assert_eq!(split("pa,ss,123456"), ("pa,ss".into(), code("123456")));
        assert_eq!(split("pass,12345678"), ("pass".into(), code("12345678")));
    }

    #[test]
    fn a_method_word_is_split_off_in_any_case() {
        assert_eq!(split("pass,Push"), ("pass".into(), Some(Appended::Method(Method::Push))));
    }

    #[test]
    fn any_other_tail_belongs_to_the_password() {
        for whole in ["pass,12345", "pass,123456789", "pass,12345a", "pass,word", "pass", "123456", "pass,"] {
            assert_eq!(split(whole), (whole.into(), None));
        }
    }

    #[test]
    fn an_empty_password_before_a_code_stays_empty() {
        assert_eq!(split(",123456"), (String::new(), code("123456")));
    }
}
