//! Calling-Station-Id: where somebody sits. An address where it is one, and nothing that identifies anybody.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr};

/// Calling-Station-Id: where the person sits, as the appliance says (RFC 2865 §5.31).
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Station(Box<[u8]>);

impl Station {
    /// Keeps the octets as they came, but for a port beside an address: strongSwan sends `192.0.2.2[4500]`, and the port
    /// is another at each connection.
    #[must_use]
    pub fn new(octets: &[u8]) -> Self {
        Self(Self::without_port(octets).into())
    }

    /// The address alone, where the octets are one with a port: `192.0.2.2[500]`, `2001:db8::2[500]`, `192.0.2.2:500`,
    /// `[2001:db8::2]:500`, `[2001:db8::2]`. All else as it came: of `2001:db8::2:500` nobody knows that it has a port.
    #[must_use]
    pub fn without_port(octets: &[u8]) -> &[u8] {
        std::str::from_utf8(octets).ok().and_then(address_of).map_or(octets, str::as_bytes)
    }

    /// The octets as they are compared.
    #[must_use]
    pub fn octets(&self) -> &[u8] {
        &self.0
    }

    /// The address, if the station is one; `None` is an unknown fact, never the appliance's own (rules A4).
    #[must_use]
    pub fn address(&self) -> Option<IpAddr> {
        std::str::from_utf8(&self.0).ok()?.trim().parse().ok()
    }
}

/// The address beside a port.
fn address_of(text: &str) -> Option<&str> {
    let is_port = |port: &str| port.parse::<u16>().is_ok() && port.bytes().all(|octet| octet.is_ascii_digit());
    let (address, known) = if let Some(inside) = text.strip_prefix('[') {
        let (address, rest) = inside.split_once(']')?;
        (address, rest.is_empty() || rest.strip_prefix(':').is_some_and(is_port))
    } else if let Some(inside) = text.strip_suffix(']') {
        let (address, port) = inside.split_once('[')?;
        (address, is_port(port))
    } else {
        let (address, port) = text.split_once(':')?;
        return address.parse::<Ipv4Addr>().ok().filter(|_| is_port(port)).map(|_| address);
    };
    address.parse::<IpAddr>().ok().filter(|_| known).map(|_| address)
}

impl fmt::Display for Station {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&wire::log_safe(&self.0))
    }
}

impl fmt::Debug for Station {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_station_is_an_address_only_when_it_is_one() {
        assert_eq!(Station::new(b"203.0.113.9").address(), "203.0.113.9".parse().ok());
        assert_eq!(Station::new(b"00-11-22-33-44-55").address(), None);
    }

    #[test]
    fn an_address_with_a_port_is_that_address_whatever_the_port() {
        for (sent, address) in [
            ("192.0.2.2[500]", "192.0.2.2"),
            ("192.0.2.2[4500]", "192.0.2.2"),
            ("192.0.2.2:61234", "192.0.2.2"),
            ("2001:db8::2[500]", "2001:db8::2"),
            ("[2001:db8::2]:500", "2001:db8::2"),
            ("[2001:db8::2]", "2001:db8::2"),
        ] {
            let station = Station::new(sent.as_bytes());
            assert_eq!((station.address(), station.to_string().as_str()), (address.parse().ok(), address), "{sent}");
            assert_eq!(station, Station::new(address.as_bytes()), "{sent}");
        }
    }

    #[test]
    fn what_only_looks_like_an_address_with_a_port_stays_as_it_came() {
        for sent in [
            "192.0.2.2[]",
            "192.0.2.2[500",
            "192.0.2.2[65536]",
            "192.0.2.2[+500]",
            "192.0.2.2[500]x",
            "192.0.2.2:",
            "192.0.2.2:500:1",
            "192.0.2[500]",
            "[2001:db8::2]500",
            "[2001:db8::2]:",
            "00:11:22:33:44:55",
            "example[500]",
            "[]",
            "2001:db8::2:500",
        ] {
            assert_eq!(Station::without_port(sent.as_bytes()), sent.as_bytes());
        }
    }
}
