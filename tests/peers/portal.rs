//! The portal over HTTP, without a browser's help: who gets in, whose forms count, what is off, and what a change does.

use std::time::Duration;

use ::vestibule::engine::Clock;
use ::vestibule::store::Channel;
use ::vestibule::store::web::{NewActivation, PhoneKey};
use login::{PhoneAnswer, ResolvedUser};
use wire::Secret;

use crate::harness::oath::{self, seed};
use crate::harness::phone::Phone;
use crate::harness::portal_house::{
    PortalHouse, USUAL, with_portal, with_portal_and_pins, with_portal_behind, with_portal_behind_a_proxy,
};
use crate::harness::radius::Ask;
use crate::harness::until;

/// What the page shows apart from what differs by itself.
fn bare(body: &str) -> String {
    let without_token = body.split("value=\"").map(|part| part.split_once('"').map_or(part, |(_, rest)| rest));
    without_token.collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_password_and_a_code_open_a_session_under_a_new_id_each_time() {
    let house = PortalHouse::opens().await;
    let mut web = house.web();
    assert_eq!(web.get("/").await.location, "/sign-in");
    web.get("/sign-in").await;
    let before = web.cookie.clone().unwrap();
    assert_eq!(web.password("Alice", "pw of alice").await.location, "/sign-in/second");
    let owing = web.cookie.clone().unwrap();
    assert_eq!(web.get("/").await.location, "/sign-in/second");
    assert_eq!(web.code(&oath::totp(&seed("alice"))).await.location, "/");
    let full = web.cookie.clone().unwrap();
    assert!(before != owing && owing != full);
    let home = web.get("/").await;
    assert_eq!(home.status, 200);
    assert!(home.body.contains("alice") && home.body.contains("Authenticator app"));
    // The ids before are nobody's now.
    web.cookie = Some(owing);
    assert_eq!(web.get("/").await.location, "/sign-in");
    web.cookie = Some(full);
    web.get("/").await;
    let out = web.post("/sign-out", &[]).await;
    assert!(out.set_cookie.unwrap().contains("Max-Age=0"));
    assert_eq!(web.get("/").await.location, "/sign-in");
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_keeps_somebody_out_looks_alike() {
    let house = PortalHouse::opens().await;
    let blocked = ResolvedUser::new("carol");
    house.store().block_user(&blocked, "left".to_owned()).await.unwrap();
    let mut pages = Vec::new();
    for (name, password) in [
        ("alice", "wrong"),
        ("nobody", "wrong"),
        ("carol", "pw of carol"),
        ("alice", ""),
        ("a@b@c", "x"),
        ("host/pc", "x"),
        ("<script>", "x"),
    ] {
        let mut web = house.web();
        let page = web.password(name, password).await;
        assert_eq!(page.status, 422, "{name}");
        assert!(!page.body.contains("<script>\""), "{name}");
        pages.push(bare(&page.body));
    }
    assert!(pages.iter().all(|page| *page == pages[0]), "{pages:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn too_many_passwords_are_not_looked_at_any_more() {
    let house = PortalHouse::opens().await;
    for _ in 0..5 {
        assert_eq!(house.web().password("alice", "wrong").await.status, 422);
    }
    assert_eq!(house.web().password("alice", "pw of alice").await.status, 422, "the sixth is right, and not looked at");
    assert_eq!(house.web().password("carol", "pw of carol").await.location, "/sign-in/second");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_form_counts_only_from_a_page_of_ours_that_this_browser_was_shown() {
    let house = PortalHouse::opens().await;
    let mut web = house.web();
    // No page was shown at all.
    assert_eq!(web.post("/sign-in", &[("name", "alice"), ("password", "pw of alice")]).await.status, 403);
    let mut alice = house.alice().await;
    alice.get("/").await;
    let csrf = alice.csrf.clone();
    for (header, value) in
        [("sec-fetch-site", "cross-site"), ("sec-fetch-site", "same-site"), ("origin", "https://evil.example")]
    {
        alice.headers = vec![(header, value.to_owned())];
        assert_eq!(alice.post("/language", &[("language", "de")]).await.status, 403, "{header}: {value}");
    }
    alice.headers.clear();
    for forged in ["", "x", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"] {
        assert_eq!(alice.post_as_is("/language", &[("language", "de"), ("csrf", forged)]).await.status, 403);
    }
    // Another browser's token.
    let mut other = house.web();
    other.get("/sign-in").await;
    let strange = other.csrf.clone();
    assert_eq!(alice.post_as_is("/language", &[("language", "de"), ("csrf", &strange)]).await.status, 403);
    assert_eq!(alice.get("/language").await.status, 405, "no GET changes anything");
    assert_eq!(house.store().choices(&ResolvedUser::new("alice")).await.unwrap().language, None);
    assert_eq!(alice.post_as_is("/language", &[("language", "de"), ("csrf", &csrf)]).await.location, "/?done=saved");
    assert!(alice.get("/").await.body.contains("lang=\"de\""));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cookie_and_a_page_are_kept_from_others() {
    let house = PortalHouse::opens().await;
    let mut web = house.web();
    let page = web.get("/sign-in").await;
    let cookie = page.set_cookie.unwrap();
    for part in ["; HttpOnly", "; SameSite=Lax", "; Path=/"] {
        assert!(cookie.contains(part), "{cookie}");
    }
    assert!(!cookie.contains("Domain"), "{cookie}");
    assert_eq!(page.headers["cache-control"], "no-store");
    assert!(page.headers["content-security-policy"].to_str().unwrap().contains("frame-ancestors 'none'"));
    assert!(!page.body.contains("style=") && !page.body.contains("onclick") && !page.body.contains("<style"));
    // Nothing leads out of here.
    let mut alice = house.alice().await;
    for then in ["//evil.example", "https://evil.example", "/\\evil.example"] {
        let sent = alice.get(&format!("/sign-in/second?then={then}")).await;
        assert_eq!(sent.location, "/", "{then}");
    }
    // A body that is too long is not read.
    let long = "x".repeat(20_000);
    assert_eq!(alice.post("/language", &[("language", &long)]).await.status, 413);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_activation_code_opens_a_first_enrolment_that_makes_one_method_and_nothing_else() {
    let house = PortalHouse::opens().await;
    let mut carol = house.web();
    carol.password("carol", "pw of carol").await;
    carol.get("/sign-in/second").await;
    assert_eq!(carol.post("/sign-in/activation", &[("activation", "0000-0000")]).await.status, 422);
    let code = house.code_for("carol").await;
    assert_eq!(carol.post("/sign-in/activation", &[("activation", &code.to_uppercase())]).await.location, "/");
    let first = carol.get("/").await;
    assert!(first.body.contains("Set up your second factor"));
    for path in ["/pin", "/recovery", "/logins"] {
        assert_eq!(carol.get(path).await.location, "/sign-in", "{path}");
    }
    let page = carol.get("/app").await;
    let secret = page.body.split("class=\"secret\">").nth(1).unwrap().split('<').next().unwrap().replace(' ', "");
    let octets = data_encoding::BASE32_NOPAD.decode(secret.as_bytes()).unwrap();
    assert_eq!(octets.len(), 20);
    assert_eq!(carol.post("/app", &[("code", "000000")]).await.status, 422);
    assert!(house.tokens("carol").await.is_empty(), "no token before the right code");
    assert!(carol.get("/app").await.body.contains(&page.body.split("class=\"secret\">").nth(1).unwrap()[..39]));
    let right = oath::totp(&octets);
    let done = carol.post("/app", &[("code", &right), ("label", "My phone <b>")]).await;
    assert_eq!(done.location, "/?done=method-added");
    let home = carol.get("/").await;
    assert!(home.body.contains("My phone &#60;b&#62;"), "{}", home.body);
    // The code that confirmed is used up, and the activation code, too.
    let mut again = house.web();
    again.password("carol", "pw of carol").await;
    assert_eq!(again.code(&right).await.status, 422);
    again.get("/sign-in/second").await;
    assert_eq!(again.post("/sign-in/activation", &[("activation", &code)]).await.status, 422);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trusted_network_needs_no_code_and_only_once_in_a_life() {
    let anchors = "first_enrolment = [{ network = [\"10.0.0.0/8\"] }]\n";
    let house = PortalHouse::of(with_portal_behind_a_proxy(&format!("{USUAL}{anchors}"))).await;
    let from = |address: &str| vec![("x-forwarded-for", address.to_owned())];
    let mut carol = house.web();
    carol.headers = from("10.1.2.3, 203.0.113.9");
    let cookie = carol.get("/sign-in").await.set_cookie.unwrap();
    assert!(cookie.starts_with("__Host-vestibule=") && cookie.contains("; Secure"), "{cookie}");
    carol.password("carol", "pw of carol").await;
    assert!(!carol.get("/sign-in/second").await.body.contains("/sign-in/network"));
    assert_eq!(carol.post("/sign-in/network", &[]).await.status, 403, "a stranger outside");
    // Through somebody inside who is no named proxy, in all the ways in which that shows.
    carol.headers = from("203.0.113.9, 10.1.2.3");
    assert!(!carol.get("/sign-in/second").await.body.contains("/sign-in/network"));
    for (name, value) in
        [("forwarded", "for=unknown, for=10.1.2.3"), ("x-client-ip", "203.0.113.9"), ("via", "1.1 a, 1.1 b")]
    {
        carol.headers = from("10.1.2.3");
        carol.headers.push((name, value.to_owned()));
        assert_eq!(carol.post("/sign-in/network", &[]).await.status, 403, "{name}: {value}");
    }
    carol.headers = from("10.1.2.4, 10.1.2.3");
    assert!(carol.get("/sign-in/second").await.body.contains("/sign-in/network"));
    assert_eq!(carol.post("/sign-in/network", &[]).await.location, "/");
    assert!(carol.get("/").await.body.contains("Set up your second factor"));
    // Alice has a method: the network is no way around it.
    let mut alice = house.web();
    alice.headers = from("10.1.2.3");
    alice.password("alice", "pw of alice").await;
    alice.get("/sign-in/second").await;
    assert_eq!(alice.post("/sign-in/network", &[]).await.status, 403);
}

#[tokio::test(flavor = "multi_thread")]
async fn somebody_outside_is_not_inside_through_a_proxy_that_nobody_named() {
    let anchors = "first_enrolment = [{ network = [\"127.0.0.0/8\"] }]\n";
    let house = PortalHouse::of(with_portal_behind("10.0.0.2", &format!("{USUAL}{anchors}"))).await;
    let mut carol = house.web();
    carol.password("carol", "pw of carol").await;
    for (name, value) in [
        ("x-forwarded-for", "203.0.113.9"),
        ("x-forwarded-for", "203.0.113.9, 127.0.0.9"),
        ("forwarded", "for=_hidden"),
        ("x-real-ip", "203.0.113.9"),
        ("true-client-ip", "203.0.113.9"),
        ("via", "1.1 squid"),
    ] {
        carol.headers = vec![(name, value.to_owned())];
        assert!(!carol.get("/sign-in/second").await.body.contains("/sign-in/network"), "{name}: {value}");
        assert_eq!(carol.post("/sign-in/network", &[]).await.status, 403, "{name}: {value}");
    }
    // What vouches for her says nothing that only a named proxy may: she is where her own socket is.
    carol.headers = vec![("x-forwarded-for", "127.0.0.9".to_owned())];
    assert!(carol.get("/sign-in/second").await.body.contains("/sign-in/network"));
    carol.headers.clear();
    assert_eq!(carol.post("/sign-in/network", &[]).await.location, "/");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_that_a_proxy_left_unsaid_is_nobodys_known_station() {
    let house = PortalHouse::of(with_portal_behind_a_proxy(USUAL)).await;
    for (said, station, known) in [("unknown", "0.0.0.0", false), ("203.0.113.9", "203.0.113.9", true)] {
        let mut alice = house.web();
        alice.headers = vec![("x-forwarded-for", said.to_owned())];
        alice.password("alice", "pw of alice").await;
        let code =
            if known { oath::hotp(&seed("alice"), oath::unix_now() / 30 + 1) } else { oath::totp(&seed("alice")) };
        assert_eq!(alice.code(&code).await.location, "/", "{said}");
        let (station, at) = (login::Station::new(station.as_bytes()), Clock::begin().moment().wall);
        let limits = login::limits::Limits::default();
        let facts = house.store().user_facts(&ResolvedUser::new("alice"), Some(&station), at, &limits).await.unwrap();
        assert_eq!(facts.station_known, known, "{said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_codes_count_where_radius_counts_them() {
    let house = PortalHouse::opens().await;
    let mut web = house.web();
    web.password("alice", "pw of alice").await;
    for wrong in ["000001", "000002", "000003", "000004"] {
        assert_eq!(web.code(wrong).await.status, 422);
    }
    // Recovery codes count in the same bucket.
    assert_eq!(web.code("abcde-fghjk").await.status, 422);
    let locked = web.code(&oath::totp(&seed("alice"))).await;
    assert!(locked.body.contains("Codes are off for a while"), "{}", locked.body);
    let user = house.store().show_user(&ResolvedUser::new("alice")).await.unwrap().unwrap();
    assert_eq!(user.codes.failures, 5);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_users_may_not_do_is_not_on_a_page_and_its_route_says_who_helps() {
    for (word, path, link) in [
        ("enrol", "/app", "href=\"/app\""),
        ("activate_app", "/phones/new", "href=\"/phones/new\""),
        ("assign_token", "/hardware", "href=\"/hardware\""),
    ] {
        for on in [true, false] {
            let all = ["enrol", "select_method", "activate_app", "assign_token"];
            let may: Vec<String> =
                all.iter().filter(|one| on || **one != word).map(|one| format!("\"{one}\"")).collect();
            let lines = format!("help_desk = \"Desk 42\"\nusers_may = [{}]\n", may.join(", "));
            let house = PortalHouse::of(with_portal(&lines)).await;
            let mut alice = house.alice().await;
            assert_eq!(alice.get("/").await.body.contains(link), on, "{word}");
            let page = alice.get(path).await;
            assert_eq!(page.status, if on { 200 } else { 403 }, "{path}");
            let posted = alice.post(path, &[]).await;
            assert_eq!(posted.status == 403, !on, "{path}: {}", posted.status);
            assert!(on || (page.body.contains("Desk 42") && posted.body.contains("Desk 42")));
        }
    }
    let lines = "users_may = [\"enrol\"]\n";
    let house = PortalHouse::of(with_portal(lines)).await;
    let mut alice = house.alice().await;
    alice.get("/").await;
    assert_eq!(alice.post("/method", &[("method", "totp")]).await.status, 403);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_is_mailed_written_down_and_ends_the_other_sessions() {
    let (plan, url) = with_portal(USUAL);
    let mail = "[mail]\nsmtp = \"smtp://127.0.0.1:9\"\nallow_plain = true\nfrom = \"mfa@example.com\"\n";
    let house = PortalHouse::of((plan.and(mail).mail("alice", "alice@example.com"), url)).await;
    let mut other = house.alice().await;
    let mut alice = house.web();
    alice.password("alice", "pw of alice").await;
    assert_eq!(alice.code(&house.fresh_code_of_alice().await).await.location, "/");
    alice.get("/pin").await;
    let before = alice.cookie.clone();
    alice.post("/pin", &[("pin", "837264"), ("again", "837264")]).await;
    assert_ne!(alice.cookie, before);
    assert_eq!(alice.get("/").await.status, 200);
    assert_eq!(other.get("/").await.location, "/sign-in");
    let letters = house.store().due_letters(login::Wall::NEVER, 10).await.unwrap();
    let texts: Vec<String> =
        letters.iter().map(|letter| String::from_utf8_lossy(letter.text.expose()).into_owned()).collect();
    assert!(texts.iter().any(|text| text.contains("pin_changed") && text.contains("alice@example.com")), "{texts:?}");
    let acts = house.store().acts_on(&ResolvedUser::new("alice"), 5).await.unwrap();
    assert!(acts[0].json.contains("set_pin") && acts[0].json.contains("127."), "{}", acts[0].json);
}

#[tokio::test(flavor = "multi_thread")]
async fn recovery_codes_are_shown_once_work_once_and_old_ones_die() {
    let house = PortalHouse::opens().await;
    let mut alice = house.alice().await;
    alice.get("/recovery").await;
    let made = alice.post("/recovery", &[]).await;
    let codes: Vec<String> =
        made.body.split("<li>").skip(1).map(|rest| rest.split('<').next().unwrap().to_owned()).collect();
    assert_eq!(codes.len(), 10);
    assert!(!alice.get("/recovery").await.body.contains(&codes[0]));
    let mut lost = house.web();
    lost.password("alice", "pw of alice").await;
    assert_eq!(lost.code(&codes[0].to_uppercase()).await.location, "/");
    let mut again = house.web();
    again.password("alice", "pw of alice").await;
    assert_eq!(again.code(&codes[0]).await.status, 422);
    lost.get("/recovery").await;
    lost.post("/recovery", &[]).await;
    // The other sessions ended with the change.
    assert_eq!(again.get("/sign-in/second").await.location, "/sign-in");
    again.password("alice", "pw of alice").await;
    assert_eq!(again.code(&codes[1]).await.status, 422, "the old ones are dead");
    assert_eq!(alice.get("/").await.location, "/sign-in");
    let acts = house.store().acts_on(&ResolvedUser::new("alice"), 20).await.unwrap();
    assert!(acts.iter().any(|act| act.json.contains("make_recovery_codes")));
    assert!(acts.iter().any(|act| act.json.contains("use_recovery_code")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_weak_pin_is_refused_and_a_good_one_is_kept() {
    let house = PortalHouse::of(with_portal_and_pins(USUAL)).await;
    let mut alice = house.alice().await;
    assert!(alice.get("/").await.body.contains("You have no PIN yet"));
    alice.get("/pin").await;
    for (pin, again, said) in [
        ("123456", "123456", "Too easy to guess"),
        ("19", "19", "at least 6 digits"),
        ("abcdef", "abcdef", "digits only"),
        ("837264", "837265", "not the same"),
    ] {
        let page = alice.post("/pin", &[("pin", pin), ("again", again)]).await;
        assert!(page.status == 422 && page.body.contains(said), "{pin}: {}", page.body);
        assert!(!page.body.contains(&format!("value=\"{pin}\"")), "a PIN never comes back");
    }
    assert_eq!(alice.post("/pin", &[("pin", "837264"), ("again", "837264")]).await.location, "/?done=pin-set");
    let at = ::vestibule::engine::Clock::begin().moment().wall;
    assert!(house.store().pin(&ResolvedUser::new("alice"), at).await.unwrap().is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn where_each_phone_is_asked_for_a_pin_no_app_that_takes_none_is_offered_and_who_has_it_is_told() {
    let house = PortalHouse::of(with_portal_and_pins(USUAL)).await;
    let (store, at) = (house.store(), Clock::begin().moment().wall);
    let new = NewActivation {
        user: ResolvedUser::new("alice"),
        channel: Channel::PrivacyIdea,
        label: None,
        code: Secret::new("code"),
        server_key: None,
        lasts: Duration::from_secs(600),
        needs_test: false,
        devices_max: 5,
    };
    let device = store.begin_activation(new, at).await.unwrap();
    let key = PhoneKey { spki: vec![1; 91], subscription: None, agent: None, label: None };
    store.bring_key(&device, &Secret::new("code"), key, at).await.unwrap();
    let mut alice = house.alice().await;
    assert!(alice.get("/").await.body.contains("take this site’s PIN"));
    let offers = alice.get("/phones/new").await.body;
    assert!(offers.contains("value=\"page\"") && !offers.contains("value=\"store\""), "{offers}");
    assert_eq!(alice.post("/phones/new", &[("kind", "store")]).await.status, 403);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_last_method_is_removed_only_when_its_user_says_so_twice() {
    let house = PortalHouse::opens().await;
    let mut alice = house.alice().await;
    let token = house.tokens("alice").await[0].token.id.0.to_string();
    let path = format!("/tokens/{token}/remove");
    assert!(alice.get(&path).await.body.contains("your last one"));
    assert_eq!(alice.post(&path, &[]).await.status, 422);
    assert_eq!(house.tokens("alice").await.len(), 1);
    // Somebody else's is nobody's.
    let mut carol = house.web();
    carol.password("carol", "pw of carol").await;
    carol.get("/sign-in/second").await;
    let code = house.code_for("carol").await;
    carol.post("/sign-in/activation", &[("activation", &code)]).await;
    carol.get("/app").await;
    assert_eq!(carol.post(&path, &[("sure", "yes")]).await.location, "/sign-in");
    assert_eq!(house.tokens("alice").await.len(), 1);
    assert_eq!(alice.post(&path, &[("sure", "yes")]).await.location, "/?done=method-removed");
    assert!(house.tokens("alice").await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hardware_token_is_added_by_its_secret_and_a_code() {
    let house = PortalHouse::opens().await;
    let mut alice = house.alice().await;
    alice.get("/hardware").await;
    let secret = data_encoding::BASE32_NOPAD.encode(&seed("token"));
    let bad = alice.post("/hardware", &[("secret", "1!"), ("kind", "hotp"), ("code", "123456")]).await;
    assert!(bad.body.contains("no secret of a token"));
    let wrong = alice.post("/hardware", &[("secret", &secret), ("kind", "hotp"), ("code", "000000")]).await;
    assert!(wrong.body.contains("fit the secret") && !wrong.body.contains(&secret), "{}", wrong.body);
    let code = oath::hotp(&seed("token"), 3);
    let done = alice.post("/hardware", &[("secret", &secret), ("kind", "hotp"), ("code", &code)]).await;
    assert_eq!(done.location, "/?done=method-added");
    let counters: Vec<u64> = house.tokens("alice").await.iter().map(|token| token.counter).collect();
    assert!(counters.contains(&4), "the code that confirmed is used up: {counters:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_phone_lets_in_only_the_session_that_rang() {
    let phone = Phone::new();
    let (plan, url) = with_portal(USUAL);
    let plan = plan.calling("dave", &phone).password("dave", "pw of dave");
    let house = PortalHouse::of((plan.and(""), url)).await;
    let (mut dave, mut thief) = (house.web(), house.web());
    dave.password("dave", "pw of dave").await;
    thief.password("dave", "pw of dave").await;
    dave.get("/sign-in/second").await;
    thief.get("/sign-in/second").await;
    let rung = dave.post("/sign-in/ring", &[("then", "/")]).await;
    assert_eq!(rung.status, 303, "{}", rung.body);
    let path = rung.location.split('?').next().unwrap().to_owned();
    assert!(thief.post("/sign-in/ring", &[("then", "/")]).await.body.contains("Another login waits"));
    let hint = phone.rings().await;
    assert_eq!(dave.get(&format!("{path}/stands")).await.body, "waits");
    assert_eq!(dave.post(&path, &[("then", "/")]).await.location, rung.location, "not before the phone said yes");
    house.house.presses(&hint, PhoneAnswer::Approve).await;
    assert_eq!(dave.get(&format!("{path}/stands")).await.body, "approved");
    assert_eq!(thief.get(&format!("{path}/stands")).await.body, "ended");
    thief.get("/sign-in/second").await;
    assert_ne!(thief.post(&path, &[("then", "/")]).await.location, "/");
    assert_eq!(dave.get("/").await.location, "/sign-in/second", "a GET lets nobody in");
    assert!(dave.get(&path).await.body.contains("Your phone said yes"));
    assert_eq!(dave.post(&path, &[("then", "/")]).await.location, "/");
    assert_eq!(dave.get("/").await.status, 200);
    // Its yes was used.
    assert_eq!(dave.get(&format!("{path}/stands")).await.body, "ended");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_login_that_was_not_theirs_is_reported_and_nobody_gets_in_any_more() {
    let house = PortalHouse::opens().await;
    let vpn = house.house.appliance().await;
    vpn.ask(&Ask::login("alice", "wrong").stationed("203.0.113.9")).await;
    house.house.records(1).await;
    let mut alice = house.alice().await;
    let home = alice.get("/").await;
    assert!(home.body.contains("Denied:") && home.body.contains("wrong password"), "{}", home.body);
    assert!(home.body.contains("from 203.0.113.9"), "{}", home.body);
    let path = home.body.split("href=\"/logins/").nth(1).unwrap().split('"').next().unwrap().to_owned();
    let path = format!("/logins/{path}");
    assert!(alice.get(&path).await.body.contains("Your account is locked at once"));
    let reported = alice.post(&path, &[]).await;
    assert!(reported.body.contains("Thank you for telling us") && reported.body.contains("0800 1234"));
    assert_eq!(alice.get("/").await.location, "/sign-in");
    let user = house.store().show_user(&ResolvedUser::new("alice")).await.unwrap().unwrap();
    assert!(user.blocked.unwrap().contains("reported by the user"));
    assert_eq!(house.web().password("alice", "pw of alice").await.status, 422);
    until("the act", async || {
        let acts = house.store().acts_on(&ResolvedUser::new("alice"), 5).await.unwrap();
        acts.iter().any(|act| act.json.contains("report_login")).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn after_ten_minutes_a_change_asks_for_the_factor_again_and_looking_does_not() {
    let house = PortalHouse::opens().await;
    let mut alice = house.alice().await;
    house.ages(&mut alice, Duration::from_secs(11 * 60)).await;
    assert_eq!(alice.get("/").await.status, 200);
    assert_eq!(alice.get("/logins").await.status, 200);
    for path in ["/app", "/phones/new", "/hardware", "/pin", "/recovery"] {
        assert_eq!(alice.get(path).await.location, format!("/sign-in/second?then={path}"));
        assert_eq!(alice.post(path, &[]).await.location, format!("/sign-in/second?then={path}"));
    }
    let asked = alice.get("/sign-in/second?then=/recovery").await;
    assert!(asked.body.contains("Prove once more that it is you"), "{}", asked.body);
    let code = house.fresh_code_of_alice().await;
    let proved = alice.post("/sign-in/code", &[("code", &code), ("then", "/recovery")]).await;
    assert_eq!(proved.location, "/recovery", "{}", proved.body);
    assert_eq!(alice.get("/recovery").await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_ends_when_it_is_idle() {
    let house = PortalHouse::of(with_portal(&format!("{USUAL}session_idle = \"5m\"\n"))).await;
    let mut alice = house.alice().await;
    house.ages(&mut alice, Duration::from_secs(6 * 60)).await;
    assert_eq!(alice.get("/").await.location, "/sign-in");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mailed_code_opens_a_first_enrolment_where_the_site_allows_it() {
    let (plan, url) = with_portal(&format!("{USUAL}first_enrolment = [\"mail_code\"]\n"));
    let mail =
        "[mail]\nsmtp = \"smtp://127.0.0.1:9\"\nallow_plain = true\nfrom = \"mfa@example.com\"\nmail_code = true\n";
    let house = PortalHouse::of((plan.and(mail).mail("carol", "carol@example.com"), url)).await;
    let mut carol = house.web();
    carol.password("carol", "pw of carol").await;
    let page = carol.get("/sign-in/second").await;
    assert!(page.body.contains("Send me a code by mail") && !page.body.contains("carol@example.com"));
    assert_eq!(carol.post("/sign-in/mail", &[]).await.location, "/sign-in/second?said=mailed");
    let letters = house.store().due_letters(login::Wall::NEVER, 10).await.unwrap();
    let letter: serde_json::Value = serde_json::from_slice(letters[0].text.expose()).unwrap();
    let code = letter["kind"]["code"]["code"].as_str().unwrap().to_owned();
    carol.get("/sign-in/second?said=mailed").await;
    // An admin's code is no anchor here.
    let admins = house.code_for("carol").await;
    assert_eq!(carol.post("/sign-in/activation", &[("activation", &admins)]).await.status, 422);
    assert_eq!(carol.post("/sign-in/activation", &[("activation", &code)]).await.location, "/");
    assert!(carol.get("/").await.body.contains("Set up your second factor"));
    // Who has a method gets none.
    let mut alice = house.web();
    alice.password("alice", "pw of alice").await;
    assert!(!alice.get("/sign-in/second").await.body.contains("/sign-in/mail"));
    alice.post("/sign-in/mail", &[]).await;
    assert_eq!(house.store().due_letters(login::Wall::NEVER, 10).await.unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_phone_s_no_lets_nobody_in() {
    let phone = Phone::new();
    let (plan, url) = with_portal(USUAL);
    let house = PortalHouse::of((plan.calling("dave", &phone).password("dave", "pw of dave"), url)).await;
    let mut dave = house.web();
    dave.password("dave", "pw of dave").await;
    dave.get("/sign-in/second").await;
    let path = dave.post("/sign-in/ring", &[("then", "/")]).await.location.split('?').next().unwrap().to_owned();
    let hint = phone.rings().await;
    house.house.presses(&hint, PhoneAnswer::Approve).await;
    house.house.presses(&hint, PhoneAnswer::Deny).await;
    assert!(dave.get(&path).await.body.contains("No answer came from your phone"));
    dave.get("/sign-in/second").await;
    assert_ne!(dave.post(&path, &[("then", "/")]).await.location, "/");
    assert_eq!(dave.get("/").await.location, "/sign-in/second");
    // Rules D2: quiet after a denial.
    dave.get("/sign-in/second").await;
    assert!(dave.post("/sign-in/ring", &[("then", "/")]).await.body.contains("not asked for another"));
}
