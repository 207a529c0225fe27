//! The page itself, as a browser loads it: files that are compiled in, with texts in the reader's language.
//!
//! Nothing is fetched from elsewhere, and no script or style stands in the page. What is put into it is escaped. The files
//! carry no version in their names, so browsers ask each time whether they changed.

use std::fmt::Write as _;

use axum::Router;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use data_encoding::{BASE64URL_NOPAD, HEXLOWER};
use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};
use std::sync::Arc;

use crate::config::Titles;
use crate::language::{Arg, Language, text_with};
use crate::web::HelpDesk;

const INDEX: &str = include_str!("assets/index.html");
const MANIFEST: &str = include_str!("assets/manifest.webmanifest");
const ENGLISH: &str = include_str!("../language/en/phone.ftl");

/// What the page says of its site.
#[derive(Clone, Debug)]
pub struct Site {
    /// What the phone shows for the account: `[portal] account_name`.
    pub account: Arc<str>,
    /// Who helps: `[portal] help_desk`, or nothing.
    pub help_desk: Arc<str>,
    /// What people read of an appliance.
    pub titles: Titles,
    /// The key that browsers bind a subscription to (RFC 8292 §3.2); `None`: no Web Push here.
    pub application_server_key: Option<[u8; 65]>,
}

/// The routes of the page's files, under `/phone/`.
pub fn routes(site: Site) -> Router {
    let file = |kind: &'static str, octets: &'static [u8]| {
        let tag = etag(octets);
        get(move |headers: HeaderMap| std::future::ready(unchanged(&headers, kind, octets, &tag)))
    };
    let text = |kind, text: &'static str| file(kind, text.as_bytes());
    const SCRIPT: &str = "text/javascript; charset=utf-8";
    Router::new()
        .route("/phone/", get(index))
        .route("/phone", get(|| async { (StatusCode::PERMANENT_REDIRECT, [(header::LOCATION, "/phone/")]) }))
        .route("/phone/site.json", get(site_json))
        .route("/phone/manifest.webmanifest", get(manifest))
        .route("/phone/app.css", text("text/css; charset=utf-8", include_str!("assets/app.css")))
        .route("/phone/core.js", text(SCRIPT, include_str!("assets/core.js")))
        .route("/phone/app.js", text(SCRIPT, include_str!("assets/app.js")))
        .route("/phone/sw.js", text(SCRIPT, include_str!("assets/sw.js")))
        .route("/phone/icon.svg", text("image/svg+xml; charset=utf-8", include_str!("assets/icon.svg")))
        .route("/phone/icon-192.png", file("image/png", include_bytes!("assets/icon-192.png")))
        .route("/phone/icon-512.png", file("image/png", include_bytes!("assets/icon-512.png")))
        .route("/phone/icon-maskable-512.png", file("image/png", include_bytes!("assets/icon-maskable-512.png")))
        .route("/phone/badge-96.png", file("image/png", include_bytes!("assets/badge-96.png")))
        .with_state(Arc::new(site))
}

/// What the browser speaks.
#[must_use]
pub fn language_of(headers: &HeaderMap) -> Language {
    let accepts = headers.get(header::ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok());
    Language::negotiate(accepts.unwrap_or_default(), None)
}

async fn index(State(site): State<Arc<Site>>, headers: HeaderMap) -> Response {
    let language = language_of(&headers);
    let desk = HelpDesk::new(Arc::clone(&site.help_desk));
    let page = filled(INDEX, |name| match name {
        "help_desk" => desk.to_string(),
        name => html(&value(&site, language, name)),
    });
    ([(header::CONTENT_TYPE, "text/html; charset=utf-8"), (header::VARY, "accept-language")], page).into_response()
}

async fn manifest(State(site): State<Arc<Site>>, headers: HeaderMap) -> Response {
    let language = language_of(&headers);
    let page = filled(MANIFEST, |name| inside_json(&value(&site, language, name)));
    ([(header::CONTENT_TYPE, "application/manifest+json"), (header::VARY, "accept-language")], page).into_response()
}

/// What the script reads: the texts, and how this site rings.
async fn site_json(State(site): State<Arc<Site>>, Query(asked): Query<Asked>, headers: HeaderMap) -> Response {
    let language = asked.lang.as_deref().and_then(Language::of_tag).unwrap_or_else(|| language_of(&headers));
    let texts: Map<String, Value> = keys().map(|key| (key.to_owned(), said(language, key).into())).collect();
    let told = json!({
        "account": &*site.account,
        "help_desk": &*site.help_desk,
        "lang": language.as_tag(),
        "vapid": site.application_server_key.map(|key| BASE64URL_NOPAD.encode(&key)),
        "texts": texts,
    });
    ([(header::VARY, "accept-language")], axum::Json(told)).into_response()
}

/// `?lang=de`: what the phone's user chose in the portal, over what the browser asks for.
#[derive(serde::Deserialize)]
struct Asked {
    lang: Option<String>,
}

/// The keys of the page's texts, as English has them.
fn keys() -> impl Iterator<Item = &'static str> {
    ENGLISH.lines().filter_map(|line| line.split_once(" = ")).map(|(key, _)| key)
}

/// The text with its arguments left to be filled in by the page.
fn said(language: Language, key: &str) -> String {
    const ARGUMENTS: [&str; 8] = ["server", "user", "help", "left", "by", "status", "appliance", "until"];
    let left: Vec<(&str, String)> = ARGUMENTS.iter().map(|name| (*name, format!("{{ ${name} }}"))).collect();
    let left: Vec<(&str, Arg<'_>)> = left.iter().map(|(name, text)| (*name, text.as_str().into())).collect();
    text_with(language, key, &left).to_string()
}

fn value(site: &Site, language: Language, name: &str) -> String {
    match name {
        "account" => site.account.to_string(),
        "help_desk" => site.help_desk.to_string(),
        "lang" => language.as_tag().to_owned(),
        key => said(language, key),
    }
}

/// Every `{{name}}` replaced; a brace without its end stays as it is.
fn filled(page: &str, value: impl Fn(&str) -> String) -> String {
    let mut out = String::with_capacity(page.len() * 2);
    let mut rest = page;
    while let Some((before, after)) = rest.split_once("{{") {
        out.push_str(before);
        let Some((name, after)) = after.split_once("}}") else {
            out.push_str("{{");
            rest = after;
            break;
        };
        out.push_str(&value(name));
        rest = after;
    }
    out.push_str(rest);
    out
}

fn html(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for mark in text.chars() {
        match mark {
            '&' | '<' | '>' | '"' | '\'' => {
                let _ = write!(out, "&#{};", u32::from(mark));
            }
            other => out.push(other),
        }
    }
    out
}

/// What stands between the quotes of a JSON text.
fn inside_json(text: &str) -> String {
    let quoted = json!(text).to_string();
    quoted.strip_prefix('"').and_then(|text| text.strip_suffix('"')).unwrap_or_default().to_owned()
}

fn etag(octets: &[u8]) -> HeaderValue {
    let print = HEXLOWER.encode(&Sha256::digest(octets)[..16]);
    HeaderValue::from_str(&format!("\"{print}\"")).unwrap_or(HeaderValue::from_static("\"\""))
}

/// RFC 9110 §13.1.2: the same file is not sent again.
fn unchanged(headers: &HeaderMap, kind: &'static str, octets: &'static [u8], tag: &HeaderValue) -> Response {
    let kept = [(header::CACHE_CONTROL, HeaderValue::from_static("no-cache")), (header::ETAG, tag.clone())];
    if headers.get(header::IF_NONE_MATCH) == Some(tag) {
        return (StatusCode::NOT_MODIFIED, kept).into_response();
    }
    (kept, [(header::CONTENT_TYPE, HeaderValue::from_static(kind))], octets).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn site() -> Site {
        Site {
            account: "<b>\"M\u{fc}ller\" & S\u{f6}hne".into(),
            help_desk: "0800 <1>".into(),
            titles: Titles::default(),
            application_server_key: Some([4; 65]),
        }
    }

    fn page(language: Language) -> String {
        filled(INDEX, |name| html(&value(&site(), language, name)))
    }

    #[test]
    fn what_is_put_into_the_page_is_escaped_and_nothing_is_left_open() {
        for language in Language::ALL {
            let page = page(language);
            assert!(!page.contains("{{") && !page.contains("<b>") && !page.contains("<1>"), "{language:?}");
            assert!(page.contains("&#60;b&#62;&#34;M\u{fc}ller&#34; &#38; S\u{f6}hne"));
            assert!(!page.contains(">phone-"), "a key that nobody wrote");
        }
        assert!(page(Language::German).contains("<html lang=\"de\">"));
    }

    #[test]
    fn whatever_the_page_says_can_be_said_in_another_language_later() {
        for (at, _) in INDEX.match_indices("{{phone-") {
            let (before, rest) = INDEX.split_at(at);
            let key = rest[2..].split_once("}}").unwrap().0;
            let tag = &before[before.rfind('<').unwrap()..];
            let tag = if tag.ends_with('>') { tag } else { INDEX[at - tag.len()..].split_once('>').unwrap().0 };
            let told = ["text", "label"].iter().any(|what| tag.contains(&format!("data-{what}=\"{key}\"")));
            // The one is said anew at each step, the other where there is no script.
            assert!(told || ["phone-loading", "phone-needs-script"].contains(&key), "{key} in {tag}");
        }
    }

    #[test]
    fn the_page_has_no_inline_script_or_style_and_nothing_from_elsewhere() {
        let page = page(Language::English);
        for (index, _) in page.match_indices("<script") {
            assert!(page[index..].starts_with("<script src=\""), "{}", &page[index..index + 40]);
        }
        for wrong in ["<style", " style=", " onclick", " onload", "javascript:", "http://", "https://", "//cdn"] {
            assert!(!page.contains(wrong), "{wrong}");
        }
        for script in [include_str!("assets/app.js"), include_str!("assets/core.js"), include_str!("assets/sw.js")] {
            for wrong in [
                "innerHTML",
                "outerHTML",
                "insertAdjacentHTML",
                "document.write",
                "eval(",
                "new Function",
                "http://",
                "https://",
            ] {
                assert!(!script.contains(wrong), "{wrong}");
            }
        }
    }

    #[test]
    fn the_manifest_is_json_whatever_the_account_is_called() {
        let site = site();
        let site = Site { account: format!("{}\"\\", site.account).into(), ..site };
        let manifest = filled(MANIFEST, |name| inside_json(&value(&site, Language::French, name)));
        let manifest: Value = serde_json::from_str(&manifest).unwrap();
        assert_eq!(manifest["name"], &*site.account);
        assert_eq!((manifest["display"].as_str(), manifest["lang"].as_str()), (Some("standalone"), Some("fr")));
        assert_eq!(manifest.get("orientation"), None, "WCAG 2.2 §1.3.4: a phone in a holder may be turned");
    }

    #[test]
    fn every_key_that_the_scripts_and_the_page_name_is_written() {
        let known: Vec<&str> = keys().collect();
        assert!(known.len() > 90);
        let sources = [INDEX, include_str!("assets/app.js"), include_str!("assets/sw.js")].concat();
        for (at, _) in sources.match_indices("phone-") {
            let key: String = sources[at..].chars().take_while(|c| c.is_ascii_lowercase() || *c == '-').collect();
            // `phone-state-${…}-title` is put together by the script, from names that stand beside it.
            if !key.ends_with('-') {
                assert!(known.contains(&key.as_str()), "{key}");
            }
        }
        for state in [
            "approved",
            "denied",
            "reported",
            "show-code",
            "wrong-number",
            "pin-locked",
            "pin-change",
            "no-pin",
            "ended",
            "tested",
            "let-in",
            "over",
            "late",
        ] {
            for part in ["title", "text"] {
                assert!(known.contains(&format!("phone-state-{state}-{part}").as_str()), "{state} {part}");
            }
        }
    }

    #[test]
    fn the_script_fills_in_what_the_text_leaves_open() {
        assert!(said(Language::English, "phone-asks").contains("{ $user }"));
        assert!(said(Language::English, "phone-clock").contains("{ $by }"));
    }
}
