//! The Code octet: what kind of packet this is, and which answer fits which question.
//!
//! Codes that are not listed here don't become a packet; the number itself is kept in the error, so that it can be logged.

/// The registered packet codes that this room knows (RFC 2865 §3, RFC 2866 §3, RFC 5176 §2.3, RFC 5997 §3, RFC 7930 §4).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Code {
    /// 1: may this user come in?
    AccessRequest = 1,
    /// 2: yes.
    AccessAccept = 2,
    /// 3: no.
    AccessReject = 3,
    /// 4: a session began, goes on or ended.
    AccountingRequest = 4,
    /// 5: recorded.
    AccountingResponse = 5,
    /// 11: not yet; answer this first.
    AccessChallenge = 11,
    /// 12: are you alive?
    StatusServer = 12,
    /// 13: registered, experimental, and never sent by anybody we met.
    StatusClient = 13,
    /// 40: end this session.
    DisconnectRequest = 40,
    /// 41: ended.
    DisconnectAck = 41,
    /// 42: not ended.
    DisconnectNak = 42,
    /// 43: change what this session may do.
    CoaRequest = 43,
    /// 44: changed.
    CoaAck = 44,
    /// 45: not changed.
    CoaNak = 45,
    /// 52: the other end could not process the request (RFC 7930 §4).
    ProtocolError = 52,
}

impl Code {
    /// The code with this number, if it is one of ours.
    pub const fn from_octet(octet: u8) -> Option<Self> {
        Some(match octet {
            1 => Self::AccessRequest,
            2 => Self::AccessAccept,
            3 => Self::AccessReject,
            4 => Self::AccountingRequest,
            5 => Self::AccountingResponse,
            11 => Self::AccessChallenge,
            12 => Self::StatusServer,
            13 => Self::StatusClient,
            40 => Self::DisconnectRequest,
            41 => Self::DisconnectAck,
            42 => Self::DisconnectNak,
            43 => Self::CoaRequest,
            44 => Self::CoaAck,
            45 => Self::CoaNak,
            52 => Self::ProtocolError,
            _ => return None,
        })
    }

    /// The number on the wire.
    #[expect(clippy::as_conversions, reason = "the discriminants of a repr(u8) enum are the octets")]
    pub const fn octet(self) -> u8 {
        self as u8
    }

    /// The name that the RFCs print.
    pub const fn name(self) -> &'static str {
        match self {
            Self::AccessRequest => "Access-Request",
            Self::AccessAccept => "Access-Accept",
            Self::AccessReject => "Access-Reject",
            Self::AccountingRequest => "Accounting-Request",
            Self::AccountingResponse => "Accounting-Response",
            Self::AccessChallenge => "Access-Challenge",
            Self::StatusServer => "Status-Server",
            Self::StatusClient => "Status-Client",
            Self::DisconnectRequest => "Disconnect-Request",
            Self::DisconnectAck => "Disconnect-ACK",
            Self::DisconnectNak => "Disconnect-NAK",
            Self::CoaRequest => "CoA-Request",
            Self::CoaAck => "CoA-ACK",
            Self::CoaNak => "CoA-NAK",
            Self::ProtocolError => "Protocol-Error",
        }
    }

    /// Whether a packet of this code may answer one of that code.
    pub const fn answers(self, request: Self) -> bool {
        match self {
            Self::AccessAccept => matches!(request, Self::AccessRequest | Self::StatusServer),
            Self::AccessReject | Self::AccessChallenge => matches!(request, Self::AccessRequest),
            // A Status-Server to an accounting port is answered so (RFC 5997 §4.3).
            Self::AccountingResponse => {
                matches!(request, Self::AccountingRequest | Self::StatusServer)
            }
            Self::DisconnectAck | Self::DisconnectNak => matches!(request, Self::DisconnectRequest),
            Self::CoaAck | Self::CoaNak => matches!(request, Self::CoaRequest),
            Self::ProtocolError => request.is_request(),
            Self::AccessRequest
            | Self::AccountingRequest
            | Self::StatusServer
            | Self::StatusClient
            | Self::DisconnectRequest
            | Self::CoaRequest => false,
        }
    }

    /// Whether the Request Authenticator of this code is a hash over the packet, and not random (RFC 2866 §3, RFC 5176 §2.3).
    pub(crate) const fn hashes_request(self) -> bool {
        matches!(self, Self::AccountingRequest | Self::DisconnectRequest | Self::CoaRequest)
    }

    const fn is_request(self) -> bool {
        matches!(self, Self::AccessRequest | Self::StatusServer) || self.hashes_request()
    }
}

impl std::fmt::Display for Code {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

/// The three answers that an Access-Request can get from us.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ReplyCode {
    /// Access-Accept.
    Accept,
    /// Access-Reject.
    Reject,
    /// Access-Challenge.
    Challenge,
    /// Accounting-Response.
    Accounting,
}

impl From<ReplyCode> for Code {
    fn from(reply: ReplyCode) -> Self {
        match reply {
            ReplyCode::Accept => Self::AccessAccept,
            ReplyCode::Reject => Self::AccessReject,
            ReplyCode::Challenge => Self::AccessChallenge,
            ReplyCode::Accounting => Self::AccountingResponse,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_octet_is_the_code_it_names_or_none() {
        for octet in 0..=255 {
            if let Some(code) = Code::from_octet(octet) {
                assert_eq!(code.octet(), octet);
            }
        }
        assert_eq!((0..=255).filter_map(Code::from_octet).count(), 15);
    }

    #[test]
    fn a_request_never_answers_a_request() {
        let codes = || (0..=255).filter_map(Code::from_octet);
        for (answer, request) in codes().flat_map(|a| codes().map(move |b| (a, b))) {
            assert!(!(answer.answers(request) && request.answers(answer)));
        }
        assert!(Code::AccessChallenge.answers(Code::AccessRequest));
        assert!(!Code::AccessChallenge.answers(Code::StatusServer));
    }
}
