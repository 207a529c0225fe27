//! Which password one of our own users may have: long enough, none that everybody tries, and not the name with a bit around it.
//!
//! Only `local` users have one here; any other password is its primary's affair. Composition is nobody's business (NIST SP 800-63B
//! §3.1.1.2): no rule asks for a digit or a capital. `common_passwords.txt` holds, in small letters, the 3,000 most used passwords of eight
//! characters and more and the most used first names of that length, taken from the frequency lists of zxcvbn (MIT licence, © Dan
//! Wheeler and Dropbox). Nothing here keeps or prints a password.

use login::ResolvedUser;
use wire::Secret;

/// Fewer characters than this are guessed by trying them all (OWASP ASVS 6.2.1).
pub const PASSWORD_CHARS_MIN: usize = 8;
/// RFC 2865 §5.2: more than a User-Password can carry would never let anybody in.
pub const PASSWORD_OCTETS_MAX: usize = 128;

const COMMON: &str = include_str!("common_passwords.txt");
/// Shorter parts of a name are in many words by chance.
const PART_CHARS_MIN: usize = 3;
/// Beside the name so much must be there that is not the name: a word, or as much as a whole password of anything. A year and an
/// exclamation mark are neither.
const BESIDE_LETTERS_MIN: usize = 4;

/// Why a password is refused; each says what to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WeakPassword {
    /// Too few characters.
    #[error(
        "the password is too short: it must have {PASSWORD_CHARS_MIN} characters at least. Three or four words that don't belong together do well"
    )]
    Short,
    /// Too many octets.
    #[error("the password is too long: RADIUS carries {PASSWORD_OCTETS_MAX} octets at most")]
    Long,
    /// Everybody tries it.
    #[error(
        "the password is one of those that everybody tries first; choose another, such as three or four words that don't belong together"
    )]
    Common,
    /// It is the user's or the site's name, and little else.
    #[error("the password is little more than the user's or the account's name; choose one that doesn't build on it")]
    InName,
}

/// Whether this may be the password of this user at this site (`account`: `[portal] account_name`).
///
/// # Errors
/// [`WeakPassword`].
pub fn password_allowed_for(password: &Secret, user: &ResolvedUser, account: &str) -> Result<(), WeakPassword> {
    if password.len() > PASSWORD_OCTETS_MAX {
        return Err(WeakPassword::Long);
    }
    let small = zeroize::Zeroizing::new(String::from_utf8_lossy(password.expose()).to_lowercase());
    if small.chars().count() < PASSWORD_CHARS_MIN {
        return Err(WeakPassword::Short);
    }
    // "Password1!" and "!!sunshine" are their word to whoever guesses.
    let bare = small.trim_matches(|mark: char| !mark.is_alphabetic());
    if is_common(&small) || is_common(bare) || has_one_mark(&small) {
        return Err(WeakPassword::Common);
    }
    let left = beside(&small, [user.as_str(), account]);
    let letters = left.chars().filter(|mark| mark.is_alphabetic()).count();
    let is_more = letters >= BESIDE_LETTERS_MIN || left.chars().count() >= PASSWORD_CHARS_MIN;
    if is_more { Ok(()) } else { Err(WeakPassword::InName) }
}

fn is_common(small: &str) -> bool {
    COMMON.lines().any(|common| common == small)
}

/// `aaaaaaaa` is in no list of words, and in every guesser's.
fn has_one_mark(small: &str) -> bool {
    let mut marks = small.chars();
    let first = marks.next();
    marks.all(|mark| Some(mark) == first)
}

/// What is left without the parts of those names.
fn beside(small: &str, names: [&str; 2]) -> zeroize::Zeroizing<String> {
    let names = names.map(str::to_lowercase);
    let mut parts: Vec<&str> = names
        .iter()
        .flat_map(|name| name.split(|mark: char| !mark.is_alphanumeric()))
        .filter(|part| part.chars().count() >= PART_CHARS_MIN)
        .collect();
    parts.sort_by_key(|part| std::cmp::Reverse(part.len()));
    let without = |text: zeroize::Zeroizing<String>, part: &str| zeroize::Zeroizing::new(text.replace(part, ""));
    parts.into_iter().fold(zeroize::Zeroizing::new(small.to_owned()), without)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tried(password: &str) -> Result<(), WeakPassword> {
        let alice = ResolvedUser::new("alice.liddell@wonderland.example");
        password_allowed_for(&Secret::new(password), &alice, "Example Corp")
    }

    #[test]
    fn what_everybody_tries_is_refused_however_it_is_dressed() {
        for common in
            ["password", "PASSWORD", "Password1!", "12345678", "qwertyuiop", "iloveyou", "!!sunshine99", "aaaaaaaaa"]
        {
            assert_eq!(tried(common), Err(WeakPassword::Common), "{common}");
        }
    }

    #[test]
    fn what_is_too_short_for_people_or_too_long_for_radius_is_refused() {
        for short in ["", "a", "x7$kQ2!", "äöüäöüä"] {
            assert_eq!(tried(short), Err(WeakPassword::Short), "{short}");
        }
        assert_eq!(tried("äöüßéèêû"), Ok(()), "characters count, and not octets");
        assert_eq!(tried(&"north by ".repeat(15)), Err(WeakPassword::Long));
        assert_eq!(tried(&"0123456789abcdef".repeat(8)), Ok(()), "128 octets fit");
    }

    #[test]
    fn the_names_of_the_user_and_the_site_are_no_passwords() {
        for name in [
            "alice.liddell",
            "Alice2026",
            "alice-2026!",
            "liddell!!",
            "wonderland1",
            "ExampleCorp",
            "example-corp",
            "alicealice99",
        ] {
            assert_eq!(tried(name), Err(WeakPassword::InName), "{name}");
        }
        assert_eq!(tried("pw of alice"), Ok(()), "the name may be in it, if that is not all");
    }

    #[test]
    fn no_rule_asks_for_digits_or_capitals() {
        for good in ["looking-glass-7", "north by northwest", "correct horse battery staple", "kqzvwxjp", "        x"] {
            assert_eq!(tried(good), Ok(()), "{good}");
        }
    }

    #[test]
    fn the_list_is_in_small_letters_each_once_and_none_too_short() {
        let all: Vec<&str> = COMMON.lines().collect();
        assert!(all.len() >= 3_000 && all.is_sorted_by(|a, b| a < b));
        assert!(all.iter().all(|one| one.chars().count() >= PASSWORD_CHARS_MIN && *one == one.to_lowercase()));
    }
}
