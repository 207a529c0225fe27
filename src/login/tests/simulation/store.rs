//! A model of the store: what is committed is lost in a crash until it is synced, and nothing is told before.
//!
//! Beside its rows it keeps a ledger of what really happened (uses, failures, what each phone said, in their order); the
//! ledger is rolled back with the rows, and the invariants read it instead of the rows' own verdicts.

use login::limits::{Bucket, Limits};
use login::prompt::PromptState;
use login::{
    BypassId, Claim, CodeOutcome, DeviceId, LoginId, Means, Method, Number, NumberOutcome, PhoneAnswer, PromptClaim,
    PromptClose, PromptId, Record, RecordedAnswer, ReleaseCheck, ReleaseOutcome, UserFacts, Wall,
};

pub(crate) use crate::rows::{Answered, Happened, PromptEnd, PromptRow, Typed};

use crate::rows::{BypassRow, Rows, TokenRow, UserRow, Yes};
use crate::scene::{KNOWN, PEOPLE, person_of};

/// The store: what is durable, and what is committed on top of it.
#[derive(Debug)]
pub(crate) struct Store {
    pub(crate) durable: Rows,
    pub(crate) current: Rows,
    pub(crate) limits: Limits,
}

impl Store {
    pub(crate) fn new() -> Self {
        let mut rows = Rows::default();
        for person in PEOPLE.iter().filter(|person| person.known) {
            let phones = person.phones.iter().map(|name| DeviceId((*name).into())).collect();
            rows.users.insert(person.name, UserRow { phones, ..UserRow::default() });
            let mut token = |id: Option<&'static str>, method| {
                let row = TokenRow { owner: person.name, method, last_step: None, counter: 0, active: true };
                rows.tokens.extend(id.map(|id| (id, row)));
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
    pub(crate) fn facts(&self, user: &str, station: Option<&str>, client: &str, now: Wall) -> UserFacts {
        let (Some(person), Some(row)) = (person_of(user), self.durable.users.get(user)) else {
            let looks_like = person_of(user).and_then(|person| person.looks_like).map(login::ResolvedUser::new);
            return UserFacts { looks_like, ..UserFacts::default() };
        };
        let token = |method| self.durable.tokens.values().any(|t| t.owner == user && t.active && t.method == method);
        let methods = [
            (Method::Push, !row.phones.is_empty()),
            (Method::Totp, token(Method::Totp)),
            (Method::Hotp, token(Method::Hotp)),
        ];
        let bucket = self.durable.bucket_key(person, station, now, &self.limits);
        UserFacts {
            known: true,
            spelled: Some(person.name.into()),
            blocked: row.barred.then(|| "blocked".into()),
            groups: person.groups.iter().chain([&KNOWN]).map(|group| login::GroupName::folded(group)).collect(),
            ever_enrolled: !person.phones.is_empty() || person.totp.is_some() || person.hotp.is_some(),
            methods: methods.iter().filter(|(_, has)| *has).map(|(method, _)| *method).collect(),
            codes: row.buckets.get(&bucket).copied().unwrap_or_default(),
            station_known: bucket.is_some(),
            station_let_in: station.is_some_and(|station| row.let_in.contains_key(station)),
            shield_lifts: row.lifts,
            pushes_quiet_until: row.pushes.quiet(now),
            prefers: person.prefers,
            has_bypass: self.durable.bypasses.values().any(|row| row.owner == user && !row.spent && row.ends_at > now),
            bypass: self
                .durable
                .bypasses
                .iter()
                .find(|(_, row)| row.opens(user, client, now))
                .map(|(id, _)| id.clone()),
            chooses_number: person.chooses_number && !row.phones.is_empty(),
            types_number: person.types_number && !row.phones.is_empty(),
            pin_phones: person.pin_phones && !row.phones.is_empty(),
            must_open: person.must_open,
            ..UserFacts::default()
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

    /// As the real store's `claim`, step by step. None: the user has no phone that could ring, which the login is told as an
    /// outage.
    pub(crate) fn claim(&mut self, claim: &PromptClaim, now: Wall) -> Option<Claim> {
        let limits = self.limits.clone();
        let rows = &mut self.current;
        if let Some(mine) = rows.prompts.get(&claim.prompt) {
            return Some(Claim::Claimed { displaced: mine.displaced });
        }
        let owner = rows.users.get(claim.user.as_str())?.clone();
        let open = rows.prompts.iter().find(|(_, p)| p.user == claim.user.as_str() && p.state.is_open());
        let mut displaced = None;
        if let Some((id, open)) = open.map(|(id, open)| (*id, open.clone())) {
            let stranger = open.state == PromptState::Pending && !open.station_known && claim.station_known;
            // Rules D5: a login that began with a bare packet displaces nobody's prompt.
            let gives_way = claim.authentic && (!open.waited_for(now) || stranger);
            if open.over(now) {
                rows.expire(id, now, &limits);
            } else if claim.unproven {
                return Some(Claim::Busy);
            } else if open.unproven {
                rows.prompts.entry(id).and_modify(|row| row.end(PromptState::Withdrawn));
                displaced = Some(id);
            } else if open.login == claim.login && !open.asks_like(claim.asks) {
                // Rules B4, F8: it asks for less than this login must have proved, or for a number of another kind, or said yes to
                // another screen: it is none of its.
                return Some(Claim::Busy);
            } else if open.login == claim.login {
                self.extend(id, claim.askers_until);
                self.current.prompts.entry(id).and_modify(|row| row.ask(claim.asks));
                let open = self.current.prompts.get(&id).unwrap_or(&open);
                return Some(Claim::Joined { prompt: id, ends_at: open.ends_at, status: open.status() });
            } else if !gives_way {
                return Some(Claim::Busy);
            } else if let Some(until) = owner.quiet_without(&open, now, &limits) {
                // No phone would ring in its place, so it stays (B2, D2).
                return Some(Claim::Quiet { until });
            } else {
                rows.expire(id, now, &limits);
                displaced = Some(id);
            }
        }
        let owner = rows.users.get(claim.user.as_str()).filter(|user| !user.phones.is_empty())?;
        if let Some(until) = owner.quiet(now) {
            return Some(Claim::Quiet { until });
        }
        rows.prompts.insert(claim.prompt, PromptRow::of(claim, displaced));
        Some(Claim::Claimed { displaced })
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
            // Only pages use a yes outright: a login's is released.
            PromptClose::Unanswered | PromptClose::Used => self.current.expire(prompt, now, &limits),
            PromptClose::Withdrawn => row.end(PromptState::Withdrawn),
        }
    }

    /// A phone answers: what counts from now on.
    pub(crate) fn answer(
        &mut self,
        prompt: PromptId,
        device: &DeviceId,
        said: &PhoneAnswer,
        number: Option<Number>,
        now: Wall,
    ) -> Answered {
        let limits = self.limits.clone();
        let Some(row) = self.current.prompts.get_mut(&prompt) else { return Answered::TooLate };
        let phones = self.current.users.get(row.user.as_str()).map(|user| &user.phones);
        if !phones.is_some_and(|phones| phones.contains(device)) {
            return Answered::NotLike;
        }
        if row.state == PromptState::Pending && row.over(now) {
            let owner = row.user.clone();
            self.current.expire(prompt, now, &limits);
            // Too late to stop this login, but not too late to know that somebody has the password.
            if *said == PhoneAnswer::Fraud {
                self.current.bar(&owner);
            }
            return Answered::TooLate;
        }
        // Rules F5: after a confirm that shows digits, the same phone's decline is its app's "Done".
        if *said == PhoneAnswer::Deny && row.state.after(said) == PromptState::Denied && row.revealed.contains(device) {
            let stands = self.stands(prompt, device, None);
            return if stands == Answered::TooLate { Answered::NotLike } else { stands };
        }
        if *said == PhoneAnswer::Approve && row.state == PromptState::Pending {
            match row.weighs(number) {
                Yes::NotLike => return Answered::NotLike,
                Yes::Wrong => return self.slip(prompt, device, now),
                Yes::Counts => row.chosen = number.filter(|_| !row.shown.is_empty()),
            }
        }
        let before = self.current.prompts.get(&prompt).map(|row| row.state);
        self.say(prompt, device, said, now);
        self.stands(prompt, device, before)
    }

    /// A wrong number was typed on the phone: it ends the login, and the second within ten minutes counts as a denial (F8).
    fn slip(&mut self, prompt: PromptId, device: &DeviceId, now: Wall) -> Answered {
        let limits = self.limits.clone();
        let Some(row) = self.current.prompts.get_mut(&prompt) else { return Answered::TooLate };
        row.log.push(Happened::Said(PhoneAnswer::Deny));
        (row.state, row.device, row.answered_at) = (PromptState::Denied, Some(device.clone()), now);
        if let Some(user) = self.current.users.get_mut(row.user.as_str()) {
            user.pushes = user.pushes.after_wrong_number(&limits, now);
            user.ends.push((PromptEnd::Slipped, now));
        }
        Answered::WrongNumber
    }

    /// What is said to a prompt, by a phone or by the third wrong digits, moves it as [`PromptState::after`] says.
    fn say(&mut self, prompt: PromptId, device: &DeviceId, said: &PhoneAnswer, now: Wall) {
        let limits = self.limits.clone();
        let Some(row) = self.current.prompts.get_mut(&prompt) else { return };
        row.log.push(Happened::Said(said.clone()));
        let before = row.state;
        row.state = before.after(said);
        if row.state != before {
            (row.device, row.answered_at) = (Some(device.clone()), now);
        }
        let (state, name, unproven) = (row.state, row.user.clone(), row.unproven);
        let Some(user) = self.current.users.get_mut(name.as_str()) else { return };
        if state != before && !unproven {
            user.phone_said(said, before, now, &limits);
        }
        if *said == PhoneAnswer::Fraud {
            self.current.bar(&name);
        }
    }

    /// The answer that stands now. A repeat of it brings no number: whose it would be is long decided.
    fn stands(&self, prompt: PromptId, device: &DeviceId, before: Option<PromptState>) -> Answered {
        let Some(row) = self.current.prompts.get(&prompt) else { return Answered::TooLate };
        let number = row.chosen.filter(|_| before == Some(PromptState::Pending));
        let counts = |answer| Answered::Counts(answer, device.clone(), number);
        match row.state {
            PromptState::Approved => counts(PhoneAnswer::Approve),
            PromptState::Denied => counts(PhoneAnswer::Deny),
            PromptState::Fraud => counts(PhoneAnswer::Fraud),
            PromptState::Pending | PromptState::Unanswered | PromptState::Withdrawn | PromptState::Released => {
                Answered::TooLate
            }
        }
    }

    /// The phone's owner has read who asks, and confirms: now it shows the digits (F8).
    pub(crate) fn reveal(&mut self, prompt: PromptId, device: &DeviceId, now: Wall) -> Option<Number> {
        let row = self.current.prompts.get_mut(&prompt)?;
        let owner = self.current.users.get(row.user.as_str())?;
        if row.state != PromptState::Pending || row.over(now) || !owner.phones.contains(device) {
            return None;
        }
        let digits = row.digits?;
        row.revealed.retain(|other| other != device);
        row.revealed.push(device.clone());
        Some(digits)
    }

    /// The digits come back: committed before anyone learns of it, the third wrong ones deny; repeated under its number a
    /// guess says what it said (F8, C1).
    pub(crate) fn type_number(
        &mut self,
        guess: [u8; 16],
        login: LoginId,
        prompt: PromptId,
        typed: Number,
        now: Wall,
    ) -> NumberOutcome {
        if let Some(said) = self.current.typed.get(&guess) {
            let stands = |row: &PromptRow| matches!(row.state, PromptState::Approved | PromptState::Released);
            let denied_since =
                matches!(said, NumberOutcome::Right { .. }) && !self.current.prompts.get(&prompt).is_some_and(stands);
            return if denied_since { NumberOutcome::Wrong } else { said.clone() };
        }
        let outcome = self.look_at_digits(login, prompt, typed, now);
        self.current.typed.insert(guess, outcome.clone());
        outcome
    }

    fn look_at_digits(&mut self, login: LoginId, prompt: PromptId, typed: Number, now: Wall) -> NumberOutcome {
        const WRONG_MAX: usize = 3;
        let Some(row) = self.current.prompts.get_mut(&prompt) else { return NumberOutcome::Wrong };
        let Some(owner) = self.current.users.get(row.user.as_str()) else { return NumberOutcome::Wrong };
        let shown_on = row.revealed.iter().rev().find(|device| owner.phones.contains(*device)).cloned();
        let Some(device) = shown_on.filter(|_| row.state == PromptState::Pending && !row.over(now)) else {
            return NumberOutcome::Wrong;
        };
        let right = row.digits == Some(typed);
        row.typed.push((login, typed, right));
        if right {
            self.say(prompt, &device, &PhoneAnswer::Approve, now);
            return NumberOutcome::Right { device };
        }
        if row.typed.len() < WRONG_MAX {
            return NumberOutcome::Wrong;
        }
        self.say(prompt, &device, &PhoneAnswer::Deny, now);
        NumberOutcome::Denied
    }

    /// The last look and the record, in one commit (A6, F2).
    pub(crate) fn release(&mut self, record: &Record, check: &ReleaseCheck, now: Wall) -> ReleaseOutcome {
        let login = record.login;
        if let Some(answer) = self.current.records.get(&login) {
            let granted = *answer == RecordedAnswer::Accept;
            return if granted { ReleaseOutcome::Granted } else { ReleaseOutcome::Refused("answered already".into()) };
        }
        if let Some(why) = self.current.objection(login, record.client.as_str(), check, now) {
            return ReleaseOutcome::Refused(why.into());
        }
        self.current.records.insert(login, RecordedAnswer::Accept);
        let station = record.station.as_ref().map(|station| String::from_utf8_lossy(station.octets()).into_owned());
        if let (Some(station), Some(user)) = (station, self.current.users.get_mut(check.user.as_str())) {
            user.let_in.insert(station.clone(), now);
            if let Means::Prompt { .. } = check.means {
                // A factor was proved from there: its codes count apart, and begin anew (D1).
                user.known.insert(station.clone(), now);
                user.buckets.insert(Some(station.clone()), Bucket::default());
                user.codes.push((Some(station), true, now));
            }
        }
        ReleaseOutcome::Granted
    }

    pub(crate) fn record(&mut self, login: LoginId, answer: RecordedAnswer) {
        self.current.records.entry(login).or_insert(answer);
    }

    pub(crate) fn block(&mut self, user: &str, barred: bool) {
        if barred {
            return self.current.bar(user);
        }
        // Rules D1: an admin forgets what was counted; so does the ledger.
        let Some(row) = self.current.users.get_mut(user) else { return };
        let (phones, known) = (std::mem::take(&mut row.phones), std::mem::take(&mut row.known));
        let (let_in, lifts) = (std::mem::take(&mut row.let_in), row.lifts + 1);
        *row = UserRow { phones, known, let_in, lifts, ..UserRow::default() };
    }

    pub(crate) fn remove_methods(&mut self, user: &str) {
        self.current.tokens.values_mut().filter(|token| token.owner == user).for_each(|token| token.active = false);
        if let Some(row) = self.current.users.get_mut(user) {
            row.phones.clear();
        }
        self.current.withdraw_open(user);
    }

    /// A phone is taken away; whatever its owner is asked is asked no more (F5).
    pub(crate) fn remove_phone(&mut self, user: &str, name: &str) {
        if let Some(row) = self.current.users.get_mut(user) {
            row.phones.retain(|device| &*device.0 != name);
        }
        self.current.withdraw_open(user);
    }

    /// The help desk grants a bypass, of which nobody asks whether its owner is staff (F4).
    pub(crate) fn grant(&mut self, owner: &'static str, client: Option<&'static str>, ends_at: Wall) {
        let id = BypassId(format!("b{}", self.current.bypasses.len()).into());
        self.current.bypasses.insert(id, BypassRow { owner, client, ends_at, spent: false });
    }
}
