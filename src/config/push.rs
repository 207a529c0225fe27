//! `[method.push]`: how a phone is told. For now by a signed hint to the site's own notifier, which never approves.

use std::net::IpAddr;

use super::node::{Node, Table};
use super::secrets::secret;
use super::sections;
use super::types::{PushConfig, WebhookConfig};

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
