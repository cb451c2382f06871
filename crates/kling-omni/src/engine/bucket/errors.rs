//! The errors of a bucket. None of them is charged. Of the error of a store, only the code and the message are shown: the
//! rest may contain the id of the key and the signed text.

use std::error::Error as StdError;
use std::iter::successors;

use object_store::client::{HttpError, HttpErrorKind};

use crate::engine::bucket::xml::element;
use crate::engine::error::{Error, ErrorKind};
use crate::redact::{self, RedactedUrl};

/// The endpoints that return the credentials of a machine's or container's role.
const ROLE_ENDPOINTS: [&str; 3] = ["//169.254.169.254", "//169.254.170.2", "//[fd00:ec2::254]"];

/// What an error says about the use of a store.
pub(crate) struct StoreUse {
    /// The kind of a request that the store rejects.
    pub(crate) rejected: ErrorKind,
    /// The permissions that the credentials need.
    pub(crate) permissions: &'static str,
    /// How to try again.
    pub(crate) again: &'static str,
}

pub(crate) fn invalid_url(url: &str) -> Error {
    let summary = format!("invalid bucket URL: {}", RedactedUrl(url));
    Error::uncharged(ErrorKind::Configuration, summary)
        .with_help("use s3://bucket/prefix, and give credentials and endpoint in the environment")
}

pub(crate) fn invalid_settings(error: &object_store::Error) -> Error {
    let reason = redact::sanitize(&innermost(error), "");
    let summary = format!("invalid bucket settings: {reason}");
    Error::uncharged(ErrorKind::Configuration, summary)
        .with_help("check the environment variables that begin with AWS_")
}

/// Whether there was no response. Another request would fail, too.
pub(crate) fn has_no_response(error: &object_store::Error) -> bool {
    http_error(error).is_some() || is_redirected(&innermost(error))
}

/// Whether the store says why it rejected a request.
pub(crate) fn has_message(error: &object_store::Error) -> bool {
    !element(&innermost(error), "Code").is_empty()
}

/// The error of a request to a store. `what` says what failed.
pub(crate) fn store_failed(what: &str, error: &object_store::Error, used_for: &StoreUse) -> Error {
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
            .with_help(format!(
                "check AWS_ENDPOINT_URL, if set, and {}",
                used_for.again
            ));
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
        "AccessDenied" => &format!("allow these credentials {}", used_for.permissions),
        "NoSuchBucket" => "check the name of the bucket and AWS_ENDPOINT_URL",
        "RequestTimeTooSkewed" => "set the clock of this machine",
        "AuthorizationHeaderMalformed" | "PermanentRedirect" => REGION_HELP,
        _ if is_redirected(&message) => REGION_HELP,
        _ if is_down => used_for.again,
        _ => "check the bucket and its credentials",
    };
    let kind = if is_down {
        ErrorKind::Server
    } else {
        used_for.rejected
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
