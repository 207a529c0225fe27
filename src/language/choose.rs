//! Which language a browser asks for: `Accept-Language` by RFC 9110 §12.5.4, with its weights, matched by RFC 4647 §3.4.
//!
//! Bounded: it looks at no more octets and ranges than its limits say, and passes over what it can't read.

use super::Language;

/// Octets of the header that are looked at.
const HEADER_OCTETS_MAX: usize = 1024;
/// Language ranges that are looked at.
const RANGES_MAX: usize = 32;

/// A weight in thousandths: `q=0.8` is 800.
type Weight = u16;

/// The language of ours that weighs most; of equals, the one that is named first. `None` where none of ours is asked for.
pub(super) fn best(accept_language: &str) -> Option<Language> {
    let ranges = ranges(accept_language);
    let weights = Language::ALL.into_iter().rev().map(|language| (language, weight_of(language, &ranges)));
    // By weight, then by the place in the header, then (where `*` speaks for several) as `ALL` has them.
    weights
        .filter_map(|(language, found)| found.map(|(weight, place)| (language, weight, place)))
        .filter(|(_, weight, _)| *weight > 0) // RFC 9110 §12.4.2: "a value of 0 means 'not acceptable'"
        .max_by_key(|(_, weight, place)| (*weight, std::cmp::Reverse(*place)))
        .map(|(language, _, _)| language)
}

/// The weight and the place of the first range that fits, or of `*` where none names the language.
fn weight_of(language: Language, ranges: &[(&str, Weight)]) -> Option<(Weight, usize)> {
    let found = |fits: &dyn Fn(&str) -> bool| {
        let matching = ranges.iter().enumerate().filter(|(_, (tag, _))| fits(tag));
        matching
            .map(|(place, (_, weight))| (*weight, place))
            .max_by_key(|(weight, place)| (*weight, usize::MAX - place))
    };
    found(&|tag| Language::of_tag(tag) == Some(language)).or_else(|| found(&|tag| tag == "*"))
}

fn ranges(header: &str) -> Vec<(&str, Weight)> {
    let bounded = &header[..header.floor_char_boundary(HEADER_OCTETS_MAX)];
    bounded.split(',').take(RANGES_MAX).filter_map(range).collect()
}

/// `de-AT;q=0.8`; without a weight it is 1 (RFC 9110 §12.4.2).
fn range(text: &str) -> Option<(&str, Weight)> {
    let (tag, parameter) = text.split_once(';').map_or((text, None), |(tag, rest)| (tag, Some(rest.trim())));
    let tag = tag.trim();
    let readable = !tag.is_empty() && tag.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'*'));
    let weight = match parameter {
        None => Some(1000),
        Some(parameter) => parameter.strip_prefix("q=").or_else(|| parameter.strip_prefix("Q=")).and_then(thousandths),
    };
    readable.then_some(tag).zip(weight)
}

/// `qvalue = ( "0" [ "." 0*3DIGIT ] ) / ( "1" [ "." 0*3("0") ] )` (RFC 9110 §12.4.2).
fn thousandths(qvalue: &str) -> Option<Weight> {
    let (whole, fraction) = qvalue.split_once('.').unwrap_or((qvalue, ""));
    if fraction.len() > 3 || !fraction.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let fraction: Weight = format!("{fraction:0<3}").parse().ok()?;
    match whole {
        "0" => Some(fraction),
        "1" if fraction == 0 => Some(1000),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_heaviest_language_of_ours_is_spoken() {
        let table = [
            ("de", Some(Language::German)),
            ("de-AT, en;q=0.8", Some(Language::German)),
            ("en;q=0.8, de-CH;q=0.9", Some(Language::German)),
            ("nl;q=0.5,fr;q=0.5", Some(Language::Dutch)),
            ("fr;q=0.5,nl;q=0.5", Some(Language::French)),
            ("pl, cs;q=0.9, fr;q=0.1", Some(Language::French)),
            ("FR-ca", Some(Language::French)),
            ("pl", None),
            ("", None),
            ("*", Some(Language::English)),
            ("en;q=0, *;q=0.5", Some(Language::German)),
            ("de;q=0", None),
            ("fr;q=0.001", Some(Language::French)),
            ("de-DE;q=0.3, de;q=0.9, nl;q=0.5", Some(Language::German)),
        ];
        for (header, expected) in table {
            assert_eq!(best(header), expected, "{header}");
        }
    }

    #[test]
    fn what_is_no_range_or_weight_is_passed_over() {
        for junk in [
            "de;q=2",
            "de;q=1.001",
            "de;q=0.1234",
            "de;q=",
            "de;w=1",
            "d\u{e9}",
            ";q=1",
            "de;q=-1",
            "<de>",
            "de;q=0.5;q=1",
        ] {
            assert_eq!(best(&format!("{junk}, nl;q=0.1")), Some(Language::Dutch), "{junk}");
        }
    }

    #[test]
    fn a_giant_header_is_not_read_to_its_end() {
        let ranges = format!("{}de", "xx,".repeat(RANGES_MAX));
        assert_eq!(best(&ranges), None);
        assert_eq!(best(&"de,".repeat(100_000)), Some(Language::German));
        assert_eq!(best(&format!("{}de", "\u{e9}".repeat(HEADER_OCTETS_MAX))), None);
        assert_eq!(best(&format!("de{}", " ".repeat(HEADER_OCTETS_MAX - 2))), Some(Language::German));
    }

    #[test]
    fn what_the_user_chose_wins() {
        assert_eq!(Language::negotiate("de", Some(Language::French)), Language::French);
        assert_eq!(Language::negotiate("de", None), Language::German);
        assert_eq!(Language::negotiate("pl", None), Language::English);
    }
}
