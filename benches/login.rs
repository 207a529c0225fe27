//! A whole login through the machine without I/O: PAP, the primary's Accept, a challenge, the right code, the release, the
//! Accept. Every answer of the outside is canned, so what is measured is our own deciding, alone and with the wire around it.
//!
//! Beside it crate `radius` does what its part of the same login is: two requests decoded, two replies encoded.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::wildcard_enum_match_arm,
    unreachable_pub,
    reason = "a bench that can't go on should stop"
)]

use std::sync::Arc;
use std::time::Duration;

use divan::{AllocProfiler, Bencher, black_box};
use login::answer::{Answer, Challenge};
use login::event::{Context, Effect, Event, LoginEvent};
use login::facts::{CodeOutcome, PrimaryAnswer, ReleaseOutcome, UserFacts};
use login::policy::{ClientPolicy, Condition, IfUnavailable, Join, NumberWish, Rule, Unenrolled, Verdict};
use login::session::{Admission, Session};
use login::{
    Asker, AskerId, Attempt, ClientName, Credential, LoginKey, LoginKeyParts, Method, Moment, Policy, PrimaryName,
    Proof, ProofKey, RuleName, StateHash, Station, Tick, TokenId, UserName, Wall,
};
use radius::core::avp::AVP;
use radius::core::code::Code as TheirCode;
use radius::core::packet::Packet;
use wire::{
    Attribute, Code, Datagram, HeldAttributes, ReplyAttributes, ReplyCode, RequestWriter, Salts, Secret, SharedSecret,
    VerifiedRequest, kind,
};

#[allow(dead_code, reason = "the other benches use the rest")]
mod request;

#[global_allocator]
static HEAP: AllocProfiler = AllocProfiler::system();

const STATION: &[u8] = b"198.51.100.23";

fn main() {
    divan::main();
}

#[divan::bench(sample_size = 100)]
fn our_machine_alone(bencher: Bencher<'_, '_>) {
    let house = House::new();
    bencher.with_inputs(|| house.attempt(1, b"hunter2", None)).bench_values(|first| {
        let mut login = Running::of(&house, first);
        let state = login.challenged();
        login.answer(house.attempt(2, b"123456", Some(&state)));
        login.accepted();
    });
}

#[divan::bench(sample_size = 100)]
fn our_machine_with_the_wire_around_it(bencher: Bencher<'_, '_>) {
    let house = House::new();
    let first = request::request(&house.secret);
    bencher.bench(|| {
        let mut buffer = Datagram::new();
        let asked = request::verified(black_box(first.as_bytes()), &house.secret);
        let mut login = Running::of(&house, house.read(1, &asked));
        let state = login.challenged();
        let context = asked.context();
        let mut challenge = context.reply(ReplyCode::Challenge, &mut buffer);
        challenge.push(Attribute::new(kind::STATE, &state)).expect("it fits");
        challenge.push(Attribute::new(kind::REPLY_MESSAGE, b"Code:")).expect("it fits");
        black_box(challenge.sign(&house.secret).expect("it fits"));

        let second = answering(&house.secret, &state);
        let answered = request::verified(&second, &house.secret);
        login.answer(house.read(2, &answered));
        let held = login.accepted();
        let context = answered.context();
        let mut accept = context.reply(ReplyCode::Accept, &mut buffer);
        held.write(&mut accept, &ReplyAttributes::default(), &mut Salts::new([0x80, 1])).expect("it fits");
        black_box(accept.sign(&house.secret).expect("it fits"));
    });
}

#[divan::bench(sample_size = 100)]
fn radius_codec_of_the_same_packets(bencher: Bencher<'_, '_>) {
    let (secret, state) = (request::secret(), [b'v'; login::STATE_OCTETS]);
    let (first, second) = (request::request(&secret), answering(&secret, &state));
    bencher.bench(|| {
        let reply = |octets: &[u8], code, attributes: &[(u8, &[u8])]| {
            let asked = Packet::decode(black_box(octets), request::SECRET.as_bytes()).expect("a packet");
            let hidden = asked.lookup(kind::USER_PASSWORD).expect("it has one");
            let password = hidden.encode_user_password(request::SECRET.as_bytes(), asked.get_authenticator());
            black_box(password.expect("16 octets"));
            let mut reply = asked.make_response_packet(code);
            attributes.iter().for_each(|(kind, value)| reply.add(AVP::from_bytes(*kind, value)));
            black_box(reply.encode().expect("a reply"));
        };
        let sign: (u8, &[u8]) = (kind::MESSAGE_AUTHENTICATOR, &[0; 16]);
        let text: (u8, &[u8]) = (kind::REPLY_MESSAGE, b"Code:");
        reply(first.as_bytes(), TheirCode::AccessChallenge, &[sign, (kind::STATE, &state), text]);
        reply(&second, TheirCode::AccessAccept, &[sign]);
    });
}

/// The second request: the code and the State.
fn answering(secret: &SharedSecret, state: &login::State) -> Vec<u8> {
    let mut buffer = Datagram::new();
    let mut writer = RequestWriter::new(Code::AccessRequest, 8, [0x33; 16], &mut buffer);
    request::BEFORE.into_iter().try_for_each(|attribute| writer.push(attribute)).expect("it fits");
    writer.push_password(&Secret::new("123456"), secret).expect("it fits");
    writer.push(Attribute::new(kind::STATE, state)).expect("it fits");
    writer.sign(secret).as_bytes().to_vec()
}

/// The law, the keys, and one client.
struct House {
    secret: SharedSecret,
    policy: Arc<Policy>,
    client: ClientName,
    keys: ProofKey,
}

impl House {
    fn new() -> Self {
        let client = ClientName::new("vpn");
        let of_client = ClientPolicy {
            primary: PrimaryName::new("nps"),
            gives_up_after: Duration::from_secs(30),
            challenge: true,
            append: None,
            join: Join::Station,
            allow_admin: false,
            number: NumberWish::Off,
            when_unavailable: login::policy::WhenUnavailable::Silent,
        };
        let rule = Rule {
            name: RuleName::new("everybody"),
            when: Condition::All(Vec::new()),
            until: None,
            verdict: Verdict::Require(vec![Method::Totp]),
            reply: ReplyAttributes::default(),
            unenrolled: Unenrolled::Deny,
            if_unavailable: IfUnavailable::default(),
            number_required: false,
        };
        let policy =
            Policy { rules: vec![Arc::new(rule)], clients: [(client.clone(), of_client)].into(), ..Policy::default() };
        Self { secret: request::secret(), policy: Arc::new(policy), client, keys: ProofKey::new([7; 32]) }
    }

    /// A request as the engine makes an attempt of it.
    fn read(&self, asker: u64, request: &VerifiedRequest<'_>) -> Attempt {
        let password = request.password(&self.secret).expect("PAP").expect("PAP");
        self.attempt(asker, password.expose(), request.state())
    }

    fn attempt(&self, asker: u64, password: &[u8], state: Option<&[u8]>) -> Attempt {
        let facts = [Some(STATION), None, None];
        let parts = LoginKeyParts { client: self.client.as_str(), user: b"alice", facts: &facts };
        let login = LoginKey::of(&self.keys, &parts);
        let until = Tick(0).plus(Duration::from_secs(27));
        Attempt {
            asker: Asker { id: AskerId(asker), since: Tick(0), until, overhead: 50, attributes: 1 },
            client: self.client.clone(),
            user: UserName::parse(b"alice", &self.policy.realms),
            user_octets: b"alice"[..].into(),
            names_a_mac: false,
            unknown_state: login::Reason::StateUnknown,
            credential: Credential::Pap { password: Secret::new(password), appended: None },
            station: Some(Station::new(STATION)),
            address: None,
            login,
            same: None,
            twin: login,
            proof: Proof::of(&self.keys, "pap", &[password]),
            state: state.map(StateHash::of),
            authentic: true,
        }
    }
}

/// One login on its way.
struct Running<'a> {
    house: &'a House,
    session: Option<Session>,
    effects: Vec<Effect>,
    dice: u64,
}

impl<'a> Running<'a> {
    fn of(house: &'a House, first: Attempt) -> Self {
        let mut login = Self { house, session: Some(Session::of(&first)), effects: Vec::new(), dice: 0 };
        login.step(|session, cx| session.take(Admission::Begin, first, cx));
        login
    }

    fn answer(&mut self, attempt: Attempt) {
        let admission = Session::admit(self.session.as_ref(), &attempt, now());
        assert!(matches!(admission, Admission::Resume(_)), "{admission:?}");
        self.step(|session, cx| session.take(admission, attempt, cx));
    }

    fn challenged(&mut self) -> login::State {
        match self.run() {
            Answer::Challenge(Challenge::Ours { state, .. }) => state,
            other => panic!("no challenge but {other:?}"),
        }
    }

    fn accepted(&mut self) -> HeldAttributes {
        match self.run() {
            Answer::Accept(accept) => accept.attributes().clone(),
            other => panic!("no Accept but {other:?}"),
        }
    }

    /// Answers what the machine asks until it replies.
    fn run(&mut self) -> Answer {
        let mut replied = None;
        while !self.effects.is_empty() {
            for effect in std::mem::take(&mut self.effects) {
                match effect {
                    Effect::Reply { answer, .. } => replied = Some(answer),
                    asked => self.outside(asked),
                }
            }
        }
        replied.expect("the machine replies")
    }

    /// What the outside says, at once and always the best.
    fn outside(&mut self, asked: Effect) {
        let (login, event) = match asked {
            Effect::AskPrimary { login, question, claimed, .. } => {
                let attributes = Arc::new(HeldAttributes::none(Code::AccessAccept));
                (login, LoginEvent::Primary(question, PrimaryAnswer::Accept { user: claimed, attributes }))
            }
            Effect::ReadUser { login, question, .. } => {
                let methods = vec![Method::Totp];
                let facts = UserFacts { known: true, ever_enrolled: true, methods, ..UserFacts::default() };
                (login, LoginEvent::User(question, Ok(facts)))
            }
            Effect::CheckCode { login, question, .. } => {
                let right = CodeOutcome::Right { method: Method::Totp, token: TokenId("token".into()) };
                (login, LoginEvent::Code(question, Ok(right)))
            }
            Effect::Release { login, question, .. } => {
                (login, LoginEvent::Release(question, Ok(ReleaseOutcome::Granted)))
            }
            _ => return,
        };
        self.step(|session, cx| session.handle(Event::Login(login, event), cx));
    }

    fn step(&mut self, change: impl FnOnce(Session, &mut Context<'_>) -> Session) {
        let dice = &mut self.dice;
        let mut roll = || {
            *dice += 1;
            *dice
        };
        let (policy, states) = (&self.house.policy, &self.house.keys);
        let (at, stopping) = (now(), false);
        let rejection = |_: &PrimaryName, _| Duration::ZERO;
        let mut cx =
            Context { at, policy, stopping, states, rejection: &rejection, dice: &mut roll, out: &mut self.effects };
        self.session = self.session.take().map(|session| change(session, &mut cx));
    }
}

fn now() -> Moment {
    Moment { tick: Tick(0), wall: Wall(1_800_000_000_000) }
}
