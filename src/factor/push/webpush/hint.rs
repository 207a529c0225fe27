//! What a push tells: that somebody waits, and nothing of whom or from where. Everything else the page fetches from us.
//!
//! The form is that of Declarative Web Push, which iOS shows without our service worker; elsewhere the worker reads the same
//! JSON. Push services can't read it (RFC 8291), and the phone's own notification store can: so it names no user, no address
//! and no number.

use serde::Serialize;

use crate::factor::push::PushHint;

/// Characters of the title; a phone shows about forty.
const TITLE_CHARACTERS_MAX: usize = 64;

#[derive(Serialize)]
struct Message<'a> {
    /// The number that says "declarative" (the RFC of Web Push itself).
    web_push: u32,
    notification: Notification<'a>,
    v: u32,
    ch: String,
    exp: u64,
}

#[derive(Serialize)]
struct Notification<'a> {
    title: String,
    navigate: &'a str,
}

/// The message of a prompt, as JSON. `page` is what a tap opens.
pub(super) fn message(hint: &PushHint, page: &str) -> Result<Vec<u8>, serde_json::Error> {
    let title = hint.account_name.chars().take(TITLE_CHARACTERS_MAX).collect();
    let (ch, exp) = (hint.prompt.to_string(), hint.ends_at.unix_seconds());
    let notification = Notification { title, navigate: page };
    serde_json::to_vec(&Message { web_push: 8030, notification, v: 1, ch, exp })
}

#[cfg(test)]
mod tests {
    use login::{ClientName, DeviceId, Moment, PromptId, ResolvedUser, Station, Wall};

    use super::super::encrypt::RECORD_OCTETS;
    use super::*;

    fn hint(account: &str) -> PushHint {
        PushHint {
            prompt: PromptId([0xab; 16]),
            user: ResolvedUser::new("alice"),
            device: DeviceId("d1".into()),
            subscription: None,
            client: ClientName::new("hq-asa"),
            station: Some(Station::new(b"203.0.113.9")),
            account_name: account.into(),
            at: Moment::default(),
            ends_at: Wall(1_700_000_120_999),
        }
    }

    #[test]
    fn a_message_is_declarative_and_names_nobody() {
        let text = message(&hint("Example Corp"), "https://mfa.example.com/phone/").unwrap();
        assert_eq!(
            String::from_utf8(text).unwrap(),
            r#"{"web_push":8030,"notification":{"title":"Example Corp","navigate":"https://mfa.example.com/phone/"},"v":1,"ch":"abababababababababababababababab","exp":1700000120}"#
        );
    }

    #[test]
    fn the_longest_message_fits() {
        let page = format!("https://{}", "p".repeat(super::super::PAGE_OCTETS_MAX - 8));
        let text = message(&PushHint { ends_at: Wall(u64::MAX), ..hint(&"\u{1}".repeat(500)) }, &page).unwrap();
        assert!(text.len() < RECORD_OCTETS, "{}", text.len());
    }
}
