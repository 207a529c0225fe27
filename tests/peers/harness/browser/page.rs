//! What a person does with a page: go, look, click, type, press keys; and what the tests ask of it.

use serde_json::{Value, json};

use super::driver::Fault;
use super::find::Element;
use super::{Browser, Locator, Message};
use crate::harness::comes;

/// Tab is pressed so often at most until the focus is where it should come to.
const TABS_MAX: usize = 100;

impl Browser {
    /// Opens a page in the tab in front and waits until it is loaded.
    pub(crate) async fn go(&self, url: &str) {
        self.must("url", json!({ "url": url })).await;
    }

    pub(crate) async fn reload(&self) {
        self.must("refresh", json!({})).await;
    }

    pub(crate) async fn url(&self) -> String {
        text(self.driver.get("url").await)
    }

    pub(crate) async fn title(&self) -> String {
        text(self.driver.get("title").await)
    }

    /// Waits until it is there and can be clicked, and clicks it.
    pub(crate) async fn click(&self, locator: &Locator) {
        self.act(locator, &format!("click {locator}"), "click", &json!({})).await;
    }

    /// Empties a field and types into it.
    pub(crate) async fn type_into(&self, locator: &Locator, typed: &str) {
        self.act(locator, &format!("empty {locator}"), "clear", &json!({})).await;
        self.act(locator, &format!("type into {locator}"), "value", &json!({ "text": typed })).await;
    }

    /// Chooses what a `combobox` offers, by its first letters.
    pub(crate) async fn choose(&self, locator: &Locator, option: &str) {
        self.act(locator, &format!("choose in {locator}"), "value", &json!({ "text": option })).await;
    }

    /// Presses a key, wherever the focus is: `Tab`, `Shift+Tab`, `Enter`, `Space`, `Escape`, `ArrowDown`, `a`…
    pub(crate) async fn press(&self, keys: &str) {
        let codes: Vec<String> = keys.split('+').map(code_of_key).collect();
        let down = codes.iter().map(|code| json!({ "type": "keyDown", "value": code }));
        let up = codes.iter().rev().map(|code| json!({ "type": "keyUp", "value": code }));
        let actions: Vec<Value> = down.chain(up).collect();
        self.must("actions", json!({ "actions": [{ "type": "key", "id": "keyboard", "actions": actions }] })).await;
    }

    /// Presses Tab until the focus is there, as somebody without a mouse does.
    pub(crate) async fn tab_to(&self, locator: &Locator) {
        let wanted = self.element(locator).await;
        for _ in 0..TABS_MAX {
            self.press("Tab").await;
            if self.focused().await.as_ref() == Some(&wanted) {
                return;
            }
        }
        self.fail(&format!("Tab leads to {locator}")).await
    }

    /// Waits until this text is to be seen somewhere on the page.
    pub(crate) async fn sees(&self, text: &str) {
        let look = async || self.shown_text().await.contains(text).then_some(());
        self.wait_for(&format!("the page shows {text:?}"), look).await;
    }

    /// Waits until it is there.
    pub(crate) async fn has(&self, locator: &Locator) {
        self.element(locator).await;
    }

    /// Waits until nothing of the kind is there any more.
    pub(crate) async fn loses(&self, locator: &Locator) {
        let look = async || self.find(locator).await.is_ok_and(|found| found.is_empty()).then_some(());
        self.wait_for(&format!("{locator} goes"), look).await;
    }

    /// What it shows, once it is there.
    pub(crate) async fn text_of(&self, locator: &Locator) -> String {
        let element = self.element(locator).await;
        text(self.driver.get(&format!("element/{}/text", element.0)).await)
    }

    /// A property of it, such as `value`, `checked` or `disabled`, once it is there.
    pub(crate) async fn property_of(&self, locator: &Locator, property: &str) -> Value {
        let element = self.element(locator).await;
        self.script("return arguments[0][arguments[1]];", json!([element.as_argument(), property])).await
    }

    /// All that can be read on the page now.
    pub(crate) async fn shown_text(&self) -> String {
        let shown = json!({ "script": "return document.body ? document.body.innerText : '';", "args": [] });
        self.driver.post("execute/sync", shown).await.map_or_else(|_| String::new(), |shown| text(Ok(shown)))
    }

    /// Runs a function's body in the page, and gives what it returns; a promise is waited for. No page's policy stops it.
    pub(crate) async fn script(&self, body: &str, arguments: Value) -> Value {
        let run = self.driver.post("execute/sync", json!({ "script": body, "args": arguments })).await;
        run.unwrap_or_else(|fault| panic!("{fault}, from the script\n{body}"))
    }

    /// Waits until an expression of JavaScript holds; it may `await`.
    pub(crate) async fn until(&self, expression: &str) {
        let body = json!({ "script": format!("return Boolean({expression});"), "args": [] });
        let look = async || match self.driver.post("execute/sync", body.clone()).await {
            Ok(held) => (held == true).then_some(()),
            Err(fault) if fault.is_of_the_moment() => None,
            Err(fault) => panic!("{fault}, from the expression {expression}"),
        };
        self.wait_for(expression, look).await;
    }

    /// What the pages of the tab in front wrote on the console so far.
    pub(crate) async fn console(&self) -> Vec<Message> {
        let new = self.must("se/log", json!({ "type": "browser" })).await;
        let message = |entry: &Value| Message {
            is_error: entry["level"] == "SEVERE",
            text: entry["message"].as_str().unwrap_or_default().to_owned(),
        };
        let mut console = self.console.lock().unwrap();
        console.extend(new.as_array().into_iter().flatten().map(message));
        console.clone()
    }

    /// No script failed, no request, and nothing was against the page's own policy.
    pub(crate) async fn assert_no_errors(&self) {
        let errors: Vec<Message> = self.console().await.into_iter().filter(|message| message.is_error).collect();
        assert!(errors.is_empty(), "{} wrote errors on the console: {errors:#?}", self.url().await);
    }

    /// The one that fits, once it is there.
    pub(super) async fn element(&self, locator: &Locator) -> Element {
        let look = async || match self.find(locator).await {
            Ok(found) if found.len() == 1 => found.into_iter().next(),
            Ok(_) => None,
            Err(fault) if fault.is_of_the_moment() => None,
            Err(fault) => panic!("{locator}: {fault}"),
        };
        self.wait_for(&format!("there is {locator}, once"), look).await
    }

    async fn act(&self, locator: &Locator, what: &str, verb: &str, body: &Value) {
        let look = async || {
            let element = self.element(locator).await;
            match self.driver.post(&format!("element/{}/{verb}", element.0), body.clone()).await {
                Ok(_) => Some(()),
                Err(fault) if fault.is_of_the_moment() => None,
                Err(fault) => panic!("{what}: {fault}"),
            }
        };
        self.wait_for(what, look).await;
    }

    async fn focused(&self) -> Option<Element> {
        let active = self.driver.get("element/active").await.ok()?;
        active.as_object()?.values().next()?.as_str().map(|id| Element(id.to_owned()))
    }

    async fn wait_for<T>(&self, what: &str, look: impl AsyncFnMut() -> Option<T>) -> T {
        match comes(look).await {
            Some(found) => found,
            None => self.fail(what).await,
        }
    }

    /// Ends the test with what somebody before the screen would see.
    pub(super) async fn fail(&self, what: &str) -> ! {
        let name = std::thread::current().name().unwrap_or("test").replace("::", "-");
        let picture = self.picture(&format!("failed-{name}")).await;
        let (url, text, console) = (self.url().await, self.shown_text().await, self.console().await);
        panic!("this never came: {what}\n{url} shows (as in {}):\n{text}\nconsole: {console:#?}", picture.display())
    }
}

fn text(value: Result<Value, Fault>) -> String {
    value.unwrap_or_else(|fault| panic!("{fault}")).as_str().unwrap_or_default().to_owned()
}

/// The key as WebDriver writes it (W3C WebDriver §17.4.2).
fn code_of_key(key: &str) -> String {
    let code = match key {
        "Backspace" => '\u{e003}',
        "Tab" => '\u{e004}',
        "Enter" => '\u{e007}',
        "Shift" => '\u{e008}',
        "Control" => '\u{e009}',
        "Alt" => '\u{e00a}',
        "Escape" => '\u{e00c}',
        "Space" => ' ',
        "PageUp" => '\u{e00e}',
        "PageDown" => '\u{e00f}',
        "End" => '\u{e010}',
        "Home" => '\u{e011}',
        "ArrowLeft" => '\u{e012}',
        "ArrowUp" => '\u{e013}',
        "ArrowRight" => '\u{e014}',
        "ArrowDown" => '\u{e015}',
        "Delete" => '\u{e017}',
        other => {
            assert_eq!(other.chars().count(), 1, "no key is named {other}");
            return other.to_owned();
        }
    };
    code.to_string()
}
