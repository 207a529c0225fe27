//! What a person reads at the appliance: Reply-Message texts, plain ASCII, under 253 octets, telling no secret.
//!
//! A refusal tells no more than the policy lets it (rules D6): the same words for a wrong password, an unknown
//! name and a wrong code.

use std::borrow::Cow;

use crate::moment::Wall;
use crate::prompt::Number;
use crate::record::Reason;

/// What a challenge of ours asks; each language has its own words for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Say {
    /// Asks for a code.
    EnterCode,
    /// Asks for a code again.
    WrongCode,
    /// The push is still open; nothing else helps.
    Approve,
    /// The push is still open, a code also helps.
    ApproveOrCode,
    /// Another login of this user has the phone (B2).
    BusyEnterCode,
    /// The push is still open, on a phone that does not ring by itself.
    OpenApp,
    /// The same, and a code also helps.
    OpenAppOrCode,
    /// Number matching, shown: this number is chosen on the phone (F8).
    Choose(Number),
    /// The same, and a code also helps.
    ChooseOrCode(Number),
    /// The same, on a phone that does not ring by itself.
    OpenAppChoose(Number),
    /// The same, and a code also helps.
    OpenAppChooseOrCode(Number),
    /// Number matching, typed: the phone shows the digits (F8).
    TypeDigits,
    /// The same, on a phone that does not ring by itself.
    OpenAppTypeDigits,
    /// They were not these.
    WrongDigits,
}

impl Say {
    /// The number that it shows, if it shows one (F8).
    #[must_use]
    pub fn number(self) -> Option<Number> {
        match self {
            Self::Choose(number)
            | Self::ChooseOrCode(number)
            | Self::OpenAppChoose(number)
            | Self::OpenAppChooseOrCode(number) => Some(number),
            Self::EnterCode
            | Self::WrongCode
            | Self::Approve
            | Self::ApproveOrCode
            | Self::BusyEnterCode
            | Self::OpenApp
            | Self::OpenAppOrCode
            | Self::TypeDigits
            | Self::OpenAppTypeDigits
            | Self::WrongDigits => None,
        }
    }

    /// The words in English.
    #[must_use]
    pub fn english(self) -> Cow<'static, str> {
        Cow::Borrowed(match self {
            Self::EnterCode => "Enter the code from your authenticator app or token: ",
            Self::WrongCode => "That code did not work. Wait for a new code and enter it: ",
            Self::Approve => "Approve the request on your phone, then press Enter here: ",
            Self::ApproveOrCode => "Approve the request on your phone, then press Enter here. Or enter a code: ",
            Self::BusyEnterCode => "Another login is waiting for your phone. Enter a code for this one: ",
            Self::Choose(number) => {
                return format!("Choose {} on your phone, then press Enter here: ", number.shown()).into();
            }
            Self::ChooseOrCode(number) => {
                return format!("Choose {} on your phone, then press Enter here. Or enter a code: ", number.shown())
                    .into();
            }
            Self::OpenApp => {
                "Open the app on your phone, pull down to refresh and confirm there, then press Enter here: "
            }
            Self::OpenAppOrCode => {
                "Open the app on your phone, pull down to refresh and confirm there, then press Enter here. Or enter a code: "
            }
            Self::OpenAppChoose(number) => return format!("{}: ", open_and_choose(number)).into(),
            Self::OpenAppChooseOrCode(number) => {
                return format!("{}. Or enter a code: ", open_and_choose(number)).into();
            }
            Self::OpenAppTypeDigits => {
                "Open the app on your phone, pull down to refresh, confirm there, and type the 6 digits it shows: "
            }
            Self::TypeDigits => "Open the app, confirm there, and type the 6 digits it shows: ",
            Self::WrongDigits => "Those were not the digits on your phone. Type the 6 digits it shows: ",
        })
    }
}

fn open_and_choose(number: Number) -> String {
    format!("Open the app on your phone, pull down to refresh and choose {}, then press Enter here", number.shown())
}

/// What a refusal says.
#[must_use]
pub fn refusal(reason: Reason) -> &'static str {
    match reason {
        Reason::Busy => "Another login is waiting for your phone. Answer that one first, then try again.",
        Reason::Unenrolled => "This account has no second factor yet. Ask your service desk to enrol it.",
        Reason::NoMethod | Reason::PushUnavailable => {
            "None of this account's second factors can be used here now. Ask your service desk."
        }
        Reason::CodesLocked => "Too many wrong codes. Wait a while, then try again, or ask your service desk.",
        Reason::Unanswered => "Nobody answered the request on your phone in time.",
        Reason::Denied | Reason::Fraud => "The request was denied on your phone.",
        Reason::Superseded => "A newer request for this login took the place of this one.",
        Reason::PrimaryUnavailable | Reason::StoreUnavailable | Reason::Overload | Reason::Draining => {
            "The login can't be checked at the moment. Try again in a minute."
        }
        Reason::Credential => "This login method is not supported here. Use PAP.",
        Reason::TooLarge | Reason::Unusable => {
            "The login was checked, but its answer can't be delivered. Ask your service desk."
        }
        Reason::Accepted
        | Reason::Name
        | Reason::SuspectSecret
        | Reason::EmptyPassword
        | Reason::Primary
        | Reason::Rule
        | Reason::NoRule
        | Reason::Undecided
        | Reason::Blocked
        | Reason::WrongCode
        | Reason::SpentCode
        | Reason::State
        | Reason::Changed
        | Reason::Expired
        | Reason::ApprovedTooLate => "Access denied.",
    }
}

/// For log and audit: until when codes are off.
#[must_use]
pub fn locked_until(until: Wall) -> String {
    if until == Wall::NEVER {
        "codes are off until a push succeeds or an admin unlocks them".to_owned()
    } else {
        format!("codes are off until {} (unix seconds)", until.unix_seconds())
    }
}
