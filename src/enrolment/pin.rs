//! Which PIN a phone's owner may have: digits, enough of them, and none that everybody would try first; and the initial one of who
//! has none.
//!
//! Five tries lock a PIN, so it must not be among the few that a thief of an unlocked phone would try: repetitions, rows of digits, ways over
//! the keypad, years and dates, and digits that are in the user's own name.

use login::ResolvedUser;
use rand::TryRng;
use rand::rngs::SysRng;
use wire::Secret;
use zeroize::Zeroizing;

use super::token::EnrolmentError;
use crate::config::PIN_DIGITS_MAX;

/// Why a PIN is refused; each says what to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WeakPin {
    /// Something that is no digit.
    #[error("a PIN has digits only")]
    NotDigits,
    /// Too few.
    #[error("the PIN is too short: it has {least} digits at least")]
    Short {
        /// So many at least.
        least: u32,
    },
    /// Too many.
    #[error("the PIN is too long: it has {PIN_DIGITS_MAX} digits at most")]
    Long,
    /// The same digits again and again.
    #[error("the PIN repeats itself; choose one that nobody would guess")]
    Repeats,
    /// 123456, 2468, or a way over the keypad.
    #[error("the PIN is a row of digits that everybody knows; choose another")]
    Sequence,
    /// A year or a date.
    #[error("the PIN is a year or a date, which people guess first; choose another")]
    Date,
    /// It stands in the user's name.
    #[error("the PIN stands in the user's name; choose another")]
    InName,
}

/// Ways over the keypad that people walk; any part of one that is as long as the PIN counts, in both directions.
const WALKS: [&str; 8] = ["147258369", "1470258369", "741852963", "159753", "1593570", "789456123", "2580", "14789632"];

/// Whether this may be a PIN of at least so many digits.
///
/// # Errors
/// [`WeakPin`].
pub fn pin_allowed(pin: &str, length: u32) -> Result<(), WeakPin> {
    let digits: Vec<u8> = pin.bytes().collect();
    if !digits.iter().all(u8::is_ascii_digit) {
        return Err(WeakPin::NotDigits);
    }
    if digits.len() > PIN_DIGITS_MAX {
        return Err(WeakPin::Long);
    }
    if digits.len() < usize::try_from(length).unwrap_or(usize::MAX).max(1) {
        return Err(WeakPin::Short { least: length });
    }
    if repeats(&digits) {
        return Err(WeakPin::Repeats);
    }
    if is_sequence(&digits) || is_walk(pin) {
        return Err(WeakPin::Sequence);
    }
    if is_date(pin) { Err(WeakPin::Date) } else { Ok(()) }
}

/// The same, and that it is not in the user's name.
///
/// # Errors
/// [`WeakPin`].
pub fn pin_allowed_for(pin: &str, length: u32, user: &ResolvedUser) -> Result<(), WeakPin> {
    pin_allowed(pin, length)?;
    let digits: String = user.as_str().chars().filter(char::is_ascii_digit).collect();
    let backwards: String = digits.chars().rev().collect();
    let theirs = |digits: &str| digits.len() >= 4 && (digits.contains(pin) || pin.contains(digits));
    if theirs(&digits) || theirs(&backwards) { Err(WeakPin::InName) } else { Ok(()) }
}

/// Draws of an initial PIN: about one in ten is a weak one.
const DRAWS_MAX: u32 = 64;

/// A PIN for somebody who has none or forgot it: random, none that would be refused, to be changed by its owner before it approves
/// anything. Shown once.
///
/// # Errors
/// [`EnrolmentError::NoRandomness`].
pub fn initial_pin(length: u32, user: &ResolvedUser) -> Result<Secret, EnrolmentError> {
    for _ in 0..DRAWS_MAX {
        let pin = Zeroizing::new(digits(length)?);
        if pin_allowed_for(&pin, length, user).is_ok() {
            return Ok(Secret::new(pin.as_bytes()));
        }
    }
    Err(EnrolmentError::NoRandomness)
}

/// Each digit as likely as any other.
fn digits(length: u32) -> Result<String, EnrolmentError> {
    let mut text = String::new();
    while text.len() < usize::try_from(length).unwrap_or(PIN_DIGITS_MAX).min(PIN_DIGITS_MAX) {
        let mut octet = [0; 1];
        SysRng.try_fill_bytes(&mut octet).map_err(|_| EnrolmentError::NoRandomness)?;
        // 250 is the last multiple of ten in an octet: what is above would make small digits likelier.
        text.extend(octet.iter().filter(|octet| **octet < 250).map(|octet| char::from(b'0' + octet % 10)));
    }
    Ok(text)
}

/// 1111, 121212, 123123; and 111222, 112233: two different digits at most, or each digit twice in a row.
fn repeats(digits: &[u8]) -> bool {
    let has_period = |period: usize| digits.iter().zip(digits.iter().skip(period)).all(|(a, b)| a == b);
    let different = (b'0'..=b'9').filter(|digit| digits.contains(digit)).count();
    let doubled = digits.len() >= 4 && digits.chunks(2).all(|pair| pair.first() == pair.last());
    (1..=digits.len() / 2).any(has_period) || different < 3 || doubled
}

/// 123456, 987654, 246802, 1470: one and the same step all along.
fn is_sequence(digits: &[u8]) -> bool {
    let steps: Vec<u8> = digits.iter().zip(digits.iter().skip(1)).map(|(a, b)| (10 + b - a) % 10).collect();
    steps.iter().all(|step| Some(step) == steps.first())
}

fn is_walk(pin: &str) -> bool {
    let backwards: String = pin.chars().rev().collect();
    WALKS.iter().any(|walk| walk.contains(pin) || walk.contains(&backwards))
}

/// A year at either end, or a whole date with a year of two or four digits in any of the usual orders.
fn is_date(pin: &str) -> bool {
    let is_year = |text: Option<&str>| text.is_some_and(|text| text.starts_with("19") || text.starts_with("20"));
    match pin.len() {
        4 => is_year(Some(pin)),
        6 => is_day(pin, 0) || is_day(pin, 2),
        8 => (is_year(pin.get(..4)) && is_day(pin, 4)) || (is_year(pin.get(4..)) && is_day(pin, 0)),
        _ => false,
    }
}

/// Whether day and month stand there, in either order.
fn is_day(pin: &str, at: usize) -> bool {
    let number = |from: usize| pin.get(from..from + 2).and_then(|text| text.parse::<u8>().ok()).unwrap_or_default();
    let (first, second) = (number(at), number(at + 2));
    let day_and_month = |day: u8, month: u8| (1..=31).contains(&day) && (1..=12).contains(&month);
    day_and_month(first, second) || day_and_month(second, first)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_everybody_tries_first_is_refused_and_says_why() {
        use WeakPin::{Date, Long, NotDigits, Repeats, Sequence, Short};
        let cases = [
            ("12a456", NotDigits),
            ("１２３４５６", NotDigits),
            ("", Short { least: 6 }),
            ("48291", Short { least: 6 }),
            ("4829154829157", Long),
            ("111111", Repeats),
            ("121212", Repeats),
            ("483483", Repeats),
            ("112233", Repeats),
            ("111222", Repeats),
            ("123456", Sequence),
            ("098765", Sequence),
            ("246802", Sequence),
            ("147258", Sequence),
            ("852741", Sequence),
            ("159753", Sequence),
            ("241275", Date),
            ("122475", Date),
            ("751224", Date),
            ("19751224", Date),
            ("24122075", Date),
        ];
        for (pin, why) in cases {
            assert_eq!(pin_allowed(pin, 6), Err(why), "{pin}");
        }
        assert_eq!(pin_allowed("1984", 4), Err(Date));
        assert_eq!(pin_allowed("2580", 4), Err(Sequence));
    }

    #[test]
    fn what_nobody_would_guess_is_taken() {
        for pin in ["482915", "735190", "904618", "48291573", "482915730264"] {
            assert_eq!(pin_allowed(pin, 6), Ok(()), "{pin}");
        }
        assert_eq!(pin_allowed("4829", 4), Ok(()));
    }

    #[test]
    fn an_initial_one_is_as_long_as_the_site_asks_and_none_that_would_be_refused() {
        let user = ResolvedUser::new("u482915@example.com");
        let mut seen = std::collections::BTreeSet::new();
        for length in [4, 6, 8, 12] {
            for _ in 0..50 {
                let pin = initial_pin(length, &user).unwrap();
                let pin = std::str::from_utf8(pin.expose()).unwrap().to_owned();
                assert_eq!((pin.len(), pin_allowed_for(&pin, length, &user)), (length as usize, Ok(())));
                seen.insert(pin);
            }
        }
        assert!(seen.len() > 190, "{}", seen.len());
    }

    #[test]
    fn most_of_all_pins_are_allowed() {
        let allowed = (0..1_000_000).filter(|pin| pin_allowed(&format!("{pin:06}"), 6).is_ok()).count();
        assert!(allowed > 850_000, "{allowed}");
    }

    #[test]
    fn digits_of_the_users_own_name_are_refused() {
        let user = ResolvedUser::new("u482915@example.com");
        assert_eq!(pin_allowed_for("482915", 6, &user), Err(WeakPin::InName));
        assert_eq!(pin_allowed_for("519284", 6, &user), Err(WeakPin::InName));
        assert_eq!(pin_allowed_for("4829", 4, &user), Err(WeakPin::InName));
        assert_eq!(pin_allowed_for("904618", 6, &user), Ok(()));
        assert_eq!(pin_allowed_for("904618", 6, &ResolvedUser::new("alice9")), Ok(()));
    }
}
