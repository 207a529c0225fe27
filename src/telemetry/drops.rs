//! Why a packet got no answer: the closed set of the metric `vestibule_drops_total` (rules E6), and what mends each.
//!
//! Each reason carries the sentence that tells an administrator what to do next; it names the appliance's own setting where
//! there is one. Nothing of the packet's content appears here.

use std::fmt;

/// Why a packet got no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum DropReason {
    /// The bytes are no RADIUS packet (RFC 2865 §3, §5).
    Malformed,
    /// No `[client]` has this address.
    UnknownClient,
    /// The client's stance demands Message-Authenticator and there is none.
    MissingMessageAuthenticator,
    /// Message-Authenticator does not fit the secret (RFC 3579 §3.2).
    BadMessageAuthenticator,
    /// The Request Authenticator of an Accounting-Request does not fit the secret (RFC 2866 §3).
    BadRequestAuthenticator,
    /// Proxy-State without Message-Authenticator: the shape of a Blast-RADIUS forgery (rules E2).
    ProxyState,
    /// An attribute twice that may stand once (RFC 2865 §5.44).
    DuplicateAttribute,
    /// A code that this port does not serve.
    WrongCode,
    /// A bound is reached (rules G1).
    Overload,
    /// The client's budget of primary failures without Message-Authenticator is spent (rules D5).
    BareBudget,
    /// The password decodes to control octets: probably another secret (rules D5).
    SuspectSecret,
    /// The server is stopping and takes no new logins (rules G3).
    Draining,
    /// Its login was answered under a newer request (rules B2).
    Superseded,
    /// Its own time ran out before there was an answer (rules B5).
    Expired,
    /// The answer could not be built or sent.
    Unanswerable,
    /// Nobody could check the login, or no primary of the client answers, so it asks its next server (rules A10).
    Unavailable,
}

impl DropReason {
    /// Every reason, in the order of the type: `ALL[reason.index()] == reason`.
    pub const ALL: [Self; 16] = [
        Self::Malformed,
        Self::UnknownClient,
        Self::MissingMessageAuthenticator,
        Self::BadMessageAuthenticator,
        Self::BadRequestAuthenticator,
        Self::ProxyState,
        Self::DuplicateAttribute,
        Self::WrongCode,
        Self::Overload,
        Self::BareBudget,
        Self::SuspectSecret,
        Self::Draining,
        Self::Superseded,
        Self::Expired,
        Self::Unanswerable,
        Self::Unavailable,
    ];

    /// The word in metrics and logs.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Malformed => "malformed",
            Self::UnknownClient => "unknown_client",
            Self::MissingMessageAuthenticator => "missing_message_authenticator",
            Self::BadMessageAuthenticator => "bad_message_authenticator",
            Self::BadRequestAuthenticator => "bad_request_authenticator",
            Self::ProxyState => "proxy_state",
            Self::DuplicateAttribute => "duplicate_attribute",
            Self::WrongCode => "wrong_code",
            Self::Overload => "overload",
            Self::BareBudget => "bare_budget",
            Self::SuspectSecret => "suspect_secret",
            Self::Draining => "draining",
            Self::Superseded => "superseded",
            Self::Expired => "expired",
            Self::Unanswerable => "unanswerable",
            Self::Unavailable => "unavailable",
        }
    }

    /// What happened, for a person.
    #[must_use]
    pub const fn what(self) -> &'static str {
        match self {
            Self::Malformed => "the packet is not RADIUS, or is damaged",
            Self::UnknownClient => "no [client] has this address",
            Self::MissingMessageAuthenticator => "the request carries no Message-Authenticator",
            Self::BadMessageAuthenticator => "the Message-Authenticator does not fit the shared secret",
            Self::ProxyState => "Proxy-State without Message-Authenticator, which is how a Blast-RADIUS forgery looks",
            Self::DuplicateAttribute => "an attribute that may stand once stands twice",
            Self::BadRequestAuthenticator => {
                "Request Authenticator does not fit: the shared secret differs, or the packet was changed"
            }
            Self::WrongCode => "the packet's code is not served on this port",
            Self::Overload => "too many logins are held or too many requests wait",
            Self::BareBudget => {
                "too many passwords that came without Message-Authenticator were wrong in the last minute (bare_failures_per_minute)"
            }
            Self::SuspectSecret => {
                "the password decodes to control characters, so the shared secret is probably another"
            }
            Self::Draining => "the server is stopping",
            Self::Superseded => "a newer request of the same login took its place",
            Self::Expired => "the appliance's patience ended before there was an answer",
            Self::Unanswerable => "the answer could not be sent",
            Self::Unavailable => {
                "nobody could check the login: its primary, or our own store, is away, so the appliance is left to ask its next server"
            }
        }
    }

    /// What to do next, for an administrator.
    #[must_use]
    pub const fn mend(self) -> &'static str {
        match self {
            Self::Malformed => "check that this sender speaks RADIUS authentication to this port",
            Self::UnknownClient => "if it is yours, add a [client.NAME] with this address",
            Self::MissingMessageAuthenticator => {
                "turn on \"Message-Authenticator\" on the appliance (update its firmware if it has no such setting), \
                 or set require_message_authenticator = \"auto\" for this client"
            }
            Self::BadMessageAuthenticator => {
                "type the same shared secret on the appliance and in the client's secret file"
            }
            Self::BadRequestAuthenticator => {
                "type the same shared secret at the appliance's accounting server and in the client's secret file"
            }
            Self::ProxyState => "turn on \"Message-Authenticator\" on the proxy in between",
            Self::DuplicateAttribute => "report it to the appliance's vendor",
            Self::WrongCode => {
                "send authentication to a port of `listen` under [radius], and accounting to one of `accounting` there or to another server"
            }
            Self::Overload => {
                "see vestibule_held_sessions and vestibule_upstream_in_flight; raise the bound under [limits] if it is honest load"
            }
            Self::BareBudget => {
                "turn on \"Message-Authenticator\" on the appliance: signed requests have no such budget; if it sends it already, \
                 somebody else guesses passwords under its address"
            }
            Self::SuspectSecret => "type the same shared secret on the appliance and in the client's secret file",
            Self::Draining => "nothing: the appliance asks its other server or asks again",
            Self::Superseded => "nothing: the newer request has the answer",
            Self::Expired => "compare gives_up_after with the appliance's own timeout",
            Self::Unanswerable => "see the line before this one",
            Self::Unavailable => {
                "see the lines about the primary or the store; if this client has no other server to ask, when_unavailable = \"reject\" \
                 in its section answers instead"
            }
        }
    }

    /// Whether it tells of a mistake or an attack, rather than of the ordinary course of things.
    #[must_use]
    pub const fn is_trouble(self) -> bool {
        match self {
            Self::Draining | Self::Superseded | Self::Expired => false,
            Self::Malformed
            | Self::UnknownClient
            | Self::MissingMessageAuthenticator
            | Self::BadMessageAuthenticator
            | Self::BadRequestAuthenticator
            | Self::ProxyState
            | Self::DuplicateAttribute
            | Self::WrongCode
            | Self::Overload
            | Self::BareBudget
            | Self::SuspectSecret
            | Self::Unanswerable
            | Self::Unavailable => true,
        }
    }
}

/// Why a reply of an upstream was dropped: the closed set of `vestibule_upstream_drops_total` (rules E6).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ReplyDrop {
    /// No RADIUS packet.
    Malformed,
    /// No request with this Identifier waits on this socket: late, repeated or forged.
    Unexpected,
    /// A code that doesn't answer an Access-Request, Protocol-Error among them.
    WrongCode,
    /// The Response Authenticator is wrong: another secret, or a forgery.
    BadAuthenticator,
    /// No Message-Authenticator, and this primary requires one.
    MissingMessageAuthenticator,
    /// The Message-Authenticator is wrong.
    BadMessageAuthenticator,
    /// A Proxy-State that we never sent (the mark of CVE-2024-3596).
    ProxyState,
}

impl ReplyDrop {
    /// Every reason.
    pub const ALL: [Self; 7] = [
        Self::Malformed,
        Self::Unexpected,
        Self::WrongCode,
        Self::BadAuthenticator,
        Self::MissingMessageAuthenticator,
        Self::BadMessageAuthenticator,
        Self::ProxyState,
    ];

    /// The word in metrics and logs.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Malformed => "malformed",
            Self::Unexpected => "unexpected",
            Self::WrongCode => "wrong_code",
            Self::BadAuthenticator => "bad_authenticator",
            Self::MissingMessageAuthenticator => "missing_message_authenticator",
            Self::BadMessageAuthenticator => "bad_message_authenticator",
            Self::ProxyState => "proxy_state",
        }
    }
}

impl fmt::Display for ReplyDrop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Malformed => "it is no RADIUS packet",
            Self::Unexpected => "no request waits for it: it is late, repeated or forged",
            Self::WrongCode => "its code can't answer an Access-Request",
            Self::BadAuthenticator => "its Response Authenticator is wrong",
            Self::MissingMessageAuthenticator => "it carries no Message-Authenticator, which this primary requires",
            Self::BadMessageAuthenticator => "its Message-Authenticator is wrong",
            Self::ProxyState => "it carries a Proxy-State that was not sent (CVE-2024-3596)",
        })
    }
}
