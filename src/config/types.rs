//! The configuration as the other rooms see it: owned, validated, with nothing left to ask of the file.
//!
//! Every address is parsed, every path absolute or relative to the working directory as the file meant it, every
//! secret read, every name checked. What decides about a login is in [`login::Policy`]; what the rooms around it need
//! to open sockets and to reach others is here. Secrets are of types that never print.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use ipnet::IpNet;
use login::policy::ClientPolicy;
use login::{ClientName, Policy, PrimaryName};
pub use wire::Placed;
use wire::{Secret, SharedSecret};

use super::pages::{AdminConfig, MailConfig, PortalConfig};
use super::profile::Profile;
use super::settings::Settings;
use super::titles::Titles;

/// A whole configuration: taken whole or refused whole (rules G2).
#[derive(Debug)]
pub struct Config {
    /// `[radius] listen`: UDP sockets to serve.
    pub radius_listen: Vec<SocketAddr>,
    /// `[radius] accounting`: UDP sockets that answer accounting; usually none.
    pub radius_accounting: Vec<SocketAddr>,
    /// `[store]`.
    pub store: StoreConfig,
    /// `[portal] account_name`: the issuer that the phone's app shows.
    pub account_name: Arc<str>,
    /// `[portal]`, where it has a `url`.
    pub portal: Option<PortalConfig>,
    /// `[admin]`, where the section is there.
    pub admin: Option<AdminConfig>,
    /// `[mail]`, where the section is there.
    pub mail: Option<MailConfig>,
    /// `[metrics] listen`: metrics and health, over HTTP.
    pub metrics_listen: SocketAddr,
    /// `[audit]`.
    pub audit: AuditConfig,
    /// `[method.push]`.
    pub push: PushConfig,
    /// `[client.NAME]`, in the order of their names.
    pub clients: Vec<ClientConfig>,
    /// `[primary.NAME]`, in the order of their names; the built-in `local` is not among them.
    pub primaries: Vec<PrimaryConfig>,
    /// `[[rule]]`, `[limits]`, `[realms]` and what a login must know of its client.
    pub policy: Arc<Policy>,
    /// `title`, wherever one is said.
    pub titles: Titles,
    /// Every key in force and where its value is from, for `show` and for the reload's log.
    pub settings: Settings,
}

/// `[audit]`: how long records are kept, and where else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditConfig {
    /// JSON lines beside what the store keeps.
    pub file: Option<PathBuf>,
    /// The store's records are cut off when they are so old.
    pub keep: Duration,
    /// Octets that the store may have; past them the oldest records go.
    pub keep_at_most: u64,
}

/// `[store]`: where what lasts is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoreConfig {
    /// The SQLite file.
    pub file: PathBuf,
    /// The key that seals seeds; made by `init`, read by the store alone.
    pub key_file: PathBuf,
}

/// `[method.push]`: how a phone is told, and what it must do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PushConfig {
    /// The ways to a phone, all at once; empty: no push at all.
    pub channels: Vec<PushWay>,
    /// The site's own notifier, if it is among the channels.
    pub webhook: Option<WebhookConfig>,
    /// Whether a prompt comes with a number; each client's own is in [`ClientPolicy::number`].
    pub number: NumberChoice,
    /// The PIN that is typed before Authenticate.
    pub pin: PinConfig,
    /// Whom a push service may write to (RFC 8292 §2.1), a `mailto:` or `https:` URI; there iff `webpush` is a channel.
    pub vapid_contact: Option<Arc<str>>,
    /// Hosts of push services that are talked to; one that begins with `*.` stands for all below it (rules F6).
    pub webpush_hosts: Vec<Arc<str>>,
    /// Certificates (PEM) of authorities that may vouch for them, beside those that the system trusts.
    pub webpush_ca: Option<PathBuf>,
    /// A push service may have a private address (rules F6).
    pub allow_private: bool,
}

/// A way to a phone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum PushWay {
    /// Our own page, rung by the browser's push service.
    WebPush,
    /// The app from the stores, which asks us.
    PrivacyIdea,
    /// The site's own notifier, which tells and never approves.
    Webhook,
}

/// `number`, as the file says it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum NumberChoice {
    /// Shown where the client's own section says that it can show a challenge, or a rule requires one.
    #[default]
    Auto,
    /// Chosen on the phone.
    Shown,
    /// Typed from the phone.
    Typed,
    /// Nowhere, our own pages included.
    Off,
}

/// More digits than anybody remembers: no PIN has more, so none can be asked for.
pub const PIN_DIGITS_MAX: usize = 12;

/// `pin`: what is typed before a phone's Authenticate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PinConfig {
    /// Every phone must have one.
    pub required: bool,
    /// So many digits at least.
    pub length: u32,
    /// So many wrong ones in a row lock it.
    pub tries: u32,
}

/// `[method.push] webhook`: a signed hint to the site's own notifier; it never approves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WebhookConfig {
    /// https; plain http only inside, with `allow_private` (rules F6).
    pub url: reqwest::Url,
    /// Certificates to trust instead of the system's.
    pub ca: Option<PathBuf>,
    /// Its address may be private, loopback or link-local (rules F6).
    pub allow_private: bool,
    /// The key of `Vestibule-Signature`.
    pub secret: Secret,
}

/// `[client.NAME]`: one appliance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientConfig {
    /// NAME.
    pub name: ClientName,
    /// Where its packets come from; no other client's prefix overlaps these.
    pub networks: Vec<IpNet>,
    /// The RADIUS shared secret.
    pub secret: SharedSecret,
    /// What is asked of its packets (rules E1, E2).
    pub stance: Stance,
    /// What is known of its kind.
    pub profile: &'static Profile,
    /// Where Message-Authenticator stands in our answers (rules E1).
    pub message_authenticator: Placed,
    /// The attribute that is new for each connection, as the dictionary spells its name (rules B2).
    pub session_attribute: Option<Arc<str>>,
    /// What a login must know of it; the same as in [`Policy::clients`].
    pub policy: ClientPolicy,
}

/// `require_message_authenticator`, of a client or of an upstream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stance {
    /// A packet without Message-Authenticator is dropped.
    Yes,
    /// As `No` until enough verified packets were seen, then `Yes` for good (rules E2).
    Auto,
    /// It may be absent; Blast-RADIUS (CVE-2024-3596) is open on this hop.
    No,
}

/// `[primary.NAME]` with `radius`: first-factor servers in their order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PrimaryConfig {
    /// NAME.
    pub name: PrimaryName,
    /// At least one.
    pub servers: Vec<ServerAddress>,
    /// The RADIUS shared secret of all of them.
    pub secret: SharedSecret,
    /// What is asked of their replies; `Auto` counts as `No` until it is learned.
    pub stance: Stance,
    /// How it reads names (rules A2).
    pub names: login::policy::PrimaryPolicy,
}

/// Where a server is: an address, or a name to be resolved when it is used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerAddress {
    /// The host.
    pub host: Host,
    /// The UDP port, 1812 unless said (RFC 2865 §3).
    pub port: u16,
}

/// A host by address or by name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Host {
    /// An address as it stands in the file.
    Address(IpAddr),
    /// A DNS name.
    Name(Arc<str>),
}

impl PushWay {
    /// The word of the file.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::WebPush => "webpush",
            Self::PrivacyIdea => "privacyidea",
            Self::Webhook => "webhook",
        }
    }
}

impl Default for PushConfig {
    /// No way to a phone.
    fn default() -> Self {
        Self {
            channels: Vec::new(),
            webhook: None,
            number: NumberChoice::default(),
            pin: PinConfig::default(),
            vapid_contact: None,
            webpush_hosts: Vec::new(),
            webpush_ca: None,
            allow_private: false,
        }
    }
}

impl Default for PinConfig {
    fn default() -> Self {
        Self { required: false, length: 6, tries: 5 }
    }
}

impl Stance {
    /// The word of the file.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Yes => "yes",
            Self::Auto => "auto",
            Self::No => "no",
        }
    }
}

impl fmt::Display for ServerAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.host {
            Host::Address(IpAddr::V6(address)) => write!(f, "[{address}]:{}", self.port),
            Host::Address(IpAddr::V4(address)) => write!(f, "{address}:{}", self.port),
            Host::Name(name) => write!(f, "{name}:{}", self.port),
        }
    }
}

impl Config {
    /// The client of this name.
    #[must_use]
    pub fn client(&self, name: &ClientName) -> Option<&ClientConfig> {
        self.clients.iter().find(|client| client.name == *name)
    }

    /// The `[primary.NAME]` of this name; the built-in `local` has none.
    #[must_use]
    pub fn primary(&self, name: &PrimaryName) -> Option<&PrimaryConfig> {
        self.primaries.iter().find(|primary| primary.name == *name)
    }
}
