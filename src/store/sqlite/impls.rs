//! Each verb to its function: what reads goes to a reader, what changes anything goes to the writer.

use login::limits::Limits;
use login::{
    Claim, ClientName, DeviceId, GroupName, LoginId, Method, Number, PhoneAnswer, PromptClaim, PromptClose, PromptId,
    PromptStatus, Record, ReleaseCheck, ReleaseOutcome, ResolvedUser, Station, TokenId, UserFacts, Wall,
};
use wire::Secret;

use super::super::error::StoreError;
use super::super::rows::{
    Answered, ChainState, Channel, CommittedGuess, Device, Distinct, Guess, GuessCommit, Keep, NewToken, NewUser,
    OpenPrompt, OpenToken, Pruned, StaffName, Stance, StoredRecord, Token, User, WithdrawnPrompt, WrongCode,
};
use super::super::verbs::{
    Codes, Devices, Prompts, Records, Releases, Retention, SiteKeys, Stances, StoreFuture, Tokens, Users, Writable,
};
use super::tx::Tx;
use super::users::UserRow;
use super::{
    Sqlite, alikes, codes, devices, prompts, records, releases, rename, repeats, retention, stances, tokens, users,
};

impl Sqlite {
    pub(super) fn write<'a, T: Send + 'static>(
        &'a self,
        work: impl FnOnce(Tx<'_>) -> Result<T, StoreError> + Send + 'static,
    ) -> StoreFuture<'a, T> {
        Box::pin(self.writer.write(work))
    }

    pub(super) fn read<'a, T: Send + 'static>(
        &'a self,
        work: impl FnOnce(Tx<'_>) -> Result<T, StoreError> + Send + 'static,
    ) -> StoreFuture<'a, T> {
        Box::pin(self.readers.read(work))
    }
}

impl Users for Sqlite {
    fn add_user(&self, user: NewUser, at: Wall) -> StoreFuture<'_, ()> {
        self.write(move |tx| users::add(tx, &user, at))
    }

    fn set_password(&self, user: &ResolvedUser, hash: Option<Secret>) -> StoreFuture<'_, ()> {
        let user = user.clone();
        self.write(move |tx| users::set_password(tx, &user, hash.as_ref()))
    }

    fn password_hash(&self, user: &ResolvedUser) -> StoreFuture<'_, Option<Secret>> {
        let user = user.clone();
        self.read(move |tx| users::password_hash(tx, &user))
    }

    fn add_groups(&self, user: &ResolvedUser, groups: Vec<GroupName>) -> StoreFuture<'_, ()> {
        let user = user.clone();
        self.write(move |tx| users::add_groups(tx, &user, groups))
    }

    fn remove_groups(&self, user: &ResolvedUser, groups: Vec<GroupName>) -> StoreFuture<'_, ()> {
        let user = user.clone();
        self.write(move |tx| users::remove_groups(tx, &user, &groups))
    }

    fn block_user(&self, user: &ResolvedUser, reason: String) -> StoreFuture<'_, ()> {
        let user = user.clone();
        self.write(move |tx| users::block(tx, &user, &reason))
    }

    fn unblock_user(&self, user: &ResolvedUser) -> StoreFuture<'_, ()> {
        let user = user.clone();
        self.write(move |tx| users::unblock(tx, &user))
    }

    fn note_shield(&self, user: &ResolvedUser, until: Wall) -> StoreFuture<'_, ()> {
        let user = user.clone();
        self.write(move |tx| users::note_shield(tx, &user, until))
    }

    fn station_known(&self, station: &Station, since: Wall) -> StoreFuture<'_, bool> {
        let station = station.clone();
        self.read(move |tx| codes::anybodys(tx, &station, since))
    }

    fn remember_station(&self, user: &ResolvedUser, station: &Station, at: Wall) -> StoreFuture<'_, ()> {
        let (user, station) = (user.clone(), station.clone());
        self.write(move |tx| codes::remember_station(tx, UserRow::need(tx, &user)?.id, Some(&station), at))
    }

    fn lift_limits(&self, user: &ResolvedUser) -> StoreFuture<'_, ()> {
        let user = user.clone();
        self.write(move |tx| users::lift_limits(tx, &user))
    }

    fn rename_user(&self, from: &ResolvedUser, to: &ResolvedUser, given: StaffName, at: Wall) -> StoreFuture<'_, ()> {
        let (from, to) = (from.clone(), to.clone());
        self.write(move |tx| rename::rename(tx, &from, &to, &given, at))
    }

    fn told_apart(&self) -> StoreFuture<'_, Vec<Distinct>> {
        self.read(alikes::told_apart)
    }

    fn remove_user(&self, user: &ResolvedUser, at: Wall) -> StoreFuture<'_, ()> {
        let user = user.clone();
        self.write(move |tx| users::remove(tx, &user, at))
    }

    fn list_users(&self, after: Option<&ResolvedUser>, limit: usize) -> StoreFuture<'_, Vec<User>> {
        let after = after.cloned();
        self.read(move |tx| users::list(tx, after.as_ref(), limit))
    }

    fn show_user(&self, user: &ResolvedUser) -> StoreFuture<'_, Option<User>> {
        let user = user.clone();
        self.read(move |tx| users::show(tx, &user))
    }

    fn user_facts(
        &self,
        user: &ResolvedUser,
        station: Option<&Station>,
        at: Wall,
        limits: &Limits,
    ) -> StoreFuture<'_, UserFacts> {
        let (user, station, limits) = (user.clone(), station.cloned(), limits.clone());
        self.read(move |tx| users::facts(tx, &user, station.as_ref(), at, &limits))
    }
}

impl Tokens for Sqlite {
    fn add_token(&self, user: &ResolvedUser, token: NewToken, at: Wall) -> StoreFuture<'_, TokenId> {
        let user = user.clone();
        self.write(move |tx| tokens::add(tx, &user, &token, at))
    }

    fn list_tokens(&self, user: &ResolvedUser) -> StoreFuture<'_, Vec<Token>> {
        let user = user.clone();
        self.read(move |tx| {
            UserRow::find(tx, &user)?.map_or(Ok(Vec::new()), |owner| tokens::of_user(tx, owner.id, &owner.name))
        })
    }

    fn rename_token(&self, token: &TokenId, label: String) -> StoreFuture<'_, ()> {
        let token = token.clone();
        self.write(move |tx| tokens::rename(tx, &token, &label))
    }

    fn remove_token(&self, token: &TokenId, at: Wall) -> StoreFuture<'_, ()> {
        let token = token.clone();
        self.write(move |tx| tokens::remove(tx, &token, at))
    }
}

impl Codes for Sqlite {
    fn read_guess(
        &self,
        user: &ResolvedUser,
        station: Option<&Station>,
        methods: &[Method],
        at: Wall,
        limits: &Limits,
    ) -> StoreFuture<'_, Guess> {
        let (user, station, methods, limits) = (user.clone(), station.cloned(), methods.to_vec(), limits.clone());
        self.read(move |tx| codes::read(tx, &user, station.as_ref(), &methods, at, &limits))
    }

    fn wrong_code(&self, user: &ResolvedUser, code: &Secret, tried_on: &[OpenToken]) -> WrongCode {
        WrongCode::of(&self.seals.wrong_codes, user, code, tried_on)
    }

    fn commit_guess(&self, commit: GuessCommit, limits: &Limits) -> StoreFuture<'_, CommittedGuess> {
        let limits = limits.clone();
        self.write(move |tx| codes::commit(tx, &commit, &limits))
    }
}

impl Devices for Sqlite {
    fn add_device(
        &self,
        user: &ResolvedUser,
        channel: Channel,
        label: Option<String>,
        at: Wall,
    ) -> StoreFuture<'_, DeviceId> {
        let user = user.clone();
        self.write(move |tx| devices::add(tx, &user, channel, label.as_deref(), at))
    }

    fn list_devices(&self, user: &ResolvedUser) -> StoreFuture<'_, Vec<Device>> {
        let user = user.clone();
        self.read(move |tx| UserRow::find(tx, &user)?.map_or(Ok(Vec::new()), |owner| devices::of_user(tx, &owner)))
    }

    fn remove_device(&self, device: &DeviceId, at: Wall) -> StoreFuture<'_, ()> {
        let device = device.clone();
        self.write(move |tx| devices::remove(tx, &device, at))
    }
}

impl Prompts for Sqlite {
    fn claim_prompt(&self, claim: PromptClaim, at: Wall, limits: &Limits) -> StoreFuture<'_, Claim> {
        let limits = limits.clone();
        self.write(move |tx| prompts::claim(tx, &claim, at, &limits))
    }

    fn extend_prompt(&self, prompt: PromptId, askers_until: Wall, at: Wall) -> StoreFuture<'_, PromptStatus> {
        self.write(move |tx| prompts::extend(tx, prompt, askers_until, at))
    }

    fn answer_prompt(
        &self,
        prompt: PromptId,
        device: &DeviceId,
        answer: PhoneAnswer,
        number: Option<Number>,
        at: Wall,
        limits: &Limits,
    ) -> StoreFuture<'_, Answered> {
        let (device, limits) = (device.clone(), limits.clone());
        self.write(move |tx| prompts::answer(tx, prompt, &device, &answer, number, at, &limits))
    }

    fn close_prompt(&self, prompt: PromptId, why: PromptClose, at: Wall, limits: &Limits) -> StoreFuture<'_, ()> {
        let limits = limits.clone();
        self.write(move |tx| prompts::close(tx, prompt, why, at, &limits))
    }

    fn prompt_status(&self, prompt: PromptId, at: Wall) -> StoreFuture<'_, PromptStatus> {
        self.read(move |tx| prompts::status(tx, prompt, at))
    }

    fn withdrawn_prompts(&self, prompts: Vec<PromptId>) -> StoreFuture<'_, Vec<WithdrawnPrompt>> {
        self.read(move |tx| prompts::withdrawn(tx, &prompts))
    }

    fn open_prompts(&self, at: Wall) -> StoreFuture<'_, Vec<OpenPrompt>> {
        self.read(move |tx| prompts::open_at(tx, at))
    }
}

impl Releases for Sqlite {
    fn release(&self, check: ReleaseCheck, record: Record, at: Wall) -> StoreFuture<'_, ReleaseOutcome> {
        self.write(move |tx| releases::release(tx, &check, &record, at))
    }

    fn record(&self, record: Record) -> StoreFuture<'_, u64> {
        self.write(move |tx| records::append(tx, &record))
    }
}

impl Records for Sqlite {
    fn records_after(&self, seq: u64, limit: usize) -> StoreFuture<'_, Vec<StoredRecord>> {
        self.read(move |tx| records::after(tx, seq, limit))
    }

    fn recent_records(&self, user: &ResolvedUser, limit: usize) -> StoreFuture<'_, Vec<StoredRecord>> {
        let user = user.clone();
        self.read(move |tx| records::recent(tx, &user, limit))
    }

    fn record_of(&self, login: LoginId) -> StoreFuture<'_, Option<StoredRecord>> {
        self.read(move |tx| records::of_login(tx, login))
    }

    fn sink_cursor(&self, sink: &str) -> StoreFuture<'_, u64> {
        let sink = sink.to_owned();
        self.read(move |tx| records::cursor(tx, &sink))
    }

    fn advance_sink(&self, sink: &str, seq: u64) -> StoreFuture<'_, ()> {
        let sink = sink.to_owned();
        self.write(move |tx| records::advance(tx, &sink, seq))
    }

    fn verify_chain(&self) -> StoreFuture<'_, ChainState> {
        self.read(records::verify)
    }
}

impl Retention for Sqlite {
    fn settle_repeats(&self, now: Wall) -> StoreFuture<'_, usize> {
        self.write(move |tx| repeats::settle(tx, now, repeats::SETTLED_AT_ONCE))
    }

    fn prune_records(&self, keep: Keep) -> StoreFuture<'_, Pruned> {
        self.write(move |tx| retention::prune(tx, &keep))
    }
}

impl Stances for Sqlite {
    fn stance(&self, client: &ClientName) -> StoreFuture<'_, Option<Stance>> {
        let client = client.clone();
        self.read(move |tx| stances::of(tx, &client))
    }

    fn learn_stance(&self, client: &ClientName, at: Wall) -> StoreFuture<'_, ()> {
        let client = client.clone();
        self.write(move |tx| stances::learn(tx, &client, at))
    }

    fn forget_stance(&self, client: &ClientName) -> StoreFuture<'_, bool> {
        let client = client.clone();
        self.write(move |tx| stances::forget(tx, &client))
    }
}

impl Writable for Sqlite {
    fn try_write(&self) -> StoreFuture<'_, ()> {
        // The header's page is written anew with what stands in it: a frame of the log like any other commit's.
        Box::pin(self.writer.write(|tx| {
            let version: i64 = tx.db.pragma_query_value(None, "user_version", |row| row.get(0))?;
            Ok(tx.db.pragma_update(None, "user_version", version)?)
        }))
    }
}

impl SiteKeys for Sqlite {
    fn site_key(&self, purpose: &str) -> [u8; 32] {
        self.seals.site_key(purpose)
    }

    fn unknown_name(&self, name: &str) -> String {
        self.seals.unknown_name(name)
    }
}
