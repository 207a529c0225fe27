//! A hardware token, by the secret that came with it and a code that it shows.
//!
//! The store knows tokens by their users only, so that a serial number alone leads nowhere: who has no secret at hand is told to
//! take the token to the help desk.

use askama::Template;
use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::get;
use wire::Secret;

use super::app::{add, confirms, digits_of};
use super::room::{Far, Guest, NotMade, Portal, name_of};
use crate::enrolment::seed_of_base32;
use crate::mail::Method;
use crate::sign_in::{Asked, Fields, Problem, Shown};
use crate::store::{Algorithm, NewToken, TokenKind};

pub(super) fn routes() -> Router<Portal> {
    Router::new().route("/hardware", get(show).post(confirm))
}

#[derive(Template)]
#[template(path = "portal_hardware.html")]
struct HardwarePage {
    page: Shown,
    name: String,
    /// Which field is wrong: `secret`, `code`, none; or `twice`: the user has this very token.
    about: &'static str,
    kind: String,
    hash: &'static str,
}

/// The hashes of RFC 6238 §1.2, the usual one first.
const HASHES: [(&str, Algorithm); 3] =
    [("sha1", Algorithm::Sha1), ("sha256", Algorithm::Sha256), ("sha512", Algorithm::Sha512)];

fn hash_of(fields: &Fields) -> (&'static str, Algorithm) {
    let named = HASHES.into_iter().find(|(word, _)| *word == fields.get("hash"));
    named.unwrap_or(("sha1", Algorithm::Sha1))
}

async fn show(State(portal): State<Portal>, asked: Asked) -> Result<Response, Problem> {
    let guest = portal.looks(&asked, Far::Making("/hardware")).await?;
    portal.may(|may| may.assign_token)?;
    page(&portal, &asked, &guest, &Fields::default(), "").await
}

async fn confirm(State(portal): State<Portal>, asked: Asked, fields: Fields) -> Result<Response, Problem> {
    let guest = portal.sends(&asked, &fields, Far::Making("/hardware")).await?;
    portal.may(|may| may.assign_token)?;
    let Ok(seed) = seed_of_base32(&Secret::new(fields.get("secret"))) else {
        return page(&portal, &asked, &guest, &fields, "secret").await;
    };
    let code = digits_of(fields.get("code"));
    let kind = match fields.get("kind") {
        "totp60" => TokenKind::Totp { period_s: 60 },
        "hotp" => TokenKind::Hotp,
        _ => TokenKind::Totp { period_s: 30 },
    };
    // The code itself says how many digits the token shows.
    let digits = if code.len() == 8 { 8 } else { 6 };
    let label = name_of(fields.get("label"));
    let token = NewToken { kind, seed, digits, algorithm: hash_of(&fields).1, label, used: None };
    let Some(used) = confirms(&portal, &token, &code) else {
        return page(&portal, &asked, &guest, &fields, "code").await;
    };
    match add(&portal, &guest, NewToken { used: Some(used), ..token }, Method::HardwareToken).await {
        Ok(added) => Ok(added),
        Err(NotMade::Twice) => page(&portal, &asked, &guest, &fields, "twice").await,
        Err(NotMade::Otherwise(problem)) => Err(problem),
    }
}

async fn page(
    portal: &Portal,
    asked: &Asked,
    guest: &Guest,
    fields: &Fields,
    about: &'static str,
) -> Result<Response, Problem> {
    let status = if about.is_empty() { StatusCode::OK } else { StatusCode::UNPROCESSABLE_ENTITY };
    let (name, kind) = (fields.get("label").to_owned(), fields.get("kind").to_owned());
    let (page, hash) = (portal.shown(asked, guest).await?, hash_of(fields).0);
    let shown = HardwarePage { page, name, about, kind, hash };
    portal.desk().answer(&guest.visit, status, &shown)
}
