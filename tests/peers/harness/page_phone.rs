//! Our page's protocol by hand, without a browser: its own lines, its own signatures (a published test key), its own JSON. For
//! what a browser would never send.

use std::time::{SystemTime, UNIX_EPOCH};

use ::vestibule::store::web::Subscription;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};
use data_encoding::{BASE64, BASE64URL_NOPAD};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::push_service::Browser;

const KEY: &str = include_str!("../../vectors/push/web_p256.pem");
const VECTORS: &str = include_str!("../../vectors/push/vectors.json");

pub(crate) struct PagePhone {
    http: reqwest::Client,
    key: EcdsaKeyPair,
    page: String,
    origin: String,
    pub(crate) device: String,
}

impl PagePhone {
    /// At a page's address, of that origin.
    pub(crate) fn at(page: String, origin: String) -> Self {
        let pem: String = KEY.lines().filter(|line| !line.starts_with("-----")).collect();
        let pkcs8 = BASE64.decode(pem.as_bytes()).unwrap();
        let key = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &pkcs8).unwrap();
        Self { http: reqwest::Client::new(), key, page, origin, device: String::new() }
    }

    /// The same, as another site's page would sign.
    pub(crate) fn of_origin(&self, origin: &str) -> Self {
        let mut other = Self::at(self.page.clone(), origin.to_owned());
        other.device.clone_from(&self.device);
        other
    }

    pub(crate) async fn enrols(&mut self, code: &str) -> (u16, Value) {
        let vectors: Value = serde_json::from_str(VECTORS).unwrap();
        let spki = vectors["web_public_spki_b64u"].as_str().unwrap();
        let print = print(&BASE64URL_NOPAD.decode(spki.as_bytes()).unwrap());
        let time = now();
        let signature = self.sign(&["vestibule-enrol-v1", &self.origin, code, &print, &time]);
        let body = json!({
            "code": code, "name": "By hand", "key": spki, "subscription": null, "time": time, "signature": signature,
        });
        let (status, told) = self.post("enrol", &body).await;
        if let Some(device) = told["device"].as_str() {
            device.clone_into(&mut self.device);
        }
        (status, told)
    }

    pub(crate) async fn polls(&self) -> (u16, Value) {
        self.post("poll", &self.poll_at(&now())).await
    }

    /// Asks what became of a prompt that a poll told.
    pub(crate) async fn polls_about(&self, challenge: &Value, nonce: &Value) -> (u16, Value) {
        let mut poll = self.poll_at(&now());
        poll["about"] = json!({ "challenge": challenge, "nonce": nonce });
        self.post("poll", &poll).await
    }

    pub(crate) fn poll_at(&self, time: &str) -> Value {
        let signature = self.sign(&["vestibule-poll-v1", &self.origin, &self.device, time]);
        json!({ "device": self.device, "time": time, "wait": false, "signature": signature })
    }

    /// The answer to a prompt as a poll told it.
    pub(crate) fn answer(&self, prompt: &Value, said: &str, number: &str) -> Value {
        let text = |name: &str| prompt[name].as_str().unwrap().to_owned();
        let (challenge, nonce, time) = (text("challenge"), text("nonce"), now());
        // Members in their order, texts without anything to escape: so this is its canonical form.
        let shown = print(prompt["shown"].to_string().as_bytes());
        let lines =
            ["vestibule-answer-v1", &self.origin, &self.device, &challenge, &nonce, said, number, &shown, &time];
        json!({
            "device": self.device, "challenge": challenge, "nonce": nonce, "said": said, "number": number, "pin": "",
            "shown": shown, "time": time, "signature": self.sign(&lines),
        })
    }

    /// Says where its browser's push service is, with the published keys of the RFC.
    pub(crate) async fn subscribes(&self, endpoint: &str) -> (u16, Value) {
        let keys = published_subscription_keys();
        self.tells(&json!({ "auth": keys["auth"], "endpoint": endpoint, "p256dh": keys["p256dh"] })).await
    }

    /// Says where this browser can be woken.
    pub(crate) async fn subscribes_with(&self, browser: &Browser) -> (u16, Value) {
        let Subscription { endpoint, p256dh, auth } = browser.subscription();
        let (auth, p256dh) = (BASE64URL_NOPAD.encode(&auth), BASE64URL_NOPAD.encode(&p256dh));
        self.tells(&json!({ "auth": auth, "endpoint": &*endpoint, "p256dh": p256dh })).await
    }

    async fn tells(&self, subscription: &Value) -> (u16, Value) {
        let (print, time) = (print(subscription.to_string().as_bytes()), now());
        let signature = self.sign(&["vestibule-subscribe-v1", &self.origin, &self.device, &print, &time]);
        let body = json!({
            "device": self.device, "subscription": subscription, "time": time, "signature": signature,
        });
        self.post("subscription", &body).await
    }

    pub(crate) async fn post(&self, what: &str, body: &Value) -> (u16, Value) {
        self.post_text(what, body.to_string()).await
    }

    pub(crate) async fn post_text(&self, what: &str, body: String) -> (u16, Value) {
        let post = self.http.post(format!("{}api/{what}", self.page)).header("content-type", "application/json");
        let response = post.body(body).send().await.unwrap();
        let status = response.status().as_u16();
        (status, response.json().await.unwrap_or_default())
    }

    fn sign(&self, lines: &[&str]) -> String {
        let signature = self.key.sign(&SystemRandom::new(), lines.join("\n").as_bytes()).unwrap();
        BASE64URL_NOPAD.encode(signature.as_ref())
    }
}

/// A browser's keys of a subscription, as the RFC publishes them: `p256dh` and `auth`.
pub(crate) fn published_subscription_keys() -> Value {
    let vectors: Value = serde_json::from_str(VECTORS).unwrap();
    let keys = &vectors["rfc8291"];
    json!({ "p256dh": keys["ua_public"], "auth": keys["auth_secret"] })
}

fn print(octets: &[u8]) -> String {
    BASE64URL_NOPAD.encode(&Sha256::digest(octets))
}

/// Now, with milliseconds.
#[expect(clippy::disallowed_methods, reason = "the browser's own clock")]
pub(crate) fn now() -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis();
    let now = jiff::Timestamp::from_millisecond(i64::try_from(now).unwrap()).unwrap();
    now.strftime("%Y-%m-%dT%H:%M:%S.%3fZ").to_string()
}
