//! The browser harness itself: it can fail. What it must find is put before it, and it finds it.

use axum::Router;
use axum::http::header;
use axum::routing::get;
use serde_json::json;

use crate::harness::at;
use crate::harness::browser::{Browser, button, checkbox, css, field, heading, link, role};

/// Shows what was pushed, as a phone's worker does.
const WORKER: &str = "
    addEventListener('install', () => skipWaiting());
    addEventListener('activate', (event) => event.waitUntil(clients.claim()));
    addEventListener('push', (event) => event.waitUntil(
        registration.showNotification('Ring', { body: event.data.text() }).then(() => caches.open('shown'))));
";

const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'unsafe-inline'; img-src data:";

/// A page with this in it, from a server of the test's own, under a policy that lets only its own script run.
async fn page(body: &str, script: &'static str) -> String {
    let html = format!(
        "<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport content='width=device-width'>\
         <title>Test</title><link rel=icon href='data:,'><main><h1>Test</h1>{body}</main><script src=page.js></script></html>"
    );
    let file = |kind: &'static str, text: String| {
        let headers = [(header::CONTENT_SECURITY_POLICY, POLICY), (header::CONTENT_TYPE, kind)];
        get(move || async move { (headers, text) })
    };
    let routes = Router::new()
        .route("/", file("text/html", html))
        .route("/page.js", file("text/javascript", script.to_owned()))
        .route("/worker.js", file("text/javascript", WORKER.to_owned()));
    let listener = tokio::net::TcpListener::bind(at(0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, routes).await });
    format!("http://{address}/")
}

/// What a check says that must fail.
async fn complaint(check: impl Future<Output = ()> + Send + 'static) -> String {
    let panic = tokio::spawn(check).await.expect_err("this must be found").into_panic();
    *panic.downcast::<String>().expect("a complaint in words")
}

#[tokio::test(flavor = "multi_thread")]
async fn what_axe_calls_serious_fails_the_test_and_is_told() {
    let url = page("<p><img src='data:,'> <input> <span style='color:#ddd'>pale</span></p>", "").await;
    let browser = Browser::desktop().start().await;
    browser.go(&url).await;
    let told = complaint(async move { browser.assert_accessible().await }).await;
    assert!(told.contains("image-alt (critical)") && told.contains("label (critical)"), "{told}");
    assert!(told.contains("<img src=\"data:,\">"), "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_sticks_out_of_a_narrow_screen_fails_the_test_and_is_told() {
    let boxed = format!("<pre style='overflow-x: auto'>{}</pre>", "long ".repeat(99));
    let (fits, sticks) = (page(&boxed, "").await, page("<table width=400><tr><td id=wide>Wide</table>", "").await);
    let browser = Browser::phone().start().await;
    browser.go(&fits).await;
    browser.assert_no_overflow().await;
    browser.go(&sticks).await;
    let told = complaint(async move { browser.assert_no_overflow().await }).await;
    assert!(told.contains("id=\\\"wide\\\"") && told.contains("in a window of 320"), "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_page_and_its_policy_complain_of_fails_the_test() {
    let url = page("<p onclick='1'>Quiet.</p>", "console.error('the page failed'); console.log('well');").await;
    let browser = Browser::desktop().start().await;
    browser.go(&url).await;
    let console = browser.console().await;
    assert!(console.iter().any(|message| !message.is_error && message.text.contains("well")), "{console:?}");
    let told = complaint(async move { browser.assert_no_errors().await }).await;
    assert!(told.contains("the page failed") && told.contains("Content Security Policy"), "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn things_are_found_by_role_and_name_and_hidden_ones_are_not() {
    let body = "<form><label>Name <input id=name></label><label>Secret <input type=password></label>\
                <label><input type=checkbox>Stay</label>\
                <label>Language <select><option>English<option value=nl>Nederlands</select></label><button type=button>Go</button><button hidden>Go</button></form>\
                <a href=#there>There</a><p id=said role=status></p>";
    let script = "
        const said = (text) => { document.getElementById('said').textContent = text; };
        document.querySelector('button').addEventListener('click', () => {
            document.querySelector('button').disabled = true;
            said('Hello ' + document.getElementById('name').value);
        });
        addEventListener('keydown', (event) => { if (event.key === 'Escape') said('Bye'); });";
    let browser = Browser::desktop().start().await;
    browser.go(&page(body, script).await).await;
    browser.type_into(&field("Name"), "first").await;
    browser.type_into(&field("Name"), "carol").await;
    browser.type_into(&field("Secret"), "s").await;
    browser.choose(&role("combobox", "Language"), "Nederlands").await;
    assert_eq!(browser.property_of(&role("combobox", "Language"), "value").await, "nl");
    browser.tab_to(&checkbox("Stay")).await;
    browser.press("Space").await;
    assert_eq!(browser.property_of(&checkbox("Stay"), "checked").await, true);
    browser.click(&button("Go")).await;
    browser.sees("Hello carol").await;
    assert_eq!(browser.property_of(&button("Go"), "disabled").await, true);
    browser.press("Escape").await;
    browser.until("document.getElementById('said').textContent === 'Bye'").await;
    assert_eq!(browser.text_of(&css("#said")).await, "Bye");
    browser.click(&link("There")).await;
    assert!(browser.url().await.ends_with("#there"));
    browser.has(&heading("Test")).await;
    browser.loses(&role("button", "Gone")).await;
    browser.assert_no_errors().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_is_seen_dark_and_still_and_narrow_and_without_scripts() {
    let url =
        page("<noscript>None.</noscript><p id=p></p>", "document.getElementById('p').textContent = 'Scripted.';").await;
    let browser = Browser::phone().start().await;
    let holds = async |media: &str| {
        let asked = format!("matchMedia('{media}').matches");
        browser.script(&format!("return {asked};"), json!([])).await == true
    };
    browser.go(&url).await;
    browser.sees("Scripted.").await;
    assert!(holds("(width: 390px) and (hover: none)").await && !holds("(prefers-color-scheme: dark)").await);
    browser.set_dark(true).await;
    browser.set_reduced_motion(true).await;
    browser.set_size(320, 600).await;
    assert!(holds("(prefers-color-scheme: dark) and (prefers-reduced-motion) and (width: 320px)").await);
    browser.set_scripts(false).await;
    browser.reload().await;
    browser.sees("None.").await;
    assert!(!browser.shown_text().await.contains("Scripted."));
    // The size of a picture stands in its header (PNG §11.2.2), and a phone has two points to a pixel.
    let shot = browser.screenshot().await;
    assert_eq!(
        (&shot[1..4], &shot[16..20], &shot[20..24]),
        (&b"PNG"[..], &640_u32.to_be_bytes()[..], &1200_u32.to_be_bytes()[..])
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_push_reaches_the_service_worker_of_a_page_that_is_closed() {
    let url = page("<p>Rings.</p>", "navigator.serviceWorker.register('worker.js');").await;
    let phone = Browser::phone().start().await;
    phone.go(&url).await;
    phone.grant("notifications").await;
    phone.has_worker().await;
    let (page, elsewhere) = (phone.tab().await, phone.open_tab().await);
    phone.turn_to(&page).await;
    phone.close_tab(&elsewhere).await;
    assert_eq!(phone.url().await, "about:blank");
    phone.deliver_push(url.trim_end_matches('/'), 0, "carol logs in").await;
    phone.go(&url).await;
    phone.until("await caches.has('shown')").await;
    let shown = "return (await (await navigator.serviceWorker.ready).getNotifications()).map((one) => one.body);";
    assert_eq!(phone.script(shown, json!([])).await, json!(["carol logs in"]));
}

#[tokio::test(flavor = "multi_thread")]
async fn two_browsers_know_nothing_of_each_other_and_both_end() {
    let url = page("<p>Here.</p>", "").await;
    let (desktop, phone) = tokio::join!(Browser::desktop().start(), Browser::phone().speaking("nl").start());
    for browser in [&desktop, &phone] {
        browser.go(&url).await;
    }
    desktop.script("localStorage.setItem('whose', 'desktop');", json!([])).await;
    assert_eq!(
        phone.script("return [localStorage.getItem('whose'), navigator.language];", json!([])).await,
        json!([null, "nl"])
    );
    let home = desktop.home().to_owned();
    assert!(home.exists());
    drop(desktop);
    assert!(!home.exists(), "nothing of a browser is left");
    phone.reload().await;
    phone.sees("Here.").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_browser_finds_the_names_that_the_test_gives_and_calls_itself_as_it_says() {
    let url = page("<p>Here.</p>", "").await;
    let (host, port) = url.trim_start_matches("http://").trim_end_matches('/').split_once(':').unwrap();
    let setup = Browser::phone().finding("mfa.example.com", host.parse().unwrap()).flag("--user-agent=a telephone");
    let browser = setup.start().await;
    browser.go(&format!("http://mfa.example.com:{port}/")).await;
    assert_eq!(browser.title().await, "Test");
    assert_eq!(browser.script("return navigator.userAgent;", json!([])).await, json!("a telephone"));
}
