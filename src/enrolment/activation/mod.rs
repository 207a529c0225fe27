//! What a phone is activated with: the addresses to scan or tap, the codes to type, and our key for the store app's phones.
//!
//! Whoever begins an activation (portal, staff, command) makes these and gives them to one person; the phone's service takes
//! them back. An address and a code are bearer secrets until they were used, so they are of a type that no log can print.

pub mod code;
pub mod server_key;
pub mod store_app;

pub use code::{ActivationCode, NotACode};
pub use server_key::{ServerKey, ServerKeyError};
pub use store_app::{Activation, App, ForceUnlock, NotASerial, NotCanonicalUrl, PushUrl, Serial};
