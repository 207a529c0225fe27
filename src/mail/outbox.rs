//! The outbox' runner: takes the letters that are due, gives each to the courier and writes down what became of it.
//!
//! At least once: a letter is gone only when the courier has it and that is written down. What fails for now is tried again after
//! 30 s, a minute, two … an hour, for about a day (an activation code is good for no longer); what is refused, or has been tried
//! too often, is given up and told. It owns no clock and no row: both are the caller's. Whoever starts it owns its one task, and
//! the letters on their way end with it.

use std::sync::Arc;
use std::time::Duration;

use login::{Moment, Wall};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::{BoxFuture, Courier, Letter, LetterId, MailFailure};
use crate::telemetry::{MailTrouble, Telemetry};

/// Letters with the courier at once: no more than it has turns, so that none waits past what [`Letters::due`] promises.
const ON_THEIR_WAY_MAX: usize = 4;
/// How often it looks, though nobody said that a letter came.
const LOOK_EVERY: Duration = Duration::from_secs(10);
/// After the first failure; doubles with each further one.
const RETRY_AFTER: Duration = Duration::from_secs(30);
const RETRY_AFTER_MAX: Duration = Duration::from_secs(3600);
/// Seven doublings and a day of hours.
const TRIES_MAX: u32 = 30;
/// When told to stop: for the letters that are with the courier.
const FINISH_WITHIN: Duration = Duration::from_secs(5);

/// A letter that is to go out now.
#[derive(Clone, Debug)]
pub struct Due {
    pub letter: Letter,
    /// How often it has been handed out, this time included: 1 at first. Counted when it is handed out, so that a letter that ends
    /// the process is not tried for ever.
    pub tries: u32,
}

/// What becomes of a letter that was not delivered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Then {
    /// It is due again then.
    Again { not_before: Wall },
    /// It is never due again; whoever keeps it may drop it, code and all.
    GiveUp,
}

/// The letters that wait, durable. The store keeps them sealed (rules F1).
pub trait Letters: Send + Sync {
    /// Hands out at most `most` letters that are due at `now`, the longest due first, and to nobody else for the next two minutes
    /// (which is longer than a delivery takes): another node must not send them as well.
    fn due(&self, now: Moment, most: usize) -> BoxFuture<'_, Result<Vec<Due>, LettersUnavailable>>;

    /// It is delivered. A letter that is not known any more is no error.
    fn sent(&self, letter: LetterId) -> BoxFuture<'_, Result<(), LettersUnavailable>>;

    /// It is not.
    fn failed(&self, letter: LetterId, then: Then) -> BoxFuture<'_, Result<(), LettersUnavailable>>;

    /// Is ready when a letter has come since the last call: a hint, which may be lost.
    fn arrived(&self) -> BoxFuture<'_, ()>;
}

/// The letters can't be read or written now; says why.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the letters that wait can't be read or written: {0}")]
pub struct LettersUnavailable(pub String);

/// The caller's clock.
pub trait Waiter: Send + Sync {
    /// Now.
    fn moment(&self) -> Moment;

    /// Is ready after `duration`.
    fn wait(&self, duration: Duration) -> BoxFuture<'_, ()>;
}

/// Runs until `stop`; the letters that are with the courier then have five more seconds.
pub async fn run(
    letters: Arc<dyn Letters>,
    courier: Arc<dyn Courier>,
    waiter: Arc<dyn Waiter>,
    telemetry: Telemetry,
    stop: CancellationToken,
) {
    let outbox = Arc::new(Outbox { letters, courier, waiter, telemetry });
    let mut on_their_way = JoinSet::new();
    let mut look = true;
    loop {
        let room = ON_THEIR_WAY_MAX - on_their_way.len();
        if look && room > 0 {
            let due = tokio::select! {
                biased;
                () = stop.cancelled() => break,
                due = outbox.due(room) => due,
            };
            look = due.len() == room;
            for due in due {
                on_their_way.spawn(Arc::clone(&outbox).deliver(due));
            }
        }
        tokio::select! {
            biased;
            () = stop.cancelled() => break,
            Some(_) = on_their_way.join_next() => {}
            () = outbox.letters.arrived() => look = true,
            () = outbox.waiter.wait(LOOK_EVERY) => look = true,
        }
    }
    tokio::select! {
        biased;
        () = async { while on_their_way.join_next().await.is_some() {} } => {}
        () = outbox.waiter.wait(FINISH_WITHIN) => {}
    }
}

struct Outbox {
    letters: Arc<dyn Letters>,
    courier: Arc<dyn Courier>,
    waiter: Arc<dyn Waiter>,
    telemetry: Telemetry,
}

impl Outbox {
    async fn due(&self, most: usize) -> Vec<Due> {
        self.letters.due(self.waiter.moment(), most).await.unwrap_or_else(|error| {
            self.telemetry.emit(MailTrouble { error: &error });
            Vec::new()
        })
    }

    async fn deliver(self: Arc<Self>, due: Due) {
        let id = due.letter.id;
        let written = match self.courier.send(&due.letter).await {
            Ok(()) => self.delivered(id).await,
            Err(failure) => {
                self.telemetry.emit(MailTrouble { error: &failure });
                self.letters.failed(id, self.then(&failure, due.tries)).await
            }
        };
        if let Err(error) = written {
            self.telemetry.emit(MailTrouble { error: &error });
        }
    }

    /// Written down twice if need be: a letter that is delivered and not written down goes out again.
    async fn delivered(&self, id: LetterId) -> Result<(), LettersUnavailable> {
        match self.letters.sent(id).await {
            Ok(()) => Ok(()),
            Err(_) => self.letters.sent(id).await,
        }
    }

    fn then(&self, failure: &MailFailure, tries: u32) -> Then {
        match failure {
            MailFailure::Unavailable(_) if tries < TRIES_MAX => {
                Then::Again { not_before: self.waiter.moment().wall.plus(pause(tries)) }
            }
            MailFailure::Unavailable(_) | MailFailure::Refused(_) => Then::GiveUp,
        }
    }
}

/// How long a letter rests after so many tries.
fn pause(tries: u32) -> Duration {
    let doublings = tries.saturating_sub(1).min(16);
    RETRY_AFTER.saturating_mul(1 << doublings).min(RETRY_AFTER_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pauses_double_up_to_an_hour_and_last_about_a_day() {
        let seconds: Vec<u64> = (1..=9).map(|tries| pause(tries).as_secs()).collect();
        assert_eq!(seconds, [30, 60, 120, 240, 480, 960, 1920, 3600, 3600]);
        let all: Duration = (1..TRIES_MAX).map(pause).sum();
        assert!((20..30).contains(&(all.as_secs() / 3600)), "{all:?}");
        assert_eq!(pause(u32::MAX), RETRY_AFTER_MAX);
    }
}
