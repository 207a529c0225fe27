//! Real sockets on loopback: who is asked answers, whatever the size, and nothing ends the loop.

use std::net::UdpSocket as StdSocket;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

use crate::telemetry::Telemetry;
use tokio::net::UdpSocket;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::*;

/// A datagram that the sink saw.
#[derive(Debug, PartialEq, Eq)]
struct Seen {
    octets: usize,
    too_long: bool,
    peer: SocketAddr,
    local: SocketAddr,
}

/// A listener that answers each datagram with `answer` octets and tells what it saw.
fn echo(address: &str, answer: usize) -> (SocketAddr, mpsc::Receiver<Seen>, CancellationToken) {
    let listener = Listener::bind(address.parse().unwrap(), Telemetry::new()).unwrap();
    let (bound, replier, cancel) = (listener.local_addr(), listener.replier(), CancellationToken::new());
    let (tell, seen) = mpsc::channel(1000);
    let sink = move |datagram: Datagram<'_>| {
        replier.send(&vec![7; answer], datagram.peer, datagram.local);
        let too_long = datagram.is_too_long();
        let _ =
            tell.try_send(Seen { octets: datagram.bytes.len(), too_long, peer: datagram.peer, local: datagram.local });
    };
    tokio::spawn(run(listener, sink, cancel.clone()));
    (bound, seen, cancel)
}

/// Any port of an address that no other test takes one of: what is given back here is taken by nobody else.
fn own() -> SocketAddr {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let [high, low] = NEXT.fetch_add(1, Ordering::Relaxed).to_be_bytes();
    let process = std::process::id().to_be_bytes()[3];
    SocketAddr::from(([127, 128 | high, low, process], 0))
}

async fn soon<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(20), future).await.unwrap()
}

#[tokio::test]
async fn the_answer_leaves_from_the_address_that_was_asked() {
    let (bound, mut seen, _cancel) = echo("0.0.0.0:0", 20);
    let peer = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    for asked in ["127.0.0.1", "127.0.0.2", "127.9.9.9"] {
        let asked = SocketAddr::new(asked.parse().unwrap(), bound.port());
        peer.send_to(&[1; 30], asked).await.unwrap();
        let (octets, from) = soon(peer.recv_from(&mut [0; 100])).await.unwrap();
        assert_eq!((octets, from), (20, asked));
        let expected = Seen { octets: 30, too_long: false, peer: peer.local_addr().unwrap(), local: asked };
        assert_eq!(soon(seen.recv()).await.unwrap(), expected);
    }
}

#[tokio::test]
async fn ipv6_answers_and_leaves_the_port_of_ipv4_alone() {
    // Somebody else may have this port of IPv4 just now, but hardly each of these.
    let beside = |_| {
        let (bound, seen, cancel) = echo("[::]:0", 4000);
        StdSocket::bind(("0.0.0.0", bound.port())).ok().map(|four| (bound, seen, cancel, four))
    };
    let (bound, mut seen, _cancel, _four) = (0..20).find_map(beside).expect("0.0.0.0 stands beside [::]");
    let peer = UdpSocket::bind("[::1]:0").await.unwrap();
    peer.send_to(&[1; 30], ("::1", bound.port())).await.unwrap();
    let (octets, from) = soon(peer.recv_from(&mut [0; 5000])).await.unwrap();
    assert_eq!((octets, from), (4000, SocketAddr::new("::1".parse().unwrap(), bound.port())));
    assert_eq!(soon(seen.recv()).await.unwrap().peer, peer.local_addr().unwrap());
}

#[tokio::test]
async fn the_largest_packet_arrives_both_ways() {
    let (bound, mut seen, _cancel) = echo("127.0.0.1:0", 4096);
    let peer = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    peer.send_to(&[1; 4096], bound).await.unwrap();
    assert_eq!(soon(peer.recv_from(&mut [0; 5000])).await.unwrap().0, 4096);
    let seen = soon(seen.recv()).await.unwrap();
    assert_eq!((seen.octets, seen.too_long), (4096, false));
}

#[tokio::test]
async fn a_longer_datagram_is_known_to_be_too_long() {
    let (bound, mut seen, _cancel) = echo("127.0.0.1:0", 20);
    let peer = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    for octets in [4097, 5000, 20_000] {
        peer.send_to(&vec![1; octets], bound).await.unwrap();
        assert!(soon(seen.recv()).await.unwrap().too_long);
    }
}

#[tokio::test]
async fn a_batch_keeps_each_datagram_apart() {
    let (bound, mut seen, _cancel) = echo("127.0.0.1:0", 20);
    let peer = StdSocket::bind("127.0.0.1:0").unwrap();
    for octets in 1..=100 {
        peer.send_to(&vec![1; octets], bound).unwrap();
    }
    for octets in 1..=100 {
        assert_eq!(soon(seen.recv()).await.unwrap().octets, octets);
    }
}

#[tokio::test]
async fn peers_that_are_gone_do_not_end_the_loop() {
    let (bound, mut seen, _cancel) = echo("127.0.0.1:0", 20);
    for _ in 0..50 {
        // The answer meets a closed port, and the kernel hears of it by ICMP.
        StdSocket::bind("127.0.0.1:0").unwrap().send_to(&[1; 30], bound).unwrap();
        soon(seen.recv()).await.unwrap();
    }
    let peer = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    peer.send_to(&[1; 30], bound).await.unwrap();
    assert_eq!(soon(peer.recv_from(&mut [0; 100])).await.unwrap().0, 20);
}

#[tokio::test]
async fn an_answer_that_the_kernel_refuses_is_counted() {
    let listener = Listener::bind("127.0.0.1:0".parse().unwrap(), Telemetry::new()).unwrap();
    let replier = listener.replier();
    let foreign = "192.0.2.77:1812".parse().unwrap();
    replier.send(&[2; 20], "127.0.0.1:9".parse().unwrap(), foreign);
    assert_eq!(replier.unsent(), Unsent { overload: 0, refused: 1 });
}

#[tokio::test]
async fn cancelling_ends_the_loop_and_frees_the_port() {
    let listener = Listener::bind(own(), Telemetry::new()).unwrap();
    let (bound, cancel) = (listener.local_addr(), CancellationToken::new());
    let task = tokio::spawn(run(listener, |_| {}, cancel.clone()));
    cancel.cancel();
    soon(task).await.unwrap();
    assert!(Listener::bind(bound, Telemetry::new()).is_ok());
}

#[tokio::test]
async fn a_socket_that_is_no_longer_read_stays_open_until_the_last_replier_is_gone() {
    let listener = Listener::bind(own(), Telemetry::new()).unwrap();
    let (bound, replier, cancel) = (listener.local_addr(), listener.replier(), CancellationToken::new());
    let task = tokio::spawn(run(listener, |_| panic!("read after the end"), cancel.clone()));
    cancel.cancel();
    tokio::task::yield_now().await;
    let peer = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    peer.send_to(&[1; 30], bound).await.unwrap();
    replier.send(&[2; 20], peer.local_addr().unwrap(), bound);
    assert_eq!(soon(peer.recv_from(&mut [0; 100])).await.unwrap(), (20, bound));
    assert!(!task.is_finished() && Listener::bind(bound, Telemetry::new()).is_err());
    drop(replier);
    soon(task).await.unwrap();
    assert!(Listener::bind(bound, Telemetry::new()).is_ok());
}

#[tokio::test]
async fn a_port_in_use_names_who_has_it_and_what_to_do() {
    let first = Listener::bind("127.0.0.1:0".parse().unwrap(), Telemetry::new()).unwrap();
    let Err(error) = Listener::bind(first.local_addr(), Telemetry::new()) else { panic!("bound twice") };
    let text = error.to_string();
    assert!(text.contains(&format!("(pid {})", std::process::id())), "{text}");
    assert!(text.contains("`listen` under [radius]"), "{text}");
}

#[tokio::test]
async fn an_address_of_another_machine_is_said_to_be_so() {
    let Err(error) = Listener::bind("192.0.2.77:0".parse().unwrap(), Telemetry::new()) else {
        panic!("bound a foreign address")
    };
    assert!(error.to_string().contains("this machine has no address 192.0.2.77"), "{error}");
}

#[test]
fn an_ipv4_peer_in_an_ipv6_disguise_is_the_ipv4_peer() {
    let disguised: SocketAddr = "[::ffff:192.0.2.1]:1645".parse().unwrap();
    assert_eq!(canonical(disguised), "192.0.2.1:1645".parse().unwrap());
    let scoped: SocketAddr = "[fe80::1%3]:1645".parse().unwrap();
    assert_eq!(canonical(scoped), scoped, "the scope of a link-local address stays");
}
