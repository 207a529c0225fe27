//! The RADIUS primary against upstream servers over real sockets, with a clock that only the test moves.
//!
//! The upstreams here read, sign and hide by hand, on `md-5` alone, so that they share no code with `wire`.

use std::collections::HashSet;
use std::net::SocketAddr;
use std::sync::Mutex;
use std::time::Duration;

use login::{PrimaryAnswer, Tick};
use md5::{Digest, Md5};
use tokio::net::UdpSocket;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use wire::{PacketView, Secret, VerifiedRequest};

use super::*;
use crate::primary::Forwarded;
use crate::primary::clock::tests::TestClock;
use crate::telemetry::{InFlight, PrimaryResult};

const SECRET: &[u8] = b"upstream secret";
const ACCEPT: u8 = 2;
const REJECT: u8 = 3;
const CHALLENGE: u8 = 11;

/// One server of the test, which answers what the test says.
struct Upstream(UdpSocket);

/// A packet that an upstream got.
#[derive(Clone)]
struct Asked {
    from: SocketAddr,
    bytes: Vec<u8>,
}

impl Upstream {
    async fn start() -> Self {
        Self(UdpSocket::bind("127.0.0.1:0").await.unwrap())
    }

    fn address(&self) -> ServerAddress {
        let address = self.0.local_addr().unwrap();
        ServerAddress { host: Host::Address(address.ip()), port: address.port() }
    }

    async fn hear(&self) -> Asked {
        let mut buffer = [0; 4096];
        let (length, from) = self.0.recv_from(&mut buffer).await.unwrap();
        Asked { from, bytes: buffer[..length].to_vec() }
    }

    async fn say(&self, to: &Asked, bytes: &[u8]) {
        self.0.send_to(bytes, to.from).await.unwrap();
    }

    /// Hears and answers with a code and attributes.
    async fn answer(&self, code: u8, attributes: &[u8]) -> Asked {
        let asked = self.hear().await;
        self.say(&asked, &asked.reply(code, attributes)).await;
        asked
    }

    fn heard_nothing(&self) -> bool {
        self.0.try_recv(&mut [0; 4096]).is_err()
    }
}

impl Asked {
    fn authenticator(&self) -> &[u8] {
        &self.bytes[4..20]
    }

    fn attributes(&self) -> Vec<(u8, Vec<u8>)> {
        let mut rest = &self.bytes[20..];
        let mut found = Vec::new();
        while let [kind, length, ..] = *rest {
            found.push((kind, rest[2..usize::from(length)].to_vec()));
            rest = &rest[usize::from(length)..];
        }
        found
    }

    fn attribute(&self, kind: u8) -> Option<Vec<u8>> {
        self.attributes().into_iter().find(|(found, _)| *found == kind).map(|(_, value)| value)
    }

    /// RFC 2865 §5.2, for one block.
    fn password(&self) -> Vec<u8> {
        let pad = Md5::digest([SECRET, self.authenticator()].concat());
        let plain: Vec<u8> = self.attribute(2).unwrap().iter().zip(pad).map(|(hidden, pad)| hidden ^ pad).collect();
        plain.into_iter().take_while(|octet| *octet != 0).collect()
    }

    /// RFC 3579 §3.2: over the packet with the value zeroed.
    fn is_signed(&self) -> bool {
        let mut zeroed = self.bytes.clone();
        zeroed[22..38].fill(0);
        self.bytes[20..22] == [80, 18] && self.bytes[22..38] == hmac_md5(SECRET, &zeroed)
    }

    fn reply(&self, code: u8, attributes: &[u8]) -> Vec<u8> {
        self.reply_signed(code, attributes, SECRET, true)
    }

    fn reply_signed(&self, code: u8, attributes: &[u8], secret: &[u8], with_message_authenticator: bool) -> Vec<u8> {
        let mut body = if with_message_authenticator { [&[80, 18], [0; 16].as_slice()].concat() } else { Vec::new() };
        body.extend_from_slice(attributes);
        let length = u16::try_from(20 + body.len()).unwrap().to_be_bytes();
        let mut packet = [&[code, self.bytes[1], length[0], length[1]], self.authenticator(), &body].concat();
        if with_message_authenticator {
            let sum = hmac_md5(secret, &packet);
            packet[22..38].copy_from_slice(&sum);
        }
        let sum = Md5::digest([&packet, secret].concat());
        packet[4..20].copy_from_slice(&sum);
        packet
    }
}

/// RFC 2104, for keys of up to 64 octets.
fn hmac_md5(key: &[u8], text: &[u8]) -> [u8; 16] {
    let padded = |with: u8| (0..64).map(|at| key.get(at).copied().unwrap_or(0) ^ with).collect::<Vec<u8>>();
    let inner = Md5::digest([padded(0x36), text.to_vec()].concat());
    Md5::digest([padded(0x5c), inner.to_vec()].concat()).into()
}

/// Writes down what happened, and lets a test wait for it.
struct Seen {
    clock: Arc<TestClock>,
    events: Mutex<Vec<String>>,
    count: watch::Sender<usize>,
}

impl Seen {
    fn note(&self, event: String) {
        self.events.lock().unwrap().push(event);
        self.count.send_modify(|count| *count += 1);
    }

    fn times(&self, event: &str) -> usize {
        self.events.lock().unwrap().iter().filter(|seen| seen.starts_with(event)).count()
    }

    async fn until(&self, times: usize, event: &str) {
        let mut count = self.count.subscribe();
        while self.times(event) < times {
            count.changed().await.unwrap();
        }
    }
}

impl PrimaryObserver for Seen {
    fn answered(&self, result: PrimaryResult, _: Duration) {
        self.note(format!("answered {}", result.as_str()));
    }
    fn request_begins(&self) -> Option<InFlight> {
        None
    }
    fn retransmitted(&self, _: &str) {
        self.note(format!("retransmitted {}", self.clock.now().0));
    }
    fn reply_dropped(&self, _: &str, reason: ReplyDrop) {
        self.note(format!("dropped {}", reason.as_str()));
    }
    fn server_died(&self, server: &str, why: &str, _: Duration) {
        self.note(format!("died {why} {server}"));
    }
    fn server_revived(&self, server: &str) {
        self.note(format!("revived {server}"));
    }
    fn server_moved(&self, server: &str, to: Option<SocketAddr>) {
        self.note(format!("moved {server} {to:?}"));
    }
}

/// A primary over some servers, with its clock and what was seen of it.
struct House {
    radius: Arc<Radius>,
    clock: Arc<TestClock>,
    seen: Arc<Seen>,
    cancel: CancellationToken,
    tracker: TaskTracker,
}

impl House {
    /// The number of its first server.
    fn first_number(&self) -> usize {
        self.radius.first_number
    }

    async fn over(servers: &[&Upstream]) -> Self {
        Self::with(servers.iter().map(|server| server.address()).collect(), Demand::Required).await
    }

    async fn with(servers: Vec<ServerAddress>, demand: Demand) -> Self {
        Self::looking_up(servers, demand, by_the_system()).await
    }

    async fn looking_up(servers: Vec<ServerAddress>, demand: Demand, look_up: LookUp) -> Self {
        let clock = Arc::new(TestClock::new());
        let count = watch::Sender::new(0);
        let seen = Arc::new(Seen { clock: Arc::clone(&clock), events: Mutex::default(), count });
        let cancel = CancellationToken::new();
        let tracker = TaskTracker::new();
        let surroundings = Surroundings {
            clock: Arc::clone(&clock) as Arc<dyn Clock>,
            observer: Arc::clone(&seen) as Arc<dyn PrimaryObserver>,
            tracker: tracker.clone(),
            cancel: cancel.clone(),
            look_up,
            pulse: Pulse::default(),
        };
        let settings = RadiusSettings {
            name: PrimaryName::new("nps"),
            servers,
            secret: SharedSecret::new(Secret::new(SECRET)),
            demand,
            realms: Realms::default(),
            tells_user: false,
        };
        Self { radius: Arc::new(Radius::start(settings, surroundings).await), clock, seen, cancel, tracker }
    }

    fn ask(&self, request: PrimaryRequest) -> JoinHandle<PrimaryAnswer> {
        let radius = Arc::clone(&self.radius);
        tokio::spawn(async move { radius.ask(request).await })
    }

    /// Lets alarms ring until the answer is there; nobody else may answer meanwhile.
    async fn ring_until(&self, mut asking: JoinHandle<PrimaryAnswer>) -> PrimaryAnswer {
        loop {
            settle().await;
            if asking.is_finished() {
                return (&mut asking).await.unwrap();
            }
            self.clock.ring();
        }
    }
}

/// Everything that can run without the clock or a packet has run, on the one thread of these tests.
async fn settle() {
    for _ in 0..50 {
        tokio::task::yield_now().await;
    }
}

fn request(user: &str) -> PrimaryRequest {
    PrimaryRequest {
        user_octets: user.as_bytes().into(),
        claimed: ResolvedUser::new(user),
        password: Secret::new("pw"),
        forwarded: Forwarded::default(),
        upstream: None,
        turn: crate::hashing::Turn::at(crate::hashing::Door::Vpn, user),
        deadline: Tick(60_000),
    }
}

fn user_of(answer: &PrimaryAnswer) -> &str {
    let PrimaryAnswer::Accept { user, .. } = answer else { panic!("no accept: {answer:?}") };
    user.as_str()
}

fn why(answer: &PrimaryAnswer) -> &str {
    match answer {
        PrimaryAnswer::Unavailable(unavailable) | PrimaryAnswer::StoreUnavailable(unavailable) => &unavailable.why,
        PrimaryAnswer::Reject { why, .. } => why,
        PrimaryAnswer::Accept { .. } | PrimaryAnswer::Challenge { .. } | PrimaryAnswer::HeldBack(_) => {
            panic!("a yes: {answer:?}")
        }
    }
}

#[tokio::test]
async fn a_request_is_signed_hides_the_password_anew_and_keeps_what_it_forwards() {
    let upstream = Upstream::start().await;
    let house = House::over(&[&upstream]).await;
    let appliance = [
        1, 1, 0, 34, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 250, 4, 1, 2, 31, 3, b'x', 33, 3, 1, 250, 4, 3, 4,
    ];
    let mut appliance = appliance.to_vec();
    appliance[3] = u8::try_from(appliance.len()).unwrap();
    let forwarded = forwarded_of(&appliance);
    let asking = house.ask(PrimaryRequest { forwarded, ..request("alice") });
    let asked = upstream.answer(ACCEPT, b"").await;
    assert!(asked.is_signed());
    assert_eq!(asked.password(), b"pw");
    let kinds: Vec<u8> = asked.attributes().iter().map(|(kind, _)| *kind).collect();
    assert_eq!(kinds, [80, 1, 2, 250, 31, 250]);
    assert_eq!(user_of(&asking.await.unwrap()), "alice");
}

/// What goes on of a request that carries a Proxy-State, and so must be signed to be believed.
fn forwarded_of(bare: &[u8]) -> Forwarded {
    let mut packet = [&bare[..20], &[80, 18], [0; 16].as_slice(), &bare[20..]].concat();
    packet[3] = u8::try_from(packet.len()).unwrap();
    let sum = hmac_md5(SECRET, &packet);
    packet[22..38].copy_from_slice(&sum);
    let secret = SharedSecret::new(Secret::new(SECRET));
    let verified: VerifiedRequest<'_> = PacketView::parse(&packet).unwrap().verify(&secret, Demand::Required).unwrap();
    Forwarded::of(&verified)
}

#[tokio::test]
async fn reply_attributes_come_back_and_the_accepts_name_is_the_resolved_user() {
    let upstream = Upstream::start().await;
    let house = House::over(&[&upstream]).await;
    let asking = house.ask(request("alice"));
    upstream.answer(ACCEPT, b"\x01\x0bAlice.Doe\x19\x07ou=vp").await;
    let answer = asking.await.unwrap();
    assert_eq!(user_of(&answer), "alice.doe");
    let PrimaryAnswer::Accept { attributes, .. } = answer else { panic!() };
    assert_eq!(attributes.attribute(25), Some(b"ou=vp".as_slice()));
}

#[tokio::test]
async fn an_accept_whose_name_cant_be_a_users_is_a_no() {
    let upstream = Upstream::start().await;
    let house = House::over(&[&upstream]).await;
    let asking = house.ask(request("alice"));
    upstream.answer(ACCEPT, b"\x01\x06al\nx").await;
    assert!(why(&asking.await.unwrap()).contains("can't be one"));
}

#[tokio::test]
async fn a_reject_says_what_the_server_said() {
    let upstream = Upstream::start().await;
    let house = House::over(&[&upstream]).await;
    let asking = house.ask(request("alice"));
    upstream.answer(REJECT, b"\x12\x08locked\x19\x03x").await;
    let answer = asking.await.unwrap();
    assert_eq!(why(&answer), "primary nps said Access-Reject (locked)");
    let PrimaryAnswer::Reject { attributes, .. } = answer else { panic!() };
    assert_eq!(attributes.attribute(25), None);
}

#[tokio::test]
async fn an_empty_password_is_asked_of_nobody() {
    let upstream = Upstream::start().await;
    let house = House::over(&[&upstream]).await;
    let answer = house.ask(PrimaryRequest { password: Secret::new(""), ..request("alice") }).await.unwrap();
    assert!(why(&answer).contains("empty password"));
    assert!(upstream.heard_nothing());
}

#[tokio::test]
async fn a_silent_server_gets_the_same_octets_by_the_schedule_and_then_the_answer_says_what_to_check() {
    let upstream = Upstream::start().await;
    let house = House::over(&[&upstream]).await;
    let mut asking = house.ask(request("alice"));
    let first = upstream.hear().await;
    let mut sent = vec![0];
    while !asking.is_finished() {
        let now = house.clock.ring().0;
        settle().await;
        if house.seen.times("retransmitted") == sent.len() {
            sent.push(now);
            let again = hear_request(&upstream).await;
            assert_eq!((&again.bytes, again.from), (&first.bytes, first.from));
        }
    }
    let gaps: Vec<u64> = sent.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert!((1_800..=2_200).contains(&gaps[0]), "{sent:?}");
    for pair in gaps.windows(2).filter(|pair| pair[1] < 14_000) {
        assert!(pair[1] * 10 >= pair[0] * 19 - 20 && pair[1] * 10 <= pair[0] * 21 + 20, "{sent:?}");
    }
    assert!(sent.len() >= 4 && sent.len() <= 5 && house.clock.now() <= Tick(30_000), "{sent:?}");
    let answer = (&mut asking).await.unwrap();
    assert!(why(&answer).contains("silent for"), "{answer:?}");
    assert!(why(&answer).contains("secrets/primary.nps"), "{answer:?}");
    assert_eq!(house.radius.in_flight(), 0);
}

/// The next Access-Request; Status-Servers to a dead server pass by.
async fn hear_request(upstream: &Upstream) -> Asked {
    loop {
        let asked = upstream.hear().await;
        if asked.bytes[0] == 1 {
            return asked;
        }
    }
}

#[tokio::test]
async fn a_server_silent_to_two_transmissions_is_left_and_its_requests_begin_anew_at_the_next() {
    let (silent, lively) = (Upstream::start().await, Upstream::start().await);
    let house = House::over(&[&silent, &lively]).await;
    let alice = house.ask(request("alice"));
    let bob = house.ask(request("bob"));
    let at_first: Vec<Asked> = vec![silent.hear().await, silent.hear().await];
    while house.seen.times("died silent") == 0 {
        house.clock.ring();
        settle().await;
    }
    let dead_at = house.clock.now();
    assert!((5_000..=7_000).contains(&dead_at.0), "{dead_at:?}");
    for _ in 0..2 {
        let anew = lively.answer(ACCEPT, b"").await;
        assert!(at_first.iter().all(|before| before.authenticator() != anew.authenticator()));
    }
    assert_eq!(user_of(&alice.await.unwrap()), "alice");
    assert_eq!(user_of(&bob.await.unwrap()), "bob");
    let carol = house.ask(request("carol"));
    lively.answer(ACCEPT, b"").await;
    assert_eq!(user_of(&carol.await.unwrap()), "carol");
    assert_eq!(house.clock.now(), dead_at);
}

#[tokio::test]
async fn a_server_that_answers_others_is_not_dead() {
    let (busy, other) = (Upstream::start().await, Upstream::start().await);
    let house = House::over(&[&busy, &other]).await;
    let ignored = house.ask(request("alice"));
    busy.hear().await;
    for _ in 0..3 {
        house.clock.ring();
        settle().await;
        let bob = house.ask(request("bob"));
        loop {
            let asked = busy.hear().await;
            if asked.attribute(1).unwrap() == b"bob" {
                busy.say(&asked, &asked.reply(REJECT, b"")).await;
                break;
            }
        }
        bob.await.unwrap();
    }
    assert_eq!(house.seen.times("died"), 0);
    assert!(other.heard_nothing());
    ignored.abort();
}

#[tokio::test]
async fn a_refused_packet_is_silence_at_once() {
    let closed = Upstream::start().await.address();
    let lively = Upstream::start().await;
    let house = House::with(vec![closed.clone(), lively.address()], Demand::Required).await;
    let asking = house.ask(request("alice"));
    lively.answer(ACCEPT, b"").await;
    assert_eq!(user_of(&asking.await.unwrap()), "alice");
    assert_eq!(house.clock.now(), Tick(0));

    let alone = House::with(vec![closed], Demand::Required).await;
    let answer = alone.ask(request("alice")).await.unwrap();
    assert!(why(&answer).contains("refusing packets"), "{answer:?}");
    assert!(matches!(answer, PrimaryAnswer::Unavailable(Unavailable { confirmed: false, .. })));
    for user in ["bob", "carol"] {
        alone.ask(request(user)).await.unwrap();
    }
    let answer = alone.ask(request("dave")).await.unwrap();
    assert!(matches!(answer, PrimaryAnswer::Unavailable(Unavailable { confirmed: true, .. })));
}

#[tokio::test]
async fn when_all_are_dead_the_first_is_tried_again() {
    let (first, second) = (Upstream::start().await, Upstream::start().await);
    let house = House::over(&[&first, &second]).await;
    let asking = house.ask(PrimaryRequest { deadline: Tick(20_000), ..request("alice") });
    let answer = house.ring_until(asking).await;
    assert!(why(&answer).contains("silent for"));
    assert_eq!(house.seen.times("died silent"), 2);
    let bob = house.ask(PrimaryRequest { deadline: Tick(u64::MAX), ..request("bob") });
    loop {
        let asked = hear_request(&first).await;
        if asked.attribute(1).unwrap() == b"bob" {
            first.say(&asked, &asked.reply(ACCEPT, b"")).await;
            break;
        }
    }
    assert_eq!(user_of(&bob.await.unwrap()), "bob");
    assert_eq!(house.seen.times("revived"), 1);
}

#[tokio::test]
async fn a_thousand_forged_replies_disturb_nothing() {
    let upstream = Upstream::start().await;
    let house = House::over(&[&upstream]).await;
    let asking = house.ask(request("alice"));
    let asked = upstream.hear().await;
    let bare = asked.reply_signed(ACCEPT, b"", SECRET, false);
    let forged = [
        (asked.reply_signed(ACCEPT, b"", b"guess", true), "dropped bad_authenticator"),
        (bare, "dropped missing_message_authenticator"),
        (asked.reply(ACCEPT, b"\x21\x03x"), "dropped proxy_state"),
        (asked.reply(52, b""), "dropped wrong_code"),
        (asked.reply(5, b""), "dropped wrong_code"),
        (asked.reply(99, b""), "dropped wrong_code"),
        (vec![2; 19], "dropped malformed"),
        (wrong_sum_inside(&asked), "dropped bad_message_authenticator"),
        (other_identifier(&asked), "dropped unexpected"),
    ];
    let storm = forged.iter().cycle().take(1_000);
    for (dropped, (bytes, _)) in storm.enumerate() {
        upstream.say(&asked, bytes).await;
        house.seen.until(dropped + 1, "dropped").await;
    }
    for (_, event) in &forged {
        assert!(house.seen.times(event) >= 100, "{event}");
    }
    upstream.say(&asked, &asked.reply(ACCEPT, b"")).await;
    assert_eq!(user_of(&asking.await.unwrap()), "alice");
}

/// The Response Authenticator is right, the Message-Authenticator is not: what a chosen-prefix collision can make.
fn wrong_sum_inside(asked: &Asked) -> Vec<u8> {
    let body = [&[80, 18], [7; 16].as_slice()].concat();
    let mut packet = [&[ACCEPT, asked.bytes[1], 0, 38], asked.authenticator(), &body].concat();
    let sum = Md5::digest([packet.as_slice(), SECRET].concat());
    packet[4..20].copy_from_slice(&sum);
    packet
}

fn other_identifier(asked: &Asked) -> Vec<u8> {
    let mut other = asked.clone();
    other.bytes[1] = other.bytes[1].wrapping_add(1);
    other.reply(ACCEPT, b"")
}

#[tokio::test]
async fn where_the_admin_allows_it_a_reply_may_lack_message_authenticator_but_not_be_forged() {
    let upstream = Upstream::start().await;
    let house = House::with(vec![upstream.address()], Demand::IfPresent).await;
    let asking = house.ask(request("alice"));
    let asked = upstream.hear().await;
    upstream.say(&asked, &wrong_sum_inside(&asked)).await;
    upstream.say(&asked, &asked.reply_signed(ACCEPT, b"", SECRET, false)).await;
    assert_eq!(user_of(&asking.await.unwrap()), "alice");
    assert_eq!(house.seen.times("dropped bad_message_authenticator"), 1);
}

#[tokio::test]
async fn a_reply_from_another_server_is_not_heard() {
    let (asked_one, other) = (Upstream::start().await, Upstream::start().await);
    let house = House::over(&[&asked_one, &other]).await;
    let asking = house.ask(request("alice"));
    let asked = asked_one.hear().await;
    other.say(&asked, &asked.reply(REJECT, b"")).await;
    asked_one.say(&asked, &asked.reply(ACCEPT, b"")).await;
    assert_eq!(user_of(&asking.await.unwrap()), "alice");
}

#[tokio::test]
async fn the_first_valid_reply_wins_and_a_second_changes_nothing() {
    let upstream = Upstream::start().await;
    let house = House::over(&[&upstream]).await;
    let asking = house.ask(request("alice"));
    let asked = upstream.answer(ACCEPT, b"").await;
    upstream.say(&asked, &asked.reply(REJECT, b"")).await;
    assert_eq!(user_of(&asking.await.unwrap()), "alice");
    house.seen.until(1, "dropped unexpected").await;
}

#[tokio::test]
async fn a_late_reply_never_answers_a_new_request() {
    let upstream = Upstream::start().await;
    let house = House::over(&[&upstream]).await;
    let gone = house.ask(PrimaryRequest { deadline: Tick(1_000), ..request("alice") });
    let late = upstream.hear().await;
    house.ring_until(gone).await;
    // Every other Identifier of the socket goes to somebody before the rest of the given-up one is over.
    let mut ids = HashSet::new();
    for _ in 0..300 {
        let asking = house.ask(request("bob"));
        let asked = upstream.hear().await;
        upstream.say(&asked, &late.reply(ACCEPT, b"")).await;
        upstream.say(&asked, &asked.reply(REJECT, b"")).await;
        assert!(matches!(asking.await.unwrap(), PrimaryAnswer::Reject { .. }));
        ids.insert(asked.bytes[1]);
    }
    assert_eq!(ids.len(), 255);
    assert!(!ids.contains(&late.bytes[1]));
    house.seen.until(300, "dropped unexpected").await;
}

#[tokio::test]
async fn a_challenge_is_answered_at_the_server_that_asked_and_nowhere_else() {
    let (first, second) = (Upstream::start().await, Upstream::start().await);
    let house = House::over(&[&first, &second]).await;
    let asking = house.ask(request("alice"));
    first.answer(CHALLENGE, b"\x18\x06abcd\x12\x05otp\x19\x03x").await;
    let PrimaryAnswer::Challenge { attributes, state, server } = asking.await.unwrap() else { panic!() };
    assert_eq!((state.as_deref(), server), (Some(b"abcd".as_slice()), house.first_number()));
    assert_eq!((attributes.attribute(18), attributes.attribute(25)), (Some(b"otp".as_slice()), None));

    let answer = PrimaryRequest {
        upstream: Some(UpstreamState { octets: state.unwrap(), server }),
        password: Secret::new("123456"),
        ..request("alice")
    };
    let asking = house.ask(answer.clone());
    let asked = first.answer(ACCEPT, b"").await;
    assert_eq!(asked.attribute(24), Some(b"abcd".to_vec()));
    assert_eq!(user_of(&asking.await.unwrap()), "alice");

    let lost = house.ring_until(house.ask(answer)).await;
    assert!(matches!(lost, PrimaryAnswer::Unavailable(_)));
    assert!(second.heard_nothing());
}

#[tokio::test]
async fn a_wrong_secret_is_told_by_its_name() {
    let upstream = Upstream::start().await;
    let house = House::over(&[&upstream]).await;
    let asking = house.ask(PrimaryRequest { deadline: Tick(1_000), ..request("alice") });
    let asked = upstream.hear().await;
    upstream.say(&asked, &asked.reply_signed(ACCEPT, b"", b"other secret", true)).await;
    house.seen.until(1, "dropped bad_authenticator").await;
    let answer = house.ring_until(asking).await;
    assert!(why(&answer).contains("compare secrets/primary.nps"), "{answer:?}");
}

#[tokio::test]
async fn two_thousand_requests_are_in_flight_at_once_and_each_gets_its_own_answer() {
    let upstream = Upstream::start().await;
    let house = House::over(&[&upstream]).await;
    let mut waiting = Vec::new();
    let mut heard = Vec::new();
    for user in 0..2_000 {
        waiting.push((user, house.ask(request(&format!("user{user}")))));
        heard.push(upstream.hear().await);
    }
    assert_eq!(house.radius.in_flight(), 2_000);
    assert!(heard.iter().map(|asked| asked.from).collect::<HashSet<_>>().len() >= 8);
    assert_eq!(heard.iter().map(|asked| (asked.from, asked.bytes[1])).collect::<HashSet<_>>().len(), 2_000);
    for (asked, (user, asking)) in heard.iter().zip(waiting) {
        let code = if user % 2 == 0 { ACCEPT } else { REJECT };
        upstream.say(asked, &asked.reply(code, b"")).await;
        assert_eq!(matches!(asking.await.unwrap(), PrimaryAnswer::Accept { .. }), user % 2 == 0);
    }
    assert_eq!(house.seen.times("retransmitted"), 0);
    assert_eq!(house.radius.in_flight(), 0);
}

#[tokio::test]
async fn when_every_identifier_is_taken_new_logins_are_refused_before_answers_to_challenges() {
    let upstream = Upstream::start().await;
    let house = House::over(&[&upstream]).await;
    let bound = pool::LANES_MAX * ids::IDENTIFIERS;
    let mut waiting = Vec::new();
    for _ in 0..bound - 64 {
        waiting.push(house.ask(request("alice")));
        upstream.hear().await;
    }
    let refused = house.ask(request("bob"));
    settle().await;
    house.clock.advance(500);
    assert!(why(&refused.await.unwrap()).contains("overload"));
    let state = UpstreamState { octets: Arc::from(b"s".as_slice()), server: house.first_number() };
    let further = house.ask(PrimaryRequest { upstream: Some(state), ..request("carol") });
    upstream.answer(ACCEPT, b"").await;
    assert_eq!(user_of(&further.await.unwrap()), "carol");
    for asking in waiting {
        asking.abort();
    }
}

#[tokio::test]
async fn a_question_that_is_taken_back_leaves_nothing_behind() {
    let upstream = Upstream::start().await;
    let house = House::over(&[&upstream]).await;
    let asking = house.ask(request("alice"));
    let asked = upstream.hear().await;
    asking.abort();
    assert!(asking.await.is_err());
    assert_eq!(house.radius.in_flight(), 0);
    upstream.say(&asked, &asked.reply(ACCEPT, b"")).await;
    house.seen.until(1, "dropped unexpected").await;
}

#[tokio::test]
async fn a_status_server_that_is_answered_revives_a_dead_server() {
    let upstream = Upstream::start().await;
    let house = House::over(&[&upstream]).await;
    let asking = house.ask(request("alice"));
    while house.seen.times("died silent") == 0 {
        settle().await;
        house.clock.ring();
        settle().await;
    }
    let probe = loop {
        let asked = upstream.hear().await;
        if asked.bytes[0] == 12 {
            break asked;
        }
    };
    assert!(probe.is_signed());
    upstream.say(&probe, &probe.reply_signed(ACCEPT, b"", b"forged", true)).await;
    upstream.say(&probe, &probe.reply(REJECT, b"")).await;
    settle().await;
    assert_eq!(house.seen.times("revived"), 0);
    upstream.say(&probe, &probe.reply(ACCEPT, b"")).await;
    house.seen.until(1, "revived").await;
    assert!(house.radius.servers[0].is_alive());
    asking.abort();
}

#[tokio::test]
async fn a_server_whose_host_goes_on_refusing_probes_stays_dead_and_answers_nobody() {
    let gone = Upstream::start().await;
    let address = gone.address();
    // Its port is kept, so that nobody else takes it; a socket that speaks with one peer alone refuses all others, as none does.
    gone.0.connect("127.0.0.1:9").await.unwrap();
    let house = House::with(vec![address], Demand::Required).await;
    assert!(house.radius.is_answering(), "nobody has asked it yet");
    let asking = house.ask(request("alice"));
    house.seen.until(1, "died refused").await;
    assert!(matches!(asking.await.unwrap(), PrimaryAnswer::Unavailable(_)));
    while house.clock.now() < Tick(120_000) {
        settle().await;
        assert!(!house.radius.is_answering(), "at {:?}", house.clock.now());
        house.clock.ring();
    }
    house.cancel.cancel();
}

/// radsecproxy and FreeRADIUS 3.2 sign no answer to Status-Server.
#[tokio::test]
async fn a_bare_answer_to_our_own_status_server_is_a_sign_of_life_and_a_forged_one_is_dropped_and_counted() {
    let upstream = Upstream::start().await;
    let house = House::over(&[&upstream]).await;
    let asking = house.ask(request("alice"));
    while house.seen.times("died silent") == 0 {
        settle().await;
        house.clock.ring();
        settle().await;
    }
    let probe = loop {
        let asked = upstream.hear().await;
        if asked.bytes[0] == 12 {
            break asked;
        }
    };
    upstream.say(&probe, &probe.reply_signed(ACCEPT, b"", b"forged", false)).await;
    house.seen.until(1, "dropped bad_authenticator").await;
    assert_eq!(house.seen.times("revived"), 0);
    upstream.say(&probe, &probe.reply_signed(ACCEPT, b"", SECRET, false)).await;
    house.seen.until(1, "revived").await;
    asking.abort();
}

#[tokio::test]
async fn a_server_whose_name_moved_is_asked_at_its_new_address_after_a_reload_though_the_old_one_answers() {
    let (old, new) = (Upstream::start().await, Upstream::start().await);
    let found = Arc::new(Mutex::new(vec![old.0.local_addr().unwrap()]));
    let looked_up = Arc::clone(&found);
    let look_up: LookUp = Arc::new(move |_, _| {
        let found = looked_up.lock().unwrap().clone();
        Box::pin(async move { found })
    });
    let named = ServerAddress { host: Host::Name("nps.example.com".into()), port: 1812 };
    let house = House::looking_up(vec![named], Demand::Required, look_up).await;
    let asking = house.ask(request("alice"));
    old.answer(REJECT, b"").await;
    assert!(matches!(asking.await.unwrap(), PrimaryAnswer::Reject { .. }));

    // A look-up that fails moves nobody.
    found.lock().unwrap().clear();
    house.radius.look_again();
    settle().await;
    assert_eq!(house.seen.times("moved"), 1);

    *found.lock().unwrap() = vec![new.0.local_addr().unwrap()];
    house.radius.look_again();
    house.seen.until(2, "moved").await;
    let asking = house.ask(request("alice"));
    new.answer(ACCEPT, b"").await;
    assert_eq!(user_of(&asking.await.unwrap()), "alice");
    assert!(old.heard_nothing());
}

#[tokio::test]
async fn a_name_is_looked_up_again_now_and_then_without_anybody_asking() {
    let (old, new) = (Upstream::start().await, Upstream::start().await);
    let found = Arc::new(Mutex::new(vec![old.0.local_addr().unwrap()]));
    let looked_up = Arc::clone(&found);
    let look_up: LookUp = Arc::new(move |_, _| {
        let found = looked_up.lock().unwrap().clone();
        Box::pin(async move { found })
    });
    let named = ServerAddress { host: Host::Name("nps.example.com".into()), port: 1812 };
    let house = House::looking_up(vec![named], Demand::Required, look_up).await;
    *found.lock().unwrap() = vec![new.0.local_addr().unwrap()];
    while house.seen.times("moved") < 2 {
        settle().await;
        house.clock.ring();
    }
    assert!(house.clock.now().0 >= 60_000, "missing once may be chance");
    house.cancel.cancel();
}

#[tokio::test]
async fn a_name_is_resolved_at_the_start_and_one_without_an_address_is_told() {
    let upstream = Upstream::start().await;
    let ServerAddress { port, .. } = upstream.address();
    let named = |name: &str| ServerAddress { host: Host::Name(name.into()), port };
    let house = House::with(vec![named("127.0.0.1")], Demand::Required).await;
    let asking = house.ask(request("alice"));
    upstream.answer(ACCEPT, b"").await;
    assert_eq!(user_of(&asking.await.unwrap()), "alice");
    assert_eq!(house.seen.times("moved"), 1);

    let house = House::with(vec![named("")], Demand::Required).await;
    let answer = house.ask(request("alice")).await.unwrap();
    assert!(why(&answer).contains("no address"), "{answer:?}");
    house.cancel.cancel();
}

#[tokio::test]
async fn a_stopping_service_ends_every_question_and_every_task() {
    let upstream = Upstream::start().await;
    let house = House::over(&[&upstream]).await;
    let state = UpstreamState { octets: Arc::from(b"s".as_slice()), server: house.first_number() };
    let bound = house.ask(PrimaryRequest { upstream: Some(state), ..request("alice") });
    let free = house.ask(request("bob"));
    upstream.hear().await;
    upstream.hear().await;
    house.cancel.cancel();
    for asking in [bound, free] {
        assert!(why(&asking.await.unwrap()).contains("stopping"));
    }
    house.tracker.close();
    house.tracker.wait().await;
}

#[tokio::test]
async fn a_primary_that_is_dropped_leaves_no_reader_behind() {
    let upstream = Upstream::start().await;
    let House { radius, tracker, .. } = House::over(&[&upstream]).await;
    let asking = tokio::spawn({
        let radius = Arc::clone(&radius);
        async move { radius.ask(request("alice")).await }
    });
    upstream.answer(ACCEPT, b"").await;
    asking.await.unwrap();
    assert_eq!(tracker.len(), 1);
    drop(radius);
    tracker.close();
    tracker.wait().await;
}
