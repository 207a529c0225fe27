//! Recovery codes: made anew, shown once, to be printed or written down.

use askama::Template;
use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::Response;
use axum::routing::get;

use super::app::text_of;
use super::room::{Far, Portal};
use super::words;
use crate::enrolment::recovery_codes;
use crate::mail::LetterKind;
use crate::sign_in::{Asked, Deed, Fields, Problem, Shown};

pub(super) fn routes() -> Router<Portal> {
    Router::new().route("/recovery", get(show).post(make))
}

#[derive(Template)]
#[template(path = "portal_recovery.html")]
struct RecoveryPage {
    page: Shown,
    left: u32,
    /// The new ones; empty before they are made.
    codes: Vec<String>,
    day: String,
}

async fn show(State(portal): State<Portal>, asked: Asked) -> Result<Response, Problem> {
    let guest = portal.looks(&asked, Far::Lately("/recovery")).await?;
    portal.may(|may| may.enrol)?;
    let (page, left) = (portal.shown(&asked, &guest).await?, portal.store().recovery_codes_left(guest.user()).await?);
    let shown = RecoveryPage { page, left, codes: Vec::new(), day: String::new() };
    portal.desk().answer(&guest.visit, StatusCode::OK, &shown)
}

async fn make(State(portal): State<Portal>, asked: Asked, fields: Fields) -> Result<Response, Problem> {
    let guest = portal.sends(&asked, &fields, Far::Lately("/recovery")).await?;
    portal.may(|may| may.enrol)?;
    let at = portal.moment().wall;
    let deed = Deed::new(guest.user(), "make_recovery_codes");
    let made = portal.act(&guest, deed, recovery_codes(portal.store(), guest.user(), at)).await?;
    let codes = made.iter().map(text_of).collect::<Result<Vec<_>, _>>()?;
    let mut page = portal.shown(&asked, &guest).await?;
    let (renewed, after) = portal.changed(&guest, LetterKind::RecoveryCodesMade).await?;
    page.csrf = renewed.csrf;
    let shown = RecoveryPage { page, left: 0, codes, day: words::day(at) };
    let mut response = portal.desk().answer(&guest.visit, StatusCode::OK, &shown)?;
    response.headers_mut().insert(header::SET_COOKIE, after.0);
    Ok(response)
}
