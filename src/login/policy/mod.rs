//! The site's law, in the form in which it decides: rules in order, first match wins, no match is denied.
//!
//! `config` produces a [`Policy`]; nothing here knows of files. Two looks (design: the way of a request):
//! the first, before the primary, may only deny; the second, after it, gives the verdict. Each decision
//! returns its whole reason, because somebody will ask why alice was denied.

mod condition;
mod decide;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use wire::ReplyAttributes;

pub use condition::{Condition, Facts, Glob, Truth};
pub use decide::{Decision, FirstLook, Outcome, Tried};

use crate::facts::Method;
use crate::limits::Limits;
use crate::moment::Wall;
use crate::name::{ClientName, GroupName, PrimaryName, Realms, RuleName};

/// The whole policy: taken whole or refused whole (rules G2).
#[derive(Debug, Default)]
pub struct Policy {
    /// The rules, in the order of the file.
    pub rules: Vec<Arc<Rule>>,
    /// What a login must know of its client.
    pub clients: BTreeMap<ClientName, ClientPolicy>,
    /// `[realms]`.
    pub realms: Realms,
    /// `[limits]`.
    pub limits: Limits,
    /// `[method.push] pin`: each push asks for the user's PIN.
    pub push_pin: bool,
    /// `[method.push] number = "off"`: a prompt of our own pages asks for no number either. Without it one is shown there to
    /// each phone that can take it.
    pub plain_pages: bool,
    /// Where people enrol themselves: `[portal] url`, for rules whose `unenrolled` is `enrol`.
    pub enrol_at: Option<Arc<str>>,
    /// Groups whose members are staff: they always need a factor, so neither bypass nor fail-open lets them in (F4).
    pub staff: Vec<GroupName>,
}

impl Policy {
    /// Whether a member of these groups is staff (F4).
    #[must_use]
    pub fn is_staff(&self, groups: &[GroupName]) -> bool {
        groups.iter().any(|group| self.staff.contains(group))
    }
}

/// What a login must know of the appliance it came through.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientPolicy {
    /// Who checks the password.
    pub primary: PrimaryName,
    /// The number on the appliance's own screen; the margin is not yet subtracted (B5).
    pub gives_up_after: Duration,
    /// It can show an Access-Challenge.
    pub challenge: bool,
    /// The delimiter of append mode, if on (C4).
    pub append: Option<Arc<str>>,
    /// What makes two requests one login (B2).
    pub join: Join,
    /// An Accept may carry Service-Type Administrative or NAS-Prompt (E3).
    pub allow_admin: bool,
    /// How a push asks for a number here; already resolved from `auto` (F8).
    pub number: NumberWish,
    /// What it hears where nobody could check a login (A10).
    pub when_unavailable: WhenUnavailable,
}

/// What a client hears of a login that nobody could check (rules A10).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum WhenUnavailable {
    /// Nothing: RADIUS clients ask their next server after silence, and never after an answer.
    #[default]
    Silent,
    /// Access-Reject: for clients with nobody else to ask, whose people wait for silence to end.
    Reject,
}

/// How a push asks for a number (rules F8).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum NumberWish {
    /// It asks for none.
    #[default]
    Off,
    /// The challenge shows a number, the person chooses it on the phone.
    Shown,
    /// The phone shows six digits, the person types them into the challenge.
    Typed,
}

/// What makes two requests one login (rules B2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Join {
    /// Calling-Station-Id: the newest asker gets the Accept.
    Station,
    /// A connection attribute: each live asker is answered.
    Connection,
    /// Whatever is there, even nothing; `check` names it as a risk. Answers like [`Join::Station`].
    Weak,
}

/// One `[[rule]]`.
#[derive(Debug)]
pub struct Rule {
    /// Its name, in the log of each login it decides.
    pub name: RuleName,
    /// When it matches; an empty `all` matches everybody.
    pub when: Condition,
    /// Past 00:00 UTC of this day it does not match (A4).
    pub until: Option<Wall>,
    /// What it says.
    pub verdict: Verdict,
    /// Attributes of its Accept; they replace the primary's of the same type (E3).
    pub reply: ReplyAttributes,
    /// What a user without any method gets.
    pub unenrolled: Unenrolled,
    /// What an outage means, service by service.
    pub if_unavailable: IfUnavailable,
    /// `number = "required"`: it never accepts a push without a number (F8).
    pub number_required: bool,
}

/// What a rule says of the second door.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// No second factor; the rule's name is the excuse (A1).
    Exempt,
    /// No entry, with the text for the person.
    Deny(Arc<str>),
    /// One of these, in this order; a typed code of any listed kind is always taken.
    Require(Vec<Method>),
}

/// `unenrolled = …`: what a user without any method gets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Unenrolled {
    /// Access-Reject, with a text that says what is missing.
    #[default]
    Deny,
    /// The same, but the refusal names the portal and an invitation goes out by mail (F7).
    Enrol,
}

/// `if_unavailable = { … }`: what an outage means.
///
/// Another method of the same rule is no excuse, so a push that can't be sent yields to it by default;
/// an unknown fact denies by default (A4).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IfUnavailable {
    /// The push service can't be reached.
    pub push: Outage,
    /// The groups can't be read, or another fact is missing: a rule that stays undecided.
    pub directory: Outage,
}

impl Default for IfUnavailable {
    fn default() -> Self {
        Self { push: Outage::Next, directory: Outage::Deny }
    }
}

/// What to do in an outage.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Outage {
    /// On to the next method, or, for a fact, to the next rule.
    Next,
    /// Access-Reject.
    #[default]
    Deny,
    /// Fail open (A5): only with `until` and a group, only when the breaker confirms the outage.
    Accept,
}
