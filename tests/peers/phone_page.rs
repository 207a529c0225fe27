//! Our page as a phone, in a real browser: activated by a code, it shows who asks, signs what was tapped, and rings while closed.

use ::vestibule::store::Answered::Taken;
use login::{DeviceId, Number, NumberMatch, PhoneAnswer};
use serde_json::json;

use crate::harness::browser::{Browser, button, css, field, heading};
use crate::harness::page_phone::published_subscription_keys;
use crate::harness::phone_house::PhoneHouse;

/// Nobody but this host is found: no push service, whatever network the tests run in.
const OUT_OF_REACH: &str = "--host-resolver-rules=MAP * 0.0.0.0,EXCLUDE localhost";

/// A browser whose page is alice's phone, and its device.
async fn activated(house: &PhoneHouse) -> (Browser, DeviceId) {
    let (code, device) = house.code_of_alice().await;
    let browser = Browser::phone().start().await;
    browser.go(&house.page()).await;
    browser.has(&heading("Make this your phone")).await;
    browser.type_into(&field("Code"), &code.to_lowercase()).await;
    browser.click(&button("Activate")).await;
    browser.has(&heading("Nothing to confirm")).await;
    (browser, device)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_becomes_a_phone_shows_who_asks_and_lets_them_in() {
    let house = PhoneHouse::opens().await;
    let (browser, device) = activated(&house).await;
    assert_eq!(house.phone(&device).await.unwrap().spki.len(), 91);
    let prompt = house.asks_alice(NumberMatch::Off).await;
    browser.has(&heading("Is this you, logging in?")).await;
    for shown in ["Example VPN", "alice", "hq-asa", "203.0.113.7"] {
        browser.sees(shown).await;
    }
    browser.click(&button("Verify")).await;
    browser.has(&heading("Verified")).await;
    assert_eq!(house.said(), [(PhoneAnswer::Approve, None, Taken)]);
    house.takes_back(prompt).await;
    browser.click(&button("Close")).await;
    house.asks_alice(NumberMatch::Off).await;
    browser.click(&button("Deny")).await;
    browser.has(&heading("Denied")).await;
    browser.click(&button("Close")).await;
    house.asks_alice(NumberMatch::Off).await;
    browser.click(&button("It wasn't me")).await;
    browser.sees("Somebody knows your password").await;
    browser.click(&css("#sure-yes")).await;
    browser.has(&heading("Reported")).await;
    assert_eq!(house.said()[1..], [(PhoneAnswer::Deny, None, Taken), (PhoneAnswer::Fraud, None, Taken)]);
    browser.assert_no_errors().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_number_a_pin_and_a_code_are_asked_for_and_shown() {
    let house = PhoneHouse::opens().await;
    let (browser, _) = activated(&house).await;
    let prompt = house.asks_alice(NumberMatch::Shown(Number(42))).await;
    browser.type_into(&field("The number that your login shows"), "42").await;
    browser.click(&button("Verify")).await;
    browser.has(&heading("Verified")).await;
    assert_eq!(house.said(), [(PhoneAnswer::Approve, Some(Number(42)), Taken)]);
    house.takes_back(prompt).await;
    browser.click(&button("Close")).await;
    let prompt = house.asks_alice(NumberMatch::Typed(Number(4831))).await;
    browser.sees("After that, this phone shows six digits").await;
    browser.click(&button("Verify")).await;
    browser.has(&heading("Type this code")).await;
    assert_eq!(browser.text_of(&css("p#digits")).await, "004831");
    assert_eq!(house.said().len(), 1, "a yes that shows a code approves nothing");
    house.takes_back(prompt).await;
    browser.click(&button("Close")).await;
    house.has_pin("246810").await;
    house.asks_alice_for_her_pin().await;
    browser.type_into(&field("Your PIN"), "111111").await;
    browser.click(&button("Authenticate")).await;
    browser.sees("That is not your PIN. Tries left: 2.").await;
    browser.type_into(&field("Your PIN"), "246810").await;
    browser.click(&button("Authenticate")).await;
    browser.has(&heading("Verified")).await;
    assert_eq!(house.said()[1..], [(PhoneAnswer::Approve, None, Taken)]);
    browser.assert_no_errors().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_tells_what_its_answer_led_to_once_that_is_known() {
    let house = PhoneHouse::opens().await;
    let (browser, _) = activated(&house).await;
    let prompt = house.asks_alice(NumberMatch::Off).await;
    browser.click(&button("Verify")).await;
    browser.has(&heading("Verified")).await;
    house.takes_back(prompt).await;
    browser.has(&heading("This login has ended")).await;
    let prompt = house.asks_alice(NumberMatch::Off).await;
    browser.click(&button("Verify")).await;
    browser.has(&heading("Verified")).await;
    house.lets_in(prompt).await;
    browser.has(&heading("You're in")).await;
    browser.click(&button("Close")).await;
    browser.has(&heading("Nothing to confirm")).await;
    browser.assert_no_errors().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_login_that_is_asked_again_is_marked_so_while_it_is_on_the_screen() {
    let house = PhoneHouse::opens().await;
    let (browser, _) = activated(&house).await;
    let prompt = house.asks_alice(NumberMatch::Off).await;
    browser.has(&heading("Is this you, logging in?")).await;
    assert_eq!(browser.property_of(&css("#again"), "hidden").await, true);
    house.asked_by(2);
    browser.until("!document.getElementById('again').hidden").await;
    browser.sees("The same login was asked again.").await;
    browser.click(&button("Verify")).await;
    browser.has(&heading("Verified")).await;
    house.takes_back(prompt).await;
    browser.assert_no_errors().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_report_is_of_the_login_that_was_on_the_screen_at_the_tap() {
    let house = PhoneHouse::opens().await;
    let (browser, _) = activated(&house).await;
    let first = house.asks_alice(NumberMatch::Off).await;
    browser.click(&button("It wasn't me")).await;
    browser.sees("Somebody knows your password").await;
    house.takes_back(first).await;
    browser.until("!document.getElementById('rest').hidden").await;
    house.asks_alice(NumberMatch::Off).await;
    browser.until("!document.getElementById('request').hidden").await;
    browser.click(&css("#sure-yes")).await;
    browser.sees("Reported").await;
    assert_eq!(house.said_of(), [(first, PhoneAnswer::Fraud)], "rules A8: a late report counts");
    browser.has(&heading("Is this you, logging in?")).await;
    browser.assert_no_errors().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pin_that_is_set_meanwhile_answers_the_login_that_asked_for_it() {
    let house = PhoneHouse::opens().await;
    let (browser, _) = activated(&house).await;
    house.asks_alice_for_her_pin().await;
    browser.type_into(&field("Your PIN"), "135790").await;
    browser.click(&button("Authenticate")).await;
    browser.has(&heading("You have no PIN yet")).await;
    house.has_pin("246810").await;
    browser.click(&button("Close")).await;
    browser.type_into(&field("Your PIN"), "246810").await;
    browser.click(&button("Authenticate")).await;
    browser.has(&heading("Verified")).await;
    browser.assert_no_errors().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_prompt_that_ends_leaves_the_screen_and_a_removed_phone_says_so() {
    let house = PhoneHouse::opens_without_waiting().await;
    let (browser, device) = activated(&house).await;
    let prompt = house.asks_alice(NumberMatch::Off).await;
    browser.has(&heading("Is this you, logging in?")).await;
    house.takes_back(prompt).await;
    browser.sees("That request has ended.").await;
    house.forgets(&device).await;
    browser.has(&heading("This phone is not known any more")).await;
    browser.click(&button("Activate it again")).await;
    browser.has(&heading("Make this your phone")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_phone_that_is_being_added_gets_its_test_push_alone_and_shows_its_key() {
    let house = PhoneHouse::opens().await;
    let (code, device) = house.code_that_needs_a_test().await;
    let browser = Browser::phone().start().await;
    browser.go(&format!("{}#{code}", house.page())).await;
    browser.click(&button("Activate")).await;
    browser.sees("Compare this with what the portal shows:").await;
    let fingerprint = house.phone(&device).await.unwrap().device.fingerprint.unwrap();
    assert_eq!(browser.text_of(&css("#fingerprint")).await, *fingerprint);
    house.tests(&device).await;
    browser.sees("This is a test. Nobody logs in").await;
    browser.click(&button("Verify")).await;
    browser.has(&heading("It works")).await;
    assert_eq!(house.said(), [(PhoneAnswer::Approve, None, Taken)]);
    browser.assert_no_errors().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_code_in_the_address_is_taken_out_of_it_and_a_wrong_one_is_told() {
    let house = PhoneHouse::opens().await;
    let (code, device) = house.code_of_alice().await;
    let browser = Browser::phone().start().await;
    browser.go(&format!("{}#0000-0000-0000-0000-0000", house.page())).await;
    browser.has(&heading("Make this your phone")).await;
    assert_eq!(browser.url().await, house.page());
    browser.click(&button("Activate")).await;
    browser.sees("This code is wrong, used or too old.").await;
    browser.go("about:blank").await;
    browser.go(&format!("{}#{code}", house.page())).await;
    browser.click(&button("Activate")).await;
    browser.has(&heading("Nothing to confirm")).await;
    browser.click(&css("#about > summary")).await;
    browser.click(&button("Remove this phone")).await;
    browser.click(&css("#sure-yes")).await;
    browser.has(&heading("Make this your phone")).await;
    assert!(house.phone(&device).await.is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_closed_page_rings_by_its_worker_and_says_nothing_of_whom() {
    let house = PhoneHouse::opens().await;
    let (browser, _) = activated(&house).await;
    browser.grant("notifications").await;
    browser.has_worker().await;
    // Another document of the origin, which only listens for the worker's word that it has shown something.
    browser.go(&format!("{}site.json", house.page())).await;
    let listen = "navigator.serviceWorker.addEventListener('message', () => { window.looked = true; }); \
                  navigator.serviceWorker.startMessages();";
    browser.script(listen, json!([])).await;
    let notification = json!({ "title": "x", "navigate": house.page() });
    for (exp, told) in [
        (4_000_000_000_u64, "Is this you, logging in?|Open to see who asks. Deny what you did not start."),
        (1_000_000_000, "A login has ended|Nobody waits for your answer any more."),
    ] {
        let push = json!({ "web_push": 8030, "notification": notification, "v": 1, "ch": "00", "exp": exp });
        browser.deliver_push(&house.origin(), 0, &push.to_string()).await;
        browser.until("window.looked").await;
        let shown = browser
            .script(
                "window.looked = false; const registration = await navigator.serviceWorker.getRegistration('/phone/'); \
                 return (await registration.getNotifications()).map((one) => one.title + '|' + one.body);",
                json!([]),
            )
            .await;
        assert_eq!(shown, json!([told]), "one at a time, and never who or from where");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_and_its_notifications_speak_what_their_user_chose_and_follow_a_change() {
    let house = PhoneHouse::opens().await;
    house.speaks(Some("de")).await;
    let (code, _) = house.code_of_alice().await;
    let browser = Browser::phone().start().await;
    browser.go(&format!("{}#{code}", house.page())).await;
    browser.click(&button("Activate")).await;
    browser.has(&heading("Nichts zu best\u{e4}tigen")).await;
    assert_eq!(browser.script("return document.documentElement.lang", json!([])).await, "de");
    browser.sees("\u{dc}ber dieses Telefon").await;
    browser.is_for_everybody("phone-rest-chosen").await;
    let kept = "return (await vestibule.keptTexts()).texts['phone-push-late-title'];";
    assert_eq!(browser.script(kept, json!([])).await, "Eine Anmeldung ist beendet");
    // As it is opened again, and before the server was asked anything.
    house.asks_alice(NumberMatch::Off).await;
    browser.go("about:blank").await;
    browser.go(&house.page()).await;
    browser.has(&button("Ablehnen")).await;
    house.speaks(None).await;
    browser.has(&button("Deny")).await;
    browser.click(&button("Deny")).await;
    browser.has(&heading("Denied")).await;
    browser.assert_no_errors().await;
}

/// Chromium 156 answers `PushManager.subscribe()` never where the push service is out of reach: the page froze for good.
#[tokio::test(flavor = "multi_thread")]
async fn a_phone_whose_push_service_is_out_of_reach_shows_logins_meanwhile_and_says_why_it_won_t_ring() {
    let house = PhoneHouse::opens().await;
    let (code, device) = house.code_of_alice().await;
    let browser = Browser::phone().flag(OUT_OF_REACH).start().await;
    browser.go(&house.page()).await;
    browser.grant("notifications").await;
    browser.type_into(&field("Code"), &code).await;
    browser.click(&button("Activate")).await;
    // For sure, whatever this version of Chromium does by itself.
    let never = "PushManager.prototype.subscribe = () => new Promise(() => { window.asked = true; });";
    browser.script(never, json!([])).await;
    browser.click(&button("Let this phone ring")).await;
    browser.until("window.asked").await;
    let prompt = house.asks_alice(NumberMatch::Off).await;
    browser.has(&heading("Is this you, logging in?")).await;
    browser.click(&button("Verify")).await;
    browser.has(&heading("Verified")).await;
    house.lets_in(prompt).await;
    browser.click(&button("Close")).await;
    browser.sees("This phone won't ring: the push service of its browser can't be reached.").await;
    browser.has(&button("Try again")).await;
    browser.is_for_everybody("phone-ring-unreachable").await;
    assert!(house.phone(&device).await.unwrap().device.subscription.is_none());
    // It comes after all, and then it counts.
    let later = "PushManager.prototype.subscribe = async () => ({ toJSON: () => ({ endpoint: \
                 'https://push.example.net/x', keys: arguments[0] }) }); \
                 PushManager.prototype.getSubscription = async function () { return this.subscribe(); };";
    browser.script(later, json!([published_subscription_keys()])).await;
    browser.click(&button("Try again")).await;
    browser.sees("This phone rings when somebody logs in.").await;
    assert!(house.phone(&device).await.unwrap().device.subscription.is_some());
    browser.assert_no_errors().await;
}

/// As Chromium itself behaves: whichever way it fails, the page goes on.
#[tokio::test(flavor = "multi_thread")]
async fn chromium_s_own_push_service_out_of_reach_keeps_no_login_from_the_phone() {
    let house = PhoneHouse::opens().await;
    let (code, _) = house.code_of_alice().await;
    let browser = Browser::phone().flag(OUT_OF_REACH).start().await;
    browser.go(&house.page()).await;
    browser.grant("notifications").await;
    browser.type_into(&field("Code"), &code).await;
    browser.click(&button("Activate")).await;
    browser.click(&button("Let this phone ring")).await;
    house.asks_alice(NumberMatch::Off).await;
    browser.click(&button("Deny")).await;
    browser.has(&heading("Denied")).await;
    browser.click(&button("Close")).await;
    browser.sees("This phone won't ring: the push service of its browser can't be reached.").await;
}

/// What else a browser may promise and never keep: each of it leaves the page alive, and it says what to do.
#[tokio::test(flavor = "multi_thread")]
async fn no_promise_that_a_browser_never_keeps_holds_a_login_back() {
    let house = PhoneHouse::opens().await;
    let (browser, _) = activated(&house).await;
    let never = "const never = () => new Promise(() => undefined); \
                 PushManager.prototype.getSubscription = never; CacheStorage.prototype.open = never; \
                 ServiceWorkerContainer.prototype.getRegistration = never; \
                 ServiceWorkerContainer.prototype.register = never; StorageManager.prototype.persist = never; \
                 Notification.requestPermission = never; \
                 Object.defineProperty(ServiceWorkerContainer.prototype, 'ready', { get: never });";
    let early = browser.devtools("Page.addScriptToEvaluateOnNewDocument", json!({ "source": never })).await;
    assert!(early["identifier"].is_string());
    browser.reload().await;
    browser.has(&heading("Nothing to confirm")).await;
    house.asks_alice(NumberMatch::Off).await;
    browser.click(&button("Deny")).await;
    browser.has(&heading("Denied")).await;
    browser.click(&button("Close")).await;
    // Its owner has not answered the browser's question.
    browser.click(&button("Let this phone ring")).await;
    house.asks_alice(NumberMatch::Off).await;
    browser.click(&button("Deny")).await;
    browser.has(&heading("Denied")).await;
    browser.click(&button("Close")).await;
    // Storage that never opens: the phone's key is there and can't be read, which is told.
    let closed = "IDBFactory.prototype.open = () => ({});";
    browser.devtools("Page.addScriptToEvaluateOnNewDocument", json!({ "source": closed })).await;
    browser.reload().await;
    browser.sees("This browser can't read what it keeps for this page.").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_is_there_for_everybody_whatever_is_asked_of_it() {
    let house = PhoneHouse::opens().await;
    let browser = Browser::phone().start().await;
    browser.go(&house.page()).await;
    browser.has(&heading("Make this your phone")).await;
    browser.is_for_everybody("phone-activate").await;
    browser.type_into(&css("#code"), "0000-0000-0000-0000-0000").await;
    browser.press("Enter").await;
    browser.sees("This code is wrong, used or too old.").await;
    browser.is_for_everybody("phone-activate-refused").await;
    let (code, device) = house.code_that_needs_a_test().await;
    browser.type_into(&css("#code"), &code).await;
    browser.press("Enter").await;
    browser.has(&heading("Almost done")).await;
    browser.is_for_everybody("phone-keyed").await;
    house.tests(&device).await;
    browser.sees("This is a test. Nobody logs in").await;
    browser.is_for_everybody("phone-test").await;
    browser.click(&button("Verify")).await;
    browser.has(&heading("It works")).await;
    browser.is_for_everybody("phone-tested").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_is_there_for_everybody_whatever_it_asks() {
    let house = PhoneHouse::opens().await;
    let (browser, device) = activated(&house).await;
    browser.is_for_everybody("phone-rest").await;
    browser.click(&css("#about > summary")).await;
    browser.is_for_everybody("phone-about").await;
    browser.click(&css("#about > summary")).await;
    house.asked_by(2);
    let prompt = house.asks_alice(NumberMatch::Off).await;
    browser.has(&heading("Is this you, logging in?")).await;
    browser.is_for_everybody("phone-request").await;
    browser.click(&button("It wasn't me")).await;
    browser.sees("Somebody knows your password").await;
    browser.is_for_everybody("phone-report").await;
    browser.click(&button("Back")).await;
    browser.click(&button("Verify")).await;
    browser.has(&heading("Verified")).await;
    browser.is_for_everybody("phone-verified").await;
    house.lets_in(prompt).await;
    house.asked_by(1);
    browser.has(&heading("You're in")).await;
    browser.is_for_everybody("phone-let-in").await;
    let prompt = house.asks_alice(NumberMatch::Shown(Number(42))).await;
    browser.has(&field("The number that your login shows")).await;
    browser.is_for_everybody("phone-number").await;
    house.takes_back(prompt).await;
    browser.sees("That request has ended.").await;
    browser.is_for_everybody("phone-ended").await;
    let prompt = house.asks_alice(NumberMatch::Typed(Number(123_456))).await;
    browser.has(&heading("Is this you, logging in?")).await;
    browser.is_for_everybody("phone-typed").await;
    browser.click(&button("Verify")).await;
    browser.has(&heading("Type this code")).await;
    browser.is_for_everybody("phone-code").await;
    house.takes_back(prompt).await;
    house.has_pin("246810").await;
    let prompt = house.asks_alice_for_her_pin().await;
    browser.type_into(&field("Your PIN"), "111111").await;
    browser.is_for_everybody("phone-pin").await;
    browser.click(&button("Authenticate")).await;
    browser.sees("That is not your PIN. Tries left: 2.").await;
    browser.is_for_everybody("phone-pin-wrong").await;
    house.takes_back(prompt).await;
    browser.sees("That request has ended.").await;
    house.asks_alice(NumberMatch::Off).await;
    browser.click(&button("Deny")).await;
    browser.has(&heading("Denied")).await;
    browser.is_for_everybody("phone-denied").await;
    house.asks_alice(NumberMatch::Off).await;
    browser.click(&button("It wasn't me")).await;
    browser.click(&css("#sure-yes")).await;
    browser.has(&heading("Reported")).await;
    browser.is_for_everybody("phone-reported").await;
    browser.click(&button("Close")).await;
    house.forgets(&device).await;
    browser.has(&heading("This phone is not known any more")).await;
    browser.is_for_everybody("phone-unknown").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_fits_in_every_language() {
    let house = PhoneHouse::opens().await;
    for (language, spoken) in [("de", "de-AT,de"), ("nl", "nl"), ("fr", "fr-CA,fr")] {
        let browser = Browser::phone().speaking(spoken).start().await;
        browser.go(&house.page()).await;
        browser.has(&css("#activate:not([hidden])")).await;
        assert_eq!(browser.script("return document.documentElement.lang", json!([])).await, language);
        browser.assert_no_overflow().await;
        let (code, device) = house.code_of_alice().await;
        browser.type_into(&css("#code"), &code).await;
        browser.press("Enter").await;
        browser.has(&css("#rest:not([hidden])")).await;
        browser.assert_no_overflow().await;
        let prompt = house.asks_alice(NumberMatch::Shown(Number(42))).await;
        browser.has(&css("#request:not([hidden])")).await;
        browser.is_for_everybody(&format!("phone-request-{language}")).await;
        house.takes_back(prompt).await;
        browser.has(&css("#rest:not([hidden])")).await;
        house.forgets(&device).await;
        browser.assert_no_errors().await;
    }
}
