//! Watching many tasks at once.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use futures_core::Stream;
use futures_util::StreamExt;
use futures_util::future::join_all;
use futures_util::stream::{FuturesUnordered, SelectAll};

use crate::engine::client::ClientInner;
use crate::engine::download::Video;
use crate::engine::error::Result;
use crate::engine::polling::schedule::PollSchedule;
use crate::engine::task::Task;
use crate::engine::task::updates::Update;
use crate::engine::task::wait::{RunningWait, Wait};
#[cfg(feature = "webhook")]
use crate::engine::webhook::WebhookReceiver;

/// A task to watch, or its id.
#[derive(Clone, Debug)]
pub struct TaskRef(TaskRefKind);

#[derive(Clone, Debug)]
enum TaskRefKind {
    Task(Task),
    Id(String),
}

impl TaskRef {
    fn task(self, client: &Arc<ClientInner>) -> Task {
        match self.0 {
            TaskRefKind::Task(task) => task,
            TaskRefKind::Id(id) => Task::attach(Arc::clone(client), id, client.service.reads()),
        }
    }
}

impl From<Task> for TaskRef {
    fn from(task: Task) -> Self {
        Self(TaskRefKind::Task(task))
    }
}

impl From<&Task> for TaskRef {
    fn from(task: &Task) -> Self {
        Self(TaskRefKind::Task(task.clone()))
    }
}

impl From<String> for TaskRef {
    fn from(id: String) -> Self {
        Self(TaskRefKind::Id(id))
    }
}

impl From<&String> for TaskRef {
    fn from(id: &String) -> Self {
        Self(TaskRefKind::Id(id.clone()))
    }
}

impl From<&str> for TaskRef {
    fn from(id: &str) -> Self {
        Self(TaskRefKind::Id(id.to_owned()))
    }
}

/// An update of one of the item tasks.
#[derive(Debug)]
#[non_exhaustive]
pub struct WatchItem {
    /// The task. [`Task::video`] returns its result once it is completed.
    pub task: Task,
    /// The update. After an error, this task has no further updates. The other tasks continue.
    pub update: Result<Update>,
}

/// Watches any number of tasks. A stream of their updates that ends with the last task.
///
/// Each task is followed as by [`Task::updates`], and ends or fails independently. All tasks share one scheduler with
/// all other waits of the client: from four tasks on, it reads the paginated list of tasks, up to a hundred at a time, and
/// then only the tasks that are completed or failed.
///
/// A stream that is not read blocks nothing: at most one update of each task is buffered. Dropping the stream stops the
/// polling and does not affect the tasks.
///
/// ```no_run
/// use futures_util::StreamExt;
/// use kling_omni::polling::Update;
///
/// # async fn example(client: kling_omni::Client, ids: Vec<String>) {
/// let mut watch = client.watch(ids);
/// while let Some(item) = watch.next().await {
///     match item.update {
///         Ok(Update::Status(state)) => println!("{} {}", item.task.id(), state.status()),
///         Ok(_) => {}
///         Err(error) => eprintln!("{}: {error}", item.task.id()),
///     }
/// }
/// # }
/// ```
#[must_use = "streams do nothing unless polled"]
pub struct Watch {
    waits: Vec<Wait>,
    running: SelectAll<Pin<Box<dyn Stream<Item = WatchItem> + Send>>>,
}

impl Watch {
    pub(crate) fn new(
        client: &Arc<ClientInner>,
        tasks: impl IntoIterator<Item = impl Into<TaskRef>>,
    ) -> Self {
        let tasks = tasks.into_iter().map(|task| task.into().task(client));
        Self {
            waits: tasks.map(|task| task.wait()).collect(),
            running: SelectAll::new(),
        }
    }

    /// Sets how long to wait for each task, from when the stream is first polled. Default: [`Wait::DEFAULT_TIMEOUT`].
    pub fn timeout(self, timeout: Duration) -> Self {
        self.each(|wait| wait.timeout(timeout))
    }

    /// Waits as long as the tasks take.
    pub fn no_timeout(self) -> Self {
        self.each(Wait::no_timeout)
    }

    /// Sets when to poll. Default: [`PollSchedule::adaptive`].
    pub fn schedule(self, schedule: PollSchedule) -> Self {
        self.each(|wait| wait.schedule(schedule.clone()))
    }

    /// Receives webhook deliveries, too; see [`Wait::webhook`].
    #[cfg(feature = "webhook")]
    pub fn webhook(self, receiver: &WebhookReceiver) -> Self {
        self.each(|wait| wait.webhook(receiver))
    }

    fn each(mut self, change: impl Fn(Wait) -> Wait) -> Self {
        self.waits = self.waits.into_iter().map(change).collect();
        self
    }

    /// Returns the tasks with their videos or errors, each as soon as it is completed or failed.
    ///
    /// ```no_run
    /// use futures_util::StreamExt;
    ///
    /// # async fn example(client: kling_omni::Client, tasks: Vec<kling_omni::Task>) -> kling_omni::Result<()> {
    /// let mut completed = client.as_completed(tasks);
    /// while let Some((task, video)) = completed.next().await {
    ///     video?.save(format!("{}.mp4", task.id())).await?;
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn as_completed(self) -> AsCompleted {
        let waits = self.waits.into_iter().map(|wait| TaskWait(wait.begin()));
        AsCompleted(waits.collect())
    }

    /// Waits for all tasks, and returns their videos or errors in the order of the tasks. An error does not end the wait for
    /// the others.
    pub async fn wait_all(self) -> Vec<Result<Video>> {
        join_all(self.waits.into_iter().map(Wait::begin)).await
    }
}

impl Stream for Watch {
    type Item = WatchItem;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<WatchItem>> {
        let this = &mut *self;
        for wait in this.waits.drain(..) {
            let task = wait.task().clone();
            let item = wait.updates().map(move |update| WatchItem {
                task: task.clone(),
                update,
            });
            this.running.push(Box::pin(item));
        }
        this.running.poll_next_unpin(context)
    }
}

impl fmt::Debug for Watch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watch")
            .field("tasks", &(self.waits.len() + self.running.len()))
            .finish_non_exhaustive()
    }
}

/// A running wait with its task.
struct TaskWait(RunningWait);

impl Future for TaskWait {
    type Output = (Task, Result<Video>);

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let video = ready!(Pin::new(&mut self.0).poll(context));
        Poll::Ready((self.0.task().clone(), video))
    }
}

/// Tasks with their videos or errors, in the order of their completion.
///
/// Dropping it stops the polling and does not affect the tasks.
#[must_use = "streams do nothing unless polled"]
pub struct AsCompleted(FuturesUnordered<TaskWait>);

impl Stream for AsCompleted {
    type Item = (Task, Result<Video>);

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.0.poll_next_unpin(context)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.0.len(), Some(self.0.len()))
    }
}

impl fmt::Debug for AsCompleted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AsCompleted")
            .field("tasks", &self.0.len())
            .finish()
    }
}
