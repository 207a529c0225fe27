//! One login's way, from its first Access-Request to its one answer: a state machine that takes itself by value.
//!
//! [`Login`] is a [`Case`] (what stays the same: who asks, who waits, under which law) and a [`Stage`] (where it
//! stands). Each step takes the stage, and says the next; an old stage can't be used again. It guarantees that an
//! Accept passes `release`, that a State is spent before its answer is looked at, and that an answer to another
//! question changes nothing. It never reads a clock and never waits.

mod askers;
mod end;
mod first;
mod second;

use std::sync::Arc;
use std::time::Duration;

use wire::{ATTRIBUTE_COUNT_MAX, HeldAttributes, Secret};

use crate::answer::{Answer, Challenge, PrimaryAccepted, Reject, SecondDoor};
use crate::attempt::{Appended, AskerId, Attempt, Credential};
use crate::event::{Context, Effect, LoginEvent, PushFailure, Question};
use crate::facts::Method;
use crate::key::{LoginKey, Proof, StateHash};
use crate::moment::{Moment, Tick};
use crate::mutant::{self, Mutant};
use crate::name::{ClientName, GroupName, NameRefused, PrimaryName, ResolvedUser, Station, UserName};
use crate::policy::{ClientPolicy, Join, Policy, Rule, Tried};
use crate::prompt::{Asks, DeviceId, Number, NumberMatch, PromptClaim, PromptId};
use crate::record::{LoginId, Reason, Record, RecordedFactor};
use crate::session::{Waiting, WaitsFor};
use crate::words::Say;

use askers::Askers;
pub(crate) use end::Refusal;

/// How long an ended login still answers the same question (B2, C1).
pub(crate) const REPEATS_FOR: Duration = Duration::from_secs(10);

/// One login.
#[derive(Debug)]
pub(crate) struct Login {
    case: Case,
    stage: Stage,
}

/// What stays the same from stage to stage.
#[derive(Debug)]
pub(crate) struct Case {
    id: LoginId,
    began: Moment,
    client: ClientName,
    user: Result<UserName, NameRefused>,
    user_octets: Box<[u8]>,
    station: Option<Station>,
    key: LoginKey,
    twin: LoginKey,
    proof: Proof,
    authentic: bool,
    /// Its Reject is repeated to the same question (B2); one that was refused before it began has nobody to repeat it to.
    repeats: bool,
    /// What was typed beside the password, until it is used.
    appended: Option<Appended>,
    /// Only for the saboteur that tries the split unsplit.
    unsplit: Option<Secret>,
    /// The law that this login began with (G2).
    policy: Arc<Policy>,
    primary: Option<PrimaryName>,
    askers: Askers,
    questions: u32,
    rounds: u32,
    tries: u32,
    /// Codes of this login that were wrong: the same one again is the same failure (C1).
    wrong: Vec<Proof>,
    /// Digits that were not the phone's (F8): the same ones again are no second wrong try, even where codes are off.
    wrong_digits: Vec<Proof>,
    spent: Vec<Spent>,
    /// Each rule tried, once the law has spoken.
    tried: Arc<[Tried]>,
    rule: Option<Arc<Rule>>,
    vouched: Option<Arc<str>>,
    factor: RecordedFactor,
    primary_since: Option<Tick>,
    waited_primary: Duration,
    factor_since: Option<Tick>,
    /// The approval that lets this login in together with the others of its L: set when the phone said yes (B2).
    let_in: Option<(PromptId, DeviceId)>,
    /// Askers of an Accept that is repeated, until the user was looked at again (A6).
    repeating: Vec<(Question, AskerId)>,
    /// The language that the user chose, as a tag.
    language: Option<Arc<str>>,
    /// The store knew the user when this login's law spoke.
    known: bool,
    /// Octets that an asker's own part of the Accept may take, once the rest of it is known (E3).
    room: usize,
    /// The same in attributes.
    places: usize,
}

/// A State that was answered: who answers it again with the same gets the same (C3).
#[derive(Debug)]
struct Spent {
    state: StateHash,
    answer: Proof,
    group: u32,
    result: Option<Answer>,
}

/// Both doors' facts, once the first one is open.
#[derive(Debug)]
struct Inside {
    first: PrimaryAccepted,
    rule: Arc<Rule>,
    /// The methods that the rule lists.
    methods: Vec<Method>,
    /// Those of them that the user has.
    usable: Vec<Method>,
    groups: Arc<[GroupName]>,
    station_known: bool,
    /// What the phone must prove (B4, F8).
    asks: Asks,
    /// It claimed or joined the prompt that is out: only then is a yes to it one to this login.
    at_phone: bool,
    /// No phone of the user rings by itself.
    must_open_app: bool,
}

impl Inside {
    fn code_methods(&self) -> Vec<Method> {
        self.methods.iter().copied().filter(|method| method.is_code()).collect()
    }

    /// A yes with this number is a yes to this login.
    fn is_meant(&self, number: Option<Number>) -> bool {
        self.at_phone && (self.asks.number.expects() == number || mutant::is(Mutant::ApprovalOfAnother))
    }

    /// No phone is asked, or none any more: its screen shows no number, and nobody's yes is one to it.
    fn without_phone(self) -> Self {
        Self { asks: Asks::default(), at_phone: false, ..self }
    }

    /// What the challenge says while the phone is waited for.
    fn waiting_for_phone(&self) -> Say {
        match (self.asks.number, self.has_codes()) {
            (NumberMatch::Off, true) if self.must_open_app => Say::OpenAppOrCode,
            (NumberMatch::Off, true) => Say::ApproveOrCode,
            (NumberMatch::Shown(number), true) => Say::ChooseOrCode(number),
            (NumberMatch::Off | NumberMatch::Shown(_) | NumberMatch::Typed(_), _) => self.waiting_without_codes(),
        }
    }

    /// The same, where a code can't help now.
    fn waiting_without_codes(&self) -> Say {
        match self.asks.number {
            NumberMatch::Off if self.must_open_app => Say::OpenApp,
            NumberMatch::Off => Say::Approve,
            NumberMatch::Shown(number) => Say::Choose(number),
            NumberMatch::Typed(_) => Say::TypeDigits,
        }
    }

    fn has_codes(&self) -> bool {
        self.usable.iter().any(|method| method.is_code())
    }

    fn bytes(&self) -> usize {
        let methods = (self.methods.capacity() + self.usable.capacity()) * size_of::<Method>();
        self.first.attributes().bytes() + methods + size_of_val(&*self.groups)
    }
}

/// A challenge of ours, or of the primary's, that is out.
#[derive(Clone, Debug)]
struct Open {
    state: StateHash,
    until: Tick,
    challenge: OpenChallenge,
}

impl Open {
    fn bytes(&self) -> usize {
        match &self.challenge {
            OpenChallenge::Ours { .. } => 0,
            OpenChallenge::Primary(attributes) => attributes.bytes(),
        }
    }
}

/// What was asked, so that the same can be asked again under the same State (B2).
#[derive(Clone, Debug)]
enum OpenChallenge {
    Ours { round: u32, say: Say },
    Primary(Arc<HeldAttributes>),
}

/// Where a login stands.
#[derive(Debug)]
enum Stage {
    /// The primary looks at the password.
    AskingPrimary { question: Question },
    /// The primary asked something of its own (E4).
    AnsweringPrimary { open: Open, state: Arc<[u8]>, server: usize },
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

impl Stage {
    /// Both doors' facts of a login that has a part in the session's prompt.
    fn inside_at_prompt(&self) -> Option<&Inside> {
        match self {
            Self::AwaitingPhone { inside }
            | Self::AwaitingAnswer { inside, .. }
            | Self::Lingering { inside }
            | Self::CheckingCode { inside, .. }
            | Self::CheckingNumber { inside, .. } => Some(inside),
            Self::AskingPrimary { .. }
            | Self::AnsweringPrimary { .. }
            | Self::ReadingUser { .. }
            | Self::Claiming { .. }
            | Self::Releasing { .. }
            | Self::Rejecting { .. }
            | Self::Ended { .. }
            | Self::Gone => None,
        }
    }
}

/// The session's prompt, shared by its logins (B2).
#[derive(Clone, Debug)]
pub(crate) struct OpenPrompt {
    pub(crate) id: PromptId,
    pub(crate) user: ResolvedUser,
    pub(crate) ends: Tick,
    pub(crate) approved: Option<Approval>,
}

/// A phone's yes to the session's prompt.
#[derive(Clone, Debug)]
pub(crate) struct Approval {
    pub(crate) device: DeviceId,
    pub(crate) at: Tick,
    /// The number that came with it: it is the yes of the login whose screen shows this one (B2, F8).
    pub(crate) number: Option<Number>,
}

/// One step: the surroundings and the session's prompt.
pub(crate) struct Step<'a, 'b> {
    pub(crate) cx: &'a mut Context<'b>,
    pub(crate) prompt: &'a mut Option<OpenPrompt>,
    /// The numbers that screens of this session show or showed (F8).
    pub(crate) numbers: &'a mut Vec<Number>,
}

impl Step<'_, '_> {
    fn now(&self) -> Tick {
        self.cx.at.tick
    }

    /// A number that no other screen of this session shows: else a yes would be a yes to two of them (B2, F8).
    fn fresh_number(&mut self) -> Number {
        const REMEMBERED: usize = 64;
        if self.numbers.len() >= REMEMBERED {
            self.numbers.remove(0);
        }
        let roll = (self.cx.dice)();
        // Ninety there are, so one of these is free.
        let fresh = (0..90).map(|more| Number::to_show(roll.wrapping_add(more))).find(|it| !self.numbers.contains(it));
        let number = fresh.unwrap_or_else(|| Number::to_show(roll));
        self.numbers.push(number);
        number
    }

    /// The approval that opens this door: of this user's prompt, where the rule takes a push at all (A1, A2).
    fn approved(&self, inside: &Inside) -> Option<(PromptId, DeviceId)> {
        let prompt = self.prompt.as_ref()?;
        if prompt.user != *inside.first.user() || !inside.methods.contains(&Method::Push) {
            return None;
        }
        let approval = prompt.approved.as_ref().filter(|approval| inside.is_meant(approval.number))?;
        Some((prompt.id, approval.device.clone()))
    }
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
                case.spend(&open, proof, &attempt, step);
                case.reject(Refusal::because(Reason::SuspectSecret), step)
            }
            Stage::AnsweringPrimary { open, state, server } => {
                case.spend(&open, proof, &attempt, step);
                case.ask_primary(answer, Some((state, server)), step)
            }
            Stage::AwaitingAnswer { inside, open } => {
                case.spend(&open, proof, &attempt, step);
                case.answered(inside, answer, proof, step)
            }
            Stage::CheckingCode { inside, .. } if mutant::is(Mutant::StateSpentTwice) => {
                case.askers.join(attempt.asker, step.now(), step.cx);
                case.answered(inside, answer, proof, step)
            }
            other @ (Stage::AskingPrimary { .. }
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
                let answer = Answer::Reject(self.case.plain(Reason::State));
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
        if self.case.turns_away(&attempt, step) {
            return self;
        }
        let Self { mut case, stage } = self;
        let stage = case.rejoined(stage, attempt, step);
        Self { case, stage }
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
            other @ (Stage::AskingPrimary { .. }
            | Stage::AnsweringPrimary { .. }
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
            other @ (Stage::AskingPrimary { .. }
            | Stage::AnsweringPrimary { .. }
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

    /// The server stops (G3).
    pub(crate) fn drain(self, step: &mut Step<'_, '_>) -> Self {
        let Self { mut case, stage } = self;
        let stage = case.drained(stage, step);
        Self { case, stage }
    }

    pub(crate) fn id(&self) -> LoginId {
        self.case.id
    }

    pub(crate) fn proof(&self) -> Proof {
        self.case.proof
    }

    pub(crate) fn is_of(&self, attempt: &Attempt) -> bool {
        self.case.client == attempt.client && self.case.user_octets == attempt.user_octets
    }

    /// L whatever `join` needs (C3).
    pub(crate) fn twin(&self) -> LoginKey {
        self.case.twin
    }

    /// The last look is under way.
    pub(crate) fn is_releasing(&self) -> bool {
        matches!(self.stage, Stage::Releasing { .. })
    }

    /// Every State of this login that must be found.
    pub(crate) fn states(&self) -> impl Iterator<Item = StateHash> + '_ {
        self.case.spent.iter().map(|spent| spent.state).chain(self.open_state())
    }

    pub(crate) fn join_rule(&self) -> Join {
        self.case.client_policy().map_or(Join::Station, |client| client.join)
    }

    /// The State that may be answered now.
    pub(crate) fn open_state(&self) -> Option<StateHash> {
        match &self.stage {
            Stage::AnsweringPrimary { open, .. } | Stage::AwaitingAnswer { open, .. } => Some(open.state),
            Stage::AskingPrimary { .. }
            | Stage::ReadingUser { .. }
            | Stage::CheckingCode { .. }
            | Stage::CheckingNumber { .. }
            | Stage::Claiming { .. }
            | Stage::AwaitingPhone { .. }
            | Stage::Lingering { .. }
            | Stage::Releasing { .. }
            | Stage::Rejecting { .. }
            | Stage::Ended { .. }
            | Stage::Gone => None,
        }
    }

    /// The State that may be answered at this moment: one past its time is no State, even before anybody woke (C3).
    pub(crate) fn open_state_at(&self, now: Tick) -> Option<StateHash> {
        match &self.stage {
            Stage::AnsweringPrimary { open, .. } | Stage::AwaitingAnswer { open, .. } => {
                (open.until > now).then_some(open.state)
            }
            Stage::AskingPrimary { .. }
            | Stage::ReadingUser { .. }
            | Stage::CheckingCode { .. }
            | Stage::CheckingNumber { .. }
            | Stage::Claiming { .. }
            | Stage::AwaitingPhone { .. }
            | Stage::Lingering { .. }
            | Stage::Releasing { .. }
            | Stage::Rejecting { .. }
            | Stage::Ended { .. }
            | Stage::Gone => None,
        }
    }

    /// It began with a verified Message-Authenticator (D5).
    pub(crate) fn is_authentic(&self) -> bool {
        self.case.authentic
    }

    /// A prompt is being claimed.
    pub(crate) fn is_claiming(&self) -> bool {
        matches!(self.stage, Stage::Claiming { .. })
    }

    /// What became of a State that was answered with this before: `None` if it never was.
    pub(crate) fn spent_state(&self, state: StateHash) -> Option<(Proof, Option<&Answer>)> {
        self.case.spent.iter().find(|spent| spent.state == state).map(|spent| (spent.answer, spent.result.as_ref()))
    }

    /// The answer, once there is one.
    pub(crate) fn ended(&self) -> Option<&Answer> {
        match &self.stage {
            Stage::Ended { answer, .. } => Some(answer),
            Stage::AskingPrimary { .. }
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
            | Stage::Gone => None,
        }
    }

    /// The answer that is repeated at this moment: past its ten seconds there is none, even before anybody woke (B2).
    pub(crate) fn repeats_at(&self, now: Tick) -> Option<&Answer> {
        match &self.stage {
            Stage::Ended { answer, until } => (*until > now).then_some(answer),
            Stage::AskingPrimary { .. }
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
            | Stage::Gone => None,
        }
    }

    /// It is refused, and the refusal waits its delay.
    pub(crate) fn is_rejecting(&self) -> bool {
        matches!(self.stage, Stage::Rejecting { .. })
    }

    pub(crate) fn is_gone(&self) -> bool {
        matches!(self.stage, Stage::Gone)
    }

    /// Somebody waits for the phone here, and since when the newest does.
    pub(crate) fn newest_at_phone(&self) -> Option<Tick> {
        matches!(self.stage, Stage::AwaitingPhone { .. })
            .then(|| self.case.askers.newest().map(|asker| asker.since))
            .flatten()
    }

    /// Its screen shows a number, or was chosen by it just now: who asks again is shown one of its own (F8).
    pub(crate) fn shows_number(&self) -> bool {
        self.stage.inside_at_prompt().or(self.chosen()).is_some_and(|inside| inside.asks.number.shown().is_some())
    }

    /// It is being let in by a phone.
    fn chosen(&self) -> Option<&Inside> {
        let Stage::Releasing { inside, second, .. } = &self.stage else { return None };
        (second.method() == Some(Method::Push)).then_some(inside)
    }

    /// Digits that somebody typed are being looked at.
    pub(crate) fn awaits_number(&self, asked: Question) -> bool {
        matches!(&self.stage, Stage::CheckingNumber { question, .. } if *question == asked)
    }

    /// A yes with this number is a yes to this login (B2).
    pub(crate) fn is_meant(&self, number: Option<Number>) -> bool {
        self.stage.inside_at_prompt().is_some_and(|inside| inside.is_meant(number))
    }

    /// A yes to this login brings a number (F8).
    pub(crate) fn expects_number(&self) -> bool {
        self.stage.inside_at_prompt().is_some_and(|inside| inside.asks.number.expects().is_some())
    }

    /// A challenge beside the prompt is out, so an approval waits for its answer (B5).
    pub(crate) fn awaits_answer(&self) -> bool {
        matches!(self.stage, Stage::AwaitingAnswer { .. } | Stage::CheckingCode { .. } | Stage::CheckingNumber { .. })
    }

    /// This login has a part in the session's prompt.
    pub(crate) fn at_prompt(&self) -> bool {
        self.stage.inside_at_prompt().is_some()
    }

    /// It waits for the phone and for nothing else: without a prompt that is no state to be in.
    pub(crate) fn needs_prompt(&self) -> bool {
        matches!(self.stage, Stage::AwaitingPhone { .. } | Stage::Lingering { .. })
    }

    /// It waits for a person: counted as held.
    pub(crate) fn is_held(&self) -> bool {
        self.at_prompt() || matches!(self.stage, Stage::AnsweringPrimary { .. } | Stage::Claiming { .. })
    }

    /// What it waits for, if it waits for anything.
    pub(crate) fn waiting(&self, prompt_is_out: bool) -> Option<Waiting> {
        let waits_for = match &self.stage {
            Stage::AskingPrimary { .. } => WaitsFor::Primary,
            Stage::AnsweringPrimary { .. } => WaitsFor::PrimaryAnswer,
            Stage::ReadingUser { .. }
            | Stage::CheckingCode { .. }
            | Stage::CheckingNumber { .. }
            | Stage::Claiming { .. }
            | Stage::Releasing { .. } => WaitsFor::Store,
            Stage::AwaitingPhone { .. } | Stage::Lingering { .. } => WaitsFor::Phone,
            Stage::AwaitingAnswer { .. } if prompt_is_out => WaitsFor::PhoneOrAnswer,
            Stage::AwaitingAnswer { .. } => WaitsFor::Answer,
            Stage::Rejecting { .. } | Stage::Ended { .. } | Stage::Gone => return None,
        };
        let case = &self.case;
        Some(Waiting {
            login: case.id,
            vouched: case.vouched.clone(),
            name: String::from_utf8_lossy(&case.user_octets).into_owned(),
            client: case.client.clone(),
            station: case.station.clone(),
            rule: case.rule.as_ref().map(|rule| rule.name.clone()),
            waits_for,
            since: case.began.tick,
            askers: case.askers.asked(),
        })
    }

    /// The next moment at which this login must be woken.
    pub(crate) fn deadline(&self) -> Option<Tick> {
        match &self.stage {
            Stage::AnsweringPrimary { open, .. } | Stage::AwaitingAnswer { open, .. } => Some(open.until),
            Stage::Rejecting { at, .. } => Some(*at),
            Stage::Ended { until, .. } => Some(*until),
            Stage::AskingPrimary { .. }
            | Stage::ReadingUser { .. }
            | Stage::CheckingCode { .. }
            | Stage::CheckingNumber { .. }
            | Stage::Claiming { .. }
            | Stage::AwaitingPhone { .. }
            | Stage::Releasing { .. } => self.case.askers.newest().map(|asker| asker.until),
            Stage::Lingering { .. } | Stage::Gone => None,
        }
    }

    /// About how many octets it takes, for the bound of the map (G1). What several parts share counts for each.
    pub(crate) fn bytes(&self) -> usize {
        let stage = match &self.stage {
            Stage::ReadingUser { first, .. } => first.attributes().bytes(),
            Stage::CheckingCode { inside, .. }
            | Stage::CheckingNumber { inside, .. }
            | Stage::Claiming { inside, .. }
            | Stage::AwaitingPhone { inside }
            | Stage::Lingering { inside } => inside.bytes(),
            Stage::Releasing { inside, .. } => inside.bytes() + size_of::<Record>(),
            Stage::AwaitingAnswer { inside, open } => inside.bytes() + open.bytes(),
            Stage::AnsweringPrimary { open, state, .. } => open.bytes() + state.len(),
            Stage::Rejecting { reject, .. } => reject.bytes(),
            Stage::Ended { answer, .. } => answer.bytes(),
            Stage::AskingPrimary { .. } | Stage::Gone => 0,
        };
        size_of::<Self>() + self.case.bytes() + stage
    }
}

/// The question of the answer, or, for the saboteur, any.
fn matches(question: Question, answers: Question) -> bool {
    question == answers || mutant::is(Mutant::ForgedPrimary)
}

impl Case {
    fn of(attempt: Attempt, step: &mut Step<'_, '_>) -> (Self, Credential) {
        let mut askers = Askers::default();
        askers.join(attempt.asker, step.now(), step.cx);
        let case = Self {
            id: LoginId((step.cx.dice)()),
            began: step.cx.at,
            client: attempt.client,
            user: attempt.user,
            user_octets: attempt.user_octets,
            station: attempt.station,
            key: attempt.login,
            twin: attempt.twin,
            proof: attempt.proof,
            authentic: attempt.authentic,
            repeats: true,
            appended: None,
            unsplit: None,
            policy: Arc::clone(step.cx.policy),
            primary: None,
            askers,
            questions: 0,
            rounds: 0,
            tries: 0,
            wrong: Vec::new(),
            wrong_digits: Vec::new(),
            spent: Vec::new(),
            tried: Arc::new([]),
            rule: None,
            vouched: None,
            factor: RecordedFactor::None,
            primary_since: None,
            waited_primary: Duration::ZERO,
            factor_since: None,
            let_in: None,
            repeating: Vec::new(),
            language: None,
            known: false,
            room: first::PACKET_MAX,
            places: ATTRIBUTE_COUNT_MAX,
        };
        (case, attempt.credential)
    }

    /// What it keeps beside itself (G1).
    fn bytes(&self) -> usize {
        let names = self.user.as_ref().map_or(0, |user| user.folded().len())
            + self.user_octets.len()
            + self.station.as_ref().map_or(0, |station| station.octets().len())
            + self.vouched.as_ref().map_or(0, |vouched| vouched.len());
        let typed = match &self.appended {
            Some(Appended::Code(code)) => code.expose().len(),
            Some(Appended::Method(_)) | None => 0,
        };
        let spent = self.spent.capacity() * size_of::<Spent>()
            + self.spent.iter().filter_map(|spent| spent.result.as_ref()).map(Answer::bytes).sum::<usize>();
        let asked = (self.wrong.capacity() + self.wrong_digits.capacity()) * size_of::<Proof>()
            + self.repeating.capacity() * size_of::<(Question, AskerId)>()
            + self.askers.bytes();
        names + typed + spent + asked + size_of_val(&*self.tried)
    }

    fn client_policy(&self) -> Option<&ClientPolicy> {
        self.policy.clients.get(&self.client)
    }

    /// An asker whose Proxy-States leave no room for the Accept is refused by itself; the login waits on (E3).
    fn turns_away(&self, attempt: &Attempt, step: &mut Step<'_, '_>) -> bool {
        let too_large = attempt.asker.overhead > self.room || attempt.asker.attributes > self.places;
        if too_large {
            let answer = Answer::Reject(self.plain(Reason::TooLarge));
            step.cx.emit(Effect::Reply { asker: attempt.asker.id, answer });
        }
        too_large
    }

    /// Control octets in a bare packet's password: the shared secret is wrong, and nothing of it is sent on (D5).
    fn is_suspect(&self, password: &Secret) -> bool {
        !self.authentic && password.expose().iter().any(u8::is_ascii_control)
    }

    /// One approval lets in each live asker of the one L (B2).
    fn joins_by_connection(&self) -> bool {
        self.client_policy().is_some_and(|client| client.join == Join::Connection)
    }

    /// The approval that opens this login's door: the one it was let in by together with its siblings (B2), or that of
    /// the prompt that is out.
    fn approval(&self, inside: &Inside, step: &Step<'_, '_>) -> Option<(PromptId, DeviceId)> {
        self.let_in.clone().or_else(|| step.approved(inside))
    }

    fn can_challenge(&self) -> bool {
        self.client_policy().is_some_and(|client| client.challenge)
    }

    /// The next question's number; answers to older ones no longer count.
    fn ask(&mut self) -> Question {
        self.questions = self.questions.wrapping_add(1);
        Question(self.questions)
    }

    /// Spends a State before its answer is looked at, and lets the asker wait for what comes of it (C3).
    fn spend(&mut self, open: &Open, answer: Proof, attempt: &Attempt, step: &mut Step<'_, '_>) {
        const REMEMBERED: usize = 4;
        let group = self.askers.join(attempt.asker, step.now(), step.cx);
        if self.spent.len() >= REMEMBERED {
            self.spent.remove(0);
        }
        self.spent.push(Spent { state: open.state, answer, group, result: None });
    }

    /// Remembers what a State's answer came to, for its twin (C3).
    fn settle(&mut self, group: u32, answer: &Answer) {
        self.spent.iter_mut().filter(|spent| spent.group == group && spent.result.is_none()).for_each(|spent| {
            spent.result = Some(answer.clone());
        });
    }

    /// What is asked under this challenge's State, again and again the same.
    fn question_of(&self, open: &Open, step: &Step<'_, '_>) -> Answer {
        Answer::Challenge(match &open.challenge {
            OpenChallenge::Ours { round, say } => Challenge::Ours {
                say: *say,
                language: self.language.clone(),
                state: step.cx.states.state(self.id.0, *round),
            },
            OpenChallenge::Primary(attributes) => Challenge::Primary(Arc::clone(attributes)),
        })
    }
}

impl Attempt {
    /// It brings a User-Password: nothing else answers a challenge.
    pub(crate) fn has_password(&self) -> bool {
        match &self.credential {
            Credential::Pap { .. } => true,
            Credential::Unsupported { .. } => false,
        }
    }

    /// What was typed in answer to a challenge, whole: it is never split (C4).
    fn answer(&self) -> Secret {
        match &self.credential {
            Credential::Pap { password, .. } => password.clone(),
            Credential::Unsupported { .. } => Secret::new(Vec::new()),
        }
    }
}
