//! A phone on loopback: it rings, and the test decides what its owner presses.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use ::vestibule::factor::BoxFuture;
use ::vestibule::factor::push::{PushChannel, PushFailure, PushHint};
use ::vestibule::store::Channel;
use tokio::sync::Mutex;
use tokio::sync::mpsc::{Receiver, Sender, channel};

use super::GENEROUS;

const RINGS_MAX: usize = 2048;

pub(crate) struct Phone {
    heard: Sender<PushHint>,
    rings: Mutex<Receiver<PushHint>>,
    rang: AtomicUsize,
}

impl Phone {
    pub(crate) fn new() -> Arc<Self> {
        let (heard, rings) = channel(RINGS_MAX);
        Arc::new(Self { heard, rings: Mutex::new(rings), rang: AtomicUsize::new(0) })
    }

    /// The next prompt that it shows.
    pub(crate) async fn rings(&self) -> PushHint {
        let mut rings = self.rings.lock().await;
        tokio::time::timeout(GENEROUS, rings.recv()).await.expect("the phone never rang").unwrap()
    }

    /// How often it rang.
    pub(crate) fn rang(&self) -> usize {
        self.rang.load(Ordering::SeqCst)
    }
}

impl PushChannel for Phone {
    fn channel(&self) -> Channel {
        Channel::Loopback
    }

    fn ring<'a>(&'a self, hint: &'a PushHint) -> BoxFuture<'a, Result<(), PushFailure>> {
        self.rang.fetch_add(1, Ordering::SeqCst);
        self.heard.try_send(hint.clone()).unwrap();
        Box::pin(async { Ok(()) })
    }

    fn withdraw<'a>(&'a self, _: &'a PushHint) -> BoxFuture<'a, Result<(), PushFailure>> {
        Box::pin(async { Ok(()) })
    }
}
