//! Letters that wait for the mail server: sealed, for they may hold what only their reader may see (rules F7).

use data_encoding::HEXLOWER;
use login::Wall;
use rusqlite::{Row, params};
use wire::Secret;

use super::super::error::{Refusal, StoreError};
use super::super::seal::Place;
use super::super::web::DueLetter;
use super::tx::{Tx, count, db, undb, wall};

/// Letters that wait, at most, over all users (rules G1).
const LETTERS_MAX: usize = 10_000;

/// Octets of a letter, at most.
const LETTER_OCTETS_MAX: usize = 256 * 1024;

/// Puts a letter out. The same letter of the same time is one letter, so that posting may be repeated.
pub(super) fn post(tx: Tx<'_>, letter: &Secret, at: Wall) -> Result<u64, StoreError> {
    let posted_at = at.0.to_be_bytes();
    let digest = HEXLOWER.encode(&tx.seals.keyed("letters", &[letter.expose(), &posted_at]));
    if let Some(id) = tx.one("SELECT id FROM letters WHERE digest = ?1", [&digest], |row| row.get(0))? {
        return Ok(undb(id));
    }
    if letter.len() > LETTER_OCTETS_MAX {
        return Err(StoreError::Ours("a letter that is too long reached the store".into()));
    }
    let waiting: Option<i64> = tx.one("SELECT count(*) FROM letters", [], |row| row.get(0))?;
    if undb(waiting.unwrap_or_default()) >= db_len(LETTERS_MAX) {
        return Err(StoreError::Refused(Refusal::Full { what: "letters", most: LETTERS_MAX }));
    }
    let sealed = tx.seals.seal(place(&digest), &[&posted_at], letter)?;
    tx.change(
        "INSERT INTO letters (digest, text, posted_at, due_at) VALUES (?1, ?2, ?3, ?3)",
        params![digest, sealed, db(at.0)],
    )?;
    Ok(undb(tx.db.last_insert_rowid()))
}

/// Letters that are due, oldest first. One that somebody changed is passed over, so that it holds up no other.
pub(super) fn due(tx: Tx<'_>, at: Wall, limit: usize) -> Result<Vec<DueLetter>, StoreError> {
    let read = |row: &Row<'_>| {
        let digest: String = row.get(1)?;
        let sealed: Vec<u8> = row.get(2)?;
        let letter = DueLetter {
            id: undb(row.get(0)?),
            text: Secret::new([]),
            tries: count(row.get(3)?),
            posted_at: wall(row.get(4)?),
        };
        Ok((letter, digest, sealed))
    };
    let sql = "SELECT id, digest, text, tries, posted_at FROM letters WHERE due_at <= ?1 ORDER BY due_at, id LIMIT ?2";
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let rows = tx.all(sql, params![db(at.0), limit], read)?;
    let open = |(letter, digest, sealed): (DueLetter, String, Vec<u8>)| {
        let text = tx.seals.open(place(&digest), &[&letter.posted_at.0.to_be_bytes()], &sealed).ok()?;
        Some(DueLetter { text, ..letter })
    };
    Ok(rows.into_iter().filter_map(open).collect())
}

/// It is forgotten.
pub(super) fn done(tx: Tx<'_>, letter: u64) -> Result<(), StoreError> {
    tx.change("DELETE FROM letters WHERE id = ?1", [db(letter)])?;
    Ok(())
}

/// Not now. Said again for the same time, it is one try.
pub(super) fn failed(tx: Tx<'_>, letter: u64, again_at: Wall) -> Result<(), StoreError> {
    tx.change(
        "UPDATE letters SET tries = tries + 1, due_at = ?2 WHERE id = ?1 AND due_at <> ?2",
        [db(letter), db(again_at.0)],
    )?;
    Ok(())
}

fn place(digest: &str) -> Place<'_> {
    Place { table: "letters", row: digest, user: "", column: "text" }
}

fn db_len(len: usize) -> u64 {
    u64::try_from(len).unwrap_or(u64::MAX)
}
