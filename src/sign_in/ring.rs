//! The second door, by a phone: it rings, and the session steps up when it says yes.
//!
//! The prompt is an engine's prompt like any other: claimed in the store before it leaves, one at a time, under the quiet times
//! of rules D2. The session that rang is the only one that its yes opens: the prompt's key is bound to the cookie.

use std::net::IpAddr;

use login::{DeviceId, PromptId, Wall};

use super::session::Signed;
use super::{Away, CodeTried, SignIn};

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

impl SignIn {
    /// Rings the user's phones, or `only` one of them.
    ///
    /// # Errors
    /// The store, or no way to a phone.
    pub async fn ring(&self, signed: &Signed, address: IpAddr, only: Option<DeviceId>) -> Result<Rang, Away> {
        let _ = (signed, address, only, self.engine());
        Err(Away::of("phones can't be rung from a page yet"))
    }

    /// Where a prompt stands that this session's [`Self::ring`] began; another session's has ended for it.
    ///
    /// # Errors
    /// The store.
    pub async fn ring_stands(&self, signed: &Signed, prompt: PromptId) -> Result<RingStands, Away> {
        let _ = (signed, prompt, self.engine());
        Ok(RingStands::Ended)
    }

    /// The number that must be chosen on the phone, if one is asked for (rules F8).
    #[must_use]
    pub fn ring_number(&self, signed: &Signed, prompt: PromptId) -> Option<String> {
        let _ = (signed, prompt);
        None
    }

    /// The session steps up, if its prompt was approved; else nothing changes.
    ///
    /// # Errors
    /// The store.
    pub async fn ring_opens(&self, signed: &Signed, prompt: PromptId) -> Result<Option<CodeTried>, Away> {
        match self.ring_stands(signed, prompt).await? {
            RingStands::Approved(_) => self.prove(signed).await.map(Some),
            RingStands::Waits | RingStands::Ended => Ok(None),
        }
    }
}
