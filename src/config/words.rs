//! What differs between two configurations, in words: clients, primaries and rules that were added, changed or removed.
//!
//! No secret is ever in it: where one changed, the file that it was read from is named.

use std::collections::{BTreeMap, BTreeSet};

use super::Config;
use super::settings::{Change, Origin, Settings};

/// One thing that differs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// The keys that it is about.
    pub keys: Vec<String>,
    /// What was added, removed or changed.
    pub text: String,
}

impl Config {
    /// What differs, thing by thing, in alphabetical order.
    #[must_use]
    pub fn differences_in_words(old: &Self, new: &Self) -> Vec<Difference> {
        let mut things: BTreeMap<String, Vec<Change>> = BTreeMap::new();
        for change in Self::differences(old, new) {
            things.entry(thing(&change.key).to_owned()).or_default().push(change);
        }
        let (before, after) = (named(&old.settings), named(&new.settings));
        let tell = |(thing, changes): (String, Vec<Change>)| {
            let keys = changes.iter().map(|change| change.key.clone()).collect();
            let text = match (before.contains(&thing), after.contains(&thing)) {
                (false, true) => format!("{} added{}", called(&thing), said(&thing, &new.settings)),
                (true, false) => format!("{} removed", called(&thing)),
                (true, true) | (false, false) => changed(&thing, &changes),
            };
            Difference { keys, text }
        };
        things.into_iter().map(tell).collect()
    }
}

/// `client.hq-asa` of `client.hq-asa.address`; `rule."VPN users"`; a section.
fn thing(key: &str) -> &str {
    let end = if key.starts_with("rule.\"") {
        closing_quote(key, "rule.\"".len()).map(|at| at + 1)
    } else if key.starts_with("client.") || key.starts_with("primary.") {
        key.match_indices('.').nth(1).map(|(at, _)| at)
    } else {
        key.find('.')
    };
    end.and_then(|end| key.get(..end)).unwrap_or(key)
}

fn closing_quote(key: &str, from: usize) -> Option<usize> {
    let mut escaped = false;
    key.char_indices().skip_while(|(at, _)| *at < from).find_map(|(at, c)| match c {
        '"' if !escaped => Some(at),
        c => {
            escaped = c == '\\' && !escaped;
            None
        }
    })
}

fn named(settings: &Settings) -> BTreeSet<String> {
    settings.iter().map(|(key, _)| thing(key).to_owned()).collect()
}

fn called(thing: &str) -> String {
    match thing.split_once('.') {
        Some((kind, name)) => format!("{kind} {name}"),
        None => thing.to_owned(),
    }
}

/// What its author wrote of a new thing.
fn said(thing: &str, settings: &Settings) -> String {
    let under = format!("{thing}.");
    let written = settings.iter().filter(|(_, setting)| setting.origin != Origin::Default);
    let parts: Vec<String> = written
        .filter_map(|(key, setting)| Some(format!("{} = {}", key.strip_prefix(&under)?, setting.shown)))
        .collect();
    if parts.is_empty() { String::new() } else { format!(": {}", parts.join(", ")) }
}

fn changed(thing: &str, changes: &[Change]) -> String {
    let under = format!("{thing}.");
    let parts: Vec<String> = changes
        .iter()
        .map(|change| {
            let key = change.key.strip_prefix(&under).unwrap_or(&change.key);
            match (&change.was, &change.now) {
                (Some(was), Some(now)) if was == now => format!("{key} changed {now}"),
                (Some(was), Some(now)) => format!("{key} {was} -> {now}"),
                (Some(was), None) => format!("{key} {was} -> not said"),
                (None, Some(now)) => format!("{key} not said -> {now}"),
                (None, None) => key.to_owned(),
            }
        })
        .collect();
    let parts = parts.join(", ");
    if changes.iter().all(|change| change.key == thing) { parts } else { format!("{}: {parts}", called(thing)) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::NoFiles;

    #[test]
    fn a_thing_that_is_new_gone_or_changed_is_said_in_words() {
        let read = |text: &str| Config::parse("vestibule.toml", text, &NoFiles, []).unwrap().config;
        let old = read(
            "[client.vpn]\naddress = \"192.0.2.1\"\n[client.old]\naddress = \"192.0.2.3\"\n[limits]\nreject_delay = \"1s\"\n\
             [[rule]]\nname = \"all, \\\"of\\\" us\"\nsecond_factor = [\"totp\"]\n",
        );
        let new = read(
            "[client.vpn]\naddress = \"192.0.2.1\"\ngives_up_after = \"60s\"\n[client.asa]\naddress = \"192.0.2.2\"\n\
             [limits]\nreject_delay = \"2s\"\n[[rule]]\nname = \"all, \\\"of\\\" us\"\nsecond_factor = [\"totp\", \"hotp\"]\n",
        );
        let told: Vec<String> =
            Config::differences_in_words(&old, &new).into_iter().map(|difference| difference.text).collect();
        assert_eq!(
            told,
            [
                "client asa added: address = \"192.0.2.2\", secret = (from secrets/client.asa)",
                "client old removed",
                "client vpn: gives_up_after \"30s\" -> \"60s\"",
                "limits: reject_delay \"1s\" -> \"2s\"",
                "rule \"all, \\\"of\\\" us\": second_factor [\"totp\"] -> [\"totp\", \"hotp\"]",
            ]
        );
        assert!(Config::differences_in_words(&new, &new).is_empty());
    }
}
