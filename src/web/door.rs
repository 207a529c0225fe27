//! From a listener to a request: one accept loop for the portal, the admin pages, metrics and health.
//!
//! Bounded throughout: connections at once, those of one network, the handshake's time, the headers' size and time, a
//! connection's age. Past a bound whoever rests gives way (`crowd` says who), and is counted; where all are being answered, a
//! newcomer waits. When told to stop it takes no more, lets open answers end, and ends.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use ipnet::IpNet;
use login::Origin;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::LazyConfigAcceptor;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::address::{ClientAddress, is_proxy};
use super::certificates::Certificates;
use super::crowd::{Connection, Crowd, Place, Room};
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
    /// Connections at once, without those that are held. Past it whoever rests gives way to a newcomer.
    pub connections_max: usize,
    /// Of those, of one address (of one /56 for IPv6; four times as many of a /48): past it they give way to each other, and where
    /// all of them are being answered a further one is closed. Proxies that are named have no such bound.
    pub connections_per_address_max: usize,
    /// Connections, besides, that wait on purpose for somebody who proved who they are.
    pub held_max: usize,
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
        connections_per_address_max: 32,
        held_max: 32,
        handshake_within: Duration::from_secs(5),
        headers_within: Duration::from_secs(5),
        connection_within: Some(Duration::from_secs(60)),
        stop_within: Duration::from_secs(2),
    };
    /// What the internet gets: some thousand phones that wait, and as many places for everybody, nobody with more than a share.
    pub const OUTSIDE: Self = Self {
        connections_max: 4096,
        connections_per_address_max: 256,
        held_max: 4096,
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
    let limits = door.limits;
    let room =
        Room { pages: limits.connections_max, of_a_house: limits.connections_per_address_max, held: limits.held_max };
    let house = Arc::new(House { door, telemetry, crowd: Crowd::new(room), cancel });
    let connections = TaskTracker::new();
    while let Some((stream, peer, place)) = house.next(&listener).await {
        match place {
            Some(place) => {
                connections.spawn(Arc::clone(&house).converse(stream, peer, pages.clone(), place));
            }
            None => house.refuse(PageRefusal::Crowded),
        }
    }
    drop(listener);
    connections.close();
    connections.wait().await;
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
    /// The next connection and its place, once there is one (one newcomer waits beside those that are in); without one its network
    /// has all that it may have. `None` once cancelled.
    async fn next(&self, listener: &TcpListener) -> Option<(TcpStream, SocketAddr, Option<Place>)> {
        let next = async {
            let (stream, peer) = accept(listener).await;
            let address = peer.ip().to_canonical();
            let origin = (!is_proxy(address, &self.door.trusted_proxies)).then(|| Origin::of(address));
            (stream, peer, self.crowd.enter(origin).await)
        };
        self.cancel.run_until_cancelled(next).await
    }

    fn refuse(&self, why: PageRefusal) {
        self.telemetry.emit(PageRefused { pages: self.door.name, why });
    }

    /// One connection, from its first octet to its end, its limit, or a newcomer that needs its place.
    async fn converse(self: Arc<Self>, stream: TcpStream, peer: SocketAddr, pages: Router, place: Place) {
        // An answer is written whole; waiting for more would only delay it.
        let _ = stream.set_nodelay(true);
        tokio::select! {
            () = self.meet(stream, peer.ip(), pages, place.connection()) => {}
            () = place.gives_way() => self.refuse(PageRefusal::GaveWay),
        }
    }

    async fn meet(&self, stream: TcpStream, peer: IpAddr, pages: Router, connection: Connection) {
        let Some(certificates) = &self.door.certificates else {
            return self.talk(stream, peer, pages, connection).await;
        };
        let handshake = tokio::time::timeout(self.door.limits.handshake_within, handshake(stream, certificates));
        match self.cancel.run_until_cancelled(handshake).await {
            Some(Ok(Some(stream))) => self.talk(stream, peer, pages, connection).await,
            Some(Ok(None)) => self.refuse(PageRefusal::Handshake),
            Some(Err(_)) => self.refuse(PageRefusal::Slow),
            None => {}
        }
    }

    async fn talk<S>(&self, stream: S, peer: IpAddr, pages: Router, connection: Connection)
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
            request.extensions_mut().insert(connection.clone());
            request.extensions_mut().insert(way.clone());
            pages.call(request)
        });
        let talk = http1::Builder::new()
            // Without a timer the time limit panics.
            .timer(TokioTimer::new())
            .header_read_timeout(limits.headers_within)
            .max_buf_size(HEADER_OCTETS_MAX)
            .serve_connection(TokioIo::new(stream), addressed);
        let mut talk = std::pin::pin!(talk);
        tokio::select! {
            // A peer that breaks off or speaks nonsense is no event of ours.
            _ = talk.as_mut() => return,
            () = self.cancel.cancelled() => {}
            () = of_age(limits.connection_within) => {}
        }
        talk.as_mut().graceful_shutdown();
        let _ = tokio::time::timeout(limits.stop_within, talk).await;
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
