//! What an answer comes to, judged against what we stored: the nonce, the serial and the numbers that were offered (rules F5).
//!
//! Nothing is changed here. The signature is verified over a text of our own making, so what was signed for another prompt,
//! another device or another answer verifies as nothing.

use super::challenge::Presence;
use super::keys::PhoneKey;
use super::proof::answer_text;
use super::request::{Answer, DeclineReason, Said};

/// What we stored of a prompt for this device.
#[derive(Clone, Debug)]
pub struct Asked<'a> {
    /// The nonce that it was sent with.
    pub nonce: &'a str,
    /// The device's serial.
    pub serial: &'a str,
    /// The numbers that were offered, and the right one.
    pub number: Option<(&'a Presence, &'a str)>,
    /// An accept shows a code on the phone and approves nothing (rules F8, *typed*).
    pub shows_code: bool,
    /// This device has been shown the code already.
    pub code_was_shown: bool,
}

/// What a good answer means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Let it in.
    Approve,
    /// Show the code; the login waits for it to be typed. The same again for a repeat.
    ShowCode,
    /// No: declined, or the wrong number, which is a denial (rules F8).
    Deny,
    /// It wasn't the user (rules A8).
    Fraud,
    /// "Done" below a code that was shown: the store app sends a plain decline, which means nothing (rules F5).
    Nothing,
}

/// Why an answer changes nothing. All of them are told alike, and counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BadAnswer {
    /// Another device's, or another prompt's.
    Foreign,
    /// Signed by another key, or over another text.
    Signature,
    /// A number where none was asked, none where one was, or one that was not offered.
    Number,
}

/// Judges an answer by the device's own key.
///
/// # Errors
/// [`BadAnswer`]: it changes nothing.
pub fn judge(asked: &Asked<'_>, answer: &Answer, key: &PhoneKey) -> Result<Verdict, BadAnswer> {
    if answer.nonce != asked.nonce || answer.serial.as_str() != asked.serial {
        return Err(BadAnswer::Foreign);
    }
    let tapped = tapped(asked, answer)?;
    if !key.signed(&answer_text(asked.nonce, asked.serial, &answer.said, tapped), &answer.signature) {
        return Err(BadAnswer::Signature);
    }
    Ok(match (&answer.said, asked.number, tapped) {
        (Said::Decline(None), ..) if asked.code_was_shown => Verdict::Nothing,
        (Said::Decline(Some(DeclineReason::UnknownTrigger)), ..) => Verdict::Fraud,
        (Said::Decline(Some(DeclineReason::Cancelled | DeclineReason::Other(_)) | None), ..) => Verdict::Deny,
        (Said::Accept, Some((_, right)), Some(tapped)) if tapped != right => Verdict::Deny,
        (Said::Accept, ..) if asked.shows_code => Verdict::ShowCode,
        (Said::Accept, ..) => Verdict::Approve,
    })
}

/// The number that was tapped, as we offered it; a decline has none. An accept has one exactly where one was asked, though it
/// be correctly signed otherwise.
fn tapped<'a>(asked: &Asked<'a>, answer: &Answer) -> Result<Option<&'a str>, BadAnswer> {
    match (&answer.said, asked.number, answer.presence.as_deref()) {
        (Said::Decline(_), ..) | (Said::Accept, None, None) => Ok(None),
        (Said::Accept, Some((offered, _)), Some(tapped)) => offered.offered(tapped).map(Some).ok_or(BadAnswer::Number),
        (Said::Accept, Some(_), None) | (Said::Accept, None, Some(_)) => Err(BadAnswer::Number),
    }
}
