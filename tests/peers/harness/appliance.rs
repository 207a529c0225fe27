//! An appliance: one UDP socket, many Identifiers, and answers that are checked before they are believed.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use tokio::net::UdpSocket;
use tokio::time::timeout;

use super::radius::{Answer, Ask};
use super::{APPLIANCE_SECRET, GENEROUS};

const OCTETS_MAX: usize = 4096;
/// An appliance sends its question again so often.
const RETRANSMIT_EVERY: Duration = Duration::from_secs(2);

pub(crate) struct Appliance {
    socket: UdpSocket,
    secret: String,
}

impl Appliance {
    pub(crate) async fn of(server: SocketAddr) -> Self {
        Self::at(IpAddr::V4(Ipv4Addr::LOCALHOST), server, APPLIANCE_SECRET).await
    }

    /// One that sends from another address, or has another secret.
    pub(crate) async fn at(own: IpAddr, server: SocketAddr, secret: &str) -> Self {
        let socket = UdpSocket::bind((own, 0)).await.unwrap();
        socket.connect(server).await.unwrap();
        Self { socket, secret: secret.to_owned() }
    }

    pub(crate) async fn send(&self, ask: &Ask) {
        self.send_octets(&ask.octets(&self.secret)).await;
    }

    pub(crate) async fn send_octets(&self, octets: &[u8]) {
        self.socket.send(octets).await.unwrap();
    }

    /// The next answer, which must be to one of these.
    pub(crate) async fn next(&self, asked: &[Ask]) -> Answer {
        let mut octets = [0; OCTETS_MAX];
        let length = timeout(GENEROUS, self.socket.recv(&mut octets)).await.expect("no answer came").unwrap();
        let ask = asked.iter().find(|ask| ask.id == octets[1]).expect("an answer to a question that was not asked");
        Answer::to(ask, &self.secret, &octets[..length])
    }

    /// The Identifier and the code of the next answer, whichever question it answers.
    pub(crate) async fn next_of_any(&self) -> (u8, u8) {
        let mut octets = [0; OCTETS_MAX];
        timeout(GENEROUS, self.socket.recv(&mut octets)).await.expect("no answer came").unwrap();
        (octets[1], octets[0])
    }

    pub(crate) async fn ask(&self, ask: &Ask) -> Answer {
        self.send(ask).await;
        self.next(std::slice::from_ref(ask)).await
    }

    /// The answer, or `None` once nobody listens there any more (the host says so by ICMP).
    pub(crate) async fn try_ask(&self, ask: &Ask) -> Option<Answer> {
        let octets = ask.octets(&self.secret);
        let mut again = tokio::time::interval(RETRANSMIT_EVERY);
        let mut answer = [0; OCTETS_MAX];
        let asking = async {
            loop {
                tokio::select! {
                    _ = again.tick() => { self.socket.send(&octets).await.ok()?; }
                    heard = self.socket.recv(&mut answer) => return heard.ok(),
                }
            }
        };
        let length = timeout(GENEROUS, asking).await.expect("neither an answer nor a refusal")?;
        Some(Answer::to(ask, &self.secret, &answer[..length]))
    }

    /// What was sent before is dropped without a word: packets of one socket are taken in their order, so once a status
    /// is answered nothing else can be on its way from the door.
    pub(crate) async fn hears_nothing(&self) {
        let status = Ask::status();
        self.send(&status).await;
        let answer = self.next(&[status]).await;
        assert_eq!(answer.code, super::radius::ACCEPT);
    }
}
