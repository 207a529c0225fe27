//! What happens to a session, and what it wants done: the whole traffic between the pure machine and its engine.
//!
//! Each answer names the login and the number of the question it answers; the machine drops what does not match,
//! so an answer of another login, of an older round, or a forged one never counts (rules A2).

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use wire::Secret;

use crate::answer::Answer;
use crate::attempt::AskerId;
use crate::facts::{
    CodeOutcome, Method, NumberOutcome, PrimaryAnswer, ReleaseCheck, ReleaseOutcome, Unavailable, UserFacts,
};
use crate::key::{ProofKey, StateHash};
use crate::moment::{Moment, Wall};
use crate::name::{ClientName, PrimaryName, ResolvedUser, Station};
use crate::policy::Policy;
use crate::prompt::{Claim, DeviceId, Number, PhoneAnswer, PromptClaim, PromptClose, PromptId, PromptStatus};
use crate::record::{LoginId, Record};

/// The number of a question: an answer counts only for the question that is open.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Question(pub u32);

/// What happened.
#[derive(Clone, Debug)]
pub enum Event {
    /// To one login of the session.
    Login(LoginId, LoginEvent),
    /// A phone answered the session's prompt, and the store has committed it.
    Phone {
        /// Which prompt.
        prompt: PromptId,
        /// Which device.
        device: DeviceId,
        /// What it said.
        answer: PhoneAnswer,
        /// The number that came with a yes, where the prompt asks for one (F8).
        number: Option<Number>,
    },
    /// Another number than a screen's was given on the phone, and the store has ended the prompt for it (F8).
    WrongNumber(PromptId),
    /// Another login's prompt took the place of this one (B2).
    Displaced(PromptId),
    /// Where a prompt that was joined stands by now: what was said to it while the joining was on its way (A8).
    Crossed {
        /// Which prompt.
        prompt: PromptId,
        /// As the store has it.
        status: PromptStatus,
    },
    /// The store took the prompt back while its login was held: a block, or the removal of a device (F5).
    Withdrawn {
        /// Which prompt.
        prompt: PromptId,
        /// Why its user is blocked now, if that is it.
        blocked: Option<Arc<str>>,
    },
    /// A deadline came.
    Woke,
    /// The server stops: who still waits gets a Reject (G3).
    Drained,
}

/// What happened to one login.
#[derive(Clone, Debug)]
pub enum LoginEvent {
    /// The primary answered.
    Primary(Question, PrimaryAnswer),
    /// The store told what it knows of the user.
    User(Question, Result<UserFacts, Unavailable>),
    /// A code was looked at, and that is durable.
    Code(Question, Result<CodeOutcome, Unavailable>),
    /// Digits that the phone showed were looked at, and that is durable.
    Number(Question, Result<NumberOutcome, Unavailable>),
    /// The prompt was claimed, or not.
    Claim(Question, Result<Claim, Unavailable>),
    /// The push left, or not.
    Pushed(PromptId, Result<(), PushFailure>),
    /// The last look before an Accept, committed with the record.
    Release(Question, Result<ReleaseOutcome, Unavailable>),
}

/// A push that rang nowhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PushFailure {
    /// The service is away (A5).
    Unavailable(Unavailable),
    /// The service said no: a 4xx, a bad body, our own limit. Never an outage.
    Refused(Arc<str>),
}

/// What the engine must do, in order.
#[derive(Clone, Debug)]
pub enum Effect {
    /// Ask the first-factor server.
    AskPrimary {
        /// Which login and question.
        login: LoginId,
        /// Answer with this number.
        question: Question,
        /// Whom.
        primary: PrimaryName,
        /// The name as it was typed; the primary speaks its own dialect of names.
        user_octets: Box<[u8]>,
        /// The same name folded: the resolved user, if the Accept names none (A2).
        claimed: ResolvedUser,
        /// The password, without what was appended; or the answer to the primary's challenge.
        password: Secret,
        /// The primary's own State and which of its servers it belongs to.
        state: Option<(Arc<[u8]>, usize)>,
        /// From where, for the limits (D7).
        station: Option<Station>,
        /// The station's address, where it is one and not the appliance's own (D7).
        address: Option<IpAddr>,
        /// Where the name is held back, its owner may be asked on a phone first: the password comes back then (D7).
        may_ring: bool,
        /// The owner said yes: the primary is asked though the name is held back (D7).
        by_owner: bool,
    },
    /// Read what the store knows of the resolved user.
    ReadUser {
        /// Which login and question.
        login: LoginId,
        /// Answer with this number.
        question: Question,
        /// Whom.
        user: ResolvedUser,
        /// From where, for the limits (D1).
        station: Option<Station>,
        /// Through which client, for a one-time bypass (F4).
        client: ClientName,
    },
    /// Look at a code, once, and commit that before telling (C1).
    CheckCode {
        /// Which login and question.
        login: LoginId,
        /// Answer with this number.
        question: Question,
        /// Whose tokens.
        user: ResolvedUser,
        /// From where, for the limits (D1).
        station: Option<Station>,
        /// What was typed.
        code: Secret,
        /// The kinds that the rule lists.
        methods: Vec<Method>,
        /// A number of this guess, so that an unknown commit can be settled by repeating it.
        guess: [u8; 16],
    },
    /// Look at digits that the phone shows, once, and commit that before telling (F8, C1).
    TypeNumber {
        /// Which login and question.
        login: LoginId,
        /// Answer with this number.
        question: Question,
        /// Which prompt.
        prompt: PromptId,
        /// What was typed.
        typed: Number,
        /// A number of this guess, so that an unknown commit can be settled by repeating it.
        guess: [u8; 16],
    },
    /// Claim the prompt before the push leaves (B3).
    ClaimPrompt {
        /// Which login and question.
        login: LoginId,
        /// Answer with this number.
        question: Question,
        /// What is claimed.
        claim: PromptClaim,
    },
    /// Ring the user's phones for a prompt that is claimed.
    Push {
        /// Which login.
        login: LoginId,
        /// The claimed prompt.
        claim: PromptClaim,
    },
    /// Somebody waits for the prompt longer than the store knows (B2).
    ExtendPrompt {
        /// Which prompt.
        prompt: PromptId,
        /// The newest asker's deadline.
        askers_until: Wall,
    },
    /// End the prompt.
    ClosePrompt {
        /// Which prompt.
        prompt: PromptId,
        /// Whether it counts (D2).
        why: PromptClose,
    },
    /// Look once more and commit the record, before the Accept may leave (A6, F2).
    Release {
        /// Which login and question.
        login: LoginId,
        /// Answer with this number.
        question: Question,
        /// What must still stand.
        check: ReleaseCheck,
        /// What is written down.
        record: Arc<Record>,
    },
    /// The Accept leaves, and its record is durable: whoever counts and logs learns of it now (F2).
    Accepted(Arc<Record>),
    /// Write down a login that ended without an Accept.
    Record(Arc<Record>),
    /// Answer one request.
    Reply {
        /// Which request.
        asker: AskerId,
        /// With what.
        answer: Answer,
    },
    /// Answer one request with nothing, ever: a newer one took its place, or its login has ended (counted `superseded`).
    Supersede(AskerId),
    /// Nobody could check the login (A10): this request is answered with nothing now, and forgotten, so that its next packet,
    /// a retransmit too, tries again.
    Unchecked(AskerId),
    /// A State that may be answered from now on: the engine finds the session by it.
    IndexState(StateHash),
    /// A request joined a held login.
    Joined {
        /// Through which client.
        client: ClientName,
        /// Which login.
        login: LoginId,
        /// A prompt was out, so one was avoided.
        prompt_avoided: bool,
    },
    /// Invite a user who has no method yet to enrol, by mail, once a day at most (F7).
    Invite(ResolvedUser),
    /// Another login's prompt was closed in favour of ours: its session must learn of it.
    TellDisplaced(PromptId),
}

/// The surroundings of one step: time, the law in force, randomness, and where effects go.
pub struct Context<'a> {
    /// Now, on both clocks.
    pub at: Moment,
    /// The policy in force; a running login keeps its own, and at release the stricter of the two decides (G2).
    pub policy: &'a Arc<Policy>,
    /// The server stops: nothing new is asked, because its State would end with this process (G3).
    pub stopping: bool,
    /// Makes States (C3).
    pub states: &'a ProofKey,
    /// How long a rejection of that primary took lately, drawn by a random number (D6).
    pub rejection: &'a dyn Fn(&PrimaryName, u64) -> Duration,
    /// Randomness: 64 bits a call.
    pub dice: &'a mut dyn FnMut() -> u64,
    /// What is to be done, in order.
    pub out: &'a mut Vec<Effect>,
}

impl Context<'_> {
    /// Asks for something to be done.
    pub fn emit(&mut self, effect: Effect) {
        self.out.push(effect);
    }

    /// Sixteen random octets.
    pub fn random_16(&mut self) -> [u8; 16] {
        let (high, low) = ((self.dice)(), (self.dice)());
        ((u128::from(high) << 64) | u128::from(low)).to_be_bytes()
    }
}
