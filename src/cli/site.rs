//! What the commands about people share: the site's config and store, opened while the server may be running.

use std::future::Future;
use std::path::Path;
use std::sync::Arc;

use login::{ResolvedUser, UserName, Wall};

use super::out::{self, Failure};
use crate::config::Config;
use crate::engine::Clock;
use crate::store::{Sqlite, SqliteOptions, Store, StoreError, StoreKey};

/// A site: its config, its store and the time.
pub(super) struct Site {
    pub(super) config: Config,
    pub(super) store: Arc<dyn Store>,
    runtime: tokio::runtime::Runtime,
    clock: Clock,
}

impl Site {
    /// Opens the site of this policy file.
    pub(super) fn open(path: &Path) -> Result<Self, Failure> {
        let config = config(path)?;
        let key = StoreKey::open(&config.store.key_file).map_err(Failure::refused)?;
        let url = format!("sqlite:{}", config.store.file.display());
        let store = Sqlite::open(&url, &key, SqliteOptions::default()).map_err(Failure::refused)?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(Failure::refused)?;
        Ok(Self { config, store: Arc::new(store), runtime, clock: Clock::begin() })
    }

    /// Waits for one verb of the store.
    pub(super) fn ask<T>(&self, verb: impl Future<Output = Result<T, StoreError>>) -> Result<T, Failure> {
        self.runtime.block_on(verb).map_err(Failure::refused)
    }

    /// Waits for anything else.
    pub(super) fn wait<T>(&self, future: impl Future<Output = T>) -> T {
        self.runtime.block_on(future)
    }

    /// Now.
    pub(super) fn now(&self) -> Wall {
        self.clock.moment().wall
    }

    /// The user of a name, as a login of that name would find it (rules A2).
    pub(super) fn user(&self, name: &str) -> Result<ResolvedUser, Failure> {
        let name = UserName::parse(name.as_bytes(), &self.config.policy.realms);
        name.map(|name| name.claimed()).map_err(|refused| {
            Failure::usage(format!(
                "that can't be a user's name ({refused:?}): no blanks at the ends, no control characters, one realm"
            ))
        })
    }
}

/// The policy, or every mistake in it on standard error and exit code 2.
pub(super) fn config(path: &Path) -> Result<Config, Failure> {
    match Config::load(path) {
        Ok(loaded) => Ok(loaded.config),
        Err(mistakes) => {
            out::note(mistakes.render(out::colour_on_stderr()));
            Err(Failure::silent(2))
        }
    }
}

/// A time for people: UTC, to the second.
pub(super) fn shown_time(at: Wall) -> String {
    let seconds = i64::try_from(at.unix_seconds()).unwrap_or(i64::MAX);
    jiff::Timestamp::from_second(seconds).map_or_else(|_| "never".to_owned(), |time| time.to_string())
}
