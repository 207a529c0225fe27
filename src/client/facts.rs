//! What names a login, from a verified request (rules B2): the facts of L in their order, or none where it must stand alone.

use std::net::SocketAddr;

use login::policy::Join;
use wire::{VerifiedRequest, kind};

use super::Client;

/// The facts of L; the client's name and User-Name are L's own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoginFacts<'a>(Vec<Option<&'a [u8]>>);

impl<'a> LoginFacts<'a> {
    /// In the order that [`login::LoginKeyParts`] asks for.
    #[must_use]
    pub fn as_slice(&self) -> &[Option<&'a [u8]>] {
        &self.0
    }
}

/// The attribute that is new for each connection, by its numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct SessionAttribute {
    vendor: Option<u32>,
    kind: u8,
}
