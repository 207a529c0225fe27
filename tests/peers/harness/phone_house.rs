//! The phones' service on loopback over a store of its own: no logins, no appliance. A test puts a prompt up and sees what was
//! answered, and what the store made of it.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use ::vestibule::config::{Config, NoFiles};
use ::vestibule::engine::{Arrivals, Clock};
use ::vestibule::enrolment::activation::{Activation, ActivationCode, App, PushUrl, Serial, ServerKey};
use ::vestibule::phone::shell::Site;
use ::vestibule::phone::waiting::Waiting;
use ::vestibule::phone::{Holds, PUSH_PATH, PhoneRooms, PinRule, PushServices, TakesAnswers, router};
use ::vestibule::store::web::{Choices, NewActivation, Phone, Phones, Pins};
use ::vestibule::store::{
    Answered, Channel, Devices, NewUser, Prompts, Sqlite, SqliteOptions, StoreError, StoreFuture, StoreKey, Users,
};
use ::vestibule::telemetry::Telemetry;
use ::vestibule::web::{ClientAddress, guarded};
use axum::Extension;
use login::limits::Limits;
use login::{
    Asks, Claim, ClientName, DeviceId, LoginKey, Number, NumberMatch, PhoneAnswer, PromptClaim, PromptClose, PromptId,
    ResolvedUser, Station, Wall,
};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use wire::Secret;

/// What was answered, in the order in which it came.
pub(crate) type Answer = (PhoneAnswer, Option<Number>, Answered);

pub(crate) struct PhoneHouse {
    pub(crate) at: SocketAddr,
    pub(crate) waiting: Waiting,
    store: Sqlite,
    answers: Arc<Answers>,
    clock: Clock,
    stop: CancellationToken,
    _home: TempDir,
}

/// Where the engine would stand: the store decides, and each answer is noted.
struct Answers {
    store: Sqlite,
    clock: Clock,
    limits: Limits,
    noted: Mutex<Vec<(PromptId, Answer)>>,
    broken: AtomicBool,
    askers: AtomicU32,
}

impl PhoneHouse {
    pub(crate) async fn opens() -> Self {
        Self::opens_with(Holds::default()).await
    }

    /// A poll with nothing to show is answered at once.
    pub(crate) async fn opens_without_waiting() -> Self {
        Self::opens_with(Holds { store_app: Duration::ZERO, page: Duration::ZERO }).await
    }

    async fn opens_with(holds: Holds) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let at = listener.local_addr().unwrap();
        let origin = format!("http://localhost:{}", at.port());
        let (waiting, clock, home) = (Waiting::new(16), Clock::begin(), TempDir::new().unwrap());
        let key = StoreKey::generate(&home.path().join("store.key")).unwrap();
        let url = format!("sqlite:{}", home.path().join("vestibule.db").display());
        let store = Sqlite::open(&url, &key, SqliteOptions::default()).unwrap();
        let alice = NewUser { name: alice(), groups: Vec::new(), mail: None, password_hash: None, by_staff: None };
        store.add_user(alice, clock.moment().wall).await.unwrap();
        // No quiet times: a test asks as often as it likes.
        let limits = Limits { push_quiet: Duration::ZERO, push_quiet_max: Duration::ZERO, ..Limits::default() };
        let (noted, broken, askers) = (Mutex::default(), AtomicBool::new(false), AtomicU32::new(1));
        let answers = Arc::new(Answers { store: store.clone(), clock, limits, noted, broken, askers });
        let stop = CancellationToken::new();
        let rooms = PhoneRooms {
            answers: Arc::clone(&answers) as Arc<dyn TakesAnswers>,
            store: Arc::new(store.clone()),
            clock,
            telemetry: Telemetry::new(),
            site: Site {
                account: "Example VPN".into(),
                help_desk: "Service desk, 0800 1234".into(),
                titles: ::vestibule::config::Titles::default(),
                application_server_key: Some(browser_key()),
            },
            origin: origin.as_str().into(),
            push_url: PushUrl::parse(&format!("http://127.0.0.1:{}{PUSH_PATH}", at.port())).unwrap(),
            waiting: waiting.clone(),
            pin: PinRule { length: 6, tries: 3 },
            hasher: ::vestibule::hashing::Hasher::new(2),
            holds,
            push_services: PushServices { hosts: vec!["push.example.net".to_owned()], allow_private: false },
            stop: stop.clone(),
        };
        let pages = guarded(router(rooms), &public(&origin)).layer(Extension(ClientAddress(at.ip())));
        let ended = stop.clone();
        tokio::spawn(async move {
            let serving = axum::serve(listener, pages);
            serving.with_graceful_shutdown(async move { ended.cancelled().await }).await.unwrap();
        });
        Self { at, waiting, store, answers, clock, stop, _home: home }
    }

    pub(crate) fn page(&self) -> String {
        format!("http://localhost:{}/phone/", self.at.port())
    }

    pub(crate) fn origin(&self) -> String {
        format!("http://localhost:{}", self.at.port())
    }

    /// An activation of the store app for alice: what her phone scans.
    pub(crate) async fn scanned_by_alice(&self) -> String {
        let key = ServerKey::generate().await.unwrap();
        let credential = Secret::new("9311ee50678983c0f29d3d843f86e39405e2b427");
        let sealed = Some(key.to_pkcs8().unwrap());
        let device = self.activates(Channel::PrivacyIdea, credential.clone(), sealed, false).await;
        let activation = Activation {
            url: PushUrl::parse(&format!("http://{}{PUSH_PATH}", self.at)).unwrap(),
            serial: Serial::parse(&device.0).unwrap(),
            credential,
            account: "alice".to_owned(),
            issuer: "Example VPN".to_owned(),
            minutes: 10,
            locked: false,
            force_unlock: None,
        };
        String::from_utf8(activation.address(App::PrivacyIdea).expose().to_vec()).unwrap()
    }

    /// An activation of our page for alice: the code that she types, and the device.
    pub(crate) async fn code_of_alice(&self) -> (String, DeviceId) {
        self.code(false).await
    }

    /// The same, active only after a test push (rules F3).
    pub(crate) async fn code_that_needs_a_test(&self) -> (String, DeviceId) {
        self.code(true).await
    }

    async fn code(&self, needs_test: bool) -> (String, DeviceId) {
        let secret = ActivationCode::secret_of(rand::random());
        let device = self.activates(Channel::WebPush, secret.clone(), None, needs_test).await;
        let shown = ActivationCode { device: device.clone(), secret }.shown();
        (String::from_utf8(shown.expose().to_vec()).unwrap(), device)
    }

    async fn activates(
        &self,
        channel: Channel,
        code: Secret,
        server_key: Option<Secret>,
        needs_test: bool,
    ) -> DeviceId {
        let lasts = Duration::from_secs(600);
        let new =
            NewActivation { user: alice(), channel, label: None, code, server_key, lasts, needs_test, devices_max: 5 };
        self.store.begin_activation(new, self.now()).await.unwrap()
    }

    /// A login of alice waits at the appliance.
    pub(crate) async fn asks_alice(&self, number: NumberMatch) -> PromptId {
        self.puts_up(Asks { number, pin: false }, None).await
    }

    pub(crate) async fn asks_alice_for_her_pin(&self) -> PromptId {
        self.puts_up(Asks { number: NumberMatch::Off, pin: true }, None).await
    }

    /// The test push of a phone that is being added.
    pub(crate) async fn tests(&self, device: &DeviceId) -> PromptId {
        self.puts_up(Asks::default(), Some(device.clone())).await
    }

    /// A login of alice's whose appliance gives up within half a second, while the prompt itself lasts.
    pub(crate) async fn asks_alice_impatiently(&self) -> Wall {
        let gives_up = self.now().plus(Duration::from_millis(500));
        self.puts_up_until(Asks::default(), None, Some(gives_up)).await;
        gives_up
    }

    async fn puts_up(&self, asks: Asks, only: Option<DeviceId>) -> PromptId {
        self.puts_up_until(asks, only, None).await
    }

    async fn puts_up_until(&self, asks: Asks, only: Option<DeviceId>, askers_until: Option<Wall>) -> PromptId {
        let now = self.now();
        let ends_at = now.plus(Duration::from_secs(120));
        let claim = PromptClaim {
            prompt: PromptId(rand::random()),
            user: alice(),
            login: LoginKey::alone(rand::random()),
            ends_at,
            askers_until: askers_until.unwrap_or(ends_at),
            station_known: false,
            authentic: true,
            client: ClientName::new("hq-asa"),
            station: Some(Station::new(b"203.0.113.7")),
            asks,
            only,
            unproven: false,
        };
        let prompt = claim.prompt;
        let claimed = self.store.claim_prompt(claim, now, &self.answers.limits).await.unwrap();
        assert_eq!(claimed, Claim::Claimed { displaced: None });
        for device in self.store.list_devices(&alice()).await.unwrap() {
            self.waiting.ring(&device.id);
        }
        prompt
    }

    /// Nobody waits any more.
    pub(crate) async fn takes_back(&self, prompt: PromptId) {
        self.store.close_prompt(prompt, PromptClose::Withdrawn, self.now(), &self.answers.limits).await.unwrap();
    }

    /// The login was let in by the phone's yes.
    pub(crate) async fn lets_in(&self, prompt: PromptId) {
        self.store.close_prompt(prompt, PromptClose::Used, self.now(), &self.answers.limits).await.unwrap();
    }

    pub(crate) async fn has_pin(&self, pin: &str) {
        let hash = ::vestibule::primary::local::hash_password(&Secret::new(pin)).unwrap();
        self.store.set_pin(&alice(), Secret::new(hash), false, self.now()).await.unwrap();
    }

    /// What alice chose in the portal.
    pub(crate) async fn speaks(&self, language: Option<&str>) {
        self.store.speak(&alice(), language.map(Into::into)).await.unwrap();
    }

    /// What was answered so far.
    pub(crate) fn said(&self) -> Vec<Answer> {
        self.answers.noted.lock().unwrap().iter().map(|(_, said)| said.clone()).collect()
    }

    /// The same, of which prompt.
    pub(crate) fn said_of(&self) -> Vec<(PromptId, PhoneAnswer)> {
        self.answers.noted.lock().unwrap().iter().map(|(prompt, (said, ..))| (*prompt, said.clone())).collect()
    }

    pub(crate) async fn phone(&self, device: &DeviceId) -> Option<Phone> {
        self.store.phone(device).await.unwrap()
    }

    /// Commits of the store so far.
    pub(crate) fn commits(&self) -> u64 {
        self.store.commits()
    }

    /// So many requests have asked for the login that waits.
    pub(crate) fn asked_by(&self, askers: u32) {
        self.answers.askers.store(askers, Ordering::Relaxed);
    }

    /// From now on no answer can be taken.
    pub(crate) fn breaks(&self) {
        self.answers.broken.store(true, Ordering::Relaxed);
    }

    pub(crate) async fn forgets(&self, device: &DeviceId) {
        self.store.remove_device(device, self.now()).await.unwrap();
    }

    pub(crate) fn now(&self) -> Wall {
        self.clock.moment().wall
    }
}

impl Drop for PhoneHouse {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

fn alice() -> ResolvedUser {
    ResolvedUser::new("alice")
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
            if self.broken.load(Ordering::Relaxed) {
                return Err(StoreError::Ours("the test broke it".into()));
            }
            let at = self.clock.moment().wall;
            let taken = self.store.answer_prompt(prompt, &device, answer.clone(), number, at, &self.limits).await?;
            self.noted.lock().unwrap().push((prompt, (answer, number, taken.clone())));
            Ok(taken)
        })
    }

    fn askers(&self, _: PromptId) -> u32 {
        self.askers.load(Ordering::Relaxed)
    }

    fn arrivals(&self, _: &ResolvedUser) -> Option<Arrivals> {
        None
    }
}

/// A point on the curve, as a browser wants it.
fn browser_key() -> [u8; 65] {
    let vectors: serde_json::Value = serde_json::from_str(include_str!("../../vectors/push/vectors.json")).unwrap();
    let key = vectors["rfc8291"]["as_public"].as_str().unwrap();
    data_encoding::BASE64URL_NOPAD.decode(key.as_bytes()).unwrap().try_into().unwrap()
}

fn public(origin: &str) -> ::vestibule::config::PublicUrl {
    let text = format!(
        "[admin]\nurl = \"{origin}\"\nlisten = \"127.0.0.1:8444\"\nroles = {{ admin = \"a\" }}\n[[rule]]\nname = \"all\"\nsecond_factor = [\"totp\"]\n"
    );
    let loaded = Config::parse("vestibule.toml", &text, &NoFiles, []).unwrap_or_else(|mistakes| panic!("{mistakes}"));
    loaded.config.admin.unwrap().pages.url
}
