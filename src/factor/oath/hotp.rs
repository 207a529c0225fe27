//! HOTP: a code from a counter (RFC 4226). A dozen lines, for each hash, and the RFC's own vectors.
//!
//! It computes one value; which counters may be tried is `verify`'s business.

use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;
use sha2::{Sha256, Sha512};
use wire::Secret;
use zeroize::{Zeroize, Zeroizing};

use crate::store::Algorithm;

/// HOTP(K,C) of RFC 4226 §5.3 as text of `digits` (6 to 8) digits, with leading zeros.
#[must_use]
pub fn hotp(algorithm: Algorithm, seed: &[u8], counter: u64, digits: u8) -> Secret {
    let hash = match algorithm {
        Algorithm::Sha1 => mac::<Hmac<Sha1>>(seed, counter),
        Algorithm::Sha256 => mac::<Hmac<Sha256>>(seed, counter),
        Algorithm::Sha512 => mac::<Hmac<Sha512>>(seed, counter),
    };
    let width = usize::from(digits.min(DIGITS_MAX));
    let value = truncate(&hash) % 10_u32.pow(u32::from(digits.min(DIGITS_MAX)));
    Secret::new(format!("{value:0width$}"))
}

/// More digits than 31 bits have would only add zeros.
const DIGITS_MAX: u8 = 9;

/// RFC 4226 §5.1: "8-byte counter value, the moving factor", high-order octet first (§5.2).
fn mac<M: Mac + KeyInit>(seed: &[u8], counter: u64) -> Zeroizing<Vec<u8>> {
    let mut mac = <M as KeyInit>::new_from_slice(seed)
        .unwrap_or_else(|_| unreachable!("HMAC takes keys of any length (RFC 2104 §2)"));
    mac.update(&counter.to_be_bytes());
    let mut hash = mac.finalize().into_bytes();
    let kept = Zeroizing::new(hash.to_vec());
    hash.as_mut_slice().zeroize();
    kept
}

/// RFC 4226 §5.3: the low-order 4 bits of the last octet say where; "Return the Last 31 bits of P".
fn truncate(hash: &[u8]) -> u32 {
    let offset = usize::from(hash.last().copied().unwrap_or_default() & 0x0f);
    let four = hash.iter().skip(offset).take(4);
    four.fold(0_u32, |value, octet| value << 8 | u32::from(*octet)) & 0x7fff_ffff
}

#[cfg(test)]
mod tests {
    use super::*;

    const SEED: &[u8] = b"12345678901234567890";

    /// RFC 4226, appendix D.
    const VECTORS: [&str; 10] =
        ["755224", "287082", "359152", "969429", "338314", "254676", "287922", "162583", "399871", "520489"];

    #[test]
    fn the_values_of_rfc_4226_come_out() {
        for (counter, expected) in (0_u64..).zip(VECTORS) {
            assert_eq!(hotp(Algorithm::Sha1, SEED, counter, 6).expose(), expected.as_bytes(), "counter {counter}");
        }
    }

    #[test]
    fn eight_digits_are_the_same_number_with_two_more_in_front() {
        // RFC 4226 appendix D, truncated decimal of count 0: 1284755224.
        assert_eq!(hotp(Algorithm::Sha1, SEED, 0, 8).expose(), b"84755224");
    }

    #[test]
    fn other_hashes_give_what_rfc_6238_gives_for_that_step() {
        // RFC 6238 appendix B: its TOTP at 59 s is HOTP of counter 1.
        let long: Vec<u8> = SEED.iter().copied().cycle().take(64).collect();
        assert_eq!(hotp(Algorithm::Sha256, &long[..32], 1, 8).expose(), b"46119246");
        assert_eq!(hotp(Algorithm::Sha512, &long, 1, 8).expose(), b"90693936");
    }

    #[test]
    fn leading_zeros_stay() {
        let codes: Vec<Secret> = (0..200).map(|counter| hotp(Algorithm::Sha1, SEED, counter, 6)).collect();
        assert!(codes.iter().all(|code| code.len() == 6));
        assert!(codes.iter().any(|code| code.expose().starts_with(b"0")));
    }
}
