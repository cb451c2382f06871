//! The errors of a bucket. None of them is charged. Of a store's error, only the code and the message are shown: the rest
//! may contain the id of the key and the signed text.

use std::error::Error as StdError;
use std::iter::successors;
use std::time::Duration;

use object_store::client::{HttpError, HttpErrorKind};

use crate::engine::error::{Error, ErrorKind};
use crate::engine::upload::bucket::ObjectStoreUploader;
use crate::engine::upload::bucket::send::Failure;
use crate::engine::upload::errors::file_changed;
use crate::engine::upload::local_file::LocalFile;
use crate::engine::upload::put::element;
use crate::redact::{self, RedactedUrl};

/// The endpoints that return the credentials of a machine's or container's role.
const ROLE_ENDPOINTS: [&str; 3] = ["//169.254.169.254", "//169.254.170.2", "//[fd00:ec2::254]"];

pub(crate) fn invalid_url(url: &str) -> Error {
    let summary = format!("{} is not the URL of a bucket alone", RedactedUrl(url));
    Error::uncharged(ErrorKind::Configuration, summary)
        .with_help("write s3://bucket/prefix, and give credentials and endpoint in the environment")
}

pub(crate) fn invalid_prefix(prefix: &str, error: &object_store::path::Error) -> Error {
    let summary = format!("no object can have a name that begins with {prefix:?}: {error}");
    Error::uncharged(ErrorKind::Configuration, summary)
}

pub(crate) fn invalid_settings(error: &object_store::Error) -> Error {
    let reason = redact::sanitize(&innermost(error), "");
    let summary = format!("the settings of the bucket do not work: {reason}");
    Error::uncharged(ErrorKind::Configuration, summary)
        .with_help("settings of the environment are in the variables that begin with AWS_")
}

pub(crate) fn invalid_lifetime(lifetime: Duration) -> Error {
    let shown = |time: Duration| humantime::format_duration(time);
    let summary = format!(
        "a URL cannot work for {}: a task may read it late, and no signature lasts longer than {}",
        shown(lifetime),
        shown(ObjectStoreUploader::MAX_LIFETIME),
    );
    Error::uncharged(ErrorKind::Configuration, summary).with_help(format!(
        "give a lifetime from {} to {}",
        shown(ObjectStoreUploader::MIN_LIFETIME),
        shown(ObjectStoreUploader::MAX_LIFETIME),
    ))
}

pub(crate) fn send_failed(file: &LocalFile, bucket: &str, failure: Failure) -> Error {
    match failure {
        Failure::File(error) => file_changed(file.name(), &error),
        Failure::Store(error) => store_failed(
            &format!("{} was not uploaded to {bucket}", file.name()),
            &error,
        ),
    }
}

pub(crate) fn sign_failed(file: &LocalFile, bucket: &str, error: &object_store::Error) -> Error {
    let what = format!(
        "{} is in {bucket}, but no URL could be signed for it",
        file.name()
    );
    store_failed(&what, error)
}

/// The object was written but cannot be read.
pub(crate) fn not_readable(file: &LocalFile, bucket: &str, error: object_store::Error) -> Error {
    let what = format!("{} is in {bucket}, but cannot be read there", file.name());
    match error {
        object_store::Error::PermissionDenied { .. }
        | object_store::Error::Unauthenticated { .. } => Error::uncharged(
            ErrorKind::Upload,
            format!("{what}, and so not by the service either: access is denied"),
        )
        .with_help("allow these credentials s3:GetObject"),
        error => store_failed(&what, &error),
    }
}

pub(crate) fn wrong_length(file: &LocalFile, bucket: &str, length: u64) -> Error {
    let summary = format!(
        "{} has {} bytes, and {length} of them are in {bucket}",
        file.name(),
        file.length()
    );
    Error::uncharged(ErrorKind::Upload, summary)
        .with_retryable(true)
        .with_help("upload it again, which costs nothing")
}

/// Whether there was no response at all. Another request would fail, too.
pub(crate) fn is_unanswered(error: &object_store::Error) -> bool {
    http_error(error).is_some() || is_redirected(&innermost(error))
}

fn store_failed(what: &str, error: &object_store::Error) -> Error {
    let text = error.to_string();
    if ROLE_ENDPOINTS
        .iter()
        .any(|endpoint| text.contains(endpoint))
    {
        let summary = format!(
            "{what}: there are no credentials, and this machine has no role that gives any"
        );
        return Error::uncharged(ErrorKind::Configuration, summary).with_help(
            "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY; the profiles of the AWS command line are not read",
        );
    }
    if let Some(error) = http_error(error) {
        let reason = match error.kind() {
            HttpErrorKind::Connect => "no connection to the store",
            HttpErrorKind::Timeout => "the store did not take it within the time limit",
            _ => "the connection to the store was lost",
        };
        let cause = redact::sanitize(&innermost(error), "");
        return Error::uncharged(ErrorKind::Transport, format!("{what}: {reason}: {cause}"))
            .with_retryable(true)
            .with_help(
                "check AWS_ENDPOINT_URL, if there is one, and upload it again, which costs nothing",
            );
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
        parts => format!("the store refused it: {}", parts.join(", ")),
    };
    // Without a code, the library's message contains the status.
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
        "NoSuchBucket" => "check the name of the bucket and, if there is one, AWS_ENDPOINT_URL",
        "RequestTimeTooSkewed" => "set this machine's clock",
        "AuthorizationHeaderMalformed" | "PermanentRedirect" => REGION_HELP,
        _ if is_redirected(&message) => REGION_HELP,
        _ if is_down => "upload it again, which costs nothing",
        _ => "check the bucket and the credentials for it",
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

/// Matches the library's message for the response of a store in another region.
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
