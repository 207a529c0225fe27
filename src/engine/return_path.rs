//! The way back for one request: what `client` gives with each question, and the engine uses once.

use login::Tick;
use wire::SignedReply;

/// One request that waits for its one answer. Dropped without either, the request counts as never asked, so that
/// its retransmit is a new beginning and no key is left behind by a panic.
pub trait ReturnPath: Send + Sync {
    /// Sends the answer at `at`, and repeats it to retransmits for 30 s from then on (rules B1).
    fn answer(self: Box<Self>, reply: SignedReply<'_>, at: Tick);

    /// Says nothing at `at`, nor to retransmits for 30 s: another request of the same login was answered (rules B2).
    fn supersede(self: Box<Self>, at: Tick);

    /// Nobody could check it (rules A10): dropped, counted as `unavailable`, and forgotten, so that its retransmit tries again.
    fn unchecked(self: Box<Self>);

    /// Not even a refusal is worth its memory now (rules G1): dropped, and counted as `overload`.
    fn overload(self: Box<Self>);
}
