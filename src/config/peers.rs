//! Those we talk with: `[client.NAME]`, `[primary.NAME]`, `[method.push]`.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use ipnet::IpNet;
use login::policy::{ClientPolicy, Join};
use login::{ClientName, PrimaryName};
use wire::SharedSecret;

use super::finding::{Place, Severity};
use super::nearest::{listed, suggestion};
use super::node::{Node, Table, finding};
use super::reply::session_attribute;
use super::secrets::secret;
use super::types::{ClientConfig, PrimaryConfig, PushConfig, ServerAddress, Stance, WebhookConfig};
use super::{sections, values};

/// The built-in primary and directory: the store's own users.
pub(super) const LOCAL: &str = "local";
/// RFC 2865 §3: "the officially assigned port number for RADIUS is 1812".
const RADIUS_PORT: u16 = 1812;
/// A primary may have so many servers.
const SERVERS_MAX: usize = 16;

const STANCES: [(&str, Stance); 3] = [("yes", Stance::Yes), ("auto", Stance::Auto), ("no", Stance::No)];
const JOINS: [(&str, Join); 3] = [("station", Join::Station), ("connection", Join::Connection), ("weak", Join::Weak)];
const CLIENT: [&str; 12] = [
    "address",
    "primary",
    "directory",
    "profile",
    "gives_up_after",
    "require_message_authenticator",
    "append",
    "challenge",
    "join",
    "session_attribute",
    "allow_admin",
    "secret_file",
];

/// What the second pass needs of a client, even of one with mistakes.
pub(super) struct Sketch {
    pub(super) name: String,
    pub(super) networks: Vec<(IpNet, Place)>,
    /// No Access-Challenge, and no appended code either: where that is said.
    pub(super) cannot_ask: Option<Place>,
}

/// All clients: sketches of all, and each that is in order.
pub(super) fn clients(root: &Table<'_>, primaries: &[String]) -> (Vec<Sketch>, Vec<ClientConfig>) {
    let Some(section) = root.get("client").and_then(|node| node.open("[client]")) else {
        return (Vec::new(), Vec::new());
    };
    let read = section.entries().filter_map(|entry| client(&entry, primaries));
    let (sketches, clients): (Vec<Sketch>, Vec<Option<ClientConfig>>) = read.unzip();
    (sketches, clients.into_iter().flatten().collect())
}

fn client(entry: &Node<'_>, primaries: &[String]) -> Option<(Sketch, Option<ClientConfig>)> {
    let table = entry.table(&format!("[client.{}]", entry.key), &CLIENT)?;
    let name = named(entry);
    let addresses = table
        .require("address", "the appliance's own address, as in address = \"192.0.2.10\"")
        .and_then(|node| node.one_or_more());
    let networks: Vec<(IpNet, Place)> =
        addresses.into_iter().flatten().filter_map(|node| Some((network(&node)?, node.place()))).collect();
    let challenge = table.get("challenge").and_then(|node| node.flag());
    let append = table.get("append").map(|node| delimiter(&node));
    let cannot_ask =
        table.get("challenge").filter(|_| challenge == Some(false) && append.is_none()).map(|node| node.place());
    let policy = client_policy(&table, primaries, challenge, append);
    let rest = client_rest(&table);
    let sketch = Sketch { name: entry.key.clone(), networks, cannot_ask };
    let config = (|| {
        let (stance, session_attribute, secret) = rest?;
        let networks = sketch.networks.iter().map(|(net, _)| *net).collect();
        Some(ClientConfig {
            name: ClientName::new(name?),
            networks,
            secret,
            stance,
            session_attribute,
            policy: policy?,
        })
    })();
    Some((sketch, config))
}

fn client_policy(
    table: &Table<'_>,
    primaries: &[String],
    challenge: Option<bool>,
    append: Option<Option<Arc<str>>>,
) -> Option<ClientPolicy> {
    let primary = primary_of(table, primaries);
    let gives_up_after =
        table.get("gives_up_after").and_then(|node| node.duration(Duration::from_secs(3), Duration::from_secs(600)));
    let join = table.get("join").and_then(|node| join(&node));
    let allow_admin = table.get("allow_admin").and_then(|node| node.flag());
    let append = match append {
        Some(None) => return None,
        Some(append) => append,
        None => None,
    };
    Some(ClientPolicy {
        primary: primary?,
        gives_up_after: gives_up_after?,
        challenge: challenge?,
        append,
        join: join?,
        allow_admin: allow_admin?,
    })
}

type ClientRest = (Stance, Option<Arc<str>>, SharedSecret);

fn client_rest(table: &Table<'_>) -> Option<ClientRest> {
    let directory = table.get("directory").and_then(|node| node.one_of(&[(LOCAL, ())]));
    let profile = table.get("profile").and_then(|node| node.one_of(&[("generic", ())]));
    let stance = table.get("require_message_authenticator").and_then(|node| stance(&node));
    let attribute = table.get("session_attribute").map(|node| session_attribute(&node));
    let secret = secret(table, &format!("client.{}", table.node.key));
    directory.and(profile)?;
    let attribute = match attribute {
        Some(None) => return None,
        Some(attribute) => attribute,
        None => None,
    };
    Some((stance?, attribute, SharedSecret::new(secret?)))
}

/// A name that stands in metrics, logs and file names (rules G2).
fn named(entry: &Node<'_>) -> Option<String> {
    if values::is_name(&entry.key) {
        return Some(entry.key.clone());
    }
    let help = format!("1 to {} of a-z, 0-9 and -", values::NAME_OCTETS_MAX);
    entry.refuse_key("this is no name", &format!("found {}", values::quoted(&entry.key)), Some(help))
}

/// An address or a prefix. A prefix of length 0 would let everybody be this client.
pub(super) fn network(node: &Node<'_>) -> Option<IpNet> {
    match values::network(node.text()?) {
        Ok(net) => {
            if net.prefix_len() == 0 {
                node.warn("this prefix is every address", "the secret alone tells this client from a stranger", None);
            }
            Some(net)
        }
        Err(help) => node.expected("an address or a prefix", Some(help)),
    }
}

fn delimiter(node: &Node<'_>) -> Option<Arc<str>> {
    const CHARS_MAX: usize = 8;
    let text = node.text()?;
    // A digit or a letter would split a password where nobody meant it (rules C4).
    let fit = (1..=CHARS_MAX).contains(&text.chars().count())
        && !text.contains(|c: char| c.is_alphanumeric() || c.is_control());
    if fit {
        return Some(text.into());
    }
    node.expected("a delimiter", Some("one character that is no letter and no digit, as in append = \",\"".to_owned()))
}

fn join(node: &Node<'_>) -> Option<Join> {
    let join = node.one_of(&JOINS)?;
    if join == Join::Weak {
        let label = "requests without a station are taken for one login by their name alone";
        node.warn("weak joining is a risk", label, Some("whoever knows the name and the password joins a held login; use it only where the appliance sends no Calling-Station-Id".to_owned()));
    }
    Some(join)
}

fn stance(node: &Node<'_>) -> Option<Stance> {
    let stance = node.one_of(&STANCES)?;
    if stance == Stance::No {
        let label = "packets without Message-Authenticator are taken: Blast-RADIUS (CVE-2024-3596) is open here";
        node.warn(
            "this hop can be forged",
            label,
            Some(
                "switch Message-Authenticator on at the other end, then write \"yes\", or \"auto\" until it is"
                    .to_owned(),
            ),
        );
    }
    Some(stance)
}

fn primary_of(table: &Table<'_>, primaries: &[String]) -> Option<PrimaryName> {
    let known: Vec<&str> = primaries.iter().map(String::as_str).chain([LOCAL]).collect();
    let Some(node) = table.get("primary") else { return only_primary(table, primaries) };
    let name = node.text()?;
    if known.contains(&name) {
        return Some(PrimaryName::new(name));
    }
    let allowed = format!("there are: {}", listed(&known));
    node.refuse(
        &format!("there is no primary {}", values::quoted(name)),
        "no such [primary.NAME]",
        Some(suggestion(name, &known, &allowed)),
    )
}

/// The only one there is; with none configured, the built-in one.
fn only_primary(table: &Table<'_>, primaries: &[String]) -> Option<PrimaryName> {
    let only = match primaries {
        [] => LOCAL,
        [only] => only,
        several => {
            let several: Vec<&str> = several.iter().map(String::as_str).chain([LOCAL]).collect();
            let help = format!("there are several: say which one checks its passwords: {}", listed(&several));
            return table.node.refuse_key("`primary` is missing", &format!("{} needs it", table.title()), Some(help));
        }
    };
    let key = format!("{}.primary", table.node.shown_path());
    table.node.book.settings().insert(key, values::quoted(only), super::Origin::Default);
    Some(PrimaryName::new(only))
}

/// All primaries that are in order; and the names of all.
pub(super) fn primaries(root: &Table<'_>) -> (Vec<String>, Vec<PrimaryConfig>) {
    let Some(section) = root.get("primary").and_then(|node| node.open("[primary]")) else {
        return (Vec::new(), Vec::new());
    };
    let names = section.keys().filter(|name| *name != LOCAL).map(str::to_owned).collect();
    (names, section.entries().filter_map(|entry| primary(&entry)).collect())
}

fn primary(entry: &Node<'_>) -> Option<PrimaryConfig> {
    if entry.key == LOCAL {
        return entry.refuse_key(
            "`local` is built in",
            "the name is taken",
            Some("give this primary another name".to_owned()),
        );
    }
    let table = entry
        .table(&format!("[primary.{}]", entry.key), &["radius", "require_message_authenticator", "secret_file"])?;
    let name = named(entry);
    let servers = table
        .require("radius", "its servers in their order, as in radius = [\"10.0.0.5\", \"10.0.0.6\"]")
        .and_then(|node| servers(&node));
    let stance = table.get("require_message_authenticator").and_then(|node| stance(&node));
    let secret = secret(&table, &format!("primary.{}", entry.key));
    Some(PrimaryConfig {
        name: PrimaryName::new(name?),
        servers: servers?,
        secret: SharedSecret::new(secret?),
        stance: stance?,
    })
}

fn servers(list: &Node<'_>) -> Option<Vec<ServerAddress>> {
    let nodes = list.one_or_more()?;
    if nodes.len() > SERVERS_MAX {
        return list.expected(&format!("at most {SERVERS_MAX} servers"), None);
    }
    let read: Vec<Option<ServerAddress>> = nodes.iter().map(server).collect();
    for (number, node) in nodes.iter().enumerate() {
        let earlier = read.get(..number).unwrap_or_default();
        if read.get(number).is_some_and(|server| server.is_some() && earlier.contains(server)) {
            return node.refuse("this server is listed twice", &node.found(), None);
        }
    }
    read.into_iter().collect()
}

fn server(node: &Node<'_>) -> Option<ServerAddress> {
    let help = "an address or a host name, with a port where it is not 1812: \"10.0.0.5\", \"[2001:db8::5]:1645\", \"nps.example.com\"";
    match values::server(node.text()?, RADIUS_PORT) {
        Some(server) => Some(server),
        None => node.expected("servers", Some(help.to_owned())),
    }
}

/// `[method.push]`.
pub(super) fn push(root: &Table<'_>) -> Option<PushConfig> {
    let Some(section) = root.get("method") else { return Some(PushConfig::default()) };
    let Some(push) = section.table("[method]", &["push"])?.get("push") else { return Some(PushConfig::default()) };
    let table = push.table("[method.push]", &["channels", "webhook"])?;
    let channels = table.get("channels").map(|node| channels(&node));
    let webhook = table.get("webhook").map(|node| webhook(&node));
    match (channels, webhook) {
        (Some(None), _) | (_, Some(None)) => None,
        (Some(Some(())), None) => {
            let help = "say where: webhook = { url = \"https://notify.example.com/vestibule\" }";
            push.refuse_key("the channel \"webhook\" has no `webhook`", "[method.push] needs it", Some(help.to_owned()))
        }
        (_, webhook) => Some(PushConfig { webhook: webhook.flatten() }),
    }
}

fn channels(list: &Node<'_>) -> Option<()> {
    let read: Vec<Option<()>> = list.one_or_more()?.iter().map(|node| node.one_of(&[("webhook", ())])).collect();
    read.into_iter().collect()
}

fn webhook(node: &Node<'_>) -> Option<WebhookConfig> {
    let table = node.table("webhook", &["url", "ca", "allow_private", "secret_file"])?;
    let allow_private = table.get("allow_private").map_or(Some(false), |node| node.flag());
    let url = table
        .require("url", "where hints go, as in url = \"https://notify.example.com/vestibule\"")
        .and_then(|node| url(&node, allow_private));
    let ca = match table.get("ca") {
        Some(node) => sections::path(&node).map(Some),
        None => Some(None),
    };
    let secret = secret(&table, "method.push.webhook");
    Some(WebhookConfig { url: url?, ca: ca?, allow_private: allow_private?, secret: secret? })
}

/// Rules F6: https, and no private address unless that is allowed. Names are looked at once they are resolved.
fn url(node: &Node<'_>, allow_private: Option<bool>) -> Option<reqwest::Url> {
    let text = node.text()?;
    let https = "https and a host, as in \"https://notify.example.com/vestibule\"";
    let Ok(url) = reqwest::Url::parse(text) else { return node.expected("a URL", Some(https.to_owned())) };
    if url.scheme() != "https" {
        return node.expected("an https URL", Some(https.to_owned()));
    }
    if !url.username().is_empty() || url.password().is_some() || url.fragment().is_some() {
        return node.refuse("this URL holds more than a place", "no user, password or fragment here", None);
    }
    let literal = url.host_str().and_then(|host| host.trim_matches(['[', ']']).parse::<IpAddr>().ok());
    if allow_private == Some(false) && literal.is_some_and(is_private) {
        return node.refuse(
            "this address is private",
            &node.found(),
            Some("add allow_private = true if it is meant".to_owned()),
        );
    }
    Some(url)
}

fn is_private(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => v4.is_loopback() || v4.is_private() || v4.is_link_local() || v4.is_unspecified(),
        IpAddr::V6(v6) => v6.is_loopback() || v6.is_unique_local() || v6.is_unicast_link_local() || v6.is_unspecified(),
    }
}

/// Rules E5, and the longest prefix must name one client: no prefix of one lies within another's.
pub(super) fn overlaps(root: &Table<'_>, sketches: &[Sketch]) {
    let all: Vec<(&str, &IpNet, &Place)> = sketches
        .iter()
        .flat_map(|one| one.networks.iter().map(|(net, place)| (one.name.as_str(), net, place)))
        .collect();
    for (number, (name, net, place)) in all.iter().enumerate() {
        for (other, earlier, there) in all.get(..number).unwrap_or_default() {
            if net.contains(*earlier) || earlier.contains(*net) {
                overlap(root, (name, net, place), (other, earlier, there));
            }
        }
    }
}

fn overlap(
    root: &Table<'_>,
    (name, net, place): (&str, &IpNet, &Place),
    (other, earlier, there): (&str, &IpNet, &Place),
) {
    let severity = if name == other { Severity::Warning } else { Severity::Error };
    let (message, label) = match (name == other, net == earlier) {
        (true, true) => ("this address is listed twice".to_owned(), "again".to_owned()),
        (true, false) => ("these prefixes overlap".to_owned(), format!("{net} and {earlier} are the same client's")),
        (false, true) => (format!("two clients have the address {}", bare(net)), format!("`{name}` has it")),
        (false, false) => {
            (format!("the clients `{name}` and `{other}` overlap"), format!("`{name}` has {}", bare(net)))
        }
    };
    let help = (name != other).then(|| "a packet must belong to one client: give each its own addresses".to_owned());
    let mut found = finding(severity, place.clone(), &message, &label, help);
    found.other = Some((there.clone(), format!("`{other}` has {}", bare(earlier))));
    root.node.book.note(found);
}

/// A single address without its length.
fn bare(net: &IpNet) -> String {
    if net.prefix_len() == net.max_prefix_len() { net.addr().to_string() } else { net.to_string() }
}
