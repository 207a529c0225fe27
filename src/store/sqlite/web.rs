//! Each verb of portal, phones and help desk to its function: what reads goes to a reader, what changes anything to the writer.

use std::sync::Arc;
use std::time::Duration;

use login::limits::Limits;
use login::{BypassId, ClientName, DeviceId, Method, Number, PromptId, ResolvedUser, Wall};
use wire::Secret;

use super::super::error::StoreError;
use super::super::rows::{Device, OpenPrompt, StoredRecord};
use super::super::verbs::StoreFuture;
use super::super::web::*;
use super::Sqlite;

fn unbuilt<'a, T: Send + 'static>() -> StoreFuture<'a, T> {
    Box::pin(std::future::ready(Err(StoreError::Ours("not built yet".into()))))
}

impl Phones for Sqlite {
    fn begin_activation(&self, _new: NewActivation, _at: Wall) -> StoreFuture<'_, DeviceId> {
        unbuilt()
    }

    fn bring_key(&self, _device: &DeviceId, _code: &Secret, _key: PhoneKey, _at: Wall) -> StoreFuture<'_, KeyBrought> {
        unbuilt()
    }

    fn confirm_device(&self, _device: &DeviceId, _prompt: PromptId, _at: Wall) -> StoreFuture<'_, ()> {
        unbuilt()
    }

    fn phone(&self, _device: &DeviceId) -> StoreFuture<'_, Option<Phone>> {
        unbuilt()
    }

    fn phone_seen(&self, _device: &DeviceId, _seen: Seen, _at: Wall) -> StoreFuture<'_, ()> {
        unbuilt()
    }

    fn subscription_gone(&self, _device: &DeviceId) -> StoreFuture<'_, ()> {
        unbuilt()
    }

    fn rename_device(&self, _device: &DeviceId, _label: String) -> StoreFuture<'_, ()> {
        unbuilt()
    }

    fn take_silent(&self, _unanswered: u32) -> StoreFuture<'_, Vec<Device>> {
        unbuilt()
    }

    fn prompt_of(&self, _user: &ResolvedUser, _at: Wall) -> StoreFuture<'_, Option<OpenPrompt>> {
        unbuilt()
    }

    fn reveal_number(&self, _prompt: PromptId, _device: &DeviceId, _at: Wall) -> StoreFuture<'_, Option<Number>> {
        unbuilt()
    }

    fn type_number(
        &self,
        _prompt: PromptId,
        _typed: Number,
        _guess_id: [u8; 16],
        _at: Wall,
        _limits: &Limits,
    ) -> StoreFuture<'_, TypedNumber> {
        unbuilt()
    }
}

impl Pins for Sqlite {
    fn pin(&self, _user: &ResolvedUser, _at: Wall) -> StoreFuture<'_, Option<Pin>> {
        unbuilt()
    }

    fn commit_pin_guess(
        &self,
        _user: &ResolvedUser,
        _version: u64,
        _right: bool,
        _tries: u32,
        _at: Wall,
    ) -> StoreFuture<'_, bool> {
        unbuilt()
    }

    fn set_pin(&self, _user: &ResolvedUser, _hash: Secret, _must_change: bool, _at: Wall) -> StoreFuture<'_, ()> {
        unbuilt()
    }

    fn reset_pin(&self, _user: &ResolvedUser) -> StoreFuture<'_, ()> {
        unbuilt()
    }
}

impl PeopleCodes for Sqlite {
    fn issue_code(
        &self,
        _user: &ResolvedUser,
        _purpose: CodePurpose,
        _code: &Secret,
        _lasts: Duration,
        _at: Wall,
    ) -> StoreFuture<'_, ()> {
        unbuilt()
    }

    fn spend_code(
        &self,
        _user: &ResolvedUser,
        _purpose: CodePurpose,
        _code: &Secret,
        _at: Wall,
    ) -> StoreFuture<'_, CodeSpent> {
        unbuilt()
    }

    fn set_recovery_codes(&self, _user: &ResolvedUser, _codes: Vec<Secret>, _at: Wall) -> StoreFuture<'_, ()> {
        unbuilt()
    }

    fn spend_recovery_code(&self, _user: &ResolvedUser, _code: &Secret, _at: Wall) -> StoreFuture<'_, bool> {
        unbuilt()
    }

    fn recovery_codes_left(&self, _user: &ResolvedUser) -> StoreFuture<'_, u32> {
        unbuilt()
    }

    fn invite(&self, _user: &ResolvedUser, _at: Wall) -> StoreFuture<'_, bool> {
        unbuilt()
    }
}

impl Bypasses for Sqlite {
    fn grant_bypass(&self, _grant: NewBypass, _at: Wall) -> StoreFuture<'_, BypassId> {
        unbuilt()
    }

    fn open_bypass(&self, _user: &ResolvedUser, _client: &ClientName, _at: Wall) -> StoreFuture<'_, Option<BypassId>> {
        unbuilt()
    }

    fn list_bypasses(&self, _user: &ResolvedUser, _at: Wall) -> StoreFuture<'_, Vec<Bypass>> {
        unbuilt()
    }

    fn revoke_bypass(&self, _bypass: &BypassId, _at: Wall) -> StoreFuture<'_, ()> {
        unbuilt()
    }
}

impl Choices for Sqlite {
    fn choices(&self, _user: &ResolvedUser) -> StoreFuture<'_, UserChoices> {
        unbuilt()
    }

    fn prefer_method(&self, _user: &ResolvedUser, _method: Option<Method>) -> StoreFuture<'_, ()> {
        unbuilt()
    }

    fn speak(&self, _user: &ResolvedUser, _language: Option<Arc<str>>) -> StoreFuture<'_, ()> {
        unbuilt()
    }

    fn set_mail(&self, _user: &ResolvedUser, _mail: Option<String>) -> StoreFuture<'_, ()> {
        unbuilt()
    }
}

impl WebSessions for Sqlite {
    fn open_web_session(&self, _session: NewWebSession, _at: Wall) -> StoreFuture<'_, ()> {
        unbuilt()
    }

    fn web_session(
        &self,
        _id: &[u8; 32],
        _realm: WebRealm,
        _idle: Duration,
        _at: Wall,
    ) -> StoreFuture<'_, Option<WebSession>> {
        unbuilt()
    }

    fn rotate_web_session(&self, _id: &[u8; 32], _new: [u8; 32], _step: WebStep, _at: Wall) -> StoreFuture<'_, bool> {
        unbuilt()
    }

    fn close_web_session(&self, _id: &[u8; 32]) -> StoreFuture<'_, ()> {
        unbuilt()
    }

    fn close_web_sessions(&self, _user: &ResolvedUser, _but: Option<[u8; 32]>) -> StoreFuture<'_, u32> {
        unbuilt()
    }
}

impl Letters for Sqlite {
    fn post(&self, _letter: Secret, _at: Wall) -> StoreFuture<'_, u64> {
        unbuilt()
    }

    fn due_letters(&self, _at: Wall, _limit: usize) -> StoreFuture<'_, Vec<DueLetter>> {
        unbuilt()
    }

    fn letter_done(&self, _letter: u64) -> StoreFuture<'_, ()> {
        unbuilt()
    }

    fn letter_failed(&self, _letter: u64, _again_at: Wall) -> StoreFuture<'_, ()> {
        unbuilt()
    }
}

impl Acts for Sqlite {
    fn write_act(&self, _act: Act, _at: Wall) -> StoreFuture<'_, u64> {
        unbuilt()
    }

    fn acts_on(&self, _user: &ResolvedUser, _limit: usize) -> StoreFuture<'_, Vec<StoredRecord>> {
        unbuilt()
    }
}
