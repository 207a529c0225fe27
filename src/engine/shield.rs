//! The primary is asked here, and only here: under the windows of rules D7, for appliances and pages alike.
//!
//! What the windows count is pure ([`login::shield`]); this room says whose station is known, waits where as many tries are under
//! way as may fail, and tells what is held back. A question that was begun outlives whoever asked it, so that nobody tries
//! passwords uncounted by hanging up.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use login::limits::Limits;
use login::pace::Rejections;
use login::shield::{Counted, Shield, Taken};
use login::{HeldBack, Origin, PrimaryAnswer, PrimaryName, ProofKey, ResolvedUser, Station, Tick, Unavailable, Wall};
use tokio::sync::Notify;
use tokio::time::timeout;

use super::Engine;
use crate::primary::{Primary, PrimaryRequest};
use crate::telemetry::{AddressHeld, NameHeld};

/// How long a primary may take beyond the deadline of whoever asks before its answer is given up.
const PRIMARY_GRACE: Duration = Duration::from_secs(5);

/// Where a password comes from.
#[derive(Clone, Debug, Default)]
pub struct AskedFrom {
    /// Calling-Station-Id, or the browser's address.
    pub station: Option<Station>,
    /// The same as an address, where it is one and nobody's but the person's own.
    pub address: Option<IpAddr>,
    /// Where the name is held back, its owner may be asked on a phone first.
    pub may_ring: bool,
    /// The owner said yes.
    pub by_owner: bool,
}

/// The windows, and who waits for a place in one.
pub(super) struct Shields {
    key: ProofKey,
    windows: Mutex<Shield>,
    /// How long primaries take to say no (D6).
    rejections: Mutex<Rejections>,
    freed: Notify,
    /// Who a name turned out to be, where the primary's Accept named somebody else (A2): stations and releases are theirs.
    resolved: Mutex<BTreeMap<Counted, ResolvedUser>>,
}

/// Names of which that is remembered; past it all are forgotten, and learned anew.
const RESOLVED_MAX: usize = 10_000;

impl Shields {
    pub(super) fn new() -> Self {
        Self {
            key: ProofKey::new(rand::random()),
            windows: Mutex::default(),
            rejections: Mutex::default(),
            resolved: Mutex::default(),
            freed: Notify::new(),
        }
    }

    fn lock_resolved(&self) -> MutexGuard<'_, BTreeMap<Counted, ResolvedUser>> {
        self.resolved.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The primary said who this name is.
    fn is(&self, claimed: &ResolvedUser, user: &ResolvedUser) {
        let name = Counted::name(&self.key, claimed);
        let mut resolved = self.lock_resolved();
        if user == claimed {
            resolved.remove(&name);
            return;
        }
        if resolved.len() >= RESOLVED_MAX {
            resolved.clear();
        }
        resolved.insert(name, user.clone());
    }

    fn who_is(&self, claimed: &ResolvedUser) -> ResolvedUser {
        let name = Counted::name(&self.key, claimed);
        self.lock_resolved().get(&name).unwrap_or(claimed).clone()
    }

    fn lock_rejections(&self) -> MutexGuard<'_, Rejections> {
        self.rejections.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts are whole after every statement, also when a panic elsewhere poisoned the lock.
    fn lock(&self) -> MutexGuard<'_, Shield> {
        self.windows.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A place in a window; dropped it is given back.
struct Place {
    shields: Arc<Shields>,
    who: Counted,
}

impl Drop for Place {
    fn drop(&mut self) {
        self.shields.lock().give_back(self.who);
        self.shields.freed.notify_waiters();
    }
}

/// What the store says of a name and a station.
#[derive(Default)]
struct Stands {
    /// The store has such a user.
    user_known: bool,
    /// That user was let in from that station lately.
    station_known: bool,
    lifts: u64,
}

impl Engine {
    /// Asks this primary for a page, unless the name or its address is held back (rules D7). The question goes on to its end
    /// whatever becomes of the browser's connection.
    pub async fn ask_for_page(
        &self,
        server: Arc<dyn Primary>,
        request: PrimaryRequest,
        origin: AskedFrom,
    ) -> PrimaryAnswer {
        let engine = self.clone();
        let asked = self.0.tasks.spawn(async move { engine.ask_shielded(&*server, request, &origin).await });
        asked.await.unwrap_or_else(|gone| PrimaryAnswer::Unavailable(Unavailable::seen(gone.to_string())))
    }

    /// How long one of this primary's last rejections took: what is refused otherwise takes as long (rules D6).
    #[must_use]
    pub fn rejection(&self, primary: &PrimaryName, roll: u64) -> Duration {
        self.0.shields.lock_rejections().draw(primary, roll)
    }

    pub(super) async fn ask_shielded(
        &self,
        server: &dyn Primary,
        request: PrimaryRequest,
        origin: &AskedFrom,
    ) -> PrimaryAnswer {
        let claimed = request.claimed.clone();
        let place = match self.place(&claimed, origin, request.deadline).await {
            Ok(place) => place,
            Err(PrimaryAnswer::HeldBack(held)) if !held.is_address && self.owner_may_be_asked(&claimed, origin) => {
                return PrimaryAnswer::HeldBack(HeldBack { password: Some(request.password), ..held });
            }
            Err(answer) => return answer,
        };
        let asked = self.0.clock.tick();
        let limit = request.deadline.since(asked) + PRIMARY_GRACE;
        let late = || Unavailable::seen(format!("the primary {} did not answer in time", server.name()));
        let answer = timeout(limit, server.ask(request)).await.unwrap_or_else(|_| PrimaryAnswer::Unavailable(late()));
        match &answer {
            PrimaryAnswer::Reject { .. } => {
                let took = self.0.clock.tick().since(asked);
                self.0.shields.lock_rejections().note(server.name(), took);
                self.failed(place, &claimed, origin).await;
            }
            PrimaryAnswer::Accept { user, .. } => {
                self.0.shields.is(&claimed, user);
                drop(place);
            }
            PrimaryAnswer::Challenge { .. }
            | PrimaryAnswer::HeldBack(_)
            | PrimaryAnswer::Unavailable(_)
            | PrimaryAnswer::StoreUnavailable(_) => drop(place),
        }
        answer
    }

    /// A place for one try; none is needed where nobody is held back. Whoever finds none waits while others are under way.
    async fn place(
        &self,
        claimed: &ResolvedUser,
        origin: &AskedFrom,
        by: Tick,
    ) -> Result<Option<Place>, PrimaryAnswer> {
        let (shields, limits) = (&self.0.shields, self.limits());
        let name = Counted::name(&shields.key, claimed);
        if origin.by_owner {
            shields.lock().said_yes(name);
            return Ok(None);
        }
        loop {
            let mut freed = pin!(shields.freed.notified());
            freed.as_mut().enable();
            let now = self.0.clock.tick();
            let (is_clean, network) = {
                let windows = shields.lock();
                let held = origin.address.and_then(|address| windows.network_held(Origin::of(address).house, now));
                (windows.is_clean(name), held)
            };
            // Who knows the station is asked only where something is counted.
            let stands =
                if is_clean && network.is_none() { Stands::default() } else { self.stands(claimed, origin).await };
            if let Some(until) = network.filter(|_| !stands.station_known && !limits.shield_watches)
                && !self.is_known_network(origin, &limits).await
            {
                return Err(held_back(true, self.why_address(until)));
            }
            let who = self.counted(name, claimed, origin, &stands);
            let taken = shields.lock().take(who, stands.lifts, limits.shield, now);
            match taken {
                Taken::Place => return Ok(Some(Place { shields: Arc::clone(shields), who })),
                Taken::Wait | Taken::Held(_) if limits.shield_watches => return Ok(None),
                Taken::Held(until) => {
                    return Err(held_back(false, self.why_name(until, limits.shield)));
                }
                // Somebody began under this name since: what the store knows of it matters now.
                Taken::Wait if is_clean => {}
                Taken::Wait => {
                    if timeout(by.since(now), freed).await.is_err() {
                        // The primary is slow, and nobody knows yet what its answers will be (A10).
                        let why = "as many passwords as may be wrong are looked at under this name, and none was answered in time";
                        return Err(PrimaryAnswer::Unavailable(Unavailable::seen(why)));
                    }
                }
            }
        }
    }

    /// Rules D7: "once its owner answers on an enrolled phone". Whether there is one, the login finds out.
    fn owner_may_be_asked(&self, claimed: &ResolvedUser, origin: &AskedFrom) -> bool {
        let (shields, now) = (&self.0.shields, self.0.clock.tick());
        let name = Counted::name(&shields.key, claimed);
        origin.may_ring && shields.lock().may_ring(name, &self.limits(), now)
    }

    /// A known station counts apart: strangers' failures hold it back never, nor its own anybody else (rules D7).
    fn counted(&self, name: Counted, claimed: &ResolvedUser, origin: &AskedFrom, stands: &Stands) -> Counted {
        let mine = origin.station.as_ref().filter(|_| stands.station_known);
        mine.map_or(name, |station| Counted::at_station(&self.0.shields.key, claimed, station))
    }

    /// The primary said no.
    async fn failed(&self, place: Option<Place>, claimed: &ResolvedUser, origin: &AskedFrom) {
        let (shields, limits, stands) = (&self.0.shields, self.limits(), self.stands(claimed, origin).await);
        let name = Counted::name(&shields.key, claimed);
        let (who, at) = (self.counted(name, claimed, origin, &stands), self.0.clock.moment());
        let network = origin.address.map(|address| Origin::of(address).house).filter(|_| !stands.station_known);
        let (held, network_held) = {
            let mut windows = shields.lock();
            // In one breath with giving back, so that nobody else takes the place in between.
            let held = windows.failed(who, stands.lifts, limits.shield, at.tick);
            (held, network.and_then(|network| Some((network, windows.failed_from(network, name, at.tick)?))))
        };
        drop(place);
        if let Some(until) = held {
            self.tell_name_held(claimed, &stands, self.wall_of(until), &limits).await;
        }
        if let Some((network, until)) = network_held
            && !self.is_known_network(origin, &limits).await
        {
            let (network, watches) = (network.to_string(), limits.shield_watches);
            self.0.telemetry.emit(AddressHeld { network: &network, until: self.wall_of(until), watches });
        }
    }

    async fn tell_name_held(&self, claimed: &ResolvedUser, stands: &Stands, until: Wall, limits: &Limits) {
        let claimed = &self.0.shields.who_is(claimed);
        // Rules F2: people type passwords where names belong.
        let shown = if stands.user_known { claimed.to_string() } else { self.0.store.unknown_name(claimed.as_str()) };
        let (failures, watches) = (limits.shield, limits.shield_watches);
        self.0.telemetry.emit(NameHeld { user: &shown, known: stands.user_known, failures, until, watches });
        if stands.user_known
            && !watches
            && let Err(error) = self.0.store.note_shield(claimed, until).await
        {
            self.away("noting that a name is held back", &error);
        }
    }

    async fn stands(&self, claimed: &ResolvedUser, origin: &AskedFrom) -> Stands {
        let (at, limits) = (self.0.clock.moment().wall, self.limits());
        let user = self.0.shields.who_is(claimed);
        match self.0.store.user_facts(&user, origin.station.as_ref(), at, &limits).await {
            Ok(facts) => Stands {
                user_known: facts.known,
                station_known: facts.station_known || facts.station_let_in,
                lifts: facts.shield_lifts,
            },
            Err(error) => {
                self.away("looking whose station it is", &error);
                Stands::default()
            }
        }
    }

    /// Rules D7: an address is never held back from which somebody was let in lately.
    async fn is_known_network(&self, origin: &AskedFrom, limits: &Limits) -> bool {
        let Some(address) = origin.address else { return true };
        let station = Station::new(address.to_string().as_bytes());
        let known_for = u64::try_from(limits.station_known_for.as_millis()).unwrap_or(u64::MAX);
        let since = Wall(self.0.clock.moment().wall.0.saturating_sub(known_for));
        self.0.store.station_known(&station, since).await.unwrap_or(false)
    }

    fn wall_of(&self, tick: Tick) -> Wall {
        let now = self.0.clock.moment();
        now.wall.plus(tick.since(now.tick))
    }

    fn why_name(&self, until: Tick, failures: u32) -> String {
        format!(
            "the primary was not asked: {failures} wrong passwords under this name within half an hour, from stations where its owner was not seen \
             lately; held back until {}. The help desk's \"Lift the limits\" or `vestibule user unblock NAME` ends it at once",
            self.wall_of(until).rfc3339()
        )
    }

    fn why_address(&self, until: Tick) -> String {
        format!(
            "the primary was not asked: {} names failed from this address within ten minutes; held back until {}",
            login::shield::SPREAD_NAMES,
            self.wall_of(until).rfc3339()
        )
    }
}

fn held_back(is_address: bool, why: String) -> PrimaryAnswer {
    PrimaryAnswer::HeldBack(HeldBack { is_address, why: why.into(), password: None })
}
