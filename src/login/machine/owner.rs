//! A name that strangers tried too often: its owner is asked on an enrolled phone first, and only then the primary (rules D7).
//!
//! Where nobody can be asked (nobody has the name, no phone, pushes are quiet) it is refused at once, in a wrong password's words
//! and after its time (D6); so it is when the phone is silent or says no. A prompt that rings before the password was right
//! counts in no limit of its owner's, and how often it may ring is the windows' to say ([`crate::shield`]). It shows no number, so
//! that where one is wished for it opens only the way to the primary, and the phone is asked once more (F8).

use std::sync::Arc;

use wire::Secret;

use super::{Case, Inside, OpenPrompt, Refusal, Stage, Step};
use crate::event::{Effect, Question};
use crate::facts::{HeldBack, Method, Unavailable, UserFacts};
use crate::mutant::{self, Mutant};
use crate::name::UserName;
use crate::policy::NumberWish;
use crate::prompt::{Asks, Claim, NumberMatch, PromptClaim, PromptId};
use crate::record::Reason;

/// A login that waits for the owner of its name.
#[derive(Debug)]
pub(super) struct Owner {
    /// For the primary, once the owner said yes.
    pub(super) password: Secret,
    /// For the record.
    pub(super) why: Arc<str>,
    pub(super) at: OwnerAt,
}

/// How far it came.
#[derive(Debug)]
pub(super) enum OwnerAt {
    /// The store is asked whether there is somebody with a phone.
    Read(Question),
    /// The prompt is claimed.
    Claiming(Question, PromptClaim),
    /// The phone rings.
    Rings,
}

impl Owner {
    /// The phone rings now.
    pub(super) fn rings(&self) -> bool {
        matches!(self.at, OwnerAt::Rings)
    }

    /// It asked the store this.
    pub(super) fn reads(&self, asked: Question) -> bool {
        matches!(self.at, OwnerAt::Read(question) if question == asked)
    }
}

impl Case {
    /// The primary was not asked. Where the windows let the owner be asked, that is done first.
    pub(super) fn held_back(&mut self, held: HeldBack, step: &mut Step<'_, '_>) -> Stage {
        let HeldBack { is_address, why, password } = held;
        let Some(password) = password else {
            let reason = if is_address { Reason::AddressHeld } else { Reason::NameHeld };
            return self.reject(Refusal::because(reason).detail(why), step);
        };
        let Some(user) = self.user.as_ref().ok().map(UserName::claimed) else {
            return self.reject(Refusal::because(Reason::Name), step);
        };
        if mutant::is(Mutant::OwnerUnasked) {
            self.owner = Some(Asks::default());
            return self.ask_primary(password, None, step);
        }
        let question = self.ask();
        let (station, client) = (self.station.clone(), self.client.clone());
        step.cx.emit(Effect::ReadUser { login: self.id, question, user, station, client });
        Stage::HeldBack { owner: Owner { password, why, at: OwnerAt::Read(question) } }
    }

    /// Whether there is an owner with a phone that could say yes to this.
    pub(super) fn owner_read(
        &mut self,
        owner: Owner,
        facts: Result<UserFacts, Unavailable>,
        step: &mut Step<'_, '_>,
    ) -> Stage {
        let asks = Asks { number: NumberMatch::Off, pin: self.policy.push_pin };
        let can_say_yes = |facts: &UserFacts| {
            let quiet = facts.pushes_quiet_until.is_some_and(|until| until > step.cx.at.wall);
            let stands = facts.known && facts.blocked.is_none() && facts.looks_like.is_none();
            stands && !quiet && facts.methods.contains(&Method::Push) && (!asks.pin || facts.pin_phones)
        };
        let claimed = self.user.as_ref().ok().map(UserName::claimed);
        let (Some(user), true) = (claimed, facts.is_ok_and(|facts| can_say_yes(&facts)) && !step.cx.stopping) else {
            return self.owner_said_nothing(&owner.why, step);
        };
        let claim = PromptClaim {
            prompt: PromptId(step.cx.random_16()),
            user,
            login: self.key,
            ends_at: step.cx.at.wall.plus(self.policy.limits.prompt_lasts),
            askers_until: step.cx.at.wall.plus(self.patience_left(step.now())),
            station_known: false,
            authentic: self.authentic,
            client: self.client.clone(),
            station: self.station.clone(),
            asks,
            only: None,
            unproven: true,
        };
        let question = self.ask();
        step.cx.emit(Effect::ClaimPrompt { login: self.id, question, claim: claim.clone() });
        Stage::HeldBack { owner: Owner { at: OwnerAt::Claiming(question, claim), ..owner } }
    }

    /// What the store said to the claim. Where another prompt is out, or pushes are quiet, nobody is asked.
    pub(super) fn owner_claimed(
        &mut self,
        (password, why): (Secret, Arc<str>),
        claim: PromptClaim,
        outcome: Result<Claim, Unavailable>,
        step: &mut Step<'_, '_>,
    ) -> Stage {
        match outcome {
            Ok(Claim::Claimed { .. }) => {
                let ends = step.now().plus(self.policy.limits.prompt_lasts);
                let user = claim.user.clone();
                *step.prompt = Some(OpenPrompt { id: claim.prompt, user, ends, approved: None });
                step.cx.emit(Effect::Push { login: self.id, claim });
                Stage::HeldBack { owner: Owner { password, why, at: OwnerAt::Rings } }
            }
            Ok(Claim::Joined { .. } | Claim::Busy | Claim::Quiet { .. }) | Err(_) => {
                self.owner_said_nothing(&why, step)
            }
        }
    }

    /// The owner said yes: now the primary looks at the password.
    pub(super) fn owner_said_yes(&mut self, owner: Owner, step: &mut Step<'_, '_>) -> Stage {
        self.owner = Some(Asks { number: NumberMatch::Off, pin: self.policy.push_pin });
        self.ask_primary(owner.password, None, step)
    }

    /// Nobody could be asked, nobody answered, or it was a no: at the VPN nothing tells which (D6).
    pub(super) fn owner_said_nothing(&mut self, why: &Arc<str>, step: &mut Step<'_, '_>) -> Stage {
        self.reject(Refusal::because(Reason::NameHeld).detail(Arc::clone(why)), step)
    }

    /// The prompt is over without a yes; the record says what the phone said.
    pub(super) fn owner_lost(&mut self, owner: &Owner, reason: Reason, step: &mut Step<'_, '_>) -> Stage {
        let said = if reason == Reason::Denied {
            "; its owner's phone said no"
        } else if reason == Reason::Fraud {
            "; its owner's phone reported it"
        } else {
            ""
        };
        self.owner_said_nothing(&format!("{}{said}", owner.why).into(), step)
    }

    /// The owner's yes is a second factor, too, where the rule takes a push and nobody wishes for a number beside it (F8).
    pub(super) fn owner_opens(&self, inside: &Inside) -> Option<Asks> {
        let asks = self.owner?;
        let wished = self.client_policy().is_some_and(|client| client.challenge && client.number != NumberWish::Off);
        (!wished && !inside.rule.number_required && inside.methods.contains(&Method::Push)).then_some(asks)
    }
}
