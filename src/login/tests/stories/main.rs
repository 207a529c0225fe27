//! The rules as short stories: the fastest way to learn what a login is owed. Each one is a sentence; the house in which
//! they happen is in `house.rs`.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::wildcard_enum_match_arm,
    reason = "a test that can't go on should stop"
)]

mod bounds;
mod codes;
mod doors;
mod endings;
mod held_back;
mod house;
mod last_look;
mod names;
mod numbers;
mod one_login;
mod owner;
mod told;
mod unchecked;
