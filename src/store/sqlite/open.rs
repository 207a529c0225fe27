//! Opening the file: owner-only, durable, under the right key; each promise is read back before anything is believed.

use std::fs::OpenOptions;
use std::io::ErrorKind;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use rusqlite::{Connection, OpenFlags, OptionalExtension, TransactionBehavior};
use subtle::ConstantTimeEq;

use super::super::error::{KeyError, StoreError, Trouble};
use super::super::rows::StoredName;
use super::super::seal::Seals;
use super::SqliteOptions;

/// How often a file that is busy is opened.
const OPEN_TRIES: usize = 20;

/// The path in `sqlite:/path`. Another scheme is told without the rest of it, which may hold a password.
pub(super) fn path_of(url: &str) -> Result<PathBuf, StoreError> {
    match url.split_once(':') {
        Some(("sqlite", path)) if !path.is_empty() && !path.contains('\0') => Ok(path.into()),
        Some((scheme, _)) if scheme != "sqlite" => Err(StoreError::Setup(
            format!("[store] url begins with {scheme:?}; this version knows sqlite:/path/to/file only").into(),
        )),
        Some(_) | None => Err(StoreError::Setup("[store] url names no file; write sqlite:/path/to/file".into())),
    }
}

/// Opens again while others open or close the same file: the change to WAL and the last one's closing take locks that
/// SQLite does not wait for by itself.
pub(super) fn patiently<T>(
    path: &Path,
    options: &SqliteOptions,
    mut open: impl FnMut() -> Result<T, StoreError>,
) -> Result<T, StoreError> {
    for _ in 1..OPEN_TRIES {
        match open() {
            Err(StoreError::Unavailable(Trouble::Locked)) => wait_for_others(path, options)?,
            result => return result,
        }
    }
    open()
}

/// An exclusive lock is one that SQLite does wait for.
fn wait_for_others(path: &Path, options: &SqliteOptions) -> Result<(), StoreError> {
    Ok(connect(path, options)?.execute_batch("BEGIN EXCLUSIVE; ROLLBACK")?)
}

/// The connection that writes.
pub(super) fn writing(path: &Path, options: &SqliteOptions) -> Result<Connection, StoreError> {
    make_owner_only(path)?;
    let db = connect(path, options)?;
    // C2: WAL with synchronous=FULL, asserted. NORMAL would forget used codes when the power fails.
    let mode: String = db.pragma_update_and_check(None, "journal_mode", "wal", |row| row.get(0))?;
    if !mode.eq_ignore_ascii_case("wal") {
        let message =
            format!("the store's file system does not allow WAL (SQLite says {mode:?}); put the file on a local disk");
        return Err(StoreError::Setup(message.into()));
    }
    set(&db, "synchronous", 2)?;
    set(&db, "foreign_keys", 1)?;
    // What was deleted is overwritten.
    set(&db, "secure_delete", 1)?;
    Ok(db)
}

/// A connection that reads.
pub(super) fn reading(path: &Path, options: &SqliteOptions) -> Result<Connection, StoreError> {
    let db = connect(path, options)?;
    set(&db, "query_only", 1)?;
    Ok(db)
}

/// F1: a file that another key sealed is refused; a new one remembers which key seals it, without telling of the key.
pub(super) fn check_key(db: &mut Connection, seals: &Seals) -> Result<(), StoreError> {
    // Nobody waits for the write lock only to open a file.
    if key_names(db)?.0.is_none() {
        let tx = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
        if key_names(&tx)?.0.is_none() && !has_users(&tx)? {
            let sql = "INSERT INTO meta (name, value) VALUES ('key_id', ?1), ('key_check', ?2)";
            tx.execute(sql, (seals.key_id().as_bytes(), seals.key_check()))?;
        }
        tx.commit()?;
    }
    match key_names(db)? {
        (Some(_), Some(check)) if bool::from(seals.key_check().ct_eq(&check)) => Ok(()),
        (id, _) => {
            let wanted = id.map_or_else(|| "no longer named".into(), |id| String::from_utf8_lossy(&id).into_owned());
            Err(KeyError::Wrong { given: seals.key_id().into(), wanted: wanted.into() }.into())
        }
    }
}

/// Why this key can't open the file, if that can be told without writing; `None` too where there is no file yet.
pub(super) fn mismatch(path: &Path, seals: &Seals) -> Option<KeyError> {
    let db = peek(path)?;
    let (id, check) = key_names(&db).ok()?;
    if bool::from(seals.key_check().ct_eq(&check?)) {
        return None;
    }
    let wanted = String::from_utf8_lossy(&id?).into_owned();
    Some(KeyError::Wrong { given: seals.key_id().into(), wanted: wanted.into() })
}

/// The groups that somebody is in, read without writing and without the key; `None` where there is no store yet, or none of ours.
pub(super) fn groups(path: &Path) -> Option<std::collections::BTreeSet<String>> {
    let db = peek(path)?;
    let mut query = db.prepare("SELECT DISTINCT json_each.value FROM users, json_each(users.groups)").ok()?;
    query.query_map((), |row| row.get(0)).ok()?.collect::<Result<_, _>>().ok()
}

/// A connection that can't even make the files beside the store.
fn peek(path: &Path) -> Option<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_URI;
    // Without a WAL nobody has the file open, and it is read as it stands: SQLite would make a WAL even to read.
    let mut file = reqwest::Url::from_file_path(std::path::absolute(path).ok()?).ok()?;
    let mut wal = path.as_os_str().to_owned();
    wal.push("-wal");
    if !Path::new(&wal).exists() {
        file.set_query(Some("immutable=1"));
    }
    Connection::open_with_flags(file.as_str(), flags).ok()
}

/// The names in a file as they lie there, for whoever looks at how they are read; empty where there is no file. Nothing is written, no key
/// is needed and nothing is authenticated.
pub(super) fn names(path: &Path) -> Vec<StoredName> {
    let read = || -> Option<Vec<StoredName>> {
        let db = peek(path)?;
        let list = |sql: &str| -> rusqlite::Result<Vec<StoredName>> {
            let mut statement = db.prepare(sql)?;
            let rows = statement.query_map([], |row| {
                Ok(StoredName { id: row.get(0)?, name: row.get(1)?, by_staff: row.get(2)?, told_apart: Vec::new() })
            })?;
            rows.collect()
        };
        let now = "SELECT id, name, spelled IS NOT NULL FROM users WHERE removed_at IS NULL ORDER BY id";
        let before = "SELECT id, name, 0 FROM users WHERE removed_at IS NULL ORDER BY id";
        let mut names = list(now).or_else(|_| list(before)).ok()?;
        let mut pairs = Vec::new();
        if let Ok(mut statement) = db.prepare("SELECT user, other FROM distinct_users") {
            let rows = statement.query_map([], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?))).ok()?;
            pairs = rows.collect::<rusqlite::Result<Vec<_>>>().ok()?;
        }
        for name in &mut names {
            let other = |(one, two): &(i64, i64)| match name.id {
                id if id == *one => Some(*two),
                id if id == *two => Some(*one),
                _ => None,
            };
            name.told_apart = pairs.iter().filter_map(other).collect();
        }
        Some(names)
    };
    read().unwrap_or_default()
}

/// The id of the key that seals a file, and the proof that it is that one.
type KeyNames = (Option<Vec<u8>>, Option<Vec<u8>>);

fn key_names(db: &Connection) -> Result<KeyNames, StoreError> {
    let read = |name: &str| db.query_row("SELECT value FROM meta WHERE name = ?1", [name], |row| row.get(0)).optional();
    Ok((read("key_id")?, read("key_check")?))
}

fn has_users(db: &Connection) -> Result<bool, StoreError> {
    Ok(db.query_row("SELECT EXISTS (SELECT 1 FROM users)", [], |row| row.get(0))?)
}

/// SQLite gives its other files (WAL, shared memory) the mode of this one.
fn make_owner_only(path: &Path) -> Result<(), StoreError> {
    match OpenOptions::new().write(true).create_new(true).mode(0o600).open(path) {
        Ok(_) => Ok(()),
        // It is not opened here: closing it would take the locks that another thread of ours holds on it.
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
        Err(error) if error.kind() == ErrorKind::StorageFull => Err(StoreError::Unavailable(Trouble::Full)),
        Err(error) => Err(StoreError::Unavailable(Trouble::ReadOnly(format!("{}: {error}", path.display()).into()))),
    }
}

fn connect(path: &Path, options: &SqliteOptions) -> Result<Connection, StoreError> {
    let db = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    db.busy_timeout(options.busy)?;
    db.set_prepared_statement_cache_capacity(128);
    set(&db, "trusted_schema", 0)?;
    Ok(db)
}

/// Sets a switch and reads it back.
fn set(db: &Connection, pragma: &str, value: i64) -> Result<(), StoreError> {
    db.pragma_update(None, pragma, value)?;
    let stands: i64 = db.pragma_query_value(None, pragma, |row| row.get(0))?;
    if stands == value {
        Ok(())
    } else {
        Err(StoreError::Setup(format!("SQLite refuses {pragma} = {value} and says {stands}").into()))
    }
}
