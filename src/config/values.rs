//! The small grammars of values: durations, names, addresses, and how a value is said in words.

use std::net::IpAddr;
use std::time::Duration;

use figment::value::{Dict, Num, Value};
use ipnet::IpNet;

use super::document::DATE;
use super::types::{Host, ServerAddress};

/// The units of durations, with their milliseconds.
const UNITS: [(&str, u64); 5] = [("ms", 1), ("s", 1000), ("m", 60_000), ("h", 3_600_000), ("d", 86_400_000)];

/// A whole number and its unit, nothing between: `30s`. One spelling only.
pub(super) fn duration(text: &str) -> Option<Duration> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at_checked(digits)?;
    let (_, millis) = UNITS.into_iter().find(|(name, _)| *name == unit)?;
    number.parse::<u64>().ok()?.checked_mul(millis).map(Duration::from_millis)
}

/// The shortest spelling of a duration.
pub(super) fn spelt(duration: Duration) -> String {
    let millis = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    let whole = UNITS.iter().rev().find(|(_, unit)| millis != 0 && millis % unit == 0);
    whole.map_or_else(|| "0s".to_owned(), |(name, unit)| format!("{}{name}", millis / unit))
}

/// The units of sizes, and how many octets each is.
const SIZES: [(&str, u64); 3] = [("MiB", 1 << 20), ("GiB", 1 << 30), ("TiB", 1 << 40)];

/// A whole number and its unit, nothing between: `20GiB`. In octets.
pub(super) fn octets(text: &str) -> Option<u64> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at_checked(digits)?;
    let (_, octets) = SIZES.into_iter().find(|(name, _)| *name == unit)?;
    number.parse::<u64>().ok()?.checked_mul(octets)
}

/// The shortest spelling of a size.
pub(super) fn spelt_octets(octets: u64) -> String {
    let whole = SIZES.iter().rev().find(|(_, unit)| octets.is_multiple_of(*unit));
    whole.map_or_else(|| octets.to_string(), |(name, unit)| format!("{}{name}", octets / unit))
}

/// Whether a name is `[a-z0-9-]+` and short enough for a metric's label (rules G2).
pub(super) fn is_name(name: &str) -> bool {
    (1..=NAME_OCTETS_MAX).contains(&name.len())
        && name.bytes().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'-')
}

/// A name may be this long.
pub(super) const NAME_OCTETS_MAX: usize = 64;

/// An address or a prefix; the error says what is wrong with one that nearly is.
pub(super) fn network(text: &str) -> Result<IpNet, Option<String>> {
    let net: IpNet = match text.parse::<IpAddr>() {
        Ok(address) => address.into(),
        Err(_) => text.parse().map_err(|_| None)?,
    };
    // Whoever speaks IPv4 is looked up as IPv4: this would never match, and hide an overlap (checklist A9).
    if let Some(plain) = plain_v4(net) {
        return Err(Some(format!("this is IPv4 in IPv6 form; write \"{plain}\"")));
    }
    if net.trunc() == net {
        Ok(net)
    } else {
        Err(Some(format!(
            "the prefix has bits beyond its length; did you mean \"{}\" or \"{}\"?",
            net.trunc(),
            net.addr()
        )))
    }
}

/// `10.0.0.5` of `::ffff:10.0.0.5` (RFC 4291 §2.5.5.2), as an admin would write it.
fn plain_v4(net: IpNet) -> Option<String> {
    let IpNet::V6(six) = net else { return None };
    let address = six.addr().to_ipv4_mapped()?;
    match six.prefix_len().checked_sub(96)? {
        32 => Some(address.to_string()),
        prefix => Some(format!("{address}/{prefix}")),
    }
}

/// `10.0.0.5`, `10.0.0.5:1645`, `2001:db8::5`, `[2001:db8::5]:1812`, `nps.example.com`, `nps.example.com:1812`.
pub(super) fn server(text: &str, port: u16) -> Option<ServerAddress> {
    if let Ok(address) = text.parse::<IpAddr>() {
        return Some(ServerAddress { host: Host::Address(address), port });
    }
    if let Ok(socket) = text.parse::<std::net::SocketAddr>() {
        return (socket.port() != 0).then(|| ServerAddress { host: Host::Address(socket.ip()), port: socket.port() });
    }
    let (name, port) = match text.split_once(':') {
        Some((name, port)) => (name, port.parse().ok().filter(|port| *port != 0)?),
        None => (text, port),
    };
    is_host_name(name).then(|| ServerAddress { host: Host::Name(name.into()), port })
}

/// Letters, digits and hyphens in labels (RFC 1123 §2.1); all digits would be a mistyped address.
pub(super) fn is_host_name(name: &str) -> bool {
    let label = |label: &str| {
        let plain = label.bytes().all(|c| c.is_ascii_alphanumeric() || c == b'-');
        (1..=63).contains(&label.len()) && plain && !label.starts_with('-') && !label.ends_with('-')
    };
    let last = name.rsplit('.').next().unwrap_or_default();
    name.len() <= 253 && name.split('.').all(label) && !last.bytes().all(|c| c.is_ascii_digit())
}

/// Whether it is a table, or an array of some: their keys are settings of their own.
pub(super) fn holds_tables(value: &Value) -> bool {
    match value {
        Value::Dict(_, dict) => !dict.contains_key(DATE),
        Value::Array(_, values) => values.iter().any(holds_tables),
        Value::String(..) | Value::Char(..) | Value::Bool(..) | Value::Num(..) | Value::Empty(..) => false,
    }
}

/// What a value is, in words.
pub(super) fn described(value: &Value) -> String {
    match value {
        Value::String(_, text) if text.is_empty() => "an empty string".to_owned(),
        // Somebody may have written a password into it (rules F1).
        Value::String(_, text) if text.contains("://") && text.contains('@') => "a URL with a user in it".to_owned(),
        Value::String(_, text) => format!("the string {}", quoted(&shortened(text))),
        Value::Char(_, c) => format!("the string {}", quoted(&c.to_string())),
        Value::Bool(_, flag) => flag.to_string(),
        Value::Num(..) => format!("the number {}", shown(value)),
        Value::Empty(..) => "nothing".to_owned(),
        Value::Dict(_, dict) if dict.contains_key(DATE) => format!("the date {}", shown(value)),
        Value::Dict(..) => "a table".to_owned(),
        Value::Array(..) => "an array".to_owned(),
    }
}

/// A value as TOML writes it.
pub(super) fn shown(value: &Value) -> String {
    match value {
        Value::String(_, text) => quoted(text),
        Value::Char(_, c) => quoted(&c.to_string()),
        Value::Bool(_, flag) => flag.to_string(),
        Value::Num(_, Num::F64(number)) => format!("{number:?}"),
        Value::Num(_, number) => number.to_i128().unwrap_or_default().to_string(),
        Value::Empty(..) => String::new(),
        Value::Dict(_, dict) => shown_table(dict),
        Value::Array(_, values) => format!("[{}]", values.iter().map(shown).collect::<Vec<_>>().join(", ")),
    }
}

fn shown_table(dict: &Dict) -> String {
    if let Some(date) = dict.get(DATE).and_then(Value::as_str) {
        return date.to_owned();
    }
    let entries: Vec<String> = dict.iter().map(|(key, value)| format!("{key} = {}", shown(value))).collect();
    format!("{{ {} }}", entries.join(", "))
}

/// In TOML's quotes, with nothing in it that a terminal would obey.
pub(super) fn quoted(text: &str) -> String {
    format!("\"{}\"", text.chars().map(escaped).collect::<String>())
}

fn escaped(c: char) -> String {
    match c {
        '"' | '\\' => format!("\\{c}"),
        c if c.is_control() => c.escape_default().to_string(),
        c => c.to_string(),
    }
}

fn shortened(text: &str) -> String {
    const SHOWN_MAX: usize = 60;
    if text.chars().count() <= SHOWN_MAX {
        text.to_owned()
    } else {
        text.chars().take(SHOWN_MAX - 1).chain(['…']).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_is_a_number_and_a_unit_and_nothing_else() {
        assert_eq!(duration("30s"), Some(Duration::from_secs(30)));
        assert_eq!(duration("250ms"), Some(Duration::from_millis(250)));
        assert_eq!(duration("2d"), Some(Duration::from_secs(172_800)));
        for text in [
            "",
            "30",
            "s",
            "30 s",
            "30S",
            "1.5s",
            "-1s",
            "+1s",
            "1m30s",
            "30sec",
            "99999999999999999999s",
            "999999999999999999d",
            "٣s",
        ] {
            assert_eq!(duration(text), None, "{text}");
        }
    }

    #[test]
    fn a_duration_is_spelt_in_its_largest_whole_unit() {
        for text in ["250ms", "90s", "1m", "36h", "30d"] {
            assert_eq!(duration(text).map(spelt).as_deref(), Some(text));
        }
        assert_eq!(spelt(Duration::ZERO), "0s");
    }

    #[test]
    fn servers_have_a_port_of_their_own_or_the_usual_one() {
        for (text, shown) in [
            ("10.0.0.5", "10.0.0.5:1812"),
            ("10.0.0.5:1645", "10.0.0.5:1645"),
            ("2001:db8::5", "[2001:db8::5]:1812"),
            ("[2001:db8::5]:1645", "[2001:db8::5]:1645"),
            ("nps.example.com", "nps.example.com:1812"),
            ("nps:1645", "nps:1645"),
        ] {
            assert_eq!(server(text, 1812).map(|server| server.to_string()).as_deref(), Some(shown));
        }
        for text in [
            "",
            "10.0.0",
            "10.0.0.256",
            "10.0.0.5:0",
            "nps:70000",
            "nps:",
            "-nps",
            "a b",
            "[2001:db8::5]",
            "nps..example",
        ] {
            assert_eq!(server(text, 1812), None, "{text}");
        }
    }

    #[test]
    fn a_prefix_with_bits_beyond_its_length_is_refused() {
        assert!(network("10.20.0.0/16").is_ok());
        assert!(network("192.0.2.10").is_ok());
        assert!(network("192.0.2.10/24").unwrap_err().unwrap().contains("192.0.2.0/24"));
        assert!(network("192.0.2").is_err());
        assert!(network("10.0.0.0/33").is_err());
    }
}
