//! When two seeds are one (rules C1): HMAC fills a key up with zeros and hashes one that is longer than a block (RFC 2104 §2), so
//! that seeds of other octets give the same codes.

use sha1::{Digest, Sha1};
use sha2::{Sha256, Sha512};
use subtle::ConstantTimeEq;
use wire::Secret;
use zeroize::Zeroizing;

use super::rows::Algorithm;

/// Whether two seeds give the same codes under some hash.
#[must_use]
pub fn same_seed(one: &Secret, other: &Secret) -> bool {
    let others = Algorithm::ALL.map(|algorithm| hmac_key(algorithm, other));
    let same = |key: Zeroizing<Vec<u8>>| others.iter().any(|other| bool::from(other.as_slice().ct_eq(&key)));
    // Also where each is shorter than its own hash's block and one is the other's hash.
    Algorithm::ALL.into_iter().any(|algorithm| same(hmac_key(algorithm, one)))
}

/// The seed as HMAC uses it with this hash, without the zeros at its end.
pub(super) fn hmac_key(algorithm: Algorithm, seed: &Secret) -> Zeroizing<Vec<u8>> {
    let seed = seed.expose();
    let mut key = Zeroizing::new(match algorithm {
        Algorithm::Sha1 if seed.len() > 64 => Sha1::digest(seed).to_vec(),
        Algorithm::Sha256 if seed.len() > 64 => Sha256::digest(seed).to_vec(),
        Algorithm::Sha512 if seed.len() > 128 => Sha512::digest(seed).to_vec(),
        Algorithm::Sha1 | Algorithm::Sha256 | Algorithm::Sha512 => seed.to_vec(),
    });
    let zeros = key.iter().rev().take_while(|octet| **octet == 0).count();
    let end = key.len() - zeros;
    key.truncate(end);
    key
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seeds_are_one_where_hmac_makes_the_same_of_them() {
        let long = [7_u8; 100];
        let hashed = Sha1::digest(long).to_vec();
        let same = |one: &[u8], other: &[u8]| same_seed(&Secret::new(one), &Secret::new(other));
        assert!(same(b"12345678901234567890", b"12345678901234567890\0\0"));
        assert!(same(&long, &hashed) && same(&hashed, &long));
        assert!(same(&long, &Sha256::digest(long)));
        assert!(same(&long, &long));
        assert!(!same(b"12345678901234567890", b"12345678901234567891"));
        assert!(!same(b"12345678901234567890", b"\x0012345678901234567890"), "zeros before it are part of it");
        assert!(!same(&long, &long[1..]));
    }
}
