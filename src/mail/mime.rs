//! A letter as the octets of a mail: headers, the plain text and the page (RFC 5322, RFC 2045, RFC 2046 §5.1.4).
//!
//! Pure. Date, Message-ID and boundary are the letter's own, so that the same letter is the same octets, however often it is sent.

use std::time::{Duration, UNIX_EPOCH};

use lettre::message::header::{ContentType, Header, HeaderName, HeaderValue};
use lettre::message::{Mailbox, Message, MultiPart, SinglePart};

use super::{Address, House, Letter, MailFailure, compose};

/// The last moment that a Date can say (RFC 5322 §3.3: four digits a year).
const YEAR_9999_MILLIS: u64 = 253_402_300_799_000;

/// The letter as it goes over the wire. Its Date and Message-ID are the letter's own, so that a second delivery is the same mail.
pub(super) fn message(letter: &Letter, house: &House, from: &Address) -> Result<Message, MailFailure> {
    let text = compose(letter, house);
    // Rules F6. House and Address were checked when they were made, and `compose` cleans: this is the second lock.
    if text.subject.contains(char::is_control) || house.account_name().contains(char::is_control) {
        return Err(MailFailure::Refused("a header field would hold a control character".into()));
    }
    let body = MultiPart::alternative()
        // Part of the letter's name, so that the same letter is the same octets.
        .boundary(format!("vestibule-{}", letter.id))
        .singlepart(SinglePart::builder().header(ContentType::TEXT_PLAIN).body(text.plain))
        .singlepart(SinglePart::builder().header(ContentType::TEXT_HTML).body(text.html));
    let message = Message::builder()
        .from(Mailbox::new(Some(house.account_name().to_owned()), from.as_lettre().clone()))
        .to(Mailbox::new(None, letter.to.as_lettre().clone()))
        .subject(text.subject)
        .date(UNIX_EPOCH + Duration::from_millis(letter.at.0.min(YEAR_9999_MILLIS)))
        .message_id(Some(format!("<{}@{}>", letter.id, from.domain())))
        // RFC 3834 §5: out-of-office answers don't answer it.
        .header(AutoSubmitted)
        .multipart(body);
    message.map_err(|_| MailFailure::Refused("the letter can't be put into a mail".into()))
}

/// `Auto-Submitted: auto-generated` (RFC 3834 §5).
#[derive(Clone)]
struct AutoSubmitted;

impl Header for AutoSubmitted {
    fn name() -> HeaderName {
        HeaderName::new_from_ascii_str("Auto-Submitted")
    }

    fn parse(_: &str) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        Ok(Self)
    }

    fn display(&self) -> HeaderValue {
        HeaderValue::new(Self::name(), "auto-generated".to_owned())
    }
}
