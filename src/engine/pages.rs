//! Prompts that a page asks for: a sign-in on the portal, the test push that makes a new phone active (rules F3).
//!
//! They are claimed, rung, answered and limited exactly as those of a login (B3, D2), under an L that no appliance can have,
//! so that a yes to one of them opens nobody's VPN.

use std::net::IpAddr;
use std::time::Duration;

use login::session::{Waiting, WaitsFor};
use login::{
    Asks, Claim, ClientName, DeviceId, LoginKey, Number, NumberMatch, PromptClaim, PromptClose, PromptId, PromptStatus,
    ResolvedUser, Station, Wall,
};

use super::Engine;

/// How long a page waits for the phone, and its prompt with it: on the phone it goes when the page gives up (B5).
const PAGE_WAITS: Duration = Duration::from_secs(90);

/// How often it is looked whether the owner of a held name said something.
const LOOKS_EVERY: Duration = Duration::from_millis(500);

/// What a page wants to ring for.
#[derive(Clone, Debug)]
pub struct RingForPage {
    /// Whose phones.
    pub user: ResolvedUser,
    /// What the phone shows as the asker: `portal`, `admin`.
    pub page: ClientName,
    /// The page's session, hashed: the same one joins its own prompt and never rings twice (B3).
    pub key: [u8; 16],
    /// From where the page is looked at.
    pub address: Option<IpAddr>,
    /// A test push: for this device alone (F3).
    pub only: Option<DeviceId>,
    /// It asks for no PIN where the site asks for one: its yes is no factor, and may open only the page where a PIN is set.
    pub without_pin: bool,
    /// The password was not looked at yet: the name is held back, and its owner is asked first (rules D7).
    pub unproven: bool,
}

/// A prompt that is out for a page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PagePrompt {
    /// Its id.
    pub prompt: PromptId,
    /// Since when it rings.
    pub began_at: Wall,
    /// Its absolute end.
    pub ends_at: Wall,
    /// What the phone must prove; a `Shown` number stands on the page.
    pub asks: Asks,
}

/// Why no phone rings for a page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PageRing {
    /// Another prompt of this user is out (D2).
    Busy,
    /// No pushes for this user before then (D2).
    Quiet {
        /// The end of the quiet time.
        until: Wall,
    },
    /// No phone of this user can be asked.
    NoPhone,
    /// Store or push service; for the log.
    Away(std::sync::Arc<str>),
}

/// Where a page's prompt stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PagePromptStatus {
    /// Nobody answered yet.
    Pending,
    /// A phone said yes.
    Approved {
        /// Which one.
        device: DeviceId,
    },
    /// Denied, reported, over or taken back.
    Ended,
}

impl Engine {
    /// Rings the user's phones for a page, or says why not. Asked again with the same key it joins its own prompt.
    ///
    /// # Errors
    /// [`PageRing`] says why no phone rings.
    pub async fn ring_for_page(&self, ring: RingForPage) -> Result<PagePrompt, PageRing> {
        let claim = self.page_claim(&ring).await?;
        let (limits, at) = (self.limits(), self.0.clock.moment().wall);
        let claimed = self.settled("claiming a prompt", || self.0.store.claim_prompt(claim.clone(), at, &limits)).await;
        match claimed.map_err(|away| PageRing::Away(away.why))? {
            Claim::Claimed { displaced } => {
                if let Some(displaced) = displaced {
                    self.tell_displaced(displaced).await;
                }
                self.ring_page(claim).await
            }
            // The number is the one that stands on the page already: a page's prompt is asked for once.
            Claim::Joined { prompt, ends_at, .. } => {
                let began_at = ends_at.minus(claim.ends_at.since(at));
                Ok(PagePrompt { prompt, began_at, ends_at, asks: claim.asks })
            }
            Claim::Busy => Err(PageRing::Busy),
            Claim::Quiet { until } => Err(PageRing::Quiet { until }),
        }
    }

    /// Where that prompt stands.
    pub async fn page_prompt(&self, prompt: PromptId) -> PagePromptStatus {
        match self.0.store.prompt_status(prompt, self.0.clock.moment().wall).await {
            Ok(PromptStatus::Pending) => PagePromptStatus::Pending,
            Ok(PromptStatus::Approved { device, .. }) => PagePromptStatus::Approved { device },
            Ok(PromptStatus::Denied | PromptStatus::Reported | PromptStatus::Ended) => PagePromptStatus::Ended,
            // Whoever can't be asked has not said no, and never yes (A5).
            Err(_) => PagePromptStatus::Pending,
        }
    }

    /// How many requests have asked for the login that waits for this prompt, as far as this node knows: the phone says when
    /// it was asked again (B2).
    #[must_use]
    pub fn askers_of(&self, prompt: PromptId) -> u32 {
        let session = self.session_of_prompt(prompt).and_then(|key| self.0.sessions.get(&key));
        let held = session.as_ref().and_then(|entry| entry.session.as_ref());
        let at_phone = |waiting: &Waiting| match waiting.waits_for {
            WaitsFor::Phone | WaitsFor::PhoneOrAnswer => true,
            WaitsFor::Primary | WaitsFor::PrimaryAnswer | WaitsFor::Store | WaitsFor::Answer => false,
        };
        held.into_iter().flat_map(|held| held.waiting()).filter(at_phone).map(|waiting| waiting.askers).sum()
    }

    /// The page needs it no more: its yes was used, or its reader went another way. One that rang and got no answer counts
    /// (D2), else whoever has a password could ring again and again.
    pub async fn end_page_prompt(&self, prompt: PromptId) {
        self.close_prompt(prompt, PromptClose::Unanswered).await;
    }

    /// The page let its reader in by its yes: the phone is told so.
    pub async fn use_page_prompt(&self, prompt: PromptId) {
        self.close_prompt(prompt, PromptClose::Used).await;
    }

    /// Asks the owner of a name that is held back on their phone, before the password is looked at (rules D7).
    pub async fn owner_says_yes(&self, ring: RingForPage, within: Duration) -> bool {
        let Ok(rings) = self.ring_for_page(ring).await else { return false };
        let until = self.0.clock.tick().plus(within);
        let said = loop {
            match self.page_prompt(rings.prompt).await {
                PagePromptStatus::Approved { .. } => break true,
                PagePromptStatus::Ended => break false,
                PagePromptStatus::Pending if self.0.clock.tick() >= until => break false,
                PagePromptStatus::Pending => self.0.clock.wait(LOOKS_EVERY).await,
            }
        };
        if said {
            self.use_page_prompt(rings.prompt).await;
        } else {
            self.end_page_prompt(rings.prompt).await;
        }
        said
    }

    /// A page may be closed without a word: its prompt ends with its time all the same (B5), and with it what is kept of it
    /// here (G1).
    fn end_in_time(&self, prompt: PromptId) {
        let engine = self.clone();
        let lasts = PAGE_WAITS.min(self.limits().prompt_lasts);
        self.0.tasks.spawn(async move {
            let stop = engine.0.stop.clone();
            if stop.run_until_cancelled(engine.0.clock.wait(lasts)).await.is_some() {
                engine.close_prompt(prompt, PromptClose::Unanswered).await;
            }
        });
    }

    async fn page_claim(&self, ring: &RingForPage) -> Result<PromptClaim, PageRing> {
        let at = self.0.clock.moment().wall;
        let limits = self.limits();
        let facts = self.0.store.user_facts(&ring.user, None, at, &limits).await;
        let facts = facts.map_err(|error| PageRing::Away(error.to_string().into()))?;
        if facts.blocked.is_some() || (ring.only.is_none() && !facts.methods.contains(&login::Method::Push)) {
            return Err(PageRing::NoPhone);
        }
        // A page shows a number well: unless the site wants none, the prompt is tied to this screen where a phone can (F8).
        let number = ring.only.is_none() && !ring.unproven && facts.chooses_number && !self.law().policy.plain_pages;
        let number = if number { NumberMatch::Shown(Number::to_show(page_roll(&ring.key))) } else { NumberMatch::Off };
        let pin = ring.only.is_none() && !ring.without_pin && self.law().policy.push_pin;
        if pin && !facts.pin_phones {
            return Err(PageRing::NoPhone);
        }
        let ends_at = at.plus(PAGE_WAITS.min(limits.prompt_lasts));
        Ok(PromptClaim {
            prompt: PromptId(rand::random()),
            user: ring.user.clone(),
            login: LoginKey::alone(ring.key),
            ends_at,
            askers_until: ends_at,
            station_known: false,
            authentic: true,
            client: ring.page.clone(),
            station: ring.address.map(|address| Station::new(address.to_string().as_bytes())),
            asks: Asks { number, pin },
            only: ring.only.clone(),
            unproven: ring.unproven,
        })
    }

    async fn ring_page(&self, claim: PromptClaim) -> Result<PagePrompt, PageRing> {
        let (prompt, ends_at, asks) = (claim.prompt, claim.ends_at, claim.asks);
        let began_at = self.0.clock.moment().wall;
        match self.ring_claimed(&claim, || true).await {
            Ok(()) => {
                self.end_in_time(prompt);
                Ok(PagePrompt { prompt, began_at, ends_at, asks })
            }
            Err(failure) => {
                self.close_prompt(prompt, PromptClose::Withdrawn).await;
                Err(match failure {
                    login::event::PushFailure::Refused(why) => PageRing::Away(why),
                    login::event::PushFailure::Unavailable(away) => PageRing::Away(away.why),
                })
            }
        }
    }
}

/// The same number as often as the page is shown: it is made from the page's secret key, which nobody else has.
fn page_roll(key: &[u8; 16]) -> u64 {
    key.iter().fold(0xcbf2_9ce4_8422_2325, |roll, octet| (roll ^ u64::from(*octet)).wrapping_mul(0x0100_0000_01b3))
}
