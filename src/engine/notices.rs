//! What people must be told beside the answer of a login: by mail, by whoever puts the server together.
//!
//! The engine says only that it happened, once; who is told, in which language and how often is not its business.

use login::{ClientName, ResolvedUser, Station, Wall};

/// Somebody's phone said: it wasn't me.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FraudReport {
    /// Whose phone.
    pub user: ResolvedUser,
    /// Through which client the login came that was reported; unknown after a restart.
    pub client: Option<ClientName>,
    /// From where it came.
    pub station: Option<Station>,
    /// When.
    pub at: Wall,
}

/// Told of what people must learn. Returns at once.
pub trait Notices: Send + Sync {
    /// A user without any method was turned away by a rule that invites (F7).
    fn unenrolled(&self, user: &ResolvedUser, at: Wall);
    /// A phone reported a login as not its owner's.
    fn fraud(&self, report: FraudReport);
}

/// Nobody is told.
#[derive(Clone, Copy, Debug, Default)]
pub struct Silence;

impl Notices for Silence {
    fn unenrolled(&self, _: &ResolvedUser, _: Wall) {}

    fn fraud(&self, _: FraudReport) {}
}
