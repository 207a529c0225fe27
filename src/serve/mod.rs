//! The composition root: builds the rooms from a configuration, starts them, reloads, drains and ends them.
//!
//! It owns every task through one tracker (design: one task owner). Stopping goes from the outside in: new logins are
//! refused, held ones have their time, sockets are read no more and close once all are answered, then the store. It decides nothing about a login.

mod build;
pub mod control;
pub(crate) mod descriptors;
mod desk;
pub(crate) mod doubts;
pub mod names;
mod notices;
pub mod ops;
mod pages;
mod post;
mod reload;
mod room_left;
mod rooms;
mod silence;
mod sockets;
mod store_upkeep;

use std::future::Future;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use login::Tick;
use tokio::net::TcpListener;
use tokio::sync::{Notify, mpsc};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::admin::AdminParts;
use crate::audit::{Feeder, FileSink};
use crate::client::{Bounds, Gate, GateOptions};
use crate::config::{Config, PagesConfig, Severity};
use crate::engine::{Clock, Engine, Parts};
use crate::factor::push::PushChannel;
use crate::listen::{BindError, Listener};
use crate::mail;
use crate::phone::WAITING_MAX;
use crate::phone::waiting::Waiting;
use crate::store::{CommitMeter, KeyError, Records, Sqlite, SqliteOptions, Store, StoreError, StoreKey};
use crate::telemetry::pulse::BEAT_EVERY;
use crate::telemetry::{CertificateEnds, Committed, Started, Stopping, StoreTrouble, Telemetry};
use crate::web::{CertificateTrouble, DoorLimits};

use crate::portal::PortalParts;
use crate::sign_in::{SignIn, SignInParts};
pub(crate) use build::rehearse;
use build::{InForce, Workshop};
use control::{Asked, Control};
use descriptors::{Descriptors, Shares};
use desk::Desk;
use notices::Mailing;
use ops::{Part, Readiness};
use pages::{OpenDoor, Threshold};
use post::{Outbox, PostOffice};
use rooms::{InForceConfig, PhoneDesk, PhoneSurroundings};
use store_upkeep::StoreUpkeep;

/// Metrics are drained this often (dependencies of the exporter), and learned stances read again.
const UPKEEP_EVERY: Duration = Duration::from_secs(5);
/// What ends with the days is told so often.
const DOUBTS_EVERY: Duration = Duration::from_secs(86_400);
/// Silent phones are looked for this often.
const SILENCE_EVERY: Duration = Duration::from_secs(60);
/// Answers for retransmits are forgotten this often.
const SWEEP_EVERY: Duration = Duration::from_secs(1);
/// The last answers have so long to leave after the drain: a release that the store is writing down is waited for.
const DOORS_CLOSE_WITHIN: Duration = Duration::from_secs(5);
/// Tasks have so long to end after that.
const TASKS_END_WITHIN: Duration = Duration::from_secs(5);

/// Why a server does not start; each says what to do.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The key of the store.
    #[error("{0}")]
    Key(#[from] KeyError),
    /// The store.
    #[error("{0}")]
    Store(#[from] StoreError),
    /// A RADIUS socket.
    #[error("{0}")]
    Bind(#[from] BindError),
    /// More than one socket, a line each.
    #[error("{0}")]
    Sockets(String),
    /// The address for metrics and health.
    #[error("[metrics] listen = \"{address}\": {why}; choose another address, or end the program that has it")]
    Metrics {
        /// Which address.
        address: SocketAddr,
        /// What the system said.
        why: std::io::Error,
    },
    /// The socket of the portal or of the admin pages.
    #[error("[{name}] listen = \"{address}\": {why}; choose another address, or end the program that has it{}", low_port(*address))]
    Pages {
        /// Which pages.
        name: &'static str,
        /// Which address.
        address: SocketAddr,
        /// What the system said.
        why: std::io::Error,
    },
    /// The certificate of the portal or of the admin pages.
    #[error("[{name}] tls: {trouble}")]
    Certificate {
        /// Which pages.
        name: &'static str,
        /// What is wrong with it.
        trouble: CertificateTrouble,
    },
    /// A push channel.
    #[error("{0}")]
    Push(String),
    /// `[mail]`.
    #[error("{0}")]
    Mail(String),
    /// A mistake of ours, or a system without randomness.
    #[error("{0}")]
    Ours(String),
}

/// What a server may be given beside its configuration; `serve` gives nothing.
#[derive(Default)]
pub struct Extras {
    /// More ways to a phone: the demo's, on loopback.
    pub channels: Vec<Arc<dyn PushChannel>>,
}

/// A server that runs.
pub struct Server {
    config: InForceConfig,
    in_force: InForce,
    workshop: Workshop,
    gate: Arc<Gate>,
    engine: Engine,
    store: Arc<dyn Store>,
    phones: Option<PhoneDesk>,
    post_office: Arc<PostOffice>,
    telemetry: Telemetry,
    readiness: Readiness,
    clock: Clock,
    tasks: TaskTracker,
    /// Ends the reading of the sockets.
    listening: CancellationToken,
    /// One for each socket: ends with its last answer.
    doors: Vec<JoinHandle<()>>,
    /// Ends everything else.
    stop: CancellationToken,
    radius: Vec<SocketAddr>,
    metrics: SocketAddr,
    portal: Option<OpenDoor>,
    admin: Option<OpenDoor>,
    shares: Shares,
    /// When it was told last that the disk fills.
    told_of_disk: Arc<Mutex<Option<Tick>>>,
    /// Who asks over the socket beside the store; handed out once.
    asked: Option<mpsc::Receiver<Asked>>,
}

impl Server {
    /// Builds and starts everything; nothing runs if anything fails.
    ///
    /// # Errors
    /// What keeps it from starting, and what to do about it.
    pub async fn start(config: Config, extras: Extras) -> Result<Self, StartError> {
        let in_force_config = InForceConfig::new(config);
        let config = in_force_config.get();
        let descriptors = Descriptors::now();
        if let Some(shortage) = descriptors.shortage().filter(|_| config.portal.is_some()) {
            tracing::warn!("{shortage}");
        }
        let clock = Clock::begin();
        let telemetry = Telemetry::new();
        let sqlite = open_store(&config, clock, &telemetry)?;
        let store: Arc<dyn Store> = Arc::<Sqlite>::clone(&sqlite);
        let post_office = Arc::new(PostOffice::default());
        post_office.take(post::smtp(&config)?);
        let nobody_wrote = config.settings.nobody_wrote("radius.listen");
        sockets::all_free(&config, nobody_wrote, &telemetry)?;
        let listeners = sockets::bind("RADIUS", &config.radius_listen, nobody_wrote, &telemetry)?;
        let accounting = sockets::bind("RADIUS accounting", &config.radius_accounting, false, &telemetry)?;
        let metrics_listener = bind_metrics(config.metrics_listen).await?;
        let (tasks, listening, stop) = (TaskTracker::new(), CancellationToken::new(), CancellationToken::new());
        let workshop = Workshop {
            store: Arc::clone(&store),
            telemetry: telemetry.clone(),
            clock,
            tasks: tasks.clone(),
            stop: stop.clone(),
            channels: extras.channels,
            hasher: build::hasher(),
            portal: config.portal.as_ref().map(|portal| portal.pages.url.clone()),
            waiting: Waiting::new(WAITING_MAX),
        };
        let mut in_force = InForce::default();
        let law = workshop.law(&config, &mut in_force).await?;
        let recorded = Arc::new(Notify::new());
        let on_record = Arc::clone(&recorded);
        let engine = Engine::start(Parts {
            law,
            store: Arc::clone(&store),
            telemetry: telemetry.clone(),
            clock,
            tasks: tasks.clone(),
            stop: stop.clone(),
            on_record: Box::new(move || on_record.notify_one()),
            notices: Arc::new(Mailing::of(in_force_config.clone(), Arc::clone(&store), tasks.clone())),
        });
        let gate =
            Arc::new(Gate::new(&config.clients, gate_options(&config, &store, &engine, &telemetry, clock, &tasks)));
        let around = PhoneSurroundings {
            store: sqlite,
            engine: engine.clone(),
            clock,
            telemetry: telemetry.clone(),
            waiting: workshop.waiting.clone(),
            hasher: workshop.hasher.clone(),
            stop: stop.clone(),
        };
        let phones = match &config.portal {
            Some(portal) => Some(PhoneDesk::open(around, portal, &config, in_force.vapid())?),
            None => None,
        };
        let mut server = Self {
            radius: listeners.iter().map(Listener::local_addr).collect(),
            metrics: metrics_listener.local_addr().unwrap_or(config.metrics_listen),
            config: in_force_config,
            in_force,
            workshop,
            gate,
            engine,
            store,
            phones,
            post_office,
            telemetry,
            readiness: Readiness::new(),
            clock,
            tasks,
            listening,
            doors: Vec::new(),
            stop,
            portal: None,
            admin: None,
            shares: descriptors.shares(),
            told_of_disk: Arc::default(),
            asked: None,
        };
        server.take_learned().await;
        if let Err(error) = server.open_pages().await {
            // Nothing runs if anything fails.
            server.stop.cancel();
            return Err(error);
        }
        server.hear_commands();
        server.open(listeners, accounting, metrics_listener, recorded);
        Ok(server)
    }

    /// What commands on this host ask, for whoever owns this server to answer; to be taken once.
    pub fn asked(&mut self) -> Option<mpsc::Receiver<Asked>> {
        self.asked.take()
    }

    /// A server without the socket is no less a server: it hears signals.
    fn hear_commands(&mut self) {
        match Control::open(&self.config.get().store.file) {
            Ok(control) => {
                let (sender, asked) = mpsc::channel(1);
                self.asked = Some(asked);
                self.tasks.spawn(control.run(sender, self.tasks.clone(), self.stop.clone()));
            }
            Err(why) => tracing::warn!("{why}"),
        }
    }

    /// The RADIUS addresses, with the ports that the system chose where the configuration said 0.
    #[must_use]
    pub fn radius(&self) -> &[SocketAddr] {
        &self.radius
    }

    /// The address of metrics and health.
    #[must_use]
    pub fn metrics(&self) -> SocketAddr {
        self.metrics
    }

    /// The address of the portal and the phones' service, where they are served.
    #[must_use]
    pub fn portal(&self) -> Option<SocketAddr> {
        self.portal.as_ref().map(OpenDoor::at)
    }

    /// The address of the admin pages, where they are served.
    #[must_use]
    pub fn admin(&self) -> Option<SocketAddr> {
        self.admin.as_ref().map(OpenDoor::at)
    }

    /// The engine: the demo's phone answers through it.
    #[must_use]
    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    /// What lasts.
    #[must_use]
    pub fn store(&self) -> &Arc<dyn Store> {
        &self.store
    }

    /// What is counted.
    #[must_use]
    pub fn telemetry(&self) -> &Telemetry {
        &self.telemetry
    }

    /// The house's clock.
    #[must_use]
    pub fn clock(&self) -> Clock {
        self.clock
    }

    /// Stops from the outside in: held logins have `drain_within` to finish, then a Reject (G3). A socket closes only when
    /// whoever was let in by it is answered.
    pub async fn stop(self) {
        let within = self.config.get().policy.limits.drain_within;
        self.telemetry.emit(Stopping { held: self.engine.held(), within });
        self.readiness.stops();
        self.engine.drain(within).await;
        self.close_doors().await;
        self.tasks.close();
        // The last refusals are being written down; their answers left already.
        self.clock.wait(Duration::from_millis(100)).await;
        self.stop.cancel();
        tokio::select! {
            () = self.tasks.wait() => {}
            () = self.clock.wait(TASKS_END_WITHIN) => {
                tracing::warn!("some tasks did not end in time; what they had committed is safe");
            }
        }
    }

    /// The doors of the portal and of the admin pages.
    async fn open_pages(&mut self) -> Result<(), StartError> {
        let config = self.config.get();
        if let Some(portal) = &config.portal {
            let door = self.threshold("portal", &portal.pages, self.shares.outside());
            self.portal = Some(door.open(self.portal_rooms()).await?);
        }
        if let Some(admin) = &config.admin {
            let door = self.threshold(
                "admin",
                &admin.pages,
                DoorLimits { connection_within: Some(Duration::from_secs(600)), ..self.shares.inside() },
            );
            self.admin = Some(door.open(self.admin_rooms()).await?);
        }
        Ok(())
    }

    /// What the internet may see: the user's pages and the phones' service.
    fn portal_rooms(&self) -> Router {
        let phones = self.phones.as_ref().map_or_else(Router::new, PhoneDesk::routes);
        let portal = crate::portal::router(PortalParts {
            store: Arc::clone(&self.store),
            engine: self.engine.clone(),
            config: self.config.handle(),
            sign_in: self.sign_in(),
            clock: self.clock,
            hasher: self.workshop.hasher.clone(),
        });
        phones.merge(portal)
    }

    /// What is inside only: the staff's pages.
    fn admin_rooms(&self) -> Router {
        crate::admin::router(AdminParts {
            store: Arc::clone(&self.store),
            engine: self.engine.clone(),
            config: self.config.handle(),
            sign_in: self.sign_in(),
            clock: self.clock,
            telemetry: self.telemetry.clone(),
            hasher: self.workshop.hasher.clone(),
        })
    }

    /// The doors of one room's pages. Each has its own, so that what strangers try at the portal keeps no staff out.
    fn sign_in(&self) -> SignIn {
        SignIn::new(SignInParts {
            store: Arc::clone(&self.store),
            engine: self.engine.clone(),
            config: self.config.handle(),
            clock: self.clock,
            telemetry: self.telemetry.clone(),
        })
    }

    fn threshold<'a>(&self, name: &'static str, config: &'a PagesConfig, limits: DoorLimits) -> Threshold<'a> {
        Threshold {
            name,
            config,
            limits,
            shelf: crate::web::acme::shelf_beside(&self.config.get().store.file),
            telemetry: self.telemetry.clone(),
            clock: self.clock,
            tasks: self.tasks.clone(),
            stop: self.stop.clone(),
        }
    }

    /// The reading ends first, so that nobody comes after the last look at who waits.
    async fn close_doors(&self) {
        self.listening.cancel();
        let end = self.clock.tick().plus(DOORS_CLOSE_WITHIN);
        while self.doors.iter().any(|door| !door.is_finished()) {
            if self.clock.tick() >= end {
                return tracing::warn!("the store did not answer in time, so some requests got no answer");
            }
            self.engine.dismiss();
            self.clock.wait(Duration::from_millis(10)).await;
        }
    }

    /// Sockets begin to be read, pages to be served, sinks to be fed.
    fn open(
        &mut self,
        listeners: Vec<Listener>,
        accounting: Vec<Listener>,
        metrics_listener: TcpListener,
        recorded: Arc<Notify>,
    ) {
        for listener in listeners {
            let desk = Desk::new(Arc::clone(&self.gate), self.engine.clone(), self.clock, listener.replier());
            let run = crate::listen::run(listener, move |datagram| desk.take(datagram), self.listening.clone());
            self.doors.push(self.tasks.spawn(run));
        }
        for listener in accounting {
            let desk = Desk::new(Arc::clone(&self.gate), self.engine.clone(), self.clock, listener.replier());
            let run = crate::listen::run(listener, move |datagram| desk.take_account(datagram), self.listening.clone());
            self.doors.push(self.tasks.spawn(run));
        }
        let (telemetry, readiness) = (self.telemetry.clone(), self.readiness.clone());
        self.tasks.spawn(ops::serve(metrics_listener, self.shares.inside(), telemetry, readiness, self.stop.clone()));
        let config = self.config.get();
        if let Some(file) = &config.audit.file {
            let sink = FileSink::new(file.clone());
            let records: Arc<dyn Records> = Arc::<dyn Store>::clone(&self.store);
            let feeder = Feeder::new(records, sink, Arc::clone(&recorded), self.telemetry.clone());
            self.tasks.spawn(feeder.run(self.stop.clone()));
        }
        self.keep_up(recorded);
        self.deliver_letters();
        self.look_at_the_calendar();
        for part in Part::ALL {
            self.readiness.stands(part);
        }
        self.telemetry.emit(Started {
            radius: &self.radius,
            metrics: Some(self.metrics),
            clients: config.clients.len(),
            rules: config.policy.rules.len(),
        });
    }

    /// What must be done every second and every five.
    fn keep_up(&self, recorded: Arc<Notify>) {
        let (gate, clock, telemetry) = (Arc::clone(&self.gate), self.clock, self.telemetry.clone());
        let upkeep = self.store_upkeep();
        let pulse = self.telemetry.pulse().clone();
        self.every(BEAT_EVERY, move || {
            pulse.beat(clock.tick());
            std::future::ready(())
        });
        self.every(SWEEP_EVERY, move || {
            gate.sweep(clock.moment());
            std::future::ready(())
        });
        self.every(UPKEEP_EVERY, move || {
            telemetry.upkeep(clock.tick());
            recorded.notify_one();
            let upkeep = upkeep.clone();
            async move { upkeep.look().await }
        });
    }

    /// Letters leave, and silent phones are told of.
    fn deliver_letters(&self) {
        let outbox = Arc::new(Outbox::new(Arc::clone(&self.store), self.telemetry.clone()));
        let courier = Arc::<PostOffice>::clone(&self.post_office);
        let run = mail::run(outbox, courier, Arc::new(self.clock), self.telemetry.clone(), self.stop.clone());
        self.tasks.spawn(run);
        let (store, config, clock, telemetry) =
            (Arc::clone(&self.store), self.config.clone(), self.clock, self.telemetry.clone());
        self.every(SILENCE_EVERY, move || {
            let (store, config, telemetry) = (Arc::clone(&store), config.get(), telemetry.clone());
            async move {
                if let Err(error) = silence::tell(&store, &config, clock.moment().wall).await {
                    telemetry.emit(StoreTrouble { doing: "looking for silent phones", error: &error });
                }
            }
        });
    }

    /// What goes wrong by itself, told at the start and once a day.
    fn look_at_the_calendar(&self) {
        let (config, clock, telemetry) = (self.config.clone(), self.clock, self.telemetry.clone());
        for doubt in doubts::of_groups(&config.get()) {
            tracing::warn!("configuration: {}", doubt.text);
        }
        self.every(DOUBTS_EVERY, move || {
            let config = config.get();
            for (key, until) in doubts::ends(&config) {
                telemetry.emit(CertificateEnds { key, until });
            }
            for doubt in doubts::of_days(&config, clock.moment().wall) {
                match doubt.severity {
                    Severity::Error => tracing::error!("configuration: {}", doubt.text),
                    Severity::Warning => tracing::warn!("configuration: {}", doubt.text),
                }
            }
            std::future::ready(())
        });
    }

    fn every<F>(&self, period: Duration, mut work: impl FnMut() -> F + Send + 'static)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let (clock, stop) = (self.clock, self.stop.clone());
        self.tasks.spawn(async move {
            loop {
                work().await;
                tokio::select! {
                    () = clock.wait(period) => {}
                    () = stop.cancelled() => return,
                }
            }
        });
    }

    async fn take_learned(&self) {
        self.store_upkeep().look().await;
    }

    fn store_upkeep(&self) -> StoreUpkeep {
        StoreUpkeep {
            store: Arc::clone(&self.store),
            gate: Arc::clone(&self.gate),
            engine: self.engine.clone(),
            readiness: self.readiness.clone(),
            telemetry: self.telemetry.clone(),
            clock: self.clock,
            config: self.config.handle(),
            told_at: Arc::clone(&self.told_of_disk),
        }
    }
}

fn open_store(config: &Config, clock: Clock, telemetry: &Telemetry) -> Result<Arc<Sqlite>, StartError> {
    let key = StoreKey::open(&config.store.key_file)?;
    let telemetry = telemetry.clone();
    let meter = CommitMeter {
        clock: Box::new(move || clock.tick().since(Tick::default())),
        committed: Box::new(move |took, _| telemetry.emit(Committed { took })),
    };
    let url = format!("sqlite:{}", config.store.file.display());
    let store = Sqlite::open(&url, &key, SqliteOptions { meter: Some(meter), ..SqliteOptions::default() })?;
    Ok(Arc::new(store))
}

async fn bind_metrics(address: SocketAddr) -> Result<TcpListener, StartError> {
    TcpListener::bind(address).await.map_err(|why| StartError::Metrics { address, why })
}

/// Ports below 1024 are the system's.
fn low_port(address: SocketAddr) -> &'static str {
    if address.port() < 1024 {
        "; a port below 1024 needs CAP_NET_BIND_SERVICE, or forward it to a higher one"
    } else {
        ""
    }
}

fn gate_options(
    config: &Config,
    store: &Arc<dyn Store>,
    engine: &Engine,
    telemetry: &Telemetry,
    clock: Clock,
    tasks: &TaskTracker,
) -> GateOptions {
    let engine = engine.clone();
    let (store, tasks, doing) = (Arc::clone(store), tasks.clone(), telemetry.clone());
    GateOptions {
        bounds: Bounds::default(),
        bare_failures_per_minute: config.policy.limits.bare_failures_per_minute,
        on_learned: Box::new(move |client| {
            let (store, client, telemetry) = (Arc::clone(&store), client.clone(), doing.clone());
            tasks.spawn(async move {
                if let Err(error) = store.learn_stance(&client, clock.moment().wall).await {
                    telemetry.emit(StoreTrouble { doing: "keeping what was learned of a client", error: &error });
                }
            });
        }),
        can_check: Box::new(move |client| engine.can_check(client)),
        telemetry: telemetry.clone(),
    }
}
