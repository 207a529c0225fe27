//! What strangers' wrong passwords come to (rules D7): names and addresses that are held back.

use login::Wall;
use login::shield::SPREAD_NAMES;

use super::{SENTENCE, and_more};
use crate::telemetry::{Happening, MetricName, Telemetry, sealed};

/// A name that too many wrong passwords came under: the primary is not asked about it for a while.
#[derive(Debug)]
pub struct NameHeld<'a> {
    /// Whose: a user's name, or the keyed hash of one that is nobody's.
    pub user: &'a str,
    /// The store knows the user: staff can release the name.
    pub known: bool,
    /// After how many.
    pub failures: u32,
    /// Until when.
    pub until: Wall,
    /// Nobody is held back; it is only told.
    pub watches: bool,
}

/// An address from which too many names failed.
#[derive(Debug)]
pub struct AddressHeld<'a> {
    /// The /32 or /56.
    pub network: &'a str,
    /// Until when.
    pub until: Wall,
    /// Nobody is held back; it is only told.
    pub watches: bool,
}

const WATCHES: &str = "; shield = \"watch\" in [limits] holds nobody back";

impl sealed::Sealed for NameHeld<'_> {}
impl Happening for NameHeld<'_> {
    fn tell(self, telemetry: &Telemetry) {
        count(telemetry, "name", self.watches);
        let Some(more) = telemetry.gate("name held back", "names").admit(telemetry.now()) else { return };
        let (user, until, more) = (wire::log_safe(self.user.as_bytes()), self.until.rfc3339(), and_more(more));
        let failures = self.failures;
        if self.watches {
            return tracing::warn!(
                target: SENTENCE, user, "{user}: {failures} wrong passwords from unknown stations within half an hour{WATCHES}{more}"
            );
        }
        let mend = if self.known { ". `vestibule user unblock NAME` or the help desk ends it" } else { "" };
        tracing::warn!(
            target: SENTENCE, user, until,
            "{user}: {failures} wrong passwords from unknown stations within half an hour; the primary is not asked for strangers under this \
             name until {until}, so that it locks nobody out{mend}{more}"
        );
    }
}

impl sealed::Sealed for AddressHeld<'_> {}
impl Happening for AddressHeld<'_> {
    fn tell(self, telemetry: &Telemetry) {
        count(telemetry, "address", self.watches);
        let Some(more) = telemetry.gate("address held back", "addresses").admit(telemetry.now()) else { return };
        let (network, until, more) = (self.network, self.until.rfc3339(), and_more(more));
        let held =
            if self.watches { WATCHES.to_owned() } else { format!("; the primary is not asked for it until {until}") };
        tracing::warn!(target: SENTENCE, network, until, "{network}: {SPREAD_NAMES} names failed from there within ten minutes{held}{more}");
    }
}

fn count(telemetry: &Telemetry, what: &'static str, watches: bool) {
    let done = if watches { "told" } else { "held" };
    telemetry.registrar().counter(MetricName::Shield, &[("what", what), ("done", done)]).increment(1);
}
