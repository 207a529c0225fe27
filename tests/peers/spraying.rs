//! Rules D7: somebody with a list of names, or of passwords, locks nobody's account in the directory behind us; and nobody whose
//! place is known is kept out by that.

use std::time::Duration;

use login::PhoneAnswer;
use serde_json::Value;

use crate::harness::phone::Phone;
use crate::harness::portal_house::{USUAL, with_portal};
use crate::harness::radius::{ACCEPT, Answer, Ask, REJECT};
use crate::harness::stub::Stub;
use crate::harness::vestibule::{House, guarding};
use crate::harness::web::Web;

const EXEMPT: &str = "[[rule]]\nname = \"all\"\nsecond_factor = \"exempt\"\nuntil = 2099-01-01\n";
const NAS_IP_ADDRESS: u8 = 4;

/// Where alice was let in before.
const HOME: &str = "198.51.100.7";

async fn house(nps: &Stub, limits: &str) -> House {
    guarding(nps).limits(limits).rules(EXEMPT).password("alice", "kept by the primary").start().await
}

fn guess(name: &str, number: usize) -> Ask {
    Ask::login(name, &format!("guess {number}")).stationed(&format!("203.0.113.{number}"))
}

fn wrong(nps: &Stub) -> usize {
    nps.heard().iter().filter(|(_, password)| password.starts_with("guess")).count()
}

fn looks(answer: &Answer) -> (u8, Vec<(u8, usize)>, String) {
    (answer.code, answer.attributes.iter().map(|(kind, value)| (*kind, value.len())).collect(), answer.text())
}

fn reasons(records: &[Value]) -> Vec<&str> {
    let mut reasons: Vec<&str> = records.iter().map(|record| record["reason"].as_str().unwrap()).collect();
    reasons.sort_unstable();
    reasons
}

#[tokio::test(flavor = "multi_thread")]
async fn after_four_wrong_passwords_of_strangers_the_primary_hears_no_more_and_who_is_at_home_gets_in() {
    let nps = Stub::accepting("hello").await;
    let house = house(&nps, "").await;
    let vpn = house.appliance().await;
    assert_eq!(vpn.ask(&Ask::login("alice", "hello").stationed(HOME)).await.code, ACCEPT);

    let mut told = Vec::new();
    for number in 0..8 {
        let name = ["alice", "ALICE", "Alice"][number % 3];
        told.push(looks(&vpn.ask(&guess(name, number)).await));
    }
    assert_eq!(wrong(&nps), 4, "D7");
    let right = Ask::login("alice", "hello").stationed("203.0.113.200");
    told.push(looks(&vpn.ask(&right).await));
    assert_eq!(told[0].0, REJECT);
    assert!(told.iter().all(|each| *each == told[0]), "D6: words tell nothing: {told:?}");
    assert_eq!(nps.heard().len(), 5, "nor is a stranger's right password looked at");

    let mistyped = Ask::login("alice", "guess of hers").stationed(HOME);
    assert_eq!(vpn.ask(&mistyped).await.code, REJECT);
    assert_eq!(wrong(&nps), 5, "her own station counts apart");
    assert_eq!(vpn.ask(&Ask::login("alice", "hello").stationed(HOME)).await.code, ACCEPT);
    assert_eq!(vpn.ask(&Ask::login("bob", "hello").stationed("203.0.113.1")).await.code, ACCEPT, "and so does bob");

    let records = house.records(13).await;
    assert_eq!(reasons(&records)[..3], ["accepted", "accepted", "accepted"]);
    let held: Vec<&Value> = records.iter().filter(|record| record["reason"] == "name_held").collect();
    assert_eq!(held.len(), 5);
    let detail = held[0]["detail"].as_str().unwrap();
    assert!(detail.contains("4 wrong passwords") && detail.contains("user unblock"), "what to do: {detail}");
    house.site.counts("vestibule_shield_total", &["name", "held"], 1.0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn tries_side_by_side_and_names_that_nobody_has_are_counted_alike() {
    let nps = Stub::accepting("hello").await;
    let house = house(&nps, "").await;
    let vpn = house.appliance().await;
    for name in ["alice", "nobody"] {
        let before = wrong(&nps);
        let asks: Vec<Ask> =
            (0..20).map(|number| guess(name, number).numbered(u8::try_from(number).unwrap())).collect();
        for ask in &asks {
            vpn.send(ask).await;
        }
        for _ in &asks {
            assert_eq!(vpn.next(&asks).await.code, REJECT);
        }
        assert_eq!(wrong(&nps) - before, 4, "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn staff_release_a_name_at_once_and_user_show_says_until_when_it_is_held() {
    let nps = Stub::accepting("hello").await;
    let house = house(&nps, "").await;
    let vpn = house.appliance().await;
    for number in 0..5 {
        assert_eq!(vpn.ask(&guess("alice", number)).await.code, REJECT);
    }
    let shown = house.site.does(&["user", "show", "alice"]).await;
    assert!(shown["passwords"]["held_back_until"].is_string(), "{shown}");
    house.site.does(&["user", "unblock", "alice"]).await;
    let shown = house.site.does(&["user", "show", "alice"]).await;
    assert!(shown["passwords"]["held_back_until"].is_null(), "{shown}");
    let right = Ask::login("alice", "hello").stationed("203.0.113.200");
    assert_eq!(vpn.ask(&right).await.code, ACCEPT);
    for number in 10..16 {
        assert_eq!(vpn.ask(&guess("alice", number)).await.code, REJECT);
    }
    assert_eq!(wrong(&nps), 8, "counted anew from there");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_that_the_primary_takes_for_another_has_the_stations_and_the_releases_of_its_user() {
    let nps = Stub::accepting("hello").await;
    let house = house(&nps, "").await;
    let vpn = house.appliance().await;
    let home = || Ask::login("mail.alice", "hello").stationed(HOME);
    assert_eq!(vpn.ask(&home()).await.code, ACCEPT);
    for number in 0..6 {
        assert_eq!(vpn.ask(&guess("mail.alice", number)).await.code, REJECT);
    }
    assert_eq!(wrong(&nps), 4);
    assert_eq!(vpn.ask(&home()).await.code, ACCEPT);
    let elsewhere = Ask::login("mail.alice", "hello").stationed("203.0.113.200");
    assert_eq!(vpn.ask(&elsewhere).await.code, REJECT);
    house.site.does(&["user", "unblock", "alice"]).await;
    let other = Ask::login("mail.alice", "hello").stationed("203.0.113.201");
    assert_eq!(vpn.ask(&other).await.code, ACCEPT, "released");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_from_which_twenty_names_failed_is_held_unless_it_is_the_appliances_or_somebody_is_at_home_there() {
    let nps = Stub::accepting("hello").await;
    let house = house(&nps, "").await;
    let vpn = house.appliance().await;
    assert_eq!(vpn.ask(&Ask::login("alice", "hello").stationed(HOME)).await.code, ACCEPT);
    let from = |station: &'static str| {
        (0..25).map(move |number| Ask::login(&format!("name{station}{number}"), "guess").stationed(station))
    };
    let mut before = 0;
    for (station, reach) in [("203.0.113.66", 20), (HOME, 25), ("192.0.2.10", 25), ("127.0.0.1", 25)] {
        for ask in from(station) {
            let ask = ask.with(NAS_IP_ADDRESS, &[192, 0, 2, 10]);
            assert_eq!(vpn.ask(&ask).await.code, REJECT);
        }
        assert_eq!(wrong(&nps) - before, reach, "{station}");
        before = wrong(&nps);
    }
    let right = Ask::login("bob", "hello").stationed("203.0.113.66");
    assert_eq!(vpn.ask(&right).await.code, REJECT, "for everybody there");
    assert_eq!(vpn.ask(&Ask::login("bob", "hello").stationed("203.0.113.67")).await.code, ACCEPT);
    let records = house.records(103).await;
    assert_eq!(reasons(&records).iter().filter(|reason| **reason == "address_held").count(), 6);
}

#[tokio::test(flavor = "multi_thread")]
async fn where_the_site_only_watches_nobody_is_held_back_and_it_is_counted() {
    let nps = Stub::accepting("hello").await;
    let house = house(&nps, "shield = \"watch\"").await;
    let vpn = house.appliance().await;
    for number in 0..8 {
        assert_eq!(vpn.ask(&guess("alice", number)).await.code, REJECT);
    }
    assert_eq!(wrong(&nps), 8);
    house.site.counts("vestibule_shield_total", &["name", "told"], 1.0).await;
    assert_eq!(vpn.ask(&Ask::login("alice", "hello").stationed("203.0.113.9")).await.code, ACCEPT);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_pages_and_the_vpn_count_together() {
    let (plan, url) = with_portal(USUAL);
    let house = plan.start().await;
    let vpn = house.appliance().await;
    for number in 0..4 {
        assert_eq!(vpn.ask(&guess("carol", number)).await.code, REJECT);
    }
    let page = Web::new(&url).password("carol", "pw of carol").await;
    assert_eq!((page.status, page.location.as_str()), (422, ""), "held back in the portal, too");
    assert_eq!(Web::new(&url).password("alice", "pw of alice").await.location, "/sign-in/second");
    house.site.does(&["user", "unblock", "carol"]).await;
    assert_eq!(Web::new(&url).password("carol", "pw of carol").await.location, "/sign-in/second");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_blocked_users_right_password_takes_as_long_as_a_wrong_one_and_has_its_words() {
    // A primary whose no takes so long that no load of this machine could be taken for it.
    let slow = Duration::from_millis(1500);
    let nps = Stub::refusing_after(slow, "hello").await;
    let house = house(&nps, "").await;
    let vpn = house.appliance().await;
    house.site.does(&["user", "block", "alice"]).await;
    let (mut told, clock) = (Vec::new(), ::vestibule::engine::Clock::begin());
    for (name, password) in [("bob", "guess"), ("alice", "hello")] {
        let began = clock.tick();
        let answer = vpn.ask(&Ask::login(name, password).stationed(HOME)).await;
        let took = clock.tick().since(began);
        assert!(took >= slow, "D6: {name} after {took:?}");
        told.push(looks(&answer));
    }
    assert_eq!(told[0].0, REJECT);
    assert_eq!(told[0], told[1]);
    let block = "blocked on the command line";
    assert_eq!(reasons(&house.records(3).await), ["blocked", block, "primary"]);
}

const PUSH: &str = "[[rule]]\nname = \"all\"\nsecond_factor = [\"push\"]\n";

#[tokio::test(flavor = "multi_thread")]
async fn the_owner_of_a_held_name_gets_in_by_the_phone_first_and_a_stranger_never_rings_it_again() {
    let (nps, phone) = (Stub::accepting("hello").await, Phone::new());
    let house = guarding(&nps).rules(PUSH).calling("alice", &phone).start().await;
    let vpn = house.appliance().await;
    for number in 0..4 {
        assert_eq!(vpn.ask(&guess("alice", number)).await.code, REJECT);
    }
    let right = Ask::login("alice", "hello").stationed("203.0.113.200");
    vpn.send(&right).await;
    let hint = phone.rings().await;
    assert_eq!(nps.heard().len(), 4, "the phone first");
    house.presses(&hint, PhoneAnswer::Approve).await;
    assert_eq!(vpn.next(&[right]).await.code, ACCEPT);
    assert_eq!((nps.heard().len(), phone.rang()), (5, 1), "then the primary; one login, one prompt");

    let stranger = guess("alice", 9);
    vpn.send(&stranger).await;
    let hint = phone.rings().await;
    house.presses(&hint, PhoneAnswer::Deny).await;
    assert_eq!(vpn.next(&[stranger]).await.code, REJECT);
    for number in 10..20 {
        assert_eq!(vpn.ask(&guess("alice", number)).await.code, REJECT, "at once");
    }
    assert_eq!((nps.heard().len(), phone.rang()), (5, 2), "quiet for ten minutes");
    let home = Ask::login("alice", "hello").stationed("203.0.113.200");
    vpn.send(&home).await;
    let hint = phone.rings().await;
    house.presses(&hint, PhoneAnswer::Approve).await;
    assert_eq!(vpn.next(&[home]).await.code, ACCEPT, "her own pushes ring as ever, where she was let in");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_owner_of_a_held_name_signs_in_to_the_portal_by_the_phone_first() {
    let (phone, (plan, url)) = (Phone::new(), with_portal(USUAL));
    let house = plan.calling("carol", &phone).start().await;
    let vpn = house.appliance().await;
    for number in 0..4 {
        assert_eq!(vpn.ask(&guess("carol", number)).await.code, REJECT);
    }
    let signs_in = tokio::spawn(async move { Web::new(&url).password("carol", "pw of carol").await.location });
    let hint = phone.rings().await;
    house.presses(&hint, PhoneAnswer::Approve).await;
    assert_eq!(signs_in.await.unwrap(), "/sign-in/second");
    assert_eq!(phone.rang(), 1);
}
