//! What the people who run it see: logs and metrics, written together.
//!
//! Every happening is a type; [`Telemetry::emit`] counts it and writes its line, so that a metric and a log can't tell two
//! stories. Metric names stand in one place ([`MetricName`]). On the packet path nothing allocates, locks or looks a label up:
//! handles are kept per client and per primary ([`ClientMeters`], [`PrimaryMeters`]), and a line that a flood could repeat is
//! written once a minute per subject, with the number of those that were left out.
//!
//! It never logs a secret, never puts a user's name into a metric (rules F6), names a user only in the one line of an ended
//! login, and reads no clock: its owner calls [`Telemetry::upkeep`] every five seconds with the tick. There is no global
//! recorder: two services in one process (as in tests) count apart.

mod crowd;
mod drops;
mod gate;
mod happenings;
mod logs;
mod meters;
mod names;
pub mod pulse;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use login::{ClientName, PrimaryName, Tick};
use metrics::{Counter, Gauge, Histogram, Key, Label, Level, Metadata, Recorder};
use metrics_exporter_prometheus::{PrometheusHandle, PrometheusRecorder};

use crowd::Crowd;
pub use drops::{DropReason, ReplyDrop};
use gate::{Gate, Gates};
pub use happenings::{
    AddressHeld, AnswerCode, AnswerUnsent, Answered, ApprovedLate, AuditTrouble, CertificateEnds, CertificateRefused,
    CertificateTaken, Committed, DiskFills, Dropped, FactorAnswered, FactorResult, Held, Joined, LoginEnded,
    MailTrouble, NameHeld, PageDenial, PageDenied, PageRefusal, PageRefused, PageUnanswered, PagesOpened, PhonePuzzles,
    PhoneRefusal, PhoneRefused, PrimaryAnswered, PrimaryDown, PrimaryResult, PrimaryUp, PromptSent, Received,
    RecordsCut, RefusedAgain, ReloadRefused, Reloaded, Retransmitted, SecondKeyCame, SignInResult, SignInTried,
    StanceLearned, Started, Stopping, StoreRecovered, StoreSpace, StoreTrouble, SuspectSecret, UnsentReason,
    UpstreamBadReply, UpstreamDropped, WebPushResult, WebPushTrouble, WebhookTrouble,
};
pub use logs::{LogStyle, init, subscriber};
use meters::ServiceMeters;
pub use meters::{ClientMeters, InFlight, PrimaryMeters};
pub use names::MetricName;
pub use pulse::Pulse;

/// Something that happened. Implemented by the types of this room only.
pub trait Happening: sealed::Sealed {
    /// Counts it and writes its line.
    fn tell(self, telemetry: &Telemetry);
}

pub(crate) mod sealed {
    /// Keeps [`super::Happening`] to the types of this room.
    pub trait Sealed {}
}

/// Counts and tells what happens. Clones are cheap and count together.
#[derive(Clone)]
pub struct Telemetry(Arc<Inner>);

struct Inner {
    recorder: PrometheusRecorder,
    handle: PrometheusHandle,
    service: ServiceMeters,
    clients: Mutex<BTreeMap<ClientName, ClientMeters>>,
    primaries: Mutex<BTreeMap<PrimaryName, PrimaryMeters>>,
    gates: Gates,
    crowd: Crowd,
    now: AtomicU64,
    pulse: Pulse,
}

impl Default for Telemetry {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Telemetry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Telemetry")
    }
}

impl Telemetry {
    /// A fresh set of metrics, all at zero.
    #[must_use]
    pub fn new() -> Self {
        let recorder = names::recorder();
        let gates = Gates::default();
        let service = ServiceMeters::new(&Registrar { recorder: &recorder, gates: &gates });
        let handle = recorder.handle();
        Self(Arc::new(Inner {
            recorder,
            handle,
            service,
            clients: Mutex::default(),
            primaries: Mutex::default(),
            gates,
            crowd: Crowd::default(),
            now: AtomicU64::new(0),
            pulse: Pulse::default(),
        }))
    }

    /// Counts a happening and writes its line.
    #[inline]
    pub fn emit(&self, happening: impl Happening) {
        happening.tell(self);
    }

    /// The kept handles of one client: made once, then a look-up; keep the result beside the client's secret.
    #[must_use]
    pub fn client(&self, name: &ClientName) -> ClientMeters {
        lock(&self.0.clients)
            .entry(name.clone())
            .or_insert_with(|| ClientMeters::new(&self.registrar(), name.as_str()))
            .clone()
    }

    /// Whether this process has its share of the processor (rules A5).
    #[must_use]
    pub fn pulse(&self) -> &Pulse {
        &self.0.pulse
    }

    /// The handles of senders that no `[client]` names.
    #[must_use]
    pub fn unknown_client(&self) -> &ClientMeters {
        &self.0.service.unknown_client
    }

    /// The kept handles of one primary.
    #[must_use]
    pub fn primary(&self, name: &PrimaryName) -> PrimaryMeters {
        lock(&self.0.primaries)
            .entry(name.clone())
            .or_insert_with(|| PrimaryMeters::new(&self.registrar(), name.as_str()))
            .clone()
    }

    /// The page for Prometheus.
    #[must_use]
    pub fn render(&self) -> String {
        self.0.handle.render()
    }

    /// To be called every five seconds with the present tick: histograms are drained (without it their samples pile up in
    /// memory, metrics-rs/metrics#467), the limiter's minute moves on, and what floods left out is told as a number.
    pub fn upkeep(&self, now: Tick) {
        self.0.now.store(now.0, Ordering::Relaxed);
        self.0.handle.run_upkeep();
        self.0.gates.settle(now);
        self.0.crowd.settle(now);
    }

    /// The tick of the last upkeep: good enough for a limit of one line a minute.
    fn now(&self) -> Tick {
        Tick(self.0.now.load(Ordering::Relaxed))
    }

    fn service(&self) -> &ServiceMeters {
        &self.0.service
    }

    fn gate(&self, what: &'static str, subject: &str) -> Arc<Gate> {
        self.0.gates.gate(what, subject)
    }

    /// Whether a line of what a stranger caused may be written, and how many were left out before it (rules G1).
    fn once_a_while(&self, what: &'static str, group: &str, subject: impl std::hash::Hash) -> Option<u64> {
        self.0.crowd.admit(what, group, subject, self.now())
    }

    fn registrar(&self) -> Registrar<'_> {
        Registrar { recorder: &self.0.recorder, gates: &self.0.gates }
    }
}

/// Makes handles: the one place that turns a name and labels into a metric.
struct Registrar<'a> {
    recorder: &'a PrometheusRecorder,
    gates: &'a Gates,
}

const METADATA: Metadata<'static> = Metadata::new("vestibule", Level::INFO, None);

impl Registrar<'_> {
    fn counter(&self, name: MetricName, labels: &[(&'static str, &str)]) -> Counter {
        self.recorder.register_counter(&key(name, labels), &METADATA)
    }

    fn gauge(&self, name: MetricName, labels: &[(&'static str, &str)]) -> Gauge {
        self.recorder.register_gauge(&key(name, labels), &METADATA)
    }

    fn histogram(&self, name: MetricName, labels: &[(&'static str, &str)]) -> Histogram {
        self.recorder.register_histogram(&key(name, labels), &METADATA)
    }

    fn gate(&self, what: &'static str, subject: &str) -> Arc<Gate> {
        self.gates.gate(what, subject)
    }
}

fn key(name: MetricName, labels: &[(&'static str, &str)]) -> Key {
    let labels: Vec<Label> = labels.iter().map(|(key, value)| Label::new(*key, (*value).to_owned())).collect();
    Key::from_parts(name.as_str(), labels)
}

/// A panic elsewhere leaves plain counters behind, never a broken invariant.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
