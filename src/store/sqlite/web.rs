//! Each verb of portal, phones and help desk to its function: what reads goes to a reader, what changes anything to the writer.

use std::sync::Arc;
use std::time::Duration;

use login::limits::Limits;
use login::{BypassId, ClientName, DeviceId, Method, Number, PromptId, ResolvedUser, TokenId, Wall};
use wire::Secret;

use super::super::rows::{Device, NewToken, OpenPrompt, StoredRecord};
use super::super::verbs::StoreFuture;
use super::super::web::{
    Act, Acts, Bypass, Bypasses, Choices, CodePurpose, CodeSpent, DueLetter, KeyBrought, Letters, ListedSession,
    NewActivation, NewBypass, NewWebSession, PeopleCodes, Phone, PhoneKey, Phones, Pin, Pins, PromptEnd, Seen,
    SessionTurn, TypedNumber, UserChoices, WebRealm, WebSession, WebSessions, WebStep,
};
use super::{
    Sqlite, acts, bypasses, choices, letters, numbers, people_codes, phones, pins, prompts, tokens, web_sessions,
};

impl Phones for Sqlite {
    fn begin_activation(&self, new: NewActivation, at: Wall) -> StoreFuture<'_, DeviceId> {
        self.write(move |tx| phones::begin(tx, new, at))
    }

    fn bring_key(&self, device: &DeviceId, code: &Secret, key: PhoneKey, at: Wall) -> StoreFuture<'_, KeyBrought> {
        let (device, code) = (device.clone(), code.clone());
        self.write(move |tx| phones::bring_key(tx, &device, &code, key, at))
    }

    fn confirm_device(
        &self,
        device: &DeviceId,
        prompt: PromptId,
        session: SessionTurn,
        at: Wall,
    ) -> StoreFuture<'_, bool> {
        let device = device.clone();
        self.write(move |tx| phones::confirm(tx, &device, prompt, &session, at))
    }

    fn phone(&self, device: &DeviceId) -> StoreFuture<'_, Option<Phone>> {
        let device = device.clone();
        self.read(move |tx| phones::phone(tx, &device))
    }

    fn phone_seen(&self, device: &DeviceId, seen: Seen, at: Wall) -> StoreFuture<'_, ()> {
        let device = device.clone();
        self.write(move |tx| phones::seen(tx, &device, seen, at))
    }

    fn subscription_gone(&self, device: &DeviceId) -> StoreFuture<'_, ()> {
        let device = device.clone();
        self.write(move |tx| phones::subscription_gone(tx, &device))
    }

    fn rename_device(&self, device: &DeviceId, label: String) -> StoreFuture<'_, ()> {
        let device = device.clone();
        self.write(move |tx| phones::rename(tx, &device, &label))
    }

    fn take_silent(&self, unanswered: u32) -> StoreFuture<'_, Vec<Device>> {
        self.write(move |tx| phones::take_silent(tx, unanswered))
    }

    fn prompt_of(&self, user: &ResolvedUser, at: Wall) -> StoreFuture<'_, Option<OpenPrompt>> {
        let user = user.clone();
        self.read(move |tx| prompts::of_user(tx, &user, at))
    }

    fn prompt_end(&self, prompt: PromptId, at: Wall) -> StoreFuture<'_, PromptEnd> {
        self.read(move |tx| prompts::end_of(tx, prompt, at))
    }

    fn reveal_number(&self, prompt: PromptId, device: &DeviceId, at: Wall) -> StoreFuture<'_, Option<Number>> {
        let device = device.clone();
        self.write(move |tx| numbers::reveal(tx, prompt, &device, at))
    }

    fn unreveal_number(&self, prompt: PromptId, device: &DeviceId) -> StoreFuture<'_, ()> {
        let device = device.clone();
        self.write(move |tx| numbers::unreveal(tx, prompt, &device))
    }

    fn type_number(
        &self,
        prompt: PromptId,
        typed: Number,
        guess_id: [u8; 16],
        at: Wall,
        limits: &Limits,
    ) -> StoreFuture<'_, TypedNumber> {
        let limits = limits.clone();
        self.write(move |tx| numbers::type_number(tx, prompt, typed, guess_id, at, &limits))
    }
}

impl Pins for Sqlite {
    fn pin(&self, user: &ResolvedUser, _: Wall) -> StoreFuture<'_, Option<Pin>> {
        let user = user.clone();
        self.read(move |tx| pins::read(tx, &user))
    }

    fn commit_pin_guess(
        &self,
        user: &ResolvedUser,
        guess_id: [u8; 16],
        version: u64,
        right: bool,
        tries: u32,
        _: Wall,
    ) -> StoreFuture<'_, bool> {
        let user = user.clone();
        self.write(move |tx| pins::guess(tx, &user, guess_id, version, right, tries))
    }

    fn set_pin(&self, user: &ResolvedUser, hash: Secret, must_change: bool, at: Wall) -> StoreFuture<'_, ()> {
        let user = user.clone();
        self.write(move |tx| pins::set(tx, &user, hash, must_change, at))
    }

    fn reset_pin(&self, user: &ResolvedUser) -> StoreFuture<'_, ()> {
        let user = user.clone();
        self.write(move |tx| pins::reset(tx, &user))
    }
}

impl PeopleCodes for Sqlite {
    fn issue_code(
        &self,
        user: &ResolvedUser,
        purpose: CodePurpose,
        code: &Secret,
        lasts: Duration,
        at: Wall,
    ) -> StoreFuture<'_, ()> {
        let (user, code) = (user.clone(), code.clone());
        self.write(move |tx| people_codes::issue(tx, &user, purpose, &code, lasts, at))
    }

    fn spend_code(
        &self,
        user: &ResolvedUser,
        purpose: CodePurpose,
        code: &Secret,
        guess_id: [u8; 16],
        at: Wall,
    ) -> StoreFuture<'_, CodeSpent> {
        let (user, code) = (user.clone(), code.clone());
        self.write(move |tx| people_codes::spend(tx, &user, purpose, &code, guess_id, at))
    }

    fn set_recovery_codes(&self, user: &ResolvedUser, codes: Vec<Secret>, _: Wall) -> StoreFuture<'_, ()> {
        let user = user.clone();
        self.write(move |tx| people_codes::set_recovery(tx, &user, &codes))
    }

    fn spend_recovery_code(
        &self,
        user: &ResolvedUser,
        code: &Secret,
        guess_id: [u8; 16],
        _: Wall,
    ) -> StoreFuture<'_, bool> {
        let (user, code) = (user.clone(), code.clone());
        self.write(move |tx| people_codes::spend_recovery(tx, &user, &code, guess_id))
    }

    fn recovery_codes_left(&self, user: &ResolvedUser) -> StoreFuture<'_, u32> {
        let user = user.clone();
        self.read(move |tx| people_codes::recovery_left(tx, &user))
    }

    fn invite(&self, user: &ResolvedUser, at: Wall) -> StoreFuture<'_, bool> {
        let user = user.clone();
        self.write(move |tx| people_codes::invite(tx, &user, at))
    }
}

impl Bypasses for Sqlite {
    fn grant_bypass(&self, grant: NewBypass, at: Wall) -> StoreFuture<'_, BypassId> {
        self.write(move |tx| bypasses::grant(tx, grant, at))
    }

    fn open_bypass(&self, user: &ResolvedUser, client: &ClientName, at: Wall) -> StoreFuture<'_, Option<BypassId>> {
        let (user, client) = (user.clone(), client.clone());
        self.read(move |tx| bypasses::open(tx, &user, &client, at))
    }

    fn list_bypasses(&self, user: &ResolvedUser, at: Wall) -> StoreFuture<'_, Vec<Bypass>> {
        let user = user.clone();
        self.read(move |tx| bypasses::list(tx, &user, at))
    }

    fn revoke_bypass(&self, bypass: &BypassId, _: Wall) -> StoreFuture<'_, ()> {
        let bypass = bypass.clone();
        self.write(move |tx| bypasses::revoke(tx, &bypass))
    }
}

impl Choices for Sqlite {
    fn choices(&self, user: &ResolvedUser) -> StoreFuture<'_, UserChoices> {
        let user = user.clone();
        self.read(move |tx| choices::read(tx, &user))
    }

    fn prefer_method(&self, user: &ResolvedUser, method: Option<Method>) -> StoreFuture<'_, ()> {
        let user = user.clone();
        self.write(move |tx| choices::prefer(tx, &user, method))
    }

    fn speak(&self, user: &ResolvedUser, language: Option<Arc<str>>) -> StoreFuture<'_, ()> {
        let user = user.clone();
        self.write(move |tx| choices::speak(tx, &user, language.as_deref()))
    }

    fn set_mail(&self, user: &ResolvedUser, mail: Option<String>) -> StoreFuture<'_, ()> {
        let user = user.clone();
        self.write(move |tx| choices::set_mail(tx, &user, mail))
    }
}

impl WebSessions for Sqlite {
    fn open_web_session(&self, session: NewWebSession, at: Wall) -> StoreFuture<'_, ()> {
        self.write(move |tx| web_sessions::open(tx, session, at))
    }

    fn web_session(
        &self,
        id: &[u8; 32],
        realm: WebRealm,
        idle: Duration,
        at: Wall,
    ) -> StoreFuture<'_, Option<WebSession>> {
        let id = *id;
        Box::pin(async move {
            let found = self.readers.read(move |tx| web_sessions::living(tx, &id, realm, idle, at)).await?;
            let Some(found) = found else { return Ok(None) };
            if found.moves {
                self.writer.write(move |tx| web_sessions::touch(tx, &id, at)).await?;
            }
            Ok(Some(found.session))
        })
    }

    fn rotate_web_session(
        &self,
        id: &[u8; 32],
        new: [u8; 32],
        step: WebStep,
        factored_at: Option<Wall>,
        at: Wall,
    ) -> StoreFuture<'_, bool> {
        let id = *id;
        self.write(move |tx| web_sessions::rotate(tx, &id, new, step, factored_at, at))
    }

    fn enrol_token(
        &self,
        session: SessionTurn,
        user: &ResolvedUser,
        token: NewToken,
        at: Wall,
    ) -> StoreFuture<'_, Option<TokenId>> {
        let user = user.clone();
        self.write(move |tx| tokens::enrol(tx, &session, &user, &token, at))
    }

    fn list_web_sessions(&self, user: &ResolvedUser, at: Wall) -> StoreFuture<'_, Vec<ListedSession>> {
        let user = user.clone();
        self.read(move |tx| web_sessions::list(tx, &user, at))
    }

    fn close_web_session(&self, id: &[u8; 32]) -> StoreFuture<'_, ()> {
        let id = *id;
        self.write(move |tx| web_sessions::close(tx, &id))
    }

    fn close_web_sessions(&self, user: &ResolvedUser, but: Option<[u8; 32]>) -> StoreFuture<'_, u32> {
        let user = user.clone();
        self.write(move |tx| web_sessions::close_all_of(tx, &user, but))
    }
}

impl Letters for Sqlite {
    fn post(&self, letter: Secret, at: Wall) -> StoreFuture<'_, u64> {
        let posted = self.write(move |tx| letters::post(tx, &letter, at));
        Box::pin(async move {
            let number = posted.await?;
            self.letter_came.notify_one();
            Ok(number)
        })
    }

    fn letter_came(&self) -> StoreFuture<'_, ()> {
        Box::pin(async {
            self.letter_came.notified().await;
            Ok(())
        })
    }

    fn due_letters(&self, at: Wall, limit: usize) -> StoreFuture<'_, Vec<DueLetter>> {
        self.read(move |tx| letters::due(tx, at, limit))
    }

    fn letter_done(&self, letter: u64) -> StoreFuture<'_, ()> {
        self.write(move |tx| letters::done(tx, letter))
    }

    fn letter_failed(&self, letter: u64, again_at: Wall) -> StoreFuture<'_, ()> {
        self.write(move |tx| letters::failed(tx, letter, again_at))
    }
}

impl Acts for Sqlite {
    fn write_act(&self, act: Act, at: Wall) -> StoreFuture<'_, u64> {
        self.write(move |tx| acts::write(tx, &act, at))
    }

    fn acts_on(&self, user: &ResolvedUser, limit: usize) -> StoreFuture<'_, Vec<StoredRecord>> {
        let user = user.clone();
        self.read(move |tx| acts::on(tx, &user, limit))
    }
}
