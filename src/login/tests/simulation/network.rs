//! The network between appliances and us: packets are lost, doubled and overtaken. And what our client side does before
//! the machine sees a request: the cache of duplicates (rules B1).

use std::collections::BTreeMap;

use login::answer::Answer;
use login::{AskerId, Tick};

use crate::dice::Dice;

/// What one Access-Request says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Ask {
    pub(crate) client: &'static str,
    pub(crate) user: String,
    /// What was typed, whole: a password, with anything appended, or the answer to a challenge.
    pub(crate) typed: String,
    pub(crate) station: Option<&'static str>,
    pub(crate) connection: Option<u64>,
    pub(crate) state: Option<Vec<u8>>,
    pub(crate) authentic: bool,
}

/// One packet of an appliance's login.
#[derive(Clone, Debug)]
pub(crate) struct Datagram {
    pub(crate) script: usize,
    pub(crate) port: u16,
    pub(crate) identifier: u8,
    pub(crate) authenticator: u64,
    pub(crate) ask: Ask,
}

/// What becomes of one packet on its way: the delays of its copies, none if it is lost.
pub(crate) fn copies(dice: &mut Dice, loss: u64) -> Vec<u64> {
    let delay = |dice: &mut Dice| if dice.chance(3) { dice.between(500, 4000) } else { dice.between(1, 40) };
    match (dice.chance(loss), dice.chance(loss)) {
        (true, _) => Vec::new(),
        (false, true) => vec![delay(dice), delay(dice)],
        (false, false) => vec![delay(dice)],
    }
}

/// How long an answer is repeated to a retransmit.
const ANSWERS_AGAIN_MS: u64 = 30_000;

/// The duplicates of one server's life.
#[derive(Debug, Default)]
pub(crate) struct Duplicates(BTreeMap<(usize, u16, u8), Entry>);

#[derive(Debug)]
struct Entry {
    authenticator: u64,
    asker: AskerId,
    answer: Option<(Answer, Tick)>,
}

/// What a packet is to the cache.
#[derive(Debug)]
pub(crate) enum Seen {
    New,
    InFlight,
    Again(Answer),
}

impl Duplicates {
    /// In flight: absorbed; answered: the same answer again; another authenticator: a new request.
    pub(crate) fn see(&mut self, packet: &Datagram, asker: AskerId, now: Tick) -> Seen {
        let key = (packet.script, packet.port, packet.identifier);
        let fresh = Entry { authenticator: packet.authenticator, asker, answer: None };
        match self.0.get(&key).filter(|entry| entry.authenticator == packet.authenticator) {
            Some(Entry { answer: None, .. }) => return Seen::InFlight,
            Some(Entry { answer: Some((answer, at)), .. }) if now.0 <= at.0 + ANSWERS_AGAIN_MS => {
                return Seen::Again(answer.clone());
            }
            Some(_) | None => {}
        }
        self.0.insert(key, fresh);
        Seen::New
    }

    /// Nobody could check it: its next packet is a new request (A10).
    pub(crate) fn forget(&mut self, packet: &Datagram, asker: AskerId) {
        let key = (packet.script, packet.port, packet.identifier);
        if self.0.get(&key).is_some_and(|entry| entry.asker == asker) {
            self.0.remove(&key);
        }
    }

    pub(crate) fn answered(&mut self, packet: &Datagram, asker: AskerId, answer: &Answer, now: Tick) {
        let entry = self.0.get_mut(&(packet.script, packet.port, packet.identifier));
        if let Some(entry) = entry.filter(|entry| entry.asker == asker) {
            entry.answer = Some((answer.clone(), now));
        }
    }
}
