//! A datagram, checked once: [`PacketView`] borrows the octets, and its accessors cannot fail.
//!
//! One pass checks every length, counts, refuses what a packet may hold only once, and notes where the attributes are that
//! everybody asks for (`notes`). It allocates nothing. It does not look inside attributes: what is wrong there makes that attribute
//! opaque, not the packet bad. It proves nothing about who sent the packet; that is `verify`'s work.

use std::fmt;

use crate::authenticator::{Authenticator, Signed};
use crate::code::Code;
use crate::eap::EapNote;
use crate::field::{ATTRIBUTE_HEADER_OCTETS, AUTHENTICATOR_OCTETS, HEADER_OCTETS, PACKET_OCTETS_MAX};
use crate::kind;
use crate::malformed::Malformed;
use crate::notes::{Noted, Notes};

/// One attribute: its type and its value, without the length octet.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Attribute<'a> {
    /// The type octet; `kind` because Rust keeps `type` for itself. Constants are in [`crate::kind`].
    pub kind: u8,
    /// At most 253 octets.
    pub value: &'a [u8],
}

impl<'a> Attribute<'a> {
    /// A pair of type and value. A value over 253 octets is refused where it is written.
    pub const fn new(kind: u8, value: &'a [u8]) -> Self {
        Self { kind, value }
    }

    /// How many octets it takes in a packet.
    pub const fn encoded_len(&self) -> usize {
        self.value.len().saturating_add(ATTRIBUTE_HEADER_OCTETS)
    }

    /// Takes the first attribute off: what A3 and A4 refuse is an error.
    pub(crate) fn split(bytes: &'a [u8]) -> Result<(Self, &'a [u8]), Malformed> {
        let [kind, length, ..] = *bytes else {
            return Err(Malformed::AttributeHeader);
        };
        if kind == 0 {
            return Err(Malformed::AttributeZero);
        }
        if usize::from(length) < ATTRIBUTE_HEADER_OCTETS {
            return Err(Malformed::AttributeLength(kind));
        }
        let (whole, rest) = bytes.split_at_checked(length.into()).ok_or(Malformed::AttributeOverrun(kind))?;
        let value = whole.get(ATTRIBUTE_HEADER_OCTETS..).unwrap_or_default();
        Ok((Self { kind, value }, rest))
    }
}

impl fmt::Debug for Attribute<'_> {
    /// The value may be a password, so only its length is shown. `Dictionary::describe` shows what may be seen.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Attribute({}, {} octets)", self.kind, self.value.len())
    }
}

/// The attributes of a checked packet, in their order.
#[derive(Clone, Debug, Default)]
pub struct Attributes<'a>(&'a [u8]);

impl<'a> Attributes<'a> {
    /// Over octets that were checked before; should they not have been, the iterator ends at the first bad attribute.
    pub(crate) const fn over(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }
}

impl<'a> Iterator for Attributes<'a> {
    type Item = Attribute<'a>;

    fn next(&mut self) -> Option<Self::Item> {
        let (attribute, rest) = Attribute::split(self.0).ok()?;
        self.0 = rest;
        Some(attribute)
    }
}

/// A RADIUS packet whose structure is right. Nothing is known of its sender yet.
#[derive(Clone, Copy)]
pub struct PacketView<'a> {
    /// Everything up to Length; padding is gone.
    bytes: &'a [u8],
    code: Code,
    /// Code, Identifier, Length.
    header: [u8; 4],
    authenticator: &'a Authenticator,
    attributes: &'a [u8],
    notes: Notes,
}

impl<'a> PacketView<'a> {
    /// Checks a datagram in one pass.
    ///
    /// # Errors
    /// [`Malformed`] says which rule of RFC 2865 §3 and §5, RFC 3579 §3 or of our own limits the packet breaks. Such a packet
    /// is dropped silently.
    pub fn parse(datagram: &'a [u8]) -> Result<Self, Malformed> {
        let bytes = trim(datagram)?;
        let Some((head, attributes)) = bytes.split_first_chunk::<HEADER_OCTETS>() else {
            return Err(Malformed::TooShort(bytes.len()));
        };
        let [octet, identifier, high, low, authenticator @ ..] = head;
        let header = [*octet, *identifier, *high, *low];
        let code = Code::from_octet(*octet).ok_or(Malformed::UnknownCode(*octet))?;
        let notes = Notes::take(bytes)?;
        Ok(Self { bytes, code, header, authenticator, attributes, notes })
    }

    /// The kind of packet.
    pub const fn code(&self) -> Code {
        self.code
    }

    /// The Identifier octet, which pairs a reply with its request (RFC 2865 §3).
    pub const fn identifier(&self) -> u8 {
        let [_, identifier, ..] = self.header;
        identifier
    }

    /// The Authenticator field as received.
    pub const fn authenticator(&self) -> &'a [u8; AUTHENTICATOR_OCTETS] {
        self.authenticator
    }

    /// The packet's octets up to its Length, without padding.
    pub const fn as_bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// The attributes in order.
    pub const fn attributes(&self) -> Attributes<'a> {
        Attributes::over(self.attributes)
    }

    /// How many attributes there are.
    pub const fn attribute_count(&self) -> usize {
        self.notes.all()
    }

    /// The value of the first attribute of this type.
    pub fn attribute(&self, kind: u8) -> Option<&'a [u8]> {
        self.attributes().find(|attribute| attribute.kind == kind).map(|attribute| attribute.value)
    }

    /// State (24): at most one (RFC 2865 §5.24).
    pub fn state(&self) -> Option<&'a [u8]> {
        self.once(Noted::State)
    }

    /// User-Name (1): octets, that need not be UTF-8. At most one (RFC 2865 §5.44): with two, we and an upstream could mean
    /// different users.
    pub fn user_name(&self) -> Option<&'a [u8]> {
        self.once(Noted::UserName)
    }

    /// User-Password (2), still hidden.
    pub fn user_password(&self) -> Option<&'a [u8]> {
        self.once(Noted::UserPassword)
    }

    /// CHAP-Password (3).
    pub fn chap_password(&self) -> Option<&'a [u8]> {
        self.once(Noted::ChapPassword)
    }

    /// The values of the Proxy-States (33) in order.
    pub fn proxy_states(&self) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        let count = self.proxy_state_count();
        // Most packets have none: then nothing is walked.
        let attributes = if count == 0 { Attributes::default() } else { self.attributes() };
        attributes.filter(|attribute| attribute.kind == kind::PROXY_STATE).take(count).map(|attribute| attribute.value)
    }

    /// How many Proxy-States there are.
    pub fn proxy_state_count(&self) -> usize {
        self.notes.count(Noted::ProxyState)
    }

    /// Message-Authenticator (80) as received, wherever it stands; not verified by this call.
    pub fn message_authenticator(&self) -> Option<&'a [u8; AUTHENTICATOR_OCTETS]> {
        self.once(Noted::MessageAuthenticator)?.try_into().ok()
    }

    /// Octets of all EAP-Messages together, or nothing if there is none. Zero is an EAP-Start (RFC 3579 §2.1).
    pub fn eap_len(&self) -> Option<usize> {
        self.eap_note().len()
    }

    /// Few packets have EAP-Messages; these are walked again, the others are not.
    pub(crate) fn eap_note(&self) -> EapNote {
        if self.notes.count(Noted::EapMessage) == 0 { EapNote::default() } else { EapNote::of(self.attributes()) }
    }

    pub(crate) const fn raw_attributes(&self) -> &'a [u8] {
        self.attributes
    }

    pub(crate) fn noted_message_authenticator(&self) -> Option<NotedAuthenticator<'a>> {
        let (at, value) = self.notes.find(Noted::MessageAuthenticator, self.bytes)?;
        let value = value.try_into().ok()?;
        let (before, rest) = self.attributes.split_at_checked(at.saturating_sub(HEADER_OCTETS))?;
        Some(NotedAuthenticator { before, value, after: rest.get(AUTHENTICATOR_OCTETS..)? })
    }

    fn once(&self, noted: Noted) -> Option<&'a [u8]> {
        self.notes.find(noted, self.bytes).map(|(_, value)| value)
    }

    pub(crate) const fn signed(&self, authenticator: &'a Authenticator) -> Signed<'a> {
        Signed { header: self.header, authenticator }
    }
}

impl fmt::Debug for PacketView<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PacketView({} {}, {} attributes)", self.code, self.identifier(), self.notes.all())
    }
}

/// A Message-Authenticator with the attributes' octets on both sides of its value.
#[derive(Clone, Copy)]
pub(crate) struct NotedAuthenticator<'a> {
    pub(crate) before: &'a [u8],
    pub(crate) value: &'a Authenticator,
    pub(crate) after: &'a [u8],
}

/// RFC 2865 §3: octets after Length are padding, to be ignored; a datagram shorter than Length is to be discarded.
fn trim(datagram: &[u8]) -> Result<&[u8], Malformed> {
    let Some((head, _)) = datagram.split_first_chunk::<HEADER_OCTETS>() else {
        return Err(Malformed::TooShort(datagram.len()));
    };
    let [_, _, high, low, ..] = *head;
    let length = u16::from_be_bytes([high, low]);
    if !(HEADER_OCTETS..=PACKET_OCTETS_MAX).contains(&usize::from(length)) {
        return Err(Malformed::Length(length));
    }
    datagram.get(..usize::from(length)).ok_or(Malformed::Truncated(length))
}
