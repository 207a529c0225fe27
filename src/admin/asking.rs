//! The page that asks for a reason, and for whatever else a deed needs; it says what will happen and what to think of first.

use askama::Template;
use axum::http::StatusCode;
use axum::response::Response;

use super::deed::{BYPASS_MINUTES, Deed, DeedForm, Lack};
use super::doing::Task;
use super::page::{Here, Page, shown};
use super::role::Role;
use super::user::label_key;
use crate::store::{StoreError, User};

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
    has_codes: bool,
    is_grave: bool,
    sure: String,
    button: String,
    back: String,
}

impl Task<'_> {
    /// The page, or the page again with what it lacks.
    pub(super) async fn form(self, mut form: DeedForm, lack: Option<Lack>) -> Response {
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
            what_happens: self.t(what_happens_key(self.deed, self.desk.config().push.pin.required)),
            warnings,
            action: format!("/user/{}", self.deed.as_str()),
            name: self.name.as_str().to_owned(),
            form,
            clients: (self.deed == Deed::GrantBypass).then(clients),
            has_mail: matches!(self.deed, Deed::AddUser | Deed::ChangeMail),
            has_codes: self.deed == Deed::ResyncToken,
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
            let is_third = |user: &User| {
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
}

fn title_key(deed: Deed) -> &'static str {
    match deed {
        Deed::AddUser => "admin-title-add-user",
        Deed::ChangeMail => "admin-title-change-mail",
        Deed::IssueCode => "admin-title-issue-code",
        Deed::Invite => "admin-title-invite",
        Deed::Block => "admin-title-block",
        Deed::Unblock => "admin-title-unblock",
        Deed::GrantBypass => "admin-title-grant-bypass",
        Deed::RevokeBypass => "admin-title-revoke-bypass",
        Deed::RemoveDevice => "admin-title-remove-device",
        Deed::RemoveToken => "admin-title-remove-token",
        Deed::ResyncToken => "admin-title-resync-token",
        Deed::ResetPin => "admin-title-reset-pin",
        Deed::LiftLimits => "admin-title-lift-limits",
        Deed::EndSessions => "admin-title-end-sessions",
    }
}

/// `pins`: phones of this site ask for one.
fn what_happens_key(deed: Deed, pins: bool) -> &'static str {
    match deed {
        Deed::AddUser => "admin-then-add-user",
        Deed::ChangeMail => "admin-then-change-mail",
        Deed::IssueCode => "admin-then-issue-code",
        Deed::Invite => "admin-then-invite",
        Deed::Block => "admin-then-block",
        Deed::Unblock => "admin-then-unblock",
        Deed::GrantBypass => "admin-then-grant-bypass",
        Deed::RevokeBypass => "admin-then-revoke-bypass",
        Deed::RemoveDevice => "admin-then-remove-device",
        Deed::RemoveToken => "admin-then-remove-token",
        Deed::ResyncToken => "admin-then-resync-token",
        Deed::ResetPin if pins => "admin-then-initial-pin",
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
        Lack::NotInARow => "admin-lack-not-in-a-row",
        Lack::CodesOff => "admin-lack-codes-off",
    }
}
