//! The first door: what may be refused at once, the primary's question, and its answer.

use std::sync::Arc;

use wire::{ATTRIBUTE_COUNT_MAX, Secret};

use super::{Case, Inside, Open, OpenChallenge, Refusal, Stage, Step};
use crate::answer::{PrimaryAccepted, SecondDoor};
use crate::attempt::{Appended, Credential};
use crate::event::{Effect, Question};
use crate::facts::{PrimaryAnswer, Unavailable, UserFacts};
use crate::key::StateHash;
use crate::mutant::{self, Mutant};
use crate::name::{NameRefused, ResolvedUser, RuleName, UserName};
use crate::policy::{
    Decision, Facts, FirstLook, Gate, Outcome, Tried, Truth, Verdict, is_added, letters_sentence, look_alike_sentence,
};
use crate::record::{Reason, RecordedFactor};

/// The most that one packet holds (RFC 2865 §3).
pub(super) const PACKET_MAX: usize = 4096;

impl Case {
    /// What may be refused before anybody is asked, then the primary.
    pub(super) fn enter(&mut self, credential: Credential, step: &mut Step<'_, '_>) -> Stage {
        let (password, appended) = match credential {
            Credential::Pap { password, appended } => (password, appended),
            Credential::Unsupported { kind } => {
                return self.reject(Refusal::because(Reason::Credential).detail(kind), step);
            }
        };
        let user = match self.user.clone() {
            Ok(user) => user,
            Err(why) => return self.refuse_name(&why, step),
        };
        if password.expose().is_empty() {
            // Rules A3: many a directory takes an empty password for an anonymous bind.
            return self.reject(Refusal::because(Reason::EmptyPassword), step);
        }
        if self.is_suspect(&password) {
            return self.reject(Refusal::because(Reason::SuspectSecret), step);
        }
        self.note_for_saboteur(&password, appended.as_ref());
        self.appended = appended;
        match self.first_look(&user, step) {
            FirstLook::Proceed => self.approach_primary(&user, password, step),
            FirstLook::Deny(decision) => self.denied_by(&decision, step),
        }
    }

    fn refuse_name(&mut self, why: &NameRefused, step: &mut Step<'_, '_>) -> Stage {
        let reason = if why.is_about_realm() { Reason::Realm } else { Reason::Name };
        self.reject(Refusal::because(reason).detail(why.sentence()), step)
    }

    /// A primary that is not ours may read a name in a way of its own, and say nothing of it (A2).
    fn approach_primary(&mut self, user: &UserName, password: Secret, step: &mut Step<'_, '_>) -> Stage {
        let gate = self.client_policy().map_or(Gate::Open, |client| self.policy.gate(user, &client.primary));
        match gate {
            Gate::Open => self.ask_primary(password, None, step),
            Gate::Shut(why) => self.refuse_name(&why, step),
            Gate::IfAdded => {
                let question = self.ask();
                let (station, client) = (self.station.clone(), self.client.clone());
                let user = user.claimed();
                step.cx.emit(Effect::ReadUser { login: self.id, question, user, station, client });
                Stage::ReadingName { question, password }
            }
        }
    }

    /// Only a name that staff or an import added in just this spelling goes on to the primary (A2).
    pub(super) fn name_read(
        &mut self,
        password: Secret,
        facts: Result<UserFacts, Unavailable>,
        step: &mut Step<'_, '_>,
    ) -> Stage {
        let added = match (&self.user, facts) {
            (Ok(user), Ok(facts)) => is_added(user, &facts),
            (Err(_), Ok(_)) => false,
            (_, Err(Unavailable { why, .. })) => {
                return self.unchecked(Refusal::because(Reason::StoreUnavailable).detail(why), step);
            }
        };
        if added {
            return self.ask_primary(password, None, step);
        }
        let said = match (&self.user, self.client_policy()) {
            (Ok(user), Some(client)) => letters_sentence(user.spelled(), &client.primary),
            (Err(_), _) | (_, None) => String::new(),
        };
        self.reject(Refusal::because(Reason::Letters).detail(said), step)
    }

    fn first_look(&self, user: &UserName, step: &Step<'_, '_>) -> FirstLook {
        self.policy.first_look(&Facts {
            client: &self.client,
            user: user.folded(),
            kind: user.kind(),
            address: self.station.as_ref().and_then(|station| station.address()),
            groups: None,
            known: false,
            now: step.cx.at.wall,
        })
    }

    /// Asks the primary; the question's number makes every other answer count for nothing.
    pub(super) fn ask_primary(
        &mut self,
        password: Secret,
        state: Option<(Arc<[u8]>, usize)>,
        step: &mut Step<'_, '_>,
    ) -> Stage {
        let Some(primary) = self.client_policy().map(|client| client.primary.clone()) else {
            return self.reject(Refusal::because(Reason::Changed).detail("the client is not configured"), step);
        };
        let Some(claimed) = self.user.as_ref().ok().map(UserName::claimed) else {
            return self.reject(Refusal::because(Reason::Name), step);
        };
        let question = self.ask();
        self.primary = Some(primary.clone());
        self.primary_since = Some(step.now());
        (self.asked_at, self.at_first_door) = (step.now(), true);
        let user_octets = self.user_octets.clone();
        let (station, address) = (self.station.clone(), self.address);
        let by_owner = self.owner.is_some();
        // Rules D7, C4, D5: whose name is held back is asked for a first password alone, and not on everybody's word.
        let may_ring = !by_owner && self.authentic && self.appended.is_none() && state.is_none();
        step.cx.emit(Effect::AskPrimary {
            login: self.id,
            question,
            primary,
            user_octets,
            claimed,
            password,
            state,
            station,
            address,
            may_ring,
            by_owner,
        });
        Stage::AskingPrimary { question }
    }

    /// The primary's answer: only an Accept leads on.
    pub(super) fn primary_answered(&mut self, answer: PrimaryAnswer, step: &mut Step<'_, '_>) -> Stage {
        if let Some(since) = self.primary_since.take() {
            self.waited_primary += step.now().since(since);
        }
        match answer {
            PrimaryAnswer::Accept { user, attributes } => {
                let first = PrimaryAccepted::witness(self.id, user.clone(), attributes);
                self.vouched = Some(user.as_str().into());
                self.read_user(first, user, step)
            }
            // Its own words stay with us: a name that is held back, or a user who is blocked, could not have them (D6).
            PrimaryAnswer::Reject { attributes: _, why } => {
                if let Some(unsplit) = self.unsplit.take() {
                    return self.ask_primary(unsplit, None, step);
                }
                self.reject(Refusal::because(Reason::Primary).detail(why), step)
            }
            PrimaryAnswer::Challenge { attributes, state, server } => {
                self.primary_challenged(attributes, state, server, step)
            }
            PrimaryAnswer::HeldBack(held) => self.held_back(held, step),
            PrimaryAnswer::Unavailable(Unavailable { why, .. }) => {
                self.unchecked(Refusal::because(Reason::PrimaryUnavailable).detail(why), step)
            }
            PrimaryAnswer::StoreUnavailable(Unavailable { why, .. }) => {
                self.unchecked(Refusal::because(Reason::StoreUnavailable).detail(why), step)
            }
        }
    }

    /// The primary's own question goes to the person as it is (E4); it can't be asked where nobody can show it,
    /// nor answered where it brought no State (RFC 2865 §5.24).
    fn primary_challenged(
        &mut self,
        attributes: Arc<wire::HeldAttributes>,
        state: Option<Arc<[u8]>>,
        server: usize,
        step: &mut Step<'_, '_>,
    ) -> Stage {
        let (Some(state), true) = (state, self.can_challenge()) else {
            return self.reject(Refusal::because(Reason::PrimaryQuestion), step);
        };
        if step.cx.stopping {
            return self.reject(Refusal::because(Reason::Draining), step);
        }
        let until = step.now().plus(self.policy.limits.state_lasts);
        let open = Open { state: StateHash::of(&state), until, challenge: OpenChallenge::Primary(attributes) };
        self.pose(&open, step);
        Stage::AnsweringPrimary { open, state, server }
    }

    fn read_user(&mut self, first: PrimaryAccepted, user: ResolvedUser, step: &mut Step<'_, '_>) -> Stage {
        let question: Question = self.ask();
        let (station, client) = (self.station.clone(), self.client.clone());
        step.cx.emit(Effect::ReadUser { login: self.id, question, user, station, client });
        Stage::ReadingUser { question, first }
    }

    /// The second look, over the resolved user: exempt, deny, or a list of methods.
    pub(super) fn user_read(
        &mut self,
        first: PrimaryAccepted,
        facts: Result<UserFacts, Unavailable>,
        step: &mut Step<'_, '_>,
    ) -> Stage {
        self.factor_since = Some(step.now());
        let facts = match facts {
            Ok(facts) => facts,
            // Rules A5: `store` knows only deny.
            Err(Unavailable { why, .. }) => {
                return self.reject(Refusal::because(Reason::StoreUnavailable).detail(why), step);
            }
        };
        self.known = facts.known;
        self.language.clone_from(&facts.language);
        if let Some(why) = &facts.blocked {
            return self.reject(Refusal::because(Reason::Blocked).detail(Arc::clone(why)), step);
        }
        if let Some(other) = facts.looks_like.as_ref().filter(|_| !mutant::is(Mutant::LookAlikeTaken)) {
            let said = look_alike_sentence(first.user(), other);
            return self.reject(Refusal::because(Reason::LookAlike).detail(said), step);
        }
        let decision = self.second_look(&first, &facts, step);
        self.tried = Arc::clone(&decision.tried);
        self.rule.clone_from(&decision.rule);
        let (Some(rule), Outcome::Verdict(verdict)) = (decision.rule.clone(), decision.outcome.clone()) else {
            return self.without_verdict(&decision, step);
        };
        let methods = match &verdict {
            Verdict::Deny(_) => return self.denied_by(&decision, step),
            Verdict::Exempt => Vec::new(),
            Verdict::Require(methods) => methods.clone(),
        };
        let usable = methods.iter().copied().filter(|method| facts.methods.contains(method)).collect();
        let inside = Inside {
            first,
            rule,
            methods,
            usable,
            groups: Arc::clone(&facts.groups),
            station_known: facts.station_known,
            asks: crate::prompt::Asks::default(),
            at_phone: false,
            must_open: facts.must_open,
        };
        if let Some(refusal) = self.undeliverable(&inside) {
            return self.reject(refusal, step);
        }
        match verdict {
            Verdict::Exempt => {
                self.factor = RecordedFactor::Exempt;
                let second = SecondDoor::Exempt(inside.rule.name.clone());
                self.release(inside, second, step)
            }
            Verdict::Require(_) | Verdict::Deny(_) => self.second_door(inside, &facts, step),
        }
    }

    fn second_look(&self, first: &PrimaryAccepted, facts: &UserFacts, step: &Step<'_, '_>) -> Decision {
        self.policy.second_look(&self.facts(first.user(), &facts.groups, facts.known, step))
    }

    /// What the law is asked about: the resolved user and nobody else (A2).
    pub(super) fn facts<'a>(
        &'a self,
        user: &'a ResolvedUser,
        groups: &'a [crate::name::GroupName],
        known: bool,
        step: &Step<'_, '_>,
    ) -> Facts<'a> {
        Facts {
            client: &self.client,
            user: user.as_str(),
            kind: self.policy.kind_of(user.as_str(), self.names_a_mac),
            address: self.station.as_ref().and_then(|station| station.address()),
            groups: Some(groups),
            known,
            now: step.cx.at.wall,
        }
    }

    fn without_verdict(&mut self, decision: &Decision, step: &mut Step<'_, '_>) -> Stage {
        let reason = match decision.outcome {
            Outcome::NoMatch => Reason::NoRule,
            // The built-in directory is the store, which knows only deny (A5).
            Outcome::FailOpen | Outcome::Undecided | Outcome::Verdict(_) => Reason::Undecided,
        };
        let refusal = Refusal::because(reason);
        match self.unmatched(decision) {
            Some(why) => self.reject(refusal.detail(why), step),
            None => self.reject(refusal, step),
        }
    }

    /// Why no rule gave a verdict, where the name itself is the cause (A2).
    fn unmatched(&self, decision: &Decision) -> Option<String> {
        let name = self.vouched.as_deref().or_else(|| self.user.as_ref().ok().map(UserName::folded))?;
        match (&decision.outcome, &decision.rule) {
            (Outcome::NoMatch, _) => self.policy.kind_of(name, self.names_a_mac).sentence().map(str::to_owned),
            (Outcome::Undecided, Some(rule)) if !self.known && self.vouched.is_some() && rule.when.asks_group() => {
                Some(format!(
                    "rule {rule} asks in which groups the user is not, and of a user whom nobody added that can't be said: vestibule user add \
                 '{name}'",
                    rule = rule.name
                ))
            }
            (Outcome::Undecided | Outcome::FailOpen | Outcome::Verdict(_), Some(rule)) => {
                missing(&decision.tried, &rule.name)
            }
            (Outcome::Undecided | Outcome::FailOpen | Outcome::Verdict(_), None) => None,
        }
    }

    fn denied_by(&mut self, decision: &Decision, step: &mut Step<'_, '_>) -> Stage {
        self.tried = Arc::clone(&decision.tried);
        self.rule.clone_from(&decision.rule);
        match &decision.outcome {
            Outcome::Verdict(Verdict::Deny(text)) => {
                self.reject(Refusal::because(Reason::Rule).saying(Arc::clone(text)), step)
            }
            Outcome::Verdict(_) | Outcome::FailOpen | Outcome::Undecided | Outcome::NoMatch => {
                self.without_verdict(decision, step)
            }
        }
    }

    /// The final answer is sized, and its Service-Type looked at, before anyone is prompted (E3).
    fn undeliverable(&mut self, inside: &Inside) -> Option<Refusal> {
        let attributes = inside.first.attributes();
        let overhead = self.askers.newest().map_or(0, |asker| asker.overhead);
        let size = overhead + attributes.encoded_len_with(&inside.rule.reply);
        let held = attributes.attribute_count_with(&inside.rule.reply);
        let count = held + self.askers.newest().map_or(0, |asker| asker.attributes);
        self.room = PACKET_MAX.saturating_sub(size - overhead);
        self.places = ATTRIBUTE_COUNT_MAX.saturating_sub(held);
        if size > PACKET_MAX {
            return Some(
                Refusal::because(Reason::TooLarge)
                    .detail(format!("the Access-Accept would take {size} octets, {PACKET_MAX} fit")),
            );
        }
        if count > ATTRIBUTE_COUNT_MAX {
            let detail = format!("the Access-Accept would have {count} attributes, {ATTRIBUTE_COUNT_MAX} fit");
            return Some(Refusal::because(Reason::TooLarge).detail(detail));
        }
        let administers = attributes.service_types().any(|kind| matches!(kind, 6 | 7));
        let allowed = self.client_policy().is_some_and(|client| client.allow_admin);
        (administers && !allowed).then(|| Refusal::because(Reason::AdminService))
    }

    fn note_for_saboteur(&mut self, password: &Secret, appended: Option<&Appended>) {
        if let (true, Some(Appended::Code(code))) = (mutant::is(Mutant::AppendTriedUnsplit), appended) {
            self.unsplit = Some(Secret::new([password.expose(), b",", code.expose()].concat()));
        }
    }
}

/// Which fact a rule missed.
fn missing(tried: &[Tried], rule: &RuleName) -> Option<String> {
    let fact = tried.iter().find(|tried| tried.rule == *rule && tried.truth == Truth::Undecided)?.because?;
    Some(format!("rule {rule} asks for {fact}, which is not known of this login"))
}
