//! The demo's page in a real browser: its three panes move together, its buttons decide, and everybody can use it.

use nix::sys::signal::Signal;
use tokio::process::Command;

use crate::harness::browser::{Browser, button, css, field, heading};
use crate::harness::child::Child;

/// A demo whose own eight logins are over, and its page's address.
async fn demo() -> (Child, String) {
    let mut demo = Child::start(Command::new(env!("CARGO_BIN_EXE_vestibule")).arg("demo"), "nothing: it is ours");
    demo.says("user show alice").await;
    let line = demo.says("together: ").await;
    let page = line.split("together: ").nth(1).expect("the page's address").trim().to_owned();
    (demo, page)
}

async fn end(mut demo: Child) {
    demo.signal(Signal::SIGTERM);
    assert!(demo.ended().await.success());
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
    for pane in ["VPN client", "Phone", "Log"] {
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

    let portal = demo.output().lines().find_map(|line| line.split("that phone): ").nth(1).map(str::to_owned));
    browser.go(portal.expect("the portal's address").trim()).await;
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
