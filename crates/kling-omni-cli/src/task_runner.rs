//! From a task to a file: the wait and the download, which Ctrl-C may end without harm to the task.

use std::time::{Duration, Instant, SystemTime};

use clap::Args;
use futures_util::StreamExt;
use kling_omni::download::{Save, Saved};
use kling_omni::journal::Journal;
use kling_omni::polling::{PollSchedule, TaskStatus, Update, Wait};
use kling_omni::{Charged, Error, ErrorKind, Task, Video};
use serde::Serialize;
use serde_json::Value;

use crate::connect::Connection;
use crate::failure::Failure;
use crate::interrupt::Interrupts;
use crate::next::Next;
use crate::output::OutputArgs;
use crate::progress::Progress;
use crate::{duration, failpoint, report};

/// The interval between polls of a sandbox in this process, whose tasks take seconds.
const SANDBOX_POLL_INTERVAL: Duration = Duration::from_millis(250);

#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Waiting")]
pub(crate) struct WaitArgs {
    #[arg(long, value_name = "TIME", value_parser = duration::parse, help = timeout_help())]
    timeout: Option<Duration>,

    #[arg(long, value_name = "TIME", value_parser = duration::parse, help = poll_interval_help())]
    poll_interval: Option<Duration>,
}

fn timeout_help() -> String {
    format!(
        "How long to wait for the task and its video, such as 90s, 15m or 1h30m; the task goes on when the time is up \
         [default: {} for the task, and {} for the download]",
        duration::text(Wait::DEFAULT_TIMEOUT),
        duration::text(Save::DEFAULT_TIMEOUT)
    )
}

fn poll_interval_help() -> String {
    format!(
        "Ask for the status at this interval, {} at least, instead of when the task is likely to end",
        duration::text(PollSchedule::MIN_INTERVAL)
    )
}

/// A video on disk, as scripts get it.
#[derive(Serialize)]
struct Delivered<'a> {
    task_id: &'a str,
    status: &'a str,
    path: String,
    bytes: u64,
    sha256: &'a str,
    sidecar: Option<String>,
    request_id: Option<&'a str>,
    url_expires_at: Option<String>,
}

impl<'a> Delivered<'a> {
    fn of(task_id: &'a str, saved: &'a Saved) -> Self {
        Self {
            task_id,
            // Of no other is there a video.
            status: "COMPLETED",
            path: saved.path.display().to_string(),
            bytes: saved.bytes,
            sha256: &saved.sha256,
            sidecar: saved
                .sidecar
                .as_ref()
                .map(|path| path.display().to_string()),
            request_id: None,
            url_expires_at: None,
        }
    }

    fn print(&self, saved: &Saved, json: bool) -> Result<(), Failure> {
        match json {
            true => report::json_line(self),
            false => report::path_line(&saved.path),
        }
    }
}

/// Tells what keeps a journal from being written, which is no reason to stop.
pub(crate) fn warn_of_trouble(journal: &Journal) {
    if let Some(trouble) = journal.write_error() {
        report::warn(format_args!(
            "the journal {} could not be written, so keep the id of the task: {trouble}",
            journal.path().display()
        ));
    }
}

/// What a command needs to bring a task to its end: where the task is, where its video goes, and the person, who looks
/// on and may press Ctrl-C.
pub(crate) struct TaskRunner<'a> {
    pub(crate) connection: &'a Connection,
    pub(crate) output: &'a OutputArgs,
    pub(crate) progress: Progress,
    pub(crate) interrupts: Interrupts,
    /// What the video was made from, where that is known.
    pub(crate) request: Option<Value>,
    /// Where each step is recorded, where that was asked for.
    pub(crate) journal: Option<Journal>,
    /// When the time for the task and its video is over, where it has a limit.
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
            journal: None,
            deadline: None,
        }
    }

    /// Waits until the task ends.
    pub(crate) async fn wait(&mut self, task: &Task, args: &WaitArgs) -> Result<Video, Failure> {
        // Of others, nobody knows when they began.
        if task.request_id().is_some() {
            self.progress
                .begins(self.connection.expected_duration(task));
        }
        let waited = self.wait_for(task, args).await;
        if waited.is_ok() {
            self.connection.keep_times();
        }
        if let (Some(journal), Some(state)) = (&mut self.journal, task.state()) {
            journal.record_ended(&state).await;
        }
        waited
    }

    async fn wait_for(&mut self, task: &Task, args: &WaitArgs) -> Result<Video, Failure> {
        let mut wait = task.wait();
        if let Some(timeout) = args.timeout {
            wait = wait.timeout(timeout);
            self.deadline = Instant::now().checked_add(timeout);
        }
        let sandboxed = self
            .connection
            .is_sandbox()
            .then_some(SANDBOX_POLL_INTERVAL);
        if let Some(interval) = args.poll_interval.or(sandboxed) {
            wait = wait.schedule(PollSchedule::fixed(interval));
        }
        let mut updates = wait.updates();
        loop {
            let update = tokio::select! {
                update = updates.next() => update,
                () = self.interrupts.next() => {
                    return Err(self.left_alone(task, "stopped waiting for the task", self.wait_again(task)));
                }
            };
            match update {
                Some(Ok(Update::Status(state))) => {
                    self.progress.status(&state);
                    if let TaskStatus::Unknown(_) = state.status() {
                        self.progress.strange(state.status());
                    }
                    failpoint::at("polling");
                }
                Some(Ok(Update::PollFailed { reason, .. })) => self.progress.no_news(&reason),
                Some(Ok(_)) => {}
                Some(Err(error)) => return Err(self.explain(error)),
                None => break,
            }
        }
        task.video().map_err(|error| self.explain(error))
    }

    /// Downloads a finished video and prints its path.
    pub(crate) async fn save(
        mut self,
        task: &Task,
        video: &Video,
        json: bool,
    ) -> Result<(), Failure> {
        let mut progress = self.progress.download();
        let mut saving = video
            .save(self.output.path(task.id()))
            .overwrite(self.output.force)
            .sidecar(self.output.sidecar)
            .on_progress(move |done, whole| {
                progress(done, whole);
                failpoint::at("downloading");
            })
            .on_event(self.progress.setbacks());
        if let Some(deadline) = self.deadline {
            saving = saving.timeout(deadline.saturating_duration_since(Instant::now()));
        }
        if let Some(request) = self.request.take() {
            saving = saving.request(request);
        }
        let mut journal = self.journal.take();
        let saving = async {
            match &mut journal {
                Some(journal) => journal.save(saving).await,
                None => saving.await,
            }
        };
        let saved = tokio::select! {
            saved = saving => saved.map_err(|error| self.undelivered(task, video, error))?,
            () = self.interrupts.next() => {
                let what = "stopped the download, which left no file behind";
                let next = Next::Download {
                    id: task.id(),
                    output: self.output.given(),
                };
                return Err(self.left_alone(task, what, next));
            }
        };
        if let Some(journal) = &journal {
            warn_of_trouble(journal);
        }
        self.progress.saved(saved.bytes);
        Delivered {
            request_id: task.request_id(),
            url_expires_at: expiry(video),
            ..Delivered::of(task.id(), &saved)
        }
        .print(&saved, json)
    }

    /// Says where the video is that an earlier run has saved.
    pub(crate) fn have(self, id: &str, saved: &Saved, json: bool) -> Result<(), Failure> {
        self.progress
            .say("the video was saved before, and is in its place");
        drop(self);
        Delivered::of(id, saved).print(saved, json)
    }

    /// The command that waits for a task again.
    pub(crate) fn wait_again<'t>(&'t self, task: &'t Task) -> Next<'t> {
        Next::Wait {
            id: task.id(),
            output: self.output.given(),
        }
    }

    /// What Ctrl-C means once there is a task.
    pub(crate) fn left_alone(&self, task: &Task, what: &str, next: Next<'_>) -> Failure {
        let resume = self.connection.resume(next);
        let advice = match resume {
            Some(resume) => format!("the task goes on; `{resume}` takes it up again, at no cost"),
            None => "the sandbox has ended, and the task with it".to_owned(),
        };
        let failure = Failure::interrupted(what)
            .with_task_id(task.id())
            .with_charged(Charged::Yes)
            .with_help(advice);
        self.connection.without_sandbox_charges(failure)
    }

    /// A download that failed, with the time that there is for another one.
    fn undelivered(&self, task: &Task, video: &Video, error: Error) -> Failure {
        let is_late = error.kind() == ErrorKind::Timeout;
        let ends = error.kind() == ErrorKind::Expired || self.connection.is_sandbox();
        let left = video
            .expires_at()
            .filter(|end| !ends && *end > SystemTime::now());
        let mut failure = self.explain(error);
        let again = self.connection.resume(Next::Download {
            id: task.id(),
            output: self.output.given(),
        });
        if let Some(again) = again.filter(|_| is_late) {
            failure = failure.with_help(format!("`{again}` saves the video, at no cost"));
        }
        match left.and_then(timestamp) {
            Some(until) => failure.adding_help(&format!("and the video is there until {until}")),
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

/// When the URL of the result stops working, as RFC 3339 has it.
pub(crate) fn expiry(video: &Video) -> Option<String> {
    timestamp(video.expires_at()?)
}

/// A moment as RFC 3339 has it, to the second.
pub(crate) fn timestamp(time: SystemTime) -> Option<String> {
    use std::fmt::Write as _;
    let mut text = String::new();
    // Years that the format cannot express are an error, where `to_string` would panic.
    write!(text, "{}", humantime::format_rfc3339_seconds(time)).ok()?;
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timestamps_are_written_where_they_can_be() {
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
