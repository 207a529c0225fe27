//! From the gate to the engine: an admitted request with the facts of its login, and what a bare one may cost.

use login::{Moment, Tick};
use wire::{Datagram, Demand, Placed, ReplyCode};

use super::budget::Trial;
use super::{Admitted, login_facts};
use crate::engine::{Ask, Engine};

impl Admitted<'_> {
    /// Hands the request to the engine, which answers by the ticket. A bare one that begins a login needs room in its
    /// client's budget of primary failures (rules D5); without, it is dropped and counted.
    pub fn hand_to(self, engine: &Engine, at: Moment) {
        if self.client.is_past_its_end(at.wall) {
            return self.reject(at.tick);
        }
        let at = at.tick;
        let Some(trial) = self.trial(at) else { return self.ticket.over_budget() };
        let facts = login_facts(&self.request, &self.client);
        engine.receive(Ask {
            client: self.client.name().clone(),
            secret: self.client.config().secret.clone(),
            placed: self.client.config().message_authenticator,
            meters: self.client.meters().clone(),
            peer: self.ticket.peer(),
            request: &self.request,
            facts: facts.as_ref().map(super::LoginFacts::as_slice),
            authentic: self.authentic,
            may_be_bare: self.client.demand() == Demand::IfPresent,
            path: Box::new(self.ticket),
            on_primary_reject: trial.map(|trial| -> Box<dyn FnOnce() + Send + Sync> { Box::new(move || trial.fail()) }),
        });
    }

    /// A Reject, signed as it should be (rules E1), which asks nobody.
    fn reject(self, at: Tick) {
        let (context, mut buffer) = (self.request.context(), Datagram::new());
        let reply = context.reply(ReplyCode::Reject, &mut buffer);
        // It fits: header, Message-Authenticator and Proxy-States stood in the request already.
        match reply.sign_with(&self.client.config().secret, Placed::First) {
            Ok(reply) => self.ticket.answer(reply, at),
            Err(_) => self.ticket.overload(),
        }
    }

    /// A place in the budget, where one is needed; `None` outside when there is none left. An answer to a challenge may
    /// reach the primary too, if the challenge is the primary's own; a place that met no rejection is given back.
    pub(super) fn trial(&self, at: Tick) -> Option<Option<Trial>> {
        if self.authentic {
            return Some(None);
        }
        self.client.budget().begin_try(at).map(Some)
    }
}
