//! What the rooms outside answer: the primary, the store, the code check. Facts only; no verdicts.

use std::fmt;
use std::sync::Arc;

use wire::HeldAttributes;

use crate::key::LoginKey;
use crate::limits::Bucket;
use crate::moment::Wall;
use crate::name::{GroupName, ResolvedUser};
use crate::prompt::{DeviceId, Number, PromptId};

/// A way to prove the second factor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Method {
    /// A prompt on the user's phone.
    Push,
    /// A time-based code (RFC 6238).
    Totp,
    /// A counter-based code (RFC 4226).
    Hotp,
}

impl Method {
    /// Every method, in the order in which errors list them.
    pub const ALL: [Self; 3] = [Self::Push, Self::Totp, Self::Hotp];

    /// The word that the policy, the metrics and an appended method use.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Push => "push",
            Self::Totp => "totp",
            Self::Hotp => "hotp",
        }
    }

    /// The method of a word, in any case; `None` if there is none.
    #[must_use]
    pub fn of_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|method| method.as_str().eq_ignore_ascii_case(word))
    }

    /// Whether it is a code that the user types.
    #[must_use]
    pub fn is_code(self) -> bool {
        match self {
            Self::Push => false,
            Self::Totp | Self::Hotp => true,
        }
    }
}

/// A token's id in the store, as commands show it.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TokenId(pub Arc<str>);

impl fmt::Debug for TokenId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A service that could not be asked: no answer at all, which is never a yes (rules A4, A5).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unavailable {
    /// For the log: what failed, without anything secret.
    pub why: Arc<str>,
    /// Confirmed by the breaker over several users or a probe, so that fail-open may look at it (A5).
    pub confirmed: bool,
    /// For want of a place of our own: nothing was asked, and whoever asks so often goes on paying for it (G1).
    pub ours: bool,
}

impl Unavailable {
    /// Our own bound: nothing is away, and nobody was asked.
    pub fn ours(why: impl Into<Arc<str>>) -> Self {
        Self { ours: true, ..Self::seen(why) }
    }

    /// An outage that one request met; it never opens a door.
    pub fn seen(why: impl Into<Arc<str>>) -> Self {
        Self { why: why.into(), confirmed: false, ours: false }
    }
}

/// What the first-factor server answered.
#[derive(Clone, Debug)]
pub enum PrimaryAnswer {
    /// The password is right. `user` is who that is (rules A2).
    Accept {
        /// The resolved user.
        user: ResolvedUser,
        /// The reply's attributes, kept decoded until the answer is built (E3).
        attributes: Arc<HeldAttributes>,
    },
    /// The password is wrong, or the account is not allowed.
    Reject {
        /// What a Reject may pass on (D15).
        attributes: Arc<HeldAttributes>,
        /// For log and audit: `wrong password`, `account disabled` …
        why: Arc<str>,
    },
    /// The primary asks something of its own; passed through (E4).
    Challenge {
        /// Reply-Message, State, Prompt, timeouts, EAP, MS-CHAP.
        attributes: Arc<HeldAttributes>,
        /// Its State's octets; goes back only there (RFC 2865 §5.24). None: it can't be answered.
        state: Option<Arc<[u8]>>,
        /// Which of the primary's servers asked: the answer goes to that one.
        server: usize,
    },
    /// Nobody was asked: the name, or the address that it comes from, is held back (D7).
    HeldBack(HeldBack),
    /// Nobody answered.
    Unavailable(Unavailable),
    /// Nobody was asked: our own store is away, so the login could not end well whatever the primary says (A10).
    StoreUnavailable(Unavailable),
}

/// Why the primary was not asked about a name (D7).
#[derive(Clone, Debug)]
pub struct HeldBack {
    /// It is the address, whose names failed too often; else the name.
    pub is_address: bool,
    /// For log and audit: until when, and what to do.
    pub why: Arc<str>,
    /// The password that was not looked at, where the owner of the name may be asked on a phone first.
    pub password: Option<wire::Secret>,
}

/// What somebody opens on the phone to be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Opens {
    /// The app from a store: it offers numbers to choose from.
    App,
    /// Our own page: a number is typed there.
    Page,
}

/// What the store knows of a resolved user at one moment.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct UserFacts {
    /// The store has such a user. One it has never seen has no groups and no methods (A5).
    pub known: bool,
    /// As staff or an import spelled the name; `None`: they never did (A2).
    pub spelled: Option<Arc<str>>,
    /// Another known user of the same loose fold, of whom nobody said that it is somebody else (A2).
    pub looks_like: Option<ResolvedUser>,
    /// Why the user is blocked, if so.
    pub blocked: Option<Arc<str>>,
    /// Local groups, case-folded.
    pub groups: Arc<[GroupName]>,
    /// The user had a method at some time, even if none is active now: not *unenrolled* (A5).
    pub ever_enrolled: bool,
    /// Methods with at least one active token or device.
    pub methods: Vec<Method>,
    /// The code failures that count for this station (D1).
    pub codes: Bucket,
    /// A success from this station within 30 days: it counts apart (D1).
    pub station_known: bool,
    /// Let in from this station within 30 days, whatever opened the second door: strangers' wrong passwords keep nobody out
    /// there (D7).
    pub station_let_in: bool,
    /// How often staff released this name from the shield: what was counted before counts no more (D7).
    pub shield_lifts: u64,
    /// No pushes before this time (D2).
    pub pushes_quiet_until: Option<Wall>,
    /// The method that the user chose to be asked for first, where a rule lists it.
    pub prefers: Option<Method>,
    /// The language that the user chose, as a tag (`de`).
    pub language: Option<Arc<str>>,
    /// There is an open one-time bypass of the user, for whatever client.
    pub has_bypass: bool,
    /// An open one-time bypass for the client that was asked about (F4).
    pub bypass: Option<BypassId>,
    /// A phone of the user can prove a number that our screen shows and that is chosen on it (B4, F8).
    pub chooses_number: bool,
    /// A phone of the user can show digits that are typed into our challenge (B4, F8).
    pub types_number: bool,
    /// No phone of the user rings by itself: this must be opened to be asked, which the prompt says.
    pub must_open: Option<Opens>,
    /// A phone of the user can ask for a PIN, and a PIN is set (B4).
    pub pin_phones: bool,
}

/// What became of one typed code. It was committed before anyone learned of it (C1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CodeOutcome {
    /// Right, and now used.
    Right {
        /// TOTP or HOTP.
        method: Method,
        /// Whose code it was.
        token: TokenId,
    },
    /// No active token of the listed kinds has this code; the failure is counted.
    Wrong,
    /// Wrong likewise, and counted and told as that; but a token that counts presses would show it further on, so that it was
    /// likely used elsewhere. For the record alone.
    Ahead {
        /// Which token.
        token: TokenId,
        /// By how many codes.
        by: u64,
    },
    /// It was right, and it was used before: refused, not counted as a guess.
    Spent,
    /// Codes are off for this user and station until then (D1); the code was not looked at.
    Locked {
        /// [`Wall::NEVER`]: until a push, a passkey or an admin.
        until: Wall,
    },
    /// The user has no active token of the listed kinds.
    NoToken,
}

/// What became of the digits that a phone showed, typed into the challenge (F8). Committed before anyone learned of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NumberOutcome {
    /// They are this prompt's; the device that showed them has approved it.
    Right {
        /// Which device.
        device: DeviceId,
    },
    /// They are not, or no phone has shown any yet.
    Wrong,
    /// It was the third wrong try: the prompt is denied.
    Denied,
}

/// What the store said to a release: the last look before an Accept leaves (rules A6).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReleaseOutcome {
    /// All still stands; the record is durable.
    Granted,
    /// Something changed while the login was held: `blocked`, `method removed`, `fraud` …
    Refused(Arc<str>),
}

/// What a release must find unchanged (rules A6), committed together with the login's record (F2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReleaseCheck {
    /// Not blocked, no fraud report.
    pub user: ResolvedUser,
    /// What opened the second door, and must still be active.
    pub means: Means,
    /// A prompt of this login that is still out: a denial of it wins until release (A8), and release withdraws it.
    pub open_prompt: Option<PromptId>,
    /// Under `join = "connection"` one approval lets in each login of this L that waits at the prompt (B2): one that
    /// released it already doesn't keep the others out. None: an approval is released once.
    pub together: Option<LoginKey>,
}

/// What opened the second door.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Means {
    /// A code of this token.
    Token(TokenId),
    /// This prompt, approved by this device: released by one compare-and-set (A8).
    Prompt {
        /// Which prompt.
        prompt: PromptId,
        /// Which device said yes.
        device: DeviceId,
        /// The number on this login's screen, where it shows one: the yes must have brought it (F8).
        number: Option<Number>,
    },
    /// A one-time bypass of this user for this client: spent by one compare-and-set (F4).
    Bypass(BypassId),
    /// A rule's excuse: exempt or fail-open.
    Excuse,
}

/// A one-time bypass's id in the store.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct BypassId(pub Arc<str>);

impl fmt::Debug for BypassId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
