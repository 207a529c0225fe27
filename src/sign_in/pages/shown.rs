//! What every page is shown in: language, names, the token of its forms, who helps.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use axum::http::header;

use super::{Asked, Desk};
use crate::language::{self, Arg, Language};
use crate::sign_in::session::Visit;
use crate::sign_in::{Away, Realm};
use crate::store::{WebRealm, WebStep};
use crate::web::HelpDesk;

/// The frame of a page; templates know it as `page`.
#[derive(Clone, Debug)]
pub struct Shown {
    /// In which language.
    pub language: Language,
    /// The site, as the phone's app knows it.
    pub account: Arc<str>,
    /// Who helps.
    pub help_desk: Option<HelpDesk>,
    /// Who is signed in.
    pub user: Option<String>,
    /// Password and factor: the page's head leads home.
    pub full: bool,
    /// What every form brings back.
    pub csrf: String,
    /// Staff's pages.
    pub staff: bool,
    /// A session that is not used for so long is over.
    pub idle: Duration,
}

impl Shown {
    /// A text in the page's language.
    #[must_use]
    pub fn t(&self, key: &str) -> Cow<'static, str> {
        language::text(self.language, key)
    }

    /// A text with one argument.
    #[must_use]
    pub fn say(&self, key: &str, name: &str, value: &str) -> String {
        language::text_with(self.language, key, &[(name, Arg::from(value))])
    }

    /// How long something still waits, and since when, in seconds. The page's script counts on by the same text.
    #[must_use]
    pub fn runs(&self, left: &u64, age: &u64) -> String {
        let text = self.t("portal-runs");
        text.replacen("[left]", &left.to_string(), 1).replacen("[age]", &age.to_string(), 1)
    }

    /// After so many seconds a page that nobody touched is put away.
    #[must_use]
    pub fn idle_s(&self) -> u64 {
        self.idle.as_secs()
    }

    /// `<html lang>`.
    #[must_use]
    pub fn lang(&self) -> &'static str {
        self.language.as_tag()
    }
}

impl Desk {
    /// The frame for whoever asks.
    ///
    /// # Errors
    /// The store.
    pub async fn shown(&self, asked: &Asked, visit: &Visit) -> Result<Shown, Away> {
        let mut shown = self.plain(asked);
        shown.csrf = self.sign_in.csrf(self.realm, &visit.cookie);
        if let Some(signed) = &visit.signed {
            let chosen = self.sign_in.store().choices(&signed.user).await?.language;
            shown.language = spoken(asked, chosen.as_deref().and_then(Language::of_tag));
            shown.user = Some(signed.user.as_str().to_owned());
            shown.full = signed.step == WebStep::Full;
        }
        Ok(shown)
    }

    /// The frame for nobody in particular.
    #[must_use]
    pub fn plain(&self, asked: &Asked) -> Shown {
        let config = self.sign_in.config();
        Shown {
            language: spoken(asked, None),
            account: Arc::clone(&config.account_name),
            help_desk: config.portal.as_ref().and_then(|portal| portal.help_desk.clone()).map(HelpDesk::new),
            user: None,
            full: false,
            csrf: String::new(),
            staff: self.realm == WebRealm::Admin,
            idle: Realm::of(&config, self.realm).map(|place| place.idle).unwrap_or_default(),
        }
    }
}

fn spoken(asked: &Asked, chosen: Option<Language>) -> Language {
    let accepted = asked.headers.get(header::ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok());
    Language::negotiate(accepted.unwrap_or_default(), chosen)
}

/// A path of ours to go to, out of what a link says; `/` for anything else (no open redirect).
#[must_use]
pub fn local_path(text: &str) -> &str {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '/' | '-');
    let ours = text.starts_with('/') && !text.contains("//") && text.len() <= 80 && text.chars().all(plain);
    if ours { text } else { "/" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_leads_to_a_path_of_ours_or_home() {
        for (text, path) in [
            ("/pin", "/pin"),
            ("/phone/d-abc2/remove", "/phone/d-abc2/remove"),
            ("//evil.example", "/"),
            ("https://evil.example", "/"),
            ("/\\evil.example", "/"),
            ("/%2f/evil", "/"),
            ("/a//b", "/"),
            ("", "/"),
            ("/pin\r\nSet-Cookie: a", "/"),
        ] {
            assert_eq!(local_path(text), path, "{text}");
        }
    }
}
