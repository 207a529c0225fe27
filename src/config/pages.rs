//! What is served over HTTP and mailed, as the other rooms see it: `[portal]`, `[admin]` and `[mail]`, whole and checked.
//!
//! As in `types`, nothing is left to ask of the file but the certificates, which live longer than a configuration and
//! are read by whoever serves them. The one secret here, mail's password, is of a type that never prints (rules F1).

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use ipnet::IpNet;
use lettre::Address;
use lettre::message::Mailbox;
use login::{GroupName, PrimaryName};
use wire::Secret;

use super::types::ServerAddress;

/// How a set of pages reaches its readers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PagesConfig {
    /// The socket.
    pub listen: SocketAddr,
    /// The address as browsers and phones know it.
    pub url: PublicUrl,
    /// Where the certificate is from.
    pub tls: TlsSource,
    /// How certificates are asked for; counts where `tls` is [`TlsSource::Acme`].
    pub acme: AcmeConfig,
    /// Whose `X-Forwarded-For` and `Forwarded` are believed; nobody's by default (rules F3).
    pub trusted_proxies: Vec<IpNet>,
}

/// `tls`: where the certificate is from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TlsSource {
    /// Plain HTTP: on loopback, or behind a trusted proxy that speaks TLS.
    None,
    /// Files, read again when they change.
    Files {
        /// The chain in PEM, our own certificate first.
        certificate: PathBuf,
        /// Its private key in PEM.
        key: PathBuf,
    },
    /// Asked for and renewed over ACME (RFC 8555).
    Acme,
}

/// `acme`: whom certificates are asked of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AcmeConfig {
    /// The server's directory (RFC 8555 §7.1.1), always https.
    pub directory: Arc<str>,
    /// A `mailto:` address for the account.
    pub contact: Option<Arc<str>>,
    /// Certificates to trust at the directory instead of the system's.
    pub ca: Option<PathBuf>,
    /// Where `http-01` is answered; without it `tls-alpn-01` is, on the pages' own socket.
    pub http_listen: Option<SocketAddr>,
}

/// An origin in its one right spelling: scheme and host in lower case, no usual port, no path.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct PublicUrl {
    pub(super) text: Arc<str>,
    pub(super) host: Arc<str>,
    pub(super) port: u16,
}

/// `[portal]`: the user's pages and the phones' web service, where there is a `url`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PortalConfig {
    /// How they are reached.
    pub pages: PagesConfig,
    /// Which primary checks the password of a sign-in.
    pub sign_in: PrimaryName,
    /// Who helps, on every dead end.
    pub help_desk: Option<Arc<str>>,
    /// What users do for themselves, and so what exists on the pages.
    pub users_may: UsersMay,
    /// What a first enrolment is anchored in (rules F3).
    pub first_enrolment: FirstEnrolment,
    /// So many phones a user may have.
    pub devices_per_user: u32,
    /// A session ends so long after its last request.
    pub session_idle: Duration,
    /// And at the latest so long after the sign-in.
    pub session_lasts: Duration,
}

/// `users_may`: what users do for themselves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct UsersMay {
    /// Enrol at all.
    pub enrol: bool,
    /// Choose the default method.
    pub select_method: bool,
    /// Make a phone ring.
    pub activate_app: bool,
    /// Attach a hardware token.
    pub assign_token: bool,
}

/// `first_enrolment`: the trust anchors that are taken (rules F3).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FirstEnrolment {
    /// A code from an admin.
    pub admin_code: bool,
    /// A code by mail.
    pub mail_code: bool,
    /// A session from one of these networks.
    pub networks: Vec<IpNet>,
}

/// `[admin]`: the pages of the staff.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AdminConfig {
    /// How they are reached.
    pub pages: PagesConfig,
    /// Which primary checks the password of a sign-in.
    pub sign_in: PrimaryName,
    /// Who is who (rules F4).
    pub roles: Roles,
}

/// `roles`: the groups of each role; somebody in several has the highest.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Roles {
    /// May do everything that the pages offer.
    pub admin: Vec<GroupName>,
    /// May help users, but not admins.
    pub help_desk: Vec<GroupName>,
    /// May look.
    pub auditor: Vec<GroupName>,
}

impl Roles {
    /// Each group that has a role: its members are staff.
    #[must_use]
    pub fn everybody(&self) -> Vec<GroupName> {
        [&self.admin, &self.help_desk, &self.auditor].into_iter().flatten().cloned().collect()
    }
}

/// `[mail]`: how mail leaves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MailConfig {
    /// The SMTP server.
    pub server: ServerAddress,
    /// How the way there is sealed.
    pub security: MailSecurity,
    /// Certificates to trust instead of the system's.
    pub ca: Option<PathBuf>,
    /// The sender of every mail.
    pub from: Mailbox,
    /// The sign-in, where the server asks for one.
    pub login: Option<MailLogin>,
    /// Who is told of fraud and of trouble.
    pub alerts: Vec<Address>,
    /// Codes may be sent by mail (rules F7).
    pub mail_code: bool,
}

/// How the way to the mail server is sealed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MailSecurity {
    /// TLS from the first octet (`smtps://`).
    Tls,
    /// STARTTLS, and no mail without it (`smtp://`).
    StartTls,
    /// None at all; to loopback only.
    Plain,
}

/// A sign-in at the mail server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MailLogin {
    /// The name.
    pub user: Arc<str>,
    /// The password, from its file.
    pub password: Secret,
}

impl PublicUrl {
    /// The origin: `https://mfa.example.com`, with a port only where it is not the usual one, never with a `/` at the end.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The host name or address alone; IPv6 without its brackets.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The port, said or usual.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Whether browsers reach it over TLS, whoever speaks it.
    #[must_use]
    pub fn is_https(&self) -> bool {
        self.text.starts_with("https:")
    }

    /// What a `Host` header must hold (RFC 9110 §7.2).
    #[must_use]
    pub fn authority(&self) -> &str {
        self.text.split_once("://").map_or("", |(_, authority)| authority)
    }
}

impl fmt::Display for PublicUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for PublicUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.text, f)
    }
}

impl Default for AcmeConfig {
    fn default() -> Self {
        Self { directory: LETS_ENCRYPT.into(), contact: None, ca: None, http_listen: None }
    }
}

/// Whom certificates are asked of where nobody says otherwise.
pub(super) const LETS_ENCRYPT: &str = "https://acme-v02.api.letsencrypt.org/directory";
