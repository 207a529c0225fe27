//! `[mail]`: how mail leaves. Always sealed, but to this host itself where the site says so.

use std::net::IpAddr;
use std::sync::Arc;

use lettre::Address;
use lettre::message::Mailbox;

use super::node::{Node, Table};
use super::pages::{MailConfig, MailLogin, MailSecurity};
use super::secrets::password;
use super::types::{Host, ServerAddress};
use super::{sections, values};

const KEYS: [&str; 8] = ["smtp", "allow_plain", "from", "user", "password_file", "ca", "alerts", "mail_code"];
/// RFC 8314 §7.3: implicit TLS.
const SMTPS_PORT: u16 = 465;
/// RFC 6409 §3.1: submission.
const SUBMISSION_PORT: u16 = 587;

/// `[mail]`. `Some(None)`: not asked for.
pub(super) fn mail(root: &Table<'_>) -> Option<Option<MailConfig>> {
    let Some(section) = root.get("mail") else { return Some(None) };
    let table = section.table("[mail]", &KEYS)?;
    let way = way(&table);
    let from = table
        .require("from", "the sender of every mail, as in from = \"mfa@example.com\"")
        .and_then(|node| mailbox(&node));
    let login = login(&table);
    let ca = table.get("ca").map_or(Some(None), |node| sections::path(&node).map(Some));
    let alerts = table.get("alerts").map_or(Some(Vec::new()), |node| addresses(&node));
    let mail_code = table.get("mail_code").and_then(|node| node.flag());
    let (server, security) = way?;
    Some(Some(MailConfig {
        server,
        security,
        ca: ca?,
        from: from?,
        login: login?,
        alerts: alerts?,
        mail_code: mail_code?,
    }))
}

fn way(table: &Table<'_>) -> Option<(ServerAddress, MailSecurity)> {
    let allow_plain = table.get("allow_plain").map_or(Some(false), |node| node.flag());
    let node = table.require("smtp", SMTP)?;
    let (server, is_tls) = server(&node)?;
    let security = match (is_tls, allow_plain?) {
        (true, false) => MailSecurity::Tls,
        (false, false) => MailSecurity::StartTls,
        (true, true) => {
            let node = table.get("allow_plain")?;
            return node.refuse_key("`allow_plain` means nothing here", "`smtp` is smtps://", None);
        }
        (false, true) if is_here(&server.host) => MailSecurity::Plain,
        (false, true) => {
            let help = "mail in the clear goes to this host only: smtp = \"smtp://localhost:25\"; elsewhere take `allow_plain` out".to_owned();
            return node.refuse("this mail would cross the net in the clear", &node.found(), Some(help));
        }
    };
    Some((server, security))
}

const SMTP: &str =
    "smtps://HOST (port 465), or smtp://HOST (port 587, with STARTTLS), as in smtp = \"smtps://mail.example.com\"";

fn server(node: &Node<'_>) -> Option<(ServerAddress, bool)> {
    let text = node.text_of("the URL of a mail server", SMTP)?;
    let read = match (text.strip_prefix("smtps://"), text.strip_prefix("smtp://")) {
        (Some(host), _) => Some((host, SMTPS_PORT, true)),
        (None, Some(host)) => Some((host, SUBMISSION_PORT, false)),
        (None, None) => None,
    };
    if read.is_some_and(|(host, ..)| host.contains('@')) {
        let help = "say user = \"…\", and write the password into secrets/mail".to_owned();
        return node.refuse("this URL holds more than a place", "no user and no password here", Some(help));
    }
    match read.and_then(|(host, port, is_tls)| Some((values::server(host, port)?, is_tls))) {
        Some(read) => Some(read),
        None => node.expected("the URL of a mail server", Some(SMTP.to_owned())),
    }
}

fn is_here(host: &Host) -> bool {
    match host {
        Host::Address(address) => IpAddr::is_loopback(address),
        Host::Name(name) => name.eq_ignore_ascii_case("localhost"),
    }
}

/// The name, and with it the password from its file. `Some(None)`: the server asks for none.
fn login(table: &Table<'_>) -> Option<Option<MailLogin>> {
    let Some(node) = table.get("user") else {
        return match table.get("password_file") {
            Some(file) => file.refuse_key("`password_file` means nothing here", "there is no `user`", None),
            None => Some(None),
        };
    };
    let user = match node.text()? {
        user if !user.trim().is_empty() && !user.contains(char::is_control) => Some(Arc::<str>::from(user)),
        _ => node.expected("a name", None),
    };
    let password = password(table, "mail");
    Some(Some(MailLogin { user: user?, password: password? }))
}

/// Rules F6: no CR and no LF gets into a header.
fn mailbox(node: &Node<'_>) -> Option<Mailbox> {
    let help = "as in \"mfa@example.com\", or \"Example MFA <mfa@example.com>\"";
    let text = node.text_of("a mail address", help)?;
    match text.parse::<Mailbox>().ok().filter(|_| !text.contains(char::is_control)) {
        Some(mailbox) => Some(mailbox),
        None => node.expected("a mail address", Some(help.to_owned())),
    }
}

fn addresses(list: &Node<'_>) -> Option<Vec<Address>> {
    let what = "a mail address";
    let address = |node: &Node<'_>| match node.text_of(what, "")?.parse::<Address>() {
        Ok(address) => Some(address),
        Err(_) => node.expected(what, Some("as in \"it@example.com\"".to_owned())),
    };
    let read: Vec<Option<Address>> = list.one_or_more()?.iter().map(address).collect();
    read.into_iter().collect()
}
