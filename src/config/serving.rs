//! What `[portal]` and `[admin]` have in common: a socket, an address, a certificate, and proxies that are believed.
//!
//! Pages never leave this host in the clear: without a certificate they are served on loopback only, or behind a proxy
//! that the site names. A forwarded address counts only from a named proxy (rules F3).

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use ipnet::IpNet;
use reqwest::Url;

use super::node::{Node, Table};
use super::pages::{AcmeConfig, PagesConfig, PublicUrl, TlsSource};
use super::settings::Origin;
use super::{peers, sections, values};

/// The keys that are read here.
pub(super) const KEYS: [&str; 5] = ["listen", "url", "tls", "acme", "trusted_proxies"];

const URL: &str = "the address that people type, as in url = \"https://mfa.example.com\"";

/// How pages are served. `usual_url` makes the address where none is said, if these pages need none.
pub(super) fn pages(
    table: &Table<'_>,
    usual_url: impl FnOnce(SocketAddr, &TlsSource) -> Option<PublicUrl>,
) -> Option<PagesConfig> {
    let listen = table.get("listen").map(|node| sections::socket(&node));
    let tls = match table.get("tls") {
        Some(node) => tls(&node),
        None => Some(TlsSource::None),
    };
    let trusted_proxies = match table.get("trusted_proxies") {
        Some(node) => proxies(&node),
        None => Some(Vec::new()),
    };
    let acme = tls.as_ref().and_then(|tls| acme(table, tls));
    let (listen, tls, trusted_proxies) = (listen.flatten(), tls, trusted_proxies);
    let stands = listen.zip(tls.as_ref()).zip(trusted_proxies.as_ref());
    let alone = stands.is_some_and(|((listen, tls), proxies)| {
        *tls == TlsSource::None && listen.ip().is_loopback() && proxies.is_empty()
    });
    let url = match (table.get("url"), stands) {
        (Some(node), _) => url(&node, alone),
        (None, Some(((listen, tls), proxies))) if proxies.is_empty() => {
            usual_url(listen, tls).or_else(|| table.require("url", URL).and(None))
        }
        (None, _) => table.require("url", URL).and(None),
    };
    if let Some(((listen, tls), proxies)) = stands {
        sealed(table, listen, tls, proxies)?;
    }
    if let (Some(TlsSource::Acme), Some(url)) = (&tls, &url) {
        named(table, url)?;
    }
    Some(PagesConfig { listen: listen?, url: url?, tls: tls?, acme: acme?, trusted_proxies: trusted_proxies? })
}

/// Passwords and session cookies are sent here.
fn sealed(table: &Table<'_>, listen: SocketAddr, tls: &TlsSource, proxies: &[IpNet]) -> Option<()> {
    if *tls != TlsSource::None || listen.ip().is_loopback() || !proxies.is_empty() {
        return Some(());
    }
    let help = "say tls = { certificate = \"tls/cert.pem\", key = \"tls/cert.key\" } or tls = \"acme\"; or, where a proxy speaks TLS, trusted_proxies = [\"10.0.0.2\"]";
    table.node.refuse_key(
        "`tls` is missing",
        &format!("passwords would cross the net in the clear to {listen}"),
        Some(help.to_owned()),
    )
}

/// RFC 8555 §9.7.7 knows DNS names; addresses are another extension.
fn named(table: &Table<'_>, url: &PublicUrl) -> Option<()> {
    let is_name = url.host().parse::<IpAddr>().is_err() && url.host().contains('.');
    if is_name {
        return Some(());
    }
    let help = "give `url` the host's DNS name, or say tls = { certificate = …, key = … }".to_owned();
    let node = table.get_quietly("url").unwrap_or_else(|| table.node.clone());
    node.refuse(
        "no certificate is to be had for this over ACME",
        &format!("{} is no public name", values::quoted(url.host())),
        Some(help),
    )
}

/// The one right spelling: phones sign it and compare it letter by letter.
fn url(node: &Node<'_>, may_be_plain: bool) -> Option<PublicUrl> {
    let help = "https and a host, as in \"https://mfa.example.com\"";
    let Ok(parsed) = Url::parse(node.text_of("an https URL", help)?) else {
        return node.expected("an https URL", Some(help.to_owned()));
    };
    if !parsed.username().is_empty() || parsed.password().is_some() {
        return node.refuse("this URL holds more than a place", "no user and no password here", None);
    }
    let is_plain = parsed.scheme() == "http" && may_be_plain;
    let Some(public) = PublicUrl::of(&parsed).filter(|_| is_plain || parsed.scheme() == "https") else {
        return node.expected("an https URL", Some(help.to_owned()));
    };
    if node.value.as_str() == Some(public.as_str()) {
        return Some(public);
    }
    let help = format!("write {}: phones compare it letter by letter", values::quoted(public.as_str()));
    node.refuse("this address has another right spelling", &node.found(), Some(help))
}

impl PublicUrl {
    /// What is right of a URL: its scheme, host and port.
    pub(super) fn of(url: &Url) -> Option<Self> {
        let host = url.host_str()?.trim_end_matches('.');
        let port = url.port_or_known_default()?;
        let text = match url.port() {
            Some(port) => format!("{}://{host}:{port}", url.scheme()),
            None => format!("{}://{host}", url.scheme()),
        };
        Some(Self { text: text.into(), host: host.trim_matches(['[', ']']).into(), port })
    }
}

fn tls(node: &Node<'_>) -> Option<TlsSource> {
    let help = "tls = { certificate = \"tls/cert.pem\", key = \"tls/cert.key\" }, or tls = \"acme\"";
    match node.value.as_str() {
        Some("acme") => return Some(TlsSource::Acme),
        Some(_) => return node.expected("\"acme\" or files", Some(help.to_owned())),
        None => {}
    }
    let table = node.table("tls", &["certificate", "key"])?;
    let file = |key: &str| table.require(key, help).and_then(|node| sections::path(&node));
    let (certificate, key) = (file("certificate"), file("key"));
    Some(TlsSource::Files { certificate: certificate?, key: key? })
}

fn acme(table: &Table<'_>, tls: &TlsSource) -> Option<AcmeConfig> {
    let Some(node) = table.get("acme") else { return Some(AcmeConfig::default()) };
    if *tls != TlsSource::Acme {
        let help = "say tls = \"acme\", or take `acme` out".to_owned();
        return node.refuse_key("`acme` means nothing here", "`tls` is not \"acme\"", Some(help));
    }
    let table = node.table("acme", &["directory", "contact", "ca", "http_listen"])?;
    let usual = AcmeConfig::default();
    let directory = table.get("directory").map_or(Some(usual.directory), |node| https(&node));
    let contact = table.get("contact").map_or(Some(None), |node| contact(&node, &["mailto:"]).map(Some));
    let ca = table.get("ca").map_or(Some(None), |node| sections::path(&node).map(Some));
    let http_listen = table.get("http_listen").map_or(Some(None), |node| sections::socket(&node).map(Some));
    Some(AcmeConfig { directory: directory?, contact: contact?, ca: ca?, http_listen: http_listen? })
}

fn https(node: &Node<'_>) -> Option<Arc<str>> {
    let help = "as in \"https://acme.example/directory\"";
    let text = node.text_of("an https URL", help)?;
    let is_right = Url::parse(text).is_ok_and(|url| url.scheme() == "https" && url.username().is_empty());
    if is_right { Some(text.into()) } else { node.expected("an https URL", Some(help.to_owned())) }
}

/// A URI by which somebody is written to, of one of these schemes.
pub(super) fn contact(node: &Node<'_>, schemes: &[&str]) -> Option<Arc<str>> {
    let what = if schemes.contains(&"https:") { "a mailto: or https: address" } else { "a mailto: address" };
    let help = "as in \"mailto:it@example.com\"";
    let text = node.text_of(what, help)?;
    let is_right = match text.strip_prefix("mailto:") {
        Some(address) => address.parse::<lettre::Address>().is_ok(),
        None => schemes.contains(&"https:") && Url::parse(text).is_ok_and(|url| url.scheme() == "https"),
    };
    if is_right { Some(text.into()) } else { node.expected(what, Some(help.to_owned())) }
}

fn proxies(list: &Node<'_>) -> Option<Vec<IpNet>> {
    networks(list, "this trusts everybody", "whoever reaches us would choose their own address: name the proxies")
}

/// Networks that mean something: none of them is every address.
pub(super) fn networks(list: &Node<'_>, everybody: &str, help: &str) -> Option<Vec<IpNet>> {
    let read: Vec<Option<IpNet>> = list
        .one_or_more()?
        .iter()
        .map(|node| match peers::prefix(node)? {
            net if net.prefix_len() == 0 => node.refuse(everybody, &node.found(), Some(help.to_owned())),
            net => Some(net),
        })
        .collect();
    read.into_iter().collect()
}

/// The sockets of TCP, by the keys that name them: each only once.
const SOCKETS: [&[&str]; 5] = [
    &["metrics", "listen"],
    &["portal", "listen"],
    &["portal", "acme", "http_listen"],
    &["admin", "listen"],
    &["admin", "acme", "http_listen"],
];

/// Two sections can't have one socket.
pub(super) fn sockets_differ(root: &Table<'_>) {
    let mut earlier: Vec<(Node<'_>, SocketAddr)> = Vec::new();
    for path in SOCKETS {
        let Some(node) = found(root, path) else { continue };
        let Some(socket) = node.value.as_str().and_then(|text| text.parse::<SocketAddr>().ok()) else { continue };
        if let Some((other, _)) = earlier.iter().find(|(_, other)| collide(*other, socket)) {
            // Drawn at the one that the site wrote.
            let (here, there) = if node.origin() == Origin::Default { (other, &node) } else { (&node, other) };
            let label = format!("`{}` has it too", there.shown_path());
            here.refuse::<()>("this socket is taken", &label, Some("give it another port".to_owned()));
        }
        earlier.push((node, socket));
    }
}

fn found<'a>(root: &Table<'a>, path: &[&str]) -> Option<Node<'a>> {
    let (last, above) = path.split_last()?;
    let mut table = root.clone();
    for key in above {
        table = table.get_quietly(key)?.opened()?;
    }
    table.get_quietly(last)
}

fn collide(one: SocketAddr, other: SocketAddr) -> bool {
    one.port() == other.port() && (one.ip() == other.ip() || one.ip().is_unspecified() || other.ip().is_unspecified())
}
