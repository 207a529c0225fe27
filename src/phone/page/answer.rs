//! What an answer of the page comes to, judged against what we stored of the prompt (rules F5).
//!
//! The signature is verified over lines of our own making: nonce, prompt, device and the hash of what we know was shown. So
//! an answer that was signed for another prompt, or while something else was on the screen, verifies as nothing.

use subtle::ConstantTimeEq as _;

use super::key::PageKey;
use super::request::{Answer, Said};
use super::signed::{self, AnswerLines};

/// What we stored of a prompt for this device.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    /// The page's origin.
    pub origin: &'a str,
    /// Which device.
    pub device: &'a str,
    /// Which prompt.
    pub challenge: &'a str,
    /// Its nonce.
    pub nonce: &'a str,
    /// [`super::Shown::print`] of what it shows.
    pub shown: &'a str,
    /// The user enters or chooses a number (rules F8, *shown*).
    pub wants_number: bool,
    /// An approval shows a code and approves nothing (rules F8, *typed*).
    pub shows_code: bool,
}

/// What a good answer means. A PIN is looked at afterwards: it is no part of what is signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Verify, with the number where one was asked: it says which asker is meant (rules B2), and a wrong one denies (rules F8).
    Approve {
        /// As the user entered it.
        number: Option<String>,
    },
    /// Show the code; the login waits for it to be typed.
    ShowCode,
    /// No.
    Deny,
    /// It wasn't the user.
    Fraud,
}

/// Why an answer changes nothing. All of them are told alike, and counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BadAnswer {
    /// Another device's, or another prompt's.
    Foreign,
    /// Something else was on the screen.
    Shown,
    /// Signed by another key, or over other lines.
    Signature,
    /// A number where none was asked, or none where one was.
    Number,
}

/// Judges an answer by the device's own key.
///
/// # Errors
/// [`BadAnswer`]: it changes nothing.
pub fn judge(asked: &Asked<'_>, answer: &Answer, key: &PageKey) -> Result<Verdict, BadAnswer> {
    let same = |ours: &str, theirs: &str| bool::from(ours.as_bytes().ct_eq(theirs.as_bytes()));
    if answer.device != asked.device || answer.challenge != asked.challenge || !same(asked.nonce, &answer.nonce) {
        return Err(BadAnswer::Foreign);
    }
    if answer.shown != asked.shown {
        return Err(BadAnswer::Shown);
    }
    let lines = AnswerLines {
        origin: asked.origin,
        device: asked.device,
        challenge: asked.challenge,
        nonce: asked.nonce,
        said: answer.said.as_str(),
        number: answer.number.as_deref().unwrap_or_default(),
        shown: asked.shown,
        time: &answer.stamp.text,
    };
    if !key.signed(&signed::answer(&lines), &answer.signature) {
        return Err(BadAnswer::Signature);
    }
    match (answer.said, &answer.number) {
        (Said::Deny, _) => Ok(Verdict::Deny),
        (Said::Report, _) => Ok(Verdict::Fraud),
        (Said::Approve, number) if number.is_some() != asked.wants_number => Err(BadAnswer::Number),
        (Said::Approve, _) if asked.shows_code => Ok(Verdict::ShowCode),
        (Said::Approve, number) => Ok(Verdict::Approve { number: number.clone() }),
    }
}
