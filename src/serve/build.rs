//! From a configuration to what is in force: primaries, push channels, the law. Nothing here is running yet but the
//! primaries' look-ups; nothing is half built when something fails.

use std::collections::BTreeMap;
use std::sync::Arc;

use login::PrimaryName;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use wire::Demand;

use crate::config::{Config, PrimaryConfig, Stance};
use crate::engine::{Clock, Law};
use crate::factor::push::{Push, PushChannel};
use crate::primary::radius::{RadiusSettings, Surroundings};
use crate::primary::{Local, Primary, PrimaryObserver, Radius};
use crate::store::Store;
use crate::telemetry::Telemetry;

use super::StartError;
use super::observe::Observer;

/// The name of the primary that is built in.
const LOCAL: &str = "local";

/// Hashing threads for local passwords: one a core would starve the others (rules G1).
fn hashing_threads() -> usize {
    std::thread::available_parallelism().map_or(1, |cores| cores.get().div_ceil(2))
}

/// What a law is built with.
#[derive(Clone)]
pub(super) struct Workshop {
    pub(super) store: Arc<dyn Store>,
    pub(super) telemetry: Telemetry,
    pub(super) clock: Clock,
    pub(super) tasks: TaskTracker,
    pub(super) stop: CancellationToken,
    /// Channels beside the configured ones: the demo's phone on loopback. `serve` has none (rules F5).
    pub(super) channels: Vec<Arc<dyn PushChannel>>,
}

/// Primaries that run, with what they were built from, so that a reload keeps those that did not change.
#[derive(Default)]
pub(super) struct Primaries {
    running: BTreeMap<PrimaryName, Running>,
    local: Option<Arc<dyn Primary>>,
}

struct Running {
    config: PrimaryConfig,
    primary: Arc<dyn Primary>,
    stop: CancellationToken,
}

impl Workshop {
    /// The law of this configuration; primaries that did not change go on.
    pub(super) async fn law(&self, config: &Config, primaries: &mut Primaries) -> Result<Law, StartError> {
        let push = self.push(config)?;
        let by_name = self.primaries(config, primaries).await?;
        Ok(Law { policy: Arc::clone(&config.policy), primaries: by_name, push: Arc::new(push) })
    }

    async fn primaries(
        &self,
        config: &Config,
        before: &mut Primaries,
    ) -> Result<BTreeMap<PrimaryName, Arc<dyn Primary>>, StartError> {
        let mut running = BTreeMap::new();
        for wanted in &config.primaries {
            let kept = before.running.remove(&wanted.name).filter(|old| old.config == *wanted);
            let next = match kept {
                Some(kept) => kept,
                None => self.radius(config, wanted).await,
            };
            running.insert(wanted.name.clone(), next);
        }
        // Questions under way keep their primary alive; its sockets end with the last of them.
        before.running.values().for_each(|gone| gone.stop.cancel());
        before.running = running;
        let local = match &before.local {
            Some(local) => Arc::clone(local),
            None => self.local()?,
        };
        before.local = Some(Arc::clone(&local));
        let named = before.running.iter().map(|(name, running)| (name.clone(), Arc::clone(&running.primary)));
        Ok(named.chain([(PrimaryName::new(LOCAL), local)]).collect())
    }

    async fn radius(&self, config: &Config, wanted: &PrimaryConfig) -> Running {
        let stop = self.stop.child_token();
        let demand = match wanted.stance {
            Stance::Yes => Demand::Required,
            Stance::Auto | Stance::No => Demand::IfPresent,
        };
        let settings = RadiusSettings {
            name: wanted.name.clone(),
            servers: wanted.servers.iter().map(server_address).collect(),
            secret: wanted.secret.clone(),
            demand,
            realms: config.policy.realms.clone(),
        };
        let observer: Arc<dyn PrimaryObserver> = Arc::new(Observer::new(&self.telemetry, &wanted.name));
        let surroundings =
            Surroundings { clock: Arc::new(self.clock), observer, tracker: self.tasks.clone(), cancel: stop.clone() };
        let primary = Radius::start(settings, surroundings).await;
        Running { config: wanted.clone(), primary: Arc::new(primary), stop }
    }

    fn local(&self) -> Result<Arc<dyn Primary>, StartError> {
        let name = PrimaryName::new(LOCAL);
        let observer: Arc<dyn PrimaryObserver> = Arc::new(Observer::new(&self.telemetry, &name));
        let local = Local::new(name, Arc::new(Arc::clone(&self.store)), Arc::new(self.clock), observer, hashing_threads());
        Ok(Arc::new(local.map_err(|error| StartError::Ours(error.to_string()))?))
    }

    fn push(&self, config: &Config) -> Result<Push, StartError> {
        let mut channels = self.channels.clone();
        if let Some(webhook) = &config.push.webhook {
            channels.push(super::observe::webhook(webhook, &self.telemetry)?);
        }
        Ok(Push::new(Arc::clone(&config.account_name), channels))
    }
}

fn server_address(address: &crate::config::ServerAddress) -> crate::primary::radius::ServerAddress {
    use crate::config::Host as From;
    use crate::primary::radius::Host as To;
    let host = match &address.host {
        From::Address(ip) => To::Address(*ip),
        From::Name(name) => To::Name(name.to_string()),
    };
    crate::primary::radius::ServerAddress { host, port: address.port }
}
