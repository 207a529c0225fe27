//! Letters through a real mail server: encrypted, to the right reader, once, and never in the clear or to a stranger.

use std::sync::Arc;
use std::time::Duration;

use ::vestibule::engine::Clock;
use ::vestibule::language::Language;
use ::vestibule::mail::{
    ActivationCode, Address, BoxFuture, Courier, Due, House, Letter, LetterId, LetterKind, Letters, LettersUnavailable,
    MailFailure, MailSettings, MailedCode, Method, Smtp, SmtpServer, Then, Waiter, run,
};
use ::vestibule::telemetry::Telemetry;
use login::{Moment, Wall};
use tokio_util::sync::CancellationToken;
use wire::Secret;

use crate::harness::smtp::{MailServer, Mood, Speech};
use crate::harness::until;

const PASSWORD: &str = "canary-of-the-mail-s3cr3t";
const CODE: &str = "canary-of-the-code";
/// 2026-11-24 18:40 UTC.
const AT: Wall = Wall(1_795_545_600_000);

fn letter(kind: LetterKind) -> Letter {
    let to = Address::parse("alice@example.com").unwrap();
    Letter { id: LetterId([7; 16]), at: AT, to, language: Language::French, user: "alice".into(), kind }
}

fn activation() -> Letter {
    letter(LetterKind::Activation { code: ActivationCode { code: MailedCode::new(CODE), until: AT } })
}

fn settings(server: &MailServer) -> MailSettings {
    MailSettings {
        smtp: SmtpServer::of_url(&server.url().parse().unwrap()).unwrap(),
        from: Address::parse("mfa@example.com").unwrap(),
        user: None,
        password: None,
        ca: Some(server.ca.clone().into_bytes()),
    }
}

fn signing_in(server: &MailServer, password: &str) -> MailSettings {
    MailSettings { user: Some("mfa".into()), password: Some(Secret::new(password)), ..settings(server) }
}

fn smtp(settings: MailSettings) -> Smtp {
    let portal = "https://mfa.example.com/".parse().unwrap();
    let house = House::new("Société Générique", Some(portal), Some("0800 1234"), Vec::new()).unwrap();
    Smtp::new(settings, house).unwrap()
}

fn unavailable(answer: Result<(), MailFailure>) -> String {
    match answer {
        Err(MailFailure::Unavailable(why)) => why,
        other => panic!("the letter should wait, not {other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_letter_arrives_whole_over_tls_in_each_of_its_forms() {
    for speech in [Speech::Implicit, Speech::StartTls] {
        let server = MailServer::start(speech).await;
        smtp(settings(&server)).send(&activation()).await.unwrap();
        let messages = server.messages();
        let [taken] = messages.as_slice() else { panic!("{} messages", messages.len()) };
        assert!(taken.encrypted);
        assert_eq!(
            (taken.from.as_str(), taken.to.as_slice()),
            ("mfa@example.com", &["alice@example.com".to_owned()][..])
        );
        assert_eq!(taken.header("To"), ["alice@example.com"]);
        assert_eq!(taken.header("Date"), ["Tue, 24 Nov 2026 18:40:00 +0000"], "the letter's moment, not the clock's");
        assert_eq!(taken.header("Message-ID"), [format!("<{}@example.com>", "07".repeat(16))]);
        assert_eq!(taken.header("Auto-Submitted"), ["auto-generated"]);
        assert_eq!(taken.header("MIME-Version"), ["1.0"]);
        assert!(taken.header("From")[0].ends_with("<mfa@example.com>"));
        assert!(taken.headers().is_ascii() && taken.header("Subject")[0].contains("=?utf-8?"), "{}", taken.headers());
        assert!(taken.data.contains("text/plain") && taken.data.contains("text/html"), "{}", taken.data);
        assert!(taken.data.contains(CODE), "this kind carries one");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_letter_sent_twice_is_the_same_mail() {
    let server = MailServer::start(Speech::Clear).await;
    let smtp = smtp(settings(&server));
    smtp.send(&activation()).await.unwrap();
    smtp.send(&activation()).await.unwrap();
    let messages = server.messages();
    assert_eq!(messages.len(), 2);
    assert_eq!(messages[0].data, messages[1].data, "a mailbox can tell that it has it already");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_password_opens_the_server_by_either_mechanism_and_is_never_seen_in_the_clear() {
    for mechanism in ["PLAIN", "LOGIN"] {
        for speech in [Speech::StartTls, Speech::Implicit] {
            let server = MailServer::guarded(speech, mechanism, "mfa", PASSWORD).await;
            smtp(signing_in(&server, PASSWORD)).send(&activation()).await.unwrap();
            assert_eq!(server.messages()[0].user.as_deref(), Some("mfa"));
            let overheard = server.overheard();
            assert!(
                !overheard.iter().any(|line| line.starts_with("AUTH") || line.starts_with("MAIL")),
                "{overheard:?}"
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_password_makes_the_letter_wait_and_is_not_repeated_in_the_error() {
    let server = MailServer::guarded(Speech::Implicit, "PLAIN", "mfa", "another").await;
    let why = unavailable(smtp(signing_in(&server, PASSWORD)).send(&activation()).await);
    assert!(why.contains("535") && why.contains("signing in") && !why.contains(PASSWORD), "{why}");
    let why = unavailable(smtp(settings(&server)).send(&activation()).await);
    assert!(why.contains("530"), "{why}");
    assert!(server.messages().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_that_nobody_vouches_for_gets_no_letter_and_no_password() {
    for speech in [Speech::Implicit, Speech::StartTls] {
        let server = MailServer::guarded(speech, "PLAIN", "mfa", PASSWORD).await;
        let foreign = MailServer::start(speech).await;
        let misnamed = MailServer::misnamed(speech).await;
        let others_ca = MailSettings { ca: Some(foreign.ca.clone().into_bytes()), ..signing_in(&server, PASSWORD) };
        let systems_ca = MailSettings { ca: None, ..signing_in(&server, PASSWORD) };
        for settings in [others_ca, systems_ca, signing_in(&misnamed, PASSWORD)] {
            let why = unavailable(smtp(settings).send(&activation()).await);
            assert!(why.to_lowercase().contains("certificate"), "the admin learns what to mend: {why}");
        }
        for server in [server, foreign, misnamed] {
            assert!(server.messages().is_empty() && server.heard("AUTH") == 0 && server.heard("MAIL") == 0);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_whose_starttls_was_taken_away_gets_nothing() {
    let server = MailServer::start(Speech::Clear).await;
    let smtp_server = SmtpServer::of_url(&format!("smtp://{}?tls=starttls", server.at).parse().unwrap()).unwrap();
    let why = unavailable(smtp(MailSettings { smtp: smtp_server, ..settings(&server) }).send(&activation()).await);
    assert!(why.contains("STARTTLS"), "{why}");
    let refusing = MailServer::start(Speech::StartTls).await;
    refusing.is(Mood::Answering("STARTTLS", "454 4.7.0 not now"));
    let why = unavailable(smtp(settings(&refusing)).send(&activation()).await);
    assert!(why.contains("454"), "{why}");
    assert!(server.heard("MAIL") == 0 && refusing.heard("MAIL") == 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_that_were_slipped_in_before_tls_are_not_taken_for_the_servers() {
    let server = MailServer::start(Speech::StartTls).await;
    server.is(Mood::Injected);
    unavailable(smtp(settings(&server)).send(&activation()).await);
    assert!(server.messages().is_empty() && server.heard("MAIL") == 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn each_answer_of_the_server_says_whether_the_letter_waits_or_is_given_up() {
    let table = [
        ("HI", "554 5.3.2 no mail today", false),
        ("HI", "421 4.3.2 too busy", false),
        ("EHLO", "550 5.7.1 go away", false),
        ("MAIL", "451 4.3.0 later", false),
        ("MAIL", "530 5.7.0 sign in first", false),
        ("MAIL", "550 5.7.1 not this sender", true),
        ("RCPT", "450 4.2.1 mailbox busy", false),
        ("RCPT", "550 5.1.1 no such user", true),
        ("RCPT", "553 5.1.3 bad address", true),
        ("DATA", "452 4.3.1 disk full", false),
        (".", "451 4.7.1 greylisted", false),
        (".", "554 5.6.0 refused", true),
        ("MAIL", "hello? this is no SMTP", false),
    ];
    let server = MailServer::start(Speech::Clear).await;
    let smtp = smtp(settings(&server));
    for (at, line, given_up) in table {
        server.is(Mood::Answering(at, line));
        let answer = smtp.send(&activation()).await;
        assert_eq!(matches!(answer, Err(MailFailure::Refused(_))), given_up, "{at} {line}: {answer:?}");
        assert_eq!(matches!(answer, Err(MailFailure::Unavailable(_))), !given_up, "{at} {line}: {answer:?}");
        let told = answer.unwrap_err().to_string();
        let (number, words) = line.split_at(3);
        assert!(!told.contains(words.trim()) && (told.contains(number) || at == "MAIL"), "{told}");
    }
    assert!(server.messages().is_empty());
    server.is(Mood::Friendly);
    smtp.send(&activation()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_repeats_the_letter_does_not_bring_its_code_into_the_error() {
    let server = MailServer::start(Speech::Clear).await;
    server.is(Mood::Echoing);
    let answer = smtp(settings(&server)).send(&activation()).await;
    assert!(matches!(answer, Err(MailFailure::Refused(_))), "{answer:?}");
    assert!(!format!("{answer:?}").contains(CODE), "{answer:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_hangs_or_is_not_there_makes_the_letter_wait() {
    let server = MailServer::start(Speech::Clear).await;
    let smtp_in_haste = smtp(settings(&server)).within(Duration::from_millis(300));
    for at in ["HI", "EHLO", "RCPT", "."] {
        server.is(Mood::Hanging(at));
        let why = unavailable(smtp_in_haste.send(&activation()).await);
        assert!(why.contains("did not finish"), "{at}: {why}");
    }
    let gone = settings(&server);
    drop(server);
    // The listener is closed when its task has ended.
    let smtp = smtp(gone);
    let why = until("the port is closed", async || {
        let why = unavailable(smtp.send(&activation()).await);
        why.contains("connecting").then_some(why)
    })
    .await;
    assert!(why.contains("127."), "it says where: {why}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_somebody_typed_reaches_no_header_and_no_command() {
    let server = MailServer::start(Speech::Clear).await;
    let evil = "Pixel\r\nBcc: eve@example.com\r\n.\r\nMAIL FROM:<eve@example.com>";
    let kind = LetterKind::MethodAdded { method: Method::Phone, name: evil.into() };
    let letter = Letter { user: evil.into(), ..letter(kind) };
    smtp(settings(&server)).send(&letter).await.unwrap();
    let messages = server.messages();
    assert_eq!((messages.len(), messages[0].to.len(), server.heard("MAIL")), (1, 1, 1));
    assert!(messages[0].header("Bcc").is_empty());
    assert!(!messages[0].headers().contains("eve"), "{}", messages[0].headers());
    assert!(!messages[0].data.contains("\nBcc:") && !messages[0].data.contains("\nMAIL"), "{}", messages[0].data);
}

/// One letter, due again as soon as it failed for now.
struct Tray {
    letter: Letter,
    tries: std::sync::Mutex<Option<u32>>,
    ends: std::sync::Mutex<Option<&'static str>>,
}

impl Tray {
    fn end(&self, how: &'static str) -> BoxFuture<'_, Result<(), LettersUnavailable>> {
        *self.ends.lock().unwrap() = Some(how);
        Box::pin(async { Ok(()) })
    }
}

impl Letters for Tray {
    fn due(&self, _: Moment, _: usize) -> BoxFuture<'_, Result<Vec<Due>, LettersUnavailable>> {
        let tries = self.tries.lock().unwrap().take();
        let due = tries.map(|tries| Due { letter: self.letter.clone(), tries });
        Box::pin(async move { Ok(due.into_iter().collect()) })
    }

    fn sent(&self, _: LetterId) -> BoxFuture<'_, Result<(), LettersUnavailable>> {
        self.end("sent")
    }

    fn failed(&self, _: LetterId, then: Then) -> BoxFuture<'_, Result<(), LettersUnavailable>> {
        match then {
            Then::GiveUp => self.end("given up"),
            Then::Again { .. } => {
                *self.tries.lock().unwrap() = Some(2);
                Box::pin(async { Ok(()) })
            }
        }
    }

    fn arrived(&self) -> BoxFuture<'_, ()> {
        Box::pin(std::future::pending())
    }
}

/// Ten seconds are a moment here.
struct Hasty(Clock);

impl Waiter for Hasty {
    fn moment(&self) -> Moment {
        self.0.moment()
    }

    fn wait(&self, duration: Duration) -> BoxFuture<'_, ()> {
        Box::pin(self.0.wait(duration / 1000))
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_outbox_sends_again_what_a_server_puts_off_and_not_what_it_refuses() {
    for (line, end, times) in [("451 4.7.1 greylisted", "sent", 2), ("550 5.1.1 no such user", "given up", 1)] {
        let server = MailServer::start(Speech::Implicit).await;
        server.is(Mood::Answering("RCPT", line));
        let tray = Arc::new(Tray { letter: activation(), tries: Some(1).into(), ends: None.into() });
        let stop = CancellationToken::new();
        let telemetry = Telemetry::new();
        let courier = Arc::new(smtp(settings(&server)));
        let letters: Arc<dyn Letters> = Arc::<Tray>::clone(&tray);
        let outbox =
            tokio::spawn(run(letters, courier, Arc::new(Hasty(Clock::begin())), telemetry.clone(), stop.clone()));
        until("the server was asked", async || (server.heard("RCPT") >= 1).then_some(())).await;
        server.is(Mood::Friendly);
        until("the letter came to its end", async || *tray.ends.lock().unwrap()).await;
        assert_eq!(*tray.ends.lock().unwrap(), Some(end), "{line}");
        if end == "sent" {
            assert_eq!(server.has(1).await.len(), 1);
        } else {
            assert!(server.messages().is_empty());
        }
        assert!(server.heard("RCPT") >= times);
        let counted = telemetry.render();
        assert!(
            counted.lines().any(|line| line.starts_with("vestibule_troubles_total{service=\"mail\"}")),
            "{counted}"
        );
        stop.cancel();
        outbox.await.unwrap();
    }
}
