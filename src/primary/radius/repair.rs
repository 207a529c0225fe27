//! Looking after servers: names are looked up again now and then, as everything that is looked up once must be.
//!
//! Looking after a dead server: its name is resolved anew, and it is asked whether it lives (Status-Server, RFC 5997).
//!
//! One task a server does this, only while the server is dead, and ends with that. A probe has a socket and an Identifier of
//! its own, is signed like everything that leaves, and its answer is verified like every reply. Many servers never answer
//! one, NPS among them: silence means something only from a server that answered before.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use login::Tick;
use login::outage::Outage;
use radius::core::{code::Code as Word, packet::Packet, rfc2865};
use tokio_util::sync::CancellationToken;
use wire::{Code, Datagram, Demand, PACKET_OCTETS_MAX, PacketView, RequestWriter, SentRequest, kind};

use super::Host;
use super::health::Death;
use super::lane::Lane;
use super::server::Server;

/// Between two looks at a dead server: above the 6 s that are the least (RFC 5997 §4.3, RFC 3539 §3.4.1).
const BETWEEN: Duration = Duration::from_secs(10);

/// How long a probe's answer may take.
const PROBE_WAIT: Duration = Duration::from_secs(3);

/// Between two look-ups of a name while all is well: what names of servers are cached for, as a rule.
const LOOK_UP_EVERY: Duration = Duration::from_secs(30);

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
    let found = look_up(server, name).await;
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

/// Looks the name up again while all is well: a server that moved may leave something at its old address that answers. `at_once`:
/// somebody asked for it; else an address is left when it was missing twice, because many names show some of theirs at a time.
pub(super) async fn look_again(server: &Arc<Server>, at_once: bool) {
    let Host::Name(name) = &server.address.host else { return };
    let found = look_up(server, name).await;
    let astray = server.astray.load(Ordering::Relaxed) || at_once;
    let (to, astray) = moved(&found, server.current(), astray);
    server.astray.store(astray, Ordering::Relaxed);
    if let Some(address) = to {
        server.move_to(address);
    }
}

/// Looks names up again now and then, until the primary or the service ends.
pub(super) async fn watch_names(servers: Vec<Arc<Server>>, cancel: CancellationToken) {
    let Some(shared) = servers.first().map(|server| Arc::clone(&server.shared)) else { return };
    let clock = &shared.clock;
    while cancel.run_until_cancelled(clock.wait_until(clock.now().plus(LOOK_UP_EVERY))).await.is_some() {
        for server in &servers {
            look_again(server, false).await;
        }
    }
}

/// Where to go, and whether the present address is to be left at the next look-up that misses it, too.
fn moved(found: &[SocketAddr], current: Option<SocketAddr>, astray: bool) -> (Option<SocketAddr>, bool) {
    match (found.first(), current) {
        // A name server that fails says nothing about the address that we have.
        (None, _) => (None, false),
        (Some(_), Some(current)) if found.contains(&current) => (None, false),
        (Some(first), Some(_)) if astray => (Some(*first), false),
        (Some(_), Some(_)) => (None, true),
        (Some(first), None) => (Some(*first), false),
    }
}

async fn look_up(server: &Server, name: &str) -> Vec<SocketAddr> {
    tokio::select! {
        found = (server.shared.look_up)(name, server.address.port) => found,
        () = server.shared.clock.wait_until(later(server, RESOLVE_WAIT)) => Vec::new(),
    }
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
    if let Err(error) = lane.send(&sent).await {
        return refused(server, &error);
    }
    tokio::select! {
        heard = reply => if heard.is_ok() { server.heard_probe() },
        error = hear(server, &lane) => refused(server, &error),
        () = server.shared.clock.wait_until(later(server, PROBE_WAIT)) => {
            let now = server.shared.clock.now();
            server.health().probe_unanswered(now);
        }
    }
}

/// Where its host says that nobody listens, it is still dead, whether or not it would answer probes.
fn refused(server: &Server, error: &io::Error) {
    if Outage::of(error).is_some() {
        server.health().die(Death::Refused, server.shared.clock.now());
    }
}

/// Gives the lane all that comes, until the host says that nobody is there.
async fn hear(server: &Server, lane: &Lane) -> io::Error {
    let mut buffer = vec![0; PACKET_OCTETS_MAX + 1];
    loop {
        let datagram = match lane.receive(&mut buffer).await {
            Ok(length) => buffer.get(..length).unwrap_or_default(),
            Err(error) => return error,
        };
        // Rules E1: the answer to our own question whether it lives opens no door, and radsecproxy and FreeRADIUS 3.2 sign none.
        match lane.accept(datagram, &server.shared.secret, Demand::IfPresent) {
            // The reply's receiver is ready now, and ends this loop from outside.
            Ok(()) => std::future::pending::<()>().await,
            Err(reason) => server.dropped(reason),
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
    fn an_address_that_a_name_lost_is_left_at_the_second_look_up_or_at_once_where_somebody_asked() {
        let [a, b] = ["10.0.0.1:1812", "10.0.0.2:1812"].map(|text| text.parse().unwrap());
        assert_eq!(moved(&[a, b], Some(b), true), (None, false), "it is still one of them");
        assert_eq!(moved(&[a], Some(b), false), (None, true));
        assert_eq!(moved(&[a], Some(b), true), (Some(a), false));
        assert_eq!(moved(&[], Some(b), true), (None, false), "a look-up that fails moves nobody");
        assert_eq!(moved(&[a], None, false), (Some(a), false));
    }

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
