//! The second door, by a code: of an authenticator app or a token, or a recovery code.
//!
//! A guess is committed before it is told (rules C1), and counts in the very buckets that RADIUS counts in, with the
//! browser's address as its station (D1): who guesses here has no second row of tries.

use std::net::IpAddr;

use axum::http::HeaderValue;
use login::{CodeOutcome, Method, Moment, Station, TokenId, Wall};
use wire::Secret;

use super::notes::Deed;
use super::session::Signed;
use super::{Away, SignIn, random, station_of};
use crate::engine::Clock;
use crate::enrolment;
use crate::factor::oath::{self, Patience, Resynced, TwoCodes, TypedCode};
use crate::factor::pin::{self, PinOutcome, TypedPin};
use crate::hashing::Hasher;
use crate::mail::LetterKind;
use crate::store::{CommittedGuess, GuessCommit, GuessOutcome, WebStep};
use crate::telemetry::SignInResult;

const CODES: [Method; 2] = [Method::Totp, Method::Hotp];
/// Characters of a typed code that are looked at.
const CODE_CHARS_MAX: usize = 64;
/// How often a guess that another overtook begins anew.
const STALE_TRIES_MAX: u32 = 32;
/// How often a commit that nobody knows of is asked about, and how long in between at first.
const SETTLE_TRIES: u32 = 10;
const SETTLE_WAIT: std::time::Duration = std::time::Duration::from_millis(50);

/// What a code came to.
#[derive(Debug)]
pub enum CodeTried {
    /// The session is [`WebStep::Full`], under another id, which the browser must be told; after a phone's yes that owes a PIN it is
    /// [`WebStep::Pin`].
    Right(Box<Signed>, HeaderValue),
    /// It is none of theirs, or was used before.
    Wrong,
    /// It is none of theirs within reach, but a token that counts presses would show it further on. Told as a wrong one.
    Ahead,
    /// Codes are off until then; `None`: until a phone or the help desk ends it (D1).
    Locked(Option<Wall>),
}

impl SignIn {
    /// Tries a code for somebody whose password was right, or who proves a factor anew.
    ///
    /// # Errors
    /// The store: nothing is told, and nobody is further than before.
    pub async fn code(&self, signed: &Signed, typed: &str, address: IpAddr) -> Result<CodeTried, Away> {
        let began = self.clock().tick();
        let tried = self.try_code(signed, typed, address).await?;
        let result = match &tried {
            CodeTried::Right(..) => return Ok(tried),
            CodeTried::Wrong => SignInResult::WrongCode,
            CodeTried::Ahead => SignInResult::CodeAhead,
            CodeTried::Locked(_) => SignInResult::CodesOff,
        };
        self.tell(signed.realm, result, address, Some(&signed.user));
        self.let_pass(began).await;
        Ok(tried)
    }

    /// Sets a token right that counted on without us: each try is a guess from this browser (rules D1).
    ///
    /// # Errors
    /// The store.
    pub async fn resync(
        &self,
        signed: &Signed,
        token: &TokenId,
        codes: [&Secret; 2],
        address: IpAddr,
    ) -> Result<Resynced, Away> {
        let (began, station, user) = (self.clock().tick(), station_of(address), &signed.user);
        let (guess_id, at, [first, second]) = (random()?, self.moment().wall, codes);
        let typed = TwoCodes { guess_id, user, station: station.as_ref(), token, first, second, at };
        let store: &dyn crate::store::Store = self.store().as_ref();
        let tried = oath::resync(store, &typed, &self.limits(), &Settles(self.clock())).await;
        let tried = tried.map_err(|away| Away { why: away.why })?;
        let result = match tried {
            Resynced::Done => return Ok(tried),
            Resynced::Wrong | Resynced::NoToken => SignInResult::WrongCode,
            Resynced::Locked { .. } => SignInResult::CodesOff,
        };
        self.tell(signed.realm, result, address, Some(user));
        self.let_pass(began).await;
        Ok(tried)
    }

    async fn try_code(&self, signed: &Signed, typed: &str, address: IpAddr) -> Result<CodeTried, Away> {
        let code = plain(typed);
        let station = station_of(address);
        if code.len() <= 8 && code.bytes().all(|octet| octet.is_ascii_digit()) {
            return self.oath(signed, &Secret::new(code), station.as_ref()).await;
        }
        // What can be no code of ours is a wrong code all the same, and counts.
        let code = enrolment::typed_recovery_code(typed).unwrap_or_else(|| Secret::new(code));
        self.recovery(signed, &code, station.as_ref(), address).await
    }

    async fn oath(&self, signed: &Signed, code: &Secret, station: Option<&Station>) -> Result<CodeTried, Away> {
        match self.spend(signed, code, station).await? {
            CodeOutcome::Right { .. } => self.prove(signed).await,
            CodeOutcome::Wrong | CodeOutcome::Spent | CodeOutcome::NoToken => Ok(CodeTried::Wrong),
            CodeOutcome::Ahead { .. } => Ok(CodeTried::Ahead),
            CodeOutcome::Locked { until } => Ok(CodeTried::Locked(end_of(until))),
        }
    }

    /// A code of an app or a token of this user, used up or counted.
    pub(super) async fn spend(
        &self,
        signed: &Signed,
        code: &Secret,
        station: Option<&Station>,
    ) -> Result<CodeOutcome, Away> {
        let at = self.moment();
        let typed = TypedCode { guess_id: random()?, user: &signed.user, station, code, methods: &CODES, at };
        let store: &dyn crate::store::Store = self.store().as_ref();
        let outcome = oath::check(store, &typed, &self.limits(), &Settles(self.clock())).await;
        outcome.map_err(|away| Away { why: away.why })
    }

    /// Tries the PIN that somebody has, before it is changed. It counts as one that is typed on a phone does.
    ///
    /// # Errors
    /// The store, or too many PINs are being checked: nothing is told.
    pub async fn old_pin(&self, signed: &Signed, hasher: &Hasher, typed: &Secret) -> Result<PinOutcome, Away> {
        let (guess_id, user, at) = (random()?, &signed.user, self.moment().wall);
        let typed = TypedPin { guess_id, user, pin: typed, tries: self.config().push.pin.tries, at };
        let outcome = pin::check(self.store().as_ref(), hasher, &typed, &Settles(self.clock())).await;
        outcome.map_err(|away| Away { why: away.why })
    }

    async fn recovery(
        &self,
        signed: &Signed,
        code: &Secret,
        station: Option<&Station>,
        address: IpAddr,
    ) -> Result<CodeTried, Away> {
        let (limits, at, user) = (self.limits(), self.moment(), &signed.user);
        let guess = self.store().read_guess(user, station, &CODES, at.wall, &limits).await?;
        if let Some(until) = guess.bucket.lock(at.wall) {
            return Ok(CodeTried::Locked(end_of(until)));
        }
        if !self.store().spend_recovery_code(user, code, random()?, at.wall).await? {
            self.count(signed, code, station, at).await?;
            return Ok(CodeTried::Wrong);
        }
        let left = self.store().recovery_codes_left(user).await?;
        // Before the session is let in: what was spent for nothing, because this fails, opened no door.
        self.write(Deed::new(user, "use_recovery_code").from(address)).await?;
        self.post(user, LetterKind::RecoveryCodeUsed { left }).await;
        self.prove(signed).await
    }

    /// A wrong recovery code counts as any wrong code does (rules D1), before it is told.
    async fn count(&self, signed: &Signed, code: &Secret, station: Option<&Station>, at: Moment) -> Result<(), Away> {
        let (limits, user, guess_id) = (self.limits(), &signed.user, random()?);
        for _ in 0..STALE_TRIES_MAX {
            let guess = self.store().read_guess(user, station, &CODES, at.wall, &limits).await?;
            let outcome = GuessOutcome::Wrong(self.store().wrong_code(user, code, &guess.tokens));
            let (user, station) = (user.clone(), station.cloned());
            let commit = GuessCommit { guess_id, user, version: guess.version, station, outcome, at: at.wall };
            match self.store().commit_guess(commit, &limits).await? {
                CommittedGuess::Committed => return Ok(()),
                CommittedGuess::Stale => {}
            }
        }
        Err(Away::of("too many codes of this user are being checked at once"))
    }

    /// A factor was proved just now.
    pub(super) async fn prove(&self, signed: &Signed) -> Result<CodeTried, Away> {
        let facts = self.store().user_facts(&signed.user, None, self.moment().wall, &self.limits()).await?;
        if facts.blocked.is_some() {
            return Ok(CodeTried::Wrong);
        }
        // Rules D1, D7: from now on this address of theirs counts apart, by whatever factor it was.
        if let Some(station) = station_of(signed.session.address) {
            self.store().remember_station(&signed.user, &station, self.moment().wall).await?;
        }
        let steps_up = self.step_up(signed, WebStep::Full);
        let (full, line) = if signed.is_full() {
            steps_up.await?
        } else {
            let deed = Deed::new(&signed.user, "sign_in").on(super::session::word(signed.realm));
            self.act(deed.from(signed.session.address), steps_up).await?
        };
        self.tell(full.realm, SignInResult::Proved, full.session.address, Some(&full.user));
        Ok(CodeTried::Right(Box::new(full), line))
    }
}

/// As people type it: with blanks and dashes, in any case.
fn plain(typed: &str) -> String {
    let marks = typed.chars().take(CODE_CHARS_MAX).filter(|mark| !matches!(mark, ' ' | '-' | '\u{a0}' | '\t'));
    marks.map(|mark| mark.to_ascii_uppercase()).collect()
}

fn end_of(until: Wall) -> Option<Wall> {
    (until != Wall::NEVER).then_some(until)
}

/// Asks about a commit that nobody knows of, a little later each time.
struct Settles(Clock);

impl Patience for Settles {
    fn wait(&self, again: u32) -> crate::factor::BoxFuture<'_, bool> {
        Box::pin(async move {
            self.0.wait(SETTLE_WAIT.saturating_mul(again)).await;
            again <= SETTLE_TRIES
        })
    }
}
