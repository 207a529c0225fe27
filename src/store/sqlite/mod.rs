//! The store as one SQLite file, in WAL mode with `synchronous=FULL` (rules C2).
//!
//! One thread writes, and many requests share its commit ([`writer`]); a few threads read, each on its own connection
//! ([`reader`]). Nothing here blocks an async thread, and no runtime is needed. Other processes (the command line) may open
//! the same file at the same time: each waits for the other's lock, for [`SqliteOptions::busy`] at most.

mod acts;
mod alikes;
mod asked;
mod bypasses;
mod choices;
mod codes;
mod devices;
mod fault;
mod guesses;
mod impls;
mod letters;
mod numbers;
mod open;
mod overview;
mod people_codes;
mod phones;
mod pins;
mod prompt_rows;
mod prompts;
mod reader;
mod records;
mod releases;
mod rename;
mod repeats;
mod retention;
mod schema;
mod stances;
#[cfg(test)]
mod tests;
mod tokens;
mod tx;
mod users;
mod web;
mod web_sessions;
mod writer;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use login::GroupName;
use tokio::sync::Notify;

use super::error::{KeyError, StoreError};
use super::key::StoreKey;
use super::seal::Seals;
use reader::Readers;
use writer::Writer;

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

/// The groups that somebody is in, of the store in `file`; `None` where none is there yet. Nothing is written.
#[must_use]
pub fn groups_in(file: &Path) -> Option<std::collections::BTreeSet<GroupName>> {
    Some(open::groups(file)?.iter().map(|name| GroupName::folded(name)).collect())
}

impl StoreKey {
    /// Why this key can't open the store in `file`: another one sealed it. Nothing is written, and a file that isn't there or
    /// can't be read says nothing.
    #[must_use]
    pub fn mismatch(&self, file: &Path) -> Option<KeyError> {
        open::mismatch(file, &Seals::new(self))
    }
}

/// A SQLite file, open. Cheap to clone; share it as `Arc<dyn Store>`. Its threads end with the last clone.
#[derive(Clone)]
pub struct Sqlite {
    writer: Writer,
    readers: Readers,
    seals: Seals,
    letter_came: Arc<Notify>,
}

impl Sqlite {
    /// The names in a file as they lie there; empty where there is none. It needs no key, and authenticates nothing.
    #[must_use]
    pub fn stored_names(file: &Path) -> Vec<super::rows::StoredName> {
        open::names(file)
    }

    /// Opens `sqlite:/path`, making the file (owner-only) and bringing its tables up to date where needed.
    ///
    /// Fails if the key is not the one that the file was made with, if the file is another program's or of a newer version,
    /// or if SQLite does not promise durability there. Blocks for as long as that takes; call it before the tasks start.
    pub fn open(url: &str, key: &StoreKey, options: SqliteOptions) -> Result<Self, StoreError> {
        let path = open::path_of(url)?;
        let seals = Seals::new(key);
        let (db, connections) = open::patiently(&path, &options, || {
            let mut db = open::writing(&path, &options)?;
            schema::migrate(&mut db)?;
            open::check_key(&mut db, &seals)?;
            let connections = (0..options.readers.max(1)).map(|_| open::reading(&path, &options));
            Ok((db, connections.collect::<Result<_, _>>()?))
        })?;
        let no_thread =
            |error: std::io::Error| StoreError::Setup(format!("the store's threads can't start: {error}").into());
        let readers = Readers::start(connections, &seals).map_err(no_thread)?;
        let writer = Writer::start(db, seals.clone(), options.meter).map_err(no_thread)?;
        Ok(Self { writer, readers, seals, letter_came: Arc::default() })
    }

    /// Commits so far: with how many requests each was shared, a meter tells.
    #[must_use]
    pub fn commits(&self) -> u64 {
        self.writer.commits()
    }
}
