//! The errors of a download. The video was paid for in all of them.

use std::io;
use std::path::Path;
use std::time::Duration;

use http::StatusCode;
use url::Url;

use crate::clock;
use crate::engine::download::Video;
use crate::engine::download::destination::Obstacle;
use crate::engine::download::setback::After;
use crate::engine::download::source::Broken;
use crate::engine::error::{Error, ErrorKind};
use crate::engine::expiry;
use crate::engine::folder;
use crate::redact::printable;

pub(crate) fn has_expired(video: &Video, url: &Url) -> bool {
    let now = video.downloads.http.clock.system_time();
    expiry::of(url).is_some_and(|end| end <= now)
}

/// The connection broke once too often.
pub(crate) fn broke_off(
    video: &Video,
    url: &Url,
    (position, length): (u64, Option<u64>),
    broken: Broken,
    attempts: u32,
) -> Error {
    let id = video.task_id();
    let shown = printable(id);
    let kind = match broken.cut {
        true => ErrorKind::CorruptResult,
        false => ErrorKind::Transport,
    };
    let at = After(position, length);
    let error = Error::new(
        kind,
        format!(
            "the download of task {shown} broke off {at}: {}",
            broken.why
        ),
    );
    let error = match attempts {
        1 => error,
        attempts => error.with_attempts(attempts),
    };
    let error = error
        .with_task(id)
        .with_status(broken.status)
        .with_retry_after(broken.wait)
        .with_retryable(true)
        .with_help(again(video, url));
    match broken.source {
        Some(source) => error.with_source(source),
        None => error,
    }
}

/// The time for the whole download is over.
pub(crate) fn too_slow(
    video: &Video,
    url: &Url,
    (position, length): (u64, Option<u64>),
    timeout: Duration,
) -> Error {
    let id = video.task_id();
    let at = After(position, length);
    // The rest of a longer wait has a fraction of a second.
    let limit = (timeout.as_secs_f64() * 100.0).round() / 100.0;
    Error::new(
        ErrorKind::Timeout,
        format!("the download of task {id} was not complete within {limit} s: it stopped {at}"),
    )
    .with_task(id)
    .with_retryable(true)
    .with_help(again(video, url))
}

/// What to do about a video that is still there, and for how long it is.
fn still(video: &Video, url: &Url, what: &str) -> String {
    let now = video.downloads.http.clock.system_time();
    let until = expiry::of(url).filter(|end| *end > now);
    match until.and_then(clock::shown) {
        Some(until) => format!("{what}, at no further cost: its URL works until {until}"),
        None => format!("{what}, at no further cost"),
    }
}

fn again(video: &Video, url: &Url) -> String {
    still(video, url, "download it again")
}

pub(crate) fn corrupt(video: &Video, what: &str) -> Error {
    let id = video.task_id();
    let shown = printable(id);
    Error::new(
        ErrorKind::CorruptResult,
        format!("what the result host sent for task {shown} is no whole MP4 file: {what}"),
    )
    .with_task(id)
    .with_help(format!(
        "{}; if it comes out the same, ask the vendor's support",
        again(video, &video.url)
    ))
}

pub(crate) fn changed(video: &Video) -> Error {
    let id = video.task_id();
    let shown = printable(id);
    Error::new(
        ErrorKind::CorruptResult,
        format!("the file of task {shown} was replaced by another while it was read"),
    )
    .with_task(id)
    .with_retryable(true)
    .with_help(again(video, &video.url))
}

pub(crate) fn refused(video: &Video, why: String) -> Error {
    let id = video.task_id();
    let shown = printable(id);
    Error::new(
        ErrorKind::UnexpectedResponse,
        format!("the video of task {shown} did not come: {why}"),
    )
    .with_task(id)
    .with_help(again(video, &video.url))
}

/// The URL does not work, or not any more.
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
    Error::new(
        ErrorKind::Expired,
        format!("the result URL of task {shown} {what} ({status})"),
    )
    .with_task(id)
}

/// The end of all ways to the file: `url` is refused, and `besides` says why there is no other.
pub(crate) fn lost(video: &Video, url: &Url, refusal: &Error, besides: &str) -> Error {
    let id = video.task_id();
    let now = video.downloads.http.clock.system_time();
    let support = "the vendor's support may find the video: name the task to them before you pay for another one";
    let advice = match expiry::of(url) {
        Some(end) if end <= now => format!("it is lost at the service's side; {support}"),
        Some(_) => {
            format!("look again in a minute, and check this machine's clock; else {support}")
        }
        None => format!("look again in a minute; else {support}"),
    };
    // A signature over the text of the URL does not survive an encoding.
    let is_encoded = *url == video.url && !video.given.contains(url.query().unwrap_or_default());
    let advice = match is_encoded {
        true => format!(
            "the query of the URL holds characters that were percent-encoded on the way: fetch it with another program \
             such as curl, or {advice}"
        ),
        false => advice,
    };
    Error::new(
        ErrorKind::Expired,
        format!("{}, {besides}", refusal.summary()),
    )
    .with_status_of(refusal)
    .with_task(id)
    .with_help(advice)
}

/// A file that could not be written, or did not get its name.
pub(crate) fn unwritten(video: &Video, path: &Path, error: io::Error) -> Error {
    let path = path.to_owned();
    blocked(
        video,
        match error.kind() {
            io::ErrorKind::AlreadyExists => Obstacle::Exists(path),
            _ => Obstacle::Unusable(path, error),
        },
    )
}

/// Something is in the way of the file.
pub(crate) fn blocked(video: &Video, obstacle: Obstacle) -> Error {
    let (what, help) = obstacle.told();
    match obstacle {
        Obstacle::Exists(_) => file(video, what, help),
        Obstacle::Unusable(_, error) => {
            file(video, what, &still(video, &video.url, help)).with_source(error)
        }
    }
}

pub(crate) fn unwritable(path: &Path, error: &io::Error) -> String {
    let name = match path.to_string_lossy() {
        name if name.is_empty() => "a file without a name".into(),
        name => name,
    };
    let folder = folder::of(path);
    match error.kind() {
        io::ErrorKind::NotFound if !folder.exists() => {
            format!("the folder {} does not exist", folder.display())
        }
        io::ErrorKind::NotADirectory => format!("{} is not a folder", folder.display()),
        _ => format!("{name} could not be written: {}", cause(error)),
    }
}

/// The video is in its place, and what describes it is not.
pub(crate) fn undescribed(video: &Video, path: &Path, error: &Error) -> Error {
    let what = format!("the video is whole at {}", path.display());
    let advice = "nothing needs to be downloaded again";
    file(video, error.summary().to_owned(), advice).after(&what)
}

fn file(video: &Video, what: String, advice: &str) -> Error {
    Error::new(ErrorKind::File, what)
        .with_task(video.task_id())
        .with_help(advice)
}

/// The bare reason: an error about a temporary file goes on to name a path that nobody knows.
fn cause(error: &io::Error) -> String {
    let text = error.to_string();
    match text.split_once(" at path ") {
        Some((reason, _)) => reason.to_owned(),
        None => text,
    }
}
