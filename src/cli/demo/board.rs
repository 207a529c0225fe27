//! What everybody sees of the demo: hops as they happen, what rings, the VPN client's screen, the records.
//!
//! One board, two readers: the terminal is told of a hop the moment it happens, the page is woken and takes the whole
//! view. It holds the latest few hundred lines and no more. No password, code or seed is ever put on it.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use login::{DeviceId, PromptId, Reason, Wall};
use serde::Serialize;
use serde_json::Value;
use tokio::sync::watch;

use super::tell::Teller;
use crate::engine::Clock;

/// Lines that the page shows; older ones go.
const LINES_MAX: usize = 300;

/// Whose hop it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Who {
    /// An appliance and the person at it.
    Vpn,
    /// The first-factor server.
    Nps,
    /// A phone and the person who holds it.
    Phone,
}

/// How a line looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Tone {
    /// As it goes.
    Plain,
    /// A door opened.
    Good,
    /// A door stayed shut.
    Bad,
    /// Somebody must do something.
    Asking,
}

/// One thing that happened.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Line {
    /// Milliseconds since 1970.
    pub(super) at: u64,
    pub(super) who: Who,
    pub(super) tone: Tone,
    pub(super) text: String,
}

/// A record, as the store wrote it.
#[derive(Clone, Debug)]
pub(super) struct Recorded {
    pub(super) seq: u64,
    pub(super) record: Value,
}

/// What a record is of. Only the first ended a login just now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Of {
    Login,
    /// Something that somebody did.
    Act,
    /// More of a login that was written down before: how often it came again, or that its answer did not stand.
    Amendment,
}

impl Recorded {
    /// What it is of.
    pub(super) fn of(&self) -> Of {
        let has = |field| self.record.get(field).is_some();
        match (has("act"), has("amends")) {
            (true, _) => Of::Act,
            (false, true) => Of::Amendment,
            (false, false) => Of::Login,
        }
    }

    /// The sentence behind the reason why a login was refused, from the one table of them.
    pub(super) fn sentence(&self) -> Option<&'static str> {
        let refused = self.of() == Of::Login && self.text("answer") != "accept";
        Reason::of_word(self.text("reason")).filter(|_| refused).map(Reason::sentence)
    }

    /// How often a refusal came, where its record says.
    pub(super) fn times(&self) -> Option<u64> {
        self.record.get("times").and_then(Value::as_u64)
    }

    /// A field that is a text; empty where the record has none.
    pub(super) fn text(&self, field: &str) -> &str {
        self.record.get(field).and_then(Value::as_str).unwrap_or_default()
    }

    /// Milliseconds of a part of the wait: `total`, `primary`, `factor`.
    pub(super) fn waited_ms(&self, part: &str) -> u64 {
        self.record.get("waited_ms").and_then(|waited| waited.get(part)).and_then(Value::as_u64).unwrap_or_default()
    }
}

/// A prompt on a phone.
#[derive(Clone, Debug)]
pub(super) struct Ringing {
    pub(super) device: DeviceId,
    pub(super) user: String,
    pub(super) client: String,
    pub(super) station: Option<String>,
    pub(super) since: Wall,
    pub(super) ends_at: Wall,
}

/// What the VPN client's screen shows.
#[derive(Clone, Debug, Default, Serialize)]
pub(super) struct Screen {
    /// Counts logins, so that the page knows its own from the others.
    pub(super) number: u64,
    pub(super) user: String,
    pub(super) client: String,
    /// `idle`, `asking`, `challenge`, `accepted`, `rejected`, `silent`.
    pub(super) phase: &'static str,
    pub(super) message: String,
}

#[derive(Default)]
struct Inner {
    lines: VecDeque<Line>,
    records: VecDeque<Recorded>,
    ringing: BTreeMap<PromptId, Ringing>,
    screen: Screen,
}

/// The board.
pub(super) struct Board {
    inner: Mutex<Inner>,
    version: watch::Sender<u64>,
    clock: Clock,
    teller: Teller,
}

impl Board {
    pub(super) fn new(clock: Clock, teller: Teller) -> Self {
        let inner = Inner { screen: Screen { phase: "idle", ..Screen::default() }, ..Inner::default() };
        Self { inner: Mutex::new(inner), version: watch::Sender::new(1), clock, teller }
    }

    pub(super) fn teller(&self) -> &Teller {
        &self.teller
    }

    pub(super) fn now(&self) -> Wall {
        self.clock.moment().wall
    }

    /// Something happened.
    pub(super) fn hop(&self, who: Who, tone: Tone, text: impl Into<String>) {
        let line = Line { at: self.clock.moment().wall.0, who, tone, text: printable(&text.into()) };
        self.teller.hop(&line);
        self.change(|inner| push(&mut inner.lines, line));
    }

    /// A login, or what somebody did, was written down.
    pub(super) fn record(&self, recorded: Recorded) {
        self.teller.record(&recorded);
        self.change(|inner| push(&mut inner.records, recorded));
    }

    pub(super) fn rings(&self, prompt: PromptId, ringing: Ringing) {
        self.change(|inner| inner.ringing.insert(prompt, ringing));
    }

    /// The prompt is over; says whether it was there.
    pub(super) fn falls_silent(&self, prompt: PromptId) -> Option<Ringing> {
        let mut gone = None;
        self.change(|inner| gone = inner.ringing.remove(&prompt));
        gone
    }

    /// What rings on a user's phone.
    pub(super) fn ringing_of(&self, user: &str) -> Option<(PromptId, DeviceId)> {
        let inner = self.lock();
        let mut ringing = inner.ringing.iter();
        ringing.find(|(_, ringing)| ringing.user == user).map(|(prompt, ringing)| (*prompt, ringing.device.clone()))
    }

    pub(super) fn ringing(&self, prompt: PromptId) -> Option<Ringing> {
        self.lock().ringing.get(&prompt).cloned()
    }

    /// The VPN client's screen changes: a new login if `number` is none. Older logins no longer move it.
    pub(super) fn screen(&self, number: Option<u64>, screen: Screen) -> u64 {
        let mut shown = 0;
        self.change(|inner| {
            let latest = inner.screen.number;
            shown = number.unwrap_or(latest.saturating_add(1));
            if shown >= latest {
                inner.screen = Screen { number: shown, message: printable(&screen.message), ..screen };
            }
        });
        shown
    }

    /// The first record after `seq` that fits.
    pub(super) fn recorded(&self, after: u64, fits: impl Fn(&Recorded) -> bool) -> Option<Recorded> {
        self.lock().records.iter().find(|recorded| recorded.seq > after && fits(recorded)).cloned()
    }

    /// The last record's number.
    pub(super) fn last_seq(&self) -> u64 {
        self.lock().records.back().map_or(0, |recorded| recorded.seq)
    }

    /// Waits until `look` sees something.
    pub(super) async fn wait_for<T>(&self, look: impl Fn(&Self) -> Option<T>) -> T {
        let mut version = self.version.subscribe();
        loop {
            version.mark_unchanged();
            if let Some(seen) = look(self) {
                return seen;
            }
            // The sender lives as long as this board.
            let _ = version.changed().await;
        }
    }

    /// Counts the changes, from 1.
    pub(super) fn version(&self) -> u64 {
        *self.version.borrow()
    }

    /// All of it, for the page.
    pub(super) fn view(&self) -> Value {
        // Read first: a change in between is then seen by the next look.
        let version = self.version();
        let inner = self.lock();
        let ringing: Vec<Value> = inner
            .ringing
            .iter()
            .map(|(prompt, ringing)| {
                serde_json::json!({
                    "prompt": prompt.to_string(), "user": ringing.user, "client": ringing.client,
                    "station": ringing.station, "since": ringing.since.0, "ends_at": ringing.ends_at.0,
                })
            })
            .collect();
        let records: Vec<Value> = inner
            .records
            .iter()
            .map(|recorded| {
                serde_json::json!({
                    "seq": recorded.seq, "of": recorded.of(), "record": recorded.record, "sentence": recorded.sentence(),
                })
            })
            .collect();
        serde_json::json!({
            "lines": inner.lines, "records": records, "ringing": ringing, "screen": inner.screen,
            "version": version, "now": self.clock.moment().wall.0,
        })
    }

    fn change<T>(&self, change: impl FnOnce(&mut Inner) -> T) {
        change(&mut self.lock());
        self.version.send_modify(|version| *version = version.wrapping_add(1));
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn push<T>(lines: &mut VecDeque<T>, line: T) {
    if lines.len() >= LINES_MAX {
        lines.pop_front();
    }
    lines.push_back(line);
}

/// Names come from whoever types them; none may steer a terminal.
pub(super) fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '·' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_typed_steers_a_terminal() {
        assert_eq!(printable("a\x1b[2Jb\n"), "a·[2Jb·");
    }

    #[test]
    fn only_the_latest_lines_are_kept() {
        let mut lines = VecDeque::new();
        (0..LINES_MAX + 2).for_each(|number| push(&mut lines, number));
        assert_eq!((lines.len(), lines.front()), (LINES_MAX, Some(&2)));
    }
}
