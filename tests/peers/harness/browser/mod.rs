//! A real browser: Debian's Chromium, headless, driven through Debian's ChromeDriver by the W3C WebDriver protocol.
//!
//! Each browser is a process group of its own with a fresh profile and home: nothing of one test is seen by another, a desktop
//! and a phone stand side by side, and the whole group is killed when the value goes, also in a panic. It talks to this host
//! only. Whatever is looked for is waited for, and what never comes fails with the page's text, its console and a picture.
//!
//! ```text
//! let desktop = Browser::desktop().start().await;
//! desktop.go(&url).await;
//! desktop.type_into(&field("User"), "carol").await;
//! desktop.click(&button("Connect")).await;
//! desktop.sees("Connected.").await;
//! desktop.assert_accessible().await;
//! ```

mod accessible;
mod driver;
mod find;
mod look;
mod page;
mod worker;

use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use nix::sys::signal::{Signal, killpg};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::process::Command;

use super::child::Child;
use super::notifications::Desktop;
use super::until;
use driver::Driver;
pub(crate) use find::{Locator, button, checkbox, css, field, heading, link, role};
use look::Look;

/// Leads the group of ChromeDriver, Chromium and its helpers, and ends it with ChromeDriver, or with the tests however they
/// end: then nobody holds the other end of its input. The kernel picks the port.
const LEADER: &str = r#"{ "$0" --port=0; kill -KILL 0; } & read -r _; kill -KILL 0"#;
/// How often ChromeDriver is started: the port that it was given for one family of addresses may be taken in the other.
const STARTS_MAX: u32 = 5;

async fn started(command: &mut Command) -> (Child, String) {
    for _ in 1..STARTS_MAX {
        let mut driver = Child::start_on_a_line(command, "a POSIX shell");
        if let Some(port) = driver.says_or_ends(STARTED).await {
            return (driver, port);
        }
    }
    let mut driver = Child::start_on_a_line(command, "a POSIX shell");
    let port = driver.says(STARTED).await;
    (driver, port)
}

/// What ChromeDriver says then.
const STARTED: &str = "started successfully on port";

/// How often a profile is removed while the processes that write to it end.
const REMOVALS_MAX: u32 = 1000;

/// A browser, and in it the tab that is in front.
pub(crate) struct Browser {
    driver: Driver,
    look: Mutex<Look>,
    /// What the pages wrote on the console so far.
    console: Mutex<Vec<Message>>,
    driver_process: Child,
    home: TempDir,
}

/// A line of the console: the browser's own complaints (a refused script, a failed request) and the page's.
#[derive(Clone, Debug)]
pub(crate) struct Message {
    pub(crate) is_error: bool,
    pub(crate) text: String,
}

/// A tab, to turn back to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Tab(String);

/// A browser that is not started yet.
pub(crate) struct Setup {
    look: Look,
    flags: Vec<String>,
    names: Vec<String>,
    languages: Option<String>,
    any_certificate: bool,
    desktop: Option<String>,
}

impl Browser {
    /// A window of 1280 by 800 with a mouse.
    pub(crate) fn desktop() -> Setup {
        Setup::new(Look::DESKTOP)
    }

    /// A screen of 390 by 844 that is touched.
    pub(crate) fn phone() -> Setup {
        Setup::new(Look::PHONE)
    }

    /// Where all is kept that it keeps.
    pub(crate) fn home(&self) -> &Path {
        self.home.path()
    }

    /// The tab that is in front.
    pub(crate) async fn tab(&self) -> Tab {
        let name = self.driver.get("window").await.unwrap_or_else(|fault| panic!("the tab in front: {fault}"));
        Tab(name.as_str().unwrap_or_default().to_owned())
    }

    /// Opens a tab and brings it to the front.
    pub(crate) async fn open_tab(&self) -> Tab {
        let opened = self.must("window/new", json!({ "type": "tab" })).await;
        let tab = Tab(opened["handle"].as_str().unwrap_or_default().to_owned());
        self.turn_to(&tab).await;
        tab
    }

    pub(crate) async fn turn_to(&self, tab: &Tab) {
        self.must("window", json!({ "handle": tab.0 })).await;
        self.apply_look().await;
    }

    /// Waits until so many tabs are open, and gives them.
    pub(crate) async fn has_tabs(&self, count: usize) -> Vec<Tab> {
        until("a tab", async || {
            let tabs = self.driver.get("window/handles").await.ok()?;
            let tabs: Vec<Tab> =
                tabs.as_array()?.iter().filter_map(|tab| Some(Tab(tab.as_str()?.to_owned()))).collect();
            (tabs.len() >= count).then_some(tabs)
        })
        .await
    }

    /// Closes the tab in front; another must be left, and is turned to.
    pub(crate) async fn close_tab(&self, then: &Tab) {
        self.driver.delete("window").await.unwrap_or_else(|fault| panic!("close the tab: {fault}"));
        self.turn_to(then).await;
    }

    /// A command of the DevTools protocol to the tab in front: `Emulation.setCPUThrottlingRate`, `Network.enable`…
    pub(crate) async fn devtools(&self, command: &str, parameters: Value) -> Value {
        let sent = self.driver.devtools(command, parameters).await;
        sent.unwrap_or_else(|fault| panic!("{command}: {fault}"))
    }

    async fn must(&self, verb: &str, body: Value) -> Value {
        self.driver.post(verb, body).await.unwrap_or_else(|fault| panic!("{verb}: {fault}"))
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        let _ = killpg(self.driver_process.group(), Signal::SIGKILL);
        // The kernel takes a moment to end them all, and until then one may put a file where another was just removed.
        let removed = |_| std::fs::remove_dir_all(self.home.path()).is_ok();
        let _ = (0..REMOVALS_MAX).any(removed);
    }
}

impl Setup {
    fn new(look: Look) -> Self {
        Self { look, flags: Vec::new(), names: Vec::new(), languages: None, any_certificate: false, desktop: None }
    }

    /// Takes certificates that nobody vouches for.
    #[allow(dead_code, reason = "for pages over TLS, and the first are being built")]
    pub(crate) fn with_any_certificate(mut self) -> Self {
        self.any_certificate = true;
        self
    }

    /// Asks for pages in these languages, the best first: `nl,en`.
    pub(crate) fn speaking(mut self, languages: &str) -> Self {
        self.languages = Some(languages.to_owned());
        self
    }

    /// Finds this host name at that address, without a name server.
    pub(crate) fn finding(mut self, name: &str, at: IpAddr) -> Self {
        self.names.push(format!("MAP {name} {at}"));
        self
    }

    /// Shows its notifications on that desktop, instead of by itself where nobody can click them.
    pub(crate) fn notifying(mut self, desktop: &Desktop) -> Self {
        self.desktop = Some(desktop.address());
        self
    }

    /// One more flag of Chromium's command line.
    pub(crate) fn flag(mut self, flag: &str) -> Self {
        self.flags.push(flag.to_owned());
        self
    }

    pub(crate) async fn start(self) -> Browser {
        let chromium = program("chromium", "chromium");
        let home = tempfile::Builder::new().prefix("vestibule-browser-").tempdir().unwrap();
        let mut command = Command::new("sh");
        command.arg("-c").arg(LEADER).arg(program("chromedriver", "chromium-driver"));
        command.env("HOME", home.path()).env("TMPDIR", home.path()).process_group(0);
        match &self.desktop {
            Some(bus) => command.env("DBUS_SESSION_BUS_ADDRESS", bus),
            // Not that of whoever runs the tests.
            None => command.env("DBUS_SESSION_BUS_ADDRESS", "disabled:"),
        };
        let (driver_process, port) = started(&mut command).await;
        let port = port.trim_end_matches('.').rsplit(' ').next().and_then(|port| port.parse().ok());
        let capabilities = self.capabilities(&chromium, &home);
        let driver = Driver::begin(port.expect("ChromeDriver's port"), &capabilities).await;
        let (look, console) = (Mutex::new(self.look), Mutex::default());
        let browser = Browser { driver, look, console, driver_process, home };
        browser.apply_look().await;
        browser
    }

    fn capabilities(&self, chromium: &Path, home: &TempDir) -> Value {
        let profile = format!("--user-data-dir={}", home.path().join("profile").display());
        // The second row: nothing is looked up or fetched that no test asked for.
        let mut flags: Vec<&str> = vec!["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"];
        flags.extend(["--disable-quic", "--disable-background-networking", "--disable-component-update"]);
        flags.extend(["--disable-sync", "--no-first-run", "--no-proxy-server", "--hide-scrollbars", &profile]);
        flags.extend(self.flags.iter().map(String::as_str));
        let names = format!("--host-resolver-rules={}", self.names.join(","));
        if !self.names.is_empty() {
            flags.push(&names);
        }
        let languages = self.languages.as_deref().unwrap_or("en");
        json!({
            "browserName": "chrome",
            "acceptInsecureCerts": self.any_certificate,
            "timeouts": { "pageLoad": 60_000, "script": 60_000 },
            "goog:loggingPrefs": { "browser": "ALL" },
            "goog:chromeOptions": {
                "binary": chromium,
                "args": flags,
                "prefs": { "intl.accept_languages": languages },
            },
        })
    }
}

/// Where a program is; a test that misses it says what to install.
fn program(name: &str, package: &str) -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path).map(|directory| directory.join(name)).find(|path| path.is_file());
    found.unwrap_or_else(|| panic!("{name} is not on PATH: install Debian's package {package}"))
}
