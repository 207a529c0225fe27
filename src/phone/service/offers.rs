//! What was put to which phone a short while ago: so that a repeated answer gets the same reply, and a late "it wasn't me"
//! is still understood.
//!
//! The store holds only what is open, and nothing that decides is kept here: without this memory (a restart, another node) a
//! late answer merely finds nothing. Bounded; the oldest go first.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use login::{DeviceId, Wall};
use serde_json::Value;

use crate::store::OpenPrompt;

/// How long after its end a prompt is remembered.
const KEPT: Duration = Duration::from_secs(600);

/// A prompt that was put to a phone.
#[derive(Clone, Debug)]
pub(super) struct Offer {
    /// The prompt as it was then.
    pub(super) prompt: OpenPrompt,
    /// Whose phone.
    pub(super) device: DeviceId,
    /// The phone was shown the code of a typed number.
    pub(super) code_shown: bool,
    /// The answers that were taken, and what was replied.
    pub(super) replies: Vec<(String, Value)>,
}

/// Answers of one phone to one prompt that are remembered: approve, deny, report.
const REPLIES_MAX: usize = 3;

/// The offers by nonce.
#[derive(Debug)]
pub(super) struct Offers {
    max: usize,
    by_nonce: HashMap<String, Offer>,
    order: VecDeque<String>,
}

impl Offers {
    pub(super) fn new(max: usize) -> Self {
        Self { max, by_nonce: HashMap::new(), order: VecDeque::new() }
    }

    /// The prompt was put to the phone; false: not for the first time. What was shown the first time stays.
    pub(super) fn offered(&mut self, nonce: &str, prompt: OpenPrompt, device: &DeviceId, now: Wall) -> bool {
        if self.by_nonce.contains_key(nonce) {
            return false;
        }
        self.forget(now);
        self.order.push_back(nonce.to_owned());
        let offer = Offer { prompt, device: device.clone(), code_shown: false, replies: Vec::new() };
        self.by_nonce.insert(nonce.to_owned(), offer);
        true
    }

    pub(super) fn of(&self, nonce: &str) -> Option<&Offer> {
        self.by_nonce.get(nonce)
    }

    /// The phone was shown the code.
    pub(super) fn code_shown(&mut self, nonce: &str) {
        if let Some(offer) = self.by_nonce.get_mut(nonce) {
            offer.code_shown = true;
        }
    }

    /// This answer was taken and got this reply; the same again gets the same.
    pub(super) fn replied(&mut self, nonce: &str, answer: String, reply: Value) {
        if let Some(offer) = self.by_nonce.get_mut(nonce)
            && offer.replies.len() < REPLIES_MAX
        {
            offer.replies.push((answer, reply));
        }
    }

    fn forget(&mut self, now: Wall) {
        while let Some(oldest) = self.order.front() {
            let over = self.by_nonce.get(oldest).is_none_or(|offer| offer.prompt.ends_at.plus(KEPT) < now);
            if !over && self.order.len() < self.max {
                return;
            }
            self.by_nonce.remove(oldest);
            self.order.pop_front();
        }
    }
}
