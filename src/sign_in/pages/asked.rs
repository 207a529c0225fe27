//! What a handler is given and what it gives up with: the request's own facts, the fields of a form, and problems that are
//! told on a page of their own.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use askama::Template;
use axum::extract::{Form, FromRequest, FromRequestParts, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{Html, IntoResponse, Redirect, Response};
use axum::{Extension, Router};
use ipnet::IpNet;

use super::{Desk, Shown, local_path, once};
use crate::enrolment::EnrolmentError;
use crate::sign_in::Away;
use crate::store::StoreError;
use crate::telemetry::PageDenial;
use crate::web::{ClientAddress, Way};

/// A request's own facts.
#[derive(Clone, Debug)]
pub struct Asked {
    /// Its headers.
    pub headers: HeaderMap,
    /// What stands behind the `?` of its address.
    pub query: String,
    /// Whose it is: nobody can choose it but a named proxy (rules F3).
    pub address: IpAddr,
    way: Option<Way>,
}

impl Asked {
    /// Whether it came from these networks, and from nobody outside through somebody inside (rules F3).
    pub(in crate::sign_in) fn is_from(&self, networks: &[IpNet]) -> bool {
        self.way.as_ref().is_some_and(|way| way.lies_in(&self.headers, networks))
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Asked {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Self::Rejection> {
        let address = Extension::<ClientAddress>::from_request_parts(parts, state).await;
        let nobody = IpAddr::V4(Ipv4Addr::UNSPECIFIED);
        let address = address.map_or(nobody, |Extension(ClientAddress(address))| address);
        let query = parts.uri.query().unwrap_or_default().to_owned();
        let way = parts.extensions.get::<Way>().cloned();
        Ok(Self { headers: parts.headers.clone(), query, address, way })
    }
}

/// The fields of a form; one that is missing is empty.
#[derive(Clone, Default)]
pub struct Fields(Vec<(String, String)>);

impl Fields {
    /// The first field of this name.
    #[must_use]
    pub fn get(&self, name: &str) -> &str {
        self.0.iter().find(|(key, _)| key == name).map_or("", |(_, value)| value)
    }
}

impl<S: Send + Sync> FromRequest<S> for Fields {
    type Rejection = StatusCode;

    async fn from_request(request: Request, state: &S) -> Result<Self, StatusCode> {
        let read = Form::<Vec<(String, String)>>::from_request(request, state).await;
        read.map(|Form(fields)| Self(fields)).map_err(|_| StatusCode::BAD_REQUEST)
    }
}

/// Why a request is not done. Each has a page that says what to do.
#[derive(Clone, Debug)]
pub enum Problem {
    /// Another site's form, or one of a page that is too old.
    Forged,
    /// Nobody is signed in: to the sign-in.
    SignIn,
    /// A factor is owed, or must be proved anew, before this path.
    Second(String),
    /// The own PIN is set before anything else.
    OwnPin,
    /// Users may not do this here: who helps is on the page.
    NotAllowed,
    /// There is no such thing.
    Missing,
    /// This form was sent before, and what it came to is not kept any more.
    SentAlready,
    /// Not now.
    Away(Away),
}

impl From<Away> for Problem {
    fn from(away: Away) -> Self {
        Self::Away(away)
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        match error.refusal() {
            Ok(_) => Self::Missing,
            Err(error) => Self::Away(error.into()),
        }
    }
}

impl From<EnrolmentError> for Problem {
    fn from(error: EnrolmentError) -> Self {
        match error {
            EnrolmentError::Store(error) => error.into(),
            error @ (EnrolmentError::Seed(_)
            | EnrolmentError::Digits(_)
            | EnrolmentError::Period(_)
            | EnrolmentError::Counter
            | EnrolmentError::NoRandomness
            | EnrolmentError::BringsNoKey(_)
            | EnrolmentError::Address(_)
            | EnrolmentError::ServerKey) => Self::Away(Away::of(&error.to_string())),
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = match &self {
            Self::SignIn => return Redirect::to("/sign-in").into_response(),
            Self::Second(then) if then.is_empty() => return Redirect::to("/sign-in/second").into_response(),
            Self::OwnPin => return Redirect::to("/pin").into_response(),
            // What stands in a path was decoded: only a path of ours goes into a header (no header injection, no open redirect).
            Self::Second(then) => {
                let then = local_path(then);
                return Redirect::to(&format!("/sign-in/second?then={then}")).into_response();
            }
            Self::Forged | Self::NotAllowed => StatusCode::FORBIDDEN,
            Self::Missing => StatusCode::NOT_FOUND,
            Self::SentAlready => StatusCode::CONFLICT,
            // Told where it is shown: a stranger can bring many about.
            Self::Away(_) => StatusCode::SERVICE_UNAVAILABLE,
        };
        let mut response = status.into_response();
        response.extensions_mut().insert(Arc::new(self));
        response
    }
}

#[derive(Template)]
#[template(path = "sign_in_problem.html")]
struct ProblemPage {
    page: Shown,
    title: String,
    text: String,
    /// Who helps stands beside it.
    desk_helps: bool,
}

/// Routes whose forms are done once, and whose problems are told on a page, in the reader's language.
pub fn guarded(routes: Router, desk: Desk) -> Router {
    // Told within, so that it is the page which is shown once more; and outside, for what is told before a route is asked.
    let told_of = once(routes.layer(from_fn_with_state(desk.clone(), told)), desk.clone());
    told_of.layer(from_fn_with_state(desk, told))
}

async fn told(State(desk): State<Desk>, asked: Asked, request: Request, next: Next) -> Response {
    let path = request.uri().path().to_owned();
    let response = next.run(request).await;
    let Some(problem) = response.extensions().get::<Arc<Problem>>().cloned() else { return response };
    let denial = match *problem {
        Problem::Forged => Some(PageDenial::Forged),
        Problem::NotAllowed => Some(PageDenial::SwitchedOff),
        Problem::SignIn
        | Problem::Second(_)
        | Problem::OwnPin
        | Problem::Missing
        | Problem::SentAlready
        | Problem::Away(_) => None,
    };
    if let Some(why) = denial {
        desk.sign_in.tell_denied(desk.realm, why, &path, &asked).await;
    }
    if let Problem::Away(away) = &*problem {
        desk.sign_in.tell_away(desk.realm, away);
    }
    let page = desk.plain(&asked);
    let (title, text) = match *problem {
        Problem::Forged => (page.t("portal-problem-old"), page.t("portal-problem-old-text")),
        Problem::NotAllowed => (page.t("portal-problem-not-allowed"), page.t("portal-problem-not-allowed-text")),
        Problem::Missing => (page.t("portal-problem-missing"), page.t("portal-problem-missing-text")),
        Problem::SentAlready => (page.t("portal-problem-sent"), page.t("portal-problem-sent-text")),
        Problem::SignIn | Problem::Second(_) | Problem::OwnPin | Problem::Away(_) => {
            (page.t("portal-problem-away"), page.t("portal-problem-away-text"))
        }
    };
    let status = response.status();
    let desk_helps = matches!(*problem, Problem::NotAllowed);
    let shown = ProblemPage { title: title.into(), text: text.into(), desk_helps, page };
    shown.render().map_or(response, |html| (status, Html(html)).into_response())
}
