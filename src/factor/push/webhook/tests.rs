//! The webhook against notifiers of our own over real sockets: honest, broken, hanging, lying.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use hmac::{Hmac, KeyInit, Mac};
use login::{ClientName, DeviceId, Moment, PromptId, ResolvedUser, Station, Tick};
use sha2::Sha256;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::Notify;

use super::*;

const KEY: &str = "a key that only the notifier knows";

/// How a notifier answers.
#[derive(Clone)]
enum Answers {
    /// With these octets, then it keeps the connection.
    Octets(&'static str),
    /// Never.
    Hang,
    /// 200 and a body without end.
    Endless,
    /// By closing the connection.
    Close,
    /// 200, but only after it was told to.
    When(Arc<Notify>),
}

const OK: Answers = Answers::Octets("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
const BROKEN: Answers = Answers::Octets("HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n");

/// A request as the notifier heard it.
#[derive(Clone, Debug)]
struct Heard {
    head: String,
    body: Vec<u8>,
}

impl Heard {
    fn header(&self, name: &str) -> String {
        let line = self.head.lines().find(|line| line.to_lowercase().starts_with(&format!("{}:", name.to_lowercase())));
        line.and_then(|line| line.split_once(": ")).map(|(_, value)| value.to_owned()).unwrap_or_default()
    }

    fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap()
    }
}

struct Notifier {
    port: u16,
    heard: Arc<Mutex<Vec<Heard>>>,
    hung_up: Arc<Notify>,
    answers: Arc<Mutex<VecDeque<Answers>>>,
}

impl Notifier {
    async fn that(answers: Answers) -> Self {
        Self::that_first([answers]).await
    }

    /// Each answer once, the last one for ever.
    async fn that_first<const N: usize>(answers: [Answers; N]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let this = Self {
            port,
            heard: Arc::default(),
            hung_up: Arc::default(),
            answers: Arc::new(Mutex::new(answers.into())),
        };
        let (heard, hung_up, answers) = (Arc::clone(&this.heard), Arc::clone(&this.hung_up), Arc::clone(&this.answers));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(converse(stream, Arc::clone(&heard), Arc::clone(&hung_up), Arc::clone(&answers)));
            }
        });
        this
    }

    fn url(&self) -> String {
        format!("http://127.0.0.1:{}/vestibule?site=1", self.port)
    }

    fn heard(&self) -> Vec<Heard> {
        self.heard.lock().unwrap().clone()
    }

    fn events(&self) -> Vec<String> {
        self.heard().iter().map(|heard| heard.json()["event"].as_str().unwrap().to_owned()).collect()
    }

    fn now(&self, answers: Answers) {
        *self.answers.lock().unwrap() = [answers].into();
    }
}

async fn converse(
    mut stream: TcpStream,
    heard: Arc<Mutex<Vec<Heard>>>,
    hung_up: Arc<Notify>,
    answers: Arc<Mutex<VecDeque<Answers>>>,
) {
    while let Some(request) = read_request(&mut stream).await {
        heard.lock().unwrap().push(request);
        let answers = next(&mut answers.lock().unwrap());
        match answers {
            Answers::Octets(octets) => stream.write_all(octets.as_bytes()).await.unwrap(),
            Answers::Close => return,
            Answers::When(told) => {
                told.notified().await;
                let _ = stream.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").await;
            }
            Answers::Hang => {
                let _ = stream.read(&mut [0; 1]).await;
                return;
            }
            Answers::Endless => {
                let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n").await;
                while stream.write_all(b"400\r\n").await.is_ok()
                    && stream.write_all(&[b'x'; 1024]).await.is_ok()
                    && stream.write_all(b"\r\n").await.is_ok()
                {}
                return hung_up.notify_one();
            }
        }
    }
}

fn next(answers: &mut VecDeque<Answers>) -> Answers {
    let first = answers.front().cloned().unwrap();
    if answers.len() > 1 {
        answers.pop_front();
    }
    first
}

async fn read_request(stream: &mut TcpStream) -> Option<Heard> {
    let mut octets = Vec::new();
    loop {
        let mut chunk = [0; 4096];
        let count = stream.read(&mut chunk).await.ok().filter(|count| *count > 0)?;
        octets.extend_from_slice(&chunk[..count]);
        let Some(end) = octets.windows(4).position(|four| four == b"\r\n\r\n") else { continue };
        let heard =
            Heard { head: String::from_utf8(octets[..end].to_vec()).unwrap(), body: octets[end + 4..].to_vec() };
        if heard.body.len() >= heard.header("content-length").parse::<usize>().unwrap() {
            return Some(heard);
        }
    }
}

fn settings(url: &str) -> WebhookSettings {
    WebhookSettings { url: url.to_owned(), ca: None, allow_private: true, key: Secret::new(KEY) }
}

fn webhook(notifier: &Notifier) -> Webhook {
    built(&settings(&notifier.url())).unwrap()
}

fn built(settings: &WebhookSettings) -> Result<Webhook, WebhookMistake> {
    Webhook::new(settings, Telemetry::new())
}

fn built_with(settings: &WebhookSettings, within: Duration, in_flight: usize) -> Result<Webhook, WebhookMistake> {
    Webhook::with(settings, Telemetry::new(), within, in_flight)
}

fn impatient(notifier: &Notifier) -> Webhook {
    built_with(&settings(&notifier.url()), Duration::from_millis(50), IN_FLIGHT_MAX).unwrap()
}

fn hint(user: &str, seconds: u64) -> PushHint {
    PushHint {
        prompt: PromptId([0xab; 16]),
        user: ResolvedUser::new(user),
        device: DeviceId("d1".into()),
        subscription: None,
        client: ClientName::new("hq-asa"),
        station: Some(Station::new(b"203.0.113.9")),
        account_name: "Example Corp".into(),
        at: Moment { tick: Tick(seconds * 1000), wall: Wall((1_700_000_000 + seconds) * 1000) },
        ends_at: Wall((1_700_000_120 + seconds) * 1000),
    }
}

fn confirmed(result: &Result<(), PushFailure>) -> Option<bool> {
    match result {
        Err(PushFailure::Unavailable(unavailable)) => Some(unavailable.confirmed),
        Ok(()) | Err(PushFailure::Refused(_)) => None,
    }
}

fn refused(result: &Result<(), PushFailure>) -> &str {
    match result {
        Err(PushFailure::Refused(why)) => why,
        Ok(()) | Err(PushFailure::Unavailable(_)) => panic!("not refused: {result:?}"),
    }
}

#[tokio::test]
async fn a_hint_tells_who_asks_and_is_signed() {
    let notifier = Notifier::that(OK).await;
    assert_eq!(webhook(&notifier).ring(&hint("alice", 0)).await, Ok(()));
    let [heard] = &notifier.heard()[..] else { panic!("one request") };
    assert!(heard.head.starts_with("POST /vestibule?site=1 HTTP/1.1\r\n"));
    assert_eq!(heard.header("content-type"), "application/json");
    let expected = serde_json::json!({
        "event": "prompt", "prompt": "abababababababababababababababab", "user": "alice", "device": "d1", "client": "hq-asa",
        "station": "203.0.113.9", "account": "Example Corp", "time": "2023-11-14T22:13:20Z", "expires": "2023-11-14T22:15:20Z",
    });
    assert_eq!(heard.json(), expected);
    // The notifier's own way to check, over the octets as they came.
    let header = heard.header("vestibule-signature");
    let (t, v1) = header.strip_prefix("t=").unwrap().split_once(",v1=").unwrap();
    assert_eq!(t, "1700000000");
    let signed = [t.as_bytes(), b".", &heard.body].concat();
    let mac = Hmac::<Sha256>::new_from_slice(KEY.as_bytes()).unwrap().chain_update(signed);
    mac.verify_slice(&data_encoding::HEXLOWER.decode(v1.as_bytes()).unwrap()).unwrap();
}

#[tokio::test]
async fn a_withdrawal_is_told_under_the_same_prompt() {
    let notifier = Notifier::that(OK).await;
    assert_eq!(webhook(&notifier).withdraw(&hint("alice", 0)).await, Ok(()));
    assert_eq!(notifier.events(), ["withdrawn"]);
    assert_eq!(notifier.heard()[0].json()["prompt"], "abababababababababababababababab");
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let target = Notifier::that(OK).await;
    let answer = format!("HTTP/1.1 307 Temporary Redirect\r\nLocation: {}\r\nContent-Length: 0\r\n\r\n", target.url());
    let notifier = Notifier::that(Answers::Octets(answer.leak())).await;
    let result = webhook(&notifier).ring(&hint("alice", 0)).await;
    assert!(refused(&result).contains("redirects are not followed"), "{result:?}");
    assert!(target.heard().is_empty());
}

#[tokio::test]
async fn an_answer_without_end_is_cut() {
    let notifier = Notifier::that(Answers::Endless).await;
    assert_eq!(webhook(&notifier).ring(&hint("alice", 0)).await, Ok(()));
    notifier.hung_up.notified().await;
}

#[tokio::test]
async fn a_notifier_that_hangs_is_left_in_time() {
    let notifier = Notifier::that(Answers::Hang).await;
    let result = impatient(&notifier).ring(&hint("alice", 0)).await;
    assert!(confirmed(&result).is_some(), "{result:?}");
}

#[tokio::test]
async fn what_the_notifier_refuses_is_never_an_outage() {
    for status in [
        "400 Bad Request",
        "401 Unauthorized",
        "404 Not Found",
        "410 Gone",
        "429 Too Many Requests",
        "304 Not Modified",
    ] {
        let notifier =
            Notifier::that(Answers::Octets(format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n").leak())).await;
        let webhook = webhook(&notifier);
        for user in ["a", "b", "c", "d"] {
            let result = webhook.ring(&hint(user, 0)).await;
            assert!(refused(&result).contains(&status[..3]));
        }
        assert_eq!(notifier.heard().len(), 4, "no probe and no breaker");
    }
}

#[tokio::test]
async fn an_answer_that_is_no_http_is_no_outage() {
    for answers in [Answers::Octets("I am a teapot\r\n\r\n"), Answers::Close] {
        let notifier = Notifier::that(answers).await;
        let webhook = webhook(&notifier);
        for user in ["a", "b", "c", "d"] {
            refused(&webhook.ring(&hint(user, 0)).await);
        }
    }
}

#[tokio::test]
async fn an_outage_is_confirmed_by_a_probe_and_then_nobody_waits_for_it() {
    let notifier = Notifier::that(BROKEN).await;
    let webhook = webhook(&notifier);
    assert_eq!(confirmed(&webhook.ring(&hint("alice", 0)).await), Some(true));
    assert_eq!(notifier.events(), ["prompt", "probe"]);
    assert_eq!(notifier.heard()[1].json().as_object().unwrap().len(), 2, "a probe names nobody");
    assert_eq!(confirmed(&webhook.ring(&hint("bob", 1)).await), Some(true));
    assert_eq!(confirmed(&webhook.withdraw(&hint("bob", 1)).await), Some(true));
    assert_eq!(notifier.heard().len(), 2);
    notifier.now(OK);
    assert_eq!(webhook.ring(&hint("bob", 15)).await, Ok(()));
    assert_eq!(webhook.ring(&hint("alice", 15)).await, Ok(()));
}

#[tokio::test]
async fn one_persons_failing_push_is_not_confirmed_while_the_probe_is_well() {
    // A notifier that breaks on alice's hints and on nothing else.
    let notifier = Notifier::that_first([BROKEN, OK, BROKEN, OK]).await;
    let webhook = webhook(&notifier);
    assert_eq!(confirmed(&webhook.ring(&hint("alice", 0)).await), Some(false));
    assert_eq!(confirmed(&webhook.ring(&hint("alice", 6)).await), Some(false));
    assert_eq!(notifier.events(), ["prompt", "probe", "prompt", "probe"]);
    assert_eq!(webhook.ring(&hint("carol", 7)).await, Ok(()));
}

#[tokio::test]
async fn nobody_at_the_port_is_an_outage() {
    // It is taken, so that nobody else comes to listen there, and nobody listens.
    let deaf = TcpSocket::new_v4().unwrap();
    deaf.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let port = deaf.local_addr().unwrap().port();
    let webhook = built(&settings(&format!("http://127.0.0.1:{port}/"))).unwrap();
    assert_eq!(confirmed(&webhook.ring(&hint("alice", 0)).await), Some(true));
}

#[tokio::test]
async fn a_failed_tls_handshake_is_an_outage() {
    let notifier = Notifier::that(OK).await;
    let url = notifier.url().replace("http:", "https:");
    let ca = Some(CA.as_bytes().to_vec());
    let webhook = built_with(&WebhookSettings { ca, ..settings(&url) }, Duration::from_millis(200), 1).unwrap();
    assert!(confirmed(&webhook.ring(&hint("alice", 0)).await).is_some());
    assert!(notifier.heard().is_empty());
}

/// The one thread of this runtime is kept busy, as all of a server's are when it is starved: nothing of the answer is heard in time.
#[tokio::test]
async fn what_a_starved_runtime_did_not_hear_is_no_outage_and_is_confirmed_by_nobody() {
    let notifier = Notifier::that(Answers::Hang).await;
    let telemetry = Telemetry::new();
    let webhook = Webhook::with(&settings(&notifier.url()), telemetry.clone(), Duration::from_millis(300), 4).unwrap();
    // A beat each 100 ms, as `serve` gives it; the time that the thread was kept is in the tick of the next one.
    let tick = Arc::new(AtomicU64::new(1));
    let beating = tokio::spawn({
        let (pulse, tick) = (telemetry.pulse().clone(), Arc::clone(&tick));
        async move {
            loop {
                pulse.beat(Tick(tick.fetch_add(100, Ordering::Relaxed)));
                let _ = tokio::time::timeout(crate::telemetry::pulse::BEAT_EVERY, std::future::pending::<()>()).await;
            }
        }
    });
    while telemetry.pulse().mark().is_unwatched() {
        tokio::task::yield_now().await;
    }
    let ringing = hint("alice", 0);
    let rung = webhook.ring(&ringing);
    let starving = async {
        while notifier.heard().is_empty() {
            tokio::task::yield_now().await;
        }
        let (_nobody, never) = std::sync::mpsc::sync_channel::<()>(0);
        let _ = never.recv_timeout(Duration::from_millis(1500));
        tick.fetch_add(1500, Ordering::Relaxed);
    };
    let (rang, ()) = tokio::join!(rung, starving);
    assert!(refused(&rang).contains("too slow"), "{rang:?}");
    assert_eq!(notifier.events(), ["prompt"], "nor is anything probed");
    // The same silence, heard by a process that has its time, is one.
    assert!(confirmed(&webhook.ring(&hint("bob", 1)).await).is_some());
    beating.abort();
}

#[tokio::test]
async fn a_name_that_never_could_be_looked_up_is_no_outage_whoever_asks() {
    let webhook = built(&settings("http://nobody.invalid:8080/")).unwrap();
    for user in ["a", "b", "c", "d"] {
        assert!(refused(&webhook.ring(&hint(user, 0)).await).contains("can't be looked up"));
    }
}

#[tokio::test]
async fn our_own_queue_is_never_an_outage() {
    let told = Arc::new(Notify::new());
    let notifier = Notifier::that(Answers::When(Arc::clone(&told))).await;
    let webhook = built_with(&settings(&notifier.url()), Duration::from_secs(3600), 1).unwrap();
    let waiting = webhook.queue.fill_waiting();
    let busy = webhook.queue.permit().await.unwrap();
    assert!(refused(&webhook.ring(&hint("alice", 0)).await).contains("too many"));
    drop((waiting, busy));
    told.notify_one();
    assert_eq!(webhook.ring(&hint("alice", 0)).await, Ok(()));
    assert_eq!(notifier.heard().len(), 1);
}

#[tokio::test]
async fn a_name_that_leads_inside_is_refused_and_is_no_outage() {
    let notifier = Notifier::that(OK).await;
    let url = format!("https://localhost:{}/", notifier.port);
    let webhook =
        built(&WebhookSettings { ca: Some(CA.as_bytes().to_vec()), allow_private: false, ..settings(&url) }).unwrap();
    for user in ["a", "b", "c", "d"] {
        assert!(refused(&webhook.ring(&hint(user, 0)).await).contains("allow_private"));
    }
    assert!(notifier.heard().is_empty());
}

#[tokio::test]
async fn a_name_that_leads_inside_is_reached_where_that_is_allowed() {
    let notifier = Notifier::that(OK).await;
    let webhook = built(&settings(&format!("http://localhost:{}/", notifier.port))).unwrap();
    assert_eq!(webhook.ring(&hint("alice", 0)).await, Ok(()));
}

fn mistake(url: &str, allow_private: bool) -> WebhookMistake {
    built(&WebhookSettings { allow_private, ..settings(url) }).map(|_| url.to_owned()).unwrap_err()
}

#[test]
fn an_address_in_the_url_is_judged_in_every_spelling() {
    for host in
        ["127.0.0.1", "0x7f.1", "2130706433", "10.0.0.1", "[::1]", "[::ffff:10.0.0.1]", "169.254.169.254", "[fe80::1]"]
    {
        assert!(matches!(mistake(&format!("https://{host}/"), false), WebhookMistake::Address(_)), "{host}");
    }
    assert!(matches!(mistake("https://169.254.169.254/", true), WebhookMistake::Address(_)));
    assert!(matches!(mistake("http://8.8.8.8/", true), WebhookMistake::Address(_)));
}

#[test]
fn mistakes_in_the_settings_are_told_to_their_author() {
    assert!(matches!(mistake("http://notify.example.com/", false), WebhookMistake::Scheme(_)));
    assert!(matches!(mistake("ftp://notify.example.com/", true), WebhookMistake::Scheme(_)));
    assert!(matches!(mistake("notify.example.com", false), WebhookMistake::Url(_)));
    assert_eq!(mistake("https://user:pw@notify.example.com/", false), WebhookMistake::Credentials);
    let short = WebhookSettings { key: Secret::new("short"), ..settings("https://notify.example.com/") };
    assert_eq!(built(&short).unwrap_err(), WebhookMistake::Key(5));
    for ca in ["", "not a certificate"] {
        let ca = Some(ca.as_bytes().to_vec());
        assert!(matches!(
            built(&WebhookSettings { ca, ..settings("https://notify.example.com/") }),
            Err(WebhookMistake::Ca(_))
        ));
    }
}

#[test]
fn nothing_secret_is_printed() {
    let settings = settings("http://127.0.0.1/x");
    let shown = format!("{settings:?} {:?}", built(&settings).unwrap());
    assert!(!shown.contains(KEY), "{shown}");
}

/// A certificate that nobody here has the key of.
const CA: &str = "\
-----BEGIN CERTIFICATE-----
MIIBeDCCAR+gAwIBAgIUSDc/yJdBq1gHJ6oAtQI1h1jiS1AwCgYIKoZIzj0EAwIw
ETEPMA0GA1UEAwwGbm9ib2R5MCAXDTI2MTEyNDE0MDcwNVoYDzIxMjYxMDMxMTQw
NzA1WjARMQ8wDQYDVQQDDAZub2JvZHkwWTATBgcqhkjOPQIBBggqhkjOPQMBBwNC
AARxw2DOxMxjKunpLmxnnKZ8kp2tV3KFYb2/BtUQI5PCZsBKnGBXFgNCniIb3SxF
HQOqPYDeaxU6oQL4bVsPMLQqo1MwUTAdBgNVHQ4EFgQUXygbgrXa1ITp96y6qjEJ
Ucrdx/EwHwYDVR0jBBgwFoAUXygbgrXa1ITp96y6qjEJUcrdx/EwDwYDVR0TAQH/
BAUwAwEB/zAKBggqhkjOPQQDAgNHADBEAiB/THovlF8gPqwXvKynaewp7z/Q3CNG
SBbihGFIMNk5AwIgRlEOXoaeQVEfU44OscumhLVucfXAs/wX509WZaTWFP0=
-----END CERTIFICATE-----";
