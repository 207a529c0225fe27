//! Mail: letters to users and to the site's own people, written in the reader's language and handed to the site's mail server.
//!
//! A [`Letter`] is facts and an address, made at the moment of the happening and kept durably by whoever owns the outbox (the store
//! seals it: two kinds carry a code). [`Outbox`](run) takes what is due, a [`Courier`] delivers it, and what can't be delivered now
//! is tried again, more and more seldom. A letter goes out at least once, always under the same Message-ID.
//!
//! What this room guarantees: no letter leaves over a connection that could be read on its way, but for a relay on this host or
//! where the site says so; CR, LF and control octets reach no header (rules F6); no secret stands in a letter but the activation
//! code in the two kinds that are made for it (rules F7), nor in any error or `Debug` (rules F1). What it never does: read a clock
//! (letters carry their moment), decide who is told what, or keep anything that a restart may lose.

mod address;
mod compose;
mod letter;
mod lines;
mod mime;
mod outbox;
mod posting;
mod smtp;
#[cfg(test)]
mod tests;

use std::fmt;
use std::future::Future;
use std::pin::Pin;

use reqwest::Url;

pub use address::{Address, NotAnAddress};
pub use compose::{Text, compose};
pub use letter::{ActivationCode, Letter, LetterId, LetterKind, MailedCode, Method, NotALetter, StaffAction};
pub use outbox::{Due, Letters, LettersUnavailable, Then, Waiter, run};
pub use posting::{Reader, alerted, post};
pub use smtp::{BadMailSettings, MailSettings, Security, Smtp, SmtpServer};

/// A future of a trait object's method.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Delivers letters.
pub trait Courier: Send + Sync {
    /// Delivers one letter, or says why not. A letter that was delivered and is given again is delivered again, under the same
    /// Message-ID.
    fn send<'a>(&'a self, letter: &'a Letter) -> BoxFuture<'a, Result<(), MailFailure>>;
}

/// Why a letter was not delivered. Says what the server answered by its number only: a server may repeat what it was sent.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MailFailure {
    /// The server will never take this letter (5yz, RFC 5321 §4.2.1), or it can't be written. Not tried again.
    #[error("the mail server refuses the letter: {0}")]
    Refused(String),
    /// The server can't be reached, doesn't take mail from us now or is not who it should be. Tried again.
    #[error("the mail server can't take the letter now: {0}")]
    Unavailable(String),
}

/// Characters of the account's name and of the service desk's line at most.
const NAME_CHARS_MAX: usize = 100;

/// What every letter of this site says: who it is and where help is.
#[derive(Clone, Debug)]
pub struct House {
    account_name: String,
    portal_url: Option<Url>,
    help_desk: Option<String>,
    alerts_to: Vec<Address>,
}

impl House {
    /// # Errors
    ///
    /// A name that is empty or too long, control octets in it (it stands in a header: rules F6), or a portal that is no web page.
    pub fn new(
        account_name: &str,
        portal_url: Option<Url>,
        help_desk: Option<&str>,
        alerts_to: Vec<Address>,
    ) -> Result<Self, BadHouse> {
        let help_desk = help_desk.map(str::trim).filter(|line| !line.is_empty());
        if portal_url.as_ref().is_some_and(|url| !matches!(url.scheme(), "https" | "http")) {
            return Err(BadHouse::Portal);
        }
        Ok(Self {
            account_name: line(account_name).ok_or(BadHouse::AccountName)?,
            portal_url,
            help_desk: help_desk.map(|desk| line(desk).ok_or(BadHouse::HelpDesk)).transpose()?,
            alerts_to,
        })
    }

    /// The name under which the phone, the mail and the portal know this site.
    #[must_use]
    pub fn account_name(&self) -> &str {
        &self.account_name
    }

    /// Where alerts about frauds and silent phones go.
    #[must_use]
    pub fn alerts_to(&self) -> &[Address] {
        &self.alerts_to
    }

    pub(super) fn portal_url(&self) -> Option<&Url> {
        self.portal_url.as_ref()
    }

    pub(super) fn help_desk(&self) -> Option<&str> {
        self.help_desk.as_deref()
    }
}

/// What is wrong with a [`House`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BadHouse {
    AccountName,
    HelpDesk,
    Portal,
}

impl fmt::Display for BadHouse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::AccountName => {
                "account_name must be one line of 1 to 100 characters: it stands in the subject of every mail"
            }
            Self::HelpDesk => "help_desk must be one line of at most 100 characters",
            Self::Portal => "the portal's url must begin with https://",
        })
    }
}

impl std::error::Error for BadHouse {}

/// One line without control characters, neither empty nor too long.
fn line(text: &str) -> Option<String> {
    let text = text.trim();
    let good = !text.is_empty() && text.chars().count() <= NAME_CHARS_MAX && !text.contains(char::is_control);
    good.then(|| text.to_owned())
}
