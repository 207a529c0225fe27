//! Web Push against a push service of the tests' own, over real TLS: it checks each signature, and a browser opens each message.

use std::sync::{Arc, Mutex};

use ::vestibule::factor::push::{PushChannel, PushFailure, PushHint, WebPush, WebPushSettings};
use ::vestibule::telemetry::Telemetry;
use login::{ClientName, DeviceId, Moment, PromptId, ResolvedUser, Station, Tick, Wall};

use crate::harness::oath::unix_now;
use crate::harness::push_service::{Answers, Browser, PushService};

/// The house's side: the channel, and what it told the rest of the house.
struct House {
    push: Arc<WebPush>,
    gone: Arc<Mutex<Vec<DeviceId>>>,
    telemetry: Telemetry,
}

impl House {
    fn beside(service: &PushService) -> Self {
        Self::with(settings(service))
    }

    fn with(settings: WebPushSettings) -> Self {
        let (gone, telemetry) = (Arc::<Mutex<Vec<DeviceId>>>::default(), Telemetry::new());
        let told = Arc::clone(&gone);
        let on_gone = Arc::new(move |device| told.lock().unwrap().push(device));
        let push = Arc::new(WebPush::new(&settings, on_gone, telemetry.clone()).unwrap());
        Self { push, gone, telemetry }
    }

    async fn rings(&self, browser: &Browser, user: &str) -> Result<(), PushFailure> {
        self.push.ring(&hint(browser, user, 0)).await
    }

    fn alarms(&self) -> u64 {
        let page = self.telemetry.render();
        let line = page.lines().find_map(|line| line.strip_prefix("vestibule_troubles_total{service=\"webpush\"} "));
        line.unwrap().parse().unwrap()
    }
}

fn settings(service: &PushService) -> WebPushSettings {
    WebPushSettings {
        site_key: [7; 32],
        contact: "mailto:it@example.com".to_owned(),
        portal_url: "https://mfa.example.com".to_owned(),
        hosts: vec![service.host()],
        allow_private: true,
        ca: Some(service.ca.clone().into_bytes()),
    }
}

fn hint(browser: &Browser, user: &str, tick: u64) -> PushHint {
    let wall = Wall(unix_now() * 1000);
    PushHint {
        prompt: PromptId([0xab; 16]),
        user: ResolvedUser::new(user),
        device: DeviceId("d-abcd1234".into()),
        subscription: Some(browser.subscription()),
        client: ClientName::new("hq-asa"),
        station: Some(Station::new(b"203.0.113.9")),
        account_name: "Example Corp".into(),
        at: Moment { tick: Tick(tick * 1000), wall },
        ends_at: Wall(wall.0 + 60_000),
    }
}

fn refused(result: &Result<(), PushFailure>) -> &str {
    match result {
        Err(PushFailure::Refused(why)) => why,
        Ok(()) | Err(PushFailure::Unavailable(_)) => panic!("not refused: {result:?}"),
    }
}

fn confirmed(result: &Result<(), PushFailure>) -> bool {
    match result {
        Err(PushFailure::Unavailable(unavailable)) => unavailable.confirmed,
        Ok(()) | Err(PushFailure::Refused(_)) => panic!("not unavailable: {result:?}"),
    }
}

#[tokio::test]
async fn a_message_is_opened_by_its_browser_alone_and_names_nobody() {
    let service = PushService::start().await;
    let house = House::beside(&service);
    let browser = service.subscribe(house.push.application_server_key());
    let hint = hint(&browser, "alice", 0);
    assert_eq!(house.push.ring(&hint).await, Ok(()));
    let [message] = &service.messages()[..] else { panic!("one message") };
    let expected = serde_json::json!({
        "web_push": 8030,
        "notification": { "title": "Example Corp", "navigate": "https://mfa.example.com/phone/" },
        "v": 1,
        "ch": "abababababababababababababababab",
        "exp": hint.ends_at.unix_seconds(),
    });
    assert!(browser.has(message));
    assert_eq!(browser.reads(message), expected);
    assert!(service.subscribe([4; 65]).opens(message).is_err(), "another browser can't");
    assert!(message.len() < 2048);
    assert_eq!((message.header("ttl"), message.header("urgency")), ("60", "high"));
}

#[tokio::test]
async fn a_message_is_signed_for_its_push_service_by_the_key_that_pages_subscribe_under() {
    let service = PushService::start().await;
    let house = House::beside(&service);
    let key = house.push.application_server_key();
    assert_eq!(house.rings(&service.subscribe(key), "alice").await, Ok(()));
    let (claims, signer) = service.messages()[0].claims().unwrap();
    assert_eq!(signer, key);
    assert_eq!(claims["aud"], format!("https://{}", service.at));
    assert_eq!(claims["sub"], "mailto:it@example.com");
    let life = claims["exp"].as_u64().unwrap() - unix_now();
    assert!((11 * 3600..=12 * 3600).contains(&life), "{life}");
}

#[tokio::test]
async fn after_a_restart_and_on_every_node_the_same_phones_are_reached() {
    let service = PushService::start().await;
    let browser = service.subscribe(House::beside(&service).push.application_server_key());
    for _ in 0..2 {
        assert_eq!(House::beside(&service).rings(&browser, "alice").await, Ok(()));
    }
    // Under another key of the store the push service takes nothing for them, and the admin is told why.
    let other = House::with(WebPushSettings { site_key: [8; 32], ..settings(&service) });
    let result = other.rings(&browser, "alice").await;
    assert!(refused(&result).contains("store's key"), "{result:?}");
    assert_eq!(other.alarms(), 1);
}

#[tokio::test]
async fn a_newer_message_replaces_an_older_one_of_the_same_phone_and_lengths_tell_nothing() {
    let service = PushService::start().await;
    let house = House::beside(&service);
    let browser = service.subscribe(house.push.application_server_key());
    let first = hint(&browser, "alice", 0);
    let other = DeviceId("d-other".into());
    let long = "A very long name of a company, longer than any phone would show".into();
    let second = PushHint { prompt: PromptId([0xcd; 16]), account_name: long, ..first.clone() };
    for hint in [&first, &second, &PushHint { device: other, ..first.clone() }] {
        assert_eq!(house.push.ring(hint).await, Ok(()));
    }
    let [first, second, other] = &service.messages()[..] else { panic!("three messages") };
    assert_eq!(first.header("topic"), second.header("topic"));
    assert_ne!(first.header("topic"), other.header("topic"));
    assert_eq!(first.len(), second.len());
    assert_eq!(first.header("authorization"), other.header("authorization"), "one token for one push service");
}

#[tokio::test]
async fn a_subscription_that_is_gone_is_given_back_and_is_no_outage() {
    for status in [404, 410] {
        let service = PushService::answering([Answers::Status(status, None)]).await;
        let house = House::beside(&service);
        let browser = service.subscribe(house.push.application_server_key());
        for user in ["a", "b", "c", "d"] {
            refused(&house.rings(&browser, user).await);
        }
        assert_eq!(*house.gone.lock().unwrap(), vec![DeviceId("d-abcd1234".into()); 4]);
        assert_eq!((service.messages().len(), house.alarms()), (4, 0), "no retry, and nobody to wake");
    }
}

#[tokio::test]
async fn what_a_push_service_refuses_is_told_to_the_admin_and_is_no_outage() {
    for status in [400, 401, 403, 405, 413] {
        let service = PushService::answering([Answers::Status(status, None)]).await;
        let house = House::beside(&service);
        let browser = service.subscribe(house.push.application_server_key());
        for user in ["a", "b", "c", "d"] {
            assert!(refused(&house.rings(&browser, user).await).contains(&status.to_string()));
        }
        assert_eq!((service.messages().len(), house.alarms()), (4, 4), "no retry and no breaker");
        assert!(house.gone.lock().unwrap().is_empty());
    }
}

#[tokio::test]
async fn not_now_is_heeded_once_and_a_phone_that_was_told_is_not_told_again() {
    for status in [429, 500, 503] {
        let service = PushService::answering([Answers::Status(status, Some("0")), Answers::Well]).await;
        let house = House::beside(&service);
        let browser = service.subscribe(house.push.application_server_key());
        assert_eq!(house.rings(&browser, "alice").await, Ok(()));
        assert_eq!((service.messages().len(), house.alarms()), (2, 0));
    }
}

#[tokio::test]
async fn without_a_retry_after_it_is_tried_once_more() {
    let service = PushService::answering([Answers::Status(500, None), Answers::Well]).await;
    let house = House::beside(&service);
    let browser = service.subscribe(house.push.application_server_key());
    assert_eq!(house.rings(&browser, "alice").await, Ok(()));
    assert_eq!(service.messages().len(), 2);
}

#[tokio::test]
async fn too_many_pushes_are_never_an_outage() {
    let service = PushService::answering([Answers::Status(429, Some("0"))]).await;
    let house = House::beside(&service);
    let browser = service.subscribe(house.push.application_server_key());
    for user in ["a", "b", "c", "d"] {
        refused(&house.rings(&browser, user).await);
    }
    assert_eq!(service.messages().len(), 8, "each once more, and no breaker");
}

#[tokio::test]
async fn a_retry_that_would_come_too_late_is_not_waited_for() {
    for again in ["3600", "Fri, 31 Dec 2100 23:59:59 GMT"] {
        let service = PushService::answering([Answers::Status(503, Some(again))]).await;
        service.at_the_front(Answers::Well);
        let house = House::beside(&service);
        let browser = service.subscribe(house.push.application_server_key());
        assert!(!confirmed(&house.rings(&browser, "alice").await));
        assert_eq!(service.messages().len(), 1);
    }
}

#[tokio::test]
async fn a_prompt_that_ends_while_its_retry_waits_is_not_sent_again() {
    let service = PushService::answering([Answers::Status(503, Some("5"))]).await;
    let house = House::beside(&service);
    let hint = hint(&service.subscribe(house.push.application_server_key()), "alice", 0);
    let (push, ringing) = (Arc::clone(&house.push), hint.clone());
    let ring = tokio::spawn(async move { push.ring(&ringing).await });
    service.has(1).await;
    assert_eq!(house.push.withdraw(&hint).await, Ok(()));
    assert!(refused(&ring.await.unwrap()).contains("ended"));
    assert_eq!(service.messages().len(), 1);
}

#[tokio::test]
async fn a_withdrawal_sends_nothing_since_every_message_is_a_notification() {
    let service = PushService::start().await;
    let house = House::beside(&service);
    let hint = hint(&service.subscribe(house.push.application_server_key()), "alice", 0);
    assert_eq!(house.push.ring(&hint).await, Ok(()));
    assert_eq!(house.push.withdraw(&hint).await, Ok(()));
    assert_eq!(service.messages().len(), 1);
}

#[tokio::test]
async fn an_outage_is_confirmed_by_a_probe_and_then_nobody_waits_for_it() {
    let service = PushService::start().await;
    let house = House::beside(&service);
    let browser = service.subscribe(house.push.application_server_key());
    assert_eq!(house.rings(&browser, "alice").await, Ok(()));
    service.now([Answers::Status(503, Some("0"))]);
    service.at_the_front(Answers::Status(503, None));
    assert!(confirmed(&house.rings(&browser, "alice").await));
    assert!(confirmed(&house.push.ring(&hint(&browser, "bob", 1)).await));
    assert_eq!((service.messages().len(), house.alarms()), (3, 1));
    service.now([Answers::Well]);
    assert_eq!(house.push.ring(&hint(&browser, "bob", 15)).await, Ok(()));
    assert_eq!(house.push.ring(&hint(&browser, "alice", 15)).await, Ok(()));
}

#[tokio::test]
async fn one_phones_failing_endpoint_is_no_outage_while_the_push_service_is_there() {
    let service = PushService::start().await;
    let house = House::beside(&service);
    let browser = service.subscribe(house.push.application_server_key());
    assert_eq!(house.rings(&browser, "bob").await, Ok(()));
    service.now([Answers::Status(503, Some("0"))]);
    for second in [0, 6, 12] {
        assert!(!confirmed(&house.push.ring(&hint(&browser, "alice", second)).await));
    }
}

#[tokio::test]
async fn a_push_service_that_hangs_is_left_in_time_and_not_asked_again() {
    let service = PushService::answering([Answers::Hang]).await;
    let house = House::beside(&service);
    let browser = service.subscribe(house.push.application_server_key());
    assert!(!confirmed(&house.rings(&browser, "alice").await));
    assert_eq!(service.messages().len(), 1, "it may have been taken");
}

#[tokio::test]
async fn a_push_service_that_is_gone_from_the_network_is_away() {
    let service = PushService::start().await;
    let house = House::beside(&service);
    let browser = service.subscribe(house.push.application_server_key());
    assert_eq!(house.rings(&browser, "alice").await, Ok(()));
    service.closes().await;
    assert!(confirmed(&house.rings(&browser, "alice").await));
}

#[tokio::test]
async fn a_push_service_that_a_phone_made_up_confirms_no_outage_and_rings_nobody() {
    let (service, stranger) = (PushService::start().await, PushService::start().await);
    let distrusts = House::with(WebPushSettings { ca: Some(stranger.ca.clone().into_bytes()), ..settings(&service) });
    let browser = service.subscribe(distrusts.push.application_server_key());
    let mut elsewhere = hint(&browser, "alice", 0);
    elsewhere.subscription.as_mut().unwrap().endpoint = format!("https://{}:1/push/0", service.host()).into();
    for user in ["a", "b", "c", "d"] {
        assert!(!confirmed(&distrusts.rings(&browser, user).await), "it can't be believed");
        elsewhere.user = ResolvedUser::new(user);
        assert!(!confirmed(&House::beside(&service).push.ring(&elsewhere).await), "there is nobody");
    }
    assert!(service.messages().is_empty());
}

#[tokio::test]
async fn an_answer_that_is_no_http_is_no_outage() {
    let service = PushService::answering([Answers::Close]).await;
    let house = House::beside(&service);
    let browser = service.subscribe(house.push.application_server_key());
    for user in ["a", "b", "c", "d"] {
        refused(&house.rings(&browser, user).await);
    }
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let elsewhere = PushService::start().await;
    let service = PushService::answering([Answers::Redirect(format!("https://{}/push/0", elsewhere.at))]).await;
    let settings = WebPushSettings { hosts: vec![service.host(), elsewhere.host()], ..settings(&service) };
    let house = House::with(settings);
    let browser = service.subscribe(house.push.application_server_key());
    assert!(refused(&house.rings(&browser, "alice").await).contains("not followed"));
    assert!(elsewhere.messages().is_empty());
}

#[tokio::test]
async fn an_answer_without_end_is_cut() {
    let service = PushService::answering([Answers::Endless]).await;
    let house = House::beside(&service);
    let browser = service.subscribe(house.push.application_server_key());
    assert_eq!(house.rings(&browser, "alice").await, Ok(()));
    service.hung_up().await;
}

#[tokio::test]
async fn an_endpoint_that_leads_inside_is_refused_after_its_name_was_resolved_and_is_no_outage() {
    let service = PushService::start().await;
    let hosts = vec!["localhost".to_owned(), service.host()];
    let house = House::with(WebPushSettings { hosts, allow_private: false, ..settings(&service) });
    let browser = service.subscribe(house.push.application_server_key());
    for endpoint in ["https://localhost/push/0".to_owned(), format!("https://{}/push/0", service.host())] {
        for user in ["a", "b", "c", "d"] {
            let mut hint = hint(&browser, user, 0);
            hint.subscription.as_mut().unwrap().endpoint = endpoint.as_str().into();
            let result = house.push.ring(&hint).await;
            assert!(refused(&result).contains("an address of the inside"), "{result:?}");
        }
    }
    assert_eq!(house.alarms(), 0, "no phone can fill the log with that");
}

#[tokio::test]
async fn an_endpoint_of_nobodys_push_service_is_refused_at_sending_too() {
    let (service, foreign) = (PushService::start().await, PushService::start().await);
    let house = House::beside(&service);
    let browser = foreign.subscribe(house.push.application_server_key());
    assert!(refused(&house.rings(&browser, "alice").await).contains("no push service that this site knows"));
    assert!(foreign.messages().is_empty());
}

#[tokio::test]
async fn a_prompt_without_time_left_rings_nobody() {
    let service = PushService::start().await;
    let house = House::beside(&service);
    let hint = hint(&service.subscribe(house.push.application_server_key()), "alice", 0);
    refused(&house.push.ring(&PushHint { ends_at: Wall(hint.at.wall.0 + 999), ..hint.clone() }).await);
    assert!(service.messages().is_empty());
}

#[tokio::test]
async fn a_phone_without_a_subscription_asks_by_itself() {
    let service = PushService::start().await;
    let house = House::beside(&service);
    let hint = hint(&service.subscribe(house.push.application_server_key()), "alice", 0);
    assert_eq!(house.push.ring(&PushHint { subscription: None, ..hint }).await, Ok(()));
    assert!(service.messages().is_empty());
}
