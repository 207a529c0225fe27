//! primary: the first door. Who says whether the password is right, and what it says with that.
//!
//! A [`Primary`] is asked with a [`PrimaryRequest`] and gives facts, a [`PrimaryAnswer`]; it never decides
//! who gets in. Two are here: [`radius`] (RADIUS servers behind us, in order, with failover) and [`local`] (users of
//! our own store).
//!
//! What every primary guarantees:
//! - It answers by the request's deadline, with [`PrimaryAnswer::Unavailable`] if with nothing better, and says in words
//!   for an admin what failed and what to check.
//! - An empty password is asked of nobody (rules A3), and silence is never an answer.
//! - It blocks no thread of the runtime, and dropping the future gives back all that it held.
//!
//! It never sees an appended code or a method word (they were split off before, rules C4), never keeps a password after
//! its answer, and never logs one.

pub mod clock;
pub mod forwarded;
pub mod local;
pub mod observer;
pub mod radius;

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use login::{PrimaryAnswer, PrimaryName, ResolvedUser, Tick};
use wire::Secret;

use crate::telemetry::PrimaryResult;

pub use clock::Clock;
pub use forwarded::Forwarded;
pub use local::{HashingFailed, Local, Passwords, StorePasswords, hash_password};
pub use observer::{NoObserver, PrimaryObserver, Told};
pub use radius::{Host, LookUp, Radius, RadiusSettings, ServerAddress, Surroundings, by_the_system};

/// A future that a trait object returns.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// A first-factor server, or several that stand for each other.
pub trait Primary: Send + Sync {
    /// `[primary.NAME]`, or the built-in `local`.
    fn name(&self) -> &PrimaryName;

    /// Whether somebody answers there, as far as is known. Status-Server of the clients that need it is answered only then
    /// (rules A10).
    fn is_answering(&self) -> bool {
        true
    }

    /// The configuration was read again: whatever was looked up for it is looked up anew.
    fn look_again(&self) {}

    /// Asks whether this password is right. Never later than the request's deadline; dropping the future takes the
    /// question back.
    fn ask(&self, request: PrimaryRequest) -> BoxFuture<'_, PrimaryAnswer>;
}

/// One question to a primary.
#[derive(Clone, Debug)]
pub struct PrimaryRequest {
    /// The User-Name's octets as the appliance sent them.
    pub user_octets: Box<[u8]>,
    /// The same name, folded: the resolved user, unless an Accept names another (rules A2).
    pub claimed: ResolvedUser,
    /// User-Password, decoded and split; with `upstream`, the answer to its challenge.
    pub password: Secret,
    /// What else of the appliance's request goes on.
    pub forwarded: Forwarded,
    /// The challenge of the primary that this answers, if any.
    pub upstream: Option<UpstreamState>,
    /// When the answer is of no use any more.
    pub deadline: Tick,
}

/// A State that a primary's challenge carried; it goes back only to the server that sent it (RFC 2865 §5.24, rules C3).
#[derive(Clone, PartialEq, Eq)]
pub struct UpstreamState {
    /// Its octets.
    pub octets: Arc<[u8]>,
    /// Which of the primary's servers, as its [`PrimaryAnswer::Challenge`] said.
    pub server: usize,
}

impl std::fmt::Debug for UpstreamState {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "UpstreamState(server {})", self.server)
    }
}

fn result_of(answer: &PrimaryAnswer) -> PrimaryResult {
    match answer {
        PrimaryAnswer::Accept { .. } => PrimaryResult::Accept,
        PrimaryAnswer::Reject { .. } => PrimaryResult::Reject,
        PrimaryAnswer::Challenge { .. } => PrimaryResult::Challenge,
        // No primary says of itself that a name is held back.
        PrimaryAnswer::HeldBack(_) | PrimaryAnswer::Unavailable(_) | PrimaryAnswer::StoreUnavailable(_) => {
            PrimaryResult::Unavailable
        }
    }
}
