//! How a user gets a method: an OATH token with its QR code, a phone that brings its key, a device that is told of logins; and the
//! codes that open a first enrolment or stand for a lost phone.
//!
//! What this room guarantees: a seed, a code or a key comes from the operating system's randomness or is checked before it is
//! taken; what it returns can be shown to the one person it belongs to and to nobody by accident: seeds, codes, addresses and QR
//! codes are `Secret`s, which no `Debug`, log or error prints. Everything it makes is durable before it is shown (the store's promise).
//! What it never does: decide who may enrol (the commands and the portal do), keep a seed, read a clock.

pub mod activation;
mod code;
mod device;
mod otpauth;
mod password;
mod phone;
mod pin;
mod qr;
mod seed;
mod token;

pub use code::{CODE_LASTS, RECOVERY_CODES, issue_code, recovery_codes, typed_code, typed_recovery_code};
pub use device::{NewDevice, add_device};
pub use otpauth::{Account, uri};
pub use password::{PASSWORD_CHARS_MIN, PASSWORD_OCTETS_MAX, WeakPassword, password_allowed_for};
pub use phone::{ACTIVATION_LASTS, BeginPhone, NewPhone, begin_phone};
pub use pin::{WeakPin, pin_allowed, pin_allowed_for};
pub use qr::{Qr, QrLook};
pub use seed::{SEED_OCTETS_MAX, SEED_OCTETS_MIN, SeedMistake, base32, seed_of_base32};
pub use token::{EnrolmentError, NewToken, Seed, TokenWish, Warning, add_token};
