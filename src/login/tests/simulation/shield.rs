//! The primary is asked under the windows of D7, as the engine does it; what it was asked stands in the reference's ledger.

use login::event::{Effect, Event, LoginEvent};
use login::shield::{Counted, Taken};
use login::{HeldBack, LoginKey, PrimaryAnswer, ProofKey, ResolvedUser, Station, UserFacts};

use crate::reference::Tried;
use crate::world::{Happening, World};

/// Whoever finds as many tries under way as may fail asks again so soon.
const AGAIN_MS: u64 = 20;

impl World {
    fn shield_key(&self) -> ProofKey {
        ProofKey::new([9; 32])
    }

    /// A place for one try; `None`: it waits, or it was told that it is held back.
    pub(crate) fn place(&mut self, key: LoginKey, effect: &Effect) -> Option<(usize, Counted)> {
        let Effect::AskPrimary { login, question, claimed, station, password, may_ring, by_owner, .. } = effect else {
            return None;
        };
        let facts = self.facts_of(claimed, station.as_ref());
        let known_at = station_of(station.as_ref(), &facts);
        let name = Counted::name(&self.shield_key(), claimed);
        let who = match station.as_ref().filter(|_| known_at.is_some()) {
            Some(station) => Counted::at_station(&self.shield_key(), claimed, station),
            None => name,
        };
        if *by_owner {
            let check = crate::invariants::asks_by_owner(self, claimed);
            self.expect(check);
            self.engine.shield.said_yes(name);
        }
        // What the owner vouched for is looked at whatever the window says.
        let most = if *by_owner { u32::MAX } else { self.store.limits.shield };
        match self.engine.shield.take(who, facts.shield_lifts, most, self.now) {
            Taken::Place => {
                let (epoch, lifts) = (self.epoch, facts.shield_lifts);
                let tried = Tried { epoch, aloud: aloud(claimed), known_at, lifts, answered: None };
                if !by_owner {
                    let check = crate::invariants::asks_primary(self, &tried);
                    self.expect(check);
                }
                self.reference.tried.push(tried);
                Some((self.reference.tried.len() - 1, who))
            }
            Taken::Wait => {
                let (epoch, effect) = (self.epoch, Box::new(effect.clone()));
                self.later(AGAIN_MS, Happening::Perform { epoch, key, effect, tries: 0 });
                None
            }
            Taken::Held(_) => {
                let check = crate::invariants::holds_back(self, claimed, known_at.as_deref(), facts.shield_lifts);
                self.expect(check);
                let rings = *may_ring && self.engine.shield.may_ring(name, &self.store.limits, self.now);
                let password = rings.then(|| password.clone());
                let held = PrimaryAnswer::HeldBack(HeldBack { is_address: false, why: "held back".into(), password });
                let (epoch, event) = (self.epoch, Event::Login(*login, LoginEvent::Primary(*question, held)));
                self.later(1, Happening::Deliver { epoch, key, event: Box::new(event), genuine: true });
                None
            }
        }
    }

    /// The primary's answer is on its way: what it comes to counts before anybody is told.
    pub(crate) fn answers_try(&mut self, (tried, who): (usize, Counted), after: u64, is_wrong: bool) {
        let at = login::Tick(self.now.0 + after);
        self.reference.tried[tried].answered = Some((at, is_wrong));
        let epoch = self.epoch;
        self.later(after, Happening::Tried { epoch, tried, who });
    }

    pub(crate) fn settle_try(&mut self, tried: usize, who: Counted) {
        let Tried { lifts, answered, .. } = self.reference.tried[tried].clone();
        let (most, now) = (self.store.limits.shield, self.now);
        if let Some((_, true)) = answered {
            self.engine.shield.failed(who, lifts, most, now);
        }
        self.engine.shield.give_back(who);
    }

    fn facts_of(&self, user: &ResolvedUser, station: Option<&Station>) -> UserFacts {
        let station = station.map(|station| String::from_utf8_lossy(station.octets()).into_owned());
        self.store.facts(user.as_str(), station.as_deref(), "", self.wall())
    }
}

fn station_of(station: Option<&Station>, facts: &UserFacts) -> Option<String> {
    let station = station.filter(|_| facts.station_known || facts.station_let_in)?;
    Some(String::from_utf8_lossy(station.octets()).into_owned())
}

/// The name without capitals and marks: what a look-alike shares with whom it looks like.
pub(crate) fn aloud(user: &ResolvedUser) -> String {
    user.as_str().to_lowercase().replace('á', "a").replace('ö', "o")
}
