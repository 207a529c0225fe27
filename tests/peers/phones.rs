//! Phones at the program's own door: begun by a command, activated over the portal's address, rung by a login, and what of
//! them a reload changes; letters on their way out.

use ::vestibule::language::Language;
use ::vestibule::mail::{Address, Letter, LetterId, LetterKind};
use ::vestibule::phone::store_app;
use ::vestibule::store::Letters as _;
use login::Wall;
use nix::sys::signal::Signal;
use serde_json::{Value, json};
use wire::Secret;

use crate::harness::appliance::Appliance;
use crate::harness::page_phone::PagePhone;
use crate::harness::radius::{ACCEPT, Ask, CHALLENGE, REJECT};
use crate::harness::smtp::{MailServer, Speech};
use crate::harness::store_phone::StorePhone;
use crate::harness::stub::Stub;
use crate::harness::vestibule::Program;
use crate::harness::{at, until, vestibule};

const PORTAL_PORT: u16 = 18443;
const ADMIN_PORT: u16 = 18444;

/// A house whose phones come to its portal, on loopback without TLS; alice has a token.
struct Doors {
    house: Program,
    portal: String,
    admin: String,
}

async fn opened(nps: &Stub) -> Doors {
    let (portal, admin) = (at(PORTAL_PORT), at(ADMIN_PORT));
    let plan = vestibule::guarding(nps).totp("alice").and(&format!(
        "[portal]\nlisten = \"{portal}\"\nurl = \"http://{portal}\"\naccount_name = \"Example VPN\"\n\
         [admin]\nlisten = \"{admin}\"\nroles = {{ admin = \"Admins\" }}\n\
         [method.push]\nvapid_contact = \"mailto:it@example.com\"\n",
    ));
    let house = plan.start_program().await;
    Doors { house, portal: format!("http://{portal}"), admin: format!("http://{admin}") }
}

async fn done(house: &Program, arguments: &[&str]) -> Value {
    house.site.does(arguments).await
}

async fn refused(house: &Program, arguments: &[&str]) -> String {
    let output = house.site.run(arguments).await;
    assert_eq!(output.status.code(), Some(1), "{arguments:?}");
    String::from_utf8_lossy(&output.stderr).into_owned()
}

async fn got(url: String) -> (u16, String) {
    let response = reqwest::get(url).await.unwrap();
    (response.status().as_u16(), response.text().await.unwrap())
}

/// A phone that can't be rung has to be opened: the VPN says so first, and the empty answer is held.
async fn told_to_open(vpn: &Appliance) -> Ask {
    let told = vpn.ask(&Ask::login("alice", "hello")).await;
    assert_eq!(told.code, CHALLENGE);
    assert!(told.text().starts_with("Open the "), "{}", told.text());
    Ask::login("alice", "").answering(&told)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_store_app_scans_what_the_command_shows_and_lets_a_held_login_in() {
    let nps = Stub::accepting("hello").await;
    let Doors { house, portal, .. } = opened(&nps).await;
    let new = done(&house, &["device", "add", "alice", "--channel", "privacyidea", "--label", "Pixel"]).await;
    let mut phone = StorePhone::scans(new["url"].as_str().unwrap(), reqwest::Client::new());
    assert_eq!((phone.serial(), phone.url()), (new["device"].as_str().unwrap(), &*format!("{portal}/push")));
    let state = async || done(&house, &["device", "list", "alice"]).await[0]["state"].clone();
    assert_eq!(state().await, "waiting");
    assert_eq!(phone.enrols().await.status, 200);
    assert_eq!(state().await, "active");

    let vpn = house.appliance().await;
    let held = told_to_open(&vpn).await;
    vpn.send(&held).await;
    let shown = until("a prompt on the phone", async || phone.looks().await.pop()).await;
    assert_eq!(shown.title, "Example VPN");
    assert_eq!(phone.accepts(&shown).await.status, 200);
    let answer = vpn.next(&[held]).await;
    assert_eq!(answer.code, ACCEPT, "{}", answer.text());
    let device = done(&house, &["device", "list", "alice"]).await[0].clone();
    assert!(device["seen"].is_string() && device["fingerprint"].is_string(), "{device}");
    assert_eq!((&device["label"], &device["unanswered"]), (&json!("Pixel"), &json!(0)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_is_activated_by_its_address_and_its_denial_ends_a_held_login() {
    let nps = Stub::accepting("hello").await;
    let Doors { house, portal, .. } = opened(&nps).await;
    let new = done(&house, &["device", "add", "alice", "--channel", "webpush"]).await;
    let (page, code) = new["url"].as_str().unwrap().split_once('#').unwrap();
    assert_eq!(page, format!("{portal}/phone/"));
    let mut phone = PagePhone::at(page.to_owned(), portal.clone());
    let (status, told) = phone.enrols(code).await;
    assert_eq!((status, &told["state"]), (200, &json!("active")), "an admin's act needs no test push (F3)");
    assert_eq!(json!(phone.device), new["device"]);

    let vpn = house.appliance().await;
    let held = told_to_open(&vpn).await;
    vpn.send(&held).await;
    let prompt = until("a prompt on the page", async || {
        let (_, told) = phone.polls().await;
        told["prompts"].get(0).cloned()
    })
    .await;
    let denied = phone.post("answer", &phone.answer(&prompt, "deny", "")).await;
    assert_eq!(denied, (200, json!({ "state": "denied", "quiet": 10 })));
    let answer = vpn.next(&[held]).await;
    assert_eq!(answer.code, REJECT, "{}", answer.text());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_phone_needs_the_portal_and_a_user_and_a_second_key_voids_what_was_begun() {
    let nps = Stub::accepting("hello").await;
    let Doors { house, .. } = opened(&nps).await;
    let unknown = refused(&house, &["device", "add", "nobody", "--channel", "webpush"]).await;
    assert!(unknown.contains("there is no user \"nobody\""), "{unknown}");
    let new = done(&house, &["device", "add", "alice", "--channel", "privacyidea"]).await;
    let mut phone = StorePhone::scans(new["url"].as_str().unwrap(), reqwest::Client::new());
    assert_eq!(phone.enrols().await.status, 200);
    let nobody = store_app::PhoneKey::nobody().unwrap();
    let theirs = data_encoding::BASE64.encode(nobody.as_spki());
    assert_eq!(phone.enrols_with(&theirs).await.status, 403);
    assert_eq!(done(&house, &["device", "list", "alice"]).await, json!([]));

    let policy = house.site.policy();
    let (before, after) = policy.split_once("[portal]").unwrap();
    let rest = after.split_once("[[rule]]").unwrap().1;
    house.site.write("vestibule.toml", &format!("{before}[[rule]]{rest}"));
    let homeless = refused(&house, &["device", "add", "alice", "--channel", "webpush"]).await;
    assert!(homeless.contains("[portal] url"), "{homeless}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_code_is_issued_once_for_a_user_who_exists_and_stands_in_the_audit() {
    let nps = Stub::accepting("hello").await;
    let Doors { house, .. } = opened(&nps).await;
    let first = done(&house, &["user", "code", "alice"]).await;
    let second = done(&house, &["user", "code", "ALICE"]).await;
    assert_eq!((&first["user"], &second["user"]), (&json!("alice"), &json!("alice")));
    let code = first["code"].as_str().unwrap();
    assert_eq!(code.split('-').map(str::len).collect::<Vec<_>>(), [5, 5, 5]);
    assert_ne!(first["code"], second["code"]);
    let unknown = refused(&house, &["user", "code", "nobody"]).await;
    assert!(unknown.contains("there is no user"), "{unknown}");
    assert_eq!(done(&house, &["user", "list"]).await.as_array().map(Vec::len), Some(1), "it creates nobody");

    let store = house.site.open_store();
    let acts = ::vestibule::store::Acts::acts_on(&store, &login::ResolvedUser::new("alice"), 10).await.unwrap();
    assert_eq!(acts.len(), 2);
    assert!(acts.iter().all(|act| act.json.contains("issue_code") && !act.json.contains(code)), "{acts:?}");
    let shown = done(&house, &["user", "show", "alice"]).await;
    assert_eq!(shown["pin"]["set"], json!(false));
    assert_eq!((&shown["recovery_codes"], &shown["bypasses"]), (&json!(0), &json!([])));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reload_changes_what_phones_are_told_and_the_portal_s_door_leads_to_no_page_of_the_staff() {
    let nps = Stub::accepting("hello").await;
    let Doors { house, portal, admin } = opened(&nps).await;
    let site = async || got(format!("{portal}/phone/site.json")).await.1;
    let before: Value = serde_json::from_str(&site().await).unwrap();
    assert_eq!(before["account"], "Example VPN");
    assert!(before["vapid"].is_string(), "{before}");
    let policy = house.site.policy().replace("Example VPN", "Another VPN");
    house.site.write("vestibule.toml", &policy);
    house.child.signal(Signal::SIGHUP);
    until("the new name", async || site().await.contains("Another VPN").then_some(())).await;
    let after: Value = serde_json::from_str(&site().await).unwrap();
    assert_eq!(after["vapid"], before["vapid"], "no phone has to subscribe again");

    for page in ["users", "user", "board", "board/events", "admin.css"] {
        assert_eq!(got(format!("{portal}/{page}")).await.0, 404, "{page}");
    }
    for page in ["phone/", "phone/site.json", "push"] {
        assert_eq!(got(format!("{admin}/{page}")).await.0, 404, "{page}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_letter_that_waits_in_the_store_leaves_by_the_mail_server_of_the_policy() {
    let (nps, mail) = (Stub::accepting("hello").await, MailServer::start(Speech::Implicit).await);
    let lines = format!("[mail]\nsmtp = \"{}\"\nfrom = \"mfa@example.com\"\nca = \"mail-ca.pem\"\n", mail.url());
    let site = vestibule::guarding(&nps).and(&lines).built().await;
    site.write("mail-ca.pem", &mail.ca);
    let letter = Letter {
        id: LetterId([7; 16]),
        at: Wall(1_795_545_600_000),
        to: Address::parse("alice@example.com").unwrap(),
        language: Language::English,
        user: "alice".to_owned(),
        kind: LetterKind::PinChanged,
    };
    site.open_store().post(Secret::new(letter.to_json().as_bytes()), letter.at).await.unwrap();
    let house = site.start_program().await;
    let taken = mail.has(1).await;
    assert_eq!((taken[0].to.as_slice(), taken[0].encrypted), (&["alice@example.com".to_owned()][..], true));
    let store = house.site.open_store();
    let far = Wall(letter.at.0 * 2);
    until("the letter to be forgotten", async || store.due_letters(far, 9).await.unwrap().is_empty().then_some(()))
        .await;
}
