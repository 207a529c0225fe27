//! The command line as a script uses it: from an empty directory to a login, with no line typed by hand.

use std::process::Output;

use data_encoding::BASE32_NOPAD;
use serde_json::Value;

use crate::harness::oath::totp;
use crate::harness::vestibule;

fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_script_goes_from_an_empty_directory_to_a_login() {
    let site = vestibule::empty();
    let done = async |arguments: &[&str]| {
        let output = site.run(arguments).await;
        assert_eq!(output.status.code(), Some(0), "{arguments:?}: {}", said(&output));
        output.stdout
    };
    done(&["init", "--yes"]).await;
    site.settle();
    done(&["check"]).await;
    for (weak, said_of_it) in [
        ("hello", "8 characters at least"),
        ("Password1!", "everybody tries first"),
        ("alice2026", "the user's or the account's name"),
    ] {
        site.write_private("weak", &format!("{weak}\n"));
        let refused = site.run(&["user", "add", "alice", "--password-file", "weak"]).await;
        assert_ne!(refused.status.code(), Some(0), "{weak}");
        assert!(said(&refused).contains(said_of_it) && !said(&refused).contains(weak), "{}", said(&refused));
    }
    site.write_private("password", "looking-glass-7\n");
    site.write_private("wrong", "goodbye\n");
    done(&["user", "add", "alice", "--password-file", "password"]).await;
    let token: Value = serde_json::from_slice(&done(&["token", "add", "alice", "totp", "--json"]).await).unwrap();
    let seed = BASE32_NOPAD.decode(token["secret"].as_str().unwrap().as_bytes()).unwrap();
    assert!(token["uri"].as_str().unwrap().starts_with("otpauth://totp/"), "{token}");
    let device: Value =
        serde_json::from_slice(&done(&["device", "add", "alice", "--channel", "webhook", "--json"]).await).unwrap();
    assert!(device["device"].is_string(), "{device}");

    let program = site.start_program().await;
    let site = &program.site;
    let server = site.radius.to_string();
    let radtest = async |password: &str| {
        let secret = "secrets/client.vpn";
        let files = ["--secret-file", secret, "--password-file", password, "--code-file", "code"];
        site.run(&[&["radtest", &server, "alice"], &files[..]].concat()).await
    };
    site.write_private("code", "000000\n");
    let rejected = radtest("wrong").await;
    assert_eq!(rejected.status.code(), Some(1), "{}", said(&rejected));
    assert!(said(&rejected).contains("Access-Reject"), "{}", said(&rejected));
    site.write_private("code", &format!("{}\n", totp(&seed)));
    let accepted = radtest("password").await;
    assert_eq!(accepted.status.code(), Some(0), "{}", said(&accepted));
    let shown = said(&accepted);
    assert!(shown.contains("Access-Challenge") && shown.contains("Access-Accept"), "{shown}");
    let again = radtest("password").await;
    assert_eq!(again.status.code(), Some(1), "a code works once: {}", said(&again));
}
