//! Bytes that must not be seen: passwords, keys, and the secret that two RADIUS ends share.
//!
//! A [`Secret`] is wiped when it is dropped, compares in constant time, and prints as `Secret(..)`. A [`SharedSecret`] adds the
//! hash states that every packet begins with, so that they are computed once a peer and not once a packet.
//! Neither implements `Display`, and neither is ever serialised here.

use std::fmt;
use std::sync::Arc;

use hmac::{Hmac, KeyInit};
use md5::{Digest, Md5};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

/// Owned secret octets: zeroized on drop, unprintable.
#[derive(Clone)]
pub struct Secret(Zeroizing<Vec<u8>>);

impl Secret {
    /// Takes the octets over; the caller keeps no copy that this type could know of.
    pub fn new(bytes: impl Into<Vec<u8>>) -> Self {
        Self(Zeroizing::new(bytes.into()))
    }

    /// The octets themselves. The name is meant to be found by a search.
    pub fn expose(&self) -> &[u8] {
        &self.0
    }

    /// How many octets, which is not secret here.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl PartialEq for Secret {
    /// Constant time for equal lengths; the length itself may show.
    fn eq(&self, other: &Self) -> bool {
        self.expose().ct_eq(other.expose()).into()
    }
}

impl Eq for Secret {}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

/// The secret that a client or an upstream shares with us, with the hash states that begin with it. Cloning is cheap.
#[derive(Clone)]
pub struct SharedSecret(Arc<Keyed>);

struct Keyed {
    secret: Secret,
    /// MD5 after the secret: where every pad of RFC 2865 §5.2 begins.
    md5: Md5,
    /// HMAC-MD5 keyed with the secret (RFC 3579 §3.2).
    hmac: Hmac<Md5>,
}

impl SharedSecret {
    /// Computes the states. An empty secret works here; whoever reads the configuration refuses it.
    pub fn new(secret: Secret) -> Self {
        let md5 = Md5::new().chain_update(secret.expose());
        let hmac = keyed_hmac(secret.expose());
        Self(Arc::new(Keyed { secret, md5, hmac }))
    }

    /// The octets, for an end that keys something else with them.
    pub fn expose(&self) -> &[u8] {
        self.0.secret.expose()
    }

    pub(crate) fn md5_after_secret(&self) -> Md5 {
        self.0.md5.clone()
    }

    pub(crate) fn hmac(&self) -> Hmac<Md5> {
        self.0.hmac.clone()
    }
}

impl PartialEq for SharedSecret {
    fn eq(&self, other: &Self) -> bool {
        self.0.secret == other.0.secret
    }
}

impl Eq for SharedSecret {}

impl fmt::Debug for SharedSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SharedSecret(..)")
    }
}

#[expect(clippy::expect_used, reason = "HMAC takes a key of any length (RFC 2104 §2): the error can't happen")]
fn keyed_hmac(key: &[u8]) -> Hmac<Md5> {
    Hmac::new_from_slice(key).expect("HMAC takes a key of any length")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_never_print_their_octets() {
        let secret = Secret::new("hunter2");
        assert_eq!(format!("{secret:?}"), "Secret(..)");
        assert_eq!(format!("{:?}", SharedSecret::new(secret)), "SharedSecret(..)");
    }

    #[test]
    fn secrets_are_equal_by_octets_alone() {
        assert_eq!(Secret::new("a"), Secret::new(vec![b'a']));
        assert_ne!(Secret::new("a"), Secret::new("b"));
        assert_ne!(Secret::new("a"), Secret::new("aa"));
        assert_eq!(SharedSecret::new(Secret::new("s")), SharedSecret::new(Secret::new("s")));
    }
}
