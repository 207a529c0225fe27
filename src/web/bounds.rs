//! Bounds that rooms put around their routes: how long a request's body may be and take, and how long the answer.
//!
//! The body is read whole before a route sees it, within its time: so no route waits for a peer that sends an octet a
//! minute, whatever extractor it uses. A route that waits on purpose (a long poll, a stream of events) is `patient`.

use std::time::Duration;

use axum::Router;
use axum::body::{Body, HttpBody, to_bytes};
use axum::extract::{Request, State};
use axum::http::{StatusCode, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};

use super::crowd::Connection;

/// The bounds of some routes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Octets of a request's body; more is answered with 413.
    pub body_max: usize,
    /// How long the body may take to arrive; longer is answered with 408.
    pub body_within: Duration,
    /// How long the route may take; longer is answered with 503. `None`: it waits on purpose, and bounds itself.
    pub answer_within: Option<Duration>,
}

impl Default for Bounds {
    /// A form or a signed answer, and a page in return.
    fn default() -> Self {
        Self { body_max: 16 * 1024, body_within: Duration::from_secs(10), answer_within: Some(Duration::from_secs(20)) }
    }
}

/// Routes that answer at once: small bodies, in time, answered in time.
pub fn quick(routes: Router) -> Router {
    bounded(routes, Bounds::default())
}

/// Routes that wait on purpose, such as a long poll or a stream of events: small bodies in time, answered when they answer.
pub fn patient(routes: Router) -> Router {
    bounded(routes, Bounds { answer_within: None, ..Bounds::default() })
}

/// Routes with bounds of their own.
pub fn bounded(routes: Router, bounds: Bounds) -> Router {
    // The route's own extractors see a body that is bounded already.
    routes.layer(axum::extract::DefaultBodyLimit::disable()).layer(from_fn_with_state(bounds, within))
}

async fn within(State(bounds): State<Bounds>, request: Request, next: Next) -> Response {
    let request = match whole(request, bounds).await {
        Ok(request) => request,
        Err(status) => return refused(status),
    };
    // From here on it is our turn: until the answer is made nobody's newcomer sends this connection away.
    let _works = request.extensions().get::<Connection>().map(Connection::works);
    match bounds.answer_within {
        None => next.run(request).await,
        Some(within) => match tokio::time::timeout(within, next.run(request)).await {
            Ok(response) => response,
            Err(_) => refused(StatusCode::SERVICE_UNAVAILABLE),
        },
    }
}

/// The same request with its body read.
async fn whole(request: Request, bounds: Bounds) -> Result<Request, StatusCode> {
    let (parts, body) = request.into_parts();
    // Said to be too long is too long, before an octet of it is read.
    if usize::try_from(body.size_hint().lower()).map_or(true, |least| least > bounds.body_max) {
        return Err(StatusCode::PAYLOAD_TOO_LARGE);
    }
    match tokio::time::timeout(bounds.body_within, to_bytes(body, bounds.body_max)).await {
        Ok(Ok(octets)) => Ok(Request::from_parts(parts, Body::from(octets))),
        Ok(Err(_)) => Err(StatusCode::PAYLOAD_TOO_LARGE),
        Err(_) => Err(StatusCode::REQUEST_TIMEOUT),
    }
}

/// The connection ends too: what is left of the body is not read.
fn refused(status: StatusCode) -> Response {
    let text = match status {
        StatusCode::PAYLOAD_TOO_LARGE => "This is more than we take.\n",
        StatusCode::REQUEST_TIMEOUT => "This took too long to arrive.\n",
        _ => "This takes too long just now. Try again in a minute.\n",
    };
    (status, [(header::CONNECTION, "close")], text).into_response()
}
