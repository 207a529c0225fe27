//! RADIUS bytes, checked once: the sealed room of the wire.
//!
//! A datagram becomes a [`PacketView`] in one pass that allocates nothing, and after that nothing can fail to parse. A view
//! becomes a [`VerifiedRequest`] or a [`VerifiedReply`] only by its cryptography, and only a [`SignedReply`] or a
//! [`SentRequest`] holds bytes that may leave. What an upstream hid from others is kept decoded in [`HeldAttributes`] and is
//! hidden anew, late, under the request that is answered.
//!
//! The contract of this room:
//! - Any bytes give `Ok` or a typed error, never a panic; every loop consumes at least one octet, and every size has a bound.
//! - Octets are forwarded as they came: an inner structure that makes no sense becomes opaque, it is never repaired.
//! - Message-Authenticator is the first attribute of all that is written here, unless [`Placed`] says otherwise for a client; and
//!   an Accounting-Response to a request without one has none.
//! - Secrets are compared in constant time, wiped when dropped, and never printed.
//!
//! A datagram's way through, from what a socket received to what it may send:
//!
//! ```
//! use wire::{Attribute, Code, Datagram, Demand, PacketView, ReplyCode, RequestWriter, Secret, SharedSecret, kind};
//!
//! let secret = SharedSecret::new(Secret::new("shared with the appliance"));
//! # let mut appliance = Datagram::new();
//! # let mut asks = RequestWriter::new(Code::AccessRequest, 1, [7; 16], &mut appliance);
//! # asks.push_password(&Secret::new("hunter2"), &secret)?;
//! # let received = asks.sign(&secret);
//! let request = PacketView::parse(received.as_bytes())?.verify(&secret, Demand::Required)?;
//! assert_eq!(request.password(&secret)?, Some(Secret::new("hunter2")));
//!
//! let context = request.context(); // all that a held login keeps of its request
//! let mut buffer = Datagram::new();
//! let mut reply = context.reply(ReplyCode::Reject, &mut buffer);
//! reply.push(Attribute::new(kind::REPLY_MESSAGE, b"Ask the service desk."))?;
//! let signed = reply.sign(&secret)?;
//! assert_eq!(signed.as_bytes()[20], kind::MESSAGE_AUTHENTICATOR);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! It never opens a socket, reads a clock or draws a random number: time is nobody's business here, entropy is a parameter.

#![forbid(unsafe_code)]
#![cfg_attr(
    not(test),
    deny(
        clippy::indexing_slicing,
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::arithmetic_side_effects,
        clippy::as_conversions
    )
)]
#![deny(missing_docs)]
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::wildcard_enum_match_arm))]

mod accounting;
mod authenticator;
mod code;
mod datagram;
mod dictionary;
mod eap;
mod extended;
mod field;
mod held;
pub mod kind;
mod log;
mod malformed;
mod mschap;
mod notes;
mod password;
mod replacement;
mod reply;
mod request;
mod salt;
mod secret;
mod vendor;
mod verify;
mod view;

#[cfg(test)]
mod test_vectors;

pub use accounting::{AccountingAsk, AccountingRequest};
pub use code::{Code, ReplyCode};
pub use datagram::{Datagram, Full};
pub use dictionary::{Dictionary, DictionaryError, EncodeError, Encryption, Entry, Type};
pub use eap::{BadEap, eap_failure, eap_join};
pub use extended::{ExtendedAttribute, ExtendedAttributes};
pub use field::{ATTRIBUTE_COUNT_MAX, PACKET_OCTETS_MAX, VALUE_OCTETS_MAX};
pub use held::{HeldAttributes, WrongSecret};
pub use log::log_safe;
pub use malformed::Malformed;
pub use mschap::{MsChap, MsChap2, NtHash, mschap_response, mschap2_authenticator_response, mschap2_response};
pub use password::{BadPassword, Chap, chap_response, hide_password, reveal_password};
pub use replacement::{Forbidden, ReplyAttributes};
pub use reply::{Placed, ReplyContext, ReplyWriter, SignedReply};
pub use request::{RequestWriter, SentRequest};
pub use salt::{Salts, hide_salted, reveal_salted};
pub use secret::{Secret, SharedSecret};
pub use vendor::{VendorAttribute, VendorAttributes};
pub use verify::{Demand, Unverified, VerifiedReply, VerifiedRequest};
pub use view::{Attribute, Attributes, PacketView};
