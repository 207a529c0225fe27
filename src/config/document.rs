//! One TOML text: its values for figment, and the place of each key and value for the mistakes.
//!
//! All syntax errors are found in one pass. A date keeps its own shape, so that `until = "2027-01-01"`, a string, is
//! told apart from a date. Nothing here knows which keys exist.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use figment::value::{Dict, Map, Num, Tag, Value};
use figment::{Metadata, Profile, Provider};
use toml::Spanned;
use toml::de::{DeArray, DeTable, DeValue};

use super::finding::{Finding, Place, Severity, Source};
use super::slips;

/// The path of a value: keys, and the numbers of array elements.
pub(super) type KeyPath = Vec<String>;

/// The one key of the table that stands for a date; TOML's own private name would do as well.
pub(super) const DATE: &str = "$date";

/// A parsed file.
#[derive(Debug)]
pub(super) struct Document {
    /// Its name and text.
    pub(super) source: Arc<Source>,
    /// Where its relative paths begin.
    pub(super) directory: PathBuf,
    /// Its values.
    pub(super) values: Dict,
    places: BTreeMap<KeyPath, Spans>,
}

/// Where one value stands.
#[derive(Clone, Debug)]
pub(super) struct Spans {
    /// Its key, or the element itself in an array.
    pub(super) key: Range<usize>,
    /// The value; of a `[table]` its header.
    pub(super) value: Range<usize>,
}

impl Document {
    /// Parses a text; the findings are its syntax errors.
    pub(super) fn parse(name: &str, directory: &Path, text: &str) -> (Self, Vec<Finding>) {
        let source = Arc::new(Source::new(name, masked(text)));
        let mut reader = Reader { source: Arc::clone(&source), places: BTreeMap::new(), findings: Vec::new() };
        let (table, errors) = DeTable::parse_recoverable(text);
        let values = reader.table(&mut Vec::new(), table.get_ref());
        let mut findings = reader.findings;
        let document = Self { source, directory: directory.to_owned(), values, places: reader.places };
        let mut told = BTreeSet::new();
        for error in &errors {
            match document.slip(error) {
                // One slip makes a parser stumble more than once.
                Some((line, slip)) => findings.extend(told.insert(line).then_some(slip)),
                None => findings.push(document.syntax(error)),
            }
        }
        // One pair of brackets, more than once: that is told where rules are read, and not once for each key of theirs.
        if findings.iter().any(|found| found.message == SAID_TWICE && found.help.is_some()) {
            findings.retain(|found| found.message != SAID_TWICE);
        }
        (document, findings)
    }

    /// Where the value of this path stands, if it is in this file.
    pub(super) fn spans(&self, path: &[String]) -> Option<&Spans> {
        self.places.get(path)
    }

    /// The value of this path as a place; the top of the file, if it is not there.
    pub(super) fn place_of(&self, path: &[&str]) -> Place {
        let path: KeyPath = path.iter().map(|key| (*key).to_owned()).collect();
        self.place(self.spans(&path).map_or(0..0, |spans| spans.value.clone()))
    }

    /// Where its line begins, and what that shows, in our words.
    fn slip(&self, error: &toml::de::Error) -> Option<(usize, Finding)> {
        let text = &self.source.text;
        let at = error.span().filter(|_| error.message() != DUPLICATE)?.start.min(text.len());
        let begins = text.get(..at)?.rfind('\n').map_or(0, |end| end + 1);
        let line = text.get(begins..)?.lines().next()?;
        let slip = slips::slip(line)?;
        let finding = Finding {
            severity: Severity::Error,
            place: self.place(begins + slip.span.start..begins + slip.span.end),
            message: slip.message.to_owned(),
            label: slip.label.to_owned(),
            other: None,
            help: Some(slip.help),
        };
        Some((begins, finding))
    }

    fn syntax(&self, error: &toml::de::Error) -> Finding {
        let span = error.span().unwrap_or(0..0);
        let twice = error.message() == DUPLICATE;
        let (message, label) = if twice { (SAID_TWICE, "again") } else { ("this is not TOML", error.message()) };
        Finding {
            severity: Severity::Error,
            other: self.first_said(&span).filter(|_| twice).map(|first| (self.place(first), "first here".to_owned())),
            help: (twice && self.is_rule(&span)).then(|| RULE_BRACKETS.to_owned()),
            place: self.place(span),
            message: message.to_owned(),
            label: label.to_owned(),
        }
    }

    /// `[rule]`, which TOML takes once.
    fn is_rule(&self, span: &Range<usize>) -> bool {
        let text = &self.source.text;
        let begins = text.get(..span.start).and_then(|before| before.rfind('\n')).map_or(0, |end| end + 1);
        text.get(begins..).is_some_and(|line| line.trim_start().starts_with("[rule]"))
    }

    /// Where a key that is said again at `span` was said first: a table by its whole header, another key by its name.
    fn first_said(&self, span: &Range<usize>) -> Option<Range<usize>> {
        let name = self.source.text.get(span.clone())?;
        let line = self.source.text.get(..span.start)?.rfind('\n').map_or(0, |end| end + 1);
        let header = self.source.text.get(line..)?.lines().next()?.trim().strip_prefix('[');
        let path = header.map(|header| header.split(']').next().unwrap_or_default().split('.').map(str::trim));
        let path: Option<KeyPath> = path.map(|keys| keys.map(|key| key.trim_matches('"').to_owned()).collect());
        let is_it = |key: &KeyPath| match &path {
            Some(path) => key == path,
            None => key.last().is_some_and(|last| last == name),
        };
        let earlier = self.places.iter().filter(|(key, _)| is_it(key)).map(|(_, spans)| &spans.key);
        earlier.filter(|first| first.start < span.start).max_by_key(|first| first.start).cloned()
    }

    /// Octets of the text as a place.
    pub(super) fn place(&self, span: Range<usize>) -> Place {
        Place::File { source: Arc::clone(&self.source), span }
    }
}

impl Provider for &Document {
    fn metadata(&self) -> Metadata {
        Metadata::named(self.source.name.to_string())
    }

    fn data(&self) -> Result<Map<Profile, Dict>, figment::Error> {
        Ok(Map::from([(Profile::Default, self.values.clone())]))
    }
}

/// The text as mistakes may draw it. Secrets stand in files of their own; where somebody writes one here nevertheless,
/// the mistake that says so must not show it (rules F1). Octet for octet as long as the original.
fn masked(text: &str) -> String {
    text.split_inclusive('\n')
        .map(|line| secret_at(line).map_or_else(|| line.to_owned(), |at| hidden_from(line, at)))
        .collect()
}

fn secret_at(line: &str) -> Option<usize> {
    let user = line.find("://").map(|at| at + 3).filter(|at| line.get(*at..).is_some_and(|rest| rest.contains('@')));
    let lower = line.to_ascii_lowercase();
    let ends = SECRET_WORDS.iter().flat_map(|word| lower.match_indices(word).map(|(at, word)| at + word.len()));
    ends.filter_map(|end| value_at(line, end)).chain(user).min()
}

/// Where a value begins, if the word ends a key, or a part of a dotted one.
fn value_at(line: &str, end: usize) -> Option<usize> {
    let rest = line.get(end..)?;
    let after = rest.trim_start_matches(['"', '\'', ' ', '\t']);
    let equals = rest.find('=')?;
    after.starts_with(['=', '.']).then_some(end + equals + 1)
}

fn hidden_from(line: &str, at: usize) -> String {
    let (shown, hidden) = line.split_at(at);
    let stars = hidden.bytes().map(|octet| if matches!(octet, b'\r' | b'\n') { char::from(octet) } else { '*' });
    shown.chars().chain(stars).collect()
}

/// A key that ends so is a secret itself; `secret_file` does not.
const SECRET_WORDS: [&str; 4] = ["secret", "password", "passwd", "passphrase"];

/// Each rule is an element of a list.
pub(super) const RULE_BRACKETS: &str = "each rule begins with [[rule]], in two pairs of brackets";
/// What the parser calls it.
const DUPLICATE: &str = "duplicate key";
/// What we call it. The rest of such a file can be judged all the same.
pub(super) const SAID_TWICE: &str = "this is said twice";

struct Reader {
    source: Arc<Source>,
    places: BTreeMap<KeyPath, Spans>,
    findings: Vec<Finding>,
}

impl Reader {
    fn table(&mut self, path: &mut KeyPath, table: &DeTable<'_>) -> Dict {
        let mut dict = Dict::new();
        for (key, value) in table {
            path.push(key.get_ref().to_string());
            let converted = self.value(path, key.span(), value);
            path.pop();
            dict.insert(key.get_ref().to_string(), converted);
        }
        dict
    }

    fn array(&mut self, path: &mut KeyPath, array: &DeArray<'_>) -> Vec<Value> {
        let mut values = Vec::with_capacity(array.len());
        for (number, value) in array.iter().enumerate() {
            path.push(number.to_string());
            values.push(self.value(path, value.span(), value));
            path.pop();
        }
        values
    }

    fn value(&mut self, path: &mut KeyPath, key: Range<usize>, value: &Spanned<DeValue<'_>>) -> Value {
        self.places.insert(path.clone(), Spans { key, value: value.span() });
        match value.get_ref() {
            DeValue::String(text) => Value::from(text.to_string()),
            DeValue::Integer(integer) => self.integer(integer, value.span()),
            DeValue::Float(float) => Value::from(float.as_str().parse::<f64>().unwrap_or(f64::NAN)),
            DeValue::Boolean(flag) => Value::from(*flag),
            DeValue::Datetime(date) => {
                Value::Dict(Tag::Default, Dict::from([(DATE.to_owned(), Value::from(date.to_string()))]))
            }
            DeValue::Array(array) => Value::Array(Tag::Default, self.array(path, array)),
            DeValue::Table(table) => Value::Dict(Tag::Default, self.table(path, table)),
        }
    }

    fn integer(&mut self, integer: &toml::de::DeInteger<'_>, span: Range<usize>) -> Value {
        let number = i64::from_str_radix(integer.as_str(), integer.radix()).unwrap_or_else(|_| {
            self.findings.push(Finding {
                severity: Severity::Error,
                place: Place::File { source: Arc::clone(&self.source), span },
                message: "this number is too large".to_owned(),
                label: "more than 64 bits".to_owned(),
                other: None,
                help: None,
            });
            0
        });
        Value::Num(Tag::Default, Num::I64(number))
    }
}
