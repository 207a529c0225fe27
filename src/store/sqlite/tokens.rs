//! Tokens in the file: the seed is sealed together with what it is for, so that neither is exchanged for another's.

use std::sync::Arc;

use login::{ResolvedUser, Station, TokenId, Wall};
use rusqlite::{Row, params};
use wire::Secret;

use super::super::error::{Refusal, StoreError};
use super::super::key::random_id;
use super::super::rows::{Algorithm, Mark, NewToken, OpenToken, Token, TokenKind};
use super::super::seal::Place;
use super::super::seeds::{hmac_key, same_seed};
use super::super::web::SessionTurn;
use super::codes;
use super::tx::{Tx, db, undb, wall, word};
use super::users::UserRow;
use super::web_sessions::{self, Turned};

/// Tokens of one user, at most: a code is tried on all of them (rules C4).
const TOKENS_PER_USER_MAX: usize = 20;

const COLUMNS: &str = "id, kind, period_s, digits, algorithm, label, added_at, seed, last_step, drift_steps, counter";

/// Gives the user a token: the host's hand.
pub(super) fn add(tx: Tx<'_>, user: &ResolvedUser, new: &NewToken, at: Wall) -> Result<TokenId, StoreError> {
    insert(tx, user, new, None, at)
}

/// Gives the user of a session a token. The session's turn comes first: who lost that race adds nothing (rules C1, F3).
pub(super) fn enrol(
    tx: Tx<'_>,
    turn: &SessionTurn,
    user: &ResolvedUser,
    new: &NewToken,
    at: Wall,
) -> Result<Option<TokenId>, StoreError> {
    match web_sessions::turn(tx, turn, user, at)? {
        Turned::Now(address) => {
            let added = insert(tx, user, new, Some(turn.new), at)?;
            // The code that confirmed it came from there: a success from this station (rules D1).
            let (owner, known) = (UserRow::need(tx, user)?, !address.is_unspecified());
            let station = known.then(|| Station::new(address.to_string().as_bytes()));
            codes::remember_station(tx, owner.id, station.as_ref(), at)?;
            Ok(Some(added))
        }
        // Repeated after an unknown commit: the token came with the turn.
        Turned::Before => {
            let owner = UserRow::need(tx, user)?;
            let open = open_of_user(tx, owner.id, &owner.name)?;
            Ok(open.into_iter().find(|open| same_seed(&open.seed, &new.seed)).map(|open| open.token.id))
        }
        Turned::Never => Ok(None),
    }
}

fn insert(
    tx: Tx<'_>,
    user: &ResolvedUser,
    new: &NewToken,
    session: Option<[u8; 32]>,
    at: Wall,
) -> Result<TokenId, StoreError> {
    refuse_useless(new)?;
    let mut owner = UserRow::need(tx, user)?;
    let there = open_of_user(tx, owner.id, &owner.name)?;
    if there.len() >= TOKENS_PER_USER_MAX {
        return Err(StoreError::Refused(Refusal::TooMany { what: "tokens", most: TOKENS_PER_USER_MAX }));
    }
    // Rules C1: "a user can't have one seed twice", be it of another kind, with other digits or another hash.
    if let Some(same) = there.iter().find(|open| same_seed(&open.seed, &new.seed)) {
        return Err(StoreError::Refused(Refusal::SameSeed(Arc::clone(&same.token.id.0))));
    }
    let trace = trace(tx, owner.id, new.algorithm, &new.seed);
    let begins = begins(tx, owner.id, new, &trace)?;
    let token = Token {
        id: TokenId(random_id('t')?),
        user: user.clone(),
        kind: new.kind,
        digits: new.digits,
        algorithm: new.algorithm,
        label: new.label.as_deref().map(Arc::from),
        added_at: at,
    };
    let seed = tx.seals.seal(place(&token), &fields(&token), &new.seed)?;
    tx.change(
        "INSERT INTO tokens (id, user, kind, period_s, digits, algorithm, label, seed, added_at, trace, last_step, drift_steps, counter) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)",
        params![
            token.id.0,
            owner.id,
            token.kind.method().as_str(),
            period_s(token.kind),
            token.digits,
            token.algorithm.as_str(),
            token.label,
            seed,
            db(at.0),
            trace,
            begins.last_step.map(db),
            begins.drift_steps,
            db(begins.counter),
        ],
    )?;
    owner.enrolled(tx, session)?;
    Ok(token.id)
}

/// What a seed leaves behind when its token is removed and the seed erased: a keyed hash over it and its user.
fn trace(tx: Tx<'_>, owner: i64, algorithm: Algorithm, seed: &Secret) -> [u8; 32] {
    tx.seals.keyed("seeds", &[&owner.to_be_bytes(), &hmac_key(algorithm, seed)])
}

/// Where a token begins.
struct Begins {
    last_step: Option<u64>,
    drift_steps: i64,
    counter: u64,
}

/// Never before what was used of this seed already: a token that was removed and is added again makes no code new (rules C1).
fn begins(tx: Tx<'_>, owner: i64, new: &NewToken, trace: &[u8; 32]) -> Result<Begins, StoreError> {
    let kind = new.kind.method().as_str();
    let (step, counter): (Option<i64>, Option<i64>) = tx
        .one(
            "SELECT max(last_step), max(counter) FROM tokens WHERE user = ?1 AND trace = ?2 AND kind = ?3 AND period_s = ?4",
            params![owner, trace, kind, period_s(new.kind)],
            |row| Ok((row.get(0)?, row.get(1)?)),
        )?
        .unwrap_or_default();
    let (step, counter) = (step.map(undb), counter.map(undb).unwrap_or_default());
    Ok(match new.used {
        Some(Mark::Totp { step: used, drift_steps }) => {
            Begins { last_step: step.max(Some(used)), drift_steps, counter }
        }
        Some(Mark::Hotp { counter: used }) => {
            Begins { last_step: step, drift_steps: 0, counter: counter.max(used.saturating_add(1)) }
        }
        None => Begins { last_step: step, drift_steps: 0, counter },
    })
}

/// The user's active tokens, without their seeds.
pub(super) fn of_user(tx: Tx<'_>, owner: i64, name: &Arc<str>) -> Result<Vec<Token>, StoreError> {
    rows(tx, owner)?.into_iter().map(|row| row.token(name)).collect()
}

/// The user's active tokens with their seeds opened.
pub(super) fn open_of_user(tx: Tx<'_>, owner: i64, name: &Arc<str>) -> Result<Vec<OpenToken>, StoreError> {
    rows(tx, owner)?.into_iter().map(|row| row.open(tx, name)).collect()
}

/// Seals the seeds again, for the owner's new name.
pub(super) fn reseal(tx: Tx<'_>, owner: &UserRow, name: &Arc<str>) -> Result<(), StoreError> {
    for open in open_of_user(tx, owner.id, &owner.name)? {
        let token = Token { user: ResolvedUser::new(Arc::clone(name)), ..open.token };
        let seed = tx.seals.seal(place(&token), &fields(&token), &open.seed)?;
        tx.change("UPDATE tokens SET seed = ?2 WHERE id = ?1", params![token.id.0, seed])?;
    }
    Ok(())
}

/// One active token of the user, if it still is one. Its seed is opened, so that a row put there by somebody else is refused.
pub(super) fn active(tx: Tx<'_>, owner: i64, name: &Arc<str>, id: &TokenId) -> Result<Option<OpenToken>, StoreError> {
    let sql = format!("SELECT {COLUMNS} FROM tokens WHERE id = ?1 AND user = ?2 AND removed_at IS NULL");
    tx.one(&sql, params![id.0, owner], read)?.map(|row| row.open(tx, name)).transpose()
}

/// What its user calls it. The label is no part of what is sealed: it decides nothing.
pub(super) fn rename(tx: Tx<'_>, token: &TokenId, label: &str) -> Result<(), StoreError> {
    let label = Some(label).filter(|label| !label.is_empty());
    let changed =
        tx.change("UPDATE tokens SET label = ?2 WHERE id = ?1 AND removed_at IS NULL", params![token.0, label])?;
    if changed == 0 { Err(StoreError::Refused(Refusal::NoToken(Arc::clone(&token.0)))) } else { Ok(()) }
}

/// Removes a token for good: the seed is erased (rules C2).
pub(super) fn remove(tx: Tx<'_>, token: &TokenId, at: Wall) -> Result<(), StoreError> {
    leave_trace(tx, token)?;
    let changed = tx.change(
        "UPDATE tokens SET removed_at = ?2, seed = NULL, label = NULL WHERE id = ?1 AND removed_at IS NULL",
        params![token.0, db(at.0)],
    )?;
    if changed == 0 {
        return Err(StoreError::Refused(Refusal::NoToken(Arc::clone(&token.0))));
    }
    tx.change("UPDATE users SET version = version + 1 WHERE id = (SELECT user FROM tokens WHERE id = ?1)", [&token.0])?;
    Ok(())
}

/// A token of an older file has no trace yet. One that somebody forged can be removed all the same.
fn leave_trace(tx: Tx<'_>, token: &TokenId) -> Result<(), StoreError> {
    let sql = "SELECT user FROM tokens WHERE id = ?1 AND removed_at IS NULL AND trace IS NULL";
    let Some(owner) = tx.one(sql, [&token.0], |row| row.get::<_, i64>(0))? else { return Ok(()) };
    let Some(owner) = UserRow::of_id(tx, owner)? else { return Ok(()) };
    let Ok(Some(open)) = active(tx, owner.id, &owner.name, token) else { return Ok(()) };
    tx.change(
        "UPDATE tokens SET trace = ?2 WHERE id = ?1",
        params![token.0, trace(tx, owner.id, open.token.algorithm, &open.seed)],
    )?;
    Ok(())
}

fn refuse_useless(new: &NewToken) -> Result<(), StoreError> {
    let refuse = |why| Err(StoreError::Refused(Refusal::Token(why)));
    match new.kind {
        TokenKind::Totp { period_s: 30 | 60 } | TokenKind::Hotp => {}
        TokenKind::Totp { .. } => return refuse("a period is 30 or 60 seconds"),
    }
    if !matches!(new.digits, 6 | 8) {
        return refuse("a code has 6 or 8 digits");
    }
    // Many hardware tokens have 80 bits, fewer than RFC 4226 section 4 asks of new ones.
    if !(10..=128).contains(&new.seed.len()) {
        return refuse("a seed has 10 to 128 octets (16 to 205 characters of base32)");
    }
    Ok(())
}

struct TokenRow {
    id: Arc<str>,
    kind: String,
    period_s: u32,
    digits: u8,
    algorithm: String,
    label: Option<Arc<str>>,
    added_at: Wall,
    seed: Option<Vec<u8>>,
    last_step: Option<u64>,
    drift_steps: i64,
    counter: u64,
}

impl TokenRow {
    fn token(&self, user: &Arc<str>) -> Result<Token, StoreError> {
        let kind = word("tokens", &self.kind, |kind| match kind {
            "totp" => Some(TokenKind::Totp { period_s: self.period_s }),
            "hotp" => Some(TokenKind::Hotp),
            _ => None,
        })?;
        Ok(Token {
            id: TokenId(Arc::clone(&self.id)),
            user: ResolvedUser::new(Arc::clone(user)),
            kind,
            digits: self.digits,
            algorithm: word("tokens", &self.algorithm, Algorithm::of_word)?,
            label: self.label.clone(),
            added_at: self.added_at,
        })
    }

    fn open(self, tx: Tx<'_>, user: &Arc<str>) -> Result<OpenToken, StoreError> {
        let token = self.token(user)?;
        let seed = tx.seals.open(place(&token), &fields(&token), self.seed.as_deref().unwrap_or_default())?;
        Ok(OpenToken { token, seed, last_step: self.last_step, drift_steps: self.drift_steps, counter: self.counter })
    }
}

fn rows(tx: Tx<'_>, owner: i64) -> Result<Vec<TokenRow>, StoreError> {
    let sql = format!("SELECT {COLUMNS} FROM tokens WHERE user = ?1 AND removed_at IS NULL ORDER BY rowid");
    tx.all(&sql, [owner], read)
}

fn read(row: &Row<'_>) -> rusqlite::Result<TokenRow> {
    Ok(TokenRow {
        id: row.get(0)?,
        kind: row.get(1)?,
        period_s: row.get(2)?,
        digits: row.get(3)?,
        algorithm: row.get(4)?,
        label: row.get(5)?,
        added_at: wall(row.get(6)?),
        seed: row.get(7)?,
        last_step: row.get::<_, Option<i64>>(8)?.map(undb),
        drift_steps: row.get(9)?,
        counter: undb(row.get(10)?),
    })
}

fn place(token: &Token) -> Place<'_> {
    Place { table: "tokens", row: &token.id.0, user: token.user.as_str(), column: "seed" }
}

/// What a seed must not be parted from: a TOTP seed that is taken for HOTP would accept codes long gone.
fn fields(token: &Token) -> [&'static [u8]; 4] {
    let digits: &[u8] = if token.digits == 8 { b"8" } else { b"6" };
    let period: &[u8] = match token.kind {
        TokenKind::Totp { period_s: 30 } => b"30",
        TokenKind::Totp { period_s: 60 } => b"60",
        TokenKind::Totp { .. } => b"another",
        TokenKind::Hotp => b"none",
    };
    [token.kind.method().as_str().as_bytes(), period, digits, token.algorithm.as_str().as_bytes()]
}

fn period_s(kind: TokenKind) -> u32 {
    match kind {
        TokenKind::Totp { period_s } => period_s,
        TokenKind::Hotp => 0,
    }
}
