//! The second door, by a phone: it rings, and the session steps up when it says yes.
//!
//! The prompt is an engine's prompt like any other: claimed in the store before it leaves, one at a time, under the quiet times
//! of rules D2, with a number on the screen where the phone can take one (F8). Only the session that rang hears of its answer,
//! and uses its yes once: which session that is stands in a bounded table of this process, that ends with it.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};

use login::{ClientName, DeviceId, NumberMatch, PromptId, Wall};

use super::session::{Signed, word};
use super::{Away, CodeTried, SignIn};
use crate::engine::{PagePromptStatus, PageRing, RingForPage};

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

/// The prompts that pages wait for.
#[derive(Default)]
pub(super) struct Rings(Mutex<HashMap<PromptId, Rung>>);

struct Rung {
    session: [u8; 32],
    only: Option<DeviceId>,
    number: Option<String>,
    ends_at: Wall,
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
        let ring = RingForPage {
            user: signed.user.clone(),
            page: ClientName::new(word(signed.realm)),
            key: signed.cookie.half_keyed(&self.0.csrf, &[b"ring ", tested.as_bytes()].concat()),
            address: Some(address),
            only: only.clone(),
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
        let (prompt, ends_at) = (rings.prompt, rings.ends_at);
        let rung = Rung { session: signed.id(), only, number, ends_at };
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

    /// The session steps up, if its prompt was approved; else nothing changes. A test of one phone proves no factor.
    ///
    /// # Errors
    /// The store.
    pub async fn ring_opens(&self, signed: &Signed, prompt: PromptId) -> Result<Option<CodeTried>, Away> {
        let RingStands::Approved(_) = self.ring_stands(signed, prompt).await? else { return Ok(None) };
        if !self.use_ring(signed, prompt, None) {
            return Ok(None);
        }
        let proved = self.prove(signed).await;
        match &proved {
            Ok(CodeTried::Right(..)) => self.engine().use_page_prompt(prompt).await,
            Ok(CodeTried::Wrong | CodeTried::Locked(_)) | Err(_) => self.engine().end_page_prompt(prompt).await,
        }
        proved.map(Some)
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
