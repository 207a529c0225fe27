//! Those we talk with: `[client.NAME]` and `[primary.NAME]`.

use std::sync::Arc;
use std::time::Duration;

use ipnet::IpNet;
use login::policy::{ClientPolicy, Join, NumberWish, PrimaryPolicy, WhenUnavailable};
use login::{ClientName, PrimaryName, Wall};
use wire::{Secret, SharedSecret};

use super::finding::{Place, Severity};
use super::nearest::{listed, suggestion};
use super::node::{Node, Table, finding};
use super::profile::{PROFILES, Profile};
use super::reply::session_attribute;
use super::secrets::secret;
use super::settings::Origin;
use super::types::{ClientConfig, Placed, PrimaryConfig, ServerAddress, Stance};
use super::values;

/// The built-in primary and directory: the store's own users.
pub(super) const LOCAL: &str = "local";
/// RFC 2865 §3: "the officially assigned port number for RADIUS is 1812".
const RADIUS_PORT: u16 = 1812;
const ADDRESS: &str = "as in \"192.0.2.10\" or \"10.20.0.0/16\"";
/// A primary may have so many servers.
const SERVERS_MAX: usize = 16;

const STANCES: [(&str, Stance); 3] = [("yes", Stance::Yes), ("auto", Stance::Auto), ("no", Stance::No)];
const PLACES: [(&str, Placed); 3] = [("first", Placed::First), ("last", Placed::Last), ("never", Placed::Nowhere)];
const JOINS: [(&str, Join); 3] = [("station", Join::Station), ("connection", Join::Connection), ("weak", Join::Weak)];
const NUMBERS: [(&str, NumberWish); 3] =
    [("shown", NumberWish::Shown), ("typed", NumberWish::Typed), ("off", NumberWish::Off)];
const PRIMARY: [&str; 5] = ["radius", "require_message_authenticator", "secret_file", "letters", "resolved"];
const UNAVAILABLE: [(&str, WhenUnavailable); 2] =
    [("silent", WhenUnavailable::Silent), ("reject", WhenUnavailable::Reject)];
const CLIENT: [&str; 17] = [
    "address",
    "title",
    "primary",
    "directory",
    "profile",
    "gives_up_after",
    "when_unavailable",
    "message_authenticator",
    "require_message_authenticator",
    "until",
    "append",
    "challenge",
    "join",
    "number",
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
    /// It can show an Access-Challenge, and where that is said.
    pub(super) challenge: Option<(bool, Place)>,
    /// How a push asks for a number here, said by hand, and where.
    pub(super) number: Option<(NumberWish, Place)>,
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
    if is_variable(entry, "client") {
        return None;
    }
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
    let shows = table.get("challenge").and_then(|node| Some((challenge?, node.place())));
    let number = table.get("number").map(|node| (node.one_of(&NUMBERS), node.place()));
    let number_is_wrong = matches!(number, Some((None, _)));
    let number = number.and_then(|(wish, place)| Some((wish?, place)));
    let policy = client_policy(&table, primaries, challenge, append).filter(|_| !number_is_wrong);
    let rest = client_rest(&table);
    let sketch = Sketch { name: entry.key.clone(), networks, cannot_ask, challenge: shows, number };
    let config = (|| {
        let (stance, session_attribute, secret, profile, (message_authenticator, bare_until)) = rest?;
        let networks = sketch.networks.iter().map(|(net, _)| *net).collect();
        Some(ClientConfig {
            name: ClientName::new(name?),
            networks,
            secret,
            stance,
            profile,
            message_authenticator,
            bare_until,
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
    let primary = primary_named(table, "primary", primaries);
    let gives_up_after =
        table.get("gives_up_after").and_then(|node| node.duration(Duration::from_secs(3), Duration::from_secs(600)));
    let join = table.get("join").and_then(|node| join(&node));
    let when_unavailable = table.get("when_unavailable").and_then(|node| node.one_of(&UNAVAILABLE));
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
        // `numbers` says what it is, once the rules are read.
        number: NumberWish::Off,
        when_unavailable: when_unavailable?,
    })
}

type ClientRest = (Stance, Option<Arc<str>>, SharedSecret, &'static Profile, (Placed, Option<Wall>));

fn client_rest(table: &Table<'_>) -> Option<ClientRest> {
    let directory = table.get("directory").and_then(|node| node.one_of(&[(LOCAL, ())]));
    let profile = profile(table);
    let place = placed(table);
    let stance = table.get("require_message_authenticator").and_then(|node| stance(&node));
    let attribute = table.get("session_attribute").map(|node| session_attribute(&node));
    let secret = named_secret(table, "client");
    directory?;
    let attribute = match attribute {
        Some(None) => return None,
        Some(attribute) => attribute,
        None => None,
    };
    Some((stance?, attribute, SharedSecret::new(secret?), profile?, place?))
}

/// Where Message-Authenticator stands in our answers, and until when it may be left out (rules E1).
fn placed(table: &Table<'_>) -> Option<(Placed, Option<Wall>)> {
    let node = table.get("message_authenticator")?;
    let place = node.one_of(&PLACES)?;
    let until = match table.get("until") {
        Some(day) => Some(super::rules::midnight(&day)?),
        None => None,
    };
    match (place, until) {
        (Placed::Nowhere, None) => node.refuse(
            "answers without Message-Authenticator need an end",
            "`until` is missing",
            Some(
                "add until = DATE, and update the appliance before: what is not signed can be forged on the way"
                    .to_owned(),
            ),
        ),
        (Placed::Nowhere, Some(_)) => {
            node.warn(
                "a hole: answers without Message-Authenticator",
                "whoever is on the path may forge an Access-Accept (CVE-2024-3596)",
                Some(
                    "keep the path between the appliance and this server private; past `until` its logins are rejected"
                        .to_owned(),
                ),
            );
            Some((place, until))
        }
        (Placed::First | Placed::Last, Some(_)) => {
            let help = "it is the end of message_authenticator = \"never\"; leave it out";
            table.get("until")?.refuse("`until` has nothing to end here", "nothing ends", Some(help.to_owned()))
        }
        (Placed::First | Placed::Last, None) => Some((place, None)),
    }
}

/// Which kind of client it is; one whose own patience is known is held no longer than it waits.
fn profile(table: &Table<'_>) -> Option<&'static Profile> {
    let words: Vec<(&str, &'static Profile)> = PROFILES.iter().map(|profile| (profile.name, profile)).collect();
    let named = table.get("profile")?;
    let profile = named.one_of(&words)?;
    let (Some(waits), Some(node)) = (profile.waits(), table.get_quietly("gives_up_after")) else {
        return Some(profile);
    };
    let said = node.value.as_str().and_then(values::duration);
    if said.is_some_and(|said| said > waits) {
        let message = format!("{} waits {} as it comes", profile.title, values::spelt(waits));
        let label = format!("a login is held for {} there", said.map(values::spelt).unwrap_or_default());
        let help = format!(
            "what is approved later reaches nobody. Its own setting is {}: let that and gives_up_after say the same; docs/appliances/{}.md tells more",
            profile.setting, profile.name
        );
        named.warn(&message, &label, Some(help));
    }
    Some(profile)
}

/// A name that stands in metrics, logs and file names (rules G2).
fn named(entry: &Node<'_>) -> Option<String> {
    if values::is_name(&entry.key) {
        return Some(entry.key.clone());
    }
    let help = format!("1 to {} of a-z, 0-9 and -", values::NAME_OCTETS_MAX);
    entry.refuse_key("this is no name", &format!("found {}", values::quoted(&entry.key)), Some(help))
}

/// A name that is none names no file either.
fn named_secret(table: &Table<'_>, kind: &str) -> Option<Secret> {
    let name = &table.node.key;
    values::is_name(name).then(|| secret(table, &format!("{kind}.{name}"))).flatten()
}

/// A variable sets single values of what a file names, and makes nothing new.
fn is_variable(entry: &Node<'_>, kind: &str) -> bool {
    let alone = matches!(entry.key_place(), Place::Environment(_));
    if alone {
        let help = "a variable sets single values of what a file names".to_owned();
        entry.refuse_key::<()>(&format!("there is no [{kind}.{}]", entry.key), "no file names it", Some(help));
    }
    alone
}

/// An address or a prefix. A prefix of length 0 would let everybody be this client.
pub(super) fn network(node: &Node<'_>) -> Option<IpNet> {
    let net = prefix(node)?;
    if net.prefix_len() == 0 {
        node.warn("this prefix is every address", "the secret alone tells this client from a stranger", None);
    }
    Some(net)
}

/// An address or a prefix of any length.
pub(super) fn prefix(node: &Node<'_>) -> Option<IpNet> {
    let what = "an address or a prefix";
    match values::network(node.text_of(what, ADDRESS)?) {
        Ok(net) => Some(net),
        Err(why) => node.expected(what, Some(why.unwrap_or_else(|| ADDRESS.to_owned()))),
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

/// The primary that `key` names, or the only one that can be meant.
pub(super) fn primary_named(table: &Table<'_>, key: &str, primaries: &[String]) -> Option<PrimaryName> {
    let known: Vec<&str> = primaries.iter().map(String::as_str).chain([LOCAL]).collect();
    let Some(node) = table.get(key) else { return only_primary(table, key, primaries) };
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
fn only_primary(table: &Table<'_>, key: &str, primaries: &[String]) -> Option<PrimaryName> {
    let only = match primaries {
        [] => LOCAL,
        [only] => only,
        several => {
            let several: Vec<&str> = several.iter().map(String::as_str).chain([LOCAL]).collect();
            let help = format!("there are several: say which one checks its passwords: {}", listed(&several));
            return table.node.refuse_key(
                &format!("`{key}` is missing"),
                &format!("{} needs it", table.title()),
                Some(help),
            );
        }
    };
    let key = format!("{}.{key}", table.node.shown_path());
    table.node.book.settings().insert(key, values::quoted(only), Origin::Default);
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
    let table = entry.table(&format!("[primary.{}]", entry.key), &PRIMARY)?;
    let name = named(entry);
    let servers = table
        .require("radius", "its servers in their order, as in radius = [\"10.0.0.5\", \"10.0.0.6\"]")
        .and_then(|node| servers(&node));
    let stance = table.get("require_message_authenticator").and_then(|node| stance(&node));
    let secret = named_secret(&table, "primary");
    let names = names_at(&table);
    Some(PrimaryConfig {
        name: PrimaryName::new(name?),
        servers: servers?,
        secret: SharedSecret::new(secret?),
        stance: stance?,
        names: names?,
    })
}

/// How the server reads names (rules A2).
fn names_at(table: &Table<'_>) -> Option<PrimaryPolicy> {
    let letters = table.get("letters").map_or(Some(false), |node| node.one_of(&[("ascii", false), ("distinct", true)]));
    let resolved = table.get("resolved").map_or(Some(false), |node| node.one_of(&[("accept", true)]));
    Some(PrimaryPolicy { letters_distinct: letters?, tells_user: resolved? })
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
    match values::server(node.text_of("addresses or host names", help)?, RADIUS_PORT) {
        Some(server) => Some(server),
        None => node.refuse("this is no server", &node.found(), Some(help.to_owned())),
    }
}

/// A network, whose it is and where that is said.
type Claimed<'a> = (&'a str, &'a IpNet, &'a Place);

/// Rules E5, and the longest prefix must name one client: no prefix of one lies within another's. In their order each
/// network stands right after those that hold it, so each is compared with the nearest of them only.
pub(super) fn overlaps(root: &Table<'_>, sketches: &[Sketch]) {
    let mut all: Vec<Claimed<'_>> = sketches
        .iter()
        .flat_map(|one| one.networks.iter().map(|(net, place)| (one.name.as_str(), net, place)))
        .collect();
    all.sort_by_key(|(_, net, _)| **net);
    let mut holding: Vec<Claimed<'_>> = Vec::new();
    for this in all {
        while holding.pop_if(|(_, net, _)| !net.contains(this.1)).is_some() {}
        if let Some(that) = holding.last().copied() {
            if is_before(this.2, that.2) { overlap(root, that, this) } else { overlap(root, this, that) }
        }
        holding.push(this);
    }
}

/// The mistake is drawn at the later of two, as one reads.
fn is_before(place: &Place, other: &Place) -> bool {
    match (place, other) {
        (Place::File { source, span }, Place::File { source: there, span: that }) => {
            source.name == there.name && span.start < that.start
        }
        (Place::Environment(_) | Place::Whole(_), _) | (_, Place::Environment(_) | Place::Whole(_)) => false,
    }
}

fn overlap(root: &Table<'_>, (name, net, place): Claimed<'_>, (other, earlier, there): Claimed<'_>) {
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
