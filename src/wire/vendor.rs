//! Vendor-Specific attributes: walked where their inside makes sense, opaque where it doesn't.
//!
//! The usual inside is a list of type, length and value (RFC 2865 §5.26). One that does not fill the attribute exactly is not
//! an error of the packet: the attribute is simply not looked into, and goes on as it came (RFC 6929 §2.8).

use std::fmt;

use crate::field::ATTRIBUTE_HEADER_OCTETS;
use crate::kind;
use crate::view::{Attribute, PacketView};

/// One vendor's attribute.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct VendorAttribute<'a> {
    /// The vendor's enterprise number.
    pub vendor: u32,
    /// The vendor's own type.
    pub kind: u8,
    /// Its value.
    pub value: &'a [u8],
}

impl fmt::Debug for VendorAttribute<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "VendorAttribute({}.{}, {} octets)", self.vendor, self.kind, self.value.len())
    }
}

/// The vendor attributes in one Vendor-Specific, at least one.
#[derive(Clone, Debug)]
pub struct VendorAttributes<'a> {
    vendor: u32,
    rest: &'a [u8],
}

impl VendorAttributes<'_> {
    /// The vendor's enterprise number.
    pub const fn vendor(&self) -> u32 {
        self.vendor
    }
}

impl<'a> Iterator for VendorAttributes<'a> {
    type Item = VendorAttribute<'a>;

    fn next(&mut self) -> Option<Self::Item> {
        let (kind, value, rest) = split(self.rest)?;
        self.rest = rest;
        Some(VendorAttribute { vendor: self.vendor, kind, value })
    }
}

impl<'a> Attribute<'a> {
    /// The vendor attributes inside, if this is a Vendor-Specific whose inside can be walked to its very end.
    pub fn vendor(&self) -> Option<VendorAttributes<'a>> {
        if self.kind != kind::VENDOR_SPECIFIC {
            return None;
        }
        let (vendor, inside) = self.value.split_first_chunk::<4>()?;
        let mut rest = inside;
        while !rest.is_empty() {
            (_, _, rest) = split(rest)?;
        }
        let walker = VendorAttributes { vendor: u32::from_be_bytes(*vendor), rest: inside };
        (!inside.is_empty()).then_some(walker)
    }
}

impl<'a> PacketView<'a> {
    /// All vendor attributes of the packet that can be walked, in order.
    pub fn vendor_attributes(&self) -> impl Iterator<Item = VendorAttribute<'a>> + use<'a> {
        self.attributes().filter_map(|attribute| attribute.vendor()).flatten()
    }

    /// The value of the first attribute of this vendor and vendor type.
    pub fn vendor(&self, vendor: u32, kind: u8) -> Option<&'a [u8]> {
        self.vendor_attributes().find(|inner| inner.vendor == vendor && inner.kind == kind).map(|inner| inner.value)
    }
}

/// The first type-length-value. Every step takes two octets at least, so each walk ends.
fn split(bytes: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let [kind, length, ..] = *bytes else {
        return None;
    };
    let (whole, rest) = bytes.split_at_checked(length.into())?;
    Some((kind, whole.get(ATTRIBUTE_HEADER_OCTETS..)?, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn walk(value: &[u8]) -> Option<Vec<(u8, &[u8])>> {
        Some(Attribute::new(26, value).vendor()?.map(|inner| (inner.kind, inner.value)).collect())
    }

    #[test]
    fn several_vendor_attributes_are_walked_in_order() {
        assert_eq!(walk(&[0, 0, 0, 9, 1, 3, 7, 2, 2]), Some(vec![(1, &[7][..]), (2, &[][..])]));
    }

    #[test]
    fn an_inside_that_makes_no_sense_is_opaque() {
        assert_eq!(walk(&[0]), None, "shorter than a vendor number");
        assert_eq!(walk(&[0, 0, 0, 9]), None, "nothing inside");
        assert_eq!(walk(&[0, 0, 0, 9, 1, 1]), None, "Vendor-Length below 2");
        assert_eq!(walk(&[0, 0, 0, 9, 1, 0]), None, "Vendor-Length 0");
        assert_eq!(walk(&[0, 0, 0, 9, 1, 9]), None, "Vendor-Length overruns");
        assert_eq!(walk(&[0, 0, 0, 9, 1, 2, 1]), None, "an octet is left");
        assert!(Attribute::new(25, &[0, 0, 0, 9, 1, 2]).vendor().is_none(), "not a Vendor-Specific");
    }
}
