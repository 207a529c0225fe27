//! Letters in every kind and language, and the outbox around a courier that fails, with a clock that runs as fast as it is asked.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use login::{Moment, Tick, Wall};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::*;
use crate::language::Language;
use crate::telemetry::Telemetry;

const CANARY: &str = "CANARY-OF-THE-CODE";
/// 2026-11-24 18:40 UTC.
const AT: Wall = Wall(1_795_545_600_000);

fn house() -> House {
    let portal = "https://mfa.example.com/".parse().unwrap();
    let alerts = vec![Address::parse("soc@example.com").unwrap()];
    House::new("Example & Sons", Some(portal), Some("Service desk, 0800 1234"), alerts).unwrap()
}

fn letter(language: Language, kind: LetterKind) -> Letter {
    let to = Address::parse("alice@example.com").unwrap();
    Letter { id: LetterId([7; 16]), at: AT, to, language, user: "alice".into(), kind }
}

fn activation_code() -> ActivationCode {
    ActivationCode { code: MailedCode::new(CANARY), until: AT.plus(Duration::from_secs(24 * 3600)) }
}

/// Every kind, with the facts that its letter must show.
fn kinds() -> Vec<(LetterKind, Vec<&'static str>)> {
    let name = || "My Pixel".to_owned();
    let staff = || ("bob.desk".to_owned(), "lost in a taxi".to_owned());
    let (by, reason) = staff();
    let mut kinds = vec![
        (LetterKind::Invitation { code: None }, vec![]),
        (LetterKind::Invitation { code: Some(activation_code()) }, vec![CANARY, "2026-11-25 18:40 UTC"]),
        (LetterKind::Activation { code: activation_code() }, vec![CANARY, "2026-11-25 18:40 UTC"]),
        (LetterKind::MethodAdded { method: Method::Phone, name: name() }, vec!["My Pixel"]),
        (LetterKind::MethodRemoved { method: Method::App, name: name() }, vec!["My Pixel"]),
        (
            LetterKind::FraudReported { client: "hq-asa".into(), station: "203.0.113.9".into() },
            vec!["hq-asa", "203.0.113.9"],
        ),
        (
            LetterKind::FraudAlert { client: "hq-asa".into(), station: "203.0.113.9".into() },
            vec!["hq-asa", "203.0.113.9"],
        ),
        (LetterKind::Blocked { by: by.clone(), reason: reason.clone() }, vec!["bob.desk", "lost in a taxi"]),
        (LetterKind::Unblocked { by: by.clone(), reason: reason.clone() }, vec!["bob.desk", "lost in a taxi"]),
        (LetterKind::SilentPhone { name: name() }, vec!["My Pixel"]),
        (LetterKind::SilentPhoneAlert { name: name() }, vec!["My Pixel"]),
        (LetterKind::PinChanged, vec![]),
        (LetterKind::PasswordChanged, vec![]),
        (LetterKind::RecoveryCodesMade, vec![]),
        (LetterKind::RecoveryCodeUsed { left: 9 }, vec![": 9"]),
        (
            LetterKind::BypassGranted { by, reason, client: "hq-asa".into(), until: AT },
            vec!["bob.desk", "lost in a taxi", "hq-asa"],
        ),
    ];
    kinds.extend(
        [
            StaffAction::CodeIssued,
            StaffAction::MethodRemoved,
            StaffAction::TokenAssigned,
            StaffAction::TokenResynced,
            StaffAction::PinReset,
            StaffAction::LimitsLifted,
            StaffAction::SessionsEnded,
            StaffAction::DetailsChanged,
        ]
        .map(|what| {
            let (by, reason) = staff();
            (LetterKind::StaffAct { what, by, reason }, vec!["bob.desk", "lost in a taxi"])
        }),
    );
    kinds
}

#[test]
fn every_letter_in_every_language_says_who_when_and_where_help_is() {
    let mut written = BTreeMap::new();
    for language in Language::ALL {
        for (kind, facts) in kinds() {
            let text = compose(&letter(language, kind.clone()), &house());
            let must = ["alice", "Example & Sons", "2026-11-24 18:40 UTC", "Service desk, 0800 1234"];
            for must in must.into_iter().chain(["https://mfa.example.com/"]).chain(facts) {
                let escaped = must.replace('&', "&#38;");
                assert!(text.plain.contains(must), "{kind:?} in {language:?} lacks {must:?}:\n{}", text.plain);
                let label_apart = escaped.trim_start_matches(": ");
                assert!(text.html.contains(label_apart), "{kind:?} in {language:?} lacks {escaped:?}:\n{}", text.html);
            }
            assert!(!text.plain.contains("mail-") && !text.html.contains("mail-"), "a key shows: {}", text.plain);
            assert!(!text.plain.contains("{$"), "an argument is missing: {}", text.plain);
            assert!(text.html.contains(&format!("<html lang=\"{}\">", language.as_tag())));
            assert!(text.subject.contains("Example & Sons") && text.subject.chars().count() <= 150);
            written.insert((language, format!("{kind:?}")), text.plain);
        }
    }
    let mut texts: Vec<_> = written.values().collect();
    texts.sort();
    texts.dedup();
    assert_eq!(texts.len(), written.len(), "two kinds or languages say the same");
}

#[test]
fn the_code_stands_only_in_the_letters_made_for_it_and_never_in_debug() {
    for (kind, _) in kinds() {
        let carries = matches!(kind, LetterKind::Activation { .. } | LetterKind::Invitation { code: Some(_) });
        let letter = letter(Language::English, kind);
        let text = compose(&letter, &house());
        assert_eq!(text.plain.contains(CANARY), carries);
        assert_eq!(text.html.contains(CANARY), carries);
        assert!(!text.subject.contains(CANARY), "subjects show on locked screens");
        assert!(!format!("{letter:?}").contains(CANARY), "rules F1");
    }
}

#[test]
fn a_house_without_portal_and_desk_still_writes_letters() {
    let house = House::new("Example Corp", None, None, Vec::new()).unwrap();
    let text = compose(&letter(Language::English, LetterKind::PinChanged), &house);
    assert!(!text.plain.contains("Portal:") && !text.plain.contains("Help:"), "{}", text.plain);
    assert!(!text.html.contains("<a "));
}

#[test]
fn what_somebody_typed_can_break_neither_line_nor_page() {
    let evil = "x\r\nBcc: eve@example.com\r\n\r\n<script>alert(1)</script>\u{202e}\u{0}\"'&";
    for kind in [
        LetterKind::MethodAdded { method: Method::Phone, name: evil.into() },
        LetterKind::FraudAlert { client: evil.into(), station: evil.into() },
        LetterKind::StaffAct { what: StaffAction::PinReset, by: evil.into(), reason: evil.into() },
        LetterKind::BypassGranted { by: evil.into(), reason: evil.into(), client: evil.into(), until: AT },
        LetterKind::Activation { code: ActivationCode { code: MailedCode::new(evil), until: AT } },
    ] {
        let letter = Letter { user: evil.into(), ..letter(Language::English, kind) };
        let text = compose(&letter, &house());
        assert!(!text.subject.contains(char::is_control));
        assert!(!text.plain.contains("\nBcc:") && !text.plain.contains(['\r', '\0', '\u{202e}']), "{}", text.plain);
        assert!(!text.html.contains("<script") && !text.html.contains(['\r', '\0', '\u{202e}']), "{}", text.html);
    }
    let long = LetterKind::SilentPhone { name: "ü".repeat(10_000) };
    assert!(compose(&letter(Language::English, long), &house()).plain.len() < 5_000);
}

#[test]
fn a_house_with_control_octets_or_a_portal_that_is_no_page_is_refused() {
    let house = |name: &str, desk: Option<&str>, url: Option<&str>| {
        House::new(name, url.map(|url| url.parse().unwrap()), desk, Vec::new()).err()
    };
    assert_eq!(house("Example Corp", Some("0800"), Some("https://mfa.example.com")), None);
    let long = "x".repeat(101);
    for name in ["", "  ", "a\r\nBcc: b", "a\nb", "a\0b", "a\u{85}b", &long] {
        assert_eq!(house(name, None, None), Some(BadHouse::AccountName), "{name:?}");
    }
    assert_eq!(house("a", Some("b\r\nc"), None), Some(BadHouse::HelpDesk));
    assert_eq!(house("a", Some(" "), None), None, "an empty line is none");
    assert_eq!(house("a", None, Some("javascript:alert(1)")), Some(BadHouse::Portal));
}

#[test]
fn a_letter_survives_the_store() {
    for language in Language::ALL {
        for (kind, _) in kinds() {
            let letter = letter(language, kind);
            assert_eq!(Letter::from_json(&letter.to_json()), Ok(letter));
        }
    }
}

#[test]
fn what_is_no_letter_is_refused_without_being_shown() {
    let json = letter(Language::English, LetterKind::Activation { code: activation_code() }).to_json();
    for broken in [
        "",
        "{}",
        "null",
        &json[..json.len() - 1],
        &json.replace("alice@example.com", "alice@example.com\\r\\nBcc: eve@example.com"),
        &json.replace("activation", "execution"),
        &json.replace("\"en\"", "\"tlh\""),
        &json.replace("0707", "07"),
    ] {
        let refused = Letter::from_json(broken);
        assert_eq!(refused, Err(NotALetter), "{broken}");
        assert!(!format!("{refused:?}").contains(CANARY));
    }
}

/// Letters in memory, each with how often it was handed out and when it is due again.
#[derive(Default)]
struct Desk {
    waiting: Mutex<Vec<(Letter, u32, Wall)>>,
    sent: Mutex<Vec<LetterId>>,
    given_up: Mutex<Vec<LetterId>>,
    pauses: Mutex<Vec<Wall>>,
    /// How many more writes of `sent` fail.
    broken: AtomicUsize,
    changed: Notify,
}

impl Desk {
    fn with(letters: usize) -> Arc<Self> {
        let desk = Self::default();
        for number in 0..letters {
            let id = LetterId([u8::try_from(number).unwrap(); 16]);
            let letter = Letter { id, ..letter(Language::English, LetterKind::PinChanged) };
            desk.waiting.lock().unwrap().push((letter, 0, Wall(0)));
        }
        Arc::new(desk)
    }

    /// Waits until so many letters are done with.
    async fn done(&self, count: usize) {
        loop {
            let changed = self.changed.notified();
            if self.sent.lock().unwrap().len() + self.given_up.lock().unwrap().len() >= count {
                return;
            }
            changed.await;
        }
    }
}

impl Letters for Desk {
    fn due(&self, now: Moment, most: usize) -> BoxFuture<'_, Result<Vec<Due>, LettersUnavailable>> {
        let mut waiting = self.waiting.lock().unwrap();
        let due = waiting.iter_mut().filter(|(_, _, not_before)| *not_before <= now.wall).take(most);
        let due = due.map(|(letter, tries, not_before)| {
            (*tries, *not_before) = (*tries + 1, now.wall.plus(Duration::from_secs(120)));
            Due { letter: letter.clone(), tries: *tries }
        });
        let due = due.collect();
        Box::pin(async { Ok(due) })
    }

    fn sent(&self, letter: LetterId) -> BoxFuture<'_, Result<(), LettersUnavailable>> {
        let broken = self.broken.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_ok();
        if broken {
            return Box::pin(async { Err(LettersUnavailable("disk full".into())) });
        }
        self.waiting.lock().unwrap().retain(|(waiting, ..)| waiting.id != letter);
        self.sent.lock().unwrap().push(letter);
        self.changed.notify_waiters();
        Box::pin(async { Ok(()) })
    }

    fn failed(&self, letter: LetterId, then: Then) -> BoxFuture<'_, Result<(), LettersUnavailable>> {
        let mut waiting = self.waiting.lock().unwrap();
        match then {
            Then::Again { not_before } => {
                self.pauses.lock().unwrap().push(not_before);
                waiting.iter_mut().filter(|(waiting, ..)| waiting.id == letter).for_each(|found| found.2 = not_before);
            }
            Then::GiveUp => {
                waiting.retain(|(waiting, ..)| waiting.id != letter);
                self.given_up.lock().unwrap().push(letter);
            }
        }
        self.changed.notify_waiters();
        Box::pin(async { Ok(()) })
    }

    fn arrived(&self) -> BoxFuture<'_, ()> {
        Box::pin(std::future::pending())
    }
}

/// Answers what the test says, in turn, and then that the letter is delivered. Without end where it hangs.
#[derive(Default)]
struct Postman {
    answers: Mutex<Vec<MailFailure>>,
    asked: AtomicUsize,
    hangs: bool,
}

impl Courier for Postman {
    fn send<'a>(&'a self, _: &'a Letter) -> BoxFuture<'a, Result<(), MailFailure>> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        let answer = self.answers.lock().unwrap().pop();
        let hangs = self.hangs;
        Box::pin(async move {
            if hangs {
                std::future::pending::<()>().await;
            }
            answer.map_or(Ok(()), Err)
        })
    }
}

/// A clock that a wait sets forward at once.
#[derive(Default)]
struct FastClock(AtomicU64);

impl Waiter for FastClock {
    fn moment(&self) -> Moment {
        let millis = self.0.load(Ordering::Relaxed);
        Moment { tick: Tick(millis), wall: AT.plus(Duration::from_millis(millis)) }
    }

    fn wait(&self, duration: Duration) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            // The letters on their way come first: only an idle outbox waits.
            for _ in 0..8 {
                tokio::task::yield_now().await;
            }
            self.0.fetch_add(u64::try_from(duration.as_millis()).unwrap(), Ordering::Relaxed);
        })
    }
}

async fn until_done(desk: &Arc<Desk>, postman: &Arc<Postman>, count: usize) {
    let stop = CancellationToken::new();
    let (letters, courier) = (Arc::<Desk>::clone(desk), Arc::<Postman>::clone(postman));
    let running = run(letters, courier, Arc::new(FastClock::default()), Telemetry::new(), stop.clone());
    tokio::join!(running, async {
        desk.done(count).await;
        stop.cancel();
    });
}

fn unavailable() -> MailFailure {
    MailFailure::Unavailable("it answered 451".into())
}

#[tokio::test]
async fn a_letter_that_can_not_be_delivered_now_is_tried_again_later() {
    let desk = Desk::with(1);
    let postman = Arc::new(Postman { answers: Mutex::new(vec![unavailable(); 3]), ..Postman::default() });
    until_done(&desk, &postman, 1).await;
    assert_eq!(postman.asked.load(Ordering::Relaxed), 4);
    assert_eq!(desk.sent.lock().unwrap().len(), 1);
    let pauses = desk.pauses.lock().unwrap().clone();
    assert_eq!(pauses.len(), 3);
    let between: Vec<_> = pauses.windows(2).map(|pair| pair[1].since(pair[0]).as_secs()).collect();
    assert!(between[0] >= 60 && between[1] >= 120, "each pause is twice the one before: {between:?}");
}

#[tokio::test]
async fn a_refused_letter_is_given_up_at_once() {
    let desk = Desk::with(1);
    let refused = MailFailure::Refused("it answered 550".into());
    let postman = Arc::new(Postman { answers: Mutex::new(vec![refused]), ..Postman::default() });
    until_done(&desk, &postman, 1).await;
    assert_eq!(postman.asked.load(Ordering::Relaxed), 1);
    assert_eq!((desk.sent.lock().unwrap().len(), desk.given_up.lock().unwrap().len()), (0, 1));
}

#[tokio::test]
async fn a_letter_is_not_tried_for_ever() {
    let desk = Desk::with(1);
    let postman = Arc::new(Postman { answers: Mutex::new(vec![unavailable(); 1000]), ..Postman::default() });
    until_done(&desk, &postman, 1).await;
    assert_eq!(postman.asked.load(Ordering::Relaxed), 30);
    assert_eq!(desk.given_up.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn many_letters_all_go_out_once() {
    let (desk, postman) = (Desk::with(100), Arc::new(Postman::default()));
    until_done(&desk, &postman, 100).await;
    assert_eq!(postman.asked.load(Ordering::Relaxed), 100);
}

#[tokio::test]
async fn a_delivery_that_could_not_be_written_down_is_written_down_again_and_not_sent_again() {
    let (desk, postman) = (Desk::with(1), Arc::new(Postman::default()));
    desk.broken.store(1, Ordering::Relaxed);
    until_done(&desk, &postman, 1).await;
    assert_eq!(postman.asked.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn a_delivery_that_never_got_written_down_goes_out_again() {
    let (desk, postman) = (Desk::with(1), Arc::new(Postman::default()));
    desk.broken.store(2, Ordering::Relaxed);
    until_done(&desk, &postman, 1).await;
    assert_eq!(postman.asked.load(Ordering::Relaxed), 2, "at least once");
}

#[tokio::test]
async fn a_courier_that_hangs_has_four_letters_and_does_not_keep_the_outbox_from_stopping() {
    let (desk, postman) = (Desk::with(20), Arc::new(Postman { hangs: true, ..Postman::default() }));
    let stop = CancellationToken::new();
    let (letters, courier) = (Arc::<Desk>::clone(&desk), Arc::<Postman>::clone(&postman));
    let running = run(letters, courier, Arc::new(FastClock::default()), Telemetry::new(), stop.clone());
    tokio::join!(running, async {
        for _ in 0..1000 {
            tokio::task::yield_now().await;
        }
        stop.cancel();
    });
    assert_eq!(postman.asked.load(Ordering::Relaxed), 4);
    assert_eq!(desk.sent.lock().unwrap().len(), 0);
}
