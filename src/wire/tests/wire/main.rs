//! The wire from outside: known answers, bad packets, properties, and whole ways through from request to signed reply.
//!
//! Everything here uses the public names only, as the other rooms do.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::wildcard_enum_match_arm,
    reason = "a test that can't go on should stop"
)]

mod held;
mod malformed;
mod passwords;
mod properties;
mod replies;
mod requests;
mod vectors;

use wire::{Datagram, PacketView, RequestWriter, Secret, SentRequest, SharedSecret};

/// The secret of RFC 2865 §7 and RFC 5997 §6.
fn rfc_secret() -> SharedSecret {
    shared("xyzzy5461")
}

fn shared(text: &str) -> SharedSecret {
    SharedSecret::new(Secret::new(text))
}

/// Octets from hexadecimal digits; spaces and line ends don't count.
fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<char> = text.chars().filter(|c| !c.is_whitespace()).collect();
    assert!(digits.len().is_multiple_of(2), "odd number of digits");
    digits.chunks(2).map(|pair| u8::from_str_radix(&pair.iter().collect::<String>(), 16).unwrap()).collect()
}

fn array<const N: usize>(text: &str) -> [u8; N] {
    hex(text).try_into().unwrap()
}

/// A packet from its parts, with the right Length and whatever is wrong in the attributes.
fn packet(code: u8, identifier: u8, authenticator: [u8; 16], attributes: &[u8]) -> Vec<u8> {
    let length = u16::try_from(20 + attributes.len()).unwrap().to_be_bytes();
    [&[code, identifier, length[0], length[1]][..], &authenticator, attributes].concat()
}

/// Attributes of these types and values, one after the other.
fn attributes(list: &[(u8, &[u8])]) -> Vec<u8> {
    let one = |(kind, value): &(u8, &[u8])| [&[*kind, u8::try_from(value.len() + 2).unwrap()][..], value].concat();
    list.iter().flat_map(one).collect()
}

/// The list of types and values of a packet.
fn list(bytes: &[u8]) -> Vec<(u8, Vec<u8>)> {
    PacketView::parse(bytes).unwrap().attributes().map(|a| (a.kind, a.value.to_vec())).collect()
}

/// A signed Access-Request with these attributes.
fn request(secret: &SharedSecret, authenticator: [u8; 16], list: &[(u8, &[u8])]) -> SentRequest {
    let mut buffer = Datagram::new();
    let mut writer = RequestWriter::new(wire::Code::AccessRequest, 7, authenticator, &mut buffer);
    for (kind, value) in list {
        writer.push(wire::Attribute::new(*kind, value)).unwrap();
    }
    writer.sign(secret)
}
