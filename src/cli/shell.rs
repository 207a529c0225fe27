//! Commands that a person is to type next: of the same site as the one that they typed, in the shell's own spelling.
//!
//! Guarantees: what is shown can be pasted, whatever a name or a path holds. Never: runs anything.

use std::borrow::Cow;
use std::path::Path;

/// Where the policy file is if nobody says.
pub(super) const USUAL_CONFIG: &str = "/etc/vestibule/vestibule.toml";

/// This program for the site of this policy file.
pub(super) fn program(config: &Path) -> String {
    if config == Path::new(USUAL_CONFIG) {
        return "vestibule".to_owned();
    }
    let path = config.display().to_string();
    // A path that begins with a dash would be taken for an option.
    let path = if path.starts_with('-') { format!("./{path}") } else { path };
    format!("vestibule -c {}", word(&path))
}

/// One word of a command line.
pub(super) fn word(text: &str) -> Cow<'_, str> {
    let is_plain = |c: char| c.is_alphanumeric() || "_@%+=:,./-".contains(c);
    if !text.is_empty() && text.chars().all(is_plain) {
        Cow::Borrowed(text)
    } else {
        Cow::Owned(format!("'{}'", text.replace('\'', r"'\''")))
    }
}

/// A name as an argument; nothing but arguments may come after it.
pub(super) fn operand(name: &str) -> String {
    let dashes = if name.starts_with('-') { "-- " } else { "" };
    format!("{dashes}{}", word(name))
}

/// A text of another room, which knows no policy file, for this site: each command in it names the file. Lines of somebody's
/// own file, as findings draw them, stay as they are.
pub(super) fn addressed<'a>(text: &'a str, program: &str) -> Cow<'a, str> {
    const COMMAND: &str = "`vestibule ";
    if program == "vestibule" || !text.contains(COMMAND) {
        return Cow::Borrowed(text);
    }
    let named = format!("`{program} ");
    let lines = text.split_inclusive('\n').map(|line| match is_drawn(line) {
        true => line.to_owned(),
        false => line.replace(COMMAND, &named),
    });
    Cow::Owned(lines.collect())
}

/// `12 | text of the file`.
fn is_drawn(line: &str) -> bool {
    let number = line.split_once(" |").map(|(before, _)| before.trim());
    number.is_some_and(|number| !number.is_empty() && number.bytes().all(|octet| octet.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    #[test]
    fn what_is_quoted_reaches_the_program_as_it_was() {
        for text in
            ["alice", "o'brien", "a b", "$(reboot)", "`id`", "x;y", "*", "", "jürgen", "-x", "a\\b", "\"q\"", "~"]
        {
            let script = format!("printf %s -- {}", word(text)).replace("%s --", "%s");
            let said = Command::new("sh").args(["-c", &script]).output().unwrap().stdout;
            assert_eq!(String::from_utf8(said).unwrap(), text);
        }
    }

    #[test]
    fn a_name_with_a_dash_is_no_option() {
        assert_eq!(operand("alice"), "alice");
        assert_eq!(operand("-rf"), "-- -rf");
        assert_eq!(program(Path::new("-x.toml")), "vestibule -c ./-x.toml");
    }

    #[test]
    fn a_command_keeps_the_file_that_was_given_and_a_drawn_line_is_not_changed() {
        let site = program(Path::new("my site/v.toml"));
        assert_eq!(site, "vestibule -c 'my site/v.toml'");
        let text = "there is no user; `vestibule user list` shows all\n7 | # `vestibule check`\n";
        let told = addressed(text, &site);
        assert_eq!(
            told,
            "there is no user; `vestibule -c 'my site/v.toml' user list` shows all\n7 | # `vestibule check`\n"
        );
        assert_eq!(addressed(text, &program(Path::new(USUAL_CONFIG))), text);
    }
}
