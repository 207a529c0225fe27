//! The address of the service, and the one that a phone scans to be enrolled.
//!
//! The app takes an address apart and puts it together again before it signs or compares, so only one that comes out as it
//! went in is used. What it scans is a bearer secret until it was used: it is a [`Secret`], and no log can print it.

use std::fmt;
use std::sync::Arc;

use reqwest::Url;
use wire::Secret;

/// A device's id in this protocol: globally unique, and without the mark that joins signed fields.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Serial(Arc<str>);

/// A text that is no serial.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a serial has 1 to 64 letters, digits, dashes and underscores")]
pub struct NotASerial;

/// Longer than any that we give out.
const SERIAL_OCTETS_MAX: usize = 64;

impl Serial {
    /// Of a text of letters, digits, `-` and `_`.
    ///
    /// # Errors
    /// [`NotASerial`].
    pub fn parse(text: &str) -> Result<Self, NotASerial> {
        let fits = |octet: u8| octet.is_ascii_alphanumeric() || octet == b'-' || octet == b'_';
        if text.is_empty() || text.len() > SERIAL_OCTETS_MAX || !text.bytes().all(fits) {
            return Err(NotASerial);
        }
        Ok(Self(text.into()))
    }

    /// Of 80 random bits, which no other server draws again: the app finds its tokens by serial over all servers.
    #[must_use]
    pub fn of_random(random: [u8; 10]) -> Self {
        // 16 letters of base32, so it fits.
        Self(format!("VEST{}", data_encoding::BASE32_NOPAD.encode(&random)).into())
    }

    /// As it is written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Serial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The absolute URL of the service: `https://mfa.example.com/push`.
#[derive(Clone, PartialEq, Eq)]
pub struct PushUrl(String);

/// An address that the app would write otherwise, or that it should not be sent to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the phones' address must be https, in lower case, without a default port, a query, a fragment, a user, or dots and \
     escapes in its path"
)]
pub struct NotCanonicalUrl;

impl PushUrl {
    /// Of an address in its canonical form. Plain http is for this host's own tests and the demo, on loopback only.
    ///
    /// # Errors
    /// [`NotCanonicalUrl`].
    pub fn parse(text: &str) -> Result<Self, NotCanonicalUrl> {
        let url = Url::parse(text).map_err(|_| NotCanonicalUrl)?;
        let secure = match url.scheme() {
            "https" => true,
            "http" => matches!(url.host_str(), Some("localhost" | "[::1]")) || url.host_str().is_some_and(is_loopback),
            _ => false,
        };
        let plain_path = |octet: u8| octet.is_ascii_alphanumeric() || b"/-_.~".contains(&octet);
        let bare = url.query().is_none() && url.fragment().is_none() && url.username().is_empty();
        let canonical = url.as_str() == text && !text.contains('|') && !url.path().contains("//");
        if secure && bare && canonical && url.password().is_none() && url.path().bytes().all(plain_path) {
            Ok(Self(text.to_owned()))
        } else {
            Err(NotCanonicalUrl)
        }
    }

    /// As it is written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for PushUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn is_loopback(host: &str) -> bool {
    host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// Which app is to open the address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum App {
    /// The privacyIDEA Authenticator, and whatever else claims `otpauth`.
    PrivacyIdea,
    /// The privacyIDEA Authenticator alone, from 4.6.0 on: no other app is offered for it.
    PrivacyIdeaOnly,
    /// The eduMFA Authenticator, which polls alike and has neither numbers nor codes.
    EduMfa,
}

/// The device must be unlocked again before the app answers. Without proof to us: the app's own doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ForceUnlock {
    /// However it is unlocked.
    Any,
    /// By finger or face only.
    Biometric,
    /// By its PIN only.
    Pin,
}

/// What a phone is enrolled with.
#[derive(Clone, Debug)]
pub struct Activation {
    /// Where it enrols, polls and answers.
    pub url: PushUrl,
    /// The device's id. The app finds its tokens by it over all servers.
    pub serial: Serial,
    /// The single-use credential: 160 random bits or more, in hexadecimal.
    pub credential: Secret,
    /// What the app lists it as.
    pub account: String,
    /// Who it is for: `[portal] account_name`.
    pub issuer: String,
    /// Whole minutes from the scan; then the app forgets the token.
    pub minutes: u16,
    /// The device's own unlock before each answer.
    pub locked: bool,
    /// How (app 4.7.0).
    pub force_unlock: Option<ForceUnlock>,
}

impl Activation {
    /// The address to show as a QR code (byte mode, level L or M) or, on the phone itself, as a link.
    #[must_use]
    pub fn address(&self, app: App) -> Secret {
        let credential = String::from_utf8_lossy(self.credential.expose());
        let minutes = self.minutes.max(1).to_string();
        let mut parameters = vec![
            ("url", self.url.as_str()),
            ("ttl", &minutes),
            ("issuer", &self.issuer),
            ("enrollment_credential", &credential),
            ("v", "1"),
            ("serial", self.serial.as_str()),
            ("sslverify", "1"),
        ];
        match app {
            // Without it the app first asks Google for a token, and fails where there is no Google.
            App::PrivacyIdea | App::PrivacyIdeaOnly => parameters.push(("poll_only", "True")),
            App::EduMfa => {}
        }
        if self.locked {
            parameters.push(("pin", "True"));
        }
        match (app, self.force_unlock) {
            (App::PrivacyIdea | App::PrivacyIdeaOnly, Some(how)) => parameters.push(("app_force_unlock", how.as_str())),
            (App::PrivacyIdea | App::PrivacyIdeaOnly, None) | (App::EduMfa, _) => {}
        }
        let pairs: Vec<_> = parameters.iter().map(|(name, value)| format!("{name}={}", escaped(value))).collect();
        // A colon would make its left part the issuer and have `issuer` ignored.
        let label = escaped(&self.account.replace(':', " "));
        Secret::new(format!("{}/{label}?{}", app.prefix(), pairs.join("&")))
    }
}

impl App {
    fn prefix(self) -> &'static str {
        match self {
            Self::PrivacyIdea => "otpauth://pipush",
            Self::PrivacyIdeaOnly => "pia://pipush",
            Self::EduMfa => "edumfa-push://edumfa",
        }
    }
}

impl ForceUnlock {
    fn as_str(self) -> &'static str {
        match self {
            Self::Any => "any",
            Self::Biometric => "biometric",
            Self::Pin => "pin",
        }
    }
}

/// RFC 3986 §2.1: everything but unreserved characters; a space is `%20`, since a `+` stays one in an address.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len() * 3);
    for octet in text.bytes() {
        if octet.is_ascii_alphanumeric() || b"-._~".contains(&octet) {
            out.push(char::from(octet));
        } else {
            out.push('%');
            out.push_str(&data_encoding::HEXUPPER.encode(&[octet]));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_address_that_comes_out_as_it_went_in_is_used() {
        for good in [
            "https://mfa.example.org/push",
            "https://mfa.example.org:8443/ttype/push",
            "http://127.0.0.1:8080/push",
            "http://127.3.2.1/push",
            "https://[2001:db8::1]/push",
        ] {
            assert_eq!(PushUrl::parse(good).map(|url| url.as_str().to_owned()).as_deref(), Ok(good));
        }
        for wrong in [
            "https://MFA.example.org/push",
            "HTTPS://mfa.example.org/push",
            "https://mfa.example.org:443/push",
            "https://mfa.example.org/a/../push",
            "https://mfa.example.org/./push",
            "https://mfa.example.org//push",
            "https://mfa.example.org/push?x=1",
            "https://mfa.example.org/push?",
            "https://mfa.example.org/push#x",
            "https://user@mfa.example.org/push",
            "https://mfa.example.org/p%75sh",
            "https://mfa.example.org/a|b",
            "https://mfa.example.org",
            "http://mfa.example.org/push",
            "ftp://mfa.example.org/push",
            "mfa.example.org/push",
            "",
        ] {
            assert_eq!(PushUrl::parse(wrong), Err(NotCanonicalUrl), "{wrong}");
        }
    }

    #[test]
    fn a_label_with_a_colon_does_not_name_another_issuer() {
        let activation = Activation {
            url: PushUrl::parse("https://mfa.example.org/push").unwrap(),
            serial: Serial::of_random([7; 10]),
            credential: Secret::new("c"),
            account: "a:b".to_owned(),
            issuer: "M\u{fc}ller & S\u{f6}hne".to_owned(),
            minutes: 0,
            locked: false,
            force_unlock: None,
        };
        let address = activation.address(App::PrivacyIdea);
        let address = String::from_utf8_lossy(address.expose());
        assert!(address.starts_with("otpauth://pipush/a%20b?"), "{address}");
        assert!(address.contains("&issuer=M%C3%BCller%20%26%20S%C3%B6hne&"), "{address}");
        assert!(address.contains("ttl=1&") && !address.contains("pin="), "{address}");
        assert!(!format!("{activation:?}").contains("\"c\""));
    }

    #[test]
    fn a_serial_has_no_mark_that_joins_fields() {
        let serial = Serial::of_random([0xff; 10]);
        assert_eq!(serial.as_str(), "VEST7777777777777777");
        assert_eq!(Serial::parse(serial.as_str()), Ok(serial));
        for wrong in ["", "a|b", "a b", "\u{e4}", &"x".repeat(65)] {
            assert!(Serial::parse(wrong).is_err(), "{wrong}");
        }
    }
}
