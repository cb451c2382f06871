//! Waits for a task and saves its video. Ctrl-C stops the program, not the task.

use std::time::{Duration, Instant, SystemTime};

use clap::Args;
use futures_util::StreamExt;
use kling_omni::download::{Save, Saved, VideoFinding};
use kling_omni::polling::{PollSchedule, TaskStatus, Update, Wait};
use kling_omni::{Charged, Error, ErrorKind, Task, Video};
use serde::Serialize;
use serde_json::Value;

use crate::connect::Connection;
use crate::failure::Failure;
use crate::interrupt::Interrupts;
use crate::next::NextCommand;
use crate::output::OutputArgs;
use crate::progress::Progress;
use crate::task_page::TaskPage;
use crate::{duration, failpoint, report};

/// The poll interval with `--sandbox`, whose tasks take seconds.
pub(crate) const SANDBOX_POLL_INTERVAL: Duration = Duration::from_millis(250);

#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Waiting")]
pub(crate) struct WaitArgs {
    #[arg(long, value_name = "TIME", value_parser = duration::parse, help = timeout_help())]
    pub(crate) timeout: Option<Duration>,

    #[arg(long, value_name = "TIME", value_parser = duration::parse, help = poll_interval_help())]
    poll_interval: Option<Duration>,
}

fn timeout_help() -> String {
    format!(
        "How long to wait for the task and its video, such as 90s, 15m or 1h30m; the task continues afterwards [default: \
         {} for the task, and {} for the download]",
        duration::text(Wait::DEFAULT_TIMEOUT),
        duration::text(Save::DEFAULT_TIMEOUT)
    )
}

pub(crate) fn poll_interval_help() -> String {
    format!(
        "Fixed interval between polls, at least {}, instead of an adaptive schedule",
        duration::text(PollSchedule::MIN_INTERVAL)
    )
}

/// The JSON output for a saved video.
#[derive(Serialize)]
struct SavedOutput<'a> {
    task_id: &'a str,
    status: &'a str,
    path: String,
    bytes: u64,
    sha256: &'a str,
    sidecar: Option<String>,
    /// Where the video differs from its request.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    findings: &'a [VideoFinding],
    request_id: Option<&'a str>,
    url_expires_at: Option<String>,
}

impl<'a> SavedOutput<'a> {
    fn new(task_id: &'a str, saved: &'a Saved) -> Self {
        Self {
            task_id,
            // Only a completed task has a video.
            status: "COMPLETED",
            path: saved.path.display().to_string(),
            bytes: saved.bytes,
            sha256: &saved.sha256,
            sidecar: saved
                .sidecar
                .as_ref()
                .map(|path| path.display().to_string()),
            findings: &saved.findings,
            request_id: None,
            url_expires_at: None,
        }
    }

    fn print(&self, saved: &Saved, json: bool) -> Result<(), Failure> {
        saved.findings.iter().for_each(report::warn);
        match json {
            true => report::json_line(self),
            false => report::path_line(&saved.path),
        }
    }
}

/// Waits for a task and saves its video, with progress, and until Ctrl-C.
pub(crate) struct TaskRunner<'a> {
    pub(crate) connection: &'a Connection,
    pub(crate) output: &'a OutputArgs,
    pub(crate) progress: Progress,
    pub(crate) interrupts: Interrupts,
    /// The request for the sidecar, if known.
    pub(crate) request: Option<Value>,
    /// The page of `--report`.
    pub(crate) page: Option<TaskPage>,
    /// The end of `--timeout`, which covers the wait and the download.
    deadline: Option<Instant>,
}

impl<'a> TaskRunner<'a> {
    pub(crate) fn new(
        connection: &'a Connection,
        output: &'a OutputArgs,
        progress: Progress,
    ) -> Self {
        Self {
            connection,
            output,
            progress,
            interrupts: Interrupts::listen(),
            request: None,
            page: None,
            deadline: None,
        }
    }

    /// Waits until the task ends.
    pub(crate) async fn wait(&mut self, task: &Task, args: &WaitArgs) -> Result<Video, Failure> {
        self.expect(task);
        if let Some(page) = &mut self.page {
            page.set_created();
        }
        let waited = self.poll_until_ended(task, args).await;
        if let Some(page) = &mut self.page {
            page.set_ended();
        }
        match &waited {
            Ok(_) => self.connection.save_durations(),
            Err(failure) => self.write_failed_page(task.id(), failure).await,
        }
        waited
    }

    /// Shows the expected duration of a task. Only for a task that this run created is the start known.
    pub(crate) fn expect(&mut self, task: &Task) {
        if task.request_id().is_some() {
            let expected = self.connection.expected_duration(task);
            self.progress.set_expected_duration(expected);
        }
    }

    /// The schedule that the options choose.
    pub(crate) fn schedule(&self, args: &WaitArgs) -> Option<PollSchedule> {
        let sandboxed = self.connection.is_sandbox();
        let sandboxed = sandboxed.then_some(SANDBOX_POLL_INTERVAL);
        args.poll_interval.or(sandboxed).map(PollSchedule::fixed)
    }

    pub(crate) fn report_update(&self, update: &Update) {
        match update {
            Update::Status(state) => {
                self.progress.status(state);
                if let TaskStatus::Unknown(_) = state.status() {
                    self.progress.warn_unknown_status(state.status());
                }
                failpoint::block_at("polling");
            }
            Update::PollFailed { reason, .. } => self.progress.poll_failed(reason),
            _ => {}
        }
    }

    async fn poll_until_ended(&mut self, task: &Task, args: &WaitArgs) -> Result<Video, Failure> {
        let mut wait = task.wait();
        if let Some(timeout) = args.timeout {
            wait = wait.timeout(timeout);
            self.deadline = Instant::now().checked_add(timeout);
        }
        if let Some(schedule) = self.schedule(args) {
            wait = wait.schedule(schedule);
        }
        let mut updates = wait.updates();
        loop {
            let update = tokio::select! {
                update = updates.next() => update,
                () = self.interrupts.next() => return Err(self.interrupted_wait(task)),
            };
            match update {
                Some(Ok(update)) => self.report_update(&update),
                Some(Err(error)) => return Err(self.explain(error)),
                None => break,
            }
        }
        task.video().map_err(|error| self.explain(error))
    }

    /// Downloads a video and prints its path.
    pub(crate) async fn save(
        mut self,
        task: &Task,
        video: &Video,
        json: bool,
    ) -> Result<(), Failure> {
        let mut progress = self.progress.download();
        let mut save = video
            .save(self.output.path(task.id()))
            .overwrite(self.output.force)
            .sidecar(self.output.sidecar)
            .on_progress(move |done, total| {
                progress(done, total);
                failpoint::block_at("downloading");
            })
            .on_event(self.progress.download_events());
        if let Some(deadline) = self.deadline {
            save = save.timeout(deadline.saturating_duration_since(Instant::now()));
        }
        if let Some(request) = self.request.take() {
            save = save.request(request);
        }
        let saved = tokio::select! {
            saved = save.into_future() => saved.map_err(|error| self.explain_download(task, video, error)),
            () = self.interrupts.next() => Err(self.interrupted_download(task)),
        };
        match saved {
            Ok(saved) => self.report_new(task, video, &saved, json).await,
            Err(failure) => {
                self.write_failed_page(task.id(), &failure).await;
                Err(failure)
            }
        }
    }

    /// Writes the page about a task without a video, if one was asked for.
    pub(crate) async fn write_failed_page(&mut self, id: &str, failure: &Failure) {
        if let Some(page) = self.page.take() {
            page.write_failed(id, failure).await;
        }
    }

    /// Prints the path of a video that this run saved.
    pub(crate) async fn report_new(
        mut self,
        task: &Task,
        video: &Video,
        saved: &Saved,
        json: bool,
    ) -> Result<(), Failure> {
        self.progress.saved(saved.bytes);
        if let Some(page) = self.page.take() {
            page.write_saved(task.id(), saved).await;
        }
        SavedOutput {
            request_id: task.request_id(),
            url_expires_at: expiry(video),
            ..SavedOutput::new(task.id(), saved)
        }
        .print(saved, json)
    }

    /// Prints the path of a video that an earlier run saved.
    pub(crate) async fn report_saved(
        mut self,
        id: &str,
        saved: &Saved,
        json: bool,
    ) -> Result<(), Failure> {
        self.progress
            .say("the video is already saved and unchanged");
        if let Some(page) = self.page.take() {
            page.write_saved(id, saved).await;
        }
        drop(self);
        SavedOutput::new(id, saved).print(saved, json)
    }

    /// Returns the command that continues to wait for a task.
    pub(crate) fn wait_command<'t>(&'t self, task: &'t Task) -> NextCommand<'t> {
        NextCommand::Wait {
            id: task.id(),
            output: self.output.given(),
        }
    }

    /// Returns the failure for Ctrl-C after the task was created.
    pub(crate) fn interrupted(&self, task: &Task, what: &str, next: NextCommand<'_>) -> Failure {
        let failure = Failure::interrupted(what)
            .with_task_id(task.id())
            .with_charged(Charged::Yes);
        let failure = match self.connection.resume(next) {
            Some(resume) => failure.with_help(format!("run `{resume}` to resume, at no cost")),
            None => failure,
        };
        self.connection.without_sandbox_charges(failure)
    }

    /// Returns the failure for Ctrl-C during the wait.
    pub(crate) fn interrupted_wait(&self, task: &Task) -> Failure {
        self.interrupted(
            task,
            "stopped waiting for the task",
            self.wait_command(task),
        )
    }

    /// Returns the failure for Ctrl-C during the download.
    pub(crate) fn interrupted_download(&self, task: &Task) -> Failure {
        let what = "stopped the download, no partial file was left";
        let next = NextCommand::Download {
            id: task.id(),
            output: self.output.given(),
        };
        self.interrupted(task, what, next)
    }

    /// Explains a failed download, with the time left for another one.
    pub(crate) fn explain_download(&self, task: &Task, video: &Video, error: Error) -> Failure {
        let is_late = error.kind() == ErrorKind::Timeout;
        let is_gone = error.kind() == ErrorKind::Expired || self.connection.is_sandbox();
        let expires_at = video
            .expires_at()
            .filter(|expiry| !is_gone && *expiry > SystemTime::now());
        let mut failure = self.explain(error);
        let download = self.connection.resume(NextCommand::Download {
            id: task.id(),
            output: self.output.given(),
        });
        if let Some(download) = download.filter(|_| is_late) {
            failure = failure.with_help(format!("run `{download}` to save the video, at no cost"));
        }
        match expires_at.and_then(timestamp) {
            Some(expiry) => failure.adding_help(&format!("before the video expires at {expiry}")),
            None => failure,
        }
    }

    pub(crate) fn explain(&self, error: Error) -> Failure {
        self.connection.explain(error, self.output.given())
    }

    pub(crate) fn explain_create(&self, error: Error) -> Failure {
        self.connection.explain_create(error, self.output.given())
    }
}

/// Returns when the URL of a result expires, as RFC 3339.
pub(crate) fn expiry(video: &Video) -> Option<String> {
    timestamp(video.expires_at()?)
}

/// Formats a time as RFC 3339, to the second. Returns `None` for years that the format does not support.
pub(crate) fn timestamp(time: SystemTime) -> Option<String> {
    use std::fmt::Write as _;
    let mut text = String::new();
    // `to_string` would panic where `write!` returns an error.
    write!(text, "{}", humantime::format_rfc3339_seconds(time)).ok()?;
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timestamp_supports_years_to_9999() {
        for (seconds, text) in [
            (1_761_445_403, Some("2025-10-26T02:23:23Z")),
            (253_402_300_799, Some("9999-12-31T23:59:59Z")),
            (253_402_300_800, None),
        ] {
            let time = SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
            assert_eq!(timestamp(time).as_deref(), text);
        }
    }
}
