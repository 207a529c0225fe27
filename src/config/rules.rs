//! `[[rule]]`: when it matches and what it says. First match wins, so their order is the file's.

use std::sync::Arc;

use login::name::Realms;
use login::policy::{Condition, IfUnavailable, Outage, Rule, Unenrolled, Verdict};
use login::{Method, RuleName, Wall};

use super::conditions::{needs_group, when};
use super::document::RULE_BRACKETS;
use super::nearest::{listed, suggestion};
use super::node::{Node, Table};
use super::peers::Sketch;
use super::reply::reply;
use super::values::quoted;

const RULE: [&str; 10] =
    ["name", "title", "when", "second_factor", "deny", "until", "reply", "unenrolled", "if_unavailable", "number"];
const OUTAGES: [(&str, Outage); 3] = [("next", Outage::Next), ("deny", Outage::Deny), ("accept", Outage::Accept)];
/// RFC 2865 §5.18: a Reply-Message is one attribute's text.
const DENY_OCTETS_MAX: usize = 253;

/// A rule that is in order, with the place that later mistakes are drawn at.
pub(super) struct Read<'a> {
    pub(super) table: Table<'a>,
    pub(super) rule: Arc<Rule>,
}

/// All rules that are in order. Those with mistakes are left out; then nobody sees the others either.
pub(super) fn rules<'a>(root: &Table<'a>, clients: &[Sketch], realms: &Realms) -> Vec<Read<'a>> {
    let Some(list) = root.get_quietly("rule").and_then(|node| list(&node)) else { return Vec::new() };
    let tables: Vec<Table<'a>> =
        list.iter().filter_map(|entry| entry.clone().shown_as(shown_as(entry)).table("[[rule]]", &RULE)).collect();
    unique_names(&tables);
    tables
        .into_iter()
        .filter_map(|table| rule(&table, clients, realms).map(|rule| Read { rule: Arc::new(rule), table }))
        .collect()
}

fn list<'a>(node: &Node<'a>) -> Option<Vec<Node<'a>>> {
    if node.value.as_dict().is_some() {
        return node.refuse_key("`rule` is a list", "one pair of brackets", Some(RULE_BRACKETS.to_owned()));
    }
    node.array()
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

fn rule(table: &Table<'_>, clients: &[Sketch], realms: &Realms) -> Option<Rule> {
    let name = table
        .require("name", "the log calls the rule by it, as in name = \"VPN users\"")
        .and_then(|node| rule_name(&node));
    let when = match table.get_quietly("when") {
        Some(node) => when(&node, clients, realms),
        None => Some(Condition::All(Vec::new())),
    };
    let until = match table.get("until") {
        Some(node) => midnight(&node).map(Some),
        None => Some(None),
    };
    let verdict = verdict(table);
    let reply = reply(table);
    let unenrolled = table.get("unenrolled").map_or(Some(Unenrolled::Deny), |node| {
        node.one_of(&[("deny", Unenrolled::Deny), ("enrol", Unenrolled::Enrol)])
    });
    let if_unavailable = if_unavailable(table);
    let number_required = table.get("number").map_or(Some(false), |node| node.one_of(&[("required", true)]));
    let rule = Rule {
        name: name?,
        when: when?,
        until: until?,
        verdict: verdict?,
        reply: reply?,
        unenrolled: unenrolled?,
        if_unavailable: if_unavailable?,
        number_required: number_required?,
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
pub(super) fn midnight(node: &Node<'_>) -> Option<Wall> {
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
    let Some(word) = node.value.as_str() else { return node.expected("\"exempt\" or methods", Some(allowed)) };
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
        ("number", !methods.contains(&Method::Push), "this rule asks for no push"),
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
        } else if let Some(lacks) = unbounded(&node, rule) {
            let help = "fail-open is for some, and for a while: until = DATE, and a group in `when` without which nothing matches (\"next\" and \"deny\" need neither)";
            node.refuse::<()>("fail-open needs `until` and a group", lacks, Some(help.to_owned()));
            mistakes += 1;
        }
    }
    mistakes
}

/// What an `accept` lacks (rules A5).
fn unbounded(node: &Node<'_>, rule: &Rule) -> Option<&'static str> {
    match (node.value.as_str() == Some("accept"), rule.until.is_some(), needs_group(&rule.when)) {
        (false, _, _) | (true, true, true) => None,
        (true, false, true) => Some("this has no end: `until` is missing"),
        (true, true, false) => Some("this is for everybody: no group bounds it"),
        (true, false, false) => Some("this is for everybody, and has no end"),
    }
}

impl Read<'_> {
    /// The methods that it asks for.
    pub(super) fn methods(&self) -> &[Method] {
        match &self.rule.verdict {
            Verdict::Require(methods) => methods,
            Verdict::Exempt | Verdict::Deny(_) => &[],
        }
    }

    /// A warning at one of its keys.
    pub(super) fn warn(&self, key: &str, message: &str, label: &str, help: &str) {
        if let Some(node) = self.table.get(key) {
            node.warn(message, label, Some(help.to_owned()));
        }
    }
}
