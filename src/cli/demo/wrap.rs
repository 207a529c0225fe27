//! Lines that end between words, however wide the terminal is.

/// As wide as a terminal that does not say.
const USUAL_COLUMNS: usize = 80;
/// Longer lines are hard to read.
const COLUMNS_MAX: usize = 120;
/// Below that a line has no room for words.
const COLUMNS_MIN: usize = 40;

/// Columns of the terminal that standard output is.
pub(super) fn columns() -> usize {
    let told = rustix::termios::tcgetwinsize(std::io::stdout()).map_or(0, |size| usize::from(size.ws_col));
    if told == 0 { USUAL_COLUMNS } else { told.clamp(COLUMNS_MIN, COLUMNS_MAX) }
}

/// The text in lines of so many columns at most; each but the first begins with `indent` blanks, for which there is room left in
/// all of them. A word that is longer than a line stands whole in one of its own.
pub(super) fn wrapped(text: &str, columns: usize, indent: usize) -> String {
    joined(text, columns.saturating_sub(indent), &format!("\n{}", " ".repeat(indent)))
}

/// A line for a shell in several, which the shell reads as one: a backslash ends each but the last.
pub(super) fn wrapped_command(line: &str, columns: usize, indent: usize) -> String {
    joined(line, columns.saturating_sub(indent + " \\".len()), &format!(" \\\n{}", " ".repeat(indent)))
}

fn joined(text: &str, room: usize, between: &str) -> String {
    let (mut lines, mut line) = (Vec::new(), String::new());
    for word in text.split(' ') {
        if !line.is_empty() && line.chars().count() + 1 + word.chars().count() > room {
            lines.push(std::mem::take(&mut line));
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    lines.push(line);
    lines.join(between)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_ends_between_words_and_goes_on_under_its_beginning() {
        assert_eq!(
            wrapped("the login is held until she approves", 20, 4),
            "the login is\n    held until she\n    approves"
        );
    }

    #[test]
    fn a_word_that_is_longer_than_a_line_stays_whole() {
        assert_eq!(
            wrapped("at http://127.0.0.1:40000/0123456789/ now", 20, 2),
            "at\n  http://127.0.0.1:40000/0123456789/\n  now"
        );
    }

    #[test]
    fn a_shell_reads_a_wrapped_command_as_one_line() {
        let line = "echo \"a='$(printf x),$(printf y)'\" one two three four";
        let wrapped = wrapped_command(line, 30, 6);
        assert!(wrapped.lines().count() > 2 && wrapped.lines().all(|line| line.chars().count() <= 30), "{wrapped}");
        let said = |line: &str| std::process::Command::new("sh").args(["-c", line]).output().unwrap().stdout;
        assert_eq!(said(line), said(&wrapped));
        assert_eq!(said(&wrapped), b"a='x,y' one two three four\n");
    }
}
