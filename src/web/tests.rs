//! Strangers at the door, over real sockets: slow, greedy, many, forging; and certificates that change under open connections.

use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::Extension;
use axum::routing::{get, post};
use login::Wall;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_util::sync::CancellationToken;

use super::*;
use crate::config::{Config, NoFiles, PublicUrl};
use crate::telemetry::Telemetry;

const HOUR: Duration = Duration::from_secs(3600);
const INSTANT: Duration = Duration::from_millis(50);
/// How long a test waits for what must come.
const GENEROUS: Duration = Duration::from_secs(30);
/// In the year 2026.
const NOW: Wall = Wall(1_790_000_000_000);
const HOST: &str = "mfa.example.com";

/// No limit of these ends a test early; each test sets the one that it is about.
const NO_HURRY: DoorLimits = DoorLimits {
    connections_max: 64,
    connections_per_address_max: 64,
    held_max: 64,
    handshake_within: HOUR,
    headers_within: HOUR,
    connection_within: None,
    stop_within: HOUR,
};

struct Site {
    at: SocketAddr,
    telemetry: Telemetry,
    cancel: CancellationToken,
    task: JoinHandle<()>,
}

async fn site(pages: Router, limits: DoorLimits) -> Site {
    site_with(pages, limits, None, "").await
}

async fn site_with(pages: Router, limits: DoorLimits, certificates: Option<Certificates>, proxies: &str) -> Site {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (at, telemetry, cancel) = (listener.local_addr().unwrap(), Telemetry::new(), CancellationToken::new());
    let trusted_proxies = proxies.split_whitespace().map(|net| net.parse().unwrap()).collect();
    let door = Door { name: "portal", certificates, trusted_proxies, limits };
    let task = tokio::spawn(serve(listener, pages, door, telemetry.clone(), cancel.clone()));
    Site { at, telemetry, cancel, task }
}

impl Site {
    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.at).await.unwrap()
    }

    async fn get(&self, path: &str, headers: &str) -> String {
        ask(&mut self.connect().await, &format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{headers}\r\n"))
            .await
    }

    fn refused(&self, reason: &str) -> bool {
        let line = format!("vestibule_page_refusals_total{{pages=\"portal\",reason=\"{reason}\"}}");
        self.telemetry.render().lines().any(|found| found.starts_with(&line))
    }
}

async fn ask<S: AsyncRead + AsyncWrite + Unpin>(stream: &mut S, request: &str) -> String {
    // Who is refused early may be cut off while it still writes.
    let _ = stream.write_all(request.as_bytes()).await;
    to_end(stream).await
}

async fn to_end<S: AsyncRead + Unpin>(stream: &mut S) -> String {
    let mut answer = Vec::new();
    // A connection that is cut may be reset; what came before counts.
    let _ = timeout(GENEROUS, stream.read_to_end(&mut answer)).await.unwrap();
    String::from_utf8(answer).unwrap()
}

/// Comes again until it is served.
async fn served(comes: impl AsyncFn() -> bool) {
    timeout(GENEROUS, async { while !comes().await {} }).await.expect("it is never served");
}

/// One answer of a connection that stays open.
async fn answer<S: AsyncRead + Unpin>(stream: &mut S) -> String {
    let mut text = Vec::new();
    while !text.ends_with(b"end") {
        text.push(timeout(GENEROUS, stream.read_u8()).await.unwrap().unwrap());
    }
    String::from_utf8(text).unwrap()
}

fn pages() -> Router {
    Router::new()
        .route("/", get(|| async { "end" }))
        .route("/who", get(|Extension(from): Extension<ClientAddress>| async move { from.0.to_string() }))
        .route("/echo", post(|body: String| async move { body }))
}

fn url(text: &str) -> PublicUrl {
    let text = format!(
        "[admin]\nurl = \"{text}\"\nlisten = \"127.0.0.1:8444\"\nroles = {{ admin = \"a\" }}\n[[rule]]\nname = \"all\"\nsecond_factor = [\"totp\"]\n"
    );
    let loaded = Config::parse("vestibule.toml", &text, &NoFiles, []).unwrap_or_else(|mistakes| panic!("{mistakes}"));
    loaded.config.admin.unwrap().pages.url
}

// ---- certificates -------------------------------------------------------------------------------

struct Paper {
    chain: String,
    key: String,
    der: CertificateDer<'static>,
}

fn paper_until(host: &str, last_year: i32) -> Paper {
    let key = rcgen::KeyPair::generate().unwrap();
    let mut request = rcgen::CertificateParams::new([host.to_owned()]).unwrap();
    request.not_before = rcgen::date_time_ymd(2020, 1, 1);
    request.not_after = rcgen::date_time_ymd(last_year, 1, 1);
    let certificate = request.self_signed(&key).unwrap();
    Paper { chain: certificate.pem(), key: key.serialize_pem(), der: certificate.der().clone() }
}

fn paper() -> Paper {
    paper_until(HOST, 2040)
}

impl Paper {
    fn chain(&self) -> Chain {
        Chain::from_pem(self.chain.as_bytes(), self.key.as_bytes()).unwrap()
    }

    fn in_force(&self) -> Certificates {
        let certificates = Certificates::new();
        certificates.take(self.chain(), NOW).unwrap();
        certificates
    }

    fn write(&self, directory: &Path) -> CertificateFiles {
        let (certificate, key) = (directory.join("cert.pem"), directory.join("cert.key"));
        std::fs::write(&certificate, &self.chain).unwrap();
        std::fs::write(&key, &self.key).unwrap();
        std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o600)).unwrap();
        CertificateFiles::new(&certificate, &key)
    }
}

async fn tls(site: &Site, trusted: &[&Paper]) -> std::io::Result<TlsStream<TcpStream>> {
    let mut roots = RootCertStore::empty();
    trusted.iter().for_each(|paper| roots.add(paper.der.clone()).unwrap());
    let config = ClientConfig::builder_with_provider(certificates::provider())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let host = ServerName::try_from(HOST).unwrap();
    timeout(GENEROUS, TlsConnector::from(Arc::new(config)).connect(host, site.connect().await)).await.unwrap()
}

fn shown(stream: &TlsStream<TcpStream>) -> CertificateDer<'static> {
    stream.get_ref().1.peer_certificates().unwrap()[0].clone().into_owned()
}

#[tokio::test]
async fn a_new_certificate_is_shown_to_new_connections_and_open_ones_go_on() {
    let (old, new) = (paper(), paper());
    let certificates = old.in_force();
    let site = site_with(pages(), NO_HURRY, Some(certificates.clone()), "").await;
    let mut before = tls(&site, &[&old]).await.unwrap();
    assert_eq!(shown(&before), old.der);
    certificates.take(new.chain(), NOW).unwrap();
    let mut after = tls(&site, &[&new]).await.unwrap();
    assert_eq!(shown(&after), new.der);
    for stream in [&mut before, &mut after] {
        stream.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
        assert!(answer(stream).await.starts_with("HTTP/1.1 200"));
    }
    assert!(tls(&site, &[&old]).await.is_err(), "who trusts the old one only is not served with it");
}

#[tokio::test]
async fn without_a_certificate_handshakes_end_and_are_counted() {
    let site = site_with(pages(), NO_HURRY, Some(Certificates::new()), "").await;
    assert!(tls(&site, &[]).await.is_err());
    site.cancel.cancel();
    timeout(GENEROUS, site.task).await.unwrap().unwrap();
    let line = "vestibule_page_refusals_total{pages=\"portal\",reason=\"handshake\"} 1";
    assert!(site.telemetry.render().contains(line));
}

#[tokio::test]
async fn plain_http_at_a_tls_door_gets_nothing() {
    let site = site_with(pages(), NO_HURRY, Some(paper().in_force()), "").await;
    assert!(!site.get("/", "").await.contains("200 OK"));
}

#[tokio::test]
async fn a_peer_that_never_shakes_hands_is_cut_off_and_counted() {
    let limits = DoorLimits { connections_max: 1, handshake_within: INSTANT, ..NO_HURRY };
    let paper = paper();
    let site = site_with(pages(), limits, Some(paper.in_force()), "").await;
    let mut silent = site.connect().await;
    assert_eq!(to_end(&mut silent).await, "");
    assert!(site.refused("slow"));
    // Its slot is free again. On a busy machine the short limit may cut off a newcomer, too.
    served(async || tls(&site, &[&paper]).await.is_ok()).await;
}

#[test]
fn broken_files_keep_the_old_certificate_and_say_what_is_wrong() {
    let directory = tempfile::tempdir().unwrap();
    let good = paper();
    let mut files = good.write(directory.path());
    let certificates = Certificates::new();
    certificates.take(files.look().unwrap().unwrap(), NOW).unwrap();
    assert!(files.look().is_none(), "unchanged files are not read again");

    let says = |files: &mut CertificateFiles| match files.look() {
        Some(Ok(chain)) => {
            certificates.take(chain, NOW).map_or_else(|trouble| trouble.to_string(), |()| "taken".into())
        }
        Some(Err(trouble)) => trouble.to_string(),
        None => "unchanged".to_owned(),
    };
    let put = |name: &str, text: &str| std::fs::write(directory.path().join(name), text).unwrap();
    put("cert.pem", "half a file, not yet writ");
    assert!(says(&mut files).contains("there is no certificate in PEM"));
    put("cert.pem", &paper().chain);
    assert!(says(&mut files).contains("does not belong"));
    put("cert.key", "");
    assert!(says(&mut files).contains("there is no private key"));
    std::fs::remove_file(directory.path().join("cert.key")).unwrap();
    assert!(says(&mut files).contains("must be able to read it"));
    let ended = paper_until(HOST, 2021);
    ended.write(directory.path());
    assert!(says(&mut files).contains("it ended on 2021-01-01, and the one in force has not"));
    std::fs::set_permissions(directory.path().join("cert.key"), std::fs::Permissions::from_mode(0o644)).unwrap();
    put("cert.key", &good.key);
    assert!(says(&mut files).contains("others may read this key"));
    assert_eq!(certificates.in_force().unwrap().not_after, good.chain().not_after, "the first is still there");
    paper().write(directory.path());
    assert_eq!(says(&mut files), "taken");
}

#[test]
fn a_certificate_is_for_its_names_and_a_star_stands_for_one_label() {
    let of = |name: &str| paper_until(name, 2040).chain();
    assert!(of(HOST).is_for("MFA.example.com"));
    assert!(!of(HOST).is_for("example.com"));
    assert!(of("*.example.com").is_for(HOST));
    assert!(!of("*.example.com").is_for("a.mfa.example.com"));
    assert!(!of("*.example.com").is_for("example.com"));
    assert!(of("192.0.2.1").is_for("192.0.2.1"));
}

// ---- bounds -------------------------------------------------------------------------------------

#[tokio::test]
async fn a_peer_that_never_ends_its_headers_is_cut_off_and_the_next_one_is_served() {
    let site = site(pages(), DoorLimits { connections_max: 1, headers_within: INSTANT, ..NO_HURRY }).await;
    let mut slow = site.connect().await;
    slow.write_all(b"GET / HTTP/1.1\r\nHost:").await.unwrap();
    // The one slot is taken until the limit frees it: this answer waits for that.
    served(async || site.get("/", "").await.contains("200 OK")).await;
    assert!(!to_end(&mut slow).await.contains("200 OK"));
}

#[tokio::test]
async fn headers_without_end_are_refused() {
    let site = site(pages(), NO_HURRY).await;
    assert!(!site.get("/", &format!("x: {}\r\n", "a".repeat(64 * 1024))).await.contains("200 OK"));
}

#[tokio::test]
async fn a_giant_body_is_refused_before_a_route_sees_it() {
    let site = site(quick(pages()), NO_HURRY).await;
    let post = |length: usize, body: &str| {
        format!("POST /echo HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n{body}")
    };
    let fits = "b".repeat(16 * 1024);
    assert!(ask(&mut site.connect().await, &post(fits.len(), &fits)).await.ends_with(&fits));
    // Said to be long: not an octet of it is waited for.
    let said = ask(&mut site.connect().await, &post(16 * 1024 + 1, "")).await;
    assert!(said.starts_with("HTTP/1.1 413"), "{said}");
    // Not said: it is read to the bound and no further.
    let chunk = format!("4000\r\n{}\r\n", "c".repeat(0x4000));
    let chunked = format!(
        "POST /echo HTTP/1.1\r\nHost: x\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n{chunk}{chunk}"
    );
    let found = ask(&mut site.connect().await, &chunked).await;
    assert!(found.starts_with("HTTP/1.1 413"), "{found}");
}

#[tokio::test]
async fn a_body_that_drips_is_cut_off_at_routes_that_wait_too() {
    let bounds = Bounds { body_within: INSTANT, answer_within: None, ..Bounds::default() };
    let site = site(bounded(pages(), bounds), NO_HURRY).await;
    let drip = "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nb";
    let found = ask(&mut site.connect().await, drip).await;
    assert!(found.starts_with("HTTP/1.1 408"), "{found}");
}

#[tokio::test]
async fn a_route_that_never_answers_is_cut_off_unless_it_waits_on_purpose() {
    let pages = || Router::new().route("/wait", get(std::future::pending::<&'static str>));
    let cut = bounded(pages(), Bounds { answer_within: Some(INSTANT), ..Bounds::default() });
    let waits = Router::new().nest("/patient", patient(pages()));
    let site = site(cut.merge(waits), NO_HURRY).await;
    let mut patient = site.connect().await;
    patient.write_all(b"GET /patient/wait HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
    assert!(site.get("/wait", "").await.starts_with("HTTP/1.1 503"));
    assert!(timeout(INSTANT, patient.read_u8()).await.is_err(), "the other still waits");
}

/// A route that waits until somebody lets it go on, held as a phone's poll is or only worked on; how often it was begun.
fn waits(held: bool) -> (Router, Arc<tokio::sync::Semaphore>, Arc<tokio::sync::Semaphore>) {
    let (go, begun) = (Arc::new(tokio::sync::Semaphore::new(0)), Arc::new(tokio::sync::Semaphore::new(0)));
    let (goes, begins) = (Arc::clone(&go), Arc::clone(&begun));
    let wait = move |Extension(connection): Extension<Connection>| {
        let (goes, begins) = (Arc::clone(&goes), Arc::clone(&begins));
        async move {
            let _held = held.then(|| connection.hold().unwrap());
            begins.add_permits(1);
            goes.acquire().await.unwrap().forget();
            "end"
        }
    };
    (patient(pages().route("/wait", get(wait))), go, begun)
}

#[tokio::test]
async fn one_address_has_its_share_and_no_more_and_a_named_proxy_has_no_such_bound() {
    let limits = DoorLimits { connections_per_address_max: 2, ..NO_HURRY };
    let (pages, go, begun) = waits(false);
    let one = site(pages.clone(), limits).await;
    let (mut first, mut second) = (one.connect().await, one.connect().await);
    for stream in [&mut first, &mut second] {
        stream.write_all(b"GET /wait HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
    }
    begun.acquire_many(2).await.unwrap().forget();
    let mut third = one.connect().await;
    assert_eq!(to_end(&mut third).await, "", "both are being answered");
    assert!(one.refused("crowded"));
    go.add_permits(2);
    assert!(answer(&mut first).await.contains("200 OK") && answer(&mut second).await.contains("200 OK"));
    assert!(one.get("/", "").await.contains("200 OK"), "they rest now, and one of them gives way");
    assert!(one.refused("gave_way"));

    let other = site_with(pages, limits, None, "127.0.0.1/32").await;
    let _many = [other.connect().await, other.connect().await, other.connect().await];
    assert!(other.get("/", "").await.contains("200 OK"));
}

#[tokio::test]
async fn whoever_rests_or_is_slow_gives_way_to_a_newcomer_and_whoever_is_held_does_not() {
    let (pages, go, begun) = waits(true);
    let site = site(pages, DoorLimits { connections_max: 2, ..NO_HURRY }).await;
    let mut phone = site.connect().await;
    phone.write_all(b"GET /wait HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
    begun.acquire().await.unwrap().forget();
    // One says nothing, and one is in the middle of its body: both cost only a place.
    let (mut silent, mut slow) = (site.connect().await, site.connect().await);
    slow.write_all(b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nhalf").await.unwrap();
    let mut newcomers = Vec::new();
    for _ in 0..6 {
        let mut newcomer = site.connect().await;
        newcomer.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
        assert!(answer(&mut newcomer).await.contains("200 OK"));
        newcomers.push(newcomer);
    }
    assert_eq!((to_end(&mut silent).await, to_end(&mut slow).await), (String::new(), String::new()));
    go.add_permits(1);
    assert!(answer(&mut phone).await.contains("200 OK"), "the phone still waits");
}

#[tokio::test]
async fn a_newcomer_waits_while_all_are_being_answered() {
    let (pages, go, begun) = waits(false);
    let site = site(pages, DoorLimits { connections_max: 2, ..NO_HURRY }).await;
    let mut both = [site.connect().await, site.connect().await];
    for stream in &mut both {
        stream.write_all(b"GET /wait HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
    }
    begun.acquire_many(2).await.unwrap().forget();
    let mut third = site.connect().await;
    third.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
    assert!(timeout(INSTANT, third.read_u8()).await.is_err(), "it waits");
    go.add_permits(1);
    assert!(answer(&mut third).await.contains("200 OK"));
}

#[tokio::test]
async fn a_connection_of_age_ends_after_the_answer_that_is_under_way() {
    let limits = DoorLimits { connection_within: Some(INSTANT), ..NO_HURRY };
    let site = site(pages(), limits).await;
    let mut old = site.connect().await;
    // Idle: closed without an answer, long before its header limit.
    assert_eq!(to_end(&mut old).await, "");
}

#[tokio::test]
async fn a_server_that_stops_lets_open_answers_end_and_takes_no_more() {
    let (go, going) = tokio::sync::oneshot::channel::<()>();
    let (began, begun) = tokio::sync::oneshot::channel::<()>();
    let hand = Arc::new(std::sync::Mutex::new(Some((began, going))));
    let wait = move || async move {
        let taken = hand.lock().unwrap().take();
        let (began, going) = taken.unwrap();
        began.send(()).unwrap();
        going.await.unwrap();
        "end"
    };
    let site = site(Router::new().route("/", get(wait)), NO_HURRY).await;
    let mut open = site.connect().await;
    open.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
    begun.await.unwrap();
    site.cancel.cancel();
    while TcpStream::connect(site.at).await.is_ok() {
        tokio::task::yield_now().await;
    }
    go.send(()).unwrap();
    assert!(answer(&mut open).await.contains("200 OK"));
    timeout(GENEROUS, site.task).await.unwrap().unwrap();
}

// ---- addresses and headers ----------------------------------------------------------------------

#[tokio::test]
async fn a_forwarded_address_counts_only_from_a_named_proxy() {
    let forged = "X-Forwarded-For: 10.1.1.1\r\nForwarded: for=10.1.1.1\r\n";
    let open = site(pages(), NO_HURRY).await;
    assert!(open.get("/who", forged).await.ends_with("127.0.0.1"));
    let elsewhere = site_with(pages(), NO_HURRY, None, "10.0.0.2/32").await;
    assert!(elsewhere.get("/who", forged).await.ends_with("127.0.0.1"));
    let behind = site_with(pages(), NO_HURRY, None, "127.0.0.1/32").await;
    assert!(behind.get("/who", "X-Forwarded-For: 10.1.1.1, 203.0.113.9\r\n").await.ends_with("\r\n\r\n203.0.113.9"));
    assert!(behind.get("/who", "").await.ends_with("\r\n\r\n0.0.0.0"));
}

#[tokio::test]
async fn every_page_carries_the_strict_headers_even_an_error() {
    let site = site(guarded(quick(pages()), &url("https://mfa.example.com")), NO_HURRY).await;
    for path in ["/", "/nowhere"] {
        let page = site.get(path, "").await.to_lowercase();
        for header in [
            "content-security-policy: default-src 'none'; object-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; \
             connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'; manifest-src 'self'; \
             worker-src 'self'\r\n",
            "x-content-type-options: nosniff\r\n",
            "referrer-policy: no-referrer\r\n",
            "cross-origin-opener-policy: same-origin\r\n",
            "cross-origin-resource-policy: same-origin\r\n",
            "permissions-policy: camera=(self), microphone=(), geolocation=(), payment=(), usb=(), serial=(), hid=(), \
             midi=(), display-capture=(), accelerometer=(), gyroscope=(), magnetometer=()\r\n",
            "strict-transport-security: max-age=31536000\r\n",
            "cache-control: no-store\r\n",
        ] {
            assert!(page.contains(header), "{path} lacks {header}: {page}");
        }
        assert!(!page.contains("server:") && !page.contains(env!("CARGO_PKG_VERSION")), "{page}");
    }
}

#[tokio::test]
async fn plain_http_promises_no_tls_and_a_route_may_let_itself_be_kept() {
    let kept = Router::new().route("/kept", get(|| async { ([("cache-control", "max-age=60")], "end") }));
    let site = site(guarded(kept, &url("http://127.0.0.1:8444")), NO_HURRY).await;
    let page = site.get("/kept", "").await;
    assert!(!page.to_lowercase().contains("strict-transport-security"), "{page}");
    assert!(page.contains("cache-control: max-age=60\r\n"), "{page}");
}
