//! What people write instead of TOML, told in our words with the mend, where a parser speaks of tokens it expected.
//!
//! Looked at is one line that the parser stumbled over. Nothing of what stands in it is repeated but keys and plain values of the
//! masked text, so no secret is shown (rules F1). What nobody recognises keeps the parser's words.

/// A slip in a line: where, what it is, and what to write.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Slip {
    /// Octets of the line.
    pub(super) span: std::ops::Range<usize>,
    pub(super) message: &'static str,
    pub(super) label: &'static str,
    pub(super) help: String,
}

/// The slip that a line with a syntax error most likely holds.
pub(super) fn slip(line: &str) -> Option<Slip> {
    let line = line.trim_end();
    // The parser's trouble began elsewhere.
    if toml::from_str::<toml::Table>(line).is_ok() {
        return None;
    }
    odd_character(line)
        .or_else(|| backslash(line))
        .or_else(|| foreign_comment(line))
        .or_else(|| header(line))
        .or_else(|| unclosed(line))
        .or_else(|| no_equals(line))
        .or_else(|| bare_value(line))
        .or_else(|| no_comma(line))
}

/// Characters outside of straight quotes and before a comment, each with its place.
fn outside(line: &str) -> impl Iterator<Item = (usize, char)> + '_ {
    let (mut quote, mut escaped, mut over) = (None, false, false);
    line.char_indices().filter(move |(_, c)| {
        if over {
            return false;
        }
        match quote {
            Some('"') if escaped => {
                escaped = false;
                false
            }
            Some('"') if *c == '\\' => {
                escaped = true;
                false
            }
            Some(open) => {
                if *c == open {
                    quote = None;
                }
                false
            }
            None if matches!(c, '"' | '\'') => {
                quote = Some(*c);
                false
            }
            None => {
                over = *c == '#';
                !over
            }
        }
    })
}

fn odd_character(line: &str) -> Option<Slip> {
    const QUOTES: &str = "“”„‟«»‹›‘’‚‛`´";
    let found = |set: fn(char) -> bool| outside(line).find(|(_, c)| set(*c)).map(|(at, c)| at..at + c.len_utf8());
    if let Some(span) = found(|c| QUOTES.contains(c)) {
        return Some(Slip {
            span,
            message: "these are not the quotes of a policy file",
            label: "a typographic quote, as word processors make it",
            help: "write straight ones: \"text\"".to_owned(),
        });
    }
    let blank = found(|c| c != ' ' && c.is_whitespace() && c != '\t' && !c.is_control())
        .or_else(|| found(|c| matches!(c, '\u{200b}'..='\u{200f}' | '\u{2060}' | '\u{feff}' | '\u{ad}')))?;
    Some(Slip {
        span: blank,
        message: "a character stands here that looks like a blank or like nothing",
        label: "pasted from a page, perhaps",
        help: "delete it, and type a plain blank where one is meant".to_owned(),
    })
}

fn backslash(line: &str) -> Option<Slip> {
    let mut inside: Option<(char, usize)> = None;
    let mut characters = line.char_indices().peekable();
    while let Some((at, c)) = characters.next() {
        match inside {
            None if matches!(c, '"' | '\'') => inside = Some((c, at)),
            None if c == '#' => return None,
            Some((open, _)) if c == open => inside = None,
            Some(('"', _)) if c == '\\' => match characters.next() {
                Some((_, next)) if "btnfre\"\\uUx".contains(next) => {}
                next => {
                    let end = next.map_or(line.len(), |(at, c)| at + c.len_utf8());
                    return Some(Slip {
                        span: at..end,
                        message: "a backslash begins an escape in double quotes",
                        label: "there is no such escape",
                        help: "write the text in single quotes, where a backslash is itself, as in 'EXAMPLE\\alice'; or write it twice"
                            .to_owned(),
                    });
                }
            },
            None | Some(_) => {}
        }
    }
    None
}

fn foreign_comment(line: &str) -> Option<Slip> {
    let (at, mark) = [";", "//", "--", "/*"].into_iter().find_map(|mark| {
        let stands = line.trim_start().starts_with(mark);
        let after = outside(line).find(|(at, _)| line.get(*at..).is_some_and(|rest| rest.starts_with(mark)));
        let closes = |at: usize| line.get(..at).is_some_and(|before| before.trim_end().ends_with(['"', '\'', ']']));
        after.filter(|(at, _)| stands || closes(*at) && mark != "--").map(|(at, _)| (at, mark))
    })?;
    Some(Slip {
        span: at..at + mark.len(),
        message: "a comment begins with #",
        label: "not a comment here",
        help: if mark == ";" { "write #, or take the semicolon out" } else { "write #" }.to_owned(),
    })
}

fn header(line: &str) -> Option<Slip> {
    let text = line.trim_start();
    let begins = line.len() - text.len();
    // A line that begins an array's element holds a quote or a digit after the bracket, not a name.
    let name = text.trim_start_matches('[');
    let depth = text.len() - name.len();
    if !(1..=2).contains(&depth) || !name.starts_with(|c: char| c.is_ascii_alphabetic()) || name.contains(['=', ',']) {
        return None;
    }
    let written = name.split(['#', ']']).next().unwrap_or_default().trim();
    let closes =
        name.get(written.len()..).map_or(0, |rest| rest.trim_start().bytes().take_while(|c| *c == b']').count());
    let span = begins..line.len();
    if closes != depth {
        let (open, close) = ("[".repeat(depth), "]".repeat(depth));
        let help = format!("write {open}{written}{close}");
        return Some(Slip { span, message: "a section's name stands in brackets", label: "they don't match", help });
    }
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_.\"'".contains(c);
    (!written.chars().all(is_plain)).then(|| Slip {
        span,
        message: "this can't be a section's name",
        label: "only letters, digits, - and _, with dots between parts",
        help: "a name is as in [client.hq-asa]".to_owned(),
    })
}

/// The place of the `=` between key and value.
fn equals(line: &str) -> Option<usize> {
    outside(line).find(|(_, c)| *c == '=').map(|(at, _)| at)
}

fn unclosed(line: &str) -> Option<Slip> {
    let value = line.get(equals(line)? + 1..)?;
    let begins = line.len() - value.trim_start().len();
    let text = value.trim();
    let open = text.chars().next().filter(|c| matches!(c, '"' | '\''))?;
    if text.starts_with("\"\"\"") || text.starts_with("'''") {
        return None;
    }
    let rest = text.get(1..)?.replace("\\\"", "");
    (!rest.contains(open)).then(|| Slip {
        span: begins..line.len(),
        message: "a quote is missing",
        label: "this text never ends",
        help: format!("close it with {open} on the same line"),
    })
}

fn is_key(word: &str) -> bool {
    let parts = word.split('.');
    !word.is_empty()
        && parts.into_iter().all(|part| {
            part.starts_with(|c: char| c.is_ascii_alphabetic())
                && part.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'))
        })
}

fn no_equals(line: &str) -> Option<Slip> {
    if equals(line).is_some() {
        return None;
    }
    let text = line.trim_start();
    let begins = line.len() - text.len();
    let end = text.find([' ', '\t', ':', '"', '\'', '[']).unwrap_or(text.len());
    let (key, rest) = text.split_at(end);
    let colon = rest.trim_start().starts_with(':');
    let value = rest.trim_start_matches([' ', '\t', ':']);
    if !is_key(key) || value.starts_with('#') || key.ends_with(',') {
        return None;
    }
    let (label, help) = match (value.is_empty(), colon) {
        (true, false) => ("a key without a value", format!("write {key} = VALUE, or take the line out")),
        (_, true) => ("a colon stands there", format!("write {key} = VALUE")),
        (false, false) => ("between key and value", format!("write {key} = VALUE")),
    };
    Some(Slip { span: begins..begins + key.len(), message: "a `=` is missing", label, help })
}

fn bare_value(line: &str) -> Option<Slip> {
    let at = equals(line)?;
    let value = line.get(at + 1..)?;
    let begins = at + 1 + (value.len() - value.trim_start().len());
    let text = value.split('#').next().unwrap_or_default().trim();
    let span = begins..begins + text.len();
    let hidden = !text.is_empty() && text.bytes().all(|octet| octet == b'*');
    let slip = |message, label, help| Some(Slip { span: span.clone(), message, label, help });
    if text.is_empty() {
        return slip("a value is missing", "nothing follows", "write it behind the =, text in quotes".to_owned());
    }
    if hidden || text.starts_with(['"', '\'', '[', '{']) {
        return None;
    }
    if matches!(text.to_ascii_lowercase().as_str(), "yes" | "on" | "true") {
        return slip("true or false is written so, in small letters", "another word", "write true".to_owned());
    }
    if matches!(text.to_ascii_lowercase().as_str(), "no" | "off" | "false") {
        return slip(
            "true or false is written so, in small letters",
            "another word",
            "write false; or \"no\" in quotes, where the key takes a word".to_owned(),
        );
    }
    let digits = |text: &str| text.bytes().filter(u8::is_ascii_digit).count();
    let is_date =
        text.split(['.', '-', '/']).count() == 3 && text.chars().all(|c| c.is_ascii_digit() || ".-/".contains(c));
    if is_date && (5..=8).contains(&digits(text)) && !is_address(text) {
        let help = "year, month and day with two digits each, without quotes: 2027-01-01".to_owned();
        return slip("a day is written another way", "not a day of the calendar, or not in this order", help);
    }
    if text.chars().any(|c| c.is_control() || matches!(c, '"' | '\'' | '=')) {
        return None;
    }
    let help = if text.contains(',') && text.split(',').all(|part| !part.trim().is_empty()) {
        let parts: Vec<String> = text.split(',').map(|part| format!("\"{}\"", part.trim())).collect();
        format!("write [{}]", parts.join(", "))
    } else if text.contains('\\') {
        format!("write '{text}', in single quotes for the backslash")
    } else {
        format!("write \"{text}\"")
    };
    slip("text stands in quotes", "without quotes", help)
}

fn is_address(text: &str) -> bool {
    text.split('.').count() == 4 && text.parse::<std::net::IpAddr>().is_ok()
}

/// Two texts in one list or behind one key with nothing between them.
fn no_comma(line: &str) -> Option<Slip> {
    let mut quoted: Option<char> = None;
    let (mut ended, mut in_list) = (None, false);
    for (at, c) in line.char_indices() {
        match quoted {
            Some(open) if c == open => {
                quoted = None;
                ended = Some(at + 1);
            }
            Some(_) => {}
            None if matches!(c, '"' | '\'') => {
                if let Some(begins) = ended {
                    let help = if in_list {
                        "write [\"one\", \"two\"]"
                    } else {
                        "one text for one key; several stand in a list: [\"one\", \"two\"]"
                    };
                    return Some(Slip {
                        span: begins..at + 1,
                        message: "between two texts stands a comma",
                        label: "none here",
                        help: help.to_owned(),
                    });
                }
                quoted = Some(c);
            }
            None if c == '#' => return None,
            None if c == '[' => in_list = true,
            None if c == ',' || c == '=' => ended = None,
            None => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_slip_has_its_own_words_and_its_mend() {
        for (line, message, mend) in [
            ("address = “192.0.2.10”", "not the quotes", "straight"),
            ("name = 'VPN’", "quote is missing", "close it with '"),
            ("address\u{a0}= \"192.0.2.10\"", "looks like a blank", "delete it"),
            (r#"user = "EXAMPLE\alice""#, "backslash begins an escape", "single quotes"),
            (r#"certificate = "C:\portal.pem""#, "backslash begins an escape", "single quotes"),
            ("// the appliance", "comment begins with #", "write #"),
            ("; the appliance", "comment begins with #", "semicolon"),
            ("address = \"192.0.2.10\";", "comment begins with #", "semicolon"),
            ("[client.vpn", "in brackets", "write [client.vpn]"),
            ("[[rule]", "in brackets", "write [[rule]]"),
            ("[client.my vpn]", "can't be a section's name", "[client.hq-asa]"),
            ("address = \"192.0.2.10", "quote is missing", "close it with \""),
            ("address \"192.0.2.10\"", "`=` is missing", "address = VALUE"),
            ("address: \"192.0.2.10\"", "`=` is missing", "address = VALUE"),
            ("challenge", "`=` is missing", "challenge = VALUE"),
            ("challenge =", "value is missing", "in quotes"),
            ("challenge = yes", "true or false", "write true"),
            ("challenge = True", "true or false", "write true"),
            ("allow_admin = no", "true or false", "write false"),
            ("address = 192.0.2.10", "in quotes", "write \"192.0.2.10\""),
            ("gives_up_after = 30s", "in quotes", "write \"30s\""),
            ("second_factor = push, totp", "in quotes", "write [\"push\", \"totp\"]"),
            (r"user = EXAMPLE\alice", "in quotes", r"write 'EXAMPLE\alice'"),
            ("append = ,", "in quotes", "write \",\""),
            ("until = 31.12.2027", "a day is written another way", "2027-01-01"),
            ("until = 2027-1-1", "a day is written another way", "2027-01-01"),
            ("second_factor = [\"push\" \"totp\"]", "stands a comma", "[\"one\", \"two\"]"),
        ] {
            let slip = slip(line).unwrap_or_else(|| panic!("nothing is said of {line}"));
            assert!(slip.message.contains(message), "{line}: {}", slip.message);
            assert!(slip.help.contains(mend), "{line}: {}", slip.help);
            assert!(line.get(slip.span.clone()).is_some(), "{line}: {:?}", slip.span);
        }
    }

    #[test]
    fn a_line_that_is_in_order_has_no_slip() {
        for line in [
            "address = \"192.0.2.10\"   # “the” appliance; really",
            "name = \"He said “no” -- // ; 'ok'\"",
            "[client.hq-asa]",
            "[[rule]]   # first",
            "until = 2027-01-01",
            "second_factor = [\"push\", \"totp\"]",
            "user = 'EXAMPLE\\alice'",
            "\"10.0.0.5\",",
            "tls = { certificate = \"a\", key = \"b\" }",
            "challenge = false",
            "",
        ] {
            assert_eq!(slip(line), None, "{line}");
        }
    }

    #[test]
    fn a_value_that_is_masked_is_not_repeated() {
        assert_eq!(slip("password = *******").map(|slip| slip.help), None);
    }
}
