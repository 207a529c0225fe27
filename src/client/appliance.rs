//! One appliance: its configuration, and what is remembered of it across reloads.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use login::{ClientName, Tick, Wall};
use wire::Demand;

use super::advice::{Advice, Refused};
use super::budget::Bucket;
use super::duplicates::{Kept, Share};
use super::facts::SessionAttribute;
use super::stance::{Learning, demand};
use super::{Budget, lock};
use crate::config::{ClientConfig, Stance};
use crate::telemetry::{ClientMeters, Dropped, Telemetry};

/// Status-Server answers at once, then a second: probes come every few seconds (RFC 5997 §4.2).
const STATUS_BURST: u32 = 20;
const STATUS_PER_MINUTE: u32 = 600;

/// An appliance that the configuration in force knows.
#[derive(Debug)]
pub struct Client {
    config: ClientConfig,
    session_attribute: Option<SessionAttribute>,
    advice: Advice,
    meters: ClientMeters,
    memory: Arc<Memory>,
}

/// What outlives a reload, by the client's name.
#[derive(Debug)]
pub(super) struct Memory {
    pub(super) share: Arc<Share>,
    learning: Mutex<Learning>,
    budget: Budget,
    status: Mutex<Bucket>,
    /// It was told that answers without Message-Authenticator have ended.
    bare_end_told: AtomicBool,
    /// It was told that an answer is longer than the client takes.
    too_long_told: AtomicBool,
}

impl Memory {
    pub(super) fn new(bare_failures_per_minute: u32) -> Self {
        Self {
            share: Arc::default(),
            learning: Mutex::default(),
            budget: Budget::per_minute(bare_failures_per_minute),
            status: Mutex::new(Bucket::full(STATUS_BURST, STATUS_PER_MINUTE)),
            bare_end_told: AtomicBool::new(false),
            too_long_told: AtomicBool::new(false),
        }
    }
}

impl Client {
    pub(super) fn new(config: ClientConfig, meters: ClientMeters, memory: Arc<Memory>) -> Self {
        let session_attribute = config.session_attribute.as_deref().and_then(SessionAttribute::named);
        let advice = Advice::of(&config.name, config.stance, config.profile);
        Self { config, session_attribute, advice, meters, memory }
    }

    /// `[client.NAME]`.
    #[must_use]
    pub fn name(&self) -> &ClientName {
        &self.config.name
    }

    /// What the file says of it.
    #[must_use]
    pub fn config(&self) -> &ClientConfig {
        &self.config
    }

    /// Its budget of primary failures, which bare packets are charged to (rules D5).
    #[must_use]
    pub fn budget(&self) -> &Budget {
        &self.memory.budget
    }

    /// Whether another bare packet may reach the primary (rules D5).
    #[must_use]
    pub fn may_try(&self, at: Tick) -> bool {
        self.memory.budget.may_try(at)
    }

    /// The primary rejected a bare packet (rules D5).
    pub fn charge_failure(&self, at: Tick) {
        self.memory.budget.charge_failure(at);
    }

    /// What `auto` knows of it (rules E2).
    #[must_use]
    pub fn learning(&self) -> Learning {
        *lock(&self.memory.learning)
    }

    /// Where its packets are counted.
    #[must_use]
    pub fn meters(&self) -> &ClientMeters {
        &self.meters
    }

    /// What the table of retransmits keeps for it.
    #[must_use]
    pub fn kept(&self) -> Kept {
        self.memory.share.kept()
    }

    /// An answer of so many octets leaves: whether its client is known to lose such a one, said the first time.
    pub(super) fn loses(&self, octets: usize) -> Option<usize> {
        let most = self.config.profile.reply_octets_max.filter(|most| octets > *most)?;
        (!self.memory.too_long_told.swap(true, Ordering::Relaxed)).then_some(most)
    }

    /// Its answers went out without Message-Authenticator, and may no longer (rules E1); said the first time.
    pub(super) fn is_past_its_end(&self, now: Wall) -> bool {
        let Some(_) = self.config.bare_until.filter(|until| now >= *until) else { return false };
        if !self.memory.bare_end_told.swap(true, Ordering::Relaxed) {
            let client = self.name();
            tracing::error!(
                %client,
                "message_authenticator = \"never\" of [client.{client}] has ended, so each of its logins is rejected. What to do: update the \
                 appliance and take the line away, or set `until` there to a later day"
            );
        }
        true
    }

    pub(super) fn session_attribute(&self) -> Option<SessionAttribute> {
        self.session_attribute
    }

    pub(super) fn memory(&self) -> &Arc<Memory> {
        &self.memory
    }

    pub(super) fn demand(&self) -> Demand {
        demand(self.config.stance, self.learning())
    }

    /// Moves the learning on, under `auto` only; true where it has just learned.
    pub(super) fn learn(&self, step: impl FnOnce(Learning) -> Learning) -> bool {
        if self.config.stance != Stance::Auto {
            return false;
        }
        let mut learning = lock(&self.memory.learning);
        let before = *learning;
        *learning = step(before);
        learning.is_learned() && !before.is_learned()
    }

    pub(super) fn may_have_status(&self, at: Tick) -> bool {
        lock(&self.memory.status).take(at)
    }

    /// Counts a drop and tells the admin, once a minute, what to mend (rules E6).
    pub(super) fn tell_drop(&self, refused: Refused, peer: SocketAddr, telemetry: &Telemetry) {
        let detail: Option<&dyn std::fmt::Display> = match &refused {
            Refused::Malformed(what) => Some(what),
            Refused::TooLong
            | Refused::Unverified(_)
            | Refused::Overload
            | Refused::BareBudget
            | Refused::StatusRate
            | Refused::Unavailable => None,
        };
        let help = self.advice.on(refused, self.learning().is_learned());
        telemetry.emit(Dropped { client: &self.meters, peer, reason: refused.reason(), detail, help });
    }
}
