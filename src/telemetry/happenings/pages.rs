//! What happens at the doors of the pages: connections that are turned away, certificates that are taken or refused.
//!
//! A stranger's connection is counted and never named; a certificate's line says until when it is good and, if it was
//! refused, that the one in force stays and what to do.

use std::fmt::Display;

use login::Wall;

use super::{SENTENCE, and_more};
use crate::telemetry::{Happening, MetricName, Telemetry, sealed};

/// Why a connection to pages was closed before a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PageRefusal {
    /// Its address has as many as one may have.
    Crowded,
    /// Its handshake failed, or there is no certificate yet.
    Handshake,
    /// Its handshake took too long.
    Slow,
}

impl PageRefusal {
    /// Every reason.
    pub const ALL: [Self; 3] = [Self::Crowded, Self::Handshake, Self::Slow];

    /// The word in metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Crowded => "crowded",
            Self::Handshake => "handshake",
            Self::Slow => "slow",
        }
    }
}

/// A connection to pages was closed before a request.
#[derive(Debug)]
pub struct PageRefused {
    /// Which pages.
    pub pages: &'static str,
    /// Why.
    pub why: PageRefusal,
}

impl sealed::Sealed for PageRefused {}
impl Happening for PageRefused {
    fn tell(self, telemetry: &Telemetry) {
        let labels = [("pages", self.pages), ("reason", self.why.as_str())];
        telemetry.registrar().counter(MetricName::PageRefusals, &labels).increment(1);
    }
}

/// What a sign-in came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SignInResult {
    /// The password is right; a factor is owed.
    Password,
    /// Name or password are not, or the account may not.
    Refused,
    /// The factor is right: somebody is in.
    Proved,
    /// The code is not, or codes are off.
    WrongCode,
    /// The primary or the store could not be asked.
    Unavailable,
}

impl SignInResult {
    /// Every result.
    pub const ALL: [Self; 5] = [Self::Password, Self::Refused, Self::Proved, Self::WrongCode, Self::Unavailable];

    /// The word in metrics and logs.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Password => "password",
            Self::Refused => "refused",
            Self::Proved => "proved",
            Self::WrongCode => "wrong_code",
            Self::Unavailable => "unavailable",
        }
    }
}

/// A password or a factor was tried at a sign-in. A refused one's name is not told: people type passwords there (rules F2).
#[derive(Debug)]
pub struct SignInTried<'a> {
    /// Which pages.
    pub pages: &'static str,
    /// What it came to.
    pub result: SignInResult,
    /// From where.
    pub from: std::net::IpAddr,
    /// Who, if the password was right.
    pub user: Option<&'a str>,
}

impl sealed::Sealed for SignInTried<'_> {}
impl Happening for SignInTried<'_> {
    fn tell(self, telemetry: &Telemetry) {
        let (pages, result, from) = (self.pages, self.result.as_str(), self.from.to_string());
        telemetry.registrar().counter(MetricName::SignIns, &[("pages", pages), ("result", result)]).increment(1);
        let user = wire::log_safe(self.user.unwrap_or("somebody").as_bytes());
        match self.result {
            SignInResult::Password => tracing::debug!(pages, from, user, result, "a sign-in's password is right"),
            SignInResult::Proved => {
                tracing::info!(target: SENTENCE, pages, from, user, result, "{pages}: {user} signs in from {from}")
            }
            SignInResult::Refused | SignInResult::WrongCode => {
                let Some(more) = telemetry.gate("sign-in", &from).admit(telemetry.now()) else { return };
                let more = and_more(more);
                tracing::info!(target: SENTENCE, pages, from, user, result, "{pages}: a sign-in of {user} from {from} is refused ({result}){more}");
            }
            SignInResult::Unavailable => tracing::debug!(pages, from, user, result, "a sign-in could not be looked at"),
        }
    }
}

/// Pages are served.
#[derive(Debug)]
pub struct PagesOpened<'a> {
    /// Which pages.
    pub pages: &'static str,
    /// Where.
    pub at: std::net::SocketAddr,
    /// As browsers know them.
    pub url: &'a str,
}

impl sealed::Sealed for PagesOpened<'_> {}
impl Happening for PagesOpened<'_> {
    fn tell(self, _: &Telemetry) {
        let (pages, at, url) = (self.pages, self.at.to_string(), self.url);
        tracing::info!(target: SENTENCE, pages, at, url, "{pages}: {url} is served on {at}");
    }
}

/// A certificate is in force.
#[derive(Debug)]
pub struct CertificateTaken<'a> {
    /// Which pages.
    pub pages: &'static str,
    /// Its names.
    pub names: &'a str,
    /// Until when it is valid.
    pub until: Wall,
    /// Until when, in words.
    pub until_day: &'a str,
    /// The host that pages are served under, if the certificate is not for it.
    pub not_for: Option<&'a str>,
}

impl sealed::Sealed for CertificateTaken<'_> {}
impl Happening for CertificateTaken<'_> {
    #[expect(clippy::cast_precision_loss, reason = "seconds since 1970 fit a double for longer than certificates last")]
    fn tell(self, telemetry: &Telemetry) {
        let ends = telemetry.registrar().gauge(MetricName::CertificateEnds, &[("pages", self.pages)]);
        ends.set((self.until.0 / 1000) as f64);
        let (pages, names, until) = (self.pages, self.names, self.until_day);
        match self.not_for {
            None => {
                tracing::info!(target: SENTENCE, pages, names, until, "{pages}: the certificate for {names} is in force, until {until}")
            }
            Some(host) => tracing::warn!(
                target: SENTENCE, pages, names, until, host,
                "{pages}: the certificate in force is for {names} and not for {host}: browsers and phones will refuse it. What to do: put one for {host} there"
            ),
        }
    }
}

/// A certificate was refused, or could not be had; the one in force stays.
pub struct CertificateRefused<'a> {
    /// Which pages.
    pub pages: &'static str,
    /// What was being done.
    pub doing: &'a str,
    /// What went wrong and what to do; never the key.
    pub error: &'a dyn Display,
    /// Until when the one in force is good, in words; `None`: there is none.
    pub in_force_until: Option<&'a str>,
}

impl sealed::Sealed for CertificateRefused<'_> {}
impl Happening for CertificateRefused<'_> {
    fn tell(self, telemetry: &Telemetry) {
        telemetry.service().certificate_troubles.increment(1);
        let Some(more) = telemetry.gate("certificate", self.pages).admit(telemetry.now()) else { return };
        let (pages, doing, more) = (self.pages, self.doing, and_more(more));
        let error = wire::log_safe(self.error.to_string().as_bytes());
        let meanwhile = self.in_force_until.map_or_else(
            || "there is none in force: nobody can reach these pages".to_owned(),
            |until| format!("the one in force stays, until {until}"),
        );
        tracing::error!(target: SENTENCE, pages, doing, error, "{pages}: {doing} failed: {error}; {meanwhile}{more}");
    }
}
