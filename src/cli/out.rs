//! What a command says: lines for a person, JSON for a script, and failures as a sentence with an exit code.

use std::fmt::Display;
use std::io::{IsTerminal, Read, Write};
use std::path::Path;
use std::process::ExitCode;

use serde::Serialize;
use wire::Secret;

/// The longest secret that is read from a file, in octets.
const SECRET_OCTETS_MAX: u64 = 4096;

/// Why a command did not do what it was asked.
#[derive(Debug)]
pub(super) struct Failure {
    code: u8,
    message: String,
}

impl Failure {
    /// Refused or failed: exit code 1.
    pub(super) fn refused(message: impl Display) -> Self {
        Self { code: 1, message: message.to_string() }
    }

    /// Bad usage or configuration: exit code 2.
    pub(super) fn usage(message: impl Display) -> Self {
        Self { code: 2, message: message.to_string() }
    }

    /// Everything was said already.
    pub(super) fn silent(code: u8) -> Self {
        Self { code, message: String::new() }
    }

    pub(super) fn tell(self, json: bool) -> ExitCode {
        if !self.message.is_empty() {
            let line = if json {
                serde_json::json!({ "error": self.message }).to_string()
            } else {
                format!("vestibule: {}", self.message)
            };
            // Nobody to tell is no reason for another exit code.
            let _ = writeln!(std::io::stderr().lock(), "{line}");
        }
        ExitCode::from(self.code)
    }
}

/// A line for the person at the terminal. A closed pipe ends the output, not the command.
pub(super) fn line(text: impl Display) {
    let _ = writeln!(std::io::stdout().lock(), "{text}");
}

/// A line on standard error: for what is no result.
pub(super) fn note(text: impl Display) {
    let _ = writeln!(std::io::stderr().lock(), "{text}");
}

/// One JSON value for a script.
pub(super) fn json(value: &impl Serialize) {
    match serde_json::to_string(value) {
        Ok(text) => line(text),
        Err(error) => note(format!("vestibule: {error}")),
    }
}

/// Whether a person looks at standard output.
pub(super) fn is_terminal() -> bool {
    std::io::stdout().is_terminal()
}

/// Whether colours may be used on standard error.
pub(super) fn colour_on_stderr() -> bool {
    std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none()
}

/// A secret from a file; `-` is standard input. One trailing newline is not part of it.
pub(super) fn secret(path: &Path, what: &str) -> Result<Secret, Failure> {
    let mut octets = Vec::with_capacity(256);
    let read = if path == Path::new("-") {
        std::io::stdin().lock().take(SECRET_OCTETS_MAX).read_to_end(&mut octets)
    } else {
        std::fs::File::open(path).and_then(|file| file.take(SECRET_OCTETS_MAX).read_to_end(&mut octets))
    };
    read.map_err(|error| Failure::usage(format!("the {what} can't be read from {}: {error}", path.display())))?;
    let kept = octets.strip_suffix(b"\n").map(|rest| rest.strip_suffix(b"\r").unwrap_or(rest).len());
    octets.truncate(kept.unwrap_or(octets.len()));
    if octets.is_empty() {
        return Err(Failure::usage(format!("the {what} in {} is empty", path.display())));
    }
    Ok(Secret::new(octets))
}
