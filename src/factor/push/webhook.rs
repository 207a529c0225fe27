//! The webhook: a signed hint to the site's own notifier that somebody waits. It never approves, and its answer is only a status.
//!
//! Bounded in everything: one request a hint, five seconds, no redirects, no proxy of the environment, at most 4 KiB of an
//! answer, at most so many at once. Where it may lead is `reach`'s business (rules F6), whether the notifier counts as away
//! the breaker's (A5). A refusal (4xx, a redirect, an address out of reach, a limit of ours) is never an outage.

use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use login::outage::Outage;
use login::{Unavailable, Wall};
use reqwest::{Client, StatusCode, Url};
use wire::Secret;

use super::breaker::{Admission, Breaker};
use super::outbound::{self, Queue, causes, drained, innermost, literal};
use super::reach::{Reach, Refusal};
use super::signature::{SIGNATURE_HEADER, sign};
use super::told::Told;
use super::{PushChannel, PushFailure, PushHint};
use crate::factor::BoxFuture;
use crate::store::Channel;
use crate::telemetry::{Telemetry, WebhookTrouble};

/// From the resolution of the name to the end of the answer.
const WEBHOOK_WITHIN: Duration = Duration::from_secs(5);

/// Requests under way at once.
const IN_FLIGHT_MAX: usize = 128;

/// Octets of a hint: names of RADIUS are 253 octets at most, and JSON may write six for one.
const HINT_OCTETS_MAX: usize = 16 * 1024;

/// The shortest key that is taken, in octets.
const KEY_OCTETS_MIN: usize = 16;

/// `[method.push] webhook`, with its files read.
#[derive(Clone, Debug)]
pub struct WebhookSettings {
    /// Where the notifier listens.
    pub url: String,
    /// The certificates (PEM) that its own must chain to; `None`: those that the system trusts.
    pub ca: Option<Vec<u8>>,
    /// It may live inside, and be spoken to over plain http there.
    pub allow_private: bool,
    /// `secrets/method.push.webhook`.
    pub key: Secret,
}

/// What is wrong with the settings of a webhook; each says what to do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WebhookMistake {
    /// Not a URL.
    #[error("webhook url: not a URL ({0}); write it like \"https://notify.example.com/vestibule\"")]
    Url(String),
    /// Neither https nor an allowed http.
    #[error("webhook url: {0:?} is not https; plain http is for the inside only, with allow_private = true")]
    Scheme(String),
    /// A name or password in the URL.
    #[error("webhook url: it carries a user name or password; take it out, the notifier knows us by the signature")]
    Credentials,
    /// An address in the URL that is out of reach.
    #[error("webhook url: {0}")]
    Address(String),
    /// Not certificates.
    #[error("webhook ca: not a file of PEM certificates ({0})")]
    Ca(String),
    /// A key that could be guessed.
    #[error("webhook key: {0} octets are too few; put at least {min} random ones into secrets/method.push.webhook", min = KEY_OCTETS_MIN)]
    Key(usize),
    /// The TLS library refuses.
    #[error("webhook: TLS can't be set up ({0}); are the system's certificates installed (package ca-certificates)?")]
    Tls(String),
}

/// The channel that tells the site's notifier.
pub struct Webhook {
    client: Client,
    url: Url,
    key: Secret,
    breaker: Mutex<Breaker>,
    queue: Queue,
    telemetry: Telemetry,
}

impl Webhook {
    /// Checks the settings and builds the client; connects to nobody.
    ///
    /// # Errors
    /// [`WebhookMistake`], for the person who wrote the settings.
    pub fn new(settings: &WebhookSettings, telemetry: Telemetry) -> Result<Self, WebhookMistake> {
        Self::with(settings, telemetry, WEBHOOK_WITHIN, IN_FLIGHT_MAX)
    }

    fn with(
        settings: &WebhookSettings,
        telemetry: Telemetry,
        within: Duration,
        in_flight: usize,
    ) -> Result<Self, WebhookMistake> {
        if settings.key.len() < KEY_OCTETS_MIN {
            return Err(WebhookMistake::Key(settings.key.len()));
        }
        let (url, reach) = checked_url(settings)?;
        Ok(Self {
            client: client(settings, &url, reach, within)?,
            url,
            key: settings.key.clone(),
            breaker: Mutex::new(Breaker::default()),
            queue: Queue::new(in_flight, within),
            telemetry,
        })
    }

    /// Whoever looks after the notifier learns of each hint that did not reach it, whatever becomes of its login.
    async fn ring_told(&self, hint: &PushHint) -> Result<(), PushFailure> {
        let rang = self.ring_once(hint).await;
        if let Err(PushFailure::Refused(error) | PushFailure::Unavailable(Unavailable { why: error, .. })) = &rang {
            self.telemetry.emit(WebhookTrouble { error });
        }
        rang
    }

    async fn ring_once(&self, hint: &PushHint) -> Result<(), PushFailure> {
        if self.breaker().admit(hint.at.tick) == Admission::Away {
            return Err(self.away());
        }
        match self.tell(&Told::of("prompt", hint), hint.at.wall).await {
            Ok(()) => {
                self.breaker().worked();
                Ok(())
            }
            Err(Failed::Refused(why)) => {
                self.breaker().worked();
                Err(PushFailure::Refused(why.into()))
            }
            Err(Failed::Neither(why)) => Err(PushFailure::Refused(why.into())),
            Err(Failed::Outage(why)) => {
                let confirmed = self.confirmed(hint).await;
                Err(PushFailure::Unavailable(Unavailable { why: why.into(), confirmed, ours: false }))
            }
        }
    }

    /// One person's failed push is no confirmed outage: other people's pushes, or a probe of our own, must fail too (A5).
    async fn confirmed(&self, hint: &PushHint) -> bool {
        let now = hint.at.tick;
        if self.breaker().failed(&hint.user, now) {
            return true;
        }
        if !self.breaker().may_probe(now) {
            return false;
        }
        let away = matches!(self.tell(&Told::probe(hint.at.wall), hint.at.wall).await, Err(Failed::Outage(_)));
        if away {
            self.breaker().probe_failed(now);
        }
        away
    }

    fn away(&self) -> PushFailure {
        PushFailure::Unavailable(Unavailable {
            why: "the notifier of [method.push] webhook is away".into(),
            confirmed: true,
            ours: false,
        })
    }

    async fn tell(&self, told: &Told<'_>, at: Wall) -> Result<(), Failed> {
        let body =
            serde_json::to_vec(told).map_err(|error| Failed::Neither(format!("the hint can't be written: {error}")))?;
        if body.len() > HINT_OCTETS_MAX {
            return Err(Failed::Neither(format!("the hint is longer than {HINT_OCTETS_MAX} octets")));
        }
        // Our own queue is never an outage (rules A5).
        let _permit = self.queue.permit().await.map_err(|full| Failed::Neither(full.to_string()))?;
        let signature = sign(&self.key, at.unix_seconds(), &body);
        let request = self
            .client
            .post(self.url.clone())
            .header("Content-Type", "application/json")
            .header(SIGNATURE_HEADER, signature);
        let pulse = self.telemetry.pulse();
        let since = pulse.mark();
        let answer = match request.body(body).send().await {
            Ok(answer) => answer,
            Err(error) => {
                let outage = outbound::stands(outbound::outage(&error), pulse, since).await;
                return Err(Failed::of(&error, outage));
            }
        };
        let status = answer.status();
        drained(answer).await;
        judge(status)
    }

    fn breaker(&self) -> MutexGuard<'_, Breaker> {
        self.breaker.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl PushChannel for Webhook {
    fn channel(&self) -> Channel {
        Channel::Webhook
    }

    fn ring<'a>(&'a self, hint: &'a PushHint) -> BoxFuture<'a, Result<(), PushFailure>> {
        Box::pin(self.ring_told(hint))
    }

    fn withdraw<'a>(&'a self, hint: &'a PushHint) -> BoxFuture<'a, Result<(), PushFailure>> {
        Box::pin(async move {
            // Nobody waits for this, so it never keeps a dead notifier's connections busy, nor judges it.
            if self.breaker().is_open() {
                return Err(self.away());
            }
            self.tell(&Told::of("withdrawn", hint), hint.at.wall).await.map_err(unconfirmed)
        })
    }
}

impl fmt::Debug for Webhook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Webhook({})", self.url.host_str().unwrap_or_default())
    }
}

/// Why a request did not do what it should, by what it says of the notifier.
#[derive(Debug)]
enum Failed {
    /// It is away, by the closed list (rules A5).
    Outage(String),
    /// It is there and says no.
    Refused(String),
    /// It says nothing of the notifier: a limit or a rule of ours, or an answer that is no HTTP.
    Neither(String),
}

impl Failed {
    fn of(error: &reqwest::Error, outage: Option<Outage>) -> Self {
        // What our own rule refused is no outage, even if it looks like a failed connect (rules A5, F6).
        if let Some(refusal) = causes(error).find_map(|cause| cause.downcast_ref::<Refusal>()) {
            return Self::Neither(refusal.to_string());
        }
        let cause = innermost(error);
        match outage {
            Some(Outage::Silent) => Self::Outage("the notifier did not answer in time".to_owned()),
            Some(outage) => Self::Outage(format!("the notifier {outage}: {cause}")),
            None if error.is_timeout() => {
                Self::Neither("this server was itself too slow to hear the notifier; see its load".to_owned())
            }
            None if error.is_connect() => {
                Self::Neither(format!("the notifier could not be asked, which is no outage of it: {cause}"))
            }
            None => Self::Neither(format!("the notifier answered something that is no HTTP, or nothing: {cause}")),
        }
    }
}

/// What the login is told of it, where no breaker has a say.
fn unconfirmed(failed: Failed) -> PushFailure {
    match failed {
        Failed::Outage(why) => PushFailure::Unavailable(Unavailable::seen(why)),
        Failed::Refused(why) | Failed::Neither(why) => PushFailure::Refused(why.into()),
    }
}

fn judge(status: StatusCode) -> Result<(), Failed> {
    if status.is_success() {
        Ok(())
    } else if status.is_server_error() {
        Err(Failed::Outage(format!("the notifier answers {status}")))
    } else if status.is_redirection() {
        Err(Failed::Refused(format!(
            "the notifier answers {status}; redirects are not followed, write the last address into the webhook's url"
        )))
    } else {
        Err(Failed::Refused(format!("the notifier answers {status}; it should answer 2xx to a hint that it took")))
    }
}

fn checked_url(settings: &WebhookSettings) -> Result<(Url, Reach), WebhookMistake> {
    let url = Url::parse(&settings.url).map_err(|error| WebhookMistake::Url(error.to_string()))?;
    let reach = match (url.scheme(), settings.allow_private) {
        ("https", false) => Reach::Public,
        ("https", true) => Reach::Anywhere,
        ("http", true) => Reach::Private,
        _ => return Err(WebhookMistake::Scheme(url.scheme().to_owned())),
    };
    if !url.username().is_empty() || url.password().is_some() {
        return Err(WebhookMistake::Credentials);
    }
    // An address in the URL never meets the resolver.
    if let Some(address) = literal(&url) {
        reach.judge(address).map_err(|refusal| WebhookMistake::Address(refusal.to_string()))?;
    }
    Ok((url, reach))
}

fn client(settings: &WebhookSettings, url: &Url, reach: Reach, within: Duration) -> Result<Client, WebhookMistake> {
    let builder = outbound::builder(reach, within);
    let builder = match &settings.ca {
        Some(pem) => builder.tls_certs_only(outbound::certificates(pem).map_err(WebhookMistake::Ca)?),
        // Nobody is trusted over plain http, so a system without certificates can have it.
        None if url.scheme() == "http" => builder.tls_certs_only([]),
        None => builder.https_only(true),
    };
    builder.build().map_err(|error| WebhookMistake::Tls(innermost(&error)))
}

#[cfg(test)]
mod tests;
