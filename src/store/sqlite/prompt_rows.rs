//! A prompt's row: how it is read, what is checked before it is believed, and the one step that it takes at a time.

use std::sync::Arc;
use std::time::Duration;

use login::prompt::PromptState;
use login::{ClientName, DeviceId, LoginKey, PhoneAnswer, PromptId, PromptStatus, ResolvedUser, Station, Wall};
use rusqlite::{Row, params};

use super::super::error::StoreError;
use super::super::rows::OpenPrompt;
use super::super::seal::Place;
use super::asked::Asked;
use super::tx::{Tx, wall, word};
use super::users::UserRow;

/// How long an approval without a live asker waits for the same login's re-ask (rules A8).
const APPROVED_WAITS: Duration = Duration::from_secs(10);

/// The longest time that a prompt may be out (rules B5).
const PROMPT_LASTS_MAX: Duration = Duration::from_secs(120);

/// A prompt as the table has it.
pub(super) struct PromptRow {
    pub(super) id: PromptId,
    pub(super) owner: i64,
    pub(super) login: LoginKey,
    client: ClientName,
    station: Option<Station>,
    pub(super) station_known: bool,
    /// Asked before the password was (rules D7).
    pub(super) unproven: bool,
    pub(super) claimed_at: Wall,
    pub(super) ends_at: Wall,
    askers_until: Wall,
    pub(super) displaced: Option<PromptId>,
    pub(super) state: PromptState,
    device: Option<DeviceId>,
    answered_at: Wall,
    mac: Option<Vec<u8>>,
    /// Sealed: [`Asked`].
    asks: Option<Vec<u8>>,
}

/// The longest time that an approval may be of use: a prompt's, and then a challenge's (rules B5, F1).
const APPROVED_LASTS_MAX: Duration = Duration::from_secs(240);

impl PromptRow {
    /// The newest asker has not given up yet.
    pub(super) fn has_askers(&self, at: Wall) -> bool {
        self.askers_until > at
    }

    /// Somebody waits for it, or it was approved so lately that the same login may still come back for it.
    pub(super) fn waited_for(&self, at: Wall) -> bool {
        self.has_askers(at) || (self.state == PromptState::Approved && self.answered_at.plus(APPROVED_WAITS) > at)
    }

    /// Past its end; or so far before it that the clock was stepped back since: no prompt lasts longer than that (B5).
    fn out_of_time(&self, at: Wall) -> bool {
        self.ends_at <= at || self.ends_at > at.plus(PROMPT_LASTS_MAX)
    }

    /// Whatever else the row says, a yes does not outlive its prompt and the State of one challenge (A8); one from so long
    /// after now tells of a clock that was stepped back since.
    fn approved_long_ago(&self, at: Wall) -> bool {
        self.answered_at.plus(APPROVED_LASTS_MAX) <= at || self.answered_at > at.plus(PROMPT_LASTS_MAX)
    }

    /// Its time is over, though nobody has said so yet.
    pub(super) fn over(&self, at: Wall) -> bool {
        match self.state {
            PromptState::Pending => self.out_of_time(at),
            PromptState::Approved => !self.waited_for(at) || self.approved_long_ago(at),
            PromptState::Denied
            | PromptState::Fraud
            | PromptState::Unanswered
            | PromptState::Withdrawn
            | PromptState::Released => true,
        }
    }

    /// Where it stands, with the approval's MAC checked.
    pub(super) fn status(&self, tx: Tx<'_>, owner: &UserRow, at: Wall) -> Result<PromptStatus, StoreError> {
        match self.state {
            PromptState::Pending if !self.out_of_time(at) => Ok(PromptStatus::Pending),
            PromptState::Approved => {
                Ok(PromptStatus::Approved { device: self.approved_by(tx, owner)?, at: self.answered_at })
            }
            PromptState::Denied => Ok(PromptStatus::Denied),
            PromptState::Fraud => Ok(PromptStatus::Reported),
            PromptState::Pending | PromptState::Unanswered | PromptState::Withdrawn | PromptState::Released => {
                Ok(PromptStatus::Ended)
            }
        }
    }

    /// Which device approved it; refused if that was written by somebody else.
    pub(super) fn approved_by(&self, tx: Tx<'_>, owner: &UserRow) -> Result<DeviceId, StoreError> {
        let device = self.device.clone().unwrap_or_else(|| DeviceId("".into()));
        let (row, at) = (self.id.to_string(), self.answered_at.0.to_be_bytes());
        tx.seals.check(
            place(&row, owner),
            &[&self.login.0, device.0.as_bytes(), &at],
            self.mac.as_deref().unwrap_or_default(),
        )?;
        Ok(device)
    }

    /// What it asks. An ended one of before that was kept asks nothing any more; an open one without it is not as we left it.
    pub(super) fn asked(&self, tx: Tx<'_>, owner: &UserRow) -> Result<Asked, StoreError> {
        match &self.asks {
            Some(sealed) => Asked::open(tx, self.id, self.login, owner, sealed),
            None if self.state.is_open() => {
                Err(StoreError::Tampered { table: "prompts", row: self.id.to_string().into() })
            }
            None => Ok(Asked::default()),
        }
    }

    pub(super) fn open(self, tx: Tx<'_>, owner: &UserRow, at: Wall) -> Result<OpenPrompt, StoreError> {
        let asked = self.asked(tx, owner)?;
        Ok(OpenPrompt {
            status: self.status(tx, owner, at)?,
            prompt: self.id,
            user: ResolvedUser::new(Arc::clone(&owner.name)),
            login: self.login,
            client: self.client,
            station: self.station,
            claimed_at: self.claimed_at,
            asks: asked.shown(),
            numbers: asked.screens(),
            only: asked.only(),
            ends_at: self.ends_at,
            askers_until: self.askers_until,
        })
    }
}

/// One compare-and-set from the state that was read.
pub(super) fn step(tx: Tx<'_>, row: &PromptRow, to: PromptState) -> Result<bool, StoreError> {
    let changed = tx.change(
        "UPDATE prompts SET state = ?3 WHERE id = ?1 AND state = ?2",
        params![row.id.0, name(row.state), name(to)],
    )?;
    Ok(changed == 1)
}

/// Where an approval's MAC belongs.
pub(super) fn place<'a>(row: &'a str, owner: &'a UserRow) -> Place<'a> {
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
pub(super) fn said(state: PromptState) -> Option<PhoneAnswer> {
    match state {
        PromptState::Approved | PromptState::Released => Some(PhoneAnswer::Approve),
        PromptState::Denied => Some(PhoneAnswer::Deny),
        PromptState::Fraud => Some(PhoneAnswer::Fraud),
        PromptState::Pending | PromptState::Unanswered | PromptState::Withdrawn => None,
    }
}

/// Reads [`PromptRow`]s, with a condition after it.
pub(super) const SELECT: &str = "SELECT id, user, login, client, station, station_known, ends_at, askers_until, displaced, state, device, answered_at, mac, claimed_at, asks, unproven FROM prompts";

pub(super) fn find(tx: Tx<'_>, prompt: PromptId) -> Result<Option<PromptRow>, StoreError> {
    tx.one(&format!("{SELECT} WHERE id = ?1"), [prompt.0], read)?.map(Unchecked::checked).transpose()
}

pub(super) fn open_of_user(tx: Tx<'_>, owner: i64) -> Result<Option<PromptRow>, StoreError> {
    let sql = format!("{SELECT} WHERE user = ?1 AND state IN ('pending', 'approved')");
    tx.one(&sql, [owner], read)?.map(Unchecked::checked).transpose()
}

pub(super) fn with_owner(tx: Tx<'_>, prompt: PromptId) -> Result<Option<(PromptRow, UserRow)>, StoreError> {
    let Some(row) = find(tx, prompt)? else { return Ok(None) };
    Ok(UserRow::of_id(tx, row.owner)?.map(|owner| (row, owner)))
}

/// A row whose state is still a word.
pub(super) struct Unchecked {
    row: PromptRow,
    state: String,
}

impl Unchecked {
    /// The row, if its state is a word of ours.
    pub(super) fn checked(self) -> Result<PromptRow, StoreError> {
        let state = word("prompts", &self.state, |text| STATES.into_iter().find(|state| name(*state) == text))?;
        Ok(PromptRow { state, ..self.row })
    }
}

/// One row of [`SELECT`].
pub(super) fn read(row: &Row<'_>) -> rusqlite::Result<Unchecked> {
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
        asks: row.get(14)?,
        unproven: row.get(15)?,
    };
    Ok(Unchecked { row: prompt, state: row.get(9)? })
}
