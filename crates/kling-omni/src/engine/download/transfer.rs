use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use media_probe::{Completeness, Problem};
use url::Url;

use crate::engine::download::Video;
use crate::engine::download::problem;
use crate::engine::download::setback::Setback;
use crate::engine::download::source::{self, Answer, Body, Broken, Validator};
use crate::engine::error::{Error, ErrorKind, Result};
use crate::engine::http::backoff::Backoff;

/// So many bytes beyond all that came before make the failures before them forgotten. Without a least amount, a host
/// that gives a byte with each connection would be asked for as long as there are bytes.
const HEADWAY: u64 = 1024 * 1024;

/// The bytes of a video from the first to the last, over as many connections and URLs as it takes.
pub(crate) struct Transfer {
    video: Video,
    url: Url,
    body: Option<Body>,
    length: Option<u64>,
    validator: Option<Validator>,
    position: u64,
    completeness: Completeness,
    /// Connections that broke since the download last made headway.
    breaks: u32,
    /// Whether the URL was read again since then.
    refreshed: bool,
    /// How far the download was when it last made headway.
    mark: u64,
    backoff: Backoff,
    pause: Option<Duration>,
}

/// What comes next.
pub(crate) enum Piece {
    Bytes(Bytes),
    /// After [`Setback::Restarted`], the next byte is the file's first.
    Setback(Setback),
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
            breaks: 0,
            refreshed: false,
            mark: 0,
            backoff: Backoff::default(),
            pause: None,
        }
    }

    /// Comes as far as the first answer that has the file in it.
    pub(crate) async fn open(&mut self) -> Result<()> {
        while self.body.is_none() {
            // Nothing has been lost yet, so that there is nobody to tell.
            self.connect().await?;
        }
        Ok(())
    }

    /// The length of the whole file, if the host has said it.
    pub(crate) fn length(&self) -> Option<u64> {
        self.length
    }

    /// How many bytes of the file have come.
    pub(crate) fn position(&self) -> u64 {
        self.position
    }

    /// Where the bytes come from: a fresh URL, if the first one ended.
    pub(crate) fn url(&self) -> &Url {
        &self.url
    }

    /// The next piece; `None` once the file is whole.
    pub(crate) async fn next(&mut self) -> Result<Option<Piece>> {
        loop {
            let Some(body) = &mut self.body else {
                match self.connect().await {
                    Ok(Some(setback)) => return Ok(Some(Piece::Setback(setback))),
                    Ok(None) => continue,
                    Err(error) => return self.kept_in_spite_of(error),
                }
            };
            if self.length == Some(self.position) && self.position > 0 {
                let judged = self.judge(true);
                return judged
                    .map(|()| None)
                    .map_err(|problem| self.defective(&problem));
            }
            match body.next().await {
                Ok(Some(chunk)) if chunk.is_empty() => {}
                Ok(Some(chunk)) => return self.take(chunk).map(|chunk| Some(Piece::Bytes(chunk))),
                Ok(None) => {
                    let framed = body.framed;
                    return self.end(framed);
                }
                Err(broken) => return self.interrupted(broken),
            }
        }
    }

    fn take(&mut self, chunk: Bytes) -> Result<Bytes> {
        let position = self.position + chunk.len() as u64;
        self.check_size(position)?;
        if let Some(length) = self.length.filter(|length| position > *length) {
            let what = format!("it goes on after the {length} bytes that were announced");
            return Err(problem::corrupt(&self.video, &what));
        }
        // WebhookUpdate as early as can be: an error page is not worth downloading.
        self.completeness
            .feed(&chunk)
            .map_err(|problem| self.defective(&problem))?;
        self.position = position;
        if position >= self.mark.saturating_add(HEADWAY) {
            self.mark = position;
            self.breaks = 0;
            self.refreshed = false;
            self.backoff = Backoff::default();
        }
        Ok(chunk)
    }

    /// The answer has ended: the file as well, or the connection alone.
    fn end(&mut self, framed: bool) -> Result<Option<Piece>> {
        if self.length.is_some_and(|length| self.position < length) {
            let cut = Broken::cut("the result host ended its answer early");
            return self.interrupted(cut);
        }
        match self.judge(framed) {
            Ok(()) => Ok(None),
            // Nobody marked the end, so that a lost connection may look like this.
            Err(problem) if !framed && self.position > 0 => {
                let why = format!("what came is no whole MP4 file: {problem}");
                self.interrupted(Broken::cut(why))
            }
            Err(problem) => Err(self.defective(&problem)),
        }
    }

    fn interrupted(&mut self, broken: Broken) -> Result<Option<Piece>> {
        match self.broken(broken) {
            Ok(setback) => Ok(Some(Piece::Setback(setback))),
            Err(error) => self.kept_in_spite_of(error),
        }
    }

    /// The end of all attempts: a video that is whole by itself lacks nothing but the host's word for it.
    fn kept_in_spite_of(&self, error: Error) -> Result<Option<Piece>> {
        if !self.is_whole_by_itself() {
            return Err(error);
        }
        let (task, at) = (self.video.task_id(), self.position);
        tracing::info!(
            task,
            at,
            announced = self.length,
            why = error.summary(),
            "the result is whole, with an oddity: the host never ended its transfer"
        );
        Ok(None)
    }

    /// Whether no byte of the video is missing, whatever the host says of the file's end.
    fn is_whole_by_itself(&self) -> bool {
        self.position > 0
            && !self.completeness.is_in_fragments()
            && self.completeness.finish(false).is_ok()
    }

    /// Judges the file after its last byte.
    fn judge(&self, framed: bool) -> Result<(), Problem> {
        let oddity = self.completeness.finish(framed)?;
        if let Some(oddity) = oddity {
            let task = self.video.task_id();
            tracing::info!(task, %oddity, "the result is whole, with an oddity");
        }
        Ok(())
    }

    fn defective(&self, problem: &Problem) -> Error {
        let coding = self.body.as_ref().and_then(|body| body.coding.as_deref());
        let what = match coding {
            Some(coding) => format!(
                "{}, and its content coding is {coding:?}, though none was asked for",
                problem.message
            ),
            None => problem.message.clone(),
        };
        problem::corrupt(&self.video, &what)
    }

    /// Nobody knows how much an answer without a length brings, and a length may be as long as it likes.
    fn check_size(&self, bytes: u64) -> Result<()> {
        let limit = self.video.downloads.max_size;
        if bytes <= limit {
            return Ok(());
        }
        let what = format!("it is larger than {limit} bytes, the limit of this client");
        Err(problem::corrupt(&self.video, &what))
    }

    /// Takes the next step towards an open answer, and says what it cost.
    async fn connect(&mut self) -> Result<Option<Setback>> {
        if let Some(pause) = self.pause.take() {
            self.video.downloads.http.clock.sleep(pause).await;
        }
        // What is whole is given up only for an answer that has come.
        let is_whole = self.is_whole_by_itself();
        if self.position > 0 && self.validator.is_none() && !is_whole {
            // A part of one file and a part of another of the same length would pass for a whole one.
            let why = "the host gives nothing to recognise the file by";
            return Ok(Some(self.restart(why)));
        }
        let begun = self.validator.as_ref().filter(|_| self.position > 0);
        let begun = begun.map(|validator| (self.position, validator));
        match source::ask(&self.video.downloads, &self.url, begun).await {
            Answer::Whole {
                body,
                length,
                validator,
            } => {
                let restart = (self.position > 0)
                    .then(|| self.restart("the host does not continue what it began"));
                self.check_size(length.unwrap_or_default())?;
                self.body = Some(body);
                self.length = length;
                self.validator = validator;
                Ok(restart)
            }
            Answer::Rest { body, length } => match (self.length, length) {
                (Some(known), Some(length)) if known != length => {
                    Ok(Some(self.restart("the file has another length now")))
                }
                (known, length) => {
                    self.body = Some(body);
                    self.length = known.or(length);
                    Ok(None)
                }
            },
            Answer::Other(_) if is_whole => {
                self.validator = None;
                Ok(None)
            }
            Answer::Other(why) => Ok(Some(self.restart(&why))),
            Answer::Nothing(broken) => self.broken(broken).map(Some),
            Answer::Gone(status) => {
                let why = problem::gone(&self.video, &self.url, status);
                self.refresh(why.with_status(Some(status))).await.map(Some)
            }
            Answer::Refused { status, why } => {
                let error = problem::refused(&self.video, why).with_status(status);
                // Hosts differ in what they say of a URL whose time is over.
                if problem::has_expired(&self.video, &self.url) {
                    self.refresh(error).await.map(Some)
                } else {
                    Err(error)
                }
            }
        }
    }

    fn restart(&mut self, why: &str) -> Setback {
        let lost = std::mem::take(&mut self.position);
        self.completeness = Completeness::new();
        self.length = None;
        self.validator = None;
        tracing::warn!(
            task = self.video.task_id(),
            lost,
            why,
            "the download begins anew"
        );
        Setback::Restarted {
            lost,
            why: why.to_owned(),
        }
    }

    /// Plans another attempt, if there may be one.
    fn broken(&mut self, broken: Broken) -> Result<Setback> {
        self.body = None;
        let http = &self.video.downloads.http;
        let asked = broken.wait.unwrap_or_default();
        if self.breaks >= http.settings.max_retries || asked > http.settings.max_retry_delay {
            let attempts = self.breaks + 1;
            return Err(problem::broke_off(
                &self.video,
                &self.url,
                (self.position, self.length),
                broken,
                attempts,
            ));
        }
        self.breaks += 1;
        let pause = self.backoff.next_pause().max(asked);
        self.pause = Some(pause);
        let (task, at) = (self.video.task_id(), self.position);
        tracing::info!(
            task,
            at,
            ?pause,
            why = broken.why,
            "the download was interrupted"
        );
        Ok(Setback::Interrupted {
            at,
            length: self.length,
            why: broken.why,
            pause,
        })
    }

    /// Asks the service for another URL. `refusal` is what the one at hand came to.
    async fn refresh(&mut self, refusal: Error) -> Result<Setback> {
        if self.refreshed {
            return Err(self.lost(&refusal, "though the service has just named it"));
        }
        self.refreshed = true;
        let state = match self.video.origin.read().await {
            Ok(state) => state,
            Err(error) if error.kind() == ErrorKind::NotFound => {
                let besides = "and the service does not know the task any more";
                return Err(self.lost(&refusal, besides));
            }
            Err(error) => return Err(error.after(refusal.summary())),
        };
        let video = Video::of(
            &self.video.downloads,
            &state,
            None,
            Arc::clone(&self.video.origin),
        );
        let url = video.map_err(|error| error.after(refusal.summary()))?.url;
        if url == self.url {
            return Err(self.lost(&refusal, "and the service names no other URL"));
        }
        self.url = url;
        tracing::info!(
            task = self.video.task_id(),
            "the result has a fresh URL now"
        );
        Ok(Setback::Refreshed)
    }

    fn lost(&self, refusal: &Error, besides: &str) -> Error {
        problem::lost(&self.video, &self.url, refusal, besides)
    }
}
