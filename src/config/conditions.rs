//! A rule's `when`: conditions as the policy weighs them, and what can be said of them before any login.
//!
//! Local groups are always there to be asked, so each group condition has a directory that can answer it (rules A4).

use login::name::Realms;
use login::policy::{Condition, Glob};
use login::{ClientName, GroupName};

use super::nearest::{listed, suggestion};
use super::node::Node;
use super::peers::{Sketch, network};
use super::values::quoted;

const WHEN: [&str; 7] = ["client", "user", "group", "user_address", "all", "any", "not"];
/// Conditions may nest so deep.
const DEPTH_MAX: usize = 16;

/// What names in a condition are looked up in.
struct Scope<'a> {
    clients: &'a [Sketch],
    realms: &'a Realms,
}

/// A rule's `when`; without one it matches everybody.
pub(super) fn when(node: &Node<'_>, clients: &[Sketch], realms: &Realms) -> Option<Condition> {
    condition(node, &Scope { clients, realms }, 0)
}

/// Whether nobody outside of some group can match: a group under `not` or beside another `any` bounds nothing.
pub(super) fn needs_group(condition: &Condition) -> bool {
    match condition {
        Condition::Group(_) => true,
        Condition::All(parts) => parts.iter().any(needs_group),
        Condition::Any(parts) => !parts.is_empty() && parts.iter().all(needs_group),
        Condition::Not(_) | Condition::Client(_) | Condition::User(_) | Condition::UserAddress(_) => false,
    }
}

/// Whether it matches everybody, always.
pub(super) fn matches_all(condition: &Condition) -> bool {
    match condition {
        Condition::All(parts) => parts.iter().all(matches_all),
        Condition::Any(parts) => parts.iter().any(matches_all),
        Condition::Not(_)
        | Condition::Client(_)
        | Condition::User(_)
        | Condition::Group(_)
        | Condition::UserAddress(_) => false,
    }
}

/// Whether a login through this client can match, whoever it is.
pub(super) fn may_match(condition: &Condition, client: &str) -> bool {
    match condition {
        Condition::Client(clients) => clients.iter().any(|known| known.as_str() == client),
        Condition::All(parts) => parts.iter().all(|part| may_match(part, client)),
        Condition::Any(parts) => parts.iter().any(|part| may_match(part, client)),
        Condition::Not(inner) => !must_match(inner, client),
        Condition::User(_) | Condition::Group(_) | Condition::UserAddress(_) => true,
    }
}

/// Whether each login through this client matches.
fn must_match(condition: &Condition, client: &str) -> bool {
    match condition {
        Condition::Client(clients) => clients.iter().any(|known| known.as_str() == client),
        Condition::All(parts) => parts.iter().all(|part| must_match(part, client)),
        Condition::Any(parts) => parts.iter().any(|part| must_match(part, client)),
        Condition::Not(inner) => !may_match(inner, client),
        Condition::User(_) | Condition::Group(_) | Condition::UserAddress(_) => false,
    }
}

/// Several keys of one table must all hold.
fn condition(node: &Node<'_>, scope: &Scope<'_>, depth: usize) -> Option<Condition> {
    if depth > DEPTH_MAX {
        return node.refuse("these conditions nest too deep", &format!("more than {DEPTH_MAX} levels"), None);
    }
    let table = node.table("`when`", &WHEN)?;
    let read: Vec<Option<Condition>> = table
        .entries()
        .filter(|entry| WHEN.contains(&entry.key.as_str()))
        .filter_map(|entry| table.get(&entry.key))
        .map(|entry| part(&entry, scope, depth))
        .collect();
    let mut parts = read.into_iter().collect::<Option<Vec<_>>>()?;
    match (parts.len(), parts.pop()) {
        (1, Some(only)) => Some(only),
        (_, Some(last)) => Some(Condition::All(parts.into_iter().chain([last]).collect())),
        (_, None) => Some(Condition::All(Vec::new())),
    }
}

fn part(node: &Node<'_>, scope: &Scope<'_>, depth: usize) -> Option<Condition> {
    match node.key.as_str() {
        "client" => each(node.one_or_more()?, |node| client(node, scope.clients)).map(Condition::Client),
        "user" => each(node.one_or_more()?, |node| pattern(node, scope.realms)).map(Condition::User),
        "group" => each(node.one_or_more()?, |node| Some(GroupName::folded(plain(node, "a group's name")?)))
            .map(Condition::Group),
        "user_address" => each(node.one_or_more()?, network).map(Condition::UserAddress),
        "all" => each(node.array()?, |node| condition(node, scope, depth + 1)).map(Condition::All),
        "any" => each(node.array()?, |node| condition(node, scope, depth + 1)).map(Condition::Any),
        _ => condition(node, scope, depth + 1).map(|inner| Condition::Not(Box::new(inner))),
    }
}

/// All of them are read, so that all their mistakes are told.
fn each<'a, T>(nodes: Vec<Node<'a>>, read: impl FnMut(&Node<'a>) -> Option<T>) -> Option<Vec<T>> {
    nodes.iter().map(read).collect::<Vec<Option<T>>>().into_iter().collect()
}

/// A name or a pattern of names, its realm as `[realms]` has it.
fn pattern(node: &Node<'_>, realms: &Realms) -> Option<Glob> {
    let text = plain(node, "a name or a pattern, as in \"svc-*\"")?;
    let glob = Glob::of_names(text, realms);
    if glob.is_none() {
        let help = "list its realm there, write user@realm or DOMAIN\\user, or leave the realm out".to_owned();
        node.warn(&format!("no name matches {}", quoted(text)), "its realm is not in [realms]", Some(help));
    }
    Some(glob.unwrap_or_else(|| Glob::new(text)))
}

fn client(node: &Node<'_>, clients: &[Sketch]) -> Option<ClientName> {
    let name = node.text()?;
    if clients.iter().any(|client| client.name == name) {
        return Some(ClientName::new(name));
    }
    let names: Vec<&str> = clients.iter().map(|client| client.name.as_str()).collect();
    let allowed = if names.is_empty() {
        "there is no [client.NAME] yet".to_owned()
    } else {
        format!("there are: {}", listed(&names))
    };
    node.refuse(
        &format!("there is no client {}", quoted(name)),
        "no such [client.NAME]",
        Some(suggestion(name, &names, &allowed)),
    )
}

/// A line of text that holds something.
pub(super) fn plain<'a>(node: &Node<'a>, what: &str) -> Option<&'a str> {
    match node.text()? {
        text if !text.trim().is_empty() && !text.contains(char::is_control) => Some(text),
        text if text.contains(char::is_control) => {
            // "EXAMPLE\\bob" is EXAMPLE, a backspace, and ob.
            let help = "no control characters; a backslash in double quotes begins an escape: write 'EXAMPLE\\bob'";
            node.expected(what, Some(help.to_owned()))
        }
        _ => node.expected(what, None),
    }
}
