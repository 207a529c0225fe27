//! The texts that the page signs: lines, the first of which says what it is, so that no signature fits another purpose.
//!
//! Every line is of an alphabet without line ends: what goes in was parsed before.

/// A device is enrolled: origin, one-time code, print of the key, time. Proof that the page has the key.
#[must_use]
pub fn enrol(origin: &str, code: &str, key_print: &str, time: &str) -> String {
    ["vestibule-enrol-v1", origin, code, key_print, time].join("\n")
}

/// The page asks for what is open.
#[must_use]
pub fn poll(origin: &str, device: &str, time: &str) -> String {
    ["vestibule-poll-v1", origin, device, time].join("\n")
}

/// What an answer is bound to.
#[derive(Clone, Copy, Debug)]
pub struct AnswerLines<'a> {
    /// The page's own origin.
    pub origin: &'a str,
    /// Which device.
    pub device: &'a str,
    /// Which prompt.
    pub challenge: &'a str,
    /// Single use: 32 octets in URL-safe base64.
    pub nonce: &'a str,
    /// `approve`, `deny` or `report`.
    pub said: &'a str,
    /// The number that was entered or chosen; empty where none was asked.
    pub number: &'a str,
    /// The hash of what was shown.
    pub shown: &'a str,
    /// The browser's time, for the audit only.
    pub time: &'a str,
}

/// A prompt is answered.
#[must_use]
pub fn answer(lines: &AnswerLines<'_>) -> String {
    let AnswerLines { origin, device, challenge, nonce, said, number, shown, time } = *lines;
    ["vestibule-answer-v1", origin, device, challenge, nonce, said, number, shown, time].join("\n")
}

/// Where the browser's push service takes notifications for this device: the hash of it over canonical JSON, or empty for none.
#[must_use]
pub fn subscribe(origin: &str, device: &str, subscription_print: &str, time: &str) -> String {
    ["vestibule-subscribe-v1", origin, device, subscription_print, time].join("\n")
}

/// The device is removed by its own user.
#[must_use]
pub fn leave(origin: &str, device: &str, time: &str) -> String {
    ["vestibule-leave-v1", origin, device, time].join("\n")
}
