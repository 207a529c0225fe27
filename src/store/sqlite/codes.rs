//! Guesses at codes (rules C1) and the failures that count (D1).
//!
//! Every guess of a user is a compare-and-set on that user's factor version, so guesses serialise over sockets, processes
//! and nodes: of 500 that read the same version one commits, and the others read again. `last_step` and `counter` stand in
//! the condition of their own update, so that no caller, whatever its clock says, can lower them. The last wrong code of a
//! bucket stands in its row as a keyed hash, so that the same one again counts once after a restart and in a race, too.

use login::limits::{Bucket, Limits};
use login::{Method, ResolvedUser, Station, Wall};
use rusqlite::params;

use super::super::error::{Refusal, StoreError};
use super::super::rows::{CommittedGuess, Guess, GuessCommit, GuessOutcome, Mark, TokenUse, WrongBefore, WrongCode};
use super::tokens;
use super::tx::{Tx, count, db, wall};
use super::users::UserRow;

/// Stations that are remembered of one user; the one that succeeded longest ago makes room.
const STATIONS_PER_USER_MAX: i64 = 32;

/// Committed guesses that are remembered of one user, for a statement that is repeated at once.
const GUESSES_PER_USER_MAX: i64 = 64;

/// The failures that count for a station.
pub(super) struct StationBucket {
    key: Vec<u8>,
    pub(super) bucket: Bucket,
    pub(super) known: bool,
    wrong: Option<WrongBefore>,
}

/// The bucket of a known station, or else that of all unknown ones together (rules D1).
pub(super) fn station_bucket(
    tx: Tx<'_>,
    owner: i64,
    station: Option<&Station>,
    at: Wall,
    limits: &Limits,
) -> Result<StationBucket, StoreError> {
    if let Some(station) = station {
        let key = tx.seals.station(station.octets());
        if let Some(Row { bucket, wrong, success_at }) = row(tx, owner, &key)?
            && success_at.is_some_and(|success| at.since(success) <= limits.station_known_for)
        {
            return Ok(StationBucket { key, bucket, known: true, wrong });
        }
    }
    let Row { bucket, wrong, .. } = row(tx, owner, &[])?.unwrap_or_default();
    Ok(StationBucket { key: Vec::new(), bucket, known: false, wrong })
}

/// How many stations had a success.
pub(super) fn stations(tx: Tx<'_>, owner: i64) -> Result<usize, StoreError> {
    let stations: i64 = tx
        .one("SELECT count(*) FROM buckets WHERE user = ?1 AND station <> x''", [owner], |row| row.get(0))?
        .unwrap_or(0);
    Ok(usize::try_from(stations).unwrap_or(0))
}

/// All failures are forgotten; known stations stay known.
pub(super) fn forget_failures(tx: Tx<'_>, owner: i64) -> Result<(), StoreError> {
    tx.change(
        "UPDATE buckets SET failures = 0, locked_until = NULL, wrong = NULL, wrong_at = NULL WHERE user = ?1",
        [owner],
    )?;
    Ok(())
}

/// A push was approved: codes that were off until then are on again (rules D1).
pub(super) fn unlock_by_push(tx: Tx<'_>, owner: i64) -> Result<(), StoreError> {
    tx.change(
        "UPDATE buckets SET failures = 0, locked_until = NULL, wrong = NULL, wrong_at = NULL WHERE user = ?1 AND locked_until = ?2",
        [owner, db(Wall::NEVER.0)],
    )?;
    Ok(())
}

/// All that a guess needs.
pub(super) fn read(
    tx: Tx<'_>,
    user: &ResolvedUser,
    station: Option<&Station>,
    methods: &[Method],
    at: Wall,
    limits: &Limits,
) -> Result<Guess, StoreError> {
    let Some(owner) = UserRow::find(tx, user)? else { return Ok(Guess::default()) };
    let from = station_bucket(tx, owner.id, station, at, limits)?;
    let mut open = tokens::open_of_user(tx, owner.id, &owner.name)?;
    open.retain(|open| methods.contains(&open.token.kind.method()));
    Ok(Guess {
        version: u64::try_from(owner.version).unwrap_or(0),
        tokens: open,
        bucket: from.bucket,
        wrong: from.wrong,
        station_known: from.known,
        ever_enrolled: owner.ever_enrolled,
    })
}

/// Commits the use or the failure.
pub(super) fn commit(tx: Tx<'_>, guess: &GuessCommit, limits: &Limits) -> Result<CommittedGuess, StoreError> {
    let owner = UserRow::need(tx, &guess.user)?;
    // Repeated after an unknown commit: what it did is done (rules C1).
    if tx.any("SELECT 1 FROM guesses WHERE guess_id = ?1 AND user = ?2", params![guess.guess_id, owner.id])? {
        return Ok(CommittedGuess::Committed);
    }
    let from = station_bucket(tx, owner.id, guess.station.as_ref(), guess.at, limits)?;
    // A guess that was read before a lock began must not be revealed after it (rules D1).
    if u64::try_from(owner.version) != Ok(guess.version) || from.bucket.lock(guess.at).is_some() {
        return Ok(CommittedGuess::Stale);
    }
    match &guess.outcome {
        GuessOutcome::Used(uses) => {
            // All or none: what is only looked at first changes nothing where one of them stands higher.
            if uses.is_empty()
                || !uses
                    .iter()
                    .map(|one| fresh(tx, &owner, one))
                    .collect::<Result<Vec<_>, _>>()?
                    .iter()
                    .all(|fresh| *fresh)
            {
                return Ok(CommittedGuess::Stale);
            }
            uses.iter().try_for_each(|one| spend(tx, &owner, one))?;
            write(tx, owner.id, &from.key, Bucket::default(), None)?;
            remember_station(tx, owner.id, guess.station.as_ref(), guess.at)?;
        }
        // Rules C1: "A repeated identical wrong code counts once."
        GuessOutcome::Wrong(code) if from.wrong.is_some_and(|wrong| wrong.is_repeated_by(code, guess.at)) => {}
        GuessOutcome::Wrong(code) => {
            let wrong = WrongBefore { code: *code, since: guess.at };
            write(tx, owner.id, &from.key, from.bucket.after_failure(limits, guess.at), Some(wrong))?;
        }
    }
    owner.bump(tx)?;
    remember_guess(tx, owner.id, guess.guess_id)?;
    Ok(CommittedGuess::Committed)
}

/// Whether the token stands below this use. One that is there no more is refused.
fn fresh(tx: Tx<'_>, owner: &UserRow, TokenUse { token, mark }: &TokenUse) -> Result<bool, StoreError> {
    let fresh = match *mark {
        Mark::Totp { step, .. } => tx.any(
            "SELECT 1 FROM tokens WHERE id = ?1 AND user = ?2 AND removed_at IS NULL AND kind = 'totp' \
             AND (last_step IS NULL OR last_step < ?3)",
            params![token.0, owner.id, db(step)],
        )?,
        Mark::Hotp { counter } => tx.any(
            "SELECT 1 FROM tokens WHERE id = ?1 AND user = ?2 AND removed_at IS NULL AND kind = 'hotp' AND counter <= ?3",
            params![token.0, owner.id, db(counter).min(i64::MAX - 1)],
        )?,
    };
    if !fresh && tokens::active(tx, owner.id, &owner.name, token)?.is_none() {
        return Err(StoreError::Refused(Refusal::NoToken(token.0.clone())));
    }
    Ok(fresh)
}

/// Moves the token strictly up.
fn spend(tx: Tx<'_>, owner: &UserRow, TokenUse { token, mark }: &TokenUse) -> Result<(), StoreError> {
    match *mark {
        Mark::Totp { step, drift_steps } => tx.change(
            "UPDATE tokens SET last_step = ?3, drift_steps = ?4 \
             WHERE id = ?1 AND user = ?2 AND removed_at IS NULL AND kind = 'totp' AND (last_step IS NULL OR last_step < ?3)",
            params![token.0, owner.id, db(step), drift_steps],
        )?,
        Mark::Hotp { counter } => tx.change(
            "UPDATE tokens SET counter = ?3 + 1 WHERE id = ?1 AND user = ?2 AND removed_at IS NULL AND kind = 'hotp' AND counter <= ?3",
            params![token.0, owner.id, db(counter).min(i64::MAX - 1)],
        )?,
    };
    Ok(())
}

/// What the table holds of a bucket.
#[derive(Default)]
struct Row {
    bucket: Bucket,
    wrong: Option<WrongBefore>,
    success_at: Option<Wall>,
}

fn row(tx: Tx<'_>, owner: i64, key: &[u8]) -> Result<Option<Row>, StoreError> {
    tx.one(
        "SELECT failures, locked_until, success_at, wrong, wrong_at FROM buckets WHERE user = ?1 AND station = ?2",
        params![owner, key],
        |row| {
            let locked_until = row.get::<_, Option<i64>>(1)?.map(wall);
            let wrong = row.get::<_, Option<[u8; 16]>>(3)?.zip(row.get::<_, Option<i64>>(4)?);
            Ok(Row {
                bucket: Bucket { failures: count(row.get(0)?), locked_until },
                wrong: wrong.map(|(code, since)| WrongBefore { code: WrongCode(code), since: wall(since) }),
                success_at: row.get::<_, Option<i64>>(2)?.map(wall),
            })
        },
    )
}

fn write(tx: Tx<'_>, owner: i64, key: &[u8], bucket: Bucket, wrong: Option<WrongBefore>) -> Result<(), StoreError> {
    let (code, since) = wrong.map(|wrong| (wrong.code.0, db(wrong.since.0))).unzip();
    tx.change(
        "INSERT INTO buckets (user, station, failures, locked_until, wrong, wrong_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6) \
         ON CONFLICT DO UPDATE SET failures = excluded.failures, locked_until = excluded.locked_until, \
         wrong = excluded.wrong, wrong_at = excluded.wrong_at",
        params![owner, key, bucket.failures, bucket.locked_until.map(|until| db(until.0)), code, since],
    )?;
    Ok(())
}

/// Whether anybody was let in from this station, or from its network, since then (rules D7).
pub(super) fn anybodys(tx: Tx<'_>, station: &Station, since: Wall) -> Result<bool, StoreError> {
    let lately = |column: &str, key: Vec<u8>| {
        let sql = format!("SELECT 1 FROM buckets WHERE {column} = ?1 AND (success_at >= ?2 OR let_in_at >= ?2)");
        tx.any(&sql, params![key, db(since.0)])
    };
    let network = network_of(tx, station);
    Ok(lately("station", tx.seals.station(station.octets()))?
        || network.map_or(Ok(false), |network| lately("network", network))?)
}

/// Whether this user was let in from this station lately, whatever opened the second door (rules D7).
pub(super) fn is_let_in(
    tx: Tx<'_>,
    owner: i64,
    station: Option<&Station>,
    at: Wall,
    limits: &Limits,
) -> Result<bool, StoreError> {
    let Some(station) = station else { return Ok(false) };
    let let_in: Option<i64> = tx.one(
        "SELECT max(coalesce(success_at, 0), coalesce(let_in_at, 0)) FROM buckets WHERE user = ?1 AND station = ?2",
        params![owner, tx.seals.station(station.octets())],
        |row| row.get(0),
    )?;
    Ok(let_in.filter(|let_in| *let_in > 0).is_some_and(|let_in| at.since(wall(let_in)) <= limits.station_known_for))
}

/// The network of a station that is an address, as a keyed hash of its own kind.
fn network_of(tx: Tx<'_>, station: &Station) -> Option<Vec<u8>> {
    let network = login::Origin::of(station.address()?).house;
    Some(tx.seals.station(network.to_string().as_bytes()))
}

/// From now on this station counts apart.
pub(super) fn remember_station(tx: Tx<'_>, owner: i64, station: Option<&Station>, at: Wall) -> Result<(), StoreError> {
    let Some(station) = station else { return Ok(()) };
    tx.change(
        "INSERT INTO buckets (user, station, success_at, network) VALUES (?1, ?2, ?3, ?4) \
         ON CONFLICT DO UPDATE SET failures = 0, locked_until = NULL, wrong = NULL, wrong_at = NULL, \
         success_at = max(coalesce(success_at, 0), excluded.success_at), network = excluded.network",
        params![owner, tx.seals.station(station.octets()), db(at.0), network_of(tx, station)],
    )?;
    forget_oldest_stations(tx, owner)
}

/// Somebody was let in there by a rule's excuse: strangers' wrong passwords keep nobody out there (rules D7), and of codes it
/// proves nothing (D1).
pub(super) fn remember_let_in(tx: Tx<'_>, owner: i64, station: Option<&Station>, at: Wall) -> Result<(), StoreError> {
    let Some(station) = station else { return Ok(()) };
    tx.change(
        "INSERT INTO buckets (user, station, let_in_at, network) VALUES (?1, ?2, ?3, ?4) \
         ON CONFLICT DO UPDATE SET let_in_at = max(coalesce(let_in_at, 0), excluded.let_in_at), network = excluded.network",
        params![owner, tx.seals.station(station.octets()), db(at.0), network_of(tx, station)],
    )?;
    forget_oldest_stations(tx, owner)
}

fn forget_oldest_stations(tx: Tx<'_>, owner: i64) -> Result<(), StoreError> {
    tx.change(
        "DELETE FROM buckets WHERE user = ?1 AND station <> x'' AND station NOT IN \
         (SELECT station FROM buckets WHERE user = ?1 AND station <> x'' \
          ORDER BY max(coalesce(success_at, 0), coalesce(let_in_at, 0)) DESC LIMIT ?2)",
        [owner, STATIONS_PER_USER_MAX],
    )?;
    Ok(())
}

/// Keeps a guess; the latest of each user stay.
pub(super) fn remember_guess(tx: Tx<'_>, owner: i64, guess_id: [u8; 16]) -> Result<(), StoreError> {
    tx.change("INSERT INTO guesses (guess_id, user) VALUES (?1, ?2)", params![guess_id, owner])?;
    tx.change(
        "DELETE FROM guesses WHERE user = ?1 AND n <= (SELECT n FROM guesses WHERE user = ?1 ORDER BY n DESC LIMIT 1 OFFSET ?2)",
        [owner, GUESSES_PER_USER_MAX],
    )?;
    Ok(())
}
