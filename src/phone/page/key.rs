//! The page's key: ECDSA over P-256 with SHA-256 (FIPS 186-5), made in the browser and not extractable there.

use std::fmt;

use aws_lc_rs::encoding::{AsDer, PublicKeyX509Der};
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED, ParsedPublicKey};
use data_encoding::{BASE64URL_NOPAD, HEXLOWER};
use sha2::{Digest as _, Sha256};

/// What a signature has: r and s, as WebCrypto writes them.
pub const SIGNATURE_OCTETS: usize = 64;

/// Octets that are no SubjectPublicKeyInfo (RFC 5280 §4.1) of a point on P-256.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the phone's public key is no SubjectPublicKeyInfo of P-256")]
pub struct NotAKey;

/// A page's public key.
#[derive(Clone)]
pub struct PageKey {
    spki: Vec<u8>,
    key: ParsedPublicKey,
}

impl PageKey {
    /// Reads a SubjectPublicKeyInfo in DER, which has one form only: a key has one fingerprint.
    ///
    /// # Errors
    /// [`NotAKey`].
    pub fn of_spki(spki: &[u8]) -> Result<Self, NotAKey> {
        let key = ParsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, spki).map_err(|_| NotAKey)?;
        let again: PublicKeyX509Der<'_> = key.as_der().map_err(|_| NotAKey)?;
        if again.as_ref() != spki {
            return Err(NotAKey);
        }
        Ok(Self { spki: spki.to_vec(), key })
    }

    /// A key that is nobody's: what an unknown device is checked against, so that it takes the time of a known one.
    #[must_use]
    pub fn nobody() -> Option<Self> {
        // The curve's own base point (SEC 2 §2.4.2): its private key is 1, and it belongs to no device, so whoever signs with
        // it gets what every bad signature gets.
        const BASE_POINT: &[u8] = b"046b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296\
                                    4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5";
        let point = HEXLOWER.decode(BASE_POINT).ok()?;
        let key = ParsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point).ok()?;
        let spki: PublicKeyX509Der<'_> = key.as_der().ok()?;
        let spki = spki.as_ref().to_vec();
        Some(Self { spki, key })
    }

    /// Whether this key signed the text: 64 octets of r and s.
    #[must_use]
    pub fn signed(&self, text: &str, signature: &[u8]) -> bool {
        signature.len() == SIGNATURE_OCTETS && self.key.verify_sig(text.as_bytes(), signature).is_ok()
    }

    /// The SubjectPublicKeyInfo, as it is kept.
    #[must_use]
    pub fn as_spki(&self) -> &[u8] {
        &self.spki
    }

    /// SHA-256 over the SubjectPublicKeyInfo, in the URL-safe base64 that the page signs.
    #[must_use]
    pub fn print(&self) -> String {
        BASE64URL_NOPAD.encode(&Sha256::digest(&self.spki))
    }

    /// The same in hexadecimal: what the portal's session sees (rules F3).
    #[must_use]
    pub fn fingerprint(&self) -> String {
        HEXLOWER.encode(&Sha256::digest(&self.spki))
    }
}

impl PartialEq for PageKey {
    fn eq(&self, other: &Self) -> bool {
        self.spki == other.spki
    }
}

impl Eq for PageKey {}

impl fmt::Debug for PageKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PageKey({})", self.fingerprint())
    }
}
