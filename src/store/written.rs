//! The form in which a login's record is written: one JSON object in one line, in the words of design §6.
//!
//! The name is given by the caller, who knows whether it may be written at all (rules F2). Octets from the wire are made
//! safe to show first. Keys stand in a fixed order, so that the same record is always the same text.

use std::net::IpAddr;

use jiff::Timestamp;
use jiff::fmt::temporal::DateTimePrinter;
use login::policy::{Tried, Truth};
use login::{Record, RecordedAnswer, RecordedFactor, Wall};
use serde::Serialize;

use super::error::StoreError;
use super::web::Act;

/// The record as one line of JSON.
pub(super) fn json(record: &Record, user: &str) -> Result<String, StoreError> {
    let written = Written {
        login: record.login.to_string(),
        time: time(record.time),
        client: record.client.as_str(),
        user,
        station: record.station.as_ref().map(ToString::to_string),
        rule: record.rule.as_ref().map(|rule| rule.as_str()),
        primary: record.primary.as_ref().map(|primary| primary.as_str()),
        factor: factor(record.factor),
        answer: answer(record.answer),
        reason: record.reason.as_str(),
        detail: record.detail.as_deref(),
        askers: record.askers,
        waited_ms: Waited {
            total: record.waited.as_millis(),
            primary: record.waited_primary.as_millis(),
            factor: record.waited_factor.as_millis(),
        },
        tried: record.tried.iter().map(TriedRule::of).collect(),
    };
    serde_json::to_string(&written).map_err(|error| StoreError::Ours(error.to_string().into()))
}

/// The record that amends one: the same object, which says first what it amends.
pub(super) fn amendment_json(record: &Record, user: &str, amends: u64) -> Result<String, StoreError> {
    let json = json(record, user)?;
    Ok(format!(r#"{{"amends":{amends},{}"#, json.trim_start_matches('{')))
}

/// What a person did, as one line of JSON. Names are written as they are: whoever acts has signed in, and acts on somebody
/// whom the store or the primary knows.
pub(super) fn act_json(act: &Act, at: Wall) -> Result<String, StoreError> {
    let written = WrittenAct {
        act: &act.what,
        time: time(at),
        by: &act.by,
        role: &act.role,
        user: act.user.as_str(),
        reason: act.reason.as_deref(),
        object: act.object.as_deref(),
        address: act.address,
    };
    serde_json::to_string(&written).map_err(|error| StoreError::Ours(error.to_string().into()))
}

#[derive(Serialize)]
struct WrittenAct<'a> {
    act: &'a str,
    time: String,
    by: &'a str,
    role: &'a str,
    user: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    object: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    address: Option<IpAddr>,
}

#[derive(Serialize)]
struct Written<'a> {
    login: String,
    time: String,
    client: &'a str,
    user: &'a str,
    station: Option<String>,
    rule: Option<&'a str>,
    primary: Option<&'a str>,
    factor: Option<&'static str>,
    answer: Option<&'static str>,
    reason: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<&'a str>,
    askers: u32,
    waited_ms: Waited,
    tried: Vec<TriedRule<'a>>,
}

#[derive(Serialize)]
struct Waited {
    total: u128,
    primary: u128,
    factor: u128,
}

#[derive(Serialize)]
struct TriedRule<'a> {
    rule: &'a str,
    matched: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    because: Option<&'static str>,
}

impl<'a> TriedRule<'a> {
    /// `matched` is null where a fact was missing (rules A4).
    fn of(tried: &'a Tried) -> Self {
        let matched = match tried.truth {
            Truth::True => Some(true),
            Truth::False => Some(false),
            Truth::Undecided => None,
        };
        Self { rule: tried.rule.as_str(), matched, because: tried.because }
    }
}

fn factor(factor: RecordedFactor) -> Option<&'static str> {
    match factor {
        RecordedFactor::None => None,
        RecordedFactor::Method(method) => Some(method.as_str()),
        RecordedFactor::Exempt => Some("exempt"),
        RecordedFactor::FailOpen => Some("fail_open"),
        RecordedFactor::Bypass => Some("bypass"),
    }
}

fn answer(answer: RecordedAnswer) -> Option<&'static str> {
    match answer {
        RecordedAnswer::Accept => Some("accept"),
        RecordedAnswer::Reject => Some("reject"),
        RecordedAnswer::None => None,
    }
}

/// RFC 3339 in UTC, to the millisecond; a time that no calendar has is the last one that it has.
pub(super) fn time(at: Wall) -> String {
    const TO_THE_MILLISECOND: DateTimePrinter = DateTimePrinter::new().precision(Some(3));
    let instant =
        i64::try_from(at.0).ok().and_then(|millis| Timestamp::from_millisecond(millis).ok()).unwrap_or(Timestamp::MAX);
    TO_THE_MILLISECOND.timestamp_to_string(&instant)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_rfc_3339_in_utc_to_the_millisecond() {
        assert_eq!(time(Wall(0)), "1970-01-01T00:00:00.000Z");
        assert_eq!(time(Wall(1_795_528_291_007)), "2026-11-24T13:51:31.007Z");
        assert_eq!(time(Wall::NEVER), "9999-12-30T22:00:00.999Z");
    }
}
