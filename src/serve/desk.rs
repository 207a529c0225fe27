//! Where the outer door meets the held sessions: each datagram goes through the gate, each admitted request to the engine.
//!
//! The listener knows no client and the engine no socket; this is the one place that knows both. A panic on the way of
//! one packet ends that packet, never the loop that reads the next (design: a panic ends that login, not the service).

use std::net::SocketAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use crate::client::{Admission, Admitted, Client, Gate, Outlet, Way, login_facts};
use crate::engine::{Ask, Clock, Engine};
use crate::listen::{Datagram, Replier};

/// Takes in what one socket reads.
pub(super) struct Desk {
    pub(super) gate: Arc<Gate>,
    pub(super) engine: Engine,
    pub(super) clock: Clock,
    pub(super) outlet: Arc<dyn Outlet>,
}

impl Desk {
    /// The desk of one socket: its answers leave by that socket.
    pub(super) fn new(gate: Arc<Gate>, engine: Engine, clock: Clock, replier: Replier) -> Self {
        let outlet: Arc<dyn Outlet> = Arc::new(move |octets: &[u8], way: Way| replier.send(octets, way.peer, way.local));
        Self { gate, engine, clock, outlet }
    }

    /// One datagram. Returns at once.
    pub(super) fn take(&self, datagram: Datagram<'_>) {
        let caught = catch_unwind(AssertUnwindSafe(|| self.admit(datagram.bytes, datagram.peer, datagram.local)));
        if caught.is_err() {
            tracing::error!(peer = %datagram.peer, "a packet met a mistake of ours and was dropped; please report it with the lines above");
        }
    }

    fn admit(&self, bytes: &[u8], peer: SocketAddr, local: SocketAddr) {
        match self.gate.admit(bytes, Way { peer, local }, &self.outlet, self.clock.moment()) {
            Admission::Settled(_) => {}
            Admission::Login(admitted) => self.ask(admitted),
        }
    }

    fn ask(&self, admitted: Admitted<'_>) {
        let Admitted { client, request, ticket, authentic } = admitted;
        // Rules D5: past its budget of failures a client's bare packets reach nobody.
        if !authentic && !client.may_try(self.clock.tick()) {
            return ticket.over_budget();
        }
        let facts = login_facts(&request, &client);
        self.engine.receive(Ask {
            client: client.name().clone(),
            secret: client.config().secret.clone(),
            meters: client.meters().clone(),
            request: &request,
            facts: facts.as_ref().map(|facts| facts.as_slice()),
            authentic,
            path: Box::new(ticket),
            on_primary_reject: charge(&client, self.clock, authentic),
        });
    }
}

/// A bare packet that the primary rejects is charged to its client (D5).
fn charge(client: &Arc<Client>, clock: Clock, authentic: bool) -> Option<Box<dyn FnOnce() + Send + Sync>> {
    if authentic {
        return None;
    }
    let client = Arc::clone(client);
    Some(Box::new(move || client.charge_failure(clock.tick())))
}
