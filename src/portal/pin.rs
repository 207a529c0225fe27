//! The PIN that is typed on the phone before Authenticate: set behind a factor proved lately, and changed with the old one, too.
//!
//! Whoever forgot it asks the help desk, whose reset takes it away: the old PIN's lock is the same as the phone's, so that nobody
//! guesses here what can't be guessed there.

use askama::Template;
use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::get;
use wire::Secret;

use super::room::{Far, Guest, Portal};
use crate::enrolment::{WeakPin, pin_allowed_for};
use crate::factor::pin::PinOutcome;
use crate::mail::LetterKind;
use crate::sign_in::{Asked, Away, Deed, Fields, Problem, Shown};

pub(super) fn routes() -> Router<Portal> {
    Router::new().route("/pin", get(show).post(set))
}

#[derive(Template)]
#[template(path = "portal_pin.html")]
struct PinPage {
    page: Shown,
    length: u32,
    has: bool,
    problem: String,
    about: &'static str,
}

async fn show(State(portal): State<Portal>, asked: Asked) -> Result<Response, Problem> {
    let guest = portal.looks(&asked, Far::Lately("/pin")).await?;
    portal.may(|may| may.activate_app)?;
    page(&portal, &asked, &guest, None).await
}

async fn set(State(portal): State<Portal>, asked: Asked, fields: Fields) -> Result<Response, Problem> {
    let guest = portal.sends(&asked, &fields, Far::Lately("/pin")).await?;
    portal.may(|may| may.activate_app)?;
    let (pin, again) = (fields.get("pin"), fields.get("again"));
    let length = portal.config().push.pin.length;
    if let Err(weak) = pin_allowed_for(pin, length, guest.user()) {
        return page(&portal, &asked, &guest, Some((key_of(weak), "pin"))).await;
    }
    if pin != again {
        return page(&portal, &asked, &guest, Some(("portal-pin-differs", "again"))).await;
    }
    match portal.sign_in().old_pin(&guest.signed, &portal.parts().hasher, &Secret::new(fields.get("old"))).await? {
        PinOutcome::Right { .. } | PinOutcome::NoPin => {}
        PinOutcome::Wrong { .. } => return page(&portal, &asked, &guest, Some(("portal-pin-old-wrong", "old"))).await,
        PinOutcome::Locked => return page(&portal, &asked, &guest, Some(("portal-pin-locked", "old"))).await,
    }
    let hash = portal.parts().hasher.hash(Secret::new(pin)).await;
    let hash = hash.map_err(|error| Away::of(&error.to_string()))?;
    let set = portal.store().set_pin(guest.user(), hash, false, portal.moment().wall);
    portal.act(&guest, Deed::new(guest.user(), "set_pin"), set).await?;
    let (_, after) = portal.changed(&guest, LetterKind::PinChanged).await?;
    Ok(after.to("/?done=pin-set"))
}

fn key_of(weak: WeakPin) -> &'static str {
    match weak {
        WeakPin::NotDigits => "portal-pin-not-digits",
        WeakPin::Short { .. } => "portal-pin-short",
        WeakPin::Long => "portal-pin-long",
        WeakPin::Repeats | WeakPin::Sequence | WeakPin::Date | WeakPin::InName => "portal-pin-weak",
    }
}

async fn page(
    portal: &Portal,
    asked: &Asked,
    guest: &Guest,
    problem: Option<(&'static str, &'static str)>,
) -> Result<Response, Problem> {
    let page = portal.shown(asked, guest).await?;
    let length = portal.config().push.pin.length;
    let (key, about) = problem.unwrap_or(("", ""));
    let status = if key.is_empty() { StatusCode::OK } else { StatusCode::UNPROCESSABLE_ENTITY };
    let problem = if key.is_empty() { String::new() } else { page.say(key, "length", &length.to_string()) };
    let has = portal.store().pin(guest.user(), portal.moment().wall).await?.is_some();
    portal.desk().answer(&guest.visit, status, &PinPage { page, length, has, problem, about })
}
