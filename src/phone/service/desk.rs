//! What both kinds of phones share: who asks, what is open for it, and what its answer does.
//!
//! Nonces are made from the prompt, the device and a key of the site, not kept: any node and any later process knows them,
//! and nobody else can. So no row is written for a phone to be asked.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use data_encoding::{BASE32_NOPAD, BASE64URL_NOPAD};
use hmac::{Hmac, KeyInit, Mac};
use login::{
    DeviceId, Moment, Network, Number, NumberMatch, Origin, PhoneAnswer, PromptId, PromptStatus, ResolvedUser, Wall,
};
use serde_json::Value;
use sha2::Sha256;

use super::offers::{Offer, Offers};
use super::pin::Pins;
use super::{LOOK_EVERY, PhoneRooms, PhoneStore};
use crate::engine::Arrivals;
use crate::language::Language;
use crate::phone::limits::{Buckets, Rate};
use crate::phone::page::PageKey;
use crate::phone::replay::Replay;
use crate::phone::store_app::{self, PhoneKey};
use crate::phone::waiting::Seat;
use crate::store::web::{DeviceState, Phone, Seen};
use crate::store::{Answered, Channel, OpenPrompt, StoreError};
use crate::telemetry::{PhonePuzzles, PhoneRefusal, PhoneRefused, SecondKeyCame};
use crate::web::{ClientAddress, Connection, Held};

/// Polls of one phone: one a second, ten at once, since each thing that changes on it is one.
const POLLS: Rate = Rate { burst: 10, every: Duration::from_secs(1) };

/// Bad signatures for one device from one address: ten a minute.
const GUESSES: Rate = Rate { burst: 10, every: Duration::from_secs(6) };

/// Bad requests of any kind from one address: many phones may share it, and none of theirs are bad.
const STRANGERS: Rate = Rate { burst: 60, every: Duration::from_secs(1) };

/// The same from one /48.
const STRANGERS_OF_A_SITE: Rate = Rate { burst: 240, every: Duration::from_millis(250) };
/// A prompt stays so much longer than its newest asker: where a challenge follows, its own time is written down a moment later.
const ASKERS_GRACE: Duration = Duration::from_secs(1);

/// What is remembered at once of each kind.
const REMEMBERED_MAX: usize = 65_536;

/// Polls that are remembered: as many phones as can be, a poll every second each, would be another matter than a flood.
const REPLAY_MAX: usize = 262_144;

/// A phone that asks all the time is written down as seen this often.
const SEEN_EVERY: Duration = Duration::from_secs(300);

/// Octets of a User-Agent that are kept.
const AGENT_OCTETS_MAX: usize = 160;

pub(super) struct Desk {
    pub(super) rooms: PhoneRooms,
    pub(super) pins: Pins,
    key: [u8; 32],
    offers: Mutex<Offers>,
    replay: Mutex<Replay>,
    polls: Buckets<DeviceId>,
    guesses: Buckets<(DeviceId, Network)>,
    strangers: Buckets<Network>,
    strangers_of_sites: Buckets<Network>,
    nobody: Option<(PhoneKey, PageKey)>,
}

/// A poll that is held.
pub(super) struct Line {
    until: login::Tick,
    /// Without a place among those that wait a poll is answered at once.
    seat: Option<Seat>,
    arrivals: Option<Arrivals>,
    _held: Option<Held>,
}

/// Why a request goes no further. What is told of it is each protocol's own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Stop {
    /// Too many bad ones: try later.
    TooMany,
    /// Unknown, without a key, or badly signed: all alike.
    Unverified,
    /// Taken before.
    Repeated,
    /// The store, or we, can't.
    Unavailable,
}

impl From<StoreError> for Stop {
    fn from(error: StoreError) -> Self {
        match error.refusal() {
            // What is not there is as unknown as any other.
            Ok(_) => Self::Unverified,
            Err(error) => {
                // The store's own trouble is told by whoever looks after it: strangers can bring this about as often as they like.
                tracing::debug!(%error, "a phone could not be served");
                Self::Unavailable
            }
        }
    }
}

impl Stop {
    pub(super) fn why(&self) -> PhoneRefusal {
        match self {
            Self::TooMany => PhoneRefusal::TooMany,
            Self::Unverified => PhoneRefusal::Unverified,
            Self::Repeated => PhoneRefusal::Repeated,
            Self::Unavailable => PhoneRefusal::Unavailable,
        }
    }
}

impl Desk {
    pub(super) fn new(rooms: PhoneRooms) -> Self {
        Self {
            pins: Pins::new(rooms.pin, rooms.hasher.clone()),
            key: rooms.store.site_key("phone-nonces"),
            offers: Mutex::new(Offers::new(REMEMBERED_MAX)),
            replay: Mutex::new(Replay::new(store_app::POLL_WINDOW, REPLAY_MAX)),
            polls: Buckets::new(POLLS, REMEMBERED_MAX),
            guesses: Buckets::new(GUESSES, REMEMBERED_MAX),
            strangers: Buckets::new(STRANGERS, REMEMBERED_MAX),
            strangers_of_sites: Buckets::new(STRANGERS_OF_A_SITE, REMEMBERED_MAX),
            nobody: PhoneKey::nobody().zip(PageKey::nobody()),
            rooms,
        }
    }

    pub(super) fn store(&self) -> &dyn PhoneStore {
        &*self.rooms.store
    }

    pub(super) fn now(&self) -> Moment {
        self.rooms.clock.moment()
    }

    /// Counts a request that changed nothing.
    pub(super) fn refused(&self, phone: &'static str, why: PhoneRefusal) {
        self.rooms.telemetry.emit(PhoneRefused { phone, why });
    }

    /// Tells of a phone what its owner or the site may have to mend.
    pub(super) fn puzzles(&self, phone: &'static str, what: &'static str, why: &str) {
        self.rooms.telemetry.emit(PhonePuzzles { phone, what, why });
    }

    /// A second key came for an activation (rules F3).
    pub(super) fn second_key(&self, phone: &'static str, user: &ResolvedUser, device: &DeviceId) {
        self.rooms.telemetry.emit(SecondKeyCame { phone, user: user.as_str(), device: &device.0 });
    }

    /// What its user reads; English where nothing was chosen.
    pub(super) async fn language(&self, user: &ResolvedUser) -> Result<Language, Stop> {
        Ok(self.chosen_language(user).await?.unwrap_or_default())
    }

    /// What its user chose; `None`: nothing, or nothing that we speak.
    pub(super) async fn chosen_language(&self, user: &ResolvedUser) -> Result<Option<Language>, Stop> {
        let choices = self.store().choices(user).await?;
        Ok(choices.language.as_deref().and_then(Language::of_tag))
    }

    // --- who asks --------------------------------------------------------------------------------------------------

    /// Whether this address may try another code. Only that is kept from it: a phone that signs well is heard whoever else
    /// shares its address.
    pub(super) fn admit(&self, from: ClientAddress) -> Result<(), Stop> {
        let (origin, now) = (Origin::of(from.0), self.now().tick);
        let free = self.strangers.has_one(&origin.house, now)
            && origin.site.is_none_or(|site| self.strangers_of_sites.has_one(&site, now));
        if free { Ok(()) } else { Err(Stop::TooMany) }
    }

    /// Something bad came from there: it counts, and past the rate it is not even told what was bad.
    pub(super) fn stranger(&self, from: ClientAddress) -> Stop {
        let (origin, now) = (Origin::of(from.0), self.now().tick);
        let told = self.strangers.take(&origin.house, now)
            && origin.site.is_none_or(|site| self.strangers_of_sites.take(&site, now));
        if told { Stop::Unverified } else { Stop::TooMany }
    }

    /// The store app's phone of this serial, if it signed. An unknown one costs the same check, on a key that is nobody's.
    pub(super) async fn store_phone(
        &self,
        device: &DeviceId,
        from: ClientAddress,
        signed: impl Fn(&PhoneKey) -> bool,
    ) -> Result<(Phone, PhoneKey), Stop> {
        let known = self.guessed(device, from, Channel::PrivacyIdea).await?;
        let key = known.as_ref().and_then(|phone| PhoneKey::of_spki(&phone.spki).ok());
        match (known, key) {
            (Some(phone), Some(key)) if signed(&key) => Ok((phone, key)),
            (_, Some(_)) => Err(self.guess(device, from)),
            (_, None) => {
                let _ = self.nobody.as_ref().is_some_and(|(nobody, _)| signed(nobody));
                Err(self.guess(device, from))
            }
        }
    }

    /// Our page's phone of this id, if it signed; likewise.
    pub(super) async fn page_phone(
        &self,
        device: &DeviceId,
        from: ClientAddress,
        signed: impl Fn(&PageKey) -> bool,
    ) -> Result<(Phone, PageKey), Stop> {
        let known = self.guessed(device, from, Channel::WebPush).await?;
        let key = known.as_ref().and_then(|phone| PageKey::of_spki(&phone.spki).ok());
        match (known, key) {
            (Some(phone), Some(key)) if signed(&key) => Ok((phone, key)),
            (_, Some(_)) => Err(self.guess(device, from)),
            (_, None) => {
                let _ = self.nobody.as_ref().is_some_and(|(_, nobody)| signed(nobody));
                Err(self.guess(device, from))
            }
        }
    }

    async fn guessed(&self, device: &DeviceId, from: ClientAddress, channel: Channel) -> Result<Option<Phone>, Stop> {
        if !self.guesses.has_one(&(device.clone(), Origin::of(from.0).house), self.now().tick) {
            return Err(Stop::TooMany);
        }
        let known = self.store().phone(device).await?;
        Ok(known.filter(|phone| phone.device.channel == channel && phone.device.state != DeviceState::Waiting))
    }

    /// A bad signature for this device counts against its sender, never against the device: nobody can lock it out.
    pub(super) fn guess(&self, device: &DeviceId, from: ClientAddress) -> Stop {
        let _ = self.guesses.take(&(device.clone(), Origin::of(from.0).house), self.now().tick);
        self.stranger(from)
    }

    /// A poll that was signed and came in time is taken once.
    pub(super) fn poll_once(&self, device: &DeviceId, signed: &str, stamped: Wall) -> Result<(), Stop> {
        let now = self.now();
        if !self.polls.take(device, now.tick) {
            return Err(Stop::TooMany);
        }
        let mut replay = self.replay.lock().unwrap_or_else(PoisonError::into_inner);
        replay.take(&device.0, signed, stamped, now.wall).map_err(|why| match why {
            crate::phone::replay::Refused::Repeated => Stop::Repeated,
            crate::phone::replay::Refused::Full => Stop::TooMany,
        })
    }

    /// The phone proved its key: it lives. Written now and then only, since open phones ask all the time.
    pub(super) async fn seen(&self, phone: &Phone, agent: Option<&str>) -> Result<(), Stop> {
        let now = self.now().wall;
        let agent = agent.map(bounded);
        let known = phone.device.agent.as_deref() == agent && phone.device.unanswered == 0;
        if known && phone.device.seen_at.is_some_and(|seen| now.since(seen) < SEEN_EVERY) {
            return Ok(());
        }
        let seen = Seen { agent: agent.map(str::to_owned), ..Seen::default() };
        Ok(self.store().phone_seen(&phone.device.id, seen, now).await?)
    }

    // --- what is open ------------------------------------------------------------------------------------------------

    /// The prompt that this phone may answer now, if there is one: a prompt goes only to devices that can prove all that it
    /// asks (rules B4), a test push to its own device alone, and nothing else to a device that is not active yet (rules F3).
    pub(super) async fn open_for(
        &self,
        phone: &Phone,
        can: impl Fn(&OpenPrompt) -> bool,
    ) -> Result<Option<OpenPrompt>, Stop> {
        let now = self.now().wall;
        let open = self.store().prompt_of(&phone.device.user, now).await?;
        // Rules B5: what nobody waits for any more is asked of no phone; the same login's re-ask brings it back (B2).
        let waited = |open: &OpenPrompt| open.askers_until.plus(ASKERS_GRACE) > now;
        let asks = |open: &OpenPrompt| open.status == PromptStatus::Pending && waited(open);
        Ok(open.filter(|open| is_for(phone, open) && asks(open) && can(open)))
    }

    /// Until when this user's phones are not asked (rules D2).
    pub(super) async fn quiet_until(&self, user: &ResolvedUser) -> Result<Option<Wall>, Stop> {
        let shown = self.store().show_user(user).await?;
        Ok(shown.and_then(|user| user.pushes.quiet(self.now().wall)))
    }

    /// The same, held until there is one, for so long at most. The phone signed: its connection is no stranger's any more.
    pub(super) async fn wait_for(
        &self,
        phone: &Phone,
        connection: Option<&Connection>,
        hold: Duration,
        can: impl Fn(&OpenPrompt) -> bool,
    ) -> Result<Option<OpenPrompt>, Stop> {
        let mut line = self.sits(phone, connection, hold);
        loop {
            let open = self.open_for(phone, &can).await?;
            if open.is_some() || !self.goes_on(&mut line).await {
                return Ok(open);
            }
        }
    }

    /// Takes a place on the line, for so long at most. Before the first look, so that nothing comes unheard between that and
    /// the wait.
    pub(super) fn sits(&self, phone: &Phone, connection: Option<&Connection>, hold: Duration) -> Line {
        let until = self.now().tick.plus(hold);
        let held = connection.map(Connection::hold);
        let seat = if matches!(held, Some(None)) { None } else { self.rooms.waiting.sit(&phone.device.id) };
        Line { until, seat, arrivals: self.rooms.answers.arrivals(&phone.device.user), _held: held.flatten() }
    }

    /// Waits until another look is worth it; false: nobody waits here any longer.
    pub(super) async fn goes_on(&self, line: &mut Line) -> bool {
        let Some(seat) = &line.seat else { return false };
        if seat.is_replaced() || self.now().tick >= line.until || self.rooms.stop.is_cancelled() {
            return false;
        }
        self.pause(seat, line.arrivals.as_mut(), line.until).await;
        true
    }

    async fn pause(&self, seat: &Seat, arrivals: Option<&mut Arrivals>, until: login::Tick) {
        let heard = async {
            match arrivals {
                Some(arrivals) => arrivals.changed().await,
                None => std::future::pending().await,
            }
        };
        let look = self.now().tick.plus(LOOK_EVERY).min(until);
        tokio::select! {
            () = seat.rung() => {}
            () = heard => {}
            () = self.rooms.clock.wait_until(look) => {}
            () = self.rooms.stop.cancelled() => {}
        }
    }

    // --- nonces and what was offered -------------------------------------------------------------------------------------

    fn mac(&self, purpose: &str, prompt: PromptId, device: &DeviceId) -> [u8; 32] {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.key)
            .unwrap_or_else(|_| unreachable!("HMAC takes keys of any length (RFC 2104 §2)"));
        for part in [purpose.as_bytes(), &prompt.0, device.0.as_bytes()] {
            mac.update(&u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
            mac.update(part);
        }
        mac.finalize().into_bytes().into()
    }

    /// 160 bits in 32 letters, as the store app takes them.
    pub(super) fn store_nonce(&self, prompt: PromptId, device: &DeviceId) -> String {
        BASE32_NOPAD.encode(&self.mac("store app", prompt, device)[..20])
    }

    /// 256 bits, as our page takes them.
    pub(super) fn page_nonce(&self, prompt: PromptId, device: &DeviceId) -> String {
        BASE64URL_NOPAD.encode(&self.mac("page", prompt, device))
    }

    /// Two-digit numbers to choose from, that of each screen among them (B2): the same as long as no screen joins.
    pub(super) fn choices(&self, prompt: PromptId, device: &DeviceId, shown: &[Number], count: usize) -> Vec<String> {
        let dice = self.mac("choices", prompt, device);
        // 10 to 99, as screens show them: a decoy that can't be on one would tell which are none.
        let others = dice.iter().map(|octet| 10 + u32::from(*octet) % 90);
        let mut chosen: Vec<u32> = shown.iter().map(|number| number.0).take(count).collect();
        // 32 octets and then all there are: enough different ones, whatever the dice.
        for other in others.chain(10..100) {
            if chosen.len() >= count {
                break;
            }
            if !chosen.contains(&other) {
                chosen.push(other);
            }
        }
        // In the order of the numbers, so that the place tells nothing.
        chosen.sort_unstable();
        chosen.into_iter().map(|number| format!("{number:02}")).collect()
    }

    /// The prompt is put to the phone: it lives, whatever becomes of it (a silent phone is told of).
    pub(super) async fn offered(&self, nonce: &str, prompt: &OpenPrompt, device: &DeviceId) -> Result<(), Stop> {
        let now = self.now().wall;
        if self.remember(nonce, prompt, device) {
            self.store().phone_seen(device, Seen::default(), now).await?;
        }
        Ok(())
    }

    fn remember(&self, nonce: &str, prompt: &OpenPrompt, device: &DeviceId) -> bool {
        let now = self.now().wall;
        self.offers().offered(nonce, prompt.clone(), device, now)
    }

    /// What this nonce was put to the phone with: as remembered, or as it stands in the store.
    pub(super) async fn offer(
        &self,
        nonce: &str,
        phone: &Phone,
        nonce_of: impl Fn(PromptId, &DeviceId) -> String,
    ) -> Result<Option<Offer>, Stop> {
        let device = &phone.device.id;
        if self.offers().of(nonce).is_none() {
            let open = self.store().prompt_of(&phone.device.user, self.now().wall).await?;
            let Some(open) = open.filter(|open| is_for(phone, open) && nonce_of(open.prompt, device) == nonce) else {
                return Ok(None);
            };
            self.remember(nonce, &open, device);
        }
        Ok(self.offers().of(nonce).filter(|offer| offer.device == *device).cloned())
    }

    /// The phone's owner gave a reason for declining after the code was shown: a deny from it counts again (rules F5).
    pub(super) async fn unreveal(&self, prompt: &OpenPrompt, device: &DeviceId) -> Result<(), Stop> {
        Ok(self.store().unreveal_number(prompt.prompt, device).await?)
    }

    pub(super) fn code_shown(&self, nonce: &str) {
        self.offers().code_shown(nonce);
    }

    pub(super) fn replied(&self, nonce: &str, answer: String, reply: &Value) {
        self.offers().replied(nonce, answer, reply.clone());
    }

    fn offers(&self) -> std::sync::MutexGuard<'_, Offers> {
        self.offers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    // --- what an answer does ------------------------------------------------------------------------------------------------

    /// Brings a phone's answer to the engine: the store's compare-and-set decides what it does (rules A8).
    pub(super) async fn answer(
        &self,
        prompt: &OpenPrompt,
        device: &DeviceId,
        answer: PhoneAnswer,
        number: Option<Number>,
    ) -> Result<Answered, Stop> {
        Ok(self.rooms.answers.take(prompt.prompt, device.clone(), answer, number).await?)
    }

    /// The digits that the phone shows now (rules F8, *typed*).
    pub(super) async fn reveal(&self, prompt: &OpenPrompt, device: &DeviceId) -> Result<Option<String>, Stop> {
        let number = self.store().reveal_number(prompt.prompt, device, self.now().wall).await?;
        Ok(number.map(|number| format!("{:06}", number.0)))
    }
}

fn is_for(phone: &Phone, open: &OpenPrompt) -> bool {
    match &open.only {
        Some(device) => *device == phone.device.id,
        None => phone.device.state == DeviceState::Active,
    }
}

/// Whether the prompt wants a number entered, and whether it shows one.
pub(super) fn wants(prompt: &OpenPrompt) -> (Option<Number>, bool) {
    match prompt.asks.number {
        NumberMatch::Off => (None, false),
        NumberMatch::Shown(number) => (Some(number), false),
        NumberMatch::Typed(_) => (None, true),
    }
}

/// The first octets of a header, cut where a character ends.
fn bounded(agent: &str) -> &str {
    let end = (0..=AGENT_OCTETS_MAX.min(agent.len())).rev().find(|end| agent.is_char_boundary(*end)).unwrap_or(0);
    &agent[..end]
}

/// As handlers are given it.
pub(super) type SharedDesk = Arc<Desk>;
