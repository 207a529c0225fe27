//! What the app asks, parsed once: a poll, or one of three POSTs told apart by their fields.
//!
//! Only the shape is checked here. Who it is, whether the signature is the device's own, and whether the clock is near enough
//! comes after, in that order of cost.

use wire::Secret;

use super::fields::Fields;
use super::keys::{KeyRefused, PhoneKey};
use super::proof::{Signature, answer_text, poll_text, token_update_text};
use crate::enrolment::activation::Serial;
use crate::phone::stamp::Stamp;

/// What is wrong with a request. The text is shown by the app, so it is for a person.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// More octets than any request has.
    #[error("The request is too large.")]
    TooLarge,
    /// A field comes twice, or there are too many.
    #[error("The request has a field twice, or too many fields.")]
    Fields,
    /// An escape or an octet that is no text.
    #[error("The request is no readable form.")]
    Form,
    /// No JSON object.
    #[error("The request is no JSON object.")]
    Json,
    /// Empty, or fields of no request that we know. The app on iOS sends an empty one first, to be granted the network.
    #[error("The request is empty or of no known kind.")]
    Kind,
    /// A field that this request can't do without.
    #[error("The request lacks the field {0}.")]
    Missing(&'static str),
    /// A field with a value that it can't have.
    #[error("The request's field {0} has a value that it can't have.")]
    Value(&'static str),
    /// No time of the shape that the app writes.
    #[error("The request's timestamp can't be read.")]
    Timestamp,
    /// No base32.
    #[error("The request's signature can't be read.")]
    Signature,
    /// A public key that we don't take.
    #[error("{0}")]
    Key(KeyRefused),
}

/// The app asks for what is open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Poll {
    /// Which device says that it asks.
    pub serial: Serial,
    /// When, in its own words.
    pub stamp: Stamp,
    /// Over serial and time.
    pub signature: Signature,
    /// The app can send a reason with a decline. Unsigned, so a hint only.
    pub declines_with_reason: bool,
}

/// One of the three POSTs.
#[derive(Debug, PartialEq, Eq)]
pub enum Post {
    /// A device is enrolled.
    Enrol(Enrol),
    /// The device refreshes a token that we don't use, and learns that we are there.
    TokenUpdate(TokenUpdate),
    /// A prompt is answered.
    Answer(Answer),
}

/// A device is enrolled.
#[derive(Debug, PartialEq, Eq)]
pub struct Enrol {
    /// The serial of the activation.
    pub serial: Serial,
    /// The single-use credential of the activation.
    pub credential: Secret,
    /// The key that the phone made.
    pub key: PhoneKey,
    /// The app can send a reason with a decline.
    pub declines_with_reason: bool,
}

/// A token update; the token itself means nothing to us.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenUpdate {
    /// Which device.
    pub serial: Serial,
    /// The token, as it was signed.
    pub new_fb_token: String,
    /// When, in its own words.
    pub stamp: Stamp,
    /// Over token, serial and time.
    pub signature: Signature,
}

/// A prompt is answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// Which device.
    pub serial: Serial,
    /// Which prompt.
    pub nonce: String,
    /// Yes or no.
    pub said: Said,
    /// The number that was tapped.
    pub presence: Option<String>,
    /// Over all of it.
    pub signature: Signature,
}

/// Yes or no.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Said {
    /// Accept.
    Accept,
    /// Decline, and why if the app asked.
    Decline(Option<DeclineReason>),
}

/// Why a user declines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DeclineReason {
    /// "I triggered this, and want to cancel it."
    Cancelled,
    /// "I did not trigger this": the report of a fraud.
    UnknownTrigger,
    /// A reason of a later app: a decline all the same.
    Other(String),
}

impl DeclineReason {
    fn parse(text: &str) -> Result<Self, Malformed> {
        match text {
            "cancelled" => Ok(Self::Cancelled),
            "unknown_trigger" => Ok(Self::UnknownTrigger),
            // It is signed as the last of the fields, so it must not hold their mark.
            other if other.len() <= 64 && !other.contains('|') => Ok(Self::Other(other.to_owned())),
            _ => Err(Malformed::Value("decline_reason")),
        }
    }

    /// As it is signed.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::Cancelled => "cancelled",
            Self::UnknownTrigger => "unknown_trigger",
            Self::Other(text) => text,
        }
    }
}

impl Poll {
    /// Reads the query of a GET.
    ///
    /// # Errors
    /// [`Malformed`] says what is wrong with it.
    pub fn parse(query: &str) -> Result<Self, Malformed> {
        let fields = Fields::of_query(query)?;
        Ok(Self {
            serial: serial(&fields)?,
            stamp: stamp(&fields)?,
            signature: signature(&fields)?,
            declines_with_reason: declines_with_reason(&fields),
        })
    }

    /// What the device signed.
    #[must_use]
    pub fn signed_text(&self) -> String {
        poll_text(self.serial.as_str(), &self.stamp.text)
    }
}

impl Post {
    /// Reads the body of a POST.
    ///
    /// # Errors
    /// [`Malformed`] says what is wrong with it.
    pub fn parse(content_type: Option<&str>, body: &[u8]) -> Result<Self, Malformed> {
        let fields = Fields::of_body(content_type, body)?;
        let has = |names: &[&'static str]| names.iter().all(|name| fields.has(name));
        if has(&["fbtoken", "pubkey"]) {
            Enrol::of(&fields).map(Self::Enrol)
        } else if has(&["new_fb_token", "timestamp", "signature"]) {
            TokenUpdate::of(&fields).map(Self::TokenUpdate)
        } else if has(&["signature"]) {
            Answer::of(&fields).map(Self::Answer)
        } else {
            Err(Malformed::Kind)
        }
    }
}

impl Enrol {
    fn of(fields: &Fields) -> Result<Self, Malformed> {
        let credential = fields.needed("enrollment_credential")?;
        if credential.len() > 128 {
            return Err(Malformed::Value("enrollment_credential"));
        }
        Ok(Self {
            serial: serial(fields)?,
            credential: Secret::new(credential),
            key: PhoneKey::of_field(fields.needed("pubkey")?).map_err(Malformed::Key)?,
            declines_with_reason: declines_with_reason(fields),
        })
    }
}

impl TokenUpdate {
    fn of(fields: &Fields) -> Result<Self, Malformed> {
        Ok(Self {
            serial: serial(fields)?,
            // Empty is a token too; it is signed as it is.
            new_fb_token: fields.text("new_fb_token").unwrap_or_default().to_owned(),
            stamp: stamp(fields)?,
            signature: signature(fields)?,
        })
    }

    /// What the device signed.
    #[must_use]
    pub fn signed_text(&self) -> String {
        token_update_text(&self.new_fb_token, self.serial.as_str(), &self.stamp.text)
    }
}

impl Answer {
    fn of(fields: &Fields) -> Result<Self, Malformed> {
        let nonce = fields.needed("nonce")?;
        if nonce.len() > 64 || !nonce.bytes().all(|octet| octet.is_ascii_alphanumeric()) {
            return Err(Malformed::Value("nonce"));
        }
        Ok(Self {
            serial: serial(fields)?,
            nonce: nonce.to_owned(),
            said: said(fields)?,
            presence: presence(fields)?,
            signature: signature(fields)?,
        })
    }

    /// What the device signed, by its own account of it. What counts is rebuilt from what we stored (rules F5).
    #[must_use]
    pub fn signed_text(&self) -> String {
        answer_text(&self.nonce, self.serial.as_str(), &self.said, self.presence.as_deref())
    }
}

fn serial(fields: &Fields) -> Result<Serial, Malformed> {
    Serial::parse(fields.needed("serial")?).map_err(|_| Malformed::Value("serial"))
}

/// Dart writes six digits, or three where the microseconds are zero.
fn stamp(fields: &Fields) -> Result<Stamp, Malformed> {
    Stamp::parse(fields.needed("timestamp")?, &[3, 6]).map_err(|_| Malformed::Timestamp)
}

fn signature(fields: &Fields) -> Result<Signature, Malformed> {
    Signature::parse(fields.needed("signature")?)
}

/// One form of the app leaves `decline` out of an accept, another writes 0. What is neither 0 nor 1 is no answer: an accept must
/// be meant.
fn said(fields: &Fields) -> Result<Said, Malformed> {
    let reason = fields.text("decline_reason").map(DeclineReason::parse).transpose()?;
    match (fields.text("decline"), reason) {
        (Some("1" | "true" | "True"), reason) => Ok(Said::Decline(reason)),
        (None | Some("0" | "false" | "False"), None) => Ok(Said::Accept),
        (None | Some(_), _) => Err(Malformed::Value("decline")),
    }
}

fn presence(fields: &Fields) -> Result<Option<String>, Malformed> {
    match fields.text("presence_answer") {
        Some(value) if value.is_empty() || value.len() > 16 || value.contains('|') => {
            Err(Malformed::Value("presence_answer"))
        }
        value => Ok(value.map(str::to_owned)),
    }
}

/// A JSON list of words, or nothing that we could rely on.
fn declines_with_reason(fields: &Fields) -> bool {
    let words = fields.text("capabilities").and_then(|text| serde_json::from_str::<Vec<String>>(text).ok());
    words.is_some_and(|words| words.iter().any(|word| word == "decline_reason"))
}
