//! One record as one line.
//!
//! Whatever a record holds, its line is one line and prints as text: JSON may escape any character, so characters that could
//! break a line or steer a terminal are escaped here once more, and no reader sees a different value.

use std::fmt::Write;

use crate::store::StoredRecord;

/// Appends a record to `out`: `{"seq":12,` and the store's object, then one newline.
pub(super) fn write(record: &StoredRecord, out: &mut String) {
    // Writing to a String can't fail.
    let _ = write!(out, "{{\"seq\":{}", record.seq);
    let fields = record.json.trim().strip_prefix('{').unwrap_or("}").trim_start();
    if !fields.starts_with('}') {
        out.push(',');
    }
    fields.chars().for_each(|c| push(c, out));
    out.push('\n');
}

/// Inside a JSON string an ASCII control character can't stand raw, so one that is here stands between tokens and is as good
/// as a space (RFC 8259 §2, §7). Other invisible characters can only stand inside a string, where an escape is the same.
fn push(c: char, out: &mut String) {
    match c {
        '\0'..='\u{1f}' => out.push(' '),
        '\u{7f}'..='\u{9f}' | '\u{2028}' | '\u{2029}' => {
            let _ = write!(out, "\\u{:04x}", u32::from(c));
        }
        _ => out.push(c),
    }
}

#[cfg(test)]
mod tests {
    use login::LoginId;

    use super::*;

    fn line(json: &str) -> String {
        let mut out = String::new();
        write(&StoredRecord { seq: 12, login: LoginId(7), json: json.to_owned() }, &mut out);
        out
    }

    #[test]
    fn the_sequence_number_stands_before_the_record() {
        assert_eq!(line(r#"{"login":"07","user":"alice"}"#), "{\"seq\":12,\"login\":\"07\",\"user\":\"alice\"}\n");
        assert_eq!(line("{}"), "{\"seq\":12}\n");
    }

    #[test]
    fn nothing_in_a_record_breaks_its_line_or_steers_a_terminal() {
        let hostile = "{\n\"user\":\"a\\r\\n{\\\"seq\\\":13}\u{2028}\u{85}\u{7f}\u{9b}2J\"\r}";
        let line = line(hostile);
        assert_eq!(line.matches('\n').count(), 1);
        assert!(line.trim_end().chars().all(|c| !c.is_control() && c != '\u{2028}'));
        let value: serde_json::Value = serde_json::from_str(&line).unwrap();
        assert_eq!(value["user"], "a\r\n{\"seq\":13}\u{2028}\u{85}\u{7f}\u{9b}2J");
    }
}
