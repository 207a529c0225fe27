//! The staff's pages, in a real browser and by requests that no page would send: who may do what, and what comes of it.

use std::sync::Arc;
use std::time::Duration;

use ::vestibule::config::Config;
use ::vestibule::store::{CodePurpose, CodeSpent, NewWebSession, Store, WebRealm, WebStep};
use login::{ClientName, GroupName, PhoneAnswer, ResolvedUser, Wall};
use reqwest::StatusCode;
use serde_json::Value;
use wire::Secret;

use crate::harness::browser::{Browser, button, checkbox, css, field, heading, link, role};
use crate::harness::oath::{seed, totp};
use crate::harness::phone::Phone;
use crate::harness::radius::{ACCEPT, Ask, REJECT};
use crate::harness::stub::Stub;
use crate::harness::vestibule::House;
use crate::harness::{at, until, vestibule};

const PASSWORD: &str = "hello";
/// Far enough ahead for whatever is due at some time.
const SOME_DAY: Wall = Wall(10_000_000_000_000);

/// A house with its staff's pages, and whoever lives there.
struct Site {
    house: House,
    url: String,
    phone: Arc<Phone>,
    _nps: Stub,
}

impl Site {
    /// ada and anna are admins, hank and hilda the help desk, otto an auditor, carol and nora users.
    async fn open() -> Self {
        let (nps, phone) = (Stub::accepting(PASSWORD).await, Phone::new());
        let sections = format!(
            "[admin]\nlisten = \"{}\"\n\
             roles = {{ admin = [\"VPN Admins\"], help_desk = [\"Service Desk\"], auditor = [\"Audit\"] }}\n\
             [portal]\nlisten = \"{}\"\nurl = \"http://127.0.0.1:8443\"\naccount_name = \"Example Corp\"\n\
             help_desk = \"Service desk, 0800 1234\"\nfirst_enrolment = [\"admin_code\", \"mail_code\"]\n\
             [mail]\nsmtp = \"smtp://localhost:9\"\nallow_plain = true\nfrom = \"mfa@example.com\"\nmail_code = true\n",
            at(8444),
            at(8443),
        );
        let mut plan = vestibule::guarding(&nps).and(&sections).calling("carol", &phone).totp("carol");
        for name in ["ada", "anna", "hank", "hilda", "otto", "nora"] {
            plan = plan.totp(name);
        }
        let house = plan.start().await;
        let store = house.server.store();
        let staff =
            [("ada", "VPN Admins"), ("anna", "VPN Admins"), ("hank", "Service Desk"), ("hilda", "Service Desk")];
        for (name, group) in staff.into_iter().chain([("otto", "Audit")]) {
            store.add_groups(&user(name), vec![GroupName::folded(group)]).await.unwrap();
        }
        store.set_mail(&user("carol"), Some("carol@example.com".to_owned())).await.unwrap();
        let url = format!("http://{}", house.server.admin().unwrap());
        Self { house, url, phone, _nps: nps }
    }

    fn store(&self) -> &Arc<dyn Store> {
        self.house.server.store()
    }

    fn now(&self) -> Wall {
        self.house.server.clock().moment().wall
    }

    /// Somebody who signs in by hand, without a browser.
    async fn signed_in(&self, name: &str) -> Hand {
        let mut hand = Hand::new(&self.url);
        let page = hand.get("/sign-in").await;
        let form = [("csrf", page.csrf()), ("name", name.to_owned()), ("password", PASSWORD.to_owned())];
        assert_eq!(hand.post("/sign-in", &form).await.status, StatusCode::SEE_OTHER);
        let page = hand.get("/sign-in/second").await;
        let code = [("csrf", page.csrf()), ("code", totp(&seed(name)))];
        let answer = hand.post("/sign-in/code", &code).await;
        assert_eq!(answer.status, StatusCode::SEE_OTHER, "{}", answer.text);
        hand
    }

    /// What the audit says was done to a user: act, who, why; newest first.
    async fn acts(&self, name: &str) -> Vec<(String, String, String)> {
        let acts = self.store().acts_on(&user(name), 50).await.unwrap();
        let word = |json: &Value, key: &str| json[key].as_str().unwrap_or_default().to_owned();
        acts.iter()
            .map(|act| serde_json::from_str::<Value>(&act.json).unwrap())
            .filter(|json| json["role"] != "user")
            .map(|json| (word(&json, "act"), word(&json, "by"), word(&json, "reason")))
            .collect()
    }

    /// The kinds of the letters that are out, oldest first.
    async fn letters(&self) -> Vec<Value> {
        let due = self.store().due_letters(SOME_DAY, 100).await.unwrap();
        due.iter().map(|letter| serde_json::from_slice::<Value>(letter.text.expose()).unwrap()["kind"].take()).collect()
    }

    async fn opens_for_carol(&self) -> bool {
        let session = NewWebSession {
            id: [7; 32],
            user: user("carol"),
            realm: WebRealm::Portal,
            step: WebStep::Full,
            address: [127, 0, 0, 1].into(),
            agent: None,
            ends_at: SOME_DAY,
        };
        self.store().open_web_session(session, self.now()).await.is_ok()
    }

    async fn carol_is_signed_in(&self) -> bool {
        let hour = Duration::from_secs(3600);
        self.store().web_session(&[7; 32], WebRealm::Portal, hour, self.now()).await.unwrap().is_some()
    }
}

fn user(name: &str) -> ResolvedUser {
    ResolvedUser::new(name)
}

/// A browser's cookie and nothing of its good manners.
struct Hand {
    http: reqwest::Client,
    url: String,
    cookie: String,
}

struct Got {
    status: StatusCode,
    location: String,
    text: String,
}

impl Got {
    /// The token in the page's forms.
    fn csrf(&self) -> String {
        let (_, rest) = self.text.split_once("name=\"csrf\" value=\"").unwrap_or_else(|| panic!("{}", self.text));
        rest.split('"').next().unwrap().to_owned()
    }
}

impl Hand {
    fn new(url: &str) -> Self {
        let policy = reqwest::redirect::Policy::none();
        let http = reqwest::Client::builder().no_proxy().redirect(policy).build().unwrap();
        Self { http, url: url.to_owned(), cookie: String::new() }
    }

    async fn get(&mut self, path: &str) -> Got {
        self.send(self.http.get(format!("{}{path}", self.url))).await
    }

    async fn post(&mut self, path: &str, form: &[(&str, String)]) -> Got {
        self.send(self.request(path, form)).await
    }

    fn request(&self, path: &str, form: &[(&str, String)]) -> reqwest::RequestBuilder {
        let body: Vec<String> = form.iter().map(|(key, value)| format!("{key}={}", encoded(value))).collect();
        let kind = "application/x-www-form-urlencoded";
        self.http.post(format!("{}{path}", self.url)).header("content-type", kind).body(body.join("&"))
    }

    async fn send(&mut self, request: reqwest::RequestBuilder) -> Got {
        let answer = request.header("cookie", &self.cookie).send().await.unwrap();
        if let Some(line) = answer.headers().get("set-cookie") {
            let line = line.to_str().unwrap();
            assert!(line.contains("HttpOnly") && line.contains("SameSite=Lax"), "{line}");
            line.split(';').next().unwrap().clone_into(&mut self.cookie);
        }
        let location = answer.headers().get("location").map(|at| at.to_str().unwrap().to_owned());
        let status = answer.status();
        Got { status, location: location.unwrap_or_default(), text: answer.text().await.unwrap() }
    }

    /// Does a deed as its page would, with these more fields.
    async fn does(&mut self, deed: &str, name: &str, more: &[(&str, &str)]) -> Got {
        let csrf = self.get("/users").await.csrf();
        let mut form = vec![("csrf", csrf), ("name", name.to_owned()), ("reason", "a good reason".to_owned())];
        form.extend(more.iter().map(|(key, value)| (*key, (*value).to_owned())));
        self.post(&format!("/user/{deed}"), &form).await
    }
}

fn encoded(value: &str) -> String {
    value.bytes().map(|octet| format!("%{octet:02X}")).collect()
}

/// What the page says once it is done.
fn did(got: &Got, deed: &str) -> bool {
    got.status == StatusCode::SEE_OTHER && got.location.contains(&format!("&did={deed}&mailed=posted"))
}

#[tokio::test(flavor = "multi_thread")]
async fn each_deed_is_done_written_down_with_its_reason_and_mailed() {
    let site = Site::open().await;
    let (store, carol) = (site.store(), user("carol"));
    let mut hank = site.signed_in("hank").await;

    let code = hank.does("issue-code", "carol", &[]).await;
    let (_, shown) = code.text.split_once("<span class=\"secret big\" translate=\"no\">").unwrap();
    let shown = shown.split('<').next().unwrap();
    let bare = ::vestibule::enrolment::typed_code(shown).unwrap();
    let spent = store.spend_code(&carol, CodePurpose::Enrol, &bare, [1; 16], site.now()).await.unwrap();
    assert_eq!(spent, CodeSpent::Right, "{shown}");
    let page = hank.get("/user?name=carol").await;
    assert!(!page.text.contains(shown), "a code is shown once");

    assert!(did(&hank.does("grant-bypass", "carol", &[("client", "vpn"), ("minutes", "15")]).await, "grant-bypass"));
    let vpn = ClientName::new("vpn");
    let bypass = store.open_bypass(&carol, &vpn, site.now()).await.unwrap().unwrap();
    assert!(did(&hank.does("revoke-bypass", "carol", &[("object", &bypass.0)]).await, "revoke-bypass"));
    assert_eq!(store.open_bypass(&carol, &vpn, site.now()).await.unwrap(), None);

    store.set_pin(&carol, Secret::new("$argon2id$"), false, site.now()).await.unwrap();
    assert!(did(&hank.does("reset-pin", "carol", &[]).await, "reset-pin"));
    assert_eq!(store.pin(&carol, site.now()).await.unwrap(), None);

    assert!(site.opens_for_carol().await && site.carol_is_signed_in().await);
    assert!(did(&hank.does("end-sessions", "carol", &[]).await, "end-sessions"));
    assert!(!site.carol_is_signed_in().await);

    assert!(site.opens_for_carol().await);
    assert!(did(&hank.does("block", "carol", &[("sure", "yes")]).await, "block"));
    assert!(!site.carol_is_signed_in().await, "who is blocked is signed out");
    assert_eq!(store.show_user(&carol).await.unwrap().unwrap().blocked.as_deref(), Some("a good reason"));
    assert!(did(&hank.does("unblock", "carol", &[]).await, "unblock"));
    assert_eq!(store.show_user(&carol).await.unwrap().unwrap().blocked, None);

    let person = store.show_user(&carol).await.unwrap().unwrap();
    let (device, token) = (person.devices[0].id.0.to_string(), person.tokens[0].id.0.to_string());
    for (deed, object) in [("remove-device", &device), ("remove-token", &token)] {
        let fields = [("object", object.as_str()), ("sure", "yes")];
        assert!(did(&hank.does(deed, "carol", &fields).await, deed));
        assert_eq!(hank.does(deed, "carol", &fields).await.status, StatusCode::CONFLICT, "it is gone");
    }
    let person = store.show_user(&carol).await.unwrap().unwrap();
    assert!(person.devices.is_empty() && person.tokens.is_empty());

    let expected = [
        "remove_token",
        "remove_device",
        "unblock",
        "block",
        "end_sessions",
        "reset_pin",
        "revoke_bypass",
        "grant_bypass",
        "issue_code",
    ];
    let acts = site.acts("carol").await;
    assert_eq!(acts.iter().map(|(act, _, _)| act.as_str()).collect::<Vec<_>>(), expected);
    assert!(acts.iter().all(|(_, by, reason)| by == "hank" && reason == "a good reason"), "{acts:?}");
    let letters = site.letters().await;
    assert_eq!(letters.len(), expected.len(), "each act mails the user (rules F4)");
    let is: Vec<&str> = letters.iter().map(|letter| letter["is"].as_str().unwrap()).collect();
    assert!(is.contains(&"blocked") && is.contains(&"bypass_granted") && is.contains(&"unblocked"), "{is:?}");
    assert!(letters.iter().all(|letter| letter["by"] == "hank" && letter["reason"] == "a good reason"), "{letters:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_is_added_and_invited_once_a_day_and_limits_are_lifted_without_ending_a_block() {
    let site = Site::open().await;
    let store = site.store();
    let mut ada = site.signed_in("ada").await;
    let list = ada.get("/users?q=newton").await;
    assert!(list.text.contains("/user/add-user?name=newton"), "{}", list.text);
    for bad in ["x\u{1}y", " newton", "Newton", "a@b@c", ""] {
        assert_eq!(ada.does("add-user", bad, &[]).await.status, StatusCode::NOT_FOUND, "{bad:?} is no name");
    }
    let bad = ada.does("add-user", "newton", &[("mail", "no address")]).await;
    assert_eq!(bad.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(did(&ada.does("add-user", "newton", &[("mail", "newton@example.com")]).await, "add-user"));
    let newton = store.show_user(&user("newton")).await.unwrap().unwrap();
    assert!(newton.groups.is_empty() && !newton.has_password);
    assert_eq!(ada.does("add-user", "newton", &[]).await.status, StatusCode::CONFLICT);

    assert!(did(&ada.does("invite", "newton", &[]).await, "invite"));
    assert_eq!(ada.does("invite", "newton", &[]).await.status, StatusCode::CONFLICT, "once a day (rules F7)");
    let invitations: Vec<Value> =
        site.letters().await.into_iter().filter(|letter| letter["is"] == "invitation").collect();
    assert_eq!(invitations.len(), 1);
    assert!(invitations[0]["code"]["code"].is_string(), "mail_code is allowed here");
    assert_eq!(ada.does("invite", "carol", &[]).await.status, StatusCode::CONFLICT, "who is enrolled needs none");

    assert_eq!(ada.does("lift-limits", "carol", &[]).await.status, StatusCode::CONFLICT, "there are none");
    let vpn = site.house.appliance().await;
    let held = Ask::login("carol", PASSWORD).stationed("198.51.100.7");
    vpn.send(&held).await;
    let hint = site.phone.rings().await;
    site.house.presses(&hint, PhoneAnswer::Deny).await;
    assert_eq!(vpn.next(&[held]).await.code, REJECT);
    // A refusal leaves before its record is written.
    until("the record", async || (!store.recent_records(&user("carol"), 1).await.unwrap().is_empty()).then_some(()))
        .await;
    let page = ada.get("/user?name=carol").await;
    assert!(page.text.contains("The phone gets no prompts until"), "{}", page.text);
    assert!(page.text.contains("Somebody denied it on the phone."), "{}", page.text);
    assert!(did(&ada.does("lift-limits", "carol", &[]).await, "lift-limits"));
    let carol = store.show_user(&user("carol")).await.unwrap().unwrap();
    assert_eq!(carol.pushes.quiet(site.now()), None);
    store.block_user(&user("carol"), "stolen".to_owned()).await.unwrap();
    assert_eq!(ada.does("lift-limits", "carol", &[]).await.status, StatusCode::CONFLICT);
    assert!(store.show_user(&user("carol")).await.unwrap().unwrap().blocked.is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_role_does_not_allow_is_refused_whatever_is_sent_and_changes_nothing() {
    let site = Site::open().await;
    let deeds = ["issue-code", "block", "grant-bypass", "end-sessions", "remove-token"];
    let forbidden = [("hank", "ada"), ("hank", "hank"), ("ada", "ada"), ("otto", "carol"), ("otto", "otto")];
    let mut hands = std::collections::BTreeMap::new();
    for name in ["hank", "ada", "otto"] {
        hands.insert(name, site.signed_in(name).await);
    }
    for (actor, on) in forbidden {
        let hand = hands.get_mut(actor).unwrap();
        let token = site.store().list_tokens(&user(on)).await.unwrap()[0].id.0.to_string();
        for deed in deeds {
            let asked = hand.get(&format!("/user/{deed}?name={on}&object={token}")).await;
            assert_eq!(asked.status, StatusCode::FORBIDDEN, "{actor} {deed} {on}");
            let fields = [("object", token.as_str()), ("minutes", "15"), ("sure", "yes")];
            let got = hand.does(deed, on, &fields).await;
            assert_eq!(got.status, StatusCode::FORBIDDEN, "{actor} {deed} {on}");
        }
        let offered = hand.get(&format!("/user?name={on}")).await;
        assert_eq!(offered.status, StatusCode::OK, "looking is allowed");
        assert!(!offered.text.contains("href=\"/user/"), "nothing is offered to {actor} on {on}");
    }
    assert_eq!(hands.get_mut("otto").unwrap().does("add-user", "eve", &[]).await.status, StatusCode::FORBIDDEN);
    let hank = hands.get_mut("hank").unwrap();
    for staff in ["hilda", "otto"] {
        let got = hank.does("grant-bypass", staff, &[("minutes", "15")]).await;
        assert_eq!(got.status, StatusCode::FORBIDDEN, "staff always need a factor (rules F4)");
    }
    assert_eq!(hank.does("end-sessions", "hilda", &[]).await.status, StatusCode::SEE_OTHER, "a colleague may");
    for name in ["ada", "hank", "otto", "carol"] {
        assert!(site.acts(name).await.is_empty(), "{name}");
        let person = site.store().show_user(&user(name)).await.unwrap().unwrap();
        assert!(person.blocked.is_none() && person.tokens.len() == 1, "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_code_page_that_is_loaded_again_shows_the_same_code_and_issues_none() {
    let site = Site::open().await;
    let mut hank = site.signed_in("hank").await;
    let csrf = hank.get("/user/issue-code?name=carol").await.csrf();
    let form =
        [("csrf", csrf), ("name", "carol".to_owned()), ("object", String::new()), ("reason", "new phone".to_owned())];
    let issued = hank.post("/user/issue-code", &form).await;
    let again = hank.post("/user/issue-code", &form).await;
    assert_eq!((issued.status, again.status), (StatusCode::OK, StatusCode::OK));
    assert_eq!(issued.text, again.text);
    assert_eq!(site.acts("carol").await.len(), 1, "one code was issued");
    assert_eq!(site.letters().await.len(), 1);
    let (_, shown) = issued.text.split_once("class=\"secret big\"").unwrap();
    let shown = shown.split('>').nth(1).unwrap().split('<').next().unwrap();
    let bare = ::vestibule::enrolment::typed_code(shown).unwrap();
    let spent = site.store().spend_code(&user("carol"), CodePurpose::Enrol, &bare, [1; 16], site.now()).await.unwrap();
    assert_eq!(spent, CodeSpent::Right, "the code on both pages is the one that works");
    // A block that is sent twice is told as done, and not as one that makes no sense any more.
    let csrf = hank.get("/user/block?name=carol").await.csrf();
    let form =
        [("csrf", csrf), ("name", "carol".to_owned()), ("reason", "lost".to_owned()), ("sure", "yes".to_owned())];
    let first = hank.post("/user/block", &form).await;
    let second = hank.post("/user/block", &form).await;
    assert!(did(&first, "block") && did(&second, "block"), "{}", second.text);
    // Whoever lost the role, or the session, sees none of it again.
    let csrf = hank.get("/user/issue-code?name=nora").await.csrf();
    let form = [("csrf", csrf), ("name", "nora".to_owned()), ("reason", "new".to_owned())];
    assert_eq!(hank.post("/user/issue-code", &form).await.status, StatusCode::OK);
    site.store().block_user(&user("hank"), "left".to_owned()).await.unwrap();
    assert_eq!(hank.post("/user/issue-code", &form).await.location, "/sign-in");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_form_of_another_site_or_session_is_refused_and_so_is_what_lacks_something() {
    let site = Site::open().await;
    let mut hank = site.signed_in("hank").await;
    let csrf = hank.get("/users").await.csrf();
    let form = |csrf: &str| {
        [("csrf", csrf), ("name", "carol"), ("reason", "r"), ("sure", "yes")]
            .map(|(key, value)| (key, value.to_owned()))
    };
    for bad in ["", "x", &csrf[1..]] {
        assert_eq!(hank.post("/user/block", &form(bad)).await.status, StatusCode::FORBIDDEN);
    }
    let mut hilda = site.signed_in("hilda").await;
    let others = hilda.get("/users").await.csrf();
    assert_eq!(hank.post("/user/block", &form(&others)).await.status, StatusCode::FORBIDDEN);
    for (name, value) in [("origin", "https://evil.example"), ("sec-fetch-site", "cross-site")] {
        let request = hank.request("/user/block", &form(&csrf)).header(name, value);
        assert_eq!(hank.send(request).await.status, StatusCode::FORBIDDEN, "{name}");
    }
    let lacking: [(&str, &[(&str, &str)]); 7] = [
        ("block", &[("reason", "r")]),
        ("block", &[("sure", "yes"), ("reason", "")]),
        ("grant-bypass", &[("reason", "r"), ("minutes", "1441")]),
        ("grant-bypass", &[("reason", "r"), ("minutes", "")]),
        ("grant-bypass", &[("reason", "r"), ("minutes", "5"), ("client", "evil")]),
        // Rules F4: bound to user and client.
        ("grant-bypass", &[("reason", "r"), ("minutes", "5"), ("client", "")]),
        ("end-sessions", &[("reason", "two\nlines")]),
    ];
    for (deed, fields) in lacking {
        let mut form = vec![("csrf", csrf.clone()), ("name", "carol".to_owned())];
        form.extend(fields.iter().map(|(key, value)| (*key, (*value).to_owned())));
        let got = hank.post(&format!("/user/{deed}"), &form).await;
        assert_eq!(got.status, StatusCode::UNPROCESSABLE_ENTITY, "{deed} {fields:?}");
        assert!(got.text.contains("Nothing was done."), "{}", got.text);
    }
    let giant = vec![("csrf", csrf.clone()), ("reason", "x".repeat(20_000))];
    assert_eq!(hank.post("/user/block", &giant).await.status, StatusCode::PAYLOAD_TOO_LARGE);
    assert_eq!(hank.does("no-such-deed", "carol", &[]).await.status, StatusCode::NOT_FOUND);
    assert_eq!(hank.does("block", "nobody", &[("sure", "yes")]).await.status, StatusCode::NOT_FOUND);
    assert!(site.acts("carol").await.is_empty() && site.letters().await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn who_has_no_factor_or_no_role_or_lost_it_sees_nothing() {
    let mut site = Site::open().await;
    let paths = ["/users", "/user?name=carol", "/user/block?name=carol", "/board", "/board/events"];
    let mut stranger = Hand::new(&site.url);
    for path in paths {
        let got = stranger.get(path).await;
        assert_eq!((got.status, got.location.as_str()), (StatusCode::SEE_OTHER, "/sign-in"), "{path}");
    }
    let mut half = Hand::new(&site.url);
    let page = half.get("/sign-in").await;
    let form = [("csrf", page.csrf()), ("name", "hank".to_owned()), ("password", PASSWORD.to_owned())];
    half.post("/sign-in", &form).await;
    for path in paths {
        assert_eq!(half.get(path).await.status, StatusCode::SEE_OTHER, "{path} with a password alone");
    }
    let mut nora = site.signed_in("nora").await;
    for path in paths {
        let got = nora.get(path).await;
        assert_eq!(got.status, StatusCode::FORBIDDEN, "{path}");
        assert!(!got.text.to_lowercase().contains("carol") && !got.text.contains("VPN Admins"), "{}", got.text);
        assert!(got.text.contains("may not use these pages"), "{}", got.text);
    }
    let (mut hank, mut hilda) = (site.signed_in("hank").await, site.signed_in("hilda").await);
    assert_eq!(hank.get("/users").await.status, StatusCode::OK);
    site.store().block_user(&user("hank"), "left".to_owned()).await.unwrap();
    for path in paths {
        let got = hank.get(path).await;
        assert_eq!(
            (got.status, got.location.as_str()),
            (StatusCode::SEE_OTHER, "/sign-in"),
            "who is blocked is out at once"
        );
    }
    let policy = site.house.site.policy().replace("help_desk = [\"Service Desk\"]", "help_desk = [\"Another Desk\"]");
    site.house.site.write("vestibule.toml", &policy);
    let config = Config::load(&site.house.site.policy_file()).unwrap_or_else(|wrong| panic!("{}", wrong.render(false)));
    assert_eq!(hilda.get("/users").await.status, StatusCode::OK);
    site.house.server.reload(Ok(config.config)).await.unwrap();
    assert_eq!(
        hilda.get("/users").await.status,
        StatusCode::FORBIDDEN,
        "a role that the policy takes away ends at once"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn users_are_found_by_a_part_of_their_name_and_how_they_stand_a_page_at_a_time() {
    let site = Site::open().await;
    for number in 0..60 {
        let device = site.store();
        let new = ::vestibule::store::NewUser {
            name: user(&format!("zoe{number:02}")),
            groups: Vec::new(),
            mail: None,
            password_hash: None,
            by_staff: None,
        };
        device.add_user(new, site.now()).await.unwrap();
    }
    let mut otto = site.signed_in("otto").await;
    let names = |got: &Got| -> Vec<String> {
        got.text.split("href=\"/user?name=").skip(1).map(|rest| rest.split('"').next().unwrap().to_owned()).collect()
    };
    let mut all = Vec::new();
    let mut next = "/users?q=ZOE".to_owned();
    loop {
        let page = otto.get(&next).await;
        all.extend(names(&page));
        let Some((_, rest)) = page.text.split_once("rel=\"next\" href=\"") else { break };
        next = rest.split('"').next().unwrap().replace("&#38;", "&").replace("&amp;", "&");
    }
    assert_eq!(all, (0..60).map(|number| format!("zoe{number:02}")).collect::<Vec<_>>());
    assert_eq!(names(&otto.get("/users?q=zoe07").await), ["zoe07"]);
    assert_eq!(names(&otto.get("/users?q=OE07").await), ["zoe07"]);
    let page = otto.get("/users?q=zoe&who=not-enrolled").await;
    assert!(page.text.contains("60 users") && page.text.contains("Never"), "{}", page.text);
    assert!(page.text.contains("who=not-enrolled&"), "the next page keeps the filter: {}", page.text);
    assert!(names(&otto.get("/users?who=blocked").await).is_empty());
    site.store().block_user(&user("zoe03"), "left".to_owned()).await.unwrap();
    assert_eq!(names(&otto.get("/users?who=blocked").await), ["zoe03"]);
    assert!(names(&otto.get("/users?who=silent").await).is_empty());
    let none = otto.get("/users?q=%3Cscript%3E").await;
    assert!(names(&none).is_empty() && !none.text.contains("<script>"), "{}", none.text);
}

/// Looked at in every way: axe, 320 pixels, light and dark, and nothing on the console.
async fn looks_right(browser: &Browser, name: &str) {
    browser.is_for_everybody(&format!("admin-{name}")).await;
    browser.assert_no_errors().await;
}

async fn signs_in(browser: &Browser, url: &str, name: &str) {
    browser.go(url).await;
    browser.type_into(&css("#name"), name).await;
    browser.type_into(&css("#password"), PASSWORD).await;
    browser.click(&css("main form button")).await;
    browser.type_into(&css("#code"), &totp(&seed(name))).await;
    browser.click(&css("form[action='/sign-in/code'] button")).await;
    browser.has(&css("#q")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_admin_finds_a_user_in_a_browser_and_helps() {
    let site = Site::open().await;
    let vpn = site.house.appliance().await;
    let held = Ask::login("carol", PASSWORD).stationed("198.51.100.7");
    vpn.send(&held).await;
    let hint = site.phone.rings().await;
    site.house.presses(&hint, PhoneAnswer::Approve).await;
    // An Accept leaves after its record (rules F2).
    assert_eq!(vpn.next(&[held]).await.code, ACCEPT);
    let browser = Browser::desktop().start().await;
    // All but the live board works without a script.
    browser.set_scripts(false).await;
    signs_in(&browser, &site.url, "ada").await;
    browser.set_scripts(true).await;
    looks_right(&browser, "users").await;
    browser.type_into(&field("A part of the name"), "car").await;
    browser.click(&button("Find")).await;
    browser.click(&link("carol")).await;
    browser.sees("Password and second factor were right.").await;
    looks_right(&browser, "user").await;

    browser.click(&link("Block")).await;
    browser.has(&heading("Block carol")).await;
    browser.type_into(&field("Reason"), "lost <phone>").await;
    looks_right(&browser, "block").await;
    browser.click(&checkbox("Yes, I am sure: carol")).await;
    browser.click(&button("Block")).await;
    browser.sees("The account is blocked. The user is told by mail.").await;
    browser.sees("Blocked: lost <phone>").await;
    looks_right(&browser, "blocked").await;
    browser.click(&link("Unblock")).await;
    browser.type_into(&field("Reason"), "found again").await;
    browser.click(&button("Unblock")).await;
    browser.sees("The account is unblocked.").await;

    browser.click(&link("One-time bypass")).await;
    browser.choose(&role("combobox", "Through which appliance"), "vpn").await;
    browser.type_into(&field("Reason"), "at the airport").await;
    looks_right(&browser, "bypass").await;
    browser.click(&button("One-time bypass")).await;
    browser.sees("The bypass is granted.").await;

    browser.click(&link("Issue an activation code")).await;
    browser.type_into(&field("Reason"), "new phone").await;
    browser.click(&button("Issue an activation code")).await;
    browser.has(&heading("Activation code")).await;
    looks_right(&browser, "code").await;
    browser.click(&link("Back to the user")).await;
    browser.sees("Activation code issued").await;

    browser.go(&format!("{}/user?name=anna", site.url)).await;
    browser.click(&link("Block")).await;
    browser.sees("anna is the only other admin.").await;
    browser.go(&format!("{}/user?name=ada", site.url)).await;
    browser.sees("This is your own account.").await;
    browser.assert_no_errors().await;
    browser.click(&css("form[action='/sign-out'] button")).await;
    browser.has(&css("#password")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn refusals_are_found_by_reason_appliance_and_person_and_the_day_is_drawn() {
    let site = Site::open().await;
    let vpn = site.house.appliance().await;
    for (name, guess) in [("carol", "wrong 1"), ("carol", "wrong 2"), ("carol", "wrong 3"), ("my secret", "x")] {
        assert_eq!(vpn.ask(&Ask::login(name, guess).stationed("203.0.113.7")).await.code, REJECT);
    }
    // A refusal leaves before its record is written; of three that are equal two only count.
    let all = ::vestibule::store::RefusalsOf::default();
    until("the records", async || {
        let page = site.store().refusals(all.clone(), None, 10).await.unwrap();
        let told = page.records.iter().any(|record| record.json.contains("\"times\":3,"));
        (page.records.len() == 2 && told).then_some(())
    })
    .await;
    let (browser, sentence) = (Browser::desktop().start().await, "The password server said no: the password was wrong");
    browser.set_scripts(false).await;
    signs_in(&browser, &site.url, "otto").await;
    browser.set_scripts(true).await;
    browser.click(&link("Refusals")).await;
    browser.sees("3 within a minute").await;
    browser.sees(sentence).await;
    looks_right(&browser, "refusals").await;
    assert!(!browser.shown_text().await.contains("my secret"), "rules F2");
    browser.type_into(&field("Name, in full"), "my secret").await;
    browser.click(&button("Find")).await;
    browser.sees("unknown:").await;
    assert!(!browser.shown_text().await.contains("3 within a minute"));
    browser.click(&link("Show all")).await;
    browser.sees("3 within a minute").await;
    browser.click(&link("Today")).await;
    browser.has(&heading("Refusals of today by reason")).await;
    browser.sees(sentence).await;
    looks_right(&browser, "today").await;
    browser.go(&format!("{}/refusals?client=portal", site.url)).await;
    browser.sees("No refusal.").await;
    browser.go(&format!("{}/refusals?client=vpn&reason=primary&q=CAROL", site.url)).await;
    browser.sees("3 within a minute").await;
    browser.assert_no_errors().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_board_shows_a_login_while_it_is_held_and_loses_it_when_it_ends() {
    let site = Site::open().await;
    let browser = Browser::desktop().start().await;
    signs_in(&browser, &site.url, "otto").await;
    browser.click(&link("Who waits now")).await;
    browser.sees("Nobody waits now.").await;
    let vpn = site.house.appliance().await;
    let held = Ask::login("carol", PASSWORD).stationed("198.51.100.7");
    vpn.send(&held).await;
    let hint = site.phone.rings().await;
    // Nobody touches the page: it is told.
    browser.has(&link("carol")).await;
    browser.sees("198.51.100.7").await;
    browser.sees("everybody").await;
    browser.until("/^0:0[1-9]/.test(document.querySelector('td.waited').textContent)").await;
    let before = "window.mark = document.querySelector('tr[data-key] a'); window.mark.focus(); return true;";
    browser.script(before, serde_json::json!([])).await;
    let (first, wait) = ("document.querySelector('td.waited').textContent", "window.waited");
    browser.script(&format!("{wait} = {first}; return true;"), serde_json::json!([])).await;
    browser.until(&format!("{first} !== {wait}")).await;
    browser.until("document.activeElement === window.mark && window.mark.isConnected").await;
    looks_right(&browser, "board").await;
    site.house.presses(&hint, PhoneAnswer::Approve).await;
    assert_eq!(vpn.next(&[held]).await.code, ACCEPT);
    browser.loses(&link("carol")).await;
    browser.sees("Nobody waits now.").await;
    browser.assert_no_errors().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_board_comes_again_by_itself_without_a_script_and_ends_with_the_role() {
    let site = Site::open().await;
    let browser = Browser::desktop().start().await;
    browser.set_scripts(false).await;
    signs_in(&browser, &site.url, "otto").await;
    browser.click(&link("Who waits now")).await;
    browser.sees("Nobody waits now.").await;
    let vpn = site.house.appliance().await;
    vpn.send(&Ask::login("carol", PASSWORD).stationed("198.51.100.7")).await;
    site.phone.rings().await;
    browser.has(&link("carol")).await;
    site.store().block_user(&user("otto"), "left".to_owned()).await.unwrap();
    browser.has(&css("#password")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_language_fits_on_a_narrow_screen_and_says_who_made_it() {
    let site = Site::open().await;
    for (language, name) in [("de", "ada"), ("nl", "anna"), ("fr", "hank")] {
        let browser = Browser::phone().speaking(language).start().await;
        signs_in(&browser, &site.url, name).await;
        let deeds = ["issue-code", "block", "grant-bypass", "end-sessions"];
        let pages = deeds.iter().map(|deed| format!("/user/{deed}?name=carol"));
        let pages = pages.chain(
            ["/users", "/user?name=carol", "/refusals", "/today", "/board", "/user?name=nobody"].map(str::to_owned),
        );
        for page in pages {
            browser.go(&format!("{}{page}", site.url)).await;
            assert_eq!(browser.property_of(&css("html"), "lang").await, language);
            let shown = browser.shown_text().await;
            assert!(!shown.contains("admin-"), "a text of {page} is missing in {language}: {shown}");
            browser.assert_accessible().await;
            browser.assert_no_overflow().await;
        }
        browser.go(&format!("{}/user?name=carol", site.url)).await;
        browser.picture(&format!("admin-user-{language}")).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn staff_see_their_own_sessions_and_end_them_and_what_they_may_not_is_counted() {
    let site = Site::open().await;
    let mut hank = site.signed_in("hank").await;
    let mut carol = site.signed_in("carol").await;
    assert!(hank.get("/users").await.text.contains("href=\"/sessions\""));
    let page = hank.get("/sessions").await;
    assert!(page.text.contains("Where you are signed in") && page.text.contains("This browser"), "{}", page.text);
    assert_eq!(page.text.matches("<li>").count(), 1, "nobody else's");
    // Refused three ways: no role, above the role, and a form of nobody's.
    assert_eq!(carol.get("/users").await.status, StatusCode::FORBIDDEN);
    assert_eq!(hank.does("block", "ada", &[("sure", "yes")]).await.status, StatusCode::FORBIDDEN);
    let form = [("csrf", "stolen".to_owned()), ("name", "carol".to_owned()), ("reason", "x".to_owned())];
    assert_eq!(hank.post("/user/issue-code", &form).await.status, StatusCode::FORBIDDEN);
    let metrics = site.house.server.telemetry().render();
    for reason in ["no_role", "above_role", "forged"] {
        let line = format!("vestibule_page_denials_total{{pages=\"admin\",reason=\"{reason}\"}} 1");
        assert!(metrics.contains(&line), "{line}: {metrics}");
    }
    assert!(!metrics.contains("hank") && !metrics.contains("carol"), "no name is a label");
    let out = hank.post("/sessions", &[("csrf", page.csrf()), ("session", "all".to_owned())]).await;
    assert_eq!(out.location, "/sign-in");
    assert_eq!(hank.get("/users").await.location, "/sign-in");
}

#[tokio::test(flavor = "multi_thread")]
async fn lifting_limits_ends_no_block_that_came_meanwhile() {
    let site = Site::open().await;
    let mut hank = site.signed_in("hank").await;
    // The page was shown while limits were all that kept the user out; then the account was blocked.
    site.store().block_user(&user("carol"), "reported".to_owned()).await.unwrap();
    hank.does("lift-limits", "carol", &[]).await;
    let carol = site.store().show_user(&user("carol")).await.unwrap().unwrap();
    assert_eq!(carol.blocked.as_deref(), Some("reported"));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_sessions_page_of_the_staff_is_for_everybody_too() {
    let site = Site::open().await;
    let browser = Browser::desktop().start().await;
    browser.go(&site.url).await;
    browser.type_into(&field("User name"), "ada").await;
    browser.type_into(&css("#password"), PASSWORD).await;
    browser.click(&button("Next")).await;
    browser.type_into(&css("#code"), &totp(&seed("ada"))).await;
    browser.click(&css("form[action='/sign-in/code'] button")).await;
    browser.click(&link("My sessions")).await;
    browser.has(&heading("Where you are signed in")).await;
    browser.assert_accessible().await;
    browser.picture("admin-sessions-light").await;
    browser.set_size(320, 800).await;
    browser.assert_no_overflow().await;
    browser.click(&button("Sign out everywhere")).await;
    browser.has(&heading("Sign in")).await;
}
