//! The portal in a real browser: a person's whole way, on a desktop and on a phone, with and without scripts; each page seen by
//! axe-core and at 320 pixels.

use login::PhoneAnswer;

use crate::harness::browser::{Browser, button, css, field, heading, link, role};
use crate::harness::oath::{self, seed};
use crate::harness::phone::Phone;
use crate::harness::portal_house::{PortalHouse, USUAL, with_portal};
use crate::harness::qr;
use crate::harness::radius::Ask;
use crate::harness::until;

async fn inspect(browser: &Browser, name: &str) {
    browser.is_for_everybody(&format!("portal-{name}")).await;
}

async fn password(browser: &Browser, house: &PortalHouse, name: &str) {
    browser.go(&house.url).await;
    browser.type_into(&field("User name"), name).await;
    browser.type_into(&css("#password"), &format!("pw of {name}")).await;
    browser.click(&button("Next")).await;
}

async fn code(browser: &Browser, code: &str) {
    browser.type_into(&css("#code"), code).await;
    browser.click(&css("form[action='/sign-in/code'] button")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn somebody_new_scans_the_code_off_the_screen_and_then_logs_in_with_it() {
    let house = PortalHouse::opens().await;
    let browser = Browser::desktop().start().await;
    browser.go(&house.url).await;
    inspect(&browser, "sign-in").await;
    browser.type_into(&field("User name"), "carol").await;
    browser.type_into(&css("#password"), "wrong").await;
    browser.click(&button("Next")).await;
    browser.sees("We could not sign you in").await;
    browser.until("document.activeElement.id === 'problem'").await;
    inspect(&browser, "sign-in-refused").await;
    password(&browser, &house, "carol").await;
    browser.has(&heading("Set up your second factor")).await;
    inspect(&browser, "activation").await;
    let activation = house.code_for("carol").await;
    browser.type_into(&field("Activation code"), &activation).await;
    browser.click(&button("Use this code")).await;
    browser.sees("Choose one. You can add others later.").await;
    inspect(&browser, "first").await;
    browser.click(&link("Add an app")).await;
    browser.has(&heading("Add an authenticator app")).await;
    inspect(&browser, "app").await;
    let scanned = qr::read(&browser.full_screenshot().await).await;
    assert!(scanned.starts_with("otpauth://totp/Example%20Corp:carol?secret="), "{scanned}");
    let secret = scanned.split("secret=").nth(1).unwrap().split('&').next().unwrap();
    let octets = data_encoding::BASE32_NOPAD.decode(secret.as_bytes()).unwrap();
    browser.type_into(&css("#code"), "000000").await;
    browser.click(&button("Add this app")).await;
    browser.sees("These were not the digits of the app.").await;
    inspect(&browser, "app-wrong").await;
    let used = oath::totp(&octets);
    browser.type_into(&css("#code"), &used).await;
    browser.type_into(&field("What do you call it?"), "My Pixel").await;
    browser.click(&button("Add this app")).await;
    browser.sees("It was added.").await;
    browser.sees("My Pixel").await;
    // And at the VPN.
    let vpn = house.house.appliance().await;
    let next = oath::hotp(&octets, oath::unix_now() / 30 + 1);
    let challenged = vpn.ask(&Ask::login("carol", "pw of carol").stationed("203.0.113.9")).await;
    assert_eq!(challenged.code, 11, "a challenge");
    let answered = vpn.ask(&Ask::login("carol", &next).stationed("203.0.113.9").answering(&challenged)).await;
    assert_eq!(answered.code, 2, "an accept");
    browser.reload().await;
    browser.sees("Let in:").await;
    inspect(&browser, "home").await;
    // What was wrong on purpose is a 422, which a browser notes; nothing else went wrong.
    let console = browser.console().await;
    let errors: Vec<_> = console.iter().filter(|said| said.is_error && !said.text.contains("status of 422")).collect();
    assert!(errors.is_empty(), "{errors:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_becomes_a_phone_that_rings_and_signs_its_user_in() {
    let house = PortalHouse::opens().await;
    let (desktop, phone) = (Browser::desktop().start().await, Browser::phone().start().await);
    password(&desktop, &house, "alice").await;
    desktop.has(&heading("Prove that it is you")).await;
    inspect(&desktop, "second").await;
    code(&desktop, &oath::totp(&seed("alice"))).await;
    desktop.has(&heading("My logins")).await;
    desktop.click(&link("Add a phone")).await;
    desktop.has(&heading("Make my phone ring")).await;
    inspect(&desktop, "phone-new").await;
    desktop.click(&button("Next")).await;
    desktop.sees("Waiting for your phone").await;
    inspect(&desktop, "phone-scan").await;
    let scanned = qr::read(&desktop.full_screenshot().await).await;
    assert!(scanned.starts_with(&format!("{}/phone/#", house.url)), "{scanned}");
    phone.go(&scanned).await;
    phone.has(&heading("Make this your phone")).await;
    phone.click(&button("Activate")).await;
    // The desktop notices by itself, and both show the same fingerprint.
    desktop.sees("Your phone shows these letters too.").await;
    inspect(&desktop, "phone-keyed").await;
    let fingerprint = desktop.text_of(&css(".number")).await;
    phone.sees(&fingerprint).await;
    desktop.click(&button("Ring my phone now")).await;
    desktop.sees("Waiting for your answer").await;
    inspect(&desktop, "phone-test").await;
    phone.click(&button("Verify")).await;
    desktop.sees("It was added.").await;
    // From now on it opens the door of this page, too.
    desktop.click(&button("Sign out")).await;
    password(&desktop, &house, "alice").await;
    desktop.has(&button("Ring my phone")).await;
    inspect(&desktop, "second-phone").await;
    desktop.click(&button("Ring my phone")).await;
    desktop.sees("Type this number on the phone:").await;
    inspect(&desktop, "ringing").await;
    let number = desktop.text_of(&css(".number")).await;
    phone.type_into(&field("The number that your login shows"), &number).await;
    phone.click(&button("Verify")).await;
    desktop.has(&heading("My logins")).await;
    phone.has(&heading("You're in")).await;
    desktop.click(&css("a[href^='/phones/d']")).await;
    desktop.type_into(&field("What do you call it?"), "My iPhone").await;
    desktop.click(&button("Save")).await;
    desktop.has(&heading("My iPhone")).await;
    inspect(&desktop, "phone").await;
    desktop.click(&link("Remove this phone")).await;
    desktop.has(&heading("Remove My iPhone")).await;
    desktop.click(&button("Remove")).await;
    desktop.sees("It was removed.").await;
    desktop.assert_no_errors().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn all_of_it_works_without_a_script() {
    let phone = Phone::new();
    let (plan, url) = with_portal(USUAL);
    let house = PortalHouse::of((plan.calling("dave", &phone).password("dave", "pw of dave"), url)).await;
    let browser = Browser::phone().start().await;
    browser.set_scripts(false).await;
    password(&browser, &house, "dave").await;
    browser.click(&button("Ring my phone")).await;
    browser.sees("Your phone rings").await;
    let hint = phone.rings().await;
    house.house.presses(&hint, PhoneAnswer::Approve).await;
    // The page asks again by itself; the button does it at once.
    browser.click(&button("I approved it on my phone")).await;
    browser.has(&heading("My logins")).await;
    browser.click(&link("Make new codes")).await;
    browser.click(&button("Make new codes")).await;
    browser.sees("These codes are shown this once.").await;
    browser.click(&link("I keep them safe")).await;
    browser.click(&link("Add an app")).await;
    let secret = browser.text_of(&css(".secret")).await.replace(' ', "");
    let octets = data_encoding::BASE32_NOPAD.decode(secret.as_bytes()).unwrap();
    browser.type_into(&css("#code"), &oath::totp(&octets)).await;
    browser.click(&button("Add this app")).await;
    browser.sees("It was added.").await;
    browser.choose(&role("combobox", "At a login, ask me for"), "Authenticator app").await;
    browser.click(&css("form[action='/method'] button")).await;
    browser.sees("Saved.").await;
    browser.click(&css("a[href^='/tokens/']")).await;
    browser.type_into(&field("What do you call it?"), "My Pixel").await;
    browser.click(&button("Save")).await;
    browser.sees("My Pixel").await;
    browser.click(&link("Add a phone")).await;
    browser.click(&css("input[value='store']")).await;
    browser.click(&button("Next")).await;
    browser.sees("Waiting for your phone").await;
    browser.click(&button("My phone is connected")).await;
    // The same page again, by a form: it has come once its address is the form's.
    until("the form's answer", async || browser.url().await.ends_with('?').then_some(())).await;
    browser.sees("Waiting for your phone").await;
    browser.go(&house.url).await;
    browser.click(&css("a[href^='/tokens/']")).await;
    browser.click(&link("Remove it")).await;
    browser.click(&button("Remove")).await;
    browser.sees("It was removed.").await;
    browser.click(&link("Show my sessions")).await;
    browser.click(&button("Sign out everywhere")).await;
    browser.has(&heading("Sign in")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_other_page_is_for_everybody_at_any_width() {
    let house = PortalHouse::opens().await;
    let vpn = house.house.appliance().await;
    vpn.ask(&Ask::login("alice", "wrong").stationed("203.0.113.9")).await;
    house.house.records(1).await;
    let browser = Browser::phone().start().await;
    password(&browser, &house, "alice").await;
    code(&browser, &oath::totp(&seed("alice"))).await;
    browser.has(&heading("My logins")).await;
    inspect(&browser, "phone-home").await;
    let token = house.tokens("alice").await[0].token.id.0.to_string();
    for (path, name) in [
        ("/hardware", "hardware"),
        ("/pin", "pin"),
        ("/recovery", "recovery"),
        ("/logins", "logins"),
        ("/nowhere", "nowhere"),
        (&format!("/tokens/{token}/remove"), "remove"),
    ] {
        browser.go(&format!("{}{path}", house.url)).await;
        inspect(&browser, name).await;
    }
    browser.go(&format!("{}/phones/new", house.url)).await;
    browser.click(&css("input[value='store']")).await;
    browser.click(&button("Next")).await;
    browser.sees("Waiting for your phone").await;
    inspect(&browser, "phone-scan-store").await;
    let scanned = qr::read(&browser.full_screenshot().await).await;
    assert!(scanned.starts_with("otpauth://pipush/"), "{scanned}");
    browser.go(&format!("{}/recovery", house.url)).await;
    browser.click(&button("Make new codes")).await;
    browser.sees("These codes are shown this once.").await;
    inspect(&browser, "recovery-made").await;
    browser.go(&house.url).await;
    browser.choose(&role("combobox", "Speak to me in"), "Deutsch").await;
    browser.click(&css("form[action='/language'] button")).await;
    browser.sees("Meine Anmeldung").await;
    assert_eq!(browser.script("return document.documentElement.lang", serde_json::json!([])).await, "de");
    inspect(&browser, "home-german").await;
    browser.click(&css("a[href^='/logins/']")).await;
    inspect(&browser, "report").await;
    browser.click(&css("button.danger")).await;
    browser.sees("Ihr Konto ist gesperrt.").await;
    inspect(&browser, "reported").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn somebody_sees_their_sessions_changes_the_password_and_is_out_everywhere() {
    let house = PortalHouse::opens().await;
    let (desktop, phone) = (Browser::desktop().start().await, Browser::phone().start().await);
    password(&desktop, &house, "alice").await;
    code(&desktop, &oath::totp(&seed("alice"))).await;
    desktop.has(&heading("My logins")).await;
    password(&phone, &house, "alice").await;
    code(&phone, &house.fresh_code_of_alice().await).await;
    phone.has(&heading("My logins")).await;
    desktop.click(&link("Show my sessions")).await;
    desktop.has(&heading("Where you are signed in")).await;
    desktop.sees("This browser").await;
    inspect(&desktop, "sessions").await;
    phone.click(&link("Show my sessions")).await;
    inspect(&phone, "phone-sessions").await;
    phone.go(&house.url).await;
    desktop.click(&link("To the first page")).await;
    let token = house.tokens("alice").await[0].token.id.0.to_string();
    desktop.click(&css(&format!("a[href='/tokens/{token}']"))).await;
    desktop.type_into(&field("What do you call it?"), "My Pixel").await;
    inspect(&desktop, "token").await;
    desktop.click(&button("Save")).await;
    desktop.sees("My Pixel").await;
    desktop.click(&link("Change the password")).await;
    inspect(&desktop, "password").await;
    desktop.type_into(&css("#old"), "pw of alice").await;
    desktop.type_into(&css("#new"), "Password1!").await;
    desktop.type_into(&css("#again"), "Password1!").await;
    desktop.click(&button("Change the password")).await;
    desktop.sees("Everybody tries this password first.").await;
    inspect(&desktop, "password-weak").await;
    // A tab of the same browser that is open elsewhere goes with its session.
    let front = desktop.tab().await;
    let other = desktop.open_tab().await;
    desktop.go(&house.url).await;
    desktop.has(&heading("My logins")).await;
    desktop.turn_to(&front).await;
    desktop.type_into(&css("#old"), "pw of alice").await;
    desktop.type_into(&css("#new"), "north by northwest").await;
    desktop.type_into(&css("#again"), "north by northwest").await;
    desktop.click(&button("Change the password")).await;
    desktop.sees("Your password is changed.").await;
    inspect(&desktop, "password-changed").await;
    desktop.turn_to(&other).await;
    desktop.has(&heading("Sign in")).await;
    phone.reload().await;
    phone.has(&heading("Sign in")).await;
    // A 422 is noted where something was wrong on purpose, and nothing else, such as a header's word that no browser knows.
    let console = desktop.console().await;
    let odd: Vec<_> = console
        .iter()
        .filter(|said| !said.text.contains("status of 422") && !said.text.contains("Cleared data types"))
        .collect();
    assert!(odd.is_empty(), "{odd:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn each_switch_takes_its_way_off_the_page_and_the_page_says_who_helps() {
    let browser = Browser::phone().start().await;
    let all = ["enrol", "select_method", "activate_app", "assign_token"];
    let ways = [
        ("enrol", "a[href='/app'], a[href='/recovery']"),
        ("select_method", "form[action='/method']"),
        ("activate_app", "a[href='/phones/new']"),
        ("assign_token", "a[href='/hardware']"),
    ];
    for off in all.into_iter().map(Some).chain([None]) {
        let on: Vec<String> = all.iter().filter(|one| Some(**one) != off).map(|one| format!("\"{one}\"")).collect();
        let (plan, url) = with_portal(&format!("help_desk = \"Desk 42\"\nusers_may = [{}]\n", on.join(", ")));
        // Two methods, so that there is something to choose.
        let house = PortalHouse::of((plan.hotp("alice"), url)).await;
        password(&browser, &house, "alice").await;
        code(&browser, &oath::totp(&seed("alice"))).await;
        browser.has(&heading("My logins")).await;
        for (word, way) in ways {
            let found =
                browser.script("return document.querySelectorAll(arguments[0]).length", serde_json::json!([way])).await;
            assert_eq!(found.as_u64().unwrap() > 0, Some(word) != off, "{off:?} is off; {word}");
        }
        let text = browser.shown_text().await;
        assert_eq!(text.contains("your service desk does for you. Desk 42"), off.is_some(), "{off:?}: {text}");
        if off == Some("enrol") {
            inspect(&browser, "home-switched-off").await;
            browser.go(&format!("{}/app", house.url)).await;
            browser.sees("Desk 42").await;
            inspect(&browser, "not-allowed").await;
        }
        browser.go(&house.url).await;
        browser.click(&button("Sign out")).await;
        browser.has(&heading("Sign in")).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_that_was_left_open_is_put_away_with_its_session() {
    let house = PortalHouse::opens().await;
    let browser = Browser::desktop().start().await;
    password(&browser, &house, "alice").await;
    code(&browser, &oath::totp(&seed("alice"))).await;
    browser.has(&heading("My logins")).await;
    // A quarter of an hour in a moment.
    let quick = "const slow = setTimeout; window.setTimeout = (what, millis) => slow(what, millis / 3000);";
    let script = serde_json::json!({ "source": quick });
    browser.devtools("Page.addScriptToEvaluateOnNewDocument", script).await;
    browser.reload().await;
    browser.sees("This page was open for a long time").await;
    browser.loses(&heading("My logins")).await;
    browser.assert_accessible().await;
    browser.picture("portal-put-away").await;
}
