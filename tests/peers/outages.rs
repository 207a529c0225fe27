//! When nobody could check (rules A10), and what is no outage at all (A5): through the real program, FreeRADIUS before and behind it.

use std::time::Duration;

use tokio::net::TcpStream;

use crate::harness::freeradius::FreeRadius;
use crate::harness::notifier::{KEY, Notifier};
use crate::harness::oath::{hotp, seed};
use crate::harness::radclient::radclient;
use crate::harness::radius::{ACCEPT, Ask, REJECT};
use crate::harness::stub::Stub;
use crate::harness::{at, until, vestibule};

const EXEMPT: &str = "[[rule]]\nname = \"all\"\nsecond_factor = \"exempt\"\nuntil = 2099-01-01\n";

const DROPS: &str = "vestibule_drops_total";

#[tokio::test(flavor = "multi_thread")]
async fn freeradius_as_the_appliance_asks_its_second_server_where_the_primary_of_the_first_is_dead() {
    let nps = Stub::accepting("hello").await;
    let cut_off = vestibule::guarding(&vec![at(18130)]).rules(EXEMPT).start().await;
    let well = vestibule::guarding(&nps).client("append = \",\"").hotp("alice").start().await;
    let appliance = FreeRadius::failing_over([cut_off.radius(), well.radius()]).await;
    let typed = format!("User-Name=alice, User-Password=\"hello,{}\"", hotp(&seed("alice"), 0));
    // Its own refusal of the login in which it found out; from then on it asks the second. An answer of ours would have kept it.
    radclient(appliance.at, "auth", &typed).await;
    let answer = radclient(appliance.at, "auth", &typed).await;
    assert!(answer.received("Access-Accept"), "{answer:?}\n{}", appliance.saw());
    // Rules E6: and it is counted, when our own patience ends, which may be after the appliance's.
    cut_off.site.counts(DROPS, &["client=\"vpn\"", "reason=\"unavailable\""], 1.0).await;
    let records = cut_off.records(1).await;
    assert!(records[0]["answer"].is_null(), "{records:?}");
    assert_eq!(records[0]["reason"].as_str(), Some("primary_unavailable"));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_very_same_packet_tries_again_and_gets_in_once_the_primary_is_back() {
    let cut_off = at(18131);
    let mut program = vestibule::guarding(&vec![cut_off]).rules(EXEMPT).start_program().await;
    let vpn = program.appliance().await;
    let ask = Ask::login("alice", "hello");
    vpn.send(&ask).await;
    program.site.counts(DROPS, &["reason=\"unavailable\""], 1.0).await;
    let line = program.child.says("nobody could check the login").await;
    assert!(line.contains("when_unavailable"), "it names the switch: {line}");
    // No Status-Server either, while nobody answers there: the appliance goes to its next server.
    vpn.send(&Ask::status()).await;
    program.site.counts(DROPS, &["reason=\"unavailable\""], 2.0).await;
    let _nps = Stub::standing_at(cut_off, "hello").await;
    assert_eq!(vpn.ask(&ask).await.code, ACCEPT, "same Identifier, same Request Authenticator");
    assert_eq!(vpn.ask(&Ask::status()).await.code, ACCEPT);
    assert_eq!(program.site.metric("vestibule_retransmits_total", &[]).await, 0.0);
}

#[tokio::test(flavor = "multi_thread")]
async fn while_the_store_can_not_be_written_nobodys_password_is_asked_for_and_the_appliance_is_left_to_ask_elsewhere() {
    let nps = Stub::accepting("hello").await;
    let program = vestibule::guarding(&nps).rules(EXEMPT).built().await.start_program_on_a_small_disk().await;
    let vpn = program.appliance().await;
    std::fs::write(program.site.path("trigger"), "fill\n").unwrap();
    // What the file has room for may still be written; logins use that up, one after the other, until one gets no yes.
    for number in 0..2000 {
        let ask = Ask::login(&format!("user{number}"), "hello");
        let answer = tokio::time::timeout(Duration::from_secs(15), vpn.ask(&ask)).await;
        if answer.is_err() || program.child.output().contains("disk is full") {
            break;
        }
    }
    let full = async || program.site.page("/readyz").await.filter(|page| page.starts_with("HTTP/1.1 503"));
    assert!(until("a server that is not ready", full).await.contains("disk is full"));
    let quiet = program.appliance().await;
    let (asked, counted) = (nps.heard().len(), program.site.metric(DROPS, &["reason=\"unavailable\""]).await);
    let ask = Ask::login("alice", "hello");
    quiet.send(&ask).await;
    program.site.counts(DROPS, &["reason=\"unavailable\""], counted + 1.0).await;
    assert!(nps.heard()[asked..].iter().all(|(user, _)| user != "alice"), "no login could end well");
    std::fs::write(program.site.path("trigger"), "empty\n").unwrap();
    until("a server that is ready again", async || program.site.is_ready().await.then_some(())).await;
    // A little room may come before there is enough for a login's record.
    until("an Accept with room again", async || {
        let answer = quiet.try_ask(&Ask::login("alice", "hello")).await?;
        (answer.code == ACCEPT).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_wants_an_answer_is_refused_in_words() {
    let client = "when_unavailable = \"reject\"";
    let house = vestibule::guarding(&vec![at(18132)]).client(client).rules(EXEMPT).start().await;
    let answer = house.appliance().await.ask(&Ask::login("alice", "hello")).await;
    assert_eq!(answer.code, REJECT);
    assert!(!answer.text().is_empty());
}

/// FreeRADIUS 3.2.1 signs no answer to Status-Server (rules E1).
#[tokio::test(flavor = "multi_thread")]
async fn a_freeradius_that_comes_back_is_found_by_its_bare_status_answer_without_any_login() {
    let stands = at(18133);
    let mut program = vestibule::guarding(&vec![stands]).rules(EXEMPT).start_program().await;
    let vpn = program.appliance().await;
    vpn.send(&Ask::login("alice", "hello")).await;
    program.child.says("is dead for").await;
    let freeradius = FreeRadius::standing_at(stands, "DEFAULT Cleartext-Password := \"hello\"\n").await;
    program.child.says("answers again").await;
    let saw = freeradius.saw_at_last(|saw| saw.contains("Status-Server")).await;
    assert!(!saw.contains("Access-Request"), "{saw}");
    assert_eq!(vpn.ask(&Ask::login("alice", "hello")).await.code, ACCEPT);
}

#[tokio::test(flavor = "multi_thread")]
async fn idle_connections_to_the_portal_take_no_descriptor_that_a_push_needs_and_open_no_door() {
    let (nps, notifier) = (Stub::accepting("hello").await, Notifier::start().await);
    let portal = at(18443);
    let more = format!(
        "[portal]\nurl = \"http://{portal}\"\nlisten = \"{portal}\"\nsign_in = \"nps\"\n\
         [method.push]\nchannels = [\"webhook\"]\nwebhook = {{ url = \"{}\", allow_private = true }}",
        notifier.url()
    );
    let rules = "[[rule]]\nname = \"open\"\nwhen = { group = [\"pilots\"] }\nsecond_factor = [\"push\"]\n\
                 if_unavailable = { push = \"accept\" }\nuntil = 2099-01-01\n";
    let plan = vestibule::guarding(&nps).and(&more).secret("method.push.webhook", KEY).rules(rules);
    let plan = plan.told("alice").grouped("alice", "pilots");
    let mut program = plan.built().await.start_program_with_descriptors(128).await;
    program.child.says("128 files and sockets").await;
    let mut idle = Vec::new();
    for _ in 0..400 {
        // Past what is taken they wait in the system's queue, and past that nothing comes of them.
        match tokio::time::timeout(Duration::from_millis(200), TcpStream::connect(portal)).await {
            Ok(Ok(stream)) => idle.push(stream),
            Ok(Err(_)) | Err(_) => break,
        }
    }
    assert!(idle.len() > 128, "{} connections", idle.len());
    let vpn = program.appliance().await;
    let ask = Ask::login("alice", "hello").stationed("203.0.113.9");
    vpn.send(&ask).await;
    notifier.has(1).await;
    let early = tokio::time::timeout(Duration::from_millis(500), vpn.next(std::slice::from_ref(&ask))).await;
    assert!(early.is_err(), "rules A5: it is held, and nothing opened: {early:?}");
    assert!(radclient(program.site.radius, "status", "NAS-Identifier=vpn").await.received("Access-Accept"));
}
