//! Whose address is this: the longest prefix that holds it (checklist A9).
//!
//! One hash look-up for each prefix length that the configuration uses, so a flood from strangers costs next to
//! nothing. `config` refuses overlapping clients; should two overlap all the same, the longer prefix wins.

use std::collections::HashMap;
use std::net::IpAddr;

use ipnet::IpNet;

/// Prefixes and what stands behind each.
#[derive(Debug)]
pub(super) struct Prefixes<T> {
    four: Vec<Length<T>>,
    six: Vec<Length<T>>,
}

/// All prefixes of one length.
#[derive(Debug)]
struct Length<T> {
    mask: u128,
    networks: HashMap<u128, T>,
}

impl<T> Default for Prefixes<T> {
    fn default() -> Self {
        Self { four: Vec::new(), six: Vec::new() }
    }
}

impl<T> Prefixes<T> {
    /// Adds a prefix; of two equal ones the later counts.
    pub(super) fn insert(&mut self, network: IpNet, value: T) {
        let mask = mask_of(network.prefix_len(), network.max_prefix_len());
        let (lengths, bits) = match network.network() {
            IpAddr::V4(four) => (&mut self.four, u128::from(four.to_bits())),
            IpAddr::V6(six) => (&mut self.six, six.to_bits()),
        };
        let at = match lengths.binary_search_by(|length| mask.cmp(&length.mask)) {
            Ok(at) => at,
            Err(at) => {
                lengths.insert(at, Length { mask, networks: HashMap::new() });
                at
            }
        };
        if let Some(length) = lengths.get_mut(at) {
            length.networks.insert(bits & mask, value);
        }
    }

    /// What stands behind the longest prefix that holds the address; an IPv4 address in IPv6 form counts as IPv4.
    pub(super) fn find(&self, address: IpAddr) -> Option<&T> {
        let (lengths, bits) = match address.to_canonical() {
            IpAddr::V4(four) => (&self.four, u128::from(four.to_bits())),
            IpAddr::V6(six) => (&self.six, six.to_bits()),
        };
        // The longest mask is the greatest number, and stands first.
        lengths.iter().find_map(|length| length.networks.get(&(bits & length.mask)))
    }
}

/// The mask of a prefix, as a number: `/24` of 32 bits is `0xffff_ff00`.
fn mask_of(prefix: u8, bits: u8) -> u128 {
    let all = u128::MAX >> (128_u32.saturating_sub(u32::from(bits)));
    let host = u32::from(bits.saturating_sub(prefix));
    all & u128::MAX.checked_shl(host).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn table(networks: &[&'static str]) -> Prefixes<&'static str> {
        let mut prefixes = Prefixes::default();
        networks.iter().for_each(|network| prefixes.insert(network.parse().unwrap(), *network));
        prefixes
    }

    #[test]
    fn the_longest_prefix_wins_whatever_the_order() {
        for networks in [["10.0.0.0/8", "10.1.0.0/16", "10.1.2.3/32"], ["10.1.2.3/32", "10.0.0.0/8", "10.1.0.0/16"]] {
            let prefixes = table(&networks);
            let find = |address: &str| prefixes.find(address.parse().unwrap()).copied();
            assert_eq!(find("10.1.2.3"), Some("10.1.2.3/32"));
            assert_eq!(find("10.1.2.4"), Some("10.1.0.0/16"));
            assert_eq!(find("10.2.2.3"), Some("10.0.0.0/8"));
            assert_eq!(find("11.1.2.3"), None);
        }
    }

    #[test]
    fn an_ipv4_address_in_ipv6_form_is_the_ipv4_address() {
        let prefixes = table(&["192.0.2.0/24", "2001:db8::/32"]);
        assert_eq!(prefixes.find("::ffff:192.0.2.7".parse().unwrap()), Some(&"192.0.2.0/24"));
        assert_eq!(prefixes.find("2001:db8::7".parse().unwrap()), Some(&"2001:db8::/32"));
        assert_eq!(prefixes.find("::192.0.2.7".parse().unwrap()), None, "compatible addresses are not mapped ones");
    }

    #[test]
    fn the_empty_prefix_holds_its_own_family_only() {
        let prefixes = table(&["0.0.0.0/0"]);
        assert_eq!(prefixes.find("203.0.113.9".parse().unwrap()), Some(&"0.0.0.0/0"));
        assert_eq!(prefixes.find("2001:db8::1".parse().unwrap()), None);
    }

    proptest! {
        #[test]
        fn it_agrees_with_a_search_through_all(networks in prop::collection::vec((any::<u32>(), 0_u8..=32), 0..20), address: u32) {
            // Few distinct high bits, so that prefixes do nest.
            let networks: Vec<IpNet> = networks
                .iter()
                .map(|(bits, length)| IpNet::new(IpAddr::from((bits & 0x0303_0303).to_be_bytes()), *length).unwrap().trunc())
                .collect();
            let address = IpAddr::from((address & 0x0303_0303).to_be_bytes());
            let mut prefixes = Prefixes::default();
            networks.iter().for_each(|network| prefixes.insert(*network, *network));
            let slow = networks.iter().filter(|network| network.contains(&address)).max_by_key(|network| network.prefix_len());
            prop_assert_eq!(prefixes.find(address), slow);
        }
    }
}
