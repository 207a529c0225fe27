//! The key that seals the store, and the file it lives in (rules F1).
//!
//! `vestibule init` alone makes it, by [`StoreKey::generate`]; everything else opens it and refuses a file that is missing,
//! that others can read, or that is not a key, with a sentence that says what to do. It is never repaired, never replaced
//! and never part of a backup. All other keys of a site are derived from it, each for one purpose.

use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;
use std::sync::Arc;

use data_encoding::{BASE64, HEXLOWER, HEXLOWER_PERMISSIVE};
use hmac::{Hmac, KeyInit, Mac};
use rand::TryRng;
use rand::rngs::SysRng;
use sha2::Sha256;
use zeroize::Zeroizing;

use super::error::{KeyError, StoreError};

/// Octets that a key file may have at most; ours has about 200.
const KEY_FILE_OCTETS_MAX: u64 = 4096;

/// A site's key: 32 random octets and an id that tells it from others.
#[derive(Clone)]
pub struct StoreKey {
    id: [u8; 4],
    octets: Zeroizing<[u8; 32]>,
}

impl StoreKey {
    /// Makes a new key in a new file that only its owner can read. An existing file is never replaced.
    pub fn generate(path: &Path) -> Result<Self, KeyError> {
        let key = Self { id: random()?, octets: Zeroizing::new(random()?) };
        let text = Zeroizing::new(format!(
            "# The key of a Vestibule store: without it the seeds in the store are lost. Keep a copy, apart from the store's backups.\n\
             id = {}\nkey = {}\n",
            key.id(),
            *Zeroizing::new(BASE64.encode(&*key.octets))
        ));
        write_new(path, text.as_bytes()).map_err(|error| io(path, &error))?;
        Ok(key)
    }

    /// Opens a key file.
    pub fn open(path: &Path) -> Result<Self, KeyError> {
        let file = File::open(path).map_err(|error| io(path, &error))?;
        // The opened file itself is asked, so that nobody swaps it in between.
        let mode = file.metadata().map_err(|error| io(path, &error))?.mode() & 0o777;
        if mode & 0o077 != 0 {
            return Err(KeyError::Exposed { path: path.into(), mode });
        }
        let mut text = Zeroizing::new(String::new());
        file.take(KEY_FILE_OCTETS_MAX).read_to_string(&mut text).map_err(|error| io(path, &error))?;
        Self::parse(&text).map_err(|what| malformed(path, what))
    }

    /// The key's id, eight hex digits; no secret.
    #[must_use]
    pub fn id(&self) -> String {
        HEXLOWER.encode(&self.id)
    }

    /// The key of one purpose: HMAC-SHA-256 over its name, so that one derived key tells nothing of another.
    pub(super) fn derive(&self, purpose: &str) -> Zeroizing<[u8; 32]> {
        Zeroizing::new(hmac(&self.octets[..], &[b"vestibule store v1", purpose.as_bytes()]))
    }

    pub(super) fn id_octets(&self) -> [u8; 4] {
        self.id
    }

    fn parse(text: &str) -> Result<Self, &'static str> {
        let (mut id, mut octets) = (None, None);
        for line in text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')) {
            let (name, value) = line.split_once('=').ok_or("a line is not of the form `name = value`")?;
            match name.trim() {
                "id" => id = Some(parse_id(value.trim())?),
                "key" => octets = Some(parse_key(value.trim())?),
                _ => return Err("a line is neither `id = …` nor `key = …`"),
            }
        }
        Ok(Self {
            id: id.ok_or("the line `id = …` is missing")?,
            octets: octets.ok_or("the line `key = …` is missing")?,
        })
    }
}

impl fmt::Debug for StoreKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "StoreKey({})", self.id())
    }
}

/// HMAC-SHA-256 over parts, each with its length, so that no two lists of parts run together.
pub(super) fn hmac(key: &[u8], parts: &[&[u8]]) -> [u8; 32] {
    let mut mac = Hmac::<Sha256>::new_from_slice(key)
        .unwrap_or_else(|_| unreachable!("HMAC takes keys of any length (RFC 2104 section 2)"));
    for part in parts {
        mac.update(&u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
        mac.update(part);
    }
    mac.finalize().into_bytes().into()
}

/// Octets from the operating system; none is an error, never a weaker number.
pub(super) fn random<const N: usize>() -> Result<[u8; N], KeyError> {
    let mut octets = [0; N];
    SysRng.try_fill_bytes(&mut octets).map_err(|_| KeyError::NoRandomness)?;
    Ok(octets)
}

/// A short id that can be read out over the phone: a letter, a dash and eight characters (40 bits).
pub(super) fn random_id(letter: char) -> Result<Arc<str>, StoreError> {
    const READABLE: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
    let octets: [u8; 8] = random()?;
    let word: String = octets.iter().map(|octet| char::from(READABLE[usize::from(octet % 32)])).collect();
    Ok(format!("{letter}-{word}").into())
}

fn write_new(path: &Path, text: &[u8]) -> std::io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(text)?;
    // A key that a power cut takes away after seeds were sealed with it would take them too.
    file.sync_all()?;
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(directory)?.sync_all()
}

fn parse_id(value: &str) -> Result<[u8; 4], &'static str> {
    let octets = HEXLOWER_PERMISSIVE.decode(value.as_bytes()).map_err(|_| "the id is not hex")?;
    octets.try_into().map_err(|_| "the id has not eight hex digits")
}

fn parse_key(value: &str) -> Result<Zeroizing<[u8; 32]>, &'static str> {
    let decoded =
        if value.len() == 64 { HEXLOWER_PERMISSIVE.decode(value.as_bytes()) } else { BASE64.decode(value.as_bytes()) };
    let octets = Zeroizing::new(decoded.map_err(|_| "the key is neither base64 nor hex")?);
    let octets: &[u8; 32] = octets.as_slice().try_into().map_err(|_| "the key has not 32 octets")?;
    if octets.iter().all(|octet| *octet == 0) {
        return Err("the key is all zeros");
    }
    Ok(Zeroizing::new(*octets))
}

fn io(path: &Path, error: &std::io::Error) -> KeyError {
    let kind = error.kind();
    if kind == ErrorKind::NotFound {
        KeyError::Missing(path.into())
    } else if kind == ErrorKind::AlreadyExists {
        KeyError::Exists(path.into())
    } else if kind == ErrorKind::InvalidData {
        malformed(path, "it is not text")
    } else {
        KeyError::Io { path: path.into(), why: error.to_string().into() }
    }
}

fn malformed(path: &Path, what: &'static str) -> KeyError {
    KeyError::Malformed { path: path.into(), what }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;
    use std::path::PathBuf;

    use super::*;

    fn file(text: &str, mode: u32) -> (tempfile::TempDir, PathBuf) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("store.key");
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, PermissionsExt::from_mode(mode)).unwrap();
        (directory, path)
    }

    #[test]
    fn a_made_key_is_its_owners_alone_and_opens_as_the_same_key() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("store.key");
        let made = StoreKey::generate(&path).unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
        let opened = StoreKey::open(&path).unwrap();
        assert_eq!(opened.id(), made.id());
        assert_eq!(opened.derive("x"), made.derive("x"));
        assert_ne!(opened.derive("x"), made.derive("y"));
    }

    #[test]
    fn a_key_is_never_replaced() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("store.key");
        StoreKey::generate(&path).unwrap();
        assert_eq!(StoreKey::generate(&path).unwrap_err(), KeyError::Exists(path));
    }

    #[test]
    fn a_missing_key_says_what_to_do() {
        let error = StoreKey::open(Path::new("/nowhere/store.key")).unwrap_err();
        assert!(error.to_string().contains("/nowhere/store.key is missing; put it back"), "{error}");
    }

    #[test]
    fn a_key_that_others_can_read_is_refused() {
        let (_directory, path) = file("", 0o640);
        let error = StoreKey::open(&path).unwrap_err();
        assert_eq!(error, KeyError::Exposed { path, mode: 0o640 });
        assert!(error.to_string().contains("(mode 640); run `chmod 600"), "{error}");
    }

    #[test]
    fn a_malformed_key_is_told_without_its_content() {
        for text in [
            "",
            "id = 01020304",
            "key = AAAA",
            "nonsense",
            "id = 01020304\nkey = hunter2!",
            "id=0102\nkey=aa",
            "id = 01020304\nother = 1",
        ] {
            let (_directory, path) = file(text, 0o600);
            let error = StoreKey::open(&path).unwrap_err();
            assert!(matches!(error, KeyError::Malformed { .. }), "{text:?}: {error}");
            assert!(!error.to_string().contains("hunter2"));
        }
    }

    #[test]
    fn hex_is_taken_as_base64_is() {
        let (_directory, path) = file(&format!("id = 0a0b0c0d\nkey = {}\n", "5a".repeat(32)), 0o400);
        assert_eq!(*StoreKey::open(&path).unwrap().octets, [0x5a; 32]);
    }

    #[test]
    fn debug_shows_the_id_alone() {
        let key = StoreKey { id: [1, 2, 3, 4], octets: Zeroizing::new([9; 32]) };
        assert_eq!(format!("{key:?}"), "StoreKey(01020304)");
    }
}
