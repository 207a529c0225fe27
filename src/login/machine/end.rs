//! The ways out that let nobody in: the refusal and its delay, time running out, a prompt that is lost, a server that stops.

use std::sync::Arc;

use super::case::Unheard;
use super::release::too_late;
use super::{Case, Inside, REPEATS_FOR, Stage, Step};
use crate::answer::{Answer, Reject, Text};
use crate::event::Effect;
use crate::limits;
use crate::moment::Tick;
use crate::mutant::{self, Mutant};
use crate::policy::WhenUnavailable;
use crate::record::{Reason, RecordedAnswer};
use crate::words::Say;

/// Why somebody is refused, and what is said to whom.
#[derive(Debug)]
pub(crate) struct Refusal {
    reason: Reason,
    text: Option<Text>,
    detail: Option<Arc<str>>,
}

impl Refusal {
    pub(crate) fn because(reason: Reason) -> Self {
        Self { reason, text: Some(Text::Ours(reason)), detail: None }
    }

    /// The rule's own text for the person.
    pub(crate) fn saying(self, text: Arc<str>) -> Self {
        Self { text: Some(Text::Rule(text)), ..self }
    }

    /// Where the person gets what is missing.
    pub(crate) fn pointing_to(self, portal: Arc<str>) -> Self {
        Self { text: Some(Text::EnrolAt(portal)), ..self }
    }

    /// A code is taken behind the password and this delimiter.
    pub(crate) fn quiet_for(self, minutes: u64) -> Self {
        Self { text: Some(Text::Quiet(minutes)), ..self }
    }

    pub(crate) fn asking_behind(self, delimiter: Arc<str>) -> Self {
        Self { text: Some(Text::AppendCode(delimiter)), ..self }
    }

    /// For log and audit.
    pub(crate) fn detail(self, detail: impl Into<Arc<str>>) -> Self {
        Self { detail: Some(detail.into()), ..self }
    }

    pub(crate) fn detail_of(self, detail: Option<Arc<str>>) -> Self {
        Self { detail, ..self }
    }
}

impl Case {
    /// Writes the refusal down now and lets it leave after its delay (D6).
    pub(super) fn reject(&mut self, refusal: Refusal, step: &mut Step<'_, '_>) -> Stage {
        let Refusal { reason, text, detail } = refusal;
        let record = self.record(RecordedAnswer::Reject, reason, detail, step);
        step.cx.emit(Effect::Record(Arc::new(record)));
        self.delay(Reject { reason, text, language: self.language.clone() }, None, step)
    }

    /// Nobody could check this login (A10). Where the primary has said nothing of it yet, the client hears nothing, so that it
    /// asks its next server; nothing is remembered, so that whatever it sends next tries again. Where its own section wants
    /// an answer, or the primary has asked its question already, it is a Reject: another server knows nothing of that State.
    pub(super) fn unchecked(&mut self, refusal: Refusal, step: &mut Step<'_, '_>) -> Stage {
        let wish = self.client_policy().map_or(WhenUnavailable::default(), |client| client.when_unavailable);
        let begun = !self.spent.is_empty();
        if begun || wish == WhenUnavailable::Reject {
            return self.reject(refusal, step);
        }
        if mutant::is(Mutant::UncheckedIsRefused) {
            return self.reject(refusal, step);
        }
        let record = self.record(RecordedAnswer::None, refusal.reason, refusal.detail, step);
        step.cx.emit(Effect::Record(Arc::new(record)));
        for waiting in self.askers.take_all() {
            step.cx.emit(Effect::Unchecked(waiting.asker.id));
        }
        Stage::Gone
    }

    /// `repeats_until`: a repetition doesn't lengthen the ten seconds in which there are any (B2).
    pub(super) fn delay(&mut self, reject: Reject, repeats_until: Option<Tick>, step: &mut Step<'_, '_>) -> Stage {
        let now = step.now();
        let at = self.askers.newest().map_or(now, |asker| {
            let leaves = self.leaves_at(reject.reason, asker.since, step);
            leaves.min(asker.until).max(now)
        });
        Stage::Rejecting { at, reject, repeats_until }
    }

    /// So long after the newest asker came, and no sooner than the primary's own rejection would have come (D6). One that came
    /// late waits no more.
    fn leaves_at(&self, reason: Reason, came: Tick, step: &mut Step<'_, '_>) -> Tick {
        let roll = (step.cx.dice)();
        let delayed = came.plus(limits::reject_delay(&self.policy.limits, roll.to_be_bytes()[0]));
        let is_its_own = reason == Reason::Primary || mutant::is(Mutant::RefusedTooSoon);
        let primary = self.client_policy().map(|client| &client.primary).filter(|_| self.at_first_door && !is_its_own);
        let Some(primary) = primary else { return delayed };
        let rejection = (step.cx.rejection)(primary, roll >> 8);
        delayed.max(self.asked_at.plus(rejection.min(limits::REJECT_DELAY_MAX)))
    }

    fn send_reject(&mut self, reject: Reject, repeats_until: Option<Tick>, step: &mut Step<'_, '_>) -> Stage {
        let now = step.now();
        let answer = Answer::Reject(reject);
        let newest = self.askers.newest_group();
        for waiting in self.askers.take_all() {
            self.settle(waiting.group, &answer);
            let silent = self.askers.is_silent(&waiting);
            if Some(waiting.group) == newest || (waiting.asker.until > now && !silent) {
                step.cx.emit(Effect::Reply { asker: waiting.asker.id, answer: answer.clone() });
            } else {
                step.cx.emit(Effect::Supersede(waiting.asker.id));
            }
        }
        let until = repeats_until.unwrap_or_else(|| now.plus(REPEATS_FOR));
        let until = self.unheard.map_or(until, |unheard| unheard.until.max(until));
        if self.repeats && until > now { Stage::Ended { answer, until } } else { Stage::Gone }
    }

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
            Stage::AskingPrimary { .. } if out_of_patience => self.unchecked(
                Refusal::because(Reason::PrimaryUnavailable).detail("no answer within the client's patience"),
                step,
            ),
            Stage::HeldBack { owner } if out_of_patience => self.owner_said_nothing(&owner.why, step),
            Stage::ReadingName { .. } if out_of_patience => self.unchecked(
                Refusal::because(Reason::StoreUnavailable).detail("no answer within the client's patience"),
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
            | Stage::ReadingName { .. }
            | Stage::HeldBack { .. }
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
        let denied = matches!(reason, Reason::Denied | Reason::Fraud | Reason::WrongNumber);
        let over = denied || matches!(reason, Reason::Superseded | Reason::Blocked);
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
            Stage::AwaitingAnswer { open, .. } if over => {
                let repeats_until = step.now().plus(REPEATS_FOR);
                self.unheard = Some(Unheard { state: Some(open.state), until: open.until, repeats_until });
                self.reject(Refusal::because(reason), step)
            }
            Stage::CheckingCode { .. } | Stage::CheckingNumber { .. } if over => {
                self.reject(Refusal::because(reason), step)
            }
            Stage::AwaitingAnswer { .. } => self.expire(reason, step),
            Stage::Lingering { .. } if denied || reason == Reason::ApprovedTooLate => {
                self.begin_again(step);
                if reason == Reason::ApprovedTooLate {
                    self.note =
                        Some("approved late: the appliance had given up, and did not ask again within 10 s".into());
                }
                self.expire(reason, step)
            }
            Stage::Lingering { .. } => Stage::Gone,
            Stage::HeldBack { owner } => self.owner_lost(&owner, reason, step),
            Stage::AskingPrimary { .. }
            | Stage::ReadingName { .. }
            | Stage::ReadingUser { .. }
            | Stage::Claiming { .. }
                if denied =>
            {
                self.reject(Refusal::because(reason), step)
            }
            Stage::AnsweringPrimary { .. } if denied => self.expire(reason, step),
            other @ (Stage::AskingPrimary { .. }
            | Stage::AnsweringPrimary { .. }
            | Stage::ReadingName { .. }
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
            | Stage::ReadingName { .. }
            | Stage::HeldBack { .. }
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
}
