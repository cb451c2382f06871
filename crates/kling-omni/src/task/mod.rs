mod hearing;
mod poll;
mod schedule;
mod updates;
mod wait;

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

pub use schedule::PollSchedule;
pub use updates::{Update, Updates};
pub use wait::Wait;

use crate::error::{Charged, Error, ErrorKind, Result};
use crate::route::{CreateRoute, StatusRoute};
use crate::session::{Place, Session};
use crate::state::{TaskState, TaskStatus, is_task_id};
use crate::transport::{Exchange, Options};
use crate::video::{Origin, Times, Video};
use crate::wire;

/// A paid task: the same whether it was just created or taken up by its id.
///
/// Nothing happens to a task when this value is dropped; it goes on at the service, which knows no cancelling. Clones
/// share what has been learnt about it.
#[derive(Clone)]
pub struct Task {
    session: Arc<Session>,
    id: String,
    request_id: Option<String>,
    routes: &'static [StatusRoute],
    known: Arc<Mutex<Known>>,
}

/// What has been learnt about a task so far.
#[derive(Debug, Default)]
struct Known {
    state: Option<TaskState>,
    /// The status route that has answered for this task.
    route: Option<StatusRoute>,
    times: Times,
    /// Among the client's tasks in flight, until this one has ended.
    place: Option<Place>,
}

impl Known {
    /// Remembers what the service said at `now`, and says whether it did. Answers may overtake each other, and none
    /// takes the task back.
    fn learn(&mut self, state: &TaskState, now: SystemTime) -> bool {
        if let Some(known) = &self.state {
            if state.progress() < known.progress() {
                return false;
            }
            if !known.status().is_terminal() && *state.status() == TaskStatus::Completed {
                self.times.completed = Some(now);
            }
        }
        if state.status().is_terminal() {
            self.place = None;
        }
        self.state = Some(state.clone());
        true
    }
}

impl Task {
    pub(crate) fn created(
        session: Arc<Session>,
        route: CreateRoute,
        state: TaskState,
        request_id: Option<String>,
    ) -> Self {
        let times = Times {
            created: Some(session.clock.system_time()),
            completed: None,
        };
        Self {
            session,
            id: state.id().to_owned(),
            request_id,
            routes: route.status_routes(),
            known: Arc::new(Mutex::new(Known {
                state: Some(state),
                route: None,
                times,
                place: None,
            })),
        }
    }

    pub(crate) fn attach(session: Arc<Session>, id: String) -> Self {
        Self {
            session,
            id,
            request_id: None,
            routes: StatusRoute::ALL,
            known: Arc::default(),
        }
    }

    /// Id of the task. Keep it: with [`Client::task`](crate::Client::task) it is all that is needed to go on later.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The service's id of the exchange that created the task; `None` for a task taken up by its id.
    pub fn request_id(&self) -> Option<&str> {
        self.request_id.as_deref()
    }

    /// Where the task stood when it was last heard of; `None` for a task taken up by its id and not read since.
    pub fn status(&self) -> Option<TaskStatus> {
        self.known()
            .state
            .as_ref()
            .map(|state| state.status().clone())
    }

    /// Everything that was last heard of the task.
    pub fn state(&self) -> Option<TaskState> {
        self.known().state.clone()
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
        let state = self.known().state.clone();
        match state {
            Some(state) => Video::of(&self.session, &state, Arc::new(self.clone())),
            None => Err(self
                .concerning(Error::new(
                    ErrorKind::NotFinished,
                    format!("task {} has not been read yet", self.id),
                ))
                .with_advice("call `refresh` or `wait` first")),
        }
    }

    /// Reads the task at the status route that knows it, and remembers both.
    pub(crate) async fn read(&self, options: Options) -> Result<TaskState> {
        self.check_id()?;
        let route = self.known().route;
        let routes = match &route {
            Some(route) => std::slice::from_ref(route),
            None => self.routes,
        };
        let mut missing = None;
        for route in routes {
            let exchange = Exchange::new(Arc::clone(&self.session), options.clone());
            match wire::read(&exchange, *route, &self.id).await {
                Ok(state) => {
                    let mut known = self.known();
                    known.route = Some(*route);
                    known.learn(&state, self.session.clock.system_time());
                    return Ok(state);
                }
                Err(error) if error.kind() == ErrorKind::NotFound => {
                    missing.get_or_insert(error);
                }
                // A route that may not be asked does not have the task either.
                Err(error) if error.kind() == ErrorKind::Permission && missing.is_some() => {}
                Err(error) => return Err(self.concerning(error)),
            }
        }
        let error = missing.unwrap_or_else(|| Error::new(ErrorKind::NotFound, "no status route"));
        Err(self.concerning(error).with_advice(
            "check the id, and that the key belongs to the account that created the task",
        ))
    }

    /// Keeps a place among the client's tasks in flight for as long as the task goes on.
    pub(crate) fn occupy(&self, place: Place) {
        let mut known = self.known();
        let has_ended = known
            .state
            .as_ref()
            .is_some_and(|state| state.status().is_terminal());
        known.place = (!has_ended).then_some(place);
    }

    /// Takes over what a delivery says of the task, unless it is known to be further; says whether it did.
    fn hear(&self, state: &TaskState) -> bool {
        let now = self.session.clock.system_time();
        self.known().learn(state, now)
    }

    /// Ties an error to the task, which was paid for if it is known to exist.
    fn concerning(&self, error: Error) -> Error {
        match self.status() {
            Some(status) => error.with_task(&self.id).with_task_status(status),
            None => error.with_task_id(&self.id).with_charged(Charged::Unknown),
        }
    }

    fn check_id(&self) -> Result<()> {
        if is_task_id(&self.id) {
            return Ok(());
        }
        Err(Error::new(
            ErrorKind::Validation,
            format!(
                "the task id, {} characters long, is none: ids are made of letters, digits and dashes",
                self.id.chars().count()
            ),
        )
        .with_advice("give the id that the task got when it was created"))
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
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
            .field("id", &self.id)
            .field("state", &self.known().state)
            .field("request_id", &self.request_id)
            .finish_non_exhaustive()
    }
}
