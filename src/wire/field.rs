//! The lengths and limits of RADIUS, said once.
//!
//! Nothing else in this room writes such a number by hand.

/// Octets of the header: Code, Identifier, Length, Authenticator (RFC 2865 §3).
pub(crate) const HEADER_OCTETS: usize = 20;

/// Octets of a Request or Response Authenticator, and of an MD5 digest (RFC 2865 §3).
pub(crate) const AUTHENTICATOR_OCTETS: usize = 16;

/// The largest packet that RADIUS over UDP knows (RFC 2865 §3).
pub const PACKET_OCTETS_MAX: usize = 4096;

/// The largest value of one attribute: a length octet of 255 less the two octets of the header (RFC 2865 §5).
pub const VALUE_OCTETS_MAX: usize = 253;

/// Attributes in a packet before it is refused: far more than an appliance sends, far fewer than 4096 octets can hold.
pub const ATTRIBUTE_COUNT_MAX: usize = 200;

/// Octets of an attribute's type and length (RFC 2865 §5).
pub(crate) const ATTRIBUTE_HEADER_OCTETS: usize = 2;

/// Octets of a whole Message-Authenticator attribute (RFC 3579 §3.2).
pub(crate) const MESSAGE_AUTHENTICATOR_OCTETS: usize = 18;

/// Octets that one step of User-Password or salt hiding covers: an MD5 digest (RFC 2865 §5.2).
pub(crate) const BLOCK_OCTETS: usize = 16;

/// The longest hidden User-Password (RFC 2865 §5.2).
pub(crate) const PASSWORD_OCTETS_MAX: usize = 128;

/// Octets of the salt before a hidden value (RFC 2868 §3.5).
pub(crate) const SALT_OCTETS: usize = 2;
