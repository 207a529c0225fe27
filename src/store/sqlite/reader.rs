//! The threads that read, each on a connection of its own that can't write.
//!
//! Each request sees one snapshot of the store, from its first statement to its last. WAL lets them read while the writer
//! commits, and what was answered by the writer is seen by every later read.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError};

use rusqlite::Connection;
use tokio::sync::{mpsc, oneshot};

use super::super::error::{StoreError, Trouble};
use super::super::seal::Seals;
use super::tx::Tx;

/// Requests that wait for a reader, at most; more wait at the door, as tasks that their own logins bound (rules G1).
const QUEUE_REQUESTS_MAX: usize = 4096;

type Job = Box<dyn FnOnce(&Connection, &Seals) + Send>;

/// The door to the reading threads.
#[derive(Clone)]
pub(super) struct Readers {
    jobs: mpsc::Sender<Job>,
}

impl Readers {
    pub(super) fn start(connections: Vec<Connection>, seals: &Seals) -> std::io::Result<Self> {
        let (jobs, queue) = mpsc::channel(QUEUE_REQUESTS_MAX);
        let queue = Arc::new(Mutex::new(queue));
        for (n, db) in connections.into_iter().enumerate() {
            let (queue, seals) = (Arc::clone(&queue), seals.clone());
            std::thread::Builder::new().name(format!("store-reader-{n}")).spawn(move || serve(&queue, &db, &seals))?;
        }
        Ok(Self { jobs })
    }

    /// Does `work` on one snapshot.
    pub(super) async fn read<T: Send + 'static>(
        &self,
        work: impl FnOnce(Tx<'_>) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (reply, answer) = oneshot::channel();
        let job: Job = Box::new(move |db, seals| drop(reply.send(snapshot(db, seals, work))));
        self.jobs.send(job).await.map_err(|_| StoreError::Unavailable(Trouble::Closed))?;
        answer.await.unwrap_or(Err(StoreError::Unavailable(Trouble::Closed)))
    }
}

fn serve(queue: &Mutex<mpsc::Receiver<Job>>, db: &Connection, seals: &Seals) {
    // The lock is held only while waiting for a request, never while one is served; nothing can break under it.
    while let Some(job) = queue.lock().unwrap_or_else(PoisonError::into_inner).blocking_recv() {
        job(db, seals);
    }
}

fn snapshot<T>(
    db: &Connection,
    seals: &Seals,
    work: impl FnOnce(Tx<'_>) -> Result<T, StoreError>,
) -> Result<T, StoreError> {
    let transaction = db.unchecked_transaction()?;
    // A panic ends that request, not the reader.
    let result = catch_unwind(AssertUnwindSafe(|| work(Tx { db, seals })));
    drop(transaction);
    result.unwrap_or_else(|_| Err(StoreError::Ours("a panic while reading".into())))
}
