//! Web Push from a login at an appliance to a browser and back, by the program itself: what wakes the phone, and each way in which
//! it can't be woken. Whatever a push service says, it lets nobody in.

use std::time::Duration;

use data_encoding::BASE64URL_NOPAD;
use serde_json::{Value, json};

use crate::harness::oath::{seed, totp};
use crate::harness::page_phone::PagePhone;
use crate::harness::push_service::{Answers, Browser, PushService};
use crate::harness::radclient::{Printed, radclient};
use crate::harness::stub::Stub;
use crate::harness::vestibule::{self, Plan, Program};
use crate::harness::{at, until};

/// A house whose phones are woken by this push service, and alice, who has a page for a phone, and a token.
struct Waking {
    house: Program,
    service: PushService,
    phone: PagePhone,
    vapid: [u8; 65],
    _nps: Stub,
}

/// `[method.push]` for a push service of the site's own, inside, under an authority of its own.
fn of_its_own(service: &PushService) -> String {
    format!("webpush_hosts = [\"{}\"]\nallow_private = true\nwebpush_ca = \"push-ca.pem\"\n", service.host())
}

impl Waking {
    async fn opens() -> Self {
        Self::of(|plan| plan.totp("alice")).await
    }

    async fn of(more: impl FnOnce(Plan) -> Plan) -> Self {
        let service = PushService::start().await;
        let push = of_its_own(&service);
        Self::with(service, &push, more).await
    }

    async fn with(service: PushService, push: &str, more: impl FnOnce(Plan) -> Plan) -> Self {
        let (nps, portal) = (Stub::accepting("hello").await, at(18443));
        let sections = format!(
            "[portal]\nlisten = \"{portal}\"\nurl = \"http://{portal}\"\naccount_name = \"Example VPN\"\n\
             [method.push]\nchannels = [\"webpush\"]\nvapid_contact = \"mailto:it@example.com\"\n{push}"
        );
        let site = more(vestibule::guarding(&nps).and(&sections)).built().await;
        site.write("push-ca.pem", &service.ca);
        let house = site.start_program().await;
        let url = format!("http://{portal}");
        let shown: Value = reqwest::get(format!("{url}/phone/site.json")).await.unwrap().json().await.unwrap();
        let vapid = BASE64URL_NOPAD.decode(shown["vapid"].as_str().unwrap().as_bytes()).unwrap();
        let new = house.site.does(&["device", "add", "alice", "--channel", "webpush"]).await;
        let (page, code) = new["url"].as_str().unwrap().split_once('#').unwrap();
        let mut phone = PagePhone::at(page.to_owned(), url);
        assert_eq!(phone.enrols(code).await.0, 200);
        Self { house, service, phone, vapid: vapid.try_into().unwrap(), _nps: nps }
    }

    /// Its page is opened, and subscribes.
    async fn subscribes(&self) -> Browser {
        let browser = self.service.subscribe(self.vapid);
        assert_eq!(self.phone.subscribes_with(&browser).await, (200, json!({})));
        browser
    }

    /// A login from its own place, so that none joins another.
    async fn login(&self, place: u8) -> Printed {
        self.asks(place, "hello", "").await
    }

    async fn asks(&self, place: u8, password: &str, more: &str) -> Printed {
        let ask = format!("User-Name=alice, User-Password={password}, Calling-Station-Id=203.0.113.{place}{more}");
        radclient(self.house.site.radius, "auth", &ask).await
    }

    /// How many messages came to this end, once so many did: one is counted when its service has answered, and what comes of it
    /// may be seen before that.
    async fn pushes(&self, result: &str, least: f64) -> f64 {
        let label = format!("result=\"{result}\"");
        self.house.site.counted("vestibule_web_pushes_total", &[&label], least).await
    }

    async fn troubles(&self, least: f64) -> f64 {
        self.house.site.counted("vestibule_troubles_total", &["webpush"], least).await
    }

    async fn accepts(&self) -> f64 {
        self.house.site.metric("vestibule_answers_total", &["accept"]).await
    }

    async fn rings(&self) -> bool {
        self.house.site.does(&["device", "list", "alice"]).await[0]["rings"] == true
    }

    /// The prompt on the page that a tap on the notification opens.
    async fn opened(&self, hint: &Value) -> Value {
        let (status, told) = self.phone.polls().await;
        assert_eq!(status, 200, "{told}");
        let prompt = told["prompts"][0].clone();
        assert_eq!(prompt["challenge"], hint["ch"], "the message and the page speak of one prompt");
        prompt
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_login_wakes_the_phone_by_a_message_that_only_its_browser_opens_and_its_yes_lets_it_in() {
    let waking = Waking::opens().await;
    let browser = waking.subscribes().await;
    for (place, said, received) in [(1, "approve", "Access-Accept"), (2, "deny", "Access-Reject")] {
        let phone = async {
            let messages = waking.service.has(usize::from(place)).await;
            let message = messages.last().unwrap();
            let (claims, signer) = message.claims().unwrap();
            assert_eq!((signer, &claims["sub"]), (waking.vapid.to_vec(), &json!("mailto:it@example.com")));
            assert_eq!(claims["aud"], format!("https://{}", waking.service.at), "RFC 8292 §2");
            let (lasts, urgency) = (message.header("ttl").parse::<u32>().unwrap(), message.header("urgency"));
            assert!((1..=120).contains(&lasts) && urgency == "high", "RFC 8030 §5.2 and §5.3: {lasts} {urgency}");
            assert!(waking.service.subscribe(waking.vapid).opens(message).is_err(), "no other browser can");
            let hint = browser.reads(message);
            assert_eq!(hint["notification"]["title"], "Example VPN");
            assert!(!hint.to_string().contains("alice") && !hint.to_string().contains("203.0.113"), "{hint}");
            let prompt = waking.opened(&hint).await;
            assert!(prompt["shown"].to_string().contains(&format!("203.0.113.{place}")), "{prompt}");
            assert_eq!(waking.phone.post("answer", &waking.phone.answer(&prompt, said, "")).await.0, 200);
        };
        let (answer, ()) = tokio::join!(waking.login(place), phone);
        assert!(answer.received(received), "{}", answer.0);
    }
    assert_eq!((waking.pushes("taken", 2.0).await, waking.troubles(0.0).await), (2.0, 0.0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_subscription_that_is_gone_is_forgotten_and_the_login_asks_for_a_code_instead() {
    for status in [404, 410] {
        let waking = Waking::opens().await;
        waking.subscribes().await;
        waking.service.now([Answers::Status(status, None)]);
        let told = waking.login(1).await;
        assert!(told.received("Access-Challenge") && told.value("Reply-Message").contains("code"), "{}", told.0);
        assert_eq!(waking.service.messages().len(), 1, "nothing to try again");
        until("a forgotten subscription", async || (!waking.rings().await).then_some(())).await;
        // From now on the VPN says what to do, and nothing leaves for a phone that can't be woken.
        let next = waking.login(2).await;
        assert!(next.value("Reply-Message").contains("Open the login page on your phone"), "{}", next.0);
        assert_eq!(waking.service.messages().len(), 1);
        assert_eq!((waking.pushes("gone", 1.0).await, waking.accepts().await), (1.0, 0.0));
        assert_eq!(waking.troubles(0.0).await, 0.0, "nothing for an admin to mend");
        // Its page is opened again, and the phone rings again.
        waking.subscribes().await;
        assert!(waking.rings().await);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_push_service_refuses_is_counted_told_and_answered_by_a_code() {
    let mut waking = Waking::opens().await;
    waking.subscribes().await;
    let mut codes = Vec::new();
    for (place, answers, result, messages) in [
        (1, Answers::Status(413, None), "refused", 1),
        (2, Answers::Status(403, None), "refused", 2),
        (3, Answers::Redirect("https://127.0.0.1/".to_owned()), "refused", 3),
        // Tried once more, as it asks.
        (4, Answers::Status(429, Some("0")), "busy", 5),
        // Too late for this login: not waited for.
        (5, Answers::Status(429, Some("600")), "busy", 6),
        (6, Answers::Close, "unsent", 7),
    ] {
        let before = waking.pushes(result, 0.0).await;
        waking.service.now([answers]);
        let told = waking.login(place).await;
        assert!(told.received("Access-Challenge"), "{}", told.0);
        codes.push(told.value("State"));
        assert_eq!(waking.service.messages().len(), messages, "{place}");
        assert_eq!(waking.pushes(result, before + 1.0).await - before, 1.0, "{place}");
    }
    assert_eq!((waking.troubles(5.0).await, waking.accepts().await), (5.0, 0.0));
    assert!(waking.rings().await, "no subscription is given up for that");
    waking.house.child.says("webpush: waking a phone through").await;
    // The login that fell back ends by its code.
    let state = format!(", State={}", codes.last().unwrap());
    let told = waking.asks(6, &totp(&seed("alice")), &state).await;
    assert!(told.received("Access-Accept"), "{}", told.0);
}

#[tokio::test(flavor = "multi_thread")]
async fn not_now_is_waited_for_and_the_same_login_still_gets_in() {
    let waking = Waking::opens().await;
    let browser = waking.subscribes().await;
    waking.service.now([Answers::Status(429, Some("1")), Answers::Well]);
    let phone = async {
        let messages = waking.service.has(2).await;
        let paused = messages[1].at - messages[0].at;
        assert!(paused >= Duration::from_secs(1), "Retry-After is heeded: {paused:?}");
        let prompt = waking.opened(&browser.reads(&messages[1])).await;
        assert_eq!(waking.phone.post("answer", &waking.phone.answer(&prompt, "approve", "")).await.0, 200);
    };
    let (answer, ()) = tokio::join!(waking.login(1), phone);
    assert!(answer.received("Access-Accept"), "{}", answer.0);
    assert_eq!((waking.pushes("taken", 1.0).await, waking.pushes("busy", 0.0).await), (1.0, 0.0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_push_service_that_fails_or_hangs_is_away_and_a_code_is_asked_for() {
    for (answers, messages) in [(Answers::Status(503, Some("0")), 2), (Answers::Hang, 1)] {
        let waking = Waking::opens().await;
        waking.subscribes().await;
        waking.service.now([answers]);
        let told = waking.login(1).await;
        assert!(told.received("Access-Challenge"), "{}", told.0);
        assert_eq!(waking.service.messages().len(), messages);
        assert_eq!((waking.pushes("away", 1.0).await, waking.troubles(1.0).await), (1.0, 1.0));
        let state = format!(", State={}", told.value("State"));
        assert!(waking.asks(1, &totp(&seed("alice")), &state).await.received("Access-Accept"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_endpoint_that_leads_inside_gets_nothing_and_opens_nothing() {
    let service = PushService::start().await;
    let push = "webpush_hosts = [\"localhost\", \"127.0.0.1\"]\nwebpush_ca = \"push-ca.pem\"\n";
    let waking = Waking::with(service, push, |plan| plan.totp("alice")).await;
    for inside in ["https://127.0.0.1/push/0", "https://localhost:8443/push/0", "https://fcm.googleapis.com/push/0"] {
        assert_eq!(waking.phone.subscribes(inside).await.0, 400, "{inside}");
    }
    assert!(!waking.rings().await);
    // A name is judged when it is resolved.
    assert_eq!(waking.phone.subscribes("https://localhost/push/0").await.0, 200);
    let told = waking.login(1).await;
    assert!(told.received("Access-Challenge"), "{}", told.0);
    assert_eq!((waking.pushes("unsent", 1.0).await, waking.accepts().await), (1.0, 0.0));
    assert_eq!((waking.service.messages().len(), waking.troubles(0.0).await), (0, 0.0), "no phone can fill the log");
}

#[tokio::test(flavor = "multi_thread")]
async fn no_phone_provokes_a_fail_open_and_who_has_no_code_is_refused_with_the_reason() {
    let rules = "[[rule]]\nname = \"everybody\"\nwhen = { group = \"Staff\" }\nsecond_factor = [\"push\"]\n\
                 until = 2099-01-01\nif_unavailable = { push = \"accept\" }\n";
    let waking = Waking::of(|plan| plan.rules(rules).grouped("alice", "Staff")).await;
    waking.subscribes().await;
    let ways =
        [Answers::Status(413, None), Answers::Status(429, Some("0")), Answers::Status(503, Some("0")), Answers::Hang];
    for (place, answers) in (1..).zip(ways) {
        waking.service.now([answers]);
        let told = waking.login(place).await;
        assert!(told.received("Access-Reject"), "{place}: {}", told.0);
    }
    waking.service.now([Answers::Status(410, None)]);
    assert!(waking.login(9).await.received("Access-Reject"));
    let records = waking.house.site.logins(5).await;
    assert!(records.iter().all(|record| record["reason"] == "push_unavailable"), "{records:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_authority_that_is_no_file_of_certificates_keeps_the_program_from_starting_and_says_where() {
    let nps = Stub::accepting("hello").await;
    let portal = at(18443);
    let site = vestibule::guarding(&nps).and(&format!(
        "[portal]\nlisten = \"{portal}\"\nurl = \"http://{portal}\"\n[method.push]\n\
         vapid_contact = \"mailto:it@example.com\"\nwebpush_ca = \"push-ca.pem\"\n"
    ));
    let site = site.built().await;
    for (text, said) in [(None, "can't be read"), (Some("no certificate"), "not a file of PEM certificates")] {
        if let Some(text) = text {
            site.write("push-ca.pem", text);
        }
        for command in ["check", "serve"] {
            let output = site.run(&[command]).await;
            let told = String::from_utf8_lossy(&output.stderr) + String::from_utf8_lossy(&output.stdout);
            assert_ne!(output.status.code(), Some(0), "{command}: {told}");
            assert!(told.contains("[method.push] webpush_ca") && told.contains(said), "{command}: {told}");
        }
    }
}
