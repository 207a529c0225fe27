//! Known passwords, codes, seeds and secrets go through every kind of login; afterwards none of them is to be found anywhere.

use data_encoding::{BASE32_NOPAD, BASE64, HEXLOWER};
use nix::sys::signal::Signal;

use crate::harness::oath::{hotp, seed};
use crate::harness::radius::{ACCEPT, Ask, CHALLENGE, REJECT};
use crate::harness::stub::Stub;
use crate::harness::{APPLIANCE_SECRET, PRIMARY_SECRET, vestibule};

const RIGHT: &str = "canary-of-a-right-password";
const WRONG: &str = "canary-of-a-wrong-password";
const LOCAL: &str = "canary-of-a-local-password";

#[tokio::test(flavor = "multi_thread")]
async fn no_log_metric_audit_line_error_or_page_of_the_store_shows_what_is_secret() {
    let nps = Stub::accepting(RIGHT).await;
    let plan = vestibule::guarding(&nps).client("append = \",\"").hotp("alice").hotp("bob").password("bob", LOCAL);
    let mut house = plan.limits("code_failures = 25").start_program().await;
    let vpn = house.appliance().await;
    let wrong = "770077".to_owned();

    let challenge = vpn.ask(&Ask::login("alice", RIGHT)).await;
    assert_eq!(challenge.code, CHALLENGE);
    let next = vpn.ask(&Ask::login("alice", &wrong).answering(&challenge)).await;
    assert_eq!(next.code, CHALLENGE);
    let code = hotp(&seed("alice"), 0);
    assert_eq!(vpn.ask(&Ask::login("alice", &code).answering(&next)).await.code, ACCEPT);
    let appended = hotp(&seed("alice"), 1);
    assert_eq!(vpn.ask(&Ask::login("alice", &format!("{RIGHT},{appended}"))).await.code, ACCEPT);
    assert_eq!(vpn.ask(&Ask::login("alice", &format!("{RIGHT},{appended}"))).await.code, REJECT);
    assert_eq!(vpn.ask(&Ask::login("alice", WRONG)).await.code, REJECT);
    // People type passwords where their names belong (rules F2).
    assert_eq!(vpn.ask(&Ask::login(WRONG, WRONG)).await.code, REJECT);
    vpn.send(&Ask::login("alice", RIGHT).bare()).await;
    vpn.hears_nothing().await;
    let good = house.site.policy();
    house.site.write("vestibule.toml", &format!("{good}\nnonsense = 1\n"));
    house.child.signal(Signal::SIGHUP);
    house.child.says("nonsense").await;
    let metrics = house.site.page("/metrics").await.unwrap();
    let check = house.site.run(&["check"]).await;
    assert_eq!(check.status.code(), Some(2));
    house.child.signal(Signal::SIGTERM);
    let log = house.child.last_words().await;
    assert!(log.contains("alice"), "the log has lines");

    let secrets: Vec<Vec<u8>> = [RIGHT, WRONG, LOCAL, APPLIANCE_SECRET, PRIMARY_SECRET]
        .into_iter()
        .map(|text| text.as_bytes().to_vec())
        .chain(["alice", "bob"].map(seed))
        .collect();
    let written = secrets.iter().flat_map(|secret| forms(secret));
    let codes = [code, appended].map(String::into_bytes);
    let mut places = vec![("log", log.into_bytes()), ("metrics", metrics.into_bytes())];
    places.push(("check", [check.stdout, check.stderr].concat()));
    places.push(("audit", std::fs::read(house.site.path("audit.jsonl")).unwrap()));
    for name in ["vestibule.db", "vestibule.db-wal"] {
        places.push((name, std::fs::read(house.site.path(name)).unwrap_or_default()));
    }
    assert!(places.iter().filter(|(_, octets)| !octets.is_empty()).count() >= 5, "every place was looked at");
    let looked_for: Vec<Vec<u8>> = written.collect();
    for (place, octets) in &places {
        for secret in &looked_for {
            assert!(!contains(octets, secret), "{place} shows {}", String::from_utf8_lossy(secret));
        }
        // Six digits may stand in a page or in a number by chance, so codes are looked for as words of text only.
        if !place.starts_with("vestibule.db") {
            for code in &codes {
                assert!(!has_word(octets, code), "{place} shows the code {}", String::from_utf8_lossy(code));
            }
        }
    }
}

fn forms(secret: &[u8]) -> Vec<Vec<u8>> {
    let forms = [HEXLOWER.encode(secret), BASE32_NOPAD.encode(secret), BASE64.encode(secret)];
    forms.into_iter().map(String::into_bytes).chain([secret.to_vec()]).collect()
}

fn contains(octets: &[u8], part: &[u8]) -> bool {
    octets.windows(part.len()).any(|window| window == part)
}

fn has_word(octets: &[u8], word: &[u8]) -> bool {
    let edge = |octet: Option<&u8>| octet.is_none_or(|octet| !octet.is_ascii_alphanumeric() && *octet != b'.');
    let mut windows = octets.windows(word.len()).enumerate();
    windows.any(|(at, window)| {
        window == word
            && edge(at.checked_sub(1).and_then(|before| octets.get(before)))
            && edge(octets.get(at + word.len()))
    })
}
