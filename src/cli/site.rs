//! What most commands need first: the configuration, the store beside a server that may be running, the time, a user's name.

use std::future::Future;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use login::{Policy, ResolvedUser, UserName, Wall};

use super::out::{Failure, is_error_coloured, note};
use super::shell;
use crate::config::Config;
use crate::engine::Clock;
use crate::mail::{self, LetterKind, Reader, StaffAction};
use crate::store::web::{Acts, Choices};
use crate::store::{Act, Sqlite, SqliteOptions, StoreKey};

/// What every command is given.
pub(super) struct Global {
    /// `-c FILE`.
    pub(super) config: PathBuf,
    /// `--json`.
    pub(super) json: bool,
}

impl Global {
    /// This program for the same site, as a person types it.
    pub(super) fn program(&self) -> String {
        shell::program(&self.config)
    }
}

/// A site's configuration and its store, open.
pub(super) struct Site {
    pub(super) config: Config,
    pub(super) store: Sqlite,
    /// When the command began.
    pub(super) now: Wall,
    /// This program for the same site.
    program: String,
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
        Ok(Self { config, store, now: now(), program: global.program() })
    }

    /// A command about a user, to be pasted: `verb` with its options, the name, and the arguments that follow it.
    pub(super) fn command(&self, verb: &str, user: &ResolvedUser, rest: &str) -> String {
        let blank = if rest.is_empty() { "" } else { " " };
        format!("{} {verb} {}{blank}{rest}", self.program, shell::operand(user.as_str()))
    }

    /// A text of another room, with commands for this site.
    pub(super) fn note(&self, text: &str) {
        note(shell::addressed(text, &self.program));
    }

    /// An act on this host, to be written down (rules F2): who may run the command is an admin.
    pub(super) fn act(&self, user: &ResolvedUser, what: &str, object: Option<&str>) -> Act {
        Act {
            by: who().into(),
            role: "host".into(),
            what: what.into(),
            user: user.clone(),
            reason: None,
            object: object.map(Into::into),
            address: None,
        }
    }

    /// Rules F2, F4: it stands in the chain of the records before it is done, or before what it made is shown.
    pub(super) fn write_down(
        &self,
        user: &ResolvedUser,
        what: &str,
        object: Option<&str>,
        reason: Option<&str>,
    ) -> Result<(), Failure> {
        let act = Act { reason: reason.map(Into::into), ..self.act(user, what, object) };
        wait(self.store.write_act(act, self.now))?.map(drop).map_err(Failure::of)
    }

    /// Rules F4: the user hears of it, where the site sends mail and an address is known. What was done stands in any case.
    pub(super) fn tell(&self, user: &ResolvedUser, kind: LetterKind) -> Result<(), Failure> {
        if self.config.mail.is_none() {
            return Ok(());
        }
        let posted = wait(async {
            match Reader::of(&self.store.choices(user).await?) {
                Some(reader) => mail::post(&self.store, reader, user, kind, self.now).await,
                None => Ok(()),
            }
        })?;
        if let Err(why) = posted {
            self.note(&format!("Note: it is done, but no letter tells {user} of it: {why}."));
        }
        Ok(())
    }

    /// The same, of what has no letter of its own.
    pub(super) fn tell_of(&self, user: &ResolvedUser, what: StaffAction) -> Result<(), Failure> {
        self.tell(user, LetterKind::StaffAct { what, by: who(), reason: String::new() })
    }

    /// The user of a name as it was typed, folded as a login's name is (rules A2).
    pub(super) fn user(&self, typed: &str) -> Result<ResolvedUser, Failure> {
        self.name(typed).map(|name| name.claimed())
    }

    /// A name as it was typed, for whoever adds it.
    pub(super) fn name(&self, typed: &str) -> Result<UserName, Failure> {
        user_name(typed, &self.config.policy)
    }
}

/// Who runs the command, for the record of what is done: `host`, and the account on it where that is known.
pub(super) fn who() -> String {
    let account = nix::unistd::User::from_uid(nix::unistd::getuid()).ok().flatten().map(|user| user.name);
    // Root by sudo is somebody: only root can be told so, and root could write anything anyway.
    let behind = nix::unistd::getuid().is_root().then(|| std::env::var("SUDO_USER").ok()).flatten();
    let is_plain = |name: &String| {
        (1..=64).contains(&name.len())
            && name.bytes().all(|octet| octet.is_ascii_alphanumeric() || b"._-@".contains(&octet))
    };
    match behind.filter(is_plain).or(account.filter(is_plain)) {
        Some(account) => format!("host ({account})"),
        None => "host".to_owned(),
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

fn user_name(typed: &str, policy: &Policy) -> Result<UserName, Failure> {
    policy
        .staff_name(typed.as_bytes())
        .map_err(|why| Failure::Refused(format!("{typed:?} can't be a user's name: {}", why.sentence())))
}

#[cfg(test)]
mod tests {
    use login::name::Realms;

    use super::*;

    #[test]
    fn a_name_is_folded_as_a_logins_name_is() {
        let realms = Realms::listed([("EXAMPLE".to_owned(), "example.com".to_owned())], None);
        let policy = Policy { realms, ..Policy::default() };
        assert_eq!(user_name("EXAMPLE\\Alice", &policy).unwrap().folded(), "alice@example.com");
        for (name, mend) in [("alice@other.org", "OTHER = \"other.org\""), ("alice", "default = \"example.com\"")] {
            assert!(matches!(user_name(name, &policy), Err(Failure::Refused(why)) if why.contains(mend)), "{name}");
        }
    }
}
