//! What happens to logins: held, joined, prompted, ended.
//!
//! An ended login is one line, the only one that names its user. A person reads the sentence, a machine the fields.

use std::time::Duration;

use login::{LoginId, Method, Reason, Record, RecordedAnswer, RecordedFactor};

use super::{SENTENCE, and_more, millis, spoken};
use crate::telemetry::{ClientMeters, Happening, Telemetry, sealed};

/// How many logins are held now.
#[derive(Debug)]
pub struct Held(pub usize);

impl sealed::Sealed for Held {}
impl Happening for Held {
    fn tell(self, telemetry: &Telemetry) {
        // Exact up to 2^32, far beyond any bound on held sessions.
        telemetry.service().held.set(f64::from(u32::try_from(self.0).unwrap_or(u32::MAX)));
    }
}

/// A request joined a login that is held (rules B2).
#[derive(Debug)]
pub struct Joined<'a> {
    /// Through which appliance.
    pub client: &'a ClientMeters,
    /// Which login.
    pub login: LoginId,
    /// That login's prompt was out: without the join this request would have been a second one.
    pub prompt_avoided: bool,
}

impl sealed::Sealed for Joined<'_> {}
impl Happening for Joined<'_> {
    fn tell(self, telemetry: &Telemetry) {
        self.client.joins().increment(1);
        if self.prompt_avoided {
            telemetry.service().prompts_avoided.increment(1);
        }
        let (client, login) = (self.client.name(), self.login);
        if let Some(more) = telemetry.gate("joined", client).admit(telemetry.now()) {
            let more = and_more(more);
            tracing::info!(
                target: SENTENCE, client, login = %login,
                "{client}: the same login was asked again and joins the one that is held{more}"
            );
        }
    }
}

/// A prompt left for a phone.
#[derive(Debug)]
pub struct PromptSent {
    /// By which method.
    pub method: Method,
    /// For which login.
    pub login: LoginId,
}

impl sealed::Sealed for PromptSent {}
impl Happening for PromptSent {
    fn tell(self, telemetry: &Telemetry) {
        telemetry
            .service()
            .prompts
            .iter()
            .filter(|(method, _)| *method == self.method)
            .for_each(|(_, counter)| counter.increment(1));
        tracing::debug!(target: SENTENCE, login = %self.login, method = self.method.as_str(), "prompt sent");
    }
}

/// How a second factor ended, in `vestibule_factor_seconds`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FactorResult {
    /// Right code, approved prompt.
    Accepted,
    /// Wrong or used code, denied prompt, fraud report.
    Refused,
    /// Nobody answered in time.
    Unanswered,
    /// The service could not be reached.
    Unavailable,
}

impl FactorResult {
    /// Every result.
    pub const ALL: [Self; 4] = [Self::Accepted, Self::Refused, Self::Unanswered, Self::Unavailable];

    /// The word in metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Refused => "refused",
            Self::Unanswered => "unanswered",
            Self::Unavailable => "unavailable",
        }
    }
}

/// A second factor ended.
#[derive(Debug)]
pub struct FactorAnswered {
    /// Which method.
    pub method: Method,
    /// How.
    pub result: FactorResult,
    /// From the asking to the end.
    pub took: Duration,
}

impl sealed::Sealed for FactorAnswered {}
impl Happening for FactorAnswered {
    fn tell(self, telemetry: &Telemetry) {
        let of = telemetry
            .service()
            .factors
            .iter()
            .find(|(method, result, _)| (*method, *result) == (self.method, self.result));
        if let Some((_, _, histogram)) = of {
            histogram.record(self.took.as_secs_f64());
        }
    }
}

/// A login ended: counted by reason, and told in its one line.
#[derive(Debug)]
pub struct LoginEnded<'a> {
    /// Through which appliance.
    pub client: &'a ClientMeters,
    /// What it came to.
    pub record: &'a Record,
    /// The user's name as it may be shown: hashed by the caller where nobody vouched for it (rules F2).
    pub user: &'a str,
}

impl sealed::Sealed for LoginEnded<'_> {}
impl Happening for LoginEnded<'_> {
    fn tell(self, telemetry: &Telemetry) {
        self.client.logins(&telemetry.registrar(), self.record.reason).increment(1);
        if let Some(more) = self.admitted(telemetry) {
            self.write(more);
        }
    }
}

/// A refusal like one that is written down already, such as another answer to a State that is spent: it is counted, and the
/// log and the audit have it once.
#[derive(Debug)]
pub struct RefusedAgain<'a> {
    /// Through which appliance.
    pub client: &'a ClientMeters,
    /// Why.
    pub reason: Reason,
}

impl sealed::Sealed for RefusedAgain<'_> {}
impl Happening for RefusedAgain<'_> {
    fn tell(self, telemetry: &Telemetry) {
        self.client.logins(&telemetry.registrar(), self.reason).increment(1);
        let (client, reason) = (self.client.name(), self.reason.as_str());
        tracing::debug!(target: SENTENCE, client, reason, "refused once more, as before");
    }
}

/// The one line, at the level that the happening deserves: a level is part of the call site and can't be a variable.
macro_rules! line {
    ($level:ident, $record:ident, $user:ident, $sentence:ident) => {
        tracing::$level!(
            target: SENTENCE,
            login = %$record.login,
            client = $record.client.as_str(),
            user = $user.as_str(),
            station = $record.station.as_ref().map(tracing::field::display),
            rule = $record.rule.as_ref().map(|rule| rule.as_str()),
            primary = $record.primary.as_ref().map(|primary| primary.as_str()),
            factor = factor_word($record.factor),
            answer = answer_word($record.answer),
            reason = $record.reason.as_str(),
            askers = $record.askers,
            waited_ms = millis($record.waited),
            waited_primary_ms = millis($record.waited_primary),
            waited_factor_ms = millis($record.waited_factor),
            "{}", $sentence
        )
    };
}

impl LoginEnded<'_> {
    /// Whether it has a line of its own; the number is how many were left out before it. Only what a stranger can cause is left out:
    /// a refusal before the primary's Accept, whose like was told within the minute, or of which there are too many (rules G1).
    fn admitted(&self, telemetry: &Telemetry) -> Option<u64> {
        let record = self.record;
        let is_strangers =
            record.answer != RecordedAnswer::Accept && !record.vouched && record.factor == RecordedFactor::None;
        if !is_strangers {
            return Some(0);
        }
        let station = record.station.as_ref().map(login::Station::octets);
        telemetry.once_a_while("logins refused", self.client.name(), (self.user, station, record.reason.as_str()))
    }

    fn write(&self, more: u64) {
        let record = self.record;
        let user = wire::log_safe(self.user.as_bytes());
        let sentence = sentence(record, &user) + &and_more(more);
        if record.reason == Reason::Fraud {
            line!(warn, record, user, sentence);
        } else {
            line!(info, record, user, sentence);
        }
    }
}

/// `alice via asa from 203.0.113.9: accepted in 2.1 s — rule "VPN", nps accepted, push approved`.
fn sentence(record: &Record, user: &str) -> String {
    let from = record.station.as_ref().map(|station| format!(" from {station}")).unwrap_or_default();
    let why = Some(format!("reason {}", record.reason.as_str())).filter(|_| record.answer != RecordedAnswer::Accept);
    let rule = record.rule.as_ref().map(|rule| format!("rule \"{}\"", wire::log_safe(rule.as_str().as_bytes())));
    let primary = record.primary.as_ref().map(|primary| format!("{primary} {}", primary_said(record)));
    let detail = record.detail.as_ref().map(|detail| wire::log_safe(detail.as_bytes()));
    let parts: Vec<String> = [why, rule, primary, factor_said(record), detail].into_iter().flatten().collect();
    let line = format!(
        "{user} via {}{from}: {} in {} — {}",
        record.client,
        answered(record.answer),
        spoken(record.waited),
        parts.join(", ")
    );
    match record.answer {
        RecordedAnswer::Accept => line,
        // What it means and what to do, in the words of `user show` and of the staff's page.
        RecordedAnswer::Reject | RecordedAnswer::None => format!("{line}. {}", record.reason.sentence()),
    }
}

fn answered(answer: RecordedAnswer) -> &'static str {
    match answer {
        RecordedAnswer::Accept => "accepted",
        RecordedAnswer::Reject => "refused",
        RecordedAnswer::None => "ended without an answer",
    }
}

fn answer_word(answer: RecordedAnswer) -> &'static str {
    match answer {
        RecordedAnswer::Accept => "accept",
        RecordedAnswer::Reject => "reject",
        RecordedAnswer::None => "none",
    }
}

fn factor_word(factor: RecordedFactor) -> &'static str {
    match factor {
        RecordedFactor::None => "none",
        RecordedFactor::Method(method) => method.as_str(),
        RecordedFactor::Exempt => "exempt",
        RecordedFactor::FailOpen => "fail_open",
        RecordedFactor::Bypass => "bypass",
    }
}

/// What the primary said, as far as the record tells it: its Accept vouches for the user, and without one it may have been
/// asked and not yet answered when something else ended the login.
fn primary_said(record: &Record) -> &'static str {
    if record.reason == Reason::Primary {
        "refused"
    } else if record.reason == Reason::PrimaryQuestion {
        "asked back"
    } else if record.reason == Reason::PrimaryUnavailable {
        "unavailable"
    } else if record.reason == Reason::Unusable {
        "answered what can't be used"
    } else if record.vouched {
        "accepted"
    } else {
        "asked"
    }
}

/// What came of the second factor: `push approved`, `totp refused`.
fn factor_said(record: &Record) -> Option<String> {
    match record.factor {
        RecordedFactor::None => None,
        RecordedFactor::Exempt => Some("exempt by the rule".to_owned()),
        RecordedFactor::FailOpen => Some("the rule fails open".to_owned()),
        RecordedFactor::Bypass => Some("a one-time bypass".to_owned()),
        RecordedFactor::Method(method) => Some(format!("{} {}", method.as_str(), method_said(method, record.reason))),
    }
}

fn method_said(method: Method, reason: Reason) -> &'static str {
    match reason {
        Reason::Accepted | Reason::Changed | Reason::PolicyChanged | Reason::TooLarge | Reason::ApprovedTooLate
            if method.is_code() =>
        {
            "accepted"
        }
        Reason::Accepted | Reason::Changed | Reason::PolicyChanged | Reason::TooLarge | Reason::ApprovedTooLate => {
            "approved"
        }
        Reason::WrongCode | Reason::NotACode | Reason::CodeAhead => "refused",
        Reason::SpentCode => "used before",
        Reason::CodesLocked => "off for a while",
        Reason::Denied => "denied",
        Reason::Fraud => "reported as fraud",
        Reason::WrongNumber => "a wrong number on the phone",
        Reason::Unanswered | Reason::Expired | Reason::PromptEnded => "unanswered",
        Reason::PushUnavailable => "unavailable",
        Reason::Name
        | Reason::Realm
        | Reason::Letters
        | Reason::LookAlike
        | Reason::Credential
        | Reason::SuspectSecret
        | Reason::EmptyPassword
        | Reason::Primary
        | Reason::PrimaryQuestion
        | Reason::NameHeld
        | Reason::AddressHeld
        | Reason::PrimaryUnavailable
        | Reason::Rule
        | Reason::NoRule
        | Reason::Undecided
        | Reason::Unenrolled
        | Reason::NoMethod
        | Reason::NoToken
        | Reason::CodeBehind
        | Reason::PhoneCannot
        | Reason::Quiet
        | Reason::CodesNotTaken
        | Reason::Blocked
        | Reason::Busy
        | Reason::StoreUnavailable
        | Reason::AdminService
        | Reason::StateUnknown
        | Reason::StateLate
        | Reason::StateSpent
        | Reason::StateOther
        | Reason::StateRestart
        | Reason::Unusable
        | Reason::Overload
        | Reason::Draining
        | Reason::Superseded => "asked",
    }
}
