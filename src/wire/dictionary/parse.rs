//! Reading dictionary texts: a line says one thing, `#` begins a comment.
//!
//! ```text
//! VENDOR        NAME NUMBER
//! BEGIN-VENDOR  NAME             what follows is this vendor's
//! END-VENDOR    NAME
//! ATTRIBUTE     NAME NUMBER TYPE [has_tag,encrypt=1|2,secret]
//! VALUE         ATTRIBUTE NAME NUMBER
//! ```
//! A line that is not understood is an error with its number, never skipped.

use std::fmt;

use super::{Dictionary, Encryption, Entry, Type};

/// A line that is not understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DictionaryError {
    /// Counted from 1, in its own text.
    pub line: usize,
    /// The line as it stands.
    pub text: String,
    /// What is wrong with it.
    pub problem: &'static str,
}

impl fmt::Display for DictionaryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}: {:?}", self.line, self.problem, self.text)
    }
}

impl std::error::Error for DictionaryError {}

/// Adds a text to the dictionary.
pub(super) fn read(dictionary: &mut Dictionary, text: &str) -> Result<(), DictionaryError> {
    let mut vendor = None;
    for (before, line) in text.lines().enumerate() {
        let said = line.split('#').next().unwrap_or_default();
        let words: Vec<&str> = said.split_whitespace().collect();
        read_line(dictionary, &mut vendor, &words).map_err(|problem| DictionaryError {
            line: before.saturating_add(1),
            text: line.to_owned(),
            problem,
        })?;
    }
    Ok(())
}

fn read_line(dictionary: &mut Dictionary, vendor: &mut Option<u32>, words: &[&str]) -> Result<(), &'static str> {
    match *words {
        [] => {}
        ["VENDOR", name, number] => {
            dictionary.vendors.insert(read_number(number)?, name.to_owned());
        }
        ["BEGIN-VENDOR", name] => *vendor = Some(vendor_number(dictionary, name)?),
        ["END-VENDOR", _] => *vendor = None,
        ["ATTRIBUTE", name, number, data] => add(dictionary, *vendor, name, number, data, "")?,
        ["ATTRIBUTE", name, number, data, flags] => add(dictionary, *vendor, name, number, data, flags)?,
        ["VALUE", attribute, name, number] => add_value(dictionary, attribute, name, number)?,
        _ => return Err("no dictionary line looks like this"),
    }
    Ok(())
}

fn add(
    dictionary: &mut Dictionary,
    vendor: Option<u32>,
    name: &str,
    number: &str,
    data: &str,
    flags: &str,
) -> Result<(), &'static str> {
    let kind = number.parse().map_err(|_| "an attribute number is 1 to 255")?;
    let data = read_type(data).ok_or("there is no such type")?;
    let (has_tag, encryption, secret) = (false, Encryption::None, false);
    let mut entry =
        Entry { name: name.to_owned(), kind, vendor, data, has_tag, encryption, secret, values: Vec::new() };
    flags.split(',').filter(|flag| !flag.is_empty()).try_for_each(|flag| set(&mut entry, flag))?;
    let at = dictionary.entries.len();
    let named = dictionary.by_name.insert(name.to_ascii_lowercase(), at);
    let numbered = dictionary.by_number.insert((vendor, kind), at);
    dictionary.entries.push(entry);
    match (named, numbered) {
        (None, None) => Ok(()),
        (Some(_), _) => Err("the name is taken"),
        (None, Some(_)) => Err("the number is taken"),
    }
}

fn set(entry: &mut Entry, flag: &str) -> Result<(), &'static str> {
    match flag {
        "has_tag" => entry.has_tag = true,
        "secret" => entry.secret = true,
        "encrypt=1" => entry.encryption = Encryption::Password,
        "encrypt=2" => entry.encryption = Encryption::Salted,
        _ => return Err("there is no such flag"),
    }
    Ok(())
}

fn add_value(dictionary: &mut Dictionary, attribute: &str, name: &str, number: &str) -> Result<(), &'static str> {
    let value = read_number(number)?;
    let at = dictionary.by_name.get(&attribute.to_ascii_lowercase()).ok_or("the attribute is not known yet")?;
    let entry = dictionary.entries.get_mut(*at).ok_or("the attribute is not known yet")?;
    if entry.value(name).is_some() {
        return Err("the value's name is taken");
    }
    entry.values.push((name.to_owned(), value));
    Ok(())
}

fn vendor_number(dictionary: &Dictionary, name: &str) -> Result<u32, &'static str> {
    let found = dictionary.vendors.iter().find(|(_, known)| *known == name);
    found.map(|(number, _)| *number).ok_or("the vendor is not known yet")
}

fn read_number(text: &str) -> Result<u32, &'static str> {
    text.parse().map_err(|_| "this is no number")
}

fn read_type(name: &str) -> Option<Type> {
    Some(match name {
        "string" => Type::String,
        "octets" => Type::Octets,
        "integer" => Type::Integer,
        "byte" => Type::Byte,
        "short" => Type::Short,
        "integer64" => Type::Integer64,
        "ipaddr" => Type::IpAddr,
        "ipv6addr" => Type::Ipv6Addr,
        "ipv4prefix" => Type::Ipv4Prefix,
        "ipv6prefix" => Type::Ipv6Prefix,
        "date" => Type::Date,
        "ifid" => Type::IfId,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bad_line_is_named_with_its_number() {
        let problem = |text: &str| Dictionary::parse(&[text]).unwrap_err();
        assert_eq!(problem("\nATTRIBUTE A 256 string").line, 2);
        assert_eq!(problem("ATTRIBUTE A 1 strin").problem, "there is no such type");
        assert_eq!(problem("ATTRIBUTE A 1 string tag").problem, "there is no such flag");
        assert_eq!(problem("ATTRIBUTE A 1 string\nATTRIBUTE a 2 string").problem, "the name is taken");
        assert_eq!(problem("ATTRIBUTE A 1 string\nATTRIBUTE B 1 string").problem, "the number is taken");
        assert_eq!(problem("VALUE A b 1").problem, "the attribute is not known yet");
        assert_eq!(problem("BEGIN-VENDOR X").problem, "the vendor is not known yet");
        assert_eq!(problem("what").problem, "no dictionary line looks like this");
    }
}
