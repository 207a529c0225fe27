//! Who waits to hear that a user's prompt came, changed or went: the long polls and pages of phones.
//!
//! A hint and no more: whoever hears it reads the store. Only users whom somebody listens for take room, and a listener
//! that went away is forgotten at the next hint.

use dashmap::DashMap;
use login::ResolvedUser;
use tokio::sync::watch;

use super::Engine;

/// Hears of each change of one user's prompt.
#[derive(Debug)]
pub struct Arrivals(watch::Receiver<()>);

impl Arrivals {
    /// Ready once something has changed since the last time, or since the listening began.
    pub async fn changed(&mut self) {
        // The sender lives in the engine's map until nobody listens; should it be gone, there is nothing to wait for.
        let _ = self.0.changed().await;
    }
}

/// Listeners by user.
#[derive(Debug, Default)]
pub(super) struct Listening(DashMap<ResolvedUser, watch::Sender<()>>);

impl Listening {
    fn to(&self, user: &ResolvedUser) -> Arrivals {
        Arrivals(self.0.entry(user.clone()).or_insert_with(|| watch::channel(()).0).subscribe())
    }

    pub(super) fn tell(&self, user: &ResolvedUser) {
        if let Some(sender) = self.0.get(user) {
            sender.send_replace(());
        }
        self.0.remove_if(user, |_, sender| sender.receiver_count() == 0);
    }
}

impl Engine {
    /// Hears of each change of this user's prompt from now on; a hint, after which the store is asked.
    #[must_use]
    pub fn arrivals(&self, user: &ResolvedUser) -> Arrivals {
        self.0.listening.to(user)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn who_listens_hears_of_that_user_alone_and_leaves_no_trace() {
        let (alice, bob) = (ResolvedUser::new("alice"), ResolvedUser::new("bob"));
        let listening = Listening::default();
        let mut hears = listening.to(&alice);
        listening.tell(&bob);
        assert!(!hears.0.has_changed().unwrap());
        listening.tell(&alice);
        hears.changed().await;
        drop(hears);
        listening.tell(&alice);
        assert!(listening.0.is_empty());
    }
}
