//! What a person or a script hands in: secrets from files, from standard input, or typed at the terminal without echo.
//!
//! A secret is never an argument. One trailing newline is not part of it, as everywhere in the house.

use std::fs::File;
use std::io::{self, IsTerminal, Read, Write};
use std::path::Path;

use nix::sys::termios::{LocalFlags, SetArg, SpecialCharacterIndices, Termios, tcgetattr, tcsetattr};
use wire::Secret;
use zeroize::Zeroizing;

use super::out::{self, Failure};
use crate::config::Oddity;

/// More than any secret or list of codes has.
const OCTETS_MAX: u64 = 64 * 1024;

/// The secret in a file; `-` is standard input, which is asked without echo if it is a terminal.
pub(super) fn secret(file: &Path, what: &str) -> Result<Secret, Failure> {
    if is_stdin(file) && io::stdin().is_terminal() {
        return ask_secret(&format!("{what}: "));
    }
    let octets = octets(file, what)?;
    let bare = octets.strip_suffix(b"\r\n").or_else(|| octets.strip_suffix(b"\n")).unwrap_or(&octets);
    if bare.is_empty() {
        let shown = if is_stdin(file) { "standard input".to_owned() } else { file.display().to_string() };
        return Err(Failure::Refused(format!("{shown} is empty; it must hold {what}, alone on its line")));
    }
    let secret = Secret::new(bare);
    if let Some(odd) = Oddity::of(&secret) {
        let shown = if is_stdin(file) { "standard input".to_owned() } else { file.display().to_string() };
        out::note(format!("{shown} {}. As {what}, {}", odd.shown(), odd.mend()));
    }
    Ok(secret)
}

/// The secret in a file, or asked at the terminal where no file is given.
pub(super) fn secret_or_ask(file: Option<&Path>, what: &str, option: &str) -> Result<Secret, Failure> {
    match file {
        Some(file) => secret(file, what),
        None if has_terminal() => ask_secret(&format!("{what}: ")),
        None => Err(Failure::Usage(format!(
            "there is no terminal to ask for {what}; give {option} FILE (or - for standard input)"
        ))),
    }
}

/// The lines of a file, each without its end.
pub(super) fn lines(file: &Path, what: &str) -> Result<Vec<Secret>, Failure> {
    let octets = octets(file, what)?;
    let text = octets.strip_suffix(b"\n").unwrap_or(&octets);
    Ok(text.split(|octet| *octet == b'\n').map(|line| Secret::new(line.strip_suffix(b"\r").unwrap_or(line))).collect())
}

/// Standard input can be read by one option only.
pub(super) fn one_stdin(files: &[Option<&Path>]) -> Result<(), Failure> {
    if files.iter().flatten().filter(|file| is_stdin(file)).count() > 1 {
        return Err(Failure::Usage("standard input can be read once: only one option may be -".to_owned()));
    }
    Ok(())
}

/// Whether there is a person to ask.
pub(super) fn has_terminal() -> bool {
    Terminal::open().is_ok()
}

/// Asks for a line at the terminal, shown as it is typed.
pub(super) fn ask(question: &str) -> Result<String, Failure> {
    let mut line = String::new();
    let _ = write!(io::stderr().lock(), "{question}");
    match io::stdin().read_line(&mut line) {
        Ok(0) => Err(Failure::Refused("nothing was answered; nothing was done".to_owned())),
        Ok(_) => Ok(line.trim().to_owned()),
        Err(error) => Err(Failure::Refused(format!("the answer can't be read: {error}"))),
    }
}

/// Asks for a secret at the terminal, without echo.
pub(super) fn ask_secret(question: &str) -> Result<Secret, Failure> {
    let terminal = Terminal::open().map_err(|why| Failure::Usage(format!("there is no terminal to ask: {why}")))?;
    terminal.ask(question)
}

fn is_stdin(file: &Path) -> bool {
    file.as_os_str() == "-"
}

fn octets(file: &Path, what: &str) -> Result<Zeroizing<Vec<u8>>, Failure> {
    let mut octets = Zeroizing::new(Vec::with_capacity(1024));
    let read = if is_stdin(file) {
        io::stdin().lock().take(OCTETS_MAX + 1).read_to_end(&mut octets)
    } else {
        File::open(file).and_then(|file| file.take(OCTETS_MAX + 1).read_to_end(&mut octets))
    };
    match read {
        Ok(count) if count as u64 > OCTETS_MAX => {
            Err(Failure::Refused(format!("{} is longer than {what} can be", file.display())))
        }
        Ok(_) => Ok(octets),
        Err(error) => Err(Failure::Refused(format!("{} can't be read for {what}: {error}", file.display()))),
    }
}

/// The terminal itself, whatever standard input is.
struct Terminal {
    tty: File,
    before: Termios,
}

impl Terminal {
    fn open() -> io::Result<Self> {
        let tty = File::options().read(true).write(true).open("/dev/tty")?;
        let before = tcgetattr(&tty)?;
        Ok(Self { tty, before })
    }

    /// Keys are read one by one and Ctrl-C is ours to see, so that no way out leaves the echo off.
    fn ask(mut self, question: &str) -> Result<Secret, Failure> {
        let mut quiet = self.before.clone();
        quiet.local_flags.remove(LocalFlags::ECHO | LocalFlags::ICANON | LocalFlags::ISIG);
        for (index, value) in [(SpecialCharacterIndices::VMIN, 1), (SpecialCharacterIndices::VTIME, 0)] {
            if let Some(place) = quiet.control_chars.get_mut(index as usize) {
                *place = value;
            }
        }
        let failed = |error: &dyn std::fmt::Display| Failure::Refused(format!("the terminal can't be read: {error}"));
        // The echo first: who answers the moment the question stands there is neither shown nor unheard.
        tcsetattr(&self.tty, SetArg::TCSAFLUSH, &quiet).map_err(|error| failed(&error))?;
        self.tty.write_all(question.as_bytes()).map_err(|error| failed(&error))?;
        let typed = self.typed();
        let _ = self.tty.write_all(b"\n");
        typed
    }

    fn typed(&mut self) -> Result<Secret, Failure> {
        const CTRL_C: u8 = 3;
        const CTRL_D: u8 = 4;
        const CTRL_U: u8 = 21;
        let mut line = Zeroizing::new(Vec::with_capacity(256));
        let mut key = [0];
        loop {
            if self.tty.read(&mut key).map_err(|error| Failure::Refused(error.to_string()))? == 0 {
                return Ok(Secret::new(line.as_slice()));
            }
            match key[0] {
                b'\n' | b'\r' | CTRL_D => return Ok(Secret::new(line.as_slice())),
                CTRL_C => return Err(Failure::Refused("interrupted; nothing was done".to_owned())),
                CTRL_U => line.clear(),
                8 | 127 => drop_character(&mut line),
                octet if line.len() < 1024 => line.push(octet),
                _ => {}
            }
        }
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = tcsetattr(&self.tty, SetArg::TCSANOW, &self.before);
    }
}

/// A whole character of UTF-8, not only its last octet.
fn drop_character(line: &mut Vec<u8>) {
    while line.pop().is_some_and(|octet| octet & 0b1100_0000 == 0b1000_0000) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_backspace_takes_a_whole_character() {
        let mut line = "aé".as_bytes().to_vec();
        drop_character(&mut line);
        assert_eq!(line, b"a");
        drop_character(&mut line);
        drop_character(&mut line);
        assert!(line.is_empty());
    }

    #[test]
    fn a_secret_loses_one_newline_and_an_empty_one_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("secret");
        std::fs::write(&file, "hunter2\n\n").unwrap();
        assert_eq!(secret(&file, "the password").unwrap(), Secret::new("hunter2\n"));
        std::fs::write(&file, "\n").unwrap();
        assert!(matches!(secret(&file, "the password"), Err(Failure::Refused(_))));
    }

    #[test]
    fn standard_input_is_read_by_one_option_only() {
        let dash = Some(Path::new("-"));
        assert!(one_stdin(&[dash, None, Some(Path::new("x"))]).is_ok());
        assert!(one_stdin(&[dash, dash]).is_err());
    }
}
