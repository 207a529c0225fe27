//! Typed number matching (rules F8): the phone shows six digits once its owner has read who asks, and they come back through
//! the challenge. Each guess is one compare-and-set, committed before it is told (C1).

use login::limits::Limits;
use login::prompt::PromptState;
use login::{DeviceId, Number, PromptId, Wall};

use super::super::error::StoreError;
use super::super::web::TypedNumber;
use super::prompt_rows::{self, PromptRow};
use super::tx::Tx;
use super::users::UserRow;
use super::{devices, guesses, prompts};

/// The phone's owner has read who asks, and confirms.
pub(super) fn reveal(tx: Tx<'_>, prompt: PromptId, device: &DeviceId, at: Wall) -> Result<Option<Number>, StoreError> {
    let Some((row, owner)) = prompt_rows::with_owner(tx, prompt)? else { return Ok(None) };
    if row.state != PromptState::Pending || row.over(at) {
        return Ok(None);
    }
    let mut asked = row.asked(tx, &owner)?;
    let phone = devices::active(tx, &owner, device)?.ok_or_else(|| devices::none(device))?;
    if !prompts::may_prove(&asked, &phone) {
        return Ok(None);
    }
    let Some(digits) = asked.reveal(device) else { return Ok(None) };
    asked.write(tx, prompt, row.login, &owner)?;
    devices::was_there(tx, device, at)?;
    Ok(Some(digits))
}

/// The phone takes its confirmation back.
pub(super) fn unreveal(tx: Tx<'_>, prompt: PromptId, device: &DeviceId) -> Result<(), StoreError> {
    let Some((row, owner)) = prompt_rows::with_owner(tx, prompt)? else { return Ok(()) };
    let mut asked = row.asked(tx, &owner)?;
    if !asked.has_revealed(device) {
        return Ok(());
    }
    asked.unreveal(device);
    asked.write(tx, prompt, row.login, &owner)
}

/// The digits come back.
pub(super) fn type_number(
    tx: Tx<'_>,
    prompt: PromptId,
    typed: Number,
    guess_id: [u8; 16],
    at: Wall,
    limits: &Limits,
) -> Result<TypedNumber, StoreError> {
    let Some((row, mut owner)) = prompt_rows::with_owner(tx, prompt)? else { return Ok(TypedNumber::NotAsked) };
    if let Some(said) = guesses::said(tx, owner.id, guess_id)? {
        return again(tx, &row, &owner, &said);
    }
    if row.state != PromptState::Pending || row.over(at) {
        return Ok(TypedNumber::NotAsked);
    }
    let mut asked = row.asked(tx, &owner)?;
    let Some(device) = shown_on(tx, &owner, &mut asked.revealers())? else { return Ok(TypedNumber::NotAsked) };
    let outcome = match asked.typed(typed) {
        Ok(()) => {
            prompts::approve(tx, &mut owner, &row, &asked, &device, at)?;
            TypedNumber::Right { device }
        }
        Err(wrong) if wrong < limits.challenge_tries => TypedNumber::Wrong,
        Err(_) => {
            prompts::refuse(tx, &mut owner, &row, &asked, PromptState::Denied, &device, at, limits)?;
            TypedNumber::Denied
        }
    };
    asked.write(tx, prompt, row.login, &owner)?;
    guesses::remember(tx, owner.id, guess_id, word(&outcome))?;
    Ok(outcome)
}

/// The latest device that showed the digits and still is the user's.
fn shown_on(
    tx: Tx<'_>,
    owner: &UserRow,
    revealers: &mut dyn Iterator<Item = DeviceId>,
) -> Result<Option<DeviceId>, StoreError> {
    for device in revealers {
        if devices::active(tx, owner, &device)?.is_some() {
            return Ok(Some(device));
        }
    }
    Ok(None)
}

fn word(outcome: &TypedNumber) -> &'static str {
    match outcome {
        TypedNumber::Right { .. } => "right",
        TypedNumber::Wrong => "wrong",
        TypedNumber::Denied => "denied",
        TypedNumber::NotAsked => "not asked",
    }
}

/// What was said to this guess, said again. A right one's device stands in the approval that it made.
fn again(tx: Tx<'_>, row: &PromptRow, owner: &UserRow, said: &str) -> Result<TypedNumber, StoreError> {
    match said {
        "right" if matches!(row.state, PromptState::Approved | PromptState::Released) => {
            Ok(TypedNumber::Right { device: row.approved_by(tx, owner)? })
        }
        "wrong" => Ok(TypedNumber::Wrong),
        "denied" => Ok(TypedNumber::Denied),
        // It was right, and a denial came after it.
        _ => Ok(TypedNumber::NotAsked),
    }
}
