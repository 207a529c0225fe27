//! `[method.push]`: how a phone is told, and what it must do.
//!
//! The page that we serve and the app from the stores need the portal's address; a hint to the site's own notifier
//! needs nothing and proves nothing (rules B4). Who is talked to outside is bounded here (rules F6).

use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;

use super::node::{Node, Table};
use super::pages::MailConfig;
use super::secrets::secret;
use super::settings::Origin;
use super::types::{NumberChoice, PIN_DIGITS_MAX, PinConfig, PushConfig, PushWay, WebhookConfig};
use super::{portal, sections, serving, values};

const KEYS: [&str; 8] =
    ["channels", "webhook", "number", "pin", "vapid_contact", "webpush_hosts", "webpush_ca", "allow_private"];
const WAYS: [(&str, PushWay); 3] =
    [("webpush", PushWay::WebPush), ("privacyidea", PushWay::PrivacyIdea), ("webhook", PushWay::Webhook)];
const NUMBERS: [(&str, NumberChoice); 4] = [
    ("auto", NumberChoice::Auto),
    ("shown", NumberChoice::Shown),
    ("typed", NumberChoice::Typed),
    ("off", NumberChoice::Off),
];

/// `[method.push]`; `portal` is `[portal]`, `mail` is `[mail]` where it is in order.
pub(super) fn push(root: &Table<'_>, portal: Option<&Table<'_>>, mail: Option<&MailConfig>) -> Option<PushConfig> {
    let section = root.get("method")?.table("[method]", &["push"])?;
    let push = section.get("push")?;
    let table = push.table("[method.push]", &KEYS)?;
    let url = portal.filter(|table| portal::is_on(table)).and_then(|table| table.get_quietly("url"));
    let webhook = table.get("webhook").map(|node| webhook(&node));
    let channels = match table.get("channels") {
        Some(node) => channels(&node, url.is_some()),
        None => Some(usual_channels(&table, url.is_some(), webhook.is_some())),
    };
    let number = table.get("number").and_then(|node| node.one_of(&NUMBERS));
    let pin = table.get("pin").and_then(|node| pin(&node, channels.as_deref().unwrap_or_default()));
    let hosts = table.get("webpush_hosts").and_then(|node| hosts(&node));
    let allow_private = table.get("allow_private").and_then(|node| node.flag());
    let ca = channels.as_ref().and_then(|channels| authorities(&table, channels));
    let contact = channels.as_ref().and_then(|channels| contact(&table, channels, mail, url.as_ref()));
    let (channels, webhook) = (
        channels?,
        match webhook {
            Some(webhook) => Some(webhook?),
            None => None,
        },
    );
    let webhook = heard(&table, &channels, webhook)?;
    Some(PushConfig {
        channels,
        webhook,
        number: number?,
        pin: pin?,
        vapid_contact: contact?,
        webpush_hosts: hosts?,
        webpush_ca: ca?,
        allow_private: allow_private?,
    })
}

/// What there is to be had.
fn usual_channels(table: &Table<'_>, has_url: bool, has_webhook: bool) -> Vec<PushWay> {
    let pages = [PushWay::WebPush, PushWay::PrivacyIdea].into_iter().filter(|_| has_url);
    let channels: Vec<PushWay> = pages.chain(has_webhook.then_some(PushWay::Webhook)).collect();
    let words: Vec<String> = channels.iter().map(|way| values::quoted(way.as_str())).collect();
    let shown = format!("[{}]", words.join(", "));
    table.node.book.settings().insert(format!("{}.channels", table.node.shown_path()), shown, Origin::Default);
    channels
}

fn channels(list: &Node<'_>, has_url: bool) -> Option<Vec<PushWay>> {
    let mut channels = Vec::new();
    let mut whole = true;
    for node in list.one_or_more()? {
        match node.one_of(&WAYS) {
            Some(way) if channels.contains(&way) => {
                whole = false;
                node.refuse::<()>("this channel is listed twice", &node.found(), None);
            }
            Some(PushWay::WebPush | PushWay::PrivacyIdea) if !has_url => {
                whole = false;
                let help = "phones come to the portal's address: say url = \"https://mfa.example.com\" in [portal]";
                node.refuse::<()>("this channel needs the portal", &node.found(), Some(help.to_owned()));
            }
            Some(way) => channels.push(way),
            None => whole = false,
        }
    }
    whole.then_some(channels)
}

/// The notifier, if it is listed.
fn heard(table: &Table<'_>, channels: &[PushWay], webhook: Option<WebhookConfig>) -> Option<Option<WebhookConfig>> {
    match (channels.contains(&PushWay::Webhook), webhook) {
        (true, None) => {
            let help = "say where: webhook = { url = \"https://notify.example.com/vestibule\" }";
            table.node.refuse_key(
                "the channel \"webhook\" has no `webhook`",
                "[method.push] needs it",
                Some(help.to_owned()),
            )
        }
        (false, Some(_)) => {
            if let Some(node) = table.get_quietly("channels") {
                let help = "add \"webhook\" to `channels`, or take `webhook` out".to_owned();
                node.warn("the webhook is told nothing", "\"webhook\" is not among these", Some(help));
            }
            Some(None)
        }
        (true, webhook @ Some(_)) | (false, webhook @ None) => Some(webhook),
    }
}

fn pin(node: &Node<'_>, channels: &[PushWay]) -> Option<PinConfig> {
    let table = node.table("pin", &["required", "length", "tries"])?;
    let small = |key: &str, least: u64, most: u64| {
        table.get(key).and_then(|node| node.number(least, most)).and_then(|number| u32::try_from(number).ok())
    };
    let required = table.get("required").and_then(|node| node.flag());
    let (length, tries) =
        (small("length", 4, u64::try_from(PIN_DIGITS_MAX).unwrap_or(u64::MAX)), small("tries", 1, 20));
    if let Some(node) = table.get_quietly("required")
        && required == Some(true)
        && channels.contains(&PushWay::PrivacyIdea)
    {
        // Rules B4: a phone that can't prove what is asked is not asked.
        let help =
            "leave \"privacyidea\" out of `channels`; or say required = false, if phones with that app are to be asked";
        node.warn(
            "the app from the stores takes no PIN",
            "no phone with that app is asked, and none is offered",
            Some(help.to_owned()),
        );
    }
    Some(PinConfig { required: required?, length: length?, tries: tries? })
}

/// Whom a push service may write to: said, or the sender of our mail, or the portal itself. `Some(None)`: no service is talked to.
fn contact(
    table: &Table<'_>,
    channels: &[PushWay],
    mail: Option<&MailConfig>,
    url: Option<&Node<'_>>,
) -> Option<Option<Arc<str>>> {
    let said = table.get("vapid_contact");
    if !channels.contains(&PushWay::WebPush) {
        return match said {
            Some(node) => node.refuse_key("`vapid_contact` means nothing here", "\"webpush\" is no channel", None),
            None => Some(None),
        };
    }
    if let Some(node) = said {
        return serving::contact(&node, &["mailto:", "https:"]).map(Some);
    }
    // RFC 8292 §2.1: "a contact URI for the application server as either a "mailto:" (email) or an "https:" URI".
    let usual = match mail {
        Some(mail) => format!("mailto:{}", mail.from.email),
        None => contact_at(url?.value.as_str()?),
    };
    let key = format!("{}.vapid_contact", table.node.shown_path());
    table.node.book.settings().insert(key, values::quoted(&usual), Origin::Default);
    Some(Some(usual.into()))
}

/// A portal on loopback has no https address (RFC 8292 §2.1), and a name at its host is one that is well formed.
fn contact_at(url: &str) -> String {
    let plain = reqwest::Url::parse(url).ok().filter(|url| url.scheme() == "http");
    let host = plain.as_ref().and_then(reqwest::Url::host_str);
    host.map_or_else(|| url.to_owned(), |host| format!("mailto:vestibule@{host}"))
}

/// Whose certificates are taken beside those that the system trusts. `Some(None)`: nobody's.
fn authorities(table: &Table<'_>, channels: &[PushWay]) -> Option<Option<PathBuf>> {
    let Some(node) = table.get("webpush_ca") else { return Some(None) };
    if !channels.contains(&PushWay::WebPush) {
        return node.refuse_key("`webpush_ca` means nothing here", "\"webpush\" is no channel", None);
    }
    sections::path(&node).map(Some)
}

/// Host names, addresses, and `*.` before a name for all below it.
fn hosts(list: &Node<'_>) -> Option<Vec<Arc<str>>> {
    let help = "a host name, or \"*.\" and a name for all below it, as in \"*.push.apple.com\"";
    let host = |node: &Node<'_>| {
        let text = node.text_of("a host name", help)?;
        let below = text.strip_prefix("*.");
        let name = below.unwrap_or(text);
        // `*.com` would be nobody's list of known hosts (rules F6).
        let is_right = values::is_host_name(name) && below.is_none_or(|name| name.contains('.'));
        if is_right || text.parse::<IpAddr>().is_ok() {
            return Some(Arc::<str>::from(text.to_lowercase()));
        }
        node.expected("a host name", Some(help.to_owned()))
    };
    let read: Vec<Option<Arc<str>>> = list.one_or_more()?.iter().map(host).collect();
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

/// Rules F6: https (plain http only inside, where that is allowed), and no private address unless that is allowed. Names are looked at once they are resolved.
fn url(node: &Node<'_>, allow_private: Option<bool>) -> Option<reqwest::Url> {
    let text = node.text()?;
    let https = "https and a host, as in \"https://notify.example.com/vestibule\"";
    let Ok(url) = reqwest::Url::parse(text) else { return node.expected("a URL", Some(https.to_owned())) };
    let literal = url.host_str().and_then(|host| host.trim_matches(['[', ']']).parse::<IpAddr>().ok());
    // A notifier on this host or inside may speak plain http: the hint is signed and holds no secret. Where a name leads
    // is looked at once it is resolved.
    let inside = allow_private == Some(true) && url.scheme() == "http" && literal.is_none_or(is_private);
    if url.scheme() != "https" && !inside {
        return node.expected("an https URL", Some(https.to_owned()));
    }
    if !url.username().is_empty() || url.password().is_some() || url.fragment().is_some() {
        return node.refuse("this URL holds more than a place", "no user, password or fragment here", None);
    }
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
