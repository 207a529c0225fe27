//! The site's notifier: told of each push by a signed webhook over real HTTP, once, and never able to approve.

use std::time::Duration;

use nix::sys::signal::Signal;
use serde_json::Value;

use crate::harness::notifier::{KEY, Notifier};
use crate::harness::radius::{Ask, CHALLENGE, REJECT};
use crate::harness::stub::Stub;
use crate::harness::vestibule::{self, Plan};

fn told(notifier: &Notifier, nps: &Stub, client: &str) -> Plan {
    vestibule::guarding(nps)
        .client(client)
        .and(&format!(
            "[method.push]\nchannels = [\"webhook\"]\nwebhook = {{ url = \"{}\", allow_private = true }}",
            notifier.url()
        ))
        .secret("method.push.webhook", KEY)
}

fn prompts(posts: &[Value]) -> Vec<&Value> {
    posts.iter().filter(|post| post["event"] == "prompt").collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hint_is_signed_and_the_login_it_holds_ends_by_its_time_in_a_challenge() {
    let (nps, notifier) = (Stub::accepting("hello").await, Notifier::start().await);
    let program = told(&notifier, &nps, "gives_up_after = \"3s\"").totp("alice").told("alice").start_program().await;
    let vpn = program.appliance().await;
    let ask = Ask::login("alice", "hello").stationed("203.0.113.9");
    vpn.send(&ask).await;
    notifier.has(1).await;
    let early = tokio::time::timeout(Duration::from_millis(500), vpn.next(std::slice::from_ref(&ask))).await;
    assert!(early.is_err(), "it is held");
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
