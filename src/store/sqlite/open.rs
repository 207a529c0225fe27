//! Opening the file: owner-only, durable, under the right key; each promise is read back before anything is believed.

use std::fs::OpenOptions;
use std::io::ErrorKind;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use rusqlite::{Connection, OpenFlags, OptionalExtension, TransactionBehavior};
use subtle::ConstantTimeEq;

use super::super::error::{KeyError, StoreError, Trouble};
use super::super::seal::Seals;
use super::SqliteOptions;

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
    let tx = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let read = |name: &str| {
        tx.query_row("SELECT value FROM meta WHERE name = ?1", [name], |row| row.get::<_, Vec<u8>>(0)).optional()
    };
    match (read("key_id")?, read("key_check")?) {
        (Some(_), Some(check)) if bool::from(seals.key_check().ct_eq(&check)) => {}
        (None, None) if !has_users(&tx)? => {
            let sql = "INSERT INTO meta (name, value) VALUES ('key_id', ?1), ('key_check', ?2)";
            tx.execute(sql, (seals.key_id().as_bytes(), seals.key_check()))?;
        }
        (id, _) => {
            let wanted = id.map_or_else(|| "no longer named".into(), |id| String::from_utf8_lossy(&id).into_owned());
            return Err(KeyError::Wrong { given: seals.key_id().into(), wanted: wanted.into() }.into());
        }
    }
    Ok(tx.commit()?)
}

fn has_users(db: &Connection) -> Result<bool, StoreError> {
    Ok(db.query_row("SELECT EXISTS (SELECT 1 FROM users)", [], |row| row.get(0))?)
}

/// SQLite gives its other files (WAL, shared memory) the mode of this one.
fn make_owner_only(path: &Path) -> Result<(), StoreError> {
    match OpenOptions::new().write(true).create_new(true).mode(0o600).open(path) {
        Ok(_) => Ok(()),
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
