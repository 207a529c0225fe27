//! Sessions of a browser: the row is found by the hash of what the cookie holds, and authenticated as a whole, so that no
//! session is made, prolonged or given to another user by writing into the file (rules F1).

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use data_encoding::HEXLOWER;
use login::{ResolvedUser, Wall};
use rusqlite::{Row, params};

use super::super::error::StoreError;
use super::super::seal::Place;
use super::super::web::{ListedSession, NewWebSession, SessionTurn, WebRealm, WebSession, WebStep};
use super::tx::{Tx, db, wall, word};
use super::users::UserRow;

/// Sessions of one user, at most: the one that came least far and was used longest ago makes room.
const SESSIONS_PER_USER_MAX: i64 = 20;

/// Sessions past their end that one new session clears away.
const SWEPT_AT_ONCE: i64 = 100;

/// The idle end moves this often, at most; so a session ends so much earlier than its idle time says, at most.
const MOVES_EVERY: Duration = Duration::from_secs(60);

/// A session that lives.
pub(super) struct Found {
    pub(super) session: WebSession,
    /// It was used longer ago than is worth a write.
    pub(super) moves: bool,
}

/// Begins a session.
pub(super) fn open(tx: Tx<'_>, new: NewWebSession, at: Wall) -> Result<(), StoreError> {
    let owner = UserRow::need(tx, &new.user)?;
    if tx.any("SELECT 1 FROM web_sessions WHERE id = ?1", [new.id])? {
        // Repeated after an unknown commit: it is there.
        let same = find(tx, &new.id)?.is_some_and(|row| row.owner == owner.id && row.began_at == at);
        return if same { Ok(()) } else { Err(StoreError::Ours("a web session's id was used twice".into())) };
    }
    tx.change(
        "DELETE FROM web_sessions WHERE id IN (SELECT id FROM web_sessions WHERE ends_at <= ?1 LIMIT ?2)",
        params![db(at.0), SWEPT_AT_ONCE],
    )?;
    let factored_at = (new.step == WebStep::Full).then_some(at);
    let row = SessionRow {
        id: new.id,
        owner: owner.id,
        realm: new.realm,
        step: new.step,
        address: new.address,
        agent: new.agent.map(Arc::from),
        began_at: at,
        factored_at,
        seen_at: at,
        ends_at: new.ends_at,
    };
    row.insert(tx, &owner)?;
    // Whoever has only the password can't push out who also has the phone.
    tx.change(
        "DELETE FROM web_sessions WHERE user = ?1 AND id <> ?3 AND id NOT IN (SELECT id FROM web_sessions \
         WHERE user = ?1 AND id <> ?3 ORDER BY step = 'full' DESC, seen_at DESC LIMIT ?2)",
        params![owner.id, SESSIONS_PER_USER_MAX - 1, new.id],
    )?;
    Ok(())
}

/// The session of this cookie, if it still lives.
pub(super) fn living(
    tx: Tx<'_>,
    id: &[u8; 32],
    realm: WebRealm,
    idle: Duration,
    at: Wall,
) -> Result<Option<Found>, StoreError> {
    let Some(row) = find(tx, id)?.filter(|row| row.realm == realm && row.ends_at > at) else { return Ok(None) };
    if row.seen_at.plus(idle) <= at {
        return Ok(None);
    }
    let Some(owner) = UserRow::of_id(tx, row.owner)? else { return Ok(None) };
    let moves = at.since(row.seen_at) >= MOVES_EVERY.min(idle / 4);
    Ok(Some(Found { session: row.told(&owner), moves }))
}

/// A user's sessions that have not come to their absolute end, the one used last first.
pub(super) fn list(tx: Tx<'_>, user: &ResolvedUser, at: Wall) -> Result<Vec<ListedSession>, StoreError> {
    let Some(owner) = UserRow::find(tx, user)? else { return Ok(Vec::new()) };
    let sql = "SELECT id FROM web_sessions WHERE user = ?1 AND ends_at > ?2 ORDER BY seen_at DESC, began_at DESC, id";
    let ids: Vec<[u8; 32]> = tx.all(sql, params![owner.id, db(at.0)], |row| row.get(0))?;
    let mut listed = Vec::new();
    for id in ids {
        let Some(row) = find(tx, &id)? else { continue };
        let session = row.told(&owner);
        listed.push(ListedSession { id, realm: row.realm, session, seen_at: row.seen_at, agent: row.agent });
    }
    Ok(listed)
}

/// It was used: the idle end moves, and never back.
pub(super) fn touch(tx: Tx<'_>, id: &[u8; 32], at: Wall) -> Result<(), StoreError> {
    let Some(mut row) = find(tx, id)?.filter(|row| row.seen_at < at) else { return Ok(()) };
    let Some(owner) = UserRow::of_id(tx, row.owner)? else { return Ok(()) };
    row.seen_at = at;
    row.replace(tx, &owner, id)
}

/// The same session under a new id, one step further.
pub(super) fn rotate(
    tx: Tx<'_>,
    id: &[u8; 32],
    new: [u8; 32],
    step: WebStep,
    factored_at: Option<Wall>,
    at: Wall,
) -> Result<bool, StoreError> {
    let Some(mut row) = find(tx, id)?.filter(|row| row.ends_at > at) else {
        // Repeated after an unknown commit: the new id is random, so who has it made it.
        return Ok(find(tx, &new)?.is_some_and(|row| row.step == step && row.ends_at > at));
    };
    let Some(owner) = UserRow::of_id(tx, row.owner)? else { return Ok(false) };
    (row.id, row.step, row.seen_at) = (new, step, at);
    row.factored_at = factored_at.or(row.factored_at);
    row.replace(tx, &owner, id)?;
    Ok(true)
}

/// What a session's turn came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Turned {
    /// It goes on under its new id; it began at this address.
    Now(IpAddr),
    /// It did so by this very call, which is repeated after an unknown commit.
    Before,
    /// It has ended, or went on under another id: whoever asks came too late.
    Never,
}

/// The session that makes a method goes on in full under its new id, and all others of its user end: the compare-and-set that
/// comes before the method is there (rules C1, F3).
pub(super) fn turn(tx: Tx<'_>, turn: &SessionTurn, user: &ResolvedUser, at: Wall) -> Result<Turned, StoreError> {
    let Some(mut row) = find(tx, &turn.old)?.filter(|row| row.ends_at > at) else {
        let there = find(tx, &turn.new)?.is_some_and(|row| row.step == WebStep::Full && row.ends_at > at);
        return Ok(if there { Turned::Before } else { Turned::Never });
    };
    let Some(owner) = UserRow::of_id(tx, row.owner)?.filter(|owner| *owner.name == *user.as_str()) else {
        return Ok(Turned::Never);
    };
    // The step is read again here: a session that owes a factor makes nothing, whatever its page was shown as.
    if !matches!(row.step, WebStep::Full | WebStep::Enrolling) {
        return Ok(Turned::Never);
    }
    (row.id, row.step, row.seen_at) = (turn.new, WebStep::Full, at);
    row.factored_at = turn.factored_at.or(row.factored_at);
    row.replace(tx, &owner, &turn.old)?;
    close_all(tx, owner.id, Some(turn.new))?;
    Ok(Turned::Now(row.address))
}

/// Ends one.
pub(super) fn close(tx: Tx<'_>, id: &[u8; 32]) -> Result<(), StoreError> {
    tx.change("DELETE FROM web_sessions WHERE id = ?1", [id])?;
    Ok(())
}

/// Ends all of a user, but for one; tells how many.
pub(super) fn close_all(tx: Tx<'_>, owner: i64, but: Option<[u8; 32]>) -> Result<u32, StoreError> {
    let sql = "DELETE FROM web_sessions WHERE user = ?1 AND (?2 IS NULL OR id <> ?2)";
    Ok(u32::try_from(tx.change(sql, params![owner, but])?).unwrap_or(u32::MAX))
}

/// Ends all of a user by name, but for one.
pub(super) fn close_all_of(tx: Tx<'_>, user: &ResolvedUser, but: Option<[u8; 32]>) -> Result<u32, StoreError> {
    UserRow::find(tx, user)?.map_or(Ok(0), |owner| close_all(tx, owner.id, but))
}

struct SessionRow {
    id: [u8; 32],
    owner: i64,
    realm: WebRealm,
    step: WebStep,
    address: IpAddr,
    agent: Option<Arc<str>>,
    began_at: Wall,
    factored_at: Option<Wall>,
    seen_at: Wall,
    ends_at: Wall,
}

impl SessionRow {
    fn told(&self, owner: &UserRow) -> WebSession {
        WebSession {
            user: ResolvedUser::new(Arc::clone(&owner.name)),
            step: self.step,
            began_at: self.began_at,
            factored_at: self.factored_at,
            address: self.address,
            ends_at: self.ends_at,
        }
    }

    /// The row under another id or with other times, in the place of the one that it was.
    fn replace(&self, tx: Tx<'_>, owner: &UserRow, old: &[u8; 32]) -> Result<(), StoreError> {
        close(tx, old)?;
        self.insert(tx, owner)
    }

    fn insert(&self, tx: Tx<'_>, owner: &UserRow) -> Result<(), StoreError> {
        tx.change(
            "INSERT INTO web_sessions (id, user, realm, step, address, agent, began_at, factored_at, seen_at, ends_at, mac) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
            params![
                self.id,
                self.owner,
                realm_name(self.realm),
                step_name(self.step),
                self.address.to_string(),
                self.agent,
                db(self.began_at.0),
                self.factored_at.map(|at| db(at.0)),
                db(self.seen_at.0),
                db(self.ends_at.0),
                self.with_fields(owner, |place, fields| tx.seals.mac(place, fields)),
            ],
        )?;
        Ok(())
    }

    fn with_fields<T>(&self, owner: &UserRow, use_it: impl FnOnce(Place<'_>, &[&[u8]]) -> T) -> T {
        let row = HEXLOWER.encode(&self.id);
        let place = Place { table: "web_sessions", row: &row, user: &owner.name, column: "row" };
        let address = self.address.to_string();
        let times = [self.began_at, self.factored_at.unwrap_or_default(), self.seen_at, self.ends_at];
        let times: Vec<u8> = times.iter().flat_map(|time| db(time.0).to_be_bytes()).collect();
        let fields = [realm_name(self.realm).as_bytes(), step_name(self.step).as_bytes(), address.as_bytes(), &times];
        use_it(place, &fields)
    }
}

fn find(tx: Tx<'_>, id: &[u8; 32]) -> Result<Option<SessionRow>, StoreError> {
    let sql = "SELECT user, realm, step, address, agent, began_at, factored_at, seen_at, ends_at, mac FROM web_sessions WHERE id = ?1";
    let Some(row) = tx.one(sql, [id], read)? else { return Ok(None) };
    let tampered = || StoreError::Tampered { table: "web_sessions", row: HEXLOWER.encode(id).into() };
    let Some(owner) = UserRow::of_id(tx, row.owner)? else { return Ok(None) };
    let checked = SessionRow {
        id: *id,
        owner: row.owner,
        realm: word("web_sessions", &row.realm, |text| REALMS.into_iter().find(|realm| realm_name(*realm) == text))?,
        step: word("web_sessions", &row.step, |text| STEPS.into_iter().find(|step| step_name(*step) == text))?,
        address: row.address.parse().map_err(|_| tampered())?,
        agent: row.agent,
        began_at: row.began_at,
        factored_at: row.factored_at,
        seen_at: row.seen_at,
        ends_at: row.ends_at,
    };
    checked.with_fields(&owner, |place, fields| tx.seals.check(place, fields, &row.mac))?;
    Ok(Some(checked))
}

/// A row as it lies there.
struct Unchecked {
    owner: i64,
    realm: String,
    step: String,
    address: String,
    agent: Option<Arc<str>>,
    began_at: Wall,
    factored_at: Option<Wall>,
    seen_at: Wall,
    ends_at: Wall,
    mac: Vec<u8>,
}

fn read(row: &Row<'_>) -> rusqlite::Result<Unchecked> {
    Ok(Unchecked {
        owner: row.get(0)?,
        realm: row.get(1)?,
        step: row.get(2)?,
        address: row.get(3)?,
        agent: row.get(4)?,
        began_at: wall(row.get(5)?),
        factored_at: row.get::<_, Option<i64>>(6)?.map(wall),
        seen_at: wall(row.get(7)?),
        ends_at: wall(row.get(8)?),
        mac: row.get(9)?,
    })
}

const REALMS: [WebRealm; 2] = [WebRealm::Portal, WebRealm::Admin];

fn realm_name(realm: WebRealm) -> &'static str {
    match realm {
        WebRealm::Portal => "portal",
        WebRealm::Admin => "admin",
    }
}

const STEPS: [WebStep; 4] = [WebStep::Password, WebStep::Enrolling, WebStep::Pin, WebStep::Full];

fn step_name(step: WebStep) -> &'static str {
    match step {
        WebStep::Password => "password",
        WebStep::Enrolling => "enrolling",
        WebStep::Pin => "pin",
        WebStep::Full => "full",
    }
}
