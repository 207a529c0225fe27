//! What the app is answered: one envelope for everything, `result` with a boolean `status`, never a value beside an error.
//!
//! App 4.7.0 and later takes any envelope that it can parse as a success of an answer, whatever the status; only a text that
//! is no JSON keeps the request on its screen. So what a user should try again after is told as text.

use serde_json::{Value, json};

use crate::enrolment::activation::Serial;

/// Numbers for a log; the app shows the message only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorCode {
    /// The request can't be read.
    Malformed,
    /// It could not be verified.
    Unverified,
    /// Understood, and refused.
    Refused,
    /// Too many of them.
    TooMany,
}

impl ErrorCode {
    /// The number in the envelope. privacyIDEA's own have three digits too, and mean nothing to the app.
    #[must_use]
    pub fn as_number(self) -> u16 {
        match self {
            Self::Malformed => 400,
            Self::Unverified => 401,
            Self::Refused => 403,
            Self::TooMany => 429,
        }
    }
}

/// The one text for an unknown device, a missing key, an unknown prompt and a bad signature: a stranger learns nothing.
pub const UNVERIFIED: &str = "Could not verify signature!";

/// What is open for the device; the elements are [`super::Challenge::signed`]'s.
#[must_use]
pub fn polled(open: Vec<Value>) -> Value {
    success(Value::Array(open), Value::Null)
}

/// The device is enrolled; `public_key` is [`crate::enrolment::activation::ServerKey::public_field`]'s.
#[must_use]
pub fn enrolled(serial: &Serial, public_key: &str) -> Value {
    success(true.into(), json!({ "public_key": public_key, "rollout_state": "enrolled", "serial": serial.as_str() }))
}

/// Taken, or known and without effect.
#[must_use]
pub fn answered(taken: bool) -> Value {
    success(taken.into(), Value::Null)
}

/// Confirmed: the phone shows this code, to be typed where the login waits (rules F8). From app 4.7.0 on.
#[must_use]
pub fn show_code(code: &str, message: &str) -> Value {
    success(true.into(), json!({ "display_code": code, "message": message }))
}

/// An error that the app shows: with a button to try again at the enrolment, on a manual refresh at a poll.
#[must_use]
pub fn error(code: ErrorCode, message: &str) -> Value {
    json!({
        "id": 1,
        "jsonrpc": "2.0",
        "result": { "status": false, "error": { "code": code.as_number(), "message": message } },
        "detail": null,
    })
}

/// An error of an answer that the user should see and answer again after: a text that the app can't take for an envelope or
/// for a proxy's page: 1 to 200 characters, not beginning with a brace, without a mark-up.
#[must_use]
pub fn error_to_try_again(message: &str) -> String {
    let text: String = message.chars().filter(|mark| !mark.is_control() && *mark != '<').take(200).collect();
    let text = text.trim_start_matches(['{', ' ']).trim_end();
    if text.is_empty() { "Please try again.".to_owned() } else { text.to_owned() }
}

fn success(value: Value, detail: Value) -> Value {
    json!({ "id": 1, "jsonrpc": "2.0", "result": { "status": true, "value": value }, "detail": detail })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_never_has_a_value_beside_it() {
        let told = error(ErrorCode::Refused, "This phone was removed.");
        assert_eq!(told["result"]["status"], false);
        assert!(told["result"].get("value").is_none());
        assert!(answered(false)["result"].get("error").is_none());
    }

    #[test]
    fn what_keeps_the_request_on_the_screen_is_no_envelope() {
        assert_eq!(error_to_try_again("{\"result\": <b>1"), "\"result\": b>1");
        assert_eq!(error_to_try_again(" \n"), "Please try again.");
        assert_eq!(error_to_try_again(&"x".repeat(500)).len(), 200);
    }
}
