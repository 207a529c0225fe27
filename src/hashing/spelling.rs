//! One password however it is spelled in octets: what was set in UTF-8 is right when an appliance sends Windows-1252, or in the
//! decomposed form that some systems type.
//!
//! As RFC 8265 §4.2.2 (OpaqueString) prepares it: blanks beyond ASCII become the ASCII blank, then NFC; case and width stay. Octets
//! that are no UTF-8 are read as Windows-1252, which has a letter for each octet. Nothing here keeps or shows a password.

use icu_normalizer::ComposingNormalizerBorrowed;
use wire::Secret;
use zeroize::Zeroizing;

/// Windows-1252's letters of 0x80 to 0x9F, as the WHATWG's Encoding Standard has them; the others are those of ISO 8859-1.
const WINDOWS_1252: [char; 32] = [
    '\u{20ac}', '\u{81}', '\u{201a}', '\u{192}', '\u{201e}', '\u{2026}', '\u{2020}', '\u{2021}', '\u{2c6}', '\u{2030}',
    '\u{160}', '\u{2039}', '\u{152}', '\u{8d}', '\u{17d}', '\u{8f}', '\u{90}', '\u{2018}', '\u{2019}', '\u{201c}',
    '\u{201d}', '\u{2022}', '\u{2013}', '\u{2014}', '\u{2dc}', '\u{2122}', '\u{161}', '\u{203a}', '\u{153}', '\u{9d}',
    '\u{17e}', '\u{178}',
];

/// The spelling that is hashed and compared.
pub(super) fn one_spelling(typed: &Secret) -> Secret {
    if typed.expose().is_ascii() {
        return typed.clone();
    }
    let text = Zeroizing::new(text_of(typed.expose()).chars().map(ascii_blank).collect::<String>());
    Secret::new(ComposingNormalizerBorrowed::new_nfc().normalize(&text).into_owned().into_bytes())
}

/// Whether it came as something else than UTF-8, and was read as Windows-1252.
pub(crate) fn is_read_as_windows_1252(typed: &Secret) -> bool {
    std::str::from_utf8(typed.expose()).is_err()
}

fn text_of(octets: &[u8]) -> Zeroizing<String> {
    let text = match std::str::from_utf8(octets) {
        Ok(text) => text.to_owned(),
        Err(_) => octets.iter().map(|octet| windows_1252(*octet)).collect(),
    };
    Zeroizing::new(text)
}

fn windows_1252(octet: u8) -> char {
    let beyond = octet.checked_sub(0x80).and_then(|place| WINDOWS_1252.get(usize::from(place)));
    beyond.copied().unwrap_or(char::from(octet))
}

/// General category Zs (Unicode 16).
fn ascii_blank(letter: char) -> char {
    match letter {
        '\u{a0}' | '\u{1680}' | '\u{2000}'..='\u{200a}' | '\u{202f}' | '\u{205f}' | '\u{3000}' => ' ',
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spelled(octets: impl Into<Vec<u8>>) -> Vec<u8> {
        one_spelling(&Secret::new(octets)).expose().to_vec()
    }

    #[test]
    fn one_password_has_one_spelling_however_it_is_sent() {
        let set = "Grüße an café €9".as_bytes();
        assert_eq!(spelled(set), set);
        assert_eq!(spelled("Gru\u{308}ße an cafe\u{301} €9"), set, "decomposed");
        assert_eq!(spelled(*b"Gr\xfc\xdfe an caf\xe9 \x809"), set, "Windows-1252");
        assert_eq!(spelled("Grüße\u{a0}an\u{2003}café €9"), set, "blanks that are not ASCII's");
        assert!(is_read_as_windows_1252(&Secret::new(*b"caf\xe9")));
        assert!(!is_read_as_windows_1252(&Secret::new("café")));
    }

    #[test]
    fn what_is_another_password_stays_another() {
        for other in ["grüße", "Grüsse", "GRÜSSE", "Gruße", "Ｇrüße", "Grüße ", "Grü\u{200b}ße"] {
            assert_ne!(spelled(other), spelled("Grüße"), "{other}");
        }
        assert_eq!(spelled(*b"plain ascii \x01"), b"plain ascii \x01");
    }
}
