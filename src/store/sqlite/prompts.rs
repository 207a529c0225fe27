//! Prompts in the file: one open at a time for a user, claimed before it leaves, answered and released once (rules A8, B2, B3, D2).
//!
//! [`PromptState`] is a prompt's life; every step is a compare-and-set from the state that it leaves, and none leads out of
//! an end. An approval carries a MAC, so that nobody approves by writing into the file (F1).

use std::collections::HashSet;
use std::sync::Arc;

use login::limits::Limits;
use login::prompt::PromptState;
use login::{
    Claim, DeviceId, LoginKey, Number, PhoneAnswer, PromptClaim, PromptClose, PromptId, PromptStatus, ResolvedUser,
    Station, Wall,
};
use rusqlite::params;

use super::super::error::{Refusal, StoreError};
use super::super::rows::{Answered, Channel, Device, OpenPrompt, WithdrawnPrompt};
use super::super::web::{DeviceState, PromptEnd};
use super::asked::{Asked, Chosen};
use super::prompt_rows::{PromptRow, SELECT, find, open_of_user, place, read, said, step, with_owner};
use super::tx::{Tx, db};
use super::users::UserRow;
use super::{bypasses, codes, devices, web_sessions};

/// Ended prompts that are remembered of one user, so that a phone's repeat gets the first answer.
const PROMPTS_PER_USER_MAX: i64 = 16;

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
        } else if claim.unproven {
            // Rules D7: somebody of whom nobody knows the password ends and joins nobody's.
            return Ok(Claim::Busy);
        } else if open.unproven {
            step(tx, &open, PromptState::Withdrawn)?;
            displaced = Some(open.id);
        } else if open.login == claim.login {
            return join(tx, &owner, &open, claim, at);
        } else if !gives_way(&open, claim, at) {
            return Ok(Claim::Busy);
        } else if let Some(until) = quiet_without(&owner, &open, at, limits) {
            // No phone would ring in its place, so it stays (B2, D2).
            return Ok(Claim::Quiet { until });
        } else {
            expire(tx, &mut owner, &open, at, limits)?;
            displaced = Some(open.id);
        }
    }
    let state = ringing(tx, &owner, claim)?;
    // D2 keeps phones quiet that ring for logins. The test of a phone that is being added rings that one alone, and its
    // owner waits for it; a block or a fraud report holds for it, too.
    let tests = state == DeviceState::Keyed;
    if let Some(until) = owner.quiet_until(at).filter(|until| !tests || *until == Wall::NEVER) {
        return Ok(Claim::Quiet { until });
    }
    insert(tx, &owner, claim, displaced, at)?;
    Ok(Claim::Claimed { displaced })
}

/// Somebody must be there to be rung: an active device, or for a test the one that it is for (rules F3).
fn ringing(tx: Tx<'_>, owner: &UserRow, claim: &PromptClaim) -> Result<DeviceState, StoreError> {
    let none = || StoreError::Refused(Refusal::NoDevice(claim.user.as_str().into()));
    let Some(only) = &claim.only else {
        let active = devices::rows_of(tx, owner)?.iter().any(devices::DeviceRow::is_active);
        return active.then_some(DeviceState::Active).ok_or_else(none);
    };
    let row = devices::of_owner(tx, owner, only)?.ok_or_else(|| devices::none(only))?;
    match row.device.state {
        DeviceState::Waiting => Err(devices::none(only)),
        DeviceState::Keyed | DeviceState::Active if !row.device.channel.can_answer() => {
            Err(StoreError::Refused(Refusal::DeviceCannotAnswer(Arc::clone(&only.0))))
        }
        state @ (DeviceState::Keyed | DeviceState::Active) => Ok(state),
    }
}

/// Somebody waits for it until then.
pub(super) fn extend(tx: Tx<'_>, prompt: PromptId, askers_until: Wall, at: Wall) -> Result<PromptStatus, StoreError> {
    let Some((row, owner)) = with_owner(tx, prompt)? else { return Ok(PromptStatus::Ended) };
    extend_row(tx, &row, askers_until)?;
    row.status(tx, &owner, at)
}

/// What became of it. One that is long gone is over, as one that never was.
pub(super) fn end_of(tx: Tx<'_>, prompt: PromptId, at: Wall) -> Result<PromptEnd, StoreError> {
    Ok(find(tx, prompt)?.map_or(PromptEnd::Over, |row| match row.state {
        PromptState::Pending | PromptState::Approved if !row.over(at) => PromptEnd::Open,
        PromptState::Pending | PromptState::Approved | PromptState::Unanswered | PromptState::Withdrawn => {
            PromptEnd::Over
        }
        PromptState::Denied | PromptState::Fraud => PromptEnd::Refused,
        PromptState::Released => PromptEnd::LetIn,
    }))
}

/// A phone answers.
pub(super) fn answer(
    tx: Tx<'_>,
    prompt: PromptId,
    device: &DeviceId,
    answer: &PhoneAnswer,
    number: Option<Number>,
    at: Wall,
    limits: &Limits,
) -> Result<Answered, StoreError> {
    let (row, mut owner) = with_owner(tx, prompt)?.ok_or(StoreError::Refused(Refusal::NoPrompt))?;
    let mut asked = row.asked(tx, &owner)?;
    let phone = answering(tx, &owner, &asked, device)?;
    devices::was_there(tx, device, at)?;
    let expired = row.state == PromptState::Pending && row.over(at);
    if expired {
        expire(tx, &mut owner, &row, at, limits)?;
    }
    let to = if expired { row.state } else { row.state.after(answer) };
    if to == PromptState::Denied && asked.has_revealed(device) {
        // F5: the store app's "Done", once its owner has read the code, is sent as a decline.
        return Ok(said(row.state).map_or(Answered::NotLike, Answered::Stands));
    }
    if to != row.state {
        match to {
            PromptState::Approved => return say_yes(tx, &mut owner, &row, &mut asked, &phone, number, at, limits),
            PromptState::Denied
            | PromptState::Fraud
            | PromptState::Pending
            | PromptState::Unanswered
            | PromptState::Withdrawn
            | PromptState::Released => refuse(tx, &mut owner, &row, &asked, to, device, at, limits)?,
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

/// The device that answers: an active one, or the one that a test is for. One that is only told answers nothing (B4).
fn answering(tx: Tx<'_>, owner: &UserRow, asked: &Asked, device: &DeviceId) -> Result<Device, StoreError> {
    let tested = asked.only().is_some_and(|only| only == *device);
    let answers = |state: DeviceState| state == DeviceState::Active || (state == DeviceState::Keyed && tested);
    let phone = devices::of_owner(tx, owner, device)?.map(|row| row.device).filter(|phone| answers(phone.state));
    let phone = phone.ok_or_else(|| devices::none(device))?;
    if phone.channel.can_answer() {
        return Ok(phone);
    }
    Err(StoreError::Refused(Refusal::DeviceCannotAnswer(Arc::clone(&device.0))))
}

/// Whether a device's yes may count: a test is for one device alone, and a PIN is asked for on our own page only (B4).
pub(super) fn may_prove(asked: &Asked, phone: &Device) -> bool {
    let pin = match phone.channel {
        Channel::WebPush => true,
        Channel::PrivacyIdea | Channel::Loopback | Channel::Webhook => !asked.asks_pin(),
    };
    pin && asked.only().is_none_or(|only| only == phone.id)
}

/// A yes to what is pending: it brings the number that a screen shows, where one is asked for; one that is on no screen
/// ends the prompt (rules F8).
#[expect(
    clippy::too_many_arguments,
    reason = "one answer's facts, each of another kind; a struct would name them twice"
)]
fn say_yes(
    tx: Tx<'_>,
    owner: &mut UserRow,
    row: &PromptRow,
    asked: &mut Asked,
    phone: &Device,
    number: Option<Number>,
    at: Wall,
    limits: &Limits,
) -> Result<Answered, StoreError> {
    if !may_prove(asked, phone) {
        return Ok(Answered::NotLike);
    }
    match asked.choose(number) {
        Chosen::Missing => Ok(Answered::NotLike),
        Chosen::Wrong if is_typed_on(phone) => {
            let counts = owner.pushes.after_wrong_number(limits, at);
            end_refused(tx, row, PromptState::Denied, &phone.id, at)?;
            let denied = counts.quiets != owner.pushes.quiets;
            owner.write_pushes(tx, counts)?;
            Ok(Answered::WrongNumber { quiet_until: counts.quiet_until.filter(|_| denied) })
        }
        Chosen::Wrong => {
            refuse(tx, owner, row, asked, PromptState::Denied, &phone.id, at, limits)?;
            Ok(Answered::WrongNumber { quiet_until: owner.pushes.quiet(at) })
        }
        Chosen::Right => {
            approve(tx, owner, row, asked, &phone.id, at)?;
            asked.write(tx, row.id, row.login, owner)?;
            Ok(if row.has_askers(at) { Answered::Taken } else { Answered::Late })
        }
    }
}

/// Our own page has its owner type the number, and people mistype; the store app offers some to choose from, and whoever taps
/// another one has not looked at the screen, or sees a stranger's (rules F8).
fn is_typed_on(phone: &Device) -> bool {
    match phone.channel {
        Channel::WebPush => true,
        Channel::PrivacyIdea | Channel::Loopback | Channel::Webhook => false,
    }
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
        PromptClose::Unanswered | PromptClose::Withdrawn | PromptClose::Used if !row.state.is_open() => Ok(()),
        PromptClose::Used if row.state == PromptState::Approved => step(tx, &row, PromptState::Released).map(drop),
        PromptClose::Unanswered | PromptClose::Used => expire(tx, &mut owner, &row, at, limits),
        PromptClose::Withdrawn => step(tx, &row, PromptState::Withdrawn).map(drop),
    }
}

/// Where it stands; what nobody knows has ended.
pub(super) fn status(tx: Tx<'_>, prompt: PromptId, at: Wall) -> Result<PromptStatus, StoreError> {
    with_owner(tx, prompt)?.map_or(Ok(PromptStatus::Ended), |(row, owner)| row.status(tx, &owner, at))
}

/// Which of these were taken back; one whose row is gone went with its user.
pub(super) fn withdrawn(tx: Tx<'_>, prompts: &[PromptId]) -> Result<Vec<WithdrawnPrompt>, StoreError> {
    let open = "SELECT id FROM prompts WHERE state IN ('pending', 'approved')";
    let open: HashSet<[u8; 16]> = tx.all(open, [], |row| row.get(0))?.into_iter().collect();
    let mut withdrawn = Vec::new();
    for prompt in prompts.iter().filter(|prompt| !open.contains(&prompt.0)) {
        let row = find(tx, *prompt)?;
        if row.as_ref().is_some_and(|row| row.state != PromptState::Withdrawn) {
            continue;
        }
        let owner = row.map(|row| UserRow::of_id(tx, row.owner)).transpose()?.flatten();
        withdrawn.push(WithdrawnPrompt { prompt: *prompt, blocked: owner.and_then(|owner| owner.barred()) });
    }
    Ok(withdrawn)
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

/// What is out for this user, as a phone shows it.
pub(super) fn of_user(tx: Tx<'_>, user: &ResolvedUser, at: Wall) -> Result<Option<OpenPrompt>, StoreError> {
    let Some(owner) = UserRow::find(tx, user)? else { return Ok(None) };
    open_of_user(tx, owner.id)?.filter(|row| !row.over(at)).map(|row| row.open(tx, &owner, at)).transpose()
}

/// Whatever is out for this user is withdrawn: a block, a removal (rules F5).
pub(super) fn withdraw_open(tx: Tx<'_>, owner: i64) -> Result<(), StoreError> {
    tx.change("UPDATE prompts SET state = 'withdrawn' WHERE user = ?1 AND state IN ('pending', 'approved')", [owner])?;
    Ok(())
}

/// Releases an approval, once: a compare-and-set of its own (rules A8). False: it is no approval of that device any more, or
/// one that brought the number of another screen (F8).
/// The other logins of the same L at a prompt go through the door that it opened for one of them, where they are let in
/// `together` (B2).
pub(super) fn release(
    tx: Tx<'_>,
    owner: &UserRow,
    prompt: PromptId,
    (device, number): (&DeviceId, Option<Number>),
    together: Option<LoginKey>,
) -> Result<bool, StoreError> {
    let Some(row) = find(tx, prompt)?.filter(|row| row.owner == owner.id) else { return Ok(false) };
    let asked = row.asked(tx, owner)?;
    // A test opens no login's door.
    if asked.is_test() || !asked.chose(number) {
        return Ok(false);
    }
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

/// The test push of this device was approved by it, and opens its own door, once (rules F3).
pub(super) fn take_test(
    tx: Tx<'_>,
    owner: &UserRow,
    prompt: PromptId,
    device: &DeviceId,
    at: Wall,
) -> Result<bool, StoreError> {
    let Some(row) = find(tx, prompt)?.filter(|row| row.owner == owner.id && row.state == PromptState::Approved) else {
        return Ok(false);
    };
    let its_own = row.asked(tx, owner)?.only().is_some_and(|only| only == *device);
    Ok(its_own && !row.over(at) && row.approved_by(tx, owner)? == *device && step(tx, &row, PromptState::Released)?)
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

fn join(tx: Tx<'_>, owner: &UserRow, open: &PromptRow, claim: &PromptClaim, at: Wall) -> Result<Claim, StoreError> {
    let mut asked = open.asked(tx, owner)?;
    let approved = open.state == PromptState::Approved;
    let joins = if approved { asked.opens_for(&claim.asks) } else { asked.join(&claim.asks) };
    // F8: nobody gets in by less than was asked of this asking; another login's prompt is out, as far as it goes.
    if !joins || asked.only() != claim.only {
        return Ok(Claim::Busy);
    }
    asked.write(tx, open.id, open.login, owner)?;
    extend_row(tx, open, claim.askers_until)?;
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

/// The quiet time that would follow if this prompt gave way, which counts as unanswered (D2).
fn quiet_without(owner: &UserRow, open: &PromptRow, at: Wall, limits: &Limits) -> Option<Wall> {
    let counted = open.state == PromptState::Pending;
    let after = if counted { owner.pushes.after_unanswered(limits, at.min(open.ends_at)) } else { owner.pushes };
    owner.quiet_until(at).or_else(|| after.quiet(at))
}

fn insert(
    tx: Tx<'_>,
    owner: &UserRow,
    claim: &PromptClaim,
    displaced: Option<PromptId>,
    at: Wall,
) -> Result<(), StoreError> {
    tx.change(
        "INSERT INTO prompts (id, user, login, client, station, station_known, claimed_at, ends_at, askers_until, displaced, unproven, state) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, 'pending')",
        params![
            claim.prompt.0,
            owner.id,
            claim.login.0,
            claim.client.as_str(),
            claim.station.as_ref().map(Station::octets),
            claim.station_known,
            db(at.0),
            db(claim.ends_at.0),
            db(claim.askers_until.0),
            displaced.map(|prompt| prompt.0),
            claim.unproven,
        ],
    )?;
    Asked::of(claim).write(tx, claim.prompt, claim.login, owner)?;
    tx.change(
        "DELETE FROM prompts WHERE user = ?1 AND state NOT IN ('pending', 'approved') AND id NOT IN \
         (SELECT id FROM prompts WHERE user = ?1 ORDER BY claimed_at DESC LIMIT ?2)",
        [owner.id, PROMPTS_PER_USER_MAX],
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
    // Rules D7: whoever rings without the password has counts of their own; the owner's stay what they are.
    if step(tx, row, PromptState::Unanswered)? && !row.unproven && !row.asked(tx, owner)?.is_test() {
        devices::let_go_by(tx, owner.id, row.claimed_at)?;
        // It ended when its time was over, not when somebody noticed.
        owner.write_pushes(tx, owner.pushes.after_unanswered(limits, at.min(row.ends_at)))?;
    }
    Ok(())
}

pub(super) fn approve(
    tx: Tx<'_>,
    owner: &mut UserRow,
    row: &PromptRow,
    asked: &Asked,
    device: &DeviceId,
    at: Wall,
) -> Result<(), StoreError> {
    let id = row.id.to_string();
    let mac = tx.seals.mac(place(&id, owner), &[&row.login.0, device.0.as_bytes(), &at.0.to_be_bytes()]);
    tx.change(
        "UPDATE prompts SET state = 'approved', device = ?2, answered_at = ?3, mac = ?4 WHERE id = ?1 AND state = 'pending'",
        params![row.id.0, device.0, db(at.0), mac],
    )?;
    if asked.is_test() || row.unproven {
        // A phone that is only being added forgives nobody's failures, nor does a yes beside a password of which nobody knows yet.
        return Ok(());
    }
    owner.write_pushes(tx, owner.pushes.after_approval())?;
    codes::unlock_by_push(tx, owner.id)?;
    owner.bump(tx)
}

#[expect(
    clippy::too_many_arguments,
    reason = "one answer's facts, each of another kind; a struct would name them twice"
)]
pub(super) fn refuse(
    tx: Tx<'_>,
    owner: &mut UserRow,
    row: &PromptRow,
    asked: &Asked,
    to: PromptState,
    device: &DeviceId,
    at: Wall,
    limits: &Limits,
) -> Result<(), StoreError> {
    end_refused(tx, row, to, device, at)?;
    // A report that follows its own denial is not a second denial (D2), and a test that was declined is none.
    if row.state != PromptState::Denied && !asked.is_test() && !row.unproven {
        owner.write_pushes(tx, owner.pushes.after_denial(limits, at))?;
    }
    if to == PromptState::Fraud { report_fraud(tx, owner, at) } else { Ok(()) }
}

/// It ends by what a phone said.
fn end_refused(tx: Tx<'_>, row: &PromptRow, to: PromptState, device: &DeviceId, at: Wall) -> Result<(), StoreError> {
    step(tx, row, to)?;
    tx.change(
        "UPDATE prompts SET device = ?2, answered_at = ?3, mac = NULL WHERE id = ?1",
        params![row.id.0, device.0, db(at.0)],
    )?;
    Ok(())
}

/// No pushes and no release until an admin says so (rules A6).
fn report_fraud(tx: Tx<'_>, owner: &mut UserRow, at: Wall) -> Result<(), StoreError> {
    owner.fraud_at = owner.fraud_at.or(Some(at));
    owner.write(tx)?;
    owner.bump(tx)?;
    bypasses::end_all(tx, owner.id)?;
    web_sessions::close_all(tx, owner.id, None)?;
    withdraw_open(tx, owner.id)
}
