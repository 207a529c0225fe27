//! Certificates over ACME, against an authority of the tests' own that really connects: by both proofs, kept over a restart,
//! and what is said when it can't be had.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that can't go on fails")]

mod anyone;
mod authority;

use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use authority::Authority;
use login::Wall;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_util::sync::CancellationToken;
use vestibule::config::{AcmeConfig, Config, NoFiles, TlsSource};
use vestibule::serve::{Extras, Server};
use vestibule::store::StoreKey;
use vestibule::telemetry::Telemetry;
use vestibule::web::acme::{self, Answers, Shelf, Tokens};
use vestibule::web::{self, Certificates, Door, DoorLimits};

const HOST: &str = "mfa.example.com";
const GENEROUS: Duration = Duration::from_secs(60);
/// In the year 2026.
const NOW: Wall = Wall(1_790_000_000_000);

/// A site that asks this authority.
struct Site {
    directory: tempfile::TempDir,
    config: AcmeConfig,
    shelf: Shelf,
}

fn site(authority: &Authority) -> Site {
    let directory = tempfile::tempdir().unwrap();
    let ca = directory.path().join("ca.pem");
    std::fs::write(&ca, authority.root_pem()).unwrap();
    let config = AcmeConfig {
        directory: authority.directory().into(),
        contact: Some("mailto:it@example.com".into()),
        ca: Some(ca),
        http_listen: None,
    };
    let shelf = Shelf::new(directory.path().join("acme"));
    Site { directory, config, shelf }
}

impl Site {
    async fn order(&self, answers: &Answers) -> Result<web::Chain, String> {
        let ordered = acme::order(&self.config, HOST, &self.shelf, answers);
        timeout(GENEROUS, ordered).await.unwrap().map_err(|error| error.to_string())
    }

    fn shelved(&self) -> Vec<(String, u32)> {
        let mut found: Vec<(String, u32)> = std::fs::read_dir(self.directory.path().join("acme"))
            .unwrap()
            .map(|entry| entry.unwrap())
            .map(|entry| {
                let mode = entry.metadata().unwrap().permissions().mode() & 0o777;
                (entry.file_name().into_string().unwrap(), mode)
            })
            .collect();
        found.sort();
        found
    }
}

/// Serves pages there; the address, and what ends them.
async fn pages(certificates: Option<Certificates>, pages: axum::Router) -> (SocketAddr, CancellationToken) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (at, cancel) = (listener.local_addr().unwrap(), CancellationToken::new());
    let door = Door { name: "portal", certificates, trusted_proxies: Arc::default(), limits: DoorLimits::OUTSIDE };
    tokio::spawn(web::serve(listener, pages, door, Telemetry::new(), cancel.clone()));
    (at, cancel)
}

/// Whether a browser that trusts this authority gets through.
async fn is_trusted(authority: &Authority, at: SocketAddr) -> bool {
    let mut roots = RootCertStore::empty();
    roots.add(authority.root()).unwrap();
    let config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let host = ServerName::try_from(HOST).unwrap();
    let stream = TcpStream::connect(at).await.unwrap();
    timeout(GENEROUS, TlsConnector::from(Arc::new(config)).connect(host, stream)).await.unwrap().is_ok()
}

#[tokio::test]
async fn a_certificate_is_proved_on_the_pages_own_socket_and_kept_for_its_owner_only() {
    let authority = Authority::start().await;
    let site = site(&authority);
    let certificates = Certificates::new();
    let (at, _running) = pages(Some(certificates.clone()), axum::Router::new()).await;
    authority.look_at(at);
    let chain = site.order(&Answers::Alpn(certificates.clone())).await.unwrap();
    assert!(chain.is_for(HOST));
    assert!(!is_trusted(&authority, at).await, "nothing is in force before it is taken");
    certificates.take(chain, NOW).unwrap();
    assert!(is_trusted(&authority, at).await);
    assert_eq!(authority.contacts()[0], serde_json::json!(["mailto:it@example.com"]));

    let shelved = site.shelved();
    assert_eq!(shelved.len(), 2);
    assert!(shelved[0].0.starts_with("account-") && shelved[1].0 == "mfa.example.com.pem", "{shelved:?}");
    assert!(shelved.iter().all(|(_, mode)| *mode == 0o600), "{shelved:?}");
    let kept = site.shelf.chain(HOST).unwrap().unwrap();
    assert_eq!(kept.names, [HOST.into()]);

    // The next order is the same account's.
    site.order(&Answers::Alpn(certificates)).await.unwrap();
    assert_eq!((authority.accounts(), authority.orders()), (1, 2));
}

#[tokio::test]
async fn a_certificate_is_proved_on_port_80_which_sends_everybody_else_to_the_pages() {
    let authority = Authority::start().await;
    authority.offer_only("http-01");
    let site = site(&authority);
    let tokens = Tokens::default();
    let url = portal(&authority, site.directory.path()).portal.unwrap().pages.url;
    let (at, _running) = pages(None, tokens.responder(&url)).await;
    authority.look_at(at);
    assert!(site.order(&Answers::Http(tokens)).await.unwrap().is_for(HOST));

    let client = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
    let elsewhere = client.get(format!("http://{at}//evil.example/x")).send().await.unwrap();
    assert_eq!(elsewhere.status(), 308);
    assert_eq!(elsewhere.headers()["location"], "https://mfa.example.com/");
    let spent = client.get(format!("http://{at}/.well-known/acme-challenge/x")).send().await.unwrap();
    assert_eq!(spent.status(), 404);
}

#[tokio::test]
async fn what_keeps_a_certificate_away_is_told_with_what_to_do() {
    let authority = Authority::start().await;
    let site = site(&authority);
    // Somebody else is where the name leads.
    let (elsewhere, _running) = pages(Some(Certificates::new()), axum::Router::new()).await;
    authority.look_at(elsewhere);
    let unproved = site.order(&Answers::Alpn(Certificates::new())).await.err().unwrap();
    assert!(unproved.contains("could not convince itself that mfa.example.com is here"), "{unproved}");
    assert!(unproved.contains("TCP port 443 to `listen`"), "{unproved}");

    authority.offer_only("http-01");
    let none = site.order(&Answers::Alpn(Certificates::new())).await.err().unwrap();
    assert!(none.contains("offers no tls-alpn-01") && none.contains("http_listen = \"0.0.0.0:80\""), "{none}");

    let stranger = Site { config: AcmeConfig { ca: None, ..site.config.clone() }, ..self::site(&authority) };
    let unknown = stranger.order(&Answers::Alpn(Certificates::new())).await.err().unwrap();
    assert!(unknown.contains("can't be asked") && unknown.contains("`ca`"), "{unknown}");
    assert!(site.shelf.chain(HOST).is_none(), "nothing was kept");

    let account = site.shelved().remove(0).0;
    let account = site.directory.path().join("acme").join(account);
    std::fs::set_permissions(&account, std::fs::Permissions::from_mode(0o644)).unwrap();
    let open = site.order(&Answers::Alpn(Certificates::new())).await.err().unwrap();
    assert!(open.contains("others may read this key"), "{open}");
}

#[test]
fn a_chain_is_renewed_after_two_thirds_of_its_life() {
    let key = rcgen::KeyPair::generate().unwrap();
    let mut wanted = rcgen::CertificateParams::new([HOST.to_owned()]).unwrap();
    wanted.not_before = rcgen::date_time_ymd(2026, 1, 1);
    wanted.not_after = rcgen::date_time_ymd(2026, 4, 1);
    let chain = wanted.self_signed(&key).unwrap().pem();
    let chain = web::Chain::from_pem(chain.as_bytes(), key.serialize_pem().as_bytes()).unwrap();
    assert_eq!(web::day(acme::renewal(&chain)), "2026-03-02");
}

/// A whole server's configuration, with sockets that the system chooses.
fn portal(authority: &Authority, directory: &Path) -> Config {
    let text = format!(
        "[store]\nurl = \"sqlite:{at}/vestibule.db\"\nkey_file = \"{at}/store.key\"\n\
         [portal]\nurl = \"https://{HOST}\"\ntls = \"acme\"\n\
         acme = {{ directory = \"{}\", ca = \"{at}/ca.pem\" }}\n\
         [[rule]]\nname = \"all\"\nsecond_factor = [\"totp\"]\n",
        authority.directory(),
        at = directory.display(),
    );
    let mut config =
        Config::parse("vestibule.toml", &text, &NoFiles, []).unwrap_or_else(|mistakes| panic!("{mistakes}")).config;
    let any: SocketAddr = "127.0.0.1:0".parse().unwrap();
    config.radius_listen = vec![any];
    config.metrics_listen = any;
    config.portal.as_mut().unwrap().pages.listen = any;
    assert_eq!(config.portal.as_ref().unwrap().pages.tls, TlsSource::Acme);
    config
}

#[tokio::test]
async fn a_server_gets_its_certificate_while_it_runs_and_has_it_at_once_after_a_restart() {
    let authority = Authority::start().await;
    let site = site(&authority);
    StoreKey::generate(&site.directory.path().join("store.key")).unwrap();
    let config = || portal(&authority, site.directory.path());
    let server = Server::start(config(), Extras::default()).await.unwrap();
    authority.look_at(server.portal().unwrap());
    let trusted = async { while !is_trusted(&authority, server.portal().unwrap()).await {} };
    timeout(GENEROUS, trusted).await.unwrap();
    assert!(server.telemetry().render().contains("vestibule_certificate_ends_timestamp_seconds{pages=\"portal\"} 39"));
    server.stop().await;
    assert_eq!(authority.orders(), 1);

    let server = Server::start(config(), Extras::default()).await.unwrap();
    assert!(is_trusted(&authority, server.portal().unwrap()).await, "from the shelf, before anybody is asked");
    server.stop().await;
    assert_eq!(authority.orders(), 1);
}
