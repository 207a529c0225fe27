//! Where a webhook or a push endpoint may lead: the address is judged after the name was resolved, so that no name leads inside (rules F6).
//!
//! [`Resolver`] is all that the HTTP client asks for addresses; what it refuses is never connected to, and a name that has
//! any refused address has none. An address that stands in the URL itself never reaches a resolver and is judged when
//! the channel is built.

use std::collections::HashMap;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};

/// Which addresses a webhook or a push endpoint may lead to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// The internet only: the default.
    Public,
    /// The internet and the inside: `allow_private = true` over https.
    Anywhere,
    /// The inside only: `allow_private = true` over plain http, which must not cross the internet.
    Private,
}

/// An address that a webhook or a push endpoint may not lead to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The address.
    pub address: IpAddr,
    why: &'static str,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "it leads to {}, {}", self.address, self.why)
    }
}

impl std::error::Error for Refusal {}

impl Reach {
    /// Whether this address may be connected to.
    ///
    /// # Errors
    /// [`Refusal`] says why not, and what to set if it should be.
    pub fn judge(self, address: IpAddr) -> Result<(), Refusal> {
        let refused = |why| Err(Refusal { address, why });
        match (kind(address), self) {
            (Kind::Never, _) => refused("which is no address of a server that may be told of logins"),
            (Kind::Inside, Self::Public) => {
                refused("an address of the inside; set allow_private = true for it in [method.push] if that is meant")
            }
            (Kind::Public, Self::Private) => {
                refused("an address of the internet, and http is for the inside only; use https")
            }
            (Kind::Inside, Self::Anywhere | Self::Private) | (Kind::Public, Self::Public | Self::Anywhere) => Ok(()),
        }
    }
}

/// What kind of address it is, by the IANA special-purpose registries (RFC 6890).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Public,
    Inside,
    Never,
}

fn kind(address: IpAddr) -> Kind {
    match address {
        IpAddr::V4(v4) => kind_v4(v4),
        IpAddr::V6(v6) => kind_v6(v6),
    }
}

fn kind_v4(address: Ipv4Addr) -> Kind {
    match address.octets() {
        // Where clouds keep the credentials of their machines: no notifier lives there, whatever is allowed.
        [169, 254, 169, 254] | [100, 100, 100, 200] | [168, 63, 129, 16] => Kind::Never,
        // Private (RFC 1918), loopback, link-local (RFC 3927), shared by carriers (RFC 6598).
        [10 | 127, ..] | [172, 16..=31, ..] | [192, 168, ..] | [169, 254, ..] | [100, 64..=127, ..] => Kind::Inside,
        // "This" network, protocol assignments, documentation, benchmarks, multicast, reserved, broadcast.
        [0 | 224..=255, ..] | [192, 0, 0 | 2, _] | [198, 18 | 19, ..] | [198, 51, 100, _] | [203, 0, 113, _] => {
            Kind::Never
        }
        [..] => Kind::Public,
    }
}

fn kind_v6(address: Ipv6Addr) -> Kind {
    if let Some(v4) = embedded_v4(address) {
        return kind_v4(v4);
    }
    match address.segments() {
        [0, 0, 0, 0, 0, 0, 0, 1] => Kind::Inside,
        [0xfd00, 0x0ec2, 0, 0, 0, 0, 0, 0x0254] => Kind::Never,
        // Unique local (RFC 4193), link-local (RFC 4291 §2.5.6).
        [0xfc00..=0xfdff | 0xfe80..=0xfebf, ..] => Kind::Inside,
        // Teredo's and 6to4's tunnels end nobody knows where; documentation (RFC 3849, RFC 9637).
        [0x2001, 0 | 0x0db8, ..] | [0x2002, ..] | [0x3fff, 0..=0x0fff, ..] => Kind::Never,
        // Only 2000::/3 was ever given out (RFC 4291 §2.4, IANA).
        [0x2000..=0x3fff, ..] => Kind::Public,
        [..] => Kind::Never,
    }
}

/// The IPv4 address that this one stands for: mapped (RFC 4291 §2.5.5.2) or behind a NAT64 (RFC 6052, RFC 8215).
fn embedded_v4(address: Ipv6Addr) -> Option<Ipv4Addr> {
    match address.segments() {
        [0, 0, 0, 0, 0, 0xffff, high, low] | [0x0064, 0xff9b, 0, 0, 0, 0, high, low] => {
            let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
            Some(Ipv4Addr::new(a, b, c, d))
        }
        [..] => None,
    }
}

/// Resolves a name by the operating system, and passes on only addresses within reach. A look-up that fails says nothing of the
/// service (rules A5): the addresses of the last one that worked are tried instead, and what they do counts.
#[derive(Clone)]
pub(super) struct Resolver {
    reach: Reach,
    known: Arc<Mutex<HashMap<Box<str>, Vec<SocketAddr>>>>,
}

/// No honest notifier has more.
const ADDRESSES_MAX: usize = 16;

/// Names whose addresses are remembered: push services have a few dozen hosts.
const NAMES_MAX: usize = 256;

/// How long a look-up may take; a request goes on with what is remembered while there is still time for it.
const LOOK_UP_WITHIN: Duration = Duration::from_secs(2);

/// A name that could not be looked up, and never was: no outage of anybody.
#[derive(Debug, thiserror::Error)]
#[error("the name {name} can't be looked up ({why}); check this host's DNS")]
pub(super) struct NoAddress {
    name: Box<str>,
    why: String,
}

impl Resolver {
    pub(super) fn new(reach: Reach) -> Self {
        Self { reach, known: Arc::default() }
    }

    /// What this look-up leads to, and is remembered; of one that failed, what the last one led to.
    fn settle(&self, name: &str, found: Result<Vec<SocketAddr>, String>) -> Result<Vec<SocketAddr>, NoAddress> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let why = match found {
            Ok(found) if !found.is_empty() => {
                if known.len() < NAMES_MAX || known.contains_key(name) {
                    let before = known.insert(name.into(), found.clone());
                    tell_of_change(name, before.as_deref(), &found);
                }
                return Ok(found);
            }
            Ok(_) => "it has no address".to_owned(),
            Err(why) => why,
        };
        known.get(name).cloned().ok_or_else(|| NoAddress { name: name.into(), why })
    }
}

/// A service that moved. Those of the big push services move all day.
fn tell_of_change(name: &str, before: Option<&[SocketAddr]>, now: &[SocketAddr]) {
    let Some(before) = before else { return };
    if !now.iter().any(|address| before.contains(address)) {
        let listed = |all: &[SocketAddr]| all.iter().map(|one| one.ip().to_string()).collect::<Vec<_>>().join(", ");
        tracing::info!(name, was = listed(before), now = listed(now), "the name has other addresses now");
    }
}

impl Resolve for Resolver {
    fn resolve(&self, name: Name) -> Resolving {
        let resolver = self.clone();
        Box::pin(async move {
            let look_up = tokio::time::timeout(LOOK_UP_WITHIN, tokio::net::lookup_host((name.as_str(), 0)));
            let found = match look_up.await {
                Ok(Ok(found)) => Ok(found.take(ADDRESSES_MAX).collect()),
                Ok(Err(error)) => Err(error.to_string()),
                Err(_) => Err(format!("no answer within {} s", LOOK_UP_WITHIN.as_secs())),
            };
            let found = resolver.settle(name.as_str(), found)?;
            Ok(admitted(resolver.reach, found)?)
        })
    }
}

/// One address inside taints the name: who controls the name would only have to try again (rules F6).
fn admitted(reach: Reach, found: Vec<SocketAddr>) -> Result<Addrs, Refusal> {
    found.iter().try_for_each(|address| reach.judge(address.ip()))?;
    Ok(Box::new(found.into_iter()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(addresses: &[&str], reach: Reach) -> Vec<bool> {
        addresses.iter().map(|address| reach.judge(address.parse().unwrap()).is_ok()).collect()
    }

    const INSIDE: [&str; 13] = [
        "127.0.0.1",
        "127.255.0.9",
        "10.1.2.3",
        "172.16.0.1",
        "172.31.255.255",
        "192.168.1.1",
        "169.254.1.1",
        "100.64.0.1",
        "::1",
        "fe80::1",
        "fd12:3456::1",
        "::ffff:10.0.0.1",
        "64:ff9b::c0a8:101",
    ];

    const PUBLIC: [&str; 6] =
        ["8.8.8.8", "172.32.0.1", "100.128.0.1", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808"];

    const NEVER: [&str; 17] = [
        "0.0.0.0",
        "169.254.169.254",
        "100.100.100.200",
        "224.0.0.1",
        "255.255.255.255",
        "240.0.0.1",
        "192.0.2.1",
        "198.18.0.1",
        "::",
        "ff02::1",
        "fd00:ec2::254",
        "::ffff:169.254.169.254",
        "2002:a00:1::",
        "2001::1",
        "::10.0.0.1",
        "64:ff9b:1::a00:1",
        "fec0::1",
    ];

    #[test]
    fn by_default_only_the_internet_is_within_reach() {
        assert!(all(&PUBLIC, Reach::Public).iter().all(|within| *within));
        assert!(all(&INSIDE, Reach::Public).iter().all(|within| !within));
    }

    #[test]
    fn allowed_the_inside_is_within_reach_too() {
        assert!(all(&PUBLIC, Reach::Anywhere).iter().all(|within| *within));
        assert!(all(&INSIDE, Reach::Anywhere).iter().all(|within| *within));
    }

    #[test]
    fn plain_http_stays_inside() {
        assert!(all(&PUBLIC, Reach::Private).iter().all(|within| !within));
        assert!(all(&INSIDE, Reach::Private).iter().all(|within| *within));
    }

    #[test]
    fn some_addresses_are_never_within_reach() {
        for reach in [Reach::Public, Reach::Anywhere, Reach::Private] {
            assert!(all(&NEVER, reach).iter().all(|within| !within), "{reach:?}: {:?}", all(&NEVER, reach));
        }
    }

    #[test]
    fn a_look_up_that_fails_leads_where_the_last_one_led_and_one_that_never_worked_nowhere() {
        let resolver = Resolver::new(Reach::Public);
        let failed = || Err("failed to lookup address information: Name or service not known".to_owned());
        let never = resolver.settle("notify.example.com", failed()).unwrap_err();
        assert!(never.to_string().contains("notify.example.com can't be looked up"), "{never}");
        let found: Vec<SocketAddr> = vec!["8.8.8.8:0".parse().unwrap()];
        assert_eq!(resolver.settle("notify.example.com", Ok(found.clone())).unwrap(), found);
        assert_eq!(resolver.settle("notify.example.com", failed()).unwrap(), found);
        assert_eq!(resolver.settle("notify.example.com", Ok(Vec::new())).unwrap(), found);
        let moved: Vec<SocketAddr> = vec!["8.8.4.4:0".parse().unwrap()];
        assert_eq!(resolver.settle("notify.example.com", Ok(moved.clone())).unwrap(), moved);
        assert_eq!(resolver.settle("notify.example.com", failed()).unwrap(), moved);
        assert!(resolver.settle("other.example.com", failed()).is_err());
    }

    #[test]
    fn one_address_inside_taints_the_whole_name() {
        let found = ["8.8.8.8:0", "127.0.0.1:0"].map(|address| address.parse().unwrap()).to_vec();
        assert_eq!(admitted(Reach::Public, found.clone()).err().unwrap().address, IpAddr::from([127, 0, 0, 1]));
        assert_eq!(admitted(Reach::Anywhere, found).ok().unwrap().count(), 2);
    }
}
