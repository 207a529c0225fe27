//! An ACME server of the tests' own (RFC 8555), apart from the product's code: it checks every signature and nonce, really
//! connects to prove a host, and signs with an authority that nobody else trusts. Every host is where it is told to look.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED, UnparsedPublicKey};
use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use data_encoding::BASE64URL_NOPAD;
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use rcgen::{BasicConstraints, CertificateParams, CertificateSigningRequestParams, IsCa, Issuer, KeyPair, SanType};
use rustls::crypto::aws_lc_rs::default_provider;
use rustls::pki_types::{CertificateDer, CertificateSigningRequestDer, PrivateKeyDer, ServerName};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio_rustls::{TlsAcceptor, TlsConnector};
use x509_parser::prelude::{FromDer, X509Certificate};

use crate::anyone::Anyone;

/// A server that runs; clones are the same one.
#[derive(Clone)]
pub(crate) struct Authority(Arc<Desk>);

struct Desk {
    base: String,
    issuer: Issuer<'static, KeyPair>,
    root: CertificateDer<'static>,
    root_pem: String,
    ledger: Mutex<Ledger>,
    /// Where every host is; until somebody says it, nobody looks.
    look_at: watch::Sender<Option<SocketAddr>>,
}

#[derive(Default)]
struct Ledger {
    /// The proofs that are offered.
    offers: Vec<&'static str>,
    nonces: BTreeSet<String>,
    /// Public keys by account number.
    accounts: Vec<Value>,
    orders: Vec<Order>,
    contacts: Vec<Value>,
}

struct Order {
    host: String,
    account: usize,
    status: &'static str,
    token: String,
    error: Option<String>,
    certificate: Option<String>,
}

impl Authority {
    /// Starts one that offers both proofs.
    pub(crate) async fn start() -> Self {
        let key = KeyPair::generate().unwrap();
        let mut own = CertificateParams::default();
        own.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let root = own.self_signed(&key).unwrap();
        let issuer = Issuer::new(own, key);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("https://{}", listener.local_addr().unwrap());
        let ledger = Ledger { offers: vec!["http-01", "tls-alpn-01"], ..Ledger::default() };
        let acceptor = acceptor(&issuer);
        let (root, root_pem) = (root.der().clone(), root.pem());
        let authority = Self(Arc::new(Desk {
            base,
            issuer,
            root,
            root_pem,
            ledger: Mutex::new(ledger),
            look_at: watch::Sender::new(None),
        }));
        tokio::spawn(authority.clone().serve(listener, acceptor));
        authority
    }

    pub(crate) fn directory(&self) -> String {
        format!("{}/directory", self.0.base)
    }

    pub(crate) fn root_pem(&self) -> &str {
        &self.0.root_pem
    }

    pub(crate) fn root(&self) -> CertificateDer<'static> {
        self.0.root.clone()
    }

    /// Every host is there.
    pub(crate) fn look_at(&self, at: SocketAddr) {
        self.0.look_at.send_replace(Some(at));
    }

    /// Offers this proof alone.
    pub(crate) fn offer_only(&self, kind: &'static str) {
        self.ledger().offers = vec![kind];
    }

    pub(crate) fn accounts(&self) -> usize {
        self.ledger().accounts.len()
    }

    pub(crate) fn contacts(&self) -> Vec<Value> {
        self.ledger().contacts.clone()
    }

    pub(crate) fn orders(&self) -> usize {
        self.ledger().orders.len()
    }

    fn ledger(&self) -> std::sync::MutexGuard<'_, Ledger> {
        self.0.ledger.lock().unwrap()
    }

    async fn serve(self, listener: TcpListener, acceptor: TlsAcceptor) {
        let pages = Router::new()
            .route("/directory", get(directory))
            .route("/nonce", get(|| async {}).head(|| async {}))
            .route("/account", post(signed))
            .route("/order", post(signed))
            .route("/order/{number}", post(signed))
            .route("/authz/{number}", post(signed))
            .route("/challenge/{number}/{kind}", post(signed))
            .route("/finalize/{number}", post(signed))
            .route("/certificate/{number}", post(signed))
            .layer(axum::middleware::map_response_with_state(self.clone(), with_nonce))
            .with_state(self);
        while let Ok((stream, _)) = listener.accept().await {
            let (acceptor, pages) = (acceptor.clone(), TowerToHyperService::new(pages.clone()));
            tokio::spawn(async move {
                let stream = acceptor.accept(stream).await?;
                hyper::server::conn::http1::Builder::new()
                    .serve_connection(TokioIo::new(stream), pages)
                    .await
                    .map_err(io::Error::other)
            });
        }
    }
}

fn acceptor(issuer: &Issuer<'static, KeyPair>) -> TlsAcceptor {
    let key = KeyPair::generate().unwrap();
    let mut own = CertificateParams::default();
    own.subject_alt_names = vec![SanType::IpAddress([127, 0, 0, 1].into())];
    let certificate = own.signed_by(&key, issuer).unwrap();
    let config = rustls::ServerConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], PrivateKeyDer::try_from(key.serialize_der()).unwrap())
        .unwrap();
    TlsAcceptor::from(Arc::new(config))
}

/// RFC 8555 §6.5: "An ACME server provides nonces to clients using the HTTP Replay-Nonce header field".
async fn with_nonce(State(authority): State<Authority>, mut response: Response) -> Response {
    let nonce = BASE64URL_NOPAD.encode(&rand::random::<[u8; 16]>());
    response.headers_mut().insert("replay-nonce", nonce.parse().unwrap());
    authority.ledger().nonces.insert(nonce);
    response
}

async fn directory(State(authority): State<Authority>) -> axum::Json<Value> {
    let at = |path: &str| format!("{}/{path}", authority.0.base);
    axum::Json(json!({ "newNonce": at("nonce"), "newAccount": at("account"), "newOrder": at("order") }))
}

/// What a signed request asks for.
struct Asked {
    account: Option<usize>,
    key: Value,
    payload: Value,
}

type Refusal = (StatusCode, &'static str, String);

async fn signed(
    State(authority): State<Authority>,
    uri: Uri,
    parameters: Path<BTreeMap<String, String>>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let answered = match authority.read(uri.path(), &headers, &body) {
        Ok(asked) => authority.answer(uri.path(), &parameters, &asked),
        Err(refusal) => Err(refusal),
    };
    answered.unwrap_or_else(|(status, kind, detail)| {
        let problem = json!({ "type": format!("urn:ietf:params:acme:error:{kind}"), "detail": detail });
        (status, [(header::CONTENT_TYPE, "application/problem+json")], problem.to_string()).into_response()
    })
}

fn malformed(why: &str) -> Refusal {
    (StatusCode::BAD_REQUEST, "malformed", why.to_owned())
}

impl Authority {
    /// RFC 8555 §6.2–6.5: a JWS under the account's key, for this URL, with a nonce that was not used before.
    fn read(&self, path: &str, headers: &HeaderMap, body: &[u8]) -> Result<Asked, Refusal> {
        if headers.get(header::CONTENT_TYPE).is_none_or(|kind| kind != "application/jose+json") {
            return Err((StatusCode::UNSUPPORTED_MEDIA_TYPE, "malformed", "not application/jose+json".to_owned()));
        }
        let jws: Value = serde_json::from_slice(body).map_err(|_| malformed("no JSON"))?;
        let part = |name: &str| jws[name].as_str().ok_or_else(|| malformed(name));
        let decode = |text: &str| BASE64URL_NOPAD.decode(text.as_bytes()).map_err(|_| malformed("no base64url"));
        let (protected, payload) = (part("protected")?, part("payload")?);
        let head: Value = serde_json::from_slice(&decode(protected)?).map_err(|_| malformed("protected"))?;
        if head["alg"] != "ES256" || head["url"] != format!("{}{path}", self.0.base) {
            return Err(malformed("alg or url"));
        }
        let account = self.account(&head)?;
        let key = match account {
            Some(number) => self.ledger().accounts[number].clone(),
            None => head["jwk"].clone(),
        };
        let coordinate = |name: &str| decode(key[name].as_str().unwrap_or_default());
        let point = [vec![4], coordinate("x")?, coordinate("y")?].concat();
        UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point)
            .verify(format!("{protected}.{payload}").as_bytes(), &decode(part("signature")?)?)
            .map_err(|_| (StatusCode::UNAUTHORIZED, "unauthorized", "the signature is wrong".to_owned()))?;
        if !self.ledger().nonces.remove(head["nonce"].as_str().unwrap_or_default()) {
            return Err((StatusCode::BAD_REQUEST, "badNonce", "used, or none of ours".to_owned()));
        }
        let payload = decode(payload)?;
        let payload = if payload.is_empty() {
            Value::Null
        } else {
            serde_json::from_slice(&payload).map_err(|_| malformed("payload"))?
        };
        Ok(Asked { account, key, payload })
    }

    fn account(&self, head: &Value) -> Result<Option<usize>, Refusal> {
        let Some(kid) = head["kid"].as_str() else { return Ok(None) };
        let number = kid.rsplit('/').next().and_then(|number| number.parse().ok());
        let number = number.filter(|number| *number < self.accounts());
        number.map(Some).ok_or((StatusCode::BAD_REQUEST, "accountDoesNotExist", kid.to_owned()))
    }

    fn answer(&self, path: &str, parameters: &BTreeMap<String, String>, asked: &Asked) -> Result<Response, Refusal> {
        let number = parameters.get("number").and_then(|number| number.parse::<usize>().ok());
        let Some(account) = asked.account else {
            return if path == "/account" { Ok(self.new_account(asked)) } else { Err(malformed("no kid")) };
        };
        let Some(number) = number else { return self.new_order(account, asked) };
        if self.ledger().orders.get(number).is_none_or(|order| order.account != account) {
            return Err((StatusCode::NOT_FOUND, "unauthorized", "no such order of this account".to_owned()));
        }
        match path.split('/').nth(1) {
            Some("order") => Ok(self.order(number, StatusCode::OK)),
            Some("authz") => Ok(axum::Json(self.authorization(number)).into_response()),
            Some("challenge") => Ok(self.begin_to_look(number, &parameters["kind"], &asked.key)),
            Some("finalize") => self.finalize(number, &asked.payload),
            _ => Ok(self.ledger().orders[number].certificate.clone().unwrap_or_default().into_response()),
        }
    }

    fn new_account(&self, asked: &Asked) -> Response {
        let mut ledger = self.ledger();
        ledger.accounts.push(asked.key.clone());
        ledger.contacts.push(asked.payload["contact"].clone());
        let location = format!("{}/account/{}", self.0.base, ledger.accounts.len() - 1);
        let agreed = asked.payload["termsOfServiceAgreed"] == true;
        let status = if agreed { StatusCode::CREATED } else { StatusCode::FORBIDDEN };
        (status, [(header::LOCATION, location)], axum::Json(json!({ "status": "valid" }))).into_response()
    }

    fn new_order(&self, account: usize, asked: &Asked) -> Result<Response, Refusal> {
        let host = asked.payload["identifiers"][0]["value"].as_str().ok_or_else(|| malformed("identifiers"))?;
        let token = BASE64URL_NOPAD.encode(&rand::random::<[u8; 16]>());
        let order = Order { host: host.to_owned(), account, status: "pending", token, error: None, certificate: None };
        let number = {
            let mut ledger = self.ledger();
            ledger.orders.push(order);
            ledger.orders.len() - 1
        };
        Ok(self.order(number, StatusCode::CREATED))
    }

    fn order(&self, number: usize, status: StatusCode) -> Response {
        let at = |what: &str| format!("{}/{what}/{number}", self.0.base);
        let order = json!({
            "status": self.ledger().orders[number].status,
            "authorizations": [at("authz")],
            "finalize": at("finalize"),
            "certificate": at("certificate"),
        });
        (status, [(header::LOCATION, at("order"))], axum::Json(order)).into_response()
    }

    fn challenge(&self, number: usize, kind: &str) -> Value {
        let ledger = self.ledger();
        let order = &ledger.orders[number];
        let status = match order.status {
            "pending" => "pending",
            "invalid" => "invalid",
            _ => "valid",
        };
        let mut challenge = json!({
            "type": kind, "status": status, "token": order.token,
            "url": format!("{}/challenge/{number}/{kind}", self.0.base),
        });
        if let Some(error) = &order.error {
            challenge["error"] = json!({ "type": "urn:ietf:params:acme:error:connection", "detail": error });
        }
        challenge
    }

    fn authorization(&self, number: usize) -> Value {
        let (offers, host, status) = {
            let ledger = self.ledger();
            let order = &ledger.orders[number];
            let status = if matches!(order.status, "pending" | "invalid") { order.status } else { "valid" };
            (ledger.offers.clone(), order.host.clone(), status)
        };
        let challenges: Vec<Value> = offers.iter().map(|kind| self.challenge(number, kind)).collect();
        json!({ "status": status, "identifier": { "type": "dns", "value": host }, "challenges": challenges })
    }

    /// Looks in its own time, as a real one does.
    fn begin_to_look(&self, number: usize, kind: &str, key: &Value) -> Response {
        let (host, token) = {
            let ledger = self.ledger();
            let order = &ledger.orders[number];
            (order.host.clone(), order.token.clone())
        };
        let expected = format!("{token}.{}", thumbprint(key));
        let (authority, kind_) = (self.clone(), kind.to_owned());
        let mut told = self.0.look_at.subscribe();
        tokio::spawn(async move {
            let at = told.wait_for(Option::is_some).await.unwrap().unwrap();
            let seen = match kind_.as_str() {
                "tls-alpn-01" => look_by_tls(&host, at, &expected).await,
                _ => look_by_http(&host, at, &token, &expected).await,
            };
            let mut ledger = authority.ledger();
            let order = &mut ledger.orders[number];
            match seen {
                Ok(()) => order.status = "ready",
                Err(why) => {
                    order.status = "invalid";
                    order.error = Some(why.to_string());
                }
            }
        });
        axum::Json(self.challenge(number, kind)).into_response()
    }

    fn finalize(&self, number: usize, payload: &Value) -> Result<Response, Refusal> {
        if self.ledger().orders[number].status != "ready" {
            return Err((StatusCode::FORBIDDEN, "orderNotReady", "not proved yet".to_owned()));
        }
        let csr = BASE64URL_NOPAD.decode(payload["csr"].as_str().unwrap_or_default().as_bytes());
        let csr = CertificateSigningRequestDer::from(csr.map_err(|_| malformed("csr"))?);
        let mut wanted = CertificateSigningRequestParams::from_der(&csr).map_err(|_| malformed("csr"))?;
        let host = self.ledger().orders[number].host.clone();
        let names: Vec<String> = wanted.params.subject_alt_names.iter().map(name_of).collect();
        if names != [host] {
            return Err((StatusCode::BAD_REQUEST, "badCSR", "other names than the order's".to_owned()));
        }
        wanted.params.not_before = rcgen::date_time_ymd(2026, 1, 1);
        wanted.params.not_after = rcgen::date_time_ymd(2096, 1, 1);
        let certificate = wanted.signed_by(&self.0.issuer).map_err(|_| malformed("csr"))?;
        {
            let mut ledger = self.ledger();
            let order = &mut ledger.orders[number];
            order.certificate = Some(format!("{}{}", certificate.pem(), self.0.root_pem));
            order.status = "valid";
        }
        Ok(self.order(number, StatusCode::OK))
    }
}

fn name_of(name: &SanType) -> String {
    if let SanType::DnsName(name) = name { name.to_string() } else { format!("{name:?}") }
}

/// RFC 7638 §3: SHA-256 over the required members, in their order, without blanks.
fn thumbprint(key: &Value) -> String {
    let text = format!(r#"{{"crv":{},"kty":{},"x":{},"y":{}}}"#, key["crv"], key["kty"], key["x"], key["y"]);
    BASE64URL_NOPAD.encode(&Sha256::digest(text))
}

/// RFC 8737 §3: "acme-tls/1" alone, and a self-signed certificate that is for the one name and holds the digest.
async fn look_by_tls(host: &str, at: SocketAddr, expected: &str) -> io::Result<()> {
    let mut config = Anyone::client();
    config.alpn_protocols = vec![b"acme-tls/1".to_vec()];
    let name = ServerName::try_from(host.to_owned()).map_err(io::Error::other)?;
    let stream = TlsConnector::from(Arc::new(config)).connect(name, TcpStream::connect(at).await?).await?;
    let session = stream.get_ref().1;
    if session.alpn_protocol() != Some(b"acme-tls/1") {
        return Err(io::Error::other("acme-tls/1 was not agreed on"));
    }
    let shown = session.peer_certificates().and_then(|chain| chain.first()).expect("a handshake shows a certificate");
    let (_, certificate) = X509Certificate::from_der(shown).map_err(io::Error::other)?;
    let digest = [&[4, 32][..], &Sha256::digest(expected)].concat();
    let proves = certificate.extensions().iter().any(|extension| {
        extension.oid.to_id_string() == "1.3.6.1.5.5.7.1.31" && extension.critical && extension.value == digest
    });
    let names = certificate.subject_alternative_name().ok().flatten().map(|names| format!("{:?}", names.value));
    if proves && names.is_some_and(|names| names.contains(host)) {
        Ok(())
    } else {
        Err(io::Error::other("the certificate does not hold the key authorization"))
    }
}

/// RFC 8555 §8.3.
async fn look_by_http(host: &str, at: SocketAddr, token: &str, expected: &str) -> io::Result<()> {
    let mut stream = TcpStream::connect(at).await?;
    let request =
        format!("GET /.well-known/acme-challenge/{token} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    let is_right = answer.starts_with("HTTP/1.1 200") && answer.ends_with(&format!("\r\n\r\n{expected}"));
    if is_right { Ok(()) } else { Err(io::Error::other("the key authorization is not there")) }
}
