//! Who is refused, and how: in the request's own protocol, with one record that says why.

use serde_json::Value;

use crate::harness::radius::{ACCEPT, Ask, CLASS, REJECT};
use crate::harness::stub::Stub;
use crate::harness::{until, vestibule};

const MICROSOFT: u32 = 311;
const EAP_MESSAGE: u8 = 79;
const REPLY_MESSAGE: u8 = 18;
const ACCT_SESSION_ID: u8 = 44;
const EXEMPT: &str = "[[rule]]\nname = \"all\"\nsecond_factor = \"exempt\"\nuntil = 2099-01-01\n";

fn vendor(kind: u8, value: &[u8]) -> Vec<u8> {
    let length = u8::try_from(value.len() + 2).unwrap();
    [&MICROSOFT.to_be_bytes()[..], &[kind, length], value].concat()
}

/// Why, in the order of the alphabet: answers don't wait for the records of refusals, which may overtake each other.
fn reasons(records: &[Value]) -> Vec<&str> {
    let mut reasons: Vec<&str> = records.iter().map(|record| record["reason"].as_str().unwrap()).collect();
    reasons.sort_unstable();
    reasons
}

#[tokio::test(flavor = "multi_thread")]
async fn chap_mschap_and_eap_are_refused_in_their_own_words() {
    let nps = Stub::accepting("hello").await;
    let house = vestibule::guarding(&nps).rules(EXEMPT).start().await;
    let vpn = house.appliance().await;

    let chap = vpn.ask(&Ask::without_password("bob").with(3, &[7; 17]).with(60, &[9; 16])).await;
    assert_eq!(chap.code, REJECT);
    assert!(chap.text().contains("PAP"), "{}", chap.text());

    let response = [&[42, 0][..], &[1; 16], &[0; 8], &[2; 24]].concat();
    let mschap = Ask::without_password("carol").with(26, &vendor(11, &[3; 16])).with(26, &vendor(25, &response));
    let mschap = vpn.ask(&mschap).await;
    assert_eq!(mschap.code, REJECT);
    let error = mschap.vendor(MICROSOFT, 2);
    assert_eq!(error, [[&[42][..], b"E=691 R=0 V=3"].concat()], "rules E4: and the client doesn't try again by itself");

    let identity = [2, 77, 0, 10, 1, b'a', b'l', b'i', b'c', b'e'];
    let eap = vpn.ask(&Ask::without_password("alice").with(EAP_MESSAGE, &identity)).await;
    assert_eq!(eap.code, REJECT);
    assert_eq!(eap.all(EAP_MESSAGE), [vec![4, 77, 0, 4]], "one EAP-Failure");
    assert!(eap.all(REPLY_MESSAGE).is_empty(), "RFC 3579 §2.6.5");

    assert_eq!(reasons(&house.records(3).await), ["credential", "credential", "credential"]);
    assert!(nps.heard().is_empty(), "nothing of it reached the primary");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_empty_password_and_names_that_cannot_be_names_reach_no_primary() {
    let nps = Stub::accepting("").await;
    let house = vestibule::guarding(&nps).rules(EXEMPT).start().await;
    let vpn = house.appliance().await;
    for ask in
        [Ask::login("alice", ""), Ask::login(" alice", "x"), Ask::login("a@b@c", "x"), Ask::login("al\nice", "x")]
    {
        assert_eq!(vpn.ask(&ask).await.code, REJECT);
    }
    assert_eq!(reasons(&house.records(4).await), ["empty_password", "name", "name", "name"]);
    assert!(nps.heard().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_with_more_attributes_than_may_go_on_is_refused_in_words_and_reaches_no_primary() {
    let nps = Stub::accepting("hello").await;
    let client = "require_message_authenticator = \"no\"";
    let house = vestibule::guarding(&nps).client(client).rules(EXEMPT).start().await;
    let vpn = house.appliance().await;
    let asking = |more: usize| (0..more).fold(Ask::login("alice", "hello").bare(), |ask, _| ask.with(CLASS, b"c"));
    assert_eq!(vpn.ask(&asking(197)).await.code, ACCEPT);
    let refused = vpn.ask(&asking(198)).await;
    assert_eq!((refused.code, nps.heard().len()), (REJECT, 1), "our Message-Authenticator would be the 201st");
    let records = house.records(2).await;
    // What let somebody in is written before it is answered.
    assert!(records[1]["detail"].as_str().unwrap().contains("200 attributes"), "{records:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_spray_of_unknown_names_stops_reaching_the_primary_while_a_known_user_gets_in() {
    let nps = Stub::accepting("hello").await;
    let plan = vestibule::guarding(&nps).limits("unknown_names_per_minute = 5").rules(EXEMPT);
    let house = plan.password("alice", "kept by the primary").start().await;
    let vpn = house.appliance().await;
    for number in 0..20 {
        assert_eq!(vpn.ask(&Ask::login(&format!("stranger{number}"), "guess")).await.code, REJECT);
    }
    let reached = nps.heard().len();
    assert!((5..=7).contains(&reached), "rules D3: {reached} of twenty reached the primary");
    assert_eq!(vpn.ask(&Ask::login("alice", "hello")).await.code, ACCEPT, "whom the store knows never notices");
}

#[tokio::test(flavor = "multi_thread")]
async fn under_connection_the_same_connection_gets_the_same_accept_again_and_another_does_not_join() {
    let nps = Stub::accepting("hello").await;
    let house = vestibule::guarding(&nps).client("join = \"connection\"").rules(EXEMPT).start().await;
    let vpn = house.appliance().await;
    let ask = Ask::login("alice", "hello").with(ACCT_SESSION_ID, b"connection-1");
    assert_eq!(vpn.ask(&ask).await.code, ACCEPT);
    assert_eq!(vpn.ask(&ask.anew()).await.code, ACCEPT);
    assert_eq!(nps.heard().len(), 1, "rules B2: repeated, not asked again");
    let other = Ask::login("alice", "hello").with(ACCT_SESSION_ID, b"connection-2");
    assert_eq!(vpn.ask(&other).await.code, ACCEPT);
    assert_eq!(nps.heard().len(), 2, "another connection is another login");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_password_an_unknown_name_and_a_wrong_code_are_told_the_same() {
    let nps = Stub::accepting("hello").await;
    let house = vestibule::guarding(&nps).client("append = \",\"").totp("alice").start().await;
    let vpn = house.appliance().await;
    let mut told = Vec::new();
    for (user, password) in
        [("alice", "guess"), ("nobody", "guess"), ("alice", "hello,000000"), ("alice", "guess,000000")]
    {
        let answer = vpn.ask(&Ask::login(user, password)).await;
        let kinds: Vec<u8> = answer.attributes.iter().map(|(kind, _)| *kind).collect();
        told.push((answer.code, answer.text(), kinds));
    }
    assert_eq!(told[0].0, REJECT);
    assert!(told.iter().all(|each| *each == told[0]), "rules D6: {told:?}");
    // The fourth is as the first was: one record, and the count beside it (rules F2).
    assert_eq!(reasons(&house.records(3).await), ["primary", "primary", "wrong_code"]);
    let (store, alice) = (house.server.store(), login::ResolvedUser::new("alice"));
    until("the count", async || {
        let recent = store.recent_records(&alice, 10).await.unwrap();
        recent.iter().any(|record| record.json.contains("\"times\":2,")).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn equal_refusals_are_one_record_with_a_count_and_however_many_names_are_tried_the_log_has_few_lines_of_it() {
    let nps = Stub::accepting("hello").await;
    let program =
        vestibule::guarding(&nps).limits("shield = \"watch\"").rules(EXEMPT).password("alice", "kept by the primary");
    let mut program = program.start_program().await;
    let vpn = program.appliance().await;
    for number in 0..50 {
        // Another password each time: of an equal one the Reject would only be repeated (rules B2).
        let ask = Ask::login("alice", &format!("guess {number}")).stationed("203.0.113.7");
        assert_eq!(vpn.ask(&ask).await.code, REJECT);
    }
    for number in 0..300 {
        assert_eq!(vpn.ask(&Ask::login(&format!("name{number}"), "guess")).await.code, REJECT);
    }
    program.site.counts("vestibule_logins_total", &["client=\"vpn\""], 350.0).await;
    assert_eq!(vpn.ask(&Ask::login("alice", "hello")).await.code, ACCEPT);
    // What gets in always has its line, and comes after all others.
    program.child.says("accepted in").await;
    let output = program.child.output();
    let refused = output.lines().filter(|line| line.contains("refused in")).count();
    assert!((2..=60).contains(&refused), "rules G1: {refused} lines of 350 refusals\n{output}");
    assert!(output.contains("more since the last such line"), "and a line says how many were left out");
    // The count beside the record is written after its answer, as the record is.
    until("fifty in one record, and what let her in", async || {
        let shown = program.site.does(&["user", "show", "alice"]).await;
        let logins = shown["logins"].as_array().unwrap().iter();
        let told: Vec<_> = logins.map(|login| (login["answer"].as_str(), login["times"].as_u64())).collect();
        (told == [(Some("accept"), None), (Some("reject"), Some(50))]).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_password_with_accents_is_right_however_the_appliance_spells_it_and_a_wrong_one_says_what_it_came_as() {
    let house = vestibule::alone().password("alice", "Grüße an café 9").rules(EXEMPT).start().await;
    let vpn = house.appliance().await;
    let spellings =
        ["Grüße an café 9".as_bytes(), "Gru\u{308}ße an cafe\u{301} 9".as_bytes(), b"Gr\xfc\xdfe an caf\xe9 9"];
    for spelled in spellings {
        assert_eq!(vpn.ask(&Ask::login_in_octets("alice", spelled)).await.code, ACCEPT, "{}", spelled.escape_ascii());
    }
    assert_eq!(vpn.ask(&Ask::login_in_octets("alice", b"Gr\xfc\xdfe an caf\xe8 9")).await.code, REJECT);
    let records = house.records(4).await;
    let told = records.iter().filter(|record| record.to_string().contains("read as Windows-1252")).count();
    assert_eq!(told, 1, "{records:?}");
}
