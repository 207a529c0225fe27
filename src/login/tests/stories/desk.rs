//! The stories' tiny driver: one session, one hand-cranked clock, and answers given by hand to whatever the machine asked last.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use login::answer::{Answer, Challenge};
use login::attempt::split_appended;
use login::event::{Context, Effect, Event, LoginEvent, Question};
use login::limits::{Limits, patience};
use login::policy::{ClientPolicy, Condition, IfUnavailable, Join, Policy, Rule, Unenrolled, Verdict};
use login::session::{Admission, Session};
use login::{
    Asker, AskerId, Attempt, Claim, ClientName, CodeOutcome, Credential, DeviceId, LoginId, LoginKey, LoginKeyParts,
    Method, Moment, PhoneAnswer, PrimaryAnswer, PrimaryName, PromptId, Proof, ProofKey, Reason, Record, RecordedAnswer,
    ReleaseOutcome, RuleName, StateHash, Station, Tick, TokenId, UserFacts, UserName, Wall,
};
use wire::{Code, HeldAttributes, ReplyAttributes, Secret};

/// One Access-Request, as a story tells it.
#[derive(Clone)]
pub(crate) struct Ask {
    client: &'static str,
    user: String,
    password: String,
    station: &'static str,
    connection: &'static str,
    state: Option<[u8; 16]>,
    authentic: bool,
}

/// `user` types `password`, at home, through `asa`.
pub(crate) fn ask(user: &str, password: &str) -> Ask {
    Ask {
        client: "asa",
        user: user.to_owned(),
        password: password.to_owned(),
        station: "203.0.113.9",
        connection: "",
        state: None,
        authentic: true,
    }
}

impl Ask {
    pub(crate) fn through(self, client: &'static str) -> Self {
        Self { client, ..self }
    }

    pub(crate) fn from(self, station: &'static str) -> Self {
        Self { station, ..self }
    }

    pub(crate) fn on(self, connection: &'static str) -> Self {
        Self { connection, ..self }
    }

    pub(crate) fn answering(self, state: [u8; 16]) -> Self {
        Self { state: Some(state), ..self }
    }

    pub(crate) fn bare(self) -> Self {
        Self { authentic: false, ..self }
    }
}

/// The policy of the stories: three appliances, one rule for everybody.
pub(crate) fn law(methods: &[Method]) -> Policy {
    law_of(Verdict::Require(methods.to_vec()), Condition::All(Vec::new()))
}

pub(crate) fn law_of(verdict: Verdict, when: Condition) -> Policy {
    let client = |challenge, join| ClientPolicy {
        primary: PrimaryName::new("nps"),
        gives_up_after: Duration::from_secs(30),
        challenge,
        append: Some(",".into()),
        join,
        allow_admin: false,
    };
    let rule = Rule {
        name: RuleName::new("vpn"),
        when,
        until: None,
        verdict,
        reply: ReplyAttributes::default(),
        unenrolled: Unenrolled::Deny,
        if_unavailable: IfUnavailable::default(),
    };
    Policy {
        rules: vec![Arc::new(rule)],
        clients: [
            (ClientName::new("asa"), client(true, Join::Station)),
            (ClientName::new("mute"), client(false, Join::Station)),
            (ClientName::new("citrix"), client(true, Join::Connection)),
        ]
        .into(),
        limits: Limits::default(),
        ..Policy::default()
    }
}

/// One session and everything around it.
pub(crate) struct Desk {
    at: Moment,
    pub(crate) law: Arc<Policy>,
    session: Option<Session>,
    pub(crate) log: Vec<Effect>,
    dice: u64,
    askers: u64,
    keys: ProofKey,
}

impl Desk {
    pub(crate) fn under(law: Policy) -> Self {
        Self {
            at: Moment { tick: Tick(1_000), wall: Wall(1_700_000_000_000) },
            law: Arc::new(law),
            session: None,
            log: Vec::new(),
            dice: 0,
            askers: 0,
            keys: ProofKey::new([7; 32]),
        }
    }

    /// A login of alice, up to the phone that rings or the challenge that is out.
    pub(crate) fn begun(methods: &[Method], first: &Ask) -> (Self, AskerId) {
        let mut desk = Self::under(law(methods));
        let asker = desk.receive(first);
        desk.primary_accepts();
        desk.store_knows(methods);
        if desk.count(|effect| matches!(effect, Effect::ClaimPrompt { .. })) > 0 {
            desk.claim(Claim::Claimed { displaced: None });
        }
        (desk, asker)
    }

    // --- what comes in -----------------------------------------------------------------------------------------

    /// A request arrives and is routed as the engine routes it; what is refused leaves the session alone.
    pub(crate) fn receive(&mut self, ask: &Ask) -> AskerId {
        self.admit(ask);
        AskerId(self.askers)
    }

    /// The same, and what it was taken for.
    pub(crate) fn admit(&mut self, ask: &Ask) -> Admission {
        let attempt = self.attempt(ask);
        let held = self.session.as_ref().filter(|session| match attempt.state {
            Some(state) => session.states().any(|known| known == state),
            None => session.key() == attempt.login,
        });
        let admission = Session::admit(held, &attempt, self.at);
        if let Admission::Refuse(_) = admission {
            let refused = Session::of(&attempt);
            let taken = admission.clone();
            self.aside(|cx| refused.take(taken, attempt, cx));
        } else {
            let session = self.session.take().unwrap_or_else(|| Session::of(&attempt));
            let taken = admission.clone();
            self.step(|cx| session.take(taken, attempt, cx));
        }
        admission
    }

    fn attempt(&mut self, ask: &Ask) -> Attempt {
        self.askers += 1;
        let whole = Secret::new(ask.password.as_bytes().to_vec());
        let client = ClientName::new(ask.client);
        let policy = self.law.clients.get(&client);
        let until = self.at.tick.plus(policy.map(|client| patience(client.gives_up_after)).unwrap_or_default());
        let (password, appended) =
            if ask.state.is_none() { split_appended(&whole, ",") } else { (whole.clone(), None) };
        let named = |facts: &[Option<&[u8]>]| {
            let parts = LoginKeyParts { client: ask.client, user: ask.user.as_bytes(), facts };
            LoginKey::of(&self.keys, &parts)
        };
        let station = Some(ask.station.as_bytes());
        let connection = Some(ask.connection.as_bytes()).filter(|octets| !octets.is_empty());
        Attempt {
            asker: Asker { id: AskerId(self.askers), since: self.at.tick, until, overhead: 38 },
            client: client.clone(),
            user: UserName::parse(ask.user.as_bytes(), &self.law.realms),
            user_octets: ask.user.as_bytes().into(),
            credential: Credential::Pap { password, appended },
            station: station.map(Station::new),
            login: if ask.authentic { named(&[station, connection]) } else { LoginKey::alone([9; 16]) },
            twin: named(&[station]),
            proof: Proof::of(&self.keys, "pap", &[whole.expose()]),
            state: ask.state.map(|state| StateHash::of(&state)),
            authentic: ask.authentic,
        }
    }

    pub(crate) fn primary_accepts(&mut self) {
        self.primary_accepts_as("alice");
    }

    pub(crate) fn primary_accepts_as(&mut self, user: &str) {
        let (login, question) = self.primary_question();
        self.primary_says(login, question, accept(user));
    }

    pub(crate) fn primary_rejects(&mut self) {
        let (login, question) = self.primary_question();
        let attributes = Arc::new(HeldAttributes::none(Code::AccessReject));
        self.primary_says(login, question, PrimaryAnswer::Reject { attributes, why: "wrong password".into() });
    }

    pub(crate) fn primary_says(&mut self, login: LoginId, question: Question, answer: PrimaryAnswer) {
        self.tell(Event::Login(login, LoginEvent::Primary(question, answer)));
    }

    pub(crate) fn primary_question(&self) -> (LoginId, Question) {
        self.last(|effect| match effect {
            Effect::AskPrimary { login, question, .. } => Some((*login, *question)),
            _ => None,
        })
        .expect("the primary was asked")
    }

    pub(crate) fn store_knows(&mut self, methods: &[Method]) {
        let methods = methods.to_vec();
        self.store_says(UserFacts { known: true, ever_enrolled: true, methods, ..UserFacts::default() });
    }

    pub(crate) fn store_says(&mut self, facts: UserFacts) {
        let (login, question) = self
            .last(|effect| match effect {
                Effect::ReadUser { login, question, .. } => Some((*login, *question)),
                _ => None,
            })
            .expect("the store was read");
        self.tell(Event::Login(login, LoginEvent::User(question, Ok(facts))));
    }

    pub(crate) fn code_is(&mut self, outcome: CodeOutcome) {
        let (login, question) = self
            .last(|effect| match effect {
                Effect::CheckCode { login, question, .. } => Some((*login, *question)),
                _ => None,
            })
            .expect("a code was looked at");
        self.tell(Event::Login(login, LoginEvent::Code(question, Ok(outcome))));
    }

    pub(crate) fn code_is_right(&mut self) {
        self.code_is(CodeOutcome::Right { method: Method::Totp, token: TokenId("t1".into()) });
    }

    pub(crate) fn claim(&mut self, outcome: Claim) {
        let (login, question) = self
            .last(|effect| match effect {
                Effect::ClaimPrompt { login, question, .. } => Some((*login, *question)),
                _ => None,
            })
            .expect("a prompt was claimed");
        self.tell(Event::Login(login, LoginEvent::Claim(question, Ok(outcome))));
    }

    pub(crate) fn phone(&mut self, answer: PhoneAnswer) {
        self.phone_on(self.prompt(), answer);
    }

    pub(crate) fn phone_on(&mut self, prompt: PromptId, answer: PhoneAnswer) {
        self.tell(Event::Phone { prompt, device: DeviceId("d1".into()), answer });
    }

    pub(crate) fn prompt(&self) -> PromptId {
        self.last(|effect| match effect {
            Effect::ClaimPrompt { claim, .. } => Some(claim.prompt),
            _ => None,
        })
        .expect("a prompt was claimed")
    }

    pub(crate) fn prompt_of_first_claim(&self) -> PromptId {
        let claim = |effect: &Effect| match effect {
            Effect::ClaimPrompt { claim, .. } => Some(claim.prompt),
            _ => None,
        };
        self.log.iter().find_map(claim).expect("a prompt was claimed")
    }

    pub(crate) fn release(&mut self, outcome: ReleaseOutcome) {
        let (login, question) = self
            .last(|effect| match effect {
                Effect::Release { login, question, .. } => Some((*login, *question)),
                _ => None,
            })
            .expect("a release was asked for");
        self.tell(Event::Login(login, LoginEvent::Release(question, Ok(outcome))));
    }

    pub(crate) fn tell(&mut self, event: Event) {
        let Some(session) = self.session.take() else { return };
        self.step(|cx| session.handle(event, cx));
    }

    /// Time passes, and every deadline on the way is kept.
    pub(crate) fn wait(&mut self, seconds: u64) {
        let end = self.at.tick.plus(Duration::from_secs(seconds));
        while let Some(due) = self.session.as_ref().and_then(Session::deadline).filter(|due| *due <= end) {
            self.advance(due.max(self.at.tick));
            self.tell(Event::Woke);
        }
        self.advance(end);
    }

    fn advance(&mut self, tick: Tick) {
        let passed = tick.since(self.at.tick);
        self.at = Moment { tick, wall: self.at.wall.plus(passed) };
    }

    // --- what went out -----------------------------------------------------------------------------------------

    /// What this request was answered: `accept`, `reject`, `challenge`, `silence` for good, or `nothing` yet.
    pub(crate) fn answer_to(&self, asker: AskerId) -> &'static str {
        let answers: Vec<_> = self.log.iter().filter_map(|effect| spoken(effect, asker)).collect();
        assert!(answers.len() <= 1, "one request, one answer: {answers:?}");
        answers.first().copied().unwrap_or("nothing")
    }

    pub(crate) fn reason_for(&self, asker: AskerId) -> Option<Reason> {
        self.last(|effect| match effect {
            Effect::Reply { asker: to, answer: Answer::Reject(reject) } if *to == asker => Some(reject.reason),
            _ => None,
        })
    }

    /// The State of the challenge that this request got.
    pub(crate) fn state_for(&self, asker: AskerId) -> [u8; 16] {
        self.last(|effect| match effect {
            Effect::Reply { asker: to, answer: Answer::Challenge(Challenge::Ours { state, .. }) } if *to == asker => {
                Some(*state)
            }
            _ => None,
        })
        .expect("a challenge with a State")
    }

    pub(crate) fn records(&self) -> Vec<Arc<Record>> {
        let record = |effect: &Effect| match effect {
            Effect::Record(record) | Effect::Release { record, .. } => Some(Arc::clone(record)),
            _ => None,
        };
        self.log.iter().filter_map(record).collect()
    }

    pub(crate) fn accepts_written(&self) -> usize {
        self.records().iter().filter(|record| record.answer == RecordedAnswer::Accept).count()
    }

    pub(crate) fn count(&self, which: impl Fn(&Effect) -> bool) -> usize {
        self.log.iter().filter(|effect| which(effect)).count()
    }

    pub(crate) fn pushes(&self) -> usize {
        self.count(|effect| matches!(effect, Effect::Push { .. }))
    }

    pub(crate) fn primary_questions(&self) -> usize {
        self.count(|effect| matches!(effect, Effect::AskPrimary { .. }))
    }

    pub(crate) fn guesses(&self) -> usize {
        self.count(|effect| matches!(effect, Effect::CheckCode { .. }))
    }

    pub(crate) fn is_over(&self) -> bool {
        self.session.as_ref().is_none_or(Session::is_over)
    }

    pub(crate) fn last<T>(&self, which: impl Fn(&Effect) -> Option<T>) -> Option<T> {
        self.log.iter().rev().find_map(which)
    }

    // --- the step itself ---------------------------------------------------------------------------------------

    fn step(&mut self, change: impl FnOnce(&mut Context<'_>) -> Session) {
        let session = self.aside(change);
        self.session = Some(session).filter(|session| !session.is_over());
    }

    fn aside(&mut self, change: impl FnOnce(&mut Context<'_>) -> Session) -> Session {
        let mut dice = || {
            self.dice += 1;
            self.dice
        };
        let (policy, states) = (&self.law, &self.keys);
        change(&mut Context { at: self.at, policy, states, dice: &mut dice, out: &mut self.log })
    }
}

/// A yes of the primary for this user.
pub(crate) fn accept(user: &str) -> PrimaryAnswer {
    let user = UserName::parse(user.as_bytes(), &login::name::Realms::default()).expect("a name").claimed();
    PrimaryAnswer::Accept { user, attributes: Arc::new(HeldAttributes::none(Code::AccessAccept)) }
}

/// The address 10.0.0.0/8 as a condition.
pub(crate) fn inside_the_house() -> Condition {
    let address: IpAddr = [10, 0, 0, 0].into();
    Condition::UserAddress(vec![ipnet::IpNet::new(address, 8).expect("a prefix")])
}

fn spoken(effect: &Effect, asker: AskerId) -> Option<&'static str> {
    match effect {
        Effect::Reply { asker: to, answer } if *to == asker => Some(match answer {
            Answer::Accept(_) => "accept",
            Answer::Reject(_) => "reject",
            Answer::Challenge(_) => "challenge",
        }),
        Effect::Supersede(to) if *to == asker => Some("silence"),
        _ => None,
    }
}
