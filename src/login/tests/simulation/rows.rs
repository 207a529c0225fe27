//! The store model's rows, and how they change: guesses, prompts, pushes, and what speaks against a release.
//!
//! Beside each row stands its ledger: what really happened, in order. The invariants read the ledger.

use std::collections::{BTreeMap, BTreeSet};

use login::codes::{fresh_counter, fresh_step};
use login::limits::{Bucket, Limits, PushCounts};
use login::prompt::PromptState;
use login::{
    Asks, BypassId, CodeOutcome, DeviceId, LoginId, LoginKey, Means, Method, Number, NumberMatch, NumberOutcome,
    PhoneAnswer, PromptClaim, PromptId, PromptStatus, RecordedAnswer, ReleaseCheck, TokenId, Wall,
};

use crate::scene::{Person, STEP_MS, code_of, person_of};

/// How long an approval without a live asker waits (A8).
const PROMPT_LASTS_MAX: std::time::Duration = std::time::Duration::from_secs(120);
/// How long an approval may be of use, whatever is promised to it (A8).
const APPROVED_LASTS_MAX: std::time::Duration = std::time::Duration::from_secs(240);
/// How many screens' numbers one prompt takes (F8).
const NUMBERS_MAX: usize = 16;
const APPROVED_WAITS: std::time::Duration = std::time::Duration::from_secs(10);

#[derive(Clone, Debug, Default)]
pub(crate) struct Rows {
    pub(crate) users: BTreeMap<&'static str, UserRow>,
    pub(crate) tokens: BTreeMap<&'static str, TokenRow>,
    pub(crate) prompts: BTreeMap<PromptId, PromptRow>,
    pub(crate) guesses: BTreeMap<[u8; 16], CodeOutcome>,
    pub(crate) typed: BTreeMap<[u8; 16], NumberOutcome>,
    pub(crate) bypasses: BTreeMap<BypassId, BypassRow>,
    pub(crate) records: BTreeMap<LoginId, RecordedAnswer>,
    /// The ledger: which login used which step or counter.
    pub(crate) uses: Vec<(LoginId, &'static str, u64)>,
    /// The ledger: which login failed with which code.
    pub(crate) failures: Vec<(LoginId, String)>,
    /// The ledger: which bypass let in which login, and when.
    pub(crate) bypassed: Vec<(BypassId, LoginId, Wall)>,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct UserRow {
    pub(crate) barred: bool,
    pub(crate) phones: BTreeSet<DeviceId>,
    pub(crate) buckets: BTreeMap<Option<String>, Bucket>,
    pub(crate) known: BTreeMap<String, Wall>,
    /// From where this user was let in, whatever opened the second door (D7).
    pub(crate) let_in: BTreeMap<String, Wall>,
    /// How often staff released the name (D7).
    pub(crate) lifts: u64,
    pub(crate) pushes: PushCounts,
    /// The ledger: how this user's prompts ended (D2).
    pub(crate) ends: Vec<(PromptEnd, Wall)>,
    /// The ledger: how codes went, by the bucket that counted (D1); true is a success.
    pub(crate) codes: Vec<(Option<String>, bool, Wall)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PromptEnd {
    Approved,
    Denied,
    Unanswered,
    /// A wrong number was typed.
    Slipped,
}

#[derive(Clone, Debug)]
pub(crate) struct TokenRow {
    pub(crate) owner: &'static str,
    pub(crate) method: Method,
    pub(crate) last_step: Option<u64>,
    pub(crate) counter: u64,
    pub(crate) active: bool,
}

/// A one-time bypass (F4).
#[derive(Clone, Debug)]
pub(crate) struct BypassRow {
    pub(crate) owner: &'static str,
    /// None: any client.
    pub(crate) client: Option<&'static str>,
    pub(crate) ends_at: Wall,
    pub(crate) spent: bool,
}

impl BypassRow {
    pub(crate) fn opens(&self, user: &str, client: &str, now: Wall) -> bool {
        self.owner == user && self.client.is_none_or(|bound| bound == client) && !self.spent && self.ends_at > now
    }
}

#[derive(Clone, Debug)]
pub(crate) struct PromptRow {
    pub(crate) user: String,
    pub(crate) login: LoginKey,
    pub(crate) ends_at: Wall,
    pub(crate) askers_until: Wall,
    pub(crate) station_known: bool,
    /// Asked before the password was (D7).
    pub(crate) unproven: bool,
    pub(crate) displaced: Option<PromptId>,
    pub(crate) state: PromptState,
    pub(crate) device: Option<DeviceId>,
    pub(crate) answered_at: Wall,
    /// The numbers that screens show; the yes must bring one of them (F8).
    pub(crate) shown: BTreeSet<Number>,
    /// The digits that the phone shows after a confirm; they come back through the challenge (F8).
    pub(crate) digits: Option<Number>,
    pub(crate) pin: bool,
    /// The number that came with the yes.
    pub(crate) chosen: Option<Number>,
    /// The phones that show the digits, the latest last.
    pub(crate) revealed: Vec<DeviceId>,
    /// The ledger: the digits that were typed, by whom, and whether they were right.
    pub(crate) typed: Vec<(LoginId, Number, bool)>,
    /// The ledger: what happened to it, in order.
    pub(crate) log: Vec<Happened>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Happened {
    Said(PhoneAnswer),
    Ended,
    Released(LoginId),
}

/// What a yes is worth (F8).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Yes {
    Counts,
    Wrong,
    NotLike,
}

/// What a phone learns of its answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Answered {
    /// This stands, by which device and with which number.
    Counts(PhoneAnswer, DeviceId, Option<Number>),
    /// It was another number than a screen's: the prompt is over (F8).
    WrongNumber,
    TooLate,
    /// It brings no number, or comes from a phone that may not: nothing changed (B4, F8).
    NotLike,
}

impl PromptRow {
    pub(crate) fn waited_for(&self, at: Wall) -> bool {
        let approved_lately = self.answered_at.plus(APPROVED_WAITS) > at;
        self.askers_until > at || (self.state == PromptState::Approved && approved_lately)
    }

    pub(crate) fn over(&self, at: Wall) -> bool {
        match self.state {
            // Rules B5: no prompt lasts longer than 120 s, so a later end tells of a clock that was stepped back.
            PromptState::Pending => self.ends_at <= at || self.ends_at > at.plus(PROMPT_LASTS_MAX),
            PromptState::Approved => {
                let since = self.answered_at;
                !self.waited_for(at) || since.plus(APPROVED_LASTS_MAX) <= at || since > at.plus(PROMPT_LASTS_MAX)
            }
            PromptState::Denied
            | PromptState::Fraud
            | PromptState::Unanswered
            | PromptState::Withdrawn
            | PromptState::Released => true,
        }
    }

    pub(crate) fn status(&self) -> PromptStatus {
        match (self.state, &self.device) {
            (PromptState::Pending, _) => PromptStatus::Pending,
            (PromptState::Approved, Some(device)) => {
                PromptStatus::Approved { device: device.clone(), at: self.answered_at }
            }
            (PromptState::Denied, _) => PromptStatus::Denied,
            (PromptState::Fraud, _) => PromptStatus::Reported,
            _ => PromptStatus::Ended,
        }
    }
}

/// One typed code.
#[derive(Debug)]
pub(crate) struct Typed<'a> {
    pub(crate) login: LoginId,
    pub(crate) user: &'a str,
    pub(crate) station: Option<&'a str>,
    pub(crate) code: &'a str,
    pub(crate) methods: &'a [Method],
}

enum Match {
    Right(&'static str, u64),
    Spent,
    None,
}

impl Rows {
    /// The bucket of a known station, or that of all the others together (D1).
    pub(crate) fn bucket_key(
        &self,
        person: &Person,
        station: Option<&str>,
        now: Wall,
        limits: &Limits,
    ) -> Option<String> {
        let known = &self.users.get(person.name)?.known;
        let success = known.get(station?)?;
        (now.since(*success) <= limits.station_known_for).then(|| station.map(str::to_owned))?
    }

    pub(crate) fn look_at(&mut self, typed: &Typed<'_>, now: Wall, limits: &Limits) -> CodeOutcome {
        let Some(person) = person_of(typed.user) else { return CodeOutcome::NoToken };
        let key = self.bucket_key(person, typed.station, now, limits);
        let bucket = self.users.get(person.name).and_then(|user| user.buckets.get(&key)).copied().unwrap_or_default();
        if let Some(until) = bucket.lock(now) {
            return CodeOutcome::Locked { until };
        }
        let tokens = self
            .tokens
            .iter()
            .filter(|(_, token)| token.owner == person.name && token.active && typed.methods.contains(&token.method));
        let tokens: Vec<_> = tokens.map(|(id, token)| (*id, token.clone())).collect();
        if tokens.is_empty() {
            return CodeOutcome::NoToken;
        }
        let (right, outcome) =
            match tokens.iter().map(|(id, token)| matches(id, token, typed.code, now)).fold(Match::None, better) {
                Match::Spent => return CodeOutcome::Spent,
                Match::None => (None, CodeOutcome::Wrong),
                Match::Right(id, moving) => {
                    let method = self.spend(id, moving);
                    (Some((id, moving)), CodeOutcome::Right { method, token: TokenId(id.into()) })
                }
            };
        let Some(user) = self.users.get_mut(person.name) else { return outcome };
        user.codes.push((key.clone(), right.is_some(), now));
        match right {
            Some((id, moving)) => {
                self.uses.push((typed.login, id, moving));
                user.buckets.insert(key, Bucket::default());
                if let Some(station) = typed.station {
                    user.buckets.insert(Some(station.to_owned()), Bucket::default());
                    user.known.insert(station.to_owned(), now);
                }
            }
            None => {
                self.failures.push((typed.login, typed.code.to_owned()));
                user.buckets.insert(key, bucket.after_failure(limits, now));
            }
        }
        outcome
    }

    fn spend(&mut self, id: &str, moving: u64) -> Method {
        let Some(token) = self.tokens.get_mut(id) else { return Method::Totp };
        match token.method {
            Method::Hotp => token.counter = moving + 1,
            Method::Totp | Method::Push => token.last_step = token.last_step.max(Some(moving)),
        }
        token.method
    }

    /// Nobody is let in without a phone's word any more, and what is out ends (A6, F4): a block, a report.
    pub(crate) fn bar(&mut self, name: &str) {
        if let Some(user) = self.users.get_mut(name) {
            user.barred = true;
        }
        self.bypasses.values_mut().filter(|row| row.owner == name).for_each(|row| row.spent = true);
        self.withdraw_open(name);
    }

    /// Whatever is out for this user is withdrawn (F5).
    pub(crate) fn withdraw_open(&mut self, name: &str) {
        let open = self.prompts.values_mut().filter(|row| row.user == name && row.state.is_open());
        open.for_each(|row| row.end(PromptState::Withdrawn));
    }

    pub(crate) fn expire(&mut self, prompt: PromptId, now: Wall, limits: &Limits) {
        let Some(row) = self.prompts.get_mut(&prompt) else { return };
        if row.state == PromptState::Approved {
            return row.end(PromptState::Withdrawn);
        }
        row.end(PromptState::Unanswered);
        if row.unproven {
            return;
        }
        let at = now.min(row.ends_at);
        if let Some(user) = self.users.get_mut(row.user.as_str()) {
            user.pushes = user.pushes.after_unanswered(limits, at);
            user.ends.push((PromptEnd::Unanswered, at));
        }
    }

    pub(crate) fn objection(
        &mut self,
        login: LoginId,
        client: &str,
        check: &ReleaseCheck,
        now: Wall,
    ) -> Option<&'static str> {
        let user = self.users.get(check.user.as_str());
        if user.is_some_and(|user| user.barred) {
            return Some("blocked");
        }
        let stands = match &check.means {
            Means::Excuse => true,
            Means::Bypass(id) => self.bypasses.get(id).is_some_and(|row| row.opens(check.user.as_str(), client, now)),
            Means::Token(TokenId(id)) => self.tokens.get(&**id).is_some_and(|token| token.active),
            Means::Prompt { device, .. } => user.is_some_and(|user| user.phones.contains(device)),
        };
        let refused = |id: &PromptId| {
            self.prompts.get(id).is_some_and(|p| matches!(p.state, PromptState::Denied | PromptState::Fraud))
        };
        if !stands || check.open_prompt.as_ref().is_some_and(refused) {
            return Some("changed");
        }
        if let Means::Prompt { prompt, device, number } = &check.means {
            let together = |row: &PromptRow| row.state == PromptState::Released && check.together == Some(row.login);
            let open = |row: &PromptRow| row.state == PromptState::Approved || together(row);
            let approved = self.prompts.get_mut(prompt).filter(|row| open(row));
            let Some(row) = approved else { return Some("prompt ended") };
            if row.device.as_ref() != Some(device) {
                return Some("another device");
            }
            // Rules F8: the number is compared once more, whatever led here.
            if row.chosen != *number {
                return Some("another number");
            }
            row.state = PromptState::Released;
            row.log.push(Happened::Released(login));
        }
        if let Means::Bypass(id) = &check.means {
            // Rules F4: spent by one compare-and-set, together with the release.
            self.bypasses.entry(id.clone()).and_modify(|row| row.spent = true);
            self.bypassed.push((id.clone(), login, now));
        }
        let other =
            check.open_prompt.filter(|open| !matches!(&check.means, Means::Prompt { prompt, .. } if prompt == open));
        if let Some(row) = other.and_then(|id| self.prompts.get_mut(&id)).filter(|row| row.state.is_open()) {
            row.end(PromptState::Withdrawn);
        }
        None
    }
}

impl UserRow {
    /// No phone rings before then: of nobody who is barred, or whose pushes are quiet (A6, D2).
    pub(crate) fn quiet(&self, now: Wall) -> Option<Wall> {
        if self.barred { Some(Wall::NEVER) } else { self.pushes.quiet(now) }
    }

    /// The quiet time that would follow if this prompt gave way (D2).
    pub(crate) fn quiet_without(&self, open: &PromptRow, now: Wall, limits: &Limits) -> Option<Wall> {
        let counts = open.state == PromptState::Pending;
        let after = if counts { self.pushes.after_unanswered(limits, now.min(open.ends_at)) } else { self.pushes };
        self.quiet(now).or_else(|| after.quiet(now))
    }

    pub(crate) fn phone_said(&mut self, said: &PhoneAnswer, before: PromptState, now: Wall, limits: &Limits) {
        match said {
            PhoneAnswer::Approve => {
                self.pushes = self.pushes.after_approval();
                self.ends.push((PromptEnd::Approved, now));
                for bucket in self.buckets.values_mut().filter(|bucket| bucket.locked_until == Some(Wall::NEVER)) {
                    *bucket = Bucket::default();
                }
            }
            PhoneAnswer::Deny | PhoneAnswer::Fraud => {
                if before.is_open() {
                    self.pushes = self.pushes.after_denial(limits, now);
                    self.ends.push((PromptEnd::Denied, now));
                }
            }
        }
    }
}

impl PromptRow {
    pub(crate) fn of(claim: &PromptClaim, displaced: Option<PromptId>) -> Self {
        Self {
            user: claim.user.as_str().to_owned(),
            login: claim.login,
            ends_at: claim.ends_at,
            askers_until: claim.askers_until,
            station_known: claim.station_known,
            unproven: claim.unproven,
            displaced,
            state: PromptState::Pending,
            device: None,
            answered_at: Wall(0),
            shown: BTreeSet::new(),
            digits: None,
            pin: claim.asks.pin,
            chosen: None,
            revealed: Vec::new(),
            typed: Vec::new(),
            log: Vec::new(),
        }
        .asking(claim.asks)
    }

    /// A login that joins adds its number to those that the prompt takes; the digits stay those of the first (F8).
    pub(crate) fn asking(mut self, asks: Asks) -> Self {
        self.ask(asks);
        self
    }

    pub(crate) fn ask(&mut self, asks: Asks) {
        match asks.number {
            NumberMatch::Off => {}
            NumberMatch::Shown(number) => self.shown.extend([number]),
            NumberMatch::Typed(number) => self.digits = self.digits.or(Some(number)),
        }
    }

    /// A login may join: it asks for a number of the same kind, and for no PIN that is not asked for. An approval is joined
    /// by the screen alone whose number was chosen; digits were typed into one screen, and it was that one's yes (B2, F8).
    pub(crate) fn asks_like(&self, asks: Asks) -> bool {
        let approved = self.state == PromptState::Approved;
        let kind = match asks.number {
            NumberMatch::Off => self.shown.is_empty() && self.digits.is_none(),
            NumberMatch::Shown(number) if approved => self.chosen == Some(number),
            NumberMatch::Shown(number) => {
                !self.shown.is_empty() && (self.shown.contains(&number) || self.shown.len() < NUMBERS_MAX)
            }
            NumberMatch::Typed(_) => self.digits.is_some() && !approved,
        };
        kind && (self.pin || !asks.pin)
    }

    /// What a yes with this number is: no yes at all where the digits come back through the challenge, or where a number is
    /// asked for and none comes; a denial where it is on no screen (F8).
    pub(crate) fn weighs(&self, number: Option<Number>) -> Yes {
        match (self.digits, number) {
            (Some(_), _) => Yes::NotLike,
            (None, _) if self.shown.is_empty() => Yes::Counts,
            (None, None) => Yes::NotLike,
            (None, Some(number)) if self.shown.contains(&number) => Yes::Counts,
            (None, Some(_)) => Yes::Wrong,
        }
    }

    pub(crate) fn end(&mut self, state: PromptState) {
        self.state = state;
        self.log.push(Happened::Ended);
    }
}

fn better(so_far: Match, next: Match) -> Match {
    match (so_far, next) {
        (right @ Match::Right(..), _) | (Match::Spent | Match::None, right @ Match::Right(..)) => right,
        (Match::Spent, _) | (Match::None, Match::Spent) => Match::Spent,
        (Match::None, Match::None) => Match::None,
    }
}

fn matches(id: &'static str, token: &TokenRow, code: &str, now: Wall) -> Match {
    let step = now.0 / STEP_MS;
    let (first, last) = match token.method {
        Method::Hotp => (token.counter, token.counter + 10),
        Method::Totp | Method::Push => (step - 1, step + 1),
    };
    let Some(found) = (first..=last).find(|moving| code_of(id, *moving) == code) else { return Match::None };
    let fresh = match token.method {
        Method::Hotp => fresh_counter(token.counter, found),
        Method::Totp | Method::Push => fresh_step(token.last_step, found),
    };
    if fresh { Match::Right(id, found) } else { Match::Spent }
}
