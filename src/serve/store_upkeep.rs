//! Whether the store still stands: it is read and written now and then, also where nobody logs in.
//!
//! What it finds decides what `/readyz` says and whether anybody's password is asked for at all (rules A10): a login that the
//! store can't write down ends in no Accept, so the appliance had better ask its next server. Besides, records that were kept long
//! enough are cut off, a stretch at a time, and a disk that has little room is told of before it is full (rules F2).

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use login::{ClientName, Tick, Wall};

use super::ops::{Part, Readiness};
use super::room_left::RoomLeft;
use crate::audit::SINK;
use crate::client::Gate;
use crate::config::Config;
use crate::engine::{Clock, Engine};
use crate::sign_in::ConfigHandle;
use crate::store::{Keep, Store, StoreError};
use crate::telemetry::{AuditTrouble, DiskFills, RecordsCut, StoreRecovered, StoreSpace, StoreTrouble, Telemetry};

/// A store that says nothing for so long is away: a disk that hangs is no better than a full one.
const ANSWERS_WITHIN: Duration = Duration::from_secs(10);

/// In one look so many commits at most cut off records or amend them: what is left over has time until the next.
const COMMITS_MAX: usize = 8;

/// A disk that fills is told of so often.
const TOLD_EVERY: Duration = Duration::from_secs(3600);

/// Looks after the store of a running server.
#[derive(Clone)]
pub(super) struct StoreUpkeep {
    pub(super) store: Arc<dyn Store>,
    pub(super) gate: Arc<Gate>,
    pub(super) engine: Engine,
    pub(super) readiness: Readiness,
    pub(super) telemetry: Telemetry,
    pub(super) clock: Clock,
    pub(super) config: ConfigHandle,
    /// When it was told last that the disk fills.
    pub(super) told_at: Arc<Mutex<Option<Tick>>>,
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
                if let Err(error) = self.keep_records().await {
                    self.telemetry.emit(StoreTrouble { doing: "cutting off old records", error: &error });
                }
            }
            Err(away) => {
                self.readiness.falls(Part::Store, away.to_string());
                self.engine.store_stands(Some(away.to_string()));
                self.telemetry
                    .emit(StoreTrouble { doing: "looking whether the store can be read and written", error: &away });
            }
        }
    }

    /// What is over is amended, what is old goes, and how much room there is is counted.
    async fn keep_records(&self) -> Result<(), StoreError> {
        let (config, now) = ((self.config)(), self.clock.moment().wall);
        for _ in 0..COMMITS_MAX {
            if self.store.settle_repeats(now).await? == 0 {
                break;
            }
        }
        let keep = Keep {
            since: Wall(now.0.saturating_sub(u64::try_from(config.audit.keep.as_millis()).unwrap_or(u64::MAX))),
            at_most: Some(config.audit.keep_at_most),
            fed: config.audit.file.as_ref().map(|_| SINK.to_owned()),
        };
        let (mut cut, mut used) = (0, 0);
        for _ in 0..COMMITS_MAX {
            let pruned = self.store.prune_records(keep.clone()).await?;
            (cut, used) = (cut + pruned.records, pruned.used);
            if pruned.waits_for_sink {
                let error = "they are due, and stay until [audit] file has taken them";
                self.telemetry.emit(AuditTrouble { doing: "cutting off old records", error: &error });
            }
            if pruned.records == 0 {
                break;
            }
        }
        if cut > 0 {
            self.telemetry.emit(RecordsCut { records: cut });
        }
        self.tell_of_room(&config, used);
        Ok(())
    }

    fn tell_of_room(&self, config: &Config, used: u64) {
        let Some(room) = RoomLeft::beside(&config.store.file) else { return };
        self.telemetry.emit(StoreSpace { used, free: room.free, is_little: room.is_little() });
        let (now, mut told_at) = (self.clock.tick(), self.told_at.lock().unwrap_or_else(PoisonError::into_inner));
        if !room.is_little() {
            *told_at = None;
        } else if told_at.is_none_or(|told| now.since(told) >= TOLD_EVERY) {
            *told_at = Some(now);
            self.telemetry.emit(DiskFills { used, free: room.free, all: room.all });
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
