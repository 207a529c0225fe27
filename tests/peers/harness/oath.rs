//! One-time codes by hand: RFC 4226 and RFC 6238 with SHA-1 and six digits.

use std::time::{SystemTime, UNIX_EPOCH};

use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;

/// The code of one counter (RFC 4226 §5.3).
pub(crate) fn hotp(seed: &[u8], counter: u64) -> String {
    let mut mac = Hmac::<Sha1>::new_from_slice(seed).unwrap();
    mac.update(&counter.to_be_bytes());
    let mac = mac.finalize().into_bytes();
    let at = usize::from(mac[19] & 0x0f);
    let number = u32::from_be_bytes(mac[at..at + 4].try_into().unwrap()) & 0x7fff_ffff;
    format!("{:06}", number % 1_000_000)
}

/// The code of now.
pub(crate) fn totp(seed: &[u8]) -> String {
    hotp(seed, unix_now() / 30)
}

/// Seconds since 1970.
#[expect(clippy::disallowed_methods, reason = "the phone's own clock")]
pub(crate) fn unix_now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

/// A seed of one's own for each name.
pub(crate) fn seed(name: &str) -> Vec<u8> {
    format!("{name:*<20.20}").into_bytes()
}
