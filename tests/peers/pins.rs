//! PINs at the portal's door, over HTTP with a phone that signs by hand: nobody is stuck without one, and nothing but the user's own
//! approves anything.

use ::vestibule::store::StoreError;
use login::{GroupName, ResolvedUser};
use serde_json::{Value, json};
use wire::Secret;

use crate::harness::appliance::Appliance;
use crate::harness::page_phone::PagePhone;
use crate::harness::portal_house::{PortalHouse, USUAL, with_portal_and_pins};
use crate::harness::radius::{ACCEPT, Ask, CHALLENGE, REJECT};
use crate::harness::web::{Page, Web};
use crate::harness::{at, until};

const OWN: &str = "837264";

fn user(name: &str) -> ResolvedUser {
    ResolvedUser::new(name)
}

fn now() -> login::Wall {
    ::vestibule::engine::Clock::begin().moment().wall
}

/// A site whose phones ask for a PIN, and dave with nothing but his phone.
struct Site {
    house: PortalHouse,
    phone: PagePhone,
}

impl Site {
    async fn opens(lines: &str) -> Self {
        let (plan, url) = with_portal_and_pins(lines);
        let staff = "sign_in = \"local\"\nroles = { admin = [\"Admins\"], help_desk = [\"Desk\"] }\n";
        let admin = format!("[admin]\nlisten = \"{}\"\n{staff}", at(18444));
        let plan = plan.and(&admin).password("dave", "pw of dave");
        let plan = plan.totp("boss").password("boss", "pw of boss");
        let house = PortalHouse::of((plan, url)).await;
        house.store().add_groups(&user("boss"), vec![GroupName::folded("Admins")]).await.unwrap();
        let phone = activated(&house, "dave").await;
        Self { house, phone }
    }

    async fn has_pin(&self, pin: &str, must_change: bool) {
        self.has_pin_since(pin, must_change, now()).await;
    }

    async fn has_pin_since(&self, pin: &str, must_change: bool, at: login::Wall) {
        let hash = Secret::new(::vestibule::hashing::hash_password(&Secret::new(pin)).unwrap());
        self.house.store().set_pin(&user("dave"), hash, must_change, at).await.unwrap();
    }

    /// Three wrong ones, which lock it here.
    async fn locks(&self) -> Result<(), StoreError> {
        for guess in 0..3 {
            let version = self.house.store().pin(&user("dave"), now()).await?.unwrap().version;
            let (dave, id) = (user("dave"), [guess + 100; 16]);
            assert!(self.house.store().commit_pin_guess(&dave, id, version, false, 3, now()).await?);
        }
        Ok(())
    }

    /// Dave at the door, past his password.
    async fn dave(&self) -> Web {
        let mut dave = self.house.web();
        assert_eq!(dave.password("dave", "pw of dave").await.location, "/sign-in/second");
        dave.get("/sign-in/second").await;
        dave
    }

    /// Dave's phone rings for that page; what the phone is asked, and where the page waits.
    async fn rings(&self, web: &mut Web) -> (Value, String, String) {
        let rung = web.post("/sign-in/ring", &[("then", "/")]).await;
        assert_eq!(rung.status, 303, "{}", rung.body);
        let path = rung.location.split('?').next().unwrap().to_owned();
        let page = web.get(&path).await.body;
        let number = page.split("class=\"number\">").nth(1).map(|rest| rest.split('<').next().unwrap().to_owned());
        (self.asked().await, number.unwrap_or_default(), path)
    }

    async fn asked(&self) -> Value {
        until("a prompt on the phone", async || self.phone.polls().await.1["prompts"].get(0).cloned()).await
    }

    async fn approves(&self, prompt: &Value, number: &str, pin: &str) -> Value {
        let mut answer = self.phone.answer(prompt, "approve", number);
        answer["pin"] = json!(pin);
        self.phone.post("answer", &answer).await.1
    }
}

async fn activated(house: &PortalHouse, name: &str) -> PagePhone {
    let new = house.house.site.run(&["--json", "device", "add", name, "--channel", "webpush"]).await;
    let new: Value = serde_json::from_slice(&new.stdout).unwrap();
    let (page, code) = new["url"].as_str().unwrap().split_once('#').unwrap();
    let mut phone = PagePhone::at(page.to_owned(), house.url.clone());
    assert_eq!(phone.enrols(code).await.0, 200);
    phone
}

/// A login of dave's that is held: his phone can't be rung, so the VPN says first to open the app.
async fn waits_for_the_phone(vpn: &Appliance) -> Ask {
    let told = vpn.ask(&Ask::login("dave", "pw of dave")).await;
    assert!(told.code == CHALLENGE && told.text().starts_with("Open the login page"), "{}", told.text());
    let login = Ask::login("dave", "").answering(&told);
    vpn.send(&login).await;
    login
}

/// Whatever else the portal has sends this session to its PIN.
async fn reaches_nothing_else(web: &mut Web) {
    for path in ["/", "/app", "/phones/new", "/hardware", "/recovery", "/logins", "/password"] {
        assert_eq!(web.get(path).await.location, "/pin", "{path}");
    }
    for path in ["/app", "/phones/new", "/recovery", "/method", "/language"] {
        web.get("/pin").await;
        assert_eq!(web.post(path, &[]).await.location, "/pin", "{path}");
    }
    for path in ["/sessions", "/sign-in/second"] {
        assert_eq!(web.get(path).await.location, "/sign-in", "{path}");
    }
    assert_eq!(web.get("/sign-in").await.location, "/pin");
    web.get("/pin").await;
    assert_eq!(web.post("/sign-in/ring", &[("then", "/")]).await.location, "/sign-in", "it rings no more");
}

fn sets(old: &'static str, pin: &'static str) -> [(&'static str, &'static str); 3] {
    [("old", old), ("pin", pin), ("again", pin)]
}

#[tokio::test(flavor = "multi_thread")]
async fn who_has_a_phone_and_no_pin_needs_an_initial_one_and_sets_their_own_which_opens_nothing_else() {
    let site = Site::opens(USUAL).await;
    let vpn = site.house.house.appliance().await;
    assert_eq!(vpn.ask(&Ask::login("dave", "pw of dave")).await.code, REJECT, "no PIN, no push");
    let mut dave = site.dave().await;
    let alone = dave.post("/sign-in/ring", &[("then", "/")]).await;
    assert!(alone.status == 422 && alone.body.contains("none of your own yet"), "{}", alone.body);
    site.has_pin_since("904618", true, login::Wall(now().0 - 24 * 3_600_000)).await;
    dave.get("/sign-in/second").await;
    let old = dave.post("/sign-in/ring", &[("then", "/")]).await;
    assert!(old.status == 422 && old.body.contains("none of your own yet"), "a day is over: {}", old.body);
    site.has_pin("904618", true).await;
    dave.get("/sign-in/second").await;
    let (prompt, number, path) = site.rings(&mut dave).await;
    assert_eq!(prompt["pin"], Value::Null);
    assert_eq!(site.approves(&prompt, &number, "").await["state"], "approved");
    assert_eq!(dave.post(&path, &[("then", "/")]).await.location, "/pin");
    reaches_nothing_else(&mut dave).await;
    let page = dave.get("/pin").await;
    assert!(page.body.contains("name=\"old\""), "{}", page.body);
    assert_eq!(dave.post("/pin", &sets("", OWN)).await.status, 422);
    assert_eq!(dave.post("/pin", &sets("904618", OWN)).await.location, "/?done=pin-set");
    assert_eq!(dave.get("/").await.status, 200);
    // From now on his phone asks for it, here and at the appliance.
    let mut again = site.dave().await;
    let (prompt, number, path) = site.rings(&mut again).await;
    assert!(prompt["pin"].is_object(), "{prompt}");
    assert_eq!(site.approves(&prompt, &number, "111111").await["state"], "wrong_pin");
    assert_ne!(again.post(&path, &[("then", "/")]).await.location, "/");
    assert_eq!(site.approves(&prompt, &number, OWN).await["state"], "approved");
    assert_eq!(again.post(&path, &[("then", "/")]).await.location, "/");
    let login = waits_for_the_phone(&vpn).await;
    let prompt = site.asked().await;
    assert_eq!(site.approves(&prompt, "", OWN).await["state"], "approved");
    assert_eq!(vpn.next(&[login]).await.code, ACCEPT);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_initial_pin_proves_no_login_and_is_changed_before_anything_else() {
    let site = Site::opens(USUAL).await;
    site.has_pin(OWN, false).await;
    site.locks().await.unwrap();
    let mut dave = site.dave().await;
    let locked = dave.post("/sign-in/ring", &[("then", "/")]).await;
    assert!(locked.status == 422 && locked.body.contains("Your PIN is locked"), "{}", locked.body);
    let given = site.house.house.site.run(&["--json", "user", "pin", "dave"]).await;
    let given: Value = serde_json::from_slice(&given.stdout).unwrap();
    let initial = given["pin"].as_str().unwrap().to_owned();
    assert_eq!(initial.len(), 6);
    let acts = site.house.store().acts_on(&user("dave"), 5).await.unwrap();
    assert!(acts.iter().any(|act| act.json.contains("reset_pin") && !act.json.contains(&initial)));
    // At the appliance it approves nothing.
    let vpn = site.house.house.appliance().await;
    let login = waits_for_the_phone(&vpn).await;
    let prompt = site.asked().await;
    assert_eq!(site.approves(&prompt, "", &initial).await["state"], "pin_change");
    let denied = site.phone.post("answer", &site.phone.answer(&prompt, "deny", "")).await.1;
    assert_eq!(denied["state"], "denied");
    assert_eq!(vpn.next(&[login]).await.code, REJECT, "until it is changed");
    site.house.store().lift_limits(&user("dave")).await.unwrap();
    // In the portal the phone asks for none, and the page for the initial one.
    dave.get("/sign-in/second").await;
    let (prompt, number, path) = site.rings(&mut dave).await;
    assert_eq!(prompt["pin"], Value::Null);
    assert_eq!(site.approves(&prompt, &number, "").await["state"], "approved");
    assert_eq!(dave.post(&path, &[("then", "/")]).await.location, "/pin");
    reaches_nothing_else(&mut dave).await;
    assert!(dave.get("/pin").await.body.contains("The initial PIN that you were given"));
    for (old, said) in [("", "not the PIN"), ("000000", "not the PIN")] {
        let page = dave.post("/pin", &sets(old, "904618")).await;
        assert!(page.status == 422 && page.body.contains(said), "{old}: {}", page.body);
    }
    let same = [("old", &*initial), ("pin", &*initial), ("again", &*initial)];
    let page = dave.post("/pin", &same).await;
    assert!(page.status == 422 && page.body.contains("Choose one of your own"), "{}", page.body);
    let own = [("old", &*initial), ("pin", "904618"), ("again", "904618")];
    assert_eq!(dave.post("/pin", &own).await.location, "/?done=pin-set");
    assert_eq!(dave.get("/").await.status, 200);
    let pin = site.house.store().pin(&user("dave"), now()).await.unwrap().unwrap();
    assert!(!pin.must_change && !pin.locked);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_admins_code_leads_to_a_new_pin_and_from_there_to_the_phone() {
    let site = Site::opens("users_may = [\"enrol\"]\n").await;
    site.has_pin(OWN, false).await;
    let types = async |web: &mut Web| -> Page {
        let code = site.house.code_for("dave").await;
        web.post("/sign-in/activation", &[("activation", &code)]).await
    };
    let mut dave = site.dave().await;
    assert_eq!(types(&mut dave).await.location, "/");
    assert_eq!(dave.get("/pin").await.location, "/sign-in", "a code is no way around a PIN that works");
    assert!(!dave.get("/").await.body.contains("href=\"/pin\""));
    site.locks().await.unwrap();
    assert!(dave.get("/").await.body.contains("href=\"/pin\""));
    let page = dave.get("/pin").await;
    assert!(page.status == 200 && !page.body.contains("name=\"old\""), "{}", page.body);
    let set = dave.post("/pin", &sets("", "904618")).await;
    assert_eq!(set.location, "/sign-in/second?said=pin", "{}", set.body);
    assert!(dave.get("/sign-in/second?said=pin").await.body.contains("Now ring your phone"));
    assert_eq!(dave.get("/").await.location, "/sign-in/second", "a PIN alone is no factor");
    dave.get("/sign-in/second").await;
    let (prompt, number, path) = site.rings(&mut dave).await;
    assert_eq!(site.approves(&prompt, &number, "904618").await["state"], "approved");
    assert_eq!(dave.post(&path, &[("then", "/")]).await.location, "/");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_phones_yes_without_a_pin_is_asked_only_beside_an_initial_one_and_in_the_portal_alone() {
    let site = Site::opens(USUAL).await;
    // Alice and boss have codes beside their phones.
    activated(&site.house, "alice").await;
    activated(&site.house, "boss").await;
    let mut alice = site.house.web();
    alice.password("alice", "pw of alice").await;
    alice.get("/sign-in/second").await;
    let refused = alice.post("/sign-in/ring", &[("then", "/")]).await;
    assert!(refused.status == 422 && refused.body.contains("none of your own yet"), "{}", refused.body);
    let mut boss = Web::new(&format!("http://{}", site.house.house.server.admin().unwrap()));
    assert_eq!(boss.password("boss", "pw of boss").await.location, "/sign-in/second");
    for must_change in [false, true] {
        if must_change {
            let hash = Secret::new(::vestibule::hashing::hash_password(&Secret::new(OWN)).unwrap());
            site.house.store().set_pin(&user("boss"), hash, true, now()).await.unwrap();
        }
        boss.get("/sign-in/second").await;
        let refused = boss.post("/sign-in/ring", &[("then", "/")]).await;
        assert!(refused.status == 422 && refused.body.contains("none of your own yet"), "{}", refused.body);
    }
    // Where users may not set up phones by themselves, the help desk begins with a PIN of its own.
    drop(site);
    let site = Site::opens("users_may = [\"enrol\"]\n").await;
    let mut dave = site.dave().await;
    assert_eq!(dave.post("/sign-in/ring", &[("then", "/")]).await.status, 422);
    site.has_pin(OWN, true).await;
    dave.get("/sign-in/second").await;
    let (prompt, number, path) = site.rings(&mut dave).await;
    assert_eq!(site.approves(&prompt, &number, "").await["state"], "approved");
    assert_eq!(dave.post(&path, &[("then", "/")]).await.location, "/pin");
    dave.get("/pin").await;
    assert_eq!(dave.post("/pin", &sets(OWN, "904618")).await.location, "/?done=pin-set");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_prompt_that_asked_for_no_pin_opens_nothing_once_there_is_one() {
    let site = Site::opens(USUAL).await;
    site.has_pin("271828", true).await;
    let mut dave = site.dave().await;
    let (prompt, number, path) = site.rings(&mut dave).await;
    site.has_pin(OWN, false).await;
    // The same session rings again: it joins no prompt that asked for less.
    dave.get("/sign-in/second").await;
    let again = dave.post("/sign-in/ring", &[("then", "/")]).await;
    assert!(again.body.contains("Another login waits"), "{}", again.body);
    assert_eq!(site.approves(&prompt, &number, "").await["state"], "approved");
    assert_eq!(dave.post(&path, &[("then", "/")]).await.location, "/pin");
    let page = dave.get("/pin").await;
    assert!(page.body.contains("name=\"old\""), "the PIN that there is now is asked for");
    assert_eq!(dave.post("/pin", &sets("", "904618")).await.status, 422);
    assert_eq!(dave.get("/").await.location, "/pin");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_help_desks_reset_shows_an_initial_pin_once_and_mails_its_user() {
    let site = Site::opens(USUAL).await;
    site.has_pin(OWN, false).await;
    let mut boss = Web::new(&format!("http://{}", site.house.house.server.admin().unwrap()));
    boss.password("boss", "pw of boss").await;
    boss.get("/sign-in/second").await;
    let code = crate::harness::oath::totp(&crate::harness::oath::seed("boss"));
    assert_eq!(boss.post("/sign-in/code", &[("code", &code), ("then", "/")]).await.location, "/");
    let ask = boss.get("/user/reset-pin?name=dave").await;
    assert!(ask.body.contains("The user gets an initial PIN"), "{}", ask.body);
    let shown = boss.post("/user/reset-pin", &[("name", "dave"), ("reason", "forgot it")]).await;
    assert_eq!(shown.status, 200, "{}", shown.location);
    let pin = shown.body.split("translate=\"no\">").nth(1).unwrap().split('<').next().unwrap().to_owned();
    assert!(pin.len() == 6 && pin.bytes().all(|octet| octet.is_ascii_digit()), "{pin}");
    assert!(shown.body.contains(&site.house.url), "{}", shown.body);
    assert!(!boss.get("/user?name=dave").await.body.contains(&pin));
    assert!(site.house.store().pin(&user("dave"), now()).await.unwrap().unwrap().must_change);
    let acts = site.house.store().acts_on(&user("dave"), 5).await.unwrap();
    assert!(acts.iter().any(|act| act.json.contains("reset_pin") && act.json.contains("forgot it")));
    // Nobody gives one to themselves.
    boss.get("/users").await;
    assert_eq!(boss.post("/user/reset-pin", &[("name", "boss"), ("reason", "r")]).await.status, 403);
}
