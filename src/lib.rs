//! Vestibule: a RADIUS multi-factor authentication proxy that holds the login until the second factor opens the door.
//!
//! The rooms, in the order in which a request meets them, are described in `ARCHITECTURE.md`, which also
//! shows who may import whom. The pure rooms `wire` and `login` are crates of their own inside `src/`.

pub mod admin;
pub mod audit;
pub mod cli;
pub mod client;
pub mod config;
pub mod engine;
pub mod enrolment;
pub mod factor;
pub mod hashing;
pub mod language;
pub mod listen;
pub mod mail;
pub mod phone;
pub mod portal;
pub mod primary;
pub mod serve;
pub mod sign_in;
pub mod store;
pub mod telemetry;
pub mod web;
