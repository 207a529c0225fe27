//! What is written down and mailed when somebody does something on the pages.
//!
//! An act goes into the same chain as the records of logins (rules F2); a letter tells the user what happened to the account.
//! Neither undoes what was done where it fails: the failure is logged, with nothing secret in it.

use std::net::IpAddr;
use std::sync::Arc;

use login::{ResolvedUser, Wall};
use wire::Secret;

use super::SignIn;
use crate::language::Language;
use crate::mail::{Address, Letter, LetterId, LetterKind};
use crate::store::Act;

/// One act, to be written down.
#[derive(Clone, Debug)]
pub struct Deed(Act);

impl Deed {
    /// What a user did to the own account.
    #[must_use]
    pub fn new(user: &ResolvedUser, what: &str) -> Self {
        Self(Act {
            by: user.as_str().into(),
            role: "user".into(),
            what: what.into(),
            user: user.clone(),
            reason: None,
            object: None,
            address: None,
        })
    }

    /// On which device, token or client.
    #[must_use]
    pub fn on(self, object: &str) -> Self {
        Self(Act { object: Some(object.into()), ..self.0 })
    }

    /// Why.
    #[must_use]
    pub fn because(self, reason: &str) -> Self {
        Self(Act { reason: Some(reason.into()), ..self.0 })
    }

    /// From where.
    #[must_use]
    pub fn from(self, address: IpAddr) -> Self {
        Self(Act { address: Some(address), ..self.0 })
    }

    /// Staff did it.
    #[must_use]
    pub fn by(self, who: &ResolvedUser, role: &str) -> Self {
        Self(Act { by: who.as_str().into(), role: role.into(), ..self.0 })
    }
}

impl SignIn {
    /// Writes an act down.
    pub async fn write(&self, deed: Deed) {
        let what = Arc::clone(&deed.0.what);
        if let Err(error) = self.store().write_act(deed.0, self.moment().wall).await {
            tracing::error!(%error, act = %what, "an act could not be written down");
        }
    }

    /// Posts a letter to a user, in the user's language, if there is an address and mail is configured.
    pub async fn post(&self, user: &ResolvedUser, kind: LetterKind) {
        if self.config().mail.is_none() {
            return;
        }
        let choices = match self.store().choices(user).await {
            Ok(choices) => choices,
            Err(error) => return tracing::error!(%error, "a letter could not be written"),
        };
        let Some(to) = choices.mail.as_deref().and_then(|mail| Address::parse(mail).ok()) else { return };
        let language = choices.language.as_deref().and_then(Language::of_tag).unwrap_or_default();
        self.put_out(user, to, language, kind).await;
    }

    /// Posts a letter to the site's own people.
    pub async fn alert(&self, user: &ResolvedUser, kind: LetterKind) {
        let config = self.config();
        for address in config.mail.iter().flat_map(|mail| &mail.alerts) {
            if let Ok(to) = Address::parse(address.as_ref()) {
                self.put_out(user, to, Language::default(), kind.clone()).await;
            }
        }
    }

    async fn put_out(&self, user: &ResolvedUser, to: Address, language: Language, kind: LetterKind) {
        let at: Wall = self.moment().wall;
        let letter = Letter { id: LetterId(rand::random()), at, to, language, user: user.as_str().to_owned(), kind };
        if let Err(error) = self.store().post(Secret::new(letter.to_json().as_bytes()), at).await {
            tracing::error!(%error, "a letter could not be put out");
        }
    }
}
