//! How long records are kept (rules F2): past their time, or past the size that the store may have, the oldest go.
//!
//! Records go as a whole stretch of the chain, from one anchor to the next, in one transaction: so the chain is whole before and
//! after, and the writing thread is held up no longer than by as many logins. Where it was cut is written down beside the chain's
//! head, and authenticated likewise: whoever takes records away without the key is missed. What the audit file has not taken yet
//! stays.

use jiff::Timestamp;
use login::Wall;
use serde_json::Value;

use super::super::error::StoreError;
use super::super::rows::{Keep, Pruned};
use super::tx::{Tx, undb};
use super::{records, repeats};

/// Cuts off the oldest stretch, if it is due.
pub(super) fn prune(tx: Tx<'_>, keep: &Keep) -> Result<Pruned, StoreError> {
    let used = used(tx)?;
    let nothing = Pruned { records: 0, used, waits_for_sink: false };
    let Some(first) = tx.one("SELECT min(seq) FROM records", [], |row| row.get::<_, Option<i64>>(0))?.flatten() else {
        return Ok(nothing);
    };
    let sql = "SELECT seq FROM anchors WHERE seq >= ?1 ORDER BY seq LIMIT 2";
    let anchors: Vec<i64> = tx.all(sql, [first], |row| row.get(0))?;
    let Some(cut) = anchors.first().copied() else { return Ok(nothing) };
    let is_too_big = keep.at_most.is_some_and(|most| used > most) && anchors.len() > 1;
    if !is_too_big && time_of(tx, cut)?.is_none_or(|at| at >= keep.since) {
        return Ok(nothing);
    }
    if let Some(sink) = &keep.fed
        && records::cursor(tx, sink)? < undb(cut)
    {
        return Ok(Pruned { waits_for_sink: true, ..nothing });
    }
    records::cut(tx, undb(cut))?;
    repeats::forget_up_to(tx, undb(cut))?;
    let records = tx.change("DELETE FROM records WHERE seq <= ?1", [cut])?;
    tx.change("DELETE FROM anchors WHERE seq < ?1", [cut])?;
    Ok(Pruned { records: u64::try_from(records).unwrap_or(u64::MAX), ..nothing })
}

/// Octets of the file that hold something: what was deleted is used again before the file grows.
fn used(tx: Tx<'_>) -> Result<u64, StoreError> {
    let pragma = |name: &str| tx.db.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
    let pages = pragma("page_count")?.saturating_sub(pragma("freelist_count")?);
    Ok(undb(pages.saturating_mul(pragma("page_size")?)))
}

/// When the login or the act of that record began.
fn time_of(tx: Tx<'_>, seq: i64) -> Result<Option<Wall>, StoreError> {
    let json: Option<String> = tx.one("SELECT json FROM records WHERE seq = ?1", [seq], |row| row.get(0))?;
    let record: Value = json.and_then(|json| serde_json::from_str(&json).ok()).unwrap_or_default();
    let time = record["time"].as_str().and_then(|text| text.parse::<Timestamp>().ok());
    Ok(time.and_then(|time| u64::try_from(time.as_millisecond()).ok()).map(Wall))
}
