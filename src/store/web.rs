//! What portal, phones and help desk ask of a store: domain verbs beside those of a login.
//!
//! The same promises hold as in [`super::verbs`]: what a verb answers is durable, a guess is committed before it is revealed,
//! secrets are sealed or kept as keyed hashes, and rows that decide who gets in are authenticated (rules C1, C2, F1).
//! Codes and credentials are `Secret`s that the caller made; the store keeps a keyed hash and gives none back.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use login::limits::Limits;
use login::{BypassId, ClientName, DeviceId, Method, Number, PromptId, ResolvedUser, TokenId, Wall};
use wire::Secret;

use super::rows::{Channel, Device, NewToken, OpenPrompt, StoredRecord};
use super::verbs::StoreFuture;

/// All that pages, phones and help desk ask of a store.
pub trait Web: Phones + Pins + PeopleCodes + Bypasses + Choices + WebSessions + Letters + Acts {}

impl<S: Phones + Pins + PeopleCodes + Bypasses + Choices + WebSessions + Letters + Acts> Web for S {}

/// Phones that hold a key of their own: activation, keys, what they are asked.
pub trait Phones: Send + Sync {
    /// Begins an activation: a device that waits for its key. `devices_max` bounds the user's devices, waiting ones included
    /// (an older waiting one of the same channel gives way).
    fn begin_activation(&self, new: NewActivation, at: Wall) -> StoreFuture<'_, DeviceId>;
    /// A phone brings its key. The same code and key again within the time gets the same answer; another key voids the
    /// activation and removes the device (rules F3). Five wrong codes void it, too.
    fn bring_key(&self, device: &DeviceId, code: &Secret, key: PhoneKey, at: Wall) -> StoreFuture<'_, KeyBrought>;
    /// The test push of this prompt was approved by this very device, and the session saw its fingerprint: it is active (F3),
    /// and the session has turned in the same commit; all others of its user have ended. False: the session had ended or turned
    /// before, and nothing was changed.
    fn confirm_device(
        &self,
        device: &DeviceId,
        prompt: PromptId,
        session: SessionTurn,
        at: Wall,
    ) -> StoreFuture<'_, bool>;
    /// A device that was not removed, in whatever state, with its keys opened; `None` if there is none.
    fn phone(&self, device: &DeviceId) -> StoreFuture<'_, Option<Phone>>;
    /// What a phone tells of itself after its signature was verified; being seen ends its silence.
    fn phone_seen(&self, device: &DeviceId, seen: Seen, at: Wall) -> StoreFuture<'_, ()>;
    /// The push service says that the subscription is gone: it is forgotten and the device marked.
    fn subscription_gone(&self, device: &DeviceId) -> StoreFuture<'_, ()>;
    /// What the user calls it.
    fn rename_device(&self, device: &DeviceId, label: String) -> StoreFuture<'_, ()>;
    /// Devices that let at least so many prompts go by unanswered and unseen, and of which nobody was told yet; they count
    /// as told now.
    fn take_silent(&self, unanswered: u32) -> StoreFuture<'_, Vec<Device>>;
    /// The user's open prompt as a phone shows it; `None` if nothing is out.
    fn prompt_of(&self, user: &ResolvedUser, at: Wall) -> StoreFuture<'_, Option<OpenPrompt>>;
    /// What became of a prompt, for the phone that answered it: told to people, and nobody is let in by it.
    fn prompt_end(&self, prompt: PromptId, at: Wall) -> StoreFuture<'_, PromptEnd>;
    /// Typed number matching: the phone's owner has read who asks and confirms; now the phone may show the digits, and a deny
    /// from this same device without a reason is a no-op (F5). `None`: the prompt asks for no typed number, or has ended.
    fn reveal_number(&self, prompt: PromptId, device: &DeviceId, at: Wall) -> StoreFuture<'_, Option<Number>>;
    /// The phone takes its confirmation back, because its owner gave a reason for declining: a deny from it counts again (F5).
    fn unreveal_number(&self, prompt: PromptId, device: &DeviceId) -> StoreFuture<'_, ()>;
    /// The digits come back through the challenge: one compare-and-set, committed before it is told; the third wrong one
    /// denies (F8). Repeated under the same `guess_id` it says what it said.
    fn type_number(
        &self,
        prompt: PromptId,
        typed: Number,
        guess_id: [u8; 16],
        at: Wall,
        limits: &Limits,
    ) -> StoreFuture<'_, TypedNumber>;
}

/// A PIN that a phone's owner types beside Verify; the server checks it.
pub trait Pins: Send + Sync {
    /// What a guess is made against; `None`: the user has no PIN.
    fn pin(&self, user: &ResolvedUser, at: Wall) -> StoreFuture<'_, Option<Pin>>;
    /// Commits a guess on that version before it is revealed; false: another guess came first, read again. Repeated under
    /// the same `guess_id` it says what it said, without a second effect.
    fn commit_pin_guess(
        &self,
        user: &ResolvedUser,
        guess_id: [u8; 16],
        version: u64,
        right: bool,
        tries: u32,
        at: Wall,
    ) -> StoreFuture<'_, bool>;
    /// Sets the PIN (argon2 hash, PHC string). `must_change`: an initial one, to be changed by its owner; it opens a lock, because
    /// it is the help desk's reset. Any other leaves a lock as it is.
    fn set_pin(&self, user: &ResolvedUser, hash: Secret, must_change: bool, at: Wall) -> StoreFuture<'_, ()>;
    /// Takes the PIN and its lock away: where phones ask for none, or before another is set behind an admin's code.
    fn reset_pin(&self, user: &ResolvedUser) -> StoreFuture<'_, ()>;
}

/// Codes that open an enrolment or stand for a lost phone.
pub trait PeopleCodes: Send + Sync {
    /// Gives the user an activation code; an earlier one of the same purpose is void. The caller made it: 60 bits or more (F3).
    fn issue_code(
        &self,
        user: &ResolvedUser,
        purpose: CodePurpose,
        code: &Secret,
        lasts: Duration,
        at: Wall,
    ) -> StoreFuture<'_, ()>;
    /// Spends it by one compare-and-set; five wrong ones void it (F3). An unknown user and one without a code look alike.
    /// Repeated under the same `guess_id` it says what it said.
    fn spend_code(
        &self,
        user: &ResolvedUser,
        purpose: CodePurpose,
        code: &Secret,
        guess_id: [u8; 16],
        at: Wall,
    ) -> StoreFuture<'_, CodeSpent>;
    /// Replaces the user's recovery codes.
    fn set_recovery_codes(&self, user: &ResolvedUser, codes: Vec<Secret>, at: Wall) -> StoreFuture<'_, ()>;
    /// Spends one; false: there is no such unspent code. The caller counts failures as for any code (D1). Repeated under
    /// the same `guess_id` it says what it said.
    fn spend_recovery_code(
        &self,
        user: &ResolvedUser,
        code: &Secret,
        guess_id: [u8; 16],
        at: Wall,
    ) -> StoreFuture<'_, bool>;
    /// How many are left.
    fn recovery_codes_left(&self, user: &ResolvedUser) -> StoreFuture<'_, u32>;
    /// An invitation goes out now: false if one went out within a day (F7).
    fn invite(&self, user: &ResolvedUser, at: Wall) -> StoreFuture<'_, bool>;
}

/// One-time bypasses (rules F4).
pub trait Bypasses: Send + Sync {
    /// Grants one; an earlier unspent one of that user and client is void. `client` of `None`: any client.
    fn grant_bypass(&self, grant: NewBypass, at: Wall) -> StoreFuture<'_, BypassId>;
    /// The open one for this user and client. It is spent by the release (`Means::Bypass`).
    fn open_bypass(&self, user: &ResolvedUser, client: &ClientName, at: Wall) -> StoreFuture<'_, Option<BypassId>>;
    /// All open ones of a user, for the pages.
    fn list_bypasses(&self, user: &ResolvedUser, at: Wall) -> StoreFuture<'_, Vec<Bypass>>;
    /// Takes one back; one that is spent or unknown is gone anyway.
    fn revoke_bypass(&self, bypass: &BypassId, at: Wall) -> StoreFuture<'_, ()>;
}

/// What a user chose.
pub trait Choices: Send + Sync {
    /// What the user chose so far; nothing for an unknown user.
    fn choices(&self, user: &ResolvedUser) -> StoreFuture<'_, UserChoices>;
    /// The method to be asked for first.
    fn prefer_method(&self, user: &ResolvedUser, method: Option<Method>) -> StoreFuture<'_, ()>;
    /// A language's tag (`de`).
    fn speak(&self, user: &ResolvedUser, language: Option<Arc<str>>) -> StoreFuture<'_, ()>;
    /// Where mail goes.
    fn set_mail(&self, user: &ResolvedUser, mail: Option<String>) -> StoreFuture<'_, ()>;
}

/// Sessions of a browser: found by the hash of a random id that only its cookie holds.
pub trait WebSessions: Send + Sync {
    /// Begins a session.
    fn open_web_session(&self, session: NewWebSession, at: Wall) -> StoreFuture<'_, ()>;
    /// The session of this cookie, if it still lives: idle and absolute end are looked at, the idle end moves.
    fn web_session(
        &self,
        id: &[u8; 32],
        realm: WebRealm,
        idle: Duration,
        at: Wall,
    ) -> StoreFuture<'_, Option<WebSession>>;
    /// The same session under a new id (rotation). `factored_at`: when its user proved a factor, after a step up in trust; `None`
    /// leaves what is there, so that a new id alone makes nothing fresh again.
    fn rotate_web_session(
        &self,
        id: &[u8; 32],
        new: [u8; 32],
        step: WebStep,
        factored_at: Option<Wall>,
        at: Wall,
    ) -> StoreFuture<'_, bool>;
    /// Gives the user of this session a token: the session's turn is the compare-and-set that comes first (C1, F3), and in the same
    /// commit all other sessions of the user end. `None`: the session had ended or turned before, and nothing was changed.
    fn enrol_token(
        &self,
        session: SessionTurn,
        user: &ResolvedUser,
        token: NewToken,
        at: Wall,
    ) -> StoreFuture<'_, Option<TokenId>>;
    /// The user's sessions of both realms whose absolute end has not come, the one used last first; idle ends are the caller's to see.
    fn list_web_sessions(&self, user: &ResolvedUser, at: Wall) -> StoreFuture<'_, Vec<ListedSession>>;
    /// Ends one.
    fn close_web_session(&self, id: &[u8; 32]) -> StoreFuture<'_, ()>;
    /// Ends all of a user, but for one: after a change of methods, a block, a removal.
    fn close_web_sessions(&self, user: &ResolvedUser, but: Option<[u8; 32]>) -> StoreFuture<'_, u32>;
}

/// Letters to be sent, and staff acts that are written down.
pub trait Letters: Send + Sync {
    /// Puts a letter out; its text is sealed.
    fn post(&self, letter: Secret, at: Wall) -> StoreFuture<'_, u64>;
    /// Is ready once this process put a letter out that was not told of before. A hint, which may be lost; other processes'
    /// letters come without one.
    fn letter_came(&self) -> StoreFuture<'_, ()>;
    /// Letters that are due, oldest first.
    fn due_letters(&self, at: Wall, limit: usize) -> StoreFuture<'_, Vec<DueLetter>>;
    /// It was taken by the mail server, or will never be: it is forgotten.
    fn letter_done(&self, letter: u64) -> StoreFuture<'_, ()>;
    /// Not now.
    fn letter_failed(&self, letter: u64, again_at: Wall) -> StoreFuture<'_, ()>;
}

/// What staff and users did, in the same chain as the records of logins (rules F2, F4).
pub trait Acts: Send + Sync {
    /// Writes one down; tells its sequence number.
    fn write_act(&self, act: Act, at: Wall) -> StoreFuture<'_, u64>;
    /// The latest acts on a user, newest first.
    fn acts_on(&self, user: &ResolvedUser, limit: usize) -> StoreFuture<'_, Vec<StoredRecord>>;
}

// --- what goes in and what comes back ------------------------------------------------------------------------------

/// How a session goes on that makes a method: in full, under an id that nobody has seen yet.
#[derive(Clone, Copy, Debug)]
pub struct SessionTurn {
    /// By which the store knows it until now.
    pub old: [u8; 32],
    /// By which it does from now on: the hash of a new random id.
    pub new: [u8; 32],
    /// When its user proved a factor, if that was just now; `None` leaves what is there.
    pub factored_at: Option<Wall>,
}

/// An activation to begin.
#[derive(Clone, Debug)]
pub struct NewActivation {
    /// Whose phone.
    pub user: ResolvedUser,
    /// `webpush` or `privacyidea`.
    pub channel: Channel,
    /// What the user calls it.
    pub label: Option<String>,
    /// The one-time code that the phone brings back: 160 random bits in hex for the store app, 60 bits or more for ours.
    pub code: Secret,
    /// The store app: our own key for this device, PKCS#8 DER; sealed.
    pub server_key: Option<Secret>,
    /// How long it waits for the key.
    pub lasts: Duration,
    /// Active only after a test push (F3); false: `device add` on the host.
    pub needs_test: bool,
    /// Devices that a user may have, waiting ones included.
    pub devices_max: usize,
}

/// A phone's public key and what comes with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PhoneKey {
    /// SubjectPublicKeyInfo, DER: EC P-256 for ours, RSA for the store app.
    pub spki: Vec<u8>,
    /// Where Web Push reaches it.
    pub subscription: Option<Subscription>,
    /// User-Agent, bounded by the caller.
    pub agent: Option<String>,
    /// What its owner calls it, if that was asked on the phone.
    pub label: Option<String>,
}

/// Where Web Push reaches a phone (RFC 8030, RFC 8291).
#[derive(Clone, PartialEq, Eq)]
pub struct Subscription {
    /// The push service's URL for this phone: whoever has it may ring it.
    pub endpoint: Arc<str>,
    /// The phone's P-256 key, uncompressed.
    pub p256dh: [u8; 65],
    /// The shared authentication secret.
    pub auth: [u8; 16],
}

impl std::fmt::Debug for Subscription {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Subscription(…)")
    }
}

/// What became of a key that a phone brought.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeyBrought {
    /// It is this device's key now, or was already; active or waiting for its test push.
    Taken(Box<Phone>),
    /// No such device, or nothing waits for a key there, or its time is over.
    Unknown,
    /// Not the code; so many tries are left. At none the activation is void.
    WrongCode {
        /// Tries that are left.
        left: u32,
    },
    /// A second key for one activation: both are void now, and the device is gone (F3).
    SecondKey(ResolvedUser),
}

/// How far a device is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeviceState {
    /// It waits for its key.
    Waiting,
    /// It has a key and waits for its test push (F3): only that prompt is its.
    Keyed,
    /// It takes prompts.
    Active,
}

/// A device with its keys opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Phone {
    /// What it is.
    pub device: Device,
    /// Its public key, SubjectPublicKeyInfo DER; empty while it waits for it.
    pub spki: Vec<u8>,
    /// Our own key for it, PKCS#8 DER (store app).
    pub server_key: Option<Secret>,
}

/// What a phone tells of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// A new subscription; `None` leaves the one that is there.
    pub subscription: Option<Subscription>,
    /// Its User-Agent.
    pub agent: Option<String>,
}

/// What a typed number came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TypedNumber {
    /// It is the prompt's: approved by the device that showed it.
    Right {
        /// Which device.
        device: DeviceId,
    },
    /// It is not; tries remain.
    Wrong,
    /// It was the third wrong one: the prompt is denied.
    Denied,
    /// No device has shown a number yet, the prompt asks for none, or it has ended.
    NotAsked,
}

/// What became of a prompt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PromptEnd {
    /// Nothing yet: nobody answered, or a phone said yes and the login was not let in so far.
    Open,
    /// A phone said yes, and its login was let in.
    LetIn,
    /// A phone said no, or a number was wrong.
    Refused,
    /// Nobody waits for it any more.
    Over,
}

/// What a PIN guess is made against.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pin {
    /// The argon2 hash.
    pub hash: Secret,
    /// The guess commits only on this version.
    pub version: u64,
    /// Wrong ones in a row.
    pub failures: u32,
    /// Locked: only the help desk's reset helps.
    pub locked: bool,
    /// An initial one, to be changed.
    pub must_change: bool,
    /// When it was set.
    pub set_at: Wall,
}

/// What a code is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CodePurpose {
    /// First enrolment by an admin's code, or the first admin's from `vestibule user code`.
    Enrol,
    /// First enrolment by a mailed code.
    MailedEnrol,
}

/// What became of an activation code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CodeSpent {
    /// Right, and used now.
    Right,
    /// Wrong, expired, used, void, or never issued: all look alike.
    Wrong,
}

/// A bypass to grant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewBypass {
    /// For whom.
    pub user: ResolvedUser,
    /// Through which client; `None`: any.
    pub client: Option<ClientName>,
    /// Who granted it.
    pub by: Arc<str>,
    /// Why.
    pub reason: Arc<str>,
    /// Until when.
    pub ends_at: Wall,
}

/// An open bypass.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bypass {
    /// Its id.
    pub id: BypassId,
    /// What was granted.
    pub grant: NewBypass,
    /// When.
    pub granted_at: Wall,
}

/// What a user chose.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UserChoices {
    /// To be asked for first.
    pub method: Option<Method>,
    /// A language's tag.
    pub language: Option<Arc<str>>,
    /// Where mail goes.
    pub mail: Option<Arc<str>>,
}

/// Which pages a session is of: one never serves for the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WebRealm {
    /// The user's portal.
    Portal,
    /// The staff's pages.
    Admin,
}

/// How far a browser session came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WebStep {
    /// The password was right; a factor is still owed.
    Password,
    /// First enrolment behind its trust anchor: it may make the first method and nothing else (F3).
    Enrolling,
    /// Password, and a phone's yes without the PIN that it owes: it may set the user's own PIN and nothing else.
    Pin,
    /// Password and factor.
    Full,
}

/// A session to begin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewWebSession {
    /// SHA-256 of the cookie's random id.
    pub id: [u8; 32],
    /// Whose.
    pub user: ResolvedUser,
    /// Which pages.
    pub realm: WebRealm,
    /// How far.
    pub step: WebStep,
    /// From where.
    pub address: IpAddr,
    /// User-Agent, bounded by the caller.
    pub agent: Option<String>,
    /// Its absolute end.
    pub ends_at: Wall,
}

/// A session that lives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WebSession {
    /// Whose.
    pub user: ResolvedUser,
    /// How far.
    pub step: WebStep,
    /// When it began.
    pub began_at: Wall,
    /// When its user last proved a factor: changing a method asks again after a while.
    pub factored_at: Option<Wall>,
    /// From where it began.
    pub address: IpAddr,
    /// Its absolute end.
    pub ends_at: Wall,
}

/// One session in the list of its user's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedSession {
    /// The hash by which the store knows it; who knows it can't use the session.
    pub id: [u8; 32],
    /// Which pages.
    pub realm: WebRealm,
    /// All else.
    pub session: WebSession,
    /// When it was last used, to the minute.
    pub seen_at: Wall,
    /// User-Agent, as the browser said: shown, and never a ground for anything.
    pub agent: Option<Arc<str>>,
}

/// A letter that is due.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DueLetter {
    /// Its number.
    pub id: u64,
    /// Its text, opened.
    pub text: Secret,
    /// How often it was tried.
    pub tries: u32,
    /// When it was posted.
    pub posted_at: Wall,
}

/// One act of a person on the pages or on the host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Act {
    /// Who did it: a user's name; for a command `host`, and the account on it as in `host (root)`.
    pub by: Arc<str>,
    /// In which role: `user`, `help_desk`, `admin`, `host`.
    pub role: Arc<str>,
    /// What: `block`, `unblock`, `issue_code`, `grant_bypass`, `remove_device`, `add_token` …
    pub what: Arc<str>,
    /// To whom.
    pub user: ResolvedUser,
    /// Why; staff must say it.
    pub reason: Option<Arc<str>>,
    /// On which device, token or client, if on one.
    pub object: Option<Arc<str>>,
    /// From where.
    pub address: Option<IpAddr>,
}
