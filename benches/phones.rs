//! Does one phone's poll, or one approval, cost more where 100,000 phones have a prompt open than where 100 have? Two stores in
//! this process, a small one and a large one, and the phones' own web service over each: signature, limits, store, answer.
//!
//! Each person has a phone that rings and a second one whose activation waits. Rounds on the small and the large store take turns,
//! so that what else the machine does falls on both. It prints ratios within its one run and fails no build. Run it with
//! `cargo bench --bench phones`; two numbers may follow after `--`: how many phones the large store has, how many rounds are
//! measured. With `TMPDIR` on a file system in memory the disk's share is gone.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a bench that can't go on should stop")]

use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
use axum::body::{Body, to_bytes};
use axum::extract::Request;
use axum::http::{Method, StatusCode};
use axum::{Extension, Router};
use data_encoding::BASE64URL_NOPAD;
use hyper::service::Service as _;
use hyper_util::service::TowerToHyperService;
use login::limits::Limits;
use login::{
    Asks, Claim, ClientName, DeviceId, LoginKey, Number, PhoneAnswer, PromptClaim, PromptClose, PromptId, ResolvedUser,
    Station, Wall,
};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use vestibule::engine::{Arrivals, Clock};
use vestibule::enrolment::activation::{ActivationCode, PushUrl};
use vestibule::phone::page::Shown;
use vestibule::phone::page::signed::{self, AnswerLines};
use vestibule::phone::shell::Site;
use vestibule::phone::waiting::Waiting;
use vestibule::phone::{Holds, PhoneRooms, PinRule, PushServices, TakesAnswers, router};
use vestibule::store::web::{KeyBrought, NewActivation, PhoneKey, Phones};
use vestibule::store::{Answered, Channel, NewUser, Prompts, Sqlite, SqliteOptions, StoreFuture, StoreKey, Users};
use vestibule::telemetry::Telemetry;
use vestibule::web::ClientAddress;
use wire::Secret;

const SMALL: usize = 100;
/// Phones of a store that a round asks, spread over all of it.
const SAMPLED: usize = 100;
/// How often a round looks for phones that let prompts go by: by the thread that writes, so approvals wait for it.
const SILENT_LOOKS: usize = 10;
/// Requests under way at once while a store is filled.
const AT_ONCE: usize = 1024;
/// `[limits] prompt_lasts`, and the most that it may be.
const PROMPT_LASTS: Duration = Duration::from_secs(120);
const ORIGIN: &str = "https://mfa.example.com";
const ACCOUNT: &str = "Example VPN";
const APPLIANCE: &str = "hq-asa";
const PLACE: &str = "203.0.113.7";
/// SubjectPublicKeyInfo of P-256 (RFC 5480 §2), up to the point.
const SPKI_HEAD: [u8; 26] = [
    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce,
    0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00,
];

#[tokio::main]
async fn main() {
    let numbers: Vec<usize> = std::env::args().filter_map(|argument| argument.parse().ok()).collect();
    let (large, rounds) = (*numbers.first().unwrap_or(&100_000), *numbers.get(1).unwrap_or(&5));
    let mut small = House::of(SMALL).await;
    let began = now();
    let mut large = House::of(large.max(SMALL)).await;
    let filled = (now() - began).as_secs_f64();
    small.round().await;
    large.round().await;
    let (mut few, mut many) = (Measured::default(), Measured::default());
    for _ in 0..rounds {
        few.add(small.round().await);
        many.add(large.round().await);
    }
    println!("{} phones with a prompt open, and as many activations that wait, beside {SMALL}", large.phones.len());
    let open = large.store.open_prompts(large.clock.moment().wall).await.unwrap().len();
    println!("{open} of them still open when the last round ended");
    println!("filling the large store took {filled:.0} s; {rounds} rounds of {SAMPLED} phones on each, taking turns");
    println!("  {:<34} {:>10} {:>10} {:>8}", "median, in microseconds", "few", "many", "ratio");
    for (what, few, many) in [
        ("poll that shows a prompt first", &mut few.first, &mut many.first),
        ("poll again, the prompt still open", &mut few.again, &mut many.again),
        ("approval", &mut few.approve, &mut many.approve),
        ("poll with nothing open", &mut few.idle, &mut many.idle),
        ("a login claims its prompt", &mut few.claim, &mut many.claim),
        ("silent phones are looked for", &mut few.silent, &mut many.silent),
    ] {
        let (few, many) = (median(few), median(many));
        println!("  {what:<34} {few:>10.0} {many:>10.0} {:>8.2}", many / few);
    }
}

/// Times in microseconds.
#[derive(Default)]
struct Measured {
    first: Vec<f64>,
    again: Vec<f64>,
    approve: Vec<f64>,
    idle: Vec<f64>,
    claim: Vec<f64>,
    silent: Vec<f64>,
}

impl Measured {
    fn add(&mut self, other: Self) {
        self.first.extend(other.first);
        self.again.extend(other.again);
        self.approve.extend(other.approve);
        self.idle.extend(other.idle);
        self.claim.extend(other.claim);
        self.silent.extend(other.silent);
    }
}

fn median(times: &mut [f64]) -> f64 {
    times.sort_by(f64::total_cmp);
    times.get(times.len() / 2).copied().unwrap_or(f64::NAN)
}

/// A phone that rings, and what it rings for.
#[derive(Clone)]
struct Ringing {
    user: ResolvedUser,
    device: DeviceId,
    prompt: PromptId,
    since: Wall,
}

/// A store with people whose phones all ring.
struct House {
    store: Sqlite,
    clock: Clock,
    key: Arc<Key>,
    phones: Vec<Ringing>,
    _home: TempDir,
}

/// One key for all phones: which key it is costs nothing.
struct Key {
    pair: EcdsaKeyPair,
    spki: Vec<u8>,
    random: SystemRandom,
}

impl Key {
    fn new() -> Self {
        let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
        let spki = [&SPKI_HEAD[..], pair.public_key().as_ref()].concat();
        Self { pair, spki, random: SystemRandom::new() }
    }

    fn sign(&self, text: &str) -> String {
        BASE64URL_NOPAD.encode(self.pair.sign(&self.random, text.as_bytes()).unwrap().as_ref())
    }
}

impl House {
    async fn of(phones: usize) -> Self {
        let (home, clock, key) = (TempDir::new().unwrap(), Clock::begin(), Arc::new(Key::new()));
        let store_key = StoreKey::generate(&home.path().join("store.key")).unwrap();
        let url = format!("sqlite:{}", home.path().join("vestibule.db").display());
        let store = Sqlite::open(&url, &store_key, SqliteOptions::default()).unwrap();
        let people = side_by_side(phones, {
            let (store, key) = (store.clone(), Arc::clone(&key));
            move |number| {
                let (store, key) = (store.clone(), Arc::clone(&key));
                async move { person(&store, &key, number, clock.moment().wall).await }
            }
        });
        let people = Arc::new(people.await);
        // All at once, so that they are all open while the rounds run.
        let phones = side_by_side(phones, {
            let store = store.clone();
            move |number| {
                let (store, (user, device)) = (store.clone(), people[number].clone());
                async move {
                    let since = clock.moment().wall;
                    Ringing { prompt: claim(&store, &user, since).await, user, device, since }
                }
            }
        });
        let phones = phones.await;
        Self { store, clock, key, phones, _home: home }
    }

    /// Polls, approvals and new prompts of a sample. A service of its own for each round: its limits on a phone's polls are
    /// not what is measured.
    async fn round(&mut self) -> Measured {
        let pages = TowerToHyperService::new(self.service());
        let step = self.phones.len() / SAMPLED;
        let sample: Vec<usize> = (0..SAMPLED).map(|n| n * step).collect();
        let mut measured = Measured::default();
        let mut nonces = Vec::new();
        for at in &sample {
            let phone = &mut self.phones[*at];
            let at = self.clock.moment().wall;
            self.store.close_prompt(phone.prompt, PromptClose::Withdrawn, at, &Limits::default()).await.unwrap();
            let began = now();
            (phone.prompt, phone.since) = (claim(&self.store, &phone.user, at).await, at);
            measured.claim.push(micros(began));
        }
        for at in &sample {
            let (took, reply) = ask(&pages, "/phone/api/poll", &self.poll(*at, 0)).await;
            measured.first.push(took);
            let nonce = reply["prompts"][0]["nonce"].as_str();
            nonces.push(nonce.unwrap_or_else(|| panic!("no prompt is open: {reply}")).to_owned());
        }
        for at in &sample {
            let (took, reply) = ask(&pages, "/phone/api/poll", &self.poll(*at, 1)).await;
            assert_eq!(reply["prompts"].as_array().map(Vec::len), Some(1));
            measured.again.push(took);
        }
        for (at, nonce) in sample.iter().zip(&nonces) {
            let (took, reply) = ask(&pages, "/phone/api/answer", &self.yes(*at, nonce)).await;
            assert_eq!(reply["state"], "approved");
            measured.approve.push(took);
        }
        for at in &sample {
            let (took, reply) = ask(&pages, "/phone/api/poll", &self.poll(*at, 2)).await;
            assert_eq!(reply["prompts"].as_array().map(Vec::len), Some(0));
            measured.idle.push(took);
        }
        for _ in 0..SILENT_LOOKS {
            let began = now();
            assert!(self.store.take_silent(3).await.unwrap().is_empty());
            measured.silent.push(micros(began));
        }
        measured
    }

    /// Each poll of a phone has a time of its own: one that repeats is refused.
    fn poll(&self, at: usize, later: u64) -> Value {
        let device = &*self.phones[at].device.0;
        let time = stamp(Wall(self.clock.moment().wall.0 + 1000 * later));
        let signature = self.key.sign(&signed::poll(ORIGIN, device, &time));
        json!({ "device": device, "time": time, "wait": false, "signature": signature })
    }

    fn yes(&self, at: usize, nonce: &str) -> Value {
        let Ringing { user, device, prompt, since } = &self.phones[at];
        let (time, challenge) = (stamp(self.clock.moment().wall), prompt.to_string());
        let shown = Shown::new(ACCOUNT, APPLIANCE, Some(PLACE), *since, user.as_str()).print();
        let lines = AnswerLines {
            origin: ORIGIN,
            device: &device.0,
            challenge: &challenge,
            nonce,
            said: "approve",
            number: "",
            shown: &shown,
            time: &time,
        };
        let signature = self.key.sign(&signed::answer(&lines));
        json!({
            "device": &*device.0, "challenge": challenge, "nonce": nonce, "said": "approve", "shown": shown, "time": time,
            "signature": signature,
        })
    }

    fn service(&self) -> Router {
        let rooms = PhoneRooms {
            answers: Arc::new(Answers { store: self.store.clone(), clock: self.clock, limits: Limits::default() }),
            store: Arc::new(self.store.clone()),
            clock: self.clock,
            telemetry: Telemetry::new(),
            site: Site {
                account: ACCOUNT.into(),
                help_desk: "".into(),
                titles: vestibule::config::Titles::default(),
                application_server_key: None,
            },
            origin: ORIGIN.into(),
            push_url: PushUrl::parse(&format!("{ORIGIN}/push")).unwrap(),
            waiting: Waiting::new(16),
            pin: PinRule { length: 6, tries: 3 },
            hasher: vestibule::hashing::Hasher::new(2),
            holds: Holds::default(),
            push_services: PushServices { hosts: Vec::new(), allow_private: false },
            stop: CancellationToken::new(),
        };
        router(rooms).layer(Extension(ClientAddress(IpAddr::from([198, 51, 100, 23]))))
    }
}

/// Where the engine stands: the store decides. The engine's own part beside it are look-ups in maps.
struct Answers {
    store: Sqlite,
    clock: Clock,
    limits: Limits,
}

impl TakesAnswers for Answers {
    fn take(
        &self,
        prompt: PromptId,
        device: DeviceId,
        answer: PhoneAnswer,
        number: Option<Number>,
    ) -> StoreFuture<'_, Answered> {
        Box::pin(async move {
            let at = self.clock.moment().wall;
            self.store.answer_prompt(prompt, &device, answer, number, at, &self.limits).await
        })
    }

    fn askers(&self, _: PromptId) -> u32 {
        1
    }

    fn arrivals(&self, _: &ResolvedUser) -> Option<Arrivals> {
        None
    }
}

/// What `make` makes of each number, many at once, so that they share commits.
async fn side_by_side<T, F>(many: usize, make: impl Fn(usize) -> F + Clone + Send + 'static) -> Vec<T>
where
    T: Send + 'static,
    F: Future<Output = T> + Send,
{
    let mut lanes = JoinSet::new();
    for lane in 0..AT_ONCE.min(many) {
        let make = make.clone();
        lanes.spawn(async move {
            let mut made = Vec::new();
            for number in (lane..many).step_by(AT_ONCE) {
                made.push(make(number).await);
            }
            made
        });
    }
    lanes.join_all().await.into_iter().flatten().collect()
}

/// Somebody with an active phone, and with one that waits for its key.
async fn person(store: &Sqlite, key: &Key, number: usize, at: Wall) -> (ResolvedUser, DeviceId) {
    let user = ResolvedUser::new(format!("user-{number}"));
    let new = NewUser { name: user.clone(), groups: Vec::new(), mail: None, password_hash: None, by_staff: None };
    store.add_user(new, at).await.unwrap();
    let code = ActivationCode::secret_of(rand::random());
    let device = store.begin_activation(activation(&user, code.clone()), at).await.unwrap();
    let brought = PhoneKey { spki: key.spki.clone(), subscription: None, agent: None, label: None };
    assert!(matches!(store.bring_key(&device, &code, brought, at).await.unwrap(), KeyBrought::Taken(_)));
    store.begin_activation(activation(&user, ActivationCode::secret_of(rand::random())), at).await.unwrap();
    (user, device)
}

fn activation(user: &ResolvedUser, code: Secret) -> NewActivation {
    NewActivation {
        user: user.clone(),
        channel: Channel::WebPush,
        label: None,
        code,
        server_key: None,
        lasts: Duration::from_secs(24 * 3600),
        needs_test: false,
        devices_max: 5,
    }
}

/// A login that waits for this user's phone, for as long as any may.
async fn claim(store: &Sqlite, user: &ResolvedUser, at: Wall) -> PromptId {
    let ends_at = at.plus(PROMPT_LASTS);
    let claim = PromptClaim {
        prompt: PromptId(rand::random()),
        user: user.clone(),
        login: LoginKey::alone(rand::random()),
        ends_at,
        askers_until: ends_at,
        station_known: false,
        authentic: true,
        client: ClientName::new(APPLIANCE),
        station: Some(Station::new(PLACE.as_bytes())),
        asks: Asks::default(),
        only: None,
        unproven: false,
    };
    let prompt = claim.prompt;
    assert_eq!(store.claim_prompt(claim, at, &Limits::default()).await.unwrap(), Claim::Claimed { displaced: None });
    prompt
}

/// One request through the whole service, without a socket.
async fn ask(pages: &TowerToHyperService<Router>, path: &str, body: &Value) -> (f64, Value) {
    let request = Request::builder().method(Method::POST).uri(path).header("content-type", "application/json");
    let request = request.body(Body::from(body.to_string())).unwrap();
    let began = now();
    let reply = pages.call(request).await.unwrap();
    let took = micros(began);
    let status = reply.status();
    let body = to_bytes(reply.into_body(), 64 * 1024).await.unwrap();
    assert_eq!(status, StatusCode::OK, "{}", String::from_utf8_lossy(&body));
    (took, serde_json::from_slice(&body).unwrap())
}

fn stamp(at: Wall) -> String {
    let time = jiff::Timestamp::from_millisecond(i64::try_from(at.0).unwrap()).unwrap();
    time.strftime("%Y-%m-%dT%H:%M:%S.%3fZ").to_string()
}

fn micros(began: Instant) -> f64 {
    (now() - began).as_secs_f64() * 1e6
}

#[expect(clippy::disallowed_methods, reason = "a bench reads the clock")]
fn now() -> Instant {
    Instant::now()
}
