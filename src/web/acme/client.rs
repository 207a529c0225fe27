//! How ACME's requests leave: through reqwest, https only, no redirects, bounded in time and size.

use std::error::Error;
use std::future::Future;
use std::path::Path;
use std::pin::Pin;
use std::time::Duration;

use axum::body::{Body, Bytes, to_bytes};
use axum::http::{Request, Response};
use instant_acme::{BodyWrapper, BytesResponse, HttpClient};
use reqwest::{Certificate, Client, redirect};

const CONNECT_WITHIN: Duration = Duration::from_secs(10);
const ANSWER_WITHIN: Duration = Duration::from_secs(30);
/// A long chain is a few kilobytes.
const OCTETS_MAX: usize = 256 * 1024;

/// A client that trusts the system's authorities, or these alone.
pub(super) struct OverReqwest(Client);

impl OverReqwest {
    pub(super) fn new(ca: Option<&Path>) -> Result<Self, String> {
        let builder = Client::builder()
            .https_only(true)
            .redirect(redirect::Policy::none())
            .no_proxy()
            .connect_timeout(CONNECT_WITHIN)
            .timeout(ANSWER_WITHIN)
            // RFC 8555 §6.1 asks for a name of the client; no version goes with it.
            .user_agent("vestibule");
        let builder = match ca {
            Some(file) => builder.tls_certs_only(trusted(file)?),
            None => builder,
        };
        builder.build().map(Self).map_err(|error| innermost(&error))
    }
}

fn trusted(file: &Path) -> Result<Vec<Certificate>, String> {
    let pem = std::fs::read(file).map_err(|error| format!("acme ca: {}: {error}", file.display()))?;
    let found = Certificate::from_pem_bundle(&pem).map_err(|error| innermost(&error))?;
    if found.is_empty() { Err(format!("acme ca: {}: no certificate in it", file.display())) } else { Ok(found) }
}

type Answer = Pin<Box<dyn Future<Output = Result<BytesResponse, instant_acme::Error>> + Send>>;

impl HttpClient for OverReqwest {
    fn request(&self, request: Request<BodyWrapper<Bytes>>) -> Answer {
        let client = self.0.clone();
        Box::pin(async move { ask(&client, request).await.map_err(instant_acme::Error::Other) })
    }
}

async fn ask(
    client: &Client,
    request: Request<BodyWrapper<Bytes>>,
) -> Result<BytesResponse, Box<dyn Error + Send + Sync>> {
    let (parts, body) = request.into_parts();
    let body = to_bytes(Body::new(body), OCTETS_MAX).await?;
    let asked = client.request(parts.method, parts.uri.to_string()).headers(parts.headers).body(body);
    let mut answer = asked.send().await?;
    let mut response = Response::builder().status(answer.status());
    if let Some(headers) = response.headers_mut() {
        headers.clone_from(answer.headers());
    }
    let mut octets = Vec::new();
    while let Some(chunk) = answer.chunk().await? {
        if octets.len() + chunk.len() > OCTETS_MAX {
            return Err(format!("its answer is longer than {OCTETS_MAX} octets").into());
        }
        octets.extend_from_slice(&chunk);
    }
    Ok(BytesResponse::from(response.body(Body::from(octets))?))
}

/// The last cause: what a person can act on.
pub(super) fn innermost(error: &(dyn Error + 'static)) -> String {
    let mut last = error;
    while let Some(cause) = last.source() {
        last = cause;
    }
    last.to_string()
}
