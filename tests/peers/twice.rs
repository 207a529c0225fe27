//! A form that is sent twice: by a double click, a reload, from a second tab. It is done once, and both sends are shown what it
//! came to; nobody is told "Nothing was changed" where something was.

use std::time::Duration;

use ::vestibule::enrolment::issue_code;
use ::vestibule::store::{CodePurpose, CodeSpent};
use login::ResolvedUser;
use serde_json::json;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use crate::harness::browser::{Browser, button, css, field, heading, link};
use crate::harness::oath::{self, seed};
use crate::harness::portal_house::PortalHouse;
use crate::harness::until;
use crate::harness::web::Web;

const TOO_OLD: &str = "This page was open for too long";

async fn acts(house: &PortalHouse, name: &str, act: &str) -> usize {
    let acts = house.store().acts_on(&ResolvedUser::new(name), 50).await.unwrap();
    let told = |json: &str| serde_json::from_str::<serde_json::Value>(json).unwrap()["act"] == act;
    acts.iter().filter(|written| told(&written.json)).count()
}

/// Alice, with a second code of her token, so that two people can be signed in with it.
async fn on(page: &str, house: &PortalHouse) -> Web {
    let mut alice = house.alice().await;
    assert_eq!(alice.get(page).await.status, 200);
    alice
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_send_is_shown_what_the_first_came_to_and_is_in_the_same_session() {
    let house = PortalHouse::opens().await;
    let alice = on("/recovery", &house).await;
    let (mut first, mut second) = (alice.clone(), alice);
    let made = first.post("/recovery", &[]).await;
    let again = second.post("/recovery", &[]).await;
    assert_eq!((made.status, again.status), (200, 200), "{}", again.body);
    assert_eq!(made.body, again.body, "the codes that were made, and no others");
    assert_eq!(first.cookie, second.cookie, "the session goes on wherever it was sent from");
    assert_eq!(acts(&house, "alice", "make_recovery_codes").await, 1);
    assert_eq!(second.get("/").await.status, 200);
    // And a reload, which brings the new id.
    let mut third = second.clone();
    third.csrf.clone_from(&first.csrf);
    let sent = made.body.clone();
    let token = sent.split("name=\"csrf\" value=\"").nth(1).unwrap().split('"').next().unwrap().to_owned();
    assert_eq!(third.csrf, token, "the page that was shown has forms of its own");
    third.get("/recovery").await;
    assert_ne!(third.post("/recovery", &[]).await.body, made.body, "another page's form is another send");
    assert_eq!(acts(&house, "alice", "make_recovery_codes").await, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reload_shows_the_same_page_and_does_nothing() {
    let house = PortalHouse::opens().await;
    let before = on("/recovery", &house).await;
    let mut alice = before.clone();
    let made = alice.post("/recovery", &[]).await;
    alice.get("/").await;
    // The browser has its new id, and sends the old form once more.
    let mut reload = alice.clone();
    reload.csrf.clone_from(&before.csrf);
    let shown = reload.post("/recovery", &[]).await;
    assert_eq!((shown.status, &shown.body), (200, &made.body));
    assert_eq!(shown.set_cookie, None, "nobody is handed an id that is in use");
    // Who comes with the id of before is no longer let in by it.
    let mut late = before;
    let shown = late.post("/recovery", &[]).await;
    assert_eq!(shown.set_cookie, None);
    assert_eq!(late.get("/").await.location, "/sign-in");
    assert_eq!(acts(&house, "alice", "make_recovery_codes").await, 1);
    // A session that is over shows nothing that it was shown, but for the moment of a double click.
    assert_eq!(alice.post("/sign-out", &[]).await.location, "/sign-in");
    assert_eq!(reload.post("/recovery", &[]).await.location, "/sign-in");
}

#[tokio::test(flavor = "multi_thread")]
async fn four_sends_at_once_are_one_act_and_one_answer() {
    let house = PortalHouse::opens().await;
    let mut alice = on("/app", &house).await;
    let page = alice.get("/app").await.body;
    let secret = page.split("class=\"secret\"").nth(1).unwrap().split('>').nth(1).unwrap().split('<').next().unwrap();
    let octets = data_encoding::BASE32_NOPAD.decode(secret.replace(' ', "").as_bytes()).unwrap();
    let code = oath::totp(&octets);
    let mut sends = tokio::task::JoinSet::new();
    for _ in 0..4 {
        let (mut tab, code) = (alice.clone(), code.clone());
        sends.spawn(async move {
            (tab.post("/app", &[("code", &code)]).await.location, tab.cookie.clone(), tab.get("/").await.status)
        });
    }
    let answers = sends.join_all().await;
    let (_, cookie, _) = answers[0].clone();
    let one = ("/?done=method-added".to_owned(), cookie, 200);
    assert!(answers.iter().all(|answer| *answer == one), "{answers:?}");
    assert_eq!(house.tokens("alice").await.len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_leaves_before_the_answer_has_it_done_and_finds_it_when_it_is_sent_again() {
    let house = PortalHouse::opens().await;
    let alice = on("/recovery", &house).await;
    let body = format!("csrf={}", alice.csrf);
    let (at, cookie) = (house.url.strip_prefix("http://").unwrap(), alice.cookie.clone().unwrap());
    let request = format!(
        "POST /recovery HTTP/1.1\r\nhost: {at}\r\ncookie: {cookie}\r\ncontent-length: {}\r\n\
         content-type: application/x-www-form-urlencoded\r\n\r\n{body}",
        body.len(),
    );
    let mut browser = TcpStream::connect(at).await.unwrap();
    browser.write_all(request.as_bytes()).await.unwrap();
    // It is under way; then the browser is gone, as it is at the second click.
    until("the act", async || (acts(&house, "alice", "make_recovery_codes").await == 1).then_some(())).await;
    drop(browser);
    let mut second = alice;
    let shown = second.post("/recovery", &[]).await;
    assert_eq!(shown.status, 200, "{}", shown.body);
    assert!(shown.body.contains("These codes are shown this once."));
    assert_eq!(acts(&house, "alice", "make_recovery_codes").await, 1);
    assert_eq!(second.get("/").await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_tab_is_shown_what_the_first_did_and_an_old_form_of_which_nothing_was_sent_is_told_so() {
    let house = PortalHouse::opens().await;
    let mut first = on("/recovery", &house).await;
    // Two more tabs of the same browser.
    let (mut second, mut third) = (first.clone(), first.clone());
    second.get("/recovery").await;
    third.get("/").await;
    assert_ne!(second.csrf, first.csrf, "each page has a token of its own");
    let made = first.post("/recovery", &[]).await;
    let id = first.cookie.clone();
    for tab in [&mut second, &mut third] {
        tab.cookie.clone_from(&id);
    }
    let shown = second.post("/recovery", &[]).await;
    assert_eq!((shown.status, &shown.body), (200, &made.body), "it did just this");
    let old = third.post("/language", &[("language", "de")]).await;
    assert_eq!(old.status, 403);
    assert!(old.body.contains(TOO_OLD) && old.body.contains("Nothing was changed."), "{}", old.body);
    assert_eq!(house.store().choices(&ResolvedUser::new("alice")).await.unwrap().language, None);
    assert_eq!(acts(&house, "alice", "make_recovery_codes").await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_page_with_other_fields_is_another_send() {
    let house = PortalHouse::opens().await;
    let mut alice = on("/", &house).await;
    for language in ["de", "fr", "de"] {
        assert_eq!(alice.post("/language", &[("language", language)]).await.location, "/?done=saved");
    }
    let chosen = house.store().choices(&ResolvedUser::new("alice")).await.unwrap().language;
    assert_eq!(chosen.as_deref(), Some("fr"), "the third was sent already");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_double_click_at_the_sign_in_signs_in_once() {
    let house = PortalHouse::opens().await;
    let mut web = house.web();
    web.get("/sign-in").await;
    let form = [("name", "alice"), ("password", "pw of alice")];
    let (mut first, mut second, mut tab) = (web.clone(), web.clone(), web.clone());
    tab.get("/sign-in").await;
    assert_eq!(first.post("/sign-in", &form).await.location, "/sign-in/second");
    assert_eq!(second.post("/sign-in", &form).await.location, "/sign-in/second");
    assert_eq!(first.cookie, second.cookie);
    // Another tab that stood at the sign-in.
    tab.cookie.clone_from(&first.cookie);
    assert_eq!(tab.post("/sign-in", &form).await.location, "/sign-in/second");
    let other = tab.post("/sign-in", &[("name", "carol"), ("password", "pw of carol")]).await;
    assert_eq!(other.status, 403, "not what was sent");
    // The second door, too.
    first.get("/sign-in/second").await;
    let code = [("code", &*oath::totp(&seed("alice"))), ("then", "/")];
    let mut click = first.clone();
    assert_eq!(first.post("/sign-in/code", &code).await.location, "/");
    assert_eq!(click.post("/sign-in/code", &code).await.location, "/");
    assert_eq!(click.get("/").await.status, 200);
    let store = house.store();
    let sessions = store.list_web_sessions(&ResolvedUser::new("alice"), house.house.server.clock().moment().wall);
    assert_eq!(sessions.await.unwrap().len(), 1);
    // A wrong code that is sent twice is one guess.
    let mut carol = house.web();
    carol.password("carol", "pw of carol").await;
    carol.get("/sign-in/second").await;
    let mut click = carol.clone();
    let wrong = carol.post("/sign-in/activation", &[("activation", "WRONG")]).await;
    assert_eq!((wrong.status, wrong.body), {
        let again = click.post("/sign-in/activation", &[("activation", "WRONG")]).await;
        (again.status, again.body)
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn what_somebody_planted_or_saw_before_opens_nothing_after() {
    let house = PortalHouse::opens().await;
    let planted = {
        let mut web = house.web();
        web.get("/sign-in").await;
        web
    };
    // The victim's browser has the planted id, and a page of its own.
    let mut victim = planted.clone();
    assert_eq!(victim.password("alice", "pw of alice").await.location, "/sign-in/second");
    // Whoever planted it knows the id, has a page of their own, and even knows the password.
    let mut thief = planted.clone();
    thief.get("/sign-in").await;
    assert_eq!(
        thief.post("/sign-in", &[("name", "alice"), ("password", "pw of alice")]).await.location,
        "/sign-in/second"
    );
    assert_ne!(thief.cookie, victim.cookie, "a session of their own, which owes the factor");
    // The very form of the victim, once its browser has the new id.
    let form = [("code", &*oath::totp(&seed("alice"))), ("then", "/")];
    victim.get("/sign-in/second").await;
    let seen = victim.clone();
    assert_eq!(victim.post("/sign-in/code", &form).await.location, "/");
    assert_eq!(victim.get("/").await.status, 200);
    let mut thief = seen;
    let shown = thief.post("/sign-in/code", &form).await;
    assert_eq!(shown.set_cookie, None);
    assert_eq!(thief.get("/").await.location, "/sign-in");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_who_clicks_twice_sees_what_was_made() {
    let house = PortalHouse::opens().await;
    let browser = Browser::desktop().start().await;
    browser.go(&house.url).await;
    browser.type_into(&field("User name"), "alice").await;
    browser.type_into(&css("#password"), "pw of alice").await;
    twice(&browser, "form[action='/sign-in'] button").await;
    browser.has(&heading("Prove that it is you")).await;
    browser.type_into(&css("#code"), &oath::totp(&seed("alice"))).await;
    twice(&browser, "form[action='/sign-in/code'] button").await;
    browser.has(&heading("My logins")).await;
    browser.click(&link("Make new codes")).await;
    browser.has(&button("Make new codes")).await;
    twice(&browser, "form[action='/recovery'] button").await;
    browser.sees("These codes are shown this once.").await;
    assert_eq!(acts(&house, "alice", "make_recovery_codes").await, 1);
    let codes = browser.text_of(&css(".codes")).await;
    browser.reload().await;
    browser.sees("These codes are shown this once.").await;
    assert_eq!(browser.text_of(&css(".codes")).await, codes);
    assert_eq!(acts(&house, "alice", "make_recovery_codes").await, 1);
}

/// Two clicks in one moment, as a hand does them.
async fn twice(browser: &Browser, button: &str) {
    browser.has(&css(button)).await;
    let both = "const [all] = arguments; const button = document.querySelector(all); button.click(); button.click();";
    browser.script(both, json!([button])).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_activation_code_that_is_sent_twice_begins_one_enrolment() {
    let house = PortalHouse::opens().await;
    let at = house.house.server.clock().moment().wall;
    let carol = ResolvedUser::new("carol");
    let code = issue_code(house.store().as_ref(), &carol, CodePurpose::Enrol, at).await.unwrap();
    let typed = String::from_utf8(code.expose().to_vec()).unwrap();
    let mut web = house.web();
    web.password("carol", "pw of carol").await;
    web.get("/sign-in/second").await;
    let mut click = web.clone();
    assert_eq!(web.post("/sign-in/activation", &[("activation", &typed)]).await.location, "/");
    assert_eq!(click.post("/sign-in/activation", &[("activation", &typed)]).await.location, "/");
    assert!(click.get("/").await.body.contains("Choose one."), "both are where the first is");
    let bare = ::vestibule::enrolment::typed_code(&typed).unwrap();
    let store = house.store();
    let spent = store.spend_code(&carol, CodePurpose::Enrol, &bare, [1; 16], at.plus(Duration::from_secs(1)));
    assert_eq!(spent.await.unwrap(), CodeSpent::Wrong);
}
