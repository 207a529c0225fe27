//! A miniature of the engine: sessions in a map by L, an index of States and one of prompts, and each effect performed
//! after a while. A crash takes all of it; the store, and the key of L, stay.

use std::collections::BTreeMap;

use login::answer::{Answer, Challenge};
use login::event::{Context, Effect, Event, LoginEvent, PushFailure, Question};
use login::session::Session;
use login::words::Say;
use login::{AskerId, LoginId, LoginKey, Number, ProofKey, StateHash, Tick, Unavailable};

use crate::dice::Dice;
use crate::network::Duplicates;
use crate::reference::{Given, Issued};
use crate::world::{Happening, World};

/// How long a State can be answered (C3).
const STATE_MS: u64 = 120_000;

/// One server's life, from start to crash.
#[derive(Debug)]
pub(crate) struct Engine {
    pub(crate) sessions: BTreeMap<LoginKey, Session>,
    pub(crate) states: BTreeMap<StateHash, LoginKey>,
    pub(crate) prompts: BTreeMap<login::PromptId, LoginKey>,
    wakes: BTreeMap<LoginKey, Tick>,
    pub(crate) duplicates: Duplicates,
    pub(crate) proof: ProofKey,
    /// What strangers' wrong passwords came to in this life (D7).
    pub(crate) shield: login::shield::Shield,
    shown: ProofKey,
    /// It stops: what would begin is refused (G3).
    pub(crate) draining: bool,
}

impl Engine {
    /// Whether a session has this prompt out.
    pub(crate) fn holds(&self, prompt: login::PromptId) -> bool {
        self.prompts.contains_key(&prompt)
    }

    /// The session of a request without State: a bare one's equal, where one is held (D5).
    pub(crate) fn home_of(&self, attempt: &login::Attempt) -> LoginKey {
        let same = attempt.same.filter(|_| !attempt.authentic);
        let held = self.sessions.iter().find(|(_, session)| session.sames().any(|other| Some(other) == same));
        held.map_or(attempt.login, |(key, _)| *key)
    }

    pub(crate) fn new(dice: &mut Dice) -> Self {
        let mut key = || {
            let (low, high) = (dice.sixteen(), dice.sixteen());
            let mut octets = [0; 32];
            octets[..16].copy_from_slice(&low);
            octets[16..].copy_from_slice(&high);
            ProofKey::new(octets)
        };
        let (proof, shown) = (key(), key());
        Self {
            sessions: BTreeMap::new(),
            states: BTreeMap::new(),
            prompts: BTreeMap::new(),
            wakes: BTreeMap::new(),
            duplicates: Duplicates::default(),
            proof,
            shield: login::shield::Shield::default(),
            shown,
            draining: false,
        }
    }
}

/// The kinds of effects, in the order of their declaration.
pub(crate) const KINDS: [&str; 18] = [
    "AskPrimary",
    "ReadUser",
    "CheckCode",
    "ClaimPrompt",
    "Push",
    "ExtendPrompt",
    "ClosePrompt",
    "Release",
    "Record",
    "Reply",
    "Supersede",
    "IndexState",
    "Joined",
    "TellDisplaced",
    "TypeNumber",
    "Invite",
    "Accepted",
    "Unchecked",
];

pub(crate) fn kind_of(effect: &Effect) -> usize {
    match effect {
        Effect::AskPrimary { .. } => 0,
        Effect::ReadUser { .. } => 1,
        Effect::CheckCode { .. } => 2,
        Effect::ClaimPrompt { .. } => 3,
        Effect::Push { .. } => 4,
        Effect::ExtendPrompt { .. } => 5,
        Effect::ClosePrompt { .. } => 6,
        Effect::Release { .. } => 7,
        Effect::Record(_) => 8,
        Effect::Reply { .. } => 9,
        Effect::Supersede(_) => 10,
        Effect::IndexState(_) => 11,
        Effect::Joined { .. } => 12,
        Effect::TellDisplaced(_) => 13,
        Effect::TypeNumber { .. } => 14,
        Effect::Invite(_) => 15,
        Effect::Accepted(_) => 16,
        Effect::Unchecked(_) => 17,
    }
}

impl World {
    /// Brings an event to its session, if that still exists.
    pub(crate) fn deliver(&mut self, key: LoginKey, event: Event) {
        let Some(session) = self.engine.sessions.remove(&key) else { return };
        let (session, out) = self.step(session, |session, cx| session.handle(event, cx));
        self.settle(key, session, out);
    }

    pub(crate) fn deliver_to_prompt(&mut self, prompt: login::PromptId, event: Event) {
        if let Some(key) = self.engine.prompts.get(&prompt).copied() {
            self.deliver(key, event);
        }
    }

    pub(crate) fn step<F>(&mut self, session: Session, change: F) -> (Session, Vec<Effect>)
    where
        F: FnOnce(Session, &mut Context<'_>) -> Session,
    {
        let at = self.moment();
        let mut out = Vec::new();
        let dice = &mut self.dice;
        let policy = &self.policies[self.law as usize];
        let mut roll = || dice.roll();
        let (states, stopping) = (&self.engine.shown, self.engine.draining);
        // What the primary's last rejection took, whatever the roll (D6).
        let took = crate::scene::REJECTION;
        let rejection = |_: &login::PrimaryName, _| took;
        let mut cx = Context { at, policy, stopping, states, rejection: &rejection, dice: &mut roll, out: &mut out };
        let session = change(session, &mut cx);
        (session, out)
    }

    /// Puts the session back with all that hangs on it, then performs what it wants.
    pub(crate) fn settle(&mut self, key: LoginKey, session: Session, out: Vec<Effect>) {
        self.engine.states.retain(|_, of| *of != key);
        self.engine.prompts.retain(|_, of| *of != key);
        self.engine.states.extend(session.states().map(|state| (state, key)));
        self.engine.prompts.extend(session.prompt().map(|prompt| (prompt, key)));
        if !session.is_over() {
            let due = session.deadline();
            self.engine.sessions.insert(key, session);
            self.set_wake(key, due);
        }
        for effect in out {
            self.expect(crate::invariants::wanted(self, &effect));
            self.note_want(&effect);
            let epoch = self.epoch;
            self.want(key, effect);
            if self.epoch != epoch || self.violation.is_some() {
                return;
            }
        }
    }

    fn set_wake(&mut self, key: LoginKey, due: Option<Tick>) {
        let Some(due) = due else { return };
        if self.engine.wakes.get(&key) == Some(&due) {
            return;
        }
        self.engine.wakes.insert(key, due);
        let epoch = self.epoch;
        let late = if self.sluggish > 0 { self.dice.below(self.sluggish) } else { 0 };
        self.later(due.0.saturating_sub(self.now.0) + late, Happening::Wake { epoch, key });
    }

    /// A step may leave something that is due at once; it must come to an end (B5).
    pub(crate) fn wake(&mut self, key: LoginKey) {
        const WAKES_MAX: usize = 4;
        self.engine.wakes.remove(&key);
        for _ in 0..WAKES_MAX {
            let Some(session) = self.engine.sessions.get(&key) else { return };
            let due = session.deadline();
            if due.is_none_or(|deadline| deadline > self.now) || self.violation.is_some() {
                return self.set_wake(key, due);
            }
            self.deliver(key, Event::Woke);
        }
        let session = &self.engine.sessions.get(&key);
        self.expect(Err(("B5", format!("a deadline has passed and stays after its wakes: {session:?}"))));
    }

    pub(crate) fn note_want(&mut self, effect: &Effect) {
        let (law, now) = (self.law, self.now);
        let logins = &mut self.reference.logins;
        match effect {
            Effect::AskPrimary { login, question, .. } => {
                logins
                    .entry(*login)
                    .and_modify(|known| (known.question, known.asked_at) = (Some(*question), Some(now)));
            }
            Effect::ClaimPrompt { login, question, claim } => {
                logins.entry(*login).and_modify(|known| known.claim = (Some(*question), Some(claim.prompt)));
            }
            Effect::Release { login, record, .. } => {
                logins.entry(*login).and_modify(|known| {
                    known.releases += 1;
                    known.factor = record.factor;
                    known.law_at_release = Some(law);
                });
            }
            Effect::Record(record) => {
                logins.entry(record.login).and_modify(|known| known.records += 1);
            }
            _ => {}
        }
    }

    /// Now, what needs nobody else; after a while, what does. A crash may come before or after.
    pub(crate) fn want(&mut self, key: LoginKey, effect: Effect) {
        let kind = kind_of(&effect);
        match effect {
            Effect::Reply { .. }
            | Effect::Supersede(_)
            | Effect::Unchecked(_)
            | Effect::IndexState(_)
            | Effect::Joined { .. }
            | Effect::TellDisplaced(_) => {
                if !self.crash_point(kind, false) {
                    self.at_once(effect);
                    self.crash_point(kind, true);
                }
            }
            _ => {
                let epoch = self.epoch;
                let delay = self.dice.between(0, 6);
                self.later(delay, Happening::Perform { epoch, key, effect: Box::new(effect), tries: 0 });
            }
        }
    }

    fn at_once(&mut self, effect: Effect) {
        match effect {
            Effect::Reply { asker, answer } => {
                let check = crate::invariants::leaves(self, asker, &answer);
                self.expect(check);
                self.tally.answered(&answer);
                let now = self.now;
                let login = self.reference.asked(asker).login;
                let asked = self.reference.asked_mut(asker);
                asked.answer = Some((Given::of(&answer), now));
                let packet = asked.packet.clone();
                self.note_challenge(asker, &answer, login);
                self.engine.duplicates.answered(&packet, asker, &answer, now);
                self.send_answer(&packet, &answer, login);
            }
            Effect::Supersede(asker) => {
                self.tally.superseded += 1;
                let check = crate::invariants::superseded(self, asker);
                self.expect(check);
                self.reference.asked_mut(asker).superseded = true;
            }
            Effect::Unchecked(asker) => {
                self.tally.unchecked += 1;
                let check = crate::invariants::unchecked(self, asker);
                self.expect(check);
                self.reference.asked_mut(asker).unchecked = true;
                let packet = self.reference.asked(asker).packet.clone();
                self.engine.duplicates.forget(&packet, asker);
            }
            Effect::TellDisplaced(prompt) => self.deliver_to_prompt(prompt, Event::Displaced(prompt)),
            _ => {}
        }
    }

    /// Which State is shown to whom, and until when it may be answered.
    fn note_challenge(&mut self, asker: AskerId, answer: &Answer, login: Option<LoginId>) {
        let state = match answer {
            Answer::Challenge(Challenge::Ours { state, .. }) => Some(state.to_vec()),
            Answer::Challenge(Challenge::Primary(_)) => {
                login.and_then(|login| self.reference.logins.get(&login)?.primary_state.clone())
            }
            Answer::Accept(_) | Answer::Reject(_) => None,
        };
        let Some(state) = state else { return };
        // An old challenge that is repeated to a twin (C3) says nothing of where the login stands now.
        let again = self.reference.states.contains_key(&StateHash::of(&state));
        if let Some(known) = login.and_then(|login| self.reference.logins.get_mut(&login)) {
            known.challenged = true;
        }
        if let Some(known) = login.filter(|_| !again).and_then(|login| self.reference.logins.get_mut(&login)) {
            known.shown = number_shown(answer).or(known.shown.filter(|_| !asks_for_code_alone(answer)));
        }
        let to = self.reference.asked(asker).packet.ask.clone();
        let until = Tick(self.now.0 + STATE_MS);
        let issued = Issued { to, by: asker, login, epoch: self.epoch, until, spent_by: None };
        self.reference.states.entry(StateHash::of(&state)).or_insert(issued);
    }

    /// An answer of another question, or of nobody: it must count for nothing (A2).
    pub(crate) fn forge(&mut self, key: LoginKey, login: LoginId, question: Question, user: &login::ResolvedUser) {
        use login::{CodeOutcome, Method, NumberOutcome, PrimaryAnswer, ReleaseOutcome, TokenId};
        let other = Question(if self.dice.chance(50) { question.0 + 1000 } else { question.0.wrapping_sub(1) });
        let attributes = std::sync::Arc::new(wire::HeldAttributes::none(wire::Code::AccessAccept));
        let token = TokenId("t-alice".into());
        let device = login::DeviceId("phone".into());
        let forged = match self.dice.below(7) {
            0..=1 => LoginEvent::Primary(other, PrimaryAnswer::Accept { user: user.clone(), attributes }),
            2 => LoginEvent::Code(other, Ok(CodeOutcome::Right { method: Method::Totp, token })),
            3 => LoginEvent::Release(other, Ok(ReleaseOutcome::Granted)),
            4 => LoginEvent::Number(other, Ok(NumberOutcome::Right { device })),
            5 => LoginEvent::Number(other, Ok(NumberOutcome::Denied)),
            _ => LoginEvent::Claim(other, Ok(login::Claim::Claimed { displaced: None })),
        };
        let (epoch, delay) = (self.epoch, self.dice.between(1, 900));
        self.later(
            delay,
            Happening::Deliver { epoch, key, event: Box::new(Event::Login(login, forged)), genuine: false },
        );
    }
}

/// The number that this challenge shows, if it does (F8).
pub(crate) fn number_shown(answer: &Answer) -> Option<Number> {
    match answer {
        Answer::Challenge(Challenge::Ours { say, .. }) => say.number(),
        _ => None,
    }
}

/// No phone is asked any more: whatever number the screen showed is gone from it.
fn asks_for_code_alone(answer: &Answer) -> bool {
    matches!(answer, Answer::Challenge(Challenge::Ours { say: Say::EnterCode | Say::BusyEnterCode, .. }))
}

/// What an effect gets when the store could not say: never a yes (C1).
pub(crate) fn unsettled(effect: &Effect) -> Option<(LoginId, LoginEvent)> {
    let away = || Unavailable::seen("the store could not say");
    match effect {
        Effect::ReadUser { login, question, .. } => Some((*login, LoginEvent::User(*question, Err(away())))),
        Effect::CheckCode { login, question, .. } => Some((*login, LoginEvent::Code(*question, Err(away())))),
        Effect::TypeNumber { login, question, .. } => Some((*login, LoginEvent::Number(*question, Err(away())))),
        Effect::ClaimPrompt { login, question, .. } => Some((*login, LoginEvent::Claim(*question, Err(away())))),
        Effect::Release { login, question, .. } => Some((*login, LoginEvent::Release(*question, Err(away())))),
        _ => None,
    }
}

/// What a push service answers when it does not ring.
pub(crate) fn push_failure(confirmed: Option<bool>) -> PushFailure {
    match confirmed {
        Some(confirmed) => PushFailure::Unavailable(Unavailable { why: "the push service is away".into(), confirmed }),
        None => PushFailure::Refused("the push service says no".into()),
    }
}
