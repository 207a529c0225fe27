//! The last look before an Accept leaves, in one commit with its record (rules A6, A8, F2).

use std::sync::Arc;

use login::{Means, Record, RecordedAnswer, ReleaseCheck, ReleaseOutcome, Wall};

use super::super::error::StoreError;
use super::tx::Tx;
use super::users::{self, UserRow};
use super::{bypasses, codes, devices, prompts, records, tokens};

/// Checks that all still stands, and writes the record.
pub(super) fn release(
    tx: Tx<'_>,
    check: &ReleaseCheck,
    record: &Record,
    at: Wall,
) -> Result<ReleaseOutcome, StoreError> {
    // Repeated after an unknown commit: what was granted is granted (rules C1), what was answered otherwise stays so.
    if let Some(accepted) = records::answered(tx, record.login)? {
        return Ok(if accepted { ReleaseOutcome::Granted } else { refused("answered already") });
    }
    if record.answer != RecordedAnswer::Accept {
        return Err(StoreError::Ours("a release with a record that accepts nobody".into()));
    }
    if let Some(why) = objection(tx, check, record, at)? {
        return Ok(refused(why));
    }
    records::append(tx, record)?;
    Ok(ReleaseOutcome::Granted)
}

/// What speaks against it, if anything; an approval or a bypass is spent last, when nothing else does.
fn objection(tx: Tx<'_>, check: &ReleaseCheck, record: &Record, at: Wall) -> Result<Option<Arc<str>>, StoreError> {
    // The earlier of both, in case the clock was stepped back while the login was held.
    if users::removed_since(tx, &check.user, record.time.min(at))? {
        return Ok(Some("user removed".into()));
    }
    let owner = UserRow::find(tx, &check.user)?;
    if let Some(why) = owner.as_ref().and_then(UserRow::barred) {
        return Ok(Some(if why.as_ref() == users::FRAUD { why } else { "blocked".into() }));
    }
    let stands = match (&check.means, &owner) {
        // A rule's excuse holds for people whom only the primary knows, too.
        (Means::Excuse, _) => true,
        (Means::Token(_) | Means::Prompt { .. } | Means::Bypass(_), None) => false,
        // Spent below, once nothing else speaks against it.
        (Means::Bypass(_), Some(_)) => true,
        (Means::Token(token), Some(owner)) => tokens::active(tx, owner.id, &owner.name, token)?.is_some(),
        (Means::Prompt { device, .. }, Some(owner)) => devices::active(tx, owner, device)?.is_some(),
    };
    if !stands {
        return Ok(Some("method removed".into()));
    }
    let Some(owner) = owner else { return Ok(None) };
    // A8: a denial of what is still out wins until the release, though a code opened the door.
    if let Some(out) = check.open_prompt
        && prompts::was_refused(tx, &owner, out)?
    {
        return Ok(Some("denied".into()));
    }
    let ended = match &check.means {
        Means::Prompt { prompt, device, number }
            if !prompts::release(tx, &owner, *prompt, (device, *number), check.together)? =>
        {
            Some("prompt ended")
        }
        Means::Bypass(bypass) if !bypasses::spend(tx, &owner, bypass, &record.client, at)? => Some("bypass ended"),
        Means::Prompt { .. } | Means::Bypass(_) | Means::Token(_) | Means::Excuse => None,
    };
    if let Some(ended) = ended {
        return Ok(Some(ended.into()));
    }
    check.open_prompt.map_or(Ok(()), |out| prompts::withdraw(tx, &owner, out))?;
    // Rules D1, D7: a station from which a factor was proved counts apart; one that an excuse let in does for passwords only.
    match &check.means {
        Means::Token(_) | Means::Prompt { .. } => codes::remember_station(tx, owner.id, record.station.as_ref(), at)?,
        Means::Bypass(_) | Means::Excuse => codes::remember_let_in(tx, owner.id, record.station.as_ref(), at)?,
    }
    Ok(None)
}

fn refused(why: impl Into<Arc<str>>) -> ReleaseOutcome {
    ReleaseOutcome::Refused(why.into())
}
