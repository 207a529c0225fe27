//! What a person reads at the appliance: Reply-Message texts, plain ASCII, under 253 octets, telling no secret.
//!
//! A refusal tells no more than the policy lets it (rules D6): the same words for a wrong password, an unknown
//! name and a wrong code.

use crate::moment::Wall;
use crate::record::Reason;

/// Asks for a code.
pub const ENTER_CODE: &str = "Enter the code from your authenticator app or token: ";
/// Asks for a code again.
pub const WRONG_CODE: &str = "That code did not work. Wait for a new code and enter it: ";
/// The push is still open, a code also helps.
pub const APPROVE_OR_CODE: &str = "Approve the request on your phone, then press Enter here. Or enter a code: ";
/// The push is still open, nothing else helps.
pub const APPROVE: &str = "Approve the request on your phone, then press Enter here: ";
/// Another login of this user has the phone (B2).
pub const BUSY_ENTER_CODE: &str = "Another login is waiting for your phone. Enter a code for this one: ";

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
