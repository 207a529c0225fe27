//! Octets with known answers: RFC 2865 §7, RFC 5997 §6, RFC 6929 §9, and our own, computed apart from this code.
//!
//! Used by tests only.

/// The secret of RFC 2865 §7 and RFC 5997 §6.
pub(crate) const SECRET: &str = "xyzzy5461";

/// Octets from hexadecimal digits; spaces and line ends don't count.
pub(crate) fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<char> = text.chars().filter(|c| !c.is_whitespace()).collect();
    assert!(digits.len().is_multiple_of(2), "odd number of digits");
    digits.chunks(2).map(|pair| u8::from_str_radix(&pair.iter().collect::<String>(), 16).unwrap()).collect()
}
