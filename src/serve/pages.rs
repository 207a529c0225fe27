//! The doors of the portal and of the admin pages: a bound socket, a certificate that is looked after, an accept loop.
//!
//! Certificate files are looked at every ten seconds and when the process is told to read its configuration again; a broken
//! one keeps the old one in force and says so. Certificates over ACME are renewed after two thirds of their life; a failure
//! is tried again, later each time, while the old one goes on. Opening fails where the socket or the first certificate can't be had, so
//! that nothing is half served.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use tokio::net::TcpListener;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::StartError;
use crate::config::{AcmeConfig, PagesConfig, TlsSource};
use crate::engine::Clock;
use crate::telemetry::{CertificateRefused, CertificateTaken, PagesOpened, Telemetry};
use crate::web::acme::{self, Answers, Shelf, Tokens};
use crate::web::{self, CertificateFiles, CertificateTrouble, Certificates, Chain, Door, DoorLimits};

/// Certificate files are looked at so often.
const LOOK_EVERY: Duration = Duration::from_secs(10);
/// Whether a certificate is to be renewed is asked so often, and no order follows a good one sooner.
const RENEWAL_ASKED_EVERY: Duration = Duration::from_secs(3600);
/// The first pause after a failed order; it doubles. Authorities count failures by the hour.
const ORDER_PAUSE: Duration = Duration::from_secs(60);
const ORDER_PAUSE_MAX: Duration = Duration::from_secs(6 * 3600);

/// What a door is opened with.
pub(super) struct Threshold<'a> {
    /// `portal` or `admin`.
    pub(super) name: &'static str,
    pub(super) config: &'a PagesConfig,
    /// Where ACME's keys and certificates lie.
    pub(super) shelf: Shelf,
    pub(super) limits: DoorLimits,
    pub(super) telemetry: Telemetry,
    pub(super) clock: Clock,
    pub(super) tasks: TaskTracker,
    pub(super) stop: CancellationToken,
}

/// A door that is open.
#[derive(Debug)]
pub(super) struct OpenDoor {
    at: SocketAddr,
    look: Arc<Notify>,
}

impl OpenDoor {
    /// Where it is.
    pub(super) fn at(&self) -> SocketAddr {
        self.at
    }

    /// Looks after the certificate now: somebody says that it changed.
    pub(super) fn look_now(&self) {
        self.look.notify_one();
    }
}

impl Threshold<'_> {
    /// Binds the socket, takes the certificate, serves.
    pub(super) async fn open(self, pages: Router) -> Result<OpenDoor, StartError> {
        let (name, address) = (self.name, self.config.listen);
        let bound = TcpListener::bind(address).await;
        let listener = bound.map_err(|why| StartError::Pages { name, address, why })?;
        let at = listener.local_addr().unwrap_or(address);
        let look = Arc::new(Notify::new());
        let certificates = self.certificates(&look).await?;
        let door = Door {
            name,
            certificates,
            trusted_proxies: self.config.trusted_proxies.clone().into(),
            limits: self.limits,
        };
        let pages = web::guarded(pages, &self.config.url);
        self.tasks.spawn(web::serve(listener, pages, door, self.telemetry.clone(), self.stop.clone()));
        self.telemetry.emit(PagesOpened { pages: name, at, url: self.config.url.as_str() });
        Ok(OpenDoor { at, look })
    }

    async fn certificates(&self, look: &Arc<Notify>) -> Result<Option<Certificates>, StartError> {
        match &self.config.tls {
            TlsSource::None => Ok(None),
            TlsSource::Files { certificate, key } => self.in_files(certificate, key, look).map(Some),
            TlsSource::Acme => self.over_acme(look).await.map(Some),
        }
    }

    fn in_files(&self, certificate: &Path, key: &Path, look: &Arc<Notify>) -> Result<Certificates, StartError> {
        let mut files = CertificateFiles::new(certificate, key);
        let keeper = self.keeper(Certificates::new());
        let refused = |trouble: CertificateTrouble| StartError::Certificate { name: self.name, trouble };
        let chain = files.look().unwrap_or_else(|| files.read()).map_err(refused)?;
        keeper.take(chain).map_err(refused)?;
        let (certificates, look, stop) = (keeper.certificates.clone(), Arc::clone(look), self.stop.clone());
        self.tasks.spawn(async move {
            loop {
                tokio::select! {
                    () = keeper.clock.wait(LOOK_EVERY) => {}
                    () = look.notified() => {}
                    () = stop.cancelled() => return,
                }
                if let Some(read) = files.look()
                    && let Err(trouble) = read.and_then(|chain| keeper.take(chain))
                {
                    keeper.refused("reading the certificate", &trouble);
                }
            }
        });
        Ok(certificates)
    }

    /// What is on the shelf at once; what is missing or of age is ordered while pages are served.
    async fn over_acme(&self, look: &Arc<Notify>) -> Result<Certificates, StartError> {
        let keeper = self.keeper(Certificates::new());
        let certificates = keeper.certificates.clone();
        if let Some(kept) = self.shelf.chain(self.config.url.host())
            && let Err(trouble) = kept.and_then(|chain| keeper.take(chain))
        {
            keeper.refused("reading the certificate that was kept", &trouble);
        }
        let answers = match self.config.acme.http_listen {
            None => Answers::Alpn(certificates.clone()),
            Some(address) => Answers::Http(self.responder(address).await?),
        };
        let ordering = Ordering {
            keeper,
            config: self.config.acme.clone(),
            shelf: self.shelf.clone(),
            answers,
            look: Arc::clone(look),
        };
        self.tasks.spawn(ordering.keep_renewed(self.stop.clone()));
        Ok(certificates)
    }

    /// The pages of port 80.
    async fn responder(&self, address: SocketAddr) -> Result<Tokens, StartError> {
        let bound = TcpListener::bind(address).await;
        let listener = bound.map_err(|why| StartError::Pages { name: self.name, address, why })?;
        let tokens = Tokens::default();
        let door =
            Door { name: "acme", certificates: None, trusted_proxies: Arc::default(), limits: DoorLimits::INSIDE };
        let pages = web::quick(tokens.responder(&self.config.url));
        self.tasks.spawn(web::serve(listener, pages, door, self.telemetry.clone(), self.stop.clone()));
        Ok(tokens)
    }

    fn keeper(&self, certificates: Certificates) -> Keeper {
        Keeper {
            name: self.name,
            host: self.config.url.host().into(),
            certificates,
            clock: self.clock,
            telemetry: self.telemetry.clone(),
        }
    }
}

/// Puts chains in force and says so.
pub(super) struct Keeper {
    name: &'static str,
    host: Box<str>,
    certificates: Certificates,
    clock: Clock,
    telemetry: Telemetry,
}

impl Keeper {
    fn take(&self, chain: Chain) -> Result<(), CertificateTrouble> {
        let (names, until) = (chain.names.join(", "), chain.not_after);
        let is_for_host = chain.is_for(&self.host);
        self.certificates.take(chain, self.clock.moment().wall)?;
        self.telemetry.emit(CertificateTaken {
            pages: self.name,
            names: &names,
            until,
            until_day: &web::day(until),
            not_for: Some(&*self.host).filter(|_| !is_for_host),
        });
        Ok(())
    }

    fn refused(&self, doing: &str, error: &dyn std::fmt::Display) {
        let until = self.certificates.in_force().map(|chain| web::day(chain.not_after));
        self.telemetry.emit(CertificateRefused { pages: self.name, doing, error, in_force_until: until.as_deref() });
    }
}

/// Orders certificates as they come of age.
struct Ordering {
    keeper: Keeper,
    config: AcmeConfig,
    shelf: Shelf,
    answers: Answers,
    look: Arc<Notify>,
}

impl Ordering {
    async fn keep_renewed(self, stop: CancellationToken) {
        let mut failures = 0;
        loop {
            let wait = match self.is_due() {
                false => RENEWAL_ASKED_EVERY,
                true => match stop.run_until_cancelled(self.order()).await {
                    Some(true) => {
                        failures = 0;
                        RENEWAL_ASKED_EVERY
                    }
                    Some(false) => {
                        failures += 1;
                        pause(failures)
                    }
                    None => return,
                },
            };
            tokio::select! {
                () = self.keeper.clock.wait(wait) => {}
                // Somebody mended what was wrong, perhaps.
                () = self.look.notified() => {}
                () = stop.cancelled() => return,
            }
        }
    }

    fn is_due(&self) -> bool {
        let now = self.keeper.clock.moment().wall;
        self.keeper
            .certificates
            .in_force()
            .is_none_or(|chain| acme::renewal(&chain) <= now || !chain.is_for(&self.keeper.host))
    }

    /// Whether there is a new one.
    async fn order(&self) -> bool {
        let ordered = acme::order(&self.config, &self.keeper.host, &self.shelf, &self.answers).await;
        match ordered.and_then(|chain| Ok(self.keeper.take(chain)?)) {
            Ok(()) => true,
            Err(error) => {
                self.keeper.refused("ordering a certificate", &error);
                false
            }
        }
    }
}

/// After so many failures in a row.
fn pause(failures: u32) -> Duration {
    ORDER_PAUSE.saturating_mul(1 << failures.saturating_sub(1).min(16)).min(ORDER_PAUSE_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    use std::os::unix::fs::PermissionsExt;

    use axum::routing::get;
    use rustls::pki_types::pem::PemObject;
    use rustls::pki_types::{CertificateDer, ServerName};
    use tokio::net::TcpStream;
    use tokio::time::timeout;

    use crate::config::{Config, NoFiles};

    const HOST: &str = "mfa.example.com";
    const GENEROUS: Duration = Duration::from_secs(30);

    /// A new certificate and its key into these files; what clients trust by it.
    fn write(directory: &Path) -> CertificateDer<'static> {
        let key = rcgen::KeyPair::generate().unwrap();
        let certificate = rcgen::CertificateParams::new([HOST.to_owned()]).unwrap().self_signed(&key).unwrap();
        std::fs::write(directory.join("cert.key"), key.serialize_pem()).unwrap();
        std::fs::set_permissions(directory.join("cert.key"), std::fs::Permissions::from_mode(0o600)).unwrap();
        std::fs::write(directory.join("cert.pem"), certificate.pem()).unwrap();
        CertificateDer::from_pem_slice(certificate.pem().as_bytes()).unwrap()
    }

    async fn is_shown(certificate: &CertificateDer<'static>, at: SocketAddr) -> bool {
        let mut roots = rustls::RootCertStore::empty();
        roots.add(certificate.clone()).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let client = rustls::ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
        let client = client.unwrap().with_root_certificates(roots).with_no_client_auth();
        let stream = TcpStream::connect(at).await.unwrap();
        let host = ServerName::try_from(HOST).unwrap();
        let connected = tokio_rustls::TlsConnector::from(Arc::new(client)).connect(host, stream);
        timeout(GENEROUS, connected).await.unwrap().is_ok()
    }

    fn threshold<'a>(config: &'a PagesConfig, telemetry: &Telemetry) -> Threshold<'a> {
        Threshold {
            name: "portal",
            config,
            shelf: Shelf::new("nowhere".into()),
            limits: DoorLimits::OUTSIDE,
            telemetry: telemetry.clone(),
            clock: Clock::begin(),
            tasks: TaskTracker::new(),
            stop: CancellationToken::new(),
        }
    }

    fn config(directory: &Path) -> PagesConfig {
        let at = directory.display();
        let text = format!(
            "[portal]\nurl = \"https://{HOST}\"\ntls = {{ certificate = \"{at}/cert.pem\", key = \"{at}/cert.key\" }}\n"
        );
        let loaded = Config::parse("vestibule.toml", &text, &NoFiles, []).unwrap();
        PagesConfig { listen: "127.0.0.1:0".parse().unwrap(), ..loaded.config.portal.unwrap().pages }
    }

    #[tokio::test]
    async fn files_that_change_are_taken_when_somebody_says_so_and_broken_ones_are_not() {
        let directory = tempfile::tempdir().unwrap();
        let (config, telemetry) = (config(directory.path()), Telemetry::new());
        let first = write(directory.path());
        let routes = Router::new().route("/", get(|| async { "a page" }));
        let door = threshold(&config, &telemetry).open(routes).await.unwrap();
        assert!(is_shown(&first, door.at()).await);

        let second = write(directory.path());
        door.look_now();
        timeout(GENEROUS, async { while !is_shown(&second, door.at()).await {} }).await.unwrap();
        assert!(!is_shown(&first, door.at()).await);

        std::fs::write(directory.path().join("cert.pem"), "half a file").unwrap();
        door.look_now();
        let told = "vestibule_troubles_total{service=\"certificate\"} 1";
        let tells = async {
            while !telemetry.render().contains(told) {
                tokio::task::yield_now().await
            }
        };
        timeout(GENEROUS, tells).await.unwrap();
        assert!(is_shown(&second, door.at()).await, "the old one goes on");
    }

    #[tokio::test]
    async fn a_first_certificate_that_is_broken_keeps_the_door_shut_and_says_why() {
        let directory = tempfile::tempdir().unwrap();
        let config = config(directory.path());
        let refused = threshold(&config, &Telemetry::new()).open(Router::new()).await.unwrap_err();
        let refused = refused.to_string();
        assert!(refused.starts_with("[portal] tls: ") && refused.contains("cert.pem"), "{refused}");
    }

    #[test]
    fn an_order_that_fails_is_tried_again_later_each_time() {
        let pauses = [1, 2, 3, 9, 10, 40].map(|failures| pause(failures).as_secs());
        assert_eq!(pauses, [60, 120, 240, 15_360, 21_600, 21_600]);
    }
}
