//! The code that activates our own page: scanned as an address, followed as a link, or typed.
//!
//! It names the device that waits and its one-time secret, in an alphabet that people can read to each other. Dashes, spaces
//! and the case of letters don't matter, and neither do the letters that look like digits.

use login::DeviceId;
use wire::Secret;

/// The letters and digits of a code (those of the store's ids): without i, l, o and u.
const READABLE: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

/// Letters of a device's id after `d-`.
const DEVICE_LETTERS: usize = 8;

/// Letters of the secret: 5 bits each, 60 together (rules F3).
const SECRET_LETTERS: usize = 12;

/// What activates one phone.
#[derive(Clone, Debug)]
pub struct ActivationCode {
    /// The device that waits for its key.
    pub device: DeviceId,
    /// What it waits for, in the form in which the store knows it.
    pub secret: Secret,
}

/// A text that is no activation code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("that is no activation code: it has 20 letters and digits")]
pub struct NotACode;

impl ActivationCode {
    /// A secret of 60 random bits, to begin an activation with.
    #[must_use]
    pub fn secret_of(random: [u8; SECRET_LETTERS]) -> Secret {
        Secret::new(random.map(|octet| READABLE[usize::from(octet % 32)]).to_vec())
    }

    /// Reads what a person typed or a camera saw.
    ///
    /// # Errors
    /// [`NotACode`]: other letters, or more or fewer of them.
    pub fn parse(text: &str) -> Result<Self, NotACode> {
        if text.len() > 64 {
            return Err(NotACode);
        }
        let marks = text.chars().filter(|mark| !matches!(mark, '-' | ' '));
        let letters = marks.map(letter).collect::<Option<String>>().ok_or(NotACode)?;
        if letters.len() != DEVICE_LETTERS + SECRET_LETTERS {
            return Err(NotACode);
        }
        let (device, secret) = letters.split_at(DEVICE_LETTERS);
        Ok(Self { device: DeviceId(format!("d-{device}").into()), secret: Secret::new(secret) })
    }

    /// As it is shown: groups of four capital letters.
    #[must_use]
    pub fn shown(&self) -> Secret {
        let device = self.device.0.strip_prefix("d-").unwrap_or(&self.device.0);
        let letters = [device.as_bytes(), self.secret.expose()].concat().to_ascii_uppercase();
        Secret::new(letters.chunks(4).collect::<Vec<_>>().join(&b'-'))
    }

    /// The address to scan or follow. The code stands in the fragment, which no server and no log sees.
    #[must_use]
    pub fn address(&self, origin: &str) -> Secret {
        Secret::new([origin.as_bytes(), b"/phone/#", self.shown().expose()].concat())
    }
}

fn letter(mark: char) -> Option<char> {
    match mark.to_ascii_lowercase() {
        'o' => Some('0'),
        'i' | 'l' => Some('1'),
        other => READABLE.iter().map(|letter| char::from(*letter)).find(|letter| *letter == other),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn code() -> ActivationCode {
        ActivationCode { device: DeviceId("d-0a1b2c3d".into()), secret: ActivationCode::secret_of([9; 12]) }
    }

    #[test]
    fn a_code_is_read_as_it_is_shown_and_as_people_type_it() {
        assert_eq!(code().shown().expose(), b"0A1B-2C3D-9999-9999-9999");
        assert_eq!(code().address("https://a.example").expose(), b"https://a.example/phone/#0A1B-2C3D-9999-9999-9999");
        for typed in
            ["0A1B-2C3D-9999-9999-9999", "0a1b2c3d999999999999", " oaib 2c3d 9999 9999 9999 ", "OALB2C3D999999999999"]
        {
            let read = ActivationCode::parse(typed).unwrap();
            assert_eq!((&read.device, &read.secret), (&code().device, &code().secret), "{typed}");
        }
        for wrong in [
            "",
            "0A1B-2C3D-9999-9999-999",
            "0A1B-2C3D-9999-9999-99999",
            "0A1B-2C3D-9999-9999-999U",
            "0A1B\n2C3D-9999-9999-9999",
        ] {
            assert!(ActivationCode::parse(wrong).is_err(), "{wrong}");
        }
        assert!(!format!("{:?}", code()).contains("9999"));
    }

    proptest! {
        #[test]
        fn every_secret_comes_back_and_no_text_panics(random in any::<[u8; 12]>(), text in "\\PC{0,80}") {
            let made = ActivationCode { secret: ActivationCode::secret_of(random), ..code() };
            let shown = made.shown();
            let read = ActivationCode::parse(std::str::from_utf8(shown.expose()).unwrap()).unwrap();
            prop_assert_eq!(read.secret, made.secret);
            let _ = ActivationCode::parse(&text);
        }
    }
}
