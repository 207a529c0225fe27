//! `[admin]`: the pages of the staff. Inside only: on loopback unless the site says otherwise.

use std::net::SocketAddr;

use login::GroupName;

use super::conditions::plain;
use super::node::{Node, Table};
use super::pages::{AdminConfig, PublicUrl, Roles, TlsSource};
use super::settings::Origin;
use super::{peers, serving, values};

/// `[admin]`. `Some(None)`: not asked for.
pub(super) fn admin(root: &Table<'_>, primaries: &[String]) -> Option<Option<AdminConfig>> {
    let Some(section) = root.get("admin") else { return Some(None) };
    let table = section.table("[admin]", &[&["roles", "sign_in", "title"][..], &serving::KEYS[..]].concat())?;
    let pages = serving::pages(&table, |listen, tls| usual_url(&table, listen, tls));
    let sign_in = peers::primary_named(&table, "sign_in", primaries);
    let help = "who may use these pages, as in roles = { admin = [\"VPN Admins\"], help_desk = [\"Service Desk\"] }";
    let roles = table.require("roles", help).and_then(|node| roles(&node));
    Some(Some(AdminConfig { pages: pages?, sign_in: sign_in?, roles: roles? }))
}

/// On loopback nobody has to say what the browser's address line will be.
fn usual_url(table: &Table<'_>, listen: SocketAddr, tls: &TlsSource) -> Option<PublicUrl> {
    let scheme = if *tls == TlsSource::None { "http" } else { "https" };
    let url = listen.ip().is_loopback().then(|| reqwest::Url::parse(&format!("{scheme}://{listen}")).ok()).flatten();
    let url = PublicUrl::of(&url?)?;
    let shown = values::quoted(url.as_str());
    table.node.book.settings().insert(format!("{}.url", table.node.shown_path()), shown, Origin::Default);
    Some(url)
}

fn roles(node: &Node<'_>) -> Option<Roles> {
    let table = node.table("roles", &["admin", "help_desk", "auditor"])?;
    let help = "without an admin nobody can let the others in: admin = [\"VPN Admins\"]";
    let admin = table.require("admin", help).and_then(|node| groups(&node));
    let of = |key: &str| table.get(key).map_or(Some(Vec::new()), |node| groups(&node));
    let (help_desk, auditor) = (of("help_desk"), of("auditor"));
    Some(Roles { admin: admin?, help_desk: help_desk?, auditor: auditor? })
}

fn groups(list: &Node<'_>) -> Option<Vec<GroupName>> {
    let read: Vec<Option<GroupName>> =
        list.one_or_more()?.iter().map(|node| plain(node, "a group's name").map(GroupName::folded)).collect();
    read.into_iter().collect()
}
