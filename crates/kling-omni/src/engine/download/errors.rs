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
    expiry::of(url).is_some_and(|end| end <= now)
}

/// The connection broke more often than it is retried.
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
            "the download of task {shown} broke off {position}: {}",
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

/// The timeout of the whole download has elapsed.
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
        format!(
            "the download of task {id} was not complete within {limit} s: it stopped {position}"
        ),
    )
    .with_task(id)
    .with_retryable(true)
    .with_help(retry_help(video, url))
}

/// Adds to `what` that it costs nothing, and until when it works.
fn at_no_cost(video: &Video, url: &Url, what: &str) -> String {
    let now = video.downloads.http.clock.system_time();
    let until = expiry::of(url).filter(|end| *end > now);
    match until.and_then(clock::shown) {
        Some(until) => format!("{what}, at no further cost: its URL works until {until}"),
        None => format!("{what}, at no further cost"),
    }
}

fn retry_help(video: &Video, url: &Url) -> String {
    at_no_cost(video, url, "download it again")
}

pub(crate) fn corrupt(video: &Video, what: &str) -> Error {
    let id = video.task_id();
    let shown = printable(id);
    Error::uncharged(
        ErrorKind::CorruptResult,
        format!("what the result host sent for task {shown} is no whole MP4 file: {what}"),
    )
    .with_task(id)
    .with_help(format!(
        "{}; if it comes out the same, ask the vendor's support",
        retry_help(video, &video.url)
    ))
}

pub(crate) fn changed(video: &Video) -> Error {
    let id = video.task_id();
    let shown = printable(id);
    Error::uncharged(
        ErrorKind::CorruptResult,
        format!("the file of task {shown} was replaced by another while it was read"),
    )
    .with_task(id)
    .with_retryable(true)
    .with_help(retry_help(video, &video.url))
}

pub(crate) fn refused(video: &Video, reason: String) -> Error {
    let id = video.task_id();
    let shown = printable(id);
    Error::uncharged(
        ErrorKind::UnexpectedResponse,
        format!("the video of task {shown} did not come: {reason}"),
    )
    .with_task(id)
    .with_help(retry_help(video, &video.url))
}

/// The URL does not work or has expired.
pub(crate) fn gone(video: &Video, url: &Url, status: StatusCode) -> Error {
    let id = video.task_id();
    let shown = printable(id);
    let end = expiry::of(url);
    let now = video.downloads.http.clock.system_time();
    let what = match end.map(|end| (end, now.duration_since(end))) {
        Some((_, Ok(past))) => format!("expired {} s ago", past.as_secs()),
        Some((end, Err(_))) => match clock::shown(end) {
            Some(end) => format!("is refused before its end at {end}"),
            None => "is refused before its end".to_owned(),
        },
        None => "no longer works".to_owned(),
    };
    Error::uncharged(
        ErrorKind::Expired,
        format!("the result URL of task {shown} {what} ({status})"),
    )
    .with_task(id)
}

/// The service rejects `url`, and `addition` says why there is no other URL.
pub(crate) fn unavailable(video: &Video, url: &Url, refusal: &Error, addition: &str) -> Error {
    let id = video.task_id();
    let now = video.downloads.http.clock.system_time();
    let support = "the vendor's support may find the video: name the task to them before you pay for another one";
    let help = match expiry::of(url) {
        Some(end) if end <= now => format!("it is lost at the service's side; {support}"),
        Some(_) => {
            format!("look again in a minute, and check this machine's clock; else {support}")
        }
        None => format!("look again in a minute; else {support}"),
    };
    // Percent-encoding breaks a signature over the text of the URL.
    let is_encoded =
        *url == video.url && !video.original_url.contains(url.query().unwrap_or_default());
    let help = match is_encoded {
        true => format!(
            "the query of the URL holds characters that were percent-encoded on the way: fetch it with another program \
             such as curl, or {help}"
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

/// The file could not be written or renamed.
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

/// An obstacle prevents the file from being written.
pub(crate) fn blocked(video: &Video, obstacle: Obstacle) -> Error {
    let (what, help) = obstacle.describe();
    match obstacle {
        Obstacle::Exists(_) => file(video, what, help),
        Obstacle::Unusable(_, error) => {
            file(video, what, &at_no_cost(video, &video.url, help)).with_source(error)
        }
    }
}

/// The video is saved, its sidecar is not.
pub(crate) fn sidecar_failed(video: &Video, path: &Path, error: &Error) -> Error {
    let what = format!("the video is whole at {}", path.display());
    let help = "nothing needs to be downloaded again";
    file(video, error.summary().to_owned(), help).after(&what)
}

fn file(video: &Video, what: String, help: &str) -> Error {
    Error::uncharged(ErrorKind::File, what)
        .with_task(video.task_id())
        .with_help(help)
}
