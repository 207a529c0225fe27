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
use crate::facts::UserFacts;
use crate::limits::Limits;
use crate::moment::Wall;
use crate::mutant::{self, Mutant};
use crate::name::{
    ClientName, GroupName, NameKind, NameRefused, PrimaryName, Realms, ResolvedUser, RuleName, Shape, UserName,
};

/// The whole policy: taken whole or refused whole (rules G2).
#[derive(Debug, Default)]
pub struct Policy {
    /// The rules, in the order of the file.
    pub rules: Vec<Arc<Rule>>,
    /// What a login must know of its client.
    pub clients: BTreeMap<ClientName, ClientPolicy>,
    /// The first-factor servers that are not ours, and what is known of how they read names (A2).
    pub primaries: BTreeMap<PrimaryName, PrimaryPolicy>,
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

    /// Reads a User-Name as a request brings it: the one way by which names enter a login or a sign-in (A2). `names_a_mac`: what
    /// [`crate::name::names_a_mac`] says of the request.
    ///
    /// # Errors
    /// Why the name is refused before anybody is asked about it.
    pub fn user_name(&self, octets: &[u8], names_a_mac: bool) -> Result<UserName, NameRefused> {
        let kind = match std::str::from_utf8(octets).map_or(Shape::Plain, Shape::of) {
            Shape::Plain => NameKind::Person,
            Shape::Mac if names_a_mac => NameKind::Mab,
            Shape::Mac => NameKind::Person,
            Shape::Host => NameKind::Machine,
            Shape::Dollar => match UserName::parse(octets, &self.realms) {
                Ok(person) if self.spells_out(person.folded()) => return Ok(person),
                Ok(_) | Err(_) => NameKind::Machine,
            },
        };
        UserName::of_kind(octets, &self.realms, kind)
    }

    /// Reads a name that staff or an import give: somebody must be able to log in by it.
    ///
    /// # Errors
    /// Why nobody could.
    pub fn staff_name(&self, octets: &[u8]) -> Result<UserName, NameRefused> {
        let name = UserName::parse(octets, &self.realms)?;
        let outside = !self.primaries.is_empty();
        match name.realm_unsaid().filter(|_| outside) {
            Some(why) => Err(why),
            None => Ok(name),
        }
    }

    /// What a resolved user's name names; as [`Self::user_name`] reads it.
    #[must_use]
    pub fn kind_of(&self, name: &str, names_a_mac: bool) -> NameKind {
        match Shape::of(name) {
            Shape::Plain => NameKind::Person,
            Shape::Mac if names_a_mac => NameKind::Mab,
            Shape::Mac => NameKind::Person,
            Shape::Dollar if self.spells_out(name) => NameKind::Person,
            Shape::Dollar | Shape::Host => NameKind::Machine,
        }
    }

    fn spells_out(&self, name: &str) -> bool {
        self.rules.iter().any(|rule| rule.when.spells_out(name))
    }

    /// Whether this primary may be asked about this name (A2).
    #[must_use]
    pub fn gate(&self, user: &UserName, primary: &PrimaryName) -> Gate {
        // Ours compares names as we do.
        let Some(outside) = self.primaries.get(primary) else { return Gate::Open };
        if let Some(why) = user.realm_unsaid() {
            return Gate::Shut(why);
        }
        if user.is_plain() || outside.letters_distinct || outside.tells_user || mutant::is(Mutant::LettersUnasked) {
            return Gate::Open;
        }
        Gate::IfAdded
    }
}

/// What is known of how a first-factor server that is not ours reads names.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PrimaryPolicy {
    /// `letters = "distinct"`: it tells all letters apart, as we do.
    pub letters_distinct: bool,
    /// `resolved = "accept"`: its Accept says by User-Name who it is; one that does not is none.
    pub tells_user: bool,
}

/// Whether a primary may be asked about a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Gate {
    /// It may.
    Open,
    /// Only if staff or an import added just this spelling: the primary may take it for somebody else's ([`is_added`]).
    IfAdded,
    /// It may not.
    Shut(NameRefused),
}

/// Whether staff or an import added exactly this name.
#[must_use]
pub fn is_added(user: &UserName, facts: &UserFacts) -> bool {
    facts.known && facts.spelled.as_deref() == Some(user.spelled())
}

/// Why somebody else's look-alike is refused, and what mends it.
#[must_use]
pub fn look_alike_sentence(user: &ResolvedUser, other: &ResolvedUser) -> String {
    format!(
        "the name looks like {other}'s, a user's: `vestibule user add '{user}' --not-the-same-as '{other}'` if they are two people"
    )
}

/// Why a name with such letters is refused, and what mends it.
#[must_use]
pub fn letters_sentence(user: &str, primary: &PrimaryName) -> String {
    format!(
        "the name has letters beyond plain ASCII, and {primary} may take them for somebody else's: `vestibule user add '{user}'` if it is a \
         user's own name; letters = \"distinct\" in [primary.{primary}] if that server tells all letters apart; resolved = \"accept\" there \
         if its Access-Accept carries the User-Name"
    )
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
