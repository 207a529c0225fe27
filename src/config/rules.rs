//! `[[rule]]`: when it matches and what it says. First match wins, so their order is the file's.

use std::sync::Arc;

use login::policy::{Condition, Glob, IfUnavailable, Outage, Rule, Unenrolled, Verdict};
use login::{ClientName, GroupName, Method, RuleName, Wall};

use super::nearest::{listed, suggestion};
use super::node::{Node, Table};
use super::peers::{Sketch, network};
use super::reply::{makes_admin, reply};
use super::values::quoted;

const RULE: [&str; 8] = ["name", "when", "second_factor", "deny", "until", "reply", "unenrolled", "if_unavailable"];
const WHEN: [&str; 7] = ["client", "user", "group", "user_address", "all", "any", "not"];
const OUTAGES: [(&str, Outage); 3] = [("next", Outage::Next), ("deny", Outage::Deny), ("accept", Outage::Accept)];
/// Conditions may nest so deep.
const DEPTH_MAX: usize = 16;
/// RFC 2865 §5.18: a Reply-Message is one attribute's text.
const DENY_OCTETS_MAX: usize = 253;

/// A rule that is in order, with the place that later mistakes are drawn at.
pub(super) struct Read<'a> {
    pub(super) table: Table<'a>,
    pub(super) rule: Arc<Rule>,
}

/// All rules that are in order. Those with mistakes are left out; then nobody sees the others either.
pub(super) fn rules<'a>(root: &Table<'a>, clients: &[Sketch]) -> Vec<Read<'a>> {
    let Some(list) = root.get_quietly("rule").and_then(|node| node.array()) else { return Vec::new() };
    let tables: Vec<Table<'a>> =
        list.iter().filter_map(|entry| entry.clone().shown_as(shown_as(entry)).table("[[rule]]", &RULE)).collect();
    unique_names(&tables);
    tables
        .into_iter()
        .filter_map(|table| rule(&table, clients).map(|rule| Read { rule: Arc::new(rule), table }))
        .collect()
}

/// `rule."VPN users"`: by its name, so that a rule moved is not a rule changed.
fn shown_as(entry: &Node<'_>) -> String {
    let name = entry.value.find_ref("name").and_then(|name| name.as_str());
    format!("rule.{}", name.map_or_else(|| entry.path.last().cloned().unwrap_or_default(), quoted))
}

/// Each later rule of a name is told, with the place of the first.
fn unique_names(tables: &[Table<'_>]) {
    let named: Vec<Node<'_>> = tables.iter().filter_map(|table| table.get_quietly("name")).collect();
    for (number, node) in named.iter().enumerate() {
        let same = |other: &&Node<'_>| other.value.as_str().is_some() && other.value.as_str() == node.value.as_str();
        if let Some(first) = named.iter().take(number).find(same) {
            node.refuse_beside::<()>("two rules have this name", "again", first, "the first");
        }
    }
}

fn rule(table: &Table<'_>, clients: &[Sketch]) -> Option<Rule> {
    let name = table
        .require("name", "the log calls the rule by it, as in name = \"VPN users\"")
        .and_then(|node| rule_name(&node));
    let when = match table.get_quietly("when") {
        Some(node) => condition(&node, clients, 0),
        None => Some(Condition::All(Vec::new())),
    };
    let until = match table.get("until") {
        Some(node) => midnight(&node).map(Some),
        None => Some(None),
    };
    let verdict = verdict(table);
    let reply = reply(table);
    let unenrolled =
        table.get("unenrolled").map_or(Some(Unenrolled::Deny), |node| node.one_of(&[("deny", Unenrolled::Deny)]));
    let if_unavailable = if_unavailable(table);
    let rule = Rule {
        name: name?,
        when: when?,
        until: until?,
        verdict: verdict?,
        reply: reply?,
        unenrolled: unenrolled?,
        if_unavailable: if_unavailable?,
    };
    means_something(table, &rule).then_some(rule)
}

fn rule_name(node: &Node<'_>) -> Option<RuleName> {
    const CHARS_MAX: usize = 100;
    match node.text()? {
        name if !name.trim().is_empty() && name.chars().count() <= CHARS_MAX && !name.contains(char::is_control) => {
            Some(RuleName::new(name))
        }
        _ => node.expected("a name", Some(format!("1 to {CHARS_MAX} characters of one line"))),
    }
}

/// Rules A4: past 00:00 UTC of this day the rule does not match.
fn midnight(node: &Node<'_>) -> Option<Wall> {
    let date = node.date()?;
    let day = date.parse::<jiff::civil::Date>().ok().filter(|_| date.len() == "2027-01-01".len());
    let moment = day.and_then(|day| jiff::tz::TimeZone::UTC.to_timestamp(day.at(0, 0, 0, 0)).ok());
    match moment.and_then(|moment| u64::try_from(moment.as_millisecond()).ok()) {
        Some(millis) => Some(Wall(millis)),
        None => node.expected("a day without a time, since 1970", Some("as in until = 2027-01-01".to_owned())),
    }
}

/// Either `second_factor` or `deny`.
fn verdict(table: &Table<'_>) -> Option<Verdict> {
    match (table.get("second_factor"), table.get("deny")) {
        (Some(factor), None) => second_factor(&factor),
        (None, Some(text)) => deny(&text),
        (Some(factor), Some(text)) => {
            text.refuse_beside("a rule says one thing", "`deny`", &factor, "and `second_factor`")
        }
        (None, None) => {
            let help = format!(
                "say second_factor = [{}], second_factor = \"exempt\", or deny = \"the text for the person\"",
                methods_quoted()
            );
            table.node.refuse_key("this rule says nothing", "neither `second_factor` nor `deny`", Some(help))
        }
    }
}

fn second_factor(node: &Node<'_>) -> Option<Verdict> {
    if node.value.as_str() == Some("exempt") {
        return Some(Verdict::Exempt);
    }
    let nodes = node.one_or_more()?;
    let mut methods: Vec<Method> = Vec::new();
    let mut whole = true;
    for each in &nodes {
        match method(each) {
            Some(method) if methods.contains(&method) => {
                whole = false;
                each.refuse::<()>("this method is listed twice", &each.found(), None);
            }
            Some(method) => methods.push(method),
            None => whole = false,
        }
    }
    whole.then_some(Verdict::Require(methods))
}

fn method(node: &Node<'_>) -> Option<Method> {
    let words: Vec<&str> = Method::ALL.iter().map(|method| method.as_str()).collect();
    let allowed = format!("allowed: \"exempt\", or an array of {}", listed(&words));
    let Some(word) = node.value.as_str() else { return node.expected("methods", Some(allowed)) };
    if word == "exempt" {
        return node.refuse(
            "\"exempt\" stands alone",
            "no method beside it",
            Some("write second_factor = \"exempt\"".to_owned()),
        );
    }
    match Method::ALL.into_iter().find(|method| method.as_str() == word) {
        Some(method) => Some(method),
        None => node.refuse(
            &format!("there is no method {}", quoted(word)),
            &node.found(),
            Some(suggestion(word, &words, &allowed)),
        ),
    }
}

fn methods_quoted() -> String {
    Method::ALL.iter().map(|method| quoted(method.as_str())).collect::<Vec<_>>().join(", ")
}

fn deny(node: &Node<'_>) -> Option<Verdict> {
    match node.text()? {
        text if !text.trim().is_empty() && text.len() <= DENY_OCTETS_MAX && !text.contains(char::is_control) => {
            Some(Verdict::Deny(text.into()))
        }
        _ => node.expected(
            "a text for the person",
            Some(format!("1 to {DENY_OCTETS_MAX} octets of one line, as one Reply-Message holds")),
        ),
    }
}

fn if_unavailable(rule: &Table<'_>) -> Option<IfUnavailable> {
    let Some(node) = rule.get("if_unavailable") else { return Some(IfUnavailable::default()) };
    let table = node.table("if_unavailable", &["push", "directory"])?;
    let outage = |key: &str| table.get(key).map_or(Some(Outage::default()), |node| node.one_of(&OUTAGES));
    let (push, directory) = (outage("push"), outage("directory"));
    Some(IfUnavailable { push: push?, directory: directory? })
}

/// Keys that the rule's verdict gives no meaning to; and fail-open within its bounds (rules A5).
fn means_something(table: &Table<'_>, rule: &Rule) -> bool {
    let denies = matches!(rule.verdict, Verdict::Deny(_));
    let methods = match &rule.verdict {
        Verdict::Require(methods) => methods.as_slice(),
        Verdict::Exempt | Verdict::Deny(_) => &[],
    };
    let idle = [
        ("reply", denies, "a rule that denies sends no attributes of an Accept"),
        ("unenrolled", methods.is_empty(), "this rule asks for no method"),
    ];
    let idle = idle.into_iter().filter(|(_, idle, _)| *idle).filter_map(|(key, _, why)| Some((table.get(key)?, why)));
    let idle =
        idle.map(|(node, why)| node.refuse_key::<()>(&format!("`{}` means nothing here", node.key), why, None)).count();
    idle + outages(table, rule, methods) == 0
}

fn outages(table: &Table<'_>, rule: &Rule, methods: &[Method]) -> usize {
    let Some(outages) = table.get("if_unavailable").and_then(|node| node.open("if_unavailable")) else { return 0 };
    let mut mistakes = 0;
    for node in outages.entries() {
        if node.key == "push" && !methods.contains(&Method::Push) {
            node.refuse_key::<()>("`push` means nothing here", "this rule asks for no push", None);
            mistakes += 1;
        } else if node.value.as_str() == Some("accept") && (rule.until.is_none() || !needs_group(&rule.when)) {
            let label = "lets people in when a service is down";
            let help = "add until = DATE, and a group to its `when`: fail-open is for some, and for a while (\"next\" and \"deny\" need neither)";
            node.refuse::<()>("fail-open needs `until` and a group", label, Some(help.to_owned()));
            mistakes += 1;
        }
    }
    mistakes
}

/// Whether nobody outside of some group can match: a group under `not` or beside another `any` bounds nothing.
fn needs_group(condition: &Condition) -> bool {
    match condition {
        Condition::Group(_) => true,
        Condition::All(parts) => parts.iter().any(needs_group),
        Condition::Any(parts) => !parts.is_empty() && parts.iter().all(needs_group),
        Condition::Not(_) | Condition::Client(_) | Condition::User(_) | Condition::UserAddress(_) => false,
    }
}

/// Several keys of one table must all hold. Local groups are always there to be asked, so each group condition has
/// a directory that can answer it (rules A4).
fn condition(node: &Node<'_>, clients: &[Sketch], depth: usize) -> Option<Condition> {
    if depth > DEPTH_MAX {
        return node.refuse("these conditions nest too deep", &format!("more than {DEPTH_MAX} levels"), None);
    }
    let table = node.table("`when`", &WHEN)?;
    let read: Vec<Option<Condition>> = table
        .entries()
        .filter(|entry| WHEN.contains(&entry.key.as_str()))
        .filter_map(|entry| table.get(&entry.key))
        .map(|entry| part(&entry, clients, depth))
        .collect();
    let mut parts = read.into_iter().collect::<Option<Vec<_>>>()?;
    match (parts.len(), parts.pop()) {
        (1, Some(only)) => Some(only),
        (_, Some(last)) => Some(Condition::All(parts.into_iter().chain([last]).collect())),
        (_, None) => Some(Condition::All(Vec::new())),
    }
}

fn part(node: &Node<'_>, clients: &[Sketch], depth: usize) -> Option<Condition> {
    match node.key.as_str() {
        "client" => each(node.one_or_more()?, |node| client(node, clients)).map(Condition::Client),
        "user" => {
            each(node.one_or_more()?, |node| Some(Glob::new(plain(node, "a name or a pattern, as in \"svc-*\"")?)))
                .map(Condition::User)
        }
        "group" => each(node.one_or_more()?, |node| Some(GroupName::folded(plain(node, "a group's name")?)))
            .map(Condition::Group),
        "user_address" => each(node.one_or_more()?, network).map(Condition::UserAddress),
        "all" => each(node.array()?, |node| condition(node, clients, depth + 1)).map(Condition::All),
        "any" => each(node.array()?, |node| condition(node, clients, depth + 1)).map(Condition::Any),
        _ => condition(node, clients, depth + 1).map(|inner| Condition::Not(Box::new(inner))),
    }
}

/// All of them are read, so that all their mistakes are told.
fn each<'a, T>(nodes: Vec<Node<'a>>, read: impl FnMut(&Node<'a>) -> Option<T>) -> Option<Vec<T>> {
    nodes.iter().map(read).collect::<Vec<Option<T>>>().into_iter().collect()
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

fn plain<'a>(node: &Node<'a>, what: &str) -> Option<&'a str> {
    match node.text()? {
        text if !text.trim().is_empty() && !text.contains(char::is_control) => Some(text),
        _ => node.expected(what, None),
    }
}

/// The second pass over rules: what only all of them together, or the clients beside them, can be wrong about.
pub(super) fn cross_check(rules: &[Read<'_>], clients: &[Sketch], admins: &[ClientName], push_has_channel: bool) {
    for read in rules {
        exempt_for_good(read);
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

fn matches_all(condition: &Condition) -> bool {
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
fn may_match(condition: &Condition, client: &str) -> bool {
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

impl Read<'_> {
    fn methods(&self) -> &[Method] {
        match &self.rule.verdict {
            Verdict::Require(methods) => methods,
            Verdict::Exempt | Verdict::Deny(_) => &[],
        }
    }

    fn warn(&self, key: &str, message: &str, label: &str, help: &str) {
        if let Some(node) = self.table.get(key) {
            node.warn(message, label, Some(help.to_owned()));
        }
    }
}
