//! What is known of one server's health: a pure record of what was heard and what was not.
//!
//! A server that was silent to two transmissions of a request, while nothing else was heard from it, is dead for
//! [`DEAD_FOR`]. A reply that was verified revives it; one that was not says nothing about it.

use std::time::Duration;

use login::Tick;

use crate::primary::observer::ReplyDrop;

/// How long a dead server is left alone.
pub(super) const DEAD_FOR: Duration = Duration::from_secs(30);

/// How many users must meet the same silence before an outage counts as confirmed (rules A5).
const CONFIRMING_USERS: usize = 3;

/// Why a server is taken for dead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Death {
    /// Two transmissions of a request, and no word.
    Silent,
    /// Its host says that nobody listens there.
    Refused,
    /// Its name has no address.
    Unresolved,
}

impl Death {
    /// What logs say.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Silent => "silent to two transmissions of a request",
            Self::Refused => "refused: nobody listens there",
            Self::Unresolved => "its name has no address",
        }
    }
}

/// One server's health.
#[derive(Debug, Default)]
pub(super) struct Health {
    last_heard: Option<Tick>,
    /// Since when it is not well, and how; kept while it is tried again, until it is heard.
    ill: Option<(Tick, Death)>,
    dead_until: Option<Tick>,
    /// Keyed hashes of the users who met the silence.
    silent_to: Vec<u64>,
    /// The last reply that was not believed since the last one that was.
    disbelieved: Option<ReplyDrop>,
    answers_probes: bool,
    probe_unanswered: bool,
}

impl Health {
    /// A verified reply came. Says whether that revives it.
    pub(super) fn heard(&mut self, now: Tick) -> bool {
        let revived = self.ill.is_some();
        *self = Self { last_heard: Some(now), answers_probes: self.answers_probes, ..Self::default() };
        revived
    }

    /// A verified answer to a probe came.
    pub(super) fn heard_probe(&mut self, now: Tick) -> bool {
        self.answers_probes = true;
        self.heard(now)
    }

    /// A reply came that was not believed.
    pub(super) fn disbelieve(&mut self, reason: ReplyDrop) {
        self.disbelieved = Some(reason);
    }

    /// A request that first went out at `first` was transmitted at least twice and not answered. Says whether the server
    /// is to be taken for dead.
    pub(super) fn silent(&mut self, first: Tick, now: Tick, user: u64) -> bool {
        if self.last_heard.is_some_and(|heard| heard >= first) {
            return false;
        }
        self.suffer(user);
        self.die(Death::Silent, now);
        true
    }

    /// It is dead from now on. Says whether it was well before.
    pub(super) fn die(&mut self, death: Death, now: Tick) -> bool {
        let was_well = self.ill.is_none();
        let since = self.ill.map_or(now, |(since, _)| since);
        self.ill = Some((since, death));
        self.dead_until = Some(now.plus(DEAD_FOR));
        was_well
    }

    /// This user's request met it dead.
    pub(super) fn suffer(&mut self, user: u64) {
        if self.silent_to.len() < CONFIRMING_USERS && !self.silent_to.contains(&user) {
            self.silent_to.push(user);
        }
    }

    /// A probe was not answered. That means something only of a server that ever answered one: many never do.
    pub(super) fn probe_unanswered(&mut self, now: Tick) {
        if self.answers_probes && self.dead_until.is_some() {
            self.probe_unanswered = true;
            self.dead_until = Some(now.plus(DEAD_FOR));
        }
    }

    /// It is reached another way from now on: worth trying, and not yet well.
    pub(super) fn moved(&mut self) {
        self.dead_until = None;
    }

    /// Whether requests go to it.
    pub(super) fn is_alive(&self, now: Tick) -> bool {
        self.dead_until.is_none_or(|until| until <= now)
    }

    /// The outage is more than one user's bad luck (rules A5).
    pub(super) fn is_confirmed(&self) -> bool {
        // A look-up that fails is no outage of anybody (rules A5).
        let is_outage = self.ill.is_some_and(|(_, death)| death != Death::Unresolved);
        is_outage && (self.probe_unanswered || self.silent_to.len() >= CONFIRMING_USERS)
    }

    /// Since when it is not well, and how.
    pub(super) fn ill(&self) -> Option<(Tick, Death)> {
        self.ill
    }

    /// The last reply that was not believed since the last one that was.
    pub(super) fn disbelieved(&self) -> Option<ReplyDrop> {
        self.disbelieved
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn silence_to_one_request_is_no_death_while_others_are_answered() {
        let mut health = Health::default();
        health.heard(Tick(5_000));
        assert!(!health.silent(Tick(0), Tick(6_000), 1));
        assert!(health.is_alive(Tick(6_000)));
        assert!(health.silent(Tick(5_001), Tick(11_000), 1));
        assert!(!health.is_alive(Tick(40_999)));
        assert!(health.is_alive(Tick(41_000)));
    }

    #[test]
    fn a_verified_reply_revives_and_a_forged_one_does_not() {
        let mut health = Health::default();
        health.die(Death::Refused, Tick(0));
        health.disbelieve(ReplyDrop::BadAuthenticator);
        assert!(!health.is_alive(Tick(1)));
        assert!(health.heard(Tick(2)));
        assert!(health.is_alive(Tick(2)) && health.disbelieved().is_none());
        assert!(!health.heard(Tick(3)));
    }

    #[test]
    fn an_outage_is_confirmed_by_several_users_and_not_by_one_who_tries_again() {
        let mut health = Health::default();
        for _ in 0..5 {
            health.silent(Tick(0), Tick(6_000), 7);
        }
        assert!(!health.is_confirmed());
        health.silent(Tick(0), Tick(6_000), 8);
        health.silent(Tick(0), Tick(6_000), 9);
        assert!(health.is_confirmed());
        health.heard(Tick(7_000));
        assert!(!health.is_confirmed());
    }

    #[test]
    fn a_name_without_an_address_is_no_outage_however_many_meet_it() {
        let mut health = Health::default();
        health.die(Death::Unresolved, Tick(0));
        (0..10).for_each(|user| health.suffer(user));
        assert!(!health.is_confirmed());
    }

    #[test]
    fn an_unanswered_probe_confirms_only_where_probes_were_ever_answered() {
        let mut health = Health::default();
        health.die(Death::Silent, Tick(0));
        health.probe_unanswered(Tick(10));
        assert!(!health.is_confirmed());
        health.heard_probe(Tick(20));
        health.die(Death::Silent, Tick(30));
        health.probe_unanswered(Tick(40));
        assert!(health.is_confirmed());
        assert!(!health.is_alive(Tick(30_039)));
    }

    #[test]
    fn the_illness_keeps_its_beginning() {
        let mut health = Health::default();
        health.die(Death::Silent, Tick(10));
        health.die(Death::Refused, Tick(50_000));
        assert_eq!(health.ill(), Some((Tick(10), Death::Refused)));
    }
}
