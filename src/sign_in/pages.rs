//! The pages of the sign-in, the same for portal and staff; and what every page of both is shown in.
//!
//! Server-rendered and whole without a script. A form changes something only by POST, with the token of its page; a GET never
//! does. After the sign-in a browser goes to a path of ours, never to what a stranger's link says.

mod agent;
mod asked;
mod once;
mod second;
mod sessions;
mod shown;

use askama::Template;
use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{Html, IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use wire::Secret;

use super::password::{PasswordTried, Typed};
use super::session::Visit;
use super::{Away, SignIn};
use crate::store::{WebRealm, WebStep};

pub use asked::{Asked, Fields, Problem, guarded};
pub use once::once;
pub use second::{prompt_of, word_of};
pub use shown::{Shown, local_path};

/// What the handlers of a realm share.
#[derive(Clone)]
pub struct Desk {
    /// The doors.
    pub sign_in: SignIn,
    /// Whose pages.
    pub realm: WebRealm,
}

/// The sign-in's routes: `/sign-in…`, `/sign-out`, and the files that every page needs. Bounds are the caller's.
pub fn routes(sign_in: SignIn, realm: WebRealm) -> Router {
    let desk = Desk { sign_in, realm };
    let routes = Router::new()
        .route("/sign-in", get(show).post(enter))
        .route("/sign-out", post(leave))
        .merge(second::routes())
        .merge(sessions::routes())
        .with_state(desk.clone());
    guarded(routes, desk).merge(files())
}

/// SVG is text: it says in which characters it is written.
const PICTURE: &str = "image/svg+xml; charset=utf-8";

/// The style sheet, the script and the mark: the same for everybody, so that they may be kept for an hour.
fn files() -> Router {
    let file = |kind: &'static str, text: &'static str| {
        let headers = [(header::CONTENT_TYPE, kind), (header::CACHE_CONTROL, "public, max-age=3600")];
        get(move || std::future::ready((headers, text)))
    };
    Router::new()
        .route("/house.css", file("text/css; charset=utf-8", include_str!("../web/assets/house.css")))
        .route("/house.js", file("text/javascript; charset=utf-8", include_str!("../web/assets/house.js")))
        .route("/house.svg", file(PICTURE, include_str!("../web/assets/house.svg")))
        .route("/picture/phone.svg", file(PICTURE, include_str!("../web/assets/picture/phone.svg")))
        .route("/picture/qr.svg", file(PICTURE, include_str!("../web/assets/picture/qr.svg")))
        .route("/picture/key.svg", file(PICTURE, include_str!("../web/assets/picture/key.svg")))
        .route("/picture/codes.svg", file(PICTURE, include_str!("../web/assets/picture/codes.svg")))
        .route("/picture/pin.svg", file(PICTURE, include_str!("../web/assets/picture/pin.svg")))
}

#[derive(Template)]
#[template(path = "sign_in_password.html")]
struct PasswordPage {
    page: Shown,
    name: String,
    refused: bool,
    /// The password was just changed.
    changed: bool,
}

async fn show(State(desk): State<Desk>, asked: Asked) -> Result<Response, Problem> {
    let visit = desk.visit(&asked).await?;
    if let Some(signed) = &visit.signed {
        return Ok(Redirect::to(next_of(signed.step)).into_response());
    }
    let page = desk.shown(&asked, &visit).await?;
    let changed = asked.query == "said=password";
    desk.answer(&visit, StatusCode::OK, &PasswordPage { page, name: String::new(), refused: false, changed })
}

async fn enter(State(desk): State<Desk>, asked: Asked, fields: Fields) -> Result<Response, Problem> {
    let visit = desk.genuine(&asked, &fields).await?;
    let (name, password) = (fields.get("name"), Secret::new(fields.get("password")));
    let typed = Typed {
        realm: desk.realm,
        visit: &visit,
        headers: &asked.headers,
        address: asked.address,
        name,
        password: &password,
    };
    match desk.sign_in.password(typed).await? {
        PasswordTried::Right(signed, line) => Ok(sent_on(next_of(signed.step), Some(line))),
        PasswordTried::Refused => {
            let page = desk.shown(&asked, &visit).await?;
            let name = name.to_owned();
            let shown = PasswordPage { page, name, refused: true, changed: false };
            desk.answer(&visit, StatusCode::UNPROCESSABLE_ENTITY, &shown)
        }
    }
}

async fn leave(State(desk): State<Desk>, asked: Asked, fields: Fields) -> Result<Response, Problem> {
    let visit = desk.genuine(&asked, &fields).await?;
    let line = match &visit.signed {
        Some(signed) => Some(desk.sign_in.sign_out(signed).await?),
        None => None,
    };
    Ok(cleared(sent_on("/sign-in", line)))
}

/// Where a session of this step goes on.
fn next_of(step: WebStep) -> &'static str {
    match step {
        WebStep::Password => "/sign-in/second",
        WebStep::Pin => "/pin",
        WebStep::Enrolling | WebStep::Full => "/",
    }
}

/// See Other, with the cookie if it changed.
#[must_use]
pub fn sent_on(path: &str, line: Option<HeaderValue>) -> Response {
    let mut response = Redirect::to(path).into_response();
    if let Some(line) = line {
        response.headers_mut().append(header::SET_COOKIE, line);
    }
    response
}

/// The answer that ends a session: the browser forgets what it keeps of these pages (W3C Clear Site Data §3.1). They are `no-store`,
/// so that there is little; what a browser set aside for its Back button goes with it. Never `"storage"`: on the same origin the
/// phone's page keeps its key there.
#[must_use]
pub fn cleared(mut response: Response) -> Response {
    response.headers_mut().insert("clear-site-data", HeaderValue::from_static("\"cache\""));
    response
}

impl Desk {
    /// Who sent this request.
    ///
    /// # Errors
    /// The store.
    pub async fn visit(&self, asked: &Asked) -> Result<Visit, Away> {
        self.sign_in.visit(self.realm, &asked.headers).await
    }

    /// Who sent this form, if it is a form of ours.
    ///
    /// # Errors
    /// [`Problem::Forged`], or the store.
    pub async fn genuine(&self, asked: &Asked, fields: &Fields) -> Result<Visit, Problem> {
        let visit = self.visit(asked).await?;
        let genuine = self.sign_in.genuine(self.realm, &visit, &asked.headers, fields.get("csrf"));
        genuine.map_err(|_| Problem::Forged)?;
        Ok(visit)
    }

    /// A page, with the cookie that its forms are tied to.
    ///
    /// # Errors
    /// A mistake of ours in the template.
    pub fn answer(&self, visit: &Visit, status: StatusCode, page: &impl Template) -> Result<Response, Problem> {
        let mut headers = HeaderMap::new();
        if visit.fresh {
            headers.insert(header::SET_COOKIE, self.sign_in.set_cookie(self.realm, &visit.cookie)?);
        }
        // Nobody keeps it, and Back asks again: what it showed may be over.
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        let html = page.render().map_err(|_| Away::of("a page could not be written"))?;
        Ok((status, headers, Html(html)).into_response())
    }
}
