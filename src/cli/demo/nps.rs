//! The upstream of the demo: a real RADIUS server over UDP on its own port, which stands for NPS.
//!
//! It checks PAP against the demo's few people and answers an Accept with Class and Filter-Id, everything signed with
//! Message-Authenticator first. What is not signed with the secret is dropped. It knows nothing of second factors.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;

use tokio::net::UdpSocket;
use tokio_util::sync::CancellationToken;
use wire::{Attribute, Code, Datagram, Demand, PacketView, ReplyCode, Secret, SharedSecret, VerifiedRequest, kind};

use super::board::{Board, Tone, Who};

/// The largest packet (RFC 2865 §3).
const PACKET_OCTETS_MAX: usize = 4096;

/// The server.
pub(super) struct Nps {
    socket: UdpSocket,
    secret: SharedSecret,
    passwords: BTreeMap<&'static str, Secret>,
    board: Arc<Board>,
}

impl Nps {
    /// Binds a port of loopback.
    pub(super) async fn bind(
        secret: SharedSecret,
        passwords: BTreeMap<&'static str, Secret>,
        board: Arc<Board>,
    ) -> std::io::Result<Self> {
        Ok(Self { socket: UdpSocket::bind("127.0.0.1:0").await?, secret, passwords, board })
    }

    pub(super) fn address(&self) -> std::io::Result<SocketAddr> {
        self.socket.local_addr()
    }

    /// Answers until cancelled.
    pub(super) async fn run(self, cancel: CancellationToken) {
        let mut received = vec![0; PACKET_OCTETS_MAX];
        loop {
            let (length, peer) = tokio::select! {
                () = cancel.cancelled() => return,
                received = self.socket.recv_from(&mut received) => match received {
                    Ok(received) => received,
                    // A peer that is gone (ICMP) is no reason to stop.
                    Err(_) => continue,
                },
            };
            if let Some(reply) = self.answer(received.get(..length).unwrap_or_default()) {
                let _ = self.socket.send_to(&reply, peer).await;
            }
        }
    }

    fn answer(&self, datagram: &[u8]) -> Option<Vec<u8>> {
        let request = PacketView::parse(datagram).ok()?.verify(&self.secret, Demand::Required).ok()?;
        let context = request.context();
        let mut buffer = Datagram::new();
        if request.view().code() == Code::StatusServer {
            // RFC 5997 §3: an Access-Accept without more says that the server lives.
            return Some(context.reply(ReplyCode::Accept, &mut buffer).sign(&self.secret).ok()?.as_bytes().to_vec());
        }
        let user = String::from_utf8_lossy(request.view().user_name()?).to_lowercase();
        let right = self.is_right(&user, &request);
        let mut reply = context.reply(if right { ReplyCode::Accept } else { ReplyCode::Reject }, &mut buffer);
        if right {
            reply.push(Attribute::new(kind::CLASS, format!("nps-session-of-{user}").as_bytes())).ok()?;
            reply.push(Attribute::new(kind::FILTER_ID, b"staff-network")).ok()?;
            self.board.hop(Who::Nps, Tone::Plain, format!("checks {user}'s password: right, Access-Accept"));
        } else {
            self.board.hop(Who::Nps, Tone::Bad, format!("checks {user}'s password: wrong, Access-Reject"));
        }
        Some(reply.sign(&self.secret).ok()?.as_bytes().to_vec())
    }

    fn is_right(&self, user: &str, request: &VerifiedRequest<'_>) -> bool {
        let Ok(Some(typed)) = request.password(&self.secret) else { return false };
        // `Secret` compares in constant time.
        self.passwords.get(user).is_some_and(|password| *password == typed)
    }
}
