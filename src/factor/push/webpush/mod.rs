//! Web Push: wakes the page that a user has installed as a phone, through the push service of its browser (RFC 8030).
//!
//! What leaves is a hint that only that browser can read ([`encrypt`], RFC 8291), signed as this site ([`vapid`], RFC 8292): it
//! names no user, address or number, and approves nothing. It goes only where [`endpoint`] and `reach` allow (rules F6), once
//! for a prompt ([`send`]), bounded in size, time and number. A push service that is away is told from a phone that says so
//! ([`origins`], rules A5); a subscription that is gone is handed to its owner to be forgotten. A push service that took a
//! message says nothing of whether anybody saw it, so a phone whose page is open also asks by itself.
//!
//! It never reads a clock, keeps nothing that a restart may lose, and never shows an endpoint's path, a key or a token.

mod encrypt;
mod endpoint;
mod hint;
mod origins;
mod send;
mod vapid;

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use aws_lc_rs::hkdf::{HKDF_SHA256, Salt};
use data_encoding::BASE64URL_NOPAD;
use hmac::{Hmac, KeyInit, Mac};
use login::{DeviceId, Unavailable};
use reqwest::{Client, Url};
use sha2::Sha256;
use zeroize::Zeroizing;

pub use encrypt::check_subscription_key;
pub use endpoint::{EndpointRefusal, HOSTS, check_endpoint};

use self::encrypt::{RECORD_OCTETS, Sealer, Unsealed, expanded};
use self::endpoint::{Endpoint, Hosts};
use self::origins::{Gate, Origins, Outage};
use self::send::{Failed, Message, UnderWay};
use self::vapid::{Vapid, is_contact};
use super::outbound::{self, Queue, innermost};
use super::{PushChannel, PushFailure, PushHint, refused};
use crate::factor::BoxFuture;
use crate::store::Channel;
use crate::store::web::Subscription;
use crate::telemetry::{Telemetry, WebPushResult, WebPushTrouble};

/// One request, from the resolution of the name to the end of the answer.
const REQUEST_WITHIN: Duration = Duration::from_secs(5);

/// A message with its one retry, and what waits before each; a probe may follow.
const MESSAGE_WITHIN: Duration = Duration::from_secs(15);

/// Requests under way at once.
const IN_FLIGHT_MAX: usize = 128;

/// Octets of the page's address, so that the longest message fits.
const PAGE_OCTETS_MAX: usize = 512;

/// What is to be done with a device whose subscription is gone: forget the subscription, and tell the user to open the page.
pub type OnGone = Arc<dyn Fn(DeviceId) + Send + Sync>;

/// `[method.push]`, as far as it is about Web Push.
#[derive(Clone)]
pub struct WebPushSettings {
    /// The store's key for the name `vapid`; whoever has it may send as this site.
    pub site_key: [u8; 32],
    /// `vapid_contact`: a `mailto:` or `https:` address by which a push service reaches the site's admin.
    pub contact: String,
    /// `[portal] url`: the page is at `phone/` beneath it, and a tap on the notification opens that.
    pub portal_url: String,
    /// `webpush_hosts`: the push services that are taken; [`HOSTS`] by default. One leading `*.` stands for any names.
    pub hosts: Vec<String>,
    /// They may live inside, and on a port of their own: push services of the site's own, or of tests.
    pub allow_private: bool,
    /// `webpush_ca`: certificates (PEM) that theirs may chain to, beside those that the system trusts.
    pub ca: Option<Vec<u8>>,
}

impl fmt::Debug for WebPushSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (contact, portal_url, hosts) = (&self.contact, &self.portal_url, &self.hosts);
        let mut shown = f.debug_struct("WebPushSettings");
        shown.field("contact", contact).field("portal_url", portal_url).field("hosts", hosts);
        shown.field("allow_private", &self.allow_private).finish_non_exhaustive()
    }
}

/// What is wrong with the settings; each says what to do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WebPushMistake {
    /// Not an address that push services take.
    #[error(
        "[method.push] vapid_contact: {0:?} is no address; write one that reaches you, like \"mailto:it@example.com\" or \"https://example.com/contact\""
    )]
    Contact(String),
    /// The portal's URL is none, or too long.
    #[error(
        "[portal] url: {0:?} is not a URL without a query of at most {PAGE_OCTETS_MAX} octets; a phone's notification opens it"
    )]
    Portal(String),
    /// A pattern that is none.
    #[error(
        "[method.push] webpush_hosts: {0:?} is neither a host, like \"fcm.googleapis.com\", nor a pattern with one leading \"*.\", like \"*.push.apple.com\""
    )]
    Host(String),
    /// No push service at all.
    #[error("[method.push] webpush_hosts is empty; take it out to use those of today's browsers")]
    NoHosts,
    /// Not certificates.
    #[error("[method.push] webpush_ca: not a file of PEM certificates ({0})")]
    Ca(String),
    /// The TLS library refuses.
    #[error("Web Push: TLS can't be set up ({0}); are the system's certificates installed (package ca-certificates)?")]
    Tls(String),
    /// The library of cryptography fails.
    #[error("Web Push: no key pair can be derived; this is a bug of ours, please report it")]
    Keys,
}

/// The channel to pages that are installed as phones.
pub struct WebPush {
    client: Client,
    hosts: Hosts,
    vapid: Vapid,
    topics: Zeroizing<[u8; 32]>,
    page: String,
    queue: Queue,
    origins: Mutex<Origins>,
    under_way: UnderWay,
    on_gone: OnGone,
    telemetry: Telemetry,
}

impl WebPush {
    /// Checks the settings, derives the keys and builds the client; connects to nobody. `on_gone` is called from within a
    /// ring, so it must not block.
    ///
    /// # Errors
    /// [`WebPushMistake`], for the person who wrote the settings.
    pub fn new(settings: &WebPushSettings, on_gone: OnGone, telemetry: Telemetry) -> Result<Self, WebPushMistake> {
        let contact = settings.contact.clone();
        if !is_contact(&contact) {
            return Err(WebPushMistake::Contact(contact));
        }
        let hosts = Hosts::of(&settings.hosts, settings.allow_private).map_err(WebPushMistake::Host)?;
        if hosts.is_empty() {
            return Err(WebPushMistake::NoHosts);
        }
        Ok(Self {
            client: client(settings, &hosts)?,
            vapid: Vapid::derived(&settings.site_key, contact).ok_or(WebPushMistake::Keys)?,
            topics: topics(&settings.site_key).map_err(|_| WebPushMistake::Keys)?,
            page: page(&settings.portal_url).ok_or_else(|| WebPushMistake::Portal(settings.portal_url.clone()))?,
            hosts,
            queue: Queue::new(IN_FLIGHT_MAX, REQUEST_WITHIN),
            origins: Mutex::default(),
            under_way: UnderWay::default(),
            on_gone,
            telemetry,
        })
    }

    /// The public key that the page gives to `pushManager.subscribe` as `applicationServerKey`: an uncompressed point. It is
    /// the same after a restart and on every node of a store; subscriptions made under another one are lost.
    #[must_use]
    pub fn application_server_key(&self) -> [u8; 65] {
        self.vapid.public()
    }

    async fn ring_once(&self, hint: &PushHint) -> Result<(), PushFailure> {
        // Nothing to send to is nothing that failed: the page shows what waits whenever it is open.
        let Some(subscription) = &hint.subscription else { return Ok(()) };
        let to = self.hosts.endpoint(&subscription.endpoint).map_err(|refusal| self.unsent(refusal.to_string()))?;
        // First, so that what can't be sent is never the one that goes to see whether the push service is back.
        let message = self.message(hint, subscription, to).map_err(|why| self.unsent(why))?;
        if let Gate::Away { confirmed } = self.origins().admit(&message.to, hint.at.tick) {
            self.telemetry.emit(WebPushResult::Away);
            let why = format!("the push service {} is away", message.to.host).into();
            return Err(PushFailure::Unavailable(Unavailable { why, confirmed, ours: false }));
        }
        let under_way = self.under_way.begin(hint.prompt, &hint.device);
        let sending = send::send(&self.client, (&self.queue, self.telemetry.pulse()), &message, &under_way);
        // Each request has its own end: what is late here waited for our own queue, which is no outage (rules A5).
        match tokio::time::timeout(MESSAGE_WITHIN.min(message.life), sending).await {
            Ok(Ok(())) => {
                self.origins().took(&message.to, hint.at.tick);
                self.telemetry.emit(WebPushResult::Taken);
                Ok(())
            }
            Ok(Err(failed)) => Err(self.settle(hint, &message.to, failed).await),
            Err(_) => Err(self.unsent("the push did not leave in time")),
        }
    }

    fn unsent(&self, why: impl Into<Arc<str>>) -> PushFailure {
        self.telemetry.emit(WebPushResult::Unsent);
        refused(why)
    }

    fn message(&self, hint: &PushHint, subscription: &Subscription, to: Endpoint) -> Result<Message, String> {
        let life = Duration::from_secs(hint.ends_at.since(hint.at.wall).as_secs());
        // RFC 8030 §5.2: a TTL of 0 is "deliver now or never", and so late nobody could answer.
        if life.is_zero() {
            return Err("the prompt ends within a second; nobody is told of it any more".to_owned());
        }
        let text = hint::message(hint, &self.page).map_err(|error| error.to_string())?;
        let ours = |unsealed: Unsealed| unsealed.to_string();
        let body = Sealer::fresh().and_then(|sealer| sealer.seal(subscription, &text, RECORD_OCTETS)).map_err(ours)?;
        let authorization = self.origins().token(&to, &self.vapid, hint.at).map_err(ours)?.value().to_owned();
        Ok(Message { to, body, authorization, topic: self.topic(&hint.device), life, at: hint.at.wall })
    }

    /// RFC 8030 §5.4: at most 32 characters of base64url; a keyed hash, since the push service can read it.
    fn topic(&self, device: &DeviceId) -> String {
        let mut mac = Hmac::<Sha256>::new_from_slice(&*self.topics)
            .unwrap_or_else(|_| unreachable!("HMAC takes keys of any length (RFC 2104 §2)"));
        mac.update(device.0.as_bytes());
        let hash = mac.finalize().into_bytes();
        BASE64URL_NOPAD.encode(hash.first_chunk::<24>().unwrap_or_else(|| unreachable!("SHA-256 gives 32 octets")))
    }

    /// What a failure means for the phone, the push service, the admin and the login.
    async fn settle(&self, hint: &PushHint, to: &Endpoint, failed: Failed) -> PushFailure {
        let now = hint.at.tick;
        self.telemetry.emit(failed.result());
        match failed {
            Failed::Gone => {
                self.origins().worked(to, now);
                (self.on_gone)(hint.device.clone());
                refused("the phone's subscription is gone; its page subscribes again when it is opened")
            }
            Failed::Refused { status, why } => {
                self.origins().refused(to, status, now);
                self.alarm(to, &why);
                refused(why)
            }
            Failed::Busy => {
                self.origins().worked(to, now);
                let why = format!("the push service {} answers 429: too many pushes", to.host);
                self.alarm(to, &why);
                refused(why)
            }
            Failed::Neither(why) => refused(why),
            Failed::Outage(why) => {
                self.alarm(to, &why);
                let confirmed = self.confirmed(hint, to).await;
                PushFailure::Unavailable(Unavailable { why: why.into(), confirmed, ours: false })
            }
        }
    }

    /// One person's failed push is no confirmed outage: other people's pushes, or a probe of our own, must fail too (A5).
    async fn confirmed(&self, hint: &PushHint, to: &Endpoint) -> bool {
        let now = hint.at.tick;
        let outage = self.origins().failed(to, &hint.user, now);
        match outage {
            Outage::Confirmed => true,
            Outage::Seen => false,
            Outage::Probe => {
                let away = send::is_away(&self.client, &self.queue, self.telemetry.pulse(), to).await;
                if away {
                    self.origins().probe_failed(to, now);
                }
                away
            }
        }
    }

    fn alarm(&self, to: &Endpoint, error: &str) {
        self.telemetry.emit(WebPushTrouble { known_by: &to.known_by, host: &to.host, error: &error });
    }

    fn origins(&self) -> MutexGuard<'_, Origins> {
        self.origins.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl PushChannel for WebPush {
    fn channel(&self) -> Channel {
        Channel::WebPush
    }

    fn ring<'a>(&'a self, hint: &'a PushHint) -> BoxFuture<'a, Result<(), PushFailure>> {
        Box::pin(self.ring_once(hint))
    }

    /// Sends nothing: every push must show a notification (browsers take the permission away otherwise), so a second one
    /// under the same Topic would ring a phone whose user has just answered. What was not delivered ends with its TTL, what was
    /// is told by the page that its prompt has ended. Only a retry that still waits is called off.
    fn withdraw<'a>(&'a self, hint: &'a PushHint) -> BoxFuture<'a, Result<(), PushFailure>> {
        self.under_way.withdraw(hint.prompt, &hint.device);
        Box::pin(std::future::ready(Ok(())))
    }
}

impl fmt::Debug for WebPush {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "WebPush({})", self.page)
    }
}

fn client(settings: &WebPushSettings, hosts: &Hosts) -> Result<Client, WebPushMistake> {
    let builder = outbound::builder(hosts.reach(), REQUEST_WITHIN).https_only(true);
    let builder = match &settings.ca {
        Some(pem) => builder.tls_certs_merge(outbound::certificates(pem).map_err(WebPushMistake::Ca)?),
        None => builder,
    };
    builder.build().map_err(|error| WebPushMistake::Tls(innermost(&error)))
}

fn topics(site_key: &[u8; 32]) -> Result<Zeroizing<[u8; 32]>, Unsealed> {
    expanded(&Salt::new(HKDF_SHA256, b"vestibule web push").extract(site_key), &[b"topics"])
}

/// What a tap on the notification opens. Plain http is for a browser on this host, and `[portal]` says when.
fn page(portal_url: &str) -> Option<String> {
    let url = Url::parse(&format!("{}/phone/", portal_url.trim_end_matches('/'))).ok()?;
    let fits = matches!(url.scheme(), "https" | "http") && url.has_host() && url.as_str().len() <= PAGE_OCTETS_MAX;
    // A query or a fragment would swallow the path that was put behind it.
    (fits && url.path().ends_with("/phone/")).then(|| url.into())
}

#[cfg(test)]
mod tests;
