//! Sending answers: at once where the kernel takes them, else through a short queue, else dropped and counted.
//!
//! A dropped answer is no lost login: the appliance repeats its request, and the same octets go out again (rules B1).

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::mpsc;

use super::socket::BatchSocket;

/// Answers that wait for a full send buffer; past it they are dropped (rules G1).
pub(super) const WAITING_MAX: usize = 256;

/// Sends answers through one socket; a clone is cheap. The socket stays open while there is one.
#[derive(Clone)]
pub struct Replier {
    way_out: WayOut,
    waiting: mpsc::Sender<Waiting>,
}

/// The socket, and what did not leave by it.
#[derive(Clone)]
pub(super) struct WayOut {
    socket: Arc<BatchSocket>,
    unsent: Arc<Counts>,
}

/// How many answers did not leave, since the socket was opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Unsent {
    /// The kernel's buffer and our queue were full.
    pub overload: u64,
    /// The kernel refused: no route, a firewall, a source address that is gone.
    pub refused: u64,
}

#[derive(Default)]
struct Counts {
    overload: AtomicU64,
    refused: AtomicU64,
}

/// An answer that waits.
pub(super) struct Waiting {
    bytes: Box<[u8]>,
    to: SocketAddr,
    from: SocketAddr,
}

impl Replier {
    pub(super) fn new(socket: Arc<BatchSocket>) -> (Self, mpsc::Receiver<Waiting>) {
        let (waiting, receiver) = mpsc::channel(WAITING_MAX);
        (Self { way_out: WayOut { socket, unsent: Arc::default() }, waiting }, receiver)
    }

    /// Sends `bytes` to `to`, leaving from the address `from` that was asked. Never blocks and never fails loudly:
    /// what could not be sent is counted in [`Replier::unsent`].
    pub fn send(&self, bytes: &[u8], to: SocketAddr, from: SocketAddr) {
        match self.way_out.socket.try_send(bytes, to, from) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => self.wait(bytes, to, from),
            outcome => self.way_out.note(outcome, to),
        }
    }

    /// What did not leave so far.
    #[must_use]
    pub fn unsent(&self) -> Unsent {
        let Counts { overload, refused } = &*self.way_out.unsent;
        Unsent { overload: overload.load(Ordering::Relaxed), refused: refused.load(Ordering::Relaxed) }
    }

    /// What sends the answers that wait, without keeping the socket open by itself.
    pub(super) fn into_way_out(self) -> WayOut {
        self.way_out
    }

    fn wait(&self, bytes: &[u8], to: SocketAddr, from: SocketAddr) {
        if self.waiting.try_send(Waiting { bytes: bytes.into(), to, from }).is_err() {
            self.way_out.unsent.overload.fetch_add(1, Ordering::Relaxed);
        }
    }
}

impl WayOut {
    pub(super) async fn send_waiting(&self, answer: Waiting) {
        let outcome = self.socket.send(&answer.bytes, answer.to, answer.from).await;
        self.note(outcome, answer.to);
    }

    fn note(&self, outcome: io::Result<()>, to: SocketAddr) {
        let Err(error) = outcome else { return };
        // One line for the first and for each power of two: a dead route can't fill the log.
        let count = self.unsent.refused.fetch_add(1, Ordering::Relaxed).saturating_add(1);
        if count.is_power_of_two() {
            tracing::warn!(%to, %error, count, "the kernel refused to send an answer; check the route and the firewall to this client");
        }
    }
}
