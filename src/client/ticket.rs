//! A request's claim to its one answer. Answered, silenced or dropped: its key never stays behind (checklist E9).

use std::fmt;
use std::sync::Arc;

use wire::SignedReply;

use super::duplicates::{Duplicates, Key};
use super::{Client, Outlet, ReturnPath, Way, notice};

/// The way back to one request. While it lives, retransmits are absorbed; dropped without an answer, as by a panic, it frees
/// its key, and the next retransmit begins anew.
pub struct Ticket {
    table: Arc<Duplicates>,
    key: Key,
    id: u64,
    outlet: Arc<dyn Outlet>,
    client: Arc<Client>,
    settled: bool,
}

impl Ticket {
    pub(super) fn new(table: Arc<Duplicates>, key: Key, id: u64, outlet: Arc<dyn Outlet>, client: Arc<Client>) -> Self {
        Self { table, key, id, outlet, client, settled: false }
    }

    /// Sends the answer, unless another request has taken this one's Identifier meanwhile: its sender no longer waits (B1).
    pub fn answer(mut self, reply: SignedReply<'_>) {
        self.settled = true;
        if self.table.answered(&self.key, self.id, reply.as_bytes()) {
            self.outlet.send(reply.as_bytes(), self.key.way);
        } else {
            notice::superseded(&self.client);
        }
    }

    /// Says nothing, also to retransmits (rules B2: a superseded asker gets nothing more, and never a login of its own).
    pub fn supersede(mut self) {
        self.settled = true;
        self.table.answered(&self.key, self.id, &[]);
        notice::superseded(&self.client);
    }

    /// Whether its sender may still wait; false once the same Identifier came with another request.
    #[must_use]
    pub fn is_awaited(&self) -> bool {
        self.table.stands(&self.key, self.id)
    }

    /// Through which appliance.
    #[must_use]
    pub fn client(&self) -> &Arc<Client> {
        &self.client
    }

    /// From where, and to where.
    #[must_use]
    pub fn way(&self) -> Way {
        self.key.way
    }
}

impl ReturnPath for Ticket {
    fn answer(self: Box<Self>, reply: SignedReply<'_>) {
        Self::answer(*self, reply);
    }

    fn supersede(self: Box<Self>) {
        Self::supersede(*self);
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        if !self.settled {
            self.table.free(&self.key, self.id);
        }
    }
}

impl fmt::Debug for Ticket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Ticket({} from {}, Identifier {})", self.client.name(), self.key.way.peer, self.key.identifier)
    }
}
