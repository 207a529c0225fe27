//! Prompts that ring a user's phone, over one or several channels at once. A hint only: nothing here approves a login.
//!
//! [`Push`] rings every device of the user through its channel, at most once for one prompt id (rules B3), and says
//! whether any of them rang. Only when every channel failed by an outage does it say *unavailable*, and only when every
//! channel's own breaker confirms that, *confirmed* (rules A5): a refusal, a limit of ours or a missing device never is.

mod breaker;
mod reach;
mod signature;
mod webhook;

use std::collections::{HashSet, VecDeque};
use std::fmt;
use std::future::poll_fn;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Poll;
use std::time::Duration;

use login::{ClientName, DeviceId, Moment, PromptId, ResolvedUser, Station, Tick, Unavailable, Wall};

pub use breaker::{Admission, Breaker};
pub use reach::{Reach, Refusal};
pub use signature::{SIGNATURE_HEADER, sign};
pub use webhook::{Webhook, WebhookMistake, WebhookSettings};

use crate::factor::BoxFuture;
use crate::store::{Channel, Device};

/// What is told of one prompt to one device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PushHint {
    /// Which prompt.
    pub prompt: PromptId,
    /// Whose phone.
    pub user: ResolvedUser,
    /// Which of the user's devices.
    pub device: DeviceId,
    /// Which appliance asks.
    pub client: ClientName,
    /// From where, as the appliance says.
    pub station: Option<Station>,
    /// What the phone shows for this account: `[portal] account_name`.
    pub account_name: Arc<str>,
    /// Now: for the signature's time and the breaker.
    pub at: Moment,
    /// The prompt's absolute end (rules B5).
    pub ends_at: Wall,
}

/// A device rang, as far as its channel can know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rung {
    /// The devices that were told.
    pub devices: Vec<DeviceId>,
}

/// Why no device rang.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PushFailure {
    /// The service could not be reached, or is broken by its own word (5xx).
    Unavailable(Unavailable),
    /// It answered no, or we may not ask: never an outage (rules A5).
    Refused(Arc<str>),
}

impl fmt::Display for PushFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unavailable(unavailable) => f.write_str(&unavailable.why),
            Self::Refused(why) => f.write_str(why),
        }
    }
}

impl PushFailure {
    /// A refusal, for the log; nothing secret in `why`.
    pub fn refused(why: impl Into<Arc<str>>) -> Self {
        Self::Refused(why.into())
    }
}

/// A way to a phone.
pub trait PushChannel: Send + Sync {
    /// Which devices are reached this way; its word is what `[method.push] channels` and `device add --channel` use.
    fn channel(&self) -> Channel;

    /// Tells the device that somebody waits. Bounded in time by the channel itself.
    fn ring<'a>(&'a self, hint: &'a PushHint) -> BoxFuture<'a, Result<(), PushFailure>>;

    /// Tells the device that nobody waits any more; a failure is for the log only.
    fn withdraw<'a>(&'a self, hint: &'a PushHint) -> BoxFuture<'a, Result<(), PushFailure>>;
}

/// One prompt, before it is told to each device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PushPrompt {
    /// Which prompt; claimed in the store before this (rules B3).
    pub prompt: PromptId,
    /// Whose phones.
    pub user: ResolvedUser,
    /// Which appliance asks.
    pub client: ClientName,
    /// From where.
    pub station: Option<Station>,
    /// Now.
    pub at: Moment,
    /// The prompt's absolute end.
    pub ends_at: Wall,
}

/// All channels of this site.
pub struct Push {
    account_name: Arc<str>,
    channels: Vec<Arc<dyn PushChannel>>,
    rung: Mutex<RungPrompts>,
}

/// Devices of one user that are told of one prompt: more would only be a way to flood a channel.
const DEVICES_MAX: usize = 16;

impl Push {
    /// The channels, and what a phone shows for an account of this site.
    pub fn new(account_name: impl Into<Arc<str>>, channels: Vec<Arc<dyn PushChannel>>) -> Self {
        Self { account_name: account_name.into(), channels, rung: Mutex::new(RungPrompts::default()) }
    }

    /// Whether there is a channel for such a device.
    #[must_use]
    pub fn can_ring(&self, device: &Device) -> bool {
        self.channel(device).is_some()
    }

    /// Rings every device, concurrently; good if any rang. A prompt id that was rung before is refused.
    ///
    /// # Errors
    /// [`PushFailure::Unavailable`] only if every device's channel is; confirmed only if every one says so.
    pub async fn ring(&self, prompt: &PushPrompt, devices: &[Device]) -> Result<Rung, PushFailure> {
        self.claim(prompt)?;
        let hints = self.hints(prompt, devices);
        if hints.is_empty() {
            return Err(PushFailure::refused("the user has no device of a configured push channel"));
        }
        let results = join_all(hints.iter().map(|(channel, hint)| channel.ring(hint)).collect()).await;
        gather(hints.iter().map(|(_, hint)| hint.device.clone()).zip(results))
    }

    /// Tells every device that nobody waits any more. Answers with what failed, for the log.
    pub async fn withdraw(&self, prompt: &PushPrompt, devices: &[Device]) -> Vec<PushFailure> {
        let hints = self.hints(prompt, devices);
        let results = join_all(hints.iter().map(|(channel, hint)| channel.withdraw(hint)).collect()).await;
        results.into_iter().filter_map(Result::err).collect()
    }

    fn claim(&self, prompt: &PushPrompt) -> Result<(), PushFailure> {
        self.rung.lock().unwrap_or_else(PoisonError::into_inner).claim(prompt.prompt, prompt.at.tick)
    }

    fn channel(&self, device: &Device) -> Option<&Arc<dyn PushChannel>> {
        self.channels.iter().find(|channel| channel.channel() == device.channel)
    }

    fn hints(&self, prompt: &PushPrompt, devices: &[Device]) -> Vec<(&Arc<dyn PushChannel>, PushHint)> {
        let known = devices.iter().filter_map(|device| self.channel(device).map(|channel| (channel, device)));
        known.take(DEVICES_MAX).map(|(channel, device)| (channel, self.hint(prompt, device))).collect()
    }

    fn hint(&self, prompt: &PushPrompt, device: &Device) -> PushHint {
        PushHint {
            prompt: prompt.prompt,
            user: prompt.user.clone(),
            device: device.id.clone(),
            client: prompt.client.clone(),
            station: prompt.station.clone(),
            account_name: Arc::clone(&self.account_name),
            at: prompt.at,
            ends_at: prompt.ends_at,
        }
    }
}

impl fmt::Debug for Push {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.channels.iter().map(|channel| channel.channel())).finish()
    }
}

/// One device that rang is enough. Otherwise a refusal outweighs an outage: what is not an outage of
/// every channel must not look like one (rules A5).
fn gather(results: impl Iterator<Item = (DeviceId, Result<(), PushFailure>)>) -> Result<Rung, PushFailure> {
    let (mut rung, mut refused, mut outages) = (Vec::new(), None, Vec::new());
    for (device, result) in results {
        match result {
            Ok(()) => rung.push(device),
            Err(PushFailure::Refused(why)) => refused = refused.or(Some(why)),
            Err(PushFailure::Unavailable(outage)) => outages.push(outage),
        }
    }
    if !rung.is_empty() {
        return Ok(Rung { devices: rung });
    }
    match (refused, outages.first()) {
        (Some(why), _) => Err(PushFailure::Refused(why)),
        (None, Some(first)) => {
            let confirmed = outages.iter().all(|outage| outage.confirmed);
            Err(PushFailure::Unavailable(Unavailable { why: Arc::clone(&first.why), confirmed }))
        }
        (None, None) => Err(PushFailure::refused("no device was asked")),
    }
}

/// The prompts that were rung lately: the store's claim (B3) holds over crashes, this one within the process.
#[derive(Default)]
struct RungPrompts {
    known: HashSet<PromptId>,
    order: VecDeque<(PromptId, Tick)>,
}

/// As many prompts as can be out at once, and then some (G1); 24 and 16 octets each.
const RUNG_MAX: usize = 262_144;

/// A prompt lasts 120 s at most (B5): older ones can't be rung again by anybody.
const RUNG_KEPT: Duration = Duration::from_secs(300);

impl RungPrompts {
    fn claim(&mut self, prompt: PromptId, now: Tick) -> Result<(), PushFailure> {
        self.forget_before(now);
        if self.order.len() >= RUNG_MAX {
            return Err(PushFailure::refused("too many prompts are out at once"));
        }
        if !self.known.insert(prompt) {
            return Err(PushFailure::refused("this prompt was rung before"));
        }
        self.order.push_back((prompt, now));
        Ok(())
    }

    fn forget_before(&mut self, now: Tick) {
        while let Some((prompt, at)) = self.order.front().copied() {
            if now.since(at) < RUNG_KEPT {
                return;
            }
            self.known.remove(&prompt);
            self.order.pop_front();
        }
    }
}

/// All results in the order of the futures, which run side by side within this task.
async fn join_all<T>(mut futures: Vec<BoxFuture<'_, T>>) -> Vec<T> {
    let mut results: Vec<Option<T>> = futures.iter().map(|_| None).collect();
    poll_fn(|context| {
        for (future, result) in futures.iter_mut().zip(&mut results) {
            if result.is_none()
                && let Poll::Ready(ready) = future.as_mut().poll(context)
            {
                *result = Some(ready);
            }
        }
        if results.iter().all(Option::is_some) { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
    results.into_iter().flatten().collect()
}

#[cfg(test)]
mod tests;
