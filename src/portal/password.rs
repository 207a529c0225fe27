//! The own password, where it is ours: with the old one and behind a factor proved lately, and never one that everybody tries.
//!
//! With the new one every session ends, this one too, so that whoever had the old one is out; its owner signs in anew.

use askama::Template;
use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::get;
use wire::Secret;

use super::room::{Far, Guest, Portal};
use crate::enrolment::{PASSWORD_CHARS_MIN, WeakPassword, password_allowed_for};
use crate::hashing::{Door, Turn};
use crate::mail::LetterKind;
use crate::sign_in::{Asked, Away, Deed, Fields, OldPassword, Problem, Shown, cleared, sent_on};

pub(super) fn routes() -> Router<Portal> {
    Router::new().route("/password", get(show).post(change))
}

#[derive(Template)]
#[template(path = "portal_password.html")]
struct PasswordPage {
    page: Shown,
    problem: String,
    about: &'static str,
}

async fn show(State(portal): State<Portal>, asked: Asked) -> Result<Response, Problem> {
    let guest = portal.looks(&asked, Far::Lately("/password")).await?;
    kept_here(&portal, &guest).await?;
    page(&portal, &asked, &guest, None).await
}

async fn change(State(portal): State<Portal>, asked: Asked, fields: Fields) -> Result<Response, Problem> {
    let guest = portal.sends(&asked, &fields, Far::Lately("/password")).await?;
    kept_here(&portal, &guest).await?;
    let (old, new) = (Secret::new(fields.get("old")), Secret::new(fields.get("new")));
    if let Err(weak) = password_allowed_for(&new, guest.user(), &portal.config().account_name) {
        return page(&portal, &asked, &guest, Some((key_of(weak), "new"))).await;
    }
    if fields.get("new") != fields.get("again") {
        return page(&portal, &asked, &guest, Some(("portal-password-differs", "again"))).await;
    }
    match portal.sign_in().old_password(&guest.signed, &old, guest.address).await? {
        OldPassword::Right => {}
        OldPassword::Wrong => return page(&portal, &asked, &guest, Some(("portal-password-old-wrong", "old"))).await,
    }
    let hash = portal
        .parts()
        .hasher
        .hash(Turn::at(Door::Pages, guest.user()), new)
        .await
        .map_err(|error| Away::of(&error.to_string()))?;
    let set = portal.store().set_password(guest.user(), Some(hash));
    portal.act(&guest, Deed::new(guest.user(), "change_password"), set).await?;
    portal.sign_in().post(guest.user(), LetterKind::PasswordChanged).await;
    // The store ended all sessions with it.
    let line = portal.sign_in().forget_cookie(&guest.signed)?;
    Ok(cleared(sent_on("/sign-in?said=password", Some(line))))
}

/// Whether this user's password is ours to change.
pub(super) async fn is_ours(portal: &Portal, guest: &Guest) -> Result<bool, Problem> {
    if portal.portal()?.sign_in.as_str() != "local" {
        return Ok(false);
    }
    Ok(portal.store().show_user(guest.user()).await?.is_some_and(|user| user.has_password))
}

async fn kept_here(portal: &Portal, guest: &Guest) -> Result<(), Problem> {
    if is_ours(portal, guest).await? { Ok(()) } else { Err(Problem::Missing) }
}

fn key_of(weak: WeakPassword) -> &'static str {
    match weak {
        WeakPassword::Short => "portal-password-short",
        WeakPassword::Long => "portal-password-long",
        WeakPassword::Common => "portal-password-common",
        WeakPassword::InName => "portal-password-in-name",
    }
}

async fn page(
    portal: &Portal,
    asked: &Asked,
    guest: &Guest,
    problem: Option<(&'static str, &'static str)>,
) -> Result<Response, Problem> {
    let page = portal.shown(asked, guest).await?;
    let (key, about) = problem.unwrap_or(("", ""));
    let status = if key.is_empty() { StatusCode::OK } else { StatusCode::UNPROCESSABLE_ENTITY };
    let least = PASSWORD_CHARS_MIN.to_string();
    let problem = if key.is_empty() { String::new() } else { page.say(key, "least", &least) };
    portal.desk().answer(&guest.visit, status, &PasswordPage { page, problem, about })
}
