//! The one thread that writes, and the commit that many requests share.
//!
//! It takes one request, begins, takes whatever else waits (1,024 at most), commits once, and only then answers them all
//! (rules C1, C2: nothing is revealed before it is durable). Each request has a savepoint, so that one that is refused takes
//! nothing of the others with it. A failed commit refuses them all. The thread ends when the last sender is gone.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use rusqlite::Connection;
use tokio::sync::{mpsc, oneshot};

use super::super::error::{StoreError, Trouble};
use super::super::seal::Seals;
use super::tx::Tx;
use super::{CommitMeter, fault};

/// Requests that share one commit, at most.
pub(super) const BATCH_REQUESTS_MAX: usize = 1024;

/// Requests that wait for the writer, at most; more wait at the door, as tasks that their own logins bound (rules G1).
const QUEUE_REQUESTS_MAX: usize = 4096;

/// Answers its caller, once it is known what became of the commit.
type Settle = Box<dyn FnOnce(Result<(), StoreError>) + Send>;

/// A request in the queue: it is run in a transaction, or refused without one.
trait Request: Send {
    /// Does the work; tells how that went and keeps the answer until the commit.
    fn run(self: Box<Self>, tx: Tx<'_>) -> (Result<(), StoreError>, Settle);
    /// Answers with an error and does nothing.
    fn refuse(self: Box<Self>, error: StoreError);
}

struct Asked<T, W> {
    work: W,
    reply: oneshot::Sender<Result<T, StoreError>>,
}

impl<T, W> Request for Asked<T, W>
where
    T: Send + 'static,
    W: FnOnce(Tx<'_>) -> Result<T, StoreError> + Send,
{
    fn run(self: Box<Self>, tx: Tx<'_>) -> (Result<(), StoreError>, Settle) {
        let Self { work, reply } = *self;
        // A panic ends that request, not the store.
        let result = catch_unwind(AssertUnwindSafe(|| work(tx)))
            .unwrap_or_else(|_| Err(StoreError::Ours("a panic while writing".into())));
        let went = result.as_ref().map(drop).map_err(Clone::clone);
        // The commit's error wins: what was read in a transaction that failed is not to be told either.
        (went, Box::new(move |commit| drop(reply.send(commit.and(result)))))
    }

    fn refuse(self: Box<Self>, error: StoreError) {
        drop(self.reply.send(Err(error)));
    }
}

/// The door to the writing thread.
#[derive(Clone)]
pub(super) struct Writer {
    jobs: mpsc::Sender<Box<dyn Request>>,
    commits: Arc<AtomicU64>,
}

impl Writer {
    pub(super) fn start(db: Connection, seals: Seals, meter: Option<CommitMeter>) -> std::io::Result<Self> {
        let (jobs, queue) = mpsc::channel(QUEUE_REQUESTS_MAX);
        let commits = Arc::new(AtomicU64::new(0));
        let thread = Thread { db, seals, meter, commits: Arc::clone(&commits), queue };
        std::thread::Builder::new().name("store-writer".into()).spawn(move || thread.run())?;
        Ok(Self { jobs, commits })
    }

    /// Does `work` in the next shared commit; answers when that is durable.
    pub(super) async fn write<T: Send + 'static>(
        &self,
        work: impl FnOnce(Tx<'_>) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (reply, answer) = oneshot::channel();
        self.jobs.send(Box::new(Asked { work, reply })).await.map_err(|_| StoreError::Unavailable(Trouble::Closed))?;
        answer.await.unwrap_or_else(|_| Err(StoreError::Unknown("the store's writer ended".into())))
    }

    /// Commits so far: how well requests share them.
    pub(super) fn commits(&self) -> u64 {
        self.commits.load(Ordering::Relaxed)
    }
}

struct Thread {
    db: Connection,
    seals: Seals,
    meter: Option<CommitMeter>,
    commits: Arc<AtomicU64>,
    queue: mpsc::Receiver<Box<dyn Request>>,
}

impl Thread {
    fn run(mut self) {
        while let Some(first) = self.queue.blocking_recv() {
            match self.db.execute_batch("BEGIN IMMEDIATE") {
                Ok(()) => self.batch(first),
                Err(error) => self.refuse(first, &error.into()),
            }
        }
    }

    fn batch(&mut self, first: Box<dyn Request>) {
        let mut settles = Vec::new();
        let mut next = Some(first);
        while let Some(request) = next {
            match self.one(request) {
                (settle, Ok(())) => settles.push(settle),
                (settle, Err(error)) => {
                    settles.push(settle);
                    return self.abandon(settles, &error);
                }
            }
            next = if settles.len() < BATCH_REQUESTS_MAX { self.queue.try_recv().ok() } else { None };
        }
        match self.commit(settles.len()) {
            Ok(()) => settles.into_iter().for_each(|settle| settle(Ok(()))),
            Err(error) => self.abandon(settles, &error),
        }
    }

    /// One request in its savepoint. An error says that the whole transaction is lost.
    fn one(&self, request: Box<dyn Request>) -> (Settle, Result<(), StoreError>) {
        let opened = self.db.execute_batch("SAVEPOINT request");
        let (went, settle) = request.run(Tx { db: &self.db, seals: &self.seals });
        let close = if went.is_ok() { "RELEASE request" } else { "ROLLBACK TO request; RELEASE request" };
        // SQLite rolls the whole transaction back by itself on some errors (a full disk): then nothing of it holds.
        let result = if self.db.is_autocommit() {
            Err(went
                .err()
                .unwrap_or_else(|| StoreError::Unavailable(Trouble::Disk("the transaction ended by itself".into()))))
        } else {
            opened.and_then(|()| self.db.execute_batch(close)).map_err(StoreError::from)
        };
        (settle, result)
    }

    fn commit(&self, requests: usize) -> Result<(), StoreError> {
        let began = self.meter.as_ref().map(|meter| (meter.clock)());
        self.db.execute_batch("COMMIT").map_err(fault::of_commit)?;
        self.commits.fetch_add(1, Ordering::Relaxed);
        if let (Some(meter), Some(began)) = (&self.meter, began) {
            (meter.committed)((meter.clock)().saturating_sub(began), requests);
        }
        Ok(())
    }

    /// A failed transaction refuses everybody in it; nothing of it was revealed.
    fn abandon(&self, settles: Vec<Settle>, error: &StoreError) {
        if !self.db.is_autocommit() {
            drop(self.db.execute_batch("ROLLBACK"));
        }
        settles.into_iter().for_each(|settle| settle(Err(error.clone())));
    }

    /// No transaction can begin: all who wait hear it now, instead of each waiting as long for the lock.
    fn refuse(&mut self, first: Box<dyn Request>, error: &StoreError) {
        first.refuse(error.clone());
        for _ in 0..self.queue.len() {
            self.queue.try_recv().into_iter().for_each(|request| request.refuse(error.clone()));
        }
    }
}
