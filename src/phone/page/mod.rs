//! The protocol of our own installable page: what it signs with a key that can't leave its browser, and what that means.
//!
//! Everything signed is lines of text, the first of which names what it is, so that no signature fits another purpose. An
//! answer covers what was shown, by its hash over canonical JSON (RFC 8785), which we compute again from our own record
//! (rules F5). This half is pure: bytes in, values out. It reads no clock and panics on no input.

pub mod answer;
pub mod key;
pub mod request;
pub mod shown;
pub mod signed;

#[cfg(test)]
mod vectors;

pub use answer::{Asked, BadAnswer, Verdict, judge};
pub use key::{NotAKey, PageKey};
pub use request::{About, Answer, Enrol, Leave, Malformed, Poll, Said, Subscribe, Subscription};
pub use shown::Shown;

/// A body is this long at most.
pub const BODY_OCTETS_MAX: usize = 8 * 1024;

/// How far the clock of a browser may be off for a poll.
pub const POLL_WINDOW: std::time::Duration = std::time::Duration::from_secs(120);

/// How far it may be off for an enrolment, an address for notifications or a farewell: a person waits, and each of them is
/// harmless to repeat.
pub const ACT_WINDOW: std::time::Duration = std::time::Duration::from_secs(300);
