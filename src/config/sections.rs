//! The sections with one table each: `[radius]`, `[store]`, `[metrics]`, `[audit]`, `[limits]`, `[realms]`.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use login::limits::Limits;
use login::name::Realms;

use super::node::{Node, Table};
use super::types::{AuditConfig, StoreConfig};

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);
const DAY: Duration = Duration::from_secs(24 * 3600);

/// `[radius]`: the sockets of `listen`, and those of `accounting`.
pub(super) fn radius(root: &Table<'_>) -> Option<(Vec<SocketAddr>, Vec<SocketAddr>)> {
    let table = root.get("radius")?.table("[radius]", &["listen", "accounting"])?;
    let listen = table.get("listen")?.one_or_more()?;
    let accounting = match table.get("accounting") {
        Some(node) => node.one_or_more()?,
        None => Vec::new(),
    };
    let nodes: Vec<&Node<'_>> = listen.iter().chain(&accounting).collect();
    let mut sockets: Vec<Option<SocketAddr>> = nodes.iter().map(|node| socket(node)).collect();
    for (number, node) in nodes.iter().enumerate() {
        let earlier = sockets.get(..number).unwrap_or_default();
        if sockets.get(number).is_some_and(|socket| socket.is_some() && earlier.contains(socket)) {
            return node.refuse("this socket is listed twice", &node.found(), None);
        }
    }
    let accounting = sockets.split_off(listen.len());
    Some((sockets.into_iter().collect::<Option<_>>()?, accounting.into_iter().collect::<Option<_>>()?))
}

/// `[metrics] listen`.
pub(super) fn metrics(root: &Table<'_>) -> Option<SocketAddr> {
    socket(&root.get("metrics")?.table("[metrics]", &["listen"])?.get("listen")?)
}

/// An address with its port.
pub(super) fn socket(node: &Node<'_>) -> Option<SocketAddr> {
    let help = "an address and a port, as in \"127.0.0.1:1812\" or \"[::1]:1812\"";
    match node.text_of("an address with a port", help)?.parse::<SocketAddr>() {
        Ok(socket) if socket.port() != 0 => Some(socket),
        _ => node.expected("an address with a port", Some(help.to_owned())),
    }
}

/// `[store]`.
pub(super) fn store(root: &Table<'_>) -> Option<StoreConfig> {
    let table = root.get("store")?.table("[store]", &["url", "key_file"])?;
    let file = table.get("url").and_then(|node| sqlite(&node));
    let key_file = table.get("key_file").and_then(|node| path(&node));
    Some(StoreConfig { file: file?, key_file: key_file? })
}

fn sqlite(node: &Node<'_>) -> Option<PathBuf> {
    let help = "\"sqlite:\" and the path of the file, as in \"sqlite:/var/lib/vestibule/vestibule.db\"";
    match node.text_of("the URL of an SQLite file", help)?.strip_prefix("sqlite:") {
        Some(":memory:") => node.refuse("the store must last", &node.found(), Some(help.to_owned())),
        Some(file) if !file.is_empty() => Some(node.book.resolve(&node.path, file)),
        _ => node.expected("the URL of an SQLite file", Some(help.to_owned())),
    }
}

/// A path, relative to the file that names it.
pub(super) fn path(node: &Node<'_>) -> Option<PathBuf> {
    match node.text_of("a path", "")? {
        "" => node.expected("a path", None),
        text if text.contains('\0') => node.expected("a path", None),
        text => Some(node.book.resolve(&node.path, text)),
    }
}

/// `[audit]`: the file beside the store, and how long the store keeps its records (rules F2).
pub(super) fn audit(root: &Table<'_>) -> Option<AuditConfig> {
    let table = root.get("audit")?.table("[audit]", &["file", "keep", "keep_at_most"])?;
    let file = match table.get("file") {
        Some(node) => path(&node).map(Some),
        None => Some(None),
    };
    let keep = table.get("keep").and_then(|node| node.duration(DAY, 3660 * DAY));
    let keep_at_most = table.get("keep_at_most").and_then(|node| node.octets(64 << 20, 1 << 50));
    Some(AuditConfig { file: file?, keep: keep?, keep_at_most: keep_at_most? })
}

const LIMITS: [&str; 19] = [
    "code_failures",
    "code_pause",
    "code_pause_max",
    "code_failures_max",
    "station_known_for",
    "hotp_look_ahead",
    "pushes_unanswered",
    "push_quiet",
    "push_quiet_max",
    "challenge_tries",
    "prompt_lasts",
    "state_lasts",
    "reject_delay",
    "shield",
    "bare_failures_per_minute",
    "unknown_names_per_minute",
    "held_sessions",
    "held_bytes",
    "drain_within",
];

/// `[limits]`: the numbers of the rules' part D, and the bounds of what is held. Each is read, so that each mistake is told.
pub(super) fn limits(root: &Table<'_>) -> Option<Limits> {
    let table = root.get("limits")?.table("[limits]", &LIMITS)?;
    let count = |key: &str, least: u64, most: u64| table.get(key).and_then(|node| node.number(least, most));
    let small =
        |key: &str, least: u64, most: u32| count(key, least, most.into()).and_then(|number| u32::try_from(number).ok());
    let size =
        |key: &str, least: u64, most: u64| count(key, least, most).and_then(|number| usize::try_from(number).ok());
    let time = |key: &str, least: Duration, most: Duration| table.get(key).and_then(|node| node.duration(least, most));

    let code_failures = small("code_failures", 1, 1000);
    let code_pause = time("code_pause", SECOND, DAY);
    let code_pause_max = time("code_pause_max", SECOND, 30 * DAY);
    let code_failures_max = small("code_failures_max", 1, 10_000);
    let station_known_for = time("station_known_for", MINUTE, 365 * DAY);
    let hotp_look_ahead = small("hotp_look_ahead", 0, 100);
    let pushes_unanswered = small("pushes_unanswered", 1, 100);
    let push_quiet = time("push_quiet", SECOND, DAY);
    let push_quiet_max = time("push_quiet_max", SECOND, 30 * DAY);
    let challenge_tries = small("challenge_tries", 1, 10);
    // Rules B5: a prompt ends after 120 s at most.
    let prompt_lasts = time("prompt_lasts", 10 * SECOND, 120 * SECOND);
    let state_lasts = time("state_lasts", 10 * SECOND, 600 * SECOND);
    // Rules D6: 5 s at most.
    let reject_delay = time("reject_delay", Duration::ZERO, 5 * SECOND);
    let shield = table.get("shield").and_then(|node| shield(&node));
    let bare_failures_per_minute = small("bare_failures_per_minute", 1, 100_000);
    let unknown_names_per_minute = small("unknown_names_per_minute", 1, 1_000_000);
    let held_sessions = size("held_sessions", 1, 10_000_000);
    let held_bytes = size("held_bytes", 1 << 20, 1 << 40);
    let drain_within = time("drain_within", Duration::ZERO, 600 * SECOND);

    let limits = Limits {
        code_failures: code_failures?,
        code_pause: code_pause?,
        code_pause_max: code_pause_max?,
        code_failures_max: code_failures_max?,
        station_known_for: station_known_for?,
        hotp_look_ahead: hotp_look_ahead?,
        pushes_unanswered: pushes_unanswered?,
        push_quiet: push_quiet?,
        push_quiet_max: push_quiet_max?,
        challenge_tries: challenge_tries?,
        prompt_lasts: prompt_lasts?,
        state_lasts: state_lasts?,
        reject_delay: reject_delay?,
        shield: shield?.unwrap_or(Limits::default().shield),
        shield_watches: shield?.is_none(),
        bare_failures_per_minute: bare_failures_per_minute?,
        unknown_names_per_minute: unknown_names_per_minute?,
        held_sessions: held_sessions?,
        held_bytes: held_bytes?,
        drain_within: drain_within?,
    };
    ordered(&table, &limits).then_some(limits)
}

/// Rules D7: how many failures of a name hold it back; or `"watch"`, which only tells. Outside `None`: neither.
fn shield(node: &Node<'_>) -> Option<Option<u32>> {
    match node.value.as_str() {
        Some("watch") => Some(None),
        Some(_) if node.variable().is_none() => {
            let help = "a name is held back after so many wrong passwords within half an hour; \"watch\" holds nobody back and tells";
            node.expected("a number from 1 to 1000, or \"watch\"", Some(help.to_owned()))
        }
        Some(_) | None => node.number(1, 1000).and_then(|number| u32::try_from(number).ok()).map(Some),
    }
}

/// A longest pause can't be shorter than the first.
fn ordered(table: &Table<'_>, limits: &Limits) -> bool {
    let pairs = [
        ("code_pause", "code_pause_max", limits.code_pause <= limits.code_pause_max),
        ("push_quiet", "push_quiet_max", limits.push_quiet <= limits.push_quiet_max),
        ("code_failures", "code_failures_max", limits.code_failures <= limits.code_failures_max),
    ];
    let broken = pairs.iter().filter(|(_, _, in_order)| !in_order);
    broken.map(|(less, more, _)| misordered(table, less, more)).count() == 0
}

/// Drawn at the one of the two that the site wrote.
pub(super) fn misordered(table: &Table<'_>, less: &str, more: &str) {
    let (Some(low), Some(high)) = (table.get(less), table.get(more)) else { return };
    let at = if high.origin() == super::Origin::Default { &low } else { &high };
    let label = format!("{less} = {}, {more} = {}", super::values::shown(low.value), super::values::shown(high.value));
    at.refuse::<()>(&format!("`{more}` is less than `{less}`"), &label, None);
}

/// `[realms]`: NetBIOS domain to DNS realm, the realm of bare names, or that there are none (rules A2).
pub(super) fn realms(root: &Table<'_>) -> Option<Realms> {
    let Some(section) = root.get("realms") else { return Some(Realms::Unsaid) };
    let table = section.open("[realms]")?;
    let is_none = table.get("none").map(|node| node.flag());
    let default = table.get("default").map(|node| realm(&node));
    let listed = table.entries().filter(|entry| !matches!(entry.key.as_str(), "default" | "none"));
    let mut pairs: Vec<(String, String)> = Vec::new();
    let mut whole = true;
    for node in listed.filter_map(|entry| table.get(&entry.key)) {
        let pair = domain(&node).and_then(|domain| Some((domain, realm(&node)?)));
        let twice = pair.as_ref().is_some_and(|(domain, _)| pairs.iter().any(|(known, _)| known == domain));
        if twice {
            let message = format!("the domain `{}` is listed twice", node.key);
            node.refuse_key::<()>(&message, "domains compare without case", None);
        }
        whole &= pair.is_some() && !twice;
        pairs.extend(pair);
    }
    match (is_none, default) {
        (Some(None), _) | (_, Some(None)) => None,
        (Some(Some(true)), None) if pairs.is_empty() => whole.then_some(Realms::PartOfName),
        (Some(Some(true)), _) => {
            let help = "none = true says that a realm is part of the name; with realms listed, leave it out".to_owned();
            table.get("none")?.refuse("`none = true` stands beside realms", "either or", Some(help))
        }
        (_, None) if pairs.is_empty() && whole => {
            let help = "as in default = \"example.com\" and EXAMPLE = \"example.com\"; or none = true, where a realm is part of the name";
            table.node.refuse_key("[realms] says nothing", "which realms are there?", Some(help.to_owned()))
        }
        (_, default) => whole.then(|| Realms::listed(pairs, default.flatten().as_deref())),
    }
}

/// A NetBIOS domain, folded. `Default` and `None` can only be slips.
fn domain(node: &Node<'_>) -> Option<String> {
    if ["default", "none"].iter().any(|key| node.key.eq_ignore_ascii_case(key)) {
        let help = format!("write `{}`", node.key.to_ascii_lowercase());
        return node.refuse_key("this key is written small", "no domain is called so", Some(help));
    }
    if !is_realm(&node.key) {
        return node.refuse_key("this is no domain", "found a blank, `\\` or `@`", None);
    }
    Some(login::name::fold::casefold(&node.key))
}

fn realm(node: &Node<'_>) -> Option<String> {
    match node.text()? {
        realm if is_realm(realm) => Some(realm.to_owned()),
        _ => node.expected("a DNS realm", Some("the part after the `@`, as in \"example.com\"".to_owned())),
    }
}

fn is_realm(name: &str) -> bool {
    !name.is_empty() && !name.contains(|c: char| matches!(c, '\\' | '@') || c.is_control() || c.is_whitespace())
}
