//! What the doors lead to: the user's pages and the phones' service behind the portal's, the staff's pages behind the other.
//!
//! The portal's door can't reach a route of the staff's, for it is never given one. Rooms read the configuration in force at each request;
//! the phones' service, which is built from a part of it, is built anew when that part changes, and the lines that phones hold
//! stay held.

use std::sync::Arc;

use arc_swap::ArcSwap;
use axum::Router;
use axum::extract::Request;
use axum::routing::any;
use hyper::service::Service as _;
use hyper_util::service::TowerToHyperService;
use tokio_util::sync::CancellationToken;

use super::StartError;
use crate::config::{Config, PinConfig, PortalConfig, PublicUrl, Titles};
use crate::engine::{Clock, Engine};
use crate::enrolment::activation::PushUrl;
use crate::hashing::Hasher;
use crate::phone::shell::Site;
use crate::phone::waiting::Waiting;
use crate::phone::{Holds, PUSH_PATH, PhoneRooms, PinRule, PushServices};
use crate::store::Sqlite;
use crate::telemetry::Telemetry;

/// The configuration in force, read anew for each request.
#[derive(Clone)]
pub(super) struct InForceConfig(Arc<ArcSwap<Config>>);

impl InForceConfig {
    pub(super) fn new(config: Config) -> Self {
        Self(Arc::new(ArcSwap::from_pointee(config)))
    }

    /// As it is now.
    pub(super) fn get(&self) -> Arc<Config> {
        self.0.load_full()
    }

    /// Another one is in force.
    pub(super) fn take(&self, config: Config) {
        self.0.store(Arc::new(config));
    }

    /// For rooms, which ask at each request.
    pub(super) fn handle(&self) -> Arc<dyn Fn() -> Arc<Config> + Send + Sync> {
        let config = self.clone();
        Arc::new(move || config.get())
    }
}

/// What phones are shown and asked by: what their service is built from.
#[derive(Clone, Debug, PartialEq, Eq)]
struct PhoneWords {
    account: Arc<str>,
    help_desk: Arc<str>,
    titles: Titles,
    vapid: Option<[u8; 65]>,
    pin: PinConfig,
    hosts: Vec<Arc<str>>,
    allow_private: bool,
}

impl PhoneWords {
    fn of(config: &Config, vapid: Option<[u8; 65]>) -> Self {
        let help_desk = config.portal.as_ref().and_then(|portal| portal.help_desk.clone());
        Self {
            account: Arc::clone(&config.account_name),
            help_desk: help_desk.unwrap_or_default(),
            titles: config.titles.clone(),
            vapid,
            pin: config.push.pin,
            hosts: config.push.webpush_hosts.clone(),
            allow_private: config.push.allow_private,
        }
    }
}

/// The phones' service that is in force, behind routes that stay.
#[derive(Clone)]
pub(super) struct PhoneDesk(Arc<Inner>);

struct Inner {
    surroundings: PhoneSurroundings,
    url: PublicUrl,
    push_url: PushUrl,
    now: ArcSwap<(PhoneWords, Router)>,
}

/// What the phones' service works with, whatever the configuration says.
#[derive(Clone)]
pub(super) struct PhoneSurroundings {
    pub(super) store: Arc<Sqlite>,
    pub(super) engine: Engine,
    pub(super) clock: Clock,
    pub(super) telemetry: Telemetry,
    pub(super) waiting: Waiting,
    pub(super) hasher: Hasher,
    pub(super) stop: CancellationToken,
}

impl PhoneDesk {
    /// The service of this configuration, at the portal's address as it is now: that one stays.
    pub(super) fn open(
        surroundings: PhoneSurroundings,
        portal: &PortalConfig,
        config: &Config,
        vapid: Option<[u8; 65]>,
    ) -> Result<Self, StartError> {
        let url = portal.pages.url.clone();
        let push_url = PushUrl::parse(&format!("{url}{PUSH_PATH}"))
            .map_err(|why| StartError::Push(format!("[portal] url = \"{url}\": {why}")))?;
        let words = PhoneWords::of(config, vapid);
        let service = service(&surroundings, &url, &push_url, &words);
        Ok(Self(Arc::new(Inner { surroundings, url, push_url, now: ArcSwap::from_pointee((words, service)) })))
    }

    /// Another configuration is in force.
    pub(super) fn take(&self, config: &Config, vapid: Option<[u8; 65]>) {
        let words = PhoneWords::of(config, vapid);
        if self.0.now.load().0 != words {
            let service = service(&self.0.surroundings, &self.0.url, &self.0.push_url, &words);
            self.0.now.store(Arc::new((words, service)));
        }
    }

    /// Its routes, and no others.
    pub(super) fn routes(&self) -> Router {
        let serve = || {
            let desk = self.clone();
            any(move |request: Request| {
                let service = desk.0.now.load().1.clone();
                async move { TowerToHyperService::new(service).call(request).await }
            })
        };
        Router::new()
            .route(PUSH_PATH, serve())
            .route("/phone", serve())
            .route("/phone/", serve())
            .route("/phone/{*rest}", serve())
    }
}

fn service(around: &PhoneSurroundings, url: &PublicUrl, push_url: &PushUrl, words: &PhoneWords) -> Router {
    crate::phone::router(PhoneRooms {
        answers: Arc::new(around.engine.clone()),
        store: Arc::<Sqlite>::clone(&around.store),
        clock: around.clock,
        telemetry: around.telemetry.clone(),
        site: Site {
            account: Arc::clone(&words.account),
            help_desk: Arc::clone(&words.help_desk),
            titles: words.titles.clone(),
            application_server_key: words.vapid,
        },
        origin: url.as_str().into(),
        push_url: push_url.clone(),
        waiting: around.waiting.clone(),
        pin: PinRule { length: words.pin.length, tries: words.pin.tries },
        hasher: around.hasher.clone(),
        holds: Holds::default(),
        push_services: PushServices {
            hosts: words.hosts.iter().map(ToString::to_string).collect(),
            allow_private: words.allow_private,
        },
        stop: around.stop.clone(),
    })
}
