//! The program dies by `kill -9` in the midst of logins, and comes back on the same files.

use std::collections::BTreeSet;

use nix::sys::signal::Signal;

use crate::harness::appliance::Appliance;
use crate::harness::oath::{seed, totp};
use crate::harness::radius::{ACCEPT, Answer, Ask, CHALLENGE};
use crate::harness::stub::Stub;
use crate::harness::vestibule::{self, Program};

const LOGINS: usize = 1000;
const ROUNDS: usize = 4;

/// One person's login with an appended code, until the program dies.
async fn log_in(at: std::net::SocketAddr, ask: Ask) -> Option<Answer> {
    let vpn = Appliance::of(at).await;
    vpn.try_ask(&ask).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_code_that_opened_a_door_before_kill_9_opens_none_after_it_over_a_thousand_logins() {
    let nps = Stub::accepting("hello").await;
    let names: Vec<String> = (0..LOGINS).map(|number| format!("user{number}")).collect();
    let plan = vestibule::guarding(&nps)
        .client("append = \",\"")
        .rules("[[rule]]\nname = \"all\"\nsecond_factor = \"totp\"\n");
    let site = names.iter().fold(plan, |plan, name| plan.totp(name)).built().await;
    let mut opened: BTreeSet<(String, String)> = BTreeSet::new();
    let mut site = Some(site);
    for part in names.chunks(LOGINS / ROUNDS) {
        let program = site.take().unwrap().start_program().await;
        let codes: Vec<(String, String)> = part.iter().map(|name| (name.clone(), totp(&seed(name)))).collect();
        // Every code that was good before the last death is refused after it.
        for batch in opened.iter().collect::<Vec<_>>().chunks(50) {
            let again = batch.iter().map(|(name, code)| ask_of(name, code));
            for answer in together(program.site.radius, again).await {
                assert_ne!(answer.expect("a running server answers").code, ACCEPT, "a code worked twice");
            }
        }
        opened.extend(kill_in_the_midst(&program, codes).await);
        site = Some(program.dies().await);
    }
    assert!(opened.len() > ROUNDS, "some logins must have come through before each death");
    let program = site.take().unwrap().start_program().await;
    let again = opened.iter().map(|(name, code)| ask_of(name, code));
    for answer in together(program.site.radius, again).await {
        assert_ne!(answer.expect("a running server answers").code, ACCEPT, "a code worked twice");
    }
    let records = vestibule::records(&program.site.open_store()).await;
    let count = |field: &str, word: &str, name: &str| {
        records.iter().filter(|record| record[field] == word && record["user"] == name).count()
    };
    for (name, _) in &opened {
        assert_eq!(count("answer", "accept", name), 1, "rules F2: {name}'s record was durable before the Accept left");
    }
    assert!(names.iter().all(|name| count("answer", "accept", name) <= 1), "nobody's code opened twice");
    // Of a refusal the record may be written after the answer.
    program.site.login_that("was refused because its code was used", |login| login["reason"] == "spent_code").await;
    let challenge = program.appliance().await.ask(&Ask::login("user0", "hello")).await;
    assert_eq!(challenge.code, CHALLENGE, "and the house still works");
}

fn ask_of(name: &str, code: &str) -> Ask {
    Ask::login(name, &format!("hello,{code}"))
}

async fn together(at: std::net::SocketAddr, asks: impl Iterator<Item = Ask>) -> Vec<Option<Answer>> {
    let tasks: Vec<_> = asks.map(|ask| tokio::spawn(log_in(at, ask))).collect();
    let mut answers = Vec::new();
    for task in tasks {
        answers.push(task.await.unwrap());
    }
    answers
}

/// Logs everybody in at once and kills the program after a random number of Accepts. Those who got in, with their codes.
async fn kill_in_the_midst(program: &Program, codes: Vec<(String, String)>) -> Vec<(String, String)> {
    let (told, mut accepts) = tokio::sync::mpsc::channel(codes.len());
    let at = program.site.radius;
    let tasks: Vec<_> = codes
        .into_iter()
        .map(|(name, code)| {
            let told = told.clone();
            tokio::spawn(async move {
                let answer = log_in(at, ask_of(&name, &code)).await?;
                (answer.code == ACCEPT).then(|| told.try_send(()).unwrap())?;
                Some((name, code))
            })
        })
        .collect();
    let after = usize::from(rand::random::<u8>()) % (LOGINS / ROUNDS / 2) + 2;
    for _ in 0..after {
        tokio::time::timeout(crate::harness::GENEROUS, accepts.recv()).await.expect("an Accept").unwrap();
    }
    program.child.signal(Signal::SIGKILL);
    let mut opened = Vec::new();
    for task in tasks {
        opened.extend(task.await.unwrap());
    }
    opened
}
