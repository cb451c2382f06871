//! The transfer of a video: retries, resumes, refreshes the URL, and checks that the file is complete.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use media_probe::{Completeness, Problem};
use url::Url;

use crate::engine::download::errors;
use crate::engine::download::event::DownloadEvent;
use crate::engine::download::source::{self, ResponseBody, ResponseKind, TransferError, Validator};
use crate::engine::download::video::Video;
use crate::engine::error::{Error, ErrorKind, Result};
use crate::engine::expected_video::{ExpectedVideo, VideoFinding};
use crate::engine::http::backoff::Backoff;
use crate::redact::printable;

/// The failure count is reset after this many new bytes. Without a minimum, a host that sends one byte per connection would
/// be retried for every byte.
const PROGRESS_RESET: u64 = 1024 * 1024;

/// The bytes of a video in order, over as many connections and URLs as needed.
pub(crate) struct Transfer {
    video: Video,
    url: Url,
    body: Option<ResponseBody>,
    length: Option<u64>,
    validator: Option<Validator>,
    position: u64,
    completeness: Completeness,
    /// The number of connections that broke since the last reset.
    failures: u32,
    /// Whether the URL was refreshed since the last reset.
    refreshed: bool,
    /// The position at the last reset.
    reset_position: u64,
    backoff: Backoff,
    pause: Option<Duration>,
}

/// An item of a transfer.
pub(crate) enum DownloadItem {
    Bytes(Bytes),
    /// After [`DownloadEvent::Restarted`], the next byte is the first one of the file.
    Event(DownloadEvent),
}

impl Transfer {
    pub(crate) fn new(video: Video) -> Self {
        Self {
            url: video.url.clone(),
            video,
            body: None,
            length: None,
            validator: None,
            position: 0,
            completeness: Completeness::new(),
            failures: 0,
            refreshed: false,
            reset_position: 0,
            backoff: Backoff::default(),
            pause: None,
        }
    }

    /// Connects until a response has the file.
    pub(crate) async fn open(&mut self) -> Result<()> {
        while self.body.is_none() {
            // No bytes are lost yet, so the event need not be reported.
            self.connect().await?;
        }
        Ok(())
    }

    /// The length of the complete file, if known.
    pub(crate) fn length(&self) -> Option<u64> {
        self.length
    }

    /// The number of bytes received.
    pub(crate) fn position(&self) -> u64 {
        self.position
    }

    /// The current URL, which changes when it is refreshed.
    pub(crate) fn url(&self) -> &Url {
        &self.url
    }

    /// Compares the complete file with what was requested.
    pub(crate) fn compare(&self, expected: &ExpectedVideo) -> Vec<VideoFinding> {
        let findings = expected.compare(&self.completeness.media_info());
        for finding in &findings {
            let task_id = printable(self.video.task_id());
            tracing::warn!(%task_id, %finding, "video differs from its request");
        }
        findings
    }

    /// Returns the next item; `None` once the file is complete.
    pub(crate) async fn next(&mut self) -> Result<Option<DownloadItem>> {
        loop {
            let Some(body) = &mut self.body else {
                match self.connect().await {
                    Ok(Some(event)) => return Ok(Some(DownloadItem::Event(event))),
                    Ok(None) => continue,
                    Err(error) => return self.accept_if_complete(error),
                }
            };
            if self.length == Some(self.position) && self.position > 0 {
                let checked = self.check_complete(true);
                return checked
                    .map(|()| None)
                    .map_err(|problem| self.corrupt_error(&problem));
            }
            match body.next().await {
                Ok(Some(chunk)) if chunk.is_empty() => {}
                Ok(Some(chunk)) => {
                    return self
                        .accept(chunk)
                        .map(|chunk| Some(DownloadItem::Bytes(chunk)));
                }
                Ok(None) => {
                    let length_delimited = body.length_delimited;
                    return self.finish(length_delimited);
                }
                Err(failure) => return self.interrupted(failure),
            }
        }
    }

    fn accept(&mut self, chunk: Bytes) -> Result<Bytes> {
        let position = self.position + chunk.len() as u64;
        self.check_size(position)?;
        if let Some(length) = self.length.filter(|length| position > *length) {
            let what = format!("it exceeds the announced {length} bytes");
            return Err(errors::corrupt(&self.video, &what));
        }
        // As early as possible: an error page need not be downloaded.
        self.completeness
            .feed(&chunk)
            .map_err(|problem| self.corrupt_error(&problem))?;
        self.position = position;
        if position >= self.reset_position.saturating_add(PROGRESS_RESET) {
            self.reset_position = position;
            self.failures = 0;
            self.refreshed = false;
            self.backoff = Backoff::default();
        }
        Ok(chunk)
    }

    /// Handles the end of a response, which may come before the end of the file.
    fn finish(&mut self, length_delimited: bool) -> Result<Option<DownloadItem>> {
        if self.length.is_some_and(|length| self.position < length) {
            let failure = TransferError::truncated("the result host ended the response early");
            return self.interrupted(failure);
        }
        match self.check_complete(length_delimited) {
            Ok(()) => Ok(None),
            // The protocol does not mark the end, so this may be a lost connection.
            Err(problem) if !length_delimited && self.position > 0 => {
                let reason = format!("the file is not a complete MP4: {problem}");
                self.interrupted(TransferError::truncated(reason))
            }
            Err(problem) => Err(self.corrupt_error(&problem)),
        }
    }

    fn interrupted(&mut self, failure: TransferError) -> Result<Option<DownloadItem>> {
        match self.schedule_retry(failure) {
            Ok(event) => Ok(Some(DownloadItem::Event(event))),
            Err(error) => self.accept_if_complete(error),
        }
    }

    /// Accepts a complete file although its transfer failed, if no attempt is left.
    fn accept_if_complete(&self, error: Error) -> Result<Option<DownloadItem>> {
        if !self.is_self_contained() {
            return Err(error);
        }
        let (task_id, offset) = (printable(self.video.task_id()), self.position);
        tracing::info!(
            %task_id,
            offset,
            announced = self.length,
            reason = error.summary(),
            "download accepted although the transfer failed"
        );
        Ok(None)
    }

    /// Whether the MP4 received so far is complete, whatever length the host has announced.
    fn is_self_contained(&self) -> bool {
        self.position > 0
            && !self.completeness.is_fragmented()
            && self.completeness.finish(false).is_ok()
    }

    /// Checks the file after its last byte.
    fn check_complete(&self, length_delimited: bool) -> Result<(), Problem> {
        let oddity = self.completeness.finish(length_delimited)?;
        if let Some(oddity) = oddity {
            let task_id = printable(self.video.task_id());
            tracing::info!(%task_id, irregularity = %oddity, "downloaded file has an irregularity");
        }
        Ok(())
    }

    fn corrupt_error(&self, problem: &Problem) -> Error {
        let coding = self.body.as_ref().and_then(|body| body.coding.as_deref());
        let what = match coding {
            Some(coding) => format!(
                "{}, with the unrequested content coding {coding:?}",
                problem.message
            ),
            None => problem.message.clone(),
        };
        errors::corrupt(&self.video, &what)
    }

    /// Checks a length against the limit: before the body if the host announces it, and while it is read.
    fn check_size(&self, bytes: u64) -> Result<()> {
        let limit = self.video.downloads.max_size;
        if bytes <= limit {
            return Ok(());
        }
        let what = format!("it exceeds the limit of {limit} bytes");
        Err(errors::corrupt(&self.video, &what))
    }

    /// Takes the next step towards an open response. Returns the event that it caused.
    async fn connect(&mut self) -> Result<Option<DownloadEvent>> {
        if let Some(pause) = self.pause.take() {
            self.video.downloads.http.clock.sleep(pause).await;
        }
        // A complete file is discarded only once there is another response.
        let is_complete = self.is_self_contained();
        if self.position > 0 && self.validator.is_none() && !is_complete {
            // Without a validator, parts of two files of the same length would look like one file.
            let reason = "the result host sends no strong validator";
            return Ok(Some(self.restart(reason)));
        }
        let resume = self.validator.as_ref().filter(|_| self.position > 0);
        let resume = resume.map(|validator| (self.position, validator));
        match source::fetch(&self.video.downloads, &self.url, resume).await {
            ResponseKind::Complete {
                body,
                length,
                validator,
            } => {
                let restart =
                    (self.position > 0).then(|| self.restart("the result host does not resume"));
                self.check_size(length.unwrap_or_default())?;
                self.body = Some(body);
                self.length = length;
                self.validator = validator;
                Ok(restart)
            }
            ResponseKind::Rest { body, length } => match (self.length, length) {
                (Some(known), Some(length)) if known != length => {
                    Ok(Some(self.restart("the length of the file has changed")))
                }
                (known, length) => {
                    self.body = Some(body);
                    self.length = known.or(length);
                    Ok(None)
                }
            },
            ResponseKind::NotResumable(_) if is_complete => {
                self.validator = None;
                Ok(None)
            }
            ResponseKind::NotResumable(reason) => Ok(Some(self.restart(&reason))),
            ResponseKind::Failed(failure) => self.schedule_retry(failure).map(Some),
            ResponseKind::Gone(status) => {
                let error = errors::gone(&self.video, &self.url, status);
                self.refresh(error.with_status(Some(status)))
                    .await
                    .map(Some)
            }
            ResponseKind::Rejected { status, reason } => {
                let error = errors::rejected(&self.video, reason).with_status(status);
                // Some hosts do not use 4xx for an expired URL.
                if errors::has_expired(&self.video, &self.url) {
                    self.refresh(error).await.map(Some)
                } else {
                    Err(error)
                }
            }
        }
    }

    fn restart(&mut self, reason: &str) -> DownloadEvent {
        let lost = std::mem::take(&mut self.position);
        self.completeness = Completeness::new();
        self.length = None;
        self.validator = None;
        tracing::warn!(
            task_id = %printable(self.video.task_id()),
            discarded_bytes = lost,
            reason,
            "download restarted"
        );
        DownloadEvent::Restarted {
            discarded_bytes: lost,
            reason: reason.to_owned(),
        }
    }

    /// Schedules another attempt, if one is left.
    fn schedule_retry(&mut self, failure: TransferError) -> Result<DownloadEvent> {
        self.body = None;
        let http = &self.video.downloads.http;
        let retry_after = failure.retry_after.unwrap_or_default();
        if self.failures >= http.settings.max_retries || retry_after > http.settings.max_retry_delay
        {
            let attempts = self.failures + 1;
            return Err(errors::interrupted(
                &self.video,
                &self.url,
                (self.position, self.length),
                failure,
                attempts,
            ));
        }
        self.failures += 1;
        let pause = self.backoff.next_delay().max(retry_after);
        self.pause = Some(pause);
        let (task_id, offset) = (printable(self.video.task_id()), self.position);
        tracing::info!(
            %task_id,
            attempt = self.failures,
            offset,
            delay = ?pause,
            reason = failure.reason,
            "retrying download"
        );
        Ok(DownloadEvent::Retrying {
            offset,
            total: self.length,
            reason: failure.reason,
            retry_in: pause,
        })
    }

    /// Reads another URL from the service. `refusal` is the error of the current one.
    async fn refresh(&mut self, refusal: Error) -> Result<DownloadEvent> {
        if self.refreshed {
            return Err(self.unavailable(&refusal, "although the service has just returned it"));
        }
        self.refreshed = true;
        let state = match self.video.origin.read().await {
            Ok(state) => state,
            Err(error) if error.kind() == ErrorKind::NotFound => {
                let addition = "and the service no longer has the task";
                return Err(self.unavailable(&refusal, addition));
            }
            Err(error) => return Err(error.with_context(refusal.summary())),
        };
        let video = Video::from_state(
            &self.video.downloads,
            &state,
            None,
            Arc::clone(&self.video.origin),
        );
        let url = video
            .map_err(|error| error.with_context(refusal.summary()))?
            .url;
        if url == self.url {
            return Err(self.unavailable(&refusal, "and the service returns no other URL"));
        }
        self.url = url;
        tracing::info!(task_id = %printable(self.video.task_id()), "result URL refreshed");
        Ok(DownloadEvent::UrlRefreshed)
    }

    fn unavailable(&self, refusal: &Error, addition: &str) -> Error {
        errors::unavailable(&self.video, &self.url, refusal, addition)
    }
}
