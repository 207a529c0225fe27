//! The way back for one request: what `client` gives with each question, and the engine uses once.

use wire::SignedReply;

/// One request that waits for its one answer. Dropped without either, the request counts as never asked, so that
/// its retransmit is a new beginning and no key is left behind by a panic.
pub trait ReturnPath: Send + Sync {
    /// Sends the answer, and repeats it to retransmits for a while (rules B1).
    fn answer(self: Box<Self>, reply: SignedReply<'_>);

    /// Says nothing, now or to retransmits: another request of the same login was answered (rules B2).
    fn supersede(self: Box<Self>);

    /// Not even a refusal is worth its memory now (rules G1): dropped, and counted as `overload`.
    fn overload(self: Box<Self>);
}
