//! What the staff look at over all users: by an index each, and no more rows than are told (rules G1).

use login::{ResolvedUser, Wall};
use rusqlite::{Row, params};

use super::super::error::StoreError;
use super::super::overview::{Census, MinuteCount, Overview, Refusals, RefusalsOf, UsersWho};
use super::super::rows::{StoredRecord, User};
use super::super::verbs::StoreFuture;
use super::super::web::CodePurpose;
use super::super::written;
use super::tx::{Tx, db, undb};
use super::{Sqlite, people_codes, records, users};

/// Of one name's refusals so many are looked at for a page; the next page goes on from there.
const LOOKED_AT: usize = 2000;

/// A refusal that stands for itself, as the partial indexes of the schema say it.
const REFUSED: &str = "accepted = 0 AND reason IS NOT NULL AND times IS NULL";

impl Overview for Sqlite {
    fn refusals(&self, of: RefusalsOf, before: Option<u64>, limit: usize) -> StoreFuture<'_, Refusals> {
        self.read(move |tx| refusals(tx, &of, before, limit))
    }

    fn minutes(&self, from: Wall, until: Wall) -> StoreFuture<'_, Vec<MinuteCount>> {
        self.read(move |tx| minutes(tx, from, until))
    }

    fn census(&self, silent_after: u32) -> StoreFuture<'_, Census> {
        self.read(move |tx| census(tx, silent_after))
    }

    fn find_users(
        &self,
        part: &str,
        who: UsersWho,
        after: Option<&ResolvedUser>,
        limit: usize,
    ) -> StoreFuture<'_, Vec<User>> {
        let (part, after) = (part.to_owned(), after.cloned());
        self.read(move |tx| find(tx, &part, who, after.as_ref(), limit))
    }

    fn count_users(&self, part: &str, who: UsersWho) -> StoreFuture<'_, u64> {
        let part = part.to_owned();
        self.read(move |tx| count(tx, &part, who))
    }

    fn last_accept(&self, user: &ResolvedUser) -> StoreFuture<'_, Option<StoredRecord>> {
        let user = user.clone();
        self.read(move |tx| last_accept(tx, &user))
    }

    fn open_codes(&self, user: &ResolvedUser, at: Wall) -> StoreFuture<'_, Vec<(CodePurpose, Wall)>> {
        let user = user.clone();
        self.read(move |tx| people_codes::open(tx, &user, at))
    }
}

/// A refusal that was found.
struct Found {
    seq: u64,
    reason: String,
    client: Option<String>,
}

/// One page of refusals.
pub(super) fn refusals(tx: Tx<'_>, of: &RefusalsOf, before: Option<u64>, limit: usize) -> Result<Refusals, StoreError> {
    let before = db(before.unwrap_or(u64::MAX));
    let (found, older) =
        if of.names.is_empty() { of_all(tx, of, before, limit)? } else { of_names(tx, of, before, limit)? };
    let shown = found.into_iter().filter_map(|one| records::at(tx, one.seq).transpose());
    Ok(Refusals { records: shown.collect::<Result<Vec<StoredRecord>, _>>()?, older })
}

/// Whoever they were of.
fn of_all(tx: Tx<'_>, of: &RefusalsOf, before: i64, limit: usize) -> Result<(Vec<Found>, Option<u64>), StoreError> {
    let (index, more) = match (&of.reason, &of.client) {
        (None, None) => ("refusals", ""),
        (Some(_), None) => ("refusals_by_reason", " AND reason = ?3"),
        (None, Some(_)) => ("refusals_by_client", " AND client = ?4"),
        (Some(_), Some(_)) => ("refusals_by_client_and_reason", " AND reason = ?3 AND client = ?4"),
    };
    let sql = format!(
        "SELECT seq, reason, client FROM records INDEXED BY {index} WHERE {REFUSED} AND seq < ?1{more} \
         AND (?3 IS NULL OR reason = ?3) AND (?4 IS NULL OR client = ?4) ORDER BY seq DESC LIMIT ?2"
    );
    let mut found = tx.all(&sql, params![before, rows(limit.saturating_add(1)), of.reason, of.client], read)?;
    let is_more = found_at_most(&mut found, limit);
    let older = found.last().filter(|_| is_more).map(|one| one.seq);
    Ok((found, older))
}

/// Cuts what is more than a page; says whether something was.
fn found_at_most(found: &mut Vec<Found>, limit: usize) -> bool {
    let is_more = found.len() > limit;
    found.truncate(limit);
    is_more
}

/// Of somebody, by the name and by its keyed hash.
fn of_names(tx: Tx<'_>, of: &RefusalsOf, before: i64, limit: usize) -> Result<(Vec<Found>, Option<u64>), StoreError> {
    let mut names: Vec<String> = of.names.iter().flat_map(|name| [name.clone(), tx.seals.unknown_name(name)]).collect();
    names.sort_unstable();
    names.dedup();
    let sql = format!(
        "SELECT seq, reason, client FROM records INDEXED BY refusals_by_user \
         WHERE {REFUSED} AND user = ?1 AND seq < ?2 ORDER BY seq DESC LIMIT ?3"
    );
    let (mut found, mut looked_to) = (Vec::new(), None);
    for name in &names {
        let looked: Vec<Found> = tx.all(&sql, params![name, before, rows(LOOKED_AT)], read)?;
        // Below this place nothing was looked at for this name, so the page must end above it.
        looked_to = looked_to.max(looked.last().filter(|_| looked.len() == LOOKED_AT).map(|last| last.seq));
        found.extend(looked);
    }
    let is_wanted = |one: &Found| {
        looked_to.is_none_or(|to| one.seq >= to)
            && of.reason.as_ref().is_none_or(|reason| *reason == one.reason)
            && of.client.as_ref().is_none_or(|client| Some(client) == one.client.as_ref())
    };
    found.retain(is_wanted);
    found.sort_unstable_by_key(|one| std::cmp::Reverse(one.seq));
    let is_more = found_at_most(&mut found, limit);
    let older = if is_more { found.last().map(|one| one.seq) } else { looked_to };
    Ok((found, older))
}

fn read(row: &Row<'_>) -> rusqlite::Result<Found> {
    Ok(Found { seq: undb(row.get(0)?), reason: row.get(1)?, client: row.get(2)? })
}

/// How the logins of each minute ended.
pub(super) fn minutes(tx: Tx<'_>, from: Wall, until: Wall) -> Result<Vec<MinuteCount>, StoreError> {
    let minute = |at: Wall| written::time(at).chars().take(16).collect::<String>();
    tx.all(
        "SELECT minute, accepted, reason, sum(coalesce(times - 1, 1)) FROM records INDEXED BY logins_by_minute \
         WHERE reason IS NOT NULL AND minute >= ?1 AND minute < ?2 GROUP BY minute, accepted, reason",
        params![minute(from), minute(until)],
        |row| {
            Ok(MinuteCount {
                minute: row.get(0)?,
                accepted: row.get(1)?,
                reason: row.get(2)?,
                count: undb(row.get(3)?),
            })
        },
    )
}

/// How many users and phones there are.
pub(super) fn census(tx: Tx<'_>, silent_after: u32) -> Result<Census, StoreError> {
    let users = tx.one("SELECT count(*), total(ever_enrolled) FROM users WHERE removed_at IS NULL", [], pair)?;
    let phones = tx.one(
        "SELECT count(*), total(unanswered >= ?1) FROM devices WHERE removed_at IS NULL AND state = 'active'",
        [silent_after],
        pair,
    )?;
    let ((users, enrolled), (phones, silent)) = (users.unwrap_or_default(), phones.unwrap_or_default());
    Ok(Census { users, enrolled, phones, silent })
}

fn pair(row: &Row<'_>) -> rusqlite::Result<(u64, u64)> {
    // `total` is a float by its nature, and these are small whole numbers.
    let (all, some): (i64, f64) = (row.get(0)?, row.get(1)?);
    Ok((undb(all), format!("{some:.0}").parse().unwrap_or_default()))
}

/// Who is meant, of `users`; `?1` is a part of the name, `?2` the unanswered prompts that make a phone silent.
fn who(who: UsersWho) -> (&'static str, u32) {
    match who {
        UsersWho::All => ("?2 = ?2", 0),
        UsersWho::NeverEnrolled => ("?2 = ?2 AND ever_enrolled = 0", 0),
        UsersWho::Blocked => ("?2 = ?2 AND (blocked IS NOT NULL OR fraud_at IS NOT NULL)", 0),
        UsersWho::Silent(after) => (
            "EXISTS (SELECT 1 FROM devices WHERE devices.user = users.id AND devices.removed_at IS NULL \
             AND devices.state = 'active' AND devices.unanswered >= ?2)",
            after,
        ),
    }
}

/// Users whose name contains that.
pub(super) fn find(
    tx: Tx<'_>,
    part: &str,
    whose: UsersWho,
    after: Option<&ResolvedUser>,
    limit: usize,
) -> Result<Vec<User>, StoreError> {
    let (condition, silent) = who(whose);
    let sql = format!(
        "SELECT name FROM users WHERE removed_at IS NULL AND name > ?3 AND instr(name, ?1) > 0 AND {condition} \
         ORDER BY name LIMIT ?4"
    );
    let after = after.map_or("", ResolvedUser::as_str);
    let names: Vec<String> = tx.all(&sql, params![part, silent, after, rows(limit)], |row| row.get(0))?;
    names.iter().filter_map(|name| users::show(tx, &ResolvedUser::new(name.as_str())).transpose()).collect()
}

/// How many these are.
pub(super) fn count(tx: Tx<'_>, part: &str, whose: UsersWho) -> Result<u64, StoreError> {
    let (condition, silent) = who(whose);
    let sql = format!("SELECT count(*) FROM users WHERE removed_at IS NULL AND instr(name, ?1) > 0 AND {condition}");
    Ok(tx.one(&sql, params![part, silent], |row| row.get(0))?.map_or(0, undb))
}

/// The last login that was let in.
pub(super) fn last_accept(tx: Tx<'_>, user: &ResolvedUser) -> Result<Option<StoredRecord>, StoreError> {
    let sql =
        "SELECT seq FROM records INDEXED BY accepts_by_user WHERE user = ?1 AND accepted = 1 ORDER BY seq DESC LIMIT 1";
    let seq: Option<i64> = tx.one(sql, [user.as_str()], |row| row.get(0))?;
    seq.map_or(Ok(None), |seq| records::at(tx, undb(seq)))
}

fn rows(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}
