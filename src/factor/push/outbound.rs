//! What every request to a push service or a notifier has in common: bounded in size, time and number, and led nowhere else.
//!
//! No redirect is followed, no proxy of the environment used, no cookie kept, and each address is judged after resolution
//! ([`Resolver`], rules F6). What an answer means is the channel's business: only the status of it counts for any of them.

use std::error::Error;
use std::io;
use std::net::IpAddr;
use std::time::Duration;

use login::outage::Outage;
use reqwest::{Certificate, Client, ClientBuilder, Response, Url, redirect, retry};
use tokio::sync::{Semaphore, SemaphorePermit};

use super::reach::{Reach, Resolver};
use crate::telemetry::pulse::{Mark, Pulse};

/// How long a connection is kept for the next hint.
const IDLE_FOR: Duration = Duration::from_secs(4);

/// Requests that wait for one under way to end, as long as one request may take.
const WAITING_MAX: usize = 4096;

/// Octets of an answer that are read, so that the connection can serve again; what is longer is cut.
const ANSWER_OCTETS_MAX: usize = 4096;

/// A client whose requests end in time and lead only where `reach` allows. Whom it trusts is the caller's to say.
pub(super) fn builder(reach: Reach, within: Duration) -> ClientBuilder {
    Client::builder()
        .user_agent("vestibule")
        .dns_resolver(Resolver::new(reach))
        .redirect(redirect::Policy::none())
        .retry(retry::never())
        .referer(false)
        .no_proxy()
        .timeout(within)
        .pool_max_idle_per_host(8)
        // Shorter than what servers keep: a connection that closes under a hint would lose it.
        .pool_idle_timeout(IDLE_FOR)
        .http1_max_headers(64)
        .http2_max_header_list_size(16 * 1024)
}

/// The certificates of a PEM file; or what is wrong with it.
pub(super) fn certificates(pem: &[u8]) -> Result<Vec<Certificate>, String> {
    let certificates = Certificate::from_pem_bundle(pem).map_err(|error| innermost(&error))?;
    if certificates.is_empty() {
        return Err("it holds none".to_owned());
    }
    Ok(certificates)
}

/// The address that stands in the URL; odd spellings (`0x7f.1`) are decimal already, by the URL standard.
pub(super) fn literal(url: &Url) -> Option<IpAddr> {
    url.host_str()?.trim_start_matches('[').trim_end_matches(']').parse().ok()
}

/// Reads a short answer to its end, so that the connection can serve again, and cuts a long one.
pub(super) async fn drained(mut answer: Response) {
    let mut read = 0;
    while let Ok(Some(chunk)) = answer.chunk().await {
        read += chunk.len();
        if read > ANSWER_OCTETS_MAX {
            break;
        }
    }
}

/// The last cause alone: those above it repeat it, or the URL.
pub(super) fn innermost(error: &reqwest::Error) -> String {
    causes(error).last().map(ToString::to_string).unwrap_or_default()
}

/// The error and what caused it, outermost first.
pub(super) fn causes(error: &reqwest::Error) -> impl Iterator<Item = &(dyn Error + 'static)> {
    fn cause<'a>(error: &&'a (dyn Error + 'static)) -> Option<&'a (dyn Error + 'static)> {
        (*error).source()
    }
    let first: &(dyn Error + 'static) = error;
    std::iter::successors(Some(first), cause)
}

/// What a failed request says of the service, by the closed list (rules A5): `None` is no outage. A request that was under way
/// says something only by its timeout: a kept connection that breaks under it is daily work.
pub(super) fn outage(error: &reqwest::Error) -> Option<Outage> {
    if error.is_timeout() {
        return Some(Outage::Silent);
    }
    if !error.is_connect() {
        return None;
    }
    causes(error).find_map(|cause| match cause.downcast_ref::<io::Error>() {
        Some(system) => of_system(system),
        None => cause.downcast_ref::<rustls::Error>().filter(|tls| is_of_the_peer(tls)).map(|_| Outage::Tls),
    })
}

/// The handshake's errors come wrapped in the system's, once or twice, and its sudden end as one.
fn of_system(error: &io::Error) -> Option<Outage> {
    if let Some(inner) = error.get_ref() {
        if let Some(tls) = inner.downcast_ref::<rustls::Error>() {
            return is_of_the_peer(tls).then_some(Outage::Tls);
        }
        if let Some(system) = inner.downcast_ref::<io::Error>() {
            return of_system(system);
        }
    }
    if error.kind() == io::ErrorKind::UnexpectedEof {
        return Some(Outage::Tls);
    }
    Outage::of(error)
}

/// Whether a handshake failed by what the other end said, not by what we lack.
fn is_of_the_peer(error: &rustls::Error) -> bool {
    use rustls::Error;
    matches!(
        error,
        Error::InappropriateMessage { .. }
            | Error::InappropriateHandshakeMessage { .. }
            | Error::InvalidMessage(_)
            | Error::NoCertificatesPresented
            | Error::UnsupportedNameType
            | Error::DecryptError
            | Error::PeerIncompatible(_)
            | Error::PeerMisbehaved(_)
            | Error::AlertReceived(_)
            | Error::InvalidCertificate(_)
            | Error::NoApplicationProtocol
            | Error::PeerSentOversizedRecord
    )
}

/// An outage stands only where this process itself had the time to hear an answer (rules A5).
pub(super) async fn stands(outage: Option<Outage>, pulse: &Pulse, since: Mark) -> Option<Outage> {
    match outage {
        Some(outage) if pulse.was_steady(since).await => Some(outage),
        Some(_) | None => None,
    }
}

/// So many requests at once, and so many that wait for their turn (rules G1).
pub(super) struct Queue {
    in_flight: Semaphore,
    waiting: Semaphore,
    within: Duration,
}

/// Our own limit, which is never an outage (rules A5).
#[derive(Debug, thiserror::Error)]
#[error("too many push requests wait at once")]
pub(super) struct Full;

impl Queue {
    /// `in_flight` at once; who waits, waits no longer than `within`.
    pub(super) fn new(in_flight: usize, within: Duration) -> Self {
        Self { in_flight: Semaphore::new(in_flight), waiting: Semaphore::new(WAITING_MAX), within }
    }

    /// Every place in the queue, for tests that find it full.
    #[cfg(test)]
    pub(super) fn fill_waiting(&self) -> SemaphorePermit<'_> {
        self.waiting.try_acquire_many(u32::try_from(WAITING_MAX).unwrap()).unwrap()
    }

    /// A place for one request, until it is dropped.
    pub(super) async fn permit(&self) -> Result<SemaphorePermit<'_>, Full> {
        if let Ok(permit) = self.in_flight.try_acquire() {
            return Ok(permit);
        }
        let _waiting = self.waiting.try_acquire().map_err(|_| Full)?;
        match tokio::time::timeout(self.within, self.in_flight.acquire()).await {
            Ok(Ok(permit)) => Ok(permit),
            Ok(Err(_)) | Err(_) => Err(Full),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_handshake_that_fails_at_the_other_end_is_an_outage_and_one_that_fails_for_what_we_lack_is_none() {
        let wrapped = |tls: rustls::Error| of_system(&io::Error::new(io::ErrorKind::InvalidData, tls));
        let expired = rustls::Error::InvalidCertificate(rustls::CertificateError::Expired);
        assert_eq!(wrapped(expired), Some(Outage::Tls));
        let signature = rustls::Error::InvalidCertificate(rustls::CertificateError::BadSignature);
        let twice = io::Error::other(io::Error::new(io::ErrorKind::InvalidData, signature));
        assert_eq!(of_system(&twice), Some(Outage::Tls));
        assert_eq!(wrapped(rustls::Error::FailedToGetRandomBytes), None);
        assert_eq!(wrapped(rustls::Error::General("no memory".into())), None);
        assert_eq!(of_system(&io::ErrorKind::UnexpectedEof.into()), Some(Outage::Tls));
        assert_eq!(of_system(&io::Error::from_raw_os_error(nix::libc::EMFILE)), None);
    }
}
