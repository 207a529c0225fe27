//! Feeds the file from the store: read after the cursor, append and sync, then move the cursor.
//!
//! The cursor lives in the store and only grows, so a restart goes on where the file is known to be whole. The feeder keeps no
//! clock: it works when it is woken, so its owner wakes it at each record and, as long as it runs, every few seconds, which
//! also repeats what failed. It holds at most one batch in memory.

use std::sync::Arc;

use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::file::{FileSink, SinkError};
use super::line;
use crate::store::{Records, StoreError};
use crate::telemetry::{AuditTrouble, Telemetry};

/// Records in one append.
const BATCH: usize = 256;

/// The sink's name in the store. The path is no part of it: a file that moves goes on instead of beginning anew.
pub const SINK: &str = "file";

/// Carries records from the store to the file.
pub struct Feeder {
    records: Arc<dyn Records>,
    sink: FileSink,
    woken: Arc<Notify>,
    telemetry: Telemetry,
}

impl Feeder {
    /// A feeder that works whenever `woken` is notified.
    #[must_use]
    pub fn new(records: Arc<dyn Records>, sink: FileSink, woken: Arc<Notify>, telemetry: Telemetry) -> Self {
        Self { records, sink, woken, telemetry }
    }

    /// Feeds what is there, then at each waking, until cancelled; then once more what came in between.
    pub async fn run(mut self, cancel: CancellationToken) {
        while !cancel.is_cancelled() {
            self.feed_or_tell().await;
            tokio::select! {
                () = self.woken.notified() => {}
                () = cancel.cancelled() => {}
            }
        }
        self.feed_or_tell().await;
    }

    async fn feed_or_tell(&mut self) {
        if let Err(error) = self.feed().await {
            self.telemetry.emit(AuditTrouble { doing: error.doing(), error: &error });
        }
    }

    /// Feeds until nothing is left.
    async fn feed(&mut self) -> Result<(), FeedError> {
        while self.feed_batch().await? {}
        Ok(())
    }

    /// Feeds one batch; says whether there was one.
    async fn feed_batch(&mut self) -> Result<bool, FeedError> {
        let after = self.records.sink_cursor(SINK).await?;
        let batch = self.records.records_after(after, BATCH).await?;
        let Some(last) = batch.last().map(|record| record.seq) else { return Ok(false) };
        let mut lines = String::new();
        batch.iter().for_each(|record| line::write(record, &mut lines));
        self.append(lines).await?;
        // Only now: a cursor that moved before the lines were safe would leave a gap after a crash (rules F2).
        self.records.advance_sink(SINK, last).await?;
        Ok(true)
    }

    /// A disk blocks, so it is asked off the async threads.
    async fn append(&mut self, lines: String) -> Result<(), FeedError> {
        let closed = FileSink::new(self.sink.path().to_owned());
        let mut sink = std::mem::replace(&mut self.sink, closed);
        let task = tokio::task::spawn_blocking(move || {
            let result = sink.append(&lines);
            (sink, result)
        });
        let (sink, result) = task.await.map_err(|_| FeedError::Stopped)?;
        self.sink = sink;
        Ok(result?)
    }
}

impl std::fmt::Debug for Feeder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Feeder({})", self.sink.path().display())
    }
}

#[derive(Debug, thiserror::Error)]
enum FeedError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Sink(#[from] SinkError),
    #[error("the write was stopped, because the server is stopping; it is repeated at the next start")]
    Stopped,
}

impl FeedError {
    fn doing(&self) -> &'static str {
        match self {
            Self::Store(_) => "reading records from the store",
            Self::Sink(_) | Self::Stopped => "writing records to the audit file",
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::{Path, PathBuf};
    use std::sync::Mutex;

    use login::{LoginId, ResolvedUser};

    use super::*;
    use crate::store::{ChainState, StoreFuture, StoredRecord};

    /// A store of so many records, that checks at each move of the cursor that the file holds what the cursor says.
    struct Trail {
        records: u64,
        cursor: Mutex<u64>,
        file: PathBuf,
    }

    impl Trail {
        fn record(seq: u64) -> StoredRecord {
            StoredRecord { seq, login: LoginId(seq), json: format!("{{\"login\":\"{}\"}}", LoginId(seq)) }
        }

        fn after(&self, seq: u64, limit: usize) -> Vec<StoredRecord> {
            (seq + 1..=self.records).take(limit).map(Self::record).collect()
        }

        fn advance(&self, seq: u64) {
            assert!(sequence(&self.file).contains(&seq), "the cursor moves to {seq} before its line is written");
            let mut cursor = self.cursor.lock().unwrap();
            *cursor = (*cursor).max(seq);
        }
    }

    impl Records for Trail {
        fn records_after(&self, seq: u64, limit: usize) -> StoreFuture<'_, Vec<StoredRecord>> {
            let found = self.after(seq, limit);
            Box::pin(async move { Ok(found) })
        }
        fn recent_records(&self, _: &ResolvedUser, _: usize) -> StoreFuture<'_, Vec<StoredRecord>> {
            Box::pin(async { Ok(Vec::new()) })
        }
        fn record_of(&self, _: LoginId) -> StoreFuture<'_, Option<StoredRecord>> {
            Box::pin(async { Ok(None) })
        }
        fn sink_cursor(&self, _: &str) -> StoreFuture<'_, u64> {
            let cursor = *self.cursor.lock().unwrap();
            Box::pin(async move { Ok(cursor) })
        }
        fn advance_sink(&self, _: &str, seq: u64) -> StoreFuture<'_, ()> {
            self.advance(seq);
            Box::pin(async { Ok(()) })
        }
        fn verify_chain(&self) -> StoreFuture<'_, ChainState> {
            Box::pin(async { Ok(ChainState::Whole { first: 1, last: 1 }) })
        }
    }

    struct Site {
        _directory: tempfile::TempDir,
        file: PathBuf,
        trail: Arc<Trail>,
        woken: Arc<Notify>,
    }

    fn site(records: u64, cursor: u64) -> Site {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("audit.jsonl");
        let trail = Arc::new(Trail { records, cursor: Mutex::new(cursor), file: file.clone() });
        Site { _directory: directory, file, trail, woken: Arc::default() }
    }

    impl Site {
        fn feeder(&self) -> Feeder {
            let records: Arc<dyn Records> = Arc::clone(&self.trail) as _;
            Feeder::new(records, FileSink::new(self.file.clone()), Arc::clone(&self.woken), Telemetry::new())
        }
    }

    /// The sequence numbers of a file's lines; each line must be whole.
    fn sequence(file: &Path) -> Vec<u64> {
        let text = fs::read_to_string(file).unwrap();
        text.lines()
            .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap()["seq"].as_u64().unwrap())
            .collect()
    }

    #[tokio::test]
    async fn records_come_in_order_over_several_batches() {
        let site = site(600, 0);
        site.feeder().feed().await.unwrap();
        assert_eq!(sequence(&site.file), (1..=600).collect::<Vec<_>>());
    }

    /// A crash may leave the file cut at any octet, with the cursor at any record whose line was synced before.
    #[tokio::test]
    async fn after_a_crash_at_any_octet_no_record_is_missing() {
        const RECORDS: u64 = 4;
        let whole: String = (1..=RECORDS).map(Trail::record).fold(String::new(), |mut out, record| {
            line::write(&record, &mut out);
            out
        });
        for cut in 0..=whole.len() {
            let found = whole.get(..cut).unwrap();
            let synced = u64::try_from(found.matches('\n').count()).unwrap();
            for cursor in 0..=synced {
                let site = site(RECORDS, cursor);
                fs::write(&site.file, found).unwrap();
                site.feeder().feed().await.unwrap();
                let mut seen = sequence(&site.file);
                seen.sort_unstable();
                seen.dedup();
                assert_eq!(seen, (1..=RECORDS).collect::<Vec<_>>(), "cut at {cut}, cursor at {cursor}");
            }
        }
    }

    #[tokio::test]
    async fn a_file_that_fails_leaves_the_cursor_and_is_fed_once_it_works_again() {
        let site = site(3, 0);
        fs::create_dir(&site.file).unwrap();
        let mut feeder = site.feeder();
        assert!(matches!(feeder.feed().await, Err(FeedError::Sink(SinkError::NotAFile(_)))));
        assert_eq!(*site.trail.cursor.lock().unwrap(), 0);
        fs::remove_dir(&site.file).unwrap();
        feeder.feed().await.unwrap();
        assert_eq!(sequence(&site.file), [1, 2, 3]);
    }

    #[tokio::test]
    async fn a_cancelled_feeder_writes_what_is_left_before_it_ends() {
        let site = site(3, 0);
        let cancel = CancellationToken::new();
        cancel.cancel();
        site.feeder().run(cancel).await;
        assert_eq!(sequence(&site.file), [1, 2, 3]);
    }

    #[tokio::test]
    async fn trouble_is_counted_and_does_not_end_the_feeder() {
        let site = site(3, 0);
        fs::create_dir(&site.file).unwrap();
        let mut feeder = site.feeder();
        feeder.feed_or_tell().await;
        assert!(feeder.telemetry.render().contains("vestibule_troubles_total{service=\"audit\"} 1"));
    }
}
