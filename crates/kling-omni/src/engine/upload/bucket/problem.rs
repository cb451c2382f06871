//! The errors of a bucket. None of them has cost anything, and none has more of what a store says than its code and its
//! message: the rest may repeat the key's id and what was signed.

use std::error::Error as StdError;
use std::iter::successors;
use std::time::Duration;

use object_store::client::{HttpError, HttpErrorKind};

use crate::engine::error::{Error, ErrorKind};
use crate::engine::upload::bucket::ObjectStoreUploader;
use crate::engine::upload::bucket::send::Failure;
use crate::engine::upload::local_file::LocalFile;
use crate::engine::upload::problem::of_file;
use crate::engine::upload::put::element;
use crate::redact::{self, RedactedUrl};

/// Where the role of a machine or a container is asked for.
const OF_ROLES: [&str; 3] = ["//169.254.169.254", "//169.254.170.2", "//[fd00:ec2::254]"];

pub(crate) fn of_url(url: &str) -> Error {
    let summary = format!("{} is not the URL of a bucket alone", RedactedUrl(url));
    Error::new(ErrorKind::Configuration, summary)
        .with_help("write s3://bucket/prefix, and give credentials and endpoint in the environment")
}

pub(crate) fn of_prefix(prefix: &str, error: &object_store::path::Error) -> Error {
    let summary = format!("no object can have a name that begins with {prefix:?}: {error}");
    Error::new(ErrorKind::Configuration, summary)
}

pub(crate) fn of_settings(error: &object_store::Error) -> Error {
    let why = redact::sanitize(&innermost(error), "");
    let summary = format!("the settings of the bucket do not work: {why}");
    Error::new(ErrorKind::Configuration, summary)
        .with_help("settings of the environment are in the variables that begin with AWS_")
}

pub(crate) fn of_lifetime(lifetime: Duration) -> Error {
    let shown = |time: Duration| humantime::format_duration(time);
    let summary = format!(
        "a URL cannot work for {}: a task may read it late, and no signature lasts longer than {}",
        shown(lifetime),
        shown(ObjectStoreUploader::LONGEST_LIFETIME),
    );
    Error::new(ErrorKind::Configuration, summary).with_help(format!(
        "give a lifetime from {} to {}",
        shown(ObjectStoreUploader::SHORTEST_LIFETIME),
        shown(ObjectStoreUploader::LONGEST_LIFETIME),
    ))
}

pub(crate) fn not_sent(file: &LocalFile, place: &str, failure: Failure) -> Error {
    match failure {
        Failure::File(error) => of_file(file.name(), &error),
        Failure::Store(error) => of_store(
            &format!("{} was not uploaded to {place}", file.name()),
            &error,
        ),
    }
}

pub(crate) fn not_signed(file: &LocalFile, place: &str, error: &object_store::Error) -> Error {
    let what = format!(
        "{} is in {place}, but no URL could be signed for it",
        file.name()
    );
    of_store(&what, error)
}

/// The object has been written, and cannot be looked at.
pub(crate) fn not_readable(file: &LocalFile, place: &str, error: object_store::Error) -> Error {
    let what = format!("{} is in {place}, but cannot be read there", file.name());
    match error {
        object_store::Error::PermissionDenied { .. }
        | object_store::Error::Unauthenticated { .. } => Error::new(
            ErrorKind::Upload,
            format!("{what}, and so not by the service either: access is denied"),
        )
        .with_help("allow these credentials s3:GetObject"),
        error => of_store(&what, &error),
    }
}

pub(crate) fn of_other_length(file: &LocalFile, place: &str, length: u64) -> Error {
    let summary = format!(
        "{} has {} bytes, and {length} of them are in {place}",
        file.name(),
        file.length()
    );
    Error::new(ErrorKind::Upload, summary)
        .with_retryable(true)
        .with_help("upload it again, which costs nothing")
}

/// Whether there was no answer at all, so that asking once more for something else would be in vain.
pub(crate) fn is_unanswered(error: &object_store::Error) -> bool {
    of_http(error).is_some() || is_redirected(&innermost(error))
}

fn of_store(what: &str, error: &object_store::Error) -> Error {
    let text = error.to_string();
    if OF_ROLES.iter().any(|place| text.contains(place)) {
        let summary = format!(
            "{what}: there are no credentials, and this machine has no role that gives any"
        );
        return Error::new(ErrorKind::Configuration, summary).with_help(
            "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY; the profiles of the AWS command line are not read",
        );
    }
    if let Some(error) = of_http(error) {
        let why = match error.kind() {
            HttpErrorKind::Connect => "no connection to the store",
            HttpErrorKind::Timeout => "the store did not take it within the time limit",
            _ => "the connection to the store was lost",
        };
        let cause = redact::sanitize(&innermost(error), "");
        return Error::new(ErrorKind::Transport, format!("{what}: {why}: {cause}"))
            .with_retryable(true)
            .with_help(
                "check AWS_ENDPOINT_URL, if there is one, and upload it again, which costs nothing",
            );
    }
    let said = innermost(error);
    let code = element(&said, "Code");
    let parts: Vec<_> = [code, element(&said, "Message")]
        .into_iter()
        .filter(|part| !part.is_empty())
        .map(|part| redact::sanitize(part, ""))
        .collect();
    let why = match &parts[..] {
        // Whatever else it says, it is not in the form that stores have.
        [] => redact::sanitize(said.split('<').next().unwrap_or_default(), ""),
        parts => format!("the store refused it: {}", parts.join(", ")),
    };
    // Without a code, there are the library's words for a status.
    let is_down = matches!(code, "InternalError" | "ServiceUnavailable" | "SlowDown")
        || said.contains("status code: 5");
    let advice = match code {
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
        "AuthorizationHeaderMalformed" | "PermanentRedirect" => OF_REGION,
        _ if is_redirected(&said) => OF_REGION,
        _ if is_down => "upload it again, which costs nothing",
        _ => "check the bucket and the credentials for it",
    };
    let kind = if is_down {
        ErrorKind::Server
    } else {
        ErrorKind::Upload
    };
    Error::new(kind, format!("{what}: {why}"))
        .with_retryable(is_down)
        .with_help(advice)
}

const OF_REGION: &str = "set AWS_REGION to the region of the bucket";

/// The library's own words for what a store of another region answers.
fn is_redirected(said: &str) -> bool {
    said.contains("redirect without LOCATION")
}

fn chain<'a>(
    error: &'a (dyn StdError + 'static),
) -> impl Iterator<Item = &'a (dyn StdError + 'static)> {
    successors(Some(error), |error: &&'a (dyn StdError + 'static)| {
        (*error).source()
    })
}

fn of_http<'a>(error: &'a (dyn StdError + 'static)) -> Option<&'a HttpError> {
    chain(error).find_map(|error| error.downcast_ref())
}

/// The words of the cause of all causes.
fn innermost(error: &(dyn StdError + 'static)) -> String {
    chain(error).last().unwrap_or(error).to_string()
}
