//! What ops do to it: reloads, stops, broken keys, dead primaries, locked stores.

use std::time::Duration;

use nix::sys::signal::Signal;
use tokio::task::JoinSet;

use crate::harness::appliance::Appliance;
use crate::harness::notifier::{KEY, Notifier};
use crate::harness::radius::{ACCEPT, Ask, REJECT};
use crate::harness::stub::Stub;
use crate::harness::vestibule::{House, sum_of};
use crate::harness::{at, until, vestibule};

const EXEMPT: &str = "[[rule]]\nname = \"all\"\nsecond_factor = \"exempt\"\nuntil = 2099-01-01\n";

#[tokio::test(flavor = "multi_thread")]
async fn a_reload_takes_a_file_whole_or_refuses_it_whole_and_says_so() {
    let nps = Stub::accepting("hello").await;
    let mut house = vestibule::guarding(&nps).rules(EXEMPT).start_program().await;
    let vpn = house.appliance().await;
    let policy = house.site.policy();
    let denying = policy.replace("second_factor = \"exempt\"\nuntil = 2099-01-01", "deny = \"Closed.\"");
    house.site.write("vestibule.toml", &format!("{denying}\nsecond_facto = \"totp\"\n"));
    house.child.signal(Signal::SIGHUP);
    house.site.counts("vestibule_reloads_total", &["refused"], 1.0).await;
    let line = house.child.says("second_facto").await;
    assert!(line.contains("vestibule.toml:"), "file, line and column: {line}");
    assert_eq!(vpn.ask(&Ask::login("alice", "hello")).await.code, ACCEPT, "the old policy goes on");

    house.site.write("vestibule.toml", &denying);
    house.child.signal(Signal::SIGHUP);
    let line = house.child.says("Closed.").await;
    assert!(line.contains("rule"), "what changed: {line}");
    let refused = vpn.ask(&Ask::login("alice", "hello")).await;
    assert_eq!((refused.code, refused.text().as_str()), (REJECT, "Closed."));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stopping_server_gives_held_logins_their_time_and_then_a_reject() {
    let nps = Stub::accepting("hello").await;
    let webhook = "[method.push]\nwebhook = { url = \"https://127.0.0.1:1/x\", allow_private = true }\n";
    let plan = vestibule::guarding(&nps).limits("drain_within = \"1s\"\n").and(webhook);
    let mut house =
        plan.secret("method.push.webhook", "the notifier's key of a test").totp("alice").start_program().await;
    let vpn = house.appliance().await;
    let slow = Stub::silent().await;
    let policy = house.site.policy().replace(&nps.at.to_string(), &slow.at.to_string());
    house.site.write("vestibule.toml", &policy);
    house.child.signal(Signal::SIGHUP);
    house.child.says(&slow.at.to_string()).await;
    let held = Ask::login("alice", "hello");
    vpn.send(&held).await;
    vpn.hears_nothing().await;
    house.child.signal(Signal::SIGTERM);
    assert_eq!(vpn.next(&[held]).await.code, REJECT);
    assert!(house.child.ended().await.success(), "{}", house.child.output());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stopping_server_poses_no_challenge_to_whoever_waits_for_a_phone() {
    let (nps, notifier) = (Stub::accepting("hello").await, Notifier::start().await);
    let webhook = format!("webhook = {{ url = \"{}\", allow_private = true }}", notifier.url());
    let plan = vestibule::guarding(&nps).limits("drain_within = \"30s\"").client("gives_up_after = \"10s\"");
    let plan =
        plan.and(&format!("[method.push]\nchannels = [\"webhook\"]\n{webhook}")).secret("method.push.webhook", KEY);
    let mut house = plan.totp("alice").told("alice").start_program().await;
    let vpn = house.appliance().await;
    let held = Ask::login("alice", "hello");
    vpn.send(&held).await;
    notifier.has(1).await;
    house.child.signal(Signal::SIGTERM);
    let answer = vpn.next(&[held]).await;
    assert_eq!(
        answer.code,
        REJECT,
        "the State of a challenge would end with the process (rules G3): {}",
        answer.text()
    );
    house.child.says("\"reason\":\"draining\"").await;
    assert!(house.child.ended().await.success(), "{}", house.child.output());
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_is_let_in_while_the_server_stops_is_answered_before_the_sockets_close() {
    let slow = Stub::silent().await;
    let plan = vestibule::guarding(&slow).rules(EXEMPT).limits("drain_within = \"1s\"").refusing_after("1s");
    let House { server, site } = plan.start().await;
    let telemetry = server.telemetry().clone();
    let asking = |number: usize| {
        let radius = site.radius;
        async move {
            // A socket each: no Identifier is taken twice.
            let vpn = Appliance::of(radius).await;
            vpn.try_ask(&Ask::login(&format!("user{number}"), "hello")).await.map(|answer| answer.code)
        }
    };
    let mut asked: JoinSet<Option<u8>> = (0..10).map(asking).collect();
    site.counts("vestibule_requests_total", &["client=\"vpn\""], 10.0).await;
    let stopping = tokio::spawn(server.stop());
    let mut again = tokio::time::interval(Duration::from_millis(5));
    while !stopping.is_finished() {
        again.tick().await;
        asked.spawn(asking(asked.len()));
    }
    let answers = asked.join_all().await;
    assert!(answers.iter().flatten().all(|code| *code == REJECT), "{answers:?}");
    let page = telemetry.render();
    let count = |name: &str| sum_of(&page, name, &["client=\"vpn\""]);
    let let_in = count("vestibule_requests_total") - count("vestibule_retransmits_total");
    assert_eq!(answers.iter().flatten().count() as f64, let_in, "rules G3: nobody is left without an answer");
    assert_eq!(count("vestibule_answers_total"), let_in);
    assert_eq!(count("vestibule_drops_total"), 0.0);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_second_server_is_asked_while_the_first_is_dead_and_with_none_there_is_a_reject_where_the_client_wants_one()
{
    let (dead, nps) = (at(18129), Stub::accepting("hello").await);
    let house = vestibule::guarding(&vec![dead, nps.at]).rules(EXEMPT).start().await;
    let vpn = house.appliance().await;
    assert_eq!(vpn.ask(&Ask::login("alice", "hello")).await.code, ACCEPT);
    drop(house);
    let mut house = vestibule::guarding(&vec![dead, at(18129)])
        .rules(EXEMPT)
        .client("gives_up_after = \"10s\"\nwhen_unavailable = \"reject\"")
        .start_program()
        .await;
    let vpn = house.appliance().await;
    assert_eq!(vpn.ask(&Ask::login("alice", "hello")).await.code, REJECT);
    house.child.says("primary_unavailable").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn while_another_process_locks_the_store_no_accept_leaves() {
    let nps = Stub::accepting("hello").await;
    let mut house = vestibule::guarding(&nps).rules(EXEMPT).client("gives_up_after = \"10s\"").start_program().await;
    let vpn = house.appliance().await;
    let lock = rusqlite::Connection::open(house.site.path("vestibule.db")).unwrap();
    lock.execute_batch("BEGIN IMMEDIATE").unwrap();
    assert_eq!(vpn.ask(&Ask::login("alice", "hello")).await.code, REJECT);
    let line = house.child.says("\"service\":\"store\"").await;
    assert!(line.contains("vestibule.db") || line.contains("lock"), "{line}");
    lock.execute_batch("ROLLBACK").unwrap();
    assert_eq!(vpn.ask(&Ask::login("bob", "hello")).await.code, ACCEPT);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_open_or_missing_store_key_keeps_the_server_from_starting_and_says_what_to_do() {
    let nps = Stub::accepting("hello").await;
    let site = vestibule::guarding(&nps).rules(EXEMPT).totp("alice").built().await;
    let key = site.path("store.key");
    let other = vestibule::guarding(&nps).built().await;
    let refused = async |why: &str| {
        let output = site.run(&["serve"]).await;
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(1), "{why}: {said}");
        assert!(said.contains("key_file") || said.contains("store.key"), "{why}: {said}");
    };
    let right = std::fs::read(&key).unwrap();
    std::fs::copy(other.path("store.key"), &key).unwrap();
    refused("another site's key").await;
    std::fs::write(&key, &right).unwrap();
    std::fs::set_permissions(&key, std::os::unix::fs::PermissionsExt::from_mode(0o644)).unwrap();
    refused("a key that others may read").await;
    std::fs::remove_file(&key).unwrap();
    refused("no key").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_running_server_dumps_no_core_and_knows_no_phone_of_the_demos() {
    let nps = Stub::accepting("hello").await;
    let program = vestibule::guarding(&nps).totp("alice").start_program().await;
    let limits = std::fs::read_to_string(format!("/proc/{}/limits", program.child.id())).unwrap();
    let cores = limits.lines().find(|line| line.starts_with("Max core file size")).unwrap();
    assert!(cores.split_whitespace().filter(|word| *word == "0").count() == 2, "rules F1: {cores}");
    let refused = program.site.run(&["device", "add", "alice", "--channel", "loopback"]).await;
    assert_eq!(refused.status.code(), Some(2), "rules F5: a phone that approves by a link is the demo's alone");
}

#[tokio::test(flavor = "multi_thread")]
async fn while_the_disk_is_full_no_accept_leaves_and_with_room_again_nothing_was_lost() {
    let nps = Stub::accepting("hello").await;
    let client = "gives_up_after = \"10s\"\nwhen_unavailable = \"reject\"";
    let plan = vestibule::guarding(&nps).rules(EXEMPT).client(client);
    let mut house = plan.built().await.start_program_on_a_small_disk().await;
    let vpn = house.appliance().await;
    let login = async |number: usize| vpn.ask(&Ask::login(&format!("user{number}"), "hello")).await.code;
    assert_eq!(login(0).await, ACCEPT);
    std::fs::write(house.site.path("trigger"), "fill\n").unwrap();
    // What the file has room for already may still be written; then nobody gets in any more.
    let mut accepted = 1_u32;
    let mut number = 1;
    while login(number).await == ACCEPT {
        (accepted, number) = (accepted + 1, number + 1);
        assert!(number < 2000, "the disk never filled");
    }
    assert_eq!(login(number + 1).await, REJECT);
    let line = house.child.says("disk is full").await;
    assert!(line.contains("make room"), "it says what to do: {line}");
    let says_why = async || house.site.page("/readyz").await.filter(|page| page.starts_with("HTTP/1.1 503"));
    let page = until("a server that is not ready", says_why).await;
    assert!(page.contains("store: the store's disk is full; make room"), "{page}");
    std::fs::write(house.site.path("trigger"), "empty\n").unwrap();
    until("an Accept with room again", async || (login(number + 2).await == ACCEPT).then_some(())).await;
    until("a server that is ready again", async || house.site.is_ready().await.then_some(())).await;
    house.site.counts("vestibule_answers_total", &["code=\"accept\""], f64::from(accepted) + 1.0).await;
    // Every Accept has its record, and those who were refused meanwhile have theirs by and by.
    let lines = || std::fs::read_to_string(house.site.path("audit.jsonl")).unwrap_or_default();
    // The file is fed at least once: the cursor could not move while the disk was full.
    let count = |answer: &str| {
        lines().lines().filter(|line| line.contains(answer)).collect::<std::collections::BTreeSet<_>>().len()
    };
    let wanted = usize::try_from(accepted).unwrap() + 1;
    until("every record", async || {
        let there = count("\"answer\":\"accept\"") == wanted && count("\"reason\":\"store_unavailable\"") >= 2;
        there.then_some(())
    })
    .await;
}
