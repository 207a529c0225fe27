//! Headers that every page has: what a browser may load, frame, remember and tell others.
//!
//! Strict for all: no script, style or picture but our own, no framing, no referrer, nothing kept in a cache unless the
//! route says so. Nothing in an answer names the program or its version (rules F6).

use axum::Router;
use axum::http::{HeaderName, HeaderValue, header};
use axum::middleware::map_response;
use axum::response::Response;

use crate::config::PublicUrl;

/// What a page may load: its own files, and for pictures also those that it draws itself.
const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; object-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; \
     connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'; manifest-src 'self'; worker-src 'self'";
/// The camera reads activation codes; nothing else is used. Only names that browsers know: of others they complain at each page
/// (`bluetooth` and `ambient-light-sensor` are such).
const PERMISSIONS_POLICY: &str = "camera=(self), microphone=(), geolocation=(), payment=(), usb=(), serial=(), \
     hid=(), midi=(), display-capture=(), accelerometer=(), gyroscope=(), magnetometer=()";
/// RFC 6797 §6.1: a year. Without `includeSubDomains`: it would bind every host below this name, in every browser that ever came
/// here and for a year, to TLS that only the site can know they have; and they can't harm our cookies, which are `__Host-`.
const STRICT_TRANSPORT_SECURITY: &str = "max-age=31536000";

const ALWAYS: [(HeaderName, &str); 7] = [
    (header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::REFERRER_POLICY, "no-referrer"),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    (HeaderName::from_static("permissions-policy"), PERMISSIONS_POLICY),
    (header::X_FRAME_OPTIONS, "DENY"),
];

/// Pages with these headers; `url` is how browsers know them. A route's own `Cache-Control` stands, and is `no-store` without.
pub fn guarded(pages: Router, url: &PublicUrl) -> Router {
    // RFC 6797 §7.2 forbids it over plain HTTP; behind a proxy the browser's own connection is what counts.
    let is_https = url.is_https();
    pages.layer(map_response(move |response: Response| std::future::ready(with_headers(response, is_https))))
}

fn with_headers(mut response: Response, is_https: bool) -> Response {
    let headers = response.headers_mut();
    for (name, value) in ALWAYS {
        headers.insert(name, HeaderValue::from_static(value));
    }
    if is_https {
        headers.insert(header::STRICT_TRANSPORT_SECURITY, HeaderValue::from_static(STRICT_TRANSPORT_SECURITY));
    }
    headers.remove(header::SERVER);
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    response
}
