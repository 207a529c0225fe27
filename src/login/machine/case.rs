//! What stays the same of a login from stage to stage: who asks, who waits, under which law, and what was asked and spent.
//!
//! It holds no answer of its own and decides nothing; what it keeps is bounded, and counted by `bytes` (rules G1).

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use wire::{ATTRIBUTE_COUNT_MAX, Secret};

use super::askers::Askers;
use super::first;
use super::{Inside, Open, OpenChallenge, Step};
use crate::answer::{Answer, Challenge};
use crate::attempt::{Appended, AskerId, Attempt, Credential};
use crate::event::{Effect, Question};
use crate::key::{LoginKey, Proof, StateHash};
use crate::moment::{Moment, Tick};
use crate::name::{ClientName, NameRefused, PrimaryName, Station, UserName};
use crate::policy::{ClientPolicy, Join, Policy, Rule, Tried};
use crate::prompt::{Asks, DeviceId, PromptId};
use crate::record::{LoginId, Reason, Record, RecordedAnswer, RecordedFactor};

/// What stays the same from stage to stage.
#[derive(Debug)]
pub(super) struct Case {
    pub(super) id: LoginId,
    pub(super) began: Moment,
    pub(super) client: ClientName,
    pub(super) user: Result<UserName, NameRefused>,
    pub(super) user_octets: Box<[u8]>,
    /// The request says that its name is a MAC address (A2).
    pub(super) names_a_mac: bool,
    pub(super) station: Option<Station>,
    pub(super) address: Option<IpAddr>,
    pub(super) key: LoginKey,
    pub(super) same: Option<LoginKey>,
    pub(super) proof: Proof,
    pub(super) authentic: bool,
    /// Its Reject is repeated to the same question (B2); one that was refused before it began has nobody to repeat it to.
    pub(super) repeats: bool,
    /// What was typed beside the password, until it is used.
    pub(super) appended: Option<Appended>,
    /// Only for the saboteur that tries the split unsplit.
    pub(super) unsplit: Option<Secret>,
    /// The law that this login began with (G2).
    pub(super) policy: Arc<Policy>,
    pub(super) primary: Option<PrimaryName>,
    pub(super) askers: Askers,
    pub(super) questions: u32,
    pub(super) rounds: u32,
    pub(super) tries: u32,
    /// Codes of this login that were wrong: the same one again is the same failure (C1).
    pub(super) wrong: Vec<Proof>,
    /// Digits that were not the phone's (F8): the same ones again are no second wrong try, even where codes are off.
    pub(super) wrong_digits: Vec<Proof>,
    pub(super) spent: Vec<Spent>,
    /// The challenge that was open when the phone ended the login: its answer still hears how it ended.
    pub(super) unheard: Option<Unheard>,
    /// Each rule tried, once the law has spoken.
    pub(super) tried: Arc<[Tried]>,
    pub(super) rule: Option<Arc<Rule>>,
    pub(super) vouched: Option<Arc<str>>,
    pub(super) factor: RecordedFactor,
    /// What its record tells beside its end: why no phone rang, why its prompt was taken back.
    pub(super) note: Option<Arc<str>>,
    pub(super) primary_since: Option<Tick>,
    /// When the primary was asked last, or would have been (D6).
    pub(super) asked_at: Tick,
    /// The owner of the name said yes on a phone before the primary was asked: what that proves (D7).
    pub(super) owner: Option<Asks>,
    /// No challenge of ours was posed since: nobody can tell a refusal from the primary's (D6).
    pub(super) at_first_door: bool,
    pub(super) waited_primary: Duration,
    pub(super) factor_since: Option<Tick>,
    /// The approval that lets this login in together with the others of its L: set when the phone said yes (B2).
    pub(super) let_in: Option<(PromptId, DeviceId)>,
    /// Askers of an Accept that is repeated, until the user was looked at again (A6).
    pub(super) repeating: Vec<(Question, AskerId)>,
    /// The language that the user chose, as a tag.
    pub(super) language: Option<Arc<str>>,
    /// The store knew the user when this login's law spoke.
    pub(super) known: bool,
    /// Octets that an asker's own part of the Accept may take, once the rest of it is known (E3).
    pub(super) room: usize,
    /// The same in attributes.
    pub(super) places: usize,
}

/// A State that was answered: who answers it again with the same gets the same (C3).
#[derive(Debug)]
pub(super) struct Spent {
    pub(super) state: StateHash,
    /// L of whoever answered, in the letters of that request.
    pub(super) by: LoginKey,
    pub(super) answer: Proof,
    pub(super) group: u32,
    pub(super) result: Option<Answer>,
}

/// A challenge whose login is over, and whose person has not been told.
#[derive(Clone, Copy, Debug)]
pub(super) struct Unheard {
    /// Until it is answered.
    pub(super) state: Option<StateHash>,
    /// The end of the State.
    pub(super) until: Tick,
    /// The end of what is repeated to whoever asks again (B2).
    pub(super) repeats_until: Tick,
}

impl Case {
    pub(super) fn of(attempt: Attempt, step: &mut Step<'_, '_>) -> (Self, Credential) {
        let mut askers = Askers::of(attempt.authentic);
        askers.join(attempt.asker, step.now(), step.cx);
        let case = Self {
            id: LoginId((step.cx.dice)()),
            began: step.cx.at,
            client: attempt.client,
            user: attempt.user,
            user_octets: attempt.user_octets,
            names_a_mac: attempt.names_a_mac,
            station: attempt.station,
            address: attempt.address,
            key: attempt.login,
            same: attempt.same,
            proof: attempt.proof,
            authentic: attempt.authentic,
            repeats: true,
            appended: None,
            unsplit: None,
            policy: Arc::clone(step.cx.policy),
            primary: None,
            askers,
            questions: 0,
            rounds: 0,
            tries: 0,
            wrong: Vec::new(),
            wrong_digits: Vec::new(),
            spent: Vec::new(),
            unheard: None,
            tried: Arc::new([]),
            rule: None,
            vouched: None,
            factor: RecordedFactor::None,
            note: None,
            primary_since: None,
            asked_at: step.now(),
            owner: None,
            at_first_door: true,
            waited_primary: Duration::ZERO,
            factor_since: None,
            let_in: None,
            repeating: Vec::new(),
            language: None,
            known: false,
            room: first::PACKET_MAX,
            places: ATTRIBUTE_COUNT_MAX,
        };
        (case, attempt.credential)
    }

    /// What it keeps beside itself (G1).
    pub(super) fn bytes(&self) -> usize {
        let names = self.user.as_ref().map_or(0, UserName::bytes)
            + self.user_octets.len()
            + self.station.as_ref().map_or(0, |station| station.octets().len())
            + self.vouched.as_ref().map_or(0, |vouched| vouched.len());
        let typed = match &self.appended {
            Some(Appended::Code(code)) => code.expose().len(),
            Some(Appended::Method(_)) | None => 0,
        };
        let spent = self.spent.capacity() * size_of::<Spent>()
            + self.spent.iter().filter_map(|spent| spent.result.as_ref()).map(Answer::bytes).sum::<usize>();
        let asked = (self.wrong.capacity() + self.wrong_digits.capacity()) * size_of::<Proof>()
            + self.repeating.capacity() * size_of::<(Question, AskerId)>()
            + self.askers.bytes();
        names + typed + spent + asked + size_of_val(&*self.tried)
    }

    pub(super) fn client_policy(&self) -> Option<&ClientPolicy> {
        self.policy.clients.get(&self.client)
    }

    /// An asker whose Proxy-States leave no room for the Accept is refused by itself; the login waits on (E3).
    pub(super) fn turns_away(&self, attempt: &Attempt, step: &mut Step<'_, '_>) -> bool {
        let too_large = attempt.asker.overhead > self.room || attempt.asker.attributes > self.places;
        if too_large {
            let answer = Answer::Reject(self.plain(Reason::TooLarge));
            step.cx.emit(Effect::Reply { asker: attempt.asker.id, answer });
        }
        too_large
    }

    /// Control octets in a bare packet's password: the shared secret is wrong, and nothing of it is sent on (D5).
    pub(super) fn is_suspect(&self, password: &Secret) -> bool {
        !self.authentic && password.expose().iter().any(u8::is_ascii_control)
    }

    /// One approval lets in each live asker of the one L (B2).
    pub(super) fn joins_by_connection(&self) -> bool {
        self.client_policy().is_some_and(|client| client.join == Join::Connection)
    }

    /// The approval that opens this login's door: the one it was let in by together with its siblings (B2), or that of
    /// the prompt that is out.
    pub(super) fn approval(&self, inside: &Inside, step: &Step<'_, '_>) -> Option<(PromptId, DeviceId)> {
        self.let_in.clone().or_else(|| step.approved(inside))
    }

    pub(super) fn can_challenge(&self) -> bool {
        self.client_policy().is_some_and(|client| client.challenge)
    }

    /// The next question's number; answers to older ones no longer count.
    pub(super) fn ask(&mut self) -> Question {
        self.questions = self.questions.wrapping_add(1);
        Question(self.questions)
    }

    /// Spends a State before its answer is looked at, and lets the asker wait for what comes of it (C3).
    pub(super) fn spend(&mut self, state: StateHash, answer: Proof, attempt: &Attempt, step: &mut Step<'_, '_>) {
        const REMEMBERED: usize = 4;
        let group = self.askers.join(attempt.asker, step.now(), step.cx);
        if self.spent.len() >= REMEMBERED {
            self.spent.remove(0);
        }
        self.spent.push(Spent { state, by: attempt.twin, answer, group, result: None });
    }

    /// Remembers what a State's answer came to, for its twin (C3).
    pub(super) fn settle(&mut self, group: u32, answer: &Answer) {
        self.spent.iter_mut().filter(|spent| spent.group == group && spent.result.is_none()).for_each(|spent| {
            spent.result = Some(answer.clone());
        });
    }

    /// What is asked under this challenge's State, again and again the same.
    pub(super) fn question_of(&self, open: &Open, step: &Step<'_, '_>) -> Answer {
        Answer::Challenge(match &open.challenge {
            OpenChallenge::Ours { round, say } => Challenge::Ours {
                say: *say,
                language: self.language.clone(),
                state: step.cx.states.state(self.id.0, *round),
            },
            OpenChallenge::Primary(attributes) => Challenge::Primary(Arc::clone(attributes)),
        })
    }

    /// The one record of this login (F2).
    pub(super) fn record(
        &self,
        answer: RecordedAnswer,
        reason: Reason,
        detail: Option<Arc<str>>,
        step: &Step<'_, '_>,
    ) -> Record {
        let claimed =
            || self.user.as_ref().map_or_else(|_| wire::log_safe(&self.user_octets), |user| user.folded().to_owned());
        let now = step.now();
        // A primary that has not answered yet was waited for, too.
        let asking = self.primary_since.map_or(Duration::ZERO, |since| now.since(since));
        Record {
            login: self.id,
            time: self.began.wall,
            client: self.client.clone(),
            user: self.vouched.clone().unwrap_or_else(|| claimed().into()),
            vouched: self.vouched.is_some(),
            station: self.station.clone(),
            rule: self.rule.as_ref().map(|rule| rule.name.clone()),
            tried: Arc::clone(&self.tried),
            primary: self.primary.clone(),
            factor: self.factor,
            answer,
            reason,
            detail: detail.or_else(|| self.note.clone()),
            askers: self.askers.asked(),
            waited: now.since(self.began.tick),
            waited_primary: self.waited_primary + asking,
            waited_factor: self.factor_since.map_or(Duration::ZERO, |since| now.since(since)),
        }
    }
}

impl Attempt {
    /// It brings a User-Password: nothing else answers a challenge.
    pub(crate) fn has_password(&self) -> bool {
        match &self.credential {
            Credential::Pap { .. } => true,
            Credential::Unsupported { .. } => false,
        }
    }

    /// What was typed in answer to a challenge, whole: it is never split (C4).
    pub(super) fn answer(&self) -> Secret {
        match &self.credential {
            Credential::Pap { password, .. } => password.clone(),
            Credential::Unsupported { .. } => Secret::new(Vec::new()),
        }
    }
}
