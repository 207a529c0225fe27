//! What is written down and mailed when somebody does something on the pages.
//!
//! An act goes into the same chain as the records of logins (rules F2), and is durable before what it tells is done: no crash
//! and no full disk leaves a change that nobody can find. Where the change then fails, that is written down, too. A letter tells
//! the user what happened to the account; where it can't go out nothing is undone, and the failure is logged, without a secret.

use std::net::IpAddr;
use std::sync::Arc;

use login::ResolvedUser;

use super::{Away, SignIn};
use crate::mail::{self, LetterKind, Reader};
use crate::store::{Act, StoreError};
use crate::telemetry::StoreTrouble;

/// How often a commit is repeated of which nobody knows whether it holds.
const SETTLE_TRIES: u32 = 3;

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

    /// It was to be done, and was not.
    #[must_use]
    fn failed(self) -> Self {
        Self(Act { what: format!("{}_failed", self.0.what).into(), ..self.0 })
    }

    /// Staff did it.
    #[must_use]
    pub fn by(self, who: &ResolvedUser, role: &str) -> Self {
        Self(Act { by: who.as_str().into(), role: role.into(), ..self.0 })
    }
}

impl SignIn {
    /// Writes an act down, before it is done.
    ///
    /// # Errors
    /// The store: then it must not be done.
    pub async fn write(&self, deed: Deed) -> Result<(), Away> {
        let at = self.moment().wall;
        let mut again = 0;
        loop {
            // Rules C1: an unknown commit is settled by repeating it; the same act of the same time is one.
            match self.store().write_act(deed.0.clone(), at).await {
                Ok(_) => return Ok(()),
                Err(StoreError::Unknown(_)) if again < SETTLE_TRIES => again += 1,
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Writes down what happened already and can't be held back: a refusal, or that an act failed.
    pub async fn note(&self, deed: Deed) {
        let what = Arc::clone(&deed.0.what);
        if let Err(error) = self.write(deed).await {
            let doing = format!("writing down the act {what}");
            self.0.parts.telemetry.emit(StoreTrouble { doing: &doing, error: &error });
        }
    }

    /// Writes an act down, and does it.
    ///
    /// # Errors
    /// The store; or what the change says, and that is written down.
    pub async fn act<T, E: From<Away>>(&self, deed: Deed, change: impl Future<Output = Result<T, E>>) -> Result<T, E> {
        self.write(deed.clone()).await?;
        let done = change.await;
        if done.is_err() {
            self.note(deed.failed()).await;
        }
        done
    }

    /// Posts a letter to a user, in the user's language, if there is an address and mail is configured.
    pub async fn post(&self, user: &ResolvedUser, kind: LetterKind) {
        if self.config().mail.is_none() {
            return;
        }
        match self.store().choices(user).await.map(|choices| Reader::of(&choices)) {
            Ok(Some(reader)) => self.put_out(reader, user, kind).await,
            Ok(None) => {}
            Err(error) => self.0.parts.telemetry.emit(StoreTrouble { doing: "writing a letter", error: &error }),
        }
    }

    /// Posts a letter to the site's own people.
    pub async fn alert(&self, user: &ResolvedUser, kind: LetterKind) {
        let config = self.config();
        for reader in config.mail.iter().flat_map(mail::alerted) {
            self.put_out(reader, user, kind.clone()).await;
        }
    }

    async fn put_out(&self, reader: Reader, user: &ResolvedUser, kind: LetterKind) {
        if let Err(error) = mail::post(&**self.store(), reader, user, kind, self.moment().wall).await {
            self.0.parts.telemetry.emit(StoreTrouble { doing: "putting a letter out", error: &error });
        }
    }
}
