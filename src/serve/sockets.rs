//! The RADIUS sockets of a server that starts: all that the policy names, and of those that nobody wrote what the host has.

use std::net::{SocketAddr, TcpListener};

use super::StartError;
use crate::config::Config;
use crate::listen::{BindError, Listener};
use crate::telemetry::Telemetry;

/// Opens them; `what` is served there, for the log. `nobody_wrote`: they are our own default, so one that this host can't have
/// (IPv6 is switched off) is left out with a word in the log, as long as another one stands.
///
/// # Errors
/// The first socket that is not to be had, with what to do.
pub(super) fn bind(
    what: &str,
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
    for listener in &listeners {
        let receive_buffer_octets = listener.receive_buffer_octets();
        tracing::info!(address = %listener.local_addr(), receive_buffer_octets, "listening for {what}");
    }
    Ok(listeners)
}

/// Looks at every socket before the first is taken, so that all that are not to be had are told at once. One alone is told
/// where it is opened.
///
/// # Errors
/// The sockets, each with what to do.
pub(super) fn all_free(config: &Config, nobody_wrote: bool, telemetry: &Telemetry) -> Result<(), StartError> {
    let of_radius = config.radius_listen.iter().filter_map(|address| {
        let why = Listener::bind(*address, telemetry.clone()).err()?;
        (!(nobody_wrote && why.is_of_the_host())).then(|| why.to_string())
    });
    let of_accounting = config.radius_accounting.iter();
    let of_accounting =
        of_accounting.filter_map(|address| Some(Listener::bind(*address, telemetry.clone()).err()?.to_string()));
    let refused = |address: SocketAddr| TcpListener::bind(address).err();
    let of_metrics = refused(config.metrics_listen)
        .map(|why| StartError::Metrics { address: config.metrics_listen, why }.to_string());
    let portal = config.portal.as_ref().map(|portal| ("portal", &portal.pages));
    let admin = config.admin.as_ref().map(|admin| ("admin", &admin.pages));
    let of_pages = [portal, admin].into_iter().flatten().flat_map(|(name, pages)| {
        let addresses = [Some(pages.listen), pages.acme.http_listen].into_iter().flatten();
        addresses
            .filter_map(move |address| Some(StartError::Pages { name, address, why: refused(address)? }.to_string()))
    });
    let all: Vec<String> = of_radius.chain(of_accounting).chain(of_metrics).chain(of_pages).collect();
    if all.len() < 2 { Ok(()) } else { Err(StartError::Sockets(all.join("\n"))) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The first is any host's; the second (RFC 5737) is nobody's, as any address of a family is that the kernel lacks.
    fn opened(addresses: &[&str], nobody_wrote: bool) -> Result<usize, String> {
        let addresses: Vec<SocketAddr> = addresses.iter().map(|text| text.parse().unwrap()).collect();
        let opened = bind("RADIUS", &addresses, nobody_wrote, &Telemetry::new());
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
    async fn all_sockets_that_somebody_else_has_are_told_at_once() {
        let udp = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        let tcp = TcpListener::bind("127.0.0.1:0").unwrap();
        let (radius, metrics) = (udp.local_addr().unwrap(), tcp.local_addr().unwrap());
        let text = format!("[radius]\nlisten = \"{radius}\"\n[metrics]\nlisten = \"{metrics}\"\n");
        let config = Config::parse("vestibule.toml", &text, &crate::config::NoFiles, []).unwrap().config;
        let told = all_free(&config, false, &Telemetry::new()).unwrap_err().to_string();
        assert!(told.contains(&radius.to_string()) && told.contains(&metrics.to_string()), "{told}");
        drop(tcp);
        assert!(all_free(&config, false, &Telemetry::new()).is_ok(), "one alone is told where it is opened");
    }

    #[tokio::test]
    async fn a_default_that_somebody_else_has_is_never_left_out() {
        let taken = std::net::UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
        let held = std::net::UdpSocket::bind(&taken).unwrap();
        assert!(opened(&["127.0.0.1:0", &taken], true).unwrap_err().contains("in use"));
        drop(held);
    }
}
