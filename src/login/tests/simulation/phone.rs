//! The people's phones: they approve, deny, report, stay silent, say it twice, change their mind, or answer too late; with
//! the number of the right screen, of another one, of none; from one phone, or the second one against the first.

use login::{Asks, NumberMatch};

use crate::dice::Dice;

/// What is done on a phone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tap {
    /// Verify, with a number where one is asked for.
    Yes(Which),
    No,
    Fraud,
    /// Its owner has read who asks, and wants to see the digits (F8).
    Confirm,
}

/// Which number is chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Which {
    /// That of the newest screen.
    Newest,
    /// That of another screen, if there is one.
    Another,
    /// One that no screen shows.
    Wrong,
    /// None at all, though one may be asked for.
    None,
}

/// What phones do about a prompt: after how many milliseconds, and on which of them.
pub(crate) fn taps(dice: &mut Dice, phones: &'static [&'static str], asks: Asks) -> Vec<(u64, &'static str, Tap)> {
    let Some(one) = phones.first() else { return Vec::new() };
    let other = if dice.chance(50) { phones.last().unwrap_or(one) } else { one };
    let yes = match (asks.number, dice.below(100)) {
        (NumberMatch::Typed(_), 3..) => Tap::Confirm,
        (NumberMatch::Shown(_), 0..=71) => Tap::Yes(Which::Newest),
        (NumberMatch::Shown(_), 72..=85) => Tap::Yes(Which::Another),
        (NumberMatch::Shown(_), 86..=93) => Tap::Yes(Which::Wrong),
        (NumberMatch::Off | NumberMatch::Shown(_) | NumberMatch::Typed(_), _) => Tap::Yes(Which::None),
    };
    // Who is asked for a number often looks twice.
    let twice = if dice.chance(50) { yes } else { Tap::Yes(Which::Another) };
    let soon = dice.between(800, 25_000);
    let then = soon + dice.between(1, 6000);
    match dice.below(100) {
        0..=64 => vec![(soon, one, yes)],
        65..=71 => vec![(soon, one, yes), (then, other, twice)],
        72..=75 => vec![(soon, one, yes), (soon + dice.between(1, 60), other, Tap::No)],
        76..=77 => vec![(soon, one, Tap::No), (then, other, yes)],
        78..=79 => vec![(soon, one, Tap::No)],
        80 => vec![(soon, one, Tap::Fraud), (then, other, yes)],
        81..=86 => vec![(dice.between(25_000, 60_000), one, yes)],
        87..=90 => vec![(dice.between(115_000, 150_000), one, yes)],
        _ => Vec::new(),
    }
}
