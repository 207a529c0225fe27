//! Who sits at a browser: password by the primary, then a factor, then a session that only its cookie opens.
//!
//! Portal and staff's pages share this room, each with its own realm: a session of one never serves for the other. What it
//! guarantees: a name that nobody has, a wrong password, a blocked account and a bad form of a name look and take alike
//! (rules D6); a code is guessed under the very limits of RADIUS, with the browser's address as its station (D1); a session
//! gets a new id at each step up in trust, and ends when it is idle, old, or closed elsewhere; no form counts that another site
//! sent. What it never does: keep a password, let a first enrolment begin without its trust anchor (F3), or read the clock but
//! through the engine's.
//!
//! Read in this order: `session` (the cookie and what it stands for), `forms` (whose form it is), `sends` (whether it was sent already), `throttle` and `places`, then the doors:
//! `password`, `factor`, `ring`, `anchor`; `pages` has the forms that both realms show, `notes` what is written and mailed.

mod anchor;
mod factor;
mod forms;
mod notes;
mod pages;
mod password;
mod places;
mod ring;
mod sends;
mod session;
mod throttle;

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use login::limits::Limits;
use login::{Moment, PrimaryName, ResolvedUser, Station};
use rand::TryRng;
use rand::rngs::SysRng;

use crate::config::{Config, PagesConfig, PortalConfig};
use crate::engine::{Clock, Engine};
use crate::store::{Store, StoreError, WebRealm};
use crate::telemetry::{PageDenial, PageDenied, PageUnanswered, SignInResult, SignInTried, Telemetry};

pub use anchor::{Anchored, FirstWays};
pub use factor::CodeTried;
pub use forms::Forged;
pub use notes::Deed;
pub use pages::{
    Asked, Desk, Fields, Problem, Shown, cleared, guarded, local_path, once, prompt_of, routes, sent_on, word_of,
};
pub use password::{OldPassword, PasswordTried};
pub use ring::{Rang, RingStands, Runs};
pub use session::{Cookie, Signed, Turning, Visit, handle_of};

use throttle::Throttle;

/// Staff's pages have no times of their own in the policy.
pub const STAFF_IDLE: Duration = Duration::from_secs(15 * 60);
const STAFF_LASTS: Duration = Duration::from_secs(8 * 60 * 60);
/// A method is changed only so long after a factor was proved; later it is asked for again.
const FACTORED_FOR: Duration = Duration::from_secs(10 * 60);

/// The configuration in force, read anew for each request.
pub type ConfigHandle = Arc<dyn Fn() -> Arc<Config> + Send + Sync>;

/// What a [`SignIn`] is made of.
#[derive(Clone)]
pub struct SignInParts {
    /// What lasts.
    pub store: Arc<dyn Store>,
    /// Primaries, and prompts for phones.
    pub engine: Engine,
    /// The configuration in force.
    pub config: ConfigHandle,
    /// The house's clock.
    pub clock: Clock,
    /// Counts and tells.
    pub telemetry: Telemetry,
}

/// The doors of the pages. Clones are one: they share what they count.
#[derive(Clone)]
pub struct SignIn(Arc<Inner>);

struct Inner {
    parts: SignInParts,
    csrf: [u8; 32],
    seeds: [u8; 32],
    names: Throttle,
    /// Tries of an address or a /56, and of a /48: wrong, malformed, or not looked at for want of a place.
    houses: Throttle,
    sites: Throttle,
    pairs: Throttle,
    rings: ring::Rings,
    places: places::Places,
    sends: sends::Sends,
}

/// Nothing can be said now; nothing was changed. For the log there is `why`; a reader is told to try again.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{why}")]
pub struct Away {
    /// What failed, without a secret.
    pub why: Arc<str>,
}

impl Away {
    /// With these words for the log.
    #[must_use]
    pub fn of(why: &str) -> Self {
        Self { why: why.into() }
    }
}

impl From<StoreError> for Away {
    fn from(error: StoreError) -> Self {
        Self { why: error.to_string().into() }
    }
}

impl SignIn {
    /// The doors over these parts, with nothing counted yet.
    #[must_use]
    pub fn new(parts: SignInParts) -> Self {
        let key = |purpose| parts.store.site_key(purpose);
        Self(Arc::new(Inner {
            csrf: key("csrf"),
            seeds: key("seeds of pages"),
            names: Throttle::new(20, Duration::from_secs(180)),
            houses: Throttle::new(30, Duration::from_secs(20)),
            sites: Throttle::new(120, Duration::from_secs(5)),
            pairs: Throttle::new(5, Duration::from_secs(60)),
            rings: ring::Rings::default(),
            places: places::Places::default(),
            sends: sends::Sends::default(),
            parts,
        }))
    }

    /// What lasts.
    #[must_use]
    pub fn store(&self) -> &Arc<dyn Store> {
        &self.0.parts.store
    }

    /// The configuration in force.
    #[must_use]
    pub fn config(&self) -> Arc<Config> {
        (self.0.parts.config)()
    }

    /// Now, on both clocks.
    #[must_use]
    pub fn moment(&self) -> Moment {
        self.0.parts.clock.moment()
    }

    /// Whether a user may do once more what costs much, such as beginning a phone: five times at once, then once a minute.
    #[must_use]
    pub fn may_again(&self, what: &'static str, user: &ResolvedUser) -> bool {
        self.0.pairs.take((what, user), self.moment().tick)
    }

    fn tell(&self, realm: WebRealm, result: SignInResult, from: IpAddr, user: Option<&ResolvedUser>) {
        self.tell_as(realm, result, from, user.map(ResolvedUser::as_str));
    }

    fn tell_as(&self, realm: WebRealm, result: SignInResult, from: IpAddr, user: Option<&str>) {
        self.0.parts.telemetry.emit(SignInTried { pages: session::word(realm), result, from, user });
    }

    /// Counts and tells a request that was answered 403. Who it was is read from its cookie, which is no proof of a will.
    pub async fn tell_denied(&self, realm: WebRealm, why: PageDenial, path: &str, asked: &Asked) {
        let visit = self.visit(realm, &asked.headers).await.ok();
        let signed = visit.as_ref().and_then(|visit| visit.signed.as_ref());
        let user = signed.map(|signed| signed.user.as_str());
        let (pages, from) = (session::word(realm), Some(asked.address).filter(|from| !from.is_unspecified()));
        self.0.parts.telemetry.emit(PageDenied { pages, why, path, from, user });
    }

    /// Tells that a page could not be answered.
    pub fn tell_away(&self, realm: WebRealm, away: &Away) {
        self.0.parts.telemetry.emit(PageUnanswered { pages: session::word(realm), why: &away.why });
    }

    fn sends(&self) -> &sends::Sends {
        &self.0.sends
    }

    fn clock(&self) -> Clock {
        self.0.parts.clock
    }

    fn engine(&self) -> &Engine {
        &self.0.parts.engine
    }

    fn limits(&self) -> Limits {
        self.config().policy.limits.clone()
    }
}

/// What a realm is, as the configuration has it.
struct Realm {
    pages: PagesConfig,
    primary: PrimaryName,
    idle: Duration,
    lasts: Duration,
}

impl Realm {
    fn of(config: &Config, realm: WebRealm) -> Result<Self, Away> {
        let gone = || Away::of("these pages are not configured any more");
        match realm {
            WebRealm::Portal => {
                let PortalConfig { pages, sign_in, session_idle, session_lasts, .. } =
                    config.portal.as_ref().ok_or_else(gone)?;
                let (idle, lasts) = (*session_idle, *session_lasts);
                Ok(Self { pages: pages.clone(), primary: sign_in.clone(), idle, lasts })
            }
            WebRealm::Admin => {
                let admin = config.admin.as_ref().ok_or_else(gone)?;
                let (pages, primary) = (admin.pages.clone(), admin.sign_in.clone());
                Ok(Self { pages, primary, idle: STAFF_IDLE, lasts: STAFF_LASTS })
            }
        }
    }
}

/// Octets of the system's randomness.
fn random<const N: usize>() -> Result<[u8; N], Away> {
    let mut octets = [0; N];
    SysRng.try_fill_bytes(&mut octets).map_err(|_| Away::of("the operating system gives no random numbers"))?;
    Ok(octets)
}

/// The station that an address is for codes and names (rules D1); none where a proxy did not say it: nobody knows that place.
fn station_of(address: IpAddr) -> Option<Station> {
    (!address.is_unspecified()).then(|| Station::new(address.to_string().as_bytes()))
}
