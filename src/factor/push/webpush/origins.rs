//! What is known of each push service: whether it is away, whether it ever took a message, and the token for it. Pure.
//!
//! Endpoints are what phones say, and fail-open must not be provoked by a phone that names a host which is not there (rules
//! A5). So an outage is confirmed only at a push service that an admin named in full or that took a message before; any other
//! is merely left alone while it fails. Bounded: past [`ORIGINS_MAX`] the one that was used longest ago is forgotten.

use std::collections::HashMap;
use std::sync::Arc;

use login::{Moment, ResolvedUser, Tick};
use reqwest::StatusCode;

use super::encrypt::Unsealed;
use super::endpoint::Endpoint;
use super::vapid::{Token, Vapid};
use crate::factor::push::breaker::{Admission, Breaker};

/// Push services that are remembered: browsers have five, and Microsoft's a few dozen hosts.
const ORIGINS_MAX: usize = 256;

/// Every push service that was sent to lately.
#[derive(Default)]
pub(super) struct Origins {
    known: HashMap<Arc<str>, Origin>,
}

#[derive(Default)]
struct Origin {
    breaker: Breaker,
    /// It took a message since we started.
    took: bool,
    token: Option<Token>,
    used: Tick,
}

/// Whether a push may go out, and if not, whether that is a confirmed outage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Gate {
    Open,
    Away { confirmed: bool },
}

/// What a failure means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outage {
    Confirmed,
    /// It may be this phone alone.
    Seen,
    /// A probe of our own should look now.
    Probe,
}

impl Origins {
    /// Whether a push may go out to it now.
    pub(super) fn admit(&mut self, to: &Endpoint, now: Tick) -> Gate {
        let origin = self.of(to, now);
        match origin.breaker.admit(now) {
            Admission::Go => Gate::Open,
            Admission::Away => Gate::Away { confirmed: to.named || origin.took },
        }
    }

    /// A token for it: the one that was made before, while it is good.
    pub(super) fn token(&mut self, to: &Endpoint, vapid: &Vapid, at: Moment) -> Result<Token, Unsealed> {
        let origin = self.of(to, at.tick);
        if let Some(token) = origin.token.as_ref().filter(|token| token.is_good_at(at.wall)) {
            return Ok(token.clone());
        }
        let token = vapid.token(&to.origin, at.wall)?;
        origin.token = Some(token.clone());
        Ok(token)
    }

    /// It refused a message. If it did not like the token, the next one is new.
    pub(super) fn refused(&mut self, to: &Endpoint, status: StatusCode, now: Tick) {
        let origin = self.of(to, now);
        origin.breaker.worked();
        if matches!(status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) {
            origin.token = None;
        }
    }

    /// It took a message.
    pub(super) fn took(&mut self, to: &Endpoint, now: Tick) {
        let origin = self.of(to, now);
        origin.took = true;
        origin.breaker.worked();
    }

    /// It answered something sensible, be it a refusal.
    pub(super) fn worked(&mut self, to: &Endpoint, now: Tick) {
        self.of(to, now).breaker.worked();
    }

    /// A push of this user met an outage.
    pub(super) fn failed(&mut self, to: &Endpoint, user: &ResolvedUser, now: Tick) -> Outage {
        let origin = self.of(to, now);
        let trusted = to.named || origin.took;
        match (origin.breaker.failed(user, now), trusted) {
            (true, true) => Outage::Confirmed,
            (false, true) if origin.breaker.may_probe(now) => Outage::Probe,
            (true | false, _) => Outage::Seen,
        }
    }

    /// The probe met an outage too.
    pub(super) fn probe_failed(&mut self, to: &Endpoint, now: Tick) {
        self.of(to, now).breaker.probe_failed(now);
    }

    fn of(&mut self, to: &Endpoint, now: Tick) -> &mut Origin {
        if !self.known.contains_key(&to.origin) && self.known.len() >= ORIGINS_MAX {
            self.forget_the_oldest();
        }
        let origin = self.known.entry(Arc::clone(&to.origin)).or_default();
        origin.used = origin.used.max(now);
        origin
    }

    fn forget_the_oldest(&mut self) {
        let oldest = self.known.iter().min_by_key(|(_, origin)| origin.used).map(|(name, _)| Arc::clone(name));
        if let Some(oldest) = oldest {
            self.known.remove(&oldest);
        }
    }
}

#[cfg(test)]
mod tests {
    use login::Wall;

    use super::super::endpoint::{HOSTS, Hosts};
    use super::*;

    fn endpoint(host: &str) -> Endpoint {
        Hosts::of(&HOSTS.map(str::to_owned), false).unwrap().endpoint(&format!("https://{host}/x")).unwrap()
    }

    fn user(name: &str) -> ResolvedUser {
        ResolvedUser::new(name)
    }

    fn at(seconds: u64) -> Moment {
        Moment { tick: Tick(seconds * 1000), wall: Wall((1_700_000_000 + seconds) * 1000) }
    }

    #[test]
    fn a_host_that_a_phone_made_up_never_confirms_an_outage() {
        let (mut origins, made_up) = (Origins::default(), endpoint("made-up.push.apple.com"));
        for name in ["a", "b", "c", "d"] {
            assert_eq!(origins.failed(&made_up, &user(name), Tick(0)), Outage::Seen);
        }
        assert_eq!(origins.admit(&made_up, Tick(0)), Gate::Away { confirmed: false }, "but nobody waits for it");
    }

    #[test]
    fn a_push_service_that_an_admin_named_or_that_took_a_message_may_be_away() {
        for (host, took) in [("fcm.googleapis.com", false), ("web.push.apple.com", true)] {
            let (mut origins, service) = (Origins::default(), endpoint(host));
            if took {
                origins.took(&service, Tick(0));
            }
            assert_eq!(origins.failed(&service, &user("a"), Tick(0)), Outage::Probe);
            assert_eq!(origins.failed(&service, &user("b"), Tick(0)), Outage::Seen, "one probe is enough");
            assert_eq!(origins.failed(&service, &user("c"), Tick(0)), Outage::Confirmed);
            assert_eq!(origins.admit(&service, Tick(0)), Gate::Away { confirmed: true });
        }
    }

    #[test]
    fn one_push_service_that_is_away_says_nothing_of_another() {
        let (mut origins, google, apple) =
            (Origins::default(), endpoint("fcm.googleapis.com"), endpoint("web.push.apple.com"));
        for name in ["a", "b", "c"] {
            origins.failed(&google, &user(name), Tick(0));
        }
        assert_eq!(origins.admit(&apple, Tick(0)), Gate::Open);
    }

    #[test]
    fn a_token_is_made_once_for_each_push_service() {
        let vapid = Vapid::derived(&[7; 32], "mailto:it@example.com".to_owned()).unwrap();
        let (mut origins, google, apple) =
            (Origins::default(), endpoint("fcm.googleapis.com"), endpoint("web.push.apple.com"));
        let mut token = |to: &Endpoint, seconds| origins.token(to, &vapid, at(seconds)).unwrap().value().to_owned();
        let first = token(&google, 0);
        assert_eq!(token(&google, 6 * 3600 - 1), first);
        assert_ne!(token(&apple, 0), first);
        assert_ne!(token(&google, 6 * 3600), first);
        let now = token(&google, 6 * 3600);
        origins.refused(&google, StatusCode::BAD_REQUEST, Tick(0));
        assert_eq!(origins.token(&google, &vapid, at(6 * 3600)).unwrap().value(), now);
        origins.refused(&google, StatusCode::FORBIDDEN, Tick(0));
        assert_ne!(origins.token(&google, &vapid, at(6 * 3600)).unwrap().value(), now);
    }

    #[test]
    fn what_is_remembered_is_bounded_and_the_used_stays() {
        let mut origins = Origins::default();
        let busy = endpoint("web.push.apple.com");
        origins.took(&busy, Tick(0));
        for number in 0..1000 {
            origins.worked(&endpoint(&format!("h{number}.notify.windows.com")), Tick(number));
            origins.worked(&busy, Tick(number));
        }
        assert_eq!(origins.known.len(), ORIGINS_MAX);
        assert!(origins.known[&busy.origin].took);
    }
}
