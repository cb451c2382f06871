//! The errors of a bucket. None of them is charged. Of the error of a store, only the code and the message are shown: the
//! rest may contain the id of the key and the signed text.

use std::error::Error as StdError;
use std::iter::successors;
use std::time::Duration;

use object_store::client::{HttpError, HttpErrorKind};

use crate::engine::error::{Error, ErrorKind};
use crate::engine::upload::bucket::ObjectStoreUploader;
use crate::engine::upload::bucket::send::SendError;
use crate::engine::upload::errors::file_changed;
use crate::engine::upload::local_file::LocalFile;
use crate::engine::upload::put::element;
use crate::redact::{self, RedactedUrl};

/// The endpoints that return the credentials of a machine's or container's role.
const ROLE_ENDPOINTS: [&str; 3] = ["//169.254.169.254", "//169.254.170.2", "//[fd00:ec2::254]"];

pub(crate) fn invalid_url(url: &str) -> Error {
    let summary = format!("invalid bucket URL: {}", RedactedUrl(url));
    Error::uncharged(ErrorKind::Configuration, summary)
        .with_help("use s3://bucket/prefix, and give credentials and endpoint in the environment")
}

pub(crate) fn invalid_prefix(prefix: &str, error: &object_store::path::Error) -> Error {
    let summary = format!("invalid prefix {prefix:?} of object names: {error}");
    Error::uncharged(ErrorKind::Configuration, summary)
}

pub(crate) fn invalid_settings(error: &object_store::Error) -> Error {
    let reason = redact::sanitize(&innermost(error), "");
    let summary = format!("invalid bucket settings: {reason}");
    Error::uncharged(ErrorKind::Configuration, summary)
        .with_help("check the environment variables that begin with AWS_")
}

pub(crate) fn invalid_lifetime(lifetime: Duration) -> Error {
    let shown = |time: Duration| humantime::format_duration(time);
    let summary = format!(
        "invalid lifetime of a presigned URL: {} (limit {})",
        shown(lifetime),
        shown(ObjectStoreUploader::MAX_LIFETIME),
    );
    Error::uncharged(ErrorKind::Configuration, summary).with_help(format!(
        "use a lifetime from {} to {}",
        shown(ObjectStoreUploader::MIN_LIFETIME),
        shown(ObjectStoreUploader::MAX_LIFETIME),
    ))
}

pub(crate) fn send_failed(file: &LocalFile, bucket: &str, failure: SendError) -> Error {
    match failure {
        SendError::File(error) => file_changed(file.name(), &error),
        SendError::Store(error) => store_failed(
            &format!("could not upload {} to {bucket}", file.name()),
            &error,
        ),
    }
}

pub(crate) fn sign_failed(file: &LocalFile, bucket: &str, error: &object_store::Error) -> Error {
    let what = format!("could not sign a URL for {} in {bucket}", file.name());
    store_failed(&what, error)
}

/// The error of an object that was written but cannot be read.
pub(crate) fn not_readable(file: &LocalFile, bucket: &str, error: object_store::Error) -> Error {
    let what = format!(
        "could not read {} in {bucket} after the upload",
        file.name()
    );
    match error {
        object_store::Error::PermissionDenied { .. }
        | object_store::Error::Unauthenticated { .. } => {
            Error::uncharged(ErrorKind::Upload, format!("{what}: access denied"))
                .with_help("allow these credentials s3:GetObject")
        }
        error => store_failed(&what, &error),
    }
}

pub(crate) fn wrong_length(file: &LocalFile, length: u64) -> Error {
    let summary = format!(
        "{} is incomplete in the bucket after the upload: expected {} bytes, found {length}",
        file.name(),
        file.length()
    );
    Error::uncharged(ErrorKind::Upload, summary)
        .with_retryable(true)
        .with_help("upload the file again at no cost")
}

/// Whether there was no response. Another request would fail, too.
pub(crate) fn has_no_response(error: &object_store::Error) -> bool {
    http_error(error).is_some() || is_redirected(&innermost(error))
}

fn store_failed(what: &str, error: &object_store::Error) -> Error {
    let text = error.to_string();
    if ROLE_ENDPOINTS
        .iter()
        .any(|endpoint| text.contains(endpoint))
    {
        let summary = format!("{what}: no credentials, and no role of the machine");
        return Error::uncharged(ErrorKind::Configuration, summary).with_help(
            "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, because the profiles of the AWS command line are not read",
        );
    }
    if let Some(error) = http_error(error) {
        let reason = match error.kind() {
            HttpErrorKind::Connect => "could not connect to the store",
            HttpErrorKind::Timeout => "no response from the store within the time limit",
            _ => "the connection to the store was lost",
        };
        let cause = redact::sanitize(&innermost(error), "");
        return Error::uncharged(ErrorKind::Transport, format!("{what}: {reason}: {cause}"))
            .with_retryable(true)
            .with_help("check AWS_ENDPOINT_URL, if set, and upload the file again at no cost");
    }
    let message = innermost(error);
    let code = element(&message, "Code");
    let parts: Vec<_> = [code, element(&message, "Message")]
        .into_iter()
        .filter(|part| !part.is_empty())
        .map(|part| redact::sanitize(part, ""))
        .collect();
    let reason = match &parts[..] {
        // Not the XML error of a store.
        [] => redact::sanitize(message.split('<').next().unwrap_or_default(), ""),
        parts => format!("rejected by the store: {}", parts.join(", ")),
    };
    // Without a code, the message of the library contains the status.
    let is_down = matches!(code, "InternalError" | "ServiceUnavailable" | "SlowDown")
        || message.contains("status code: 5");
    let help = match code {
        "InvalidAccessKeyId"
        | "SignatureDoesNotMatch"
        | "InvalidToken"
        | "ExpiredToken"
        | "InvalidClientTokenId"
        | "NotSignedUp" => {
            "check AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and, for temporary credentials, AWS_SESSION_TOKEN"
        }
        "AccessDenied" => "allow these credentials s3:PutObject and s3:GetObject",
        "NoSuchBucket" => "check the name of the bucket and AWS_ENDPOINT_URL",
        "RequestTimeTooSkewed" => "set the clock of this machine",
        "AuthorizationHeaderMalformed" | "PermanentRedirect" => REGION_HELP,
        _ if is_redirected(&message) => REGION_HELP,
        _ if is_down => "upload the file again at no cost",
        _ => "check the bucket and its credentials",
    };
    let kind = if is_down {
        ErrorKind::Server
    } else {
        ErrorKind::Upload
    };
    Error::uncharged(kind, format!("{what}: {reason}"))
        .with_retryable(is_down)
        .with_help(help)
}

const REGION_HELP: &str = "set AWS_REGION to the region of the bucket";

/// Matches the message of the library for the response of a store in another region.
fn is_redirected(message: &str) -> bool {
    message.contains("redirect without LOCATION")
}

fn chain<'a>(
    error: &'a (dyn StdError + 'static),
) -> impl Iterator<Item = &'a (dyn StdError + 'static)> {
    successors(Some(error), |error: &&'a (dyn StdError + 'static)| {
        (*error).source()
    })
}

fn http_error<'a>(error: &'a (dyn StdError + 'static)) -> Option<&'a HttpError> {
    chain(error).find_map(|error| error.downcast_ref())
}

/// The message of the root cause.
fn innermost(error: &(dyn StdError + 'static)) -> String {
    chain(error).last().unwrap_or(error).to_string()
}
