//! Values as people write and read them: `encode` for the policy file and `radtest`, `describe` for the log.
//!
//! What is described fits on one line, with everything unprintable escaped, and never shows a credential or key. What is encoded
//! is exactly the type's form, or an error that says what was expected.

use std::fmt::{self, Write as _};
use std::net::{Ipv4Addr, Ipv6Addr};

use super::{Dictionary, Entry, Type};
use crate::field::{ATTRIBUTE_HEADER_OCTETS, VALUE_OCTETS_MAX};
use crate::kind;
use crate::log::log_safe;
use crate::replacement::TAG_MAX;
use crate::reply::vendor_header;
use crate::vendor::VendorAttribute;
use crate::view::Attribute;

/// What stands in a description where a credential or key is.
const HIDDEN: &str = "<hidden>";

/// Octets of an unknown value that a description shows in hexadecimal.
const HEX_OCTETS_MAX: usize = 64;

impl Dictionary {
    /// Encodes `text` as the attribute `name`, which may end in a tag (`Tunnel-Type:1`): a whole attribute, a vendor's one in
    /// its Vendor-Specific.
    ///
    /// # Errors
    /// [`EncodeError`] says what is wrong with the name, the tag or the value.
    pub fn encode(&self, name: &str, text: &str) -> Result<Vec<u8>, EncodeError> {
        let (entry, tag) = self.tagged(name)?;
        if entry.is_hidden() {
            return Err(EncodeError::Hidden);
        }
        let value = encode_tagged(entry, tag, text)?;
        wrap(entry, &value)
    }

    /// An attribute on one line, safe for a log: `Service-Type = Framed-User`.
    pub fn describe(&self, attribute: Attribute<'_>) -> String {
        match attribute.vendor() {
            Some(inside) => inside.map(|inner| self.describe_vendor(&inner)).collect::<Vec<_>>().join(", "),
            None => self.describe_plain(attribute),
        }
    }

    fn describe_plain(&self, attribute: Attribute<'_>) -> String {
        match self.entry(attribute.kind, None) {
            Some(entry) => describe_entry(entry, attribute.value),
            None => format!("Attribute-{} = {}", attribute.kind, hexadecimal(attribute.value)),
        }
    }

    fn describe_vendor(&self, inner: &VendorAttribute<'_>) -> String {
        if let Some(entry) = self.entry(inner.kind, Some(inner.vendor)) {
            return describe_entry(entry, inner.value);
        }
        let number = inner.vendor.to_string();
        let vendor = self.vendor_name(inner.vendor).unwrap_or(&number);
        format!("{vendor}-Attribute-{} = {}", inner.kind, hexadecimal(inner.value))
    }

    fn tagged(&self, name: &str) -> Result<(&Entry, Option<u8>), EncodeError> {
        let (bare, tag) = name.split_once(':').map_or((name, None), |(bare, tag)| (bare, Some(tag)));
        let entry = self.attribute(bare).ok_or(EncodeError::UnknownName)?;
        let Some(tag) = tag else {
            return Ok((entry, None));
        };
        match tag.parse() {
            _ if !entry.has_tag => Err(EncodeError::NotTagged),
            Ok(tag) if tag <= TAG_MAX => Ok((entry, Some(tag))),
            Ok(_) | Err(_) => Err(EncodeError::BadTag),
        }
    }
}

/// Why a text can't become an attribute.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EncodeError {
    /// No attribute has this name.
    UnknownName,
    /// The attribute takes no tag.
    NotTagged,
    /// A tag is 0 to 31.
    BadTag,
    /// The value is not of this type, nor a name of one.
    NotA(Type),
    /// The value takes more octets than an attribute has.
    TooLong,
    /// The attribute is a credential or key: it is not written from text.
    Hidden,
}

impl fmt::Display for EncodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownName => f.write_str("no attribute has this name"),
            Self::NotTagged => f.write_str("this attribute takes no tag"),
            Self::BadTag => write!(f, "a tag is a number from 0 to {TAG_MAX}"),
            Self::NotA(data) => write!(f, "the value must be {data}"),
            Self::TooLong => write!(f, "the value is longer than the {VALUE_OCTETS_MAX} octets of an attribute allow"),
            Self::Hidden => f.write_str("this attribute holds a credential or key and is not written as text"),
        }
    }
}

impl std::error::Error for EncodeError {}

/// RFC 2868 §3.1: a tag before text, or in place of a number's first octet.
fn encode_tagged(entry: &Entry, tag: Option<u8>, text: &str) -> Result<Vec<u8>, EncodeError> {
    let mut value = encode_value(entry, text)?;
    if !entry.has_tag {
        return Ok(value);
    }
    if entry.data == Type::Integer {
        let first = value.first_mut().filter(|first| **first == 0).ok_or(EncodeError::NotA(Type::Integer))?;
        *first = tag.unwrap_or_default();
    } else if let Some(tag) = tag {
        value.insert(0, tag);
    }
    Ok(value)
}

fn encode_value(entry: &Entry, text: &str) -> Result<Vec<u8>, EncodeError> {
    let value = match entry.data {
        Type::String => Some(text.as_bytes().to_vec()),
        Type::Octets => encode_octets(text),
        Type::Integer => entry.value(text).or_else(|| text.parse().ok()).map(|number| number.to_be_bytes().to_vec()),
        Type::Byte => named_or(entry, text).map(|number: u8| vec![number]),
        Type::Short => named_or(entry, text).map(|number: u16| number.to_be_bytes().to_vec()),
        Type::Integer64 => text.parse().ok().map(|number: u64| number.to_be_bytes().to_vec()),
        Type::IpAddr => text.parse().ok().map(|address: Ipv4Addr| address.octets().to_vec()),
        Type::Ipv6Addr => text.parse().ok().map(|address: Ipv6Addr| address.octets().to_vec()),
        Type::Ipv4Prefix => encode_ipv4_prefix(text),
        Type::Ipv6Prefix => encode_ipv6_prefix(text),
        Type::Date => text.parse().ok().map(|seconds: u32| seconds.to_be_bytes().to_vec()),
        Type::IfId => encode_ifid(text),
    };
    value.ok_or(EncodeError::NotA(entry.data))
}

fn named_or<N: TryFrom<u32> + std::str::FromStr>(entry: &Entry, text: &str) -> Option<N> {
    entry.value(text).and_then(|number| number.try_into().ok()).or_else(|| text.parse().ok())
}

/// `0x` and hexadecimal digits, or else the text itself.
fn encode_octets(text: &str) -> Option<Vec<u8>> {
    let Some(digits) = text.strip_prefix("0x") else {
        return Some(text.as_bytes().to_vec());
    };
    let (pairs, rest) = digits.as_bytes().as_chunks::<2>();
    if !rest.is_empty() {
        return None;
    }
    pairs.iter().map(|[high, low]| Some(hex_digit(*high)?.wrapping_shl(4) | hex_digit(*low)?)).collect()
}

fn hex_digit(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|value| value.try_into().ok())
}

/// Reserved, prefix length, and always four octets (RFC 6572 §5.12).
fn encode_ipv4_prefix(text: &str) -> Option<Vec<u8>> {
    let (address, length) = split_prefix(text, 32)?;
    let address: Ipv4Addr = address.parse().ok()?;
    let beyond = u32::MAX.checked_shr(length.into()).unwrap_or_default();
    (address.to_bits() & beyond == 0).then(|| [&[0, length][..], &address.octets()].concat())
}

/// Reserved, prefix length, and as many octets as it covers (RFC 3162 §2.3).
fn encode_ipv6_prefix(text: &str) -> Option<Vec<u8>> {
    let (address, length) = split_prefix(text, 128)?;
    let address: Ipv6Addr = address.parse().ok()?;
    let beyond = u128::MAX.checked_shr(length.into()).unwrap_or_default();
    let octets = address.octets();
    let covered = octets.get(..usize::from(length).div_ceil(8))?;
    (address.to_bits() & beyond == 0).then(|| [&[0, length][..], covered].concat())
}

fn split_prefix(text: &str, longest: u8) -> Option<(&str, u8)> {
    let (address, length) = text.split_once('/')?;
    Some((address, length.parse().ok().filter(|length| *length <= longest)?))
}

/// Four groups of four hexadecimal digits.
fn encode_ifid(text: &str) -> Option<Vec<u8>> {
    let groups: Vec<u16> = text.split(':').map(|group| u16::from_str_radix(group, 16).ok()).collect::<Option<_>>()?;
    (groups.len() == 4).then(|| groups.into_iter().flat_map(u16::to_be_bytes).collect())
}

fn wrap(entry: &Entry, value: &[u8]) -> Result<Vec<u8>, EncodeError> {
    let (kind, header) = match entry.vendor {
        None => (entry.kind, None),
        Some(vendor) => {
            let header = vendor_header(vendor, entry.kind, value.len()).map_err(|_| EncodeError::TooLong)?;
            (kind::VENDOR_SPECIFIC, Some(header))
        }
    };
    let header = header.as_ref().map(|header| &header[..]).unwrap_or_default();
    let octets = value.len().saturating_add(header.len()).saturating_add(ATTRIBUTE_HEADER_OCTETS);
    let length = u8::try_from(octets).map_err(|_| EncodeError::TooLong)?;
    Ok([&[kind, length][..], header, value].concat())
}

fn describe_entry(entry: &Entry, value: &[u8]) -> String {
    if entry.is_hidden() {
        return format!("{} = {HIDDEN}", entry.name);
    }
    let (tag, value) = split_tag(entry, value);
    let shown = describe_value(entry, &value).unwrap_or_else(|| hexadecimal(&value));
    match tag {
        Some(tag) => format!("{}:{tag} = {shown}", entry.name),
        None => format!("{} = {shown}", entry.name),
    }
}

/// The tag, if there is one, and the value as if there were none (RFC 2868 §3.1).
fn split_tag(entry: &Entry, value: &[u8]) -> (Option<u8>, Vec<u8>) {
    match value.split_first() {
        Some((tag, rest)) if entry.has_tag && *tag <= TAG_MAX => {
            let zero: &[u8] = if entry.data == Type::Integer { &[0] } else { &[] };
            ((*tag != 0).then_some(*tag), [zero, rest].concat())
        }
        Some(_) | None => (None, value.to_vec()),
    }
}

/// Nothing when the value has not the form of its type: then it is shown in hexadecimal.
fn describe_value(entry: &Entry, value: &[u8]) -> Option<String> {
    match entry.data {
        Type::String => Some(quoted(value)),
        Type::Octets => Some(describe_octets(value)),
        Type::Integer => array(value).map(|octets| named(entry, u32::from_be_bytes(octets))),
        Type::Byte => array(value).map(|octets| named(entry, u8::from_be_bytes(octets).into())),
        Type::Short => array(value).map(|octets| named(entry, u16::from_be_bytes(octets).into())),
        Type::Integer64 => array(value).map(|octets| u64::from_be_bytes(octets).to_string()),
        Type::IpAddr => array::<4>(value).map(|octets| Ipv4Addr::from(octets).to_string()),
        Type::Ipv6Addr => array::<16>(value).map(|octets| Ipv6Addr::from(octets).to_string()),
        Type::Ipv4Prefix => describe_ipv4_prefix(value),
        Type::Ipv6Prefix => describe_ipv6_prefix(value),
        Type::Date => array(value).map(|octets| u32::from_be_bytes(octets).to_string()),
        Type::IfId => describe_ifid(value),
    }
}

fn named(entry: &Entry, number: u32) -> String {
    entry.value_name(number).map_or_else(|| number.to_string(), str::to_owned)
}

fn quoted(value: &[u8]) -> String {
    format!("\"{}\"", log_safe(value).replace('"', "\\\""))
}

/// Text where it is nothing but printable ASCII, as Class often is; hexadecimal otherwise.
fn describe_octets(value: &[u8]) -> String {
    let printable = !value.is_empty() && value.iter().all(|octet| matches!(octet, b' '..=b'~'));
    if printable { quoted(value) } else { hexadecimal(value) }
}

fn describe_ipv4_prefix(value: &[u8]) -> Option<String> {
    let [_, length, address @ ..] = value else {
        return None;
    };
    Some(format!("{}/{length}", Ipv4Addr::from(array::<4>(address)?)))
}

fn describe_ipv6_prefix(value: &[u8]) -> Option<String> {
    let [_, length, address @ ..] = value else {
        return None;
    };
    let mut octets = [0; 16];
    octets.get_mut(..address.len())?.copy_from_slice(address);
    Some(format!("{}/{length}", Ipv6Addr::from(octets)))
}

fn describe_ifid(value: &[u8]) -> Option<String> {
    let [a, b, c, d, e, f, g, h] = array(value)?;
    let groups = [[a, b], [c, d], [e, f], [g, h]].map(|group| format!("{:x}", u16::from_be_bytes(group)));
    Some(groups.join(":"))
}

fn array<const N: usize>(value: &[u8]) -> Option<[u8; N]> {
    value.try_into().ok()
}

/// `0x` and digits, cut with a mark when there are many.
fn hexadecimal(value: &[u8]) -> String {
    let mut text = String::from("0x");
    for octet in value.iter().take(HEX_OCTETS_MAX) {
        // Writing into a String can't fail.
        let _ = write!(text, "{octet:02x}");
    }
    if value.len() > HEX_OCTETS_MAX {
        text.push('…');
    }
    text
}
