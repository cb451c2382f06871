//! A paid task: its known state, and reading it.

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
use crate::engine::download::{TaskTimes, Video, VideoOrigin};
use crate::engine::error::{Charged, Error, ErrorKind, Result};
use crate::engine::expected_video::ExpectedVideo;
use crate::engine::http::call::{Call, Options};
use crate::engine::limits::in_flight::InFlightPermit;
use crate::engine::operations::{CreateOperation, ReadOperation};
use crate::engine::polling::durations::TaskOrigin;
use crate::engine::polling::schedule::{PollContext, ScheduleState, end_of_pause};
use crate::engine::state::{TaskProgress, TaskState, TaskStatus};
use crate::engine::task::updates::Updates;
use crate::engine::task::wait::Wait;
use crate::engine::task_id::{InvalidTaskId, TaskId};
use crate::redact::printable;

/// A paid task, whether it was just created or attached by its id.
///
/// Dropping this value does not affect the task: it keeps running, and the service has no cancel operation. Clones share
/// the known state of the task.
#[derive(Clone)]
pub struct Task(Arc<TaskInner>);

struct TaskInner {
    client: Arc<ClientInner>,
    id: Result<TaskId, InvalidTaskId>,
    request_id: Option<Box<str>>,
    reads: &'static [&'static ReadOperation],
    /// Set for a task that this client has created.
    origin: Option<TaskOrigin>,
    known: Mutex<KnownState>,
}

/// The known state of a task.
#[derive(Debug, Default)]
struct KnownState {
    latest: Option<LatestState>,
    /// The operation that has the task.
    read_by: Option<&'static ReadOperation>,
    times: TaskTimes,
    /// When the task was last known to be in progress.
    last_in_progress: Option<Instant>,
    /// The time from the creation of the task until it was found to be completed or failed.
    completed_after: Option<Duration>,
    /// The service requested not to be polled before.
    not_before: Option<Instant>,
    /// Whether the task was missing from its list.
    is_unlisted: bool,
    /// The permit of the concurrency limit, until the task is completed or failed.
    permit: Option<InFlightPermit>,
}

/// The latest state, without the id. Kept small, because there is one for each task in flight.
#[derive(Debug)]
struct LatestState {
    status: TaskStatus,
    progress: TaskProgress,
    /// The complete state, if it has more than the status: a result or a message.
    full: Option<Box<TaskState>>,
}

impl LatestState {
    fn new(state: &TaskState) -> Self {
        let has_more = !state.generated().is_empty() || state.error().is_some();
        Self {
            status: state.status().clone(),
            progress: state.progress(),
            full: has_more.then(|| Box::new(state.clone())),
        }
    }

    fn to_state(&self, id: &str) -> TaskState {
        match &self.full {
            Some(state) => (**state).clone(),
            None => TaskState::new(id.to_owned(), self.status.clone(), Vec::new(), None),
        }
    }
}

/// Where a state came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum StateSource {
    /// A poll, some time after the state was reached.
    Polled,
    /// A webhook delivery at this time, as soon as the state was reached.
    Pushed(Instant),
}

/// Durations with an uncertainty above this, and above this part of the duration, are not recorded.
const MAX_UNCERTAINTY: Duration = Duration::from_secs(60);
const MAX_UNCERTAINTY_PART: u32 = 4;

impl KnownState {
    /// Records a state. Returns `false` if the task is known to have progressed further: responses may arrive out of order.
    fn record(&mut self, state: &TaskState, now: SystemTime) -> bool {
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
        self.latest = Some(LatestState::new(state));
        true
    }

    fn is_terminal(&self) -> bool {
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
        let times = TaskTimes {
            created: Some(client.clock().system_time()),
            completed: None,
        };
        Self(Arc::new(TaskInner {
            client,
            id: Ok(id),
            request_id: call.request_id().map(String::into_boxed_str),
            reads: operation.reads,
            origin: Some(origin),
            known: Mutex::new(KnownState {
                latest: state.as_ref().map(LatestState::new),
                times,
                not_before: not_before(call, now),
                ..KnownState::default()
            }),
        }))
    }

    /// A task that exists already. One of `reads` can read it.
    pub(crate) fn attach(
        client: Arc<ClientInner>,
        id: String,
        reads: &'static [&'static ReadOperation],
    ) -> Self {
        let origin = client.attribution().origin(&id);
        Self(Arc::new(TaskInner {
            reads,
            client,
            id: TaskId::parse(id),
            request_id: None,
            origin,
            known: Mutex::default(),
        }))
    }

    /// The id of the task. Keep it: [`Client::task`](crate::Client::task) needs only the id to resume.
    pub fn id(&self) -> &str {
        match &self.0.id {
            Ok(id) => id,
            Err(invalid) => invalid.as_str(),
        }
    }

    /// The service's id of the request that created the task; `None` for a task that was attached by its id.
    pub fn request_id(&self) -> Option<&str> {
        self.0.request_id.as_deref()
    }

    /// The last known status. `None` if only the id is known: for a task that was attached and not read yet, and for one whose
    /// create had a response of an undocumented shape.
    pub fn status(&self) -> Option<TaskStatus> {
        let known = self.known_state();
        known.latest.as_ref().map(|latest| latest.status.clone())
    }

    /// The last known state.
    pub fn state(&self) -> Option<TaskState> {
        let known = self.known_state();
        known
            .latest
            .as_ref()
            .map(|latest| latest.to_state(self.id()))
    }

    /// Reads the state of the task from the service. Idempotent and free.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::NotFound`] if no status route has the task, [`ErrorKind::Authentication`] and the like for a rejected key,
    /// [`ErrorKind::Transport`] and [`ErrorKind::Server`] if the service is unavailable. None of them says anything about the
    /// task itself.
    pub async fn refresh(&self) -> Result<TaskState> {
        self.read(Options::default()).await
    }

    /// Waits until the task is completed or failed. Await the result, or set options first.
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

    /// Returns the updates of the task as a stream, which ends with the task.
    pub fn updates(&self) -> Updates {
        self.wait().updates()
    }

    /// The finished video, from the last known state.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::TaskFailed`] or [`ErrorKind::EmptyResult`] if the task has no video, [`ErrorKind::NotFinished`] if it is not
    /// known to be completed, and [`ErrorKind::UnexpectedResponse`] if its result is not a URL.
    pub fn video(&self) -> Result<Video> {
        match self.state() {
            Some(state) => {
                let origin = Arc::new(self.clone());
                Video::from_state(
                    &self.0.client.downloads,
                    &state,
                    self.completed_after(),
                    origin,
                )
            }
            None => Err(self
                .with_task_context(Error::uncharged(
                    ErrorKind::NotFinished,
                    format!("task {} has not been read yet", printable(self.id())),
                ))
                .with_help("call `refresh` or `wait` first")),
        }
    }

    /// Reads the task with the operation that has it.
    pub(crate) async fn read(&self, options: Options) -> Result<TaskState> {
        self.check_id()?;
        let known = self.known_state().read_by;
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
                    self.record_state(&state, StateSource::Polled);
                    let not_before = not_before(&call, self.now());
                    let mut known = self.known_state();
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
                Err(error) => return Err(self.with_task_context(error)),
            }
        }
        let error = missing
            .unwrap_or_else(|| Error::uncharged(ErrorKind::NotFound, "no route reads tasks"));
        // A task is visible only to the account that created it.
        let help = match self.is_known_to_exist() {
            true => {
                "use the key that created the task, because this key most likely belongs to another account"
            }
            false => {
                "check the id, and that the key belongs to the account that created the task (other accounts get 404)"
            }
        };
        Err(self.with_task_context(error).with_help(help))
    }

    /// Holds a permit until the task is completed or failed.
    pub(crate) fn hold_permit(&self, permit: InFlightPermit) {
        let mut known = self.known_state();
        known.permit = (!known.is_terminal()).then_some(permit);
    }

    /// Records a state, unless the task is known to have progressed further. Returns whether it was recorded.
    fn record_state(&self, state: &TaskState, source: StateSource) -> bool {
        let client = &self.0.client;
        let now = self.now();
        let mut known = self.known_state();
        let was_terminal = known.is_terminal();
        let before = known.latest.as_ref().map(|latest| &latest.status);
        let is_changed = before != Some(state.status());
        let is_recorded = known.record(state, client.clock().system_time());
        let last_in_progress = known.last_in_progress;
        if !known.is_terminal() {
            known.last_in_progress = Some(now);
        } else if !was_terminal {
            let created = self.0.origin.map(|origin| origin.created);
            let detected = match source {
                StateSource::Polled => now,
                StateSource::Pushed(at) => at,
            };
            known.completed_after = created.map(|created| detected.duration_since(created));
        }
        drop(known);
        if is_recorded && is_changed {
            let (task_id, status) = (printable(self.id()), state.status());
            tracing::debug!(%task_id, %status, "task status changed");
        }
        if is_recorded
            && !was_terminal
            && state.progress() == TaskProgress::Final
            && *state.status() == TaskStatus::Completed
            && let Some(origin) = self.0.origin
        {
            let age = |at: Instant| at.duration_since(origin.created);
            let max = age(now);
            // Another thread may have polled a moment later.
            let min = last_in_progress.map_or(Duration::ZERO, age).min(max);
            let duration = match source {
                StateSource::Pushed(at) => Some(age(at)),
                StateSource::Polled => (max - min
                    <= MAX_UNCERTAINTY.max(max / MAX_UNCERTAINTY_PART))
                .then(|| (min + max) / 2),
            };
            if let Some(duration) = duration {
                client.poller.durations().add(origin.kind, duration);
            }
        }
        is_recorded
    }

    /// When `schedule` polls the task next, given that it is in progress.
    fn next_poll(&self, schedule: &ScheduleState) -> Instant {
        schedule.next_poll(&self.poll_context(), &mut self.0.client.poller.durations())
    }

    fn poll_context(&self) -> PollContext {
        let known = self.known_state();
        PollContext {
            now: self.now(),
            origin: self.0.origin,
            last_in_progress: known.last_in_progress,
            not_before: known.not_before,
        }
    }

    /// The time from creation to completion, if this client created the task.
    fn completed_after(&self) -> Option<Duration> {
        self.known_state().completed_after
    }

    /// The median duration of tasks like this one, as far as this client has learned it, or else the known default. For a task
    /// that was attached by its id, the median of all tasks.
    ///
    /// The service reports no progress, so this is the best measure of it.
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

    /// Adds the task to an error. It was paid for if it is known to exist.
    fn with_task_context(&self, error: Error) -> Error {
        match self.status() {
            Some(status) => error.with_task(self.id()).with_task_status(status),
            None if self.is_known_to_exist() => error.with_task(self.id()),
            None => error.with_task_id(self.id()).with_charged(Charged::Unknown),
        }
    }

    /// Whether this client has created the task or read it.
    fn is_known_to_exist(&self) -> bool {
        self.0.origin.is_some() || self.known_state().latest.is_some()
    }

    fn check_id(&self) -> Result<()> {
        let summary = match &self.0.id {
            Ok(id) if id.is_path_segment() => return Ok(()),
            Ok(id) => format!("invalid task id {}: it cannot be a segment of a URL", &**id),
            Err(invalid) => invalid.to_string(),
        };
        let error = Error::uncharged(ErrorKind::Validation, summary)
            .with_help("use the id that the service returned for the task");
        // The service itself may return such an id.
        Err(match self.is_known_to_exist() {
            true => self.with_task_context(error),
            false => error,
        })
    }

    fn known_state(&self) -> MutexGuard<'_, KnownState> {
        self.0.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The end of the pause that the response of `call` requests.
fn not_before(call: &Call, now: Instant) -> Option<Instant> {
    call.requested_pause()
        .and_then(|pause| end_of_pause(now, pause))
}

impl VideoOrigin for Task {
    fn read(&self) -> Pin<Box<dyn Future<Output = Result<TaskState>> + Send + '_>> {
        Box::pin(self.refresh())
    }

    fn times(&self) -> TaskTimes {
        self.known_state().times
    }

    fn expected(&self) -> Option<ExpectedVideo> {
        self.0.origin.map(|origin| origin.expected)
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
