//! The second pass over rules: what only all of them together, or the clients beside them, can be wrong about.

use login::policy::Verdict;
use login::{ClientName, Method};

use super::conditions::{matches_all, may_match};
use super::peers::Sketch;
use super::reply::makes_admin;
use super::rules::Read;
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
