//! How lines look: calm and coloured for a person at a terminal, JSON for everything else.
//!
//! `VESTIBULE_LOG`, else `RUST_LOG`, chooses what is written (`info` by default). On a terminal a line is time, level, sentence
//! and what the sentence does not say; in JSON every field is there, one object a line. Both escape control characters,
//! so that nothing a peer sent can break a line.

use std::fmt;
use std::io::{self, IsTerminal};

use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::format::{FormatEvent, FormatFields, Writer};
use tracing_subscriber::fmt::time::{FormatTime, SystemTime};
use tracing_subscriber::fmt::{FmtContext, MakeWriter};
use tracing_subscriber::registry::LookupSpan;

use super::happenings::SENTENCE;

/// How lines look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogStyle {
    /// For a person, with colour.
    Coloured,
    /// For a person, without.
    Plain,
    /// One JSON object a line.
    Json,
}

impl LogStyle {
    /// Coloured where standard error is a terminal (plain under `NO_COLOR`), JSON otherwise.
    #[must_use]
    pub fn of_stderr() -> Self {
        let colourless = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        match (io::stderr().is_terminal(), colourless) {
            (true, false) => Self::Coloured,
            (true, true) => Self::Plain,
            (false, _) => Self::Json,
        }
    }
}

/// Sends this process's lines to standard error. To be called once, by `cli`; a second call changes nothing.
pub fn init(style: LogStyle) {
    // Refused only if a subscriber is set already, as in tests that share a process: then that one stays.
    let _ = tracing::subscriber::set_global_default(subscriber(style, filter(), io::stderr));
}

/// A subscriber that writes elsewhere: for tests, and for the demo's page.
pub fn subscriber<W>(style: LogStyle, filter: EnvFilter, writer: W) -> Box<dyn Subscriber + Send + Sync>
where
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(writer);
    match style {
        LogStyle::Coloured => Box::new(builder.with_ansi(true).event_format(Human).finish()),
        LogStyle::Plain => Box::new(builder.with_ansi(false).event_format(Human).finish()),
        LogStyle::Json => {
            Box::new(builder.json().flatten_event(true).with_current_span(false).with_span_list(false).finish())
        }
    }
}

fn filter() -> EnvFilter {
    let wish = std::env::var("VESTIBULE_LOG").or_else(|_| std::env::var("RUST_LOG")).unwrap_or_default();
    EnvFilter::builder().with_default_directive(Level::INFO.into()).parse_lossy(wish)
}

/// The layout for people.
struct Human;

impl<S, N> FormatEvent<S, N> for Human
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(&self, _: &FmtContext<'_, S, N>, mut writer: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let paint = Paint(writer.has_ansi_escapes());
        let metadata = event.metadata();
        let mut said = Said { only_login: metadata.target() == SENTENCE, ..Said::default() };
        event.record(&mut said);
        write!(writer, "{} ", paint.dim(&time()))?;
        write!(writer, "{} ", paint.level(*metadata.level()))?;
        writer.write_str(&said.message)?;
        if !said.fields.is_empty() {
            write!(writer, "{}", paint.dim(&said.fields))?;
        }
        writeln!(writer)
    }
}

/// `2026-12-01T13:55:04.123Z`: with its date, for a log is read days later, and its zone, which is UTC as everywhere. The
/// library reads the clock.
fn time() -> String {
    let mut text = String::new();
    // Writing to a String can't fail.
    let _ = SystemTime.format_time(&mut Writer::new(&mut text));
    text.get(..23).map_or_else(|| text.clone(), |millis| format!("{millis}Z"))
}

/// An event's message and fields, as text.
#[derive(Default)]
struct Said {
    message: String,
    fields: String,
    only_login: bool,
}

impl Visit for Said {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.take(field.name(), value);
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.take(field.name(), &format!("{value:?}"));
    }
}

impl Said {
    fn take(&mut self, name: &str, value: &str) {
        let value = one_line(value);
        if name == "message" {
            self.message = value;
        } else if !self.only_login || name == "login" {
            self.fields.push_str("  ");
            self.fields.push_str(name);
            self.fields.push('=');
            self.fields.push_str(&value);
        }
    }
}

fn one_line(text: &str) -> String {
    if !text.chars().any(char::is_control) {
        return text.to_owned();
    }
    text.chars().flat_map(|c| if c.is_control() { c.escape_default().collect::<Vec<_>>() } else { vec![c] }).collect()
}

/// Colour, or none.
struct Paint(bool);

impl Paint {
    fn dim(&self, text: &str) -> String {
        self.in_colour("2", text)
    }

    fn level(&self, level: Level) -> String {
        match level {
            Level::ERROR => self.in_colour("1;31", "error"),
            Level::WARN => self.in_colour("33", "warn "),
            Level::INFO => self.in_colour("32", "info "),
            Level::DEBUG => self.in_colour("34", "debug"),
            Level::TRACE => self.in_colour("2", "trace"),
        }
    }

    fn in_colour(&self, code: &str, text: &str) -> String {
        if self.0 { format!("\u{1b}[{code}m{text}\u{1b}[0m") } else { text.to_owned() }
    }
}
