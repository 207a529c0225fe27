//! The RADIUS sockets of a server that starts: all that the policy names, and of those that nobody wrote what the host has.

use std::net::SocketAddr;

use crate::listen::{BindError, Listener};
use crate::telemetry::Telemetry;

/// Opens them. `nobody_wrote`: they are our own default, so one that this host can't have (IPv6 is switched off) is left out with
/// a word in the log, as long as another one stands.
///
/// # Errors
/// The first socket that is not to be had, with what to do.
pub(super) fn bind(
    addresses: &[SocketAddr],
    nobody_wrote: bool,
    telemetry: &Telemetry,
) -> Result<Vec<Listener>, BindError> {
    let (mut listeners, mut left_out) = (Vec::new(), None);
    for address in addresses {
        match Listener::bind(*address, telemetry.clone()) {
            Ok(listener) => listeners.push(listener),
            Err(why) if nobody_wrote && why.is_of_the_host() => left_out = Some((*address, why)),
            Err(why) => return Err(why),
        }
    }
    match left_out {
        Some((_, why)) if listeners.is_empty() => return Err(why),
        Some((address, _)) => {
            let family = if address.is_ipv6() { "IPv6" } else { "IPv4" };
            tracing::info!(%address, "this host has no {family}, so {address} is left out; write `listen` under [radius] to choose the addresses");
        }
        None => {}
    }
    Ok(listeners)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The first is any host's; the second (RFC 5737) is nobody's, as any address of a family is that the kernel lacks.
    fn opened(addresses: &[&str], nobody_wrote: bool) -> Result<usize, String> {
        let addresses: Vec<SocketAddr> = addresses.iter().map(|text| text.parse().unwrap()).collect();
        let opened = bind(&addresses, nobody_wrote, &Telemetry::new());
        opened.map(|listeners| listeners.len()).map_err(|why| why.to_string())
    }

    #[tokio::test]
    async fn a_default_that_the_host_can_not_have_is_left_out_and_what_somebody_wrote_is_not() {
        let both = ["127.0.0.1:0", "192.0.2.77:1812"];
        assert_eq!(opened(&both, true), Ok(1));
        assert!(opened(&both, false).unwrap_err().contains("192.0.2.77"));
    }

    #[tokio::test]
    async fn where_no_default_can_be_had_nothing_starts() {
        assert!(opened(&["192.0.2.77:1812"], true).unwrap_err().contains("192.0.2.77"));
    }

    #[tokio::test]
    async fn a_default_that_somebody_else_has_is_never_left_out() {
        let taken = std::net::UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
        let held = std::net::UdpSocket::bind(&taken).unwrap();
        assert!(opened(&["127.0.0.1:0", &taken], true).unwrap_err().contains("in use"));
        drop(held);
    }
}
