//! What a command says and how it ends: results on standard output, errors on standard error, one exit code.
//!
//! A reader who has gone away (`| head`) is no error. Colour only where a person looks, never under `NO_COLOR`.

use std::fmt::Display;
use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;

use jiff::Timestamp;
use login::Wall;
use serde::Serialize;
use wire::Secret;

use super::shell;

/// How a command ends.
pub(super) type Outcome = Result<(), Failure>;

/// Why a command did not do what it was asked, by its exit code.
#[derive(Debug)]
pub(super) enum Failure {
    /// It was refused, or it failed: 1.
    Refused(String),
    /// It was asked wrongly, or the configuration is broken: 2.
    Usage(String),
    /// A configuration's mistakes, drawn already: 2.
    Mistakes(String),
    /// All was said already: 1.
    Said,
    /// All was said already: 2.
    SaidMistakes,
}

impl Failure {
    /// An error of another room: refused or failed.
    pub(super) fn of(error: impl Display) -> Self {
        Self::Refused(error.to_string())
    }
}

/// Says what went wrong, with commands for this site, and gives the process's exit code.
pub(super) fn exit_code(outcome: Outcome, program: &str) -> ExitCode {
    let Err(failure) = outcome else { return ExitCode::SUCCESS };
    let (code, text) = match failure {
        Failure::Refused(why) => (1, format!("vestibule: {why}")),
        Failure::Usage(why) => (2, format!("vestibule: {why}")),
        Failure::Mistakes(drawn) => (2, drawn),
        Failure::Said => (1, String::new()),
        Failure::SaidMistakes => (2, String::new()),
    };
    if !text.is_empty() {
        note(shell::addressed(&text, program));
    }
    ExitCode::from(code)
}

/// A line of the result.
pub(super) fn say(text: impl Display) {
    // A reader who has gone away wants no more of it.
    let _ = writeln!(io::stdout().lock(), "{text}");
}

/// A line beside the result: for the person, not for the script.
pub(super) fn note(text: impl Display) {
    let _ = writeln!(io::stderr().lock(), "{text}");
}

/// A line that holds a secret, to be seen by the one who asked for it.
pub(super) fn show_secret(before: &str, secret: &Secret) {
    let mut out = io::stdout().lock();
    let _ = out.write_all(before.as_bytes());
    let _ = out.write_all(secret.expose());
    let _ = out.write_all(b"\n");
}

/// An object as JSON on one line, with a secret among its members. By hand, so that no copy of the secret is left behind in a
/// tree of JSON values; it has no character that JSON escapes: base32, groups of letters and digits, percent-encoded addresses.
pub(super) fn json_with_secret(name: &str, secret: &Secret, rest: &serde_json::Value) -> Outcome {
    let rest = serde_json::to_string(rest).map_err(Failure::of)?;
    let rest = rest.strip_prefix('{').unwrap_or(&rest);
    let comma = if rest == "}" { "" } else { "," };
    let mut line = zeroize::Zeroizing::new(Vec::with_capacity(1024 + rest.len()));
    line.extend_from_slice(format!("{{\"{name}\":\"").as_bytes());
    line.extend_from_slice(secret.expose());
    line.extend_from_slice(format!("\"{comma}{rest}").as_bytes());
    show_secret("", &Secret::new(line.as_slice()));
    Ok(())
}

/// A value as JSON on one line.
pub(super) fn json(value: &impl Serialize) -> Outcome {
    let text = serde_json::to_string(value).map_err(Failure::of)?;
    say(text);
    Ok(())
}

/// Whether standard output may be coloured.
pub(super) fn is_coloured() -> bool {
    io::stdout().is_terminal() && wants_colour()
}

/// Whether standard error may be coloured.
pub(super) fn is_error_coloured() -> bool {
    io::stderr().is_terminal() && wants_colour()
}

fn wants_colour() -> bool {
    std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

/// Text in one of the terminal's colours, where colour is wanted.
pub(super) fn paint(text: &str, colour: &str, is_wanted: bool) -> String {
    if is_wanted { format!("\u{1b}[{colour}m{text}\u{1b}[0m") } else { text.to_owned() }
}

/// A time as people read it, in UTC: `2026-11-24 13:55:04 UTC`.
pub(super) fn time(at: Wall) -> String {
    match timestamp(at) {
        Some(instant) => instant.strftime("%Y-%m-%d %H:%M:%S UTC").to_string(),
        None => "no time at all".to_owned(),
    }
}

/// A time as scripts read it (RFC 3339); `null` for one that never comes.
pub(super) fn rfc3339(at: Wall) -> Option<String> {
    timestamp(at).map(|instant| format!("{instant:.3}"))
}

fn timestamp(at: Wall) -> Option<Timestamp> {
    i64::try_from(at.0).ok().and_then(|millis| Timestamp::from_millisecond(millis).ok())
}

/// Rows under their headings, each column as wide as its widest cell.
pub(super) fn table(headings: &[&str], rows: &[Vec<String>]) {
    let all = || {
        let headings: Vec<String> = headings.iter().map(|heading| (*heading).to_owned()).collect();
        std::iter::once(headings).chain(rows.iter().cloned())
    };
    let width = |column: usize| all().filter_map(|row| row.get(column).map(|cell| cell.chars().count())).max();
    let widths: Vec<usize> = (0..headings.len()).map(|column| width(column).unwrap_or_default()).collect();
    for row in all() {
        let cells: Vec<String> = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
        say(cells.join("  ").trim_end());
    }
}

/// `1 rule`, `2 rules`.
pub(super) fn count(number: usize, one: &str, more: &str) -> String {
    format!("{number} {}", if number == 1 { one } else { more })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_by_people_and_by_scripts() {
        assert_eq!(time(Wall(1_795_528_291_007)), "2026-11-24 13:51:31 UTC");
        assert_eq!(rfc3339(Wall(1_795_528_291_007)).as_deref(), Some("2026-11-24T13:51:31.007Z"));
        assert_eq!(rfc3339(Wall::NEVER), None);
    }

    #[test]
    fn one_is_not_many() {
        assert_eq!(count(1, "rule", "rules"), "1 rule");
        assert_eq!(count(0, "rule", "rules"), "0 rules");
    }
}
