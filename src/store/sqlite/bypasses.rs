//! One-time bypasses in the file (rules F4): each row is authenticated with its user and client, and is gone once spent.

use std::sync::Arc;

use login::{BypassId, ClientName, ResolvedUser, Wall};
use rusqlite::{Row, params};

use super::super::error::{Refusal, StoreError};
use super::super::key::random_id;
use super::super::seal::Place;
use super::super::web::{Bypass, NewBypass};
use super::tx::{Tx, db, wall};
use super::users::UserRow;

/// Open bypasses of one user, at most: one for each client that is named.
const BYPASSES_PER_USER_MAX: usize = 20;

/// Grants one; an earlier one of that user and client is void.
pub(super) fn grant(tx: Tx<'_>, grant: NewBypass, at: Wall) -> Result<BypassId, StoreError> {
    let owner = UserRow::need(tx, &grant.user)?;
    tx.change(
        "DELETE FROM bypasses WHERE user = ?1 AND (ends_at <= ?2 OR client IS ?3)",
        params![owner.id, db(at.0), grant.client.as_ref().map(ClientName::as_str)],
    )?;
    if rows(tx, &owner)?.len() >= BYPASSES_PER_USER_MAX {
        return Err(StoreError::Refused(Refusal::TooMany { what: "bypasses", most: BYPASSES_PER_USER_MAX }));
    }
    let bypass = Bypass { id: BypassId(random_id('b')?), grant, granted_at: at };
    tx.change(
        "INSERT INTO bypasses (id, user, client, granted_by, reason, granted_at, ends_at, mac) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
        params![
            bypass.id.0,
            owner.id,
            bypass.grant.client.as_ref().map(ClientName::as_str),
            bypass.grant.by,
            bypass.grant.reason,
            db(at.0),
            db(bypass.grant.ends_at.0),
            mac(tx, &bypass),
        ],
    )?;
    Ok(bypass.id)
}

/// The open one for this user and client: one that names the client is spent first.
pub(super) fn open(
    tx: Tx<'_>,
    user: &ResolvedUser,
    client: &ClientName,
    at: Wall,
) -> Result<Option<BypassId>, StoreError> {
    let Some(owner) = UserRow::find(tx, user)? else { return Ok(None) };
    let mut fitting = rows(tx, &owner)?;
    fitting.retain(|bypass| fits(bypass, client, at));
    let named = fitting.iter().position(|bypass| bypass.grant.client.is_some()).unwrap_or(0);
    Ok(fitting.into_iter().nth(named).map(|bypass| bypass.id))
}

/// Whether there is one at all; each is checked when it is taken.
pub(super) fn any(tx: Tx<'_>, owner: &UserRow, at: Wall) -> Result<bool, StoreError> {
    let sql = "SELECT 1 FROM bypasses WHERE user = ?1 AND ends_at > ?2 LIMIT 1";
    Ok(tx.one(sql, rusqlite::params![owner.id, db(at.0)], |row| row.get::<_, i64>(0))?.is_some())
}

/// All open ones of a user, oldest first.
pub(super) fn list(tx: Tx<'_>, user: &ResolvedUser, at: Wall) -> Result<Vec<Bypass>, StoreError> {
    let Some(owner) = UserRow::find(tx, user)? else { return Ok(Vec::new()) };
    let mut open = rows(tx, &owner)?;
    open.retain(|bypass| bypass.grant.ends_at > at);
    Ok(open)
}

/// Takes one back.
pub(super) fn revoke(tx: Tx<'_>, bypass: &BypassId) -> Result<(), StoreError> {
    tx.change("DELETE FROM bypasses WHERE id = ?1", [&bypass.0])?;
    Ok(())
}

/// All of a user's end: a block, a fraud report.
pub(super) fn end_all(tx: Tx<'_>, owner: i64) -> Result<(), StoreError> {
    tx.change("DELETE FROM bypasses WHERE user = ?1", [owner])?;
    Ok(())
}

/// Spends it at this user's release through this client, once. False: it is not open there.
pub(super) fn spend(
    tx: Tx<'_>,
    owner: &UserRow,
    bypass: &BypassId,
    client: &ClientName,
    at: Wall,
) -> Result<bool, StoreError> {
    let open = rows(tx, owner)?.into_iter().any(|row| row.id == *bypass && fits(&row, client, at));
    Ok(open && tx.change("DELETE FROM bypasses WHERE id = ?1 AND user = ?2", params![bypass.0, owner.id])? == 1)
}

fn fits(bypass: &Bypass, client: &ClientName, at: Wall) -> bool {
    bypass.grant.ends_at > at && bypass.grant.client.as_ref().is_none_or(|named| named == client)
}

fn rows(tx: Tx<'_>, owner: &UserRow) -> Result<Vec<Bypass>, StoreError> {
    let sql =
        "SELECT id, client, granted_by, reason, granted_at, ends_at, mac FROM bypasses WHERE user = ?1 ORDER BY rowid";
    let read = |row: &Row<'_>| {
        let grant = NewBypass {
            user: ResolvedUser::new(Arc::clone(&owner.name)),
            client: row.get::<_, Option<Arc<str>>>(1)?.map(ClientName::new),
            by: row.get(2)?,
            reason: row.get(3)?,
            ends_at: wall(row.get(5)?),
        };
        let bypass = Bypass { id: BypassId(row.get(0)?), grant, granted_at: wall(row.get(4)?) };
        Ok((bypass, row.get::<_, Vec<u8>>(6)?))
    };
    let rows = tx.all(sql, [owner.id], read)?;
    rows.into_iter().map(|(bypass, stored)| checked(tx, bypass, &stored)).collect()
}

fn checked(tx: Tx<'_>, bypass: Bypass, stored: &[u8]) -> Result<Bypass, StoreError> {
    tx.seals.check(place(&bypass), &fields(&bypass, &times(&bypass)), stored)?;
    Ok(bypass)
}

fn mac(tx: Tx<'_>, bypass: &Bypass) -> Vec<u8> {
    tx.seals.mac(place(bypass), &fields(bypass, &times(bypass)))
}

fn place(bypass: &Bypass) -> Place<'_> {
    Place { table: "bypasses", row: &bypass.id.0, user: bypass.grant.user.as_str(), column: "row" }
}

fn times(bypass: &Bypass) -> [[u8; 8]; 2] {
    [bypass.granted_at.0.to_be_bytes(), bypass.grant.ends_at.0.to_be_bytes()]
}

/// A client's name is never empty, so an empty field is *any*, unlike any name.
fn fields<'a>(bypass: &'a Bypass, [granted_at, ends_at]: &'a [[u8; 8]; 2]) -> [&'a [u8]; 5] {
    let grant = &bypass.grant;
    let client = grant.client.as_ref().map_or("", ClientName::as_str);
    [client.as_bytes(), grant.by.as_bytes(), grant.reason.as_bytes(), granted_at, ends_at]
}
