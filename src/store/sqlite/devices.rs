//! Devices in the file: each row is authenticated, so that a phone copied to another user, or one whose key or state was
//! written by somebody else, is refused (rules F1).

use std::sync::Arc;

use data_encoding::BASE32;
use login::{DeviceId, ResolvedUser, Wall};
use rusqlite::{Row, params};
use sha2::{Digest, Sha256};
use wire::Secret;

use super::super::error::{Refusal, StoreError};
use super::super::key::random_id;
use super::super::rows::{Channel, Device};
use super::super::seal::Place;
use super::super::web::{DeviceState, Phone, Subscription};
use super::prompts;
use super::tx::{Tx, count, db, wall, word};
use super::users::UserRow;

/// Devices of one user, at most, in whatever state: a prompt goes to all active ones.
pub(super) const DEVICES_PER_USER_MAX: usize = 20;

/// Removed ones of a user whose rows are kept, without a key.
const REMOVED_PER_USER_MAX: i64 = 64;

/// What the table holds of a device that was not removed, checked.
pub(super) struct DeviceRow {
    pub(super) device: Device,
    pub(super) spki: Vec<u8>,
    /// The keyed hash of the activation code, as long as it can be used.
    pub(super) code: Option<Vec<u8>>,
    pub(super) needs_test: bool,
    pub(super) tries: u32,
    pub(super) last_wrong: Option<Vec<u8>>,
    /// Sealed.
    server_key: Option<Vec<u8>>,
}

impl DeviceRow {
    pub(super) fn is_active(&self) -> bool {
        self.device.state == DeviceState::Active
    }

    /// With our own key for it opened.
    pub(super) fn phone(self, tx: Tx<'_>) -> Result<Phone, StoreError> {
        let place = place(&self.device, "server_key");
        let server_key = self.server_key.as_deref().map(|sealed| tx.seals.open(place, &[], sealed)).transpose()?;
        Ok(Phone { server_key, device: self.device, spki: self.spki })
    }

    /// Writes all that may change, under a new MAC.
    pub(super) fn write(&self, tx: Tx<'_>) -> Result<(), StoreError> {
        let device = &self.device;
        let subscription =
            device.subscription.as_ref().map(|subscription| seal_subscription(tx, device, subscription)).transpose()?;
        tx.change(
            "UPDATE devices SET label = ?2, state = ?3, spki = ?4, subscription = ?5, agent = ?6, seen_at = ?7, \
             unanswered = ?8, code = ?9, waits_until = ?10, needs_test = ?11, tries = ?12, last_wrong = ?13, mac = ?14 \
             WHERE id = ?1",
            params![
                device.id.0,
                device.label,
                state_name(device.state),
                (!self.spki.is_empty()).then_some(&self.spki),
                subscription,
                device.agent,
                device.seen_at.map(|at| db(at.0)),
                device.unanswered,
                self.code,
                device.waits_until.map(|at| db(at.0)),
                self.needs_test,
                self.tries,
                self.last_wrong,
                self.mac(tx),
            ],
        )?;
        Ok(())
    }

    fn mac(&self, tx: Tx<'_>) -> Vec<u8> {
        let fields = self.fields();
        let fields: Vec<&[u8]> = fields.iter().map(Vec::as_slice).collect();
        tx.seals.mac(place(&self.device, "row"), &fields)
    }

    /// What a row must not be parted from. One without a key and without an activation is of the host's making, and has
    /// the two fields that such rows always had.
    fn fields(&self) -> Vec<Vec<u8>> {
        let device = &self.device;
        let mut fields = vec![device.channel.as_str().into(), device.added_at.0.to_be_bytes().into()];
        if self.is_active() && self.spki.is_empty() && self.code.is_none() {
            return fields;
        }
        fields.extend([
            state_name(device.state).into(),
            self.spki.clone(),
            self.code.clone().unwrap_or_default(),
            device.waits_until.unwrap_or_default().0.to_be_bytes().into(),
            vec![u8::from(self.needs_test)],
            self.tries.to_be_bytes().into(),
        ]);
        fields
    }
}

/// What a new row begins with.
pub(super) struct NewRow {
    pub(super) channel: Channel,
    pub(super) label: Option<Arc<str>>,
    pub(super) state: DeviceState,
    pub(super) code: Option<Vec<u8>>,
    pub(super) waits_until: Option<Wall>,
    pub(super) needs_test: bool,
    pub(super) server_key: Option<Secret>,
}

/// Gives the user a device that is active at once: the host's hand (rules F3).
pub(super) fn add(
    tx: Tx<'_>,
    user: &ResolvedUser,
    channel: Channel,
    label: Option<&str>,
    at: Wall,
) -> Result<DeviceId, StoreError> {
    let mut owner = UserRow::need(tx, user)?;
    refuse_too_many(rows_of(tx, &owner)?.len(), DEVICES_PER_USER_MAX)?;
    let new = NewRow {
        channel,
        label: label.map(Arc::from),
        state: DeviceState::Active,
        code: None,
        waits_until: None,
        needs_test: false,
        server_key: None,
    };
    let device = insert(tx, &owner, DeviceId(random_id('d')?), new, at)?;
    owner.enrolled(tx, None)?;
    Ok(device)
}

pub(super) fn refuse_too_many(there: usize, most: usize) -> Result<(), StoreError> {
    if there < most { Ok(()) } else { Err(StoreError::Refused(Refusal::TooMany { what: "devices", most })) }
}

/// Puts a device's row into the file.
pub(super) fn insert(tx: Tx<'_>, owner: &UserRow, id: DeviceId, new: NewRow, at: Wall) -> Result<DeviceId, StoreError> {
    let device = Device {
        id,
        user: ResolvedUser::new(Arc::clone(&owner.name)),
        channel: new.channel,
        label: new.label,
        added_at: at,
        state: new.state,
        waits_until: new.waits_until,
        fingerprint: None,
        seen_at: None,
        agent: None,
        unanswered: 0,
        subscription: None,
    };
    let server_key =
        new.server_key.as_ref().map(|key| tx.seals.seal(place(&device, "server_key"), &[], key)).transpose()?;
    tx.change(
        "INSERT INTO devices (id, user, channel, added_at, server_key, mac) VALUES (?1, ?2, ?3, ?4, ?5, x'')",
        params![device.id.0, owner.id, device.channel.as_str(), db(at.0), server_key],
    )?;
    let row = DeviceRow {
        device,
        spki: Vec::new(),
        code: new.code,
        needs_test: new.needs_test,
        tries: 0,
        last_wrong: None,
        server_key,
    };
    row.write(tx)?;
    Ok(row.device.id)
}

/// The user's devices in whatever state, oldest first.
pub(super) fn rows_of(tx: Tx<'_>, owner: &UserRow) -> Result<Vec<DeviceRow>, StoreError> {
    let sql = format!("SELECT {COLUMNS} FROM devices WHERE user = ?1 AND removed_at IS NULL ORDER BY rowid");
    tx.all(&sql, [owner.id], read)?.into_iter().map(|row| row.checked(tx, owner)).collect()
}

/// Seals and authenticates the active phones again, for the owner's new name; an activation that waits ends, its code is bound to
/// the old one.
pub(super) fn reseal(tx: Tx<'_>, owner: &UserRow, name: &Arc<str>) -> Result<(), StoreError> {
    tx.change("DELETE FROM devices WHERE user = ?1 AND state <> 'active' AND removed_at IS NULL", [owner.id])?;
    for mut row in rows_of(tx, owner)? {
        let sealed = row.server_key.as_deref();
        let key = sealed.map(|sealed| tx.seals.open(place(&row.device, "server_key"), &[], sealed)).transpose()?;
        row.device.user = ResolvedUser::new(Arc::clone(name));
        let again = key.map(|key| tx.seals.seal(place(&row.device, "server_key"), &[], &key)).transpose()?;
        tx.change("UPDATE devices SET server_key = ?2 WHERE id = ?1", params![row.device.id.0, again])?;
        row.write(tx)?;
    }
    Ok(())
}

/// The user's devices in whatever state, oldest first, as they are shown.
pub(super) fn of_user(tx: Tx<'_>, owner: &UserRow) -> Result<Vec<Device>, StoreError> {
    Ok(rows_of(tx, owner)?.into_iter().map(|row| row.device).collect())
}

/// One device of the user, in whatever state.
pub(super) fn of_owner(tx: Tx<'_>, owner: &UserRow, id: &DeviceId) -> Result<Option<DeviceRow>, StoreError> {
    let sql = format!("SELECT {COLUMNS} FROM devices WHERE id = ?1 AND user = ?2 AND removed_at IS NULL");
    tx.one(&sql, params![id.0, owner.id], read)?.map(|row| row.checked(tx, owner)).transpose()
}

/// One active device of the user, if it still is one.
pub(super) fn active(tx: Tx<'_>, owner: &UserRow, id: &DeviceId) -> Result<Option<Device>, StoreError> {
    Ok(of_owner(tx, owner, id)?.filter(DeviceRow::is_active).map(|row| row.device))
}

/// A device in whatever state, with its owner.
pub(super) fn with_owner(tx: Tx<'_>, id: &DeviceId) -> Result<Option<(DeviceRow, UserRow)>, StoreError> {
    let owner = tx.one("SELECT user FROM devices WHERE id = ?1 AND removed_at IS NULL", [&id.0], |row| row.get(0))?;
    let Some(owner) = owner.map_or(Ok(None), |owner| UserRow::of_id(tx, owner))? else { return Ok(None) };
    Ok(of_owner(tx, &owner, id)?.map(|row| (row, owner)))
}

/// A device in whatever state, with its owner, or the refusal that says there is none.
pub(super) fn need(tx: Tx<'_>, id: &DeviceId) -> Result<(DeviceRow, UserRow), StoreError> {
    with_owner(tx, id)?.ok_or_else(|| none(id))
}

/// The refusal that says there is none.
pub(super) fn none(id: &DeviceId) -> StoreError {
    StoreError::Refused(Refusal::NoDevice(Arc::clone(&id.0)))
}

/// Removes a device with its keys; what is out on the user's phones is withdrawn (rules F5). A row that somebody else
/// changed is removed, too: its MAC is not looked at.
pub(super) fn remove(tx: Tx<'_>, device: &DeviceId, at: Wall) -> Result<(), StoreError> {
    let owner: Option<i64> =
        tx.one("SELECT user FROM devices WHERE id = ?1 AND removed_at IS NULL", [&device.0], |row| row.get(0))?;
    let owner = owner.ok_or_else(|| none(device))?;
    tx.change(
        "UPDATE devices SET removed_at = ?2, label = NULL, spki = NULL, server_key = NULL, subscription = NULL, \
         agent = NULL, code = NULL, last_wrong = NULL WHERE id = ?1",
        params![device.0, db(at.0)],
    )?;
    tx.change("UPDATE users SET version = version + 1 WHERE id = ?1", [owner])?;
    // Of what a user removed only the latest rows stay: the table doesn't grow with somebody who adds and removes all day.
    tx.change(
        "DELETE FROM devices WHERE user = ?1 AND removed_at IS NOT NULL AND id NOT IN (SELECT id FROM devices \
         WHERE user = ?1 AND removed_at IS NOT NULL ORDER BY removed_at DESC, rowid DESC LIMIT ?2)",
        params![owner, REMOVED_PER_USER_MAX],
    )?;
    prompts::withdraw_open(tx, owner)
}

/// Nobody of the user's phones was there for a prompt that ended unanswered: those that did not even look count it.
pub(super) fn let_go_by(tx: Tx<'_>, owner: i64, claimed_at: Wall) -> Result<(), StoreError> {
    tx.change(
        "UPDATE devices SET unanswered = unanswered + 1 WHERE user = ?1 AND removed_at IS NULL AND state = 'active' \
         AND channel IN ('webpush', 'privacyidea') AND coalesce(seen_at, 0) < ?2",
        params![owner, db(claimed_at.0)],
    )?;
    Ok(())
}

/// It was there: it is silent no more.
pub(super) fn was_there(tx: Tx<'_>, device: &DeviceId, at: Wall) -> Result<(), StoreError> {
    tx.change(
        "UPDATE devices SET seen_at = max(coalesce(seen_at, 0), ?2), unanswered = 0, told = 0 WHERE id = ?1",
        params![device.0, db(at.0)],
    )?;
    Ok(())
}

/// A key's fingerprint, as page and phone show it: the first 40 bits of SHA-256 over its SPKI, in base32 with a dash.
fn fingerprint(spki: &[u8]) -> Option<Arc<str>> {
    if spki.is_empty() {
        return None;
    }
    let hash = Sha256::digest(spki);
    let text = BASE32.encode(hash.get(..5)?);
    let (left, right) = text.split_at_checked(4)?;
    Some(format!("{left}-{right}").into())
}

/// A row as it lies there.
struct Unchecked {
    id: Arc<str>,
    channel: String,
    label: Option<Arc<str>>,
    added_at: Wall,
    mac: Vec<u8>,
    state: String,
    waits_until: Option<Wall>,
    spki: Vec<u8>,
    agent: Option<Arc<str>>,
    seen_at: Option<Wall>,
    unanswered: u32,
    subscription: Option<Vec<u8>>,
    code: Option<Vec<u8>>,
    needs_test: bool,
    tries: u32,
    last_wrong: Option<Vec<u8>>,
    server_key: Option<Vec<u8>>,
}

const COLUMNS: &str = "id, channel, label, added_at, mac, state, waits_until, spki, agent, seen_at, unanswered, subscription, \
                       code, needs_test, tries, last_wrong, server_key";

fn read(row: &Row<'_>) -> rusqlite::Result<Unchecked> {
    Ok(Unchecked {
        id: row.get(0)?,
        channel: row.get(1)?,
        label: row.get(2)?,
        added_at: wall(row.get(3)?),
        mac: row.get(4)?,
        state: row.get(5)?,
        waits_until: row.get::<_, Option<i64>>(6)?.map(wall),
        spki: row.get::<_, Option<Vec<u8>>>(7)?.unwrap_or_default(),
        agent: row.get(8)?,
        seen_at: row.get::<_, Option<i64>>(9)?.map(wall),
        unanswered: count(row.get(10)?),
        subscription: row.get(11)?,
        code: row.get(12)?,
        needs_test: row.get(13)?,
        tries: count(row.get(14)?),
        last_wrong: row.get(15)?,
        server_key: row.get(16)?,
    })
}

impl Unchecked {
    fn checked(self, tx: Tx<'_>, owner: &UserRow) -> Result<DeviceRow, StoreError> {
        let device = Device {
            id: DeviceId(self.id),
            user: ResolvedUser::new(Arc::clone(&owner.name)),
            channel: word("devices", &self.channel, Channel::of_word)?,
            label: self.label,
            added_at: self.added_at,
            state: word("devices", &self.state, |text| STATES.into_iter().find(|state| state_name(*state) == text))?,
            waits_until: self.waits_until,
            fingerprint: fingerprint(&self.spki),
            seen_at: self.seen_at,
            agent: self.agent,
            unanswered: self.unanswered,
            subscription: None,
        };
        let mut row = DeviceRow {
            device,
            spki: self.spki,
            code: self.code,
            needs_test: self.needs_test,
            tries: self.tries,
            last_wrong: self.last_wrong,
            server_key: self.server_key,
        };
        let fields = row.fields();
        let fields: Vec<&[u8]> = fields.iter().map(Vec::as_slice).collect();
        tx.seals.check(place(&row.device, "row"), &fields, &self.mac)?;
        let sealed = self.subscription;
        row.device.subscription =
            sealed.map(|sealed| open_subscription(tx, &row.device, &sealed)).transpose()?.flatten();
        Ok(row)
    }
}

/// The endpoint is a capability: whoever has it may ring the phone, so it is sealed like a secret.
fn seal_subscription(tx: Tx<'_>, device: &Device, subscription: &Subscription) -> Result<Vec<u8>, StoreError> {
    let octets = [&subscription.p256dh[..], &subscription.auth, subscription.endpoint.as_bytes()].concat();
    tx.seals.seal(place(device, "subscription"), &[], &Secret::new(octets))
}

fn open_subscription(tx: Tx<'_>, device: &Device, sealed: &[u8]) -> Result<Option<Subscription>, StoreError> {
    let opened = tx.seals.open(place(device, "subscription"), &[], sealed)?;
    let parts = opened.expose().split_first_chunk::<65>().and_then(|(p256dh, rest)| {
        let (auth, endpoint) = rest.split_first_chunk::<16>()?;
        Some(Subscription { endpoint: std::str::from_utf8(endpoint).ok()?.into(), p256dh: *p256dh, auth: *auth })
    });
    Ok(parts)
}

fn place<'a>(device: &'a Device, column: &'static str) -> Place<'a> {
    Place { table: "devices", row: &device.id.0, user: device.user.as_str(), column }
}

/// Every state, for reading its word.
const STATES: [DeviceState; 3] = [DeviceState::Waiting, DeviceState::Keyed, DeviceState::Active];

fn state_name(state: DeviceState) -> &'static str {
    match state {
        DeviceState::Waiting => "waiting",
        DeviceState::Keyed => "keyed",
        DeviceState::Active => "active",
    }
}
