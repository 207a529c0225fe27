//! The wire of WebDriver: a POST of JSON per verb, and DevTools commands through ChromeDriver. It knows no page.

use std::fmt;

use serde_json::{Value, json};

use crate::harness::GENEROUS;

pub(super) struct Driver {
    http: reqwest::Client,
    session: String,
}

/// What the browser refused, in WebDriver's words: `no such element`, `stale element reference`…
#[derive(Clone, Debug)]
pub(super) struct Fault {
    pub(super) error: String,
    message: String,
}

impl Driver {
    pub(super) async fn begin(port: u16, capabilities: &Value) -> Self {
        let http = reqwest::Client::builder().no_proxy().timeout(GENEROUS).build().unwrap();
        let root = format!("http://127.0.0.1:{port}/session");
        let wanted = json!({ "capabilities": { "alwaysMatch": capabilities } });
        let begun = answer(http.post(&root).json(&wanted)).await;
        let begun = begun.unwrap_or_else(|fault| panic!("Chromium did not start: {fault}"));
        let session = format!("{root}/{}", begun["sessionId"].as_str().expect("a session"));
        Self { http, session }
    }

    pub(super) async fn get(&self, verb: &str) -> Result<Value, Fault> {
        answer(self.http.get(self.at(verb))).await
    }

    pub(super) async fn post(&self, verb: &str, body: Value) -> Result<Value, Fault> {
        answer(self.http.post(self.at(verb)).json(&body)).await
    }

    pub(super) async fn delete(&self, verb: &str) -> Result<Value, Fault> {
        answer(self.http.delete(self.at(verb))).await
    }

    pub(super) async fn devtools(&self, command: &str, parameters: Value) -> Result<Value, Fault> {
        self.post("goog/cdp/execute", json!({ "cmd": command, "params": parameters })).await
    }

    fn at(&self, verb: &str) -> String {
        format!("{}/{verb}", self.session)
    }
}

async fn answer(request: reqwest::RequestBuilder) -> Result<Value, Fault> {
    let broken = |error: reqwest::Error| Fault { error: "no answer".into(), message: error.to_string() };
    let mut answer: Value = request.send().await.map_err(broken)?.json().await.map_err(broken)?;
    let value = answer["value"].take();
    match value["error"].as_str() {
        Some(error) => Err(Fault {
            error: error.to_owned(),
            message: value["message"].as_str().unwrap_or_default().lines().next().unwrap_or_default().to_owned(),
        }),
        None => Ok(value),
    }
}

impl Fault {
    /// True where the page was caught while it changed, so that another look is worth it.
    pub(super) fn is_of_the_moment(&self) -> bool {
        const PASSING: [&str; 5] = [
            "no such element",
            "stale element reference",
            "element not interactable",
            "element click intercepted",
            "detached shadow root",
        ];
        // While a page goes and the next one comes, nodes and contexts vanish between two commands.
        PASSING.contains(&self.error.as_str())
            || ["No node", "Could not find node", "Cannot find context", "Could not compute", "Inspected target"]
                .iter()
                .any(|word| self.message.contains(word))
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.error, self.message)
    }
}
