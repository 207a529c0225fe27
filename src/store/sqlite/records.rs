//! Records of logins and their chain (rules F2).
//!
//! Each row's mac covers the mac before it, its place, its login and its text. The head of the chain, and an anchor every
//! 1,024 records, are authenticated on their own: a tail that was cut off is missed, and retention may cut at an anchor.
//! What people did stands in the same chain. A record is never changed: one that turned out otherwise, or whose like came again, is
//! amended by another. Retention cuts at anchors, and where it cut is authenticated, too.

use std::collections::BTreeSet;

use login::{LoginId, Record, RecordedAnswer, ResolvedUser};
use rusqlite::{Row, params};
use serde::Deserialize;
use subtle::ConstantTimeEq;

use super::super::error::StoreError;
use super::super::key::hmac;
use super::super::rows::{ChainState, StoredRecord};
use super::super::seal::Seals;
use super::super::written;
use super::repeats;
use super::tx::{Tx, db, undb};

/// Records from one anchor to the next.
const ANCHOR_EVERY: u64 = 1024;

/// What the record says was answered, if that login has one.
pub(super) fn answered(tx: Tx<'_>, login: LoginId) -> Result<Option<bool>, StoreError> {
    let written = tx.one("SELECT accepted FROM records WHERE login = ?1", [id(login)], |row| row.get(0))?;
    Ok(if written == Some(true) && amendment(tx, login)?.is_some() { Some(false) } else { written })
}

/// Writes a record, once per login; tells its sequence number. A refusal of a login that the chain has let in amends it: the
/// release's commit was unknown for longer than its client waited, and what the client got in the end was this.
pub(super) fn append(tx: Tx<'_>, record: &Record) -> Result<u64, StoreError> {
    let user = shown_name(tx, record)?;
    let accepted = record.answer == RecordedAnswer::Accept;
    let written: Option<(i64, bool)> =
        tx.one("SELECT seq, accepted FROM records WHERE login = ?1", [id(record.login)], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })?;
    match written {
        None => match repeats::count(tx, record, &user)? {
            Some(seq) => Ok(seq),
            None => link(tx, id(record.login), &user, accepted, &written::json(record, &user)?),
        },
        Some((seq, true)) if !accepted => {
            let amended = amendment(tx, record.login)?.map(|amendment| amendment.seq);
            let json = written::amendment_json(record, &user, undb(seq))?;
            amended.map_or_else(|| link(tx, amendment_id(tx, record.login), &user, false, &json), Ok)
        }
        Some((seq, _)) => Ok(undb(seq)),
    }
}

/// Writes the record that amends this login's; another one there is stays.
pub(super) fn amend(tx: Tx<'_>, login: LoginId, user: &str, json: &str) -> Result<u64, StoreError> {
    let amended = amendment(tx, login)?.map(|amendment| amendment.seq);
    amended.map_or_else(|| link(tx, amendment_id(tx, login), user, false, json), Ok)
}

/// From here on the chain begins after that anchor.
pub(super) fn cut(tx: Tx<'_>, seq: u64) -> Result<(), StoreError> {
    let anchor = Head::anchor(tx, seq)?;
    let anchor = anchor.ok_or_else(|| StoreError::Tampered { table: "anchors", row: seq.to_string().into() })?;
    let value = [&anchor.seq.to_be_bytes()[..], &anchor.proof(tx.seals, "cut")].concat();
    tx.change(
        "INSERT INTO meta (name, value) VALUES ('chain_cut', ?1) ON CONFLICT DO UPDATE SET value = excluded.value",
        [value],
    )?;
    Ok(())
}

/// Writes an act, once per id; tells its sequence number.
pub(super) fn append_act(tx: Tx<'_>, act: LoginId, user: &str, json: &str) -> Result<u64, StoreError> {
    let written = tx.one("SELECT seq FROM records WHERE login = ?1", [id(act)], |row| row.get(0))?;
    written.map_or_else(|| link(tx, id(act), user, false, json), |seq| Ok(undb(seq)))
}

/// One more link of the chain.
fn link(tx: Tx<'_>, login: i64, user: &str, accepted: bool, json: &str) -> Result<u64, StoreError> {
    let before = Head::read(tx)?;
    let link = Link { seq: before.seq.saturating_add(1), login, user, json };
    let head = Head { seq: link.seq, mac: link.mac(tx.seals, &before.mac) };
    tx.change(
        "INSERT INTO records (seq, login, user, accepted, json, mac) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        params![db(link.seq), link.login, user, accepted, json, head.mac],
    )?;
    head.write(tx)?;
    if head.seq.is_multiple_of(ANCHOR_EVERY) {
        let proof = head.proof(tx.seals, "anchor");
        tx.change("INSERT INTO anchors (seq, mac, proof) VALUES (?1, ?2, ?3)", params![db(head.seq), head.mac, proof])?;
    }
    Ok(head.seq)
}

/// Records after a place in the chain.
pub(super) fn after(tx: Tx<'_>, seq: u64, limit: usize) -> Result<Vec<StoredRecord>, StoreError> {
    tx.all(
        "SELECT seq, login, json FROM records WHERE seq > ?1 ORDER BY seq LIMIT ?2",
        params![db(seq), most(limit)],
        read,
    )
}

/// The latest records of a user's logins; of an amended one the amendment.
pub(super) fn recent(tx: Tx<'_>, user: &ResolvedUser, limit: usize) -> Result<Vec<StoredRecord>, StoreError> {
    let sql = "SELECT seq, login, json FROM records WHERE user = ?1 AND NOT json GLOB '{\"act\":*' ORDER BY seq DESC LIMIT ?2";
    // Newest first an amendment comes before what it amends, which may be as many rows more.
    let rows = tx.all(sql, params![user.as_str(), most(limit.saturating_mul(2))], read)?;
    let mut amended = BTreeSet::new();
    let mut shown = Vec::new();
    for row in rows {
        amended.extend(Amends::of(&row.json).map(|amends| amends.amends));
        if !amended.contains(&row.seq) && shown.len() < limit {
            shown.push(row);
        }
    }
    shown.into_iter().map(|row| counted(tx, row)).collect()
}

/// The latest acts on a user.
pub(super) fn acts(tx: Tx<'_>, user: &ResolvedUser, limit: usize) -> Result<Vec<StoredRecord>, StoreError> {
    let sql =
        "SELECT seq, login, json FROM records WHERE user = ?1 AND json GLOB '{\"act\":*' ORDER BY seq DESC LIMIT ?2";
    tx.all(sql, params![user.as_str(), most(limit)], read)
}

/// The record of one login, or what amends it.
pub(super) fn of_login(tx: Tx<'_>, login: LoginId) -> Result<Option<StoredRecord>, StoreError> {
    let written = tx.one("SELECT seq, login, json FROM records WHERE login = ?1", [id(login)], read)?;
    let shown = if written.is_some() { amendment(tx, login)?.or(written) } else { None };
    shown.map(|row| counted(tx, row)).transpose()
}

/// The record at that place, or what amends it.
pub(super) fn at(tx: Tx<'_>, seq: u64) -> Result<Option<StoredRecord>, StoreError> {
    let written = tx.one("SELECT seq, login, json FROM records WHERE seq = ?1", [db(seq)], read)?;
    let Some(row) = written else { return Ok(None) };
    let shown = amendment(tx, row.login)?.unwrap_or(row);
    counted(tx, shown).map(Some)
}

/// With how often its like came so far.
fn counted(tx: Tx<'_>, row: StoredRecord) -> Result<StoredRecord, StoreError> {
    Ok(StoredRecord { json: repeats::with_count(tx, row.seq, row.json)?, ..row })
}

/// How far a sink was fed.
pub(super) fn cursor(tx: Tx<'_>, sink: &str) -> Result<u64, StoreError> {
    Ok(tx.one("SELECT seq FROM sinks WHERE name = ?1", [sink], |row| row.get(0))?.map_or(0, undb))
}

/// A sink holds all up to here.
pub(super) fn advance(tx: Tx<'_>, sink: &str, seq: u64) -> Result<(), StoreError> {
    tx.change(
        "INSERT INTO sinks (name, seq) VALUES (?1, ?2) ON CONFLICT DO UPDATE SET seq = max(seq, excluded.seq)",
        params![sink, db(seq)],
    )?;
    Ok(())
}

/// Walks the chain.
pub(super) fn verify(tx: Tx<'_>) -> Result<ChainState, StoreError> {
    let mut statement = tx.db.prepare_cached("SELECT seq, login, user, json, mac FROM records ORDER BY seq")?;
    let mut rows = statement.query([])?;
    let mut walk: Option<Walk> = None;
    while let Some(row) = rows.next()? {
        let seq = undb(row.get(0)?);
        let mut here = match walk.take() {
            Some(walk) => walk,
            None => match Walk::begin(tx, seq)? {
                Some(walk) => walk,
                None => return Ok(ChainState::Broken { seq: 1 }),
            },
        };
        let expected = here.last.seq.saturating_add(1);
        let (user, json): (String, String) = (row.get(2)?, row.get(3)?);
        let link = Link { seq: expected, login: row.get(1)?, user: &user, json: &json };
        let mac = link.mac(tx.seals, &here.last.mac);
        if seq != expected || !bool::from(mac.ct_eq(&row.get::<_, Vec<u8>>(4)?)) {
            return Ok(ChainState::Broken { seq: expected });
        }
        here.last = Head { seq, mac };
        walk = Some(here);
    }
    let last = walk.as_ref().map_or_else(|| Head::genesis(tx.seals), |walk| walk.last);
    // What was written last must be what stands last, or the tail was cut off.
    match Head::read(tx) {
        Ok(head) if head == last => Ok(ChainState::Whole { first: walk.map_or(1, |walk| walk.first), last: last.seq }),
        Ok(_) | Err(StoreError::Tampered { .. }) => Ok(ChainState::Broken { seq: last.seq.saturating_add(1) }),
        Err(error) => Err(error),
    }
}

/// One row of the chain.
struct Link<'a> {
    seq: u64,
    login: i64,
    user: &'a str,
    json: &'a str,
}

impl Link<'_> {
    fn mac(&self, seals: &Seals, before: &[u8; 32]) -> [u8; 32] {
        let (seq, login) = (self.seq.to_be_bytes(), self.login.to_be_bytes());
        hmac(&seals.chain[..], &[b"record", before, &seq, &login, self.user.as_bytes(), self.json.as_bytes()])
    }
}

/// A place in the chain: the last record, or an anchor.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Head {
    seq: u64,
    mac: [u8; 32],
}

impl Head {
    fn genesis(seals: &Seals) -> Self {
        Self { seq: 0, mac: hmac(&seals.chain[..], &[b"genesis"]) }
    }

    fn read(tx: Tx<'_>) -> Result<Self, StoreError> {
        let value: Option<Vec<u8>> =
            tx.one("SELECT value FROM meta WHERE name = 'chain_head'", [], |row| row.get(0))?;
        let Some(value) = value else { return Ok(Self::genesis(tx.seals)) };
        let tampered = || StoreError::Tampered { table: "meta", row: "chain_head".into() };
        let (seq, rest) = value.split_first_chunk::<8>().ok_or_else(tampered)?;
        let (mac, proof) = rest.split_first_chunk::<32>().ok_or_else(tampered)?;
        let head = Self { seq: u64::from_be_bytes(*seq), mac: *mac };
        if head.proof(tx.seals, "head").ct_eq(proof).into() { Ok(head) } else { Err(tampered()) }
    }

    /// The anchor at that record, if it is ours.
    fn anchor(tx: Tx<'_>, seq: u64) -> Result<Option<Self>, StoreError> {
        let anchor: Option<([u8; 32], Vec<u8>)> =
            tx.one("SELECT mac, proof FROM anchors WHERE seq = ?1", [db(seq)], |row| Ok((row.get(0)?, row.get(1)?)))?;
        Ok(anchor.and_then(|(mac, proof)| {
            let head = Self { seq, mac };
            bool::from(head.proof(tx.seals, "anchor").ct_eq(&proof)).then_some(head)
        }))
    }

    fn write(&self, tx: Tx<'_>) -> Result<(), StoreError> {
        let value = [&self.seq.to_be_bytes()[..], &self.mac, &self.proof(tx.seals, "head")].concat();
        tx.change(
            "INSERT INTO meta (name, value) VALUES ('chain_head', ?1) ON CONFLICT DO UPDATE SET value = excluded.value",
            [value],
        )?;
        Ok(())
    }

    fn proof(&self, seals: &Seals, what: &str) -> [u8; 32] {
        hmac(&seals.chain[..], &[what.as_bytes(), &self.seq.to_be_bytes(), &self.mac])
    }
}

/// A walk along the chain: where it began and how far it came.
struct Walk {
    first: u64,
    last: Head,
}

impl Walk {
    /// Begins before record `first`: at the genesis, or at the anchor that retention left there.
    fn begin(tx: Tx<'_>, first: u64) -> Result<Option<Self>, StoreError> {
        if first <= 1 {
            return Ok(Some(Self { first: 1, last: Head::genesis(tx.seals) }));
        }
        let anchor = Head::anchor(tx, first.saturating_sub(1))?;
        let cut: Option<Vec<u8>> = tx.one("SELECT value FROM meta WHERE name = 'chain_cut'", [], |row| row.get(0))?;
        // Only retention cuts, and it says where.
        let is_cut_there = |last: &Head| {
            let value = [&last.seq.to_be_bytes()[..], &last.proof(tx.seals, "cut")].concat();
            cut.is_some_and(|cut| value.ct_eq(&cut).into())
        };
        Ok(anchor.filter(is_cut_there).map(|last| Self { first, last }))
    }
}

/// F2: a name that no primary vouched for and that nobody here has is written as a keyed hash.
fn shown_name(tx: Tx<'_>, record: &Record) -> Result<String, StoreError> {
    let known =
        record.vouched || tx.any("SELECT 1 FROM users WHERE name = ?1 AND removed_at IS NULL", [&record.user])?;
    Ok(if known { record.user.to_string() } else { tx.seals.unknown_name(&record.user) })
}

fn read(row: &Row<'_>) -> rusqlite::Result<StoredRecord> {
    let json: String = row.get(2)?;
    let id = LoginId(u64::from_be_bytes(row.get::<_, i64>(1)?.to_be_bytes()));
    // An amendment's row has an id of its own.
    let login = Amends::of(&json).and_then(|amends| u64::from_str_radix(&amends.login, 16).ok()).map_or(id, LoginId);
    Ok(StoredRecord { seq: undb(row.get(0)?), login, json })
}

/// What an amendment says of itself.
#[derive(Deserialize)]
struct Amends {
    amends: u64,
    login: String,
}

impl Amends {
    fn of(json: &str) -> Option<Self> {
        json.starts_with(r#"{"amends":"#).then(|| serde_json::from_str(json).ok()).flatten()
    }
}

/// What amends the record of this login, if anything does.
fn amendment(tx: Tx<'_>, login: LoginId) -> Result<Option<StoredRecord>, StoreError> {
    tx.one("SELECT seq, login, json FROM records WHERE login = ?1", [amendment_id(tx, login)], read)
}

/// Derived, so that amending may be repeated; keyed, so that it meets no login's own id but by chance.
fn amendment_id(tx: Tx<'_>, login: LoginId) -> i64 {
    let [a, b, c, d, e, f, g, h, ..] = tx.seals.keyed("amendments", &[&login.0.to_be_bytes()]);
    i64::from_be_bytes([a, b, c, d, e, f, g, h])
}

/// A login's id bit for bit, as SQLite's integers are signed.
pub(super) fn id(login: LoginId) -> i64 {
    i64::from_be_bytes(login.0.to_be_bytes())
}

fn most(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}
