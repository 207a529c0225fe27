//! The phone's web service: what the store's app and our own installable page say to us, and what they are told.
//!
//! Two protocols, each with a pure half that parses, verifies and writes, and reads no clock: [`store_app`] is the privacyIDEA
//! Authenticator's, [`page`] is our page's. Around them stands the service, with bounds on everything that a stranger can send.
//!
//! It guarantees that what a phone signed is rebuilt from what we stored (rules F5), that nothing but a signature of the
//! device's own key answers a prompt, and that an unknown device, a missing key and a bad signature look alike. It never
//! decides what an answer does to a login: that is the engine's, and the store's compare-and-set (rules A8).

pub mod canonical;
pub mod limits;
pub mod page;
pub mod plain;
pub mod replay;
pub mod service;
pub mod shell;
pub mod stamp;
pub mod store_app;
pub mod waiting;

pub use service::{Holds, PUSH_PATH, PhoneRooms, PhoneStore, PinRule, PushServices, TakesAnswers, WAITING_MAX, router};
