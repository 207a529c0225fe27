//! What is SQLite's own: the conformance suite over a file, and then the file itself, its forgers, its crashes.

mod durable;
mod file;
mod forged;
mod forged_web;
mod migrated;
mod shared;

use std::path::PathBuf;
use std::sync::Arc;

use rusqlite::Connection;
use tempfile::TempDir;

use super::super::conformance::{Site, every_store_must};
use super::super::error::StoreError;
use super::super::key::StoreKey;
use super::super::verbs::Store;
use super::{Sqlite, SqliteOptions};

/// A directory with a key; the store's file appears in it when it is first opened.
struct Place {
    directory: TempDir,
    key: StoreKey,
}

impl Place {
    fn path(&self) -> PathBuf {
        self.directory.path().join("vestibule.db")
    }

    fn try_open(&self, options: SqliteOptions) -> Result<Sqlite, StoreError> {
        Sqlite::open(&format!("sqlite:{}", self.path().display()), &self.key, options)
    }

    fn sqlite(&self) -> Sqlite {
        self.try_open(SqliteOptions::default()).unwrap()
    }

    /// Somebody else's hand in the file.
    fn forge(&self, sql: &str) {
        Connection::open(self.path()).unwrap().execute_batch(sql).unwrap();
    }
}

impl Site for Place {
    fn fresh() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let key = StoreKey::generate(&directory.path().join("store.key")).unwrap();
        Self { directory, key }
    }

    fn open(&self) -> Arc<dyn Store> {
        Arc::new(self.sqlite())
    }
}

every_store_must!(Place);
