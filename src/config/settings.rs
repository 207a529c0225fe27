//! Every key in force: its value as one would write it, and where that value is from.
//!
//! Two configurations are compared here, key by key, for the reload's log and for `diff`. A secret is compared
//! in constant time and shown only as the file it was read from.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use wire::Secret;

use super::Config;

/// The keys in force, by their dotted path: `client.hq-asa.gives_up_after`.
#[derive(Clone, Debug, Default)]
pub struct Settings(BTreeMap<String, Setting>);

/// One key in force.
#[derive(Clone, Debug)]
pub struct Setting {
    /// The value as TOML writes it; a secret shows only where it was read.
    pub shown: Arc<str>,
    /// Where the value is from.
    pub origin: Origin,
    /// What a secret is, so that a new one in the same file is noticed; never printed.
    secret: Option<Secret>,
}

/// Where a value is from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// This place in a file.
    File {
        /// The file as it was named.
        file: Arc<str>,
        /// From 1.
        line: usize,
        /// From 1, in characters.
        column: usize,
    },
    /// This environment variable.
    Environment(Arc<str>),
    /// Nobody said it.
    Default,
}

/// One key that differs between two configurations.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// The key's dotted path.
    pub key: String,
    /// What it was; `None`: it was not there.
    pub was: Option<Arc<str>>,
    /// What it is; `None`: it is gone.
    pub now: Option<Arc<str>>,
}

impl Config {
    /// What differs, key by key in alphabetical order; never a secret's value.
    #[must_use]
    pub fn differences(old: &Self, new: &Self) -> Vec<Change> {
        old.settings.differences(&new.settings)
    }
}

impl Settings {
    /// All keys in force, in alphabetical order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Setting)> {
        self.0.iter().map(|(key, setting)| (key.as_str(), setting))
    }

    /// One key by its dotted path.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Setting> {
        self.0.get(key)
    }

    /// Nobody wrote this key, nor one beneath it: what stands there is ours.
    #[must_use]
    pub fn nobody_wrote(&self, key: &str) -> bool {
        let beneath =
            |other: &str| other.strip_prefix(key).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'));
        self.0.iter().filter(|(other, _)| beneath(other)).all(|(_, setting)| setting.origin == Origin::Default)
    }

    pub(super) fn insert(&mut self, key: String, shown: impl Into<Arc<str>>, origin: Origin) {
        self.0.insert(key, Setting { shown: shown.into(), origin, secret: None });
    }

    pub(super) fn insert_secret(&mut self, key: String, secret: Secret, file: &str, origin: Origin) {
        self.0.insert(key, Setting { shown: format!("(from {file})").into(), origin, secret: Some(secret) });
    }

    fn differences(&self, new: &Self) -> Vec<Change> {
        let gone = self
            .0
            .iter()
            .filter(|(key, _)| !new.0.contains_key(*key))
            .map(|(key, old)| Change::of(key, Some(old), None));
        let rest = new.0.iter().filter_map(|(key, now)| match self.0.get(key) {
            Some(old) if old.same_value(now) => None,
            old => Some(Change::of(key, old, Some(now))),
        });
        let mut changes: Vec<Change> = gone.chain(rest).collect();
        changes.sort_by(|a, b| a.key.cmp(&b.key));
        changes
    }
}

impl Setting {
    fn same_value(&self, other: &Self) -> bool {
        self.shown == other.shown && self.secret == other.secret
    }
}

impl Change {
    fn of(key: &str, was: Option<&Setting>, now: Option<&Setting>) -> Self {
        let shown = |setting: &Setting| Arc::clone(&setting.shown);
        Self { key: key.to_owned(), was: was.map(shown), now: now.map(shown) }
    }
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { key, was, now } = self;
        match (was, now) {
            (Some(was), Some(now)) if was == now => write!(f, "{key}: changed"),
            (Some(was), Some(now)) => write!(f, "{key}: {was} -> {now}"),
            (Some(was), None) => write!(f, "{key}: {was} -> (gone)"),
            (None, Some(now)) => write!(f, "{key}: (new) {now}"),
            (None, None) => write!(f, "{key}"),
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File { file, line, column } => write!(f, "{file}:{line}:{column}"),
            Self::Environment(variable) => write!(f, "environment {variable}"),
            Self::Default => f.write_str("default"),
        }
    }
}
