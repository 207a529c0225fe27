//! Why a datagram is dropped before anybody looks at who sent it.
//!
//! Each error names the rule it breaks, compares, and has a reason to be counted under; none holds octets of the packet.

use std::fmt;

use crate::field::ATTRIBUTE_COUNT_MAX;

/// Why a datagram is not a RADIUS packet. Comparable, so that it can be counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Malformed {
    /// Fewer than 20 octets were received: this many (RFC 2865 §3).
    TooShort(usize),
    /// The header's Length is below 20 or above 4096 (RFC 2865 §3).
    Length(u16),
    /// The header's Length is more than what was received (RFC 2865 §3).
    Truncated(u16),
    /// No code that we know.
    UnknownCode(u8),
    /// One octet is left where an attribute should be.
    AttributeHeader,
    /// Attribute type 0.
    AttributeZero,
    /// An attribute of this type says it is shorter than its own header.
    AttributeLength(u8),
    /// An attribute of this type goes past the packet's end.
    AttributeOverrun(u8),
    /// More than [`ATTRIBUTE_COUNT_MAX`] attributes.
    TooManyAttributes,
    /// An attribute that may stand only once stands twice (RFC 2865 §5.44, RFC 3579 §3.3).
    DuplicateAttribute(u8),
    /// A Message-Authenticator whose value has this many octets and not 16 (RFC 3579 §3.2).
    MessageAuthenticatorLength(usize),
    /// More than one kind of credential in one packet (RFC 3579 §3.3 note 1).
    MixedCredentials,
}

impl Malformed {
    /// The reason under which a drop is counted.
    pub const fn reason(&self) -> &'static str {
        match self {
            Self::DuplicateAttribute(_) => "duplicate_attribute",
            Self::TooShort(_)
            | Self::Length(_)
            | Self::Truncated(_)
            | Self::UnknownCode(_)
            | Self::AttributeHeader
            | Self::AttributeZero
            | Self::AttributeLength(_)
            | Self::AttributeOverrun(_)
            | Self::TooManyAttributes
            | Self::MessageAuthenticatorLength(_)
            | Self::MixedCredentials => "malformed",
        }
    }
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooShort(octets) => write!(f, "{octets} octets are too few for a RADIUS packet"),
            Self::Length(length) => {
                write!(f, "the header says {length} octets, outside 20 to 4096")
            }
            Self::Truncated(length) => write!(f, "the header says {length} octets, more than were received"),
            Self::UnknownCode(code) => write!(f, "packet code {code} is unknown"),
            Self::AttributeHeader => f.write_str("one octet is left after the last attribute"),
            Self::AttributeZero => f.write_str("an attribute has type 0"),
            Self::AttributeLength(kind) => write!(f, "attribute {kind} has a length below 2"),
            Self::AttributeOverrun(kind) => {
                write!(f, "attribute {kind} goes past the end of the packet")
            }
            Self::TooManyAttributes => write!(f, "more than {ATTRIBUTE_COUNT_MAX} attributes"),
            Self::DuplicateAttribute(kind) => write!(f, "attribute {kind} may stand only once"),
            Self::MessageAuthenticatorLength(octets) => {
                write!(f, "Message-Authenticator has {octets} octets instead of 16")
            }
            Self::MixedCredentials => {
                f.write_str("more than one of User-Password, CHAP-Password, ARAP-Password, EAP-Message")
            }
        }
    }
}

impl std::error::Error for Malformed {}
