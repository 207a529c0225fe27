//! What the page sends, parsed once: JSON objects of known members only, bounded, every text of the alphabet that it needs.

use data_encoding::BASE64URL_NOPAD;
use serde::{Deserialize, Serialize};
use serde_json::json;
use wire::Secret;

use super::BODY_OCTETS_MAX;
use super::key::{PageKey, SIGNATURE_OCTETS};
use super::shown::print_of;
use super::signed::{self, AnswerLines};
use crate::phone::stamp::Stamp;

/// What is wrong with a request. For the page's developer: its user can only load it again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// More octets than any request has.
    #[error("the request is too large")]
    TooLarge,
    /// No JSON object of the members that this request has.
    #[error("the request is no JSON object of the members that it should have")]
    Json,
    /// A member that can't have this value.
    #[error("the member {0} can't have this value")]
    Member(&'static str),
}

/// Where a browser's push service takes messages for this device (RFC 8030, RFC 8291). The page's word: whoever sends there
/// judges the address first (rules F6).
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Subscription {
    /// An https address of a push service.
    pub endpoint: String,
    /// The browser's public key: 65 octets, URL-safe base64.
    pub p256dh: String,
    /// The browser's secret for messages: 16 octets, URL-safe base64.
    pub auth: String,
}

/// A device is enrolled.
#[derive(Debug)]
pub struct Enrol {
    /// The one-time code, without the marks that people put in.
    pub code: Secret,
    /// What the user calls the phone.
    pub name: String,
    /// The key that the browser made.
    pub key: PageKey,
    /// Where notifications go, if the browser could say already.
    pub subscription: Option<Subscription>,
    /// When.
    pub stamp: Stamp,
    signature: Vec<u8>,
}

/// The page asks for what is open.
#[derive(Debug)]
pub struct Poll {
    /// Which device says that it asks.
    pub device: String,
    /// When.
    pub stamp: Stamp,
    /// Wait for a prompt, if there is none.
    pub wait: bool,
    /// A prompt that the device has answered: what became of it? The nonce was told to nobody else, so it vouches for itself.
    pub about: Option<About>,
    /// What the device was told last: it is answered as soon as there is something else to tell.
    pub known: Option<String>,
    signature: Vec<u8>,
}

/// Which prompt a poll asks about.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct About {
    /// Which prompt.
    pub challenge: String,
    /// Its nonce for this device.
    pub nonce: String,
}

/// What the user tapped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Said {
    /// Verify.
    Approve,
    /// Deny.
    Deny,
    /// It wasn't me.
    Report,
}

impl Said {
    /// As it is signed.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Approve => "approve",
            Self::Deny => "deny",
            Self::Report => "report",
        }
    }
}

/// A prompt is answered.
#[derive(Debug)]
pub struct Answer {
    /// Which device.
    pub device: String,
    /// Which prompt.
    pub challenge: String,
    /// Its nonce.
    pub nonce: String,
    /// What was tapped.
    pub said: Said,
    /// The number that was entered or chosen.
    pub number: Option<String>,
    /// The PIN, where one is asked: for the server to check, never signed and never kept (rules F1).
    pub pin: Option<Secret>,
    /// The hash of what was shown, as the page has it.
    pub shown: String,
    /// When.
    pub stamp: Stamp,
    pub(super) signature: Vec<u8>,
}

/// Where notifications go from now on; `None` ends them.
#[derive(Debug)]
pub struct Subscribe {
    /// Which device.
    pub device: String,
    /// The new address.
    pub subscription: Option<Subscription>,
    /// When.
    pub stamp: Stamp,
    signature: Vec<u8>,
}

/// The user removes this phone.
#[derive(Debug)]
pub struct Leave {
    /// Which device.
    pub device: String,
    /// When.
    pub stamp: Stamp,
    signature: Vec<u8>,
}

impl Enrol {
    /// Reads the body of an enrolment.
    ///
    /// # Errors
    /// [`Malformed`].
    pub fn parse(body: &[u8]) -> Result<Self, Malformed> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Raw {
            code: String,
            name: String,
            key: String,
            subscription: Option<RawSubscription>,
            time: String,
            signature: String,
        }
        let raw: Raw = read(body)?;
        let spki = base64url(&raw.key, "key")?;
        Ok(Self {
            code: code(&raw.code)?,
            name: crate::phone::plain::plain(&raw.name, 40),
            key: PageKey::of_spki(&spki).map_err(|_| Malformed::Member("key"))?,
            subscription: raw.subscription.map(RawSubscription::checked).transpose()?,
            stamp: stamp(&raw.time)?,
            signature: signature(&raw.signature)?,
        })
    }

    /// Whether the page has the private half of the key that it gave (proof of possession), at this origin, for this code.
    #[must_use]
    pub fn is_proven(&self, origin: &str) -> bool {
        let code = String::from_utf8_lossy(self.code.expose());
        let text = signed::enrol(origin, &code, &self.key.print(), &self.stamp.text);
        self.key.signed(&text, &self.signature)
    }
}

impl Poll {
    /// Reads the body of a poll.
    ///
    /// # Errors
    /// [`Malformed`].
    pub fn parse(body: &[u8]) -> Result<Self, Malformed> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Raw {
            device: String,
            time: String,
            #[serde(default)]
            wait: bool,
            about: Option<About>,
            known: Option<String>,
            signature: String,
        }
        let raw: Raw = read(body)?;
        Ok(Self {
            device: word(raw.device, "device")?,
            // Two polls within one second must differ, so that the second is no repeat of the first.
            stamp: Stamp::parse(&raw.time, &[3]).map_err(|_| Malformed::Member("time"))?,
            wait: raw.wait,
            about: raw.about.map(About::checked).transpose()?,
            known: raw.known.map(|known| word(known, "known")).transpose()?,
            signature: signature(&raw.signature)?,
        })
    }

    /// What the device signs; also what is remembered of it.
    #[must_use]
    pub fn signed_text(&self, origin: &str) -> String {
        signed::poll(origin, &self.device, &self.stamp.text)
    }

    /// Whether this key signed it.
    #[must_use]
    pub fn is_signed(&self, origin: &str, key: &PageKey) -> bool {
        key.signed(&self.signed_text(origin), &self.signature)
    }
}

impl Answer {
    /// Reads the body of an answer.
    ///
    /// # Errors
    /// [`Malformed`].
    pub fn parse(body: &[u8]) -> Result<Self, Malformed> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Raw {
            device: String,
            challenge: String,
            nonce: String,
            said: Said,
            #[serde(default)]
            number: String,
            #[serde(default)]
            pin: String,
            shown: String,
            time: String,
            signature: String,
        }
        let raw: Raw = read(body)?;
        let digits = |text: &str, name| {
            let fits = text.len() <= 16 && text.bytes().all(|octet| octet.is_ascii_digit());
            if fits { Ok(()) } else { Err(Malformed::Member(name)) }
        };
        digits(&raw.number, "number")?;
        digits(&raw.pin, "pin")?;
        Ok(Self {
            device: word(raw.device, "device")?,
            challenge: word(raw.challenge, "challenge")?,
            nonce: word(raw.nonce, "nonce")?,
            said: raw.said,
            number: Some(raw.number).filter(|number| !number.is_empty()),
            pin: Some(raw.pin).filter(|pin| !pin.is_empty()).map(Secret::new),
            shown: word(raw.shown, "shown")?,
            stamp: stamp(&raw.time)?,
            signature: signature(&raw.signature)?,
        })
    }

    /// Whether this key signed it, by the page's own account.
    #[must_use]
    pub fn is_signed(&self, origin: &str, key: &PageKey) -> bool {
        key.signed(&self.signed_text(origin), &self.signature)
    }

    /// What the page signed, by its own account of it. What counts is rebuilt from what we stored (rules F5).
    #[must_use]
    pub fn signed_text(&self, origin: &str) -> String {
        signed::answer(&AnswerLines {
            origin,
            device: &self.device,
            challenge: &self.challenge,
            nonce: &self.nonce,
            said: self.said.as_str(),
            number: self.number.as_deref().unwrap_or_default(),
            shown: &self.shown,
            time: &self.stamp.text,
        })
    }
}

impl Subscribe {
    /// Reads the body of a change of address.
    ///
    /// # Errors
    /// [`Malformed`].
    pub fn parse(body: &[u8]) -> Result<Self, Malformed> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Raw {
            device: String,
            subscription: Option<RawSubscription>,
            time: String,
            signature: String,
        }
        let raw: Raw = read(body)?;
        Ok(Self {
            device: word(raw.device, "device")?,
            subscription: raw.subscription.map(RawSubscription::checked).transpose()?,
            stamp: stamp(&raw.time)?,
            signature: signature(&raw.signature)?,
        })
    }

    /// Whether this key signed it.
    #[must_use]
    pub fn is_signed(&self, origin: &str, key: &PageKey) -> bool {
        let print = self.subscription.as_ref().map(Subscription::print).unwrap_or_default();
        key.signed(&signed::subscribe(origin, &self.device, &print, &self.stamp.text), &self.signature)
    }
}

impl Leave {
    /// Reads the body of a farewell.
    ///
    /// # Errors
    /// [`Malformed`].
    pub fn parse(body: &[u8]) -> Result<Self, Malformed> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Raw {
            device: String,
            time: String,
            signature: String,
        }
        let raw: Raw = read(body)?;
        Ok(Self {
            device: word(raw.device, "device")?,
            stamp: stamp(&raw.time)?,
            signature: signature(&raw.signature)?,
        })
    }

    /// Whether this key signed it.
    #[must_use]
    pub fn is_signed(&self, origin: &str, key: &PageKey) -> bool {
        key.signed(&signed::leave(origin, &self.device, &self.stamp.text), &self.signature)
    }
}

impl Subscription {
    /// The browser's public key and its secret, as octets.
    #[must_use]
    pub fn keys(&self) -> ([u8; 65], [u8; 16]) {
        // Both were of this length when it was read; a subscription of anybody else's making reaches nobody.
        let octets = |text: &str| BASE64URL_NOPAD.decode(text.as_bytes()).unwrap_or_default();
        let p256dh = octets(&self.p256dh).try_into().unwrap_or([0; 65]);
        (p256dh, octets(&self.auth).try_into().unwrap_or([0; 16]))
    }

    /// The hash that the page signs.
    #[must_use]
    pub fn print(&self) -> String {
        // Text only, so it has a canonical form.
        print_of(&json!(self)).unwrap_or_default()
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawSubscription {
    endpoint: String,
    p256dh: String,
    auth: String,
}

impl RawSubscription {
    fn checked(self) -> Result<Subscription, Malformed> {
        let Self { endpoint, p256dh, auth } = self;
        let plain = endpoint.starts_with("https://") && endpoint.len() <= 1024;
        if !plain || !endpoint.bytes().all(|octet| octet.is_ascii_graphic()) {
            return Err(Malformed::Member("endpoint"));
        }
        // RFC 8291 §3.1, §3.2: an uncompressed point of P-256, and 16 octets.
        match (base64url(&p256dh, "p256dh")?.as_slice(), base64url(&auth, "auth")?.len()) {
            ([4, rest @ ..], 16) if rest.len() == 64 => Ok(Subscription { endpoint, p256dh, auth }),
            _ => Err(Malformed::Member("p256dh")),
        }
    }
}

impl About {
    fn checked(self) -> Result<Self, Malformed> {
        Ok(Self { challenge: word(self.challenge, "about")?, nonce: word(self.nonce, "about")? })
    }
}

fn read<T: serde::de::DeserializeOwned>(body: &[u8]) -> Result<T, Malformed> {
    if body.len() > BODY_OCTETS_MAX {
        return Err(Malformed::TooLarge);
    }
    serde_json::from_slice(body).map_err(|_| Malformed::Json)
}

/// People type a code in groups and in small letters; what is signed and looked up is one form of it.
fn code(text: &str) -> Result<Secret, Malformed> {
    let code = text.trim();
    let fits = |octet: u8| octet.is_ascii_uppercase() || octet.is_ascii_digit() || octet == b'-';
    if code.is_empty() || code.len() > 64 || !code.bytes().all(fits) {
        return Err(Malformed::Member("code"));
    }
    Ok(Secret::new(code))
}

/// An id, a nonce or a hash: nothing that could end a line of what is signed.
fn word(text: String, name: &'static str) -> Result<String, Malformed> {
    let fits = |octet: u8| octet.is_ascii_alphanumeric() || octet == b'-' || octet == b'_';
    if text.is_empty() || text.len() > 64 || !text.bytes().all(fits) {
        return Err(Malformed::Member(name));
    }
    Ok(text)
}

fn stamp(text: &str) -> Result<Stamp, Malformed> {
    Stamp::parse(text, &[0, 3]).map_err(|_| Malformed::Member("time"))
}

fn signature(text: &str) -> Result<Vec<u8>, Malformed> {
    let octets = base64url(text, "signature")?;
    if octets.len() == SIGNATURE_OCTETS { Ok(octets) } else { Err(Malformed::Member("signature")) }
}

fn base64url(text: &str, name: &'static str) -> Result<Vec<u8>, Malformed> {
    BASE64URL_NOPAD.decode(text.as_bytes()).map_err(|_| Malformed::Member(name))
}
