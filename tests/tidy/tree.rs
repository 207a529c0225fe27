//! The tree as the checks read it: every text file of the checkout with its path, and the broken rules they report.
//! It only reads, it follows no links, and it never looks into build output or version control.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

/// One text file: `path` is relative to the root of the repository and has forward slashes.
pub(crate) struct File {
    pub(crate) path: String,
    pub(crate) text: String,
}

/// A broken rule: where it is, what is wrong and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Broken {
    pub(crate) place: String,
    pub(crate) rule: String,
    pub(crate) remedy: &'static str,
}

impl File {
    pub(crate) fn new(path: &str, text: &str) -> Self {
        Self { path: path.into(), text: text.into() }
    }

    pub(crate) fn broken(&self, line: usize, rule: impl Into<String>, remedy: &'static str) -> Broken {
        Broken { place: format!("{}:{line}", self.path), rule: rule.into(), remedy }
    }

    pub(crate) fn is_rust(&self) -> bool {
        self.path.ends_with(".rs")
    }

    /// A file that is compiled for tests only: under a `tests` directory, or a `tests.rs` beside the code that it tests.
    pub(crate) fn is_test(&self) -> bool {
        self.path.split('/').any(|part| part == "tests" || part == "tests.rs")
    }
}

pub(crate) fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// Every text file of the checkout, in the order of their paths.
pub(crate) fn files() -> Vec<File> {
    let mut files = Vec::new();
    read(&root(), "", &mut files);
    files.sort_by(|a, b| a.path.cmp(&b.path));
    files
}

/// The file at `path`; a check that asks for a file fails where it is missing.
pub(crate) fn file(path: &str) -> File {
    let text =
        std::fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path} must be readable: {error}"));
    File::new(path, &text)
}

/// Fails with every broken rule, one paragraph each.
pub(crate) fn assert_none(broken: &[Broken]) {
    let mut told = String::new();
    for Broken { place, rule, remedy } in broken {
        let _ = write!(told, "\n{place}: {rule}\n    {remedy}\n");
    }
    assert!(broken.is_empty(), "{} place(s) to mend:\n{told}", broken.len());
}

fn read(directory: &Path, prefix: &str, files: &mut Vec<File>) {
    let entries = std::fs::read_dir(directory)
        .unwrap_or_else(|error| panic!("{} must be readable: {error}", directory.display()));
    for entry in entries.flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let Ok(kind) = entry.file_type() else { continue };
        if kind.is_dir() && !["target", ".git", "artifacts"].contains(&name.as_str()) {
            read(&entry.path(), &format!("{prefix}{name}/"), files);
        } else if kind.is_file()
            && name != ".git"
            && let Ok(text) = std::fs::read_to_string(entry.path())
        {
            files.push(File { path: format!("{prefix}{name}"), text });
        }
    }
}
