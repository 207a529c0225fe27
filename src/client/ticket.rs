//! A request's claim to its one answer. Answered, silenced or dropped: its key never stays behind (checklist E9).

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use login::Tick;
use wire::SignedReply;

use super::advice::Refused;
use super::duplicates::{Duplicates, Key};
use super::{Client, Outlet, Way};
use crate::engine::ReturnPath;
use crate::telemetry::{AnswerCode, Answered, DropReason, Dropped, Telemetry};

/// The way back to one request. While it lives, retransmits are absorbed; dropped without an answer, as by a panic, it
/// frees its key, and the next retransmit begins anew.
pub struct Ticket {
    table: Arc<Duplicates>,
    key: Key,
    id: u64,
    outlet: Arc<dyn Outlet>,
    client: Arc<Client>,
    telemetry: Telemetry,
    settled: bool,
}

impl Ticket {
    /// Where the request came from.
    pub(super) fn peer(&self) -> IpAddr {
        self.key.way.peer.ip()
    }

    pub(super) fn new(
        table: Arc<Duplicates>,
        key: Key,
        id: u64,
        outlet: Arc<dyn Outlet>,
        client: Arc<Client>,
        telemetry: Telemetry,
    ) -> Self {
        Self { table, key, id, outlet, client, telemetry, settled: false }
    }

    /// Sends the answer, unless another request has taken this one's Identifier meanwhile: its sender no longer waits
    /// (B1).
    pub fn answer(mut self, reply: SignedReply<'_>, at: Tick) {
        self.settled = true;
        if self.table.answered(&self.key, self.id, reply.as_bytes(), at) {
            self.outlet.send(reply.as_bytes(), self.key.way);
            if let Some(most) = self.client.loses(reply.as_bytes().len()) {
                let (client, octets) = (self.client.name(), reply.as_bytes().len());
                let title = self.client.config().profile.title;
                tracing::warn!(
                    %client,
                    octets,
                    "{title} loses answers of more than {most} octets, and this login's had more. What to do: keep what makes it long, \
                     such as lists of groups, out of the primary's answer, or replace it by the rule's `reply`"
                );
            }
            if let Some(code) = code_of(reply.as_bytes()) {
                self.telemetry.emit(Answered { client: self.client.meters(), code });
            }
        } else {
            self.tell_silence(DropReason::Superseded);
        }
    }

    /// Says nothing, also to retransmits (rules B2: a superseded asker gets nothing more, and never a login of its
    /// own).
    pub fn supersede(mut self, at: Tick) {
        self.settled = true;
        self.table.answered(&self.key, self.id, &[], at);
        self.tell_silence(DropReason::Superseded);
    }

    /// Its client's budget of bare failures is spent (rules D5); the key is free, so that a retransmit may find room.
    pub(super) fn over_budget(mut self) {
        self.settled = true;
        self.table.free(&self.key, self.id);
        self.client.tell_drop(Refused::BareBudget, self.key.way.peer, &self.telemetry);
    }

    /// Gives up for want of room (rules G1); the key is free, so that a retransmit may find it.
    pub fn overload(mut self) {
        self.settled = true;
        self.table.free(&self.key, self.id);
        self.tell_silence(DropReason::Overload);
    }

    /// Nobody could check it (rules A10). The key is free, so that a retransmit tries again, and the appliance's silence-timer
    /// sends it to its next server meanwhile.
    pub fn unchecked(mut self) {
        self.settled = true;
        self.table.free(&self.key, self.id);
        self.tell_silence(DropReason::Unavailable);
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

    fn tell_silence(&self, reason: DropReason) {
        self.telemetry.emit(Dropped {
            client: self.client.meters(),
            peer: self.key.way.peer,
            reason,
            detail: None,
            help: None,
        });
    }
}

/// What left, by its Code (RFC 2865 §3).
fn code_of(reply: &[u8]) -> Option<AnswerCode> {
    match reply.first()? {
        2 => Some(AnswerCode::Accept),
        3 => Some(AnswerCode::Reject),
        11 => Some(AnswerCode::Challenge),
        _ => None,
    }
}

impl ReturnPath for Ticket {
    fn answer(self: Box<Self>, reply: SignedReply<'_>, at: Tick) {
        Self::answer(*self, reply, at);
    }

    fn supersede(self: Box<Self>, at: Tick) {
        Self::supersede(*self, at);
    }

    fn overload(self: Box<Self>) {
        Self::overload(*self);
    }

    fn unchecked(self: Box<Self>) {
        Self::unchecked(*self);
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        if !self.settled {
            self.table.free(&self.key, self.id);
            // "Every packet is accounted for" (E6): only a fault drops a request that nobody answered.
            self.tell_silence(DropReason::Unanswerable);
        }
    }
}

impl fmt::Debug for Ticket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Ticket({} from {}, Identifier {})", self.client.name(), self.key.way.peer, self.key.identifier)
    }
}
