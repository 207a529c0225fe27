//! The metrics' names, said once, with their help texts and the buckets of the histograms.
//!
//! A name here is a promise to dashboards and alerts (`deploy/`): a test renders them all. Labels are clients, primaries,
//! methods and closed sets of words; never a user, a station or an address (rules F6).

use metrics::{KeyName, Recorder, Unit};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusRecorder};

/// A metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MetricName {
    /// Packets that a known client sent, or that came from an unknown address.
    Requests,
    /// Packets that got no answer, by reason (rules E6).
    Drops,
    /// Answers that were sent, by code.
    Answers,
    /// Logins that ended, by reason.
    Logins,
    /// How long a primary took.
    PrimarySeconds,
    /// How long a person's phone or code took.
    FactorSeconds,
    /// Logins that are held now.
    HeldSessions,
    /// Retransmits, absorbed or answered again (rules B1).
    Retransmits,
    /// Requests that joined a held login (rules B2).
    Joins,
    /// Prompts that left for a phone.
    Prompts,
    /// Prompts that one login would have caused and did not.
    PromptsAvoided,
    /// Messages by which a phone's page is woken, by what came of them.
    WebPushes,
    /// Requests that wait for a primary's answer now.
    UpstreamInFlight,
    /// Answers that were ready and could not leave (rules E6).
    Unsent,
    /// Replies of an upstream that were dropped (rules E6).
    UpstreamDrops,
    /// Replies of an upstream that could not be believed (rules E1).
    UpstreamBadReplies,
    /// Primaries' servers that are dead now.
    UpstreamDown,
    /// Passwords that decode to control octets: probably another secret (rules D5).
    SuspectSecret,
    /// Names and addresses that were held back after too many wrong passwords (rules D7).
    Shield,
    /// How long the store's commits take.
    CommitSeconds,
    /// Policies that were swapped in or refused.
    Reloads,
    /// Failures of a service beside the login's way: store, audit, webhook, Web Push, mail, certificate.
    Troubles,
    /// Connections to pages that were closed before a request.
    PageRefusals,
    /// Passwords and factors that were tried at a sign-in.
    SignIns,
    /// Requests to pages that were not allowed or not genuine.
    PagesDenied,
    /// Requests of phones that changed nothing.
    PhoneRefusals,
    /// When the certificate of pages ends.
    CertificateEnds,
    /// Always 1; its label tells the version.
    BuildInfo,
}

/// How a metric is kept.
#[derive(Clone, Copy)]
enum Kind {
    Counter,
    Gauge,
    Seconds(&'static [f64]),
}

/// A server answers in milliseconds, a person in seconds, and no wait is longer than the prompt's 120 s (rules B5).
const SERVER_BUCKETS: &[f64] = &[0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0];
const PERSON_BUCKETS: &[f64] =
    &[0.05, 0.1, 0.5, 1.0, 2.0, 3.0, 5.0, 7.5, 10.0, 15.0, 20.0, 30.0, 45.0, 60.0, 90.0, 120.0];
const COMMIT_BUCKETS: &[f64] =
    &[0.000_25, 0.000_5, 0.001, 0.002, 0.004, 0.008, 0.016, 0.032, 0.064, 0.125, 0.25, 0.5, 1.0, 5.0];

impl MetricName {
    /// Every metric, in the order of the page.
    pub const ALL: [Self; 28] = [
        Self::Requests,
        Self::Drops,
        Self::Answers,
        Self::Logins,
        Self::PrimarySeconds,
        Self::FactorSeconds,
        Self::HeldSessions,
        Self::Retransmits,
        Self::Joins,
        Self::Prompts,
        Self::PromptsAvoided,
        Self::WebPushes,
        Self::UpstreamInFlight,
        Self::Unsent,
        Self::UpstreamDrops,
        Self::UpstreamBadReplies,
        Self::UpstreamDown,
        Self::SuspectSecret,
        Self::Shield,
        Self::CommitSeconds,
        Self::Reloads,
        Self::Troubles,
        Self::PageRefusals,
        Self::SignIns,
        Self::PagesDenied,
        Self::PhoneRefusals,
        Self::CertificateEnds,
        Self::BuildInfo,
    ];

    /// The name as Prometheus sees it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Requests => "vestibule_requests_total",
            Self::Drops => "vestibule_drops_total",
            Self::Answers => "vestibule_answers_total",
            Self::Logins => "vestibule_logins_total",
            Self::PrimarySeconds => "vestibule_primary_seconds",
            Self::FactorSeconds => "vestibule_factor_seconds",
            Self::HeldSessions => "vestibule_held_sessions",
            Self::Retransmits => "vestibule_retransmits_total",
            Self::Joins => "vestibule_joins_total",
            Self::Prompts => "vestibule_prompts_total",
            Self::PromptsAvoided => "vestibule_prompts_avoided_total",
            Self::WebPushes => "vestibule_web_pushes_total",
            Self::UpstreamInFlight => "vestibule_upstream_in_flight",
            Self::Unsent => "vestibule_unsent_total",
            Self::UpstreamDrops => "vestibule_upstream_drops_total",
            Self::UpstreamBadReplies => "vestibule_upstream_bad_replies_total",
            Self::UpstreamDown => "vestibule_upstream_down",
            Self::SuspectSecret => "vestibule_suspect_secret_total",
            Self::Shield => "vestibule_shield_total",
            Self::CommitSeconds => "vestibule_commit_seconds",
            Self::Reloads => "vestibule_reloads_total",
            Self::Troubles => "vestibule_troubles_total",
            Self::PageRefusals => "vestibule_page_refusals_total",
            Self::SignIns => "vestibule_sign_ins_total",
            Self::PagesDenied => "vestibule_page_denials_total",
            Self::PhoneRefusals => "vestibule_phone_refusals_total",
            Self::CertificateEnds => "vestibule_certificate_ends_timestamp_seconds",
            Self::BuildInfo => "vestibule_build_info",
        }
    }

    const fn help(self) -> &'static str {
        match self {
            Self::Requests => "Packets received, by client.",
            Self::Drops => "Packets that got no answer, by client and reason.",
            Self::Answers => "Answers sent, by client and code.",
            Self::Logins => "Logins that ended, by client and reason.",
            Self::PrimarySeconds => "How long the first-factor server took, by primary and result.",
            Self::FactorSeconds => "How long the second factor took, by method and result.",
            Self::HeldSessions => "Logins that are held now.",
            Self::Retransmits => "Retransmitted requests, absorbed or answered with the same bytes, by client.",
            Self::Joins => "Requests that joined a login already held, by client.",
            Self::Prompts => "Prompts sent to phones, by method.",
            Self::PromptsAvoided => "Prompts that a login already held made needless.",
            Self::WebPushes => "Web Push messages, by result: what the push service said, or why none left.",
            Self::UpstreamInFlight => "Requests that wait for the first-factor server now, by primary.",
            Self::Unsent => "Answers that could not be sent, by reason; the appliance's repetition gets the same.",
            Self::UpstreamDrops => "Replies from upstream that were dropped, by primary and reason.",
            Self::UpstreamBadReplies => "Replies from upstream that failed verification, by primary.",
            Self::UpstreamDown => "Servers of a primary that are considered dead now, by primary.",
            Self::SuspectSecret => {
                "Passwords that decoded to control octets, which a wrong shared secret causes, by client."
            }
            Self::Shield => {
                "Names and addresses that too many wrong passwords came from, by what (name, address) and by what was done (held, told)."
            }
            Self::CommitSeconds => "How long a commit of the store took.",
            Self::Reloads => "Reloads of the policy, by result.",
            Self::Troubles => {
                "Failures of the store, the audit file, the push webhook, Web Push, the mail or a certificate, by service."
            }
            Self::PageRefusals => "Connections to pages that were closed before a request, by pages and reason.",
            Self::SignIns => "Passwords and factors that were tried at a sign-in, by pages and result.",
            Self::PagesDenied => "Requests to pages that were not allowed or not genuine, by pages and reason.",
            Self::PhoneRefusals => "Requests of phones that changed nothing, by pages (page, store_app) and reason.",
            Self::CertificateEnds => {
                "When the certificate in force ends, in seconds since 1970, by pages; and the first of each file of certificates, by the key that names it."
            }
            Self::BuildInfo => "Always 1, with the version as a label.",
        }
    }

    const fn kind(self) -> Kind {
        match self {
            Self::Requests
            | Self::Drops
            | Self::Answers
            | Self::Logins
            | Self::Retransmits
            | Self::Joins
            | Self::Prompts
            | Self::PromptsAvoided
            | Self::WebPushes
            | Self::Unsent
            | Self::UpstreamDrops
            | Self::UpstreamBadReplies
            | Self::SuspectSecret
            | Self::Shield
            | Self::Reloads
            | Self::Troubles
            | Self::PageRefusals
            | Self::SignIns
            | Self::PagesDenied
            | Self::PhoneRefusals => Kind::Counter,
            Self::HeldSessions
            | Self::UpstreamInFlight
            | Self::UpstreamDown
            | Self::CertificateEnds
            | Self::BuildInfo => Kind::Gauge,
            Self::PrimarySeconds => Kind::Seconds(SERVER_BUCKETS),
            Self::FactorSeconds => Kind::Seconds(PERSON_BUCKETS),
            Self::CommitSeconds => Kind::Seconds(COMMIT_BUCKETS),
        }
    }
}

/// The recorder, with every metric described and every histogram's buckets set.
pub(super) fn recorder() -> PrometheusRecorder {
    let recorder = MetricName::ALL.into_iter().fold(PrometheusBuilder::new(), with_buckets).build_recorder();
    for name in MetricName::ALL {
        describe(&recorder, name);
    }
    recorder
}

/// Without buckets the exporter would make summaries, which can't be added up over nodes.
fn with_buckets(builder: PrometheusBuilder, name: MetricName) -> PrometheusBuilder {
    let Kind::Seconds(buckets) = name.kind() else { return builder };
    builder.set_buckets_for_metric(Matcher::Full(name.as_str().to_owned()), buckets).unwrap_or_else(|_| {
        unreachable!("only an empty list of buckets is refused, and these are constants with values")
    })
}

fn describe(recorder: &PrometheusRecorder, name: MetricName) {
    let key = KeyName::from_const_str(name.as_str());
    match name.kind() {
        Kind::Counter => recorder.describe_counter(key, None, name.help().into()),
        Kind::Gauge => recorder.describe_gauge(key, None, name.help().into()),
        Kind::Seconds(_) => recorder.describe_histogram(key, Some(Unit::Seconds), name.help().into()),
    }
}
