//! The attributes of an upstream's answer, kept while a login is held.
//!
//! Plain attributes are kept byte for byte and in order (RFC 2865 §2.3, §5). Hidden ones are decoded on arrival, with the
//! upstream's secret and the authenticator of our request, and hidden again only when the answer is written, under the request
//! that is answered then (RFC 2548 §2.4.2, RFC 2868 §3.5): the appliance may have asked anew in between. Everything lies in
//! memory that is wiped, and `Debug` shows numbers only.

use std::fmt;

use zeroize::Zeroizing;

use crate::code::Code;
use crate::datagram::Full;
use crate::dictionary::{Dictionary, Encryption};
use crate::field::ATTRIBUTE_HEADER_OCTETS;
use crate::kind;
use crate::password::{is_hidden_length, reveal_in_place};
use crate::replacement::{Identity, ReplyAttributes};
use crate::reply::{ReplyWriter, vendor_header};
use crate::salt::{Salts, hidden_len, reveal_salted};
use crate::secret::{Secret, SharedSecret};
use crate::vendor::VendorAttribute;
use crate::verify::VerifiedReply;
use crate::view::Attribute;

/// Octets of Vendor-Id, vendor type and vendor length.
const VENDOR_HEADER_OCTETS: usize = 6;

/// A hidden attribute of the upstream does not decode: the secrets differ, or the upstream is broken. The login is refused,
/// because what could be forwarded is garbage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WrongSecret {
    /// The vendor, if it is a vendor's attribute.
    pub vendor: Option<u32>,
    /// The type, or the vendor's type.
    pub kind: u8,
}

impl fmt::Display for WrongSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = Dictionary::embedded().name(self.kind, self.vendor).unwrap_or("a hidden attribute");
        write!(f, "{name} does not decode: the secret shared with the upstream differs")
    }
}

impl std::error::Error for WrongSecret {}

/// Attributes of an Access-Accept, Access-Reject or Access-Challenge between two hops, without Message-Authenticator and
/// Proxy-State, which belong to each hop alone.
#[derive(Clone)]
pub struct HeldAttributes {
    code: Code,
    octets: Zeroizing<Vec<u8>>,
    items: Vec<Item>,
}

impl HeldAttributes {
    /// Takes the attributes of a reply, and reveals the hidden ones with the secret shared with that upstream.
    ///
    /// # Errors
    /// [`WrongSecret`] when a hidden attribute does not decode.
    pub fn decode(reply: &VerifiedReply<'_>, secret: &SharedSecret) -> Result<Self, WrongSecret> {
        let mut held = Self::empty(reply.code(), reply.raw_attributes().len());
        let from = Hop { secret, authenticator: reply.request_authenticator() };
        for attribute in reply.attributes() {
            held.take(attribute, &from)?;
        }
        Ok(held)
    }

    /// No attributes, of a reply with this code: what a primary that is not RADIUS gives.
    pub fn none(code: Code) -> Self {
        Self::empty(code, 0)
    }

    /// The code of the reply these come from.
    pub const fn code(&self) -> Code {
        self.code
    }

    /// What an Access-Accept takes: everything; no Reply-Message beside EAP (RFC 3579 §2.6.5).
    #[must_use]
    pub fn for_accept(self) -> Self {
        self.filtered(|_| true, |_| true)
    }

    /// What an Access-Reject may carry: Reply-Message, EAP-Message, Error-Cause and MS-CHAP-Error, so that no grant leaks into
    /// a refusal (RFC 2865 §5.44, RFC 5080 §2.6.1). An EAP-Message stays only if the upstream rejected too: the others say Success.
    #[must_use]
    pub fn for_reject(self) -> Self {
        let rejected = self.code == Code::AccessReject;
        self.filtered(
            |kind| match kind {
                kind::REPLY_MESSAGE | kind::ERROR_CAUSE => true,
                kind::EAP_MESSAGE => rejected,
                _ => false,
            },
            |inner| inner.vendor == kind::MICROSOFT && inner.kind == kind::MS_CHAP_ERROR,
        )
    }

    /// What an Access-Challenge may carry: Reply-Message, State, Prompt, the timeouts, EAP-Message and MS-CHAP.
    #[must_use]
    pub fn for_challenge(self) -> Self {
        self.filtered(
            |kind| {
                matches!(
                    kind,
                    kind::REPLY_MESSAGE
                        | kind::STATE
                        | kind::PROMPT
                        | kind::SESSION_TIMEOUT
                        | kind::IDLE_TIMEOUT
                        | kind::EAP_MESSAGE
                )
            },
            |inner| {
                inner.vendor == kind::MICROSOFT
                    && matches!(
                        inner.kind,
                        kind::MS_CHAP_CHALLENGE | kind::MS_CHAP_ERROR | kind::MS_CHAP_DOMAIN | kind::MS_CHAP2_SUCCESS
                    )
            },
        )
    }

    /// Octets that the attributes take when they are written.
    pub fn encoded_len(&self) -> usize {
        self.items.iter().map(Item::encoded_len).fold(0, usize::saturating_add)
    }

    /// Octets that the attributes and those that replace some of them take together.
    pub fn encoded_len_with(&self, replaced_by: &ReplyAttributes) -> usize {
        let kept = self.items.iter().map(|item| self.kept_len(item, replaced_by));
        kept.fold(replaced_by.encoded_len(), usize::saturating_add)
    }

    /// The plain attributes in order.
    pub fn plain_attributes(&self) -> impl Iterator<Item = Attribute<'_>> {
        let plain = self.items.iter().filter(|item| item.form == Form::Plain);
        plain.map(|item| Attribute { kind: item.kind, value: self.value(item) })
    }

    /// The value of the first plain attribute of this type.
    pub fn attribute(&self, kind: u8) -> Option<&[u8]> {
        self.plain_attributes().find(|attribute| attribute.kind == kind).map(|attribute| attribute.value)
    }

    /// User-Name: who the upstream says this is.
    pub fn user_name(&self) -> Option<&[u8]> {
        self.attribute(kind::USER_NAME)
    }

    /// State, exactly as the upstream gave it (RFC 2865 §5.24).
    pub fn state(&self) -> Option<&[u8]> {
        self.attribute(kind::STATE)
    }

    /// Service-Type's number, if it is there with four octets.
    pub fn service_type(&self) -> Option<u32> {
        self.attribute(kind::SERVICE_TYPE)?.try_into().ok().map(u32::from_be_bytes)
    }

    /// All Reply-Messages, in order, as one text; bytes, because nothing forces them to be UTF-8.
    pub fn reply_message(&self) -> Option<Vec<u8>> {
        let mut messages = self.plain_attributes().filter(|attribute| attribute.kind == kind::REPLY_MESSAGE).peekable();
        messages.peek()?;
        Some(messages.flat_map(|attribute| attribute.value).copied().collect())
    }

    /// The plain value of a hidden attribute: for tests and for those who log in themselves.
    pub fn revealed(&self, vendor: Option<u32>, kind: u8) -> Option<Secret> {
        let found = self.items.iter().find(|item| item.hidden_as() == Some((vendor, kind)))?;
        Some(Secret::new(self.value(found)))
    }

    /// Writes what `replaced_by` does not replace, in order, and then `replaced_by`. Hidden attributes get fresh salts.
    ///
    /// # Errors
    /// [`Full`] when it does not fit; the writer then holds a part and must not be signed.
    pub fn write(
        &self,
        writer: &mut ReplyWriter<'_>,
        replaced_by: &ReplyAttributes,
        salts: &mut Salts,
    ) -> Result<(), Full> {
        for item in &self.items {
            self.write_item(item, writer, replaced_by, salts)?;
        }
        replaced_by.attributes().try_for_each(|attribute| writer.push(attribute))
    }

    fn write_item(
        &self,
        item: &Item,
        writer: &mut ReplyWriter<'_>,
        replaced_by: &ReplyAttributes,
        salts: &mut Salts,
    ) -> Result<(), Full> {
        let value = self.value(item);
        match item.form {
            Form::Plain => match self.kept(item, |inner| !replaced_by.replaces(Identity::of_vendor(inner))) {
                Kept::Whole if replaced_by.replaces(Identity::of(item.kind, value)) => Ok(()),
                Kept::Whole => writer.push(Attribute { kind: item.kind, value }),
                Kept::Parts(parts) => {
                    parts.into_iter().try_for_each(|inner| writer.push_vendor(inner.vendor, inner.kind, inner.value))
                }
            },
            Form::Salted => writer.hide_salted(item.kind, &[], Secret::new(value), salts),
            Form::Tagged { tag } => writer.hide_salted(item.kind, &[tag], Secret::new(value), salts),
            Form::SaltedVendor { vendor, kind } => writer.push_hidden_vendor(vendor, kind, &Secret::new(value), salts),
            Form::LikePassword { vendor, kind } => writer.hide_unsalted_vendor(vendor, kind, Secret::new(value)),
        }
    }

    fn kept_len(&self, item: &Item, replaced_by: &ReplyAttributes) -> usize {
        if item.form != Form::Plain {
            return item.encoded_len();
        }
        match self.kept(item, |inner| !replaced_by.replaces(Identity::of_vendor(inner))) {
            Kept::Whole if replaced_by.replaces(Identity::of(item.kind, self.value(item))) => 0,
            Kept::Whole => item.encoded_len(),
            Kept::Parts(parts) => parts.iter().map(vendor_encoded_len).fold(0, usize::saturating_add),
        }
    }

    /// What stays of a Vendor-Specific when each vendor attribute in it is judged; other attributes stay whole.
    fn kept(&self, item: &Item, mut keep: impl FnMut(&VendorAttribute<'_>) -> bool) -> Kept<'_> {
        let attribute = Attribute { kind: item.kind, value: self.value(item) };
        let Some(mut inside) = attribute.vendor() else {
            return Kept::Whole;
        };
        if inside.clone().all(|inner| keep(&inner)) {
            return Kept::Whole;
        }
        Kept::Parts(inside.by_ref().filter(keep).collect())
    }

    fn filtered(self, keep: impl Fn(u8) -> bool, keep_vendor: impl Fn(&VendorAttribute<'_>) -> bool) -> Self {
        let with_eap = keep(kind::EAP_MESSAGE) && self.attribute(kind::EAP_MESSAGE).is_some();
        let mut kept = Self::empty(self.code, self.octets.len());
        for item in &self.items {
            let value = self.value(item);
            let stays = match (item.kind, item.hidden_as()) {
                // RFC 3579 §2.6.5: Reply-Message must not accompany EAP-Message.
                (kind::REPLY_MESSAGE, _) if with_eap => false,
                (kind::VENDOR_SPECIFIC, Some((Some(vendor), kind))) => {
                    keep_vendor(&VendorAttribute { vendor, kind, value })
                }
                (kind::VENDOR_SPECIFIC, _) => {
                    kept.push_vendor_parts(self.kept(item, &keep_vendor), value, keep(item.kind));
                    false
                }
                (kind, _) => keep(kind),
            };
            if stays {
                kept.push(item.kind, item.form, &[value]);
            }
        }
        kept
    }

    fn push_vendor_parts(&mut self, kept: Kept<'_>, value: &[u8], opaque_too: bool) {
        let whole = Attribute { kind: kind::VENDOR_SPECIFIC, value };
        match kept {
            Kept::Whole if opaque_too || whole.vendor().is_some() => {
                self.push(whole.kind, Form::Plain, &[value]);
            }
            Kept::Whole => {}
            Kept::Parts(parts) => parts.iter().for_each(|inner| self.push_plain_vendor(inner)),
        }
    }

    fn empty(code: Code, octets: usize) -> Self {
        Self { code, octets: Zeroizing::new(Vec::with_capacity(octets)), items: Vec::new() }
    }

    fn take(&mut self, attribute: Attribute<'_>, from: &Hop<'_>) -> Result<(), WrongSecret> {
        let Attribute { kind, value } = attribute;
        if matches!(kind, kind::MESSAGE_AUTHENTICATOR | kind::PROXY_STATE) {
            return Ok(());
        }
        if let Some(mut inside) = attribute.vendor()
            && inside.clone().any(|inner| encryption(Some(inner.vendor), inner.kind) != Encryption::None)
        {
            return inside.try_for_each(|inner| self.take_vendor(&inner, from));
        }
        let Some(entry) =
            Dictionary::embedded().entry(kind, None).filter(|entry| entry.encryption == Encryption::Salted)
        else {
            self.push(kind, Form::Plain, &[value]);
            return Ok(());
        };
        let wrong = WrongSecret { vendor: None, kind };
        let (form, hidden) = match value.split_first() {
            Some((tag, hidden)) if entry.has_tag => (Form::Tagged { tag: *tag }, hidden),
            Some(_) | None => (Form::Salted, value),
        };
        let plain = from.reveal_salted(hidden).ok_or(wrong)?;
        self.push(kind, form, &[plain.expose()]);
        Ok(())
    }

    /// One of several vendor attributes in a Vendor-Specific that hides some: each gets a Vendor-Specific of its own.
    fn take_vendor(&mut self, inner: &VendorAttribute<'_>, from: &Hop<'_>) -> Result<(), WrongSecret> {
        let VendorAttribute { vendor, kind, value } = *inner;
        let wrong = WrongSecret { vendor: Some(vendor), kind };
        let (form, plain) = match encryption(Some(vendor), kind) {
            Encryption::None => {
                self.push_plain_vendor(inner);
                return Ok(());
            }
            Encryption::Salted => (Form::SaltedVendor { vendor, kind }, from.reveal_salted(value)),
            Encryption::Password => (Form::LikePassword { vendor, kind }, from.reveal_blocks(value)),
        };
        let plain = plain.ok_or(wrong)?;
        self.push(kind::VENDOR_SPECIFIC, form, &[plain.expose()]);
        Ok(())
    }

    fn push_plain_vendor(&mut self, inner: &VendorAttribute<'_>) {
        if let Ok(header) = vendor_header(inner.vendor, inner.kind, inner.value.len()) {
            self.push(kind::VENDOR_SPECIFIC, Form::Plain, &[&header, inner.value]);
        }
    }

    fn push(&mut self, kind: u8, form: Form, parts: &[&[u8]]) {
        // A packet has at most 4096 octets, and revealing makes values shorter: both numbers fit.
        let start = u16::try_from(self.octets.len()).unwrap_or(u16::MAX);
        parts.iter().for_each(|part| self.octets.extend_from_slice(part));
        let end = u16::try_from(self.octets.len()).unwrap_or(u16::MAX);
        self.items.push(Item { kind, form, start, end });
    }

    fn value(&self, item: &Item) -> &[u8] {
        self.octets.get(item.start.into()..item.end.into()).unwrap_or_default()
    }
}

impl fmt::Debug for HeldAttributes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let numbers = self.items.iter().map(|item| item.kind);
        write!(f, "HeldAttributes({}, ", self.code)?;
        f.debug_list().entries(numbers).finish()?;
        f.write_str(")")
    }
}

/// One attribute: where its value lies, and how it must be written.
#[derive(Clone, Copy)]
struct Item {
    kind: u8,
    form: Form,
    start: u16,
    end: u16,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
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

enum Kept<'a> {
    Whole,
    Parts(Vec<VendorAttribute<'a>>),
}

impl Item {
    fn encoded_len(&self) -> usize {
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

    const fn hidden_as(&self) -> Option<(Option<u32>, u8)> {
        match self.form {
            Form::Plain => None,
            Form::Salted | Form::Tagged { .. } => Some((None, self.kind)),
            Form::SaltedVendor { vendor, kind } | Form::LikePassword { vendor, kind } => Some((Some(vendor), kind)),
        }
    }
}

/// What a value of the upstream is hidden under.
struct Hop<'a> {
    secret: &'a SharedSecret,
    authenticator: &'a [u8; 16],
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

fn encryption(vendor: Option<u32>, kind: u8) -> Encryption {
    Dictionary::embedded().entry(kind, vendor).map_or(Encryption::None, |entry| entry.encryption)
}

fn vendor_encoded_len(inner: &VendorAttribute<'_>) -> usize {
    inner.value.len().saturating_add(VENDOR_HEADER_OCTETS).saturating_add(ATTRIBUTE_HEADER_OCTETS)
}
