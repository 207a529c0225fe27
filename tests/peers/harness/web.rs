//! A browser without a screen: it keeps the cookie, brings the form's token back, and follows nothing by itself.

use std::net::IpAddr;

use reqwest::header::{COOKIE, LOCATION, SET_COOKIE};
use reqwest::redirect::Policy;

/// Somebody who asks for pages. A clone is another tab of the same browser.
#[derive(Clone)]
pub(crate) struct Web {
    client: reqwest::Client,
    base: String,
    pub(crate) cookie: Option<String>,
    pub(crate) csrf: String,
    pub(crate) headers: Vec<(&'static str, String)>,
}

/// What came.
#[derive(Debug)]
pub(crate) struct Page {
    pub(crate) status: u16,
    pub(crate) location: String,
    pub(crate) set_cookie: Option<String>,
    pub(crate) headers: reqwest::header::HeaderMap,
    pub(crate) body: String,
}

impl Web {
    pub(crate) fn new(base: &str) -> Self {
        let client = reqwest::Client::builder().redirect(Policy::none()).no_proxy().build().unwrap();
        Self { client, base: base.to_owned(), cookie: None, csrf: String::new(), headers: Vec::new() }
    }

    /// Somebody who asks from this address of loopback.
    pub(crate) fn from(base: &str, address: [u8; 4]) -> Self {
        let builder = reqwest::Client::builder().redirect(Policy::none()).no_proxy();
        Self { client: builder.local_address(IpAddr::from(address)).build().unwrap(), ..Self::new(base) }
    }

    /// Another connection of the same browser: its cookie, and the token of its last page.
    pub(crate) fn twin(&self) -> Self {
        let (client, base, headers) = (self.client.clone(), self.base.clone(), self.headers.clone());
        Self { client, base, cookie: self.cookie.clone(), csrf: self.csrf.clone(), headers }
    }

    pub(crate) async fn get(&mut self, path: &str) -> Page {
        let request = self.client.get(format!("{}{path}", self.base));
        self.send(request).await
    }

    /// A form with these fields, and the token of the page that came last.
    pub(crate) async fn post(&mut self, path: &str, fields: &[(&str, &str)]) -> Page {
        let csrf = self.csrf.clone();
        let fields: Vec<(&str, &str)> = fields.iter().copied().chain([("csrf", csrf.as_str())]).collect();
        self.post_as_is(path, &fields).await
    }

    /// A form with these fields and no other.
    pub(crate) async fn post_as_is(&mut self, path: &str, fields: &[(&str, &str)]) -> Page {
        let pairs: Vec<String> =
            fields.iter().map(|(key, value)| format!("{}={}", escaped(key), escaped(value))).collect();
        let request = self.client.post(format!("{}{path}", self.base));
        let request = request.header("content-type", "application/x-www-form-urlencoded").body(pairs.join("&"));
        self.send(request).await
    }

    async fn send(&mut self, request: reqwest::RequestBuilder) -> Page {
        let with_cookie = match &self.cookie {
            Some(cookie) => request.header(COOKIE, cookie),
            None => request,
        };
        let request = self.headers.iter().fold(with_cookie, |request, (name, value)| request.header(*name, value));
        let response = request.send().await.unwrap();
        let text = |name| response.headers().get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
        let (set_cookie, location) = (text(SET_COOKIE), text(LOCATION).unwrap_or_default());
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let body = response.text().await.unwrap();
        if let Some(pair) = set_cookie.as_deref().and_then(|line| line.split(';').next()) {
            self.cookie = Some(pair.to_owned());
        }
        if let Some(token) = body.split("name=\"csrf\" value=\"").nth(1).and_then(|rest| rest.split('"').next()) {
            token.clone_into(&mut self.csrf);
        }
        Page { status, location, set_cookie, headers, body }
    }

    /// Signs in with a password; what the sign-in answered.
    pub(crate) async fn password(&mut self, name: &str, password: &str) -> Page {
        self.get("/sign-in").await;
        self.post("/sign-in", &[("name", name), ("password", password)]).await
    }

    /// Proves a factor by a code; what was answered.
    pub(crate) async fn code(&mut self, code: &str) -> Page {
        self.get("/sign-in/second").await;
        self.post("/sign-in/code", &[("code", code), ("then", "/")]).await
    }
}

fn escaped(text: &str) -> String {
    text.bytes().fold(String::new(), |mut out, octet| {
        if octet.is_ascii_alphanumeric() {
            out.push(char::from(octet));
        } else {
            out.push_str(&format!("%{octet:02X}"));
        }
        out
    })
}
