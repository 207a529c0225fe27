//! What `auto` learned of clients (rules E2): only ever that a client signs.

use login::{ClientName, Wall};
use rusqlite::params;

use super::super::error::StoreError;
use super::super::rows::Stance;
use super::tx::{Tx, db, wall};

/// The stance learned for a client.
pub(super) fn of(tx: Tx<'_>, client: &ClientName) -> Result<Option<Stance>, StoreError> {
    tx.one("SELECT learned_at FROM stances WHERE client = ?1", [client.as_str()], |row| {
        Ok(Stance { learned_at: wall(row.get(0)?) })
    })
}

/// This client must sign from now on; the first time stays.
pub(super) fn learn(tx: Tx<'_>, client: &ClientName, at: Wall) -> Result<(), StoreError> {
    tx.change(
        "INSERT INTO stances (client, learned_at) VALUES (?1, ?2) ON CONFLICT DO NOTHING",
        params![client.as_str(), db(at.0)],
    )?;
    Ok(())
}

/// Forgets it; says whether there was something to forget.
pub(super) fn forget(tx: Tx<'_>, client: &ClientName) -> Result<bool, StoreError> {
    Ok(tx.change("DELETE FROM stances WHERE client = ?1", [client.as_str()])? > 0)
}
