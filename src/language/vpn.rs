//! What the VPN client shows, in the user's language: the prompts and the refusals of `login::words`.
//!
//! A text fits into one attribute (253 octets, RFC 2865 §5) in every language. A refusal tells no more than English does (rules
//! D6): the same reasons share the same words.

use std::borrow::Cow;

use login::words::{Say, Told};
use login::{Number, Reason};

use super::{Arg, Language, text, text_with};

/// A question of the VPN prompt, with the space after which the user types. Keys: `vpn-enter-code`, `vpn-wrong-code`,
/// `vpn-approve-or-code`, `vpn-approve`, `vpn-busy-enter-code`, `vpn-choose-number` (`number`), `vpn-choose-number-or-code`
/// (`number`), `vpn-type-digits` (`digits`), `vpn-open-app`, `vpn-open-app-or-code`, and with `number` or `digits`
/// `vpn-open-app-choose`, `vpn-open-app-choose-or-code`, `vpn-open-app-type-digits`.
#[must_use]
pub fn prompt(language: Language, key: &str, args: &[(&str, Arg<'_>)]) -> String {
    // Fluent cuts the spaces at the end of a text.
    text_with(language, key, args) + " "
}

/// What a challenge of ours asks, in the reader's language.
#[must_use]
pub fn challenge(language: Language, say: Say) -> String {
    let number = |number: Number| [("number", number.shown().into())];
    match say {
        Say::EnterCode => prompt(language, "vpn-enter-code", &[]),
        Say::WrongCode => prompt(language, "vpn-wrong-code", &[]),
        Say::Approve => prompt(language, "vpn-approve", &[]),
        Say::ApproveOrCode => prompt(language, "vpn-approve-or-code", &[]),
        Say::BusyEnterCode => prompt(language, "vpn-busy-enter-code", &[]),
        Say::OpenApp => prompt(language, "vpn-open-app", &[]),
        Say::OpenAppOrCode => prompt(language, "vpn-open-app-or-code", &[]),
        Say::OpenPage => prompt(language, "vpn-open-page", &[]),
        Say::OpenPageOrCode => prompt(language, "vpn-open-page-or-code", &[]),
        Say::OpenPageTypeNumber(shown) => prompt(language, "vpn-open-page-type-number", &number(shown)),
        Say::OpenPageTypeNumberOrCode(shown) => prompt(language, "vpn-open-page-type-number-or-code", &number(shown)),
        Say::OpenPageTypeDigits => prompt(language, "vpn-open-page-type-digits", &[("digits", 6_u64.into())]),
        Say::TypeNumber(shown) => prompt(language, "vpn-type-number", &number(shown)),
        Say::TypeNumberOrCode(shown) => prompt(language, "vpn-type-number-or-code", &number(shown)),
        Say::OpenAppChoose(shown) => prompt(language, "vpn-open-app-choose", &number(shown)),
        Say::OpenAppChooseOrCode(shown) => prompt(language, "vpn-open-app-choose-or-code", &number(shown)),
        Say::OpenAppTypeDigits => prompt(language, "vpn-open-app-type-digits", &[("digits", 6_u64.into())]),
        Say::TypeDigits => prompt(language, "vpn-type-digits", &[("digits", 6_u64.into())]),
        Say::QuietEnterCode(minutes) => prompt(language, "vpn-quiet-enter-code", &[("minutes", minutes.into())]),
        Say::WrongDigits => prompt(language, "vpn-wrong-digits", &[("digits", 6_u64.into())]),
    }
}

/// What a refusal says to who has no second factor yet and can enrol at the portal.
#[must_use]
pub fn enrol_at(language: Language, portal: &str) -> String {
    text_with(language, "vpn-refused-enrol-at", &[("portal", portal.into())])
}

/// What a refusal says while pushes are quiet for so many more minutes.
#[must_use]
pub fn quiet(language: Language, minutes: u64) -> String {
    text_with(language, "vpn-refused-quiet", &[("minutes", minutes.into())])
}

/// What a refusal says where a code is taken behind the password and this delimiter only.
#[must_use]
pub fn append_code(language: Language, delimiter: &str) -> String {
    text_with(language, "vpn-refused-append-code", &[("delimiter", delimiter.into())])
}

/// What a refusal says.
#[must_use]
pub fn refusal(language: Language, reason: Reason) -> Cow<'static, str> {
    text(language, refusal_key(reason))
}

/// The key of what a refusal says; many reasons share one (rules D6).
#[must_use]
pub fn refusal_key(reason: Reason) -> &'static str {
    match Told::of(reason) {
        Told::Busy => "vpn-refused-busy",
        Told::Unenrolled => "vpn-refused-unenrolled",
        Told::NoMethod => "vpn-refused-no-method",
        Told::CodesLocked => "vpn-refused-codes-locked",
        Told::Unanswered => "vpn-refused-unanswered",
        Told::OnPhone => "vpn-refused-denied",
        Told::WrongNumber => "vpn-refused-wrong-number",
        Told::Superseded => "vpn-refused-superseded",
        Told::Later => "vpn-refused-later",
        Told::Credential => "vpn-refused-credential",
        Told::Undeliverable => "vpn-refused-undeliverable",
        Told::No => "vpn-refused",
    }
}

/// The text in ASCII, for an appliance that shows nothing else: ä is ae, é is e, and what has no such form is `?`.
#[must_use]
pub fn plain_ascii(text: &str) -> Cow<'_, str> {
    if text.is_ascii() {
        return text.into();
    }
    let mut plain = String::with_capacity(text.len() + 8);
    for letter in text.chars() {
        match letter {
            'ä' => plain.push_str("ae"),
            'ö' => plain.push_str("oe"),
            'ü' => plain.push_str("ue"),
            'Ä' => plain.push_str("Ae"),
            'Ö' => plain.push_str("Oe"),
            'Ü' => plain.push_str("Ue"),
            'ß' => plain.push_str("ss"),
            'œ' => plain.push_str("oe"),
            'à' | 'â' => plain.push('a'),
            'ç' => plain.push('c'),
            'é' | 'è' | 'ê' | 'ë' => plain.push('e'),
            'î' | 'ï' => plain.push('i'),
            'ô' => plain.push('o'),
            'ù' | 'û' => plain.push('u'),
            'À' | 'Â' => plain.push('A'),
            'Ç' => plain.push('C'),
            'É' | 'È' | 'Ê' => plain.push('E'),
            '’' => plain.push('\''),
            '«' | '»' | '„' | '“' | '”' => plain.push('"'),
            '–' => plain.push('-'),
            '\u{a0}' | '\u{202f}' => plain.push(' '),
            ascii if ascii.is_ascii() => plain.push(ascii),
            _ => plain.push('?'),
        }
    }
    plain.into()
}
