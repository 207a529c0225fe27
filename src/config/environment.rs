//! The environment's part: `VESTIBULE__SECTION__KEY=value`, single values only.
//!
//! The text of a variable stays text until the key that reads it says what it must be: an environment that guesses
//! would turn the password-like name `0123` into the number 123. Rules and includes are not to be had here: rules
//! stand in the main file only (rules G2).

use std::collections::BTreeMap;
use std::sync::Arc;

use figment::value::{Dict, Map, Tag, Value};
use figment::{Metadata, Profile, Provider};

use super::document::KeyPath;
use super::finding::{Finding, Place, Severity};

/// What every variable of ours begins with.
pub const PREFIX: &str = "VESTIBULE__";

/// The name by which figment remembers the environment.
pub(super) const ORIGIN: &str = "environment";

/// The variables that set something.
#[derive(Debug, Default)]
pub(super) struct Environment {
    values: Dict,
    variables: BTreeMap<KeyPath, Arc<str>>,
}

impl Environment {
    /// Sorts out our variables among all; the findings are those that can't be meant.
    pub(super) fn read(variables: impl IntoIterator<Item = (String, String)>) -> (Self, Vec<Finding>) {
        let mut environment = Self::default();
        let mut findings = Vec::new();
        for (variable, value) in variables {
            let Some(rest) = variable.strip_prefix(PREFIX) else { continue };
            if let Err(help) = environment.insert(&variable, path_of(rest), value) {
                findings.push(refused(&variable, help));
            }
        }
        (environment, findings)
    }

    /// The variable that set this path, or something below it.
    pub(super) fn variable(&self, path: &[String]) -> Option<&Arc<str>> {
        let below = self.variables.range(path.to_vec()..).next();
        below.filter(|(set, _)| set.starts_with(path)).map(|(_, variable)| variable)
    }

    fn insert(&mut self, variable: &str, path: KeyPath, value: String) -> Result<(), &'static str> {
        let (Some((key, parents)), Some(first)) = (path.split_last(), path.first()) else { return Err(FORM) };
        if parents.is_empty() || path.iter().any(String::is_empty) {
            return Err(FORM);
        }
        if first == "rule" || first == "include" {
            return Err("rules and includes stand in the main file only");
        }
        let mut table = &mut self.values;
        for parent in parents {
            let entry = table.entry(parent.clone()).or_insert_with(|| Value::Dict(Tag::Default, Dict::new()));
            let Value::Dict(_, inner) = entry else {
                return Err("another variable sets this whole table as one value");
            };
            table = inner;
        }
        table.insert(key.clone(), Value::from(value));
        self.variables.insert(path, variable.into());
        Ok(())
    }
}

impl Provider for &Environment {
    fn metadata(&self) -> Metadata {
        Metadata::named(ORIGIN)
    }

    fn data(&self) -> Result<Map<Profile, Dict>, figment::Error> {
        Ok(Map::from([(Profile::Default, self.values.clone())]))
    }
}

const FORM: &str = "the form is VESTIBULE__SECTION__KEY, as in VESTIBULE__METRICS__LISTEN";

/// Names have `-` and no `_`, variables the other way round: in the place of a name `_` means `-`.
fn path_of(rest: &str) -> KeyPath {
    let mut path: KeyPath = rest.split("__").map(str::to_lowercase).collect();
    let named = matches!(path.first().map(String::as_str), Some("client" | "primary"));
    if let (true, Some(name)) = (named, path.get_mut(1)) {
        *name = name.replace('_', "-");
    }
    path
}

fn refused(variable: &str, help: &str) -> Finding {
    Finding {
        severity: Severity::Error,
        place: Place::Environment(variable.into()),
        message: "this variable sets nothing".to_owned(),
        label: String::new(),
        other: None,
        help: Some(help.to_owned()),
    }
}
