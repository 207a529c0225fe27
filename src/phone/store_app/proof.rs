//! Signatures in the app's writing, and the texts that are signed.

use data_encoding::{BASE32, BASE32_NOPAD};

use super::request::{Malformed, Said};

/// A signature of 8192 bits in base32; nothing longer is decoded.
const TEXT_OCTETS_MAX: usize = 1640;

/// The octets of a signature. Not secret, but of no use in a log.
#[derive(Clone, PartialEq, Eq)]
pub struct Signature(Vec<u8>);

impl std::fmt::Debug for Signature {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Signature({} octets)", self.0.len())
    }
}

impl Signature {
    /// Of octets that a key made.
    #[must_use]
    pub fn new(octets: Vec<u8>) -> Self {
        Self(octets)
    }

    /// Reads base32 (RFC 4648 §6): upper case only, padding complete or absent, no bits left over (RFC 4648 §3.5).
    ///
    /// # Errors
    /// [`Malformed::Signature`].
    pub fn parse(text: &str) -> Result<Self, Malformed> {
        if text.is_empty() || text.len() > TEXT_OCTETS_MAX {
            return Err(Malformed::Signature);
        }
        let letters = text.trim_end_matches('=');
        let octets = BASE32_NOPAD.decode(letters.as_bytes()).map_err(|_| Malformed::Signature)?;
        let whole = letters.len() == text.len() || BASE32.encode(&octets) == text;
        if whole { Ok(Self(octets)) } else { Err(Malformed::Signature) }
    }

    /// As the app reads it: padded.
    #[must_use]
    pub fn encode(&self) -> String {
        BASE32.encode(&self.0)
    }

    /// The octets.
    #[must_use]
    pub fn as_octets(&self) -> &[u8] {
        &self.0
    }
}

/// What a poll signs.
#[must_use]
pub fn poll_text(serial: &str, timestamp: &str) -> String {
    [serial, timestamp].join("|")
}

/// What a token update signs.
#[must_use]
pub fn token_update_text(new_fb_token: &str, serial: &str, timestamp: &str) -> String {
    [new_fb_token, serial, timestamp].join("|")
}

/// What an answer signs. A decline signs as a decline whatever else came with it, so it never verifies as an accept (rules F5).
#[must_use]
pub fn answer_text(nonce: &str, serial: &str, said: &Said, presence: Option<&str>) -> String {
    match (said, presence) {
        (Said::Accept, None) => [nonce, serial].join("|"),
        (Said::Accept, Some(value)) => [nonce, serial, value].join("|"),
        (Said::Decline(None), _) => [nonce, serial, "decline"].join("|"),
        (Said::Decline(Some(reason)), _) => [nonce, serial, "decline", reason.as_str()].join("|"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base32_is_case_strict_and_its_padding_may_be_absent() {
        let padded = Signature::parse("MFRGG===").unwrap();
        assert_eq!(padded.as_octets(), b"abc");
        assert_eq!(Signature::parse("MFRGG"), Ok(padded.clone()));
        assert_eq!(padded.encode(), "MFRGG===");
        for wrong in ["", "mfrgg", "MFRGG=", "MFRGG====", "MFRGH", "MF RGG", "MFRGG===MFRGG===", "M", "0189"] {
            assert_eq!(Signature::parse(wrong), Err(Malformed::Signature), "{wrong}");
        }
        assert_eq!(Signature::parse(&"A".repeat(TEXT_OCTETS_MAX + 8)), Err(Malformed::Signature));
    }
}
