//! The authenticator apps of the demo's people: what each shows now, and what it showed before.
//!
//! The seeds stay in the store; what is read here are codes, which open nothing but the demo.

use std::sync::Arc;

use login::{Method, ResolvedUser, Wall};
use serde::Serialize;
use wire::Secret;

use super::people::Person;
use crate::engine::{Clock, Engine};
use crate::factor::oath::code_at;
use crate::store::{OpenToken, Store, StoreError};

/// A step of the tokens of `TokenWish::usual`.
const STEP_MS: u64 = 30_000;

/// All of them.
#[derive(Clone)]
pub(super) struct Apps {
    pub(super) store: Arc<dyn Store>,
    pub(super) engine: Engine,
    pub(super) clock: Clock,
}

/// An app's screen.
#[derive(Debug, Serialize)]
pub(super) struct Screen {
    user: &'static str,
    /// Six digits.
    code: String,
    /// Milliseconds since 1970: the next code comes then.
    ends_at: u64,
    step_ms: u64,
}

impl Apps {
    /// The current code, or the next one where the current one is used up (C1).
    pub(super) async fn fresh_code(&self, person: &Person) -> Result<Secret, StoreError> {
        let token = self.token(person).await?;
        Ok(code_of_step(token.as_ref(), |token| self.fresh_step(token)))
    }

    /// The same, as the app shows it.
    pub(super) async fn screen(&self, person: &Person) -> Result<Screen, StoreError> {
        let token = self.token(person).await?;
        let step = token.as_ref().map_or(0, |token| self.fresh_step(token));
        let code = code_of_step(token.as_ref(), |_| step);
        let ends_at = step.saturating_add(1).saturating_mul(STEP_MS);
        let code = String::from_utf8_lossy(code.expose()).into_owned();
        Ok(Screen { user: person.name, code, ends_at, step_ms: STEP_MS })
    }

    /// The code that was used last; it never works again.
    pub(super) async fn spent_code(&self, person: &Person) -> Result<Secret, StoreError> {
        let token = self.token(person).await?;
        Ok(code_of_step(token.as_ref(), |token| token.last_step.unwrap_or_default()))
    }

    /// Six digits that are none of a person's codes now, soon or lately: `number` tells several apart.
    pub(super) async fn wrong_code(&self, person: &Person, number: u32) -> Result<Secret, StoreError> {
        let Some(token) = self.token(person).await? else { return Ok(Secret::new("000000")) };
        let now = self.clock.moment().wall;
        let around = (-4_i64..=4)
            .filter_map(|step| code_at(&token, Wall(now.0.saturating_add_signed(step.saturating_mul(30_000)))));
        let right: Vec<Secret> = around.collect();
        let candidates = (0..100_u32).map(|n| Secret::new(format!("{:06}", n.wrapping_mul(7919).wrapping_add(number))));
        let wrong = candidates.into_iter().find(|candidate| !right.contains(candidate));
        Ok(wrong.unwrap_or_else(|| Secret::new("000000")))
    }

    fn fresh_step(&self, token: &OpenToken) -> u64 {
        let current = self.clock.moment().wall.0 / STEP_MS;
        token.last_step.map_or(current, |used| current.max(used.saturating_add(1)))
    }

    /// A person's token, as the store has it.
    async fn token(&self, person: &Person) -> Result<Option<OpenToken>, StoreError> {
        let user = ResolvedUser::new(person.name);
        let limits = self.engine.law().policy.limits.clone();
        let at = self.clock.moment().wall;
        let guess = self.store.read_guess(&user, None, &[Method::Totp], at, &limits).await?;
        Ok(guess.tokens.into_iter().next())
    }
}

/// Empty, and so wrong, for somebody without a token.
fn code_of_step(token: Option<&OpenToken>, step: impl FnOnce(&OpenToken) -> u64) -> Secret {
    let code = token.and_then(|token| code_at(token, Wall(step(token).saturating_mul(STEP_MS))));
    code.unwrap_or_else(|| Secret::new(""))
}
