//! What a page owes to everybody: axe-core finds nothing serious, and nothing sticks out of a narrow screen.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::Browser;

/// Where `tests/peers/browser/install` puts it.
const AXE: &str = concat!(env!("CARGO_TARGET_TMPDIR"), "/../browser/node_modules/axe-core/axe.min.js");
/// The narrowest phone (WCAG 2.2, 1.4.10 Reflow).
pub(crate) const NARROW: u32 = 320;

/// What sticks out at the right, unless it stands in a box of its own that scrolls.
const STICKING_OUT: &str = r#"
    const width = document.documentElement.clientWidth;
    const scrolls = (element) => ["auto", "scroll"].includes(getComputedStyle(element).overflowX);
    const inBox = (element) => {
        for (let box = element.parentElement; box && box !== document.body; box = box.parentElement) if (scrolls(box)) return true;
        return false;
    };
    const out = [...document.body.querySelectorAll("*")].filter((element) => {
        const box = element.getBoundingClientRect();
        return box.width > 1 && box.height > 1 && box.right > width + 1 && !inBox(element);
    });
    const told = out.slice(0, 20).map((element) => element.outerHTML.slice(0, 120) + "  reaches " + Math.round(element.getBoundingClientRect().right));
    const wide = document.documentElement.scrollWidth;
    if (wide > width) told.unshift("the page is " + wide + " wide in a window of " + width);
    return told;
"#;

impl Browser {
    /// axe-core finds nothing of impact serious or critical on the page as it is now.
    pub(crate) async fn assert_accessible(&self) {
        let found = self.axe().await;
        let grave =
            found.as_array().into_iter().flatten().filter(|one| ["serious", "critical"].contains(&word(one, "impact")));
        let told: String = grave.map(in_words).collect();
        assert!(told.is_empty(), "axe-core finds on {}:\n{told}", self.url().await);
    }

    /// At 320 pixels nothing sticks out and nothing must be scrolled sideways.
    pub(crate) async fn assert_no_overflow(&self) {
        let (width, height) = self.look();
        self.set_size(NARROW, height).await;
        let told = self.script(STICKING_OUT, json!([])).await;
        if told != json!([]) {
            let picture = self.picture("overflow").await;
            panic!("{} overflows at {NARROW} pixels (see {}): {told:#}", self.url().await, picture.display());
        }
        self.set_size(width, height).await;
    }

    /// A page that everybody can use, on a phone and on a desktop, in light and dark; and pictures of it to look at:
    /// `NAME-phone-light.png` and so on, and `NAME-narrow.png`.
    pub(crate) async fn is_for_everybody(&self, name: &str) {
        let before = self.turned();
        for (screen, look) in [("phone", before.on_a_phone()), ("desktop", before.on_a_desktop())] {
            for (light, dark) in [("light", false), ("dark", true)] {
                self.turn(look.seen(dark)).await;
                self.assert_accessible().await;
                self.picture(&format!("{name}-{screen}-{light}")).await;
            }
        }
        self.turn(before.on_a_phone().narrowed(NARROW)).await;
        self.picture(&format!("{name}-narrow")).await;
        self.turn(before).await;
        self.assert_no_overflow().await;
    }

    /// The violations, in a world of its own beside the page's scripts: the page's policy does not bind it, and it leaves nothing behind.
    async fn axe(&self) -> Value {
        let source = std::fs::read_to_string(AXE).unwrap_or_else(|error| {
            panic!("{AXE}: {error}; run tests/peers/browser/install, which gets axe-core with npm")
        });
        let frame = self.devtools("Page.getFrameTree", json!({})).await["frameTree"]["frame"]["id"].take();
        let world = json!({ "frameId": frame, "worldName": "axe" });
        let world = self.devtools("Page.createIsolatedWorld", world).await["executionContextId"].take();
        let run = "axe.run(document, { resultTypes: ['violations'] }).then((result) => result.violations)";
        // The source's own value is no matter, and can't be passed back.
        self.evaluate(&world, &format!("{source};\nundefined")).await;
        self.evaluate(&world, run).await
    }

    async fn evaluate(&self, world: &Value, expression: &str) -> Value {
        let wanted =
            json!({ "contextId": world, "expression": expression, "awaitPromise": true, "returnByValue": true });
        let mut done = self.devtools("Runtime.evaluate", wanted).await;
        assert!(done["exceptionDetails"].is_null(), "axe-core failed: {:#}", done["exceptionDetails"]);
        done["result"]["value"].take()
    }
}

fn in_words(violation: &Value) -> String {
    let mut told =
        format!("- {} ({}): {}\n", word(violation, "id"), word(violation, "impact"), word(violation, "help"));
    for node in violation["nodes"].as_array().into_iter().flatten() {
        let why = word(node, "failureSummary").replace('\n', "\n      ");
        let _ = write!(told, "    {}\n    {}\n      {why}\n", node["target"], word(node, "html"));
    }
    told
}

fn word<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap_or_default()
}
