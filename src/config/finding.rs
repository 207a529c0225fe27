//! What is wrong with a configuration, for the person who wrote it: where, what was found, what is allowed, what to do.
//!
//! Findings are drawn under the line that holds them. A list of mistakes is complete: nobody mends a file one
//! error at a time. No finding ever quotes a secret: secrets stand in files of their own.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};
use serde::Serialize;

/// Whether a finding refuses the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// The file is refused (rules G2).
    Error,
    /// The file is taken, and its author should know.
    Warning,
}

/// Where a finding is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// In a file, at these octets of it.
    File {
        /// Which.
        source: Arc<Source>,
        /// Octets of the text.
        span: Range<usize>,
    },
    /// In an environment variable.
    Environment(Arc<str>),
    /// In no text at all: the file can't be read.
    Whole(Arc<str>),
}

/// A file's name as it was given, and its text.
#[derive(Debug, PartialEq, Eq)]
pub struct Source {
    /// As the admin wrote it, or as an `include` matched it.
    pub name: Arc<str>,
    /// The whole of it, with stars where somebody wrote a secret into it.
    pub text: String,
    /// Where each line begins.
    lines: Vec<usize>,
}

/// One thing that is wrong, or doubtful.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Error or warning.
    pub severity: Severity,
    /// Where.
    pub place: Place,
    /// What is wrong, in one line.
    pub message: String,
    /// What was found there, drawn under it.
    pub label: String,
    /// Another place that has to do with it, and why.
    pub other: Option<(Place, String)>,
    /// What is allowed, what to do next.
    pub help: Option<String>,
}

/// All that is wrong, in the order of the files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistakes(Vec<Finding>);

/// A finding for machines: one object of `check --json`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FlatFinding<'a> {
    /// `error` or `warning`.
    pub severity: Severity,
    /// The file, if it is in one.
    pub file: Option<&'a str>,
    /// From 1.
    pub line: Option<usize>,
    /// From 1, in characters.
    pub column: Option<usize>,
    /// The environment variable, if it is in one.
    pub variable: Option<&'a str>,
    /// What is wrong, and what was found.
    pub message: String,
    /// What is allowed, what to do next.
    pub help: Option<&'a str>,
}

impl Mistakes {
    pub(super) fn new(mut findings: Vec<Finding>) -> Self {
        sort(&mut findings);
        Self(findings)
    }

    /// Each mistake, in the order of the files.
    #[must_use]
    pub fn findings(&self) -> &[Finding] {
        &self.0
    }

    /// All of them as text; `colour` for a terminal.
    #[must_use]
    pub fn render(&self, colour: bool) -> String {
        render(&self.0, colour)
    }
}

impl fmt::Display for Mistakes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.render(false))
    }
}

impl std::error::Error for Mistakes {}

impl Finding {
    /// The same for machines.
    #[must_use]
    pub fn flat(&self) -> FlatFinding<'_> {
        let (file, at, variable) = match &self.place {
            Place::File { source, span } => (Some(&*source.name), Some(source.line_and_column(span.start)), None),
            Place::Environment(variable) => (None, None, Some(&**variable)),
            Place::Whole(file) => (Some(&**file), None, None),
        };
        let message =
            if self.label.is_empty() { self.message.clone() } else { format!("{}: {}", self.message, self.label) };
        let (line, column) = (at.map(|(line, _)| line), at.map(|(_, column)| column));
        FlatFinding { severity: self.severity, file, line, column, variable, message, help: self.help.as_deref() }
    }

    /// Drawn under its line; `colour` for a terminal.
    #[must_use]
    pub fn render(&self, colour: bool) -> String {
        let renderer = if colour { Renderer::styled() } else { Renderer::plain() };
        renderer.term_width(RENDER_COLUMNS).render(&[self.group()])
    }

    fn group(&self) -> Group<'_> {
        let level = match self.severity {
            Severity::Error => Level::ERROR,
            Severity::Warning => Level::WARNING,
        };
        let mut group = level.primary_title(self.message.as_str()).elements(self.snippets());
        if let Some(origin) = self.unwritten_place() {
            group = group.element(annotate_snippets::Origin::path(origin));
            if !self.label.is_empty() {
                group = group.element(Level::NOTE.message(self.label.as_str()));
            }
        }
        match &self.help {
            Some(help) => group.element(Level::HELP.message(help.as_str())),
            None => group,
        }
    }

    fn unwritten_place(&self) -> Option<String> {
        match &self.place {
            Place::File { .. } => None,
            Place::Environment(variable) => Some(format!("environment {variable}")),
            Place::Whole(file) => Some(file.to_string()),
        }
    }

    /// One snippet, or two where the other place is in another file.
    fn snippets(&self) -> Vec<Snippet<'_, annotate_snippets::Annotation<'_>>> {
        let primary = annotated(&self.place, AnnotationKind::Primary, &self.label);
        let other = self.other.as_ref().and_then(|(place, label)| annotated(place, AnnotationKind::Context, label));
        match (primary, other) {
            (Some((file, first)), Some((same, second))) if file.name == same.name => {
                vec![file.snippet([first, second])]
            }
            (first, second) => first.into_iter().chain(second).map(|(file, one)| file.snippet([one])).collect(),
        }
    }
}

/// Wide enough that no line of ours is cut, whatever the terminal.
const RENDER_COLUMNS: usize = 400;

type Annotated<'a> = (&'a Source, annotate_snippets::Annotation<'a>);

fn annotated<'a>(place: &'a Place, kind: AnnotationKind, label: &'a str) -> Option<Annotated<'a>> {
    match place {
        Place::File { source, span } => Some((source, kind.span(source.clamp(span)).label(label))),
        Place::Environment(_) | Place::Whole(_) => None,
    }
}

impl Source {
    /// A file's name and text.
    #[must_use]
    pub fn new(name: &str, text: String) -> Self {
        let lines = std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1)).collect();
        Self { name: name.into(), text, lines }
    }

    /// Line and column of an octet, both from 1; the column counts characters.
    #[must_use]
    pub fn line_and_column(&self, offset: usize) -> (usize, usize) {
        let line = self.lines.partition_point(|begins| *begins <= offset);
        let begins = self.lines.get(line.saturating_sub(1)).copied().unwrap_or_default();
        let column = self.text.get(begins..offset).map_or(0, |before| before.chars().count()) + 1;
        (line, column)
    }

    fn snippet<'a, const N: usize>(
        &'a self,
        annotations: [annotate_snippets::Annotation<'a>; N],
    ) -> Snippet<'a, annotate_snippets::Annotation<'a>> {
        Snippet::source(self.text.as_str()).path(&*self.name).annotations(annotations)
    }

    fn clamp(&self, span: &Range<usize>) -> Range<usize> {
        let end = span.end.min(self.text.len());
        span.start.min(end)..end
    }
}

/// All findings as text, a blank line between two.
#[must_use]
pub fn render(findings: &[Finding], colour: bool) -> String {
    findings.iter().map(|finding| finding.render(colour)).collect::<Vec<_>>().join("\n\n")
}

pub(super) fn sort(findings: &mut [Finding]) {
    findings.sort_by(|a, b| a.order().cmp(&b.order()));
}

impl Finding {
    fn order(&self) -> (u8, &str, usize) {
        match &self.place {
            Place::Whole(file) => (0, file, 0),
            Place::File { source, span } => (1, &source.name, span.start),
            Place::Environment(variable) => (2, variable, 0),
        }
    }
}
