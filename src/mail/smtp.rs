//! The courier by SMTP: TLS from the first octet (`smtps://`, RFC 8314) or by a STARTTLS that must succeed (`smtp://`, RFC 3207).
//!
//! A connection a letter: letters are few, and no task is left behind. Bounded in time and in number. What the server says is told
//! by its number only, for a server may repeat a letter or a credential in its answer (rules F1). In the clear it speaks only to
//! this host, or where the site's own words say `?tls=none`; a password never goes in the clear to another host.

use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use lettre::transport::smtp::authentication::{Credentials, DEFAULT_MECHANISMS};
use lettre::transport::smtp::client::{AsyncSmtpConnection, Certificate, CertificateStore, TlsParameters};
use lettre::transport::smtp::extension::ClientId;
use lettre::transport::smtp::{Error, response::Code};
use reqwest::Url;
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio::time::timeout;
use wire::Secret;

use super::lines::Lines;
use super::mime::message;
use super::{Address, BoxFuture, Courier, House, Letter, MailFailure};

/// Letters on their way at once.
const CONNECTIONS_MAX: usize = 4;
/// Until the connection stands.
const CONNECT_WITHIN: Duration = Duration::from_secs(10);
/// From the first packet to the server's word that it has the letter. Servers that scan take their time before it (RFC 5321
/// §4.5.3.2.6 allows ten minutes); what is cut off is sent again under the same Message-ID.
const SEND_WITHIN: Duration = Duration::from_secs(60);
/// For the goodbye, which nobody needs.
const QUIT_WITHIN: Duration = Duration::from_secs(2);

/// How a connection is kept from being read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Security {
    /// TLS from the first octet.
    Implicit,
    /// TLS after STARTTLS, or nothing is sent.
    StartTls,
    /// None: this host, or the site's explicit word.
    None,
}

/// Where the site's mail server is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SmtpServer {
    pub host: String,
    pub port: u16,
    pub security: Security,
}

/// What the policy's `[mail]` says.
#[derive(Clone, Debug)]
pub struct MailSettings {
    pub smtp: SmtpServer,
    /// Who the letters are from.
    pub from: Address,
    pub user: Option<String>,
    pub password: Option<Secret>,
    /// Certificates (PEM) that alone vouch for the server; without them the system's do.
    pub ca: Option<Vec<u8>>,
}

/// What is wrong with `[mail]`; each says what to do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadMailSettings {
    #[error("smtp must be smtps://HOST[:PORT] or smtp://HOST[:PORT]")]
    Scheme,
    #[error("smtp has no host: write smtps://mail.example.com")]
    NoHost,
    #[error("smtp must not carry a user or password: write user and password_file beside it")]
    Credentials,
    #[error("smtp has a path or an unknown option: all that may follow is ?tls=starttls or ?tls=none")]
    Extra,
    #[error("user and password_file belong together: one of them is missing")]
    HalfCredentials,
    #[error("the password must be UTF-8 text without control characters")]
    Password,
    #[error("a password would go over the network in the clear: use smtps://, or take out ?tls=none")]
    PasswordInTheClear,
    #[error("ca holds no certificate that can be read: it must be PEM")]
    Ca,
    #[error("TLS can't be set up for this mail server: {0}")]
    Tls(String),
}

impl SmtpServer {
    /// `smtps://` is TLS from the start, `smtp://` demands STARTTLS. `smtp://` to this host speaks in the clear unless
    /// `?tls=starttls` follows; to another host only where `?tls=none` does. Ports: 465, 587, and 25 in the clear.
    ///
    /// # Errors
    ///
    /// Another scheme, credentials in the address, or anything that is not understood.
    pub fn of_url(url: &Url) -> Result<Self, BadMailSettings> {
        // `host_str` keeps the brackets of an IPv6 address; sockets and certificates know it without.
        let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']).to_owned();
        let security = match (url.scheme(), url.query()) {
            ("smtps", None) => Security::Implicit,
            ("smtp", None) if is_loopback(&host) => Security::None,
            ("smtp", None | Some("tls=starttls")) => Security::StartTls,
            ("smtp", Some("tls=none")) => Security::None,
            ("smtp" | "smtps", Some(_)) => return Err(BadMailSettings::Extra),
            _ => return Err(BadMailSettings::Scheme),
        };
        if host.is_empty() {
            return Err(BadMailSettings::NoHost);
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(BadMailSettings::Credentials);
        }
        if !matches!(url.path(), "" | "/") || url.fragment().is_some() {
            return Err(BadMailSettings::Extra);
        }
        let port = url.port().unwrap_or(match security {
            Security::Implicit => 465,
            Security::StartTls => 587,
            Security::None => 25,
        });
        Ok(Self { host, port, security })
    }
}

/// The site's mail server as a [`Courier`].
pub struct Smtp {
    settings: MailSettings,
    house: House,
    tls: Option<TlsParameters>,
    hello: ClientId,
    turns: Semaphore,
    send_within: Duration,
}

impl fmt::Debug for Smtp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Smtp").field("server", &self.settings.smtp).finish_non_exhaustive()
    }
}

impl Smtp {
    /// Reads certificates and checks what belongs together; connects to nothing.
    ///
    /// # Errors
    ///
    /// What is wrong with the settings.
    pub fn new(settings: MailSettings, house: House) -> Result<Self, BadMailSettings> {
        if settings.user.is_some() != settings.password.is_some() {
            return Err(BadMailSettings::HalfCredentials);
        }
        let clear = settings.smtp.security == Security::None && !is_loopback(&settings.smtp.host);
        if clear && settings.password.is_some() {
            return Err(BadMailSettings::PasswordInTheClear);
        }
        let _ = credentials(&settings)?;
        let tls = match settings.smtp.security {
            Security::Implicit | Security::StartTls => Some(tls(&settings)?),
            Security::None => None,
        };
        // RFC 5321 §4.1.1.1 wants a name of ours; the sender's domain is the one that is known to be.
        let hello = ClientId::Domain(settings.from.domain().to_owned());
        Ok(Self { settings, house, tls, hello, turns: Semaphore::new(CONNECTIONS_MAX), send_within: SEND_WITHIN })
    }

    /// Another limit than 60 s for one letter.
    #[must_use]
    pub fn within(self, send_within: Duration) -> Self {
        Self { send_within, ..self }
    }

    async fn deliver(&self, letter: &Letter) -> Result<(), MailFailure> {
        let message = message(letter, &self.house, &self.settings.from)?;
        // Never closed, so a turn always comes.
        let _turn = self.turns.acquire().await;
        let sending = async {
            let mut connection = self.connect().await?;
            let sent = connection.send(message.envelope(), &message.formatted()).await;
            sent.map(|_| connection).map_err(|error| refusal(&error))
        };
        let sent = timeout(self.send_within, sending).await.unwrap_or_else(|_| {
            Err(unavailable(format!("{} did not finish within {:?}", self.settings.smtp, self.send_within)))
        });
        // The letter is delivered; a goodbye that fails changes nothing.
        let _ = timeout(QUIT_WITHIN, sent?.quit()).await;
        Ok(())
    }

    /// A connection that is encrypted and signed in, as far as the settings say. No failure here is the letter's fault.
    async fn connect(&self) -> Result<AsyncSmtpConnection, MailFailure> {
        let mut connection = self.open().await?;
        if let (Security::StartTls, Some(tls)) = (self.settings.smtp.security, &self.tls) {
            // RFC 3207 §6: who takes STARTTLS away must not get the letter in the clear.
            if !connection.can_starttls() {
                return Err(unavailable(format!("{} offers no STARTTLS", self.settings.smtp)));
            }
            let upgraded = connection.starttls(tls.clone(), &self.hello).await;
            upgraded.map_err(|error| self.trouble("STARTTLS", &error))?;
        }
        if self.tls.is_some() && !connection.is_encrypted() {
            return Err(unavailable(format!("{}: the connection is not encrypted", self.settings.smtp)));
        }
        let credentials = credentials(&self.settings).map_err(|error| unavailable(error.to_string()))?;
        if let Some(credentials) = credentials {
            let signed_in = connection.auth(DEFAULT_MECHANISMS, &credentials).await;
            signed_in.map_err(|error| self.trouble("signing in", &error))?;
        }
        Ok(connection)
    }

    /// A connection past the greeting, encrypted only where it is so from the first octet.
    async fn open(&self) -> Result<AsyncSmtpConnection, MailFailure> {
        let SmtpServer { host, port, security } = &self.settings.smtp;
        let host = (host.as_str(), *port);
        let greeted = match security {
            Security::Implicit => {
                let tls = self.tls.clone();
                AsyncSmtpConnection::connect_tokio1(host, Some(CONNECT_WITHIN), &self.hello, tls, None).await
            }
            Security::StartTls | Security::None => {
                let connected = timeout(CONNECT_WITHIN, TcpStream::connect(host)).await;
                let stream = connected.unwrap_or_else(|_| Err(std::io::ErrorKind::TimedOut.into()));
                let stream =
                    stream.map_err(|error| unavailable(format!("{}: connecting: {error}", self.settings.smtp)))?;
                AsyncSmtpConnection::connect_with_transport(Box::new(Lines::of(stream)), &self.hello).await
            }
        };
        greeted.map_err(|error| self.trouble("connecting", &error))
    }

    fn trouble(&self, doing: &str, error: &Error) -> MailFailure {
        unavailable(format!("{}: {doing}: {}", self.settings.smtp, told(error)))
    }
}

impl Courier for Smtp {
    fn send<'a>(&'a self, letter: &'a Letter) -> BoxFuture<'a, Result<(), MailFailure>> {
        Box::pin(self.deliver(letter))
    }
}

impl fmt::Display for SmtpServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} port {}", self.host, self.port)
    }
}

fn tls(settings: &MailSettings) -> Result<TlsParameters, BadMailSettings> {
    let builder = TlsParameters::builder(settings.smtp.host.clone());
    let builder = match &settings.ca {
        None => builder,
        // Who names a certificate means this one and not also all others.
        Some(pem) => {
            if !pem.windows(BEGIN.len()).any(|window| window == BEGIN) {
                return Err(BadMailSettings::Ca);
            }
            let ca = Certificate::from_pem(pem).map_err(|_| BadMailSettings::Ca)?;
            builder.certificate_store(CertificateStore::None).add_root_certificate(ca)
        }
    };
    builder.build().map_err(|error| BadMailSettings::Tls(error.to_string()))
}

const BEGIN: &[u8] = b"-----BEGIN CERTIFICATE-----";

fn credentials(settings: &MailSettings) -> Result<Option<Credentials>, BadMailSettings> {
    let (Some(user), Some(password)) = (&settings.user, &settings.password) else { return Ok(None) };
    let password = std::str::from_utf8(password.expose()).map_err(|_| BadMailSettings::Password)?;
    // NUL would end a field of AUTH PLAIN early (RFC 4616 §2).
    if user.contains(char::is_control) || password.contains(char::is_control) {
        return Err(BadMailSettings::Password);
    }
    Ok(Some(Credentials::new(user.clone(), password.to_owned())))
}

/// What the server's answer to MAIL, RCPT or DATA means for the letter.
fn refusal(error: &Error) -> MailFailure {
    // RFC 4954 §6: these speak of our signing in, not of the letter, so it waits until the site has mended it.
    let ours = error.status().map(u16::from).is_some_and(|code| matches!(code, 530 | 534 | 535 | 538));
    if (error.is_permanent() && !ours) || error.is_client() {
        MailFailure::Refused(told(error))
    } else {
        unavailable(told(error))
    }
}

/// The failure in words that can hold nothing of what we sent.
fn told(error: &Error) -> String {
    match error.status() {
        Some(code) => format!("it answered {}", number(code)),
        None if error.is_timeout() => "it did not answer in time".into(),
        None if error.is_tls() => "TLS could not be agreed upon".into(),
        None if error.is_response() => "its answer is no SMTP".into(),
        // The client's own words: constants of the library.
        None if error.is_client() => error.to_string(),
        None => socket_error(error).map_or_else(|| "the connection failed".into(), |error| error.to_string()),
    }
}

fn number(code: Code) -> u16 {
    code.into()
}

/// What the operating system or TLS says: a refused connection, a name that is not known, a certificate that is not trusted.
fn socket_error(error: &Error) -> Option<&std::io::Error> {
    let mut source = std::error::Error::source(error);
    while let Some(error) = source {
        if let Some(found) = error.downcast_ref() {
            return Some(found);
        }
        source = error.source();
    }
    None
}

fn unavailable(why: String) -> MailFailure {
    MailFailure::Unavailable(why)
}

fn is_loopback(host: &str) -> bool {
    host.eq_ignore_ascii_case("localhost") || host.parse().is_ok_and(|address: IpAddr| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server(url: &str) -> Result<SmtpServer, BadMailSettings> {
        SmtpServer::of_url(&url.parse().unwrap())
    }

    fn settings(url: &str) -> MailSettings {
        MailSettings {
            smtp: server(url).unwrap(),
            from: Address::parse("mfa@example.com").unwrap(),
            user: None,
            password: None,
            ca: None,
        }
    }

    #[test]
    fn an_address_says_how_it_is_kept_from_being_read() {
        let table = [
            ("smtps://mail.example.com", "mail.example.com", 465, Security::Implicit),
            ("smtps://127.0.0.1:4465", "127.0.0.1", 4465, Security::Implicit),
            ("smtp://mail.example.com", "mail.example.com", 587, Security::StartTls),
            ("smtp://mail.example.com:25", "mail.example.com", 25, Security::StartTls),
            ("smtp://mail.example.com?tls=starttls", "mail.example.com", 587, Security::StartTls),
            ("smtp://10.0.0.9", "10.0.0.9", 587, Security::StartTls),
            ("smtp://10.0.0.9?tls=none", "10.0.0.9", 25, Security::None),
            ("smtp://localhost", "localhost", 25, Security::None),
            ("smtp://127.0.0.2:1025", "127.0.0.2", 1025, Security::None),
            ("smtp://[::1]", "::1", 25, Security::None),
            ("smtp://localhost?tls=starttls", "localhost", 587, Security::StartTls),
            ("smtp://localhost.example.com", "localhost.example.com", 587, Security::StartTls),
        ];
        for (url, host, port, security) in table {
            assert_eq!(server(url), Ok(SmtpServer { host: host.into(), port, security }), "{url}");
        }
    }

    #[test]
    fn an_address_that_is_not_understood_is_refused() {
        for (url, expected) in [
            ("https://mail.example.com", BadMailSettings::Scheme),
            ("smtp:mail.example.com", BadMailSettings::NoHost),
            ("smtps://user@mail.example.com", BadMailSettings::Credentials),
            ("smtps://user:pw@mail.example.com", BadMailSettings::Credentials),
            ("smtps://mail.example.com/path", BadMailSettings::Extra),
            ("smtps://mail.example.com?tls=none", BadMailSettings::Extra),
            ("smtp://mail.example.com?tls=opportunistic", BadMailSettings::Extra),
            ("smtp://mail.example.com#x", BadMailSettings::Extra),
        ] {
            assert_eq!(server(url), Err(expected), "{url}");
        }
    }

    #[test]
    fn settings_that_do_not_fit_together_are_refused() {
        let house = || House::new("Example Corp", None, None, Vec::new()).unwrap();
        let refused = |settings| Smtp::new(settings, house()).err();
        let signing_in = |url: &str, user: Option<&str>, password: Option<&[u8]>| MailSettings {
            user: user.map(str::to_owned),
            password: password.map(Secret::new),
            ..settings(url)
        };
        let (tls, clear, here) = ("smtps://mail.example.com", "smtp://10.0.0.9?tls=none", "smtp://localhost");
        let password: &[u8] = b"canary-of-the-mail-s3cr3t";
        assert_eq!(refused(signing_in(tls, Some("mfa"), None)), Some(BadMailSettings::HalfCredentials));
        assert_eq!(refused(signing_in(tls, None, Some(password))), Some(BadMailSettings::HalfCredentials));
        assert_eq!(refused(signing_in(clear, Some("mfa"), Some(password))), Some(BadMailSettings::PasswordInTheClear));
        assert_eq!(refused(signing_in(here, Some("mfa"), Some(password))), None);
        assert_eq!(refused(signing_in(tls, Some("mfa"), Some(b"a\0b"))), Some(BadMailSettings::Password));
        assert_eq!(refused(signing_in(tls, Some("mfa"), Some(b"\xff"))), Some(BadMailSettings::Password));
        let ca = |pem: &[u8]| MailSettings { ca: Some(pem.to_vec()), ..settings(tls) };
        assert_eq!(refused(ca(b"")), Some(BadMailSettings::Ca));
        assert_eq!(refused(ca(b"not a certificate")), Some(BadMailSettings::Ca));
        let smtp = Smtp::new(signing_in(tls, Some("mfa"), Some(password)), house()).unwrap();
        assert!(!format!("{smtp:?} {:?}", smtp.settings).contains("canary"));
    }
}
