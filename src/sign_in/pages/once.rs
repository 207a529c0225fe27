//! Around every route with a form: a form that is sent twice is done once, and shows twice what it came to (`sends`).
//!
//! Whoever is signed in and leaves before the answer, as a browser does at a double click, has it done all the same: so whoever
//! sends it again finds what it came to, and never half of it. What is refused for another reason than what was typed is not
//! remembered: it may be tried again.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Form, FromRequest, Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use sha2::{Digest, Sha256};
use wire::Secret;

use super::{Desk, Problem};
use crate::sign_in::Away;
use crate::sign_in::sends::{AGAIN_WITHIN, Doing, From, Outcome, Turn};
use crate::sign_in::session::Cookie;

/// Octets of a page that answers a form.
const PAGE_OCTETS_MAX: usize = 1024 * 1024;

/// Routes whose forms are done once.
pub fn once(routes: Router, desk: Desk) -> Router {
    if std::env::var_os("RED").is_some() {
        return routes;
    }
    routes.layer(from_fn_with_state(desk, done_once))
}

async fn done_once(State(desk): State<Desk>, request: Request, next: Next) -> Response {
    let Some(cookie) = desk.sign_in.cookie(desk.realm, request.headers()) else { return next.run(request).await };
    desk.sign_in.sends().arrived(&cookie.hash(), desk.sign_in.moment().tick);
    if request.method() != Method::POST || !desk.sign_in.is_from_here(desk.realm, request.headers()) {
        return next.run(request).await;
    }
    match Send::read(request).await {
        Ok((form, request)) => desk.sent(cookie, &form, request, next).await,
        Err(Ok(request)) => next.run(request).await,
        Err(Err(status)) => status.into_response(),
    }
}

/// What makes a form the same as another.
struct Send {
    /// Path, query and fields, but not the token.
    act: [u8; 32],
    token: String,
}

impl Send {
    /// The form of a request, and the request as it was; or the request alone, where it is no form.
    async fn read(request: Request) -> Result<(Self, Request), Result<Request, StatusCode>> {
        let (parts, body) = request.into_parts();
        let octets = to_bytes(body, PAGE_OCTETS_MAX).await.map_err(|_| Err(StatusCode::PAYLOAD_TOO_LARGE))?;
        let copy = Request::from_parts(parts.clone(), Body::from(octets.clone()));
        let request = Request::from_parts(parts, Body::from(octets));
        let Ok(Form(fields)) = Form::<Vec<(String, String)>>::from_request(copy, &()).await else {
            return Err(Ok(request));
        };
        let token = fields.iter().find(|(key, _)| key == "csrf").map(|(_, value)| value.clone()).unwrap_or_default();
        let mut act = Sha256::new();
        let mut add = |text: &str| {
            act.update(u64::try_from(text.len()).unwrap_or(u64::MAX).to_be_bytes());
            act.update(text);
        };
        add(request.uri().path());
        add(request.uri().query().unwrap_or_default());
        for (key, value) in fields.iter().filter(|(key, _)| key != "csrf") {
            add(key);
            add(value);
        }
        Ok((Self { act: act.finalize().into(), token }, request))
    }
}

impl Desk {
    async fn sent(&self, cookie: Cookie, form: &Send, request: Request, next: Next) -> Response {
        let visit = match self.sign_in.visit(self.realm, request.headers()).await {
            Ok(visit) => visit,
            Err(away) => return Problem::Away(away).into_response(),
        };
        let signed = visit.signed.is_some();
        let from = From { id: cookie.hash(), whose: self.sign_in.whose(self.realm, &cookie, &form.token), signed };
        let token = Sha256::digest(&form.token).into();
        loop {
            match self.sign_in.sends().turn(&from, form.act, token, self.sign_in.moment().tick) {
                Turn::First(doing) => return self.first(cookie, signed, doing, request, next).await,
                Turn::Done(outcome) => return self.once_more(&from.id, &outcome).await,
                Turn::Waits(waits) => {
                    if let Some(outcome) = waits.end().await {
                        return self.once_more(&from.id, &outcome).await;
                    }
                    // Whoever did it left: now it is our turn, or another's who waited.
                }
                // Whoever it is for says why.
                Turn::Refused => return next.run(request).await,
            }
        }
    }

    async fn first(&self, cookie: Cookie, signed: bool, doing: Doing, request: Request, next: Next) -> Response {
        let desk = self.clone();
        let work = async move {
            let response = next.run(request).await;
            desk.came_to(&cookie, signed, &doing, response).await
        };
        // A stranger's work ends with the stranger (rules G1): what opens a session then is done anew.
        let outcome = if signed { self.sign_in.engine().to_its_end(work).await } else { Some(work.await) };
        match outcome {
            Some(outcome) => outcome.told(true),
            None => Problem::Away(Away::of("a form broke off")).into_response(),
        }
    }

    async fn came_to(&self, cookie: &Cookie, signed: bool, doing: &Doing, response: Response) -> Arc<Outcome> {
        let (mut parts, body) = response.into_parts();
        // Nothing of ours streams an answer to a form, or is this long.
        let page = to_bytes(body, PAGE_OCTETS_MAX).await.unwrap_or_default();
        let line = parts.headers.remove(header::SET_COOKIE);
        let after = line.as_ref().and_then(|line| self.sign_in.cookie_in(self.realm, line));
        let outcome = Outcome {
            status: parts.status,
            headers: parts.headers,
            turned: line.is_some(),
            cookie: line.as_ref().map(|line| Secret::new(line.as_bytes())),
            page: Mutex::new(Some(Secret::new(&page[..]))),
            done_at: self.sign_in.moment().tick,
            before: cookie.hash(),
            after: after.as_ref().map(Cookie::hash),
        };
        let told = outcome.status.is_success()
            || outcome.status.is_redirection()
            || matches!(outcome.status, StatusCode::UNPROCESSABLE_ENTITY | StatusCode::CONFLICT);
        // A stranger fills no memory but by signing in.
        let keep = told && (signed || after.is_some());
        self.sign_in.sends().done(doing, outcome, keep, self.sign_in.key_of(self.realm, cookie))
    }

    /// What a form came to, for who sent it once more.
    async fn once_more(&self, id: &[u8; 32], outcome: &Outcome) -> Response {
        let within = self.sign_in.moment().tick.since(outcome.done_at) < AGAIN_WITHIN;
        let same_click = within && *id == outcome.before;
        // An id is handed out once more only to who can't have it yet.
        let with_cookie = same_click && (outcome.after.is_none() || self.sign_in.sends().is_on_its_way(outcome));
        if outcome.status.is_redirection() || same_click {
            return outcome.told(with_cookie);
        }
        match self.sign_in.lives(self.realm, &outcome.after.unwrap_or(outcome.before)).await {
            Ok(true) => outcome.told(false),
            Ok(false) => Problem::SignIn.into_response(),
            Err(away) => Problem::Away(away).into_response(),
        }
    }
}

impl Outcome {
    fn told(&self, with_cookie: bool) -> Response {
        let Some(page) = self.page() else { return Problem::SentAlready.into_response() };
        let mut headers: HeaderMap = self.headers.clone();
        let line =
            self.cookie.as_ref().filter(|_| with_cookie).and_then(|line| HeaderValue::from_bytes(line.expose()).ok());
        if let Some(line) = line {
            headers.insert(header::SET_COOKIE, line);
        }
        (self.status, headers, Body::from(page.expose().to_vec())).into_response()
    }
}
