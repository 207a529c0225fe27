//! Seeds: made from randomness, or read from the base32 that token vendors and other products write (RFC 4648 §6).

use data_encoding::BASE32_NOPAD;
use rand::TryRng;
use rand::rngs::SysRng;
use wire::Secret;
use zeroize::{Zeroize, Zeroizing};

use crate::store::Algorithm;

/// The shortest seed that is taken, in octets: many hardware tokens have 80 bits.
pub const SEED_OCTETS_MIN: usize = 10;

/// RFC 4226 §4, R6: "The length of the shared secret MUST be at least 128 bits." Shorter ones are taken with a warning.
pub(super) const SEED_OCTETS_GOOD: usize = 16;

/// The longest seed that is taken, in octets: HMAC hashes longer ones down anyway.
pub const SEED_OCTETS_MAX: usize = 128;

/// Why a given seed is refused. Says where, never what.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SeedMistake {
    /// A character that base32 does not have.
    #[error(
        "the secret is not base32: character {place} is none of A-Z and 2-7 (spaces, dashes and a closing = are fine)"
    )]
    Character {
        /// Counted from 1.
        place: usize,
    },
    /// So many characters can't come of whole octets.
    #[error(
        "the secret is not whole: {characters} characters of base32 are never a number of octets; was one lost in copying?"
    )]
    Length {
        /// How many there are.
        characters: usize,
    },
    /// Too few octets.
    #[error(
        "the secret is too short: {octets} octets, at least {SEED_OCTETS_MIN} are needed (and {SEED_OCTETS_GOOD} are good)"
    )]
    Short {
        /// How many there are.
        octets: usize,
    },
    /// Too many octets.
    #[error("the secret is too long: {octets} octets, at most {SEED_OCTETS_MAX} are taken")]
    Long {
        /// How many there are.
        octets: usize,
    },
    /// All octets are the same.
    #[error("the secret is one octet over and over, which anybody would guess; make a random one")]
    Trivial,
}

/// The seed as base32 without padding, as apps and otpauth URIs have it.
#[must_use]
pub fn base32(seed: &Secret) -> Secret {
    let mut text = BASE32_NOPAD.encode(seed.expose());
    let secret = Secret::new(text.as_bytes());
    text.zeroize();
    secret
}

/// Reads a seed in base32, in any case, with the blanks and dashes that people group it by.
///
/// # Errors
/// [`SeedMistake`] if it is not base32, or no seed that could be trusted.
pub fn seed_of_base32(text: &Secret) -> Result<Secret, SeedMistake> {
    let seed = checked(decode(text.expose())?)?;
    Ok(seed)
}

/// Refuses a seed that is too short, too long or trivial.
pub(super) fn checked(seed: Secret) -> Result<Secret, SeedMistake> {
    let octets = seed.len();
    match octets {
        0..SEED_OCTETS_MIN => Err(SeedMistake::Short { octets }),
        SEED_OCTETS_MIN..=SEED_OCTETS_MAX if is_trivial(seed.expose()) => Err(SeedMistake::Trivial),
        SEED_OCTETS_MIN..=SEED_OCTETS_MAX => Ok(seed),
        _ => Err(SeedMistake::Long { octets }),
    }
}

/// A random seed, as long as the hash's output (RFC 6238 §5.1: "Keys SHOULD be of the length of the HMAC output").
pub(super) fn random(algorithm: Algorithm) -> Option<Secret> {
    let octets = match algorithm {
        Algorithm::Sha1 => 20,
        Algorithm::Sha256 => 32,
        Algorithm::Sha512 => 64,
    };
    let mut seed = Zeroizing::new(vec![0; octets]);
    SysRng.try_fill_bytes(&mut seed).ok()?;
    Some(Secret::new(seed.as_slice()))
}

fn is_trivial(seed: &[u8]) -> bool {
    seed.iter().all(|octet| Some(octet) == seed.first())
}

/// Five bits a character. Bits that fill up the last character are not looked at: some products leave them random.
fn decode(text: &[u8]) -> Result<Secret, SeedMistake> {
    let mut octets = Zeroizing::new(Vec::with_capacity(SEED_OCTETS_MAX));
    let (mut held, mut bits, mut characters) = (0_u32, 0_u32, 0_usize);
    for (character, place) in trimmed(text).iter().zip(1..) {
        if matches!(character, b' ' | b'-' | b'\t') {
            continue;
        }
        let five = value_of(*character).ok_or(SeedMistake::Character { place })?;
        (held, bits, characters) = (held << 5 | five, bits + 5, characters + 1);
        if bits >= 8 {
            bits -= 8;
            octets.push(u8::try_from(held >> bits & 0xff).unwrap_or_default());
            held &= (1 << bits) - 1;
        }
        if octets.len() > SEED_OCTETS_MAX {
            return Err(SeedMistake::Long { octets: octets.len() });
        }
    }
    // RFC 4648 §6: the last group has 2, 4, 5, 7 or 8 characters.
    if matches!(characters % 8, 1 | 3 | 6) {
        return Err(SeedMistake::Length { characters });
    }
    Ok(Secret::new(octets.as_slice()))
}

fn trimmed(text: &[u8]) -> &[u8] {
    let text = text.trim_ascii();
    let padding = text.iter().rev().take_while(|character| **character == b'=').count();
    text.get(..text.len() - padding).unwrap_or_default()
}

fn value_of(character: u8) -> Option<u32> {
    match character.to_ascii_uppercase() {
        letter @ b'A'..=b'Z' => Some(u32::from(letter - b'A')),
        digit @ b'2'..=b'7' => Some(u32::from(digit - b'2') + 26),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TWENTY: &[u8] = b"12345678901234567890";
    const TWENTY_BASE32: &str = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ";

    fn read(text: &str) -> Result<Secret, SeedMistake> {
        seed_of_base32(&Secret::new(text))
    }

    #[test]
    fn a_seed_survives_the_way_through_base32() {
        for octets in SEED_OCTETS_MIN..=SEED_OCTETS_MAX {
            let seed = Secret::new((0..octets).map(|at| u8::try_from(at * 7 % 256).unwrap()).collect::<Vec<u8>>());
            assert_eq!(seed_of_base32(&base32(&seed)), Ok(seed), "{octets} octets");
        }
        assert_eq!(base32(&Secret::new(TWENTY)), Secret::new(TWENTY_BASE32));
    }

    #[test]
    fn people_may_group_it_and_write_it_small() {
        for text in [
            "gezd gnbv gy3t qojq gezd gnbv gy3t qojq",
            "GEZDGNBV-GY3TQOJQ-GEZDGNBV-GY3TQOJQ",
            " GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ====\r\n",
        ] {
            assert_eq!(read(text), Ok(Secret::new(TWENTY)), "{text}");
        }
    }

    #[test]
    fn bits_that_only_fill_up_are_not_looked_at() {
        // 26 characters are 130 bits: 16 octets and two bits over.
        assert_eq!(read("GEZDGNBVGY3TQOJQGEZDGNBVGY").unwrap(), read("GEZDGNBVGY3TQOJQGEZDGNBVGZ").unwrap());
    }

    #[test]
    fn mistakes_say_where_and_never_what() {
        assert_eq!(read("GEZDGNBV1Y3TQOJQ"), Err(SeedMistake::Character { place: 9 }));
        assert_eq!(read("GEZDGNBV=GY3TQOJQ"), Err(SeedMistake::Character { place: 9 }));
        assert_eq!(read("GEZDGNBVGY3TQOJQG"), Err(SeedMistake::Length { characters: 17 }));
        assert_eq!(read(""), Err(SeedMistake::Short { octets: 0 }));
        assert_eq!(read("GEZDGNBVGY3TQ"), Err(SeedMistake::Short { octets: 8 }));
        assert_eq!(read(&"GEZDGNBV".repeat(26)), Err(SeedMistake::Long { octets: 129 }));
        assert_eq!(read("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"), Err(SeedMistake::Trivial));
    }

    #[test]
    fn random_seeds_are_as_long_as_the_hash_and_never_the_same() {
        for (algorithm, octets) in [(Algorithm::Sha1, 20), (Algorithm::Sha256, 32), (Algorithm::Sha512, 64)] {
            let (one, other) = (random(algorithm).unwrap(), random(algorithm).unwrap());
            assert_eq!((one.len(), other.len()), (octets, octets));
            assert_ne!(one, other);
        }
    }

    proptest::proptest! {
        #[test]
        fn any_octets_are_read_or_refused(text in proptest::collection::vec(proptest::num::u8::ANY, 0..300)) {
            if let Ok(seed) = seed_of_base32(&Secret::new(text)) {
                assert!((SEED_OCTETS_MIN..=SEED_OCTETS_MAX).contains(&seed.len()));
            }
        }
    }
}
