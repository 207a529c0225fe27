//! Serves a set of pages over plain HTTP within bounds: connections, header size, header time, a connection's whole time.
//!
//! For the pages of operations and of the demo, on addresses inside. A peer that is slow, silent or greedy costs one slot for a few
//! seconds and nothing else. The listener comes from outside, so that port 0 works. It knows nothing of what it serves.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// The bounds of one listener.
#[derive(Clone, Copy, Debug)]
pub struct HttpLimits {
    /// Connections at once; further ones wait in the system's queue.
    pub connections_max: usize,
    /// From the connection, or the end of the answer before, to the end of the request's headers.
    pub headers_within: Duration,
    /// A connection's whole life; `None` where a page keeps one open to be told of changes.
    pub connection_within: Option<Duration>,
    /// How long open answers may take once the server stops.
    pub stop_within: Duration,
}

impl Default for HttpLimits {
    /// What metrics and health need: a scrape every few seconds from a handful of peers.
    fn default() -> Self {
        Self {
            connections_max: 64,
            headers_within: Duration::from_secs(5),
            connection_within: Some(Duration::from_secs(60)),
            stop_within: Duration::from_secs(2),
        }
    }
}

/// Octets of a request's line and headers.
const HEADER_OCTETS_MAX: usize = 16 * 1024;

/// When the system has no descriptors left, a short pause instead of a loop that takes the whole processor.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Serves until cancelled, then lets open answers end within their time.
pub async fn serve_pages(listener: TcpListener, pages: Router, limits: HttpLimits, cancel: CancellationToken) {
    let slots = Arc::new(Semaphore::new(limits.connections_max));
    let connections = TaskTracker::new();
    while let Some((stream, slot)) = next(&listener, &slots, &cancel).await {
        connections.spawn(converse(stream, pages.clone(), limits, cancel.clone(), slot));
    }
    drop(listener);
    connections.close();
    connections.wait().await;
}

/// The next connection and its slot; `None` once cancelled.
async fn next(listener: &TcpListener, slots: &Arc<Semaphore>, cancel: &CancellationToken) -> Option<(TcpStream, OwnedSemaphorePermit)> {
    cancel
        .run_until_cancelled(async {
            // The slot first: a connection that is accepted is served. The semaphore is never closed.
            let slot = Arc::clone(slots).acquire_owned().await.ok()?;
            Some((accept(listener).await, slot))
        })
        .await
        .flatten()
}

async fn accept(listener: &TcpListener) -> TcpStream {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => return stream,
            Err(error) => {
                tracing::debug!(%error, "a connection could not be accepted");
                pause().await;
            }
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "no event tells that the system has descriptors again")]
async fn pause() {
    tokio::time::sleep(ACCEPT_PAUSE).await;
}

/// One connection, from its first octet to its end or its limit.
async fn converse(stream: TcpStream, pages: Router, limits: HttpLimits, cancel: CancellationToken, _slot: OwnedSemaphorePermit) {
    let talk = talk(stream, pages, limits, cancel);
    match limits.connection_within {
        Some(within) => tokio::time::timeout(within, talk).await.unwrap_or_default(),
        None => talk.await,
    }
}

async fn talk(stream: TcpStream, pages: Router, limits: HttpLimits, cancel: CancellationToken) {
    let connection = http1::Builder::new()
        // Without a timer the time limit panics.
        .timer(TokioTimer::new())
        .header_read_timeout(limits.headers_within)
        .max_buf_size(HEADER_OCTETS_MAX)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(pages));
    let mut connection = std::pin::pin!(connection);
    tokio::select! {
        // A peer that breaks off or speaks nonsense is no event of ours.
        _ = connection.as_mut() => {}
        () = cancel.cancelled() => {
            connection.as_mut().graceful_shutdown();
            let _ = tokio::time::timeout(limits.stop_within, connection).await;
        }
    }
}
