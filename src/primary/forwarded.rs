//! What of an appliance's request goes on to a RADIUS primary: everything but what belongs to one hop.
//!
//! Attributes keep their octets and their order, those of unknown type too; nothing is repaired (checklist D5, A6). Left
//! out are the name and the credentials, which the writer of the new request puts in itself, and the hop's own: State,
//! Proxy-State (checklist D2) and Message-Authenticator.

use std::fmt;
use std::sync::Arc;

use wire::{Attribute, PacketView, VerifiedRequest, kind};

/// The attributes that go on, as they stood on the wire: a run of type, length, value. Cloning is cheap.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Forwarded(Arc<[u8]>);

impl Forwarded {
    /// Picks them from an appliance's request.
    #[must_use]
    pub fn of(request: &VerifiedRequest<'_>) -> Self {
        Self::pick(request.view())
    }

    /// The attributes in their order.
    pub fn attributes(&self) -> impl Iterator<Item = Attribute<'_>> {
        Run(&self.0)
    }

    /// How many octets it keeps.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.0.len()
    }

    fn pick(request: &PacketView<'_>) -> Self {
        let mut run = Vec::new();
        for attribute in request.attributes().filter(goes_on) {
            // A value read from a packet is at most 253 octets, so its length octet always exists.
            let Ok(length) = u8::try_from(attribute.encoded_len()) else { continue };
            run.extend_from_slice(&[attribute.kind, length]);
            run.extend_from_slice(attribute.value);
        }
        Self(run.into())
    }
}

impl fmt::Debug for Forwarded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Forwarded({} octets)", self.0.len())
    }
}

fn goes_on(attribute: &Attribute<'_>) -> bool {
    let ends_here = matches!(
        attribute.kind,
        kind::USER_NAME
            | kind::USER_PASSWORD
            | kind::CHAP_PASSWORD
            | kind::CHAP_CHALLENGE
            | kind::ARAP_PASSWORD
            | kind::EAP_MESSAGE
            | kind::STATE
            | kind::PROXY_STATE
            | kind::MESSAGE_AUTHENTICATOR
            // Hidden under this hop's secret, and nothing but noise under the next one's (RFC 2868 §3.5).
            | kind::TUNNEL_PASSWORD
    );
    !ends_here && !is_mschap(attribute)
}

/// A Vendor-Specific that carries an MS-CHAP credential (RFC 2548 §2.1, §2.3); MS-CHAP-Domain and others are facts and go on.
fn is_mschap(attribute: &Attribute<'_>) -> bool {
    attribute.vendor().is_some_and(|mut inside| {
        inside.any(|inner| {
            inner.vendor == kind::MICROSOFT
                && matches!(inner.kind, kind::MS_CHAP_RESPONSE | kind::MS_CHAP_CHALLENGE | kind::MS_CHAP2_RESPONSE)
        })
    })
}

/// Walks a run of attributes that [`Forwarded::pick`] made.
struct Run<'a>(&'a [u8]);

impl<'a> Iterator for Run<'a> {
    type Item = Attribute<'a>;

    fn next(&mut self) -> Option<Attribute<'a>> {
        let [kind, length, ..] = *self.0 else { return None };
        let (whole, rest) = self.0.split_at_checked(length.into())?;
        self.0 = rest;
        Some(Attribute::new(kind, whole.get(2..)?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packet(attributes: &[u8]) -> Vec<u8> {
        let length = u16::try_from(20 + attributes.len()).unwrap().to_be_bytes();
        [&[1, 7, length[0], length[1]], [9; 16].as_slice(), attributes].concat()
    }

    fn picked(attributes: &[u8]) -> Vec<(u8, Vec<u8>)> {
        let bytes = packet(attributes);
        let forwarded = Forwarded::pick(&PacketView::parse(&bytes).unwrap());
        forwarded.attributes().map(|attribute| (attribute.kind, attribute.value.to_vec())).collect()
    }

    #[test]
    fn unknown_attributes_go_on_unchanged_and_in_order() {
        let attributes = [250, 4, 1, 2, 31, 3, b'x', 199, 2, 250, 3, 0, 26, 8, 0, 0, 0, 9, 1, 2];
        let expected =
            vec![(250, vec![1, 2]), (31, b"x".to_vec()), (199, vec![]), (250, vec![0]), (26, vec![0, 0, 0, 9, 1, 2])];
        assert_eq!(picked(&attributes), expected);
    }

    #[test]
    fn credentials_and_what_belongs_to_the_hop_stay() {
        let mut attributes = vec![1, 3, b'a', 33, 3, 1, 24, 3, 2, 33, 3, 9];
        attributes.extend([2, 18].into_iter().chain([7; 16]));
        attributes.extend([80, 18].into_iter().chain([7; 16]));
        attributes.extend([26, 12, 0, 0, 1, 55, 11, 6, 1, 2, 3, 4]);
        attributes.extend([32, 3, b'n']);
        assert_eq!(picked(&attributes), vec![(32, b"n".to_vec())]);
    }
}
