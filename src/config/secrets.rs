//! Secrets, from files of their own: `secrets/KIND.NAME` beside the main file, or where `secret_file` says.
//!
//! One trailing newline is not part of a secret. An empty one is refused, a short one is named as a risk
//! (RFC 2865 §3: "at least as large and unguessable as a well-chosen password"; 16 octets are better).

use std::path::{Path, PathBuf};

use wire::Secret;

use super::files::SecretTrouble;
use super::node::{Node, Table};
use super::oddity::Oddity;
use super::sections;

/// Fewer octets are guessed off-line from one captured packet.
const SHORT_OCTETS: usize = 12;

/// What a secret is called.
#[derive(Clone, Copy)]
struct Kind {
    /// The last part of the key under which `show` lists it.
    called: &'static str,
    /// The key that says where it is.
    file_key: &'static str,
    /// Whether a short one is a risk that the reader can do something about.
    is_shared: bool,
}

/// The secret of a table; `usual` is its file's name in `secrets/`.
pub(super) fn secret(table: &Table<'_>, usual: &str) -> Option<Secret> {
    read(table, usual, Kind { called: "secret", file_key: "secret_file", is_shared: true })
}

/// A password that we give to somebody else's server, from `password_file` or the usual file.
pub(super) fn password(table: &Table<'_>, usual: &str) -> Option<Secret> {
    read(table, usual, Kind { called: "password", file_key: "password_file", is_shared: false })
}

fn read(table: &Table<'_>, usual: &str, kind: Kind) -> Option<Secret> {
    let named = table.get(kind.file_key);
    let (path, at) = match &named {
        Some(node) => (sections::path(node)?, node),
        None => (table.node.book.home().join("secrets").join(usual), &table.node),
    };
    let secret = match table.node.book.files.secret(&path) {
        Ok(secret) => without_newline(secret),
        Err(trouble) => return refuse(at, named.is_some(), table, &path, &trouble),
    };
    let shown = shown_path(table, &path);
    if secret.is_empty() {
        return say(
            at,
            named.is_some(),
            "the secret is empty",
            &shown,
            "write the secret that the other end has into this file",
        );
    }
    if kind.is_shared && secret.len() < SHORT_OCTETS {
        let label = format!("{shown} holds fewer than {SHORT_OCTETS} octets");
        at.warn_here(
            named.is_some(),
            "this secret is short",
            &label,
            "one captured packet is enough to guess it off-line; take 16 random octets or more",
        );
    }
    if let Some(odd) = Oddity::of(&secret) {
        let message = format!("the file of this {} may hold more than the {}", kind.called, kind.called);
        at.warn_here(named.is_some(), &message, &format!("{shown} {}", odd.shown()), odd.mend());
    }
    let key = format!("{}.{}", table.node.shown_path(), kind.called);
    table.node.book.settings().insert_secret(key, secret.clone(), &shown, at.origin());
    Some(secret)
}

fn refuse<T>(at: &Node<'_>, named: bool, table: &Table<'_>, path: &Path, trouble: &SecretTrouble) -> Option<T> {
    let shown = shown_path(table, path);
    let help = match trouble {
        SecretTrouble::Missing => {
            "write the secret that the other end has into this file, readable by its owner only (mode 0600)".to_owned()
        }
        SecretTrouble::Open(_) => format!("chmod 600 {shown}, and take a new secret if others may have read it"),
        SecretTrouble::NotAFile => "name a file that holds the secret and nothing else".to_owned(),
        SecretTrouble::TooLong => "a secret is one line; is this the right file?".to_owned(),
        SecretTrouble::Unreadable(_) => "the user that runs vestibule must be able to read it".to_owned(),
    };
    say(at, named, &format!("the secret can't be used: {trouble}"), &shown, &help)
}

/// At `secret_file` where there is one, else at the table's name.
fn say<T>(at: &Node<'_>, named: bool, message: &str, label: &str, help: &str) -> Option<T> {
    let help = Some(help.to_owned());
    if named { at.refuse(message, label, help) } else { at.refuse_key(message, label, help) }
}

/// As an admin names it: below the main file's directory, the rest of the way only.
fn shown_path(table: &Table<'_>, path: &Path) -> String {
    let home = table.node.book.home();
    let below = path.strip_prefix(home).map(PathBuf::from).unwrap_or_else(|_| path.to_owned());
    below.display().to_string()
}

fn without_newline(secret: Secret) -> Secret {
    let octets = secret.expose();
    match octets.strip_suffix(b"\r\n").or_else(|| octets.strip_suffix(b"\n")) {
        Some(bare) => Secret::new(bare.to_vec()),
        None => secret,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_trailing_newline_is_not_part_of_a_secret() {
        let bare = |text: &str| without_newline(Secret::new(text));
        assert_eq!(bare("secret\n"), Secret::new("secret"));
        assert_eq!(bare("secret\n\n"), Secret::new("secret\n"));
        assert_eq!(bare("secret "), Secret::new("secret "));
        assert_eq!(bare("\n"), Secret::new(""));
    }
}
