//! The demo as a stranger meets it: eight logins that end as they must, and every line that it prints, typed as it stands.

use std::path::Path;

use nix::sys::signal::Signal;
use serde_json::Value;
use tokio::process::Command;

use crate::harness::child::Child;
use crate::harness::until;

const PROGRAM: &str = env!("CARGO_BIN_EXE_vestibule");

#[tokio::test(flavor = "multi_thread")]
async fn every_login_of_the_demo_ends_as_it_must() {
    let output = Command::new(PROGRAM).args(["demo", "--once", "--json"]).output().await.unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    let logins: Vec<Value> =
        String::from_utf8(output.stdout).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(logins.len(), 8, "three that get in and five break-ins");
    assert!(logins.iter().all(|login| login["ok"] == true && login["answer"] == login["expected"]), "{logins:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn each_line_that_the_demo_prints_works_as_it_is_printed() {
    let mut demo = Child::start(Command::new(PROGRAM).args(["demo"]), "nothing: it is ours");
    demo.says("Ctrl-C to end").await;
    let output = demo.output();
    let page = page_of(&output);
    let lines = commands(&output);
    assert_eq!(lines.len(), 5, "{output}");
    let typing = type_all(&lines);
    let ((), ()) = tokio::join!(typing, approve(page.trim().to_owned()));
    demo.signal(Signal::SIGTERM);
    assert!(demo.ended().await.success());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_small_terminal_still_shows_is_the_page_to_open_and_no_line_breaks_within_a_word() {
    let mut demo = Child::start(Command::new(PROGRAM).args(["demo"]), "nothing: it is ours");
    demo.says("Ctrl-C to end").await;
    let output = demo.output();
    let lines: Vec<&str> = output.lines().collect();
    let [.., begin, before, page, after, end] = lines.as_slice() else { panic!("{output}") };
    assert!(begin.starts_with("Begin here") && before.is_empty() && after.is_empty(), "{output}");
    assert_eq!((page.trim(), *end), (page_of(&output).as_str(), "Ctrl-C to end"), "alone on its line, and last");
    assert_eq!(broken_by_a_terminal_of(80, &output), Vec::<&str>::new());
    demo.signal(Signal::SIGTERM);
    assert!(demo.ended().await.success());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_narrow_terminal_breaks_no_word_either() {
    let line = format!("stty rows 24 cols 60; NO_COLOR=1 exec {PROGRAM} demo --once");
    let output = Command::new("script").args(["-qec", &line, "/dev/null"]).output().await.unwrap();
    let output = String::from_utf8(output.stdout).unwrap();
    assert!(output.contains("in, through both doors"), "{output}");
    assert_eq!(broken_by_a_terminal_of(60, &output), Vec::<&str>::new());
    assert!(!broken_by_a_terminal_of(50, &output).is_empty(), "its width is used");
}

/// Lines that such a terminal would break. A word that is longer than a line stands in one of its own: nobody can break that well.
fn broken_by_a_terminal_of(columns: usize, output: &str) -> Vec<&str> {
    let lines = output.lines().map(str::trim_end);
    lines.filter(|line| line.chars().count() > columns && line.trim().contains(' ')).collect()
}

/// The address of the demo's page: the last one that it prints.
pub(crate) fn page_of(output: &str) -> String {
    let mut addresses = output.lines().filter_map(|line| line.trim().strip_prefix("http://"));
    format!("http://{}", addresses.next_back().expect("the page's address"))
}

/// What it prints to be typed: a line that ends with a backslash goes on in the next.
fn commands(output: &str) -> Vec<String> {
    let mut commands: Vec<String> = Vec::new();
    let mut goes_on = false;
    for line in output.lines() {
        if let Some(begun) = line.strip_prefix("  $ ") {
            commands.push(begun.to_owned());
        } else if goes_on && let Some(command) = commands.last_mut() {
            *command = format!("{command}\n{line}");
        } else {
            continue;
        }
        goes_on = line.ends_with('\\');
    }
    commands
}

async fn type_all(lines: &[String]) {
    for line in lines {
        let typed = Command::new("sh").args(["-c", line]).output().await.unwrap();
        let said = String::from_utf8_lossy(&typed.stdout);
        assert!(typed.status.success(), "{line}\n{said}{}", String::from_utf8_lossy(&typed.stderr));
        assert!(said.contains("Access-Accept") || line.contains("user show"), "{line}\n{said}");
        if line.contains("radclient") {
            assert!(Path::new("/usr/bin/radclient").exists(), "install freeradius-utils");
        }
    }
}

/// Taps Approve on the page's phone as soon as carol's rings.
async fn approve(page: String) {
    let prompt = until("carol's phone to ring", async || {
        let seen: Value = reqwest::get(format!("{page}view?after=0")).await.ok()?.json().await.ok()?;
        seen["ringing"][0]["prompt"].as_str().map(str::to_owned)
    })
    .await;
    let tap = serde_json::json!({ "prompt": prompt, "answer": "approve" });
    let origin = page.split('/').take(3).collect::<Vec<_>>().join("/");
    let client = reqwest::Client::new();
    let tapped = client.post(format!("{page}tap")).header("origin", origin).json(&tap).send().await.unwrap();
    assert!(tapped.status().is_success(), "{tapped:?}");
}
