//! From a configuration to what is in force: primaries, push channels, the law. Nothing here is running yet but the
//! primaries' look-ups; nothing is half built when something fails.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use login::PrimaryName;
use login::name::Realms;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use wire::Demand;

use crate::config::{Config, PrimaryConfig, PublicUrl, PushConfig, PushWay, Stance, WebhookConfig};
use crate::engine::{Clock, Law};
use crate::factor::push::{OnGone, Push, PushChannel, WebPush, WebPushSettings, Webhook, WebhookSettings};
use crate::hashing::Hasher;
use crate::phone::waiting::{Bell, Waiting};
use crate::primary::radius::{RadiusSettings, Surroundings};
use crate::primary::{Local, Primary, PrimaryObserver, Radius, StorePasswords, Told, by_the_system};
use crate::store::Store;
use crate::telemetry::{StoreTrouble, Telemetry};

use super::StartError;

/// The name of the primary that is built in.
const LOCAL: &str = "local";

/// Hashing threads for local passwords: one a core would starve the others (rules G1).
pub(super) fn hasher() -> Hasher {
    Hasher::new(std::thread::available_parallelism().map_or(1, |cores| cores.get().div_ceil(2)))
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
    /// Checks passwords and PINs beside the threads that serve.
    pub(super) hasher: Hasher,
    /// The portal's address, as it was at the start: phones come there. Without it none has a key of its own.
    pub(super) portal: Option<PublicUrl>,
    /// The lines that phones hold: a prompt releases them.
    pub(super) waiting: Waiting,
}

/// What runs, so that a reload keeps what did not change.
#[derive(Default)]
pub(super) struct InForce {
    primaries: Primaries,
    phones: Phones,
}

/// The ways to a phone, with the settings that they were built from.
#[derive(Default)]
struct Phones(Option<(PhoneSettings, Arc<Push>)>, Option<[u8; 65]>);

impl InForce {
    /// The key that pages bind their subscriptions to (RFC 8292 §3.2); `None`: no Web Push here.
    pub(super) fn vapid(&self) -> Option<[u8; 65]> {
        self.phones.1
    }
}

/// `[method.push]`, what a phone shows for an account, and what stands in `webpush_ca` and the webhook's `ca`: a reload reads
/// those anew.
type PhoneSettings = (PushConfig, Arc<str>, Option<Vec<u8>>, Option<Vec<u8>>);

/// Primaries that run, with what they were built from, so that a reload keeps those that did not change.
#[derive(Default)]
struct Primaries {
    running: BTreeMap<PrimaryName, Running>,
    local: Option<Arc<dyn Primary>>,
}

struct Running {
    config: PrimaryConfig,
    /// How it folds a User-Name in an Accept: another table is another primary.
    realms: Realms,
    primary: Arc<dyn Primary>,
    stop: CancellationToken,
}

impl Workshop {
    /// The law of this configuration; primaries that did not change go on.
    pub(super) async fn law(&self, config: &Config, running: &mut InForce) -> Result<Law, StartError> {
        let push = self.push(config, &mut running.phones)?;
        let primaries = self.primaries(config, &mut running.primaries).await?;
        Ok(Law { policy: Arc::clone(&config.policy), primaries, push })
    }

    async fn primaries(
        &self,
        config: &Config,
        before: &mut Primaries,
    ) -> Result<BTreeMap<PrimaryName, Arc<dyn Primary>>, StartError> {
        let mut running = BTreeMap::new();
        for wanted in &config.primaries {
            let kept = before.running.remove(&wanted.name);
            let kept = kept.filter(|old| old.config == *wanted && old.realms == config.policy.realms);
            let next = match kept {
                Some(kept) => {
                    kept.primary.look_again();
                    kept
                }
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
            servers: wanted.servers.clone(),
            secret: wanted.secret.clone(),
            demand,
            realms: config.policy.realms.clone(),
            tells_user: wanted.names.tells_user,
        };
        let observer: Arc<dyn PrimaryObserver> = Arc::new(Told::of(&wanted.name, &self.telemetry));
        let surroundings = Surroundings {
            clock: Arc::new(self.clock),
            observer,
            tracker: self.tasks.clone(),
            cancel: stop.clone(),
            look_up: by_the_system(),
            pulse: self.telemetry.pulse().clone(),
        };
        let primary = Radius::start(settings, surroundings).await;
        Running { config: wanted.clone(), realms: config.policy.realms.clone(), primary: Arc::new(primary), stop }
    }

    fn local(&self) -> Result<Arc<dyn Primary>, StartError> {
        let name = PrimaryName::new(LOCAL);
        let observer: Arc<dyn PrimaryObserver> = Arc::new(Told::of(&name, &self.telemetry));
        let passwords = Arc::new(StorePasswords(Arc::clone(&self.store)));
        let local = Local::new(passwords, Arc::new(self.clock), observer, self.hasher.clone());
        Ok(Arc::new(local.map_err(|error| StartError::Ours(error.to_string()))?))
    }

    /// The same ways to a phone go on while their settings are the same, with what they remember of outages.
    fn push(&self, config: &Config, before: &mut Phones) -> Result<Arc<Push>, StartError> {
        let authorities = authorities(&config.push)?;
        let notifiers = config.push.webhook.as_ref().map(webhook_authorities).transpose()?.flatten();
        let wanted = (config.push.clone(), Arc::clone(&config.account_name), authorities.clone(), notifiers);
        if let Some((_, push)) = before.0.as_ref().filter(|(running, _)| *running == wanted) {
            return Ok(Arc::clone(push));
        }
        let mut channels = self.channels.clone();
        let mut vapid = None;
        for way in &config.push.channels {
            match (way, &self.portal) {
                (PushWay::Webhook, _) => {
                    if let Some(settings) = &config.push.webhook {
                        channels.push(Arc::new(webhook(settings, &self.telemetry)?));
                    }
                }
                (PushWay::PrivacyIdea, Some(_)) => {
                    channels.push(Arc::new(Bell::of_store_app(self.waiting.clone())));
                }
                (PushWay::WebPush, Some(portal)) => {
                    let site_key = self.store.site_key("vapid");
                    let settings = web_push_settings(&config.push, portal, site_key, authorities.clone());
                    let web_push = self.web_push(&settings)?;
                    vapid = Some(web_push.application_server_key());
                    channels.push(Arc::new(Bell::of_page(self.waiting.clone(), Some(Arc::new(web_push)))));
                }
                // No pages are served; the next start opens them.
                (PushWay::PrivacyIdea | PushWay::WebPush, None) => {}
            }
        }
        let push = Arc::new(Push::new(Arc::clone(&config.account_name), channels));
        *before = Phones(Some((wanted, Arc::clone(&push))), vapid);
        Ok(push)
    }

    /// The channel to pages that are installed as phones.
    fn web_push(&self, settings: &WebPushSettings) -> Result<WebPush, StartError> {
        let built = WebPush::new(settings, self.on_gone(), self.telemetry.clone());
        built.map_err(|mistake| StartError::Push(mistake.to_string()))
    }

    /// A subscription that is gone is forgotten beside the ring that found out.
    fn on_gone(&self) -> OnGone {
        let (store, tasks, telemetry) = (Arc::clone(&self.store), self.tasks.clone(), self.telemetry.clone());
        Arc::new(move |device| {
            let (store, telemetry) = (Arc::clone(&store), telemetry.clone());
            tasks.spawn(async move {
                if let Err(error) = store.subscription_gone(&device).await {
                    telemetry.emit(StoreTrouble { doing: "forgetting a subscription that is gone", error: &error });
                }
            });
        })
    }
}

/// Who may vouch for push services beside whom the system trusts.
fn authorities(push: &PushConfig) -> Result<Option<Vec<u8>>, StartError> {
    push.webpush_ca.as_deref().map(|path| read("[method.push] webpush_ca", path)).transpose()
}

fn web_push_settings(
    push: &PushConfig,
    portal: &PublicUrl,
    site_key: [u8; 32],
    authorities: Option<Vec<u8>>,
) -> WebPushSettings {
    WebPushSettings {
        site_key,
        contact: push.vapid_contact.as_deref().unwrap_or_default().to_owned(),
        portal_url: portal.to_string(),
        hosts: push.webpush_hosts.iter().map(ToString::to_string).collect(),
        allow_private: push.allow_private,
        ca: authorities,
    }
}

/// What a start would stumble over in the ways to phones and in mail, for `check`, each beside the key that it is about: all
/// is built as it would be, and dropped.
pub(crate) fn rehearse(config: &Config) -> Vec<(&'static str, StartError)> {
    let webhook = config.push.webhook.as_ref().and_then(|settings| webhook(settings, &Telemetry::new()).err());
    let rings = config.push.channels.contains(&PushWay::WebPush);
    let web_push = config
        .portal
        .as_ref()
        .filter(|_| rings)
        .and_then(|portal| rehearse_web_push(&config.push, &portal.pages.url).err());
    let mail = super::post::smtp(config).err();
    let all = [("method.push.webhook", webhook), ("method.push", web_push), ("mail", mail)];
    all.into_iter().filter_map(|(key, error)| Some((said_of(key, &error.as_ref()?.to_string()), error?))).collect()
}

/// The key of the section that a mistake names, or the section.
fn said_of(section: &'static str, said: &str) -> &'static str {
    let keys = ["method.push.webhook.ca", "method.push.webpush_ca", "method.push.vapid_contact", "mail.ca"];
    let names = |word: &str| said.split(|c: char| c != '_' && !c.is_alphanumeric()).any(|said| said == word);
    let of_section = keys.into_iter().filter(|key| key.starts_with(section));
    let mut named = of_section.filter(|key| key.rsplit('.').next().is_some_and(names));
    named.next().unwrap_or(section)
}

fn rehearse_web_push(push: &PushConfig, portal: &PublicUrl) -> Result<(), StartError> {
    let settings = web_push_settings(push, portal, [0; 32], authorities(push)?);
    let built = WebPush::new(&settings, Arc::new(drop), Telemetry::new());
    built.map(drop).map_err(|mistake| StartError::Push(mistake.to_string()))
}

/// The channel to the site's notifier.
///
/// # Errors
/// A file that can't be read, or settings that the channel refuses.
fn webhook(config: &WebhookConfig, telemetry: &Telemetry) -> Result<Webhook, StartError> {
    let ca = webhook_authorities(config)?;
    let (url, key) = (config.url.to_string(), config.secret.clone());
    let settings = WebhookSettings { url, ca, allow_private: config.allow_private, key };
    Webhook::new(&settings, telemetry.clone()).map_err(|mistake| StartError::Push(format!("[method.push] {mistake}")))
}

fn webhook_authorities(config: &WebhookConfig) -> Result<Option<Vec<u8>>, StartError> {
    config.ca.as_deref().map(|path| read("[method.push] webhook ca", path)).transpose()
}

/// The octets of a file that the policy names at this key.
fn read(key: &str, path: &Path) -> Result<Vec<u8>, StartError> {
    std::fs::read(path).map_err(|error| StartError::Push(format!("{key}: {} can't be read: {error}", path.display())))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::NoFiles;

    #[test]
    fn what_a_start_would_stumble_over_is_found_without_one() {
        let config = |text: &str| Config::parse("vestibule.toml", text, &NoFiles, []).unwrap().config;
        let good = "[portal]\nurl = \"https://mfa.example.com\"\ntls = \"acme\"\n[method.push]\n\
                    vapid_contact = \"mailto:it@example.com\"\n";
        assert!(rehearse(&config(good)).is_empty());
        for host in ["127.0.0.1", "[::1]", "localhost"] {
            let portal = format!("[portal]\nurl = \"http://{host}:8080\"\nlisten = \"127.0.0.1:8080\"\n");
            let told = rehearse(&config(&portal));
            assert!(told.is_empty(), "{host}: {told:?}");
        }
        let mail = "[mail]\nsmtp = \"smtps://mail.example.com\"\nfrom = \"mfa@example.com\"\nca = \"nowhere.pem\"\n";
        let told: Vec<String> =
            rehearse(&config(&format!("{good}{mail}"))).iter().map(|(key, why)| format!("{key}: {why}")).collect();
        assert_eq!(told.len(), 1);
        assert!(told[0].starts_with("mail.ca: [mail] ca: nowhere.pem"), "{told:?}");
        let lost = rehearse(&config(&format!("{good}webpush_ca = \"nowhere.pem\"\n")));
        let [("method.push.webpush_ca", lost)] = &lost[..] else { panic!("{lost:?}") };
        assert!(lost.to_string().starts_with("[method.push] webpush_ca: nowhere.pem can't be read"), "{lost}");
    }
}
