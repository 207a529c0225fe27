//! The held login, pure: from one Access-Request's facts to its one answer.
//!
//! This crate knows who may get in and when. It reads no clock, opens no socket and draws no
//! randomness: the moment and the entropy are parameters, what must be done leaves as effects.
//! So a million logins with loss, crashes and clock steps run in seconds in a simulation, and
//! an Access-Accept cannot be built without both doors (rules A1): its constructor demands the
//! witnesses, and only the machine can make them.
//!
//! Read in this order: [`attempt`] (what was asked), [`session`] (what a login is owed, and the
//! routing of each request), [`machine`] (one login's way), [`answer`] (what leaves), [`policy`]
//! (which rule decides), [`limits`] (how often), [`record`] (what is written down).

pub mod answer;
pub mod attempt;
mod causes;
pub mod codes;
pub mod event;
pub mod facts;
pub mod key;
pub mod limits;
pub mod machine;
pub mod moment;
pub mod mutant;
pub mod name;
pub mod network;
pub mod outage;
pub mod pace;
pub mod policy;
pub mod prompt;
pub mod record;
pub mod session;
pub mod shield;
pub mod words;

pub use attempt::{Appended, Asker, AskerId, Attempt, Credential};
pub use facts::{
    BypassId, CodeOutcome, HeldBack, Means, Method, NumberOutcome, Opens, PrimaryAnswer, ReleaseCheck, ReleaseOutcome,
    TokenId, Unavailable, UserFacts,
};
pub use key::{LoginKey, LoginKeyParts, Proof, ProofKey, STATE_OCTETS, State, StateHash};
pub use moment::{Moment, Tick, Wall};
pub use name::{ClientName, GroupName, PrimaryName, ResolvedUser, RuleName, Station, UserName};
pub use network::{Network, Origin};
pub use policy::Policy;
pub use prompt::{
    Asks, Claim, DeviceId, Number, NumberMatch, PhoneAnswer, PromptClaim, PromptClose, PromptId, PromptStatus,
};
pub use record::{LoginId, Reason, Record, RecordedAnswer, RecordedFactor};
