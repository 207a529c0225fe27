//! The demo's page: the VPN client's screen, the phone and the log, moving together.
//!
//! It listens on loopback only, under a path that holds a random token; a request with another Host, or a POST from
//! another Origin, is refused, so that no other site open in the same browser can approve anything. Its buttons are bearer
//! links, which approve in the demo and nowhere else (rules F5), and one of its links makes a tab carol's phone. Everything it needs it serves itself.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::extract::{Query, Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::middleware::{Next, from_fn_with_state, map_response};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use data_encoding::HEXLOWER;
use login::{PhoneAnswer, PromptId, ResolvedUser, Tick};
use serde::Deserialize;
use tokio::net::TcpListener;
use wire::{Code, Secret};

use super::app::Apps;
use super::appliance::{Appliance, Knock};
use super::board::{Board, Tone, Who};
use super::house::{CarolsPhone, House};
use super::people::{ALICE, EVERYBODY, GRACE, Person, VISITOR};
use super::phone::tap;
use crate::engine::{Clock, Engine};
use crate::store::{Act, StoreError};
use crate::web::{self, Door, DoorLimits};

/// Readers of the page at once, and their other requests.
const CONNECTIONS_MAX: usize = 32;
/// A page that waits for a change is answered after so long at the latest.
const VIEW_WITHIN: Duration = Duration::from_secs(20);
/// Logins of visitors that may be under way at once (G1).
const KNOCKS_MAX: usize = 16;
/// A user name and a password have 128 octets at most each; more is no login.
const FIELD_OCTETS_MAX: usize = 128;

/// For so long after a refusal the same login hears it again (rules B2).
const REFUSAL_STANDS: Duration = Duration::from_secs(10);

/// The link that makes a tab carol's phone, beneath the page's address.
pub(super) const CAROLS_PHONE: &str = "carols-phone";

/// What the page works with.
struct Desk {
    board: Arc<Board>,
    engine: Engine,
    vpn: Appliance,
    carols_phone: CarolsPhone,
    apps: Apps,
    address: SocketAddr,
    knocks: Arc<tokio::sync::Semaphore>,
    /// The State that the visitor's last challenge came with, and the login's number on the screen.
    challenge: Mutex<Option<(u64, Vec<u8>)>>,
    /// When the visitor last heard a refusal, for each of our people.
    refused: Mutex<BTreeMap<&'static str, Tick>>,
}

/// Serves the page until the house stops; returns its address, which is the key to it.
pub(super) async fn open(house: &House, port: Option<u16>) -> std::io::Result<String> {
    let listener = TcpListener::bind(("127.0.0.1", port.unwrap_or(0))).await?;
    let address = listener.local_addr()?;
    let token = HEXLOWER.encode(&rand::random::<[u8; 16]>());
    let desk = Arc::new(Desk {
        board: Arc::clone(&house.board),
        engine: house.server.engine().clone(),
        vpn: house.vpn.clone(),
        carols_phone: house.carols_phone(),
        apps: house.apps.clone(),
        address,
        knocks: Arc::new(tokio::sync::Semaphore::new(KNOCKS_MAX)),
        challenge: Mutex::new(None),
        refused: Mutex::default(),
    });
    let pages = routes(&desk, &token);
    let guarded = pages.layer(from_fn_with_state(desk, only_from_here)).layer(map_response(with_headers));
    let limits = DoorLimits {
        connections_max: CONNECTIONS_MAX,
        connection_within: None,
        stop_within: Duration::from_millis(200),
        ..DoorLimits::INSIDE
    };
    let door = Door { name: "demo", certificates: None, trusted_proxies: Arc::default(), limits };
    let telemetry = house.server.telemetry().clone();
    tokio::spawn(web::serve(listener, guarded, door, telemetry, house.cancel().clone()));
    Ok(format!("http://{address}/{token}/"))
}

fn routes(desk: &Arc<Desk>, token: &str) -> Router {
    let at = |name: &str| format!("/{token}/{name}");
    let file =
        |kind: &'static str, text: &'static str| get(move || async move { ([(header::CONTENT_TYPE, kind)], text) });
    Router::new()
        .route(&at(""), file("text/html; charset=utf-8", include_str!("page.html")))
        .route(&at("page.css"), file("text/css; charset=utf-8", include_str!("page.css")))
        .route(&at("page.js"), file("text/javascript; charset=utf-8", include_str!("page.js")))
        .route(&at("view"), get(view))
        .route(&at("apps"), get(apps))
        .route(&at("login"), post(log_in))
        .route(&at("tap"), post(answer))
        .route(&at("let-in-again"), post(let_in_again))
        .route(&at(CAROLS_PHONE), get(be_carols_phone))
        .with_state(Arc::clone(desk))
}

/// Rules F5: bearer links are for this machine's own browser. A name that a stranger's DNS points here is not us.
async fn only_from_here(State(desk): State<Arc<Desk>>, request: Request, next: Next) -> Response {
    if is_from_here(request.headers(), request.method().is_safe(), desk.address) {
        return next.run(request).await;
    }
    (StatusCode::FORBIDDEN, "This page is for the browser of the machine that the demo runs on.\n").into_response()
}

fn is_from_here(headers: &HeaderMap, safe: bool, address: SocketAddr) -> bool {
    let text = |name: HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
    let hosts = [address.to_string(), format!("localhost:{}", address.port())];
    let Some(host) = text(header::HOST).filter(|host| hosts.iter().any(|ours| ours == host)) else { return false };
    match text(header::ORIGIN) {
        Some(origin) => origin == format!("http://{host}"),
        // Browsers name the origin of each POST; without one it is a command line, which no other site can drive.
        None => safe || text(HeaderName::from_static("sec-fetch-site")).is_none(),
    }
}

async fn with_headers(mut response: Response) -> Response {
    let policy = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; \
                  form-action 'self'; base-uri 'none'; frame-ancestors 'none'";
    let headers = response.headers_mut();
    for (name, value) in [
        (header::CONTENT_SECURITY_POLICY, policy),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::CACHE_CONTROL, "no-store"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}

#[derive(Deserialize)]
struct After {
    /// The version of the view that the page has.
    #[serde(default)]
    after: u64,
}

/// The view, as soon as it is another than the page has, or after a while anyway.
async fn view(State(desk): State<Arc<Desk>>, Query(After { after }): Query<After>) -> Json<serde_json::Value> {
    let changed = desk.board.wait_for(|board| (board.version() != after).then_some(()));
    // Not in time: the same view again, so that a page knows that the demo is still there.
    let _ = tokio::time::timeout(VIEW_WITHIN, changed).await;
    let mut view = desk.board.view();
    if let Some(view) = view.as_object_mut() {
        view.insert("shut_out".to_owned(), desk.shut_out().await.into());
    }
    Json(view)
}

/// What the authenticator apps show now.
async fn apps(State(desk): State<Arc<Desk>>) -> Result<Json<serde_json::Value>, StatusCode> {
    let mut screens = Vec::new();
    for person in [ALICE, GRACE] {
        screens.push(desk.apps.screen(&person).await.map_err(|_| StatusCode::SERVICE_UNAVAILABLE)?);
    }
    Ok(Json(serde_json::json!({ "now": desk.board.now().0, "apps": screens })))
}

#[derive(Deserialize)]
struct LetInAgain {
    user: String,
}

/// The way back after *it wasn't me*: what the staff would do, by one button. It is done once the next login is a new one, and no
/// longer the one that was refused.
async fn let_in_again(State(desk): State<Arc<Desk>>, Json(form): Json<LetInAgain>) -> StatusCode {
    let Some(person) = EVERYBODY.iter().find(|person| person.name == form.user) else {
        return StatusCode::BAD_REQUEST;
    };
    desk.clock().wait_until(desk.refusal_stands_until(person.name)).await;
    match desk.unblock(person).await {
        Ok(()) => {
            desk.board.hop(Who::Vpn, Tone::Good, format!("the service desk lets {} in again", person.name));
            StatusCode::NO_CONTENT
        }
        Err(_) => StatusCode::SERVICE_UNAVAILABLE,
    }
}

#[derive(Deserialize)]
struct LogIn {
    user: String,
    password: String,
    /// The answer to the challenge that the screen shows.
    #[serde(default)]
    code: String,
}

/// A visitor logs in, through the real UDP port; the screen shows what comes of it.
async fn log_in(State(desk): State<Arc<Desk>>, Json(form): Json<LogIn>) -> StatusCode {
    let LogIn { user, password, code } = form;
    if user.is_empty() || [&user, &password, &code].iter().any(|field| field.len() > FIELD_OCTETS_MAX) {
        return StatusCode::BAD_REQUEST;
    }
    let Ok(place) = Arc::clone(&desk.knocks).try_acquire_owned() else { return StatusCode::TOO_MANY_REQUESTS };
    let challenge = if code.is_empty() { None } else { desk.take_challenge() };
    let (number, state) = challenge.unzip();
    let password = Secret::new(if state.is_some() { code } else { password });
    tokio::spawn(async move {
        let person = EVERYBODY.iter().find(|person| person.name == user);
        let (number, heard) = desk.vpn.knock_on(number, Knock { user, password, station: VISITOR, state }).await;
        if let (Some(person), Some(Code::AccessReject)) = (person, heard.as_ref().map(|heard| heard.code)) {
            desk.refused.lock().unwrap_or_else(PoisonError::into_inner).insert(person.name, desk.clock().tick());
        }
        desk.keep_challenge(number, heard.and_then(|heard| heard.state));
        drop(place);
    });
    StatusCode::ACCEPTED
}

#[derive(Deserialize)]
struct Tap {
    prompt: String,
    answer: String,
}

/// A button on the phone.
async fn answer(State(desk): State<Arc<Desk>>, Json(form): Json<Tap>) -> StatusCode {
    let octets = HEXLOWER.decode(form.prompt.as_bytes()).unwrap_or_default();
    let answer = match form.answer.as_str() {
        "approve" => PhoneAnswer::Approve,
        "deny" => PhoneAnswer::Deny,
        _ => return StatusCode::BAD_REQUEST,
    };
    let Ok(id) = <[u8; 16]>::try_from(octets) else { return StatusCode::BAD_REQUEST };
    match tap(&desk.board, &desk.engine, PromptId(id), answer).await {
        Ok(_) => StatusCode::NO_CONTENT,
        Err(_) => StatusCode::SERVICE_UNAVAILABLE,
    }
}

/// Sends the tab to the real page, with what activates it in the fragment.
async fn be_carols_phone(State(desk): State<Arc<Desk>>) -> Response {
    let Ok(address) = desk.carols_phone.address().await else {
        return (StatusCode::SERVICE_UNAVAILABLE, "Carol's phone can't be begun now; try again.\n").into_response();
    };
    match HeaderValue::from_bytes(address.expose()) {
        Ok(location) => (StatusCode::SEE_OTHER, [(header::LOCATION, location)]).into_response(),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

impl Desk {
    /// Who reported a login, or was blocked, and gets in nowhere. Somebody of whom the store says nothing now is shown next time.
    async fn shut_out(&self) -> Vec<serde_json::Value> {
        let mut people = Vec::new();
        for person in EVERYBODY {
            let user = self.apps.store.show_user(&ResolvedUser::new(person.name)).await.ok().flatten();
            let Some(user) = user else { continue };
            let reported = user.fraud_reported.is_some();
            if reported || user.blocked.is_some() {
                people.push(serde_json::json!({ "user": person.name, "reported": reported }));
            }
        }
        people
    }

    fn clock(&self) -> Clock {
        self.apps.clock
    }

    /// Until then the same login hears its refusal again (rules B2).
    fn refusal_stands_until(&self, name: &str) -> Tick {
        let refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
        refused.get(name).map_or_else(Tick::default, |at| at.plus(REFUSAL_STANDS))
    }

    /// Written down before it is done, as for everybody who acts (rules F2, F4).
    async fn unblock(&self, person: &Person) -> Result<(), StoreError> {
        let user = ResolvedUser::new(person.name);
        let act = Act {
            by: "the demo's page".into(),
            role: "host".into(),
            what: "unblock".into(),
            user: user.clone(),
            reason: None,
            object: None,
            address: None,
        };
        self.apps.store.write_act(act, self.clock().moment().wall).await?;
        self.apps.store.unblock_user(&user).await
    }

    fn take_challenge(&self) -> Option<(u64, Vec<u8>)> {
        self.challenge.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    fn keep_challenge(&self, number: u64, state: Option<Vec<u8>>) {
        *self.challenge.lock().unwrap_or_else(PoisonError::into_inner) = state.map(|state| (number, state));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HERE: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 8080);

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value))).collect()
    }

    #[test]
    fn another_host_and_another_origin_are_refused() {
        let own = ("host", "127.0.0.1:8080");
        assert!(is_from_here(&headers(&[own]), true, HERE));
        assert!(is_from_here(&headers(&[own, ("origin", "http://127.0.0.1:8080")]), false, HERE));
        assert!(!is_from_here(&headers(&[own, ("origin", "https://evil.example")]), false, HERE));
        assert!(!is_from_here(&headers(&[own, ("origin", "null")]), true, HERE));
        assert!(!is_from_here(&headers(&[("host", "rebound.example:8080")]), true, HERE));
        assert!(!is_from_here(&headers(&[]), true, HERE));
    }

    #[test]
    fn the_page_asks_nobody_else_for_anything() {
        for text in [include_str!("page.html"), include_str!("page.css"), include_str!("page.js")] {
            assert!(!text.contains("http:") && !text.contains("https:") && !text.contains("innerHTML"));
        }
    }
}
