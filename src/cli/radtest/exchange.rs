//! One request and its reply over UDP: sent again while nothing comes, and only a reply that verifies counts.

use std::io::ErrorKind;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::time::Duration;

use wire::{Demand, PACKET_OCTETS_MAX, PacketView, SentRequest, SharedSecret, Unverified};

use super::super::out::Failure;
use super::request::random;
use crate::engine::Clock;

/// The same packet goes out again after so long, as appliances do.
const SEND_AGAIN_EVERY: Duration = Duration::from_secs(5);

/// Who waits hears of it so often.
const TELL_EVERY: Duration = Duration::from_secs(1);

/// A socket that talks to one server only.
pub(super) struct Exchange {
    socket: UdpSocket,
    server: SocketAddr,
    local: IpAddr,
    timeout: Duration,
    retries: u32,
    next_identifier: std::cell::Cell<u8>,
    clock: Clock,
}

/// A reply that was verified.
pub(super) struct Reply {
    pub(super) octets: Vec<u8>,
    pub(super) after: Duration,
    /// How often the request was sent until then.
    pub(super) sent: u32,
}

/// Why there is no reply.
#[derive(Debug)]
pub(super) struct NoReply {
    /// What was heard, if anything.
    pub(super) heard: Heard,
    /// How long was waited.
    pub(super) after: Duration,
    /// How often the request was sent.
    pub(super) sent: u32,
}

/// What was heard instead of a reply.
#[derive(Debug)]
pub(super) enum Heard {
    /// Nothing at all.
    Nothing,
    /// The host says that no program listens there (ICMP).
    Closed,
    /// Packets that are not believed; the last one's reason.
    Unbelieved(Unverified),
    /// Packets that are no RADIUS.
    Garbage,
    /// The system refuses to send or to receive.
    Refused(std::io::Error),
}

impl NoReply {
    /// Milliseconds waited, packets sent.
    pub(super) fn spent(&self) -> (u64, u32) {
        (super::millis(self.after), self.sent)
    }
}

impl Exchange {
    pub(super) fn open(server: SocketAddr, timeout: Duration, retries: u32) -> Result<Self, Failure> {
        let any: SocketAddr = if server.is_ipv4() { ([0; 4], 0).into() } else { ([0u16; 8], 0).into() };
        let unreachable = |why: std::io::Error| Failure::Refused(format!("{server} can't be reached from here: {why}"));
        let socket = UdpSocket::bind(any).map_err(unreachable)?;
        // A connected socket hears this server only, and hears when nothing listens there.
        socket.connect(server).map_err(unreachable)?;
        let local = socket.local_addr().map_err(unreachable)?.ip();
        let [identifier] = random::<1>()?;
        Ok(Self { socket, server, local, timeout, retries, next_identifier: identifier.into(), clock: Clock::begin() })
    }

    pub(super) fn server(&self) -> SocketAddr {
        self.server
    }

    /// The address that the server sees, where no router changes it.
    pub(super) fn local(&self) -> IpAddr {
        self.local
    }

    pub(super) fn timeout(&self) -> Duration {
        self.timeout
    }

    /// A new Identifier for each request (RFC 2865 §3).
    pub(super) fn identifier(&self) -> u8 {
        let identifier = self.next_identifier.get();
        self.next_identifier.set(identifier.wrapping_add(1));
        identifier
    }

    /// Sends, and waits for a reply that verifies. One that does not changes nothing, for anybody could send it (rules E1).
    /// `waiting` hears how long it has been, once a second, and how often the packet was sent.
    pub(super) fn ask(
        &self,
        request: &SentRequest,
        secret: &SharedSecret,
        mut waiting: impl FnMut(Duration, u32),
    ) -> Result<Reply, NoReply> {
        let began = self.clock.tick();
        let (mut sent, mut heard) = (0, Heard::Nothing);
        let mut buffer = [0; PACKET_OCTETS_MAX + 1];
        loop {
            let after = self.clock.tick().since(began);
            if after >= self.timeout {
                return Err(NoReply { heard, after, sent });
            }
            waiting(after, sent);
            if sent <= self.retries && after >= SEND_AGAIN_EVERY.saturating_mul(sent) {
                sent += 1;
                if let Err(why) = self.socket.send(request.as_bytes()) {
                    return Err(NoReply { heard: failed(why), after, sent });
                }
            }
            match self.receive(&mut buffer, self.until_next(sent, after)) {
                Ok(None) => {}
                Ok(Some(octets)) => match judge(octets, request, secret) {
                    Ok(()) => {
                        let after = self.clock.tick().since(began);
                        return Ok(Reply { octets: octets.to_vec(), after, sent });
                    }
                    Err(other) => heard = other,
                },
                Err(why) => return Err(NoReply { heard: failed(why), after: self.clock.tick().since(began), sent }),
            }
        }
    }

    /// Until the packet goes out again, or the waiting ends.
    fn until_next(&self, sent: u32, after: Duration) -> Duration {
        let left = self.timeout.saturating_sub(after);
        let again = SEND_AGAIN_EVERY.saturating_mul(sent).saturating_sub(after);
        let wait = if sent <= self.retries { left.min(again) } else { left };
        wait.min(TELL_EVERY).max(Duration::from_millis(1))
    }

    fn receive<'b>(&self, buffer: &'b mut [u8], wait: Duration) -> std::io::Result<Option<&'b [u8]>> {
        self.socket.set_read_timeout(Some(wait))?;
        match self.socket.recv(buffer) {
            Ok(count) => Ok(buffer.get(..count)),
            Err(error)
                if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted) =>
            {
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }
}

fn judge(octets: &[u8], request: &SentRequest, secret: &SharedSecret) -> Result<(), Heard> {
    let view = PacketView::parse(octets).map_err(|_| Heard::Garbage)?;
    view.verify_reply(secret, request, Demand::Required).map(|_| ()).map_err(Heard::Unbelieved)
}

fn failed(why: std::io::Error) -> Heard {
    if why.kind() == ErrorKind::ConnectionRefused { Heard::Closed } else { Heard::Refused(why) }
}
