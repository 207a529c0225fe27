//! What the engine does around a prompt: with a real store, a phone that is told, and somebody who hears of reports.

use std::future::Future;
use std::sync::Mutex;
use std::task::{Context as TaskContext, Poll, Waker};

use login::policy::Policy;
use login::{ClientName, NumberMatch, ResolvedUser, Wall};
use tempfile::TempDir;
use wire::Secret;

use super::*;
use crate::factor::BoxFuture;
use crate::factor::push::{PushChannel, PushHint};
use crate::store::web::{NewActivation, PhoneKey};
use crate::store::{Channel, NewUser, Sqlite, SqliteOptions, StoreKey};

const GENEROUS: Duration = Duration::from_secs(20);

/// A phone of this kind that is told and says nothing by itself.
struct Told(Channel);

impl PushChannel for Told {
    fn channel(&self) -> Channel {
        self.0
    }

    fn ring<'a>(&'a self, _: &'a PushHint) -> BoxFuture<'a, Result<(), login::event::PushFailure>> {
        Box::pin(std::future::ready(Ok(())))
    }

    fn withdraw<'a>(&'a self, _: &'a PushHint) -> BoxFuture<'a, Result<(), login::event::PushFailure>> {
        Box::pin(std::future::ready(Ok(())))
    }
}

#[derive(Default)]
struct Hears(Mutex<Vec<FraudReport>>);

impl Notices for Hears {
    fn unenrolled(&self, _: &ResolvedUser, _: Wall) {}

    fn fraud(&self, report: FraudReport) {
        self.0.lock().unwrap().push(report);
    }
}

struct House {
    engine: Engine,
    store: Arc<dyn Store>,
    hears: Arc<Hears>,
    alice: ResolvedUser,
    phone: DeviceId,
    _directory: TempDir,
}

impl House {
    async fn with_prompts_of(prompt_lasts: Duration) -> Self {
        let mut policy = Policy::default();
        policy.limits.prompt_lasts = prompt_lasts;
        Self::under(policy).await
    }

    async fn under(policy: Policy) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let key = StoreKey::generate(&directory.path().join("store.key")).unwrap();
        let url = format!("sqlite:{}", directory.path().join("vestibule.db").display());
        let store: Arc<dyn Store> = Arc::new(Sqlite::open(&url, &key, SqliteOptions::default()).unwrap());
        let alice = ResolvedUser::new("alice");
        let new = NewUser { name: alice.clone(), groups: Vec::new(), mail: None, password_hash: None, by_staff: None };
        store.add_user(new, Wall(0)).await.unwrap();
        let phone = store.add_device(&alice, Channel::Loopback, None, Wall(0)).await.unwrap();
        let told = [Channel::Loopback, Channel::WebPush].map(|channel| Arc::new(Told(channel)) as Arc<dyn PushChannel>);
        let push = Arc::new(Push::new("Example Corp", told.into()));
        let hears = Arc::new(Hears::default());
        let engine = Engine::start(Parts {
            law: Law { policy: Arc::new(policy), primaries: BTreeMap::new(), push },
            store: Arc::clone(&store),
            telemetry: Telemetry::new(),
            clock: Clock::begin(),
            tasks: TaskTracker::new(),
            stop: CancellationToken::new(),
            on_record: Box::new(|| {}),
            notices: Arc::<Hears>::clone(&hears),
        });
        Self { engine, store, hears, alice, phone, _directory: directory }
    }

    /// Alice's phone is our own page, too, which takes a number.
    async fn has_a_page(&self) {
        let new = NewActivation {
            user: self.alice.clone(),
            channel: Channel::WebPush,
            label: None,
            code: Secret::new("code"),
            server_key: None,
            lasts: Duration::from_secs(600),
            needs_test: false,
            devices_max: 5,
        };
        let device = self.store.begin_activation(new, Wall(0)).await.unwrap();
        let key = PhoneKey { spki: vec![1; 91], subscription: None, agent: None, label: None };
        self.store.bring_key(&device, &Secret::new("code"), key, Wall(0)).await.unwrap();
    }

    async fn rings(&self) -> PromptId {
        self.rung().await.prompt
    }

    async fn rung(&self) -> PagePrompt {
        let ring = RingForPage {
            user: self.alice.clone(),
            page: ClientName::new("portal"),
            key: rand::random(),
            address: None,
            only: None,
            without_pin: false,
            unproven: false,
        };
        self.engine.ring_for_page(ring).await.unwrap()
    }

    async fn says(&self, prompt: PromptId, answer: PhoneAnswer) -> Answered {
        self.engine.phone_answers(prompt, self.phone.clone(), answer, None).await.unwrap()
    }

    async fn unanswered(&self) -> u32 {
        self.store.show_user(&self.alice).await.unwrap().unwrap().pushes.unanswered
    }

    fn reports(&self) -> usize {
        self.hears.0.lock().unwrap().len()
    }
}

async fn comes(what: impl AsyncFn() -> bool) {
    let waits = async {
        while !what().await {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(GENEROUS, waits).await.expect("it never came");
}

#[tokio::test]
async fn what_a_phone_said_is_heard_also_if_its_connection_ends_before_the_reply() {
    let house = House::with_prompts_of(Duration::from_secs(120)).await;
    let prompt = house.rings().await;
    let said = house.engine.phone_answers(prompt, house.phone.clone(), PhoneAnswer::Fraud, None);
    // A handler whose connection ends is dropped where it waits.
    let mut said = Box::pin(said);
    assert!(matches!(said.as_mut().poll(&mut TaskContext::from_waker(Waker::noop())), Poll::Pending));
    drop(said);
    comes(async || house.reports() == 1 && house.engine.0.rung.is_empty()).await;
}

#[tokio::test]
async fn a_report_that_comes_too_late_for_its_login_is_told_all_the_same() {
    let house = House::with_prompts_of(Duration::from_secs(120)).await;
    let prompt = house.rings().await;
    assert_eq!(house.says(prompt, PhoneAnswer::Approve).await, Answered::Taken);
    house.engine.end_page_prompt(prompt).await;
    assert_eq!(house.says(prompt, PhoneAnswer::Fraud).await, Answered::TooLate);
    assert_eq!(house.reports(), 1);
    assert!(house.store.show_user(&house.alice).await.unwrap().unwrap().fraud_reported.is_some());
}

#[tokio::test]
async fn a_page_that_rang_and_went_another_way_counts_as_unanswered_and_one_that_was_approved_does_not() {
    let house = House::with_prompts_of(Duration::from_secs(120)).await;
    let prompt = house.rings().await;
    house.engine.end_page_prompt(prompt).await;
    assert_eq!(house.unanswered().await, 1, "rules D2");
    let prompt = house.rings().await;
    assert_eq!(house.says(prompt, PhoneAnswer::Approve).await, Answered::Taken);
    house.engine.end_page_prompt(prompt).await;
    assert_eq!(house.unanswered().await, 0);
}

#[tokio::test]
async fn nothing_is_left_of_the_prompt_of_a_page_that_was_closed_without_a_word() {
    let house = House::with_prompts_of(Duration::from_millis(200)).await;
    house.rings().await;
    comes(async || house.engine.0.rung.is_empty()).await;
    assert_eq!(house.unanswered().await, 1, "rules D2: it rang, and nobody answered");
}

#[tokio::test]
async fn a_page_shows_a_number_unless_the_site_wants_none() {
    for (plain_pages, shows) in [(false, true), (true, false)] {
        let house = House::under(Policy { plain_pages, ..Policy::default() }).await;
        house.has_a_page().await;
        assert_eq!(house.rung().await.asks.number != NumberMatch::Off, shows, "number is off: {plain_pages}");
    }
}

#[tokio::test]
async fn a_prompt_that_a_block_took_back_leaves_nothing_behind() {
    let house = House::with_prompts_of(Duration::from_secs(120)).await;
    let prompt = house.rings().await;
    house.engine.end_withdrawn().await;
    assert_eq!(house.engine.0.rung.len(), 1, "it is out");
    house.store.block_user(&house.alice, "lost laptop".into()).await.unwrap();
    house.engine.end_withdrawn().await;
    assert!(house.engine.0.rung.is_empty());
    assert_eq!(house.engine.page_prompt(prompt).await, PagePromptStatus::Ended);
}
