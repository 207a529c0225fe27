//! The last look and the Accept: what must still stand, under the law that began the login and the one in force, and who of
//! those who wait gets in.

use std::sync::Arc;

use super::askers::Waiting;
use super::{Case, Inside, REPEATS_FOR, Refusal, Stage, Step};
use crate::answer::{Accept, Answer, Reject, SecondDoor, Text};
use crate::event::Effect;
use crate::facts::{Means, Method, ReleaseCheck, ReleaseOutcome, Unavailable};
use crate::mutant::{self, Mutant};
use crate::name::ClientName;
use crate::policy::{NumberWish, Outcome, Policy, Rule, Verdict};
use crate::prompt::{Asks, NumberMatch, PromptClose};
use crate::record::{Reason, Record, RecordedAnswer};

/// What became of a release is known when it helps nobody any more (C1).
pub(super) fn too_late() -> Refusal {
    Refusal::because(Reason::StoreUnavailable).detail("its release was not known to be durable in time")
}

/// Rules F8, G2: a push that was asked for less than the law now requires opens nothing any more.
fn proves_enough(asks: Asks, law: &Policy, client: &ClientName, rule: Option<&Rule>) -> Result<(), &'static str> {
    if mutant::is(Mutant::WeakerPushReleased) {
        return Ok(());
    }
    let client_asks =
        law.clients.get(client).is_some_and(|client| client.challenge && client.number != NumberWish::Off);
    if asks.number == NumberMatch::Off && (client_asks || rule.is_some_and(|rule| rule.number_required)) {
        return Err("the policy now requires a number with a push");
    }
    if law.push_pin && !asks.pin { Err("the policy now requires a PIN with a push") } else { Ok(()) }
}

impl Case {
    /// The last look, together with the record, before an Accept may leave (A6, F2).
    pub(super) fn release(&mut self, inside: Inside, second: SecondDoor, step: &mut Step<'_, '_>) -> Stage {
        if let Err(why) = self.law_still_allows(&inside, &second, step) {
            return self.reject(Refusal::because(Reason::PolicyChanged).detail(why), step);
        }
        let record = Arc::new(self.record(RecordedAnswer::Accept, Reason::Accepted, None, step));
        if mutant::is(Mutant::ReleaseUnchecked) {
            step.cx.emit(Effect::Record(Arc::clone(&record)));
            return self.released(inside, second, &record, Ok(ReleaseOutcome::Granted), step);
        }
        let question = self.ask();
        let means = second.means();
        let open_prompt = step.prompt.as_ref().map(|open| open.id);
        // Rules B2: under `join = "connection"` each live asker of the one L is answered by the one approval.
        let together = self.joins_by_connection().then_some(self.key);
        let check = ReleaseCheck { user: inside.first.user().clone(), means, open_prompt, together };
        step.cx.emit(Effect::Release { login: self.id, question, check, record: Arc::clone(&record) });
        if mutant::is(Mutant::AnswerBeforeCommit) {
            return self.released(inside, second, &record, Ok(ReleaseOutcome::Granted), step);
        }
        Stage::Releasing { question, inside, second, record }
    }

    /// What the store said to the last look.
    pub(super) fn released(
        &mut self,
        inside: Inside,
        second: SecondDoor,
        record: &Arc<Record>,
        outcome: Result<ReleaseOutcome, Unavailable>,
        step: &mut Step<'_, '_>,
    ) -> Stage {
        match outcome {
            // Rules C1: it came too late for whoever waits, though nobody has noticed yet.
            Ok(ReleaseOutcome::Granted) if self.nobody_waits_any_more(step) && !mutant::is(Mutant::LateGrantTaken) => {
                return self.reject(too_late(), step);
            }
            Ok(ReleaseOutcome::Granted) => {}
            Ok(ReleaseOutcome::Refused(why)) => {
                return self.reject(Refusal::because(Reason::Changed).detail(why), step);
            }
            Err(Unavailable { why, .. }) => {
                return self.reject(Refusal::because(Reason::StoreUnavailable).detail(why), step);
            }
        }
        debug_assert_eq!(record.login, self.id, "a record belongs to its login");
        self.end_prompt_after(&second, step);
        let Some(accept) = Accept::through(inside.first, &second, inside.rule) else {
            return self
                .reject(Refusal::because(Reason::Changed).detail("the two doors belong to different logins"), step);
        };
        step.cx.emit(Effect::Accepted(Arc::clone(record)));
        self.accept(accept, step)
    }

    /// The newest asker's deadline has passed (B5).
    pub(super) fn nobody_waits_any_more(&self, step: &Step<'_, '_>) -> bool {
        self.askers.newest().is_some_and(|asker| asker.until <= step.now())
    }

    /// The policy in force may be stricter than the one this login began with: the stricter decides (G2).
    fn law_still_allows(&self, inside: &Inside, second: &SecondDoor, step: &Step<'_, '_>) -> Result<(), &'static str> {
        let law = step.cx.policy;
        if Arc::ptr_eq(law, &self.policy) {
            return Ok(());
        }
        if !law.clients.contains_key(&self.client) {
            return Err("the client is no longer configured");
        }
        let decision = law.second_look(&self.facts(inside.first.user(), &inside.groups, self.known, step));
        match decision.outcome {
            Outcome::Verdict(Verdict::Exempt) => Ok(()),
            Outcome::Verdict(Verdict::Require(methods)) => match second.method() {
                Some(method) if !methods.contains(&method) => Err("the policy now asks for another second factor"),
                Some(Method::Push) => proves_enough(inside.asks, law, &self.client, decision.rule.as_deref()),
                Some(Method::Totp | Method::Hotp) => Ok(()),
                // Rules F4: staff by either law always need a factor.
                None if matches!(second, SecondDoor::Bypass(_)) && !law.is_staff(&inside.groups) => Ok(()),
                None => Err("the policy now asks for another second factor"),
            },
            Outcome::Verdict(Verdict::Deny(_)) | Outcome::NoMatch => Err("the policy no longer lets this user in"),
            Outcome::Undecided | Outcome::FailOpen => Err("the policy can no longer decide for this user"),
        }
    }

    /// A prompt that was not needed is withdrawn; one that was is spent by the release.
    fn end_prompt_after(&self, second: &SecondDoor, step: &mut Step<'_, '_>) {
        match second.means() {
            // Another login of this L may have claimed the next one since: that is still out, and its phone's no counts (A8).
            Means::Prompt { prompt, .. } => drop(step.prompt.take_if(|open| open.id == prompt)),
            Means::Token(_) | Means::Bypass(_) | Means::Excuse => {
                let Some(open) = step.prompt.take() else { return };
                step.cx.emit(Effect::ClosePrompt { prompt: open.id, why: PromptClose::Withdrawn });
            }
        }
    }

    /// The Accept goes to the newest asking, or under `join = "connection"` to each live asker (B2).
    fn accept(&mut self, accept: Accept, step: &mut Step<'_, '_>) -> Stage {
        let answer = Answer::Accept(accept);
        let everyone = self.joins_by_connection();
        let newest = self.askers.newest_group();
        for waiting in self.askers.take_all() {
            let live = waiting.asker.until > step.now() && !self.askers.is_silent(&waiting);
            if Some(waiting.group) == newest || (everyone && live) {
                self.settle(waiting.group, &answer);
                step.cx.emit(Effect::Reply { asker: waiting.asker.id, answer: answer.clone() });
            } else {
                self.supersede(waiting, live, step);
            }
        }
        if everyone || !self.spent.is_empty() {
            Stage::Ended { answer, until: step.now().plus(REPEATS_FOR) }
        } else {
            Stage::Gone
        }
    }

    /// A superseded asker gets a Reject until its own deadline, then nothing (B2); so does its twin (C3). A bare one gets
    /// nothing at all (D5).
    fn supersede(&mut self, waiting: Waiting, live: bool, step: &mut Step<'_, '_>) {
        let asker = waiting.asker.id;
        let answer = Answer::Reject(self.plain(Reason::Superseded));
        self.settle(waiting.group, &answer);
        step.cx.emit(if live { Effect::Reply { asker, answer } } else { Effect::Supersede(asker) });
    }

    pub(super) fn plain(&self, reason: Reason) -> Reject {
        Reject { reason, text: Some(Text::Ours(reason)), language: self.language.clone() }
    }
}
