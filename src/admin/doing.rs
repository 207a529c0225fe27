//! Doing it: the page that asks for a reason, and the act itself.
//!
//! An act is written down before it is done (rules F2, F4): nothing is ever done that the audit does not tell. Where it then
//! fails, that is written down, too. All is checked again when the form comes back, whatever the page offered.

use std::sync::Arc;
use std::time::Duration;

use askama::Template;
use axum::extract::{Form, Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use login::{BypassId, ClientName, DeviceId, ResolvedUser, TokenId, UserName, Wall};
use wire::Secret;

use super::Desk;
use super::deed::{self, BYPASS_MINUTES, Deed, DeedForm, Lack};
use super::letters::{self, Told};
use super::page::{Here, Page, address_of, shown, url_encoded, when};
use super::role::{Forbidden, Person, Role, may_act};
use super::staff::Staff;
use super::user::{Known, label_key};
use crate::enrolment::{CODE_LASTS, EnrolmentError, issue_code};
use crate::language::{Language, text, text_with};
use crate::mail::{ActivationCode, LetterKind, MailedCode, StaffAction};
use crate::store::{Act, CodePurpose, NewBypass, NewUser, StoreError, StoreFuture};

/// A commit of which nobody knows whether it holds is repeated so often (rules C1).
const SETTLE_TRIES: u32 = 3;
/// Users that are looked through for another admin, a page at a time; past that nobody is found.
const ADMINS_SOUGHT_AMONG: usize = 5_000;
const ADMINS_SOUGHT_AT_ONCE: usize = 250;

#[derive(Template)]
#[template(path = "admin_deed.html")]
struct DeedPage {
    page: Page,
    title: String,
    lack: Option<String>,
    what_happens: String,
    warnings: Vec<String>,
    action: String,
    name: String,
    form: DeedForm,
    /// For a bypass: through which it may be.
    clients: Option<Vec<String>>,
    has_mail: bool,
    is_grave: bool,
    sure: String,
    button: String,
    back: String,
}

#[derive(Template)]
#[template(path = "admin_code.html")]
struct CodePage {
    page: Page,
    for_whom: String,
    code: String,
    portal: Option<String>,
    until: String,
    mailed: Option<String>,
    back: String,
}

/// The page that asks for what a deed needs.
pub(super) async fn ask(
    State(desk): State<Desk>,
    staff: Staff,
    Path(word): Path<String>,
    Query(form): Query<DeedForm>,
) -> Response {
    match Task::of(&desk, &staff, &word, &form.name, &form.object).await {
        Ok(task) => task.form(form, None).await,
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
    if let Err(refused) = staff.genuine(&desk, &form.csrf) {
        return refused;
    }
    let task = match Task::of(&desk, &staff, &word, &form.name, &form.object).await {
        Ok(task) => task,
        Err(refused) => return refused,
    };
    match task.wish(&form) {
        Ok(wish) => task.perform(wish).await,
        Err(lack) => task.form(form, Some(lack)).await,
    }
}

/// One deed of one member of the staff on one user, who may do it.
struct Task<'a> {
    desk: &'a Desk,
    staff: &'a Staff,
    deed: Deed,
    role: Role,
    name: ResolvedUser,
    /// Which phone, token or bypass.
    object: Arc<str>,
    /// What people call it.
    object_name: String,
    /// Nobody yet, where a user is added.
    known: Option<Known>,
    now: Wall,
}

/// What a form wishes, checked.
struct Wish {
    reason: String,
    lasts: Duration,
    client: Option<ClientName>,
    mail: Option<String>,
}

impl<'a> Task<'a> {
    async fn of(desk: &'a Desk, staff: &'a Staff, word: &str, name: &str, object: &str) -> Result<Self, Response> {
        let name = ResolvedUser::new(name);
        let Some(deed) = Deed::of_word(word) else { return Err(staff.nobody(desk, &name)) };
        let known = Known::of(desk, &name).await.map_err(|error| staff.away(desk, &error))?;
        let on = known.as_ref().map_or(Person { name: &name, role: None }, Known::person);
        let role = may_act(staff.person(), on).map_err(|why| staff.forbidden(desk, why, &name))?;
        let now = desk.now();
        let mut task = Self { desk, staff, deed, role, object: object.into(), object_name: String::new(), known, name, now };
        task.object_name = task.sensible()?;
        Ok(task)
    }

    /// Whether it makes sense for who and what is there; what the object is called.
    fn sensible(&self) -> Result<String, Response> {
        let known = match (&self.known, self.deed) {
            (None, Deed::AddUser) if is_a_name(self.desk, &self.name) => return Ok(String::new()),
            (None, _) => return Err(self.staff.nobody(self.desk, &self.name)),
            (Some(known), _) => known,
        };
        if self.deed == Deed::GrantBypass && known.role.is_some() {
            return Err(self.staff.forbidden(self.desk, Forbidden::NoBypassForStaff, &self.name));
        }
        if !known.makes_sense(self.deed, self.now) {
            return Err(self.refused("admin-not-now"));
        }
        if self.deed == Deed::Invite
            && let Err(told) = letters::address_of(self.desk, known.user.mail.as_deref())
        {
            return Err(self.refused(told.key()));
        }
        self.called(known).ok_or_else(|| self.refused("admin-not-now"))
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
            Deed::RevokeBypass => {
                let bypass = known.bypasses.iter().find(|bypass| *bypass.id.0 == *object)?;
                Some(bypass.grant.client.as_ref().map_or_else(|| self.t("admin-bypass-any"), ToString::to_string))
            }
            Deed::AddUser
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
        if self.deed == Deed::AddUser && mail.is_some_and(|mail| crate::mail::Address::parse(mail).is_err()) {
            return Err(Lack::Mail);
        }
        let client = Some(&form.client).filter(|client| !client.is_empty());
        let config = self.desk.config();
        let client = match client.map(|client| config.clients.iter().find(|known| known.name.as_str() == client)) {
            None => None,
            Some(Some(known)) => Some(known.name.clone()),
            Some(None) => return Err(Lack::Client),
        };
        let (reason, lasts) = deed::checked(self.deed, form)?;
        Ok(Wish { reason, lasts, client, mail: mail.map(str::to_owned) })
    }

    // --- asking ---------------------------------------------------------------------------------------------------

    async fn form(self, mut form: DeedForm, lack: Option<Lack>) -> Response {
        if form.minutes.is_empty() {
            form.minutes = BYPASS_MINUTES.to_string();
        }
        let warnings = match self.warnings().await {
            Ok(warnings) => warnings,
            Err(error) => return self.staff.away(self.desk, &error),
        };
        let clients = || self.desk.config().clients.iter().map(|client| client.name.to_string()).collect();
        let status = if lack.is_some() { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::OK };
        let page = DeedPage {
            page: self.staff.page(self.desk, Here::Users),
            title: self.said(title_key(self.deed)),
            lack: lack.map(|lack| self.t(lack_key(lack))),
            what_happens: self.t(what_happens_key(self.deed)),
            warnings,
            action: format!("/user/{}", self.deed.as_str()),
            name: self.name.as_str().to_owned(),
            form,
            clients: (self.deed == Deed::GrantBypass).then(clients),
            has_mail: self.deed == Deed::AddUser,
            is_grave: self.deed.is_grave(),
            sure: self.said("admin-sure"),
            button: self.t(label_key(self.deed)),
            back: self.back(),
        };
        shown(status, &page)
    }

    /// What whoever does this should know first.
    async fn warnings(&self) -> Result<Vec<String>, StoreError> {
        let Some(known) = &self.known else { return Ok(Vec::new()) };
        let mut warnings = Vec::new();
        let removes = matches!(self.deed, Deed::RemoveDevice | Deed::RemoveToken);
        if removes && known.methods() <= 1 {
            warnings.push(self.said("admin-warn-last-method"));
        }
        // Whoever acts on an admin is one, and stays one; but who is alone can be helped by the host only.
        if self.deed.is_grave() && known.role == Some(Role::Admin) && !self.is_there_a_third_admin().await? {
            warnings.push(self.said("admin-warn-last-admin"));
        }
        Ok(warnings)
    }

    /// An admin who is not blocked, beside the two of this act.
    async fn is_there_a_third_admin(&self) -> Result<bool, StoreError> {
        let config = self.desk.config();
        let Some(roles) = config.admin.as_ref().map(|admin| &admin.roles) else { return Ok(false) };
        let mut after = None;
        for _ in 0..ADMINS_SOUGHT_AMONG / ADMINS_SOUGHT_AT_ONCE {
            let some = self.desk.store.list_users(after.as_ref(), ADMINS_SOUGHT_AT_ONCE).await?;
            let is_third = |user: &crate::store::User| {
                let is_free = user.blocked.is_none() && user.fraud_reported.is_none();
                let is_other = user.name != self.name && user.name != self.staff.name;
                is_free && is_other && Role::of(&user.groups, roles) == Some(Role::Admin)
            };
            if some.iter().any(is_third) {
                return Ok(true);
            }
            after = match some.last() {
                Some(last) if some.len() == ADMINS_SOUGHT_AT_ONCE => Some(last.name.clone()),
                Some(_) | None => return Ok(false),
            };
        }
        Ok(false)
    }

    // --- doing ----------------------------------------------------------------------------------------------------

    async fn perform(self, wish: Wish) -> Response {
        // Once a day (rules F7): asked before anything is written down, because a refusal is no act.
        if self.deed == Deed::Invite {
            match settled(|| self.desk.store.invite(&self.name, self.now)).await {
                Ok(true) => {}
                Ok(false) => return self.refused("admin-invited-already"),
                Err(error) => return self.staff.away(self.desk, &error),
            }
        }
        match self.done(&wish).await {
            Ok(Done { told, code: Some(code) }) => self.code_page(&code, told),
            Ok(Done { told, code: None }) => {
                let did = format!("{}&did={}&mailed={}", address_of(&self.name), self.deed.as_str(), told.as_str());
                Redirect::to(&did).into_response()
            }
            Err(error) => self.staff.away(self.desk, &error),
        }
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
            Some(wish.client.as_ref().map_or_else(|| "any client".into(), |client| client.as_str().into()))
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
            Deed::IssueCode => {
                let code = new_code(self.desk, name, CodePurpose::Enrol, now).await?;
                let told = self.tell(act(StaffAction::CodeIssued)).await;
                return Ok(Done { told, code: Some(code) });
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
            Deed::RevokeBypass => {
                let bypass = BypassId(Arc::clone(&self.object));
                settled(|| store.revoke_bypass(&bypass, now)).await?;
                act(StaffAction::LimitsLifted)
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
            Deed::ResetPin => {
                settled(|| store.reset_pin(name)).await?;
                act(StaffAction::PinReset)
            }
            Deed::LiftLimits => {
                settled(|| store.unblock_user(name)).await?;
                act(StaffAction::LimitsLifted)
            }
            Deed::EndSessions => {
                self.end_sessions().await?;
                act(StaffAction::SessionsEnded)
            }
        };
        Ok(Done { told: self.tell(kind).await, code: None })
    }

    async fn add_user(&self, wish: &Wish, kind: LetterKind) -> Result<Done, StoreError> {
        let mail = wish.mail.clone();
        let new = NewUser { name: self.name.clone(), groups: Vec::new(), mail: mail.clone(), password_hash: None };
        self.desk.store.add_user(new, self.now).await?;
        let language = Language::default();
        let told = letters::tell_at(self.desk, &self.name, mail.as_deref(), language, kind, self.now).await;
        Ok(Done { told, code: None })
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

    /// The one page that shows a code, once.
    fn code_page(&self, code: &Secret, told: Told) -> Response {
        let language = self.staff.language;
        let portal = self.desk.config().portal.as_ref().map(|portal| portal.pages.url.to_string());
        let until = [("time", when(self.now.plus(CODE_LASTS)).into())];
        shown(StatusCode::OK, &CodePage {
            page: self.staff.page(self.desk, Here::Users),
            for_whom: self.said("admin-code-for"),
            code: letters_of(code),
            portal,
            until: text_with(language, "admin-code-until", &until),
            mailed: Some(self.t(told.key())),
            back: self.back(),
        })
    }

    // --- words ----------------------------------------------------------------------------------------------------

    fn t(&self, key: &str) -> String {
        text(self.staff.language, key).into_owned()
    }

    /// A text that may name the user and the phone, token or bypass.
    fn said(&self, key: &str) -> String {
        let args = [("name", self.name.as_str().into()), ("object", self.object_name.as_str().into())];
        text_with(self.staff.language, key, &args)
    }

    fn back(&self) -> String {
        match self.known {
            Some(_) => address_of(&self.name),
            None => format!("/users?q={}", url_encoded(self.name.as_str())),
        }
    }

    /// It can't be done as things stand.
    fn refused(&self, key: &str) -> Response {
        let link = Some((self.t("admin-back"), self.back()));
        self.staff.told(self.desk, StatusCode::CONFLICT, "admin-not-done-title", &self.t(key), link)
    }
}

/// What was done, and the code if one came of it.
struct Done {
    told: Told,
    code: Option<Secret>,
}

/// A name as a login would bring it: whoever is added under another one could never log in.
fn is_a_name(desk: &Desk, name: &ResolvedUser) -> bool {
    UserName::parse(name.as_str().as_bytes(), &desk.config().policy.realms)
        .is_ok_and(|parsed| parsed.claimed() == *name)
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
    issue_code(&*desk.store, user, purpose, at).await.map_err(|error| match error {
        EnrolmentError::Store(error) => error,
        other => StoreError::Ours(other.to_string().into()),
    })
}

/// The letters of a code, which is plain ASCII.
fn letters_of(code: &Secret) -> String {
    String::from_utf8_lossy(code.expose()).into_owned()
}

fn title_key(deed: Deed) -> &'static str {
    match deed {
        Deed::AddUser => "admin-title-add-user",
        Deed::IssueCode => "admin-title-issue-code",
        Deed::Invite => "admin-title-invite",
        Deed::Block => "admin-title-block",
        Deed::Unblock => "admin-title-unblock",
        Deed::GrantBypass => "admin-title-grant-bypass",
        Deed::RevokeBypass => "admin-title-revoke-bypass",
        Deed::RemoveDevice => "admin-title-remove-device",
        Deed::RemoveToken => "admin-title-remove-token",
        Deed::ResetPin => "admin-title-reset-pin",
        Deed::LiftLimits => "admin-title-lift-limits",
        Deed::EndSessions => "admin-title-end-sessions",
    }
}

fn what_happens_key(deed: Deed) -> &'static str {
    match deed {
        Deed::AddUser => "admin-then-add-user",
        Deed::IssueCode => "admin-then-issue-code",
        Deed::Invite => "admin-then-invite",
        Deed::Block => "admin-then-block",
        Deed::Unblock => "admin-then-unblock",
        Deed::GrantBypass => "admin-then-grant-bypass",
        Deed::RevokeBypass => "admin-then-revoke-bypass",
        Deed::RemoveDevice => "admin-then-remove-device",
        Deed::RemoveToken => "admin-then-remove-token",
        Deed::ResetPin => "admin-then-reset-pin",
        Deed::LiftLimits => "admin-then-lift-limits",
        Deed::EndSessions => "admin-then-end-sessions",
    }
}

fn lack_key(lack: Lack) -> &'static str {
    match lack {
        Lack::Reason => "admin-lack-reason",
        Lack::Minutes => "admin-lack-minutes",
        Lack::Sureness => "admin-lack-sureness",
        Lack::Client => "admin-lack-client",
        Lack::Mail => "admin-lack-mail",
    }
}
