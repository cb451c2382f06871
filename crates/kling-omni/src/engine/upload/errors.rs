//! The errors of uploads. None of them is charged.

use std::io;

use crate::engine::error::{Error, ErrorKind};
use crate::engine::http::retry_headers;
use crate::engine::upload::local_file::LocalFile;
use crate::engine::upload::put::PutError;
use crate::engine::upload::uploader::BoxError;
use crate::redact;

/// The help if the service does not accept the upload.
const HELP_UPLOAD_ELSEWHERE: &str =
    "upload the file to your own bucket or elsewhere, and use its URL";

/// The error of a content type that the service does not accept.
pub(crate) fn unsupported_content_type(file: &LocalFile, types: &[&str]) -> Error {
    Error::uncharged(
        ErrorKind::File,
        format!(
            "unsupported content type of {}: {}",
            file.name(),
            file.content_type()
        ),
    )
    .with_help(format!("use one of {}", types.join(", ")))
}

pub(crate) fn too_large(file: &LocalFile, max: u64) -> Error {
    Error::uncharged(
        ErrorKind::File,
        format!(
            "{} is too large: {} bytes (limit {max})",
            file.name(),
            file.length()
        ),
    )
    .with_help("make the file smaller")
}

/// The error of a request for presigned URLs.
pub(crate) fn no_upload_slot<'a>(
    files: impl Iterator<Item = &'a LocalFile>,
    error: Error,
) -> Error {
    let names: Vec<_> = files.map(LocalFile::name).collect();
    let what = match names[..] {
        [one] => format!("could not upload {one}"),
        _ => format!("could not upload {}", names.join(", ")),
    };
    let error = match error.kind() {
        ErrorKind::Permission => error.with_help(format!(
            "{HELP_UPLOAD_ELSEWHERE}, because this key most likely cannot use uploads"
        )),
        ErrorKind::NotFound => error.with_help(format!(
            "{HELP_UPLOAD_ELSEWHERE}, because this host most likely has no uploads"
        )),
        _ => error,
    };
    error.with_context(&what)
}

/// The error of a file that can no longer be read, or has changed.
pub(crate) fn file_changed(name: &str, error: &io::Error) -> Error {
    Error::uncharged(ErrorKind::File, format!("could not upload {name}: {error}"))
        .with_help("upload the file again, and do not change it during the upload")
}

/// The error of the last attempt to send a file.
pub(crate) fn send_failed(file: &LocalFile, failure: PutError, attempts: u32) -> Error {
    let name = file.name();
    let is_transient = failure.is_transient();
    let error = match failure {
        PutError::File(error) => return file_changed(name, &error),
        PutError::Transport { reason, source } => {
            let error = Error::uncharged(
                ErrorKind::Transport,
                format!("could not upload {name}: {reason}"),
            );
            match source {
                Some(source) => error.with_source(source),
                None => error,
            }
        }
        PutError::Rejected {
            status,
            message,
            retry_after,
            is_expired,
            is_plan_limit,
        } => {
            let kind = match status.as_u16() {
                429 if is_plan_limit => ErrorKind::PlanLimit,
                429 => ErrorKind::RateLimited,
                408 | 500..=599 => ErrorKind::Server,
                _ => ErrorKind::Upload,
            };
            let message = if message.is_empty() {
                message
            } else {
                format!(": {message}")
            };
            let what = match kind {
                _ if is_expired => "the presigned URL has expired",
                ErrorKind::Server => "the storage host failed",
                ErrorKind::RateLimited => "the storage host throttled the request",
                ErrorKind::PlanLimit => "the plan of the storage host has reached its limit",
                _ => "the storage host rejected it",
            };
            Error::uncharged(
                kind,
                format!("could not upload {name}: {what} ({status}){message}"),
            )
            .with_status(Some(status))
            .with_retry_after(retry_after)
        }
    };
    let error = match attempts {
        1 => error,
        attempts => error.with_attempts(attempts),
    };
    let help = match error.retry_after() {
        Some(wait) => format!("retry in {} s", retry_headers::whole_seconds(wait)),
        None if is_transient => "upload the file again at no cost".to_owned(),
        None => HELP_UPLOAD_ELSEWHERE.to_owned(),
    };
    error.with_retryable(is_transient).with_help(help)
}

/// The error of an uploader. An error of this crate is returned unchanged.
pub(crate) fn uploader_failed(files: &[LocalFile], error: BoxError) -> Error {
    let error = match error.downcast::<Error>() {
        Ok(error) => return *error,
        Err(error) => error,
    };
    let names: Vec<_> = files.iter().map(LocalFile::name).collect();
    let reason = redact::sanitize(&error.to_string(), "");
    Error::uncharged(
        ErrorKind::Upload,
        format!("could not upload {}: {reason}", names.join(", ")),
    )
}

pub(crate) fn wrong_count(files: &[LocalFile], uploaded: usize) -> Error {
    Error::uncharged(
        ErrorKind::Upload,
        format!(
            "the uploader returned {uploaded} results for {} files",
            files.len()
        ),
    )
}
