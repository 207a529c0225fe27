//! A mail address that can stand in a header and in an SMTP command: checked once, never asked again.
//!
//! Plainer than RFC 5321 allows: a quoted local part is refused, so that no space, comma or bracket ever needs quoting again.

use std::fmt;

use serde::{Deserialize, Serialize};

/// RFC 5321 §4.5.3.1.3: a path has 256 octets, two of them its brackets.
const ADDRESS_OCTETS_MAX: usize = 254;

/// One mail address, without a name before it.
#[derive(Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Address(lettre::Address);

impl Address {
    /// # Errors
    ///
    /// What is no address, or one that would need quotes.
    pub fn parse(text: &str) -> Result<Self, NotAnAddress> {
        // Rules F6: CR and LF are refused in any mail field; so is whatever could end an address early.
        let unsafe_here = |c: char| c.is_control() || c.is_whitespace() || "\"<>(),:;[]\\".contains(c);
        if text.len() > ADDRESS_OCTETS_MAX || text.contains(unsafe_here) {
            return Err(NotAnAddress);
        }
        text.parse().map(Self).map_err(|_| NotAnAddress)
    }

    /// What stands after the @.
    #[must_use]
    pub fn domain(&self) -> &str {
        self.0.domain()
    }

    pub(super) fn as_lettre(&self) -> &lettre::Address {
        &self.0
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl TryFrom<String> for Address {
    type Error = NotAnAddress;

    fn try_from(text: String) -> Result<Self, NotAnAddress> {
        Self::parse(&text)
    }
}

impl From<Address> for String {
    fn from(address: Address) -> Self {
        address.to_string()
    }
}

/// The text is no mail address that can be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("this is no mail address: write it as name@example.com, without quotes, brackets or spaces")]
pub struct NotAnAddress;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_plain_or_refused() {
        for good in ["alice@example.com", "alice+vpn@sub.example.com", "o'hara@example.com", "ä@example.com"] {
            assert_eq!(Address::parse(good).map(|address| address.to_string()).as_deref(), Ok(good));
        }
        let long = format!("{}@example.com", "a".repeat(300));
        for bad in [
            "",
            "alice",
            "alice@",
            "@example.com",
            "alice@example.com\r\nBcc: eve@example.com",
            "alice@example.com\n",
            "alice@exa\0mple.com",
            " alice@example.com",
            "alice@example.com, eve@example.com",
            "Alice <alice@example.com>",
            "\"a b\"@example.com",
            "alice@example.com>\r\nRCPT TO:<eve@example.com",
            "alice@[127.0.0.1]",
            &long,
        ] {
            assert_eq!(Address::parse(bad), Err(NotAnAddress), "{bad:?}");
        }
    }

    #[test]
    fn a_stored_address_is_checked_again() {
        let stored = serde_json::to_string(&Address::parse("alice@example.com").unwrap()).unwrap();
        assert_eq!(stored, "\"alice@example.com\"");
        assert!(serde_json::from_str::<Address>("\"a@b.c\\r\\nBcc: d@e.f\"").is_err());
    }
}
