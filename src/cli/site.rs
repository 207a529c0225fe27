//! What most commands need first: the configuration, the store beside a server that may be running, the time, a user's name.

use std::future::Future;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use login::name::{NameRefused, Realms};
use login::{ResolvedUser, UserName, Wall};

use super::out::{Failure, is_error_coloured};
use crate::config::Config;
use crate::engine::Clock;
use crate::store::{Act, Sqlite, SqliteOptions, StoreKey};

/// What every command is given.
pub(super) struct Global {
    /// `-c FILE`.
    pub(super) config: PathBuf,
    /// `--json`.
    pub(super) json: bool,
}

/// A site's configuration and its store, open.
pub(super) struct Site {
    pub(super) config: Config,
    pub(super) store: Sqlite,
    /// When the command began.
    pub(super) now: Wall,
}

impl Site {
    /// Reads the configuration and opens the store.
    pub(super) fn open(global: &Global) -> Result<Self, Failure> {
        let config = load(&global.config)?;
        let key = StoreKey::open(&config.store.key_file).map_err(Failure::of)?;
        let file = &config.store.file;
        let is_new = !file.exists();
        let url = format!("sqlite:{}", file.display());
        let store = Sqlite::open(&url, &key, SqliteOptions::default()).map_err(Failure::of)?;
        if is_new {
            ["", "-wal", "-shm"].iter().for_each(|end| give_to_owner(&with_end(file, end)));
        }
        Ok(Self { config, store, now: now() })
    }

    /// An act on this host, to be written down (rules F2): who may run the command is an admin.
    pub(super) fn act(&self, user: &ResolvedUser, what: &str, object: Option<&str>) -> Act {
        Act {
            by: "host".into(),
            role: "host".into(),
            what: what.into(),
            user: user.clone(),
            reason: None,
            object: object.map(Into::into),
            address: None,
        }
    }

    /// The user of a name as it was typed, folded as a login's name is (rules A2).
    pub(super) fn user(&self, typed: &str) -> Result<ResolvedUser, Failure> {
        user_name(typed, &self.config.policy.realms)
    }
}

/// The configuration, or its mistakes.
pub(super) fn load(path: &Path) -> Result<Config, Failure> {
    match Config::load(path) {
        Ok(loaded) => Ok(loaded.config),
        Err(mistakes) => Err(Failure::Mistakes(mistakes.render(is_error_coloured()))),
    }
}

/// The present time.
pub(super) fn now() -> Wall {
    Clock::begin().moment().wall
}

/// Waits for one of the store's verbs.
pub(super) fn wait<T>(work: impl Future<Output = T>) -> Result<T, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    Ok(runtime.map_err(|why| Failure::Refused(format!("the runtime can't start: {why}")))?.block_on(work))
}

/// What root makes belongs to whom its directory belongs to: the service runs as that user, not as root.
pub(super) fn give_to_owner(path: &Path) {
    if !nix::unistd::geteuid().is_root() {
        return;
    }
    if let Some(directory) = path.parent().and_then(|parent| std::fs::metadata(parent).ok()) {
        // Where it can't be given away, `serve` says that it can't be read.
        let _ = std::os::unix::fs::chown(path, Some(directory.uid()), Some(directory.gid()));
    }
}

fn with_end(file: &Path, end: &str) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(end);
    name.into()
}

fn user_name(typed: &str, realms: &Realms) -> Result<ResolvedUser, Failure> {
    let why = match UserName::parse(typed.as_bytes(), realms) {
        Ok(name) => return Ok(name.claimed()),
        Err(NameRefused::Empty) => "it is empty",
        Err(NameRefused::Control) => "it holds control characters",
        Err(NameRefused::Denormal) => {
            "it begins or ends with a blank, or has characters that have a plainer form (NFKC); write the plain form"
        }
        Err(NameRefused::TwoRealms) => "it has two realms; write user, DOMAIN\\user or user@realm",
        Err(NameRefused::UnknownRealm) => "its realm is not in [realms]; add it there, or leave the realm out",
    };
    Err(Failure::Refused(format!("{typed:?} can't be a user's name: {why}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_folded_as_a_logins_name_is() {
        let realms = Realms::new([("EXAMPLE".to_owned(), "example.com".to_owned())]);
        assert_eq!(user_name("EXAMPLE\\Alice", &realms).unwrap().as_str(), "alice@example.com");
        assert!(
            matches!(user_name("alice@other.org", &realms), Err(Failure::Refused(why)) if why.contains("[realms]"))
        );
    }
}
