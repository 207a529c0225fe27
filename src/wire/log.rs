//! Bytes from strangers, made safe for one line of a log.
//!
//! Nothing that a peer sent can break the line, move the cursor, reorder the text on a screen, or fill the disk.

/// The most characters that [`log_safe`] gives, without the mark that says it was cut.
const LOG_CHARACTERS_MAX: usize = 256;

/// The bytes as printable text on one line: lossy UTF-8, control and invisible characters escaped, bounded in length.
pub fn log_safe(bytes: &[u8]) -> String {
    // A character is at most four octets: what is cut here could not be shown anyway, and a large value costs nothing.
    let head = bytes.get(..LOG_CHARACTERS_MAX.saturating_mul(4)).unwrap_or(bytes);
    let mut text = String::with_capacity(head.len().min(LOG_CHARACTERS_MAX));
    let lossy = String::from_utf8_lossy(head);
    let mut characters = lossy.chars();
    for character in characters.by_ref().take(LOG_CHARACTERS_MAX) {
        push_escaped(&mut text, character);
    }
    if characters.next().is_some() || head.len() < bytes.len() {
        text.push('…');
    }
    text
}

fn push_escaped(text: &mut String, character: char) {
    if character.is_control() || is_format(character) {
        text.extend(character.escape_default());
    } else {
        text.push(character);
    }
}

/// Characters that print nothing but change how the rest is read: joiners, direction marks, separators, byte order mark, tags.
const fn is_format(character: char) -> bool {
    matches!(character,
        '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_cannot_break_the_line() {
        assert_eq!(log_safe(b"alice\n\x1b[2Jroot\0"), r"alice\n\u{1b}[2Jroot\u{0}");
        assert_eq!(log_safe("a\u{202e}b".as_bytes()), r"a\u{202e}b");
    }

    #[test]
    fn what_is_not_utf8_is_shown_lossily() {
        assert_eq!(log_safe(&[0xff, 0xfe, 0x0a]), "\u{fffd}\u{fffd}\\n");
    }

    #[test]
    fn ordinary_text_is_left_alone() {
        assert_eq!(log_safe("Zoë@example.com".as_bytes()), "Zoë@example.com");
        assert_eq!(log_safe(br"DOM\alice"), r"DOM\alice");
    }

    #[test]
    fn long_values_are_cut_and_say_so() {
        let text = log_safe(&[b'a'; 5000]);
        assert_eq!(text.chars().count(), LOG_CHARACTERS_MAX + 1);
        assert!(text.ends_with('…'));
        assert!(!log_safe(&[b'a'; LOG_CHARACTERS_MAX]).ends_with('…'));
    }
}
