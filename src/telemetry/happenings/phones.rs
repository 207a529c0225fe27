//! What happens at the phones' service: requests that change nothing, and the activation that somebody else has seen.
//!
//! Counted by why, never by whom; a line is written only where a person must do something.

use super::{SENTENCE, and_more};
use crate::telemetry::{Happening, MetricName, Telemetry, sealed};

/// Why a phone's request changed nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PhoneRefusal {
    /// It can't be read.
    Malformed,
    /// Unknown device or code, no key, a bad signature, or a signature for something else.
    Unverified,
    /// Its clock is off.
    Clock,
    /// It was taken before.
    Repeated,
    /// Its sender sent too many.
    TooMany,
    /// A second key for one activation (rules F3).
    SecondKey,
    /// A wrong PIN.
    Pin,
    /// The store, or we, can't.
    Unavailable,
}

impl PhoneRefusal {
    /// Every reason.
    pub const ALL: [Self; 8] = [
        Self::Malformed,
        Self::Unverified,
        Self::Clock,
        Self::Repeated,
        Self::TooMany,
        Self::SecondKey,
        Self::Pin,
        Self::Unavailable,
    ];

    /// The word in metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Malformed => "malformed",
            Self::Unverified => "unverified",
            Self::Clock => "clock",
            Self::Repeated => "repeated",
            Self::TooMany => "too_many",
            Self::SecondKey => "second_key",
            Self::Pin => "pin",
            Self::Unavailable => "unavailable",
        }
    }
}

/// A phone's request changed nothing.
#[derive(Debug)]
pub struct PhoneRefused {
    /// `page` or `store_app`.
    pub phone: &'static str,
    /// Why.
    pub why: PhoneRefusal,
}

impl sealed::Sealed for PhoneRefused {}
impl Happening for PhoneRefused {
    fn tell(self, telemetry: &Telemetry) {
        let labels = [("pages", self.phone), ("reason", self.why.as_str())];
        telemetry.registrar().counter(MetricName::PhoneRefusals, &labels).increment(1);
    }
}

/// Something of a phone is not as it must be; who has it should look.
#[derive(Debug)]
pub struct PhonePuzzles<'a> {
    /// `page` or `store_app`.
    pub phone: &'static str,
    /// What, as a sentence without a secret.
    pub what: &'static str,
    /// Why, without a secret.
    pub why: &'a str,
}

impl sealed::Sealed for PhonePuzzles<'_> {}
impl Happening for PhonePuzzles<'_> {
    fn tell(self, telemetry: &Telemetry) {
        let Self { phone, what, why } = self;
        let Some(more) = telemetry.once_a_while("phones' requests that were not done", phone, (what, why)) else {
            return;
        };
        let (why, more) = (wire::log_safe(why.as_bytes()), and_more(more));
        tracing::warn!(target: SENTENCE, phone, why, "{phone}: {what}: {why}{more}");
    }
}

/// A second key came for one activation, so both are void (rules F3).
#[derive(Debug)]
pub struct SecondKeyCame<'a> {
    /// `page` or `store_app`.
    pub phone: &'static str,
    /// Whose activation.
    pub user: &'a str,
    /// Which device it was.
    pub device: &'a str,
}

impl sealed::Sealed for SecondKeyCame<'_> {}
impl Happening for SecondKeyCame<'_> {
    fn tell(self, telemetry: &Telemetry) {
        let (user, device) = (self.user, self.device);
        tracing::warn!(
            target: SENTENCE, user, device,
            "{user}: a second key came for the activation of {device}, so both are void. What to do: somebody else has seen its code; find out who, and activate again in private"
        );
        telemetry.emit(PhoneRefused { phone: self.phone, why: PhoneRefusal::SecondKey });
    }
}

/// A phone said yes when nobody waited for it any more (rules A8).
#[derive(Debug)]
pub struct ApprovedLate<'a> {
    /// Who.
    pub user: &'a str,
    /// Through which appliance the login had come.
    pub client: &'a str,
}

impl sealed::Sealed for ApprovedLate<'_> {}
impl Happening for ApprovedLate<'_> {
    fn tell(self, _: &Telemetry) {
        let (user, client) = (self.user, self.client);
        tracing::warn!(
            target: SENTENCE, user, client,
            "{user}: approved late, {client} had given up already. The same login gets in if it asks again within 10 s. What to do: where that comes often, let the appliance wait longer, and say so in gives_up_after"
        );
    }
}
