//! The whole way of a request, as far as its headers tell, for who believes a network (rules F3).
//!
//! An address that a request *has* comes from `address`: the headers of a named proxy choose it. Here the headers of anybody are
//! read, and only to say no: whoever sits in a network and forwards for somebody outside, with one of the many headers of which
//! proxies are fond, is no way through the network. What is hidden, or can't be read, is outside.

use std::net::IpAddr;
use std::sync::Arc;

use axum::http::HeaderMap;
use ipnet::IpNet;

use super::address::{ClientAddress, address, for_of, is_proxy};

/// Where a request came in and whom the site named as proxies; in the extensions of each request.
#[derive(Clone, Debug)]
pub struct Way {
    peer: IpAddr,
    proxies: Arc<[IpNet]>,
}

/// Parts of the names of headers that hold addresses of those on the way: `X-Forwarded-For`, `True-Client-IP`,
/// `CF-Connecting-IP`, `X-Azure-SocketIP`, `CloudFront-Viewer-Address` and all that are like them.
const ADDRESSED: [&str; 16] = [
    "forwarded-for",
    "client-ip",
    "clientip",
    "client-address",
    "client-connection-ip",
    "connecting-ip",
    "real-ip",
    "realip",
    "remote-ip",
    "remote-addr",
    "user-ip",
    "source-ip",
    "src-ip",
    "originating-ip",
    "external-address",
    "viewer-address",
];

/// The same, where the name ends so.
const ADDRESSED_AT_THE_END: [&str; 3] = ["socketip", "coming-from", "x-forwarded"];

/// Parts of the names of headers that only proxies write, and that hold no address.
const MARKS: [&str; 2] = ["x-forwarded-", "x-proxy"];

impl Way {
    pub(super) fn new(peer: IpAddr, proxies: Arc<[IpNet]>) -> Self {
        Self { peer: peer.to_canonical(), proxies }
    }

    /// Whether the request is one from these networks: who asks has an address in them, and whoever else is on the way has one,
    /// too, or is a named proxy (rules F3).
    #[must_use]
    pub fn lies_in(&self, headers: &HeaderMap, networks: &[IpNet]) -> bool {
        let inside = |address: IpAddr| networks.iter().any(|network| network.contains(&address));
        let client = ClientAddress::of(self.peer, headers, &self.proxies);
        let harmless = |hop: &Option<IpAddr>| hop.is_some_and(|hop| inside(hop) || is_proxy(hop, &self.proxies));
        let told = Told::by(headers, is_proxy(self.peer, &self.proxies));
        client.is_known() && inside(client.0) && told.hops.iter().all(harmless) && !told.hides_somebody()
    }
}

/// What headers say of a way.
#[derive(Default)]
struct Told {
    /// Everybody whom they name; `None` is somebody whom they hide.
    hops: Vec<Option<IpAddr>>,
    /// How many the longest of their lists names.
    longest: usize,
    /// How many proxies there were by `Via`; at least one where only a proxy writes such headers.
    proxies: usize,
}

impl Told {
    fn by(headers: &HeaderMap, by_a_named_proxy: bool) -> Self {
        let mut told = Self::default();
        for name in headers.keys() {
            // Some gateways hand names on with low lines (RFC 3875 §4.1.18).
            let plain = name.as_str().replace('_', "-");
            let lines = headers.get_all(name).iter().map(|line| line.to_str().unwrap_or("?"));
            let elements: Vec<&str> = lines.flat_map(|line| line.split(',')).collect();
            if plain == "forwarded" {
                told.list(elements.iter().map(|element| for_of(element)).collect());
                told.hops.extend(receivers(&elements, by_a_named_proxy));
            } else if ADDRESSED.iter().any(|part| plain.contains(part))
                || ADDRESSED_AT_THE_END.iter().any(|end| plain.ends_with(end))
            {
                told.list(elements.iter().map(|element| address(element)).collect());
            } else if plain == "via" {
                told.proxies = told.proxies.max(received(&elements.join(",")));
            } else if MARKS.iter().any(|mark| plain.contains(mark)) {
                told.proxies = told.proxies.max(1);
            }
        }
        told
    }

    fn list(&mut self, hops: Vec<Option<IpAddr>>) {
        self.longest = self.longest.max(hops.len());
        self.hops.extend(hops);
    }

    /// Each proxy has somebody before it; whom no list names is hidden.
    fn hides_somebody(&self) -> bool {
        self.proxies > self.longest
    }
}

/// By `by=` each proxy says which address of its own was asked (RFC 7239 §5.1). A named one may call itself as it likes.
fn receivers<'a>(elements: &'a [&str], by_a_named_proxy: bool) -> impl Iterator<Item = Option<IpAddr>> + 'a {
    let judged = elements.len().saturating_sub(usize::from(by_a_named_proxy));
    let said = |element: &&str| {
        let pairs = element.split(';').filter_map(|pair| pair.split_once('='));
        let by: Vec<_> =
            pairs.filter(|(name, _)| name.trim().eq_ignore_ascii_case("by")).map(|(_, by)| unquoted(by)).collect();
        by.into_iter().map(|by| address(&by)).collect::<Vec<_>>()
    };
    elements.iter().take(judged).flat_map(said).collect::<Vec<_>>().into_iter()
}

/// A value without its quotes; what has one of them alone is left as it is, and is no address then.
pub(super) fn unquoted(value: &str) -> String {
    let value = value.trim();
    value.strip_prefix('"').and_then(|value| value.strip_suffix('"')).unwrap_or(value).to_owned()
}

/// How many proxies `Via` names (RFC 9110 §7.6.3); commas in comments separate nobody.
fn received(via: &str) -> usize {
    let mut depth = 0_usize;
    let mut separators = 0;
    for octet in via.bytes() {
        match octet {
            b'(' => depth += 1,
            b')' => depth = depth.saturating_sub(1),
            b',' if depth == 0 => separators += 1,
            _ => {}
        }
    }
    separators + 1
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderName;

    use super::*;

    fn nets(nets: &[&str]) -> Vec<IpNet> {
        nets.iter().map(|net| net.parse().unwrap()).collect()
    }

    /// 10.0.0.0/8 is believed, 10.0.0.2 and 192.0.2.2 are named.
    fn inside(peer: &str, lines: &[(&str, &str)]) -> bool {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(name.parse::<HeaderName>().unwrap(), value.parse().unwrap());
        }
        let way = Way::new(peer.parse().unwrap(), nets(&["10.0.0.2/32", "192.0.2.2/32"]).into());
        way.lies_in(&headers, &nets(&["10.0.0.0/8", "2001:db8:10::/48"]))
    }

    #[test]
    fn who_comes_straight_or_through_named_proxies_is_where_they_are() {
        assert!(inside("10.1.2.3", &[]));
        assert!(inside("::ffff:10.1.2.3", &[]));
        assert!(!inside("203.0.113.9", &[]));
        assert!(!inside("10.0.0.2", &[]), "a named proxy that does not say for whom it asks");
        for peer in ["10.0.0.2", "192.0.2.2"] {
            assert!(inside(peer, &[("x-forwarded-for", "10.1.2.3")]));
            assert!(inside(peer, &[("x-forwarded-for", "2001:db8:10::7, 192.0.2.2, 10.0.0.2")]));
            assert!(inside(peer, &[("forwarded", "for=\"[2001:db8:10::7]:4711\";by=_edge;proto=https")]));
            assert!(inside(
                peer,
                &[("x-forwarded-for", "10.1.2.3"), ("x-real-ip", "10.1.2.3"), ("x-forwarded-proto", "https")]
            ));
            assert!(inside(peer, &[("x-forwarded-for", "10.1.2.3"), ("via", "1.1 edge (a, b)")]));
            assert!(!inside(peer, &[("x-forwarded-for", "203.0.113.9")]));
        }
        // A proxy of one's own that is not named, with somebody of one's own behind it.
        assert!(inside("10.0.0.9", &[("x-forwarded-for", "10.1.2.3")]));
    }

    #[test]
    fn somebody_outside_is_not_inside_through_whomever_they_come() {
        for peer in ["10.0.0.9", "10.0.0.2", "192.0.2.2"] {
            for (name, value) in [
                ("x-forwarded-for", "203.0.113.9, 10.0.0.9"),
                ("x-forwarded-for", "10.1.2.3, 203.0.113.9, 10.0.0.9"),
                ("x_forwarded_for", "203.0.113.9"),
                ("forwarded", "for=203.0.113.9, for=10.0.0.9"),
                ("forwarded", "for=10.0.0.9;for=203.0.113.9"),
                ("forwarded", "for=10.1.2.3;by=203.0.113.9, for=10.0.0.9;by=10.0.0.2"),
                ("x-real-ip", "203.0.113.9"),
                ("true-client-ip", "203.0.113.9"),
                ("cf-connecting-ip", "203.0.113.9"),
                ("cf-connecting-ipv6", "2001:db8::9"),
                ("x-client-ip", "203.0.113.9"),
                ("x-cluster-client-ip", "203.0.113.9"),
                ("fastly-client-ip", "203.0.113.9"),
                ("x-azure-clientip", "203.0.113.9"),
                ("x-azure-socketip", "203.0.113.9"),
                ("x-appengine-user-ip", "203.0.113.9"),
                ("x-envoy-external-address", "203.0.113.9"),
                ("cloudfront-viewer-address", "203.0.113.9:46532"),
                ("x-original-forwarded-for", "203.0.113.9"),
                ("x-forwarded", "203.0.113.9"),
                ("x-remote-addr", "203.0.113.9"),
                ("proxy-client-ip", "203.0.113.9"),
            ] {
                let also = [("x-forwarded-for", "10.1.2.3"), (name, value)];
                assert!(!inside(peer, &also), "{name}: {value} through {peer}");
                assert!(!inside(peer, &also[1..]), "{name}: {value} alone through {peer}");
            }
        }
    }

    #[test]
    fn who_is_hidden_is_outside() {
        for peer in ["10.0.0.9", "10.0.0.2"] {
            for value in [
                "unknown",
                "_hidden",
                "",
                "10.1.2.3,",
                "10.1.2.3, ?",
                "0.0.0.0",
                "10.1.2.3 10.1.2.3",
                "fe80::1%eth0",
                "010.1.2.3",
            ] {
                assert!(!inside(peer, &[("x-forwarded-for", value)]), "{value:?} through {peer}");
                assert!(
                    !inside(peer, &[("x-forwarded-for", "10.1.2.3"), ("x-client-ip", value)]),
                    "{value:?} through {peer}"
                );
            }
            for value in [
                "for=unknown",
                "for=_hidden",
                "for=\"_hidden:_port\"",
                "proto=https",
                "for=\"10.1.2.3",
                "for=10.1.2.3;by=_other, for=10.0.0.9",
            ] {
                assert!(!inside(peer, &[("forwarded", value)]), "{value:?} through {peer}");
            }
        }
        // Marks of a proxy that names nobody, and of more proxies than anybody named somebody before.
        for mark in [("via", "1.1 squid"), ("x-forwarded-proto", "https"), ("x-forwarded-host", "mfa.example.com")] {
            assert!(!inside("10.0.0.9", &[mark]), "{mark:?}");
        }
        assert!(!inside("10.0.0.2", &[("via", "1.1 squid, 1.1 edge"), ("x-forwarded-for", "10.0.0.9")]));
        assert!(inside("10.0.0.2", &[("via", "1.1 squid, 1.1 edge"), ("x-forwarded-for", "10.1.2.3, 10.0.0.9")]));
    }

    #[test]
    fn octets_that_are_no_text_are_nobody_inside() {
        let mut headers = HeaderMap::new();
        headers.append("x-forwarded-for", axum::http::HeaderValue::from_bytes(b"10.1.2.3\xff").unwrap());
        let way = Way::new("10.0.0.9".parse().unwrap(), Arc::default());
        assert!(!way.lies_in(&headers, &nets(&["10.0.0.0/8"])));
    }
}
