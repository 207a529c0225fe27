//! Accounting (RFC 2866): a request whose authenticator is a hash under the secret, and the one answer to it.
//!
//! Nothing of the request is kept or decided here: who answers has taken note of it, or says nothing (RFC 2866 §2).

use std::ops::Deref;

use crate::authenticator::{equal, response_authenticator};
use crate::code::{Code, ReplyCode};
use crate::datagram::{Datagram, Full};
use crate::reply::{ReplyContext, SignedReply};
use crate::secret::SharedSecret;
use crate::verify::{Demand, Unverified, VerifiedRequest};
use crate::view::PacketView;

/// What comes to an accounting port and may be believed.
#[derive(Clone, Copy, Debug)]
pub enum AccountingAsk<'a> {
    /// An Accounting-Request.
    Request(AccountingRequest<'a>),
    /// A Status-Server (RFC 5997 §4.3).
    Status(VerifiedRequest<'a>),
}

/// An Accounting-Request whose Request Authenticator is right.
#[derive(Clone, Copy, Debug)]
pub struct AccountingRequest<'a> {
    view: PacketView<'a>,
}

impl<'a> Deref for AccountingRequest<'a> {
    type Target = PacketView<'a>;

    fn deref(&self) -> &Self::Target {
        &self.view
    }
}

impl<'a> PacketView<'a> {
    /// Makes what an accounting port serves of this packet, if it may be believed.
    ///
    /// # Errors
    /// [`Unverified`]: a wrong Request Authenticator (RFC 2866 §3), a wrong Message-Authenticator where there is one (computed
    /// over sixteen zeroes, as the hash is), any other code.
    pub fn verify_accounting(self, secret: &SharedSecret) -> Result<AccountingAsk<'a>, Unverified> {
        match self.code() {
            Code::AccountingRequest => {}
            Code::StatusServer => return self.verify(secret, Demand::Required).map(AccountingAsk::Status),
            Code::AccessRequest
            | Code::AccessAccept
            | Code::AccessReject
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
        }
        let zeroes = [0; 16];
        let computed = response_authenticator(secret, self.signed(&zeroes), self.raw_attributes());
        if !equal(&computed, self.authenticator()) {
            return Err(Unverified::BadRequestAuthenticator);
        }
        self.check_message_authenticator(secret, &zeroes)?;
        Ok(AccountingAsk::Request(AccountingRequest { view: self }))
    }
}

impl AccountingAsk<'_> {
    /// Writes the Accounting-Response into `buffer` and hands it on: Proxy-States in their order, and a Message-Authenticator where the
    /// request has one, since RFC 2866 knows none.
    ///
    /// # Errors
    /// [`Full`] where the request's Proxy-States leave no room.
    pub fn respond(&self, secret: &SharedSecret, send: impl FnOnce(SignedReply<'_>)) -> Result<(), Full> {
        let (Self::Request(AccountingRequest { view }) | Self::Status(VerifiedRequest { view })) = self;
        let (context, mut buffer) = (ReplyContext::of(view), Datagram::new());
        let reply = context.reply(ReplyCode::Accounting, &mut buffer);
        let signed = match view.message_authenticator() {
            Some(_) => reply.sign(secret)?,
            None => reply.sign_bare(secret)?,
        };
        send(signed);
        Ok(())
    }
}
