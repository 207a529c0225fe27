//! Whose form it is: one of ours, shown to this very browser, or one that another site made it send.
//!
//! Three things are looked at. The token in the form, which only a page of ours shown with this cookie can hold; the fetch
//! metadata that browsers add by themselves; and the Origin, where one is told. Our pages send no referrer, so that browsers
//! that are older than fetch metadata tell `Origin: null`, which says nothing; the token is what counts then.

use axum::http::{HeaderMap, HeaderName};
use subtle::ConstantTimeEq;

use super::session::Visit;
use super::{Realm, SignIn};
use crate::store::WebRealm;

/// Not a form of ours, or one of a page that was shown before the session changed: it is looked at no further.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Forged;

const FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

impl SignIn {
    /// Whether a form was sent by a page of ours that this browser was shown.
    ///
    /// # Errors
    /// [`Forged`]: nothing of it may be done.
    pub fn genuine(&self, realm: WebRealm, visit: &Visit, headers: &HeaderMap, token: &str) -> Result<(), Forged> {
        let expected = self.csrf(realm, &visit.cookie);
        let shown = !visit.fresh && bool::from(expected.as_bytes().ct_eq(token.as_bytes()));
        let config = self.config();
        let origin = Realm::of(&config, realm).map_err(|_| Forged)?.pages.url;
        (shown && from_here(headers, origin.as_str())).then_some(()).ok_or(Forged)
    }
}

/// What the browser says of where the request was made.
fn from_here(headers: &HeaderMap, origin: &str) -> bool {
    let told = |name: &HeaderName| headers.get(name).map(|value| value.as_bytes());
    let site = told(&FETCH_SITE).is_none_or(|site| site == b"same-origin" || site == b"none");
    let from = told(&axum::http::header::ORIGIN).is_none_or(|from| from == b"null" || from == origin.as_bytes());
    site && from
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(lines: &[(&'static str, &'static str)]) -> bool {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.insert(*name, value.parse().unwrap());
        }
        from_here(&headers, "https://mfa.example.com")
    }

    #[test]
    fn what_the_browser_says_was_made_elsewhere_is_refused() {
        for foreign in [
            ("sec-fetch-site", "cross-site"),
            ("sec-fetch-site", "same-site"),
            ("origin", "https://evil.example"),
            ("origin", "https://mfa.example.com.evil.example"),
            ("origin", "http://mfa.example.com"),
        ] {
            assert!(!told(&[foreign]), "{foreign:?}");
        }
        assert!(!told(&[("sec-fetch-site", "cross-site"), ("origin", "https://mfa.example.com")]));
    }

    #[test]
    fn what_was_made_here_or_does_not_say_is_left_to_the_token() {
        assert!(told(&[]));
        assert!(told(&[("sec-fetch-site", "same-origin"), ("origin", "null")]));
        assert!(told(&[("origin", "https://mfa.example.com")]));
    }
}
