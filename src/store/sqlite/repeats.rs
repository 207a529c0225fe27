//! Refusals that are equal: of a minute they are one record with a count (rules F2).
//!
//! The first is written down at once, like any record. Each further one that is equal in client, name, station and reason only
//! counts, durably, beside it; whoever reads the record meanwhile reads the count. When the minute is over a record amends the first
//! with how often and until when, so that the chain, where nothing ever changes, has two rows instead of thousands. A refusal
//! after the primary's Accept is always its own record: somebody has a password.

use std::time::Duration;

use jiff::Timestamp;
use login::{LoginId, Record, RecordedAnswer, RecordedFactor, Wall};
use rusqlite::{Row, params};
use serde_json::Value;
use subtle::ConstantTimeEq;

use super::super::error::StoreError;
use super::super::written;
use super::records;
use super::tx::{Tx, db, undb, wall};

/// Refusals that are no further apart are one record.
const WINDOW: Duration = Duration::from_secs(60);
/// Of one name's latest records so many are looked at for an equal one.
const LOOKED_AT: i64 = 8;
/// What makes two refusals equal, as it stands in their records.
const EQUAL: [&str; 8] = ["client", "user", "station", "reason", "answer", "rule", "primary", "factor"];

/// Amendments of one commit.
pub(super) const SETTLED_AT_ONCE: usize = 256;

const COLUMNS: &str = "id, seq, first_at, last_at, times, last_login, mac";

/// A record whose like may still come.
pub(super) struct Open {
    id: [u8; 32],
    seq: u64,
    first_at: Wall,
    last_at: Wall,
    times: u64,
    last_login: i64,
}

/// Counts a refusal whose like was written down within the minute; `None`: it is to be written down.
pub(super) fn count(tx: Tx<'_>, record: &Record, user: &str) -> Result<Option<u64>, StoreError> {
    let refused_early = !record.vouched && record.factor == RecordedFactor::None;
    if !refused_early || record.answer == RecordedAnswer::Accept {
        return Ok(None);
    }
    let here: Value = serde_json::from_str(&written::json(record, user)?).unwrap_or_default();
    let id = id_of(tx, &here);
    let login = records::id(record.login);
    match Open::find(tx, "id", &id)? {
        Some(open) if open.takes(record.time) => {
            // The same login again repeats a statement whose commit was unknown.
            if open.last_login != login {
                let times = open.times.saturating_add(1);
                Open { last_at: open.last_at.max(record.time), times, last_login: login, ..open }.write(tx)?;
            }
            Ok(Some(open.seq))
        }
        Some(open) => open.settle(tx).map(|()| None),
        None => {
            let Some((seq, first_at)) = first(tx, &here, user, record.time)? else { return Ok(None) };
            let last_at = record.time.max(first_at);
            Open { id, seq, first_at, last_at, times: 2, last_login: login }.write(tx)?;
            Ok(Some(seq))
        }
    }
}

/// The count beside a record, if there is one; added to its text.
pub(super) fn with_count(tx: Tx<'_>, seq: u64, json: String) -> Result<String, StoreError> {
    let open = Open::find(tx, "seq", &db(seq))?;
    Ok(open.map_or_else(|| json.clone(), |open| open.told(&json)))
}

/// Amends the records whose minute is over, so many at most; says how many.
pub(super) fn settle(tx: Tx<'_>, now: Wall, most: usize) -> Result<usize, StoreError> {
    // Also those of a future that a clock which was set back has left.
    let over = tx.all(
        &format!("SELECT {COLUMNS} FROM repeats WHERE first_at <= ?1 OR first_at > ?2 ORDER BY first_at LIMIT ?3"),
        params![
            db(now.0.saturating_sub(millis(WINDOW))),
            db(now.plus(WINDOW).0),
            i64::try_from(most).unwrap_or(i64::MAX)
        ],
        read,
    )?;
    for (open, mac) in &over {
        if open.is_ours(tx, mac) { open.settle(tx)? } else { open.forget(tx)? }
    }
    Ok(over.len())
}

/// Nothing up to there is kept any more, so nothing of it is amended.
pub(super) fn forget_up_to(tx: Tx<'_>, seq: u64) -> Result<(), StoreError> {
    tx.change("DELETE FROM repeats WHERE seq <= ?1", [db(seq)]).map(drop)
}

impl Open {
    fn find(tx: Tx<'_>, by: &str, key: &dyn rusqlite::ToSql) -> Result<Option<Self>, StoreError> {
        let sql = format!("SELECT {COLUMNS} FROM repeats WHERE {by} = ?1");
        let found = tx.one(&sql, [key], read)?;
        Ok(found.filter(|(open, mac)| open.is_ours(tx, mac)).map(|(open, _)| open))
    }

    fn takes(&self, at: Wall) -> bool {
        near(self.first_at, at)
    }

    fn is_ours(&self, tx: Tx<'_>, mac: &[u8]) -> bool {
        self.mac(tx).ct_eq(mac).into()
    }

    fn mac(&self, tx: Tx<'_>) -> [u8; 32] {
        let numbers = [self.seq, self.first_at.0, self.last_at.0, self.times].map(u64::to_be_bytes).concat();
        tx.seals.keyed("repeats", &[&self.id, &numbers, &self.last_login.to_be_bytes()])
    }

    fn write(&self, tx: Tx<'_>) -> Result<(), StoreError> {
        let sql = "INSERT OR REPLACE INTO repeats (id, seq, first_at, last_at, times, last_login, mac) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
        let (seq, first, last, times) = (db(self.seq), db(self.first_at.0), db(self.last_at.0), db(self.times));
        tx.change(sql, params![self.id, seq, first, last, times, self.last_login, self.mac(tx)]).map(drop)
    }

    fn forget(&self, tx: Tx<'_>) -> Result<(), StoreError> {
        tx.change("DELETE FROM repeats WHERE id = ?1", [self.id]).map(drop)
    }

    /// The first's record with the count, as the one that amends it.
    fn settle(&self, tx: Tx<'_>) -> Result<(), StoreError> {
        self.forget(tx)?;
        let sql = "SELECT login, user, json FROM records WHERE seq = ?1";
        let row = tx.one(sql, [db(self.seq)], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
        let Some((login, user, json)): Option<(i64, String, String)> = row else { return Ok(()) };
        let login = LoginId(u64::from_be_bytes(login.to_be_bytes()));
        let told = self.told(&json);
        let json = format!(r#"{{"amends":{},{}"#, self.seq, told.trim_start_matches('{'));
        records::amend(tx, login, &user, &json).map(drop)
    }

    /// `times`, `first` and `last` at the end of a record.
    fn told(&self, json: &str) -> String {
        let fields = json.trim_end();
        let fields = fields.strip_suffix('}').unwrap_or(fields);
        let (times, first, last) = (self.times, written::time(self.first_at), written::time(self.last_at));
        format!(r#"{fields},"times":{times},"first":"{first}","last":"{last}"}}"#)
    }
}

fn read(row: &Row<'_>) -> rusqlite::Result<(Open, Vec<u8>)> {
    let open = Open {
        id: row.get(0)?,
        seq: undb(row.get(1)?),
        first_at: wall(row.get(2)?),
        last_at: wall(row.get(3)?),
        times: undb(row.get(4)?),
        last_login: row.get(5)?,
    };
    Ok((open, row.get(6)?))
}

fn near(one: Wall, other: Wall) -> bool {
    one.0.abs_diff(other.0) < millis(WINDOW)
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

fn id_of(tx: Tx<'_>, record: &Value) -> [u8; 32] {
    let parts = EQUAL.map(|key| record[key].to_string());
    let parts: Vec<&[u8]> = parts.iter().map(String::as_bytes).collect();
    tx.seals.keyed("equal refusals", &parts)
}

/// The record of an equal refusal within the minute before, and its time.
fn first(tx: Tx<'_>, here: &Value, user: &str, at: Wall) -> Result<Option<(u64, Wall)>, StoreError> {
    let sql = "SELECT seq, json FROM records WHERE user = ?1 ORDER BY seq DESC LIMIT ?2";
    let rows: Vec<(i64, String)> = tx.all(sql, params![user, LOOKED_AT], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let equal = |(seq, json): &(i64, String)| {
        let there: Value = serde_json::from_str(json).ok()?;
        let is_record = there["act"].is_null() && there["amends"].is_null();
        let time = there["time"].as_str()?.parse::<Timestamp>().ok()?;
        let time = Wall(u64::try_from(time.as_millisecond()).ok()?);
        let is_equal = is_record && near(time, at) && EQUAL.iter().all(|key| there[key] == here[key]);
        is_equal.then_some((undb(*seq), time))
    };
    Ok(rows.iter().find_map(equal))
}
