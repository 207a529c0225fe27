//! Names of attributes, values and vendors: for the policy file, the log and `radtest`.
//!
//! The numbers come from text files in `dictionaries/`, compiled in and parsed once. A dictionary never decides whether a packet
//! is accepted or forwarded; the one thing the wire takes from it is which attributes are hidden and which are tagged.

mod parse;
mod text;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::LazyLock;

pub use parse::DictionaryError;
pub use text::EncodeError;

/// The files that are compiled in.
const EMBEDDED: [&str; 4] = [
    include_str!("../../dictionaries/rfc.dict"),
    include_str!("../../dictionaries/microsoft.dict"),
    include_str!("../../dictionaries/cisco.dict"),
    include_str!("../../dictionaries/appliances.dict"),
];

/// How an attribute's value is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Type {
    /// Text, UTF-8 by rule.
    String,
    /// Any octets.
    Octets,
    /// 32 bits.
    Integer,
    /// 8 bits.
    Byte,
    /// 16 bits.
    Short,
    /// 64 bits (RFC 6929 §2.5).
    Integer64,
    /// An IPv4 address.
    IpAddr,
    /// An IPv6 address.
    Ipv6Addr,
    /// An IPv4 prefix (RFC 6572).
    Ipv4Prefix,
    /// An IPv6 prefix (RFC 3162 §2.3).
    Ipv6Prefix,
    /// Seconds since 1970.
    Date,
    /// An interface identifier of eight octets (RFC 3162 §2.2).
    IfId,
}

/// How an attribute's value is hidden on the wire.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Encryption {
    /// Not at all.
    #[default]
    None,
    /// As User-Password is: without salt or length (RFC 2865 §5.2).
    Password,
    /// As Tunnel-Password is: with salt and length (RFC 2868 §3.5).
    Salted,
}

/// What the dictionary knows of one attribute.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its name.
    pub name: String,
    /// Its type, or the vendor's type.
    pub kind: u8,
    /// The vendor, if it is a vendor's.
    pub vendor: Option<u32>,
    /// How its value is written.
    pub data: Type,
    /// Whether a tag may come first (RFC 2868 §3.1).
    pub has_tag: bool,
    /// How it is hidden.
    pub encryption: Encryption,
    /// Whether it is a credential: never shown.
    pub secret: bool,
    /// Names of its values.
    pub values: Vec<(String, u32)>,
}

/// The names.
#[derive(Debug, Default)]
pub struct Dictionary {
    entries: Vec<Entry>,
    /// By name in lower case: as other servers do, case does not matter.
    by_name: BTreeMap<String, usize>,
    by_number: BTreeMap<(Option<u32>, u8), usize>,
    vendors: BTreeMap<u32, String>,
}

impl Dictionary {
    /// The dictionary that is compiled in.
    pub fn embedded() -> &'static Self {
        static PARSED: LazyLock<Dictionary> = LazyLock::new(|| Dictionary::parse(&EMBEDDED).unwrap_or_default());
        &PARSED
    }

    /// Reads dictionary texts.
    ///
    /// # Errors
    /// [`DictionaryError`] names the first line that is wrong.
    pub fn parse(texts: &[&str]) -> Result<Self, DictionaryError> {
        let mut dictionary = Self::default();
        texts.iter().try_for_each(|text| parse::read(&mut dictionary, text))?;
        Ok(dictionary)
    }

    /// The attribute with this name, whatever its case; a tag (`Name:1`) is not part of the name.
    pub fn attribute(&self, name: &str) -> Option<&Entry> {
        self.entries.get(*self.by_name.get(&name.to_ascii_lowercase())?)
    }

    /// The attribute with this number.
    pub fn entry(&self, kind: u8, vendor: Option<u32>) -> Option<&Entry> {
        self.entries.get(*self.by_number.get(&(vendor, kind))?)
    }

    /// The name of the attribute with this number.
    pub fn name(&self, kind: u8, vendor: Option<u32>) -> Option<&str> {
        self.entry(kind, vendor).map(|entry| entry.name.as_str())
    }

    /// The name of a value, such as `Framed-User` for 2 of Service-Type.
    pub fn value_name(&self, kind: u8, vendor: Option<u32>, value: u32) -> Option<&str> {
        self.entry(kind, vendor)?.value_name(value)
    }

    /// The name of a vendor.
    pub fn vendor_name(&self, vendor: u32) -> Option<&str> {
        self.vendors.get(&vendor).map(String::as_str)
    }

    /// All attribute names, for suggesting the nearest one.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.entries.iter().map(|entry| entry.name.as_str())
    }
}

impl Entry {
    /// The name of a value.
    pub fn value_name(&self, value: u32) -> Option<&str> {
        self.values.iter().find(|(_, number)| *number == value).map(|(name, _)| name.as_str())
    }

    /// The value with this name, whatever its case.
    pub fn value(&self, name: &str) -> Option<u32> {
        self.values.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, number)| *number)
    }

    /// Whether no value of it may ever be shown.
    pub fn is_hidden(&self) -> bool {
        self.secret || self.encryption != Encryption::None
    }
}

impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::String => "text",
            Self::Octets => "octets (0x and hexadecimal digits, or text)",
            Self::Integer => "a number up to 4294967295",
            Self::Byte => "a number up to 255",
            Self::Short => "a number up to 65535",
            Self::Integer64 => "a number up to 18446744073709551615",
            Self::IpAddr => "an IPv4 address",
            Self::Ipv6Addr => "an IPv6 address",
            Self::Ipv4Prefix => "an IPv4 prefix",
            Self::Ipv6Prefix => "an IPv6 prefix",
            Self::Date => "seconds since 1970",
            Self::IfId => "an interface identifier such as 0:0:0:1",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view::Attribute;

    fn raw(name: &str, text: &str) -> Vec<u8> {
        Dictionary::embedded()
            .encode(name, text)
            .unwrap_or_else(|error| panic!("{name} = {text}: {error}"))
    }

    fn described(raw: &[u8]) -> String {
        Dictionary::embedded().describe(Attribute::split(raw).unwrap().0)
    }

    #[test]
    fn the_embedded_files_are_read_to_the_last_line() {
        let dictionary = Dictionary::parse(&EMBEDDED).unwrap();
        assert!(
            dictionary.names().count() > 400,
            "{}",
            dictionary.names().count()
        );
        assert_eq!(dictionary.vendor_name(14988), Some("Mikrotik"));
    }

    #[test]
    fn the_numbers_that_code_names_are_the_ones_of_the_files() {
        for (name, kind, vendor) in [
            ("user-name", crate::kind::USER_NAME, None),
            (
                "Message-Authenticator",
                crate::kind::MESSAGE_AUTHENTICATOR,
                None,
            ),
            (
                "Tunnel-Client-Endpoint",
                crate::kind::TUNNEL_CLIENT_ENDPOINT,
                None,
            ),
            ("Error-Cause", crate::kind::ERROR_CAUSE, None),
            (
                "MS-MPPE-Send-Key",
                crate::kind::MS_MPPE_SEND_KEY,
                Some(crate::kind::MICROSOFT),
            ),
            (
                "MS-CHAP2-Success",
                crate::kind::MS_CHAP2_SUCCESS,
                Some(crate::kind::MICROSOFT),
            ),
            (
                "Cisco-AVPair",
                crate::kind::CISCO_AVPAIR,
                Some(crate::kind::CISCO),
            ),
        ] {
            let entry = Dictionary::embedded().attribute(name).unwrap();
            assert_eq!((entry.kind, entry.vendor), (kind, vendor), "{name}");
        }
    }

    #[test]
    fn only_the_known_attributes_are_hidden_with_a_salt() {
        let salted = |entry: &&Entry| entry.encryption == Encryption::Salted;
        let names: Vec<_> = Dictionary::embedded()
            .entries
            .iter()
            .filter(salted)
            .map(|entry| &entry.name[..])
            .collect();
        let known = [
            "Tunnel-Password",
            "MS-MPPE-Send-Key",
            "MS-MPPE-Recv-Key",
            "ERX-LI-Action",
            "ERX-Med-Dev-Handle",
            "ERX-Med-Ip-Address",
            "ERX-Med-Port-Number",
            "Aruba-MPSK-Passphrase",
        ];
        assert_eq!(names, known);
    }

    #[test]
    fn no_vendor_attribute_is_both_tagged_and_encrypted() {
        let both = |entry: &Entry| {
            entry.vendor.is_some() && entry.has_tag && entry.encryption != Encryption::None
        };
        assert!(!Dictionary::embedded().entries.iter().any(both));
    }

    #[test]
    fn a_value_is_written_and_described_alike() {
        for (name, text, shown) in [
            ("User-Name", "alice", "User-Name = \"alice\""),
            ("Class", "ou=vpn", "Class = \"ou=vpn\""),
            ("Class", "0x00ff", "Class = 0x00ff"),
            ("Service-Type", "Framed-User", "Service-Type = Framed-User"),
            (
                "Service-Type",
                "Administrative",
                "Service-Type = Administrative-User",
            ),
            ("session-timeout", "3600", "Session-Timeout = 3600"),
            (
                "Framed-IP-Address",
                "192.0.2.7",
                "Framed-IP-Address = 192.0.2.7",
            ),
            (
                "NAS-IPv6-Address",
                "2001:db8::1",
                "NAS-IPv6-Address = 2001:db8::1",
            ),
            (
                "Framed-IPv6-Prefix",
                "2001:db8::/32",
                "Framed-IPv6-Prefix = 2001:db8::/32",
            ),
            (
                "PMIP6-Home-IPv4-HoA",
                "10.0.0.0/8",
                "PMIP6-Home-IPv4-HoA = 10.0.0.0/8",
            ),
            (
                "Framed-Interface-Id",
                "0:0:0:1",
                "Framed-Interface-Id = 0:0:0:1",
            ),
            (
                "MIP6-Feature-Vector",
                "5000000000",
                "MIP6-Feature-Vector = 5000000000",
            ),
            ("PKM-SAID", "65535", "PKM-SAID = 65535"),
            (
                "Event-Timestamp",
                "1700000000",
                "Event-Timestamp = 1700000000",
            ),
            ("Tunnel-Type:1", "VLAN", "Tunnel-Type:1 = VLAN"),
            (
                "Tunnel-Private-Group-Id:1",
                "42",
                "Tunnel-Private-Group-Id:1 = \"42\"",
            ),
            (
                "Tunnel-Private-Group-Id",
                "42",
                "Tunnel-Private-Group-Id = \"42\"",
            ),
            (
                "Cisco-AVPair",
                "ip:inacl#1=permit ip any any",
                "Cisco-AVPair = \"ip:inacl#1=permit ip any any\"",
            ),
            ("F5-LTM-User-Role", "Guest", "F5-LTM-User-Role = Guest"),
        ] {
            assert_eq!(described(&raw(name, text)), shown);
        }
    }

    #[test]
    fn values_have_the_octets_that_the_rfcs_draw() {
        assert_eq!(
            raw("Tunnel-Type:1", "VLAN"),
            [64, 6, 1, 0, 0, 13],
            "RFC 2868 §3.1"
        );
        assert_eq!(
            raw("Tunnel-Private-Group-Id:2", "a"),
            [81, 4, 2, b'a'],
            "RFC 2868 §3.6"
        );
        assert_eq!(
            raw("Framed-IPv6-Prefix", "2001:db8::/32"),
            [97, 8, 0, 32, 0x20, 1, 0x0d, 0xb8],
            "RFC 3162 §2.3"
        );
        assert_eq!(
            raw("Framed-IPv6-Prefix", "::/0"),
            [97, 4, 0, 0],
            "RFC 3162 §2.3"
        );
        assert_eq!(
            raw("PMIP6-Home-IPv4-HoA", "10.0.0.0/8"),
            [155, 8, 0, 8, 10, 0, 0, 0],
            "RFC 6572 §5.11"
        );
        assert_eq!(
            raw("Cisco-AVPair", "x"),
            [26, 9, 0, 0, 0, 9, 1, 3, b'x'],
            "RFC 2865 §5.26"
        );
    }

    #[test]
    fn a_wrong_text_is_an_error_that_says_what_is_allowed() {
        let encode =
            |name: &str, text: &str| Dictionary::embedded().encode(name, text).unwrap_err();
        assert_eq!(encode("Sevice-Type", "1"), EncodeError::UnknownName);
        assert_eq!(
            encode("Service-Type", "Framed-Usr"),
            EncodeError::NotA(Type::Integer)
        );
        assert_eq!(encode("Service-Type:1", "1"), EncodeError::NotTagged);
        assert_eq!(encode("Tunnel-Type:32", "VLAN"), EncodeError::BadTag);
        assert_eq!(encode("Tunnel-Type:x", "VLAN"), EncodeError::BadTag);
        assert_eq!(
            encode("Tunnel-Preference", "16777216"),
            EncodeError::NotA(Type::Integer),
            "a tag takes eight bits"
        );
        assert_eq!(encode("Class", "0xabc"), EncodeError::NotA(Type::Octets));
        assert_eq!(
            encode("Framed-IP-Address", "192.0.2"),
            EncodeError::NotA(Type::IpAddr)
        );
        assert_eq!(
            encode("Framed-IPv6-Prefix", "2001:db8::1/32"),
            EncodeError::NotA(Type::Ipv6Prefix)
        );
        assert_eq!(
            encode("PMIP6-Home-IPv4-HoA", "10.0.0.0/33"),
            EncodeError::NotA(Type::Ipv4Prefix)
        );
        assert_eq!(
            encode("Framed-Interface-Id", "1:2:3"),
            EncodeError::NotA(Type::IfId)
        );
        assert_eq!(encode("PKM-SAID", "65536"), EncodeError::NotA(Type::Short));
        assert_eq!(encode("Tunnel-Password:1", "x"), EncodeError::Hidden);
        assert_eq!(
            encode("Reply-Message", &"x".repeat(254)),
            EncodeError::TooLong
        );
        assert_eq!(
            encode("Cisco-AVPair", &"x".repeat(248)),
            EncodeError::TooLong
        );
        assert_eq!(raw("Cisco-AVPair", &"x".repeat(247)).len(), 255);
    }

    #[test]
    fn credentials_and_keys_are_never_described() {
        for attribute in [
            Attribute::new(2, b"hidden-hidden-hi"),
            Attribute::new(3, b"hidden"),
            Attribute::new(69, b"\x01hidden"),
            Attribute::new(79, b"hidden"),
            Attribute::new(
                26,
                &[0, 0, 1, 0x37, 16, 8, b'h', b'i', b'd', b'd', b'e', b'n'],
            ),
            Attribute::new(
                26,
                &[0, 0, 1, 0x37, 25, 8, b'h', b'i', b'd', b'd', b'e', b'n'],
            ),
        ] {
            let text = Dictionary::embedded().describe(attribute);
            assert!(text.ends_with("= <hidden>"), "{text}");
            assert!(!text.contains("686964"), "{text}");
        }
    }

    #[test]
    fn a_description_is_one_line_whatever_the_octets() {
        assert_eq!(
            described(&[1, 6, 0xff, 0xfe, 0x0a, b'"']),
            "User-Name = \"\u{fffd}\u{fffd}\\n\\\"\""
        );
        assert_eq!(
            described(&[6, 3, 1]),
            "Service-Type = 0x01",
            "a number of one octet is no number"
        );
        assert_eq!(described(&[200, 3, 1]), "Attribute-200 = 0x01");
        assert_eq!(described(&[26, 3, 0]), "Vendor-Specific = 0x00", "opaque");
        assert_eq!(
            described(&[26, 9, 0, 0, 0, 9, 77, 3, 1]),
            "Cisco-Attribute-77 = 0x01"
        );
        assert_eq!(
            described(&[26, 9, 0, 0, 0, 8, 77, 3, 1]),
            "8-Attribute-77 = 0x01"
        );
    }

    #[test]
    fn a_bad_line_is_named_with_its_number() {
        let problem = |text: &str| Dictionary::parse(&[text]).unwrap_err();
        assert_eq!(problem("\nATTRIBUTE A 256 string").line, 2);
        assert_eq!(
            problem("ATTRIBUTE A 1 strin").problem,
            "there is no such type"
        );
        assert_eq!(
            problem("ATTRIBUTE A 1 string tag").problem,
            "there is no such flag"
        );
        assert_eq!(
            problem("ATTRIBUTE A 1 string\nATTRIBUTE a 2 string").problem,
            "the name is taken"
        );
        assert_eq!(
            problem("ATTRIBUTE A 1 string\nATTRIBUTE B 1 string").problem,
            "the number is taken"
        );
        assert_eq!(
            problem("VALUE A b 1").problem,
            "the attribute is not known yet"
        );
        assert_eq!(
            problem("BEGIN-VENDOR X").problem,
            "the vendor is not known yet"
        );
        assert_eq!(
            problem("what").problem,
            "no dictionary line looks like this"
        );
    }
}
