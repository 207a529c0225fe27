//! What a prompt asks and how far its number came (rules F8), sealed in one column of its row.
//!
//! Bound to the prompt, its login and its user, so that nobody who writes into the file makes a prompt ask for less, or for
//! another device (F1). The numbers are codes: they lie nowhere in the clear.

use login::{Asks, DeviceId, LoginKey, Number, NumberMatch, PromptClaim, PromptId};
use rusqlite::params;
use serde::{Deserialize, Serialize};
use wire::Secret;

use super::super::error::StoreError;
use super::super::seal::Place;
use super::tx::Tx;
use super::users::UserRow;

/// Numbers that one prompt takes: one for each asking that joined (rules B2).
const NUMBERS_MAX: usize = 16;

#[derive(Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Kind {
    #[default]
    Off,
    Shown,
    Typed,
}

/// What is sealed.
#[derive(Default, Serialize, Deserialize)]
pub(super) struct Asked {
    kind: Kind,
    /// Shown: one for each asking. Typed: the digits.
    numbers: Vec<u32>,
    /// The one that a phone chose.
    chosen: Option<u32>,
    pin: bool,
    only: Option<String>,
    /// Devices whose owner confirmed, so that they show the digits; the latest last.
    revealed: Vec<String>,
    /// Typed numbers that were wrong.
    wrong: u32,
}

/// What a number on a phone comes to.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Chosen {
    /// None is asked for, or it is one that a screen shows.
    Right,
    /// It is on no screen.
    Wrong,
    /// One is asked for, and none came; or it is typed elsewhere.
    Missing,
}

impl Asked {
    /// What a new prompt asks.
    pub(super) fn of(claim: &PromptClaim) -> Self {
        let (kind, numbers) = match claim.asks.number {
            NumberMatch::Off => (Kind::Off, Vec::new()),
            NumberMatch::Shown(number) => (Kind::Shown, vec![number.0]),
            NumberMatch::Typed(number) => (Kind::Typed, vec![number.0]),
        };
        let only = claim.only.as_ref().map(|device| device.0.to_string());
        Self { kind, numbers, pin: claim.asks.pin, only, ..Self::default() }
    }

    /// Opens what [`Self::write`] sealed.
    pub(super) fn open(
        tx: Tx<'_>,
        prompt: PromptId,
        login: LoginKey,
        owner: &UserRow,
        sealed: &[u8],
    ) -> Result<Self, StoreError> {
        let row = prompt.to_string();
        let opened = tx.seals.open(place(&row, owner), &[&login.0], sealed)?;
        serde_json::from_slice(opened.expose()).map_err(|_| StoreError::Damaged("prompts hold no known asks".into()))
    }

    /// Seals it into its row.
    pub(super) fn write(
        &self,
        tx: Tx<'_>,
        prompt: PromptId,
        login: LoginKey,
        owner: &UserRow,
    ) -> Result<(), StoreError> {
        let text = serde_json::to_vec(self).map_err(|error| StoreError::Ours(error.to_string().into()))?;
        let row = prompt.to_string();
        let sealed = tx.seals.seal(place(&row, owner), &[&login.0], &Secret::new(text))?;
        tx.change("UPDATE prompts SET asks = ?2 WHERE id = ?1", params![prompt.0, sealed])?;
        Ok(())
    }

    /// As phones and restarts see it: the digits of a typed number are not among it.
    pub(super) fn shown(&self) -> Asks {
        let first = Number(self.numbers.first().copied().unwrap_or_default());
        let number = match self.kind {
            Kind::Off => NumberMatch::Off,
            Kind::Shown => NumberMatch::Shown(first),
            Kind::Typed => NumberMatch::Typed(Number(0)),
        };
        Asks { number, pin: self.pin }
    }

    /// What the screens show, each its own; none where it is typed.
    pub(super) fn screens(&self) -> Vec<Number> {
        let shown = if self.kind == Kind::Shown { self.numbers.as_slice() } else { &[] };
        shown.iter().copied().map(Number).collect()
    }

    /// A test push: for which device alone (rules F3).
    pub(super) fn only(&self) -> Option<DeviceId> {
        self.only.as_deref().map(|device| DeviceId(device.into()))
    }

    pub(super) fn is_test(&self) -> bool {
        self.only.is_some()
    }

    pub(super) fn asks_pin(&self) -> bool {
        self.pin
    }

    pub(super) fn is_typed(&self) -> bool {
        self.kind == Kind::Typed
    }

    /// Another asking of the same login joins a prompt that is out, where both ask for the same kind of number: it may not get
    /// in by less than it asks (F8), nor by a yes that was meant for another's screen (B2). Its own number is one more that
    /// the phone may choose.
    pub(super) fn join(&mut self, asks: &Asks) -> bool {
        match (self.kind, asks.number) {
            _ if asks.pin && !self.pin => false,
            (Kind::Off, NumberMatch::Off) | (Kind::Typed, NumberMatch::Typed(_)) => true,
            (Kind::Shown, NumberMatch::Shown(number)) if self.numbers.contains(&number.0) => true,
            (Kind::Shown, NumberMatch::Shown(number)) => {
                let room = self.numbers.len() < NUMBERS_MAX;
                self.numbers.extend(room.then_some(number.0));
                room
            }
            (Kind::Shown | Kind::Typed, NumberMatch::Off)
            | (Kind::Off | Kind::Shown, NumberMatch::Typed(_))
            | (Kind::Off | Kind::Typed, NumberMatch::Shown(_)) => false,
        }
    }

    /// It was approved already: that holds for the screen whose number was chosen, and for no other (B2).
    pub(super) fn opens_for(&mut self, asks: &Asks) -> bool {
        match asks.number {
            NumberMatch::Shown(number) => self.chosen == Some(number.0) && self.join(asks),
            NumberMatch::Off => self.join(asks),
            // The digits were typed into one screen, and it was that one's yes.
            NumberMatch::Typed(_) => false,
        }
    }

    /// What a phone's yes with this number comes to.
    pub(super) fn choose(&mut self, number: Option<Number>) -> Chosen {
        match (self.kind, number) {
            (Kind::Off, _) => Chosen::Right,
            (Kind::Shown, Some(number)) if self.numbers.contains(&number.0) => {
                self.chosen = Some(number.0);
                Chosen::Right
            }
            (Kind::Shown, Some(_)) => Chosen::Wrong,
            (Kind::Shown, None) | (Kind::Typed, _) => Chosen::Missing,
        }
    }

    /// The yes was one to the screen that shows this number; to one that shows none where none is chosen (F8).
    pub(super) fn chose(&self, number: Option<Number>) -> bool {
        match self.kind {
            Kind::Shown => self.chosen.is_some() && self.chosen == number.map(|number| number.0),
            Kind::Off | Kind::Typed => number.is_none(),
        }
    }

    /// This device may show the digits from now on.
    pub(super) fn reveal(&mut self, device: &DeviceId) -> Option<Number> {
        let digits = self.numbers.first().copied().filter(|_| self.is_typed())?;
        self.unreveal(device);
        self.revealed.push(device.0.to_string());
        Some(Number(digits))
    }

    /// This device takes its confirmation back.
    pub(super) fn unreveal(&mut self, device: &DeviceId) {
        self.revealed.retain(|other| *other != *device.0);
    }

    /// It shows the digits, or did.
    pub(super) fn has_revealed(&self, device: &DeviceId) -> bool {
        self.revealed.iter().any(|other| *other == *device.0)
    }

    /// Devices that show the digits, the latest first.
    pub(super) fn revealers(&self) -> impl Iterator<Item = DeviceId> {
        self.revealed.iter().rev().map(|device| DeviceId(device.as_str().into()))
    }

    /// The digits that were typed: whether they are the prompt's, and how many were not so far.
    pub(super) fn typed(&mut self, typed: Number) -> Result<(), u32> {
        if self.numbers.contains(&typed.0) {
            return Ok(());
        }
        self.wrong = self.wrong.saturating_add(1);
        Err(self.wrong)
    }
}

fn place<'a>(row: &'a str, owner: &'a UserRow) -> Place<'a> {
    Place { table: "prompts", row, user: &owner.name, column: "asks" }
}
