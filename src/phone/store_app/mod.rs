//! The protocol of the privacyIDEA Authenticator in poll mode, as the app from the stores speaks it, unmodified.
//!
//! One URL: GET polls, POST enrols, refreshes a token or answers. Every signature is RSASSA-PKCS1-v1_5 with SHA-256
//! (RFC 8017 §8.2) over fields joined by `|`, written in base32 (RFC 4648 §6). This half is pure: bytes in, values out, and
//! back. It reads no clock and keeps nothing; it panics on no input, and refuses a large body before it looks into it.

pub mod answer;
pub mod challenge;
pub mod envelope;
pub mod fields;
pub mod keys;
pub mod proof;
pub mod request;

#[cfg(test)]
mod properties;
#[cfg(test)]
mod vectors;

pub use crate::store::AppVersion;
pub use answer::{Asked, BadAnswer, Verdict, judge};
pub use challenge::{Challenge, Presence};
pub use fields::Fields;
pub use keys::{KeyRefused, PhoneKey};
pub use proof::Signature;
pub use request::{Answer, DeclineReason, Enrol, Malformed, Poll, Post, Said, TokenUpdate};

/// A body is this long at most; an enrolment is some 1 KiB, and an app that sends more is none.
pub const BODY_OCTETS_MAX: usize = 16 * 1024;

/// A poll's query is this long at most; with an 8192-bit key it is some 2 KiB.
pub const QUERY_OCTETS_MAX: usize = 4 * 1024;

/// How far a phone's clock may be off; privacyIDEA allows one minute, which phones without a network clock miss.
pub const POLL_WINDOW: std::time::Duration = std::time::Duration::from_secs(120);

/// How far off a token update may be: it waits in the app for a network.
pub const UPDATE_WINDOW: std::time::Duration = std::time::Duration::from_secs(300);
