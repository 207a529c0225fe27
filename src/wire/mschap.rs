//! MS-CHAP: reading its attributes (RFC 2548), and the responses of RFC 2433 and RFC 2759.
//!
//! A proxy passes MS-CHAP through untouched; only a client that logs in with a password computes it. MD4, DES and SHA-1 live in
//! this file because the protocol says so, and nowhere else in this room.

use std::fmt;

use des::Des;
use des::cipher::{BlockCipherEncrypt, KeyInit};
use md4::Md4;
use sha1::{Digest, Sha1};
use zeroize::Zeroizing;

use crate::kind;
use crate::secret::Secret;
use crate::view::PacketView;

/// RFC 2759 §8.7: the two constants of the authenticator response.
const MAGIC_1: &[u8] = b"Magic server to client signing constant";
const MAGIC_2: &[u8] = b"Pad to make it do more than one iteration";

/// MD4 of the password in UTF-16: as good as the password, so it is wiped and unprintable (RFC 2433 §A.4).
#[derive(Clone)]
pub struct NtHash(Zeroizing<[u8; 16]>);

impl NtHash {
    /// NtPasswordHash: the password is UTF-8 here and UTF-16 little-endian there. What is not UTF-8 gives a hash that
    /// matches no password.
    pub fn of(password: &Secret) -> Self {
        let text = Zeroizing::new(String::from_utf8_lossy(password.expose()).into_owned());
        let utf16: Zeroizing<Vec<u8>> = Zeroizing::new(text.encode_utf16().flat_map(u16::to_le_bytes).collect());
        Self(Zeroizing::new(Md4::digest(utf16.as_slice()).into()))
    }

    /// The sixteen octets.
    pub fn expose(&self) -> &[u8; 16] {
        &self.0
    }
}

impl fmt::Debug for NtHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("NtHash(..)")
    }
}

/// NtChallengeResponse of MS-CHAP version 1 (RFC 2433 §A.5).
pub fn mschap_response(challenge: &[u8; 8], hash: &NtHash) -> [u8; 24] {
    let [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p] = *hash.expose();
    let keys = [[a, b, c, d, e, f, g], [h, i, j, k, l, m, n], [o, p, 0, 0, 0, 0, 0]];
    let mut response = [0; 24];
    for (place, key) in response.as_chunks_mut::<8>().0.iter_mut().zip(keys) {
        *place = des_encrypt(challenge, key);
    }
    response
}

/// NT-Response of MS-CHAPv2 (RFC 2759 §8.1). `user` is without a domain.
pub fn mschap2_response(
    authenticator_challenge: &[u8; 16],
    peer_challenge: &[u8; 16],
    user: &[u8],
    hash: &NtHash,
) -> [u8; 24] {
    mschap_response(&challenge_hash(peer_challenge, authenticator_challenge, user), hash)
}

/// The `S=` text that proves the other end knows the password too: 42 octets of MS-CHAP2-Success (RFC 2759 §8.7).
pub fn mschap2_authenticator_response(
    authenticator_challenge: &[u8; 16],
    peer_challenge: &[u8; 16],
    user: &[u8],
    hash: &NtHash,
    nt_response: &[u8; 24],
) -> String {
    let hash_hash: Zeroizing<[u8; 16]> = Zeroizing::new(Md4::digest(hash.expose()).into());
    let first = Sha1::new().chain_update(*hash_hash).chain_update(nt_response).chain_update(MAGIC_1).finalize();
    let challenge = challenge_hash(peer_challenge, authenticator_challenge, user);
    let digest = Sha1::new().chain_update(first).chain_update(challenge).chain_update(MAGIC_2).finalize();
    digest.iter().fold(String::from("S="), |text, octet| text + &format!("{octet:02X}"))
}

/// An MS-CHAP version 1 credential (RFC 2548 §2.1.3).
#[derive(Clone, Copy)]
pub struct MsChap<'a> {
    /// Ident.
    pub identifier: u8,
    /// The whole MS-CHAP-Challenge.
    pub challenge: &'a [u8],
    /// NT-Response; all zeroes when the client sent LM only.
    pub nt_response: &'a [u8; 24],
}

impl<'a> MsChap<'a> {
    /// Nothing unless both attributes are there and the response has its 50 octets.
    pub(crate) fn read(view: &PacketView<'a>) -> Option<Self> {
        let challenge = view.vendor(kind::MICROSOFT, kind::MS_CHAP_CHALLENGE)?;
        let response: &[u8; 50] = view.vendor(kind::MICROSOFT, kind::MS_CHAP_RESPONSE)?.try_into().ok()?;
        // Ident, Flags, LM-Response (24), NT-Response (24).
        let (identifier, _) = response.split_first()?;
        Some(Self { identifier: *identifier, challenge, nt_response: response.last_chunk()? })
    }
}

impl fmt::Debug for MsChap<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MsChap(..)")
    }
}

/// An MS-CHAPv2 credential (RFC 2548 §2.3.2).
#[derive(Clone, Copy)]
pub struct MsChap2<'a> {
    /// Ident.
    pub identifier: u8,
    /// The whole MS-CHAP-Challenge: sixteen octets by rule.
    pub challenge: &'a [u8],
    /// Peer-Challenge.
    pub peer_challenge: &'a [u8; 16],
    /// NT-Response.
    pub nt_response: &'a [u8; 24],
}

impl<'a> MsChap2<'a> {
    /// Nothing unless both attributes are there and the response has its 50 octets.
    pub(crate) fn read(view: &PacketView<'a>) -> Option<Self> {
        let challenge = view.vendor(kind::MICROSOFT, kind::MS_CHAP_CHALLENGE)?;
        let response: &[u8; 50] = view.vendor(kind::MICROSOFT, kind::MS_CHAP2_RESPONSE)?.try_into().ok()?;
        // Ident, Flags, Peer-Challenge (16), Reserved (8), NT-Response (24).
        let (head, _) = response.split_first_chunk::<18>()?;
        let [identifier, _, peer_challenge @ ..] = head;
        Some(Self { identifier: *identifier, challenge, peer_challenge, nt_response: response.last_chunk()? })
    }

    /// The value of an MS-CHAP2-Response attribute, as a client sends it.
    pub fn response_value(identifier: u8, peer_challenge: &[u8; 16], nt_response: &[u8; 24]) -> Vec<u8> {
        [&[identifier, 0][..], peer_challenge, &[0; 8], nt_response].concat()
    }
}

impl fmt::Debug for MsChap2<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MsChap2(..)")
    }
}

/// ChallengeHash (RFC 2759 §8.2).
fn challenge_hash(peer_challenge: &[u8; 16], authenticator_challenge: &[u8; 16], user: &[u8]) -> [u8; 8] {
    let digest: [u8; 20] = Sha1::new()
        .chain_update(peer_challenge)
        .chain_update(authenticator_challenge)
        .chain_update(user)
        .finalize()
        .into();
    digest.first_chunk().copied().unwrap_or_default()
}

/// DesEncrypt: seven octets of key spread over eight, whose low bits are parity and ignored (RFC 2433 §A.8).
fn des_encrypt(clear: &[u8; 8], key: [u8; 7]) -> [u8; 8] {
    let [a, b, c, d, e, f, g] = key;
    let bits = u64::from_be_bytes([0, a, b, c, d, e, f, g]);
    let mut spread = Zeroizing::new([0_u8; 8]);
    for (position, octet) in spread.iter_mut().rev().enumerate() {
        let shifted = bits.wrapping_shr(u32::try_from(position.saturating_mul(7)).unwrap_or_default());
        *octet = shifted.to_le_bytes().first().copied().unwrap_or_default().wrapping_shl(1);
    }
    let mut block = (*clear).into();
    Des::new(&(*spread).into()).encrypt_block(&mut block);
    block.into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_vectors::hex;

    const AUTHENTICATOR_CHALLENGE: &str = "5b5d7c7d7b3f2f3e3c2c602132262628";
    const PEER_CHALLENGE: &str = "21402324255e262a28295f2b3a337c7e";

    fn array<const N: usize>(text: &str) -> [u8; N] {
        hex(text).try_into().unwrap()
    }

    #[test]
    fn rfc_2759_9_2_responses_are_computed() {
        let (ours, theirs) = (array(AUTHENTICATOR_CHALLENGE), array(PEER_CHALLENGE));
        let hash = NtHash::of(&Secret::new("clientPass"));
        assert_eq!(hash.expose()[..], hex("44ebba8d5312b8d611474411f56989ae"));
        assert_eq!(challenge_hash(&theirs, &ours, b"User")[..], hex("d02e4386bce91226"));
        let response = mschap2_response(&ours, &theirs, b"User", &hash);
        assert_eq!(response[..], hex("82309ecd8d708b5ea08faa3981cd83544233114a3d85d6df"));
        assert_eq!(Md4::digest(hash.expose())[..], hex("41c00c584bd2d91c4017a2a12fa59f3f"));
        assert_eq!(
            mschap2_authenticator_response(&ours, &theirs, b"User", &hash, &response),
            "S=407A5589115FD0D6209F510FE9C04566932CDA56"
        );
    }

    #[test]
    fn rfc_2433_b_2_response_is_computed() {
        let hash = NtHash::of(&Secret::new("MyPw"));
        assert_eq!(hash.expose()[..], hex("fc156af7edcd6c0edde3337d427f4eac"));
        let response = mschap_response(&array("102db5df085d3041"), &hash);
        assert_eq!(response[..], hex("4e9d3c8f9cfd385d5bf4d3246791956ca4c351ab409a3d61"));
    }

    #[test]
    fn a_hash_never_prints_its_octets() {
        assert_eq!(format!("{:?}", NtHash::of(&Secret::new("x"))), "NtHash(..)");
    }
}
