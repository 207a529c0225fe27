//! One app or token: what it is, what its user calls it, how it is set right once it counted on without us, and the way to remove it.

use askama::Template;
use axum::Router;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::{get, post};

use super::app::digits_of;
use super::room::{Far, Guest, Portal, name_of};
use super::words;
use crate::factor::oath::Resynced;
use crate::sign_in::{Asked, Away, Deed, Fields, Problem, Shown, sent_on};
use crate::store::{Token, TokenKind};

pub(super) fn routes() -> Router<Portal> {
    Router::new()
        .route("/tokens/{id}", get(show))
        .route("/tokens/{id}/name", post(rename))
        .route("/tokens/{id}/resync", get(ask_codes).post(resync))
}

#[derive(Template)]
#[template(path = "portal_token.html")]
struct TokenPage {
    page: Shown,
    id: String,
    name: String,
    label: String,
    facts: Vec<(String, String)>,
    may_rename: bool,
    /// It counts presses, and may have counted on without us.
    counts: bool,
    problem: String,
}

#[derive(Template)]
#[template(path = "portal_resync.html")]
struct ResyncPage {
    page: Shown,
    path: String,
    name: String,
    problem: String,
}

/// A token of this very user.
pub(super) async fn token(portal: &Portal, guest: &Guest, id: &str) -> Result<Token, Problem> {
    let tokens = portal.store().list_tokens(guest.user()).await?;
    tokens.into_iter().find(|token| *token.id.0 == *id).ok_or(Problem::Missing)
}

async fn show(State(portal): State<Portal>, asked: Asked, Path(id): Path<String>) -> Result<Response, Problem> {
    let guest = portal.looks(&asked, Far::In).await?;
    page(&portal, &asked, &guest, &id, "").await
}

async fn rename(
    State(portal): State<Portal>,
    asked: Asked,
    Path(id): Path<String>,
    fields: Fields,
) -> Result<Response, Problem> {
    let path = format!("/tokens/{id}");
    let guest = portal.sends(&asked, &fields, Far::Lately(&path)).await?;
    portal.may(|may| may.enrol || may.assign_token)?;
    let token = token(&portal, &guest, &id).await?;
    let Some(name) = name_of(fields.get("label")) else {
        return page(&portal, &asked, &guest, &id, "portal-name-empty").await;
    };
    let deed = Deed::new(guest.user(), "rename_token").on(&id);
    portal.act(&guest, deed, portal.store().rename_token(&token.id, name)).await?;
    Ok(sent_on("/?done=saved", None))
}

async fn ask_codes(State(portal): State<Portal>, asked: Asked, Path(id): Path<String>) -> Result<Response, Problem> {
    let guest = portal.looks(&asked, Far::Lately(&format!("/tokens/{id}/resync"))).await?;
    resync_page(&portal, &asked, &guest, &counting(&portal, &guest, &id).await?, "").await
}

async fn resync(
    State(portal): State<Portal>,
    asked: Asked,
    Path(id): Path<String>,
    fields: Fields,
) -> Result<Response, Problem> {
    let guest = portal.sends(&asked, &fields, Far::Lately(&format!("/tokens/{id}/resync"))).await?;
    let token = counting(&portal, &guest, &id).await?;
    let [first, second] = ["first", "second"].map(|field| digits_of(fields.get(field)));
    let trying = async {
        match portal.sign_in().resync(&guest.signed, &token.id, [&first, &second], guest.address).await? {
            Resynced::Done => Ok(()),
            Resynced::Wrong | Resynced::NoToken => Err(NotInStep::Because("portal-resync-wrong")),
            Resynced::Locked { until: login::Wall::NEVER } => Err(NotInStep::Because("portal-code-locked-for-good")),
            Resynced::Locked { .. } => Err(NotInStep::Because("portal-code-locked")),
        }
    };
    // Each try is written down, and that it failed (rules F2).
    let deed = Deed::new(guest.user(), "resync_token").on(&id).from(guest.address);
    match portal.sign_in().act(deed, trying).await {
        Ok(()) => Ok(sent_on("/?done=token-resynced", None)),
        Err(NotInStep::Because(problem)) => resync_page(&portal, &asked, &guest, &token, problem).await,
        Err(NotInStep::Otherwise(problem)) => Err(problem),
    }
}

/// Why a token is not in step.
enum NotInStep {
    /// A text that says so.
    Because(&'static str),
    Otherwise(Problem),
}

impl From<Away> for NotInStep {
    fn from(away: Away) -> Self {
        Self::Otherwise(away.into())
    }
}

/// A token of this user that counts presses.
async fn counting(portal: &Portal, guest: &Guest, id: &str) -> Result<Token, Problem> {
    Some(token(portal, guest, id).await?).filter(|token| token.kind == TokenKind::Hotp).ok_or(Problem::Missing)
}

async fn resync_page(
    portal: &Portal,
    asked: &Asked,
    guest: &Guest,
    token: &Token,
    problem: &str,
) -> Result<Response, Problem> {
    let page = portal.shown(asked, guest).await?;
    let status = if problem.is_empty() { StatusCode::OK } else { StatusCode::UNPROCESSABLE_ENTITY };
    let shown = ResyncPage {
        path: format!("/tokens/{}", token.id.0),
        name: words::name_of_token(&page, token),
        problem: if problem.is_empty() { String::new() } else { page.t(problem).into() },
        page,
    };
    portal.desk().answer(&guest.visit, status, &shown)
}

async fn page(portal: &Portal, asked: &Asked, guest: &Guest, id: &str, problem: &str) -> Result<Response, Problem> {
    let token = token(portal, guest, id).await?;
    let page = portal.shown(asked, guest).await?;
    let may = portal.portal()?.users_may;
    let status = if problem.is_empty() { StatusCode::OK } else { StatusCode::UNPROCESSABLE_ENTITY };
    let shown = TokenPage {
        id: token.id.0.to_string(),
        name: words::name_of_token(&page, &token),
        label: token.label.as_deref().unwrap_or_default().to_owned(),
        facts: vec![
            (page.t("portal-fact-kind").into(), words::name_of_method(&page, token.kind.method())),
            (page.t("portal-fact-added").into(), words::day(token.added_at)),
        ],
        may_rename: may.enrol || may.assign_token,
        counts: token.kind == TokenKind::Hotp,
        problem: if problem.is_empty() { String::new() } else { page.t(problem).into() },
        page,
    };
    portal.desk().answer(&guest.visit, status, &shown)
}
