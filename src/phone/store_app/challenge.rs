//! A prompt as the app is shown it: seven strings that our key signs, and what later apps read besides.
//!
//! One malformed element voids the whole list in the app, so every text goes through [`crate::phone::plain`] and the address
//! is one that the app writes back unchanged.

use serde_json::{Value, json};

use super::proof::Signature;
use crate::enrolment::activation::{PushUrl, Serial, ServerKey, ServerKeyError};
use crate::phone::canonical::canonical;
use crate::phone::plain::plain;

/// Octets of the nonce: 160 bits, 32 letters of base32. The app never shows a nonce twice.
pub const NONCE_OCTETS: usize = 20;

/// Characters of a question; more is no question.
const QUESTION_MAX: usize = 240;

/// Characters of a heading.
const TITLE_MAX: usize = 48;

/// The numbers that the app offers; the user taps the one that the VPN's window shows (rules F8).
#[derive(Clone, PartialEq, Eq)]
pub struct Presence {
    choices: Vec<String>,
}

impl std::fmt::Debug for Presence {
    /// Which of them is right is known elsewhere; the choices are on the phone's screen.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(&self.choices).finish()
    }
}

impl Presence {
    /// Of 2 to 10 different numbers.
    #[must_use]
    pub fn new(choices: Vec<String>) -> Option<Self> {
        let digits =
            |choice: &String| !choice.is_empty() && choice.len() <= 6 && choice.bytes().all(|c| c.is_ascii_digit());
        let different = choices.iter().enumerate().all(|(index, choice)| !choices[..index].contains(choice));
        ((2..=10).contains(&choices.len()) && choices.iter().all(digits) && different).then_some(Self { choices })
    }

    /// The one of ours that equals what came back.
    #[must_use]
    pub fn offered(&self, answer: &str) -> Option<&str> {
        self.choices.iter().map(String::as_str).find(|choice| *choice == answer)
    }

    fn field(&self) -> String {
        self.choices.join(",")
    }
}

/// A prompt for one device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Challenge {
    /// Single use; names the prompt and the device's part in it.
    pub nonce: String,
    /// Where the answer goes.
    pub url: PushUrl,
    /// Which device.
    pub serial: Serial,
    question: String,
    title: String,
    /// Numbers to choose from.
    pub presence: Option<Presence>,
}

impl Challenge {
    /// A prompt with its texts made fit to be shown. An empty one is never sent: the app refuses the whole list.
    #[must_use]
    pub fn new(
        nonce: String,
        url: PushUrl,
        serial: Serial,
        question: &str,
        title: &str,
        presence: Option<Presence>,
    ) -> Self {
        let or = |text: String, instead: &str| if text.is_empty() { instead.to_owned() } else { text };
        Self {
            nonce,
            url,
            question: or(plain(question, QUESTION_MAX), "?"),
            title: or(plain(title, TITLE_MAX), serial.as_str()),
            serial,
            presence,
        }
    }

    /// What our key signs; the app compares it with what it got and drops the prompt if it differs.
    #[must_use]
    pub fn signed_text(&self) -> String {
        let fields = [&self.nonce, self.url.as_str(), self.serial.as_str(), &self.question, &self.title, "1"];
        let text = fields.join("|");
        match &self.presence {
            None => text,
            Some(presence) => format!("{text}|{}", presence.field()),
        }
    }

    /// What the capabilities' signature covers (RFC 8785).
    #[must_use]
    pub fn capabilities_text(&self) -> String {
        // Text and booleans only, so it has a canonical form.
        canonical(&json!({ "capabilities": capabilities(), "nonce": self.nonce })).unwrap_or_default()
    }

    /// The element of the list that a poll gets.
    ///
    /// # Errors
    /// [`ServerKeyError`]: the library could not sign.
    pub fn signed(&self, key: &ServerKey) -> Result<Value, ServerKeyError> {
        // Every one of the first seven must be a string, `sslverify` too: the app checks certificates, always (a lab's
        // switch would let whoever sits in between take over the enrolment).
        let sign = |text: String| key.sign(&text).map(|octets| Signature::new(octets).encode());
        let mut element = json!({
            "nonce": self.nonce,
            "url": self.url.as_str(),
            "serial": self.serial.as_str(),
            "question": self.question,
            "title": self.title,
            "sslverify": "1",
            "signature": sign(self.signed_text())?,
            "capabilities": capabilities(),
            "capabilities_signature": sign(self.capabilities_text())?,
        });
        if let Some(presence) = &self.presence {
            element["require_presence"] = presence.field().into();
            // Ignored by the app; privacyIDEA sends it.
            element["version"] = "2".into();
        }
        Ok(element)
    }
}

/// The app may say why it declines: "I did not trigger this" is a fraud report. Always advertised; older apps skip it.
fn capabilities() -> Value {
    json!({ "decline_reason": true })
}
