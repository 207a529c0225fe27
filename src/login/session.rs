//! What one L is owed: its logins, its one prompt, and the routing of each request to them (rules B2, C3).
//!
//! [`Session::admit`] is pure and says what a request is to the session: the beginning of a login, the answer to a
//! challenge, a re-ask that joins, the repeat of an answer, or nothing. "One login, one prompt" lives here. The
//! engine holds sessions in a map by L, finds them by State too, and performs what they ask; it decides nothing.

use std::sync::Arc;
use std::time::Duration;

use crate::answer::Answer;
use crate::attempt::Attempt;
use crate::event::{Context, Effect, Event, LoginEvent, PushFailure, Question};
use crate::facts::NumberOutcome;
use crate::key::{LoginKey, Proof, StateHash};
use crate::machine::{Approval, Login, OpenPrompt, Step};
use crate::moment::{Moment, Tick};
use crate::mutant::{self, Mutant};
use crate::name::{ClientName, RuleName, Station};
use crate::policy::Join;
use crate::prompt::{DeviceId, Number, PhoneAnswer, PromptClose, PromptId, PromptStatus};
use crate::record::{LoginId, Reason};

/// Different credentials that one L may try at the same time; more are refused without effect (G1).
const LOGINS_MAX: usize = 8;

/// How long an approval without any asker waits for the same login's re-ask (A8).
const APPROVAL_WAITS: Duration = Duration::from_secs(10);

/// What a request is to its session.
#[derive(Clone, Debug)]
pub enum Admission {
    /// A login begins.
    Begin,
    /// The answer to the challenge that is open.
    Resume(LoginId),
    /// The same answer to the same State once more, while the first is looked at (C3).
    Twin(LoginId, StateHash),
    /// The same login asks again (B2).
    Join(LoginId),
    /// The answer to a challenge whose login the phone has ended: it hears how, and is no login of its own.
    HearsTheEnd(LoginId),
    /// It was answered: the same again.
    Repeat(Answer),
    /// Nothing here is for it; a Reject without effect.
    Refuse(Reason),
}

/// What a held login waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum WaitsFor {
    /// The primary's answer.
    Primary,
    /// The user's answer to the primary's own question.
    PrimaryAnswer,
    /// Our own store.
    Store,
    /// A phone.
    Phone,
    /// A code, or whatever answers our challenge.
    Answer,
    /// A phone or the answer to our challenge, whichever comes first.
    PhoneOrAnswer,
}

/// One login that is held, for people who look.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Waiting {
    /// Its id.
    pub login: LoginId,
    /// The resolved user, once the primary vouched for one (A2).
    pub vouched: Option<Arc<str>>,
    /// What was typed as the name; nobody has vouched for it (F2).
    pub name: String,
    /// Through which client.
    pub client: ClientName,
    /// From where.
    pub station: Option<Station>,
    /// Which rule decides, once one does.
    pub rule: Option<RuleName>,
    /// What it waits for.
    pub waits_for: WaitsFor,
    /// Since when.
    pub since: Tick,
    /// How many requests asked for it.
    pub askers: u32,
}

/// What one L is owed.
#[derive(Debug)]
pub struct Session {
    key: LoginKey,
    logins: Vec<Login>,
    prompt: Option<OpenPrompt>,
    /// The numbers that its screens show or showed lately: no two show the same (F8).
    numbers: Vec<Number>,
}

impl Session {
    /// Routes a request. `held` is the session of its State if it has one, else of its L; `None` if there is none.
    #[must_use]
    pub fn admit(held: Option<&Self>, attempt: &Attempt, at: Moment) -> Admission {
        match (attempt.state, held) {
            (Some(_), Some(_)) if !attempt.has_password() => Admission::Refuse(Reason::Credential),
            (Some(state), Some(session)) => session.admit_answer(state, attempt, at),
            // Rules C3: an unknown State is rejected; what came with it is never sent to the primary.
            (Some(_), None) => Admission::Refuse(attempt.unknown_state),
            (None, Some(session)) => session.admit_asker(attempt, at.tick),
            (None, None) => Admission::Begin,
        }
    }

    fn admit_answer(&self, state: StateHash, attempt: &Attempt, at: Moment) -> Admission {
        // Rules D5: a bare packet may answer the State of a bare login, and never spends a signed one's.
        let bound = |login: &&Login| {
            (login.is_of(attempt) || mutant::is(Mutant::StateUnbound)) && (attempt.authentic || !login.is_authentic())
        };
        if let Some(login) = self.logins.iter().filter(bound).find(|login| login.open_state_at(at.tick) == Some(state))
        {
            return Admission::Resume(login.id());
        }
        if let Some(login) = self.logins.iter().filter(bound).find(|login| login.tells_end_of(state, at.tick)) {
            return Admission::HearsTheEnd(login.id());
        }
        let spent = self.logins.iter().filter(bound).find_map(|login| Some((login, login.spent_state(state)?)));
        match spent {
            Some((login, _)) if mutant::is(Mutant::StateSpentTwice) => Admission::Resume(login.id()),
            // Rules C3: equal L and equal answer, from a sender that may join (D5). The State is bound to the person in whatever
            // letters; the result of a race goes to the letters that won it.
            Some((login, (by, answer, result)))
                if attempt.authentic && by == attempt.twin && answer == attempt.proof =>
            {
                result.cloned().map_or(Admission::Twin(login.id(), state), Admission::Repeat)
            }
            Some(_) => Admission::Refuse(Reason::StateSpent),
            None => Admission::Refuse(self.why_not(state, attempt)),
        }
    }

    /// Whose State it is, and whether its time is over, where nothing of it is open for this request.
    fn why_not(&self, state: StateHash, attempt: &Attempt) -> Reason {
        match self.logins.iter().find(|login| login.states().any(|known| known == state)) {
            Some(login) if !login.is_of(attempt) || (login.is_authentic() && !attempt.authentic) => Reason::StateOther,
            Some(_) => Reason::StateLate,
            None => attempt.unknown_state,
        }
    }

    fn admit_asker(&self, attempt: &Attempt, now: Tick) -> Admission {
        if !attempt.authentic {
            return self.admit_bare(attempt);
        }
        if self.key != attempt.login {
            return Admission::Begin;
        }
        let same = |login: &&Login| login.proof() == attempt.proof || mutant::is(Mutant::JoinOnWrongPassword);
        let live = |login: &&Login| same(login) && login.ended().is_none() && !login.is_gone();
        // Rules F8: beside a screen that shows a number a re-ask gets its own State and number, so it goes its own way to the
        // prompt; it joins one that is on that way, and none that is refused already.
        let screens = self.logins.iter().any(|login| live(&login) && login.shows_number());
        let joinable = |login: &&Login| !login.shows_number() && (!screens || !login.is_rejecting());
        if let Some(login) = self.logins.iter().rev().filter(live).find(joinable) {
            return Admission::Join(login.id());
        }
        if screens {
            return self.room_for_a_screen(attempt.proof);
        }
        let any = |login: &&Login| same(login) || mutant::is(Mutant::AcceptToAnotherCredential);
        match self.logins.iter().rev().filter(any).find_map(|login| Some((login, login.repeats_at(now)?))) {
            Some((login, Answer::Reject(_))) => Admission::Join(login.id()),
            Some((login, answer @ Answer::Accept(_)))
                if login.join_rule() == Join::Connection || mutant::is(Mutant::AcceptToAnotherCredential) =>
            {
                Admission::Repeat(answer.clone())
            }
            Some((_, Answer::Accept(_) | Answer::Challenge(_))) | None => self.room_for_another(),
        }
    }

    /// Rules D5: L and P equal to those of a login that is not answered for good: it waits there. Else it is a login of its
    /// own.
    fn admit_bare(&self, attempt: &Attempt) -> Admission {
        let same = |login: &&Login| {
            let equal = attempt.same.is_some() && login.same() == attempt.same;
            equal && login.proof() == attempt.proof && login.is_of(attempt)
        };
        match self.logins.iter().rev().find(same) {
            Some(login) if mutant::is(Mutant::BareRefusedBeside) && login.is_held() => Admission::Refuse(Reason::Busy),
            Some(login) => Admission::Join(login.id()),
            None => Admission::Begin,
        }
    }

    /// Ended ones, which only repeat their answer, keep nobody out.
    fn room_for_another(&self) -> Admission {
        if self.live() < LOGINS_MAX { Admission::Begin } else { Admission::Refuse(Reason::Overload) }
    }

    /// The newest asker wins: where there are too many screens, the oldest one of the same credential gives way (B2). Another
    /// credential, of which nobody knows yet whether it is right, ends nobody's.
    fn room_for_a_screen(&self, proof: Proof) -> Admission {
        if self.oldest_screen(proof).is_some() { Admission::Begin } else { self.room_for_another() }
    }

    fn oldest_screen(&self, proof: Proof) -> Option<LoginId> {
        let screen = |login: &&Login| login.proof() == proof && login.at_prompt() && login.shows_number();
        self.logins.iter().find(screen).map(Login::id)
    }

    fn live(&self) -> usize {
        self.logins.iter().filter(|login| login.ended().is_none()).count()
    }

    /// A session of this request's L, with nothing in it yet.
    #[must_use]
    pub fn of(attempt: &Attempt) -> Self {
        Self { key: attempt.login, logins: Vec::with_capacity(1), prompt: None, numbers: Vec::new() }
    }

    /// Takes the request in as [`Session::admit`] said. `Repeat` and `Refuse` are answered without changing anything
    /// that is held: the refusal becomes an ended login of its own.
    #[must_use]
    pub fn take(mut self, admission: Admission, attempt: Attempt, cx: &mut Context<'_>) -> Self {
        match admission {
            Admission::Begin => {
                self.forget_oldest_answer();
                self.give_way_to(attempt.proof, cx);
                let login = Login::begin(attempt, &mut self.step(cx));
                self.logins.push(login);
            }
            Admission::Refuse(reason) => {
                let login = Login::refuse(attempt, reason, &mut self.step(cx));
                self.logins.push(login);
            }
            Admission::Resume(id) => self.with(id, cx, |login, step| login.resume(attempt, step)),
            Admission::Twin(id, state) => self.with(id, cx, |login, step| login.twin_of(&attempt, state, step)),
            Admission::Join(id) => self.with(id, cx, |login, step| login.join(attempt, step)),
            Admission::HearsTheEnd(id) => self.with(id, cx, |login, step| login.hears_the_end(attempt, step)),
            Admission::Repeat(answer) => self.repeat(&attempt, answer, cx),
        }
        self.settled(cx)
    }

    /// An Accept is repeated only after another look at whom it lets in (A6); anything else as it stands.
    fn repeat(&mut self, attempt: &Attempt, answer: Answer, cx: &mut Context<'_>) {
        let asker = attempt.asker.id;
        let Answer::Accept(accept) = &answer else { return cx.emit(Effect::Reply { asker, answer }) };
        let user = accept.user().clone();
        // The very login whose answer it is: another one of this L may have been let in since, by something else.
        let its_own = |login: &Login| match attempt.state {
            Some(state) => login.spent_state(state).is_some(),
            None => login.proof() == attempt.proof || mutant::is(Mutant::AcceptToAnotherCredential),
        };
        let let_in =
            |login: &&Login| login.is_of(attempt) && its_own(login) && matches!(login.ended(), Some(Answer::Accept(_)));
        match self.logins.iter().rev().find(let_in).map(Login::id) {
            Some(id) => self.with(id, cx, |login, step| login.repeat(asker, user, step)),
            None => cx.emit(Effect::Supersede(asker)),
        }
    }

    /// Something happened.
    #[must_use]
    pub fn handle(mut self, event: Event, cx: &mut Context<'_>) -> Self {
        match event {
            Event::Login(id, event) => self.login_event(id, event, cx),
            Event::Phone { prompt, device, answer, number } => self.phone(prompt, device, &answer, number, cx),
            Event::WrongNumber(prompt) => {
                if self.prompt.as_ref().is_some_and(|open| open.id == prompt) {
                    self.end_prompt(Reason::WrongNumber, cx);
                }
            }
            Event::Displaced(prompt) => {
                if self.prompt.as_ref().is_some_and(|open| open.id == prompt) {
                    self.lose_prompt(Reason::Unanswered, cx);
                }
            }
            Event::Crossed { prompt, status } => self.crossed(prompt, status, cx),
            Event::Withdrawn { prompt, blocked } => self.withdrawn(prompt, blocked, cx),
            Event::Woke => self.wake(cx),
            Event::Drained => self.drain(cx),
        }
        self.settled(cx)
    }

    /// The next moment at which [`Event::Woke`] is due.
    #[must_use]
    pub fn deadline(&self) -> Option<Tick> {
        self.logins.iter().filter_map(Login::deadline).chain(self.prompt_deadline()).min()
    }

    /// Nothing is held or remembered here any more.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.logins.is_empty() && self.prompt.is_none()
    }

    /// Its L.
    #[must_use]
    pub fn key(&self) -> LoginKey {
        self.key
    }

    /// Whether a login here waits for a person.
    #[must_use]
    pub fn is_held(&self) -> bool {
        self.logins.iter().any(Login::is_held)
    }

    /// The logins that wait here, for people who look.
    pub fn waiting(&self) -> impl Iterator<Item = Waiting> + '_ {
        self.logins.iter().filter_map(|login| login.waiting(self.prompt.is_some()))
    }

    /// The prompt that is out, if one is.
    #[must_use]
    pub fn prompt(&self) -> Option<PromptId> {
        self.prompt.as_ref().map(|open| open.id)
    }

    /// Every State that may be answered, or was answered and is remembered: the engine's index drops the others.
    pub fn states(&self) -> impl Iterator<Item = StateHash> + '_ {
        self.logins.iter().flat_map(Login::states)
    }

    /// L and P of each login here that is not answered for good: the engine's index leads bare packets to them (D5).
    pub fn sames(&self) -> impl Iterator<Item = LoginKey> + '_ {
        self.logins.iter().filter_map(Login::same)
    }

    /// About how many octets it takes (G1).
    #[must_use]
    pub fn bytes(&self) -> usize {
        let free = self.logins.capacity() - self.logins.len();
        let numbers = self.numbers.capacity() * size_of::<Number>();
        size_of::<Self>() + free * size_of::<Login>() + numbers + self.logins.iter().map(Login::bytes).sum::<usize>()
    }

    // --- events ------------------------------------------------------------------------------------------------

    fn login_event(&mut self, id: LoginId, event: LoginEvent, cx: &mut Context<'_>) {
        match event {
            // A push that rang nowhere matters to everybody who waits for that prompt now.
            LoginEvent::Pushed(prompt, Err(failure)) => self.rang_nowhere(prompt, &failure, cx),
            // The third wrong try denied the prompt: that ends the session as the phone's own no does (F8, A8).
            LoginEvent::Number(question, Ok(NumberOutcome::Denied)) if self.awaits_number(id, question) => {
                self.end_prompt(Reason::Denied, cx);
            }
            event @ (LoginEvent::Primary(..)
            | LoginEvent::User(..)
            | LoginEvent::Code(..)
            | LoginEvent::Number(..)
            | LoginEvent::Claim(..)
            | LoginEvent::Pushed(_, Ok(()))
            | LoginEvent::Release(..)) => self.with(id, cx, |login, step| login.handle(event, step)),
        }
    }

    fn awaits_number(&self, id: LoginId, question: Question) -> bool {
        self.logins.iter().any(|login| login.id() == id && login.awaits_number(question))
    }

    /// Nobody's phone rang: the prompt ends uncounted, and each login that waits for it goes on without (A5).
    fn rang_nowhere(&mut self, prompt: PromptId, failure: &PushFailure, cx: &mut Context<'_>) {
        let Some(open) = self.prompt.take_if(|open| open.id == prompt && open.approved.is_none()) else { return };
        cx.emit(Effect::ClosePrompt { prompt: open.id, why: PromptClose::Withdrawn });
        for id in self.at_prompt() {
            self.with(id, cx, |login, step| login.rang_nowhere(failure, step));
        }
    }

    fn at_prompt(&self) -> Vec<LoginId> {
        self.logins.iter().filter(|login| login.at_prompt()).map(Login::id).collect()
    }

    fn phone(
        &mut self,
        prompt: PromptId,
        device: DeviceId,
        answer: &PhoneAnswer,
        number: Option<Number>,
        cx: &mut Context<'_>,
    ) {
        if self.prompt.as_ref().is_none_or(|open| open.id != prompt) {
            return;
        }
        let no_is_yes = mutant::is(Mutant::DeclineReadAsApproval);
        match answer {
            PhoneAnswer::Approve => self.said_yes(device, number, cx),
            PhoneAnswer::Deny if no_is_yes => self.said_yes(device, number, cx),
            PhoneAnswer::Deny | PhoneAnswer::Fraud if mutant::is(Mutant::DenialRevived) => {}
            PhoneAnswer::Deny => self.end_prompt(Reason::Denied, cx),
            PhoneAnswer::Fraud => self.end_prompt(Reason::Fraud, cx),
        }
    }

    /// What crossed with a joining is not lost: a no ends the session whatever codes the joiner has (A8).
    fn crossed(&mut self, prompt: PromptId, status: PromptStatus, cx: &mut Context<'_>) {
        if self.prompt.as_ref().is_none_or(|open| open.id != prompt) {
            return;
        }
        match status {
            PromptStatus::Pending => {}
            // Rules F8: which number came with it is not told here, and a yes without one would stand in the way of the
            // phone's own, which is on its way.
            PromptStatus::Approved { .. } if self.logins.iter().any(Login::expects_number) => {}
            PromptStatus::Approved { device, .. } => self.said_yes(device, None, cx),
            PromptStatus::Denied => self.end_prompt(Reason::Denied, cx),
            PromptStatus::Reported => self.end_prompt(Reason::Fraud, cx),
            PromptStatus::Ended => self.lose_prompt(Reason::Unanswered, cx),
        }
    }

    /// The store has ended the prompt already, and whoever waits for it learns of it now (F5). A release that is under way
    /// looks at all of that by itself, and ends what is out (A6).
    fn withdrawn(&mut self, prompt: PromptId, blocked: Option<Arc<str>>, cx: &mut Context<'_>) {
        let out = self.prompt.as_ref().is_some_and(|open| open.id == prompt);
        if !out || self.logins.iter().any(Login::is_releasing) {
            return;
        }
        self.prompt = None;
        for id in self.at_prompt() {
            self.with(id, cx, |login, step| login.withdrawn(blocked.clone(), step));
        }
    }

    fn said_yes(&mut self, device: DeviceId, number: Option<Number>, cx: &mut Context<'_>) {
        let late = !self.logins.iter().any(|login| login.awaits_answer() || login.newest_at_phone().is_some());
        let Some(open) = self.prompt.as_mut() else { return };
        open.approved.get_or_insert(Approval { device, at: cx.at.tick, number, late });
        self.approved(cx);
    }

    /// The login with the newest asker gets in, the others at this prompt don't (B2). Where nobody waits, a challenge
    /// that is out may still be answered, or the same login asks again within ten seconds (A8).
    fn approved(&mut self, cx: &mut Context<'_>) {
        self.let_in_together(cx);
        // Rules B2: where a number was entered, it chooses the asker.
        let number = self.prompt.as_ref().and_then(|open| open.approved.as_ref()).and_then(|approval| approval.number);
        let meant = self.logins.iter().filter(|login| login.is_meant(number));
        let newest = meant.filter_map(|login| Some((login.newest_at_phone()?, login.id()))).max();
        // Nobody waits: a challenge that is out may still be answered, and the store keeps the approval as long.
        let Some((_, winner)) = newest else { return };
        self.with(winner, cx, Login::approve);
        for loser in self.waiting_at_phone() {
            if self.logins.iter().any(|login| login.id() == loser && login.is_let_in()) {
                self.with(loser, cx, Login::approve);
            } else if loser != winner {
                self.with(loser, cx, |login, step| login.lose_prompt(Reason::Superseded, step));
            }
        }
    }

    /// Under `join = "connection"` each of them that has a part in the prompt now gets in by this one yes, now or with its
    /// State's answer (B2, B5); who comes later does not.
    fn let_in_together(&mut self, cx: &mut Context<'_>) {
        for id in self.at_prompt() {
            self.with(id, cx, |login, step| login.let_in_together(step));
        }
    }

    fn waiting_at_phone(&self) -> Vec<LoginId> {
        self.logins.iter().filter(|login| login.newest_at_phone().is_some()).map(Login::id).collect()
    }

    /// The phone said no, and the store has ended the prompt already. That ends the session: whatever else of this L is
    /// under way ends with it (A8).
    fn end_prompt(&mut self, reason: Reason, cx: &mut Context<'_>) {
        self.prompt = None;
        let all: Vec<LoginId> = self.logins.iter().map(Login::id).collect();
        for id in all {
            self.with(id, cx, |login, step| login.lose_prompt(reason, step));
        }
    }

    fn lose_prompt(&mut self, reason: Reason, cx: &mut Context<'_>) {
        self.prompt = None;
        for id in self.at_prompt() {
            self.with(id, cx, |login, step| login.lose_prompt(reason, step));
        }
    }

    fn wake(&mut self, cx: &mut Context<'_>) {
        self.wake_prompt(cx);
        let all: Vec<LoginId> = self.logins.iter().map(Login::id).collect();
        for id in all {
            self.with(id, cx, Login::wake);
        }
    }

    /// The prompt's absolute end (B5), or the end of an approval's wait for an asker (A8).
    fn wake_prompt(&mut self, cx: &mut Context<'_>) {
        let due = self.prompt_deadline().is_some_and(|deadline| deadline <= cx.at.tick);
        let Some(open) = self.prompt.as_ref().filter(|_| due) else { return };
        let (id, approved) = (open.id, open.approved.is_some());
        let (why, reason) = if approved {
            (PromptClose::Withdrawn, Reason::ApprovedTooLate)
        } else {
            (PromptClose::Unanswered, Reason::Unanswered)
        };
        cx.emit(Effect::ClosePrompt { prompt: id, why });
        self.lose_prompt(reason, cx);
    }

    fn prompt_deadline(&self) -> Option<Tick> {
        let open = self.prompt.as_ref()?;
        let Some(approval) = &open.approved else { return Some(open.ends) };
        // Who shows another number waits for nothing any more (F8): else the prompt would never end (B5).
        let comes = |login: &Login| login.awaits_answer() || login.newest_at_phone().is_some();
        let busy = |login: &Login| {
            login.is_releasing() || login.keeps_a_yes() || (login.is_meant(approval.number) && comes(login))
        };
        (!self.logins.iter().any(busy)).then(|| approval.at.plus(APPROVAL_WAITS))
    }

    fn drain(&mut self, cx: &mut Context<'_>) {
        let all: Vec<LoginId> = self.logins.iter().map(Login::id).collect();
        for id in all {
            self.with(id, cx, Login::drain);
        }
        // A release that is under way may need it: what the store says of that decides.
        let releasing = self.logins.iter().any(Login::is_releasing);
        if !releasing && let Some(open) = self.prompt.take() {
            cx.emit(Effect::ClosePrompt { prompt: open.id, why: PromptClose::Withdrawn });
        }
    }

    // --- helpers -----------------------------------------------------------------------------------------------

    /// Room for one more: the oldest answer is no longer repeated.
    fn forget_oldest_answer(&mut self) {
        if self.logins.len() >= 2 * LOGINS_MAX
            && let Some(oldest) = self.logins.iter().position(|login| login.ended().is_some())
        {
            self.logins.remove(oldest);
        }
    }

    /// Room for one more screen.
    fn give_way_to(&mut self, proof: Proof, cx: &mut Context<'_>) {
        if let Some(oldest) = self.oldest_screen(proof).filter(|_| self.live() >= LOGINS_MAX) {
            self.with(oldest, cx, |login, step| login.lose_prompt(Reason::Superseded, step));
        }
    }

    fn step<'a, 'b>(&'a mut self, cx: &'a mut Context<'b>) -> Step<'a, 'b> {
        Step { cx, prompt: &mut self.prompt, numbers: &mut self.numbers }
    }

    /// Moves one login through a step; its old stage is gone with it.
    fn with<F>(&mut self, id: LoginId, cx: &mut Context<'_>, change: F)
    where
        F: FnOnce(Login, &mut Step<'_, '_>) -> Login,
    {
        let Some(at) = self.logins.iter().position(|login| login.id() == id) else { return };
        let login = self.logins.remove(at);
        let login = change(login, &mut Step { cx, prompt: &mut self.prompt, numbers: &mut self.numbers });
        self.logins.insert(at, login);
    }

    /// After each step: who needs the prompt has it, and a prompt that nobody needs any more is withdrawn. So a login
    /// that ends by itself never takes the prompt of another one along (B2).
    fn settled(mut self, cx: &mut Context<'_>) -> Self {
        if self.prompt.is_none() {
            let stranded: Vec<LoginId> =
                self.logins.iter().filter(|login| login.needs_prompt()).map(Login::id).collect();
            for id in stranded {
                self.with(id, cx, |login, step| login.lose_prompt(Reason::Superseded, step));
            }
        }
        self.logins.iter_mut().filter(|login| login.is_gone()).for_each(|login| login.send_away(cx));
        self.logins.retain(|login| !login.is_gone());
        let wanted = self
            .logins
            .iter()
            .any(|login| login.at_prompt() || login.is_releasing() || login.is_claiming() || login.keeps_a_yes());
        if !wanted && let Some(open) = self.prompt.take() {
            // Rules D2: a prompt that rang and got no answer counts, whatever else became of its login; else three
            // wrong answers to the challenge would ring the phone again and again, uncounted.
            let why = if open.approved.is_some() { PromptClose::Withdrawn } else { PromptClose::Unanswered };
            cx.emit(Effect::ClosePrompt { prompt: open.id, why });
        }
        self
    }
}
