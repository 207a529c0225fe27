//! The held sessions, and everything around the pure login: the concurrent map, timers, tasks and effects.
//!
//! A request comes in by [`Engine::receive`]; the session of its L is stepped under its map entry, which is never held
//! across an await; what the step wants done is done afterwards, and each result comes back as an event. A login that
//! waits for a person is a map entry, not a task. This room decides nothing about who gets in: `login` does. It alone
//! reads the clock. A panic in a step ends that session, not the service; a request whose task dies is answered by its
//! own deadline.

mod arrivals;
mod ask;
mod board;
mod clock;
mod held;
mod notices;
mod pages;
mod perform;
mod refused;
mod reply;
mod return_path;
mod shield;
mod strangers;
#[cfg(test)]
mod tests;
mod timers;

use std::collections::BTreeMap;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use arc_swap::{ArcSwap, ArcSwapOption};
use dashmap::DashMap;
use login::event::{Context, Event, LoginEvent};
use login::session::{Admission, Session};
use login::{
    AskerId, Attempt, ClientName, DeviceId, LoginId, LoginKey, LoginKeyParts, Moment, Number, PhoneAnswer, Policy,
    PrimaryName, PromptClaim, PromptId, ProofKey, Reason, StateHash,
};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::factor::push::Push;
use crate::primary::Primary;
use crate::store::{Answered, Device, Store, StoreError};
use crate::telemetry::{ApprovedLate, Held as HeldNow, Telemetry};

pub use arrivals::Arrivals;
pub use ask::Ask;
pub use board::BoardRow;
pub use clock::Clock;
pub use notices::{FraudReport, Notices, Silence};
pub use pages::{PagePrompt, PagePromptStatus, PageRing, RingForPage};
pub use return_path::ReturnPath;
pub use shield::AskedFrom;

use ask::{Arrival, Keys};
use held::{Action, Held};
use refused::Refused;
use shield::Shields;
use strangers::Strangers;
use timers::Timers;

/// Sessions woken in one go before others get their turn.
const WOKEN_AT_ONCE: usize = 256;
/// How often the store is asked, in one query for all of them, which prompts were taken back (rules F5, G5).
const PROMPTS_EVERY: Duration = Duration::from_secs(2);
/// Writes to the store that may wait at once, over all logins (G1).
const TASKS_MAX: usize = 400_000;

/// What is in force: swapped whole at a reload (rules G2).
pub struct Law {
    /// Rules, clients, limits.
    pub policy: Arc<Policy>,
    /// First-factor servers by name.
    pub primaries: BTreeMap<PrimaryName, Arc<dyn Primary>>,
    /// The ways to a phone.
    pub push: Arc<Push>,
}

/// What an engine is made of.
pub struct Parts {
    /// What is in force at the start.
    pub law: Law,
    /// What lasts.
    pub store: Arc<dyn Store>,
    /// Counts and tells.
    pub telemetry: Telemetry,
    /// The house's clock.
    pub clock: Clock,
    /// Owns every task (design: one task owner).
    pub tasks: TaskTracker,
    /// Ends the timers when the server stops.
    pub stop: CancellationToken,
    /// Called when a record is durable, so that its sinks are fed.
    pub on_record: Box<dyn Fn() + Send + Sync>,
    /// Told of what people must learn by mail.
    pub notices: Arc<dyn Notices>,
}

/// The engine. Clones are one engine.
#[derive(Clone)]
pub struct Engine(Arc<Inner>);

struct Inner {
    sessions: DashMap<LoginKey, Held>,
    states: DashMap<StateHash, LoginKey>,
    /// Where a packet without Message-Authenticator finds the login that it waits for, by L and P (D5).
    sames: DashMap<LoginKey, LoginKey>,
    prompts: DashMap<PromptId, LoginKey>,
    /// Prompts that rang, so that the phones can be told of their end.
    rung: DashMap<PromptId, Rang>,
    /// Who waits to hear that a user's prompt has changed.
    listening: arrivals::Listening,
    timers: Timers,
    strangers: Strangers,
    shields: Arc<Shields>,
    refused: Refused,
    law: ArcSwap<Law>,
    store: Arc<dyn Store>,
    telemetry: Telemetry,
    clock: Clock,
    keys: Keys,
    tasks: TaskTracker,
    stop: CancellationToken,
    on_record: Box<dyn Fn() + Send + Sync>,
    notices: Arc<dyn Notices>,
    askers: AtomicU64,
    held: AtomicUsize,
    bytes: AtomicUsize,
    draining: AtomicBool,
    /// Why the store can't be written, while it can't.
    store_away: ArcSwapOption<String>,
}

/// A prompt that rang: what was claimed, and who was told. A device that was removed since learns of the end, too.
struct Rang {
    claim: PromptClaim,
    devices: Vec<Device>,
}

impl Engine {
    /// Puts an engine together and begins to watch deadlines.
    #[must_use]
    pub fn start(parts: Parts) -> Self {
        let keys = Keys {
            login: ProofKey::new(parts.store.site_key("login")),
            proof: ProofKey::new(rand::random()),
            states: ProofKey::of_states(rand::random(), parts.store.site_key("states")),
        };
        let engine = Self(Arc::new(Inner {
            sessions: DashMap::with_shard_amount(64),
            states: DashMap::with_shard_amount(64),
            sames: DashMap::with_shard_amount(16),
            prompts: DashMap::with_shard_amount(16),
            rung: DashMap::with_shard_amount(16),
            listening: arrivals::Listening::default(),
            timers: Timers::default(),
            strangers: Strangers::default(),
            shields: Arc::new(Shields::new()),
            refused: Refused::default(),
            law: ArcSwap::from_pointee(parts.law),
            store: parts.store,
            telemetry: parts.telemetry,
            clock: parts.clock,
            keys,
            tasks: parts.tasks,
            stop: parts.stop,
            on_record: parts.on_record,
            notices: parts.notices,
            askers: AtomicU64::new(0),
            held: AtomicUsize::new(0),
            bytes: AtomicUsize::new(0),
            draining: AtomicBool::new(false),
            store_away: ArcSwapOption::empty(),
        }));
        let watcher = engine.clone();
        engine.0.tasks.spawn(async move { watcher.watch_deadlines().await });
        let watcher = engine.clone();
        engine.0.tasks.spawn(async move { watcher.watch_prompts().await });
        engine
    }

    /// Does something to its end, whoever waits for it or leaves; `None`: it broke off.
    pub async fn to_its_end<T: Send + 'static>(&self, work: impl Future<Output = T> + Send + 'static) -> Option<T> {
        self.0.tasks.spawn(work).await.ok()
    }

    /// One admitted Access-Request. Returns at once; the answer leaves by its way back.
    pub fn receive(&self, ask: Ask<'_>) {
        let at = self.0.clock.moment();
        let law = self.0.law.load_full();
        let id = AskerId(self.0.askers.fetch_add(1, Ordering::Relaxed));
        let arrival = ask::arrival(ask, id, &law.policy, &self.0.keys, rand::random(), at);
        self.route(arrival, &law, at);
    }

    /// Puts another law into force; logins that run keep theirs, and at release the stricter decides (G2).
    pub fn replace(&self, law: Law) {
        self.0.law.store(Arc::new(law));
    }

    /// The law in force.
    #[must_use]
    pub fn law(&self) -> Arc<Law> {
        self.0.law.load_full()
    }

    /// Whether the store can be written, as whoever tries it now and then found; `away`: why not. While it can't, nobody's
    /// password is asked for: no login could end well (rules A10). Says whether that is news.
    pub fn store_stands(&self, away: Option<String>) -> bool {
        let now = away.is_some();
        self.0.store_away.swap(away.map(Arc::new)).is_some() != now
    }

    /// Whether a login through this client could be checked now: its primary answers, as far as is known, and the store can be
    /// written (rules A10).
    #[must_use]
    pub fn can_check(&self, client: &ClientName) -> bool {
        let law = self.0.law.load();
        let primary = law.policy.clients.get(client).and_then(|client| law.primaries.get(&client.primary));
        self.0.store_away.load().is_none() && primary.is_some_and(|primary| primary.is_answering())
    }

    /// How many sessions wait for a person.
    #[must_use]
    pub fn held(&self) -> usize {
        self.0.held.load(Ordering::Relaxed)
    }

    /// How many sessions there are at all, ended ones that still repeat their answer included.
    #[must_use]
    pub fn sessions(&self) -> usize {
        self.0.sessions.len()
    }

    /// The prompts that are out, for a phone that shows them.
    #[must_use]
    pub fn knows_prompt(&self, prompt: PromptId) -> bool {
        self.0.prompts.contains_key(&prompt)
    }

    /// A phone answers: the store decides by compare-and-set what counts, then the login learns of it (A8). `number`: what
    /// was chosen on the phone, where the prompt asks for one (F8). What the store took reaches the login and whoever must
    /// hear of it also if the phone's connection ends before its reply: the work is a task of its own.
    ///
    /// # Errors
    /// The store could not take the answer; nothing has changed.
    pub async fn phone_answers(
        &self,
        prompt: PromptId,
        device: DeviceId,
        answer: PhoneAnswer,
        number: Option<Number>,
    ) -> Result<Answered, StoreError> {
        let engine = self.clone();
        let taken = self.0.tasks.spawn(async move { engine.take_answer(prompt, device, answer, number).await });
        taken.await.unwrap_or_else(|gone| Err(StoreError::Ours(gone.to_string().into())))
    }

    async fn take_answer(
        &self,
        prompt: PromptId,
        device: DeviceId,
        answer: PhoneAnswer,
        number: Option<Number>,
    ) -> Result<Answered, StoreError> {
        let at = self.0.clock.moment();
        let limits = self.0.law.load().policy.limits.clone();
        let answered = self.0.store.answer_prompt(prompt, &device, answer.clone(), number, at.wall, &limits).await?;
        // The store keeps a report that comes too late for its login, too: somebody has the password.
        if answer == PhoneAnswer::Fraud && answered != Answered::Stands(PhoneAnswer::Fraud) {
            self.tell_fraud(prompt, &device, at.wall).await;
        }
        let said = |answer, number| Some(Event::Phone { prompt, device, answer, number });
        let counts = match &answered {
            Answered::Taken => said(answer, number),
            Answered::Late => {
                self.tell_late(prompt);
                said(answer, number)
            }
            // A no that came after the release is no second yes.
            Answered::Stands(PhoneAnswer::Approve) if answer != PhoneAnswer::Approve => None,
            // The standing yes came with a number of its own, which this repetition need not know (B2).
            Answered::Stands(standing) => said(standing.clone(), None),
            // A number that is wrong has ended the prompt (F8).
            Answered::WrongNumber { .. } => Some(Event::WrongNumber(prompt)),
            Answered::TooLate | Answered::NotLike => None,
        };
        let approves = |event: &Event| matches!(event, Event::Phone { answer: PhoneAnswer::Approve, .. });
        let ended = counts.as_ref().is_some_and(|event| !approves(event));
        if let (Some(event), Some(key)) = (counts, self.session_of_prompt(prompt)) {
            self.deliver(key, event);
        }
        if ended {
            self.silence(prompt).await;
        }
        Ok(answered)
    }

    /// A yes that nobody waited for is no mistake, and still a reason to ask why: the appliance's patience may be too short.
    fn tell_late(&self, prompt: PromptId) {
        let Some(rung) = self.0.rung.get(&prompt) else { return };
        let (user, client) = (rung.claim.user.as_str(), rung.claim.client.as_str());
        self.0.telemetry.emit(ApprovedLate { user, client });
    }

    async fn tell_fraud(&self, prompt: PromptId, device: &DeviceId, at: login::Wall) {
        let rung = self.0.rung.get(&prompt).map(|rung| rung.claim.clone());
        let report = match rung {
            Some(rung) => FraudReport { user: rung.user, client: Some(rung.client), station: rung.station, at },
            None => match self.0.store.phone(device).await {
                Ok(Some(phone)) => FraudReport { user: phone.device.user, client: None, station: None, at },
                Ok(None) | Err(_) => return,
            },
        };
        self.0.notices.fraud(report);
    }

    /// Stops: new logins are refused at once, held ones have `within` to finish (G3). Who waits still is [dismissed].
    ///
    /// [dismissed]: Self::dismiss
    pub async fn drain(&self, within: Duration) {
        self.0.draining.store(true, Ordering::Relaxed);
        let end = self.0.clock.tick().plus(within);
        while self.waiting() && self.0.clock.tick() < end {
            self.0.clock.wait(Duration::from_millis(50)).await;
        }
    }

    /// Answers everybody who waits, refusals whose delay (D6) is not over among them; but not where the store is being
    /// asked for a release, whose record may be durable already. Call it until nobody can come any more and all are
    /// answered.
    pub fn dismiss(&self) {
        for key in self.keys() {
            self.deliver(key, Event::Drained);
        }
    }

    // --- routing -----------------------------------------------------------------------------------------------

    /// By its State if it has one, else by its L. What is refused gets a session of its own, so that nothing that is
    /// held learns of it.
    fn route(&self, mut arrival: Arrival, law: &Law, at: Moment) {
        let key = match arrival.attempt.state {
            Some(state) => self.0.states.get(&state).map(|found| *found),
            None => Some(self.home_of(&arrival.attempt)),
        };
        let Some(key) = key else {
            let why = arrival.attempt.unknown_state;
            return self.refuse(arrival, why, at);
        };
        // Counting walks every shard of the map, so it comes before the entry's lock is held.
        let room = self.room_for_one(law);
        let mut refused = None;
        let actions = self.with_entry(key, at, |engine, entry| {
            // What a panic left behind is nothing to join.
            if entry.as_ref().is_some_and(|held| held.session.is_none()) {
                *entry = None;
            }
            let session = entry.as_ref().and_then(|held| held.session.as_ref());
            if arrival.attempt.state.is_none() && session.is_none() {
                arrival.attempt.login = key;
            }
            let admission = match Session::admit(session, &arrival.attempt, at) {
                Admission::Begin => room.map_or(Admission::Begin, Admission::Refuse),
                held @ (Admission::Resume(_)
                | Admission::Twin(..)
                | Admission::Join(_)
                | Admission::HearsTheEnd(_)
                | Admission::Repeat(_)
                | Admission::Refuse(_)) => held,
            };
            if let Admission::Refuse(reason) = admission {
                engine.leave(&arrival.attempt, key, entry.is_none());
                refused = Some((arrival, Ok(reason)));
                return Vec::new();
            }
            // The login that it would have waited for ended just now, so this is one of its own.
            if matches!(admission, Admission::Begin) && session.is_some() && key != arrival.attempt.login {
                refused = Some((arrival, Err(())));
                return Vec::new();
            }
            let held = entry.get_or_insert_with(|| Held::of(&arrival.attempt));
            engine.take(held, admission, arrival, at)
        });
        match refused {
            Some((arrival, Ok(reason))) => self.refuse(arrival, reason, at),
            Some((mut arrival, Err(()))) => {
                arrival.attempt.same = None;
                self.route(arrival, law, at);
            }
            None => self.perform_all(key, actions),
        }
    }

    /// Under which key its session is, or will be: a bare one goes where an equal one waits, or will in a moment (D5).
    fn home_of(&self, attempt: &Attempt) -> LoginKey {
        match attempt.same.filter(|_| !attempt.authentic) {
            Some(same) => *self.0.sames.entry(same).or_insert(attempt.login),
            None => attempt.login,
        }
    }

    /// No session came of it, so nobody else will find one there.
    fn leave(&self, attempt: &Attempt, key: LoginKey, nobody_is_there: bool) {
        if let Some(same) = attempt.same.filter(|_| nobody_is_there) {
            self.0.sames.remove_if(&same, |_, home| *home == key);
        }
    }

    /// Past the bounds new work is refused and counted, and held logins still finish (G1).
    fn room_for_one(&self, law: &Law) -> Option<Reason> {
        let limits = &law.policy.limits;
        let full = self.0.sessions.len() >= limits.held_sessions
            || self.0.bytes.load(Ordering::Relaxed) >= limits.held_bytes
            || self.0.tasks.len() >= TASKS_MAX;
        match (self.0.draining.load(Ordering::Relaxed), full) {
            (true, _) => Some(Reason::Draining),
            (false, true) => Some(Reason::Overload),
            (false, false) => None,
        }
    }

    fn refuse(&self, mut arrival: Arrival, reason: Reason, at: Moment) {
        let limits = self.0.law.load().policy.limits.clone();
        if self.0.sessions.len() >= limits.held_sessions.saturating_mul(2) {
            // Twice the bound: not even a refusal is worth its memory; a retransmit may try again.
            return arrival.request.path.overload();
        }
        let again = reason.is_of_state() && self.0.refused.again(self.refused_key(&arrival.attempt), at.tick);
        arrival.attempt.login = LoginKey::alone(rand::random());
        let key = arrival.attempt.login;
        let mut actions = self.with_entry(key, at, |engine, entry| {
            let held = entry.get_or_insert_with(|| Held::of(&arrival.attempt));
            engine.take(held, Admission::Refuse(reason), arrival, at)
        });
        if again {
            actions.iter_mut().for_each(Action::only_count);
        }
        self.perform_all(key, actions);
        if reason == Reason::Draining {
            // Nothing of it was looked at, so there is nothing that a delay could hide (D6), and the drain need not wait.
            self.deliver(key, Event::Drained);
        }
    }

    /// What a refusal is a repetition of: the same State, from the same station through the same client under the same name.
    fn refused_key(&self, attempt: &Attempt) -> LoginKey {
        let state = attempt.state.as_ref().map(|state| state.0.as_slice());
        let (client, user) = (attempt.client.as_str(), &*attempt.user_octets);
        let station = attempt.station.as_ref().map(login::Station::octets);
        LoginKey::of(&self.0.keys.login, &LoginKeyParts { client, user, facts: &[state, station] })
    }

    fn take(&self, held: &mut Held, admission: Admission, arrival: Arrival, at: Moment) -> Vec<Action> {
        let Arrival { attempt, request, forwarded } = arrival;
        // Who joins later waits longer than who asked first, so the primary may take as long again; the login itself watches
        // its newest asker's deadline (B2).
        let deadline = attempt.asker.until.plus(attempt.asker.until.since(attempt.asker.since));
        held.requests.push((attempt.asker.id, request));
        held.asked = Some((forwarded, deadline));
        self.step(held, at, |session, cx| session.take(admission, attempt, cx))
    }

    /// Brings an event to its session, if that still exists.
    fn deliver(&self, key: LoginKey, event: Event) {
        let at = self.0.clock.moment();
        let actions = self.with_entry(key, at, |engine, entry| {
            entry.as_mut().map_or_else(Vec::new, |held| engine.step(held, at, |session, cx| session.handle(event, cx)))
        });
        self.perform_all(key, actions);
    }

    fn deliver_login(&self, key: LoginKey, login: LoginId, event: LoginEvent) {
        self.deliver(key, Event::Login(login, event));
    }

    /// One step of one session, under its entry: no await, no other entry.
    fn step(
        &self,
        held: &mut Held,
        at: Moment,
        change: impl FnOnce(Session, &mut Context<'_>) -> Session,
    ) -> Vec<Action> {
        // None: an earlier step panicked. The session ends here, and its requests with it.
        let Some(session) = held.session.take() else { return Vec::new() };
        let law = self.0.law.load();
        let mut out = Vec::new();
        let mut dice = rand::random::<u64>;
        let (policy, stopping) = (&law.policy, self.0.draining.load(Ordering::Relaxed));
        let states = &self.0.keys.states;
        let rejection = |primary: &PrimaryName, roll| self.rejection(primary, roll);
        let mut cx = Context { at, policy, stopping, states, rejection: &rejection, dice: &mut dice, out: &mut out };
        held.session = Some(change(session, &mut cx));
        held.actions(out)
    }

    /// Runs a change on one entry of the map and settles what hangs on it: deadline, counts, indexes, its own end.
    fn with_entry(
        &self,
        key: LoginKey,
        at: Moment,
        change: impl FnOnce(&Self, &mut Option<Held>) -> Vec<Action>,
    ) -> Vec<Action> {
        use dashmap::Entry;
        match self.0.sessions.entry(key) {
            Entry::Occupied(mut entry) => {
                let placeholder = Held::empty();
                let mut slot = Some(std::mem::replace(entry.get_mut(), placeholder));
                let before = slot.as_ref().map(Held::mark).unwrap_or_default();
                let actions = caught(|| change(self, &mut slot));
                match slot.filter(|held| !held.is_over()) {
                    Some(mut held) => {
                        self.settle(key, &before, &mut held, at);
                        *entry.get_mut() = held;
                    }
                    None => {
                        entry.remove();
                        self.settle_gone(key, &before);
                    }
                }
                actions
            }
            Entry::Vacant(entry) => {
                let mut slot = None;
                let actions = caught(|| change(self, &mut slot));
                if let Some(mut held) = slot.filter(|held| !held.is_over()) {
                    self.settle(key, &held::Mark::default(), &mut held, at);
                    entry.insert(held);
                }
                actions
            }
        }
    }

    fn settle(&self, key: LoginKey, before: &held::Mark, held: &mut Held, _at: Moment) {
        let after = held.refresh();
        self.0.timers.moved(key, before.wake, after.wake);
        for state in before.states.iter().filter(|state| !after.states.contains(state)) {
            self.0.states.remove_if(state, |_, owner| *owner == key);
        }
        for state in after.states.iter().filter(|state| !before.states.contains(state)) {
            self.0.states.insert(*state, key);
        }
        for same in before.sames.iter().filter(|same| !after.sames.contains(same)) {
            self.0.sames.remove_if(same, |_, home| *home == key);
        }
        for same in &after.sames {
            self.0.sames.entry(*same).or_insert(key);
        }
        self.settle_prompt(key, before.prompt, after.prompt);
        self.count(before, &after);
    }

    fn settle_gone(&self, key: LoginKey, before: &held::Mark) {
        self.0.timers.moved(key, before.wake, None);
        for state in &before.states {
            self.0.states.remove_if(state, |_, owner| *owner == key);
        }
        for same in &before.sames {
            self.0.sames.remove_if(same, |_, home| *home == key);
        }
        self.settle_prompt(key, before.prompt, None);
        self.count(before, &held::Mark::default());
    }

    fn settle_prompt(&self, key: LoginKey, before: Option<PromptId>, after: Option<PromptId>) {
        if before == after {
            return;
        }
        if let Some(before) = before {
            self.0.prompts.remove_if(&before, |_, owner| *owner == key);
        }
        if let Some(after) = after {
            self.0.prompts.insert(after, key);
        }
    }

    fn count(&self, before: &held::Mark, after: &held::Mark) {
        self.0.bytes.fetch_add(after.bytes, Ordering::Relaxed);
        self.0.bytes.fetch_sub(before.bytes, Ordering::Relaxed);
        match (before.waits, after.waits) {
            (false, true) => {
                let held = self.0.held.fetch_add(1, Ordering::Relaxed);
                self.0.telemetry.emit(HeldNow(held.saturating_add(1)));
            }
            (true, false) => {
                let held = self.0.held.fetch_sub(1, Ordering::Relaxed);
                self.0.telemetry.emit(HeldNow(held.saturating_sub(1)));
            }
            (true, true) | (false, false) => {}
        }
    }

    fn session_of_prompt(&self, prompt: PromptId) -> Option<LoginKey> {
        self.0.prompts.get(&prompt).map(|found| *found)
    }

    // --- time --------------------------------------------------------------------------------------------------

    async fn watch_deadlines(&self) {
        loop {
            let now = self.0.clock.tick();
            let due = self.0.timers.take_due(now, WOKEN_AT_ONCE);
            let busy = due.len() == WOKEN_AT_ONCE;
            for key in due {
                self.deliver(key, Event::Woke);
            }
            if busy {
                tokio::task::yield_now().await;
                continue;
            }
            let next = self.0.timers.next().unwrap_or_else(|| now.plus(Duration::from_secs(3600)));
            tokio::select! {
                () = self.0.clock.wait_until(next) => {}
                () = self.0.timers.earlier() => {}
                () = self.0.stop.cancelled() => return,
            }
        }
    }

    async fn watch_prompts(&self) {
        while self.0.stop.run_until_cancelled(self.0.clock.wait(PROMPTS_EVERY)).await.is_some() {
            self.end_withdrawn().await;
        }
    }

    fn waiting(&self) -> bool {
        let held = |held: &Held| held.session.as_ref().is_some_and(Session::is_held);
        self.0.sessions.iter().any(|entry| !entry.requests.is_empty() || held(entry.value()))
    }

    fn keys(&self) -> Vec<LoginKey> {
        self.0.sessions.iter().map(|entry| *entry.key()).collect()
    }
}

impl fmt::Debug for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Engine({} sessions, {} held)", self.sessions(), self.held())
    }
}

/// A panic in a step ends that session: its entry comes out without one, and is settled as gone (design: a panic ends
/// that login, not the service).
fn caught(step: impl FnOnce() -> Vec<Action>) -> Vec<Action> {
    catch_unwind(AssertUnwindSafe(step)).unwrap_or_else(|_| {
        tracing::error!("a login met a mistake of ours and ended; please report it with the lines above");
        Vec::new()
    })
}
