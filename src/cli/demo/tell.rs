//! The demo on a terminal: each hop in one line, in colour where the terminal has some; with `--json` one object a login.
//!
//! Standard output holds either the story or the objects, never both; what is to be typed goes to standard error
//! under `--json`. A reader who went away is no error.

use std::io::{IsTerminal, Write};

use serde::Serialize;

use super::board::{Line, Of, Recorded, Tone, Who};
use super::wrap::{columns, wrapped, wrapped_command};

/// What one login of the demo came to: a line of `--json`.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Outcome {
    /// Which login of the demo.
    pub(super) name: &'static str,
    pub(super) user: &'static str,
    /// `accept` or `reject`.
    pub(super) expected: &'static str,
    /// `accept`, `reject`, `challenge`, or `none` if nobody answered.
    pub(super) answer: &'static str,
    /// It ended as it must, for the reason it must.
    pub(super) ok: bool,
    pub(super) rule: Option<String>,
    pub(super) factor: Option<String>,
    pub(super) reason: Option<String>,
    pub(super) waited_ms: u64,
    /// The record's id.
    pub(super) login: Option<String>,
}

/// Who tells it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Teller {
    json: bool,
    colour: bool,
}

/// Where the text of a hop begins: after its word.
const HOP_INDENT: usize = 11;

const RESET: &str = "\x1b[0m";
const BOLD: &str = "\x1b[1m";
const DIM: &str = "\x1b[2m";
const RED: &str = "\x1b[31m";
const GREEN: &str = "\x1b[32m";
const YELLOW: &str = "\x1b[33m";
const BLUE: &str = "\x1b[34m";
const MAGENTA: &str = "\x1b[35m";
const CYAN: &str = "\x1b[36m";

impl Teller {
    pub(super) fn new(json: bool) -> Self {
        let plain = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty())
            || std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        Self { json, colour: !json && !plain && std::io::stdout().is_terminal() }
    }

    pub(super) fn in_colour(&self) -> bool {
        self.colour
    }

    /// The first line.
    pub(super) fn opening(&self, text: &str) {
        self.story(&self.paint(BOLD, &wrapped(text, columns(), 0)));
    }

    /// A heading over several logins.
    pub(super) fn heading(&self, text: &str) {
        self.story(&format!("\n{}", self.paint(BOLD, text)));
    }

    /// What the next hops are about.
    pub(super) fn title(&self, number: usize, text: &str) {
        let text = wrapped(text, columns(), " 1. ".len());
        self.story(&format!("\n {} {}", self.paint(BOLD, &format!("{number}.")), self.paint(BOLD, &text)));
    }

    pub(super) fn hop(&self, line: &Line) {
        let (word, colour) = match line.who {
            Who::Vpn => ("vpn", CYAN),
            Who::Nps => ("nps", BLUE),
            Who::Phone => ("phone", MAGENTA),
        };
        let text = wrapped(&line.text, columns(), HOP_INDENT);
        let text = match line.tone {
            Tone::Plain => text,
            Tone::Good => self.paint(GREEN, &text),
            Tone::Bad => self.paint(RED, &text),
            Tone::Asking => self.paint(YELLOW, &text),
        };
        self.story(&format!("    {}  {text}", self.paint(colour, &format!("{word:<5}"))));
    }

    pub(super) fn record(&self, recorded: &Recorded) {
        let text = wrapped(&in_words(recorded), columns(), HOP_INDENT);
        self.story(&format!("    {}", self.paint(DIM, &format!("log    {text}"))));
    }

    pub(super) fn outcome(&self, outcome: &Outcome) {
        if self.json {
            // Plain data always has a JSON form.
            return write_line(std::io::stdout(), &serde_json::to_string(outcome).unwrap_or_default());
        }
        let verdict = match (outcome.ok, outcome.expected) {
            (true, "accept") => self.paint(GREEN, "✓ in, through both doors"),
            (true, _) => self.paint(GREEN, "✓ kept out, as it must be"),
            (false, expected) => {
                self.paint(RED, &format!("✗ this had to end in {expected}, and ended in {}", outcome.answer))
            }
        };
        self.story(&format!("    {verdict}"));
    }

    /// A sentence of how to go on, so many blanks in.
    pub(super) fn hint(&self, indent: usize, text: &str) {
        self.advice(&format!("{}{}", " ".repeat(indent), wrapped(text, columns(), indent)));
    }

    /// What is typed as it stands.
    pub(super) fn command(&self, line: &str) {
        self.advice(&format!("  $ {}", wrapped_command(line, columns(), "  $ ".len())));
    }

    /// What is for a person's eyes whatever the format: how to go on.
    pub(super) fn advice(&self, text: &str) {
        if self.json { write_line(std::io::stderr(), text) } else { write_line(std::io::stdout(), text) }
    }

    pub(super) fn bold(&self, text: &str) -> String {
        self.paint(BOLD, text)
    }

    fn story(&self, text: &str) {
        if !self.json {
            write_line(std::io::stdout(), text);
        }
    }

    fn paint(&self, colour: &str, text: &str) -> String {
        if self.colour { format!("{colour}{text}{RESET}") } else { text.to_owned() }
    }
}

/// A record in one line for a person.
fn in_words(recorded: &Recorded) -> String {
    match recorded.of() {
        Of::Login => login_in_words(recorded),
        Of::Act => act_in_words(recorded),
        Of::Amendment => amendment_in_words(recorded),
    }
}

/// More of a login that is told above.
fn amendment_in_words(recorded: &Recorded) -> String {
    let which = format!("{} at {}", recorded.text("user"), recorded.text("client"));
    match recorded.times() {
        Some(times) => format!("{which}, refused above ({}): {times} times in a minute", recorded.text("reason")),
        None => format!("{which}, told above: refused after all ({})", recorded.text("reason")),
    }
}

/// What somebody did is no login: who, what, to whom, and why.
fn act_in_words(recorded: &Recorded) -> String {
    let what = recorded.text("act").replace('_', " ");
    let words = format!("{} ({}): {what}, on {}", recorded.text("by"), recorded.text("role"), recorded.text("user"));
    match recorded.text("reason") {
        "" => words,
        reason => format!("{words}: {reason}"),
    }
}

fn login_in_words(recorded: &Recorded) -> String {
    let or_dash = |field| match recorded.text(field) {
        "" => "–",
        text => text,
    };
    let seconds = |part| format!("{:.2} s", std::time::Duration::from_millis(recorded.waited_ms(part)).as_secs_f64());
    format!(
        "rule {} · primary {} · factor {} · {}: {} · waited {} (primary {}, factor {})",
        or_dash("rule"),
        or_dash("primary"),
        or_dash("factor"),
        or_dash("answer"),
        or_dash("reason"),
        seconds("total"),
        seconds("primary"),
        seconds("factor"),
    )
}

fn write_line(mut out: impl Write, text: &str) {
    let _ = writeln!(out, "{text}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_told_in_one_line_and_what_it_lacks_is_a_dash() {
        let record = serde_json::json!({"login": "01", "rule": "staff", "primary": null, "answer": "reject", "reason": "state_other",
            "waited_ms": {"total": 1234, "primary": 0, "factor": 0}});
        let words = in_words(&Recorded { seq: 1, record });
        assert!(
            words.starts_with("rule staff · primary – · factor – · reject: state_other · waited 1.23 s"),
            "{words}"
        );
    }

    #[test]
    fn what_somebody_did_is_not_told_as_a_login() {
        let record =
            serde_json::json!({"act": "reset_pin", "by": "grace", "role": "admin", "user": "carol", "reason": "lost"});
        assert_eq!(in_words(&Recorded { seq: 1, record }), "grace (admin): reset pin, on carol: lost");
    }

    #[test]
    fn more_of_a_login_is_not_told_as_another() {
        let record = serde_json::json!({"amends": 7, "login": "01", "client": "vpn", "user": "carol", "reason": "primary",
            "times": 3, "waited_ms": {"total": 1, "primary": 0, "factor": 0}});
        let words = in_words(&Recorded { seq: 9, record });
        assert_eq!(words, "carol at vpn, refused above (primary): 3 times in a minute");
        let record =
            serde_json::json!({"amends": 7, "login": "01", "client": "vpn", "user": "carol", "reason": "changed"});
        assert_eq!(in_words(&Recorded { seq: 9, record }), "carol at vpn, told above: refused after all (changed)");
    }
}
