//! Waiting for the end of a task.

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

/// A wait for a task's end. Await it to start; dropping it, at any time, leaves the task alone.
///
/// The wait ends in one of these ways:
///
/// * the task is completed: the [`Video`];
/// * the task failed ([`ErrorKind::TaskFailed`]), or was completed without a result ([`ErrorKind::EmptyResult`], after
///   one more look);
/// * the timeout passed ([`ErrorKind::Timeout`]) or you cancelled ([`ErrorKind::Cancelled`]): the task goes on and can
///   be waited for again;
/// * the service could not be asked, and asking again will not help, such as with a refused key.
///
/// A poll that fails for a passing reason ends nothing, and neither does a status that this version does not know:
/// both are polled on until the timeout, whose error has the status last heard of ([`Error::task_status`]). An answer that cannot be right, such as "not found" for a task that was found
/// before, ends the wait only when it comes four times in a row.
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
    /// How long a wait takes at most, unless [`timeout`](Self::timeout) says otherwise. Most videos take one or two
    /// minutes; more than seven have been seen.
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

    /// How long to wait. The task is looked at one last time when the time is up, which may take a few seconds more.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// Waits for as long as the task takes.
    pub fn no_timeout(mut self) -> Self {
        self.timeout = None;
        self
    }

    /// When to ask the service.
    pub fn schedule(mut self, schedule: PollSchedule) -> Self {
        self.schedule = schedule;
        self
    }

    /// Calls `callback` with the status found first and with every change, as soon as it is learnt.
    pub fn on_status(mut self, callback: impl FnMut(&TaskState) + Send + 'static) -> Self {
        self.on_status = Some(Box::new(callback));
        self
    }

    /// Gives up waiting once `signal` completes, with an error that says how to go on. Dropping the wait does the same
    /// without an error.
    pub fn cancel_on(mut self, signal: impl Future<Output = ()> + Send + 'static) -> Self {
        self.cancel = Some(Box::pin(signal));
        self
    }

    /// Listens to the deliveries of a webhook, too: whichever of delivery and poll tells first is taken, and the other
    /// changes nothing. The task's `webhook_url` has to lead to `inbox`, and what that has taken in before counts.
    ///
    /// Deliveries may be lost, so that polling goes on, with pauses six times as long, and twelve times in an adaptive
    /// schedule. A delivered state counts as a poll: the next one is due a whole pause after it. A poll that finds a
    /// status which no delivery has told shows that deliveries are late or lost; polls keep to the
    /// [schedule](Self::schedule) from then on, until the next delivery comes, and so do those of waits that begin with
    /// the same inbox meanwhile. The look at the deadline stays, and a task that is known by its id alone is still read
    /// at once. A completed task without a result gets its second look from a poll.
    #[cfg(feature = "webhook")]
    pub fn webhook(mut self, inbox: &WebhookReceiver) -> Self {
        self.webhook = Some(Box::new(inbox.subscribe(self.task.id())));
        self
    }

    /// The same wait as a stream of updates; `on_status` and `cancel_on` play no part in it.
    pub fn updates(self) -> Updates {
        Updates::new(self.begin().polling)
    }

    pub(crate) fn task(&self) -> &Task {
        &self.task
    }

    /// The wait as a future of a known type.
    pub(crate) fn begin(self) -> Waiting {
        let (task, webhook) = (self.task, self.webhook);
        Waiting {
            polling: Polling::new(task, webhook, self.schedule, self.timeout),
            on_status: self.on_status,
            cancel: self.cancel,
        }
    }
}

/// A wait that has begun. An `async` block in its place would take twice the memory.
pub(crate) struct Waiting {
    polling: Polling,
    on_status: Option<OnStatus>,
    cancel: Option<Cancel>,
}

impl Waiting {
    pub(crate) fn task(&self) -> &Task {
        self.polling.task()
    }

    fn poll_end(&mut self, context: &mut Context<'_>) -> Poll<Result<Video>> {
        while let Some(update) = ready!(self.polling.poll_next(context)) {
            if let (Update::Status(state), Some(callback)) = (update?, &mut self.on_status) {
                callback(&state);
            }
        }
        // A task that has ended does not change any more, so that this is the state that ended the polling.
        Poll::Ready(self.task().video())
    }
}

impl Future for Waiting {
    type Output = Result<Video>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<Video>> {
        if let Poll::Ready(result) = self.poll_end(context) {
            return Poll::Ready(result);
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

fn cancelled(task: &Task) -> Error {
    let id = task.id();
    let shown = printable(id);
    let mut summary = format!("the wait for task {shown} was cancelled");
    if let Some(status @ TaskStatus::Unknown(_)) = task.status() {
        summary.push_str(&format!(
            "; it is {status}, a status that this version does not know"
        ));
    }
    task.concerning(Error::uncharged(ErrorKind::Cancelled, summary))
        .with_help(format!(
            "the task goes on: wait again with `client.task(\"{shown}\").wait()`"
        ))
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
