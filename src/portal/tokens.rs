//! One app or token: what it is, what its user calls it, and the way to remove it.

use askama::Template;
use axum::Router;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::{get, post};

use super::room::{Far, Guest, Portal, name_of};
use super::words;
use crate::sign_in::{Asked, Deed, Fields, Problem, Shown, sent_on};
use crate::store::Token;

pub(super) fn routes() -> Router<Portal> {
    Router::new().route("/tokens/{id}", get(show)).route("/tokens/{id}/name", post(rename))
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
        problem: if problem.is_empty() { String::new() } else { page.t(problem).into() },
        page,
    };
    portal.desk().answer(&guest.visit, status, &shown)
}
