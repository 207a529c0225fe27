//! Phones that bring a key of their own: from an activation to an active device (rules F3), and what they tell of themselves.
//!
//! One code takes one key: the same key again within the time gets the same answer, another one voids both. A wrong code is
//! counted before it is told, and one that is repeated counts once.

use std::sync::Arc;
use std::time::Duration;

use data_encoding::HEXUPPER;
use login::{DeviceId, PromptId, ResolvedUser, Wall};
use rusqlite::params;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use wire::Secret;

use super::super::error::{Refusal, StoreError};
use super::super::key::{random, random_id};
use super::super::rows::{Channel, Device};
use super::super::web::{DeviceState, KeyBrought, NewActivation, Phone, PhoneKey, Seen, SessionTurn};
use super::devices::{self, DEVICES_PER_USER_MAX, DeviceRow, NewRow};
use super::prompts;
use super::tx::{Tx, db};
use super::users::UserRow;
use super::web_sessions::{self, Turned};

/// Wrong codes that an activation takes (rules F3).
const TRIES_MAX: u32 = 5;

/// How long a phone with a key waits for its test push after its activation's time, before it is forgotten.
const TEST_WITHIN: Duration = Duration::from_secs(24 * 60 * 60);

/// Octets of a public key, at most: RSA-8192 has about 1,060.
const SPKI_OCTETS_MAX: usize = 2048;

/// Octets of a subscription's address, at most.
const ENDPOINT_OCTETS_MAX: usize = 2048;

/// A phone that is seen again so soon after is not written down again, unless something changed.
const SEEN_EVERY: Duration = Duration::from_secs(60);

/// Silent devices that are told at once.
const SILENT_AT_ONCE: i64 = 100;

/// The few that are silent, by their own index: for the sake of the order and the limit SQLite would rather walk through all
/// devices, which holds up whoever waits for the thread that writes.
const SILENT: &str = "SELECT id FROM devices INDEXED BY silent_devices WHERE unanswered >= max(?1, 1) AND unanswered > 0 \
     AND told = 0 AND removed_at IS NULL AND state = 'active' ORDER BY rowid LIMIT ?2";

/// Begins an activation. Begun again with the same code it is the same one.
pub(super) fn begin(tx: Tx<'_>, new: NewActivation, at: Wall) -> Result<DeviceId, StoreError> {
    let owner = UserRow::need(tx, &new.user)?;
    forget_what_is_over(tx, &owner, at)?;
    let code = hash(tx, &owner, &new.code);
    let mut there = devices::rows_of(tx, &owner)?;
    if let Some(same) = there.iter().find(|row| is_code(row, &code)) {
        return Ok(same.device.id.clone());
    }
    for row in there.extract_if(.., |row| gives_way(row, new.channel)) {
        forget(tx, &row.device.id)?;
    }
    devices::refuse_too_many(there.len(), new.devices_max.min(DEVICES_PER_USER_MAX))?;
    let id = id_of(new.channel)?;
    let row = NewRow {
        channel: new.channel,
        label: new.label.map(Arc::from),
        state: DeviceState::Waiting,
        code: Some(code.to_vec()),
        waits_until: Some(at.plus(new.lasts)),
        needs_test: new.needs_test,
        server_key: new.server_key,
    };
    devices::insert(tx, &owner, id, row, at)
}

/// A phone brings its key.
pub(super) fn bring_key(
    tx: Tx<'_>,
    device: &DeviceId,
    code: &Secret,
    key: PhoneKey,
    at: Wall,
) -> Result<KeyBrought, StoreError> {
    refuse_shapeless(&key)?;
    let Some((row, owner)) = devices::with_owner(tx, device)? else { return voided(tx, device, code, &key, at) };
    let in_time = row.device.waits_until.is_some_and(|until| until > at);
    // F5: a block takes away what was begun.
    if !in_time || owner.barred().is_some() {
        return Ok(KeyBrought::Unknown);
    }
    let brought = hash(tx, &owner, code);
    if row.code.is_none() {
        Ok(KeyBrought::Unknown)
    } else if !is_code(&row, &brought) {
        wrong_code(tx, row, &brought)
    } else if row.device.state == DeviceState::Waiting {
        take_key(tx, owner, row, key, at)
    } else if row.spki == key.spki {
        Ok(KeyBrought::Taken(Box::new(row.phone(tx)?)))
    } else {
        void(tx, &owner, row, &key, at)
    }
}

/// The test push was approved by this very device, and the session saw its fingerprint (rules F3). The session's turn comes
/// first: who lost that race, or was ended meanwhile, makes nothing.
pub(super) fn confirm(
    tx: Tx<'_>,
    device: &DeviceId,
    prompt: PromptId,
    session: &SessionTurn,
    at: Wall,
) -> Result<bool, StoreError> {
    let (mut row, mut owner) = devices::need(tx, device)?;
    if row.device.state == DeviceState::Waiting {
        return Err(devices::none(device));
    }
    match web_sessions::turn(tx, session, &row.device.user, at)? {
        Turned::Now(_) => {}
        // Repeated after an unknown commit: it became active with the turn.
        Turned::Before => return Ok(row.is_active()),
        Turned::Never => return Ok(false),
    }
    if row.is_active() {
        return Ok(true);
    }
    if owner.barred().is_some() || !prompts::take_test(tx, &owner, prompt, device, at)? {
        return Err(StoreError::Refused(Refusal::NoPrompt));
    }
    row.device.state = DeviceState::Active;
    row.write(tx)?;
    owner.enrolled(tx, Some(session.new))?;
    Ok(true)
}

/// A device that was not removed, with its keys opened.
pub(super) fn phone(tx: Tx<'_>, device: &DeviceId) -> Result<Option<Phone>, StoreError> {
    devices::with_owner(tx, device)?.map(|(row, _)| row.phone(tx)).transpose()
}

/// What a phone tells of itself.
pub(super) fn seen(tx: Tx<'_>, device: &DeviceId, seen: Seen, at: Wall) -> Result<(), StoreError> {
    let (mut row, owner) = devices::need(tx, device)?;
    let agent = seen.agent.as_deref().map(Arc::<str>::from);
    let news = (agent.is_some() && agent != row.device.agent)
        || (seen.subscription.is_some() && seen.subscription != row.device.subscription)
        || row.device.unanswered > 0;
    if !news && seen_lately(tx, &row.device, &owner, at)? {
        return Ok(());
    }
    if let Some(subscription) = &seen.subscription {
        refuse_long(&subscription.endpoint)?;
    }
    row.device.subscription = seen.subscription.or(row.device.subscription);
    row.device.agent = agent.or(row.device.agent);
    row.write(tx)?;
    devices::was_there(tx, device, at)
}

/// The push service says that the subscription is gone.
pub(super) fn subscription_gone(tx: Tx<'_>, device: &DeviceId) -> Result<(), StoreError> {
    tx.change("UPDATE devices SET subscription = NULL WHERE id = ?1", [&device.0])?;
    Ok(())
}

/// What the user calls it.
pub(super) fn rename(tx: Tx<'_>, device: &DeviceId, label: &str) -> Result<(), StoreError> {
    let label = Some(label).filter(|label| !label.is_empty());
    let changed =
        tx.change("UPDATE devices SET label = ?2 WHERE id = ?1 AND removed_at IS NULL", params![device.0, label])?;
    if changed == 0 { Err(devices::none(device)) } else { Ok(()) }
}

/// Silent devices of which nobody was told yet.
pub(super) fn take_silent(tx: Tx<'_>, unanswered: u32) -> Result<Vec<Device>, StoreError> {
    let silent: Vec<Arc<str>> = tx.all(SILENT, params![unanswered, SILENT_AT_ONCE], |row| row.get(0))?;
    let mut told = Vec::new();
    for id in silent {
        tx.change("UPDATE devices SET told = 1 WHERE id = ?1", [&id])?;
        // One row that somebody forged keeps nobody from hearing of the others.
        if let Ok(Some((row, _))) = devices::with_owner(tx, &DeviceId(id)) {
            told.push(row.device);
        }
    }
    Ok(told)
}

/// Activations whose time is over, and phones that never passed their test.
fn forget_what_is_over(tx: Tx<'_>, owner: &UserRow, at: Wall) -> Result<(), StoreError> {
    for row in devices::rows_of(tx, owner)? {
        let until = row.device.waits_until.unwrap_or_default();
        let over = match row.device.state {
            DeviceState::Waiting => until <= at,
            DeviceState::Keyed => until.plus(TEST_WITHIN) <= at,
            DeviceState::Active => false,
        };
        if over {
            forget(tx, &row.device.id)?;
        }
    }
    Ok(())
}

/// It never became a device: nothing of it stays.
fn forget(tx: Tx<'_>, device: &DeviceId) -> Result<(), StoreError> {
    tx.change("DELETE FROM devices WHERE id = ?1 AND state <> 'active'", [&device.0])?;
    Ok(())
}

/// An older one that waits gives way to a newer one of the same channel.
fn gives_way(row: &DeviceRow, channel: Channel) -> bool {
    row.device.state == DeviceState::Waiting && row.device.channel == channel
}

/// The store app finds its tokens by serial alone, over all servers: it must be unique in the world.
fn id_of(channel: Channel) -> Result<DeviceId, StoreError> {
    match channel {
        Channel::PrivacyIdea => Ok(DeviceId(format!("VEST{}", HEXUPPER.encode(&random::<8>()?)).into())),
        Channel::WebPush => Ok(DeviceId(random_id('d')?)),
        Channel::Webhook | Channel::Loopback => {
            Err(StoreError::Ours("an activation for a channel that has no keys".into()))
        }
    }
}

fn refuse_shapeless(key: &PhoneKey) -> Result<(), StoreError> {
    if key.spki.is_empty() || key.spki.len() > SPKI_OCTETS_MAX {
        return Err(StoreError::Ours("a phone's key of no possible length reached the store".into()));
    }
    key.subscription.as_ref().map_or(Ok(()), |subscription| refuse_long(&subscription.endpoint))
}

fn refuse_long(endpoint: &str) -> Result<(), StoreError> {
    if endpoint.len() <= ENDPOINT_OCTETS_MAX {
        return Ok(());
    }
    Err(StoreError::Ours("a subscription's address that is too long reached the store".into()))
}

/// Over the user's name, too, so that a code opens nothing of another user's.
fn hash(tx: Tx<'_>, owner: &UserRow, code: &Secret) -> [u8; 32] {
    tx.seals.keyed("activation codes", &[owner.name.as_bytes(), code.expose()])
}

fn is_code(row: &DeviceRow, brought: &[u8; 32]) -> bool {
    row.code.as_deref().is_some_and(|code| code.ct_eq(brought).into())
}

/// Counted before it is told (rules C1); a repeated identical wrong code counts once. At none left the activation is void;
/// a device that has its key keeps it.
fn wrong_code(tx: Tx<'_>, mut row: DeviceRow, brought: &[u8; 32]) -> Result<KeyBrought, StoreError> {
    if row.last_wrong.as_deref() != Some(brought) {
        row.tries = row.tries.saturating_add(1);
        row.last_wrong = Some(brought.to_vec());
    }
    let left = TRIES_MAX.saturating_sub(row.tries);
    if left > 0 {
        row.write(tx)?;
    } else if row.device.state == DeviceState::Waiting {
        forget(tx, &row.device.id)?;
    } else {
        row.code = None;
        row.write(tx)?;
    }
    Ok(KeyBrought::WrongCode { left })
}

fn take_key(
    tx: Tx<'_>,
    mut owner: UserRow,
    mut row: DeviceRow,
    key: PhoneKey,
    at: Wall,
) -> Result<KeyBrought, StoreError> {
    row.spki = key.spki;
    row.device.subscription = key.subscription;
    row.device.agent = key.agent.map(Arc::from);
    row.device.label = key.label.map(Arc::from).or(row.device.label);
    row.device.seen_at = Some(at);
    row.device.state = if row.needs_test { DeviceState::Keyed } else { DeviceState::Active };
    row.write(tx)?;
    if row.is_active() {
        owner.enrolled(tx, None)?;
    }
    let device = row.device.id;
    let phone = phone(tx, &device)?.ok_or_else(|| StoreError::Ours("a key that was taken is not there".into()))?;
    Ok(KeyBrought::Taken(Box::new(phone)))
}

/// F3: a second key for one activation voids both. Who brought it stays known, so that the alarm is not lost with an answer.
fn void(tx: Tx<'_>, owner: &UserRow, row: DeviceRow, key: &PhoneKey, at: Wall) -> Result<KeyBrought, StoreError> {
    let device = &row.device.id;
    devices::remove(tx, device, at)?;
    tx.change(
        "UPDATE devices SET code = ?2, voided_by = ?3 WHERE id = ?1",
        params![device.0, row.code, Sha256::digest(&key.spki).as_slice()],
    )?;
    Ok(KeyBrought::SecondKey(ResolvedUser::new(Arc::clone(&owner.name))))
}

/// The second key once more, after an unknown commit: it hears the same.
fn voided(tx: Tx<'_>, device: &DeviceId, code: &Secret, key: &PhoneKey, at: Wall) -> Result<KeyBrought, StoreError> {
    let found: Option<(i64, Vec<u8>)> = tx.one(
        "SELECT user, code FROM devices WHERE id = ?1 AND voided_by = ?2 AND waits_until > ?3 AND code IS NOT NULL",
        params![device.0, Sha256::digest(&key.spki).as_slice(), db(at.0)],
        |row| Ok((row.get(0)?, row.get(1)?)),
    )?;
    let Some((owner, expected)) = found else { return Ok(KeyBrought::Unknown) };
    let Some(owner) = UserRow::of_id(tx, owner)? else { return Ok(KeyBrought::Unknown) };
    let same: bool = hash(tx, &owner, code).ct_eq(&expected).into();
    Ok(if same { KeyBrought::SecondKey(ResolvedUser::new(owner.name)) } else { KeyBrought::Unknown })
}

/// It was written down a moment ago, and since then no prompt went out that it could be there for.
fn seen_lately(tx: Tx<'_>, device: &Device, owner: &UserRow, at: Wall) -> Result<bool, StoreError> {
    let Some(seen_at) = device.seen_at.filter(|seen| at.since(*seen) < SEEN_EVERY) else { return Ok(false) };
    let since = "SELECT 1 FROM prompts WHERE user = ?1 AND state IN ('pending', 'approved') AND claimed_at >= ?2";
    Ok(!tx.any(since, params![owner.id, db(seen_at.0)])?)
}

#[cfg(test)]
mod tests {
    use rusqlite::Connection;

    use super::super::schema;
    use super::*;

    #[test]
    fn looking_for_silent_phones_walks_through_no_others() {
        let mut db = Connection::open_in_memory().unwrap();
        schema::migrate(&mut db).unwrap();
        let mut explain = db.prepare(&format!("EXPLAIN QUERY PLAN {SILENT}")).unwrap();
        let steps = explain.query_map(params![3, SILENT_AT_ONCE], |row| row.get::<_, String>("detail")).unwrap();
        let plan: Vec<String> = steps.map(Result::unwrap).collect();
        assert!(plan.iter().any(|step| step.starts_with("SEARCH devices USING INDEX silent_devices")), "{plan:?}");
        assert!(!plan.iter().any(|step| step.starts_with("SCAN")), "{plan:?}");
    }
}
