//! How a user gets a method: an OATH token with its QR code, a device that is told of logins.
//!
//! What this room guarantees: a seed comes from the operating system's randomness or is checked before it is taken; what it
//! returns can be shown to the one person it belongs to and to nobody by accident: seed, URI and QR code are `Secret`s,
//! which no `Debug`, log or error prints. Everything it makes is durable before it is shown (the store's promise).
//! What it never does: decide who may enrol (the commands and the portal do), keep a seed, read a clock.

pub mod activation;
mod device;
mod otpauth;
mod qr;
mod seed;
mod token;

pub use device::{NewDevice, add_device};
pub use otpauth::{Account, uri};
pub use qr::{Qr, QrLook};
pub use seed::{SEED_OCTETS_MAX, SEED_OCTETS_MIN, SeedMistake, base32, seed_of_base32};
pub use token::{EnrolmentError, NewToken, Seed, TokenWish, Warning, add_token};
