//! What can go wrong with a store, sorted by blame, each with a sentence that says what to do next.
//!
//! No error is a yes (rules A5: the store knows only deny), and none carries a secret.

use std::path::PathBuf;
use std::sync::Arc;

/// Why a verb did not do what it was asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// Nothing was changed; trying again later may help.
    #[error("{0}")]
    Unavailable(Trouble),
    /// The commit failed in such a way that nobody knows whether it holds: repeat the same call to settle it (rules C1).
    #[error(
        "the store could not say whether its last commit reached the disk ({0}); check the disk, the call is repeated to settle it"
    )]
    Unknown(Arc<str>),
    /// What was asked for does not make sense for what is there; nothing was changed.
    #[error("{0}")]
    Refused(Refusal),
    /// A sealed or authenticated row is not what we wrote (rules F1).
    #[error(
        "{table} row {row} in the store was changed by somebody else, or copied from another place; it is refused. Restore the store from a backup, or remove that row with `vestibule` and add it anew"
    )]
    Tampered {
        /// Which table.
        table: &'static str,
        /// Which row.
        row: Arc<str>,
    },
    /// SQLite says the file is damaged, or is none of ours.
    #[error("the store is damaged: {0}. Stop the server, keep the file, and restore a backup")]
    Damaged(Arc<str>),
    /// The key that seals the store.
    #[error("{0}")]
    Key(#[from] KeyError),
    /// The store can't be opened as it is set up.
    #[error("{0}")]
    Setup(Arc<str>),
    /// A mistake of ours; nothing was changed.
    #[error("the store met a mistake of its own: {0}. Please report it")]
    Ours(Arc<str>),
}

impl StoreError {
    /// Sorts by blame: the store is well and what was asked does not fit what is there, or (`Err`) the store can't.
    ///
    /// # Errors
    /// The error itself, if it is the store's own.
    pub fn refusal(self) -> Result<Refusal, Self> {
        match self {
            Self::Refused(refusal) => Ok(refusal),
            Self::Unavailable(_)
            | Self::Unknown(_)
            | Self::Tampered { .. }
            | Self::Damaged(_)
            | Self::Key(_)
            | Self::Setup(_)
            | Self::Ours(_) => Err(self),
        }
    }
}

/// Why the store can't be reached now.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Trouble {
    /// Another process holds the write lock for longer than we wait.
    #[error("the store is locked by another process; end that process (a backup? a long import?) and try again")]
    Locked,
    /// No room on the disk.
    #[error("the store's disk is full; make room, nothing was lost")]
    Full,
    /// It can't be written, by permission or because the file system is read-only.
    #[error("the store can't be written: {0}; check the owner and the mode of the file and its directory")]
    ReadOnly(Arc<str>),
    /// Reading or writing failed.
    #[error("the store's disk fails: {0}; check the disk and the kernel's log")]
    Disk(Arc<str>),
    /// The store is being shut down.
    #[error("the store is closed, because the server is stopping")]
    Closed,
}

/// Why what was asked for does not make sense.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The name is taken.
    #[error("there is a user {0:?} already; `vestibule user show` tells of it")]
    UserExists(Arc<str>),
    /// The name looks like another user's (rules A2).
    #[error("{name:?} looks like the user {other:?}; add --not-the-same-as '{other}' if they are two people")]
    LooksLike {
        /// The name.
        name: Arc<str>,
        /// Whom it looks like.
        other: Arc<str>,
    },
    /// Nobody has that name.
    #[error("there is no user {0:?}; `vestibule user list` shows all, `vestibule user add` adds one")]
    NoUser(Arc<str>),
    /// No active token has that id.
    #[error("there is no token {0:?}; `vestibule token list USER` shows a user's tokens")]
    NoToken(Arc<str>),
    /// No active device has that id, or the user has none.
    #[error("there is no device {0:?}; `vestibule device list USER` shows a user's devices")]
    NoDevice(Arc<str>),
    /// A device that is only told and can't answer.
    #[error("device {0:?} is told of logins but can't answer them")]
    DeviceCannotAnswer(Arc<str>),
    /// No prompt has that id.
    #[error("there is no such prompt; it may have ended long ago")]
    NoPrompt,
    /// Not a name that a user can have.
    #[error("{0:?} can't be a user's name: 1 to 253 octets, no control characters")]
    Name(Arc<str>),
    /// The user has a token with this seed, whatever its kind, digits or hash (rules C1).
    #[error(
        "the user has this very secret already, in token {0:?}; a code would work twice. `vestibule token remove` takes the old one away, `vestibule token resync` sets its counter right"
    )]
    SameSeed(Arc<str>),
    /// A token from which no code could come.
    #[error("the token is refused: {0}")]
    Token(&'static str),
    /// A bound of ours on what is not one user's.
    #[error("{most} {what} wait already, which is the most; mend what keeps them waiting")]
    Full {
        /// Of what.
        what: &'static str,
        /// The bound.
        most: usize,
    },
    /// A bound of ours.
    #[error("the user has {most} {what} already, which is the most; remove one first")]
    TooMany {
        /// Of what.
        what: &'static str,
        /// The bound.
        most: usize,
    },
}

/// What is wrong with the file that holds the store's key (rules F1).
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// There is none.
    #[error("the store's key {} is missing; put it back from where you keep it, or, for a new site only, run `vestibule init`", .0.display())]
    Missing(PathBuf),
    /// There is one already, and it is not overwritten.
    #[error("the store's key {} exists already and is not replaced: without it the seeds in the store are lost", .0.display())]
    Exists(PathBuf),
    /// Others could read it.
    #[error("the store's key {} can be read by others (mode {mode:03o}); run `chmod 600 {}`, and ask who may have read it", .path.display(), .path.display())]
    Exposed {
        /// Which file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// It is not a key.
    #[error("the store's key {} is not a key file: {what}; put the right file back, it is never repaired", .path.display())]
    Malformed {
        /// Which file.
        path: PathBuf,
        /// What is wrong, without its content.
        what: &'static str,
    },
    /// It is another store's.
    #[error(
        "the key {given} is not the one that seals this store, which is {wanted}; set [store] key_file to the right file"
    )]
    Wrong {
        /// The id of the key that was given.
        given: Arc<str>,
        /// The id of the key that the store was made with.
        wanted: Arc<str>,
    },
    /// It can't be read or written.
    #[error("the store's key {} can't be read or written: {why}", .path.display())]
    Io {
        /// Which file.
        path: PathBuf,
        /// What the system said.
        why: Arc<str>,
    },
    /// The operating system gives no randomness.
    #[error("the operating system gives no random numbers; nothing is made without them")]
    NoRandomness,
}
