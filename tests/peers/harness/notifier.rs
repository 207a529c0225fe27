//! The site's own notifier: a small HTTP server that checks each signature by hand and keeps what it was told.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use data_encoding::HEXLOWER;
use hmac::{Hmac, KeyInit, Mac};
use serde_json::Value;
use sha2::Sha256;
use tokio::net::TcpListener;

use super::{address, until};

/// `secrets/method.push.webhook`.
pub(crate) const KEY: &str = "canary-of-the-notifier-k3y";

pub(crate) struct Notifier {
    at: SocketAddr,
    posts: Arc<Mutex<Vec<Value>>>,
}

impl Notifier {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind((address(), 0)).await.unwrap();
        let at = listener.local_addr().unwrap();
        let posts: Arc<Mutex<Vec<Value>>> = Arc::default();
        let kept = Arc::clone(&posts);
        let take = move |headers: HeaderMap, body: Bytes| async move {
            assert!(is_signed(&headers, &body), "a hint without our signature");
            kept.lock().unwrap().push(serde_json::from_slice(&body).unwrap());
            StatusCode::ACCEPTED
        };
        let pages = Router::new().route("/hint", post(take));
        tokio::spawn(async move { axum::serve(listener, pages).await });
        Self { at, posts }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}/hint", self.at)
    }

    pub(crate) fn posts(&self) -> Vec<Value> {
        self.posts.lock().unwrap().clone()
    }

    /// Is ready once so many posts came.
    pub(crate) async fn has(&self, count: usize) {
        until("hints", async || (self.posts().len() >= count).then_some(())).await;
    }
}

/// `t=<unix>,v1=<hex HMAC-SHA-256 of t.body>`
fn is_signed(headers: &HeaderMap, body: &[u8]) -> bool {
    let header = headers["vestibule-signature"].to_str().unwrap();
    let (time, signature) = header.strip_prefix("t=").unwrap().split_once(",v1=").unwrap();
    let mut mac = Hmac::<Sha256>::new_from_slice(KEY.as_bytes()).unwrap();
    mac.update(time.as_bytes());
    mac.update(b".");
    mac.update(body);
    mac.verify_slice(&HEXLOWER.decode(signature.as_bytes()).unwrap()).is_ok()
}
