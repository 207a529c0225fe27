//! Accounting at its own port: verified, answered, counted, and no more (`[radius] accounting`).

use std::net::SocketAddr;

use tokio::net::UdpSocket;
use wire::{Attribute, Code, Datagram, PacketView, RequestWriter, Secret, SharedSecret, kind};

use crate::harness::radclient::account;
use crate::harness::stub::Stub;
use crate::harness::{APPLIANCE_SECRET, GENEROUS, at, vestibule};

const START: &str = "User-Name=alice, Acct-Status-Type=Start, Acct-Session-Id=s-1, NAS-IP-Address=192.0.2.10, \
                     Proxy-State=0x0a0b, Proxy-State=0x0c";

#[tokio::test(flavor = "multi_thread")]
async fn radclients_accounting_is_answered_with_its_proxy_states_and_counted() {
    let (nps, accounting) = (Stub::accepting("hello").await, at(18130));
    let house = vestibule::guarding(&nps).radius(&format!("accounting = \"{accounting}\"")).start().await;
    let told = account(accounting, START, APPLIANCE_SECRET).await;
    assert!(told.received("Accounting-Response"), "{}", told.0);
    let answer = told.0.split("Received ").nth(1).unwrap();
    assert!(answer.find("0x0a0b").unwrap() < answer.find("0x0c").unwrap(), "{answer}");
    house.site.counts("vestibule_answers_total", &["client=\"vpn\"", "code=\"accounting\""], 1.0).await;
    assert!(nps.heard().is_empty(), "it goes nowhere else");
    // A client's own test of the server (RFC 5997).
    let alive = crate::harness::radclient::radclient(accounting, "status", "NAS-Identifier=vpn").await;
    assert!(alive.received("Accounting-Response") || alive.received("Access-Accept"), "{}", alive.0);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_another_secret_signed_or_no_accounting_is_gets_no_answer_and_is_counted_with_its_reason() {
    let (nps, accounting) = (Stub::accepting("hello").await, at(18130));
    let house = vestibule::guarding(&nps).radius(&format!("accounting = \"{accounting}\"")).start().await;
    let forged = account(accounting, START, "another secret").await;
    assert!(!forged.received("Accounting-Response"), "{}", forged.0);
    house.site.counts("vestibule_drops_total", &["reason=\"bad_request_authenticator\""], 1.0).await;
    // An Access-Request there, and an Accounting-Request at the door of logins.
    let secret = SharedSecret::new(Secret::new(APPLIANCE_SECRET));
    let mut buffer = Datagram::new();
    let mut login = RequestWriter::new(Code::AccessRequest, 7, [9; 16], &mut buffer);
    login.push(Attribute::new(kind::USER_NAME, b"alice")).unwrap();
    send(accounting, login.sign(&secret).as_bytes()).await;
    house.site.counts("vestibule_drops_total", &["reason=\"wrong_code\""], 1.0).await;
    let mut buffer = Datagram::new();
    let start = RequestWriter::new(Code::AccountingRequest, 8, [0; 16], &mut buffer).sign(&secret);
    send(house.radius(), start.as_bytes()).await;
    house.site.counts("vestibule_drops_total", &["reason=\"wrong_code\""], 2.0).await;
    // And the same where it belongs, signed with Message-Authenticator, gets one in its answer.
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    socket.send_to(start.as_bytes(), accounting).await.unwrap();
    let mut octets = [0; 4096];
    let (len, _) = tokio::time::timeout(GENEROUS, socket.recv_from(&mut octets)).await.unwrap().unwrap();
    let answer = PacketView::parse(&octets[..len]).unwrap();
    assert_eq!(answer.code(), Code::AccountingResponse);
    assert!(answer.message_authenticator().is_some());
}

async fn send(to: SocketAddr, octets: &[u8]) {
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    socket.send_to(octets, to).await.unwrap();
}
