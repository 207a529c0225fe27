//! The outer door: UDP sockets that take datagrams in batches and send answers from the address that was asked.
//!
//! Guarantees: IPv4 and IPv6 stand side by side without catching each other's packets; large answers may be fragmented
//! on their way (RADIUS packets reach 4,096 octets, RFC 2865 §3); no error of the network ends the loop; every queue
//! has a bound, and what does not fit is counted. It never knows a client, a secret or a policy: `(bytes, peer, local)`
//! goes on as it came.

mod error;
mod holder;
mod listener;
mod replier;
mod socket;

use std::net::SocketAddr;

pub use error::BindError;
pub use listener::{Listener, run};
pub use replier::{Replier, Unsent};

/// Octets of the longest RADIUS packet (RFC 2865 §3).
pub const PACKET_OCTETS_MAX: usize = 4096;

/// One datagram as the kernel gave it, borrowed from the batch.
#[derive(Clone, Copy, Debug)]
pub struct Datagram<'a> {
    /// Its octets: at most one more than a packet may have, which is how a longer one shows (see
    /// [`Datagram::is_too_long`]).
    pub bytes: &'a [u8],
    /// From where; an IPv4-mapped IPv6 address is given as the IPv4 address that it is (checklist A9).
    pub peer: SocketAddr,
    /// The address and port that were asked, from which the answer must leave (checklist A10).
    pub local: SocketAddr,
}

impl Datagram<'_> {
    /// Whether the datagram was longer than any packet; its end is then missing, and what is left means nothing.
    #[must_use]
    pub fn is_too_long(&self) -> bool {
        self.bytes.len() > PACKET_OCTETS_MAX
    }
}

/// The address without its IPv6 disguise: `::ffff:192.0.2.1` is 192.0.2.1, so that a client is found by one spelling.
fn canonical(address: SocketAddr) -> SocketAddr {
    match address.ip().to_canonical() {
        ip if ip == address.ip() => address,
        ip => SocketAddr::new(ip, address.port()),
    }
}

#[cfg(test)]
mod tests;
