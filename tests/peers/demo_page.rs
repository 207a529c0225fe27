//! The demo's page in a real browser: its three panes move together, its buttons decide, and everybody can use it.

use nix::sys::signal::Signal;
use tokio::process::Command;

use crate::demo::page_of;
use crate::harness::browser::{Browser, button, css, field, heading};
use crate::harness::child::Child;

/// A demo whose own eight logins are over, and its page's address.
async fn demo() -> (Child, String) {
    let mut demo = Child::start(Command::new(env!("CARGO_BIN_EXE_vestibule")).arg("demo"), "nothing: it is ours");
    demo.says("Ctrl-C to end").await;
    let page = page_of(&demo.output());
    (demo, page)
}

async fn end(mut demo: Child) {
    demo.signal(Signal::SIGTERM);
    assert!(demo.ended().await.success());
}

/// The address that the demo prints below these words.
fn address_after(output: &str, words: &str) -> String {
    let (_, after) = output.split_once(words).expect("it is printed");
    let address = after.lines().find_map(|line| line.trim().strip_prefix("http://")).expect("with its address");
    format!("http://{address}")
}

/// What somebody's authenticator app shows on the page.
async fn code_of(browser: &Browser, name: &str) -> String {
    let label = browser.property_of(&css(&format!("#apps [aria-label^='{name}']")), "ariaLabel").await;
    label.as_str().expect("a label").chars().filter(char::is_ascii_digit).collect()
}

async fn log_in(browser: &Browser, user: &str, password: &str) {
    browser.type_into(&field("User"), user).await;
    browser.type_into(&field("Password"), password).await;
    browser.click(&button("Connect")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_login_on_the_demos_page_is_held_until_a_tap_on_its_phone() {
    let (demo, page) = demo().await;
    let browser = Browser::desktop().start().await;
    browser.go(&page).await;
    for pane in ["VPN client", "Phones", "Log"] {
        browser.has(&heading(pane)).await;
    }
    browser.sees("Nothing rings.").await;
    log_in(&browser, "carol", "silver-bells-25").await;
    browser.sees("carol's phone").await;
    assert_eq!(browser.text_of(&css("#screen")).await, "carol at vpn: Connecting…");
    browser.click(&button("Approve the login of carol")).await;
    browser.sees("carol at vpn: Connected.").await;
    browser.sees("Nothing rings.").await;

    log_in(&browser, "frank", "quiet-harbour-8").await;
    browser.click(&button("Deny the login of frank")).await;
    browser.until("document.getElementById('screen').classList.contains('rejected')").await;
    browser.loses(&button("Approve the login of frank")).await;
    browser.assert_no_errors().await;
    end(demo).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tab_becomes_carols_phone_and_lets_her_into_the_vpn_and_the_portal() {
    let (demo, page) = demo().await;
    let (browser, phone) = (Browser::desktop().start().await, Browser::phone().start().await);
    browser.go(&page).await;
    phone.go(&format!("{page}carols-phone")).await;
    phone.click(&button("Activate")).await;
    phone.has(&heading("Nothing to confirm")).await;
    log_in(&browser, "carol", "silver-bells-25").await;
    phone.has(&heading("Is this you, logging in?")).await;
    for shown in ["Vestibule demo", "carol", "vpn", "192.0.2.80"] {
        phone.sees(shown).await;
    }
    phone.click(&button("Verify")).await;
    phone.has(&heading("You're in")).await;
    browser.sees("carol at vpn: Connected.").await;
    browser.sees("Nothing rings.").await;
    phone.go(&format!("{page}carols-phone")).await;
    phone.has(&heading("Nothing to confirm")).await;

    browser.go(&address_after(&demo.output(), "The users' portal")).await;
    browser.type_into(&field("User name"), "carol").await;
    browser.type_into(&field("Password"), "silver-bells-25").await;
    browser.click(&button("Next")).await;
    browser.click(&button("Ring my phone")).await;
    phone.click(&button("Verify")).await;
    browser.has(&button("Sign out")).await;
    phone.assert_no_errors().await;
    browser.assert_no_errors().await;
    end(demo).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn alices_app_shows_a_code_that_opens_the_vpn_and_graces_one_the_staffs_pages() {
    let (demo, page) = demo().await;
    let browser = Browser::desktop().start().await;
    browser.go(&page).await;
    log_in(&browser, "alice", "looking-glass-7").await;
    browser.has(&field("Code")).await;
    let code = code_of(&browser, "alice").await;
    browser.type_into(&field("Code"), &code).await;
    browser.click(&button("Continue")).await;
    browser.sees("alice at vpn: Connected.").await;
    // A code works once, so the app goes on to the next.
    browser.until(&format!("!document.getElementById('apps').textContent.replace(' ', '').includes('{code}')")).await;

    let code = code_of(&browser, "grace").await;
    browser.go(&address_after(&demo.output(), "The staff's pages")).await;
    browser.type_into(&field("User name"), "grace").await;
    browser.type_into(&field("Password"), "reading-room-4").await;
    browser.click(&button("Next")).await;
    browser.type_into(&field("Code"), &code).await;
    browser.click(&button("Next")).await;
    browser.has(&button("Sign out")).await;
    browser.assert_no_errors().await;
    end(demo).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_said_it_wasnt_me_is_let_in_again_by_a_button() {
    let (demo, page) = demo().await;
    let (browser, phone) = (Browser::desktop().start().await, Browser::phone().start().await);
    browser.go(&page).await;
    phone.go(&format!("{page}carols-phone")).await;
    phone.click(&button("Activate")).await;
    phone.has(&heading("Nothing to confirm")).await;
    log_in(&browser, "carol", "silver-bells-25").await;
    phone.click(&button("It wasn't me")).await;
    phone.click(&css("#sure-yes")).await;
    phone.has(&heading("Reported")).await;
    browser.sees("carol said “It wasn't me”").await;
    browser.is_for_everybody("demo-shut-out").await;
    browser.click(&button("Let carol in again")).await;
    browser.loses(&button("Let carol in again")).await;
    browser.sees("the service desk lets carol in again").await;
    browser.sees("the demo's page (host): unblock, on carol").await;
    log_in(&browser, "carol", "silver-bells-25").await;
    browser.click(&button("Approve the login of carol")).await;
    browser.sees("carol at vpn: Connected.").await;
    browser.assert_no_errors().await;
    end(demo).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_demos_page_is_there_for_everybody_whatever_it_shows() {
    let (demo, page) = demo().await;
    let browser = Browser::desktop().start().await;
    browser.go(&page).await;
    browser.sees("Nothing rings.").await;
    browser.is_for_everybody("demo-idle").await;
    browser.click(&css("summary")).await;
    browser.click(&button("alice")).await;
    browser.click(&button("Connect")).await;
    browser.has(&field("Code")).await;
    browser.is_for_everybody("demo-challenge").await;
    log_in(&browser, "carol", "silver-bells-25").await;
    browser.has(&button("Approve the login of carol")).await;
    browser.is_for_everybody("demo-ringing").await;
    browser.click(&button("Approve the login of carol")).await;
    browser.sees("Connected.").await;
    browser.is_for_everybody("demo-connected").await;
    browser.assert_no_errors().await;
    end(demo).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_demos_page_needs_no_mouse() {
    let (demo, page) = demo().await;
    let browser = Browser::desktop().start().await;
    browser.go(&page).await;
    browser.tab_to(&css("summary")).await;
    browser.press("Enter").await;
    browser.tab_to(&button("frank")).await;
    browser.press("Space").await;
    assert_eq!(browser.property_of(&field("User"), "value").await, "frank");
    browser.tab_to(&button("Connect")).await;
    browser.press("Enter").await;
    browser.tab_to(&button("Approve the login of frank")).await;
    browser.press("Enter").await;
    browser.sees("frank at vpn: Connected.").await;
    browser.until("document.activeElement.id === 'phone'").await;
    end(demo).await;
}
