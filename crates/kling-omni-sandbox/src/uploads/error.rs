//! Why the storage host takes no file.

use axum::response::Response;
use http::{HeaderValue, Method, StatusCode, header};

use crate::reply;

/// Why the storage host takes no file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    Method,
    Credentials(String),
    Signature,
    Expired,
    HeaderMissing(String),
    HeaderDiffers(String),
    HeaderExtra(String),
    LengthMissing,
    TooLong(u64),
    Broken,
    Disk,
}

impl From<Refusal> for Response {
    fn from(refusal: Refusal) -> Self {
        let (status, code, text) = match &refusal {
            Refusal::Method => (
                StatusCode::METHOD_NOT_ALLOWED,
                "MethodNotAllowed",
                "Files come by PUT".to_owned(),
            ),
            Refusal::Credentials(name) => (
                StatusCode::BAD_REQUEST,
                "UnexpectedCredentials",
                format!("The URL is signed; `{name}` has no business here"),
            ),
            Refusal::Signature => (
                StatusCode::FORBIDDEN,
                "SignatureDoesNotMatch",
                "The signature of the URL is not that of this place".to_owned(),
            ),
            Refusal::Expired => (
                StatusCode::BAD_REQUEST,
                "ExpiredToken",
                "The signed URL has expired".to_owned(),
            ),
            Refusal::HeaderMissing(name) => (
                StatusCode::BAD_REQUEST,
                "MalformedSecurityHeader",
                format!("The header `{name}` is signed and is not there"),
            ),
            Refusal::HeaderDiffers(name) => (
                StatusCode::FORBIDDEN,
                "SignatureDoesNotMatch",
                format!("The header `{name}` is not the one that was signed"),
            ),
            Refusal::HeaderExtra(name) => (
                StatusCode::BAD_REQUEST,
                "MalformedSecurityHeader",
                format!("The header `{name}` is there and is not signed"),
            ),
            Refusal::LengthMissing => (
                StatusCode::LENGTH_REQUIRED,
                "MissingContentLength",
                "The request needs a Content-Length".to_owned(),
            ),
            Refusal::TooLong(largest) => (
                StatusCode::BAD_REQUEST,
                "EntityTooLarge",
                format!("The file has more than {largest} bytes"),
            ),
            Refusal::Broken => (
                StatusCode::BAD_REQUEST,
                "IncompleteBody",
                "The file ended before its length".to_owned(),
            ),
            Refusal::Disk => (
                StatusCode::INTERNAL_SERVER_ERROR,
                "InternalError",
                "The file could not be kept".to_owned(),
            ),
        };
        let mut response = reply::xml_error(status, code, &text);
        if refusal == Refusal::Method {
            let allow = HeaderValue::from_static(Method::PUT.as_str());
            response.headers_mut().insert(header::ALLOW, allow);
        }
        response
    }
}
