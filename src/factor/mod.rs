//! The second door's tools: codes that are typed ([`oath`]), prompts that ring a phone ([`push`]), and the PIN beside Verify ([`pin`]).
//!
//! What this room guarantees: a code is committed as used before anyone learns that it was right (rules C1), a push is
//! rung at most once (rules B3), and nothing a network says here ever approves a login: a hint is only a hint.
//! What it never does: decide who needs a factor (`login` does), read a clock (the moment is a parameter), keep state
//! that a restart may lose (the store does), or show a seed, a code or a key in an error, a log or a `Debug`.

pub mod oath;
pub mod pin;
pub mod push;
mod settling;

use std::future::Future;
use std::pin::Pin;

/// A future of a trait object's method.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;
