//! The reply attributes that a rule sets itself, and what they take the place of.
//!
//! A rule's attribute replaces all of the upstream's attributes of the same type: for tagged ones of the same type and tag
//! (RFC 2868 §3), for vendors' ones of the same vendor and vendor type. What belongs to the packet, the conversation or the
//! keys can't be set by a rule: that is an error where the rule is read.

use std::fmt;

use crate::dictionary::{Dictionary, Encryption};
use crate::kind;
use crate::vendor::VendorAttribute;
use crate::view::{Attribute, Attributes};

/// The highest tag; a first octet above it is data (RFC 2868 §3.1).
pub(crate) const TAG_MAX: u8 = 0x1f;

/// A rule's own reply attributes, checked.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct ReplyAttributes {
    raw: Vec<u8>,
    replaced: Vec<Identity>,
}

impl ReplyAttributes {
    /// Takes whole attributes as `Dictionary::encode` makes them.
    ///
    /// # Errors
    /// [`Forbidden`] names the first attribute that no rule may set.
    pub fn new<I>(attributes: I) -> Result<Self, Forbidden>
    where
        I: IntoIterator,
        I::Item: AsRef<[u8]>,
    {
        let mut checked = Self::default();
        for raw in attributes {
            checked.add(raw.as_ref())?;
        }
        Ok(checked)
    }

    /// The attributes in order.
    pub fn attributes(&self) -> Attributes<'_> {
        Attributes::over(&self.raw)
    }

    /// Octets they take in a reply.
    pub fn encoded_len(&self) -> usize {
        self.raw.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.raw.is_empty()
    }

    /// All Service-Types that the rule sets.
    pub fn service_types(&self) -> impl Iterator<Item = u32> {
        let set = self.attributes().filter(|attribute| attribute.kind == kind::SERVICE_TYPE);
        set.filter_map(|attribute| attribute.value.try_into().ok().map(u32::from_be_bytes))
    }

    pub(crate) fn replaces(&self, identity: Identity) -> bool {
        self.replaced.contains(&identity)
    }

    fn add(&mut self, raw: &[u8]) -> Result<(), Forbidden> {
        let mut rest = raw;
        while !rest.is_empty() {
            let (attribute, after) = Attribute::split(rest).map_err(|_| Forbidden::NotAnAttribute)?;
            self.identify(attribute)?;
            rest = after;
        }
        self.raw.extend_from_slice(raw);
        Ok(())
    }

    fn identify(&mut self, attribute: Attribute<'_>) -> Result<(), Forbidden> {
        if attribute.kind == kind::VENDOR_SPECIFIC {
            for inner in attribute.vendor().ok_or(Forbidden::NotAnAttribute)? {
                refuse_keys(Some(inner.vendor), inner.kind)?;
                self.replaced.push(Identity::of_vendor(&inner));
            }
            return Ok(());
        }
        refuse_owned(attribute.kind)?;
        refuse_keys(None, attribute.kind)?;
        self.replaced.push(Identity::of(attribute.kind, attribute.value));
        Ok(())
    }
}

impl fmt::Debug for ReplyAttributes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.attributes()).finish()
    }
}

/// Why an attribute can't be a rule's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Forbidden {
    /// It belongs to the packet or the conversation: State, Proxy-State, Message-Authenticator, EAP-Message.
    Owned(u8),
    /// It is a credential or a key, hidden anew for each request.
    Key {
        /// The vendor, if it is a vendor's attribute.
        vendor: Option<u32>,
        /// The type, or the vendor's type.
        kind: u8,
    },
    /// The octets are no attribute.
    NotAnAttribute,
}

impl fmt::Display for Forbidden {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = |kind, vendor| Dictionary::embedded().name(kind, vendor).unwrap_or("this attribute");
        match *self {
            Self::Owned(kind) => {
                write!(f, "{} belongs to the conversation and can't be set by a rule", name(kind, None))
            }
            Self::Key { vendor, kind } => {
                write!(f, "{} holds a key or credential and can't be set by a rule", name(kind, vendor))
            }
            Self::NotAnAttribute => f.write_str("these octets are no attribute"),
        }
    }
}

impl std::error::Error for Forbidden {}

/// What makes two attributes the same to a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Identity {
    /// Type, and tag where the type has one.
    Plain(u8, u8),
    /// Type and Extended-Type (RFC 6929 §2).
    Extended(u8, u8),
    /// Vendor, vendor type, and tag where the type has one.
    Vendor(u32, u8, u8),
}

impl Identity {
    /// Of an attribute that is not walked as a Vendor-Specific.
    pub(crate) fn of(kind: u8, value: &[u8]) -> Self {
        match kind {
            241..=246 => Self::Extended(kind, value.first().copied().unwrap_or_default()),
            _ => Self::Plain(kind, tag(None, kind, value)),
        }
    }

    pub(crate) fn of_vendor(inner: &VendorAttribute<'_>) -> Self {
        Self::Vendor(inner.vendor, inner.kind, tag(Some(inner.vendor), inner.kind, inner.value))
    }
}

/// The tag of a tagged attribute, or 0 for "none" (RFC 2868 §3.1).
fn tag(vendor: Option<u32>, kind: u8, value: &[u8]) -> u8 {
    let tagged = Dictionary::embedded().entry(kind, vendor).is_some_and(|entry| entry.has_tag);
    value.first().copied().filter(|first| tagged && *first <= TAG_MAX).unwrap_or_default()
}

const fn refuse_owned(kind: u8) -> Result<(), Forbidden> {
    match kind {
        kind::STATE | kind::PROXY_STATE | kind::MESSAGE_AUTHENTICATOR | kind::EAP_MESSAGE => {
            Err(Forbidden::Owned(kind))
        }
        _ => Ok(()),
    }
}

fn refuse_keys(vendor: Option<u32>, kind: u8) -> Result<(), Forbidden> {
    match Dictionary::embedded().entry(kind, vendor) {
        Some(entry) if entry.secret || entry.encryption != Encryption::None => Err(Forbidden::Key { vendor, kind }),
        Some(_) | None => Ok(()),
    }
}
