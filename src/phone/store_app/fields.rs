//! The named fields of a request, from a form, a query or a JSON object: bounded, each name once, all of it UTF-8.
//!
//! Strict where leniency could let two readers see two requests: a name that comes twice is refused, and so is an escape that
//! is none. Values are text; a JSON number or list is taken as its text, as the apps mean it.

use std::collections::BTreeMap;

use serde_json::Value;

use super::request::Malformed;
use super::{BODY_OCTETS_MAX, QUERY_OCTETS_MAX};

/// More than any request of the apps has.
const FIELDS_MAX: usize = 16;

/// The fields of one request.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Fields(BTreeMap<String, String>);

impl std::fmt::Debug for Fields {
    /// Names only: a credential or a signature is nobody's to read in a log (rules F1).
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

impl Fields {
    /// Reads the query of a GET.
    ///
    /// # Errors
    /// [`Malformed`] says what is wrong with it.
    pub fn of_query(query: &str) -> Result<Self, Malformed> {
        if query.len() > QUERY_OCTETS_MAX {
            return Err(Malformed::TooLarge);
        }
        Self::of_pairs(query.as_bytes())
    }

    /// Reads the body of a POST: JSON if the content type says so, else a form (HTML's `application/x-www-form-urlencoded`).
    ///
    /// # Errors
    /// [`Malformed`] says what is wrong with it.
    pub fn of_body(content_type: Option<&str>, body: &[u8]) -> Result<Self, Malformed> {
        if body.len() > BODY_OCTETS_MAX {
            return Err(Malformed::TooLarge);
        }
        let essence = content_type.unwrap_or_default().split(';').next().unwrap_or_default().trim();
        if essence.eq_ignore_ascii_case("application/json") { Self::of_json(body) } else { Self::of_pairs(body) }
    }

    /// The field of this name.
    #[must_use]
    pub fn text(&self, name: &'static str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// The field of this name, which the request can't do without.
    ///
    /// # Errors
    /// [`Malformed::Missing`].
    pub fn needed(&self, name: &'static str) -> Result<&str, Malformed> {
        self.text(name).filter(|value| !value.is_empty()).ok_or(Malformed::Missing(name))
    }

    /// Whether there is such a field.
    #[must_use]
    pub fn has(&self, name: &'static str) -> bool {
        self.0.contains_key(name)
    }

    fn of_pairs(octets: &[u8]) -> Result<Self, Malformed> {
        let mut fields = Self::default();
        for pair in octets.split(|octet| *octet == b'&').filter(|pair| !pair.is_empty()) {
            let at = pair.iter().position(|octet| *octet == b'=').unwrap_or(pair.len());
            let (name, value) = pair.split_at(at);
            fields.put(decoded(name)?, decoded(value.strip_prefix(b"=").unwrap_or_default())?)?;
        }
        Ok(fields)
    }

    fn of_json(octets: &[u8]) -> Result<Self, Malformed> {
        let Value::Object(members) = serde_json::from_slice(octets).map_err(|_| Malformed::Json)? else {
            return Err(Malformed::Json);
        };
        let mut fields = Self::default();
        for (name, value) in members {
            match value {
                Value::Null => {}
                Value::String(text) => fields.put(name, text)?,
                Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => {
                    fields.put(name, value.to_string())?;
                }
            }
        }
        Ok(fields)
    }

    fn put(&mut self, name: String, value: String) -> Result<(), Malformed> {
        if self.0.len() >= FIELDS_MAX || self.0.insert(name, value).is_some() {
            return Err(Malformed::Fields);
        }
        Ok(())
    }
}

/// `+` is a space and `%hh` an octet, as forms have it.
fn decoded(octets: &[u8]) -> Result<String, Malformed> {
    let mut out = Vec::with_capacity(octets.len());
    let mut rest = octets;
    loop {
        rest = match rest {
            [] => break,
            [b'%', high, low, rest @ ..] => {
                let digit = |octet: &u8| char::from(*octet).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
                let (Some(high), Some(low)) = (digit(high), digit(low)) else { return Err(Malformed::Form) };
                out.push(high << 4 | low);
                rest
            }
            [b'%', ..] => return Err(Malformed::Form),
            [b'+', rest @ ..] => {
                out.push(b' ');
                rest
            }
            [octet, rest @ ..] => {
                out.push(*octet);
                rest
            }
        };
    }
    String::from_utf8(out).map_err(|_| Malformed::Form)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_and_a_query_are_read_alike() {
        let fields = Fields::of_query("a=1%2B1&b=x+y&c&d=%C3%BC&&e=a=b").unwrap();
        let get = |name| fields.text(name);
        assert_eq!((get("a"), get("b"), get("c")), (Some("1+1"), Some("x y"), Some("")));
        assert_eq!((get("d"), get("e"), get("f")), (Some("\u{fc}"), Some("a=b"), None));
        assert_eq!(fields.needed("c"), Err(Malformed::Missing("c")));
        assert_eq!(Fields::of_body(None, b"a=1").unwrap(), Fields::of_query("a=1").unwrap());
    }

    #[test]
    fn what_two_readers_could_read_in_two_ways_is_refused() {
        for wrong in ["a=1&a=2", "a=%", "a=%4", "a=%zz", "a=%+1", "a=%ff"] {
            assert!(Fields::of_query(wrong).is_err(), "{wrong}");
        }
        let many: Vec<String> = (0..=FIELDS_MAX).map(|number| format!("f{number}=1")).collect();
        assert_eq!(Fields::of_query(&many.join("&")), Err(Malformed::Fields));
    }

    #[test]
    fn json_is_an_object_of_text_numbers_and_lists() {
        let json = Some("application/json; charset=utf-8");
        let fields = Fields::of_body(json, br#"{"decline":0,"a":"x","n":null,"c":["decline_reason"]}"#).unwrap();
        assert_eq!(fields.text("decline"), Some("0"));
        assert_eq!(fields.text("c"), Some("[\"decline_reason\"]"));
        assert!(!fields.has("n"));
        for wrong in [&b"[]"[..], b"", b"{", b"\"a\"", b"{\"a\":\xff}"] {
            assert_eq!(Fields::of_body(json, wrong), Err(Malformed::Json));
        }
    }

    #[test]
    fn a_giant_body_is_refused_before_it_is_read() {
        assert_eq!(Fields::of_body(None, &vec![b'a'; BODY_OCTETS_MAX + 1]), Err(Malformed::TooLarge));
        let deep = "[".repeat(BODY_OCTETS_MAX);
        assert_eq!(Fields::of_body(Some("application/json"), deep.as_bytes()), Err(Malformed::Json));
        assert_eq!(Fields::of_query(&"a".repeat(QUERY_OCTETS_MAX + 1)), Err(Malformed::TooLarge));
    }
}
