//! What was said to a guess, so that a statement that is repeated after an unknown commit says it again (rules C1).

use rusqlite::params;

use super::super::error::StoreError;
use super::codes;
use super::tx::Tx;

/// What was said to this guess of the user's, if it was one.
pub(super) fn said(tx: Tx<'_>, owner: i64, guess_id: [u8; 16]) -> Result<Option<String>, StoreError> {
    let sql = "SELECT said FROM guesses WHERE guess_id = ?1 AND user = ?2 AND said IS NOT NULL";
    tx.one(sql, params![guess_id, owner], |row| row.get(0))
}

/// Keeps it; the user's latest guesses stay.
pub(super) fn remember(tx: Tx<'_>, owner: i64, guess_id: [u8; 16], said: &str) -> Result<(), StoreError> {
    codes::remember_guess(tx, owner, guess_id)?;
    tx.change("UPDATE guesses SET said = ?2 WHERE guess_id = ?1", params![guess_id, said])?;
    Ok(())
}
