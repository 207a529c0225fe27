//! The app from the stores, from the portal's page to the appliance and back, by the program itself and radclient: it is activated,
//! tested, opened, and what it says decides. A code, a number, an old version, a second phone, and a phone that is taken away.

use serde_json::{Value, json};

use crate::harness::oath::{seed, totp};
use crate::harness::page_phone::PagePhone;
use crate::harness::store_phone::{Shown, StorePhone};
use crate::harness::until;
use crate::harness::web::Web;
use crate::harness::whole_house::{WholeHouse, whole_house};

const NEWEST: (u16, u16, u16) = (4, 8, 0);
/// Denials leave no quiet: a test asks as often as it likes.
const NO_QUIET: &str = "push_quiet = \"1s\"\npush_quiet_max = \"1s\"";

/// The app is opened until it shows something.
async fn opened(phone: &mut StorePhone) -> Shown {
    until("a prompt on the phone", async || phone.looks().await.pop()).await
}

/// Begins a phone in the portal: its path there, and what it scans.
async fn begun(web: &mut Web) -> (String, String) {
    web.get("/phones/new").await;
    let path = web.post("/phones/new", &[("kind", "store")]).await.location;
    let page = web.get(&path).await;
    assert!(page.body.contains("<svg"), "a picture to scan: {}", page.body);
    let link = page.body.split("href=\"otpauth://").nth(1).unwrap().split('"').next().unwrap();
    (path, format!("otpauth://{}", link.replace("&#38;", "&").replace("&amp;", "&")))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_activates_the_app_in_the_portal_and_it_decides_a_login_at_the_vpn() {
    let house =
        whole_house("", |plan| plan.totp("alice").mail("alice", "alice@example.com").client("title = \"VPN Berlin\""))
            .await;
    let mut web = house.signed_in("alice").await;
    let (path, scanned) = begun(&mut web).await;
    assert_eq!(web.get(&format!("{path}/stands")).await.body, "waits");
    let mut phone = StorePhone::scans(&scanned, reqwest::Client::new());
    assert_eq!(phone.enrols().await.json["detail"]["rollout_state"], "enrolled");
    assert_eq!(phone.updates_its_token().await.value(), true);
    assert_eq!(web.get(&format!("{path}/stands")).await.body, "approved", "it is connected");
    let device = house.does(&["device", "list", "alice"]).await[0].clone();
    assert_eq!(device["state"], "keyed");
    let page = web.get(&path).await;
    assert!(page.body.contains(device["fingerprint"].as_str().unwrap()), "the session sees its key (rules F3)");

    // Before it answered the test no login rings it.
    let told = house.login("alice", 1).await;
    assert!(told.value("Reply-Message").contains("code") && phone.looks().await.is_empty(), "{}", told.0);

    web.get(&path).await;
    let test = web.post(&format!("{path}/ring"), &[]).await.location;
    assert!(test.starts_with(&format!("{path}/test/")), "{test}");
    let shown = opened(&mut phone).await;
    assert!(shown.question.contains("test") && shown.title == "Example VPN", "{shown:?}");
    web.get(&test).await;
    assert_eq!(web.post(&test, &[]).await.location, test, "not before the phone said yes");
    assert_eq!(phone.accepts(&shown).await.value(), true);
    assert_eq!(web.get(&format!("{test}/stands")).await.body, "approved");
    web.get(&test).await;
    assert_eq!(web.post(&test, &[]).await.location, "/?done=method-added");
    assert_eq!(house.does(&["device", "list", "alice"]).await[0]["state"], "active");
    let letter = house.mail.has(1).await[0].clone();
    assert_eq!(letter.to, ["alice@example.com"], "and its user reads of it");

    for (place, said, received) in [(2, true, "Access-Accept"), (3, false, "Access-Reject")] {
        let phone = async {
            let shown = opened(&mut phone).await;
            for part in ["alice", "VPN Berlin", &format!("203.0.113.{place}"), "UTC"] {
                assert!(shown.question.contains(part), "{part}: {}", shown.question);
            }
            let reply = if said { phone.accepts(&shown).await } else { phone.cancels(&shown).await };
            assert_eq!(reply.value(), true);
        };
        let (answer, ()) = tokio::join!(house.held("alice", place), phone);
        assert!(answer.received(received), "{}", answer.0);
    }
    // A denial may come before Enter: then the State is nobody's any more, which is a refusal of its own, and may be written first.
    let told = |login: &Value| (login["answer"].clone(), login["reason"].clone());
    house.house.site.login_that("was denied", |login| told(login) == (json!("reject"), json!("denied"))).await;
    let logins = house.house.site.logins(2).await;
    assert!(web.get("/logins").await.body.contains("VPN Berlin"), "and the portal calls the appliance so, too");
    assert_eq!(told(&logins[0]), (json!("accept"), json!("accepted")), "written before it was answered");
}

#[tokio::test(flavor = "multi_thread")]
async fn i_did_not_start_this_ends_the_login_and_blocks_pushes_and_tells_by_mail() {
    let house = whole_house("", |plan| plan.totp("alice").mail("alice", "alice@example.com")).await;
    let mut phone = house.store_phone("alice", NEWEST).await;
    let reports = async {
        let shown = opened(&mut phone).await;
        assert_eq!(phone.reports(&shown).await.value(), true);
    };
    let (answer, ()) = tokio::join!(house.held("alice", 1), reports);
    assert!(answer.received("Access-Reject"), "{}", answer.0);
    // One tells of the phone that the host added.
    let letters = house.mail.has(3).await;
    let mut to: Vec<&str> = letters.iter().map(|letter| letter.to[0].as_str()).collect();
    to.sort_unstable();
    assert_eq!(to, ["alice@example.com", "alice@example.com", "desk@example.com"]);
    let next = house.login("alice", 2).await;
    assert!(!next.received("Access-Accept"), "{}", next.0);
    assert!(phone.looks().await.is_empty(), "no phone rings any more");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_number_is_tapped_by_an_app_that_can_and_an_older_one_is_asked_for_a_code_instead() {
    let house = whole_house("number = \"shown\"", |plan| plan.limits(NO_QUIET).totp("alice").totp("bob")).await;
    let mut phone = house.store_phone("alice", (4, 7, 0)).await;
    for right in [true, false] {
        let place = if right { 1 } else { 2 };
        let told = house.login("alice", place).await;
        let number: String = told.value("Reply-Message").chars().filter(char::is_ascii_digit).take(2).collect();
        let shown = opened(&mut phone).await;
        assert!(shown.choices.contains(&number), "{number} of {:?}", shown.choices);
        let tapped = shown.choices.iter().find(|choice| (**choice == number) == right).unwrap().clone();
        let taps = async { phone.taps(&shown, &tapped).await.value().clone() };
        let (answer, taken) = tokio::join!(house.answers("alice", place, &told, ""), taps);
        assert_eq!(taken, right);
        assert!(answer.received(if right { "Access-Accept" } else { "Access-Reject" }), "{}", answer.0);
    }
    let mut old = house.store_phone("bob", (4, 3, 9)).await;
    let told = house.login("bob", 3).await;
    assert!(told.value("Reply-Message").contains("Enter the code"), "{}", told.0);
    assert!(old.looks().await.is_empty());
    assert!(house.answers("bob", 3, &told, &totp(&seed("bob"))).await.received("Access-Accept"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_code_is_read_from_the_app_and_typed_and_done_changes_nothing() {
    let house = whole_house("number = \"typed\"", |plan| plan.totp("alice").totp("bob")).await;
    let mut phone = house.store_phone("alice", (4, 7, 0)).await;
    let told = house.login("alice", 1).await;
    assert!(told.value("Reply-Message").contains("6 digits"), "{}", told.0);
    let shown = opened(&mut phone).await;
    let code = phone.accepts(&shown).await.code().unwrap().to_owned();
    assert_eq!(phone.done(&shown).await.value(), false, "the button below the code is no denial (rules F5)");
    let answer = house.answers("alice", 1, &told, &code).await;
    assert!(answer.received("Access-Accept"), "{}", answer.0);
    let elsewhere = house.answers("alice", 9, &told, &code).await;
    assert!(elsewhere.received("Access-Reject"), "a State is spent once (rules C3): {}", elsewhere.0);

    let mut old = house.store_phone("bob", (4, 6, 9)).await;
    let told = house.login("bob", 2).await;
    assert!(told.value("Reply-Message").contains("Enter the code"), "{}", told.0);
    assert!(old.looks().await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_app_speaks_its_user_s_language_and_says_the_same_in_each() {
    let house = whole_house("number = \"typed\"", |plan| plan.limits(NO_QUIET).totp("alice")).await;
    let mut phone = house.store_phone("alice", NEWEST).await;
    let mut web = house.signed_in("alice").await;
    for (place, (language, asks, types)) in (1..).zip([
        ("fr", "Est-ce vous ?", "Tapez ceci"),
        ("nl", "Bent u dit?", "Typ dit"),
        ("de", "Sind Sie das?", "Tippen Sie das"),
    ]) {
        web.get("/").await;
        assert_eq!(web.post("/language", &[("language", language)]).await.location, "/?done=saved");
        let told = house.login("alice", place).await;
        assert!(told.received("Access-Challenge"), "{}", told.0);
        let shown = opened(&mut phone).await;
        for part in [asks, "alice", "vpn", &format!("203.0.113.{place}"), "UTC"] {
            assert!(shown.question.contains(part), "{part}: {}", shown.question);
        }
        let reply = phone.accepts(&shown).await;
        let said = reply.json["detail"]["message"].as_str().unwrap();
        assert!(said.starts_with(types), "{said}");
        let code = reply.code().unwrap().to_owned();
        assert!(house.answers("alice", place, &told, &code).await.received("Access-Accept"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_code_was_shown_a_denial_from_another_phone_still_wins() {
    let house = whole_house("number = \"typed\"", |plan| plan.totp("alice")).await;
    let (mut phone, page) = two_phones(&house, "alice").await;
    let told = house.login("alice", 1).await;
    let shown = opened(&mut phone).await;
    let code = phone.accepts(&shown).await.code().unwrap().to_owned();
    assert_eq!(says(&page, "deny").await, "denied");
    let answer = house.answers("alice", 1, &told, &code).await;
    assert!(answer.received("Access-Reject"), "{}", answer.0);
}

/// One person's two phones: the app from the stores, and our page.
async fn two_phones(house: &WholeHouse, name: &str) -> (StorePhone, PagePhone) {
    let app = house.store_phone(name, NEWEST).await;
    let new = house.does(&["device", "add", name, "--channel", "webpush"]).await;
    let (url, code) = new["url"].as_str().unwrap().split_once('#').unwrap();
    let mut page = PagePhone::at(url.to_owned(), house.portal.clone());
    assert_eq!(page.enrols(code).await.0, 200);
    (app, page)
}

/// What the page shows.
async fn prompt_on(page: &PagePhone) -> Value {
    until("a prompt on the page", async || page.polls().await.1["prompts"].get(0).cloned()).await
}

/// The page's answer: what the server made of it.
async fn says(page: &PagePhone, word: &str) -> String {
    let prompt = prompt_on(page).await;
    let (status, told) = page.post("answer", &page.answer(&prompt, word, "")).await;
    assert_eq!(status, 200, "{told}");
    told["state"].as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn all_phones_of_a_user_are_asked_and_the_first_answer_counts() {
    let house = whole_house("", |plan| plan.limits(NO_QUIET).totp("alice")).await;
    let (mut app, page) = two_phones(&house, "alice").await;
    let app_first = async {
        let (shown, prompt) = (opened(&mut app).await, prompt_on(&page).await);
        assert_eq!(app.accepts(&shown).await.value(), true);
        prompt
    };
    let (answer, prompt) = tokio::join!(house.held("alice", 1), app_first);
    assert!(answer.received("Access-Accept"), "{}", answer.0);
    let (_, late) = page.post("answer", &page.answer(&prompt, "deny", "")).await;
    assert_ne!(late["state"], "denied", "the login is over");
    let page_first = async {
        let shown = opened(&mut app).await;
        assert_eq!(says(&page, "approve").await, "approved");
        shown
    };
    let (answer, shown) = tokio::join!(house.held("alice", 2), page_first);
    assert!(answer.received("Access-Accept"), "{}", answer.0);
    let late = app.cancels(&shown).await;
    assert_ne!(late.value(), true, "{}", late.text);
}

#[tokio::test(flavor = "multi_thread")]
async fn yes_and_no_in_the_same_instant_end_as_the_server_said_and_no_yes_outlives_a_no() {
    const ROUNDS: u8 = 6;
    let names: Vec<String> = (0..ROUNDS).map(|number| format!("user{number}")).collect();
    let house = whole_house("", |plan| names.iter().fold(plan, |plan, name| plan.totp(name))).await;
    for (place, name) in (1..).zip(&names) {
        let (mut app, page) = two_phones(&house, name).await;
        let both = async {
            let (shown, prompt) = (opened(&mut app).await, prompt_on(&page).await);
            let no = page.answer(&prompt, "deny", "");
            tokio::join!(app.accepts(&shown), page.post("answer", &no))
        };
        let (answer, (yes, (_, no))) = tokio::join!(house.held(name, place), both);
        let denied = no["state"] == "denied";
        assert_eq!(answer.received("Access-Reject"), denied, "{no} {}: {}", yes.text, answer.0);
        assert_eq!(answer.received("Access-Accept"), !denied, "{no} {}: {}", yes.text, answer.0);
        assert!(denied || yes.value() == true, "somebody decided");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_phone_that_is_removed_while_it_rings_decides_nothing_and_the_login_asks_for_a_code() {
    let house = whole_house("", |plan| plan.client("gives_up_after = \"15s\"").totp("alice")).await;
    let mut phone = house.store_phone("alice", NEWEST).await;
    let mut web = house.signed_in("alice").await;
    let path = format!("/phones/{}", phone.serial());
    let removes = async {
        let shown = opened(&mut phone).await;
        let remove = format!("{path}/remove");
        web.get(&remove).await;
        assert_eq!(web.post(&remove, &[("sure", "yes")]).await.location, "/?done=method-removed");
        phone.accepts(&shown).await
    };
    let (answer, late) = tokio::join!(house.held("alice", 1), removes);
    assert_eq!((late.status, late.error()), (400, "Could not verify signature!"));
    assert!(answer.received("Access-Challenge"), "{}", answer.0);
    house.counted("vestibule_phone_refusals_total", "store_app", 1.0).await;
    assert_eq!(house.counted("vestibule_answers_total", "accept", 0.0).await, 0.0);
    assert_eq!(house.does(&["device", "list", "alice"]).await, json!([]));
}
