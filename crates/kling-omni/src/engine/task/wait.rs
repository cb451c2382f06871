//! Waits until a task is completed or failed.

use std::fmt;
use std::future::{Future, IntoFuture};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use crate::engine::download::Video;
use crate::engine::error::{Error, ErrorKind, Result};
use crate::engine::polling::schedule::PollSchedule;
use crate::engine::polling::{self, WebhookUpdates};
use crate::engine::state::{TaskState, TaskStatus};
use crate::engine::task::Task;
use crate::engine::task::poll::Polling;
use crate::engine::task::updates::{Update, Updates};
#[cfg(feature = "webhook")]
use crate::engine::webhook::WebhookReceiver;
use crate::redact::printable;

type OnStatus = Box<dyn FnMut(&TaskState) + Send>;
type Cancel = Pin<Box<dyn Future<Output = ()> + Send>>;

/// A wait for a task. Await it to start. Dropping it at any time does not affect the task.
///
/// The wait ends in one of these ways:
///
/// * The task is completed: returns the [`Video`].
/// * The task failed ([`ErrorKind::TaskFailed`]), or was completed without a result ([`ErrorKind::EmptyResult`], after one
///   more poll).
/// * The timeout passed ([`ErrorKind::Timeout`]) or the caller cancelled ([`ErrorKind::Cancelled`]). The task keeps running
///   and can be waited for again.
/// * Polls fail permanently, such as with a rejected key.
///
/// A poll with a transient failure does not end the wait, and neither does a status that this version does not know. Polling
/// continues until the timeout, whose error has the last known status ([`Error::task_status`]). An inconsistent response,
/// such as a 404 for a task that was read before, ends the wait only if it comes four times in a row.
#[must_use = "nothing happens until it is awaited"]
pub struct Wait {
    task: Task,
    timeout: Option<Duration>,
    schedule: PollSchedule,
    on_status: Option<OnStatus>,
    cancel: Option<Cancel>,
    webhook: Option<Box<dyn WebhookUpdates>>,
}

impl Wait {
    /// How long a wait takes at most by default. Most videos take one or two minutes; more than seven minutes have been
    /// observed.
    pub const DEFAULT_TIMEOUT: Duration = polling::DEFAULT_WAIT_TIMEOUT;

    pub(crate) fn new(task: Task) -> Self {
        Self {
            task,
            timeout: Some(Self::DEFAULT_TIMEOUT),
            schedule: PollSchedule::default(),
            on_status: None,
            cancel: None,
            webhook: None,
        }
    }

    /// Sets how long to wait. When the time is up, the task is polled a last time, which may take a few seconds more. Default:
    /// [`DEFAULT_TIMEOUT`](Self::DEFAULT_TIMEOUT).
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// Waits as long as the task takes.
    pub fn no_timeout(mut self) -> Self {
        self.timeout = None;
        self
    }

    /// Sets when to poll. Default: [`PollSchedule::adaptive`].
    pub fn schedule(mut self, schedule: PollSchedule) -> Self {
        self.schedule = schedule;
        self
    }

    /// Calls `callback` with the first known status and with every change, as soon as it is known.
    pub fn on_status(mut self, callback: impl FnMut(&TaskState) + Send + 'static) -> Self {
        self.on_status = Some(Box::new(callback));
        self
    }

    /// Cancels the wait when `signal` completes, with an error that says how to wait again. Dropping the wait cancels it without
    /// an error.
    pub fn cancel_on(mut self, signal: impl Future<Output = ()> + Send + 'static) -> Self {
        self.cancel = Some(Box::pin(signal));
        self
    }

    /// Receives webhook deliveries, too. The first of delivery and poll reports a status; the other has no effect. The
    /// `webhook_url` of the task has to lead to `receiver`. Deliveries that the receiver got before count.
    ///
    /// Deliveries may be lost, so polling continues, with intervals six times as long, or twelve times in an adaptive schedule.
    /// A delivered state counts as a poll: the next poll comes a full interval later. A poll that returns a status that was not
    /// delivered shows that deliveries are late or lost. From then on, polls follow the [schedule](Self::schedule), until the
    /// next delivery arrives. The same holds for waits that begin with the same receiver in the meantime. The poll at the
    /// deadline takes place in any case, and a task of which only the id is known is still polled at once. A completed task
    /// without a result is read again by a poll.
    #[cfg(feature = "webhook")]
    pub fn webhook(mut self, receiver: &WebhookReceiver) -> Self {
        self.webhook = Some(Box::new(receiver.subscribe(self.task.id())));
        self
    }

    /// Returns the same wait as a stream of updates. The stream ignores `on_status` and `cancel_on`.
    pub fn updates(self) -> Updates {
        Updates::new(self.begin().polling)
    }

    /// Waits until the task is completed, without its video. Where a list shows that, and a direct read has agreed with
    /// that list about an ended task before, no request is sent for this task alone. For programs that leave the video to another
    /// process.
    ///
    /// ```no_run
    /// # async fn example(task: kling_omni::Task) -> kling_omni::Result<()> {
    /// task.wait().until_completed().await?;
    /// println!("task {} is ready to be downloaded", task.id());
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// Those of the wait. A completed task without a result is not an error here.
    pub fn until_completed(self) -> impl Future<Output = Result<()>> + Send + 'static {
        let mut wait = self.begin();
        wait.polling.skip_result();
        WaitForCompletion(wait)
    }

    pub(crate) fn task(&self) -> &Task {
        &self.task
    }

    /// Starts the wait as a future of a named type.
    pub(crate) fn begin(self) -> RunningWait {
        let (task, webhook) = (self.task, self.webhook);
        RunningWait {
            polling: Polling::new(task, webhook, self.schedule, self.timeout),
            on_status: self.on_status,
            cancel: self.cancel,
        }
    }
}

/// A running wait. A named future, because an `async` block would take twice the memory.
pub(crate) struct RunningWait {
    polling: Polling,
    on_status: Option<OnStatus>,
    cancel: Option<Cancel>,
}

impl RunningWait {
    pub(crate) fn task(&self) -> &Task {
        self.polling.task()
    }

    /// Polls until the task has ended. The state of a completed or failed task does not change.
    fn poll_end(&mut self, context: &mut Context<'_>) -> Poll<Result<()>> {
        while let Poll::Ready(update) = self.polling.poll_next(context) {
            let Some(update) = update else {
                return Poll::Ready(Ok(()));
            };
            if let (Update::Status(state), Some(callback)) = (update?, &mut self.on_status) {
                callback(&state);
            }
        }
        match &mut self.cancel {
            Some(cancel) => {
                ready!(cancel.as_mut().poll(context));
                Poll::Ready(Err(cancelled(self.task())))
            }
            None => Poll::Pending,
        }
    }
}

impl Future for RunningWait {
    type Output = Result<Video>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<Video>> {
        ready!(self.poll_end(context))?;
        Poll::Ready(self.task().video())
    }
}

/// A running wait that ends without the video.
struct WaitForCompletion(RunningWait);

impl Future for WaitForCompletion {
    type Output = Result<()>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<()>> {
        ready!(self.0.poll_end(context))?;
        Poll::Ready(match self.0.task().video() {
            Err(error) if error.kind() != ErrorKind::EmptyResult => Err(error),
            _ => Ok(()),
        })
    }
}

fn cancelled(task: &Task) -> Error {
    let id = task.id();
    let shown = printable(id);
    let mut summary = format!("wait for task {shown} cancelled");
    if let Some(status @ TaskStatus::Unknown(_)) = task.status() {
        summary.push_str(&format!(
            ": its status is {status} (unknown to this version)"
        ));
    }
    task.with_task_context(Error::uncharged(ErrorKind::Cancelled, summary))
        .with_help(format!("wait again with `client.task(\"{shown}\").wait()`"))
}

impl IntoFuture for Wait {
    type Output = Result<Video>;
    type IntoFuture = Pin<Box<dyn Future<Output = Result<Video>> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.begin())
    }
}

impl fmt::Debug for Wait {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Wait")
            .field("task", &self.task)
            .field("timeout", &self.timeout)
            .field("schedule", &self.schedule)
            .finish_non_exhaustive()
    }
}
