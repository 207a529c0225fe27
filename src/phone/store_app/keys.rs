//! The phone's own public key: base64 of a SubjectPublicKeyInfo (RFC 5280 §4.1) of RSA, in the one form that DER has.

use std::fmt;

use aws_lc_rs::encoding::{AsDer, PublicKeyX509Der};
use aws_lc_rs::rsa::{self, RsaParameters};
use aws_lc_rs::signature::{ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256};
use data_encoding::{BASE64, HEXLOWER};
use sha2::{Digest as _, Sha256};

use super::proof::Signature;

/// Sizes that we take: 128 bits of strength and more (NIST SP 800-57 part 1, table 2). The app makes 4096.
const BITS: std::ops::RangeInclusive<u32> = 3072..=8192;

/// The base64 of an 8192-bit key, with armour and line ends, and then some.
const FIELD_OCTETS_MAX: usize = 4096;

/// A key that we don't take.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyRefused {
    /// No base64.
    #[error("The phone's public key is no base64.")]
    Encoding,
    /// No RSA key in the form that we take.
    #[error("The phone's public key is no RSA SubjectPublicKeyInfo.")]
    Form,
    /// Too short to be safe, or too long to be checked in time.
    #[error("The phone's public key must have 3072 to 8192 bits.")]
    Size,
}

/// A phone's public key.
#[derive(Clone)]
pub struct PhoneKey {
    spki: Vec<u8>,
    key: ParsedPublicKey,
}

impl PhoneKey {
    /// Reads the field `pubkey`: base64 of a SubjectPublicKeyInfo. Older apps send it with PEM armour, in the URL-safe
    /// alphabet, or with spaces where a form lost its `+`.
    ///
    /// # Errors
    /// [`KeyRefused`] says why not.
    pub fn of_field(text: &str) -> Result<Self, KeyRefused> {
        if text.len() > FIELD_OCTETS_MAX {
            return Err(KeyRefused::Size);
        }
        let mut plain: String = without_armour(text).chars().filter(|mark| !matches!(mark, '\r' | '\n')).collect();
        plain = plain.replace(['-', ' '], "+").replace('_', "/");
        while !plain.len().is_multiple_of(4) && !plain.ends_with("==") {
            plain.push('=');
        }
        let spki = BASE64.decode(plain.as_bytes()).map_err(|_| KeyRefused::Encoding)?;
        Self::of_spki(&spki)
    }

    /// Reads a SubjectPublicKeyInfo in DER, which has one form only: a key has one fingerprint.
    ///
    /// # Errors
    /// [`KeyRefused`] says why not.
    pub fn of_spki(spki: &[u8]) -> Result<Self, KeyRefused> {
        let key = ParsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, spki).map_err(|_| KeyRefused::Form)?;
        let again: PublicKeyX509Der<'_> = key.as_der().map_err(|_| KeyRefused::Form)?;
        if again.as_ref() != spki {
            return Err(KeyRefused::Form);
        }
        let pkcs1 = rsa::PublicKey::from_der(spki).map_err(|_| KeyRefused::Form)?;
        let bits = RsaParameters::public_modulus_len(pkcs1.as_ref()).map_err(|_| KeyRefused::Form)?;
        if !BITS.contains(&bits) {
            return Err(KeyRefused::Size);
        }
        Ok(Self { spki: spki.to_vec(), key })
    }

    /// A key that is nobody's: what an unknown device is checked against, so that it takes the time of a known one.
    #[must_use]
    pub fn nobody() -> Option<Self> {
        // An odd number of 4096 bits; nobody knows its factors, and nobody would gain by them.
        let components = rsa::PublicKeyComponents { n: &[0xa5_u8; 512][..], e: &[1_u8, 0, 1][..] };
        let key = components.to_parsed_public_key(&RSA_PKCS1_2048_8192_SHA256).ok()?;
        Some(Self { spki: key.as_ref().to_vec(), key })
    }

    /// Whether this key signed the text (RFC 8017 §8.2.2).
    #[must_use]
    pub fn signed(&self, text: &str, signature: &Signature) -> bool {
        self.key.verify_sig(text.as_bytes(), signature.as_octets()).is_ok()
    }

    /// The SubjectPublicKeyInfo, as it is kept.
    #[must_use]
    pub fn as_spki(&self) -> &[u8] {
        &self.spki
    }

    /// SHA-256 over the SubjectPublicKeyInfo in hexadecimal: what the portal's session sees (rules F3).
    #[must_use]
    pub fn fingerprint(&self) -> String {
        HEXLOWER.encode(&Sha256::digest(&self.spki))
    }
}

impl PartialEq for PhoneKey {
    fn eq(&self, other: &Self) -> bool {
        self.spki == other.spki
    }
}

impl Eq for PhoneKey {}

impl fmt::Debug for PhoneKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PhoneKey({})", self.fingerprint())
    }
}

/// What stands between the armour's lines, or all of it.
fn without_armour(text: &str) -> &str {
    let text = text.trim();
    let Some(inside) = text.strip_prefix("-----BEGIN") else { return text };
    let inside = inside.split_once("-----").map_or("", |(_, inside)| inside);
    inside.split_once("-----END").map_or(inside, |(inside, _)| inside).trim()
}

#[cfg(test)]
mod tests {
    use aws_lc_rs::rsa::{KeyPair, KeySize};
    use aws_lc_rs::signature::KeyPair as _;

    use super::*;

    fn spki_of(size: KeySize) -> Vec<u8> {
        let key = KeyPair::generate(size).unwrap();
        let spki: PublicKeyX509Der<'_> = key.public_key().as_der().unwrap();
        spki.as_ref().to_vec()
    }

    #[test]
    fn a_key_of_fewer_bits_than_the_app_makes_and_than_last_is_refused() {
        assert_eq!(PhoneKey::of_spki(&spki_of(KeySize::Rsa2048)), Err(KeyRefused::Size));
        assert!(PhoneKey::of_spki(&spki_of(KeySize::Rsa3072)).is_ok());
    }
}
