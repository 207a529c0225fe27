//! The attributes of an upstream's answer, kept while a login is held.
//!
//! Plain attributes are kept byte for byte and in order (RFC 2865 §2.3, §5). Hidden ones are revealed on arrival, with the
//! upstream's secret and the authenticator of our request, and hidden again only when the answer is written, under the request
//! that is answered then (RFC 2548 §2.4.2, RFC 2868 §3.5): the appliance may have asked anew in between. Everything lies in
//! memory that is wiped, and `Debug` shows numbers only.

mod builder;
mod item;

use std::fmt;

use zeroize::Zeroizing;

use self::builder::{Builder, Hop};
use self::item::{Form, Item, Kept, vendor_encoded_len};
use crate::code::Code;
use crate::datagram::Full;
use crate::dictionary::Dictionary;
use crate::kind;
use crate::replacement::{Identity, ReplyAttributes};
use crate::reply::ReplyWriter;
use crate::salt::Salts;
use crate::secret::{Secret, SharedSecret};
use crate::vendor::VendorAttribute;
use crate::verify::VerifiedReply;
use crate::view::Attribute;

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
    octets: Zeroizing<Box<[u8]>>,
    items: Box<[Item]>,
}

impl HeldAttributes {
    /// Takes the attributes of a reply, and reveals the hidden ones with the secret shared with that upstream.
    ///
    /// # Errors
    /// [`WrongSecret`] when a hidden attribute does not decode.
    pub fn decode(reply: &VerifiedReply<'_>, secret: &SharedSecret) -> Result<Self, WrongSecret> {
        let mut builder = Builder::new(reply.code(), reply.raw_attributes().len());
        let from = Hop { secret, authenticator: reply.request_authenticator() };
        reply.attributes().try_for_each(|attribute| builder.take(attribute, &from))?;
        Ok(builder.finish())
    }

    /// No attributes, of a reply with this code: what a primary that is not RADIUS gives.
    pub fn none(code: Code) -> Self {
        Builder::new(code, 0).finish()
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
    /// a refusal (RFC 2865 §5.44, RFC 5080 §2.6.1). An EAP-Message stays only if the upstream rejected too: the others say
    /// Success or ask on.
    #[must_use]
    pub fn for_reject(self) -> Self {
        let rejected = self.code == Code::AccessReject;
        let keep = |kind| match kind {
            kind::REPLY_MESSAGE | kind::ERROR_CAUSE => true,
            kind::EAP_MESSAGE => rejected,
            _ => false,
        };
        self.filtered(keep, |inner| inner.vendor == kind::MICROSOFT && inner.kind == kind::MS_CHAP_ERROR)
    }

    /// What an Access-Challenge may carry: Reply-Message, State, Prompt, the timeouts, EAP-Message and MS-CHAP.
    #[must_use]
    pub fn for_challenge(self) -> Self {
        self.filtered(may_challenge, |inner| inner.vendor == kind::MICROSOFT && is_mschap_answer(inner.kind))
    }

    /// Octets that the attributes take when they are written.
    pub fn encoded_len(&self) -> usize {
        self.items.iter().map(Item::encoded_len).fold(0, usize::saturating_add)
    }

    /// About how many octets of memory these take: for a bound, not for a packet.
    pub fn bytes(&self) -> usize {
        let items = self.items.len().saturating_mul(size_of::<Item>());
        size_of::<Self>().saturating_add(self.octets.len()).saturating_add(items)
    }

    /// Octets that the attributes and those that replace some of them take together.
    pub fn encoded_len_with(&self, replaced_by: &ReplyAttributes) -> usize {
        let kept = self.items.iter().map(|item| self.kept_len(item, replaced_by));
        kept.fold(replaced_by.encoded_len(), usize::saturating_add)
    }

    /// How many attributes there are together with those that replace some of them.
    pub fn attribute_count_with(&self, replaced_by: &ReplyAttributes) -> usize {
        let kept = self.items.iter().map(|item| match self.unreplaced(item, replaced_by) {
            Some(Kept::Whole) => 1,
            Some(Kept::Parts(parts)) => parts.len(),
            None => 0,
        });
        kept.fold(replaced_by.attributes().count(), usize::saturating_add)
    }

    /// The plain attributes in order.
    pub fn plain_attributes(&self) -> impl Iterator<Item = Attribute<'_>> {
        let plain = self.items.iter().filter(|item| item.form == Form::Plain);
        plain.map(|item| self.attribute_of(item))
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

    /// Service-Type's number, if it is there with four octets; the first, should there be several.
    pub fn service_type(&self) -> Option<u32> {
        self.service_types().next()
    }

    /// All Service-Types: one by rule (RFC 2865 §5.44), but whoever guards a privilege must see what comes after the first.
    pub fn service_types(&self) -> impl Iterator<Item = u32> {
        let said = self.plain_attributes().filter(|attribute| attribute.kind == kind::SERVICE_TYPE);
        said.filter_map(|attribute| attribute.value.try_into().ok().map(u32::from_be_bytes))
    }

    /// All Reply-Messages, in order, as one text; bytes, because nothing forces them to be UTF-8.
    pub fn reply_message(&self) -> Option<Vec<u8>> {
        let mut messages = self.plain_attributes().filter(|attribute| attribute.kind == kind::REPLY_MESSAGE).peekable();
        messages.peek()?;
        Some(messages.flat_map(|attribute| attribute.value).copied().collect())
    }

    /// The revealed value of the first hidden attribute of this type: for tests, and for a client that logs in itself.
    pub fn revealed(&self, vendor: Option<u32>, kind: u8) -> Option<Secret> {
        let found = self.items.iter().find(|item| item.hidden_as() == Some((vendor, kind)))?;
        Some(Secret::new(self.value(found)))
    }

    /// Writes what `replaced_by` does not replace, in order, and then `replaced_by`. Hidden attributes get fresh salts.
    ///
    /// # Errors
    /// [`Full`] when it does not fit; nothing was written then.
    pub fn write(
        &self,
        writer: &mut ReplyWriter<'_>,
        replaced_by: &ReplyAttributes,
        salts: &mut Salts,
    ) -> Result<(), Full> {
        if self.encoded_len_with(replaced_by) > writer.room()
            || self.attribute_count_with(replaced_by) > writer.places()
        {
            return Err(Full);
        }
        self.items.iter().try_for_each(|item| self.write_item(item, writer, replaced_by, salts))?;
        replaced_by.attributes().try_for_each(|attribute| writer.push(attribute))
    }

    fn write_item(
        &self,
        item: &Item,
        writer: &mut ReplyWriter<'_>,
        replaced_by: &ReplyAttributes,
        salts: &mut Salts,
    ) -> Result<(), Full> {
        let plain = || Secret::new(self.value(item));
        match item.form {
            Form::Plain => self.write_plain(item, writer, replaced_by),
            Form::Salted => writer.hide_salted(item.kind, &[], plain(), salts),
            Form::Tagged { tag } => writer.hide_salted(item.kind, &[tag], plain(), salts),
            Form::SaltedVendor { vendor, kind } => writer.push_hidden_vendor(vendor, kind, &plain(), salts),
            Form::LikePassword { vendor, kind } => writer.hide_unsalted_vendor(vendor, kind, plain()),
        }
    }

    fn write_plain(
        &self,
        item: &Item,
        writer: &mut ReplyWriter<'_>,
        replaced_by: &ReplyAttributes,
    ) -> Result<(), Full> {
        match self.unreplaced(item, replaced_by) {
            Some(Kept::Whole) => writer.push(self.attribute_of(item)),
            Some(Kept::Parts(parts)) => {
                parts.iter().try_for_each(|inner| writer.push_vendor(inner.vendor, inner.kind, inner.value))
            }
            None => Ok(()),
        }
    }

    fn kept_len(&self, item: &Item, replaced_by: &ReplyAttributes) -> usize {
        match self.unreplaced(item, replaced_by) {
            Some(Kept::Whole) => item.encoded_len(),
            Some(Kept::Parts(parts)) => parts.iter().map(vendor_encoded_len).fold(0, usize::saturating_add),
            None => 0,
        }
    }

    /// What a rule's attributes leave of this one. A rule sets no hidden attribute, so those stay.
    fn unreplaced(&self, item: &Item, replaced_by: &ReplyAttributes) -> Option<Kept<'_>> {
        if item.form != Form::Plain || replaced_by.is_empty() {
            return Some(Kept::Whole);
        }
        if replaced_by.replaces(Identity::of(item.kind, self.value(item))) {
            return None;
        }
        Some(self.kept(item, |inner| !replaced_by.replaces(Identity::of_vendor(inner))))
    }

    /// What stays of a Vendor-Specific when each vendor attribute in it is judged; other attributes stay whole.
    fn kept(&self, item: &Item, mut keep: impl FnMut(&VendorAttribute<'_>) -> bool) -> Kept<'_> {
        let Some(inside) = self.attribute_of(item).vendor() else {
            return Kept::Whole;
        };
        if inside.clone().all(|inner| keep(&inner)) {
            return Kept::Whole;
        }
        Kept::Parts(inside.filter(keep).collect())
    }

    fn filtered(self, keep: impl Fn(u8) -> bool, keep_vendor: impl Fn(&VendorAttribute<'_>) -> bool) -> Self {
        // RFC 3579 §2.6.5: Reply-Message must not accompany EAP-Message.
        let with_eap = keep(kind::EAP_MESSAGE) && self.attribute(kind::EAP_MESSAGE).is_some();
        let mut kept = Builder::new(self.code, self.octets.len());
        for item in &self.items {
            let value = self.value(item);
            let stays = match (item.hidden_as(), item.kind) {
                (Some((Some(vendor), kind)), _) => keep_vendor(&VendorAttribute { vendor, kind, value }),
                (None, kind::VENDOR_SPECIFIC) => {
                    kept.take_kept(self.kept(item, &keep_vendor), self.attribute_of(item), keep(item.kind));
                    false
                }
                (_, kind::REPLY_MESSAGE) => keep(kind::REPLY_MESSAGE) && !with_eap,
                (_, kind) => keep(kind),
            };
            if stays {
                kept.push(item.kind, item.form, &[value]);
            }
        }
        kept.finish()
    }

    fn attribute_of(&self, item: &Item) -> Attribute<'_> {
        Attribute { kind: item.kind, value: self.value(item) }
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

/// The attributes that are not a vendor's of an Access-Challenge that passes through (RFC 2865 §5.44).
const fn may_challenge(kind: u8) -> bool {
    matches!(
        kind,
        kind::REPLY_MESSAGE
            | kind::STATE
            | kind::PROMPT
            | kind::SESSION_TIMEOUT
            | kind::IDLE_TIMEOUT
            | kind::EAP_MESSAGE
    )
}

/// What a server says in MS-CHAP, without the keys (RFC 2548 §2.1, §2.3).
const fn is_mschap_answer(kind: u8) -> bool {
    matches!(kind, kind::MS_CHAP_CHALLENGE | kind::MS_CHAP_ERROR | kind::MS_CHAP_DOMAIN | kind::MS_CHAP2_SUCCESS)
}
