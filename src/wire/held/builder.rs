//! Taking an upstream's attributes apart, and revealing the hidden ones.
//!
//! A value that the dictionary calls hidden is either revealed or an error: garbage is never kept.

use zeroize::Zeroizing;

use super::item::{Form, Item, Kept, encryption};
use super::{HeldAttributes, WrongSecret};
use crate::code::Code;
use crate::dictionary::{Dictionary, Encryption};
use crate::kind;
use crate::password::{is_hidden_length, reveal_in_place};
use crate::reply::vendor_header;
use crate::salt::reveal_salted;
use crate::secret::{Secret, SharedSecret};
use crate::vendor::VendorAttribute;
use crate::view::Attribute;

/// How much longer values can become when a Vendor-Specific is taken apart: two octets may need six in their own.
const GROWTH: usize = 3;

/// What a value of the upstream is hidden under.
pub(super) struct Hop<'a> {
    pub(super) secret: &'a SharedSecret,
    pub(super) authenticator: &'a [u8; 16],
}

/// Attributes while they are collected.
pub(super) struct Builder {
    code: Code,
    octets: Zeroizing<Vec<u8>>,
    items: Vec<Item>,
}

impl Builder {
    /// For attributes that took so many octets. The buffer never moves, so no copy is left behind unwiped.
    pub(super) fn new(code: Code, octets: usize) -> Self {
        let room = octets.saturating_mul(GROWTH);
        Self { code, octets: Zeroizing::new(Vec::with_capacity(room)), items: Vec::new() }
    }

    pub(super) fn finish(self) -> HeldAttributes {
        let octets = Zeroizing::new(Box::from(self.octets.as_slice()));
        HeldAttributes { code: self.code, octets, items: self.items.into_boxed_slice() }
    }

    /// An attribute as the upstream sent it; Message-Authenticator and Proxy-State stay on their hop.
    pub(super) fn take(&mut self, attribute: Attribute<'_>, from: &Hop<'_>) -> Result<(), WrongSecret> {
        if matches!(attribute.kind, kind::MESSAGE_AUTHENTICATOR | kind::PROXY_STATE) {
            return Ok(());
        }
        if let Some(mut inside) = attribute.vendor()
            && inside.clone().any(|inner| encryption(Some(inner.vendor), inner.kind) != Encryption::None)
        {
            return inside.try_for_each(|inner| self.take_vendor(&inner, from));
        }
        if encryption(None, attribute.kind) == Encryption::Salted {
            return self.take_salted(attribute, from);
        }
        self.push(attribute.kind, Form::Plain, &[attribute.value]);
        Ok(())
    }

    /// Vendor attributes that were judged one by one; an opaque Vendor-Specific stays if `opaque` says so.
    pub(super) fn take_kept(&mut self, kept: Kept<'_>, whole: Attribute<'_>, opaque: bool) {
        match kept {
            Kept::Whole if opaque || whole.vendor().is_some() => self.push(whole.kind, Form::Plain, &[whole.value]),
            Kept::Whole => {}
            Kept::Parts(parts) => parts.iter().for_each(|inner| self.push_plain_vendor(inner)),
        }
    }

    pub(super) fn push(&mut self, kind: u8, form: Form, parts: &[&[u8]]) {
        // A packet has at most 4096 octets and GROWTH is 3: the numbers fit in sixteen bits.
        let start = u16::try_from(self.octets.len()).unwrap_or(u16::MAX);
        parts.iter().for_each(|part| self.octets.extend_from_slice(part));
        let end = u16::try_from(self.octets.len()).unwrap_or(u16::MAX);
        self.items.push(Item { kind, form, start, end });
    }

    /// An attribute that is not a vendor's: Tunnel-Password, with its tag before the salt (RFC 2868 §3.5).
    fn take_salted(&mut self, attribute: Attribute<'_>, from: &Hop<'_>) -> Result<(), WrongSecret> {
        let Attribute { kind, value } = attribute;
        let tagged = Dictionary::embedded().entry(kind, None).is_some_and(|entry| entry.has_tag);
        let (form, hidden) = match value.split_first() {
            Some((tag, hidden)) if tagged => (Form::Tagged { tag: *tag }, hidden),
            Some(_) | None => (Form::Salted, value),
        };
        let plain = from.reveal_salted(hidden).ok_or(WrongSecret { vendor: None, kind })?;
        self.push(kind, form, &[plain.expose()]);
        Ok(())
    }

    /// One of the vendor attributes in a Vendor-Specific that hides some: each gets a Vendor-Specific of its own.
    fn take_vendor(&mut self, inner: &VendorAttribute<'_>, from: &Hop<'_>) -> Result<(), WrongSecret> {
        let VendorAttribute { vendor, kind, value } = *inner;
        let (form, plain) = match encryption(Some(vendor), kind) {
            Encryption::None => {
                self.push_plain_vendor(inner);
                return Ok(());
            }
            Encryption::Salted => (Form::SaltedVendor { vendor, kind }, from.reveal_salted(value)),
            Encryption::Password => (Form::LikePassword { vendor, kind }, from.reveal_blocks(value)),
        };
        let plain = plain.ok_or(WrongSecret { vendor: Some(vendor), kind })?;
        self.push(kind::VENDOR_SPECIFIC, form, &[plain.expose()]);
        Ok(())
    }

    fn push_plain_vendor(&mut self, inner: &VendorAttribute<'_>) {
        if let Ok(header) = vendor_header(inner.vendor, inner.kind, inner.value.len()) {
            self.push(kind::VENDOR_SPECIFIC, Form::Plain, &[&header, inner.value]);
        }
    }
}

impl Hop<'_> {
    fn reveal_salted(&self, hidden: &[u8]) -> Option<Secret> {
        reveal_salted(hidden, self.secret, self.authenticator)
    }

    /// Hidden like User-Password, but the value is a fixed structure: no octet is stripped.
    fn reveal_blocks(&self, hidden: &[u8]) -> Option<Secret> {
        if !is_hidden_length(hidden.len()) {
            return None;
        }
        let mut plain = Zeroizing::new(hidden.to_vec());
        reveal_in_place(self.secret, &[self.authenticator], &mut plain);
        Some(Secret::new(plain.as_slice()))
    }
}
