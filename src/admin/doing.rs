//! Doing something to an account: who may, whether it makes sense, and what the form must bring.
//!
//! All is checked when the form comes back, whatever the page offered: the role, who it is done to, how things stand, the
//! reason. What may be done is asked for in `asking` and done in `performing`.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Form, Path, Query, State};
use axum::http::StatusCode;
use axum::response::Response;
use login::{ClientName, ResolvedUser, Wall};

use super::Desk;
use super::deed::{self, Deed, DeedForm, Lack};
use super::letters;
use super::page::{address_of, url_encoded};
use super::role::{Forbidden, Person, Role, may_act};
use super::staff::Staff;
use super::user::Known;
use crate::enrolment::CodeBarred;
use crate::language::{text, text_with};
use crate::store::{Token, TokenKind};

/// The page that asks for what a deed needs.
pub(super) async fn ask(
    State(desk): State<Desk>,
    staff: Staff,
    Path(word): Path<String>,
    Query(form): Query<DeedForm>,
) -> Response {
    match Task::of(&desk, &staff, &word, &form.name, &form.object).await {
        // Nothing else of a link is taken over: nobody's link fills in a reason, a time or an address.
        Ok(task) => {
            let mail = task.known.as_ref().and_then(|known| known.user.mail.clone()).unwrap_or_default();
            task.form(DeedForm { object: form.object, mail, ..DeedForm::default() }, None).await
        }
        Err(refused) => refused,
    }
}

/// The form came back.
pub(super) async fn perform(
    State(desk): State<Desk>,
    staff: Staff,
    Path(word): Path<String>,
    Form(form): Form<DeedForm>,
) -> Response {
    if !staff.is_genuine(&desk, &form.csrf) {
        return staff.forged(&desk);
    }
    let task = match Task::of(&desk, &staff, &word, &form.name, &form.object).await {
        Ok(task) => task,
        Err(refused) => return refused,
    };
    match task.wish(&form) {
        Ok(wish) if task.deed == Deed::ResyncToken => task.resync(wish, form).await,
        Ok(wish) => task.perform(wish).await,
        Err(lack) => task.form(form, Some(lack)).await,
    }
}

/// One deed of one member of the staff on one user, who may do it.
pub(super) struct Task<'a> {
    pub(super) desk: &'a Desk,
    pub(super) staff: &'a Staff,
    pub(super) deed: Deed,
    pub(super) role: Role,
    pub(super) name: ResolvedUser,
    /// Which phone, token or bypass.
    pub(super) object: Arc<str>,
    /// What people call it.
    pub(super) object_name: String,
    /// Nobody yet, where a user is added.
    pub(super) known: Option<Known>,
    pub(super) now: Wall,
}

/// Why it can't be done to this user.
enum Obstacle {
    /// There is none.
    Nobody,
    /// By the roles of the two.
    Forbidden(Forbidden),
    /// As things stand; the text that says so.
    Because(&'static str),
}

/// What a form wishes, checked.
pub(super) struct Wish {
    pub(super) reason: String,
    pub(super) lasts: Duration,
    pub(super) client: Option<ClientName>,
    pub(super) mail: Option<String>,
}

impl<'a> Task<'a> {
    async fn of(desk: &'a Desk, staff: &'a Staff, word: &str, name: &str, object: &str) -> Result<Self, Response> {
        let name = ResolvedUser::new(name);
        let Some(deed) = Deed::of_word(word) else { return Err(staff.nobody(desk, &name)) };
        let known = Known::of(desk, &name).await.map_err(|error| staff.away(desk, &error))?;
        let on = known.as_ref().map_or(Person { name: &name, role: None }, Known::person);
        let role = may_act(staff.person(), on).map_err(|why| staff.forbidden(desk, why, &name))?;
        let now = desk.now();
        let mut task =
            Self { desk, staff, deed, role, object: object.into(), object_name: String::new(), known, name, now };
        task.object_name = task.sensible().map_err(|obstacle| task.stopped(obstacle))?;
        Ok(task)
    }

    /// Whether it makes sense for who and what is there; what the object is called.
    fn sensible(&self) -> Result<String, Obstacle> {
        let known = match (&self.known, self.deed) {
            (None, Deed::AddUser) if is_a_name(self.desk, &self.name) => return Ok(String::new()),
            (None, _) => return Err(Obstacle::Nobody),
            (Some(known), _) => known,
        };
        if self.deed == Deed::GrantBypass && known.role.is_some() {
            return Err(Obstacle::Forbidden(Forbidden::NoBypassForStaff));
        }
        if let Some(bar) = known.code_barred.filter(|_| self.deed == Deed::IssueCode) {
            return Err(Obstacle::Because(match bar {
                CodeBarred::NoPortal => "admin-code-no-portal",
                CodeBarred::NotListed => "admin-code-barred",
            }));
        }
        if !known.makes_sense(self.deed, self.now) {
            return Err(Obstacle::Because("admin-not-now"));
        }
        if self.deed == Deed::Invite {
            let address = letters::address_of(self.desk, known.user.mail.as_deref());
            address.map_err(|told| Obstacle::Because(told.key()))?;
        }
        self.called(known).ok_or(Obstacle::Because("admin-not-now"))
    }

    fn stopped(&self, obstacle: Obstacle) -> Response {
        match obstacle {
            Obstacle::Nobody => self.staff.nobody(self.desk, &self.name),
            Obstacle::Forbidden(why) => self.staff.forbidden(self.desk, why, &self.name),
            Obstacle::Because(key) => self.refused(key),
        }
    }

    /// What the phone, token or bypass is called; `None`: the user has no such one.
    fn called(&self, known: &Known) -> Option<String> {
        let of = |id: &str, label: Option<&str>| label.map_or_else(|| id.to_owned(), |label| format!("{label} ({id})"));
        let object = &*self.object;
        match self.deed {
            Deed::RemoveDevice => {
                let device = known.user.devices.iter().find(|device| *device.id.0 == *object)?;
                Some(of(object, device.label.as_deref()))
            }
            Deed::RemoveToken => {
                let token = known.user.tokens.iter().find(|token| *token.id.0 == *object)?;
                Some(of(object, token.label.as_deref()))
            }
            Deed::ResyncToken => {
                let counts = |token: &&Token| *token.id.0 == *object && token.kind == TokenKind::Hotp;
                let token = known.user.tokens.iter().find(counts)?;
                Some(of(object, token.label.as_deref()))
            }
            Deed::RevokeBypass => {
                let bypass = known.bypasses.iter().find(|bypass| *bypass.id.0 == *object)?;
                Some(bypass.grant.client.as_ref().map_or_else(|| self.t("admin-bypass-any"), ToString::to_string))
            }
            Deed::AddUser
            | Deed::ChangeMail
            | Deed::IssueCode
            | Deed::Invite
            | Deed::Block
            | Deed::Unblock
            | Deed::GrantBypass
            | Deed::ResetPin
            | Deed::LiftLimits
            | Deed::EndSessions => Some(String::new()),
        }
    }

    fn wish(&self, form: &DeedForm) -> Result<Wish, Lack> {
        let mail = Some(form.mail.trim()).filter(|mail| !mail.is_empty());
        if matches!(self.deed, Deed::AddUser | Deed::ChangeMail)
            && mail.is_some_and(|mail| crate::mail::Address::parse(mail).is_err())
        {
            return Err(Lack::Mail);
        }
        // Rules F4: a bypass is bound to user and client; no word opens every appliance.
        let client = Some(&form.client).filter(|_| self.deed == Deed::GrantBypass);
        let config = self.desk.config();
        let client = match client.map(|client| config.clients.iter().find(|known| known.name.as_str() == client)) {
            None => None,
            Some(Some(known)) => Some(known.name.clone()),
            Some(None) => return Err(Lack::Client),
        };
        let (reason, lasts) = deed::checked(self.deed, form)?;
        Ok(Wish { reason, lasts, client, mail: mail.map(str::to_owned) })
    }

    pub(super) fn t(&self, key: &str) -> String {
        text(self.staff.language, key).into_owned()
    }

    /// A text that may name the user and the phone, token or bypass.
    pub(super) fn said(&self, key: &str) -> String {
        let args = [("name", self.name.as_str().into()), ("object", self.object_name.as_str().into())];
        text_with(self.staff.language, key, &args)
    }

    pub(super) fn back(&self) -> String {
        match self.known {
            Some(_) => address_of(&self.name),
            None => format!("/users?q={}", url_encoded(self.name.as_str())),
        }
    }

    /// It can't be done as things stand.
    pub(super) fn refused(&self, key: &str) -> Response {
        let link = Some((self.t("admin-back"), self.back()));
        self.staff.told(self.desk, StatusCode::CONFLICT, "admin-not-done-title", &self.t(key), link)
    }
}

/// A name as a login would bring it: whoever is added under another one could never log in.
fn is_a_name(desk: &Desk, name: &ResolvedUser) -> bool {
    desk.config().policy.staff_name(name.as_str().as_bytes()).is_ok_and(|parsed| parsed.claimed() == *name)
}
