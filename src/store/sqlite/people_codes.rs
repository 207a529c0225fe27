//! Codes that open an enrolment or stand for a lost phone (rules F3): kept as keyed hashes over the user's name, so that one
//! that was copied to another user is nobody's code; spent by one compare-and-set.

use std::time::Duration;

use login::{ResolvedUser, Wall};
use rusqlite::{Row, params};
use subtle::ConstantTimeEq;
use wire::Secret;

use super::super::error::{Refusal, StoreError};
use super::super::seal::Place;
use super::super::web::{CodePurpose, CodeSpent};
use super::guesses;
use super::tx::{Tx, count, db, wall};
use super::users::UserRow;

/// Wrong codes that an activation code takes (rules F3).
const TRIES_MAX: u32 = 5;

/// Recovery codes of one user, at most.
const RECOVERY_CODES_MAX: usize = 32;

/// Invitations to one user (rules F7).
const INVITE_EVERY: Duration = Duration::from_secs(24 * 60 * 60);

/// Gives the user an activation code; an earlier one of the same purpose is void.
pub(super) fn issue(
    tx: Tx<'_>,
    user: &ResolvedUser,
    purpose: CodePurpose,
    code: &Secret,
    lasts: Duration,
    at: Wall,
) -> Result<(), StoreError> {
    let owner = UserRow::need(tx, user)?;
    let row = CodeRow {
        purpose,
        code: hash(tx, &owner, name(purpose), code).to_vec(),
        tries: 0,
        ends_at: at.plus(lasts),
        last_wrong: None,
    };
    row.write(tx, &owner)
}

/// Takes an activation code back, if there is one.
pub(super) fn void(tx: Tx<'_>, owner: &UserRow, purpose: CodePurpose) -> Result<(), StoreError> {
    CodeRow::read(tx, owner, purpose)?.map_or(Ok(()), |row| row.delete(tx, owner))
}

/// Takes all activation codes of a user back.
pub(super) fn void_all(tx: Tx<'_>, owner: i64) -> Result<(), StoreError> {
    tx.change("DELETE FROM people_codes WHERE user = ?1", [owner])?;
    Ok(())
}

/// Which are open, and until when.
pub(super) fn open(tx: Tx<'_>, user: &ResolvedUser, at: Wall) -> Result<Vec<(CodePurpose, Wall)>, StoreError> {
    let Some(owner) = UserRow::find(tx, user)? else { return Ok(Vec::new()) };
    let mut open = Vec::new();
    for purpose in [CodePurpose::Enrol, CodePurpose::MailedEnrol] {
        let row = CodeRow::read(tx, &owner, purpose)?;
        open.extend(row.filter(|row| row.ends_at > at && row.tries < TRIES_MAX).map(|row| (purpose, row.ends_at)));
    }
    Ok(open)
}

/// Spends it, or counts a wrong one.
pub(super) fn spend(
    tx: Tx<'_>,
    user: &ResolvedUser,
    purpose: CodePurpose,
    code: &Secret,
    guess_id: [u8; 16],
    at: Wall,
) -> Result<CodeSpent, StoreError> {
    let Some(owner) = UserRow::find(tx, user)? else { return Ok(CodeSpent::Wrong) };
    if let Some(said) = guesses::said(tx, owner.id, guess_id)? {
        return Ok(if said == RIGHT { CodeSpent::Right } else { CodeSpent::Wrong });
    }
    let Some(mut row) = CodeRow::read(tx, &owner, purpose)? else { return Ok(CodeSpent::Wrong) };
    let brought = hash(tx, &owner, name(purpose), code);
    let right = bool::from(row.code.ct_eq(&brought)) && row.ends_at > at;
    // A repeated identical wrong code counts once (rules C1).
    if !right && row.last_wrong.as_deref() != Some(&brought) {
        row.tries = row.tries.saturating_add(1);
    }
    row.last_wrong = Some(brought.to_vec());
    if right || row.tries >= TRIES_MAX || row.ends_at <= at {
        row.delete(tx, &owner)?
    } else {
        row.write(tx, &owner)?
    }
    guesses::remember(tx, owner.id, guess_id, if right { RIGHT } else { WRONG })?;
    Ok(if right { CodeSpent::Right } else { CodeSpent::Wrong })
}

/// Replaces the user's recovery codes.
pub(super) fn set_recovery(tx: Tx<'_>, user: &ResolvedUser, codes: &[Secret]) -> Result<(), StoreError> {
    let owner = UserRow::need(tx, user)?;
    if codes.len() > RECOVERY_CODES_MAX {
        return Err(StoreError::Refused(Refusal::TooMany { what: "recovery codes", most: RECOVERY_CODES_MAX }));
    }
    tx.change("DELETE FROM recovery_codes WHERE user = ?1", [owner.id])?;
    for code in codes {
        tx.change(
            "INSERT INTO recovery_codes (user, code) VALUES (?1, ?2) ON CONFLICT DO NOTHING",
            params![owner.id, hash(tx, &owner, RECOVERY, code)],
        )?;
    }
    Ok(())
}

/// Spends one: it is there once, and then no more.
pub(super) fn spend_recovery(
    tx: Tx<'_>,
    user: &ResolvedUser,
    code: &Secret,
    guess_id: [u8; 16],
) -> Result<bool, StoreError> {
    let Some(owner) = UserRow::find(tx, user)? else { return Ok(false) };
    if let Some(said) = guesses::said(tx, owner.id, guess_id)? {
        return Ok(said == RIGHT);
    }
    let sql = "DELETE FROM recovery_codes WHERE user = ?1 AND code = ?2";
    let right = tx.change(sql, params![owner.id, hash(tx, &owner, RECOVERY, code)])? == 1;
    guesses::remember(tx, owner.id, guess_id, if right { RIGHT } else { WRONG })?;
    Ok(right)
}

/// How many are left.
pub(super) fn recovery_left(tx: Tx<'_>, user: &ResolvedUser) -> Result<u32, StoreError> {
    let Some(owner) = UserRow::find(tx, user)? else { return Ok(0) };
    let left = tx.one("SELECT count(*) FROM recovery_codes WHERE user = ?1", [owner.id], |row| row.get(0))?;
    Ok(count(left.unwrap_or_default()))
}

/// An invitation goes out now, unless one did within a day, whatever the clock did since.
pub(super) fn invite(tx: Tx<'_>, user: &ResolvedUser, at: Wall) -> Result<bool, StoreError> {
    let owner = UserRow::need(tx, user)?;
    let day = i64::try_from(INVITE_EVERY.as_millis()).unwrap_or(i64::MAX);
    let changed = tx.change(
        "UPDATE users SET invited_at = ?2 WHERE id = ?1 AND (invited_at IS NULL OR abs(?2 - invited_at) >= ?3)",
        params![owner.id, db(at.0), day],
    )?;
    Ok(changed == 1)
}

const RIGHT: &str = "right";
const WRONG: &str = "wrong";
const RECOVERY: &str = "recovery";

/// The keyed hash of a code, for its purpose and its user.
fn hash(tx: Tx<'_>, owner: &UserRow, purpose: &str, code: &Secret) -> [u8; 32] {
    tx.seals.keyed("people's codes", &[purpose.as_bytes(), owner.name.as_bytes(), code.expose()])
}

fn name(purpose: CodePurpose) -> &'static str {
    match purpose {
        CodePurpose::Enrol => "enrol",
        CodePurpose::MailedEnrol => "mailed_enrol",
    }
}

/// An activation code that was issued.
struct CodeRow {
    purpose: CodePurpose,
    code: Vec<u8>,
    tries: u32,
    ends_at: Wall,
    last_wrong: Option<Vec<u8>>,
}

impl CodeRow {
    fn read(tx: Tx<'_>, owner: &UserRow, purpose: CodePurpose) -> Result<Option<Self>, StoreError> {
        let sql = "SELECT code, tries, ends_at, last_wrong, mac FROM people_codes WHERE user = ?1 AND purpose = ?2";
        let read = |row: &Row<'_>| {
            let found = Self {
                purpose,
                code: row.get(0)?,
                tries: count(row.get(1)?),
                ends_at: wall(row.get(2)?),
                last_wrong: row.get(3)?,
            };
            Ok((found, row.get::<_, Vec<u8>>(4)?))
        };
        let Some((row, mac)) = tx.one(sql, params![owner.id, name(purpose)], read)? else { return Ok(None) };
        let (tries, ends_at) = (row.tries.to_be_bytes(), row.ends_at.0.to_be_bytes());
        tx.seals.check(place(owner, &owner.id.to_string(), purpose), &[&row.code, &tries, &ends_at], &mac)?;
        Ok(Some(row))
    }

    fn write(&self, tx: Tx<'_>, owner: &UserRow) -> Result<(), StoreError> {
        let (tries, ends_at) = (self.tries.to_be_bytes(), self.ends_at.0.to_be_bytes());
        let mac = tx.seals.mac(place(owner, &owner.id.to_string(), self.purpose), &[&self.code, &tries, &ends_at]);
        tx.change(
            "INSERT INTO people_codes (user, purpose, code, tries, ends_at, last_wrong, mac) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) \
             ON CONFLICT DO UPDATE SET code = excluded.code, tries = excluded.tries, ends_at = excluded.ends_at, \
             last_wrong = excluded.last_wrong, mac = excluded.mac",
            params![owner.id, name(self.purpose), self.code, self.tries, db(self.ends_at.0), self.last_wrong, mac],
        )?;
        Ok(())
    }

    fn delete(&self, tx: Tx<'_>, owner: &UserRow) -> Result<(), StoreError> {
        let sql = "DELETE FROM people_codes WHERE user = ?1 AND purpose = ?2";
        tx.change(sql, params![owner.id, name(self.purpose)])?;
        Ok(())
    }
}

fn place<'a>(owner: &'a UserRow, row: &'a str, purpose: CodePurpose) -> Place<'a> {
    Place { table: "people_codes", row, user: &owner.name, column: name(purpose) }
}
