//! The people's phones: they approve, deny, report, stay silent, say it twice, change their mind, or answer too late.

use login::PhoneAnswer::{self, Approve, Deny, Fraud};

use crate::dice::Dice;

/// What a phone says to a prompt, and after how many milliseconds.
pub(crate) fn says(dice: &mut Dice) -> Vec<(u64, PhoneAnswer)> {
    let soon = dice.between(800, 25_000);
    let then = soon + dice.between(1, 6000);
    match dice.below(100) {
        0..=64 => vec![(soon, Approve)],
        65..=71 => vec![(soon, Approve), (then, Approve)],
        72..=75 => vec![(soon, Approve), (soon + dice.between(1, 60), Deny)],
        76..=77 => vec![(soon, Deny), (then, Approve)],
        78..=79 => vec![(soon, Deny)],
        80 => vec![(soon, Fraud), (then, Approve)],
        81..=86 => vec![(dice.between(25_000, 60_000), Approve)],
        87..=90 => vec![(dice.between(115_000, 150_000), Approve)],
        _ => Vec::new(),
    }
}
