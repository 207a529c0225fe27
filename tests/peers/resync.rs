//! A token with a button that counted on without us: what its refusal says, and how its owner, the help desk and the host set it
//! right by two codes in a row (rules C1, D1).

use std::time::Duration;

use ::vestibule::store::{Algorithm, NewToken, TokenKind};
use login::{ResolvedUser, TokenId};
use serde_json::Value;
use wire::Secret;

use crate::harness::oath::{hotp, seed};
use crate::harness::portal_house::PortalHouse;
use crate::harness::radius::{ACCEPT, Answer, Ask, CHALLENGE, REJECT};
use crate::harness::vestibule;

/// What it shows at this count.
fn shows(counter: u64) -> String {
    hotp(&seed("button"), counter)
}

/// Alice gets a token with a button besides.
async fn button(house: &PortalHouse) -> TokenId {
    let now = house.house.server.clock().moment().wall;
    let (kind, seed) = (TokenKind::Hotp, Secret::new(seed("button")));
    let token = NewToken { kind, seed, digits: 6, algorithm: Algorithm::Sha1, label: None, used: None };
    house.store().add_token(&ResolvedUser::new("alice"), token, now).await.unwrap()
}

/// Password, then these codes as long as one is asked for. Each login from a place of its own: a Reject repeats for ten seconds (B2).
async fn logs_in(house: &PortalHouse, place: u8, counters: &[u64]) -> Answer {
    let station = format!("203.0.113.{place}");
    let vpn = house.house.appliance().await;
    let mut answer = vpn.ask(&Ask::login("alice", "pw of alice").stationed(&station)).await;
    for counter in counters {
        assert_eq!(answer.code, CHALLENGE, "{counter}");
        answer = vpn.ask(&Ask::login("alice", &shows(*counter)).stationed(&station).answering(&answer)).await;
    }
    answer
}

async fn counter(house: &PortalHouse) -> u64 {
    house.tokens("alice").await.iter().find(|open| open.token.kind == TokenKind::Hotp).unwrap().counter
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_counted_on_is_refused_as_that_and_its_owner_sets_it_right() {
    let house = PortalHouse::opens().await;
    let token = button(&house).await;
    let wrong = logs_in(&house, 1, &[490, 491, 492]).await;
    assert_eq!(wrong.code, REJECT);
    let record = house.house.records(1).await.pop().unwrap();
    assert_eq!(record["reason"], "code_ahead", "{record}");
    let detail = record["detail"].as_str().unwrap();
    assert!(detail.contains("492 codes further on") && detail.contains(&*token.0), "{detail}");
    assert!(detail.contains("vestibule token resync"), "what to do: {detail}");
    assert!(!wrong.text().contains("resync"), "who stands at the VPN reads a wrong code's words: {}", wrong.text());

    let mut alice = house.alice().await;
    let path = format!("/tokens/{}/resync", token.0);
    assert!(alice.get(&format!("/tokens/{}", token.0)).await.body.contains(&format!("href=\"{path}\"")));
    assert_eq!(alice.get(&path).await.status, 200);
    for (first, second) in [(500, 502), (501, 500)] {
        let refused = alice.post(&path, &[("first", &shows(first)), ("second", &shows(second))]).await;
        assert_eq!(refused.status, 422);
        assert!(refused.body.contains("not two codes in a row"), "{}", refused.body);
        assert!(!refused.body.contains(&shows(first)), "no code is written into a page");
    }
    assert_eq!(counter(&house).await, 0);
    // As people type them.
    let [first, second] = [shows(500), shows(501)].map(|code| format!(" {} {}", &code[..3], &code[3..]));
    let done = alice.post(&path, &[("first", &first), ("second", &second)]).await;
    assert_eq!(done.location, "/?done=token-resynced", "{}", done.body);
    assert!(alice.get(&done.location).await.body.contains("in step again"));
    assert_eq!(counter(&house).await, 502);
    // What set it right is used up, and what comes next gets in.
    assert_eq!(logs_in(&house, 2, &[500, 501, 502]).await.code, ACCEPT);
    let acts = house.store().acts_on(&ResolvedUser::new("alice"), 50).await.unwrap();
    let acts = acts.iter().map(|act| serde_json::from_str::<Value>(&act.json).unwrap());
    let acts: Vec<Value> = acts.filter(|act| act["act"].as_str().unwrap().starts_with("resync_token")).collect();
    assert_eq!(acts.iter().filter(|act| act["act"] == "resync_token").count(), 3, "{acts:?}");
    assert_eq!(acts.iter().filter(|act| act["act"] == "resync_token_failed").count(), 2, "{acts:?}");
    assert!(acts.iter().all(|act| act["object"] == *token.0));
}

#[tokio::test(flavor = "multi_thread")]
async fn each_pair_is_a_guess_and_after_five_none_is_looked_at() {
    let house = PortalHouse::opens().await;
    let token = button(&house).await;
    let mut alice = house.alice().await;
    let path = format!("/tokens/{}/resync", token.0);
    alice.get(&path).await;
    for n in 0..5 {
        let tried = alice.post(&path, &[("first", &shows(100 + n)), ("second", &shows(300))]).await;
        assert!(tried.body.contains("not two codes in a row"), "{}", tried.body);
    }
    let locked = alice.post(&path, &[("first", &shows(500)), ("second", &shows(501))]).await;
    assert_eq!(locked.status, 422);
    assert!(locked.body.contains("Codes are off for a while"), "{}", locked.body);
    assert_eq!(counter(&house).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_is_set_right_by_its_owner_alone_who_proved_a_factor_lately() {
    let house = PortalHouse::opens().await;
    let token = button(&house).await;
    let path = format!("/tokens/{}/resync", token.0);
    let codes = [("first", shows(500)), ("second", shows(501))];
    let codes: Vec<(&str, &str)> = codes.iter().map(|(field, code)| (*field, code.as_str())).collect();
    assert_eq!(house.web().get(&path).await.location, "/sign-in");
    let mut alice = house.alice().await;
    let totp = house.tokens("alice").await.iter().find(|open| open.token.id != token).unwrap().token.id.clone();
    alice.get("/").await;
    assert_eq!(alice.get(&format!("/tokens/{}/resync", totp.0)).await.status, 404, "it has no counter");
    assert!(!alice.get(&format!("/tokens/{}", totp.0)).await.body.contains("/resync"));
    house.ages(&mut alice, Duration::from_secs(11 * 60)).await;
    assert_eq!(alice.get("/").await.status, 200);
    assert!(alice.get(&path).await.location.starts_with("/sign-in/second"));
    assert!(alice.post(&path, &codes).await.location.starts_with("/sign-in/second"));
    assert_eq!(counter(&house).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_host_sets_a_token_right_or_takes_it_with_its_counter() {
    let site = vestibule::empty();
    let said = |output: &std::process::Output| {
        format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
    };
    let run = async |arguments: &[&str], code: i32| {
        let output = site.run(arguments).await;
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {}", said(&output));
        output
    };
    run(&["init", "--yes"], 0).await;
    site.settle();
    site.write_private("password", "looking-glass-7\n");
    site.write_private("seed", &format!("{}\n", data_encoding::BASE32_NOPAD.encode(&seed("button"))));
    run(&["user", "add", "alice", "--password-file", "password"], 0).await;
    let added = run(&["token", "add", "alice", "hotp", "--secret-file", "seed", "--json"], 0).await;
    let added: Value = serde_json::from_slice(&added.stdout).unwrap();
    let token = added["token"].as_str().unwrap();

    site.write_private("codes", &format!("{}\n{}\n", shows(500), shows(777)));
    let wrong = said(&run(&["token", "resync", token, "--codes-file", "codes"], 1).await);
    assert!(wrong.contains("not two codes in a row") && wrong.contains("--counter"), "{wrong}");
    assert!(!wrong.contains(&shows(500)), "no code is told (rules F1): {wrong}");
    site.write_private("codes", &format!("{}\n", shows(500)));
    let one = said(&run(&["token", "resync", token, "--codes-file", "codes"], 2).await);
    assert!(one.contains("two codes are needed"), "{one}");
    site.write_private("codes", &format!("{}\r\n\r\n{}\r\n", shows(500), shows(501)));
    let right = run(&["token", "resync", token, "--codes-file", "codes", "--reason", "ticket 42", "--json"], 0).await;
    let right: Value = serde_json::from_slice(&right.stdout).unwrap();
    assert_eq!((&right["token"], &right["done"]), (&token.into(), &"resynchronised".into()));
    let again = said(&run(&["token", "resync", token, "--codes-file", "codes"], 1).await);
    assert!(again.contains("not two codes in a row"), "the counter never falls: {again}");

    // The same secret is no second token; once removed it comes back no earlier than it stood.
    let twice = said(&run(&["token", "add", "alice", "totp", "--secret-file", "seed"], 1).await);
    assert!(twice.contains(token) && twice.contains("this very secret"), "{twice}");
    run(&["token", "remove", token], 0).await;
    let arguments = ["token", "add", "alice", "hotp", "--secret-file", "seed", "--counter", "300", "--json"];
    let back: Value = serde_json::from_slice(&run(&arguments, 0).await.stdout).unwrap();
    assert!(back["uri"].as_str().unwrap().contains("counter=300"), "{back}");
    let (store, alice) = (site.open_store(), ResolvedUser::new("alice"));
    let limits = login::limits::Limits::default();
    let methods = [login::Method::Hotp];
    let now = ::vestibule::engine::Clock::begin().moment().wall;
    let open = ::vestibule::store::Codes::read_guess(&store, &alice, None, &methods, now, &limits).await.unwrap();
    assert_eq!(open.tokens[0].counter, 502);
    let totp: Value =
        serde_json::from_slice(&run(&["token", "add", "alice", "totp", "--json"], 0).await.stdout).unwrap();
    let timed = run(&["token", "resync", totp["token"].as_str().unwrap(), "--codes-file", "codes"], 1).await;
    assert!(said(&timed).contains("come of the time"), "{}", said(&timed));
    assert!(
        said(&run(&["token", "add", "alice", "totp", "--counter", "5"], 2).await).contains("--counter is for HOTP")
    );
}
