//! Who asks: a full session of these pages, of somebody who has a role now and is not blocked; and what others are told.
//!
//! Everything is read for each request (rules F4): who was blocked, or left the group, is out at once.

use std::net::IpAddr;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Redirect, Response};
use login::ResolvedUser;

use super::Desk;
use super::page::{Here, Page, ToldPage, accept_language, address_of, role_word, shown};
use super::role::{Forbidden, Person, Role};
use crate::language::{Language, text, text_with};
use crate::sign_in::Visit;
use crate::store::{StoreError, WebRealm};
use crate::telemetry::{PageDenial, PageDenied, StoreTrouble};
use crate::web::{ClientAddress, HelpDesk};

/// Where who is not signed in goes.
const SIGN_IN: &str = "/sign-in";

/// A member of the staff, signed in with a factor.
pub(super) struct Staff {
    pub(super) name: ResolvedUser,
    pub(super) role: Role,
    pub(super) language: Language,
    pub(super) address: Option<IpAddr>,
    /// What was asked for, without its query.
    path: String,
    csrf: String,
    visit: Visit,
    headers: HeaderMap,
}

impl FromRequestParts<Desk> for Staff {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, desk: &Desk) -> Result<Self, Response> {
        let address = parts.extensions.get::<ClientAddress>().copied().filter(|address| address.is_known());
        Self::of(desk, parts.headers.clone(), address, parts.uri.path().to_owned()).await
    }
}

impl Staff {
    async fn of(
        desk: &Desk,
        headers: HeaderMap,
        address: Option<ClientAddress>,
        path: String,
    ) -> Result<Self, Response> {
        let spoken = Language::negotiate(accept_language(&headers), None);
        let visit = match desk.sign_in.visit(WebRealm::Admin, &headers).await {
            Ok(visit) => visit,
            Err(away) => return Err(unavailable(desk, spoken, "reading a session", &away)),
        };
        let Some(signed) = visit.signed.as_ref().filter(|signed| signed.is_full()) else {
            return Err(Redirect::to(SIGN_IN).into_response());
        };
        let (name, csrf) = (signed.user.clone(), signed.csrf.clone());
        let (role, language) = match standing(desk, &name, spoken).await {
            Ok(standing) => standing,
            Err(error) => return Err(unavailable(desk, spoken, "reading a member of the staff", &error)),
        };
        let Some(role) = role else {
            let from = address.map(|ClientAddress(ip)| ip);
            desk.denied(PageDenial::NoRole, &path, from, &name);
            return Err(no_role(desk, language, csrf));
        };
        Ok(Self { name, role, language, address: address.map(|ClientAddress(ip)| ip), path, csrf, visit, headers })
    }

    /// Whether a form is one that this session was shown.
    pub(super) fn is_genuine(&self, desk: &Desk, token: &str) -> bool {
        desk.sign_in.genuine(WebRealm::Admin, &self.visit, &self.headers, token).is_ok()
    }

    /// A form that is not.
    pub(super) fn forged(&self, desk: &Desk) -> Response {
        desk.denied(PageDenial::Forged, &self.path, self.address, &self.name);
        self.told(desk, StatusCode::FORBIDDEN, "admin-forged-title", &self.t("admin-forged"), None)
    }

    /// Whether the role still holds: for a page that stays open.
    pub(super) async fn is_still(&self, desk: &Desk) -> bool {
        Self::of(desk, self.headers.clone(), None, self.path.clone()).await.is_ok()
    }

    pub(super) fn person(&self) -> Person<'_> {
        Person { name: &self.name, role: Some(self.role) }
    }

    /// The frame of a page for this reader.
    pub(super) fn page(&self, desk: &Desk, here: Here) -> Page {
        Page {
            language: self.language,
            account: desk.config().account_name.clone(),
            help_desk: None,
            user: Some(format!("{} · {}", self.name, role_word(self.language, self.role))),
            csrf: self.csrf.clone(),
            staff: true,
            here,
        }
    }

    pub(super) fn why_forbidden(&self, why: Forbidden) -> String {
        match why {
            Forbidden::LooksOnly => self.t("admin-forbidden-looks-only"),
            Forbidden::Oneself => self.t("admin-forbidden-oneself"),
            Forbidden::AboveYou => self.t("admin-forbidden-above-you"),
            Forbidden::NoBypassForStaff => self.t("admin-forbidden-no-bypass"),
        }
    }

    pub(super) fn forbidden(&self, desk: &Desk, why: Forbidden, user: &ResolvedUser) -> Response {
        desk.denied(PageDenial::AboveRole, &self.path, self.address, &self.name);
        let back = Some((self.t("admin-back"), address_of(user)));
        self.told(desk, StatusCode::FORBIDDEN, "admin-forbidden-title", &self.why_forbidden(why), back)
    }

    /// Nobody has that name.
    pub(super) fn nobody(&self, desk: &Desk, name: &ResolvedUser) -> Response {
        let told = text_with(self.language, "admin-nobody", &[("name", name.as_str().into())]);
        let back = Some((self.t("admin-nav-users"), "/users".to_owned()));
        self.told(desk, StatusCode::NOT_FOUND, "admin-nobody-title", &told, back)
    }

    /// The store failed.
    pub(super) fn away(&self, desk: &Desk, error: &StoreError) -> Response {
        desk.telemetry.emit(StoreTrouble { doing: "serving the staff's pages", error });
        self.told(desk, StatusCode::SERVICE_UNAVAILABLE, "admin-away-title", &self.t("admin-away"), None)
    }

    /// A page that says one thing.
    pub(super) fn told(
        &self,
        desk: &Desk,
        status: StatusCode,
        title: &str,
        told: &str,
        link: Option<(String, String)>,
    ) -> Response {
        let page = self.page(desk, Here::Elsewhere);
        shown(status, &ToldPage { title: page.t(title).into_owned(), told: told.to_owned(), link, leave: None, page })
    }

    fn t(&self, key: &str) -> String {
        text(self.language, key).into_owned()
    }
}

impl Desk {
    /// Counts and tells a request that was answered 403.
    fn denied(&self, why: PageDenial, path: &str, from: Option<IpAddr>, user: &ResolvedUser) {
        let user = Some(user.as_str());
        self.telemetry.emit(PageDenied { pages: "admin", why, path, from, user });
    }
}

/// The role of a user who is not blocked, and the language to speak.
async fn standing(desk: &Desk, name: &ResolvedUser, spoken: Language) -> Result<(Option<Role>, Language), StoreError> {
    let user = desk.store.show_user(name).await?;
    let chosen = desk.store.choices(name).await?.language;
    let language = chosen.as_deref().and_then(Language::of_tag).unwrap_or(spoken);
    let free = user.filter(|user| user.blocked.is_none() && user.fraud_reported.is_none());
    let config = desk.config();
    let roles = config.admin.as_ref().map(|admin| &admin.roles);
    Ok((free.zip(roles).and_then(|(user, roles)| Role::of(&user.groups, roles)), language))
}

/// Says that there is no role, and nothing about which there are.
fn no_role(desk: &Desk, language: Language, csrf: String) -> Response {
    plain(desk, language, StatusCode::FORBIDDEN, ("admin-no-role-title", "admin-no-role"), Some(csrf))
}

fn unavailable(desk: &Desk, language: Language, doing: &str, error: &dyn std::fmt::Display) -> Response {
    desk.telemetry.emit(StoreTrouble { doing, error });
    plain(desk, language, StatusCode::SERVICE_UNAVAILABLE, ("admin-away-title", "admin-away"), None)
}

/// A page for whoever has no role, or not yet; with the token of a session it offers to end that.
fn plain(
    desk: &Desk,
    language: Language,
    status: StatusCode,
    (title, told): (&str, &str),
    csrf: Option<String>,
) -> Response {
    let config = desk.config();
    let leave = csrf.is_some().then(|| text(language, "admin-sign-out").into_owned());
    let page = Page {
        language,
        account: config.account_name.clone(),
        help_desk: config.portal.as_ref().and_then(|portal| portal.help_desk.clone()).map(HelpDesk::new),
        user: None,
        csrf: csrf.unwrap_or_default(),
        staff: true,
        here: Here::Elsewhere,
    };
    let (title, told) = (text(language, title).into_owned(), text(language, told).into_owned());
    shown(status, &ToldPage { page, title, told, link: None, leave })
}
