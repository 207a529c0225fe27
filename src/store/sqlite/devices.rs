//! Devices in the file: each row is authenticated, so that a phone copied to another user is refused (rules F1).

use std::sync::Arc;

use login::{DeviceId, ResolvedUser, Wall};
use rusqlite::{Row, params};

use super::super::error::{Refusal, StoreError};
use super::super::key::random_id;
use super::super::rows::{Channel, Device};
use super::super::seal::Place;
use super::super::web::DeviceState;
use super::prompts;
use super::tx::{Tx, db, wall, word};
use super::users::UserRow;

/// Devices of one user, at most: a prompt goes to all of them.
const DEVICES_PER_USER_MAX: usize = 20;

/// Gives the user a device.
pub(super) fn add(
    tx: Tx<'_>,
    user: &ResolvedUser,
    channel: Channel,
    label: Option<&str>,
    at: Wall,
) -> Result<DeviceId, StoreError> {
    let mut owner = UserRow::need(tx, user)?;
    if of_user(tx, &owner)?.len() >= DEVICES_PER_USER_MAX {
        return Err(StoreError::Refused(Refusal::TooMany { what: "devices", most: DEVICES_PER_USER_MAX }));
    }
    let device = Device {
        id: DeviceId(random_id('d')?),
        user: user.clone(),
        channel,
        label: label.map(Arc::from),
        added_at: at,
        state: DeviceState::Active,
        fingerprint: None,
        seen_at: None,
        agent: None,
        unanswered: 0,
        subscription: None,
    };
    tx.change(
        "INSERT INTO devices (id, user, channel, label, added_at, mac) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        params![device.id.0, owner.id, channel.as_str(), device.label, db(at.0), mac(tx, &device)],
    )?;
    owner.enrolled(tx)?;
    Ok(device.id)
}

/// The user's active devices, oldest first.
pub(super) fn of_user(tx: Tx<'_>, owner: &UserRow) -> Result<Vec<Device>, StoreError> {
    let sql =
        "SELECT id, channel, label, added_at, mac FROM devices WHERE user = ?1 AND removed_at IS NULL ORDER BY rowid";
    tx.all(sql, [owner.id], read)?.into_iter().map(|row| row.checked(tx, owner)).collect()
}

/// One active device of the user, if it still is one.
pub(super) fn active(tx: Tx<'_>, owner: &UserRow, id: &DeviceId) -> Result<Option<Device>, StoreError> {
    let sql =
        "SELECT id, channel, label, added_at, mac FROM devices WHERE id = ?1 AND user = ?2 AND removed_at IS NULL";
    tx.one(sql, params![id.0, owner.id], read)?.map(|row| row.checked(tx, owner)).transpose()
}

/// Removes a device; what is out on the user's phones is withdrawn (rules F5).
pub(super) fn remove(tx: Tx<'_>, device: &DeviceId, at: Wall) -> Result<(), StoreError> {
    let owner: Option<i64> =
        tx.one("SELECT user FROM devices WHERE id = ?1 AND removed_at IS NULL", [&device.0], |row| row.get(0))?;
    let owner = owner.ok_or_else(|| StoreError::Refused(Refusal::NoDevice(Arc::clone(&device.0))))?;
    tx.change("UPDATE devices SET removed_at = ?2, label = NULL WHERE id = ?1", params![device.0, db(at.0)])?;
    tx.change("UPDATE users SET version = version + 1 WHERE id = ?1", [owner])?;
    prompts::withdraw_open(tx, owner)
}

struct DeviceRow {
    id: Arc<str>,
    channel: String,
    label: Option<Arc<str>>,
    added_at: Wall,
    mac: Vec<u8>,
}

impl DeviceRow {
    fn checked(self, tx: Tx<'_>, owner: &UserRow) -> Result<Device, StoreError> {
        let device = Device {
            id: DeviceId(self.id),
            user: ResolvedUser::new(Arc::clone(&owner.name)),
            channel: word("devices", &self.channel, Channel::of_word)?,
            label: self.label,
            added_at: self.added_at,
            state: DeviceState::Active,
            fingerprint: None,
            seen_at: None,
            agent: None,
            unanswered: 0,
            subscription: None,
        };
        tx.seals.check(place(&device), &fields(&device, &device.added_at.0.to_be_bytes()), &self.mac)?;
        Ok(device)
    }
}

fn read(row: &Row<'_>) -> rusqlite::Result<DeviceRow> {
    Ok(DeviceRow {
        id: row.get(0)?,
        channel: row.get(1)?,
        label: row.get(2)?,
        added_at: wall(row.get(3)?),
        mac: row.get(4)?,
    })
}

fn mac(tx: Tx<'_>, device: &Device) -> Vec<u8> {
    tx.seals.mac(place(device), &fields(device, &device.added_at.0.to_be_bytes()))
}

fn place(device: &Device) -> Place<'_> {
    Place { table: "devices", row: &device.id.0, user: device.user.as_str(), column: "row" }
}

fn fields<'a>(device: &'a Device, added_at: &'a [u8; 8]) -> [&'a [u8]; 2] {
    [device.channel.as_str().as_bytes(), added_at]
}
