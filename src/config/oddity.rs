//! What a secret's file may hold beside the secret, by the ways it comes there: Notepad's byte order mark or UTF-16, a blank or a
//! newline too many, quotes around it, a comment above it.
//!
//! Whatever is odd may be meant, so it stays usable and is told. Nothing here shows a secret.

use wire::Secret;

/// What is odd about a secret, in the order in which one hides another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Oddity {
    /// Each letter takes two octets.
    Utf16,
    /// The three octets that some editors of Windows put before UTF-8.
    ByteOrderMark,
    /// A zero octet, which nobody types.
    Zero,
    /// The first line is a comment, or looks like one.
    Comment,
    /// More than one line.
    Lines,
    /// A blank, tab or newline at the beginning or the end.
    BlankAround,
    /// Quotes around it, straight or typographic.
    Quotes,
}

impl Oddity {
    /// The first that this secret has; one newline at its end is taken off before.
    #[must_use]
    pub fn of(secret: &Secret) -> Option<Self> {
        let octets = secret.expose();
        let is_utf16 =
            octets.starts_with(b"\xff\xfe") || octets.starts_with(b"\xfe\xff") || has_every_second_zero(octets);
        let breaks = |octets: &[u8]| octets.iter().any(|octet| matches!(octet, b'\n' | b'\r'));
        let is_blank = |octet: Option<&u8>| octet.is_some_and(u8::is_ascii_whitespace);
        let is_comment = matches!(octets, [b'#' | b';', ..] | [b'/', b'/', ..]);
        match octets {
            _ if is_utf16 => Some(Self::Utf16),
            _ if octets.starts_with(b"\xef\xbb\xbf") => Some(Self::ByteOrderMark),
            _ if octets.contains(&0) => Some(Self::Zero),
            _ if breaks(octets.trim_ascii()) => Some(if is_comment { Self::Comment } else { Self::Lines }),
            _ if is_blank(octets.first()) || is_blank(octets.last()) => Some(Self::BlankAround),
            _ if is_quoted(octets) => Some(Self::Quotes),
            _ => None,
        }
    }

    /// What the file has, as the end of "it ...".
    #[must_use]
    pub fn shown(self) -> &'static str {
        match self {
            Self::Utf16 => "is UTF-16, as Notepad's \"Unicode\" saves it: each letter takes two octets",
            Self::ByteOrderMark => "begins with a byte order mark, three octets that an editor put there",
            Self::Zero => "holds a zero octet",
            Self::Comment => "begins with a line that looks like a comment",
            Self::Lines => "holds more than one line",
            Self::BlankAround => "begins or ends with a blank or a newline beyond the last one",
            Self::Quotes => "has quotes around it",
        }
    }

    /// What to do about it.
    #[must_use]
    pub fn mend(self) -> &'static str {
        match self {
            Self::Utf16 | Self::ByteOrderMark => {
                "all octets of the file count as the secret: save it as plain ASCII or as UTF-8 without byte order mark"
            }
            Self::Zero | Self::Comment | Self::Lines | Self::BlankAround | Self::Quotes => {
                "all of it counts as the secret, but for one newline at the end: if that isn't meant, `printf %s 'the secret' > FILE` \
                 writes nothing else"
            }
        }
    }
}

/// UTF-16 of ASCII without a mark, of four letters and more.
fn has_every_second_zero(octets: &[u8]) -> bool {
    let of = |from: usize| octets.iter().skip(from).step_by(2);
    octets.len() >= 8
        && ((of(0).all(|octet| *octet == 0) && of(1).all(|octet| *octet != 0))
            || (of(1).all(|octet| *octet == 0) && of(0).all(|octet| *octet != 0)))
}

fn is_quoted(octets: &[u8]) -> bool {
    const PAIRS: [(&str, &str); 8] = [
        ("\"", "\""),
        ("'", "'"),
        ("`", "`"),
        ("\u{201c}", "\u{201d}"),
        ("\u{201e}", "\u{201c}"),
        ("\u{201d}", "\u{201d}"),
        ("\u{2018}", "\u{2019}"),
        ("\u{ab}", "\u{bb}"),
    ];
    PAIRS.iter().any(|(open, close)| {
        octets.len() > open.len() + close.len()
            && octets.starts_with(open.as_bytes())
            && octets.ends_with(close.as_bytes())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_editors_and_hands_put_beside_a_secret_is_seen() {
        let utf16 = |text: &str| text.encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<u8>>();
        let cases: [(Vec<u8>, Oddity); 16] = [
            (b"\xef\xbb\xbfshared-secret".to_vec(), Oddity::ByteOrderMark),
            (utf16("\u{feff}shared-secret\r\n"), Oddity::Utf16),
            (utf16("shared-secret"), Oddity::Utf16),
            ("shared-secret".encode_utf16().flat_map(u16::to_be_bytes).collect(), Oddity::Utf16),
            (b"shared\0secret".to_vec(), Oddity::Zero),
            (b"# the firewall\nshared-secret".to_vec(), Oddity::Comment),
            (b"; the firewall\r\nshared-secret".to_vec(), Oddity::Comment),
            (b"// the firewall\nshared-secret".to_vec(), Oddity::Comment),
            (b"shared-secret\nother".to_vec(), Oddity::Lines),
            (b"shared-secret ".to_vec(), Oddity::BlankAround),
            (b"shared-secret\n".to_vec(), Oddity::BlankAround),
            (b"\tshared-secret".to_vec(), Oddity::BlankAround),
            (b"\r\nshared-secret".to_vec(), Oddity::BlankAround),
            (b"\"shared-secret\"".to_vec(), Oddity::Quotes),
            ("\u{201e}shared-secret\u{201c}".into(), Oddity::Quotes),
            (b"'shared-secret'".to_vec(), Oddity::Quotes),
        ];
        for (octets, odd) in cases {
            assert_eq!(Oddity::of(&Secret::new(octets.clone())), Some(odd), "{}", octets.escape_ascii());
        }
    }

    #[test]
    fn a_secret_that_is_only_that_is_not_odd() {
        for plain in [
            "shared-secret",
            "with a blank inside",
            "#begins-so",
            "don't",
            "\"",
            "it's 'so'",
            "Grüße-an-alle",
            "\"a\"b",
        ] {
            assert_eq!(Oddity::of(&Secret::new(plain)), None, "{plain}");
        }
    }
}
