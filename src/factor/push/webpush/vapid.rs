//! Who sends, so that a push service takes messages from nobody else: RFC 8292, and the key pair behind it.
//!
//! A phone's subscription is bound for life to our public key (RFC 8292 §4.2). So the pair is not stored but derived from a
//! key of the store: the same after a restart and on every node, and lost only with everything else that the store seals.
//! Pure but for the randomness of a signature.

use std::time::Duration;

use aws_lc_rs::agreement::{ECDH_P256, PrivateKey};
use aws_lc_rs::hkdf::{HKDF_SHA256, Prk, Salt};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};
use data_encoding::BASE64URL_NOPAD;
use login::Wall;
use reqwest::Url;
use serde::Serialize;

use super::encrypt::{Unsealed, expanded};

/// RFC 8292 §2: "exp" "MUST NOT be more than 24 hours from the time of the request".
const TOKEN_LIFE: Duration = Duration::from_secs(12 * 60 * 60);

/// A token is made anew at half its life: push services ask that one is used again, and clocks are minutes off.
const TOKEN_USED: Duration = Duration::from_secs(6 * 60 * 60);

/// A draw is out of range once in 2^32; so many in a row never are.
const DRAWS_MAX: u8 = 16;

/// The pair that signs as this site.
pub(super) struct Vapid {
    pair: EcdsaKeyPair,
    public: [u8; 65],
    contact: String,
}

/// A signed token for one push service, as the value of `Authorization`.
#[derive(Clone)]
pub(super) struct Token {
    value: String,
    made_at: Wall,
}

/// RFC 8292 §2, in the order of its example.
#[derive(Serialize)]
struct Claims<'a> {
    aud: &'a str,
    exp: u64,
    sub: &'a str,
}

impl Vapid {
    /// The pair of this site; `None` if the library can't make one.
    pub(super) fn derived(site_key: &[u8; 32], contact: String) -> Option<Self> {
        let prk = Salt::new(HKDF_SHA256, b"vestibule web push").extract(site_key);
        (0..DRAWS_MAX).find_map(|draw| drawn(&prk, draw)).map(|(pair, public)| Self { pair, public, contact })
    }

    /// The uncompressed point that pages give to `pushManager.subscribe` as `applicationServerKey`.
    pub(super) fn public(&self) -> [u8; 65] {
        self.public
    }

    /// A token for the push service at `origin`.
    pub(super) fn token(&self, origin: &str, at: Wall) -> Result<Token, Unsealed> {
        let signing_input = signing_input(origin, at.plus(TOKEN_LIFE).unix_seconds(), &self.contact)?;
        let signature =
            self.pair.sign(&SystemRandom::new(), signing_input.as_bytes()).map_err(|_| Unsealed::Library)?;
        // RFC 8292 §3: `vapid t=<token>, k=<public key>`.
        let (signature, key) = (BASE64URL_NOPAD.encode(signature.as_ref()), BASE64URL_NOPAD.encode(&self.public));
        Ok(Token { value: format!("vapid t={signing_input}.{signature}, k={key}"), made_at: at })
    }
}

impl Token {
    /// The value of `Authorization`.
    pub(super) fn value(&self) -> &str {
        &self.value
    }

    /// Whether it may still be used; not if the clock was put back to before it was made.
    pub(super) fn is_good_at(&self, at: Wall) -> bool {
        at >= self.made_at && at.since(self.made_at) < TOKEN_USED
    }
}

/// RFC 8292 §2.1: "the subject claim SHOULD be a mailto: or https: URI", and Apple's service refuses any other.
pub(super) fn is_contact(contact: &str) -> bool {
    let Ok(url) = Url::parse(contact) else { return false };
    match url.scheme() {
        "mailto" => url.path().split_once('@').is_some_and(|(name, host)| !name.is_empty() && !host.is_empty()),
        "https" => url.has_host(),
        _ => false,
    }
}

/// A scalar, the pair and the point of it; `None` if it is out of range, so that the next draw decides.
fn drawn(prk: &Prk, draw: u8) -> Option<(EcdsaKeyPair, [u8; 65])> {
    let scalar = expanded::<32>(prk, &[b"vapid key pair", &[draw]]).ok()?;
    let public = PrivateKey::from_private_key(&ECDH_P256, &*scalar).ok()?.compute_public_key().ok()?;
    let public: [u8; 65] = public.as_ref().try_into().ok()?;
    let signing = &ECDSA_P256_SHA256_FIXED_SIGNING;
    EcdsaKeyPair::from_private_key_and_public_key(signing, &*scalar, &public).ok().map(|pair| (pair, public))
}

/// RFC 7515 §5.1: header and claims, as they are signed.
fn signing_input(origin: &str, expires: u64, contact: &str) -> Result<String, Unsealed> {
    let claims = Claims { aud: origin, exp: expires, sub: contact };
    let claims = serde_json::to_vec(&claims).map_err(|_| Unsealed::Library)?;
    let header = BASE64URL_NOPAD.encode(br#"{"typ":"JWT","alg":"ES256"}"#);
    Ok(format!("{header}.{}", BASE64URL_NOPAD.encode(&claims)))
}

#[cfg(test)]
mod tests {
    use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED, UnparsedPublicKey};

    use super::*;

    /// The example of RFC 8292 §2.4, whose private key is not published.
    const EXAMPLE: &str = "vapid t=eyJ0eXAiOiJKV1QiLCJhbGciOiJFUzI1NiJ9.eyJhdWQiOiJodHRwczovL3B1c2guZXhhbXBsZS5uZXQiLCJleHAiOjE0NTM1MjM3NjgsInN1YiI6Im1haWx0bzpwdXNoQGV4YW1wbGUuY29tIn0.i3CYb7t4xfxCDquptFOepC9GAu_HLGkMlMuCGSK2rpiUfnK9ojFwDXb1JrErtmysazNjjvW2L9OkSSHzvoD1oA, k=BA1Hxzyi1RUM1b5wjxsn7nGxAszw2u61m164i3MrAIxHF6YK5h4SDYic-dRuU_RCPCfA5aq9ojSwk5Y2EmClBPs";

    fn vapid() -> Vapid {
        Vapid::derived(&[7; 32], "mailto:it@example.com".to_owned()).unwrap()
    }

    /// What is signed, if the signature is good for the key beside it.
    fn verified(value: &str) -> String {
        let (token, key) = value.strip_prefix("vapid t=").unwrap().split_once(", k=").unwrap();
        let (signed, signature) = token.rsplit_once('.').unwrap();
        let decode = |text: &str| BASE64URL_NOPAD.decode(text.as_bytes()).unwrap();
        let key = UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, decode(key));
        key.verify(signed.as_bytes(), &decode(signature)).unwrap();
        signed.to_owned()
    }

    #[test]
    fn the_example_of_the_rfc_verifies_and_its_claims_are_written_as_we_write_them() {
        let ours = signing_input("https://push.example.net", 1_453_523_768, "mailto:push@example.com").unwrap();
        assert_eq!(verified(EXAMPLE), ours);
    }

    #[test]
    fn a_token_is_signed_for_its_push_service_and_lives_twelve_hours() {
        let token = vapid().token("https://push.example.net", Wall(1_700_000_000_000)).unwrap();
        let expected = signing_input("https://push.example.net", 1_700_043_200, "mailto:it@example.com").unwrap();
        assert_eq!(verified(token.value()), expected);
        assert!(token.value().ends_with(&BASE64URL_NOPAD.encode(&vapid().public())));
    }

    #[test]
    fn a_token_is_used_for_half_its_life_and_not_after_the_clock_was_put_back() {
        let (hour, made_at) = (Duration::from_secs(3600), Wall(1_700_000_000_000));
        let token = vapid().token("https://push.example.net", made_at).unwrap();
        for (at, good) in [
            (made_at, true),
            (Wall(made_at.0 + 6 * 3_600_000 - 1), true),
            (made_at.plus(hour * 6), false),
            (Wall(made_at.0 - 1), false),
        ] {
            assert_eq!(token.is_good_at(at), good, "{at:?}");
        }
    }

    #[test]
    fn the_pair_is_the_same_for_ever_and_another_for_another_site() {
        assert_eq!(vapid().public(), vapid().public());
        assert_ne!(vapid().public(), Vapid::derived(&[8; 32], String::new()).unwrap().public());
        // Another value here would silence every phone that is enrolled. It is HKDF-SHA-256 of 32 times 07 under the salt
        // "vestibule web push" with the info "vapid key pair" 00, times the base point.
        assert_eq!(BASE64URL_NOPAD.encode(&vapid().public()), KNOWN);
    }

    const KNOWN: &str = "BIQd_pGe83gbHStr8fwuW9pKrVmhLPBb-hghGkYsVvx_6fGik4Fiv52V3Opo07WYaxOluOn66EaBX4pSVzzJAqI";

    #[test]
    fn only_a_mail_address_or_a_page_is_a_contact() {
        for good in ["mailto:it@example.com", "https://example.com/contact"] {
            assert!(is_contact(good), "{good}");
        }
        for bad in ["it@example.com", "mailto:", "mailto:it", "http://example.com", "", "tel:112"] {
            assert!(!is_contact(bad), "{bad}");
        }
    }
}
