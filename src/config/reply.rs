//! A rule's `reply`: attributes by their dictionary names, encoded once here (rules E3).

use std::sync::Arc;

use figment::value::{Num, Value};
use wire::{Dictionary, EncodeError, Entry, Forbidden, ReplyAttributes};

use super::nearest::nearest;
use super::node::{Node, Table};
use super::values;

/// Service-Type (RFC 2865 §5.6): 6 is Administrative, 7 NAS-Prompt.
const ADMIN_SERVICE_TYPES: [u32; 2] = [6, 7];
/// A rule may use so many octets of an answer; the rest is the upstream's and the conversation's.
const REPLY_OCTETS_MAX: usize = 2048;

/// `reply = { Name = value, "Vendor-Name" = [value, value] }`. None: there is a mistake.
pub(super) fn reply(rule: &Table<'_>) -> Option<ReplyAttributes> {
    let Some(node) = rule.get("reply") else { return Some(ReplyAttributes::default()) };
    let table = node.open("reply")?;
    // All of them are read before the first mistake ends it.
    let read: Vec<Option<Vec<Vec<u8>>>> =
        table.entries().filter_map(|entry| table.get(&entry.key)).map(|entry| attribute(&entry)).collect();
    let raw: Vec<Vec<u8>> = read.into_iter().collect::<Option<Vec<_>>>()?.into_iter().flatten().collect();
    let octets: usize = raw.iter().map(Vec::len).sum();
    if octets > REPLY_OCTETS_MAX {
        return node.refuse_key(
            "this reply is too large",
            &format!("{octets} octets, at most {REPLY_OCTETS_MAX}"),
            None,
        );
    }
    ReplyAttributes::new(raw)
        .map_err(|forbidden| node.refuse_key::<()>("this reply can't be set", &forbidden.to_string(), None))
        .ok()
}

/// Where a reply makes the user an administrator of the appliance.
pub(super) fn makes_admin(reply: &ReplyAttributes) -> bool {
    reply.service_types().any(|service| ADMIN_SERVICE_TYPES.contains(&service))
}

/// `session_attribute`: an attribute without a tag, by its name.
pub(super) fn session_attribute(node: &Node<'_>) -> Option<Arc<str>> {
    let entry = entry(node, node.text()?)?;
    if entry.is_hidden() {
        return node.refuse("this attribute is hidden", "it holds a credential or a key", None);
    }
    Some(Arc::from(entry.name.as_str()))
}

fn attribute(node: &Node<'_>) -> Option<Vec<Vec<u8>>> {
    let bare = node.key.split(':').next().unwrap_or_default();
    if Dictionary::embedded().attribute(bare).is_none() {
        return unknown(node, bare);
    }
    let read: Vec<Option<Vec<u8>>> = node.one_or_more()?.iter().map(encode).collect();
    read.into_iter().collect()
}

fn encode(node: &Node<'_>) -> Option<Vec<u8>> {
    let number = if let Value::Num(_, Num::I64(number)) = node.value { Some(number.to_string()) } else { None };
    let Some(text) = node.value.as_str().map(str::to_owned).or(number) else {
        return node.expected("a string or a whole number", None);
    };
    let raw = match Dictionary::embedded().encode(&node.key, &text) {
        Ok(raw) => raw,
        Err(error @ EncodeError::Hidden) => return node.refuse_key(&forbidden(&node.key), &error.to_string(), None),
        Err(error @ (EncodeError::UnknownName | EncodeError::NotTagged | EncodeError::BadTag)) => {
            return node.refuse_key(&format!("`{}` is no attribute's name", node.key), &error.to_string(), None);
        }
        Err(EncodeError::NotA(data)) => return node.expected(&data.to_string(), named_values(&node.key, &text)),
        Err(error @ EncodeError::TooLong) => {
            return node.refuse(&format!("`{}` is too long", node.key), &error.to_string(), None);
        }
    };
    match ReplyAttributes::new([&raw]) {
        Ok(_) => Some(raw),
        Err(error @ (Forbidden::Owned(_) | Forbidden::Key { .. } | Forbidden::NotAnAttribute)) => {
            node.refuse(&forbidden(&node.key), &error.to_string(), None)
        }
    }
}

fn forbidden(name: &str) -> String {
    format!("no rule may set `{name}`")
}

/// The names that an attribute's numbers have.
fn named_values(name: &str, text: &str) -> Option<String> {
    const LISTED_MAX: usize = 8;
    let entry = Dictionary::embedded().attribute(name.split(':').next().unwrap_or_default())?;
    let names: Vec<&str> = entry.values.iter().map(|(name, _)| name.as_str()).collect();
    if names.is_empty() {
        return None;
    }
    let some: Vec<&str> = names.iter().take(LISTED_MAX).copied().collect();
    let more = if names.len() > LISTED_MAX { ", …" } else { "" };
    let listed = format!("or one of its names: {}{more}", some.join(", "));
    Some(nearest(text, names).map_or_else(|| listed.clone(), |near| format!("did you mean `{near}`? {listed}")))
}

fn entry(node: &Node<'_>, name: &str) -> Option<&'static Entry> {
    match Dictionary::embedded().attribute(name) {
        Some(entry) => Some(entry),
        None => unknown(node, name),
    }
}

fn unknown<T>(node: &Node<'_>, name: &str) -> Option<T> {
    let near = nearest(name, Dictionary::embedded().names()).map(|near| format!("did you mean `{near}`?"));
    let help =
        near.unwrap_or_else(|| "names are those of the dictionaries, as in Filter-Id or \"Cisco-AVPair\"".to_owned());
    let message = format!("there is no attribute {}", values::quoted(name));
    if node.key.starts_with(name) {
        node.refuse_key(&message, "not in the dictionaries", Some(help))
    } else {
        node.refuse(&message, "not in the dictionaries", Some(help))
    }
}
