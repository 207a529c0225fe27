//! What leaves: Accept, Reject, Challenge. An [`Accept`] demands both doors as witnesses (rules A1), and the
//! witnesses are made in the machine alone, from events that belong to the login (rules A2).

use std::sync::Arc;

use wire::{HeldAttributes, ReplyAttributes};

use crate::facts::{BypassId, Means, Method};
use crate::key::State;
use crate::mutant::{self, Mutant};
use crate::name::{ResolvedUser, RuleName};
use crate::policy::Rule;
use crate::record::{LoginId, Reason};
use crate::words::Say;

/// The first door stood open: the primary accepted this user for this login.
#[derive(Clone, Debug)]
pub struct PrimaryAccepted {
    login: LoginId,
    user: ResolvedUser,
    attributes: Arc<HeldAttributes>,
}

impl PrimaryAccepted {
    pub(crate) fn witness(login: LoginId, user: ResolvedUser, attributes: Arc<HeldAttributes>) -> Self {
        Self { login, user, attributes }
    }

    /// The same door for the same login's next answer: its asker joined before the prompt ended (B2).
    pub(crate) fn carried_on(self, login: LoginId) -> Self {
        Self { login, ..self }
    }

    /// Who it is.
    #[must_use]
    pub fn user(&self) -> &ResolvedUser {
        &self.user
    }

    /// What the primary's Accept carried, decoded.
    #[must_use]
    pub fn attributes(&self) -> &Arc<HeldAttributes> {
        &self.attributes
    }
}

/// The second door opened by a factor: this user proved it for this login.
#[derive(Clone, Debug)]
pub struct FactorProved {
    login: LoginId,
    method: Method,
    means: Means,
}

impl FactorProved {
    pub(crate) fn witness(login: LoginId, method: Method, means: Means) -> Self {
        Self { login, method, means }
    }
}

/// How the second door was opened.
#[derive(Clone, Debug)]
pub enum SecondDoor {
    /// By a factor.
    Proved(FactorProved),
    /// By a rule that exempts; its name is audited.
    Exempt(RuleName),
    /// By a rule that fails open in a confirmed outage (A5); its name is audited.
    FailedOpen(RuleName),
    /// By a one-time bypass of this user for this client, which the release spends (F4).
    Bypass(BypassId),
}

impl SecondDoor {
    /// What must still be active at the release (A6).
    #[must_use]
    pub fn means(&self) -> Means {
        match self {
            Self::Proved(proved) => proved.means.clone(),
            Self::Exempt(_) | Self::FailedOpen(_) => Means::Excuse,
            Self::Bypass(_) if mutant::is(Mutant::BypassSpentTwice) => Means::Excuse,
            Self::Bypass(bypass) => Means::Bypass(bypass.clone()),
        }
    }

    /// The method that proved it, if one did.
    #[must_use]
    pub fn method(&self) -> Option<Method> {
        match self {
            Self::Proved(proved) => Some(proved.method),
            Self::Exempt(_) | Self::FailedOpen(_) | Self::Bypass(_) => None,
        }
    }

    fn belongs_to(&self, login: LoginId) -> bool {
        match self {
            Self::Proved(proved) => proved.login == login,
            Self::Exempt(_) | Self::FailedOpen(_) | Self::Bypass(_) => true,
        }
    }
}

/// What a refusal says to a person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Text {
    /// Our own words for that reason, in the reader's language.
    Ours(Reason),
    /// No second factor yet, and where to get one.
    EnrolAt(Arc<str>),
    /// Pushes are quiet for so many more minutes (D2).
    Quiet(u64),
    /// A code is taken behind the password and this delimiter only (C4).
    AppendCode(Arc<str>),
    /// The site's own words, as the rule has them.
    Rule(Arc<str>),
}

/// The one answer of a login, or a question on its way there.
#[derive(Clone, Debug)]
pub enum Answer {
    /// Access-Accept.
    Accept(Accept),
    /// Access-Reject.
    Reject(Reject),
    /// Access-Challenge.
    Challenge(Challenge),
}

impl Answer {
    /// About how many octets it keeps (G1).
    pub(crate) fn bytes(&self) -> usize {
        match self {
            Self::Accept(accept) => accept.attributes().bytes(),
            Self::Reject(reject) => reject.bytes(),
            Self::Challenge(Challenge::Ours { language, .. }) => language.as_ref().map_or(0, |tag| tag.len()),
            Self::Challenge(Challenge::Primary(attributes)) => attributes.bytes(),
        }
    }
}

/// An Access-Accept: nothing but both doors makes one.
#[derive(Clone, Debug)]
pub struct Accept {
    first: PrimaryAccepted,
    rule: Arc<Rule>,
}

impl Accept {
    /// Both doors, of one login; doors of two logins make nothing (A2).
    pub(crate) fn through(first: PrimaryAccepted, second: &SecondDoor, rule: Arc<Rule>) -> Option<Self> {
        second.belongs_to(first.login).then_some(Self { first, rule })
    }

    /// Who got in.
    #[must_use]
    pub fn user(&self) -> &ResolvedUser {
        &self.first.user
    }

    /// What the primary's Accept carried.
    #[must_use]
    pub fn attributes(&self) -> &HeldAttributes {
        &self.first.attributes
    }

    /// The rule's own attributes, which replace the primary's of the same type (E3).
    #[must_use]
    pub fn reply(&self) -> &ReplyAttributes {
        &self.rule.reply
    }
}

/// An Access-Reject.
#[derive(Clone, Debug)]
pub struct Reject {
    /// Why, for metrics and log; the person reads `text`.
    pub reason: Reason,
    /// Reply-Message of our own.
    pub text: Option<Text>,
    /// The language that its reader chose, as a tag.
    pub language: Option<Arc<str>>,
}

impl Reject {
    /// About how many octets it keeps (G1).
    pub(crate) fn bytes(&self) -> usize {
        match &self.text {
            Some(Text::Rule(text) | Text::EnrolAt(text) | Text::AppendCode(text)) => text.len(),
            Some(Text::Ours(_) | Text::Quiet(_)) | None => 0,
        }
    }
}

/// An Access-Challenge.
#[derive(Clone, Debug)]
pub enum Challenge {
    /// Our own question.
    Ours {
        /// Reply-Message.
        say: Say,
        /// The language that its reader chose, as a tag.
        language: Option<Arc<str>>,
        /// State (C3).
        state: State,
    },
    /// The primary's, passed through (E4).
    Primary(Arc<HeldAttributes>),
}
