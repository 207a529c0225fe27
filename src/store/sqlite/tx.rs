//! One transaction, as the verbs see it: the connection, the seals, and a few short ways to ask.

use std::sync::Arc;

use login::Wall;
use rusqlite::{Connection, OptionalExtension, Params, Row};

use super::super::error::StoreError;
use super::super::seal::Seals;

/// A transaction that the caller has opened and will end.
#[derive(Clone, Copy)]
pub(super) struct Tx<'a> {
    pub(super) db: &'a Connection,
    pub(super) seals: &'a Seals,
}

impl Tx<'_> {
    /// How many rows a statement changed.
    pub(super) fn change(self, sql: &str, params: impl Params) -> Result<usize, StoreError> {
        Ok(self.db.prepare_cached(sql)?.execute(params)?)
    }

    /// The row there is, if any.
    pub(super) fn one<T>(
        self,
        sql: &str,
        params: impl Params,
        read: impl FnOnce(&Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Option<T>, StoreError> {
        Ok(self.db.prepare_cached(sql)?.query_row(params, read).optional()?)
    }

    /// All rows.
    pub(super) fn all<T>(
        self,
        sql: &str,
        params: impl Params,
        read: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Vec<T>, StoreError> {
        let mut statement = self.db.prepare_cached(sql)?;
        let rows = statement.query_map(params, read)?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }

    /// Whether a query finds anything.
    pub(super) fn any(self, sql: &str, params: impl Params) -> Result<bool, StoreError> {
        Ok(self.one(sql, params, |_| Ok(()))?.is_some())
    }
}

/// A number as SQLite keeps it: what is too great is the greatest, so that *never* stays *never*.
pub(super) fn db(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// A number as we count it; the inverse of [`db`].
pub(super) fn undb(number: i64) -> u64 {
    if number == i64::MAX { u64::MAX } else { u64::try_from(number).unwrap_or(0) }
}

/// A time of a column.
pub(super) fn wall(number: i64) -> Wall {
    Wall(undb(number))
}

/// A count of a column.
pub(super) fn count(number: i64) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

/// A word of a column that must be one of ours.
pub(super) fn word<T>(
    table: &'static str,
    text: &str,
    of_word: impl FnOnce(&str) -> Option<T>,
) -> Result<T, StoreError> {
    of_word(text)
        .ok_or_else(|| StoreError::Damaged(Arc::from(format!("{table} holds a word that this version does not know"))))
}
