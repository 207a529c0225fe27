//! What of an appliance's request goes on to a RADIUS primary: everything but what belongs to one hop.
//!
//! Attributes keep their octets and their order, those of unknown type too (RFC 2865 §5: "a RADIUS proxy … SHOULD …
//! forward"); nothing is repaired. Left out are the name and the credentials, which the writer of the new
//! request puts in itself, and the hop's own: State, Proxy-State (checklist D2) and Message-Authenticator.

use std::fmt;
use std::sync::Arc;

/// The attributes that go on, as they stood on the wire: a run of type, length, value. Cloning is cheap.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Forwarded(Arc<[u8]>);

impl Forwarded {
    /// The run of attributes.
    #[must_use]
    pub fn octets(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Forwarded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Forwarded({} octets)", self.0.len())
    }
}
