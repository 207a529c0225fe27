//! Names of attributes, values and vendors: for the policy file, the log and `radtest`.
//!
//! The numbers come from text files in `dictionaries/`, compiled in and parsed once. A dictionary never decides whether a packet
//! is accepted or forwarded; the one thing the wire takes from it is which attributes are hidden and which are tagged.

mod describe;
mod encode;
mod parse;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::LazyLock;

pub use encode::EncodeError;
pub use parse::DictionaryError;

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

    #[test]
    fn the_embedded_files_are_read_to_the_last_line() {
        let dictionary = Dictionary::parse(&EMBEDDED).unwrap();
        assert!(dictionary.names().count() > 400, "{}", dictionary.names().count());
        assert_eq!(dictionary.vendor_name(14988), Some("Mikrotik"));
    }

    #[test]
    fn the_numbers_that_code_names_are_the_ones_of_the_files() {
        for (name, kind, vendor) in [
            ("user-name", crate::kind::USER_NAME, None),
            ("Message-Authenticator", crate::kind::MESSAGE_AUTHENTICATOR, None),
            ("Tunnel-Client-Endpoint", crate::kind::TUNNEL_CLIENT_ENDPOINT, None),
            ("Error-Cause", crate::kind::ERROR_CAUSE, None),
            ("MS-MPPE-Send-Key", crate::kind::MS_MPPE_SEND_KEY, Some(crate::kind::MICROSOFT)),
            ("MS-CHAP2-Success", crate::kind::MS_CHAP2_SUCCESS, Some(crate::kind::MICROSOFT)),
            ("Cisco-AVPair", crate::kind::CISCO_AVPAIR, Some(crate::kind::CISCO)),
        ] {
            let entry = Dictionary::embedded().attribute(name).unwrap();
            assert_eq!((entry.kind, entry.vendor), (kind, vendor), "{name}");
        }
    }

    #[test]
    fn only_the_known_attributes_are_hidden_with_a_salt() {
        let salted = |entry: &&Entry| entry.encryption == Encryption::Salted;
        let names: Vec<_> = Dictionary::embedded().entries.iter().filter(salted).map(|entry| &entry.name[..]).collect();
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
        let both = |entry: &Entry| entry.vendor.is_some() && entry.has_tag && entry.encryption != Encryption::None;
        assert!(!Dictionary::embedded().entries.iter().any(both));
    }
}
