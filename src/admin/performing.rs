//! The act itself: written down, done, told.
//!
//! An act is written down before it is done (rules F2, F4): nothing is ever done that the audit does not tell. Where it then
//! fails, that is written down, too. A letter that can't go out undoes nothing; whoever acts is told to tell the user.

use std::sync::Arc;

use askama::Template;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use login::{BypassId, DeviceId, ResolvedUser, TokenId, Wall};
use wire::Secret;

use super::Desk;
use super::deed::{Deed, DeedForm, Lack};
use super::doing::{Task, Wish};
use super::letters::{self, Told};
use super::page::{Here, Page, address_of, shown, when};
use super::user::Known;
use crate::enrolment::{CODE_LASTS, EnrolmentError, initial_pin, issue_code};
use crate::factor::oath::{self, Resynced, Tries, TwoCodes};
use crate::language::{Language, text_with};
use crate::mail::{ActivationCode, LetterKind, MailedCode, StaffAction};
use crate::store::{Act, CodePurpose, NewBypass, NewUser, StaffName, Store, StoreError, StoreFuture};

/// A commit of which nobody knows whether it holds is repeated so often (rules C1).
const SETTLE_TRIES: u32 = 3;

#[derive(Template)]
#[template(path = "admin_code.html")]
struct CodePage {
    page: Page,
    title: String,
    for_whom: String,
    code: String,
    /// Where it is used, and the address.
    portal: Option<(String, String)>,
    until: String,
    once: String,
    mailed: Option<String>,
    back: String,
}

/// What was done, and what must be shown if something came of it.
struct Done {
    told: Told,
    shows: Option<Shows>,
}

/// What a page shows, once.
enum Shows {
    /// An activation code.
    Code(Secret),
    /// An initial PIN.
    Pin(Secret),
}

impl Task<'_> {
    /// Does it, and says so.
    pub(super) async fn perform(self, wish: Wish) -> Response {
        // Once a day (rules F7): asked before anything is written down, because a refusal is no act.
        if self.deed == Deed::Invite {
            match settled(|| self.desk.store.invite(&self.name, self.now)).await {
                Ok(true) => {}
                Ok(false) => return self.refused("admin-invited-already"),
                Err(error) => return self.staff.away(self.desk, &error),
            }
        }
        match self.done(&wish).await {
            Ok(Done { told, shows: Some(shows) }) => self.shows_once(&shows, told),
            Ok(Done { told, shows: None }) => self.done_at(told),
            Err(error) => self.staff.away(self.desk, &error),
        }
    }

    /// Rules D1: each try is a guess, so it is written down whatever it comes to.
    pub(super) async fn resync(self, wish: Wish, form: DeedForm) -> Response {
        match self.resynced(&wish, &form).await {
            Ok(Resynced::Done) => {
                let (by, reason) = (self.staff.name.as_str().to_owned(), wish.reason);
                let told = self.tell(LetterKind::StaffAct { what: StaffAction::TokenResynced, by, reason }).await;
                self.done_at(told)
            }
            Ok(Resynced::Locked { .. }) => self.form(form, Some(Lack::CodesOff)).await,
            Ok(Resynced::Wrong | Resynced::NoToken) => self.form(form, Some(Lack::NotInARow)).await,
            Err(error) => self.staff.away(self.desk, &error),
        }
    }

    async fn resynced(&self, wish: &Wish, form: &DeedForm) -> Result<Resynced, StoreError> {
        self.write(self.deed.act(), wish).await?;
        let (token, first, second) = (TokenId(Arc::clone(&self.object)), form.first.code(), form.second.code());
        let (guess_id, user, at) = (rand::random(), &self.name, self.now);
        let typed = TwoCodes { guess_id, user, station: None, token: &token, first: &first, second: &second, at };
        let (store, limits): (&dyn Store, _) = (&*self.desk.store, self.desk.config().policy.limits.clone());
        let tried = oath::resync(store, &typed, &limits, &Tries(SETTLE_TRIES)).await;
        if tried != Ok(Resynced::Done) {
            self.write(format!("{}_failed", self.deed.act()), wish).await?;
        }
        tried.map_err(|away| StoreError::Ours(away.why))
    }

    fn done_at(&self, told: Told) -> Response {
        let did = format!("{}&did={}&mailed={}", address_of(&self.name), self.deed.as_str(), told.as_str());
        Redirect::to(&did).into_response()
    }

    async fn done(&self, wish: &Wish) -> Result<Done, StoreError> {
        self.write(self.deed.act(), wish).await?;
        match self.change(wish).await {
            Ok(done) => Ok(done),
            Err(error) => {
                self.write(format!("{}_failed", self.deed.act()), wish).await?;
                Err(error)
            }
        }
    }

    async fn write(&self, what: String, wish: &Wish) -> Result<(), StoreError> {
        let object = if self.deed == Deed::GrantBypass {
            wish.client.as_ref().map(|client| client.as_str().into())
        } else if self.deed == Deed::ChangeMail {
            Some(wish.mail.as_deref().unwrap_or("none").into())
        } else {
            Some(Arc::clone(&self.object)).filter(|object| self.deed.has_object() && !object.is_empty())
        };
        let act = Act {
            by: self.staff.name.as_str().into(),
            role: self.role.as_str().into(),
            what: what.into(),
            user: self.name.clone(),
            reason: Some(wish.reason.as_str().into()),
            object,
            address: self.staff.address,
        };
        settled(|| self.desk.store.write_act(act.clone(), self.now)).await.map(|_| ())
    }

    /// The change itself, and the letter that tells of it.
    async fn change(&self, wish: &Wish) -> Result<Done, StoreError> {
        let (store, name, now) = (&self.desk.store, &self.name, self.now);
        let (by, reason) = (self.staff.name.as_str().to_owned(), wish.reason.clone());
        let act = |what| LetterKind::StaffAct { what, by: by.clone(), reason: reason.clone() };
        let kind = match self.deed {
            Deed::AddUser => return self.add_user(wish, act(StaffAction::DetailsChanged)).await,
            Deed::ChangeMail => return self.change_mail(wish, act(StaffAction::DetailsChanged)).await,
            Deed::IssueCode => {
                let code = new_code(self.desk, name, CodePurpose::Enrol, now).await?;
                let told = self.tell(act(StaffAction::CodeIssued)).await;
                return Ok(Done { told, shows: Some(Shows::Code(code)) });
            }
            Deed::Invite => self.invitation().await?,
            Deed::Block => {
                settled(|| store.block_user(name, reason.clone())).await?;
                self.end_sessions().await?;
                LetterKind::Blocked { by, reason }
            }
            Deed::Unblock => {
                settled(|| store.unblock_user(name)).await?;
                LetterKind::Unblocked { by, reason }
            }
            Deed::GrantBypass => self.grant_bypass(wish).await?,
            // It has a way of its own, since what it comes to is a guess's (`resync`).
            Deed::ResyncToken => return Err(StoreError::Ours("a token is set right by its codes".into())),
            Deed::RevokeBypass => {
                let bypass = BypassId(Arc::clone(&self.object));
                settled(|| store.revoke_bypass(&bypass, now)).await?;
                act(StaffAction::BypassRevoked)
            }
            Deed::RemoveDevice => {
                let device = DeviceId(Arc::clone(&self.object));
                settled(|| store.remove_device(&device, now)).await?;
                self.end_sessions().await?;
                act(StaffAction::MethodRemoved)
            }
            Deed::RemoveToken => {
                let token = TokenId(Arc::clone(&self.object));
                settled(|| store.remove_token(&token, now)).await?;
                self.end_sessions().await?;
                act(StaffAction::MethodRemoved)
            }
            Deed::ResetPin if self.desk.config().push.pin.required => {
                let pin = self.give_pin().await?;
                let told = self.tell(act(StaffAction::PinReset)).await;
                return Ok(Done { told, shows: Some(Shows::Pin(pin)) });
            }
            Deed::ResetPin => {
                settled(|| store.reset_pin(name)).await?;
                act(StaffAction::PinReset)
            }
            Deed::LiftLimits => {
                settled(|| store.lift_limits(name)).await?;
                act(StaffAction::LimitsLifted)
            }
            Deed::EndSessions => {
                self.end_sessions().await?;
                act(StaffAction::SessionsEnded)
            }
        };
        Ok(Done { told: self.tell(kind).await, shows: None })
    }

    async fn add_user(&self, wish: &Wish, kind: LetterKind) -> Result<Done, StoreError> {
        let mail = wish.mail.clone();
        let policy = Arc::clone(&self.desk.config().policy);
        // `Doing` has checked that it is a name.
        let by_staff = policy.staff_name(self.name.as_str().as_bytes()).ok().map(|name| StaffName::of(&name));
        let new =
            NewUser { name: self.name.clone(), groups: Vec::new(), mail: mail.clone(), password_hash: None, by_staff };
        self.desk.store.add_user(new, self.now).await?;
        let language = Language::default();
        let told = letters::tell_at(self.desk, &self.name, mail.as_deref(), language, kind, self.now).await;
        Ok(Done { told, shows: None })
    }

    /// The address that was is told, too: who did not want this hears of it.
    async fn change_mail(&self, wish: &Wish, kind: LetterKind) -> Result<Done, StoreError> {
        settled(|| self.desk.store.set_mail(&self.name, wish.mail.clone())).await?;
        let before = self.known.as_ref().and_then(|known| known.user.mail.as_deref());
        let told = self.tell(kind.clone()).await;
        if before == wish.mail.as_deref() || wish.mail.is_none() {
            return Ok(Done { told, shows: None });
        }
        let language = self.known.as_ref().and_then(Known::language).unwrap_or_default();
        let told = letters::tell_at(self.desk, &self.name, wish.mail.as_deref(), language, kind, self.now).await;
        Ok(Done { told, shows: None })
    }

    /// Rules F7: a code goes by mail only where the site allows it.
    async fn invitation(&self) -> Result<LetterKind, StoreError> {
        let config = self.desk.config();
        let may_mail = config.mail.as_ref().is_some_and(|mail| mail.mail_code)
            && config.portal.as_ref().is_some_and(|portal| portal.first_enrolment.mail_code);
        if !may_mail {
            return Ok(LetterKind::Invitation { code: None });
        }
        let code = new_code(self.desk, &self.name, CodePurpose::MailedEnrol, self.now).await?;
        let code = ActivationCode { code: MailedCode::new(&letters_of(&code)), until: self.now.plus(CODE_LASTS) };
        Ok(LetterKind::Invitation { code: Some(code) })
    }

    /// An initial PIN, which approves nothing: its owner changes it first.
    async fn give_pin(&self) -> Result<Secret, StoreError> {
        let pin = initial_pin(self.desk.config().push.pin.length, &self.name).map_err(of_enrolment)?;
        let hash = self.desk.hasher.hash(pin.clone()).await;
        let hash = hash.map_err(|error| StoreError::Ours(error.to_string().into()))?;
        settled(|| self.desk.store.set_pin(&self.name, hash.clone(), true, self.now)).await?;
        Ok(pin)
    }

    async fn grant_bypass(&self, wish: &Wish) -> Result<LetterKind, StoreError> {
        let until = self.now.plus(wish.lasts);
        let grant = NewBypass {
            user: self.name.clone(),
            client: wish.client.clone(),
            by: self.staff.name.as_str().into(),
            reason: wish.reason.as_str().into(),
            ends_at: until,
        };
        settled(|| self.desk.store.grant_bypass(grant.clone(), self.now)).await?;
        let client = wish.client.as_ref().map(ToString::to_string).unwrap_or_default();
        let (by, reason) = (self.staff.name.as_str().to_owned(), wish.reason.clone());
        Ok(LetterKind::BypassGranted { by, reason, client, until })
    }

    /// Whoever sits at a browser as this user proves anew who it is.
    async fn end_sessions(&self) -> Result<(), StoreError> {
        settled(|| self.desk.store.close_web_sessions(&self.name, None)).await.map(|_| ())
    }

    async fn tell(&self, kind: LetterKind) -> Told {
        match &self.known {
            Some(known) => letters::tell(self.desk, known, kind, self.now).await,
            None => Told::NoAddress,
        }
    }

    /// The one page that shows a code or a PIN, once.
    fn shows_once(&self, shows: &Shows, told: Told) -> Response {
        let until = [("time", when(self.now.plus(CODE_LASTS)).into())];
        let (secret, title, at, until, once) = match shows {
            Shows::Code(code) => {
                let until = text_with(self.staff.language, "admin-code-until", &until);
                (code, "admin-code-title", "admin-code-where", until, "admin-code-once")
            }
            Shows::Pin(pin) => (
                pin,
                "admin-initial-pin-title",
                "admin-initial-pin-where",
                self.t("admin-initial-pin-use"),
                "admin-initial-pin-once",
            ),
        };
        let portal = self.desk.config().portal.as_ref().map(|portal| (self.t(at), portal.pages.url.to_string()));
        shown(
            StatusCode::OK,
            &CodePage {
                page: self.staff.page(self.desk, Here::Users),
                title: self.t(title),
                for_whom: self.said("admin-code-for"),
                code: letters_of(secret),
                portal,
                until,
                once: self.t(once),
                mailed: Some(self.t(told.key())),
                back: self.back(),
            },
        )
    }
}

/// Repeats what may or may not have been committed (rules C1).
async fn settled<'a, T>(verb: impl Fn() -> StoreFuture<'a, T>) -> Result<T, StoreError> {
    let mut tries = 1;
    loop {
        match verb().await {
            Err(StoreError::Unknown(_)) if tries < SETTLE_TRIES => tries += 1,
            answered => return answered,
        }
    }
}

/// A new activation code as it is shown; an earlier one of the same purpose is void (rules F3).
async fn new_code(desk: &Desk, user: &ResolvedUser, purpose: CodePurpose, at: Wall) -> Result<Secret, StoreError> {
    issue_code(&*desk.store, user, purpose, at).await.map_err(of_enrolment)
}

fn of_enrolment(error: EnrolmentError) -> StoreError {
    match error {
        EnrolmentError::Store(error) => error,
        error @ (EnrolmentError::Seed(_)
        | EnrolmentError::Digits(_)
        | EnrolmentError::Period(_)
        | EnrolmentError::Counter
        | EnrolmentError::NoRandomness
        | EnrolmentError::BringsNoKey(_)
        | EnrolmentError::Address(_)
        | EnrolmentError::ServerKey) => StoreError::Ours(error.to_string().into()),
    }
}

/// The letters of a code, which is plain ASCII.
fn letters_of(code: &Secret) -> String {
    String::from_utf8_lossy(code.expose()).into_owned()
}
