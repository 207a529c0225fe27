//! The transport under every page: sockets, TLS, bounds, headers, and whose address a request came from.
//!
//! Guarantees: a peer that is slow, silent, greedy or many costs a bounded share and nothing else; a request carries a
//! [`ClientAddress`] that nobody but a named proxy can choose (rules F3); a certificate that changed is taken at the next
//! handshake, and a broken one never replaces a good one. It knows no page, no user and no policy, decides nothing, and
//! reads no clock: who owns the tasks says when to look again.
//!
//! Read in this order: `door` (from a listener to a request), `address`, `way`, `certificates`, `acme`; then what rooms put
//! around their routes: `bounds` and `headers`.

pub mod acme;
mod address;
mod bounds;
mod certificates;
mod door;
mod headers;
mod way;

#[cfg(test)]
mod tests;

pub use address::ClientAddress;
pub use bounds::{Bounds, bounded, patient, quick};
pub use certificates::{CertificateFiles, CertificateTrouble, Certificates, Chain, Validity, day, validities};
pub use door::{Door, DoorLimits, serve};
pub use headers::guarded;
pub use way::Way;
