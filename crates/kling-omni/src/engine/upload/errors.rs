//! The errors of uploads. None of them is charged.

use std::io;

use crate::engine::error::{Error, ErrorKind};
use crate::engine::http::retry_headers;
use crate::engine::upload::local_file::LocalFile;
use crate::engine::upload::put::Failure;
use crate::engine::upload::uploader::BoxError;
use crate::redact;

/// The help if the service does not accept files.
const UPLOAD_ELSEWHERE: &str =
    "put the file into a bucket of your own, or elsewhere, and give its URL";

/// The service does not accept files of this content type.
pub(crate) fn unsupported_content_type(file: &LocalFile, types: &[&str]) -> Error {
    Error::uncharged(
        ErrorKind::File,
        format!(
            "{} is {}, which the service does not take",
            file.name(),
            file.content_type()
        ),
    )
    .with_help(format!("it takes {}", types.join(", ")))
}

pub(crate) fn too_large(file: &LocalFile, max: u64) -> Error {
    Error::uncharged(
        ErrorKind::File,
        format!(
            "{} has {} bytes, and the service takes {max} at the most",
            file.name(),
            file.length()
        ),
    )
    .with_help("make the file smaller")
}

/// The service returned no upload target for the files.
pub(crate) fn no_target<'a>(files: impl Iterator<Item = &'a LocalFile>, error: Error) -> Error {
    let names: Vec<_> = files.map(LocalFile::name).collect();
    let what = match names[..] {
        [one] => format!("{one} was not uploaded"),
        _ => format!("{} were not uploaded", names.join(", ")),
    };
    let error = match error.kind() {
        ErrorKind::Permission => error.with_help(format!(
            "this key cannot use uploads, it seems: {UPLOAD_ELSEWHERE}"
        )),
        ErrorKind::NotFound => error.with_help(format!(
            "the service has no uploads there, it seems: {UPLOAD_ELSEWHERE}"
        )),
        _ => error,
    };
    error.after(&what)
}

/// The file can no longer be read, or has changed.
pub(crate) fn file_changed(name: &str, error: &io::Error) -> Error {
    Error::uncharged(ErrorKind::File, format!("{name} was not uploaded: {error}"))
        .with_help("leave the file alone until it is uploaded, and upload it again")
}

/// The last attempt to send a file has failed.
pub(crate) fn send_failed(file: &LocalFile, failure: Failure, attempts: u32) -> Error {
    let name = file.name();
    let is_transient = failure.is_transient();
    let error = match failure {
        Failure::File(error) => return file_changed(name, &error),
        Failure::Transport { reason, source } => {
            let error = Error::uncharged(
                ErrorKind::Transport,
                format!("{name} was not uploaded: {reason}"),
            );
            match source {
                Some(source) => error.with_source(source),
                None => error,
            }
        }
        Failure::Refused {
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
                _ if is_expired => "its place in the storage had expired",
                ErrorKind::Server => "the storage host failed",
                ErrorKind::RateLimited => "the storage host is asked too often",
                ErrorKind::PlanLimit => "the storage host's plan has reached its limit",
                _ => "the storage host refused it",
            };
            Error::uncharged(
                kind,
                format!("{name} was not uploaded: {what} ({status}){message}"),
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
        Some(wait) => format!("try again in {} s", retry_headers::whole_seconds(wait)),
        None if is_transient => "upload it again, which costs nothing".to_owned(),
        None => UPLOAD_ELSEWHERE.to_owned(),
    };
    error.with_retryable(is_transient).with_help(help)
}

/// The error of an uploader. An error of this crate is returned as it is.
pub(crate) fn uploader_failed(files: &[LocalFile], error: BoxError) -> Error {
    let error = match error.downcast::<Error>() {
        Ok(error) => return *error,
        Err(error) => error,
    };
    let names: Vec<_> = files.iter().map(LocalFile::name).collect();
    let reason = redact::sanitize(&error.to_string(), "");
    Error::uncharged(
        ErrorKind::Upload,
        format!("{}: the upload failed: {reason}", names.join(", ")),
    )
}

pub(crate) fn wrong_count(files: &[LocalFile], uploaded: usize) -> Error {
    Error::uncharged(
        ErrorKind::Upload,
        format!(
            "the uploader was given {} files and answered {uploaded}",
            files.len()
        ),
    )
}
