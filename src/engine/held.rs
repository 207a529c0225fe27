//! One entry of the map: a session and the requests that wait in it, and what hangs on it elsewhere.

use std::sync::Arc;

use login::answer::Answer;
use login::event::Effect;
use login::session::Session;
use login::{AskerId, Attempt, LoginKey, PromptId, Record, StateHash, Tick};

use super::ask::Request;
use crate::primary::Forwarded;
use crate::telemetry::ClientMeters;

/// A session in the map.
pub(super) struct Held {
    /// `None` only while a step runs, or after one panicked.
    pub(super) session: Option<Session>,
    /// Those of its askers that were not answered yet.
    pub(super) requests: Vec<(AskerId, Request)>,
    /// What goes on of the newest request, and until when a primary's answer is of use: the primary may be asked later, when the
    /// store or a phone has said something. Kept while somebody waits.
    pub(super) asked: Option<(Forwarded, Tick)>,
    mark: Mark,
}

/// What hangs on an entry elsewhere: its deadline, its States, its prompt, its share of the bounds.
#[derive(Clone, Default)]
pub(super) struct Mark {
    pub(super) wake: Option<Tick>,
    pub(super) states: Vec<StateHash>,
    pub(super) sames: Vec<LoginKey>,
    pub(super) prompt: Option<PromptId>,
    pub(super) bytes: usize,
    pub(super) waits: bool,
}

/// What is to be done once the entry is free.
pub(super) enum Action {
    /// Answer this request.
    Reply(Box<Request>, Answer),
    /// Never answer this one.
    Supersede(Box<Request>),
    /// Nobody could check it: forget it, so that its next packet tries again.
    Unchecked(Box<Request>),
    /// Ask the primary, with what goes on of the request, and until when the answer is of use.
    AskPrimary {
        effect: Box<Effect>,
        forwarded: Forwarded,
        deadline: Tick,
        meters: Option<ClientMeters>,
        on_reject: Option<Box<dyn FnOnce() + Send + Sync>>,
    },
    /// A login ended; its client's counters go along.
    Ended { effect: Box<Effect>, meters: Option<ClientMeters> },
    /// A refusal whose like is written down already: it is counted.
    Counted { record: Arc<Record>, meters: Option<ClientMeters> },
    /// Anything else.
    Other(Box<Effect>),
}

impl Action {
    /// A record becomes a number; all else stays.
    pub(super) fn only_count(&mut self) {
        if let Self::Ended { effect, meters } = self
            && let Effect::Record(record) = &**effect
        {
            *self = Self::Counted { record: Arc::clone(record), meters: meters.take() };
        }
    }
}

impl Held {
    pub(super) fn of(attempt: &Attempt) -> Self {
        Self {
            session: Some(Session::of(attempt)),
            requests: Vec::with_capacity(1),
            asked: None,
            mark: Mark::default(),
        }
    }

    /// Holds the place of an entry while its step runs.
    pub(super) fn empty() -> Self {
        Self { session: None, requests: Vec::new(), asked: None, mark: Mark::default() }
    }

    pub(super) fn mark(&self) -> Mark {
        self.mark.clone()
    }

    /// What hangs on it now.
    pub(super) fn refresh(&mut self) -> Mark {
        self.asked.take_if(|_| self.requests.is_empty());
        let Some(session) = &self.session else { return Mark::default() };
        let asked = self.asked.as_ref().map_or(0, |(forwarded, _)| forwarded.bytes());
        let requests = self.requests.capacity() * size_of::<(AskerId, Request)>()
            + self.requests.iter().map(|(_, request)| request.bytes()).sum::<usize>();
        self.mark = Mark {
            wake: session.deadline(),
            states: session.states().collect(),
            sames: session.sames().collect(),
            prompt: session.prompt(),
            bytes: size_of::<Self>() + session.bytes() + requests + asked,
            waits: session.is_held(),
        };
        self.mark.clone()
    }

    pub(super) fn is_over(&self) -> bool {
        self.session.as_ref().is_none_or(Session::is_over)
    }

    /// Effects become actions: each reply takes its request along, once.
    pub(super) fn actions(&mut self, effects: Vec<Effect>) -> Vec<Action> {
        let meters = self.requests.last().map(|(_, request)| request.meters.clone());
        effects.into_iter().filter_map(|effect| self.action(effect, meters.as_ref())).collect()
    }

    fn action(&mut self, effect: Effect, meters: Option<&ClientMeters>) -> Option<Action> {
        match effect {
            Effect::Reply { asker, answer } => self.take(asker).map(|request| Action::Reply(request, answer)),
            Effect::Supersede(asker) => self.take(asker).map(Action::Supersede),
            Effect::Unchecked(asker) => self.take(asker).map(Action::Unchecked),
            effect @ Effect::AskPrimary { .. } => {
                let (forwarded, deadline) = self.asked.clone().unwrap_or_default();
                let on_reject = self.requests.last_mut().and_then(|(_, request)| request.on_primary_reject.take());
                let meters = meters.cloned();
                Some(Action::AskPrimary { effect: Box::new(effect), forwarded, deadline, meters, on_reject })
            }
            effect @ (Effect::Record(_) | Effect::Accepted(_) | Effect::Release { .. } | Effect::Joined { .. }) => {
                Some(Action::Ended { effect: Box::new(effect), meters: meters.cloned() })
            }
            // The map's settling indexes States by itself.
            Effect::IndexState(_) => None,
            effect @ (Effect::ReadUser { .. }
            | Effect::CheckCode { .. }
            | Effect::TypeNumber { .. }
            | Effect::ClaimPrompt { .. }
            | Effect::Push { .. }
            | Effect::ExtendPrompt { .. }
            | Effect::ClosePrompt { .. }
            | Effect::Invite(_)
            | Effect::TellDisplaced(_)) => Some(Action::Other(Box::new(effect))),
        }
    }

    fn take(&mut self, asker: AskerId) -> Option<Box<Request>> {
        let at = self.requests.iter().position(|(id, _)| *id == asker)?;
        Some(Box::new(self.requests.swap_remove(at).1))
    }
}

#[cfg(test)]
mod tests {
    use login::policy::Policy;
    use login::{Moment, ProofKey};
    use wire::{Attribute, Code, Datagram, Demand, PacketView, RequestWriter, Secret, SharedSecret, SignedReply, kind};

    use super::*;
    use crate::engine::ask::{Arrival, Ask, Keys, arrival};
    use crate::engine::return_path::ReturnPath;
    use crate::telemetry::Telemetry;

    /// A way back of a thousand octets.
    struct Thousand([u8; 1000]);

    impl ReturnPath for Thousand {
        fn answer(self: Box<Self>, _: SignedReply<'_>, _: Tick) {}

        fn supersede(self: Box<Self>, _: Tick) {
            assert_eq!(self.0.len(), 1000);
        }

        fn overload(self: Box<Self>) {}

        fn unchecked(self: Box<Self>) {}
    }

    /// A request with so many Proxy-States of 200 octets.
    fn with_proxy_states(count: usize) -> Arrival {
        let (secret, mut buffer) = (SharedSecret::new(Secret::new("xyzzy5461")), Datagram::new());
        let mut writer = RequestWriter::new(Code::AccessRequest, 7, [9; 16], &mut buffer);
        (0..count).for_each(|_| writer.push(Attribute { kind: kind::PROXY_STATE, value: &[1; 200] }).unwrap());
        let sent = writer.sign(&secret);
        let request = PacketView::parse(sent.as_bytes()).unwrap().verify(&secret, Demand::Required).unwrap();
        let client = login::ClientName::new("asa");
        let ask = Ask {
            meters: Telemetry::new().client(&client),
            client,
            peer: std::net::Ipv4Addr::LOCALHOST.into(),
            secret,
            placed: wire::Placed::First,
            request: &request,
            facts: None,
            authentic: true,
            may_be_bare: false,
            path: Box::new(Thousand([0; 1000])),
            on_primary_reject: None,
        };
        let key = || ProofKey::new([7; 32]);
        let keys = Keys { login: key(), proof: key(), states: key() };
        let at = Moment { tick: Tick(0), wall: login::Wall(0) };
        arrival(ask, AskerId(1), &Policy::default(), &keys, [3; 16], at)
    }

    #[test]
    fn each_request_that_waits_counts_with_its_proxy_states_and_its_way_back_and_no_longer() {
        let Arrival { attempt, request, .. } = with_proxy_states(15);
        let mut held = Held::of(&attempt);
        held.requests.reserve(2);
        let before = held.refresh().bytes;
        held.requests.push((AskerId(1), request));
        let one = held.refresh().bytes;
        assert!(one >= before + 15 * 202 + 1000, "{one} after {before}");
        held.requests.push((AskerId(2), with_proxy_states(0).request));
        assert!(held.refresh().bytes >= one + 1000);
        held.take(AskerId(1));
        held.take(AskerId(2));
        assert_eq!(held.refresh().bytes, before);
    }
}
