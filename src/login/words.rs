//! What a person reads at the appliance: Reply-Message texts, plain ASCII, under 253 octets, telling no secret.
//!
//! A refusal tells no more than the policy lets it (rules D6): the same words for a wrong password, an unknown
//! name and a wrong code.

use std::borrow::Cow;

use crate::facts::TokenId;
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
    /// The push is still open, in an app that does not ring by itself.
    OpenApp,
    /// The same, and a code also helps.
    OpenAppOrCode,
    /// The push is still open, on a page of ours that does not ring.
    OpenPage,
    /// The same, and a code also helps.
    OpenPageOrCode,
    /// Number matching, shown: this number is typed on the phone that rings (F8).
    TypeNumber(Number),
    /// The same, and a code also helps.
    TypeNumberOrCode(Number),
    /// Number matching, shown: this one is chosen in an app that does not ring by itself (F8).
    OpenAppChoose(Number),
    /// The same, and a code also helps.
    OpenAppChooseOrCode(Number),
    /// Number matching, shown: this one is typed on a page that does not ring (F8).
    OpenPageTypeNumber(Number),
    /// The same, and a code also helps.
    OpenPageTypeNumberOrCode(Number),
    /// Number matching, typed: the phone that rings shows the digits (F8).
    TypeDigits,
    /// The same, in an app that does not ring by itself.
    OpenAppTypeDigits,
    /// The same, on a page that does not ring.
    OpenPageTypeDigits,
    /// They were not these.
    WrongDigits,
    /// The phone is not asked for so many more minutes (D2); a code helps.
    QuietEnterCode(u64),
}

impl Say {
    /// The number that it shows, if it shows one (F8).
    #[must_use]
    pub fn number(self) -> Option<Number> {
        match self {
            Self::TypeNumber(number)
            | Self::TypeNumberOrCode(number)
            | Self::OpenAppChoose(number)
            | Self::OpenAppChooseOrCode(number)
            | Self::OpenPageTypeNumber(number)
            | Self::OpenPageTypeNumberOrCode(number) => Some(number),
            Self::EnterCode
            | Self::WrongCode
            | Self::Approve
            | Self::ApproveOrCode
            | Self::BusyEnterCode
            | Self::OpenApp
            | Self::OpenAppOrCode
            | Self::OpenPage
            | Self::OpenPageOrCode
            | Self::TypeDigits
            | Self::OpenAppTypeDigits
            | Self::OpenPageTypeDigits
            | Self::WrongDigits
            | Self::QuietEnterCode(_) => None,
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
            Self::TypeNumber(number) => return format!("{}: ", type_number(number)).into(),
            Self::TypeNumberOrCode(number) => return format!("{}. Or enter a code: ", type_number(number)).into(),
            Self::OpenPage => "Open the login page on your phone and confirm there, then press Enter here: ",
            Self::OpenPageOrCode => {
                "Open the login page on your phone and confirm there, then press Enter here. Or enter a code: "
            }
            Self::OpenPageTypeNumber(number) => return format!("{}: ", open_page_and_type(number)).into(),
            Self::OpenPageTypeNumberOrCode(number) => {
                return format!("{}. Or enter a code: ", open_page_and_type(number)).into();
            }
            Self::OpenPageTypeDigits => {
                "Open the login page on your phone, confirm there, and type the 6 digits it shows: "
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
            Self::TypeDigits => "Confirm on your phone, and type the 6 digits it shows: ",
            Self::QuietEnterCode(minutes) => {
                return format!("Your phone is not asked for another {minutes} min. Enter a code: ").into();
            }
            Self::WrongDigits => "Those were not the digits on your phone. Type the 6 digits it shows: ",
        })
    }
}

fn type_number(number: Number) -> String {
    format!("Type {} on your phone, then press Enter here", number.shown())
}

fn open_page_and_type(number: Number) -> String {
    format!("Open the login page on your phone and type {} there, then press Enter here", number.shown())
}

fn open_and_choose(number: Number) -> String {
    format!("Open the app on your phone, pull down to refresh and choose {}, then press Enter here", number.shown())
}

/// What a refusal tells, in each language in its own words. Many reasons share one, so that it tells no more than the policy
/// lets it (rules D6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Told {
    /// Another login has the phone.
    Busy,
    /// There is no second factor yet.
    Unenrolled,
    /// There is one, and it can't be used here now.
    NoMethod,
    /// Too many wrong codes.
    CodesLocked,
    /// The phone was silent.
    Unanswered,
    /// The phone said no.
    OnPhone,
    /// Another number came from the phone than the one on this screen.
    WrongNumber,
    /// Another request of the same login took its place.
    Superseded,
    /// Nobody's mistake: later.
    Later,
    /// Another kind of credential than PAP.
    Credential,
    /// It was right, and its answer can't be sent.
    Undeliverable,
    /// No, and nothing more.
    No,
}

impl Told {
    /// What a reason tells.
    #[must_use]
    pub const fn of(reason: Reason) -> Self {
        match reason {
            Reason::Busy => Self::Busy,
            Reason::Unenrolled => Self::Unenrolled,
            Reason::NoMethod
            | Reason::NoToken
            | Reason::CodeBehind
            | Reason::PhoneCannot
            | Reason::Quiet
            | Reason::PushUnavailable => Self::NoMethod,
            Reason::CodesLocked => Self::CodesLocked,
            Reason::Unanswered => Self::Unanswered,
            Reason::Denied | Reason::Fraud => Self::OnPhone,
            Reason::WrongNumber => Self::WrongNumber,
            Reason::Superseded => Self::Superseded,
            Reason::PrimaryUnavailable | Reason::StoreUnavailable | Reason::Overload | Reason::Draining => Self::Later,
            Reason::Credential => Self::Credential,
            Reason::TooLarge | Reason::AdminService | Reason::Unusable => Self::Undeliverable,
            Reason::Accepted
            | Reason::Name
            | Reason::Realm
            | Reason::Letters
            | Reason::LookAlike
            | Reason::SuspectSecret
            | Reason::EmptyPassword
            | Reason::Primary
            | Reason::PrimaryQuestion
            | Reason::NameHeld
            | Reason::AddressHeld
            | Reason::Rule
            | Reason::NoRule
            | Reason::Undecided
            | Reason::Blocked
            | Reason::WrongCode
            | Reason::NotACode
            | Reason::CodesNotTaken
            | Reason::CodeAhead
            | Reason::SpentCode
            | Reason::StateUnknown
            | Reason::StateLate
            | Reason::StateSpent
            | Reason::StateOther
            | Reason::StateRestart
            | Reason::Changed
            | Reason::PolicyChanged
            | Reason::PromptEnded
            | Reason::Expired
            | Reason::ApprovedTooLate => Self::No,
        }
    }

    const fn english(self) -> &'static str {
        match self {
            Self::Busy => "Another login is waiting for your phone. Answer that one first, then try again.",
            Self::Unenrolled => "This account has no second factor yet. Ask your service desk to enrol it.",
            Self::NoMethod => "None of this account's second factors can be used here now. Ask your service desk.",
            Self::CodesLocked => "Too many wrong codes. Wait a while, then try again, or ask your service desk.",
            Self::Unanswered => "Nobody answered the request on your phone in time.",
            Self::OnPhone => "The request was denied on your phone.",
            Self::WrongNumber => "That was not the number shown here. Log in again and give the new number.",
            Self::Superseded => "A newer request for this login took the place of this one.",
            Self::Later => "The login can't be checked at the moment. Try again in a minute.",
            Self::Credential => "This login method is not supported here. Use PAP.",
            Self::Undeliverable => "The login was checked, but its answer can't be delivered. Ask your service desk.",
            Self::No => "Access denied.",
        }
    }
}

/// What a refusal says.
#[must_use]
pub const fn refusal(reason: Reason) -> &'static str {
    Told::of(reason).english()
}

/// Whole minutes until then, one at least: what a person is told.
#[must_use]
pub fn minutes_until(until: Wall, now: Wall) -> u64 {
    until.since(now).as_secs().div_ceil(60).max(1)
}

/// For log and audit: until when pushes are quiet.
#[must_use]
pub fn quiet_until(until: Wall) -> String {
    format!("pushes are quiet until {}", until.rfc3339())
}

/// For log and audit: a token that was used elsewhere, and what sets it right.
#[must_use]
pub fn counted_on(token: &TokenId, by: u64) -> String {
    format!(
        "the code is one of token {} {by} codes further on, so it was likely used elsewhere: two codes in a row set it right, by \
         its owner in the portal, by the help desk, or with `vestibule token resync {}`",
        token.0, token.0
    )
}

/// For log and audit: until when codes are off.
#[must_use]
pub fn locked_until(until: Wall) -> String {
    if until == Wall::NEVER {
        "codes are off until a push succeeds or an admin unlocks them".to_owned()
    } else {
        format!("codes are off until {}", until.rfc3339())
    }
}
