//! The pages of the staff, on a listener of their own: find a user, see how it stands with each login and why, help; and the
//! live board of who waits now.
//!
//! What this room guarantees (rules F4): nobody is let in without a factor and a role, which is looked up for each request;
//! nobody acts on themselves, nor the help desk on admins; each act has a reason, is written down before it is done, and mails
//! the user. All works without JavaScript. What it never does: show a secret (but for an activation code, once), add a method,
//! put anybody into a group, or read a clock but through the engine's.
//!
//! Read in this order: `role` (who may do what), `staff` (who asks), `find` and `user` (what is shown), `history` (records in
//! words), `refused` and `today` (all refusals, and pictures of the day), `deed`, `doing`, `asking` and `performing` (what is done), `letters`, `board` and `events` (the live board), `page` (the frame of all).

mod asking;
mod board;
mod deed;
mod doing;
mod events;
mod find;
mod history;
mod letters;
mod page;
mod performing;
mod rates;
mod refused;
mod role;
mod staff;
mod today;
mod user;

use std::ops::Deref;
use std::sync::Arc;

use axum::Router;
use axum::extract::{FromRequestParts, Request, State};
use axum::http::{HeaderValue, Method, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::get;
use login::Wall;

use crate::config::Config;
use crate::engine::{Clock, Engine};
use crate::hashing::Hasher;
use crate::sign_in::{self, ConfigHandle, SignIn};
use crate::store::{Store, WebRealm};
use crate::telemetry::Telemetry;
use crate::web::{patient, quick};

use board::Board;
use staff::Staff;
use today::Today;

/// What the pages are made of.
#[derive(Clone)]
pub struct AdminParts {
    /// What lasts.
    pub store: Arc<dyn Store>,
    /// Who waits now.
    pub engine: Engine,
    /// The configuration in force, asked at each request.
    pub config: ConfigHandle,
    /// The doors of these pages.
    pub sign_in: SignIn,
    /// The house's clock.
    pub clock: Clock,
    /// What is counted.
    pub telemetry: Telemetry,
    /// Hashes initial PINs beside the threads that serve.
    pub hasher: Hasher,
}

/// The staff's pages. To be served on a listener of their own, behind [`crate::web::guarded`].
pub fn router(parts: AdminParts) -> Router {
    let desk = Desk(Arc::new(Inner { board: Board::default(), today: Today::default(), parts }));
    let pages = Router::new()
        .route("/", get(|| async { Redirect::to("/users") }))
        .route("/users", get(find::show))
        .route("/user", get(user::show))
        .route("/user/{deed}", get(doing::ask).post(doing::perform))
        .route("/refusals", get(refused::show))
        .route("/today", get(today::show))
        .route("/board", get(board::show))
        .route("/board.js", get(|| async { file("text/javascript; charset=utf-8", BOARD_JS) }))
        .route("/admin.css", get(|| async { file("text/css; charset=utf-8", ADMIN_CSS) }))
        .with_state(desk.clone());
    let pages = sign_in::guarded(pages, sign_in::Desk { sign_in: desk.sign_in.clone(), realm: WebRealm::Admin });
    let pages = pages.layer(from_fn_with_state(desk.clone(), staff_alone));
    let events = Router::new().route("/board/events", get(board::events)).with_state(desk.clone());
    let doors = quick(sign_in::routes(desk.sign_in.clone(), WebRealm::Admin));
    quick(pages).merge(patient(events)).merge(doors)
}

/// A form is looked at only for somebody who is of the staff now: also where it was sent before, and its page is shown again
/// (rules F4).
async fn staff_alone(State(desk): State<Desk>, request: Request, next: Next) -> Response {
    let (mut parts, body) = request.into_parts();
    if parts.method == Method::POST
        && let Err(refused) = Staff::from_request_parts(&mut parts, &desk).await
    {
        return refused;
    }
    next.run(Request::from_parts(parts, body)).await
}

const BOARD_JS: &str = include_str!("assets/board.js");
const ADMIN_CSS: &str = include_str!("assets/admin.css");

/// A file of ours. A browser asks again each time: after an upgrade it must not mix old and new.
fn file(kind: &'static str, text: &'static str) -> impl IntoResponse {
    let headers = [(header::CONTENT_TYPE, kind), (header::CACHE_CONTROL, "no-cache")];
    (headers.map(|(name, value)| (name, HeaderValue::from_static(value))), text)
}

/// What all pages share.
#[derive(Clone)]
struct Desk(Arc<Inner>);

struct Inner {
    parts: AdminParts,
    board: Board,
    today: Today,
}

impl Desk {
    fn config(&self) -> Arc<Config> {
        (self.0.parts.config)()
    }

    fn now(&self) -> Wall {
        self.0.parts.clock.moment().wall
    }

    fn today(&self) -> &Today {
        &self.0.today
    }

    fn board(&self) -> &Board {
        &self.0.board
    }
}

impl Deref for Desk {
    type Target = AdminParts;

    fn deref(&self) -> &AdminParts {
        &self.0.parts
    }
}
