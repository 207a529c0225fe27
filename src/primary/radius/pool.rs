//! The sockets to one address: one at first, more as more requests are in flight than one can tell apart.
//!
//! A socket has 256 Identifiers, so 2,000 requests need eight of them (RFC 2865 §2.5, RFC 5080 §2.2.3, checklist D7).
//! There are at most [`LANES_MAX`]; when those are full, new logins are refused before answers to challenges are.

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use login::Tick;

use super::ids::IDENTIFIERS;
use super::lane::Lane;

/// The most sockets to one server: 8,192 requests in flight.
pub(super) const LANES_MAX: usize = 32;

/// So many Identifiers of the last socket are kept for requests with State: their users are further on (checklist D7).
const KEPT_FOR_STATE: usize = IDENTIFIERS / 4;

/// The sockets to one address.
#[derive(Debug)]
pub(super) struct Pool {
    address: SocketAddr,
    lanes: Mutex<Vec<Arc<Lane>>>,
}

/// A place on a lane, and whether the lane is new and nobody listens on it yet.
pub(super) struct Place {
    /// The socket.
    pub(super) lane: Arc<Lane>,
    /// The Identifier.
    pub(super) id: u8,
    /// The caller starts a reader for it.
    pub(super) is_new: bool,
}

impl Pool {
    /// No sockets yet.
    pub(super) fn new(address: SocketAddr) -> Self {
        Self { address, lanes: Mutex::new(Vec::new()) }
    }

    /// Where it leads.
    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    /// A free place, on a new socket if it must be; `None` when all are taken.
    ///
    /// # Errors
    /// The system gives no socket, or no route.
    pub(super) fn place(&self, has_state: bool, now: Tick) -> io::Result<Option<Place>> {
        let mut lanes = self.lanes.lock().unwrap_or_else(PoisonError::into_inner);
        let last = LANES_MAX - 1;
        for (index, lane) in lanes.iter().enumerate() {
            let kept = if index == last && !has_state { KEPT_FOR_STATE } else { 0 };
            if lane.available(now) > kept
                && let Some(id) = lane.take(now)
            {
                return Ok(Some(Place { lane: Arc::clone(lane), id, is_new: false }));
            }
        }
        if lanes.len() == LANES_MAX {
            return Ok(None);
        }
        let lane = Arc::new(Lane::open(self.address)?);
        lanes.push(Arc::clone(&lane));
        Ok(lane.take(now).map(|id| Place { lane, id, is_new: true }))
    }

    /// Ends all its sockets.
    pub(super) fn close(&self) {
        for lane in self.lanes.lock().unwrap_or_else(PoisonError::into_inner).drain(..) {
            lane.close();
        }
    }
}
