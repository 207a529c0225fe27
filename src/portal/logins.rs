//! Recent logins in words, and "This wasn't me".
//!
//! A login that its user reports is treated as a phone's "It wasn't me": nobody gets in with the account until the help desk
//! looked at it, the site's own people are told, and the user is signed out everywhere.

use askama::Template;
use axum::Router;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::get;

use super::room::{Far, Guest, Portal};
use super::words::{Told, told};
use crate::mail::LetterKind;
use crate::sign_in::{Asked, Deed, Fields, Problem, Shown};

/// Logins on the page.
const SHOWN: usize = 30;

pub(super) fn routes() -> Router<Portal> {
    Router::new().route("/logins", get(show)).route("/logins/{id}/report", get(ask).post(report))
}

#[derive(Template)]
#[template(path = "portal_logins.html")]
struct LoginsPage {
    page: Shown,
    logins: Vec<Told>,
}

#[derive(Template)]
#[template(path = "portal_report.html")]
struct ReportPage {
    page: Shown,
    login: Told,
    done: bool,
}

/// The user's latest logins.
pub(super) async fn recent(portal: &Portal, guest: &Guest, page: &Shown, limit: usize) -> Result<Vec<Told>, Problem> {
    let records = portal.store().recent_records(guest.user(), limit).await?;
    let config = portal.config();
    Ok(records.iter().filter_map(|record| told(page, &config.titles, &record.json)).collect())
}

async fn show(State(portal): State<Portal>, asked: Asked) -> Result<Response, Problem> {
    let guest = portal.looks(&asked, Far::In).await?;
    let page = portal.shown(&asked, &guest).await?;
    let logins = recent(&portal, &guest, &page, SHOWN).await?;
    portal.desk().answer(&guest.visit, StatusCode::OK, &LoginsPage { page, logins })
}

async fn ask(State(portal): State<Portal>, asked: Asked, Path(id): Path<String>) -> Result<Response, Problem> {
    let guest = portal.looks(&asked, Far::In).await?;
    let page = portal.shown(&asked, &guest).await?;
    let login = one(&portal, &guest, &page, &id).await?;
    portal.desk().answer(&guest.visit, StatusCode::OK, &ReportPage { page, login, done: false })
}

async fn report(
    State(portal): State<Portal>,
    asked: Asked,
    Path(id): Path<String>,
    fields: Fields,
) -> Result<Response, Problem> {
    let guest = portal.sends(&asked, &fields, Far::In).await?;
    let mut page = portal.shown(&asked, &guest).await?;
    let login = one(&portal, &guest, &page, &id).await?;
    let user = guest.user();
    // Nobody gets in before the help desk looked; the store ends prompts and bypasses with it (rules F5).
    let why = format!("reported by the user: login {} was not theirs", login.id);
    let deed = Deed::new(user, "report_login").on(&login.id);
    portal.act(&guest, deed, portal.store().block_user(user, why)).await?;
    let (client, station) = (login.client.clone(), login.station.clone());
    let name = login.client_name.clone();
    portal.sign_in().alert(user, LetterKind::FraudAlert { client: name, station: station.clone() }).await;
    portal.sign_in().post(user, LetterKind::FraudReported { client, station }).await;
    tracing::warn!(user = %user, login = %login.id, "a user reports a login as not theirs; the account is blocked until somebody looks");
    portal.store().close_web_sessions(user, None).await?;
    (page.user, page.full) = (None, false);
    portal.desk().answer(&guest.visit, StatusCode::OK, &ReportPage { page, login, done: true })
}

async fn one(portal: &Portal, guest: &Guest, page: &Shown, id: &str) -> Result<Told, Problem> {
    let logins = recent(portal, guest, page, SHOWN).await?;
    logins.into_iter().find(|login| login.id == id).ok_or(Problem::Missing)
}
