//! Who helps, as a page shows it: the site's own line, with its telephone number as a link that a phone calls.

use std::fmt::{self, Display, Formatter, Write as _};
use std::sync::Arc;

/// Fewer digits are no number that somebody outside could dial.
const DIGITS_MIN: usize = 4;

/// `[portal] help_desk`, as in "Service desk, 0800 1234". Its `Display` is HTML.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HelpDesk(Arc<str>);

impl HelpDesk {
    /// Of the line as it stands in the policy.
    #[must_use]
    pub fn new(line: Arc<str>) -> Self {
        Self(line)
    }

    /// The line itself, for texts that hold it.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.0
    }

    /// Before the number, the number, and after it.
    fn parts(&self) -> Option<(&str, &str, &str)> {
        let text: &str = &self.0;
        let runs = text.split(|mark: char| !is_of_a_number(mark));
        let number = runs.map(trimmed).filter(|run| digits(run) >= DIGITS_MIN).max_by_key(|run| digits(run))?;
        let at = text.find(number)?;
        Some((text.get(..at)?, number, text.get(at + number.len()..)?))
    }
}

fn is_of_a_number(mark: char) -> bool {
    mark.is_ascii_digit() || matches!(mark, '+' | '(' | ')' | '-' | '/' | '.' | ' ' | '\u{a0}' | '\u{2011}')
}

fn digits(run: &str) -> usize {
    run.chars().filter(char::is_ascii_digit).count()
}

/// From its first digit, with a plus or bracket before that, to its last; what stands in brackets after it is no part of it.
fn trimmed(run: &str) -> &str {
    let aside = |(at, _): &(usize, &str)| run.get(..*at).is_some_and(|before| digits(before) >= DIGITS_MIN);
    let run = run.match_indices(" (").find(aside).and_then(|(at, _)| run.get(..at)).unwrap_or(run);
    let run = run.trim_end_matches(|mark: char| !mark.is_ascii_digit());
    run.trim_start_matches(|mark: char| !(mark.is_ascii_digit() || matches!(mark, '+' | '(')))
}

/// RFC 3966: digits with a plus before them; "(0)" is what people abroad leave out.
fn dialled(number: &str) -> String {
    let number = if number.starts_with('+') { number.replace("(0)", "") } else { number.to_owned() };
    number.chars().filter(|mark| mark.is_ascii_digit() || *mark == '+').collect()
}

impl Display for HelpDesk {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Some((before, number, after)) = self.parts() else { return escaped(f, &self.0) };
        escaped(f, before)?;
        write!(f, "<a href=\"tel:{}\">", dialled(number))?;
        escaped(f, number)?;
        f.write_str("</a>")?;
        escaped(f, after)
    }
}

/// It escapes what it shows by itself.
impl askama::filters::HtmlSafe for HelpDesk {}

fn escaped(f: &mut Formatter<'_>, text: &str) -> fmt::Result {
    text.chars().try_for_each(|mark| match mark {
        '&' | '<' | '>' | '"' | '\'' => write!(f, "&#{};", u32::from(mark)),
        other => f.write_char(other),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(line: &str) -> String {
        HelpDesk::new(line.into()).to_string()
    }

    #[test]
    fn the_number_in_the_line_is_a_link_that_a_phone_calls() {
        assert_eq!(shown("Service desk, 0800 1234"), "Service desk, <a href=\"tel:08001234\">0800 1234</a>");
        assert_eq!(
            shown("IT: +49 (0)30 / 123-456 (8-17)"),
            "IT: <a href=\"tel:+4930123456\">+49 (0)30 / 123-456</a> (8-17)"
        );
        assert_eq!(shown("(030) 12 34, room 7"), "<a href=\"tel:0301234\">(030) 12 34</a>, room 7");
    }

    #[test]
    fn a_line_without_a_number_has_no_link_and_nothing_in_it_is_markup() {
        assert_eq!(shown("Ask in room 12"), "Ask in room 12");
        assert_eq!(
            shown("<b>desk</b> & co, 0800 1"),
            "&#60;b&#62;desk&#60;/b&#62; &#38; co, <a href=\"tel:08001\">0800 1</a>"
        );
    }
}
