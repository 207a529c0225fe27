//! Prompts that ring a user's phone, over one or several channels at once. A hint only: nothing here approves a login.
//!
//! [`Push`] rings every device of the user that can prove what is asked (rules B4) through its channel, at most once for one
//! prompt id (rules B3), and says whether any of them rang. Only when every channel failed by an outage does it say *unavailable*, and only when every
//! channel's own breaker confirms that, *confirmed* (rules A5): a refusal, a limit of ours or a missing device never is.

mod breaker;
mod outbound;
mod reach;
mod signature;
mod told;
mod webhook;
mod webpush;

use std::collections::{HashSet, VecDeque};
use std::fmt;
use std::future::poll_fn;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Poll;
use std::time::Duration;

pub use login::event::PushFailure;
use login::{
    ClientName, DeviceId, Moment, NumberMatch, PromptClaim, PromptId, ResolvedUser, Station, Tick, Unavailable, Wall,
};

pub use breaker::{Admission, Breaker};
pub use reach::{Reach, Refusal};
pub use signature::{SIGNATURE_HEADER, sign};
pub use webhook::{Webhook, WebhookMistake, WebhookSettings};
pub use webpush::{
    EndpointRefusal, HOSTS, OnGone, WebPush, WebPushMistake, WebPushSettings, check_endpoint, check_subscription_key,
};

use crate::factor::BoxFuture;
use crate::store::web::Subscription;
use crate::store::{AppVersion, Channel, Device};

/// What is told of one prompt to one device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PushHint {
    /// Which prompt.
    pub prompt: PromptId,
    /// Whose phone.
    pub user: ResolvedUser,
    /// Which of the user's devices.
    pub device: DeviceId,
    /// Where its push service takes messages for it, if it has told us.
    pub subscription: Option<Subscription>,
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

/// A way to a phone.
pub trait PushChannel: Send + Sync {
    /// Which devices are reached this way; its word is what `[method.push] channels` and `device add --channel` use.
    fn channel(&self) -> Channel;

    /// Tells the device that somebody waits. Bounded in time by the channel itself.
    fn ring<'a>(&'a self, hint: &'a PushHint) -> BoxFuture<'a, Result<(), PushFailure>>;

    /// Tells the device that nobody waits any more; a failure is for the log only.
    fn withdraw<'a>(&'a self, hint: &'a PushHint) -> BoxFuture<'a, Result<(), PushFailure>>;
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

    /// Rings every device that may be asked, concurrently; good if any rang. A prompt id that was rung before is refused.
    ///
    /// # Errors
    /// [`PushFailure::Unavailable`] only if every device's channel is; confirmed only if every one says so.
    pub async fn ring(&self, claim: &PromptClaim, at: Moment, devices: &[Device]) -> Result<Rung, PushFailure> {
        self.claim(claim, at)?;
        let hints = self.hints(claim, at, devices);
        if hints.is_empty() {
            return Err(refused("the user has no device of a configured push channel that can prove what is asked"));
        }
        let results = join_all(hints.iter().map(|(channel, hint)| channel.ring(hint)).collect()).await;
        gather(hints.iter().map(|(_, hint)| hint.device.clone()).zip(results))
    }

    /// Tells every device that nobody waits any more. Answers with what failed, for the log.
    pub async fn withdraw(&self, claim: &PromptClaim, at: Moment, devices: &[Device]) -> Vec<PushFailure> {
        let hints = self.hints(claim, at, devices);
        let results = join_all(hints.iter().map(|(channel, hint)| channel.withdraw(hint)).collect()).await;
        results.into_iter().filter_map(Result::err).collect()
    }

    fn claim(&self, claim: &PromptClaim, at: Moment) -> Result<(), PushFailure> {
        self.rung.lock().unwrap_or_else(PoisonError::into_inner).claim(claim.prompt, at.tick)
    }

    fn channel(&self, device: &Device) -> Option<&Arc<dyn PushChannel>> {
        self.channels.iter().find(|channel| channel.channel() == device.channel)
    }

    fn hints(&self, claim: &PromptClaim, at: Moment, devices: &[Device]) -> Vec<(&Arc<dyn PushChannel>, PushHint)> {
        let asked = devices.iter().filter(|device| may_be_asked(claim, device));
        let known = asked.filter_map(|device| self.channel(device).map(|channel| (channel, device)));
        known.take(DEVICES_MAX).map(|(channel, device)| (channel, self.hint(claim, at, device))).collect()
    }

    fn hint(&self, claim: &PromptClaim, at: Moment, device: &Device) -> PushHint {
        PushHint {
            prompt: claim.prompt,
            user: claim.user.clone(),
            device: device.id.clone(),
            subscription: device.subscription.clone(),
            client: claim.client.clone(),
            station: claim.station.clone(),
            account_name: Arc::clone(&self.account_name),
            at,
            ends_at: claim.ends_at,
        }
    }
}

impl fmt::Debug for Push {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.channels.iter().map(|channel| channel.channel())).finish()
    }
}

/// Rules B4: "A prompt goes only to devices that can prove all that it asks. (A webhook device is told, and proves nothing.)"
fn may_be_asked(claim: &PromptClaim, device: &Device) -> bool {
    let proves_all = match device.channel {
        Channel::Webhook | Channel::WebPush => true,
        Channel::PrivacyIdea => !claim.asks.pin && shows_number(device, claim.asks.number),
        Channel::Loopback => !claim.asks.pin && claim.asks.number == NumberMatch::Off,
    };
    proves_all && device.takes(claim)
}

/// By the store app's own word, which only ever takes away what it could not show. One that never said is taken for an old one.
fn shows_number(device: &Device, number: NumberMatch) -> bool {
    let version = device.agent.as_deref().and_then(AppVersion::of_user_agent);
    match number {
        NumberMatch::Off => true,
        NumberMatch::Shown(_) => version.is_some_and(AppVersion::shows_presence),
        NumberMatch::Typed(_) => version.is_some_and(AppVersion::shows_code),
    }
}

/// One device that rang is enough. Otherwise a refusal outweighs an outage: what is not an outage of
/// every channel must not look like one (rules A5).
fn gather(results: impl Iterator<Item = (DeviceId, Result<(), PushFailure>)>) -> Result<Rung, PushFailure> {
    let (mut rung, mut refusal, mut outages) = (Vec::new(), None, Vec::new());
    for (device, result) in results {
        match result {
            Ok(()) => rung.push(device),
            Err(PushFailure::Refused(why)) => refusal = refusal.or(Some(why)),
            Err(PushFailure::Unavailable(outage)) => outages.push(outage),
        }
    }
    if !rung.is_empty() {
        return Ok(Rung { devices: rung });
    }
    match (refusal, outages.first()) {
        (Some(why), _) => Err(PushFailure::Refused(why)),
        (None, Some(first)) => {
            let confirmed = outages.iter().all(|outage| outage.confirmed);
            Err(PushFailure::Unavailable(Unavailable { why: Arc::clone(&first.why), confirmed }))
        }
        (None, None) => Err(refused("no device was asked")),
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
            return Err(refused("too many prompts are out at once"));
        }
        if !self.known.insert(prompt) {
            return Err(refused("this prompt was rung before"));
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

/// A refusal, for the log; nothing secret in `why`.
fn refused(why: impl Into<Arc<str>>) -> PushFailure {
    PushFailure::Refused(why.into())
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
