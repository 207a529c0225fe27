//! Whose form it is: one of ours, shown to this very browser, or one that another site made it send.
//!
//! Three things are looked at. The token in the form, which only a page of ours shown with this cookie can hold, and which is
//! another one on each page, so that it is known which of them was sent already (`sends`); the fetch
//! metadata that browsers add by themselves; and the Origin, where one is told. Our pages send no referrer, so that browsers
//! that are older than fetch metadata tell `Origin: null`, which says nothing; the token is what counts then.

use axum::http::{HeaderMap, HeaderName};
use data_encoding::BASE64URL_NOPAD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use wire::Secret;

use super::sends::Whose;
use super::session::{Cookie, Visit, word};
use super::{Realm, SignIn};
use crate::store::WebRealm;

/// Not a form of ours, or one of a page that was shown before the session changed: it is looked at no further.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Forged;

const FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// Octets of a page's own part of its token, and of what proves it.
const PAGE_OCTETS: usize = 16;
const PROOF_OCTETS: usize = 24;

impl SignIn {
    /// What the forms of one page must bring back: never the same twice.
    #[must_use]
    pub fn csrf(&self, realm: WebRealm, cookie: &Cookie) -> String {
        let page: [u8; PAGE_OCTETS] = rand::random();
        let proof = proof_of(self.key_of(realm, cookie).expose(), &page);
        BASE64URL_NOPAD.encode(&[&page[..], &proof[..PROOF_OCTETS]].concat())
    }

    /// Whether a form was sent by a page of ours that this browser was shown.
    ///
    /// # Errors
    /// [`Forged`]: nothing of it may be done.
    pub fn genuine(&self, realm: WebRealm, visit: &Visit, headers: &HeaderMap, token: &str) -> Result<(), Forged> {
        let shown = !visit.fresh && fits(self.key_of(realm, &visit.cookie).expose(), token);
        (shown && self.is_from_here(realm, headers)).then_some(()).ok_or(Forged)
    }

    /// Whether the browser says of a form that it was made here, or nothing.
    pub(super) fn is_from_here(&self, realm: WebRealm, headers: &HeaderMap) -> bool {
        Realm::of(&self.config(), realm).is_ok_and(|place| from_here(headers, place.pages.url.as_str()))
    }

    /// Whose page a form's token is of.
    pub(super) fn whose(&self, realm: WebRealm, cookie: &Cookie, token: &str) -> Whose {
        if fits(self.key_of(realm, cookie).expose(), token) {
            return Whose::Own;
        }
        self.sends().earlier(&cookie.hash(), |key| fits(key, token))
    }

    /// The key of the tokens of a browser's forms.
    pub(super) fn key_of(&self, realm: WebRealm, cookie: &Cookie) -> Secret {
        Secret::new(cookie.keyed(&self.0.csrf, word(realm).as_bytes()))
    }
}

/// Whether a token was made with this key.
fn fits(key: &[u8], token: &str) -> bool {
    let Ok(octets) = BASE64URL_NOPAD.decode(token.as_bytes()) else { return false };
    let Some((page, proof)) = octets.split_at_checked(PAGE_OCTETS).filter(|(_, proof)| proof.len() == PROOF_OCTETS)
    else {
        return false;
    };
    Secret::new(&proof_of(key, page)[..PROOF_OCTETS]) == Secret::new(proof)
}

fn proof_of(key: &[u8], page: &[u8]) -> [u8; 32] {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).unwrap_or_else(|_| unreachable!("HMAC takes keys of any length"));
    mac.update(page);
    mac.finalize().into_bytes().into()
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
    fn a_token_is_its_keys_and_nobody_elses_and_no_part_of_it_can_change() {
        let (key, page) = ([7; 32], [1; PAGE_OCTETS]);
        let octets = [&page[..], &proof_of(&key, &page)[..PROOF_OCTETS]].concat();
        let token = BASE64URL_NOPAD.encode(&octets);
        assert!(fits(&key, &token));
        assert!(!fits(&[8; 32], &token));
        for at in 0..octets.len() {
            let mut other = octets.clone();
            other[at] ^= 1;
            assert!(!fits(&key, &BASE64URL_NOPAD.encode(&other)), "{at}");
        }
        for bad in ["", "x", &token[1..], &token[..token.len() - 2], "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"] {
            assert!(!fits(&key, bad), "{bad}");
        }
    }

    #[test]
    fn what_was_made_here_or_does_not_say_is_left_to_the_token() {
        assert!(told(&[]));
        assert!(told(&[("sec-fetch-site", "same-origin"), ("origin", "null")]));
        assert!(told(&[("origin", "https://mfa.example.com")]));
    }
}
