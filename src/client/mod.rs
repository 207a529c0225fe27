//! The gate: which appliance speaks, whether it may be believed, and whether it has asked this before.
//!
//! Guarantees: an unknown source costs one look-up; nothing that its client's stance does not admit touches any state
//! (rules B1, E1); a retransmit never begins a second login; whatever is dropped is counted with its reason, and a
//! known client's admin reads what to mend (E6). It never decodes a password, decides about a login, or reads a clock:
//! time comes with each packet.

mod advice;
mod appliance;
mod budget;
mod duplicates;
mod facts;
mod gate;
mod handover;
mod prefixes;
mod stance;
mod status;
mod ticket;

use std::net::SocketAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};

pub use appliance::Client;
pub use budget::{Budget, Trial};
pub use duplicates::{Bounds, Kept};
pub use facts::{LoginFacts, login_facts};
pub use gate::{Admission, Admitted, Gate, GateOptions, Settled};
pub use stance::Learning;
pub use ticket::Ticket;

/// The way of a datagram: who sent it, and which of our addresses it was sent to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Way {
    /// The appliance's address and port.
    pub peer: SocketAddr,
    /// The address and port that were asked; the answer leaves from there (checklist A10).
    pub local: SocketAddr,
}

/// Where answers leave. `listen`'s replier is one; a test keeps them.
pub trait Outlet: Send + Sync {
    /// Sends the octets back along the way they were asked. Never blocks.
    fn send(&self, octets: &[u8], way: Way);
}

impl<F: Fn(&[u8], Way) + Send + Sync> Outlet for F {
    fn send(&self, octets: &[u8], way: Way) {
        self(octets, way);
    }
}

/// Locks, also after a panic elsewhere: what these locks guard is whole after every statement.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
