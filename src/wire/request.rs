//! Requests of our own, to an upstream: written, signed, and remembered so that their reply can be told from a forgery.
//!
//! Message-Authenticator is first and always there. The authenticator of an Access-Request is the caller's entropy, fresh for
//! every request and never the appliance's own.

use std::fmt;

use crate::authenticator::{Authenticator, Signed, response_authenticator};
use crate::code::Code;
use crate::datagram::{Datagram, Draft, Full};
use crate::field::HEADER_OCTETS;
use crate::kind;
use crate::password::hide_password;
use crate::reply::{push_eap, vendor_header};
use crate::secret::{Secret, SharedSecret};
use crate::verify::VerifiedRequest;
use crate::view::{Attribute, Attributes, PacketView};

/// A request while it is written.
#[derive(Debug)]
pub struct RequestWriter<'b> {
    draft: Draft<'b>,
    code: Code,
    identifier: u8,
    authenticator: Authenticator,
}

impl<'b> RequestWriter<'b> {
    /// Begins a request. `authenticator` is sixteen random octets; Accounting-Request, Disconnect-Request and CoA-Request
    /// compute their own instead (RFC 2866 §3, RFC 5176 §2.3).
    pub fn new(code: Code, identifier: u8, authenticator: [u8; 16], buffer: &'b mut Datagram) -> Self {
        let authenticator = if code.hashes_request() { [0; 16] } else { authenticator };
        let draft = Draft::begin(buffer, code, identifier, &authenticator);
        Self { draft, code, identifier, authenticator }
    }

    /// Adds an attribute. Message-Authenticator is the writer's own: one that is pushed is left out.
    ///
    /// # Errors
    /// [`Full`] when it does not fit; nothing was written then.
    pub fn push(&mut self, attribute: Attribute<'_>) -> Result<(), Full> {
        if attribute.kind == kind::MESSAGE_AUTHENTICATOR {
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

    /// Adds User-Password, hidden for this upstream (RFC 2865 §5.2).
    ///
    /// # Errors
    /// [`Full`] when it does not fit, or the password is over 128 octets.
    pub fn push_password(&mut self, password: &Secret, secret: &SharedSecret) -> Result<(), Full> {
        let hidden = hide_password(password, secret, &self.authenticator)?;
        self.draft.attribute(kind::USER_PASSWORD, &[&hidden])
    }

    /// Forwards the attributes of an appliance's request that `keep` keeps, unchanged and in order (RFC 2865 §2.3).
    ///
    /// Never those that belong to the appliance's hop: Message-Authenticator, Proxy-State, and User-Password, which
    /// [`push_password`](Self::push_password) hides for this one. A CHAP response that answers the appliance's Request
    /// Authenticator gets that as a CHAP-Challenge, because ours is another (RFC 2865 §2.3).
    ///
    /// # Errors
    /// [`Full`] when not all of them fit; the request is then of no use.
    pub fn forward(
        &mut self,
        request: &VerifiedRequest<'_>,
        keep: impl Fn(&Attribute<'_>) -> bool,
    ) -> Result<(), Full> {
        let ours = |kind| matches!(kind, kind::MESSAGE_AUTHENTICATOR | kind::PROXY_STATE | kind::USER_PASSWORD);
        let mut forwarded = request.attributes().filter(|attribute| !ours(attribute.kind) && keep(attribute));
        forwarded.try_for_each(|attribute| self.push(attribute))?;
        if request.chap_password().is_some() && request.attribute(kind::CHAP_CHALLENGE).is_none() {
            return self.push(Attribute::new(kind::CHAP_CHALLENGE, request.authenticator()));
        }
        Ok(())
    }

    /// Octets that more attributes may take.
    pub const fn room(&self) -> usize {
        self.draft.room()
    }

    /// Signs, and gives what is to be sent and to be remembered.
    pub fn sign(mut self, secret: &SharedSecret) -> SentRequest {
        self.draft.seal(secret, &self.authenticator);
        if self.code.hashes_request() {
            let (header, attributes) = self.draft.parts();
            let signed = Signed { header, authenticator: &self.authenticator };
            self.authenticator = response_authenticator(secret, signed, attributes);
            self.draft.set_authenticator(&self.authenticator);
        }
        SentRequest {
            code: self.code,
            identifier: self.identifier,
            authenticator: self.authenticator,
            bytes: self.draft.finish().into(),
        }
    }
}

/// A signed request: the octets, for every retransmission the same, and what its reply is measured by.
#[derive(Clone, PartialEq, Eq)]
pub struct SentRequest {
    bytes: Box<[u8]>,
    code: Code,
    identifier: u8,
    authenticator: Authenticator,
}

impl SentRequest {
    /// The octets for the socket.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Its code.
    pub const fn code(&self) -> Code {
        self.code
    }

    /// Its Identifier.
    pub const fn identifier(&self) -> u8 {
        self.identifier
    }

    /// Its Request Authenticator.
    pub const fn authenticator(&self) -> &[u8; 16] {
        &self.authenticator
    }

    /// Whether every Proxy-State of the reply is one that was sent, in the order they were sent (RFC 2865 §5.33).
    pub(crate) fn returns_proxy_states(&self, reply: &PacketView<'_>) -> bool {
        let attributes = Attributes::over(self.bytes.get(HEADER_OCTETS..).unwrap_or_default());
        let mut sent = attributes.filter(|attribute| attribute.kind == kind::PROXY_STATE);
        reply.proxy_states().all(|returned| sent.any(|sent| sent.value == returned))
    }
}

impl fmt::Debug for SentRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SentRequest({} {}, {} octets)", self.code, self.identifier, self.bytes.len())
    }
}
