//! The errors of a download. The video was paid for in all of them.

use std::io;
use std::path::Path;
use std::time::Duration;

use http::StatusCode;
use url::Url;

use crate::clock;
use crate::engine::download::destination::Obstacle;
use crate::engine::download::event::Position;
use crate::engine::download::source::TransferError;
use crate::engine::download::video::Video;
use crate::engine::error::{Error, ErrorKind};
use crate::engine::expiry;
use crate::redact::printable;

pub(crate) fn has_expired(video: &Video, url: &Url) -> bool {
    let now = video.downloads.http.clock.system_time();
    expiry::expires_at(url).is_some_and(|end| end <= now)
}

/// The error of a connection that broke more often than it is retried.
pub(crate) fn interrupted(
    video: &Video,
    url: &Url,
    (received, length): (u64, Option<u64>),
    failure: TransferError,
    attempts: u32,
) -> Error {
    let id = video.task_id();
    let shown = printable(id);
    let kind = match failure.is_truncated {
        true => ErrorKind::CorruptResult,
        false => ErrorKind::Transport,
    };
    let position = Position(received, length);
    let error = Error::uncharged(
        kind,
        format!(
            "download of task {shown} interrupted {position}: {}",
            failure.reason
        ),
    );
    let error = match attempts {
        1 => error,
        attempts => error.with_attempts(attempts),
    };
    let error = error
        .with_task(id)
        .with_status(failure.status)
        .with_retry_after(failure.retry_after)
        .with_retryable(true)
        .with_help(retry_help(video, url));
    match failure.source {
        Some(source) => error.with_source(source),
        None => error,
    }
}

/// The error of a download that exceeded its timeout.
pub(crate) fn timed_out(
    video: &Video,
    url: &Url,
    (received, length): (u64, Option<u64>),
    timeout: Duration,
) -> Error {
    let id = video.task_id();
    let position = Position(received, length);
    // Rounded, because the rest of a longer timeout has a fraction of a second.
    let limit = (timeout.as_secs_f64() * 100.0).round() / 100.0;
    Error::uncharged(
        ErrorKind::Timeout,
        format!("download of task {id} timed out after {limit} s, {position}"),
    )
    .with_task(id)
    .with_retryable(true)
    .with_help(retry_help(video, url))
}

/// Adds to the help that the download is free, and when the URL expires.
fn with_no_cost(video: &Video, url: &Url, what: &str) -> String {
    let now = video.downloads.http.clock.system_time();
    let until = expiry::expires_at(url).filter(|end| *end > now);
    match until.and_then(clock::shown) {
        Some(until) => format!("{what} at no further cost (its URL expires at {until})"),
        None => format!("{what} at no further cost"),
    }
}

fn retry_help(video: &Video, url: &Url) -> String {
    with_no_cost(video, url, "download it again")
}

pub(crate) fn corrupt(video: &Video, what: &str) -> Error {
    let id = video.task_id();
    let shown = printable(id);
    Error::uncharged(
        ErrorKind::CorruptResult,
        format!("downloaded file for task {shown} is not a complete MP4: {what}"),
    )
    .with_task(id)
    .with_help(format!(
        "{}, or ask the vendor's support if the file stays the same",
        retry_help(video, &video.url)
    ))
}

pub(crate) fn changed(video: &Video) -> Error {
    let id = video.task_id();
    let shown = printable(id);
    Error::uncharged(
        ErrorKind::CorruptResult,
        format!("the file of task {shown} changed while it was downloaded"),
    )
    .with_task(id)
    .with_retryable(true)
    .with_help(retry_help(video, &video.url))
}

pub(crate) fn rejected(video: &Video, reason: String) -> Error {
    let id = video.task_id();
    let shown = printable(id);
    Error::uncharged(
        ErrorKind::UnexpectedResponse,
        format!("the video of task {shown} could not be downloaded: {reason}"),
    )
    .with_task(id)
    .with_help(retry_help(video, &video.url))
}

/// The error of a URL that expired or does not work.
pub(crate) fn gone(video: &Video, url: &Url, status: StatusCode) -> Error {
    let id = video.task_id();
    let shown = printable(id);
    let end = expiry::expires_at(url);
    let now = video.downloads.http.clock.system_time();
    let what = match end.map(|end| (end, now.duration_since(end))) {
        Some((_, Ok(past))) => format!("expired {} s ago", past.as_secs()),
        Some((end, Err(_))) => match clock::shown(end) {
            Some(end) => format!("was rejected before it expires at {end}"),
            None => "was rejected before it expires".to_owned(),
        },
        None => "no longer works".to_owned(),
    };
    Error::uncharged(
        ErrorKind::Expired,
        format!("the result URL of task {shown} {what} ({status})"),
    )
    .with_task(id)
}

/// The error of a rejected `url` without a replacement. `addition` says why there is no other URL.
pub(crate) fn unavailable(video: &Video, url: &Url, refusal: &Error, addition: &str) -> Error {
    let id = video.task_id();
    let now = video.downloads.http.clock.system_time();
    let support =
        "ask the vendor's support for the video of this task before paying for another one";
    let help = match expiry::expires_at(url) {
        Some(end) if end <= now => support.to_owned(),
        Some(_) => {
            format!("retry in a minute, check the clock of this machine, or {support}")
        }
        None => format!("retry in a minute, or {support}"),
    };
    // Percent-encoding breaks a signature over the unencoded text of the URL.
    let is_encoded =
        *url == video.url && !video.original_url.contains(url.query().unwrap_or_default());
    let help = match is_encoded {
        true => format!(
            "download the URL with another program, such as curl, because its query contains characters that were \
            percent-encoded, or {help}"
        ),
        false => help,
    };
    Error::uncharged(
        ErrorKind::Expired,
        format!("{}, {addition}", refusal.summary()),
    )
    .with_status_of(refusal)
    .with_task(id)
    .with_help(help)
}

/// The error of a file that could not be written or renamed.
pub(crate) fn write_failed(video: &Video, path: &Path, error: io::Error) -> Error {
    let path = path.to_owned();
    blocked(
        video,
        match error.kind() {
            io::ErrorKind::AlreadyExists => Obstacle::Exists(path),
            _ => Obstacle::Unusable(path, error),
        },
    )
}

/// The error of an obstacle that prevents the file from being written.
pub(crate) fn blocked(video: &Video, obstacle: Obstacle) -> Error {
    let (what, help) = obstacle.describe();
    match obstacle {
        Obstacle::Exists(_) => file_error(video, what, help),
        Obstacle::Unusable(_, error) => {
            file_error(video, what, &with_no_cost(video, &video.url, help)).with_source(error)
        }
    }
}

/// The error of a sidecar that could not be written. The video is saved.
pub(crate) fn sidecar_failed(video: &Video, path: &Path, error: &Error) -> Error {
    let what = format!("the video is saved at {}", path.display());
    let help = "write the sidecar yourself, or save the video again";
    file_error(video, error.summary().to_owned(), help).with_context(&what)
}

fn file_error(video: &Video, what: String, help: &str) -> Error {
    Error::uncharged(ErrorKind::File, what)
        .with_task(video.task_id())
        .with_help(help)
}
