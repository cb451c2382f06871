//! The errors of the storage host.

use axum::response::Response;
use http::{HeaderValue, Method, StatusCode, header};

use crate::reply;

/// Why the storage host rejects an upload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum UploadError {
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

impl From<UploadError> for Response {
    fn from(error: UploadError) -> Self {
        let (status, code, text) = match &error {
            UploadError::Method => (
                StatusCode::METHOD_NOT_ALLOWED,
                "MethodNotAllowed",
                "Only PUT is allowed".to_owned(),
            ),
            UploadError::Credentials(name) => (
                StatusCode::BAD_REQUEST,
                "UnexpectedCredentials",
                format!("The URL is signed, credentials in `{name}` are not allowed"),
            ),
            UploadError::Signature => (
                StatusCode::FORBIDDEN,
                "SignatureDoesNotMatch",
                "The signature of the URL is invalid".to_owned(),
            ),
            UploadError::Expired => (
                StatusCode::BAD_REQUEST,
                "ExpiredToken",
                "The signed URL has expired".to_owned(),
            ),
            UploadError::HeaderMissing(name) => (
                StatusCode::BAD_REQUEST,
                "MalformedSecurityHeader",
                format!("The signed header `{name}` is missing"),
            ),
            UploadError::HeaderDiffers(name) => (
                StatusCode::FORBIDDEN,
                "SignatureDoesNotMatch",
                format!("The header `{name}` differs from the signed value"),
            ),
            UploadError::HeaderExtra(name) => (
                StatusCode::BAD_REQUEST,
                "MalformedSecurityHeader",
                format!("The header `{name}` is not signed"),
            ),
            UploadError::LengthMissing => (
                StatusCode::LENGTH_REQUIRED,
                "MissingContentLength",
                "The request needs a Content-Length".to_owned(),
            ),
            UploadError::TooLong(max_size) => (
                StatusCode::BAD_REQUEST,
                "EntityTooLarge",
                format!("The file has more than {max_size} bytes"),
            ),
            UploadError::Broken => (
                StatusCode::BAD_REQUEST,
                "IncompleteBody",
                "The file is shorter than its Content-Length".to_owned(),
            ),
            UploadError::Disk => (
                StatusCode::INTERNAL_SERVER_ERROR,
                "InternalError",
                "The file could not be stored".to_owned(),
            ),
        };
        let mut response = reply::xml_error(status, code, &text);
        if error == UploadError::Method {
            let allow = HeaderValue::from_static(Method::PUT.as_str());
            response.headers_mut().insert(header::ALLOW, allow);
        }
        response
    }
}
