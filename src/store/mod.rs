//! What lasts: users, tokens, devices, used codes, prompts, limits, learned stances and the records of logins.
//!
//! Guarantees: what a verb answers is already durable (rules C1, C2); a code is used once and a prompt is claimed once, over
//! restarts and over processes that share the file; seeds are sealed and rows that decide who gets in are authenticated (F1);
//! a login's record commits with its release (F2). A verb that fails says by whose fault, and an error is never a yes.
//!
//! Never: reads no clock (time is a parameter), holds no limits of its own (`login::limits` counts), decides no login.
//!
//! Read in this order: [`verbs`] and [`web`] (what can be asked), [`rows`] (what comes back), [`error`], [`key`]; then `sqlite`.
//! [`Sqlite`] is the one backend so far; `conformance` is the suite that each backend must pass.

mod app_version;
pub mod error;
pub mod key;
pub mod overview;
pub mod rows;
mod seal;
mod seeds;
mod sqlite;
pub mod verbs;
pub mod web;

#[cfg(test)]
pub(crate) mod conformance;
mod written;

pub use app_version::AppVersion;
pub use error::{KeyError, Refusal, StoreError, Trouble};
pub use key::StoreKey;
pub use overview::{Census, MinuteCount, Overview, Refusals, RefusalsOf, UsersWho};
pub use rows::{
    Algorithm, Answered, ChainState, Channel, CommittedGuess, Device, Distinct, Guess, GuessCommit, GuessOutcome, Keep,
    Mark, NewToken, NewUser, OpenPrompt, OpenToken, Pruned, StaffName, Stance, StoredName, StoredRecord, Token,
    TokenKind, TokenUse, User, WithdrawnPrompt, WrongBefore, WrongCode,
};
pub use seeds::same_seed;
pub use sqlite::{CommitMeter, Sqlite, SqliteOptions, groups_in};
pub use verbs::{
    Codes, Devices, Prompts, Records, Releases, Retention, SiteKeys, Stances, Store, StoreFuture, Tokens, Users,
    Writable,
};
pub use web::{
    Act, Acts, Bypass, Bypasses, Choices, CodePurpose, CodeSpent, DeviceState, DueLetter, KeyBrought, Letters,
    ListedSession, NewActivation, NewBypass, NewWebSession, PeopleCodes, Phone, PhoneKey, Phones, Pin, Pins, PromptEnd,
    Seen, SessionTurn, Subscription, TypedNumber, UserChoices, Web, WebRealm, WebSession, WebSessions, WebStep,
};
