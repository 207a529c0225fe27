//! What the staff look at over all users: refusals, the day's counts, who is enrolled, and finding people.
//!
//! Each verb reads one snapshot on a reading thread, by an index and a bounded number of rows (rules G1).

use login::{ResolvedUser, Wall};

use super::rows::{StoredRecord, User};
use super::verbs::StoreFuture;
use super::web::CodePurpose;

/// Which refusals are looked for; all of what is said must hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RefusalsOf {
    /// The word of the reason.
    pub reason: Option<String>,
    /// The client's name.
    pub client: Option<String>,
    /// The name as it was typed and as a login reads it; one that is unknown is found by its keyed hash (rules F2).
    pub names: Vec<String>,
}

/// One page of refusals, newest first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusals {
    /// Each as it ended: with the count of its like, and with what amends it.
    pub records: Vec<StoredRecord>,
    /// There may be older ones, before this place in the chain.
    pub older: Option<u64>,
}

/// So many logins of one minute that ended alike.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MinuteCount {
    /// `2027-01-15T08:00`, in UTC.
    pub minute: String,
    /// They were let in.
    pub accepted: bool,
    /// The word of the reason.
    pub reason: String,
    /// How many.
    pub count: u64,
}

/// How many there are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Census {
    /// Users.
    pub users: u64,
    /// Of these, who had a method at some time.
    pub enrolled: u64,
    /// Phones in use.
    pub phones: u64,
    /// Of these, which let so many prompts in a row go by as was asked.
    pub silent: u64,
}

/// Which users are listed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum UsersWho {
    /// All of them.
    #[default]
    All,
    /// Never had a method.
    NeverEnrolled,
    /// Are blocked, or reported a fraud.
    Blocked,
    /// Have a phone in use that let at least so many prompts in a row go by.
    Silent(u32),
}

/// Looking over all of it.
pub trait Overview: Send + Sync {
    /// The last refusals before that place in the chain, at most `limit`.
    fn refusals(&self, of: RefusalsOf, before: Option<u64>, limit: usize) -> StoreFuture<'_, Refusals>;
    /// How the logins of a time ended, minute by minute; equal refusals count as often as they came, once their minute is over.
    fn minutes(&self, from: Wall, until: Wall) -> StoreFuture<'_, Vec<MinuteCount>>;
    /// How many users and phones there are; a phone is silent after so many unanswered prompts in a row.
    fn census(&self, silent_after: u32) -> StoreFuture<'_, Census>;
    /// Users whose name contains `part`, in the order of their names: at most `limit`, those after the name `after`.
    fn find_users(
        &self,
        part: &str,
        who: UsersWho,
        after: Option<&ResolvedUser>,
        limit: usize,
    ) -> StoreFuture<'_, Vec<User>>;
    /// How many these are.
    fn count_users(&self, part: &str, who: UsersWho) -> StoreFuture<'_, u64>;
    /// The record of the user's last login that was let in.
    fn last_accept(&self, user: &ResolvedUser) -> StoreFuture<'_, Option<StoredRecord>>;
    /// Activation codes of the user that are open, and until when.
    fn open_codes(&self, user: &ResolvedUser, at: Wall) -> StoreFuture<'_, Vec<(CodePurpose, Wall)>>;
}
