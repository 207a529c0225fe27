//! Another name for a user who stays the same: id, password, tokens, phones, PIN, groups and limits are kept (rules A2).
//!
//! What is sealed or authenticated is bound to its user's name (rules F1), so it is opened under the old one and sealed under the
//! new one, all in one transaction. What is under way, and codes of which only a hash bound to the name is kept, ends.

use std::sync::Arc;

use login::name::fold;
use login::{ResolvedUser, Wall};
use rusqlite::params;

use super::super::error::{Refusal, StoreError};
use super::super::rows::StaffName;
use super::tx::{Tx, db};
use super::users::{self, UserRow};
use super::{alikes, devices, pins, tokens};

/// What can't go on under another name: sessions and prompts of now, and codes that are kept as hashes.
const ENDS: [&str; 5] = ["web_sessions", "prompts", "people_codes", "recovery_codes", "bypasses"];

/// Renames; the same name once more says that it is spelled just so.
pub(super) fn rename(
    tx: Tx<'_>,
    from: &ResolvedUser,
    to: &ResolvedUser,
    given: &StaffName,
    at: Wall,
) -> Result<(), StoreError> {
    let mut row = UserRow::need(tx, from)?;
    if from != to {
        users::fits(to.as_str())?;
        if UserRow::find(tx, to)?.is_some() {
            return Err(StoreError::Refused(Refusal::UserExists(to.as_str().into())));
        }
        row = move_to(tx, row, to, at)?;
    }
    row.spelled = Some(Arc::clone(&given.spelled));
    row.write(tx)?;
    row.bump(tx)?;
    alikes::settle(tx, &row, &given.not_the_same_as, at)
}

fn move_to(tx: Tx<'_>, old: UserRow, to: &ResolvedUser, at: Wall) -> Result<UserRow, StoreError> {
    for table in ENDS {
        tx.change(&format!("DELETE FROM {table} WHERE user = ?1"), [old.id])?;
    }
    let from = ResolvedUser::new(Arc::clone(&old.name));
    let password = users::password_hash(tx, &from)?;
    let (name, id): (Arc<str>, i64) = (to.as_str().into(), old.id);
    tokens::reseal(tx, &old, &name)?;
    devices::reseal(tx, &old, &name)?;
    pins::reseal(tx, &old, &name)?;
    tx.change("UPDATE users SET name = ?2, loose = ?3 WHERE id = ?1", params![id, &*name, fold::loose(&name)])?;
    // Rules A6: a login that is held under the old name ends as that of somebody who was removed.
    tx.change(
        "INSERT INTO users (name, loose, groups, added_at, removed_at, mac) VALUES (?1, ?2, '[]', ?3, ?3, x'')",
        params![from.as_str(), fold::loose(from.as_str()), db(at.0)],
    )?;
    let row = old.named(name);
    users::write_password(tx, &row, password.as_ref())?;
    Ok(row)
}
