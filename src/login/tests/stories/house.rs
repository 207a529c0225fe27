//! A tiny driver for the stories: a house with one appliance, people who ask, and a hand that plays primary, store and phone.
//! Nothing happens by itself; each story says who answers what, and when time passes.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use login::answer::{Answer, Challenge};
use login::event::{Context, Effect, Event, LoginEvent, PushFailure};
use login::limits::patience;
use login::policy::{
    ClientPolicy, Condition, IfUnavailable, Join, NumberWish, Outage, Policy, Rule, Unenrolled, Verdict,
    WhenUnavailable,
};
use login::session::{Admission, Session};
use login::words::Say;
use login::{
    Asker, AskerId, Asks, Attempt, Claim, ClientName, CodeOutcome, Credential, DeviceId, LoginKey, LoginKeyParts,
    Method, Moment, Number, NumberOutcome, PhoneAnswer, PrimaryAnswer, PrimaryName, PromptId, PromptStatus, Proof,
    ProofKey, Reason, Record, ReleaseCheck, ReleaseOutcome, ResolvedUser, RuleName, State, StateHash, Station, Tick,
    TokenId, UserFacts, Wall,
};
use wire::{Code, HeldAttributes, ReplyAttributes, Secret};

/// What somebody was told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Told {
    Accept,
    Reject(Reason),
    Challenge(State),
    Nothing,
}

/// The house.
pub(crate) struct House {
    pub(crate) now: u64,
    pub(crate) policy: Arc<Policy>,
    /// The server stops, and held logins have their time.
    pub(crate) stopping: bool,
    /// What a rejection of the primary took lately (D6).
    pub(crate) rejection: Duration,
    key: ProofKey,
    sessions: BTreeMap<LoginKey, Session>,
    rolls: u64,
    askers: u64,
    /// All that was ever wanted, with the session that wants it.
    wanted: Vec<(LoginKey, Effect)>,
}

/// One request, as a story tells it.
#[derive(Clone)]
pub(crate) struct Ask {
    pub(crate) user: &'static str,
    pub(crate) typed: String,
    pub(crate) station: &'static str,
    pub(crate) client: &'static str,
    pub(crate) state: Option<State>,
    pub(crate) authentic: bool,
    /// Octets of the answer that are the asker's own: header, Message-Authenticator, Proxy-States.
    pub(crate) overhead: usize,
}

/// Carol asks with her password.
pub(crate) fn carol() -> Ask {
    let (user, typed) = ("carol", "right".to_owned());
    Ask { user, typed, station: "198.51.100.7", client: "vpn", state: None, authentic: true, overhead: 60 }
}

impl Ask {
    pub(crate) fn typing(self, typed: &str) -> Self {
        Self { typed: typed.to_owned(), ..self }
    }

    pub(crate) fn to(self, state: State) -> Self {
        Self { state: Some(state), ..self }
    }

    pub(crate) fn from(self, station: &'static str) -> Self {
        Self { station, ..self }
    }

    pub(crate) fn at(self, client: &'static str) -> Self {
        Self { client, ..self }
    }
}

/// A house whose people need one of these; `vpn` can show a challenge, `desk` can't, `wifi` joins by connection; `web` shows a
/// number to be chosen on the phone, `term` asks for the digits that the phone shows.
pub(crate) fn house(methods: &[Method]) -> House {
    let rule = |name: &str, when, verdict| {
        Arc::new(Rule {
            name: RuleName::new(name),
            when,
            until: None,
            verdict,
            reply: ReplyAttributes::default(),
            unenrolled: Unenrolled::Deny,
            if_unavailable: IfUnavailable { push: Outage::Next, directory: Outage::Deny },
            number_required: false,
        })
    };
    let hotel = Condition::UserAddress(vec!["203.0.113.0/24".parse().unwrap()]);
    let rules = vec![
        rule("hotel", hotel, Verdict::Deny("Not from there.".into())),
        rule("all", Condition::All(Vec::new()), Verdict::Require(methods.to_vec())),
    ];
    let clients = [
        ("vpn", true, Join::Station, NumberWish::Off),
        ("desk", false, Join::Station, NumberWish::Off),
        ("wifi", true, Join::Connection, NumberWish::Off),
        ("web", true, Join::Station, NumberWish::Shown),
        ("term", true, Join::Station, NumberWish::Typed),
    ];
    let clients = clients.into_iter().map(|(name, challenge, join, number)| {
        let policy = ClientPolicy {
            primary: PrimaryName::new("nps"),
            gives_up_after: Duration::from_secs(30),
            challenge,
            append: Some(",".into()),
            join,
            allow_admin: false,
            number,
            when_unavailable: if name == "desk" { WhenUnavailable::Reject } else { WhenUnavailable::Silent },
        };
        (ClientName::new(name), policy)
    });
    let policy = Policy { rules, clients: clients.collect(), ..Policy::default() };
    House {
        now: 0,
        policy: Arc::new(policy),
        stopping: false,
        key: ProofKey::new([7; 32]),
        sessions: BTreeMap::new(),
        rejection: Duration::ZERO,
        rolls: 0,
        askers: 0,
        wanted: Vec::new(),
    }
}

impl House {
    // --- who asks ----------------------------------------------------------------------------------------------

    pub(crate) fn ask(&mut self, ask: &Ask) -> AskerId {
        self.ask_with(ask, 1)
    }

    /// The same, where an answer to it has so many attributes of its own.
    pub(crate) fn ask_with(&mut self, ask: &Ask, attributes: usize) -> AskerId {
        let mut attempt = self.attempt(ask);
        attempt.asker.attributes = attributes;
        let asker = attempt.asker.id;
        let held = match attempt.state {
            Some(state) => self.sessions.iter().find(|(_, session)| session.states().any(|known| known == state)),
            None if !attempt.authentic => {
                self.sessions.iter().find(|(_, session)| session.sames().any(|same| Some(same) == attempt.same))
            }
            None => self.sessions.get_key_value(&attempt.login),
        };
        let admission = Session::admit(held.map(|(_, session)| session), &attempt, self.moment());
        let key = match (&admission, held) {
            (Admission::Refuse(_), _) => LoginKey([u8::try_from(asker.0).unwrap(); 16]),
            (_, Some((key, _))) => *key,
            (_, None) => attempt.login,
        };
        let session = self.sessions.remove(&key).unwrap_or_else(|| Session::of(&attempt));
        self.step(key, session, |session, cx| session.take(admission, attempt, cx));
        asker
    }

    fn attempt(&mut self, ask: &Ask) -> Attempt {
        self.askers += 1;
        let whole = Secret::new(ask.typed.as_bytes());
        let proof = Proof::of(&self.key, "pap", &[whole.expose()]);
        let split = ask.state.is_none().then(|| login::attempt::split_appended(&whole, ","));
        let (password, appended) = split.unwrap_or((whole, None));
        let facts = [Some(ask.station.as_bytes())];
        let login =
            LoginKey::of(&self.key, &LoginKeyParts { client: ask.client, user: ask.user.as_bytes(), facts: &facts });
        let now = Tick(self.now);
        Attempt {
            asker: Asker {
                id: AskerId(self.askers),
                since: now,
                until: now.plus(patience(Duration::from_secs(30))),
                overhead: ask.overhead,
                attributes: 1,
            },
            client: ClientName::new(ask.client),
            user: self.policy.user_name(ask.user.as_bytes(), false),
            user_octets: ask.user.as_bytes().into(),
            names_a_mac: false,
            unknown_state: Reason::StateUnknown,
            credential: Credential::Pap { password, appended },
            station: Some(Station::new(ask.station.as_bytes())),
            address: Station::new(ask.station.as_bytes()).address(),
            login: if ask.authentic {
                login
            } else {
                LoginKey::alone(self.askers.to_be_bytes().repeat(2).try_into().unwrap())
            },
            same: Some(login.with_proof(&self.key, &proof)),
            twin: login,
            proof,
            state: ask.state.as_ref().map(|state| StateHash::of(state)),
            authentic: ask.authentic,
        }
    }

    /// From now on rules invite who has no method yet to this place.
    pub(crate) fn invites(&mut self, portal: &str) {
        let rules = self.policy.rules.iter();
        let inviting = |rule: &Arc<Rule>| {
            Arc::new(Rule {
                name: rule.name.clone(),
                when: rule.when.clone(),
                until: rule.until,
                verdict: rule.verdict.clone(),
                reply: ReplyAttributes::default(),
                unenrolled: Unenrolled::Enrol,
                if_unavailable: rule.if_unavailable.clone(),
                number_required: rule.number_required,
            })
        };
        let rules = rules.map(inviting).collect();
        let clients = self.policy.clients.clone();
        self.policy = Arc::new(Policy { rules, clients, enrol_at: Some(portal.into()), ..Policy::default() });
    }

    /// Whether an invitation for this user was asked for.
    pub(crate) fn invited(&self, user: &str) -> bool {
        self.wanted.iter().any(|(_, effect)| matches!(effect, Effect::Invite(invited) if invited.as_str() == user))
    }

    /// Whether it was refused for the State that it brought.
    pub(crate) fn refuses_state_of(&self, asker: AskerId) -> bool {
        matches!(self.told(asker), Told::Reject(reason) if reason.is_of_state())
    }

    // --- who answers -------------------------------------------------------------------------------------------

    /// The primary answers its newest question.
    pub(crate) fn primary_says(&mut self, yes: bool) {
        self.answer_newest(|effect| {
            let Effect::AskPrimary { login, question, claimed, .. } = effect else { return None };
            let attributes = |code| Arc::new(HeldAttributes::none(code));
            let answer = if yes {
                PrimaryAnswer::Accept { user: claimed.clone(), attributes: attributes(Code::AccessAccept) }
            } else {
                PrimaryAnswer::Reject { attributes: attributes(Code::AccessReject), why: "wrong password".into() }
            };
            Some(Event::Login(*login, LoginEvent::Primary(*question, answer)))
        });
    }

    /// The store tells what the user has.
    pub(crate) fn user_has(&mut self, methods: &[Method]) {
        let facts = UserFacts {
            known: true,
            ever_enrolled: !methods.is_empty(),
            methods: methods.to_vec(),
            chooses_number: true,
            types_number: true,
            ..UserFacts::default()
        };
        self.answer_newest(|effect| {
            let Effect::ReadUser { login, question, .. } = effect else { return None };
            Some(Event::Login(*login, LoginEvent::User(*question, Ok(facts.clone()))))
        });
    }

    /// The store tells more than the methods.
    pub(crate) fn user_is(&mut self, facts: &UserFacts) {
        self.answer_newest(|effect| {
            let Effect::ReadUser { login, question, .. } = effect else { return None };
            Some(Event::Login(*login, LoginEvent::User(*question, Ok(facts.clone()))))
        });
    }

    /// Another login's prompt took the place of the newest one.
    pub(crate) fn displaced(&mut self) {
        self.answer_newest(|effect| match effect {
            Effect::Push { claim, .. } => Some(Event::Displaced(claim.prompt)),
            _ => None,
        });
    }

    /// The session of the newest claim hears of its prompt.
    pub(crate) fn hears(&mut self, event: &Event) {
        self.answer_newest(|effect| matches!(effect, Effect::ClaimPrompt { .. }).then(|| event.clone()));
    }

    /// The server stops.
    pub(crate) fn drain(&mut self) {
        for key in self.sessions.keys().copied().collect::<Vec<_>>() {
            self.deliver(key, Event::Drained);
        }
    }

    pub(crate) fn code_is(&mut self, outcome: &CodeOutcome) {
        self.answer_newest(|effect| {
            let Effect::CheckCode { login, question, .. } = effect else { return None };
            Some(Event::Login(*login, LoginEvent::Code(*question, Ok(outcome.clone()))))
        });
    }

    pub(crate) fn claim_is(&mut self, claim: &Claim) {
        self.answer_newest(|effect| {
            let Effect::ClaimPrompt { login, question, .. } = effect else { return None };
            Some(Event::Login(*login, LoginEvent::Claim(*question, Ok(claim.clone()))))
        });
    }

    pub(crate) fn push_fails(&mut self, failure: &PushFailure) {
        self.answer_newest(|effect| {
            let Effect::Push { login, claim } = effect else { return None };
            Some(Event::Login(*login, LoginEvent::Pushed(claim.prompt, Err(failure.clone()))))
        });
    }

    pub(crate) fn release_is(&mut self, outcome: &ReleaseOutcome) {
        self.answer_newest(|effect| {
            let Effect::Release { login, question, .. } = effect else { return None };
            Some(Event::Login(*login, LoginEvent::Release(*question, Ok(outcome.clone()))))
        });
    }

    /// The store says the same to every release that was asked for.
    pub(crate) fn releases_are(&mut self, outcome: &ReleaseOutcome) {
        let events: Vec<(LoginKey, Event)> = self
            .wanted
            .iter()
            .filter_map(|(key, effect)| match effect {
                Effect::Release { login, question, .. } => {
                    Some((*key, Event::Login(*login, LoginEvent::Release(*question, Ok(outcome.clone())))))
                }
                _ => None,
            })
            .collect();
        events.into_iter().for_each(|(key, event)| self.deliver(key, event));
    }

    /// What every release that was asked for had to find.
    pub(crate) fn release_checks(&self) -> impl Iterator<Item = &ReleaseCheck> {
        self.wanted.iter().filter_map(|(_, effect)| match effect {
            Effect::Release { check, .. } => Some(check),
            _ => None,
        })
    }

    /// The store looked at the digits that were typed.
    pub(crate) fn digits_are(&mut self, outcome: &NumberOutcome) {
        self.answer_newest(|effect| {
            let Effect::TypeNumber { login, question, .. } = effect else { return None };
            Some(Event::Login(*login, LoginEvent::Number(*question, Ok(outcome.clone()))))
        });
    }

    /// What the newest phone that rang is asked for.
    pub(crate) fn rang_for(&self) -> Asks {
        let rang = self.wanted.iter().rev().find_map(|(_, effect)| match effect {
            Effect::Push { claim, .. } => Some(claim.asks),
            _ => None,
        });
        rang.expect("no phone rang")
    }

    /// What the challenge says that this asker was shown.
    pub(crate) fn reads(&self, asker: AskerId) -> Say {
        let read = self.wanted.iter().rev().find_map(|(_, effect)| match effect {
            Effect::Reply { asker: to, answer: Answer::Challenge(Challenge::Ours { say, .. }) } if *to == asker => {
                Some(*say)
            }
            _ => None,
        });
        read.expect("no challenge of ours")
    }

    /// The number on this asker's screen.
    pub(crate) fn number_of(&self, asker: AskerId) -> Number {
        let reads = self.reads(asker);
        reads.number().unwrap_or_else(|| panic!("no number but {reads:?}"))
    }

    /// The newest prompt that rang, and its end.
    pub(crate) fn newest_prompt(&self) -> (PromptId, Wall) {
        let rang = self.wanted.iter().rev().find_map(|(_, effect)| match effect {
            Effect::Push { claim, .. } => Some((claim.prompt, claim.ends_at)),
            _ => None,
        });
        rang.expect("no phone rang")
    }

    pub(crate) fn phone_says(&mut self, answer: PhoneAnswer) {
        self.phone_chooses(answer, None);
    }

    /// Another number than a screen's came from the phone.
    pub(crate) fn wrong_number(&mut self) {
        self.answer_newest(|effect| match effect {
            Effect::Push { claim, .. } => Some(Event::WrongNumber(claim.prompt)),
            _ => None,
        });
    }

    /// The phone answers, with a number.
    pub(crate) fn phone_chooses(&mut self, answer: PhoneAnswer, number: Option<Number>) {
        let device = DeviceId("phone".into());
        self.answer_newest(|effect| match effect {
            Effect::Push { claim, .. } => {
                Some(Event::Phone { prompt: claim.prompt, device: device.clone(), answer: answer.clone(), number })
            }
            _ => None,
        });
    }

    /// An event for the newest login that wanted something of this kind.
    pub(crate) fn answer_newest(&mut self, event: impl Fn(&Effect) -> Option<Event>) {
        let found = self.wanted.iter().rev().find_map(|(key, effect)| Some((*key, event(effect)?)));
        let (key, event) = found.expect("nobody asked for this answer");
        self.deliver(key, event);
    }

    pub(crate) fn deliver(&mut self, key: LoginKey, event: Event) {
        if let Some(session) = self.sessions.remove(&key) {
            self.step(key, session, |session, cx| session.handle(event, cx));
        }
    }

    /// Time passes, deadline by deadline.
    pub(crate) fn pass(&mut self, seconds: u64) {
        let end = self.now + seconds * 1000;
        loop {
            let due = self.sessions.iter().filter_map(|(key, session)| Some((session.deadline()?.0, *key))).min();
            let Some((at, key)) = due.filter(|(at, _)| *at <= end) else { break };
            self.now = self.now.max(at);
            self.deliver(key, Event::Woke);
        }
        self.now = end;
    }

    fn step<F>(&mut self, key: LoginKey, session: Session, change: F)
    where
        F: FnOnce(Session, &mut Context<'_>) -> Session,
    {
        let (at, mut out, mut rolls) = (self.moment(), Vec::new(), self.rolls);
        let mut dice = || {
            rolls += 1;
            rolls
        };
        let (policy, stopping) = (&self.policy, self.stopping);
        let rejection = |_: &PrimaryName, _| self.rejection;
        let mut cx =
            Context { at, policy, stopping, states: &self.key, rejection: &rejection, dice: &mut dice, out: &mut out };
        let session = change(session, &mut cx);
        self.rolls = rolls;
        self.wanted.extend(out.into_iter().map(|effect| (key, effect)));
        if !session.is_over() {
            self.sessions.insert(key, session);
        }
    }

    fn moment(&self) -> Moment {
        Moment { tick: Tick(self.now), wall: Wall(1_800_000_000_000 + self.now) }
    }

    // --- what happened -----------------------------------------------------------------------------------------

    /// What this asker was told last.
    pub(crate) fn told(&self, asker: AskerId) -> Told {
        let answer = self.wanted.iter().rev().find_map(|(_, effect)| match effect {
            Effect::Reply { asker: to, answer } if *to == asker => Some(answer),
            _ => None,
        });
        match answer {
            Some(Answer::Accept(_)) => Told::Accept,
            Some(Answer::Reject(reject)) => Told::Reject(reject.reason),
            Some(Answer::Challenge(Challenge::Ours { state, .. })) => Told::Challenge(*state),
            Some(Answer::Challenge(Challenge::Primary(_))) | None => Told::Nothing,
        }
    }

    /// This asker gets nothing, for good.
    pub(crate) fn superseded(&self, asker: AskerId) -> bool {
        self.effects().any(|effect| matches!(effect, Effect::Supersede(other) if *other == asker))
    }

    /// The State of the challenge that this asker was shown.
    pub(crate) fn state_of(&self, asker: AskerId) -> State {
        match self.told(asker) {
            Told::Challenge(state) => state,
            other => panic!("no challenge but {other:?}"),
        }
    }

    /// All that was ever wanted, in its order.
    pub(crate) fn effects(&self) -> impl DoubleEndedIterator<Item = &Effect> {
        self.wanted.iter().map(|(_, effect)| effect)
    }

    /// The newest record.
    pub(crate) fn record(&self) -> &Record {
        let written = self.effects().rev().find_map(|effect| match effect {
            Effect::Record(record) | Effect::Accepted(record) => Some(record),
            _ => None,
        });
        written.expect("nothing was written down")
    }

    /// What it says beside its reason.
    pub(crate) fn detail(&self) -> &str {
        self.record().detail.as_deref().unwrap_or_default()
    }

    /// How many effects are of this kind.
    pub(crate) fn count(&self, kind: impl Fn(&Effect) -> bool) -> usize {
        self.wanted.iter().filter(|(_, effect)| kind(effect)).count()
    }

    pub(crate) fn pushes(&self) -> usize {
        self.count(|effect| matches!(effect, Effect::Push { .. }))
    }

    pub(crate) fn asked_primary(&self) -> usize {
        self.count(|effect| matches!(effect, Effect::AskPrimary { .. }))
    }

    pub(crate) fn guesses(&self) -> usize {
        self.count(|effect| matches!(effect, Effect::CheckCode { .. }))
    }

    pub(crate) fn releases(&self) -> usize {
        self.count(|effect| matches!(effect, Effect::Release { .. }))
    }

    /// What the sessions say they take, for the bound on all of them.
    pub(crate) fn bytes(&self) -> usize {
        self.sessions.values().map(Session::bytes).sum()
    }

    /// The primary answers its newest question with these attributes.
    pub(crate) fn primary_answers(&mut self, answer: impl Fn(ResolvedUser) -> PrimaryAnswer) {
        self.answer_newest(|effect| {
            let Effect::AskPrimary { login, question, claimed, .. } = effect else { return None };
            Some(Event::Login(*login, LoginEvent::Primary(*question, answer(claimed.clone()))))
        });
    }

    pub(crate) fn sessions(&self) -> usize {
        self.sessions.len()
    }

    /// The password of the primary's newest question.
    pub(crate) fn primary_saw(&self) -> String {
        let seen = self.wanted.iter().rev().find_map(|(_, effect)| match effect {
            Effect::AskPrimary { password, .. } => Some(String::from_utf8_lossy(password.expose()).into_owned()),
            _ => None,
        });
        seen.unwrap_or_default()
    }

    // --- whole scenes ------------------------------------------------------------------------------------------

    /// Carol asked, her password is right, and her phone rings.
    pub(crate) fn carols_phone_rings(&mut self, ask: &Ask, has: &[Method]) -> AskerId {
        let asker = self.ask(ask);
        self.primary_says(true);
        self.user_has(has);
        self.claim_is(&Claim::Claimed { displaced: None });
        asker
    }

    /// Carol asks again with her right password; her prompt is out already.
    pub(crate) fn carol_joins_her_prompt(&mut self, ask: &Ask, status: PromptStatus) -> AskerId {
        let asker = self.ask(ask);
        self.primary_says(true);
        self.user_has(&[Method::Push]);
        let (prompt, ends_at) = self.newest_prompt();
        self.claim_is(&Claim::Joined { prompt, ends_at, status });
        asker
    }

    /// Another law is in force from now on.
    pub(crate) fn amend(&mut self, change: impl FnOnce(&mut Policy)) {
        let rules = self.policy.rules.iter().map(|rule| {
            Arc::new(Rule {
                name: rule.name.clone(),
                when: rule.when.clone(),
                until: rule.until,
                verdict: rule.verdict.clone(),
                reply: rule.reply.clone(),
                unenrolled: rule.unenrolled,
                if_unavailable: rule.if_unavailable.clone(),
                number_required: rule.number_required,
            })
        });
        let mut law = Policy { rules: rules.collect(), clients: self.policy.clients.clone(), ..Policy::default() };
        law.push_pin = self.policy.push_pin;
        law.staff.clone_from(&self.policy.staff);
        change(&mut law);
        self.policy = Arc::new(law);
    }

    /// Carol asked, her password is right, and she is asked for a code.
    pub(crate) fn carol_is_asked_for_a_code(&mut self, ask: &Ask) -> (AskerId, State) {
        let asker = self.ask(ask);
        self.primary_says(true);
        self.user_has(&[Method::Totp]);
        (asker, self.state_of(asker))
    }

    pub(crate) fn granted(&mut self) {
        self.release_is(&ReleaseOutcome::Granted);
    }
}

pub(crate) fn right_code() -> CodeOutcome {
    CodeOutcome::Right { method: Method::Totp, token: TokenId("t1".into()) }
}

/// A prompt of before.
pub(crate) fn old_prompt() -> PromptId {
    PromptId([9; 16])
}

/// Somebody else.
pub(crate) fn mallory() -> ResolvedUser {
    ResolvedUser::new("mallory")
}
