//! Values as people write them, for the policy file and `radtest`.
//!
//! What is encoded has exactly the form of the attribute's type, or it is an error that says what was expected. Credentials and
//! keys are never made from text here: they are hidden anew for every packet.

use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};

use super::{Dictionary, Entry, Type};
use crate::field::{ATTRIBUTE_HEADER_OCTETS, VALUE_OCTETS_MAX};
use crate::kind;
use crate::replacement::TAG_MAX;
use crate::reply::vendor_header;

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

#[cfg(test)]
mod tests {
    use super::*;

    fn raw(name: &str, text: &str) -> Vec<u8> {
        Dictionary::embedded().encode(name, text).unwrap_or_else(|error| panic!("{name} = {text}: {error}"))
    }

    #[test]
    fn values_have_the_octets_that_the_rfcs_draw() {
        assert_eq!(raw("Tunnel-Type:1", "VLAN"), [64, 6, 1, 0, 0, 13], "RFC 2868 §3.1");
        assert_eq!(raw("Tunnel-Private-Group-Id:2", "a"), [81, 4, 2, b'a'], "RFC 2868 §3.6");
        assert_eq!(raw("Framed-IPv6-Prefix", "2001:db8::/32"), [97, 8, 0, 32, 0x20, 1, 0x0d, 0xb8], "RFC 3162 §2.3");
        assert_eq!(raw("Framed-IPv6-Prefix", "::/0"), [97, 4, 0, 0], "RFC 3162 §2.3");
        assert_eq!(raw("PMIP6-Home-IPv4-HoA", "10.0.0.0/8"), [155, 8, 0, 8, 10, 0, 0, 0], "RFC 6572 §5.11");
        assert_eq!(raw("Cisco-AVPair", "x"), [26, 9, 0, 0, 0, 9, 1, 3, b'x'], "RFC 2865 §5.26");
    }

    #[test]
    fn a_wrong_text_is_an_error_that_says_what_is_allowed() {
        let encode = |name: &str, text: &str| Dictionary::embedded().encode(name, text).unwrap_err();
        assert_eq!(encode("Sevice-Type", "1"), EncodeError::UnknownName);
        assert_eq!(encode("Service-Type", "Framed-Usr"), EncodeError::NotA(Type::Integer));
        assert_eq!(encode("Service-Type:1", "1"), EncodeError::NotTagged);
        assert_eq!(encode("Tunnel-Type:32", "VLAN"), EncodeError::BadTag);
        assert_eq!(encode("Tunnel-Type:x", "VLAN"), EncodeError::BadTag);
        assert_eq!(encode("Tunnel-Preference", "16777216"), EncodeError::NotA(Type::Integer), "a tag takes eight bits");
        assert_eq!(encode("Class", "0xabc"), EncodeError::NotA(Type::Octets));
        assert_eq!(encode("Framed-IP-Address", "192.0.2"), EncodeError::NotA(Type::IpAddr));
        assert_eq!(encode("Framed-IPv6-Prefix", "2001:db8::1/32"), EncodeError::NotA(Type::Ipv6Prefix));
        assert_eq!(encode("PMIP6-Home-IPv4-HoA", "10.0.0.0/33"), EncodeError::NotA(Type::Ipv4Prefix));
        assert_eq!(encode("Framed-Interface-Id", "1:2:3"), EncodeError::NotA(Type::IfId));
        assert_eq!(encode("PKM-SAID", "65536"), EncodeError::NotA(Type::Short));
        assert_eq!(encode("Tunnel-Password:1", "x"), EncodeError::Hidden);
        assert_eq!(encode("Reply-Message", &"x".repeat(254)), EncodeError::TooLong);
        assert_eq!(encode("Cisco-AVPair", &"x".repeat(248)), EncodeError::TooLong);
        assert_eq!(raw("Cisco-AVPair", &"x".repeat(247)).len(), 255);
    }
}
