//! JSON in the one form that two parties hash and sign alike: RFC 8785, for what we exchange.
//!
//! Objects, arrays, text, booleans, null and whole numbers that every JSON reader holds exactly. A fraction has none here:
//! nothing that we sign contains one, and refusing it is better than printing it in a second way. Never panics.

use std::fmt::Write as _;

use serde_json::{Map, Value};

/// The greatest whole number that a JSON reader may be trusted with (RFC 8785 §3.2.2.3, by way of ECMAScript's numbers).
const WHOLE_MAX: u64 = (1 << 53) - 1;

/// A value that has no form which both sides would surely write alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a number that is no whole number below 2^53 can't be signed; send it as text")]
pub struct NotCanonical;

/// The canonical text (RFC 8785 §3.2).
///
/// # Errors
/// [`NotCanonical`]: a number with a fraction or beyond 2^53 is in it.
pub fn canonical(value: &Value) -> Result<String, NotCanonical> {
    let mut out = String::new();
    write_value(value, &mut out)?;
    Ok(out)
}

fn write_value(value: &Value, out: &mut String) -> Result<(), NotCanonical> {
    match value {
        Value::Null => out.push_str("null"),
        Value::Bool(yes) => out.push_str(if *yes { "true" } else { "false" }),
        Value::Number(number) => {
            let whole = number.as_i64().filter(|whole| whole.unsigned_abs() <= WHOLE_MAX).ok_or(NotCanonical)?;
            let _ = write!(out, "{whole}");
        }
        Value::String(text) => write_text(text, out),
        Value::Array(items) => write_array(items, out)?,
        Value::Object(members) => write_object(members, out)?,
    }
    Ok(())
}

fn write_array(items: &[Value], out: &mut String) -> Result<(), NotCanonical> {
    out.push('[');
    for (index, item) in items.iter().enumerate() {
        if index > 0 {
            out.push(',');
        }
        write_value(item, out)?;
    }
    out.push(']');
    Ok(())
}

fn write_object(members: &Map<String, Value>, out: &mut String) -> Result<(), NotCanonical> {
    let mut sorted: Vec<_> = members.iter().collect();
    // RFC 8785 §3.2.3: sorted by UTF-16 code units, which differs from the order of code points above U+FFFF.
    sorted.sort_by(|(a, _), (b, _)| a.encode_utf16().cmp(b.encode_utf16()));
    out.push('{');
    for (index, (name, value)) in sorted.into_iter().enumerate() {
        if index > 0 {
            out.push(',');
        }
        write_text(name, out);
        out.push(':');
        write_value(value, out)?;
    }
    out.push('}');
    Ok(())
}

/// RFC 8785 §3.2.2.2: two characters and the control characters are escaped, everything else stands as it is.
fn write_text(text: &str, out: &mut String) {
    out.push('"');
    for character in text.chars() {
        match character {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\u{8}' => out.push_str("\\b"),
            '\t' => out.push_str("\\t"),
            '\n' => out.push_str("\\n"),
            '\u{c}' => out.push_str("\\f"),
            '\r' => out.push_str("\\r"),
            control if control < ' ' => {
                let _ = write!(out, "\\u{:04x}", u32::from(control));
            }
            other => out.push(other),
        }
    }
    out.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(json: &str) -> Result<String, NotCanonical> {
        canonical(&serde_json::from_str(json).unwrap())
    }

    #[test]
    fn members_are_sorted_as_rfc_8785_sorts_them() {
        // RFC 8785 §3.2.3, its own example without the surrogate that JSON text can't hold alone.
        let given = "{\"\\u20ac\":\"Euro Sign\",\"\\r\":\"Carriage Return\",\"\\ufb33\":\"Hebrew Letter Dalet With Dagesh\",\
                     \"1\":\"One\",\"\\ud83d\\ude00\":\"Emoji: Grinning Face\",\"\\u0080\":\"Control\",\
                     \"\\u00f6\":\"Latin Small Letter O With Diaeresis\"}";
        let order = ["Carriage", "One", "Control", "Latin", "Euro", "Emoji", "Hebrew"];
        let text = of(given).unwrap();
        let places: Vec<_> = order.iter().map(|word| text.find(word).unwrap()).collect();
        assert!(places.is_sorted(), "{text}");
    }

    #[test]
    fn text_is_escaped_as_little_as_can_be() {
        // RFC 8785 §3.2.2.2.
        assert_eq!(
            of("\"\\u20ac$\\u000F\\u000aA'\\u0042\\u0022\\u005c\\\\\\\"\\/\"").unwrap(),
            "\"\u{20ac}$\\u000f\\nA'B\\\"\\\\\\\\\\\"/\""
        );
    }

    #[test]
    fn what_two_sides_could_write_in_two_ways_is_refused() {
        assert_eq!(of("[1,true,null,-5,[],{}]").unwrap(), "[1,true,null,-5,[],{}]");
        for number in ["1.5", "1e30", "9007199254740992", "-9007199254740992"] {
            assert_eq!(of(number), Err(NotCanonical), "{number}");
        }
    }
}
