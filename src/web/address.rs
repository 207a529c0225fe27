//! Whose address a request came from.
//!
//! The socket's own, unless the socket is a proxy that the site named: then the right-most address of its forwarding
//! headers that is no such proxy (rules F3: forwarded ones only from `trusted_proxies`). What a proxy leaves unclear is
//! nobody's address, never the proxy's own, which may lie in a network that is trusted.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use axum::http::{HeaderMap, HeaderName, header};
use ipnet::IpNet;

use super::way::unquoted;

/// Where a request came from; in the extensions of each request. Never a v4-mapped IPv6 address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ClientAddress(pub IpAddr);

impl ClientAddress {
    /// A named proxy did not say, or said two things: in no network, and all such requests count as one address.
    pub const UNKNOWN: Self = Self(IpAddr::V4(Ipv4Addr::UNSPECIFIED));

    /// Whether it is anybody's.
    #[must_use]
    pub fn is_known(self) -> bool {
        self != Self::UNKNOWN
    }

    /// The address that a request's headers and its socket amount to.
    pub(super) fn of(peer: IpAddr, headers: &HeaderMap, proxies: &[IpNet]) -> Self {
        let peer = peer.to_canonical();
        if !is_proxy(peer, proxies) {
            return Self(peer);
        }
        let nearest = |hops: Vec<Option<IpAddr>>| nearest_stranger(&hops, proxies);
        let (one, other) = (forwarded_for(headers).map(nearest), forwarded(headers).map(nearest));
        let Some(client) = one.or(other) else { return Self::UNKNOWN };
        // Where two say something else, one of them the proxy did not write: a stranger may have.
        let agree = [one, other, real_ip(headers, proxies)].into_iter().flatten().all(|said| said == client);
        if agree { client } else { Self::UNKNOWN }
    }
}

pub(super) fn is_proxy(address: IpAddr, proxies: &[IpNet]) -> bool {
    proxies.iter().any(|proxy| proxy.contains(&address))
}

/// From the right, each hop was written by the one after it: the first that no named proxy has is whom they saw.
fn nearest_stranger(hops: &[Option<IpAddr>], proxies: &[IpNet]) -> ClientAddress {
    for hop in hops.iter().rev() {
        match hop {
            Some(address) if is_proxy(*address, proxies) => {}
            Some(address) => return ClientAddress(*address),
            None => return ClientAddress::UNKNOWN,
        }
    }
    // Proxies all the way: the first of them asks for itself.
    hops.first().copied().flatten().map_or(ClientAddress::UNKNOWN, ClientAddress)
}

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const REAL_IP: HeaderName = HeaderName::from_static("x-real-ip");

/// The hops of every `X-Forwarded-For`, in their order; `None` where one is no address.
fn forwarded_for(headers: &HeaderMap) -> Option<Vec<Option<IpAddr>>> {
    elements(headers, &FORWARDED_FOR, address)
}

/// The hops of every `Forwarded` (RFC 7239 §4).
fn forwarded(headers: &HeaderMap) -> Option<Vec<Option<IpAddr>>> {
    elements(headers, &header::FORWARDED, for_of)
}

/// For whom an element of `Forwarded` says it was; `None` also where it says it twice (§4: "at most one instance").
pub(super) fn for_of(element: &str) -> Option<IpAddr> {
    let pairs = element.split(';').filter_map(|part| part.split_once('='));
    let mut said = pairs.filter(|(name, _)| name.trim().eq_ignore_ascii_case("for"));
    let (first, second) = (said.next(), said.next());
    first.filter(|_| second.is_none()).and_then(|(_, value)| address(&unquoted(value)))
}

/// Whom `X-Real-IP` says: it vouches for nobody, but a proxy that writes it alone hands on what a stranger wrote elsewhere. Of a
/// row of proxies it may name the one before, which says nothing.
fn real_ip(headers: &HeaderMap, proxies: &[IpNet]) -> Option<ClientAddress> {
    let said = elements(headers, &REAL_IP, address)?;
    let mut strangers = said.into_iter().filter(|hop| !hop.is_some_and(|hop| is_proxy(hop, proxies)));
    match (strangers.next(), strangers.next()) {
        (None, _) => None,
        (Some(Some(one)), None) => Some(ClientAddress(one)),
        (Some(_), _) => Some(ClientAddress::UNKNOWN),
    }
}

fn elements(
    headers: &HeaderMap,
    name: &HeaderName,
    read: impl Fn(&str) -> Option<IpAddr>,
) -> Option<Vec<Option<IpAddr>>> {
    headers.contains_key(name).then(|| {
        let lines = headers.get_all(name).iter();
        lines.flat_map(|line| line.to_str().unwrap_or("?").split(',').map(&read).collect::<Vec<_>>()).collect()
    })
}

/// An address, perhaps with a port: `192.0.2.1`, `192.0.2.1:4711`, `2001:db8::1`, `[2001:db8::1]`, `[2001:db8::1]:4711`.
pub(super) fn address(text: &str) -> Option<IpAddr> {
    let text = text.trim();
    let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
    let address = bare.parse::<IpAddr>().or_else(|_| text.parse::<SocketAddr>().map(|socket| socket.ip())).ok()?;
    Some(address.to_canonical()).filter(|address| !address.is_unspecified())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(peer: &str, lines: &[(&'static str, &str)]) -> String {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(*name, value.parse().unwrap());
        }
        let proxies: Vec<IpNet> = ["10.0.0.2/32", "2001:db8:9::/48"].map(|net| net.parse().unwrap()).into();
        let address = ClientAddress::of(peer.parse().unwrap(), &headers, &proxies);
        if address.is_known() { address.0.to_string() } else { "unknown".to_owned() }
    }

    #[test]
    fn a_stranger_can_not_say_that_it_is_somebody_else() {
        let forged = [("x-forwarded-for", "10.1.1.1"), ("forwarded", "for=10.1.1.1")];
        assert_eq!(seen("203.0.113.9", &forged), "203.0.113.9");
        assert_eq!(seen("::ffff:203.0.113.9", &forged), "203.0.113.9");
    }

    #[test]
    fn of_what_a_named_proxy_forwards_only_what_it_saw_itself_counts() {
        assert_eq!(seen("10.0.0.2", &[("x-forwarded-for", "10.1.1.1, 203.0.113.9")]), "203.0.113.9");
        assert_eq!(seen("::ffff:10.0.0.2", &[("x-forwarded-for", "203.0.113.9")]), "203.0.113.9");
        // Several lines are one list.
        assert_eq!(
            seen("10.0.0.2", &[("x-forwarded-for", "10.1.1.1"), ("x-forwarded-for", "203.0.113.9")]),
            "203.0.113.9"
        );
        // Two proxies of ours in a row.
        assert_eq!(seen("10.0.0.2", &[("x-forwarded-for", "10.1.1.1, 203.0.113.9, 2001:db8:9::1")]), "203.0.113.9");
        assert_eq!(
            seen("10.0.0.2", &[("forwarded", "for=10.1.1.1, For=\"[2001:db8::7]:4711\";proto=https")]),
            "2001:db8::7"
        );
        assert_eq!(seen("10.0.0.2", &[("x-forwarded-for", "203.0.113.9:5000")]), "203.0.113.9");
    }

    #[test]
    fn what_a_proxy_leaves_unclear_is_nobodys_address_and_never_its_own() {
        assert_eq!(seen("10.0.0.2", &[]), "unknown");
        for text in ["", "unknown", "203.0.113.9, ?", "203.0.113.9,", "0.0.0.0", "203.0.113.9 10.1.1.1"] {
            assert_eq!(seen("10.0.0.2", &[("x-forwarded-for", text)]), "unknown", "{text}");
        }
        for text in ["for=_hidden", "by=203.0.113.9", "203.0.113.9"] {
            assert_eq!(seen("10.0.0.2", &[("forwarded", text)]), "unknown", "{text}");
        }
    }

    #[test]
    fn a_header_that_the_proxy_passes_through_can_not_outvote_its_own() {
        let both = [("x-forwarded-for", "203.0.113.9"), ("forwarded", "for=10.1.1.1")];
        assert_eq!(seen("10.0.0.2", &both), "unknown");
        let agreed = [("x-forwarded-for", "203.0.113.9"), ("forwarded", "for=203.0.113.9")];
        assert_eq!(seen("10.0.0.2", &agreed), "203.0.113.9");
        // This proxy writes X-Real-IP and hands on what somebody wrote into the other.
        for forged in ["10.1.1.1", "203.0.113.9, 10.1.1.1"] {
            let lines = [("x-forwarded-for", forged), ("x-real-ip", "203.0.113.9")];
            assert_eq!(seen("10.0.0.2", &lines), "unknown", "{forged}");
        }
        for real in ["203.0.113.9", "2001:db8:9::1"] {
            let lines = [("x-forwarded-for", "203.0.113.9, 2001:db8:9::1"), ("x-real-ip", real)];
            assert_eq!(seen("10.0.0.2", &lines), "203.0.113.9", "{real}");
        }
        assert_eq!(seen("10.0.0.2", &[("x-real-ip", "203.0.113.9")]), "unknown", "it vouches for nobody");
    }
}
