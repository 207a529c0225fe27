//! Whether the store still stands: it is read and written now and then, also where nobody logs in.
//!
//! What it finds decides what `/readyz` says and whether anybody's password is asked for at all (rules A10): a login that the
//! store can't write down ends in no Accept, so the appliance had better ask its next server.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use login::ClientName;

use super::ops::{Part, Readiness};
use crate::client::Gate;
use crate::engine::{Clock, Engine};
use crate::store::{Store, StoreError};
use crate::telemetry::{StoreRecovered, StoreTrouble, Telemetry};

/// A store that says nothing for so long is away: a disk that hangs is no better than a full one.
const ANSWERS_WITHIN: Duration = Duration::from_secs(10);

/// Looks after the store of a running server.
#[derive(Clone)]
pub(super) struct StoreUpkeep {
    pub(super) store: Arc<dyn Store>,
    pub(super) gate: Arc<Gate>,
    pub(super) engine: Engine,
    pub(super) readiness: Readiness,
    pub(super) telemetry: Telemetry,
    pub(super) clock: Clock,
}

impl StoreUpkeep {
    /// One look: what `auto` has learned is read (rules E2), and something is written.
    pub(super) async fn look(&self) {
        let looked = tokio::select! {
            looked = self.read_and_write() => looked,
            () = self.clock.wait(ANSWERS_WITHIN) => Err(Away::Silent),
        };
        match looked {
            Ok(learned) => {
                self.readiness.stands(Part::Store);
                if self.engine.store_stands(None) {
                    self.telemetry.emit(StoreRecovered);
                }
                self.gate.take_learned(&learned);
            }
            Err(away) => {
                self.readiness.falls(Part::Store, away.to_string());
                self.engine.store_stands(Some(away.to_string()));
                self.telemetry
                    .emit(StoreTrouble { doing: "looking whether the store can be read and written", error: &away });
            }
        }
    }

    async fn read_and_write(&self) -> Result<BTreeSet<ClientName>, Away> {
        let mut learned = BTreeSet::new();
        for name in self.gate.names() {
            if self.store.stance(&name).await?.is_some() {
                learned.insert(name);
            }
        }
        self.store.try_write().await?;
        Ok(learned)
    }
}

/// Why the store does not stand, in words for whoever asks: they name no user and no secret.
#[derive(Debug, thiserror::Error)]
enum Away {
    #[error("{0}")]
    Says(#[from] StoreError),
    #[error("the store has not answered for {} s; check the disk and the kernel's log", ANSWERS_WITHIN.as_secs())]
    Silent,
}
