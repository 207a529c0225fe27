//! Logins that wait for a phone.

use ::vestibule::store::Answered;
use login::PhoneAnswer;

use crate::harness::phone::Phone;
use crate::harness::radius::{ACCEPT, Ask, CHALLENGE, PROXY_STATE, REJECT};
use crate::harness::stub::Stub;
use crate::harness::{until, vestibule};

const STATION: &str = "198.51.100.7";

#[tokio::test(flavor = "multi_thread")]
async fn twenty_retransmits_and_re_asks_make_one_prompt_and_the_newest_asker_gets_the_accept() {
    let (nps, phone) = (Stub::accepting("hello").await, Phone::new());
    let house = vestibule::guarding(&nps).calling("carol", &phone).start().await;
    let vpn = house.appliance().await;
    let first = Ask::login("carol", "hello").stationed(STATION).numbered(1);
    for _ in 0..21 {
        vpn.send(&first).await;
    }
    let hint = phone.rings().await;
    let second = first.anew();
    vpn.send(&second).await;
    let third = second.anew();
    vpn.send(&third).await;
    vpn.hears_nothing().await;
    house.site.counts("vestibule_joins_total", &["client=\"vpn\""], 2.0).await;
    house.presses(&hint, PhoneAnswer::Approve).await;
    let asked = [first, second, third];
    let mut codes = [0; 3];
    for _ in 0..3 {
        let answer = vpn.next(&asked).await;
        codes[usize::from(answer.id - 1)] = answer.code;
    }
    assert_eq!(codes, [REJECT, REJECT, ACCEPT]);
    assert_eq!(phone.rang(), 1);
    assert_eq!(nps.heard().len(), 1, "a re-ask with the same password asks no primary again");
    let records = house.records(1).await;
    assert_eq!((records.len(), &records[0]["askers"]), (1, &3.into()));
    house.site.counts("vestibule_retransmits_total", &["client=\"vpn\""], 20.0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_password_beside_a_held_login_is_rejected_and_the_hold_goes_on() {
    let (nps, phone) = (Stub::accepting("hello").await, Phone::new());
    let house = vestibule::guarding(&nps).calling("carol", &phone).start().await;
    let vpn = house.appliance().await;
    let held = Ask::login("carol", "hello").stationed(STATION).numbered(1);
    vpn.send(&held).await;
    let hint = phone.rings().await;
    let wrong = Ask::login("carol", "hallo").stationed(STATION).numbered(2);
    assert_eq!(vpn.ask(&wrong).await.code, REJECT);
    house.presses(&hint, PhoneAnswer::Approve).await;
    assert_eq!(vpn.next(&[held]).await.code, ACCEPT);
    assert_eq!(phone.rang(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_denial_ends_the_login_and_a_retransmit_gets_the_very_same_octets() {
    let (nps, phone) = (Stub::accepting("hello").await, Phone::new());
    let house = vestibule::guarding(&nps).calling("dave", &phone).start().await;
    let vpn = house.appliance().await;
    let ask = Ask::login("dave", "hello").stationed(STATION);
    vpn.send(&ask).await;
    let hint = phone.rings().await;
    house.presses(&hint, PhoneAnswer::Deny).await;
    let denied = vpn.next(std::slice::from_ref(&ask)).await;
    assert_eq!(denied.code, REJECT);
    assert_eq!(vpn.ask(&ask).await.octets, denied.octets);
    house.presses(&hint, PhoneAnswer::Approve).await;
    assert_eq!(vpn.ask(&ask).await.octets, denied.octets, "rules A8: no is final");
    let records = house.records(1).await;
    assert_eq!((records.len(), &records[0]["reason"]), (1, &"denied".into()));
}

#[tokio::test(flavor = "multi_thread")]
async fn proxy_states_come_back_all_and_in_their_order() {
    let nps = Stub::accepting("hello").await;
    let rules = "[[rule]]\nname = \"all\"\nsecond_factor = \"exempt\"\nuntil = 2099-01-01\n";
    let house = vestibule::guarding(&nps).rules(rules).start().await;
    let vpn = house.appliance().await;
    for count in [0, 1, 5, 40_u8] {
        for password in ["hello", "wrong"] {
            let states: Vec<Vec<u8>> = (0..count).map(|n| vec![n; 1 + usize::from(n)]).collect();
            let ask = states.iter().fold(Ask::login("erin", password), |ask, state| ask.with(PROXY_STATE, state));
            let answer = vpn.ask(&ask).await;
            assert_eq!(answer.code, if password == "hello" { ACCEPT } else { REJECT });
            assert_eq!(answer.all(PROXY_STATE), states);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_push_that_nobody_answers_ends_by_its_time_in_a_challenge_or_in_a_reject() {
    for (challenge, code) in [(true, CHALLENGE), (false, REJECT)] {
        let (nps, phone) = (Stub::accepting("hello").await, Phone::new());
        let client = format!("gives_up_after = \"3s\"\nchallenge = {challenge}");
        let house = vestibule::guarding(&nps).client(&client).calling("carol", &phone).start().await;
        let vpn = house.appliance().await;
        let ask = Ask::login("carol", "hello").stationed(STATION);
        vpn.send(&ask).await;
        let hint = phone.rings().await;
        let answer = vpn.next(std::slice::from_ref(&ask)).await;
        assert_eq!(answer.code, code, "{answer:?}");
        if challenge {
            house.presses(&hint, PhoneAnswer::Approve).await;
            let again = Ask::login("carol", "").answering(&answer);
            assert_eq!(vpn.ask(&again).await.code, ACCEPT, "rules B5: the push stays open");
        }
        assert_eq!(phone.rang(), 1);
    }
}

/// Rules A8: what a late yes opens, and what is told of it.
#[tokio::test(flavor = "multi_thread")]
async fn a_yes_that_came_too_late_lets_the_same_login_in_which_asks_again_and_the_record_says_so() {
    let (nps, phone) = (Stub::accepting("hello").await, Phone::new());
    let client = "gives_up_after = \"3s\"\nchallenge = false";
    let house = vestibule::guarding(&nps).client(client).calling("carol", &phone).start().await;
    let vpn = house.appliance().await;
    let ask = Ask::login("carol", "hello").stationed(STATION);
    vpn.send(&ask).await;
    let hint = phone.rings().await;
    assert_eq!(vpn.next(std::slice::from_ref(&ask)).await.code, REJECT);
    assert_eq!(house.presses(&hint, PhoneAnswer::Approve).await, Answered::Late);
    assert_eq!(vpn.ask(&Ask::login("carol", "hello").stationed(STATION)).await.code, ACCEPT);
    assert_eq!(phone.rang(), 1, "one prompt");
    let mut records = house.records(2).await;
    // A refusal's record may come after what let the login in later.
    records.sort_by_key(|record| record["answer"] == "accept");
    assert_eq!((&records[0]["reason"], &records[1]["reason"]), (&"unanswered".into(), &"accepted".into()));
    assert!(records[1]["detail"].as_str().unwrap().starts_with("approved late"), "{}", records[1]);
}

#[tokio::test(flavor = "multi_thread")]
async fn past_the_bound_new_logins_are_refused_and_counted_while_a_held_one_still_gets_in() {
    let (nps, phone) = (Stub::accepting("hello").await, Phone::new());
    let house = vestibule::guarding(&nps).calling("carol", &phone).limits("held_sessions = 5").start().await;
    let vpn = house.appliance().await;
    let held = Ask::login("carol", "hello").stationed(STATION).numbered(1);
    vpn.send(&held).await;
    let hint = phone.rings().await;
    // A refusal is kept for ten seconds too, so a flood of them fills what is left; what comes then gets not even that.
    for number in 0..100_u8 {
        vpn.send(&Ask::login(&format!("flood{number}"), "guess").numbered(2 + number)).await;
    }
    house.site.counts("vestibule_logins_total", &["reason=\"overload\""], 1.0).await;
    house.site.counts("vestibule_drops_total", &["reason=\"overload\""], 1.0).await;
    house.presses(&hint, PhoneAnswer::Approve).await;
    let code = until("carol's answer", async || {
        let (id, code) = vpn.next_of_any().await;
        (id == held.id).then_some(code)
    })
    .await;
    assert_eq!(code, ACCEPT, "rules G1: the held login finishes");
    assert!(nps.heard().len() <= 5, "what is refused for want of room reaches no primary");
}
