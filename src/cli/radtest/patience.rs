//! What may be going on while no answer comes, and how much of the time is gone.
//!
//! On a terminal one line counts; elsewhere a line is written when there is something new to say. Never on standard output,
//! which is for the result.

use std::io::{self, IsTerminal, Write};
use std::time::Duration;

use super::super::out;

/// Who waits, and what they heard last.
pub(super) struct Patience {
    timeout_s: u64,
    is_counting: bool,
    is_silent: bool,
    last: Option<&'static str>,
    has_counted: bool,
}

impl Patience {
    pub(super) fn new(timeout: Duration, is_json: bool) -> Self {
        let is_counting = io::stderr().is_terminal();
        Self { timeout_s: timeout.as_secs(), is_counting, is_silent: is_json, last: None, has_counted: false }
    }

    /// So long was waited; so often the packet was sent.
    pub(super) fn tell(&mut self, after: Duration, sent: u32) {
        let Some(guess) = guess(after).filter(|_| !self.is_silent) else { return };
        let line = line(after, self.timeout_s, sent, guess);
        if self.is_counting {
            let _ = write!(io::stderr().lock(), "\r\u{1b}[K    {line}");
            let _ = io::stderr().lock().flush();
            self.has_counted = true;
        } else if self.last != Some(guess) {
            out::note(format!("    {line}"));
        }
        self.last = Some(guess);
    }

    /// Takes the counting line away.
    pub(super) fn end(&mut self) {
        if std::mem::take(&mut self.has_counted) {
            let _ = write!(io::stderr().lock(), "\r\u{1b}[K");
        }
    }
}

fn line(after: Duration, timeout_s: u64, sent: u32, guess: &str) -> String {
    let again = if sent > 1 { format!(", sent {sent} times") } else { String::new() };
    format!("{} s of {timeout_s} s{again}: {guess}", after.as_secs())
}

/// What is likely after so long. A refusal waits a second or so, and a held login says nothing until it is answered.
fn guess(after: Duration) -> Option<&'static str> {
    match after.as_secs() {
        0..2 => None,
        2..10 => Some("no answer yet; a phone may be ringing, or the first-factor server is slow"),
        10..20 => Some("no answer yet; if no phone rings, the packet may have been dropped: the server's log says so"),
        _ => Some(
            "still no answer; a held login answers when the phone does, a dropped packet never: see the server's log",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_waits_hears_how_long_and_what_it_may_be() {
        assert_eq!(guess(Duration::from_millis(1900)), None, "most answers are there by then");
        let at = |s| {
            line(Duration::from_secs(s), 60, 1 + u32::try_from(s / 5).unwrap(), guess(Duration::from_secs(s)).unwrap())
        };
        assert!(at(2).starts_with("2 s of 60 s: no answer yet; a phone may be ringing"), "{}", at(2));
        assert!(at(12).starts_with("12 s of 60 s, sent 3 times: ") && at(12).contains("dropped"), "{}", at(12));
        assert!(at(40).contains("still"), "{}", at(40));
    }
}
