//! The reference model: what really happened, kept apart from the machine. It knows who asked what, which State was
//! shown to whom, what the primary really said, which prompts rang; the invariants judge every answer by it.

use std::collections::{BTreeMap, BTreeSet};

use login::answer::Answer;
use login::event::Question;
use login::policy::Join;
use login::{AskerId, LoginId, LoginKey, Number, PromptId, Reason, RecordedFactor, StateHash, Tick};

use crate::network::{Ask, Datagram};
use crate::scene::{Law, appliance_of};

/// All that is known.
#[derive(Debug, Default)]
pub(crate) struct Reference {
    pub(crate) asked: Vec<Asked>,
    pub(crate) logins: BTreeMap<LoginId, Known>,
    pub(crate) states: BTreeMap<StateHash, Issued>,
    pub(crate) rung: BTreeMap<PromptId, Rung>,
    /// What the primary was asked, in order (D7).
    pub(crate) tried: Vec<Tried>,
    /// L of logins that were told of a confirmed outage of the push service.
    pub(crate) outages: BTreeSet<LoginKey>,
}

/// One request that reached the machine.
#[derive(Debug)]
pub(crate) struct Asked {
    pub(crate) packet: Datagram,
    pub(crate) epoch: u32,
    pub(crate) until: Tick,
    pub(crate) login: Option<LoginId>,
    /// It must be refused: by which rule.
    pub(crate) doomed: Option<&'static str>,
    /// Its login showed a number when it came.
    pub(crate) beside_a_number: bool,
    /// The earlier request whose twin it is (C3).
    pub(crate) twin_of: Option<AskerId>,
    pub(crate) answer: Option<(Given, Tick)>,
    pub(crate) superseded: bool,
    /// Nobody could check it, and it was told nothing (A10).
    pub(crate) unchecked: bool,
    /// It asks for an Accept once more, and whether something spoke against that when it came.
    pub(crate) repeats: Option<bool>,
}

/// One password that the primary was asked about.
#[derive(Clone, Debug)]
pub(crate) struct Tried {
    pub(crate) epoch: u32,
    /// The name as people would say it aloud: no marks, no capitals.
    pub(crate) aloud: String,
    /// The station, where its owner was let in there lately.
    pub(crate) known_at: Option<String>,
    /// How often staff had released the name.
    pub(crate) lifts: u64,
    /// None: not answered yet; else when, and whether it was wrong.
    pub(crate) answered: Option<(Tick, bool)>,
}

/// What was answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Given {
    Accept,
    Reject(Reason),
    Challenge,
}

impl Given {
    pub(crate) fn of(answer: &Answer) -> Self {
        match answer {
            Answer::Accept(_) => Self::Accept,
            Answer::Reject(reject) => Self::Reject(reject.reason),
            Answer::Challenge(_) => Self::Challenge,
        }
    }
}

/// One login.
#[derive(Clone, Debug)]
pub(crate) struct Known {
    pub(crate) key: LoginKey,
    pub(crate) begun_by: AskerId,
    pub(crate) askers: Vec<AskerId>,
    pub(crate) question: Option<Question>,
    /// When the primary was asked last.
    pub(crate) asked_at: Option<Tick>,
    /// Somebody was challenged in it.
    pub(crate) challenged: bool,
    /// The question of its claim, and the prompt that it would be.
    pub(crate) claim: (Option<Question>, Option<PromptId>),
    /// The primary's State that is out.
    pub(crate) primary_state: Option<Vec<u8>>,
    /// Its primary, or our own store before it, could not be asked (A10).
    pub(crate) unasked: bool,
    /// Whom the primary really accepted.
    pub(crate) accepted: Option<String>,
    pub(crate) law: Law,
    /// The law at the last look.
    pub(crate) law_at_release: Option<Law>,
    pub(crate) records: u32,
    pub(crate) releases: u32,
    /// What opened the second door, at the last look.
    pub(crate) factor: RecordedFactor,
    /// The prompts that it claimed or joined, and whether its session heard of an approval.
    pub(crate) prompts: BTreeMap<PromptId, bool>,
    /// The number that its newest challenge with one shows (F8).
    pub(crate) shown: Option<Number>,
    /// Its session heard that a phone said no to its prompt.
    pub(crate) heard_no: bool,
}

/// A State that was shown.
#[derive(Clone, Debug)]
pub(crate) struct Issued {
    pub(crate) to: Ask,
    pub(crate) by: AskerId,
    pub(crate) login: Option<LoginId>,
    pub(crate) epoch: u32,
    pub(crate) until: Tick,
    pub(crate) spent_by: Option<AskerId>,
}

/// A prompt that rang.
#[derive(Clone, Debug)]
pub(crate) struct Rung {
    pub(crate) ask: Ask,
}

impl Asked {
    /// Nothing more is due to it.
    pub(crate) fn is_settled(&self) -> bool {
        self.answer.is_some() || self.superseded || self.unchecked
    }
}

impl Reference {
    pub(crate) fn asked(&self, asker: AskerId) -> &Asked {
        &self.asked[usize::try_from(asker.0).unwrap()]
    }

    pub(crate) fn asked_mut(&mut self, asker: AskerId) -> &mut Asked {
        &mut self.asked[usize::try_from(asker.0).unwrap()]
    }

    pub(crate) fn login_of(&self, asker: AskerId) -> Option<&Known> {
        self.asked(asker).login.and_then(|login| self.logins.get(&login))
    }

    /// A request came. Whether its State can be answered is known before the machine looks (C3).
    pub(crate) fn asks(&mut self, packet: Datagram, epoch: u32, at: Tick, until: Tick) -> AskerId {
        let id = AskerId(self.asked.len() as u64);
        let (doomed, twin_of) = self.fate_of_state(&packet.ask, id, epoch, at);
        let asked = Asked {
            packet,
            epoch,
            until,
            login: None,
            beside_a_number: false,
            doomed,
            twin_of,
            answer: None,
            superseded: false,
            unchecked: false,
            repeats: None,
        };
        self.asked.push(asked);
        id
    }

    fn fate_of_state(
        &mut self,
        ask: &Ask,
        id: AskerId,
        epoch: u32,
        at: Tick,
    ) -> (Option<&'static str>, Option<AskerId>) {
        let Some(state) = &ask.state else { return (None, None) };
        let Some(issued) = self.states.get(&StateHash::of(state)) else { return (Some("unknown State"), None) };
        if issued.epoch != epoch {
            return (Some("State from before a crash"), None);
        }
        if issued.to.client != ask.client || !issued.to.user.eq_ignore_ascii_case(&ask.user) {
            return (Some("foreign State"), None);
        }
        if let Some(first) = issued.spent_by {
            let asked = self.asked(first);
            let twin = ask.authentic && same_place(&asked.packet.ask, ask) && asked.packet.ask.typed == ask.typed;
            return if twin { (None, Some(first)) } else { (Some("spent State"), None) };
        }
        if at >= issued.until {
            return (Some("expired State"), None);
        }
        if let Some(issued) = self.states.get_mut(&StateHash::of(state)) {
            issued.spent_by = Some(id);
        }
        (None, None)
    }

    /// The machine let a request into this login.
    pub(crate) fn enters(&mut self, asker: AskerId, login: LoginId, key: LoginKey, law: Law) {
        // It waits beside the number for good, also where the login asks for a code alone later on.
        let beside_a_number = self.logins.get(&login).is_some_and(|known| known.shown.is_some());
        let asked = self.asked_mut(asker);
        (asked.login, asked.beside_a_number) = (Some(login), beside_a_number);
        let known = self.logins.entry(login).or_insert_with(|| Known::begun(asker, key, law));
        known.askers.push(asker);
    }

    /// The same login goes on under a new name, because its record was written already.
    pub(crate) fn goes_on(&mut self, old: LoginId, new: LoginId, by: AskerId) {
        let Some(before) = self.logins.get(&old).cloned() else { return };
        let known = Known { askers: Vec::new(), begun_by: by, records: 0, releases: 0, ..before };
        self.logins.entry(new).or_insert(known);
    }

    /// Somebody asked later in the same login; a twin stands where its first stands.
    pub(crate) fn is_superseded(&self, asker: AskerId) -> bool {
        let mine = (self.root(asker), asker);
        self.login_of(asker).is_some_and(|known| {
            let signed = |asker: AskerId| self.asked(asker).packet.ask.authentic;
            let beside = |other: &AskerId| signed(*other) == signed(asker);
            self.waits_aside(asker)
                || known.askers.iter().filter(|other| beside(other)).any(|other| (self.root(*other), *other) > mine)
        })
    }

    /// A bare one beside a signed login, or beside a number on a screen, is behind each other one of it (D5).
    pub(crate) fn waits_aside(&self, asker: AskerId) -> bool {
        let ask = |asker: AskerId| &self.asked(asker).packet.ask;
        let bare = !ask(asker).authentic && ask(asker).state.is_none();
        self.login_of(asker)
            .filter(|known| bare && known.begun_by != asker)
            .is_some_and(|known| ask(known.begun_by).authentic || self.asked(asker).beside_a_number)
    }

    /// The request in whose breath this one came (C3).
    pub(crate) fn root(&self, asker: AskerId) -> AskerId {
        self.asked(asker).twin_of.unwrap_or(asker)
    }
}

impl Known {
    fn begun(by: AskerId, key: LoginKey, law: Law) -> Self {
        Self {
            key,
            begun_by: by,
            askers: Vec::new(),
            question: None,
            asked_at: None,
            challenged: false,
            claim: (None, None),
            primary_state: None,
            unasked: false,
            accepted: None,
            law,
            law_at_release: None,
            records: 0,
            releases: 0,
            factor: RecordedFactor::None,
            prompts: BTreeMap::new(),
            shown: None,
            heard_no: false,
        }
    }
}

/// The same login in plain words (B2): what L is a hash of. What lacks its part, or is bare, is like nothing else.
pub(crate) fn same_login(one: &Ask, other: &Ask) -> bool {
    one.authentic && other.authentic && equal_l(one, other)
}

/// Whom a request finds at its login: a signed one those of its kind, a bare one with its very password also others (B2, D5).
pub(crate) fn finds(ask: &Ask, first: &Ask) -> bool {
    if ask.authentic { same_login(ask, first) } else { equal_l(ask, first) && ask.typed == first.typed }
}

/// L as its `join` has it, signed or not.
fn equal_l(one: &Ask, other: &Ask) -> bool {
    let whole = |ask: &Ask| match appliance_of(ask.client).join {
        Join::Station => ask.station.is_some(),
        Join::Connection => ask.connection.is_some(),
        Join::Weak => true,
    };
    let strict = appliance_of(one.client).join == Join::Connection;
    let connection = !strict || one.connection == other.connection;
    whole(one) && whole(other) && same_place(one, other) && connection
}

/// Equal L whatever `join` needs (C3).
pub(crate) fn same_place(one: &Ask, other: &Ask) -> bool {
    one.client == other.client && one.user == other.user && one.station == other.station
}

/// What the primary may see of a first request: once split, never unsplit (C4).
pub(crate) fn split(ask: &Ask) -> (&str, Option<&str>) {
    let whole = (ask.typed.as_str(), None);
    if !appliance_of(ask.client).append {
        return whole;
    }
    let Some((head, tail)) = ask.typed.rsplit_once(',') else { return whole };
    let code = (6..=8).contains(&tail.len()) && tail.bytes().all(|octet| octet.is_ascii_digit());
    if code || ["push", "totp", "hotp"].contains(&tail) { (head, Some(tail)) } else { whole }
}
