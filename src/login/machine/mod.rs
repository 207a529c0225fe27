//! One login's way, from its first Access-Request to its one answer: a state machine that takes itself by value.
//!
//! [`Login`] is a [`Case`] (what stays the same: who asks, who waits, under which law) and a [`Stage`] (where it
//! stands). Each step takes the stage, and says the next; an old stage can't be used again. It guarantees that an
//! Accept passes `release`, that a State is spent before its answer is looked at, and that an answer to another
//! question changes nothing. It never reads a clock and never waits.
//!
//! A request's way, in the order of the files: `first` (the first door), `second` (codes and prompts), `release` (the last
//! look and the Accept); beside it `end` (refusals, time, a prompt that is lost) and `again` (the same login asks again).
//! `case`, `inside` and `step` are what those work on; `view` is what others may see of a login.

mod again;
mod askers;
mod case;
mod end;
mod first;
mod inside;
mod owner;
mod release;
mod second;
mod step;
mod view;

use std::sync::Arc;
use std::time::Duration;

use wire::Secret;

use crate::answer::{Answer, PrimaryAccepted, Reject, SecondDoor};
use crate::attempt::{AskerId, Attempt};
use crate::event::{Context, Effect, LoginEvent, PushFailure, Question};
use crate::key::{Proof, StateHash};
use crate::moment::Tick;
use crate::mutant::{self, Mutant};
use crate::name::ResolvedUser;
use crate::prompt::{PromptClaim, PromptId};
use crate::record::{Reason, Record};

use case::Case;
pub(crate) use end::Refusal;
use inside::{Inside, Open, OpenChallenge};
use owner::{Owner, OwnerAt};
pub(crate) use step::{Approval, OpenPrompt, Step};

/// How long an ended login still answers the same question (B2, C1).
pub(crate) const REPEATS_FOR: Duration = Duration::from_secs(10);

/// One login.
#[derive(Debug)]
pub(crate) struct Login {
    case: Case,
    stage: Stage,
}

/// Where a login stands.
#[derive(Debug)]
enum Stage {
    /// The primary looks at the password.
    AskingPrimary { question: Question },
    /// The primary asked something of its own (E4).
    AnsweringPrimary { open: Open, state: Arc<[u8]>, server: usize },
    /// The store is read for a name whose letters not every primary tells apart: only one that staff added is asked about (A2).
    ReadingName { question: Question, password: Secret },
    /// The name is held back: its owner is asked on a phone first (D7).
    HeldBack { owner: Owner },
    /// The store is read for the resolved user.
    ReadingUser { question: Question, first: PrimaryAccepted },
    /// A code is looked at. `answer` is its P; `None` for an appended one.
    CheckingCode { question: Question, inside: Inside, answer: Option<Proof> },
    /// Digits that the phone showed are looked at; `code`: they may be a token's, too.
    CheckingNumber { question: Question, inside: Inside, prompt: PromptId, code: Secret, answer: Proof },
    /// The prompt is claimed.
    Claiming { question: Question, inside: Inside, claim: PromptClaim },
    /// The phone rings and requests are held.
    AwaitingPhone { inside: Inside },
    /// A challenge of ours is out; a prompt may be out beside it.
    AwaitingAnswer { inside: Inside, open: Open },
    /// The last asker was refused in time, but its prompt is still out: the same login may ask again (B5, A8).
    Lingering { inside: Inside },
    /// The last look before the Accept.
    Releasing { question: Question, inside: Inside, second: SecondDoor, record: Arc<Record> },
    /// The refusal waits its delay (D6).
    Rejecting { at: Tick, reject: Reject, repeats_until: Option<Tick> },
    /// Answered; kept while the same question gets the same answer.
    Ended { answer: Answer, until: Tick },
    /// Nothing more to say.
    Gone,
}

impl Login {
    /// A new login begins with this request.
    pub(crate) fn begin(attempt: Attempt, step: &mut Step<'_, '_>) -> Self {
        let (mut case, credential) = Case::of(attempt, step);
        let stage = case.enter(credential, step);
        Self { case, stage }
    }

    /// A login that is refused before it begins.
    pub(crate) fn refuse(attempt: Attempt, reason: Reason, step: &mut Step<'_, '_>) -> Self {
        let (mut case, _) = Case::of(attempt, step);
        case.repeats = false;
        let stage = case.reject(Refusal::because(reason), step);
        Self { case, stage }
    }

    /// One event for this login; one that answers no open question changes nothing (A2).
    pub(crate) fn handle(self, event: LoginEvent, step: &mut Step<'_, '_>) -> Self {
        let Self { mut case, stage } = self;
        let stage = match (stage, event) {
            (Stage::AskingPrimary { question }, LoginEvent::Primary(answers, answer)) if matches(question, answers) => {
                case.primary_answered(answer, step)
            }
            (Stage::ReadingName { question, password }, LoginEvent::User(answers, facts)) if question == answers => {
                case.name_read(password, facts, step)
            }
            (Stage::HeldBack { owner }, LoginEvent::User(answers, facts)) if owner.reads(answers) => {
                case.owner_read(owner, facts, step)
            }
            (
                Stage::HeldBack { owner: Owner { at: OwnerAt::Claiming(question, claim), password, why } },
                LoginEvent::Claim(answers, outcome),
            ) if question == answers => case.owner_claimed((password, why), claim, outcome, step),
            (Stage::ReadingUser { question, first }, LoginEvent::User(answers, facts)) if question == answers => {
                case.user_read(first, facts, step)
            }
            (Stage::CheckingCode { question, inside, answer }, LoginEvent::Code(answers, outcome))
                if question == answers =>
            {
                case.code_checked(inside, answer, outcome, step)
            }
            (
                Stage::CheckingNumber { question, inside, prompt, code, answer },
                LoginEvent::Number(answers, outcome),
            ) if question == answers => case.number_checked(inside, (prompt, answer), code, outcome, step),
            (Stage::Claiming { question, inside, claim }, LoginEvent::Claim(answers, outcome))
                if question == answers =>
            {
                case.claimed(inside, claim, outcome, step)
            }
            (Stage::Ended { answer, until }, LoginEvent::User(answers, facts)) => {
                case.looked_again(answers, &answer, facts, step);
                Stage::Ended { answer, until }
            }
            (Stage::Releasing { question, inside, second, record }, LoginEvent::Release(answers, outcome))
                if question == answers =>
            {
                case.released(inside, second, &record, outcome, step)
            }
            (stage, _) => stage,
        };
        Self { case, stage }
    }

    /// The answer to a challenge: its State is spent before the answer is looked at (C3).
    pub(crate) fn resume(self, attempt: Attempt, step: &mut Step<'_, '_>) -> Self {
        if self.case.turns_away(&attempt, step) {
            return self;
        }
        let Self { mut case, stage } = self;
        let answer = attempt.answer();
        let proof = attempt.proof;
        let stage = match stage {
            Stage::AnsweringPrimary { open, .. } if case.is_suspect(&answer) => {
                case.spend(open.state, proof, &attempt, step);
                case.reject(Refusal::because(Reason::SuspectSecret), step)
            }
            Stage::AnsweringPrimary { open, state, server } => {
                case.spend(open.state, proof, &attempt, step);
                case.ask_primary(answer, Some((state, server)), step)
            }
            Stage::AwaitingAnswer { inside, open } => {
                case.spend(open.state, proof, &attempt, step);
                case.answered(inside, answer, proof, step)
            }
            Stage::CheckingCode { inside, .. } if mutant::is(Mutant::StateSpentTwice) => {
                case.askers.join(attempt.asker, step.now(), step.cx);
                case.answered(inside, answer, proof, step)
            }
            other @ (Stage::AskingPrimary { .. }
            | Stage::ReadingName { .. }
            | Stage::HeldBack { .. }
            | Stage::ReadingUser { .. }
            | Stage::CheckingCode { .. }
            | Stage::CheckingNumber { .. }
            | Stage::Claiming { .. }
            | Stage::AwaitingPhone { .. }
            | Stage::Lingering { .. }
            | Stage::Releasing { .. }
            | Stage::Rejecting { .. }
            | Stage::Ended { .. }
            | Stage::Gone) => other,
        };
        Self { case, stage }
    }

    /// The answer to a challenge whose login the phone has ended: it is told how, and its State is spent (C3).
    pub(crate) fn hears_the_end(self, attempt: Attempt, step: &mut Step<'_, '_>) -> Self {
        let Self { mut case, stage } = self;
        if case.turns_away(&attempt, step) {
            return Self { case, stage };
        }
        if let Some(state) = case.unheard.as_mut().and_then(|unheard| unheard.state.take()) {
            case.spend(state, attempt.proof, &attempt, step);
        }
        let stage = if let Stage::Ended { answer: Answer::Reject(reject), until } = stage {
            case.delay(reject, Some(until), step)
        } else {
            stage
        };
        Self { case, stage }
    }

    /// The same answer to the same State under another Identifier: one use, two answers (C3).
    pub(crate) fn twin_of(mut self, attempt: &Attempt, state: StateHash, step: &mut Step<'_, '_>) -> Self {
        if self.case.turns_away(attempt, step) {
            return self;
        }
        let group = self.case.spent.iter().find(|spent| spent.state == state).map(|spent| spent.group);
        match group.filter(|group| self.case.askers.waits(*group)) {
            Some(group) => self.case.askers.join_group(attempt.asker, group, step.cx),
            // Whoever gave that answer was too late to get a result; so is its twin (B2).
            None => {
                let answer = Answer::Reject(self.case.plain(Reason::StateLate));
                step.cx.emit(Effect::Reply { asker: attempt.asker.id, answer });
            }
        }
        self
    }

    /// The same connection, or the same answer to the same State, asks for the Accept once more.
    pub(crate) fn repeat(mut self, asker: AskerId, user: ResolvedUser, step: &mut Step<'_, '_>) -> Self {
        self.case.look_again(asker, user, step);
        self
    }

    /// The same login asks again (B2).
    pub(crate) fn join(self, attempt: Attempt, step: &mut Step<'_, '_>) -> Self {
        // Rules D5: beside a signed login a bare packet waits, and that is all it does; so beside a screen that shows a
        // number, which each screen has of its own (F8).
        let aside = !attempt.authentic && (self.case.authentic || self.shows_number());
        let Self { mut case, stage } = self;
        if aside {
            case.wait_aside(&attempt, step);
            return Self { case, stage };
        }
        if case.turns_away(&attempt, step) {
            return Self { case, stage };
        }
        let stage = case.rejoined(stage, attempt, step);
        Self { case, stage }
    }

    /// It is over: whoever still waits, as bare packets do beside it, gets nothing (D5).
    pub(crate) fn send_away(&mut self, cx: &mut Context<'_>) {
        self.case.askers.take_all().iter().for_each(|waiting| cx.emit(Effect::Supersede(waiting.asker.id)));
    }

    /// Time has passed.
    pub(crate) fn wake(self, step: &mut Step<'_, '_>) -> Self {
        let Self { mut case, stage } = self;
        let stage = case.woken(stage, step);
        Self { case, stage }
    }

    /// The phone said yes, and this login holds the newest asker (A8).
    pub(crate) fn approve(self, step: &mut Step<'_, '_>) -> Self {
        let Self { mut case, stage } = self;
        let stage = match stage {
            Stage::AwaitingPhone { inside } => case.release_by_phone(inside, step),
            Stage::HeldBack { owner } if owner.rings() => case.owner_said_yes(owner, step),
            other @ (Stage::AskingPrimary { .. }
            | Stage::AnsweringPrimary { .. }
            | Stage::ReadingName { .. }
            | Stage::HeldBack { .. }
            | Stage::ReadingUser { .. }
            | Stage::CheckingCode { .. }
            | Stage::CheckingNumber { .. }
            | Stage::Claiming { .. }
            | Stage::AwaitingAnswer { .. }
            | Stage::Lingering { .. }
            | Stage::Releasing { .. }
            | Stage::Rejecting { .. }
            | Stage::Ended { .. }
            | Stage::Gone) => other,
        };
        Self { case, stage }
    }

    /// The phone said yes to this L: under `join = "connection"` that holds for each of its logins at the prompt (B2).
    pub(crate) fn let_in_together(mut self, step: &mut Step<'_, '_>) -> Self {
        if let (true, Some(inside)) = (self.case.joins_by_connection(), self.stage.inside_at_prompt()) {
            self.case.let_in = step.approved(inside);
        }
        self
    }

    /// It gets in together with others of its L.
    pub(crate) fn is_let_in(&self) -> bool {
        self.case.let_in.is_some()
    }

    /// A push that rang nowhere: nobody here waits for it any more.
    pub(crate) fn rang_nowhere(self, failure: &PushFailure, step: &mut Step<'_, '_>) -> Self {
        let Self { mut case, stage } = self;
        let stage = match stage {
            Stage::AwaitingPhone { inside } => case.rang_nowhere(inside, failure, step),
            Stage::Lingering { .. } => Stage::Gone,
            Stage::HeldBack { owner } => case.owner_said_nothing(&owner.why, step),
            other @ (Stage::AskingPrimary { .. }
            | Stage::AnsweringPrimary { .. }
            | Stage::ReadingName { .. }
            | Stage::ReadingUser { .. }
            | Stage::CheckingCode { .. }
            | Stage::CheckingNumber { .. }
            | Stage::Claiming { .. }
            | Stage::AwaitingAnswer { .. }
            | Stage::Releasing { .. }
            | Stage::Rejecting { .. }
            | Stage::Ended { .. }
            | Stage::Gone) => other,
        };
        Self { case, stage }
    }

    /// The prompt is over without a yes for this login.
    pub(crate) fn lose_prompt(self, reason: Reason, step: &mut Step<'_, '_>) -> Self {
        let Self { mut case, stage } = self;
        let stage = case.prompt_lost(stage, reason, step);
        Self { case, stage }
    }

    /// The store took the prompt back: its user is blocked, or one of their devices is gone (F5).
    pub(crate) fn withdrawn(mut self, blocked: Option<Arc<str>>, step: &mut Step<'_, '_>) -> Self {
        let reason = if blocked.is_some() { Reason::Blocked } else { Reason::Changed };
        let removed =
            || "its prompt was taken back: a device of this user was removed, or another login took the phone".into();
        self.case.note = Some(blocked.unwrap_or_else(removed));
        self.lose_prompt(reason, step)
    }

    /// The server stops (G3).
    pub(crate) fn drain(self, step: &mut Step<'_, '_>) -> Self {
        let Self { mut case, stage } = self;
        let stage = case.drained(stage, step);
        Self { case, stage }
    }
}

/// The question of the answer, or, for the saboteur, any.
fn matches(question: Question, answers: Question) -> bool {
    question == answers || mutant::is(Mutant::ForgedPrimary)
}
