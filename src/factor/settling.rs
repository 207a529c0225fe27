//! How a guess is written down: repeated for as long as nobody knows whether it was, and revealed only then (rules C1).

use login::Unavailable;

use super::BoxFuture;
use crate::store::{StoreError, StoreFuture};

/// How long an unknown commit may be asked about. The engine's waits a little and ends at the login's deadline.
pub trait Patience: Send + Sync {
    /// Waits before repetition number `again` (from 1); `false` when time is up.
    fn wait(&self, again: u32) -> BoxFuture<'_, bool>;
}

/// The simplest patience: so many repetitions, at once.
#[derive(Clone, Copy, Debug)]
pub struct Tries(pub u32);

impl Patience for Tries {
    fn wait(&self, again: u32) -> BoxFuture<'_, bool> {
        Box::pin(std::future::ready(again <= self.0))
    }
}

/// Rules C1: "An unknown commit is settled by repeating the statement; unsettled by the deadline = no Accept." `what` is what
/// is written, for the one who reads of it.
pub(super) async fn settled<'a, T>(
    what: &str,
    patience: &dyn Patience,
    commit: impl Fn() -> StoreFuture<'a, T>,
) -> Result<T, Unavailable> {
    let mut again = 0;
    loop {
        match commit().await {
            Ok(committed) => return Ok(committed),
            Err(StoreError::Unknown(_)) => {}
            // Once a commit is unknown, an error of its repetition settles nothing.
            Err(_) if again > 0 => {}
            Err(error) => return Err(away(error)),
        }
        again += 1;
        if !patience.wait(again).await {
            return Err(Unavailable::seen(format!("the store could not say in time whether {what} was written")));
        }
    }
}

/// The store can't be read or written: nothing is right (rules A5).
pub(super) fn away(error: StoreError) -> Unavailable {
    Unavailable::seen(error.to_string())
}
