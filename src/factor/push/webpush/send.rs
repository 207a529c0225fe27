//! One push on its way: the request of RFC 8030, what each answer means, and the one retry.
//!
//! A retry goes only after an answer that says "not now" (429, 5xx): after a success, a refusal or a silence nothing is sent
//! again, so a phone rings once for a prompt. Between the two it waits for the prompt to be withdrawn, under a timeout.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::fmt::rfc2822::DateTimeParser;
use login::outage::Outage;
use login::{DeviceId, PromptId, Wall};
use reqwest::header::{HeaderMap, RETRY_AFTER};
use reqwest::{Client, StatusCode};
use tokio::sync::Notify;

use super::endpoint::Endpoint;
use crate::factor::push::outbound::{self, Queue, causes, drained, innermost};
use crate::factor::push::reach::Refusal;
use crate::telemetry::WebPushResult;
use crate::telemetry::pulse::{Mark, Pulse};

/// How long a `Retry-After` may keep a push, and how long it waits without one.
const PAUSE_MAX: Duration = Duration::from_secs(5);
const PAUSE: Duration = Duration::from_millis(500);

/// What leaves for one phone.
pub(super) struct Message {
    pub(super) to: Endpoint,
    pub(super) body: Vec<u8>,
    pub(super) authorization: String,
    /// One name a device: a newer message replaces one that was not delivered (RFC 8030 §5.4).
    pub(super) topic: String,
    /// What is left of the prompt.
    pub(super) life: Duration,
    pub(super) at: Wall,
}

/// Why a phone was not told.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Failed {
    /// The subscription is no more (404, 410).
    Gone,
    /// The push service is there and refuses what we send, or how: the admin should know.
    Refused { status: StatusCode, why: String },
    /// It says "not now" (429). A 4xx is never an outage (rules A5).
    Busy,
    /// It is away, by the closed list (rules A5).
    Outage(String),
    /// It says nothing of the push service: a limit or a rule of ours, an answer that is no HTTP, a prompt that ended.
    Neither(String),
}

impl Failed {
    /// As it is counted.
    pub(super) fn result(&self) -> WebPushResult {
        match self {
            Self::Gone => WebPushResult::Gone,
            Self::Refused { .. } => WebPushResult::Refused,
            Self::Busy => WebPushResult::Busy,
            Self::Outage(_) => WebPushResult::Away,
            Self::Neither(_) => WebPushResult::Unsent,
        }
    }
}

/// What an answer leads to.
#[derive(Debug, PartialEq, Eq)]
enum Told {
    /// The push service has it. Not: somebody saw it.
    Taken,
    /// It may be tried once more, after what `Retry-After` said.
    NotNow {
        failed: Failed,
        pause: Option<Duration>,
    },
    Failed(Failed),
}

/// Sends it, and once more if the push service asks for that within the time there is.
pub(super) async fn send(
    client: &Client,
    (queue, pulse): (&Queue, &Pulse),
    message: &Message,
    withdrawn: &Withdrawable<'_>,
) -> Result<(), Failed> {
    let (failed, pause) = match post(client, (queue, pulse), message, message.life).await {
        Told::Taken => return Ok(()),
        Told::Failed(failed) => return Err(failed),
        Told::NotNow { failed, pause } => (failed, pause.unwrap_or(PAUSE)),
    };
    // A wait that does not fit is a "no": a retry before its time would only be refused again.
    let Some(life) = message.life.checked_sub(pause).filter(|left| !left.is_zero() && pause <= PAUSE_MAX) else {
        return Err(failed);
    };
    if withdrawn.within(pause).await {
        return Err(Failed::Neither("the prompt ended before its push could be sent again".to_owned()));
    }
    match post(client, (queue, pulse), message, life).await {
        Told::Taken => Ok(()),
        Told::NotNow { failed, .. } | Told::Failed(failed) => Err(failed),
    }
}

/// Whether the push service is away, asked without any phone's endpoint: whatever it answers, it is there.
pub(super) async fn is_away(client: &Client, queue: &Queue, pulse: &Pulse, to: &Endpoint) -> bool {
    let Ok(_permit) = queue.permit().await else { return false };
    let since = pulse.mark();
    match client.get(&*to.origin).send().await {
        Ok(answer) => {
            let status = answer.status();
            drained(answer).await;
            status.is_server_error()
        }
        Err(error) => matches!(failed(&error, pulse, since).await, Failed::Outage(_)),
    }
}

async fn post(client: &Client, (queue, pulse): (&Queue, &Pulse), message: &Message, life: Duration) -> Told {
    let _permit = match queue.permit().await {
        Ok(permit) => permit,
        Err(full) => return Told::Failed(Failed::Neither(full.to_string())),
    };
    let request = client
        .post(message.to.url.clone())
        .header("Authorization", &message.authorization)
        .header("Content-Encoding", "aes128gcm")
        .header("Content-Type", "application/octet-stream")
        // RFC 8030 §5.2: after that the push service forgets it.
        .header("TTL", life.as_secs())
        // RFC 8030 §5.3: what people wait for passes the savers of a battery.
        .header("Urgency", "high")
        .header("Topic", &message.topic)
        .body(message.body.clone());
    let since = pulse.mark();
    match request.send().await {
        Ok(answer) => {
            let (status, pause) = (answer.status(), retry_after(answer.headers(), message.at));
            drained(answer).await;
            judge(status, pause)
        }
        Err(error) => Told::Failed(failed(&error, pulse, since).await),
    }
}

fn judge(status: StatusCode, pause: Option<Duration>) -> Told {
    let refused = |why: &str| {
        let why = format!("the push service answers {}: {why}", status.as_u16());
        Told::Failed(Failed::Refused { status, why })
    };
    match status.as_u16() {
        200..=299 => Told::Taken,
        404 | 410 => Told::Failed(Failed::Gone),
        400 => refused("it can't read what we send; this is a bug of ours or of it, please report it"),
        401 | 403 => refused(
            "it does not take our signature. Is this host's clock right, and vapid_contact real? Was the store's key changed? Then each phone must subscribe again",
        ),
        413 => refused("the message is too big; this is a bug of ours, please report it"),
        429 => Told::NotNow { failed: Failed::Busy, pause },
        500..=599 => {
            Told::NotNow { failed: Failed::Outage(format!("the push service answers {}", status.as_u16())), pause }
        }
        300..=399 => refused("a redirect, which is not followed"),
        _ => refused("it does not take what we send"),
    }
}

/// RFC 9110 §10.2.3: seconds, or a date.
fn retry_after(headers: &HeaderMap, at: Wall) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let date = DateTimeParser::new().parse_timestamp(text).ok()?;
    let millis = u64::try_from(date.as_millisecond()).ok()?;
    Some(Wall(millis).since(at))
}

async fn failed(error: &reqwest::Error, pulse: &Pulse, since: Mark) -> Failed {
    // What our own rule refused is no outage, even if it looks like a failed connect (rules A5, F6).
    if let Some(refusal) = causes(error).find_map(|cause| cause.downcast_ref::<Refusal>()) {
        return Failed::Neither(format!("the push endpoint is refused: {refusal}"));
    }
    // An error without a cause would show itself, and its URL is what lets others send to the phone.
    let cause = if std::error::Error::source(error).is_some() { innermost(error) } else { "no cause told".to_owned() };
    let outage = outbound::stands(outbound::outage(error), pulse, since).await;
    match outage {
        Some(Outage::Silent) => Failed::Outage("the push service did not answer in time".to_owned()),
        Some(outage) => Failed::Outage(format!("the push service {outage}: {cause}")),
        None if error.is_timeout() => {
            Failed::Neither("this server was itself too slow to hear the push service; see its load".to_owned())
        }
        None if error.is_connect() => {
            Failed::Neither(format!("the push service could not be asked, which is no outage of it: {cause}"))
        }
        None => Failed::Neither(format!("the push service answered something that is no HTTP, or nothing: {cause}")),
    }
}

/// The pushes under way, so that a withdrawn prompt is not sent again.
#[derive(Default)]
pub(super) struct UnderWay(Mutex<HashMap<(PromptId, DeviceId), Arc<Notify>>>);

/// One push under way; taken off when it is dropped.
pub(super) struct Withdrawable<'a> {
    all: &'a UnderWay,
    which: (PromptId, DeviceId),
    withdrawn: Arc<Notify>,
}

impl UnderWay {
    pub(super) fn begin(&self, prompt: PromptId, device: &DeviceId) -> Withdrawable<'_> {
        let (which, withdrawn) = ((prompt, device.clone()), Arc::new(Notify::new()));
        self.all().insert(which.clone(), Arc::clone(&withdrawn));
        Withdrawable { all: self, which, withdrawn }
    }

    pub(super) fn withdraw(&self, prompt: PromptId, device: &DeviceId) {
        if let Some(withdrawn) = self.all().get(&(prompt, device.clone())) {
            withdrawn.notify_one();
        }
    }

    fn all(&self) -> MutexGuard<'_, HashMap<(PromptId, DeviceId), Arc<Notify>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Withdrawable<'_> {
    /// Waits so long, or until it is withdrawn: then `true`.
    async fn within(&self, pause: Duration) -> bool {
        tokio::time::timeout(pause, self.withdrawn.notified()).await.is_ok()
    }
}

impl Drop for Withdrawable<'_> {
    fn drop(&mut self) {
        self.all.all().remove(&self.which);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(code: u16) -> Told {
        judge(StatusCode::from_u16(code).unwrap(), None)
    }

    #[test]
    fn each_status_means_what_the_table_says() {
        for code in [200, 201, 202, 204] {
            assert_eq!(status(code), Told::Taken);
        }
        for code in [404, 410] {
            assert_eq!(status(code), Told::Failed(Failed::Gone));
        }
        for code in [301, 307, 400, 401, 403, 405, 413, 415] {
            assert!(matches!(status(code), Told::Failed(Failed::Refused { .. })), "{code}");
        }
        assert_eq!(status(429), Told::NotNow { failed: Failed::Busy, pause: None });
        for code in [500, 502, 503, 504] {
            assert!(matches!(status(code), Told::NotNow { failed: Failed::Outage(_), .. }), "{code}");
        }
    }

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        // 1994-11-06T08:49:37Z, as RFC 9110 §5.6.7 writes it.
        let at = Wall(784_111_777_000);
        for (text, pause) in [
            ("120", Some(120)),
            (" 0 ", Some(0)),
            ("Sun, 06 Nov 1994 08:49:40 GMT", Some(3)),
            ("Sun, 06 Nov 1994 08:49:00 GMT", Some(0)),
            ("soon", None),
            ("-1", None),
            ("99999999999999999999999", None),
        ] {
            let headers = HeaderMap::from_iter([(RETRY_AFTER, text.parse().unwrap())]);
            assert_eq!(retry_after(&headers, at), pause.map(Duration::from_secs), "{text}");
        }
        assert_eq!(retry_after(&HeaderMap::new(), at), None);
    }

    #[tokio::test]
    async fn a_withdrawn_push_does_not_wait_and_leaves_nothing_behind() {
        let (all, device) = (UnderWay::default(), DeviceId("d1".into()));
        let push = all.begin(PromptId([1; 16]), &device);
        all.withdraw(PromptId([2; 16]), &device);
        all.withdraw(PromptId([1; 16]), &device);
        assert!(push.within(Duration::from_secs(3600)).await);
        assert!(!push.within(Duration::ZERO).await, "told once");
        drop(push);
        assert!(all.all().is_empty());
    }
}
