//! The tables, and how an older file is brought up to date: one script a version, counted in `user_version`.
//!
//! A script that was released is never edited; the next one changes what it made. A file of a newer version, or of another
//! program, is refused untouched.

use login::name::fold;
use rusqlite::{Connection, TransactionBehavior};

use super::super::error::StoreError;

/// Tells our files from other programs' ("Vest").
const APPLICATION_ID: i64 = 0x5665_7374;

/// Script `n` takes a file from version `n` to `n + 1`.
const MIGRATIONS: &[&str] = &[FIRST, WRONG_CODES, PORTAL, NAMES, TRACES, SHIELD, REPEATS, OVERVIEW];

/// Brings the file to the newest version, all or nothing.
pub(super) fn migrate(db: &mut Connection) -> Result<(), StoreError> {
    // Nobody waits for the write lock only to open a file. One snapshot, for others may be migrating it right now.
    let snapshot = db.transaction()?;
    if missing(&snapshot)?.is_empty() {
        return Ok(());
    }
    drop(snapshot);
    let tx = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let scripts = missing(&tx)?;
    if !scripts.is_empty() {
        scripts.iter().try_for_each(|script| tx.execute_batch(script))?;
        fill_loose(&tx)?;
        tx.pragma_update(None, "application_id", APPLICATION_ID)?;
        tx.pragma_update(None, "user_version", i64::try_from(MIGRATIONS.len()).unwrap_or(i64::MAX))?;
    }
    Ok(tx.commit()?)
}

/// What the users of an older file look like (rules A2); SQL can't fold.
fn fill_loose(tx: &Connection) -> Result<(), StoreError> {
    let mut read = tx.prepare("SELECT id, name FROM users WHERE loose IS NULL")?;
    let users: Vec<(i64, String)> =
        read.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?.collect::<rusqlite::Result<_>>()?;
    let mut write = tx.prepare("UPDATE users SET loose = ?2 WHERE id = ?1")?;
    users.iter().try_for_each(|(id, name)| write.execute((id, fold::loose(name))).map(drop))?;
    Ok(())
}

/// The scripts that the file has not seen yet.
fn missing(tx: &Connection) -> Result<&'static [&'static str], StoreError> {
    let version: i64 = tx.pragma_query_value(None, "user_version", |row| row.get(0))?;
    let application: i64 = tx.pragma_query_value(None, "application_id", |row| row.get(0))?;
    let tables: i64 = tx.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    if application != APPLICATION_ID && tables > 0 {
        return Err(StoreError::Setup(
            "the file at [store] url is another program's database; name a file of Vestibule's own".into(),
        ));
    }
    let done = usize::try_from(version).unwrap_or(usize::MAX);
    MIGRATIONS.get(done..).ok_or_else(|| {
        let known = MIGRATIONS.len();
        let newer = "run the newer vestibule that made it";
        StoreError::Setup(
            format!("the store has version {version} and this program knows {known} at most; {newer}").into(),
        )
    })
}

/// A file of the first version, for the tests of what was made of it.
#[cfg(test)]
pub(super) fn make_first(db: &Connection) {
    db.execute_batch(FIRST).and_then(|()| db.pragma_update(None, "user_version", 1)).unwrap();
    db.pragma_update(None, "application_id", APPLICATION_ID).unwrap();
}

/// Times are milliseconds since 1970; the greatest integer is *never*.
const FIRST: &str = "
CREATE TABLE meta (
    name TEXT PRIMARY KEY,
    value BLOB NOT NULL
) STRICT, WITHOUT ROWID;

-- A removed user stays as a name and a date for a while, so that a login held since before is refused (rules A6).
CREATE TABLE users (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    name TEXT NOT NULL,
    groups TEXT NOT NULL,                    -- JSON array, sorted
    mail TEXT,
    password BLOB,                           -- sealed argon2 hash
    blocked TEXT,                            -- the reason
    fraud_at INTEGER,
    ever_enrolled INTEGER NOT NULL DEFAULT 0,
    added_at INTEGER NOT NULL,
    removed_at INTEGER,
    version INTEGER NOT NULL DEFAULT 1,      -- of the factors: every guess is a compare-and-set on it (rules C1)
    unanswered INTEGER NOT NULL DEFAULT 0,
    quiets INTEGER NOT NULL DEFAULT 0,
    quiet_until INTEGER,
    mac BLOB NOT NULL                        -- over all that decides who gets in
) STRICT;
CREATE UNIQUE INDEX users_by_name ON users (name) WHERE removed_at IS NULL;
CREATE INDEX removed_users ON users (name, removed_at) WHERE removed_at IS NOT NULL;

-- A removed token stays without its seed: its id is never given again and nothing revives it (rules C2).
CREATE TABLE tokens (
    id TEXT PRIMARY KEY,
    user INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    kind TEXT NOT NULL CHECK (kind IN ('totp', 'hotp')),
    period_s INTEGER NOT NULL,
    digits INTEGER NOT NULL,
    algorithm TEXT NOT NULL,
    label TEXT,
    seed BLOB,                               -- sealed
    last_step INTEGER,
    drift_steps INTEGER NOT NULL DEFAULT 0,
    counter INTEGER NOT NULL DEFAULT 0,
    added_at INTEGER NOT NULL,
    removed_at INTEGER
) STRICT;
CREATE INDEX tokens_by_user ON tokens (user);

-- Guesses that were committed, so that a repeated statement is known again (rules C1). The latest of each user stay.
CREATE TABLE guesses (
    n INTEGER PRIMARY KEY AUTOINCREMENT,
    guess_id BLOB NOT NULL UNIQUE,
    user INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE
) STRICT;
CREATE INDEX guesses_by_user ON guesses (user, n);

-- Failures a known station; the empty station is all unknown ones together (rules D1).
CREATE TABLE buckets (
    user INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    station BLOB NOT NULL,
    failures INTEGER NOT NULL DEFAULT 0,
    locked_until INTEGER,
    success_at INTEGER,
    PRIMARY KEY (user, station)
) STRICT, WITHOUT ROWID;

CREATE TABLE devices (
    id TEXT PRIMARY KEY,
    user INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    channel TEXT NOT NULL,
    label TEXT,
    added_at INTEGER NOT NULL,
    removed_at INTEGER,
    mac BLOB NOT NULL
) STRICT;
CREATE INDEX devices_by_user ON devices (user);

CREATE TABLE prompts (
    id BLOB PRIMARY KEY,
    user INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    login BLOB NOT NULL,
    client TEXT NOT NULL,
    station BLOB,
    station_known INTEGER NOT NULL,
    claimed_at INTEGER NOT NULL,
    ends_at INTEGER NOT NULL,
    askers_until INTEGER NOT NULL,
    displaced BLOB,
    state TEXT NOT NULL CHECK (state IN ('pending', 'approved', 'denied', 'fraud', 'unanswered', 'withdrawn', 'released')),
    device TEXT,
    answered_at INTEGER,
    mac BLOB                                 -- over an approval
) STRICT, WITHOUT ROWID;
CREATE INDEX prompts_by_user ON prompts (user, claimed_at);
-- One prompt out per user (rules D2), whatever the code above it does.
CREATE UNIQUE INDEX one_open_prompt ON prompts (user) WHERE state IN ('pending', 'approved');

-- What was written down; each row's mac covers the one before it (rules F2).
CREATE TABLE records (
    seq INTEGER PRIMARY KEY,
    login INTEGER NOT NULL UNIQUE,
    user TEXT NOT NULL,
    accepted INTEGER NOT NULL,
    json TEXT NOT NULL,
    mac BLOB NOT NULL
) STRICT;
CREATE INDEX records_by_user ON records (user, seq);

CREATE TABLE anchors (
    seq INTEGER PRIMARY KEY,
    mac BLOB NOT NULL,
    proof BLOB NOT NULL
) STRICT;

CREATE TABLE sinks (
    name TEXT PRIMARY KEY,
    seq INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE stances (
    client TEXT PRIMARY KEY,
    learned_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
";

/// The last wrong code that counted in a bucket, as a keyed hash, and when: the same one again counts no more (rules C1).
const WRONG_CODES: &str = "
ALTER TABLE buckets ADD COLUMN wrong BLOB;
ALTER TABLE buckets ADD COLUMN wrong_at INTEGER;
";

/// Portal, phones and help desk.
const PORTAL: &str = "
-- What a prompt asks is sealed from here on; an older open one has nothing to be checked against.
UPDATE prompts SET state = 'withdrawn' WHERE state IN ('pending', 'approved');
ALTER TABLE prompts ADD COLUMN asks BLOB;    -- sealed: number, PIN, for which device, how far the number came

ALTER TABLE users ADD COLUMN prefers TEXT;
ALTER TABLE users ADD COLUMN language TEXT;
ALTER TABLE users ADD COLUMN invited_at INTEGER;

-- What was said to a guess of a PIN, an activation or recovery code, a typed number: for a statement that is repeated.
ALTER TABLE guesses ADD COLUMN said TEXT;

ALTER TABLE devices ADD COLUMN state TEXT NOT NULL DEFAULT 'active' CHECK (state IN ('waiting', 'keyed', 'active'));
ALTER TABLE devices ADD COLUMN spki BLOB;    -- the phone's public key
ALTER TABLE devices ADD COLUMN server_key BLOB; -- ours for it, sealed
ALTER TABLE devices ADD COLUMN subscription BLOB; -- sealed: whoever has it may ring the phone
ALTER TABLE devices ADD COLUMN agent TEXT;
ALTER TABLE devices ADD COLUMN seen_at INTEGER;
ALTER TABLE devices ADD COLUMN unanswered INTEGER NOT NULL DEFAULT 0;
ALTER TABLE devices ADD COLUMN told INTEGER NOT NULL DEFAULT 0; -- its silence was told
ALTER TABLE devices ADD COLUMN code BLOB;    -- keyed hash of the activation code
ALTER TABLE devices ADD COLUMN waits_until INTEGER;
ALTER TABLE devices ADD COLUMN needs_test INTEGER NOT NULL DEFAULT 0;
ALTER TABLE devices ADD COLUMN tries INTEGER NOT NULL DEFAULT 0;
ALTER TABLE devices ADD COLUMN last_wrong BLOB; -- a wrong code that is repeated counts once
ALTER TABLE devices ADD COLUMN voided_by BLOB; -- hash of the second key (rules F3)
CREATE INDEX silent_devices ON devices (unanswered) WHERE unanswered > 0 AND told = 0;

CREATE TABLE pins (
    user INTEGER PRIMARY KEY REFERENCES users (id) ON DELETE CASCADE,
    hash BLOB,                               -- argon2, sealed together with the columns below; NULL: none is set
    version INTEGER NOT NULL,                -- only grows, so that a guess at an old PIN never counts for a new one
    failures INTEGER NOT NULL,
    locked INTEGER NOT NULL,
    must_change INTEGER NOT NULL,
    set_at INTEGER NOT NULL
) STRICT;

CREATE TABLE people_codes (
    user INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    purpose TEXT NOT NULL,
    code BLOB NOT NULL,                      -- keyed hash
    tries INTEGER NOT NULL,
    ends_at INTEGER NOT NULL,
    last_wrong BLOB,
    mac BLOB NOT NULL,
    PRIMARY KEY (user, purpose)
) STRICT, WITHOUT ROWID;

-- The keyed hash is over the user's name, too: copied to another user it is nobody's code. A spent one is gone.
CREATE TABLE recovery_codes (
    user INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    code BLOB NOT NULL,
    PRIMARY KEY (user, code)
) STRICT, WITHOUT ROWID;

-- Open ones only: a spent one is gone.
CREATE TABLE bypasses (
    id TEXT PRIMARY KEY,
    user INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    client TEXT,                             -- NULL: any
    granted_by TEXT NOT NULL,
    reason TEXT NOT NULL,
    granted_at INTEGER NOT NULL,
    ends_at INTEGER NOT NULL,
    mac BLOB NOT NULL
) STRICT;
CREATE INDEX bypasses_by_user ON bypasses (user);

CREATE TABLE web_sessions (
    id BLOB PRIMARY KEY,                     -- SHA-256 of what the cookie holds
    user INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    realm TEXT NOT NULL,
    step TEXT NOT NULL,
    address TEXT NOT NULL,
    agent TEXT,
    began_at INTEGER NOT NULL,
    factored_at INTEGER,
    seen_at INTEGER NOT NULL,
    ends_at INTEGER NOT NULL,
    mac BLOB NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX web_sessions_by_user ON web_sessions (user, seen_at);
CREATE INDEX web_sessions_by_end ON web_sessions (ends_at);

CREATE TABLE letters (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    digest TEXT NOT NULL UNIQUE,             -- keyed, over text and time: posted again, it is the same letter
    text BLOB NOT NULL,                      -- sealed
    tries INTEGER NOT NULL DEFAULT 0,
    posted_at INTEGER NOT NULL,
    due_at INTEGER NOT NULL
) STRICT;
CREATE INDEX letters_by_time ON letters (due_at, id);
";

const NAMES: &str = "
ALTER TABLE users ADD COLUMN loose TEXT;     -- what the name looks like; NULL only until it is filled in
ALTER TABLE users ADD COLUMN spelled TEXT;   -- as staff or an import gave it, authenticated; NULL: somebody came in by it
CREATE INDEX users_by_look ON users (loose) WHERE removed_at IS NULL;

-- Two users who look alike, and staff said that they are two people (rules A2). The smaller id first.
CREATE TABLE distinct_users (
    user INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    other INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    at INTEGER NOT NULL,
    mac BLOB NOT NULL,
    PRIMARY KEY (user, other)
) STRICT, WITHOUT ROWID;
CREATE INDEX distinct_users_by_other ON distinct_users (other);
";

/// A seed that was used once is known again after its token was removed (rules C1).
const TRACES: &str = "
ALTER TABLE tokens ADD COLUMN trace BLOB; -- keyed hash of user and seed; NULL in rows of before
CREATE INDEX tokens_by_trace ON tokens (user, trace) WHERE trace IS NOT NULL;
";

/// Refusals of the last minute whose like came again.
const REPEATS: &str = "
CREATE TABLE repeats (
    id BLOB PRIMARY KEY,                     -- keyed hash of what makes two refusals equal
    seq INTEGER NOT NULL UNIQUE,             -- the record of the first
    first_at INTEGER NOT NULL,
    last_at INTEGER NOT NULL,
    times INTEGER NOT NULL,
    last_login INTEGER NOT NULL,             -- whose statement may be repeated
    mac BLOB NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX repeats_by_time ON repeats (first_at);
";

/// A number that was typed wrong once (F8); names that strangers tried too often (D7).
const SHIELD: &str = "
ALTER TABLE users ADD COLUMN wrong_number_at INTEGER; -- a slip: the second within ten minutes is a denial (rules F8)
ALTER TABLE users ADD COLUMN shield_until INTEGER;    -- strangers' logins are held back until then, for who looks (rules D7)
ALTER TABLE users ADD COLUMN shield_lifts INTEGER NOT NULL DEFAULT 0; -- how often staff released the name: the server counts anew
ALTER TABLE buckets ADD COLUMN let_in_at INTEGER;     -- the last Accept to somebody there, whatever opened its doors
ALTER TABLE buckets ADD COLUMN network BLOB;          -- the /32 or /56 that the station is in, where it is an address
CREATE INDEX buckets_by_station ON buckets (station);
CREATE INDEX buckets_by_network ON buckets (network) WHERE network IS NOT NULL;
ALTER TABLE prompts ADD COLUMN unproven INTEGER NOT NULL DEFAULT 0; -- asked before the password was (rules D7): counts for nothing
";

/// What the staff's overview looks records up by: words of their text, which are computed and never stored but in the indexes.
/// An act has no login; the row that only tells a count (`times`) stands for no refusal of its own.
const OVERVIEW: &str = "
ALTER TABLE records ADD COLUMN reason TEXT AS
    (CASE WHEN json_valid(json) AND json_extract(json, '$.login') IS NOT NULL THEN json_extract(json, '$.reason') END) VIRTUAL;
ALTER TABLE records ADD COLUMN client TEXT AS (CASE WHEN json_valid(json) THEN json_extract(json, '$.client') END) VIRTUAL;
ALTER TABLE records ADD COLUMN minute TEXT AS
    (CASE WHEN json_valid(json) THEN substr(json_extract(json, '$.time'), 1, 16) END) VIRTUAL;
ALTER TABLE records ADD COLUMN times INTEGER AS
    (CASE WHEN json_valid(json) THEN json_extract(json, '$.times') END) VIRTUAL;
CREATE INDEX refusals ON records (seq) WHERE accepted = 0 AND reason IS NOT NULL AND times IS NULL;
CREATE INDEX refusals_by_reason ON records (reason, seq) WHERE accepted = 0 AND reason IS NOT NULL AND times IS NULL;
CREATE INDEX refusals_by_client ON records (client, seq) WHERE accepted = 0 AND reason IS NOT NULL AND times IS NULL;
CREATE INDEX refusals_by_client_and_reason ON records (client, reason, seq)
    WHERE accepted = 0 AND reason IS NOT NULL AND times IS NULL;
CREATE INDEX refusals_by_user ON records (user, seq) WHERE accepted = 0 AND reason IS NOT NULL AND times IS NULL;
CREATE INDEX accepts_by_user ON records (user, seq) WHERE accepted = 1;
CREATE INDEX logins_by_minute ON records (minute, accepted, reason, times) WHERE reason IS NOT NULL;
";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_of_the_first_version_is_brought_up_to_date_and_keeps_its_failures() {
        let mut db = Connection::open_in_memory().unwrap();
        db.execute_batch(FIRST).unwrap();
        db.pragma_update(None, "application_id", APPLICATION_ID).unwrap();
        db.pragma_update(None, "user_version", 1).unwrap();
        db.execute_batch(
            "INSERT INTO users (name, groups, added_at, mac) VALUES ('alice', '[]', 0, x'');
             INSERT INTO buckets (user, station, failures, locked_until) VALUES (1, x'', 4, 7)",
        )
        .unwrap();
        migrate(&mut db).unwrap();
        migrate(&mut db).unwrap();
        let row: (i64, i64, Option<Vec<u8>>, Option<i64>) = db
            .query_row("SELECT failures, locked_until, wrong, wrong_at FROM buckets", [], |row| {
                Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?))
            })
            .unwrap();
        assert_eq!(row, (4, 7, None, None));
    }
}
