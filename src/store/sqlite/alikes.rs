//! Names that look alike (rules A2): whom a name may be taken for, and of which pairs staff said that they are two people.

use std::sync::Arc;

use login::name::fold;
use login::{ResolvedUser, Wall};
use rusqlite::params;

use super::super::error::{Refusal, StoreError};
use super::super::rows::Distinct;
use super::super::seal::Place;
use super::tx::{Tx, db, wall};
use super::users::UserRow;

/// Users of one loose fold that are looked at; nobody has more names that are told apart by an accent.
const ALIKE_MAX: i64 = 64;

/// The user whose look-alike this name is. Of two that are known the one that staff gave, else the older one, keeps its name.
pub(super) fn of(tx: Tx<'_>, name: &str, row: Option<&UserRow>) -> Result<Option<ResolvedUser>, StoreError> {
    for other in alike(tx, name)? {
        let outranks = row.is_none_or(|row| rank(&other) < rank(row));
        if outranks && !are_distinct(tx, row, &other)? {
            return Ok(Some(ResolvedUser::new(Arc::clone(&other.name))));
        }
    }
    Ok(None)
}

/// Whoever was added under this name looks like nobody of whom staff did not say that it is somebody else.
pub(super) fn settle(tx: Tx<'_>, row: &UserRow, not_the_same_as: &[ResolvedUser], at: Wall) -> Result<(), StoreError> {
    for other in not_the_same_as {
        let other = UserRow::need(tx, other)?;
        if other.id != row.id {
            tell_apart(tx, row, &other, at)?;
        }
    }
    for other in alike(tx, &row.name)? {
        if !are_distinct(tx, Some(row), &other)? {
            let (name, other) = (Arc::clone(&row.name), Arc::clone(&other.name));
            return Err(StoreError::Refused(Refusal::LooksLike { name, other }));
        }
    }
    Ok(())
}

/// All pairs that staff told apart.
pub(super) fn told_apart(tx: Tx<'_>) -> Result<Vec<Distinct>, StoreError> {
    let rows: Vec<(i64, i64, i64)> = tx.all("SELECT user, other, at FROM distinct_users ORDER BY at", [], |row| {
        Ok((row.get(0)?, row.get(1)?, row.get(2)?))
    })?;
    let mut pairs = Vec::new();
    for (user, other, at) in rows {
        if let (Some(user), Some(other)) = (UserRow::of_id(tx, user)?, UserRow::of_id(tx, other)?) {
            let name = |row: UserRow| ResolvedUser::new(row.name);
            pairs.push(Distinct { user: name(user), other: name(other), at: wall(at) });
        }
    }
    Ok(pairs)
}

/// Forgets what was said of a user who is removed.
pub(super) fn forget(tx: Tx<'_>, user: i64) -> Result<(), StoreError> {
    tx.change("DELETE FROM distinct_users WHERE user = ?1 OR other = ?1", [user]).map(drop)
}

fn rank(row: &UserRow) -> (bool, i64) {
    (row.spelled.is_none(), row.id)
}

/// Other users of the same loose fold.
fn alike(tx: Tx<'_>, name: &str) -> Result<Vec<UserRow>, StoreError> {
    let ids: Vec<i64> = tx.all(
        "SELECT id FROM users WHERE loose = ?1 AND name <> ?2 AND removed_at IS NULL ORDER BY id LIMIT ?3",
        params![fold::loose(name), name, ALIKE_MAX],
        |row| row.get(0),
    )?;
    let rows = ids.into_iter().map(|id| UserRow::of_id(tx, id));
    Ok(rows.collect::<Result<Vec<_>, _>>()?.into_iter().flatten().collect())
}

fn tell_apart(tx: Tx<'_>, one: &UserRow, other: &UserRow, at: Wall) -> Result<(), StoreError> {
    let (user, other) = ordered(one, other);
    let mac = tx.seals.mac(place(&row_of(user, other)), &[&at.0.to_be_bytes()]);
    tx.change(
        "INSERT INTO distinct_users (user, other, at, mac) VALUES (?1, ?2, ?3, ?4) ON CONFLICT DO NOTHING",
        params![user, other, db(at.0), mac],
    )?;
    Ok(())
}

/// Rules F1: a pair that was forged in the file counts for nothing.
fn are_distinct(tx: Tx<'_>, row: Option<&UserRow>, other: &UserRow) -> Result<bool, StoreError> {
    let Some(row) = row else { return Ok(false) };
    let (user, other) = ordered(row, other);
    let found: Option<(i64, Vec<u8>)> =
        tx.one("SELECT at, mac FROM distinct_users WHERE user = ?1 AND other = ?2", [user, other], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })?;
    let Some((at, mac)) = found else { return Ok(false) };
    tx.seals.check(place(&row_of(user, other)), &[&wall(at).0.to_be_bytes()], &mac).map(|()| true)
}

fn ordered(one: &UserRow, other: &UserRow) -> (i64, i64) {
    (one.id.min(other.id), one.id.max(other.id))
}

fn row_of(user: i64, other: i64) -> String {
    format!("{user}-{other}")
}

/// By ids alone: who is renamed stays who it is.
fn place(row: &str) -> Place<'_> {
    Place { table: "distinct_users", row, user: "", column: "row" }
}
