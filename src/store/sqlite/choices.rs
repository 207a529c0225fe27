//! What a user chose: it decides what is asked first and in which words, and never who gets in; mail is authenticated all the
//! same, for letters tell of what happens to an account.

use std::sync::Arc;

use login::{Method, ResolvedUser};
use rusqlite::params;

use super::super::error::StoreError;
use super::super::web::{CodePurpose, UserChoices};
use super::people_codes;
use super::tx::Tx;
use super::users::UserRow;

/// What the user chose so far.
pub(super) fn read(tx: Tx<'_>, user: &ResolvedUser) -> Result<UserChoices, StoreError> {
    UserRow::find(tx, user)?.map_or_else(|| Ok(UserChoices::default()), |owner| of_owner(tx, &owner))
}

/// What this user chose so far. A word that this version does not know is no choice.
pub(super) fn of_owner(tx: Tx<'_>, owner: &UserRow) -> Result<UserChoices, StoreError> {
    let columns: Option<(Option<String>, Option<Arc<str>>)> =
        tx.one("SELECT prefers, language FROM users WHERE id = ?1", [owner.id], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let (prefers, language) = columns.unwrap_or_default();
    let method = prefers.as_deref().and_then(Method::of_word);
    Ok(UserChoices { method, language, mail: owner.mail.as_deref().map(Arc::from) })
}

/// The method to be asked for first.
pub(super) fn prefer(tx: Tx<'_>, user: &ResolvedUser, method: Option<Method>) -> Result<(), StoreError> {
    let owner = UserRow::need(tx, user)?;
    tx.change("UPDATE users SET prefers = ?2 WHERE id = ?1", params![owner.id, method.map(Method::as_str)])?;
    Ok(())
}

/// The language.
pub(super) fn speak(tx: Tx<'_>, user: &ResolvedUser, language: Option<&str>) -> Result<(), StoreError> {
    let owner = UserRow::need(tx, user)?;
    tx.change("UPDATE users SET language = ?2 WHERE id = ?1", params![owner.id, language])?;
    Ok(())
}

/// Where mail goes.
pub(super) fn set_mail(tx: Tx<'_>, user: &ResolvedUser, mail: Option<String>) -> Result<(), StoreError> {
    let mut owner = UserRow::need(tx, user)?;
    if owner.mail != mail {
        // What was mailed lies in the old mailbox.
        people_codes::void(tx, &owner, CodePurpose::MailedEnrol)?;
    }
    owner.mail = mail;
    owner.write(tx)
}
