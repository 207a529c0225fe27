//! What every page has: its language, who reads it, the way to the others; and how a template becomes an answer.

use std::borrow::Cow;
use std::sync::Arc;

use askama::Template;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use jiff::Timestamp;
use login::{ResolvedUser, Wall};

use super::role::Role;
use crate::language::{Language, text};
use crate::sign_in::STAFF_IDLE;
use crate::web::HelpDesk;

/// Which of the pages is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Here {
    Users,
    Refusals,
    Today,
    Board,
    Elsewhere,
}

/// The frame of a page, as `house.html` of the sign-in's pages knows it.
pub(super) struct Page {
    pub(super) language: Language,
    /// The site's name, as phones and mails show it.
    pub(super) account: Arc<str>,
    /// Who helps; the staff themselves, so nobody.
    pub(super) help_desk: Option<HelpDesk>,
    /// Who is signed in, and as what.
    pub(super) user: Option<String>,
    /// For the forms of this page.
    pub(super) csrf: String,
    /// Staff's pages look so.
    pub(super) staff: bool,
    pub(super) here: Here,
}

impl Page {
    /// A text of this page's language.
    pub(super) fn t(&self, key: &str) -> Cow<'static, str> {
        text(self.language, key)
    }

    pub(super) fn lang(&self) -> &'static str {
        self.language.as_tag()
    }

    pub(super) fn is_on_users(&self) -> bool {
        self.here == Here::Users
    }

    pub(super) fn is_on_refusals(&self) -> bool {
        self.here == Here::Refusals
    }

    pub(super) fn is_on_today(&self) -> bool {
        self.here == Here::Today
    }

    pub(super) fn is_on_board(&self) -> bool {
        self.here == Here::Board
    }

    /// After so many seconds a page that nobody touched is put away; the board is there to be left open.
    pub(super) fn idle_s(&self) -> u64 {
        if self.is_on_board() { 0 } else { STAFF_IDLE.as_secs() }
    }
}

/// A role as people call it.
pub(super) fn role_word(language: Language, role: Role) -> Cow<'static, str> {
    match role {
        Role::Auditor => text(language, "admin-role-auditor"),
        Role::HelpDesk => text(language, "admin-role-help-desk"),
        Role::Admin => text(language, "admin-role-admin"),
    }
}

/// A template as an answer.
pub(super) fn shown(status: StatusCode, page: &impl Template) -> Response {
    match page.render() {
        Ok(html) => (status, Html(html)).into_response(),
        // Filling a template into a String can't fail but for memory.
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

/// A page that says one thing: what went wrong and what to do next.
#[derive(Template)]
#[template(path = "admin_told.html")]
pub(super) struct ToldPage {
    pub(super) page: Page,
    pub(super) title: String,
    pub(super) told: String,
    /// Where to go on.
    pub(super) link: Option<(String, String)>,
    /// Sign out: for whoever has nothing else to do here.
    pub(super) leave: Option<String>,
}

/// What the browser asks for.
pub(super) fn accept_language(headers: &HeaderMap) -> &str {
    headers.get(header::ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

/// `2027-01-31 14:05 UTC`, the same in every language; nothing for a time that never comes.
pub(super) fn when(wall: Wall) -> String {
    let known = i64::try_from(wall.0).ok().and_then(|millis| Timestamp::from_millisecond(millis).ok());
    known.map(|at| at.strftime("%Y-%m-%d %H:%M UTC").to_string()).unwrap_or_default()
}

/// A query's value (RFC 3986 §2.1): everything but the unreserved characters is percent-encoded.
pub(super) fn url_encoded(value: &str) -> String {
    let mut encoded = String::with_capacity(value.len());
    for octet in value.bytes() {
        match octet {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => encoded.push(char::from(octet)),
            _ => encoded.push_str(&format!("%{octet:02X}")),
        }
    }
    encoded
}

/// The address of a user's page.
pub(super) fn address_of(user: &ResolvedUser) -> String {
    format!("/user?name={}", url_encoded(user.as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_name_stands_in_an_address_without_changing_it() {
        let address = |name: &str| address_of(&ResolvedUser::new(name));
        assert_eq!(address("alice"), "/user?name=alice");
        assert_eq!(address("a b&c=d#e%\u{e9}\"<"), "/user?name=a%20b%26c%3Dd%23e%25%C3%A9%22%3C");
        assert_eq!(address("dom\\x\r\n"), "/user?name=dom%5Cx%0D%0A");
    }

    #[test]
    fn a_time_that_never_comes_is_not_told() {
        assert_eq!(when(Wall(1_795_528_291_007)), "2026-11-24 13:51 UTC");
        assert_eq!(when(Wall::NEVER), "");
    }
}
