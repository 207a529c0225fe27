//! The doors of the portal and of the admin pages: a bound socket, a certificate that is looked after, an accept loop.
//!
//! Certificate files are looked at every ten seconds and when the process is told to read its configuration again; a broken
//! one keeps the old one in force and says so. Opening fails where the socket or the first certificate can't be had, so
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
use crate::config::{PagesConfig, TlsSource};
use crate::engine::Clock;
use crate::telemetry::{CertificateRefused, CertificateTaken, PagesOpened, Telemetry};
use crate::web::{self, CertificateFiles, CertificateTrouble, Certificates, Chain, Door, DoorLimits};

/// Certificate files are looked at so often.
const LOOK_EVERY: Duration = Duration::from_secs(10);

/// What a door is opened with.
pub(super) struct Threshold<'a> {
    /// `portal` or `admin`.
    pub(super) name: &'static str,
    pub(super) config: &'a PagesConfig,
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
        let certificates = self.certificates(&look)?;
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

    fn certificates(&self, look: &Arc<Notify>) -> Result<Option<Certificates>, StartError> {
        match &self.config.tls {
            TlsSource::None => Ok(None),
            TlsSource::Files { certificate, key } => self.from_files(certificate, key, look).map(Some),
            TlsSource::Acme => Ok(Some(Certificates::new())),
        }
    }

    fn from_files(&self, certificate: &Path, key: &Path, look: &Arc<Notify>) -> Result<Certificates, StartError> {
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
