//! All that was read, merged: defaults, files, environment; and the list that every mistake goes to.
//!
//! figment merges and remembers by a tag where each value is from; the documents know the octets. A reader asks the
//! book for a place and never counts lines itself.

use std::cell::RefCell;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use figment::value::{Dict, Map, Value};
use figment::{Figment, Metadata, Profile, Provider};

use super::document::{Document, Spans};
use super::environment::{Environment, ORIGIN};
use super::files::Files;
use super::finding::{Finding, Mistakes, Place, Severity};
use super::settings::{Origin, Settings};

/// The text of what nobody says otherwise.
const DEFAULTS: &str = include_str!("defaults.toml");
/// Its name as figment remembers it.
const DEFAULT: &str = "default";
/// Sections whose tables the site names; each has its defaults under `"*"`.
const NAMED: [&str; 2] = ["client", "primary"];

/// Sections that are off until the site names them, or this key of theirs: their defaults, under `"*"` too, hold only then,
/// so that `show` lists nothing that is not served.
const OPTIONAL: [(&str, &str); 3] = [("portal", "portal.url"), ("admin", "admin"), ("mail", "mail")];

/// All that was read.
pub(super) struct Book<'a> {
    pub(super) files: &'a dyn Files,
    /// The main file first.
    documents: Vec<Document>,
    environment: Environment,
    figment: Figment,
    merged: Value,
    findings: RefCell<Vec<Finding>>,
    settings: RefCell<Settings>,
}

impl<'a> Book<'a> {
    /// Merges what was read. The findings so far are kept.
    pub(super) fn merge(
        files: &'a dyn Files,
        documents: Vec<Document>,
        environment: Environment,
        findings: Vec<Finding>,
    ) -> Result<Self, Mistakes> {
        let (figment, merged) = merged(&documents, &environment).map_err(|error| unmerged(&error))?;
        let settings = RefCell::default();
        Ok(Self { files, documents, environment, figment, merged, findings: RefCell::new(findings), settings })
    }

    /// The merged values, from the top.
    pub(super) fn root(&self) -> &Value {
        &self.merged
    }

    /// Writes a finding down.
    pub(super) fn note(&self, finding: Finding) {
        self.findings.borrow_mut().push(finding);
    }

    /// The settings, to write one down.
    pub(super) fn settings(&self) -> std::cell::RefMut<'_, Settings> {
        self.settings.borrow_mut()
    }

    /// The end: what was found, and the settings.
    pub(super) fn close(self) -> (Vec<Finding>, Settings) {
        (self.findings.into_inner(), self.settings.into_inner())
    }

    /// The main file's directory: where `secrets/` is.
    pub(super) fn home(&self) -> &Path {
        self.documents.first().map_or(Path::new(""), |main| &main.directory)
    }

    /// A relative path is relative to the file that names it; from elsewhere, to the main file.
    pub(super) fn resolve(&self, path: &[String], named: &str) -> PathBuf {
        self.document(path).map_or(self.home(), |(document, _)| &document.directory).join(named)
    }

    /// Whether the environment said this value.
    pub(super) fn is_environment(&self, value: &Value) -> bool {
        self.from(value) == Some(ORIGIN)
    }

    /// Where the value stands, for a mistake about it.
    pub(super) fn place(&self, path: &[String], value: &Value) -> Place {
        self.locate(path, value, |spans| spans.value.clone())
    }

    /// Where its key stands.
    pub(super) fn key_place(&self, path: &[String], value: &Value) -> Place {
        self.locate(path, value, |spans| spans.key.clone())
    }

    /// Where the value is from, for `show`.
    pub(super) fn origin(&self, path: &[String], value: &Value) -> Origin {
        match self.place(path, value) {
            Place::File { source, span } => {
                let (line, column) = source.line_and_column(span.start);
                Origin::File { file: Arc::clone(&source.name), line, column }
            }
            Place::Environment(variable) => Origin::Environment(variable),
            Place::Whole(_) => Origin::Default,
        }
    }

    fn locate(&self, path: &[String], value: &Value, which: impl Fn(&Spans) -> std::ops::Range<usize>) -> Place {
        let variable = self.is_environment(value).then(|| self.environment.variable(path)).flatten();
        let file = || self.document(path).map(|(document, spans)| document.place(which(spans)));
        match variable {
            // A table that a variable only adds to is still the file's.
            Some(variable) if value.as_dict().is_none() => Place::Environment(Arc::clone(variable)),
            Some(variable) => file().unwrap_or_else(|| Place::Environment(Arc::clone(variable))),
            None => file().unwrap_or_else(|| self.nowhere()),
        }
    }

    fn document(&self, path: &[String]) -> Option<(&Document, &Spans)> {
        self.documents.iter().find_map(|document| Some((document, document.spans(path)?)))
    }

    fn nowhere(&self) -> Place {
        Place::Whole(self.documents.first().map_or_else(|| "".into(), |main| Arc::clone(&main.source.name)))
    }

    fn from(&self, value: &Value) -> Option<&str> {
        self.figment.get_metadata(value.tag()).map(|metadata| &*metadata.name)
    }
}

/// Defaults, then the files in their order, then the environment; then each named table gets the defaults of its kind.
fn merged(documents: &[Document], environment: &Environment) -> Result<(Figment, Value), Box<figment::Error>> {
    let (mut defaults, _) = Document::parse(DEFAULT, Path::new(""), DEFAULTS);
    let of_named = NAMED.map(|section| (section, template(&mut defaults.values, section)));
    let of_optional = OPTIONAL.map(|(section, key)| (section, key, template(&mut defaults.values, section)));
    let mut figment = documents.iter().fold(Figment::new(), Figment::merge).merge(environment);
    let named = figment.find_value("")?;
    for (section, template) in of_named {
        figment = figment.join(Defaults(for_each(&named, section, &template)));
    }
    for (section, key, template) in of_optional {
        let is_on = named.find_ref(key).is_some() && named.find_ref(section).is_some_and(|it| it.as_dict().is_some());
        let values = is_on.then(|| (section.to_owned(), template));
        figment = figment.join(Defaults(values.into_iter().collect()));
    }
    let figment = figment.join(Defaults(defaults.values));
    let value = figment.find_value("")?;
    Ok((figment, value))
}

/// Takes a section's `"*"` out of the defaults.
fn template(defaults: &mut Dict, section: &str) -> Value {
    let Some(Value::Dict(_, table)) = defaults.get_mut(section) else { return Value::from(Dict::new()) };
    let template = table.remove("*").unwrap_or_else(|| Value::from(Dict::new()));
    if table.is_empty() {
        defaults.remove(section);
    }
    template
}

fn for_each(named: &Value, section: &str, template: &Value) -> Dict {
    let tables = named.find_ref(section).and_then(Value::as_dict);
    let tables = tables.into_iter().flatten().filter(|(_, table)| table.as_dict().is_some());
    let filled: Dict = tables.map(|(name, _)| (name.clone(), template.clone())).collect();
    if filled.is_empty() { Dict::new() } else { Dict::from([(section.to_owned(), Value::from(filled))]) }
}

struct Defaults(Dict);

impl Provider for Defaults {
    fn metadata(&self) -> Metadata {
        Metadata::named(DEFAULT)
    }

    fn data(&self) -> Result<Map<Profile, Dict>, figment::Error> {
        Ok(Map::from([(Profile::Default, self.0.clone())]))
    }
}

fn unmerged(error: &figment::Error) -> Mistakes {
    Mistakes::new(vec![Finding {
        severity: Severity::Error,
        place: Place::Whole("".into()),
        message: format!("the settings can't be merged: {error}"),
        label: String::new(),
        other: None,
        help: None,
    }])
}
