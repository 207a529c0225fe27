//! What a notifier is told, as JSON. A hint: everything that decides stays with us, and nothing in it is secret.
//!
//! Names and addresses are for a person to read; a notifier that answers for its user would answer nobody.

use jiff::Timestamp;
use login::Wall;
use serde::Serialize;

use super::PushHint;

/// One event, as a JSON object.
#[derive(Serialize)]
pub(super) struct Told<'a> {
    event: &'static str,
    time: String,
    #[serde(flatten)]
    prompt: Option<ToldPrompt<'a>>,
}

#[derive(Serialize)]
struct ToldPrompt<'a> {
    prompt: String,
    user: &'a str,
    device: &'a str,
    client: &'a str,
    station: Option<String>,
    account: &'a str,
    expires: String,
}

impl<'a> Told<'a> {
    /// A prompt's event: `prompt` or `withdrawn`.
    pub(super) fn of(event: &'static str, hint: &'a PushHint) -> Self {
        let prompt = ToldPrompt {
            prompt: hint.prompt.to_string(),
            user: hint.user.as_str(),
            device: &hint.device.0,
            client: hint.client.as_str(),
            station: hint.station.as_ref().map(ToString::to_string),
            account: &hint.account_name,
            expires: rfc3339(hint.ends_at),
        };
        Self { event, time: rfc3339(hint.at.wall), prompt: Some(prompt) }
    }

    /// Names nobody: it only asks whether the notifier is there.
    pub(super) fn probe(at: Wall) -> Self {
        Self { event: "probe", time: rfc3339(at), prompt: None }
    }
}

fn rfc3339(at: Wall) -> String {
    let timestamp = i64::try_from(at.0).ok().and_then(|millis| Timestamp::from_millisecond(millis).ok());
    timestamp.unwrap_or(Timestamp::MAX).to_string()
}
