//! What is looked for on a page: by the role and name that a screen reader tells, or by a CSS selector.

use std::fmt;

use serde_json::{Value, json};

use super::Browser;
use super::driver::Fault;

/// The key under which WebDriver passes an element (W3C WebDriver §12.1).
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";

/// One element: a second one that fits as well makes a test fail.
#[derive(Clone, Debug)]
pub(crate) enum Locator {
    Css(String),
    Role { role: String, name: String },
}

/// An element by CSS selector: for what has no role.
pub(crate) fn css(selector: &str) -> Locator {
    Locator::Css(selector.to_owned())
}

/// An element by its ARIA role and its whole accessible name: `role("alert", "…")`.
pub(crate) fn role(role: &str, name: &str) -> Locator {
    Locator::Role { role: role.to_owned(), name: name.to_owned() }
}

pub(crate) fn button(name: &str) -> Locator {
    role("button", name)
}

/// A text field, a password's too, by its label.
pub(crate) fn field(name: &str) -> Locator {
    role("textbox", name)
}

pub(crate) fn link(name: &str) -> Locator {
    role("link", name)
}

pub(crate) fn heading(name: &str) -> Locator {
    role("heading", name)
}

pub(crate) fn checkbox(name: &str) -> Locator {
    role("checkbox", name)
}

/// An element that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Element(pub(super) String);

impl Element {
    fn read(value: &Value) -> Option<Self> {
        value[ELEMENT].as_str().map(|id| Self(id.to_owned()))
    }

    /// As an argument of a script.
    pub(super) fn as_argument(&self) -> Value {
        json!({ ELEMENT: self.0 })
    }
}

impl Browser {
    /// All that fits now. Hidden things have no role.
    pub(super) async fn find(&self, locator: &Locator) -> Result<Vec<Element>, Fault> {
        match locator {
            Locator::Css(selector) => {
                let found = self.driver.post("elements", json!({ "using": "css selector", "value": selector })).await?;
                Ok(found.as_array().into_iter().flatten().filter_map(Element::read).collect())
            }
            Locator::Role { role, name } => self.find_by_role(role, name).await,
        }
    }

    async fn find_by_role(&self, role: &str, name: &str) -> Result<Vec<Element>, Fault> {
        let document = self.driver.devtools("DOM.getDocument", json!({ "depth": 0 })).await?;
        let query = json!({ "nodeId": document["root"]["nodeId"], "role": role, "accessibleName": name });
        let found = self.driver.devtools("Accessibility.queryAXTree", query).await?;
        let shown = found["nodes"].as_array().into_iter().flatten().filter(|node| node["ignored"] != true);
        let mut elements = Vec::new();
        for node in shown {
            elements.extend(self.element_of(&node["backendDOMNodeId"]).await?);
        }
        Ok(elements)
    }

    /// DevTools' node as WebDriver's element: handed over through the page's own world, under a name that goes at once.
    async fn element_of(&self, node: &Value) -> Result<Option<Element>, Fault> {
        let resolved = self.driver.devtools("DOM.resolveNode", json!({ "backendNodeId": node })).await?;
        let keep = json!({
            "objectId": resolved["object"]["objectId"],
            "functionDeclaration": "function () { globalThis.__foundByTheTest = this; }",
        });
        self.driver.devtools("Runtime.callFunctionOn", keep).await?;
        let take = "const found = globalThis.__foundByTheTest; delete globalThis.__foundByTheTest; return found;";
        let taken = self.driver.post("execute/sync", json!({ "script": take, "args": [] })).await?;
        Ok(Element::read(&taken))
    }
}

impl fmt::Display for Locator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Css(selector) => write!(f, "`{selector}`"),
            Self::Role { role, name } => write!(f, "the {role} {name:?}"),
        }
    }
}
