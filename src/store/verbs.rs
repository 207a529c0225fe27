//! What can be asked of a store: domain verbs, split by concern, the same for every backend.
//!
//! Each verb answers only when what it did is durable (rules C2). After [`StoreError::Unknown`] the caller repeats the very
//! same call: every writing verb is idempotent under the ids that its caller chose, so that repeating settles it (C1).

use std::future::Future;
use std::pin::Pin;

use login::limits::Limits;
use login::{
    Claim, ClientName, DeviceId, GroupName, LoginId, Method, Number, PhoneAnswer, PromptClaim, PromptClose, PromptId,
    PromptStatus, Record, ReleaseCheck, ReleaseOutcome, ResolvedUser, Station, TokenId, UserFacts, Wall,
};
use wire::Secret;

use super::error::StoreError;
use super::overview::Overview;
use super::rows::{
    Answered, ChainState, Channel, CommittedGuess, Device, Distinct, Guess, GuessCommit, Keep, NewToken, NewUser,
    OpenPrompt, OpenToken, Pruned, StaffName, Stance, StoredRecord, Token, User, WithdrawnPrompt, WrongCode,
};
use super::web::Web;

/// What a verb returns: boxed, so that `Arc<dyn Store>` can be shared.
pub type StoreFuture<'a, T> = Pin<Box<dyn Future<Output = Result<T, StoreError>> + Send + 'a>>;

/// A whole store.
pub trait Store:
    Users
    + Tokens
    + Codes
    + Devices
    + Prompts
    + Releases
    + Records
    + Retention
    + Stances
    + SiteKeys
    + Writable
    + Overview
    + Web
{
}

impl<S> Store for S where
    S: Users
        + Tokens
        + Codes
        + Devices
        + Prompts
        + Releases
        + Records
        + Retention
        + Stances
        + SiteKeys
        + Writable
        + Overview
        + Web
{
}

/// Who exists, and what is known of them.
pub trait Users: Send + Sync {
    /// Adds a user. Refused if the name is taken or can't be a name, or looks like another's of whom staff don't say that it is
    /// somebody else; saying so of a name that is taken is no refusal.
    fn add_user(&self, user: NewUser, at: Wall) -> StoreFuture<'_, ()>;
    /// Sets the argon2 hash (PHC string) of a local user's password; `None` takes the password away. Browser sessions end.
    fn set_password(&self, user: &ResolvedUser, hash: Option<Secret>) -> StoreFuture<'_, ()>;
    /// The argon2 hash (PHC string) of a local user; `None` for an unknown user and for one without a password.
    fn password_hash(&self, user: &ResolvedUser) -> StoreFuture<'_, Option<Secret>>;
    /// Adds local groups; those that the user has already stay.
    fn add_groups(&self, user: &ResolvedUser, groups: Vec<GroupName>) -> StoreFuture<'_, ()>;
    /// Takes local groups away; those that the user has not are none.
    fn remove_groups(&self, user: &ResolvedUser, groups: Vec<GroupName>) -> StoreFuture<'_, ()>;
    /// Blocks a user: no Accept leaves from now on (A6); open prompts, activations, bypasses and browser sessions end (F5).
    fn block_user(&self, user: &ResolvedUser, reason: String) -> StoreFuture<'_, ()>;
    /// Ends a block and a fraud report, and forgets all failures: the admin's hand of D1.
    fn unblock_user(&self, user: &ResolvedUser) -> StoreFuture<'_, ()>;
    /// Says that strangers' logins under this name are held back until then (rules D7), for whoever looks.
    fn note_shield(&self, user: &ResolvedUser, until: Wall) -> StoreFuture<'_, ()>;
    /// Whether anybody had a success from this station since then.
    fn station_known(&self, station: &Station, since: Wall) -> StoreFuture<'_, bool>;
    /// From now on this station of the user's counts apart (rules D1, D7): a factor was proved from there.
    fn remember_station(&self, user: &ResolvedUser, station: &Station, at: Wall) -> StoreFuture<'_, ()>;
    /// Forgets failed codes, unanswered prompts and strangers' wrong passwords (rules D1, D2, D7), and nothing else: who is
    /// blocked or reported fraud stays so.
    fn lift_limits(&self, user: &ResolvedUser) -> StoreFuture<'_, ()>;
    /// Gives a user another name, or says of the same that it is spelled just so (rules A2): id, password, tokens, active phones, PIN,
    /// groups and limits stay; open prompts, browser sessions, bypasses and codes that were handed out end.
    fn rename_user(&self, from: &ResolvedUser, to: &ResolvedUser, given: StaffName, at: Wall) -> StoreFuture<'_, ()>;
    /// Pairs of users who look alike and of whom staff said that they are two people (rules A2).
    fn told_apart(&self) -> StoreFuture<'_, Vec<Distinct>>;
    /// Removes a user with all that was kept of it; open prompts and held logins end.
    fn remove_user(&self, user: &ResolvedUser, at: Wall) -> StoreFuture<'_, ()>;
    /// Users in the order of their names: at most `limit`, those after the name `after`.
    fn list_users(&self, after: Option<&ResolvedUser>, limit: usize) -> StoreFuture<'_, Vec<User>>;
    /// One user with limits, tokens and devices; `None` if there is none.
    fn show_user(&self, user: &ResolvedUser) -> StoreFuture<'_, Option<User>>;
    /// What a login needs to know. An unknown user is a fact, not an error (A5).
    fn user_facts(
        &self,
        user: &ResolvedUser,
        station: Option<&Station>,
        at: Wall,
        limits: &Limits,
    ) -> StoreFuture<'_, UserFacts>;
}

/// OATH tokens.
pub trait Tokens: Send + Sync {
    /// Gives the user a token; its seed is sealed (F1). Refused if no code could come of it.
    fn add_token(&self, user: &ResolvedUser, token: NewToken, at: Wall) -> StoreFuture<'_, TokenId>;
    /// The user's active tokens, oldest first.
    fn list_tokens(&self, user: &ResolvedUser) -> StoreFuture<'_, Vec<Token>>;
    /// What the user calls a token; an empty label takes the name away.
    fn rename_token(&self, token: &TokenId, label: String) -> StoreFuture<'_, ()>;
    /// Removes a token for good: its seed is erased and nothing revives it (C2).
    fn remove_token(&self, token: &TokenId, at: Wall) -> StoreFuture<'_, ()>;
}

/// Guesses at codes (rules C1, D1).
pub trait Codes: Send + Sync {
    /// All that a guess needs, as of one version of the user's factors: tokens of the listed methods with their seeds opened.
    fn read_guess(
        &self,
        user: &ResolvedUser,
        station: Option<&Station>,
        methods: &[Method],
        at: Wall,
        limits: &Limits,
    ) -> StoreFuture<'_, Guess>;
    /// How the store remembers that this code, tried on these tokens as they stand, is wrong. The code itself never enters it.
    fn wrong_code(&self, user: &ResolvedUser, code: &Secret, tried_on: &[OpenToken]) -> WrongCode;
    /// Commits the use of a code or the failure by one compare-and-set on that version, before anything is revealed.
    /// The wrong code that counted last for this station counts once (C1), whoever repeats it and wherever.
    /// Repeated under the same `guess_id` it says what it said, without a second effect.
    fn commit_guess(&self, commit: GuessCommit, limits: &Limits) -> StoreFuture<'_, CommittedGuess>;
}

/// Phones that take pushes.
pub trait Devices: Send + Sync {
    /// Gives the user a device.
    fn add_device(
        &self,
        user: &ResolvedUser,
        channel: Channel,
        label: Option<String>,
        at: Wall,
    ) -> StoreFuture<'_, DeviceId>;
    /// The user's devices in whatever state, oldest first; none for an unknown user. Only active ones take prompts.
    fn list_devices(&self, user: &ResolvedUser) -> StoreFuture<'_, Vec<Device>>;
    /// Removes a device; the user's open prompts are withdrawn (F5).
    fn remove_device(&self, device: &DeviceId, at: Wall) -> StoreFuture<'_, ()>;
}

/// Prompts: claimed before they leave, answered once, ended once (rules A8, B2, B3, D2).
pub trait Prompts: Send + Sync {
    /// Claims the user's one open prompt, or says why not. Expired rows that it meets are closed as unanswered.
    fn claim_prompt(&self, claim: PromptClaim, at: Wall, limits: &Limits) -> StoreFuture<'_, Claim>;
    /// Somebody waits for the prompt, or could still answer its State, until then; earlier times change nothing.
    fn extend_prompt(&self, prompt: PromptId, askers_until: Wall, at: Wall) -> StoreFuture<'_, PromptStatus>;
    /// A phone answers: a compare-and-set from pending. Deny and fraud win until the release (A8). `number`: what was
    /// chosen or typed on the phone, where the prompt asks for one (F8).
    fn answer_prompt(
        &self,
        prompt: PromptId,
        device: &DeviceId,
        answer: PhoneAnswer,
        number: Option<Number>,
        at: Wall,
        limits: &Limits,
    ) -> StoreFuture<'_, Answered>;
    /// The login ends its prompt. One that has ended already stays as it ended.
    fn close_prompt(&self, prompt: PromptId, why: PromptClose, at: Wall, limits: &Limits) -> StoreFuture<'_, ()>;
    /// Where a prompt stands; one that nobody knows has ended.
    fn prompt_status(&self, prompt: PromptId, at: Wall) -> StoreFuture<'_, PromptStatus>;
    /// Which of these a block, a report, a removal or another process took back (F5); asked every two seconds for all that are
    /// out here, so in one query for all that still stand.
    fn withdrawn_prompts(&self, prompts: Vec<PromptId>) -> StoreFuture<'_, Vec<WithdrawnPrompt>>;
    /// All prompts that are open at that time, for a start after a crash (B3).
    fn open_prompts(&self, at: Wall) -> StoreFuture<'_, Vec<OpenPrompt>>;
}

/// The last look before an Accept leaves, and what is written down.
pub trait Releases: Send + Sync {
    /// Checks that all still stands (A6) and writes the record in the same commit (F2). Repeated under the same login id
    /// after an unknown commit it grants again; a prompt is released once, whoever asks.
    fn release(&self, check: ReleaseCheck, record: Record, at: Wall) -> StoreFuture<'_, ReleaseOutcome>;
    /// Writes the record of a login that ended in anything but an Accept; once per login id. Returns its sequence number.
    /// One that the chain has let in (its release's commit was unknown for longer than its client waited) is amended.
    fn record(&self, record: Record) -> StoreFuture<'_, u64>;
}

/// Reading what was written down (rules F2).
pub trait Records: Send + Sync {
    /// Records after a sequence number, oldest first: what a sink is fed with. Acts and amendments are among them.
    fn records_after(&self, seq: u64, limit: usize) -> StoreFuture<'_, Vec<StoredRecord>>;
    /// The records of a user's latest logins, newest first; instead of one that was amended, what amends it.
    fn recent_records(&self, user: &ResolvedUser, limit: usize) -> StoreFuture<'_, Vec<StoredRecord>>;
    /// The record of one login, or what amends it.
    fn record_of(&self, login: LoginId) -> StoreFuture<'_, Option<StoredRecord>>;
    /// How far a sink was fed: the last sequence number that it holds for certain, 0 at first.
    fn sink_cursor(&self, sink: &str) -> StoreFuture<'_, u64>;
    /// A sink holds everything up to here. A cursor only grows, so a sink is fed at least once.
    fn advance_sink(&self, sink: &str, seq: u64) -> StoreFuture<'_, ()>;
    /// Walks the chain from its oldest anchor and says where it breaks, if it does.
    fn verify_chain(&self) -> StoreFuture<'_, ChainState>;
}

/// What `auto` learned of clients (rules E2).
pub trait Stances: Send + Sync {
    /// The stance learned for a client.
    fn stance(&self, client: &ClientName) -> StoreFuture<'_, Option<Stance>>;
    /// From now on this client must sign, for good.
    fn learn_stance(&self, client: &ClientName, at: Wall) -> StoreFuture<'_, ()>;
    /// `vestibule client forget NAME`. Says whether there was something to forget.
    fn forget_stance(&self, client: &ClientName) -> StoreFuture<'_, bool>;
}

/// What the records need now and then.
pub trait Retention: Send + Sync {
    /// Amends the records of refusals whose like came again, once their minute is over; a bounded number, which it tells.
    fn settle_repeats(&self, now: Wall) -> StoreFuture<'_, usize>;
    /// Cuts off the oldest stretch of the chain, from one anchor to the next, if it is due (rules F2).
    fn prune_records(&self, keep: Keep) -> StoreFuture<'_, Pruned>;
}

/// Whether there is still a store to write to: a disk fills while nobody writes.
pub trait Writable: Send + Sync {
    /// Commits a write that changes nothing, as durably as any other.
    fn try_write(&self) -> StoreFuture<'_, ()>;
}

/// Keys that are derived from the store's key, so that they outlive the process and are the same on every node.
pub trait SiteKeys: Send + Sync {
    /// The key of one purpose, such as `login` for L (B2). Different purposes tell nothing of each other.
    fn site_key(&self, purpose: &str) -> [u8; 32];

    /// How a name is written that neither a primary vouched for nor the store knows: people type passwords there (F2).
    /// The same in the audit and wherever else such a name is shown.
    fn unknown_name(&self, name: &str) -> String;
}
