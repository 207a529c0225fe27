//! A letter in words: its subject, its plain text and its page, in the reader's language.
//!
//! Pure: the same letter and house give the same octets. Whatever somebody typed (a device's name, a reason, a station) is one
//! cleaned, bounded line in the text and escaped in the page.

use askama::Template;
use jiff::Timestamp;
use login::Wall;

use super::{ActivationCode, House, Letter, LetterKind, Method, StaffAction};
use crate::language::{Language, text, text_with};

/// Characters of one fact at most: names and reasons are bounded again here, whoever made them.
const FACT_CHARS_MAX: usize = 200;
/// Characters of the subject at most.
const SUBJECT_CHARS_MAX: usize = 150;

/// A written letter.
#[derive(Clone)]
pub struct Text {
    /// One line without control characters.
    pub subject: String,
    /// The letter for those who read no HTML.
    pub plain: String,
    /// The same as a page without scripts, pictures or styles from elsewhere.
    pub html: String,
}

/// Writes a letter.
#[must_use]
pub fn compose(letter: &Letter, house: &House) -> Text {
    let page = page(letter, house);
    Text {
        subject: page.subject.clone(),
        plain: plain(&page),
        // Filling a template into a String can't fail; were it to, the plain text still says everything.
        html: page.render().unwrap_or_default(),
    }
}

/// What plain text and page are made of. The template escapes every value.
#[derive(Template)]
#[template(
    ext = "html",
    source = r#"<!doctype html>
<html lang="{{ tag }}">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>{{ subject }}</title></head>
<body style="font-family: sans-serif; font-size: 16px; line-height: 1.5; max-width: 36em; margin: 1em auto; padding: 0 1em">
{% for paragraph in opening %}<p>{{ paragraph }}</p>
{% endfor %}{% if let Some((label, code)) = code %}<p>{{ label }}<br><strong style="font-family: monospace; font-size: 22px">{{ code }}</strong></p>
{% endif %}<table style="border-collapse: collapse">
{% for (label, value) in facts %}<tr><th align="left" valign="top" style="padding-right: 1em">{{ label }}</th><td>{{ value }}</td></tr>
{% endfor %}</table>
{% for paragraph in advice %}<p>{{ paragraph }}</p>
{% endfor %}{% if let Some((label, url)) = portal %}<p>{{ label }} <a href="{{ url }}">{{ url }}</a></p>
{% endif %}{% if let Some((label, desk)) = desk %}<p>{{ label }} {{ desk }}</p>
{% endif %}<hr>
{% for paragraph in closing %}<p><small>{{ paragraph }}</small></p>
{% endfor %}</body>
</html>
"#
)]
struct Page {
    tag: &'static str,
    subject: String,
    opening: Vec<String>,
    code: Option<(String, String)>,
    facts: Vec<(String, String)>,
    advice: Vec<String>,
    portal: Option<(String, String)>,
    desk: Option<(String, String)>,
    closing: Vec<String>,
}

fn page(letter: &Letter, house: &House) -> Page {
    let language = letter.language;
    let words = Words { language, account: house.account_name() };
    let (subject, opening, advice) = keys(&letter.kind);
    let about = text_with(
        language,
        "mail-about",
        &[("user", clean(&letter.user).into()), ("account", house.account_name().into())],
    );
    Page {
        tag: language.as_tag(),
        subject: shortened(&clean_line(&words.say(subject)), SUBJECT_CHARS_MAX),
        opening: [vec![words.say("mail-greeting"), words.say(opening)], vec![about]].concat(),
        code: code(&letter.kind).map(|code| (words.say("mail-code"), clean(code.code.expose()))),
        facts: words.facts(letter),
        advice: advice.iter().map(|key| words.say(key)).collect(),
        portal: house.portal_url().map(|url| (words.say("mail-portal"), url.to_string())),
        desk: house.help_desk().map(|desk| (words.say("mail-desk"), desk.to_owned())),
        closing: vec![words.say("mail-automatic")],
    }
}

fn plain(page: &Page) -> String {
    let labelled = |(label, value): &(String, String)| format!("{label} {value}");
    let facts = page.facts.iter().map(labelled).collect::<Vec<_>>().join("\n");
    let code = page.code.as_ref().map(|(label, code)| format!("{label}\n\n    {code}"));
    let help = page.portal.iter().chain(&page.desk).map(labelled).collect::<Vec<_>>().join("\n");
    let paragraphs = page.opening.iter().cloned().chain(code).chain([facts]).chain(page.advice.iter().cloned());
    let closing = format!("-- \n{}", page.closing.join("\n"));
    let paragraphs = paragraphs.chain([help, closing]).filter(|paragraph| !paragraph.is_empty());
    paragraphs.collect::<Vec<_>>().join("\n\n") + "\n"
}

/// The keys of a kind: the subject, what happened, and what to do about it.
fn keys(kind: &LetterKind) -> (&'static str, &'static str, &'static [&'static str]) {
    match kind {
        LetterKind::Invitation { code: None } => {
            ("mail-invitation-subject", "mail-invitation", &["mail-invitation-steps", "mail-invitation-no-code"])
        }
        LetterKind::Invitation { code: Some(_) } => {
            ("mail-invitation-subject", "mail-invitation", &["mail-invitation-steps", "mail-code-care"])
        }
        LetterKind::Activation { .. } => {
            ("mail-activation-subject", "mail-activation", &["mail-activation-steps", "mail-code-care", "mail-unasked"])
        }
        LetterKind::MethodAdded { .. } => ("mail-method-added-subject", "mail-method-added", &["mail-not-you"]),
        LetterKind::MethodRemoved { .. } => ("mail-method-removed-subject", "mail-method-removed", &["mail-not-you"]),
        LetterKind::FraudReported { .. } => ("mail-fraud-subject", "mail-fraud", &["mail-fraud-steps"]),
        LetterKind::FraudAlert { .. } => ("mail-fraud-alert-subject", "mail-fraud-alert", &["mail-fraud-alert-steps"]),
        LetterKind::Blocked { .. } => ("mail-blocked-subject", "mail-blocked", &["mail-questions"]),
        LetterKind::Unblocked { .. } => ("mail-unblocked-subject", "mail-unblocked", &["mail-questions"]),
        LetterKind::StaffAct { what, .. } => ("mail-staff-subject", act(*what), &["mail-unexpected"]),
        LetterKind::SilentPhone { .. } => {
            ("mail-silent-subject", "mail-silent", &["mail-silent-steps", "mail-not-you"])
        }
        LetterKind::SilentPhoneAlert { .. } => {
            ("mail-silent-alert-subject", "mail-silent-alert", &["mail-silent-alert-steps"])
        }
        LetterKind::PinChanged => ("mail-pin-subject", "mail-pin", &["mail-not-you"]),
        LetterKind::PasswordChanged => ("mail-password-subject", "mail-password", &["mail-not-you"]),
        LetterKind::RecoveryCodesMade => ("mail-recovery-made-subject", "mail-recovery-made", &["mail-not-you"]),
        LetterKind::RecoveryCodeUsed { .. } => {
            ("mail-recovery-used-subject", "mail-recovery-used", &["mail-recovery-used-steps", "mail-not-you"])
        }
        LetterKind::BypassGranted { .. } => ("mail-bypass-subject", "mail-bypass", &["mail-unexpected"]),
    }
}

fn act(what: StaffAction) -> &'static str {
    match what {
        StaffAction::CodeIssued => "mail-staff-code-issued",
        StaffAction::MethodRemoved => "mail-staff-method-removed",
        StaffAction::TokenAssigned => "mail-staff-token-assigned",
        StaffAction::TokenResynced => "mail-staff-token-resynced",
        StaffAction::PinReset => "mail-staff-pin-reset",
        StaffAction::LimitsLifted => "mail-staff-limits-lifted",
        StaffAction::BypassRevoked => "mail-staff-bypass-revoked",
        StaffAction::SessionsEnded => "mail-staff-sessions-ended",
        StaffAction::DetailsChanged => "mail-staff-details-changed",
    }
}

/// The code of the two kinds that may carry one (rules F7).
fn code(kind: &LetterKind) -> Option<&ActivationCode> {
    match kind {
        LetterKind::Activation { code } => Some(code),
        LetterKind::Invitation { code } => code.as_ref(),
        LetterKind::MethodAdded { .. }
        | LetterKind::MethodRemoved { .. }
        | LetterKind::FraudReported { .. }
        | LetterKind::FraudAlert { .. }
        | LetterKind::Blocked { .. }
        | LetterKind::Unblocked { .. }
        | LetterKind::StaffAct { .. }
        | LetterKind::SilentPhone { .. }
        | LetterKind::SilentPhoneAlert { .. }
        | LetterKind::PinChanged
        | LetterKind::PasswordChanged
        | LetterKind::RecoveryCodesMade
        | LetterKind::RecoveryCodeUsed { .. }
        | LetterKind::BypassGranted { .. } => None,
    }
}

/// Speaks the letter's language and knows the account's name, which many texts say.
struct Words<'a> {
    language: Language,
    account: &'a str,
}

impl Words<'_> {
    fn say(&self, key: &str) -> String {
        text_with(self.language, key, &[("account", self.account.into())])
    }

    /// Label and value of what is known; what is empty is left out.
    fn facts(&self, letter: &Letter) -> Vec<(String, String)> {
        let mut facts = vec![("mail-fact-time", time(letter.at))];
        match &letter.kind {
            LetterKind::Invitation { code } => {
                facts.extend(code.as_ref().map(|code| ("mail-fact-until", time(code.until))));
            }
            LetterKind::Activation { code } => facts.push(("mail-fact-until", time(code.until))),
            LetterKind::MethodAdded { method, name } | LetterKind::MethodRemoved { method, name } => {
                facts.extend([("mail-fact-method", self.method(*method)), ("mail-fact-name", clean(name))]);
            }
            LetterKind::FraudReported { client, station } | LetterKind::FraudAlert { client, station } => {
                facts.extend([("mail-fact-client", clean(client)), ("mail-fact-station", clean(station))]);
            }
            LetterKind::Blocked { by, reason }
            | LetterKind::Unblocked { by, reason }
            | LetterKind::StaffAct { what: _, by, reason } => {
                facts.extend([("mail-fact-by", clean(by)), ("mail-fact-reason", clean(reason))]);
            }
            LetterKind::SilentPhone { name } | LetterKind::SilentPhoneAlert { name } => {
                facts.push(("mail-fact-name", clean(name)));
            }
            LetterKind::PinChanged | LetterKind::PasswordChanged | LetterKind::RecoveryCodesMade => {}
            LetterKind::RecoveryCodeUsed { left } => facts.push(("mail-fact-left", left.to_string())),
            LetterKind::BypassGranted { by, reason, client, until } => facts.extend([
                ("mail-fact-client", clean(client)),
                ("mail-fact-until", time(*until)),
                ("mail-fact-by", clean(by)),
                ("mail-fact-reason", clean(reason)),
            ]),
        }
        facts.retain(|(_, value)| !value.is_empty());
        facts.into_iter().map(|(key, value)| (self.say(key), value)).collect()
    }

    fn method(&self, method: Method) -> String {
        match method {
            Method::Phone => text(self.language, "common-method-phone"),
            Method::App => text(self.language, "common-method-app"),
            Method::HardwareToken => text(self.language, "common-method-hardware-token"),
        }
        .into_owned()
    }
}

/// `2027-01-31 14:05 UTC`, the same in every language; nothing for a time that never comes.
fn time(wall: Wall) -> String {
    let known = i64::try_from(wall.0).ok().and_then(|millis| Timestamp::from_millisecond(millis).ok());
    known.map(|at| at.strftime("%Y-%m-%d %H:%M UTC").to_string()).unwrap_or_default()
}

/// One bounded line of what somebody typed.
fn clean(typed: &str) -> String {
    shortened(&clean_line(typed.trim()), FACT_CHARS_MAX)
}

/// Control characters and those that turn or hide text become U+FFFD: a name can't forge a line, nor show another than it is.
fn clean_line(typed: &str) -> String {
    let deceives = |c: char| {
        c.is_control()
            || matches!(c, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
    };
    typed.chars().map(|c| if deceives(c) { '\u{fffd}' } else { c }).collect()
}

fn shortened(text: &str, chars_max: usize) -> String {
    if text.chars().count() <= chars_max {
        return text.to_owned();
    }
    text.chars().take(chars_max - 1).chain(['…']).collect()
}
