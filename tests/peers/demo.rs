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
    demo.says("user show alice").await;
    let output = demo.output();
    let page = output.lines().find_map(|line| line.split("together: ").nth(1)).expect("the page's address").to_owned();
    let lines: Vec<&str> = output.lines().filter_map(|line| line.strip_prefix("  $ ")).collect();
    assert_eq!(lines.len(), 5, "{output}");
    let typing = type_all(&lines);
    let ((), ()) = tokio::join!(typing, approve(page.trim().to_owned()));
    demo.signal(Signal::SIGTERM);
    assert!(demo.ended().await.success());
}

async fn type_all(lines: &[&str]) {
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
