//! Which endpoints are taken: a phone says where its push service is, so what it says is judged (rules F6). Pure.
//!
//! Only https, only hosts of the allow-list, only the usual port, no name or password in the URL, and no address inside. What a
//! host's name resolves to is judged by `reach`, at each sending. The same rules hold at enrolment and at sending.

use std::net::Ipv6Addr;
use std::sync::Arc;

use reqwest::Url;

use crate::factor::push::outbound::literal;
use crate::factor::push::reach::{Reach, Refusal};

/// The push services of today's browsers: `[method.push] webpush_hosts`, unless it says otherwise.
pub const HOSTS: [&str; 4] =
    ["*.push.apple.com", "fcm.googleapis.com", "*.push.services.mozilla.com", "*.notify.windows.com"];

/// Octets of an endpoint; browsers' are a few hundred.
const ENDPOINT_OCTETS_MAX: usize = 2048;

/// Why an endpoint, or the key beside it, is not taken; each says what to do. None shows the endpoint's path: who has it may send.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EndpointRefusal {
    /// More than any browser gives.
    #[error("the push endpoint is longer than {ENDPOINT_OCTETS_MAX} octets; no browser gives such a one")]
    TooLong,
    /// Not a URL with a host.
    #[error("the push endpoint is not a URL; the page must send what PushSubscription.endpoint says")]
    NotAUrl,
    /// Not https.
    #[error("the push endpoint is not https; every browser's push service is")]
    Scheme,
    /// A name or password in it.
    #[error("the push endpoint carries a user name or password; no browser's does")]
    Credentials,
    /// A host that is not on the list.
    #[error(
        "{0} is no push service that this site knows; if it should be, an admin adds it to [method.push] webpush_hosts"
    )]
    Host(String),
    /// A port of its own.
    #[error("the push endpoint names a port of its own; no browser's does")]
    Port,
    /// An address that is out of reach.
    #[error("the push endpoint is refused: {0}")]
    Address(String),
    /// Not a point on P-256.
    #[error("the phone's key is no point of P-256; the page must send what PushSubscription.getKey(\"p256dh\") says")]
    Key,
}

/// The URL of an endpoint, if a push may be sent there; what resolution says of it is judged when one is.
///
/// # Errors
/// [`EndpointRefusal`] says why not. A pattern that is no pattern matches nothing; [`super::WebPush::new`] refuses it.
pub fn check_endpoint(endpoint: &str, hosts: &[String], allow_private: bool) -> Result<Url, EndpointRefusal> {
    let patterns = hosts.iter().filter_map(|pattern| Pattern::of(pattern).ok()).collect();
    Hosts { patterns, allow_private }.endpoint(endpoint).map(|endpoint| endpoint.url)
}

/// The allow-list.
#[derive(Debug)]
pub(super) struct Hosts {
    patterns: Vec<Pattern>,
    allow_private: bool,
}

/// An endpoint that may be sent to.
pub(super) struct Endpoint {
    pub(super) url: Url,
    /// `https://host[:port]`: whom a token is for (RFC 8292 §2), and what is away or not.
    pub(super) origin: Arc<str>,
    pub(super) host: String,
    /// Which entry of the list lets it through.
    pub(super) known_by: Arc<str>,
    /// The entry is this host itself, on the usual port: an admin named it, and not a phone.
    pub(super) named: bool,
}

impl Hosts {
    /// Of the settings' patterns; or the first one that is none.
    pub(super) fn of(patterns: &[String], allow_private: bool) -> Result<Self, String> {
        let patterns = patterns.iter().map(|pattern| Pattern::of(pattern)).collect::<Result<_, _>>()?;
        Ok(Self { patterns, allow_private })
    }

    pub(super) fn is_empty(&self) -> bool {
        self.patterns.is_empty()
    }

    pub(super) fn reach(&self) -> Reach {
        if self.allow_private { Reach::Anywhere } else { Reach::Public }
    }

    /// Judges what a phone said.
    pub(super) fn endpoint(&self, endpoint: &str) -> Result<Endpoint, EndpointRefusal> {
        if endpoint.len() > ENDPOINT_OCTETS_MAX {
            return Err(EndpointRefusal::TooLong);
        }
        let url = Url::parse(endpoint).map_err(|_| EndpointRefusal::NotAUrl)?;
        let host = url.host_str().ok_or(EndpointRefusal::NotAUrl)?.to_owned();
        if url.scheme() != "https" {
            return Err(EndpointRefusal::Scheme);
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(EndpointRefusal::Credentials);
        }
        let pattern = self.patterns.iter().find(|pattern| pattern.takes(&host));
        let pattern = pattern.ok_or_else(|| EndpointRefusal::Host(host.clone()))?;
        // A port of its own is for push services of the site's own, which live inside.
        if url.port().is_some() && !self.allow_private {
            return Err(EndpointRefusal::Port);
        }
        // An address in the URL never meets the resolver.
        if let Some(address) = literal(&url) {
            self.reach().judge(address).map_err(refused)?;
        }
        // A port is the phone's word even where the host is the admin's.
        let named = !pattern.is_wild() && url.port().is_none();
        let known_by = Arc::clone(&pattern.text);
        Ok(Endpoint { origin: url.origin().ascii_serialization().into(), url, host, known_by, named })
    }
}

fn refused(refusal: Refusal) -> EndpointRefusal {
    EndpointRefusal::Address(refusal.to_string())
}

/// A host, or `*.` and what it ends in.
#[derive(Debug)]
struct Pattern {
    text: Arc<str>,
}

impl Pattern {
    fn of(text: &str) -> Result<Self, String> {
        let folded = match text.parse::<Ipv6Addr>() {
            // As it stands in a URL.
            Ok(address) => format!("[{address}]"),
            Err(_) => text.to_ascii_lowercase(),
        };
        let rest = folded.strip_prefix("*.").unwrap_or(&folded);
        // `*.com` would be no list at all.
        let narrow = !rest.contains('*') && (rest.len() == folded.len() || rest.contains('.'));
        let fits = Url::parse(&format!("https://{rest}/")).is_ok_and(|url| url.host_str() == Some(rest));
        if narrow && fits { Ok(Self { text: folded.into() }) } else { Err(text.to_owned()) }
    }

    fn is_wild(&self) -> bool {
        self.text.starts_with("*.")
    }

    /// Hosts of a URL are lower case and ASCII already, by the URL standard.
    fn takes(&self, host: &str) -> bool {
        match self.text.strip_prefix('*') {
            Some(ending) => host.len() > ending.len() && host.ends_with(ending),
            None => host == &*self.text,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hosts() -> Vec<String> {
        HOSTS.map(str::to_owned).to_vec()
    }

    fn refusal(endpoint: &str) -> EndpointRefusal {
        check_endpoint(endpoint, &hosts(), false).unwrap_err()
    }

    #[test]
    fn endpoints_of_the_browsers_are_taken() {
        for endpoint in [
            "https://web.push.apple.com/QGuQyavXutnMH",
            "https://fcm.googleapis.com/fcm/send/abc:APA91b",
            "https://updates.push.services.mozilla.com/wpush/v2/gAAAA",
            "https://wns2-by3p.notify.windows.com/w/?token=BQYAAA%3d",
            "https://FCM.googleapis.com:443/fcm/send/abc",
        ] {
            assert!(check_endpoint(endpoint, &hosts(), false).is_ok(), "{endpoint}");
        }
    }

    #[test]
    fn a_host_that_only_looks_like_one_of_the_list_is_refused() {
        for host in [
            "push.apple.com",
            "evilpush.apple.com",
            ".push.apple.com",
            "web.push.apple.com.example.net",
            "web.push.apple.com.",
            "sub.fcm.googleapis.com",
            "fcm.googleapis.com.evil.example",
            "xn--fm-vja.googleapis.com",
            "localhost",
            "127.0.0.1",
            "0x7f.1",
            "[::1]",
            "169.254.169.254",
        ] {
            assert!(matches!(refusal(&format!("https://{host}/x")), EndpointRefusal::Host(_)), "{host}");
        }
    }

    #[test]
    fn what_no_browser_gives_is_refused() {
        assert_eq!(refusal("http://fcm.googleapis.com/x"), EndpointRefusal::Scheme);
        assert_eq!(refusal("ftp://fcm.googleapis.com/x"), EndpointRefusal::Scheme);
        assert_eq!(refusal("https://fcm.googleapis.com@evil.example/x"), EndpointRefusal::Credentials);
        assert_eq!(refusal("https://a:b@fcm.googleapis.com/x"), EndpointRefusal::Credentials);
        assert_eq!(refusal("https://fcm.googleapis.com:8443/x"), EndpointRefusal::Port);
        assert_eq!(refusal("mailto:a@example.com"), EndpointRefusal::NotAUrl);
        assert_eq!(refusal(""), EndpointRefusal::NotAUrl);
        assert_eq!(refusal(&format!("https://fcm.googleapis.com/{}", "x".repeat(2048))), EndpointRefusal::TooLong);
    }

    #[test]
    fn an_address_inside_needs_more_than_the_list() {
        let inside = vec!["127.0.0.1".to_owned(), "::1".to_owned(), "169.254.169.254".to_owned()];
        for endpoint in ["https://127.0.0.1/x", "https://0x7f.1/x", "https://[::1]/x"] {
            let refused = check_endpoint(endpoint, &inside, false).unwrap_err();
            assert!(matches!(refused, EndpointRefusal::Address(_)), "{endpoint}");
            assert!(check_endpoint(endpoint, &inside, true).is_ok(), "{endpoint}");
        }
        assert!(check_endpoint("https://169.254.169.254/x", &inside, true).is_err(), "whatever is allowed");
        assert!(check_endpoint("https://127.0.0.1:8443/x", &inside, true).is_ok());
    }

    #[test]
    fn what_a_phone_may_choose_is_not_named_by_the_admin() {
        let hosts = Hosts::of(&["push.example.com".to_owned(), "*.example.com".to_owned()], true).unwrap();
        for (endpoint, named) in [
            ("https://push.example.com/x", true),
            ("https://push.example.com:443/x", true),
            ("https://push.example.com:8443/x", false),
            ("https://a.example.com/x", false),
        ] {
            assert_eq!(hosts.endpoint(endpoint).unwrap().named, named, "{endpoint}");
        }
    }

    #[test]
    fn patterns_that_are_none_are_refused() {
        for pattern in ["", "*", "*.", "*.com", "a.*.com", "*.*.example.com", "https://a.example", "a.example/x", "a b"]
        {
            assert_eq!(Hosts::of(&[pattern.to_owned()], false).unwrap_err(), pattern);
            assert!(check_endpoint("https://fcm.googleapis.com/x", &[pattern.to_owned()], false).is_err());
        }
        assert!(Hosts::of(&hosts(), false).is_ok());
        assert!(Hosts::of(&["Push.Example.com".to_owned(), "push".to_owned()], false).is_ok());
    }

    #[test]
    fn a_refusal_never_shows_the_path() {
        let secret = "a-capability";
        for endpoint in ["https://evil.example/", "http://fcm.googleapis.com/", "https://a:b@fcm.googleapis.com/"] {
            assert!(!refusal(&format!("{endpoint}{secret}")).to_string().contains(secret));
        }
    }
}
