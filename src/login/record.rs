//! The one record of each login (rules F2): who, from where, through which client, which rule, which primary and
//! factor, how long each took, what was answered and why. Plain data; `audit` gives it its form and its sinks.

use std::sync::Arc;
use std::time::Duration;

use crate::facts::Method;
use crate::moment::Wall;
use crate::name::{ClientName, PrimaryName, RuleName, Station};
use crate::policy::Tried;

/// A login's id: random, shown as hex in logs, audit and messages.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LoginId(pub u64);

impl std::fmt::Display for LoginId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl std::fmt::Debug for LoginId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{self}")
    }
}

/// What one login came to.
#[derive(Clone, Debug)]
pub struct Record {
    /// Which login.
    pub login: LoginId,
    /// When its first request came.
    pub time: Wall,
    /// Through which appliance.
    pub client: ClientName,
    /// The resolved user, or the name that was typed.
    pub user: Arc<str>,
    /// A primary vouched for that name; else it is written as a keyed hash unless the store knows it
    /// (people type passwords there).
    pub vouched: bool,
    /// From where.
    pub station: Option<Station>,
    /// The rule that decided, if one did.
    pub rule: Option<RuleName>,
    /// Each rule tried and why it did or did not match.
    pub tried: Arc<[Tried]>,
    /// The first-factor server that was asked.
    pub primary: Option<PrimaryName>,
    /// What opened, or failed to open, the second door.
    pub factor: RecordedFactor,
    /// What was answered.
    pub answer: RecordedAnswer,
    /// Why, in the closed set of reasons that metrics and `explain` use.
    pub reason: Reason,
    /// For people: the sentence behind the reason, if there is more to say.
    pub detail: Option<Arc<str>>,
    /// How many requests waited for it.
    pub askers: u32,
    /// From the first request to the answer.
    pub waited: Duration,
    /// Of that, for the primary.
    pub waited_primary: Duration,
    /// Of that, for the person's phone or code.
    pub waited_factor: Duration,
}

/// What opened the second door, or was asked to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RecordedFactor {
    /// It never came to that.
    None,
    /// This method was asked for.
    Method(Method),
    /// The rule exempts.
    Exempt,
    /// The rule fails open.
    FailOpen,
    /// A one-time bypass (F4).
    Bypass,
}

/// What was answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RecordedAnswer {
    /// Access-Accept.
    Accept,
    /// Access-Reject.
    Reject,
    /// Nothing: a State nobody answered in time.
    None,
}

/// Why, in one word: the closed set that metrics, audit and `explain` share.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reason {
    /// Both doors opened.
    Accepted,
    /// The name can't be a user's name (A2).
    Name,
    /// The name's realm is none of ours, or it has none where it needs one (A2).
    Realm,
    /// The name has letters that its primary may not tell apart, and nobody added it so (A2).
    Letters,
    /// The name looks like another user's (A2).
    LookAlike,
    /// A credential kind that is not served.
    Credential,
    /// Control octets in a password without Message-Authenticator: the shared secret is wrong (D5).
    SuspectSecret,
    /// An empty password (A3).
    EmptyPassword,
    /// The primary says no.
    Primary,
    /// The primary asks a question of its own, and this client can't show it (E4).
    PrimaryQuestion,
    /// Too many wrong passwords under this name: the primary is not asked about it for a while (D7).
    NameHeld,
    /// Too many names failed from this address: the primary is not asked for it for a while (D7).
    AddressHeld,
    /// The primary could not be asked.
    PrimaryUnavailable,
    /// A rule says no.
    Rule,
    /// No rule matched.
    NoRule,
    /// A fact that a rule needs is missing.
    Undecided,
    /// The user never had a method.
    Unenrolled,
    /// None of the listed methods can run for this user at this client.
    NoMethod,
    /// A code was given, and no active token makes one of a listed kind.
    NoToken,
    /// Codes are taken behind the password only, and none came (C4).
    CodeBehind,
    /// No phone of the user can prove the number or the PIN that is asked for (B4).
    PhoneCannot,
    /// Pushes are quiet after denied or unanswered ones (D2).
    Quiet,
    /// The user is blocked.
    Blocked,
    /// A wrong code.
    WrongCode,
    /// What answered our question can't be a code.
    NotACode,
    /// A code was given, and the rule takes none.
    CodesNotTaken,
    /// A wrong code, which a token that counts presses would show further on: it was likely used elsewhere.
    CodeAhead,
    /// A code that was used before.
    SpentCode,
    /// Codes are off for a while (D1).
    CodesLocked,
    /// The phone said no.
    Denied,
    /// The phone said it wasn't me.
    Fraud,
    /// Another number than the screen's was given on the phone (F8).
    WrongNumber,
    /// Nobody answered the phone in time.
    Unanswered,
    /// Another login of this user waits for the phone (B2).
    Busy,
    /// The prompt of this login had ended when it was asked again.
    PromptEnded,
    /// The push service could not be reached.
    PushUnavailable,
    /// The store could not be read or written.
    StoreUnavailable,
    /// A State that we never gave out (C3).
    StateUnknown,
    /// A State of ours that came too late, or long after its answer (C3).
    StateLate,
    /// A State that was answered already (C3).
    StateSpent,
    /// A State of another client or person (C3).
    StateOther,
    /// A State from before the server was started (B3).
    StateRestart,
    /// Something changed while the login was held (A6).
    Changed,
    /// The policy in force no longer lets the login in so (G2).
    PolicyChanged,
    /// The answer would not fit into a packet (E3).
    TooLarge,
    /// The primary's Accept makes an administrator of the appliance, and this client may get none (E3).
    AdminService,
    /// The primary's Accept carried what this client may not get, or could not be read.
    Unusable,
    /// Too many held sessions, or too many of this login.
    Overload,
    /// The server is stopping.
    Draining,
    /// A primary's challenge, or ours, that nobody answered.
    Expired,
    /// Approved when nobody waited any more (A8).
    ApprovedTooLate,
    /// A newer request of the same login took its place (B2).
    Superseded,
}

impl Reason {
    /// Whether a State is refused for it (C3).
    #[must_use]
    pub fn is_of_state(self) -> bool {
        matches!(self, Self::StateUnknown | Self::StateLate | Self::StateSpent | Self::StateOther | Self::StateRestart)
    }

    /// The word in metrics, audit and logs.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Name => "name",
            Self::Realm => "realm",
            Self::Letters => "letters",
            Self::LookAlike => "look_alike",
            Self::Credential => "credential",
            Self::SuspectSecret => "suspect_secret",
            Self::EmptyPassword => "empty_password",
            Self::Primary => "primary",
            Self::PrimaryQuestion => "primary_question",
            Self::NameHeld => "name_held",
            Self::AddressHeld => "address_held",
            Self::PrimaryUnavailable => "primary_unavailable",
            Self::Rule => "rule",
            Self::NoRule => "no_rule",
            Self::Undecided => "undecided",
            Self::Unenrolled => "unenrolled",
            Self::NoMethod => "no_method",
            Self::NoToken => "no_token",
            Self::CodeBehind => "code_behind",
            Self::PhoneCannot => "phone_cannot",
            Self::Quiet => "quiet",
            Self::Blocked => "blocked",
            Self::WrongCode => "wrong_code",
            Self::NotACode => "not_a_code",
            Self::CodesNotTaken => "codes_not_taken",
            Self::CodeAhead => "code_ahead",
            Self::SpentCode => "spent_code",
            Self::CodesLocked => "codes_locked",
            Self::Denied => "denied",
            Self::Fraud => "fraud",
            Self::WrongNumber => "wrong_number",
            Self::Unanswered => "unanswered",
            Self::Busy => "busy",
            Self::PromptEnded => "prompt_ended",
            Self::PushUnavailable => "push_unavailable",
            Self::StoreUnavailable => "store_unavailable",
            Self::StateUnknown => "state_unknown",
            Self::StateLate => "state_late",
            Self::StateSpent => "state_spent",
            Self::StateOther => "state_other",
            Self::StateRestart => "state_restart",
            Self::Changed => "changed",
            Self::PolicyChanged => "policy_changed",
            Self::TooLarge => "too_large",
            Self::AdminService => "admin_service",
            Self::Unusable => "unusable",
            Self::Overload => "overload",
            Self::Draining => "draining",
            Self::Expired => "expired",
            Self::ApprovedTooLate => "approved_too_late",
            Self::Superseded => "superseded",
        }
    }
}
