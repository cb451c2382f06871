//! The errors of uploads. None of them has cost anything.

use std::io;

use crate::engine::error::{Error, ErrorKind};
use crate::engine::http::retry_headers;
use crate::engine::upload::local_file::LocalFile;
use crate::engine::upload::put::Failure;
use crate::engine::upload::uploader::BoxError;
use crate::redact;

/// What is left when the service does not take files.
const ELSEWHERE: &str = "put the file into a bucket of your own, or elsewhere, and give its URL";

pub(crate) fn unreadable(name: &str, error: &io::Error) -> Error {
    Error::new(
        ErrorKind::File,
        format!("{name} could not be read: {error}"),
    )
    .with_help("check the path and the permissions")
}

pub(crate) fn empty(name: &str) -> Error {
    Error::new(ErrorKind::File, format!("{name} is empty"))
}

pub(crate) fn of_no_kind(name: &str) -> Error {
    Error::new(
        ErrorKind::File,
        format!("the name of {name} does not tell what it holds"),
    )
    .with_help("say it with `FileSource::content_type`, as in video/mp4")
}

/// The service does not take such files.
pub(crate) fn of_wrong_kind(file: &LocalFile, types: &[&str]) -> Error {
    Error::new(
        ErrorKind::File,
        format!(
            "{} is {}, which the service does not take",
            file.name(),
            file.content_type()
        ),
    )
    .with_help(format!("it takes {}", types.join(", ")))
}

pub(crate) fn too_long(file: &LocalFile, most: u64) -> Error {
    Error::new(
        ErrorKind::File,
        format!(
            "{} has {} bytes, and the service takes {most} at the most",
            file.name(),
            file.length()
        ),
    )
    .with_help("make the file smaller")
}

/// The service gave no place for any of the files.
pub(crate) fn no_place<'a>(files: impl Iterator<Item = &'a LocalFile>, error: Error) -> Error {
    let names: Vec<_> = files.map(LocalFile::name).collect();
    let what = match names[..] {
        [one] => format!("{one} was not uploaded"),
        _ => format!("{} were not uploaded", names.join(", ")),
    };
    let error = match error.kind() {
        ErrorKind::Permission => error.with_help(format!(
            "this key cannot use uploads, it seems: {ELSEWHERE}"
        )),
        ErrorKind::NotFound => error.with_help(format!(
            "the service has no uploads there, it seems: {ELSEWHERE}"
        )),
        _ => error,
    };
    error.after(&what)
}

/// The file cannot be read any more, or is not what it was.
pub(crate) fn of_file(name: &str, error: &io::Error) -> Error {
    Error::new(ErrorKind::File, format!("{name} was not uploaded: {error}"))
        .with_help("leave the file alone until it is uploaded, and upload it again")
}

/// The last attempt to put a file to its place has failed.
pub(crate) fn not_put(file: &LocalFile, failure: Failure, attempts: u32) -> Error {
    let name = file.name();
    let is_transient = failure.is_transient();
    let error = match failure {
        Failure::File(error) => return of_file(name, &error),
        Failure::Lost { why, source } => {
            let error = Error::new(
                ErrorKind::Transport,
                format!("{name} was not uploaded: {why}"),
            );
            match source {
                Some(source) => error.with_source(source),
                None => error,
            }
        }
        Failure::Refused {
            status,
            said,
            wait,
            is_expired,
            is_plan_limit,
        } => {
            let kind = match status.as_u16() {
                429 if is_plan_limit => ErrorKind::PlanLimit,
                429 => ErrorKind::RateLimited,
                408 | 500..=599 => ErrorKind::Server,
                _ => ErrorKind::Upload,
            };
            let said = if said.is_empty() {
                said
            } else {
                format!(": {said}")
            };
            let what = match kind {
                _ if is_expired => "its place in the storage had expired",
                ErrorKind::Server => "the storage host failed",
                ErrorKind::RateLimited => "the storage host is asked too often",
                ErrorKind::PlanLimit => "the storage host's plan has reached its limit",
                _ => "the storage host refused it",
            };
            Error::new(
                kind,
                format!("{name} was not uploaded: {what} ({status}){said}"),
            )
            .with_status(Some(status))
            .with_retry_after(wait)
        }
    };
    let error = match attempts {
        1 => error,
        attempts => error.with_attempts(attempts),
    };
    let advice = match error.retry_after() {
        Some(wait) => format!("try again in {} s", retry_headers::whole_seconds(wait)),
        None if is_transient => "upload it again, which costs nothing".to_owned(),
        None => ELSEWHERE.to_owned(),
    };
    error.with_retryable(is_transient).with_help(advice)
}

/// What an uploader said; ours says it in our words already.
pub(crate) fn of_uploader(files: &[LocalFile], error: BoxError) -> Error {
    let error = match error.downcast::<Error>() {
        Ok(error) => return *error,
        Err(error) => error,
    };
    let names: Vec<_> = files.iter().map(LocalFile::name).collect();
    let why = redact::sanitize(&error.to_string(), "");
    Error::new(
        ErrorKind::Upload,
        format!("{}: the upload failed: {why}", names.join(", ")),
    )
}

pub(crate) fn miscounted(files: &[LocalFile], uploaded: usize) -> Error {
    Error::new(
        ErrorKind::Upload,
        format!(
            "the uploader was given {} files and answered {uploaded}",
            files.len()
        ),
    )
}
