//! The signature of a webhook: HMAC-SHA-256 over the time and the body, so that the site's notifier knows who rings and when.
//!
//! A notifier checks `Vestibule-Signature: t=<unix seconds>,v1=<hex>` by computing the HMAC of `<t>.<body>` under the key in
//! `secrets/method.push.webhook`, comparing in constant time, and refusing a `t` that is minutes away.

use data_encoding::HEXLOWER;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use wire::Secret;

/// The header's name.
pub const SIGNATURE_HEADER: &str = "Vestibule-Signature";

/// The header's value for a body that is sent at `unix_seconds`.
#[must_use]
pub fn sign(key: &Secret, unix_seconds: u64, body: &[u8]) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(key.expose())
        .unwrap_or_else(|_| unreachable!("HMAC takes keys of any length (RFC 2104 §2)"));
    mac.update(unix_seconds.to_string().as_bytes());
    mac.update(b".");
    mac.update(body);
    format!("t={unix_seconds},v1={}", HEXLOWER.encode(&mac.finalize().into_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_signature_is_the_one_that_other_tools_compute() {
        // printf '1700000000.{"event":"prompt"}' | openssl dgst -sha256 -hmac 'a key of the notifier'
        let header = sign(&Secret::new("a key of the notifier"), 1_700_000_000, br#"{"event":"prompt"}"#);
        assert_eq!(header, "t=1700000000,v1=261d372ba8fc77df8e967174d6b4bd66c00a61b6f4aa33b966ce82386ae6cfea");
    }
}
