//! The second pass over rules: what only all of them together, or the clients beside them, can be wrong about.

use std::time::Duration;

use login::policy::Verdict;
use login::{ClientName, Method};

use super::conditions::{matches_all, may_match};
use super::node::{Node, Table};
use super::peers::Sketch;
use super::reply::makes_admin;
use super::rules::Read;
use super::types::ClientConfig;
use super::values::quoted;

/// Looks at all rules together; `admins` are the clients that allow an administrator.
pub(super) fn cross_check(rules: &[Read<'_>], clients: &[Sketch], admins: &[ClientName], push_has_channel: bool) {
    for read in rules {
        exempt_for_good(read);
        exempts_made_up_names(read);
        pushless(read, push_has_channel);
        unaskable(read, clients);
        admin_reply(read, clients, admins);
    }
    unreachable_rules(rules);
    same_conditions(rules);
}

/// `DOMAIN\user` in a condition is a realm and a name only where `[realms]` says which realm it is (rules A2).
pub(super) fn domains_without_realms(root: &Table<'_>, rules: &[Read<'_>]) {
    if root.get_quietly("realms").is_some() {
        return;
    }
    let mut users = Vec::new();
    for read in rules {
        users_in(read.table.get_quietly("when"), &mut users);
    }
    for node in users {
        let Some((domain, name)) = node.value.as_str().and_then(|text| text.split_once('\\')) else { continue };
        let realm = format!("{}.example", domain.to_lowercase());
        let help = format!(
            "write [realms] with the line {domain} = {} (the domain's own DNS name), and here {}",
            quoted(&realm),
            quoted(&format!("{name}@{realm}"))
        );
        node.warn("a domain stands before this name, and there is no [realms]", "it matches no login", Some(help));
    }
}

fn users_in<'a>(when: Option<Node<'a>>, found: &mut Vec<Node<'a>>) {
    let Some(table) = when.and_then(|node| node.opened()) else { return };
    for entry in table.entries() {
        match entry.key.as_str() {
            "user" => found.extend(entry.one_or_more().unwrap_or_default()),
            "all" | "any" => {
                entry.one_or_more().unwrap_or_default().into_iter().for_each(|part| users_in(Some(part), found));
            }
            "not" => users_in(Some(entry), found),
            _ => {}
        }
    }
}

/// Nobody finds a phone faster than this (rules G4).
const PUSH_NEEDS: Duration = Duration::from_secs(15);

/// A push that its client does not wait for is a Reject to whoever reads the prompt.
pub(super) fn impatient(root: &Table<'_>, clients: &[ClientConfig], rules: &[Read<'_>]) {
    let Some(section) = root.get_quietly("client").and_then(|node| node.opened()) else { return };
    for client in clients.iter().filter(|client| client.policy.gives_up_after < PUSH_NEEDS) {
        let rings = |read: &&Read<'_>| {
            read.methods().contains(&Method::Push) && may_match(&read.rule.when, client.name.as_str())
        };
        let said = section.get_quietly(client.name.as_str()).and_then(|node| node.opened());
        let Some(node) = said.and_then(|table| table.get_quietly("gives_up_after")) else { continue };
        if let Some(read) = rules.iter().find(rings) {
            let help = "raise the RADIUS timeout on the appliance, all retries together, to 60 s, and say so here (FortiGate: \
                        `config system global`, `set remoteauthtimeout 60`; Cisco ASA: `timeout 60` under `aaa-server … host`; \
                        pam_radius: 60 behind the secret in its file of servers); or list no \"push\" for this client";
            let message = format!(
                "the rule {} sends a push, and `{}` does not wait for a person",
                quoted(read.rule.name.as_str()),
                client.name
            );
            node.warn(&message, "nobody finds a phone so fast", Some(help.to_owned()));
        }
    }
}

/// Of two rules for the same logins, the second is never looked at.
fn same_conditions(rules: &[Read<'_>]) {
    for (number, read) in rules.iter().enumerate() {
        let is_same = |earlier: &&Read<'_>| {
            earlier.rule.until.is_none()
                && !matches_all(&earlier.rule.when)
                && format!("{:?}", earlier.rule.when) == format!("{:?}", read.rule.when)
        };
        if let Some(earlier) = rules.iter().take(number).find(is_same) {
            let help = format!(
                "the rule {} above it has the same `when`, and first match wins: take one of them out, or tell them apart",
                quoted(earlier.rule.name.as_str())
            );
            read.warn("name", "this rule is never reached", "", &help);
        }
    }
}

fn exempt_for_good(read: &Read<'_>) {
    if read.rule.verdict == Verdict::Exempt && read.rule.until.is_none() {
        read.warn(
            "second_factor",
            "this exemption never ends",
            "no second factor, for good",
            "add until = DATE, so that somebody looks at it again",
        );
    }
}

/// Rules A2: a primary may take many spellings for one account, and whoever made one up is nobody here.
fn exempts_made_up_names(read: &Read<'_>) {
    if read.rule.verdict == Verdict::Exempt && read.rule.when.holds_for_made_up_names() {
        read.warn(
            "second_factor",
            "this exemption matches made-up names, too",
            "whatever name the primary accepts is exempt here, also one that nobody added",
            "bound it by a group, or by names without a wildcard",
        );
    }
}

fn pushless(read: &Read<'_>, push_has_channel: bool) {
    if read.methods().contains(&Method::Push) && !push_has_channel {
        read.warn(
            "second_factor",
            "a push has no way to the phone",
            "\"push\" is listed",
            "set [method.push], or the next method of the list is used",
        );
    }
}

/// A code must be asked for, or typed behind the password. A client that can do neither can only be sent pushes.
fn unaskable(read: &Read<'_>, clients: &[Sketch]) {
    let methods = read.methods();
    if methods.is_empty() || !methods.iter().all(|method| method.is_code()) {
        return;
    }
    for client in clients.iter().filter(|client| may_match(&read.rule.when, &client.name)) {
        let (Some(place), Some(node)) = (&client.cannot_ask, read.table.get("second_factor")) else { continue };
        let message = format!("`{}` can't ask for a code", client.name);
        let label = "only codes, and no way to type one";
        let help = "set append = \",\" there, so that people type password,code; or list \"push\"; or keep that client out of this rule's `when`";
        node.refuse_at(&message, label, (place.clone(), "it shows no challenge and has no `append`".to_owned()), help);
    }
}

/// Rules E3: Service-Type 6 and 7 need `allow_admin`.
fn admin_reply(read: &Read<'_>, clients: &[Sketch], admins: &[ClientName]) {
    if !makes_admin(&read.rule.reply) {
        return;
    }
    let without = clients.iter().find(|client| {
        may_match(&read.rule.when, &client.name) && !admins.iter().any(|admin| admin.as_str() == client.name)
    });
    if let (Some(client), Some(node)) = (without, read.table.get("reply")) {
        let help = format!(
            "set allow_admin = true in [client.{}], or keep that client out of this rule's `when`",
            client.name
        );
        node.refuse_key::<()>(
            "this reply makes an administrator",
            &format!("`{}` does not allow that", client.name),
            Some(help),
        );
    }
}

/// A rule after one that matches everybody, for good, is never looked at.
fn unreachable_rules(rules: &[Read<'_>]) {
    let Some(all) = rules.iter().position(|read| read.rule.until.is_none() && matches_all(&read.rule.when)) else {
        return;
    };
    let (Some(catching), later) = (rules.get(all), rules.get(all + 1..).unwrap_or_default()) else { return };
    for read in later {
        let help =
            format!("the rule {} above it matches everybody; first match wins", quoted(catching.rule.name.as_str()));
        read.warn("name", "this rule is never reached", "", &help);
    }
}
