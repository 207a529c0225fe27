//! What happens to the services around a login: primaries, store, audit, webhook, the policy, the process.
//!
//! Troubles are told at once, then once a minute; each line says what was being done, what went wrong, and what to do next.

use std::fmt::Display;
use std::net::SocketAddr;
use std::time::Duration;

use super::{SENTENCE, and_more, spoken};
use crate::telemetry::{Happening, MetricName, PrimaryMeters, ReplyDrop, Telemetry, sealed};

/// What a primary answered, in `vestibule_primary_seconds`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PrimaryResult {
    /// The password is right.
    Accept,
    /// It is not.
    Reject,
    /// It asks something itself (rules E4).
    Challenge,
    /// No server of it answered.
    Unavailable,
}

impl PrimaryResult {
    /// Every result.
    pub const ALL: [Self; 4] = [Self::Accept, Self::Reject, Self::Challenge, Self::Unavailable];

    /// The word in metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Accept => "accept",
            Self::Reject => "reject",
            Self::Challenge => "challenge",
            Self::Unavailable => "unavailable",
        }
    }
}

/// A primary answered, or gave no answer.
#[derive(Debug)]
pub struct PrimaryAnswered<'a> {
    /// Which.
    pub primary: &'a PrimaryMeters,
    /// What.
    pub result: PrimaryResult,
    /// From the first transmission to the end.
    pub took: Duration,
}

impl sealed::Sealed for PrimaryAnswered<'_> {}
impl Happening for PrimaryAnswered<'_> {
    fn tell(self, _: &Telemetry) {
        self.primary.answered(self.result, self.took);
    }
}

/// A server of a primary is considered dead. Each is told once, and once more when it is back: [`PrimaryUp`].
#[derive(Debug)]
pub struct PrimaryDown<'a> {
    /// Which primary.
    pub primary: &'a PrimaryMeters,
    /// Which of its servers, as the configuration names it: a name that does not resolve has no address.
    pub server: &'a str,
    /// Why.
    pub why: &'a str,
    /// It is not asked for so long.
    pub pause: Duration,
}

impl sealed::Sealed for PrimaryDown<'_> {}
impl Happening for PrimaryDown<'_> {
    fn tell(self, _: &Telemetry) {
        self.primary.down().increment(1.0);
        let (primary, server, why, pause) = (self.primary.name(), self.server, self.why, spoken(self.pause));
        tracing::warn!(
            target: SENTENCE, primary, server, why,
            "{primary}: {server} is dead for {pause}: {why}. What to do: check that it runs, knows this host as a client, and has the same secret"
        );
    }
}

/// A server that was dead answers again.
#[derive(Debug)]
pub struct PrimaryUp<'a> {
    /// Which primary.
    pub primary: &'a PrimaryMeters,
    /// Which of its servers, as the configuration names it: a name that does not resolve has no address.
    pub server: &'a str,
}

impl sealed::Sealed for PrimaryUp<'_> {}
impl Happening for PrimaryUp<'_> {
    fn tell(self, _: &Telemetry) {
        self.primary.down().decrement(1.0);
        let (primary, server) = (self.primary.name(), self.server);
        tracing::info!(target: SENTENCE, primary, server, "{primary}: {server} answers again");
    }
}

/// A reply of an upstream was dropped, for whatever reason (rules E6).
#[derive(Debug)]
pub struct UpstreamDropped<'a> {
    /// Which primary.
    pub primary: &'a PrimaryMeters,
    /// Why.
    pub reason: ReplyDrop,
}

impl sealed::Sealed for UpstreamDropped<'_> {}
impl Happening for UpstreamDropped<'_> {
    fn tell(self, _: &Telemetry) {
        if let Some(counter) = self.primary.dropped(self.reason) {
            counter.increment(1);
        }
    }
}

/// A reply of an upstream that can't be believed; the pending request is not disturbed (rules E1).
pub struct UpstreamBadReply<'a> {
    /// Which primary.
    pub primary: &'a PrimaryMeters,
    /// Which of its servers, as the configuration names it.
    pub server: &'a str,
    /// What is wrong with it; never its content.
    pub why: &'a dyn Display,
}

impl sealed::Sealed for UpstreamBadReply<'_> {}
impl Happening for UpstreamBadReply<'_> {
    fn tell(self, telemetry: &Telemetry) {
        let (counter, gate) = self.primary.bad_replies();
        counter.increment(1);
        if let Some(more) = gate.admit(telemetry.now()) {
            let (primary, server, more) = (self.primary.name(), self.server, and_more(more));
            let why = wire::log_safe(self.why.to_string().as_bytes());
            tracing::warn!(
                target: SENTENCE, primary, server, why,
                "{primary}: a reply from {server} is not believed: {why}. What to do: compare the secret on both sides; if it fits, somebody forges replies{more}"
            );
        }
    }
}

/// The store committed.
#[derive(Debug)]
pub struct Committed {
    /// From the first waiter to the answer.
    pub took: Duration,
}

impl sealed::Sealed for Committed {}
impl Happening for Committed {
    fn tell(self, telemetry: &Telemetry) {
        telemetry.service().commits.record(self.took.as_secs_f64());
    }
}

/// The store can't be read or written: no Accept leaves meanwhile (rules A5).
pub struct StoreTrouble<'a> {
    /// What was being done.
    pub doing: &'a str,
    /// What went wrong and what to do next.
    pub error: &'a dyn Display,
}

impl sealed::Sealed for StoreTrouble<'_> {}
impl Happening for StoreTrouble<'_> {
    fn tell(self, telemetry: &Telemetry) {
        telemetry.service().store_troubles.increment(1);
        trouble(telemetry, "store", self.doing, self.error);
    }
}

/// The store answers again.
#[derive(Debug)]
pub struct StoreRecovered;

impl sealed::Sealed for StoreRecovered {}
impl Happening for StoreRecovered {
    fn tell(self, _: &Telemetry) {
        tracing::info!(target: SENTENCE, service = "store", "the store answers again");
    }
}

/// How much room the store takes, and how much is left.
#[derive(Debug)]
pub struct StoreSpace {
    /// Octets of the store.
    pub used: u64,
    /// Octets that are free beside it.
    pub free: u64,
    /// Somebody should make room.
    pub is_little: bool,
}

impl sealed::Sealed for StoreSpace {}
impl Happening for StoreSpace {
    #[expect(clippy::cast_precision_loss, reason = "a gauge is a double, and nobody reads a disk to the octet")]
    fn tell(self, telemetry: &Telemetry) {
        let gauge = |name| telemetry.registrar().gauge(name, &[]);
        gauge(MetricName::StoreBytes).set(self.used as f64);
        gauge(MetricName::DiskFree).set(self.free as f64);
        gauge(MetricName::DiskLow).set(f64::from(u8::from(self.is_little)));
    }
}

/// The disk under the store has little room left.
#[derive(Debug)]
pub struct DiskFills {
    /// Octets of the store.
    pub used: u64,
    /// Octets that are free beside it.
    pub free: u64,
    /// Octets of the disk.
    pub all: u64,
}

impl sealed::Sealed for DiskFills {}
impl Happening for DiskFills {
    fn tell(self, _: &Telemetry) {
        let [used, free, all] = [self.used, self.free, self.all].map(|octets| octets >> 20);
        tracing::warn!(
            target: SENTENCE, service = "store", used_mib = used, free_mib = free, disk_mib = all,
            "the disk under the store has {free} of {all} MiB left, and the store takes {used}; with none left nobody gets in. What to do: \
             make room there, or let the store keep less: [audit] keep_at_most and keep"
        );
    }
}

/// Records were kept long enough.
#[derive(Debug)]
pub struct RecordsCut {
    /// So many.
    pub records: u64,
}

impl sealed::Sealed for RecordsCut {}
impl Happening for RecordsCut {
    fn tell(self, _: &Telemetry) {
        let records = self.records;
        tracing::info!(
            target: SENTENCE, service = "store", records,
            "{records} old records were cut off ([audit] keep, keep_at_most); what is left of the chain is whole"
        );
    }
}

/// The audit file can't be written; nothing is lost, the feed waits in the store (rules F2).
pub struct AuditTrouble<'a> {
    /// What was being done.
    pub doing: &'a str,
    /// What went wrong and what to do next.
    pub error: &'a dyn Display,
}

impl sealed::Sealed for AuditTrouble<'_> {}
impl Happening for AuditTrouble<'_> {
    fn tell(self, telemetry: &Telemetry) {
        telemetry.service().audit_troubles.increment(1);
        trouble(telemetry, "audit", self.doing, self.error);
    }
}

/// The push webhook failed.
pub struct WebhookTrouble<'a> {
    /// What went wrong; never the key or the body.
    pub error: &'a dyn Display,
}

impl sealed::Sealed for WebhookTrouble<'_> {}
impl Happening for WebhookTrouble<'_> {
    fn tell(self, telemetry: &Telemetry) {
        telemetry.service().webhook_troubles.increment(1);
        trouble(telemetry, "webhook", "telling the site's notifier of a prompt", self.error);
    }
}

/// What came of a message that wakes a phone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WebPushResult {
    /// The push service has it; whether anybody saw it is not known.
    Taken,
    /// The phone's subscription is no more (404, 410).
    Gone,
    /// The push service does not take what we send.
    Refused,
    /// It wants no more for now (429).
    Busy,
    /// It can't be reached, does not answer or fails (5xx).
    Away,
    /// None left, or nobody knows what became of it: an endpoint out of bounds, a limit of ours, a prompt that ended.
    Unsent,
}

impl WebPushResult {
    /// Every one, in the order above.
    pub const ALL: [Self; 6] = [Self::Taken, Self::Gone, Self::Refused, Self::Busy, Self::Away, Self::Unsent];

    /// The value of the label.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Taken => "taken",
            Self::Gone => "gone",
            Self::Refused => "refused",
            Self::Busy => "busy",
            Self::Away => "away",
            Self::Unsent => "unsent",
        }
    }
}

impl sealed::Sealed for WebPushResult {}
impl Happening for WebPushResult {
    fn tell(self, telemetry: &Telemetry) {
        let result = [("result", self.as_str())];
        telemetry.registrar().counter(MetricName::WebPushes, &result).increment(1);
        tracing::debug!(service = "webpush", result = self.as_str(), "a message to wake a phone");
    }
}

/// A push service does not take what wakes a phone. Told at once, then once a minute for each entry of the allow-list: hosts
/// are what phones say, and phones must not be able to fill the log.
pub struct WebPushTrouble<'a> {
    /// Which entry of the allow-list the push service is known by.
    pub known_by: &'a str,
    /// Its host.
    pub host: &'a str,
    /// What went wrong and what to do next; never the endpoint's path or a key.
    pub error: &'a dyn Display,
}

impl sealed::Sealed for WebPushTrouble<'_> {}
impl Happening for WebPushTrouble<'_> {
    fn tell(self, telemetry: &Telemetry) {
        telemetry.service().webpush_troubles.increment(1);
        if let Some(more) = telemetry.gate("waking a phone by Web Push", self.known_by).admit(telemetry.now()) {
            let host = wire::log_safe(self.host.as_bytes());
            let (error, more) = (wire::log_safe(self.error.to_string().as_bytes()), and_more(more));
            tracing::error!(
                target: SENTENCE, service = "webpush", host, error,
                "webpush: waking a phone through {host} failed: {error}{more}"
            );
        }
    }
}

/// A letter was not delivered, or the outbox could not be read.
pub struct MailTrouble<'a> {
    /// What went wrong; never the letter or the password.
    pub error: &'a dyn Display,
}

impl sealed::Sealed for MailTrouble<'_> {}
impl Happening for MailTrouble<'_> {
    fn tell(self, telemetry: &Telemetry) {
        telemetry.service().mail_troubles.increment(1);
        trouble(telemetry, "mail", "sending a letter", self.error);
    }
}

fn trouble(telemetry: &Telemetry, service: &'static str, doing: &str, error: &dyn Display) {
    if let Some(more) = telemetry.gate("trouble", service).admit(telemetry.now()) {
        let (error, more) = (wire::log_safe(error.to_string().as_bytes()), and_more(more));
        tracing::error!(target: SENTENCE, service, doing, error, "{service}: {doing} failed: {error}{more}");
    }
}

/// A new policy is in force.
#[derive(Debug)]
pub struct Reloaded<'a> {
    /// What changed, a line each.
    pub changes: &'a [String],
}

impl sealed::Sealed for Reloaded<'_> {}
impl Happening for Reloaded<'_> {
    fn tell(self, telemetry: &Telemetry) {
        telemetry.service().reloaded.increment(1);
        let changes = if self.changes.is_empty() { "nothing changed".to_owned() } else { self.changes.join("; ") };
        let changes = printable(&changes);
        tracing::info!(target: SENTENCE, changes, "policy reloaded: {changes}");
    }
}

/// A new policy was refused; the one in force stays (rules G2).
#[derive(Debug)]
pub struct ReloadRefused<'a> {
    /// The mistakes, a line each.
    pub mistakes: &'a [String],
}

impl sealed::Sealed for ReloadRefused<'_> {}
impl Happening for ReloadRefused<'_> {
    fn tell(self, telemetry: &Telemetry) {
        telemetry.service().reload_refused.increment(1);
        let mistakes = printable(&self.mistakes.join("; "));
        tracing::error!(
            target: SENTENCE, mistakes,
            "policy refused, the one in force stays: {mistakes}. What to do: mend the file, try it with `vestibule check`, reload again"
        );
    }
}

/// The service listens.
#[derive(Debug)]
pub struct Started<'a> {
    /// Where RADIUS is answered.
    pub radius: &'a [SocketAddr],
    /// Where metrics and health are served.
    pub metrics: Option<SocketAddr>,
    /// How many clients the policy knows.
    pub clients: usize,
    /// How many rules it has.
    pub rules: usize,
}

impl sealed::Sealed for Started<'_> {}
impl Happening for Started<'_> {
    fn tell(self, _: &Telemetry) {
        let radius = self.radius.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        let metrics = self.metrics.map(|at| format!(", metrics on http://{at}/metrics")).unwrap_or_default();
        let (version, clients, rules) = (env!("CARGO_PKG_VERSION"), self.clients, self.rules);
        tracing::info!(
            target: SENTENCE, radius, version, clients, rules,
            "vestibule {version} answers RADIUS on {radius}{metrics}; clients: {clients}, rules: {rules}"
        );
    }
}

/// The service stops taking new logins and drains (rules G3).
#[derive(Debug)]
pub struct Stopping {
    /// Logins that are held now.
    pub held: usize,
    /// How long they have.
    pub within: Duration,
}

impl sealed::Sealed for Stopping {}
impl Happening for Stopping {
    fn tell(self, _: &Telemetry) {
        let (held, within) = (self.held, spoken(self.within));
        tracing::info!(target: SENTENCE, held, "stopping: {held} held logins have {within} to finish");
    }
}

/// Long texts of our own keep their length, but never break the line.
fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}
