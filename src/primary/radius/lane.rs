//! One connected UDP socket to one server, with its 256 Identifiers and the requests that wait on it.
//!
//! A reply means something only if it came on this connected socket, bears the Identifier of a request that waits here, has a
//! code that can answer it and is verified against it (RFC 5080 §2.2.2, checklist D9). The first such reply is
//! taken and wakes its request; whatever else arrives is counted and changes nothing (checklist D10).

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use login::Tick;
use socket2::{Domain, Socket, Type};
use tokio::net::UdpSocket;
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;
use wire::{
    Code, Demand, HeldAttributes, Malformed, PACKET_OCTETS_MAX, PacketView, SentRequest, SharedSecret, Unverified,
    VerifiedReply, WrongSecret,
};

use super::ids::{IDENTIFIERS, Identifiers};
use crate::primary::observer::ReplyDrop;

/// A verified reply, out of its datagram.
#[derive(Debug)]
pub(super) struct Heard {
    /// Accept, Reject or Challenge.
    pub(super) code: Code,
    /// Its attributes; those that could not be decoded spoil the whole.
    pub(super) attributes: Result<HeldAttributes, WrongSecret>,
}

/// One socket and its requests.
#[derive(Debug)]
pub(super) struct Lane {
    socket: UdpSocket,
    table: Mutex<Table>,
    ended: CancellationToken,
}

#[derive(Debug)]
struct Table {
    ids: Identifiers,
    waiting: Vec<Option<Waiting>>,
}

#[derive(Debug)]
struct Waiting {
    sent: Arc<SentRequest>,
    answer: oneshot::Sender<Heard>,
}

impl Lane {
    /// Opens a socket on a port of its own that hears only this server.
    pub(super) fn open(server: SocketAddr) -> io::Result<Self> {
        let any = match server {
            SocketAddr::V4(_) => SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0)),
            SocketAddr::V6(_) => SocketAddr::from((Ipv6Addr::UNSPECIFIED, 0)),
        };
        let socket = Socket::new(Domain::for_address(server), Type::DGRAM, None)?;
        // Room for an answer to each Identifier at once; the system may allow less, and then a retransmission mends it.
        let _allowed_or_not = socket.set_recv_buffer_size(IDENTIFIERS * PACKET_OCTETS_MAX);
        socket.bind(&any.into())?;
        socket.set_nonblocking(true)?;
        socket.connect(&server.into())?;
        let waiting = std::iter::repeat_with(|| None).take(IDENTIFIERS).collect();
        let table = Table { ids: Identifiers::new(), waiting };
        Ok(Self {
            socket: UdpSocket::from_std(socket.into())?,
            table: Mutex::new(table),
            ended: CancellationToken::new(),
        })
    }

    /// Takes an Identifier, if one is free.
    pub(super) fn take(&self, now: Tick) -> Option<u8> {
        self.table().ids.take(now)
    }

    /// How many Identifiers are free.
    pub(super) fn available(&self, now: Tick) -> usize {
        self.table().ids.available(now)
    }

    /// Lets a request wait for its reply. The receiver fails if the lane is closed.
    pub(super) fn wait(&self, sent: Arc<SentRequest>) -> oneshot::Receiver<Heard> {
        let (answer, receiver) = oneshot::channel();
        let mut table = self.table();
        let id = usize::from(sent.identifier());
        if !self.ended.is_cancelled()
            && let Some(place) = table.waiting.get_mut(id)
        {
            *place = Some(Waiting { sent, answer });
        }
        receiver
    }

    /// Gives an Identifier back: at once free if its answer came, resting if it may still come.
    pub(super) fn give_back(&self, id: u8, answered: bool, now: Tick) {
        let mut table = self.table();
        if let Some(place) = table.waiting.get_mut(usize::from(id)) {
            *place = None;
        }
        if answered { table.ids.answered(id) } else { table.ids.given_up(id, now) }
    }

    /// Sends a request, for the first time or again: the same octets from the same port (RFC 2865 §2.5).
    pub(super) async fn send(&self, sent: &SentRequest) -> io::Result<()> {
        self.socket.send(sent.as_bytes()).await.map(drop)
    }

    /// The next datagram of the server, or what its host said of the last one of ours.
    pub(super) async fn receive(&self, buffer: &mut [u8]) -> io::Result<usize> {
        self.socket.recv(buffer).await
    }

    /// Takes a datagram as the reply to whom it answers.
    ///
    /// # Errors
    /// Why it was dropped; the request, if there is one, still waits.
    pub(super) fn accept(&self, datagram: &[u8], secret: &SharedSecret, demand: Demand) -> Result<(), ReplyDrop> {
        let view = PacketView::parse(datagram).map_err(malformed)?;
        if !matches!(view.code(), Code::AccessAccept | Code::AccessReject | Code::AccessChallenge) {
            return Err(ReplyDrop::WrongCode);
        }
        let id = usize::from(view.identifier());
        // The sums are done without the lock, so the request is looked up again before the reply is handed over.
        let sent = self.sent(id).ok_or(ReplyDrop::Unexpected)?;
        let reply = view.verify_reply(secret, &sent, demand).map_err(unverified)?;
        let heard = Heard::of(&reply, secret);
        self.hand_over(id, &sent, heard)
    }

    /// Ends the lane: all that wait on it begin anew elsewhere.
    pub(super) fn close(&self) {
        let mut table = self.table();
        self.ended.cancel();
        table.waiting.fill_with(|| None);
    }

    /// Is ready when the lane was closed.
    pub(super) async fn ended(&self) {
        self.ended.cancelled().await;
    }

    fn sent(&self, id: usize) -> Option<Arc<SentRequest>> {
        self.table().waiting.get(id)?.as_ref().map(|waiting| Arc::clone(&waiting.sent))
    }

    fn hand_over(&self, id: usize, sent: &Arc<SentRequest>, heard: Heard) -> Result<(), ReplyDrop> {
        let mut table = self.table();
        let place = table.waiting.get_mut(id).ok_or(ReplyDrop::Unexpected)?;
        let waiting = place.take_if(|waiting| Arc::ptr_eq(&waiting.sent, sent)).ok_or(ReplyDrop::Unexpected)?;
        waiting.answer.send(heard).map_err(|_| ReplyDrop::Unexpected)
    }

    /// A panic elsewhere leaves the table whole: each change is one step.
    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Heard {
    fn of(reply: &VerifiedReply<'_>, secret: &SharedSecret) -> Self {
        Self { code: reply.code(), attributes: HeldAttributes::decode(reply, secret) }
    }
}

fn malformed(why: Malformed) -> ReplyDrop {
    if matches!(why, Malformed::UnknownCode(_)) { ReplyDrop::WrongCode } else { ReplyDrop::Malformed }
}

fn unverified(why: Unverified) -> ReplyDrop {
    match why {
        Unverified::MissingMessageAuthenticator => ReplyDrop::MissingMessageAuthenticator,
        Unverified::BadMessageAuthenticator => ReplyDrop::BadMessageAuthenticator,
        Unverified::ProxyState => ReplyDrop::ProxyState,
        Unverified::NotARequest | Unverified::WrongCode => ReplyDrop::WrongCode,
        Unverified::WrongIdentifier => ReplyDrop::Unexpected,
        Unverified::BadResponseAuthenticator | Unverified::BadRequestAuthenticator => ReplyDrop::BadAuthenticator,
    }
}
