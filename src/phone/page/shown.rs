//! What a prompt shows, and the hash by which the page says that it showed just that (rules F5).

use data_encoding::BASE64URL_NOPAD;
use login::Wall;
use serde::Serialize;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::phone::canonical::{NotCanonical, canonical};
use crate::phone::plain::plain;
use crate::phone::stamp::utc_seconds;

/// Characters of each text; a phone shows no more.
const TEXT_MAX: usize = 96;

/// What a user decides on. All of it is text, so that both sides hash the same octets.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Shown {
    /// Which account: `[portal] account_name`.
    app: String,
    /// Which appliance asks.
    appliance: String,
    /// From where, as the appliance says; empty where it doesn't.
    ip: String,
    /// Since when it waits, in UTC; the page writes it in the reader's own time.
    time: String,
    /// Who logs in.
    user: String,
}

impl Shown {
    /// Of what we stored, with what RADIUS brought made fit to be read.
    #[must_use]
    pub fn new(account: &str, appliance: &str, place: Option<&str>, since: Wall, user: &str) -> Self {
        let text = |text: &str| plain(text, TEXT_MAX);
        Self {
            app: text(account),
            appliance: text(appliance),
            ip: text(place.unwrap_or_default()),
            time: utc_seconds(since),
            user: text(user),
        }
    }

    /// As the page is sent it.
    #[must_use]
    pub fn to_json(&self) -> Value {
        json!(self)
    }

    /// The hash that an answer is bound to.
    #[must_use]
    pub fn print(&self) -> String {
        // Text only, so it has a canonical form.
        print_of(&self.to_json()).unwrap_or_default()
    }
}

/// SHA-256 over the canonical JSON (RFC 8785) in URL-safe base64.
///
/// # Errors
/// [`NotCanonical`]: there is a number in it that has no such form.
pub fn print_of(value: &Value) -> Result<String, NotCanonical> {
    Ok(BASE64URL_NOPAD.encode(&Sha256::digest(canonical(value)?)))
}
