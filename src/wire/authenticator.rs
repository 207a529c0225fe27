//! The two signatures of RADIUS/1.0: Message-Authenticator (HMAC-MD5) and Response Authenticator (MD5).
//!
//! Both are computed over raw octets, never over a packet that was built again from its parts; both are compared in constant
//! time. This file decides nothing about when a signature is demanded.

use hmac::Mac;
use md5::{Digest, Md5};
use subtle::ConstantTimeEq;

use crate::field::AUTHENTICATOR_OCTETS;
use crate::secret::SharedSecret;

/// An authenticator, or the digest that goes in its place.
pub(crate) type Authenticator = [u8; AUTHENTICATOR_OCTETS];

/// The octets of one packet as the signatures see them: the header without its authenticator, and the attributes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Signed<'a> {
    /// Code, Identifier, Length.
    pub(crate) header: [u8; 4],
    /// What stands, or is taken to stand, in the Authenticator field.
    pub(crate) authenticator: &'a Authenticator,
}

/// HMAC-MD5 over the packet with the sixteen octets between `before` and `after` taken as zero (RFC 3579 §3.2).
///
/// For a reply, `signed.authenticator` is the one of the request.
pub(crate) fn message_authenticator(
    secret: &SharedSecret,
    signed: Signed<'_>,
    before: &[u8],
    after: &[u8],
) -> Authenticator {
    let mut mac = secret.hmac();
    for part in [&signed.header[..], &signed.authenticator[..], before, &[0; AUTHENTICATOR_OCTETS], after] {
        mac.update(part);
    }
    mac.finalize().into_bytes().into()
}

/// MD5(Code + Identifier + Length + Request Authenticator + Attributes + Secret) (RFC 2865 §3).
pub(crate) fn response_authenticator(secret: &SharedSecret, signed: Signed<'_>, attributes: &[u8]) -> Authenticator {
    Md5::new()
        .chain_update(signed.header)
        .chain_update(signed.authenticator)
        .chain_update(attributes)
        .chain_update(secret.expose())
        .finalize()
        .into()
}

/// Constant-time equality of two digests.
pub(crate) fn equal(one: &Authenticator, other: &Authenticator) -> bool {
    one.ct_eq(other).into()
}
