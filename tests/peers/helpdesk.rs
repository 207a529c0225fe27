//! The help desk's work, from nothing: the first admin by a code of the host, a user who is found, helped, blocked and unblocked,
//! a bypass that is good once, and a phone that nobody hears any more. By the program itself, its forms and radclient.

use serde_json::Value;

use crate::harness::oath::{self, seed, totp};
use crate::harness::radclient::Printed;
use crate::harness::until;
use crate::harness::web::{Page, Web};
use crate::harness::whole_house::{PASSWORD, WholeHouse, whole_house};

/// The code on a page that shows one.
fn code_on(page: &Page) -> String {
    let shown = page.body.split("<span class=\"secret big\" translate=\"no\">").nth(1);
    shown.unwrap_or_else(|| panic!("{}", page.body)).split('<').next().unwrap().to_owned()
}

/// Enrols a first authenticator app in the portal by an activation code: its seed.
async fn enrols(house: &WholeHouse, name: &str, activation: &str) -> Vec<u8> {
    let mut web = Web::new(&house.portal);
    assert_eq!(web.password(name, PASSWORD).await.location, "/sign-in/second");
    web.get("/sign-in/second").await;
    assert_eq!(web.post("/sign-in/activation", &[("activation", activation)]).await.location, "/");
    let page = web.get("/app").await;
    let secret = page.body.split("class=\"secret\">").nth(1).unwrap().split('<').next().unwrap().replace(' ', "");
    let seed = data_encoding::BASE32_NOPAD.decode(secret.as_bytes()).unwrap();
    let done = web.post("/app", &[("code", &totp(&seed)), ("label", "My phone")]).await;
    assert_eq!(done.location, "/?done=method-added", "{}", done.body);
    seed
}

/// A code of the next step: that of now may be used already, and one ahead is taken (RFC 6238 §5.2).
fn next_code(seed: &[u8]) -> String {
    oath::hotp(seed, oath::unix_now() / 30 + 1)
}

/// Staff at their own door.
async fn staff(house: &WholeHouse, name: &str, code: &str) -> Web {
    let mut web = Web::new(&house.admin);
    assert_eq!(web.password(name, PASSWORD).await.location, "/sign-in/second");
    let opened = web.code(code).await;
    assert_eq!(opened.status, 303, "{}", opened.body);
    web
}

/// A deed, as its own page sends it.
async fn does(web: &mut Web, deed: &str, name: &str, reason: &str, more: &[(&str, &str)]) -> Page {
    assert_eq!(web.get(&format!("/user/{deed}?name={name}")).await.status, 200, "{deed}");
    let fields = [&[("name", name), ("reason", reason)], more].concat();
    web.post(&format!("/user/{deed}"), &fields).await
}

fn done(page: &Page, deed: &str) {
    assert!(page.status == 303 && page.location.contains(&format!("did={deed}")), "{} {}", page.location, page.body);
}

fn asks_for_a_code(printed: &Printed) {
    assert!(printed.received("Access-Challenge"), "{}", printed.0);
    assert!(printed.value("Reply-Message").contains("Enter the code"), "{}", printed.0);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_admin_comes_in_by_a_code_of_the_host_and_helps_a_user() {
    let house =
        whole_house("", |plan| plan.grouped("ada", "VPN Admins").mail("alice", "alice@example.com").totp("alice"))
            .await;
    let nobody = Web::new(&house.admin).get("/users").await;
    assert_eq!((nobody.status, nobody.location.as_str()), (303, "/sign-in"), "there is no default account (rules F4)");
    let code = house.does(&["user", "code", "ada"]).await["code"].as_str().unwrap().to_owned();
    let seed_of_ada = enrols(&house, "ada", &code).await;
    let mut ada = staff(&house, "ada", &next_code(&seed_of_ada)).await;

    // What brought the user to the help desk.
    assert!(!house.asks("alice", 1, "wrong", "").await.received("Access-Accept"));
    asks_for_a_code(&house.login("alice", 2).await);
    house.house.site.logins(1).await;
    let found = ada.get("/users?q=al").await;
    assert!(found.body.contains("/user?name=alice"), "{}", found.body);
    let page = ada.get("/user?name=alice").await;
    for part in ["203.0.113.1", "the password was wrong"] {
        assert!(page.body.to_lowercase().contains(part), "{part}: {}", page.body);
    }

    let issued = does(&mut ada, "issue-code", "alice", "lost her phone <1>", &[]).await;
    let activation = code_on(&issued);
    enrols_another(&house, "alice", &activation).await;

    done(&does(&mut ada, "block", "alice", "phone stolen", &[("sure", "yes")]).await, "block");
    let blocked = house.login("alice", 3).await;
    assert!(blocked.received("Access-Reject"), "{}", blocked.0);
    let held_back = house.house.site.logins(2).await.pop().unwrap();
    assert_eq!((&held_back["answer"], &held_back["reason"]), (&"reject".into(), &"blocked".into()), "{held_back}");
    let page = ada.get("/user?name=alice").await;
    assert!(page.body.contains("phone stolen"), "{}", page.body);
    done(&does(&mut ada, "unblock", "alice", "found again", &[]).await, "unblock");
    asks_for_a_code(&house.login("alice", 4).await);

    let acts = acts_on(&house, "alice").await;
    let expected = [("issue_code", "lost her phone <1>"), ("block", "phone stolen"), ("unblock", "found again")];
    let by_ada: Vec<(&str, &str)> = acts
        .iter()
        .filter(|act| act["by"] == "ada")
        .map(|act| (act["act"].as_str().unwrap(), act["reason"].as_str().unwrap()))
        .collect();
    assert_eq!(by_ada, expected);
    let letters = house.mail.has(3).await;
    assert!(letters.iter().filter(|letter| letter.to == ["alice@example.com"]).count() >= 3, "each act mails the user");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_help_desk_sets_a_token_right_with_two_codes_that_its_owner_reads_out() {
    let house = whole_house("", |plan| {
        let plan = plan.grouped("hank", "Service Desk").totp("hank").mail("alice", "alice@example.com");
        plan.hotp("alice").totp("carol")
    })
    .await;
    let mut hank = staff(&house, "hank", &totp(&seed("hank"))).await;
    let tokens = house.does(&["token", "list", "alice"]).await;
    let token = tokens[0]["token"].as_str().unwrap().to_owned();
    let shows = |counter| oath::hotp(&seed("alice"), counter);
    let page = format!("/user/resync-token?name=alice&object={token}");
    let form = async |hank: &mut Web, first: u64, second: u64, reason: &str| {
        assert_eq!(hank.get(&page).await.status, 200);
        let (first, second) = (shows(first), shows(second));
        let fields =
            [("name", "alice"), ("object", &token), ("first", &first), ("second", &second), ("reason", reason)];
        hank.post("/user/resync-token", &fields).await
    };
    let offered = hank.get("/user?name=alice").await.body.replace("&#38;", "&").replace("&amp;", "&");
    assert!(offered.contains(&page), "{offered}");
    let wrong = form(&mut hank, 500, 502, "read out by telephone").await;
    assert!(wrong.status == 422 && wrong.body.contains("not two codes in a row"), "{}", wrong.body);
    assert!(wrong.body.contains("read out by telephone") && !wrong.body.contains(&shows(500)), "{}", wrong.body);
    assert_eq!(form(&mut hank, 500, 501, "").await.status, 422, "each act has a reason (rules F4)");
    done(&form(&mut hank, 500, 501, "read out by telephone").await, "resync-token");
    let challenge = house.login("alice", 1).await;
    assert!(house.answers("alice", 1, &challenge, &shows(502)).await.received("Access-Accept"));
    let acts = acts_on(&house, "alice").await;
    let acts: Vec<&str> =
        acts.iter().filter(|act| act["by"] == "hank").map(|act| act["act"].as_str().unwrap()).collect();
    assert_eq!(acts, ["resync_token", "resync_token_failed", "resync_token"]);
    let letters = house.mail.has(1).await;
    assert!(letters.iter().any(|letter| letter.to == ["alice@example.com"]), "the act mails the user");
    // Carol's token tells the time, and alice's is not carol's.
    let carols = house.does(&["token", "list", "carol"]).await[0]["token"].as_str().unwrap().to_owned();
    for (name, object) in [("carol", &carols), ("carol", &token), ("alice", &carols)] {
        let refused = hank.get(&format!("/user/resync-token?name={name}&object={object}")).await;
        assert_eq!(refused.status, 409, "{name} {object}");
    }
}

/// A user who has a method already signs in with it, or with the desk's code, and is shown the own pages.
async fn enrols_another(house: &WholeHouse, name: &str, activation: &str) {
    let mut web = Web::new(&house.portal);
    web.password(name, PASSWORD).await;
    web.get("/sign-in/second").await;
    assert_eq!(web.post("/sign-in/activation", &[("activation", activation)]).await.location, "/");
    assert_eq!(web.get("/app").await.status, 200);
}

async fn acts_on(house: &WholeHouse, name: &str) -> Vec<Value> {
    let store = house.house.site.open_store();
    let mut acts = ::vestibule::store::Acts::acts_on(&store, &login::ResolvedUser::new(name), 50).await.unwrap();
    acts.reverse();
    acts.iter().map(|act| serde_json::from_str(&act.json).unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bypass_lets_one_login_in_through_its_appliance_and_the_next_asks_for_the_factor_again() {
    let house = whole_house("", |plan| {
        let other = "[client.other]\naddress = \"127.0.0.2\"\nprimary = \"nps\"\n";
        let staff = [("ada", "VPN Admins"), ("hank", "Service Desk"), ("hilda", "Service Desk")];
        let plan = plan.and(other).secret("client.other", "another-appliance-s3cr3t");
        staff.iter().fold(plan, |plan, (name, group)| plan.totp(name).grouped(name, group)).totp("alice")
    })
    .await;
    let mut hank = staff(&house, "hank", &totp(&seed("hank"))).await;

    // For the other appliance: of no use here.
    let elsewhere = [("client", "other"), ("minutes", "15")];
    done(&does(&mut hank, "grant-bypass", "alice", "at the airport", &elsewhere).await, "grant-bypass");
    asks_for_a_code(&house.login("alice", 1).await);

    let here = [("client", "vpn"), ("minutes", "15")];
    done(&does(&mut hank, "grant-bypass", "alice", "at the airport", &here).await, "grant-bypass");
    assert!(house.asks("alice", 2, "wrong", "").await.received("Access-Reject"), "the password is still asked");
    let opened = house.login("alice", 3).await;
    assert!(opened.received("Access-Accept"), "{}", opened.0);
    asks_for_a_code(&house.login("alice", 4).await);
    asks_for_a_code(&house.login("alice", 3).await);

    let logins = house.house.site.logins(2).await;
    let accepted: Vec<&Value> = logins.iter().filter(|login| login["answer"] == "accept").collect();
    let [accepted] = &accepted[..] else { panic!("{logins:?}") };
    assert_eq!(accepted["factor"], "bypass", "{accepted}");
    let acts = acts_on(&house, "alice").await;
    let granted = acts.iter().filter(|act| act["act"] == "grant_bypass" && act["by"] == "hank");
    assert_eq!(granted.filter(|act| act["reason"] == "at the airport").count(), 2, "{acts:?}");

    // Staff always need a factor.
    for name in ["hilda", "ada", "hank"] {
        hank.get("/users").await;
        let fields = [("name", name), ("reason", "please"), ("client", "vpn"), ("minutes", "15")];
        assert_eq!(hank.post("/user/grant-bypass", &fields).await.status, 403, "{name}");
        asks_for_a_code(&house.login(name, 9).await);
    }
}

/// Waits until so many prompts went by unseen.
async fn went_by(house: &WholeHouse, count: u8) {
    let device = async || house.does(&["device", "list", "alice"]).await[0].clone();
    until("a prompt that went by", async || (device().await["unanswered"] == count).then_some(())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_phone_that_lets_three_prompts_go_by_is_told_of_to_its_user_and_the_desk_once() {
    let house = whole_house("", |plan| {
        let plan = plan.client("gives_up_after = \"3s\"\nchallenge = false").limits("prompt_lasts = \"10s\"");
        plan.limits("pushes_unanswered = 9").mail("alice", "alice@example.com")
    })
    .await;
    let phone = house.store_phone("alice", (4, 8, 0)).await;
    // The host tells alice of the phone that it added.
    house.mail.has(1).await;
    for place in 1..=3 {
        let refused = house.login("alice", place).await;
        assert!(refused.received("Access-Reject"), "{}", refused.0);
        went_by(&house, place).await;
    }
    let letters = house.mail.has(3).await;
    let mut to: Vec<&str> = letters[1..].iter().map(|letter| letter.to[0].as_str()).collect();
    to.sort_unstable();
    assert_eq!(to, ["alice@example.com", "desk@example.com"]);
    // The fourth is no news.
    house.login("alice", 4).await;
    went_by(&house, 4).await;
    assert_eq!(phone.polls().await.status, 200);
    assert_eq!(house.does(&["device", "list", "alice"]).await[0]["unanswered"], 0, "it was seen");
    assert_eq!(house.mail.messages().len(), 3);
}
