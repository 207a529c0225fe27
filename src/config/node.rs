//! A value under the reader's finger: what it is, where it stands, and how to say that it is wrong.
//!
//! Every method that reads a value either returns what it says or writes down why it can't, and the reader goes on to
//! the next key: so all mistakes are told at once.

use std::time::Duration;

use figment::value::{Dict, Num, Value};

use super::book::Book;
use super::document::{DATE, KeyPath};
use super::finding::{Finding, Place, Severity};
use super::nearest::{listed, nearest, one_of, suggestion};
use super::settings::Origin;
use super::values;

/// A value and its place.
#[derive(Clone)]
pub(super) struct Node<'a> {
    pub(super) book: &'a Book<'a>,
    pub(super) path: KeyPath,
    /// Its key as messages say it; of an array's element, the array's.
    pub(super) key: String,
    /// Its dotted path as `show` says it: rules by their names.
    shown_as: String,
    pub(super) value: &'a Value,
}

/// A table whose keys are known.
#[derive(Clone)]
pub(super) struct Table<'a> {
    pub(super) node: Node<'a>,
    dict: &'a Dict,
    /// As messages call it: `[client.NAME]`.
    title: String,
    /// Keys that the unknown ones seem to mean: they are not missing beside.
    misspelt: Vec<&'static str>,
}

impl<'a> Node<'a> {
    /// The whole configuration.
    pub(super) fn root(book: &'a Book<'a>) -> Self {
        Self { book, path: Vec::new(), key: String::new(), shown_as: String::new(), value: book.root() }
    }

    /// A table of these keys and no others; `title` is how messages call it.
    pub(super) fn table(&self, title: &str, allowed: &[&'static str]) -> Option<Table<'a>> {
        let mut table = self.open(title)?;
        for (key, value) in table.dict.iter().filter(|(key, _)| !allowed.contains(&key.as_str())) {
            table.child(key, value).unknown_key(title, allowed);
            table.misspelt.extend(nearest(key, allowed.iter().copied()));
        }
        Some(table)
    }

    /// A table whose keys are the site's own names.
    pub(super) fn open(&self, title: &str) -> Option<Table<'a>> {
        let Some(dict) = self.value.as_dict().filter(|dict| !dict.contains_key(DATE)) else {
            return self.expected("a table", None);
        };
        Some(Table { node: self.clone(), dict, title: title.to_owned(), misspelt: Vec::new() })
    }

    /// A string.
    pub(super) fn text(&self) -> Option<&'a str> {
        self.text_of("a string", "")
    }

    /// A string that holds something; `what` and `help` say what, where it is none.
    pub(super) fn text_of(&self, what: &str, help: &str) -> Option<&'a str> {
        match self.value.as_str() {
            Some(text) => Some(text),
            None => self.expected(what, Some(help.to_owned()).filter(|help| !help.is_empty())),
        }
    }

    /// `true` or `false`.
    pub(super) fn flag(&self) -> Option<bool> {
        let said = match self.variable() {
            Some(text) => text.parse().ok(),
            None => self.value.to_bool(),
        };
        if said.is_some() { said } else { self.expected("true or false", None) }
    }

    /// A whole number from `least` to `most`.
    pub(super) fn number(&self, least: u64, most: u64) -> Option<u64> {
        let number = match (self.variable(), self.value) {
            (Some(text), _) => text.parse().ok(),
            (None, Value::Num(_, Num::I64(number))) => u64::try_from(*number).ok(),
            (None, _) => return self.expected("a whole number", Some(format!("from {least} to {most}"))),
        };
        match number.filter(|number| (least..=most).contains(number)) {
            Some(number) => Some(number),
            None => self.expected(&format!("a number from {least} to {most}"), None),
        }
    }

    /// A duration from `least` to `most`: a string with its unit.
    pub(super) fn duration(&self, least: Duration, most: Duration) -> Option<Duration> {
        let units = "a whole number and its unit: ms, s, m, h or d, as in \"30s\"";
        if let Value::Num(_, Num::I64(number)) = self.value {
            return self.expected("a duration", Some(format!("write {units}; did you mean \"{number}s\"?")));
        }
        let Some(duration) = self.value.as_str().and_then(values::duration) else {
            return self.expected("a duration", Some(format!("write {units}")));
        };
        if (least..=most).contains(&duration) {
            return Some(duration);
        }
        self.expected(&format!("from {} to {}", values::spelt(least), values::spelt(most)), None)
    }

    /// One of these words.
    pub(super) fn one_of<T: Copy>(&self, words: &[(&str, T)]) -> Option<T> {
        let names: Vec<&str> = words.iter().map(|(name, _)| *name).collect();
        let text = self.text_of(&one_of(&names), "")?;
        match words.iter().find(|(name, _)| *name == text) {
            Some((_, meaning)) => Some(*meaning),
            None => {
                self.expected(&one_of(&names), nearest(text, names).map(|near| format!("did you mean \"{near}\"?")))
            }
        }
    }

    /// The date of a TOML date without a time.
    pub(super) fn date(&self) -> Option<&'a str> {
        let help = || {
            Some(
                "a day without quotes and without a time, as in 2027-01-01; it ends at 00:00 UTC of that day"
                    .to_owned(),
            )
        };
        match self.value.as_dict().and_then(|dict| dict.get(DATE)).and_then(Value::as_str) {
            Some(date) => Some(date),
            None => self.expected("a date", help()),
        }
    }

    /// The elements of an array, or the one value that stands for an array of one. An empty array says nothing: a mistake.
    pub(super) fn one_or_more(&self) -> Option<Vec<Self>> {
        let Value::Array(_, values) = self.value else { return Some(vec![self.clone()]) };
        if values.is_empty() {
            return self.refuse(&format!("`{}` is empty", self.key), "names nothing", None);
        }
        Some(values.iter().enumerate().map(|(number, value)| self.element(number, value)).collect())
    }

    /// The elements of an array, or the one value that stands for an array of one; none are as good as some.
    pub(super) fn any_number(&self) -> Option<Vec<Self>> {
        let is_empty = self.value.as_array().is_some_and(<[Value]>::is_empty);
        if is_empty { Some(Vec::new()) } else { self.one_or_more() }
    }

    /// A table whose keys somebody else judges.
    pub(super) fn opened(&self) -> Option<Table<'a>> {
        self.value.as_dict().and_then(|_| self.open(""))
    }

    /// The elements of an array.
    pub(super) fn array(&self) -> Option<Vec<Self>> {
        let is_array = matches!(self.value, Value::Array(..));
        if is_array { self.one_or_more() } else { self.expected("an array", None) }
    }

    /// Writes down what is in force here: for the parts of an array that holds tables too.
    pub(super) fn list(&self) {
        if !values::holds_tables(self.value) {
            let mut settings = self.book.settings();
            settings.insert(self.shown_as.clone(), values::shown(self.value), self.origin());
        }
    }

    /// The same node under another dotted path: a rule by its name.
    pub(super) fn shown_as(mut self, name: String) -> Self {
        self.shown_as = name;
        self
    }

    /// The dotted path as `show` says it.
    pub(super) fn shown_path(&self) -> &str {
        &self.shown_as
    }

    /// The text of the environment's variable, if it is from there.
    pub(super) fn variable(&self) -> Option<&'a str> {
        self.value.as_str().filter(|_| self.book.is_environment(self.value))
    }

    /// Where the value stands.
    pub(super) fn place(&self) -> Place {
        self.book.place(&self.path, self.value)
    }

    /// Where its key stands.
    pub(super) fn key_place(&self) -> Place {
        self.book.key_place(&self.path, self.value)
    }

    /// Where it is from.
    pub(super) fn origin(&self) -> Origin {
        self.book.origin(&self.path, self.value)
    }

    /// What was found, in words.
    pub(super) fn found(&self) -> String {
        format!("found {}", values::described(self.value))
    }

    /// Writes down that it must be something else.
    pub(super) fn expected<T>(&self, what: &str, help: Option<String>) -> Option<T> {
        self.refuse(&format!("`{}` must be {what}", self.key), &self.found(), help)
    }

    /// Writes a mistake down at the value.
    pub(super) fn refuse<T>(&self, message: &str, label: &str, help: Option<String>) -> Option<T> {
        self.book.note(finding(Severity::Error, self.place(), message, label, help));
        None
    }

    /// Writes a mistake down at the key.
    pub(super) fn refuse_key<T>(&self, message: &str, label: &str, help: Option<String>) -> Option<T> {
        self.book.note(finding(Severity::Error, self.key_place(), message, label, help));
        None
    }

    /// Writes a warning down at the value.
    pub(super) fn warn(&self, message: &str, label: &str, help: Option<String>) {
        self.book.note(finding(Severity::Warning, self.place(), message, label, help));
    }

    /// Writes a mistake down at the value, beside another value that it can't stand with.
    pub(super) fn refuse_beside<T>(&self, message: &str, label: &str, other: &Self, why: &str) -> Option<T> {
        let mut found = finding(Severity::Error, self.place(), message, label, None);
        found.other = Some((other.place(), why.to_owned()));
        self.book.note(found);
        None
    }

    /// Writes a mistake down at the value, with another place and what to do.
    pub(super) fn refuse_at(&self, message: &str, label: &str, other: (Place, String), help: &str) {
        let mut found = finding(Severity::Error, self.place(), message, label, Some(help.to_owned()));
        found.other = Some(other);
        self.book.note(found);
    }

    /// A warning at the value, or at the key.
    pub(super) fn warn_here(&self, at_value: bool, message: &str, label: &str, help: &str) {
        let place = if at_value { self.place() } else { self.key_place() };
        self.book.note(finding(Severity::Warning, place, message, label, Some(help.to_owned())));
    }

    fn unknown_key(&self, title: &str, allowed: &[&str]) {
        let help = suggestion(&self.key, allowed, &format!("allowed: {}", listed(allowed)));
        let label = if title.is_empty() { "no such section".to_owned() } else { format!("not a key of {title}") };
        self.refuse_key::<()>(&format!("unknown key `{}`", self.key), &label, Some(help));
    }

    fn element(&self, number: usize, value: &'a Value) -> Self {
        let mut path = self.path.clone();
        path.push(number.to_string());
        Self { book: self.book, path, key: self.key.clone(), shown_as: format!("{}[{number}]", self.shown_as), value }
    }
}

impl<'a> Table<'a> {
    /// The value of a key, if it is there; what is in force is written down for `show`.
    pub(super) fn get(&self, key: &str) -> Option<Node<'a>> {
        let node = self.get_quietly(key)?;
        node.list();
        Some(node)
    }

    /// The value of a key, if it is there, without a line for `show`: its parts have their own.
    pub(super) fn get_quietly(&self, key: &str) -> Option<Node<'a>> {
        self.dict.get(key).map(|value| self.child(key, value))
    }

    /// The value of a key that must be there.
    pub(super) fn require(&self, key: &str, help: &str) -> Option<Node<'a>> {
        match self.get(key) {
            Some(node) => Some(node),
            None if self.misspelt.contains(&key) => None,
            None => self.node.refuse_key(
                &format!("`{key}` is missing"),
                &format!("{} needs it", self.title),
                Some(help.to_owned()),
            ),
        }
    }

    /// All entries, in the order of their keys.
    pub(super) fn entries(&self) -> impl Iterator<Item = Node<'a>> {
        self.dict.iter().map(|(key, value)| self.child(key, value))
    }

    /// Its keys.
    pub(super) fn keys(&self) -> impl Iterator<Item = &'a str> {
        self.dict.keys().map(String::as_str)
    }

    /// How messages call it.
    pub(super) fn title(&self) -> &str {
        &self.title
    }

    fn child(&self, key: &str, value: &'a Value) -> Node<'a> {
        let mut path = self.node.path.clone();
        path.push(key.to_owned());
        let above = &self.node.shown_as;
        let shown_as = if above.is_empty() { key.to_owned() } else { format!("{above}.{key}") };
        Node { book: self.node.book, path, key: key.to_owned(), shown_as, value }
    }
}

/// A finding without a second place.
pub(super) fn finding(severity: Severity, place: Place, message: &str, label: &str, help: Option<String>) -> Finding {
    Finding { severity, place, message: message.to_owned(), label: label.to_owned(), other: None, help }
}
