//! Effects performed: the primary answers, the store commits and syncs, phones ring. Before and after each, the power may fail.

use std::sync::Arc;

use login::event::{Effect, Event, LoginEvent};
use login::{LoginId, LoginKey, Number, PhoneAnswer, PrimaryAnswer, PromptId, ResolvedUser, Unavailable};

use crate::appliance::Act;
use crate::engine::{KINDS, kind_of, push_failure, unsettled};
use crate::network::Datagram;
use crate::phone::{self, Tap, Which};
use crate::reference::Rung;
use crate::scene::{PRIMARY_ANSWER, person_of};
use crate::store::{Answered, Typed};
use crate::world::{Happening, World};

/// How often a statement whose commit is unknown is repeated.
const SETTLE_TRIES: u32 = 3;

impl World {
    /// Whether the power fails here.
    pub(crate) fn crash_point(&mut self, kind: usize, after: bool) -> bool {
        let Some((at, side, left)) = self.crash_plan else { return false };
        if (at, side) != (kind, after) {
            return false;
        }
        if left > 0 {
            self.crash_plan = Some((at, side, left - 1));
            return false;
        }
        self.crash_plan = None;
        self.tally.crash_points[kind * 2 + usize::from(after)] += 1;
        self.tell(|| format!("CRASH {} {}", if after { "after" } else { "before" }, KINDS[kind]));
        self.crash();
        true
    }

    pub(crate) fn perform(&mut self, key: LoginKey, effect: Effect, tries: u32) {
        let kind = kind_of(&effect);
        if self.crash_point(kind, false) {
            return;
        }
        match &effect {
            Effect::AskPrimary { .. } => self.ask_primary(key, &effect),
            Effect::Push { login, claim } => self.push(key, *login, claim),
            Effect::TypeNumber { login, question, .. } => {
                if self.dice.chance(8) {
                    self.forge(key, *login, *question, &ResolvedUser::new("alice"));
                }
                self.ask_store(key, effect, tries);
            }
            _ => self.ask_store(key, effect, tries),
        }
        self.crash_point(kind, true);
    }

    // --- the primary -------------------------------------------------------------------------------------------

    fn ask_primary(&mut self, key: LoginKey, effect: &Effect) {
        let Effect::AskPrimary { login, question, claimed, password, state, .. } = effect else { return };
        if self.dice.chance(8) {
            let user = if self.dice.chance(50) { claimed.clone() } else { ResolvedUser::new("alice") };
            self.forge(key, *login, *question, &user);
        }
        let Some(place) = self.place(key, effect) else { return };
        let typed = String::from_utf8_lossy(password.expose()).into_owned();
        let answer = self.primary_says(*login, claimed.as_str(), &typed, state.as_ref().map(|(state, _)| &**state));
        let event = |answer| Box::new(Event::Login(*login, LoginEvent::Primary(*question, answer)));
        let epoch = self.epoch;
        let deliver = |answer| Happening::Deliver { epoch, key, event: event(answer), genuine: true };
        if self.dice.chance(3) {
            let away = PrimaryAnswer::Unavailable(Unavailable::seen("the primary is silent"));
            self.answers_try(place, 9000, false);
            return self.later(9000, deliver(away));
        }
        if self.dice.chance(1) {
            self.answers_try(place, 1, false);
            return self.later(1, deliver(PrimaryAnswer::StoreUnavailable(Unavailable::seen("the disk is full"))));
        }
        let late = self.dice.chance(3);
        let delay = if late { self.dice.between(9000, 40_000) } else { self.dice.between(2, 600) };
        self.answers_try(place, delay, matches!(answer, PrimaryAnswer::Reject { .. }));
        if self.dice.chance(5) {
            let again = self.dice.between(0, 2000);
            self.later(delay + again, deliver(answer.clone()));
        }
        self.later(delay, deliver(answer));
    }

    /// The truth about a password.
    fn primary_says(&mut self, login: LoginId, claimed: &str, typed: &str, state: Option<&[u8]>) -> PrimaryAnswer {
        let attributes = |code| Arc::new(wire::HeldAttributes::none(code));
        let no = || PrimaryAnswer::Reject { attributes: attributes(wire::Code::AccessReject), why: "no".into() };
        let Some(person) = person_of(claimed) else { return no() };
        let expected = if state.is_some() { PRIMARY_ANSWER } else { person.password };
        if typed != expected {
            return no();
        }
        if person.asked_by_primary && state.is_none() {
            let fresh = self.dice.sixteen().to_vec();
            self.reference.logins.entry(login).and_modify(|known| known.primary_state = Some(fresh.clone()));
            let attributes = attributes(wire::Code::AccessChallenge);
            return PrimaryAnswer::Challenge { attributes, state: Some(fresh.into()), server: 0 };
        }
        PrimaryAnswer::Accept { user: ResolvedUser::new(person.name), attributes: attributes(wire::Code::AccessAccept) }
    }

    // --- phones ------------------------------------------------------------------------------------------------

    fn push(&mut self, key: LoginKey, login: LoginId, claim: &login::PromptClaim) {
        // Another login may have displaced it since its claim: then no phone rings for it (B2). Asked at the last moment.
        let open = self.store.current.prompts.get(&claim.prompt).is_none_or(|row| row.state.is_open());
        let failure = match self.dice.below(100) {
            _ if !open => Some(push_failure(None)),
            0..=1 => Some(push_failure(Some(true))),
            2..=3 => Some(push_failure(Some(false))),
            4 => Some(push_failure(None)),
            _ => None,
        };
        let prompt = claim.prompt;
        if failure.is_none() {
            self.tally.prompts += 1;
            let check = crate::invariants::rings(self, claim, login);
            self.expect(check);
            if let Some(ask) = self.reference.logins.get(&login).map(|known| known.begun_by) {
                let ask = self.reference.asked(ask).packet.ask.clone();
                self.reference.rung.insert(prompt, Rung { ask });
            }
            let owner = person_of(claim.user.as_str());
            let phones = owner.map_or(&[][..], |person| person.phones);
            for (after, device, tap) in phone::taps(&mut self.dice, phones, claim.asks) {
                self.later(after, Happening::Phone { prompt, device, tap });
            }
            if let (true, Some(owner), Some(phone)) = (self.dice.chance(2), owner, phones.first()) {
                let after = self.dice.between(100, 20_000);
                self.later(after, Happening::RemovePhone(owner.name, phone));
            }
        } else if matches!(&failure, Some(login::event::PushFailure::Unavailable(away)) if away.confirmed) {
            self.reference.outages.insert(key);
        }
        let (epoch, delay) = (self.epoch, self.dice.between(20, 400));
        let event = Event::Login(login, LoginEvent::Pushed(prompt, failure.map_or(Ok(()), Err)));
        self.later(delay, Happening::Deliver { epoch, key, event: Box::new(event), genuine: true });
    }

    /// Something is done on a phone: committed first, then told.
    pub(crate) fn tapped(&mut self, prompt: PromptId, device: &'static str, tap: Tap) {
        if self.now < self.down_until {
            return;
        }
        let number = self.number_for(prompt, tap);
        let device = login::DeviceId(device.into());
        let said = match tap {
            Tap::Yes(_) => PhoneAnswer::Approve,
            Tap::No => PhoneAnswer::Deny,
            Tap::Fraud => PhoneAnswer::Fraud,
            Tap::Confirm => return self.confirms(prompt, &device),
        };
        let now = self.wall();
        let answered = self.store.answer(prompt, &device, &said, number, now);
        self.tell(|| format!("{device:?} says {said:?} with {:?} to {prompt}: {answered:?}", number.map(|n| n.0)));
        let Some(delay) = self.synced() else { return };
        let event = match answered {
            Answered::Counts(answer, device, number) => Some(Event::Phone { prompt, device, answer, number }),
            Answered::WrongNumber => Some(Event::WrongNumber(prompt)),
            Answered::TooLate | Answered::NotLike => None,
        };
        if let Some(event) = event {
            let (epoch, event) = (self.epoch, Box::new(event));
            self.later(delay, Happening::Tell { epoch, prompt, event });
            self.jump_in(prompt);
        }
    }

    /// In the very moment of an answer whoever has a screen of this prompt asks once more (B2, F8).
    fn jump_in(&mut self, prompt: PromptId) {
        let newest = self.reference.logins.values().rev().find(|known| known.prompts.contains_key(&prompt));
        let Some(first) = newest.filter(|_| self.dice.chance(25)).map(|known| known.begun_by) else { return };
        let Datagram { script, ask, .. } = self.reference.asked(first).packet.clone();
        if ask.state.is_none() {
            let after = self.dice.between(0, 10);
            self.later(after, Happening::Act(script, Act::Ask(ask)));
        }
    }

    /// The number that is chosen: of those that screens show for this prompt, or one that none shows.
    fn number_for(&self, prompt: PromptId, tap: Tap) -> Option<Number> {
        let Tap::Yes(which) = tap else { return None };
        let mut screens: Vec<_> =
            self.reference.logins.values().filter(|known| known.prompts.contains_key(&prompt)).collect();
        screens.sort_by_key(|known| known.askers.last());
        let mut shown = screens.iter().rev().filter_map(|known| known.shown);
        match which {
            Which::Newest => shown.next(),
            Which::Another => shown.next_back(),
            Which::Wrong => {
                let row = self.store.current.prompts.get(&prompt)?;
                (10..100).map(Number).find(|number| !row.shown.contains(number))
            }
            Which::None => None,
        }
    }

    fn confirms(&mut self, prompt: PromptId, device: &login::DeviceId) {
        let now = self.wall();
        let digits = self.store.reveal(prompt, device, now);
        let owner = self.store.current.prompts.get(&prompt).and_then(|row| person_of(&row.user));
        let Some(delay) = self.synced() else { return };
        if let (Some(digits), Some(owner)) = (digits, owner) {
            let epoch = self.epoch;
            self.later(delay, Happening::Digits { epoch, person: owner.name, digits });
        }
    }

    // --- the store ---------------------------------------------------------------------------------------------

    /// A statement, its commit, and its answer; sometimes nobody can say whether it was committed, then it is repeated (C1).
    fn ask_store(&mut self, key: LoginKey, effect: Effect, tries: u32) {
        let unknown = self.dice.chance(3);
        if unknown && self.dice.chance(50) {
            return self.settle_unknown(key, effect, tries);
        }
        let event = self.execute(&effect);
        let Some(delay) = self.synced() else { return };
        if unknown {
            return self.settle_unknown(key, effect, tries);
        }
        let delay = self.across_the_deadline(&effect).unwrap_or(delay);
        if let Some((login, event)) = event {
            let (epoch, event) = (self.epoch, Box::new(Event::Login(login, event)));
            self.later(delay, Happening::Deliver { epoch, key, event, genuine: true });
        }
    }

    /// Where sessions are woken late, one sometimes learns of a release around the deadline of who waits for it (C1).
    fn across_the_deadline(&mut self, effect: &Effect) -> Option<u64> {
        let Effect::Release { login, .. } = effect else { return None };
        if self.sluggish == 0 || !self.dice.chance(3) {
            return None;
        }
        let newest = *self.reference.logins.get(login)?.askers.last()?;
        let left = self.reference.asked(newest).until.0.checked_sub(self.now.0)?;
        Some(left + self.dice.below(self.sluggish / 2))
    }

    fn settle_unknown(&mut self, key: LoginKey, effect: Effect, tries: u32) {
        let epoch = self.epoch;
        // What nobody waits for is repeated until it is written.
        if tries < SETTLE_TRIES || unsettled(&effect).is_none() {
            return self.later(50, Happening::Perform { epoch, key, effect: Box::new(effect), tries: tries + 1 });
        }
        if let Some((login, event)) = unsettled(&effect) {
            let event = Box::new(Event::Login(login, event));
            self.later(1, Happening::Deliver { epoch, key, event, genuine: true });
        }
    }

    fn execute(&mut self, effect: &Effect) -> Option<(LoginId, LoginEvent)> {
        let now = self.wall();
        let text = |station: &Option<login::Station>| {
            station.as_ref().map(|station| String::from_utf8_lossy(station.octets()).into_owned())
        };
        match effect {
            Effect::ReadUser { login, question, user, station, client } => {
                let facts = self.store.facts(user.as_str(), text(station).as_deref(), client.as_str(), now);
                Some((*login, LoginEvent::User(*question, Ok(facts))))
            }
            Effect::CheckCode { login, question, user, station, code, methods, guess } => {
                let (station, code) = (text(station), String::from_utf8_lossy(code.expose()));
                let typed =
                    Typed { login: *login, user: user.as_str(), station: station.as_deref(), code: &code, methods };
                let check = crate::invariants::guesses(self, &typed);
                self.expect(check);
                let outcome = self.store.check_code(*guess, &typed, now);
                let check = crate::invariants::guessed(self, &typed, &outcome);
                self.expect(check);
                Some((*login, LoginEvent::Code(*question, Ok(outcome))))
            }
            Effect::TypeNumber { login, question, prompt, typed, guess } => {
                let repeated = self.store.current.typed.contains_key(guess);
                let outcome = self.store.type_number(*guess, *login, *prompt, *typed, now);
                self.tell(|| format!("{login} types {:?} for {prompt}: {outcome:?}", typed.0));
                if !repeated {
                    let check = crate::invariants::typed(self, *login, *prompt);
                    self.expect(check);
                }
                Some((*login, LoginEvent::Number(*question, Ok(outcome))))
            }
            Effect::ClaimPrompt { login, question, claim } => {
                let repeated = self.store.current.prompts.contains_key(&claim.prompt);
                let claimed = self.store.claim(claim, now).ok_or(Unavailable::seen("nobody is there to be rung"));
                if !repeated && matches!(claimed, Ok(login::Claim::Claimed { .. })) {
                    let check = crate::invariants::claimed(self, claim);
                    self.expect(check);
                }
                Some((*login, LoginEvent::Claim(*question, claimed)))
            }
            Effect::Release { login, question, check, record, .. } => {
                let repeated = self.store.current.records.contains_key(login);
                let outcome = self.store.release(record, check, now);
                if !repeated {
                    let right = crate::invariants::releases(self, record.login, check, &outcome);
                    self.expect(right);
                }
                Some((*login, LoginEvent::Release(*question, Ok(outcome))))
            }
            Effect::ExtendPrompt { prompt, askers_until } => {
                self.store.extend(*prompt, *askers_until);
                None
            }
            Effect::ClosePrompt { prompt, why } => {
                self.store.close(*prompt, *why, now);
                None
            }
            Effect::Record(record) => {
                self.store.record(record.login, record.answer);
                None
            }
            Effect::AskPrimary { .. }
            | Effect::Push { .. }
            | Effect::Reply { .. }
            | Effect::Supersede(_)
            | Effect::Unchecked(_)
            | Effect::IndexState(_)
            | Effect::Joined { .. }
            | Effect::Accepted(_)
            | Effect::Invite(_)
            | Effect::TellDisplaced(_) => None,
        }
    }
}
