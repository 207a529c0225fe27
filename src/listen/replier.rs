//! Sending answers: at once where the kernel takes them, else through a short queue, else dropped and counted.
//!
//! A dropped answer is no lost login: the appliance repeats its request, and the same octets go out again (rules B1).

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use nix::errno::Errno;
use tokio::sync::mpsc;

use super::socket::BatchSocket;
use crate::telemetry::{AnswerUnsent, Telemetry, UnsentReason};

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
    telemetry: Telemetry,
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
    pub(super) fn new(socket: Arc<BatchSocket>, telemetry: Telemetry) -> (Self, mpsc::Receiver<Waiting>) {
        let (waiting, receiver) = mpsc::channel(WAITING_MAX);
        (Self { way_out: WayOut { socket, unsent: Arc::default(), telemetry }, waiting }, receiver)
    }

    /// Sends `bytes` to `to`, leaving from the address `from` that was asked. Never blocks and never fails loudly:
    /// what could not be sent is counted in [`Replier::unsent`].
    pub fn send(&self, bytes: &[u8], to: SocketAddr, from: SocketAddr) {
        match past_others(|| self.way_out.socket.try_send(bytes, to, from)) {
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
            self.way_out.lost(UnsentReason::Overload, to, &"more answers wait for the wire than may");
        }
    }
}

impl WayOut {
    pub(super) async fn send_waiting(&self, answer: Waiting) {
        let Waiting { bytes, to, from } = answer;
        let mut outcome = self.socket.send(&bytes, to, from).await;
        if outcome.as_ref().is_err_and(may_be_of_another) {
            outcome = self.socket.send(&bytes, to, from).await;
        }
        self.note(outcome, to);
    }

    fn note(&self, outcome: io::Result<()>, to: SocketAddr) {
        let Err(error) = outcome else { return };
        let short = matches!(error.raw_os_error().map(Errno::from_raw), Some(Errno::ENOBUFS | Errno::ENOMEM));
        self.lost(if short { UnsentReason::Overload } else { UnsentReason::Refused }, to, &error);
    }

    fn lost(&self, reason: UnsentReason, to: SocketAddr, why: &dyn fmt::Display) {
        let counter = match reason {
            UnsentReason::Overload => &self.unsent.overload,
            UnsentReason::Refused => &self.unsent.refused,
        };
        counter.fetch_add(1, Ordering::Relaxed);
        self.telemetry.emit(AnswerUnsent { reason, to, why });
    }
}

/// What the network said of an answer to *another* peer, the kernel tells whoever sends next, and sends nothing: so it is sent
/// again, twice at most (rules G4). What is really of this peer comes again, too.
fn past_others(mut send: impl FnMut() -> io::Result<()>) -> io::Result<()> {
    const AGAIN_MAX: usize = 2;
    let mut outcome = send();
    for _ in 0..AGAIN_MAX {
        if !outcome.as_ref().is_err_and(may_be_of_another) {
            break;
        }
        outcome = send();
    }
    outcome
}

/// The errors that ICMP messages become (RFC 1122 §4.1.3.3).
fn may_be_of_another(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionRefused
            | io::ErrorKind::HostUnreachable
            | io::ErrorKind::NetworkUnreachable
            | io::ErrorKind::ConnectionReset
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_of_another_peer_costs_this_one_no_answer() {
        let mut pending =
            vec![Err(io::ErrorKind::ConnectionRefused.into()), Err(io::ErrorKind::HostUnreachable.into()), Ok(())]
                .into_iter();
        assert!(past_others(|| pending.next().unwrap()).is_ok());
    }

    #[test]
    fn what_is_said_of_this_peer_is_told_after_three_sends_and_a_full_socket_at_once() {
        let mut sends = 0;
        let refused = past_others(|| {
            sends += 1;
            Err(io::ErrorKind::NetworkUnreachable.into())
        });
        assert_eq!((refused.unwrap_err().kind(), sends), (io::ErrorKind::NetworkUnreachable, 3));
        let mut sends = 0;
        let full = past_others(|| {
            sends += 1;
            Err(io::ErrorKind::WouldBlock.into())
        });
        assert_eq!((full.unwrap_err().kind(), sends), (io::ErrorKind::WouldBlock, 1));
    }
}
