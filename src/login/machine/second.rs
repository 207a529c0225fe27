//! The second door: codes, prompts and the challenges that ask for them, in the order that the rule lists.

use std::sync::Arc;

use wire::Secret;

use super::{Approval, Case, Inside, Open, OpenChallenge, OpenPrompt, Refusal, Stage, Step};
use crate::answer::{FactorProved, SecondDoor};
use crate::attempt::{Appended, is_code};
use crate::event::{Effect, PushFailure};
use crate::facts::{CodeOutcome, Means, Method, NumberOutcome, Unavailable, UserFacts};
use crate::key::{Proof, StateHash};
use crate::moment::{Tick, Wall};
use crate::mutant::{self, Mutant};
use crate::policy::{NumberWish, Outage, Unenrolled};
use crate::prompt::{Asks, Claim, Number, NumberMatch, PromptClaim, PromptId, PromptStatus};
use crate::record::{Reason, RecordedFactor};
use crate::words::{self, Say};

impl Case {
    /// What was appended is looked at first; else the listed methods in order (C4).
    pub(super) fn second_door(&mut self, mut inside: Inside, facts: &UserFacts, step: &mut Step<'_, '_>) -> Stage {
        if let Some(bypass) = facts.bypass.clone().filter(|_| self.appended.is_none() && !self.is_staff(&inside)) {
            self.factor = RecordedFactor::Bypass;
            return self.release(inside, SecondDoor::Bypass(bypass), step);
        }
        // Rules A5: unenrolled is who never had a method.
        if !facts.ever_enrolled {
            return self.unenrolled(&inside, step);
        }
        match self.appended.take() {
            Some(Appended::Code(code)) => self.check_code(inside, code, None, step),
            Some(Appended::Method(method)) if inside.methods.contains(&method) => {
                let chosen: Vec<Method> = std::iter::once(method).chain(inside.methods.iter().copied()).collect();
                self.try_methods(inside, &chosen, facts, step)
            }
            None if self.owner_opens(&inside).is_some_and(|asks| {
                (inside.asks, inside.at_phone) = (asks, true);
                self.approval(&inside, step).is_some()
            }) =>
            {
                self.release_by_phone(inside, step)
            }
            Some(Appended::Method(_)) | None => {
                inside.at_phone = false;
                // What the user chose comes first, where the rule lists it; the others in the rule's order.
                let mut listed = inside.methods.clone();
                listed.sort_by_key(|method| Some(*method) != facts.prefers);
                self.try_methods(inside, &listed, facts, step)
            }
        }
    }

    /// No method yet: refused, and told where to get one where the rule says so (F7).
    fn unenrolled(&mut self, inside: &Inside, step: &mut Step<'_, '_>) -> Stage {
        let refusal = Refusal::because(Reason::Unenrolled);
        match (inside.rule.unenrolled, &self.policy.enrol_at) {
            (Unenrolled::Enrol, Some(portal)) => {
                step.cx.emit(Effect::Invite(inside.first.user().clone()));
                let portal = Arc::clone(portal);
                self.reject(refusal.pointing_to(portal), step)
            }
            (Unenrolled::Enrol | Unenrolled::Deny, _) => self.reject(refusal, step),
        }
    }

    /// The first method that can run, runs.
    fn try_methods(
        &mut self,
        mut inside: Inside,
        order: &[Method],
        facts: &UserFacts,
        step: &mut Step<'_, '_>,
    ) -> Stage {
        let quiet = facts.pushes_quiet_until.filter(|until| *until > step.cx.at.wall);
        let asks = self.push_asks(&inside, step);
        // Rules B4, F8: a phone that can't prove what is asked is not asked at all; nothing is downgraded for it.
        let provable = asks.is_some_and(|asks| {
            let number = match asks.number {
                NumberMatch::Off => true,
                NumberMatch::Shown(_) => facts.chooses_number,
                NumberMatch::Typed(_) => facts.types_number,
            };
            number && (!asks.pin || facts.pin_phones)
        });
        // Who would have been asked on the phone reads why not, and until when.
        let minutes = quiet.map(|until| words::minutes_until(until, step.cx.at.wall));
        let would_ring = order.contains(&Method::Push) && inside.usable.contains(&Method::Push);
        let say = minutes.filter(|_| would_ring).map_or(Say::EnterCode, Say::QuietEnterCode);
        for method in order {
            match method {
                Method::Push if inside.usable.contains(&Method::Push) && quiet.is_none() && provable => {
                    inside.asks = asks.unwrap_or_default();
                    return self.claim_prompt(inside, step);
                }
                Method::Totp | Method::Hotp if inside.has_codes() && self.can_challenge() => {
                    return self.challenge(inside, say, step);
                }
                Method::Push | Method::Totp | Method::Hotp => {}
            }
        }
        let has_phone = inside.usable.contains(&Method::Push);
        let refusal = self.no_method(&inside, has_phone, quiet, step);
        self.reject(refusal, step)
    }

    /// Where codes are taken behind the password only, that is what the person is told (C4).
    fn no_method(&self, inside: &Inside, has_phone: bool, quiet: Option<Wall>, step: &Step<'_, '_>) -> Refusal {
        let behind = self.client_policy().and_then(|client| client.append.clone()).filter(|_| inside.has_codes());
        let refusal = match quiet.filter(|_| has_phone) {
            Some(until) => {
                let minutes = words::minutes_until(until, step.cx.at.wall);
                Refusal::because(Reason::Quiet).detail(words::quiet_until(until)).quiet_for(minutes)
            }
            None if has_phone => Refusal::because(Reason::PhoneCannot),
            None if behind.is_some() => Refusal::because(Reason::CodeBehind),
            None => Refusal::because(Reason::NoMethod),
        };
        match behind {
            Some(delimiter) => refusal.asking_behind(delimiter),
            None => refusal,
        }
    }

    /// What a push of this login asks of the phone (F8); `None`: a number is required, and this client can show none.
    fn push_asks(&self, inside: &Inside, step: &mut Step<'_, '_>) -> Option<Asks> {
        let wish = self.client_policy().map_or(NumberWish::Off, |client| client.number);
        let wish = if inside.rule.number_required && wish == NumberWish::Off { NumberWish::Shown } else { wish };
        let number = match wish {
            NumberWish::Off => NumberMatch::Off,
            NumberWish::Shown | NumberWish::Typed if !self.can_challenge() => {
                return (!inside.rule.number_required)
                    .then_some(Asks { number: NumberMatch::Off, pin: self.policy.push_pin });
            }
            NumberWish::Shown => NumberMatch::Shown(step.fresh_number()),
            NumberWish::Typed => NumberMatch::Typed(Number::to_type((step.cx.dice)())),
        };
        Some(Asks { number, pin: self.policy.push_pin })
    }

    /// Rules F4: staff always need a factor.
    fn is_staff(&self, inside: &Inside) -> bool {
        self.policy.is_staff(&inside.groups)
    }

    // --- codes -------------------------------------------------------------------------------------------------

    /// Hands one code to be looked at. `answer` is its P if it answers a challenge.
    pub(super) fn check_code(
        &mut self,
        inside: Inside,
        code: Secret,
        answer: Option<Proof>,
        step: &mut Step<'_, '_>,
    ) -> Stage {
        let methods = inside.code_methods();
        if methods.is_empty() {
            return self.reject(Refusal::because(Reason::CodesNotTaken), step);
        }
        let question = self.ask();
        let guess = step.cx.random_16();
        if let Some(first) = methods.first() {
            self.factor = RecordedFactor::Method(*first);
        }
        let user = inside.first.user().clone();
        step.cx.emit(Effect::CheckCode {
            login: self.id,
            question,
            user,
            station: self.station.clone(),
            code,
            methods,
            guess,
        });
        Stage::CheckingCode { question, inside, answer }
    }

    /// What became of the code; it was committed before we learned of it (C1).
    pub(super) fn code_checked(
        &mut self,
        inside: Inside,
        answer: Option<Proof>,
        outcome: Result<CodeOutcome, Unavailable>,
        step: &mut Step<'_, '_>,
    ) -> Stage {
        if let Ok(CodeOutcome::Right { method, token }) = outcome {
            self.factor = RecordedFactor::Method(method);
            let second = SecondDoor::Proved(FactorProved::witness(self.id, method, Means::Token(token)));
            return self.release(inside, second, step);
        }
        // Rules C4: a wrong appended code stays a Reject, whatever the phone says to another login.
        if answer.is_some() && self.approval(&inside, step).is_some() {
            return self.release_by_phone(inside, step);
        }
        let (reason, detail) = match outcome {
            Err(Unavailable { why, .. }) => (Reason::StoreUnavailable, Some(why)),
            Ok(CodeOutcome::Locked { until }) => (Reason::CodesLocked, Some(words::locked_until(until).into())),
            Ok(CodeOutcome::Spent) => (Reason::SpentCode, None),
            Ok(CodeOutcome::NoToken) => (Reason::NoToken, None),
            Ok(CodeOutcome::Ahead { token, by }) => (Reason::CodeAhead, Some(words::counted_on(&token, by).into())),
            Ok(CodeOutcome::Wrong | CodeOutcome::Right { .. }) => (Reason::WrongCode, None),
        };
        match answer {
            // Rules C4: a wrong appended code is a Reject, never a prompt.
            None => self.reject(Refusal::because(reason).detail_of(detail), step),
            Some(proof) => self.try_again(inside, proof, reason, detail, step),
        }
    }

    /// A new State while tries remain; what is off for now is not asked for again (C3).
    fn try_again(
        &mut self,
        inside: Inside,
        proof: Proof,
        reason: Reason,
        detail: Option<Arc<str>>,
        step: &mut Step<'_, '_>,
    ) -> Stage {
        self.tries += 1;
        let off_for_now = matches!(reason, Reason::CodesLocked | Reason::NoToken);
        let worth_another =
            matches!(reason, Reason::WrongCode | Reason::NotACode | Reason::CodeAhead | Reason::SpentCode);
        if off_for_now && step.prompt.is_some() {
            let say = inside.waiting_without_codes();
            return self.challenge(inside, say, step);
        }
        if worth_another && self.tries < self.policy.limits.challenge_tries {
            self.wrong.push(proof);
            let typed = matches!(inside.asks.number, NumberMatch::Typed(_)) && step.prompt.is_some();
            let say = if typed { Say::WrongDigits } else { Say::WrongCode };
            return self.challenge(inside, say, step);
        }
        self.reject(Refusal::because(reason).detail_of(detail), step)
    }

    /// The answer to our challenge; its State is spent already.
    pub(super) fn answered(&mut self, inside: Inside, answer: Secret, proof: Proof, step: &mut Step<'_, '_>) -> Stage {
        if self.approval(&inside, step).is_some() {
            // Rules B5: once approved, any answer with that State passes.
            return self.release_by_phone(inside, step);
        }
        let octets = answer.expose();
        // Rules F8: first as the prompt's number, then as a code.
        if let (Some(open), NumberMatch::Typed(_), Some(typed)) =
            (Self::prompt_of(&inside, step), inside.asks.number, Number::of_typed(octets))
            && inside.at_phone
            && !self.wrong_digits.contains(&proof)
        {
            let prompt = open.id;
            return self.check_number(inside, prompt, typed, answer, proof, step);
        }
        if step.prompt.is_some() && inside.at_phone && (octets.is_empty() || !inside.has_codes()) {
            // Rules C3: while the prompt is open an empty answer is no guess; it is held.
            self.extend_prompt(step);
            return Stage::AwaitingPhone { inside };
        }
        if !is_code(octets) || self.wrong.contains(&proof) {
            // No token has such a code, or it was wrong before: nothing is looked at, nothing is counted twice (C1).
            let reason = if is_code(octets) { Reason::WrongCode } else { Reason::NotACode };
            return self.try_again(inside, proof, reason, None, step);
        }
        self.check_code(inside, answer, Some(proof), step)
    }

    /// The prompt that is out, if it is this user's (A2).
    fn prompt_of<'a>(inside: &Inside, step: &'a Step<'_, '_>) -> Option<&'a OpenPrompt> {
        step.prompt.as_ref().filter(|open| open.user == *inside.first.user())
    }

    /// Hands digits that may be the phone's to be looked at.
    fn check_number(
        &mut self,
        inside: Inside,
        prompt: PromptId,
        typed: Number,
        code: Secret,
        answer: Proof,
        step: &mut Step<'_, '_>,
    ) -> Stage {
        let question = self.ask();
        let guess = step.cx.random_16();
        self.factor = RecordedFactor::Method(Method::Push);
        step.cx.emit(Effect::TypeNumber { login: self.id, question, prompt, typed, guess });
        Stage::CheckingNumber { question, inside, prompt, code, answer }
    }

    /// What became of the digits; it was committed before we learned of it (C1).
    pub(super) fn number_checked(
        &mut self,
        inside: Inside,
        (prompt, answer): (PromptId, Proof),
        code: Secret,
        outcome: Result<NumberOutcome, Unavailable>,
        step: &mut Step<'_, '_>,
    ) -> Stage {
        match outcome {
            Ok(NumberOutcome::Right { device }) => {
                // They were the digits of that very prompt, which may have ended meanwhile or made room for another.
                if Self::prompt_of(&inside, step).is_none_or(|open| open.id != prompt) {
                    return self.reject(Refusal::because(Reason::Changed).detail("its prompt has ended"), step);
                }
                self.let_in = Some((prompt, device));
                self.release_by_phone(inside, step)
            }
            Ok(NumberOutcome::Wrong) => {
                self.wrong_digits.push(answer);
                self.try_as_code(inside, code, answer, step)
            }
            // The session ends with its prompt (A8), this login included.
            Ok(NumberOutcome::Denied) => self.reject(Refusal::because(Reason::Denied), step),
            Err(Unavailable { why, .. }) => self.reject(Refusal::because(Reason::StoreUnavailable).detail(why), step),
        }
    }

    /// Rules F8: what was not the prompt's number may be a code.
    fn try_as_code(&mut self, inside: Inside, code: Secret, answer: Proof, step: &mut Step<'_, '_>) -> Stage {
        if inside.has_codes() && !self.wrong.contains(&answer) {
            return self.check_code(inside, code, Some(answer), step);
        }
        self.try_again(inside, answer, Reason::WrongCode, None, step)
    }

    // --- challenges --------------------------------------------------------------------------------------------

    /// Asks a question of our own under a fresh State.
    pub(super) fn challenge(&mut self, inside: Inside, say: Say, step: &mut Step<'_, '_>) -> Stage {
        // Rules G3: its State would end with this process, and the appliance may ask its other server.
        if step.cx.stopping {
            return self.reject(Refusal::because(Reason::Draining), step);
        }
        // Where no phone is asked any more, it is a code that is.
        if let (false, Some(code)) = (inside.at_phone, inside.code_methods().first()) {
            self.factor = RecordedFactor::Method(*code);
        }
        self.rounds += 1;
        self.at_first_door = false;
        let state = step.cx.states.state(self.id.0, self.rounds);
        let until = step.now().plus(self.policy.limits.state_lasts);
        let challenge = OpenChallenge::Ours { round: self.rounds, say };
        let open = Open { state: StateHash::of(&state), until, challenge };
        self.pose(&open, step);
        // Whoever reads "approve on your phone" waits for that very prompt: nobody else's takes its place meanwhile (B2, B5).
        if let Some(prompt) = step.prompt.as_ref() {
            let askers_until = step.cx.at.wall.plus(self.policy.limits.state_lasts);
            step.cx.emit(Effect::ExtendPrompt { prompt: prompt.id, askers_until });
        }
        Stage::AwaitingAnswer { inside, open }
    }

    /// Sends a challenge to the newest asker; older ones wait for the final answer (B2).
    pub(super) fn pose(&mut self, open: &Open, step: &mut Step<'_, '_>) {
        step.cx.emit(Effect::IndexState(open.state));
        let answer = self.question_of(open, step);
        for waiting in self.askers.take_newest() {
            self.settle(waiting.group, &answer);
            step.cx.emit(Effect::Reply { asker: waiting.asker.id, answer: answer.clone() });
        }
    }

    // --- prompts -----------------------------------------------------------------------------------------------

    /// Claims the prompt before the push leaves (B3).
    fn claim_prompt(&mut self, inside: Inside, step: &mut Step<'_, '_>) -> Stage {
        self.factor = RecordedFactor::Method(Method::Push);
        let question = self.ask();
        let claim = PromptClaim {
            prompt: PromptId(step.cx.random_16()),
            user: inside.first.user().clone(),
            login: self.key,
            ends_at: step.cx.at.wall.plus(self.policy.limits.prompt_lasts),
            askers_until: step.cx.at.wall.plus(self.patience_left(step.now())),
            station_known: inside.station_known && self.authentic,
            authentic: self.authentic,
            client: self.client.clone(),
            station: self.station.clone(),
            asks: inside.asks,
            only: None,
            unproven: false,
        };
        if mutant::is(Mutant::PromptUnclaimed) {
            step.cx.emit(Effect::Push { login: self.id, claim: claim.clone() });
        }
        step.cx.emit(Effect::ClaimPrompt { login: self.id, question, claim: claim.clone() });
        Stage::Claiming { question, inside, claim }
    }

    /// What the store said to the claim.
    pub(super) fn claimed(
        &mut self,
        mut inside: Inside,
        claim: PromptClaim,
        outcome: Result<Claim, Unavailable>,
        step: &mut Step<'_, '_>,
    ) -> Stage {
        match outcome {
            Err(Unavailable { why, .. }) => self.reject(Refusal::because(Reason::StoreUnavailable).detail(why), step),
            Ok(Claim::Claimed { displaced }) => {
                if let Some(displaced) = displaced {
                    step.cx.emit(Effect::TellDisplaced(displaced));
                }
                let ends = step.now().plus(self.policy.limits.prompt_lasts);
                let user = claim.user.clone();
                *step.prompt = Some(OpenPrompt { id: claim.prompt, user, ends, approved: None });
                if !mutant::is(Mutant::PromptUnclaimed) {
                    step.cx.emit(Effect::Push { login: self.id, claim });
                }
                inside.at_phone = true;
                self.wait_at_prompt(inside, step)
            }
            Ok(Claim::Joined { prompt, ends_at, status }) => self.joined_prompt(inside, prompt, ends_at, status, step),
            Ok(Claim::Busy) => self.code_instead(inside, Say::BusyEnterCode, Reason::Busy, step),
            Ok(Claim::Quiet { until }) => {
                let minutes = words::minutes_until(until, step.cx.at.wall);
                self.code_instead(inside, Say::QuietEnterCode(minutes), Reason::Quiet, step)
            }
        }
    }

    /// The same login's prompt is out already, perhaps since before a crash: no second push (B3).
    fn joined_prompt(
        &mut self,
        mut inside: Inside,
        prompt: PromptId,
        ends_at: Wall,
        status: PromptStatus,
        step: &mut Step<'_, '_>,
    ) -> Stage {
        let left = ends_at.since(step.cx.at.wall).min(self.policy.limits.prompt_lasts);
        let ends = step.now().plus(left);
        let approved = match status {
            PromptStatus::Pending => None,
            // A yes from before a crash came without its number: where one is asked for, it is nobody's (F8).
            PromptStatus::Approved { device, .. } => {
                Some(Approval { device, at: step.now(), number: None, late: false })
            }
            PromptStatus::Reported => return self.reject(Refusal::because(Reason::Fraud), step),
            PromptStatus::Denied => return self.reject(Refusal::because(Reason::Denied), step),
            PromptStatus::Ended => return self.reject(Refusal::because(Reason::PromptEnded), step),
        };
        let known = step.prompt.as_ref().is_some_and(|open| open.id == prompt && open.approved.is_some());
        if !known {
            let user = inside.first.user().clone();
            *step.prompt = Some(OpenPrompt { id: prompt, user, ends, approved });
        }
        step.cx.emit(Effect::Joined { client: self.client.clone(), login: self.id, prompt_avoided: true });
        inside.at_phone = true;
        match (inside.asks.number, step.prompt.as_ref().and_then(|open| open.approved.as_ref())) {
            (_, None) => self.wait_at_prompt(inside, step),
            (NumberMatch::Off, Some(_)) => self.release_by_phone(inside, step),
            // Rules F8: the phone said yes to another screen, and can say nothing to this one any more.
            (NumberMatch::Shown(_) | NumberMatch::Typed(_), Some(_)) => {
                self.code_instead(inside, Say::BusyEnterCode, Reason::Busy, step)
            }
        }
    }

    /// Held; or, where a number ties the phone to this very screen, a challenge that shows or asks for it (F8); or one that
    /// says what to open, where no phone rings by itself.
    fn wait_at_prompt(&mut self, inside: Inside, step: &mut Step<'_, '_>) -> Stage {
        let silent = inside.must_open.is_some() && self.can_challenge();
        match inside.asks.number {
            NumberMatch::Off if !silent => Stage::AwaitingPhone { inside },
            NumberMatch::Off | NumberMatch::Shown(_) | NumberMatch::Typed(_) => {
                let say = inside.waiting_for_phone();
                self.challenge(inside, say, step)
            }
        }
    }

    /// No prompt for this login: a code, where it can be asked for, or the refusal (B2; no failure is counted).
    fn code_instead(&mut self, inside: Inside, say: Say, reason: Reason, step: &mut Step<'_, '_>) -> Stage {
        if inside.has_codes() && self.can_challenge() {
            return self.challenge(inside.without_phone(), say, step);
        }
        let refusal = Refusal::because(reason);
        let refusal = if let Say::QuietEnterCode(minutes) = say { refusal.quiet_for(minutes) } else { refusal };
        self.reject(refusal, step)
    }

    /// Nobody's phone rang for the prompt that this login waits for; the session has ended it, uncounted.
    pub(super) fn rang_nowhere(&mut self, inside: Inside, failure: &PushFailure, step: &mut Step<'_, '_>) -> Stage {
        let (why, confirmed) = match failure {
            PushFailure::Unavailable(Unavailable { why, confirmed, ours: _ }) => (Arc::clone(why), *confirmed),
            PushFailure::Refused(why) => (Arc::clone(why), false),
        };
        match inside.rule.if_unavailable.push {
            Outage::Next => self.code_instead_of_push(inside, why, step),
            // Rules A5: only a confirmed outage opens, and only with `until` and a group, which `config` demands.
            Outage::Accept
                if confirmed
                    && inside.rule.until.is_some()
                    && inside.rule.when.asks_group()
                    && !self.is_staff(&inside) =>
            {
                self.factor = RecordedFactor::FailOpen;
                let second = SecondDoor::FailedOpen(inside.rule.name.clone());
                self.release(inside, second, step)
            }
            Outage::Accept | Outage::Deny => self.reject(Refusal::because(Reason::PushUnavailable).detail(why), step),
        }
    }

    fn code_instead_of_push(&mut self, inside: Inside, why: Arc<str>, step: &mut Step<'_, '_>) -> Stage {
        if inside.has_codes() && self.can_challenge() {
            self.note = Some(format!("no phone rang: {why}").into());
            return self.challenge(inside.without_phone(), Say::EnterCode, step);
        }
        self.reject(Refusal::because(Reason::PushUnavailable).detail(why), step)
    }

    /// The phone said yes, and this login is the one that gets in.
    pub(super) fn release_by_phone(&mut self, inside: Inside, step: &mut Step<'_, '_>) -> Stage {
        let Some((prompt, device)) = self.approval(&inside, step) else { return Stage::AwaitingPhone { inside } };
        self.factor = RecordedFactor::Method(Method::Push);
        if step.prompt.as_ref().and_then(|open| open.approved.as_ref()).is_some_and(|approval| approval.late) {
            self.note = Some("approved late, after the login before had been refused; it asked again in time".into());
        }
        let means = Means::Prompt { prompt, device, number: inside.asks.number.shown() };
        let second = SecondDoor::Proved(FactorProved::witness(self.id, Method::Push, means));
        self.release(inside, second, step)
    }

    /// The store learns until when somebody waits (B2); the prompt's own end never moves (B5).
    pub(super) fn extend_prompt(&self, step: &mut Step<'_, '_>) {
        if let Some(open) = step.prompt.as_ref() {
            let askers_until = step.cx.at.wall.plus(self.patience_left(step.now()));
            step.cx.emit(Effect::ExtendPrompt { prompt: open.id, askers_until });
        }
    }

    pub(super) fn patience_left(&self, now: Tick) -> std::time::Duration {
        self.askers.newest().map_or(std::time::Duration::ZERO, |asker| asker.until.since(now))
    }
}
