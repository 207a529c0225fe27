//! What happens at the doors of the pages: connections that are turned away, certificates that are taken or refused.
//!
//! A stranger's connection is counted and never named; a certificate's line says until when it is good and, if it was
//! refused, that the one in force stays and what to do.

use std::fmt::Display;

use login::Wall;

use super::{SENTENCE, and_more};
use crate::telemetry::{Happening, MetricName, Telemetry, sealed};

/// Octets of a path that a line shows.
const PATH_OCTETS_MAX: usize = 80;

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
    /// Too many were wrong before: the password was not looked at.
    Throttled,
    /// The factor is right: somebody is in.
    Proved,
    /// The code is not.
    WrongCode,
    /// It is not, but a token that counts presses would show it further on: it was likely used elsewhere.
    CodeAhead,
    /// Codes are off for now: it was not looked at (rules D1).
    CodesOff,
    /// An activation code of a first enrolment is not right.
    WrongActivation,
    /// The primary or the store could not be asked.
    Unavailable,
}

impl SignInResult {
    /// Every result.
    pub const ALL: [Self; 9] = [
        Self::Password,
        Self::Refused,
        Self::Throttled,
        Self::Proved,
        Self::WrongCode,
        Self::CodeAhead,
        Self::CodesOff,
        Self::WrongActivation,
        Self::Unavailable,
    ];

    /// The word in metrics and logs.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Password => "password",
            Self::Refused => "refused",
            Self::Throttled => "throttled",
            Self::Proved => "proved",
            Self::WrongCode => "wrong_code",
            Self::CodeAhead => "code_ahead",
            Self::CodesOff => "codes_off",
            Self::WrongActivation => "wrong_activation",
            Self::Unavailable => "unavailable",
        }
    }
}

/// A password or a factor was tried at a sign-in. A name that the store does not know comes here as its keyed hash, which the
/// audit writes, too: people type passwords there (rules F2).
#[derive(Debug)]
pub struct SignInTried<'a> {
    /// Which pages.
    pub pages: &'static str,
    /// What it came to.
    pub result: SignInResult,
    /// From where.
    pub from: std::net::IpAddr,
    /// Who: a user's name, or the keyed hash of one that is nobody's; `None` for what can be no name.
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
            SignInResult::Refused
            | SignInResult::Throttled
            | SignInResult::WrongCode
            | SignInResult::CodeAhead
            | SignInResult::CodesOff
            | SignInResult::WrongActivation => {
                let Some(more) = telemetry.gate("sign-in", &format!("{from} {result}")).admit(telemetry.now()) else {
                    return;
                };
                let more = and_more(more);
                tracing::info!(target: SENTENCE, pages, from, user, result, "{pages}: a sign-in of {user} from {from} is refused ({result}){more}");
            }
            SignInResult::Unavailable => tracing::debug!(pages, from, user, result, "a sign-in could not be looked at"),
        }
    }
}

/// Why a request to a page was not done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PageDenial {
    /// The form is none of ours that this browser was shown: another site's, or one of a page that is too old.
    Forged,
    /// `users_may` leaves it out.
    SwitchedOff,
    /// Whoever asks is no member of the staff, or not any more.
    NoRole,
    /// The role does not allow it on this user (rules F4).
    AboveRole,
}

impl PageDenial {
    /// Every reason.
    pub const ALL: [Self; 4] = [Self::Forged, Self::SwitchedOff, Self::NoRole, Self::AboveRole];

    /// The word in metrics and logs.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Forged => "forged",
            Self::SwitchedOff => "switched_off",
            Self::NoRole => "no_role",
            Self::AboveRole => "above_role",
        }
    }
}

/// A page answered 403: somebody tried what is not theirs, or something made a browser try it.
#[derive(Debug)]
pub struct PageDenied<'a> {
    /// Which pages.
    pub pages: &'static str,
    /// Why.
    pub why: PageDenial,
    /// Which path, without what was asked of it.
    pub path: &'a str,
    /// From where; `None`: unknown.
    pub from: Option<std::net::IpAddr>,
    /// Who is signed in.
    pub user: Option<&'a str>,
}

impl sealed::Sealed for PageDenied<'_> {}
impl Happening for PageDenied<'_> {
    fn tell(self, telemetry: &Telemetry) {
        let (pages, reason) = (self.pages, self.why.as_str());
        telemetry.registrar().counter(MetricName::PagesDenied, &[("pages", pages), ("reason", reason)]).increment(1);
        let from = self.from.map_or_else(|| "an unknown address".to_owned(), |from| from.to_string());
        let Some(more) = telemetry.gate("page-denied", &format!("{from} {reason}")).admit(telemetry.now()) else {
            return;
        };
        let path = wire::log_safe(&self.path.as_bytes()[..self.path.floor_char_boundary(PATH_OCTETS_MAX)]);
        let user = wire::log_safe(self.user.unwrap_or("somebody").as_bytes());
        let more = and_more(more);
        tracing::warn!(
            target: SENTENCE, pages, from, user, path, reason,
            "{pages}: {user} from {from} is refused {path} ({reason}){more}"
        );
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

/// When the first certificate of a file ends that the policy names: a chain's, or an authority's.
#[derive(Debug)]
pub struct CertificateEnds {
    /// The key of the policy that names it.
    pub key: &'static str,
    /// Until when it is valid.
    pub until: Wall,
}

impl sealed::Sealed for CertificateEnds {}
impl Happening for CertificateEnds {
    #[expect(clippy::cast_precision_loss, reason = "seconds since 1970 fit a double for longer than certificates last")]
    fn tell(self, telemetry: &Telemetry) {
        let ends = telemetry.registrar().gauge(MetricName::CertificateEnds, &[("pages", self.key)]);
        ends.set((self.until.0 / 1000) as f64);
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
