//! A phone with the app from the stores, by hand: the privacyIDEA Authenticator in poll mode, as its own protocol has it.
//!
//! It shares no code with the product: it takes the scanned address apart, makes its own texts, signs them with its own key of
//! 4096 bits (a published test key), checks what the server signed as the app does, and drops without a word what doesn't fit.
//! An old version behaves as an old version: before 4.4.0 it doesn't know numbers, and never shows a prompt that has some.

use std::collections::{BTreeMap, VecDeque};
use std::time::{SystemTime, UNIX_EPOCH};

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_SHA256, RsaKeyPair, UnparsedPublicKey};
use data_encoding::{BASE32, BASE64};
use reqwest::{Client, Url};
use serde_json::Value;

const KEY: &str = include_str!("../../vectors/push/phone_rsa4096.pem");
const VECTORS: &str = include_str!("../../vectors/push/vectors.json");

/// What the app keeps of what it has shown.
const SEEN_MAX: usize = 100;

pub(crate) struct StorePhone {
    http: Client,
    key: RsaKeyPair,
    version: (u16, u16, u16),
    scanned: BTreeMap<String, String>,
    server: Option<Vec<u8>>,
    seen: VecDeque<String>,
    /// Its clock is so many seconds off.
    clock_off_s: i64,
}

/// What the server said.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    /// The envelope; null if it was none.
    pub(crate) json: Value,
    pub(crate) text: String,
}

/// A prompt on the screen.
#[derive(Clone, Debug)]
pub(crate) struct Shown {
    pub(crate) nonce: String,
    pub(crate) question: String,
    pub(crate) title: String,
    pub(crate) choices: Vec<String>,
    url: String,
    reasons: bool,
}

impl Reply {
    pub(crate) fn value(&self) -> &Value {
        &self.json["result"]["value"]
    }

    pub(crate) fn error(&self) -> &str {
        self.json["result"]["error"]["message"].as_str().unwrap_or_default()
    }

    /// The code that the phone shows after an accept.
    pub(crate) fn code(&self) -> Option<&str> {
        self.json["detail"]["display_code"].as_str()
    }
}

impl StorePhone {
    /// Scans the address of an activation, with the newest app, trusting what `http` trusts.
    pub(crate) fn scans(address: &str, http: Client) -> Self {
        let url = Url::parse(address).unwrap();
        assert_eq!((url.scheme(), url.host_str()), ("otpauth", Some("pipush")));
        let scanned: BTreeMap<String, String> = url.query_pairs().into_owned().collect();
        assert_eq!(scanned["v"], "1");
        assert!(scanned["ttl"].parse::<u32>().unwrap() > 0);
        // Otherwise the app asks Google first, and fails where there is none.
        assert!(["True", "true", "1"].contains(&scanned["poll_only"].as_str()));
        let pem: String = KEY.lines().filter(|line| !line.starts_with("-----")).collect();
        let key = RsaKeyPair::from_pkcs8(&BASE64.decode(pem.as_bytes()).unwrap()).unwrap();
        Self { http, key, version: (4, 8, 0), scanned, server: None, seen: VecDeque::new(), clock_off_s: 0 }
    }

    /// The same with an app of that version.
    pub(crate) fn of_version(mut self, version: (u16, u16, u16)) -> Self {
        self.version = version;
        self
    }

    /// The same with a clock that is off.
    pub(crate) fn with_clock_off(mut self, seconds: i64) -> Self {
        self.clock_off_s = seconds;
        self
    }

    pub(crate) fn serial(&self) -> &str {
        &self.scanned["serial"]
    }

    pub(crate) fn url(&self) -> &str {
        &self.scanned["url"]
    }

    /// Rollout: on iOS an empty POST comes first; then the key. Keeps the server's key.
    pub(crate) async fn enrols(&mut self) -> Reply {
        let key = self.spki();
        self.enrols_with(&key).await
    }

    /// The same with any key, as somebody does who has seen the code.
    pub(crate) async fn enrols_with(&mut self, spki: &str) -> Reply {
        let credential = self.scanned["enrollment_credential"].clone();
        let fields = [
            ("enrollment_credential", credential.as_str()),
            ("serial", self.serial()),
            ("fbtoken", "no_firebase_token"),
            ("pubkey", spki),
            ("capabilities", "[\"decline_reason\"]"),
        ];
        let reply = self.post(self.url(), &fields).await;
        if let Some(key) = reply.json["detail"]["public_key"].as_str() {
            self.server = Some(BASE64.decode(key.as_bytes()).unwrap());
        }
        reply
    }

    pub(crate) async fn posts_nothing(&self) -> Reply {
        self.post(self.url(), &[]).await
    }

    pub(crate) async fn updates_its_token(&self) -> Reply {
        let time = self.time();
        let signature = self.sign(&format!("no_firebase_token|{}|{time}", self.serial()));
        let fields = [
            ("new_fb_token", "no_firebase_token"),
            ("serial", self.serial()),
            ("timestamp", time.as_str()),
            ("signature", signature.as_str()),
            ("capabilities", "[\"decline_reason\"]"),
        ];
        self.post(self.url(), &fields).await
    }

    /// The app is opened, or pulled down: what is new on its screen.
    pub(crate) async fn looks(&mut self) -> Vec<Shown> {
        let reply = self.polls().await;
        assert_eq!(reply.status, 200, "{}", reply.text);
        self.shows(&reply)
    }

    /// A poll, with all that the server says.
    pub(crate) async fn polls(&self) -> Reply {
        let time = self.time();
        let signature = self.sign(&format!("{}|{time}", self.serial()));
        self.polls_as(self.serial(), &time, &signature).await
    }

    pub(crate) async fn polls_as(&self, serial: &str, time: &str, signature: &str) -> Reply {
        let mut url = Url::parse(self.url()).unwrap();
        url.query_pairs_mut()
            .append_pair("serial", serial)
            .append_pair("timestamp", time)
            .append_pair("signature", signature)
            .append_pair("capabilities", "[\"decline_reason\"]");
        let (major, minor, patch) = self.version;
        let agent = format!("privacyIDEA-App / android {major}.{minor}.{patch}");
        reply(self.http.get(url).header("user-agent", agent).send().await.unwrap()).await
    }

    /// What of a poll's answer gets on the screen: one malformed element voids the list, a signature that doesn't fit drops its
    /// own, and what was shown once is never shown again.
    pub(crate) fn shows(&mut self, reply: &Reply) -> Vec<Shown> {
        let Some(list) = reply.value().as_array() else { return Vec::new() };
        let text = |element: &Value, name: &str| element[name].as_str().map(str::to_owned);
        let names = ["nonce", "url", "serial", "question", "title", "sslverify", "signature"];
        if !list.iter().all(|element| names.iter().all(|name| text(element, name).is_some_and(|text| !text.is_empty())))
        {
            return Vec::new();
        }
        list.iter().filter_map(|element| self.shown(element)).collect()
    }

    fn shown(&mut self, element: &Value) -> Option<Shown> {
        let of = |name: &str| element[name].as_str().unwrap_or_default().to_owned();
        let mut fields = ["nonce", "url", "serial", "question", "title", "sslverify"].map(of).to_vec();
        let choices = of("require_presence");
        if !choices.is_empty() && self.version >= (4, 4, 0) {
            fields.push(choices.clone());
        }
        if of("serial") != self.serial() || self.seen.contains(&of("nonce")) {
            return None;
        }
        if !self.is_the_servers(&fields.join("|"), &of("signature")) {
            return None;
        }
        let reasons = element["capabilities"]["decline_reason"] == true;
        let capabilities = format!("{{\"capabilities\":{{\"decline_reason\":true}},\"nonce\":\"{}\"}}", of("nonce"));
        if reasons && !self.is_the_servers(&capabilities, &of("capabilities_signature")) {
            return None;
        }
        if self.seen.len() == SEEN_MAX {
            self.seen.pop_front();
        }
        self.seen.push_back(of("nonce"));
        let choices = choices.split(',').filter(|choice| !choice.is_empty()).map(str::to_owned).collect();
        Some(Shown {
            nonce: of("nonce"),
            question: of("question"),
            title: of("title"),
            choices,
            url: of("url"),
            reasons: reasons && self.version >= (4, 8, 0),
        })
    }

    pub(crate) async fn accepts(&self, shown: &Shown) -> Reply {
        self.answers(shown, &[], &format!("{}|{}", shown.nonce, self.serial())).await
    }

    /// Taps one of the numbers.
    pub(crate) async fn taps(&self, shown: &Shown, number: &str) -> Reply {
        let text = format!("{}|{}|{number}", shown.nonce, self.serial());
        self.answers(shown, &[("presence_answer", number)], &text).await
    }

    /// Declines, and says that its owner started it: a wish to cancel.
    pub(crate) async fn cancels(&self, shown: &Shown) -> Reply {
        self.declines(shown, "cancelled").await
    }

    /// Declines, and says that its owner did not start it: the report of a fraud, where the app can say why.
    pub(crate) async fn reports(&self, shown: &Shown) -> Reply {
        self.declines(shown, "unknown_trigger").await
    }

    async fn declines(&self, shown: &Shown, why: &str) -> Reply {
        if !shown.reasons {
            return self.done(shown).await;
        }
        let text = format!("{}|{}|decline|{why}", shown.nonce, self.serial());
        self.answers(shown, &[("decline", "1"), ("decline_reason", why)], &text).await
    }

    /// "Done" below a code, which sends a plain decline; older apps decline so, too.
    pub(crate) async fn done(&self, shown: &Shown) -> Reply {
        self.answers(shown, &[("decline", "1")], &format!("{}|{}|decline", shown.nonce, self.serial())).await
    }

    /// Any fields under a signature over any text: for what must not work.
    pub(crate) async fn answers(&self, shown: &Shown, extra: &[(&str, &str)], signed: &str) -> Reply {
        let signature = self.sign(signed);
        let mut fields = vec![("serial", self.serial()), ("nonce", shown.nonce.as_str())];
        fields.extend(extra);
        fields.push(("signature", &signature));
        self.post(&shown.url, &fields).await
    }

    pub(crate) async fn post(&self, url: &str, fields: &[(&str, &str)]) -> Reply {
        let mut form = Url::parse("http://form/").unwrap();
        form.query_pairs_mut().extend_pairs(fields);
        let (major, minor, patch) = self.version;
        let post = self
            .http
            .post(url)
            .header("user-agent", format!("privacyIDEA-App/{major}.{minor}.{patch} android/14"))
            .header("content-type", "application/x-www-form-urlencoded; charset=utf-8")
            .body(form.query().unwrap_or_default().to_owned());
        reply(post.send().await.unwrap()).await
    }

    pub(crate) fn sign(&self, text: &str) -> String {
        let mut signature = vec![0; self.key.public_modulus_len()];
        self.key.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), text.as_bytes(), &mut signature).unwrap();
        BASE32.encode(&signature)
    }

    /// Its public key, as it sends it.
    pub(crate) fn spki(&self) -> String {
        let vectors: Value = serde_json::from_str(VECTORS).unwrap();
        vectors["phone_public_spki_b64"].as_str().unwrap().to_owned()
    }

    /// Now, by its own clock: ISO 8601 in UTC with six digits, or three where the microseconds are zero.
    #[expect(clippy::disallowed_methods, reason = "the phone's own clock")]
    pub(crate) fn time(&self) -> String {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_micros();
        let now = i64::try_from(now).unwrap() + self.clock_off_s * 1_000_000;
        let digits = if now % 1000 == 0 { "%Y-%m-%dT%H:%M:%S.%3fZ" } else { "%Y-%m-%dT%H:%M:%S.%6fZ" };
        jiff::Timestamp::from_microsecond(now).unwrap().strftime(digits).to_string()
    }

    fn is_the_servers(&self, text: &str, signature: &str) -> bool {
        let key = self.server.as_ref().expect("enrolled");
        let Ok(signature) = BASE32.decode(signature.as_bytes()) else { return false };
        UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, key).verify(text.as_bytes(), &signature).is_ok()
    }
}

async fn reply(response: reqwest::Response) -> Reply {
    let status = response.status().as_u16();
    let text = response.text().await.unwrap();
    Reply { status, json: serde_json::from_str(&text).unwrap_or_default(), text }
}
