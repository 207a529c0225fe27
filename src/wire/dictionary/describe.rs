//! Attributes as people read them, for logs and `radtest`.
//!
//! A description is one line with everything unprintable escaped, bounded in length, and never shows a credential or key.

use std::fmt::Write as _;
use std::net::{Ipv4Addr, Ipv6Addr};

use super::{Dictionary, Entry, Type};
use crate::kind;
use crate::log::log_safe;
use crate::replacement::TAG_MAX;
use crate::vendor::VendorAttribute;
use crate::view::Attribute;

/// What stands in a description where a credential or key is.
const HIDDEN: &str = "<hidden>";

/// Octets of a value that a description shows in hexadecimal.
const HEX_OCTETS_MAX: usize = 64;

impl Dictionary {
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
            return describe_identified(entry, inner).unwrap_or_else(|| describe_entry(entry, inner.value));
        }
        let number = inner.vendor.to_string();
        let vendor = self.vendor_name(inner.vendor).unwrap_or(&number);
        format!("{vendor}-Attribute-{} = {}", inner.kind, hexadecimal(inner.value))
    }
}

/// Microsoft's texts after an octet that names the response they belong to (RFC 2548 §2.1.4, §2.1.5, §2.3.3).
fn describe_identified(entry: &Entry, inner: &VendorAttribute<'_>) -> Option<String> {
    let told = matches!(inner.kind, kind::MS_CHAP_ERROR | kind::MS_CHAP_DOMAIN | kind::MS_CHAP2_SUCCESS);
    match inner.value {
        [ident, text @ ..] if told && inner.vendor == kind::MICROSOFT => {
            Some(format!("{} = ident {ident}, {}", entry.name, quoted(text)))
        }
        _ => None,
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    fn raw(name: &str, text: &str) -> Vec<u8> {
        Dictionary::embedded().encode(name, text).unwrap_or_else(|error| panic!("{name} = {text}: {error}"))
    }

    fn described(raw: &[u8]) -> String {
        Dictionary::embedded().describe(Attribute::split(raw).unwrap().0)
    }

    #[test]
    fn a_value_is_written_and_described_alike() {
        for (name, text, shown) in [
            ("User-Name", "alice", "User-Name = \"alice\""),
            ("Class", "ou=vpn", "Class = \"ou=vpn\""),
            ("Class", "0x00ff", "Class = 0x00ff"),
            ("Service-Type", "Framed-User", "Service-Type = Framed-User"),
            ("Service-Type", "Administrative", "Service-Type = Administrative-User"),
            ("session-timeout", "3600", "Session-Timeout = 3600"),
            ("Framed-IP-Address", "192.0.2.7", "Framed-IP-Address = 192.0.2.7"),
            ("NAS-IPv6-Address", "2001:db8::1", "NAS-IPv6-Address = 2001:db8::1"),
            ("Framed-IPv6-Prefix", "2001:db8::/32", "Framed-IPv6-Prefix = 2001:db8::/32"),
            ("PMIP6-Home-IPv4-HoA", "10.0.0.0/8", "PMIP6-Home-IPv4-HoA = 10.0.0.0/8"),
            ("Framed-Interface-Id", "0:0:0:1", "Framed-Interface-Id = 0:0:0:1"),
            ("MIP6-Feature-Vector", "5000000000", "MIP6-Feature-Vector = 5000000000"),
            ("PKM-SAID", "65535", "PKM-SAID = 65535"),
            ("Event-Timestamp", "1700000000", "Event-Timestamp = 1700000000"),
            ("Tunnel-Type:1", "VLAN", "Tunnel-Type:1 = VLAN"),
            ("Tunnel-Private-Group-Id:1", "42", "Tunnel-Private-Group-Id:1 = \"42\""),
            ("Tunnel-Private-Group-Id", "42", "Tunnel-Private-Group-Id = \"42\""),
            ("Cisco-AVPair", "ip:inacl#1=permit ip any any", "Cisco-AVPair = \"ip:inacl#1=permit ip any any\""),
            ("F5-LTM-User-Role", "Guest", "F5-LTM-User-Role = Guest"),
        ] {
            assert_eq!(described(&raw(name, text)), shown);
        }
    }

    #[test]
    fn an_ident_octet_before_a_text_of_ms_chap_is_shown_as_a_number() {
        let error = [&[26, 22, 0, 0, 1, 0x37, 2, 16, 13][..], b"E=691 R=0 V=3"].concat();
        assert_eq!(described(&error), "MS-CHAP-Error = ident 13, \"E=691 R=0 V=3\"");
        let success = [&[26, 13, 0, 0, 1, 0x37, 26, 7, 0][..], b"S=0\n"].concat();
        assert_eq!(described(&success), "MS-CHAP2-Success = ident 0, \"S=0\\n\"");
        assert_eq!(described(&[26, 8, 0, 0, 1, 0x37, 2, 2]), "MS-CHAP-Error = \"\"", "without even an ident");
    }

    #[test]
    fn credentials_and_keys_are_never_described() {
        for attribute in [
            Attribute::new(2, b"hidden-hidden-hi"),
            Attribute::new(3, b"hidden"),
            Attribute::new(69, b"\x01hidden"),
            Attribute::new(79, b"hidden"),
            Attribute::new(26, &[0, 0, 1, 0x37, 16, 8, b'h', b'i', b'd', b'd', b'e', b'n']),
            Attribute::new(26, &[0, 0, 1, 0x37, 25, 8, b'h', b'i', b'd', b'd', b'e', b'n']),
        ] {
            let text = Dictionary::embedded().describe(attribute);
            assert!(text.ends_with("= <hidden>"), "{text}");
            assert!(!text.contains("686964"), "{text}");
        }
    }

    #[test]
    fn a_description_is_one_line_whatever_the_octets() {
        assert_eq!(described(&[1, 6, 0xff, 0xfe, 0x0a, b'"']), "User-Name = \"\u{fffd}\u{fffd}\\n\\\"\"");
        assert_eq!(described(&[6, 3, 1]), "Service-Type = 0x01", "a number of one octet is no number");
        assert_eq!(described(&[200, 3, 1]), "Attribute-200 = 0x01");
        assert_eq!(described(&[26, 3, 0]), "Vendor-Specific = 0x00", "opaque");
        assert_eq!(described(&[26, 9, 0, 0, 0, 9, 77, 3, 1]), "Cisco-Attribute-77 = 0x01");
        assert_eq!(described(&[26, 9, 0, 0, 0, 8, 77, 3, 1]), "8-Attribute-77 = 0x01");
    }
}
