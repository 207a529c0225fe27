//! The peers of a login: appliances before the house, primaries and phones behind it, and the house itself. One line a peer.
//!
//! What speaks RADIUS here is written by hand and shares no code with the product, so that a mistake of the product is not
//! made twice. Tests wait for events under a generous limit, never for time to pass.

pub(crate) mod appliance;
pub(crate) mod browser;
pub(crate) mod changes;
pub(crate) mod child;
pub(crate) mod freeradius;
pub(crate) mod notifications;
pub(crate) mod notifier;
pub(crate) mod oath;
pub(crate) mod page_phone;
pub(crate) mod pam;
pub(crate) mod phone;
pub(crate) mod phone_house;
pub(crate) mod portal_house;
pub(crate) mod push_service;
pub(crate) mod qr;
pub(crate) mod radclient;
pub(crate) mod radius;
pub(crate) mod relay;
pub(crate) mod smtp;
pub(crate) mod store_phone;
pub(crate) mod stub;
pub(crate) mod vestibule;
pub(crate) mod web;
pub(crate) mod whole_house;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

/// How long a test waits for what must come.
pub(crate) const GENEROUS: Duration = Duration::from_secs(90);
/// The secret between an appliance and the house.
pub(crate) const APPLIANCE_SECRET: &str = "canary-of-the-appliance-s3cr3t";
/// The secret between the house and a primary.
pub(crate) const PRIMARY_SECRET: &str = "canary-of-the-primary-s3cr3t";

/// An address that nobody else has: the whole of 127/8 is this host, so servers need no luck with ports.
pub(crate) fn address() -> IpAddr {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let number = std::process::id().wrapping_mul(64).wrapping_add(NEXT.fetch_add(1, Ordering::Relaxed));
    // 127.16.0.0 and up: clear of what people give to services by hand.
    IpAddr::V4(Ipv4Addr::from(0x7f10_0000 | (number % 0x00e0_0000)))
}

pub(crate) fn at(port: u16) -> SocketAddr {
    SocketAddr::new(address(), port)
}

/// Looks again and again until there is something, and fails with `what` if it never comes.
pub(crate) async fn until<T>(what: &str, look: impl AsyncFnMut() -> Option<T>) -> T {
    comes(look).await.unwrap_or_else(|| panic!("this never came: {what}"))
}

/// Looks again and again until there is something; none if it never comes.
pub(crate) async fn comes<T>(mut look: impl AsyncFnMut() -> Option<T>) -> Option<T> {
    let looking = async {
        let mut again = tokio::time::interval(Duration::from_millis(10));
        loop {
            again.tick().await;
            if let Some(found) = look().await {
                return found;
            }
        }
    };
    tokio::time::timeout(GENEROUS, looking).await.ok()
}
