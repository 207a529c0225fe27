//! What this room tells those who watch: one method a happening. [`Told`] makes happenings of `telemetry` of them.
//!
//! Nothing secret passes here: no user name, no password, no attribute value. Servers are named as the configuration names them.

use std::net::SocketAddr;
use std::time::Duration;

use login::PrimaryName;

pub use crate::telemetry::ReplyDrop;
use crate::telemetry::{
    InFlight, PrimaryAnswered, PrimaryDown, PrimaryMeters, PrimaryResult, PrimaryUp, Telemetry, UpstreamBadReply,
    UpstreamDropped,
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
        self.telemetry.emit(UpstreamDropped { primary: &self.meters, reason });
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

    #[test]
    fn each_reply_that_is_dropped_is_counted_with_its_reason() {
        let telemetry = Telemetry::new();
        let told = Told::of(&PrimaryName::new("nps"), &telemetry);
        for reason in ReplyDrop::ALL {
            told.reply_dropped("10.0.0.5:1812", reason);
        }
        let page = telemetry.render();
        for reason in ReplyDrop::ALL {
            let line = format!("vestibule_upstream_drops_total{{primary=\"nps\",reason=\"{}\"}} 1", reason.as_str());
            assert!(page.contains(&line), "{line} in {page}");
        }
        assert!(page.contains("vestibule_upstream_bad_replies_total{primary=\"nps\"} 6"), "a late reply is no bad one");
    }
}
