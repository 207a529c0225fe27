//! `title`: what people read instead of a name that the policy and the log go by.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::node::{Node, Table};

/// A line on a phone's screen.
const CHARS_MAX: usize = 64;
/// The pages ask for a phone under these names.
const PAGES: [&str; 2] = ["portal", "admin"];

/// Whether who asks is one of our own pages, and no appliance.
#[must_use]
pub fn is_page(asker: &str) -> bool {
    PAGES.contains(&asker)
}

/// Titles of clients, of the pages and of rules. What has none is called by its name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Titles {
    askers: BTreeMap<Arc<str>, Arc<str>>,
    rules: BTreeMap<Arc<str>, Arc<str>>,
}

impl Titles {
    /// What people read of a client, or of the pages (`portal`, `admin`), where a login is asked about.
    #[must_use]
    pub fn asker<'a>(&'a self, name: &'a str) -> &'a str {
        self.askers.get(name).map_or(name, |title| title)
    }

    /// What people read of a rule.
    #[must_use]
    pub fn rule<'a>(&'a self, name: &'a str) -> &'a str {
        self.rules.get(name).map_or(name, |title| title)
    }
}

/// All of them; a wrong one is told.
pub(super) fn titles(root: &Table<'_>, rules: &[&Table<'_>]) -> Titles {
    let sections = PAGES.iter().filter_map(|name| root.get_quietly(name));
    let clients = root.get_quietly("client").and_then(|node| node.opened());
    let clients = clients.iter().flat_map(Table::entries);
    // A client that is called as a page is: its own title is the later, and stays.
    let askers = sections.chain(clients).filter_map(|node| Some((node.key.as_str().into(), title(&node.opened()?)?)));
    let named = |table: &Table<'_>| Some((table.get_quietly("name")?.value.as_str()?.into(), title(table)?));
    Titles { askers: askers.collect(), rules: rules.iter().filter_map(|table| named(table)).collect() }
}

fn title(table: &Table<'_>) -> Option<Arc<str>> {
    let node = table.get("title")?;
    let text = node.text()?;
    let is_shown =
        |text: &str| !text.trim().is_empty() && text.chars().count() <= CHARS_MAX && !text.contains(char::is_control);
    if is_shown(text) { Some(text.into()) } else { refuse(&node) }
}

fn refuse<T>(node: &Node<'_>) -> Option<T> {
    let help = format!(
        "what people read on the phone and in the portal, as in title = \"VPN Berlin\": 1 to {CHARS_MAX} characters"
    );
    node.expected("a short text", Some(help))
}
