//! The wire judged by a stranger: crate `radius` reads the same octets, encodes the same passwords and signs the same replies.
//!
//! Where the two differ, the difference is one of a closed list, and each entry of that list has a test here. The fuzz
//! targets' own functions run here as well, over the committed corpus and over octets that proptest draws.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::wildcard_enum_match_arm,
    unreachable_pub,
    reason = "a test that can't go on should stop"
)]

#[path = "../../fuzz/bodies.rs"]
mod bodies;
mod corpus;
mod differences;
mod properties;
mod writers;

use wire::{Secret, SharedSecret};

/// The secret of RFC 2865 §7.
const SECRET: &str = "xyzzy5461";

fn secret() -> SharedSecret {
    SharedSecret::new(Secret::new(SECRET))
}

/// A packet from its parts, with the right Length and whatever is wrong in the attributes.
fn packet(code: u8, attributes: &[u8]) -> Vec<u8> {
    let length = u16::try_from(20 + attributes.len()).unwrap().to_be_bytes();
    [&[code, 7, length[0], length[1]][..], &[0x5a; 16], attributes].concat()
}

/// Attributes of these types and values, one after the other.
fn attributes(list: &[(u8, &[u8])]) -> Vec<u8> {
    let one = |(kind, value): &(u8, &[u8])| [&[*kind, u8::try_from(value.len() + 2).unwrap()][..], value].concat();
    list.iter().flat_map(one).collect()
}
