//! `vestibule reload` and the socket beside the store, with the real program.

use std::os::unix::fs::PermissionsExt;
use std::process::Output;

use nix::sys::signal::Signal;
use serde_json::Value;

use crate::harness::vestibule;

fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

const SOCKET: &str = "vestibule.db.sock";

#[tokio::test(flavor = "multi_thread")]
async fn reload_prints_what_changed_or_why_not_and_ends_as_documented() {
    let program = vestibule::alone().start_program().await;
    let site = &program.site;
    let mode = std::fs::metadata(site.path(SOCKET)).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let nothing = site.run(&["reload"]).await;
    assert!(nothing.status.success() && said(&nothing).contains("Nothing changed"), "{}", said(&nothing));

    let policy = site.policy();
    site.write_private("secrets/client.asa", "a-secret-nobody-may-see\n");
    site.write("vestibule.toml", &format!("{policy}\n[client.asa]\naddress = \"192.0.2.9\"\n"));
    let added = site.run(&["reload"]).await;
    assert_eq!(added.status.code(), Some(0), "{}", said(&added));
    assert!(said(&added).contains("client asa added: address = \"192.0.2.9\""), "{}", said(&added));
    site.write_private("secrets/client.asa", "another-secret-of-it\n");
    let changed = site.does(&["reload"]).await;
    assert_eq!(changed["reloaded"], true);
    assert!(changed["changes"][0].as_str().unwrap().contains("client asa: secret changed"), "{changed}");
    assert!(!said(&added).contains("nobody-may-see") && !changed.to_string().contains("another-secret"));

    site.write("vestibule.toml", "[client.asa\n");
    let refused = site.run(&["reload"]).await;
    assert_eq!(refused.status.code(), Some(2), "{}", said(&refused));
    assert!(said(&refused).contains("the policy in force stays") && said(&refused).contains("write [client.asa]"));
    site.write("vestibule.toml", &policy);
    let back = site.run(&["reload"]).await;
    assert!(said(&back).contains("client asa removed"), "the broken file changed nothing: {}", said(&back));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_servers_socket_is_replaced_and_a_live_one_is_left_alone() {
    let program = vestibule::alone().start_program().await;
    program.child.signal(Signal::SIGKILL);
    let site = program.dies().await;
    assert!(site.path(SOCKET).exists(), "nobody could take it away");
    let nobody = site.run(&["reload"]).await;
    assert_eq!(nobody.status.code(), Some(1), "{}", said(&nobody));
    assert!(said(&nobody).contains("no server answers"), "{}", said(&nobody));

    let program = site.start_program().await;
    let site = &program.site;
    assert!(site.run(&["reload"]).await.status.success());
    // A second server of the same store, elsewhere: it runs, and commands still reach the first.
    let ports = site.policy().replace(":18120", ":18121").replace(":18190", ":18191");
    site.write("second.toml", &ports);
    let mut command = tokio::process::Command::new(env!("CARGO_BIN_EXE_vestibule"));
    command.arg("-c").arg(site.path("second.toml")).arg("serve");
    let mut second = crate::harness::child::Child::start(&mut command, "nothing: cargo builds it");
    second.says("another vestibule answers commands").await;
    second.says("answers RADIUS").await;
    let first: Value = site.does(&["reload"]).await;
    assert_eq!(first["changes"], Value::Array(Vec::new()), "the first has its own file, which did not change");
}
