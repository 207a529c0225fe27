//! What the staff can do to an account: a closed set, each with its address, its word in the audit and what its form asks.
//!
//! Pure. A reason is always asked; what can't be undone asks to be sure, too. What a form brings is checked here once.

use std::time::Duration;

use serde::Deserialize;
use wire::Secret;

/// Characters of a reason: mails and the audit show it in one line.
const REASON_CHARS_MAX: usize = 200;
/// The longest life of a one-time bypass.
pub(super) const BYPASS_MINUTES_MAX: u32 = 24 * 60;
/// What the form offers first: the time of a phone call and a login.
pub(super) const BYPASS_MINUTES: u32 = 15;

/// One thing that staff do to an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Deed {
    /// Somebody whom a primary knows and the store not yet; without groups, so that nobody makes staff here.
    AddUser,
    /// Where mail goes; groups are changed on the host only, so that nobody makes staff here.
    ChangeMail,
    IssueCode,
    Invite,
    Block,
    Unblock,
    GrantBypass,
    RevokeBypass,
    RemoveDevice,
    RemoveToken,
    /// A token that counted on without us, by two of its codes in a row.
    ResyncToken,
    ResetPin,
    LiftLimits,
    EndSessions,
}

impl Deed {
    pub(super) const ALL: [Self; 14] = [
        Self::AddUser,
        Self::IssueCode,
        Self::Invite,
        Self::GrantBypass,
        Self::RevokeBypass,
        Self::RemoveDevice,
        Self::ResyncToken,
        Self::RemoveToken,
        Self::ResetPin,
        Self::LiftLimits,
        Self::ChangeMail,
        Self::EndSessions,
        Self::Unblock,
        Self::Block,
    ];

    /// Its word in addresses, in keys of texts, and, with `_`, in the audit.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::AddUser => "add-user",
            Self::ChangeMail => "change-mail",
            Self::IssueCode => "issue-code",
            Self::Invite => "invite",
            Self::Block => "block",
            Self::Unblock => "unblock",
            Self::GrantBypass => "grant-bypass",
            Self::RevokeBypass => "revoke-bypass",
            Self::RemoveDevice => "remove-device",
            Self::RemoveToken => "remove-token",
            Self::ResyncToken => "resync-token",
            Self::ResetPin => "reset-pin",
            Self::LiftLimits => "lift-limits",
            Self::EndSessions => "end-sessions",
        }
    }

    pub(super) fn of_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|deed| deed.as_str() == word)
    }

    /// As the audit writes it.
    pub(super) fn act(self) -> String {
        self.as_str().replace('-', "_")
    }

    /// What locks somebody out or can't be taken back asks to be sure: a second step.
    pub(super) const fn is_grave(self) -> bool {
        match self {
            Self::Block | Self::RemoveDevice | Self::RemoveToken => true,
            Self::AddUser
            | Self::ChangeMail
            | Self::IssueCode
            | Self::Invite
            | Self::Unblock
            | Self::GrantBypass
            | Self::RevokeBypass
            | Self::ResyncToken
            | Self::ResetPin
            | Self::LiftLimits
            | Self::EndSessions => false,
        }
    }

    /// Whether it is done to one phone, token or bypass.
    pub(super) const fn has_object(self) -> bool {
        match self {
            Self::RevokeBypass | Self::RemoveDevice | Self::RemoveToken | Self::ResyncToken => true,
            Self::AddUser
            | Self::ChangeMail
            | Self::IssueCode
            | Self::Invite
            | Self::Block
            | Self::Unblock
            | Self::GrantBypass
            | Self::ResetPin
            | Self::LiftLimits
            | Self::EndSessions => false,
        }
    }
}

/// What a form brings; absent fields are empty.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct DeedForm {
    pub(super) csrf: String,
    pub(super) name: String,
    pub(super) reason: String,
    /// Which phone, token or bypass.
    pub(super) object: String,
    /// A bypass: through which client.
    pub(super) client: String,
    /// A bypass: how long.
    pub(super) minutes: String,
    /// Where mail goes; empty: nowhere.
    pub(super) mail: String,
    /// Two codes that a token showed one after the other.
    pub(super) first: Typed,
    pub(super) second: Typed,
    pub(super) sure: String,
}

/// A code as it was typed; it is never printed (rules F1).
#[derive(Clone, Default, Deserialize)]
#[serde(transparent)]
pub(super) struct Typed(String);

impl Typed {
    /// Without the blanks that people put between digits.
    pub(super) fn code(&self) -> Secret {
        Secret::new(self.0.split_whitespace().collect::<String>())
    }
}

impl std::fmt::Debug for Typed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Typed")
    }
}

/// What a form lacks; each has a text that says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lack {
    Reason,
    Minutes,
    Sureness,
    Client,
    Mail,
    /// The two codes are none in a row of this token.
    NotInARow,
    /// Codes of this user are off for now (rules D1).
    CodesOff,
}

/// The reason and the life of a bypass, checked.
pub(super) fn checked(deed: Deed, form: &DeedForm) -> Result<(String, Duration), Lack> {
    let reason = form.reason.trim();
    let is_line =
        !reason.is_empty() && reason.chars().count() <= REASON_CHARS_MAX && !reason.contains(char::is_control);
    if !is_line {
        return Err(Lack::Reason);
    }
    let in_reach = |minutes: &u32| (1..=BYPASS_MINUTES_MAX).contains(minutes);
    let minutes = form.minutes.trim().parse().ok().filter(in_reach);
    let minutes = if deed == Deed::GrantBypass { minutes.ok_or(Lack::Minutes)? } else { 0 };
    if deed.is_grave() && form.sure != "yes" {
        return Err(Lack::Sureness);
    }
    Ok((reason.to_owned(), Duration::from_secs(u64::from(minutes) * 60)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn form(reason: &str, minutes: &str, sure: &str) -> DeedForm {
        DeedForm { reason: reason.into(), minutes: minutes.into(), sure: sure.into(), ..DeedForm::default() }
    }

    #[test]
    fn words_lead_to_their_deed_and_no_two_are_the_same() {
        for deed in Deed::ALL {
            assert_eq!(Deed::of_word(deed.as_str()), Some(deed));
        }
        assert_eq!(Deed::of_word("block/"), None);
    }

    #[test]
    fn every_deed_wants_a_reason_in_one_bounded_line() {
        for deed in Deed::ALL {
            for bad in ["", "  ", "two\nlines", "\u{7}", &"x".repeat(201)] {
                assert_eq!(checked(deed, &form(bad, "15", "yes")), Err(Lack::Reason), "{deed:?} {bad:?}");
            }
            let (reason, _) = checked(deed, &form(" lost phone ", "15", "yes")).unwrap();
            assert_eq!(reason, "lost phone");
        }
    }

    #[test]
    fn a_bypass_lasts_from_a_minute_to_a_day() {
        for bad in ["", "0", "-1", "1441", "99999999999", "1.5", "ten"] {
            assert_eq!(checked(Deed::GrantBypass, &form("r", bad, "")), Err(Lack::Minutes), "{bad}");
        }
        for (good, seconds) in [("1", 60), (" 15 ", 900), ("1440", 86_400)] {
            assert_eq!(checked(Deed::GrantBypass, &form("r", good, "")).unwrap().1.as_secs(), seconds);
        }
    }

    #[test]
    fn what_locks_out_or_is_lost_for_good_wants_to_be_sure() {
        for deed in Deed::ALL {
            let unsure = checked(deed, &form("r", "15", "no"));
            assert_eq!(unsure == Err(Lack::Sureness), deed.is_grave(), "{deed:?}");
        }
    }
}
