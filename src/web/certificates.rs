//! The certificate in force, and how the next one takes its place.
//!
//! A handshake takes what is in force at its first octet; connections that are open keep theirs. A chain is judged whole
//! before it is taken: its key must be its own and closed to others, and one that has ended never replaces one that has
//! not. The provider is named, so that no other can slip in.

use std::collections::BTreeMap;
use std::fs::Metadata;
use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwapOption;
use login::Wall;
use rustls::ServerConfig;
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::ClientHello;
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{FromDer, X509Certificate};
use zeroize::Zeroizing;

/// Why a certificate is not taken; each says what to do.
#[derive(Debug, thiserror::Error)]
pub enum CertificateTrouble {
    /// The system refuses the file.
    #[error("{}: {why}; the user that runs vestibule must be able to read it", file.display())]
    Unreadable {
        /// Which file.
        file: PathBuf,
        /// What the system said.
        why: io::Error,
    },
    /// Others may read the key.
    #[error("{}: others may read this key (its mode is {mode:04o}); chmod 600 it, and take a new key if others may have read it", file.display())]
    Open {
        /// Which file.
        file: PathBuf,
        /// Its mode.
        mode: u32,
    },
    /// No file of ours is so long.
    #[error("{}: this is longer than {PEM_OCTETS_MAX} octets; is it the right file?", file.display())]
    TooLong {
        /// Which file.
        file: PathBuf,
    },
    /// There is no certificate in it.
    #[error("there is no certificate in PEM in it; it must hold the chain, our own certificate first")]
    NoCertificate,
    /// There is no key in it.
    #[error("there is no private key in PEM in it, or one with a passphrase; it must hold the key alone, without one")]
    NoKey,
    /// The key is another certificate's.
    #[error("the key does not belong to the first certificate; was one of the two files forgotten?")]
    Mismatch,
    /// What can't be used at all.
    #[error("it can't be used: {0}")]
    Unusable(String),
    /// It has ended, and the one in force has not.
    #[error("it ended on {0}, and the one in force has not; put the new one there")]
    Ended(String),
}

/// A chain with its key, checked.
#[derive(Clone)]
pub struct Chain {
    config: Arc<ServerConfig>,
    /// The names that it is for.
    pub names: Vec<Box<str>>,
    /// From when it is valid.
    pub not_before: Wall,
    /// Until when it is valid.
    pub not_after: Wall,
}

impl Chain {
    /// Reads a chain and its key, both in PEM.
    ///
    /// # Errors
    /// What is wrong with them.
    pub fn from_pem(chain: &[u8], key: &[u8]) -> Result<Self, CertificateTrouble> {
        let chain: Vec<CertificateDer<'static>> = CertificateDer::pem_slice_iter(chain)
            .collect::<Result<_, _>>()
            .map_err(|_| CertificateTrouble::NoCertificate)?;
        let key = PrivateKeyDer::from_pem_slice(key).map_err(|_| CertificateTrouble::NoKey)?;
        let first = chain.first().ok_or(CertificateTrouble::NoCertificate)?;
        let (names, not_before, not_after) = read(first)?;
        let certified = CertifiedKey::from_der(chain, key, &provider()).map_err(|error| {
            let is_another = matches!(error, rustls::Error::InconsistentKeys(_));
            if is_another { CertificateTrouble::Mismatch } else { CertificateTrouble::Unusable(error.to_string()) }
        })?;
        Ok(Self { config: shown(certified, b"http/1.1")?, names, not_before, not_after })
    }

    /// Whether it is for this host (RFC 6125 §6.4.3: `*` stands for one label).
    #[must_use]
    pub fn is_for(&self, host: &str) -> bool {
        let below = |name: &str| {
            name.strip_prefix("*.")
                .is_some_and(|rest| host.split_once('.').is_some_and(|(_, up)| up.eq_ignore_ascii_case(rest)))
        };
        self.names.iter().any(|name| name.eq_ignore_ascii_case(host) || below(name))
    }
}

/// A handshake that shows this and speaks that protocol.
fn shown(certified: CertifiedKey, protocol: &[u8]) -> Result<Arc<ServerConfig>, CertificateTrouble> {
    let mut config = ServerConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .map_err(|error| CertificateTrouble::Unusable(error.to_string()))?
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(SingleCertAndKey::from(certified)));
    config.alpn_protocols = vec![protocol.to_vec()];
    Ok(Arc::new(config))
}

/// aws-lc-rs, by name: the process has no default that a dependency could set.
pub(super) fn provider() -> Arc<CryptoProvider> {
    Arc::new(aws_lc_rs::default_provider())
}

/// The names and the days of a certificate.
fn read(certificate: &CertificateDer<'_>) -> Result<(Vec<Box<str>>, Wall, Wall), CertificateTrouble> {
    let unusable = |why: &str| CertificateTrouble::Unusable(why.to_owned());
    let (_, parsed) =
        X509Certificate::from_der(certificate).map_err(|_| unusable("the first certificate is no X.509"))?;
    let names = match parsed.subject_alternative_name() {
        Ok(Some(extension)) => extension.value.general_names.iter().filter_map(name).collect(),
        Ok(None) => Vec::new(),
        Err(_) => return Err(unusable("the names of the first certificate can't be read")),
    };
    let wall = |seconds: i64| Wall(u64::try_from(seconds).unwrap_or(0).saturating_mul(1000));
    let validity = parsed.validity();
    Ok((names, wall(validity.not_before.timestamp()), wall(validity.not_after.timestamp())))
}

fn name(name: &GeneralName<'_>) -> Option<Box<str>> {
    if let GeneralName::DNSName(name) = name {
        return Some((*name).into());
    }
    let GeneralName::IPAddress(octets) = name else { return None };
    let address = match octets.len() {
        4 => <[u8; 4]>::try_from(*octets).ok().map(std::net::IpAddr::from),
        16 => <[u8; 16]>::try_from(*octets).ok().map(std::net::IpAddr::from),
        _ => None,
    };
    address.map(|address| address.to_string().into())
}

/// What is in force for one set of pages; clones share it.
#[derive(Clone, Default)]
pub struct Certificates(Arc<InForce>);

#[derive(Default)]
struct InForce {
    chain: ArcSwapOption<Chain>,
    /// Answers to `tls-alpn-01`, by host name (RFC 8737).
    challenges: Mutex<BTreeMap<Box<str>, Arc<ServerConfig>>>,
}

/// RFC 8737 §6.2.
const ACME_TLS: &[u8] = b"acme-tls/1";

impl Certificates {
    /// Nothing is in force yet: handshakes are refused.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes a chain, unless it has ended and the one in force has not.
    ///
    /// # Errors
    /// [`CertificateTrouble::Ended`]; then the one in force stays.
    pub fn take(&self, chain: Chain, now: Wall) -> Result<(), CertificateTrouble> {
        let in_force = self.0.chain.load();
        if chain.not_after <= now && in_force.as_ref().is_some_and(|old| old.not_after > now) {
            return Err(CertificateTrouble::Ended(day(chain.not_after)));
        }
        self.0.chain.store(Some(Arc::new(chain)));
        Ok(())
    }

    /// What is in force.
    #[must_use]
    pub fn in_force(&self) -> Option<Arc<Chain>> {
        self.0.chain.load_full()
    }

    /// Answers a challenge of `tls-alpn-01` for a host with this certificate, until it is taken back.
    pub(super) fn answer_challenge(
        &self,
        host: &str,
        certificate: CertificateDer<'static>,
        key: PrivateKeyDer<'static>,
    ) -> Result<(), CertificateTrouble> {
        let unusable = |error: rustls::Error| CertificateTrouble::Unusable(error.to_string());
        // Not looked into as a chain is: its critical extension is for the authority alone, and nobody else may take it.
        let key = provider().key_provider.load_private_key(key).map_err(unusable)?;
        let answer = shown(CertifiedKey::new(vec![certificate], key), ACME_TLS)?;
        self.challenges().insert(host.into(), answer);
        Ok(())
    }

    /// Takes the answer back.
    pub(super) fn end_challenge(&self, host: &str) {
        self.challenges().remove(host);
    }

    /// What this handshake gets. One that speaks `acme-tls/1` gets the challenge's answer or nothing.
    pub(super) fn for_handshake(&self, hello: &ClientHello<'_>) -> Option<Arc<ServerConfig>> {
        let challenges = hello.alpn().is_some_and(|mut protocols| protocols.any(|protocol| protocol == ACME_TLS));
        if challenges {
            let host = hello.server_name()?;
            return self.challenges().get(host).cloned();
        }
        self.0.chain.load().as_ref().map(|chain| Arc::clone(&chain.config))
    }

    fn challenges(&self) -> std::sync::MutexGuard<'_, BTreeMap<Box<str>, Arc<ServerConfig>>> {
        // A panic elsewhere can't leave the map half changed.
        self.0.challenges.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The day of a moment, in UTC.
#[must_use]
pub fn day(wall: Wall) -> String {
    let stamp = i64::try_from(wall.0).ok().and_then(|millis| jiff::Timestamp::from_millisecond(millis).ok());
    stamp.map_or_else(|| "a day that no calendar has".to_owned(), |stamp| stamp.strftime("%Y-%m-%d").to_string())
}

/// How long a certificate of a file is good.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Validity {
    /// Whose it is, as it says itself.
    pub subject: String,
    /// From when.
    pub not_before: Wall,
    /// Until when.
    pub not_after: Wall,
}

/// The days of each certificate in a file, in its order: our own, those between, authorities.
///
/// # Errors
/// The file can't be read, or holds none.
pub fn validities(file: &Path) -> Result<Vec<Validity>, CertificateTrouble> {
    let octets = open(file, |_| Ok(()))?;
    let found: Vec<CertificateDer<'static>> = CertificateDer::pem_slice_iter(&octets)
        .collect::<Result<_, _>>()
        .map_err(|_| CertificateTrouble::NoCertificate)?;
    if found.is_empty() {
        return Err(CertificateTrouble::NoCertificate);
    }
    let unusable = || CertificateTrouble::Unusable("a certificate in it is no X.509".to_owned());
    let wall = |seconds: i64| Wall(u64::try_from(seconds).unwrap_or(0).saturating_mul(1000));
    let one = |certificate: &CertificateDer<'_>| {
        let (_, parsed) = X509Certificate::from_der(certificate).map_err(|_| unusable())?;
        let validity = parsed.validity();
        Ok(Validity {
            // Somebody else wrote it: it must not break a line.
            subject: wire::log_safe(parsed.subject().to_string().as_bytes()),
            not_before: wall(validity.not_before.timestamp()),
            not_after: wall(validity.not_after.timestamp()),
        })
    };
    found.iter().map(one).collect()
}

/// A certificate in files, and what they looked like when they were last read.
#[derive(Debug)]
pub struct CertificateFiles {
    certificate: PathBuf,
    key: PathBuf,
    seen: Option<[Stamp; 2]>,
}

/// What changes when a file does: which file it is, how long, and when it was written.
type Stamp = Option<(u64, u64, u64, i64, i64)>;

/// A long chain with its comments; an RSA key of 16,384 bits.
const PEM_OCTETS_MAX: u64 = 256 * 1024;

impl CertificateFiles {
    /// Files that nobody has read yet.
    #[must_use]
    pub fn new(certificate: &Path, key: &Path) -> Self {
        Self { certificate: certificate.to_owned(), key: key.to_owned(), seen: None }
    }

    /// Reads them if they changed since the last look; `None`: they did not.
    pub fn look(&mut self) -> Option<Result<Chain, CertificateTrouble>> {
        let stamps = [stamp(&self.certificate), stamp(&self.key)];
        if self.seen.as_ref() == Some(&stamps) {
            return None;
        }
        self.seen = Some(stamps);
        Some(self.read())
    }

    /// Reads them, changed or not.
    ///
    /// # Errors
    /// What is wrong with them.
    pub fn read(&self) -> Result<Chain, CertificateTrouble> {
        let chain = open(&self.certificate, |_| Ok(()))?;
        let key = open(&self.key, |metadata| closed(&self.key, metadata))?;
        Chain::from_pem(&chain, &key)
    }
}

fn stamp(path: &Path) -> Stamp {
    let found = std::fs::metadata(path).ok()?;
    Some((found.dev(), found.ino(), found.len(), found.mtime(), found.mtime_nsec()))
}

/// Rules F1. A group may read: a service's own group is a usual way to hand keys over.
fn closed(file: &Path, metadata: &Metadata) -> Result<(), CertificateTrouble> {
    let mode = metadata.permissions().mode() & 0o777;
    if mode & 0o027 == 0 { Ok(()) } else { Err(CertificateTrouble::Open { file: file.to_owned(), mode }) }
}

fn open(
    file: &Path,
    check: impl Fn(&Metadata) -> Result<(), CertificateTrouble>,
) -> Result<Zeroizing<Vec<u8>>, CertificateTrouble> {
    let unreadable = |why: io::Error| CertificateTrouble::Unreadable { file: file.to_owned(), why };
    let metadata = std::fs::metadata(file).map_err(unreadable)?;
    if !metadata.is_file() {
        return Err(unreadable(io::Error::other("it is not a regular file")));
    }
    if metadata.len() > PEM_OCTETS_MAX {
        return Err(CertificateTrouble::TooLong { file: file.to_owned() });
    }
    check(&metadata)?;
    std::fs::read(file).map(Zeroizing::new).map_err(unreadable)
}
