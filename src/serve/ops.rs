//! What a monitoring system asks: `/metrics`, `/healthz`, `/readyz`.
//!
//! `/healthz` answers 200 while the process lives. `/readyz` answers 200 when sockets, store and policy stand, else 503 with
//! the reasons, one a line; upstreams don't count, because a dead upstream is no reason to take a working node out. No page
//! tells a version to strangers: only the metrics do, whose address is the administrator's choice (rules F6). None changes anything.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::telemetry::Telemetry;
use crate::web::{self, Door, DoorLimits};

/// What must stand before appliances should be sent here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    /// The RADIUS sockets are bound and read.
    Sockets,
    /// The store can be read and written.
    Store,
    /// A policy is in force.
    Policy,
}

impl Part {
    /// Every part.
    pub const ALL: [Self; 3] = [Self::Sockets, Self::Store, Self::Policy];

    /// The word at the start of a reason.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Sockets => "sockets",
            Self::Store => "store",
            Self::Policy => "policy",
        }
    }
}

/// Whether this node should be asked. Clones share what they know; at first nothing stands.
#[derive(Clone, Debug)]
pub struct Readiness(Arc<Mutex<Standing>>);

#[derive(Debug)]
struct Standing {
    missing: BTreeMap<Part, String>,
    stopping: bool,
}

impl Default for Readiness {
    fn default() -> Self {
        Self::new()
    }
}

impl Readiness {
    /// Nothing stands yet.
    #[must_use]
    pub fn new() -> Self {
        let missing = Part::ALL.into_iter().map(|part| (part, "not started yet".to_owned())).collect();
        Self(Arc::new(Mutex::new(Standing { missing, stopping: false })))
    }

    /// A part stands.
    pub fn stands(&self, part: Part) {
        self.state().missing.remove(&part);
    }

    /// A part does not stand; `why` is shown to whoever asks, so it names no user and no secret.
    pub fn falls(&self, part: Part, why: impl Into<String>) {
        self.state().missing.insert(part, why.into());
    }

    /// The server drains: from now on 503, whatever stands, so that a balancer sends new logins elsewhere (rules G3).
    pub fn stops(&self) {
        self.state().stopping = true;
    }

    /// Why this node should not be asked; empty when it should.
    #[must_use]
    pub fn reasons(&self) -> Vec<String> {
        let state = self.state();
        let stopping = state.stopping.then(|| "stopping".to_owned());
        let missing = state.missing.iter().map(|(part, why)| format!("{}: {}", part.as_str(), one_line(why)));
        stopping.into_iter().chain(missing).collect()
    }

    fn state(&self) -> MutexGuard<'_, Standing> {
        // A panic elsewhere can't leave the map half changed.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn one_line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

/// Serves the pages on a bound listener until cancelled.
pub async fn serve(
    listener: TcpListener,
    limits: DoorLimits,
    telemetry: Telemetry,
    readiness: Readiness,
    cancel: CancellationToken,
) {
    let pages = pages(telemetry.clone(), readiness);
    web::serve(listener, pages, door(limits), telemetry, cancel).await;
}

fn door(limits: DoorLimits) -> Door {
    Door { name: "metrics", certificates: None, trusted_proxies: Arc::default(), limits }
}

/// The three pages.
pub fn pages(telemetry: Telemetry, readiness: Readiness) -> Router {
    Router::new()
        .route("/metrics", get(metrics).with_state(telemetry))
        .route("/healthz", get(healthz))
        .route("/readyz", get(readyz).with_state(readiness))
}

/// The type that Prometheus's text format has.
const PROMETHEUS_TEXT: &str = "text/plain; version=0.0.4; charset=utf-8";

async fn metrics(State(telemetry): State<Telemetry>) -> impl IntoResponse {
    ([(header::CONTENT_TYPE, PROMETHEUS_TEXT), (header::CACHE_CONTROL, "no-store")], telemetry.render())
}

async fn healthz() -> Response {
    page(StatusCode::OK, "alive")
}

async fn readyz(State(readiness): State<Readiness>) -> Response {
    let reasons = readiness.reasons();
    if reasons.is_empty() {
        page(StatusCode::OK, "ready")
    } else {
        page(StatusCode::SERVICE_UNAVAILABLE, &reasons.join("\n"))
    }
}

fn page(status: StatusCode, text: &str) -> Response {
    let headers = [(header::CONTENT_TYPE, "text/plain; charset=utf-8"), (header::CACHE_CONTROL, "no-store")];
    (status, headers, format!("{text}\n")).into_response()
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;
    use std::time::Duration;

    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpStream;
    use tokio::task::JoinHandle;
    use tokio::time::timeout;

    use super::*;

    /// No limit of these ends a test early; each test sets the one that it is about.
    const NO_HURRY: DoorLimits = DoorLimits {
        connections_max: 8,
        connections_per_address_max: 8,
        held_max: 8,
        handshake_within: HOUR,
        headers_within: HOUR,
        connection_within: None,
        stop_within: HOUR,
    };
    const HOUR: Duration = Duration::from_secs(3600);

    /// How long a test waits for what must come.
    const GENEROUS: Duration = Duration::from_secs(30);

    struct Node {
        at: SocketAddr,
        readiness: Readiness,
        cancel: CancellationToken,
        task: JoinHandle<()>,
    }

    async fn node() -> Node {
        node_within(DoorLimits::INSIDE).await
    }

    async fn node_within(limits: DoorLimits) -> Node {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (at, readiness, cancel) = (listener.local_addr().unwrap(), Readiness::new(), CancellationToken::new());
        let telemetry = Telemetry::new();
        let pages = pages(telemetry.clone(), readiness.clone());
        let serving = web::serve(listener, pages, door(limits), telemetry, cancel.clone());
        Node { at, readiness, cancel, task: tokio::spawn(serving) }
    }

    impl Node {
        /// Everything that comes back on one connection.
        async fn get(&self, path: &str) -> String {
            let mut stream = TcpStream::connect(self.at).await.unwrap();
            let request = format!("GET {path} HTTP/1.1\r\nHost: ops\r\nConnection: close\r\n\r\n");
            stream.write_all(request.as_bytes()).await.unwrap();
            read_to_end(&mut stream).await
        }
    }

    async fn read_to_end(stream: &mut TcpStream) -> String {
        let mut answer = Vec::new();
        // A connection that is cut may be reset; what came before counts.
        let _ = stream.read_to_end(&mut answer).await;
        String::from_utf8(answer).unwrap()
    }

    #[tokio::test]
    async fn a_node_is_ready_when_sockets_store_and_policy_stand_and_says_why_not() {
        let node = node().await;
        let cold = node.get("/readyz").await;
        assert!(cold.starts_with("HTTP/1.1 503"), "{cold}");
        assert!(
            cold.ends_with("sockets: not started yet\nstore: not started yet\npolicy: not started yet\n"),
            "{cold}"
        );
        Part::ALL.into_iter().for_each(|part| node.readiness.stands(part));
        assert!(node.get("/readyz").await.starts_with("HTTP/1.1 200"));
        node.readiness.falls(Part::Store, "the disk\nis full");
        let broken = node.get("/readyz").await;
        assert!(
            broken.starts_with("HTTP/1.1 503") && broken.ends_with("\r\n\r\nstore: the disk is full\n"),
            "{broken}"
        );
        node.readiness.stands(Part::Store);
        assert!(node.get("/readyz").await.starts_with("HTTP/1.1 200"));
        node.readiness.stops();
        let stopping = node.get("/readyz").await;
        assert!(stopping.starts_with("HTTP/1.1 503") && stopping.ends_with("\r\n\r\nstopping\n"), "{stopping}");
        assert!(node.get("/healthz").await.starts_with("HTTP/1.1 200"), "a draining process lives");
    }

    #[tokio::test]
    async fn metrics_are_prometheus_text() {
        let page = node().await.get("/metrics").await;
        assert!(page.starts_with("HTTP/1.1 200") && page.contains("content-type: text/plain; version=0.0.4"), "{page}");
        assert!(page.contains("\nvestibule_held_sessions 0\n"), "{page}");
    }

    #[tokio::test]
    async fn health_tells_no_version_and_unknown_pages_are_not_there() {
        let node = node().await;
        for path in ["/healthz", "/readyz", "/"] {
            let page = node.get(path).await;
            assert!(!page.contains(env!("CARGO_PKG_VERSION")) && !page.to_lowercase().contains("server:"), "{page}");
        }
        assert!(node.get("/").await.starts_with("HTTP/1.1 404"));
    }

    #[tokio::test]
    async fn a_peer_that_never_ends_its_headers_is_cut_off_and_the_next_one_is_served() {
        let node =
            node_within(DoorLimits { connections_max: 1, headers_within: Duration::from_millis(50), ..NO_HURRY }).await;
        let mut slow = TcpStream::connect(node.at).await.unwrap();
        slow.write_all(b"GET /healthz HTTP/1.1\r\nHost:").await.unwrap();
        // It gives way, or its time is over: whichever comes first.
        // The short limit may cut off a newcomer, too, where the machine is busy: it comes again.
        let served = async { while !node.get("/healthz").await.starts_with("HTTP/1.1 200") {} };
        timeout(GENEROUS, served).await.unwrap();
        assert!(!read_to_end(&mut slow).await.contains("200 OK"));
    }

    #[tokio::test]
    async fn headers_without_end_are_refused() {
        let node = node().await;
        let mut stream = TcpStream::connect(node.at).await.unwrap();
        let greedy = format!("GET /healthz HTTP/1.1\r\nHost: {}\r\n\r\n", "a".repeat(64 * 1024));
        let _ = stream.write_all(greedy.as_bytes()).await;
        assert!(!read_to_end(&mut stream).await.contains("200 OK"));
    }

    #[tokio::test]
    async fn a_cancelled_server_ends_with_idle_connections_open() {
        let node = node_within(NO_HURRY).await;
        let mut idle = TcpStream::connect(node.at).await.unwrap();
        idle.write_all(b"GET /healthz HTTP/1.1\r\nHost: ops\r\n\r\n").await.unwrap();
        let mut first = [0; 12];
        idle.read_exact(&mut first).await.unwrap();
        assert_eq!(&first, b"HTTP/1.1 200");
        node.cancel.cancel();
        timeout(GENEROUS, node.task).await.unwrap().unwrap();
        assert!(TcpStream::connect(node.at).await.is_err(), "nobody listens any more");
    }
}
