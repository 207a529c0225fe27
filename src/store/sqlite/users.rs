//! Users in the file: one row each, authenticated as a whole, so that a block or a group that was changed there is refused.

use std::sync::Arc;

use login::limits::{Limits, PushCounts};
use login::name::fold;
use login::{GroupName, Method, Opens, ResolvedUser, Station, UserFacts, Wall};
use rusqlite::{Row, params};
use wire::Secret;

use super::super::app_version::AppVersion;
use super::super::error::{Refusal, StoreError};
use super::super::rows::{Channel, Device, NewUser, User};
use super::super::seal::Place;
use super::super::web::DeviceState;
use super::tx::{Tx, count, db, wall};
use super::{alikes, bypasses, choices, codes, devices, people_codes, pins, prompts, tokens, web_sessions};

/// Octets of a name, at most (RFC 2865 section 5.1).
const NAME_OCTETS_MAX: usize = 253;

/// Removed users that are remembered: more than can be removed while a login is held.
const TOMBSTONES_MAX: i64 = 1000;

/// What goes with a user.
const TABLES_OF_A_USER: [&str; 10] = [
    "tokens",
    "devices",
    "prompts",
    "buckets",
    "guesses",
    "pins",
    "people_codes",
    "recovery_codes",
    "bypasses",
    "web_sessions",
];

/// Why a login of a user with a fraud report is refused.
pub(super) const FRAUD: &str = "fraud reported";

/// What the table holds of a user, checked.
pub(super) struct UserRow {
    pub(super) id: i64,
    pub(super) name: Arc<str>,
    pub(super) groups: Vec<GroupName>,
    pub(super) mail: Option<String>,
    pub(super) blocked: Option<Arc<str>>,
    pub(super) fraud_at: Option<Wall>,
    pub(super) ever_enrolled: bool,
    pub(super) added_at: Wall,
    pub(super) version: i64,
    pub(super) pushes: PushCounts,
    /// As staff or an import gave the name (rules A2).
    pub(super) spelled: Option<Arc<str>>,
    /// Strangers' logins under this name are held back until then (rules D7).
    pub(super) shield_until: Option<Wall>,
    pub(super) shield_lifts: u64,
    has_password: bool,
}

const COLUMNS: &str = "id, name, groups, mail, blocked, fraud_at, ever_enrolled, added_at, version, unanswered, quiets, quiet_until, \
                       password IS NOT NULL, mac, spelled, loose, wrong_number_at, shield_until, shield_lifts";

impl UserRow {
    /// The user of that name, if there is one.
    pub(super) fn find(tx: Tx<'_>, user: &ResolvedUser) -> Result<Option<Self>, StoreError> {
        let sql = format!("SELECT {COLUMNS} FROM users WHERE name = ?1 AND removed_at IS NULL");
        tx.one(&sql, [user.as_str()], read)?.map(|row| checked(tx, row)).transpose()
    }

    /// The user of that name, or the refusal that says there is none.
    pub(super) fn need(tx: Tx<'_>, user: &ResolvedUser) -> Result<Self, StoreError> {
        Self::find(tx, user)?.ok_or_else(|| StoreError::Refused(Refusal::NoUser(user.as_str().into())))
    }

    /// The user of that row, unless removed.
    pub(super) fn of_id(tx: Tx<'_>, id: i64) -> Result<Option<Self>, StoreError> {
        let sql = format!("SELECT {COLUMNS} FROM users WHERE id = ?1 AND removed_at IS NULL");
        tx.one(&sql, [id], read)?.map(|row| checked(tx, row)).transpose()
    }

    /// Writes what is authenticated, under a new MAC.
    pub(super) fn write(&self, tx: Tx<'_>) -> Result<(), StoreError> {
        let (groups, fraud) = (json(&names(&self.groups))?, self.fraud_at.map(|at| db(at.0)));
        tx.change(
            "UPDATE users SET groups = ?2, mail = ?3, blocked = ?4, fraud_at = ?5, ever_enrolled = ?6, mac = ?7, \
             spelled = ?8 WHERE id = ?1",
            params![self.id, groups, self.mail, self.blocked, fraud, self.ever_enrolled, self.mac(tx)?, self.spelled],
        )?;
        Ok(())
    }

    /// The same row under another name.
    pub(super) fn named(self, name: Arc<str>) -> Self {
        Self { name, ..self }
    }

    /// The user's factors are no longer what a guess may have read (rules C1).
    pub(super) fn bump(&self, tx: Tx<'_>) -> Result<(), StoreError> {
        tx.change("UPDATE users SET version = version + 1 WHERE id = ?1", [self.id])?;
        Ok(())
    }

    /// Writes the push counts (rules D2).
    pub(super) fn write_pushes(&mut self, tx: Tx<'_>, pushes: PushCounts) -> Result<(), StoreError> {
        let (quiet, wrong) = (pushes.quiet_until.map(|until| db(until.0)), pushes.wrong_number_at.map(|at| db(at.0)));
        tx.change(
            "UPDATE users SET unanswered = ?2, quiets = ?3, quiet_until = ?4, wrong_number_at = ?5 WHERE id = ?1",
            params![self.id, pushes.unanswered, pushes.quiets, quiet, wrong],
        )?;
        self.pushes = pushes;
        Ok(())
    }

    /// No login of this user is let in, and why (rules A6).
    pub(super) fn barred(&self) -> Option<Arc<str>> {
        self.blocked.clone().or_else(|| self.fraud_at.map(|_| FRAUD.into()))
    }

    /// No pushes before then (rules D2); never again while a fraud report stands.
    pub(super) fn quiet_until(&self, at: Wall) -> Option<Wall> {
        if self.barred().is_some() { Some(Wall::NEVER) } else { self.pushes.quiet(at) }
    }

    /// The user had a method from now on (rules A5), and guesses must see what changed. `session`: the one that made it.
    ///
    /// The first one, or the first again after all were removed, ends all else that waits to make one (rules F3), wherever it
    /// was made: other sessions, codes that nobody brought yet, and phones that were begun in the portal. A phone that was
    /// begun on the host is an admin's act of its own and goes on.
    pub(super) fn enrolled(&mut self, tx: Tx<'_>, session: Option<[u8; 32]>) -> Result<(), StoreError> {
        if !self.ever_enrolled || self.active_methods(tx)? <= 1 {
            web_sessions::close_all(tx, self.id, session)?;
            people_codes::void_all(tx, self.id)?;
            tx.change("DELETE FROM devices WHERE user = ?1 AND state <> 'active' AND needs_test", [self.id])?;
        }
        self.ever_enrolled = true;
        self.write(tx)?;
        self.bump(tx)
    }

    /// How many methods the user has, the one that was just made with them.
    fn active_methods(&self, tx: Tx<'_>) -> Result<i64, StoreError> {
        let sql = "SELECT (SELECT count(*) FROM tokens WHERE user = ?1 AND removed_at IS NULL) \
             + (SELECT count(*) FROM devices WHERE user = ?1 AND removed_at IS NULL AND state = 'active')";
        Ok(tx.one(sql, [self.id], |row| row.get(0))?.unwrap_or_default())
    }

    fn mac(&self, tx: Tx<'_>) -> Result<Vec<u8>, StoreError> {
        Ok(tx.seals.mac(self.place(&self.id.to_string(), "row"), &[self.fields()?.as_bytes()]))
    }

    fn place<'a>(&'a self, row: &'a str, column: &'static str) -> Place<'a> {
        Place { table: "users", row, user: &self.name, column }
    }

    fn fields(&self) -> Result<String, StoreError> {
        let fraud = self.fraud_at.map(|at| at.0);
        let known =
            (&names(&self.groups), &self.mail, self.blocked.as_deref(), fraud, self.ever_enrolled, self.added_at.0);
        match &self.spelled {
            // As rows were authenticated before there were spellings.
            None => json(&known),
            Some(spelled) => json(&(known, &**spelled)),
        }
    }
}

/// Adds a user.
pub(super) fn add(tx: Tx<'_>, new: &NewUser, at: Wall) -> Result<(), StoreError> {
    let name = new.name.as_str();
    fits(name)?;
    if let Some(row) = UserRow::find(tx, &new.name)? {
        return told_apart(tx, row, new, at);
    }
    tx.change(
        "INSERT INTO users (name, loose, groups, added_at, mac) VALUES (?1, ?2, '[]', ?3, x'')",
        params![name, fold::loose(name), db(at.0)],
    )?;
    let row = UserRow {
        id: tx.db.last_insert_rowid(),
        name: name.into(),
        groups: sorted(new.groups.iter().cloned()),
        mail: new.mail.clone(),
        blocked: None,
        fraud_at: None,
        ever_enrolled: false,
        added_at: at,
        version: 1,
        pushes: PushCounts::default(),
        spelled: new.by_staff.as_ref().map(|given| Arc::clone(&given.spelled)),
        shield_until: None,
        shield_lifts: 0,
        has_password: false,
    };
    row.write(tx)?;
    // Rules A2: who is added looks like nobody else; who comes in by a name was refused before.
    alikes::settle(tx, &row, new.by_staff.as_ref().map_or(&[], |given| &given.not_the_same_as), at)?;
    new.password_hash.as_ref().map_or(Ok(()), |hash| write_password(tx, &row, Some(hash)))
}

/// RFC 2865 §5.1: what a User-Name can carry.
pub(super) fn fits(name: &str) -> Result<(), StoreError> {
    if name.is_empty() || name.len() > NAME_OCTETS_MAX || name.chars().any(char::is_control) {
        return Err(StoreError::Refused(Refusal::Name(name.into())));
    }
    Ok(())
}

/// Staff say of a user who is there that somebody else only looks like it.
fn told_apart(tx: Tx<'_>, mut row: UserRow, new: &NewUser, at: Wall) -> Result<(), StoreError> {
    let taken = StoreError::Refused(Refusal::UserExists(Arc::clone(&row.name)));
    let given = new.by_staff.as_ref().filter(|given| !given.not_the_same_as.is_empty()).ok_or(taken)?;
    row.spelled = Some(Arc::clone(&given.spelled));
    row.write(tx)?;
    alikes::settle(tx, &row, &given.not_the_same_as, at)
}

/// Sets or takes away a local password.
pub(super) fn set_password(tx: Tx<'_>, user: &ResolvedUser, hash: Option<&Secret>) -> Result<(), StoreError> {
    let row = UserRow::need(tx, user)?;
    write_password(tx, &row, hash)?;
    // Whoever was signed in by the old one is not any more.
    web_sessions::close_all(tx, row.id, None).map(drop)
}

/// The hash of a local password.
pub(super) fn password_hash(tx: Tx<'_>, user: &ResolvedUser) -> Result<Option<Secret>, StoreError> {
    let Some(row) = UserRow::find(tx, user)? else { return Ok(None) };
    let sealed: Option<Vec<u8>> =
        tx.one("SELECT password FROM users WHERE id = ?1", [row.id], |row| row.get(0))?.flatten();
    sealed.map(|sealed| tx.seals.open(row.place(&row.id.to_string(), "password"), &[], &sealed)).transpose()
}

/// Adds groups.
pub(super) fn add_groups(tx: Tx<'_>, user: &ResolvedUser, groups: Vec<GroupName>) -> Result<(), StoreError> {
    let mut row = UserRow::need(tx, user)?;
    row.groups = sorted(row.groups.into_iter().chain(groups));
    row.write(tx)
}

/// Takes groups away.
pub(super) fn remove_groups(tx: Tx<'_>, user: &ResolvedUser, groups: &[GroupName]) -> Result<(), StoreError> {
    let mut row = UserRow::need(tx, user)?;
    row.groups.retain(|group| !groups.contains(group));
    row.write(tx)
}

/// Blocks, and withdraws what is out (rules F5).
pub(super) fn block(tx: Tx<'_>, user: &ResolvedUser, reason: &str) -> Result<(), StoreError> {
    let mut row = UserRow::need(tx, user)?;
    row.blocked = Some(reason.into());
    row.write(tx)?;
    row.bump(tx)?;
    bypasses::end_all(tx, row.id)?;
    web_sessions::close_all(tx, row.id, None)?;
    prompts::withdraw_open(tx, row.id)
}

/// Ends a block and a fraud report, and forgets failures (rules D1: an admin).
pub(super) fn unblock(tx: Tx<'_>, user: &ResolvedUser) -> Result<(), StoreError> {
    let mut row = UserRow::need(tx, user)?;
    (row.blocked, row.fraud_at) = (None, None);
    row.write(tx)?;
    forgive(tx, &mut row)
}

/// Strangers' logins under this name are held back until then: for whoever looks, as only the server counts them (rules D7).
pub(super) fn note_shield(tx: Tx<'_>, user: &ResolvedUser, until: Wall) -> Result<(), StoreError> {
    let row = UserRow::need(tx, user)?;
    tx.change("UPDATE users SET shield_until = ?2 WHERE id = ?1", params![row.id, db(until.0)])?;
    Ok(())
}

/// Forgets what counts against codes, prompts and passwords (rules D1, D2, D7), and leaves a block as it is.
pub(super) fn lift_limits(tx: Tx<'_>, user: &ResolvedUser) -> Result<(), StoreError> {
    forgive(tx, &mut UserRow::need(tx, user)?)
}

fn forgive(tx: Tx<'_>, row: &mut UserRow) -> Result<(), StoreError> {
    row.write_pushes(tx, PushCounts::default())?;
    tx.change("UPDATE users SET shield_until = NULL, shield_lifts = shield_lifts + 1 WHERE id = ?1", [row.id])?;
    row.bump(tx)?;
    codes::forget_failures(tx, row.id)
}

/// Removes a user; only the name and the date stay for a while.
pub(super) fn remove(tx: Tx<'_>, user: &ResolvedUser, at: Wall) -> Result<(), StoreError> {
    let row = UserRow::need(tx, user)?;
    for table in TABLES_OF_A_USER {
        tx.change(&format!("DELETE FROM {table} WHERE user = ?1"), [row.id])?;
    }
    alikes::forget(tx, row.id)?;
    tx.change(
        "UPDATE users SET removed_at = ?2, groups = '[]', mail = NULL, password = NULL, blocked = NULL, \
         prefers = NULL, language = NULL, invited_at = NULL WHERE id = ?1",
        [row.id, db(at.0)],
    )?;
    tx.change(
        "DELETE FROM users WHERE removed_at IS NOT NULL AND id NOT IN \
         (SELECT id FROM users WHERE removed_at IS NOT NULL ORDER BY id DESC LIMIT ?1)",
        [TOMBSTONES_MAX],
    )?;
    Ok(())
}

/// Whether a user of that name was removed since then.
pub(super) fn removed_since(tx: Tx<'_>, user: &ResolvedUser, since: Wall) -> Result<bool, StoreError> {
    tx.any("SELECT 1 FROM users WHERE name = ?1 AND removed_at >= ?2", params![user.as_str(), db(since.0)])
}

/// Users in the order of their names.
pub(super) fn list(tx: Tx<'_>, after: Option<&ResolvedUser>, limit: usize) -> Result<Vec<User>, StoreError> {
    let sql = format!("SELECT {COLUMNS} FROM users WHERE name > ?1 AND removed_at IS NULL ORDER BY name LIMIT ?2");
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let rows = tx.all(&sql, params![after.map_or("", ResolvedUser::as_str), limit], read)?;
    rows.into_iter().map(|row| checked(tx, row).and_then(|row| whole(tx, row))).collect()
}

/// One user.
pub(super) fn show(tx: Tx<'_>, user: &ResolvedUser) -> Result<Option<User>, StoreError> {
    UserRow::find(tx, user)?.map(|row| whole(tx, row)).transpose()
}

/// What a login needs to know.
pub(super) fn facts(
    tx: Tx<'_>,
    user: &ResolvedUser,
    station: Option<&Station>,
    at: Wall,
    limits: &Limits,
) -> Result<UserFacts, StoreError> {
    let found = UserRow::find(tx, user)?;
    let looks_like = alikes::of(tx, user.as_str(), found.as_ref())?;
    let Some(row) = found else { return Ok(UserFacts { looks_like, ..UserFacts::default() }) };
    let phones: Vec<Device> =
        devices::of_user(tx, &row)?.into_iter().filter(|device| device.state == DeviceState::Active).collect();
    let chose = choices::of_owner(tx, &row)?;
    // A PIN that is locked proves nothing until the help desk resets it.
    let has_pin = pins::of_owner(tx, &row)?.is_some_and(|pin| !pin.locked);
    let from = codes::station_bucket(tx, row.id, station, at, limits)?;
    Ok(UserFacts {
        must_open: must_open(&phones),
        known: true,
        spelled: row.spelled.clone(),
        looks_like,
        blocked: row.barred(),
        groups: row.groups.as_slice().into(),
        ever_enrolled: row.ever_enrolled,
        methods: methods(tx, &row, !phones.is_empty())?,
        codes: from.bucket,
        station_known: from.known,
        station_let_in: codes::is_let_in(tx, row.id, station, at, limits)?,
        shield_lifts: row.shield_lifts,
        pushes_quiet_until: row.quiet_until(at),
        prefers: chose.method,
        language: chose.language,
        // The engine asks for it where the client and the rule may take one.
        bypass: None,
        has_bypass: bypasses::any(tx, &row, at)?,
        chooses_number: phones.iter().any(|phone| proves_number(phone, AppVersion::shows_presence)),
        types_number: phones.iter().any(|phone| proves_number(phone, AppVersion::shows_code)),
        pin_phones: has_pin && phones.iter().any(|phone| phone.channel == Channel::WebPush),
    })
}

/// What the owner of these has to open, where none rings by itself.
fn must_open(phones: &[Device]) -> Option<Opens> {
    if phones.iter().any(rings) {
        return None;
    }
    let has = |channel: Channel| phones.iter().any(|phone| phone.channel == channel);
    let page = has(Channel::WebPush).then_some(Opens::Page);
    page.or_else(|| phones.iter().any(|phone| phone.channel.can_answer()).then_some(Opens::App))
}

/// Whether a phone that can answer rings by itself; the store app is asked when its owner opens it, and so is a page whose
/// subscription is gone.
fn rings(phone: &Device) -> bool {
    match phone.channel {
        Channel::WebPush => phone.subscription.is_some(),
        Channel::Loopback => true,
        Channel::PrivacyIdea | Channel::Webhook => false,
    }
}

/// Whether a phone can prove a number of that form; of the store app it depends on the version (rules B4, F8).
fn proves_number(phone: &Device, can: fn(AppVersion) -> bool) -> bool {
    match phone.channel {
        Channel::WebPush => true,
        Channel::PrivacyIdea => phone.agent.as_deref().and_then(AppVersion::of_user_agent).is_some_and(can),
        Channel::Webhook | Channel::Loopback => false,
    }
}

fn methods(tx: Tx<'_>, row: &UserRow, has_phone: bool) -> Result<Vec<Method>, StoreError> {
    let push = has_phone.then_some(Method::Push);
    let codes = tokens::of_user(tx, row.id, &row.name)?;
    let has = |method: &Method| push == Some(*method) || codes.iter().any(|token| token.kind.method() == *method);
    Ok(Method::ALL.into_iter().filter(has).collect())
}

fn whole(tx: Tx<'_>, row: UserRow) -> Result<User, StoreError> {
    let unknown = codes::station_bucket(tx, row.id, None, Wall::default(), &Limits::default())?;
    Ok(User {
        name: ResolvedUser::new(Arc::clone(&row.name)),
        has_password: row.has_password,
        tokens: tokens::of_user(tx, row.id, &row.name)?,
        devices: devices::of_user(tx, &row)?,
        codes: unknown.bucket,
        stations: codes::stations(tx, row.id)?,
        groups: row.groups,
        mail: row.mail,
        blocked: row.blocked,
        fraud_reported: row.fraud_at,
        ever_enrolled: row.ever_enrolled,
        added_at: row.added_at,
        pushes: row.pushes,
        shield_until: row.shield_until,
    })
}

pub(super) fn write_password(tx: Tx<'_>, row: &UserRow, hash: Option<&Secret>) -> Result<(), StoreError> {
    let id = row.id.to_string();
    let sealed = hash.map(|hash| tx.seals.seal(row.place(&id, "password"), &[], hash)).transpose()?;
    tx.change("UPDATE users SET password = ?2 WHERE id = ?1", params![row.id, sealed])?;
    Ok(())
}

/// A row as it lies there: its groups still text, its MAC not yet checked.
struct Unchecked {
    row: UserRow,
    loose: String,
    groups: String,
    mac: Vec<u8>,
}

fn read(row: &Row<'_>) -> rusqlite::Result<Unchecked> {
    let pushes = PushCounts {
        unanswered: count(row.get(9)?),
        quiets: count(row.get(10)?),
        quiet_until: row.get::<_, Option<i64>>(11)?.map(wall),
        wrong_number_at: row.get::<_, Option<i64>>(16)?.map(wall),
    };
    Ok(Unchecked {
        row: UserRow {
            id: row.get(0)?,
            name: row.get(1)?,
            groups: Vec::new(),
            mail: row.get(3)?,
            blocked: row.get(4)?,
            fraud_at: row.get::<_, Option<i64>>(5)?.map(wall),
            ever_enrolled: row.get(6)?,
            added_at: wall(row.get(7)?),
            version: row.get(8)?,
            pushes,
            shield_until: row.get::<_, Option<i64>>(17)?.map(wall),
            shield_lifts: count(row.get(18)?).into(),
            has_password: row.get(12)?,
            spelled: row.get(14)?,
        },
        loose: row.get(15)?,
        groups: row.get(2)?,
        mac: row.get(13)?,
    })
}

fn checked(tx: Tx<'_>, Unchecked { mut row, loose, groups, mac }: Unchecked) -> Result<UserRow, StoreError> {
    let id = row.id.to_string();
    if loose != fold::loose(&row.name) {
        return Err(StoreError::Tampered { table: "users", row: id.as_str().into() });
    }
    let names: Vec<String> =
        serde_json::from_str(&groups).map_err(|_| StoreError::Tampered { table: "users", row: id.as_str().into() })?;
    row.groups = names.into_iter().map(GroupName::new).collect();
    tx.seals.check(row.place(&id, "row"), &[row.fields()?.as_bytes()], &mac)?;
    Ok(row)
}

fn names(groups: &[GroupName]) -> Vec<&str> {
    groups.iter().map(GroupName::as_str).collect()
}

fn sorted(groups: impl Iterator<Item = GroupName>) -> Vec<GroupName> {
    let all: std::collections::BTreeSet<GroupName> = groups.collect();
    all.into_iter().collect()
}

fn json(value: &impl serde::Serialize) -> Result<String, StoreError> {
    serde_json::to_string(value).map_err(|error| StoreError::Ours(error.to_string().into()))
}
