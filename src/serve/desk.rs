//! Where the outer door meets the held sessions: each datagram goes through the gate, each admitted request to the engine.
//!
//! The listener knows no client and the engine no socket; this is the one place that knows both. A panic on the way of
//! one packet ends that packet, never the loop that reads the next (design: a panic ends that login, not the service).

use std::net::SocketAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use crate::client::{Admission, Gate, Outlet, Way};
use crate::engine::{Clock, Engine};
use crate::listen::{Datagram, Replier};

/// Takes in what one socket reads.
pub(super) struct Desk {
    gate: Arc<Gate>,
    engine: Engine,
    clock: Clock,
    outlet: Arc<dyn Outlet>,
}

impl Desk {
    /// The desk of one socket: its answers leave by that socket.
    pub(super) fn new(gate: Arc<Gate>, engine: Engine, clock: Clock, replier: Replier) -> Self {
        let outlet: Arc<dyn Outlet> =
            Arc::new(move |octets: &[u8], way: Way| replier.send(octets, way.peer, way.local));
        Self { gate, engine, clock, outlet }
    }

    /// One datagram. Returns at once.
    pub(super) fn take(&self, datagram: Datagram<'_>) {
        let caught = catch_unwind(AssertUnwindSafe(|| self.admit(datagram.bytes, datagram.peer, datagram.local)));
        if caught.is_err() {
            tracing::error!(peer = %datagram.peer, "a packet met a mistake of ours and was dropped; please report it with the lines above");
        }
    }

    /// One datagram that came to an accounting port.
    pub(super) fn take_account(&self, datagram: Datagram<'_>) {
        let (at, way) = (self.clock.moment(), Way { peer: datagram.peer, local: datagram.local });
        let caught =
            catch_unwind(AssertUnwindSafe(|| self.gate.account(datagram.bytes, way, self.outlet.as_ref(), at)));
        if caught.is_err() {
            tracing::error!(peer = %datagram.peer, "a packet met a mistake of ours and was dropped; please report it with the lines above");
        }
    }

    fn admit(&self, bytes: &[u8], peer: SocketAddr, local: SocketAddr) {
        let at = self.clock.moment();
        match self.gate.admit(bytes, Way { peer, local }, &self.outlet, at) {
            Admission::Settled(_) => {}
            Admission::Login(admitted) => admitted.hand_to(&self.engine, at.tick),
        }
    }
}
