//! What a step wanted done, done: answers leave, the primary and the store are asked, phones ring. Each result comes
//! back to its session as an event. An unknown commit is settled by repeating the same call (rules C1); whatever stays
//! unsettled is *unavailable*, which never opens a door.

use std::collections::HashSet;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use login::event::{Effect, Event, LoginEvent, PushFailure};
use login::{
    Claim, ClientName, CodeOutcome, HeldBack, LoginKey, Means, Method, Moment, NumberOutcome, PrimaryAnswer,
    PrimaryName, PromptClaim, PromptClose, PromptId, PromptStatus, Record, ReleaseCheck, ReleaseOutcome, ResolvedUser,
    Station, Tick, Unavailable, UserFacts,
};

use super::held::Action;
use super::reply;
use super::{AskedFrom, Engine, Rang};
use crate::factor::oath::{self, Patience, TypedCode};
use crate::hashing::{Door, Turn};
use crate::primary::{PrimaryRequest, UpstreamState};
use crate::store::{StoreError, TypedNumber, WithdrawnPrompt};
use crate::telemetry::{
    ClientMeters, FactorAnswered, FactorResult, Joined, LoginEnded, PromptSent, RefusedAgain, StoreTrouble,
    SuspectSecret,
};

/// How often a call whose commit is unknown is repeated, and how long in between at first.
const SETTLE_TRIES: u32 = 20;
const SETTLE_WAIT: Duration = Duration::from_millis(50);
/// How often, and with what growing pause, a record is offered to a store that can't take it: some three minutes.
const RECORD_TRIES: u32 = 18;
const RECORD_WAIT: Duration = Duration::from_secs(1);

impl Engine {
    /// In the order in which the step wanted them.
    pub(super) fn perform_all(&self, key: LoginKey, actions: Vec<Action>) {
        for action in actions {
            self.perform(key, action);
        }
    }

    fn perform(&self, key: LoginKey, action: Action) {
        match action {
            // The way back counts what left.
            Action::Reply(request, answer) => {
                if reply::send(&answer, *request, rand::random(), self.0.clock.tick()).is_err() {
                    tracing::error!(
                        "an answer did not fit into a packet, though it was sized before; a Reject left instead"
                    );
                }
            }
            Action::Supersede(request) => request.path.supersede(self.0.clock.tick()),
            Action::Unchecked(request) => request.path.unchecked(),
            Action::AskPrimary { effect, forwarded, deadline, meters, on_reject } => {
                self.ask_primary(key, *effect, forwarded, deadline, meters, on_reject)
            }
            Action::Counted { record, meters } => {
                let meters = meters.unwrap_or_else(|| self.0.telemetry.client(&record.client));
                self.0.telemetry.emit(RefusedAgain { client: &meters, reason: record.reason });
            }
            Action::Ended { effect, meters } => self.ended(key, *effect, meters),
            Action::Other(effect) => self.other(key, *effect),
        }
    }

    /// A task of its own, owned by the tracker: a held login itself is none.
    fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        self.0.tasks.spawn(task);
    }

    // --- the first door ----------------------------------------------------------------------------------------

    fn ask_primary(
        &self,
        key: LoginKey,
        effect: Effect,
        forwarded: crate::primary::Forwarded,
        deadline: Tick,
        meters: Option<ClientMeters>,
        on_reject: Option<Box<dyn FnOnce() + Send + Sync>>,
    ) {
        let Effect::AskPrimary {
            login,
            question,
            primary,
            user_octets,
            claimed,
            password,
            state,
            station,
            address,
            may_ring,
            by_owner,
        } = effect
        else {
            return;
        };
        let upstream = state.map(|(octets, server)| UpstreamState { octets, server });
        // Within one appliance each station has its turn.
        let asker = (meters.as_ref().map(ClientMeters::name), station.as_ref().map(Station::octets));
        let turn = Turn::at(Door::Vpn, asker);
        let request = PrimaryRequest { user_octets, claimed, password, forwarded, upstream, turn, deadline };
        let engine = self.clone();
        self.spawn(async move {
            let origin = AskedFrom { station, address, may_ring, by_owner };
            let answer = engine.answer_of(&primary, request, &origin, meters.as_ref().map(ClientMeters::name)).await;
            if let (PrimaryAnswer::Reject { .. }, Some(charge)) = (&answer, on_reject) {
                charge();
            }
            engine.deliver_login(key, login, LoginEvent::Primary(question, answer));
        });
    }

    /// The primary's answer, by the asker's deadline; a client that sprays names which nobody knows asks it in vain (D3).
    async fn answer_of(
        &self,
        primary: &PrimaryName,
        request: PrimaryRequest,
        origin: &AskedFrom,
        client: Option<&str>,
    ) -> PrimaryAnswer {
        let away = |why: String| PrimaryAnswer::Unavailable(Unavailable::seen(why));
        let Some(server) = self.law().primaries.get(primary).cloned() else {
            return away(format!("the primary {primary} is no longer configured"));
        };
        if let Err(error) = self.store_is_back().await {
            return PrimaryAnswer::StoreUnavailable(
                self.away("looking whether the store can be written again", &error),
            );
        }
        let (claimed, client) = (request.claimed.clone(), client.unwrap_or_default());
        let per_minute = self.0.law.load().policy.limits.unknown_names_per_minute;
        if self.0.strangers.exhausted(client, per_minute, self.0.clock.tick()) && !self.knows(&claimed).await {
            // A refusal of ours, which must show neither by a silence nor by its words or its time (D6).
            let why = "the primary was not asked: too many unknown names were rejected through this client; known users still get in";
            return PrimaryAnswer::HeldBack(HeldBack { is_address: false, why: why.into(), password: None });
        }
        let answer = self.ask_shielded(&*server, request, origin).await;
        if matches!(answer, PrimaryAnswer::Reject { .. }) && !self.knows(&claimed).await {
            self.0.strangers.rejected(client, per_minute, self.0.clock.tick());
        }
        answer
    }

    /// While the store is known to be away each login looks whether it is back, so that nobody waits for the next look (A10).
    async fn store_is_back(&self) -> Result<(), StoreError> {
        if self.0.store_away.load().is_some() {
            self.0.store.try_write().await?;
            self.0.store_away.store(None);
        }
        Ok(())
    }

    /// Whether the store has such a user; one that can't be read counts as known, so that an outage throttles nobody.
    async fn knows(&self, user: &ResolvedUser) -> bool {
        let at = self.0.clock.moment().wall;
        self.0.store.user_facts(user, None, at, &self.limits()).await.map_or(true, |facts| facts.known)
    }

    // --- the second door ---------------------------------------------------------------------------------------

    fn other(&self, key: LoginKey, effect: Effect) {
        let engine = self.clone();
        match effect {
            Effect::ReadUser { login, question, user, station, client } => self.spawn(async move {
                let facts = engine.facts_of(&user, station.as_ref(), &client).await;
                let facts = facts.map_err(|error| engine.away("reading a user", &error));
                engine.deliver_login(key, login, LoginEvent::User(question, facts));
            }),
            Effect::CheckCode { login, question, user, station, code, methods, guess } => self.spawn(async move {
                let at = engine.0.clock.moment();
                let typed = TypedCode {
                    guess_id: guess,
                    user: &user,
                    station: station.as_ref(),
                    code: &code,
                    methods: &methods,
                    at,
                };
                let outcome = oath::check(&*engine.0.store, &typed, &engine.limits(), &Waits(&engine)).await;
                engine.tell_code(&outcome, methods.first().copied(), at);
                engine.deliver_login(key, login, LoginEvent::Code(question, outcome));
            }),
            Effect::TypeNumber { login, question, prompt, typed, guess } => self.spawn(async move {
                let limits = engine.limits();
                let typed = engine
                    .settled("looking at the phone's digits", || {
                        engine.0.store.type_number(prompt, typed, guess, engine.0.clock.moment().wall, &limits)
                    })
                    .await;
                let denied = typed == Ok(TypedNumber::Denied);
                engine.deliver_login(key, login, LoginEvent::Number(question, typed.map(number_outcome)));
                if denied {
                    engine.silence(prompt).await;
                }
            }),
            Effect::ClaimPrompt { login, question, claim } => self.spawn(async move {
                let limits = engine.limits();
                let claimed = engine
                    .settled("claiming a prompt", || {
                        engine.0.store.claim_prompt(claim.clone(), engine.0.clock.moment().wall, &limits)
                    })
                    .await;
                let outcome = claimed.clone();
                let ours = matches!(claimed, Ok(Claim::Claimed { .. }));
                engine.deliver_login(key, login, LoginEvent::Claim(question, claimed));
                engine.after_claim(key, outcome).await;
                // The login may have ended meanwhile: then nobody waits for this prompt, and it never rang.
                if ours && engine.session_of_prompt(claim.prompt).is_none() {
                    engine.close_prompt(claim.prompt, PromptClose::Withdrawn).await;
                }
            }),
            Effect::Push { login, claim } => self.spawn(async move {
                let prompt = claim.prompt;
                let rang = engine.ring(&claim).await;
                if rang.is_ok() {
                    engine.0.telemetry.emit(PromptSent { method: Method::Push, login });
                }
                engine.deliver_login(key, login, LoginEvent::Pushed(prompt, rang));
            }),
            Effect::ExtendPrompt { prompt, askers_until } => self.spawn(async move {
                let extended = engine.0.store.extend_prompt(prompt, askers_until, engine.0.clock.moment().wall).await;
                if let Err(error) = extended {
                    engine.away("extending a prompt", &error);
                }
                // Phones show the time running down.
                let user = engine.0.rung.get(&prompt).map(|rung| rung.claim.user.clone());
                if let Some(user) = user {
                    engine.0.listening.tell(&user);
                }
            }),
            Effect::ClosePrompt { prompt, why } => self.spawn(async move { engine.close_prompt(prompt, why).await }),
            Effect::Invite(user) => self.0.notices.unenrolled(&user, self.0.clock.moment().wall),
            // Told when the claim came back, also where its login has ended meanwhile.
            Effect::TellDisplaced(_) => {}
            Effect::AskPrimary { .. }
            | Effect::Release { .. }
            | Effect::Accepted(_)
            | Effect::Record(_)
            | Effect::Reply { .. }
            | Effect::Supersede(_)
            | Effect::Unchecked(_)
            | Effect::IndexState(_)
            | Effect::Joined { .. } => {}
        }
    }

    /// What the store knows of a user, with the bypass that is open for this client (F4).
    async fn facts_of(
        &self,
        user: &ResolvedUser,
        station: Option<&Station>,
        client: &ClientName,
    ) -> Result<UserFacts, StoreError> {
        let at = self.0.clock.moment().wall;
        let facts = self.0.store.user_facts(user, station, at, &self.limits()).await?;
        let bypass = if facts.has_bypass { self.0.store.open_bypass(user, client, at).await? } else { None };
        Ok(UserFacts { bypass, ..facts })
    }

    /// Whether the store still has the prompt open, at the last moment before it rings.
    async fn is_open(&self, prompt: PromptId) -> bool {
        let status = self.0.store.prompt_status(prompt, self.0.clock.moment().wall).await;
        matches!(status, Ok(PromptStatus::Pending))
    }

    /// What a claim means beside its own login: a displaced prompt's session learns of it, also where the claimer has
    /// ended meanwhile; and an answer that crossed with the joining is not lost.
    async fn after_claim(&self, key: LoginKey, outcome: Result<Claim, Unavailable>) {
        match outcome {
            Ok(Claim::Claimed { displaced: Some(displaced) }) => self.tell_displaced(displaced).await,
            Ok(Claim::Joined { prompt, .. }) => {
                if let Ok(status) = self.0.store.prompt_status(prompt, self.0.clock.moment().wall).await {
                    self.deliver(key, Event::Crossed { prompt, status });
                }
            }
            Ok(Claim::Claimed { displaced: None } | Claim::Busy | Claim::Quiet { .. }) | Err(_) => {}
        }
    }

    pub(super) async fn tell_displaced(&self, prompt: PromptId) {
        if let Some(other) = self.session_of_prompt(prompt) {
            self.deliver(other, Event::Displaced(prompt));
        }
        self.silence(prompt).await;
    }

    async fn ring(&self, claim: &PromptClaim) -> Result<(), PushFailure> {
        self.ring_claimed(claim, || self.session_of_prompt(claim.prompt).is_some()).await
    }

    /// Rings the phones of a claimed prompt that the store still has open and somebody still waits for.
    pub(super) async fn ring_claimed(
        &self,
        claim: &PromptClaim,
        is_wanted: impl Fn() -> bool,
    ) -> Result<(), PushFailure> {
        let devices = self.0.store.list_devices(&claim.user).await;
        let mut devices = devices.map_err(|error| PushFailure::Refused(self.away("reading devices", &error).why))?;
        devices.retain(|device| device.takes(claim));
        self.0.rung.insert(claim.prompt, Rang { claim: claim.clone(), devices: devices.clone() });
        // It may have ended, or given way to another login's, while devices were read: nobody's phone rings for it then (B2).
        if !self.is_open(claim.prompt).await || !is_wanted() {
            self.0.rung.remove(&claim.prompt);
            return Err(PushFailure::Refused("the prompt ended before it rang".into()));
        }
        self.0.listening.tell(&claim.user);
        let push = Arc::clone(&self.law().push);
        push.ring(claim, self.0.clock.moment(), &devices).await.map(|_| ())
    }

    /// The prompt ends in the store first; then the phones are told that nobody waits.
    pub(super) async fn close_prompt(&self, prompt: PromptId, why: PromptClose) {
        let limits = self.limits();
        let _: Result<(), Unavailable> = self
            .settled("ending a prompt", || self.0.store.close_prompt(prompt, why, self.0.clock.moment().wall, &limits))
            .await;
        self.silence(prompt).await;
    }

    /// Tells the phones of a prompt that nobody waits any more.
    pub(super) async fn silence(&self, prompt: PromptId) {
        let Some((_, Rang { claim, devices })) = self.0.rung.remove(&prompt) else { return };
        self.0.listening.tell(&claim.user);
        let push = Arc::clone(&self.law().push);
        for failure in push.withdraw(&claim, self.0.clock.moment(), &devices).await {
            tracing::debug!(?failure, "a phone could not be told that its prompt has ended");
        }
    }

    /// Who is held for a prompt that a block or a removal took back learns of it now, and so does whoever was rung (F5): the
    /// command that did it is a process of its own.
    pub(super) async fn end_withdrawn(&self) {
        let held = self.0.prompts.iter().map(|held| *held.key());
        let out: HashSet<PromptId> = held.chain(self.0.rung.iter().map(|rung| *rung.key())).collect();
        if out.is_empty() {
            return;
        }
        let withdrawn = match self.0.store.withdrawn_prompts(out.into_iter().collect()).await {
            Ok(withdrawn) => withdrawn,
            Err(error) => return drop(self.away("looking which prompts were taken back", &error)),
        };
        for WithdrawnPrompt { prompt, blocked } in withdrawn {
            if let Some(key) = self.session_of_prompt(prompt) {
                self.deliver(key, Event::Withdrawn { prompt, blocked });
            }
            self.silence(prompt).await;
        }
    }

    fn tell_code(&self, outcome: &Result<CodeOutcome, Unavailable>, listed: Option<Method>, began: Moment) {
        use login::CodeOutcome::{Ahead, Locked, NoToken, Right, Spent, Wrong};
        let (method, result) = match outcome {
            Ok(Right { method, .. }) => (Some(*method), FactorResult::Accepted),
            Ok(Wrong | Ahead { .. } | Spent | Locked { .. } | NoToken) => (listed, FactorResult::Refused),
            Err(_) => (listed, FactorResult::Unavailable),
        };
        if let Some(method) = method {
            let took = self.0.clock.tick().since(began.tick);
            self.0.telemetry.emit(FactorAnswered { method, result, took });
        }
    }

    // --- the way out -------------------------------------------------------------------------------------------

    fn ended(&self, key: LoginKey, effect: Effect, meters: Option<ClientMeters>) {
        let engine = self.clone();
        match effect {
            Effect::Joined { client, login, prompt_avoided } => {
                let meters = meters.unwrap_or_else(|| self.0.telemetry.client(&client));
                self.0.telemetry.emit(Joined { client: &meters, login, prompt_avoided });
            }
            Effect::Record(record) => self.spawn(async move { engine.write_down(record, meters).await }),
            Effect::Accepted(record) => self.tell_ended(&record, meters, record.user.as_ref()),
            Effect::Release { login, question, check, record } => self.spawn(async move {
                let outcome = engine.release(&check, &record).await;
                if outcome == Ok(ReleaseOutcome::Granted) {
                    engine.silence_released(&check.means).await;
                    (engine.0.on_record)();
                }
                engine.deliver_login(key, login, LoginEvent::Release(question, outcome));
            }),
            Effect::AskPrimary { .. }
            | Effect::ReadUser { .. }
            | Effect::CheckCode { .. }
            | Effect::TypeNumber { .. }
            | Effect::ClaimPrompt { .. }
            | Effect::Push { .. }
            | Effect::ExtendPrompt { .. }
            | Effect::ClosePrompt { .. }
            | Effect::Reply { .. }
            | Effect::Supersede(_)
            | Effect::Unchecked(_)
            | Effect::IndexState(_)
            | Effect::Invite(_)
            | Effect::TellDisplaced(_) => {}
        }
    }

    /// The last look and the record, in one commit (A6, F2).
    async fn release(&self, check: &ReleaseCheck, record: &Arc<Record>) -> Result<ReleaseOutcome, Unavailable> {
        self.settled("releasing a login", || {
            self.0.store.release(check.clone(), Record::clone(record), self.0.clock.moment().wall)
        })
        .await
    }

    /// A login that ended without an Accept. Its line is written even where the store can't take the record.
    async fn write_down(&self, record: Arc<Record>, meters: Option<ClientMeters>) {
        let shown = self.shown_name(&record).await;
        self.tell_ended(&record, meters, &shown);
        for again in 1..=RECORD_TRIES {
            let written = self.settled("writing a login down", || self.0.store.record(Record::clone(&record))).await;
            if written.is_ok() {
                return (self.0.on_record)();
            }
            // The answer has left or is about to; its record is worth a patience of its own (F2).
            self.0.clock.wait(RECORD_WAIT.saturating_mul(again)).await;
        }
    }

    /// Names unknown to us are shown as a keyed hash: people type passwords there (F2).
    async fn shown_name(&self, record: &Record) -> String {
        let name = record.user.to_string();
        if record.vouched {
            return name;
        }
        let limits = self.limits();
        let facts = self.0.store.user_facts(&ResolvedUser::new(&*name), None, record.time, &limits).await;
        if facts.is_ok_and(|facts| facts.known) { name } else { self.0.store.unknown_name(&name) }
    }

    fn tell_ended(&self, record: &Record, meters: Option<ClientMeters>, user: &str) {
        let meters = meters.unwrap_or_else(|| self.0.telemetry.client(&record.client));
        if record.reason == login::Reason::SuspectSecret {
            self.0.telemetry.emit(SuspectSecret { client: &meters });
        }
        if let (login::RecordedFactor::Method(Method::Push), Some(result)) = (record.factor, push_result(record.reason))
        {
            self.0.telemetry.emit(FactorAnswered { method: Method::Push, result, took: record.waited_factor });
        }
        self.0.telemetry.emit(LoginEnded { client: &meters, record, user });
    }

    /// The other phones of a prompt that was approved on one.
    async fn silence_released(&self, means: &Means) {
        if let Means::Prompt { prompt, .. } = means {
            self.silence(*prompt).await;
        }
    }

    // --- helpers -----------------------------------------------------------------------------------------------

    pub(super) fn limits(&self) -> login::limits::Limits {
        self.0.law.load().policy.limits.clone()
    }

    pub(super) fn away(&self, doing: &str, error: &StoreError) -> Unavailable {
        self.0.telemetry.emit(StoreTrouble { doing, error });
        Unavailable::seen(error.to_string())
    }

    /// Repeats a call whose commit is unknown until the store can say (C1).
    pub(super) async fn settled<T, F>(&self, doing: &str, mut call: impl FnMut() -> F) -> Result<T, Unavailable>
    where
        F: Future<Output = Result<T, StoreError>>,
    {
        let (mut tries, mut unknown) = (0, false);
        loop {
            match call().await {
                Ok(done) => return Ok(done),
                // Once a commit is unknown, every failure to ask again leaves it so: it may be durable all the while.
                Err(error) if tries < SETTLE_TRIES && (unknown || matches!(error, StoreError::Unknown(_))) => {
                    (tries, unknown) = (tries + 1, true);
                    self.0.clock.wait(SETTLE_WAIT.saturating_mul(tries)).await;
                }
                Err(error) => return Err(self.away(doing, &error)),
            }
        }
    }
}

/// What the store said of the phone's digits, as the login takes it.
fn number_outcome(typed: TypedNumber) -> NumberOutcome {
    match typed {
        TypedNumber::Right { device } => NumberOutcome::Right { device },
        TypedNumber::Wrong | TypedNumber::NotAsked => NumberOutcome::Wrong,
        TypedNumber::Denied => NumberOutcome::Denied,
    }
}

/// How the push ended, in the words of the factor's metric.
fn push_result(reason: login::Reason) -> Option<FactorResult> {
    use login::Reason;
    match reason {
        Reason::Accepted => Some(FactorResult::Accepted),
        Reason::Denied | Reason::Fraud | Reason::WrongNumber => Some(FactorResult::Refused),
        Reason::Unanswered | Reason::Expired | Reason::ApprovedTooLate => Some(FactorResult::Unanswered),
        Reason::PushUnavailable => Some(FactorResult::Unavailable),
        Reason::Name
        | Reason::Realm
        | Reason::Letters
        | Reason::LookAlike
        | Reason::Credential
        | Reason::SuspectSecret
        | Reason::EmptyPassword
        | Reason::Primary
        | Reason::PrimaryQuestion
        | Reason::NameHeld
        | Reason::AddressHeld
        | Reason::PrimaryUnavailable
        | Reason::Rule
        | Reason::NoRule
        | Reason::Undecided
        | Reason::Unenrolled
        | Reason::NoMethod
        | Reason::NoToken
        | Reason::CodeBehind
        | Reason::PhoneCannot
        | Reason::Quiet
        | Reason::Blocked
        | Reason::WrongCode
        | Reason::NotACode
        | Reason::CodesNotTaken
        | Reason::CodeAhead
        | Reason::SpentCode
        | Reason::CodesLocked
        | Reason::Busy
        | Reason::StoreUnavailable
        | Reason::StateUnknown
        | Reason::StateLate
        | Reason::StateSpent
        | Reason::StateOther
        | Reason::StateRestart
        | Reason::Changed
        | Reason::PolicyChanged
        | Reason::PromptEnded
        | Reason::TooLarge
        | Reason::AdminService
        | Reason::Unusable
        | Reason::Overload
        | Reason::Draining
        | Reason::Superseded => None,
    }
}

/// The engine's patience with an unknown commit of a code.
struct Waits<'a>(&'a Engine);

impl Patience for Waits<'_> {
    fn wait(&self, again: u32) -> crate::factor::BoxFuture<'_, bool> {
        Box::pin(async move {
            self.0.0.clock.wait(SETTLE_WAIT.saturating_mul(again)).await;
            again <= SETTLE_TRIES
        })
    }
}
