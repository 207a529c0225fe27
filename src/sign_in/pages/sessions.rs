//! Where somebody is signed in: each browser with its place and time, to be signed out one by one or all at once.
//!
//! The same page for users and staff; each sees their own sessions only, of the portal and of the staff's pages.

use askama::Template;
use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::get;
use jiff::Timestamp;
use login::Wall;

use super::agent::browser_of;
use super::{Asked, Desk, Fields, Problem, Shown, cleared, sent_on};
use crate::sign_in::handle_of;
use crate::sign_in::session::{Signed, Visit};
use crate::store::{WebRealm, WebStep};

pub(super) fn routes() -> Router<Desk> {
    Router::new().route("/sessions", get(show).post(end))
}

struct Row {
    handle: String,
    browser: String,
    address: String,
    /// RFC 3339, for `<time>`.
    began: String,
    seen: String,
    ours: bool,
    staff: bool,
    /// Only the password was right so far.
    half: bool,
}

impl Row {
    fn began_text(&self) -> String {
        self.began.replace('T', " ").replace('Z', " UTC")
    }

    fn seen_text(&self) -> String {
        self.seen.replace('T', " ").replace('Z', " UTC")
    }
}

#[derive(Template)]
#[template(path = "sign_in_sessions.html")]
struct SessionsPage {
    page: Shown,
    rows: Vec<Row>,
    ended: bool,
}

async fn show(State(desk): State<Desk>, asked: Asked) -> Result<Response, Problem> {
    let visit = desk.visit(&asked).await?;
    let signed = full(&visit)?;
    let ended = asked.query == "done=ended";
    let rows = desk.sign_in.sessions(signed).await?.into_iter().map(|one| Row {
        handle: handle_of(&one.id),
        browser: browser_of(one.agent.as_deref().unwrap_or_default()),
        address: one.session.address.to_string(),
        began: time(one.session.began_at),
        seen: time(one.seen_at),
        ours: one.id == signed.id(),
        staff: one.realm == WebRealm::Admin,
        half: one.session.step != WebStep::Full,
    });
    let mut rows: Vec<Row> = rows.collect();
    rows.sort_by_key(|row| !row.ours);
    let shown = SessionsPage { rows, ended, page: desk.shown(&asked, &visit).await? };
    desk.answer(&visit, StatusCode::OK, &shown)
}

/// One, by its handle; or `all`, this one with them.
async fn end(State(desk): State<Desk>, asked: Asked, fields: Fields) -> Result<Response, Problem> {
    let visit = desk.genuine(&asked, &fields).await?;
    let signed = full(&visit)?;
    match fields.get("session") {
        "all" => {
            let line = desk.sign_in.sign_out_everywhere(signed, asked.address).await?;
            Ok(cleared(sent_on("/sign-in", Some(line))))
        }
        handle if handle == handle_of(&signed.id()) => {
            let line = desk.sign_in.sign_out(signed).await?;
            Ok(cleared(sent_on("/sign-in", Some(line))))
        }
        handle => {
            // One that is over is ended as was wished.
            desk.sign_in.end_session(signed, handle, asked.address).await?;
            Ok(Redirect::to("/sessions?done=ended").into_response())
        }
    }
}

/// Ending a session needs no fresh factor: it only ever takes away.
fn full(visit: &Visit) -> Result<&Signed, Problem> {
    match &visit.signed {
        Some(signed) if signed.is_full() => Ok(signed),
        Some(signed) if signed.step == WebStep::Password => Err(Problem::Second("/sessions".to_owned())),
        Some(_) | None => Err(Problem::SignIn),
    }
}

fn time(at: Wall) -> String {
    let stamp = i64::try_from(at.0).ok().and_then(|millis| Timestamp::from_millisecond(millis).ok());
    stamp.unwrap_or(Timestamp::MAX).strftime("%Y-%m-%dT%H:%MZ").to_string()
}
