//! From a listener to a request: one accept loop for the portal, the admin pages, metrics and health.
//!
//! Bounded throughout: connections at once, connections of one address, the handshake's time, the headers' size and time,
//! a connection's age. Past a bound a connection waits in the system's queue or is closed, and is counted. When told to
//! stop it takes no more, lets open answers end, and ends.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::extract::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use ipnet::IpNet;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_rustls::LazyConfigAcceptor;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::address::{ClientAddress, is_proxy};
use super::certificates::Certificates;
use super::way::Way;
use crate::telemetry::{PageRefusal, PageRefused, Telemetry};

/// How one listener lets peers in.
#[derive(Clone)]
pub struct Door {
    /// What logs and metrics call it: `portal`, `admin`, `metrics`.
    pub name: &'static str,
    /// TLS with what is in force there; `None`: plain HTTP.
    pub certificates: Option<Certificates>,
    /// Whose forwarding headers count (rules F3).
    pub trusted_proxies: Arc<[IpNet]>,
    /// The bounds.
    pub limits: DoorLimits,
}

/// The bounds of one listener.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DoorLimits {
    /// Connections at once; further ones wait in the system's queue.
    pub connections_max: usize,
    /// Connections at once of one address (of one /64 for IPv6); further ones are closed. Proxies that are named have no such bound.
    pub connections_per_address_max: usize,
    /// From the connection to the end of its handshake.
    pub handshake_within: Duration,
    /// From the handshake, or the end of the answer before, to the end of the request's headers.
    pub headers_within: Duration,
    /// Past this age a connection takes no further request; `None` where a page keeps one open to be told of changes.
    pub connection_within: Option<Duration>,
    /// How long open answers may take once the server stops, or the connection is of age.
    pub stop_within: Duration,
}

impl DoorLimits {
    /// What metrics and health need: a scrape every few seconds from a handful of peers.
    pub const INSIDE: Self = Self {
        connections_max: 64,
        connections_per_address_max: 64,
        handshake_within: Duration::from_secs(5),
        headers_within: Duration::from_secs(5),
        connection_within: Some(Duration::from_secs(60)),
        stop_within: Duration::from_secs(2),
    };
    /// What the internet gets: some thousand phones that wait, none of them with more than its share.
    pub const OUTSIDE: Self = Self {
        connections_max: 8192,
        connections_per_address_max: 1024,
        handshake_within: Duration::from_secs(10),
        headers_within: Duration::from_secs(10),
        connection_within: Some(Duration::from_secs(600)),
        stop_within: Duration::from_secs(5),
    };
}

/// Octets of a request's line and headers.
const HEADER_OCTETS_MAX: usize = 16 * 1024;
/// When the system has no descriptors left, a short pause instead of a loop that takes the whole processor.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Serves pages until cancelled, then lets open answers end within their time. The listener comes from outside, so that port 0 works.
pub async fn serve(listener: TcpListener, pages: Router, door: Door, telemetry: Telemetry, cancel: CancellationToken) {
    let slots = Arc::new(Semaphore::new(door.limits.connections_max));
    let house = Arc::new(House { door, telemetry, crowd: Arc::default(), cancel });
    let connections = TaskTracker::new();
    while let Some((stream, peer, slot)) = next(&listener, &slots, &house.cancel).await {
        match house.admit(peer) {
            Some(share) => {
                connections.spawn(Arc::clone(&house).converse(stream, peer, pages.clone(), (slot, share)));
            }
            None => house.refuse(PageRefusal::Crowded),
        }
    }
    drop(listener);
    connections.close();
    connections.wait().await;
}

/// The next connection and its slot; `None` once cancelled.
async fn next(
    listener: &TcpListener,
    slots: &Arc<Semaphore>,
    cancel: &CancellationToken,
) -> Option<(TcpStream, SocketAddr, OwnedSemaphorePermit)> {
    cancel
        .run_until_cancelled(async {
            // The slot first: a connection that is accepted is served. The semaphore is never closed.
            let slot = Arc::clone(slots).acquire_owned().await.ok()?;
            let (stream, peer) = accept(listener).await;
            Some((stream, peer, slot))
        })
        .await
        .flatten()
}

async fn accept(listener: &TcpListener) -> (TcpStream, SocketAddr) {
    loop {
        match listener.accept().await {
            Ok(accepted) => return accepted,
            Err(error) => {
                tracing::debug!(%error, "a connection could not be accepted");
                // No event tells that the system has descriptors again.
                let _ = tokio::time::timeout(ACCEPT_PAUSE, std::future::pending::<()>()).await;
            }
        }
    }
}

/// What the connections of one listener share.
struct House {
    door: Door,
    telemetry: Telemetry,
    crowd: Arc<Crowd>,
    cancel: CancellationToken,
}

impl House {
    /// A share of what one address may have; `None`: it has all of it.
    fn admit(&self, peer: SocketAddr) -> Option<Share> {
        let address = peer.ip().to_canonical();
        if is_proxy(address, &self.door.trusted_proxies) {
            return Some(Share { crowd: Arc::clone(&self.crowd), of: None });
        }
        Crowd::enter(&self.crowd, neighbourhood(address), self.door.limits.connections_per_address_max)
    }

    fn refuse(&self, why: PageRefusal) {
        self.telemetry.emit(PageRefused { pages: self.door.name, why });
    }

    /// One connection, from its first octet to its end or its limit.
    async fn converse(
        self: Arc<Self>,
        stream: TcpStream,
        peer: SocketAddr,
        pages: Router,
        _held: (OwnedSemaphorePermit, Share),
    ) {
        // An answer is written whole; waiting for more would only delay it.
        let _ = stream.set_nodelay(true);
        match &self.door.certificates {
            None => self.talk(stream, peer.ip(), pages).await,
            Some(certificates) => {
                let handshake =
                    tokio::time::timeout(self.door.limits.handshake_within, handshake(stream, certificates));
                match self.cancel.run_until_cancelled(handshake).await {
                    Some(Ok(Some(stream))) => self.talk(stream, peer.ip(), pages).await,
                    Some(Ok(None)) => self.refuse(PageRefusal::Handshake),
                    Some(Err(_)) => self.refuse(PageRefusal::Slow),
                    None => {}
                }
            }
        }
    }

    async fn talk<S>(&self, stream: S, peer: IpAddr, pages: Router)
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let limits = self.door.limits;
        let proxies = Arc::clone(&self.door.trusted_proxies);
        let way = Way::new(peer, Arc::clone(&proxies));
        let pages = TowerToHyperService::new(pages);
        let addressed = service_fn(move |mut request: Request<Incoming>| {
            let address = ClientAddress::of(peer, request.headers(), &proxies);
            request.extensions_mut().insert(address);
            request.extensions_mut().insert(way.clone());
            pages.call(request)
        });
        let connection = http1::Builder::new()
            // Without a timer the time limit panics.
            .timer(TokioTimer::new())
            .header_read_timeout(limits.headers_within)
            .max_buf_size(HEADER_OCTETS_MAX)
            .serve_connection(TokioIo::new(stream), addressed);
        let mut connection = std::pin::pin!(connection);
        tokio::select! {
            // A peer that breaks off or speaks nonsense is no event of ours.
            _ = connection.as_mut() => return,
            () = self.cancel.cancelled() => {}
            () = of_age(limits.connection_within) => {}
        }
        connection.as_mut().graceful_shutdown();
        let _ = tokio::time::timeout(limits.stop_within, connection).await;
    }
}

/// Ready at that age, or never.
async fn of_age(age: Option<Duration>) {
    match age {
        Some(age) => {
            let _ = tokio::time::timeout(age, std::future::pending::<()>()).await;
        }
        None => std::future::pending().await,
    }
}

/// `None`: it failed, or there is nothing to show yet.
async fn handshake(
    stream: TcpStream,
    certificates: &Certificates,
) -> Option<tokio_rustls::server::TlsStream<TcpStream>> {
    let started = LazyConfigAcceptor::new(rustls::server::Acceptor::default(), stream).await.ok()?;
    let config = certificates.for_handshake(&started.client_hello())?;
    started.into_stream(config).await.ok()
}

/// How many connections each address has; never more entries than connections.
#[derive(Default)]
struct Crowd(Mutex<HashMap<IpAddr, usize>>);

/// One connection's share; giving it back is dropping it.
struct Share {
    crowd: Arc<Crowd>,
    of: Option<IpAddr>,
}

impl Crowd {
    fn enter(crowd: &Arc<Self>, address: IpAddr, most: usize) -> Option<Share> {
        let mut here = crowd.0.lock().unwrap_or_else(PoisonError::into_inner);
        if here.get(&address).is_some_and(|count| *count >= most) {
            return None;
        }
        *here.entry(address).or_insert(0) += 1;
        Some(Share { crowd: Arc::clone(crowd), of: Some(address) })
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        let Some(address) = self.of else { return };
        let mut here = self.crowd.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = here.get_mut(&address) {
            *count -= 1;
            if *count == 0 {
                here.remove(&address);
            }
        }
    }
}

/// A house has a /64 (RFC 6177 §2) and may use any address of it.
fn neighbourhood(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(v6) => Ipv6Addr::from_bits(v6.to_bits() & !u128::from(u64::MAX)).into(),
    }
}
