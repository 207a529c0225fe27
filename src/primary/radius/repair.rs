//! Looking after a dead server: its name is resolved anew, and it is asked whether it lives (Status-Server, RFC 5997).
//!
//! One task a server does this, only while the server is dead, and ends with that. A probe has a socket and an Identifier of
//! its own, is signed like everything that leaves, and its answer is verified like every reply. Many servers never answer
//! one, NPS among them: silence means something only from a server that answered before.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use login::Tick;
use radius::core::{code::Code as Word, packet::Packet, rfc2865};
use wire::{Code, Datagram, PACKET_OCTETS_MAX, PacketView, RequestWriter, SentRequest, kind};

use super::Host;
use super::health::Death;
use super::lane::Lane;
use super::server::Server;

/// Between two looks at a dead server: above the 6 s that are the least (RFC 5997 §4.3, RFC 3539 §3.4.1).
const BETWEEN: Duration = Duration::from_secs(10);

/// How long a probe's answer may take.
const PROBE_WAIT: Duration = Duration::from_secs(3);

/// How long a name server may take.
const RESOLVE_WAIT: Duration = Duration::from_secs(5);

/// Looks after a dead server until it is alive or the service ends.
pub(super) async fn until_alive(server: Arc<Server>) {
    let cancel = server.shared.cancel.clone();
    tokio::select! {
        biased;
        () = cancel.cancelled() => {}
        () = look_after(&server) => {}
    }
}

async fn look_after(server: &Arc<Server>) {
    loop {
        if !resolve(server).await {
            server.health().die(Death::Unresolved, server.shared.clock.now());
        }
        probe(server).await;
        if server.is_alive() && server.repaired() {
            return;
        }
        server.shared.clock.wait_until(later(server, BETWEEN)).await;
    }
}

/// Resolves the server's name, if it has one, and moves to the next address if the present one is gone or does not answer.
/// Says whether there is an address.
pub(super) async fn resolve(server: &Arc<Server>) -> bool {
    let Host::Name(name) = &server.address.host else { return true };
    // The lookup runs on a blocking thread of the runtime, not on one that carries packets.
    let found: Vec<SocketAddr> = tokio::select! {
        found = tokio::net::lookup_host((&**name, server.address.port)) => found.map(Iterator::collect).unwrap_or_default(),
        () = server.shared.clock.wait_until(later(server, RESOLVE_WAIT)) => Vec::new(),
    };
    let current = server.current();
    match next(&found, current) {
        Some(address) if Some(address) != current => server.move_to(address),
        Some(_) => {}
        None if current.is_none() => server.shared.observer.server_moved(&server.label, None),
        // A name server that fails says nothing about the address that we have.
        None => {}
    }
    server.current().is_some()
}

/// The address after the present one, or the first.
fn next(found: &[SocketAddr], current: Option<SocketAddr>) -> Option<SocketAddr> {
    let at = found.iter().position(|address| Some(*address) == current);
    let after = at.and_then(|at| found.get(at + 1));
    after.or(found.first()).copied()
}

async fn probe(server: &Arc<Server>) {
    let Some(Ok(lane)) = server.current().map(Lane::open) else { return };
    let Some(sent) = status_server(server) else { return };
    let reply = lane.wait(Arc::new(sent.clone()));
    if lane.send(&sent).await.is_err() {
        return;
    }
    tokio::select! {
        heard = reply => if heard.is_ok() { server.heard_probe() },
        () = hear(server, &lane) => {}
        () = server.shared.clock.wait_until(later(server, PROBE_WAIT)) => {
            let now = server.shared.clock.now();
            server.health().probe_unanswered(now);
        }
    }
}

/// Gives the lane all that comes, until the host says that nobody is there.
async fn hear(server: &Server, lane: &Lane) {
    let mut buffer = vec![0; PACKET_OCTETS_MAX + 1];
    while let Ok(length) = lane.receive(&mut buffer).await {
        let datagram = buffer.get(..length).unwrap_or_default();
        if lane.accept(datagram, &server.shared.secret, server.shared.demand).is_ok() {
            // The reply's receiver is ready now, and ends this loop from outside.
            std::future::pending::<()>().await;
        }
    }
}

/// A Status-Server: the words are the crate `radius`'s, the octets and the signature are ours, because that crate signs no
/// Message-Authenticator, without which a Status-Server is none (RFC 5997 §3).
fn status_server(server: &Server) -> Option<SentRequest> {
    // No secret goes in: its encoder needs none here and would keep a copy.
    let mut words = Packet::new(Word::StatusServer, &[]);
    rfc2865::add_nas_identifier(&mut words, "vestibule");
    let octets = words.encode().ok()?;
    let view = PacketView::parse(&octets).ok()?;
    let mut buffer = Datagram::new();
    let mut writer = RequestWriter::new(Code::StatusServer, view.identifier(), rand::random(), &mut buffer);
    writer.push(wire::Attribute::new(kind::NAS_IDENTIFIER, view.attribute(kind::NAS_IDENTIFIER)?)).ok()?;
    Some(writer.sign(&server.shared.secret))
}

fn later(server: &Server, wait: Duration) -> Tick {
    server.shared.clock.now().plus(wait)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_several_addresses_goes_on_to_the_next() {
        let [a, b, c] = ["10.0.0.1:1812", "10.0.0.2:1812", "10.0.0.3:1812"].map(|text| text.parse().unwrap());
        assert_eq!(next(&[a, b], None), Some(a));
        assert_eq!(next(&[a, b], Some(a)), Some(b));
        assert_eq!(next(&[a, b], Some(b)), Some(a));
        assert_eq!(next(&[a, b], Some(c)), Some(a));
        assert_eq!(next(&[a], Some(a)), Some(a));
        assert_eq!(next(&[], Some(a)), None);
    }
}
