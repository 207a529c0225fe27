//! Whole journeys through the real program: people at real browsers, an appliance that is FreeRADIUS's own client, a push
//! service and a mail server. From the admin's code to the Access-Accept, and each other way that a login with a phone can end.

mod house;

use crate::harness::browser::{Browser, button, css, field, heading, link};
use crate::harness::notifications::Desktop;
use crate::harness::{oath, qr};

use house::{Doors, STATION, password};

const ACCEPT: &str = "Access-Accept";
const REJECT: &str = "Access-Reject";
const CHALLENGE: &str = "Access-Challenge";

#[tokio::test(flavor = "multi_thread")]
async fn from_an_admins_code_to_a_vpn_that_a_tap_on_the_phone_opens() {
    let doors = Doors::open().await;
    let desktop = Browser::desktop().start().await;
    // First enrolment: a password, and what an admin gave (rules F3).
    desktop.go(&doors.portal).await;
    desktop.type_into(&field("User name"), "carol").await;
    desktop.type_into(&css("#password"), &password("carol")).await;
    desktop.click(&button("Next")).await;
    let code = doors.does(&["user", "code", "carol"]).await;
    desktop.type_into(&field("Activation code"), code["code"].as_str().unwrap()).await;
    desktop.click(&button("Use this code")).await;
    // An app for codes: the QR code is read off the screen.
    desktop.click(&link("Add an app")).await;
    desktop.has(&heading("Add an authenticator app")).await;
    let scanned = qr::read(&desktop.full_screenshot().await).await;
    let secret = scanned.split("secret=").nth(1).unwrap().split('&').next().unwrap();
    let seed = data_encoding::BASE32_NOPAD.decode(secret.as_bytes()).unwrap();
    desktop.type_into(&css("#code"), &oath::totp(&seed)).await;
    desktop.click(&button("Add this app")).await;
    desktop.sees("It was added.").await;
    // The page becomes a phone: by the QR code, after both have shown the same letters and a test push was approved.
    desktop.click(&link("Add a phone")).await;
    desktop.click(&button("Next")).await;
    desktop.sees("Waiting for your phone").await;
    let scanned = qr::read(&desktop.full_screenshot().await).await;
    let phone = doors.a_phone().await;
    phone.screen.go(&scanned).await;
    phone.screen.click(&button("Activate")).await;
    desktop.sees("Your phone shows these letters too.").await;
    phone.screen.sees(&desktop.text_of(&css(".number")).await).await;
    desktop.click(&button("Ring my phone now")).await;
    phone.screen.sees("This is a test. Nobody logs in").await;
    phone.screen.click(&button("Verify")).await;
    phone.screen.has(&heading("It works")).await;
    desktop.sees("It was added.").await;
    phone.screen.click(&button("Close")).await;
    phone.lets_itself_be_rung().await;
    // The VPN.
    let before = doors.prompts(0.0).await;
    let login = doors.logs_in("carol");
    phone.is_asked().await;
    for shown in ["Example Corp", "carol", "vpn", STATION] {
        phone.screen.sees(shown).await;
    }
    assert!(!login.is_finished(), "it is held");
    phone.screen.click(&button("Verify")).await;
    let answer = login.await.unwrap();
    assert!(answer.received(ACCEPT), "{answer:?}");
    phone.screen.has(&heading("You're in")).await;
    assert_eq!(
        (doors.messages().await, doors.prompts(before + 1.0).await - before),
        (1, 1.0),
        "one prompt, and one message that calls for it"
    );
    phone.screen.assert_no_errors().await;
    desktop.assert_no_errors().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_denial_ends_the_login_and_the_next_one_rings_nobody_for_a_while() {
    let doors = Doors::open().await;
    let phone = doors.phone_of_alice().await;
    let login = doors.logs_in("alice");
    phone.is_asked().await;
    phone.screen.click(&button("Deny")).await;
    phone.screen.has(&heading("Denied")).await;
    let answer = login.await.unwrap();
    assert!(answer.received(REJECT), "{answer:?}");
    // From elsewhere it is no repetition of the first (rules B2), and would be rung, but for D2.
    let next = doors.logs_in_from("alice", "203.0.113.99").await.unwrap();
    assert!(next.received(REJECT), "{next:?}");
    assert_eq!((doors.messages().await, doors.prompts(1.0).await), (1, 1.0), "rules D2: one denied makes quiet");
    assert_eq!(doors.reasons(2).await, ["denied", "quiet"], "nothing is left to ask for but a phone");
    phone.screen.assert_no_errors().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn where_a_pin_is_asked_a_wrong_one_lets_nobody_in_and_the_right_one_does() {
    let doors = Doors::with("", "pin = { required = true, length = 6, tries = 3 }").await;
    let phone = doors.phone_of_alice().await;
    doors.has_pin("alice", "246810").await;
    let login = doors.logs_in("alice");
    phone.is_asked().await;
    phone.screen.type_into(&field("Your PIN"), "135791").await;
    phone.screen.click(&button("Authenticate")).await;
    phone.screen.sees("That is not your PIN. Tries left: 2.").await;
    assert!(!login.is_finished(), "it is held all the same");
    phone.screen.type_into(&field("Your PIN"), "246810").await;
    phone.screen.click(&button("Authenticate")).await;
    let answer = login.await.unwrap();
    assert!(answer.received(ACCEPT), "{answer:?}");
    assert_eq!(doors.prompts(1.0).await, 1.0);
    phone.screen.assert_no_errors().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_number_that_the_vpn_shows_opens_it_on_the_phone() {
    let doors = Doors::with("challenge = true\nnumber = \"shown\"", "").await;
    let phone = doors.phone_of_alice().await;
    let challenge = doors.logs_in("alice").await.unwrap();
    let number = number_of(&challenge.value("Reply-Message"));
    // Just Enter: this client leaves an empty password away (RFC 2865 §4.1).
    let login = doors.answers("alice", &challenge, "");
    phone.is_asked().await;
    phone.screen.type_into(&field("The number that your login shows"), &number).await;
    phone.screen.click(&button("Verify")).await;
    let answer = login.await.unwrap();
    assert!(answer.received(ACCEPT), "{answer:?}");
    phone.screen.assert_no_errors().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn another_number_than_the_vpn_shows_ends_the_login_as_a_slip() {
    let doors = Doors::with("challenge = true\nnumber = \"shown\"", "").await;
    let phone = doors.phone_of_alice().await;
    let challenge = doors.logs_in("alice").await.unwrap();
    let number = number_of(&challenge.value("Reply-Message"));
    let login = doors.answers("alice", &challenge, "");
    phone.is_asked().await;
    let other = if number == "42" { "43" } else { "42" };
    phone.screen.type_into(&field("The number that your login shows"), other).await;
    phone.screen.click(&button("Verify")).await;
    phone.screen.sees("That was not the number that your login shows").await;
    let answer = login.await.unwrap();
    assert!(answer.received(REJECT), "{answer:?}");
    assert_eq!(doors.reasons(1).await, ["wrong_number"]);
    phone.screen.assert_no_errors().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_digits_that_the_phone_shows_are_typed_into_the_vpn() {
    let doors = Doors::with("challenge = true\nnumber = \"typed\"", "").await;
    let phone = doors.phone_of_alice().await;
    let challenge = doors.logs_in("alice").await.unwrap();
    assert!(challenge.received(CHALLENGE), "{challenge:?}");
    phone.is_asked().await;
    phone.screen.click(&button("Verify")).await;
    phone.screen.has(&heading("Type this code")).await;
    let digits = phone.screen.text_of(&css("p#digits")).await;
    let answer = doors.answers("alice", &challenge, &digits).await.unwrap();
    assert!(answer.received(ACCEPT), "{answer:?}");
    phone.screen.has(&heading("You're in")).await;
    phone.screen.assert_no_errors().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_login_that_is_asked_again_says_so_on_the_phone_and_the_newest_asker_gets_in() {
    let doors = Doors::open().await;
    let phone = doors.phone_of_alice().await;
    let first = doors.logs_in("alice");
    phone.is_asked().await;
    let second = doors.logs_in("alice");
    phone.screen.sees("The same login was asked again.").await;
    phone.screen.click(&button("Verify")).await;
    let (first, second) = (first.await.unwrap(), second.await.unwrap());
    assert!(first.received(REJECT) && second.received(ACCEPT), "rules B2: {first:?} {second:?}");
    assert_eq!((doors.messages().await, doors.prompts(1.0).await), (1, 1.0));
    phone.screen.has(&heading("You're in")).await;
    phone.screen.assert_no_errors().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_denial_on_one_phone_takes_the_request_off_the_other() {
    let doors = Doors::with("challenge = false", "").await;
    let phone = doors.phone_of_alice().await;
    let other = doors.phone_of_alice().await;
    let login = doors.logs_in("alice");
    phone.is_asked().await;
    other.is_asked().await;
    // No is final, whichever phone says it (rules A8); the other learns of it.
    other.screen.click(&button("Deny")).await;
    assert!(login.await.unwrap().received(REJECT));
    phone.screen.sees("That request has ended.").await;
    phone.screen.has(&heading("Nothing to confirm")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn it_wasnt_me_ends_the_login_blocks_the_prompts_and_alarms_people_by_mail_and_log() {
    let mut doors = Doors::open().await;
    let phone = doors.phone_of_alice().await;
    let login = doors.logs_in("alice");
    phone.is_asked().await;
    phone.screen.click(&button("It wasn't me")).await;
    phone.screen.click(&css("#sure-yes")).await;
    phone.screen.has(&heading("Reported")).await;
    let answer = login.await.unwrap();
    assert!(answer.received(REJECT), "{answer:?}");
    // The first is of the code that the host gave.
    let mail = doors.mail.has(3).await;
    let mut letters: Vec<(String, String)> =
        mail.iter().map(|letter| (letter.to.join(" "), letter.header("Subject").join(" "))).collect();
    letters.sort();
    assert_eq!(
        letters,
        [
            ("alice@example.com".to_owned(), "The service desk changed something at Example Corp".to_owned()),
            ("alice@example.com".to_owned(), "You reported a login at Example Corp".to_owned()),
            ("soc@example.com".to_owned(), "Fraud reported at Example Corp".to_owned()),
        ]
    );
    doors.house.child.says("fraud").await;
    let next = doors.logs_in_from("alice", "203.0.113.99").await.unwrap();
    assert!(next.received(REJECT), "{next:?}");
    assert_eq!((doors.messages().await, doors.prompts(1.0).await), (1, 1.0));
    let shown = doors.does(&["user", "show", "alice"]).await;
    assert!(shown.to_string().contains("fraud"), "{shown}");
    phone.screen.assert_no_errors().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_phone_whose_page_is_closed_is_rung_and_a_click_on_its_notification_opens_the_login() {
    let (doors, desktop) = (Doors::open().await, Desktop::start());
    let phone = doors.phone_of_alice_on(&desktop).await;
    phone.screen.has_worker().await;
    // Nothing of the page is left but its service worker.
    let (page, elsewhere) = (phone.screen.tab().await, phone.screen.open_tab().await);
    phone.screen.turn_to(&page).await;
    phone.screen.close_tab(&elsewhere).await;
    let login = doors.logs_in("alice");
    // The message goes from the program to the push service, which can't read it; this phone's browser can, and hands what is in
    // it to the worker.
    let sent = doors.pushes.has(1).await;
    assert!(phone.ears.has(&sent[0]));
    let message = phone.ears.reads(&sent[0]).to_string();
    assert!(!message.contains("alice") && !message.contains("vpn") && !message.contains(STATION), "{message}");
    phone.screen.deliver_push(&doors.portal, 0, &message).await;
    let [shown] = &desktop.shows(1).await[..] else { panic!("one notification") };
    assert_eq!(shown.title, "Is this you, logging in?");
    assert!(shown.text.ends_with("Open to see who asks. Deny what you did not start."), "{}", shown.text);
    shown.click();
    let tabs = phone.screen.has_tabs(2).await;
    let opened = tabs.iter().find(|tab| **tab != elsewhere).unwrap();
    phone.screen.turn_to(opened).await;
    phone.is_asked().await;
    for shown in ["alice", "vpn", STATION] {
        phone.screen.sees(shown).await;
    }
    assert!(!login.is_finished(), "it is held");
    phone.screen.click(&button("Verify")).await;
    let answer = login.await.unwrap();
    assert!(answer.received(ACCEPT), "{answer:?}");
    assert_eq!((doors.messages().await, doors.prompts(1.0).await), (1, 1.0));
    phone.screen.assert_no_errors().await;
}

/// The number in what the VPN shows: "Type 42 on your phone, then press Enter here:".
fn number_of(message: &str) -> String {
    message.chars().filter(char::is_ascii_digit).collect()
}
