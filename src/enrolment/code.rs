//! Codes that people carry by hand: what opens a first enrolment (rules F3), and what stands for a lost phone.
//!
//! They are made of letters and digits that can be read to each other, in groups, and are read forgivingly: case, blanks and
//! dashes don't matter, and neither do the letters that look like digits. The store is given the bare form and keeps a keyed
//! hash, so a code is seen once, by whoever asked for it.

use std::time::Duration;

use login::{ResolvedUser, Wall};
use rand::TryRng;
use rand::rngs::SysRng;
use wire::Secret;
use zeroize::Zeroizing;

use super::token::EnrolmentError;
use crate::store::web::{CodePurpose, PeopleCodes};

/// Letters and digits without i, l, o and u: 5 bits each.
const READABLE: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

/// Rules F3: "60 bits or more". 75 bits.
const ENROL_LETTERS: usize = 15;

/// 50 bits; the store counts failures as for any code (D1).
const RECOVERY_LETTERS: usize = 10;

/// So many are given out at once.
pub const RECOVERY_CODES: usize = 10;

/// Rules F3: "single use, 24 h, 5 tries".
pub const CODE_LASTS: Duration = Duration::from_secs(24 * 60 * 60);

/// Longer than any code with its blanks: nothing longer is looked at.
const TYPED_OCTETS_MAX: usize = 64;

/// Letters of a group.
const GROUP: usize = 5;

/// Gives a user a code for a first enrolment, durable when this returns; an earlier one of the same purpose is void. It is good
/// for [`CODE_LASTS`], and is returned as it is shown, in groups of five.
///
/// # Errors
/// [`EnrolmentError::Store`]: no such user, or the store itself; [`EnrolmentError::NoRandomness`].
pub async fn issue_code(
    store: &dyn PeopleCodes,
    user: &ResolvedUser,
    purpose: CodePurpose,
    at: Wall,
) -> Result<Secret, EnrolmentError> {
    let code = random::<ENROL_LETTERS>()?;
    store.issue_code(user, purpose, &code, CODE_LASTS, at).await?;
    Ok(grouped(&code))
}

/// What somebody typed as an enrolment code, in the form in which the store knows it; `None` if it can't be one.
#[must_use]
pub fn typed_code(text: &str) -> Option<Secret> {
    read::<ENROL_LETTERS>(text)
}

/// Gives a user new recovery codes, durable when this returns; all earlier ones are void. As they are shown, in groups of five.
///
/// # Errors
/// [`EnrolmentError::Store`]: no such user, or the store itself; [`EnrolmentError::NoRandomness`].
pub async fn recovery_codes(
    store: &dyn PeopleCodes,
    user: &ResolvedUser,
    at: Wall,
) -> Result<Vec<Secret>, EnrolmentError> {
    let codes = (0..RECOVERY_CODES).map(|_| random::<RECOVERY_LETTERS>()).collect::<Result<Vec<_>, _>>()?;
    let shown = codes.iter().map(grouped).collect();
    store.set_recovery_codes(user, codes, at).await?;
    Ok(shown)
}

/// What somebody typed as a recovery code, in the form in which the store knows it; `None` if it can't be one.
#[must_use]
pub fn typed_recovery_code(text: &str) -> Option<Secret> {
    read::<RECOVERY_LETTERS>(text)
}

fn random<const LETTERS: usize>() -> Result<Secret, EnrolmentError> {
    let mut letters = Zeroizing::new([0_u8; LETTERS]);
    SysRng.try_fill_bytes(&mut *letters).map_err(|_| EnrolmentError::NoRandomness)?;
    // 256 is a multiple of 32, so every letter is as likely as another.
    letters.iter_mut().for_each(|octet| *octet = READABLE[usize::from(*octet % 32)]);
    Ok(Secret::new(letters.as_slice()))
}

fn grouped(code: &Secret) -> Secret {
    let capitals = Zeroizing::new(code.expose().to_ascii_uppercase());
    let groups: Vec<&[u8]> = capitals.chunks(GROUP).collect();
    Secret::new(groups.join(&b'-'))
}

fn read<const LETTERS: usize>(text: &str) -> Option<Secret> {
    if text.len() > TYPED_OCTETS_MAX {
        return None;
    }
    let marks = text.chars().filter(|mark| !matches!(mark, '-' | '\u{2010}'..='\u{2014}') && !mark.is_whitespace());
    let letters = Zeroizing::new(marks.map(letter).collect::<Option<Vec<u8>>>()?);
    (letters.len() == LETTERS).then(|| Secret::new(letters.as_slice()))
}

fn letter(mark: char) -> Option<u8> {
    match mark.to_ascii_lowercase() {
        'o' => Some(b'0'),
        'i' | 'l' => Some(b'1'),
        other => READABLE.iter().copied().find(|letter| char::from(*letter) == other),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn text(secret: &Secret) -> String {
        String::from_utf8(secret.expose().to_vec()).unwrap()
    }

    #[test]
    fn a_code_is_read_as_it_is_shown_and_as_people_type_it() {
        let code = Secret::new("0a1b2c3d4e5f6g7");
        assert_eq!(text(&grouped(&code)), "0A1B2-C3D4E-5F6G7");
        for typed in ["0A1B2-C3D4E-5F6G7", "0a1b2c3d4e5f6g7", " oaib2 c3d4e 5f6g7\n", "OALB2\u{2013}C3D4E\u{2013}5F6G7"]
        {
            assert_eq!(typed_code(typed).as_ref(), Some(&code), "{typed}");
        }
        for wrong in ["", "0A1B2-C3D4E-5F6G", "0A1B2-C3D4E-5F6G77", "0A1B2-C3D4E-5F6GU", "0A1B2_C3D4E_5F6G7"] {
            assert_eq!(typed_code(wrong), None, "{wrong}");
        }
        assert_eq!(typed_code(&format!("0a1b2c3d4e5f6g7{}", " ".repeat(64))), None);
    }

    proptest! {
        #[test]
        fn every_code_comes_back_and_no_text_panics(any in "\\PC{0,80}") {
            let code = random::<RECOVERY_LETTERS>().unwrap();
            prop_assert_eq!(typed_recovery_code(&text(&grouped(&code))), Some(code));
            let _ = (typed_code(&any), typed_recovery_code(&any));
        }
    }
}
