//! Many tasks at once.

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
use crate::engine::task::wait::{Wait, Waiting};
#[cfg(feature = "webhook")]
use crate::engine::webhook::WebhookReceiver;

/// A task to watch: one that is at hand, or its id.
#[derive(Clone, Debug)]
pub struct TaskRef(Named);

#[derive(Clone, Debug)]
enum Named {
    Task(Task),
    Id(String),
}

impl TaskRef {
    fn task(self, client: &Arc<ClientInner>) -> Task {
        match self.0 {
            Named::Task(task) => task,
            Named::Id(id) => Task::attach(Arc::clone(client), id, client.service.reads()),
        }
    }
}

impl From<Task> for TaskRef {
    fn from(task: Task) -> Self {
        Self(Named::Task(task))
    }
}

impl From<&Task> for TaskRef {
    fn from(task: &Task) -> Self {
        Self(Named::Task(task.clone()))
    }
}

impl From<String> for TaskRef {
    fn from(id: String) -> Self {
        Self(Named::Id(id))
    }
}

impl From<&String> for TaskRef {
    fn from(id: &String) -> Self {
        Self(Named::Id(id.clone()))
    }
}

impl From<&str> for TaskRef {
    fn from(id: &str) -> Self {
        Self(Named::Id(id.to_owned()))
    }
}

/// Something learnt about one of several tasks.
#[derive(Debug)]
#[non_exhaustive]
pub struct WatchItem {
    /// The task; [`Task::video`] has its result once it is completed.
    pub task: Task,
    /// What was learnt. After an error, nothing more comes of this task, and the others go on.
    pub update: Result<Update>,
}

/// Follows any number of tasks: a stream of their updates that ends with the last of them.
///
/// Each task is followed as [`Task::updates`] does, and ends or fails for itself. All of them share one scheduler with
/// every other wait of the client: from a handful of tasks on, it reads the list of tasks, a hundred at a time, and then
/// only those that have ended.
///
/// A stream that is not read holds up nobody: of each task, one update waits to be taken. Dropping it stops the polling
/// and leaves the tasks alone.
///
/// ```no_run
/// use futures_util::StreamExt;
/// use kling_omni::polling::Update;
///
/// # async fn example(client: kling_omni::Client, ids: Vec<String>) {
/// let mut watch = client.watch(ids);
/// while let Some(watched) = watch.next().await {
///     match watched.update {
///         Ok(Update::Status(state)) => println!("{} {}", watched.task.id(), state.status()),
///         Ok(_) => {}
///         Err(error) => eprintln!("{}: {error}", watched.task.id()),
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

    /// How long to wait for each task, from when the stream is first read. Default: [`Wait::DEFAULT_TIMEOUT`].
    pub fn timeout(self, timeout: Duration) -> Self {
        self.each(|wait| wait.timeout(timeout))
    }

    /// Waits for as long as the tasks take.
    pub fn no_timeout(self) -> Self {
        self.each(Wait::no_timeout)
    }

    /// When to ask the service.
    pub fn schedule(self, schedule: PollSchedule) -> Self {
        self.each(|wait| wait.schedule(schedule.clone()))
    }

    /// Listens to the deliveries of a webhook, too; see [`Wait::webhook`].
    #[cfg(feature = "webhook")]
    pub fn webhook(self, inbox: &WebhookReceiver) -> Self {
        self.each(|wait| wait.webhook(inbox))
    }

    fn each(mut self, change: impl Fn(Wait) -> Wait) -> Self {
        self.waits = self.waits.into_iter().map(change).collect();
        self
    }

    /// The tasks with their videos, or what became of them instead, each as soon as it has ended.
    ///
    /// ```no_run
    /// use futures_util::StreamExt;
    ///
    /// # async fn example(client: kling_omni::Client, tasks: Vec<kling_omni::Task>) -> kling_omni::Result<()> {
    /// let mut ended = client.as_completed(tasks);
    /// while let Some((task, video)) = ended.next().await {
    ///     video?.save(format!("{}.mp4", task.id())).await?;
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn as_completed(self) -> AsCompleted {
        let waits = self.waits.into_iter().map(|wait| TaskWait(wait.begin()));
        AsCompleted(waits.collect())
    }

    /// Waits for all of the tasks, and answers what became of each, in their order. None of them ends the wait for
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
            let watched = wait.updates().map(move |update| WatchItem {
                task: task.clone(),
                update,
            });
            this.running.push(Box::pin(watched));
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

/// A wait with its task.
struct TaskWait(Waiting);

impl Future for TaskWait {
    type Output = (Task, Result<Video>);

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let video = ready!(Pin::new(&mut self.0).poll(context));
        Poll::Ready((self.0.task().clone(), video))
    }
}

/// Tasks with their videos, or what became of them instead, in the order in which they end.
///
/// Dropping it stops the polling and leaves the tasks alone.
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
