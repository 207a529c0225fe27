//! The files that a configuration is made of, behind a trait, so that a parser can be fuzzed without any.
//!
//! [`Disk`] is the real thing. It refuses a secret that others may read, before anybody trusts it.

use std::fs::{File, Metadata};
use std::io::{self, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use wire::Secret;

/// What a configuration reads.
pub trait Files {
    /// The text of a config file.
    ///
    /// # Errors
    /// Whatever the system says, and `InvalidData` for what is not UTF-8 or too long.
    fn text(&self, path: &Path) -> io::Result<String>;

    /// The files that a pattern matches, in alphabetical order; `*` and `?` stand in the last part only.
    ///
    /// # Errors
    /// Whatever the system says of the directory.
    fn matching(&self, directory: &Path, pattern: &str) -> io::Result<Vec<PathBuf>>;

    /// The octets of a secret's file, as they are.
    ///
    /// # Errors
    /// Why it can't be used.
    fn secret(&self, path: &Path) -> Result<Secret, SecretTrouble>;
}

/// Why a secret's file can't be used.
#[derive(Debug, thiserror::Error)]
pub enum SecretTrouble {
    /// There is no such file.
    #[error("there is no such file")]
    Missing,
    /// Others may read or change it; the octal mode says who.
    #[error("others may read or change it (its mode is {0:04o})")]
    Open(u32),
    /// No regular file.
    #[error("it is not a regular file")]
    NotAFile,
    /// No secret is so long.
    #[error("it is longer than {SECRET_OCTETS_MAX} octets")]
    TooLong,
    /// The system refuses.
    #[error("it can't be read: {0}")]
    Unreadable(io::Error),
}

/// A file of the policy may be this long.
const TEXT_OCTETS_MAX: u64 = 4 << 20;
/// A secret may be this long.
const SECRET_OCTETS_MAX: u64 = 4096;
/// So many files an `include` may match.
const MATCHES_MAX: usize = 1000;

/// The file system.
#[derive(Clone, Copy, Debug)]
pub struct Disk;

impl Files for Disk {
    fn text(&self, path: &Path) -> io::Result<String> {
        let mut octets = Vec::new();
        let read = File::open(path)?.take(TEXT_OCTETS_MAX + 1).read_to_end(&mut octets)?;
        if read as u64 > TEXT_OCTETS_MAX {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "it is longer than 4 MiB"));
        }
        if octets.starts_with(&[0xff, 0xfe]) || octets.starts_with(&[0xfe, 0xff]) {
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                "it is UTF-16, as Windows writes where asked for Unicode",
            ));
        }
        let text = String::from_utf8(octets).map_err(|error| {
            let before = error.as_bytes().get(..error.utf8_error().valid_up_to()).unwrap_or_default();
            let line = before.iter().filter(|octet| **octet == b'\n').count() + 1;
            io::Error::new(io::ErrorKind::InvalidData, format!("line {line} holds octets that are no UTF-8"))
        })?;
        Ok(text)
    }

    fn matching(&self, directory: &Path, pattern: &str) -> io::Result<Vec<PathBuf>> {
        let pattern = directory.join(pattern);
        let last = pattern.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        if !last.contains(['*', '?']) {
            return Ok(vec![pattern]);
        }
        let parent = pattern.parent().unwrap_or(directory);
        let wanted = Wildcard(last);
        let mut found = Vec::new();
        for entry in std::fs::read_dir(parent)? {
            let name = entry?.file_name();
            if wanted.matches(&name.to_string_lossy()) {
                found.push(parent.join(name));
            }
        }
        if found.len() > MATCHES_MAX {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "it matches more than 1000 files"));
        }
        found.sort();
        Ok(found)
    }

    fn secret(&self, path: &Path) -> Result<Secret, SecretTrouble> {
        // Before the opening, which would wait for ever at a named pipe.
        check_mode(&std::fs::metadata(path).map_err(trouble)?)?;
        let file = File::open(path).map_err(trouble)?;
        // The opened file's own mode, so that nobody swaps it between the look and the reading.
        check_mode(&file.metadata().map_err(trouble)?)?;
        let mut octets = Vec::with_capacity(SECRET_OCTETS_MAX as usize + 1);
        file.take(SECRET_OCTETS_MAX + 1).read_to_end(&mut octets).map_err(trouble)?;
        let secret = Secret::new(octets);
        if secret.len() as u64 > SECRET_OCTETS_MAX { Err(SecretTrouble::TooLong) } else { Ok(secret) }
    }
}

/// A group may read (a service's own group is a usual way to hand secrets over); nobody else may, and only the owner writes.
fn check_mode(metadata: &Metadata) -> Result<(), SecretTrouble> {
    if !metadata.is_file() {
        return Err(SecretTrouble::NotAFile);
    }
    let mode = metadata.permissions().mode() & 0o777;
    if mode & 0o027 == 0 { Ok(()) } else { Err(SecretTrouble::Open(mode)) }
}

fn trouble(error: io::Error) -> SecretTrouble {
    if error.kind() == io::ErrorKind::NotFound { SecretTrouble::Missing } else { SecretTrouble::Unreadable(error) }
}

/// A file name's pattern, in any case. Hidden files match only a pattern that begins with a dot, as in a shell.
struct Wildcard(String);

impl Wildcard {
    fn matches(&self, name: &str) -> bool {
        let hidden = name.starts_with('.') && !self.0.starts_with('.');
        !hidden && login::policy::Glob::new(&self.0).matches(&name.to_lowercase())
    }
}

/// No files at all: every secret is the same, every include empty. For fuzzing.
#[derive(Clone, Copy, Debug)]
pub struct NoFiles;

impl Files for NoFiles {
    fn text(&self, _: &Path) -> io::Result<String> {
        Err(io::ErrorKind::NotFound.into())
    }

    fn matching(&self, _: &Path, _: &str) -> io::Result<Vec<PathBuf>> {
        Ok(Vec::new())
    }

    fn secret(&self, _: &Path) -> Result<Secret, SecretTrouble> {
        Ok(Secret::new("no secret at all"))
    }
}
