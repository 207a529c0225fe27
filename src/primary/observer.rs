//! What this room tells those who watch: one method a happening. [`Told`] makes happenings of `telemetry` of them.
//!
//! Nothing secret passes here: no user name, no password, no attribute value. Servers are named as the configuration names them.

use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

use login::PrimaryName;

use crate::telemetry::{
    InFlight, PrimaryAnswered, PrimaryDown, PrimaryMeters, PrimaryResult, PrimaryUp, Telemetry, UpstreamBadReply,
};

/// Watches one primary. Methods are called on the packet path: they must not block.
pub trait PrimaryObserver: Send + Sync {
    /// The primary answered, or could not be asked.
    fn answered(&self, result: PrimaryResult, took: Duration);

    /// One more request is in flight, until the guard is dropped.
    fn request_begins(&self) -> Option<InFlight>;

    /// A request went out again.
    fn retransmitted(&self, server: &str);

    /// A reply was dropped; the request still waits.
    fn reply_dropped(&self, server: &str, reason: ReplyDrop);

    /// A server is taken for dead for so long; its requests begin anew at the next. Told once until it is revived.
    fn server_died(&self, server: &str, why: &str, pause: Duration);

    /// A server that was taken for dead was heard again.
    fn server_revived(&self, server: &str);

    /// A server's name resolves to another address, or not at all.
    fn server_moved(&self, server: &str, to: Option<SocketAddr>);
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

/// Tells telemetry of one primary.
#[derive(Clone)]
pub struct Told {
    telemetry: Telemetry,
    meters: PrimaryMeters,
}

impl Told {
    /// The observer of this primary.
    #[must_use]
    pub fn of(primary: &PrimaryName, telemetry: &Telemetry) -> Self {
        Self { meters: telemetry.primary(primary), telemetry: telemetry.clone() }
    }
}

impl PrimaryObserver for Told {
    fn answered(&self, result: PrimaryResult, took: Duration) {
        self.telemetry.emit(PrimaryAnswered { primary: &self.meters, result, took });
    }

    fn request_begins(&self) -> Option<InFlight> {
        Some(self.meters.in_flight())
    }

    fn retransmitted(&self, server: &str) {
        tracing::debug!(primary = self.meters.name(), server, "sent again: no answer yet");
    }

    fn reply_dropped(&self, server: &str, reason: ReplyDrop) {
        // A late or repeated reply is the network's daily work; the rest somebody should look at.
        if reason == ReplyDrop::Unexpected {
            tracing::debug!(primary = self.meters.name(), server, "a reply that nobody waits for");
            return;
        }
        self.telemetry.emit(UpstreamBadReply { primary: &self.meters, server, why: &reason });
    }

    fn server_died(&self, server: &str, why: &str, pause: Duration) {
        self.telemetry.emit(PrimaryDown { primary: &self.meters, server, why, pause });
    }

    fn server_revived(&self, server: &str) {
        self.telemetry.emit(PrimaryUp { primary: &self.meters, server });
    }

    fn server_moved(&self, server: &str, to: Option<SocketAddr>) {
        match to {
            Some(address) => {
                tracing::info!(primary = self.meters.name(), server, %address, "asked at this address from now on")
            }
            None => tracing::warn!(
                primary = self.meters.name(),
                server,
                "the name has no address: check it, and this host's DNS"
            ),
        }
    }
}

/// Watches nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoObserver;

impl PrimaryObserver for NoObserver {
    fn answered(&self, _: PrimaryResult, _: Duration) {}
    fn request_begins(&self) -> Option<InFlight> {
        None
    }
    fn retransmitted(&self, _: &str) {}
    fn reply_dropped(&self, _: &str, _: ReplyDrop) {}
    fn server_died(&self, _: &str, _: &str, _: Duration) {}
    fn server_revived(&self, _: &str) {}
    fn server_moved(&self, _: &str, _: Option<SocketAddr>) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_told_is_counted_under_the_primarys_name() {
        let telemetry = Telemetry::new();
        let told = Told::of(&PrimaryName::new("nps"), &telemetry);
        let waiting = told.request_begins();
        told.answered(PrimaryResult::Accept, Duration::from_millis(5));
        told.server_died("10.0.0.5:1812", "silent", Duration::from_secs(30));
        told.reply_dropped("10.0.0.5:1812", ReplyDrop::BadAuthenticator);
        let page = telemetry.render();
        assert!(page.contains("vestibule_upstream_in_flight{primary=\"nps\"} 1"), "{page}");
        assert!(page.contains("vestibule_primary_seconds_count{primary=\"nps\",result=\"accept\"} 1"), "{page}");
        drop(waiting);
        assert!(telemetry.render().contains("vestibule_upstream_in_flight{primary=\"nps\"} 0"));
    }
}
