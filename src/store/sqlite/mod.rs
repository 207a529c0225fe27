//! The store as one SQLite file, in WAL mode with `synchronous=FULL` (rules C2).
//!
//! One thread writes, and many requests share its commit; a few threads read, each on its own connection. Nothing here
//! blocks an async thread. Other processes (the command line) may open the same file at the same time.

use std::time::Duration;

use super::error::StoreError;
use super::key::StoreKey;

/// How a commit is measured: the store reads no clock of its own.
pub struct CommitMeter {
    /// A monotonic clock.
    pub clock: Box<dyn Fn() -> Duration + Send>,
    /// Told how long each commit took and how many requests shared it.
    pub committed: Box<dyn Fn(Duration, usize) + Send>,
}

/// How a file is opened.
pub struct SqliteOptions {
    /// Threads that read.
    pub readers: usize,
    /// How long another process's lock is waited for.
    pub busy: Duration,
    /// Measures commits.
    pub meter: Option<CommitMeter>,
}

impl Default for SqliteOptions {
    fn default() -> Self {
        Self { readers: 2, busy: Duration::from_secs(5), meter: None }
    }
}

/// A SQLite file, open. Cheap to clone; share it as `Arc<dyn Store>`.
#[derive(Clone)]
pub struct Sqlite {}

impl Sqlite {
    /// Opens `sqlite:/path`, making the file (owner-only) and bringing its tables up to date where needed.
    pub fn open(_url: &str, _key: &StoreKey, _options: SqliteOptions) -> Result<Self, StoreError> {
        Err(StoreError::Setup("being built".into()))
    }
}
