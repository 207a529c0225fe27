//! The ways out: release and Accept, refusal and its delay, time running out, and being asked again.

use std::sync::Arc;

use wire::HeldAttributes;

use super::askers::Waiting;
use super::{Case, Inside, REPEATS_FOR, Stage, Step};
use crate::answer::{Accept, Answer, Reject, SecondDoor, Text};
use crate::attempt::{AskerId, Attempt};
use crate::event::{Effect, Question};
use crate::facts::{Means, Method, ReleaseCheck, ReleaseOutcome, Unavailable, UserFacts};
use crate::limits;
use crate::moment::Tick;
use crate::mutant::{self, Mutant};
use crate::name::{ClientName, ResolvedUser};
use crate::policy::{NumberWish, Outcome, Policy, Rule, Verdict};
use crate::prompt::{Asks, NumberMatch, PromptClose};
use crate::record::{LoginId, Reason, Record, RecordedAnswer, RecordedFactor};
use crate::words::Say;

/// Why somebody is refused, and what is said to whom.
#[derive(Debug)]
pub(crate) struct Refusal {
    reason: Reason,
    text: Option<Text>,
    attributes: Option<Arc<HeldAttributes>>,
    detail: Option<Arc<str>>,
}

impl Refusal {
    pub(crate) fn because(reason: Reason) -> Self {
        Self { reason, text: Some(Text::Ours(reason)), attributes: None, detail: None }
    }

    /// The rule's own text for the person.
    pub(crate) fn saying(self, text: Arc<str>) -> Self {
        Self { text: Some(Text::Rule(text)), ..self }
    }

    /// Where the person gets what is missing.
    pub(crate) fn pointing_to(self, portal: Arc<str>) -> Self {
        Self { text: Some(Text::EnrolAt(portal)), ..self }
    }

    /// What the primary's Reject may pass on; its own words replace ours.
    pub(crate) fn carrying(self, attributes: Arc<HeldAttributes>) -> Self {
        let text = if attributes.reply_message().is_some() { None } else { self.text };
        Self { attributes: Some(attributes), text, ..self }
    }

    /// For log and audit.
    pub(crate) fn detail(self, detail: impl Into<Arc<str>>) -> Self {
        Self { detail: Some(detail.into()), ..self }
    }

    pub(crate) fn detail_of(self, detail: Option<Arc<str>>) -> Self {
        Self { detail, ..self }
    }
}

/// What became of a release is known when it helps nobody any more (C1).
fn too_late() -> Refusal {
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
    // --- release -----------------------------------------------------------------------------------------------

    /// The last look, together with the record, before an Accept may leave (A6, F2).
    pub(super) fn release(&mut self, inside: Inside, second: SecondDoor, step: &mut Step<'_, '_>) -> Stage {
        if let Err(why) = self.law_still_allows(&inside, &second, step) {
            return self.reject(Refusal::because(Reason::Changed).detail(why), step);
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
    fn nobody_waits_any_more(&self, step: &Step<'_, '_>) -> bool {
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
        let decision = law.second_look(&self.facts(inside.first.user(), &inside.groups, step));
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
            let live = waiting.asker.until > step.now();
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

    /// A superseded asker gets a Reject until its own deadline, then nothing (B2); so does its twin (C3).
    fn supersede(&mut self, waiting: Waiting, live: bool, step: &mut Step<'_, '_>) {
        let asker = waiting.asker.id;
        let answer = Answer::Reject(self.plain(Reason::Superseded));
        self.settle(waiting.group, &answer);
        step.cx.emit(if live { Effect::Reply { asker, answer } } else { Effect::Supersede(asker) });
    }

    pub(super) fn plain(&self, reason: Reason) -> Reject {
        Reject { reason, text: Some(Text::Ours(reason)), language: self.language.clone(), attributes: None }
    }

    // --- refusal -----------------------------------------------------------------------------------------------

    /// Writes the refusal down now and lets it leave after its delay (D6).
    pub(super) fn reject(&mut self, refusal: Refusal, step: &mut Step<'_, '_>) -> Stage {
        let Refusal { reason, text, attributes, detail } = refusal;
        let record = self.record(RecordedAnswer::Reject, reason, detail, step);
        step.cx.emit(Effect::Record(Arc::new(record)));
        self.delay(Reject { reason, text, language: self.language.clone(), attributes }, None, step)
    }

    /// `repeats_until`: a repetition doesn't lengthen the ten seconds in which there are any (B2).
    fn delay(&mut self, reject: Reject, repeats_until: Option<Tick>, step: &mut Step<'_, '_>) -> Stage {
        let now = step.now();
        let dice = (step.cx.dice)().to_be_bytes()[0];
        let delayed = now.plus(limits::reject_delay(&self.policy.limits, dice));
        let at = self.askers.newest().map_or(now, |asker| delayed.min(asker.until.max(now)));
        Stage::Rejecting { at, reject, repeats_until }
    }

    fn send_reject(&mut self, reject: Reject, repeats_until: Option<Tick>, step: &mut Step<'_, '_>) -> Stage {
        let now = step.now();
        let answer = Answer::Reject(reject);
        let newest = self.askers.newest_group();
        for waiting in self.askers.take_all() {
            self.settle(waiting.group, &answer);
            if Some(waiting.group) == newest || waiting.asker.until > now {
                step.cx.emit(Effect::Reply { asker: waiting.asker.id, answer: answer.clone() });
            } else {
                step.cx.emit(Effect::Supersede(waiting.asker.id));
            }
        }
        let until = repeats_until.unwrap_or_else(|| now.plus(REPEATS_FOR));
        if self.repeats && until > now { Stage::Ended { answer, until } } else { Stage::Gone }
    }

    // --- an Accept once more -----------------------------------------------------------------------------------

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
            Ok(_) => (!Arc::ptr_eq(step.cx.policy, &self.policy)).then_some(Reason::Changed),
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
    fn forget_repeating(&mut self, step: &mut Step<'_, '_>) -> Stage {
        for (_, asker) in std::mem::take(&mut self.repeating) {
            let answer = Answer::Reject(self.plain(Reason::StoreUnavailable));
            step.cx.emit(Effect::Reply { asker, answer });
        }
        Stage::Gone
    }

    // --- time --------------------------------------------------------------------------------------------------

    /// Whatever deadline this stage has, it may have come.
    pub(super) fn woken(&mut self, stage: Stage, step: &mut Step<'_, '_>) -> Stage {
        let now = step.now();
        let out_of_patience = self.nobody_waits_any_more(step);
        match stage {
            Stage::Rejecting { at, reject, repeats_until } if at <= now => {
                self.send_reject(reject, repeats_until, step)
            }
            Stage::Ended { until, .. } if until <= now => self.forget_repeating(step),
            Stage::AnsweringPrimary { open, .. } if open.until <= now => self.expire(Reason::Expired, step),
            Stage::AwaitingAnswer { inside, open } if open.until <= now => self.expire_answer(&inside, step),
            Stage::AwaitingPhone { inside } if out_of_patience => self.phone_too_slow(inside, step),
            Stage::AskingPrimary { .. } if out_of_patience => self.reject(
                Refusal::because(Reason::PrimaryUnavailable).detail("no answer within the client's patience"),
                step,
            ),
            Stage::ReadingUser { .. }
            | Stage::CheckingCode { .. }
            | Stage::CheckingNumber { .. }
            | Stage::Claiming { .. }
                if out_of_patience =>
            {
                self.reject(
                    Refusal::because(Reason::StoreUnavailable).detail("no answer within the client's patience"),
                    step,
                )
            }
            // Rules C1: an unknown commit that is unsettled by the deadline is no Accept. Where it turns out durable after
            // all, the refusal's record amends it (F2).
            Stage::Releasing { .. } if out_of_patience => self.reject(too_late(), step),
            other @ (Stage::AskingPrimary { .. }
            | Stage::AnsweringPrimary { .. }
            | Stage::ReadingUser { .. }
            | Stage::CheckingCode { .. }
            | Stage::CheckingNumber { .. }
            | Stage::Claiming { .. }
            | Stage::AwaitingPhone { .. }
            | Stage::AwaitingAnswer { .. }
            | Stage::Lingering { .. }
            | Stage::Releasing { .. }
            | Stage::Rejecting { .. }
            | Stage::Ended { .. }
            | Stage::Gone) => other,
        }
    }

    /// The newest asker can't wait longer: a challenge if its client can show one, the push stays open; else a
    /// Reject, and the same login may ask again while the prompt lives (B5).
    fn phone_too_slow(&mut self, inside: Inside, step: &mut Step<'_, '_>) -> Stage {
        if self.can_challenge() {
            let say = inside.waiting_for_phone();
            return self.challenge(inside, say, step);
        }
        let record = self.record(RecordedAnswer::Reject, Reason::Unanswered, None, step);
        step.cx.emit(Effect::Record(Arc::new(record)));
        let ended = self.send_reject(self.plain(Reason::Unanswered), None, step);
        if step.prompt.is_some() { Stage::Lingering { inside } } else { ended }
    }

    /// A challenge that nobody answered: there is nobody to tell, but it is written down.
    fn expire(&mut self, reason: Reason, step: &mut Step<'_, '_>) -> Stage {
        let record = self.record(RecordedAnswer::None, reason, None, step);
        step.cx.emit(Effect::Record(Arc::new(record)));
        for waiting in self.askers.take_all() {
            step.cx.emit(Effect::Supersede(waiting.asker.id));
        }
        Stage::Gone
    }

    fn expire_answer(&mut self, inside: &Inside, step: &mut Step<'_, '_>) -> Stage {
        let reason = if self.approval(inside, step).is_some() { Reason::ApprovedTooLate } else { Reason::Expired };
        self.expire(reason, step)
    }

    /// The prompt is over without a yes: denied, reported, displaced, or its time has passed.
    pub(super) fn prompt_lost(&mut self, stage: Stage, reason: Reason, step: &mut Step<'_, '_>) -> Stage {
        let denied = matches!(reason, Reason::Denied | Reason::Fraud);
        let over = denied || reason == Reason::Superseded;
        match stage {
            Stage::AwaitingPhone { inside } if !over && inside.has_codes() && self.can_challenge() => {
                self.challenge(inside.without_phone(), Say::EnterCode, step)
            }
            Stage::AwaitingPhone { .. } => self.reject(Refusal::because(reason), step),
            // Its screen stays as it is; the phone is out of the game.
            Stage::AwaitingAnswer { inside, open } if !over && inside.has_codes() => {
                Stage::AwaitingAnswer { inside: Inside { at_phone: false, ..inside }, open }
            }
            // Rules A8: a denial ends the session, whatever else is under way; nothing revives it.
            Stage::AwaitingAnswer { .. } | Stage::CheckingCode { .. } | Stage::CheckingNumber { .. } if over => {
                self.reject(Refusal::because(reason), step)
            }
            Stage::AwaitingAnswer { .. } => self.expire(reason, step),
            Stage::Lingering { .. } if denied || reason == Reason::ApprovedTooLate => {
                self.begin_again(step);
                self.expire(reason, step)
            }
            Stage::Lingering { .. } => Stage::Gone,
            Stage::AskingPrimary { .. } | Stage::ReadingUser { .. } | Stage::Claiming { .. } if denied => {
                self.reject(Refusal::because(reason), step)
            }
            Stage::AnsweringPrimary { .. } if denied => self.expire(reason, step),
            other @ (Stage::AskingPrimary { .. }
            | Stage::AnsweringPrimary { .. }
            | Stage::ReadingUser { .. }
            | Stage::CheckingCode { .. }
            | Stage::CheckingNumber { .. }
            | Stage::Claiming { .. }
            | Stage::Releasing { .. }
            | Stage::Rejecting { .. }
            | Stage::Ended { .. }
            | Stage::Gone) => other,
        }
    }

    /// The server stops: nobody is left without an answer (G3).
    pub(super) fn drained(&mut self, stage: Stage, step: &mut Step<'_, '_>) -> Stage {
        match stage {
            Stage::Rejecting { reject, repeats_until, .. } => self.send_reject(reject, repeats_until, step),
            Stage::Ended { .. } => self.forget_repeating(step),
            Stage::Gone | Stage::Lingering { .. } => Stage::Gone,
            // Its record may be durable already: what the store says of it is what leaves (F2).
            releasing @ Stage::Releasing { .. } => releasing,
            Stage::AskingPrimary { .. }
            | Stage::ReadingUser { .. }
            | Stage::CheckingCode { .. }
            | Stage::CheckingNumber { .. }
            | Stage::Claiming { .. }
            | Stage::AwaitingPhone { .. } => {
                let record = self.record(RecordedAnswer::Reject, Reason::Draining, None, step);
                step.cx.emit(Effect::Record(Arc::new(record)));
                self.send_reject(self.plain(Reason::Draining), None, step)
            }
            Stage::AnsweringPrimary { .. } | Stage::AwaitingAnswer { .. } => self.expire(Reason::Draining, step),
        }
    }

    // --- asked again -------------------------------------------------------------------------------------------

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
            other @ (Stage::AskingPrimary { .. }
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

    fn add(&mut self, attempt: &Attempt, step: &mut Step<'_, '_>) {
        self.askers.join(attempt.asker, step.now(), step.cx);
        step.cx.emit(Effect::Joined {
            client: self.client.clone(),
            login: self.id,
            prompt_avoided: step.prompt.is_some(),
        });
    }

    /// The same challenge under the same State; nothing is delivered twice (B2).
    fn ask_same(&mut self, open: &super::Open, attempt: &Attempt, step: &mut Step<'_, '_>) {
        self.askers.count();
        let answer = self.question_of(open, step);
        step.cx.emit(Effect::Joined {
            client: self.client.clone(),
            login: self.id,
            prompt_avoided: step.prompt.is_some(),
        });
        step.cx.emit(Effect::Reply { asker: attempt.asker.id, answer });
    }

    /// The answer before is written down; what comes now is a record of its own (F2).
    fn begin_again(&mut self, step: &mut Step<'_, '_>) {
        self.id = LoginId((step.cx.dice)());
        self.began = step.cx.at;
        self.factor_since = Some(step.now());
        self.waited_primary = std::time::Duration::ZERO;
        self.askers.restart_count();
    }

    fn ring_again(&self, inside: &Inside, step: &mut Step<'_, '_>) {
        if let Some(open) = step.prompt.as_ref() {
            let claim = crate::prompt::PromptClaim {
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
            };
            step.cx.emit(Effect::Push { login: self.id, claim });
        }
    }

    // --- the record --------------------------------------------------------------------------------------------

    /// The one record of this login (F2).
    fn record(&self, answer: RecordedAnswer, reason: Reason, detail: Option<Arc<str>>, step: &Step<'_, '_>) -> Record {
        let claimed =
            || self.user.as_ref().map_or_else(|_| wire::log_safe(&self.user_octets), |user| user.folded().to_owned());
        let now = step.now();
        Record {
            login: self.id,
            time: self.began.wall,
            client: self.client.clone(),
            user: self.vouched.clone().unwrap_or_else(|| claimed().into()),
            vouched: self.vouched.is_some(),
            station: self.station.clone(),
            rule: self.rule.as_ref().map(|rule| rule.name.clone()),
            tried: Arc::clone(&self.tried),
            primary: self.primary.clone(),
            factor: self.factor,
            answer,
            reason,
            detail,
            askers: self.askers.asked(),
            waited: now.since(self.began.tick),
            waited_primary: self.waited_primary,
            waited_factor: self.factor_since.map_or(std::time::Duration::ZERO, |since| now.since(since)),
        }
    }
}
