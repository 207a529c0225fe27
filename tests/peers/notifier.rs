//! The site's notifier: told of each push by a signed webhook over real HTTP, once, and never able to approve.

use nix::sys::signal::Signal;
use serde_json::Value;

use crate::harness::notifier::{KEY, Notifier};
use crate::harness::oath::{hotp, seed};
use crate::harness::radius::{ACCEPT, Ask, CHALLENGE, REJECT};
use crate::harness::stub::Stub;
use crate::harness::until;
use crate::harness::vestibule::{self, Plan};

fn told(notifier: &Notifier, nps: &Stub, client: &str) -> Plan {
    telling(&notifier.url(), nps, client)
}

fn telling(url: &str, nps: &Stub, client: &str) -> Plan {
    let webhook = format!("webhook = {{ url = \"{url}\", allow_private = true }}");
    vestibule::guarding(nps)
        .client(client)
        .and(&format!("[method.push]\nchannels = [\"webhook\"]\n{webhook}"))
        .secret("method.push.webhook", KEY)
}

async fn hears_of_the_end(notifier: &Notifier) {
    let ended = |posts: Vec<Value>| posts.iter().any(|post| post["event"] == "withdrawn").then_some(());
    until("the end of the prompt", async || ended(notifier.posts())).await;
}

fn prompts(posts: &[Value]) -> Vec<&Value> {
    posts.iter().filter(|post| post["event"] == "prompt").collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hint_is_signed_and_the_login_it_holds_ends_by_its_time_in_a_challenge() {
    let (nps, notifier) = (Stub::accepting("hello").await, Notifier::start().await);
    let program = told(&notifier, &nps, "gives_up_after = \"8s\"").totp("alice").told("alice").start_program().await;
    let vpn = program.appliance().await;
    let ask = Ask::login("alice", "hello").stationed("203.0.113.9");
    vpn.send(&ask).await;
    notifier.has(1).await;
    // It is held.
    vpn.hears_nothing().await;
    let answer = vpn.next(std::slice::from_ref(&ask)).await;
    assert_eq!(answer.code, CHALLENGE, "{}", answer.text());
    let posts = notifier.posts();
    assert_eq!(prompts(&posts).len(), 1, "one login is one prompt: {posts:?}");
    assert_eq!(prompts(&posts)[0]["user"], "alice");
    // The same login asks again under a new Identifier: the same challenge, and no second hint.
    let again = vpn.ask(&ask.anew()).await;
    assert_eq!((again.code, again.one(24)), (CHALLENGE, answer.one(24)), "under the same State");
    assert_eq!(prompts(&notifier.posts()).len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn where_no_challenge_can_be_shown_a_hint_that_nobody_answers_ends_in_a_reject() {
    let (nps, notifier) = (Stub::accepting("hello").await, Notifier::start().await);
    let client = "gives_up_after = \"3s\"\nchallenge = false";
    let program = told(&notifier, &nps, client).told("alice").start_program().await;
    let answer = program.appliance().await.ask(&Ask::login("alice", "hello").stationed("203.0.113.9")).await;
    assert_eq!(answer.code, REJECT);
    notifier.has(1).await;
    assert_eq!(prompts(&notifier.posts()).len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn after_kill_9_the_same_login_joins_its_prompt_and_no_hint_leaves_twice() {
    let (nps, notifier) = (Stub::accepting("hello").await, Notifier::start().await);
    let names: Vec<String> = (0..40).map(|number| format!("user{number}")).collect();
    let plan = told(&notifier, &nps, "gives_up_after = \"60s\"");
    let plan = names.iter().fold(plan, |plan, name| plan.told(name));
    let program = plan.built().await.start_program().await;
    let vpn = program.appliance().await;
    let login = |name: &String| Ask::login(name, "hello").stationed(&format!("203.0.113.{}", &name[4..]));
    for name in &names {
        vpn.send(&login(name)).await;
    }
    // It dies while hints leave: some have, some have not.
    notifier.has(names.len() / 2).await;
    program.child.signal(Signal::SIGKILL);
    let program = program.dies().await.start_program().await;
    let vpn = program.appliance().await;
    for name in &names {
        vpn.send(&login(name)).await;
    }
    program.site.counts("vestibule_held_sessions", &[], 40.0).await;
    let posts = notifier.posts();
    for name in &names {
        let count = prompts(&posts).iter().filter(|post| post["user"] == name.as_str()).count();
        assert!(count <= 1, "{name} got {count} prompts for one login");
    }
    assert_ne!(prompts(&posts).len(), 0);
    // A hint approves nothing: all forty still wait.
    vpn.hears_nothing().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_notifier_is_told_to_who_looks_after_it_and_its_login_is_one_by_code() {
    let nps = Stub::accepting("hello").await;
    let plan = telling("https://127.0.0.1:1/x", &nps, "").hotp("alice").told("alice");
    let mut program = plan.start_program().await;
    let vpn = program.appliance().await;
    let challenge = vpn.ask(&Ask::login("alice", "hello")).await;
    assert_eq!(challenge.code, CHALLENGE);
    program.site.counts("vestibule_troubles_total", &["service=\"webhook\""], 1.0).await;
    let trouble = program.child.says("\"service\":\"webhook\"").await;
    assert!(trouble.contains("can't be reached"), "{trouble}");
    let code = hotp(&seed("alice"), 0);
    assert_eq!(vpn.ask(&Ask::login("alice", &code).answering(&challenge)).await.code, ACCEPT);
    let line = program.child.says("hotp accepted").await;
    assert!(line.contains("no phone rang: the notifier can't be reached"), "{line}");
    assert_eq!(program.site.metric("vestibule_factor_seconds_count", &["method=\"push\""]).await, 0.0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_block_from_the_command_line_ends_the_hold_at_once_and_the_notifier_hears_of_it() {
    let (nps, notifier) = (Stub::accepting("hello").await, Notifier::start().await);
    let plan = told(&notifier, &nps, "gives_up_after = \"90s\"").totp("alice").told("alice");
    let mut program = plan.start_program().await;
    let vpn = program.appliance().await;
    let ask = Ask::login("alice", "hello");
    vpn.send(&ask).await;
    notifier.has(1).await;
    let blocked = program.site.run(&["user", "block", "alice", "--reason", "lost laptop"]).await;
    assert!(blocked.status.success(), "{}", String::from_utf8_lossy(&blocked.stderr));
    assert_eq!(vpn.next(&[ask]).await.code, REJECT, "long before the appliance gives up (rules F5)");
    let line = program.child.says("\"reason\":\"blocked\"").await;
    assert!(line.contains("lost laptop"), "{line}");
    hears_of_the_end(&notifier).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_device_removed_from_the_command_line_ends_its_hold_and_is_told_so() {
    let (nps, notifier) = (Stub::accepting("hello").await, Notifier::start().await);
    let program = told(&notifier, &nps, "gives_up_after = \"90s\"").told("alice").start_program().await;
    let vpn = program.appliance().await;
    let ask = Ask::login("alice", "hello");
    vpn.send(&ask).await;
    notifier.has(1).await;
    let device = notifier.posts()[0]["device"].as_str().unwrap().to_owned();
    let removed = program.site.run(&["device", "remove", &device]).await;
    assert!(removed.status.success(), "{}", String::from_utf8_lossy(&removed.stderr));
    assert_eq!(vpn.next(&[ask]).await.code, REJECT, "long before the appliance gives up (rules F5)");
    hears_of_the_end(&notifier).await;
}
