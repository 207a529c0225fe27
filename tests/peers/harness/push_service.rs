//! A push service as a browser vendor runs one, and the browser behind it: TLS, endpoints, VAPID, and messages that are opened.
//!
//! Signatures are checked and messages opened by code that shares nothing with the product's: HKDF is written out over HMAC
//! (RFC 5869), the header of RFC 8188 is taken apart by hand. It answers as it is told, well or badly.

use std::collections::{HashMap, VecDeque};
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use ::vestibule::store::web::Subscription;
use aws_lc_rs::aead::{AES_128_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::agreement::{ECDH_P256, PrivateKey, UnparsedPublicKey, agree};
use aws_lc_rs::signature::{self, ECDSA_P256_SHA256_FIXED};
use data_encoding::BASE64URL_NOPAD;
use hmac::{Hmac, KeyInit, Mac};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::ServerConfig;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use serde_json::Value;
use sha2::Sha256;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::oath::unix_now;
use super::{address, until};

/// How the push service answers a message.
#[derive(Clone, Debug)]
pub(crate) enum Answers {
    /// As RFC 8030 says: 201, or what is wrong with the message.
    Well,
    /// With this status, and what it says of when to come again.
    Status(u16, Option<&'static str>),
    /// With another place to go to.
    Redirect(String),
    /// 201, and a body without end.
    Endless,
    /// Never.
    Hang,
    /// By closing the connection.
    Close,
}

/// A message as it came; whoever has no keys sees no more than this.
#[derive(Clone, Debug)]
pub(crate) struct Message {
    pub(crate) path: String,
    /// When it was here, before it was answered.
    pub(crate) at: Instant,
    headers: HashMap<String, String>,
    body: Vec<u8>,
}

impl Message {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", String::as_str)
    }

    pub(crate) fn len(&self) -> usize {
        self.body.len()
    }

    /// The claims of its VAPID token, if that is signed by the key beside it (RFC 8292 §2 and §3).
    pub(crate) fn claims(&self) -> Option<(Value, Vec<u8>)> {
        let (token, key) = self.header("authorization").strip_prefix("vapid t=")?.split_once(", k=")?;
        let (signed, signature) = token.rsplit_once('.')?;
        let (header, claims) = signed.split_once('.')?;
        let key = decode(key)?;
        let verifying = signature::UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, &key);
        verifying.verify(signed.as_bytes(), &decode(signature)?).ok()?;
        let header: Value = serde_json::from_slice(&decode(header)?).ok()?;
        let is_jwt = header["typ"] == "JWT" && header["alg"] == "ES256";
        is_jwt.then_some((serde_json::from_slice(&decode(claims)?).ok()?, key))
    }
}

/// A browser that has subscribed: it alone can open what is sent to it.
pub(crate) struct Browser {
    private: PrivateKey,
    public: [u8; 65],
    auth: [u8; 16],
    endpoint: String,
}

impl Browser {
    fn new(endpoint: String) -> Self {
        let private = PrivateKey::generate(&ECDH_P256).unwrap();
        let public = private.compute_public_key().unwrap().as_ref().try_into().unwrap();
        let mut auth = [0; 16];
        aws_lc_rs::rand::fill(&mut auth).unwrap();
        Self { private, public, auth, endpoint }
    }

    /// What its page tells the site.
    pub(crate) fn subscription(&self) -> Subscription {
        Subscription { endpoint: self.endpoint.as_str().into(), p256dh: self.public, auth: self.auth }
    }

    /// The same as JSON, as `PushSubscription.toJSON()` writes it.
    pub(crate) fn as_the_page_tells_it(&self) -> Value {
        let (p256dh, auth) = (BASE64URL_NOPAD.encode(&self.public), BASE64URL_NOPAD.encode(&self.auth));
        serde_json::json!({ "endpoint": self.endpoint, "keys": { "p256dh": p256dh, "auth": auth } })
    }

    pub(crate) fn has(&self, message: &Message) -> bool {
        self.endpoint.ends_with(&message.path)
    }

    /// Opens a message (RFC 8291 §3, RFC 8188 §2), or says what is wrong with it.
    pub(crate) fn opens(&self, message: &Message) -> Result<Vec<u8>, &'static str> {
        let (salt, rest) = message.body.split_at_checked(16).ok_or("no salt")?;
        let (size, rest) = rest.split_first_chunk::<4>().ok_or("no record size")?;
        let (&[id_octets], rest) = rest.split_first_chunk::<1>().ok_or("no key id")?;
        let (sender, record) = rest.split_at_checked(id_octets.into()).ok_or("a key id that is cut off")?;
        if record.len() > usize::try_from(u32::from_be_bytes(*size)).unwrap() {
            return Err("more than one record");
        }
        let info = [&b"WebPush: info\0"[..], &self.public, sender].concat();
        let theirs = UnparsedPublicKey::new(&ECDH_P256, sender);
        let ikm = agree(&self.private, theirs, "the sender's key is no point", |shared| {
            Ok(hkdf::<32>(&self.auth, shared, &info))
        })?;
        let key: [u8; 16] = hkdf(salt, &ikm, b"Content-Encoding: aes128gcm\0");
        let nonce: [u8; 12] = hkdf(salt, &ikm, b"Content-Encoding: nonce\0");
        let opening = LessSafeKey::new(UnboundKey::new(&AES_128_GCM, &key).unwrap());
        let mut record = record.to_vec();
        let nonce = Nonce::assume_unique_for_key(nonce);
        let text = opening.open_in_place(nonce, Aad::empty(), &mut record).map_err(|_| "forged, or for another")?;
        let end = text.iter().rposition(|octet| *octet != 0).ok_or("no delimiter")?;
        if text[end] != 2 {
            return Err("the delimiter is not that of the last record");
        }
        Ok(text[..end].to_vec())
    }

    /// What it shows, parsed.
    pub(crate) fn reads(&self, message: &Message) -> Value {
        serde_json::from_slice(&self.opens(message).unwrap()).unwrap()
    }
}

/// RFC 5869 with one block of output.
fn hkdf<const N: usize>(salt: &[u8], secret: &[u8], info: &[u8]) -> [u8; N] {
    let mac = |key: &[u8], octets: &[u8]| -> [u8; 32] {
        Hmac::<Sha256>::new_from_slice(key).unwrap().chain_update(octets).finalize().into_bytes().into()
    };
    let block = mac(&mac(salt, secret), &[info, &[1]].concat());
    *block.first_chunk().unwrap()
}

/// The push service. Dropping it closes its door.
pub(crate) struct PushService {
    pub(crate) at: SocketAddr,
    /// The certificate (PEM) that its own chains to.
    pub(crate) ca: String,
    inner: Arc<Inner>,
    task: tokio::task::JoinHandle<()>,
}

struct Inner {
    origin: String,
    /// By path: the application server key that a subscription is bound to (RFC 8292 §4.2).
    subscribed: Mutex<HashMap<String, [u8; 65]>>,
    messages: Mutex<Vec<Message>>,
    answers: Mutex<VecDeque<Answers>>,
    /// What it says to somebody who only looks whether it is there.
    front: Mutex<Answers>,
    hung_up: Notify,
}

impl PushService {
    pub(crate) async fn start() -> Self {
        Self::answering([Answers::Well]).await
    }

    /// Each answer once, the last one for ever.
    pub(crate) async fn answering<const N: usize>(answers: [Answers; N]) -> Self {
        let listener = TcpListener::bind((address(), 0)).await.unwrap();
        let at = listener.local_addr().unwrap();
        let (ca, acceptor) = tls(at.ip());
        let inner = Arc::new(Inner {
            origin: format!("https://{at}"),
            subscribed: Mutex::default(),
            messages: Mutex::default(),
            answers: Mutex::new(answers.into()),
            front: Mutex::new(Answers::Status(404, None)),
            hung_up: Notify::new(),
        });
        let serving = Arc::clone(&inner);
        let task = tokio::spawn(async move {
            // Conversations end with it.
            let mut conversations = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                let (acceptor, inner) = (acceptor.clone(), Arc::clone(&serving));
                conversations.spawn(async move {
                    if let Ok(stream) = acceptor.accept(stream).await {
                        let _ = converse(stream, &inner).await;
                    }
                });
            }
        });
        Self { at, ca, inner, task }
    }

    /// What the allow-list must hold for it.
    pub(crate) fn host(&self) -> String {
        self.at.ip().to_string()
    }

    /// A browser subscribes, for messages that this key signs.
    pub(crate) fn subscribe(&self, application_server_key: [u8; 65]) -> Browser {
        let mut subscribed = self.inner.subscribed.lock().unwrap();
        let path = format!("/push/{}", subscribed.len());
        let browser = Browser::new(format!("{}{path}", self.inner.origin));
        subscribed.insert(path, application_server_key);
        browser
    }

    pub(crate) fn now<const N: usize>(&self, answers: [Answers; N]) {
        *self.inner.answers.lock().unwrap() = answers.into();
    }

    /// Leaves the network.
    pub(crate) async fn closes(&self) {
        self.task.abort();
        until("a closed door", async || self.task.is_finished().then_some(())).await;
    }

    /// What it says to somebody who only looks whether it is there.
    pub(crate) fn at_the_front(&self, answers: Answers) {
        *self.inner.front.lock().unwrap() = answers;
    }

    pub(crate) fn messages(&self) -> Vec<Message> {
        self.inner.messages.lock().unwrap().clone()
    }

    /// The messages, once so many came.
    pub(crate) async fn has(&self, count: usize) -> Vec<Message> {
        until("a push message", async || Some(self.messages()).filter(|messages| messages.len() >= count)).await
    }

    /// Returns once somebody did not want the whole of a body without end.
    pub(crate) async fn hung_up(&self) {
        tokio::time::timeout(super::GENEROUS, self.inner.hung_up.notified()).await.expect("nobody hung up");
    }
}

impl Drop for PushService {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Inner {
    /// RFC 8030 §5, RFC 8292 §4: what a real one answers.
    fn judge(&self, message: &Message) -> u16 {
        let Some(key) = self.subscribed.lock().unwrap().get(&message.path).copied() else { return 404 };
        let Some((claims, signer)) = message.claims() else { return 401 };
        let in_time = claims["exp"].as_u64().is_some_and(|exp| exp > unix_now() && exp <= unix_now() + 24 * 3600);
        let is_contact = claims["sub"].as_str().is_some_and(|sub| sub.starts_with("mailto:"));
        if signer != key || claims["aud"] != self.origin || !in_time || !is_contact {
            return 403;
        }
        let base64url = |octet: u8| octet.is_ascii_alphanumeric() || octet == b'-' || octet == b'_';
        let topic = message.header("topic");
        let is_formed = message.header("content-encoding") == "aes128gcm"
            && message.header("ttl").parse::<u32>().is_ok()
            && topic.len() <= 32
            && topic.bytes().all(base64url);
        match (is_formed, message.len()) {
            (false, _) => 400,
            (true, ..=4096) => 201,
            (true, _) => 413,
        }
    }

    fn next(&self) -> Answers {
        let mut answers = self.answers.lock().unwrap();
        if answers.len() > 1 { answers.pop_front().unwrap() } else { answers[0].clone() }
    }
}

async fn converse(mut stream: TlsStream<TcpStream>, inner: &Inner) -> std::io::Result<()> {
    while let Some((method, message)) = read(&mut stream).await {
        let answers = if method == "POST" { inner.next() } else { inner.front.lock().unwrap().clone() };
        let head = match &answers {
            Answers::Well => format!("{} As judged\r\nContent-Length: 0", inner.judge(&message)),
            Answers::Status(status, None) => format!("{status} As told\r\nContent-Length: 0"),
            Answers::Status(status, Some(again)) => {
                format!("{status} As told\r\nRetry-After: {again}\r\nContent-Length: 0")
            }
            Answers::Redirect(to) => format!("307 Temporary Redirect\r\nLocation: {to}\r\nContent-Length: 0"),
            Answers::Endless => "201 Created\r\nTransfer-Encoding: chunked".to_owned(),
            Answers::Hang | Answers::Close => String::new(),
        };
        if method == "POST" {
            inner.messages.lock().unwrap().push(message);
        }
        match answers {
            Answers::Close => return Ok(()),
            Answers::Hang => return stream.read(&mut [0; 1]).await.map(drop),
            Answers::Well | Answers::Status(..) | Answers::Redirect(_) | Answers::Endless => {
                stream.write_all(format!("HTTP/1.1 {head}\r\n\r\n").as_bytes()).await?;
            }
        }
        if matches!(answers, Answers::Endless) {
            let chunk = format!("400\r\n{}\r\n", "x".repeat(1024));
            while stream.write_all(chunk.as_bytes()).await.is_ok() {}
            inner.hung_up.notify_one();
        }
    }
    Ok(())
}

#[expect(clippy::disallowed_methods, reason = "how long somebody waited, by a watch of the push service's own")]
async fn read(stream: &mut TlsStream<TcpStream>) -> Option<(String, Message)> {
    let mut octets = Vec::new();
    loop {
        let mut chunk = [0; 4096];
        let count = stream.read(&mut chunk).await.ok().filter(|count| *count > 0)?;
        octets.extend_from_slice(&chunk[..count]);
        let Some(end) = octets.windows(4).position(|four| four == b"\r\n\r\n") else { continue };
        let head = String::from_utf8(octets[..end].to_vec()).unwrap();
        let (first, lines) = head.split_once("\r\n").unwrap();
        let headers = lines.lines().filter_map(|line| line.split_once(": "));
        let headers: HashMap<_, _> = headers.map(|(name, value)| (name.to_lowercase(), value.to_owned())).collect();
        let due = headers.get("content-length").map_or(0, |length| length.parse().unwrap());
        if octets.len() - end - 4 >= due {
            let mut words = first.split(' ').map(str::to_owned);
            let (method, path) = (words.next().unwrap(), words.next().unwrap());
            return Some((method, Message { path, at: Instant::now(), headers, body: octets[end + 4..].to_vec() }));
        }
    }
}

/// A CA of its own, and a certificate of that for one address.
fn tls(ip: IpAddr) -> (String, TlsAcceptor) {
    let mut request = CertificateParams::default();
    request.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let ca_key = KeyPair::generate().unwrap();
    let ca = request.self_signed(&ca_key).unwrap();
    let key = KeyPair::generate().unwrap();
    let leaf = CertificateParams::new([ip.to_string()]).unwrap();
    let leaf = leaf.signed_by(&key, &Issuer::new(request, ca_key)).unwrap();
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let config = config.with_no_client_auth().with_single_cert(vec![leaf.der().clone()], key).unwrap();
    (ca.pem(), TlsAcceptor::from(Arc::new(config)))
}

fn decode(text: &str) -> Option<Vec<u8>> {
    BASE64URL_NOPAD.decode(text.as_bytes()).ok()
}
