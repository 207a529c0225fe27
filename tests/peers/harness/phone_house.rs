//! The phones' service on loopback over rows of the test's own: no logins, no appliance. A test puts a prompt up and sees
//! what was answered. What the store promises (one winner, denial until release) is the store's own to prove.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use ::vestibule::config::{Config, NoFiles};
use ::vestibule::engine::Clock;
use ::vestibule::enrolment::activation::{Activation, ActivationCode, App, PushUrl, Serial, ServerKey};
use ::vestibule::phone::shell::Site;
use ::vestibule::phone::waiting::Waiting;
use ::vestibule::phone::{Holds, PUSH_PATH, PhoneRooms, PinRule, TakesAnswers, router};
use ::vestibule::store::web::{
    DeviceState, KeyBrought, NewActivation, Phone, PhoneKey, Phones, Pin, Pins, Seen, TypedNumber,
};
use ::vestibule::store::{Answered, Channel, Device, Devices, OpenPrompt, SiteKeys, StoreError, StoreFuture};
use ::vestibule::web::{ClientAddress, guarded};
use axum::Extension;
use login::limits::Limits;
use login::{
    Asks, ClientName, DeviceId, LoginKey, Number, NumberMatch, PhoneAnswer, PromptId, PromptStatus, ResolvedUser,
    Station, Wall,
};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use wire::Secret;

/// What was answered, in the order in which it came.
pub(crate) type Answer = (DeviceId, PhoneAnswer, Option<Number>);

pub(crate) struct PhoneHouse {
    pub(crate) at: SocketAddr,
    pub(crate) waiting: Waiting,
    rows: Arc<Rows>,
    clock: Clock,
    stop: CancellationToken,
}

#[derive(Default)]
struct Rows(Mutex<State>);

#[derive(Default)]
struct State {
    phones: HashMap<DeviceId, (Phone, Secret)>,
    open: HashMap<ResolvedUser, OpenPrompt>,
    answers: Vec<Answer>,
    pins: HashMap<ResolvedUser, Pin>,
    revealed: usize,
    gone: usize,
    broken: bool,
    seen: usize,
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
        let (rows, waiting, clock) = (Arc::new(Rows::default()), Waiting::new(16), Clock::begin());
        let stop = CancellationToken::new();
        let rooms =
            PhoneRooms {
                answers: Arc::clone(&rows) as Arc<dyn TakesAnswers>,
                store: Arc::new(Shared(Arc::clone(&rows))),
                clock,
                site: Site {
                    account: "Example VPN".into(),
                    help_desk: "Service desk, 0800 1234".into(),
                    application_server_key: Some(browser_key()),
                },
                origin: origin.as_str().into(),
                push_url: PushUrl::parse(&format!("http://127.0.0.1:{}{PUSH_PATH}", at.port())).unwrap(),
                waiting: waiting.clone(),
                pin: PinRule { length: 6, tries: 3 },
                holds,
                endpoint: Arc::new(|endpoint| {
                    if endpoint.contains("//push.") { Ok(()) } else { Err("no push service".to_owned()) }
                }),
                stop: stop.clone(),
            };
        let pages = guarded(router(rooms), &public(&origin)).layer(Extension(ClientAddress(at.ip())));
        let ended = stop.clone();
        tokio::spawn(async move {
            let serving = axum::serve(listener, pages);
            serving.with_graceful_shutdown(async move { ended.cancelled().await }).await.unwrap();
        });
        Self { at, waiting, rows, clock, stop }
    }

    pub(crate) fn page(&self) -> String {
        format!("http://localhost:{}/phone/", self.at.port())
    }

    pub(crate) fn origin(&self) -> String {
        format!("http://localhost:{}", self.at.port())
    }

    /// An activation of the store app for alice: what her phone scans.
    pub(crate) async fn scanned_by_alice(&self) -> String {
        let serial = Serial::of_random([7; 10]);
        let key = ServerKey::generate().await.unwrap();
        let credential = Secret::new("9311ee50678983c0f29d3d843f86e39405e2b427");
        let device = DeviceId(serial.as_str().into());
        self.waits_for_key(&device, Channel::PrivacyIdea, credential.clone(), Some(key.to_pkcs8().unwrap()));
        let activation = Activation {
            url: PushUrl::parse(&format!("http://{}{PUSH_PATH}", self.at)).unwrap(),
            serial,
            credential,
            account: "alice".to_owned(),
            issuer: "Example VPN".to_owned(),
            minutes: 10,
            locked: false,
            force_unlock: None,
        };
        String::from_utf8(activation.address(App::PrivacyIdea).expose().to_vec()).unwrap()
    }

    /// An activation of our page for alice: the code that she types.
    pub(crate) fn code_of_alice(&self) -> String {
        let code = ActivationCode {
            device: DeviceId("d-0a1b2c3d".into()),
            secret: ActivationCode::secret_of([5, 9, 3, 5, 1, 7, 21, 30, 0, 4, 4, 11]),
        };
        self.waits_for_key(&code.device, Channel::WebPush, code.secret.clone(), None);
        String::from_utf8(code.shown().expose().to_vec()).unwrap()
    }

    fn waits_for_key(&self, device: &DeviceId, channel: Channel, code: Secret, server_key: Option<Secret>) {
        let phone = Phone {
            device: Device {
                id: device.clone(),
                user: ResolvedUser::new("alice"),
                channel,
                label: None,
                added_at: Wall(0),
                state: DeviceState::Waiting,
                fingerprint: None,
                seen_at: None,
                agent: None,
                unanswered: 0,
                subscription: None,
            },
            spki: Vec::new(),
            server_key,
        };
        self.rows.state().phones.insert(device.clone(), (phone, code));
    }

    /// A login of alice waits at the appliance.
    pub(crate) fn asks_alice(&self, number: NumberMatch) -> PromptId {
        self.puts_up(Asks { number, pin: false }, Duration::from_secs(120))
    }

    pub(crate) fn asks_alice_for_her_pin(&self) -> PromptId {
        self.puts_up(Asks { number: NumberMatch::Off, pin: true }, Duration::from_secs(120))
    }

    fn puts_up(&self, asks: Asks, lasts: Duration) -> PromptId {
        let now = self.clock.moment().wall;
        let open = OpenPrompt {
            prompt: PromptId(rand::random()),
            user: ResolvedUser::new("alice"),
            login: LoginKey::alone(rand::random()),
            client: ClientName::new("hq-asa"),
            station: Some(Station::new(b"203.0.113.7")),
            claimed_at: now,
            asks,
            only: None,
            ends_at: now.plus(lasts),
            askers_until: now.plus(lasts),
            status: PromptStatus::Pending,
        };
        let prompt = open.prompt;
        let mut state = self.rows.state();
        state.open.insert(open.user.clone(), open);
        let devices: Vec<DeviceId> = state.phones.keys().cloned().collect();
        drop(state);
        devices.iter().for_each(|device| self.waiting.ring(device));
        prompt
    }

    /// Nobody waits any more.
    pub(crate) fn takes_it_back(&self) {
        self.rows.state().open.clear();
    }

    pub(crate) fn has_pin(&self, pin: &str) {
        let hash = ::vestibule::hashing::hash_password(&Secret::new(pin)).unwrap();
        let pin = Pin {
            hash: Secret::new(hash),
            version: 0,
            failures: 0,
            locked: false,
            must_change: false,
            set_at: Wall(0),
        };
        self.rows.state().pins.insert(ResolvedUser::new("alice"), pin);
    }

    pub(crate) fn answers(&self) -> Vec<Answer> {
        self.rows.state().answers.clone()
    }

    pub(crate) fn phone(&self, device: &str) -> Option<Phone> {
        self.rows.state().phones.get(&DeviceId(device.into())).map(|(phone, _)| phone.clone())
    }

    /// How often it was written down that a phone lives.
    pub(crate) fn seen(&self) -> usize {
        self.rows.state().seen
    }

    /// From now on the store can't be read.
    pub(crate) fn loses_its_store(&self) {
        self.rows.state().broken = true;
    }

    pub(crate) fn forgets(&self, device: &str) {
        self.rows.state().phones.remove(&DeviceId(device.into()));
    }
}

impl Drop for PhoneHouse {
    fn drop(&mut self) {
        self.stop.cancel();
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

impl Rows {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }
}

fn ready<'a, T: Send + 'a>(value: Result<T, StoreError>) -> StoreFuture<'a, T> {
    Box::pin(std::future::ready(value))
}

fn unasked<'a, T: Send + 'a>() -> StoreFuture<'a, T> {
    ready(Err(StoreError::Ours("nobody asks this here".into())))
}

/// Each answer is taken as it comes; a number that is not the prompt's denies.
impl TakesAnswers for Rows {
    fn take(
        &self,
        prompt: PromptId,
        device: DeviceId,
        answer: PhoneAnswer,
        number: Option<Number>,
    ) -> StoreFuture<'_, Answered> {
        let mut state = self.state();
        let Some(open) = state.open.values().find(|open| open.prompt == prompt).cloned() else {
            return ready(Ok(Answered::TooLate));
        };
        state.answers.push((device, answer.clone(), number));
        let wrong = match (open.asks.number, &answer) {
            (NumberMatch::Shown(right), PhoneAnswer::Approve) => number != Some(right),
            (_, _) => false,
        };
        if answer != PhoneAnswer::Approve || wrong {
            state.open.clear();
        }
        ready(Ok(if wrong { Answered::WrongNumber } else { Answered::Taken }))
    }
}

struct Shared(Arc<Rows>);

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state()
    }
}

impl Phones for Shared {
    fn begin_activation(&self, _: NewActivation, _: Wall) -> StoreFuture<'_, DeviceId> {
        unasked()
    }

    fn bring_key(&self, device: &DeviceId, code: &Secret, key: PhoneKey, _: Wall) -> StoreFuture<'_, KeyBrought> {
        let mut state = self.state();
        let Some((phone, waits_for)) = state.phones.get_mut(device) else { return ready(Ok(KeyBrought::Unknown)) };
        if waits_for != code {
            return ready(Ok(KeyBrought::WrongCode { left: 4 }));
        }
        if !phone.spki.is_empty() && phone.spki != key.spki {
            let user = phone.device.user.clone();
            state.phones.remove(device);
            return ready(Ok(KeyBrought::SecondKey(user)));
        }
        phone.spki = key.spki;
        phone.device.state = DeviceState::Active;
        phone.device.label = key.label.map(Into::into);
        phone.device.agent = key.agent.map(Into::into);
        ready(Ok(KeyBrought::Taken(Box::new(phone.clone()))))
    }

    fn confirm_device(&self, _: &DeviceId, _: PromptId, _: Wall) -> StoreFuture<'_, ()> {
        unasked()
    }

    fn phone(&self, device: &DeviceId) -> StoreFuture<'_, Option<Phone>> {
        if self.state().broken {
            return unasked();
        }
        ready(Ok(self.state().phones.get(device).map(|(phone, _)| phone.clone())))
    }

    fn phone_seen(&self, device: &DeviceId, seen: Seen, at: Wall) -> StoreFuture<'_, ()> {
        let mut state = self.state();
        state.seen += 1;
        if let Some((phone, _)) = state.phones.get_mut(device) {
            phone.device.seen_at = Some(at);
            phone.device.agent = seen.agent.map(Into::into).or(phone.device.agent.take());
            phone.device.subscription = seen.subscription.or(phone.device.subscription.take());
        }
        ready(Ok(()))
    }

    fn subscription_gone(&self, device: &DeviceId) -> StoreFuture<'_, ()> {
        let mut state = self.state();
        state.gone += 1;
        if let Some((phone, _)) = state.phones.get_mut(device) {
            phone.device.subscription = None;
        }
        ready(Ok(()))
    }

    fn rename_device(&self, _: &DeviceId, _: String) -> StoreFuture<'_, ()> {
        unasked()
    }

    fn take_silent(&self, _: u32) -> StoreFuture<'_, Vec<Device>> {
        unasked()
    }

    fn prompt_of(&self, user: &ResolvedUser, at: Wall) -> StoreFuture<'_, Option<OpenPrompt>> {
        let state = self.state();
        ready(Ok(state.open.get(user).filter(|open| open.ends_at > at).cloned()))
    }

    fn reveal_number(&self, prompt: PromptId, _: &DeviceId, _: Wall) -> StoreFuture<'_, Option<Number>> {
        let mut state = self.state();
        state.revealed += 1;
        let open = state.open.values().find(|open| open.prompt == prompt);
        ready(Ok(open.and_then(|open| match open.asks.number {
            NumberMatch::Typed(number) => Some(number),
            NumberMatch::Off | NumberMatch::Shown(_) => None,
        })))
    }

    fn type_number(&self, _: PromptId, _: Number, _: [u8; 16], _: Wall, _: &Limits) -> StoreFuture<'_, TypedNumber> {
        unasked()
    }
}

impl Pins for Shared {
    fn pin(&self, user: &ResolvedUser, _: Wall) -> StoreFuture<'_, Option<Pin>> {
        ready(Ok(self.state().pins.get(user).cloned()))
    }

    fn commit_pin_guess(
        &self,
        user: &ResolvedUser,
        version: u64,
        right: bool,
        tries: u32,
        _: Wall,
    ) -> StoreFuture<'_, bool> {
        let mut state = self.state();
        let Some(pin) = state.pins.get_mut(user).filter(|pin| pin.version == version) else {
            return ready(Ok(false));
        };
        pin.version += 1;
        pin.failures = if right { 0 } else { pin.failures + 1 };
        pin.locked = pin.failures >= tries;
        ready(Ok(true))
    }

    fn set_pin(&self, _: &ResolvedUser, _: Secret, _: bool, _: Wall) -> StoreFuture<'_, ()> {
        unasked()
    }

    fn reset_pin(&self, _: &ResolvedUser) -> StoreFuture<'_, ()> {
        unasked()
    }
}

impl Devices for Shared {
    fn add_device(&self, _: &ResolvedUser, _: Channel, _: Option<String>, _: Wall) -> StoreFuture<'_, DeviceId> {
        unasked()
    }

    fn list_devices(&self, _: &ResolvedUser) -> StoreFuture<'_, Vec<Device>> {
        unasked()
    }

    fn remove_device(&self, device: &DeviceId, _: Wall) -> StoreFuture<'_, ()> {
        self.state().phones.remove(device);
        ready(Ok(()))
    }
}

impl SiteKeys for Shared {
    fn site_key(&self, _: &str) -> [u8; 32] {
        [3; 32]
    }

    fn unknown_name(&self, _: &str) -> String {
        "(unknown)".to_owned()
    }
}
