//! A model of the store: what is committed is lost in a crash until it is synced, and nothing is told before.
//!
//! Beside its rows it keeps a ledger of what really happened (uses, failures, what each phone said, in their order); the
//! ledger is rolled back with the rows, and the invariants read it instead of the rows' own verdicts.

use std::collections::BTreeMap;

use login::codes::{fresh_counter, fresh_step};
use login::limits::{Bucket, Limits, PushCounts};
use login::prompt::PromptState;
use login::{
    Claim, CodeOutcome, DeviceId, LoginId, LoginKey, Means, Method, PhoneAnswer, PromptClaim, PromptClose, PromptId,
    PromptStatus, RecordedAnswer, ReleaseCheck, ReleaseOutcome, TokenId, UserFacts, Wall,
};

use crate::scene::{PEOPLE, Person, STEP_MS, code_of, person_of};

const APPROVED_WAITS_MS: u64 = 10_000;

/// The store: what is durable, and what is committed on top of it.
#[derive(Debug)]
pub(crate) struct Store {
    pub(crate) durable: Rows,
    pub(crate) current: Rows,
    pub(crate) limits: Limits,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Rows {
    pub(crate) users: BTreeMap<&'static str, UserRow>,
    pub(crate) tokens: BTreeMap<&'static str, TokenRow>,
    pub(crate) prompts: BTreeMap<PromptId, PromptRow>,
    guesses: BTreeMap<[u8; 16], CodeOutcome>,
    pub(crate) records: BTreeMap<LoginId, RecordedAnswer>,
    /// The ledger: which login used which step or counter.
    pub(crate) uses: Vec<(LoginId, &'static str, u64)>,
    /// The ledger: which login failed with which code.
    pub(crate) failures: Vec<(LoginId, String)>,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct UserRow {
    pub(crate) barred: bool,
    pub(crate) phone: bool,
    buckets: BTreeMap<Option<String>, Bucket>,
    known: BTreeMap<String, Wall>,
    pushes: PushCounts,
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
}

#[derive(Clone, Debug)]
pub(crate) struct TokenRow {
    pub(crate) owner: &'static str,
    pub(crate) method: Method,
    pub(crate) last_step: Option<u64>,
    pub(crate) counter: u64,
    pub(crate) active: bool,
}

#[derive(Clone, Debug)]
pub(crate) struct PromptRow {
    pub(crate) user: String,
    pub(crate) login: LoginKey,
    pub(crate) ends_at: Wall,
    askers_until: Wall,
    station_known: bool,
    displaced: Option<PromptId>,
    pub(crate) state: PromptState,
    device: Option<DeviceId>,
    answered_at: Wall,
    /// The ledger: what happened to it, in order.
    pub(crate) log: Vec<Happened>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Happened {
    Said(PhoneAnswer),
    Ended,
    Released(LoginId),
}

/// What a phone learns of its answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Answered {
    Counts(PhoneAnswer),
    TooLate,
}

impl PromptRow {
    fn waited_for(&self, at: Wall) -> bool {
        let approved_lately = self.answered_at.plus(std::time::Duration::from_millis(APPROVED_WAITS_MS)) > at;
        self.askers_until > at || (self.state == PromptState::Approved && approved_lately)
    }

    fn over(&self, at: Wall) -> bool {
        match self.state {
            PromptState::Pending => self.ends_at <= at,
            PromptState::Approved => !self.waited_for(at),
            PromptState::Denied
            | PromptState::Fraud
            | PromptState::Unanswered
            | PromptState::Withdrawn
            | PromptState::Released => true,
        }
    }

    fn status(&self) -> PromptStatus {
        match (self.state, &self.device) {
            (PromptState::Pending, _) => PromptStatus::Pending,
            (PromptState::Approved, Some(device)) => {
                PromptStatus::Approved { device: device.clone(), at: self.answered_at }
            }
            _ => PromptStatus::Ended,
        }
    }
}

impl Store {
    pub(crate) fn new() -> Self {
        let mut rows = Rows::default();
        for person in &PEOPLE {
            rows.users.insert(person.name, UserRow { phone: person.phone, ..UserRow::default() });
            let mut token = |id: Option<&'static str>, method| {
                let row = TokenRow { owner: person.name, method, last_step: None, counter: 0, active: true };
                id.into_iter().for_each(|id| drop(rows.tokens.insert(id, row.clone())));
            };
            token(person.totp, Method::Totp);
            token(person.hotp, Method::Hotp);
        }
        Self { durable: rows.clone(), current: rows, limits: Limits::default() }
    }

    pub(crate) fn sync(&mut self) {
        self.durable.clone_from(&self.current);
    }

    /// Power is lost: what was not synced never happened.
    pub(crate) fn lose_unsynced(&mut self) {
        self.current.clone_from(&self.durable);
    }

    /// What a login needs to know; reads see what is durable.
    pub(crate) fn facts(&self, user: &str, station: Option<&str>, now: Wall) -> UserFacts {
        let (Some(person), Some(row)) = (person_of(user), self.durable.users.get(user)) else {
            return UserFacts::default();
        };
        let token = |method| self.durable.tokens.values().any(|t| t.owner == user && t.active && t.method == method);
        let methods =
            [(Method::Push, row.phone), (Method::Totp, token(Method::Totp)), (Method::Hotp, token(Method::Hotp))];
        let bucket = self.durable.bucket_key(person, station, now, &self.limits);
        UserFacts {
            known: true,
            blocked: row.barred.then(|| "blocked".into()),
            groups: person.groups.iter().map(|group| login::GroupName::folded(group)).collect(),
            ever_enrolled: person.phone || person.totp.is_some() || person.hotp.is_some(),
            methods: methods.iter().filter(|(_, has)| *has).map(|(method, _)| *method).collect(),
            codes: row.buckets.get(&bucket).copied().unwrap_or_default(),
            station_known: bucket.is_some(),
            pushes_quiet_until: row.pushes.quiet(now),
        }
    }

    /// One guess; repeated under its number it says what it said (C1).
    pub(crate) fn check_code(&mut self, guess: [u8; 16], typed: &Typed<'_>, now: Wall) -> CodeOutcome {
        if let Some(said) = self.current.guesses.get(&guess) {
            return said.clone();
        }
        let outcome = self.current.look_at(typed, now, &self.limits);
        self.current.guesses.insert(guess, outcome.clone());
        outcome
    }

    pub(crate) fn claim(&mut self, claim: &PromptClaim, now: Wall) -> Claim {
        let limits = self.limits.clone();
        let rows = &mut self.current;
        if let Some(mine) = rows.prompts.get(&claim.prompt) {
            return Claim::Claimed { displaced: mine.displaced };
        }
        let open = rows.prompts.iter().find(|(_, p)| p.user == claim.user.as_str() && p.state.is_open());
        let mut displaced = None;
        if let Some((id, open)) = open.map(|(id, open)| (*id, open.clone())) {
            let gives_way = !open.waited_for(now)
                || (open.state == PromptState::Pending && !open.station_known && claim.station_known);
            if open.over(now) {
                rows.expire(id, now, &limits);
            } else if open.login == claim.login {
                self.extend(id, claim.askers_until);
                return Claim::Joined { prompt: id, ends_at: open.ends_at, status: open.status() };
            } else if !gives_way {
                return Claim::Busy;
            } else {
                rows.expire(id, now, &limits);
                displaced = Some(id);
            }
        }
        if let Some(until) = rows.users.get(claim.user.as_str()).and_then(|user| user.pushes.quiet(now)) {
            return Claim::Quiet { until };
        }
        rows.prompts.insert(claim.prompt, PromptRow::of(claim, displaced));
        Claim::Claimed { displaced }
    }

    pub(crate) fn extend(&mut self, prompt: PromptId, askers_until: Wall) {
        if let Some(row) = self.current.prompts.get_mut(&prompt).filter(|row| row.state.is_open()) {
            row.askers_until = row.askers_until.max(askers_until);
        }
    }

    pub(crate) fn close(&mut self, prompt: PromptId, why: PromptClose, now: Wall) {
        let limits = self.limits.clone();
        let Some(row) = self.current.prompts.get_mut(&prompt).filter(|row| row.state.is_open()) else { return };
        match why {
            PromptClose::Unanswered => self.current.expire(prompt, now, &limits),
            PromptClose::Withdrawn => row.end(PromptState::Withdrawn),
        }
    }

    /// A phone answers: what counts from now on.
    pub(crate) fn answer(&mut self, prompt: PromptId, device: &DeviceId, said: &PhoneAnswer, now: Wall) -> Answered {
        let limits = self.limits.clone();
        let Some(row) = self.current.prompts.get_mut(&prompt) else { return Answered::TooLate };
        if row.state == PromptState::Pending && row.over(now) {
            self.current.expire(prompt, now, &limits);
            return Answered::TooLate;
        }
        row.log.push(Happened::Said(said.clone()));
        let before = row.state;
        row.state = before.after(said);
        if row.state != before {
            (row.device, row.answered_at) = (Some(device.clone()), now);
        }
        let (state, name) = (row.state, row.user.clone());
        let Some(user) = self.current.users.get_mut(name.as_str()) else { return Answered::TooLate };
        if state != before {
            user.phone_said(said, before, now, &limits);
        } else if *said == PhoneAnswer::Fraud {
            user.barred = true;
        }
        match state {
            PromptState::Approved => Answered::Counts(PhoneAnswer::Approve),
            PromptState::Denied => Answered::Counts(PhoneAnswer::Deny),
            PromptState::Fraud => Answered::Counts(PhoneAnswer::Fraud),
            PromptState::Pending | PromptState::Unanswered | PromptState::Withdrawn | PromptState::Released => {
                Answered::TooLate
            }
        }
    }

    /// The last look and the record, in one commit (A6, F2).
    pub(crate) fn release(&mut self, login: LoginId, check: &ReleaseCheck) -> ReleaseOutcome {
        if let Some(answer) = self.current.records.get(&login) {
            let granted = *answer == RecordedAnswer::Accept;
            return if granted { ReleaseOutcome::Granted } else { ReleaseOutcome::Refused("answered already".into()) };
        }
        if let Some(why) = self.current.objection(login, check) {
            return ReleaseOutcome::Refused(why.into());
        }
        self.current.records.insert(login, RecordedAnswer::Accept);
        ReleaseOutcome::Granted
    }

    pub(crate) fn record(&mut self, login: LoginId, answer: RecordedAnswer) {
        self.current.records.entry(login).or_insert(answer);
    }

    pub(crate) fn block(&mut self, user: &str, barred: bool) {
        let Some(row) = self.current.users.get_mut(user) else { return };
        row.barred = barred;
        let open = self.current.prompts.values_mut().filter(|row| barred && row.user == user && row.state.is_open());
        open.for_each(|row| row.end(PromptState::Withdrawn));
    }

    pub(crate) fn remove_methods(&mut self, user: &str) {
        self.current.tokens.values_mut().filter(|token| token.owner == user).for_each(|token| token.active = false);
        if let Some(row) = self.current.users.get_mut(user) {
            row.phone = false;
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
    fn bucket_key(&self, person: &Person, station: Option<&str>, now: Wall, limits: &Limits) -> Option<String> {
        let known = &self.users.get(person.name)?.known;
        let success = known.get(station?)?;
        (now.since(*success) <= limits.station_known_for).then(|| station.map(str::to_owned))?
    }

    fn look_at(&mut self, typed: &Typed<'_>, now: Wall, limits: &Limits) -> CodeOutcome {
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

    fn expire(&mut self, prompt: PromptId, now: Wall, limits: &Limits) {
        let Some(row) = self.prompts.get_mut(&prompt) else { return };
        if row.state == PromptState::Approved {
            return row.end(PromptState::Withdrawn);
        }
        row.end(PromptState::Unanswered);
        let at = now.min(row.ends_at);
        if let Some(user) = self.users.get_mut(row.user.as_str()) {
            user.pushes = user.pushes.after_unanswered(limits, at);
            user.ends.push((PromptEnd::Unanswered, at));
        }
    }

    fn objection(&mut self, login: LoginId, check: &ReleaseCheck) -> Option<&'static str> {
        let user = self.users.get(check.user.as_str());
        if user.is_some_and(|user| user.barred) {
            return Some("blocked");
        }
        let stands = match &check.means {
            Means::Excuse => true,
            Means::Token(TokenId(id)) => self.tokens.get(&**id).is_some_and(|token| token.active),
            Means::Prompt { .. } => user.is_some_and(|user| user.phone),
        };
        let refused = |id: &PromptId| {
            self.prompts.get(id).is_some_and(|p| matches!(p.state, PromptState::Denied | PromptState::Fraud))
        };
        if !stands || check.open_prompt.as_ref().is_some_and(refused) {
            return Some("changed");
        }
        if let Means::Prompt { prompt, device } = &check.means {
            let approved = self.prompts.get_mut(prompt).filter(|row| row.state == PromptState::Approved);
            let Some(row) = approved else { return Some("prompt ended") };
            if row.device.as_ref() != Some(device) {
                return Some("another device");
            }
            row.state = PromptState::Released;
            row.log.push(Happened::Released(login));
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
    fn phone_said(&mut self, said: &PhoneAnswer, before: PromptState, now: Wall, limits: &Limits) {
        match said {
            PhoneAnswer::Approve => {
                self.pushes = self.pushes.after_approval();
                self.ends.push((PromptEnd::Approved, now));
                for bucket in self.buckets.values_mut().filter(|bucket| bucket.locked_until == Some(Wall::NEVER)) {
                    *bucket = Bucket::default();
                }
            }
            PhoneAnswer::Deny | PhoneAnswer::Fraud => {
                self.barred |= *said == PhoneAnswer::Fraud;
                if before.is_open() {
                    self.pushes = self.pushes.after_denial(limits, now);
                    self.ends.push((PromptEnd::Denied, now));
                }
            }
        }
    }
}

impl PromptRow {
    fn of(claim: &PromptClaim, displaced: Option<PromptId>) -> Self {
        Self {
            user: claim.user.as_str().to_owned(),
            login: claim.login,
            ends_at: claim.ends_at,
            askers_until: claim.askers_until,
            station_known: claim.station_known,
            displaced,
            state: PromptState::Pending,
            device: None,
            answered_at: Wall(0),
            log: Vec::new(),
        }
    }

    fn end(&mut self, state: PromptState) {
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
