//! The second door, by a phone: it rings, and the session steps up when it says yes.
//!
//! The prompt is an engine's prompt like any other: claimed in the store before it leaves, one at a time, under the quiet times
//! of rules D2, with a number on the screen where the phone can take one (F8). Only the session that rang hears of its answer,
//! and uses its yes once: which session that is stands in a bounded table of this process, that ends with it.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};

use login::{ClientName, DeviceId, NumberMatch, PromptId, Wall};

use super::notes::Deed;
use super::session::{Signed, word};
use super::{Away, CodeTried, SignIn};
use crate::engine::{PagePromptStatus, PageRing, RingForPage};
use crate::enrolment::CODE_LASTS;
use crate::store::{WebRealm, WebStep};

/// Prompts of pages at once; past that nobody rings (rules G1). Each lasts two minutes at most.
const RINGS_MAX: usize = 10_000;

/// What became of a wish to ring.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rang {
    /// It rings, until then at most.
    Rings {
        /// Which prompt.
        prompt: PromptId,
        /// Its absolute end.
        ends_at: Wall,
    },
    /// Another login waits for the phone.
    Busy,
    /// No prompts for a while (rules D2).
    Quiet(Wall),
    /// No phone can be rung.
    NoPhone,
    /// The PIN that the phone would ask for is locked.
    PinLocked,
    /// There is none of the user's own that the phone could ask for, and this is no place to come by one.
    PinMissing,
}

/// What a phone can ask for where the site asks for a PIN.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum PinStands {
    /// The user's own; or no PIN is asked for.
    Own,
    /// The initial one, and a phone's yes leads to where it is asked for and the own one is set.
    Owed,
    /// None of the user's own, and nothing leads there from here.
    Missing,
    Locked,
}

/// Where a prompt of a page stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RingStands {
    /// Nobody answered yet.
    Waits,
    /// Yes.
    Approved(DeviceId),
    /// No, or too late.
    Ended,
}

/// The time of a prompt of a page, running down.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Runs {
    /// Seconds that are left.
    pub left_s: u64,
    /// Seconds since it rang.
    pub age_s: u64,
}

/// The prompts that pages wait for.
#[derive(Default)]
pub(super) struct Rings(Mutex<HashMap<PromptId, Rung>>);

struct Rung {
    session: [u8; 32],
    only: Option<DeviceId>,
    number: Option<String>,
    began_at: Wall,
    ends_at: Wall,
    /// No PIN was asked for that was due: the yes opens only the page where it is set.
    owes_pin: bool,
    /// The phone asked for a PIN.
    asks_pin: bool,
}

impl Rings {
    fn lock(&self) -> MutexGuard<'_, HashMap<PromptId, Rung>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn keep(&self, prompt: PromptId, rung: Rung, now: Wall) -> bool {
        let mut rings = self.lock();
        if rings.len() >= RINGS_MAX / 2 {
            rings.retain(|_, rung| rung.ends_at > now);
        }
        let room = rings.len() < RINGS_MAX;
        if room {
            rings.insert(prompt, rung);
        }
        room
    }
}

impl SignIn {
    /// Rings the user's phones, or tests `only` one of them.
    ///
    /// # Errors
    /// The store, or no way to a phone.
    pub async fn ring(&self, signed: &Signed, address: IpAddr, only: Option<DeviceId>) -> Result<Rang, Away> {
        let tested = only.as_ref().map_or("", |device| &device.0);
        // The test of a phone asks for no PIN, and proves no factor.
        let stands = if only.is_some() { PinStands::Own } else { self.pin_stands(signed).await? };
        let owes_pin = match stands {
            PinStands::Own => false,
            PinStands::Owed => true,
            PinStands::Missing => return Ok(Rang::PinMissing),
            PinStands::Locked => return Ok(Rang::PinLocked),
        };
        // Under another key, so that whoever owes a PIN no more never joins a prompt that asked for none.
        let purpose: &[u8] = if owes_pin { b"ring without pin " } else { b"ring " };
        let ring = RingForPage {
            user: signed.user.clone(),
            page: ClientName::new(word(signed.realm)),
            key: signed.cookie.half_keyed(&self.0.csrf, &[purpose, tested.as_bytes()].concat()),
            address: Some(address).filter(|address| !address.is_unspecified()),
            only: only.clone(),
            without_pin: owes_pin,
            unproven: false,
        };
        let rings = match self.engine().ring_for_page(ring).await {
            Ok(rings) => rings,
            Err(PageRing::Busy) => return Ok(Rang::Busy),
            Err(PageRing::Quiet { until }) => return Ok(Rang::Quiet(until)),
            Err(PageRing::NoPhone) => return Ok(Rang::NoPhone),
            Err(PageRing::Away(why)) => return Err(Away { why }),
        };
        let number = match rings.asks.number {
            NumberMatch::Shown(number) => Some(number.shown()),
            NumberMatch::Typed(_) | NumberMatch::Off => None,
        };
        let (prompt, ends_at, asks_pin) = (rings.prompt, rings.ends_at, rings.asks.pin);
        let began_at = rings.began_at;
        let rung = Rung { session: signed.id(), only, number, began_at, ends_at, owes_pin, asks_pin };
        if !self.0.rings.keep(prompt, rung, self.moment().wall) {
            self.engine().end_page_prompt(prompt).await;
            return Err(Away::of("too many pages wait for phones"));
        }
        Ok(Rang::Rings { prompt, ends_at })
    }

    /// Where a prompt stands that this session's [`Self::ring`] began; another session's has ended for it.
    ///
    /// # Errors
    /// None now; the store's troubles look like waiting.
    pub async fn ring_stands(&self, signed: &Signed, prompt: PromptId) -> Result<RingStands, Away> {
        let (id, now) = (signed.id(), self.moment().wall);
        if !self.0.rings.lock().get(&prompt).is_some_and(|rung| rung.session == id && rung.ends_at > now) {
            return Ok(RingStands::Ended);
        }
        Ok(match self.engine().page_prompt(prompt).await {
            PagePromptStatus::Pending => RingStands::Waits,
            PagePromptStatus::Approved { device } => RingStands::Approved(device),
            PagePromptStatus::Ended => RingStands::Ended,
        })
    }

    /// The number that must be chosen on the phone, if one is asked for (rules F8).
    #[must_use]
    pub fn ring_number(&self, signed: &Signed, prompt: PromptId) -> Option<String> {
        let id = signed.id();
        self.0.rings.lock().get(&prompt).filter(|rung| rung.session == id)?.number.clone()
    }

    /// How long this session's prompt still waits, and since when.
    #[must_use]
    pub fn ring_runs(&self, signed: &Signed, prompt: PromptId) -> Runs {
        let (id, now) = (signed.id(), self.moment().wall);
        let rings = self.0.rings.lock();
        rings.get(&prompt).filter(|rung| rung.session == id).map_or_else(Runs::default, |rung| Runs {
            left_s: rung.ends_at.since(now).as_secs(),
            age_s: now.since(rung.began_at).as_secs(),
        })
    }

    /// The session steps up, if its prompt was approved; else nothing changes. A test of one phone proves no factor, and a yes
    /// for which no PIN was asked that is due leads to where the PIN is set and no further ([`WebStep::Pin`]).
    ///
    /// # Errors
    /// The store.
    pub async fn ring_opens(&self, signed: &Signed, prompt: PromptId) -> Result<Option<CodeTried>, Away> {
        let RingStands::Approved(_) = self.ring_stands(signed, prompt).await? else { return Ok(None) };
        // The stricter of two laws decides (G2): a PIN may be asked for since it rang.
        let due = self.config().push.pin.required;
        let owed = self.0.rings.lock().get(&prompt).is_some_and(|rung| rung.owes_pin || due && !rung.asks_pin);
        if !self.use_ring(signed, prompt, None) {
            return Ok(None);
        }
        // Also where the help desk gave an initial one while it rang.
        let owes_pin = owed || self.pin_stands(signed).await? == PinStands::Owed;
        let proved = if owes_pin { self.owe_pin(signed).await } else { self.prove(signed).await };
        match &proved {
            Ok(CodeTried::Right(..)) => self.engine().use_page_prompt(prompt).await,
            Ok(CodeTried::Wrong | CodeTried::Ahead | CodeTried::Locked(_)) | Err(_) => {
                self.engine().end_page_prompt(prompt).await
            }
        }
        proved.map(Some)
    }

    /// What the phone would ask for. An initial PIN is asked for where it is changed. Without any, a phone alone leads nowhere: whoever
    /// has the phone for a moment would set a PIN of their own (rules B4, F3).
    async fn pin_stands(&self, signed: &Signed) -> Result<PinStands, Away> {
        let (config, now) = (self.config(), self.moment().wall);
        if !config.push.pin.required {
            return Ok(PinStands::Own);
        }
        let here = signed.realm == WebRealm::Portal;
        Ok(match self.store().pin(&signed.user, now).await? {
            Some(pin) if pin.locked => PinStands::Locked,
            // It lies in a letter or a chat: good for a day, like a code (rules F3).
            Some(pin) if pin.must_change && here && now < pin.set_at.plus(CODE_LASTS) => PinStands::Owed,
            Some(pin) if pin.must_change => PinStands::Missing,
            Some(_) => PinStands::Own,
            None => PinStands::Missing,
        })
    }

    /// The phone said yes, and the PIN is still to be set.
    async fn owe_pin(&self, signed: &Signed) -> Result<CodeTried, Away> {
        let facts = self.store().user_facts(&signed.user, None, self.moment().wall, &self.limits()).await?;
        if facts.blocked.is_some() {
            return Ok(CodeTried::Wrong);
        }
        let deed = Deed::new(&signed.user, "begin_pin").from(signed.session.address);
        let (owing, line) = self.act(deed, self.step_up(signed, WebStep::Pin)).await?;
        Ok(CodeTried::Right(Box::new(owing), line))
    }

    /// The one use of a prompt's yes, for what it was asked: a sign-in, or the test of one phone (rules A8).
    pub fn use_ring(&self, signed: &Signed, prompt: PromptId, tested: Option<&DeviceId>) -> bool {
        let id = signed.id();
        let mut rings = self.0.rings.lock();
        let fits = rings.get(&prompt).is_some_and(|rung| rung.session == id && rung.only.as_ref() == tested);
        fits && rings.remove(&prompt).is_some()
    }

    /// The page needs a prompt no more.
    pub async fn ring_ends(&self, signed: &Signed, prompt: PromptId) {
        let id = signed.id();
        let ours = self.0.rings.lock().get(&prompt).is_some_and(|rung| rung.session == id);
        if ours {
            self.0.rings.lock().remove(&prompt);
            self.engine().end_page_prompt(prompt).await;
        }
    }
}
