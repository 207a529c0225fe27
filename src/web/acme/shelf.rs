//! Where ACME's keys and certificates lie: files beside the store, for their owner only (rules F1).
//!
//! A file is written whole under another name and then renamed, so that a crash leaves the old one or the new one. A chain
//! and its key are one file, so that they can't be of two orders.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use data_encoding::HEXLOWER;
use instant_acme::AccountCredentials;
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use crate::web::certificates::{CertificateTrouble, Chain};

/// The directory of what ACME gave us.
#[derive(Clone, Debug)]
pub struct Shelf(PathBuf);

/// Why a file of the shelf can't be used.
#[derive(Debug, thiserror::Error)]
pub enum ShelfError {
    /// The system refuses.
    #[error("{}: {why}; the user that runs vestibule must be able to write there", file.display())]
    Io {
        /// Which file.
        file: PathBuf,
        /// What the system said.
        why: io::Error,
    },
    /// Others may read it.
    #[error("{}: others may read this key (its mode is {mode:04o}); remove the file, and a new account is made", file.display())]
    Open {
        /// Which file.
        file: PathBuf,
        /// Its mode.
        mode: u32,
    },
    /// It is not what we wrote.
    #[error("{}: this is no ACME account; remove the file, and a new one is made", file.display())]
    Garbled {
        /// Which file.
        file: PathBuf,
    },
}

impl Shelf {
    /// A directory that need not be there yet.
    #[must_use]
    pub fn new(directory: PathBuf) -> Self {
        Self(directory)
    }

    /// The chain of a host, if one was kept.
    ///
    /// # Errors
    /// What is wrong with the file.
    pub fn chain(&self, host: &str) -> Option<Result<Chain, CertificateTrouble>> {
        let file = self.chain_file(host);
        match self.read(&file) {
            Ok(found) => found.map(|pem| Chain::from_pem(&pem, &pem)),
            Err(ShelfError::Io { file, why }) => Some(Err(CertificateTrouble::Unreadable { file, why })),
            Err(ShelfError::Open { file, mode }) => Some(Err(CertificateTrouble::Open { file, mode })),
            Err(ShelfError::Garbled { .. }) => Some(Err(CertificateTrouble::NoCertificate)),
        }
    }

    pub(super) fn keep_chain(&self, host: &str, chain: &str, key: &str) -> Result<(), ShelfError> {
        let both = Zeroizing::new(format!("{}\n{key}", chain.trim_end()));
        self.write(&self.chain_file(host), both.as_bytes())
    }

    pub(super) fn account(&self, directory: &str) -> Result<Option<AccountCredentials>, ShelfError> {
        let file = self.account_file(directory);
        let Some(text) = self.read(&file)? else { return Ok(None) };
        serde_json::from_slice(&text).map(Some).map_err(|_| ShelfError::Garbled { file })
    }

    pub(super) fn keep_account(&self, directory: &str, account: &AccountCredentials) -> Result<(), ShelfError> {
        let file = self.account_file(directory);
        let text = serde_json::to_vec(account).map(Zeroizing::new);
        let text = text.map_err(|error| ShelfError::Io { file: file.clone(), why: error.into() })?;
        self.write(&file, &text)
    }

    /// Host names are letters, digits, hyphens and dots: no path.
    fn chain_file(&self, host: &str) -> PathBuf {
        self.0.join(format!("{host}.pem"))
    }

    /// Each directory has its own account.
    fn account_file(&self, directory: &str) -> PathBuf {
        let digest = HEXLOWER.encode(&Sha256::digest(directory.as_bytes()));
        self.0.join(format!("account-{}.json", &digest[..16]))
    }

    fn read(&self, file: &Path) -> Result<Option<Zeroizing<Vec<u8>>>, ShelfError> {
        let trouble = |why: io::Error| ShelfError::Io { file: file.to_owned(), why };
        let metadata = match std::fs::metadata(file) {
            Ok(metadata) => metadata,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(trouble(error)),
        };
        let mode = metadata.permissions().mode() & 0o777;
        if mode & 0o077 != 0 {
            return Err(ShelfError::Open { file: file.to_owned(), mode });
        }
        std::fs::read(file).map(|octets| Some(Zeroizing::new(octets))).map_err(trouble)
    }

    fn write(&self, file: &Path, octets: &[u8]) -> Result<(), ShelfError> {
        let trouble = |why: io::Error| ShelfError::Io { file: file.to_owned(), why };
        DirBuilder::new().recursive(true).mode(0o700).create(&self.0).map_err(trouble)?;
        let new = file.with_extension("new");
        // Left over from a crash; its content is nobody's.
        let _ = std::fs::remove_file(&new);
        let mut opened = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&new).map_err(trouble)?;
        opened.write_all(octets).and_then(|()| opened.sync_all()).map_err(trouble)?;
        std::fs::rename(&new, file).map_err(trouble)?;
        // The rename itself must last.
        File::open(&self.0).and_then(|directory| directory.sync_all()).map_err(trouble)
    }
}
