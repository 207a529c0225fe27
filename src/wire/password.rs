//! User-Password and CHAP: what a login proves its password with, hidden and revealed octet for octet.
//!
//! Revealing strips trailing NULs only, because a password may hold a NUL. A password revealed with the wrong secret is
//! garbage that nothing here can tell from a password; only a verified Message-Authenticator can.

use std::fmt;

use md5::{Digest, Md5};
use subtle::ConstantTimeEq;
use zeroize::{Zeroize, Zeroizing};

use crate::datagram::Full;
use crate::field::{BLOCK_OCTETS, PASSWORD_OCTETS_MAX};
use crate::secret::{Secret, SharedSecret};

/// Hides a password as a User-Password value (RFC 2865 §5.2): 16 to 128 octets.
///
/// # Errors
/// [`Full`] for a password over 128 octets.
pub fn hide_password(password: &Secret, secret: &SharedSecret, authenticator: &[u8; 16]) -> Result<Vec<u8>, Full> {
    if password.len() > PASSWORD_OCTETS_MAX {
        return Err(Full);
    }
    // An empty password still takes one block.
    let padded = password.len().max(1).next_multiple_of(BLOCK_OCTETS);
    let mut hidden = Vec::with_capacity(padded);
    hidden.extend_from_slice(password.expose());
    hidden.resize(padded, 0);
    hide_in_place(secret, &[authenticator], &mut hidden);
    Ok(hidden)
}

/// Reveals a User-Password value; trailing NULs are padding, others belong to the password (RFC 2865 §5.2).
///
/// # Errors
/// [`BadPassword`] when the value is not 16 to 128 octets in blocks of 16.
pub fn reveal_password(hidden: &[u8], secret: &SharedSecret, authenticator: &[u8; 16]) -> Result<Secret, BadPassword> {
    if !is_hidden_length(hidden.len()) {
        return Err(BadPassword { octets: hidden.len() });
    }
    let mut plain = Zeroizing::new(hidden.to_vec());
    reveal_in_place(secret, &[authenticator], &mut plain);
    let end = plain.iter().rposition(|octet| *octet != 0).map_or(0, |last| last.saturating_add(1));
    Ok(Secret::new(plain.get(..end).unwrap_or_default()))
}

/// The response of CHAP: MD5(identifier + password + challenge) (RFC 1994 §4.1, RFC 2865 §5.3).
pub fn chap_response(identifier: u8, password: &Secret, challenge: &[u8]) -> [u8; 16] {
    Md5::new().chain_update([identifier]).chain_update(password.expose()).chain_update(challenge).finalize().into()
}

/// A CHAP credential, with the challenge that it answers.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Chap<'a> {
    /// CHAP Identifier.
    pub identifier: u8,
    /// The response.
    pub response: &'a [u8; 16],
    /// CHAP-Challenge, or the Request Authenticator where there is none (RFC 2865 §5.3).
    pub challenge: &'a [u8],
}

impl<'a> Chap<'a> {
    pub(crate) fn read(value: &'a [u8], challenge: &'a [u8]) -> Result<Self, BadPassword> {
        let bad = BadPassword { octets: value.len() };
        let (identifier, response) = value.split_first().ok_or(bad)?;
        let response = response.try_into().map_err(|_| bad)?;
        Ok(Self { identifier: *identifier, response, challenge })
    }

    /// Whether this password gives this response. Constant time.
    pub fn verify(&self, password: &Secret) -> bool {
        chap_response(self.identifier, password, self.challenge).ct_eq(self.response).into()
    }
}

impl fmt::Debug for Chap<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Chap(..)")
    }
}

/// A credential attribute whose length no password can have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadPassword {
    /// Octets of the value.
    pub octets: usize,
}

impl fmt::Display for BadPassword {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a credential attribute of {} octets cannot hold one", self.octets)
    }
}

impl std::error::Error for BadPassword {}

/// 16 to 128 octets in blocks of 16 (RFC 2865 §5.2).
pub(crate) const fn is_hidden_length(octets: usize) -> bool {
    octets >= BLOCK_OCTETS && octets <= PASSWORD_OCTETS_MAX && octets.is_multiple_of(BLOCK_OCTETS)
}

/// Each block is XORed with MD5(secret + what went before): `seed` first, then the hidden block (RFC 2865 §5.2).
pub(crate) fn hide_in_place(secret: &SharedSecret, seed: &[&[u8]], bytes: &mut [u8]) {
    let mut digest = seeded(secret, seed);
    for block in bytes.chunks_mut(BLOCK_OCTETS) {
        xor(block, digest);
        digest = secret.md5_after_secret().chain_update(&*block);
    }
}

/// The way back: the block that seeds the next one is the one before it was revealed.
pub(crate) fn reveal_in_place(secret: &SharedSecret, seed: &[&[u8]], bytes: &mut [u8]) {
    let mut digest = seeded(secret, seed);
    for block in bytes.chunks_mut(BLOCK_OCTETS) {
        let next = secret.md5_after_secret().chain_update(&*block);
        xor(block, digest);
        digest = next;
    }
}

fn seeded(secret: &SharedSecret, seed: &[&[u8]]) -> Md5 {
    seed.iter().fold(secret.md5_after_secret(), |digest, part| digest.chain_update(part))
}

fn xor(block: &mut [u8], pad: Md5) {
    let mut pad: [u8; BLOCK_OCTETS] = pad.finalize().into();
    for (octet, mask) in block.iter_mut().zip(pad) {
        *octet ^= mask;
    }
    pad.zeroize();
}
