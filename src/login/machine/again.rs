//! The same login asks again (rules B2): it joins what is under way, gets the same challenge or the same Reject; an Accept
//! leaves once more only after another look at whom it lets in (A6).

use std::sync::Arc;
use std::time::Duration;

use super::{Case, Inside, Stage, Step};
use crate::answer::Answer;
use crate::attempt::{AskerId, Attempt};
use crate::event::{Effect, Question};
use crate::facts::{Unavailable, UserFacts};
use crate::mutant::{self, Mutant};
use crate::name::ResolvedUser;
use crate::prompt::PromptClaim;
use crate::record::{LoginId, Reason, RecordedFactor};

impl Case {
    /// L and P equal: the asker joins; no primary, no prompt (B2).
    pub(super) fn rejoined(&mut self, stage: Stage, attempt: Attempt, step: &mut Step<'_, '_>) -> Stage {
        match stage {
            Stage::AwaitingAnswer { inside, open } => match self.approval(&inside, step) {
                Some(_) => {
                    self.add(&attempt, step);
                    self.release_by_phone(inside, step)
                }
                None => {
                    self.ask_same(&open, &attempt, step);
                    Stage::AwaitingAnswer { inside, open }
                }
            },
            Stage::AnsweringPrimary { open, state, server } => {
                self.ask_same(&open, &attempt, step);
                Stage::AnsweringPrimary { open, state, server }
            }
            Stage::Lingering { mut inside } => {
                self.begin_again(step);
                inside.first = inside.first.carried_on(self.id);
                self.add(&attempt, step);
                self.wait_for_phone(inside, step)
            }
            Stage::AwaitingPhone { inside } => {
                self.add(&attempt, step);
                if mutant::is(Mutant::PromptPerRetransmit) {
                    self.ring_again(&inside, step);
                }
                self.wait_for_phone(inside, step)
            }
            Stage::Ended { answer: Answer::Reject(reject), until } => {
                // The same question within ten seconds gets the same Reject, after the same delay (B2, D6).
                self.add(&attempt, step);
                self.delay(reject, Some(until), step)
            }
            Stage::HeldBack { owner } => {
                self.add(&attempt, step);
                if owner.rings() {
                    self.extend_prompt(step);
                }
                Stage::HeldBack { owner }
            }
            other @ (Stage::AskingPrimary { .. }
            | Stage::ReadingName { .. }
            | Stage::ReadingUser { .. }
            | Stage::CheckingCode { .. }
            | Stage::CheckingNumber { .. }
            | Stage::Claiming { .. }
            | Stage::Releasing { .. }
            | Stage::Rejecting { .. }
            | Stage::Ended { .. }
            | Stage::Gone) => {
                self.add(&attempt, step);
                other
            }
        }
    }

    fn wait_for_phone(&mut self, inside: Inside, step: &mut Step<'_, '_>) -> Stage {
        if self.approval(&inside, step).is_some() {
            return self.release_by_phone(inside, step);
        }
        self.extend_prompt(step);
        Stage::AwaitingPhone { inside }
    }

    /// It is never the newest, so it hears nothing, and nothing waits for it.
    pub(super) fn wait_aside(&mut self, attempt: &Attempt, step: &mut Step<'_, '_>) {
        self.askers.wait_aside(attempt.asker, step.now(), step.cx);
        self.tell_joined(step);
    }

    fn add(&mut self, attempt: &Attempt, step: &mut Step<'_, '_>) {
        self.askers.join(attempt.asker, step.now(), step.cx);
        self.tell_joined(step);
    }

    fn tell_joined(&self, step: &mut Step<'_, '_>) {
        step.cx.emit(Effect::Joined {
            client: self.client.clone(),
            login: self.id,
            prompt_avoided: step.prompt.is_some(),
        });
    }

    /// The same challenge under the same State; nothing is delivered twice (B2).
    fn ask_same(&mut self, open: &super::Open, attempt: &Attempt, step: &mut Step<'_, '_>) {
        self.askers.count();
        // Rules G3: who asks a stopping server anew may ask another one.
        let stopping = step.cx.stopping.then(|| Answer::Reject(self.plain(Reason::Draining)));
        let answer = stopping.unwrap_or_else(|| self.question_of(open, step));
        self.tell_joined(step);
        step.cx.emit(Effect::Reply { asker: attempt.asker.id, answer });
    }

    /// The answer before is written down; what comes now is a record of its own (F2).
    pub(super) fn begin_again(&mut self, step: &mut Step<'_, '_>) {
        self.id = LoginId((step.cx.dice)());
        self.began = step.cx.at;
        self.factor_since = Some(step.now());
        self.waited_primary = Duration::ZERO;
        self.note = None;
        self.askers.restart_count();
    }

    fn ring_again(&self, inside: &Inside, step: &mut Step<'_, '_>) {
        if let Some(open) = step.prompt.as_ref() {
            let claim = PromptClaim {
                prompt: open.id,
                user: inside.first.user().clone(),
                login: self.key,
                ends_at: step.cx.at.wall,
                askers_until: step.cx.at.wall,
                station_known: inside.station_known && self.authentic,
                authentic: self.authentic,
                client: self.client.clone(),
                station: self.station.clone(),
                asks: inside.asks,
                only: None,
                unproven: false,
            };
            step.cx.emit(Effect::Push { login: self.id, claim });
        }
    }

    /// Reads the user again before the Accept leaves a second time (A6).
    pub(super) fn look_again(&mut self, asker: AskerId, user: ResolvedUser, step: &mut Step<'_, '_>) {
        const REPEATING_MAX: usize = 16;
        if self.repeating.len() >= REPEATING_MAX {
            return step.cx.emit(Effect::Supersede(asker));
        }
        let question = self.ask();
        self.repeating.push((question, asker));
        let (station, client) = (self.station.clone(), self.client.clone());
        step.cx.emit(Effect::ReadUser { login: self.id, question, user, station, client });
    }

    /// The same Accept, if nothing has changed for its user and client meanwhile; else a Reject.
    pub(super) fn looked_again(
        &mut self,
        question: Question,
        answer: &Answer,
        facts: Result<UserFacts, Unavailable>,
        step: &mut Step<'_, '_>,
    ) {
        let Some(at) = self.repeating.iter().position(|(open, _)| *open == question) else { return };
        let (_, asker) = self.repeating.remove(at);
        let refused = match facts {
            Err(_) => Some(Reason::StoreUnavailable),
            Ok(_) if mutant::is(Mutant::RepeatUnchecked) => None,
            Ok(facts) if facts.blocked.is_some() => Some(Reason::Blocked),
            Ok(facts) if facts.known != self.known => Some(Reason::Changed),
            // What opened the second door must still be there, under the law by which it did.
            Ok(facts) if !self.method_stands(&facts) => Some(Reason::Changed),
            Ok(_) => (!Arc::ptr_eq(step.cx.policy, &self.policy)).then_some(Reason::PolicyChanged),
        };
        let answer = refused.map_or_else(|| answer.clone(), |reason| Answer::Reject(self.plain(reason)));
        step.cx.emit(Effect::Reply { asker, answer });
    }

    fn method_stands(&self, facts: &UserFacts) -> bool {
        match self.factor {
            RecordedFactor::Method(method) => facts.methods.contains(&method),
            RecordedFactor::None | RecordedFactor::Exempt | RecordedFactor::FailOpen | RecordedFactor::Bypass => true,
        }
    }

    /// The time of repeating is over; whoever was still being looked at is refused.
    pub(super) fn forget_repeating(&mut self, step: &mut Step<'_, '_>) -> Stage {
        for (_, asker) in std::mem::take(&mut self.repeating) {
            let answer = Answer::Reject(self.plain(Reason::StoreUnavailable));
            step.cx.emit(Effect::Reply { asker, answer });
        }
        Stage::Gone
    }
}
