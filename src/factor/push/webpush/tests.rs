//! The settings and what leaves them; real push services are spoken to in `tests/peers/web_push.rs`.

use super::*;

fn settings() -> WebPushSettings {
    WebPushSettings {
        site_key: [7; 32],
        contact: "mailto:it@example.com".to_owned(),
        portal_url: "https://mfa.example.com".to_owned(),
        hosts: HOSTS.map(str::to_owned).to_vec(),
        allow_private: false,
        ca: None,
    }
}

fn built(settings: &WebPushSettings) -> Result<WebPush, WebPushMistake> {
    WebPush::new(settings, Arc::new(|_| {}), Telemetry::new())
}

#[test]
fn mistakes_in_the_settings_are_told() {
    let contact = WebPushSettings { contact: "it@example.com".to_owned(), ..settings() };
    assert!(matches!(built(&contact), Err(WebPushMistake::Contact(_))));
    for url in ["ftp://mfa.example.com", "mfa.example.com", "https://mfa.example.com/?a=b", "https://m/#x", ""] {
        let portal = WebPushSettings { portal_url: url.to_owned(), ..settings() };
        assert!(matches!(built(&portal), Err(WebPushMistake::Portal(_))), "{url}");
    }
    let host = WebPushSettings { hosts: vec!["*".to_owned()], ..settings() };
    assert_eq!(built(&host).err(), Some(WebPushMistake::Host("*".to_owned())));
    assert_eq!(built(&WebPushSettings { hosts: vec![], ..settings() }).err(), Some(WebPushMistake::NoHosts));
    let ca = WebPushSettings { ca: Some(b"no certificate".to_vec()), ..settings() };
    assert!(matches!(built(&ca), Err(WebPushMistake::Ca(_))));
}

#[test]
fn a_tap_opens_the_page_beneath_the_portal() {
    assert_eq!(page("https://mfa.example.com").as_deref(), Some("https://mfa.example.com/phone/"));
    assert_eq!(page("https://example.com/mfa/").as_deref(), Some("https://example.com/mfa/phone/"));
}

#[test]
fn a_topic_is_the_same_for_a_device_and_names_it_to_nobody() {
    let (push, other) =
        (built(&settings()).unwrap(), built(&WebPushSettings { site_key: [8; 32], ..settings() }).unwrap());
    let topic = push.topic(&DeviceId("d-abcd1234".into()));
    assert_eq!(topic, push.topic(&DeviceId("d-abcd1234".into())));
    assert_ne!(topic, push.topic(&DeviceId("d-abcd1235".into())));
    assert_ne!(topic, other.topic(&DeviceId("d-abcd1234".into())));
    assert_eq!(topic.len(), 32);
    assert!(topic.bytes().all(|octet| octet.is_ascii_alphanumeric() || octet == b'-' || octet == b'_'));
}

#[test]
fn nothing_secret_is_shown() {
    let subscription =
        Subscription { endpoint: "https://a@fcm.googleapis.com/x".into(), p256dh: [4; 65], auth: [9; 16] };
    assert_eq!(format!("{subscription:?}"), "Subscription(…)");
    let shown = format!("{:?} {:?}", settings(), built(&settings()).unwrap());
    assert!(!shown.contains("site_key") && !shown.contains("[7,"), "{shown}");
}
