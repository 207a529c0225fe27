//! Kept handles: a metric whose labels are looked up once, so that counting on the packet path is one atomic addition.
//!
//! Per client, per primary, and one set for the service. Clones share their counts. Nothing here writes a line.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use login::{Method, Reason};
use metrics::{Counter, Gauge, Histogram};

use super::happenings::{AnswerCode, FactorResult, PrimaryResult, UnsentReason};
use super::{DropReason, Gate, MetricName, Registrar, ReplyDrop};

/// The label of senders that no `[client]` names; a configured name can't look like it.
const UNKNOWN: &str = "(unknown)";

/// Reasons that alerts watch stand on the page at 0 from the start: Prometheus sees no increase in a counter that begins at 1.
const WATCHED: [Reason; 11] = [
    Reason::Accepted,
    Reason::Primary,
    Reason::WrongCode,
    Reason::CodeAhead,
    Reason::SpentCode,
    Reason::CodesLocked,
    Reason::Denied,
    Reason::Fraud,
    Reason::WrongNumber,
    Reason::NameHeld,
    Reason::AddressHeld,
];

/// What is counted for one client.
#[derive(Clone)]
pub struct ClientMeters(Arc<ClientInner>);

struct ClientInner {
    name: Box<str>,
    requests: Counter,
    retransmits: Counter,
    joins: Counter,
    suspect_secret: (Counter, Arc<Gate>),
    answers: [Counter; AnswerCode::ALL.len()],
    drops: [(Counter, Arc<Gate>); DropReason::ALL.len()],
    /// By reason, as they come: most clients see few of them.
    logins: Mutex<BTreeMap<Reason, Counter>>,
}

impl ClientMeters {
    pub(super) fn new(registrar: &Registrar<'_>, name: &str) -> Self {
        let counter = |metric| registrar.counter(metric, &[("client", name)]);
        Self(Arc::new(ClientInner {
            name: name.into(),
            requests: counter(MetricName::Requests),
            retransmits: counter(MetricName::Retransmits),
            joins: counter(MetricName::Joins),
            suspect_secret: (counter(MetricName::SuspectSecret), registrar.gate("password that does not decode", name)),
            answers: AnswerCode::ALL
                .map(|code| registrar.counter(MetricName::Answers, &[("client", name), ("code", code.as_str())])),
            drops: DropReason::ALL.map(|reason| dropped(registrar, name, reason)),
            logins: Mutex::new(WATCHED.into_iter().map(|reason| (reason, ended(registrar, name, reason))).collect()),
        }))
    }

    /// The client's name as it stands in metrics and logs.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.0.name
    }

    pub(super) fn requests(&self) -> &Counter {
        &self.0.requests
    }

    pub(super) fn retransmits(&self) -> &Counter {
        &self.0.retransmits
    }

    pub(super) fn joins(&self) -> &Counter {
        &self.0.joins
    }

    pub(super) fn suspect_secret(&self) -> (&Counter, &Gate) {
        (&self.0.suspect_secret.0, &self.0.suspect_secret.1)
    }

    pub(super) fn answers(&self, code: AnswerCode) -> &Counter {
        let [accept, reject, challenge, status, accounting] = &self.0.answers;
        match code {
            AnswerCode::Accept => accept,
            AnswerCode::Reject => reject,
            AnswerCode::Challenge => challenge,
            AnswerCode::Status => status,
            AnswerCode::Accounting => accounting,
        }
    }

    pub(super) fn drops(&self, reason: DropReason) -> Option<&(Counter, Arc<Gate>)> {
        DropReason::ALL.iter().position(|each| *each == reason).and_then(|at| self.0.drops.get(at))
    }

    pub(super) fn logins(&self, registrar: &Registrar<'_>, reason: Reason) -> Counter {
        super::lock(&self.0.logins).entry(reason).or_insert_with(|| ended(registrar, self.name(), reason)).clone()
    }
}

impl fmt::Debug for ClientMeters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ClientMeters({})", self.name())
    }
}

fn ended(registrar: &Registrar<'_>, name: &str, reason: Reason) -> Counter {
    registrar.counter(MetricName::Logins, &[("client", name), ("reason", reason.as_str())])
}

fn dropped(registrar: &Registrar<'_>, name: &str, reason: DropReason) -> (Counter, Arc<Gate>) {
    let labels = [("client", name), ("reason", reason.as_str())];
    (registrar.counter(MetricName::Drops, &labels), registrar.gate(reason.what(), name))
}

/// What is counted for one primary.
#[derive(Clone)]
pub struct PrimaryMeters(Arc<PrimaryInner>);

struct PrimaryInner {
    name: Box<str>,
    seconds: [Histogram; PrimaryResult::ALL.len()],
    in_flight: Gauge,
    down: Gauge,
    bad_replies: Counter,
    bad_reply_gate: Arc<Gate>,
    drops: [Counter; ReplyDrop::ALL.len()],
}

impl PrimaryMeters {
    pub(super) fn new(registrar: &Registrar<'_>, name: &str) -> Self {
        let primary = [("primary", name)];
        Self(Arc::new(PrimaryInner {
            name: name.into(),
            seconds: PrimaryResult::ALL.map(|result| {
                registrar.histogram(MetricName::PrimarySeconds, &[("primary", name), ("result", result.as_str())])
            }),
            in_flight: registrar.gauge(MetricName::UpstreamInFlight, &primary),
            down: registrar.gauge(MetricName::UpstreamDown, &primary),
            bad_replies: registrar.counter(MetricName::UpstreamBadReplies, &primary),
            bad_reply_gate: registrar.gate("reply from upstream that can't be believed", name),
            drops: ReplyDrop::ALL.map(|reason| {
                registrar.counter(MetricName::UpstreamDrops, &[("primary", name), ("reason", reason.as_str())])
            }),
        }))
    }

    /// The primary's name as it stands in metrics and logs.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// One more request waits for an answer, until the guard is dropped: also when its task panics or is cancelled.
    #[must_use]
    pub fn in_flight(&self) -> InFlight {
        self.0.in_flight.increment(1.0);
        InFlight(self.0.in_flight.clone())
    }

    pub(super) fn answered(&self, result: PrimaryResult, took: Duration) {
        let [accept, reject, challenge, unavailable] = &self.0.seconds;
        let histogram = match result {
            PrimaryResult::Accept => accept,
            PrimaryResult::Reject => reject,
            PrimaryResult::Challenge => challenge,
            PrimaryResult::Unavailable => unavailable,
        };
        histogram.record(took.as_secs_f64());
    }

    pub(super) fn down(&self) -> &Gauge {
        &self.0.down
    }

    pub(super) fn dropped(&self, reason: ReplyDrop) -> Option<&Counter> {
        ReplyDrop::ALL.iter().position(|each| *each == reason).and_then(|at| self.0.drops.get(at))
    }

    pub(super) fn bad_replies(&self) -> (&Counter, &Gate) {
        (&self.0.bad_replies, &self.0.bad_reply_gate)
    }
}

impl fmt::Debug for PrimaryMeters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PrimaryMeters({})", self.name())
    }
}

/// A request that waits for a primary; dropping it takes it off the gauge.
pub struct InFlight(Gauge);

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.decrement(1.0);
    }
}

impl fmt::Debug for InFlight {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("InFlight")
    }
}

/// What is counted for the service as a whole.
pub(super) struct ServiceMeters {
    pub(super) unknown_client: ClientMeters,
    pub(super) held: Gauge,
    pub(super) prompts: [(Method, Counter); Method::ALL.len()],
    pub(super) prompts_avoided: Counter,
    pub(super) factors: Vec<(Method, FactorResult, Histogram)>,
    pub(super) commits: Histogram,
    pub(super) reloaded: Counter,
    pub(super) reload_refused: Counter,
    pub(super) store_troubles: Counter,
    pub(super) audit_troubles: Counter,
    pub(super) webhook_troubles: Counter,
    pub(super) webpush_troubles: Counter,
    pub(super) mail_troubles: Counter,
    pub(super) certificate_troubles: Counter,
    unsent: [(Counter, Arc<Gate>); UnsentReason::ALL.len()],
}

impl ServiceMeters {
    pub(super) fn new(registrar: &Registrar<'_>) -> Self {
        registrar.gauge(MetricName::BuildInfo, &[("version", env!("CARGO_PKG_VERSION"))]).set(1.0);
        let trouble = |service| registrar.counter(MetricName::Troubles, &[("service", service)]);
        Self {
            unknown_client: ClientMeters::new(registrar, UNKNOWN),
            held: registrar.gauge(MetricName::HeldSessions, &[]),
            prompts: Method::ALL
                .map(|method| (method, registrar.counter(MetricName::Prompts, &[("method", method.as_str())]))),
            prompts_avoided: registrar.counter(MetricName::PromptsAvoided, &[]),
            factors: factors(registrar),
            commits: registrar.histogram(MetricName::CommitSeconds, &[]),
            reloaded: registrar.counter(MetricName::Reloads, &[("result", "taken")]),
            reload_refused: registrar.counter(MetricName::Reloads, &[("result", "refused")]),
            store_troubles: trouble("store"),
            audit_troubles: trouble("audit"),
            webhook_troubles: trouble("webhook"),
            webpush_troubles: trouble("webpush"),
            mail_troubles: trouble("mail"),
            certificate_troubles: trouble("certificate"),
            unsent: UnsentReason::ALL.map(|reason| {
                let counter = registrar.counter(MetricName::Unsent, &[("reason", reason.as_str())]);
                (counter, registrar.gate("answer that could not be sent", reason.as_str()))
            }),
        }
    }

    pub(super) fn unsent(&self, reason: UnsentReason) -> (&Counter, &Gate) {
        let [overload, refused] = &self.unsent;
        let (counter, gate) = match reason {
            UnsentReason::Overload => overload,
            UnsentReason::Refused => refused,
        };
        (counter, gate)
    }
}

fn factors(registrar: &Registrar<'_>) -> Vec<(Method, FactorResult, Histogram)> {
    let of = |method: Method, result: FactorResult| {
        let labels = [("method", method.as_str()), ("result", result.as_str())];
        (method, result, registrar.histogram(MetricName::FactorSeconds, &labels))
    };
    Method::ALL.into_iter().flat_map(|method| FactorResult::ALL.map(|result| of(method, result))).collect()
}
