//! Answers to appliances: what is remembered of a request, and the one way to a signed reply.
//!
//! A reply is written late, under the request it answers: its Identifier, its Request Authenticator, its Proxy-States in their
//! order (RFC 2865 §5.33). It can't be had without a Response Authenticator, nor without Message-Authenticator but as
//! [`Placed::Nowhere`] says, and a sender takes nothing but a [`SignedReply`].

use std::fmt;

use crate::authenticator::{Authenticator, Signed, response_authenticator};
use crate::code::ReplyCode;
use crate::datagram::{Datagram, Draft, Full};
use crate::field::{
    ATTRIBUTE_HEADER_OCTETS, HEADER_OCTETS, MESSAGE_AUTHENTICATOR_OCTETS, PACKET_OCTETS_MAX, VALUE_OCTETS_MAX,
};
use crate::kind;
use crate::password::hide_in_place;
use crate::salt::{Salts, fill_salted, hidden_len};
use crate::secret::{Secret, SharedSecret};
use crate::view::{Attribute, Attributes, PacketView};

/// Where Message-Authenticator stands in a reply.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Placed {
    /// Before all else, so that nothing which an attacker chose stands before it (CVE-2024-3596).
    #[default]
    First,
    /// Behind all else, for clients that can't bear it first.
    Last,
    /// Nowhere, for clients that drop what is signed. Such a reply holds Class, State, Prompt and Reply-Message alone: nothing
    /// that its request brought, where a forger would hide octets of his own (CVE-2024-3596). A request that was signed, or that
    /// brought Proxy-State or EAP, gets [`Placed::First`] all the same.
    Nowhere,
}

/// What may stand in a reply without Message-Authenticator.
const BARE_KINDS: [u8; 4] = [kind::REPLY_MESSAGE, kind::STATE, kind::CLASS, kind::PROMPT];

/// What an answer needs of its request. A held login keeps one for as long as a person needs to find a phone, so it is small.
#[derive(Clone, PartialEq, Eq)]
pub struct ReplyContext {
    /// Whole Proxy-State attributes, one after the other.
    proxy_states: Box<[u8]>,
    authenticator: Authenticator,
    identifier: u8,
    eap_identifier: Option<u8>,
    /// It had neither Message-Authenticator nor EAP.
    bare: bool,
}

impl ReplyContext {
    pub(crate) fn of(view: &PacketView<'_>) -> Self {
        let mut proxy_states = Vec::new();
        for value in view.proxy_states() {
            let length = value.len().saturating_add(ATTRIBUTE_HEADER_OCTETS);
            proxy_states.extend([kind::PROXY_STATE, u8::try_from(length).unwrap_or(u8::MAX)]);
            proxy_states.extend_from_slice(value);
        }
        Self {
            proxy_states: proxy_states.into_boxed_slice(),
            authenticator: *view.authenticator(),
            identifier: view.identifier(),
            eap_identifier: view.eap_note().identifier(),
            bare: view.message_authenticator().is_none() && view.eap_len().is_none(),
        }
    }

    /// The request's Identifier.
    pub const fn identifier(&self) -> u8 {
        self.identifier
    }

    /// The Request Authenticator.
    pub const fn authenticator(&self) -> &[u8; 16] {
        &self.authenticator
    }

    /// The Identifier of the request's EAP message: an EAP-Failure repeats it (RFC 3748 §4.2).
    pub const fn eap_identifier(&self) -> Option<u8> {
        self.eap_identifier
    }

    /// The values of the request's Proxy-States in order.
    pub fn proxy_states(&self) -> impl Iterator<Item = &[u8]> {
        Attributes::over(&self.proxy_states).map(|attribute| attribute.value)
    }

    /// Octets of a reply before any attribute is pushed: header, Message-Authenticator, Proxy-States.
    pub const fn overhead(&self) -> usize {
        HEADER_OCTETS.saturating_add(MESSAGE_AUTHENTICATOR_OCTETS).saturating_add(self.proxy_states.len())
    }

    /// Attributes of a reply before any is pushed: Message-Authenticator and Proxy-States.
    pub fn own_attributes(&self) -> usize {
        self.proxy_states().count().saturating_add(1)
    }

    /// Octets that the attributes of a reply may take.
    pub const fn room(&self) -> usize {
        PACKET_OCTETS_MAX.saturating_sub(self.overhead())
    }

    /// Begins the reply.
    pub fn reply<'b>(&'b self, code: ReplyCode, buffer: &'b mut Datagram) -> ReplyWriter<'b> {
        // Until the reply is sealed its header holds the request's authenticator (RFC 2865 §3, RFC 3579 §3.2).
        let mut draft = Draft::begin(buffer, code.into(), self.identifier, &self.authenticator);
        draft.reserve(self.proxy_states.len(), self.proxy_states().count());
        ReplyWriter { draft, context: self, hidden: Vec::new() }
    }
}

impl fmt::Debug for ReplyContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ReplyContext(identifier {}, {} Proxy-States)", self.identifier, self.proxy_states().count())
    }
}

/// A reply while it is written. Message-Authenticator stands first already.
#[derive(Debug)]
pub struct ReplyWriter<'b> {
    draft: Draft<'b>,
    context: &'b ReplyContext,
    hidden: Vec<Hidden>,
}

impl<'b> ReplyWriter<'b> {
    /// Adds an attribute. Message-Authenticator and Proxy-State are the writer's own: one that is pushed is left out.
    ///
    /// # Errors
    /// [`Full`] when it does not fit; nothing was written then.
    pub fn push(&mut self, attribute: Attribute<'_>) -> Result<(), Full> {
        if matches!(attribute.kind, kind::MESSAGE_AUTHENTICATOR | kind::PROXY_STATE) {
            return Ok(());
        }
        self.draft.attribute(attribute.kind, &[attribute.value])
    }

    /// Adds a vendor's attribute in a Vendor-Specific of its own (RFC 2865 §5.26).
    ///
    /// # Errors
    /// [`Full`] when it does not fit.
    pub fn push_vendor(&mut self, vendor: u32, kind: u8, value: &[u8]) -> Result<(), Full> {
        let header = vendor_header(vendor, kind, value.len())?;
        self.draft.attribute(kind::VENDOR_SPECIFIC, &[&header, value])
    }

    /// Adds an EAP message in as many attributes as it needs (RFC 3579 §3.1).
    ///
    /// # Errors
    /// [`Full`] when it does not fit; nothing was written then.
    pub fn push_eap(&mut self, message: &[u8]) -> Result<(), Full> {
        push_eap(&mut self.draft, message)
    }

    /// Adds a Tunnel-Password, or another tagged attribute that is hidden with a salt (RFC 2868 §3.5).
    ///
    /// # Errors
    /// [`Full`] when it does not fit.
    pub fn push_hidden(&mut self, kind: u8, tag: u8, plain: &Secret, salts: &mut Salts) -> Result<(), Full> {
        self.hide_salted(kind, &[tag], plain.clone(), salts)
    }

    /// Adds a vendor attribute that is hidden with a salt, such as MS-MPPE-Send-Key (RFC 2548 §2.4.2).
    ///
    /// # Errors
    /// [`Full`] when it does not fit.
    pub fn push_hidden_vendor(&mut self, vendor: u32, kind: u8, plain: &Secret, salts: &mut Salts) -> Result<(), Full> {
        let header = vendor_header(vendor, kind, hidden_len(plain.len()))?;
        self.hide_salted(kind::VENDOR_SPECIFIC, &header, plain.clone(), salts)
    }

    /// Octets that more attributes may take.
    pub const fn room(&self) -> usize {
        self.draft.room()
    }

    /// How many more attributes there may be.
    pub const fn places(&self) -> usize {
        self.draft.places()
    }

    /// Adds the request's Proxy-States, hides what is to be hidden, and signs: Message-Authenticator (RFC 3579 §3.2), then
    /// Response Authenticator (RFC 2865 §3).
    ///
    /// # Errors
    /// [`Full`] when the request's Proxy-States alone leave no room for a reply; then there can be none.
    pub fn sign(self, secret: &SharedSecret) -> Result<SignedReply<'b>, Full> {
        self.sign_with(secret, Placed::First)
    }

    /// The same, with Message-Authenticator where the client can bear it.
    ///
    /// # Errors
    /// As [`sign`](Self::sign).
    pub fn sign_with(mut self, secret: &SharedSecret, placed: Placed) -> Result<SignedReply<'b>, Full> {
        let request = &self.context.authenticator;
        if placed == Placed::Nowhere && self.context.bare && self.context.proxy_states.is_empty() {
            self.draft.keep_only(&BARE_KINDS);
            return Ok(self.seal_bare(secret));
        }
        self.draft.raw(&self.context.proxy_states)?;
        for hidden in &self.hidden {
            hidden.fill(&mut self.draft, secret, request);
        }
        match placed {
            Placed::First | Placed::Nowhere => self.draft.seal(secret, request),
            Placed::Last => self.draft.seal_last(secret, request),
        }
        let (header, attributes) = self.draft.parts();
        let authenticator = response_authenticator(secret, Signed { header, authenticator: request }, attributes);
        self.draft.set_authenticator(&authenticator);
        Ok(SignedReply { bytes: self.draft.finish() })
    }

    /// The same without Message-Authenticator, for an answer that no protocol says it in (RFC 2866).
    pub(crate) fn sign_bare(mut self, secret: &SharedSecret) -> Result<SignedReply<'b>, Full> {
        self.draft.raw(&self.context.proxy_states)?;
        Ok(self.seal_bare(secret))
    }

    /// Response Authenticator alone (RFC 2865 §3).
    fn seal_bare(mut self, secret: &SharedSecret) -> SignedReply<'b> {
        let request = &self.context.authenticator;
        self.draft.strip();
        let (header, attributes) = self.draft.parts();
        let authenticator = response_authenticator(secret, Signed { header, authenticator: request }, attributes);
        self.draft.set_authenticator(&authenticator);
        SignedReply { bytes: self.draft.finish() }
    }

    /// A value hidden with a salt after `prefix`, to be filled in when the secret is known.
    pub(crate) fn hide_salted(
        &mut self,
        kind: u8,
        prefix: &[u8],
        plain: Secret,
        salts: &mut Salts,
    ) -> Result<(), Full> {
        let octets = hidden_len(plain.len());
        let at = self.draft.placeholder(kind, prefix, octets)?;
        self.hidden.push(Hidden { at, octets, plain, how: How::Salted(salts.draw()) });
        Ok(())
    }

    /// A value hidden as User-Password is (RFC 2865 §5.2), in a vendor's attribute; its length is a multiple of 16 already.
    pub(crate) fn hide_unsalted_vendor(&mut self, vendor: u32, kind: u8, plain: Secret) -> Result<(), Full> {
        let octets = plain.len();
        let header = vendor_header(vendor, kind, octets)?;
        let at = self.draft.placeholder(kind::VENDOR_SPECIFIC, &header, octets)?;
        self.hidden.push(Hidden { at, octets, plain, how: How::LikePassword });
        Ok(())
    }
}

/// A reply that may be sent: whole, signed, and answering exactly one request.
#[derive(Clone, Copy)]
pub struct SignedReply<'b> {
    bytes: &'b [u8],
}

impl<'b> SignedReply<'b> {
    /// The octets for the socket, and for the cache that repeats them to a retransmit.
    pub const fn as_bytes(&self) -> &'b [u8] {
        self.bytes
    }
}

impl fmt::Debug for SignedReply<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SignedReply({} octets)", self.bytes.len())
    }
}

/// A plain value that waits for the secret; the draft holds zeroes in its place.
#[derive(Debug)]
struct Hidden {
    at: usize,
    octets: usize,
    plain: Secret,
    how: How,
}

#[derive(Debug)]
enum How {
    Salted([u8; 2]),
    LikePassword,
}

impl Hidden {
    fn fill(&self, draft: &mut Draft<'_>, secret: &SharedSecret, authenticator: &Authenticator) {
        let place = draft.place(self.at, self.octets);
        match self.how {
            How::Salted(salt) => fill_salted(place, self.plain.expose(), salt, secret, authenticator),
            How::LikePassword => {
                let plain = self.plain.expose().iter();
                place.iter_mut().zip(plain).for_each(|(octet, plain)| *octet = *plain);
                hide_in_place(secret, &[authenticator], place);
            }
        }
    }
}

/// Vendor-Id, vendor type, vendor length (RFC 2865 §5.26).
pub(crate) fn vendor_header(vendor: u32, kind: u8, value: usize) -> Result<[u8; 6], Full> {
    let length = u8::try_from(value.saturating_add(ATTRIBUTE_HEADER_OCTETS)).map_err(|_| Full)?;
    let [a, b, c, d] = vendor.to_be_bytes();
    Ok([a, b, c, d, kind, length])
}

/// Pieces of 253 octets, all or none; an empty message is one empty piece (RFC 3579 §2.1, §3.1).
pub(crate) fn push_eap(draft: &mut Draft<'_>, message: &[u8]) -> Result<(), Full> {
    if message.is_empty() {
        return draft.attribute(kind::EAP_MESSAGE, &[]);
    }
    let pieces = message.len().div_ceil(VALUE_OCTETS_MAX);
    let headers = pieces.saturating_mul(ATTRIBUTE_HEADER_OCTETS);
    if message.len().saturating_add(headers) > draft.room() || pieces > draft.places() {
        return Err(Full);
    }
    message.chunks(VALUE_OCTETS_MAX).try_for_each(|piece| draft.attribute(kind::EAP_MESSAGE, &[piece]))
}
