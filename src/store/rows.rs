//! What goes into the store and what comes back: plain data, in the words of the product.
//!
//! Nothing here is a table's row; a backend is free to lay it out otherwise. Secrets are [`Secret`], so `Debug` is safe.

use std::fmt;
use std::sync::Arc;

use login::limits::{Bucket, PushCounts};
use login::{
    Asks, ClientName, DeviceId, GroupName, LoginId, LoginKey, Method, Number, PhoneAnswer, PromptClaim, PromptId,
    PromptStatus, ResolvedUser, Station, TokenId, Wall,
};
use subtle::ConstantTimeEq;
use wire::Secret;

use super::key::hmac;
use super::web::{DeviceState, Subscription};

/// A user to add.
#[derive(Clone, Debug)]
pub struct NewUser {
    /// Folded, realm included.
    pub name: ResolvedUser,
    /// Local groups.
    pub groups: Vec<GroupName>,
    /// Where mail goes.
    pub mail: Option<String>,
    /// The argon2 hash (PHC string) of a local password.
    pub password_hash: Option<Secret>,
    /// What staff or an import said of the name; `None`: somebody came in by it.
    pub by_staff: Option<StaffName>,
}

/// A name as staff or an import gave it (rules A2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StaffName {
    /// In just this spelling ([`login::UserName::spelled`]).
    pub spelled: Arc<str>,
    /// Users who look like it and are somebody else.
    pub not_the_same_as: Vec<ResolvedUser>,
}

impl StaffName {
    /// A name that looks like nobody else's.
    #[must_use]
    pub fn of(name: &login::UserName) -> Self {
        Self { spelled: name.spelled().into(), not_the_same_as: Vec::new() }
    }
}

/// A name as it lies in the store, not authenticated: for whoever looks at how it is read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredName {
    /// Its row.
    pub id: i64,
    /// The name.
    pub name: String,
    /// Staff or an import gave it.
    pub by_staff: bool,
    /// Rows of users who look like it and are somebody else.
    pub told_apart: Vec<i64>,
}

/// Two users of one loose fold of whom staff said that they are two people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Distinct {
    /// One.
    pub user: ResolvedUser,
    /// The other.
    pub other: ResolvedUser,
    /// Since when.
    pub at: Wall,
}

/// A user, as `user show` tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// Case-folded, realm included.
    pub name: ResolvedUser,
    /// Local groups, in order.
    pub groups: Vec<GroupName>,
    /// Where mail goes.
    pub mail: Option<String>,
    /// A local password is set.
    pub has_password: bool,
    /// Why an admin blocked the user, if so.
    pub blocked: Option<Arc<str>>,
    /// When a phone said *it wasn't me*; ended by `user unblock` only.
    pub fraud_reported: Option<Wall>,
    /// Had a method at some time.
    pub ever_enrolled: bool,
    /// When the user was added.
    pub added_at: Wall,
    /// Active tokens, oldest first.
    pub tokens: Vec<Token>,
    /// Devices in whatever state, oldest first.
    pub devices: Vec<Device>,
    /// Code failures from all unknown stations together (D1).
    pub codes: Bucket,
    /// How many stations had a success; old ones are forgotten.
    pub stations: usize,
    /// Pushes that nobody answered, and the quiet time (D2).
    pub pushes: PushCounts,
    /// Strangers typed too many wrong passwords: from unknown stations nobody is asked for before then (D7).
    pub shield_until: Option<Wall>,
}

/// What kind of OATH token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenKind {
    /// Time-based (RFC 6238).
    Totp {
        /// Seconds a step: 30 or 60.
        period_s: u32,
    },
    /// Counter-based (RFC 4226).
    Hotp,
}

impl TokenKind {
    /// The method that its codes are.
    #[must_use]
    pub fn method(self) -> Method {
        match self {
            Self::Totp { .. } => Method::Totp,
            Self::Hotp => Method::Hotp,
        }
    }
}

/// The hash of an OATH token.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Algorithm {
    /// What nearly every token has.
    #[default]
    Sha1,
    /// RFC 6238 §1.2.
    Sha256,
    /// RFC 6238 §1.2.
    Sha512,
}

impl Algorithm {
    /// Every algorithm, in the order in which errors list them.
    pub const ALL: [Self; 3] = [Self::Sha1, Self::Sha256, Self::Sha512];

    /// The word on the command line and in the store.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Sha1 => "sha1",
            Self::Sha256 => "sha256",
            Self::Sha512 => "sha512",
        }
    }

    /// The algorithm of a word, in any case; `None` if there is none.
    #[must_use]
    pub fn of_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|algorithm| algorithm.as_str().eq_ignore_ascii_case(word))
    }
}

/// A token to add.
#[derive(Clone, Debug)]
pub struct NewToken {
    /// TOTP or HOTP.
    pub kind: TokenKind,
    /// The shared seed, 10 to 128 octets.
    pub seed: Secret,
    /// 6 or 8.
    pub digits: u8,
    /// The hash.
    pub algorithm: Algorithm,
    /// What the user calls it.
    pub label: Option<String>,
    /// Where it stands already: the code that confirmed it is used up in the commit that adds it (C1), and a counter that went on
    /// elsewhere begins where it is. What a token of the same seed had used before counts, too, and the later of both holds.
    pub used: Option<Mark>,
}

/// An active token, without its seed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    /// Its id, as commands show it.
    pub id: TokenId,
    /// Whose.
    pub user: ResolvedUser,
    /// TOTP or HOTP.
    pub kind: TokenKind,
    /// 6 or 8.
    pub digits: u8,
    /// The hash.
    pub algorithm: Algorithm,
    /// What the user calls it.
    pub label: Option<Arc<str>>,
    /// When it was added.
    pub added_at: Wall,
}

/// A token with its seed opened, and what was used of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenToken {
    /// What it is.
    pub token: Token,
    /// Its seed.
    pub seed: Secret,
    /// TOTP: the last step whose code was used; only later ones may be (C1).
    pub last_step: Option<u64>,
    /// TOTP: how many steps its clock runs ahead (or behind, if negative), as the last success showed.
    pub drift_steps: i64,
    /// HOTP: the first counter that was never used.
    pub counter: u64,
}

impl OpenToken {
    /// Whether both show the same codes at the same time or count. No user can have such two; stores of before may (rules C1).
    #[must_use]
    pub fn is_twin_of(&self, other: &Self) -> bool {
        self.token.kind == other.token.kind && super::seeds::same_seed(&self.seed, &other.seed)
    }
}

/// What a guess is made against, all as of one version.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Guess {
    /// The user's factor version: the guess commits only if it is still this one.
    pub version: u64,
    /// Active tokens of the methods asked for, oldest first.
    pub tokens: Vec<OpenToken>,
    /// The failures that count for this station (D1); the caller looks at its lock before the code.
    pub bucket: Bucket,
    /// The last wrong code that counted there, until a success or whoever else forgives all failures (C1).
    pub wrong: Option<WrongBefore>,
    /// A success from this station within 30 days.
    pub station_known: bool,
    /// The user had a method at some time.
    pub ever_enrolled: bool,
}

/// What a guess came to, to be committed before it is revealed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GuessCommit {
    /// Random, chosen once a guess: repeating under it settles an unknown commit.
    pub guess_id: [u8; 16],
    /// Whose code.
    pub user: ResolvedUser,
    /// [`Guess::version`].
    pub version: u64,
    /// From where.
    pub station: Option<Station>,
    /// Right or wrong.
    pub outcome: GuessOutcome,
    /// When.
    pub at: Wall,
}

/// Right or wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GuessOutcome {
    /// A code of all these tokens, which is now used on each of them; the first is the one that is told.
    Used(Vec<TokenUse>),
    /// No token has this code. The same one again adds no failure (C1); the answer is *wrong* all the same.
    Wrong(WrongCode),
}

/// A wrong code as the store remembers it: a keyed hash, so that nobody reads a code out of the file (F1), compared in
/// constant time. It says whose code it was and what it was tried on. So it is another one as soon as it could say
/// something new: for another user or token, after an HOTP counter moved, or after a TOTP clock's drift was learned.
#[derive(Clone, Copy)]
pub struct WrongCode(pub(super) [u8; 16]);

impl WrongCode {
    /// Of this user's code, which was tried on these tokens as they stand.
    #[must_use]
    pub fn of(key: &[u8; 32], user: &ResolvedUser, code: &Secret, tried_on: &[OpenToken]) -> Self {
        let stands: Vec<[[u8; 8]; 2]> =
            tried_on.iter().map(|open| [open.counter.to_be_bytes(), open.drift_steps.to_be_bytes()]).collect();
        let mut parts = vec![user.as_str().as_bytes(), code.expose()];
        for (open, [counter, drift]) in tried_on.iter().zip(&stands) {
            parts.extend([open.token.id.0.as_bytes(), counter, drift]);
        }
        let mut half = [0; 16];
        half.copy_from_slice(&hmac(key, &parts)[..16]);
        Self(half)
    }
}

impl PartialEq for WrongCode {
    fn eq(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

impl Eq for WrongCode {}

impl fmt::Debug for WrongCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("WrongCode(..)")
    }
}

/// A wrong code, and when it counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WrongBefore {
    /// Which.
    pub code: WrongCode,
    /// When it counted; repetitions don't move this.
    pub since: Wall,
}

impl WrongBefore {
    /// Whether `code` at `at` repeats it. There is no end to that: who repeats one code for days learns nothing by it,
    /// because it is looked at until the next TOTP step ends only. A failure that lies ahead of a clock that was set back is none.
    #[must_use]
    pub fn is_repeated_by(&self, code: &WrongCode, at: Wall) -> bool {
        self.code == *code && self.since <= at
    }
}

/// One token's part in a code that was right.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenUse {
    /// Which token.
    pub token: TokenId,
    /// Where it stands now.
    pub mark: Mark,
}

/// Where a token stands after a use; both kinds only grow (C1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mark {
    /// The step whose code was used, and the drift that it showed.
    Totp {
        /// Steps since 1970.
        step: u64,
        /// Steps ahead of our clock.
        drift_steps: i64,
    },
    /// The counter whose code was used.
    Hotp {
        /// The counter itself; the next code is the one after it.
        counter: u64,
    },
}

/// Whether a guess counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CommittedGuess {
    /// It is durable; now it may be revealed.
    Committed,
    /// Another guess, or a change of the user's tokens, came first: read again and guess again, reveal nothing.
    Stale,
}

/// How a device is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Channel {
    /// The site's own notifier is told; it counts as enrolled and can't answer (B4).
    Webhook,
    /// The demo's phone on loopback.
    Loopback,
    /// Our own page on a phone, which rings by Web Push.
    WebPush,
    /// The privacyIDEA Authenticator, which its owner opens.
    PrivacyIdea,
}

impl Channel {
    /// Every channel, in the order in which errors list them.
    pub const ALL: [Self; 4] = [Self::Webhook, Self::Loopback, Self::WebPush, Self::PrivacyIdea];

    /// The word on the command line and in the store.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Webhook => "webhook",
            Self::Loopback => "loopback",
            Self::WebPush => "webpush",
            Self::PrivacyIdea => "privacyidea",
        }
    }

    /// The channel of a word, in any case; `None` if there is none.
    #[must_use]
    pub fn of_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|channel| channel.as_str().eq_ignore_ascii_case(word))
    }

    /// Whether a device of this kind can answer a prompt. A hint never approves.
    #[must_use]
    pub fn can_answer(self) -> bool {
        match self {
            Self::Webhook => false,
            Self::Loopback | Self::WebPush | Self::PrivacyIdea => true,
        }
    }
}

/// A device of a user, in whatever state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Device {
    /// Its id, as commands show it.
    pub id: DeviceId,
    /// Whose.
    pub user: ResolvedUser,
    /// How it is reached.
    pub channel: Channel,
    /// What the user calls it.
    pub label: Option<Arc<str>>,
    /// When it was added.
    pub added_at: Wall,
    /// How far it is: only active ones count as a method.
    pub state: DeviceState,
    /// Until when its activation can be used: a waiting one past that is no device any more, and is forgotten when met.
    pub waits_until: Option<Wall>,
    /// Its key's fingerprint, as page and phone show it: the first 40 bits of SHA-256 over its SPKI, in base32 with a dash.
    pub fingerprint: Option<Arc<str>>,
    /// When it last proved its key.
    pub seen_at: Option<Wall>,
    /// Its User-Agent: the store app's version decides what it may be asked.
    pub agent: Option<Arc<str>>,
    /// Prompts in a row that it let go by, unseen.
    pub unanswered: u32,
    /// Where Web Push reaches it; gone subscriptions are forgotten.
    pub subscription: Option<Subscription>,
}

impl Device {
    /// Whether a prompt goes to it: an active device, or the one that a test is for (rules F3).
    #[must_use]
    pub fn takes(&self, claim: &PromptClaim) -> bool {
        match (&claim.only, self.state) {
            (_, DeviceState::Waiting) => false,
            (None, state) => state == DeviceState::Active,
            (Some(only), DeviceState::Keyed | DeviceState::Active) => *only == self.id,
        }
    }
}

/// What became of a phone's answer (rules A8).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answered {
    /// It is the answer that stands now.
    Taken,
    /// It stands, and nobody waited for it any more when it came: the same login has a moment to ask again (A8).
    Late,
    /// This one stands already; the new one changed nothing.
    Stands(PhoneAnswer),
    /// The prompt had ended before anybody answered. (A fraud report is kept all the same.)
    TooLate,
    /// Not the number that the screen shows: the prompt is over (F8). One that was typed is a slip at first; the second within
    /// ten minutes, and one that was chosen among others, is a denial (D2).
    WrongNumber {
        /// It was a denial: no pushes before then. None: a slip, and the next login rings again.
        quiet_until: Option<Wall>,
    },
    /// A yes that brings no number where one is asked for, or that may not come from this device (B4, F8); or the decline
    /// that the store app sends once its code was read (F5). Nothing changed.
    NotLike,
}

/// A prompt that is open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenPrompt {
    /// Its id.
    pub prompt: PromptId,
    /// Whose phone.
    pub user: ResolvedUser,
    /// Which login.
    pub login: LoginKey,
    /// Through which appliance.
    pub client: ClientName,
    /// From where.
    pub station: Option<Station>,
    /// When it was claimed: the time that a phone shows.
    pub claimed_at: Wall,
    /// What the phone must prove: `Shown` holds the number of the first asking, for the list that a phone chooses from;
    /// the digits of `Typed` are not told here (they read 0), but by `reveal_number`.
    pub asks: Asks,
    /// Shown numbers that the prompt takes, one for each screen that asks: a list to choose from holds all of them.
    pub numbers: Vec<Number>,
    /// A test push: for this device alone.
    pub only: Option<DeviceId>,
    /// Its absolute end.
    pub ends_at: Wall,
    /// Until when somebody waits.
    pub askers_until: Wall,
    /// Pending or approved.
    pub status: PromptStatus,
}

/// A prompt that was taken back, be its login held or not (rules F5).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WithdrawnPrompt {
    /// Its id.
    pub prompt: PromptId,
    /// Why its user is blocked now, if that is it.
    pub blocked: Option<Arc<str>>,
}

/// A record as it stands in the store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredRecord {
    /// Its place in the chain, from 1 without gaps.
    pub seq: u64,
    /// Which login.
    pub login: LoginId,
    /// The JSON object of design §6, in one line; what the chain covers.
    pub json: String,
}

/// What is kept of the records.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Keep {
    /// Older ones go.
    pub since: Wall,
    /// Octets that the store may have; past them the oldest records go.
    pub at_most: Option<u64>,
    /// A sink that must have taken a record before it goes.
    pub fed: Option<String>,
}

/// What became of the oldest records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pruned {
    /// So many went; 0: none were due.
    pub records: u64,
    /// Octets that the store has, before they went.
    pub used: u64,
    /// Some are due, and a sink has not taken them yet.
    pub waits_for_sink: bool,
}

/// What a walk along the chain found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ChainState {
    /// Every record stands as it was written.
    Whole {
        /// The first sequence number that is still kept.
        first: u64,
        /// The last one; 0 if none was ever written.
        last: u64,
    },
    /// A record was changed, taken away or put in.
    Broken {
        /// The first sequence number that is not as it was written.
        seq: u64,
    },
}

/// What `auto` learned of a client: it signs, so it must (rules E2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stance {
    /// Since when.
    pub learned_at: Wall,
}
