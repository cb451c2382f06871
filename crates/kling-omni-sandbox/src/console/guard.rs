//! Protects the console from other web sites that the same browser has open.

use std::net::IpAddr;

use axum::extract::Request;
use axum::middleware::Next;
use axum::response::Response;
use http::uri::Authority;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};

use super::plain;

const FETCH_SITE: &str = "sec-fetch-site";

/// The headers of every response. With the referrer policy `no-referrer`, forms would be sent without an origin.
const HEADERS: [(HeaderName, &str); 7] = [
    (
        header::CONTENT_SECURITY_POLICY,
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; media-src 'self'; \
         connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    ),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::X_FRAME_OPTIONS, "DENY"),
    (header::REFERRER_POLICY, "same-origin"),
    (header::CACHE_CONTROL, "no-store"),
    (
        HeaderName::from_static("cross-origin-resource-policy"),
        "same-origin",
    ),
    (
        HeaderName::from_static("cross-origin-opener-policy"),
        "same-origin",
    ),
];

/// Rejects requests that another site may have made, and adds the headers of [`HEADERS`].
pub(super) async fn check(request: Request, next: Next) -> Response {
    let headers = request.headers();
    let is_read = [Method::GET, Method::HEAD].contains(request.method());
    let mut response = if !is_loopback_name(headers) {
        plain(
            StatusCode::MISDIRECTED_REQUEST,
            "The Host must be localhost or a loopback address\n",
        )
    } else if !is_read && !is_same_origin(headers) {
        plain(
            StatusCode::FORBIDDEN,
            "A change must come from the console itself: Origin or Sec-Fetch-Site is missing or of another site\n",
        )
    } else {
        next.run(request).await
    };
    for (name, value) in HEADERS {
        let value = HeaderValue::from_static(value);
        response.headers_mut().insert(name, value);
    }
    response
}

/// Returns whether the only `Host` names this machine. A name that an attacker resolves to 127.0.0.1 does not (DNS
/// rebinding).
fn is_loopback_name(headers: &HeaderMap) -> bool {
    let mut hosts = headers.get_all(header::HOST).iter();
    let (Some(host), None) = (hosts.next(), hosts.next()) else {
        return false;
    };
    let Ok(authority) = Authority::try_from(host.as_bytes()) else {
        return false;
    };
    let name = authority.host();
    let address = name.trim_start_matches('[').trim_end_matches(']');
    let is_loopback = match address.parse::<IpAddr>() {
        Ok(address) => address.is_loopback(),
        Err(_) => name.eq_ignore_ascii_case("localhost"),
    };
    is_loopback && !authority.as_str().contains('@')
}

/// Returns whether a browser says that a page of the console made the request (CSRF).
fn is_same_origin(headers: &HeaderMap) -> bool {
    let texts = |name: &str| {
        let values = headers.get_all(name).iter();
        values.map(|value| value.to_str().unwrap_or_default().to_owned())
    };
    let host = texts(header::HOST.as_str()).next().unwrap_or_default();
    let mut sites = texts(FETCH_SITE);
    let mut origins = texts(header::ORIGIN.as_str());
    let own_origin = format!("http://{host}");
    let has_evidence = headers.contains_key(FETCH_SITE) || headers.contains_key(header::ORIGIN);
    has_evidence
        && sites.all(|site| site == "same-origin")
        && origins.all(|origin| origin.eq_ignore_ascii_case(&own_origin))
}
