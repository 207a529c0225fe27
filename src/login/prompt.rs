//! One prompt on a user's phone: claimed in the store before it leaves, answered once, ended once (rules B3, A8, D2).

use std::fmt;
use std::sync::Arc;

use crate::key::LoginKey;
use crate::moment::Wall;
use crate::mutant::{self, Mutant};
use crate::name::{ClientName, ResolvedUser, Station};

/// A prompt's id: 16 random octets; the phone's nonce is another matter.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PromptId(pub [u8; 16]);

impl fmt::Display for PromptId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|octet| write!(f, "{octet:02x}"))
    }
}

impl fmt::Debug for PromptId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// A device's id, as `device list` shows it.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DeviceId(pub Arc<str>);

impl fmt::Debug for DeviceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A number that ties a phone's yes to one screen (rules F8): it is a code, so nothing prints it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Number(pub u32);

impl Number {
    /// Two digits for a challenge that shows it: 10 to 99.
    #[must_use]
    pub fn to_show(roll: u64) -> Self {
        Self(10 + u32::try_from(roll % 90).unwrap_or_default())
    }

    /// Six digits for a phone that shows it.
    #[must_use]
    pub fn to_type(roll: u64) -> Self {
        Self(u32::try_from(roll % 1_000_000).unwrap_or_default())
    }

    /// As the challenge shows it.
    #[must_use]
    pub fn shown(self) -> String {
        format!("{:02}", self.0)
    }

    /// As the phone shows it.
    #[must_use]
    pub fn typed(self) -> String {
        format!("{:06}", self.0)
    }

    /// What somebody typed, if it can be one: six digits.
    #[must_use]
    pub fn of_typed(octets: &[u8]) -> Option<Self> {
        let digits = octets.len() == 6 && octets.iter().all(u8::is_ascii_digit);
        let text = std::str::from_utf8(octets).ok().filter(|_| digits)?;
        text.parse().ok().map(Self)
    }
}

impl fmt::Debug for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Number(…)")
    }
}

/// Which number a prompt asks for, and where it is seen first (rules F8).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum NumberMatch {
    /// None is asked for.
    #[default]
    Off,
    /// The challenge shows two digits, which are chosen on the phone; each asking has its own (B2).
    Shown(Number),
    /// The phone shows six digits once its owner has read who asks; they are typed into the challenge.
    Typed(Number),
}

impl NumberMatch {
    /// The number with which an approval must come for this login (B2, F8): a yes with another one is not its yes.
    #[must_use]
    pub fn expects(self) -> Option<Number> {
        match self {
            Self::Off => None,
            Self::Shown(number) | Self::Typed(number) => Some(number),
        }
    }

    /// The number that a challenge of this login shows: each asking has its own.
    #[must_use]
    pub fn shown(self) -> Option<Number> {
        match self {
            Self::Shown(number) => Some(number),
            Self::Off | Self::Typed(_) => None,
        }
    }
}

/// What a phone must prove beside its key: a prompt goes only to devices that can prove all of it (rules B4).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Asks {
    /// Number matching.
    pub number: NumberMatch,
    /// The user's PIN, checked by the server.
    pub pin: bool,
}

/// What a login asks of the store before its push may leave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PromptClaim {
    /// The prompt's id, if it becomes a new one.
    pub prompt: PromptId,
    /// Whose phone.
    pub user: ResolvedUser,
    /// Which login: the same L joins, another one waits (B2).
    pub login: LoginKey,
    /// The prompt's absolute end (B5).
    pub ends_at: Wall,
    /// Until when somebody waits for it: the newest asker's deadline.
    pub askers_until: Wall,
    /// The station had a success within 30 days: it may displace an unknown one (B2).
    pub station_known: bool,
    /// The login began with a signed packet; a bare one's displaces nobody's (D5).
    pub authentic: bool,
    /// For the phone: which appliance asks.
    pub client: ClientName,
    /// For the phone: from where.
    pub station: Option<Station>,
    /// What the phone must prove (B4, F8). A login that joins adds its own number to those that the prompt takes.
    pub asks: Asks,
    /// A test push goes to this device alone, which need not be active yet (F3); it opens no login's door.
    pub only: Option<DeviceId>,
    /// The password was not looked at yet: the name is held back, and its owner is asked first (D7). It counts for nothing in
    /// D2, displaces nobody's, and gives way to everybody whose password was right.
    pub unproven: bool,
}

/// What the store answered, durable before it was said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Claim {
    /// It is ours; the push may leave. A displaced prompt of another login was closed as unanswered.
    Claimed {
        /// That other prompt, so that its session learns of it.
        displaced: Option<PromptId>,
    },
    /// The same login's prompt is out already, perhaps since before a crash: joined, never sent again (B3).
    Joined {
        /// Its id.
        prompt: PromptId,
        /// Its absolute end.
        ends_at: Wall,
        /// What the phone said so far.
        status: PromptStatus,
    },
    /// Another login's prompt is out and somebody waits for it (B2).
    Busy,
    /// No pushes for this user before then (D2).
    Quiet {
        /// The end of the quiet time.
        until: Wall,
    },
}

/// Where a prompt stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PromptStatus {
    /// Nobody answered yet.
    Pending,
    /// Approved and not yet released.
    Approved {
        /// By which device.
        device: DeviceId,
        /// When.
        at: Wall,
    },
    /// A device said no: that ends the session of whoever waits for it (A8).
    Denied,
    /// A device said that it wasn't its owner: the same.
    Reported,
    /// Withdrawn, expired, or released: nothing revives it (A8).
    Ended,
}

/// What a phone says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PhoneAnswer {
    /// Verify.
    Approve,
    /// Deny.
    Deny,
    /// It wasn't me.
    Fraud,
}

/// Why a login ends its own prompt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PromptClose {
    /// Time is up and nobody answered: it counts (D2).
    Unanswered,
    /// The login was completed another way or ended by itself: it does not count.
    Withdrawn,
    /// A page used its yes; one without a yes counts as unanswered.
    Used,
}

/// Where a prompt's row stands: the whole life of a prompt, for the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PromptState {
    /// Out, and nobody answered.
    Pending,
    /// A device said yes; not yet released.
    Approved,
    /// A device said no.
    Denied,
    /// A device said that it wasn't its owner.
    Fraud,
    /// Its time passed.
    Unanswered,
    /// Its login ended another way.
    Withdrawn,
    /// It opened a door, once.
    Released,
}

impl PromptState {
    /// The state after a phone's answer (A8): an approval counts from pending only; a denial or a report wins
    /// until release; nothing revives what has ended. A repeat changes nothing.
    #[must_use]
    pub fn after(self, answer: &PhoneAnswer) -> Self {
        match (self, answer) {
            (Self::Pending, PhoneAnswer::Approve) => Self::Approved,
            (Self::Denied, PhoneAnswer::Approve) if mutant::is(Mutant::DenialRevived) => Self::Approved,
            (Self::Pending | Self::Approved, PhoneAnswer::Deny) => Self::Denied,
            (Self::Pending | Self::Approved | Self::Denied, PhoneAnswer::Fraud) => Self::Fraud,
            (_, PhoneAnswer::Approve | PhoneAnswer::Deny | PhoneAnswer::Fraud) => self,
        }
    }

    /// Whether it still holds the user's one place (B2).
    #[must_use]
    pub fn is_open(self) -> bool {
        matches!(self, Self::Pending | Self::Approved)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_denial_wins_until_release_and_nothing_revives_it() {
        use PhoneAnswer::{Approve, Deny, Fraud};
        assert_eq!(PromptState::Pending.after(&Approve).after(&Deny), PromptState::Denied);
        assert_eq!(PromptState::Pending.after(&Deny).after(&Approve), PromptState::Denied);
        assert_eq!(PromptState::Pending.after(&Deny).after(&Fraud), PromptState::Fraud);
        assert_eq!(PromptState::Released.after(&Deny), PromptState::Released);
        assert_eq!(PromptState::Unanswered.after(&Approve), PromptState::Unanswered);
        assert_eq!(PromptState::Approved.after(&Approve), PromptState::Approved);
    }
}
