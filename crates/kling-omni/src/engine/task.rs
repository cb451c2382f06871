//! A paid task: what is known of it, and how it is read.

pub(crate) mod poll;
pub(crate) mod updates;
pub(crate) mod wait;
pub(crate) mod watch;

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use crate::engine::client::ClientInner;
use crate::engine::download::{Origin, Times, Video};
use crate::engine::error::{Charged, Error, ErrorKind, Result};
use crate::engine::http::call::{Call, Options};
use crate::engine::limits::in_flight::InFlightPermit;
use crate::engine::operations::{CreateOperation, ReadOperation};
use crate::engine::polling::durations::TaskOrigin;
use crate::engine::polling::schedule::{PollContext, ScheduleState, end_of_pause};
use crate::engine::state::{Progress, TaskState, TaskStatus};
use crate::engine::task::updates::Updates;
use crate::engine::task::wait::Wait;
use crate::engine::task_id::{InvalidTaskId, TaskId};
use crate::redact::printable;

/// A paid task: the same whether it was just created or taken up by its id.
///
/// Nothing happens to a task when this value is dropped; it goes on at the service, which knows no cancelling. Clones
/// share what has been learnt about it.
#[derive(Clone)]
pub struct Task(Arc<Shared>);

struct Shared {
    client: Arc<ClientInner>,
    id: Result<TaskId, InvalidTaskId>,
    request_id: Option<Box<str>>,
    reads: &'static [&'static ReadOperation],
    /// Of a task that this client has created.
    origin: Option<TaskOrigin>,
    known: Mutex<Known>,
}

/// What is known of a task so far.
#[derive(Debug, Default)]
struct Known {
    latest: Option<Latest>,
    /// The operation that knows the task.
    read_by: Option<&'static ReadOperation>,
    times: Times,
    /// When the task was last known to be in progress.
    last_in_progress: Option<Instant>,
    /// How long after its creation the task was found to have ended.
    ended_after: Option<Duration>,
    /// The service asked not to be polled before.
    not_before: Option<Instant>,
    /// Whether it was not on a list that it should have been on.
    is_unlisted: bool,
    /// Held until the task has ended.
    permit: Option<InFlightPermit>,
}

/// The latest state, without the id. There is one for each task in flight, so that its size matters.
#[derive(Debug)]
struct Latest {
    status: TaskStatus,
    progress: Progress,
    /// What the state has beside the status, which is nothing before the task ends.
    end: Option<Box<TaskState>>,
}

impl Latest {
    fn new(state: &TaskState) -> Self {
        let has_end = !state.generated().is_empty() || state.error().is_some();
        Self {
            status: state.status().clone(),
            progress: state.progress(),
            end: has_end.then(|| Box::new(state.clone())),
        }
    }

    fn to_state(&self, id: &str) -> TaskState {
        match &self.end {
            Some(state) => (**state).clone(),
            None => TaskState::new(id.to_owned(), self.status.clone(), Vec::new(), None),
        }
    }
}

/// How the client learnt a state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Source {
    /// By a poll, some time after the state was reached.
    Polled,
    /// By a webhook delivery at this time, as soon as the state was reached.
    Pushed(Instant),
}

/// Durations with a larger uncertainty than this, and than this part of the duration, are not recorded.
const MAX_UNCERTAINTY: Duration = Duration::from_secs(60);
const MAX_UNCERTAINTY_PART: u32 = 4;

impl Known {
    /// Records a state. Returns `false` if the task is known to be further: responses may overtake each other.
    fn learn(&mut self, state: &TaskState, now: SystemTime) -> bool {
        if let Some(known) = &self.latest {
            if state.progress() < known.progress {
                return false;
            }
            if !known.status.is_terminal() && *state.status() == TaskStatus::Completed {
                self.times.completed = Some(now);
            }
        }
        if state.status().is_terminal() {
            self.permit = None;
        }
        self.latest = Some(Latest::new(state));
        true
    }

    fn has_ended(&self) -> bool {
        let latest = self.latest.as_ref();
        latest.is_some_and(|latest| latest.status.is_terminal())
    }
}

impl Task {
    pub(crate) fn created(
        client: Arc<ClientInner>,
        id: TaskId,
        operation: &'static CreateOperation,
        origin: TaskOrigin,
        state: Option<TaskState>,
        call: &Call,
    ) -> Self {
        let now = client.clock().now();
        let times = Times {
            created: Some(client.clock().system_time()),
            completed: None,
        };
        Self(Arc::new(Shared {
            client,
            id: Ok(id),
            request_id: call.request_id().map(String::into_boxed_str),
            reads: operation.reads,
            origin: Some(origin),
            known: Mutex::new(Known {
                latest: state.as_ref().map(Latest::new),
                times,
                not_before: not_before(call, now),
                ..Known::default()
            }),
        }))
    }

    /// A task that exists already, where one of `reads` knows it.
    pub(crate) fn attach(
        client: Arc<ClientInner>,
        id: String,
        reads: &'static [&'static ReadOperation],
    ) -> Self {
        let origin = client.attribution().origin(&id);
        Self(Arc::new(Shared {
            reads,
            client,
            id: TaskId::parse(id),
            request_id: None,
            origin,
            known: Mutex::default(),
        }))
    }

    /// Id of the task. Keep it: with [`Client::task`](crate::Client::task) it is all that is needed to go on later.
    pub fn id(&self) -> &str {
        match &self.0.id {
            Ok(id) => id,
            Err(invalid) => invalid.as_str(),
        }
    }

    /// The service's id of the exchange that created the task; `None` for a task taken up by its id.
    pub fn request_id(&self) -> Option<&str> {
        self.0.request_id.as_deref()
    }

    /// Where the task stood when it was last heard of; `None` if nothing but its id is known: for a task taken up by that
    /// and not read since, and for one whose creation was answered in another form than documented.
    pub fn status(&self) -> Option<TaskStatus> {
        let known = self.known();
        known.latest.as_ref().map(|latest| latest.status.clone())
    }

    /// Everything that was last heard of the task.
    pub fn state(&self) -> Option<TaskState> {
        let known = self.known();
        known
            .latest
            .as_ref()
            .map(|latest| latest.to_state(self.id()))
    }

    /// Asks the service where the task stands.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::NotFound`] if no status route knows the task, [`ErrorKind::Authentication`] and the like for a
    /// refused key, [`ErrorKind::Transport`] and [`ErrorKind::Server`] if the service cannot be asked now. None of them
    /// says anything about the task itself.
    pub async fn refresh(&self) -> Result<TaskState> {
        self.read(Options::default()).await
    }

    /// Waits until the task ends. Await the answer, or set options on it first.
    ///
    /// ```no_run
    /// use std::time::Duration;
    ///
    /// # async fn example(client: kling_omni::Client) -> kling_omni::Result<()> {
    /// let video = client
    ///     .task("046b6c7f-0b8a-43b9-b35d-6489e6daee91")
    ///     .wait()
    ///     .timeout(Duration::from_secs(900))
    ///     .on_status(|state| println!("{}", state.status()))
    ///     .await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn wait(&self) -> Wait {
        Wait::new(self.clone())
    }

    /// Follows the task as a stream that ends with it.
    pub fn updates(&self) -> Updates {
        self.wait().updates()
    }

    /// The finished video, from what was last heard of the task.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::TaskFailed`] or [`ErrorKind::EmptyResult`] if it ended otherwise, [`ErrorKind::NotFinished`] if it
    /// has not ended as far as is known, and [`ErrorKind::UnexpectedResponse`] if its result is no URL.
    pub fn video(&self) -> Result<Video> {
        match self.state() {
            Some(state) => {
                let origin = Arc::new(self.clone());
                Video::of(&self.0.client.downloads, &state, self.ended_after(), origin)
            }
            None => Err(self
                .concerning(Error::uncharged(
                    ErrorKind::NotFinished,
                    format!("task {} has not been read yet", printable(self.id())),
                ))
                .with_help("call `refresh` or `wait` first")),
        }
    }

    /// Reads the task by the operation that knows it.
    pub(crate) async fn read(&self, options: Options) -> Result<TaskState> {
        self.check_id()?;
        let known = self.known().read_by;
        let operations = match &known {
            Some(operation) => std::slice::from_ref(operation),
            None => self.0.reads,
        };
        let mut missing = None;
        for operation in operations {
            let call = Call::new(Arc::clone(&self.0.client.http), options.clone());
            match self
                .0
                .client
                .service
                .read(&call, operation, self.id())
                .await
            {
                Ok(state) => {
                    self.learn(&state, Source::Polled);
                    let not_before = not_before(&call, self.now());
                    let mut known = self.known();
                    known.read_by = Some(*operation);
                    known.not_before = not_before;
                    return Ok(state);
                }
                Err(error) if error.kind() == ErrorKind::NotFound => {
                    missing.get_or_insert(error);
                }
                // An operation that is not permitted does not have the task either.
                Err(error)
                    if missing.is_some()
                        && matches!(
                            error.kind(),
                            ErrorKind::Permission | ErrorKind::InsufficientCredits
                        ) => {}
                Err(error) => return Err(self.concerning(error)),
            }
        }
        let error = missing
            .unwrap_or_else(|| Error::uncharged(ErrorKind::NotFound, "no route reads tasks"));
        // A task is visible only to the account that created it.
        let help = match self.is_known_to_exist() {
            true => {
                "the task exists, so this key most likely belongs to another account: use the key that created the task"
            }
            false => {
                "check the id, and that the key belongs to the account that created the task: a key of another account gets 404"
            }
        };
        Err(self.concerning(error).with_help(help))
    }

    /// Holds a permit until the task has ended.
    pub(crate) fn hold_permit(&self, permit: InFlightPermit) {
        let mut known = self.known();
        known.permit = (!known.has_ended()).then_some(permit);
    }

    /// Records a state, unless the task is known to be further. Returns whether it did.
    fn learn(&self, state: &TaskState, source: Source) -> bool {
        let client = &self.0.client;
        let now = self.now();
        let mut known = self.known();
        let had_ended = known.has_ended();
        let is_recorded = known.learn(state, client.clock().system_time());
        let last_in_progress = known.last_in_progress;
        if !known.has_ended() {
            known.last_in_progress = Some(now);
        } else if !had_ended {
            let created = self.0.origin.map(|origin| origin.created);
            let ended = match source {
                Source::Polled => now,
                Source::Pushed(at) => at,
            };
            known.ended_after = created.map(|created| ended.duration_since(created));
        }
        drop(known);
        if is_recorded
            && !had_ended
            && state.progress() == Progress::Ended
            && *state.status() == TaskStatus::Completed
            && let Some(origin) = self.0.origin
        {
            let age = |at: Instant| at.duration_since(origin.created);
            let max = age(now);
            // Another thread may have polled a moment later.
            let min = last_in_progress.map_or(Duration::ZERO, age).min(max);
            let duration = match source {
                Source::Pushed(at) => Some(age(at)),
                Source::Polled => (max - min <= MAX_UNCERTAINTY.max(max / MAX_UNCERTAINTY_PART))
                    .then(|| (min + max) / 2),
            };
            if let Some(duration) = duration {
                client.poller.durations().add(origin.kind, duration);
            }
        }
        is_recorded
    }

    /// When to poll it next by `schedule`, now that it is known to be in progress.
    fn next_poll(&self, schedule: &ScheduleState) -> Instant {
        schedule.next_poll(&self.poll_context(), &mut self.0.client.poller.durations())
    }

    fn poll_context(&self) -> PollContext {
        let known = self.known();
        PollContext {
            now: self.now(),
            origin: self.0.origin,
            last_in_progress: known.last_in_progress,
            not_before: known.not_before,
        }
    }

    /// How long after its creation the task was found to have ended, if this client has created it.
    fn ended_after(&self) -> Option<Duration> {
        self.known().ended_after
    }

    /// The time that half of the tasks like this one take at most, as far as this client has learnt it, and else by what
    /// is known of the service. A task that was taken up by its id is like all.
    ///
    /// There is no better measure of progress: the service tells none.
    pub fn expected_duration(&self) -> Duration {
        let kind = self.0.origin.map(|origin| origin.kind);
        self.0.client.poller.durations().median(kind)
    }

    fn client(&self) -> &Arc<ClientInner> {
        &self.0.client
    }

    fn now(&self) -> Instant {
        self.0.client.clock().now()
    }

    /// Ties an error to the task, which was paid for if it is known to exist.
    fn concerning(&self, error: Error) -> Error {
        match self.status() {
            Some(status) => error.with_task(self.id()).with_task_status(status),
            None if self.is_known_to_exist() => error.with_task(self.id()),
            None => error.with_task_id(self.id()).with_charged(Charged::Unknown),
        }
    }

    /// Whether this client has created the task or read it.
    fn is_known_to_exist(&self) -> bool {
        self.0.origin.is_some() || self.known().latest.is_some()
    }

    fn check_id(&self) -> Result<()> {
        let summary = match &self.0.id {
            Ok(id) if id.is_path_segment() => return Ok(()),
            Ok(id) => format!("the task id {} cannot be part of a URL", &**id),
            Err(invalid) => invalid.to_string(),
        };
        let error = Error::uncharged(ErrorKind::Validation, summary)
            .with_help("give the id that the task got when it was created");
        // The service itself may have given a task such an id.
        Err(match self.is_known_to_exist() {
            true => self.concerning(error),
            false => error,
        })
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.0.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// When the pause ends that the response of `call` asks for.
fn not_before(call: &Call, now: Instant) -> Option<Instant> {
    call.requested_pause()
        .and_then(|pause| end_of_pause(now, pause))
}

impl Origin for Task {
    fn read(&self) -> Pin<Box<dyn Future<Output = Result<TaskState>> + Send + '_>> {
        Box::pin(self.refresh())
    }

    fn times(&self) -> Times {
        self.known().times
    }
}

impl fmt::Debug for Task {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Task")
            .field("id", &self.id())
            .field("state", &self.state())
            .field("request_id", &self.request_id())
            .finish_non_exhaustive()
    }
}
