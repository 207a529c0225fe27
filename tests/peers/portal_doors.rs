//! What the pages must never do, tried over HTTP as somebody would who means harm: the staff's routes from the portal, guesses
//! without end, names to be told apart, headers to be split, what is switched off, acts that nobody could find.

use std::time::Duration;

use ::vestibule::store::{Channel, NewWebSession, WebRealm, WebStep};
use data_encoding::BASE64URL_NOPAD;
use login::{GroupName, ResolvedUser};
use sha2::{Digest, Sha256};

use crate::harness::oath::{self, seed};
use crate::harness::portal_house::{PortalHouse, USUAL, with_portal, with_portal_and_pins, with_portal_behind_a_proxy};
use crate::harness::radius::{ACCEPT, Ask, CHALLENGE, REJECT};
use crate::harness::vestibule::sum_of;
use crate::harness::web::{Page, Web};
use crate::harness::{at, until};

const PORTAL_SOURCES: [&str; 15] = [
    include_str!("../../src/portal/app.rs"),
    include_str!("../../src/portal/choose.rs"),
    include_str!("../../src/portal/hardware.rs"),
    include_str!("../../src/portal/home.rs"),
    include_str!("../../src/portal/logins.rs"),
    include_str!("../../src/portal/password.rs"),
    include_str!("../../src/portal/phones.rs"),
    include_str!("../../src/portal/pin.rs"),
    include_str!("../../src/portal/recovery.rs"),
    include_str!("../../src/portal/remove.rs"),
    include_str!("../../src/portal/testing.rs"),
    include_str!("../../src/portal/tokens.rs"),
    include_str!("../../src/phone/shell.rs"),
    include_str!("../../src/phone/service/mod.rs"),
    include_str!("../../src/portal/mod.rs"),
];
const ADMIN_SOURCE: &str = include_str!("../../src/admin/mod.rs");
/// Both listeners have these.
const SHARED: [&str; 1] = ["/"];

/// Every path that stands in a `.route(`, with something in place of what it captures.
fn routes(source: &str) -> Vec<String> {
    let paths = source.split(".route(\"").skip(1).map(|rest| rest.split('"').next().unwrap());
    let filled =
        paths.map(|path| path.replace("{deed}", "block").replace("{id}", "d-abc").replace("{prompt}", &"0".repeat(32)));
    filled.filter(|path| !SHARED.contains(&path.as_str())).collect()
}

/// A session that is open already, at whichever pages.
async fn opened(house: &PortalHouse, base: &str, name: &str, realm: WebRealm) -> Web {
    let (user, octets): (_, [u8; 32]) = (ResolvedUser::new(name), rand::random());
    let now = house.house.server.clock().moment().wall;
    let session = NewWebSession {
        id: Sha256::digest(octets).into(),
        user,
        realm,
        step: WebStep::Full,
        address: [127, 0, 0, 1].into(),
        agent: None,
        ends_at: now.plus(Duration::from_secs(600)),
    };
    house.store().open_web_session(session, now).await.unwrap();
    let mut web = Web::new(base);
    let cookie = if realm == WebRealm::Admin { "vestibule-staff" } else { "vestibule" };
    web.cookie = Some(format!("{cookie}={}", BASE64URL_NOPAD.encode(&octets)));
    web
}

#[tokio::test(flavor = "multi_thread")]
async fn neither_listener_has_the_others_routes_nor_serves_its_sessions_nor_the_demos_shortcuts() {
    let (plan, url) = with_portal(USUAL);
    let admin =
        format!("[admin]\nlisten = \"{}\"\nsign_in = \"local\"\nroles = {{ admin = [\"VPN Admins\"] }}\n", at(18444));
    let house = PortalHouse::of((plan.and(&admin), url)).await;
    house.store().add_groups(&ResolvedUser::new("alice"), vec![GroupName::folded("VPN Admins")]).await.unwrap();
    let staff_url = format!("http://{}", house.house.server.admin().unwrap());
    let mut user = opened(&house, &house.url, "alice", WebRealm::Portal).await;
    let mut staff = opened(&house, &staff_url, "alice", WebRealm::Admin).await;
    assert_eq!((user.get("/").await.status, staff.get("/users").await.status), (200, 200));
    let demo = include_str!("../../src/cli/demo/page.rs");
    let demo = demo.split("&at(\"").skip(1).map(|rest| format!("/{}", rest.split('"').next().unwrap()));
    let demo: Vec<String> = demo.filter(|path| path.len() > 1).collect();
    let (theirs, ours) =
        (routes(ADMIN_SOURCE), PORTAL_SOURCES.iter().flat_map(|source| routes(source)).collect::<Vec<_>>());
    assert!(theirs.len() >= 6 && ours.len() >= 20 && demo.len() >= 5, "{theirs:?} {ours:?} {demo:?}");
    for path in theirs.iter().chain(&demo) {
        assert_eq!(user.get(path).await.status, 404, "the portal has {path}");
        assert_eq!(user.post(path, &[("name", "carol"), ("reason", "x"), ("sure", "yes")]).await.status, 404, "{path}");
    }
    for path in ours.iter().chain(&demo) {
        assert_eq!(staff.get(path).await.status, 404, "the staff's pages have {path}");
        assert_eq!(staff.post(path, &[]).await.status, 404, "{path}");
    }
    // A cookie of one is nobody at the other, under either name.
    let swapped =
        |web: &Web, name: &str| Some(format!("{name}={}", web.cookie.as_ref().unwrap().split_once('=').unwrap().1));
    let (of_user, of_staff) = (swapped(&user, "vestibule-staff"), swapped(&staff, "vestibule"));
    (user.cookie, staff.cookie) = (of_staff, of_user);
    assert_eq!(user.get("/").await.location, "/sign-in");
    assert_eq!(staff.get("/users").await.location, "/sign-in");
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_codes_in_the_portal_turn_codes_off_at_the_vpn() {
    let house = PortalHouse::opens().await;
    let mut web = house.web();
    web.password("alice", "pw of alice").await;
    for wrong in ["000001", "000002", "000003", "000004", "000005"] {
        assert_eq!(web.code(wrong).await.status, 422);
    }
    let vpn = house.house.appliance().await;
    let challenge = vpn.ask(&Ask::login("alice", "pw of alice").stationed("203.0.113.9")).await;
    let right = oath::totp(&seed("alice"));
    let answer = match challenge.code {
        CHALLENGE => vpn.ask(&Ask::login("alice", &right).stationed("203.0.113.9").answering(&challenge)).await,
        _ => challenge,
    };
    assert_eq!(answer.code, REJECT);
    let user = house.store().show_user(&ResolvedUser::new("alice")).await.unwrap().unwrap();
    assert_eq!(user.codes.failures, 5, "one row of tries for both");
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_codes_at_the_vpn_turn_codes_off_in_the_portal() {
    let house = PortalHouse::opens().await;
    let vpn = house.house.appliance().await;
    // A login has three tries, so two of them; strangers' places count together (rules D1).
    for (station, tries) in
        [("203.0.113.9", ["000001", "000002", "000003"]), ("203.0.113.10", ["000004", "000005", ""])]
    {
        let mut last = vpn.ask(&Ask::login("alice", "pw of alice").stationed(station)).await;
        for wrong in tries.into_iter().filter(|wrong| !wrong.is_empty()) {
            assert_eq!(last.code, CHALLENGE, "{wrong}");
            last = vpn.ask(&Ask::login("alice", wrong).stationed(station).answering(&last)).await;
            assert_ne!(last.code, ACCEPT);
        }
    }
    let mut web = house.web();
    web.password("alice", "pw of alice").await;
    let locked = web.code(&oath::totp(&seed("alice"))).await;
    assert!(locked.status == 422 && locked.body.contains("Codes are off for a while"), "{}", locked.body);
}

/// All of an answer but what is random or a clock's.
fn bare(page: &Page) -> String {
    let mut parts = page.body.split("value=\"");
    let mut body = parts.next().unwrap_or_default().to_owned();
    parts.for_each(|part| body += part.split_once('"').map_or(part, |(_, rest)| rest));
    let headers = page.headers.iter().filter(|(name, _)| !matches!(name.as_str(), "date" | "set-cookie"));
    let headers: Vec<String> = headers.map(|(name, value)| format!("{name}: {value:?}")).collect();
    format!("{} {} {}\n{}\n{body}", page.status, page.location, page.set_cookie.is_some(), headers.join("\n"))
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_is_kept_out_gets_the_same_octets_and_no_sooner_than_others() {
    let (plan, url) = with_portal(USUAL);
    let plan = plan.password("blake", "pw of blake").refusing_after("1s");
    let house = PortalHouse::of((plan, url)).await;
    house.store().block_user(&ResolvedUser::new("blake"), "left".to_owned()).await.unwrap();
    for name in ["alice", "carol"] {
        // Alice is enrolled and Carol is not: the right password of both goes on, to pages of their own.
        assert_eq!(house.web().password(name, &format!("pw of {name}")).await.location, "/sign-in/second");
    }
    let mut answers = Vec::new();
    for (name, password) in [
        ("nobdy", "pw of alice"),
        ("alice", "pw of bobby"),
        ("carol", "pw of bobby"),
        ("blake", "pw of blake"),
        ("blake", "pw of bobby"),
    ] {
        let mut web = house.web();
        web.get("/sign-in").await;
        let (clock, began) = (house.house.server.clock(), house.house.server.clock().tick());
        let page = web.post("/sign-in", &[("name", name), ("password", password)]).await;
        // Rules D6: the one delay, jittered by a fifth, whatever was known how soon.
        let took = clock.tick().since(began);
        assert!(took >= Duration::from_millis(800), "{name} was told after {took:?}");
        assert_eq!(page.status, 422);
        answers.push(bare(&page));
    }
    assert!(answers.iter().all(|answer| *answer == answers[0]), "{answers:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_is_refused_holds_no_place_while_the_refusal_waits_and_every_malformed_try_counts() {
    let (plan, url) = with_portal(USUAL);
    let house = PortalHouse::of((plan.refusing_after("5s"), url)).await;
    let (mut crowd, clock) = (tokio::task::JoinSet::new(), house.house.server.clock());
    for last in [2, 3] {
        let mut one = Web::from(&house.url, [127, 0, 0, last]);
        one.get("/sign-in").await;
        for _ in 0..150 {
            let mut twin = one.twin();
            crowd.spawn(async move {
                let began = clock.tick();
                let status = twin.post("/sign-in", &[("name", "alice"), ("password", "")]).await.status;
                (status, clock.tick().since(began))
            });
        }
    }
    // They wait now, unless this machine took seconds to take them all.
    let tried = async |result: &str| house.house.site.metric("vestibule_sign_ins_total", &[result]).await;
    house.house.site.counts("vestibule_sign_ins_total", &[], 300.0).await;
    assert_eq!(house.web().password("alice", "pw of alice").await.location, "/sign-in/second");
    // Thirty of each address were looked at, and one more each 20 s; the others count for it, too, so that a right password waits there.
    let (refused, throttled) = (tried("result=\"refused\"").await, tried("result=\"throttled\"").await);
    assert!((60.0..=66.0).contains(&refused) && refused + throttled == 300.0, "{refused} and {throttled}");
    let mut same = Web::from(&house.url, [127, 0, 0, 2]);
    assert_eq!(same.password("alice", "pw of alice").await.status, 422);
    for (status, took) in crowd.join_all().await {
        assert_eq!(status, 422, "it looks like any other refusal");
        assert!(took >= Duration::from_secs(4), "none of the three hundred is told before its time: {took:?}");
    }
}

/// Of this program, in octets.
fn resident(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches("kB").trim().parse::<u64>().unwrap() << 10
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_of_passwords_at_the_portal_refuses_none_at_the_vpn_and_keeps_no_more_memory_than_its_threads_need() {
    let (plan, url) = with_portal(USUAL);
    let program = plan.start_program().await;
    let vpn = program.appliance().await;
    let idle = resident(program.child.id());
    let mut crowd = tokio::task::JoinSet::new();
    for last in 2..66 {
        let mut one = Web::from(&url, [127, 0, 0, last]);
        crowd.spawn(async move {
            one.get("/sign-in").await;
            let mut tries = tokio::task::JoinSet::new();
            for number in 0..6 {
                let (mut twin, name) = (one.twin(), format!("name-{number}-{last}"));
                tries.spawn(async move { twin.post("/sign-in", &[("name", &name), ("password", "a guess")]).await });
            }
            tries.join_all().await.into_iter().map(|page| page.status).collect::<Vec<u16>>()
        });
    }
    // More come than may wait: some hear of it.
    program.site.counts("vestibule_sign_ins_total", &["result=\"unavailable\""], 1.0).await;
    let answer = vpn.ask(&Ask::login("alice", "pw of alice")).await;
    assert_eq!(answer.code, CHALLENGE, "her password was looked at, and it is right");
    let statuses: Vec<u16> = crowd.join_all().await.into_iter().flatten().collect();
    assert!(statuses.iter().all(|status| [422, 503].contains(status)), "{statuses:?}");
    assert!(statuses.contains(&422), "{statuses:?}");
    // Rules G1: one half of the cores hash, and each such thread keeps its 19 MiB; as much again for all that a first flood makes.
    let threads = std::thread::available_parallelism().map_or(1, |cores| cores.get().div_ceil(2));
    let most = idle + 2 * (19 << 20) * u64::try_from(threads).unwrap();
    let now = resident(program.child.id());
    assert!(now <= most, "{} MiB resident after {} MiB, with {threads} threads", now >> 20, idle >> 20);
}

#[tokio::test(flavor = "multi_thread")]
async fn no_link_leads_elsewhere_and_none_splits_a_header() {
    let house = PortalHouse::opens().await;
    let mut alice = house.alice().await;
    let evil = [
        "//evil.example",
        "https://evil.example/",
        "/\\evil.example",
        "/%5cevil.example",
        "/pin%0d%0aSet-Cookie:%20vestibule=evil",
        "%2f%2fevil.example",
        "javascript:alert(1)",
    ];
    for then in evil {
        let sent = alice.get(&format!("/sign-in/second?then={then}")).await;
        assert_eq!((sent.location.as_str(), sent.set_cookie), ("/", None), "{then}");
    }
    house.ages(&mut alice, Duration::from_secs(11 * 60)).await;
    // What stands in a path comes back in a redirect.
    for id in [
        "x%0d%0aSet-Cookie:%20vestibule=evil",
        "..%2f..%2fevil",
        "%2f%2fevil.example",
        "x%3fthen=https:%2f%2fevil.example",
        "%00",
    ] {
        for path in [format!("/phones/{id}"), format!("/phones/{id}/remove"), format!("/tokens/{id}/remove")] {
            let sent = alice.get(&path).await;
            assert_eq!((sent.status, sent.set_cookie), (303, None), "{path}");
            assert!(
                sent.location == "/sign-in/second?then=/" || !sent.location.contains("evil.example"),
                "{}",
                sent.location
            );
            assert!(sent.location.starts_with("/sign-in/second?then=/"), "{}", sent.location);
        }
    }
    let code = house.fresh_code_of_alice().await;
    alice.get("/sign-in/second").await;
    let sent = alice.post("/sign-in/code", &[("code", &code), ("then", "//evil.example")]).await;
    assert_eq!(sent.location, "/");
    let sent = alice.post("/sign-in/ring", &[("then", "https://evil.example")]).await;
    assert!(!sent.location.contains("evil"), "{}", sent.location);
}

/// A path and the fields that are sent there.
type Form = (&'static str, &'static [(&'static str, &'static str)]);

/// Whatever a switch of `users_may` closes; `@` stands for a phone of alice's.
const SWITCHES: [(&str, &[Form]); 4] = [
    ("enrol", &[("/app", &[("code", "000000")]), ("/recovery", &[])]),
    ("select_method", &[("/method", &[("method", "totp")])]),
    (
        "activate_app",
        &[
            ("/phones/new", &[("kind", "page")]),
            ("/phones/@/name", &[("label", "mine")]),
            ("/phones/@/ring", &[]),
            ("/phones/@/test/00000000000000000000000000000000", &[]),
            ("/pin", &[("pin", "837264"), ("again", "837264")]),
        ],
    ),
    (
        "assign_token",
        &[("/hardware", &[("secret", "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"), ("kind", "hotp"), ("code", "755224")])],
    ),
];

#[tokio::test(flavor = "multi_thread")]
async fn what_is_switched_off_can_not_be_done_by_a_form_of_ones_own_and_says_who_helps() {
    let all: Vec<&str> = SWITCHES.iter().map(|(word, _)| *word).collect();
    for off in &all {
        let on: Vec<String> = all.iter().filter(|word| *word != off).map(|word| format!("\"{word}\"")).collect();
        let lines = format!("help_desk = \"Desk 42\"\nusers_may = [{}]\n", on.join(", "));
        let house = PortalHouse::of(with_portal_and_pins(&lines)).await;
        let (store, alice) = (house.store(), ResolvedUser::new("alice"));
        let now = house.house.server.clock().moment().wall;
        let phone = store.add_device(&alice, Channel::Loopback, Some("before".to_owned()), now).await.unwrap();
        let mut web = house.alice().await;
        assert!(web.get("/").await.body.contains("your service desk does for you. <strong>Desk 42</strong>"), "{off}");
        for (word, forms) in SWITCHES {
            for (path, fields) in forms {
                web.get("/").await;
                let path = path.replace('@', &phone.0);
                let sent = web.post(&path, fields).await;
                assert_eq!(sent.status == 403, word == *off, "{off} is off; {path}: {}", sent.status);
                assert!(word != *off || sent.body.contains("Desk 42"), "{}", sent.body);
                let has_page = !path.contains("/phones/d") && path != "/method";
                if word == *off && has_page {
                    let page = web.get(&path).await;
                    assert!(page.status == 403 && page.body.contains("Desk 42"), "{path}: {}", page.status);
                }
            }
        }
        // And nothing of it was done.
        let user = store.show_user(&alice).await.unwrap().unwrap();
        match *off {
            "enrol" => assert_eq!(store.recovery_codes_left(&alice).await.unwrap(), 0),
            "select_method" => assert_eq!(store.choices(&alice).await.unwrap().method, None),
            "activate_app" => {
                assert_eq!((user.devices.len(), user.devices[0].label.as_deref()), (1, Some("before")));
                assert_eq!(store.pin(&alice, now).await.unwrap(), None);
            }
            _ => assert_eq!(user.tokens.len(), 1),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn where_users_do_not_enrol_by_themselves_no_network_begins_it_and_the_help_desks_code_does() {
    let lines = "users_may = [\"activate_app\", \"select_method\"]\nfirst_enrolment = [\"admin_code\", { network = [\"10.0.0.0/8\"] }]\n";
    let house = PortalHouse::of(with_portal_behind_a_proxy(lines)).await;
    let code = house.code_for("carol").await;
    let mut carol = house.web();
    carol.headers = vec![("x-forwarded-for", "10.1.2.3".to_owned())];
    carol.password("carol", "pw of carol").await;
    let page = carol.get("/sign-in/second").await;
    assert!(page.body.contains("/sign-in/activation") && !page.body.contains("/sign-in/network"), "{}", page.body);
    assert_eq!(carol.post("/sign-in/network", &[]).await.status, 403);
    assert_eq!(carol.get("/").await.location, "/sign-in/second");
    carol.get("/sign-in/second").await;
    assert_eq!(carol.post("/sign-in/activation", &[("activation", &code)]).await.location, "/");
    assert_eq!(carol.get("/hardware").await.status, 403, "what is off stays off but for one way to a method");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_refused_at_the_pages_is_counted_and_told_and_shows_nothing_that_was_typed() {
    let (plan, url) = with_portal("help_desk = \"Desk 42\"\nusers_may = [\"enrol\"]\n");
    let mut house = plan.start_program().await;
    let mut alice = Web::new(&url);
    assert_eq!(alice.password("alice", "pw of alice").await.location, "/sign-in/second");
    assert_eq!(alice.code("000000").await.status, 422);
    assert_eq!(alice.code(&oath::totp(&seed("alice"))).await.location, "/");
    alice.get("/").await;
    assert_eq!(alice.post_as_is("/language", &[("language", "de"), ("csrf", "stolen-token")]).await.status, 403);
    alice.get("/").await;
    assert_eq!(alice.post("/method", &[("method", "totp")]).await.status, 403);
    // Where a name belongs somebody types the password.
    for _ in 0..6 {
        Web::new(&url).password("canary-of-a-password", "canary-of-another").await;
    }
    let page = until("all of it on the page of metrics", async || {
        let page = house.site.page("/metrics").await?;
        let all = [
            ("vestibule_page_denials_total", ["pages=\"portal\"", "reason=\"forged\""], 1.0),
            ("vestibule_page_denials_total", ["pages=\"portal\"", "reason=\"switched_off\""], 1.0),
            ("vestibule_sign_ins_total", ["pages=\"portal\"", "result=\"wrong_code\""], 1.0),
            ("vestibule_sign_ins_total", ["pages=\"portal\"", "result=\"refused\""], 4.0),
            // Rules D7: after four the primary is asked about that name no more.
            ("vestibule_sign_ins_total", ["pages=\"portal\"", "result=\"throttled\""], 2.0),
        ];
        all.iter().all(|(name, labels, least)| sum_of(&page, name, labels) >= *least).then_some(page)
    })
    .await;
    assert!(!page.contains("alice") && !page.contains("canary"), "no name is a label");
    house.child.signal(nix::sys::signal::Signal::SIGTERM);
    house.child.ended().await;
    let log = house.child.output();
    let line = |words: &[&str]| log.lines().any(|line| words.iter().all(|word| line.contains(word)));
    assert!(line(&["alice", "/language", "forged", "127."]), "{log}");
    assert!(line(&["alice", "/method", "switched_off"]), "{log}");
    assert!(line(&["alice", "wrong_code"]), "{log}");
    assert!(line(&["unknown:", "(refused)"]) && line(&["unknown:", "(throttled)"]), "{log}");
    for secret in ["canary", "stolen-token", "pw of alice", "000000"] {
        assert!(!log.contains(secret), "the log shows {secret}: {log}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_can_not_be_written_down_is_not_done() {
    let house = PortalHouse::of(with_portal_and_pins(USUAL)).await;
    let (store, user) = (house.store(), ResolvedUser::new("alice"));
    let mut alice = house.alice().await;
    let token = house.tokens("alice").await[0].token.id.0.to_string();
    let file = rusqlite::Connection::open(house.house.site.path("vestibule.db")).unwrap();
    file.execute_batch("CREATE TRIGGER no_audit BEFORE INSERT ON records BEGIN SELECT RAISE(ABORT, 'no audit'); END")
        .unwrap();
    let tried: [(&str, &[(&str, &str)]); 7] = [
        ("/pin", &[("pin", "837264"), ("again", "837264")]),
        ("/recovery", &[]),
        ("/method", &[("method", "totp")]),
        ("/phones/new", &[("kind", "page")]),
        (&format!("/tokens/{token}/name"), &[("label", "mine")]),
        (&format!("/tokens/{token}/remove"), &[("sure", "yes")]),
        ("/password", &[("old", "pw of alice"), ("new", "north by northwest"), ("again", "north by northwest")]),
    ];
    for (path, fields) in tried {
        alice.get("/").await;
        assert_eq!(alice.post(path, fields).await.status, 503, "{path}");
    }
    let now = house.house.server.clock().moment().wall;
    let after = store.show_user(&user).await.unwrap().unwrap();
    assert_eq!((after.tokens.len(), after.tokens[0].label.as_deref(), after.devices.len()), (1, None, 0));
    assert_eq!(store.recovery_codes_left(&user).await.unwrap(), 0);
    assert_eq!((store.pin(&user, now).await.unwrap(), store.choices(&user).await.unwrap().method), (None, None));
    // And nobody is let in whose sign-in can't be written down.
    let mut again = house.web();
    assert_eq!(again.password("alice", "pw of alice").await.location, "/sign-in/second");
    assert_eq!(again.code(&house.fresh_code_of_alice().await).await.status, 503);
    assert_eq!(again.get("/").await.location, "/sign-in/second");
    file.execute_batch("DROP TRIGGER no_audit").unwrap();
    alice.get("/pin").await;
    assert_eq!(alice.post("/pin", &[("pin", "837264"), ("again", "837264")]).await.location, "/?done=pin-set");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_that_fails_is_written_down_as_one_that_failed() {
    let house = PortalHouse::of(with_portal(&format!("{USUAL}devices_per_user = 1\n"))).await;
    let mut alice = house.alice().await;
    alice.get("/phones/new").await;
    assert!(alice.post("/phones/new", &[("kind", "page")]).await.location.starts_with("/phones/d"));
    alice.get("/phones/new").await;
    assert_eq!(alice.post("/phones/new", &[("kind", "store")]).await.status, 422);
    let acts = house.store().acts_on(&ResolvedUser::new("alice"), 3).await.unwrap();
    let words: Vec<String> = acts
        .iter()
        .map(|act| act.json.split("\"act\":\"").nth(1).unwrap().split('"').next().unwrap().to_owned())
        .collect();
    assert_eq!(words, ["begin_device_failed", "begin_device", "begin_device"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_makes_no_factor_fresh_again() {
    let house = PortalHouse::opens().await;
    let mut alice = house.alice().await;
    house.ages(&mut alice, Duration::from_secs(9 * 60)).await;
    alice.get("/recovery").await;
    assert_eq!(alice.post("/recovery", &[]).await.status, 200);
    // As long ago as before: the change turned the session's id and left the time.
    let hash: [u8; 32] = Sha256::digest(
        BASE64URL_NOPAD.decode(alice.cookie.as_ref().unwrap().split_once('=').unwrap().1.as_bytes()).unwrap(),
    )
    .into();
    let now = house.house.server.clock().moment().wall;
    let session =
        house.store().web_session(&hash, WebRealm::Portal, Duration::from_secs(900), now).await.unwrap().unwrap();
    let ago = now.since(session.factored_at.unwrap());
    assert!(ago >= Duration::from_secs(9 * 60), "{ago:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_sees_where_they_are_signed_in_and_ends_one_or_all() {
    let house = PortalHouse::opens().await;
    let mut alice = house.alice().await;
    let agents = [
        "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) Version/18.1 Safari/604.1",
        "Mozilla/5.0 (Windows NT 10.0) Firefox/132.0",
    ];
    let (mut phone, mut thief) = (house.web(), house.web());
    phone.headers = vec![("user-agent", agents[0].to_owned())];
    thief.headers = vec![("user-agent", agents[1].to_owned())];
    phone.password("alice", "pw of alice").await;
    phone.code(&house.fresh_code_of_alice().await).await;
    thief.password("alice", "pw of alice").await;
    assert_eq!(
        thief.get("/sessions").await.location,
        "/sign-in/second?then=/sessions",
        "a password alone sees nothing"
    );
    let page = alice.get("/sessions").await;
    assert!(page.body.contains("Safari, iPhone") && page.body.contains("Firefox, Windows"), "{}", page.body);
    assert!(page.body.contains("This browser") && page.body.contains("Password only") && page.body.contains("127."));
    let handle = |name: &str| {
        let row = page.body.split("<li>").find(|row| row.contains(name)).unwrap();
        row.split("name=\"session\" value=\"").nth(1).unwrap().split('"').next().unwrap().to_owned()
    };
    // Nobody ends another's.
    let mut carol = opened(&house, &house.url, "carol", WebRealm::Portal).await;
    carol.get("/sessions").await;
    carol.post("/sessions", &[("session", &handle("Firefox"))]).await;
    assert_eq!(thief.get("/").await.location, "/sign-in/second");
    assert_eq!(alice.post("/sessions", &[("session", &handle("Firefox"))]).await.location, "/sessions?done=ended");
    assert_eq!(thief.get("/").await.location, "/sign-in");
    assert_eq!((alice.get("/").await.status, phone.get("/").await.status), (200, 200));
    alice.get("/sessions").await;
    let out = alice.post("/sessions", &[("session", "all")]).await;
    assert_eq!((out.location.as_str(), out.headers["clear-site-data"].to_str().unwrap()), ("/sign-in", "\"cache\""));
    assert_eq!(
        (alice.get("/").await.location, phone.get("/").await.location),
        ("/sign-in".to_owned(), "/sign-in".to_owned())
    );
    assert_eq!(carol.get("/").await.status, 200, "others stay");
    let acts = house.store().acts_on(&ResolvedUser::new("alice"), 5).await.unwrap();
    assert!(acts[0].json.contains("\"end_sessions\"") && acts[1].json.contains("\"end_session\""), "{acts:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_own_password_is_changed_with_the_old_one_and_ends_every_session() {
    let house = PortalHouse::opens().await;
    let mut alice = house.alice().await;
    let mut other = opened(&house, &house.url, "alice", WebRealm::Portal).await;
    assert!(alice.get("/").await.body.contains("href=\"/password\""));
    let new = "north by northwest";
    for (old, typed, again, said) in [
        ("pw of alice", "short", "short", "too short: at least 8"),
        ("pw of alice", "Password1!", "Password1!", "Everybody tries this password"),
        ("pw of alice", "alice-2026", "alice-2026", "little more than your name"),
        ("pw of alice", new, "north by northeast", "not the same"),
        ("pw of carol", new, new, "not the password that you have now"),
        ("", new, new, "not the password that you have now"),
    ] {
        alice.get("/password").await;
        let page = alice.post("/password", &[("old", old), ("new", typed), ("again", again)]).await;
        assert!(page.status == 422 && page.body.contains(said), "{typed}: {}", page.body);
        assert!(!page.body.contains(new) && !page.body.contains("pw of"), "no password comes back");
    }
    assert_eq!(other.get("/").await.status, 200);
    alice.get("/password").await;
    let done = alice.post("/password", &[("old", "pw of alice"), ("new", new), ("again", new)]).await;
    assert_eq!(done.location, "/sign-in?said=password");
    assert!(alice.get("/sign-in?said=password").await.body.contains("Your password is changed"));
    assert_eq!(other.get("/").await.location, "/sign-in");
    assert_eq!(house.web().password("alice", "pw of alice").await.status, 422);
    assert_eq!(house.web().password("alice", new).await.location, "/sign-in/second");
    let acts = house.store().acts_on(&ResolvedUser::new("alice"), 1).await.unwrap();
    assert!(acts[0].json.contains("change_password"), "{acts:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pin_is_changed_with_the_old_one_under_the_phones_own_lock() {
    let house = PortalHouse::of(with_portal_and_pins(USUAL)).await;
    let mut alice = house.alice().await;
    let set = async |alice: &mut Web, old: &str, pin: &str| {
        alice.get("/pin").await;
        alice.post("/pin", &[("old", old), ("pin", pin), ("again", pin)]).await
    };
    assert_eq!(set(&mut alice, "", "837264").await.location, "/?done=pin-set", "the first needs no old one");
    assert_eq!(set(&mut alice, "837264", "904618").await.location, "/?done=pin-set");
    assert!(set(&mut alice, "837264", "482915").await.body.contains("not the PIN that you have now"));
    assert!(set(&mut alice, "", "482915").await.body.contains("not the PIN that you have now"));
    assert!(set(&mut alice, "111111", "482915").await.body.contains("is locked"));
    assert!(
        set(&mut alice, "904618", "482915").await.body.contains("Ask your service desk"),
        "the right one, too late"
    );
    let at = house.house.server.clock().moment().wall;
    assert!(house.store().pin(&ResolvedUser::new("alice"), at).await.unwrap().unwrap().locked);
    house.store().reset_pin(&ResolvedUser::new("alice")).await.unwrap();
    assert_eq!(set(&mut alice, "", "482915").await.location, "/?done=pin-set");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_is_renamed_by_its_own_user_alone_and_the_default_method_needs_a_fresh_factor() {
    let house = PortalHouse::opens().await;
    let mut alice = house.alice().await;
    let id = house.tokens("alice").await[0].token.id.0.to_string();
    let path = format!("/tokens/{id}/name");
    assert!(alice.get("/").await.body.contains(&format!("href=\"/tokens/{id}\"")));
    alice.get(&format!("/tokens/{id}")).await;
    assert!(alice.post(&path, &[("label", "  ")]).await.body.contains("problem"));
    assert_eq!(alice.post(&path, &[("label", "My Pixel")]).await.location, "/?done=saved");
    assert!(alice.get("/").await.body.contains("My Pixel"));
    let mut carol = opened(&house, &house.url, "carol", WebRealm::Portal).await;
    carol.get("/").await;
    // Carol's session has no fresh factor, and the token is not hers.
    assert_ne!(carol.post(&path, &[("label", "mine")]).await.location, "/?done=saved");
    assert_eq!(carol.get(&format!("/tokens/{id}")).await.status, 404);
    house.ages(&mut alice, Duration::from_secs(11 * 60)).await;
    alice.get("/").await;
    assert_eq!(alice.post("/method", &[("method", "totp")]).await.location, "/sign-in/second?then=/");
    assert_eq!(house.store().choices(&ResolvedUser::new("alice")).await.unwrap().method, None);
    assert_eq!(alice.post("/language", &[("language", "nl")]).await.location, "/?done=saved");
}

#[tokio::test(flavor = "multi_thread")]
async fn files_say_their_charset_and_a_sign_out_clears_what_the_browser_kept() {
    let house = PortalHouse::opens().await;
    let mut alice = house.alice().await;
    for (path, kind) in [
        ("/house.svg", "image/svg+xml; charset=utf-8"),
        ("/picture/qr.svg", "image/svg+xml; charset=utf-8"),
        ("/phone/icon.svg", "image/svg+xml; charset=utf-8"),
        ("/house.css", "text/css; charset=utf-8"),
        ("/house.js", "text/javascript; charset=utf-8"),
        ("/", "text/html; charset=utf-8"),
    ] {
        let page = alice.get(path).await;
        assert_eq!(page.headers["content-type"], kind, "{path}");
        let policy = page.headers["content-security-policy"].to_str().unwrap();
        assert!(policy.contains("object-src 'none'") && policy.contains("base-uri 'none'"), "{policy}");
    }
    alice.get("/").await;
    let out = alice.post("/sign-out", &[]).await;
    assert_eq!(out.headers["clear-site-data"], "\"cache\"");
    assert!(alice.get("/sign-in").await.headers.get("clear-site-data").is_none());
}
