//! What a phone that is being activated must read, for as long as its user looks at the page: ten minutes at most.
//!
//! Bounded, in memory only, wiped when it goes. After a restart the user begins anew.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use login::{DeviceId, ResolvedUser, Wall};

use crate::enrolment::NewPhone;

/// Activations that are looked at, at once, over all users (rules G1).
const WAITING_MAX: usize = 5_000;

#[derive(Default)]
pub(super) struct Waiting(Mutex<HashMap<DeviceId, (ResolvedUser, NewPhone)>>);

impl Waiting {
    /// Keeps it. Past the bound the page shows no code any more, and says to begin anew.
    pub(super) fn keep(&self, user: &ResolvedUser, phone: NewPhone, now: Wall) {
        let mut waiting = self.lock();
        waiting.retain(|_, (_, phone)| phone.ends_at > now);
        if waiting.len() < WAITING_MAX {
            waiting.insert(phone.device.clone(), (user.clone(), phone));
        }
    }

    /// What this user's phone must read.
    pub(super) fn of(&self, user: &ResolvedUser, device: &DeviceId, now: Wall) -> Option<NewPhone> {
        let waiting = self.lock();
        let (owner, phone) = waiting.get(device)?;
        (owner == user && phone.ends_at > now).then(|| phone.clone())
    }

    /// It was read, or is wanted no more.
    pub(super) fn forget(&self, device: &DeviceId) {
        self.lock().remove(device);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<DeviceId, (ResolvedUser, NewPhone)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
