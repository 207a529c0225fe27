//! The phones' web service: the store app's one address, and our page with what it asks.
//!
//! What a stranger can cost is bounded: bodies, requests of one address, guesses at one device, lines that are held, and what is
//! remembered. A device that is unknown, has no key or signs badly gets one and the same answer, after the same work. A store
//! that can't be read answers nothing with yes (rules A5). Nothing here shows a credential, a number, a PIN or a key.

mod desk;
mod offers;
mod page;
mod pin;
mod store_app;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::routing::{get, post};
use login::{DeviceId, Number, PhoneAnswer, PromptId, ResolvedUser};
use tokio_util::sync::CancellationToken;

use super::shell::{self, Site};
use super::waiting::Waiting;
use crate::engine::{Arrivals, Clock, Engine};
use crate::enrolment::activation::PushUrl;
use crate::hashing::Hasher;
use crate::store::web::{Choices, Phones, Pins};
use crate::store::{Answered, Devices, SiteKeys, StoreFuture, Users};
use crate::telemetry::Telemetry;
use crate::web::{Bounds, bounded, patient, quick};

use desk::Desk;

/// Which push services a page may name: `[method.push] webpush_hosts` and `allow_private` (rules F6).
#[derive(Clone, Debug)]
pub struct PushServices {
    /// Hosts; a leading `*.` stands for any names.
    pub hosts: Vec<String>,
    /// They may live inside.
    pub allow_private: bool,
}

/// What the service asks of the store: devices with their keys, what is open for them, and PINs.
pub trait PhoneStore: Phones + Pins + Devices + Choices + SiteKeys + Users {}

impl<S: Phones + Pins + Devices + Choices + SiteKeys + Users> PhoneStore for S {}

/// Where an answer goes once it was verified: the engine, which has the store decide by compare-and-set (rules A8).
pub trait TakesAnswers: Send + Sync {
    /// A phone answers; `number` is what was entered or chosen on it.
    fn take(
        &self,
        prompt: PromptId,
        device: DeviceId,
        answer: PhoneAnswer,
        number: Option<Number>,
    ) -> StoreFuture<'_, Answered>;

    /// How many requests asked for the login that waits for this prompt, as far as is known here (rules B2).
    fn askers(&self, prompt: PromptId) -> u32;

    /// Hears of each change of this user's prompt; `None`: a line looks into the store now and then only.
    fn arrivals(&self, user: &ResolvedUser) -> Option<Arrivals>;
}

impl TakesAnswers for Engine {
    fn take(
        &self,
        prompt: PromptId,
        device: DeviceId,
        answer: PhoneAnswer,
        number: Option<Number>,
    ) -> StoreFuture<'_, Answered> {
        Box::pin(self.phone_answers(prompt, device, answer, number))
    }

    fn askers(&self, prompt: PromptId) -> u32 {
        self.askers_of(prompt)
    }

    fn arrivals(&self, user: &ResolvedUser) -> Option<Arrivals> {
        Some(Self::arrivals(self, user))
    }
}

/// What the service is made of.
pub struct PhoneRooms {
    /// Takes the answers: the engine.
    pub answers: Arc<dyn TakesAnswers>,
    /// Devices, keys and open prompts.
    pub store: Arc<dyn PhoneStore>,
    /// The house's clock.
    pub clock: Clock,
    /// Counts what changed nothing.
    pub telemetry: Telemetry,
    /// What the page says of its site.
    pub site: Site,
    /// The page's origin, as a browser writes it: `https://mfa.example.com`.
    pub origin: Arc<str>,
    /// The store app's address: [`PUSH_PATH`] at that origin.
    pub push_url: PushUrl,
    /// The lines that are held; the [`super::waiting::Bell`]s of the push channels ring them.
    pub waiting: Waiting,
    /// Digits of a PIN at least, and wrong ones in a row that lock it: `[method.push] pin`.
    pub pin: PinRule,
    /// Checks PINs beside the threads that serve.
    pub hasher: Hasher,
    /// How long a poll with nothing to show is held.
    pub holds: Holds,
    /// Where messages for a page may go.
    pub push_services: PushServices,
    /// Ends what is held when the server stops.
    pub stop: CancellationToken,
}

/// `[method.push] pin`.
#[derive(Clone, Copy, Debug)]
pub struct PinRule {
    /// Digits.
    pub length: u32,
    /// Wrong ones in a row that lock it.
    pub tries: u32,
}

/// Where the store app polls, enrols and answers.
pub const PUSH_PATH: &str = "/push";

/// Phones that hold a line at once.
pub const WAITING_MAX: usize = 4096;

/// How long a poll with nothing to show is held.
#[derive(Clone, Copy, Debug)]
pub struct Holds {
    /// The store app's, whose manual refresh shows a spinner meanwhile.
    pub store_app: Duration,
    /// Our page's.
    pub page: Duration,
}

impl Default for Holds {
    fn default() -> Self {
        Self { store_app: Duration::from_secs(10), page: Duration::from_secs(20) }
    }
}

/// A line looks into the store this often in any case: a prompt may have come by another node (rules G5).
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// The routes of phones: `/push` and `/phone/…`. Whoever serves them puts the [`crate::web::ClientAddress`] on each request
/// and the headers of pages on each answer.
pub fn router(rooms: PhoneRooms) -> Router {
    let site = rooms.site.clone();
    let desk = Arc::new(Desk::new(rooms));
    let small = Bounds { body_max: super::page::BODY_OCTETS_MAX, ..Bounds::default() };
    let acts = Router::new()
        .route("/phone/api/enrol", post(page::enrol))
        .route("/phone/api/answer", post(page::answer))
        .route("/phone/api/subscription", post(page::subscribe))
        .route("/phone/api/leave", post(page::leave))
        .with_state(Arc::clone(&desk));
    let polls = Router::new()
        .route("/phone/api/poll", post(page::poll))
        .route(PUSH_PATH, get(store_app::poll))
        .with_state(Arc::clone(&desk));
    let posts = Router::new().route(PUSH_PATH, post(store_app::post)).with_state(desk);
    bounded(acts, small).merge(patient(polls)).merge(quick(posts)).merge(quick(shell::routes(site)))
}
