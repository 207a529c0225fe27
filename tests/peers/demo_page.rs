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

    log_in(&browser, "dave", "open-the-doors-9").await;
    browser.click(&button("Deny the login of dave")).await;
    browser.until("document.getElementById('screen').classList.contains('rejected')").await;
    browser.loses(&button("Approve the login of dave")).await;
    browser.assert_no_errors().await;
    end(demo).await;
}
