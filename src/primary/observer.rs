//! What this room tells those who watch: one method a happening. Metrics and logs hang behind it.
//!
//! Nothing secret passes here: no user name, no password, no attribute value.

use std::net::SocketAddr;
use std::time::Duration;

use login::PrimaryName;

/// Watches the primaries. Methods are called on the packet path: they must not block.
pub trait PrimaryObserver: Send + Sync {
    /// A primary answered, or could not be asked: `accept`, `reject`, `challenge`, `unavailable`.
    fn answered(&self, primary: &PrimaryName, result: &'static str, took: Duration);

    /// This many requests are in flight to one server now.
    fn in_flight(&self, primary: &PrimaryName, server: &str, requests: usize);

    /// A request went out again.
    fn retransmitted(&self, primary: &PrimaryName, server: &str);

    /// A reply was dropped; the request still waits.
    fn reply_dropped(&self, primary: &PrimaryName, server: &str, reason: ReplyDrop);

    /// A server is taken for dead; its requests begin anew at the next.
    fn server_died(&self, primary: &PrimaryName, server: &str, why: &str);

    /// A server that was taken for dead was heard again.
    fn server_revived(&self, primary: &PrimaryName, server: &str);

    /// A server's name resolves to another address, or not at all.
    fn server_moved(&self, primary: &PrimaryName, server: &str, to: Option<SocketAddr>);
}

/// Why a reply was dropped.
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
    /// The word in metrics and logs.
    #[must_use]
    pub fn as_str(self) -> &'static str {
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

/// Watches nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoObserver;

impl PrimaryObserver for NoObserver {
    fn answered(&self, _: &PrimaryName, _: &'static str, _: Duration) {}
    fn in_flight(&self, _: &PrimaryName, _: &str, _: usize) {}
    fn retransmitted(&self, _: &PrimaryName, _: &str) {}
    fn reply_dropped(&self, _: &PrimaryName, _: &str, _: ReplyDrop) {}
    fn server_died(&self, _: &PrimaryName, _: &str, _: &str) {}
    fn server_revived(&self, _: &PrimaryName, _: &str) {}
    fn server_moved(&self, _: &PrimaryName, _: &str, _: Option<SocketAddr>) {}
}
