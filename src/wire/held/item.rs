//! One kept attribute: where its value lies, and how it must be written.

use crate::dictionary::{Dictionary, Encryption};
use crate::field::ATTRIBUTE_HEADER_OCTETS;
use crate::salt::hidden_len;
use crate::vendor::VendorAttribute;

/// Octets of Vendor-Id, vendor type and vendor length.
const VENDOR_HEADER_OCTETS: usize = 6;

/// An attribute whose value is `start..end` of the kept octets.
#[derive(Clone, Copy)]
pub(super) struct Item {
    pub(super) kind: u8,
    pub(super) form: Form,
    pub(super) start: u16,
    pub(super) end: u16,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// As it came.
    Plain,
    /// Revealed; salt first.
    Salted,
    /// Revealed; a tag before the salt (RFC 2868 §3.5).
    Tagged { tag: u8 },
    /// Revealed; a vendor's, salt first (RFC 2548 §2.4.2).
    SaltedVendor { vendor: u32, kind: u8 },
    /// Revealed; a vendor's, hidden like User-Password (RFC 2548 §2.4.1).
    LikePassword { vendor: u32, kind: u8 },
}

/// What stays of an attribute when each vendor attribute in it is judged.
pub(super) enum Kept<'a> {
    /// The attribute as it is.
    Whole,
    /// These vendor attributes, each in a Vendor-Specific of its own.
    Parts(Vec<VendorAttribute<'a>>),
}

impl Item {
    /// Octets of the whole attribute when it is written.
    pub(super) fn encoded_len(&self) -> usize {
        let plain = usize::from(self.end.saturating_sub(self.start));
        let value = match self.form {
            Form::Plain => plain,
            Form::Salted => hidden_len(plain),
            Form::Tagged { .. } => hidden_len(plain).saturating_add(1),
            Form::SaltedVendor { .. } => hidden_len(plain).saturating_add(VENDOR_HEADER_OCTETS),
            Form::LikePassword { .. } => plain.saturating_add(VENDOR_HEADER_OCTETS),
        };
        value.saturating_add(ATTRIBUTE_HEADER_OCTETS)
    }

    /// Vendor and type, if it is one that was revealed.
    pub(super) const fn hidden_as(&self) -> Option<(Option<u32>, u8)> {
        match self.form {
            Form::Plain => None,
            Form::Salted | Form::Tagged { .. } => Some((None, self.kind)),
            Form::SaltedVendor { vendor, kind } | Form::LikePassword { vendor, kind } => Some((Some(vendor), kind)),
        }
    }
}

/// How the dictionary says that this attribute is hidden.
pub(super) fn encryption(vendor: Option<u32>, kind: u8) -> Encryption {
    Dictionary::embedded().entry(kind, vendor).map_or(Encryption::None, |entry| entry.encryption)
}

/// Octets of a vendor attribute in a Vendor-Specific of its own.
pub(super) fn vendor_encoded_len(inner: &VendorAttribute<'_>) -> usize {
    inner.value.len().saturating_add(VENDOR_HEADER_OCTETS).saturating_add(ATTRIBUTE_HEADER_OCTETS)
}
