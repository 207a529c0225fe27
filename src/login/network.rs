//! Whose an address is, as far as shares go: the network that one household, or one site, may fill with addresses.
//!
//! An IPv4 address counts by itself. Of IPv6 a house is given a /56 and a site a /48 (RFC 6177 §2), and whoever has one may use any
//! address of it: so bounds count by both (rules G1, D7).

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// A network that shares are counted by.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Network {
    /// One IPv4 address.
    Address(Ipv4Addr),
    /// An IPv6 /56.
    House(Ipv6Addr),
    /// An IPv6 /48.
    Site(Ipv6Addr),
}

/// What an address counts by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Origin {
    /// An IPv4 address, or a /56.
    pub house: Network,
    /// The /48 around it.
    pub site: Option<Network>,
}

impl Origin {
    /// Of this address; one that is IPv4 in IPv6 is IPv4.
    #[must_use]
    pub fn of(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V4(v4) => Self { house: Network::Address(v4), site: None },
            IpAddr::V6(v6) => {
                let first = |bits: u32| Ipv6Addr::from_bits(v6.to_bits() & (u128::MAX << (128 - bits)));
                Self { house: Network::House(first(56)), site: Some(Network::Site(first(48))) }
            }
        }
    }

    /// The networks, the smallest first.
    pub fn networks(self) -> impl Iterator<Item = Network> {
        [Some(self.house), self.site].into_iter().flatten()
    }
}

impl Network {
    /// Whether it is one that holds several houses, and so may have more than one of them.
    #[must_use]
    pub const fn is_site(self) -> bool {
        matches!(self, Self::Site(_))
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(address) => address.fmt(f),
            Self::House(first) => write!(f, "{first}/56"),
            Self::Site(first) => write!(f, "{first}/48"),
        }
    }
}

impl fmt::Debug for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ipv4_counts_by_the_address_and_ipv6_by_its_house_and_its_site() {
        let of = |text: &str| {
            let origin = Origin::of(text.parse().unwrap());
            origin.networks().map(|network| network.to_string()).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(of("192.0.2.1"), "192.0.2.1");
        assert_eq!(of("::ffff:192.0.2.1"), "192.0.2.1");
        assert_eq!(of("2001:db8:1:2ff:3:4:5:6"), "2001:db8:1:200::/56 2001:db8:1::/48");
        assert_eq!(of("2001:db8:1:201::1"), of("2001:db8:1:2ff::1"));
    }
}
