//! Prompts in the file: one open at a time for a user, claimed before it leaves, answered and released once (rules A8, B2, B3, D2).
//!
//! [`PromptState`] is a prompt's life; every step is a compare-and-set from the state that it leaves, and none leads out of
//! an end. An approval carries a MAC, so that nobody approves by writing into the file (F1).

use std::sync::Arc;
use std::time::Duration;

use login::limits::Limits;
use login::prompt::PromptState;
use login::{
    Asks, Claim, ClientName, DeviceId, LoginKey, Number, PhoneAnswer, PromptClaim, PromptClose, PromptId, PromptStatus,
    ResolvedUser, Station, Wall,
};
use rusqlite::{Row, params};

use super::super::error::{Refusal, StoreError};
use super::super::rows::{Answered, OpenPrompt};
use super::super::seal::Place;
use super::tx::{Tx, db, wall, word};
use super::users::UserRow;
use super::{codes, devices};

/// How long an approval without a live asker waits for the same login's re-ask (rules A8).
const APPROVED_WAITS: Duration = Duration::from_secs(10);

/// The longest time that a prompt may be out (rules B5).
const PROMPT_LASTS_MAX: Duration = Duration::from_secs(120);

/// Ended prompts that are remembered of one user, so that a phone's repeat gets the first answer.
const PROMPTS_PER_USER_MAX: i64 = 16;

/// A prompt as the table has it.
pub(super) struct PromptRow {
    pub(super) id: PromptId,
    owner: i64,
    login: LoginKey,
    client: ClientName,
    station: Option<Station>,
    station_known: bool,
    claimed_at: Wall,
    ends_at: Wall,
    askers_until: Wall,
    displaced: Option<PromptId>,
    state: PromptState,
    device: Option<DeviceId>,
    answered_at: Wall,
    mac: Option<Vec<u8>>,
}

impl PromptRow {
    /// Somebody waits for it, or it was approved so lately that the same login may still come back for it.
    fn waited_for(&self, at: Wall) -> bool {
        self.askers_until > at || (self.state == PromptState::Approved && self.answered_at.plus(APPROVED_WAITS) > at)
    }

    /// Past its end; or so far before it that the clock was stepped back since: no prompt lasts longer than that (B5).
    fn out_of_time(&self, at: Wall) -> bool {
        self.ends_at <= at || self.ends_at > at.plus(PROMPT_LASTS_MAX)
    }

    /// Its time is over, though nobody has said so yet.
    fn over(&self, at: Wall) -> bool {
        match self.state {
            PromptState::Pending => self.out_of_time(at),
            PromptState::Approved => !self.waited_for(at),
            PromptState::Denied
            | PromptState::Fraud
            | PromptState::Unanswered
            | PromptState::Withdrawn
            | PromptState::Released => true,
        }
    }

    /// Where it stands, with the approval's MAC checked.
    fn status(&self, tx: Tx<'_>, owner: &UserRow, at: Wall) -> Result<PromptStatus, StoreError> {
        match self.state {
            PromptState::Pending if !self.out_of_time(at) => Ok(PromptStatus::Pending),
            PromptState::Approved => {
                Ok(PromptStatus::Approved { device: self.approved_by(tx, owner)?, at: self.answered_at })
            }
            PromptState::Pending
            | PromptState::Denied
            | PromptState::Fraud
            | PromptState::Unanswered
            | PromptState::Withdrawn
            | PromptState::Released => Ok(PromptStatus::Ended),
        }
    }

    /// Which device approved it; refused if that was written by somebody else.
    fn approved_by(&self, tx: Tx<'_>, owner: &UserRow) -> Result<DeviceId, StoreError> {
        let device = self.device.clone().unwrap_or_else(|| DeviceId("".into()));
        let (row, at) = (self.id.to_string(), self.answered_at.0.to_be_bytes());
        tx.seals.check(
            place(&row, owner),
            &[&self.login.0, device.0.as_bytes(), &at],
            self.mac.as_deref().unwrap_or_default(),
        )?;
        Ok(device)
    }

    fn open(self, tx: Tx<'_>, owner: &UserRow, at: Wall) -> Result<OpenPrompt, StoreError> {
        Ok(OpenPrompt {
            status: self.status(tx, owner, at)?,
            prompt: self.id,
            user: ResolvedUser::new(Arc::clone(&owner.name)),
            login: self.login,
            client: self.client,
            station: self.station,
            claimed_at: self.claimed_at,
            asks: Asks::default(),
            only: None,
            ends_at: self.ends_at,
            askers_until: self.askers_until,
        })
    }
}

/// Claims the user's one open prompt, or says why not.
pub(super) fn claim(tx: Tx<'_>, claim: &PromptClaim, at: Wall, limits: &Limits) -> Result<Claim, StoreError> {
    let mut owner = UserRow::need(tx, &claim.user)?;
    // Repeated after an unknown commit: it is ours already, and was never sent (B3).
    if let Some(mine) = find(tx, claim.prompt)? {
        let same = mine.owner == owner.id && mine.login == claim.login;
        return if same {
            Ok(Claim::Claimed { displaced: mine.displaced })
        } else {
            Err(StoreError::Ours("a prompt's id was used twice".into()))
        };
    }
    let mut displaced = None;
    if let Some(open) = open_of_user(tx, owner.id)? {
        if open.over(at) {
            expire(tx, &mut owner, &open, at, limits)?;
        } else if open.login == claim.login {
            return join(tx, &owner, &open, claim.askers_until, at);
        } else if !gives_way(&open, claim, at) {
            return Ok(Claim::Busy);
        } else {
            expire(tx, &mut owner, &open, at, limits)?;
            displaced = Some(open.id);
        }
    }
    if let Some(until) = owner.quiet_until(at) {
        return Ok(Claim::Quiet { until });
    }
    if devices::of_user(tx, &owner)?.is_empty() {
        return Err(StoreError::Refused(Refusal::NoDevice(claim.user.as_str().into())));
    }
    insert(tx, owner.id, claim, displaced, at)?;
    Ok(Claim::Claimed { displaced })
}

/// Somebody waits for it until then.
pub(super) fn extend(tx: Tx<'_>, prompt: PromptId, askers_until: Wall, at: Wall) -> Result<PromptStatus, StoreError> {
    let Some((row, owner)) = with_owner(tx, prompt)? else { return Ok(PromptStatus::Ended) };
    extend_row(tx, &row, askers_until)?;
    row.status(tx, &owner, at)
}

/// A phone answers.
pub(super) fn answer(
    tx: Tx<'_>,
    prompt: PromptId,
    device: &DeviceId,
    answer: &PhoneAnswer,
    _number: Option<Number>,
    at: Wall,
    limits: &Limits,
) -> Result<Answered, StoreError> {
    let (row, mut owner) = with_owner(tx, prompt)?.ok_or(StoreError::Refused(Refusal::NoPrompt))?;
    let phone = devices::active(tx, &owner, device)?
        .ok_or_else(|| StoreError::Refused(Refusal::NoDevice(Arc::clone(&device.0))))?;
    if !phone.channel.can_answer() {
        return Err(StoreError::Refused(Refusal::DeviceCannotAnswer(Arc::clone(&device.0))));
    }
    let expired = row.state == PromptState::Pending && row.over(at);
    if expired {
        expire(tx, &mut owner, &row, at, limits)?;
    }
    let to = if expired { row.state } else { row.state.after(answer) };
    if to != row.state {
        match to {
            PromptState::Approved => approve(tx, &mut owner, &row, device, at)?,
            PromptState::Denied
            | PromptState::Fraud
            | PromptState::Pending
            | PromptState::Unanswered
            | PromptState::Withdrawn
            | PromptState::Released => refuse(tx, &mut owner, &row, to, device, at, limits)?,
        }
        return Ok(Answered::Taken);
    }
    let stands = said(row.state);
    if *answer == PhoneAnswer::Fraud && row.state != PromptState::Fraud {
        // Too late to stop this login, but not too late to know that somebody has the password.
        report_fraud(tx, &mut owner, at)?;
    }
    Ok(stands.map_or(Answered::TooLate, Answered::Stands))
}

/// The login ends its own prompt.
pub(super) fn close(
    tx: Tx<'_>,
    prompt: PromptId,
    why: PromptClose,
    at: Wall,
    limits: &Limits,
) -> Result<(), StoreError> {
    let Some((row, mut owner)) = with_owner(tx, prompt)? else { return Ok(()) };
    match why {
        PromptClose::Unanswered | PromptClose::Withdrawn if !row.state.is_open() => Ok(()),
        PromptClose::Unanswered => expire(tx, &mut owner, &row, at, limits),
        PromptClose::Withdrawn => step(tx, &row, PromptState::Withdrawn).map(drop),
    }
}

/// Where it stands; what nobody knows has ended.
pub(super) fn status(tx: Tx<'_>, prompt: PromptId, at: Wall) -> Result<PromptStatus, StoreError> {
    with_owner(tx, prompt)?.map_or(Ok(PromptStatus::Ended), |(row, owner)| row.status(tx, &owner, at))
}

/// All that are open.
pub(super) fn open_at(tx: Tx<'_>, at: Wall) -> Result<Vec<OpenPrompt>, StoreError> {
    let rows = tx.all(&format!("{SELECT} WHERE state IN ('pending', 'approved') ORDER BY claimed_at"), [], read)?;
    let mut open = Vec::new();
    for row in rows {
        let row = row.checked()?;
        if let (false, Some(owner)) = (row.over(at), UserRow::of_id(tx, row.owner)?) {
            open.push(row.open(tx, &owner, at)?);
        }
    }
    Ok(open)
}

/// Whatever is out for this user is withdrawn: a block, a removal (rules F5).
pub(super) fn withdraw_open(tx: Tx<'_>, owner: i64) -> Result<(), StoreError> {
    tx.change("UPDATE prompts SET state = 'withdrawn' WHERE user = ?1 AND state IN ('pending', 'approved')", [owner])?;
    Ok(())
}

/// Releases an approval, once: a compare-and-set of its own (rules A8). False: it is no approval of that device any more.
/// The other logins of the same L at a prompt go through the door that it opened for one of them, where they are let in
/// `together` (B2).
pub(super) fn release(
    tx: Tx<'_>,
    owner: &UserRow,
    prompt: PromptId,
    device: &DeviceId,
    together: Option<LoginKey>,
) -> Result<bool, StoreError> {
    let Some(row) = find(tx, prompt)?.filter(|row| row.owner == owner.id) else { return Ok(false) };
    match row.state {
        PromptState::Approved => Ok(row.approved_by(tx, owner)? == *device && step(tx, &row, PromptState::Released)?),
        PromptState::Released => Ok(together == Some(row.login) && row.approved_by(tx, owner)? == *device),
        PromptState::Pending
        | PromptState::Denied
        | PromptState::Fraud
        | PromptState::Unanswered
        | PromptState::Withdrawn => Ok(false),
    }
}

/// A device of the user said no to it, or reported it.
pub(super) fn was_refused(tx: Tx<'_>, owner: &UserRow, prompt: PromptId) -> Result<bool, StoreError> {
    let row = find(tx, prompt)?.filter(|row| row.owner == owner.id);
    Ok(row.is_some_and(|row| matches!(row.state, PromptState::Denied | PromptState::Fraud)))
}

/// Nobody waits for it any more, because its login was let in another way.
pub(super) fn withdraw(tx: Tx<'_>, owner: &UserRow, prompt: PromptId) -> Result<(), StoreError> {
    match find(tx, prompt)?.filter(|row| row.owner == owner.id && row.state.is_open()) {
        Some(row) => step(tx, &row, PromptState::Withdrawn).map(drop),
        None => Ok(()),
    }
}

fn join(tx: Tx<'_>, owner: &UserRow, open: &PromptRow, askers_until: Wall, at: Wall) -> Result<Claim, StoreError> {
    extend_row(tx, open, askers_until)?;
    Ok(Claim::Joined { prompt: open.id, ends_at: open.ends_at, status: open.status(tx, owner, at)? })
}

/// B2: another login's prompt gives way where nobody waits for it, or where it came from an unknown station and this one
/// comes from a known one. An approval gives way only to time: the person has said yes to it. To a login that began with
/// a bare packet nothing gives way: it ends nobody else's (D5).
fn gives_way(open: &PromptRow, claim: &PromptClaim, at: Wall) -> bool {
    let displaces =
        !open.waited_for(at) || (open.state == PromptState::Pending && !open.station_known && claim.station_known);
    claim.authentic && displaces
}

fn insert(
    tx: Tx<'_>,
    owner: i64,
    claim: &PromptClaim,
    displaced: Option<PromptId>,
    at: Wall,
) -> Result<(), StoreError> {
    tx.change(
        "INSERT INTO prompts (id, user, login, client, station, station_known, claimed_at, ends_at, askers_until, displaced, state) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, 'pending')",
        params![
            claim.prompt.0,
            owner,
            claim.login.0,
            claim.client.as_str(),
            claim.station.as_ref().map(Station::octets),
            claim.station_known,
            db(at.0),
            db(claim.ends_at.0),
            db(claim.askers_until.0),
            displaced.map(|prompt| prompt.0),
        ],
    )?;
    tx.change(
        "DELETE FROM prompts WHERE user = ?1 AND state NOT IN ('pending', 'approved') AND id NOT IN \
         (SELECT id FROM prompts WHERE user = ?1 ORDER BY claimed_at DESC LIMIT ?2)",
        [owner, PROMPTS_PER_USER_MAX],
    )?;
    Ok(())
}

fn extend_row(tx: Tx<'_>, row: &PromptRow, askers_until: Wall) -> Result<(), StoreError> {
    tx.change(
        "UPDATE prompts SET askers_until = max(askers_until, ?2) WHERE id = ?1 AND state IN ('pending', 'approved')",
        params![row.id.0, db(askers_until.0)],
    )?;
    Ok(())
}

/// Nobody answered in time, which counts (D2); or it was approved and nobody came for it, which doesn't.
fn expire(tx: Tx<'_>, owner: &mut UserRow, row: &PromptRow, at: Wall, limits: &Limits) -> Result<(), StoreError> {
    if row.state == PromptState::Approved {
        return step(tx, row, PromptState::Withdrawn).map(drop);
    }
    if step(tx, row, PromptState::Unanswered)? {
        // It ended when its time was over, not when somebody noticed.
        owner.write_pushes(tx, owner.pushes.after_unanswered(limits, at.min(row.ends_at)))?;
    }
    Ok(())
}

fn approve(tx: Tx<'_>, owner: &mut UserRow, row: &PromptRow, device: &DeviceId, at: Wall) -> Result<(), StoreError> {
    let id = row.id.to_string();
    let mac = tx.seals.mac(place(&id, owner), &[&row.login.0, device.0.as_bytes(), &at.0.to_be_bytes()]);
    tx.change(
        "UPDATE prompts SET state = 'approved', device = ?2, answered_at = ?3, mac = ?4 WHERE id = ?1 AND state = 'pending'",
        params![row.id.0, device.0, db(at.0), mac],
    )?;
    owner.write_pushes(tx, owner.pushes.after_approval())?;
    codes::unlock_by_push(tx, owner.id)?;
    owner.bump(tx)
}

fn refuse(
    tx: Tx<'_>,
    owner: &mut UserRow,
    row: &PromptRow,
    to: PromptState,
    device: &DeviceId,
    at: Wall,
    limits: &Limits,
) -> Result<(), StoreError> {
    step(tx, row, to)?;
    tx.change(
        "UPDATE prompts SET device = ?2, answered_at = ?3, mac = NULL WHERE id = ?1",
        params![row.id.0, device.0, db(at.0)],
    )?;
    // A report that follows its own denial is not a second denial (D2).
    if row.state != PromptState::Denied {
        owner.write_pushes(tx, owner.pushes.after_denial(limits, at))?;
    }
    if to == PromptState::Fraud { report_fraud(tx, owner, at) } else { Ok(()) }
}

/// No pushes and no release until an admin says so (rules A6).
fn report_fraud(tx: Tx<'_>, owner: &mut UserRow, at: Wall) -> Result<(), StoreError> {
    owner.fraud_at = owner.fraud_at.or(Some(at));
    owner.write(tx)?;
    owner.bump(tx)?;
    withdraw_open(tx, owner.id)
}

/// One compare-and-set from the state that was read.
fn step(tx: Tx<'_>, row: &PromptRow, to: PromptState) -> Result<bool, StoreError> {
    let changed = tx.change(
        "UPDATE prompts SET state = ?3 WHERE id = ?1 AND state = ?2",
        params![row.id.0, name(row.state), name(to)],
    )?;
    Ok(changed == 1)
}

fn place<'a>(row: &'a str, owner: &'a UserRow) -> Place<'a> {
    Place { table: "prompts", row, user: &owner.name, column: "approval" }
}

/// Every state, for reading its word.
const STATES: [PromptState; 7] = [
    PromptState::Pending,
    PromptState::Approved,
    PromptState::Denied,
    PromptState::Fraud,
    PromptState::Unanswered,
    PromptState::Withdrawn,
    PromptState::Released,
];

fn name(state: PromptState) -> &'static str {
    match state {
        PromptState::Pending => "pending",
        PromptState::Approved => "approved",
        PromptState::Denied => "denied",
        PromptState::Fraud => "fraud",
        PromptState::Unanswered => "unanswered",
        PromptState::Withdrawn => "withdrawn",
        PromptState::Released => "released",
    }
}

/// What a phone said that stands.
fn said(state: PromptState) -> Option<PhoneAnswer> {
    match state {
        PromptState::Approved | PromptState::Released => Some(PhoneAnswer::Approve),
        PromptState::Denied => Some(PhoneAnswer::Deny),
        PromptState::Fraud => Some(PhoneAnswer::Fraud),
        PromptState::Pending | PromptState::Unanswered | PromptState::Withdrawn => None,
    }
}

const SELECT: &str = "SELECT id, user, login, client, station, station_known, ends_at, askers_until, displaced, state, device, answered_at, mac, claimed_at FROM prompts";

fn find(tx: Tx<'_>, prompt: PromptId) -> Result<Option<PromptRow>, StoreError> {
    tx.one(&format!("{SELECT} WHERE id = ?1"), [prompt.0], read)?.map(Unchecked::checked).transpose()
}

fn open_of_user(tx: Tx<'_>, owner: i64) -> Result<Option<PromptRow>, StoreError> {
    let sql = format!("{SELECT} WHERE user = ?1 AND state IN ('pending', 'approved')");
    tx.one(&sql, [owner], read)?.map(Unchecked::checked).transpose()
}

fn with_owner(tx: Tx<'_>, prompt: PromptId) -> Result<Option<(PromptRow, UserRow)>, StoreError> {
    let Some(row) = find(tx, prompt)? else { return Ok(None) };
    Ok(UserRow::of_id(tx, row.owner)?.map(|owner| (row, owner)))
}

/// A row whose state is still a word.
struct Unchecked {
    row: PromptRow,
    state: String,
}

impl Unchecked {
    fn checked(self) -> Result<PromptRow, StoreError> {
        let state = word("prompts", &self.state, |text| STATES.into_iter().find(|state| name(*state) == text))?;
        Ok(PromptRow { state, ..self.row })
    }
}

fn read(row: &Row<'_>) -> rusqlite::Result<Unchecked> {
    let prompt = PromptRow {
        id: PromptId(row.get(0)?),
        owner: row.get(1)?,
        login: LoginKey(row.get(2)?),
        client: ClientName::new(row.get::<_, Arc<str>>(3)?),
        station: row.get::<_, Option<Vec<u8>>>(4)?.map(|octets| Station::new(&octets)),
        station_known: row.get(5)?,
        claimed_at: wall(row.get(13)?),
        ends_at: wall(row.get(6)?),
        askers_until: wall(row.get(7)?),
        displaced: row.get::<_, Option<[u8; 16]>>(8)?.map(PromptId),
        state: PromptState::Withdrawn,
        device: row.get::<_, Option<Arc<str>>>(10)?.map(DeviceId),
        answered_at: row.get::<_, Option<i64>>(11)?.map(wall).unwrap_or_default(),
        mac: row.get(12)?,
    };
    Ok(Unchecked { row: prompt, state: row.get(9)? })
}
