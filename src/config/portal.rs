//! `[portal]`: what the phone shows for the account, and, where there is a `url`, the user's pages.
//!
//! What users may do and what a first enrolment is anchored in is said here and nowhere else (rules F3).

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use ipnet::IpNet;

use super::node::{Node, Table};
use super::pages::{FirstEnrolment, MailConfig, PagesConfig, PortalConfig, TlsSource, UsersMay};
use super::{peers, serving, values};

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);

const KEYS: [&str; 9] = [
    "account_name",
    "title",
    "sign_in",
    "help_desk",
    "users_may",
    "first_enrolment",
    "devices_per_user",
    "session_idle",
    "session_lasts",
];

/// The section as a table of its keys.
pub(super) fn section<'a>(root: &Table<'a>) -> Option<Table<'a>> {
    root.get("portal")?.table("[portal]", &[&KEYS[..], &serving::KEYS[..]].concat())
}

/// `account_name`: the issuer of otpauth URIs, which is why it holds no colon.
pub(super) fn account_name(portal: &Table<'_>) -> Option<Arc<str>> {
    const CHARS_MAX: usize = 64;
    let node = portal.get("account_name")?;
    let name = node.text()?;
    let plain = !name.trim().is_empty()
        && name.chars().count() <= CHARS_MAX
        && !name.contains(|c: char| c == ':' || c.is_control());
    if plain {
        return Some(name.into());
    }
    node.expected(
        "a short name",
        Some("what the phone's app shows for the account: 1 to 64 characters, without a colon".to_owned()),
    )
}

/// Whether there is a portal at all.
pub(super) fn is_on(portal: &Table<'_>) -> bool {
    portal.get_quietly("url").is_some()
}

/// The pages. `Some(None)`: not asked for; then only the account's name may stand there.
pub(super) fn portal(portal: &Table<'_>, primaries: &[String]) -> Option<Option<PortalConfig>> {
    if portal.keys().all(|key| key == "account_name" || !is_key(key)) {
        return Some(None);
    }
    let pages = serving::pages(portal, |_, _| None);
    let sign_in = is_on(portal).then(|| peers::primary_named(portal, "sign_in", primaries)).flatten();
    let help_desk = portal.get("help_desk").map_or(Some(None), |node| help_desk(&node).map(Some));
    let users_may = portal.get("users_may").and_then(|node| users_may(&node));
    let first_enrolment = portal.get("first_enrolment").and_then(|node| first_enrolment(&node, pages.as_ref()));
    let devices_per_user = portal.get("devices_per_user").and_then(|node| node.number(1, 20));
    let session_idle = portal.get("session_idle").and_then(|node| node.duration(MINUTE, 24 * HOUR));
    let session_lasts = portal.get("session_lasts").and_then(|node| node.duration(5 * MINUTE, 7 * 24 * HOUR));
    let read = PortalConfig {
        pages: pages?,
        sign_in: sign_in?,
        help_desk: help_desk?,
        users_may: users_may?,
        first_enrolment: first_enrolment?,
        devices_per_user: u32::try_from(devices_per_user?).unwrap_or(u32::MAX),
        session_idle: session_idle?,
        session_lasts: session_lasts?,
    };
    shut_to_all(portal, &read);
    in_order(portal, &read).then_some(Some(read))
}

/// An unknown key is told already, and asks for no portal.
fn is_key(key: &str) -> bool {
    KEYS.contains(&key) || serving::KEYS.contains(&key)
}

/// A session can't idle for longer than it lasts.
fn in_order(table: &Table<'_>, portal: &PortalConfig) -> bool {
    if portal.session_idle > portal.session_lasts {
        super::sections::misordered(table, "session_idle", "session_lasts");
        return false;
    }
    true
}

/// Anchors by which users enrol by themselves, where they may not.
fn shut_to_all(table: &Table<'_>, portal: &PortalConfig) {
    let anchors = &portal.first_enrolment;
    let by_themselves = anchors.mail_code || !anchors.networks.is_empty();
    if portal.users_may.enrol || !by_themselves {
        return;
    }
    if let Some(node) = table.get_quietly("first_enrolment") {
        let help = "add \"enrol\" to users_may; or list \"admin_code\" alone, which the help desk gives out".to_owned();
        node.warn("these anchors open nothing", "users_may does not list \"enrol\"", Some(help));
    }
}

/// Staff set up their second factor in the portal, as users do; the staff's pages have no place for it.
pub(super) fn for_staff(root: &Table<'_>, portal: Option<&Table<'_>>) {
    if portal.is_some_and(is_on) {
        return;
    }
    if let Some(node) = root.get_quietly("admin") {
        let help = "give [portal] a url, where staff type the code of `vestibule user code`; without it each needs \
                    `vestibule token add NAME totp` on this host";
        node.warn(
            "staff have no portal",
            "nobody can set up the second factor that these pages ask for",
            Some(help.to_owned()),
        );
    }
}

fn help_desk(node: &Node<'_>) -> Option<Arc<str>> {
    const CHARS_MAX: usize = 200;
    match node.text()? {
        text if !text.trim().is_empty() && text.chars().count() <= CHARS_MAX && !text.contains(char::is_control) => {
            Some(text.into())
        }
        _ => node.expected("a line of text", Some("who helps and how, as in \"Service desk, 0800 1234\"".to_owned())),
    }
}

type Switch = fn(&mut UsersMay) -> &mut bool;

fn users_may(list: &Node<'_>) -> Option<UsersMay> {
    const WORDS: [(&str, Switch); 4] = [
        ("enrol", |may| &mut may.enrol),
        ("select_method", |may| &mut may.select_method),
        ("activate_app", |may| &mut may.activate_app),
        ("assign_token", |may| &mut may.assign_token),
    ];
    let mut may = UsersMay::default();
    let mut whole = true;
    for node in list.any_number()? {
        match node.one_of(&WORDS) {
            Some(switch) if *switch(&mut may) => {
                whole = false;
                node.refuse::<()>("this is listed twice", &node.found(), None);
            }
            Some(switch) => *switch(&mut may) = true,
            None => whole = false,
        }
    }
    whole.then_some(may)
}

fn first_enrolment(list: &Node<'_>, pages: Option<&PagesConfig>) -> Option<FirstEnrolment> {
    let mut anchors = FirstEnrolment::default();
    let mut whole = true;
    for node in list.one_or_more()? {
        if values::holds_tables(list.value) {
            // A table among them has lines of its own in `show`, and so each has.
            node.list();
        }
        match anchor(&node, pages) {
            Some(Anchor::AdminCode) => anchors.admin_code = true,
            Some(Anchor::MailCode) => anchors.mail_code = true,
            Some(Anchor::Networks(networks)) => anchors.networks.extend(networks),
            None => whole = false,
        }
    }
    whole.then_some(anchors)
}

enum Anchor {
    AdminCode,
    MailCode,
    Networks(Vec<IpNet>),
}

fn anchor(node: &Node<'_>, pages: Option<&PagesConfig>) -> Option<Anchor> {
    let allowed = "\"admin_code\", \"mail_code\", or { network = [\"10.0.0.0/8\"] }";
    match node.value.as_str() {
        Some("admin_code") => return Some(Anchor::AdminCode),
        Some("mail_code") => return Some(Anchor::MailCode),
        Some(word) => {
            let words = ["admin_code", "mail_code", "network"];
            let help = super::nearest::suggestion(word, &words, &format!("allowed: {allowed}"));
            return node.refuse("this is no trust anchor", &node.found(), Some(help));
        }
        None => {}
    }
    let node = node.table("a trust anchor", &["network"])?.require("network", &format!("allowed: {allowed}"))?;
    let networks = serving::networks(
        &node,
        "this trusts everybody",
        "whoever has a stolen password could enrol their own phone: name the networks that only your people are in",
    )?;
    behind_a_stranger(&node, &networks, pages)?;
    Some(Anchor::Networks(networks))
}

/// Rules F3: behind a proxy that is not named, everybody comes from the proxy's own address.
fn behind_a_stranger(node: &Node<'_>, networks: &[IpNet], pages: Option<&PagesConfig>) -> Option<()> {
    let hidden = |pages: &PagesConfig| pages.tls == TlsSource::None && pages.trusted_proxies.is_empty();
    let Some(pages) = pages.filter(|pages| hidden(pages)) else { return Some(()) };
    let is_own = |network: &&IpNet| {
        [IpAddr::from([127, 0, 0, 1]), pages.listen.ip()].iter().any(|address| network.contains(address))
    };
    let Some(own) = networks.iter().find(is_own) else { return Some(()) };
    let help = "name the proxy in trusted_proxies; then its X-Forwarded-For says who asks".to_owned();
    let label = format!("{} is also whoever comes through a proxy on this host", values::quoted(&own.to_string()));
    node.refuse("this network may be everybody", &label, Some(help))
}

/// A mailed code needs mail, and mail that may carry one (rules F7).
pub(super) fn mailed_codes(table: &Table<'_>, portal: &PortalConfig, mail: Option<&MailConfig>, has_mail: bool) {
    if !portal.first_enrolment.mail_code || mail.is_some_and(|mail| mail.mail_code) {
        return;
    }
    let Some(node) = table.get_quietly("first_enrolment") else { return };
    // What is wrong with the section itself is told there.
    match (has_mail, mail.is_some()) {
        (true, true) => {
            let help = "say mail_code = true in [mail], if a code may be read by whoever reads the mail".to_owned();
            node.refuse::<()>("no code may be mailed", "\"mail_code\" is listed", Some(help));
        }
        (true, false) => {}
        (false, _) => {
            let help = "add [mail] with smtp, from and mail_code = true".to_owned();
            node.refuse::<()>("a mailed code needs [mail]", "\"mail_code\" is listed", Some(help));
        }
    }
}
