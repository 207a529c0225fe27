//! People at the portal's edges, over HTTP: who lost a phone or a PIN, who was given a code, what the site switched off.

use ::vestibule::store::{Algorithm, Channel};
use login::{GroupName, ResolvedUser};

use crate::harness::at;
use crate::harness::oath::{self, seed};
use crate::harness::portal_house::{PortalHouse, USUAL, with_portal};
use crate::harness::vestibule::alone;
use crate::harness::web::{Page, Web};

const USUAL_DESK: &str = "help_desk = \"Service desk, 0800 1234\"\n";

fn user(name: &str) -> ResolvedUser {
    ResolvedUser::new(name)
}

fn now() -> login::Wall {
    ::vestibule::engine::Clock::begin().moment().wall
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_of_a_phone_offers_only_what_users_may_do_and_says_who_does_the_rest() {
    for on in [true, false] {
        let may = if on { "\"enrol\", \"activate_app\"" } else { "\"enrol\"" };
        let lines = format!("help_desk = \"Desk 42\"\nusers_may = [{may}]\n");
        let house = PortalHouse::of(with_portal(&lines)).await;
        let device = house.store().add_device(&user("alice"), Channel::Loopback, None, now()).await.unwrap();
        let mut alice = house.alice().await;
        let path = format!("/phones/{}", device.0);
        let page = alice.get(&path).await;
        assert_eq!(page.status, 200);
        for part in ["/ring\"", "/name\""] {
            assert_eq!(page.body.contains(&format!("action=\"{path}{part}")), on, "{part}");
        }
        assert_eq!(page.body.contains("What you don’t find here, your service desk does for you."), !on);
        assert!(page.body.contains(&format!("href=\"{path}/remove\"")), "what is lost goes, whatever is switched off");
        assert_eq!(alice.post(&format!("{path}/name"), &[("label", "x")]).await.status, if on { 303 } else { 403 });
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn somebody_with_one_method_is_shown_which_is_asked_for_first() {
    let house = PortalHouse::of(with_portal(USUAL)).await;
    let mut alice = house.alice().await;
    assert!(alice.get("/").await.body.contains("<select id=\"method\""));
    assert_eq!(alice.post("/method", &[("method", "totp")]).await.location, "/?done=saved");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hardware_token_of_another_hash_is_added_by_naming_it() {
    let house = PortalHouse::of(with_portal(USUAL)).await;
    let mut alice = house.alice().await;
    for (word, algorithm) in [("sha256", Algorithm::Sha256), ("sha512", Algorithm::Sha512)] {
        let secret = data_encoding::BASE32_NOPAD.encode(&seed(word));
        alice.get("/hardware").await;
        let code = hotp_of(word, &seed(word), 0);
        let form = [("secret", secret.as_str()), ("kind", "hotp"), ("code", code.as_str())];
        let refused = alice.post("/hardware", &form).await;
        assert!(refused.status == 422 && refused.body.contains("<option value=\"sha1\" selected>"), "{}", refused.body);
        let named: Vec<(&str, &str)> = form.into_iter().chain([("hash", word)]).collect();
        assert_eq!(alice.post("/hardware", &named).await.location, "/?done=method-added", "{word}");
        assert!(house.tokens("alice").await.iter().any(|token| token.token.algorithm == algorithm));
    }
}

/// RFC 4226 §5.3 over the hashes of RFC 6238 §1.2.
fn hotp_of(hash: &str, seed: &[u8], counter: u64) -> String {
    use hmac::{Hmac, KeyInit, Mac};
    let octets = match hash {
        "sha256" => {
            let mut mac = Hmac::<sha2::Sha256>::new_from_slice(seed).unwrap();
            mac.update(&counter.to_be_bytes());
            mac.finalize().into_bytes().to_vec()
        }
        _ => {
            let mut mac = Hmac::<sha2::Sha512>::new_from_slice(seed).unwrap();
            mac.update(&counter.to_be_bytes());
            mac.finalize().into_bytes().to_vec()
        }
    };
    let at = usize::from(octets.last().unwrap() & 15);
    let four: [u8; 4] = octets[at..at + 4].try_into().unwrap();
    format!("{:06}", (u32::from_be_bytes(four) & 0x7fff_ffff) % 1_000_000)
}

/// Sections of a site with staff's pages, where boss is an admin.
fn staffed() -> String {
    format!("[admin]\nlisten = \"{}\"\nsign_in = \"local\"\nroles = {{ admin = [\"Admins\"] }}\n", at(18444))
}

async fn with_boss(lines: &str) -> PortalHouse {
    let (plan, url) = with_portal(lines);
    let house = PortalHouse::of((plan.and(&staffed()).password("boss", "pw of boss"), url)).await;
    house.store().add_groups(&user("boss"), vec![GroupName::folded("Admins")]).await.unwrap();
    house
}

/// Makes an authenticator app in a session that a code has opened.
async fn makes_an_app(web: &mut Web) -> Vec<u8> {
    let page = web.get("/app").await;
    assert_eq!(page.status, 200, "{}", page.body);
    let secret = page.body.split("class=\"secret\">").nth(1).unwrap().split('<').next().unwrap().replace(' ', "");
    let seed = data_encoding::BASE32_NOPAD.decode(secret.as_bytes()).unwrap();
    assert_eq!(web.post("/app", &[("code", &oath::totp(&seed))]).await.location, "/?done=method-added");
    seed
}

async fn types_a_code(web: &mut Web, house: &PortalHouse, name: &str) -> Page {
    web.password(name, &format!("pw of {name}")).await;
    web.get("/sign-in/second").await;
    let code = house.code_for(name).await;
    web.post("/sign-in/activation", &[("activation", &code)]).await
}

#[tokio::test(flavor = "multi_thread")]
async fn who_lost_every_method_comes_back_by_the_help_desks_code_wherever_there_is_a_portal() {
    for lines in ["users_may = [\"enrol\"]\nfirst_enrolment = [\"mail_code\"]\n", "users_may = []\n"] {
        let (plan, url) = with_portal(&format!("{USUAL_DESK}{lines}"));
        let mail =
            "[mail]\nsmtp = \"smtp://127.0.0.1:9\"\nallow_plain = true\nfrom = \"mfa@example.com\"\nmail_code = true\n";
        let house = PortalHouse::of((plan.and(mail), url)).await;
        let token = house.tokens("alice").await[0].token.id.clone();
        house.store().remove_token(&token, now()).await.unwrap();
        let mut alice = house.web();
        alice.password("alice", "pw of alice").await;
        let page = alice.get("/sign-in/second").await;
        assert!(page.body.contains("name=\"activation\""), "{lines}{}", page.body);
        assert!(!page.body.contains("/sign-in/mail"), "a mailed code is for a first enrolment");
        assert_eq!(types_a_code(&mut alice, &house, "alice").await.location, "/", "{lines}");
        assert!(alice.get("/").await.body.contains("href=\"/app\""), "{lines}");
        makes_an_app(&mut alice).await;
        // What users may not do is off again.
        if lines.contains("[]") {
            assert_eq!(alice.get("/app").await.status, 403);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn staff_set_up_their_first_method_by_a_code_whatever_anchors_users_have_and_come_in_at_their_own_door() {
    let house = with_boss(&format!("{USUAL}first_enrolment = [{{ network = [\"192.0.2.0/24\"] }}]\n")).await;
    let staff_url = format!("http://{}", house.house.server.admin().unwrap());
    let mut door = Web::new(&staff_url);
    assert_eq!(door.password("boss", "pw of boss").await.location, "/sign-in/second");
    let page = door.get("/sign-in/second").await;
    assert!(page.body.contains(&format!("href=\"{}\"", house.url)), "{}", page.body);
    assert!(page.body.contains("It is typed in the portal"), "{}", page.body);
    let code = house.code_for("boss").await;
    assert_eq!(door.post("/sign-in/activation", &[("activation", &code)]).await.status, 404, "nothing is made there");
    let mut boss = house.web();
    assert_eq!(types_a_code(&mut boss, &house, "boss").await.location, "/");
    let seed = makes_an_app(&mut boss).await;
    // The change of methods ended the other session.
    assert_eq!(door.password("boss", "pw of boss").await.location, "/sign-in/second");
    door.get("/sign-in/second").await;
    let next = oath::hotp(&seed, oath::unix_now() / 30 + 1);
    assert_eq!(door.post("/sign-in/code", &[("code", &next), ("then", "/")]).await.location, "/");
    assert_eq!(door.get("/users").await.status, 200);
    // Somebody who is no staff and never had a method enrols as the site has it.
    assert_eq!(types_a_code(&mut house.web(), &house, "carol").await.status, 422);
}

#[tokio::test(flavor = "multi_thread")]
async fn no_code_is_issued_that_no_page_would_take_and_its_issuer_is_told_why() {
    let plan = || alone().password("carol", "pw of carol").totp("alice");
    let network = "[portal]\nlisten = \"127.0.0.1:18443\"\nurl = \"http://127.0.0.1:18443\"\nsign_in = \"local\"\nfirst_enrolment = [{ network = [\"192.0.2.0/24\"] }]\n\
                   [method.push]\nchannels = [\"privacyidea\"]\n";
    for (lines, why) in [(network, "does not list \"admin_code\""), ("", "give [portal] a url")] {
        let site = plan().and(lines).built().await;
        let barred = site.run(&["user", "code", "carol"]).await;
        let said = String::from_utf8_lossy(&barred.stderr).into_owned();
        assert!(barred.status.code() == Some(1) && said.contains(why), "{said}");
        assert_eq!(site.run(&["user", "code", "alice"]).await.status.success(), lines == network);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_came_in_by_the_portal_gets_an_address_and_groups_later_on_the_host() {
    let house = with_boss(USUAL).await;
    let run = async |arguments: &[&str]| {
        let output = house.house.site.run(arguments).await;
        (output.status.code(), String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned())
    };
    let carol = async || house.store().show_user(&user("carol")).await.unwrap().unwrap();
    for bad in ["no address", "@example.com", "a\nb@example.com"] {
        assert_eq!(run(&["user", "mail", "carol", bad]).await.0, Some(2), "{bad}");
    }
    assert_eq!(run(&["user", "mail", "nobody", "n@example.com"]).await.0, Some(1));
    assert_eq!(run(&["user", "mail", "carol", "carol@example.com"]).await.0, Some(0));
    assert_eq!(carol().await.mail.as_deref(), Some("carol@example.com"));
    let (code, said) = run(&["user", "group", "carol", "--add", "Admins", "--add", "Sales"]).await;
    assert!(code == Some(0) && said.contains("That is staff: always a factor, never a bypass."), "{said}");
    let groups = ["admins", "sales"].map(GroupName::folded).to_vec();
    assert_eq!(carol().await.groups, groups);
    let (_, said) = run(&["user", "group", "carol", "--remove", "ADMINS", "--remove", "Unknown"]).await;
    assert!(said.contains("Now in sales. That is staff no more."), "{said}");
    assert_eq!(run(&["user", "group", "carol"]).await.0, Some(2));
    assert_eq!(run(&["user", "mail", "carol", "--none"]).await.0, Some(0));
    assert_eq!(carol().await.mail, None);
    let acts = house.store().acts_on(&user("carol"), 10).await.unwrap();
    let said: Vec<&str> = acts.iter().map(|act| act.json.as_str()).collect();
    assert_eq!(said.iter().filter(|act| act.contains("change_mail")).count(), 2, "{said:?}");
    assert!(said.iter().any(|act| act.contains("change_groups") && act.contains("+admins, +sales")), "{said:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_help_desk_changes_an_address_and_the_old_one_hears_of_it() {
    let (plan, url) = with_portal(USUAL);
    let mail = "[mail]\nsmtp = \"smtp://127.0.0.1:9\"\nallow_plain = true\nfrom = \"mfa@example.com\"\n";
    let plan = plan.and(&staffed()).and(mail).totp("boss").password("boss", "pw of boss");
    let house = PortalHouse::of((plan.mail("carol", "old@example.com"), url)).await;
    house.store().add_groups(&user("boss"), vec![GroupName::folded("Admins")]).await.unwrap();
    let mut boss = Web::new(&format!("http://{}", house.house.server.admin().unwrap()));
    boss.password("boss", "pw of boss").await;
    boss.get("/sign-in/second").await;
    let code = oath::totp(&seed("boss"));
    assert_eq!(boss.post("/sign-in/code", &[("code", &code), ("then", "/")]).await.location, "/");
    let ask = boss.get("/user/change-mail?name=carol&mail=evil@example.com").await;
    assert!(ask.body.contains("value=\"old@example.com\"") && !ask.body.contains("evil@"), "{}", ask.body);
    let form = |mail: &'static str| [("name", "carol"), ("reason", "moved"), ("mail", mail)];
    assert_eq!(boss.post("/user/change-mail", &form("no address")).await.status, 422);
    let done = boss.post("/user/change-mail", &form("new@example.com")).await;
    assert!(done.location.contains("did=change-mail&mailed=posted"), "{} {}", done.status, done.location);
    assert_eq!(
        house.store().show_user(&user("carol")).await.unwrap().unwrap().mail.as_deref(),
        Some("new@example.com")
    );
    let letters = house.store().due_letters(login::Wall::NEVER, 10).await.unwrap();
    let texts: Vec<String> =
        letters.iter().map(|one| String::from_utf8_lossy(one.text.expose()).into_owned()).collect();
    for address in ["old@example.com", "new@example.com"] {
        assert!(texts.iter().any(|text| text.contains(address) && text.contains("details_changed")), "{texts:?}");
    }
    let acts = house.store().acts_on(&user("carol"), 5).await.unwrap();
    assert!(acts[0].json.contains("change_mail") && acts[0].json.contains("new@example.com"), "{}", acts[0].json);
    boss.get("/users").await;
    let own = [("name", "boss"), ("reason", "r"), ("mail", "evil@example.com")];
    assert_eq!(boss.post("/user/change-mail", &own).await.status, 403);
}
