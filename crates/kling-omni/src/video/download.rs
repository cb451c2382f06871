use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use futures_core::Stream;
use futures_util::{StreamExt, stream};

use super::Video;
use crate::error::{Error, ErrorKind, Result};

/// The bytes of a finished video, as a stream of chunks. An idle connection ends it with an error.
#[must_use = "streams do nothing unless polled"]
pub struct Download {
    length: Option<u64>,
    chunks: Pin<Box<dyn Stream<Item = Result<Bytes>> + Send>>,
}

impl Download {
    pub(super) async fn open(video: &Video) -> Result<Self> {
        let shared = &video.session;
        let idle = shared.idle_timeout;
        // The key belongs to the API's host. This request goes elsewhere and has no header of ours but the agent.
        let sending = shared.downloads.get(video.url.clone()).send();
        let response = match tokio::time::timeout(idle, sending).await {
            Ok(Ok(response)) => response,
            Ok(Err(error)) => return Err(interrupted(&video.task_id, error)),
            Err(_) => return Err(idled(&video.task_id, idle)),
        };
        // Nothing but the whole file was asked for: a part would pass for it.
        if response.status() != http::StatusCode::OK {
            return Err(refused(video, response.status()));
        }
        let length = response.content_length();
        let chunks = chunks(response, video.task_id.clone(), idle, length);
        Ok(Self {
            length,
            chunks: Box::pin(chunks),
        })
    }

    /// How many bytes the whole file has, if the host says so.
    pub fn length(&self) -> Option<u64> {
        self.length
    }
}

/// Passes chunks on; ends with an error if they stop coming or stop short of `length`.
fn chunks(
    response: reqwest::Response,
    task: String,
    idle: Duration,
    length: Option<u64>,
) -> impl Stream<Item = Result<Bytes>> + Send {
    let state = (response, task, 0_u64);
    stream::try_unfold(state, move |(mut response, task, read)| async move {
        match tokio::time::timeout(idle, response.chunk()).await {
            Ok(Ok(Some(chunk))) => {
                let read = read + chunk.len() as u64;
                Ok(Some((chunk, (response, task, read))))
            }
            Ok(Ok(None)) => match length {
                Some(length) if length != read => Err(cut_short(&task, read, length)),
                _ => Ok(None),
            },
            Ok(Err(error)) => Err(interrupted(&task, error)),
            Err(_) => Err(idled(&task, idle)),
        }
    })
    .fuse()
}

impl Stream for Download {
    type Item = Result<Bytes>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.chunks.as_mut().poll_next(context)
    }
}

impl fmt::Debug for Download {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Download")
            .field("length", &self.length)
            .finish_non_exhaustive()
    }
}

fn refused(video: &Video, status: http::StatusCode) -> Error {
    let now = video.session.clock.system_time();
    let expired = video.expires_at().is_some_and(|end| end <= now);
    let (kind, what, advice) = match status.as_u16() {
        403 | 404 | 410 if expired => (
            ErrorKind::Expired,
            format!("the result URL expired {}", ago(video.expires_at(), now)),
            "results are kept for an hour; read the task again for a fresh URL, if the service gives one",
        ),
        403 | 404 | 410 => (
            ErrorKind::Expired,
            "the result host no longer gives the file".to_owned(),
            "results are kept for an hour; read the task again for a fresh URL, if the service gives one, and check this machine's clock",
        ),
        500..=599 | 408 | 429 => (
            ErrorKind::Transport,
            "the result host failed".to_owned(),
            "download again; the task is paid for and need not be created again",
        ),
        _ => (
            ErrorKind::UnexpectedResponse,
            "the result host answered something else than the file".to_owned(),
            "read the task again for a fresh URL; it is paid for and need not be created again",
        ),
    };
    Error::new(kind, format!("{what} ({status})"))
        .with_status(Some(status))
        .with_retryable(kind == ErrorKind::Transport)
        .with_task(&video.task_id)
        .with_advice(advice)
}

fn ago(end: Option<SystemTime>, now: SystemTime) -> String {
    let past = end.and_then(|end| now.duration_since(end).ok());
    format!("{} s ago", past.unwrap_or_default().as_secs())
}

fn again(error: Error, task: &str) -> Error {
    error
        .with_retryable(true)
        .with_task(task)
        .with_advice("download again; the task is paid for and need not be created again")
}

fn interrupted(task: &str, error: reqwest::Error) -> Error {
    let what = if error.is_connect() {
        "no connection to the result host"
    } else {
        "the connection to the result host was lost"
    };
    again(Error::new(ErrorKind::Transport, what), task).with_source(error.without_url())
}

fn idled(task: &str, idle: Duration) -> Error {
    let what = format!("the result host sent nothing for {} s", idle.as_secs_f64());
    again(Error::new(ErrorKind::Transport, what), task)
}

fn cut_short(task: &str, read: u64, length: u64) -> Error {
    let what = format!("the result host stopped after {read} of {length} bytes");
    again(Error::new(ErrorKind::CorruptResult, what), task)
}
