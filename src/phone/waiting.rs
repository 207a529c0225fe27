//! Phones that hold a line: a poll with nothing to show is kept a while, and released by a prompt.
//!
//! One line a phone; a newer one releases the older. The number of lines is bounded: past it a poll is answered at once, as if
//! nobody could wait (rules G1). A bell is a hint: whoever is woken looks into the store, and looks there now and then in any
//! case, since a prompt may have come by another node (rules G5).

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use login::DeviceId;
use tokio::sync::Notify;

use crate::factor::BoxFuture;
use crate::factor::push::{PushChannel, PushFailure, PushHint};
use crate::store::Channel;

/// The lines that are held. Clones are one.
#[derive(Clone, Debug)]
pub struct Waiting(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    max: usize,
    lines: Mutex<HashMap<DeviceId, Arc<Line>>>,
}

#[derive(Debug, Default)]
struct Line {
    rung: Notify,
    replaced: std::sync::atomic::AtomicBool,
}

/// A place on the line; given back when it is dropped.
#[derive(Debug)]
pub struct Seat {
    waiting: Waiting,
    device: DeviceId,
    line: Arc<Line>,
}

impl Waiting {
    /// At most so many phones at once.
    #[must_use]
    pub fn new(max: usize) -> Self {
        Self(Arc::new(Inner { max, lines: Mutex::default() }))
    }

    /// Takes a place; `None`: there is none, and the poll is answered at once.
    #[must_use]
    pub fn sit(&self, device: &DeviceId) -> Option<Seat> {
        let mut lines = self.0.lines.lock().unwrap_or_else(PoisonError::into_inner);
        if lines.len() >= self.0.max && !lines.contains_key(device) {
            return None;
        }
        let line = Arc::new(Line::default());
        if let Some(older) = lines.insert(device.clone(), Arc::clone(&line)) {
            older.replaced.store(true, std::sync::atomic::Ordering::Release);
            older.rung.notify_one();
        }
        Some(Seat { waiting: self.clone(), device: device.clone(), line })
    }

    /// Something may have changed for this phone.
    pub fn ring(&self, device: &DeviceId) {
        let lines = self.0.lines.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(line) = lines.get(device) {
            line.rung.notify_one();
        }
    }

    /// How many wait.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.lines.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// Whether nobody waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl Seat {
    /// Is ready when the phone was rung since it sat down or was last woken, or when a newer poll took its place.
    pub async fn rung(&self) {
        self.line.rung.notified().await;
    }

    /// A newer poll has its place: this one is answered with nothing.
    #[must_use]
    pub fn is_replaced(&self) -> bool {
        self.line.replaced.load(std::sync::atomic::Ordering::Acquire)
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut lines = self.waiting.0.lines.lock().unwrap_or_else(PoisonError::into_inner);
        if lines.get(&self.device).is_some_and(|line| Arc::ptr_eq(line, &self.line)) {
            lines.remove(&self.device);
        }
    }
}

/// A push channel that also wakes a page or an app that is open: the store app's whole way, and beside Web Push our page's.
pub struct Bell {
    waiting: Waiting,
    channel: Channel,
    /// What rings a phone that is not open; `None` for the store app, which nobody can wake: the VPN's prompt asks to open it.
    beyond: Option<Arc<dyn PushChannel>>,
}

impl Bell {
    /// The store app's: whoever has it open sees the prompt.
    #[must_use]
    pub fn of_store_app(waiting: Waiting) -> Self {
        Self { waiting, channel: Channel::PrivacyIdea, beyond: None }
    }

    /// Our page's: in front of Web Push, or by itself where there is none.
    #[must_use]
    pub fn of_page(waiting: Waiting, web_push: Option<Arc<dyn PushChannel>>) -> Self {
        Self { waiting, channel: Channel::WebPush, beyond: web_push }
    }
}

impl PushChannel for Bell {
    fn channel(&self) -> Channel {
        self.channel
    }

    fn ring<'a>(&'a self, hint: &'a PushHint) -> BoxFuture<'a, Result<(), PushFailure>> {
        self.waiting.ring(&hint.device);
        match &self.beyond {
            Some(channel) => channel.ring(hint),
            // Told as far as it can be: the phone asks.
            None => Box::pin(async { Ok(()) }),
        }
    }

    fn withdraw<'a>(&'a self, hint: &'a PushHint) -> BoxFuture<'a, Result<(), PushFailure>> {
        self.waiting.ring(&hint.device);
        match &self.beyond {
            Some(channel) => channel.withdraw(hint),
            None => Box::pin(async { Ok(()) }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn device(name: &str) -> DeviceId {
        DeviceId(name.into())
    }

    #[tokio::test]
    async fn a_bell_that_rang_before_anybody_listened_is_heard() {
        let waiting = Waiting::new(2);
        let seat = waiting.sit(&device("a")).unwrap();
        waiting.ring(&device("b"));
        waiting.ring(&device("a"));
        seat.rung().await;
        assert!(!seat.is_replaced());
    }

    #[tokio::test]
    async fn a_newer_poll_releases_the_older_and_keeps_its_place() {
        let waiting = Waiting::new(2);
        let older = waiting.sit(&device("a")).unwrap();
        let newer = waiting.sit(&device("a")).unwrap();
        older.rung().await;
        assert!(older.is_replaced() && !newer.is_replaced());
        drop(older);
        assert_eq!(waiting.len(), 1);
        waiting.ring(&device("a"));
        newer.rung().await;
        drop(newer);
        assert!(waiting.is_empty());
    }

    #[test]
    fn past_the_bound_nobody_waits() {
        let waiting = Waiting::new(1);
        let seat = waiting.sit(&device("a")).unwrap();
        assert!(waiting.sit(&device("b")).is_none());
        assert!(waiting.sit(&device("a")).is_some(), "who waits already may ask again");
        drop(seat);
        assert!(waiting.sit(&device("b")).is_some());
    }
}
