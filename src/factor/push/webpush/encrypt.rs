//! Messages that only the phone's browser can read: RFC 8291 on the `aes128gcm` coding of RFC 8188. Pure but for randomness.
//!
//! Each message is sealed by a key pair and a salt of its own, in one record, and padded to one length, so that a push
//! service sees neither what is in it nor how long it is.

use aws_lc_rs::aead::{AES_128_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::agreement::{ECDH_P256, ParsedPublicKey, PrivateKey, UnparsedPublicKey, agree};
use aws_lc_rs::hkdf::{HKDF_SHA256, KeyType, Prk, Salt};
use aws_lc_rs::{error::Unspecified, rand};
use zeroize::Zeroizing;

use super::endpoint::EndpointRefusal;
use crate::store::web::Subscription;

/// Octets of a message before it is sealed, with its delimiter and padding. Sealed it is 1382: under the 4096 that every
/// push service takes (RFC 8030 §7.2).
pub(super) const RECORD_OCTETS: usize = 1280;

/// The `rs` of the header (RFC 8188 §2.1): larger than the one record, its padding and its tag (RFC 8291 §4).
const RECORD_SIZE: u32 = 4096;

/// RFC 8188 §2: "the last record uses a padding delimiter octet set to the value 2".
const LAST_RECORD: u8 = 2;

/// Why a message can't be sealed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Unsealed {
    /// The phone's.
    #[error("its key is no point of P-256; the phone must subscribe again, by opening the page")]
    Key,
    /// Ours: it does not fit, and cutting it would break it.
    #[error("the message does not fit into {RECORD_OCTETS} octets; this is a bug of ours, please report it")]
    Size,
    /// Ours: no randomness, or a library that fails.
    #[error("the message can't be sealed; this is a bug of ours, please report it")]
    Library,
}

/// What seals one message: the key pair and the salt, never used twice.
pub(super) struct Sealer {
    private: PrivateKey,
    public: [u8; 65],
    salt: [u8; 16],
}

impl Sealer {
    /// A new key pair and a new salt (RFC 8291 §3.1, RFC 8188 §2.1).
    pub(super) fn fresh() -> Result<Self, Unsealed> {
        let mut salt = [0; 16];
        rand::fill(&mut salt).map_err(library)?;
        Self::with(PrivateKey::generate(&ECDH_P256).map_err(library)?, salt)
    }

    fn with(private: PrivateKey, salt: [u8; 16]) -> Result<Self, Unsealed> {
        let public = private.compute_public_key().map_err(library)?;
        let public = public.as_ref().try_into().map_err(|_| Unsealed::Library)?;
        Ok(Self { private, public, salt })
    }

    /// The body of a push message, its plaintext padded to `octets`.
    pub(super) fn seal(self, to: &Subscription, plaintext: &[u8], octets: usize) -> Result<Vec<u8>, Unsealed> {
        if plaintext.len() >= octets {
            return Err(Unsealed::Size);
        }
        let mut record = Vec::with_capacity(octets + AES_128_GCM.tag_len());
        record.extend_from_slice(plaintext);
        record.push(LAST_RECORD);
        record.resize(octets, 0);
        let ikm = self.input_keying_material(to)?;
        let prk = Salt::new(HKDF_SHA256, &self.salt).extract(&*ikm);
        let nonce = Nonce::assume_unique_for_key(nonce(&prk)?);
        let key = UnboundKey::new(&AES_128_GCM, &*content_key(&prk)?).map_err(library)?;
        LessSafeKey::new(key).seal_in_place_append_tag(nonce, Aad::empty(), &mut record).map_err(library)?;
        Ok([&self.header()[..], &record].concat())
    }

    /// RFC 8188 §2.1: salt, record size, and as its key id our public key (RFC 8291 §4).
    fn header(&self) -> Vec<u8> {
        [&self.salt[..], &RECORD_SIZE.to_be_bytes(), &[65], &self.public].concat()
    }

    /// RFC 8291 §3.3 and §3.4: `HKDF(auth_secret, ecdh_secret, "WebPush: info" || 0x00 || ua_public || as_public, 32)`.
    fn input_keying_material(&self, to: &Subscription) -> Result<Zeroizing<[u8; 32]>, Unsealed> {
        agree(&self.private, point(&to.p256dh)?, Unsealed::Key, |shared| {
            let prk = Salt::new(HKDF_SHA256, &to.auth).extract(shared);
            expanded(&prk, &[b"WebPush: info\0", &to.p256dh, &self.public])
        })
    }
}

/// Whether it is an uncompressed point on P-256; anything else could never be sealed to.
///
/// # Errors
/// [`EndpointRefusal::Key`].
pub fn check_subscription_key(p256dh: &[u8; 65]) -> Result<(), EndpointRefusal> {
    point(p256dh).map(drop).map_err(|_| EndpointRefusal::Key)
}

/// RFC 8291 §3.1: the uncompressed form alone; the library would take the hybrid one too, and browsers would not know it again.
fn point(p256dh: &[u8; 65]) -> Result<ParsedPublicKey, Unsealed> {
    if p256dh.first() != Some(&4) {
        return Err(Unsealed::Key);
    }
    ParsedPublicKey::try_from(UnparsedPublicKey::new(&ECDH_P256, &p256dh[..])).map_err(|_| Unsealed::Key)
}

/// RFC 8188 §2.2.
fn content_key(prk: &Prk) -> Result<Zeroizing<[u8; 16]>, Unsealed> {
    expanded(prk, &[b"Content-Encoding: aes128gcm\0"])
}

/// RFC 8188 §2.3; the sequence number of the only record is 0, which changes nothing.
fn nonce(prk: &Prk) -> Result<[u8; 12], Unsealed> {
    expanded(prk, &[b"Content-Encoding: nonce\0"]).map(|nonce| *nonce)
}

/// The expanding half of HKDF (RFC 5869 §2.3).
pub(super) fn expanded<const N: usize>(prk: &Prk, info: &[&[u8]]) -> Result<Zeroizing<[u8; N]>, Unsealed> {
    struct Octets(usize);
    impl KeyType for Octets {
        fn len(&self) -> usize {
            self.0
        }
    }
    let mut key = Zeroizing::new([0; N]);
    prk.expand(info, Octets(N)).and_then(|okm| okm.fill(&mut *key)).map_err(library)?;
    Ok(key)
}

/// The library says nothing more than that it failed.
fn library(_: Unspecified) -> Unsealed {
    Unsealed::Library
}

#[cfg(test)]
mod tests {
    //! RFC 8291 §5 and Appendix A: every value of it, in the order of the computation.

    use data_encoding::BASE64URL_NOPAD;

    use super::*;

    const PLAINTEXT: &[u8] = b"When I grow up, I want to be a watermelon";
    const AUTH: &str = "BTBZMqHH6r4Tts7J_aSIgg";
    const SALT: &str = "DGv6ra1nlYgDCS1FRnbzlw";
    const AS_PRIVATE: &str = "yfWPiYE-n46HLnH0KqZOF1fJJU3MYrct3AELtAQ-oRw";
    const AS_PUBLIC: &str = "BP4z9KsN6nGRTbVYI_c7VJSPQTBtkgcy27mlmlMoZIIgDll6e3vCYLocInmYWAmS6TlzAC8wEqKK6PBru3jl7A8";
    const UA_PRIVATE: &str = "q1dXpw3UpT5VOmu_cf_v6ih07Aems3njxI-JWgLcM94";
    const UA_PUBLIC: &str = "BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4";
    const ECDH: &str = "kyrL1jIIOHEzg3sM2ZWRHDRB62YACZhhSlknJ672kSs";
    const IKM: &str = "S4lYMb_L0FxCeq0WhDx813KgSYqU26kOyzWUdsXYyrg";
    const CEK: &str = "oIhVW04MRdy2XN9CiKLxTg";
    const NONCE: &str = "4h_95klXJ5E_qnoN";
    const BODY: &str = "DGv6ra1nlYgDCS1FRnbzlwAAEABBBP4z9KsN6nGRTbVYI_c7VJSPQTBtkgcy27mlmlMoZIIgDll6e3vCYLocInmYWAmS6TlzAC8wEqKK6PBru3jl7A_yl95bQpu6cVPTpK4Mqgkf1CXztLVBSt2Ks3oZwbuwXPXLWyouBWLVWGNWQexSgSxsj_Qulcy4a-fN";

    fn octets<const N: usize>(text: &str) -> [u8; N] {
        BASE64URL_NOPAD.decode(text.as_bytes()).unwrap().try_into().unwrap()
    }

    fn sealer() -> Sealer {
        let private = PrivateKey::from_private_key(&ECDH_P256, &octets::<32>(AS_PRIVATE)).unwrap();
        Sealer::with(private, octets(SALT)).unwrap()
    }

    fn browser() -> Subscription {
        let endpoint = "https://push.example.net/push/JzLQ3raZJfFBR0aqvOMsLrt54w4rJUsV".into();
        Subscription { endpoint, p256dh: octets(UA_PUBLIC), auth: octets(AUTH) }
    }

    #[test]
    fn the_public_keys_are_those_of_the_rfc() {
        assert_eq!(sealer().public, octets(AS_PUBLIC));
        let browser = PrivateKey::from_private_key(&ECDH_P256, &octets::<32>(UA_PRIVATE)).unwrap();
        assert_eq!(browser.compute_public_key().unwrap().as_ref(), octets::<65>(UA_PUBLIC));
    }

    #[test]
    fn both_sides_agree_on_the_secret_of_the_rfc() {
        let browser = PrivateKey::from_private_key(&ECDH_P256, &octets::<32>(UA_PRIVATE)).unwrap();
        for (ours, theirs) in [(sealer().private, UA_PUBLIC), (browser, AS_PUBLIC)] {
            let theirs = octets::<65>(theirs);
            let theirs = UnparsedPublicKey::new(&ECDH_P256, &theirs[..]);
            let shared: Result<Vec<u8>, ()> = agree(&ours, theirs, (), |shared| Ok(shared.to_vec()));
            assert_eq!(shared.unwrap(), octets::<32>(ECDH));
        }
    }

    #[test]
    fn the_keys_derived_are_those_of_the_rfc() {
        let ikm = sealer().input_keying_material(&browser()).unwrap();
        assert_eq!(*ikm, octets(IKM));
        let prk = Salt::new(HKDF_SHA256, &octets::<16>(SALT)).extract(&*ikm);
        assert_eq!(*content_key(&prk).unwrap(), octets(CEK));
        assert_eq!(nonce(&prk).unwrap(), octets(NONCE));
    }

    #[test]
    fn the_body_is_the_one_of_the_rfc_octet_for_octet() {
        // The RFC's example has no padding: its delimiter alone.
        let body = sealer().seal(&browser(), PLAINTEXT, PLAINTEXT.len() + 1).unwrap();
        assert_eq!(BASE64URL_NOPAD.encode(&body), BODY);
    }

    #[test]
    fn lengths_tell_nothing_of_what_is_sealed() {
        for text in [&b""[..], b"x", &[b'x'; RECORD_OCTETS - 1]] {
            let body = Sealer::fresh().unwrap().seal(&browser(), text, RECORD_OCTETS).unwrap();
            assert_eq!(body.len(), 16 + 4 + 1 + 65 + RECORD_OCTETS + 16);
        }
        let sealed = Sealer::fresh().unwrap().seal(&browser(), &[b'x'; RECORD_OCTETS], RECORD_OCTETS);
        assert_eq!(sealed, Err(Unsealed::Size));
    }

    #[test]
    fn no_key_and_no_salt_is_used_twice() {
        let [one, other] = [(), ()].map(|()| Sealer::fresh().unwrap().seal(&browser(), PLAINTEXT, 64).unwrap());
        assert_ne!(one[..16], other[..16]);
        assert_ne!(one[21..86], other[21..86]);
    }

    #[test]
    fn a_key_that_is_no_point_is_refused() {
        let good = browser().p256dh;
        let changed = |at: usize, octet: u8| std::array::from_fn(|index| if index == at { octet } else { good[index] });
        for p256dh in [changed(64, good[64] ^ 1), changed(0, 6), changed(0, 7), changed(0, 2), [0; 65], [4; 65]] {
            let phone = Subscription { p256dh, ..browser() };
            assert_eq!(Sealer::fresh().unwrap().seal(&phone, PLAINTEXT, 64), Err(Unsealed::Key));
            assert_eq!(check_subscription_key(&phone.p256dh), Err(EndpointRefusal::Key));
        }
        assert_eq!(check_subscription_key(&browser().p256dh), Ok(()));
    }
}
