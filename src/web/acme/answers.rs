//! The two ways to prove a host: a certificate that only this challenge knows, or a text under a well-known path.
//!
//! An answer is up while its order runs and is taken back with it; whoever asks for another gets nothing.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::Router;
use axum::extract::{Path, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use instant_acme::ChallengeHandle;
use rcgen::{CertificateParams, CustomExtension, KeyPair};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};

use super::AcmeError;
use crate::config::PublicUrl;
use crate::web::certificates::Certificates;

/// Where answers are put up.
#[derive(Clone)]
pub enum Answers {
    /// `tls-alpn-01`: on the pages' own socket.
    Alpn(Certificates),
    /// `http-01`: on a socket that port 80 leads to.
    Http(Tokens),
}

/// Answers to `http-01`, by token; clones share them.
#[derive(Clone, Default)]
pub struct Tokens(Arc<Mutex<ByToken>>);

/// The host that a token proves, and the answer.
type ByToken = BTreeMap<String, (Box<str>, String)>;

impl Answers {
    pub(super) fn put_up(&self, host: &str, challenge: &ChallengeHandle<'_>) -> Result<(), AcmeError> {
        let authorization = challenge.key_authorization();
        match self {
            Self::Alpn(certificates) => {
                let (certificate, key) = alpn(host, authorization.digest().as_ref())?;
                certificates.answer_challenge(host, certificate, key)?;
            }
            Self::Http(tokens) => {
                let answer = (host.into(), authorization.as_str().to_owned());
                tokens.all().insert(challenge.token.clone(), answer);
            }
        }
        Ok(())
    }

    pub(super) fn take_back(&self, host: &str) {
        match self {
            Self::Alpn(certificates) => certificates.end_challenge(host),
            Self::Http(tokens) => tokens.all().retain(|_, (of, _)| &**of != host),
        }
    }

    pub(super) fn kind_name(&self) -> &'static str {
        match self {
            Self::Alpn(_) => "tls-alpn-01",
            Self::Http(_) => "http-01",
        }
    }

    /// What must hold for the authority to see the answer.
    pub(super) fn help(&self) -> &'static str {
        match self {
            Self::Alpn(_) => {
                "its DNS name must lead here from the internet, and TCP port 443 to `listen`, without a proxy that speaks TLS itself"
            }
            Self::Http(_) => "its DNS name must lead here from the internet, and TCP port 80 to `http_listen`",
        }
    }

    /// What to try where the authority offers no such proof.
    pub(super) fn otherwise(&self) -> &'static str {
        match self {
            Self::Alpn(_) => "say http_listen = \"0.0.0.0:80\" in `acme`, for http-01",
            Self::Http(_) => "take `http_listen` out of `acme`, for tls-alpn-01",
        }
    }
}

/// RFC 8737 §3: a self-signed certificate for the one name, "with a critical acmeIdentifier extension".
fn alpn(host: &str, digest: &[u8]) -> Result<(CertificateDer<'static>, PrivateKeyDer<'static>), AcmeError> {
    let ours = |error: rcgen::Error| AcmeError::Ours(error.to_string());
    if digest.len() != 32 {
        return Err(AcmeError::Ours("a SHA-256 digest has 32 octets".to_owned()));
    }
    let key = KeyPair::generate().map_err(ours)?;
    let mut answer = CertificateParams::new([host.to_owned()]).map_err(ours)?;
    answer.custom_extensions = vec![CustomExtension::new_acme_identifier(digest)];
    let certificate = answer.self_signed(&key).map_err(ours)?;
    let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
    Ok((certificate.der().clone(), key))
}

impl Tokens {
    /// The pages of port 80: answers to challenges; everything else is sent to the pages themselves.
    pub fn responder(&self, url: &PublicUrl) -> Router {
        let to: Arc<str> = format!("{url}/").into();
        Router::new().route("/.well-known/acme-challenge/{token}", get(answer).with_state(self.clone())).fallback(
            move || std::future::ready((StatusCode::PERMANENT_REDIRECT, [(header::LOCATION, to.to_string())])),
        )
    }

    fn all(&self) -> MutexGuard<'_, ByToken> {
        // A panic elsewhere can't leave the map half changed.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// RFC 8555 §8.3: the key authorization, as `application/octet-stream`.
async fn answer(State(tokens): State<Tokens>, Path(token): Path<String>) -> Response {
    let found = tokens.all().get(&token).map(|(_, answer)| answer.clone());
    match found {
        Some(answer) => ([(header::CONTENT_TYPE, "application/octet-stream")], answer).into_response(),
        None => StatusCode::NOT_FOUND.into_response(),
    }
}
