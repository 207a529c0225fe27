//! PINs in the file (rules F1): the hash is sealed together with its version, its failures and its lock, so that none of
//! them is changed without the others.
//!
//! A guess is a compare-and-set on the PIN's version, committed before it is revealed (C1). The version only grows, over
//! changes and resets, so that a guess at an old PIN never counts for a new one.

use login::{ResolvedUser, Wall};
use rusqlite::{Row, params};
use wire::Secret;

use super::super::error::StoreError;
use super::super::seal::Place;
use super::super::web::Pin;
use super::guesses;
use super::tx::{Tx, count, db, undb, wall};
use super::users::UserRow;

/// What a guess is made against.
pub(super) fn read(tx: Tx<'_>, user: &ResolvedUser) -> Result<Option<Pin>, StoreError> {
    UserRow::find(tx, user)?.map_or(Ok(None), |owner| of_owner(tx, &owner))
}

/// The user's PIN, if one is set.
pub(super) fn of_owner(tx: Tx<'_>, owner: &UserRow) -> Result<Option<Pin>, StoreError> {
    row(tx, owner.id)?.and_then(|row| row.hash.is_some().then_some(row)).map(|row| row.open(tx, owner)).transpose()
}

/// Commits a guess.
pub(super) fn guess(
    tx: Tx<'_>,
    user: &ResolvedUser,
    guess_id: [u8; 16],
    version: u64,
    right: bool,
    tries: u32,
) -> Result<bool, StoreError> {
    let owner = UserRow::need(tx, user)?;
    if guesses::said(tx, owner.id, guess_id)?.is_some() {
        return Ok(true);
    }
    let Some(mut pin) = of_owner(tx, &owner)?.filter(|pin| pin.version == version && !pin.locked) else {
        return Ok(false);
    };
    pin.version = pin.version.saturating_add(1);
    pin.failures = if right { 0 } else { pin.failures.saturating_add(1) };
    pin.locked = !right && pin.failures >= tries;
    write(tx, &owner, &pin)?;
    guesses::remember(tx, owner.id, guess_id, "committed")?;
    Ok(true)
}

/// Sets the PIN. A lock stays but for an initial one, which is the help desk's reset.
pub(super) fn set(
    tx: Tx<'_>,
    user: &ResolvedUser,
    hash: Secret,
    must_change: bool,
    at: Wall,
) -> Result<(), StoreError> {
    let owner = UserRow::need(tx, user)?;
    let before = of_owner(tx, &owner)?;
    let (failures, locked) =
        before.filter(|pin| pin.locked && !must_change).map_or((0, false), |pin| (pin.failures, true));
    let version = next_version(tx, owner.id)?;
    write(tx, &owner, &Pin { hash, version, failures, locked, must_change, set_at: at })
}

/// Takes the PIN and its lock away.
pub(super) fn reset(tx: Tx<'_>, user: &ResolvedUser) -> Result<(), StoreError> {
    let owner = UserRow::need(tx, user)?;
    tx.change(
        "UPDATE pins SET hash = NULL, version = version + 1, failures = 0, locked = 0, must_change = 0 WHERE user = ?1",
        [owner.id],
    )?;
    Ok(())
}

/// Seals the PIN's hash again, for the owner's new name.
pub(super) fn reseal(tx: Tx<'_>, owner: &UserRow, name: &str) -> Result<(), StoreError> {
    let Some(pin) = of_owner(tx, owner)? else { return Ok(()) };
    let row = owner.id.to_string();
    let place = Place { user: name, ..place(owner, &row) };
    let sealed = tx.seals.seal(place, &[&fields(&pin)], &pin.hash)?;
    tx.change("UPDATE pins SET hash = ?2 WHERE user = ?1", params![owner.id, sealed])?;
    Ok(())
}

fn next_version(tx: Tx<'_>, owner: i64) -> Result<u64, StoreError> {
    let version: Option<i64> = tx.one("SELECT version FROM pins WHERE user = ?1", [owner], |row| row.get(0))?;
    Ok(version.map_or(1, |version| undb(version).saturating_add(1)))
}

fn write(tx: Tx<'_>, owner: &UserRow, pin: &Pin) -> Result<(), StoreError> {
    let sealed = tx.seals.seal(place(owner, &owner.id.to_string()), &[&fields(pin)], &pin.hash)?;
    tx.change(
        "INSERT INTO pins (user, hash, version, failures, locked, must_change, set_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) \
         ON CONFLICT DO UPDATE SET hash = excluded.hash, version = excluded.version, failures = excluded.failures, \
         locked = excluded.locked, must_change = excluded.must_change, set_at = excluded.set_at",
        params![owner.id, sealed, db(pin.version), pin.failures, pin.locked, pin.must_change, db(pin.set_at.0)],
    )?;
    Ok(())
}

/// A row as it lies there.
struct PinRow {
    hash: Option<Vec<u8>>,
    /// Without its hash, which is sealed still.
    pin: Pin,
}

impl PinRow {
    fn open(self, tx: Tx<'_>, owner: &UserRow) -> Result<Pin, StoreError> {
        let sealed = self.hash.unwrap_or_default();
        let hash = tx.seals.open(place(owner, &owner.id.to_string()), &[&fields(&self.pin)], &sealed)?;
        Ok(Pin { hash, ..self.pin })
    }
}

fn row(tx: Tx<'_>, owner: i64) -> Result<Option<PinRow>, StoreError> {
    let read = |row: &Row<'_>| {
        let pin = Pin {
            hash: Secret::new([]),
            version: undb(row.get(1)?),
            failures: count(row.get(2)?),
            locked: row.get(3)?,
            must_change: row.get(4)?,
            set_at: wall(row.get(5)?),
        };
        Ok(PinRow { hash: row.get(0)?, pin })
    };
    tx.one("SELECT hash, version, failures, locked, must_change, set_at FROM pins WHERE user = ?1", [owner], read)
}

fn place<'a>(owner: &'a UserRow, row: &'a str) -> Place<'a> {
    Place { table: "pins", row, user: &owner.name, column: "hash" }
}

fn fields(pin: &Pin) -> [u8; 22] {
    let mut fields = [0; 22];
    let parts = [
        &pin.version.to_be_bytes()[..],
        &pin.failures.to_be_bytes(),
        &[u8::from(pin.locked), u8::from(pin.must_change)],
        &pin.set_at.0.to_be_bytes(),
    ];
    fields.iter_mut().zip(parts.concat()).for_each(|(field, octet)| *field = octet);
    fields
}
