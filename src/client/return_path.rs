//! The way back for one request, as the engine sees it.

use wire::SignedReply;

/// One request that waits for its one answer. Dropped without either, the request counts as never asked.
pub trait ReturnPath: Send {
    /// Sends the answer, and repeats it to retransmits for a while (rules B1).
    fn answer(self: Box<Self>, reply: SignedReply<'_>);

    /// Says nothing, now or to retransmits: another request of the same login was answered (rules B2).
    fn supersede(self: Box<Self>);
}
