//! Values hidden with a salt: Tunnel-Password (RFC 2868 §3.5), the MPPE keys (RFC 2548 §2.4.2) and their vendor kin.
//!
//! The plain value is a length octet, the data and padding; the salt makes two equal values in one packet look different.
//! Salts come from [`Salts`], whose seed is the caller's entropy.

use zeroize::Zeroizing;

use crate::datagram::Full;
use crate::field::{BLOCK_OCTETS, SALT_OCTETS, VALUE_OCTETS_MAX};
use crate::password::{hide_in_place, reveal_in_place};
use crate::secret::{Secret, SharedSecret};

/// The most significant bit of a salt must be set (RFC 2868 §3.5, RFC 2548 §2.4.2).
const SALT_MARK: u16 = 0x8000;

/// The salts of one packet: never two alike (RFC 2868 §3.5).
#[derive(Debug)]
pub struct Salts {
    next: u16,
}

impl Salts {
    /// Begins at a random place; fifteen bits of the seed count.
    pub const fn new(seed: [u8; 2]) -> Self {
        Self { next: u16::from_be_bytes(seed) }
    }

    /// The next salt. It repeats after 32,768, more than a packet can hold.
    pub fn draw(&mut self) -> [u8; SALT_OCTETS] {
        let salt = self.next | SALT_MARK;
        self.next = self.next.wrapping_add(1) & !SALT_MARK;
        salt.to_be_bytes()
    }
}

/// Hides a value: salt and ciphertext, without tag or vendor header.
///
/// # Errors
/// [`Full`] when no attribute could hold the result.
pub fn hide_salted(
    plain: &Secret,
    salt: [u8; 2],
    secret: &SharedSecret,
    authenticator: &[u8; 16],
) -> Result<Vec<u8>, Full> {
    let octets = hidden_len(plain.len());
    if octets > VALUE_OCTETS_MAX {
        return Err(Full);
    }
    let mut hidden = vec![0; octets];
    fill_salted(&mut hidden, plain.expose(), salt, secret, authenticator);
    Ok(hidden)
}

/// Reveals salt and ciphertext. Nothing when the value is too short for a salt and a length, or when the length it reveals is
/// more than the data: then the two ends don't share the secret.
pub fn reveal_salted(hidden: &[u8], secret: &SharedSecret, authenticator: &[u8; 16]) -> Option<Secret> {
    let (salt, cipher) = hidden.split_first_chunk::<SALT_OCTETS>()?;
    let mut plain = Zeroizing::new(cipher.to_vec());
    reveal_in_place(secret, &[authenticator, salt], &mut plain);
    let (length, data) = plain.split_first()?;
    data.get(..usize::from(*length)).map(Secret::new)
}

/// Octets of salt and ciphertext for so many plain ones.
pub(crate) const fn hidden_len(plain: usize) -> usize {
    plain.saturating_add(1).next_multiple_of(BLOCK_OCTETS).saturating_add(SALT_OCTETS)
}

/// Fills a place of exactly [`hidden_len`] octets.
pub(crate) fn fill_salted(
    place: &mut [u8],
    plain: &[u8],
    salt: [u8; 2],
    secret: &SharedSecret,
    authenticator: &[u8; 16],
) {
    let Some((head, body)) = place.split_first_chunk_mut::<SALT_OCTETS>() else {
        return;
    };
    *head = salt;
    let Some((length, data)) = body.split_first_mut() else {
        return;
    };
    *length = u8::try_from(plain.len()).unwrap_or(u8::MAX);
    for (octet, plain) in data.iter_mut().zip(plain.iter().copied().chain(std::iter::repeat(0))) {
        *octet = plain;
    }
    hide_in_place(secret, &[authenticator, &salt], body);
}
