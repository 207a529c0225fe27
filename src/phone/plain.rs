//! Text that came over RADIUS, made fit to be read by a person who decides on it (rules F5).
//!
//! A user name or a station could hold marks that turn the line round, hide a part of it, or end a field of what is signed.
//! They are taken out, and the text is cut to what a phone shows.

/// A text of one line without control, bidirectional, invisible and field marks, of `max` characters at most.
#[must_use]
pub fn plain(text: &str, max: usize) -> String {
    let shown: String = text.chars().filter(|character| !is_hidden(*character)).collect();
    let shown = shown.trim();
    if shown.chars().count() <= max {
        return shown.to_owned();
    }
    shown.chars().take(max.saturating_sub(1)).chain(['\u{2026}']).collect()
}

fn is_hidden(character: char) -> bool {
    match character {
        // What the store app's signed texts are joined by.
        '|' => true,
        // Zero-width marks, directional marks, overrides and isolates (UAX #9), and what is of no glyph.
        '\u{ad}' | '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' => true,
        '\u{feff}' | '\u{fff0}'..='\u{fffb}' | '\u{e0000}'..='\u{e0fff}' => true,
        other => other.is_control(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_would_deceive_a_reader_is_taken_out() {
        assert_eq!(plain("alice\u{202e}moc.live\u{0}|\n", 64), "alicemoc.live");
        assert_eq!(plain(" J\u{f6}rg \u{2013} \u{2753} ", 64), "J\u{f6}rg \u{2013} \u{2753}");
        assert_eq!(plain("abcdef", 4), "abc\u{2026}");
        assert_eq!(plain("abcd", 4), "abcd");
        assert_eq!(plain("\u{200b}\u{feff}", 4), "");
    }
}
