//! From a packet that parses to a packet that is believed.
//!
//! A [`VerifiedRequest`] and a [`VerifiedReply`] can be made only here. Message-Authenticator is checked whenever it is there,
//! wherever it stands, over the octets as received; what its absence means is the caller's [`Demand`], within limits that no
//! demand can loosen. Nothing outside is touched by a packet that fails.

use std::fmt;
use std::ops::Deref;

use crate::authenticator::{Authenticator, equal, message_authenticator, response_authenticator};
use crate::code::Code;
use crate::eap::{BadEap, eap_join};
use crate::kind;
use crate::mschap::{MsChap, MsChap2};
use crate::password::{BadPassword, Chap, reveal_password};
use crate::reply::ReplyContext;
use crate::request::SentRequest;
use crate::secret::{Secret, SharedSecret};
use crate::view::PacketView;

/// What is asked of a packet that could go without Message-Authenticator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Demand {
    /// It must be there.
    Required,
    /// It is checked if it is there. Without it a packet with Proxy-State is refused all the same, because that is where a
    /// forger of replies hides his octets (CVE-2024-3596).
    IfPresent,
}

/// Why a well-formed packet is not believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unverified {
    /// Message-Authenticator is demanded and not there.
    MissingMessageAuthenticator,
    /// Message-Authenticator is wrong: another secret, or changed octets.
    BadMessageAuthenticator,
    /// Proxy-State where it must not be: in a request without Message-Authenticator, or in a reply to a request that had none.
    ProxyState,
    /// Not what this port serves.
    NotARequest,
    /// The Request Authenticator of an Accounting-Request is wrong (RFC 2866 §3).
    BadRequestAuthenticator,
    /// The reply's code can't answer the request.
    WrongCode,
    /// The reply's Identifier is not the request's.
    WrongIdentifier,
    /// Response Authenticator is wrong (RFC 2865 §3).
    BadResponseAuthenticator,
}

impl Unverified {
    /// The reason under which a drop is counted.
    pub const fn reason(&self) -> &'static str {
        match self {
            Self::MissingMessageAuthenticator => "missing_message_authenticator",
            Self::BadMessageAuthenticator => "bad_message_authenticator",
            Self::ProxyState => "proxy_state",
            Self::NotARequest | Self::WrongCode => "wrong_code",
            Self::WrongIdentifier => "wrong_identifier",
            Self::BadResponseAuthenticator => "bad_response_authenticator",
            Self::BadRequestAuthenticator => "bad_request_authenticator",
        }
    }
}

impl fmt::Display for Unverified {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::MissingMessageAuthenticator => "Message-Authenticator is required and missing",
            Self::BadMessageAuthenticator => {
                "Message-Authenticator is wrong: the secrets differ, or the packet was changed"
            }
            Self::ProxyState => "Proxy-State is not allowed here",
            Self::NotARequest => "no request of the kind that is served here",
            Self::BadRequestAuthenticator => {
                "Request Authenticator is wrong: the secrets differ, or the packet was changed"
            }
            Self::WrongCode => "the code can't answer the request",
            Self::WrongIdentifier => "the Identifier is not the one of the request",
            Self::BadResponseAuthenticator => {
                "Response Authenticator is wrong: the secrets differ, or the packet was changed"
            }
        })
    }
}

impl std::error::Error for Unverified {}

impl<'a> PacketView<'a> {
    /// Makes a request of this packet if it may be believed.
    ///
    /// # Errors
    /// [`Unverified`]: a bad Message-Authenticator always; a missing one under [`Demand::Required`], with EAP-Message
    /// (RFC 3579 §3.1) and in a Status-Server (RFC 5997 §3); Proxy-State without one; any other code.
    pub fn verify(self, secret: &SharedSecret, demand: Demand) -> Result<VerifiedRequest<'a>, Unverified> {
        let always = match self.code() {
            Code::AccessRequest => self.eap_len().is_some(),
            Code::StatusServer => true,
            Code::AccessAccept
            | Code::AccessReject
            | Code::AccountingRequest
            | Code::AccountingResponse
            | Code::AccessChallenge
            | Code::StatusClient
            | Code::DisconnectRequest
            | Code::DisconnectAck
            | Code::DisconnectNak
            | Code::CoaRequest
            | Code::CoaAck
            | Code::CoaNak
            | Code::ProtocolError => return Err(Unverified::NotARequest),
        };
        if self.message_authenticator().is_none() {
            refuse_bare(always, demand)?;
            if self.proxy_state_count() > 0 {
                return Err(Unverified::ProxyState);
            }
        }
        self.check_message_authenticator(secret, self.authenticator())?;
        Ok(VerifiedRequest { view: self })
    }

    /// Makes the reply to `sent` of this packet if it may be believed.
    ///
    /// # Errors
    /// [`Unverified`]: another Identifier, a code that can't answer, a missing Message-Authenticator under
    /// [`Demand::Required`] or with EAP-Message, a wrong authenticator of either kind, a Proxy-State that was not sent.
    pub fn verify_reply(
        self,
        secret: &SharedSecret,
        sent: &SentRequest,
        demand: Demand,
    ) -> Result<VerifiedReply<'a>, Unverified> {
        if self.identifier() != sent.identifier() {
            return Err(Unverified::WrongIdentifier);
        }
        if !self.code().answers(sent.code()) {
            return Err(Unverified::WrongCode);
        }
        // Presence comes first: a forger who can make the MD5 below come out right can't be told by that MD5.
        if self.message_authenticator().is_none() {
            refuse_bare(self.eap_len().is_some(), demand)?;
        }
        let request_authenticator = *sent.authenticator();
        self.check_response_authenticator(secret, &request_authenticator)?;
        self.check_message_authenticator(secret, &request_authenticator)?;
        // RFC 2865 §5.33: a server returns the Proxy-States it was sent. Others are a forger's, or another's.
        if !sent.returns_proxy_states(&self) {
            return Err(Unverified::ProxyState);
        }
        Ok(VerifiedReply { view: self, request_authenticator })
    }

    /// RFC 3579 §3.2. A packet without it passes: whether it may go without was decided before.
    pub(crate) fn check_message_authenticator(
        &self,
        secret: &SharedSecret,
        authenticator: &Authenticator,
    ) -> Result<(), Unverified> {
        let Some(noted) = self.noted_message_authenticator() else {
            return Ok(());
        };
        let computed = message_authenticator(secret, self.signed(authenticator), noted.before, noted.after);
        if equal(&computed, noted.value) { Ok(()) } else { Err(Unverified::BadMessageAuthenticator) }
    }

    /// RFC 2865 §3.
    fn check_response_authenticator(&self, secret: &SharedSecret, request: &Authenticator) -> Result<(), Unverified> {
        let computed = response_authenticator(secret, self.signed(request), self.raw_attributes());
        if equal(&computed, self.authenticator()) { Ok(()) } else { Err(Unverified::BadResponseAuthenticator) }
    }
}

/// A request that carries a right Message-Authenticator, or was allowed to have none.
#[derive(Clone, Copy, Debug)]
pub struct VerifiedRequest<'a> {
    pub(crate) view: PacketView<'a>,
}

impl<'a> Deref for VerifiedRequest<'a> {
    type Target = PacketView<'a>;

    fn deref(&self) -> &Self::Target {
        &self.view
    }
}

impl<'a> VerifiedRequest<'a> {
    /// The packet, for those who don't need to know that it is verified.
    pub const fn view(&self) -> &PacketView<'a> {
        &self.view
    }

    /// Whether its origin is proven; if not, it only was allowed to come bare.
    pub fn had_message_authenticator(&self) -> bool {
        self.view.message_authenticator().is_some()
    }

    /// The password, if the request carries User-Password. It may be empty.
    ///
    /// # Errors
    /// [`BadPassword`] when the value is not 16 to 128 octets in blocks of 16 (RFC 2865 §5.2).
    pub fn password(&self, secret: &SharedSecret) -> Result<Option<Secret>, BadPassword> {
        let Some(hidden) = self.view.user_password() else {
            return Ok(None);
        };
        reveal_password(hidden, secret, self.view.authenticator()).map(Some)
    }

    /// The CHAP response, if there is one, with the challenge that it answers: CHAP-Challenge, or the Request Authenticator
    /// where there is none (RFC 2865 §2.2). An upstream must be given that challenge as an attribute.
    ///
    /// # Errors
    /// [`BadPassword`] when CHAP-Password is not 17 octets (RFC 2865 §5.3).
    pub fn chap(&self) -> Result<Option<Chap<'a>>, BadPassword> {
        let Some(value) = self.view.chap_password() else {
            return Ok(None);
        };
        let own = self.view.attribute(kind::CHAP_CHALLENGE);
        Chap::read(value, own.unwrap_or(self.view.authenticator())).map(Some)
    }

    /// The MS-CHAP (version 1) response, if a whole one is there (RFC 2548 §2.1.3).
    pub fn mschap(&self) -> Option<MsChap<'a>> {
        MsChap::read(&self.view)
    }

    /// The MS-CHAPv2 response, if a whole one is there (RFC 2548 §2.3.2).
    pub fn mschap2(&self) -> Option<MsChap2<'a>> {
        MsChap2::read(&self.view)
    }

    /// The EAP message, joined; empty for an EAP-Start.
    ///
    /// # Errors
    /// [`BadEap`] when its pieces make no EAP packet (RFC 3579 §3.1).
    pub fn eap(&self) -> Result<Option<Vec<u8>>, BadEap> {
        eap_join(&self.view)
    }

    /// All that must be remembered to answer this request later.
    pub fn context(&self) -> ReplyContext {
        ReplyContext::of(&self.view)
    }
}

/// A reply that comes from whom we asked, to what we asked.
#[derive(Clone, Copy, Debug)]
pub struct VerifiedReply<'a> {
    view: PacketView<'a>,
    request_authenticator: Authenticator,
}

impl<'a> Deref for VerifiedReply<'a> {
    type Target = PacketView<'a>;

    fn deref(&self) -> &Self::Target {
        &self.view
    }
}

impl<'a> VerifiedReply<'a> {
    /// The packet, for those who don't need to know that it is verified.
    pub const fn view(&self) -> &PacketView<'a> {
        &self.view
    }

    /// Whether Message-Authenticator was there, and so right.
    pub fn had_message_authenticator(&self) -> bool {
        self.view.message_authenticator().is_some()
    }

    /// The EAP message, joined.
    ///
    /// # Errors
    /// [`BadEap`] when its pieces make no EAP packet (RFC 3579 §3.1).
    pub fn eap(&self) -> Result<Option<Vec<u8>>, BadEap> {
        eap_join(&self.view)
    }

    /// The authenticator of the request: what hidden values of this reply are hidden under.
    pub const fn request_authenticator(&self) -> &[u8; 16] {
        &self.request_authenticator
    }
}

const fn refuse_bare(always: bool, demand: Demand) -> Result<(), Unverified> {
    match (always, demand) {
        (true, Demand::Required | Demand::IfPresent) | (false, Demand::Required) => {
            Err(Unverified::MissingMessageAuthenticator)
        }
        (false, Demand::IfPresent) => Ok(()),
    }
}
