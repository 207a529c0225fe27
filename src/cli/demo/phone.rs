//! The phones of the demo, on loopback: they ring on the board, and whoever looks at it approves or denies.
//!
//! This is the one place where a bearer of a link may approve (rules F5): it exists in `demo` only, its page listens on
//! loopback only, and `serve` can't reach this code, because nothing outside of `cli::demo` names it.

use std::sync::Arc;

use login::PhoneAnswer;
use login::PromptId;

use super::board::{Board, Ringing, Tone, Who};
use crate::engine::Engine;
use crate::factor::BoxFuture;
use crate::factor::push::{PushChannel, PushFailure, PushHint};
use crate::store::{Answered, Channel, StoreError};

/// The way to every phone of the demo.
pub(super) struct Phones(pub(super) Arc<Board>);

impl PushChannel for Phones {
    fn channel(&self) -> Channel {
        Channel::Loopback
    }

    fn ring<'a>(&'a self, hint: &'a PushHint) -> BoxFuture<'a, Result<(), PushFailure>> {
        Box::pin(async move {
            let station = hint.station.as_ref().map(ToString::to_string);
            let from = station.clone().unwrap_or_else(|| "an unknown place".to_owned());
            let (user, client) = (hint.user.as_str(), hint.client.as_str());
            self.0.hop(
                Who::Phone,
                Tone::Asking,
                format!("{user}'s phone rings: log in at {client} from {from}? The login is held"),
            );
            let ringing = Ringing {
                device: hint.device.clone(),
                user: user.to_owned(),
                client: client.to_owned(),
                station,
                since: self.0.now(),
                ends_at: hint.ends_at,
            };
            self.0.rings(hint.prompt, ringing);
            Ok(())
        })
    }

    fn withdraw<'a>(&'a self, hint: &'a PushHint) -> BoxFuture<'a, Result<(), PushFailure>> {
        Box::pin(async move {
            // After an answer there is nothing left to take back.
            if self.0.falls_silent(hint.prompt).is_some() {
                self.0.hop(Who::Phone, Tone::Plain, format!("{}'s phone falls silent", hint.user.as_str()));
            }
            Ok(())
        })
    }
}

/// A person taps.
///
/// # Errors
/// The store could not take the answer.
pub(super) async fn tap(
    board: &Board,
    engine: &Engine,
    prompt: PromptId,
    answer: PhoneAnswer,
) -> Result<Answered, StoreError> {
    let Some(ringing) = board.ringing(prompt) else { return Ok(Answered::TooLate) };
    let (word, tone) = match answer {
        PhoneAnswer::Approve => ("Approve", Tone::Good),
        PhoneAnswer::Deny => ("Deny", Tone::Bad),
        PhoneAnswer::Fraud => ("It wasn't me", Tone::Bad),
    };
    board.hop(Who::Phone, tone, format!("{} taps {word}", ringing.user));
    board.falls_silent(prompt);
    engine.phone_answers(prompt, ringing.device, answer, None).await
}
