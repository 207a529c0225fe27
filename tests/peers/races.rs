//! Many packets at once for one State: what is guessed, and what is used, counts once.

use crate::harness::appliance::Appliance;
use crate::harness::oath::{hotp, seed};
use crate::harness::radius::{ACCEPT, Ask, CHALLENGE, REJECT};
use crate::harness::stub::Stub;
use crate::harness::vestibule;
use login::ResolvedUser;

const PARALLEL: usize = 500;
const PER_SOCKET: usize = 100;

#[tokio::test(flavor = "multi_thread")]
async fn five_hundred_guesses_at_one_state_are_one_guess() {
    let nps = Stub::accepting("hello").await;
    let house = vestibule::guarding(&nps).hotp("alice").start().await;
    let challenge = house.appliance().await.ask(&Ask::login("alice", "hello")).await;
    let right: Vec<String> = (0..20).map(|counter| hotp(&seed("alice"), counter)).collect();
    let codes: Vec<String> = (0..2 * PARALLEL)
        .map(|number| format!("{:06}", number * 997 + 13))
        .filter(|code| !right.contains(code))
        .take(PARALLEL)
        .collect();
    let mut sent = Vec::new();
    for part in codes.chunks(PER_SOCKET) {
        let vpn = Appliance::of(house.radius()).await;
        let numbered = part.iter().zip(0..);
        let asks: Vec<Ask> =
            numbered.map(|(code, id)| Ask::login("alice", code).answering(&challenge).numbered(id)).collect();
        for ask in &asks {
            vpn.send(ask).await;
        }
        sent.push((vpn, asks));
    }
    let (mut challenges, mut rejects) = (0, 0);
    for (vpn, asks) in &sent {
        for _ in asks {
            match vpn.next(asks).await.code {
                CHALLENGE => challenges += 1,
                REJECT => rejects += 1,
                code => panic!("a wrong code got {code}"),
            }
        }
    }
    assert_eq!((challenges, rejects), (1, PARALLEL - 1), "one guess is revealed, by the next challenge");
    let alice = house.server.store().show_user(&ResolvedUser::new("alice")).await.unwrap().unwrap();
    assert_eq!(alice.codes.failures, 1, "and counted once");
    house.site.counts("vestibule_logins_total", &["reason=\"state_spent\""], (PARALLEL - 1) as f64).await;
    let written = house.records(1).await;
    assert_eq!((written.len(), &written[0]["reason"]), (1, &"state_spent".into()), "499 losers are one record");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_right_code_under_two_identifiers_is_one_use_two_accepts_and_one_record() {
    let nps = Stub::accepting("hello").await;
    let house = vestibule::guarding(&nps).hotp("alice").start().await;
    let vpn = house.appliance().await;
    let challenge = vpn.ask(&Ask::login("alice", "hello")).await;
    let code = hotp(&seed("alice"), 0);
    let first = Ask::login("alice", &code).answering(&challenge).numbered(1);
    let second = first.anew();
    vpn.send(&first).await;
    vpn.send(&second).await;
    let asked = [first, second];
    let codes = [vpn.next(&asked).await, vpn.next(&asked).await].map(|answer| answer.code);
    assert_eq!(codes, [ACCEPT, ACCEPT]);
    let records = house.records(1).await;
    assert_eq!((records.len(), &records[0]["answer"]), (1, &"accept".into()));
    let again = vpn.ask(&Ask::login("alice", "hello")).await;
    assert_eq!(vpn.ask(&Ask::login("alice", &code).answering(&again)).await.code, CHALLENGE, "the code is used");
}
