//! A letter before it is written: to whom, in which language, and the facts that it tells.
//!
//! It is what the outbox keeps, as JSON that the store seals (a mailed code is in it). `Debug` never shows the code.

use std::fmt;

use login::Wall;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::Address;
use crate::language::Language;

/// A letter's name for its whole life: the outbox' key and its Message-ID. Drawn by the caller.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct LetterId(pub [u8; 16]);

/// One letter to one reader.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Letter {
    /// Unique: two letters never share it, and a letter that is sent again keeps it.
    pub id: LetterId,
    /// When what it tells happened: the letter's Date.
    #[serde(with = "millis")]
    pub at: Wall,
    /// The one reader.
    pub to: Address,
    /// In which language.
    pub language: Language,
    /// Whose account it is about, as the user knows the name.
    pub user: String,
    /// What it tells.
    pub kind: LetterKind,
}

/// What a letter tells, with its facts. Texts among the facts may come from anybody: they are cleaned where the letter is written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "snake_case")]
pub enum LetterKind {
    /// Come and enrol. Carries a code only where `mail_code` is allowed (rules F7), which the caller sees to.
    Invitation { code: Option<ActivationCode> },
    /// The mailed code of a first enrolment (rules F3).
    Activation { code: ActivationCode },
    /// A method was added; `name` is what the user calls it, and may be empty.
    MethodAdded { method: Method, name: String },
    /// A method was removed.
    MethodRemoved { method: Method, name: String },
    /// To the user who said "It wasn't me": what was done. Where the login was and where it came from may be empty.
    FraudReported { client: String, station: String },
    /// The same to the site's own people.
    FraudAlert { client: String, station: String },
    /// Nobody gets in with this account any more.
    Blocked { by: String, reason: String },
    /// They do again.
    Unblocked { by: String, reason: String },
    /// Staff did something to the account (rules F4).
    StaffAct { what: StaffAction, by: String, reason: String },
    /// To the user: the phone has not answered three times.
    SilentPhone { name: String },
    /// The same to the site's own people.
    SilentPhoneAlert { name: String },
    /// The PIN is another one now.
    PinChanged,
    /// The password that we keep is another one now.
    PasswordChanged,
    /// There are new recovery codes, and the old ones are dead.
    RecoveryCodesMade,
    /// One recovery code was used; so many are left.
    RecoveryCodeUsed { left: u32 },
    /// One login without a second factor was granted. `by` is empty where the user did it.
    BypassGranted {
        by: String,
        reason: String,
        client: String,
        #[serde(with = "millis")]
        until: Wall,
    },
}

/// A method, as letters name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Method {
    /// A phone that takes prompts.
    Phone,
    /// An authenticator app that makes codes.
    App,
    /// A token in a box of its own.
    HardwareToken,
}

/// What staff did, where it has no letter of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StaffAction {
    CodeIssued,
    MethodRemoved,
    TokenAssigned,
    TokenResynced,
    PinReset,
    LimitsLifted,
    BypassRevoked,
    SessionsEnded,
    DetailsChanged,
}

/// A code that enrols, and until when.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ActivationCode {
    pub code: MailedCode,
    #[serde(with = "millis")]
    pub until: Wall,
}

/// The one secret that a letter may carry. Unprintable; wiped when dropped.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub struct MailedCode(Zeroizing<String>);

impl MailedCode {
    #[must_use]
    pub fn new(code: &str) -> Self {
        Self(Zeroizing::new(code.to_owned()))
    }

    /// The code itself. The name is meant to be found by a search.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl Letter {
    /// For the store, which seals it (rules F1): a mailed code is in it.
    #[must_use]
    pub fn to_json(&self) -> Zeroizing<String> {
        // Strings, numbers and enums only: there is nothing in a letter that JSON can't hold.
        Zeroizing::new(serde_json::to_string(self).unwrap_or_default())
    }

    /// # Errors
    ///
    /// What is no letter of this version; the error shows none of it.
    pub fn from_json(json: &str) -> Result<Self, NotALetter> {
        serde_json::from_str(json).map_err(|_| NotALetter)
    }
}

/// The stored text is no letter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a stored letter can't be read: it was written by another version, or is damaged")]
pub struct NotALetter;

impl fmt::Debug for MailedCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MailedCode(..)")
    }
}

impl From<String> for MailedCode {
    fn from(code: String) -> Self {
        Self(Zeroizing::new(code))
    }
}

impl From<MailedCode> for String {
    fn from(code: MailedCode) -> Self {
        code.0.as_str().to_owned()
    }
}

impl fmt::Display for LetterId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&data_encoding::HEXLOWER.encode(&self.0))
    }
}

impl fmt::Debug for LetterId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl TryFrom<String> for LetterId {
    type Error = NotALetter;

    fn try_from(text: String) -> Result<Self, NotALetter> {
        let octets = data_encoding::HEXLOWER.decode(text.as_bytes()).map_err(|_| NotALetter)?;
        octets.try_into().map(Self).map_err(|_| NotALetter)
    }
}

impl From<LetterId> for String {
    fn from(id: LetterId) -> Self {
        id.to_string()
    }
}

/// A wall time as its milliseconds.
mod millis {
    use login::Wall;
    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(wall: &Wall, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u64(wall.0)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Wall, D::Error> {
        u64::deserialize(deserializer).map(Wall)
    }
}
