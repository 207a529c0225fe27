//! The command line as a script uses it: from an empty directory to a login, with no line typed by hand.

use std::process::Output;

use ::vestibule::store::StoreKey;
use ::vestibule::store::web::{Acts, Letters};
use data_encoding::BASE32_NOPAD;
use login::ResolvedUser;
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

#[tokio::test(flavor = "multi_thread")]
async fn what_is_done_on_the_host_stands_in_the_chain_and_its_user_hears_of_it() {
    let site = vestibule::empty();
    let done = async |arguments: &[&str]| {
        let output = site.run(arguments).await;
        assert_eq!(output.status.code(), Some(0), "{arguments:?}: {}", said(&output));
        output.stdout
    };
    done(&["init", "--yes"]).await;
    site.settle();
    let policy = std::fs::read_to_string(site.path("vestibule.toml")).unwrap();
    let mail = "[mail]\nsmtp = \"smtp://127.0.0.1:9\"\nallow_plain = true\nfrom = \"mfa@example.com\"\n";
    site.write_private("vestibule.toml", &format!("{policy}\n{mail}"));
    site.write_private("password", "looking-glass-7\n");
    let id = |output: Vec<u8>, what: &str| {
        let told: Value = serde_json::from_slice(&output).unwrap();
        told[what].as_str().unwrap().to_owned()
    };
    done(&["user", "add", "alice", "--mail", "alice@example.com"]).await;
    done(&["user", "password", "alice", "--password-file", "password"]).await;
    let token = id(done(&["token", "add", "alice", "totp", "--label", "My app", "--json"]).await, "token");
    let device = id(done(&["device", "add", "alice", "--channel", "webhook", "--json"]).await, "device");
    done(&["user", "block", "alice", "--reason", "stolen, ticket 4711"]).await;
    done(&["user", "unblock", "alice"]).await;
    done(&["token", "remove", &token, "--reason", "new phone"]).await;
    done(&["device", "remove", &device]).await;
    for unknown in [
        &["user", "block", "nobody"][..],
        &["user", "unblock", "nobody"],
        &["user", "remove", "nobody"],
        &["token", "remove", &token],
        &["device", "remove", &device],
    ] {
        assert_eq!(site.run(unknown).await.status.code(), Some(1), "{unknown:?}");
    }
    let store = site.open_store();
    let letters = store.due_letters(login::Wall::NEVER, 20).await.unwrap();
    let letters: Vec<Value> =
        letters.iter().map(|letter| serde_json::from_slice(letter.text.expose()).unwrap()).collect();
    let kinds: Vec<&str> = letters.iter().map(|letter| letter["kind"]["is"].as_str().unwrap()).collect();
    let changed = ["password_changed", "method_added", "method_added"];
    assert_eq!(kinds[..], [&changed[..], &["blocked", "unblocked", "method_removed", "method_removed"]].concat());
    assert_eq!(letters[3]["kind"]["reason"], "stolen, ticket 4711");
    assert_eq!((&letters[5]["kind"]["name"], &letters[5]["to"]), (&"My app".into(), &"alice@example.com".into()));
    drop(store);
    done(&["user", "remove", "alice"]).await;
    let acts = site.open_store().acts_on(&ResolvedUser::new("alice"), 20).await.unwrap();
    let mut acts: Vec<Value> = acts.iter().map(|act| serde_json::from_str(&act.json).unwrap()).collect();
    acts.reverse();
    let whats: Vec<&str> = acts.iter().map(|act| act["act"].as_str().unwrap_or_default()).collect();
    let done = ["set_password", "add_token", "add_device", "block", "unblock", "remove_token", "remove_device"];
    assert_eq!(whats, [&done[..], &["remove_user"]].concat(), "{acts:?}");
    assert!(acts.iter().all(|act| act["by"].as_str().unwrap().starts_with("host")), "{acts:?}");
    assert_eq!(acts[5]["reason"], "new phone");
    assert_eq!((&acts[3]["reason"], &acts[5]["object"]), (&"stolen, ticket 4711".into(), &token.as_str().into()));
}

#[tokio::test(flavor = "multi_thread")]
async fn check_says_where_the_file_names_what_is_not_there_and_lets_defaults_wait_for_their_host() {
    let site = vestibule::empty();
    let policy = |more: &str| {
        let text = format!("[[rule]]\nname = \"all\"\nsecond_factor = [\"totp\"]\n{more}");
        site.write_private("vestibule.toml", &text);
    };
    policy("");
    let minimal = site.run(&["check"]).await;
    assert_eq!(minimal.status.code(), Some(0), "{}", said(&minimal));
    assert!(said(&minimal).contains("store.key is missing"), "{}", said(&minimal));
    assert_eq!(site.run(&["check", "--strict"]).await.status.code(), Some(2));
    policy("[store]\nurl = \"sqlite:/nowhere/vestibule.db\"\nkey_file = \"other.key\"\n");
    let named = site.run(&["check", "--json"]).await;
    assert_eq!(named.status.code(), Some(2), "{}", said(&named));
    let findings: Value = serde_json::from_slice(&named.stdout).unwrap();
    let lines: Vec<_> = findings.as_array().unwrap().iter().filter_map(|found| found["line"].as_u64()).collect();
    assert!(lines.contains(&5) && lines.contains(&6), "{findings}");
}

#[tokio::test(flavor = "multi_thread")]
async fn check_tells_that_another_key_sealed_the_store() {
    let site = vestibule::empty();
    assert_eq!(site.run(&["init", "--yes"]).await.status.code(), Some(0));
    site.settle();
    drop(site.open_store());
    assert_eq!(site.run(&["check"]).await.status.code(), Some(0));
    std::fs::remove_file(site.path("store.key")).unwrap();
    StoreKey::generate(&site.path("store.key")).unwrap();
    let refused = site.run(&["check"]).await;
    assert_eq!(refused.status.code(), Some(2), "{}", said(&refused));
    assert!(said(&refused).contains("is not the one that seals this store"), "{}", said(&refused));
}
