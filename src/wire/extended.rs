//! Extended attributes (RFC 6929): the types 241 to 246, whose values begin with one more type octet.
//!
//! 245 and 246 can be longer than one attribute: fragments with the More flag are joined here for reading. Forwarding never
//! joins: the fragments go on as they came. A chain that breaks is an invalid attribute, not an invalid packet (§2.8).

use std::borrow::Cow;

use crate::view::{Attribute, Attributes, PacketView};

/// The types whose value is Extended-Type and data (RFC 6929 §2.1).
const SHORT: std::ops::RangeInclusive<u8> = 241..=244;
/// The types that have a flags octet after Extended-Type (RFC 6929 §2.2).
const LONG: std::ops::RangeInclusive<u8> = 245..=246;
/// More fragments follow (RFC 6929 §2.2).
const MORE: u8 = 0x80;
/// The value of an attribute that is 255 octets long, as all fragments but the last must be (RFC 6929 §2.2).
const FRAGMENT_VALUE_OCTETS: usize = 253;

/// One extended attribute, whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExtendedAttribute<'a> {
    /// 241 to 246.
    pub kind: u8,
    /// Extended-Type.
    pub extended_type: u8,
    /// The data, joined; at most what one packet holds. `None` when the attribute is invalid: too short, or a chain that breaks.
    pub value: Option<Cow<'a, [u8]>>,
}

/// The extended attributes of a packet, in order, invalid ones included.
#[derive(Clone, Debug)]
pub struct ExtendedAttributes<'a>(Attributes<'a>);

impl<'a> PacketView<'a> {
    /// Walks the extended attributes and joins their fragments. Only a joined value allocates.
    pub const fn extended_attributes(&self) -> ExtendedAttributes<'a> {
        ExtendedAttributes(self.attributes())
    }
}

impl<'a> Iterator for ExtendedAttributes<'a> {
    type Item = ExtendedAttribute<'a>;

    fn next(&mut self) -> Option<Self::Item> {
        let first = self.0.find_map(|attribute| Piece::read(&attribute))?;
        let (kind, extended_type) = (first.kind, first.extended_type);
        let value = if first.more { self.join(first) } else { first.data.map(Cow::Borrowed) };
        Some(ExtendedAttribute { kind, extended_type, value })
    }
}

impl<'a> ExtendedAttributes<'a> {
    /// RFC 6929 §2.2: fragments are consecutive, of one type, each but the last 255 octets long.
    fn join(&mut self, first: Piece<'a>) -> Option<Cow<'a, [u8]>> {
        let mut joined = first.data?.to_vec();
        let mut whole = first.full;
        loop {
            let mut ahead = self.0.clone();
            let next =
                ahead.next().and_then(|attribute| Piece::read(&attribute)).filter(|next| next.continues(&first))?;
            self.0 = ahead;
            joined.extend_from_slice(next.data.unwrap_or_default());
            if !next.more {
                return whole.then_some(Cow::Owned(joined));
            }
            whole &= next.full;
        }
    }
}

/// One attribute of an extended type, as it stands in the packet.
#[derive(Clone, Copy)]
struct Piece<'a> {
    kind: u8,
    extended_type: u8,
    more: bool,
    /// 255 octets long.
    full: bool,
    /// RFC 6929 §2.1, §2.2: one octet or more.
    data: Option<&'a [u8]>,
}

impl<'a> Piece<'a> {
    /// Nothing for other types. An attribute that has no Extended-Type is invalid, with a type of 0.
    fn read(attribute: &Attribute<'a>) -> Option<Self> {
        let long = LONG.contains(&attribute.kind);
        if !long && !SHORT.contains(&attribute.kind) {
            return None;
        }
        let (extended_type, rest) = attribute.value.split_first().unwrap_or((&0, &[]));
        let (flags, data) = if long { rest.split_first().unwrap_or((&0, &[])) } else { (&0, rest) };
        Some(Self {
            kind: attribute.kind,
            extended_type: *extended_type,
            more: flags & MORE != 0,
            full: attribute.value.len() == FRAGMENT_VALUE_OCTETS,
            data: (!data.is_empty()).then_some(data),
        })
    }

    const fn continues(&self, first: &Self) -> bool {
        self.kind == first.kind && self.extended_type == first.extended_type
    }
}
