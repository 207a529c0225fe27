//! A mail server of the site: real SMTP over real sockets, with STARTTLS, TLS from the start or neither, and a mood.
//!
//! It keeps every message and every command, and says whether they came encrypted, so that a test can ask what was seen in the clear.

use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex};

use rcgen::{BasicConstraints, CertificateParams, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose};
use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use super::{address, until};

/// How it speaks.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Speech {
    Clear,
    StartTls,
    Implicit,
}

/// What it does with a command.
#[derive(Clone)]
pub(crate) enum Mood {
    /// All is well.
    Friendly,
    /// Answers this line to a command that begins so (`MAIL`, `RCPT`, `DATA`, `EHLO`), `.` to the message, `HI` in the greeting's place.
    Answering(&'static str, &'static str),
    /// Never answers such a command.
    Hanging(&'static str),
    /// Says it all again: what it got in the message comes back in the refusal.
    Echoing,
    /// Somebody on the way adds answers in the clear behind the answer to STARTTLS.
    Injected,
}

#[derive(Clone)]
pub(crate) struct Taken {
    pub(crate) from: String,
    pub(crate) to: Vec<String>,
    pub(crate) data: String,
    pub(crate) encrypted: bool,
    pub(crate) user: Option<String>,
}

#[derive(Default)]
struct Seen {
    messages: Vec<Taken>,
    /// Each command, and whether it came encrypted.
    commands: Vec<(String, bool)>,
}

struct House {
    speech: Speech,
    /// `PLAIN` or `LOGIN`, user and password; nothing is taken from others.
    account: Option<(&'static str, &'static str, &'static str)>,
    mood: Mutex<Mood>,
    seen: Mutex<Seen>,
    tls: TlsAcceptor,
}

pub(crate) struct MailServer {
    pub(crate) at: SocketAddr,
    /// What vouches for it, as PEM.
    pub(crate) ca: String,
    house: Arc<House>,
    task: tokio::task::JoinHandle<()>,
}

impl MailServer {
    pub(crate) async fn start(speech: Speech) -> Self {
        Self::with(speech, None, address(), None).await
    }

    /// Takes mail only from who signs in by this mechanism.
    pub(crate) async fn guarded(
        speech: Speech,
        mechanism: &'static str,
        user: &'static str,
        password: &'static str,
    ) -> Self {
        Self::with(speech, Some((mechanism, user, password)), address(), None).await
    }

    /// Its certificate is for another name.
    pub(crate) async fn misnamed(speech: Speech) -> Self {
        Self::with(speech, None, address(), Some("other.example.com")).await
    }

    async fn with(
        speech: Speech,
        account: Option<(&'static str, &'static str, &'static str)>,
        own: IpAddr,
        name: Option<&str>,
    ) -> Self {
        let (ca, config) = certificates(&name.map_or_else(|| own.to_string(), str::to_owned));
        let tls = TlsAcceptor::from(Arc::new(config));
        let (mood, seen) = (Mutex::new(Mood::Friendly), Mutex::default());
        let house = Arc::new(House { speech, account, mood, seen, tls });
        let listener = TcpListener::bind((own, 0)).await.unwrap();
        let at = listener.local_addr().unwrap();
        let task = tokio::spawn(serve(listener, Arc::clone(&house)));
        Self { at, ca, house, task }
    }

    /// The address as `[mail] smtp` has it.
    pub(crate) fn url(&self) -> String {
        match self.house.speech {
            Speech::Clear => format!("smtp://{}", self.at),
            Speech::StartTls => format!("smtp://{}?tls=starttls", self.at),
            Speech::Implicit => format!("smtps://{}", self.at),
        }
    }

    pub(crate) fn is(&self, mood: Mood) {
        *self.house.mood.lock().unwrap() = mood;
    }

    pub(crate) fn messages(&self) -> Vec<Taken> {
        self.house.seen.lock().unwrap().messages.clone()
    }

    /// The commands that anybody on the way could read.
    pub(crate) fn overheard(&self) -> Vec<String> {
        let seen = self.house.seen.lock().unwrap();
        seen.commands.iter().filter(|(_, encrypted)| !encrypted).map(|(command, _)| command.clone()).collect()
    }

    /// How often a command that begins so was given.
    pub(crate) fn heard(&self, begin: &str) -> usize {
        self.house.seen.lock().unwrap().commands.iter().filter(|(command, _)| command.starts_with(begin)).count()
    }

    /// The messages, once there are so many.
    pub(crate) async fn has(&self, count: usize) -> Vec<Taken> {
        until("the mail server has its messages", async || {
            Some(self.messages()).filter(|messages| messages.len() >= count)
        })
        .await
    }
}

impl Drop for MailServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Taken {
    /// The message's headers, unfolded, one a line.
    pub(crate) fn headers(&self) -> String {
        let head = self.data.split("\r\n\r\n").next().unwrap_or_default();
        head.replace("\r\n ", " ").replace("\r\n\t", " ")
    }

    /// The values of a header.
    pub(crate) fn header(&self, name: &str) -> Vec<String> {
        let begin = format!("{}:", name.to_lowercase());
        let headers = self.headers();
        let lines = headers.lines().filter(|line| line.to_lowercase().starts_with(&begin));
        lines.map(|line| line[begin.len()..].trim().to_owned()).collect()
    }
}

fn certificates(name: &str) -> (String, ServerConfig) {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    let ca = params.self_signed(&key).unwrap();
    let issuer = Issuer::new(params, key);
    let own_key = KeyPair::generate().unwrap();
    let mut own = CertificateParams::new(vec![name.to_owned()]).unwrap();
    own.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    own.use_authority_key_identifier_extension = true;
    let own = own.signed_by(&own_key, &issuer).unwrap();
    let private = PrivateKeyDer::try_from(own_key.serialize_der()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    (ca.pem(), config.with_no_client_auth().with_single_cert(vec![own.der().clone()], private).unwrap())
}

trait Line: AsyncRead + AsyncWrite + Send + Sync + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Sync + Unpin> Line for T {}

async fn serve(listener: TcpListener, house: Arc<House>) {
    while let Ok((stream, _)) = listener.accept().await {
        let house = Arc::clone(&house);
        tokio::spawn(async move {
            let stream: Box<dyn Line> = match house.speech {
                Speech::Clear | Speech::StartTls => Box::new(stream),
                Speech::Implicit => match house.tls.accept(stream).await {
                    Ok(stream) => Box::new(stream),
                    Err(_) => return,
                },
            };
            let encrypted = house.speech == Speech::Implicit;
            let mut talk = Talk { house, stream: BufReader::new(stream), encrypted, user: None };
            let _ = talk.converse().await;
        });
    }
}

struct Talk {
    house: Arc<House>,
    stream: BufReader<Box<dyn Line>>,
    encrypted: bool,
    user: Option<String>,
}

type Io<T> = std::io::Result<T>;

impl Talk {
    async fn say(&mut self, line: &str) -> Io<()> {
        self.stream.write_all(format!("{line}\r\n").as_bytes()).await?;
        self.stream.flush().await
    }

    async fn line(&mut self) -> Io<String> {
        let mut line = String::new();
        if self.stream.read_line(&mut line).await? == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        Ok(line.trim_end_matches(['\r', '\n']).to_owned())
    }

    /// The mood's answer to a command, if it has one. Never comes back where it hangs.
    async fn moody(&self, command: &str) -> Option<&'static str> {
        let mood = self.house.mood.lock().unwrap().clone();
        match mood {
            Mood::Answering(begin, line) if command.starts_with(begin) => Some(line),
            Mood::Hanging(begin) if command.starts_with(begin) => std::future::pending().await,
            Mood::Friendly | Mood::Answering(..) | Mood::Hanging(_) | Mood::Echoing | Mood::Injected => None,
        }
    }

    async fn converse(&mut self) -> Io<()> {
        let greeting = self.moody("HI").await.unwrap_or("220 mail.example.com ready");
        self.say(greeting).await?;
        let (mut from, mut to) = (String::new(), Vec::new());
        loop {
            let line = self.line().await?;
            self.house.seen.lock().unwrap().commands.push((line.clone(), self.encrypted));
            let command = line.to_uppercase();
            if let Some(answer) = self.moody(&command).await {
                self.say(answer).await?;
            } else if command.starts_with("EHLO") {
                self.ehlo().await?;
            } else if command == "STARTTLS" && self.house.speech == Speech::StartTls && !self.encrypted {
                let injected = matches!(*self.house.mood.lock().unwrap(), Mood::Injected);
                let lines = if injected { "220 go ahead\r\n250 mail\r\n250 ok\r\n250 ok" } else { "220 go ahead" };
                self.say(lines).await?;
                self.encrypt().await?;
            } else if command.starts_with("AUTH ") {
                self.auth(&line).await?;
            } else if command.starts_with("MAIL FROM:") && self.may_send() {
                from = between(&line);
                self.say("250 ok").await?;
            } else if command.starts_with("RCPT TO:") && self.may_send() {
                to.push(between(&line));
                self.say("250 ok").await?;
            } else if !self.may_send() && command.starts_with("MAIL FROM:") {
                self.say("530 5.7.0 sign in first").await?;
            } else if command == "DATA" && !to.is_empty() {
                self.say("354 go on").await?;
                self.message(std::mem::take(&mut from), std::mem::take(&mut to)).await?;
            } else if command == "QUIT" {
                return self.say("221 bye").await;
            } else {
                self.say("503 5.5.1 bad sequence of commands").await?;
            }
        }
    }

    async fn ehlo(&mut self) -> Io<()> {
        self.say("250-mail.example.com").await?;
        if self.house.speech == Speech::StartTls && !self.encrypted {
            self.say("250-STARTTLS").await?;
        }
        if let Some((mechanism, ..)) = self.house.account {
            self.say(&format!("250-AUTH {mechanism}")).await?;
        }
        self.say("250 SIZE 1000000").await
    }

    async fn encrypt(&mut self) -> Io<()> {
        let (placeholder, _) = tokio::io::duplex(1);
        let clear = std::mem::replace(&mut self.stream, BufReader::new(Box::new(placeholder))).into_inner();
        let encrypted = self.house.tls.accept(clear).await?;
        self.stream = BufReader::new(Box::new(encrypted));
        self.encrypted = true;
        Ok(())
    }

    fn may_send(&self) -> bool {
        self.house.account.is_none() || self.user.is_some()
    }

    /// RFC 4616 for PLAIN; LOGIN asks twice.
    async fn auth(&mut self, line: &str) -> Io<()> {
        let Some((mechanism, user, password)) = self.house.account else { return self.say("503 no AUTH here").await };
        let mut words = line.split(' ').skip(1);
        if words.next() != Some(mechanism) {
            return self.say("504 no such mechanism").await;
        }
        let given = if mechanism == "PLAIN" {
            decoded(words.next().unwrap_or_default())
        } else {
            self.say("334 VXNlcm5hbWU6").await?;
            let user = decoded(&self.line().await?);
            self.say("334 UGFzc3dvcmQ6").await?;
            format!("\0{user}\0{}", decoded(&self.line().await?))
        };
        if given == format!("\0{user}\0{password}") {
            self.user = Some(user.to_owned());
            return self.say("235 2.7.0 welcome").await;
        }
        // A rude server repeats what it was given.
        self.say(&format!("535 5.7.8 not with {}", given.replace('\0', " "))).await
    }

    async fn message(&mut self, from: String, to: Vec<String>) -> Io<()> {
        let mut data = String::new();
        loop {
            let line = self.line().await?;
            if line == "." {
                break;
            }
            // RFC 5321 §4.5.2: a leading period was doubled.
            data += line.strip_prefix('.').unwrap_or(&line);
            data += "\r\n";
        }
        if let Some(answer) = self.moody(".").await {
            return self.say(answer).await;
        }
        let echoes = matches!(*self.house.mood.lock().unwrap(), Mood::Echoing);
        if echoes {
            let lines: Vec<_> = data.lines().filter(|line| !line.is_empty()).take(100).collect();
            let said: String = lines.iter().map(|line| format!("550-5.7.1 spam: {line}\r\n")).collect();
            return self.say(&format!("{said}550 5.7.1 no")).await;
        }
        let taken = Taken { from, to, data, encrypted: self.encrypted, user: self.user.clone() };
        self.house.seen.lock().unwrap().messages.push(taken);
        self.say("250 2.0.0 queued").await
    }
}

fn between(line: &str) -> String {
    line.split(['<', '>']).nth(1).unwrap_or_default().to_owned()
}

fn decoded(base64: &str) -> String {
    String::from_utf8(data_encoding::BASE64.decode(base64.as_bytes()).unwrap_or_default()).unwrap_or_default()
}
